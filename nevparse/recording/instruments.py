# SPDX-License-Identifier: MIT
"""Several instruments side by side: the same recording, on one even grid of their common clock.

Every sample goes to the row nearest to its time. Where instruments have timestamps for each sample, whose clocks
drift apart, that leaves one out or repeats one now and then; it is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Clock, Gap
from ..errors import GapError
from ..format.channel import Channel
from ..nsx.file import NsxFile
from ..traces.extents import Extent
from ..traces.packing import FillRows
from ..traces.plan import Corrections, SampleRows, check_fill, nearest_row, resample_to_nominal, select_samples

RowRange = tuple[int, int]  # of the grid, from the first up to the second


class InstrumentTrack:
    """One instrument's samples on the grid.

    Parameters
    ----------
    file : NsxFile
        The instrument's file.
    origin_tick : int
        The tick of row 0.
    sort : bool
        Whether samples out of order are put right.
    """

    def __init__(self, file: NsxFile, origin_tick: int, sort: bool) -> None:
        self.file, self._origin_tick, self._sort = (
            file.fully_scanned() if file.has_sample_timestamps else file,
            origin_tick,
            sort,
        )
        self.n_dropped = self.n_repeated = 0
        self.spans = tuple(self._placed())

    def _placed(self) -> Iterator[SampleRows]:
        end = 0
        for span in select_samples(self.file.segments, None, None):
            segment, clock, group, made = self.file.segments[span.segment], self.file.clock, [span], Corrections()
            row = nearest_row(segment.start_tick - self._origin_tick, clock)
            if self.file.has_sample_timestamps:
                group, made = resample_to_nominal(
                    span, segment, clock, self._sort, self._origin_tick + row * clock.num // clock.den
                )
            self.n_dropped, self.n_repeated = self.n_dropped + made.dropped, self.n_repeated + made.repeated
            if row < end - 1:
                backwards = f"segment {span.segment} starts before the one in front of it ends"
                raise GapError(f"{self.file.path}: {backwards}: export instruments one by one", self.file.gaps)
            for part in group:
                late = max(0, end - row)  # rounding may put the first sample on the last one's row
                self.n_dropped += late
                yield SampleRows(row + late, part.n_rows - late, part.segment, part.start + late)
                row = end = row + part.n_rows

    @cached_property
    def recorded(self) -> list[RowRange]:
        """Rows that have samples, neighbours as one."""
        return _union((span.row, span.row + span.n_rows) for span in self.spans)

    def items(self, a: int, b: int) -> Iterator[Extent | FillRows]:
        """What to write for rows `a` to `b`."""
        clock = self.file.clock
        for span in self.spans:
            begin, end = max(a, span.row), min(b, span.row + span.n_rows)
            if begin >= end:
                continue
            if begin > a:
                yield FillRows(begin - a, self._origin_tick + a * clock.num // clock.den)
            start = span.start + begin - span.row
            yield from self.file.segments[span.segment].extents(start, start + end - begin, sort=self._sort)
            a = end
        if a < b:
            yield FillRows(b - a, self._origin_tick + a * clock.num // clock.den)


@dataclass(frozen=True)
class GridSegment:
    """An unbroken stretch of the grid."""

    index: int
    first_row: int
    n_samples: int
    origin_tick: int
    clock: Clock

    @property
    def start_tick(self) -> int:
        """Time of the first row."""
        return self.origin_tick + self.first_row * self.clock.num // self.clock.den

    @property
    def stop_tick(self) -> int:
        """Time of the row that would follow the last."""
        return self.origin_tick + (self.first_row + self.n_samples) * self.clock.num // self.clock.den

    def find(self, tick: int) -> int:
        """First row that is not before `tick`."""
        row = -((self.origin_tick - tick) * self.clock.den // self.clock.num) - self.first_row
        return min(max(row, 0), self.n_samples)

    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = False) -> NDArray[np.uint64]:  # noqa: ARG002 - sorted by place
        """Times of rows."""
        a, b, _ = slice(start, stop).indices(self.n_samples)
        return self.clock.ticks(self.origin_tick, self.first_row + a, self.first_row + max(a, b))

    def extents(self, start: int, stop: int, *, sort: bool = False) -> Iterator[Extent]:  # noqa: ARG002 - sorted by place
        """The rows as one piece: a grid has no blocks."""
        yield Extent(0, stop - start, 0, since=self.first_row + start)


class CombinedInstruments:
    """Several instruments as one recording, with the reading surface that an export asks of a file.

    Parameters
    ----------
    files : sequence of NsxFile
        One of each instrument.
    max_fill : float or None
        Rows wherever any instrument recorded, if no more than this many times what was recorded is filled for that;
        None: only where all did.
    sort : bool
        Whether samples out of order are put right.

    Raises
    ------
    ValueError
        Where the files differ in rate, clock or type.
    GapError
        Where they have no time in common, or one goes backwards.
    """

    has_sample_timestamps = False

    def __init__(self, files: Sequence[NsxFile], max_fill: float | None, sort: bool) -> None:
        first = files[0]
        _check_alike(files)
        self.path, self.spec, self.vendor = first.path, first.spec, first.vendor
        self.dtype, self.clock, self.tick_rate = first.dtype, first.clock, first.tick_rate
        self.sampling_rate, self.time_origin = first.sampling_rate, first.time_origin
        self.size_bytes, self.missing_bytes = (
            sum(counts) for counts in zip(*((f.size_bytes, f.missing_bytes) for f in files), strict=True)
        )
        self._origin_tick = min(segment.start_tick for file in files for segment in file.segments)
        self.tracks = tuple(InstrumentTrack(file, self._origin_tick, sort) for file in files)
        self.n_channels = sum(file.n_channels for file in files)
        common = self.tracks[0].recorded
        for track in self.tracks[1:]:
            common = _intersection(common, track.recorded)
        if not common:
            ranges = "; ".join(
                f"{f.path}: ticks {f.segments[0].start_tick} to {f.segments[-1].stop_tick}" for f in files
            )
            raise GapError(f"expected instruments that recorded at the same time, found {ranges}")
        rows = _union(row for track in self.tracks for row in track.recorded) if max_fill is not None else common
        self.segments = tuple(GridSegment(k, a, b - a, self._origin_tick, self.clock) for k, (a, b) in enumerate(rows))
        self.n_samples = sum(segment.n_samples for segment in self.segments)
        n_holes, n_rows = sum(self.n_holes()), len(files) * self.n_samples
        if max_fill is not None:
            row_bytes = max(file.n_channels for file in files) * self.dtype.itemsize
            check_fill(self.path, n_holes, n_rows - n_holes, max_fill, row_bytes, self.gaps)

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """Those of every instrument, in the order of the instruments."""
        return tuple(channel for track in self.tracks for channel in track.file.channels)

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between stretches."""
        return tuple(
            self.clock.gap(k, (one.start_tick, one.n_samples), one.start_tick, other.start_tick)
            for k, (one, other) in enumerate(pairwise(self.segments))
        )

    def fully_scanned(self) -> CombinedInstruments:
        """Itself: every timestamp was read to place the samples."""
        return self

    def timestamp_check(self) -> None:
        """Nothing: the timestamps of every instrument have been judged already."""

    def columns(self, *ways: Any) -> NDArray[np.intp]:
        """Columns that a request names, the same request for each instrument."""
        chosen = [np.asarray(track.file.columns(*ways)) for track in self.tracks]
        begins = np.cumsum([0, *(track.file.n_channels for track in self.tracks[:-1])])
        return np.concatenate([columns + begin for columns, begin in zip(chosen, begins, strict=True)])

    def split(self, columns: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Columns of the whole as columns of each instrument."""
        edges = np.cumsum([0, *(track.file.n_channels for track in self.tracks)])
        return [columns[(columns >= a) & (columns < b)] - a for a, b in pairwise(edges)]

    def n_holes(self) -> list[int]:
        """Rows that each instrument lacks in the stretches."""
        recorded = ([sum(b - a for a, b in _intersection(track.recorded, self._rows))] for track in self.tracks)
        return [self.n_samples - count for (count,) in recorded]

    @property
    def _rows(self) -> list[RowRange]:
        return [(s.first_row, s.first_row + s.n_samples) for s in self.segments]


def _check_alike(files: Sequence[NsxFile]) -> None:
    kinds = [(f.sampling_rate, f.tick_rate, f.dtype.name, bool(f.segments)) for f in files]
    for file, kind in zip(files, kinds, strict=True):
        if kind != kinds[0] or not file.segments:
            told = "{} Hz sampling, {} Hz ticks, {}".format(*kind[:3]) if file.segments else "no samples"
            wanted = "{} Hz sampling, {} Hz ticks, {}".format(*kinds[0][:3])
            raise ValueError(f"{file.path}: expected {wanted} as in {files[0].path}, found {told}")


def _union(rows: Iterable[RowRange]) -> list[RowRange]:
    merged: list[RowRange] = []
    for a, b in sorted(rows):
        if merged and a <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(b, merged[-1][1])
        else:
            merged.append((a, b))
    return merged


def _intersection(one: Sequence[RowRange], other: Sequence[RowRange]) -> list[RowRange]:
    """Rows that are in both."""
    found, j = [], 0
    for a, b in one:
        while j < len(other) and other[j][1] <= a:
            j += 1
        k = j
        while k < len(other) and other[k][0] < b:
            found.append((max(a, other[k][0]), min(b, other[k][1])))
            k += 1
    return found


Continuous = NsxFile | CombinedInstruments  # what can be exported
