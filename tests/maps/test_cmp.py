# SPDX-License-Identifier: MIT
"""Array maps: claims C01 to C13 of `spec_notes/maps.md`."""

from __future__ import annotations

import itertools
import pickle
import random
import tracemalloc
from types import SimpleNamespace

from builders import nsx as b
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.maps import ARRAY_GAP_UM, MapElectrode

LEGEND = """// Auto generated mapfile\t\t
//\t\t
// Data is as follows 'c r b e l'
//   col - 0 based column from left to right
// Comments begin with //
Cerebus mapping for array 4391-5\t\t
//col\trow\tbank\telec\tlabel
"""


def rows_of(n_electrodes: int = 96, width: int = 10, name: str = "elec{}") -> list[str]:
    """An array whose pins run through its grid in steps of 7, so that no order is that of another."""
    places = [(k % width, k // width) for k in range(n_electrodes)]
    order = [k * 7 % n_electrodes for k in range(n_electrodes)]
    return [
        f"{column}\t{row}\t{'ABCDEFGH'[pin // 32]}\t{pin % 32 + 1}\t{name.format(pin + 1)}"
        for (column, row), pin in zip(places, order, strict=True)
    ]


def cmp_of(rows: list[str], head: str = LEGEND) -> bytes:
    return (head + "\n".join(rows) + "\n").encode("cp1252")


def channel(k: int, *, bank: int | None = None, pin: int | None = None, label: str | None = None, kind: str = "neural"):
    return SimpleNamespace(
        index=k, electrode_id=k + 1, kind=kind, label=f"elec{k + 1}" if label is None else label,
        bank=k // 32 + 1 if bank is None else bank, pin=k % 32 + 1 if pin is None else pin,
    )  # fmt: skip


def channels(n: int = 96, first: int = 0) -> list:
    return [channel(k) for k in range(first, first + n)]


AINP = channel(96, bank=1, pin=1, label="ainp1", kind="analog")


@pytest.fixture
def read(file_of):
    """Write maps and read them."""

    def read_(*data: bytes, **options):
        paths = [file_of(one, f"{'abcd'[k]}.cmp") for k, one in enumerate(data)]
        return nv.read_cmp(paths if len(paths) > 1 else paths[0], **options)

    return read_


@pytest.fixture
def refused(read):
    """The error of a map that is refused."""

    def refused_(data: bytes) -> nv.FormatError:
        with pytest.raises(nv.FormatError) as caught:
            read(data)
        assert caught.value.path.endswith("a.cmp")
        return caught.value

    return refused_


# ------------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("head", [LEGEND, "Cerebus mapping for array 4391-5\n", LEGEND.replace("//\t", "  //\t")])
def test_maps_c01_comments_blank_lines_and_line_ends_mean_nothing(read, head, end):
    text = head + "\n\t\t\t\n 0  5 A  1 chan1 \t\t\n1\t5   \tA\t2\tchan2 // the second\n\n//1 4 B 1 no\n\t\t\n"
    arrays = read(text.replace("\n", end).encode())
    assert arrays.descriptions == ("Cerebus mapping for array 4391-5",)
    assert arrays.electrodes == (MapElectrode(0, 5, 1, 1, "chan1"), MapElectrode(1, 5, 1, 2, "chan2"))


def test_maps_c01_a_description_that_is_not_there_costs_no_electrode(read):
    arrays = read(b"// no description\n0 0 A 1 one\n1 0 A 2 two")
    assert (arrays.descriptions, len(arrays.electrodes)) == (("",), 2)


def test_maps_c01_what_an_old_editor_puts_at_the_end_is_no_line(read):
    assert len(read(cmp_of(rows_of()) + b"\x1a").electrodes) == 96


@given(order=st.permutations(range(40)))
def test_maps_c02_rows_stand_in_any_order(read, order):
    rows = rows_of(40)
    whole, mixed = read(cmp_of(rows)), read(cmp_of([rows[k] for k in order]))
    assert set(whole.electrodes) == set(mixed.electrodes)
    of = [whole.positions_of(channels(40)), mixed.positions_of(channels(40))]
    np.testing.assert_array_equal(of[0].um, of[1].um)


def test_maps_c02_a_label_may_be_missing_and_may_have_spaces(read):
    arrays = read(b"map\n0 0 A 1\n1 0 A 2 left 2\n2 0 A 3 7")
    assert [electrode.label for electrode in arrays.electrodes] == ["", "left 2", "7"]


def test_maps_c03_a_comment_of_field_names_says_which_is_which(read):
    arrays = read(b"map\n// label, elec bank row col\nx 5 C 4 3\n//c r b e\n1 2 a 3\n//c r b e l and more\n2 2 A 4 y z")
    assert arrays.electrodes[0] == MapElectrode(3, 4, 3, 5, "x")
    assert arrays.electrodes[1] == MapElectrode(1, 2, 1, 3, "")
    assert arrays.pitches_um == (400.0,)


def test_maps_c03_an_unknown_comment_leaves_the_fields_as_they_were(read):
    arrays = read(b"map\n//row col bank elec\n1 2 A 3\n// bank B\n//c c r b e\n//c r b e what\n2 5 A 4")
    assert [(electrode.column, electrode.row) for electrode in arrays.electrodes] == [(2, 1), (5, 2)]


def test_maps_c03_with_sizes_columns_and_rows_are_micrometres(read):
    arrays = read(b"probe\n//col row bank elec size label\n0 0 A 1 12 one\n20 40 A 2 12")
    assert [electrode.label for electrode in arrays.electrodes] == ["one", ""]
    assert arrays.positions_of(channels(2)).um.tolist() == [[0, 0], [20, 40]]
    assert arrays.positions_of(channels(2), pitch_um=2).um.tolist() == [[0, 0], [40, 80]]


def test_maps_c04_x_is_to_the_right_and_y_upwards_at_400_um(read):
    arrays = read(b"map\n0 1 A 1 upper left\n3 0 A 2 lower right")
    of = arrays.positions_of(channels(2))
    assert of.um.tolist() == [[0, 400], [1200, 0]]
    assert of.um.dtype == np.float64
    assert arrays.positions_of(channels(2), pitch_um=250).um.tolist() == [[0, 250], [750, 0]]
    assert "a.cmp, joined by bank and pin, 400 µm" in of.statement
    assert (of.is_map, of.unplaced, of.arrays.tolist()) == (True, (), [1, 1])


@pytest.mark.parametrize("pitch", [0, -400, float("nan"), float("inf")])
def test_maps_c04_a_pitch_is_a_distance(read, pitch):
    with pytest.raises(ValueError, match="expected a pitch in µm above 0"):
        read(b"map\n0 1 A 1").positions_of(channels(1), pitch_um=pitch)


def test_maps_c05_bank_a_is_bank_1_as_in_the_recording(read, opened):
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
def test_maps_c06_text_is_that_of_windows_or_marked_utf8(read, data, label):
    assert read(data).electrodes[0].label == label


def test_maps_c06_labels_are_those_of_the_recording(read, opened):
    ns = opened(b.nsx([(0, np.zeros((1, 1)))], "2.3", channels=[b.channel(1, label="µ1".encode())]))
    assert read("map\n3 0 A 1 µ1\n".encode()).positions_of(ns.channels, by="label").um.tolist() == [[1200, 0]]


# ---------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "line",
    ["0 1 B x elec", "0 1 B", "x", "0 1 2 1", "0 1 BA 1", "0 1 AB 1", "0 1 * 1", "0 1 B 0", "0 1 B 256", "-1 0 B 1",
     "0.5 0 B 1", "1_0 0 B 1", "١ 0 B 1", "0 1 Ä 1", "0 1 B ²", "1" * 5000 + " 0 B 1", "1000000 0 B 1", "more 2"],
)  # fmt: skip
def test_maps_c07_a_line_that_is_no_electrode_is_refused_with_its_place(refused, line):
    before = b"\xef\xbb\xbf" + LEGEND.encode() + b"0\t0\tA\t1\telec1\r\n"
    error = refused(before + line.encode() + b"\n1 1 A 2\n")
    assert error.offset == len(before)
    number = before.count(b"\n") + 1
    assert error.expected == f"an electrode (column row bank pin label, where banks are letters) in line {number}"
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("rows", "where", "what"),
    [
        (["0 0 A 1", "1 0 A 2", "0 0 B 1"], 2, "column 0, row 0 again, which line 8 has; give each array a file"),
        (["0 0 A 1", "1 0 A 2", "2 0 a 1 x"], 2, "A1 again, which line 8 has"),
    ],
)
def test_maps_c07_two_electrodes_at_one_place_or_pin_are_refused(refused, rows, where, what):
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
def test_maps_c07_what_is_no_map_is_refused(refused, data, found, offset):
    error = refused(data)
    assert found in error.found
    assert error.offset == offset


