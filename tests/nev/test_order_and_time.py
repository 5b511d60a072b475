# SPDX-License-Identifier: MIT
"""Order, resets and dates of events: claims C37 to C41 of `spec_notes/nev.md`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders.nev import DATE, V2, V3, nev, trellis
from fixture_types import FileOf

import nevparse as nv
from nev.files import MAKERS, VERSIONS, Opener
from nevparse.export.native.cut_nev import write_nev
from nevparse.nsx.file import open_nsx


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
        ([4000, 8000, 116, 200], [(2, 8000, 116)]),  # two recorders put in step: the first part is short
        ([8000, 116, 200, 300], []),  # one packet before it decides nothing, nor does one behind it
        ([90_000, 100_000, 70_001, 70_002], [(2, 100_000, 70_001)]),  # a second more or less decides nothing
        ([100_000, 99_930, 99_940], []),  # Ripple's order
        ([60, 70, 4, 5], []),  # the first milliseconds
        ([100_000, 5, 100_010], []),  # one packet out of line
        ([*range(50_000, 90_000, 1000), 0, 2, *range(91_000, 130_000, 1000)], []),  # two of them
        ([100_000, 200_000, 0], []),  # the last one: appended by a script
        ([90_000, 91_000, 5, 6, 7_000, 7, 8], [(2, 91_000, 5)]),
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
    ticks = [5 * 10**9, 5 * 10**9 + 9, 5 * 10**9 - 10**8 + 9, 5 * 10**9 - 10**8 + 10]
    assert opened(nev([V3.spike(t, 1, 0) for t in ticks], version=(3, 0), tick_rate=10**9)).resets == ()
    assert len(opened(nev([V3.spike(t, 1, 0) for t in ticks], version=(3, 0), tick_rate=30_000)).resets) == 1


def test_nev_c38_channels_in_turn_are_not_regrouped(opened: Opener) -> None:
    """Of 20 000 packets before the reset and behind it, every fifth is of one electrode."""
    packets = np.zeros(40_000, [("tick", "<u4"), ("id", "<u2"), ("rest", "V6")])
    packets["tick"], packets["id"] = np.tile(np.arange(20_000) * 30, 2), 1 + np.arange(40_000) % 5
    packets["id"][20_000:] = 1 + np.arange(2, 20_002) % 5
    assert [reset.packet for reset in opened(nev([packets.tobytes()], packet_bytes=12)).resets] == [20_000]


def test_nev_c38_kinds_and_channels_that_were_regrouped_are_no_resets(opened: Opener) -> None:
    spikes = [V2.spike(300 * k, 1 + k % 4, 0) for k in range(1, 1900)]
    digitals = [V2.digital(1000 + 9000 * k, 1, 5) for k in range(120)]
    assert opened(nev(spikes + digitals)).resets == ()
    among = spikes[:1000] + digitals[:2] + spikes[1000:] + digitals[2:22]
    assert opened(nev(among)).resets == (), "some of the kind are where they belong"
    by_channel = [V2.spike(300 * k, channel, 0) for channel in (1, 2, 3, 4) for k in range(1, 1900)]
    file = opened(nev(by_channel))
    assert file.resets == ()
    assert np.all(np.diff(file.spikes(sort="tick")["tick"].astype(np.int64)) >= 0)


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c48_ticks_count_on_where_a_clock_of_32_bits_ran_over(opened: Opener, version: Any) -> None:
    end = 1 << 32
    ticks = [end - 70_000, end - 20, 7, end - 5, 9, 50_000]  # one is a little late
    file = opened(nev([MAKERS[version].spike(tick, 1, 0) for tick in ticks], version=version))
    over = end if version < (3, 0) else 0
    expected = [end - 70_000, end - 20, over + 7, end - 5, over + 9, over + 50_000]
    assert file.spikes(waveforms=False)["tick"].tolist() == file.events("spike")["tick"].tolist() == expected
    assert file.packets["tick"].tolist() == ticks, "as in the file"
    assert len(file.resets) == (0 if over else 1)
    if over:
        after = [7, 8, 9, end - 5, 10, 50_000]  # late by more packets, so that the clock ran over before it
        found = opened(nev([V2.spike(tick, 1, 0) for tick in [end - 70_000, end - 20, *after]])).spikes()["tick"]
        assert found[2:].tolist() == [end + 7, end + 8, end + 9, end - 5, end + 10, end + 50_000]
    assert opened(nev([V2.spike(tick, 1, 0) for tick in (end - 9, end - 8, 0, end - 7, end - 6)])).resets == ()


def test_nev_c48_regrouped_channels_run_over_each_by_itself(opened: Opener) -> None:
    end = 1 << 32
    ticks = [end - 60_000 + 300 * k for k in range(400)]
    file = opened(nev([V2.spike(tick % end, channel, 0) for channel in (1, 2, 3) for tick in ticks]))
    assert file.spikes(waveforms=False)["tick"].tolist() == ticks * 3
    events = [V2.digital(tick % end, 1, 5) for tick in ticks[300:]]
    file = opened(nev([*events, *(V2.spike(tick % end, 1, 0) for tick in ticks)]))
    assert file.events("digital")["tick"].tolist() == ticks[300:], "of a kind that stands before all others"
    assert file.spikes(waveforms=False)["tick"].tolist() == ticks


@pytest.mark.parametrize("place", [1_000, 2_000], ids=["amid", "last"])
def test_nev_c48_a_few_strays_near_the_end_of_32_bits_move_no_other_packet(opened: Opener, place: int) -> None:
    ticks = list(range(0, 600_000, 300))
    for strays in ([2**32 - 5], [2**32 - 900, 2**32 - 50], [2**32 - 900, 2**32 - 50, 2**32 - 5]):
        stamps = [*ticks[:place], *strays, *ticks[place:]]
        file = opened(nev([V2.spike(tick, 1 + k % 3, 0) for k, tick in enumerate(stamps)]))
        assert file.spikes(waveforms=False)["tick"].tolist() == stamps
        assert file.zero_tick == 0


def test_nev_c48_dates_and_cuts_count_on_too(opened: Opener, tmp_path: Path) -> None:
    end = 1 << 32
    ticks = [end - 90_000 + 3_000 * k for k in range(60)]
    file = opened(nev([V2.spike(tick % end, 1, 0) for tick in ticks]))
    found = file.spikes(waveforms=False)["tick"]
    first, last = file.datetime(found[0]), file.datetime(found[-1])
    assert first is not None
    assert last is not None
    assert last - first == timedelta(seconds=5.9)
    assert write_nev(file, tmp_path / "c.nev", start_tick=ticks[0], stop_tick=ticks[-1] + 1).n_packets == 60


def test_nev_c39_a_reset_parts_what_sorting_may_not_mix(opened: Opener) -> None:
    ticks = [100_000, 100_020, 100_010, 50, 40, 60]
    file = opened(nev([V2.spike(tick, 1, 0) for tick in ticks]))
    assert file.spikes(sort="tick")["tick"].tolist() == [100_000, 100_010, 100_020, 40, 50, 60]
    assert file.trains(sort="tick")[1, 0].tolist() == [100_000, 100_010, 100_020, 40, 50, 60]
    assert file.trains()[1, 0].tolist() == ticks


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c40_the_origin_is_utc_and_a_note_says_why(opened: Opener, version: Any) -> None:
    file = opened(nev(version=version))
    assert file.time_origin == datetime(2024, 3, 14, 19, 9, 47, 630_000, timezone.utc)
    assert file.time_origin_note.startswith("UTC" if version == (3, 0) else "taken as UTC: so since Central 6.05")
    assert opened(trellis()).time_origin_note == "taken as UTC: the document names no time zone"


def test_nev_c40_dates_of_one_recording_subtract(opened: Opener) -> None:
    file = opened(nev(version=(2, 3)))
    with open_nsx(b.nsx([(0, b.ramp(3, 1))])) as ns:
        assert ns.time_origin is not None
        assert file.time_origin is not None
        assert (file.time_origin - ns.time_origin).days == 274


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
    origin = datetime(2024, 1, 1, tzinfo=timezone.utc)
    assert file.datetime(1) == origin + timedelta(microseconds=33)
    assert file.datetime(30_000) == origin + timedelta(seconds=1)
    assert file.datetime(-1) == origin - timedelta(microseconds=34)
    assert file.datetime(np.uint64(2**64 - 1)) is None
    far = opened(nev(version=(3, 0), tick_rate=10**9, date=(1970, 1, 0, 1, 0, 0, 0, 0)))
    assert far.datetime(1_700_000_000_123_456_789) == datetime(2023, 11, 14, 22, 13, 20, 123_456, timezone.utc)


def test_nev_c49_ticks_are_int64_and_packets_are_the_files_own(opened: Opener, file_of: FileOf) -> None:
    data = nev([V3.digital(10, 1, 1), V3.digital(2**63 + 10, 1, 2)], version=(3, 0), tick_rate=10**9)
    file = opened(data)
    assert file.events("digital")["tick"].tolist() == [10, 10 - 2**63]
    assert file.packets["tick"].tolist() == [10, 2**63 + 10]
    assert (file.events("digital")["tick"] - 30)[0] == -20
    assert [finding.code for finding in nv.check(file_of(data, "s.nev"))] == ["tick-range", "unsorted"]
