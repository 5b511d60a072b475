# SPDX-License-Identifier: MIT
"""What is read from NSx files of every version: the claims of `spec_notes/nsx.md`, and the reading surface."""

from __future__ import annotations

import math
import os
import pickle
import struct
import threading
from datetime import datetime, timezone
from fractions import Fraction

from builders import nsx as b
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv


@pytest.fixture
def opened(file_of):
    """Open bytes as a file; closed when the test ends."""
    files = []

    def open_(data, name="s.ns5", **options):
        files.append(nv.open_nsx(file_of(data, name), **options))
        return files[-1]

    yield open_
    for file in files:
        file.close()


def warned(opened, data, category, match):
    with pytest.warns(category, match=match) as caught:
        ns = opened(data)
    assert [item.category for item in caught] == [category], "one warning of one kind"
    assert caught[0].filename == __file__, "the warning points at the caller"
    return ns


def counts(ns):
    return [segment.n_samples for segment in ns.segments]


def all_samples(ns):
    return np.concatenate([segment.samples for segment in ns.segments])


# --------------------------------------------------------------------------------------------------- identification


@pytest.mark.parametrize("kind", b.KINDS)
def test_nsx_c01_the_first_bytes_decide_whatever_the_name(opened, kind):
    data, samples = b.plausible(kind)
    ns = opened(data, "named.like.nothing")
    assert ns.spec == {"ptp": "3.0", "ripple": "2.2", "nfx": "2.2"}.get(kind, kind)
    assert ns.vendor == ("ripple" if kind in ("ripple", "nfx") else "blackrock")
    assert ns.dtype == np.dtype(b.sample_type(kind))
    np.testing.assert_array_equal(all_samples(ns), samples)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"NEURAL", "b'NEURAL'"),
        (b"hello, this is text\n" * 40, "b'hello, t'"),
        (b"######## Neuralynx Data File Header\r\n" * 500, "a Neuralynx file"),
        (b"NEURALEV\2\3" + bytes(400), r"a NEV file \(use open_nev\)"),
        (b"BREVENTS\3\0" + bytes(400), r"a NEV file \(use open_nev\)"),
    ],
)
def test_nsx_c01_other_files_are_refused_by_name(opened, data, found):
    with pytest.raises(nv.FormatError, match=f"expected an NSx file, by its first 8 bytes, found {found}") as refused:
        opened(data)
    assert refused.value.offset == 0
    assert refused.value.path.endswith("s.ns5")


def test_nsx_c01_a_header_that_breaks_off_is_refused(opened):
    for size in (8, 9, 10, 313):
        with pytest.raises(nv.FormatError, match="the end of the file"):
            opened(b.basic("2.3", 0)[:size])


@pytest.mark.parametrize(("written", "read_as"), [((2, 4), "2.3"), ((2, 0), "2.2"), ((2, 255), "2.3")])
def test_nsx_c02_an_unknown_minor_version_is_read_as_the_nearest(opened, written, read_as):
    data = b.nsx([(0, b.ramp(3, 2))], version=written)
    message = "file specification {}.{} is not known; read as ".format(*written) + read_as
    assert warned(opened, data, nv.UnknownVersion, message).spec == read_as


@pytest.mark.parametrize("kind", ["2.3", "3.0", "nfx"])
def test_nsx_c02_an_unknown_major_version_is_refused(opened, kind):
    with pytest.raises(nv.UnsupportedVersion, match=r"expected file specification .*, found 7\.1") as refused:
        opened(b.nsx([(0, b.ramp(3, 2))], kind, version=(7, 1)))
    assert refused.value.offset == 8


def test_nsx_c03_neuralsg_is_2_1_and_all_its_samples_count(opened):
    samples = b.ramp(20, 2)
    ns = opened(b.nsx([(0, samples)], "2.1", ids=[137, 70000], period=30))
    assert (ns.spec, ns.n_samples, ns.sampling_rate, ns.tick_rate) == ("2.1", 20, 1000, 30000)
    assert ns.electrode_ids.tolist() == [137, 70000], "32 bits"
    assert (ns.time_origin, ns.comment, ns.segments[0].start_tick) == (None, "", 0)
    assert ns.segments[0].ticks(18, 20).tolist() == [18 * 30, 19 * 30]
    np.testing.assert_array_equal(ns.segments[0].samples, samples)


def test_nsx_c04_2_2_and_2_3_hold_the_same_bytes(opened):
    data, samples = b.plausible("2.2")
    other = bytearray(data)
    other[9] = 3
    first, second = opened(data, "a"), opened(bytes(other), "b")
    assert (first.spec, second.spec) == ("2.2", "2.3")
    assert first.channels == second.channels
    np.testing.assert_array_equal(all_samples(second), samples)


def test_nsx_c05_3_0_differs_by_its_64_bit_tick_alone(opened):
    tick = 2**40 + 3
    ns = opened(b.nsx([(tick, b.ramp(3, 2))], "3.0"))
    assert ns.segments[0].start_tick == tick
    assert ns.segments[0].ticks().tolist() == [tick, tick + 1, tick + 2]


def test_nsx_c06_blocks_follow_each_other_without_padding(opened):
    data, samples = b.plausible("2.3", n_channels=1, n_samples=(1, 2, 3))
    ns = opened(data)
    offsets = [next(segment.pieces(0, 1)).offset for segment in ns.segments]
    start = 314 + 66
    assert offsets == [start + 9, start + 9 + 2 + 9, start + 9 + 2 + 9 + 4 + 9]
    assert {offset % 2 for offset in offsets} == {0, 1}, "odd offsets are normal"
    np.testing.assert_array_equal(all_samples(ns), samples)


