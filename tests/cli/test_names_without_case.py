# SPDX-License-Identifier: MIT
"""Where names have no case, as on Windows and macOS, a file typed in any case is that file; elsewhere it is another."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import Command
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.recording.members import bases_in

NSX, NEV = b.nsx([(300, b.ramp(400, 4))]), t.spike_nev(range(310, 700, 30))
EVERYWHERE = pytest.mark.skipif(sys.platform == "win32", reason="names have no case here")


@pytest.fixture
def no_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the system finds a file by its name in any case."""

    def as_it_is(path: Any) -> Any:
        folder, name = os.path.split(path) if isinstance(path, (str, os.PathLike)) else ("", "")
        if folder != str(tmp_path):
            return path
        alike = [other for other in os.listdir(folder) if other.casefold() == name.casefold()]
        return os.path.join(folder, alike[0]) if alike else path

    def found(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda path, *args, **kwargs: call(as_it_is(path), *args, **kwargs)

    if sys.platform != "win32":
        for module, name in ((os, "stat"), (os, "lstat"), (builtins, "open")):
            monkeypatch.setattr(module, name, found(getattr(module, name)))
    return tmp_path


def write(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        (folder / name.replace("__", ".").replace("_", "-")).write_bytes(data)


@given(st.lists(st.booleans(), min_size=16, max_size=16))
def test_a_member_typed_in_any_case_is_of_its_recording(no_case: Path, main: Command, flips: list[bool]) -> None:
    write(no_case, s_NSP1__ns5=NSX, s_NSP1__nev=NEV, s_NSP2__ns5=NSX)
    with nv.open_recording(no_case / "s-NSP1") as recording:
        members, instruments = recording.members, recording.instruments
    assert len(instruments) == 2
    events = main("events", no_case / "s-NSP1.nev", "--kind", "spike")
    assert "0.000333 s  tick 310" in events[1], "seconds count from the first sample"
    typed = "".join(letter.swapcase() if flip else letter for letter, flip in zip("s-NSP1.ns5", flips, strict=False))
    with nv.open_recording(no_case / typed) as recording:
        assert recording.members == members
        assert recording.instruments == instruments
    assert main("events", no_case / f"{typed[:-4]}.NeV", "--kind", "spike") == events


def test_a_folder_lists_a_recording_once(no_case: Path) -> None:
    write(no_case, s__nev=NEV, S__ns5=NSX, other__ns5=NSX)
    assert bases_in(no_case) == (str(no_case / "S"), str(no_case / "other"))


@EVERYWHERE
def test_a_folder_lists_both_where_names_have_a_case(tmp_path: Path) -> None:
    write(tmp_path, s__nev=NEV, S__ns5=NSX)
    assert bases_in(tmp_path) == (str(tmp_path / "S"), str(tmp_path / "s"))


def test_an_export_typed_in_another_case_is_done(no_case: Path, main: Command) -> None:
    write(no_case, s__ns5=NSX)
    command = "bin", "--out-dir", no_case / "out", "--skip-done"
    assert main(*command, no_case / "s.ns5")[0] == 0
    code, _, messages = main(*command, no_case / "s.NS5")
    assert (code, messages.count("is done, skipped")) == (0, 1)


def test_a_sidecar_is_that_of_a_bin_that_is_gone(no_case: Path) -> None:
    write(no_case, s__ns5=NSX)
    nv.write_bin(no_case / "s.ns5", no_case / "o.bin")
    (no_case / "o.bin").unlink()
    assert nv.read_sidecar(no_case / "O.BIN").source_name == "s.ns5"


def test_successive_files_have_their_rows_in_any_case(no_case: Path) -> None:
    later = b.nsx([(300, b.ramp(400, 4))], origin=(2023, 6, 3, 14, 11, 30, 5, 250))
    write(no_case, a__ns5=NSX, a__nev=NEV, b__ns5=later, b__nev=NEV)
    with nv.open_nsx(no_case / "A.ns5") as one, nv.open_nsx(no_case / "b.NS5") as other:
        report = nv.write_bin(nv.concatenate([one, other]), no_case / "o.bin", gaps="join")
    with nv.open_recording(no_case / "a") as first, nv.open_recording(no_case / "b") as second:
        joined = nv.concatenate([first, second])
        rows = nv.read_sidecar(report.path).spike_rows(joined, joined.require_nev().spikes()["tick"])
    assert rows.tolist() == [*range(10, 400, 30), *range(410, 800, 30)]


@pytest.mark.parametrize("names_have_case", [True, False])
def test_no_output_of_one_command_replaces_another(
    tmp_path: Path, main: Command, monkeypatch: pytest.MonkeyPatch, names_have_case: bool
) -> None:
    for folder, name in (("a", "S.ns5"), ("b", "s.ns5")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(NSX)
    inputs = tmp_path / "a" / "S.ns5", tmp_path / "b" / "s.ns5"
    if not names_have_case:
        monkeypatch.setattr(os.path, "samefile", lambda one, other: str(one).casefold() == str(other).casefold())
    elif sys.platform == "win32":
        pytest.skip("names have no case here")
    code, _, messages = main("bin", *inputs, "--out-dir", tmp_path / "out", "--overwrite")
    assert code == (0 if names_have_case else 2)
    assert ("would both become" in messages) is not names_have_case


@EVERYWHERE
def test_a_member_that_is_a_link_to_nothing_is_left_out_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path, s__ns5=NSX)
    (tmp_path / "s.ns2").symlink_to(".git/annex/objects/none")
    with pytest.warns(nv.DamagedFile, match=r"s\.ns2 is left out: .*git annex get"):
        nv.open_recording(tmp_path / "s").close()
