# SPDX-License-Identifier: MIT
"""An NSx cut from an NSx: which headers, which blocks at which times, and which bytes of each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...format.dates import systemtime_of_date
from ...format.layout import n_ticks_of_field, with_values
from ...format.text import ranges_text
from ...nsx.blocks import block_header
from ...nsx.gap_search import MARGIN
from ...traces.packing import ColumnPacker, RowReader
from ...traces.pieces import Extent
from ...traces.plan import SampleRows, raise_no_samples, select_samples
from .anonymise import anonymous_basic, anonymous_record, check_dates_removed
from .planned import FilePlan, verbatim

if TYPE_CHECKING:
    from ...nsx.file import NsxFile


class CutBlock(NamedTuple):
    """Rows that follow one timestamp."""

    tick: int
    piece: Extent


class NsxSelection(NamedTuple):
    """What is taken from a file.

    Parameters
    ----------
    columns : numpy.ndarray
        intp, in the order wanted.
    spans : list of Span
        Which samples of which segments.
    anonymise : bool or "labels"
        Whether dates and texts are taken out.
    base_tick : int
        What is subtracted from every timestamp.
    """

    columns: NDArray[np.intp]
    spans: list[SampleRows]
    anonymise: bool | str
    base_tick: int

    @property
    def n_samples(self) -> int:
        """Rows of the file to write."""
        return sum(span.n_rows for span in self.spans)


def chosen_columns(ns: NsxFile, *ways: Any) -> NDArray[np.intp]:
    """Columns that a request names, each once."""
    columns = ns.columns(*ways)
    if columns.size == 0:
        raise ValueError(f"expected at least one channel, found none; {ns.path} has {ns.n_channels}")
    twice = np.flatnonzero(np.bincount(columns) > 1).tolist()
    if twice:
        raise ValueError(f"expected each channel once, found column {ranges_text(twice)} more often")
    return columns


def chosen_spans(
    ns: NsxFile, segments: int | slice | Iterable[int] | None, start_tick: int | None, stop_tick: int | None
) -> list[SampleRows]:
    """The samples that a request names, in file order; none only where the file has none."""
    every = ns.segments
    if segments is not None:
        wanted = [segments] if isinstance(segments, (int, np.integer)) else segments
        numbers = range(len(every))[wanted] if isinstance(wanted, slice) else _numbers(wanted, len(every))
        every = tuple(every[number] for number in sorted(set(numbers)))
        if not every:
            raise ValueError(f"expected at least one segment, found none; {ns.path} has {len(ns.segments)}")
    if not every and start_tick is None and stop_tick is None:
        return []
    spans = select_samples(every, start_tick, stop_tick)
    if not spans:
        raise_no_samples(every, start_tick, stop_tick)
    return spans


def _numbers(wanted: Iterable[int], n_segments: int) -> list[int]:
    numbers = [int(number) for number in wanted]
    for number in numbers:
        if not -n_segments <= number < n_segments:
            there = f"0 to {n_segments - 1}" if n_segments else "none: the file holds no samples"
            raise ValueError(f"expected segments ({there}), found {number}")
    return [number % n_segments for number in numbers]


def plan_nsx(ns: NsxFile, chosen: NsxSelection) -> FilePlan:
    """Decide on the file that holds a selection of another.

    Raises
    ------
    ValueError
        Where the version cannot say when the samples were, or a date would show that was to be taken out.
    """
    start = ns._frame.start
    every = np.array_equal(chosen.columns, np.arange(ns.n_channels)) and chosen.n_samples == ns.n_samples
    if every and not (ns.damage or chosen.anonymise or chosen.base_tick):
        head = ns._source.read(start, 0, "headers")
        return FilePlan(head, ns.size_bytes, verbatim(ns.readinto, start, ns.size_bytes))
    _refuse_dated(ns, chosen)
    body = _Packets(ns, chosen) if ns.has_sample_timestamps else _Blocks(ns, chosen)
    head = _head(ns, chosen, body.date_tick)
    return FilePlan(head, len(head) + body.n_bytes, body.parts())


def _refuse_dated(ns: NsxFile, chosen: NsxSelection) -> None:
    """Raise where timestamps tell a date that was to be taken out, or where they would run below 0."""
    near = (min(span.n_rows, 2 * MARGIN) for span in chosen.spans)  # samples may stand a little out of order
    ticks = [
        int(ns.segments[span.segment].ticks(span.start, span.start + n_rows).min())
        for span, n_rows in zip(chosen.spans, near, strict=True)
    ]
    check_dates_removed(ns.path, ns.tick_rate, ticks, chosen.anonymise, chosen.base_tick)


# ------------------------------------------------------------------------------------------------------- headers
def _head(ns: NsxFile, chosen: NsxSelection, date_tick: int | None) -> bytes:
    found, n_channels = ns._version, int(chosen.columns.size)
    size, width = found.basic.size, found.channel.size
    raw = ns._source.read(ns._frame.start, 0, "headers")
    basic = raw[:size]
    channels = [raw[size + width * column : size + width * (column + 1)] for column in chosen.columns.tolist()]
    more = raw[size + width * ns.n_channels :]  # headers of kinds that no document lists yet
    if chosen.anonymise:
        basic, more = anonymous_basic(found, basic, chosen.anonymise), b""
        channels = [anonymous_record(found.channel, channel, chosen.anonymise) for channel in channels]
    elif date_tick is not None and ns.time_origin is not None:
        basic = with_values(found.basic, basic, time_origin=systemtime_of_date(ns.datetime(date_tick)))
    n_bytes = size + width * n_channels + len(more)
    return with_values(found.basic, basic, n_channels=n_channels, header_bytes=n_bytes) + b"".join(channels) + more


# --------------------------------------------------------------------------------------------------------- data
class _Blocks:
    """Samples in blocks: each block that is cut starts at its first sample's own time."""

    def __init__(self, ns: NsxFile, chosen: NsxSelection) -> None:
        self._ns, self._base = ns, chosen.base_tick
        self._packer = ColumnPacker(chosen.columns, ns.n_channels, ns.dtype)
        self._blocks = list(_blocks(ns, chosen.spans))
        layout = ns._version.block
        self._layout, self._header_bytes = layout, layout.size if layout else 0
        self.n_bytes = self._header_bytes * len(self._blocks) + self._packer.row_bytes * chosen.n_samples
        turned = self._rolled_over() if layout else self._untimed()
        first = self._blocks[0].tick if self._blocks else 0
        self.date_tick = _date_tick(ns, first, turned)

    def _untimed(self) -> int:
        """Without timestamps the first sample is tick 0, and all follow each other."""
        if any(block.tick for block in self._blocks):
            name, tick = self._ns.spec, self._blocks[0].tick
            raise ValueError(
                f"{self._ns.path}: NSx {name} has no timestamps: what is cut from it starts at tick 0, not {tick}. "
                f"Cut only its end (stop_tick, --stop), or write a .bin, or with create_nsx a file of a later version"
            )
        return 0

    def _rolled_over(self) -> int:
        """By how much ticks are more than their field holds; the same for all, or they could not be told apart."""
        assert self._layout is not None
        size = n_ticks_of_field(self._layout)
        written = [(0, block.tick % size, block.piece.n_rows) for block in self._blocks]
        read = written
        if any(after < before for (_, before, _), (_, after, _) in pairwise(written)):
            read = list(self._ns.clock.unroll(written))
        turned = {block.tick - tick for block, (_, tick, _) in zip(self._blocks, read, strict=True)}
        if len(turned) > 1:
            raise ValueError(
                f"{self._ns.path}: its timestamps run over {size.bit_length() - 1} bits between the segments that are "
                f"asked for, which cannot be told without those between; cut each by itself"
            )
        return turned.pop() if turned else 0

    def parts(self) -> Iterator[memoryview]:
        """Headers and rows in turn."""
        pump = RowReader(self._ns.readinto, self._packer, b"")
        for block in self._blocks:
            if self._layout is not None:
                yield memoryview(block_header(self._layout, block.tick - self._base, block.piece.n_rows))
            for batch in pump.batches([block.piece]):
                yield batch.packed()