# ----------------------------------------------------------------------------------------------------------- headers


def test_nsx_c07_data_starts_where_the_header_says(opened):
    samples = b.ramp(4, 2)
    head = b.basic("2.3", 2, header_bytes=314 + 2 * 66 + 40) + b.channel(1) + b.channel(2)
    ns = opened(head + b"\xee" * 40 + b.block("2.3", 0, samples))
    np.testing.assert_array_equal(ns.segments[0].samples, samples)
    assert ns.damage == ()


@pytest.mark.parametrize("stated", [0, 314 + 131, 10**6, 2**32 - 1])
def test_nsx_c07_a_data_start_that_cannot_be_is_replaced(opened, stated):
    samples = b.ramp(4, 2)
    data = b.nsx([(0, samples)], header_bytes=stated)
    ns = warned(opened, data, nv.DamagedFile, f"byte 10: expected headers of 446 to {len(data)} bytes, found {stated}")
    np.testing.assert_array_equal(ns.segments[0].samples, samples)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b.text("elec1", 16, junk=b"\xffgarbage\xff"), "elec1"),
        (b"exactly 16 chars", "exactly 16 chars"),
        (b"padded          ", "padded"),
        (b.text(b"\xb5V \x80", 16), "µV €"),  # cp1252
        (b.text(b"\x81\x8d\xb5", 16), "\x81\x8dµ"),  # not cp1252: latin-1
        (b"\0" + b"x" * 15, ""),
    ],
)
def test_nsx_c08_text_ends_at_its_first_nul_and_always_decodes(opened, raw, text):
    data = b.nsx([(0, b.ramp(2, 1))], channels=[b.channel(1, label=raw)], label=raw, comment=raw)
    ns = opened(data)
    assert ns.channels[0].label == ns.label == text
    assert ns.comment == text


def test_nsx_c08_no_bytes_make_text_fail(opened):
    for first in range(0, 256, 16):
        raw = bytes(range(first, first + 16))
        assert isinstance(opened(b.nsx([], channels=[b.channel(1, label=raw)]), f"{first}").channels[0].label, str)


@pytest.mark.parametrize("kind", b.KINDS)
def test_nsx_c09_the_sampling_rate_is_30000_over_the_period(opened, kind):
    for period in (1, 3, 15, 60, 7):
        ns = opened(b.nsx([(0, b.ramp(2, 1, kind))], kind, period=period, tick_rate=1_000_000_000), f"{period}")
        assert ns.sampling_rate == 30000 / period


def test_nsx_c10_the_origin_is_utc_and_an_impossible_one_is_none(opened):
    origin = opened(b.nsx([(0, b.ramp(2, 1))], origin=(2023, 6, 77, 14, 10, 30, 5, 250))).time_origin
    assert origin == datetime(2023, 6, 14, 10, 30, 5, 250_000, timezone.utc), "the day of the week is not read"
    for k, words in enumerate([(0,) * 8, (65535,) * 8, (2023, 2, 0, 30, 0, 0, 0, 0), (2023, 6, 0, 14, 24, 0, 0, 0)]):
        assert opened(b.nsx([(0, b.ramp(2, 1))], origin=words), f"{k}").time_origin is None


def test_nsx_c11_columns_stand_in_header_order_and_ids_may_repeat(opened):
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
def test_nsx_c12_microvolts_follow_the_two_ends_of_the_range(opened, digital, analog, units, per_bit, offset):
    samples = np.array([[-1000], [0], [7], [32767], [-32768]])
    head = b.channel(1, digital=digital, analog=analog, units=units)
    ns = opened(b.nsx([(0, samples)], channels=[head]))
    assert ns.channels[0].uv_per_bit == pytest.approx(per_bit, rel=1e-12)
    assert ns.channels[0].uv_offset == pytest.approx(offset, abs=1e-9)
    microvolts = ns.read(unit="uV")
    assert microvolts.dtype == np.float32
    np.testing.assert_allclose(microvolts, samples * per_bit + offset, rtol=1e-6)


@pytest.mark.parametrize("raw", [b"\xb5V", b"\xc2\xb5V", b"\xce\xbcV", b"uV", b"uV\0junk", b" uV "])
def test_nsx_c13_every_spelling_of_microvolt_is_one(opened, raw):
    ns = opened(b.nsx([(0, b.ramp(2, 1))], channels=[b.channel(1, units=raw)]))
    assert (ns.channels[0].units, ns.channels[0].uv_per_bit) == ("uV", 0.25)


@pytest.mark.parametrize("broken", [{"digital": (5, 5)}, {"units": "degC"}, {"units": ""}])
def test_nsx_c14_without_a_scale_microvolts_are_nan_and_a_warning_says_so(opened, broken):
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


def test_nsx_c15_2_1_is_raw_unless_its_nev_is_given(opened, file_of):
    samples = b.ramp(3, 3)
    data = b.nsx([(0, samples)], "2.1", ids=[1, 137, 5])
    with pytest.warns(nv.UnknownScale, match=r"electrodes 1, 137, 5.*open_nsx\(path, nev=...\)"):
        assert np.isnan(opened(data, "bare").read(unit="uV")).all()
    nev = file_of(b.nev_with_factors({1: 1000, 137: 21516}), "s.nev")
    ns = opened(data, "scaled", nev=nev)
    assert [channel.uv_per_bit for channel in ns.channels[:2]] == [1.0, pytest.approx(152.59254738)]
    np.testing.assert_allclose(ns.read(unit="uV", electrodes=[1, 137]), samples[:, :2] * [1, 5e6 / 32767], rtol=1e-6)
    assert math.isnan(ns.channels[2].uv_per_bit), "the NEV does not name it"


