# SPDX-License-Identifier: MIT
"""The whole of a file is its bytes, and of a damaged one its sound part: C01 and C02 of `spec_notes/writing.md`."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from fixture_types import Cut, NevOf, Opened, RealFile
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from export.native.cutting import WHOLE, every_kind, every_nev, quietly

# ------------------------------------------------------------------------------------------------------ whole files


@pytest.mark.usefixtures("small_buffers")
@given(kind=st.sampled_from(b.KINDS), n_channels=st.integers(1, 9), n_samples=st.lists(st.integers(1, 30), min_size=1))
def test_writing_c01_the_whole_of_a_file_is_its_bytes(
    opened: Opened, cut: Cut, kind: str, n_channels, n_samples
) -> None:
    raw, _ = b.plausible(kind, n_channels, tuple(n_samples))
    ns = opened(raw)
    assert cut(ns) == raw
    assert cut(ns, channels=range(n_channels), start_tick=0, segments=slice(None)) == raw
    ns.close()


@pytest.mark.parametrize("what", WHOLE)
def test_writing_c01_the_whole_of_an_odd_file_is_its_bytes(opened: Opened, cut: Cut, what: str) -> None:
    ns = quietly(opened, WHOLE[what])
    assert {place.code for place in ns.damage} <= {"unknown-version"}
    assert cut(ns) == WHOLE[what]


@pytest.mark.parametrize("what", ["over 32 bits", "adjoining", "a hidden block", "the clock set back", "shuffled"])
def test_writing_c01_and_c03_taking_it_block_by_block_gives_the_same(
    opened: Opened, cut: Cut, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the way that copies the whole."""
    ns = opened(WHOLE[what])
    monkeypatch.setattr(ns._recorded, "damage", (nv.Damage("header-size", 10, "as if"),))
    assert cut(ns) == WHOLE[what]


@every_nev
@pytest.mark.usefixtures("small_buffers")
def test_writing_c01_the_whole_of_a_nev_is_its_bytes(nev_of: NevOf, cut: Cut, version, ripple) -> None:
    raw = n.every_kind(version, ripple)
    nev = nev_of(raw)
    assert cut(nev) == raw
    assert cut(nev, start_tick=0, electrodes=[*nev.electrodes, 300]) == raw, "the same, packet by packet"


def test_writing_c01_a_nev_without_packets_is_its_bytes(nev_of: NevOf, cut: Cut) -> None:
    raw = n.nev(headers=[n.wav(1)])
    assert cut(nev_of(raw)) == raw


@pytest.mark.parametrize(
    "name",
    ["mne_real_2.3.ns3", "mne_synthetic_2.2.ns3", "mne_synthetic_3.0.ns3", "l101210-001.ns2", "l101210-001-02.nev",
     "limblab_datafile001.nev", "ripple_testData.nev", "ripple_testData.ns2", "ripple_hires.nf3", "labwritten.ns1"],
)  # fmt: skip
def test_writing_c01_real_recordings_come_out_byte_for_byte(real_file: RealFile, cut: Cut, name) -> None:
    path = real_file(name)
    if path.suffix == ".nev":
        with nv.open_nev(path) as nev:
            assert cut(nev) == cut(nev, start_tick=0) == path.read_bytes()
    else:
        with nv.open_nsx(path) as ns:
            assert cut(ns) == cut(ns, channels=range(ns.n_channels)) == path.read_bytes()


# --------------------------------------------------------------------------------------------------------- crashes


@every_kind
def test_writing_c02_a_crash_cut_file_comes_out_whole(opened: Opened, cut: Cut, kind: str) -> None:
    raw, _ = b.plausible(kind, 3, (40, 25))
    short = quietly(opened, raw[:-50])
    data = cut(short)
    again = opened(data, "again.ns5")
    assert again.damage == ()
    assert again.missing_bytes == 0
    assert again.n_samples == short.n_samples < 65
    for one, other in zip(short.segments, again.segments, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_array_equal(one.ticks(), other.ticks())
    assert cut(again) == data


def test_writing_c02_a_block_that_was_never_closed_is_closed(opened: Opened, cut: Cut) -> None:
    samples = b.ramp(20, 2)
    open_ = b.nsx([]) + b.block("2.3", 700, samples, n_samples=0)
    assert cut(quietly(opened, open_ + b"\x07")) == b.nsx([(700, samples)])


def test_writing_c02_what_is_no_block_is_left_out(opened: Opened, cut: Cut) -> None:
    raw = b.nsx([(700, b.ramp(9, 2))])
    assert cut(quietly(opened, raw + b"\xfejunk that is no header")) == raw


def test_writing_c02_a_wrong_count_of_header_bytes_is_put_right(opened: Opened, cut: Cut) -> None:
    wrong = b.nsx([(700, b.ramp(9, 2))], header_bytes=17)
    assert cut(quietly(opened, wrong)) == b.nsx([(700, b.ramp(9, 2))])


@every_nev
def test_writing_c02_a_cut_nev_comes_out_whole(nev_of: NevOf, cut: Cut, version, ripple) -> None:
    raw = n.every_kind(version, ripple)
    size = struct.unpack_from("<I", raw, 16)[0]
    assert cut(quietly(nev_of, raw[:-7])) == raw[:-size]


def test_writing_c02_a_nev_with_a_wrong_count_of_headers(nev_of: NevOf, cut: Cut) -> None:
    packets, headers = [n.V2.spike(5, 1, 0)], [n.wav(1), n.wav(2)]
    wrong = n.nev(packets, headers, n_extended=1)
    assert cut(quietly(nev_of, wrong)) == n.nev(packets, headers[:1])


def test_writing_c02_real_recordings_come_out_whole(
    real_file: RealFile, opened: Opened, nev_of: NevOf, cut: Cut
) -> None:
    nev = quietly(nv.open_nev, real_file("labwritten.NEV"))
    with nev:
        data = cut(nev)
    assert data == real_file("labwritten.NEV").read_bytes()[:-12]
    again = nev_of(data)
    assert (again.n_packets, again.damage) == (11, ())
    with quietly(nv.open_nsx, real_file("mne_synthetic_2.1.ns3")) as ns:
        assert cut(ns) == real_file("mne_synthetic_2.1.ns3").read_bytes()[:-9]
