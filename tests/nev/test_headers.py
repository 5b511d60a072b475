# SPDX-License-Identifier: MIT
"""Electrodes and everything else in extended headers: claims C08 to C16 of `spec_notes/nev.md`."""

from __future__ import annotations

import struct
from math import isnan
from typing import Any

import numpy as np
import pytest
from builders.nev import V2, extended, flt, lbl, nev, trellis, wav

from nev.files import Opener
from nevparse.errors import UnknownScale


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
def test_nev_c09_microvolts_per_bit_are_what_the_header_says_in_nanovolts(
    opened: Opener, factor: int, uv: float
) -> None:
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
    texts = [(b"ECOMMENT", b"x" * 23 + b" "), (b"CCOMMENT", b"y\0garbage"), (b"ECOMMENT", b"other")]
    file = opened(nev(headers=[*(extended(*text) for text in texts), extended(b"ARRAYNME", b"M1 array")]))
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


def test_nev_c16_cameras_objects_and_inputs_have_their_names_and_kinds(opened: Opener) -> None:
    camera = extended(b"VIDEOSYN", struct.pack("<H16sf", 2, b"sixteen letters!", 29.5))
    thing = extended(b"TRACKOBJ", struct.pack("<HHH16s", 3, 4, 260, b"hand"))
    unknown = extended(b"TRACKOBJ", struct.pack("<HHH16s", 77, 5, 1, b""))
    inputs = [
        extended(b"DIGLABEL", struct.pack("<16sB", name, mode)) for name, mode in ((b"digin", 1), (b"s", 0), (b"?", 9))
    ]
    file = opened(nev(headers=[camera, thing, unknown, *inputs]))
    assert file.video_sources == ((2, "sixteen letters!", 29.5),)
    assert file.trackables == ((4, "hand", "3d_markers", 260), (5, "", "77", 1))
    assert file.digital_labels == (("digin", "parallel"), ("s", "serial"), ("?", "9"))