def test_nsx_c15_a_nev_changes_nothing_where_the_file_has_a_scale(opened, file_of):
    nev = file_of(b.nev_with_factors({1: 7}, (2, 3)), "s.nev")
    assert opened(b.nsx([(0, b.ramp(2, 1))]), nev=nev).channels[0].uv_per_bit == 0.25


def test_nsx_c15_a_nev_that_is_none_is_refused(opened, file_of):
    with pytest.raises(nv.FormatError, match="expected a NEV file"):
        opened(b.plausible("2.1")[0], nev=file_of(b.plausible("2.3")[0], "not.nev"))


def test_nsx_c16_high_and_low_name_the_kind_of_the_filter(opened):
    head = b.channel(1, high_pass=(300, 1, 1), low_pass=(1_000_000, 4, 2))
    channel = opened(b.nsx([(0, b.ramp(2, 1))], channels=[head])).channels[0]
    assert channel.high_pass == (0.3, 1, "butterworth")
    assert channel.low_pass == (1000.0, 4, "chebyshev")


@pytest.mark.parametrize("none", [(0, 4, 1), (300, 0, 1), (300, 4, 0), (0xFFFFFFFF, 4, 1)])
def test_nsx_c16_no_corner_no_order_or_no_type_is_no_filter(opened, none):
    channel = opened(b.nsx([], channels=[b.channel(1, high_pass=none, low_pass=(5000, 2, 9))])).channels[0]
    assert channel.high_pass is None
    assert channel.low_pass == (5.0, 2, "9"), "a type the documents do not name stays a number"


@pytest.mark.parametrize(("written", "bank"), [(0, 0), (1, 1), (9, 9), (13, 13), (ord("A"), 1), (ord("D"), 4)])
def test_nsx_c17_bank_letters_of_files_saved_again_become_numbers(opened, written, bank):
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
def test_nsx_c18_electrodes_and_analog_inputs_are_told_apart(opened, kind, electrode_id, bank, units, expected):
    head = b.channel(electrode_id, kind=kind, bank=bank, units=units)
    assert opened(b.nsx([], kind, channels=[head])).channels[0].kind == expected


def test_nsx_c19_ripple_splits_the_comment_and_starts_it_with_the_application(opened):
    data = b.nsx([(0, b.ramp(2, 1))], "ripple", comment=b"a remark", processor_tick=410825880)
    ns = opened(data)
    assert (ns.vendor, ns.application) == ("ripple", "Trellis.exe[1.14.4.41]")
    assert (ns.comment, ns.processor_tick) == ("a remark", 410825880)
    other = opened(b.nsx([(0, b.ramp(2, 1))], "2.2", comment=b"File Dialog"), "blackrock")
    assert (other.vendor, other.application, other.comment, other.processor_tick) == (
        "blackrock", "", "File Dialog", None
    )  # fmt: skip


def test_nsx_c20_nfx_samples_are_floats_in_their_unit_and_fc_ranges_are_floats(opened):
    samples = np.array([[1.5, -2.25], [1e-3, 4.0]], "<f4")
    heads = [b.channel(k, kind="nfx", analog=(-187485.39, 187485.39), units=unit) for k, unit in ((1, "uV"), (2, "mV"))]
    ns = opened(b.nsx([(0, samples)], "nfx", channels=heads, period=15))
    assert ns.dtype == np.float32
    assert ns.channels[0].analog_range == pytest.approx((-187485.39, 187485.39))
    assert all(math.isnan(end) for end in ns.channels[0].digital_range)
    np.testing.assert_array_equal(ns.read(), samples)
    np.testing.assert_allclose(ns.read(unit="uV"), samples * [1, 1000], rtol=1e-6)


def test_nsx_c20_nfx_floats_that_are_nan_pass_through(opened):
    samples = np.array([[np.nan], [np.inf], [-0.0]], "<f4")
    ns = opened(b.nsx([(0, samples)], "nfx"))
    assert ns.read().tobytes() == samples.tobytes()
    np.testing.assert_array_equal(ns.read(unit="uV"), samples)


# ---------------------------------------------------------------------------------------------------- blocks and time


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c21_each_pause_begins_a_segment_with_its_own_tick(opened, kind):
    data, samples = b.plausible(kind, n_samples=(5, 1, 4))
    ns = opened(data)
    assert counts(ns) == [5, 1, 4]
    assert [s.start_tick for s in ns.segments] == [210000, 210000 + 5 + 30000, 210000 + 6 + 60000]
    assert [(gap.after_segment, gap.kind, gap.missing_samples) for gap in ns.gaps] == [
        (0, "pause", 30000), (1, "pause", 30000)
    ]  # fmt: skip
    np.testing.assert_array_equal(all_samples(ns), samples)


