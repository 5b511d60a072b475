# SPDX-License-Identifier: MIT
"""Which rows of an export are which samples, and which fill a gap: decided before the first byte is written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, groupby, pairwise
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock, Gap
from ..errors import GapError
from ..format.numbers import number, optional_integer
from ..format.text import size_text

GapPolicy = Literal["error", "split", "join", "fill"]
POLICIES = get_args(GapPolicy)
HOLD = "hold"
NOMINAL = "nominal"
_MAX_LISTED = 5
_MAX_OFF = 0.6  # samples; above a half, so that jitter corrects none
_TRIED_ROWS = 64
_ROUNDING = 1e-9  # of samples, in float64
_PARTS_AT_ONCE = 64  # are looked at, and read where they are not sure
_SURE = 1e-3  # samples: nearer to where one would move, every timestamp decides


class SampleRows(NamedTuple):
    """Rows from `row` on, which are the samples from `start` on of a segment.

    Behind them `n_dropped` samples are left out, and `n_repeated` of them repeat a sample, to keep the nominal rate.
    """

    row: int
    n_rows: int
    segment: int
    start: int
    n_dropped: int = 0
    n_repeated: int = 0


class FilledRows(NamedTuple):
    """Rows from `row` on, which no sample was recorded for; `tick` is the time of the first."""

    row: int
    n_rows: int
    tick: int


PlanRow = SampleRows | FilledRows


class RowPlan(NamedTuple):
    """The rows of each file, keyed by the suffix added to the file's stem."""

    files: dict[str, list[PlanRow]]


class Changes(NamedTuple):
    """Rows that were filled, and samples that were dropped and repeated."""

    n_filled: int
    n_dropped: int
    n_repeated: int


def count_changes(rows: Iterable[PlanRow]) -> Changes:
    """What is done to samples in planned rows."""
    rows = list(rows)
    samples = [part for part in rows if isinstance(part, SampleRows)]
    n_filled = sum(part.n_rows for part in rows if isinstance(part, FilledRows))
    return Changes(n_filled, sum(part.n_dropped for part in samples), sum(part.n_repeated for part in samples))