def test_maps_c07_a_recording_given_by_mistake_is_not_loaded(tmp_path):
    path = tmp_path / "large.ns6"
    with open(path, "wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    with pytest.raises(nv.FormatError, match="expected a map of at most 1048576 bytes"):
        nv.read_cmp(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_maps_c07_a_file_that_is_not_there_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        nv.read_cmp(tmp_path / "none.cmp")
    with pytest.raises(TypeError):
        nv.read_cmp([0])


# -------------------------------------------------------------------------------------------------------------- joins


def test_maps_c08_channels_are_joined_by_bank_and_pin(read):
    arrays = read(cmp_of(rows_of(96, name="elec1-{}")))
    order = random.Random(1).sample(range(96), 96)
    mixed = [channels()[k] for k in order]
    place = {(e.bank, e.pin): [e.column * 400, e.row * 400] for e in arrays.electrodes}
    assert arrays.positions_of(mixed).um.tolist() == [place[c.bank, c.pin] for c in mixed]


def test_maps_c08_by_label_and_by_id_on_request(read):
    arrays = read(cmp_of(rows_of(96, name="site{}")))
    by_pin = arrays.positions_of(channels())
    elsewhere = [channel(k, bank=3 - k // 32, label=f"site{k + 1}") for k in range(96)]
    np.testing.assert_array_equal(arrays.positions_of(elsewhere, by="label").um, by_pin.um)
    nameless = [channel(k, bank=0, pin=0, label="") for k in range(96)]
    of = arrays.positions_of(nameless, by="id")
    np.testing.assert_array_equal(of.um, by_pin.um)
    assert "joined by electrode id" in of.statement


def test_maps_c08_of_version_2_1_electrodes_are_joined_by_id(read, opened):
    ns = opened(b.nsx([(0, np.zeros((1, 3)))], "2.1", channels=[b.channel(k, kind="2.1") for k in (1, 33, 2)]))
    arrays = read(b"map\n0 0 A 1\n1 0 A 2\n2 0 B 1")
    with pytest.raises(ValueError, match=r"expected bank and pin .* found channels without: column 0 ''.*by='id'"):
        arrays.positions_of(ns.channels)
    assert arrays.positions_of(ns.channels, by="id").um[:, 0].tolist() == [0, 800, 400]


@pytest.mark.parametrize(
    ("by", "names", "what"),
    [
        ("pin", [channel(0), channel(1), channel(0, label="again")], "column 0 'elec1' and column 0 'again'"),
        ("label", [channel(0), channel(1, label="elec1")], "column 0 'elec1' and column 1 'elec1'"),
        ("id", [channel(0), channel(1), channel(1)], "column 1 'elec2' and column 1 'elec2'"),
    ],
)
def test_maps_c08_what_cannot_be_told_apart_is_refused(read, by, names, what):
    with pytest.raises(ValueError, match="found the same for") as caught:
        read(b"map\n0 0 A 1 elec1\n1 0 A 2 elec2").positions_of(names, by=by)
    assert what in str(caught.value)
    assert f"by={by!r}" not in str(caught.value)


def test_maps_c08_labels_that_repeat_in_the_map_are_no_way_to_join(read):
    with pytest.raises(ValueError, match="the same for A1 'x' of the map and A2 'x' of the map"):
        read(b"map\n0 0 A 1 x\n1 0 A 2 x").positions_of([channel(0, label="x")], by="label")


def test_maps_c08_a_way_to_join_that_is_none_is_refused(read):
    with pytest.raises(ValueError, match="expected by='pin' or by='label' or by='id', found 'bank'"):
        read(b"map\n0 0 A 1 x").positions_of(channels(1), by="bank")


@pytest.mark.parametrize(
    ("of_map", "of_recording", "partial", "said"),
    [
        (96, (0, 128), True, "have 128 (A 1-32, B 1-32, C 1-32, D 1-32), a.cmp has 96 (A 1-32, B 1-32, C 1-32)"),
        (96, (0, 128), True, "only the channels have 32 (D 1-32), only the map has none: give this array's map, say"),
        (64, (64, 64), True, "have 64 (C 1-32, D 1-32), a.cmp has 64 (A 1-32, B 1-32)"),
        (64, (64, 64), True, "only the map has 64 (A 1-32, B 1-32): give this array's map, say first_bank"),
        (16, (0, 32), True, "have 32 (A 1-32), a.cmp has 16 (A 1-16); only the channels have 16 (A 17-32)"),
        (32, (0, 16), False, "only the channels have none, only the map has 16 (A 17-32): give"),
        (32, (0, 16), False, "give this array's map, or say partial=True"),
        (128, (0, 96), False, "only the channels have none, only the map has 32 (D 1-32)"),
    ],
)
def test_maps_c09_a_map_of_other_electrodes_is_refused_with_both_sides(read, of_map, of_recording, partial, said):
    arrays = read(cmp_of(rows_of(of_map)))
    wanted = channels(of_recording[1], of_recording[0])
    for part in (False, partial):
        with pytest.raises(ValueError, match="expected a map of the electrodes that were recorded") as caught:
            arrays.positions_of(wanted, partial=part)
        assert said in str(caught.value)


def test_maps_c09_by_other_keys_both_sides_are_listed_too(read):
    arrays = read(cmp_of(rows_of(20, name="a{}")))
    with pytest.raises(ValueError, match=r"by label the channels have 20 \(elec1, elec10, .* and 8 more\)"):
        arrays.positions_of(channels(20), by="label")
    with pytest.raises(ValueError, match=r"have 20 \(21-40\), a.cmp has 20 \(1-20\)"):
        arrays.positions_of(channels(20, 20), by="id")
    with pytest.raises(ValueError, match=r"a.cmp has none; only the channels have 1 \(x\)"):
        read(b"map\n0 0 A 1").positions_of([channel(0, label="x")], by="label")
    with pytest.raises(ValueError, match=r"the channels have 1 \(bank 200 1\)"):
        arrays.positions_of([channel(0, bank=200, pin=1)])


def test_maps_c09_part_of_an_array_is_taken_on_request(read):
    arrays = read(cmp_of(rows_of()))
    whole = arrays.positions_of(channels()).um
    np.testing.assert_array_equal(arrays.positions_of(channels()[5:40:5], partial=True).um, whole[5:40:5])


@pytest.mark.parametrize("wanted", [[], [AINP], [channel(0, kind="other", bank=7)]])
def test_maps_c09_a_choice_that_chooses_no_electrode_is_refused(read, wanted):
    with pytest.raises(ValueError, match=r"expected (at least one channel|a map of the electrodes)"):
        read(b"map\n0 0 A 1").positions_of(wanted, partial=True)


def test_maps_c10_analog_inputs_are_named_and_have_no_place(read, opened):
    arrays = read(cmp_of(rows_of(2)))
    heads = [b.channel(1, pin=1), b.analog_input(1, bank=1), b.channel(2, pin=2), b.analog_input(2)]
    of = arrays.positions_of(opened(b.nsx([(0, np.zeros((1, 4)))], "2.3", channels=heads)).channels)
    assert np.isnan(of.um[[1, 3]]).all()
    assert not np.isnan(of.um[[0, 2]]).any()
    assert (of.unplaced, of.arrays.tolist()) == ((1, 3), [1, 0, 1, 0])
    assert of.unplaced_names == ("column 1 'ainp1'", "column 3 'ainp2'")
    assert arrays.positions_of([*channels(2), channel(5, kind="other", bank=9)]).unplaced == (2,)


def test_maps_c10_names_are_safe_to_print(read):
    assert read(b"map\n0 0 A 1").positions_of(
        [channel(0), channel(1, label="\x1b[31m", kind="other")]
    ).unplaced_names == ("column 1 '\\\\x1b[31m'",)


# ----------------------------------------------------------------------------------------------------- several arrays


def test_maps_c11_arrays_stand_side_by_side(read):
    a, z = cmp_of(rows_of(64, 8, "elec1-{}")), cmp_of(rows_of(64, 8, "elec1-{}"), "second\n")
    arrays = read(a, z, first_bank="ac")
    assert arrays.descriptions == ("Cerebus mapping for array 4391-5", "second")
    of = arrays.positions_of(channels(128))
    first, second = of.um[:64], of.um[64:]
    assert of.arrays.tolist() == [1] * 64 + [2] * 64
    assert second[:, 0].min() - first[:, 0].max() == ARRAY_GAP_UM == 4000
    np.testing.assert_array_equal(second - first, [[7 * 400 + 4000, 0]] * 64)
    assert "a.cmp, b.cmp" in of.statement


def test_maps_c11_arrays_of_one_file_stand_where_it_has_them(read):
    of = read(b"two arrays\n0 18 B 1 elec2-1\n0 6 A 2 elec1-1").positions_of([channel(1), channel(32)])
    assert of.um.tolist() == [[0, 6 * 400], [0, 18 * 400]]
    assert of.arrays.tolist() == [1, 1]


def test_maps_c11_what_is_far_to_the_right_already_stays(read):
    near, far = b"map\n7 0 A 1", b"map\n30 0 A 1"
    wanted = [channel(0), channel(32)]
    assert read(near, near, first_bank="AB").positions_of(wanted).um[:, 0].tolist() == [2800, 6800]
    assert read(near, far, first_bank="AB").positions_of(wanted).um[:, 0].tolist() == [2800, 12000]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 30)), min_size=1, max_size=4),
    st.sampled_from([None, 50.0, 9999]),
)
def test_maps_c11_no_electrode_lies_on_another(read, shapes, pitch):
    files = [cmp_of([f"{shift + k % 3} {k // 3} A {k + 1}" for k in range(n)]) for n, shift in shapes]
    arrays = read(*files, first_bank="ACEG"[: len(files)])
    wanted = [channel(k, bank=2 * i + 1, pin=k + 1) for i, (n, _) in enumerate(shapes) for k in range(n)]
    of = arrays.positions_of(wanted, pitch_um=pitch)
    assert len(np.unique(of.um, axis=0)) == len(wanted)
    for one, other in itertools.pairwise(range(1, len(files) + 1)):
        assert of.um[of.arrays == other, 0].min() - of.um[of.arrays == one, 0].max() >= ARRAY_GAP_UM


