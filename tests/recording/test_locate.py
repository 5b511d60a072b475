# SPDX-License-Identifier: MIT
"""NEV times in continuous files and exports by each one's clock: C37 to C39 and C45 of `spec_notes/timing.md`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from recording.files import Folder, nsx


def located(recording, ticks, nsx, **options):
    segment, sample = recording.locate(ticks, nsx, **options)
    return list(zip(segment.tolist(), sample.tolist(), strict=True))


NOWHERE = (-1, -1)

# ----------------------------------------------------------------------------------------------------------- locate


def test_timing_c37_a_pause_is_not_the_segment_before_it(folder: Folder) -> None:
    rec = folder.write(s__nev=t.spike_nev([0]), s__ns5=nsx((100, 10), (9000, 5))).open()
    ticks = [99, 100, 109, 110, 5000, 8999, 9000, 9004, 9005]
    assert located(rec, ticks, 5) == [
        NOWHERE, (0, 0), (0, 9), NOWHERE, NOWHERE, NOWHERE, (1, 0), (1, 4), NOWHERE
    ]  # fmt: skip
    assert located(rec, ticks, rec.nsx[5]) == located(rec, ticks, 5)
    assert located(rec, [], 5) == []


def test_timing_c37_each_file_by_its_own_rate_and_start(folder: Folder) -> None:
    files = {"s__ns2": nsx((90, 4), period=30), "s__ns5": nsx((102, 100)), "s__nev": t.spike_nev([0])}
    rec = folder.write(**files).open()
    assert located(rec, [89, 90, 119, 120, 209, 210], 2) == [NOWHERE, (0, 0), (0, 0), (0, 1), (0, 3), NOWHERE]
    assert located(rec, [101, 102, 120], 5) == [NOWHERE, (0, 0), (0, 18)]


@given(
    ticks=st.lists(st.integers(0, 10**6) | st.sampled_from([2**32, 2**63, 2**64 - 1]), min_size=1),
    nev_rate=st.sampled_from([30_000, t.NS, 10**6]),
    nsx_rate=st.sampled_from([30_000, t.NS, 10**6]),
    period=st.sampled_from([1, 3, 30]),
)
def test_timing_c37_times_are_located_whatever_the_tick_rates(
    folder: Folder, ticks, nev_rate, nsx_rate, period
) -> None:
    """By whole numbers: the tick of the file that is not after the NEV's, then the sample."""
    start, n = 1000, 500
    folder.write(
        s__nev=t.spike_nev([0], (3, 0), nev_rate),
        s__ns5=nsx((start, n), kind="3.0", period=period, tick_rate=nsx_rate),
    )
    with nv.open_recording(folder.path / "s") as rec:
        timestamps = rec.nsx[5].segments[0].ticks().tolist()
        end = start + n * period * nsx_rate // 30_000
        expected = []
        for tick in ticks:
            at = tick * nsx_rate // nev_rate
            is_recorded = start <= at < end
            expected.append((0, sum(timestamp <= at for timestamp in timestamps) - 1) if is_recorded else NOWHERE)
        assert located(rec, ticks, 5) == expected


def test_timing_c37_the_spike_of_a_sample_is_located_at_it_whatever_the_rates(folder: Folder) -> None:
    """A NEV at 30 kHz beside nanoseconds: rounding down twice loses no sample."""
    rec = folder.write(
        s__nev=t.spike_nev([0], (3, 0), 30_000), s__ns5=nsx((0, 5000), kind="3.0", tick_rate=t.NS)
    ).open()
    assert located(rec, range(5000), 5) == [(0, k) for k in range(5000)]


def test_timing_c37_a_time_that_is_too_far_for_the_files_clock_is_nowhere(folder: Folder) -> None:
    """So long a time is 290 ms in nanoseconds, once 64 bits have run over."""
    seconds, start = 18_446_744_074, 290_000_000
    assert start <= seconds * t.NS % 2**64 < start + t.NS
    nev = t.spike_nev([0], (3, 0), 30_000)
    rec = folder.write(s__nev=nev, s__ns5=nsx((start, 9000), kind="3.0", tick_rate=t.NS)).open()
    assert located(rec, [seconds * 30_000, 8_700], 5) == [NOWHERE, (0, 0)]