class TimedParts(NamedTuple):
    """Parts of a segment's samples, and how regular their timestamps are, as far as that is known; one element each.

    `earliest` and `latest` are by how many samples they are off the time that they would have at the nominal rate
    after `first_tick`, which stands for sample `start`.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    first_tick: NDArray[np.int64]
    earliest: NDArray[np.float64]
    latest: NDArray[np.float64]

    @classmethod
    def unknown(cls, start: int, stop: int, n_each: int) -> TimedParts:
        """Samples of which nothing is known, `n_each` in a part."""
        starts = np.arange(start, stop, n_each, dtype=np.int64)
        off = np.full(starts.size, np.inf)
        return cls(starts, np.append(starts[1:], stop)[: starts.size], np.zeros_like(starts), -off, off)

    @classmethod
    def joined(cls, several: Iterable[TimedParts]) -> TimedParts:
        """Those of several, one after the other."""
        return cls(*map(np.concatenate, zip(*several, strict=True)))

    def shifted(self, n_samples: int, n_ticks: int = 0) -> TimedParts:
        """The same parts by other numbers of their samples, and on another clock."""
        return TimedParts(self.start + n_samples, self.stop + n_samples, self.first_tick + n_ticks, *self[3:])


class _Segment(Protocol):
    """What a plan needs to know of a `Segment`."""

    @property
    def index(self) -> int: ...
    @property
    def start_tick(self) -> int: ...
    @property
    def stop_tick(self) -> int: ...
    @property
    def n_samples(self) -> int: ...
    def find(self, tick: int) -> int: ...
    def within(
        self, start_tick: int | None, stop_tick: int | None, *, sort: bool = ...
    ) -> Sequence[tuple[int, int]]: ...
    def timestamped(self, start: int, stop: int) -> Iterator[tuple[int, int]]: ...
    def timed_parts(self, start: int, stop: int) -> Iterator[TimedParts]: ...
    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = ...) -> NDArray[np.int64]: ...


class _Continuous(Protocol):
    """What a plan needs to know of an `NsxFile`."""

    path: str
    dtype: np.dtype[Any]
    clock: Clock
    n_channels: int

    @property
    def zero_tick(self) -> int: ...
    @property
    def has_sample_timestamps(self) -> bool: ...
    @property
    def segments(self) -> Sequence[_Segment]: ...
    @property
    def gaps(self) -> Sequence[Gap]: ...
    def gap_between(self, before: int, after: int) -> Gap: ...


class PlanOptions(NamedTuple):
    """The options of `write_bin` that decide about rows; it documents them."""

    start_tick: int | None = None
    stop_tick: int | None = None
    gaps: str = "error"
    fill: float | str = 0
    max_fill: float = 10.0
    resample: str | None = None
    sort: bool = False


def checked_options(options: PlanOptions, dtype: np.dtype[Any]) -> PlanOptions:
    """The options with Python's own numbers; ValueError where one has a value that it cannot have."""
    if options.gaps not in POLICIES:
        raise ValueError(f"expected gaps to be one of {', '.join(POLICIES)}, found {options.gaps!r}")
    if options.resample not in (None, NOMINAL):
        raise ValueError(f"expected resample to be None or {NOMINAL!r}, found {options.resample!r}")
    fill = options.fill if isinstance(options.fill, str) else number(options.fill)
    fill_row(fill, 1, dtype)
    max_fill = number(options.max_fill)
    if not max_fill >= 0:  # NaN is no limit at all
        raise ValueError(f"expected max_fill to be 0 or more, found {max_fill}")
    if options.gaps != "fill" and fill != PlanOptions().fill:
        raise ValueError(
            f"expected fill with gaps='fill', found {fill!r} with gaps={options.gaps!r}, which fills nothing"
        )
    start_tick = optional_integer(options.start_tick, "start_tick")
    stop_tick = optional_integer(options.stop_tick, "stop_tick")
    sort = options.sort or options.resample is not None  # a place on a grid is a place in time
    return options._replace(start_tick=start_tick, stop_tick=stop_tick, fill=fill, max_fill=max_fill, sort=sort)


def fill_row(fill: float | str, n_columns: int, dtype: np.dtype[Any]) -> bytes | None:
    """The row that fills gaps; None where that is the row before the gap."""
    if fill == HOLD:
        return None
    limits = np.iinfo(dtype) if dtype.kind == "i" else None
    if isinstance(fill, str) or (limits and not (limits.min <= fill <= limits.max and fill == int(fill))):
        raise ValueError(f"expected fill to be {HOLD!r} or a value of {dtype.name}, found {fill!r}")
    return np.full(n_columns, fill, dtype).tobytes()


def plan_rows(continuous: _Continuous, options: PlanOptions, is_growing: bool = False) -> RowPlan:
    """Decide which rows of one file, or with ``gaps="split"`` of a file for each segment, are which samples.

    Raises a ValueError where no sample is in the range of ticks; a GapError where the options do not resolve a gap. Of
    a file that is growing, the plan may be empty, and its rows may be off their time as its clock drifts.
    """
    chosen = select_samples(continuous.segments, options.start_tick, options.stop_tick, options.sort)
    if not chosen and not is_growing:
        raise_no_samples(continuous, continuous.segments, options.start_tick, options.stop_tick)
    groups: list[list[PlanRow]] = [list(parts) for _, parts in groupby(chosen, lambda samples: samples.segment)]
    # not those of the file: segments that are outside the range may be between two that are inside
    gaps = [continuous.gap_between(_segment_of(before), _segment_of(after)) for before, after in pairwise(groups)]
    if options.gaps == "error":
        problem = f"time is broken {len(gaps)} time{'s' if len(gaps) > 1 else ''} in the samples to export"
        _check_gaps(continuous.path, gaps, problem, _advice(gaps))
    if options.gaps == "fill":
        return RowPlan({"": _fill_gaps(continuous, options, chosen, gaps, is_growing)})
    if options.resample:
        groups = [[*resample_to_nominal(continuous, samples)] for samples in chosen]
    if options.gaps == "split":
        return RowPlan({f"-{_segment_of(group):03d}": number_rows(group) for group in groups})
    return RowPlan({"": number_rows(chain.from_iterable(groups))})


