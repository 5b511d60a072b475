# SPDX-License-Identifier: MIT
"""Breaks in the timestamps of PTP files: what probing finds is what reading everything finds, and at what cost."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from builders import timing as t
from hypothesis import given
from hypothesis import strategies as st

from nevparse.clock import Clock
from nevparse.nsx.gap_search import (
    N_NEIGHBOURS,
    PROBE_STRIDE,
    GapDetector,
    find_gaps,
    irregular_steps,
    order_in_time,
    scan_every_timestamp,
)

NS_CLOCK = Clock.of(1, t.NS)
PERIOD = Fraction(100_000, 3)  # ns
STRIDE = 2048  # for tests: eight times as tight a clock is needed at the real one
PAGE = 4096


class Counted:
    """Timestamps, and which of them were read."""

    def __init__(self, ticks):
        self.recorded, self.n_packets = ticks, len(ticks)
        self.probed, self.ranges = [], []

    def tick(self, packet):
        self.probed.append(packet)
        return int(self.recorded[packet])

    def ticks(self, a, b):
        self.ranges.append((a, b))
        return self.recorded[a:b]

    @property
    def n_read(self):
        return len(self.probed) + sum(b - a for a, b in self.ranges)


class Arithmetic(Counted):
    """Timestamps that are computed when they are read: for a file of any size."""

    def __init__(self, n_packets, losses=()):
        self.n_packets, self._losses = n_packets, np.array(sorted(losses), np.int64)
        self.probed, self.ranges = [], []

    def tick(self, packet):
        self.probed.append(packet)
        return int(self._compute(packet, packet + 1)[0])

    def ticks(self, a, b):
        self.ranges.append((a, b))
        return self._compute(a, b)

    def _compute(self, a, b):
        packets = np.arange(a, b)
        lost = np.searchsorted(self._losses, packets, "left")
        return (t.BOOT_NS + (packets + lost) * 100_020 // 3).astype(np.int64)  # 200 ppm slow


def found(ticks, stride=STRIDE):
    return find_gaps(Counted(ticks), NS_CLOCK, stride).breaks.tolist()


def judged_one_by_one(ticks, clock=NS_CLOCK):
    """Breaks, by the definition: a step that is off by half a sample or more, and by a tick or more."""
    period = Fraction(clock.num, clock.den)
    values = [int(tick) for tick in ticks]
    off = [abs(after - before - period) for before, after in pairwise(values)]
    return [k for k, by in enumerate(off) if by >= period / 2 and by >= 1]


def wander_allowed(least_break, jitter_ns, stride, measured):
    """The guarantee, in ppm: how far a clock may stray from the rate measured on `measured` packets."""
    room = (least_break - 0.25) * t.PERIOD_NS - 2 * jitter_ns * (1 + stride / measured)
    return room / (stride * t.PERIOD_NS) * 1e6


@st.composite
def wandering(draw, n, within_ppm):
    """A rate for each packet that jumps between two, as far apart as is allowed."""
    edges = sorted(draw(st.lists(st.integers(0, n), max_size=6)))
    apart_ppm = 0.99 * within_ppm  # ticks are rounded, and so is the builder's clock once years have passed
    rates = np.full(n, draw(st.sampled_from([-1, 1])) * apart_ppm / 2)
    for edge in edges:
        rates[edge:] *= -1
    return rates


# --------------------------------------------------------------------------------------- judging every timestamp


@given(st.data(), st.sampled_from([(1, t.NS), (30, 30_000), (1, 30_000), (1, 1000), (3, 100_000), (60, t.NS)]))
def test_timing_c12_a_step_breaks_that_is_half_a_sample_off(data, rates) -> None:
    clock = Clock.of(*rates)
    near = [k * clock.num // (2 * clock.den) + by for k in range(5) for by in (-1, 0, 1, 2)]
    steps = data.draw(st.lists(st.sampled_from([step for step in near if step >= 0]), max_size=40))
    ticks = np.cumsum([10**6, *steps]).astype(np.int64)
    assert irregular_steps(ticks, clock).breaks.tolist() == judged_one_by_one(ticks, clock)


@given(st.data(), st.integers(0, 2**32))
def test_timing_c19_a_stream_is_judged_alike_in_whatever_parts_it_comes(data, seed) -> None:
    places = data.draw(st.lists(st.integers(0, 30), max_size=12, unique=True))
    random = np.random.default_rng(seed)
    breaks = {place * 60 + 60: float(random.choice([1, 3, -1, -40, 1e6])) for place in places if random.random() < 0.5}
    moved = {place * 60 + 30: random.permutation(int(random.integers(2, 6))) for place in places}
    ticks = t.shuffled(t.stamps(2000, jitter_ns=300, breaks=breaks, seed=seed), moved)
    anywhere = st.lists(st.integers(0, 2000), max_size=30).map(sorted)
    cuts = [0, *data.draw(anywhere | st.integers(1, 70).map(lambda size: range(0, 2000, size))), 2000]
    detector = GapDetector(NS_CLOCK)
    for a, b in pairwise(cuts):
        detector.add(ticks[a:b], a)
    steps, at_once = detector.finish(), irregular_steps(ticks, NS_CLOCK)
    assert steps.breaks.tolist() == at_once.breaks.tolist() == sorted(breaks)
    assert steps.shuffled.tolist() == at_once.shuffled.tolist()


@given(st.data(), st.integers(0, 2**32), st.floats(0, 0.5), st.integers(1, 12))
def test_timing_c19_steps_are_judged_alike_however_close_they_are(data, seed, share, furthest) -> None:
    """Packets moved anywhere, close to others that were, to breaks and to the ends of what is read at a time."""
    random = np.random.default_rng(seed)
    ticks = t.stamps(600, jitter_ns=300, breaks={k: float(random.choice([1, 3, -2, -40])) for k in (100, 300)})
    for place in np.flatnonzero(random.random(600 - furthest) < share):
        random.shuffle(ticks[place : place + furthest])
    at_once = irregular_steps(ticks, NS_CLOCK)
    for size in data.draw(st.lists(st.integers(1, 300), min_size=1, max_size=3)):
        detector = GapDetector(NS_CLOCK)
        for a in range(0, 600, size):
            detector.add(ticks[a : a + size], a)
        steps = detector.finish()
        assert steps.breaks.tolist() == at_once.breaks.tolist()
        assert steps.shuffled.tolist() == at_once.shuffled.tolist()


@pytest.mark.parametrize("apart", range(1, 45))
def test_timing_c19_two_groups_out_of_order_near_the_end_of_a_part_are_no_breaks(apart: int) -> None:
    right = t.stamps(2000, jitter_ns=300)
    for place in range(990, 1003):
        ticks = t.shuffled(t.shuffled(right, {place: [2, 0, 1]}), {place + 3 + apart: [2, 0, 1]})
        detector = GapDetector(NS_CLOCK)
        for a in (0, 1000):
            detector.add(ticks[a : a + 1000], a)
        assert detector.finish().breaks.tolist() == []
        np.testing.assert_array_equal(ticks[order_in_time(ticks, NS_CLOCK)], right)


def test_timing_c19_what_is_left_out_of_a_stream_is_no_break() -> None:
    detector = GapDetector(NS_CLOCK)
    ticks = t.stamps(1000, breaks={400: 7})
    for a, b in ((0, 300), (380, 420), (10, 50)):
        detector.add(ticks[a:b], a)
    assert detector.finish().breaks.tolist() == [400]


# -------------------------------------------------------------------------------------------------------- shuffles


@given(st.integers(0, 2**32), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 300))
def test_timing_c18_groups_of_one_to_five_out_of_order_are_no_breaks(seed, sizes, jitter_ns) -> None:
    """Groups of samples stand behind the group that follows them, as the hub's firmware wrote them."""
    right = t.stamps(400, jitter_ns=jitter_ns, drift_ppm=-400, seed=seed)
    moved = {50 + 70 * k: [*range(size, 2 * size), *range(size)] for k, size in enumerate(sizes)}
    wrong = t.shuffled(right, moved)
    steps = irregular_steps(wrong, NS_CLOCK)
    assert steps.breaks.tolist() == []
    assert steps.shuffled.tolist() == np.flatnonzero(wrong != right).tolist()
    np.testing.assert_array_equal(wrong[order_in_time(wrong, NS_CLOCK)], right)


