# SPDX-License-Identifier: MIT
"""The clock of a file: how its ticks relate to samples and dates, and what a break between two samples means."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import gcd, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, SupportsInt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .format import tables
from .format.dates import START_OF_1970, microseconds_since_1970
from .format.numbers import INT64_MAX, NO_TICK, integer_array, number, tick_number, tick_values
from .format.text import duration_text

if TYPE_CHECKING:
    from fractions import Fraction

Block = tuple[int, int, int]  # offset of the first row, tick, samples
SampleRange = tuple[int, int]  # first sample, and the sample after the last
LONGEST_GROUP = 20  # samples of hub firmware 7.6.0 to 7.6.1.1 that are out of order among each other, and no others

PAUSE_S = 0.1  # nobody pauses and resumes a recording faster; a shorter hole is a loss
RESET_S = 0.1  # a clock is not set back by less
_NANOSECOND_HZ = 1_000_000_000
_SINCE_1970_TICK = 10**17  # a clock of nanoseconds that is three years on counts from 1970, not from its start
_TAI_AHEAD_S = 37  # of UTC since 2017: atomic time, which PTP carries
_AGREE_S = 10  # header dates are written within seconds of the first sample
_BEYOND_DATES_S = 1 << 40
_MAX_S = (1 << 63) // _NANOSECOND_HZ - 2  # seconds from 1970 that 64 bits of nanoseconds hold
ROLLOVER = 1 << 32
_TICKS_AT_ONCE = 1 << 14
ROLLOVER_NEAR_S = 3600  # a recording that ran over 32 bits came this near to their end


class Gap(NamedTuple):
    """A break in time between two segments.

    Parameters
    ----------
    after_segment : int
        The segment it follows.
    kind : str
        ``pause`` or ``loss`` (time is missing; 0.1 s tells them apart), ``overlap`` (the next segment starts a little
        before this one ends) or ``reset`` (the clock went back by 0.1 s or to before this segment's start).
    missing_samples : int
        Samples that would fill it, rounded; negative for overlaps and resets.
    missing_samples_exact : float
        The same before rounding.
    seconds : float
        The same as a time.
    start_s : float
        When it begins, in seconds after the recording's first sample.
    """

    after_segment: int
    kind: str
    missing_samples: int
    missing_samples_exact: float
    seconds: float
    start_s: float

    def __str__(self) -> str:
        span = ("-" if self.seconds < 0 else "") + duration_text(abs(self.seconds))
        where = f"at {self.start_s:.6g} s, after segment {self.after_segment}"
        return f"{self.kind} of {span} ({self.missing_samples} samples) {where}"


class Epoch(NamedTuple):
    """Ticks of the continuous data between two settings of the clock, up to the first tick after it."""

    start_tick: int
    stop_tick: int


def segments_by_epoch(gaps: Iterable[Gap], n_segments: int) -> tuple[range, ...]:
    """Segments between one setting of the clock and the next."""
    starts = [0, *(gap.after_segment + 1 for gap in gaps if gap.kind == "reset"), n_segments]
    return tuple(map(range, starts[:-1], starts[1:]))


def ticks_recorded(segments: Sequence[Any]) -> tuple[int, int]:
    """The first tick of any of these segments, and the first after all of them; 0 and 0 of none."""
    return min((s.start_tick for s in segments), default=0), max((s.stop_tick for s in segments), default=0)


def epochs_of_segments(epochs: Sequence[range], segments: Iterable[int]) -> list[int]:
    """The number of the epoch that each segment is in."""
    starts = [epoch.start for epoch in epochs]
    return [bisect_right(starts, segment) - 1 for segment in segments]


class Clock(NamedTuple):
    """How the ticks of a file relate to its samples, in exact integers.

    The step from one sample to the next is `num` / `den` ticks, a fraction in lowest terms.
    """

    num: int
    den: int
    tick_rate: int  # ticks per second

    @classmethod
    def of(cls, period: int, tick_rate: int) -> Clock:
        """The clock of samples that are `period` ticks of 30 kHz apart."""
        num, den = period * tick_rate, tables.CLOCK_HZ
        return cls(num // gcd(num, den), den // gcd(num, den), tick_rate)

    def scaled_gap(self, start_tick: Any, n_samples: Any, next_tick: Any) -> Any:
        """Ticks from the end of `n_samples` at `start_tick` to `next_tick`, times `den` to be integers."""
        return self.den * (next_tick - start_tick) - n_samples * self.num

    def is_break(self, scaled_gap: Any) -> Any:
        """Whether that is half a sample or more, and more than the rounding of a tick."""
        return 2 * abs(scaled_gap) >= max(self.num, 2 * self.den)

    def break_steps(self) -> tuple[int, int]:
        """Steps between two samples' ticks that are breaks: the first and below, the second and above."""
        tolerance = max(self.num, 2 * self.den)
        low = (2 * self.num - tolerance) // (2 * self.den)
        high = -((-2 * self.num - tolerance) // (2 * self.den))
        return min(low, INT64_MAX - 1), min(high, INT64_MAX)

    def ticks(self, start_tick: int, a: int, b: int) -> NDArray[np.int64]:
        """Ticks of samples `a` to `b` counted from one at `start_tick`, rounded down."""
        ticks = self.duration_ticks(np.arange(a, b, dtype=np.int64))
        ticks += start_tick
        return ticks

    def duration_ticks(self, n_samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ticks that numbers of samples take, rounded down."""
        each, over = divmod(self.num, self.den)
        ticks: NDArray[np.int64] = n_samples * each + n_samples * over // self.den
        return ticks

    def samples(self, ticks: NDArray[np.int64], start_ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Samples, counted from those at `start_ticks`, that `ticks` fall in: the last that are not later."""
        after: NDArray[Any] = ticks - start_ticks
        limit = INT64_MAX // self.den - 1
        if self.num > limit or ((after > limit) | (after < -limit)).any():
            after = after.astype(object)  # Python's own integers where 64 bits could run over
        samples = -(-(after + 1) * self.den // self.num) - 1
        return np.asarray(np.clip(samples, -INT64_MAX, INT64_MAX), np.int64)

    def seconds(self, n_samples: int) -> float:
        """Seconds that a number of samples takes."""
        return n_samples * self.num / (self.den * self.tick_rate)

    def end(self, start_tick: int, n_samples: int) -> int:
        """First tick after `n_samples` that start at `start_tick`."""
        return start_tick + max(n_samples * self.num // self.den, (n_samples - 1) * self.num // self.den + 1)

    def unroll(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Count on where 32 bits of ticks ran over (after 39.8 hours at 30 kHz).

        That is within a block, or where the recording came within an hour of the end of the range and then goes on
        within an hour; any other timestamp smaller than the one before is a clock that was set back.
        """
        hour, step = ROLLOVER_NEAR_S * self.tick_rate, -(-self.num // self.den)
        end = base = 0
        for offset, tick, n_samples in blocks:
            rollover = base + ROLLOVER
            if base + tick < end and rollover - end < hour and -step <= rollover + tick - end < hour:
                base = rollover
            elif base and base + tick - end >= ROLLOVER - step:  # a step early, just before the clock ran over
                base -= ROLLOVER
            yield offset, base + tick, n_samples
            end = base + tick + n_samples * self.num // self.den
            base = max(base, end - end % ROLLOVER)

    def gap(self, segment: int, last: tuple[int, int], start_tick: int, next_tick: int, zero_tick: int) -> Gap:
        """The break between a segment that starts at `start_tick` and the next, which starts at `next_tick`.

        `last` is the segment's last timestamp, and the number of samples from it on; seconds count from `zero_tick`.
        """
        scaled = self.scaled_gap(*last, next_tick)
        seconds = scaled / (self.den * self.tick_rate)
        if scaled > 0:
            kind = "pause" if seconds >= PAUSE_S else "loss"
        else:
            kind = "reset" if next_tick < start_tick or seconds <= -RESET_S else "overlap"
        missing = (2 * abs(scaled) + self.num) // (2 * self.num) * (1 if scaled > 0 else -1)
        start_s = (last[0] - zero_tick + last[1] * self.num / self.den) / self.tick_rate
        return Gap(segment, kind, missing, scaled / self.num, seconds, start_s)


def convert_ticks(ticks: NDArray[np.int64], from_rate: int, to_rate: int) -> NDArray[np.int64]:
    """The same times on a clock of another rate, rounded down, and limited to what 64 bits hold."""
    if from_rate == to_rate:
        return ticks
    most = INT64_MAX // to_rate - 1
    seconds = np.clip(ticks // from_rate, -most, most)
    converted: NDArray[np.int64] = seconds * to_rate + ticks % from_rate * to_rate // from_rate
    return converted


def _ticks_after(ticks: NDArray[np.int64], zero_tick: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Ticks after `zero_tick`, and whether 64 bits hold each."""
    with np.errstate(over="ignore"):
        after = ticks - np.int64(zero_tick)
    return after, (after >= 0) == (ticks >= zero_tick)


def tick_after(seconds: float | Fraction, zero_tick: int, tick_rate: int) -> int:
    """The tick nearest to a time in seconds after `zero_tick`; ValueError where that is no finite number."""
    from fractions import Fraction  # only seconds need it

    exact = seconds if isinstance(seconds, Fraction) else number(seconds)
    if not isfinite(exact):
        raise ValueError(f"expected a time in seconds, found {seconds!r}")
    return zero_tick + round(Fraction(exact) * tick_rate)


class TimedFile:
    """Whatever has ticks: they are also seconds after its `zero_tick`."""

    tick_rate: int

    @property
    def zero_tick(self) -> int:
        """The tick that seconds count from: of the recording's first sample."""
        raise NotImplementedError

    def seconds(self, ticks: ArrayLike) -> NDArray[np.float64]:
        """Times of this file's clock in seconds after `zero_tick`, float64, of the shape of `ticks`."""
        wanted = integer_array(ticks, "ticks")
        after, fits = _ticks_after(wanted, self.zero_tick)
        return np.asarray(np.where(fits, after, wanted.astype(np.float64) - self.zero_tick) / self.tick_rate)

    def tick_at(self, seconds: float) -> int:
        """The tick nearest to a time in seconds after `zero_tick`."""
        return tick_after(seconds, self.zero_tick, self.tick_rate)


def requested_ticks(
    file: TimedFile,
    start_tick: SupportsIndex | float | None = None,
    stop_tick: SupportsIndex | float | None = None,
    start_s: float | None = None,
    stop_s: float | None = None,
) -> tuple[int | None, int | None]:
    """A range of time as ticks of a file, from ticks or from seconds after the recording's first sample.

    TypeError for what is no number, or no whole number of ticks; ValueError where an end is given twice, or is not
    finite.
    """
    return _requested_tick(file, "start", start_tick, start_s), _requested_tick(file, "stop", stop_tick, stop_s)


def _requested_tick(file: TimedFile, end: str, tick: SupportsIndex | float | None, seconds: float | None) -> int | None:
    if seconds is None:
        return None if tick is None else tick_number(tick, f"{end}_tick")
    if tick is not None:
        raise ValueError(f"expected {end}_tick or {end}_s, found both")
    if isinstance(seconds, (str, bytes)) or not hasattr(seconds, "__float__"):
        raise TypeError(f"expected {end}_s as a number of seconds, found {seconds!r}")
    return file.tick_at(seconds)


class TimeBase(NamedTuple):
    """The moment that one tick stands for.

    Parameters
    ----------
    origin : datetime or None
        The moment; None where the file has no date.
    origin_tick : int
        The tick.
    tick_rate : int
        Ticks per second.
    note : str
        What kind of clock it is, and how that is known.
    """

    origin: datetime | None
    origin_tick: int
    tick_rate: int
    note: str

    def datetime(self, tick: SupportsInt) -> datetime | None:
        """When a tick was, to the microsecond below; None without a date, or beyond the calendar."""
        if self.origin is None:
            return None
        microseconds = (int(tick) - self.origin_tick) * 1_000_000 // self.tick_rate
        try:
            return self.origin + timedelta(microseconds=microseconds)
        except OverflowError:
            return None

    def datetime64(self, ticks: ArrayLike) -> NDArray[np.datetime64]:
        """When ticks were, ``datetime64[ns]`` of the shape of `ticks`, exact to the nanosecond below.

        NaT without a date, or beyond the years 1678 to 2262 that 64 bits of nanoseconds hold. numpy's dates have no
        time zone: they are UTC.
        """
        wanted = tick_values(ticks)
        if self.origin is None:
            return np.full(wanted.shape, "NaT", "datetime64[ns]")
        origin_us = microseconds_since_1970(self.origin)
        origin_s, origin_ns = divmod(origin_us * 1000, _NANOSECOND_HZ)
        after, fits = _ticks_after(wanted, self.origin_tick)
        fits &= wanted != NO_TICK
        seconds = origin_s + np.clip(after // self.tick_rate, -_BEYOND_DATES_S, _BEYOND_DATES_S)
        fits &= np.abs(seconds) < _MAX_S
        nanoseconds = after % self.tick_rate * _NANOSECOND_HZ // self.tick_rate + origin_ns
        moments = (np.where(fits, seconds, 0) * _NANOSECOND_HZ + nanoseconds).astype("datetime64[ns]")
        return np.where(fits, moments, np.datetime64("NaT"))


def counts_from_1970(tick_rate: int, first_tick: int) -> bool:
    """Whether ticks are nanoseconds since 1970, and so give the date by themselves."""
    return tick_rate == _NANOSECOND_HZ and first_tick >= _SINCE_1970_TICK


def dated_ticks(tick_rate: int, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of some ticks that are nanoseconds since 1970."""
    return ticks[ticks >= _SINCE_1970_TICK] if tick_rate == _NANOSECOND_HZ else ticks[:0]


def find_time_base(origin: datetime | None, tick_rate: int, first_tick: int, origin_tick: int, note: str) -> TimeBase:
    """Find out what kind of clock a file has, from the header's date `origin` and the file's first tick.

    The date stands for `origin_tick`, which `note` explains, unless the clock itself gives the date.
    """
    if not counts_from_1970(tick_rate, first_tick):
        since_start = "; nanoseconds since the clock was started" if tick_rate == _NANOSECOND_HZ else ""
        return TimeBase(origin, origin_tick, tick_rate, note + since_start)
    kind = "nanoseconds since 1970"
    if origin is None:
        return TimeBase(START_OF_1970, 0, tick_rate, f"{kind}, taken as UTC: the header has no date to compare with")
    ahead_s = first_tick / _NANOSECOND_HZ - origin.timestamp()
    if abs(ahead_s) <= _AGREE_S:
        return TimeBase(START_OF_1970, 0, tick_rate, f"{kind}, UTC: agrees with the header's date")
    if abs(ahead_s - _TAI_AHEAD_S) <= _AGREE_S:
        tai = START_OF_1970 - timedelta(seconds=_TAI_AHEAD_S)
        return TimeBase(tai, 0, tick_rate, f"{kind}, TAI: {_TAI_AHEAD_S} s ahead of the header's date")
    return TimeBase(origin, origin_tick, tick_rate, f"{note}; the clock itself is {ahead_s:.0f} s off that date")


class SegmentSpan(NamedTuple):
    """Where one segment is in its file: in the records `first_record` to `stop_record`, which are blocks or packets."""

    first_record: int
    stop_record: int
    start_tick: int
    n_samples: int


class TickIntervals:
    """The interval of ticks that each segment takes, up to the first tick after it."""

    def __init__(self, spans: Sequence[SegmentSpan], ends: Sequence[int]) -> None:
        self._starts, self._ends = tick_array(span.start_tick for span in spans), tick_array(ends)
        self._first_records = np.array([span.first_record for span in spans], np.int64)
        self._stop_records = np.array([span.stop_record for span in spans], np.int64)

    def find(
        self, ticks: NDArray[np.int64], among: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        """Segment of `among` that holds each tick, the last to start; whether one does; its first and stop record."""
        starts, ends = self._starts[among], self._ends[among]
        owners = np.argsort(starts, kind="stable")
        cuts = starts[owners]
        if (ends[owners[:-1]] > cuts[1:]).any():
            cuts, owners = _resolve_overlaps(starts.tolist(), ends.tolist(), owners.tolist())
        cut = np.searchsorted(cuts, ticks, "right") - 1
        owner = owners[np.maximum(cut, 0)]
        is_inside = (cut >= 0) & (owner >= 0) & (ticks < ends[owner])
        segment = among[np.where(is_inside, owner, 0)]
        return segment, is_inside, self._first_records[segment], self._stop_records[segment]


def _resolve_overlaps(
    starts: list[int], ends: list[int], order: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Every tick at which an interval starts or ends, and the interval that time belongs to from then on, or -1."""
    cuts, ahead = sorted({*starts, *ends}), order[::-1]
    owners: list[int] = []
    nested: list[int] = []  # started and perhaps ended, the last to start at the end
    for cut in cuts:
        while ahead and starts[ahead[-1]] <= cut:
            nested.append(ahead.pop())
        while nested and ends[nested[-1]] <= cut:
            nested.pop()
        owners.append(nested[-1] if nested else -1)
    return np.array(cuts, np.int64), np.array(owners, np.intp)


def are_within(ticks: NDArray[np.int64], start_tick: int | None, stop_tick: int | None) -> NDArray[np.bool_]:
    """Whether each tick is in a half-open range; None leaves an end open."""
    is_inside = np.ones(ticks.shape, np.bool_)
    if start_tick is not None:
        is_inside &= ticks >= min(max(start_tick, ~INT64_MAX), INT64_MAX)
    if stop_tick is not None:
        is_inside &= ticks < min(max(stop_tick, ~INT64_MAX), INT64_MAX)
    return is_inside


def join_ranges(ranges: Iterable[SampleRange]) -> list[SampleRange]:
    """Ranges in order, those that adjoin as one."""
    joined: list[SampleRange] = []
    for first, stop in ranges:
        if joined and joined[-1][1] == first:
            first = joined.pop()[0]
        joined.append((first, stop))
    return joined


def last_not_after(
    timestamps: NDArray[np.int64], ticks: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each tick the last of the ascending timestamps ``low:high`` that is not after it; ``low - 1`` if all are.

    `timestamps` may be a strided view of a file far larger than memory; only what is compared with is touched.
    """
    shape, ticks = ticks.shape, ticks.ravel()
    low, high = low.flatten(), high.flatten()
    while (unsettled := np.flatnonzero(low < high)).size:
        middle = (low[unsettled] + high[unsettled]) // 2
        after = timestamps[middle] > ticks[unsettled]
        high[unsettled[after]] = middle[after]
        low[unsettled[~after]] = middle[~after] + 1
    return (low - 1).reshape(shape)


def last_nearby_not_after(
    clock: Clock,
    timestamps: NDArray[np.int64],
    ticks: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The same where timestamps may be out of order among `LONGEST_GROUP` neighbours: the latest that is not after."""
    found = last_not_after(timestamps, ticks, low, high)
    if not found.size:
        return found
    flat, last, first, stop = ticks.ravel(), found.ravel(), low.ravel(), high.ravel()
    n_sure = max(0, clock.break_steps()[0])  # any other timestamp of the segment is further away than that
    after = flat - timestamps[np.maximum(last, 0)]
    unsure = np.flatnonzero((last < first) | (after > n_sure))
    for start in range(0, unsure.size, _TICKS_AT_ONCE):
        part = unsure[start : start + _TICKS_AT_ONCE]
        near = last[part, np.newaxis] + np.arange(LONGEST_GROUP, -LONGEST_GROUP, -1)
        is_inside = (near >= first[part, np.newaxis]) & (near < stop[part, np.newaxis])
        times = timestamps[np.where(is_inside, near, last[part, np.newaxis].clip(0)).ravel()].reshape(near.shape)
        is_before = is_inside & (times <= flat[part, np.newaxis])
        best = np.argmax(np.where(is_before, times, ~INT64_MAX), axis=1)  # of equal ones the last
        rows = np.arange(part.size)
        last[part] = np.where(is_before[rows, best], near[rows, best], last[part])
    return last.reshape(found.shape)


def tick_array(ticks: Iterable[int]) -> NDArray[np.int64]:
    """Ticks as an array; those beyond 63 bits become the last that it can hold."""
    return np.array([min(tick, INT64_MAX) for tick in ticks], np.int64)