def test_maps_c11_two_headstages_whose_maps_both_start_at_a(read):
    data = cmp_of(rows_of(128, 12, "elec1-{}"))
    with pytest.raises(ValueError, match=r"found A1 in both .*a\.cmp and .*b\.cmp: say with first_bank"):
        read(data, data)
    arrays = read(data, data, first_bank="AE")
    assert {electrode.bank for electrode in arrays.electrodes if electrode.array == 2} == {5, 6, 7, 8}
    assert arrays.positions_of(channels(256)).arrays.tolist() == [1] * 128 + [2] * 128
    with pytest.raises(ValueError, match="expected label to tell them apart"):
        arrays.positions_of(channels(256), by="label")


@pytest.mark.parametrize("first_bank", ["", "AB", "1", "Ä"])
def test_maps_c11_first_bank_is_a_letter_a_file(read, first_bank):
    with pytest.raises(ValueError, match="expected first_bank as 1 letters A to Z"):
        read(b"map\n0 0 A 1", first_bank=first_bank)


def test_maps_c11_there_is_no_bank_beyond_z(read):
    assert read(b"map\n0 0 A 1", first_bank="z").electrodes[0].location == "Z1"
    with pytest.raises(ValueError, match="expected banks up to Z"):
        read(b"map\n0 0 B 1", first_bank="Z")
    with pytest.raises(ValueError, match="expected at least one map"):
        nv.read_cmp([])


