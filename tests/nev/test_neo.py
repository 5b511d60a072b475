# SPDX-License-Identifier: MIT
"""The same file read by python-neo: equal where neo is right, and where it is not, by what the documents say."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.nev import V2, V3, lbl, nev, points, wav

from nevparse.nev.file import open_nev

pytest.importorskip("neo", reason="python-neo is not installed (it needs numpy 1.24 or newer)")
from neo.rawio import BlackrockRawIO

RealFile = Callable[[str], Path]


def neo_reads(path: Path) -> Any:
    """A NEV alone: without a base name shared with an NSx, neo loads nothing else."""
    reader = BlackrockRawIO(filename=str(path.with_suffix("")), nsx_to_load=[])
    reader.parse_header()
    reader._nev_params = functools.cache(reader._nev_params)  # which neo works out anew for every unit
    return reader


def compared(path: Path) -> int:
    """Compare everything neo exposes of spikes and digital events; returns how many were compared."""
    reader, n_compared = neo_reads(path), 0
    with open_nev(path) as file:
        trains = file.trains(waveforms=True, sort="tick")
        for k, channel in enumerate(reader.header["spike_channels"]):
            electrode, unit = (int(part) for part in channel["name"][2:].split("#"))
            ours = trains[electrode, unit]
            ticks = reader.get_spike_timestamps(0, 0, k, None, None)
            assert np.array_equal(np.sort(ticks), ours["tick"])
            waveforms = reader.get_spike_raw_waveforms(0, 0, k, None, None)[:, 0]
            order = np.argsort(ticks, kind="stable")
            assert np.array_equal(waveforms[order], ours["waveform"])
            if channel["wf_gain"] != 21.516:
                scaled = waveforms[order].astype(float) * channel["wf_gain"]
                assert np.allclose(file.to_uv(ours), scaled, rtol=1e-6, atol=0)
            n_compared += len(ticks)
        names = list(reader.header["event_channels"]["name"])
        for name, kind in (("digital_input_port", "digital"), ("serial_input_port", "serial"), ("comments", "comment")):
            if name not in names:
                continue
            ticks, _, labels = reader.get_event_timestamps(0, 0, names.index(name), None, None)
            found = file.events(kind)  # type: ignore[arg-type]
            assert ticks.tolist() == found["tick"].tolist()
            texts = found["text"].tolist() if kind == "comment" else [str(value) for value in found["value"]]
            assert [str(label) for label in labels] == texts
            n_compared += len(ticks)
    return n_compared


def copied(real_file: RealFile, tmp_path: Path, name: str) -> Path:
    return Path(shutil.copy(real_file(name), tmp_path / "alone.nev"))


@pytest.mark.parametrize(("name", "count"), [("l101210-001-02.nev", 14_218), ("limblab_datafile001.nev", 39_139)])
def test_nev_c46_recorded_files_as_neo_reads_them(real_file: RealFile, tmp_path: Path, name: str, count: int) -> None:
    assert compared(copied(real_file, tmp_path, name)) == count


@pytest.mark.parametrize("version", [(2, 1), (2, 2), (2, 3), (3, 0)])
def test_nev_c46_built_files_as_neo_reads_them(tmp_path: Path, version: Any) -> None:
    make, random = V3 if version == (3, 0) else V2, np.random.default_rng(1)
    rows = zip(
        np.sort(random.integers(1, 90_000, 300)), random.integers(1, 6, 300), random.integers(0, 4, 300), strict=True
    )
    packets = [make.spike(int(t), int(e), int(u), random.integers(-500, 500, 48).tolist()) for t, e, u in rows]
    packets += [make.digital(90_001, 1, 0xBEEF), make.digital(90_002, 129, 0x41)]
    if version in ((2, 3), (3, 0)):
        packets.append(make.comment(90_003, b"a comment"))
    headers = [header for k in range(1, 6) for header in (wav(k, rest=points(48)), lbl(k, b"elec%d" % k))]
    path = tmp_path / "built.nev"
    path.write_bytes(nev(packets, headers, version=version))
    assert compared(path) == len(packets)


# ----------------------------------------------------------------------------------------------- where neo is not right
# Each asserts that neo still differs, and that we do as the document (or the file itself) says.


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_known_neo_differences_padding_is_at_the_end(tmp_path: Path) -> None:
    samples = list(range(1, 47))
    path = _written(tmp_path / "n.nev", nev([V2.spike(1, 2, 0, samples)], [wav(2, rest=points(46))]))
    theirs = neo_reads(path).get_spike_raw_waveforms(0, 0, 0, None, None)[0, 0].tolist()
    with open_nev(path) as file:
        assert file.spikes()["waveform"][0].tolist() == samples != theirs


def test_known_neo_differences_spikes_without_a_header(tmp_path: Path) -> None:
    packets = [V2.spike(1, 1, 0), V2.spike(2, 5, 0), V2.spike(3, 2049, 0)]
    path = _written(tmp_path / "n.nev", nev(packets, [wav(1, rest=points(48)), wav(2049, rest=points(48))]))
    assert [channel["name"] for channel in neo_reads(path).header["spike_channels"]] == ["ch1#0"]
    with open_nev(path) as file:
        assert list(file.trains()) == [(1, 0), (5, 0), (2049, 0)]


def test_known_neo_differences_8_bit_waveforms(tmp_path: Path) -> None:
    path = _written(tmp_path / "n.nev", nev([V2.spike(1, 2, 0, [-3], "b")], [wav(2, sample_bytes=1)], flags=0))
    with pytest.raises(TypeError):
        neo_reads(path)
    with open_nev(path) as file:
        assert file.spikes()["waveform"][0, 0] == -3


def test_known_neo_differences_an_impossible_date(tmp_path: Path) -> None:
    path = _written(tmp_path / "n.nev", nev([V2.spike(1, 2, 0)], [wav(2, rest=points(48))], date=(0,) * 8))
    with pytest.raises(ValueError, match="year 0"):
        neo_reads(path)
    with open_nev(path) as file:
        assert file.time_origin is None


def test_known_neo_differences_the_overflowed_factor(tmp_path: Path) -> None:
    path = _written(tmp_path / "n.nev", nev([V2.spike(1, 129, 0, [1])], [wav(129, factor=21_516, rest=points(48))]))
    assert neo_reads(path).header["spike_channels"]["wf_gain"][0] == 21.516
    with open_nev(path) as file:
        assert file.electrodes[129].uv_per_bit == pytest.approx(152.5925, rel=1e-5)


def test_known_neo_differences_a_late_packet_is_a_segment(tmp_path: Path) -> None:
    packets = [V2.spike(tick, 2, 0) for tick in (100, 90, 110)]
    path = _written(tmp_path / "n.nev", nev(packets, [wav(2, rest=points(48))]))
    with pytest.warns(UserWarning, match="undocumented segments"):
        assert neo_reads(path).header["nb_segment"][0] == 2
    with open_nev(path) as file:
        assert file.resets == ()


def test_known_neo_differences_ripple_stimuli_are_dropped(real_file: RealFile, tmp_path: Path) -> None:
    path = copied(real_file, tmp_path, "ripple_testData.nev")
    reader = neo_reads(path)
    assert sum(reader.spike_count(0, 0, k) for k in range(len(reader.header["spike_channels"]))) == 3432
    with open_nev(path) as file:
        assert file.kinds()["stim"] == 320
        trains = file.trains()
    for k, channel in enumerate(reader.header["spike_channels"]):
        electrode, unit = (int(part) for part in channel["name"][2:].split("#"))
        assert np.array_equal(reader.get_spike_timestamps(0, 0, k, None, None), trains[electrode, unit])
