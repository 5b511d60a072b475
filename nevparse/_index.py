# SPDX-License-Identifier: MIT
"""Where the samples of an NSx file are, and where its time is broken.

A *block* is what the file has: a header with a timestamp, then rows of samples. A *run* is an unbroken stretch in
time: one block, several that adjoin within half a sample, or a stretch of one-sample packets. All times are
integer ticks; all comparisons are exact.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from math import gcd
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from . import spec
from ._layout import Layout
from ._source import Source
from ._units import span_text

PAUSE_S = 0.1  # nobody pauses and resumes a recording faster; a shorter hole is a loss
_SCAN_ROWS = 1 << 18
_INT64_MAX = (1 << 63) - 1


class Run(NamedTuple):
    """An unbroken stretch of samples: blocks (or packets) `first` to `stop`."""

    first: int
    stop: int
    start_tick: int
    n_samples: int


class Piece(NamedTuple):
    """Rows of samples that lie in the file at equal distances."""

    offset: int
    n_rows: int
    row_bytes: int


class Gap(NamedTuple):
    """A break in time between two segments.

    Parameters
    ----------
    after_segment : int
        The segment it follows.
    kind : str
        ``pause`` or ``loss`` (time is missing; 0.1 s tells them apart), ``overlap`` (the next segment starts before
        this one ends) or ``reset`` (the clock went back to before this segment's start).
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

    def excess(self, start_tick: int, n_samples: int, next_tick: int) -> int:
        """Ticks times `den` by which `next_tick` is later than the end of `n_samples` from `start_tick`."""
        return self.den * (next_tick - start_tick) - n_samples * self.num

    def broken(self, excess: int) -> bool:
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
        whole, rest = divmod(self.num, self.den)
        at = np.arange(a, b, dtype=np.uint64)
        ticks: NDArray[np.uint64] = at * np.uint64(whole) + at * np.uint64(rest) // np.uint64(self.den)
        ticks += np.uint64(start_tick)
        return ticks


class Index(Protocol):
    """What an NSx file is read through, whatever its framing."""

    n_samples: int

    @property
    def runs(self) -> tuple[Run, ...]:
        """Unbroken stretches, in file order."""

    def pieces(self, run: Run, a: int, b: int) -> Iterator[Piece]:
        """Where samples `a` to `b` of a run lie."""

    def ticks(self, run: Run, a: int, b: int) -> NDArray[np.uint64]:
        """Timestamps of samples `a` to `b` of a run."""

    def find(self, run: Run, tick: int) -> int:
        """First sample of a run that is not before `tick`; its number of samples where all are."""

    def last_tick(self, run: Run) -> tuple[int, int]:
        """Tick of the last timestamp in a run, and how many samples it stands for."""


class BlockIndex:
    """An NSx file as a list of blocks (2.1 has one, without a header)."""

    def __init__(self, blocks: Sequence[tuple[int, int, int]], row_bytes: int, clock: Clock) -> None:
        self.clock, self.row_bytes = clock, row_bytes
        self.offsets = [offset for offset, _, _ in blocks]
        self.start_ticks = [tick for _, tick, _ in blocks]
        self.counts = [count for _, _, count in blocks]
        self.starts = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])  # sample before each block
        self.n_samples = int(self.starts[-1])

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Unbroken stretches, in file order."""
        ticks, counts, clock = self.start_ticks, self.counts, self.clock
        steps = zip(ticks, counts, ticks[1:], strict=False)
        breaks = [k + 1 for k, step in enumerate(steps) if clock.broken(clock.excess(*step))]
        edges = [0, *breaks, len(counts)] if counts else []
        return tuple(Run(a, b, ticks[a], int(self.starts[b] - self.starts[a])) for a, b in pairwise(edges))

    def _parts(self, run: Run, a: int, b: int) -> Iterator[tuple[int, int, int]]:
        origin = int(self.starts[run.first])
        block = int(np.searchsorted(self.starts, origin + a, "right")) - 1
        while a < b:
            begin = int(self.starts[block]) - origin
            end = min(b, begin + self.counts[block])
            yield block, a - begin, end - begin
            a, block = end, block + 1

    def pieces(self, run: Run, a: int, b: int) -> Iterator[Piece]:
        """Where samples `a` to `b` of a run lie."""
        for block, begin, end in self._parts(run, a, b):
            yield Piece(self.offsets[block] + begin * self.row_bytes, end - begin, self.row_bytes)

    def ticks(self, run: Run, a: int, b: int) -> NDArray[np.uint64]:
        """Timestamps of samples `a` to `b` of a run: each block counts from its own."""
        parts = [self.clock.ticks(self.start_ticks[block], begin, end) for block, begin, end in self._parts(run, a, b)]
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)

    def find(self, run: Run, tick: int) -> int:
        """First sample of a run that is not before `tick`; its number of samples where all are."""
        block = max(run.first, bisect_right(self.start_ticks, tick, run.first, run.stop) - 1)
        steps = max(0, self.clock.den * (tick - self.start_ticks[block]))
        inside = min(self.counts[block], -(-steps // self.clock.num))
        return int(self.starts[block] - self.starts[run.first]) + inside

    def last_tick(self, run: Run) -> tuple[int, int]:
        """Tick of the last block in a run, and its samples."""
        return self.start_ticks[run.stop - 1], self.counts[run.stop - 1]


class PacketIndex:
    """An NSx file of one-sample packets, each with its own timestamp."""

    def __init__(self, source: Source, block: Layout, start: int, n_packets: int, row_bytes: int, clock: Clock) -> None:
        self._source, self._block, self._start, self.clock = source, block, start, clock
        self.packet_bytes = block.size + row_bytes
        self.n_samples = n_packets

    @cached_property
    def stamps(self) -> NDArray[np.uint64]:
        """Every packet's timestamp: a strided view of the file."""
        packets = self._source.view(self._block.dtype(self.packet_bytes), (self.n_samples,), self._start)
        stamps: NDArray[np.uint64] = packets["tick"]
        return stamps

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Unbroken stretches, in file order."""
        edges = [0, *(int(at) + 1 for at in self._breaks()), self.n_samples]
        return tuple(Run(a, b, int(self.stamps[a]), b - a) for a, b in pairwise(edges))

    def _breaks(self) -> NDArray[np.int64]:
        low, high = self.clock.limits()
        found = []
        for at in range(0, self.n_samples - 1, _SCAN_ROWS):
            steps = np.diff(self.stamps[at : at + _SCAN_ROWS + 1].astype(np.int64))
            found.append(np.flatnonzero((steps <= low) | (steps >= high)) + at)
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def pieces(self, run: Run, a: int, b: int) -> Iterator[Piece]:
        """Where samples `a` to `b` of a run lie."""
        if a < b:
            yield Piece(self._start + (run.first + a) * self.packet_bytes + self._block.size, b - a, self.packet_bytes)

    def ticks(self, run: Run, a: int, b: int) -> NDArray[np.uint64]:
        """Timestamps of samples `a` to `b` of a run, as the packets have them."""
        return np.ascontiguousarray(self.stamps[run.first + a : run.first + b])

    def find(self, run: Run, tick: int) -> int:
        """First sample of a run that is not before `tick`; its number of samples where all are."""
        return bisect_left(self.stamps, tick, run.first, run.stop) - run.first

    def last_tick(self, run: Run) -> tuple[int, int]:
        """Tick of the last packet in a run, which stands for one sample."""
        return int(self.stamps[run.stop - 1]), 1


def gaps(index: Index, clock: Clock) -> tuple[Gap, ...]:
    """Every break in time between runs that follow each other."""
    runs = index.runs
    return tuple(
        _gap(k, index.last_tick(run), run.start_tick, after.start_tick, clock)
        for k, (run, after) in enumerate(pairwise(runs))
    )


def _gap(segment: int, last: tuple[int, int], start_tick: int, next_tick: int, clock: Clock) -> Gap:
    excess = clock.excess(*last, next_tick)
    seconds = excess / (clock.den * clock.tick_rate)
    if excess > 0:
        kind = "pause" if seconds >= PAUSE_S else "loss"
    else:
        kind = "reset" if next_tick < start_tick else "overlap"
    missing = (2 * abs(excess) + clock.num) // (2 * clock.num) * (1 if excess > 0 else -1)
    return Gap(segment, kind, missing, excess / clock.num, seconds)
