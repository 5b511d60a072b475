# SPDX-License-Identifier: MIT
"""Timestamps of one-sample packets as they are presumed to be between those that were probed.

Which samples are out of order, and which are left out or repeated to keep the nominal rate, depends on every timestamp.
An export reads them all in any case. So it is planned as if time went by evenly from probe to probe, and holds every
timestamp against the plan as it reads it; where one is off, it begins anew and reads them all first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock, SegmentSpan
from ..traces.plan import TimedParts
from .gap_search import NO_STEPS, PROBE_STRIDE, Timestamps, irregular_steps

_MEASURED, _MEASURED_PACKETS = 16, 256  # places where jitter is measured, and packets that are read at each
REGULAR = 0.15  # samples: packets that are off by no more have no irregular step between them
_LEAST_JITTER = 0.02  # samples: what is measured in a few places may be less than it is elsewhere
_FEWEST_PACKETS = 1024  # of a segment, on average: with fewer, probing does not pay
_PART_PACKETS, _PARTS_AT_ONCE = 256, 4096  # parts that a plan looks at; probes are a multiple of them apart


class PresumedTimes(NamedTuple):
    """By how many samples packets are late, at the nominal rate after the first packet of their segment."""

    clock: Clock
    spans: Sequence[SegmentSpan]
    packets: list[int]  # those that were probed, of all segments, the first and the last of each, and the file's end
    late: list[float]  # of each; of the packets between two of them it is presumed to change evenly
    jitter: float  # by how much packets may be off before a plan looks at each of them

    @classmethod
    def of(cls, timestamps: Timestamps, clock: Clock, spans: Sequence[SegmentSpan]) -> PresumedTimes | None:
        """What is presumed of segments; None where too little is regular."""
        if not spans or timestamps.n_packets < _FEWEST_PACKETS * len(spans):
            return None
        packets, late = list[int](), list[float]()
        for span in spans:
            probed = _probed(span)
            periods = [(timestamps.tick(packet) - span.start_tick) * clock.den / clock.num for packet in probed]
            packets += probed
            late += [n - (packet - span.first_record) for n, packet in zip(periods, probed, strict=True)]
        times = cls(clock, spans, [*packets, spans[-1].stop_record], [*late, late[-1]], 0.0)
        jitter = times._measured_jitter(timestamps)
        return None if jitter > REGULAR else times._replace(jitter=max(_LEAST_JITTER, jitter))

    def _measured_jitter(self, timestamps: Timestamps) -> float:
        """Twice the most that some packets are off; infinity where steps between them are irregular."""
        most = 0.0
        for first in self.packets[: -1 : max(1, len(self.packets) // _MEASURED)]:
            ticks = timestamps.ticks(first, min(first + _MEASURED_PACKETS, self._span(first).stop_record))
            if irregular_steps(ticks, self.clock) is not NO_STEPS:
                return np.inf
            most = max(most, self.most_off(ticks, first))
        return 2 * most

    def most_off(self, ticks: NDArray[np.int64], first: int) -> float:
        """By how much packets `first` and on of a segment are earlier or later than presumed, at the most."""
        span, stop, most = self._span(first), first + ticks.size, 0.0
        for number in count(bisect_right(self.packets, first) - 1):  # from probe to probe
            probed, probed_next = self.packets[number : number + 2]
            rate = (self.late[number + 1] - self.late[number]) / (probed_next - probed)
            a, b = max(first, probed), min(stop, probed_next)
            off = (ticks[a - first : b - first] - span.start_tick) * (self.clock.den / self.clock.num)
            off -= np.arange(b - a) * (1 + rate)
            at_a = a - span.first_record + self.late[number] + (a - probed) * rate
            most = max(most, float(off.max()) - at_a, at_a - float(off.min()))
            if b == stop:
                break
        return most

    def parts(self, span: SegmentSpan, a: int, b: int) -> Iterator[TimedParts]:
        """Packets `a` to `b` of the file, `_PART_PACKETS` at a time."""
        clock, n_at_once = self.clock, _PART_PACKETS * _PARTS_AT_ONCE
        before_a = a - (a - span.first_record) % _PART_PACKETS  # a part never reaches from before a probe to behind it
        for first in range(before_a, b, n_at_once):
            stop = min(first + n_at_once, b + _PART_PACKETS - 1)
            edges = np.arange(first, stop + 1, _PART_PACKETS, dtype=np.int64).clip(a, b)
            late = np.interp(edges.clip(max=span.stop_record - 1), self.packets, self.late)
            periods = edges[:-1] - span.first_record
            n_ticks = ((periods + late[:-1]) * (clock.num / clock.den)).astype(np.int64)
            off = np.array([late[:-1], late[1:]]) - (n_ticks * (clock.den / clock.num) - periods)
            earliest, latest = off.min(axis=0) - self.jitter, off.max(axis=0) + self.jitter
            yield TimedParts(edges[:-1], edges[1:], span.start_tick + n_ticks, earliest, latest)

    def _span(self, packet: int) -> SegmentSpan:
        return self.spans[bisect_right(self.spans, packet, key=lambda span: span.first_record) - 1]


def _probed(span: SegmentSpan) -> list[int]:
    """Packets of a segment: the first, the last, and others so far apart that jitter makes no rate between two."""
    first, last = span.first_record, span.stop_record - 1
    between = range(first + PROBE_STRIDE, last - PROBE_STRIDE // 2, PROBE_STRIDE)
    return [first, *between, *([last] if first < last else [])]
