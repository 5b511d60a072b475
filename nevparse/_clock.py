# SPDX-License-Identifier: MIT
"""The clock of a file: how its ticks relate to samples, and what a break between two of them means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import spec
from ._units import span_text

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
        span = ("-" if self.seconds < 0 else "") + span_text(abs(self.seconds))
        return f"{self.kind} of {span} ({self.missing_samples} samples) after segment {self.after_segment}"


class Clock(NamedTuple):
    """How the ticks of a file relate to its samples: `num` / `den` ticks from one sample to the next."""

    num: int
    den: int
    tick_rate: int

    @classmethod
    def of(cls, period: int, tick_rate: int) -> Clock:
        """Ticks between samples of `period` ticks of the 30 kHz clock."""
        num, den = period * tick_rate, spec.CLOCK_HZ
        return cls(num // gcd(num, den), den // gcd(num, den), tick_rate)

    @property
    def step(self) -> int:
        """Ticks from one sample to the next, rounded up."""
        return -(-self.num // self.den)

    def excess(self, start_tick: Any, n_samples: Any, next_tick: Any) -> Any:
        """Ticks times `den` by which `next_tick` is later than the end of `n_samples` from `start_tick`."""
        return self.den * (next_tick - start_tick) - n_samples * self.num

    def broken(self, excess: Any) -> Any:
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

    def unwrapped(self, blocks: Iterable[Block]) -> Iterator[Block]:
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
