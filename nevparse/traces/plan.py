# SPDX-License-Identifier: MIT
"""Which rows of an export are which samples, and which fill a gap: decided before the first byte is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise
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
_MAX_OFF = 0.6  # samples that a row may be off before it is corrected; above a half, so that jitter corrects none
_RESAMPLED_ROWS = 1 << 16  # at a time


class SampleRows(NamedTuple):
    """Rows from `row` on, which are the samples from `start` on of a segment."""

    row: int
    n_rows: int
    segment: int
    start: int


class FilledRows(NamedTuple):
    """Rows from `row` on, which no sample was recorded for; `tick` is the time of the first."""

    row: int
    n_rows: int
    tick: int


PlanRow = SampleRows | FilledRows


class RowPlan(NamedTuple):
    """The rows of each file, keyed by the suffix added to the file's stem; and samples dropped and repeated in all."""

    files: dict[str, list[PlanRow]]
    n_dropped: int = 0
    n_repeated: int = 0


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
    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = ...) -> NDArray[np.int64]: ...


class _Continuous(Protocol):
    """What a plan needs to know of an `NsxFile`."""

    path: str
    dtype: np.dtype[Any]
    clock: Clock
    n_channels: int

    @property
    def has_sample_timestamps(self) -> bool: ...
    @property
    def segments(self) -> Sequence[_Segment]: ...
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
    return options._replace(start_tick=start_tick, stop_tick=stop_tick, fill=fill, max_fill=max_fill)


def fill_row(fill: float | str, n_columns: int, dtype: np.dtype[Any]) -> bytes | None:
    """The row that fills gaps; None where that is the row before the gap."""
    if fill == HOLD:
        return None
    limits = np.iinfo(dtype) if dtype.kind == "i" else None
    if isinstance(fill, str) or (limits and not (limits.min <= fill <= limits.max and fill == int(fill))):
        raise ValueError(f"expected fill to be {HOLD!r} or a value of {dtype.name}, found {fill!r}")
    return np.full(n_columns, fill, dtype).tobytes()


def plan_rows(continuous: _Continuous, options: PlanOptions, may_be_empty: bool = False) -> RowPlan:
    """Decide which rows of one file, or with ``gaps="split"`` of a file for each segment, are which samples.

    Raises a ValueError where no sample is in the range of ticks, unless the plan may be empty; a GapError where the
    options do not resolve a gap.
    """
    chosen = select_samples(continuous.segments, options.start_tick, options.stop_tick)
    if not chosen and not may_be_empty:
        raise_no_samples(continuous.segments, options.start_tick, options.stop_tick)
    # not those of the file: segments that are outside the range may be between two that are inside
    gaps = [continuous.gap_between(before.segment, after.segment) for before, after in pairwise(chosen)]
    if options.gaps == "error":
        problem = f"time is broken {len(gaps)} time{'s' if len(gaps) > 1 else ''} in the samples to export"
        advice = "Use gaps='split', 'join' or 'fill' (--gaps), or choose one segment by time (--start, --stop)."
        _check_gaps(continuous.path, gaps, problem, advice)
    groups = [Resampled([samples]) for samples in chosen]
    if options.resample:
        groups = [resample_to_nominal(continuous, samples, options.sort) for samples in chosen]
    if options.gaps == "split":
        files = {f"-{group.rows[0].segment:03d}": _number_rows(group.rows) for group in groups}
    else:
        fills = _fill_gaps(continuous, options, chosen, gaps, groups) if options.gaps == "fill" else []
        parts: Iterable[list[PlanRow]] = ([*group.rows, *fills[i : i + 1]] for i, group in enumerate(groups))
        files = {"": _number_rows(chain.from_iterable(parts))}
    return RowPlan(files, sum(group.n_dropped for group in groups), sum(group.n_repeated for group in groups))


def _number_rows(parts: Iterable[PlanRow]) -> list[PlanRow]:
    """Put parts one behind the other."""
    rows: list[PlanRow] = []
    for part in parts:
        if part.n_rows > 0:
            rows.append(part._replace(row=count_rows(rows)))
    return rows


def count_rows(rows: Sequence[PlanRow]) -> int:
    """Rows of a plan in all."""
    return rows[-1].row + rows[-1].n_rows if rows else 0


def rows_between(rows: Iterable[PlanRow], begin: int, end: int, clock: Clock) -> list[PlanRow]:
    """Rows `begin` to `end` of a plan."""
    chosen: list[PlanRow] = []
    for part in rows:
        a, b = max(part.row, begin), min(part.row + part.n_rows, end)
        skipped = a - part.row
        if a < b and isinstance(part, SampleRows):
            chosen.append(SampleRows(a, b - a, part.segment, part.start + skipped))
        elif a < b and isinstance(part, FilledRows):
            chosen.append(FilledRows(a, b - a, int(clock.ticks(part.tick, skipped, skipped + 1)[0])))
    return chosen


def select_samples(segments: Sequence[_Segment], start_tick: int | None, stop_tick: int | None) -> list[SampleRows]:
    """The samples of each segment whose timestamps are in a half-open range; their rows are not numbered yet."""
    chosen = []
    for segment in segments:
        start = 0 if start_tick is None else segment.find(start_tick)
        stop = segment.n_samples if stop_tick is None else segment.find(stop_tick)
        if start < stop:
            chosen.append(SampleRows(0, stop - start, segment.index, start))
    return chosen


