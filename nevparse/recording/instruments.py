# SPDX-License-Identifier: MIT
"""Several instruments side by side as one recording: a grid of rows on their common clock.

Each sample goes to the row nearest to its time. Where every sample has a timestamp, the instruments' clocks drift
apart: now and then a sample is dropped or repeated, and counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Clock, Gap
from ..errors import GapError
from ..format.channel import Channel
from ..nsx.file import NsxFile
from ..traces.extents import Extent
from ..traces.plan import (
    FilledRows,
    PlanRow,
    Resampled,
    SampleRows,
    check_fill,
    nearest_row,
    resample_to_nominal,
    rows_between,
    select_samples,
)

_ENDLESS = 1 << 62
_RowRange = tuple[int, int]  # first row, and the row after the last


class Grid(NamedTuple):
    """Rows at the sampling rate of the instruments; row 0 is at `origin_tick`."""

    origin_tick: int
    clock: Clock

    def tick(self, row: int) -> int:
        """Time of a row, rounded down."""
        return self.origin_tick + row * self.clock.num // self.clock.den


class Changes(NamedTuple):
    """Rows filled for one instrument, and its samples dropped and repeated."""

    n_filled: int
    n_dropped: int
    n_repeated: int


class InstrumentTrack:
    """One instrument's samples on the grid: `rows` with those without samples, `recorded` the ranges with samples."""

    def __init__(self, file: NsxFile, grid: Grid, sort: bool) -> None:
        self.file = file.fully_scanned() if file.has_sample_timestamps else file
        self._dropped: list[int] = []  # rows in whose place, or before which, samples were left out
        self._repeated: list[int] = []
        self.rows = list(self._place_segments(grid, sort))
        self.recorded = [(part.row, part.row + part.n_rows) for part in self.rows if isinstance(part, SampleRows)]

    def _place_segments(self, grid: Grid, sort: bool) -> Iterator[PlanRow]:
        end = 0
        for span in select_samples(self.file.segments, None, None):
            row = nearest_row(self.file.segments[span.segment].start_tick - grid.origin_tick, grid.clock)
            if row < end - 1:
                problem = f"segment {span.segment} starts before segment {span.segment - 1} ends"
                raise GapError(f"{self.file.path}: {problem}: export instruments one by one", self.file.gaps)
            if row > end:
                yield FilledRows(end, row - end, grid.tick(end))
            placed = resample_to_nominal(self.file, span, sort, grid.tick(row))
            n_overlap = max(0, end - row)  # rounding can put the first sample into the row of the last
            self._dropped += [row + n_overlap] * n_overlap
            self._note_changes(placed, row)
            for part in placed.rows:
                yield SampleRows(row + n_overlap, part.n_rows - n_overlap, part.segment, part.start + n_overlap)
                row = end = row + part.n_rows
                n_overlap = 0
        yield FilledRows(end, _ENDLESS, grid.tick(end))

    def _note_changes(self, placed: Resampled, row: int) -> None:
        """Note where samples of a segment, placed from `row` on, were dropped and repeated."""
        n_dropped = 0
        for before, after in pairwise(placed.rows):
            row += before.n_rows
            n_skipped = after.start - before.start - before.n_rows
            (self._dropped if n_skipped > 0 else self._repeated).extend([row] * abs(n_skipped))
            n_dropped += max(0, n_skipped)
        self._dropped += [row + placed.rows[-1].n_rows - 1] * (placed.n_dropped - n_dropped)  # behind the last row

    def changes_within(self, ranges: Sequence[_RowRange]) -> Changes:
        """What was done to samples of these rows of the grid."""
        n_recorded = sum(max(0, min(b, stop) - max(a, first)) for first, stop in ranges for a, b in self.recorded)
        n_dropped, n_repeated = (
            sum(bisect_left(rows, stop) - bisect_left(rows, first) for first, stop in ranges)
            for rows in (self._dropped, self._repeated)
        )
        return Changes(sum(stop - first for first, stop in ranges) - n_recorded, n_dropped, n_repeated)

    def sample_before(self, row: int) -> SampleRows | None:
        """The last sample before a row of the grid."""
        parts = [part for part in self.rows if isinstance(part, SampleRows) and part.row < row]
        if not parts:
            return None
        part = parts[-1]
        n_rows = min(part.n_rows, row - part.row)
        return SampleRows(row - 1, 1, part.segment, part.start + n_rows - 1)


@dataclass(frozen=True)
class GridSegment:
    """Rows of the grid without a gap."""

    index: int
    first_row: int
    n_samples: int
    grid: Grid

    @property
    def start_tick(self) -> int:
        """Time of the first row."""
        return self.grid.tick(self.first_row)

    @property
    def stop_tick(self) -> int:
        """Time of the row that would follow the last."""
        return self.grid.tick(self.first_row + self.n_samples)

    def find(self, tick: int) -> int:
        """First row that is not before `tick`."""
        clock = self.grid.clock
        row = -((self.grid.origin_tick - tick) * clock.den // clock.num) - self.first_row
        return min(max(row, 0), self.n_samples)

    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = False) -> NDArray[np.uint64]:  # noqa: ARG002 - rows are in order
        """Times of rows."""
        first, end, _ = slice(start, stop).indices(self.n_samples)
        return self.grid.clock.ticks(self.grid.origin_tick, self.first_row + first, self.first_row + max(first, end))

    def extents(self, start: int, stop: int) -> Iterator[Extent]:
        """The rows as one extent, whose time is counted from row 0 of the grid."""
        yield Extent(0, stop - start, 0, n_before=self.first_row + start)


