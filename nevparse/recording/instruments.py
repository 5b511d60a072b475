# SPDX-License-Identifier: MIT
"""Several instruments side by side as one recording: a grid of rows on their common clock.

Equal ticks are the same moment only where header dates prove it, or the caller says so. Each sample goes to the row
nearest to its time. Where every sample has a timestamp, the instruments' clocks drift
apart: now and then a sample is dropped or repeated, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import join_ranges, ticks_recorded
from ..errors import GapError
from ..format.channel import Channel
from ..format.numbers import integers, one_or_more, repeated
from ..format.text import counts_text
from ..nsx.file import NsxFile
from ..traces.plan import (
    FilledRows,
    PlanRow,
    SampleRows,
    TimeGrid,
    check_fill,
    count_changes,
    count_rows,
    number_rows,
    place_on_time_grid,
    rows_between,
    sample_before,
    select_samples,
)
from ..traces.selection import ChannelChoice, repeatable
from ..traces.traces import PlannedRows
from .belonging import check_different_files, check_same_format, prove_one_clock
from .joined_files import JoinedFiles

SAME_CLOCK = "same"
_ENDLESS = 1 << 62
_RowRange = tuple[int, int]  # first row, and the row after the last


class InstrumentChanges(NamedTuple):
    """What a wide recording does to the samples of one instrument.

    Parameters
    ----------
    name : str
        The instrument's file, as far as that tells it from the others.
    n_filled : int
        Rows that hold no sample of this instrument.
    n_dropped, n_repeated : int
        Samples dropped and repeated to keep the nominal rate.
    n_left_out : int
        Samples in the range of time that was chosen which are in no row, because another instrument has none then.
    rate_ppm : float or None
        By how many parts per million it samples faster than its nominal rate, by its timestamps; None in files of
        blocks, which count samples.
    """

    name: str
    n_filled: int
    n_dropped: int
    n_repeated: int
    n_left_out: int = 0
    rate_ppm: float | None = None

    def __str__(self) -> str:
        counts = {
            "samples left out that other instruments lack": self.n_left_out,
            "rows filled": self.n_filled,
            "samples dropped": self.n_dropped,
            "samples repeated": self.n_repeated,
        }
        rate = "" if self.rate_ppm is None else f"sampling rate {self.rate_ppm:+.1f} ppm"
        return f"{self.name}: {', '.join(filter(None, (counts_text(counts), rate))) or 'nothing left out'}"


class InstrumentTrack:
    """One instrument's samples on the grid: `rows` with those without samples, `recorded` the ranges with samples.

    `grid` is that of all instruments, by the ticks of this one.
    """

    def __init__(self, file: NsxFile, name: str, grid: TimeGrid) -> None:
        self.file, self.name = file.fully_scanned() if file.has_sample_timestamps else file, name
        advice = "Export instruments one by one, or cut each to the segments of one epoch (cut --segments)."
        placed = place_on_time_grid(self.file, select_samples(self.file.segments, None, None), grid, advice)
        end = count_rows(placed)
        self.rows: list[PlanRow] = [*placed, FilledRows(end, _ENDLESS, grid.tick(end))]
        self.recorded = join_ranges(
            (part.row, part.row + part.n_rows) for part in placed if isinstance(part, SampleRows)
        )

    def n_recorded(self, ranges: Sequence[_RowRange]) -> int:
        """How many of these rows of the grid hold a sample."""
        return sum(max(0, min(b, stop) - max(a, first)) for first, stop in ranges for a, b in self.recorded)

    def changes_within(self, ranges: Sequence[_RowRange], n_left_out: int) -> InstrumentChanges:
        """What was done to samples of these rows of the grid."""
        changes = count_changes(chain.from_iterable(rows_between(self.rows, *some, self.file.clock) for some in ranges))
        n_dropped, n_repeated = changes.n_dropped, changes.n_repeated
        return InstrumentChanges(self.name, changes.n_filled, n_dropped, n_repeated, n_left_out, self.rate_ppm)

    @cached_property
    def rate_ppm(self) -> float | None:
        """By how many parts per million this instrument samples faster than nominally; None without timestamps."""
        if not self.file.has_sample_timestamps:
            return None
        n_steps = elapsed = 0
        for segment in self.file.segments:
            first, last = (int(segment.ticks(row, row + 1)[0]) for row in (0, segment.n_samples - 1))
            n_steps, elapsed = n_steps + segment.n_samples - 1, elapsed + last - first
        nominal = n_steps * self.file.clock.num / self.file.clock.den
        return round((nominal / elapsed - 1) * 1e6, 3) if elapsed > 0 else None

    def sample_before(self, row: int) -> SampleRows | None:
        """The last sample before a row of the grid."""
        return sample_before(self.rows, row)


@dataclass(frozen=True)
class GridSegment:
    """Rows of the grid without a gap."""

    index: int
    first_row: int
    n_samples: int
    grid: TimeGrid

    @property
    def start_tick(self) -> int:
        """Time of the first row."""
        return self.grid.tick(self.first_row)

    @property
    def stop_tick(self) -> int:
        """Time of the row that would follow the last."""
        return self.grid.tick(self.first_row + self.n_samples)

    @property
    def last_timestamp(self) -> tuple[int, int]:
        """Tick of the first row, and the rows from it on."""
        return self.start_tick, self.n_samples

    def find(self, tick: int) -> int:
        """First row that is not before `tick`."""
        clock = self.grid.clock
        row = -((self.grid.origin_tick - tick) * clock.den // clock.num) - self.first_row
        return min(max(row, 0), self.n_samples)

    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = False) -> NDArray[np.int64]:  # noqa: ARG002 - rows are in order
        """Times of rows."""
        first, end, _ = slice(start, stop).indices(self.n_samples)
        return self.grid.clock.ticks(self.grid.origin_tick, self.first_row + first, self.first_row + max(first, end))

    def within(self, start_tick: int | None, stop_tick: int | None, *, sort: bool = False) -> list[tuple[int, int]]:  # noqa: ARG002 - rows are in order
        """First and last row of a range of ticks; none where it has no row."""
        start = 0 if start_tick is None else self.find(start_tick)
        stop = self.n_samples if stop_tick is None else self.find(stop_tick)
        return [(start, stop)] if start < stop else []

    def timestamped(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The number of rows, and of those before them from row 0 of the grid on."""
        yield stop - start, self.first_row + start


