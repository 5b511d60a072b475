# SPDX-License-Identifier: MIT
"""A flat ``.bin`` of chosen channels, as spike sorters read it, and a ``.json`` beside it that says what it holds.

The whole export is planned, and refused if it has to be, before the first byte is written.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _plan, sidecar
from ._clock import Gap
from ._export import BinFile, FileJob, Job, refuse_targets
from ._outputs import whole_or_nothing
from ._plan import Corrections, Fill, Rows, Span
from ._stamps import MissedBreak
from ._surface import Readable
from .errors import DamagedFile

if TYPE_CHECKING:
    from .nsx import NsxFile

HOLD = "hold"
NOMINAL = "nominal"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BinReport(BinFile):
    """What an export wrote: its file, or with ``gaps="split"`` its first file and the sum of all.

    Parameters
    ----------
    files : tuple of BinFile
        Every file.
    n_filled, n_dropped, n_repeated : int
        Rows filled, and samples left out and repeated to keep the nominal rate.
    n_out_of_order : int
        Samples that stand out of order in the recording, and do so in the ``.bin`` unless they were sorted.
    """

    files: tuple[BinFile, ...]
    n_filled: int
    n_dropped: int
    n_repeated: int
    n_out_of_order: int

    def __str__(self) -> str:
        lines = [str(file) for file in self.files]
        counts = {
            "rows filled": self.n_filled,
            "samples left out": self.n_dropped,
            "samples repeated": self.n_repeated,
            "samples out of order": self.n_out_of_order,
        }
        told = [f"{count} {what}" for what, count in counts.items() if count]
        return "\n".join(lines + ([", ".join(told)] if told else []))


@dataclass(frozen=True)
class _Request:
    """What a caller of `write_bin` asked for."""

    path: str
    columns: tuple[Any, ...]
    start_tick: int | None
    stop_tick: int | None
    gaps: str
    fill: float | str
    max_fill: float
    resample: str | None
    sort: bool
    overwrite: bool
    progress: Progress | None


def write_bin(
    ns: Readable | Sequence[NsxFile],
    path: str | os.PathLike[str],
    *,
    channels: slice | Iterable[int] | None = None,
    electrodes: Iterable[int] | None = None,
    labels: str | Iterable[str] | None = None,
    kind: str | None = None,
    start_tick: int | None = None,
    stop_tick: int | None = None,
    gaps: str = "error",
    fill: float | str = 0,
    max_fill: float = 10.0,
    resample: str | None = None,
    sort: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> BinReport:
    """Write chosen channels of a recording to a flat binary file, and a ``.json`` that says what it holds.

    Samples are written as they were recorded: same type, no scaling; none is added, left out or moved unless that is
    asked for, and then the sidecar says where.

    Parameters
    ----------
    ns : NsxFile or sequence of NsxFile
        The recording; or the same-numbered files of several instruments, which become one wide ``.bin``, each
        sample in the row nearest to its time on their common clock.
    path : str or os.PathLike
        The ``.bin`` to write. The sidecar has the same name with ``.json``; where every sample has a timestamp of its
        own, they go to the same name with ``.ticks`` (little-endian uint64, one for each row).
    channels : slice or iterable of int, optional
        Columns, in the order wanted, of each instrument. Where none of `channels`, `electrodes`, `labels` and
        `kind` is given, all.
    electrodes : iterable of int, optional
        The vendor's numbers, in the order wanted.
    labels : str or iterable of str, optional
        Names, or patterns with ``*``, ``?`` and ``[...]``.
    kind : str, optional
        ``neural`` leaves out analog inputs.
    start_tick, stop_tick : int, optional
        Only samples whose timestamps are in this half-open range of the file's clock.
    gaps : str
        What to do where time is not unbroken. ``error``: refuse. ``split``: one file for each segment, named
        ``-000``, ``-001`` and so on. ``join``: segments back to back. ``fill``: rows for the missing samples.
    fill : number or "hold"
        What ``gaps="fill"`` writes: a raw value, or the last sample again.
    max_fill : float
        Refuse to fill more than this many times the recorded samples.
    resample : str, optional
        ``nominal``: samples on an even grid at the nominal rate, each row the nearest one, for files whose samples
        have timestamps of their own.
    sort : bool
        Put samples right that stand out of order.
    overwrite : bool
        Replace files of the same names.
    progress : callable, optional
        Called with (rows done, rows in all) after each step.

    Returns
    -------
    BinReport
        Shape, type, rate, and which row is what.

    Raises
    ------
    GapError
        Where the range holds a gap that `gaps` does not resolve.
    ExportError
        Where a file is in the way, the input would be overwritten, the disk is full, or the input shrinks meanwhile.
    KeyError, ValueError
        Where the request names what is not there, or nothing.

    Warns
    -----
    DamagedFile
        Where samples stand out of order and `sort` is not asked for.
    """
    if isinstance(ns, Sequence):
        from ._wide import WideFile  # few need it

        recording: Readable = WideFile(ns, max_fill if gaps == "fill" else None, sort)
    else:
        recording = ns
    _refuse_words(gaps, fill, resample, recording.dtype)
    columns = (channels, electrodes, labels, kind)
    request = _Request(
        os.fspath(path), columns, start_tick, stop_tick, gaps, fill, max_fill, resample, sort, overwrite, progress
    )
    try:
        return _export(recording.exactly() if sort or resample else recording, request)
    except MissedBreak:  # seen while streaming; nothing has been named yet
        return _export(recording.exactly(), request)


def _refuse_words(gaps: str, fill: float | str, resample: str | None, dtype: np.dtype[Any]) -> None:
    if gaps not in _plan.POLICIES:
        raise ValueError(f"expected gaps to be one of {', '.join(_plan.POLICIES)}, found {gaps!r}")
    if resample not in (None, NOMINAL):
        raise ValueError(f"expected resample to be None or {NOMINAL!r}, found {resample!r}")
    if fill != HOLD:
        _fill_row(fill, 1, dtype)


def _fill_row(fill: float | str, n_columns: int, dtype: np.dtype[Any]) -> bytes | None:
    if fill == HOLD:
        return None
    limits = np.iinfo(dtype) if dtype.kind == "i" else None
    if isinstance(fill, str) or (limits and not (limits.min <= fill <= limits.max and fill == int(fill))):
        raise ValueError(f"expected fill to be {HOLD!r} or a value of {dtype.name}, found {fill!r}")
    return np.full(n_columns, fill, dtype).tobytes()


def _export(ns: Readable, request: _Request) -> BinReport:
    columns = ns.columns(*request.columns)
    if columns.size == 0:
        raise ValueError(f"expected at least one channel, found none; {ns.path} has {ns.n_channels}")
    plans, corrections = _plans(ns, request)
    files = [_bin_file(ns, path, columns, rows) for path, rows in plans]
    job_type, inputs = _job_of(ns)
    refuse_targets(inputs, ns.stamped, request.path, files, request.overwrite)
    policy = sidecar.policy_facts(request.gaps, request.fill, request.resample, corrections)
    fill = _fill_row(request.fill, columns.size, ns.dtype) if request.gaps == "fill" else b""
    job = job_type(ns, columns, fill, request.sort, request.progress, sum(file.n_samples for file in files))
    with whole_or_nothing(files[0].path) as outputs:
        for file in files:
            job.write(file, outputs, policy)
    if job.n_out_of_order and not request.sort:
        message = f"{job.n_out_of_order} samples stand out of order; sort=True (--sort) puts them right"
        warnings.warn(f"{ns.path}: {message}", DamagedFile, stacklevel=4)
    return BinReport(
        **vars(files[0]) | {"n_samples": job.n_rows},
        files=tuple(files),
        n_filled=job.n_holes + sum(item.n_rows for file in files for item in file.rows if isinstance(item, Fill)),
        n_dropped=corrections.dropped + job.corrections.dropped,
        n_repeated=corrections.repeated + job.corrections.repeated,
        n_out_of_order=job.n_out_of_order,
    )


def _job_of(ns: Readable) -> tuple[type[Job], list[str]]:
    """What streams a recording, and the files it comes from."""
    tracks = getattr(ns, "tracks", None)
    if tracks is None:
        return FileJob, [ns.path]
    from ._wide import WideJob

    return WideJob, [track.file.path for track in tracks]


def _plans(ns: Readable, request: _Request) -> tuple[list[tuple[str, list[Rows]]], Corrections]:
    """The rows of each file to write."""
    spans = _plan.stretches(ns.segments, request.start_tick, request.stop_tick)
    gaps = _plan.gaps_between(ns.gaps, spans)
    if request.gaps == "error":
        what = f"time is broken {len(gaps)} time{'s' if len(gaps) > 1 else ''} in what was asked for"
        instead = "Use gaps='split', 'join' or 'fill' (--gaps), or choose one stretch by time (--start, --stop)."
        _plan.refuse(ns.path, gaps, what, instead)
    groups, corrections = _resampled(ns, spans, request)
    if request.gaps == "split":
        stem, suffix = os.path.splitext(request.path)
        return [(f"{stem}-{group[0].segment:03d}{suffix}", _plan.lay([group], [], [])) for group in groups], corrections
    fills: list[int] = []
    if request.gaps == "fill":
        fills = _fills(ns, spans, gaps, groups, request)
    ticks = [ns.segments[span.segment].stop_tick for span in spans]
    return [(request.path, _plan.lay(groups, fills, ticks))], corrections


def _resampled(ns: Readable, spans: Sequence[Span], request: _Request) -> tuple[list[list[Span]], Corrections]:
    if request.resample is None or not ns.stamped:
        return [[span] for span in spans], Corrections()
    both = [_plan.resampled(span, ns.segments[span.segment], ns.clock, request.sort) for span in spans]
    dropped, repeated = (sum(counts) for counts in zip(*(made for _, made in both), strict=True))
    return [group for group, _ in both], Corrections(dropped, repeated)


def _fills(
    ns: Readable,
    spans: Sequence[Span],
    gaps: Sequence[Gap],
    groups: Sequence[Sequence[Span]],
    request: _Request,
) -> list[int]:
    backwards = [gap for gap in gaps if gap.missing_samples < 0]
    _plan.refuse(ns.path, backwards, "time goes backwards, which cannot be filled", "Use gaps='split' (--gaps split).")
    if request.resample and ns.stamped:
        starts = [int(ns.segments[span.segment].ticks(span.start, span.start + 1)[0]) for span in spans]
        fills = _plan.anchored_rows(starts, groups, ns.clock)
    else:
        fills = _plan.missing_rows(gaps)
    recorded = sum(span.n_rows for span in spans)
    _plan.refuse_fill(ns.path, sum(fills), recorded, request.max_fill, ns.n_channels * ns.dtype.itemsize, gaps)
    return fills


def _bin_file(ns: Readable, path: str, columns: NDArray[np.intp], rows: Sequence[Rows]) -> BinFile:
    return BinFile(
        path=path,
        sidecar_path=sidecar.names(path)[0],
        n_samples=_plan.n_rows_of(rows),
        n_channels=int(columns.size),
        dtype=ns.dtype.str,
        sampling_rate=ns.sampling_rate,
        electrode_ids=tuple(ns.channels[column].electrode_id for column in columns),
        rows=tuple(rows),
    )
