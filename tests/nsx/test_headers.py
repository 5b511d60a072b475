# SPDX-License-Identifier: MIT
"""Headers and what is wrong with them: C07 to C10 and C34 to C36 of `spec_notes/nsx.md`."""

from __future__ import annotations

import struct
from datetime import datetime, timezone

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nsx.files import all_samples, warned

# ----------------------------------------------------------------------------------------------------------- headers


def test_nsx_c07_data_starts_where_the_header_says(opened: Opened) -> None:
    samples = b.ramp(4, 2)
    head = b.basic("2.3", 2, header_bytes=314 + 2 * 66 + 40) + b.channel(1) + b.channel(2)
    ns = opened(head + b"\xee" * 40 + b.block("2.3", 0, samples))
    np.testing.assert_array_equal(ns.segments[0].samples, samples)
    assert ns.damage == ()


@pytest.mark.parametrize("stated", [0, 314 + 131, 10**6, 2**32 - 1])
def test_nsx_c07_a_data_start_that_cannot_be_is_replaced(opened: Opened, stated) -> None:
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
def test_nsx_c08_text_ends_at_its_first_nul_and_always_decodes(opened: Opened, raw, text) -> None:
    data = b.nsx([(0, b.ramp(2, 1))], channels=[b.channel(1, label=raw)], label=raw, comment=raw)
    ns = opened(data)
    assert ns.channels[0].label == ns.label == text
    assert ns.comment == text


def test_nsx_c08_no_bytes_make_text_fail(opened: Opened) -> None:
    for first in range(0, 256, 16):
        raw = bytes(range(first, first + 16))
        assert isinstance(opened(b.nsx([], channels=[b.channel(1, label=raw)]), f"{first}").channels[0].label, str)


@pytest.mark.parametrize("kind", b.KINDS)
def test_nsx_c09_the_sampling_rate_is_30000_over_the_period(opened: Opened, kind: str) -> None:
    for period in (1, 3, 15, 60, 7):
        ns = opened(b.nsx([(0, b.ramp(2, 1, kind))], kind, period=period, tick_rate=1_000_000_000), f"{period}")
        assert ns.sampling_rate == 30000 / period


def test_nsx_c10_the_origin_is_utc_and_an_impossible_one_is_none(opened: Opened) -> None:
    origin = opened(b.nsx([(0, b.ramp(2, 1))], origin=(2023, 6, 77, 14, 10, 30, 5, 250))).time_origin
    assert origin == datetime(2023, 6, 14, 10, 30, 5, 250_000, timezone.utc), "the day of the week is not read"
    for k, words in enumerate([(0,) * 8, (65535,) * 8, (2023, 2, 0, 30, 0, 0, 0, 0), (2023, 6, 0, 14, 24, 0, 0, 0)]):
        assert opened(b.nsx([(0, b.ramp(2, 1))], origin=words), f"{k}").time_origin is None


# ---------------------------------------------------------------------------------------------------- blocks and time


@pytest.mark.parametrize("kind", b.KINDS)
def test_nsx_c34_no_channels_is_no_samples_and_a_warning(opened: Opened, kind: str) -> None:
    ns = warned(opened, b.nsx([], kind, channels=[]), nv.DamagedFile, "expected at least one channel, found 0")
    assert (ns.n_channels, ns.n_samples, ns.segments, ns.gaps, ns.channels) == (0, 0, (), (), ())
    assert list(ns.chunks()) == []
    with pytest.raises(ValueError, match="the file holds no samples"):
        ns.read()


@pytest.mark.parametrize("kind", b.KINDS)
def test_nsx_c34_a_period_of_0_is_refused(opened: Opened, kind: str) -> None:
    with pytest.raises(nv.FormatError, match="expected a sampling period of 1 or more, found 0") as refused:
        opened(b.nsx([(0, b.ramp(2, 1, kind))], kind, period=0))
    assert refused.value.offset == (24 if kind == "2.1" else 286)


def test_nsx_c34_a_resolution_of_0_is_taken_for_30000(opened: Opened) -> None:
    data = bytearray(b.nsx([(0, b.ramp(2, 1))]))
    data[290:294] = bytes(4)
    ns = warned(opened, bytes(data), nv.DamagedFile, "byte 290: expected a timestamp resolution, found 0")
    assert ns.tick_rate == 30000


@pytest.mark.parametrize("kind", b.KINDS)
@pytest.mark.parametrize("claimed", [4, 65535, 2**32 - 1])
def test_nsx_c35_more_channels_than_the_file_holds_are_refused(opened: Opened, kind: str, claimed) -> None:
    data = bytearray(b.nsx([], kind))
    at = 28 if kind == "2.1" else 310
    data[at : at + 4] = struct.pack("<I", claimed)
    with pytest.raises(
        nv.FormatError, match=f"expected at most 2 channels, found {claimed} channels in a file of"
    ) as no:
        opened(bytes(data))
    assert no.value.offset == at


@pytest.mark.parametrize("kind", ["2.3", "nfx"])
def test_nsx_c36_a_channel_header_of_another_type_is_read_and_reported(opened: Opened, kind: str) -> None:
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
def test_any_header_reads_as_it_was_built(opened: Opened, electrode_id, label, place, ranges, stages, basic) -> None:
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
