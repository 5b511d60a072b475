# SPDX-License-Identifier: MIT
"""Writes a part of an NSx as an NSx: chooses channels and samples, and gives each block its own timestamp."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...clock import epochs_of_segments, requested_ticks
from ...errors import Progress
from ...format.numbers import integer, optional_integer, repeated, signed_ticks
from ...format.text import ranges_text
from ...nev.epochs import check_one_epoch, checked_epoch
from ...nsx.blocks import block_header
from ...nsx.file import NsxFile, open_nsx
from ...nsx.gap_search import N_NEIGHBOURS
from ...nsx.packets import FullScanNeeded
from ...nsx.segments import Segment, segment_numbers
from ...recording.successive_files import SuccessiveFiles, SuccessiveSegment
from ...traces.extents import Extent
from ...traces.packing import Batch, BatchReader, ColumnPacker, RowReader
from ...traces.plan import FilledRows, SampleRows, raise_no_samples, select_samples
from ...traces.selection import ColumnSelection, SampleSelection, TimeSelection, part_of, some_columns, takes
from ...traces.traces import Traces
from ..bin import check_nothing_chosen
from ..inputs import check_not_shrunk
from ..paths import takes_paths
from .anonymise import anonymous_record, check_anonymise, check_dates_removed, new_basic
from .file_plan import FilePlan, NsxReport, copy_bytes, is_copied_whole, write_file

if TYPE_CHECKING:
    from ...traces.selection import Unpack

Recorded = NsxFile | SuccessiveFiles
TimedRows = tuple[int, Extent]  # the tick of its first sample, and where its rows are


@takes_paths(open_nsx)
@takes(SampleSelection)
def write_nsx(
    ns: Recorded | Traces,
    path: str | os.PathLike[str],
    *,
    segments: int | slice | Iterable[int] | None = None,
    epoch: int | None = None,
    anonymise: bool | Literal["labels"] = False,
    base_tick: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
    **selection: Unpack[SampleSelection],
) -> NsxReport:
    """Write a part of an NSx as an NSx of the same version and vendor.

    Samples, timestamps and channel headers stay the same. Without a selection, an intact file is copied byte by byte,
    and a file that was cut by a crash becomes an intact one of its complete samples.

    Parameters
    ----------
    ns : NsxFile, SuccessiveFiles or Traces
        The recording, or the files that `concatenate` joined, or `traces` of either whose rows are samples as they
        were recorded. `create_nsx` writes arrays.
    path : str or os.PathLike
        The file to write.
    channels, electrodes, labels, kind, exclude : optional
        Columns, in the order wanted, as in `NsxFile.columns`, each once; all by default.
    start_tick, stop_tick : int, optional
        Only samples whose timestamps are in this half-open range of the file's clock.
    start_s, stop_s : float, optional
        Instead of ticks: seconds after the recording's first sample.
    segments : int, slice or iterable of int, optional
        Only these segments, always in file order.
    epoch : int, optional
        Only segments of this epoch, from 0: the time between two settings of the clock.
    anonymise : bool or "labels"
        Remove dates, comments, the application, and unused bytes after texts; with ``"labels"`` labels too.
    base_tick : int
        What `anonymise` subtracts from every timestamp of a clock that counts from 1970 and so reveals the date. Use
        the same for every file of a recording.
    overwrite : bool
        Replace a file of the same name, unless it is a recording.
    progress : callable, optional
        Called with (bytes done, bytes in all) after each step. What it raises cancels, and nothing is left.

    Returns
    -------
    NsxReport
        What was written.

    Raises
    ------
    ExportError
        If a file is in the way, a recording would be replaced, the disk is full, or the input shrinks meanwhile.
    KeyError, ValueError
        If the selection is empty or names what the file does not have, if a range of ticks is in several epochs, or
        if NSx 2.1, which has no timestamps, cannot keep the times of the samples.

    Notes
    -----
    A block that is cut starts at the timestamp of its first sample, rounded down to an integer tick.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("session.ns5") as ns:
    ...     report = nv.write_nsx(ns, "part.ns5", electrodes=[1, 2], start_s=0.02, stop_s=0.05)
    >>> report.n_samples, report.n_channels
    (900, 2)
    """
    traces = ns if isinstance(ns, Traces) else None
    if traces is not None:
        check_nothing_chosen({**selection, "segments": segments, "epoch": epoch})
        ns, selection = _recorded_by(traces), {"channels": traces.columns}
    assert not isinstance(ns, Traces)
    if not hasattr(ns, "segments"):
        raise TypeError(f"expected an open NSx, found {type(ns).__name__}; create_nsx writes arrays")
    check_anonymise(anonymise)
    start_tick, stop_tick = requested_ticks(ns, **part_of(selection, TimeSelection))
    base_tick, epoch = integer(base_tick, "base_tick"), optional_integer(epoch, "epoch")
    columns = _chosen_columns(ns, selection)

    def write(file: Recorded) -> NsxReport:
        inputs = check_not_shrunk(file.sources)
        if traces is None:
            spans = _chosen_spans(file, segments, epoch, start_tick, stop_tick)
        else:
            rows = (traces if file is ns else traces.of(file)).planned_rows
            spans = [part for part in rows if isinstance(part, SampleRows)]
        has_grown = sum(state.size_bytes for state in inputs.values()) > file.size_bytes
        plan = _plan(file, columns, spans, anonymise, base_tick, has_grown)
        target = write_file(plan, inputs, path, overwrite, progress, "NSx")
        n_samples = sum(span.n_rows for span in spans)
        return NsxReport(target, file.spec, n_samples, columns.size, file.sampling_rate, plan.n_bytes)

    try:
        return write(ns)
    except FullScanNeeded:  # met while streaming, before the output had its name
        return write(ns.fully_scanned())


def _chosen_columns(ns: Recorded, selection: SampleSelection) -> NDArray[np.intp]:
    """The columns of a selection; ValueError where it has none, or one twice."""
    columns = some_columns(ns.columns(**part_of(selection, ColumnSelection)), ns.n_channels, ns.path)
    if twice := repeated(columns.tolist()):
        raise ValueError(f"expected each channel once, found column {ranges_text(twice)} more often")
    return columns


def _recorded_by(x: Traces) -> Recorded:
    """The recording of traces; ValueError where an NSx cannot hold their rows as they are."""
    ns: Any = x.recording
    is_changed = x.options.resample or x.options.sort or any(isinstance(part, FilledRows) for part in x.planned_rows)
    if ns.is_on_time_grid or is_changed:
        found = "several instruments" if ns.is_on_time_grid else "rows that were filled, resampled or sorted"
        raise ValueError(f"{ns.path}: expected samples as they were recorded, found {found}; use create_nsx")
    recorded: Recorded = ns
    return recorded


def _chosen_spans(
    ns: Recorded,
    segments: int | slice | Iterable[int] | None,
    epoch: int | None,
    start_tick: int | None,
    stop_tick: int | None,
) -> list[SampleRows]:
    """The samples of a selection, in file order; empty only if the file has none."""
    chosen: tuple[Segment | SuccessiveSegment, ...] = ns.segments
    if segments is not None:
        chosen = tuple(chosen[number] for number in segment_numbers(segments, len(chosen)))
        if not chosen:
            raise ValueError(f"expected at least one segment, found none; {ns.path} has {len(ns.segments)}")
    if epoch is not None:
        within = ns.epochs[checked_epoch(ns.path, epoch, len(ns.epochs))]
        chosen = tuple(segment for segment in chosen if segment.index in within)
    if not chosen and start_tick is None and stop_tick is None:
        return []
    spans = select_samples(chosen, start_tick, stop_tick)
    if not spans:
        raise_no_samples(ns, chosen, start_tick, stop_tick)
    if (start_tick, stop_tick) != (None, None):
        check_one_epoch(ns.path, epochs_of_segments(ns.epochs, [span.segment for span in spans]))
    return spans


def _plan(
    ns: Recorded,
    columns: NDArray[np.intp],
    spans: list[SampleRows],
    anonymise: bool | str,
    base_tick: int,
    has_grown: bool,
) -> FilePlan:
    start = ns._headers.start
    takes_all = np.array_equal(columns, np.arange(ns.n_channels)) and sum(span.n_rows for span in spans) == ns.n_samples
    # The last block of a file that has grown may count more samples now than were read
    is_whole = takes_all and isinstance(ns, NsxFile) and is_copied_whole(ns.damage)
    if is_whole and not (anonymise or base_tick or has_grown):
        head = ns._source.read(start, 0, "headers")
        return FilePlan(head, ns.size_bytes, copy_bytes(ns._source, start, ns.size_bytes))
    ends = [(span, span.start + min(span.n_rows, 2 * N_NEIGHBOURS)) for span in spans]  # packets may be shuffled
    earliest = [int(ns.segments[span.segment].ticks(span.start, stop).min()) for span, stop in ends]
    check_dates_removed(ns.path, ns.tick_rate, np.array(earliest, np.int64), anonymise, base_tick)
    n_samples, layout = sum(span.n_rows for span in spans), ns._version.block
    if ns.has_sample_timestamps:
        n_headers, rollover, body = n_samples, 0, _iter_packets(ns, columns, spans, base_tick)
    else:
        blocks = [block for span in spans for block in _blocks_of(ns, span)]
        rollover, body = _rollover_ticks(ns, blocks), _iter_blocks(ns, columns, blocks, base_tick)
        n_headers = len(blocks)
    head = _head(ns, columns, anonymise, _date_tick(ns, spans, rollover), base_tick)
    n_bytes = n_samples * columns.size * ns.dtype.itemsize + n_headers * (layout.size if layout else 0)
    return FilePlan(head, len(head) + n_bytes, body)


def _date_tick(ns: Recorded, spans: Sequence[SampleRows], rollover: int) -> int:
    """The tick of the date in the new header."""
    if not ns._version.origin_at_first:
        return rollover
    first = spans[0] if spans else None
    return int(ns.segments[first.segment].ticks(first.start, first.start + 1)[0]) if first else 0


def _head(ns: Recorded, columns: NDArray[np.intp], anonymise: bool | str, date_tick: int, base_tick: int) -> bytes:
    """The new headers, with the date of a tick."""
    version = ns._version
    size, width = version.basic.size, version.channel.size
    raw = ns._source.read(ns._headers.start, 0, "headers")
    channels = [raw[size + width * column : size + width * (column + 1)] for column in columns.tolist()]
    undocumented = raw[size + width * ns.n_channels :]
    former_tick = ns.segments[0].start_tick if version.origin_at_first and ns.segments else 0
    if anonymise:
        channels, undocumented = [anonymous_record(version.channel, one, anonymise) for one in channels], b""
    rest = b"".join(channels) + undocumented
    basic = new_basic(ns, anonymise, date_tick, former_tick, base_tick)
    return version.basic.with_values(basic, n_channels=len(channels), header_bytes=size + len(rest)) + rest


def _blocks_of(ns: Recorded, span: SampleRows) -> Iterator[TimedRows]:
    segment, at = ns.segments[span.segment], span.start
    for extent in segment.extents(span.start, span.start + span.n_rows):
        yield int(segment.ticks(at, at + 1)[0]), extent
        at += extent.n_rows


def _rollover_ticks(ns: Recorded, blocks: Sequence[TimedRows]) -> int:
    """Ticks to add to the timestamps that a reader of the new file gets; ValueError if no one number is right."""
    layout = ns._version.block
    if layout is None:
        if any(tick for tick, _ in blocks):
            raise ValueError(
                f"{ns.path}: NSx {ns.spec} has no timestamps: a cut of it starts at tick 0, not {blocks[0][0]}. "
                f"Cut only its end (stop_tick, --stop), or write a .bin, or with create_nsx a file of a later version"
            )
        return 0
    size = layout.n_ticks
    written = [(0, tick % size, extent.n_rows) for tick, extent in blocks]
    read = written
    if any(after < before for (_, before, _), (_, after, _) in pairwise(written)):
        read = list(ns.clock.unroll(written))
    rollovers = {tick - read_tick for (tick, _), (_, read_tick, _) in zip(blocks, read, strict=True)}
    if len(rollovers) > 1:
        raise ValueError(
            f"{ns.path}: its timestamps roll over {size.bit_length() - 1} bits between the chosen segments, which "
            f"cannot be seen without the segments between them; cut each by itself"
        )
    return rollovers.pop() if rollovers else 0


def _iter_blocks(
    ns: Recorded, columns: NDArray[np.intp], blocks: Sequence[TimedRows], base_tick: int
) -> Iterator[Batch]:
    """Blocks, each after a header with the tick of its first sample."""
    layout, reader = ns._version.block, BatchReader(RowReader(ColumnPacker(columns, ns.n_channels, ns.dtype), b""))
    for tick, extent in blocks:
        if layout is not None:
            yield Batch.of_bytes(block_header(layout, tick - base_tick, extent.n_rows))
        yield from reader.batches([extent])


def _iter_packets(
    ns: Recorded, columns: NDArray[np.intp], spans: Sequence[SampleRows], base_tick: int
) -> Iterator[Batch]:
    """One-sample packets, each with its own header, in the order of the file."""
    if isinstance(ns, SuccessiveFiles):
        for file, of_file, offset in ns.spans_by_file(spans):
            yield from _iter_packets(file, columns, of_file, base_tick - offset)
        return
    block, check, width = ns._version.block, ns.timestamp_check(), ns.dtype.itemsize
    assert block is not None
    assert check is not None
    sample_bytes = block.size + (columns[:, np.newaxis] * width + np.arange(width)).ravel()
    kept_bytes = np.concatenate([np.arange(block.size), sample_bytes]).astype(np.intp)
    packer = ColumnPacker(kept_bytes, block.size + width * ns.n_channels, np.dtype(np.uint8))
    extents = (
        extent._replace(offset=extent.offset - block.size)
        for span in spans
        for extent in ns.segments[span.segment].extents(span.start, span.start + span.n_rows)
    )
    for batch in BatchReader(RowReader(packer, b"", check)).batches(extents):
        if base_tick:
            ticks = signed_ticks(np.frombuffer(batch.pack(), block.dtype(packer.row_bytes))["tick"])
            ticks -= base_tick
        yield batch
    check.finish()