def test_timing_c37_times_are_located_by_the_timestamps_of_packets(folder: Folder) -> None:
    ticks = t.stamps(300, jitter_ns=300, breaks={100: 50})
    rec = folder.write(s__nev=t.spike_nev([0], (3, 0), t.NS), s__ns6=t.ptp(ticks)).open()
    assert located(rec, ticks, 6) == [(0, k) for k in range(101)] + [(1, k) for k in range(199)]
    assert located(rec, [ticks[100] + 50_000], 6) == [NOWHERE]


# ------------------------------------------------------------------------------------------------- resets and wraps


def restarted(folder, spikes):
    """As where a second NSP is restarted: a first part of 2 s, and a second that begins near 0."""
    return folder.write(s__nev=t.spike_nev(spikes), s__ns5=nsx((0, 60_000), (116, 90_000))).open()


def test_timing_c38_packets_decide_on_the_side_of_a_reset(folder: Folder) -> None:
    spikes = [500, 30_000, 59_000, 120, 500, 30_000, 80_000]
    rec = restarted(folder, spikes)
    assert [reset.packet for reset in rec.nev.resets] == [3]
    packets = np.arange(len(spikes))
    assert located(rec, spikes, 5, packets=packets) == [
        (0, 500), (0, 30_000), (0, 59_000), (1, 4), (1, 384), (1, 29_884), (1, 79_884)
    ]  # fmt: skip
    assert located(rec, spikes[::-1], 5, packets=packets[::-1]) == located(rec, spikes, 5, packets=packets)[::-1]


def test_timing_c38_without_packets_the_later_of_two_is_meant(folder: Folder) -> None:
    rec = restarted(folder, [500, 59_000, 120, 80_000])
    assert located(rec, [100, 115, 116, 500, 80_000], 5) == [(0, 100), (0, 115), (1, 0), (1, 384), (1, 79_884)]


def test_timing_c38_a_little_out_of_order_is_no_reset(folder: Folder) -> None:
    spikes = [500, 45_000, 44_955, 45_010, 44_000, 59_000]
    rec = folder.write(s__nev=t.spike_nev(spikes), s__ns5=nsx((0, 60_000))).open()
    assert rec.nev.resets == ()
    assert located(rec, spikes, 5, packets=range(6)) == [(0, tick) for tick in spikes]


def test_timing_c38_a_file_that_starts_behind_the_reset_is_ambiguous_about_what_was_before(folder: Folder) -> None:
    """The NEV has a reset that the file has not: then the file may have begun later, or the NEV is out of order."""
    rec = folder.write(s__nev=t.spike_nev([500, 59_000, 120, 150]), s__ns5=nsx((116, 90_000))).open()
    with pytest.warns(nv.AmbiguousEpochs, match=r"2 of 4 packets may be .* the first is packet 0 \(epoch 0 or -1\)"):
        assert located(rec, [500, 59_000, 120, 150], 5, packets=range(4))[2:] == [(0, 4), (0, 34)]
    assert located(rec, [120, 150], 5, packets=[2, 3]) == [(0, 4), (0, 34)], "and nothing of others"


def test_timing_c38_a_reset_that_only_the_nev_has_leaves_the_others_right(folder: Folder) -> None:
    """Two resets, pauses between them, and a file that was not there for the first part."""
    nev = t.spike_nev([90_000, 91_000, 10, 20, 70_000, 71_000, 30, 40])
    rec = folder.write(s__nev=nev, s__ns5=nsx((0, 1000), (70_000, 2000), (5, 100))).open()
    assert len(rec.nev.resets) == 2
    assert len(rec.nsx[5].epochs) == 2
    ticks = [90_000, 91_000, 10, 20, 70_000, 71_000, 30, 40]
    assert located(rec, ticks, 5, packets=range(8)) == [
        NOWHERE, NOWHERE, (0, 10), (0, 20), (1, 0), (1, 1000), (2, 25), (2, 35)
    ]  # fmt: skip


