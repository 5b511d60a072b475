# SPDX-License-Identifier: MIT
"""Reads and judges every timestamp of a file of one-sample packets, with two threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..errors import Progress
from ..format.numbers import signed_ticks
from ..traces.plan import TimedParts
from .gap_search import N_NEIGHBOURS, NO_STEPS, IrregularSteps, irregular_steps, join_steps
from .packet_reader import HeaderReader, PacketReader, all_single_sample

_JUDGED_BYTES = 1 << 24  # at a time: with less, the threads would wait for each other
_MOST_JUDGED = 1 << 17  # packets, of which there are many in few bytes: each takes 80 bytes of memory meanwhile
_TIMED_PACKETS = 1024  # with fewer, a plan has more parts to pass over; with more, more to look at again
NO_PARTS = TimedParts.unknown(0, 0, 1)


class Scan:
    """Reads and judges every packet of a file; two threads may do so at once.

    Parts of the file are read one after the other, so that a drive that is slow to seek reads on. They are judged in
    groups, each by the thread that reads its last part: with less at a time the threads would wait for each other.
    """

    def __init__(self, packets: PacketReader, clock: Clock) -> None:
        self._packets, self._clock, self._n_read = packets, clock, packets.n_at_once
        n_judged = min(_MOST_JUDGED, packets.n_within(_JUDGED_BYTES))
        self._n_judged = max(1, n_judged // _TIMED_PACKETS) * _TIMED_PACKETS  # in each group
        self._begun = dict[int, tuple[NDArray[np.void], deque[int]]]()  # headers, and the parts that are not yet read
        self._judged = dict[int, tuple[IrregularSteps, TimedParts]]()

    def parts(self) -> list[tuple[int, int]]:
        """The first packets of a group and of a part of it; a group begins and ends with those that it is judged by."""
        groups = range(0, self._packets.n_packets, self._n_judged)
        return [(group, first) for group in groups for first in self._parts_of(group)]

    def read(self, parts: Iterable[tuple[int, int]], progress: Progress | None = None) -> None:
        """Read parts, and judge each group that is complete with one; LongerPacket at a longer packet."""
        read, n_packets, n_shown = HeaderReader(self._packets, self._n_read), self._packets.n_packets, 0
        for group, first in parts:
            packets = self._parts_of(group)
            new = np.empty(packets.stop - packets.start, self._packets.layout.dtype()), deque(packets)
            headers, unread = self._begun.setdefault(group, new)  # in one step: both threads may come to a new group
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
        if not all_single_sample(headers):
            raise LongerPacket
        ticks = np.ascontiguousarray(signed_ticks(headers["tick"]))
        steps = irregular_steps(ticks, self._clock).within(group, group + self._n_judged, first)
        return steps, _timed_parts(ticks[group - first :][: self._n_judged], group, self._clock)


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


class LongerPacket(Exception):
    """A block of several samples was met."""