class CombinedInstruments:
    """Several instruments as one recording, which an export reads as it reads a file.

    Its rows are those that all instruments recorded, or with `of_any` those that any instrument recorded. ValueError
    where the files differ in rate, clock or type; GapError where they have no time in common, or the clock of one goes
    backwards.
    """

    has_sample_timestamps = False

    def __init__(self, files: Sequence[NsxFile], of_any: bool, sort: bool) -> None:
        first = files[0]
        _check_same_format(files)
        self.path, self.spec, self.vendor = first.path, first.spec, first.vendor
        self.dtype, self.clock, self.tick_rate = first.dtype, first.clock, first.tick_rate
        self.sampling_rate, self.time_origin = first.sampling_rate, first.time_origin
        self.size_bytes = sum(file.size_bytes for file in files)
        self.missing_bytes = sum(file.missing_bytes for file in files)
        self.n_channels = sum(file.n_channels for file in files)
        grid = Grid(min(segment.start_tick for file in files for segment in file.segments), self.clock)
        self.tracks = tuple(InstrumentTrack(file, grid, sort) for file in files)
        recorded = [rows for track in self.tracks for rows in track.recorded]
        ranges = _covered(recorded, len(files))
        if not ranges:
            ends = (f"{f.path}: ticks {f.segments[0].start_tick} to {f.segments[-1].stop_tick}" for f in files)
            raise GapError(f"expected instruments that recorded at the same time, found {'; '.join(ends)}")
        if of_any:
            ranges = _covered(recorded, 1)
        self.segments = tuple(GridSegment(index, a, b - a, grid) for index, (a, b) in enumerate(ranges))
        self.n_samples = sum(segment.n_samples for segment in self.segments)

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of every instrument, in the order of the instruments."""
        return tuple(channel for track in self.tracks for channel in track.file.channels)

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between segments."""
        return tuple(self.gap_between(number, number + 1) for number in range(len(self.segments) - 1))

    def gap_between(self, before: int, after: int) -> Gap:
        """The break in time from the end of one segment to the start of a later one."""
        one, other = self.segments[before], self.segments[after]
        return self.clock.gap(before, (one.start_tick, one.n_samples), one.start_tick, other.start_tick)

    def fully_scanned(self) -> CombinedInstruments:
        """Itself: every timestamp was read to place the samples."""
        return self

    def timestamp_check(self) -> None:
        """None: the timestamps of every instrument were checked to place the samples."""

    def columns(self, *choice: Any) -> NDArray[np.intp]:
        """Columns of all instruments, each chosen by the same arguments, which `NsxFile.columns` explains."""
        tracks = zip(self.tracks, self._first_columns, strict=False)
        return np.concatenate([track.file.columns(*choice) + first for track, first in tracks])

    def split(self, columns: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Columns of all instruments as columns of each."""
        return [columns[(columns >= a) & (columns < b)] - a for a, b in pairwise(self._first_columns)]

    def rows_of(self, track: InstrumentTrack, rows: Iterable[PlanRow]) -> Iterator[PlanRow]:
        """Planned rows of all instruments as samples of one."""
        for part in rows:
            if isinstance(part, FilledRows):
                yield part
            else:
                yield from rows_between(track.rows, *self._grid_rows(part), self.clock)

    def changes(self, rows: Iterable[PlanRow]) -> list[Changes]:
        """What was done to the samples of each instrument in planned rows; rows that none recorded do not count."""
        ranges = [self._grid_rows(part) for part in rows if isinstance(part, SampleRows)]
        return [track.changes_within(ranges) for track in self.tracks]

    def check_fill(self, rows: Sequence[PlanRow], max_fill: float) -> None:
        """Raise a GapError where more than `max_fill` samples would be filled for each recorded one."""
        n_filled = sum(changes.n_filled for changes in self.changes(rows))
        n_in_all = len(self.tracks) * sum(part.n_rows for part in rows if isinstance(part, SampleRows))
        row_bytes = max(track.file.n_channels for track in self.tracks) * self.dtype.itemsize
        check_fill(self.path, n_filled, n_in_all - n_filled, max_fill, row_bytes, self.gaps)

    def sample_before(self, track: InstrumentTrack, rows: Sequence[PlanRow]) -> SampleRows | None:
        """The last sample of an instrument before planned rows, which a gap at their beginning may repeat."""
        first = next((part for part in rows if isinstance(part, SampleRows)), None)
        return track.sample_before(self._grid_rows(first)[0]) if first else None

    def _grid_rows(self, samples: SampleRows) -> _RowRange:
        first = self.segments[samples.segment].first_row + samples.start
        return first, first + samples.n_rows

    @property
    def _first_columns(self) -> NDArray[np.intp]:
        """First column of each instrument, and the number of all columns."""
        return np.cumsum([0, *(track.file.n_channels for track in self.tracks)])


def _check_same_format(files: Sequence[NsxFile]) -> None:
    expected = _format_text(files[0])
    for file in files:
        found = _format_text(file) if file.segments else "no samples"
        if found != expected:
            raise ValueError(f"{file.path}: expected {expected} as in {files[0].path}, found {found}")


def _format_text(file: NsxFile) -> str:
    return f"{file.sampling_rate} Hz sampling, {file.tick_rate} Hz ticks, {file.dtype.name}"


def _covered(ranges: Sequence[_RowRange], min_ranges: int) -> list[_RowRange]:
    """Ranges of the rows that are in `min_ranges` ranges or more."""
    edges = sorted([(a, 1) for a, _ in ranges] + [(b, -1) for _, b in ranges])
    covered, n_here, first = [], 0, 0
    for row, steps in groupby(edges, itemgetter(0)):
        n_before, n_here = n_here, n_here + sum(step for _, step in steps)
        if n_before < min_ranges <= n_here:
            first = row
        elif n_here < min_ranges <= n_before:
            covered.append((first, row))
    return covered


Continuous = NsxFile | CombinedInstruments  # what can be exported
