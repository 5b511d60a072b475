# SPDX-License-Identifier: MIT
"""Layouts as tables: what is checked when one is built, and that struct and numpy read the same bytes alike."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.format import tables
from nevparse.format.layout import Layout

LAYOUTS = {id(item): item for item in vars(tables).values() if isinstance(item, Layout)}
for version in [*tables.NEV_VERSIONS.values(), *(item.ripple for item in tables.NEV_VERSIONS.values() if item.ripple)]:
    LAYOUTS |= {id(item): item for item in [*version.packets.values(), *version.extended.values(), version.basic]}
EVERY = list(LAYOUTS.values())
OPEN_ENDED = [layout for layout in EVERY if layout.rows[-1][2][0] == "*"]


@pytest.mark.parametrize(
    "rows",
    [
        ((0, "a", "H"), (3, "b", "B")),  # a hole
        ((0, "a", "I"), (3, "b", "B")),  # an overlap
        ((1, "a", "B"),),  # not from the start
        ((0, "text", "*s"), (0, "b", "B")),  # an open row that is not the last
    ],
)
def test_rows_must_tile_the_record(rows) -> None:
    with pytest.raises(ValueError, match="broken"):
        Layout("broken", "here", rows)


@pytest.mark.parametrize("layout", EVERY, ids=lambda layout: f"{layout.name}-{layout.size}")
def test_struct_and_numpy_agree_on_every_layout(layout) -> None:
    n_bytes = layout.size + (6 if layout in OPEN_ENDED else 0)
    raw = bytes(k * 7 % 127 for k in range(n_bytes))  # no float made of these is NaN
    record, fields = np.frombuffer(raw, layout.dtype(len(raw)))[0], layout.unpack(raw)
    assert layout.packer.size == layout.size
    assert set(fields) == {name for _, name, code in layout.rows if name and code[0] != "*"}
    for name, value in fields.items():
        there = record[name]
        assert (there.tobytes() if isinstance(value, bytes) else there.tolist()) == (
            list(value) if isinstance(value, tuple) else value
        )


@pytest.mark.parametrize("layout", OPEN_ENDED, ids=lambda layout: layout.name)
def test_the_open_end_takes_what_the_record_has_left(layout) -> None:
    _, name, code = layout.rows[-1]
    longer = layout.dtype(layout.size + 10)
    assert longer.itemsize == layout.size + 10
    assert code == "*x" or longer[name].itemsize == 10
    assert name not in (layout.dtype().names or ())


@pytest.mark.parametrize("layout", [tables.SPIKE, tables.NSX_BLOCK], ids=lambda layout: layout.name)
def test_a_record_smaller_than_its_fields_is_refused(layout) -> None:
    with pytest.raises(ValueError, match=rf"{layout.name} needs {layout.size} bytes"):
        layout.dtype(layout.size - 1)


def test_padding_behind_a_closed_layout_is_skipped() -> None:
    raw = struct.pack("<BII", 1, 5, 6) + b"\xff" * 3
    record = np.frombuffer(raw * 2, tables.NSX_BLOCK.dtype(len(raw)))
    assert record["tick"].tolist() == [5, 5]


def test_trailing_nuls_of_a_text_field_stay() -> None:
    layout = Layout("t", "here", ((0, "text", "4s"),))
    assert (
        np.frombuffer(b"a\0\0\0", layout.dtype())[0]["text"].tobytes()
        == b"a\0\0\0"
        == layout.unpack(b"a\0\0\0")["text"]
    )


def test_retyping_a_field_moves_what_stands_behind_it() -> None:
    assert tables.NSX_BLOCK_30.rows == ((0, "header", "B"), (1, "tick", "Q"), (9, "n_samples", "I"))
    assert tables.NSX_BLOCK.rows == ((0, "header", "B"), (1, "tick", "I"), (5, "n_samples", "I"))


def test_an_overlay_keeps_what_it_does_not_cover_and_must_fit() -> None:
    assert tables.NFX_CHANNEL.offsets["max_analog"] == 26
    assert tables.NFX_CHANNEL.offsets["units"] == tables.NSX_CHANNEL.offsets["units"] == 30
    with pytest.raises(ValueError, match="should stand at"):
        tables.NSX_CHANNEL.overlaid("misfit", "here", (23, "min_analog", "f"))


@given(st.lists(st.sampled_from(["B", "H", "I", "Q", "h", "8s", "3H", "5x", "f"]), min_size=1, max_size=8))
def test_any_tiled_rows_make_a_layout_of_the_sum_of_their_widths(codes) -> None:
    rows, at = [], 0
    for k, code in enumerate(codes):
        rows.append((at, "" if code.endswith("x") else f"f{k}", code))
        at += struct.calcsize("<" + code)
    layout = Layout("any", "here", tuple(rows))
    assert layout.size == layout.dtype().itemsize == at
    assert layout.offsets == {name: offset for offset, name, _ in rows if name}


@pytest.mark.parametrize(
    ("version", "differs"),
    [("2.3", set()), ("3.0", {"name", "block", "may_have_one_sample_packets", "ripple", "origin_at_first"})],
    ids=["2.3", "3.0"],
)
def test_a_version_states_only_its_difference(version, differs) -> None:
    base, other = tables.NSX_22, next(found for found in tables.NSX_VERSIONS.values() if found.name == version)
    differs = differs or {"name", "ripple"}
    same = set(base._fields) - differs
    assert all(getattr(base, field) is getattr(other, field) for field in same)


def test_every_exception_and_warning_has_its_family() -> None:
    assert issubclass(nv.FormatError, nv.NevParseError)
    assert issubclass(nv.FormatError, ValueError)
    assert issubclass(nv.UnsupportedVersion, nv.FormatError)
    assert all(issubclass(kind, nv.NevParseError) for kind in (nv.GapError, nv.ExportError))
    kinds = (nv.UnknownVersion, nv.TruncatedFile, nv.DamagedFile, nv.UnknownScale)
    assert all(issubclass(kind, nv.NevParseWarning) for kind in kinds)
    assert issubclass(nv.NevParseWarning, UserWarning)
