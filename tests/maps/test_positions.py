# SPDX-License-Identifier: MIT
"""Channels joined to places: claims C08 to C12 of `spec_notes/maps.md`."""

from __future__ import annotations

import itertools
import pickle
import random

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from maps.arrays import AINP, Read, channel, channels, cmp_of, rows_of
from nevparse.maps.positions import ARRAY_GAP_UM

# -------------------------------------------------------------------------------------------------------------- joins


def test_maps_c08_channels_are_joined_by_bank_and_pin(read: Read) -> None:
    arrays = read(cmp_of(rows_of(96, name="elec1-{}")))
    order = random.Random(1).sample(range(96), 96)
    mixed = [channels()[k] for k in order]
    place = {(e.bank, e.pin): [e.column * 400, e.row * 400] for e in arrays.electrodes}
    assert arrays.positions_of(mixed).um.tolist() == [place[c.bank, c.pin] for c in mixed]


def test_maps_c08_channels_are_joined_by_label_or_id_on_request(read: Read) -> None:
    arrays = read(cmp_of(rows_of(96, name="site{}")))
    by_pin = arrays.positions_of(channels())
    elsewhere = [channel(k, bank=3 - k // 32, label=f"site{k + 1}") for k in range(96)]
    np.testing.assert_array_equal(arrays.positions_of(elsewhere, by="label").um, by_pin.um)
    nameless = [channel(k, bank=0, pin=0, label="") for k in range(96)]
    of = arrays.positions_of(nameless, by="id")
    np.testing.assert_array_equal(of.um, by_pin.um)
    assert "joined by electrode id" in of.statement


def test_maps_c08_of_version_2_1_electrodes_are_joined_by_id(read: Read, opened: Opened) -> None:
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
def test_maps_c08_what_cannot_be_told_apart_is_refused(read: Read, by, names, what: str) -> None:
    with pytest.raises(ValueError, match="found the same for") as caught:
        read(b"map\n0 0 A 1 elec1\n1 0 A 2 elec2").positions_of(names, by=by)
    assert what in str(caught.value)
    assert f"by={by!r}" not in str(caught.value)


def test_maps_c08_labels_that_repeat_in_the_map_are_no_way_to_join(read: Read) -> None:
    with pytest.raises(ValueError, match="the same for A1 'x' of the map and A2 'x' of the map"):
        read(b"map\n0 0 A 1 x\n1 0 A 2 x").positions_of([channel(0, label="x")], by="label")


def test_maps_c08_a_way_to_join_that_is_none_is_refused(read: Read) -> None:
    with pytest.raises(ValueError, match="expected by='pin' or by='label' or by='id', found 'bank'"):
        read(b"map\n0 0 A 1 x").positions_of(channels(1), by="bank")


@pytest.mark.parametrize(
    ("of_map", "of_recording", "partial", "said"),
    [
        (96, (0, 128), True, "have 128 (A 1-32, B 1-32, C 1-32, D 1-32), a.cmp has 96 (A 1-32, B 1-32, C 1-32)"),
        (
            96,
            (0, 128),
            True,
            "only the channels have 32 (D 1-32), only the map has none: give this array's map, first_bank",
        ),
        (64, (64, 64), True, "have 64 (C 1-32, D 1-32), a.cmp has 64 (A 1-32, B 1-32)"),
        (64, (64, 64), True, "only the map has 64 (A 1-32, B 1-32): give this array's map, first_bank"),
        (16, (0, 32), True, "have 32 (A 1-32), a.cmp has 16 (A 1-16); only the channels have 16 (A 17-32)"),
        (32, (0, 16), False, "only the channels have none, only the map has 16 (A 17-32): give"),
        (32, (0, 16), False, "give this array's map, or partial=True"),
        (128, (0, 96), False, "only the channels have none, only the map has 32 (D 1-32)"),
    ],
)
def test_maps_c09_a_map_of_other_electrodes_is_refused_with_both_sides(
    read: Read, of_map, of_recording, partial, said
) -> None:
    arrays = read(cmp_of(rows_of(of_map)))
    wanted = channels(of_recording[1], of_recording[0])
    for part in (False, partial):
        with pytest.raises(ValueError, match="expected a map of the electrodes that were recorded") as caught:
            arrays.positions_of(wanted, partial=part)
        assert said in str(caught.value)


def test_maps_c09_by_other_keys_both_sides_are_listed_too(read: Read) -> None:
    arrays = read(cmp_of(rows_of(20, name="a{}")))
    with pytest.raises(ValueError, match=r"by label the channels have 20 \(elec1, elec10, .* and 8 more\)"):
        arrays.positions_of(channels(20), by="label")
    with pytest.raises(ValueError, match=r"have 20 \(21-40\), a.cmp has 20 \(1-20\)"):
        arrays.positions_of(channels(20, 20), by="id")
    with pytest.raises(ValueError, match=r"a.cmp has none; only the channels have 1 \(x\)"):
        read(b"map\n0 0 A 1").positions_of([channel(0, label="x")], by="label")
    with pytest.raises(ValueError, match=r"the channels have 1 \(bank 200 1\)"):
        arrays.positions_of([channel(0, bank=200, pin=1)])


def test_maps_c09_part_of_an_array_is_taken_on_request(read: Read) -> None:
    arrays = read(cmp_of(rows_of()))
    whole = arrays.positions_of(channels()).um
    np.testing.assert_array_equal(arrays.positions_of(channels()[5:40:5], partial=True).um, whole[5:40:5])


@pytest.mark.parametrize("wanted", [[], [AINP], [channel(0, kind="other", bank=7)]])
def test_maps_c09_a_choice_that_chooses_no_electrode_is_refused(read: Read, wanted) -> None:
    with pytest.raises(ValueError, match=r"expected (at least one channel|a map of the electrodes)"):
        read(b"map\n0 0 A 1").positions_of(wanted, partial=True)


def test_maps_c10_analog_inputs_are_named_and_have_no_place(read: Read, opened: Opened) -> None:
    arrays = read(cmp_of(rows_of(2)))
    heads = [b.channel(1, pin=1), b.analog_input(1, bank=1), b.channel(2, pin=2), b.analog_input(2)]
    of = arrays.positions_of(opened(b.nsx([(0, np.zeros((1, 4)))], "2.3", channels=heads)).channels)
    assert np.isnan(of.um[[1, 3]]).all()
    assert not np.isnan(of.um[[0, 2]]).any()
    assert (of.unplaced, of.arrays.tolist()) == ((1, 3), [1, 0, 1, 0])
    assert of.unplaced_names == ("column 1 'ainp1'", "column 3 'ainp2'")
    assert arrays.positions_of([*channels(2), channel(5, kind="other", bank=9)]).unplaced == (2,)


def test_maps_c10_names_are_safe_to_print(read: Read) -> None:
    assert read(b"map\n0 0 A 1").positions_of(
        [channel(0), channel(1, label="\x1b[31m", kind="other")]
    ).unplaced_names == ("column 1 '\\\\x1b[31m'",)


# ----------------------------------------------------------------------------------------------------- several arrays


def test_maps_c11_arrays_stand_side_by_side(read: Read) -> None:
    a, z = cmp_of(rows_of(64, 8, "elec1-{}")), cmp_of(rows_of(64, 8, "elec1-{}"), "second\n")
    arrays = read(a, z, first_bank="ac")
    assert arrays.descriptions == ("Cerebus mapping for array 4391-5", "second")
    of = arrays.positions_of(channels(128))
    first, second = of.um[:64], of.um[64:]
    assert of.arrays.tolist() == [1] * 64 + [2] * 64
    assert second[:, 0].min() - first[:, 0].max() == ARRAY_GAP_UM == 4000
    np.testing.assert_array_equal(second - first, [[7 * 400 + 4000, 0]] * 64)
    assert "a.cmp, b.cmp" in of.statement


def test_maps_c11_arrays_of_one_file_stand_where_it_has_them(read: Read) -> None:
    of = read(b"two arrays\n0 18 B 1 elec2-1\n0 6 A 2 elec1-1").positions_of([channel(1), channel(32)])
    assert of.um.tolist() == [[0, 6 * 400], [0, 18 * 400]]
    assert of.arrays.tolist() == [1, 1]


def test_maps_c11_what_is_far_to_the_right_already_stays(read: Read) -> None:
    near, far = b"map\n7 0 A 1", b"map\n30 0 A 1"
    wanted = [channel(0), channel(32)]
    assert read(near, near, first_bank="AB").positions_of(wanted).um[:, 0].tolist() == [2800, 6800]
    assert read(near, far, first_bank="AB").positions_of(wanted).um[:, 0].tolist() == [2800, 12000]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 30)), min_size=1, max_size=4),
    st.sampled_from([None, 50.0, 9999]),
)
def test_maps_c11_no_electrode_lies_on_another(read: Read, shapes, pitch) -> None:
    files = [cmp_of([f"{shift + k % 3} {k // 3} A {k + 1}" for k in range(n)]) for n, shift in shapes]
    arrays = read(*files, first_bank="ACEG"[: len(files)])
    wanted = [channel(k, bank=2 * i + 1, pin=k + 1) for i, (n, _) in enumerate(shapes) for k in range(n)]
    of = arrays.positions_of(wanted, pitch_um=pitch)
    assert len(np.unique(of.um, axis=0)) == len(wanted)
    for one, other in itertools.pairwise(range(1, len(files) + 1)):
        assert of.um[of.arrays == other, 0].min() - of.um[of.arrays == one, 0].max() >= ARRAY_GAP_UM


