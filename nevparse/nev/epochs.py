# SPDX-License-Identifier: MIT
"""Assigns the packets of a NEV to the epochs of its recording: the times between two settings of the clock.

The continuous files say where the clock was set. The packets are cut into epochs in the way that leaves the fewest
of them out of place: outside the ticks of their epoch, or behind a step back in time that no cut explains.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clock import Epoch
from ..errors import AmbiguousEpochs, warn
from .packets import Packets
from .resets import LATE_S, N_COMPARED, Counts, Ticks, find_steps_back, find_strays, group_of, n_resets_before

BEFORE = -1  # the epoch of packets that were written before the continuous files began
MOST_EPOCHS = 64  # a file with more is noise
_REFINED = 32  # packets on each side of a cut among which its place is sought once more
_FEW_STRAYS = 8
_ONE_DECIDES_NOTHING = 1  # packet out of place more or less
_STRAYS_AT_ONCE = 1 << 14

EpochNumbers = NDArray[np.int16]
_Flags = NDArray[np.bool_]
_Pieces = list[tuple[int, int]]  # the first packet of each piece, and its epoch


class PacketEpochs(NamedTuple):
    """The epoch of each packet of a NEV, int16 ``(n_packets,)``: an index into `Recording.epochs`.

    Parameters
    ----------
    epoch : numpy.ndarray
        The epoch; -1 where packets are from before the continuous files began.
    alternative : numpy.ndarray
        The same, except where another assignment explains the packets equally well: then what that one says.
    """

    epoch: EpochNumbers
    alternative: EpochNumbers


def assign_packets(packets: Packets, epochs: Sequence[Epoch]) -> PacketEpochs:
    """Find the epoch of each packet; `epochs` are in its ticks. Of more than 64 all packets are ambiguous."""
    n_packets = packets.raw.size
    if len(epochs) > MOST_EPOCHS:
        return PacketEpochs(np.zeros(n_packets, np.int16), np.ones(n_packets, np.int16))
    known, heads = packets.timed(), packets.heads
    is_all = known.size == n_packets
    ticks, groups = heads.tick, group_of(heads.kind, heads.packet_id)
    if not is_all:
        ticks, groups = ticks[known], groups[known]
    if not ticks.size:
        return PacketEpochs(*np.zeros((2, n_packets), np.int16))
    assignment = _Assignment(ticks, groups, epochs, packets.tick_rate)
    both = assignment.packet_epochs()
    if is_all:
        return both
    n_each = np.diff(np.concatenate([[0], known[1:], [n_packets]]))  # others are where the one before them is
    return PacketEpochs(*(np.repeat(numbers, n_each) for numbers in both))


def epochs_by_resets(packets: Packets) -> tuple[Epoch, ...]:
    """The epochs of a NEV without continuous files: from one of its resets to the next, strays left out."""
    known, late = packets.timed(), int(packets.tick_rate * LATE_S)
    ticks = packets.heads.tick[known]
    strays = find_strays(ticks, late, late)
    ticks, known = np.delete(ticks, strays), np.delete(known, strays)
    parts = np.split(ticks, np.searchsorted(known, [reset.packet for reset in packets.resets]))
    return tuple(Epoch(int(part.min()), int(part.max()) + 1) if part.size else Epoch(0, 0) for part in parts)


def assign_by_resets(packets: Packets) -> PacketEpochs:
    """The epoch of each packet of a NEV without continuous files: the number of resets up to it."""
    numbers = n_resets_before(packets.resets, np.arange(packets.raw.size)).astype(np.int16)
    return PacketEpochs(numbers, numbers)


def choose_epoch(
    path: str, epochs: Sequence[Epoch], epoch: int | None, start_tick: int | None, stop_tick: int | None
) -> int | None:
    """The one epoch that a request for a time means, None where it means all of them.

    ValueError where there is no such epoch, and where a range of ticks is in several and none was chosen.
    """
    if epoch is not None:
        return checked_epoch(path, epoch, len(epochs))
    if (start_tick, stop_tick) == (None, None):
        return None
    start, stop = start_tick or 0, np.inf if stop_tick is None else stop_tick
    found = [number for number, each in enumerate(epochs) if each.start_tick < stop and each.stop_tick > start]
    check_one_epoch(path, found)
    return found[0] if found and len(epochs) > 1 else None


def checked_epoch(path: str, epoch: int, n_epochs: int) -> int:
    """The number of an epoch; ValueError where there is none of this number."""
    if not 0 <= epoch < n_epochs:
        has = f"0 to {n_epochs - 1}" if n_epochs > 1 else "0 alone: the clock was never set anew"
        raise ValueError(f"{path}: expected an epoch among {has}, found {epoch}")
    return epoch


def check_one_epoch(path: str, found: Sequence[int]) -> None:
    """ValueError where a range of time is in several epochs, whose numbers may come more than once."""
    found = sorted({*found})
    if len(found) > 1:
        several = f"{', '.join(map(str, found[:-1]))} and {found[-1]}"
        where = f"the clock was set anew, and epochs {several} have these times"
        raise ValueError(f"{path}: {where}; choose one with epoch= (--epoch N)")


def warn_of_ambiguous(path: str, assigned: PacketEpochs, packets: NDArray[np.intp]) -> None:
    """Warn where some of these packets may be of either of two epochs."""
    ambiguous = np.flatnonzero(assigned.epoch[packets] != assigned.alternative[packets])
    if ambiguous.size:
        packet = int(packets.flat[ambiguous[0]])
        either = f"epoch {assigned.epoch[packet]} or {assigned.alternative[packet]}"
        count = f"{ambiguous.size} of {packets.size} packets may be of either of two epochs"
        message = f"{path}: {count}, the first is packet {packet} ({either}); packet_epochs has both"
        warn(message, AmbiguousEpochs)


class _Assignment:
    """The search for the epochs of packets of known kinds, in file order."""

    def __init__(self, ticks: Ticks, groups: NDArray[np.uint32], epochs: Sequence[Epoch], tick_rate: int) -> None:
        steps = find_steps_back(ticks, groups, tick_rate)
        self._strays, self._tolerance = steps.strays, int(tick_rate * LATE_S)
        interval, self._holds = _ticks_in_epochs(ticks, epochs, self._tolerance)
        self._stray_interval = interval[self._strays]
        self._ticks, self._interval = ticks, interval
        if self._strays.size:
            self._ticks, self._interval = np.delete(ticks, self._strays), np.delete(interval, self._strays)
        at, parts = (each - np.searchsorted(self._strays, each) for each in (steps.at, steps.parts))
        self._steps = steps._replace(at=at, parts=parts)  # counted without the strays
        changes = np.flatnonzero(self._interval[1:] != self._interval[:-1]) + 1
        self._runs = np.unique(np.concatenate([[0], changes, at, parts]))  # first packets of alike ones
        self._step_costs = np.zeros(self._runs.size, np.int64)
        self._step_costs[np.searchsorted(self._runs, at)] = self._steps.n_displaced

    def packet_epochs(self) -> PacketEpochs:
        steps = self._steps
        regrouped = np.union1d(steps.parts, steps.at[steps.is_regrouping])
        pieces, alternative = self._best_pieces(regrouped)
        starts = [start for start, _ in pieces]
        unexplained = np.setdiff1d(steps.at[steps.lasts & ~steps.is_regrouping], starts)
        if unexplained.size:  # what stands on both sides of such a step is judged by itself
            parts = np.union1d(regrouped, unexplained)
            pieces, alternative = self._best_pieces(parts)
            alternative = _with_before(pieces, alternative, int(unexplained[-1]))
        pieces, alternative = self._refined(pieces, alternative)
        first_with, last_with = _ends(self._holds)
        by_own = self._by_own_ticks(pieces, last_with)
        numbers = self._keep_in_line(pieces, by_own.copy())
        others = self._keep_in_line(alternative, self._by_own_ticks(alternative, first_with))
        if pieces != alternative:
            others = np.where(others == numbers, self._by_own_ticks(alternative, last_with), others)
        others = np.where(others == numbers, by_own, others)
        is_nowhere = (self._holds.sum(axis=0) == 0)[self._interval] & (others >= 0)
        others[is_nowhere] = numbers[is_nowhere]  # no epoch is better than another
        self._mark_out_of_line(pieces, numbers, others)
        return self._with_strays(numbers, others)

    def _with_strays(self, numbers: EpochNumbers, others: EpochNumbers) -> PacketEpochs:
        """Insert the strays: in the epoch where they stand if it holds their ticks, and else in one that does."""
        if not self._strays.size:
            return PacketEpochs(numbers, others)
        place = self._strays - np.arange(self._strays.size)
        theirs = numbers[np.minimum(place, numbers.size - 1)]
        holds = self._holds[:, self._stray_interval]
        is_elsewhere = ~holds[np.maximum(theirs, 0), np.arange(theirs.size)] & holds.any(axis=0)
        theirs[is_elsewhere] = len(holds) - 1 - np.argmax(holds[::-1, is_elsewhere], axis=0)
        other = theirs.copy()
        holds[np.maximum(theirs, 0), np.arange(theirs.size)] = False
        other[holds.any(axis=0)] = np.argmax(holds, axis=0)[holds.any(axis=0)]
        return PacketEpochs(np.insert(numbers, place, theirs), np.insert(others, place, other))

    def _best_pieces(self, parts: NDArray[np.intp]) -> tuple[_Pieces, _Pieces]:
        """The two best assignments, each of whose parts is judged by itself; they are equal where only one is best."""
        margin = _ONE_DECIDES_NOTHING if self._steps.parts.size else 0  # parts of a regrouped file may be short
        n_packets = np.diff(np.append(self._runs, self._ticks.size))
        is_outside = ~self._holds[:, self._interval[self._runs]]
        edges = [0, *np.searchsorted(self._runs, parts).tolist(), self._runs.size]
        both: tuple[_Pieces, _Pieces] = ([], [])
        for a, b in pairwise(edges):
            numbers = _best_epochs(n_packets[a:b] * is_outside[:, a:b], self._step_costs[a:b], margin)
            for pieces, epochs in zip(both, numbers, strict=True):
                starts = np.concatenate([[0], np.flatnonzero(epochs[1:] != epochs[:-1]) + 1])
                pieces += zip(self._runs[a + starts].tolist(), epochs[starts].tolist(), strict=True)
        return both

    def _refined(self, pieces: _Pieces, alternative: _Pieces) -> tuple[_Pieces, _Pieces]:
        """Put every cut where it leaves the fewest packets near it out of place; of equal places both ends."""
        edges = sorted({start for start, _ in (*pieces, *alternative)} | {self._ticks.size})
        first, last = dict(pieces), dict(alternative)
        for (_, before), (cut, after) in pairwise(pieces):
            if before < after and (before, cut, after) in _cuts(alternative):
                place = edges.index(cut)
                a, b = max(edges[place - 1], cut - _REFINED), min(edges[place + 1], cut + _REFINED)
                places = self._best_places(a + 1, b - 1, before, after)
                chosen = cut if cut in places else places[-1]
                del first[cut], last[cut]
                first[chosen], last[places[0] if places[0] != chosen else places[-1]] = after, after
        return sorted(first.items()), sorted(last.items())

    def _best_places(self, a: int, b: int, before: int, after: int) -> list[int]:
        """Cuts from packet `a` to packet `b` with the longest sequences in time on both sides."""
        a, b = a - 1, b + 1
        ticks, holds = self._ticks[a:b].tolist(), self._holds[:, self._interval[a:b]]
        ahead = _lengths_in_order(ticks, holds[before].tolist())
        behind = _lengths_in_order([-tick for tick in reversed(ticks)], holds[after, ::-1].tolist())[::-1]
        n_in_place = [one + other for one, other in zip(ahead, behind, strict=True)]
        most = max(n_in_place[1:-1])
        return [a + place for place, n in enumerate(n_in_place) if n == most and 0 < place < b - a]

    def _standing(self, pieces: _Pieces) -> tuple[NDArray[np.intp], EpochNumbers]:
        """The first packet of each piece; and the epoch of each packet by its piece alone."""
        starts, epochs = np.array(pieces, np.intp).T
        return starts, np.repeat(epochs.astype(np.int16), np.diff(np.append(starts, self._ticks.size)))

    def _by_own_ticks(self, pieces: _Pieces, of_interval: NDArray[np.intp]) -> EpochNumbers:
        """The epoch of each packet: that of its piece, or `of_interval` of ticks that only other epochs hold."""
        starts, numbers = self._standing(pieces)
        for (start, epoch), stop in zip(pieces, [*starts[1:].tolist(), self._ticks.size], strict=True):
            is_elsewhere = ~self._holds[epoch] & self._holds.any(axis=0) if epoch >= 0 else np.zeros(1, np.bool_)
            if is_elsewhere.any():
                interval = self._interval[start:stop]
                packets = np.flatnonzero(is_elsewhere[interval])
                numbers[start + packets] = of_interval[interval[packets]]
        return numbers

    def _mark_out_of_line(self, pieces: _Pieces, numbers: EpochNumbers, others: EpochNumbers) -> None:
        """Name another epoch of packets that are out of line, and by their own ticks could be of several."""
        at = self._steps.at[~self._steps.lasts]
        n_holding = self._holds.sum(axis=0)
        starts = np.array([start for start, _ in pieces], np.intp)
        near = (at[:, None] + np.arange(-_FEW_STRAYS, _FEW_STRAYS)).ravel()
        near = np.unique(near[(near >= 0) & (near < self._ticks.size)])
        near = near[n_holding[self._interval[near]] > 1]
        for first in range(0, near.size, _STRAYS_AT_ONCE):
            packets = near[first : first + _STRAYS_AT_ONCE]
            strays = packets[self._is_out_of_line(packets, starts)]
            holds = self._holds[:, self._interval[strays]]
            holds[numbers[strays], np.arange(strays.size)] = False
            strays, holds = strays[is_one := numbers[strays] == others[strays]], holds[:, is_one]
            others[strays] = np.argmax(holds, axis=0)

    def _keep_in_line(self, pieces: _Pieces, numbers: EpochNumbers) -> EpochNumbers:
        """The epochs of packets; those that are in line where they stand stay, though only others hold their ticks."""
        starts, standing = self._standing(pieces)
        moved = np.flatnonzero(numbers != standing)
        for first in range(0, moved.size, _STRAYS_AT_ONCE):
            packets = moved[first : first + _STRAYS_AT_ONCE]
            packets = packets[~self._is_out_of_line(packets, starts)]
            numbers[packets] = standing[packets]
        return numbers

    def _is_out_of_line(self, packets: NDArray[np.intp], starts: NDArray[np.intp]) -> _Flags:
        """Whether most of the packets before each one, or behind it, in its piece are at the other side in time."""
        piece = np.searchsorted(starts, packets, "right") - 1
        first, stop = starts[piece][:, None], np.append(starts[1:], self._ticks.size)[piece][:, None]
        offsets = np.arange(1, N_COMPARED + 1)
        ticks, is_stray = self._ticks[packets][:, None], np.zeros(packets.size, np.bool_)
        for others, sign in ((packets[:, None] - offsets, 1), (packets[:, None] + offsets, -1)):
            is_inside = (others >= first) & (others < stop)
            theirs = self._ticks[np.clip(others, 0, self._ticks.size - 1)]
            later, earlier = (theirs, ticks) if sign > 0 else (ticks, theirs)
            is_wrong = (later > earlier) & (later - earlier > self._tolerance)
            is_stray |= 2 * (is_wrong & is_inside).sum(axis=1) > is_inside.sum(axis=1)
        return is_stray


def _ticks_in_epochs(ticks: Ticks, epochs: Sequence[Epoch], tolerance: int) -> tuple[NDArray[np.uint8], _Flags]:
    """The interval between edges of epochs that each packet is in; and whether each epoch holds each interval."""
    spans = [(epoch.start_tick - tolerance, epoch.stop_tick + tolerance) for epoch in epochs]
    edges = sorted({edge for span in spans for edge in span})
    interval = np.zeros(ticks.size, np.uint8)
    for edge in edges:
        interval += ticks >= edge
    holds = np.zeros((len(epochs), len(edges) + 1), np.bool_)
    for number, (start, stop) in enumerate(spans):
        holds[number, edges.index(start) + 1 : edges.index(stop) + 1] = True
    return interval, holds


def _best_epochs(costs: Counts, step_costs: Counts, margin: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Assign runs of packets to epochs, which never go back, at the lowest cost.

    `costs` has a row for each epoch and a column for each run; a run's step costs if it is in the epoch of the run
    before it. Returns the best assignment, of several the one with the fewest epochs; and where another costs no more
    than `margin` above it, the epochs by that.
    """
    n_epochs, n_runs = costs.shape
    steps = np.where(np.arange(n_runs) > 0, step_costs, 0)
    total = np.cumsum(costs + steps, axis=1)
    ahead = np.empty_like(total)  # the lowest cost up to each run, if it is in the epoch
    cheapest = np.full(n_runs, np.iinfo(np.int64).max // 2)
    for epoch in range(n_epochs):
        enter = np.zeros(n_runs, np.int64)
        enter[1:] = cheapest[:-1] - total[epoch, :-1] - steps[1:]
        ahead[epoch] = total[epoch] + np.minimum.accumulate(enter)
        cheapest = np.minimum(cheapest, ahead[epoch])
    behind = np.empty_like(total)  # the lowest cost of what follows
    cheapest = np.full(n_runs, np.iinfo(np.int64).max // 2)
    for epoch in reversed(range(n_epochs)):
        leave = total[epoch].copy()
        leave[:-1] += cheapest[1:]
        behind[epoch] = np.minimum.accumulate(leave[::-1])[::-1] - total[epoch]
        cheapest = np.minimum(cheapest, costs[epoch] + behind[epoch])
    excess = ahead + behind - (ahead + behind).min(axis=0)
    first, last = _ends(excess == 0)
    chosen = first if np.unique(first).size < np.unique(last).size else last
    first, last = _ends(excess <= margin)
    return chosen, np.where(first != chosen, first, last)


def _ends(holds: _Flags) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first and the last epoch, the rows, of which each column is true; 0 and the last where none is."""
    return np.argmax(holds, axis=0), len(holds) - 1 - np.argmax(holds[::-1], axis=0)


def _with_before(pieces: _Pieces, alternative: _Pieces, last: int) -> _Pieces:
    """The alternative that packets before a reset which no continuous file has are from before these began."""
    ahead = [epoch for start, epoch in pieces if start < last]
    behind = [epoch for start, epoch in pieces if start >= last]
    if max(ahead) > 0 or behind[0] > 0:
        return alternative
    kept = [(start, epoch) for start, epoch in alternative if start >= last]
    return [(0, BEFORE), *kept]


def _cuts(pieces: _Pieces) -> set[tuple[int, int, int]]:
    return {(before, cut, after) for (_, before), (cut, after) in pairwise(pieces)}


def _lengths_in_order(ticks: Sequence[int], counts: Sequence[bool]) -> list[int]:
    """For each number of first packets the most of those that count which are in order of time."""
    lasts: list[int] = []
    lengths = [0]
    for tick, is_counted in zip(ticks, counts, strict=True):
        if is_counted:
            place = bisect_right(lasts, tick)
            lasts[place : place + 1] = [tick]
        lengths.append(len(lasts))
    return lengths