def _segment_of(group: Sequence[PlanRow]) -> int:
    return next(part.segment for part in group if isinstance(part, SampleRows))


def number_rows(parts: Iterable[PlanRow]) -> list[PlanRow]:
    """Put parts one behind the other."""
    rows: list[PlanRow] = []
    row = 0
    for part in parts:
        if part.n_rows:
            rows.append(part._replace(row=row))
            row += part.n_rows
    return rows


def count_rows(rows: Sequence[PlanRow]) -> int:
    """Rows of a plan in all."""
    return rows[-1].row + rows[-1].n_rows if rows else 0


def sample_before(rows: Sequence[PlanRow], row: int) -> SampleRows | None:
    """The last sample before a row of a plan."""
    part = next((part for part in reversed(rows) if isinstance(part, SampleRows) and part.row < row), None)
    if part is None:
        return None
    n_rows = min(part.n_rows, row - part.row)
    return SampleRows(part.row + n_rows - 1, 1, part.segment, part.start + n_rows - 1)


def rows_between(rows: Sequence[PlanRow], begin: int, end: int, clock: Clock) -> list[PlanRow]:
    """Rows `begin` to `end` of a plan."""
    chosen: list[PlanRow] = []
    for place in range(max(0, bisect_right(rows, begin, key=lambda part: part.row) - 1), len(rows)):
        part = rows[place]
        if part.row >= end:
            break
        a, b = max(part.row, begin), min(part.row + part.n_rows, end)
        skipped = a - part.row
        if a < b and isinstance(part, SampleRows):
            n_dropped = part.n_dropped if b == part.row + part.n_rows else 0
            chosen.append(part._replace(row=a, n_rows=b - a, start=part.start + skipped, n_dropped=n_dropped))
        elif a < b and isinstance(part, FilledRows):
            chosen.append(FilledRows(a, b - a, int(clock.ticks(part.tick, skipped, skipped + 1)[0])))
    return chosen


def select_samples(
    segments: Sequence[_Segment], start_tick: int | None, stop_tick: int | None, sort: bool = False
) -> list[SampleRows]:
    """The samples of each segment whose timestamps are in a half-open range; their rows are not numbered yet.

    Where a range begins or ends among samples that are out of order, those inside are several parts, unless they are
    sorted.
    """
    return [
        SampleRows(0, stop - start, segment.index, start)
        for segment in segments
        for start, stop in segment.within(start_tick, stop_tick, sort=sort)
    ]


def raise_no_samples(
    continuous: _Continuous, segments: Sequence[_Segment], start_tick: int | None, stop_tick: int | None
) -> None:
    """Raise a ValueError that lists the times that have samples."""

    def text(first: int | None, last: int | None) -> str:
        if first is None or last is None:
            tick, which = (last, "all before") if first is None else (first, "all from")
            return "all" if tick is None else f"{which} {seconds_of(tick):.6g} s (tick {tick})"
        return f"{seconds_of(first):.6g} s to {seconds_of(last):.6g} s (ticks {first} to {last})"

    def seconds_of(tick: int) -> float:
        return (tick - continuous.zero_tick) / continuous.clock.tick_rate

    if not segments:
        raise ValueError(f"{continuous.path}: expected samples, found none in the file")
    if start_tick is not None and stop_tick is not None and stop_tick <= start_tick:
        raise ValueError(
            f"expected a time that holds samples, found an end before its start: {text(start_tick, stop_tick)}"
        )
    listed = [text(s.start_tick, int(s.ticks(s.n_samples - 1)[0])) for s in segments[:_MAX_LISTED]]
    more = f" and {len(segments) - _MAX_LISTED} more segments" if len(segments) > _MAX_LISTED else ""
    known = ", ".join(listed) + more
    raise ValueError(f"expected a time that holds samples, which are {known}; found {text(start_tick, stop_tick)}")


