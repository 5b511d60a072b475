# SPDX-License-Identifier: MIT
"""Claims of spec_notes/nev.md, one by one, on files built byte by byte."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from math import isnan
from threading import Thread
from typing import Any

import numpy as np
import pytest
from builders.nev import (
    DATE,
    RIPPLE,
    V2,
    V3,
    Maker,
    every_kind,
    extended,
    flt,
    lbl,
    nev,
    points,
    trellis,
    wav,
)

from nevparse.errors import DamagedFile, FormatError, TruncatedFile, UnknownScale, UnknownVersion, UnsupportedVersion
from nevparse.nev import NevFile, open_nev

VERSIONS = [(2, 0), (2, 1), (2, 2), (2, 3), (3, 0)]
MAKERS = {version: V3 if version == (3, 0) else V2 for version in VERSIONS}
WAVE = list(range(1, 49))

Opener = Callable[..., NevFile]


@pytest.fixture
def opened(file_of: Callable[..., str]) -> Iterator[Opener]:
    """Write a file and open it; it is closed with the test."""
    files: list[NevFile] = []

    def write_and_open(data: bytes, name: str = "s.nev") -> NevFile:
        files.append(open_nev(file_of(data, name)))
        return files[-1]

    yield write_and_open
    for file in files:
        file.close()


# ------------------------------------------------------------------------------------------------ what it is


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["s.nev", "S.NEV", "no_extension"])
def test_nev_c01_magic_and_version_decide_whatever_the_name(opened: Opener, version: Any, name: str) -> None:
    file = opened(nev(version=version), name)
    assert (file.spec, file.vendor) == ("{}.{}".format(*version), "blackrock")


def test_nev_c01_the_nearest_minor_version_stands_in(opened: Opener) -> None:
    with pytest.warns(UnknownVersion, match=r"3\.1 .* 3\.0"):
        assert opened(nev(version=(3, 1))).spec == "3.0"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"NEURALEV", "a version"),
        (b"######## Neuralynx Data File Header", "Neuralynx"),
        (b"NEURALCD\x02\x03" + bytes(400), "open_nsx"),
        (b"BREVENTS\x03\x00", "336 bytes"),
    ],
)
def test_nev_c01_other_files_are_refused_in_one_line(opened: Opener, data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as refused:
        opened(data)
    assert "\n" not in str(refused.value)


def test_nev_c01_another_major_version_is_refused(opened: Opener) -> None:
    with pytest.raises(UnsupportedVersion, match=r"expected .*found 1\.5"):
        opened(nev(version=(1, 5)))


def test_nev_c02_the_magic_says_the_width_of_timestamps(opened: Opener) -> None:
    late = 2**63 + 1
    assert opened(nev([V3.spike(late, 1, 0)], version=(3, 0))).spikes()["tick"].tolist() == [late]
    assert opened(nev([V2.spike(2**32 - 2, 1, 0)])).spikes()["tick"].tolist() == [2**32 - 2]


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c03_basic_header(opened: Opener, version: Any) -> None:
    more = {"tick_rate": 10**9, "sample_rate": 20_000, "application": b"app", "comment": b"said\0garbage"}
    file = opened(nev(version=version, packet_bytes=128, **more))
    assert (file.tick_rate, file.sample_rate, file.packet_bytes) == (10**9, 20_000, 128)
    assert (file.application, file.comment, file.processor_tick) == ("app", "said", None)
    assert repr(file).endswith(f"{file.spec}, 0 electrodes, 0 packets)")


# ------------------------------------------------------------------------------------------------ where things are


def test_nev_c04_packets_start_where_the_header_says(opened: Opener) -> None:
    data = nev([V2.spike(7, 1, 0)], [lbl(1, b"one"), bytes(32)], n_extended=1)
    with pytest.warns(DamagedFile, match="expected 368 bytes of headers for 1 extended ones, found 400"):
        file = opened(data)
    assert file.spikes()["tick"].tolist() == [7]
    assert file.electrodes[1].label == "one"


def test_nev_c04_headers_that_the_header_bytes_do_not_hold_are_not_read(opened: Opener) -> None:
    with pytest.warns(DamagedFile):
        file = opened(nev([V2.spike(7, 1, 0)], [lbl(1, b"one")], n_extended=2**32 - 1))
    assert list(file.electrodes) == [1]
    assert file.kinds() == {"spike": 1}


@pytest.mark.parametrize("stated", [0, 335, 10**6, 2**32 - 1])
def test_nev_c04_impossible_header_bytes_give_way_to_the_count(opened: Opener, stated: int) -> None:
    with pytest.warns(DamagedFile, match="packets read from 368 on"):
        file = opened(nev([V2.spike(7, 1, 0)], [lbl(1, b"one")], header_bytes=stated))
    assert file.spikes()["tick"].tolist() == [7]


def test_nev_c05_a_cut_packet_is_left_out_and_told(opened: Opener) -> None:
    with pytest.warns(TruncatedFile, match="lacks 92 of its 104 bytes"):
        file = opened(nev([V2.spike(7, 1, 0)], tail=bytes(12)))
    assert (file.n_packets, file.missing_bytes, file.damage[0].offset) == (1, 92, 336 + 104)
    assert opened(nev([V2.spike(7, 1, 0)])).missing_bytes == 0
    with pytest.warns(TruncatedFile):
        assert opened(nev([V2.spike(7, 1, 0)], tail=b"x")).missing_bytes == 103


@pytest.mark.parametrize("size", [0, 1, 11, 65_536, 2**32 - 1])
def test_nev_c06_impossible_packet_sizes_are_refused(opened: Opener, size: int) -> None:
    with pytest.raises(FormatError, match=f"byte 16: expected packets of 12 to 65535 bytes, found {size}"):
        opened(nev(packet_bytes=size))


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c07_a_file_without_packets_is_whole(opened: Opener, version: Any) -> None:
    file = opened(nev(version=version, headers=[wav(1)]))
    assert (file.n_packets, file.kinds(), file.trains(), file.trains(waveforms=True)) == (0, {}, {}, {})
    assert (file.comments(), file.resets, file.tick_span, len(file.packets)) == ((), (), None, 0)
    assert file.spikes([1]).shape == (0,)
    assert file.to_uv(file.spikes()).shape[0] == 0


def test_nev_c07_known_kinds_that_are_absent_have_their_type(opened: Opener) -> None:
    bare = opened(nev(packet_bytes=12))
    whole = opened(every_kind((3, 0)))
    for kind in ("digital", "serial", "video_sync", "button", "recording"):
        assert bare.events(kind).shape == (0,)
        assert set(bare.events(kind).dtype.names or ()) <= set(whole.events(kind).dtype.names or ())
    assert bare.events("log").dtype.names == whole.events("log").dtype.names
    assert bare.events("stim").dtype.names == ("tick", "electrode_id", "waveform")
    with pytest.raises(ValueError, match="spike, stim, digital"):
        bare.events("spikes")


# ------------------------------------------------------------------------------------------------ extended headers


def test_nev_c08_an_electrode_is_joined_by_id_from_any_order(opened: Opener) -> None:
    headers = [
        flt(2),
        lbl(1, b"one"),
        wav(2, pin=9),
        lbl(2, b"two"),
        wav(1, pin=3),
        extended(b"WHATEVER", b"raw"),
        flt(7),
    ]
    file = opened(nev(headers=headers))
    one, two, seven = (file.electrodes[number] for number in (1, 2, 7))
    assert (one.label, one.pin, one.high_pass) == ("one", 3, None)
    assert (two.label, two.pin, two.n_units, two.energy_threshold) == ("two", 9, 0, 0)
    assert (seven.label, seven.pin, seven.bank, seven.low_threshold) == ("", None, None, None)
    assert isnan(seven.uv_per_bit)
    assert file.unknown_headers == (extended(b"WHATEVER", b"raw"),)


@pytest.mark.parametrize(("factor", "uv"), [(250, 0.25), (1000, 1.0), (65_535, 65.535), (21_516, 5e6 / 32_767)])
def test_nev_c09_microvolts_per_bit(opened: Opener, factor: int, uv: float) -> None:
    file = opened(nev([V2.spike(1, 5, 0, [4])], [wav(5, factor=factor)]))
    assert file.electrodes[5].uv_per_bit == pytest.approx(uv, rel=1e-12)
    scaled = file.to_uv(file.spikes())
    assert scaled.dtype == np.float32
    assert scaled[0, 0] == np.float32(4 * np.float32(uv))


def test_nev_c09_no_factor_is_no_scale(opened: Opener) -> None:
    file = opened(
        nev([V2.spike(1, 5, 0, [4]), V2.spike(1, 6, 0, [4]), V2.spike(1, 7, 0, [4])], [wav(5, factor=0), wav(7)])
    )
    with pytest.warns(UnknownScale, match="5-6"):
        scaled = file.to_uv(file.spikes())
    assert np.isnan(scaled[:2]).all()
    assert scaled[2, 0] == 1.0


def test_nev_c10_thresholds_are_bits_of_blackrock_and_microvolts_of_ripple(opened: Opener) -> None:
    header = wav(1, factor=200, high=6554, low=-45, energy=3, units=2)
    blackrock, ripple = opened(nev(headers=[header])).electrodes[1], opened(trellis(headers=[header])).electrodes[1]
    assert (blackrock.low_threshold, blackrock.low_threshold_uv) == (-45, -9.0)
    assert (ripple.low_threshold, ripple.low_threshold_uv) == (-45, -45.0)
    assert blackrock.high_threshold_uv == pytest.approx(1310.8)
    assert ripple.high_threshold_uv == 6554
    assert (blackrock.energy_threshold, blackrock.n_units) == (3, 2)


def test_nev_c11_high_is_the_high_pass(opened: Opener) -> None:
    one = opened(nev(headers=[flt(1), wav(1)])).electrodes[1]
    assert one.high_pass == (250.0, 4, "butterworth")
    assert one.low_pass == (7500.0, 3, "butterworth")
    none = opened(nev(headers=[flt(1, (0, 0, 0), (0, 0, 0))])).electrodes[1]
    assert (none.high_pass, none.low_pass) == (None, None)


@pytest.mark.parametrize(("stored", "bank"), [(1, 1), (9, 9), (ord("A"), 1), (ord("D"), 4)])
def test_nev_c12_banks_are_numbers_even_where_a_letter_was_saved(opened: Opener, stored: int, bank: int) -> None:
    assert opened(nev(headers=[wav(1, bank=stored)])).electrodes[1].bank == bank


@pytest.mark.parametrize("pad", [b"\0", b" "])
def test_nev_c13_ids_are_padded_with_nul_or_spaces(opened: Opener, pad: bytes) -> None:
    assert opened(nev(headers=[extended(b"MAPFILE", b"a.cmp", pad)])).map_file == "a.cmp"


def test_nev_c14_comment_headers_are_joined(opened: Opener) -> None:
    pieces = [(b"ECOMMENT", b"x" * 23 + b" "), (b"CCOMMENT", b"y\0garbage"), (b"ECOMMENT", b"other")]
    file = opened(nev(headers=[*(extended(*piece) for piece in pieces), extended(b"ARRAYNME", b"M1 array")]))
    assert file.header_comments == ("x" * 23 + " y", "other")
    assert file.array_name == "M1 array"
    assert opened(nev(headers=[extended(b"CCOMMENT", b"alone")])).header_comments == ("alone",)


@pytest.mark.parametrize("number", [b"NSASEXEV", b"STIMINFO"])
@pytest.mark.parametrize("version", [(2, 0), (2, 3)])
def test_nev_c15_trigger_levels_are_signed(opened: Opener, number: bytes, version: Any) -> None:
    body = struct.pack("<HBBhBhBhBhBh", 100, 1, 1, -500, 2, 500, 3, -5000, 0, 0, 1, 7)
    (found,) = opened(nev(headers=[extended(number, body)], version=version)).nsasexev
    assert (found.period_hz, found.digital_config) == (100, 1)
    assert found.analog_configs == (1, 2, 3, 0, 1)
    assert found.analog_levels_mv == (-500, 500, -5000, 0, 7)


def test_nev_c16_cameras_objects_and_inputs(opened: Opener) -> None:
    camera = extended(b"VIDEOSYN", struct.pack("<H16sf", 2, b"sixteen letters!", 29.5))
    thing = extended(b"TRACKOBJ", struct.pack("<HHH16s", 3, 4, 260, b"hand"))
    odd = extended(b"TRACKOBJ", struct.pack("<HHH16s", 77, 5, 1, b""))
    inputs = [
        extended(b"DIGLABEL", struct.pack("<16sB", name, mode)) for name, mode in ((b"digin", 1), (b"s", 0), (b"?", 9))
    ]
    file = opened(nev(headers=[camera, thing, odd, *inputs]))
    assert file.video_sources == ((2, "sixteen letters!", 29.5),)
    assert file.trackables == ((4, "hand", "3d_markers", 260), (5, "", "77", 1))
    assert file.digital_labels == (("digin", "parallel"), ("s", "serial"), ("?", "9"))


# ------------------------------------------------------------------------------------------------ spikes


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
@pytest.mark.parametrize(("stated", "n_points"), [(46, 46), (48, 48), (0, 48), (49, 48), (65_535, 48), (1, 1)])
def test_nev_c18_a_stated_width_counts_if_it_fits(opened: Opener, version: Any, stated: int, n_points: int) -> None:
    file = opened(nev([MAKERS[version].spike(1, 2, 0, WAVE)], [wav(2, rest=points(stated))], version=version))
    assert file.electrodes[2].n_points == n_points
    assert file.spikes()["waveform"].tolist() == [WAVE[:n_points]]


@pytest.mark.parametrize("version", [(2, 0), (2, 1), (2, 2)])
def test_nev_c18_before_2_3_no_width_is_stated(opened: Opener, version: Any) -> None:
    file = opened(nev([V2.spike(1, 2, 0, WAVE)], [wav(2, rest=points(46))], version=version))
    assert file.spikes()["waveform"].tolist() == [WAVE]


@pytest.mark.parametrize(("width", "code"), [(0, "b"), (1, "b"), (2, "h"), (4, "i")])
@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c19_samples_of_8_16_and_32_bits(opened: Opener, version: Any, width: int, code: str) -> None:
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
    assert (spikes["waveform"].dtype, spikes["waveform"].shape) == (np.int32, (3, 96))
    assert spikes["waveform"][0].tolist() == list(range(-50, 46))
    assert spikes["waveform"][1].tolist() == [70_000, -5] + [0] * 94
    assert spikes["waveform"][2].tolist() == WAVE + [0] * 48  # no header at all: 16 bits
    assert spikes["unit"].tolist() == [0, 1, 2]
    assert file.spikes([3])["waveform"].tolist() == [[70_000, -5]]
    assert file.spikes([3], start_tick=10)["waveform"].dtype == np.int32  # what was asked decides, not what is there
    assert file.trains(waveforms=True)[9, 2]["waveform"][0].tolist() == WAVE + [0] * 48


def test_nev_c19_an_unknown_width_is_told_and_read_as_16_bit(opened: Opener) -> None:
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
    with pytest.raises(KeyError, match=r"no electrode 4, 7 .*there are: 1-3, 300"):
        file.spikes([1, 4, 7])
    with pytest.raises(ValueError, match="an electrode from 0 to 65535, found -1"):
        file.spikes(-1)


@pytest.mark.parametrize(
    ("unit", "name"),
    [(0, "unclassified"), (1, "unit"), (16, "unit"), (17, "reserved"), (254, "reserved"), (255, "noise")],
)
def test_nev_c21_unit_classes(unit: int, name: str) -> None:
    assert NevFile.unit_class(unit) == name
    assert NevFile.unit_class(np.uint8(unit)) == name


def some_spikes() -> bytes:
    rows = [(10, 1, 0), (20, 2, 1), (30, 1, 1), (30, 2, 1), (25, 1, 0), (40, 1, 255)]
    return nev([V2.spike(*row, [row[0]]) for row in rows] + [V2.digital(35, 1, 5)], [wav(1), wav(2), wav(3)])


@pytest.mark.parametrize(
    ("asked", "ticks"),
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
def test_nev_c22_selections_are_half_open_and_in_file_order(opened: Opener, asked: Any, ticks: list[int]) -> None:
    file = opened(some_spikes())
    asked = {name: list(value) if hasattr(value, "send") else value for name, value in asked.items()}
    found, bare = file.spikes(**asked), file.spikes(**asked, waveforms=False)
    assert found["tick"].tolist() == ticks
    assert found["waveform"][:, 0].tolist() == ticks
    assert bare.dtype.names == ("tick", "electrode_id", "unit")
    assert all(np.array_equal(bare[name], found[name]) for name in bare.dtype.names)
    assert found["tick"].dtype == np.uint64


def test_nev_c22_bad_requests_say_what_can_be_asked(opened: Opener) -> None:
    file = opened(some_spikes())
    with pytest.raises(ValueError, match="a unit from 0 to 255, found 256"):
        file.spikes(units=[256])
    with pytest.raises(ValueError, match="sort None or 'tick', found 'time'"):
        file.spikes(sort="time")


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


# ------------------------------------------------------------------------------------------------ events


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c23_bit_7_of_the_reason_parts_serial_from_digital(opened: Opener, version: Any) -> None:
    make = MAKERS[version]
    reasons = [0, 1, 2, 3, 64, 128, 129]
    file = opened(nev([make.digital(5, reason, 0xAB32) for reason in reasons], version=version))
    digital, serial = file.events("digital"), file.events("serial")
    assert digital["reason"].tolist() == [0, 1, 2, 3, 64]
    assert serial["reason"].tolist() == [128, 129]
    assert set(digital["value"].tolist()) == {0xAB32}
    assert set(serial["value"].tolist()) == {0x32}
    assert file.kinds() == {"digital": 5, "serial": 2}


@pytest.mark.parametrize("version", [(2, 0), (2, 1), (2, 2)])
def test_nev_c24_analog_inputs_before_2_3(opened: Opener, version: Any) -> None:
    levels = [-5000, 5000, -1, 0, 1]
    file = opened(nev([V2.digital(5, 2, 0x37, struct.pack("<5h", *levels))], version=version))
    assert file.events("digital")["analog_mv"].tolist() == [levels]
    assert file.events("digital")["value"].tolist() == [0x37]


def test_nev_c24_changed_bits_of_3_0(opened: Opener) -> None:
    recorded = bytes.fromhex("B16ED10000000000 0000 0100 BFBF 0000 BF000000 01000000".replace(" ", ""))
    file = opened(nev([recorded.ljust(108, b"\0")], version=(3, 0)))
    assert file.events("digital").tolist() == [(13_725_361, 1, 0xBFBF, 0xBF, 1)]
    assert file.events("digital").dtype.names == ("tick", "reason", "value", "bits_changed", "event_type")
    assert opened(nev([V2.digital(5, 1, 2)])).events("digital").dtype.names == ("tick", "reason", "value")


def test_nev_c25_ripple_is_known_by_its_application(opened: Opener) -> None:
    header = wav(5249, factor=0, rest=struct.pack("<f", 0.5))
    spikes = [RIPPLE.spike(9, 5120, 0, [1]), RIPPLE.stim(10, 5121, [1]), RIPPLE.stim(11, 5249, [-7, 8])]
    file = opened(trellis([*spikes, RIPPLE.digital(12, 2, 1, struct.pack("<4h", 32767, -1, 0, 4))], [header]))
    assert (file.vendor, file.spec, file.processor_tick) == ("ripple", "2.2", 410_825_880)
    assert file.kinds() == {"spike": 1, "stim": 2, "digital": 1}
    stim = file.events("stim")
    assert stim["electrode_id"].tolist() == [5121, 5249]
    assert stim["waveform"].shape == (2, 52)
    assert file.electrodes[5249].stim_v_per_bit == 0.5
    assert file.to_uv(stim[1:])[0, :2].tolist() == [-3.5e6, 4e6]
    assert file.events("digital")["sma"].tolist() == [[32767, -1, 0, 4]]


def test_nev_c25_blackrock_has_no_stimulation_ids(opened: Opener) -> None:
    file = opened(nev([V2.spike(1, 5249, 0)], version=(2, 2)))
    assert file.kinds() == {"spike": 1}
    assert file.processor_tick is None
    assert opened(nev(headers=[wav(1)])).electrodes[1].stim_v_per_bit is None


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        (b"plain\0garbage", 0, "plain"),
        (b"gr\xfcn", 0, "grün"),
        (b"\x81\x8d", 0, "\x81\x8d"),  # not in cp1252
        ("späť 語".encode("utf-16-le") + b"\0\0xx", 1, "späť 語"),
        ("aĀb".encode("utf-16-le"), 1, "aĀb"),  # NUL bytes at odd offsets are no end
        ("𝄞".encode("utf-16-le") * 23, 1, "𝄞" * 23),
        (b"a\0" + "𝄞".encode("utf-16-le") * 22 + b"\x34\xd8", 1, "a" + "𝄞" * 22 + "\ufffd"),
        (b"odd charset", 7, "odd charset"),
        (b"x" * 92, 0, "x" * 92),
        (b"", 0, ""),
    ],
)
@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c26_comments_by_character_set(opened: Opener, version: Any, raw: bytes, charset: int, text: str) -> None:
    file = opened(nev([MAKERS[version].comment(5, raw, charset)], version=version))
    (comment,) = file.comments()
    assert (comment.tick, comment.text, comment.charset) == (5, text, charset)
    assert file.events("comment")["text"].tolist() == [text]


def test_nev_c26_neuromotive_regions(opened: Opener) -> None:
    packets = [V2.comment(5, b"roi:3:Enter:77:", 255, 0, 0x0103), V2.comment(6, b"", 255, 0, 0x0903)]
    first, second = opened(nev(packets)).comments()
    assert (first.text, first.roi, first.color) == ("roi:3:Enter:77:", (3, "enter"), None)
    assert second.roi == (3, "9")


def test_nev_c26_an_odd_number_of_utf_16_bytes(opened: Opener) -> None:
    make = Maker(size=12 + 5)
    assert opened(nev([make.comment(5, "abc".encode("utf-16-le")[:5], 1)])).comments()[0].text == "ab"


def test_nev_c27_colour_is_red_green_blue_alpha(opened: Opener) -> None:
    (comment,) = opened(nev([V2.comment(5, b"x", 0, 0, 0x04030201)])).comments()
    assert comment.color == (1, 2, 3, 4)
    assert comment.started_tick is None


@pytest.mark.parametrize(
    ("version", "tick_rate", "tick", "data", "started"),
    [
        ((2, 3), 30_000, 1000, 400, 400),  # a timestamp
        ((2, 3), 30_000, 1000, 1001, None),  # that cannot be
        ((3, 0), 30_000, 1000, 400, 600),  # ticks back
        ((3, 0), 10**9, 5_000_000, 4000, 1_000_000),  # microseconds back
        ((3, 0), 30_000, 1000, 1000, 0),
        ((3, 0), 30_000, 1000, 1001, None),
    ],
)
def test_nev_c27_start_by_version_and_clock(
    opened: Opener, version: Any, tick_rate: int, tick: int, data: int, started: int | None
) -> None:
    packets = [MAKERS[version].comment(tick, b"x", 0, 1, data)]
    (comment,) = opened(nev(packets, version=version, tick_rate=tick_rate)).comments()
    assert (comment.started_tick, comment.color) == (started, None)


@pytest.mark.parametrize("order", [1, -1])
def test_nev_c28_two_packets_of_one_comment_are_one(opened: Opener, order: int) -> None:
    pair = [V3.comment(100, b"hello", 0, 0, 0xFF), V3.comment(101, b"hello", 0, 1, 60)]
    file = opened(nev([*pair[::order], V3.spike(101, 1, 0), V3.comment(200, b"hello", 0, 0, 7)], version=(3, 0)))
    merged, apart = file.comments(), file.comments(merged=False)
    assert [(c.tick, c.color, c.started_tick) for c in merged] == [(100, (255, 0, 0, 0), 41), (200, (7, 0, 0, 0), None)]
    assert sorted(c.tick for c in apart) == [100, 101, 200]
    assert file.kinds()["comment"] == 3
    assert len(file.events("comment")) == 3


def test_nev_c28_comments_that_say_the_same_stay_apart(opened: Opener) -> None:
    alike = [V3.comment(tick, b"again", 0, 0) for tick in (1, 2, 3)]
    other = [V3.comment(4, b"begun", 0, 1, 1), V3.comment(5, b"other", 0, 0), V3.comment(6, b"other", 0, 9)]
    assert [c.tick for c in opened(nev(alike + other, version=(3, 0))).comments()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c29_video_sync_is_not_aligned(opened: Opener, version: Any) -> None:
    file = opened(nev([MAKERS[version].video(9, 1, 0x01020304, 70_000, 3)], version=version))
    assert file.events("video_sync").tolist() == [(9, 1, 0x01020304, 70_000, 3)]


def trackable(number: int, kind: int) -> bytes:
    return extended(b"TRACKOBJ", struct.pack("<HHH16s", kind, number, 8, b"thing"))


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c30_tracked_points_by_the_type_of_their_object(opened: Opener, version: Any) -> None:
    words, sizes = struct.pack("<6H", 1, 2, 3, 4, 5, 6), struct.pack("<2I", 70_000, 8)
    bodies = [(0, 3, words), (1, 2, words), (2, 2, sizes), (3, 3, words), (9, 1, words)]
    packets = [MAKERS[version].tracking(9, 0, node, 0, n, numbers) for node, n, numbers in bodies]
    file = opened(nev(packets, [trackable(1, 1), trackable(2, 3), trackable(3, 5), trackable(4, 4)], version=version))
    found = file.events("tracking")
    assert found.dtype.names == ("tick", "parent_id", "node_id", "node_count", "n_points", "points")
    points_of = [file.tracked_points(event).tolist() for event in found]
    assert points_of[0] == points_of[3] == [[1, 2], [3, 4], [5, 6]]
    assert points_of[1] == [[1, 2, 3], [4, 5, 6]]
    assert points_of[2] == [[70_000], [8]]
    assert points_of[4] == [[1, 2]]  # no such object: 2-D


def test_nev_c30_more_points_than_the_packet_holds(opened: Opener) -> None:
    file = opened(nev([Maker(24).tracking(9, 0, 0, 0, 500, struct.pack("<5H", 1, 2, 3, 4, 5))]))
    (event,) = file.events("tracking")
    assert file.tracked_points(event).tolist() == [[1, 2], [3, 4]]
    assert event["n_points"] == 500
    assert event["points"].tolist() == [1, 2, 3, 4, 5]


def test_nev_c31_buttons(opened: Opener) -> None:
    assert opened(nev([V2.button(1, 1), V2.button(2, 2)])).events("button").tolist() == [(1, 1), (2, 2)]


def test_nev_c32_65531_is_configuration_in_2_3_and_log_in_3_0(opened: Opener) -> None:
    body = struct.pack("<H", 1) + b"sixteen letters." + b"and text\0garbage"
    old, new = opened(nev([V2.packet(5, 0xFFFB, body)])), opened(nev([V3.packet(5, 0xFFFB, body)], version=(3, 0)))
    assert old.events("config").tolist() == [(5, 1, "sixteen letters.and text")]
    assert new.events("log").tolist() == [(5, 1, "sixteen letters.", "and text")]
    assert (old.kinds(), new.kinds()) == ({"config": 1}, {"log": 1})


def test_nev_c33_65530_is_configuration_in_3_0_and_all_of_it_text(opened: Opener) -> None:
    body = struct.pack("<H", 1) + b"sixteen letters." + b"and text"
    file = opened(nev([V3.packet(5, 0xFFFA, body)], version=(3, 0)))
    assert file.events("config").tolist() == [(5, 1, "sixteen letters.and text")]
    assert opened(nev([V2.packet(5, 0xFFFA, body)])).kinds() == {"unknown": 1}


def test_nev_c34_recording_events_set_the_tick_of_the_origin(opened: Opener) -> None:
    recorded = bytes.fromhex("746ED10000000000F9FF0300").ljust(108, b"\0")
    packets = [V3.spike(13_725_000, 1, 0), recorded, V3.packet(13_800_000, 0xFFF9, struct.pack("<H", 1))]
    file = opened(nev(packets, version=(3, 0)))
    assert file.events("recording").tolist() == [(13_725_300, 3), (13_800_000, 1)]
    assert file.time_origin_tick == 13_725_300
    assert file.datetime(13_725_300) == file.time_origin == datetime(2024, 3, 14, 19, 9, 47, 630_000, timezone.utc)
    assert file.datetime(13_725_300 - 30_000) == file.time_origin - timedelta(seconds=1)


def test_nev_c34_without_one_the_origin_is_the_first_packet_or_tick_0(opened: Opener) -> None:
    assert opened(nev([V3.spike(500, 1, 0)], version=(3, 0))).time_origin_tick == 500
    assert opened(nev([V2.packet(500, 0xFFF9, b"\3")])).time_origin_tick == 0


def test_nev_c35_unknown_ids_are_counted_and_reachable(opened: Opener) -> None:
    file = opened(nev([V2.packet(900_000, 0x8001, b"preview"), V2.spike(5, 1, 0), V2.packet(7, 0xFFF0, b"")]))
    assert file.kinds() == {"spike": 1, "unknown": 2}
    unknown = file.events("unknown")
    assert unknown["packet_id"].tolist() == [0x8001, 0xFFF0]
    assert unknown["payload"][0].tobytes().startswith(b"preview")
    assert file.resets == ()
    assert file.tick_span == (5, 5)
    assert file.packets["packet_id"].tolist() == [0x8001, 1, 0xFFF0]


# ------------------------------------------------------------------------------------------------ continuation


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c36_a_continued_packet_is_one_event(opened: Opener, version: Any) -> None:
    make = MAKERS[version]
    text = bytes(range(65, 91)) * 8
    room = make.size - make.stamp - 8
    packets = [
        make.comment(5, text[:room]),
        make.more(text[room : room + 100]),
        make.more(text[room + 100 :]),
        make.comment(6, b"x"),
    ]
    file = opened(nev(packets, version=version))
    assert [comment.text for comment in file.comments()] == [text.decode(), "x"]
    assert file.kinds() == {"comment": 2}
    assert len(file.packets) == 4
    assert file.tick_span == (5, 6)
    assert file.resets == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c36_a_continued_waveform_is_longer(opened: Opener, version: Any) -> None:
    make = MAKERS[version]
    more = (make.size - make.stamp) // 2
    packets = [
        make.spike(5, 1, 0, WAVE),
        make.more(struct.pack(f"<{more}h", *range(100, 100 + more))),
        make.spike(6, 1, 0, WAVE),
    ]
    file = opened(nev(packets, version=version))
    waveforms = file.spikes()["waveform"]
    assert waveforms[0].tolist() == [*WAVE, *range(100, 100 + more)]
    assert waveforms[1].tolist() == WAVE + [0] * more
    assert [len(ticks) for ticks in file.trains().values()] == [2]


def test_nev_c36_a_stated_width_reaches_into_the_continuation(opened: Opener) -> None:
    data = nev([V2.spike(5, 1, 0, WAVE), V2.more(struct.pack("<2h", 49, 50))], [wav(1, rest=points(50))])
    assert opened(data).spikes()["waveform"].tolist() == [[*WAVE, 49, 50]]


def test_nev_c36_one_that_continues_nothing_is_no_event(opened: Opener) -> None:
    file = opened(nev([V2.more(b"x"), V2.spike(6, 1, 0)]))
    assert file.kinds() == {"spike": 1}


def test_nev_c36_all_ones_of_32_bits_are_a_time_in_3_0(opened: Opener) -> None:
    assert opened(nev([V3.spike(0xFFFFFFFF, 1, 0)], version=(3, 0))).kinds() == {"spike": 1}


def test_nev_c36_uneven_continuation_cannot_ask_for_more_memory_than_the_file_warrants(opened: Opener) -> None:
    make = Maker(12)
    packets = [make.comment(1, b"")] * 4000 + [make.more(b"")] * 4000
    file = opened(nev(packets))
    with pytest.raises(FormatError, match="continued packets that fit"):
        file.comments()
    assert file.kinds() == {"comment": 4000}


# ------------------------------------------------------------------------------------------------ order and time


def test_nev_c37_packets_stand_as_in_the_file_and_sort_is_stable(opened: Opener) -> None:
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
def test_nev_c38_what_is_a_reset(opened: Opener, version: Any, ticks: list[int], resets: list[Any]) -> None:
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
def test_nev_c40_whose_time_the_origin_is(opened: Opener, version: Any) -> None:
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


@pytest.mark.parametrize(
    ("version", "kind", "packet", "least"),
    [
        ((2, 2), "digital", Maker(16).digital(1, 1, 2), 20),
        ((2, 3), "video_sync", Maker(16).packet(1, 0xFFFE, b""), 20),
        ((2, 3), "tracking", Maker(12).packet(1, 0xFFFD, b""), 14),
        ((3, 0), "digital", Maker(20, 8).digital(1, 1, 2), 24),
        ((3, 0), "log", Maker(24, 8).packet(1, 0xFFFB, b""), 28),
        ((3, 0), "comment", Maker(12, 8).packet(1, 0xFFFF, b""), 16),
    ],
)
def test_nev_c42_packets_too_short_for_a_kind_fail_when_it_is_asked_for(
    opened: Opener, version: Any, kind: str, packet: bytes, least: int
) -> None:
    file = opened(nev([packet, packet], version=version))
    assert file.kinds() == {kind: 2}
    with pytest.raises(FormatError, match=f"byte 16: expected packets of {least} bytes or more for {kind}"):
        file.events(kind)
    assert len(file.packets) == 2
    assert file.spikes().shape == (0,)


def test_nev_c42_the_shortest_packets_hold_empty_waveforms_and_texts(opened: Opener) -> None:
    spike = opened(nev([Maker(12, 8).spike(5, 1, 2)], [wav(1)], version=(3, 0)))
    assert spike.spikes().tolist()[0][:3] == (5, 1, 2)
    assert spike.spikes()["waveform"].shape == (1, 0)
    assert spike.to_uv(spike.spikes()).shape == (1, 0)
    assert opened(nev([Maker(12).comment(5, b"")])).events("comment")["text"].tolist() == [""]


def test_nev_c43_a_clock_without_a_rate_counts_30_khz(opened: Opener) -> None:
    with pytest.warns(DamagedFile, match="timestamp resolution, found 0; taken as 30000 Hz"):
        file = opened(nev(tick_rate=0))
    assert file.tick_rate == 30_000
    assert file.datetime(30_000) == file.time_origin + timedelta(seconds=1)


# ------------------------------------------------------------------------------------------------ the object


def test_nev_c44_pickles_as_its_path_and_refuses_other_headers(opened: Opener, file_of: Callable[..., str]) -> None:
    file = opened(some_spikes())
    frozen = pickle.dumps(file)
    with pickle.loads(frozen) as again:
        assert np.array_equal(again.spikes(), file.spikes())
    file.close()
    file_of(nev(headers=[wav(9)]), "s.nev")
    with pytest.raises(FormatError, match="headers of the file that was pickled"):
        pickle.loads(frozen)


def test_nev_c45_arrays_outlive_the_file_and_packets_are_read_only(opened: Opener) -> None:
    with opened(some_spikes()) as file:
        packets, spikes = file.packets, file.spikes()
        assert not file.closed
    assert file.closed
    assert packets["packet_id"].tolist()[:3] == spikes["electrode_id"].tolist()[:3]
    assert packets.dtype.names == ("tick", "packet_id", "payload")
    with pytest.raises(ValueError, match="read-only"):
        packets["tick"] = 0
    with pytest.raises(ValueError, match="closed"):
        file.spikes()
    assert file.electrodes[1].electrode_id == 1


def test_nev_c45_packets_are_the_files_own_bytes(opened: Opener) -> None:
    file = opened(some_spikes())
    assert np.shares_memory(file.packets, file.packets)


def test_nev_c45_threads_share_a_file(opened: Opener) -> None:
    file = opened(every_kind((2, 3)))
    found: list[Any] = []
    threads = [Thread(target=lambda: found.append((file.kinds(), len(file.spikes()), file.resets))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(file.kinds(), len(file.spikes()), file.resets)] * 8


@pytest.mark.parametrize(("version", "ripple"), [*((version, False) for version in VERSIONS), ((2, 2), True)])
def test_nev_c46_every_kind_of_every_version(opened: Opener, version: Any, ripple: bool) -> None:
    file = opened(every_kind(version, ripple))
    new = {"log": 1, "config": 1, "recording": 1, "unknown": 1} if version == (3, 0) else {"config": 1, "unknown": 3}
    counts = {"spike": 4, "digital": 1, "serial": 1, "comment": 4, "video_sync": 1, "tracking": 1, "button": 1} | new
    assert file.kinds() == counts | ({"stim": 1} if ripple else {})
    assert sum(file.kinds().values()) == file.n_packets - 1  # the continuation
    order = ["spike", "stim", "digital", "serial", "comment", "video_sync", "tracking", "button", "log", "config"]
    assert list(file.kinds()) == [kind for kind in [*order, "recording", "unknown"] if kind in file.kinds()]
    for kind, count in file.kinds().items():
        for sort in (None, "tick"):
            found = file.events(kind, sort=sort)
            assert (len(found), found.dtype["tick"]) == (count, np.uint64)
    assert file.comments()[-1].text.endswith(". and longer")