@given(st.permutations(range(6)), st.sampled_from([0, 3, 200, 394]))
def test_timing_c18_any_order_of_a_few_is_recognised(order, place) -> None:
    right = t.stamps(400)
    steps = irregular_steps(t.shuffled(right, {place: order}), NS_CLOCK)
    if (place == 0 and order[0] != 0) or (place == 394 and order[-1] != 5):
        assert steps.breaks.size, "a file that begins or ends within a group does not show what belongs there"
    else:
        assert steps.breaks.tolist() == []
        assert steps.shuffled.tolist() == [place + k for k in range(6) if order[k] != k]


@pytest.mark.parametrize("what", ["one is missing", "set back and on", "repeated"])
def test_timing_c18_what_sorting_does_not_mend_is_a_break(what: str) -> None:
    ticks = t.stamps(400)
    if what == "one is missing":
        ticks = t.shuffled(t.stamps(400, breaks={203: 1}), {200: [1, 0, 3, 2]})
    elif what == "set back and on":
        ticks[200:] -= 3 * 33333
    else:
        ticks[200] = ticks[199]
    steps = irregular_steps(ticks, NS_CLOCK)
    assert steps.breaks.size
    assert steps.shuffled.tolist() == []


# --------------------------------------------------------------------------------------------------------- probing


