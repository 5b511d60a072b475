# SPDX-License-Identifier: MIT
"""What an NSx file is, known by its first bytes: claims C01 to C06 of `spec_notes/nsx.md`."""

from __future__ import annotations

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened

import nevparse as nv
from nsx.files import all_samples, warned


@pytest.mark.parametrize("kind", b.KINDS)
def test_nsx_c01_the_first_bytes_decide_whatever_the_name(opened: Opened, kind: str) -> None:
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
        (b"// Subject ID: x\n", r"text, as array maps \(.cmp\) are"),
        (b"<?xml version='1.0'?><CCF/>", "XML, as configurations"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
        (b"NEURALEV\2\3" + bytes(400), r"a NEV file \(use open_nev\)"),
        (b"BREVENTS\3\0" + bytes(400), r"a NEV file \(use open_nev\)"),
    ],
)
def test_nsx_c01_other_files_are_refused_by_name(opened: Opened, data, found) -> None:
    with pytest.raises(nv.FormatError, match=f"expected an NSx file, by its first 8 bytes, found {found}") as refused:
        opened(data)
    assert refused.value.offset == 0
    assert refused.value.path.endswith("s.ns5")


def test_nsx_c01_a_header_that_breaks_off_is_refused(opened: Opened) -> None:
    for size in (8, 9, 10, 313):
        with pytest.raises(nv.FormatError, match="the end of the file"):
            opened(b.basic("2.3", 0)[:size])


@pytest.mark.parametrize(("written", "read_as"), [((2, 4), "2.3"), ((2, 0), "2.2"), ((2, 255), "2.3")])
def test_nsx_c02_an_unknown_minor_version_is_read_as_the_nearest(opened: Opened, written, read_as) -> None:
    data = b.nsx([(0, b.ramp(3, 2))], version=written)
    message = "file specification {}.{} is not known; read as ".format(*written) + read_as
    assert warned(opened, data, nv.UnknownVersion, message).spec == read_as


@pytest.mark.parametrize("kind", ["2.3", "3.0", "nfx"])
def test_nsx_c02_an_unknown_major_version_is_refused(opened: Opened, kind: str) -> None:
    with pytest.raises(nv.UnsupportedVersion, match=r"expected file specification .*, found 7\.1") as refused:
        opened(b.nsx([(0, b.ramp(3, 2))], kind, version=(7, 1)))
    assert refused.value.offset == 8


def test_nsx_c03_neuralsg_is_2_1_and_all_its_samples_count(opened: Opened) -> None:
    samples = b.ramp(20, 2)
    ns = opened(b.nsx([(0, samples)], "2.1", ids=[137, 70000], period=30))
    assert (ns.spec, ns.n_samples, ns.sampling_rate, ns.tick_rate) == ("2.1", 20, 1000, 30000)
    assert ns.electrode_ids.tolist() == [137, 70000], "32 bits"
    assert (ns.time_origin, ns.comment, ns.segments[0].start_tick) == (None, "", 0)
    assert ns.segments[0].ticks(18, 20).tolist() == [18 * 30, 19 * 30]
    np.testing.assert_array_equal(ns.segments[0].samples, samples)


def test_nsx_c04_2_2_and_2_3_hold_the_same_bytes(opened: Opened) -> None:
    data, samples = b.plausible("2.2")
    other = bytearray(data)
    other[9] = 3
    first, second = opened(data, "a"), opened(bytes(other), "b")
    assert (first.spec, second.spec) == ("2.2", "2.3")
    assert first.channels == second.channels
    np.testing.assert_array_equal(all_samples(second), samples)


def test_nsx_c05_3_0_differs_by_its_64_bit_tick_alone(opened: Opened) -> None:
    tick = 2**40 + 3
    ns = opened(b.nsx([(tick, b.ramp(3, 2))], "3.0"))
    assert ns.segments[0].start_tick == tick
    assert ns.segments[0].ticks().tolist() == [tick, tick + 1, tick + 2]


def test_nsx_c06_blocks_follow_each_other_without_padding(opened: Opened) -> None:
    data, samples = b.plausible("2.3", n_channels=1, n_samples=(1, 2, 3))
    ns = opened(data)
    offsets = [next(segment.extents(0, 1)).offset for segment in ns.segments]
    start = 314 + 66
    assert offsets == [start + 9, start + 9 + 2 + 9, start + 9 + 2 + 9 + 4 + 9]
    assert {offset % 2 for offset in offsets} == {0, 1}, "odd offsets are normal"
    np.testing.assert_array_equal(all_samples(ns), samples)
