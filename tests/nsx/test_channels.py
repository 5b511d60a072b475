# SPDX-License-Identifier: MIT
"""Channels, their scales, filters and kinds: claims C11 to C20 of `spec_notes/nsx.md`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import FileOf, Opened

import nevparse as nv


def test_nsx_c11_columns_stand_in_header_order_and_ids_may_repeat(opened: Opened) -> None:
    samples = b.ramp(3, 4)
    ns = opened(b.nsx([(0, samples)], ids=[9, 0, 2, 9]))
    assert [channel.electrode_id for channel in ns.channels] == ns.electrode_ids.tolist() == [9, 0, 2, 9]
    assert [channel.index for channel in ns.channels] == [0, 1, 2, 3]
    np.testing.assert_array_equal(ns.read(electrodes=[2, 0]), samples[:, [2, 1]])
    with pytest.raises(ValueError, match=r"electrode 9 is in columns \[0, 3\]: choose one with channels="):
        ns.read(electrodes=[9])


@pytest.mark.parametrize(
    ("digital", "analog", "units", "per_bit", "offset"),
    [
        ((-32764, 32764), (-8191, 8191), "uV", 0.25, 0),
        ((-32767, 32767), (-5000, 5000), "mV", 5e6 / 32767, 0),
        ((-32767, 32767), (-5, 5), "V", 5e6 / 32767, 0),
        ((-100, 100), (-100, 100), "nV", 1e-3, 0),
        ((0, 1000), (-500, 500), "uV", 1, -500),  # asymmetric
        ((-1000, 1000), (0, 4000), "mV", 2000, 2e6),
    ],
)
def test_nsx_c12_microvolts_follow_the_two_ends_of_the_range(
    opened: Opened, digital, analog, units, per_bit, offset
) -> None:
    samples = np.array([[-1000], [0], [7], [32767], [-32768]])
    head = b.channel(1, digital=digital, analog=analog, units=units)
    ns = opened(b.nsx([(0, samples)], channels=[head]))
    assert ns.channels[0].uv_per_bit == pytest.approx(per_bit, rel=1e-12)
    assert ns.channels[0].uv_offset == pytest.approx(offset, abs=1e-9)
    microvolts = ns.read(unit="uV")
    assert microvolts.dtype == np.float32
    np.testing.assert_allclose(microvolts, samples * per_bit + offset, rtol=1e-6)


@pytest.mark.parametrize("raw", [b"\xb5V", b"\xc2\xb5V", b"\xce\xbcV", b"uV", b"uV\0junk", b" uV "])
def test_nsx_c13_every_spelling_of_microvolt_is_one(opened: Opened, raw) -> None:
    ns = opened(b.nsx([(0, b.ramp(2, 1))], channels=[b.channel(1, units=raw)]))
    assert (ns.channels[0].units, ns.channels[0].uv_per_bit) == ("uV", 0.25)


@pytest.mark.parametrize("broken", [{"digital": (5, 5)}, {"units": "degC"}, {"units": ""}])
def test_nsx_c14_without_a_scale_microvolts_are_nan_and_a_warning_says_so(opened: Opened, broken) -> None:
    samples = b.ramp(3, 2)
    ns = opened(b.nsx([(0, samples)], channels=[b.channel(8, **broken), b.channel(9)]))
    assert math.isnan(ns.channels[0].uv_per_bit)
    with pytest.warns(nv.UnknownScale, match="no scale in microvolts for electrodes 8") as caught:
        microvolts = ns.read(unit="uV")
    assert [item.filename for item in caught] == [__file__]
    assert np.isnan(microvolts[:, 0]).all()
    np.testing.assert_array_equal(microvolts[:, 1], samples[:, 1] * np.float32(0.25))
    np.testing.assert_array_equal(ns.read(), samples)
    assert ns.read(electrodes=[9], unit="uV").shape == (3, 1), "no warning for the others"


def test_nsx_c15_2_1_is_raw_unless_its_nev_is_given(opened: Opened, file_of: FileOf) -> None:
    samples = b.ramp(3, 3)
    data = b.nsx([(0, samples)], "2.1", ids=[1, 137, 5])
    with pytest.warns(nv.UnknownScale, match=r"electrodes 1, 137, 5.*open_nsx\(path, nev=...\)"):
        assert np.isnan(opened(data, "bare").read(unit="uV")).all()
    nev = file_of(b.nev_with_factors({1: 1000, 137: 21516}), "s.nev")
    ns = opened(data, "scaled", nev=nev)
    assert [channel.uv_per_bit for channel in ns.channels[:2]] == [1.0, pytest.approx(152.59254738)]
    np.testing.assert_allclose(ns.read(unit="uV", electrodes=[1, 137]), samples[:, :2] * [1, 5e6 / 32767], rtol=1e-6)
    assert math.isnan(ns.channels[2].uv_per_bit), "the NEV does not name it"


def test_nsx_c15_a_nev_changes_nothing_where_the_file_has_a_scale(opened: Opened, file_of: FileOf) -> None:
    nev = file_of(b.nev_with_factors({1: 7}, (2, 3)), "s.nev")
    assert opened(b.nsx([(0, b.ramp(2, 1))]), nev=nev).channels[0].uv_per_bit == 0.25


def test_nsx_c15_a_nev_that_is_none_is_refused(opened: Opened, file_of: FileOf) -> None:
    with pytest.raises(nv.FormatError, match="expected a NEV file"):
        opened(b.plausible("2.1")[0], nev=file_of(b.plausible("2.3")[0], "not.nev"))


def test_nsx_c16_high_and_low_name_the_kind_of_the_filter(opened: Opened) -> None:
    head = b.channel(1, high_pass=(300, 1, 1), low_pass=(1_000_000, 4, 2))
    channel = opened(b.nsx([(0, b.ramp(2, 1))], channels=[head])).channels[0]
    assert channel.high_pass == (0.3, 1, "butterworth")
    assert channel.low_pass == (1000.0, 4, "chebyshev")


@pytest.mark.parametrize("none", [(0, 4, 1), (300, 0, 1), (300, 4, 0), (0xFFFFFFFF, 4, 1)])
def test_nsx_c16_no_corner_no_order_or_no_type_is_no_filter(opened: Opened, none) -> None:
    channel = opened(b.nsx([], channels=[b.channel(1, high_pass=none, low_pass=(5000, 2, 9))])).channels[0]
    assert channel.high_pass is None
    assert channel.low_pass == (5.0, 2, "9"), "a type the documents do not name stays a number"


@pytest.mark.parametrize(("written", "bank"), [(0, 0), (1, 1), (9, 9), (13, 13), (ord("A"), 1), (ord("D"), 4)])
def test_nsx_c17_bank_letters_of_files_saved_again_become_numbers(opened: Opened, written, bank) -> None:
    channel = opened(b.nsx([], channels=[b.channel(1, bank=written, pin=31)])).channels[0]
    assert (channel.bank, channel.pin) == (bank, 31)


@pytest.mark.parametrize(
    ("kind", "electrode_id", "bank", "units", "expected"),
    [
        ("2.3", 1, 1, "uV", "neural"),
        ("2.3", 300, 6, "uV", "neural"),
        ("2.3", 129, 5, "mV", "analog"),
        ("2.3", 257, 9, "mV", "analog"),
        ("2.3", 67, 3, "mV", "analog"),  # the unit tells, not the id
        ("2.3", 129, 5, "", "analog"),
        ("2.3", 129, 1, "", "other"),
        ("2.3", 5, 1, "", "neural"),
        ("2.3", 500, 1, "degC", "other"),
        ("ripple", 33, 1, "uV", "neural"),
        ("ripple", 10241, 13, "mV", "analog"),
        ("ripple", 6000, 1, "uV", "other"),
        ("2.1", 96, 0, "", "neural"),
        ("2.1", 137, 0, "", "analog"),
        ("2.1", 200, 0, "", "other"),
    ],
)
def test_nsx_c18_electrodes_and_analog_inputs_are_told_apart(
    opened: Opened, kind: str, electrode_id, bank, units, expected
) -> None:
    head = b.channel(electrode_id, kind=kind, bank=bank, units=units)
    assert opened(b.nsx([], kind, channels=[head])).channels[0].kind == expected


@pytest.mark.parametrize("kind", ["2.2", "2.3", "3.0"])
@pytest.mark.parametrize("units", ["uV", "nV", "mV", "V", ""])
@pytest.mark.parametrize(("electrode_id", "bank", "is_input"), [(129, 5, True), (272, 9, True), (129, 4, False)])
def test_nsx_c18_an_analog_input_is_one_in_any_unit(
    opened: Opened, kind: str, units: str, electrode_id: int, bank: int, is_input: bool
) -> None:
    heads = [
        b.channel(electrode_id, kind=kind, bank=bank, units=units, digital=(-limit, limit)) for limit in (32767, 32764)
    ]
    as_input, as_electrode = (channel.kind for channel in opened(b.nsx([], kind, channels=heads)).channels)
    if is_input:
        assert as_input == "analog"
    if units in ("uV", "nV"):  # electrodes 129 to 256 of a 256-channel system are on banks 5 to 8
        assert as_electrode == "neural"


def test_nsx_c19_ripple_splits_the_comment_and_starts_it_with_the_application(opened: Opened) -> None:
    data = b.nsx([(0, b.ramp(2, 1))], "ripple", comment=b"a remark", processor_tick=410825880)
    ns = opened(data)
    assert (ns.vendor, ns.application) == ("ripple", "Trellis.exe[1.14.4.41]")
    assert (ns.comment, ns.processor_tick) == ("a remark", 410825880)
    other = opened(b.nsx([(0, b.ramp(2, 1))], "2.2", comment=b"File Dialog"), "blackrock")
    assert (other.vendor, other.application, other.comment, other.processor_tick) == (
        "blackrock", "", "File Dialog", None
    )  # fmt: skip


@pytest.mark.parametrize(
    "comment", [b"made for Trellis", b"Trellis", b"compare Trellis.exe[1.14]", b"1.14.4 of Trellis[]", b"x Trellis[]"]
)
def test_nsx_c19_a_comment_that_mentions_trellis_is_a_comment(opened: Opened, comment: bytes) -> None:
    ns = opened(b.nsx([(0, b.ramp(2, 2))], channels=[b.channel(1), b.analog_input(1)], comment=comment))
    assert (ns.vendor, ns.application, ns.comment) == ("blackrock", "", comment.decode())
    assert [channel.kind for channel in ns.channels] == ["neural", "analog"]


@pytest.mark.parametrize("application", [b"Trellis.exe[]", b"Trellis.exe[1.4.3.338]", b"1.14.4.41 Trellis[]"])
def test_nsx_c19_ripples_own_forms_are_ripples(opened: Opened, application: bytes) -> None:
    ns = opened(b.nsx([(0, b.ramp(2, 1))], "ripple", application=application))
    assert (ns.vendor, ns.application) == ("ripple", application.decode())


def test_nsx_c20_nfx_samples_are_floats_in_their_unit_and_fc_ranges_are_floats(opened: Opened) -> None:
    samples = np.array([[1.5, -2.25], [1e-3, 4.0]], "<f4")
    heads = [b.channel(k, kind="nfx", analog=(-187485.39, 187485.39), units=unit) for k, unit in ((1, "uV"), (2, "mV"))]
    ns = opened(b.nsx([(0, samples)], "nfx", channels=heads, period=15))
    assert ns.dtype == np.float32
    assert ns.channels[0].analog_range == pytest.approx((-187485.39, 187485.39))
    assert all(math.isnan(end) for end in ns.channels[0].digital_range)
    np.testing.assert_array_equal(ns.read(), samples)
    np.testing.assert_allclose(ns.read(unit="uV"), samples * [1, 1000], rtol=1e-6)


def test_nsx_c20_nfx_floats_that_are_nan_pass_through(opened: Opened) -> None:
    samples = np.array([[np.nan], [np.inf], [-0.0]], "<f4")
    ns = opened(b.nsx([(0, samples)], "nfx"))
    assert ns.read().tobytes() == samples.tobytes()
    np.testing.assert_array_equal(ns.read(unit="uV"), samples)
