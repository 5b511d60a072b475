# SPDX-License-Identifier: MIT
"""Breaks in the timestamps of one-sample packets, found without reading them all.

Between breaks such timestamps advance regularly: one sample period of the recorder's own clock, give or take some
jitter. So the time between two packets far apart shows whether any are missing between them: where it matches the
number of packets, none are. What that guarantees, for which drift, jitter and gap sizes, is in the notes
(``spec_notes/timing.md``) and proven against a full scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..clock import LONGEST_GROUP, Clock

PROBE_STRIDE = 16384  # packets from one probe to the next: half a second at 30 kHz
_SHUFFLED = 10  # packets: hub firmware 7.6.0 to 7.6.1.1 moves groups of 1 to 5 past each other
N_NEIGHBOURS = 2 * LONGEST_GROUP + 2 * _SHUFFLED + 2  # packets on either side without which a step cannot be judged
_FAR = 256  # samples: more than steps back can add up to among the neighbours of a packet
_FAR_TICKS = 1 << 44  # this many in `_FAR` samples, and sums of them fit 64 bits; no such clock is known
_READ_PACKETS = 64  # a range this short is read, not probed
_SCAN_PACKETS = 1 << 16
_MEASURED_PACKETS = 1024  # the fewest unbroken packets that measure the clock's rate
_MAX_DRIFT = 0.01  # packets further off the nominal rate cannot measure the real one
PacketNumbers = NDArray[np.intp]
_NO_PACKETS: PacketNumbers = np.empty(0, np.intp)


class Timestamps(Protocol):
    """What a search needs of `PacketReader`, which reads a few of their timestamps at a time."""

    @property
    def n_packets(self) -> int:
        """Packets in all."""

    def tick(self, packet: int) -> int:
        """The timestamp of one packet."""

    def ticks(self, a: int, b: int) -> NDArray[np.int64]:
        """Timestamps of packets `a` to `b`."""


class IrregularSteps(NamedTuple):
    """Where timestamps do not advance by one sample period."""

    breaks: PacketNumbers  # packets behind which time is broken
    shuffled: PacketNumbers  # packets out of order among their neighbours, which sorting corrects

    def within(self, a: int, b: int, first: int = 0) -> IrregularSteps:
        """Those at packets `a` to `b` of the file, where packet `first` of the file is number 0 here."""
        return IrregularSteps(*(steps[(steps >= a - first) & (steps < b - first)] + first for steps in self))

    def unknown_breaks(self, known: PacketNumbers) -> PacketNumbers:
        """Breaks that are not among `known`, which ascend."""
        # np.setdiff1d would load numpy's masked arrays
        is_unknown = np.searchsorted(known, self.breaks) == np.searchsorted(known, self.breaks, "right")
        unknown: PacketNumbers = self.breaks[is_unknown]
        return unknown


NO_STEPS = IrregularSteps(_NO_PACKETS, _NO_PACKETS)


def join_steps(parts: Iterable[IrregularSteps]) -> IrregularSteps:
    """Irregular steps of several parts of a file as those of one, in order."""
    breaks, shuffled = zip(NO_STEPS, *parts, strict=True)
    return IrregularSteps(np.sort(np.concatenate(breaks)), np.sort(np.concatenate(shuffled)))


def irregular_steps(ticks: NDArray[np.int64], clock: Clock) -> IrregularSteps:
    """Judge every step between consecutive timestamps, each by `N_NEIGHBOURS` packets on either side at most."""
    low, high = clock.break_steps()
    steps = np.diff(ticks)
    if not steps.size or low < steps.min() <= steps.max() < high:  # which is usual
        return NO_STEPS
    breaks, order = _breaks_and_order(ticks, clock)
    return IrregularSteps(breaks, np.flatnonzero(order != np.arange(order.size)))


def order_in_time(ticks: NDArray[np.int64], clock: Clock) -> PacketNumbers:
    """The order that sorts shuffled packets among their neighbours, and leaves all others where they are."""
    return _breaks_and_order(ticks, clock)[1]


def _breaks_and_order(ticks: NDArray[np.int64], clock: Clock) -> tuple[PacketNumbers, PacketNumbers]:
    """Packets behind which time is broken, and the order in time of those that are shuffled."""
    low, high = clock.break_steps()
    steps = np.diff(ticks)
    irregular, as_recorded = np.flatnonzero((steps <= low) | (steps >= high)), np.arange(ticks.size)
    furthest_back, far = -(_SHUFFLED + 1) * clock.num // clock.den, _FAR * clock.num // clock.den
    backward = irregular[(steps[irregular] < 0) & (steps[irregular] >= furthest_back)]
    if far >= _FAR_TICKS or not backward.size:
        return irregular, as_recorded
    part = slice(max(0, int(backward[0]) - N_NEIGHBOURS), int(backward[-1]) + N_NEIGHBOURS)
    # A clock that was set back goes on far behind: no packet is sorted across that, nor across a large gap
    forward = np.where(steps[part] < furthest_back, far, np.minimum(steps[part], far))
    order, is_shuffled = as_recorded.copy(), np.zeros(ticks.size, bool)
    order_here, is_shuffled_here = _sort_groups(np.concatenate([[0], np.cumsum(forward)]), low, high)
    here = slice(part.start, part.start + order_here.size)
    is_shuffled[here] = is_shuffled_here
    order[here][is_shuffled_here] = part.start + order_here[is_shuffled_here]
    return irregular[~(is_shuffled[irregular] | is_shuffled[irregular + 1])], order


def _sort_groups(times: NDArray[np.int64], low: int, high: int) -> tuple[PacketNumbers, NDArray[np.bool_]]:
    """The order in time within each group; and the packets of groups that it leaves without a break nearby."""
    starts = _starts_of_groups(times)
    stops = np.append(starts[1:], times.size)
    sizes = stops - starts
    order, packets = np.arange(times.size), np.flatnonzero(np.repeat(sizes > 1, sizes))
    groups = np.repeat(np.arange(starts.size), sizes)[packets]
    order[packets] = packets[np.lexsort((times[packets], groups))]
    is_long = np.repeat(sizes > LONGEST_GROUP, sizes)
    steps = np.diff(times[order])
    n_broken = np.concatenate([[0], np.cumsum((steps <= low) | (steps >= high) | is_long[:-1] | is_long[1:])])
    near = np.clip([starts - 1 - _SHUFFLED, stops + _SHUFFLED], 0, times.size - 1)
    is_sorted = (n_broken[near[0]] == n_broken[near[1]]) & (sizes > 1) & (starts > 0) & (stops < times.size)
    return order, np.repeat(is_sorted, sizes)


def _starts_of_groups(times: NDArray[np.int64]) -> PacketNumbers:
    """The first packet of each group that is out of order, and each packet that is in order with its neighbours."""
    latest_before, earliest_behind = times.copy(), times.copy()
    latest_before[0] = times.min()
    latest_before[1:] = times[:-1]
    for distance in range(1, _SHUFFLED):
        latest_before[1 + distance :] = np.maximum(latest_before[1 + distance :], times[: -1 - distance])
        earliest_behind[:-distance] = np.minimum(earliest_behind[:-distance], times[distance:])
    return np.flatnonzero(latest_before <= earliest_behind)


class GapDetector:
    """Judges timestamps as they stream by, in parts of any length; packets that are left out make no break."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: NDArray[np.int64] = np.empty(0, np.int64)
        self._first = 0  # number of the first pending packet
        self._judged = 0  # every step behind an earlier packet than this has been judged
        self._irregular: list[IrregularSteps] = []

    def add(self, ticks: NDArray[np.int64], first: int) -> None:
        """Take the timestamps of packets `first` and on."""
        stop = self._first + self._pending.size
        if first != stop:
            self._judge(stop)
            self._pending, self._first, self._judged = ticks[:0], first, first
        self._pending = np.concatenate([self._pending, ticks])
        self._judge(first + ticks.size - N_NEIGHBOURS)

    def has_unknown_break(self, known: PacketNumbers) -> bool:
        """Whether a break was met that is not among `known`, which ascend."""
        return bool(self._irregular and self._irregular[-1].unknown_breaks(known).size)

    def finish(self) -> IrregularSteps:
        """Judge the last timestamps; the irregular steps of all."""
        self._judge(self._first + self._pending.size)
        return join_steps(self._irregular)

    def _judge(self, stop: int) -> None:
        if stop <= self._judged:
            return
        steps = irregular_steps(self._pending, self._clock)
        if steps is not NO_STEPS:
            self._irregular.append(steps.within(self._judged, stop, self._first))
        self._judged = stop
        keep = max(self._first, stop - N_NEIGHBOURS)
        self._pending, self._first = self._pending[keep - self._first :], keep


