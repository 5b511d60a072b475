# SPDX-License-Identifier: MIT
"""When each sample was, and which sample was at a time: C08, C09, C11 and C56 of `spec_notes/timing.md`."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import FileOf, Opened
from hypothesis import given
from hypothesis import strategies as st
from nsx.blocks_by_definition import block_files, brute_ticks

import nevparse as nv

# ---------------------------------------------------------------------------------------------- ticks, find, locate


@given(block_files(), st.data())
def test_timing_c08_ticks_and_seconds_are_those_of_every_sample(opened: Opened, file, data) -> None:
    kind, starts, counts, period, tick_rate = file
    with opened(t.blocks(starts, counts, kind, period=period, tick_rate=tick_rate)) as ns:
        for segment, (ticks, _) in zip(ns.segments, brute_ticks(starts, counts, period, tick_rate), strict=True):
            a, z = (data.draw(st.none() | st.integers(-30, 60)) for _ in range(2))
            assert segment.ticks().dtype == np.int64
            assert segment.ticks(a, z).tolist() == ticks[a:z]
            after = np.array([tick - starts[0] for tick in ticks[a:z]])
            np.testing.assert_array_equal(segment.seconds(a, z), after / tick_rate)
            np.testing.assert_array_equal(ns.seconds(ticks[a:z]), after / tick_rate)
            origin = ticks[len(ticks) // 2]
            after = np.array([tick - origin for tick in ticks[a:z]])
            np.testing.assert_array_equal(segment.seconds(a, z, origin_tick=origin), after / tick_rate)


def test_timing_c08_seconds_of_a_clock_since_1970_keep_the_nanosecond(opened: Opened) -> None:
    start = t.EPOCH_NS + 1
    ns = opened(t.ptp(start + np.array([0, 33_333, 66_667])))
    assert ns.segments[0].seconds().tolist() == [0, 33_333e-9, 66_667e-9]


@given(block_files(overlaps=False), st.data())
def test_timing_c09_find_is_the_first_sample_not_before(opened: Opened, file, data) -> None:
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
def test_timing_c09_locate_is_the_sample_whose_period_holds_the_time(opened: Opened, file, data) -> None:
    kind, starts, counts, period, tick_rate = file
    segments = list(brute_ticks(starts, counts, period, tick_rate))
    edges = [tick for ticks, end in segments for tick in (ticks[0], ticks[-1], end)]
    ticks = data.draw(near([*edges, *(tick for one, _ in segments for tick in one)]))
    ticks += [0, 2**32, 2**63, 2**64 - 1]
    with opened(t.blocks(starts, counts, kind, period=period, tick_rate=tick_rate)) as ns:
        segment, sample = ns.locate(ticks)
        assert list(zip(segment.tolist(), sample.tolist(), strict=True)) == [brute_locate(segments, at) for at in ticks]


@given(st.data(), st.integers(0, 2**32))
def test_timing_c09_locate_by_the_timestamps_of_packets(opened: Opened, data, seed) -> None:
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


def test_timing_c09_a_time_before_a_reset_is_found_where_it_was_recorded(opened: Opened) -> None:
    ns = opened(t.blocks([0, 0], [9000, 10]))
    assert [held.tolist() for held in ns.locate([5, 10, 8999, 9000])] == [[1, 0, 0, -1], [5, 10, 8999, -1]]
    assert [held.tolist() for held in ns.locate([5, 10], range(1))] == [[0, 0], [5, 10]]
    assert [held.tolist() for held in ns.locate([5, 10], range(1, 2))] == [[1, -1], [5, -1]]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.data())
def test_timing_c09_any_choice_of_segments_is_searched_alone(opened: Opened, starts, data) -> None:
    counts = data.draw(st.lists(st.integers(1, 40), min_size=len(starts), max_size=len(starts)))
    with opened(t.blocks(starts, counts)) as ns:
        n = len(ns.segments)
        numbers = st.lists(st.integers(0, n - 1), unique=True).map(sorted)
        steps = st.integers(1, 4).map(lambda step: range(0, n, step)) | st.just(range(n - 1, -1, -1))
        some = data.draw(numbers | steps)
        segments = [(segment.start_tick, segment.stop_tick, segment.index) for segment in ns.segments]
        for tick in range(101):
            holds = [(start, index) for start, stop, index in segments if index in some and start <= tick < stop]
            start, wanted = max(holds, default=(tick + 1, -1))
            assert [held.tolist() for held in ns.locate([tick], some)] == [[wanted], [tick - start]]
        for wrong in ([n], [-1], range(n, n + 2)):
            with pytest.raises(ValueError, match=f"expected segments 0 to {n - 1}, found"):
                ns.locate([5], wrong)


def test_timing_c09_a_file_without_samples_holds_no_time(opened: Opened) -> None:
    ns = opened(b.nsx([]))
    assert (ns.segments, ns.gaps) == ((), ())
    assert [held.tolist() for held in ns.locate([0, 5])] == [[-1, -1], [-1, -1]]


# ---------------------------------------------------------------------------------------------------------------- PTP


@given(st.integers(0, 2**32), st.integers(2, 60))
def test_timing_c11_a_sample_is_found_by_its_own_timestamp(opened: Opened, seed, n) -> None:
    ticks = t.stamps(n, jitter_ns=300, seed=seed)
    with opened(t.ptp(ticks)) as ns:
        for tick in [0, 2**64 - 1, *ticks.tolist(), *(ticks + 1).tolist(), *(ticks - 1).tolist()]:
            assert ns.segments[0].find(tick) == bisect_left(ticks.tolist(), tick)


# ------------------------------------------------------------------------------------------- ticks that do not fit


def test_timing_c56_a_block_beyond_63_bits_is_damage_and_keeps_its_samples(opened: Opened) -> None:
    rows = b.ramp(5, 2, "3.0")
    with pytest.warns(nv.DamagedFile, match=rf"byte 446: expected a timestamp of at most 63 bits, found {2**64 - 9}"):
        ns = opened(b.nsx([(2**64 - 9, rows), (7, rows)], "3.0"))
    assert [damage.code for damage in ns.damage] == ["tick-range"]
    assert [segment.start_tick for segment in ns.segments] == [-9, 7]
    assert ns.segments[0].ticks().tolist() == [-9, -8, -7, -6, -5]
    np.testing.assert_array_equal(ns.segments[0].samples, rows)


def test_timing_c56_a_block_that_ends_beyond_63_bits_is_damage(opened: Opened) -> None:
    with pytest.warns(nv.DamagedFile, match="at most 63 bits"):
        assert opened(b.nsx([(2**63 - 3, b.ramp(5, 2, "3.0"))], "3.0")).segments[0].start_tick == 2**63 - 3


def test_timing_c56_packets_beyond_63_bits_are_damage(opened: Opened, file_of: FileOf) -> None:
    with pytest.warns(nv.DamagedFile, match="at most 63 bits"):
        assert opened(t.ptp(2**63 + t.stamps(20).astype(np.uint64))).segments[0].ticks()[0] == t.BOOT_NS - 2**63
    later = t.ptp(np.append(t.stamps(20).astype(np.uint64), np.uint64(2**63) + t.stamps(20).astype(np.uint64)))
    findings = [finding for finding in nv.check(file_of(later, "later.ns6")) if finding.code == "tick-range"]
    assert [finding.offset for finding in findings] == [later.index((2**63 + t.BOOT_NS).to_bytes(8, "little")) - 1]


def test_timing_c56_a_tick_minus_another_is_what_it_seems(opened: Opened) -> None:
    ns = opened(t.ptp(t.stamps(20)))
    assert (ns.segments[0].ticks() - t.stamps(20)[5])[0] == t.stamps(20)[0] - t.stamps(20)[5]