# --------------------------------------------------------------------------------------------------------------- grid


@given(n=st.integers(1, 300))
def test_maps_c12_without_a_map_there_is_a_plain_grid(n):
    of = nv.plain_grid(channels(n), pitch_um=10)
    width = int(of.um[:, 0].max() / 10) + 1
    assert (width - 1) ** 2 < n <= width**2
    assert of.um.tolist() == [[k % width * 10, k // width * 10] for k in range(n)]
    assert not of.is_map
    assert "not where the electrodes are: there is no map" in of.statement
    assert (of.unplaced, set(of.arrays.tolist())) == ((), {1})


def test_maps_c12_the_grid_has_the_usual_pitch_and_needs_channels():
    assert nv.plain_grid([channel(0), AINP]).um.tolist() == [[0, 0], [400, 0]]
    with pytest.raises(ValueError, match="expected at least one channel"):
        nv.plain_grid([])
    with pytest.raises(ValueError, match="expected a pitch"):
        nv.plain_grid(channels(1), pitch_um=-1)


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
def test_maps_c13_any_bytes_are_a_map_or_an_error(file_of, data):
    read_or_refuse(file_of(data, "any.cmp"))


def test_maps_c13_cut_and_flipped_maps_are_maps_or_errors(file_of):
    whole = b"\xef\xbb\xbf" + cmp_of(rows_of(8))
    for stop in range(len(whole)):
        read_or_refuse(file_of(whole[:stop], "cut.cmp"))
    choice = random.Random(7)
    for _ in range(500):
        flipped = bytearray(whole)
        for _ in range(choice.randint(1, 3)):
            flipped[choice.randrange(len(whole))] = choice.randrange(256)
        read_or_refuse(file_of(bytes(flipped), "flipped.cmp"))


def test_maps_and_positions_cannot_be_changed_and_travel_to_workers(read):
    arrays = read(cmp_of(rows_of()))
    assert pickle.loads(pickle.dumps(arrays)) == arrays
    of = pickle.loads(pickle.dumps(arrays.positions_of([*channels(), AINP])))
    np.testing.assert_array_equal(of.um, arrays.positions_of([*channels(), AINP]).um)
    with pytest.raises(AttributeError):
        arrays.electrodes = ()
    for array in (arrays.positions_of(channels()).um, nv.plain_grid(channels()).arrays):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