@pytest.mark.parametrize(
    ("late", "n_segments"), [(-15, 2), (-14, 1), (-1, 1), (0, 1), (1, 1), (14, 1), (15, 2), (30, 2)]
)
def test_nsx_c22_blocks_that_adjoin_within_half_a_sample_are_one_segment(opened, late, n_segments):
    first, second = b.ramp(5, 2), b.ramp(4, 2, first=5)
    data = b.nsx([(100, first), (100 + 5 * 30 + late, second)], period=30)
    ns = opened(data)
    assert len(ns.segments) == n_segments
    assert len(ns.gaps) == n_segments - 1
    np.testing.assert_array_equal(all_samples(ns), np.concatenate([first, second]))
    if n_segments == 1:
        assert ns.segments[0].n_blocks == 2
        assert [len(block) for block in ns.segments[0].blocks] == [5, 4]
        stamps = [100 + 30 * k for k in range(5)] + [250 + late + 30 * k for k in range(4)]
        assert ns.segments[0].ticks().tolist() == stamps, "each block counts from its own tick"


def test_nsx_c22_a_whole_tick_of_a_clock_as_slow_as_the_samples_is_a_gap(opened):
    for late, kinds in ((0, []), (1, ["loss"]), (-1, ["overlap"])):
        ns = opened(b.nsx([(100, b.ramp(5, 1)), (105 + late, b.ramp(2, 1))]), f"{late}")
        assert [gap.kind for gap in ns.gaps] == kinds


@pytest.mark.parametrize(
    ("next_tick", "kind", "missing"),
    [
        (1000 + 10 + 3000, "pause", 3000),  # 0.1 s
        (1000 + 10 + 2999, "loss", 2999),
        (1000 + 11, "loss", 1),
        (1000 + 9, "overlap", -1),
        (1000, "overlap", -10),
        (999, "reset", -11),
        (0, "reset", -1010),
    ],
)
def test_nsx_c23_a_gap_is_a_pause_a_loss_an_overlap_or_a_reset(opened, next_tick, kind, missing):
    (gap,) = opened(b.nsx([(1000, b.ramp(10, 1)), (next_tick, b.ramp(2, 1))])).gaps
    assert (gap.after_segment, gap.kind, gap.missing_samples) == (0, kind, missing)
    assert gap.missing_samples_exact == missing
    assert gap.seconds == pytest.approx(missing / 30000)


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c24_zero_samples_in_the_last_header_means_to_the_end_of_the_file(opened, kind):
    kept, rest = b.ramp(5, 2, kind), b.ramp(6, 2, kind, first=5)
    data = b.nsx([(0, kept)], kind) + b.block(kind, 9000, rest, n_samples=0) + b"\x07"
    ns = warned(opened, data, nv.TruncatedFile, "expected a sample count, found 0 before .*; 6 samples kept")
    assert counts(ns) == [5, 6]
    assert ns.segments[1].start_tick == 9000
    assert ns.missing_bytes == 2 * ns.dtype.itemsize - 1
    np.testing.assert_array_equal(all_samples(ns), np.concatenate([kept, rest]))


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c25_zero_samples_before_another_block_is_an_empty_block(opened, kind):
    empty = b.ramp(0, 2, kind)
    blocks = [(0, empty), (0, b.ramp(5, 2, kind)), (5, empty), (5, empty), (9000, b.ramp(3, 2, kind)), (99999, empty)]
    ns = opened(b.nsx(blocks, kind))
    assert counts(ns) == [5, 3]
    assert (ns.missing_bytes, ns.damage) == (0, ())