def raise_no_samples(segments: Sequence[_Segment], start_tick: int | None, stop_tick: int | None) -> None:
    """Raise a ValueError that lists the ticks that have samples."""
    ends = [f"{s.start_tick} to {s.ticks(s.n_samples - 1)[0]}" for s in segments[:_MAX_LISTED]]
    more = f" and {len(segments) - _MAX_LISTED} more segments" if len(segments) > _MAX_LISTED else ""
    known = ", ".join(ends) + more if ends else "the file has none"
    raise ValueError(f"expected ticks that hold samples ({known}), found {start_tick} to {stop_tick}")


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
    continuous: _Continuous, options: PlanOptions, chosen: list[SampleRows], gaps: list[Gap], groups: list[Resampled]
) -> list[FilledRows]:
    """The rows that fill each gap; none where a gap is shorter than half a sample."""
    backwards = [gap for gap in gaps if gap.missing_samples < 0]
    problem = "time goes backwards, which cannot be filled"
    _check_gaps(continuous.path, backwards, problem, "Use gaps='split' (--gaps split).")
    segments = [continuous.segments[samples.segment] for samples in chosen]
    if options.resample and continuous.has_sample_timestamps:
        starts = [int(s.ticks(rows.start, rows.start + 1)[0]) for s, rows in zip(segments, chosen, strict=True)]
        counts = _fill_on_grid(starts, groups, continuous.clock)
    else:
        missing = accumulate(gap.missing_samples_exact for gap in gaps)
        counts = [b - a for a, b in pairwise([0, *map(round, missing)])]  # so that rounding never adds up
    row_bytes = continuous.n_channels * continuous.dtype.itemsize
    check_fill(continuous.path, sum(counts), sum(rows.n_rows for rows in chosen), options.max_fill, row_bytes, gaps)
    return [FilledRows(0, n, segment.stop_tick) for n, segment in zip(counts, segments, strict=False)]


def _fill_on_grid(start_ticks: Sequence[int], groups: Sequence[Resampled], clock: Clock) -> list[int]:
    """Rows to fill so that every group starts where its first timestamp belongs on one grid."""
    counts, row = [], 0
    for start_tick, group in zip(start_ticks, groups, strict=True):
        counts.append(max(0, nearest_row(start_tick - start_ticks[0], clock) - row))
        row += counts[-1] + sum(part.n_rows for part in group.rows)
    return counts[1:]


class Resampled(NamedTuple):
    """Samples on a grid at the nominal rate, and the number dropped and repeated for that."""

    rows: list[SampleRows]
    n_dropped: int = 0
    n_repeated: int = 0


def nearest_row(ticks: int, clock: Clock) -> int:
    """The row of a grid at the nominal rate that is nearest to `ticks` after row 0."""
    return (2 * ticks * clock.den + clock.num) // (2 * clock.num)


def resample_to_nominal(
    continuous: _Continuous, samples: SampleRows, sort: bool, origin_tick: int | None = None
) -> Resampled:
    """Put samples on a grid at the nominal rate: each row is the nearest sample.

    Where the recorder's clock is ahead or behind by more than 0.6 of a sample, one is dropped or repeated. The first
    row is at `origin_tick`, or at the first sample where that is not given. Samples without timestamps of their own
    are at the nominal rate already.
    """
    if not continuous.has_sample_timestamps:
        return Resampled([samples])
    segment = continuous.segments[samples.segment]
    rows: list[SampleRows] = []
    shift = n_dropped = n_repeated = 0
    begin, end = samples.start, samples.start + samples.n_rows
    origin = int(segment.ticks(begin, begin + 1, sort=sort)[0]) if origin_tick is None else origin_tick
    for a in range(begin, end, _RESAMPLED_ROWS):
        b = min(a + _RESAMPLED_ROWS, end)
        late = _lateness(segment.ticks(a, b, sort=sort), origin, a - samples.start, continuous.clock)
        i = 0
        while (i := _next_off(late, shift, i)) < b - a:
            rows.append(SampleRows(0, a + i - begin, segment.index, begin))
            if late[i] > shift:  # a row has no sample of its own: the sample before is nearest
                rows.append(SampleRows(0, 1, segment.index, a + i - 1))
                begin, shift, n_repeated = a + i, shift + 1, n_repeated + 1
            else:
                begin, shift, n_dropped, i = a + i + 1, shift - 1, n_dropped + 1, i + 1
    rows.append(SampleRows(0, end - begin, segment.index, begin))
    return Resampled([part for part in rows if part.n_rows], n_dropped, n_repeated)


def _lateness(ticks: NDArray[np.int64], origin: int, first: int, clock: Clock) -> NDArray[np.float64]:
    """Samples by which each timestamp is later than its place at the nominal rate."""
    after = ticks - ticks[0] + float(int(ticks[0]) - origin)  # the row of `origin` may be beyond the last tick of int64
    return np.asarray(after * (clock.den / clock.num) - np.arange(first, first + ticks.size), np.float64)


def _next_off(late: NDArray[np.float64], shift: int, start: int) -> int:
    off = np.flatnonzero(np.abs(late[start:] - shift) > _MAX_OFF)
    return start + int(off[0]) if off.size else late.size
