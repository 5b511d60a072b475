# SPDX-License-Identifier: MIT
"""Files of blocks, and their segments and ticks worked out by the definition."""

from __future__ import annotations

from itertools import pairwise

from builders import timing as t
from hypothesis import strategies as st

RATES = [(1, 30_000), (30, 30_000), (1, t.NS), (15, t.NS), (3, 100_000), (1, 1000)]  # period, tick rate


def shape(ns):
    return [(segment.start_tick, segment.n_samples) for segment in ns.segments]


@st.composite
def block_files(draw, overlaps=True):
    """(kind, starts, counts, period, tick rate) of blocks that adjoin, nearly do, pause, overlap or are set back."""
    period, tick_rate = draw(st.sampled_from(RATES))
    kind = "3.0" if tick_rate == t.NS else draw(st.sampled_from(["2.3", "3.0"]))
    num, den = period * tick_rate, 30_000
    half = num // (2 * den)
    late = st.one_of(
        st.sampled_from([0, 1, -1, half - 1, half, half + 1, -half, 1 - half]),
        st.integers(0, 5 * tick_rate),
        st.integers(-20 * num // den, 0) if overlaps else st.just(0),
        st.just("reset") if overlaps else st.just(0),
    )
    starts, counts, tick = [], [], draw(st.integers(0, 3 * tick_rate))
    for by in draw(st.lists(late, min_size=1, max_size=6)):
        counts.append(draw(st.integers(1, 25)))
        starts.append(tick)
        end = tick + counts[-1] * num // den
        tick = draw(st.integers(0, 100)) if by == "reset" else max(0, end + by)
    return kind, starts, counts, period, tick_rate


def brute_segments(starts, counts, period, tick_rate):
    """Blocks of each segment, by the definition: broken by half a sample or more, and a tick or more."""
    segments = [[0]]
    for k, (tick, n) in enumerate(pairwise(zip(starts, counts, strict=True))):
        (before, n_before), (after, _) = tick, n
        off = 30_000 * (after - before) - n_before * period * tick_rate
        if 2 * abs(off) >= period * tick_rate and abs(off) >= 30_000:
            segments.append([])
        segments[-1].append(k + 1)
    return segments


def brute_ticks(starts, counts, period, tick_rate):
    """Ticks of every sample of each segment, and the first one behind it."""
    for blocks in brute_segments(starts, counts, period, tick_rate):
        ticks = [starts[k] + s * period * tick_rate // 30_000 for k in blocks for s in range(counts[k])]
        last = blocks[-1]
        yield ticks, max(starts[last] + counts[last] * period * tick_rate // 30_000, ticks[-1] + 1)