class CombinedInstruments(JoinedFiles):
    """Several instruments as one recording, which an export reads as it reads a file; `combine_instruments` makes one.

    Its rows are those that all instruments recorded, or where gaps are filled those that any of them did.

    Attributes
    ----------
    files : tuple of NsxFile
        The instruments, in the order of their columns.
    names : tuple of str
        Their names: each file's, with as many of its folders as tell it from the others.
    offsets : tuple of int
        What is added to the ticks of each to give ticks of the first one's clock.
    clock_note : str
        What says that they are on one clock.
    """

    has_sample_timestamps = False
    is_on_time_grid = True

    def __init__(self, files: Sequence[NsxFile], offsets: Sequence[int], clock_note: str, of_any: bool = False) -> None:
        super().__init__(files)
        self.offsets, self.clock_note, self._of_any = tuple(offsets), clock_note, of_any
        self.n_channels = sum(file.n_channels for file in files)

    def __repr__(self) -> str:
        return f"CombinedInstruments({', '.join(self.names)}: {self.n_channels} channels)"

    @property
    def doubled_electrodes(self) -> list[int]:
        """Electrode ids that more than one instrument has: their columns are told apart by the instrument."""
        return repeated(chain.from_iterable(set(file.electrode_ids.tolist()) for file in self.files))

    def arranged_for(self, gaps: str) -> CombinedInstruments:
        """The same instruments with the rows of all of them, or where gaps are filled of any."""
        of_any = gaps == "fill"
        if of_any == self._of_any:
            return self
        return CombinedInstruments(self.files, self.offsets, self.clock_note, of_any)

    @cached_property
    def grid(self) -> TimeGrid:
        """Rows from the earliest first sample on."""
        return TimeGrid(min(start for start, _ in _ticks_of_each(self.files, self.offsets)), self.clock)

    @cached_property
    def tracks(self) -> tuple[InstrumentTrack, ...]:
        """The samples of each instrument on the grid."""
        return tuple(
            InstrumentTrack(file, name, self.grid._replace(origin_tick=self.grid.origin_tick - offset))
            for file, name, offset in zip(self.files, self.names, self.offsets, strict=True)
        )

    @cached_property
    def segments(self) -> tuple[GridSegment, ...]:
        """Rows without a gap."""
        recorded = [rows for track in self.tracks for rows in track.recorded]
        ranges = _covered(recorded, len(self.files))
        if not ranges:
            _raise_no_common_time(self.files, self.offsets)
        if self._of_any:
            ranges = _covered(recorded, 1)
        return tuple(GridSegment(index, a, b - a, self.grid) for index, (a, b) in enumerate(ranges))

    @property
    def zero_tick(self) -> int:
        """The tick that seconds count from: of the first sample that any of the instruments recorded."""
        return self.grid.origin_tick

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of every instrument, in the order of the instruments."""
        return tuple(channel for file in self.files for channel in file.channels)

    def fully_scanned(self) -> CombinedInstruments:
        """Itself: every timestamp was read to place the samples."""
        return self

    def columns(self, channels: ChannelChoice = None, **named: Any) -> NDArray[np.intp]:
        """Columns of all instruments, each chosen by the same arguments, which `NsxFile.columns` explains."""
        choice, files = repeatable({"channels": channels, **named}), zip(self.files, self._first_columns, strict=False)
        return np.concatenate([file.columns(**choice) + first for file, first in files])

    def instruments_of(self, columns: NDArray[np.intp]) -> NDArray[np.intp]:
        """The number of the instrument, from 0, that each column is of."""
        return np.searchsorted(self._first_columns, columns, "right") - 1

    def planned(self, rows: Sequence[PlanRow]) -> list[PlannedRows]:
        """Planned rows of all instruments as samples of each."""
        return [
            PlannedRows(
                track.file.segments,
                number_rows(self._rows_of(track, rows)),
                track.file.n_channels,
                self._sample_before(track, rows),
            )
            for track in self.tracks
        ]

    def _rows_of(self, track: InstrumentTrack, rows: Iterable[PlanRow]) -> Iterator[PlanRow]:
        for part in rows:
            if isinstance(part, FilledRows):
                yield part
            else:
                yield from rows_between(track.rows, *self._grid_rows(part), self.clock)

    def changes(
        self,
        rows: Sequence[PlanRow],
        start_tick: int | None = None,
        stop_tick: int | None = None,
        all_rows: Sequence[PlanRow] | None = None,
    ) -> list[InstrumentChanges]:
        """What was done to the samples of each instrument in planned rows; rows that none recorded do not count.

        What is left out counts within the range of ticks, and is not in `all_rows`, those of every file of an export.
        """
        everywhere = [self._grid_rows(part) for part in all_rows or rows if isinstance(part, SampleRows)]
        ranges = [self._grid_rows(part) for part in rows if isinstance(part, SampleRows)]
        chosen = GridSegment(0, 0, _ENDLESS, self.grid).within(start_tick, stop_tick)
        return [
            track.changes_within(ranges, track.n_recorded(chosen) - track.n_recorded(everywhere))
            for track in self.tracks
        ]

    def describe_inputs(
        self,
        rows: Sequence[PlanRow],  # noqa: ARG002 - every row is of every instrument
        columns: NDArray[np.intp],
        changes: Sequence[Any],
    ) -> dict[str, Any]:
        """Which columns are of which instrument, and what was done to its samples."""
        stops = [int((columns < stop).sum()) for stop in self._first_columns]
        described = [
            {
                "name": of_one.name,
                "path": file.path,
                "offset_ticks": offset,
                "first_column": first,
                "stop_column": stop,
                "filled_rows": of_one.n_filled,
                "dropped_samples": of_one.n_dropped,
                "repeated_samples": of_one.n_repeated,
                "left_out_samples": of_one.n_left_out,
                "rate_ppm": of_one.rate_ppm,
            }
            for file, offset, (first, stop), of_one in zip(
                self.files, self.offsets, pairwise(stops), changes, strict=True
            )
        ]
        return {"instruments": described, "clock": self.clock_note}

    def check_fill(self, rows: Sequence[PlanRow], max_fill: float) -> None:
        """Raise a GapError where more than `max_fill` samples would be filled for each recorded one."""
        n_filled = sum(changes.n_filled for changes in self.changes(rows))
        n_in_all = len(self.tracks) * sum(part.n_rows for part in rows if isinstance(part, SampleRows))
        row_bytes = max(file.n_channels for file in self.files) * self.dtype.itemsize
        check_fill(self.path, n_filled, n_in_all - n_filled, max_fill, row_bytes, self.gaps)

    def _sample_before(self, track: InstrumentTrack, rows: Sequence[PlanRow]) -> SampleRows | None:
        """The last sample of an instrument before planned rows, which a gap at their beginning may repeat."""
        first = next((part for part in rows if isinstance(part, SampleRows)), None)
        return track.sample_before(self._grid_rows(first)[0]) if first else None

    def _grid_rows(self, samples: SampleRows) -> _RowRange:
        first = self.segments[samples.segment].first_row + samples.start
        return first, first + samples.n_rows

    @property
    def _first_columns(self) -> NDArray[np.intp]:
        """First column of each instrument, and the number of all columns."""
        return np.cumsum([0, *(file.n_channels for file in self.files)])


def combine_instruments(
    files: Iterable[NsxFile], *, clock: str | None = None, offsets: Iterable[int] | None = None
) -> CombinedInstruments:
    """Several instruments that recorded at the same time, side by side as one recording on the clock of the first.

    Parameters
    ----------
    files : iterable of NsxFile
        The same-numbered files of the instruments, in the order that their columns are to have.
    clock : str, optional
        ``same``: equal ticks are the same moment in every file. Without it the files must prove that: their clocks
        count nanoseconds since 1970, or the dates of their headers agree within 1 s, whether a date is taken for that
        of tick 0 or of the first sample.
    offsets : iterable of int, optional
        What to add to the ticks of each file to give ticks of the first one's clock, the first of them 0.

    Returns
    -------
    CombinedInstruments
        For `write_bin`, as a file is.

    Raises
    ------
    ValueError
        Where nothing proves that the files are on one clock, a file is there twice, or they differ in sampling rate,
        ticks or type.
    GapError
        Where they have no time in common.

    Notes
    -----
    spec_notes/joining.md, and spec_notes/timing.md, C40 to C44.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("big-NSP1.ns5") as one, nv.open_nsx("big-NSP2.ns5") as two:
    ...     nv.combine_instruments([one, two]).n_channels
    16
    """
    opened = _nsx_files(files)
    check_different_files(opened)
    check_same_format(opened)
    if clock not in (None, SAME_CLOCK):
        raise ValueError(f"expected clock to be None or {SAME_CLOCK!r}, found {clock!r}")
    if clock and offsets is not None:
        raise ValueError("expected clock or offsets, found both")
    if offsets is not None:
        shifts, note = _checked_offsets(opened, integers(offsets, "an offset")), "the offsets that were given"
    else:
        shifts = [0] * len(opened)
        note = "one clock, as the caller says" if clock else prove_one_clock(opened)
    _check_common_time(opened, shifts)
    return CombinedInstruments(opened, shifts, note)


def _nsx_files(files: Iterable[NsxFile]) -> list[NsxFile]:
    opened = one_or_more(files)
    wrong = [type(file).__name__ for file in opened if not isinstance(file, NsxFile)]
    if wrong:
        advice = "open_nsx opens one, and recording.nsx has those of a recording"
        raise TypeError(f"expected an open NSx or several, found {', '.join(wrong)}; {advice}")
    if not opened:
        raise ValueError("expected an open NSx or several, found none")
    return opened


def _checked_offsets(files: Sequence[NsxFile], offsets: list[int]) -> list[int]:
    if len(offsets) != len(files) or offsets[0] != 0:
        raise ValueError(f"expected offsets in ticks, 0 and one for each further file, found {offsets}")
    for file, offset in zip(files, offsets, strict=True):
        if file.segments[0].start_tick + offset < 0:
            first = f"offset {offset} and a first sample at tick {file.segments[0].start_tick}"
            raise ValueError(f"{file.path}: expected no sample before tick 0 of {files[0].path}, found {first}")
    return offsets


def _check_common_time(files: Sequence[NsxFile], offsets: Sequence[int]) -> None:
    """Raise a GapError where no tick is between the first and the last sample of every file."""
    spans = _ticks_of_each(files, offsets)
    if max(start for start, _ in spans) >= min(stop for _, stop in spans):
        _raise_no_common_time(files, offsets)


def _raise_no_common_time(files: Sequence[NsxFile], offsets: Sequence[int]) -> NoReturn:
    spans = zip(files, _ticks_of_each(files, offsets), strict=True)
    found = "; ".join(f"{file.path}: ticks {start} to {stop}" for file, (start, stop) in spans)
    raise GapError(f"expected instruments that recorded at the same time, found {found}")


def _ticks_of_each(files: Sequence[NsxFile], offsets: Sequence[int]) -> list[tuple[int, int]]:
    """First tick, and the first after the last, of each file on the clock of the first."""
    placed = zip(map(ticks_recorded, (file.segments for file in files)), offsets, strict=True)
    return [(start + offset, stop + offset) for (start, stop), offset in placed]


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
