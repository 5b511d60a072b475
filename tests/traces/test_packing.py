# SPDX-License-Identifier: MIT
"""Rows that are packed side by side are the rows of each instrument, wherever batches and gaps begin."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from unittest import mock

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from depth import FEWER
from fixture_types import FileOf
from hypothesis import example, given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.traces import packing

Blocks = list[tuple[int, int]]  # the first tick and the samples of each


@st.composite
def blocks(draw: st.DrawFn) -> Blocks:
    """Blocks with pauses between them; all recordings have the last one in common."""
    parts, at = [], draw(st.integers(0, 30))
    for _ in range(draw(st.integers(1, 4))):
        n_samples = draw(st.integers(2, 60))
        parts.append((at, n_samples))
        at += n_samples + draw(st.integers(1, 30))
    return [*parts, (400, 50)]


def in_blocks(parts: Blocks, n_channels: int, first: int) -> bytes:
    return b.nsx([(tick, b.ramp(n, n_channels, first=first + tick)) for tick, n in parts])


def in_packets(parts: Blocks, n_channels: int, first: int) -> bytes:
    samples = np.concatenate([np.arange(tick, tick + n) for tick, n in parts])
    ticks = t.BOOT_NS + samples * t.PERIOD_NS
    return t.ptp(ticks, np.stack([(first + samples) * 7 + channel for channel in range(n_channels)], axis=1))


def in_either(parts: Blocks, n_channels: int, first: int) -> bytes:
    """Packets, or of every other instrument blocks on the same clock."""
    if first % 2:
        return in_packets(parts, n_channels, first)
    blocks = [(t.BOOT_NS + round(tick * t.PERIOD_NS), b.ramp(n, n_channels, first=first + tick)) for tick, n in parts]
    return b.nsx(blocks, "3.0", tick_rate=t.NS)


@st.composite
def columns(draw: st.DrawFn) -> list[int]:
    """Columns of an instrument, in any order."""
    return draw(st.permutations(range(3)))[: draw(st.integers(1, 3))]


@pytest.mark.parametrize("made", [in_blocks, in_packets, in_either])
@FEWER
@given(
    several=st.lists(blocks(), min_size=2, max_size=4),
    n_channels=st.lists(st.sampled_from([3, 3, 3, 4]), min_size=4, max_size=4),
    chosen=st.lists(columns(), min_size=4, max_size=4)
    | st.lists(columns(), min_size=1, max_size=1).map(lambda c: c * 4),
    n_bytes=st.integers(1, 4000),
    most_ranges=st.sampled_from([1, 8]),  # of columns that are copied range by range
)
@example([[(0, 20), (400, 50)], [(10, 20), (400, 50)]], [3, 3], [[0], [0]], 30 * 2 * (6 + 16), 8)  # at other rows
@example([[(400, 50)], [(400, 50)]], [3, 3], [[0, 2], [0, 2]], 4000, 1)  # alike, and gathered
def test_rows_of_instruments_that_are_alike_are_packed_as_those_of_others(
    file_of: FileOf,
    made: Callable[[Blocks, int, int], bytes],
    several: list[Blocks],
    n_channels: list[int],
    chosen: list[list[int]],
    n_bytes: int,
    most_ranges: int,
) -> None:
    with ExitStack() as stack, mock.patch.multiple(packing, BUFFER_BYTES=n_bytes, _MAX_RANGES=most_ranges):
        files, wanted = [], []
        for number, parts in enumerate(several):
            first = sum(n_channels[:number])
            path = file_of(made(parts, n_channels[number], 1001 * number), f"x-NSP{number}.ns5")
            files.append(stack.enter_context(nv.open_nsx(path)))
            wanted += [first + column for column in chosen[number]]
        wide, target = nv.combine_instruments(files, clock="same"), Path(path).with_name("wide.bin")
        for fill in (-1, "hold"):
            x = wide.traces(gaps="fill", fill=fill, max_fill=1000).select(channels=wanted)
            nv.write_bin(x, target, overwrite=True)
            np.testing.assert_array_equal(np.fromfile(target, x.dtype).reshape(x.shape), np.asarray(x))


def test_two_threads_that_pack_at_once_share_one_index() -> None:
    for _ in range(5):
        packer = packing.ColumnPacker(np.arange(0, 40, 2, dtype=np.intp), 40, np.dtype(np.int16))
        together = Barrier(2)

        def index(packer: packing.ColumnPacker = packer, together: Barrier = together) -> np.ndarray:
            together.wait()
            return packer._index(20_000)

        with ThreadPoolExecutor(2) as threads:
            one, other = [future.result() for future in [threads.submit(index) for _ in range(2)]]
        assert np.shares_memory(one, other)
