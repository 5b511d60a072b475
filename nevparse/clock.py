# SPDX-License-Identifier: MIT
"""The clock of a file: how its ticks relate to samples, and what a break between two of them means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from math import gcd
from typing import Any, NamedTuple, SupportsInt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .format import tables
from .format.text import duration_text

NANOSECONDS = 1_000_000_000
TAI_LEAP_S = 37  # by which atomic time, which PTP carries, is ahead of UTC since 2017
_SINCE_1970_TICK = 10**17  # a clock of nanoseconds that has run for three years counts from 1970, not from its start
_AGREE_S = 10  # header dates are written within seconds of the first sample
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FAR_S = 1 << 40  # further off than any date
_MOST_S = (1 << 63) // NANOSECONDS - 2  # seconds from 1970 that 64 bits of nanoseconds hold
SegmentsAndSamples = tuple[NDArray[np.intp], NDArray[np.int64]]
_LAST_TICK = (1 << 64) - 1
PAUSE_S = 0.1  # nobody pauses and resumes a recording faster; a shorter hole is a loss
_WRAP = 1 << 32
_WRAP_NEAR_S = 3600  # how near to the end of 32 bits a recording must have come to have run over it
_INT64_MAX = (1 << 63) - 1
Block = tuple[int, int, int]  # offset of the first row, tick, samples


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
    """

    after_segment: int
    kind: str
    missing_samples: int
    missing_samples_exact: float
    seconds: float

    def __str__(self) -> str:
        span = ("-" if self.seconds < 0 else "") + duration_text(abs(self.seconds))
        return f"{self.kind} of {span} ({self.missing_samples} samples) after segment {self.after_segment}"


