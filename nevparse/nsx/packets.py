# SPDX-License-Identifier: MIT
"""NSx files of one-sample packets, each with a timestamp of its own, as PTP systems write them."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import (
    LONGEST_GROUP,
    Clock,
    SampleRange,
    SegmentSpan,
    are_within,
    join_ranges,
    last_nearby_not_after,
    last_not_after,
)
from ..errors import Progress
from ..format import tables
from ..format.layout import Layout
from ..format.numbers import signed_tick, signed_ticks
from ..source.base import Source
from ..source.threads import shared_with_second_thread
from ..traces.extents import Extent
from ..traces.plan import FilledRows, TimedParts
from .gap_search import (
    N_NEIGHBOURS,
    NO_STEPS,
    GapDetector,
    IrregularSteps,
    find_gaps,
    irregular_steps,
    join_steps,
    order_in_time,
    scan_every_timestamp,
)
from .presumed import PresumedTimes

_PAGE_BYTES = 1 << 16
_SORTED_PACKETS = 1 << 16  # at a time
_SURE_PACKETS = 1024  # no file of blocks begins with this number of packets
_READ_BYTES, _JUDGED_BYTES = 1 << 20, 1 << 24  # at a time; what was read is still in the cache when it is used
_MOST_JUDGED = 1 << 17  # packets, of which there are many in few bytes: each takes 80 bytes of memory meanwhile
_FEWEST_SHARED = 8  # parts: fewer are read before a second thread has started
_TIMED_PACKETS = 1024  # with fewer, a plan has more parts to pass over; with more, more to look at again


NO_PARTS = TimedParts.unknown(0, 0, 1)
PieceT = TypeVar("PieceT")


@dataclass(frozen=True, eq=False)
class PacketReader:
    """The packets of a file: a header, and one sample of every channel, each.

    Read by position, not mapped: a probe costs one page, and a file that became shorter is an error, not a fault.
    """

    source: Source
    layout: Layout  # of a header
    start: int  # byte of the first packet
    packet_bytes: int
    n_packets: int

    @property
    def header_dtype(self) -> np.dtype[np.void]:
        """A packet as its header, and room for its samples."""
        return self.layout.dtype(self.packet_bytes)

    def offset_of(self, packet: int) -> int:
        """Where a packet starts in the file."""
        return self.start + packet * self.packet_bytes

    def header(self, packet: int) -> tuple[Any, ...]:
        """Header byte, tick and number of samples of one packet."""
        return self.layout.packer.unpack(self.source.read(self.layout.size, self.offset_of(packet), self.layout.name))

    def tick(self, packet: int) -> int:
        """The timestamp of one packet."""
        return signed_tick(self.header(packet)[1])

    def ticks(self, a: int, b: int) -> NDArray[np.int64]:
        """Timestamps of packets `a` to `b`."""
        ticks, n_each = np.empty(max(0, b - a), np.int64), self.n_within(_READ_BYTES)

        def read(firsts: Iterable[int]) -> None:
            headers, read = np.empty(min(n_each, ticks.size), self.layout.dtype()), HeaderReader(self, ticks.size)
            for first in firsts:
                some = ticks[first - a : first - a + n_each]
                some[:] = signed_ticks(read(first, headers[: some.size])["tick"])

        with self.shared(read, range(a, b, n_each)) as mine:
            read(mine)
        return ticks

    def all_single_sample(self, a: int = 0, b: int | None = None) -> bool:
        """Whether each of packets `a` to `b` has one sample."""
        b = self.n_packets if b is None else b
        n_each = min(self.n_within(_READ_BYTES), max(1, b - a))
        headers, read = np.empty(n_each, self.layout.dtype()), HeaderReader(self, n_each)
        parts = (read(first, headers[: b - first]) for first in range(a, b, n_each))
        return all(map(_all_single_sample, parts))

    def n_within(self, n_bytes: int) -> int:
        """Packets that so many bytes hold, at least one."""
        return max(1, n_bytes // self.packet_bytes)

    def shared(
        self, work: Callable[[Iterable[PieceT]], object], pieces: Collection[PieceT]
    ) -> AbstractContextManager[Iterable[PieceT]]:
        """Share pieces of reading with a second thread if there are many: what is to be read here.

        The pieces are next to each other in the file, so that a drive that is slow to seek reads on.
        """
        if len(pieces) < _FEWEST_SHARED or not self.source.zero_copy:  # a caller's object stays in the caller's thread
            return nullcontext(pieces)
        return shared_with_second_thread(work, pieces)

    def grown(self) -> PacketReader:
        """These and those written since: systems make room in a file before they write to it."""
        n_fit = (self.source.size - self.start) // self.packet_bytes
        if n_fit > self.n_packets and not self.is_one_sample_packet(n_fit - 1):
            n_fit = bisect_left(range(n_fit), True, self.n_packets, key=lambda n: not self.is_one_sample_packet(n))
        return replace(self, n_packets=max(self.n_packets, n_fit))

    def is_one_sample_packet(self, packet: int) -> bool:
        """Whether this is a packet of one sample, not preallocated space."""
        flag, _, n_samples = self.header(packet)
        return bool(flag == tables.BLOCK_HEADER and n_samples == 1)

    @property
    def last_is_complete(self) -> bool:
        """Whether the last packet is still one: a block that had one sample when it was read may have more now."""
        return self.n_packets == 0 or self.is_one_sample_packet(self.n_packets - 1)

    @property
    def end_in_blocks(self) -> bool:
        """Whether a block of more or fewer samples follows these few packets, which were short blocks then."""
        end = self.offset_of(self.n_packets)
        if self.n_packets >= _SURE_PACKETS or self.source.size < end + self.layout.size:
            return False
        flag, _, n_samples = self.header(self.n_packets)
        return bool(flag == tables.BLOCK_HEADER and n_samples != 1)

    def searchable_ticks(self) -> Any:
        """Every timestamp, to be indexed by packets: a strided view of a mapped file, or pages of any other."""
        if not self.source.zero_copy:
            return TimestampPages(self)
        return signed_ticks(self.source.view(self.header_dtype, (self.n_packets,), self.start)["tick"])


class HeaderReader:
    """Reads the headers of up to `n_most` packets at a time, without their samples, through a buffer of its own."""

    def __init__(self, packets: PacketReader, n_most: int) -> None:
        self._packets, n = packets, min(n_most, packets.n_within(_READ_BYTES))
        self._buffer = np.empty(n * packets.packet_bytes, np.uint8)
        header = np.dtype(f"V{packets.layout.size}")  # as opaque bytes, by memcpy
        self._read = np.ndarray((n,), header, self._buffer.data, strides=(packets.packet_bytes,))

    def __call__(self, first: int, headers: NDArray[np.void]) -> NDArray[np.void]:
        """Read the headers of packets `first` and on into an array of them, and give it."""
        n_bytes = headers.size * self._packets.packet_bytes
        self._packets.source.fill(self._buffer.data[:n_bytes], self._packets.offset_of(first), "packets")
        np.copyto(headers.view(self._read.dtype), self._read[: headers.size])
        return headers


class TimestampPages:
    """Timestamps of a file that cannot be mapped, indexed by packets; a page that several are on is read once."""

    def __init__(self, packets: PacketReader) -> None:
        self._packets, self._n_each = packets, max(1, _PAGE_BYTES // packets.packet_bytes)
        self._pages: dict[int, NDArray[np.int64]] = {}

    def __getitem__(self, packets: NDArray[np.intp]) -> NDArray[np.int64]:
        unique, places = np.unique(packets, return_inverse=True)
        edges = [0, *(np.flatnonzero(np.diff(unique // self._n_each)) + 1).tolist(), unique.size]
        return np.concatenate([self._ticks_of_page(unique[a:b]) for a, b in pairwise(edges)])[places]

    def _ticks_of_page(self, packets: NDArray[np.intp]) -> NDArray[np.int64]:
        page = int(packets[0]) // self._n_each
        first = page * self._n_each
        if page not in self._pages:
            if packets.size == 1:
                return np.array([self._packets.tick(int(packets[0]))], np.int64)
            self._pages[page] = self._packets.ticks(first, min(first + self._n_each, self._packets.n_packets))
        return self._pages[page][packets - first]


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """Where time is broken in a file of one-sample packets."""

    packets: PacketReader
    clock: Clock
    is_fully_scanned: bool = False  # whether every timestamp is read to find the breaks
    known: IrregularSteps = NO_STEPS  # those before packet `n_judged`, from before the file grew
    n_judged: int = 0
    scanned_parts: TimedParts = NO_PARTS
    presumed: PresumedTimes | None = None  # where it is presumed, and not known, what a full scan would find

    @property
    def n_samples(self) -> int:
        """One for each packet."""
        return self.packets.n_packets

    @property
    def n_final(self) -> int:
        """All but those whose neighbours decide whether time is broken beside them."""
        return max(0, self.n_samples - N_NEIGHBOURS)

    @property
    def first_tick(self) -> int:
        """Timestamp of the first packet; 0 without packets."""
        return self.packets.tick(0) if self.n_samples else 0

    def fully_scanned(self, progress: Progress | None = None) -> PacketIndex | None:
        """The same index, with breaks found by reading every header; None where a packet has not one sample."""
        if self.is_fully_scanned and self.presumed is None:
            return self
        scan = _Scan(self.packets, self.clock)
        try:
            with self.packets.shared(scan.read, scan.parts()) as mine:
                scan.read(mine, progress)
        except _LongerPacket:
            return None
        if progress is not None and self.n_samples:
            progress(self.n_samples, self.n_samples)
        steps, parts = scan.found()
        return PacketIndex(self.packets, self.clock, True, steps, self.n_final, parts)

    def presumed_regular(self) -> PacketIndex | None:
        """The same index as a full scan would give where timestamps are regular between probes, else a full scan.

        `TimestampCheck` holds every timestamp against that.
        """
        presumed = None if self.is_fully_scanned else PresumedTimes.of(self.packets, self.clock, self.spans)
        if presumed is None or self.steps.shuffled.size:
            return self.fully_scanned()
        n = self.n_samples
        return replace(self, is_fully_scanned=True, known=self.steps, n_judged=n, presumed=presumed)

    def grown(self) -> PacketIndex:
        """The index of a file that has grown: breaks stay where they are, and only new packets are judged."""
        packets = self.packets.grown()
        if packets.n_packets == self.n_samples:
            return self
        return replace(self, packets=packets, known=self.steps, n_judged=self.n_final)

    @cached_property
    def steps(self) -> IrregularSteps:
        """Where time is broken, and packets that were met out of order."""
        find = scan_every_timestamp if self.is_fully_scanned else find_gaps
        first = max(0, self.n_judged - N_NEIGHBOURS)
        later = replace(self.packets, start=self.packets.offset_of(first), n_packets=self.n_samples - first)
        steps = find(later, self.clock).within(self.n_judged, self.n_samples, first)
        return join_steps([self.known.within(0, self.n_judged), steps])

    @cached_property
    def spans(self) -> tuple[SegmentSpan, ...]:
        """The packets of each segment, in file order."""
        edges = [0, *(self.steps.breaks + 1).tolist(), self.n_samples] if self.n_samples else []
        return tuple(SegmentSpan(a, b, self.packets.tick(a), b - a) for a, b in pairwise(edges))

    def extents(self, span: SegmentSpan, a: int, b: int, sort: bool = False) -> Iterator[Extent]:
        """Where samples `a` to `b` of a segment lie; in order of time where `sort`."""
        a, b = span.first_record + a, span.first_record + b
        if not sort or self._is_in_order(span, a, b):
            yield from [self._extent(a, b)] if a < b else []
            return
        for first in range(a, b, _SORTED_PACKETS):
            order = self._in_order(span, first, min(b, first + _SORTED_PACKETS))
            edges = [0, *(np.flatnonzero(np.diff(order) != 1) + 1).tolist(), order.size]
            yield from (self._extent(int(order[i]), int(order[i]) + j - i) for i, j in pairwise(edges))

    def _extent(self, a: int, b: int) -> Extent:
        packets = self.packets
        return Extent(packets.source, packets.offset_of(a) + packets.layout.size, b - a, packets.packet_bytes, a)

    def _in_order(self, span: SegmentSpan, a: int, b: int) -> NDArray[np.intp]:
        """The packets that take places `a` to `b` once the shuffled ones among them are sorted by time."""
        if self._is_in_order(span, a, b):
            return np.arange(a, b)
        first, stop = max(span.first_record, a - 2 * N_NEIGHBOURS), min(span.stop_record, b + 2 * N_NEIGHBOURS)
        order = order_in_time(self.packets.ticks(first, stop), self.clock)
        return first + order[a - first : b - first]

    def ticks(self, span: SegmentSpan, a: int, b: int, sort: bool = False) -> NDArray[np.int64]:
        """Timestamps of samples `a` to `b` of a segment, as recorded; in order of time where `sort`."""
        a, b = span.first_record + a, span.first_record + b
        if not sort or a == b:
            return self.packets.ticks(a, b)
        if self.presumed is not None:
            return self._regular_ticks(a, b)
        order = self._in_order(span, a, b)
        first = order.min()
        ticks: NDArray[np.int64] = self.packets.ticks(int(first), int(order.max()) + 1)[order - first]
        return ticks

    def _regular_ticks(self, a: int, b: int) -> NDArray[np.int64]:
        """Timestamps of packets `a` to `b` of a segment, which decide what is exported and may not be in it themselves.

        Raises FullScanNeeded where regular ones are presumed, and these are not.
        """
        ticks, presumed = self.packets.ticks(a, b), self.presumed
        if presumed is not None and not (presumed.hold_for(ticks, a) and self.packets.all_single_sample(a, b)):
            raise FullScanNeeded
        return ticks

    def timed_parts(self, span: SegmentSpan, a: int, b: int) -> Iterator[TimedParts]:
        """Samples `a` to `b` of a segment in parts, and how regular their timestamps are as far as that is known."""
        offset = span.first_record
        a, b = offset + a, offset + b
        if self.presumed is not None:
            several = self.presumed.parts(span, a, b)
        else:
            several = self._scanned_parts(a, b)
        return (parts.shifted(-offset) for parts in several)

    def _scanned_parts(self, a: int, b: int) -> Iterator[TimedParts]:
        """Packets `a` to `b` of the file, and how regular they are where a scan said so of a whole part."""
        scanned, done = self.scanned_parts, a
        some = slice(np.searchsorted(scanned.stop, a, "right"), np.searchsorted(scanned.start, b))
        start, stop = scanned.start[some], scanned.stop[some]
        if start.size:
            first_shuffled, next_shuffled = np.searchsorted(self.steps.shuffled, [start, stop])
            is_known = (first_shuffled == next_shuffled) & (start >= a)
            earliest = np.where(is_known, scanned.earliest[some], -np.inf)
            latest = np.where(is_known, scanned.latest[some], np.inf)
            yield TimedParts(start.clip(a, b), stop.clip(a, b), scanned.first_tick[some], earliest, latest)
            done = min(b, int(stop[-1]))
        for first in range(done, b, _SORTED_PACKETS):
            yield TimedParts.unknown(first, min(first + _SORTED_PACKETS, b), _TIMED_PACKETS)

    def _is_in_order(self, span: SegmentSpan, a: int, b: int) -> bool:
        """Whether it is known that none of packets `a` to `b` was met out of order, nor any that it is sorted with."""
        first, stop = max(span.first_record, a - 2 * N_NEIGHBOURS), min(span.stop_record, b + 2 * N_NEIGHBOURS)
        return self.is_fully_scanned and not np.ptp(np.searchsorted(self.steps.shuffled, (first, stop)))

    def ticks_of(self, span: SegmentSpan, samples: NDArray[np.int64], sort: bool) -> NDArray[np.int64]:
        """Timestamps of these samples of a segment; in order of time where `sort`."""
        packets = span.first_record + samples
        if sort and self.steps.shuffled.size:
            places, moved = self._moved
            near = np.searchsorted(places, packets).clip(max=places.size - 1)
            packets = np.where(places[near] == packets, moved[near], packets)
        ticks: NDArray[np.int64] = self.packets.searchable_ticks()[packets]
        return ticks

    @cached_property
    def _moved(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Places whose packet is another one once shuffled packets are sorted, and the packet that each gets."""
        places = self.steps.shuffled
        runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
        stops = np.array([span.stop_record for span in self.spans])
        of_run = np.searchsorted(stops, [run[0] for run in runs], "right").tolist()
        moved = [
            self._in_order(self.spans[number], int(run[0]), int(run[-1]) + 1)
            for number, run in zip(of_run, runs, strict=True)
        ]
        return places, np.concatenate(moved)

    def find(self, span: SegmentSpan, tick: int) -> int:
        """First sample of a segment, once in order, that is not before `tick`; its number of samples where all are."""
        near = bisect_left(range(span.stop_record), tick, span.first_record, span.stop_record, key=self.packets.tick)
        first = max(span.first_record, near - N_NEIGHBOURS)
        ticks = self._regular_ticks(first, min(span.stop_record, near + N_NEIGHBOURS)).tolist()
        return first - span.first_record + sum(1 for other in ticks if other < tick)

    def within(self, span: SegmentSpan, start_tick: int | None, stop_tick: int | None, sort: bool) -> list[SampleRange]:
        """The samples of a segment in a range of ticks: several parts where it cuts a shuffled group that stays so."""
        start = 0 if start_tick is None else self.find(span, start_tick)
        stop = span.n_samples if stop_tick is None else self.find(span, stop_tick)
        if sort or start > stop:
            return [(start, stop)] if start < stop else []
        first, last = max(0, start - LONGEST_GROUP), min(span.n_samples, stop + LONGEST_GROUP)
        edges = sorted({first, min(last, start + LONGEST_GROUP), max(first, stop - LONGEST_GROUP), last})
        return join_ranges(
            part
            for a, b in pairwise(edges)
            for part in (
                [(a, b)]
                if start + LONGEST_GROUP <= a and b <= stop - LONGEST_GROUP  # all of them are inside
                else self._runs_within(span, a, b, start_tick, stop_tick)
            )
        )

    def _runs_within(
        self, span: SegmentSpan, a: int, b: int, start_tick: int | None, stop_tick: int | None
    ) -> list[SampleRange]:
        """Unbroken parts of samples `a` to `b` that are in a range of ticks."""
        ticks = self.packets.ticks(span.first_record + a, span.first_record + b)
        edges = np.flatnonzero(np.diff(are_within(ticks, start_tick, stop_tick), prepend=False, append=False)) + a
        return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

    def locate(self, ticks: NDArray[np.int64], first: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sample that each tick falls in, counted from packet `first`, among packets `first` to `stop`."""
        timestamps = self.packets.searchable_ticks()
        if self.is_fully_scanned and not self.steps.shuffled.size:
            return last_not_after(timestamps, ticks, first, stop) - first
        return last_nearby_not_after(self.clock, timestamps, ticks, first, stop) - first

    def last_timestamp(self, span: SegmentSpan) -> tuple[int, int]:
        """Tick of the last timestamp of a segment, and the samples from it on."""
        return self.packets.tick(span.stop_record - 1), 1


class _Scan:
    """Reads and judges every packet of a file; two threads may do so at once.

    Parts of the file are read one after the other, so that a drive that is slow to seek reads on. They are judged in
    groups, each by the thread that reads its last part: with less at a time the threads would wait for each other.
    """

    def __init__(self, packets: PacketReader, clock: Clock) -> None:
        self._packets, self._clock, self._n_read = packets, clock, packets.n_within(_READ_BYTES)
        n_judged = min(_MOST_JUDGED, packets.n_within(_JUDGED_BYTES))
        self._n_judged = max(1, n_judged // _TIMED_PACKETS) * _TIMED_PACKETS  # in each group
        self._begun = dict[int, tuple[NDArray[np.void], deque[int]]]()  # headers, and the parts that are not yet read
        self._judged = dict[int, tuple[IrregularSteps, TimedParts]]()

    def parts(self) -> list[tuple[int, int]]:
        """The first packets of a group and of a part of it; a group begins and ends with those that it is judged by."""
        groups = range(0, self._packets.n_packets, self._n_judged)
        return [(group, first) for group in groups for first in self._parts_of(group)]

    def read(self, parts: Iterable[tuple[int, int]], progress: Progress | None = None) -> None:
        """Read parts, and judge each group that is complete with one; _LongerPacket where one is longer."""
        read, n_packets, n_shown = HeaderReader(self._packets, self._n_read), self._packets.n_packets, 0
        for group, first in parts:
            packets = self._parts_of(group)
            new = np.empty(packets.stop - packets.start, self._packets.layout.dtype()), deque(packets)
            headers, unread = self._begun.setdefault(group, new)  # one step: the other thread may begin it too
            read(first, headers[first - packets.start :][: self._n_read])
            if unread.pop() == packets.start:
                del self._begun[group]
                self._judged[group] = self._judge(headers, packets.start, group)
            n_done = len(self._judged) * self._n_judged  # by both threads
            if progress is not None and n_shown < n_done < n_packets:
                progress(n_done, n_packets)
                n_shown = n_done

    def found(self) -> tuple[IrregularSteps, TimedParts]:
        """The irregular steps of the file, and how regular its parts are."""
        steps, parts = zip((NO_STEPS, NO_PARTS), *(self._judged[group] for group in sorted(self._judged)), strict=True)
        return join_steps(steps), TimedParts.joined(parts)

    def _parts_of(self, group: int) -> range:
        """The first packets of the parts of a group."""
        stop = min(self._packets.n_packets, group + self._n_judged + N_NEIGHBOURS)
        return range(max(0, group - N_NEIGHBOURS), stop, self._n_read)

    def _judge(self, headers: NDArray[np.void], first: int, group: int) -> tuple[IrregularSteps, TimedParts]:
        """Judge a group by its headers, those of packets `first` and on."""
        if not _all_single_sample(headers):
            raise _LongerPacket
        ticks = np.ascontiguousarray(signed_ticks(headers["tick"]))
        steps = irregular_steps(ticks, self._clock).within(group, group + self._n_judged, first)
        return steps, _timed_parts(ticks[group - first :][: self._n_judged], group, self._clock)


class TimestampCheck:
    """Judges the packets of a file while they stream by, against the breaks that probing found."""

    def __init__(self, index: PacketIndex) -> None:
        self._index, self._detector = index, GapDetector(index.clock)
        self._n_shuffled = 0

    @property
    def is_presumed(self) -> bool:
        """Whether rows were planned by what probing lets presume."""
        return self._index.presumed is not None

    def add_filled(self, rows: FilledRows) -> None:
        """Filled rows have no packets."""

    def add_packets(
        self,
        packets: NDArray[np.uint8],
        n_packets: int,
        source: Source,  # noqa: ARG002
        first: int,
    ) -> NDArray[np.int64]:
        """Take packets `first` and on of a file, and give their timestamps.

        Raises FullScanNeeded where probing missed a break or a longer packet, or let something wrong be presumed.
        """
        headers: NDArray[np.void] = np.ndarray((n_packets,), self._index.packets.header_dtype, packets.data)
        ticks = np.ascontiguousarray(signed_ticks(headers["tick"]))
        index = self._index
        if index.presumed is not None:
            if not (_all_single_sample(headers) and index.presumed.hold_for(ticks, first)):
                raise FullScanNeeded
        elif index.is_fully_scanned:  # it has read them all; a part of them may begin within a shuffled group
            a, b = np.searchsorted(index.steps.shuffled, (first, first + n_packets))
            self._n_shuffled += int(b - a)
        else:
            self._detector.add(ticks, first)
            if not _all_single_sample(headers) or self._detector.has_unknown_break(index.steps.breaks):
                raise FullScanNeeded
        return ticks

    def use_breaks_of(self, other: TimestampCheck | None) -> None:
        """Judge against the breaks of another check, of the same file after it has grown."""
        if other is not None:
            self._index = other._index

    def finish(self) -> int:
        """Judge the last packets; returns the number of samples that are out of order."""
        if self._index.is_fully_scanned:
            return self._n_shuffled
        steps = self._detector.finish()
        if steps.unknown_breaks(self._index.steps.breaks).size:
            raise FullScanNeeded
        return steps.shuffled.size


def _timed_parts(ticks: NDArray[np.int64], first: int, clock: Clock) -> TimedParts:
    """How regular the timestamps of packets `first` and on are, `_TIMED_PACKETS` at a time, and those that remain."""
    n_whole, parts = ticks.size - ticks.size % _TIMED_PACKETS, [NO_PARTS]
    for rows in (ticks[:n_whole].reshape(-1, _TIMED_PACKETS), ticks[n_whole:].reshape(1, -1)):
        if rows.size:
            late = (rows - rows[:, :1]) * (clock.den / clock.num)
            late -= np.arange(float(rows.shape[1]))
            starts = np.arange(first, first + rows.size, rows.shape[1], dtype=np.int64)
            parts.append(TimedParts(starts, starts + rows.shape[1], rows[:, 0], late.min(axis=1), late.max(axis=1)))
            first += rows.size
    return TimedParts.joined(parts)


def _all_single_sample(headers: NDArray[np.void]) -> bool:
    is_single = (headers["header"] == tables.BLOCK_HEADER) & (headers["n_samples"] == 1)
    return bool(np.count_nonzero(is_single) == is_single.size)


class _LongerPacket(Exception):
    """A block of several samples was met."""


class FullScanNeeded(Exception):
    """Probing missed a break in time or a block of several samples: every packet has to be read."""
