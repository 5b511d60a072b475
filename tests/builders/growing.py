# SPDX-License-Identifier: MIT
"""Recordings whose bytes in the end are known, for recorders that write them piece by piece."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from builders import nsx as b
from builders import timing as t
from builders.recorders import Mark, marks, n_whole


class Growing:
    """A recording of blocks: its bytes in the end, where the data begins, and its blocks."""

    def __init__(self, kind: str, starts: Sequence[int], n_samples: Sequence[int], n_channels: int = 2) -> None:
        first = np.cumsum([0, *n_samples]).tolist()
        blocks = [(tick, b.ramp(n, n_channels, kind, first[k])) for k, (tick, n) in enumerate(zip(starts, n_samples))]  # noqa: B905
        self.data = b.nsx(blocks, kind)
        self.start = len(b.nsx([], kind, ids=range(1, n_channels + 1)))
        row_bytes = n_channels * np.dtype(b.sample_type(kind)).itemsize
        self.blocks: list[Mark] = [] if kind == "2.1" else marks(kind, self.start, n_samples, row_bytes)
        self.samples = np.concatenate([samples for _, samples in blocks])

    def n_whole(self, at: int) -> int:
        """Samples that are written whole up to a byte."""
        if not self.blocks:
            return (at - self.start) // self.samples[:1].nbytes
        return n_whole(self.blocks, at)


@st.composite
def growing(draw: st.DrawFn, kinds: Sequence[str] = b.BLOCK_KINDS) -> Growing:
    """A recording of blocks that adjoin, or are parted by pauses, losses, overlaps and resets."""
    n_samples = draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    starts = [draw(st.integers(0, 1000))]
    for n in n_samples[:-1]:
        starts.append(max(0, starts[-1] + n + draw(st.sampled_from([0, 0, 1, 7, 3000, 60000, -1, -3, -3100]))))
    return Growing(draw(st.sampled_from(kinds)), starts, n_samples, draw(st.integers(1, 5)))


def ends(draw: st.DrawFn, begin: int, stop: int) -> list[int]:
    """Bytes that are written up to, one after another, to the end; some more than once, when nothing comes."""
    return [*sorted(draw(st.lists(st.integers(begin, stop), min_size=1, max_size=8))), stop]


@st.composite
def stamped(draw: st.DrawFn) -> np.ndarray:
    """Timestamps with jitter, breaks, and groups out of order far from each other."""
    n = draw(st.integers(1, 260))
    places = st.integers(0, n - 1)
    breaks = draw(st.dictionaries(places, st.sampled_from([0.6, 1, 30, 5000, -40, -200]), max_size=4))
    ticks = t.stamps(n, jitter_ns=draw(st.sampled_from([0, 2000])), breaks=breaks, seed=n)
    far = [k for k in range(30, n - 30, 90) if all(abs(k - packet) > 30 for packet in breaks)]
    return t.shuffled(ticks, {k: draw(st.permutations(range(5))) for k in far})
