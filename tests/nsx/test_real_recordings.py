# SPDX-License-Identifier: MIT
"""Recordings of other people: what was found in each by a decoder that shares nothing with this package."""

from __future__ import annotations

import hashlib
import math
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened, RealFile

import nevparse as nv

#       name                    spec   vendor       channels rate samples per segment  first ticks     data at, header
FACTS = {
    "mne_real_2.3.ns3": ("2.3", "blackrock", 5, 2000, (100,), (114000,), 314 + 5 * 66 + 9),
    "mne_synthetic_2.1.ns3": ("2.1", "blackrock", 128, None, None, (0,), 32 + 4 * 128),
    "mne_synthetic_2.2.ns3": ("2.2", "blackrock", 128, 2000, None, None, 314 + 128 * 66 + 9),
    "mne_synthetic_3.0.ns3": ("3.0", "blackrock", 128, None, None, None, 314 + 128 * 66 + 13),
    "l101210-001.ns2": ("2.1", "blackrock", 6, 1000, (3641,), (0,), 56),
    "ripple_testData.ns2": ("2.2", "ripple", 33, 1000, (10002,), None, 314 + 33 * 66 + 9),
    "ripple_hires.nf3": ("2.2", "ripple", 1, 2000, (16048,), None, 314 + 66 + 9),
    "labwritten.ns1": ("2.3", "blackrock", 1, 500, (1, 1), (0, 300001), 314 + 66 + 9),
}
EVERY = pytest.mark.parametrize("name", list(FACTS))


@pytest.fixture
def opened(real_file: RealFile) -> Iterator[Opened]:
    files = []

    def open_(name, **options):
        with warnings.catch_warnings():
            if name == "mne_synthetic_2.1.ns3":  # it has 9 stray bytes, which 2.1 does not know
                warnings.simplefilter("ignore", nv.TruncatedFile)
            files.append(nv.open_nsx(real_file(name), **options))
        return files[-1]

    yield open_
    for file in files:
        file.close()


@EVERY
def test_identity_rate_and_segments_of_recordings_are_what_another_decoder_found(opened: Opened, name) -> None:
    spec, vendor, n_channels, rate, samples, ticks, _ = FACTS[name]
    ns = opened(name)
    assert (ns.spec, ns.vendor, ns.n_channels, len(ns.channels)) == (spec, vendor, n_channels, n_channels)
    assert rate is None or ns.sampling_rate == rate
    assert samples is None or tuple(segment.n_samples for segment in ns.segments) == samples
    assert ticks is None or tuple(segment.start_tick for segment in ns.segments) == ticks
    assert len(ns.damage) == (1 if name == "mne_synthetic_2.1.ns3" else 0)


@EVERY
def test_samples_are_the_bytes_behind_the_first_header(opened: Opened, real_file: RealFile, name) -> None:
    at = FACTS[name][-1]
    ns, raw = opened(name), real_file(name).read_bytes()
    first = ns.segments[0].samples
    n_bytes = min(first.size * ns.dtype.itemsize, 4000)
    assert first.tobytes()[:n_bytes] == raw[at : at + n_bytes]
    assert np.shares_memory(first, ns.segments[0].samples)


@EVERY
def test_the_bin_holds_the_samples_of_every_file(opened: Opened, tmp_path: Path, name) -> None:
    ns = opened(name)
    gaps = "join" if len(ns.segments) > 1 else "error"
    report = nv.write_bin(ns, tmp_path / "o.bin", channels=slice(0, 32), gaps=gaps)  # type: ignore[arg-type]
    got = np.fromfile(tmp_path / "o.bin", report.dtype).reshape(report.n_samples, report.n_channels)
    whole = np.concatenate([segment.samples for segment in ns.segments])
    assert got.tobytes() == np.ascontiguousarray(whole[:, :32]).tobytes()
    assert got.size > 0


def test_nothing_is_written_to_the_recordings(real_file: RealFile) -> None:
    digest = hashlib.sha256(real_file("mne_real_2.3.ns3").read_bytes()).hexdigest()
    assert digest == "e8319483edc6ea117b1676a3cbb5858c8f56043c183b5ef9df8f4d792ae58e20"


def test_nsx_c08_garbage_behind_the_first_nul_is_not_text(opened: Opened) -> None:
    ns = opened("mne_real_2.3.ns3")
    assert [channel.label for channel in ns.channels] == ["RAMY01", "RAMY02", "RAMY05", "RTMa03", "RTMa08"]
    assert {channel.units for channel in ns.channels} == {"uV"}
    assert all(character.isprintable() for character in ns.label + ns.comment)