def test_timing_c38_an_empty_file_holds_nothing(folder: Folder) -> None:
    rec = folder.write(s__nev=t.spike_nev([2**32 - 9, 2**32 - 5, 1, 2, 3]), s__ns5=b.nsx([])).open()
    assert located(rec, [1, 2], 5, packets=[2, 3]) == [NOWHERE, NOWHERE]


END = 1 << 32


def test_timing_c39_ticks_of_the_nev_count_on_where_32_bits_ran_over(folder: Folder) -> None:
    in_file = [END - 90, END - 10, 5, 40, 5010]
    rec = folder.write(s__nev=t.spike_nev(in_file), s__ns5=nsx((END - 100, 100), (0, 50), (5000, 20))).open()
    assert [segment.n_samples for segment in rec.nsx[5].segments] == [150, 20]
    spikes = rec.nev.spikes(waveforms=False)["tick"].tolist()
    assert spikes == [END - 90, END - 10, END + 5, END + 40, END + 5010]
    expected = [(0, 10), (0, 90), (0, 105), (0, 140), (1, 10)]
    assert located(rec, spikes, 5) == located(rec, spikes, 5, packets=range(5)) == expected
    report = nv.write_bin(rec.nsx[5], folder.path / "o.bin", gaps="join")
    assert nv.read_sidecar(report.path).spike_rows(rec, spikes).tolist() == [10, 90, 105, 140, 160]


@pytest.mark.parametrize("in_file", [[5, 700], [END - 90, 700, 720], [700, END - 90, 5], [END - 90, END - 10]])
def test_timing_c39_a_nev_that_does_not_show_it_is_counted_on_by_its_continuous_files(
    folder: Folder, in_file: list[int]
) -> None:
    rec = folder.write(s__nev=t.spike_nev(in_file), s__ns5=nsx((END - 100, 1_000))).open()
    spikes = rec.nev.spikes(waveforms=False)["tick"].tolist()
    assert spikes == [tick if tick > 10**6 else END + tick for tick in in_file]
    assert located(rec, spikes, 5, packets=range(len(spikes))) == [(0, tick - END + 100) for tick in spikes]


def test_timing_c39_packets_from_before_the_continuous_files_do_not_count_the_others_on(folder: Folder) -> None:
    """The recorder still had packets of before its clock was set to 0, or the files began behind the rollover."""
    stale, ticks = [END - 900 + 100 * k for k in range(5)], list(range(0, 60_000, 300))
    rec = folder.write(s__nev=t.spike_nev([*stale, *ticks]), s__ns5=nsx((0, 60_000))).open()
    spikes = rec.nev.spikes(waveforms=False)["tick"].tolist()
    assert spikes[5:] == ticks
    assert located(rec, spikes, 5)[5:] == [(0, tick) for tick in ticks]
    assert rec.zero_tick == 0
    cut = nv.write_nev(rec, folder.path / "c.nev", start_tick=0, stop_tick=60_000)
    assert cut.n_packets == len(ticks)
    nv.write_nev(rec, folder.path / "d.nev", electrodes=[1])


# ------------------------------------------------------------------------------------------------------- spike rows


