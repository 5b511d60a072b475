# SPDX-License-Identifier: MIT
"""Files of a recording."""

from __future__ import annotations

from builders import timing as t

RATE = 30_000


def nsx(*blocks, period=1, kind="2.3", tick_rate=None):
    """A file of (tick, samples) blocks."""
    rate = tick_rate or (t.NS if kind == "ptp" else RATE)
    return t.blocks([tick for tick, _ in blocks], [n for _, n in blocks], kind, period=period, tick_rate=rate)