def test_nsx_c25_samples_that_look_like_a_header_are_not_taken_for_one(opened):
    rest = np.frombuffer(b"\1" + bytes(3) + b"\1" + bytes(3) * 9, "<i2")[:, None]  # "1, tick, count" of no chain
    data = b.nsx([], channels=[b.channel(1)]) + b.block("2.3", 5, rest, n_samples=0)
    ns = warned(opened, data, nv.TruncatedFile, "found 0 before")
    np.testing.assert_array_equal(ns.segments[0].samples, rest)


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c26_a_block_cut_short_keeps_its_whole_samples(opened, kind):
    kept, rest = b.ramp(5, 3, kind), b.ramp(4, 3, kind, first=5)
    row = 3 * rest.dtype.itemsize
    for present in range(4 * row):
        data = b.nsx([(0, kept)], kind) + b.block(kind, 9000, rest)[: present - 4 * row]
        ns = warned(opened, data, nv.TruncatedFile, f"expected a block of 4 samples.*; {present // row} samples kept")
        assert ns.missing_bytes == 4 * row - present
        np.testing.assert_array_equal(all_samples(ns), np.concatenate([kept, rest[: present // row]]))
        ns.close()


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c27_bytes_that_are_no_block_header_end_the_data(opened, kind):
    kept = b.ramp(5, 2, kind)
    whole = b.nsx([(0, kept)], kind)
    data = whole + b.block(kind, 9000, b.ramp(4, 2, kind), flag=2)
    message = (
        rf"byte {len(whole)}: expected a block header \(byte 1\), found 2; the last {len(data) - len(whole)} bytes"
    )
    ns = warned(opened, data, nv.DamagedFile, message)
    assert (ns.missing_bytes, ns.damage[0].offset) == (0, len(whole))
    np.testing.assert_array_equal(all_samples(ns), kept)


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c28_too_few_bytes_for_a_header_are_left_out(opened, kind):
    whole = b.nsx([(0, b.ramp(5, 2, kind))], kind)
    size = 13 if kind == "3.0" else 9
    for left in range(1, size):
        ns = warned(
            opened, whole + b"\1" * left, nv.TruncatedFile, "expected a block header, found the end of the file"
        )
        assert (ns.missing_bytes, ns.n_samples) == (size - left, 5)
        ns.close()


def test_nsx_c29_blocks_of_one_sample_are_kept(opened):
    blocks = [(0, b.ramp(1, 2)), (300001, b.ramp(1, 2, first=1)), (300002, b.ramp(1, 2, first=2))]
    ns = opened(b.nsx(blocks))
    assert counts(ns) == [1, 2], "the second and third adjoin"
    np.testing.assert_array_equal(all_samples(ns), b.ramp(3, 2))


def test_nsx_c30_packets_of_one_sample_are_told_by_the_packets_not_by_the_clock(opened):
    samples = b.ramp(40, 2)
    as_packets = opened(b.nsx([(10**15, samples)], "ptp"), "packets")
    slow_clock = opened(b.nsx([(500, samples)], "ptp", tick_rate=30000), "slow")
    as_blocks = opened(b.nsx([(10**15, samples)], "3.0", tick_rate=1_000_000_000), "blocks")
    for ns in (as_packets, slow_clock, as_blocks):
        np.testing.assert_array_equal(ns.segments[0].samples, samples)
        assert len(ns.segments) == 1
    assert as_packets.segments[0].samples.strides == (4 + 13, 2)
    assert as_blocks.segments[0].samples.strides == (4, 2)


def test_nsx_c30_a_first_block_of_one_sample_does_not_make_packets(opened):
    blocks = [(0, b.ramp(1, 2)), (10**12, b.ramp(50, 2, first=1)), (2 * 10**12, b.ramp(1, 2, first=51))]
    ns = opened(b.nsx(blocks, "3.0", tick_rate=1_000_000_000))
    assert counts(ns) == [1, 50, 1]
    np.testing.assert_array_equal(all_samples(ns), b.ramp(52, 2))


def test_nsx_c30_a_count_of_two_is_no_packet_of_one_sample(opened):
    data = b.nsx([(10**15, b.ramp(9, 2))], "ptp") + b.block("ptp", 2 * 10**15, b.ramp(1, 2, first=9), n_samples=2)
    ns = warned(opened, data, nv.TruncatedFile, "expected a block of 2 samples.*; 1 samples kept")
    assert ns.missing_bytes == 4
    np.testing.assert_array_equal(all_samples(ns), b.ramp(10, 2))


def test_nsx_c31_packets_keep_their_own_timestamps(opened):
    jitter = np.random.default_rng(1).integers(-900, 900, 50)
    ticks = 1_700_000_000_000_000_001 + np.arange(50) * 33333 + jitter
    head = b.basic("ptp", 2, tick_rate=10**9) + b.channel(1) + b.channel(2)
    ns = opened(head + b.packets(ticks, b.ramp(50, 2)))
    stamps = ns.segments[0].ticks()
    assert stamps.dtype == np.uint64
    assert stamps.tolist() == ticks.tolist(), "to the nanosecond, which float64 cannot"
    assert ns.segments[0].ticks(3, 7).tolist() == ticks[3:7].tolist()
    since = ns.segments[0].seconds(origin_tick=int(ticks[0]))
    np.testing.assert_allclose(since, (ticks - ticks[0]) / 1e9, rtol=0, atol=1e-12)


STEPS = [33333, 33334, 33320, 20000, 46000, 16667, 16666, 16665, 50000, 49999, 50001, 10**9, 0, -(10**6), -(10**8)]


@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=30))
def test_nsx_c32_a_step_half_a_sample_off_breaks_a_run_of_packets(opened, steps):
    ticks = np.cumsum([10**15, *steps])
    ns = opened(b.basic("ptp", 1, tick_rate=10**9) + b.channel(1) + b.packets(ticks, b.ramp(len(ticks), 1)))
    nominal = Fraction(10**9, 30000)
    breaks = [k + 1 for k, step in enumerate(steps) if abs(step - nominal) >= nominal / 2]
    edges = [0, *breaks, len(ticks)]
    assert counts(ns) == np.diff(edges).tolist()
    assert [segment.start_tick for segment in ns.segments] == [int(ticks[k]) for k in edges[:-1]]
    assert [gap.missing_samples_exact for gap in ns.gaps] == pytest.approx(
        [float((steps[k - 1] - nominal) / nominal) for k in breaks]
    )
    ns.close()


def test_nsx_c32_a_packet_cut_short_is_left_out(opened):
    data, samples = b.plausible("ptp", n_samples=(6,))
    for cut in range(1, 13 + 6):
        ns = warned(opened, data[:-cut], nv.TruncatedFile, "expected whole samples of 19 bytes, found")
        assert (ns.n_samples, ns.missing_bytes) == (5, cut)
        np.testing.assert_array_equal(ns.segments[0].samples, samples[:5])
        ns.close()


def test_nsx_c33_bytes_behind_the_last_whole_sample_of_2_1_are_left_out(opened):
    data, samples = b.plausible("2.1")
    ns = warned(opened, data + b"\1\2\3\4", nv.TruncatedFile, "expected whole samples of 6 bytes, found 4 at the end")
    assert (ns.n_samples, ns.missing_bytes) == (9, 2)
    np.testing.assert_array_equal(ns.segments[0].samples, samples)


@pytest.mark.parametrize("kind", b.KINDS)
def test_nsx_c34_no_channels_is_no_samples_and_a_warning(opened, kind):
    ns = warned(opened, b.nsx([], kind, channels=[]), nv.DamagedFile, "expected at least one channel, found 0")
    assert (ns.n_channels, ns.n_samples, ns.segments, ns.gaps, ns.channels) == (0, 0, (), (), ())
    assert list(ns.chunks()) == []
    with pytest.raises(ValueError, match="the file holds no samples"):
        ns.read()


@pytest.mark.parametrize("kind", b.KINDS)
def test_nsx_c34_a_period_of_0_is_refused(opened, kind):
    with pytest.raises(nv.FormatError, match="expected a sampling period of 1 or more, found 0") as refused:
        opened(b.nsx([(0, b.ramp(2, 1, kind))], kind, period=0))
    assert refused.value.offset == (24 if kind == "2.1" else 286)


def test_nsx_c34_a_resolution_of_0_is_taken_for_30000(opened):
    data = bytearray(b.nsx([(0, b.ramp(2, 1))]))
    data[290:294] = bytes(4)
    ns = warned(opened, bytes(data), nv.DamagedFile, "byte 290: expected a timestamp resolution, found 0")
    assert ns.tick_rate == 30000


@pytest.mark.parametrize("kind", b.KINDS)
@pytest.mark.parametrize("claimed", [4, 65535, 2**32 - 1])
def test_nsx_c35_more_channels_than_the_file_holds_are_refused(opened, kind, claimed):
    data = bytearray(b.nsx([], kind))
    at = 28 if kind == "2.1" else 310
    data[at : at + 4] = struct.pack("<I", claimed)
    with pytest.raises(
        nv.FormatError, match=f"expected at most 2 channels, found {claimed} channels in a file of"
    ) as no:
        opened(bytes(data))
    assert no.value.offset == at


@pytest.mark.parametrize("kind", ["2.3", "nfx"])
def test_nsx_c36_a_channel_header_of_another_type_is_read_and_reported(opened, kind):
    heads = [b.channel(1, kind=kind), b.channel(2, kind=kind, type=b"XX")]
    samples = b.ramp(3, 2, kind)
    at = 314 + 66
    ns = warned(
        opened, b.nsx([(0, samples)], kind, channels=heads), nv.DamagedFile, f"byte {at}: expected channel header 1"
    )  # fmt: skip
    assert ns.electrode_ids.tolist() == [1, 2]
    np.testing.assert_array_equal(all_samples(ns), samples)


# ------------------------------------------------------------------------------------------------ the reading surface

i16, u32 = st.integers(-(2**15), 2**15 - 1), st.integers(0, 2**32 - 1)
stage = st.tuples(u32, u32, st.integers(0, 2**16 - 1))


@given(
    electrode_id=st.integers(0, 2**16 - 1),
    label=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=16),
    place=st.tuples(st.integers(0, 64), st.integers(0, 255)),
    ranges=st.tuples(i16, i16, i16, i16),
    stages=st.tuples(stage, stage),
    basic=st.fixed_dictionaries({"period": st.integers(1, 2**32 - 1), "tick_rate": st.integers(1, 2**32 - 1)}),
)
def test_any_header_reads_as_it_was_built(opened, electrode_id, label, place, ranges, stages, basic):
    head = b.channel(
        electrode_id, label=label, bank=place[0], pin=place[1], digital=ranges[:2], analog=ranges[2:],
        high_pass=stages[0], low_pass=stages[1],
    )  # fmt: skip
    ns = opened(b.nsx([(7, b.ramp(3, 2))], channels=[b.channel(1), head], **basic))
    channel = ns.channels[1]
    assert (channel.electrode_id, channel.label, (channel.bank, channel.pin)) == (electrode_id, label, place)
    assert (*channel.digital_range, *channel.analog_range) == ranges
    for built, found in zip(stages, (channel.high_pass, channel.low_pass), strict=True):
        absent = built[0] in (0, 2**32 - 1) or 0 in built[1:]
        assert found is None if absent else found[:2] == (built[0] / 1000, built[1])
    assert (ns.period, ns.tick_rate) == (basic["period"], basic["tick_rate"])
    assert ns.segments[0].ticks().tolist() == [7 + k * ns.period * ns.tick_rate // 30000 for k in range(3)]
    ns.close()


shapes = st.tuples(st.sampled_from(b.KINDS), st.integers(1, 5), st.lists(st.integers(1, 12), min_size=1, max_size=4))


@given(shape=shapes, data=st.data())
def test_read_is_numpys_own_slice(opened, shape, data):
    kind, n_channels, n_samples = shape
    raw, samples = b.plausible(kind, n_channels, tuple(n_samples))
    ns = opened(raw)
    if kind == "2.1":
        n_samples = [sum(n_samples)]
    segment = data.draw(st.integers(-len(n_samples), len(n_samples) - 1))
    edges = np.cumsum([0, *n_samples])
    truth = samples[edges[segment % len(n_samples)] : edges[segment % len(n_samples) + 1]]
    start, stop = data.draw(st.tuples(*[st.none() | st.integers(-15, 15)] * 2))
    columns = data.draw(
        st.lists(st.integers(-n_channels, n_channels - 1), max_size=7)
        | st.lists(st.booleans(), min_size=n_channels, max_size=n_channels)
        | st.slices(n_channels)
    )
    want = truth[start:stop][:, columns if isinstance(columns, slice) or columns else slice(0, 0)]
    got = ns.read(start, stop, segment=segment, channels=columns)
    assert got.dtype == ns.dtype
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(
        np.ascontiguousarray(ns.segments[segment].ticks(start, stop)), ns.segments[segment].ticks()[start:stop]
    )
    ns.close()


@given(shape=shapes, size=st.integers(1, 15))
def test_chunks_cover_everything_once_and_in_order(opened, shape, size):
    kind, n_channels, n_samples = shape
    raw, samples = b.plausible(kind, n_channels, tuple(n_samples))
    ns = opened(raw)
    chunks = list(ns.chunks(size))
    np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in chunks]), samples)
    assert all(1 <= len(chunk.samples) <= size for chunk in chunks)
    for chunk in chunks:
        part = ns.segments[chunk.segment].samples[chunk.start : chunk.start + len(chunk.samples)]
        np.testing.assert_array_equal(chunk.samples, part)
        assert np.shares_memory(chunk.samples, ns.segments[chunk.segment].samples)
    ns.close()


