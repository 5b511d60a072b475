# SPDX-License-Identifier: MIT
"""NSx files of one-sample packets, each with a timestamp of its own, as PTP systems write them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

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
from ..format.numbers import signed_ticks
from ..source.base import Source
from ..traces.extents import Extent
from ..traces.plan import FilledRows, TimedParts
from .gap_search import (
    N_NEIGHBOURS,
    NO_STEPS,
    GapDetector,
    IrregularSteps,
    find_gaps,
    join_steps,
    order_in_time,
    scan_every_timestamp,
)
from .packet_reader import PacketReader, all_single_sample
from .presumed import REGULAR, PresumedTimes
from .scan import NO_PARTS, LongerPacket, Scan

_SORTED_PACKETS = 1 << 16  # at a time
_PART_PACKETS = 1024  # of a part of which nothing is known


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """Where time is broken in a file of one-sample packets."""

    packets: PacketReader
    clock: Clock
    is_fully_scanned: bool = False  # whether every timestamp is read to find the breaks
    known: IrregularSteps = NO_STEPS  # those before packet `n_judged`, from before the file grew
    n_judged: int = 0
    scanned_parts: TimedParts = NO_PARTS
    presumed: PresumedTimes | None = None  # what an export takes for what a full scan would find

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
        if self.is_fully_scanned:
            return self
        scan = Scan(self.packets, self.clock)
        try:
            with self.packets.shared(scan.read, scan.parts()) as mine:
                scan.read(mine, progress)
        except LongerPacket:
            return None
        if progress is not None and self.n_samples:
            progress(self.n_samples, self.n_samples)
        steps, parts = scan.found()
        return PacketIndex(self.packets, self.clock, True, steps, self.n_final, parts)

    def presumed_regular(self) -> PacketIndex | None:
        """The same index, with timestamps that are presumed to be regular between probes; a full scan if they are not.

        None as for `fully_scanned`. `TimestampCheck` holds every timestamp against that.
        """
        presumed = None if self.is_fully_scanned else PresumedTimes.of(self.packets, self.clock, self.spans)
        if presumed is None or self.steps.shuffled.size:
            return self.fully_scanned()
        return replace(self, known=self.steps, n_judged=self.n_samples, presumed=presumed)

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
        if self.presumed is None:
            return self.packets.ticks(a, b)
        headers = self.packets.headers(a, b)
        ticks = np.ascontiguousarray(signed_ticks(headers["tick"]))
        if self.presumed.most_off(ticks, a) > REGULAR or not all_single_sample(headers):
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
            yield TimedParts.unknown(first, min(first + _SORTED_PACKETS, b), _PART_PACKETS)

    def _is_in_order(self, span: SegmentSpan, a: int, b: int) -> bool:
        """Whether packets `a` to `b`, and those that they are sorted with, are known or presumed to be in order."""
        if self.presumed is not None:
            return True
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


class TimestampCheck:
    """Judges the packets of a file while they stream by, against the breaks that probing found."""

    def __init__(self, index: PacketIndex) -> None:
        self._index, self._detector = index, GapDetector(index.clock)
        self._n_shuffled = 0
        self.are_as_planned = True  # the last packets, as close to what is presumed as a plan of rows takes them to be

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
            most_off = index.presumed.most_off(ticks, first)
            if most_off > REGULAR or not all_single_sample(headers):
                raise FullScanNeeded
            self.are_as_planned = most_off <= index.presumed.jitter
        elif index.is_fully_scanned:  # it has read them all; a part of them may begin within a shuffled group
            a, b = np.searchsorted(index.steps.shuffled, (first, first + n_packets))
            self._n_shuffled += int(b - a)
        else:
            self._detector.add(ticks, first)
            if not all_single_sample(headers) or self._detector.has_unknown_break(index.steps.breaks):
                raise FullScanNeeded
        return ticks

    def use_breaks_of(self, other: TimestampCheck | None) -> None:
        """Judge against the breaks of another check, of the same file after it has grown."""
        if other is not None:
            self._index = other._index

    def finish(self) -> int:
        """Judge the last packets; returns the number of samples that are out of order."""
        if self._index.is_fully_scanned or self.is_presumed:
            return self._n_shuffled
        steps = self._detector.finish()
        if steps.unknown_breaks(self._index.steps.breaks).size:
            raise FullScanNeeded
        return steps.shuffled.size


class FullScanNeeded(Exception):
    """Probing missed a break in time or a block of several samples: every packet has to be read."""
