# SPDX-License-Identifier: MIT
"""A flat ``.bin`` of chosen channels, as spike sorters read it, and a ``.json`` beside it that says what it holds.

The whole export is planned, and refused if it has to be, before the first byte is written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ._channels import Channel
from ._index import Gap, Piece
from ._pump import Packer, pump, whole_or_nothing
from ._units import size_text, span_text
from .errors import ExportError, GapError

SIDECAR_VERSION = 1
GAP_POLICIES = ("error",)
_LISTED_GAPS = 5

Progress = Callable[[int, int], None]


class SegmentLike(Protocol):
    """What is asked of a segment."""

    @property
    def index(self) -> int: ...  # noqa: D102
    @property
    def start_tick(self) -> int: ...  # noqa: D102
    @property
    def n_samples(self) -> int: ...  # noqa: D102
    def find(self, tick: int) -> int: ...  # noqa: D102
    def pieces(self, start: int, stop: int) -> Iterator[Piece]: ...  # noqa: D102
    def ticks(self, start: int, stop: int) -> NDArray[np.uint64]: ...  # noqa: D102


class Readable(Protocol):
    """What is asked of a file: the reading surface of `NsxFile`."""

    path: str
    spec: str
    vendor: str
    dtype: np.dtype[Any]
    n_channels: int
    sampling_rate: float
    tick_rate: int
    time_origin: datetime | None
    missing_bytes: int
    size_bytes: int

    @property
    def channels(self) -> Sequence[Channel]: ...  # noqa: D102
    @property
    def segments(self) -> Sequence[SegmentLike]: ...  # noqa: D102
    @property
    def gaps(self) -> Sequence[Gap]: ...  # noqa: D102
    def columns(self, channels: Any, electrodes: Any, labels: Any, kind: Any) -> NDArray[np.intp]: ...  # noqa: D102
    def readinto(self, buffer: memoryview, offset: int) -> int: ...  # noqa: D102


class Part(NamedTuple):
    """Rows `row` and on of the ``.bin``: samples `start` to `stop` of a segment."""

    segment: int
    start: int
    stop: int
    row: int


@dataclass(frozen=True)
class BinReport:
    """What an export wrote.

    Parameters
    ----------
    path, sidecar_path : str
        The two files.
    n_samples, n_channels : int
        Rows and columns; sample by sample, all channels of the first sample first.
    dtype : str
        Of one sample, as numpy writes it (``<i2``).
    sampling_rate : float
        Hz.
    electrode_ids : tuple of int
        Of each column.
    parts : tuple of Part
        Which rows come from which samples of which segment.
    """

    path: str
    sidecar_path: str
    n_samples: int
    n_channels: int
    dtype: str
    sampling_rate: float
    electrode_ids: tuple[int, ...]
    parts: tuple[Part, ...]

    @property
    def size_bytes(self) -> int:
        """Of the ``.bin``."""
        return self.n_samples * self.n_channels * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        kind = np.dtype(self.dtype)
        return (
            f"{self.path}: {self.n_samples} samples x {self.n_channels} channels of {kind.name}, little-endian, "
            f"sample by sample (row = sample, column = channel); {self.sampling_rate:g} Hz, "
            f"{span_text(self.n_samples / self.sampling_rate)}, {size_text(self.size_bytes)}"
        )


def write_bin(
    ns: Readable,
    path: str | os.PathLike[str],
    *,
    channels: slice | Iterable[int] | None = None,
    electrodes: Iterable[int] | None = None,
    labels: str | Iterable[str] | None = None,
    kind: str | None = None,
    start_tick: int | None = None,
    stop_tick: int | None = None,
    gaps: str = "error",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> BinReport:
    """Write chosen channels of a recording to a flat binary file, and a ``.json`` that says what it holds.

    Samples are written as they were recorded: same type, no scaling, none added, dropped or moved.

    Parameters
    ----------
    ns : NsxFile
        The recording.
    path : str or os.PathLike
        The ``.bin`` to write. The sidecar has the same name with ``.json``.
    channels : slice or iterable of int, optional
        Columns, in the order wanted. Where none of `channels`, `electrodes`, `labels` and `kind` is given, all.
    electrodes : iterable of int, optional
        The vendor's numbers, in the order wanted.
    labels : str or iterable of str, optional
        Names, or patterns with ``*``, ``?`` and ``[...]``.
    kind : str, optional
        ``neural`` leaves out analog inputs.
    start_tick, stop_tick : int, optional
        Only samples whose timestamps are in this half-open range of the file's clock.
    gaps : str
        What to do where time is not unbroken: ``error`` refuses.
    overwrite : bool
        Replace files of the same names.
    progress : callable, optional
        Called with (rows done, rows in all) after each step.

    Returns
    -------
    BinReport
        Shape, type, rate and parts of what was written.

    Raises
    ------
    GapError
        Where the range holds a gap and `gaps` is ``error``.
    ExportError
        Where a file is in the way, the input would be overwritten, the disk is full, or the input shrinks meanwhile.
    KeyError, ValueError
        Where the request names what is not there, or nothing.
    """
    columns = ns.columns(channels, electrodes, labels, kind)
    if columns.size == 0:
        raise ValueError(f"expected at least one channel, found none; {ns.path} has {ns.n_channels}")
    if gaps not in GAP_POLICIES:
        raise ValueError(f"expected gaps to be one of {', '.join(GAP_POLICIES)}, found {gaps!r}")
    parts = _plan(ns, start_tick, stop_tick)
    _refuse_gaps(ns, parts)
    report = _report(ns, os.fspath(path), columns, parts)
    _refuse_targets(ns, report, overwrite)
    sidecar = json.dumps(_sidecar(ns, report, columns), indent=1, allow_nan=False).encode()
    pieces = (piece for part in parts for piece in ns.segments[part.segment].pieces(part.start, part.stop))
    done = 0
    with whole_or_nothing(report.path, report.sidecar_path) as (bin_file, sidecar_file):
        for n_rows in pump(ns.readinto, pieces, Packer(columns, ns.n_channels, ns.dtype), bin_file):
            done += n_rows
            if progress is not None:
                progress(done, report.n_samples)
        sidecar_file.write(sidecar)
    return report


def _plan(ns: Readable, start_tick: int | None, stop_tick: int | None) -> tuple[Part, ...]:
    parts: list[Part] = []
    row = 0
    for segment in ns.segments:
        start = 0 if start_tick is None else segment.find(start_tick)
        stop = segment.n_samples if stop_tick is None else segment.find(stop_tick)
        if start < stop:
            parts.append(Part(segment.index, start, stop, row))
            row += stop - start
    if not parts:
        raise ValueError(f"expected ticks that hold samples ({_extent(ns)}), found {start_tick} to {stop_tick}")
    return tuple(parts)


def _extent(ns: Readable) -> str:
    if not ns.segments:
        return "the file has none"
    ends = [(s.start_tick, int(s.ticks(s.n_samples - 1, s.n_samples)[0])) for s in ns.segments[:_LISTED_GAPS]]
    more = len(ns.segments) - len(ends)
    return ", ".join(f"{a} to {b}" for a, b in ends) + (f" and {more} more segments" if more > 0 else "")


def _refuse_gaps(ns: Readable, parts: Sequence[Part]) -> None:
    inside = {part.segment for part in parts[:-1]}
    found = [gap for gap in ns.gaps if gap.after_segment in inside] if inside else []
    if found:
        listed = "; ".join(str(gap) for gap in found[:_LISTED_GAPS])
        more = f"; and {len(found) - _LISTED_GAPS} more" if len(found) > _LISTED_GAPS else ""
        raise GapError(
            f"{ns.path}: time is broken {len(found)} times in what was asked for: {listed}{more}. "
            f"Choose one unbroken stretch with start_tick and stop_tick (--start, --stop).",
            found,
        )


def _report(ns: Readable, path: str, columns: NDArray[np.intp], parts: tuple[Part, ...]) -> BinReport:
    return BinReport(
        path=path,
        sidecar_path=os.path.splitext(path)[0] + ".json",
        n_samples=sum(part.stop - part.start for part in parts),
        n_channels=int(columns.size),
        dtype=ns.dtype.str,
        sampling_rate=ns.sampling_rate,
        electrode_ids=tuple(ns.channels[column].electrode_id for column in columns),
        parts=parts,
    )


def _refuse_targets(ns: Readable, report: BinReport, overwrite: bool) -> None:
    folder = os.path.dirname(os.path.abspath(report.path))
    if not os.path.isdir(folder):
        raise ExportError(f"{report.path}: there is no folder {folder}; create it first")
    if os.path.normcase(report.path) == os.path.normcase(report.sidecar_path):
        raise ExportError(f"{report.path}: this name is the sidecar's; choose one that does not end in .json")
    for target in (report.path, report.sidecar_path):
        for name in (target, target + ".part"):
            if os.path.exists(name) and os.path.samefile(name, ns.path):
                raise ExportError(f"{name} is the recording itself; choose another name")
        if os.path.isdir(target):
            raise ExportError(f"{target} is a folder; give the name of a file in it")
        if os.path.lexists(target) and not overwrite:
            raise ExportError(f"{target} exists; choose another name, or overwrite=True (--overwrite) to replace it")
    free = shutil.disk_usage(folder).free
    if free < report.size_bytes:
        need = f"{size_text(report.size_bytes)} are needed in {folder}"
        raise ExportError(f"{report.path}: {need}, {size_text(free)} are free")


def _sidecar(ns: Readable, report: BinReport, columns: NDArray[np.intp]) -> dict[str, Any]:
    channels = [ns.channels[column] for column in columns]
    return {
        "sidecar_version": SIDECAR_VERSION,
        "bin": os.path.basename(report.path),
        "dtype": report.dtype,
        "shape": [report.n_samples, report.n_channels],
        "order": "C",
        "size_bytes": report.size_bytes,
        "sampling_rate_hz": report.sampling_rate,
        "tick_rate_hz": ns.tick_rate,
        "time_origin": ns.time_origin.isoformat() if ns.time_origin else None,
        "gaps": "error",
        "segments": [_part_facts(ns, part) for part in report.parts],
        "columns": columns.tolist(),
        "electrode_ids": list(report.electrode_ids),
        "labels": [channel.label for channel in channels],
        "kinds": [channel.kind for channel in channels],
        "uv_per_bit": [_number(channel.uv_per_bit) for channel in channels],
        "uv_offset": [_number(channel.uv_offset) for channel in channels],
        "source": {
            "name": os.path.basename(ns.path),
            "size_bytes": ns.size_bytes,
            "spec": ns.spec,
            "vendor": ns.vendor,
            "missing_bytes": ns.missing_bytes,
        },
    }


def _part_facts(ns: Readable, part: Part) -> dict[str, Any]:
    segment = ns.segments[part.segment]
    first, last = segment.ticks(part.start, part.start + 1)[0], segment.ticks(part.stop - 1, part.stop)[0]
    return {
        "segment": part.segment,
        "start_row": part.row,
        "stop_row": part.row + part.stop - part.start,
        "start_sample": part.start,
        "first_tick": int(first),
        "last_tick": int(last),
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