def _blocks(ns: NsxFile, spans: Iterable[SampleRows]) -> Iterator[CutBlock]:
    for span in spans:
        segment, at = ns.segments[span.segment], span.start
        for piece in segment.extents(span.start, span.start + span.n_rows):
            yield CutBlock(int(segment.ticks(at, at + 1)[0]), piece)
            at += piece.n_rows


def _date_tick(ns: NsxFile, first_tick: int, turned: int) -> int | None:
    """The tick that the header's date must stand for, where it is another than before."""
    if not ns._version.origin_at_first:
        return turned or None
    return first_tick if ns.segments and first_tick != ns.segments[0].start_tick else None


class _Packets:
    """One sample per packet: each packet keeps its header, and stands where it stood among the others."""

    def __init__(self, ns: NsxFile, chosen: NsxSelection) -> None:
        self._ns, self._base, self._spans = ns, chosen.base_tick, chosen.spans
        block = ns._version.block
        assert block is not None
        self._block, width = block, ns.dtype.itemsize
        samples = block.size + (chosen.columns[:, np.newaxis] * width + np.arange(width)).ravel()
        places = np.concatenate([np.arange(block.size), samples]).astype(np.intp)
        self._packet_bytes = block.size + width * ns.n_channels
        self._packer = ColumnPacker(places, self._packet_bytes, np.dtype(np.uint8))
        self.n_bytes = self._packer.row_bytes * chosen.n_samples
        first = chosen.spans[0]
        tick = int(ns.segments[first.segment].ticks(first.start, first.start + 1)[0])
        self.date_tick = _date_tick(ns, tick, 0)

    def _pieces(self) -> Iterator[Extent]:
        for span in self._spans:
            for piece in self._ns.segments[span.segment].extents(span.start, span.start + span.n_rows):
                yield piece._replace(offset=piece.offset - self._block.size)

    def parts(self) -> Iterator[memoryview]:
        """Packets as they stood, without the samples that are not wanted."""
        watcher = self._ns.timestamp_check()
        assert watcher is not None
        pump = RowReader(self._ns.readinto, self._packer, b"", watcher.feed)
        header = self._block.dtype(self._packer.row_bytes)
        for batch in pump.batches(self._pieces()):
            data = batch.packed()
            if self._base:
                ticks = np.frombuffer(data, header)["tick"]
                ticks -= np.uint64(self._base)
            yield data
        watcher.finish()
