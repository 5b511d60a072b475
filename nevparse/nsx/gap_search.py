# SPDX-License-Identifier: MIT
"""Breaks in the timestamps of one-sample packets, found without reading them all.

Between breaks such timestamps advance evenly: one sample period of the recorder's own clock, give or take some
jitter. So the time from one packet to another, far behind it, tells whether anything is missing between them: where
it matches the number of packets there is nothing to find. What that guarantees, for which drift, jitter and gap
sizes, is stated in the notes (``spec_notes/timing.md``) and proven against a full scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock

PROBE_STRIDE = 16384  # packets from one probe to the next: half a second at 30 kHz
SHUFFLE_SPAN = 10  # hub firmware 7.6.0 to 7.6.1.1 moves groups of 1 to 5 samples past each other
_LEAF = 64  # a stretch this short is read, not probed
_SCAN_ROWS = 1 << 16
MARGIN = 2 * SHUFFLE_SPAN + 2  # neighbours on either side without which a step cannot be judged
_FAIR_RUN = 1024  # unbroken packets without which a stretch is not measured
_MOST_DRIFT = 0.01  # a stretch further off the nominal rate cannot serve to measure the real one
Positions = NDArray[np.intp]
_NOWHERE: Positions = np.empty(0, np.intp)


class Timestamps(Protocol):
    """Timestamps that can be read a few at a time."""

    n_packets: int

    def at(self, packet: int) -> int:
        """One of them."""

    def span(self, a: int, b: int) -> NDArray[np.uint64]:
        """Those of packets `a` to `b`."""


class IrregularSteps(NamedTuple):
    """Where timestamps do not advance by one sample period.

    Parameters
    ----------
    breaks : numpy.ndarray
        intp: time is broken behind each of these.
    shuffled : numpy.ndarray
        intp: these stand out of order among their neighbours, and sorting mends it.
    """

    breaks: Positions
    shuffled: Positions


def irregular_steps(ticks: NDArray[np.uint64], clock: Clock) -> IrregularSteps:
    """Judge every step of a stretch of timestamps.

    Parameters
    ----------
    ticks : numpy.ndarray
        uint64 ``(n,)``.
    clock : Clock
        Of the file.
    """
    low, high = clock.break_steps()
    signed = ticks.astype(np.int64)
    steps = np.diff(signed)
    odd = np.flatnonzero((steps <= low) | (steps >= high))
    back = odd[(steps[odd] < 0) & (steps[odd] >= -(SHUFFLE_SPAN + 1) * clock.num // clock.den)]
    shuffled, is_break = [_NOWHERE], np.ones(odd.size, bool)
    for a, b in _windows(back, ticks.size):
        there, sorted_there = signed[a:b], np.sort(signed[a:b])
        mended = np.diff(sorted_there)
        if sorted_there[0] == there[0] and sorted_there[-1] == there[-1] and ((mended > low) & (mended < high)).all():
            is_break[slice(*np.searchsorted(odd, (a, b - 1)))] = False
            shuffled.append(a + np.flatnonzero(there != sorted_there))
    return IrregularSteps(odd[is_break], np.concatenate(shuffled))


def _windows(back: Positions, size: int) -> Iterator[tuple[int, int]]:
    """The neighbourhoods of backward steps, those that touch taken together."""
    if back.size == 0:
        return
    edges = np.flatnonzero(np.diff(back) > 2 * SHUFFLE_SPAN) + 1
    for group in np.split(back, edges):
        yield max(0, int(group[0]) - SHUFFLE_SPAN), min(size, int(group[-1]) + SHUFFLE_SPAN + 2)


def shuffled_groups(shuffled: Positions) -> Iterator[tuple[int, int]]:
    """Stretches that hold all of `shuffled`, each small enough to have been mended as one."""
    for group in np.split(shuffled, np.flatnonzero(np.diff(shuffled) > SHUFFLE_SPAN) + 1):
        if group.size:
            yield int(group[0]), int(group[-1]) + 1


def scan_every_timestamp(stamps: Timestamps, clock: Clock) -> IrregularSteps:
    """Judge every step of a file by reading every timestamp."""
    inspector = GapDetector(clock)
    for at in range(0, stamps.n_packets, _SCAN_ROWS):
        inspector.feed(stamps.span(at, min(at + _SCAN_ROWS, stamps.n_packets)), at)
    return inspector.finish()


class GapDetector:
    """Judges timestamps as they stream by, in stretches of any length; a gap in what it is fed is no break."""

    def __init__(self, clock: Clock) -> None:
        self._clock, (self._low, self._high) = clock, clock.break_steps()
        self._held: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._first = 0  # packet that the held ones start with
        self._judged = 0  # every step before the one behind this packet has been judged
        self._version: list[IrregularSteps] = []

    def feed(self, ticks: NDArray[np.uint64], first: int) -> None:
        """Take the timestamps of packets `first` and on."""
        if first != self._first + self._held.size:
            self._judge(self._first + self._held.size)
            self._held, self._first, self._judged = ticks[:0], first, first
        self._held = np.concatenate([self._held, ticks])
        self._judge(self._first + self._held.size - MARGIN)

    def breaks_beside(self, known: Positions) -> bool:
        """Whether a break was met that is not among `known`, which ascend."""
        met = self._version[-1].breaks if self._version else _NOWHERE
        return met.size > 0 and bool((np.searchsorted(known, met) == np.searchsorted(known, met, "right")).any())

    def finish(self) -> IrregularSteps:
        """Judge what is left, and tell of all."""
        self._judge(self._first + self._held.size)
        return _merged(self._version)

    def _judge(self, end: int) -> None:
        if end <= self._judged:
            return
        steps = np.diff(self._held.view(np.int64))
        if not ((steps > self._low).all() and (steps < self._high).all()):  # which is rare
            self._version.append(_within(irregular_steps(self._held, self._clock), self._first, self._judged, end))
        self._judged = end
        keep = max(self._first, end - MARGIN)
        self._held, self._first = self._held[keep - self._first :], keep


def _within(steps: IrregularSteps, first: int, a: int, b: int) -> IrregularSteps:
    """The same steps counted from packet 0 of the file, and only those from `a` up to `b`."""
    return IrregularSteps(*((there + first)[(there + first >= a) & (there + first < b)] for there in steps))


def _merged(found: list[IrregularSteps]) -> IrregularSteps:
    breaks, shuffled = zip(IrregularSteps(_NOWHERE, _NOWHERE), *found, strict=True)
    return IrregularSteps(np.sort(np.concatenate(breaks)), np.sort(np.concatenate(shuffled)))


class TimestampsFrom:
    """Timestamps of the packets from `first` on, as if the file began there."""

    def __init__(self, stamps: Timestamps, first: int) -> None:
        self._stamps, self._first, self.n_packets = stamps, first, stamps.n_packets - first

    def at(self, packet: int) -> int:
        """One of them."""
        return self._stamps.at(self._first + packet)

    def span(self, a: int, b: int) -> NDArray[np.uint64]:
        """Those of packets `a` to `b`."""
        return self._stamps.span(self._first + a, self._first + b)


def extend(
    known: IrregularSteps,
    judged: int,
    find: Callable[[Timestamps, Clock], IrregularSteps],
    stamps: Timestamps,
    clock: Clock,
) -> IrregularSteps:
    """Steps of a file that has grown: those known behind packets before `judged`, and what `find` finds from there."""
    first = max(0, judged - MARGIN)
    later = find(TimestampsFrom(stamps, first), clock)
    return _merged([_within(known, 0, 0, judged), _within(later, first, judged, stamps.n_packets)])


def find_gaps(stamps: Timestamps, clock: Clock, stride: int = PROBE_STRIDE) -> IrregularSteps:
    """Find every break by probing: every `stride`-th timestamp, and more only where something is missing.

    Parameters
    ----------
    stamps : Stamps
        The file's timestamps.
    clock : Clock
        Of the file.
    stride : int
        Packets between probes.

    Returns
    -------
    Steps
        All breaks within the stated guarantee; of the packets out of order, those that happened to be met.
    """
    n = stamps.n_packets
    if n <= 4 * stride:
        return scan_every_timestamp(stamps, clock)
    edges = [*range(0, n - 1, stride), n - 1]
    probes = [(edge, stamps.at(edge)) for edge in edges]
    rate = _own_rate(stamps, clock, probes)
    if rate is None:
        return scan_every_timestamp(stamps, clock)
    leaves = []
    for leaf in _suspects(stamps, probes, rate, clock.num / clock.den / 4):
        leaves.append(leaf)
        if len(leaves) * _LEAF * 8 > n:  # so many that reading everything is cheaper
            return scan_every_timestamp(stamps, clock)
    return _merged([_read_leaf(stamps, clock, a, b) for a, b in leaves])


Probe = tuple[int, int]  # packet, its tick


def _own_rate(stamps: Timestamps, clock: Clock, probes: list[Probe]) -> float | None:
    """Ticks from one sample to the next by the recorder's own clock, measured where nothing is missing.

    Of all stretches between probes the shortest in time is the least likely to miss anything; it is read whole to
    be sure.
    """
    nominal = clock.num / clock.den
    paces = [((tb - ta) / (b - a), a, b) for (a, ta), (b, tb) in pairwise(probes[:-1])]
    fair = [pace for pace in paces if abs(pace[0] - nominal) <= _MOST_DRIFT * nominal]
    if not fair:
        return None
    _, a, b = min(fair)
    ticks = stamps.span(a, b + 1)
    edges = [-1, *irregular_steps(ticks, clock).breaks.tolist(), b - a]
    length, first = max((after - before - 1, before + 1) for before, after in pairwise(edges))
    if length < _FAIR_RUN:
        return None
    elapsed = int(ticks[first + length]) - int(ticks[first])
    return elapsed / int(length)


def _suspects(stamps: Timestamps, probes: list[Probe], rate: float, tolerance: float) -> Iterator[Probe]:
    """Short stretches whose time does not match their number of packets."""
    stack = list(pairwise(probes))
    while stack:
        (a, tick_a), (b, tick_b) = stack.pop()
        if abs(tick_b - tick_a - rate * (b - a)) < tolerance:
            continue
        if b - a <= _LEAF:
            yield a, b
            continue
        middle = (a + b) // 2
        probe = middle, stamps.at(middle)
        stack += [((a, tick_a), probe), (probe, (b, tick_b))]


def _read_leaf(stamps: Timestamps, clock: Clock, a: int, b: int) -> IrregularSteps:
    first = max(0, a - MARGIN)
    ticks = stamps.span(first, min(stamps.n_packets, b + 1 + MARGIN))
    return _within(irregular_steps(ticks, clock), first, a, b)
