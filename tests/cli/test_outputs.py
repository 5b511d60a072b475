# SPDX-License-Identifier: MIT
"""Outputs at a shell: a recording is never replaced, and nothing that was asked for is dropped."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from builders import sorting as sb
from export.left import left_in
from export.output import crashes
from fixture_types import Command, FileOf

import nevparse as nv
from nevparse.cli import events

_PTP = b.plausible("ptp", 2, (40,))[0]


def test_exports_c14_events_are_saved_whole_and_never_over_a_recording(
    main: Command, file_of: FileOf, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nev = file_of(n.every_kind((2, 3)), "s.nev")
    arguments = ["events", nev, "--kind", "digital", "--npy"]
    assert main(*arguments, out.with_name("s.ns5"))[0] == 1
    out.write_bytes(n.every_kind((3, 0)))
    assert "is a recording" in main(*arguments, out)[2]
    out.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(events, "write_all", lambda file, data: file.write(data[:4]) and fail())
        assert main(*arguments, out)[0] == 1
    assert left_in(out.parent) == []
    assert main(*arguments, out)[0] == 0
    assert np.load(out)["value"].size


def fail() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("last", ["b.ns5", "c.nev", "C.NEV", "b", "unnamed"])
def test_exports_c14_a_recording_in_place_of_the_output_is_said(
    main: Command, file_of: FileOf, tmp_path: Path, last: str
) -> None:
    """As `bin *.ns5 --overwrite` has."""
    for name in ("a.ns5", "b.ns5", "unnamed"):
        file_of(_PTP, name)
    file_of(n.every_kind((2, 3)), "c.nev")
    before = crashes.contents(tmp_path)
    code, _, message = main("bin", tmp_path / "a.ns5", tmp_path / last, "--overwrite")
    assert (code, "the last name must be that of the .bin to write" in message) == (2, True)
    assert crashes.contents(tmp_path) == before


def test_values_that_begin_with_a_minus_are_values(main: Command, file_of: FileOf, out: Path) -> None:
    path = file_of(b.plausible("2.3", 4, (50, 40))[0])
    assert main("bin", path, out, "--gaps", "fill", "--fill", "-1e3", "--max-fill", "1e6", "--channels", "-2:")[0] == 0
    assert np.fromfile(out, "<i2").reshape(-1, 2)[50].tolist() == [-1000, -1000]
    code, _, message = main("bin", path, out, "--start", "-1")
    assert (code, "--start" in message) == (2, True)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_anonymise_takes_no_name_of_a_file(main: Command, file_of: FileOf, out: Path, place: int) -> None:
    files: list[object] = [file_of(b.nsx([(0, b.ramp(9, 2))], comment="J. Doe")), out.with_suffix(".ns5")]
    files.insert(place, "--anonymise")
    assert main("cut", *files)[0] == 0
    with nv.open_nsx(out.with_suffix(".ns5")) as ns:
        assert (ns.comment, ns.channels[0].label) == ("", "elec1")


def test_options_of_a_map_need_one(main: Command, file_of: FileOf, out: Path) -> None:
    path = file_of(b.plausible("2.3", 2, (9,))[0])
    for option in (["--by", "label"], ["--first-bank", "A"]):
        code, _, message = main("sorter", path, out, *option)
        assert (code, f"{option[0]} requires --cmp" in message) == (2, True)
    assert left_in(out.parent) == []


def test_a_map_of_more_electrodes_than_were_recorded_needs_the_word(main: Command, file_of: FileOf, out: Path) -> None:
    channels = [b.channel(k, bank=1, pin=k) for k in (1, 2, 3)]
    path = file_of(b.nsx([(0, b.ramp(9, 3))], channels=channels))
    array = file_of(sb.array_map(8, 4), "array.cmp")
    code, _, message = main("sorter", path, out, "--cmp", array)
    assert (code, "or --partial if" in message) == (1, True)
    assert main("sorter", path, out, "--cmp", array, "--partial")[0] == 0
    with nv.open_nsx(path) as ns:
        assert nv.write_sorter(ns, out, cmp=array, partial=True, overwrite=True).positions.is_map


def test_info_lists_members_that_cannot_be_read(main: Command, file_of: FileOf, tmp_path: Path) -> None:
    file_of(b.plausible("2.3", 2, (9,))[0])
    bad = file_of(b"nothing at all", "s.nev")
    said = json.loads(main("info", tmp_path / "s", "--json")[1])
    assert [member["path"] for member in said["members"]] == [str(tmp_path / "s.ns5")]
    assert [(one["path"], "expected a NEV" in one["error"]) for one in said["failed"]] == [(bad, True)]


def test_a_cell_has_one_value(main: Command, file_of: FileOf) -> None:
    path = file_of(n.every_kind((2, 3)), "s.nev")
    rows = list(csv.DictReader(io.StringIO(main("events", path, "--csv")[1])))
    assert not any(cell.startswith(("(", "Roi", "[")) for row in rows for cell in row.values())
    comments = [row for row in rows if row["kind"] == "comment"]
    assert [comments[0][f"color_{k}"] for k in (1, 2, 3, 4)] == ["1", "2", "3", "4"]
    assert [comments[2][f"roi_{name}"] for name in ("number", "event")] == ["2", "enter"]
    assert comments[0]["roi_number"] == comments[1]["color_1"] == ""


def test_a_date_without_dashes_is_no_time(main: Command, file_of: FileOf, out: Path) -> None:
    code, _, message = main("bin", file_of(_PTP), out, "--stop", "20240515")
    assert (code, "2024-05-06T07:08:09" in message) == (2, True)


@pytest.mark.parametrize(
    "typed",
    [
        "bin a.ns5 --channels 0 o.bin",
        "bin --gaps join a.ns5 --quiet b.ns5 --append o.bin",
        "bin a.ns5 --append b.ns5 o.bin --order given",
        "sorter a.ns5 --append b.ns5 o",
        "cut a.ns5 --append b.ns5 --channels 0 o.ns5",
    ],
)
def test_names_of_files_may_stand_behind_options(
    main: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, start in (("a.ns5", 0), ("b.ns5", 9)):
        Path(name).write_bytes(b.nsx([(start, b.ramp(9, 2))]))
    code, _, err = main(*typed.split())
    assert (code, "error" in err) == (0, False)
    assert os.path.exists(next(word for word in typed.split() if re.fullmatch(r"o(\..*)?", word)))


def test_a_name_behind_a_mistyped_option_is_not_taken(main: Command, file_of: FileOf, out: Path) -> None:
    path = file_of(b.nsx([(0, b.ramp(9, 2))]))
    assert main("bin", path, "--chanels", "0", out)[0] == 2
    assert left_in(out.parent) == []
