# SPDX-License-Identifier: MIT
"""Samples, chunks and times of an open file are those that numpy would slice and count."""

from __future__ import annotations

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

shapes = st.tuples(st.sampled_from(b.KINDS), st.integers(1, 5), st.lists(st.integers(1, 12), min_size=1, max_size=4))


@given(shape=shapes, data=st.data())
def test_read_is_numpys_own_slice(opened: Opened, shape, data) -> None:
    kind, n_channels, n_samples = shape
    raw, samples = b.plausible(kind, n_channels, tuple(n_samples))
    ns = opened(raw)
    if kind == "2.1":
        n_samples = [sum(n_samples)]
    segment = data.draw(st.integers(-len(n_samples), len(n_samples) - 1))
    edges = np.cumsum([0, *n_samples])
    truth = samples[edges[segment % len(n_samples)] : edges[segment % len(n_samples) + 1]]
    start, stop = data.draw(st.tuples(*[st.none() | st.integers(-15, 15)] * 2))
    columns = data.draw(
        st.lists(st.integers(-n_channels, n_channels - 1), max_size=7)
        | st.lists(st.booleans(), min_size=n_channels, max_size=n_channels)
        | st.slices(n_channels)
    )
    want = truth[start:stop][:, columns if isinstance(columns, slice) or columns else slice(0, 0)]
    got = ns.read(start, stop, segment=segment, channels=columns)
    assert got.dtype == ns.dtype
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(
        np.ascontiguousarray(ns.segments[segment].ticks(start, stop)), ns.segments[segment].ticks()[start:stop]
    )
    ns.close()


@given(shape=shapes, size=st.integers(1, 15))
def test_chunks_cover_everything_once_and_in_order(opened: Opened, shape, size) -> None:
    kind, n_channels, n_samples = shape
    raw, samples = b.plausible(kind, n_channels, tuple(n_samples))
    ns = opened(raw)
    chunks = list(ns.chunks(size))
    np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in chunks]), samples)
    assert all(1 <= len(chunk.samples) <= size for chunk in chunks)
    for chunk in chunks:
        part = ns.segments[chunk.segment].samples[chunk.start : chunk.start + len(chunk.samples)]
        np.testing.assert_array_equal(chunk.samples, part)
        assert np.shares_memory(chunk.samples, ns.segments[chunk.segment].samples)
    ns.close()


@given(
    kind=st.sampled_from(b.KINDS),
    period=st.integers(1, 70),
    tick_rate=st.sampled_from([1000, 30000, 44100, 10**6, 10**9]),
    start=st.integers(0, 2**31),
    tick=st.integers(-50, 4000),
)
def test_find_is_the_first_sample_that_is_not_before_a_tick(
    opened: Opened, kind: str, period, tick_rate, start, tick
) -> None:
    samples = b.ramp(40, 1, kind)
    later = start + 20 * period * tick_rate // 30000
    blocks = [(start, samples[:20]), (later, samples[20:])]
    ns = opened(b.nsx(blocks, kind, period=period, tick_rate=tick_rate))
    for segment in ns.segments:
        ticks = segment.ticks().tolist()
        target = segment.start_tick + tick * tick_rate // 30000
        assert segment.find(target) == sum(tick < target for tick in ticks)
    ns.close()


def test_find_is_exact_on_nanosecond_clocks_of_today(opened: Opened) -> None:
    start = 1_700_000_000_000_000_001
    ns = opened(b.nsx([(start, b.ramp(9, 1))], "ptp"))
    ticks = [start + k * 10**9 // 30000 for k in range(9)]
    assert [ns.segments[0].find(tick) for tick in ticks] == list(range(9))
    assert [ns.segments[0].find(tick + 1) for tick in ticks] == list(range(1, 10))


@pytest.mark.parametrize("kind", b.KINDS)
def test_samples_are_read_only_views_of_the_file(opened: Opened, kind: str) -> None:
    raw, _ = b.plausible(kind)
    ns = opened(raw)
    for segment in ns.segments:
        samples = segment.samples
        assert not samples.flags.writeable
        assert np.shares_memory(samples, segment.samples), "no copy"
        assert np.shares_memory(samples, ns.read(1, 3, segment=segment.index)), "nor in read"
        assert np.shares_memory(samples, ns.read(segment=segment.index, channels=slice(2, None))), "nor of columns"
        assert np.shares_memory(samples, ns.read(segment=segment.index, channels=[0, 2])), "nor of equally spaced ones"
        with pytest.raises(ValueError, match="read-only"):
            samples[0, 0] = 1


def test_blocks_of_one_segment_are_views_and_their_sum_is_not(opened: Opened) -> None:
    ns = opened(b.nsx([(0, b.ramp(3, 2)), (3, b.ramp(3, 2, first=3))]))
    (segment,) = ns.segments
    assert [block.flags.writeable for block in segment.blocks] == [False, False]
    assert all(np.shares_memory(chunk.samples, segment.blocks[k]) for k, chunk in enumerate(ns.chunks()))
    assert not any(np.shares_memory(segment.samples, block) for block in segment.blocks)
    np.testing.assert_array_equal(ns.read(2, 4), b.ramp(6, 2)[2:4])


def test_seconds_count_from_the_first_sample_or_from_an_origin(opened: Opened) -> None:
    ns = opened(b.nsx([(60000, b.ramp(4, 1))], period=15))
    (segment,) = ns.segments
    np.testing.assert_allclose(segment.seconds(), np.arange(4) / 2000)
    np.testing.assert_allclose(segment.seconds(origin_tick=0), 2 + np.arange(4) / 2000)
    np.testing.assert_allclose(segment.seconds(1, 3, origin_tick=60030), [-0.0005, 0.0])
    assert segment.seconds(2, 2).shape == (0,)


def test_chunks_of_nothing_are_refused(opened: Opened) -> None:
    with pytest.raises(ValueError, match="expected chunks of 1 sample or more, found 0"):
        next(opened(b.plausible("2.3")[0]).chunks(0))