def scan_every_timestamp(timestamps: Timestamps, clock: Clock) -> IrregularSteps:
    """Judge every step of a file by reading every timestamp."""
    detector = GapDetector(clock)
    for packet in range(0, timestamps.n_packets, _SCAN_PACKETS):
        detector.add(timestamps.ticks(packet, min(packet + _SCAN_PACKETS, timestamps.n_packets)), packet)
    return detector.finish()


def find_gaps(timestamps: Timestamps, clock: Clock, stride: int = PROBE_STRIDE) -> IrregularSteps:
    """Find every break by probing: every `stride`-th timestamp, and more only where packets are missing.

    Finds all breaks that the notes guarantee; of the packets out of order, those that happen to be read.
    """
    n = timestamps.n_packets
    if n <= 4 * stride:
        return scan_every_timestamp(timestamps, clock)
    probes = [(packet, timestamps.tick(packet)) for packet in (*range(0, n - 1, stride), n - 1)]
    rate = _measure_rate(timestamps, clock, probes)
    if rate is None:
        return scan_every_timestamp(timestamps, clock)
    most = n // (_READ_PACKETS * 8)  # with more ranges than this, reading everything is cheaper
    ranges = list(islice(_ranges_with_gaps(timestamps, probes, rate, clock.num / clock.den / 4), most + 1))
    if len(ranges) > most:
        return scan_every_timestamp(timestamps, clock)
    return join_steps(_judge_range(timestamps, clock, a, b) for a, b in ranges)


