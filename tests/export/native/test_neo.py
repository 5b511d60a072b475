# SPDX-License-Identifier: MIT
"""What is written is read by python-neo as what was recorded, wherever neo is right."""

from __future__ import annotations

import functools
import gc
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from fixture_types import FileOf, RealFile

import nevparse as nv

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    neo_rawio = pytest.importorskip("neo.rawio", reason="neo is not installed (it needs numpy 1.24 or newer)")

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # neo leaves its files to the collector


@pytest.fixture(autouse=True)
def neo_lets_go() -> Iterator[None]:
    yield
    gc.collect()


def neo_reads(path, **options):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        reader = neo_rawio.BlackrockRawIO(str(path), **options)
        reader.parse_header()
    reader._nev_params = functools.cache(reader._nev_params)  # which neo works out anew for every unit
    return reader


def neo_segments(path, **options):
    """Ticks of the first samples, samples and channel names."""
    reader = neo_reads(path, nsx_to_load=int(str(path)[-1]), load_nev=False, **options)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = [
            (reader.get_signal_t_start(0, k, 0), np.array(reader.get_analogsignal_chunk(0, k, None, None, 0)))
            for k in range(reader.segment_count(0))
        ]
    return found, [str(name).split("\0")[0] for name in reader.header["signal_channels"]["name"]]


def same_in_neo(path, want, **options):
    """`want` are (seconds, samples) of each segment."""
    found, names = neo_segments(path, **options)
    assert len(found) == len(want) > 0
    for (start_s, samples), (want_s, want_samples) in zip(found, want, strict=True):
        assert start_s == pytest.approx(want_s, abs=1e-9)
        np.testing.assert_array_equal(samples, want_samples)
    return names


@pytest.mark.parametrize("anonymise", [False, True])
@pytest.mark.parametrize("kind", ["2.2", "2.3", "3.0", "ptp", "ripple"])
def test_writing_c19_neo_reads_cut_samples(file_of: FileOf, tmp_path: Path, kind: str, anonymise) -> None:
    raw, samples = b.plausible(kind, 5, (30, 40))
    rate = b.NANOSECONDS if kind == "ptp" else 30_000
    out = tmp_path / "cut.ns5"
    with nv.open_nsx(file_of(raw)) as ns:
        start = int(ns.segments[0].ticks()[10])
        nv.write_nsx(ns, out, channels=[3, 0], start_tick=start, anonymise=anonymise)
        second = ns.segments[1].start_tick / rate
    options = {"gap_tolerance_ms": 0} if kind == "ptp" else {}
    want = [(start / rate, samples[10:30, [3, 0]]), (second, samples[30:, [3, 0]])]
    assert same_in_neo(out, want, **options) == ["elec4", "elec1"]


@pytest.mark.parametrize("name", ["mne_real_2.3.ns3", "mne_synthetic_3.0.ns3", "ripple_testData.ns2"])
def test_writing_c19_neo_reads_samples_cut_from_recordings(real_file: RealFile, tmp_path: Path, name) -> None:
    out = tmp_path / ("cut" + real_file(name).suffix)
    with nv.open_nsx(real_file(name)) as ns:
        nv.write_nsx(ns, out, channels=[4, 2], start_tick=int(ns.segments[0].ticks(20, 21)[0]))
        first = ns.segments[0]
        want = [(first.seconds(20, 21, origin_tick=0)[0], first.samples[20:, [4, 2]])]
        want += [(segment.seconds(0, 1, origin_tick=0)[0], segment.samples[:, [4, 2]]) for segment in ns.segments[1:]]
    same_in_neo(out, want)


@pytest.mark.parametrize("version", ["2.3", "3.0"])
def test_writing_c19_neo_reads_new_files(tmp_path: Path, version) -> None:
    out, samples = tmp_path / "new.ns3", b.ramp(50, 2)
    described = [nv.NewChannel(5, "left"), nv.NewChannel(9, "right", "mV", (-32767, 32767), (-5000, 5000))]
    nv.create_nsx(samples, out, described, sampling_rate=2000, spec=version, start_tick=600)
    assert same_in_neo(out, [(0.02, samples)]) == ["left", "right"]
    reader = neo_reads(out, nsx_to_load=3, load_nev=False)
    np.testing.assert_allclose(reader.header["signal_channels"]["gain"], [0.25, 5000 / 32767], rtol=1e-4)
    assert reader.get_signal_sampling_rate(0) == 2000


def neo_spikes(path):
    """Ticks and waveforms by neo's name of the unit."""
    reader = neo_reads(path, nsx_to_load=[])
    names = reader.header["spike_channels"]["name"].tolist()
    return {
        name: (reader.get_spike_timestamps(0, 0, k).tolist(), reader.get_spike_raw_waveforms(0, 0, k)[:, 0].tolist())
        for k, name in enumerate(names)
    }


def test_writing_c19_neo_reads_spikes_cut_from_recordings(real_file: RealFile, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.nev", tmp_path / "cut.nev"
    shutil.copyfile(real_file("l101210-001-02.nev"), whole)
    with nv.open_nev(whole) as nev:
        nv.write_nev(nev, out, electrodes=[3, 90], start_tick=20_000, stop_tick=90_000)
    theirs, ours = neo_spikes(whole), neo_spikes(out)
    assert sum(len(ticks) for ticks, _ in ours.values()) > 0
    for name, (ticks, waveforms) in theirs.items():
        inside = [k for k, tick in enumerate(ticks) if 20_000 <= tick < 90_000]
        if name.split("#")[0] in ("ch3", "ch90") and inside:
            assert ours.pop(name) == ([ticks[k] for k in inside], [waveforms[k] for k in inside])
    assert ours == {}


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_writing_c19_neo_reads_anonymous_events(file_of: FileOf, tmp_path: Path, version) -> None:
    make, out = (n.V3 if version[0] == 3 else n.V2), tmp_path / "cut.nev"
    room = (make.size - make.stamp - 4) // 2
    packets = [make.spike(10 + k, 1, k % 2, range(k, k + room)) for k in range(6)] + [make.comment(99, b"J. Doe")]
    raw = n.nev(packets, [n.wav(1, rest=n.points(room)), n.lbl(1, b"elec1")], version=version)
    with nv.open_nev(file_of(raw, "s.nev")) as nev:
        nv.write_nev(nev, out, anonymise=True)
    assert neo_spikes(out) == neo_spikes(tmp_path / "s.nev"), "which fails where a file has no date"