@given(
    data=st.data(),
    drift_ppm=st.sampled_from([0, 20, -400, 400, -9000, 9000]),
    jitter_ns=st.sampled_from([0, 40, 300]),
    seed=st.integers(0, 2**32),
)
def test_timing_c13_every_loss_is_found_within_the_guarantee(data, drift_ppm, jitter_ns, seed) -> None:
    """Losses add up: none can hide another, wherever they are."""
    n = data.draw(st.integers(4 * STRIDE + 1, 12 * STRIDE))
    places = data.draw(st.lists(st.integers(0, n - 2), max_size=12, unique=True))
    losses = {place: data.draw(st.sampled_from([1, 2, 50, 30_000, 10**9])) for place in places}
    wander = data.draw(wandering(n, wander_allowed(1, jitter_ns, STRIDE, 1024)))
    ticks = t.stamps(n, drift_ppm=drift_ppm + wander, jitter_ns=jitter_ns, breaks=losses, seed=seed)
    assert found(ticks) == sorted(places)


@given(
    data=st.data(),
    drift_ppm=st.sampled_from([0, 20, -400, 400]),
    jitter_ns=st.sampled_from([0, 40, 300]),
    seed=st.integers(0, 2**32),
)
def test_timing_c13_every_break_is_found_that_is_alone_in_its_stride(data, drift_ppm, jitter_ns, seed) -> None:
    n_strides = data.draw(st.integers(5, 10))
    among = st.sampled_from([0.55, 1, -0.55, -1, -2, 7.5, -30, 30_000, -30_000, -(10**8)])
    breaks = {
        3 * STRIDE * k + data.draw(st.integers(0, STRIDE - 2)): data.draw(among)
        for k in data.draw(st.lists(st.integers(0, (n_strides - 1) // 3), unique=True))
    }
    n = n_strides * STRIDE + data.draw(st.integers(1, STRIDE))
    wander = data.draw(wandering(n, wander_allowed(0.5, jitter_ns, STRIDE, STRIDE)))
    start = 2**62  # so that the clock can be set back far
    ticks = t.stamps(n, start=start, drift_ppm=drift_ppm + wander, jitter_ns=jitter_ns, breaks=breaks, seed=seed)
    assert found(ticks) == sorted(breaks)


@given(st.integers(-150, 150).filter(lambda by: abs(by) > 30), st.integers(2 * STRIDE, 3 * STRIDE))
def test_timing_c13_a_group_out_of_order_near_a_break_is_none(by, place) -> None:
    """Where probing closes in on a break it reads a little to either side, so as to judge what lies there."""
    ticks = t.shuffled(t.stamps(6 * STRIDE, breaks={place: 1}), {place + by: [3, 4, 0, 1, 2]})
    assert found(ticks) == [place]


def test_timing_c13_the_rate_is_measured_where_least_is_missing() -> None:
    """One stride without a break is enough, and the others are not read in full."""
    n = 40 * STRIDE
    losses = [place for place in range(300, n - 1, 700) if not 10 * STRIDE <= place < 11 * STRIDE]
    counted = Counted(t.stamps(n, jitter_ns=300, breaks=dict.fromkeys(losses, 1)))
    assert find_gaps(counted, NS_CLOCK, STRIDE).breaks.tolist() == losses
    assert (10 * STRIDE, 11 * STRIDE + 1) in counted.ranges
    assert (0, n) not in counted.ranges
    assert counted.n_read < n / 2


@given(st.integers(0, 2**32), st.sampled_from([0.002, 0.05, 0.4]))
def test_timing_c13_thousands_of_losses_are_found(seed, share) -> None:
    n = 10 * STRIDE
    places = np.flatnonzero(np.random.default_rng(seed).random(n - 1) < share).tolist()
    ticks = t.stamps(n, jitter_ns=300, drift_ppm=20, breaks=dict.fromkeys(places, 1), seed=seed)
    assert found(ticks) == places


@pytest.mark.parametrize(("least", "wander_ppm", "jitter_ns"), [(1, 43, 300), (0.5, 13, 300), (1, 45, 0), (0.5, 15, 0)])
@pytest.mark.parametrize("sign", [1, -1])
def test_timing_c13_the_figures_of_the_notes_hold_at_the_real_stride(least, wander_ppm, jitter_ns, sign) -> None:
    """The worst case: the clock strays between the probes around a break, and just so that it hides the break."""
    assert wander_ppm <= wander_allowed(least, jitter_ns, PROBE_STRIDE, PROBE_STRIDE) < wander_ppm + 1
    n, place = 5 * PROBE_STRIDE, 2 * PROBE_STRIDE + 5000
    for drift_ppm in (-400, 400):
        rates = np.full(n, float(drift_ppm))
        rates[2 * PROBE_STRIDE : 3 * PROBE_STRIDE] -= sign * wander_ppm
        size = sign * (least + 0.02 + 2 * jitter_ns / t.PERIOD_NS)  # so that the step itself is a break despite jitter
        ticks = t.stamps(n, drift_ppm=rates, jitter_ns=jitter_ns, breaks={place: size})
        assert found(ticks, PROBE_STRIDE) == [place]


def test_timing_c14_breaks_that_cancel_within_a_stride_hide_from_probing_alone() -> None:
    n = 8 * STRIDE
    cancel = t.stamps(n, breaks={3 * STRIDE + 100: 5, 3 * STRIDE + 900: -5})
    strays = np.zeros(n)
    strays[3 * STRIDE : 4 * STRIDE] = -1e6 / STRIDE  # a clock that hurries by one sample between just two probes
    masks = t.stamps(n, drift_ppm=strays, breaks={3 * STRIDE + 100: 1})
    for ticks, hidden in ((cancel, [3 * STRIDE + 100, 3 * STRIDE + 900]), (masks, [3 * STRIDE + 100])):
        assert found(ticks) == []
        assert scan_every_timestamp(Counted(ticks), NS_CLOCK).breaks.tolist() == hidden


def test_timing_c14_shuffles_hide_from_probing_alone() -> None:
    ticks = t.shuffled(t.stamps(8 * STRIDE), {5 * STRIDE + 321: [1, 0]})
    assert find_gaps(Counted(ticks), NS_CLOCK, STRIDE).shuffled.size == 0
    assert scan_every_timestamp(Counted(ticks), NS_CLOCK).shuffled.tolist() == [5 * STRIDE + 321, 5 * STRIDE + 322]


@pytest.mark.parametrize("why", ["a clock far off", "nothing unbroken", "a short file"])
def test_timing_c15_where_no_rate_can_be_measured_everything_is_read(why) -> None:
    n = 4 * STRIDE if why == "a short file" else 6 * STRIDE
    losses = dict.fromkeys(range(500, n - 1, 500), 1) if why == "nothing unbroken" else {777: 1}
    counted = Counted(t.stamps(n, drift_ppm=64_000 if why == "a clock far off" else 0, breaks=losses))
    assert find_gaps(counted, NS_CLOCK, STRIDE).breaks.tolist() == sorted(losses)
    assert sum(b - a for a, b in counted.ranges) >= n


# ------------------------------------------------------------------------------------------------ what it costs


def pages_touched(counted, packet_bytes, header_bytes=13):
    """The number of pages of a file that hold what was read."""
    pages = set()
    for a, b in [*((packet, packet + 1) for packet in counted.probed), *counted.ranges]:
        pages.update(range(a * packet_bytes // PAGE, ((b - 1) * packet_bytes + header_bytes) // PAGE + 1))
    return len(pages)


@pytest.mark.parametrize("n_losses", [0, 1, 50])
def test_timing_c16_gaps_of_a_gigabyte_cost_under_one_percent_of_its_pages(n_losses) -> None:
    packet_bytes, n = 13 + 2 * 144, 3_500_000
    losses = np.linspace(10, n - 10, n_losses).astype(int).tolist()
    counted = Arithmetic(n, losses)
    assert find_gaps(counted, NS_CLOCK).breaks.tolist() == losses
    for loss in losses:  # where segments start, which is looked up afterwards
        counted.tick(loss + 1)
    n_pages = n * packet_bytes // PAGE
    assert n * packet_bytes > 1_000_000_000
    assert pages_touched(counted, packet_bytes) < 0.01 * n_pages


def test_timing_c16_a_loss_costs_one_search_more() -> None:
    n = 200 * STRIDE
    unbroken, broken = Arithmetic(n), Arithmetic(n, [123_456])
    for counted in (unbroken, broken):
        find_gaps(counted, NS_CLOCK, STRIDE)
    assert unbroken.n_read == 200 + 1 + STRIDE + 1
    assert 0 < broken.n_read - unbroken.n_read < 12 + 64 + 2 * N_NEIGHBOURS + 2


def test_timing_c16_a_clock_that_wanders_costs_a_few_probes_more() -> None:
    n = 50 * STRIDE
    rates = 400 * np.sin(np.arange(n) / n * 40)
    counted = Counted(t.stamps(n, drift_ppm=rates, jitter_ns=300))
    assert find_gaps(counted, NS_CLOCK, STRIDE).breaks.size == 0
    assert len(counted.probed) < 6 * 50
    assert len(counted.ranges) == 1


# ---------------------------------------------------------------------------------------- whatever the timestamps


ANYTHING = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([0, 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1]),
)


@given(st.lists(ANYTHING, max_size=60), st.sampled_from([(1, t.NS), (1, 30_000), (60, 1), (2**32 - 1, 2**32 - 1)]))
def test_timing_c17_any_timestamps_are_judged_without_error(values, rates) -> None:
    clock, ticks = Clock.of(*rates), np.array(values, np.uint64).view(np.int64)
    steps = scan_every_timestamp(Counted(ticks), clock)
    raw = irregular_steps(np.sort(ticks), clock)
    assert set(steps.breaks) <= set(range(max(0, ticks.size - 1)))
    assert raw.shuffled.size == 0, "what is sorted is not out of order"


@given(st.data())
def test_timing_c17_probing_any_timestamps_is_bounded(data) -> None:
    """Jumps, steps back and repeats, in a file long enough to be probed: nothing is read more than a few times."""
    n, stride = 3000, 64
    ticks = t.stamps(n).copy()
    for _ in range(data.draw(st.integers(1, 30))):
        a, size = data.draw(st.tuples(st.integers(0, n - 1), st.integers(1, 400)))
        change = data.draw(st.sampled_from(["jump", "repeat", "backward", "noise"]))
        part = ticks[a : a + size]
        if change == "jump":
            ticks.view(np.uint64)[a:] += np.uint64(data.draw(ANYTHING))
        elif change == "repeat":
            part[:] = part[0]
        elif change == "backward":
            part[:] = part[::-1].copy()
        else:
            part[:] = np.random.default_rng(a).integers(-(2**63), 2**63, part.size)
    counted = Counted(ticks)
    steps = find_gaps(counted, NS_CLOCK, stride)
    assert set(steps.breaks) <= set(range(n - 1))
    assert counted.n_read < 4 * n
    assert sum(a == 0 and b == n for a, b in counted.ranges) <= 1, "everything is read at most once"


def test_timing_c17_a_jump_to_the_end_of_the_range_and_back_is_found() -> None:
    a, b = 5000, 5000 + 2 * STRIDE  # shorter than a stride it would hide (C14)
    for far in (2**63, 2**64 - 1, 2**63 - 1):
        ticks = t.stamps(6 * STRIDE)
        ticks.view(np.uint64)[a:b] = far
        assert found(ticks) == list(range(a - 1, b)), "and each repeat between them"
