# SPDX-License-Identifier: MIT
"""Finds where the recorder's clock was set back, by the timestamps of a NEV's packets.

The order of packets is weak evidence. Both vendors write packets slightly out of order, and scripts append packets
with old timestamps. So a reset takes two packets: one whose timestamp goes far back, and a next one that stays back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


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


def find_resets(
    ticks: NDArray[np.unsignedinteger[Any]], packets: NDArray[np.intp], tick_rate: int
) -> tuple[Reset, ...]:
    """Find every reset in the ticks of `packets`, which are those of known kinds in file order."""
    at = np.flatnonzero(ticks[1:-1] < ticks[:-2])
    before, after, following = (ticks[at + step].astype(np.uint64) for step in range(3))
    is_reset = _is_far_back(before, after, tick_rate) & _is_far_back(before, following, tick_rate)
    return tuple(map(Reset, *(values[is_reset].tolist() for values in (packets[at + 1], before, after))))


def _is_far_back(before: NDArray[np.uint64], after: NDArray[np.uint64], tick_rate: int) -> NDArray[np.bool_]:
    """By more than a second; or by more than a tenth of one, to less than a tenth of the earlier timestamp."""
    back = before - np.minimum(before, after)
    return (back > tick_rate) | ((back > tick_rate // 10) & (after < before // 10))


def n_resets_before(resets: Sequence[Reset], packets: ArrayLike) -> NDArray[np.intp]:
    """Count the resets up to each packet: the index of the packet's epoch."""
    return np.searchsorted([reset.packet for reset in resets], packets, "right")
