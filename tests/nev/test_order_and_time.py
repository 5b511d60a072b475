# SPDX-License-Identifier: MIT
"""Order, resets and dates of events: claims C37 to C41 of `spec_notes/nev.md`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from builders.nev import DATE, V2, V3, nev, trellis

from nev.files import MAKERS, VERSIONS, Opener


def test_nev_c37_packets_keep_file_order_and_sort_is_stable(opened: Opener) -> None:
    packets = [V2.digital(tick, 1, value) for value, tick in enumerate([50, 40, 50, 45, 40])]
    file = opened(nev(packets))
    assert file.events("digital")["value"].tolist() == [0, 1, 2, 3, 4]
    assert file.events("digital", sort="tick")["value"].tolist() == [1, 4, 3, 0, 2]
    assert file.resets == ()
    many = opened(nev([V2.digital(5 - value % 3, 1, value) for value in range(999)]))
    expected = sorted(range(999), key=lambda value: 5 - value % 3)
    assert many.events("digital", sort="tick")["value"].tolist() == expected


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("ticks", "resets"),
    [
        ([100_000, 110_000, 5, 100], [(2, 110_000, 5)]),
        ([8000, 116, 200], [(1, 8000, 116)]),  # two recorders put in step: the first part is short
        ([100_000, 69_999, 70_001], []),  # comes back to less than a second before: not far
        ([100_000, 69_999, 69_999], [(1, 100_000, 69_999)]),
        ([100_000, 70_000, 70_000], []),  # exactly a second
        ([100_000, 99_930, 99_940], []),  # Ripple's order
        ([60, 4, 5], []),  # a tenth, but the first milliseconds
        ([100_000, 5, 100_010], []),  # one packet out of line
        ([100_000, 200_000, 0], []),  # the last one: appended by a script
        ([90_000, 5, 6, 90_000, 7, 8], [(1, 90_000, 5), (4, 90_000, 7)]),
    ],
)
def test_nev_c38_a_reset_is_a_clock_that_goes_far_back_and_stays_there(
    opened: Opener, version: Any, ticks: list[int], resets: list[Any]
) -> None:
    make = MAKERS[version]
    packets = [make.spike(tick, 1, 0) for tick in ticks]
    packets.insert(1, make.packet(0, 0x8001, b""))  # an unknown one in between changes nothing but the count
    expected = [(packet + 1, before, after) for packet, before, after in resets]
    assert list(opened(nev(packets, version=version)).resets) == expected


def test_nev_c38_the_rule_counts_seconds_of_the_files_clock(opened: Opener) -> None:
    ticks = [5 * 10**9, 4 * 10**9 + 1, 4 * 10**9 + 2]
    assert opened(nev([V3.spike(t, 1, 0) for t in ticks], version=(3, 0), tick_rate=10**9)).resets == ()
    assert len(opened(nev([V3.spike(t, 1, 0) for t in ticks], version=(3, 0), tick_rate=30_000)).resets) == 1


def test_nev_c39_a_reset_parts_what_sorting_may_not_mix(opened: Opener) -> None:
    ticks = [100_000, 100_020, 100_010, 50, 40, 60]
    file = opened(nev([V2.spike(tick, 1, 0) for tick in ticks]))
    assert file.spikes(sort="tick")["tick"].tolist() == [100_000, 100_010, 100_020, 40, 50, 60]
    assert file.trains(sort="tick")[1, 0].tolist() == [100_000, 100_010, 100_020, 40, 50, 60]
    assert file.trains()[1, 0].tolist() == ticks


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c40_the_origin_has_a_time_zone_or_a_note(opened: Opener, version: Any) -> None:
    file = opened(nev(version=version))
    aware = version == (3, 0)
    assert file.time_origin == datetime(2024, 3, 14, 19, 9, 47, 630_000, timezone.utc if aware else None)
    assert file.time_origin_note.startswith("UTC" if aware else "no time zone: UTC since Central 6.05")
    assert opened(trellis()).time_origin_note == "no time zone: the document names none"


@pytest.mark.parametrize(
    "date", [(0,) * 8, (2024, 13, *DATE[2:]), (2024, 2, 0, 30, 0, 0, 0, 0), (2024, 3, 0, 1, 0, 0, 0, 1000)]
)
def test_nev_c40_an_impossible_date_is_none(opened: Opener, date: Any) -> None:
    file = opened(nev(date=date))
    assert (file.time_origin, file.datetime(5)) == (None, None)
    assert "no valid date" in file.time_origin_note


def test_nev_c40_the_day_of_the_week_is_not_read(opened: Opener) -> None:
    assert opened(nev(date=(2024, 3, 9999, *DATE[3:]))).time_origin is not None


def test_nev_c41_datetime_counts_whole_microseconds_down(opened: Opener) -> None:
    file = opened(nev(date=(2024, 1, 0, 1, 0, 0, 0, 0)))
    origin = datetime(2024, 1, 1)
    assert file.datetime(1) == origin + timedelta(microseconds=33)
    assert file.datetime(30_000) == origin + timedelta(seconds=1)
    assert file.datetime(-1) == origin - timedelta(microseconds=34)
    assert file.datetime(np.uint64(2**64 - 1)) is None
    far = opened(nev(version=(3, 0), tick_rate=10**9, date=(1970, 1, 0, 1, 0, 0, 0, 0)))
    assert far.datetime(1_700_000_000_123_456_789) == datetime(2023, 11, 14, 22, 13, 20, 123_456, timezone.utc)
