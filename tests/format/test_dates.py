# SPDX-License-Identifier: MIT
"""Dates of headers and moments of ticks: C30 to C34 of `spec_notes/timing.md`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from fixture_types import FileOf, Opened
from hypothesis import example, given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.clock import TimeBase, find_time_base

UTC = timezone.utc

ORIGIN = datetime(2023, 6, 14, 10, 30, 5, 250_000, UTC)  # of the builders


@pytest.mark.parametrize("kind", ["2.2", "2.3", "ripple"])
def test_timing_c30_before_3_0_the_date_is_that_of_tick_0(opened: Opened, kind: str) -> None:
    ns = opened(b.nsx([(60_000, b.ramp(3, 2))], kind))
    assert ns.datetime(0) == ORIGIN
    assert ns.datetime(60_000) == ORIGIN + timedelta(seconds=2)
    assert ns.time_base.note == "the header's date stands for tick 0"


def test_timing_c31_in_3_0_the_date_is_that_of_the_first_sample(opened: Opened) -> None:
    ns = opened(b.nsx([(13_725_300, b.ramp(3, 2)), (13_800_000, b.ramp(3, 2))], "3.0"))
    assert ns.datetime(13_725_300) == ORIGIN
    assert ns.datetime(13_725_300 - 30_000) == ORIGIN - timedelta(seconds=1)
    assert ns.time_base.note == "the header's date stands for the first sample"


def test_timing_c31_of_a_nev_that_of_its_first_recording_event(file_of: FileOf) -> None:
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


def test_timing_c32_nanoseconds_since_the_clock_was_started_are_dated_by_the_header(opened: Opened) -> None:
    ns = opened(t.ptp(t.stamps(10)))
    assert ns.datetime(t.BOOT_NS) == ORIGIN
    assert ns.datetime(t.BOOT_NS + 1_500_000_000) == ORIGIN + timedelta(seconds=1.5)
    assert "since the clock was started" in ns.time_base.note


@pytest.mark.parametrize("off_s", [0, 9, -9])
def test_timing_c33_nanoseconds_since_1970_are_taken_as_utc(opened: Opened, off_s) -> None:
    start = t.EPOCH_NS + off_s * t.NS
    ns = opened(t.ptp(t.stamps(10, start=start)))
    assert ns.datetime(start + 1_000) == ORIGIN + timedelta(seconds=off_s, microseconds=1), "the clock is finer"
    assert ns.time_base.note == "nanoseconds since 1970, UTC: agrees with the header's date"


@pytest.mark.parametrize("off_s", [0, 9, -9])
def test_timing_c33_atomic_time_is_known_by_being_37_seconds_ahead(opened: Opened, off_s) -> None:
    start = t.EPOCH_NS + (37 + off_s) * t.NS
    ns = opened(t.ptp(t.stamps(10, start=start)))
    assert ns.datetime(start) == ORIGIN + timedelta(seconds=off_s)
    assert "TAI" in ns.time_base.note


def test_timing_c33_where_clock_and_date_disagree_the_date_is_believed(opened: Opened) -> None:
    start = t.EPOCH_NS - 3600 * t.NS
    ns = opened(t.ptp(t.stamps(10, start=start)))
    assert ns.datetime(start) == ORIGIN, "the date is believed"
    assert "-3600 s off that date" in ns.time_base.note


def test_timing_c33_without_a_date_only_a_clock_since_1970_tells_the_time(opened: Opened) -> None:
    no_date = (0,) * 8
    ns = opened(t.ptp(t.stamps(10, start=t.EPOCH_NS), origin=no_date))
    assert ns.datetime(t.EPOCH_NS) == ORIGIN
    assert "no date" in ns.time_base.note
    for data in (t.ptp(t.stamps(10), origin=no_date), b.nsx([(0, b.ramp(3, 2))], origin=no_date)):
        ns = opened(data)
        assert ns.datetime(0) is None
        assert np.isnat(ns.time_base.datetime64([0, 5])).all()


RESOLUTIONS = st.sampled_from([1, 1000, 30_000, 10**6, t.NS, 2**32 - 1])


@given(st.integers(-(2**63), 2**63 - 2), st.integers(-(2**63), 2**63 - 1), RESOLUTIONS, st.sampled_from([ORIGIN, None]))
@example(0, 9_223_372_035, 1, ORIGIN)  # 292 years before a date that is itself 53 years after 1970
@example(2**63 - 2, -(2**63), t.NS, ORIGIN)  # further apart than 63 bits
def test_timing_c34_moments_are_whole_numbers_to_the_nanosecond(tick, origin_tick, tick_rate, origin) -> None:
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


def test_timing_c34_dates_of_several_ticks_keep_their_shape(opened: Opened) -> None:
    ns = opened(t.ptp(t.stamps(10, start=t.EPOCH_NS)))
    ticks = np.array([[0, 1], [999, 33_333]]) + t.EPOCH_NS
    expected = np.datetime64("2023-06-14T10:30:05.250", "ns") + np.array([[0, 1], [999, 33_333]])
    np.testing.assert_array_equal(ns.time_base.datetime64(ticks), expected)
    np.testing.assert_array_equal(ns.time_base.datetime64(ticks.astype(np.uint64)), expected)
    assert np.isnat(ns.time_base.datetime64([2**64 - 1, 2**70])).all()


@pytest.mark.parametrize("year", [1601, 9999])
def test_timing_c34_a_date_that_64_bits_of_nanoseconds_cannot_hold_is_not_a_time(year) -> None:
    base = find_time_base(datetime(year, 1, 1, tzinfo=UTC), 30_000, 0, 0, "")
    assert np.isnat(base.datetime64([0, 2**64 - 1])).all()
    assert base.datetime(30_000) == datetime(year, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert base.datetime(2**64 - 1) is None or year == 1601
