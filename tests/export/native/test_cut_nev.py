# SPDX-License-Identifier: MIT
"""Cut event files are what a builder makes of the selection: C08 to C10 of `spec_notes/writing.md`."""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from builders import nev as n
from fixture_types import Cut, NevOf, RealFile
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from export.native.cutting import NEV_DATE, every_nev, put_together, refused, taken_apart, words


def stamp_and_id(packet, version):
    return struct.unpack_from("<QH" if version[0] == 3 else "<IH", packet)


def kept_packets(packets, version, ripple, electrodes, start, stop):
    """Those that a selection holds, each with what goes on with it."""
    last, ones, keeps = (5120, 10240) if ripple else (0x7FFF, 0), n.ALL_ONES[8 if version[0] == 3 else 4], False
    for packet in packets:
        tick, number = stamp_and_id(packet, version)
        if tick != ones:
            of_electrode = 1 <= number <= max(last)
            keeps = start <= tick < stop and (electrodes is None or not of_electrode or number in electrodes)
        if keeps:
            yield packet


@every_nev
@pytest.mark.usefixtures("small_buffers")
@given(
    electrodes=st.none() | st.lists(st.sampled_from([1, 129, 300]), min_size=1, unique=True),
    start=st.integers(0, 300),
    stop=st.integers(0, 300),
)
def test_writing_c08_and_c09_and_c10_a_cut_nev_is_what_a_builder_makes_of_the_selection(
    nev_of: NevOf, cut: Cut, out: Path, version, ripple, electrodes, start, stop
) -> None:
    raw = n.every_kind(version, ripple)
    basic, headers, packets = taken_apart(raw)
    of_electrodes = [b"NEUEVWAV", b"NEUEVLBL", b"NEUEVFLT"]
    left = list(kept_packets(packets, version, ripple, electrodes, start, stop))
    nev = nev_of(raw)
    asked = {"electrodes": electrodes, "start_tick": start, "stop_tick": stop}
    if not left:
        refused(out, ValueError, "expected a selection that holds packets", lambda: cut(nev, **asked))
        return
    if electrodes is not None:
        headers = [
            head for head in headers
            if head[:8] not in of_electrodes or struct.unpack_from("<H", head, 8)[0] in electrodes
        ]  # fmt: skip
    date = None
    if version == (3, 0):
        known = [stamp_and_id(packet, version) for packet in left]
        known = [(tick, number) for tick, number in known if number < 0x8000 or number > 0xFFF0]
        known = [(tick, number) for tick, number in known if tick != n.ALL_ONES[8]]
        starts = [tick for tick, number in known if number == 0xFFF9]
        if known:
            tick = starts[0] if starts else known[0][0]
            passed = timedelta(microseconds=(tick - 260) * 10**6 // 30_000)
            date = words(NEV_DATE + passed)
    data = cut(nev, **asked)
    assert data == put_together(basic, headers, left, date)
    again = nev_of(data, "again.nev")
    assert cut(again, start_tick=start, stop_tick=stop) == data
    assert (again.damage, again.n_packets) == ((), len(left))
    if version == (3, 0) and date:
        assert abs(again.datetime(150) - nev.datetime(150)) <= timedelta(microseconds=502)


@every_nev
def test_writing_c10_events_are_chosen_by_kind(nev_of: NevOf, cut: Cut, version, ripple) -> None:
    basic, headers, packets = taken_apart(n.every_kind(version, ripple))
    nev = nev_of(n.every_kind(version, ripple))
    comments = [packets[k] for k in (6, 7, 8, 16, 17)]
    date = words(NEV_DATE + timedelta(microseconds=(200 - 260) * 10**6 // 30_000)) if version == (3, 0) else None
    assert cut(nev, kinds="comment") == put_together(basic, headers, comments, date)
    spikes = cut(nev, kinds=["spike", "comment"], electrodes=[300, 1], start_tick=95, stop_tick=250)
    kept = [packets[k] for k in (0, 3, 6, 7, 8)]
    assert taken_apart(spikes)[2] == kept
    again = nev_of(spikes, "again.nev")
    assert again.comments() == nev.comments()[:3]
    assert list(again.electrodes) == [1], "300 had no header"


def test_writing_c10_ripples_stimuli_are_electrodes_too(nev_of: NevOf, cut: Cut) -> None:
    nev = nev_of(n.every_kind((2, 2), True))
    again = nev_of(cut(nev, electrodes=5249), "again.nev")
    assert (again.kinds()["stim"], "spike" in again.kinds(), list(again.electrodes)) == (1, False, [5249])
    np.testing.assert_array_equal(again.events("stim"), nev.events("stim"))


def test_writing_c10_real_spikes_are_cut_by_electrode_and_time(real_file: RealFile, nev_of: NevOf, cut: Cut) -> None:
    with nv.open_nev(real_file("l101210-001-02.nev")) as nev:
        again = nev_of(cut(nev, electrodes=[3, 90], start_tick=20_000, stop_tick=90_000), "again.nev")
        want = nev.spikes(electrodes=[3, 90], start_tick=20_000, stop_tick=90_000)
        assert len(want) > 50
        np.testing.assert_array_equal(again.spikes(), want)
        assert again.electrodes == {number: nev.electrodes[number] for number in (3, 90)}
        digital = nev.events("digital")
        inside = (digital["tick"] >= 20_000) & (digital["tick"] < 90_000)
        np.testing.assert_array_equal(again.events("digital"), digital[inside])
        assert 0 < inside.sum() < len(digital)


def test_writing_c10_packets_that_go_on_before_any_begins_stay_in_the_whole_alone(nev_of: NevOf, cut: Cut) -> None:
    stray = n.V2.more(b"of nothing")
    raw = n.nev([stray, n.V2.spike(5, 1, 0)], [n.wav(1)])
    assert cut(nev_of(raw)) == raw
    assert cut(nev_of(raw), start_tick=0) == n.nev([n.V2.spike(5, 1, 0)], [n.wav(1)])


def test_writing_c08_a_cut_behind_a_rollover_has_the_date_of_it(nev_of: NevOf, cut: Cut) -> None:
    """As a cut NSx has: 32 bits hide that tick 0 of the file is not that of its date."""
    ticks = [2**32 - 30_000, 2**32 - 10, 20, 90_000]
    nev = nev_of(n.nev([n.V2.spike(tick % 2**32, 1, 0) for tick in ticks], [n.wav(1)], version=(2, 3)))
    later = nev_of(cut(nev, start_tick=2**32), "later.nev")
    assert later.spikes(waveforms=False)["tick"].tolist() == [20, 90_000]
    passed = later.datetime(20) - nev.datetime(2**32 + 20)
    assert abs(passed) <= timedelta(microseconds=502)
    assert cut(nev, stop_tick=2**32)[28:44] == Path(nev.path).read_bytes()[28:44]


def test_writing_c08_electrodes_whose_packets_do_not_show_the_rollover_are_refused(nev_of: NevOf, cut: Cut) -> None:
    """Electrode 2 is silent for hours around it: by itself it would have a clock that was set back."""
    end, hours = 2**32, 2 * 3600 * 30_000
    spikes = [(end - hours, 2), (end - hours + 9, 2), *((end + tick, 1) for tick in (-90, -9, 5, 50))]
    spikes += [(end + hours, 2), (end + hours + 9, 2)]
    nev = nev_of(n.nev([n.V2.spike(tick % end, channel, 0) for tick, channel in spikes], [n.wav(1), n.wav(2)]))
    assert nev.spikes(waveforms=False)["tick"].tolist() == [tick for tick, _ in spikes]
    with pytest.raises(ValueError, match="roll over 32 bits where the chosen packets do not show it"):
        cut(nev, electrodes=[2])
    later = nev_of(cut(nev, electrodes=[2], start_tick=end), "later.nev")
    assert abs(later.datetime(hours) - nev.datetime(end + hours)) <= timedelta(microseconds=502)
    assert nev_of(cut(nev, electrodes=[1]), "one.nev").spikes(waveforms=False)["tick"][2] == end + 5
