# SPDX-License-Identifier: MIT
"""Finds where the recorder's clock was set back, by the timestamps of a NEV's packets; `Clock.gap` does in an NSx.

The order of packets is weak evidence. Both vendors write packets slightly out of order, single packets have stray
timestamps, and scripts regroup packets by kind or channel, or append them. So what follows a step back must stay by
the new count, and be of the same kinds and channels as what stands before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import RESET_S, ROLLOVER, ROLLOVER_NEAR_S
from ..format.numbers import INT64_MAX

Ticks = NDArray[np.int64]
Counts = NDArray[np.int64]

LATE_S = 0.01  # packets are late by milliseconds: 2.3 ms is the most that was seen
N_COMPARED = 16  # packets on each side of a step that show whether it lasts
_FEW, _MANY = 2, 4  # a step may last that displaces half of its neighbours, or this number of 16; never by one packet
_LEAST_PART = 4  # a step lasts that displaces a quarter of its shorter side
_REACH, _LEAST_REACH = 8, 64
_PASSES = 2
_REGROUPED = 4  # kinds, or ids, of a regrouped file change less often by this factor than those of a random order
_MOST_PARTS = 4096
_MOST_MEASURED = 256  # lasting steps whose sides are compared as long as they are; noise has more
_SAMPLED = 4096  # packets of each side that are compared
_ALIKE_KINDS, _ALIKE_GROUPS = 0.25, 0.5
_FAR_AHEAD_S = 3600  # a first packet this far before all others is a stray
_FEW_NEAR = 64  # packets on each side of a rollover that may be out of order
_STEPS_AT_ONCE = 1 << 14


class Reset(NamedTuple):
    """The recorder's clock was set back.

    Parameters
    ----------
    packet : int
        Index of the first packet by the new count.
    tick_before, tick_after : int
        Timestamps of the last packet by the old count and the first by the new.
    """

    packet: int
    tick_before: int
    tick_after: int


class StepsBack(NamedTuple):
    """Steps back in the ticks of packets, in file order: an array element for each.

    `n_displaced` packets would have to be taken out for the sides of a step, up to the next lasting steps, to follow
    each other in time; 1 at steps that do not last. A step `lasts` where what follows stays by the new count, and is
    a regrouping where its sides are told apart by kind or channel. `strays` are single packets out of line, and no
    sides of any step. `parts` are the first packets of those of a regrouped file but the first.
    """

    at: NDArray[np.intp]  # the first packet behind the step
    n_displaced: Counts
    lasts: NDArray[np.bool_]
    is_regrouping: NDArray[np.bool_]
    strays: NDArray[np.intp]
    parts: NDArray[np.intp]


def find_parts(groups: NDArray[np.uint32]) -> NDArray[np.intp]:
    """First packets of the parts of a file that was regrouped: each holds one kind, or one kind and id.

    Empty where kinds and ids alternate, as a recorder writes them.
    """
    parts = np.empty(0, np.intp)
    for shift in (16, 0):
        keys = groups >> np.uint32(shift)
        is_change = keys[1:] != keys[:-1]
        if np.count_nonzero(is_change) < min(groups.size / 2, _MOST_PARTS):
            changes = np.flatnonzero(is_change) + 1
            lengths = np.diff([0, *changes.tolist(), groups.size])
            of_run = np.unique(keys[np.append(0, changes)], return_inverse=True)[1].ravel()
            shares = np.bincount(of_run, lengths) / groups.size
            n_random = groups.size * (1 - (shares**2).sum())
            is_each_once = changes.size == shares.size - 1 and groups.size > 2 * shares.size > 2
            parts = changes if changes.size < n_random / _REGROUPED or is_each_once else parts
    return parts


def find_steps_back(ticks: Ticks, groups: NDArray[np.uint32], tick_rate: int, least_s: float = LATE_S) -> StepsBack:
    """Find steps back of more than `least_s`; `groups` are the kind and the id of each packet (`group_of`)."""
    tolerances = int(tick_rate * least_s), int(tick_rate * LATE_S)
    edges = [0, *find_parts(groups).tolist(), ticks.size]
    found = [_steps_back_of_part(a, ticks[a:b], groups[a:b], *tolerances) for a, b in pairwise(edges)]
    return StepsBack(*map(np.concatenate, zip(*found, strict=True)))


def _steps_back_of_part(first: int, ticks: Ticks, groups: NDArray[np.uint32], least: int, late: int) -> StepsBack:
    strays = find_strays(ticks, least, late)
    kept = np.delete(np.arange(ticks.size), strays) if strays.size else None
    if kept is not None:
        ticks, groups = ticks[kept], groups[kept]
    at = _large_steps_back(ticks, least)
    n_displaced = np.ones(at.size, np.int64)
    lasts, is_regrouping = np.zeros((2, at.size), np.bool_)
    near = _displaced_neighbours(ticks, at)
    n_sides = np.minimum(np.minimum(at, ticks.size - at), N_COMPARED)
    steps = np.flatnonzero(near >= np.clip(n_sides // 2, _FEW, _MANY))
    if steps.size > _MOST_MEASURED:
        steps = np.sort(steps[np.argsort(-near[steps], kind="stable")[:_MOST_MEASURED]])
    lasting, measured = _lasting(ticks, at, steps.tolist())
    lasts[lasting], n_displaced[lasting] = True, measured
    edges = [0, *at[lasting].tolist(), ticks.size]
    for step, a, b, c in zip(lasting, edges, edges[1:], edges[2:], strict=False):
        is_regrouping[step] = _differ_in_kind(groups[a:b], groups[b:c])
    at = at if kept is None else kept[at]
    parts = np.array([first] if first else [], np.intp)
    return StepsBack(at + first, n_displaced, lasts, is_regrouping, strays + first, parts)


def _later(ticks: Ticks, by: int) -> Ticks:
    """Ticks that are later, as far as int64 goes."""
    return np.minimum(ticks, INT64_MAX - by) + by


def _large_steps_back(ticks: Ticks, least: int) -> NDArray[np.intp]:
    at = np.flatnonzero(ticks[1:] < ticks[:-1])
    far: NDArray[np.intp] = at[_later(ticks[at + 1], least) < ticks[at]] + 1
    return far


def find_strays(ticks: Ticks, least: int, late: int) -> NDArray[np.intp]:
    """Packets at steps of more than `least` ticks without which their neighbours are in order, but for `late` ticks."""
    strays, packets = np.empty(0, np.intp), np.arange(0)
    for _ in range(_PASSES):
        at = _large_steps_back(ticks, least)
        if not at.size:
            break  # at once in most files; numpy loads its masked arrays for a union
        ahead = np.where(at > 1, ticks[at - 2], ~INT64_MAX)
        behind = np.where(at + 1 < ticks.size, ticks[np.minimum(at + 1, ticks.size - 1)], INT64_MAX)
        is_low, is_high = ticks[at - 1] <= _later(behind, late), ahead <= _later(ticks[at], late)
        drop = np.union1d(at[is_low], at[is_high & ~is_low] - 1)
        if not drop.size:
            break
        packets = packets if packets.size else np.arange(ticks.size)
        strays = np.concatenate([strays, packets[drop]])
        ticks, packets = np.delete(ticks, drop), np.delete(packets, drop)
    return np.sort(strays)


def _lasting(ticks: Ticks, at: NDArray[np.intp], steps: list[int]) -> tuple[list[int], list[int]]:
    """Drop the weakest of these steps until each displaces a part of both sides; with their `n_displaced`."""

    def measure(place: int) -> tuple[int, bool]:
        a, b, c = edges[place : place + 3]
        fewer = min(b - a, c - b)
        reach = max(_LEAST_REACH, _REACH * fewer)  # as far as strays of a long side cannot outnumber a short one
        n_displaced = _displaced_of(ticks[max(a, b - reach) : b], ticks[b : min(c, b + reach)])
        return n_displaced, n_displaced >= max(_FEW, fewer // _LEAST_PART)

    edges = [0, *at[steps].tolist(), ticks.size]
    measured = list(map(measure, range(len(steps))))
    while weak := [place for place, (_, lasts) in enumerate(measured) if not lasts]:
        place = min(weak, key=lambda place: measured[place][0])
        del steps[place], measured[place], edges[place + 1]
        for other in range(max(0, place - 1), min(place + 1, len(steps))):
            measured[other] = measure(other)
    return steps, [n_displaced for n_displaced, _ in measured]


def _displaced_neighbours(ticks: Ticks, at: NDArray[np.intp]) -> Counts:
    """`n_displaced` among the 16 packets on each side of steps."""
    n_displaced = np.empty(at.size, np.int64)
    offsets = np.arange(-N_COMPARED, N_COMPARED)
    for start in range(0, at.size, _STEPS_AT_ONCE):
        some = slice(start, start + _STEPS_AT_ONCE)
        packets = at[some, None] + offsets
        near = ticks[np.clip(packets, 0, ticks.size - 1)]
        near[packets < 0] = ~INT64_MAX
        near[packets >= ticks.size] = INT64_MAX
        order = np.argsort(near, axis=1, kind="stable")
        n_more_in_place = np.cumsum(np.where(order < N_COMPARED, 1, -1), axis=1)  # the earlier side ends ever later
        n_displaced[some] = N_COMPARED - np.maximum(n_more_in_place.max(axis=1), 0)
    return n_displaced


def _sampled(values: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Some of many values, at equal distances, and how many each of them stands for."""
    step = -(-values.size // _SAMPLED) or 1
    return values[::step], step


def _displaced_of(before: Ticks, after: Ticks) -> int:
    """`n_displaced` of two sides of any length, of which long ones are sampled."""
    (a, per_a), (b, per_b) = _sampled(before), _sampled(after)
    a, b = np.sort(a), np.sort(b)
    limits = np.concatenate([a, b[:1]])
    n_displaced = per_a * (a.size - np.searchsorted(a, limits, "right")) + per_b * np.searchsorted(b, limits, "left")
    return min(int(n_displaced.min()), before.size, after.size)


def group_of(kind: NDArray[np.uint8], packet_id: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """The kind and the id of packets as one number."""
    group: NDArray[np.uint32] = kind.astype(np.uint32) << np.uint32(16) | packet_id
    return group


def _differ_in_kind(before: NDArray[np.uint32], after: NDArray[np.uint32]) -> bool:
    """Whether two sides hardly have kinds, or kinds and ids, in common."""
    shares = (np.bincount(side >> np.uint32(16), minlength=1 << 8) / side.size for side in (before, after))
    fewer, more = (before, after) if before.size <= after.size else (after, before)
    is_in_more = np.zeros(int(max(before.max(), after.max())) + 1, np.bool_)
    is_in_more[more] = True
    alike_kinds, alike_groups = np.minimum(*shares).sum(), is_in_more[fewer].mean()
    return bool(alike_kinds < _ALIKE_KINDS or alike_groups < _ALIKE_GROUPS)


def find_resets(
    ticks: Ticks, groups: NDArray[np.uint32], packets: NDArray[np.intp], tick_rate: int
) -> tuple[Reset, ...]:
    """Find every reset in the ticks of `packets`, which are those of known kinds in file order."""
    steps = find_steps_back(ticks, groups, tick_rate, RESET_S)
    edges = np.concatenate([[0], steps.parts, [ticks.size]])
    longest = int(np.argmax(np.diff(edges)))  # in a regrouped file only one part can say it for all
    a, b = edges[longest : longest + 2] if 2 * np.diff(edges).max() > ticks.size else (0, 0)
    at = steps.at[steps.lasts & ~steps.is_regrouping & (steps.at > a) & (steps.at < b)]
    return tuple(map(Reset, packets[at].tolist(), ticks[at - 1].tolist(), ticks[at].tolist()))


def first_in_line(ticks: Ticks, tick_rate: int) -> int:
    """The first tick that is no stray's; a single one more than an hour ahead of all others is one, too."""
    ticks = ticks[:_SAMPLED]
    ticks = np.delete(ticks, find_strays(ticks, int(tick_rate * RESET_S), int(tick_rate * LATE_S)))
    is_alone = ticks.size > _FEW and int(ticks[1]) - int(ticks[0]) > _FAR_AHEAD_S * tick_rate
    return int(ticks[int(is_alone)])


def unroll(ticks: Ticks, groups: NDArray[np.uint32], packets: NDArray[np.intp], tick_rate: int) -> Ticks:
    """Count on where a clock of 32 bits ran over; the same ticks where it never did.

    The clock ran over where `packets`, those of known kinds, came within an hour of the end of 32 bits and went on
    within an hour of 0. Where they go the other way, packets were regrouped, and those behind are from before it ran
    over; unless they are fewer than four amid packets that were not, which are strays. `groups` are those of `packets`.
    A few packets near such a place may be late or early by 10 ms.
    """
    near, late = ROLLOVER_NEAR_S * tick_rate, int(tick_rate * LATE_S)
    if near > ROLLOVER // 2:
        return ticks
    known = ticks[packets]
    if not known.size or known.max() < ROLLOVER - near or known.min() >= near:
        return ticks
    strays = find_strays(known, near, late)
    strays = np.union1d(strays, _few_from_before(known, groups, strays, near))
    kept, packets = np.delete(known, strays), np.delete(packets, strays)
    is_low, is_high = kept < near, kept >= ROLLOVER - near
    rolled, back = packets[1:][is_high[:-1] & is_low[1:]], packets[1:][is_low[:-1] & is_high[1:]]
    every = np.arange(ticks.size)
    n_rollovers = np.searchsorted(rolled, every, "right") - np.searchsorted(back, every, "right")
    n_rollovers -= n_rollovers.min(initial=0)
    edges = np.sort(np.concatenate([[0, ticks.size], rolled, back]))
    for packet in rolled.tolist():
        place = np.searchsorted(edges, packet)
        before = slice(max(edges[place - 1], packet - _FEW_NEAR), packet)
        after = slice(packet, min(edges[place + 1], packet + _FEW_NEAR))
        n_rollovers[before] += ticks[before] < late
        n_rollovers[after] -= ticks[after] >= ROLLOVER - late
    return ticks + n_rollovers * ROLLOVER


def _few_from_before(ticks: Ticks, groups: NDArray[np.uint32], strays: NDArray[np.intp], near: int) -> NDArray[np.intp]:
    """Packets near the end of 32 bits, fewer than four, behind one near 0 of the same part of the file."""
    kept = np.delete(np.arange(ticks.size), strays)
    is_low, is_high = ticks[kept] < near, ticks[kept] >= ROLLOVER - near
    back = np.flatnonzero(is_low[:-1] & is_high[1:]) + 1
    stops = np.flatnonzero(is_high & ~np.append(is_high[1:], False)) + 1
    n_high = stops[np.searchsorted(stops, back, "right")] - back
    back, n_high = back[n_high < _MANY], n_high[n_high < _MANY]
    if back.size:
        is_amid = ~np.isin(kept[back], find_parts(groups))
        back, n_high = back[is_amid], n_high[is_amid]
    few = back[:, None] + np.arange(_MANY)
    amid: NDArray[np.intp] = kept[few[np.arange(_MANY) < n_high[:, None]]]
    return amid


def n_resets_before(resets: Sequence[Reset], packets: ArrayLike) -> NDArray[np.intp]:
    """Count the resets up to each packet: the index of the packet's epoch."""
    return np.searchsorted([reset.packet for reset in resets], packets, "right")