Probe = tuple[int, int]  # packet, its tick


def _measure_rate(timestamps: Timestamps, clock: Clock, probes: list[Probe]) -> float | None:
    """Ticks per sample by the recorder's own clock, measured where no packet is missing.

    The shortest time between two probes is the least likely to miss any; all of its timestamps are read to be sure.
    """
    nominal = clock.num / clock.den
    rates = [((tick_b - tick_a) / (b - a), a, b) for (a, tick_a), (b, tick_b) in pairwise(probes[:-1])]
    plausible = [rate for rate in rates if abs(rate[0] - nominal) <= _MAX_DRIFT * nominal]
    if not plausible:
        return None
    _, a, b = min(plausible)
    ticks = timestamps.ticks(a, b + 1)
    edges = [-1, *irregular_steps(ticks, clock).breaks.tolist(), b - a]
    n_steps, first = max((after - before - 1, before + 1) for before, after in pairwise(edges))
    if n_steps < _MEASURED_PACKETS:
        return None
    return (int(ticks[first + n_steps]) - int(ticks[first])) / int(n_steps)


def _ranges_with_gaps(
    timestamps: Timestamps, probes: list[Probe], rate: float, tolerance: float
) -> Iterator[tuple[int, int]]:
    """Short ranges of packets whose time does not match their number, by halving longer ones."""
    stack = list(pairwise(probes))
    while stack:
        (a, tick_a), (b, tick_b) = stack.pop()
        if abs(tick_b - tick_a - rate * (b - a)) < tolerance:
            continue
        if b - a <= _READ_PACKETS:
            yield a, b
            continue
        middle = (a + b) // 2
        probe = middle, timestamps.tick(middle)
        stack += [((a, tick_a), probe), (probe, (b, tick_b))]


def _judge_range(timestamps: Timestamps, clock: Clock, a: int, b: int) -> IrregularSteps:
    first = max(0, a - N_NEIGHBOURS)
    ticks = timestamps.ticks(first, min(timestamps.n_packets, b + 1 + N_NEIGHBOURS))
    return irregular_steps(ticks, clock).within(a, b, first)
