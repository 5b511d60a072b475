# SPDX-License-Identifier: MIT
"""Array maps and what is refused as none: claims C01 to C07 and C13 of `spec_notes/maps.md`."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from depth import searched
from fixture_types import FileOf, Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from maps.arrays import LEGEND, Read, Refused, channel, channels, cmp_of, rows_of
from nevparse.maps.positions import MapElectrode

# ------------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("head", [LEGEND, "Cerebus mapping for array 4391-5\n", LEGEND.replace("//\t", "  //\t")])
def test_maps_c01_comments_blank_lines_and_line_ends_mean_nothing(read: Read, head, end) -> None:
    text = head + "\n\t\t\t\n 0  5 A  1 chan1 \t\t\n1\t5   \tA\t2\tchan2 // the second\n\n//1 4 B 1 no\n\t\t\n"
    arrays = read(text.replace("\n", end).encode())
    assert arrays.descriptions == ("Cerebus mapping for array 4391-5",)
    assert arrays.electrodes == (MapElectrode(0, 5, 1, 1, "chan1"), MapElectrode(1, 5, 1, 2, "chan2"))


def test_maps_c01_two_slashes_within_a_label_are_no_comment(read: Read) -> None:
    arrays = read(b"map\n0 0 A 1 a//b\n1 0 A 2 http://x y\n2 0 A 3 c // d\n3 0 A 4 // e\n//4 0 A 5 f")
    assert [electrode.label for electrode in arrays.electrodes] == ["a//b", "http://x y", "c", ""]


def test_maps_c01_a_description_that_is_not_there_costs_no_electrode(read: Read) -> None:
    arrays = read(b"// no description\n0 0 A 1 one\n1 0 A 2 two")
    assert (arrays.descriptions, len(arrays.electrodes)) == (("",), 2)


def test_maps_c01_what_an_old_editor_puts_at_the_end_is_no_line(read: Read) -> None:
    assert len(read(cmp_of(rows_of()) + b"\x1a").electrodes) == 96


@given(order=st.permutations(range(40)))
def test_maps_c02_rows_stand_in_any_order(read: Read, order) -> None:
    rows = rows_of(40)
    whole, mixed = read(cmp_of(rows)), read(cmp_of([rows[k] for k in order]))
    assert set(whole.electrodes) == set(mixed.electrodes)
    of = [whole.positions_of(channels(40)), mixed.positions_of(channels(40))]
    np.testing.assert_array_equal(of[0].um, of[1].um)


def test_maps_c02_a_label_may_be_missing_and_may_have_spaces(read: Read) -> None:
    arrays = read(b"map\n0 0 A 1\n1 0 A 2 left 2\n2 0 A 3 7")
    assert [electrode.label for electrode in arrays.electrodes] == ["", "left 2", "7"]


def test_maps_c03_a_comment_of_field_names_says_which_is_which(read: Read) -> None:
    arrays = read(b"map\n// label, elec bank row col\nx 5 C 4 3\n//c r b e\n1 2 a 3\n//c r b e l and more\n2 2 A 4 y z")
    assert arrays.electrodes[0] == MapElectrode(3, 4, 3, 5, "x")
    assert arrays.electrodes[1] == MapElectrode(1, 2, 1, 3, "")
    assert arrays.pitches_um == (400.0,)


def test_maps_c03_an_unknown_comment_leaves_the_fields_as_they_were(read: Read) -> None:
    arrays = read(b"map\n//row col bank elec\n1 2 A 3\n// bank B\n//c c r b e\n//c r b e what\n2 5 A 4")
    assert [(electrode.column, electrode.row) for electrode in arrays.electrodes] == [(2, 1), (5, 2)]


def test_maps_c03_with_sizes_columns_and_rows_are_micrometres(read: Read) -> None:
    arrays = read(b"probe\n//col row bank elec size label\n0 0 A 1 12 one\n20 40 A 2 12")
    assert [electrode.label for electrode in arrays.electrodes] == ["one", ""]
    assert arrays.positions_of(channels(2)).um.tolist() == [[0, 0], [20, 40]]
    assert arrays.positions_of(channels(2), pitch_um=2).um.tolist() == [[0, 0], [40, 80]]


def test_maps_c04_x_is_to_the_right_and_y_upwards_at_400_um(read: Read) -> None:
    arrays = read(b"map\n0 1 A 1 upper left\n3 0 A 2 lower right")
    of = arrays.positions_of(channels(2))
    assert of.um.tolist() == [[0, 400], [1200, 0]]
    assert of.um.dtype == np.float64
    assert arrays.positions_of(channels(2), pitch_um=250).um.tolist() == [[0, 250], [750, 0]]
    assert "a.cmp, joined by bank and pin, 400 µm" in of.statement
    assert (of.is_map, of.unplaced, of.arrays.tolist()) == (True, (), [1, 1])


@pytest.mark.parametrize("pitch", [0, -400, float("nan"), float("inf")])
def test_maps_c04_a_pitch_is_a_distance(read: Read, pitch) -> None:
    with pytest.raises(ValueError, match="expected a pitch in µm above 0"):
        read(b"map\n0 1 A 1").positions_of(channels(1), pitch_um=pitch)


def test_maps_c05_bank_a_is_bank_1_as_in_the_recording(read: Read, opened: Opened) -> None:
    rows = ["9\t9\tA\t1", "0 0 A 32 ", "5 5 d 7", "5 6 D 255"]
    arrays = read(cmp_of(rows))
    assert [(electrode.bank, electrode.pin) for electrode in arrays.electrodes] == [(1, 1), (1, 32), (4, 7), (4, 255)]
    assert [electrode.location for electrode in arrays.electrodes] == ["A1", "A32", "D7", "D255"]
    heads = [
        b.channel(1, pin=1),
        b.channel(2, pin=32),
        b.channel(3, bank=4, pin=7),
        b.channel(4, bank=ord("D"), pin=255),
    ]
    ns = opened(b.nsx([(0, np.zeros((1, 4)))], "2.3", channels=heads))
    assert arrays.positions_of(ns.channels).um.tolist() == [[3600, 3600], [0, 0], [2000, 2000], [2000, 2400]]


@pytest.mark.parametrize(
    ("data", "label"),
    [
        (b"map \xb5\n0 0 A 1 \xb5V\n", "µV"),
        (b"\xef\xbb\xbfmap\n0 0 A 1 \xc2\xb5V\n", "µV"),
        (b"map\n0 0 A 1 \x81\x80\n", "\x81\x80"),
        (b"map\n0 0 A 1 \x80\n", "€"),
    ],
)
def test_maps_c06_text_is_that_of_windows_or_marked_utf8(read: Read, data, label) -> None:
    assert read(data).electrodes[0].label == label


def test_maps_c06_labels_are_those_of_the_recording(read: Read, opened: Opened) -> None:
    ns = opened(b.nsx([(0, np.zeros((1, 1)))], "2.3", channels=[b.channel(1, label="µ1".encode())]))
    assert read("map\n3 0 A 1 µ1\n".encode()).positions_of(ns.channels, by="label").um.tolist() == [[1200, 0]]


# ---------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "line",
    ["0 1 B x elec", "0 1 B", "x", "0 1 2 1", "0 1 BA 1", "0 1 AB 1", "0 1 * 1", "0 1 B 0", "0 1 B 256", "-1 0 B 1",
     "0.5 0 B 1", "1_0 0 B 1", "١ 0 B 1", "0 1 Ä 1", "0 1 B ²", "1" * 5000 + " 0 B 1", "1000000 0 B 1", "more 2"],
)  # fmt: skip
def test_maps_c07_a_line_that_is_no_electrode_is_refused_with_its_place(refused: Refused, line) -> None:
    before = b"\xef\xbb\xbf" + LEGEND.encode() + b"0\t0\tA\t1\telec1\r\n"
    error = refused(before + line.encode() + b"\n1 1 A 2\n")
    assert error.offset == len(before)
    number = before.count(b"\n") + 1
    assert error.expected == f"an electrode (column row bank pin label, where banks are letters) in line {number}"
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("rows", "where", "what"),
    [
        (["0 0 A 1", "1 0 A 2", "0 0 B 1"], 2, "column 0, row 0, which line 8 has too; give each array a file"),
        (["0 0 A 1", "1 0 A 2", "2 0 a 1 x"], 2, "A1, which line 8 has too"),
    ],
)
def test_maps_c07_two_electrodes_at_one_place_or_pin_are_refused(refused: Refused, rows, where, what: str) -> None:
    data = cmp_of(rows)
    error = refused(data)
    assert error.offset == data.index(rows[where].encode())
    assert what in error.found
    assert f"in line {8 + where}" in error.expected


@pytest.mark.parametrize(
    ("data", "found", "offset"),
    [
        (b"", "none", 0),
        (b"\xef\xbb\xbf", "none", 0),
        (b"// only\n//comments\n", "none", 0),
        (b"only a description\n", "none", 0),
        (b"0 0 A 1\nno description\n", "'no description'", 8),
        (b"map\n0 0 A 1\0\n", "byte 0x00", 11),
        ("map\n0 0 A 1\n".encode("utf-16"), "byte 0x00", 3),
        (b.nsx([(0, np.zeros((1, 1)))], "2.3"), "starts with b'NEURALCD'", 8),
        (b"map\n" + b" " * 2**20, "more", 2**20),
    ],
)
def test_maps_c07_what_is_no_map_is_refused(refused: Refused, data, found, offset) -> None:
    error = refused(data)
    assert found in error.found
    assert error.offset == offset


def test_maps_c07_a_recording_given_by_mistake_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "large.ns6"
    with open(path, "wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    with pytest.raises(nv.FormatError, match="expected a map of at most 1048576 bytes"):
        nv.read_cmp(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_maps_c07_a_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        nv.read_cmp(tmp_path / "none.cmp")
    with pytest.raises(TypeError):
        nv.read_cmp([0])  # type: ignore[list-item]


# ------------------------------------------------------------------------------------------------------ any bytes


def read_or_refuse(path):
    """A map that can be used, or our own error."""
    try:
        arrays = nv.read_cmp(path)
    except nv.FormatError as refusal:
        error = refusal
    else:
        found = [channel(k, bank=e.bank, pin=e.pin) for k, e in enumerate(arrays.electrodes)]
        assert np.isfinite(arrays.positions_of(found).um).all()
        return
    assert error.path == path
    assert 0 <= error.offset <= 2**20


@given(st.binary(max_size=300) | st.text("0 1A/\n\tcolrwbanke9", max_size=200).map(str.encode))
def test_maps_c13_any_bytes_are_a_map_or_an_error(file_of: FileOf, data) -> None:
    read_or_refuse(file_of(data, "any.cmp"))


@searched("n_flips", 50, 2000)
def test_maps_c13_cut_and_flipped_maps_are_maps_or_errors(file_of: FileOf, n_flips) -> None:
    whole = b"\xef\xbb\xbf" + cmp_of(rows_of(8))
    for stop in range(0, len(whole), 1 + 500 // n_flips):
        read_or_refuse(file_of(whole[:stop], "cut.cmp"))
    choice = random.Random(7)
    for _ in range(n_flips):
        flipped = bytearray(whole)
        for _ in range(choice.randint(1, 3)):
            flipped[choice.randrange(len(whole))] = choice.randrange(256)
        read_or_refuse(file_of(bytes(flipped), "flipped.cmp"))
