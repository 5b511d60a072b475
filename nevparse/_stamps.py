# SPDX-License-Identifier: MIT
"""NSx files of one-sample packets, each with a timestamp of its own, as PTP systems write them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from . import spec
from ._breaks import MARGIN, Inspector, Stamps, Steps, find_breaks, groups, odd_steps, scan
from ._clock import Clock, last_not_after
from ._index import Held, Located, Piece, Run, nowhere
from ._layout import Layout
from ._source import Source

_ORDERED_ROWS = 1 << 16  # sorted at a time


class PacketIndex:
    """An NSx file of one-sample packets, each with its own timestamp."""

    def __init__(self, source: Source, block: Layout, start: int, n_packets: int, row_bytes: int, clock: Clock) -> None:
        self._source, self._block, self._start, self.clock = source, block, start, clock
        self.packet_bytes = block.size + row_bytes
        self.n_packets = self.n_samples = n_packets
        self._find: Callable[[Stamps, Clock], Steps] = find_breaks

    @property
    def first_tick(self) -> int:
        """Timestamp of the first packet; 0 where there is none."""
        return self.at(0) if self.n_packets else 0

    def locate(self, ticks: NDArray[np.uint64], among: range) -> Located:
        """Run among some, and sample in it, that each tick falls in; -1 and -1 where nothing was recorded."""
        if not among:
            return nowhere(ticks)
        run, held, first, stop = self._held.by(ticks, among)
        packet = last_not_after(self.stamps, ticks, first, stop)
        return np.where(held, run, -1), np.where(held, packet - first, -1)

    @cached_property
    def _held(self) -> Held:
        return Held(self.runs, [self.clock.end(*self.last_tick(run)) for run in self.runs])

    def exact(self) -> PacketIndex:
        """The same index, which reads every timestamp to find the breaks."""
        other = PacketIndex(self._source, self._block, self._start, self.n_packets, 0, self.clock)
        other.packet_bytes, other._find = self.packet_bytes, scan
        return other

    @property
    def is_exact(self) -> bool:
        """Whether it reads every timestamp to find the breaks."""
        return self._find is scan

    @cached_property
    def header_dtype(self) -> np.dtype[np.void]:
        """A packet as its header, and room for its samples."""
        return self._block.dtype(self.packet_bytes)

    @property
    def stamps(self) -> NDArray[np.uint64]:
        """Every packet's timestamp: a strided view of the file."""
        packets = self._source.view(self.header_dtype, (self.n_packets,), self._start)
        stamps: NDArray[np.uint64] = packets["tick"]
        return stamps

    def even(self) -> bool:
        """Whether every packet is what probing took it for: one sample."""
        view = self._source.view(self.header_dtype, (self.n_packets,), self._start)
        parts = (view[at : at + _ORDERED_ROWS] for at in range(0, self.n_packets, _ORDERED_ROWS))
        return all(_one_sample_each(part) for part in parts)

    def at(self, packet: int) -> int:
        """One timestamp, read by position: a probe costs one page, whatever the system reads ahead of a map."""
        header = self._source.read(self._block.size, self._start + packet * self.packet_bytes, self._block.name)
        return int(self._block.packer.unpack(header)[1])

    def span(self, a: int, b: int) -> NDArray[np.uint64]:
        """Timestamps of packets `a` to `b`."""
        return np.ascontiguousarray(self.stamps[a:b])

    @cached_property
    def steps(self) -> Steps:
        """Where time is broken, and packets met out of order."""
        return self._find(self, self.clock)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Unbroken stretches, in file order."""
        edges = [0, *(self.steps.breaks + 1).tolist(), self.n_packets] if self.n_packets else []
        return tuple(Run(a, b, self.at(a), b - a) for a, b in pairwise(edges))

    def watcher(self) -> Watcher:
        """Judge the timestamps of packets while they stream by."""
        return Watcher(self)

    def pieces(self, run: Run, a: int, b: int, sort: bool = False) -> Iterator[Piece]:
        """Where samples `a` to `b` of a run lie; in order of time where `sort`."""
        a, b = run.first + a, run.first + b
        if not sort:
            yield from [self._piece(a, b)] if a < b else []
            return
        for c in range(a, b, _ORDERED_ROWS):
            order = self._order(run, c, min(b, c + _ORDERED_ROWS))
            edges = [0, *(np.flatnonzero(np.diff(order) != 1) + 1).tolist(), order.size]
            yield from (self._piece(int(order[i]), int(order[i]) + j - i) for i, j in pairwise(edges))

    def offset_of(self, packet: int) -> int:
        """Where a packet starts in the file."""
        return self._start + packet * self.packet_bytes

    def _piece(self, a: int, b: int) -> Piece:
        return Piece(self._start + a * self.packet_bytes + self._block.size, b - a, self.packet_bytes, a)

    def _order(self, run: Run, a: int, b: int) -> NDArray[np.intp]:
        """Packets that come at places `a` to `b` once the shuffled ones among them are sorted by time."""
        first, stop = max(run.first, a - 2 * MARGIN), min(run.stop, b + 2 * MARGIN)
        ticks = self.span(first, stop)
        order = np.arange(first, stop)
        for i, j in groups(odd_steps(ticks, self.clock).shuffled):
            order[i:j] = first + i + np.argsort(ticks[i:j], kind="stable")
        return order[a - first : b - first]

    def ticks(self, run: Run, a: int, b: int, sort: bool = False) -> NDArray[np.uint64]:
        """Timestamps of samples `a` to `b` of a run, as the packets have them."""
        a, b = run.first + a, run.first + b
        return self.stamps[self._order(run, a, b)] if sort else self.span(a, b)

    def find(self, run: Run, tick: int) -> int:
        """First sample of a run, once in order, that is not before `tick`; its number of samples where all are."""
        near: int = bisect_left(self.stamps, tick, run.first, run.stop, key=int)  # exact, as uint64 is not
        first = max(run.first, near - MARGIN)
        around = self.span(first, min(run.stop, near + MARGIN)).tolist()
        return first - run.first + sum(1 for stamp in around if stamp < tick)

    def last_tick(self, run: Run) -> tuple[int, int]:
        """Tick of the last packet in a run, which stands for one sample."""
        return self.at(run.stop - 1), 1


class Watcher:
    """Judges the packets of a file while they stream by, against what probing had found."""

    def __init__(self, index: PacketIndex) -> None:
        self._index, self._inspector = index, Inspector(index.clock)
        self._n_shuffled = 0

    def headers(self, packets: NDArray[np.uint8], n_packets: int) -> NDArray[np.void]:
        """Packets that were read, in a buffer, as their headers."""
        headers: NDArray[np.void] = np.ndarray((n_packets,), self._index.header_dtype, packets.data)
        return headers

    def feed(self, packets: NDArray[np.uint8], n_packets: int, first: int) -> None:
        """Take packets `first` and on.

        Raises
        ------
        MissedBreak
            Where time is broken and probing had not found it, or a packet is not of one sample.
        """
        if self._index.is_exact:  # which has read them all; a part of them may begin within a shuffled group
            a, b = np.searchsorted(self._index.steps.shuffled, (first, first + n_packets))
            self._n_shuffled += int(b - a)
            return
        headers = self.headers(packets, n_packets)
        self._inspector.feed(headers["tick"], first)
        if not _one_sample_each(headers) or self._inspector.breaks_beside(self._index.steps.breaks):
            raise MissedBreak

    def finish(self) -> int:
        """Judge what is left; how many samples stand out of order."""
        if self._index.is_exact:
            return self._n_shuffled
        steps = self._inspector.finish()
        if not np.isin(steps.breaks, self._index.steps.breaks).all():
            raise MissedBreak
        return steps.shuffled.size


def _one_sample_each(headers: NDArray[np.void]) -> bool:
    return bool(((headers["header"] == spec.BLOCK_HEADER) & (headers["n_samples"] == 1)).all())


class MissedBreak(Exception):
    """The packets are not what probing said; they have to be read one by one."""