def _advice(gaps: Sequence[Gap]) -> str:
    """What resolves gaps; several segments have the same times where the clock was set back."""
    if any(gap.kind == "reset" for gap in gaps):
        return "Use gaps='split' or 'join' (--gaps), or cut one epoch first (write_nsx with epoch=, cut --epoch)."
    return "Use gaps='split', 'join' or 'fill' (--gaps), or choose one segment by time (--start, --stop)."


def _check_gaps(path: str, gaps: Sequence[Gap], problem: str, advice: str) -> None:
    """Raise a GapError that lists the gaps, if any, and names what resolves them."""
    if gaps:
        listed = "; ".join(str(gap) for gap in gaps[:_MAX_LISTED])
        more = f"; and {len(gaps) - _MAX_LISTED} more" if len(gaps) > _MAX_LISTED else ""
        raise GapError(f"{path}: {problem}: {listed}{more}. {advice}", gaps)


def check_fill(path: str, n_filled: int, n_recorded: int, max_fill: float, row_bytes: int, gaps: Sequence[Gap]) -> None:
    """Raise a GapError where more than `max_fill` rows would be filled for each recorded one."""
    if n_filled > max_fill * n_recorded:
        size = f"{n_filled} rows ({size_text(n_filled * row_bytes)} for all channels) would be filled"
        advice = "allow it with max_fill (--max-fill), or use gaps='split'"
        raise GapError(f"{path}: {size} for {n_recorded} recorded; {advice}", gaps)


def _fill_gaps(
    continuous: _Continuous,
    options: PlanOptions,
    chosen: Sequence[SampleRows],
    gaps: Sequence[Gap],
    is_growing: bool,
) -> list[PlanRow]:
    """Rows with every gap filled; those that are shorter than half a sample are not."""
    backwards = [gap for gap in gaps if gap.missing_samples < 0]
    problem = "time goes backwards, which cannot be filled"
    _check_gaps(continuous.path, backwards, problem, "Use gaps='split' (--gaps split).")
    grid = _grid_from_first(continuous, chosen, options.sort)
    drifts = continuous.has_sample_timestamps or is_growing  # every gap is filled by its own length
    if options.resample:
        rows = place_on_time_grid(continuous, chosen, grid)
    else:
        rows = number_rows(_with_filled(continuous, chosen, gaps, None if drifts else grid))
    row_bytes = continuous.n_channels * continuous.dtype.itemsize
    n_filled, n_recorded = count_changes(rows).n_filled, sum(samples.n_rows for samples in chosen)
    check_fill(continuous.path, n_filled, n_recorded, options.max_fill, row_bytes, gaps)
    if not (options.resample or drifts):
        _check_on_time(continuous, rows, grid, gaps)
    return rows


def _with_filled(
    continuous: _Continuous, chosen: Sequence[SampleRows], gaps: Sequence[Gap], grid: TimeGrid | None
) -> Iterator[PlanRow]:
    """The samples of each segment, and the rows that fill the gap behind it.

    Where there is a `grid`, a segment starts in the row that is nearest to its time; otherwise a gap has the rows of
    its own length.
    """
    clock, segments = continuous.clock, continuous.segments
    missing = [0, *accumulate(gap.missing_samples_exact for gap in gaps)]
    counts = {gap.after_segment: round(b) - round(a) for gap, (a, b) in zip(gaps, pairwise(missing), strict=True)}
    row = 0
    for samples, following in zip(chosen, [*chosen[1:], None], strict=True):
        yield samples
        row += samples.n_rows
        if following is not None and following.segment != samples.segment:
            next_segment = segments[following.segment]
            next_tick, n_rows = next_segment.start_tick, counts[samples.segment]
            if grid is not None:
                first = int(next_segment.ticks(following.start, following.start + 1)[0])
                n_rows = max(0, grid.nearest_row(first) - row)
            latest = next_tick - n_rows * clock.num // clock.den  # rounding up must not put them behind what follows
            yield FilledRows(0, n_rows, min(segments[samples.segment].stop_tick, latest))
            row += n_rows


