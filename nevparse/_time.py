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
        """When ticks were, ``datetime64[ns]`` of the shape of `ticks`, in whole numbers throughout; NaT without a date.

        numpy's dates have no time zone: they are UTC where `origin` is.
        """
        wanted = np.asarray(ticks, np.uint64)
        if self.origin is None:
            return np.full(wanted.shape, "NaT", "datetime64[ns]")
        since = (wanted - np.uint64(self.origin_tick)).astype(np.int64)
        whole, rest = since // self.tick_rate, since % self.tick_rate
        nanoseconds = whole * NANOSECONDS + rest * NANOSECONDS // self.tick_rate
        start = np.datetime64(self.origin.replace(tzinfo=None), "ns")
        moments: NDArray[np.datetime64] = start + nanoseconds.astype("timedelta64[ns]")
        return moments


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
    if tick_rate != NANOSECONDS or first_tick < _SINCE_1970_TICK:
        started = "; nanoseconds since the clock was started" if tick_rate == NANOSECONDS else ""
        return TimeBase(origin, origin_tick, tick_rate, why + started)
    since_1970 = "nanoseconds since 1970"
    if origin is None:
        return TimeBase(_EPOCH, 0, tick_rate, f"{since_1970}, taken as UTC: the header has no date to tell")
    utc = origin if origin.tzinfo else origin.replace(tzinfo=timezone.utc)
    ahead_s = first_tick / NANOSECONDS - utc.timestamp()
    if abs(ahead_s) <= _AGREE_S:
        return TimeBase(_EPOCH, 0, tick_rate, f"{since_1970}, UTC: agrees with the header's date")
    if abs(ahead_s - TAI_LEAP_S) <= _AGREE_S:
        tai = _EPOCH - timedelta(seconds=TAI_LEAP_S)
        return TimeBase(tai, 0, tick_rate, f"{since_1970}, TAI: {TAI_LEAP_S} s ahead of the header's date")
    return TimeBase(origin, origin_tick, tick_rate, f"{why}; the clock itself is {ahead_s:.0f} s off that date")
