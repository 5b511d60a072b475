# SPDX-License-Identifier: MIT
"""Absolute time: which moment a tick is, by what kind of clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple, SupportsInt

import numpy as np
from numpy.typing import ArrayLike, NDArray

NANOSECONDS = 1_000_000_000
TAI_LEAP_S = 37  # by which atomic time, which PTP carries, is ahead of UTC since 2017
_SINCE_1970_TICK = 10**17  # a clock of nanoseconds that has run for three years counts from 1970, not from its start
_AGREE_S = 10  # header dates are written within seconds of the first sample
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FAR_S = 1 << 40  # further off than any date
_MOST_S = (1 << 63) // NANOSECONDS - 2  # seconds from 1970 that 64 bits of nanoseconds hold


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


def since_1970(tick_rate: int, first_tick: int) -> bool:
    """Whether ticks count from 1970, and so tell the date by themselves."""
    return tick_rate == NANOSECONDS and first_tick >= _SINCE_1970_TICK


def time_base(origin: datetime | None, tick_rate: int, first_tick: int, origin_tick: int, why: str) -> TimeBase:
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
    if not since_1970(tick_rate, first_tick):
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
