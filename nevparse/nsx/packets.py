# SPDX-License-Identifier: MIT
"""NSx files of one-sample packets, each with a timestamp of its own, as PTP systems write them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Clock, SegmentsAndSamples, SegmentSpan, TickIntervals, last_not_after, not_found
from ..format import tables
from ..format.layout import Layout
from ..source.base import Source
from ..traces.pieces import Extent
from .gap_search import (
    MARGIN,
    GapDetector,
    IrregularSteps,
    Timestamps,
    extend,
    find_gaps,
    irregular_steps,
    scan_every_timestamp,
    shuffled_groups,
)
from .index import BlockIndex

_PAGE_BYTES = 1 << 16
_ORDERED_ROWS = 1 << 16  # sorted at a time
_SURE_PACKETS = 1024  # so many that no file of blocks begins with them
_PART_BYTES = 1 << 18  # read at a time, and still in the cache when looked at


class PacketIndex:
    """An NSx file of one-sample packets, each with its own timestamp."""

    def __init__(self, source: Source, block: Layout, start: int, n_packets: int, row_bytes: int, clock: Clock) -> None:
        self._source, self._block, self._start, self.clock = source, block, start, clock
        self.packet_bytes = block.size + row_bytes
        self.n_packets = self.n_samples = n_packets
        self._find: Callable[[Timestamps, Clock], IrregularSteps] = find_gaps
        self.is_fully_scanned = False  # whether every timestamp is read to find the breaks

    @property
    def first_tick(self) -> int:
        """Timestamp of the first packet; 0 where there is none."""
        return self.at(0) if self.n_packets else 0

    def locate(self, ticks: NDArray[np.uint64], among: range) -> SegmentsAndSamples:
        """Run among some, and sample in it, that each tick falls in; -1 and -1 where nothing was recorded."""
        if not among:
            return not_found(ticks)
        run, held, first, stop = self._held.find(ticks, among)
        packet = last_not_after(self.stamps, ticks, first, stop)
        return np.where(held, run, -1), np.where(held, packet - first, -1)

    @cached_property
    def _held(self) -> TickIntervals:
        return TickIntervals(self.runs, [self.clock.end(*self.last_tick(run)) for run in self.runs])

    def fully_scanned(self) -> PacketIndex:
        """The same index, which reads every timestamp to find the breaks."""
        if self.is_fully_scanned:
            return self
        other = PacketIndex(self._source, self._block, self._start, self.n_packets, 0, self.clock)
        other.packet_bytes, other._find, other.is_fully_scanned = self.packet_bytes, scan_every_timestamp, True
        return other

    def grown(self) -> PacketIndex:
        """The same index of a file that has grown: what it found stays, and only what is new is looked at."""
        n_packets = max(self.n_packets, self._n_written((self._source.size - self._start) // self.packet_bytes))
        if n_packets == self.n_packets:
            return self
        other = PacketIndex(self._source, self._block, self._start, n_packets, 0, self.clock)
        other.packet_bytes, other.is_fully_scanned = self.packet_bytes, self.is_fully_scanned
        judged = max(0, self.n_packets - MARGIN)  # of the last few the neighbours were missing
        other._find = partial(extend, self.steps, judged, scan_every_timestamp if self.is_fully_scanned else find_gaps)
        return other

    @property
    def n_final(self) -> int:
        """All but those whose neighbours decide whether time is broken beside them."""
        return max(0, self.n_packets - MARGIN)

    def _n_written(self, n_packets: int) -> int:
        """How many of the packets that there is room for are there: systems make room before they write."""
        if n_packets <= self.n_packets or self._is_there(n_packets - 1):
            return n_packets
        return bisect_left(range(n_packets), True, self.n_packets, key=lambda packet: not self._is_there(packet))

    def _is_there(self, packet: int) -> bool:
        flag, _, n_samples = self._header_of(packet)
        return bool(flag == tables.BLOCK_HEADER and n_samples == 1)

    def _header_of(self, packet: int) -> tuple[Any, ...]:
        header = self._source.read(self._block.size, self.offset_of(packet), self._block.name)
        return self._block.packer.unpack(header)

    @property
    def ends_in_blocks(self) -> bool:
        """Whether a block of more or fewer samples follows these few packets: they were short blocks themselves."""
        if self.n_packets >= _SURE_PACKETS or self._source.size < self.offset_of(self.n_packets) + self._block.size:
            return False
        flag, _, n_samples = self._header_of(self.n_packets)
        return bool(flag == tables.BLOCK_HEADER and n_samples != 1)

    def as_blocks(self) -> BlockIndex:
        """The packets as blocks of one sample each."""
        starts = (self.offset_of(packet) + self._block.size for packet in range(self.n_packets))
        ticks, n_each = self.span(0, self.n_packets).tolist(), [1] * self.n_packets
        row_bytes = self.packet_bytes - self._block.size
        return BlockIndex(list(zip(starts, ticks, n_each, strict=True)), row_bytes, self.clock)

    @cached_property
    def header_dtype(self) -> np.dtype[np.void]:
        """A packet as its header, and room for its samples."""
        return self._block.dtype(self.packet_bytes)

    @property
    def stamps(self) -> Any:
        """Every packet's timestamp, to be indexed: a strided view of the file, or what reads them when it is."""
        if not self._source.zero_copy:
            return TimestampPages(self, self.packet_bytes)
        return self._packets(0, self.n_packets)["tick"]

    def all_single_sample(self, first: int = 0) -> bool:
        """Whether every packet from `first` on is what probing took it for: one sample."""
        return all(map(_one_sample_each, self._parts(first, self.n_packets)))

    def _packets(self, a: int, b: int) -> NDArray[np.void]:
        return self._source.view(self.header_dtype, (b - a,), self.offset_of(a))

    def _parts(self, a: int, b: int) -> Iterator[NDArray[np.void]]:
        """Packets `a` to `b`, read by position: of a file that shrank a map would be a fault, and this is an error."""
        n = max(1, min(b - a, _PART_BYTES // self.packet_bytes))
        room = np.empty(n * self.packet_bytes, np.uint8)
        for c in range(a, b, n):
            part = room[: min(n, b - c) * self.packet_bytes]
            self._source.fill(part.data, self.offset_of(c), "packets")
            yield part.view(self.header_dtype)

    def at(self, packet: int) -> int:
        """One timestamp, read by position: a probe costs one page, whatever the system reads ahead of a map."""
        return int(self._header_of(packet)[1])

    def span(self, a: int, b: int) -> NDArray[np.uint64]:
        """Timestamps of packets `a` to `b`."""
        ticks, done = np.empty(max(0, b - a), np.uint64), 0
        for part in self._parts(a, b):
            ticks[done : done + part.size] = part["tick"]
            done += part.size
        return ticks

    @cached_property
    def steps(self) -> IrregularSteps:
        """Where time is broken, and packets met out of order."""
        return self._find(self, self.clock)

    @cached_property
    def runs(self) -> tuple[SegmentSpan, ...]:
        """Unbroken stretches, in file order."""
        edges = [0, *(self.steps.breaks + 1).tolist(), self.n_packets] if self.n_packets else []
        return tuple(SegmentSpan(a, b, self.at(a), b - a) for a, b in pairwise(edges))

    def timestamp_check(self) -> TimestampCheck:
        """Judge the timestamps of packets while they stream by."""
        return TimestampCheck(self)

    def extents(self, run: SegmentSpan, a: int, b: int, sort: bool = False) -> Iterator[Extent]:
        """Where samples `a` to `b` of a run lie; in order of time where `sort`."""
        a, b = run.first_record + a, run.first_record + b
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

    def _piece(self, a: int, b: int) -> Extent:
        return Extent(self._start + a * self.packet_bytes + self._block.size, b - a, self.packet_bytes, a)

    def _order(self, run: SegmentSpan, a: int, b: int) -> NDArray[np.intp]:
        """Packets that come at places `a` to `b` once the shuffled ones among them are sorted by time."""
        first, stop = max(run.first_record, a - 2 * MARGIN), min(run.stop_record, b + 2 * MARGIN)
        ticks = self.span(first, stop)
        order = np.arange(first, stop)
        for i, j in shuffled_groups(irregular_steps(ticks, self.clock).shuffled):
            order[i:j] = first + i + np.argsort(ticks[i:j], kind="stable")
        return order[a - first : b - first]

    def ticks(self, run: SegmentSpan, a: int, b: int, sort: bool = False) -> NDArray[np.uint64]:
        """Timestamps of samples `a` to `b` of a run, as the packets have them."""
        a, b = run.first_record + a, run.first_record + b
        if not sort or a == b:
            return self.span(a, b)
        order = self._order(run, a, b)
        first = order.min()
        ticks: NDArray[np.uint64] = self.span(int(first), int(order.max()) + 1)[order - first]
        return ticks

    def find(self, run: SegmentSpan, tick: int) -> int:
        """First sample of a run, once in order, that is not before `tick`; its number of samples where all are."""
        near = bisect_left(range(run.stop_record), tick, run.first_record, run.stop_record, key=self.at)
        first = max(run.first_record, near - MARGIN)
        around = self.span(first, min(run.stop_record, near + MARGIN)).tolist()
        return first - run.first_record + sum(1 for stamp in around if stamp < tick)

    def last_tick(self, run: SegmentSpan) -> tuple[int, int]:
        """Tick of the last packet in a run, which stands for one sample."""
        return self.at(run.stop_record - 1), 1


class TimestampCheck:
    """Judges the packets of a file while they stream by, against what probing had found."""

    def __init__(self, index: PacketIndex) -> None:
        self._index, self._inspector = index, GapDetector(index.clock)
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
        if self._index.is_fully_scanned:  # which has read them all; a part of them may begin within a shuffled group
            a, b = np.searchsorted(self._index.steps.shuffled, (first, first + n_packets))
            self._n_shuffled += int(b - a)
            return
        headers = self.headers(packets, n_packets)
        self._inspector.feed(headers["tick"], first)
        if not _one_sample_each(headers) or self._inspector.breaks_beside(self._index.steps.breaks):
            raise HiddenGap

    def continue_from(self, other: TimestampCheck | None) -> None:
        """Go on with what another one knows, of the same file when it has grown."""
        if other is not None:
            self._index = other._index

    def finish(self) -> int:
        """Judge what is left; how many samples stand out of order."""
        if self._index.is_fully_scanned:
            return self._n_shuffled
        steps = self._inspector.finish()
        if not np.isin(steps.breaks, self._index.steps.breaks).all():
            raise HiddenGap
        return steps.shuffled.size


def _one_sample_each(headers: NDArray[np.void]) -> bool:
    return bool(((headers["header"] == tables.BLOCK_HEADER) & (headers["n_samples"] == 1)).all())


class HiddenGap(Exception):
    """The packets are not what probing said; they have to be read one by one."""


class TimestampPages:
    """Timestamps that can be indexed by packets, as those of a mapped file can.

    Where several of one page of the file are asked for, it is read and kept; one alone is read by itself. So a search
    for a few of them costs a few bytes, and one for very many reads the file once.

    Parameters
    ----------
    stamps : Stamps
        What reads them.
    packet_bytes : int
        From one to the next.
    """

    def __init__(self, stamps: Timestamps, packet_bytes: int) -> None:
        self._stamps, self._n_each = stamps, max(1, _PAGE_BYTES // packet_bytes)
        self._pages: dict[int, NDArray[np.uint64]] = {}

    def __getitem__(self, packets: NDArray[np.intp]) -> NDArray[np.uint64]:
        wanted, places = np.unique(packets, return_inverse=True)
        edges = [0, *(np.flatnonzero(np.diff(wanted // self._n_each)) + 1).tolist(), wanted.size]
        return np.concatenate([self._of_one_page(wanted[a:b]) for a, b in pairwise(edges)])[places]

    def _of_one_page(self, packets: NDArray[np.intp]) -> NDArray[np.uint64]:
        page = int(packets[0]) // self._n_each
        first = page * self._n_each
        if page not in self._pages:
            if packets.size == 1:
                return np.array([self._stamps.at(int(packets[0]))], np.uint64)
            self._pages[page] = self._stamps.span(first, min(first + self._n_each, self._stamps.n_packets))
        return self._pages[page][packets - first]


SampleIndex = BlockIndex | PacketIndex
