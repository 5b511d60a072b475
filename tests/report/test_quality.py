# SPDX-License-Identifier: MIT
"""`channel_quality`: planted faults are found, and none where there are none (spec_notes/quality.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import quality as qb
from builders import sorting as sb
from builders import timing as t
from fixture_types import Opened, RealFile
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.report.quality import _windows, measure

RATE = qb.RATE


def verdicts(data: bytes, seconds: float | None = 10.0) -> list[str]:
    with nv.open_nsx(data) as ns:
        return nv.channel_quality(ns, seconds).channels["verdict"].tolist()


@given(st.lists(st.integers(0, 200), min_size=1, max_size=12), st.integers(1, 50), st.none() | st.integers(1, 30))
def test_quality_c01_windows_are_whole_evenly_spread_and_cross_no_gap(lengths, n, n_wanted) -> None:
    found = list(_windows(np.array(lengths), n, n_wanted))
    assert found == sorted(found)
    assert all(0 <= start <= lengths[part] - n for part, start in found)
    possible = sum(-(-length // n) for length in lengths if length >= n)
    assert len(found) == (possible if n_wanted is None else min(n_wanted, possible))
    if n_wanted is None:
        seen = [np.zeros(length, bool) for length in lengths]
        for part, start in found:
            seen[part][start : start + n] = True
        assert all(one.all() for one, length in zip(seen, lengths, strict=True) if length >= n)


def test_quality_c01_says_what_it_rests_on(opened: Opened) -> None:
    ns = opened(b.nsx([(0, b.ramp(50_000, 4)), (90_000, b.ramp(40_000, 4))], period=30))
    quality = nv.channel_quality(ns, 5)
    assert (quality.n_windows, quality.window_s, quality.duration_s) == (5, 1.0, 90.0)
    assert quality.basis == "5 windows of 1 s, spread over 0:01:30"
    assert nv.channel_quality(ns, None).n_windows == 90
    with pytest.raises(ValueError, match="seconds above 0"):
        nv.channel_quality(ns, 0)


def test_quality_c01_progress_is_shown(opened: Opened) -> None:
    calls: list[tuple[int, int]] = []
    ns = opened(b.nsx([(0, b.ramp(3000, 2))], period=30))
    nv.channel_quality(ns, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_quality_c02_noise_is_measured_in_each_band() -> None:
    rng, n = np.random.default_rng(1), 4 * RATE
    white = rng.normal(0, 10, (n, 4))
    white[:, 1] += qb.slow_waves(rng, n, RATE, 50)  # of the LFP band alone
    with nv.open_nsx(b.nsx([(0, qb.stored(white))])) as ns:
        rows = nv.channel_quality(ns).channels
    spike_uv, lfp_uv = 10 * np.sqrt((0.4 * RATE - 300) / (RATE / 2)), 10 * np.sqrt(299 / (RATE / 2))
    assert rows["spike_noise"] == pytest.approx([spike_uv] * 4, rel=0.05)
    assert rows["lfp_noise"][[0, 2, 3]] == pytest.approx([lfp_uv] * 3, rel=0.1)
    assert 30 < rows["lfp_noise"][1] < 70


def test_quality_c02_spikes_do_not_raise_it() -> None:
    data, _ = sb.planted(4, [2.0], 0.5, [1])
    with nv.open_nsx(data) as ns:
        noise = nv.channel_quality(ns).channels["spike_noise"]
    assert noise[0] == pytest.approx(noise[1], rel=0.06)


def test_quality_c03_what_the_rate_or_the_length_does_not_hold_is_nan() -> None:
    for rate, has_spikes in ((30_000, True), (10_000, True), (2_000, False), (1_000, False)):
        with nv.open_nsx(qb.array(4, rate, rate=rate)) as ns:
            assert np.isfinite(nv.channel_quality(ns).channels["spike_noise"]).all() == has_spikes
    for n, fields in ((3000, {"mains_share"}), (20, {"mains_share", "lfp_noise", "spike_noise", "correlation"})):
        with nv.open_nsx(qb.array(4, n)) as ns:
            rows = nv.channel_quality(ns).channels
        floats = {name for name in rows.dtype.names or () if rows.dtype[name].kind == "f"}
        assert {name for name in floats if np.isnan(rows[name]).all()} - {"mains_hz"} == fields


def test_quality_c01_traces_are_measured_where_they_were_recorded(opened: Opened) -> None:
    samples = qb.stored(qb.tissue(6, 2 * RATE, {1: "hum", 4: "dead"}))
    ns = opened(b.nsx([(0, samples[:RATE]), (RATE + 90_000, samples[RATE:])]))
    x = ns.traces(electrodes=[2, 3, 1, 4, 5], gaps="fill", max_fill=10)
    quality = nv.channel_quality(x)
    assert quality.channels["electrode_id"].tolist() == [2, 3, 1, 4, 5]
    assert quality.channels["verdict"].tolist() == ["hum", "good", "good", "good", "dead"]
    assert (quality.n_windows, quality.duration_s) == (2, 2.0), "filled rows are none of it"


@pytest.mark.parametrize("kind", ["2.3", "3.0", "nfx"])
def test_quality_c04_every_planted_fault_is_found(kind: str) -> None:
    faults = {1 + 2 * k: fault for k, fault in enumerate(qb.FAULTS) if (kind, fault) != ("nfx", "stuck")}
    with nv.open_nsx(qb.array(20, 2 * RATE, faults, kind)) as ns:
        rows = nv.channel_quality(ns).channels
    found = {int(row["column"]): str(row["verdict"]) for row in rows if row["verdict"] != "good"}
    assert found == {column: qb.VERDICT[fault] for column, fault in faults.items()}
    assert all(rows["reason"][list(found)]), "each with a reason"


def test_quality_c04_in_ptp_files_too() -> None:
    samples = qb.stored(qb.tissue(8, 20_000, {2: "hum", 5: "noisy"}, rate=10_000, hum_hz=60.0))
    with nv.open_nsx(t.ptp(t.stamps(20_000, period=3, jitter_ns=200), samples, period=3)) as ns:
        rows = nv.channel_quality(ns).channels
    assert {int(row["column"]): str(row["verdict"]) for row in rows if row["verdict"] != "good"} == {
        2: "hum", 5: "noisy",
    }  # fmt: skip
    assert rows["mains_hz"][2] == 60


@pytest.mark.parametrize("rate", [30_000, 10_000, 2_000, 1_000])
@pytest.mark.parametrize(("n_channels", "field_uv", "noise_uv"), [(16, 60.0, 8.0), (5, 0.001, 15.0), (1, 20.0, 3.0)])
def test_quality_c05_clean_electrodes_are_good(rate, n_channels, field_uv, noise_uv) -> None:
    for seed in range(2):
        found = verdicts(qb.array(n_channels, rate, rate=rate, field_uv=field_uv, noise_uv=noise_uv, seed=seed))
        assert found == ["good"] * n_channels


@pytest.mark.parametrize("name", ["ripple_testData.ns2", "ripple_hires.nf3", "mne_real_2.3.ns3"])
def test_quality_c05_so_are_real_ones(real_file: RealFile, name: str) -> None:
    with nv.open_nsx(real_file(name)) as ns:
        assert not nv.channel_quality(ns).not_good.size


def test_quality_c06_without_a_scale_units_are_raw() -> None:
    samples = qb.stored(qb.tissue(8, RATE, {3: "noisy", 6: "stuck"}))
    with nv.open_nsx(b.nsx([(0, samples)], "2.1")) as ns:
        rows = nv.channel_quality(ns).channels
    assert set(rows["unit"]) == {"raw"}
    assert rows["verdict"][3] == "noisy"
    assert rows["verdict"][6] == "clipped"
    assert rows["spike_noise"][0] == pytest.approx(8 / qb.UV_PER_BIT * np.sqrt(0.78), rel=0.1)


@pytest.mark.parametrize(("n_equal", "share"), [(8, 0), (9, 1 / 9)])
def test_quality_c03_nine_equal_samples_on_end_are_a_frozen_value(n_equal: int, share: float) -> None:
    samples = np.repeat(np.arange(2000, dtype=np.int16) % 100, n_equal)[:, None]
    with nv.open_nsx(b.nsx([(0, samples)])) as ns:
        assert nv.channel_quality(ns).channels["repeated_share"][0] == pytest.approx(share, abs=1e-3)


def test_quality_c06_what_is_no_number_counts_as_repeated() -> None:
    samples = qb.tissue(6, RATE)
    samples[:, 2] = np.nan
    samples[::2, 4] = np.inf
    with nv.open_nsx(b.nsx([(0, samples.astype("<f4"))], "nfx")) as ns:
        rows = nv.channel_quality(ns).channels
    assert rows["verdict"].tolist() == ["good", "good", "dead", "good", "clipped", "good"]
    assert rows["repeated_share"][2] == 1
    assert np.isfinite(rows["offset"]).all()


@pytest.mark.parametrize(
    "data",
    [
        b.nsx([], "2.3", channels=[b.channel(1)]),
        b.nsx([(0, b.ramp(1, 2))]),
        b.nsx([(0, b.ramp(100, 1024))]),
        b.nsx([(0, qb.stored(qb.tissue(1, 3000)))]),
        t.blocks([9 * k for k in range(20_000)], [3] * 20_000),
        b.nsx([(0, np.full((100, 2), 3.4e38))], "nfx"),
    ],
    ids=["no sample", "one sample", "1024 channels", "one electrode", "20 000 segments", "huge"],
)
def test_quality_c07_little_and_much_is_no_error(data: bytes) -> None:
    with nv.open_nsx(data) as ns:
        quality = nv.channel_quality(ns)
        assert len(quality.channels) == ns.n_channels
    assert str(quality)
    assert repr(quality)


@pytest.mark.filterwarnings("ignore::nevparse.DamagedFile")
def test_quality_c07_no_channel_is_no_error() -> None:
    with nv.open_nsx(b.nsx([], "2.3", channels=[])) as ns:
        quality = nv.channel_quality(ns)
    assert (len(quality.channels), str(quality)) == (0, "no channels (no windows of 0 ms, spread over 0 ms)")


def test_only_electrodes_are_judged() -> None:
    channels = [b.channel(1), b.analog_input(1), b.channel(3, units="furlong")]
    samples = np.zeros((RATE, 3), np.int16)
    samples[:, 2] = 5
    with nv.open_nsx(b.nsx([(0, samples)], channels=channels)) as ns:
        quality = nv.channel_quality(ns)
    assert quality.channels["verdict"].tolist() == ["dead", "not judged", "dead"]
    assert quality.channels["unit"].tolist() == ["uV", "uV", "raw"]
    assert quality.counts == {"dead": 2, "not judged": 1}
    assert quality.not_good["column"].tolist() == [0, 2]


def test_a_spectrum_has_the_power_of_the_signal() -> None:
    rng: Any = np.random.default_rng(3)
    noise = rng.normal(0, 10, (2 * RATE, 2))
    with nv.open_nsx(b.nsx([(0, qb.stored(noise))])) as ns:
        measured = measure(ns)
    assert measured.power[:, 100:].mean() == pytest.approx(100 / (RATE / 2), rel=0.03), "µV² per Hz"
    assert measured.frequencies_hz[-1] == 0.4 * RATE
