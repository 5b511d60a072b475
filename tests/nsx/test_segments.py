# SPDX-License-Identifier: MIT
"""Blocks that make a segment, gaps between segments, and clocks that run over: C01 to C07 of `spec_notes/timing.md`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import Opened
from hypothesis import given

import nevparse as nv
from nevparse.clock import Gap
from nsx.blocks_by_definition import block_files, brute_segments, shape
from nsx.files import all_samples

# ------------------------------------------------------------------------------------------------ blocks and segments


@given(block_files())
def test_timing_c01_blocks_break_where_half_a_sample_is_missing_or_double(opened: Opened, file) -> None:
    kind, starts, counts, period, tick_rate = file
    with opened(t.blocks(starts, counts, kind, period=period, tick_rate=tick_rate)) as ns:
        segments = brute_segments(starts, counts, period, tick_rate)
        assert shape(ns) == [(starts[one[0]], sum(counts[k] for k in one)) for one in segments]
        np.testing.assert_array_equal(all_samples(ns), b.ramp(sum(counts), 2))
        assert [gap.after_segment for gap in ns.gaps] == list(range(len(segments) - 1))


@pytest.mark.parametrize(
    ("period", "tick_rate", "late", "broken"),
    [
        (30, 30_000, 14, False),
        (30, 30_000, 15, True),
        (30, 30_000, -14, False),
        (30, 30_000, -15, True),
        (1, 30_000, 1, True),
        (1, t.NS, 16_666, False),
        (1, t.NS, 16_667, True),
        (1, 1000, 0, False),
        (1, 1000, 1, True),
    ],
)
def test_timing_c01_half_a_sample_that_is_a_tick_or_more_breaks_a_segment(
    opened: Opened, period, tick_rate, late, broken
) -> None:
    n = 30  # a whole number of ticks at any of these rates
    starts = [1000, 1000 + n * period * tick_rate // 30_000 + late]
    ns = opened(t.blocks(starts, [n, 5], "3.0", period=period, tick_rate=tick_rate))
    assert len(ns.segments) == 1 + broken
    assert len(ns.gaps) == broken


def test_timing_c02_one_block_is_a_view_and_several_are_given_as_views_or_put_together(opened: Opened) -> None:
    ns = opened(t.blocks([0, 10, 100], [10, 5, 4]))
    joined, alone = ns.segments
    assert (joined.n_blocks, alone.n_blocks) == (2, 1)
    assert np.shares_memory(alone.samples, alone.blocks[0])
    assert not alone.samples.flags.writeable
    assert [len(block) for block in joined.blocks] == [10, 5]
    assert not any(block.flags.writeable for block in joined.blocks)
    np.testing.assert_array_equal(joined.samples, np.concatenate(joined.blocks))
    np.testing.assert_array_equal(joined.samples, b.ramp(15, 2))


def test_timing_c02_what_is_read_of_a_paused_file_is_of_a_segment_that_is_named(opened: Opened) -> None:
    rows = b.ramp(9, 2)
    ns = opened(b.nsx([(0, rows[:5]), (30_000, rows[5:])]))
    for request in ({}, {"start": 0, "stop": 9}, {"start": 6, "stop": 8, "unit": "uV"}):
        with pytest.raises(nv.GapError, match=r"2 segments \(5, 4 samples\): pause of .* segment=0.*traces") as refused:
            ns.read(**request)
        assert refused.value.gaps == ns.gaps
    np.testing.assert_array_equal(np.concatenate([ns.read(segment=0), ns.read(segment=1)]), rows)
    np.testing.assert_array_equal(ns.read(start_s=0.5), rows[5:])


def test_timing_c02_blocks_of_a_segment_count_from_their_own_timestamps(opened: Opened) -> None:
    ns = opened(t.blocks([100, 100 + 3 * 30 + 9], [3, 3], period=30))
    assert ns.segments[0].ticks().tolist() == [100, 130, 160, 199, 229, 259]
    assert ns.segments[0].stop_tick == 289
    assert ns.gaps == ()


def test_timing_c03_empty_blocks_leave_no_trace_and_blocks_of_one_sample_stay(opened: Opened) -> None:
    """As Central 6.03 and 6.05.02 wrote them."""
    data = [(0, b.ramp(4, 2)), (4, b.ramp(0, 2)), (9000, b.ramp(1, 2)), (9000, b.ramp(3, 2)), (9500, b.ramp(2, 2))]
    ns = opened(b.nsx(data))
    assert shape(ns) == [(0, 4), (9000, 1), (9000, 3), (9500, 2)]
    assert [gap.kind for gap in ns.gaps] == ["pause", "overlap", "loss"]
    assert ns.gaps[1].missing_samples == -1


def test_timing_c03_thousands_of_blocks_are_each_a_segment(opened: Opened) -> None:
    ns = opened(t.blocks([k * 100 for k in range(3000)], [1] * 3000))
    assert len(ns.segments) == 3000
    assert {(gap.kind, gap.missing_samples) for gap in ns.gaps} == {("loss", 99)}
    segment, sample = ns.locate([100 * 2999, 100 * 1500, 100 * 1500 + 1])
    assert segment.tolist() == [2999, 1500, -1]
    assert sample.tolist() == [0, 0, -1]


# -------------------------------------------------------------------------------------------------------------- gaps


@pytest.mark.parametrize(
    ("next_tick", "kind", "missing"),
    [
        (10_000 + 2999, "loss", 2999),
        (10_000 + 3000, "pause", 3000),
        (10_000 - 2, "overlap", -2),
        (10_000 - 2999, "overlap", -2999),
        (10_000 - 3000, "reset", -3000),
        (999, "reset", -9001),
    ],
)
def test_timing_c04_a_gap_is_a_pause_a_loss_an_overlap_or_a_reset(
    opened: Opened, next_tick, kind: str, missing
) -> None:
    """0.1 s parts pause from loss, and overlap from reset."""
    ns = opened(t.blocks([1000, next_tick], [9000, 10]))
    assert ns.gaps == (Gap(0, kind, missing, float(missing), missing / 30_000, 0.3),)


def test_timing_c04_a_pause_is_one_in_every_framing(opened: Opened) -> None:
    for kind, rate in (("2.2", 30_000), ("2.3", 30_000), ("3.0", 30_000), ("ptp", t.NS)):
        raw, samples = b.plausible(kind, 2, (7, 5))
        with opened(raw) as ns:
            assert [(gap.kind, gap.missing_samples) for gap in ns.gaps] == [("pause", 30_000)], kind
            assert ns.gaps[0].seconds == pytest.approx(1, abs=2 / rate)
            np.testing.assert_array_equal(all_samples(ns), samples)


@pytest.mark.parametrize(
    ("late", "rounded"), [(15, 1), (44, 1), (45, 2), (59, 2), (-15, -1), (-44, -1), (-45, -2), (-59, -2)]
)
def test_timing_c05_missing_samples_are_rounded_and_exact(opened: Opened, late, rounded) -> None:
    ns = opened(t.blocks([0, 300 + late], [10, 10], period=30))
    (gap,) = ns.gaps
    assert (gap.missing_samples, gap.missing_samples_exact, gap.seconds) == (rounded, late / 30, late / 30_000)


@given(block_files())
def test_timing_c05_gaps_are_what_the_timestamps_say(opened: Opened, file) -> None:
    kind, starts, counts, period, tick_rate = file
    with opened(t.blocks(starts, counts, kind, period=period, tick_rate=tick_rate)) as ns:
        segments = brute_segments(starts, counts, period, tick_rate)
        for gap, (one, other) in zip(ns.gaps, pairwise(segments), strict=True):
            late = starts[other[0]] - starts[one[-1]] - counts[one[-1]] * period * tick_rate / 30_000
            assert gap.missing_samples_exact == pytest.approx(late * 30_000 / (period * tick_rate), rel=1e-12)
            assert gap.seconds == pytest.approx(late / tick_rate, rel=1e-12)
            assert abs(gap.missing_samples - gap.missing_samples_exact) <= 0.5
            assert (gap.missing_samples > 0) == (gap.kind in ("pause", "loss")) == (late > 0)


@pytest.mark.parametrize(("starts", "counts"), [([0, 116], [8000, 1000]), ([0, 0], [8000, 1000]), ([0, 3], [3500, 9])])
def test_timing_c06_a_second_nsp_that_is_restarted_is_a_reset(opened: Opened, starts, counts) -> None:
    """The part before the restart is kept: it is short, but it was recorded."""
    ns = opened(t.blocks(starts, counts))
    assert shape(ns) == list(zip(starts, counts, strict=True))
    assert [gap.kind for gap in ns.gaps] == ["reset"]
    assert ns.epochs == (range(1), range(1, 2))


def test_timing_c06_a_clock_set_back_in_the_middle_is_a_reset(opened: Opened) -> None:
    """As "critical load restart" does."""
    ns = opened(t.blocks([114_000, 150_000, 0, 40_000], [9000, 9000, 9000, 9000]))
    assert [gap.kind for gap in ns.gaps] == ["pause", "reset", "pause"]
    assert ns.epochs == (range(2), range(2, 4))


# -------------------------------------------------------------------------------------------------------- 32-bit wrap

END = 1 << 32


def test_timing_c07_ticks_count_on_where_32_bits_run_over(opened: Opened) -> None:
    ns = opened(t.blocks([END - 100, 0, 5000], [100, 50, 10]))
    assert shape(ns) == [(END - 100, 150), (END + 5000, 10)]
    assert [gap.missing_samples for gap in ns.gaps] == [4950]
    assert ns.segments[0].ticks(99, 102).tolist() == [END - 1, END, END + 1]


def test_timing_c07_ticks_count_on_inside_a_block_and_across_a_pause(opened: Opened) -> None:
    assert shape(opened(t.blocks([END - 10, 40], [50, 5]))) == [(END - 10, 55)]
    ns = opened(t.blocks([END - 20 * 60 * 30_000, 20 * 60 * 30_000], [50, 5]))
    assert [gap.kind for gap in ns.gaps] == ["pause"]
    assert ns.gaps[0].seconds == pytest.approx(40 * 60, abs=1)


def test_timing_c07_behind_a_block_that_ran_over_any_pause_and_any_reset_is_seen(opened: Opened) -> None:
    ns = opened(t.blocks([END - 10, 2 * 3600 * 30_000], [50, 5]))
    assert (shape(ns)[1], ns.gaps[0].kind) == ((END + 2 * 3600 * 30_000, 5), "pause")
    ns = opened(t.blocks([END - 4_000, 90, 40_000], [30_000, 5, 5]))
    assert shape(ns)[1:] == [(END + 90, 5), (END + 40_000, 5)]
    assert [gap.kind for gap in ns.gaps] == ["reset", "pause"]
    assert shape(opened(t.blocks([END - 50, END - 1, 49], [50, 50, 5]))) == [(END - 50, 50), (END - 1, 55)]


@pytest.mark.parametrize(
    ("before", "after"),
    [(END - 2 * 3600 * 30_000, 0), (END - 1000, 3601 * 30_000), (114_000, 0), (10**9, 10**9 - 30_000)],
)
def test_timing_c07_further_than_an_hour_from_the_end_it_is_a_reset(opened: Opened, before, after) -> None:
    ns = opened(t.blocks([before, after], [50, 5]))
    assert shape(ns)[1] == (after, 5)
    assert [gap.kind for gap in ns.gaps] == ["reset"]


def test_timing_c07_sixty_four_bits_do_not_run_over(opened: Opened) -> None:
    ns = opened(t.blocks([END - 100, 0], [100, 50], "3.0"))
    assert shape(ns) == [(END - 100, 100), (0, 50)]
