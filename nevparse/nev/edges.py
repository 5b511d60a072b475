# SPDX-License-Identifier: MIT
"""Edges of the digital input: which pins changed, and how, from one digital event to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .packets import PacketNumbers

EDGE = np.dtype([("tick", np.int64), ("packet", np.intp), ("pin", np.uint8), ("is_rising", np.bool_)])
_N_PINS = 16


def find_edges(events: NDArray[np.void], packets: PacketNumbers) -> NDArray[np.void]:
    """Compare the value of each digital event with that of the one before it.

    Before the first one every pin is low, except where the packet says which bits changed (3.0).
    """
    values = events["value"].astype(np.uint32)
    if not values.size:
        return np.empty(0, EDGE)
    named = int(events["bits_changed"][0]) if "bits_changed" in (events.dtype.names or ()) else 0
    before = np.concatenate([[np.uint32(values[0] ^ named if named else 0)], values[:-1]])
    pins = np.arange(_N_PINS, dtype=np.uint32)
    places, changed = np.nonzero((values ^ before)[:, np.newaxis] >> pins & 1)
    edges = np.empty(places.size, EDGE)
    edges["tick"], edges["packet"], edges["pin"] = events["tick"][places], packets[places], changed
    edges["is_rising"] = values[places] >> pins[changed] & 1
    return edges