@pytest.mark.parametrize("kind", ["2.3", "ptp"])
def test_timing_c45_spikes_have_their_rows_in_every_kind_of_export(folder: Folder, kind: str) -> None:
    if kind == "ptp":
        ticks = t.stamps(30, breaks={9: 20, 19: 4})
        rec = folder.write(s__nev=t.spike_nev([0], (3, 0), t.NS), s__ns5=t.ptp(ticks)).open()
    else:
        ticks = np.array([*range(100, 110), *range(130, 140), *range(144, 154)])
        rec = folder.write(s__nev=t.spike_nev([0]), s__ns5=nsx((100, 10), (130, 10), (144, 10))).open()
    joined = nv.write_bin(rec.nsx[5], folder.path / "joined.bin", gaps="join")
    filled = nv.write_bin(rec.nsx[5], folder.path / "filled.bin", gaps="fill")
    split = nv.write_bin(rec.nsx[5], folder.path / "split.bin", gaps="split")
    assert nv.read_sidecar(joined.path).spike_rows(rec, ticks).tolist() == list(range(30))
    assert nv.read_sidecar(filled.path).spike_rows(rec, ticks).tolist() == [*range(10), *range(30, 40), *range(44, 54)]
    assert (
        nv.read_sidecar(split.files[1].path).spike_rows(rec, ticks).tolist() == [-1] * 10 + list(range(10)) + [-1] * 10
    )
    assert nv.read_sidecar(filled.sidecar_path).spike_rows(rec, [ticks[9] + 40_000]).tolist() == [-1]
    for path in (joined.path, filled.path):
        rows = np.fromfile(path, "<i2").reshape(-1, 2)[nv.read_sidecar(path).spike_rows(rec, ticks)]
        assert rows.tolist() == b.ramp(30, 2).tolist(), "the sample of that time"


def test_timing_c45_spikes_have_their_rows_by_each_files_clock(folder: Folder) -> None:
    rec = folder.write(s__nev=t.spike_nev([0], (3, 0), 30_000), s__ns5=nsx((0, 500), kind="3.0", tick_rate=t.NS)).open()
    report = nv.write_bin(rec.nsx[5], folder.path / "s.bin", start_tick=3_333_333)
    assert nv.read_sidecar(report.path).spike_rows(rec, [99, 100, 101, 499, 500]).tolist() == [-1, 0, 1, 399, -1]


# ------------------------------------------------------------------------------------------- instruments, and the rest


def test_timing_c45_with_their_packets_spikes_before_a_reset_keep_their_rows(tmp_path: Path) -> None:
    """A dual-NSP start: the same ticks occur in the discarded part and after the clock was set back."""
    (tmp_path / "r.ns5").write_bytes(b.nsx([(40_000, b.ramp(8_000, 1)), (116, b.ramp(50_000, 1))]))
    ticks = [40_010, 47_000, 200, 300, 40_010, 47_000]
    (tmp_path / "r.nev").write_bytes(nb.nev([nb.V2.spike(tick, 1, 1) for tick in ticks]))
    with nv.open_recording(tmp_path / "r.nev") as rec:
        assert rec.nev is not None
        assert len(rec.nev.resets) == 1
        packets, found = rec.nev.packets_of("spike"), rec.nev.spikes(waveforms=False)["tick"]
        assert packets.tolist() == [0, 1, 2, 3, 4, 5]
        report = nv.write_bin(rec.nsx[5], tmp_path / "o.bin", gaps="join")
        rows = nv.read_sidecar(report.path).spike_rows(rec, found, packets=packets)
        assert rows.tolist() == [10, 7_000, 8_000 + 84, 8_000 + 184, 8_000 + 39_894, 8_000 + 46_884]
        without = nv.read_sidecar(report.path).spike_rows(rec, found)
        assert without[-2] == 10, "the segment that starts last before the time"
        with pytest.raises(KeyError, match=r"no \.ns2; the recording has nev, ns5"):
            rec.locate(found, 2)


def test_samples_that_were_not_exported_have_no_row(tmp_path: Path) -> None:
    (tmp_path / "r.ns5").write_bytes(b.nsx([(0, b.ramp(50, 1)), (500, b.ramp(50, 1))]))
    with nv.open_nsx(tmp_path / "r.ns5") as ns:
        report = nv.write_bin(ns, tmp_path / "o.bin", gaps="fill", max_fill=100, start_tick=10, stop_tick=540)
    rows = nv.read_sidecar(report.path).tick_to_row([9, 10, 49, 50, 500, 539, 540])
    assert rows.tolist() == [-1, 0, 39, -1, 490, 529, -1]