def test_maps_c11_maps_that_both_start_at_bank_a_are_told_apart_by_their_first_bank(read: Read) -> None:
    data = cmp_of(rows_of(128, 12, "elec1-{}"))
    with pytest.raises(ValueError, match=r"found A1 in both .*a\.cmp and .*b\.cmp: give first_bank"):
        read(data, data)
    arrays = read(data, data, first_bank="AE")
    assert {electrode.bank for electrode in arrays.electrodes if electrode.array == 2} == {5, 6, 7, 8}
    assert arrays.positions_of(channels(256)).arrays.tolist() == [1] * 128 + [2] * 128
    with pytest.raises(ValueError, match="expected label to distinguish them"):
        arrays.positions_of(channels(256), by="label")


@pytest.mark.parametrize("first_bank", ["", "AB", "1", "Ä"])
def test_maps_c11_first_bank_is_a_letter_a_file(read: Read, first_bank) -> None:
    with pytest.raises(ValueError, match="expected first_bank as 1 letters A to Z"):
        read(b"map\n0 0 A 1", first_bank=first_bank)


def test_maps_c11_there_is_no_bank_beyond_z(read: Read) -> None:
    assert read(b"map\n0 0 A 1", first_bank="z").electrodes[0].location == "Z1"
    with pytest.raises(ValueError, match="expected banks up to Z"):
        read(b"map\n0 0 B 1", first_bank="Z")
    with pytest.raises(ValueError, match="expected at least one map"):
        nv.read_cmp([])