class Clock(NamedTuple):
    """How the ticks of a file relate to its samples: `num` / `den` ticks from one sample to the next."""

    num: int
    den: int
    tick_rate: int

    @classmethod
    def of(cls, period: int, tick_rate: int) -> Clock:
        """Ticks between samples of `period` ticks of the 30 kHz clock."""
        num, den = period * tick_rate, tables.CLOCK_HZ
        return cls(num // gcd(num, den), den // gcd(num, den), tick_rate)

    @property
    def step(self) -> int:
        """Ticks from one sample to the next, rounded up."""
        return -(-self.num // self.den)

    def excess(self, start_tick: Any, n_samples: Any, next_tick: Any) -> Any:
        """Ticks times `den` by which `next_tick` is later than the end of `n_samples` from `start_tick`."""
        return self.den * (next_tick - start_tick) - n_samples * self.num

    def is_break(self, excess: Any) -> Any:
        """Whether that is half a sample or more, and more than the rounding of a tick."""
        return 2 * abs(excess) >= max(self.num, 2 * self.den)

    def limits(self) -> tuple[int, int]:
        """Steps between two samples' ticks that break a run: as small as the first, as large as the second."""
        tolerance = max(self.num, 2 * self.den)
        low = (2 * self.num - tolerance) // (2 * self.den)
        high = -((-2 * self.num - tolerance) // (2 * self.den))
        return min(low, _INT64_MAX - 1), min(high, _INT64_MAX)

    def ticks(self, start_tick: int, a: int, b: int) -> NDArray[np.uint64]:
        """Ticks of samples `a` to `b` counted from one at `start_tick`, rounded down."""
        ticks = self.elapsed(np.arange(a, b, dtype=np.uint64))
        ticks += np.uint64(start_tick)
        return ticks

    def elapsed(self, samples: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Ticks that so many samples take, rounded down."""
        whole, rest = divmod(self.num, self.den)
        ticks: NDArray[np.uint64] = samples * np.uint64(whole) + samples * np.uint64(rest) // np.uint64(self.den)
        return ticks

    def samples(self, ticks: NDArray[np.uint64], start_ticks: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Samples, counted from ones at `start_ticks`, that `ticks` fall in: the last ones that are not later."""
        after: NDArray[Any] = (ticks - start_ticks).astype(np.int64)
        most = _INT64_MAX // self.den - 1
        if self.num > most or ((after > most) | (after < -most)).any():
            after = after.astype(object)  # Python's own integers where 64 bits could run over
        samples = -(-(after + 1) * self.den // self.num) - 1
        return np.asarray(np.clip(samples, -_INT64_MAX, _INT64_MAX), np.int64)

    def end(self, start_tick: int, n_samples: int) -> int:
        """First tick that `n_samples` from `start_tick` do not hold."""
        return start_tick + max(n_samples * self.num // self.den, (n_samples - 1) * self.num // self.den + 1)

    def unroll(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Count on where 32 bits of ticks ran over (after 39.8 hours at 30 kHz).

        A timestamp that is smaller than the one before it ran over, and was not set back, where the recording had come
        within an hour of the end of the range, and goes on within an hour by this reading.
        """
        near, end, turns = _WRAP_NEAR_S * self.tick_rate, 0, 0
        for offset, tick, count in blocks:
            over = tick + (turns + 1) * _WRAP
            if tick + turns * _WRAP < end and (turns + 1) * _WRAP - end < near and -self.step <= over - end < near:
                turns += 1
            yield offset, tick + turns * _WRAP, count
            end = tick + turns * _WRAP + count * self.num // self.den

    def gap(self, segment: int, last: tuple[int, int], start_tick: int, next_tick: int) -> Gap:
        """Describe the break between segment `segment` and the next.

        Parameters
        ----------
        segment : int
            The segment before it.
        last : (int, int)
            The last timestamp in that segment, and how many samples follow from it.
        start_tick, next_tick : int
            Where that segment, and the next one, start.
        """
        excess = self.excess(*last, next_tick)
        seconds = excess / (self.den * self.tick_rate)
        if excess > 0:
            kind = "pause" if seconds >= PAUSE_S else "loss"
        else:
            kind = "reset" if next_tick < start_tick or seconds <= -PAUSE_S else "overlap"
        missing = (2 * abs(excess) + self.num) // (2 * self.num) * (1 if excess > 0 else -1)
        return Gap(segment, kind, missing, excess / self.num, seconds)


def last_not_after(
    stamps: NDArray[np.uint64], ticks: NDArray[np.uint64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each tick the last of the ascending `stamps` in ``low:high`` that is not after it; ``low - 1`` if all are.

    `stamps` may be a strided view of a file far larger than memory; only what is compared with is touched.
    """
    shape, ticks = ticks.shape, ticks.ravel()
    low, high = low.flatten(), high.flatten()
    while (open_ := np.flatnonzero(low < high)).size:
        middle = (low[open_] + high[open_]) // 2
        after = stamps[middle] > ticks[open_]
        high[open_[after]] = middle[after]
        low[open_[~after]] = middle[~after] + 1
    return (low - 1).reshape(shape)


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
        """When ticks were, ``datetime64[ns]`` of the shape of `ticks`, in whole numbers throughout.

        NaT without a date, or beyond the years 1678 to 2262 that 64 bits of nanoseconds hold. numpy's dates have no
        time zone: they are UTC where `origin` is.
        """
        wanted, origin_tick = np.asarray(ticks, np.uint64), np.uint64(self.origin_tick)
        if self.origin is None:
            return np.full(wanted.shape, "NaT", "datetime64[ns]")
        start = (self.origin.replace(tzinfo=timezone.utc) - _EPOCH) // timedelta(microseconds=1) * 1000
        start_s, start_ns = divmod(start, NANOSECONDS)
        since = (wanted - origin_tick).astype(np.int64)
        forward = (since >= 0) == (wanted >= origin_tick)  # else they are more than 63 bits apart
        seconds = start_s + np.clip(since // self.tick_rate, -_FAR_S, _FAR_S)
        there = forward & (np.abs(seconds) < _MOST_S)
        nanoseconds = since % self.tick_rate * NANOSECONDS // self.tick_rate + start_ns
        moments = (np.where(there, seconds, 0) * NANOSECONDS + nanoseconds).astype("datetime64[ns]")
        return np.where(there, moments, np.datetime64("NaT"))


def counts_from_1970(tick_rate: int, first_tick: int) -> bool:
    """Whether ticks count from 1970, and so tell the date by themselves."""
    return tick_rate == NANOSECONDS and first_tick >= _SINCE_1970_TICK


def find_time_base(origin: datetime | None, tick_rate: int, first_tick: int, origin_tick: int, why: str) -> TimeBase:
    """Tell what kind of clock a file has.

    Parameters
    ----------
    origin : datetime or None
        The header's date.
    tick_rate, first_tick : int
        Of the file.
    origin_tick : int
        The tick that the header's date stands for, unless the clock itself tells the date.
    why : str
        How that is known.
    """
    if not counts_from_1970(tick_rate, first_tick):
        started = "; nanoseconds since the clock was started" if tick_rate == NANOSECONDS else ""
        return TimeBase(origin, origin_tick, tick_rate, why + started)
    what = "nanoseconds since 1970"
    if origin is None:
        return TimeBase(_EPOCH, 0, tick_rate, f"{what}, taken as UTC: the header has no date to tell")
    utc = origin if origin.tzinfo else origin.replace(tzinfo=timezone.utc)
    ahead_s = first_tick / NANOSECONDS - utc.timestamp()
    if abs(ahead_s) <= _AGREE_S:
        return TimeBase(_EPOCH, 0, tick_rate, f"{what}, UTC: agrees with the header's date")
    if abs(ahead_s - TAI_LEAP_S) <= _AGREE_S:
        tai = _EPOCH - timedelta(seconds=TAI_LEAP_S)
        return TimeBase(tai, 0, tick_rate, f"{what}, TAI: {TAI_LEAP_S} s ahead of the header's date")
    return TimeBase(origin, origin_tick, tick_rate, f"{why}; the clock itself is {ahead_s:.0f} s off that date")


class SegmentSpan(NamedTuple):
    """An unbroken stretch of samples: blocks (or packets) `first` to `stop`."""

    first: int
    stop: int
    start_tick: int
    n_samples: int


class TickIntervals:
    """What time each of some runs holds.

    Parameters
    ----------
    runs : sequence of Run
        Which.
    ends : sequence of int
        First tick behind each.
    """

    def __init__(self, runs: Sequence[SegmentSpan], ends: Sequence[int]) -> None:
        self._starts, self._ends = tick_array(run.start_tick for run in runs), tick_array(ends)
        self._firsts, self._stops = (np.array([run[k] for run in runs], np.int64) for k in range(2))

    def by(
        self, ticks: NDArray[np.uint64], among: range
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        """Run among some that holds each tick, whether there is one, and the run's first block and the one behind."""
        held = find_intervals(self._starts[among.start : among.stop], self._ends[among.start : among.stop], ticks)
        run = among.start + np.maximum(held, 0)
        return run, held >= 0, self._firsts[run], self._stops[run]


def not_found(ticks: NDArray[np.uint64]) -> SegmentsAndSamples:
    """What `locate` says where there is nothing to look in."""
    return np.full(ticks.shape, -1, np.intp), np.full(ticks.shape, -1, np.int64)


def tick_array(values: Iterable[int]) -> NDArray[np.uint64]:
    """As an array; beyond 64 bits, the last tick there is."""
    return np.array([min(value, _LAST_TICK) for value in values], np.uint64)


def find_intervals(starts: NDArray[np.uint64], ends: NDArray[np.uint64], ticks: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Which stretch of time each tick falls in, -1 where in none; of several the one that starts last."""
    owners = np.argsort(starts, kind="stable")
    cuts = starts[owners]
    if (ends[owners[:-1]] > cuts[1:]).any():
        cuts, owners = _resolve_overlaps(starts.tolist(), ends.tolist(), owners.tolist())
    at = np.searchsorted(cuts, ticks, "right") - 1
    owner = owners[np.maximum(at, 0)]
    return np.where((at >= 0) & (ticks < ends[owner]), owner, -1)


def _resolve_overlaps(
    starts: list[int], ends: list[int], order: list[int]
) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Where one stretch takes over from another, and which: it goes on where one that lies within it has ended."""
    cuts: list[tuple[int, int]] = []
    begun: list[int] = []
    for start, k in [*((starts[k], k) for k in order), (_LAST_TICK, -1)]:
        while begun and ends[begun[-1]] <= start:
            end = ends[begun.pop()]
            while begun and ends[begun[-1]] <= end:
                begun.pop()
            if begun:
                cuts.append((end, begun[-1]))
        cuts.append((start, k))
        begun.append(k)
    at, owners = zip(*cuts[:-1], strict=True)
    return np.array(at, np.uint64), np.array(owners, np.intp)


def convert_ticks(ticks: NDArray[np.uint64], from_rate: int, to_rate: int) -> NDArray[np.uint64]:
    """The same times by a clock of another rate, rounded down; what is beyond 64 bits becomes the last tick there is."""
    if from_rate == to_rate:
        return ticks
    whole, rest = ticks // np.uint64(from_rate), ticks % np.uint64(from_rate)
    whole = np.minimum(whole, np.uint64(((1 << 64) - 1) // to_rate - 1))  # what lies beyond 64 bits is in no file
    converted: NDArray[np.uint64] = whole * np.uint64(to_rate) + rest * np.uint64(to_rate) // np.uint64(from_rate)
    return converted
