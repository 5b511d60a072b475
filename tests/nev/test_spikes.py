# SPDX-License-Identifier: MIT
"""Spikes, their waveforms and units: claims C17 to C22 of `spec_notes/nev.md`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders.nev import V2, Maker, lbl, nev, points, wav

from nev.files import MAKERS, VERSIONS, WAVE, Opener, some_spikes
from nevparse.errors import DamagedFile
from nevparse.nev.file import NevFile


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c17_samples_follow_the_head_and_padding_ends_the_packet(opened: Opener, version: Any) -> None:
    make = Maker(MAKERS[version].size + 4, MAKERS[version].stamp)
    file = opened(nev([make.spike(281, 24, 3, [-4, -3, 4, *WAVE[3:]])], version=version))
    spikes = file.spikes()
    assert spikes.dtype.names == ("tick", "electrode_id", "unit", "waveform")
    assert [spikes[name][0] for name in ("tick", "electrode_id", "unit")] == [281, 24, 3]
    assert spikes["waveform"][0].tolist() == [-4, -3, 4, *WAVE[3:], 0, 0]
    assert spikes["waveform"].dtype == np.int16


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
@pytest.mark.parametrize(("header_points", "n_points"), [(46, 46), (48, 48), (0, 48), (49, 48), (65_535, 48), (1, 1)])
def test_nev_c18_a_width_in_the_header_counts_if_it_fits(
    opened: Opener, version: Any, header_points: int, n_points: int
) -> None:
    file = opened(nev([MAKERS[version].spike(1, 2, 0, WAVE)], [wav(2, rest=points(header_points))], version=version))
    assert file.electrodes[2].n_points == n_points
    assert file.spikes()["waveform"].tolist() == [WAVE[:n_points]]


@pytest.mark.parametrize("version", [(2, 0), (2, 1), (2, 2)])
def test_nev_c18_before_2_3_no_width_is_in_the_header(opened: Opener, version: Any) -> None:
    file = opened(nev([V2.spike(1, 2, 0, WAVE)], [wav(2, rest=points(46))], version=version))
    assert file.spikes()["waveform"].tolist() == [WAVE]


@pytest.mark.parametrize(("width", "code"), [(0, "b"), (1, "b"), (2, "h"), (4, "i")])
@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c19_waveforms_may_have_samples_of_8_16_and_32_bits(
    opened: Opener, version: Any, width: int, code: str
) -> None:
    samples = [-3, 100, -128]
    packets = [MAKERS[version].spike(1, 2, 0, samples, code)]
    file = opened(nev(packets, [wav(2, sample_bytes=width, rest=points(3))], version=version, flags=0))
    found = file.spikes()["waveform"]
    assert found[0, :3].tolist() == samples
    assert (found.dtype.itemsize, file.electrodes[2].dtype.itemsize) == (max(1, width), max(1, width))
    assert found.shape[1] == file.electrodes[2].n_points
    assert file.to_uv(file.spikes())[0, :3].tolist() == [0.25 * sample for sample in samples]


def test_nev_c19_the_flag_outranks_the_headers(opened: Opener) -> None:
    file = opened(nev([V2.spike(1, 2, 0, [-3])], [wav(2, sample_bytes=1)], flags=1))
    assert file.spikes()["waveform"].dtype == np.int16


def test_nev_c19_where_electrodes_differ_the_widest_holds_all(opened: Opener) -> None:
    packets = [V2.spike(1, 2, 0, range(-50, 46), "b"), V2.spike(2, 3, 1, [70_000, -5], "i"), V2.spike(3, 9, 2, WAVE)]
    headers = [wav(2, sample_bytes=1), wav(3, sample_bytes=4, rest=points(2)), wav(4, sample_bytes=4), lbl(9, b"")]
    file = opened(nev(packets, headers, flags=0))
    spikes = file.spikes()
    assert spikes["waveform"].dtype == np.int32
    assert spikes["waveform"].shape == (3, 96)
    assert spikes["waveform"][0].tolist() == list(range(-50, 46))
    assert spikes["waveform"][1].tolist() == [70_000, -5] + [0] * 94
    assert spikes["waveform"][2].tolist() == WAVE + [0] * 48  # no header at all: 16 bits
    assert spikes["unit"].tolist() == [0, 1, 2]
    assert file.spikes([3])["waveform"].tolist() == [[70_000, -5]]
    assert file.spikes([3], start_tick=10)["waveform"].dtype == np.int32  # the request decides, not what was recorded
    assert file.trains(waveforms=True)[9, 2]["waveform"][0].tolist() == WAVE + [0] * 48


def test_nev_c19_an_unknown_width_is_read_as_16_bit_with_a_warning(opened: Opener) -> None:
    with pytest.warns(DamagedFile, match="byte 336: expected 0, 1, 2, 4 bytes per waveform sample, found 3"):
        file = opened(nev([V2.spike(1, 2, 0, WAVE)], [wav(2, sample_bytes=3)], flags=0))
    assert file.spikes()["waveform"].tolist() == [WAVE]


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c20_spikes_of_any_id_below_32768_with_or_without_a_header(opened: Opener, version: Any) -> None:
    ids = [1, 255, 256, 2048, 2049, 10_001, 32_767]
    file = opened(nev([MAKERS[version].spike(number, number, 0, WAVE) for number in ids], version=version))
    assert file.kinds() == {"spike": len(ids)}
    assert [key[0] for key in file.trains()] == ids
    assert file.spikes([2049])["tick"].tolist() == [2049]


def test_nev_c20_an_electrode_that_is_nowhere_is_a_key_error(opened: Opener) -> None:
    file = opened(nev([V2.spike(1, 300, 0)], [wav(1), wav(2), wav(3)]))
    assert file.spikes([3, 300]).shape == (1,)
    with pytest.raises(KeyError, match=r"no electrode 4, 7; the file has electrodes 1-3, 300"):
        file.spikes([1, 4, 7])
    with pytest.raises(ValueError, match="an electrode from 0 to 65535, found -1"):
        file.spikes(-1)


@pytest.mark.parametrize(
    ("unit", "name"),
    [(0, "unclassified"), (1, "unit"), (16, "unit"), (17, "reserved"), (254, "reserved"), (255, "noise")],
)
def test_nev_c21_a_unit_is_unclassified_a_unit_noise_or_reserved(unit: int, name: str) -> None:
    assert NevFile.unit_class(unit) == name
    assert NevFile.unit_class(np.uint8(unit)) == name


@pytest.mark.parametrize(
    ("selection", "ticks"),
    [
        ({}, [10, 20, 30, 30, 25, 40]),
        ({"electrodes": 2}, [20, 30]),
        ({"electrodes": [1], "units": [0, 1]}, [10, 30, 25]),
        ({"units": 1}, [20, 30, 30]),
        ({"units": []}, []),
        ({"electrodes": []}, []),
        ({"electrodes": 3}, []),
        ({"start_tick": 20, "stop_tick": 30}, [20, 25]),
        ({"start_tick": -5, "stop_tick": 2**70}, [10, 20, 30, 30, 25, 40]),
        ({"start_tick": 2**40}, []),
        ({"sort": "tick"}, [10, 20, 25, 30, 30, 40]),
        ({"electrodes": (n for n in (1, 2)), "stop_tick": np.int64(11)}, [10]),
    ],
)
def test_nev_c22_selections_are_half_open_and_in_file_order(opened: Opener, selection: Any, ticks: list[int]) -> None:
    file = opened(some_spikes())
    selection = {name: list(value) if hasattr(value, "send") else value for name, value in selection.items()}
    found, bare = file.spikes(**selection), file.spikes(**selection, waveforms=False)
    assert found["tick"].tolist() == ticks
    assert found["waveform"][:, 0].tolist() == ticks
    assert bare.dtype.names == ("tick", "electrode_id", "unit")
    assert all(np.array_equal(bare[name], found[name]) for name in bare.dtype.names)
    assert found["tick"].dtype == np.int64


def test_nev_c22_bad_requests_name_what_is_valid(opened: Opener) -> None:
    file = opened(some_spikes())
    with pytest.raises(ValueError, match="a unit from 0 to 255, found 256"):
        file.spikes(units=[256])
    with pytest.raises(ValueError, match="sort None or 'tick', found 'time'"):
        file.spikes(sort="time")  # type: ignore[arg-type]


def test_nev_c22_trains_are_all_units_in_order_as_slices_of_one_array(opened: Opener) -> None:
    file = opened(some_spikes())
    trains = file.trains()
    assert {key: ticks.tolist() for key, ticks in trains.items()} == {
        (1, 0): [10, 25],
        (1, 1): [30],
        (1, 255): [40],
        (2, 1): [20, 30],
    }
    assert list(trains) == sorted(trains)
    assert len({id(ticks.base) for ticks in trains.values()}) == 1
    for (electrode, unit), spikes in file.trains(waveforms=True).items():
        assert np.array_equal(spikes, file.spikes([electrode], [unit]))
        assert spikes["tick"].tolist() == trains[electrode, unit].tolist()