# --------------------------------------------------------------------------------------------------------------- grid


@given(n=st.integers(1, 300))
def test_maps_c12_without_a_map_there_is_a_plain_grid(n) -> None:
    of = nv.plain_grid(channels(n), pitch_um=10)
    width = int(of.um[:, 0].max() / 10) + 1
    assert (width - 1) ** 2 < n <= width**2
    assert of.um.tolist() == [[k % width * 10, k // width * 10] for k in range(n)]
    assert not of.is_map
    assert "not where the electrodes are: no map was given" in of.statement
    assert (of.unplaced, set(of.arrays.tolist())) == ((), {1})


def test_maps_c12_the_grid_has_the_usual_pitch_and_needs_channels() -> None:
    assert nv.plain_grid([channel(0), AINP]).um.tolist() == [[0, 0], [400, 0]]
    with pytest.raises(ValueError, match="expected at least one channel"):
        nv.plain_grid([])
    with pytest.raises(ValueError, match="expected a pitch"):
        nv.plain_grid(channels(1), pitch_um=-1)


# ------------------------------------------------------------------------------------------------------ any bytes


def test_maps_and_positions_cannot_be_changed_and_travel_to_workers(read: Read) -> None:
    arrays = read(cmp_of(rows_of()))
    assert pickle.loads(pickle.dumps(arrays)) == arrays
    of = pickle.loads(pickle.dumps(arrays.positions_of([*channels(), AINP])))
    np.testing.assert_array_equal(of.um, arrays.positions_of([*channels(), AINP]).um)
    with pytest.raises(AttributeError):
        arrays.electrodes = ()
    for array in (arrays.positions_of(channels()).um, nv.plain_grid(channels()).arrays):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
