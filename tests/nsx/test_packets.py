# SPDX-License-Identifier: MIT
"""Packets of one sample with timestamps of their own: claims C30 to C32 of `spec_notes/nsx.md`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nsx.files import all_samples, counts, warned


def test_nsx_c30_packets_of_one_sample_are_told_by_the_packets_not_by_the_clock(opened: Opened) -> None:
    samples = b.ramp(40, 2)
    as_packets = opened(b.nsx([(10**15, samples)], "ptp"), "packets")
    slow_clock = opened(b.nsx([(500, samples)], "ptp", tick_rate=30000), "slow")
    as_blocks = opened(b.nsx([(10**15, samples)], "3.0", tick_rate=1_000_000_000), "blocks")
    for ns in (as_packets, slow_clock, as_blocks):
        np.testing.assert_array_equal(ns.segments[0].samples, samples)
        assert len(ns.segments) == 1
    assert as_packets.segments[0].samples.strides == (4 + 13, 2)
    assert as_blocks.segments[0].samples.strides == (4, 2)


def test_nsx_c30_a_first_block_of_one_sample_does_not_make_packets(opened: Opened) -> None:
    blocks = [(0, b.ramp(1, 2)), (10**12, b.ramp(50, 2, first=1)), (2 * 10**12, b.ramp(1, 2, first=51))]
    ns = opened(b.nsx(blocks, "3.0", tick_rate=1_000_000_000))
    assert counts(ns) == [1, 50, 1]
    np.testing.assert_array_equal(all_samples(ns), b.ramp(52, 2))


def test_nsx_c30_a_count_of_two_is_no_packet_of_one_sample(opened: Opened) -> None:
    data = b.nsx([(10**15, b.ramp(9, 2))], "ptp") + b.block("ptp", 2 * 10**15, b.ramp(1, 2, first=9), n_samples=2)
    ns = warned(opened, data, nv.TruncatedFile, "expected a block of 2 samples.*; 1 samples kept")
    assert ns.missing_bytes == 4
    np.testing.assert_array_equal(all_samples(ns), b.ramp(10, 2))


def test_nsx_c31_packets_keep_their_own_timestamps(opened: Opened) -> None:
    jitter = np.random.default_rng(1).integers(-900, 900, 50)
    ticks = 1_700_000_000_000_000_001 + np.arange(50) * 33333 + jitter
    head = b.basic("ptp", 2, tick_rate=10**9) + b.channel(1) + b.channel(2)
    ns = opened(head + b.packets(ticks, b.ramp(50, 2)))
    ticks_read = ns.segments[0].ticks()
    assert ticks_read.dtype == np.int64
    assert ticks_read.tolist() == ticks.tolist(), "to the nanosecond, which float64 cannot"
    assert ns.segments[0].ticks(3, 7).tolist() == ticks[3:7].tolist()
    since = ns.segments[0].seconds(origin_tick=int(ticks[0]))
    np.testing.assert_allclose(since, (ticks - ticks[0]) / 1e9, rtol=0, atol=1e-12)


STEPS = [33333, 33334, 33320, 20000, 46000, 16667, 16666, 16665, 50000, 49999, 50001, 10**9, 0, -(10**6), -(10**8)]


@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=30))
def test_nsx_c32_a_step_half_a_sample_off_breaks_a_run_of_packets(opened: Opened, steps) -> None:
    ticks = np.cumsum([10**15, *steps])
    ns = opened(b.basic("ptp", 1, tick_rate=10**9) + b.channel(1) + b.packets(ticks, b.ramp(len(ticks), 1)))
    nominal = Fraction(10**9, 30000)
    breaks = [k + 1 for k, step in enumerate(steps) if abs(step - nominal) >= nominal / 2]
    edges = [0, *breaks, len(ticks)]
    assert counts(ns) == np.diff(edges).tolist()
    assert [segment.start_tick for segment in ns.segments] == [int(ticks[k]) for k in edges[:-1]]
    assert [gap.missing_samples_exact for gap in ns.gaps] == pytest.approx(
        [float((steps[k - 1] - nominal) / nominal) for k in breaks]
    )
    ns.close()


def test_nsx_c32_a_packet_cut_short_is_left_out(opened: Opened) -> None:
    data, samples = b.plausible("ptp", n_samples=(6,))
    for cut in range(1, 13 + 6):
        ns = warned(opened, data[:-cut], nv.TruncatedFile, "expected complete samples of 19 bytes, found")
        assert (ns.n_samples, ns.missing_bytes) == (5, cut)
        np.testing.assert_array_equal(ns.segments[0].samples, samples[:5])
        ns.close()
