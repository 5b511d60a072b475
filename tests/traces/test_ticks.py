# SPDX-License-Identifier: MIT
"""Segments, gaps, ticks and moments: the claims of `spec_notes/timing.md` that a single file shows."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from builders import nsx as b
from builders import nev as nb
import numpy as np
import pytest
from builders import timing as t
from hypothesis import example, given
from hypothesis import strategies as st

import nevparse as nv
from nevparse._clock import Gap
from nevparse._source import Source
from nevparse._stamps import PacketIndex
from nevparse._time import TimeBase, time_base

UTC = timezone.utc
ORIGIN = datetime(2023, 6, 14, 10, 30, 5, 250_000, UTC)  # of the builders
RATES = [(1, 30_000), (30, 30_000), (1, t.NS), (15, t.NS), (3, 100_000), (1, 1000)]  # period, tick rate


def shape(ns):
    return [(segment.start_tick, segment.n_samples) for segment in ns.segments]


def all_samples(ns):
    return np.concatenate([segment.samples for segment in ns.segments])


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


# ------------------------------------------------------------------------------------------------ blocks and segments


@given(block_files())
def test_timing_c01_blocks_break_where_half_a_sample_is_missing_or_double(opened, file):
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
def test_timing_c01_the_rule_in_figures(opened, period, tick_rate, late, broken):
    n = 30  # a whole number of ticks at any of these rates
    starts = [1000, 1000 + n * period * tick_rate // 30_000 + late]
    ns = opened(t.blocks(starts, [n, 5], "3.0", period=period, tick_rate=tick_rate))
    assert len(ns.segments) == 1 + broken
    assert len(ns.gaps) == broken


def test_timing_c02_one_block_is_a_view_and_several_are_given_as_views_or_put_together(opened):
    ns = opened(t.blocks([0, 10, 100], [10, 5, 4]))
    joined, alone = ns.segments
    assert (joined.n_blocks, alone.n_blocks) == (2, 1)
    assert np.shares_memory(alone.samples, alone.blocks[0])
    assert not alone.samples.flags.writeable
    assert [len(block) for block in joined.blocks] == [10, 5]
    assert not any(block.flags.writeable for block in joined.blocks)
    np.testing.assert_array_equal(joined.samples, np.concatenate(joined.blocks))
    np.testing.assert_array_equal(joined.samples, b.ramp(15, 2))


def test_timing_c02_blocks_of_a_segment_count_from_their_own_timestamps(opened):
    ns = opened(t.blocks([100, 100 + 3 * 30 + 9], [3, 3], period=30))
    assert ns.segments[0].ticks().tolist() == [100, 130, 160, 199, 229, 259]
    assert ns.segments[0].stop_tick == 289
    assert ns.gaps == ()


def test_timing_c03_empty_blocks_leave_no_trace_and_blocks_of_one_sample_stay(opened):
    """As Central 6.03 and 6.05.02 wrote them."""
    data = [(0, b.ramp(4, 2)), (4, b.ramp(0, 2)), (9000, b.ramp(1, 2)), (9000, b.ramp(3, 2)), (9500, b.ramp(2, 2))]
    ns = opened(b.nsx(data))
    assert shape(ns) == [(0, 4), (9000, 1), (9000, 3), (9500, 2)]
    assert [gap.kind for gap in ns.gaps] == ["pause", "overlap", "loss"]
    assert ns.gaps[1].missing_samples == -1


def test_timing_c03_thousands_of_blocks(opened):
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
def test_timing_c04_pause_loss_overlap_and_reset(opened, next_tick, kind, missing):
    """0.1 s parts pause from loss, and overlap from reset."""
    ns = opened(t.blocks([1000, next_tick], [9000, 10]))
    assert ns.gaps == (Gap(0, kind, missing, float(missing), missing / 30_000),)


def test_timing_c04_a_pause_in_every_framing(opened):
    for kind, rate in (("2.2", 30_000), ("2.3", 30_000), ("3.0", 30_000), ("ptp", t.NS)):
        raw, samples = b.plausible(kind, 2, (7, 5))
        with opened(raw) as ns:
            assert [(gap.kind, gap.missing_samples) for gap in ns.gaps] == [("pause", 30_000)], kind
            assert ns.gaps[0].seconds == pytest.approx(1, abs=2 / rate)
            np.testing.assert_array_equal(all_samples(ns), samples)


@pytest.mark.parametrize(
    ("late", "rounded"), [(15, 1), (44, 1), (45, 2), (59, 2), (-15, -1), (-44, -1), (-45, -2), (-59, -2)]
)
def test_timing_c05_missing_samples_are_rounded_and_exact(opened, late, rounded):
    ns = opened(t.blocks([0, 300 + late], [10, 10], period=30))
    (gap,) = ns.gaps
    assert (gap.missing_samples, gap.missing_samples_exact, gap.seconds) == (rounded, late / 30, late / 30_000)


@given(block_files())
def test_timing_c05_gaps_are_what_the_timestamps_say(opened, file):
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
def test_timing_c06_a_second_nsp_that_is_restarted_is_a_reset(opened, starts, counts):
    """The part before the restart is kept: it is short, but it was recorded."""
    ns = opened(t.blocks(starts, counts))
    assert shape(ns) == list(zip(starts, counts, strict=True))
    assert [gap.kind for gap in ns.gaps] == ["reset"]
    assert ns.epochs == (range(1), range(1, 2))


def test_timing_c06_a_clock_set_back_in_the_middle_is_a_reset(opened):
    """As "critical load restart" does."""
    ns = opened(t.blocks([114_000, 150_000, 0, 40_000], [9000, 9000, 9000, 9000]))
    assert [gap.kind for gap in ns.gaps] == ["pause", "reset", "pause"]
    assert ns.epochs == (range(2), range(2, 4))


# -------------------------------------------------------------------------------------------------------- 32-bit wrap


END = 1 << 32


def test_timing_c07_ticks_count_on_where_32_bits_run_over(opened):
    ns = opened(t.blocks([END - 100, 0, 5000], [100, 50, 10]))
    assert shape(ns) == [(END - 100, 150), (END + 5000, 10)]
    assert [gap.missing_samples for gap in ns.gaps] == [4950]
    assert ns.segments[0].ticks(99, 102).tolist() == [END - 1, END, END + 1]


def test_timing_c07_inside_a_block_and_across_a_pause(opened):
    assert shape(opened(t.blocks([END - 10, 40], [50, 5]))) == [(END - 10, 55)]
    ns = opened(t.blocks([END - 20 * 60 * 30_000, 20 * 60 * 30_000], [50, 5]))
    assert [gap.kind for gap in ns.gaps] == ["pause"]
    assert ns.gaps[0].seconds == pytest.approx(40 * 60, abs=1)


@pytest.mark.parametrize(
    ("before", "after"),
    [(END - 2 * 3600 * 30_000, 0), (END - 1000, 3601 * 30_000), (114_000, 0), (10**9, 10**9 - 30_000)],
)
def test_timing_c07_further_than_an_hour_from_the_end_it_is_a_reset(opened, before, after):
    ns = opened(t.blocks([before, after], [50, 5]))
    assert shape(ns)[1] == (after, 5)
    assert [gap.kind for gap in ns.gaps] == ["reset"]


def test_timing_c07_sixty_four_bits_do_not_run_over(opened):
    ns = opened(t.blocks([END - 100, 0], [100, 50], "3.0"))
    assert shape(ns) == [(END - 100, 100), (0, 50)]


# ---------------------------------------------------------------------------------------------- ticks, find, locate


@given(block_files(), st.data())
def test_timing_c08_ticks_and_seconds_are_those_of_every_sample(opened, file, data):
    kind, starts, counts, period, tick_rate = file
    with opened(t.blocks(starts, counts, kind, period=period, tick_rate=tick_rate)) as ns:
        for segment, (ticks, _) in zip(ns.segments, brute_ticks(starts, counts, period, tick_rate), strict=True):
            a, z = (data.draw(st.none() | st.integers(-30, 60)) for _ in range(2))
            assert segment.ticks().dtype == np.uint64
            assert segment.ticks(a, z).tolist() == ticks[a:z]
            np.testing.assert_array_equal(segment.seconds(a, z), np.array(ticks[a:z]) / tick_rate)
            origin = ticks[len(ticks) // 2]
            after = np.array([tick - origin for tick in ticks[a:z]])
            np.testing.assert_array_equal(segment.seconds(a, z, origin_tick=origin), after / tick_rate)


def test_timing_c08_seconds_of_a_clock_since_1970_keep_the_nanosecond(opened):
    start = t.EPOCH_NS + 1
    ns = opened(t.ptp(start + np.array([0, 33_333, 66_667], np.uint64)))
    assert ns.segments[0].seconds(origin_tick=start).tolist() == [0, 33_333e-9, 66_667e-9]


@given(block_files(overlaps=False), st.data())
def test_timing_c09_find_is_the_first_sample_not_before(opened, file, data):
    kind, starts, counts, period, tick_rate = file
    with opened(t.blocks(starts, counts, kind, period=period, tick_rate=tick_rate)) as ns:
        for segment, (ticks, _) in zip(ns.segments, brute_ticks(starts, counts, period, tick_rate), strict=True):
            for tick in [*data.draw(near(ticks)), 0, 2**63]:
                assert segment.find(tick) == bisect_left(ticks, tick), tick


def near(ticks):
    return st.lists(st.builds(lambda tick, by: max(0, tick + by), st.sampled_from(ticks), st.integers(-40, 40)))


def brute_locate(segments, tick):
    """The segment that is the last to start before a tick among those that hold it, and the sample."""
    held = [(ticks[0], k) for k, (ticks, end) in enumerate(segments) if ticks[0] <= tick < end]
    if not held:
        return -1, -1
    k = max(held)[1]
    return k, max(s for s, start in enumerate(segments[k][0]) if start <= tick)


@given(block_files(), st.data())
def test_timing_c09_locate_is_the_sample_whose_period_holds_the_time(opened, file, data):
    kind, starts, counts, period, tick_rate = file
    segments = list(brute_ticks(starts, counts, period, tick_rate))
    edges = [tick for ticks, end in segments for tick in (ticks[0], ticks[-1], end)]
    ticks = data.draw(near([*edges, *(tick for one, _ in segments for tick in one)]))
    ticks += [0, 2**32, 2**63, 2**64 - 1]
    with opened(t.blocks(starts, counts, kind, period=period, tick_rate=tick_rate)) as ns:
        segment, sample = ns.locate(ticks)
        assert list(zip(segment.tolist(), sample.tolist(), strict=True)) == [brute_locate(segments, at) for at in ticks]


@given(st.data(), st.integers(0, 2**32))
def test_timing_c09_locate_by_the_timestamps_of_packets(opened, data, seed):
    n, step = 120, 33_333  # ns, rounded down
    places = data.draw(st.lists(st.integers(0, n - 2), max_size=5, unique=True))
    breaks = {place: data.draw(st.sampled_from([1, 40, 1e5, -3, -30, -1e4])) for place in places}
    ticks = t.stamps(n, jitter_ns=300, breaks=breaks, seed=seed).tolist()
    edges = [0, *(place + 1 for place in sorted(breaks)), n]
    segments = [(ticks[a:z], ticks[z - 1] + step) for a, z in pairwise(edges)]
    wanted = data.draw(st.lists(st.sampled_from(ticks).flatmap(lambda at: st.integers(at - 50_000, at + 50_000))))
    with opened(t.ptp(ticks)) as ns:
        segment, sample = ns.locate(wanted)
        found = list(zip(segment.tolist(), sample.tolist(), strict=True))
        assert found == [brute_locate(segments, tick) for tick in wanted]


def test_timing_c09_a_time_before_a_reset_is_found_where_it_was_recorded(opened):
    ns = opened(t.blocks([0, 0], [9000, 10]))
    assert [held.tolist() for held in ns.locate([5, 10, 8999, 9000])] == [[1, 0, 0, -1], [5, 10, 8999, -1]]
    assert [held.tolist() for held in ns.locate([5, 10], range(1))] == [[0, 0], [5, 10]]
    assert [held.tolist() for held in ns.locate([5, 10], range(1, 2))] == [[1, -1], [5, -1]]


def test_timing_c09_a_file_without_samples_holds_no_time(opened):
    ns = opened(b.nsx([]))
    assert (ns.segments, ns.gaps) == ((), ())
    assert [held.tolist() for held in ns.locate([0, 5])] == [[-1, -1], [-1, -1]]


# ---------------------------------------------------------------------------------------------------------------- PTP


def test_timing_c10_nanoseconds_alone_do_not_make_one_sample_packets(opened):
    ns = opened(t.blocks([t.BOOT_NS, t.BOOT_NS + t.NS], [9, 13], "3.0", tick_rate=t.NS))
    assert not ns.stamped
    assert shape(ns) == [(t.BOOT_NS, 9), (t.BOOT_NS + t.NS, 13)]
    assert ns.segments[0].ticks(0, 4).tolist() == [t.BOOT_NS + by for by in (0, 33_333, 66_666, 100_000)]


@pytest.mark.parametrize("counts", [[1, 11], [1, 1, 5], [1, 1, 1, 40], [1, 5, 1], [11, 1]])
def test_timing_c10_a_first_packet_of_one_sample_does_not_either(opened, counts):
    starts = [t.BOOT_NS + k * t.NS for k in range(len(counts))]
    ns = opened(t.blocks(starts, counts, "3.0", tick_rate=t.NS))
    assert not ns.stamped
    assert shape(ns) == list(zip(starts, counts, strict=True))
    np.testing.assert_array_equal(all_samples(ns), b.ramp(sum(counts), 2))


@pytest.mark.parametrize("tick_rate", [t.NS, 30_000])
def test_timing_c10_one_sample_packets_are_known_by_the_packets(opened, tick_rate):
    data = t.head("3.0", 2, tick_rate=tick_rate)
    step = tick_rate // 30_000
    ns = opened(data + b.packets([1000 + k * step for k in range(50)], b.ramp(50, 2)))
    assert ns.stamped
    assert shape(ns) == [(1000, 50)]


def test_timing_c10_a_block_among_them_that_no_probe_met_is_found_by_exactly(opened):
    ns = opened(t.hidden_block(start=0))
    assert ns.stamped
    exact = ns.exactly()
    assert not exact.stamped
    assert ns.stamped, "the file that was asked stays as it is"
    assert shape(exact) == [(0, 204)]
    np.testing.assert_array_equal(exact.segments[0].samples, b.ramp(204, 13))


def test_timing_c11_every_sample_has_the_timestamp_that_was_recorded(opened):
    ticks = t.stamps(500, drift_ppm=20, jitter_ns=300, breaks={123: 1, 300: 90_000})
    ns = opened(t.ptp(ticks))
    assert [segment.n_samples for segment in ns.segments] == [124, 177, 199], "the last one too"
    np.testing.assert_array_equal(np.concatenate([segment.ticks() for segment in ns.segments]), ticks)
    np.testing.assert_array_equal(all_samples(ns), b.ramp(500, 2))
    assert [(gap.kind, gap.missing_samples) for gap in ns.gaps] == [("loss", 1), ("pause", 90_000)]
    assert ns.sampling_rate == 30_000


def test_timing_c11_a_steady_interval_of_33320_ns_is_no_gap(opened):
    ns = opened(t.ptp(t.BOOT_NS + 33_320 * np.arange(5000, dtype=np.uint64)))
    assert ns.gaps == ()


@given(st.integers(0, 2**32), st.integers(2, 60))
def test_timing_c11_find_by_timestamps(opened, seed, n):
    ticks = t.stamps(n, jitter_ns=300, seed=seed)
    with opened(t.ptp(ticks)) as ns:
        for tick in [0, 2**64 - 1, *ticks.tolist(), *(ticks + np.uint64(1)).tolist(), *(ticks - np.uint64(1)).tolist()]:
            assert ns.segments[0].find(tick) == bisect_left(ticks.tolist(), tick)


def test_timing_c14_exactly_finds_what_probing_missed(opened):
    """A file of five strides in which two breaks cancel."""
    ticks = t.stamps(5 * 16384, breaks={40_000: 4000, 41_000: -4000})
    ns = opened(t.ptp(ticks))
    assert (ns.gaps, ns.epochs) == ((), (range(1),))
    exact = ns.exactly()
    assert [(gap.kind, gap.missing_samples) for gap in exact.gaps] == [("pause", 4000), ("reset", -4000)]
    assert [segment.n_samples for segment in exact.segments] == [40_001, 1000, 5 * 16384 - 41_001]
    assert exact.epochs == (range(2), range(2, 3)), "not what the other file remembers"
    assert ns.gaps == ()


def test_timing_c16_opening_reads_as_little_of_a_long_file_as_of_a_short_one(opened, monkeypatch):
    read = []
    peek = Source.peek
    monkeypatch.setattr(Source, "peek", lambda self, n, at: read.append(n) or peek(self, n, at))
    sizes = []
    for n in (1000, 100_000):
        read.clear()
        opened(t.ptp(t.stamps(n)))
        sizes.append(sum(read))
    assert sizes[0] == pytest.approx(sizes[1], abs=13)


def test_timing_c16_gaps_of_a_file_are_found_by_probing_it(opened, monkeypatch):
    rows = []
    span, at = PacketIndex.span, PacketIndex.at
    monkeypatch.setattr(PacketIndex, "span", lambda self, a, z: rows.append(z - a) or span(self, a, z))
    monkeypatch.setattr(PacketIndex, "at", lambda self, packet: rows.append(1) or at(self, packet))
    n = 20 * 16384
    ns = opened(t.ptp(t.stamps(n, jitter_ns=300, drift_ppm=20, breaks={200_000: 1})))
    assert [gap.after_segment for gap in ns.gaps] == [0]
    assert ns.segments[1].start_tick == ns.segments[1].ticks(0, 1)[0]
    assert 16384 < sum(rows) < 16384 + 300, "one stride to measure the rate, and little more"


# ------------------------------------------------------------------------------------------------------ absolute time


@pytest.mark.parametrize("kind", ["2.2", "2.3", "ripple"])
def test_timing_c30_before_3_0_the_date_is_that_of_tick_0(opened, kind):
    ns = opened(b.nsx([(60_000, b.ramp(3, 2))], kind))
    assert ns.datetime(0) == ORIGIN
    assert ns.datetime(60_000) == ORIGIN + timedelta(seconds=2)
    assert ns.time_base.note == "the header's date stands for tick 0"


def test_timing_c31_in_3_0_the_date_is_that_of_the_first_sample(opened):
    ns = opened(b.nsx([(13_725_300, b.ramp(3, 2)), (13_800_000, b.ramp(3, 2))], "3.0"))
    assert ns.datetime(13_725_300) == ORIGIN
    assert ns.datetime(13_725_300 - 30_000) == ORIGIN - timedelta(seconds=1)
    assert ns.time_base.note == "the header's date stands for the first sample"


def test_timing_c31_of_a_nev_that_of_its_first_recording_event(file_of):
    packets = [
        nb.V3.spike(13_700_000, 1, 0),
        nb.V3.packet(13_725_300, 0xFFF9, b"\3\0"),
        nb.V3.spike(13_755_300, 1, 0),
        nb.V3.packet(13_800_000, 0xFFF9, b"\2\0"),
    ]
    with nv.open_nev(file_of(nb.nev(packets, version=(3, 0)), "s.nev")) as nev:
        assert nev.datetime(13_725_300) == nev.time_origin
        assert nev.datetime(13_755_300) - nev.time_origin == timedelta(seconds=1)
    with nv.open_nev(file_of(t.spike_nev([60_000], (2, 3)), "s.nev")) as nev:
        assert nev.datetime(60_000) - nev.time_origin == timedelta(seconds=2)


def test_timing_c32_nanoseconds_since_the_clock_was_started(opened):
    ns = opened(t.ptp(t.stamps(10)))
    assert ns.datetime(t.BOOT_NS) == ORIGIN
    assert ns.datetime(t.BOOT_NS + 1_500_000_000) == ORIGIN + timedelta(seconds=1.5)
    assert "since the clock was started" in ns.time_base.note


@pytest.mark.parametrize("off_s", [0, 9, -9])
def test_timing_c33_nanoseconds_since_1970_as_utc(opened, off_s):
    start = t.EPOCH_NS + off_s * t.NS
    ns = opened(t.ptp(t.stamps(10, start=start)))
    assert ns.datetime(start + 1_000) == ORIGIN + timedelta(seconds=off_s, microseconds=1), "the clock is finer"
    assert ns.time_base.note == "nanoseconds since 1970, UTC: agrees with the header's date"


@pytest.mark.parametrize("off_s", [0, 9, -9])
def test_timing_c33_as_atomic_time_which_is_37_seconds_ahead(opened, off_s):
    start = t.EPOCH_NS + (37 + off_s) * t.NS
    ns = opened(t.ptp(t.stamps(10, start=start)))
    assert ns.datetime(start) == ORIGIN + timedelta(seconds=off_s)
    assert "TAI" in ns.time_base.note


def test_timing_c33_off_the_date(opened):
    start = t.EPOCH_NS - 3600 * t.NS
    ns = opened(t.ptp(t.stamps(10, start=start)))
    assert ns.datetime(start) == ORIGIN, "the date is believed"
    assert "-3600 s off that date" in ns.time_base.note


def test_timing_c33_without_a_date(opened):
    no_date = (0,) * 8
    ns = opened(t.ptp(t.stamps(10, start=t.EPOCH_NS), origin=no_date))
    assert ns.datetime(t.EPOCH_NS) == ORIGIN
    assert "no date" in ns.time_base.note
    for data in (t.ptp(t.stamps(10), origin=no_date), b.nsx([(0, b.ramp(3, 2))], origin=no_date)):
        ns = opened(data)
        assert ns.datetime(0) is None
        assert np.isnat(ns.time_base.datetime64([0, 5])).all()


RESOLUTIONS = st.sampled_from([1, 1000, 30_000, 10**6, t.NS, 2**32 - 1])


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**63), RESOLUTIONS, st.sampled_from([ORIGIN, None]))
@example(0, 9_223_372_035, 1, ORIGIN)  # 292 years before a date that is itself 53 years after 1970
@example(2**64 - 1, 0, t.NS, ORIGIN)  # minus one, to who counts in 64 bits with a sign
def test_timing_c34_moments_are_whole_numbers_to_the_nanosecond(tick, origin_tick, tick_rate, origin):
    base = TimeBase(origin, origin_tick, tick_rate, "")
    moment, (fine, _) = base.datetime(tick), base.datetime64([tick, 0])
    if origin is None:
        assert moment is None
        assert np.isnat(fine)
        return
    exact_ns = t.EPOCH_NS + (tick - origin_tick) * t.NS // tick_rate
    assert np.isnat(fine) or int(fine.astype(np.int64)) == exact_ns
    assert np.isnat(fine) == (not -(2**63) + 2 * t.NS < exact_ns < 2**63 - 4 * t.NS) or abs(tick - origin_tick) >= 2**63
    if moment is not None:
        assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=exact_ns // 1000)
    else:
        assert not datetime(1, 1, 2).year <= 1970 + exact_ns / 1e9 / 31_556_952 < 9999


def test_timing_c34_dates_of_several_ticks_keep_their_shape(opened):
    ns = opened(t.ptp(t.stamps(10, start=t.EPOCH_NS)))
    ticks = np.array([[0, 1], [999, 33_333]], np.uint64) + np.uint64(t.EPOCH_NS)
    expected = np.datetime64("2023-06-14T10:30:05.250", "ns") + np.array([[0, 1], [999, 33_333]])
    np.testing.assert_array_equal(ns.time_base.datetime64(ticks), expected)


@pytest.mark.parametrize("year", [1601, 9999])
def test_timing_c34_a_date_that_64_bits_of_nanoseconds_cannot_hold_is_not_a_time(year):
    base = time_base(datetime(year, 1, 1, tzinfo=UTC), 30_000, 0, 0, "")
    assert np.isnat(base.datetime64([0, 2**64 - 1])).all()
    assert base.datetime(30_000) == datetime(year, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert base.datetime(2**64 - 1) is None or year == 1601