@given(
    kind=st.sampled_from(b.KINDS),
    period=st.integers(1, 70),
    tick_rate=st.sampled_from([1000, 30000, 44100, 10**6, 10**9]),
    start=st.integers(0, 2**31),
    tick=st.integers(-50, 4000),
)
def test_find_is_the_first_sample_that_is_not_before_a_tick(opened, kind, period, tick_rate, start, tick):
    samples = b.ramp(40, 1, kind)
    later = start + 20 * period * tick_rate // 30000
    blocks = [(start, samples[:20]), (later, samples[20:])]
    ns = opened(b.nsx(blocks, kind, period=period, tick_rate=tick_rate))
    for segment in ns.segments:
        stamps = segment.ticks().tolist()
        target = segment.start_tick + tick * tick_rate // 30000
        assert segment.find(target) == sum(stamp < target for stamp in stamps)
    ns.close()


def test_find_is_exact_on_nanosecond_clocks_of_today(opened):
    start = 1_700_000_000_000_000_001
    ns = opened(b.nsx([(start, b.ramp(9, 1))], "ptp"))
    stamps = [start + k * 10**9 // 30000 for k in range(9)]
    assert [ns.segments[0].find(stamp) for stamp in stamps] == list(range(9))
    assert [ns.segments[0].find(stamp + 1) for stamp in stamps] == list(range(1, 10))


@pytest.mark.parametrize("kind", b.KINDS)
def test_samples_are_read_only_views_of_the_file(opened, kind):
    raw, _ = b.plausible(kind)
    ns = opened(raw)
    for segment in ns.segments:
        samples = segment.samples
        assert not samples.flags.writeable
        assert np.shares_memory(samples, segment.samples), "no copy"
        assert np.shares_memory(samples, ns.read(1, 3, segment=segment.index)), "nor in read"
        assert np.shares_memory(samples, ns.read(segment=segment.index, channels=slice(2, None))), "nor of columns"
        assert np.shares_memory(samples, ns.read(segment=segment.index, channels=[0, 2])), "nor of even ones"
        with pytest.raises(ValueError, match="read-only"):
            samples[0, 0] = 1


def test_columns_are_taken_by_view_only_where_they_lie_evenly(opened):
    raw, samples = b.plausible("2.3", 6, (8,))
    ns = opened(raw)
    for columns, is_view in (([0, 1, 2], 1), ([1, 3, 5], 1), ([4], 1), ([0, 1, 3], 0), ([5, 4], 0), ([2, 2], 0)):
        taken = ns.read(channels=columns)
        np.testing.assert_array_equal(taken, samples[:, columns])
        assert np.shares_memory(taken, ns.segments[0].samples) == bool(is_view), columns


def test_blocks_of_one_segment_are_views_and_their_sum_is_not(opened):
    ns = opened(b.nsx([(0, b.ramp(3, 2)), (3, b.ramp(3, 2, first=3))]))
    (segment,) = ns.segments
    assert [block.flags.writeable for block in segment.blocks] == [False, False]
    assert all(np.shares_memory(chunk.samples, segment.blocks[k]) for k, chunk in enumerate(ns.chunks()))
    assert not any(np.shares_memory(segment.samples, block) for block in segment.blocks)
    np.testing.assert_array_equal(ns.read(2, 4), b.ramp(6, 2)[2:4])


def test_microvolts_of_scattered_columns_are_those_of_all(opened):
    samples = np.random.default_rng(2).integers(-32768, 32767, (9000, 4)).astype("<i2")
    heads = [b.channel(k + 1, analog=(-100 * k - 1, 8191)) for k in range(4)]
    ns = opened(b.nsx([(0, samples[:5000]), (5000, samples[5000:])], channels=heads))
    whole = ns.read(unit="uV")
    want = samples * np.array([c.uv_per_bit for c in ns.channels]) + np.array([c.uv_offset for c in ns.channels])
    np.testing.assert_allclose(whole, want, rtol=1e-5, atol=1e-2)
    np.testing.assert_array_equal(ns.read(10, 8000, channels=[3, 0, 2], unit="uV"), whole[10:8000, [3, 0, 2]])
    assert whole.flags.writeable


def test_seconds_count_from_tick_0_or_from_an_origin(opened):
    ns = opened(b.nsx([(60000, b.ramp(4, 1))], period=15))
    (segment,) = ns.segments
    np.testing.assert_allclose(segment.seconds(), 2 + np.arange(4) / 2000)
    np.testing.assert_allclose(segment.seconds(1, 3, origin_tick=60030), [-0.0005, 0.0])
    assert segment.seconds(2, 2).shape == (0,)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"electrodes": [1, 77, 80]}, KeyError, "no electrode 77, 80; there are electrodes 1-3"),
        ({"channels": [3]}, ValueError, "expected columns 0 to 2"),
        ({"channels": [0.5]}, ValueError, "expected columns as integers"),
        ({"channels": [True]}, ValueError, "expected columns as integers or a mask of 3"),
        ({"channels": [2**70]}, ValueError, "expected columns"),
        ({"channels": [0], "electrodes": [1]}, ValueError, "expected one way to choose columns"),
        ({"unit": "mV"}, ValueError, "expected unit 'raw' or 'uV', found 'mV'"),
        ({"segment": 2}, ValueError, r"expected a segment \(0 to 1\), found 2"),
        ({"segment": -3}, ValueError, r"expected a segment \(0 to 1\), found -3"),
    ],
)
def test_a_request_for_what_is_not_there_says_what_is(opened, request_, error, message):
    ns = opened(b.plausible("2.3")[0])
    with pytest.raises(error, match=message):
        ns.read(**request_)