def test_nsx_c12_and_c16_scale_and_filters_of_a_blackrock_recording_are_known(opened: Opened) -> None:
    channel = opened("mne_real_2.3.ns3").channels[0]
    assert (channel.electrode_id, channel.bank, channel.pin, channel.kind) == (1, 1, 1, "neural")
    assert (channel.digital_range, channel.analog_range) == ((-32764, 32764), (-8191, 8191))
    assert channel.uv_per_bit == pytest.approx(0.25)
    assert channel.high_pass == (0.3, 1, "butterworth"), "'high' is the lower corner"
    assert channel.low_pass == (1000.0, 4, "butterworth")


def test_nsx_c09_the_period_decides_where_the_label_says_otherwise(opened: Opened) -> None:
    ns = opened("mne_synthetic_2.2.ns3")
    assert (ns.label, ns.period, ns.sampling_rate) == ("1 kS/s", 15, 2000.0)


def test_nsx_c21_both_blocks_of_a_3_0_recording_are_read(opened: Opened) -> None:
    ns = opened("mne_synthetic_3.0.ns3")
    blocks = [block for segment in ns.segments for block in segment.blocks]
    assert len(blocks) == 2
    assert sum(len(block) for block in blocks) == ns.n_samples


def test_nsx_c03_and_c15_a_2_1_recording_takes_its_scale_from_its_nev(opened: Opened, real_file: RealFile) -> None:
    ns = opened("l101210-001.ns2", nev=real_file("l101210-001-02.nev"))
    assert ns.electrode_ids.tolist() == [137, 138, 139, 140, 141, 143]
    assert {channel.kind for channel in ns.channels} == {"analog"}
    assert ns.segments[0].samples.shape == (3641, 6)
    per_bit = [channel.uv_per_bit for channel in ns.channels]
    assert per_bit == pytest.approx([5e6 / 32767] * 6), "21516 nV, which overflowed its 16 bits"
    np.testing.assert_allclose(ns.read(unit="uV"), ns.read() * (5e6 / 32767), rtol=1e-6)


def test_nsx_c18_and_c19_inputs_and_application_of_a_ripple_recording_are_known(opened: Opened) -> None:
    ns = opened("ripple_testData.ns2")
    assert ns.application.startswith("Trellis.exe[1.4.3.338]")
    assert ns.processor_tick == 410825880
    assert [channel.kind for channel in ns.channels] == ["neural"] * 32 + ["analog"]
    analog = ns.channels[-1]
    assert (analog.electrode_id, analog.bank, analog.units) == (10241, 13, "mV")
    assert analog.uv_per_bit == pytest.approx(4999e3 / 32767)
    assert ns.channels[0].uv_per_bit == pytest.approx(6553 / 32767)


def test_nsx_c20_a_ripple_float_recording_is_in_microvolts(opened: Opened, real_file: RealFile) -> None:
    ns = opened("ripple_hires.nf3")
    (channel,) = ns.channels
    assert ns.dtype == np.float32
    assert (channel.label, channel.units) == ("hi-res 1", "uV")
    assert channel.analog_range == pytest.approx((-187485.39, 187485.39))
    assert channel.uv_per_bit == 1.0
    raw = real_file("ripple_hires.nf3").read_bytes()
    assert struct.unpack_from("<2f", raw, 314 + 22) == channel.analog_range
    np.testing.assert_array_equal(ns.read(unit="uV"), ns.read())
    assert np.abs(ns.read()).max() < 187486, "in range, so they are microvolts"
    assert not math.isnan(channel.high_pass.corner_hz)


def test_nsx_c29_blocks_of_one_sample_in_a_file_of_a_lab_are_kept(opened: Opened) -> None:
    ns = opened("labwritten.ns1")
    assert [segment.samples.shape for segment in ns.segments] == [(1, 1), (1, 1)]
    assert len(ns.gaps) == 1


def test_the_demo_is_made_again_byte_for_byte(request: pytest.FixtureRequest) -> None:
    data = (request.config.rootpath / "tests" / "data" / "demo.ns5").read_bytes()
    assert data == b.demo()
    assert len(data) < 1_000_000


def test_the_demo_is_a_plausible_recording(request: pytest.FixtureRequest) -> None:
    with nv.open_nsx(request.config.rootpath / "tests" / "data" / "demo.ns5") as ns:
        assert (ns.spec, ns.sampling_rate, ns.n_samples, len(ns.segments)) == ("2.3", 30000, 3000, 1)
        assert [channel.kind for channel in ns.channels] == ["neural"] * 128 + ["analog"] * 16
        assert np.ptp(ns.read(), axis=0).min() > 500, "no column is flat"
