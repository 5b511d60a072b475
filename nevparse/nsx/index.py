# SPDX-License-Identifier: MIT
"""Where the samples of an NSx file are, and where its time is broken.

A *block* is what the file has: a header with a timestamp, then rows of samples. A *run* is an unbroken stretch in
time: one block, several that adjoin within half a sample, or a stretch of one-sample packets. All times are
integer ticks; all comparisons are exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Clock, SegmentsAndSamples, SegmentSpan, TickIntervals, last_not_after, not_found, tick_array
from ..traces.pieces import Extent

_EXACT = 1 << 60  # a quarter of what 64 bits hold, with room for twice a difference


class BlockIndex:
    """An NSx file as a list of blocks (2.1 has one, without a header)."""

    def __init__(self, blocks: Sequence[tuple[int, int, int]], row_bytes: int, clock: Clock) -> None:
        self.clock, self.row_bytes = clock, row_bytes
        self.offsets = [offset for offset, _, _ in blocks]
        self.start_ticks = [tick for _, tick, _ in blocks]
        self.counts = [count for _, _, count in blocks]
        self.starts = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])  # sample before each block
        self.n_samples = int(self.starts[-1])

    @property
    def n_final(self) -> int:
        """All samples: a block's place does not depend on what comes behind it."""
        return self.n_samples

    def continues(self, before: BlockIndex) -> bool:
        """Whether it has what another had, and at most more of its last block, and blocks behind that."""
        n, last = len(before.counts), before.counts[-1:]
        same = (self.offsets[:n], self.start_ticks[:n]) == (before.offsets, before.start_ticks)
        return same and self.counts[: n - 1][:n] == before.counts[:-1] and self.counts[n - 1 : n] >= last

    @cached_property
    def runs(self) -> tuple[SegmentSpan, ...]:
        """Unbroken stretches, in file order."""
        if not self.counts:
            return ()
        edges = np.concatenate([[0], self._breaks() + 1, [len(self.counts)]])
        firsts, stops = edges[:-1].tolist(), edges[1:].tolist()
        ticks = map(self.start_ticks.__getitem__, firsts)
        return tuple(map(SegmentSpan, firsts, stops, ticks, np.diff(self.starts[edges]).tolist()))

    def _breaks(self) -> NDArray[np.intp]:
        """Blocks behind which time is broken."""
        clock, largest = self.clock, max(max(self.start_ticks) * self.clock.den, max(self.counts) * self.clock.num)
        kind = np.int64 if largest < _EXACT else object  # Python's own integers where 64 bits could run over
        ticks, counts = np.array(self.start_ticks, kind), np.array(self.counts, kind)
        return np.flatnonzero(clock.is_break(clock.scaled_gap(ticks[:-1], counts[:-1], ticks[1:])))

    def _parts(self, run: SegmentSpan, a: int, b: int) -> Iterator[tuple[int, int, int]]:
        origin = int(self.starts[run.first_record])
        block = int(np.searchsorted(self.starts, origin + a, "right")) - 1
        while a < b:
            begin = int(self.starts[block]) - origin
            end = min(b, begin + self.counts[block])
            yield block, a - begin, end - begin
            a, block = end, block + 1

    @property
    def first_tick(self) -> int:
        """Timestamp of the first block; 0 where there is none."""
        return self.start_ticks[0] if self.start_ticks else 0

    def locate(self, ticks: NDArray[np.uint64], among: range) -> SegmentsAndSamples:
        """Run among some, and sample in it, that each tick falls in; -1 and -1 where nothing was recorded."""
        if not among:
            return not_found(ticks)
        run, held, first, stop = self._held.find(ticks, among)
        starts = tick_array(self.start_ticks)
        block = last_not_after(starts, ticks, first, stop)
        sample = np.minimum(self.clock.samples(ticks, starts[block]), np.diff(self.starts)[block] - 1)
        sample += self.starts[block] - self.starts[first]
        return np.where(held, run, -1), np.where(held, sample, -1)

    @cached_property
    def _held(self) -> TickIntervals:
        return TickIntervals(self.runs, [self.clock.end(*self.last_tick(run)) for run in self.runs])

    def fully_scanned(self) -> BlockIndex:
        """Itself: it has read every timestamp there is."""
        return self

    def timestamp_check(self) -> None:
        """Nothing: samples have no timestamps of their own."""

    def extents(self, run: SegmentSpan, a: int, b: int, sort: bool = False) -> Iterator[Extent]:  # noqa: ARG002 - is sorted
        """Where samples `a` to `b` of a run lie."""
        for block, begin, end in self._parts(run, a, b):
            yield Extent(self.offsets[block] + begin * self.row_bytes, end - begin, self.row_bytes, since=begin)

    def ticks(self, run: SegmentSpan, a: int, b: int, sort: bool = False) -> NDArray[np.uint64]:  # noqa: ARG002 - is sorted
        """Timestamps of samples `a` to `b` of a run: each block counts from its own."""
        parts = [self.clock.ticks(self.start_ticks[block], begin, end) for block, begin, end in self._parts(run, a, b)]
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)

    def find(self, run: SegmentSpan, tick: int) -> int:
        """First sample of a run that is not before `tick`; its number of samples where all are."""
        block = max(run.first_record, bisect_left(self.start_ticks, tick, run.first_record, run.stop_record) - 1)
        steps = max(0, self.clock.den * (tick - self.start_ticks[block]))
        inside = min(self.counts[block], -(-steps // self.clock.num))
        return min(run.n_samples, int(self.starts[block] - self.starts[run.first_record]) + inside)

    def last_tick(self, run: SegmentSpan) -> tuple[int, int]:
        """Tick of the last block in a run, and its samples: those that it had when the run was found."""
        block = run.stop_record - 1
        return self.start_ticks[block], run.n_samples - int(self.starts[block] - self.starts[run.first_record])