def test_columns_are_chosen_by_number_id_label_or_kind(opened):
    heads = [b.channel(4), b.channel(2, label="odd[1]"), b.analog_input(1), b.channel(7, label="elec*")]
    ns = opened(b.nsx([(0, b.ramp(2, 4))], channels=heads))
    assert ns.columns().tolist() == [0, 1, 2, 3]
    assert ns.columns(channels=[3, 0, -1]).tolist() == [3, 0, 3]
    assert ns.columns(channels=np.array([3, 0], np.uint64)).tolist() == [3, 0]
    assert ns.columns(electrodes=[7, 4]).tolist() == [3, 0]
    assert ns.columns(labels="ainp1").tolist() == [2]
    assert ns.columns(labels=["odd[1]", "elec4"]).tolist() == [1, 0], "a name counts before a pattern"
    assert ns.columns(labels="elec*").tolist() == [3]
    assert ns.columns(labels="elec?").tolist() == [0, 3]
    assert ns.columns(kind="neural").tolist() == [0, 1, 3]
    with pytest.raises(KeyError, match="no label 'x'; there are labels elec4"):
        ns.columns(labels="x")
    with pytest.raises(KeyError, match="no other channels; there are analog, neural channels"):
        ns.columns(kind="other")


def test_a_label_twice_is_refused_by_name_and_taken_by_pattern(opened):
    ns = opened(b.nsx([], channels=[b.channel(1, label="a"), b.channel(2, label="a")]))
    with pytest.raises(ValueError, match=r"label 'a' is in columns \[0, 1\]"):
        ns.columns(labels="a")
    assert ns.columns(labels="a*").tolist() == [0, 1]