def _check_on_time(continuous: _Continuous, rows: Sequence[PlanRow], grid: TimeGrid, gaps: Sequence[Gap]) -> None:
    """Raise a GapError where a block is more than half a sample from the time that its row stands for."""
    clock = continuous.clock
    for part in rows:
        if not isinstance(part, SampleRows):
            continue
        samples, ticks = _block_timestamps(continuous.segments[part.segment], part)
        late = grid.rows_exact(ticks) - (part.row + samples - part.start)
        most = int(np.abs(late).argmax())
        if abs(late[most]) > 0.5 + clock.den / clock.num:
            off = f"sample {samples[most]} of segment {part.segment} is {abs(late[most]):.1f} samples"
            direction = "later" if late[most] > 0 else "earlier"
            problem = f"the clock drifts, and {off} {direction} than its row would be"
            advice = "Use resample='nominal' (--resample nominal), or gaps='split'"
            raise GapError(f"{continuous.path}: {problem}. {advice}.", gaps)


class TimeGrid(NamedTuple):
    """Rows at the nominal rate; row 0 is at `origin_tick`."""

    origin_tick: int
    clock: Clock

    def tick(self, row: int) -> int:
        """Time of a row, rounded down."""
        return self.origin_tick + row * self.clock.num // self.clock.den

    def nearest_row(self, tick: int) -> int:
        """The row that is nearest to a time."""
        scaled = (tick - self.origin_tick) * self.clock.den
        return (2 * scaled + self.clock.num) // (2 * self.clock.num)

    def row_exact(self, tick: int) -> float:
        """A time as rows and a fraction of one."""
        return (tick - self.origin_tick) * self.clock.den / self.clock.num

    def rows_exact(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Times as rows and fractions of them."""
        after = ticks - ticks[:1] + float(int(ticks[0]) - self.origin_tick)  # which int64 need not hold
        return np.asarray(after * (self.clock.den / self.clock.num), np.float64)


def _grid_from_first(continuous: _Continuous, chosen: Sequence[SampleRows], sort: bool) -> TimeGrid:
    if not chosen:
        return TimeGrid(0, continuous.clock)
    first = chosen[0]
    tick = continuous.segments[first.segment].ticks(first.start, first.start + 1, sort=sort)[0]
    return TimeGrid(int(tick), continuous.clock)


def place_on_time_grid(
    continuous: _Continuous,
    chosen: Iterable[SampleRows],
    grid: TimeGrid,
    advice: str = "Use gaps='split' (--gaps split).",
) -> list[PlanRow]:
    """Rows of a grid from row 0 on: each sample in the row nearest to its time, and rows between segments filled.

    Raises a GapError with `advice` where a segment starts before the one before it ends.
    """
    rows: list[PlanRow] = []
    end = 0
    for samples in chosen:
        tick = int(continuous.segments[samples.segment].ticks(samples.start, samples.start + 1, sort=True)[0])
        row = grid.nearest_row(tick)
        n_overlap = max(0, end - row)
        if n_overlap > 1:
            problem = f"segment {samples.segment} starts before segment {_segment_of(rows[-1:])} ends"
            raise GapError(f"{continuous.path}: {problem}. {advice}", continuous.gaps)
        if row > end:
            end += _append(rows, FilledRows(0, row - end, grid.tick(end)), end)
        placed = resample_to_nominal(continuous, samples, grid.tick(row))
        if n_overlap:  # rounding can put the first sample into the row of the last one
            first = placed[0]
            placed[:1] = [SampleRows(0, 0, first.segment, first.start, 1), _without_first(first)]
        for part in placed:
            end += _append(rows, part, end)
    return rows


def _append(rows: list[PlanRow], part: PlanRow, row: int) -> int:
    """Add a part at a row; of one without rows only what is dropped. Returns its number of rows."""
    if part.n_rows:
        rows.append(part._replace(row=row))
    elif rows and isinstance(part, SampleRows) and isinstance(last := rows[-1], SampleRows):
        rows[-1] = last._replace(n_dropped=last.n_dropped + part.n_dropped)
    return part.n_rows


def _without_first(samples: SampleRows) -> SampleRows:
    return samples._replace(n_rows=samples.n_rows - 1, start=samples.start + 1)


def resample_to_nominal(
    continuous: _Continuous, samples: SampleRows, origin_tick: int | None = None
) -> list[SampleRows]:
    """Put samples, in order of time, on a grid at the nominal rate: each row is the nearest sample.

    Where the recorder's clock is ahead or behind by more than 0.6 of a sample, one is dropped or repeated. The first
    row is at `origin_tick`, or at the first sample where that is not given.
    """
    rows: list[SampleRows] = []
    begin, end, segment = samples.start, samples.start + samples.n_rows, samples.segment
    for sample, n_moved in _corrections(continuous, samples, origin_tick):
        if n_moved > 0:  # a row has no sample of its own: the sample before is nearest
            rows.append(SampleRows(0, max(0, sample - begin), segment, begin))
            rows += [SampleRows(0, 1, segment, sample - 1, n_repeated=1)] * n_moved
            begin = max(begin, sample)  # it was dropped already where a segment cannot be sorted
        else:
            first = max(begin, sample)
            rows.append(SampleRows(0, first - begin, segment, begin, min(-n_moved, end - first)))
            begin = min(first - n_moved, end)
    rows.append(SampleRows(0, end - begin, segment, begin))
    return _without_empty(rows)


def _without_empty(rows: list[SampleRows]) -> list[SampleRows]:
    """The parts that have rows, each with what is dropped up to the next."""
    kept: list[SampleRows] = []
    for part in rows:
        if part.n_rows or not kept:
            kept.append(part)
        elif part.n_dropped:
            kept[-1] = kept[-1]._replace(n_dropped=kept[-1].n_dropped + part.n_dropped)
    return kept


def _most_off(clock: Clock) -> float:
    """By how many samples a row may be off before it is corrected; by more where a tick is longer than a sample."""
    return max(_MAX_OFF, clock.den / clock.num + _MAX_OFF - 0.5)


def _corrections(continuous: _Continuous, samples: SampleRows, origin_tick: int | None) -> Iterator[tuple[int, int]]:
    """Samples before which rows are repeated (above 0) or from which on samples are dropped (below 0), and how many."""
    segment, clock, start, shift = continuous.segments[samples.segment], continuous.clock, samples.start, 0
    most_off = _most_off(clock)
    if origin_tick is None:
        origin_tick = int(segment.ticks(start, start + 1, sort=True)[0])
    grid = TimeGrid(origin_tick, clock)

    def follow(numbers: NDArray[np.int64], ticks: NDArray[np.int64]) -> list[tuple[int, int]]:
        nonlocal shift
        shifts = _follow(grid.rows_exact(ticks) - (numbers - start), shift, most_off)
        moved = np.diff(shifts, prepend=shift)
        at, shift = np.flatnonzero(moved), int(shifts[-1])
        return list(zip(numbers[at].tolist(), moved[at].tolist(), strict=True))

    if not continuous.has_sample_timestamps:
        yield from follow(*_block_timestamps(segment, samples))
        return
    for parts in segment.timed_parts(start, start + samples.n_rows):
        late = grid.rows_exact(parts.first_tick) - (parts.start - start)
        earliest, latest = late + parts.earliest - _SURE, late + parts.latest + _SURE
        number = 0
        while number < late.size:
            some = slice(number, number + _PARTS_AT_ONCE)
            off_before, off_after = earliest[some] - shift, latest[some] - shift
            stays = (off_before > -most_off) & (off_after < most_off)
            has_moved = (off_before > most_off) | (off_after < -most_off)  # at its first sample at the latest
            n_passed = _n_before(~stays)
            number += n_passed
            if n_passed < stays.size:
                n_read = max(1, _n_before((stays | has_moved)[n_passed:]))
                numbers = np.arange(parts.start[number], parts.stop[number + n_read - 1], dtype=np.int64)
                yield from follow(numbers, segment.ticks(int(numbers[0]), int(numbers[-1]) + 1, sort=True))
                number += n_read


class TimeGridCheck:
    """Holds the timestamps of rows at the nominal rate, as they are read, against the time that each row stands for.

    With `has_one_grid` the segments are on one grid, as `place_on_time_grid` places them.
    """

    def __init__(self, rows: Iterable[PlanRow], clock: Clock, has_one_grid: bool) -> None:
        parts = [part for part in rows if isinstance(part, SampleRows)]
        self._segment_starts = {next(of_segment).row for _, of_segment in groupby(parts, lambda part: part.segment)}
        self._clock, self._has_one_grid = clock, has_one_grid
        self._whole = self._grid = TimeGrid(0, clock)
        self._first_row = 0

    def begin(self, row: int, tick: int) -> None:
        """Go on with rows from `row` on, the first of which has this timestamp."""
        if row == 0:
            self._whole = TimeGrid(tick, self._clock)
        if row in self._segment_starts:
            origin_tick = self._whole.tick(row) if self._has_one_grid else tick
            self._grid, self._first_row = TimeGrid(origin_tick, self._clock), row

    def holds_for(self, row: int, ticks: NDArray[np.int64]) -> bool:
        """Whether none of the rows from `row` on, which have these timestamps, is so far off that it is corrected."""
        first = row - self._first_row
        late = self._grid.rows_exact(ticks) - np.arange(first, first + ticks.size, dtype=np.int64)
        return float(np.abs(late).max()) <= _most_off(self._clock) + _ROUNDING


def _block_timestamps(segment: _Segment, samples: SampleRows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The samples that have a timestamp in a file of blocks, the first of each block and of `samples`, and those."""
    counts = [n_rows for n_rows, _ in segment.timestamped(samples.start, samples.start + samples.n_rows)]
    firsts = list(accumulate(counts, initial=samples.start))[:-1]
    return np.array(firsts, np.int64), np.concatenate([segment.ticks(first, first + 1) for first in firsts])


def _follow(late: NDArray[np.float64], shift: int, most_off: float) -> NDArray[np.int64]:
    """By how many rows samples are moved: no more than is needed to stay within `most_off` of `late`."""
    most_off += _ROUNDING
    lowest, highest = np.ceil(late - most_off).astype(np.int64), np.floor(late + most_off).astype(np.int64)
    shifts, done, n_tried = np.empty(late.size, np.int64), 0, late.size
    while done < late.size:  # as far as the clock strays to one side, then to the other
        low, high = lowest[done : done + n_tried], highest[done : done + n_tried]
        rising, falling = np.maximum.accumulate(np.maximum(low, shift)), np.minimum.accumulate(np.minimum(high, shift))
        n_rising, n_falling = _n_before(rising > high), _n_before(falling < low)
        n_followed = max(n_rising, n_falling)
        shifts[done : done + n_followed] = (rising if n_rising >= n_falling else falling)[:n_followed]
        done, shift, n_tried = done + n_followed, int(shifts[done + n_followed - 1]), max(_TRIED_ROWS, 2 * n_followed)
    return shifts


def _n_before(is_wrong: NDArray[np.bool_]) -> int:
    """Number of elements before the first that is true."""
    return int(is_wrong.argmax()) if is_wrong.any() else is_wrong.size