def test_opening_costs_one_header_per_block_and_no_handle(opened):
    from builders.handles import open_files

    n_blocks = 20_000
    data = b.nsx([(3 * k, b.ramp(1, 1)) for k in range(n_blocks)])
    before = len(open_files())
    ns = opened(data)
    assert len(open_files()) - before <= 1
    assert counts(ns) == [1] * n_blocks
    assert sum(int(segment.samples[0, 0]) for segment in ns.segments) == 0
    assert len(open_files()) - before <= 2, "the file, and one map of all of it"
    assert len(ns.gaps) == n_blocks - 1


@pytest.mark.parametrize("kind", b.KINDS)
def test_the_exact_file_is_the_same_open_file(opened, kind):
    from builders.handles import open_files

    ns = opened(b.plausible(kind)[0])
    assert [segment.n_samples for segment in ns.segments] == counts(ns)
    before = open_files()
    exact = ns.exactly()
    assert counts(exact) == counts(ns)
    assert np.shares_memory(exact.segments[0].samples, ns.segments[0].samples)
    assert len(open_files()) <= len(before) + 1, "one map at most"
    ns.close()
    assert exact.closed


@pytest.mark.parametrize("kind", b.KINDS)
def test_a_file_pickles_as_reopen_this_path(opened, kind):
    data, samples = b.plausible(kind)
    ns = opened(data)
    frozen = pickle.dumps(ns)
    assert len(frozen) < 1000, "no samples in it"
    with pickle.loads(frozen) as again:
        np.testing.assert_array_equal(all_samples(again), samples)
        assert [channel.label for channel in again.channels] == [channel.label for channel in ns.channels]
    with open(ns.path, "r+b") as file:
        file.seek(30 if kind != "2.1" else 10)
        file.write(b"!")
    with pytest.raises(nv.FormatError, match="expected the headers of the file that was pickled"):
        pickle.loads(frozen)


def test_chunks_of_nothing_are_refused(opened):
    with pytest.raises(ValueError, match="expected chunks of 1 sample or more, found 0"):
        next(opened(b.plausible("2.3")[0]).chunks(0))


def test_threads_share_one_file(opened):
    ns, truth, wrong = opened(b.plausible("2.3", 3, (400,))[0]), b.ramp(400, 3), []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(100):
            a, z = sorted(rng.integers(0, 400, 2).tolist())
            if not np.array_equal(ns.read(a, z, channels=[2, 0]), truth[a:z, [2, 0]]):
                wrong.append((a, z))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert wrong == []


def test_a_failed_opening_leaves_no_handle(file_of):
    from builders.handles import open_files

    before = open_files()
    for k, data in enumerate([b"", b"NEURALCD\2\3", b.nsx([], period=0)]):
        with pytest.raises(nv.FormatError):
            nv.open_nsx(file_of(data, f"{k}.ns5"))
    assert open_files() == before


def test_missing_files_and_folders_are_the_systems_own_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        nv.open_nsx(tmp_path / "nothing.ns5")
    with pytest.raises(IsADirectoryError):
        nv.open_nsx(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.ns5")
    with pytest.raises(nv.FormatError, match="expected a regular file, found a device, pipe or socket"):
        nv.open_nsx(tmp_path / "pipe.ns5")
