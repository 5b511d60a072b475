# SPDX-License-Identifier: MIT
"""What users of Windows, and of macOS, meet: shells, consoles, names, files that are locked or large, lost drives."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from export.left import left_in
from fixture_types import FileOf
from processes import environment, python

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.source import objects
from nevparse.source.file import FileSource


def run(folder: Path, *arguments: str, encoding: str = "utf-8") -> tuple[int, str, str]:
    """A command in a process of its own, whose console has an encoding: exit code and what it printed."""
    env = environment(PYTHONIOENCODING=encoding)
    done = python("-m", "nevparse", *arguments, cwd=folder, env=env, stdin=subprocess.DEVNULL)
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert "Traceback" not in err
    return done.returncode, out, err


# ------------------------------------------------------------------------------------------------- shells and consoles


@pytest.mark.parametrize("command", ["info", "bin", "sorter", "cut", "check", "events"])
def test_a_program_without_a_console_runs_commands(
    file_of: FileOf, out: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Python has no standard output then, under pythonw, from a window or where a shell closed it."""
    path = file_of(b.nsx([(0, b.ramp(3000, 2))]))
    file_of(nb.nev([nb.V2.digital(10, 1, 0)]), "s.nev")
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    names = {"bin": [str(out)], "sorter": [str(out.parent / "sorted")], "cut": [str(out.parent / "cut.ns5")]}
    assert cli.main([command, path, *names.get(command, [])]) == 0


def labelled(*labels: str) -> bytes:
    heads = [b.channel(number, label=label) for number, label in enumerate(labels, 1)]
    return b.nsx([(0, b.ramp(30, len(labels)))], channels=heads)


@pytest.mark.parametrize("label", ["'elec*'", "elec*", "'elec1'", "elec1"])
def test_labels_in_apostrophes_are_understood_as_cmd_passes_them(file_of: FileOf, out: Path, label: str) -> None:
    assert cli.main(["bin", file_of(labelled("elec1", "elec2", "ainp1")), str(out), "--labels", label]) == 0
    assert nv.read_sidecar(out).contents["labels"] == ["elec1", "elec2"][: 2 if "*" in label else 1]


def test_a_label_that_cmd_took_apart_is_answered_with_double_quotes(
    file_of: FileOf, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bin", file_of(labelled("a b", "c")), str(out), "--labels", "'a", "b'"]) == 2
    assert "put labels in double quotes" in capsys.readouterr().err
    assert left_in(out.parent) == []


def test_a_label_with_apostrophes_is_taken_as_it_is(file_of: FileOf, out: Path) -> None:
    assert cli.main(["bin", file_of(labelled("'a'", "a")), str(out), "--labels", "'a'"]) == 0
    assert nv.read_sidecar(out).contents["labels"] == ["'a'"]


NAME = "my séssion 日 1"
_ON_ANY_CONSOLE = [["info", NAME], ["bin", f"{NAME}.ns5", "ä 日.bin"], ["events", NAME], ["bin", "--help"]]
_THOROUGH = [
    ["info", f"{NAME}.ns5", f"{NAME}.nev"], ["info", "--json", NAME], ["check", f"{NAME}.ns5"], ["bin", NAME, "ö.bin"],
    ["sorter", f"{NAME}.ns5", "ø 日"], ["cut", f"{NAME}.ns5", "ü 日.ns5"], ["events", NAME, "--csv"],
    ["events", NAME, "--json"], ["--help"],
    *([command, "--help"] for command in ("info", "sorter", "cut", "events", "check", "report")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "commands"),
    [
        ("cp437", _ON_ANY_CONSOLE),
        *(pytest.param(encoding, _THOROUGH, marks=pytest.mark.thorough) for encoding in ("cp437", "cp932", "ascii")),
    ],
)
def test_names_and_texts_on_a_console_that_is_not_utf_8(tmp_path: Path, encoding: str, commands: list[Any]) -> None:
    folder = tmp_path / "Süd µ 日本"
    folder.mkdir()
    (folder / f"{NAME}.ns5").write_bytes(b.plausible("2.3", 4, (30,))[0])
    (folder / f"{NAME}.nev").write_bytes(nb.every_kind((2, 3)))
    for arguments in commands:
        code, out, _ = run(folder, *arguments, encoding=encoding)
        assert code == 0, arguments
        assert out
        if arguments[0] in ("bin", "sorter", "cut") and arguments[-1] != "--help":
            assert arguments[-1] in os.listdir(folder)
    if commands is _ON_ANY_CONSOLE:
        assert nv.read_sidecar(folder / "ä 日.bin").source_name == f"{NAME}.ns5"
    code, _, err = run(folder, "info", "nichts 日.ns5", encoding=encoding)
    assert (code, len(err.splitlines())) == (2, 1)


# --------------------------------------------------------------------------------------------------------------- names


def test_a_recording_is_known_by_its_name_in_any_case_where_names_have_none(file_of: FileOf, tmp_path: Path) -> None:
    path = Path(file_of(b.plausible("2.3")[0], "Session.ns5"))
    file_of(nb.every_kind((2, 3)), "Session.NEV")
    typed = path.with_name("sESSION.NS5")
    if not typed.exists():
        with pytest.raises(FileNotFoundError):
            nv.open_recording(typed)
        return
    for name in (typed, path.with_name("SESSION")):
        with nv.open_recording(name) as recording:
            assert list(recording.files) == ["nev", "ns5"]


def test_a_name_in_another_case_is_another_recording_where_names_have_one(file_of: FileOf, tmp_path: Path) -> None:
    path = Path(file_of(b.plausible("2.3")[0], "s.ns5"))
    if path.with_name("S.ns5").exists():
        pytest.skip("names have no case here")
    file_of(b.plausible("2.3", 5)[0], "S.ns5")
    file_of(b.plausible("2.3", 6)[0], "S.ns2")
    with nv.open_recording(path) as recording:
        assert [ns.n_channels for ns in recording.nsx.values()] == [3]
    with nv.open_recording(path.with_name("S")) as recording:
        assert [ns.n_channels for ns in recording.nsx.values()] == [6, 5]


def test_another_spelling_of_the_same_file_is_its_recording(file_of: FileOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where names have no case, and accents two spellings: the system says which file a name is of."""
    path = Path(file_of(b.plausible("2.3")[0], "Sessión.ns5"))
    monkeypatch.setattr(os.path, "samefile", lambda *_: True)
    for typed in ("SESSIÓN", "sessio\u0301n.ns5"):
        with nv.open_recording(path.with_name(typed)) as recording:
            assert list(recording.members) == ["ns5"]
    monkeypatch.setattr(os.path, "samefile", lambda *_: False)
    with pytest.raises(FileNotFoundError):
        nv.open_recording(path.with_name("SESSIÓN"))


# --------------------------------------------------------------------------------------------------- locked, and large


@pytest.mark.windows
@pytest.mark.parametrize("form", ["verbatim", "device", "slashes", "share", "verbatim share"])
def test_every_form_of_a_path_reaches_the_recording_and_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    r"""Verbatim (``\\?\C:\``) and device paths, slashes, and a network share: the one Windows makes of its drive."""
    folder = {
        "verbatim": f"\\\\?\\{tmp_path}",
        "device": f"\\\\.\\{tmp_path}",
        "slashes": tmp_path.as_posix(),
        "share": f"\\\\localhost\\{tmp_path.drive[0]}${str(tmp_path)[2:]}",
        "verbatim share": f"\\\\?\\UNC\\localhost\\{tmp_path.drive[0]}${str(tmp_path)[2:]}",
    }[form]
    if not os.path.isdir(folder):
        pytest.skip("the drive is not shared")
    data, samples = b.plausible("2.3", 4, (30,))
    (tmp_path / "s.ns5").write_bytes(data)
    (tmp_path / "s.nev").write_bytes(nb.every_kind((2, 3)))
    recording, separator = os.path.join(folder, "s.ns5"), "/" if form == "slashes" else "\\"
    outputs = {name: folder + separator + name for name in ("s.bin", "cut.ns5", "cut.nev", "sorter")}
    commands = [
        ["info", recording], ["check", recording], ["events", os.path.join(folder, "s.nev")],
        ["bin", recording, outputs["s.bin"]], ["bin", recording, outputs["s.bin"], "--overwrite"],
        ["cut", recording, outputs["cut.ns5"]], ["cut", os.path.join(folder, "s.nev"), outputs["cut.nev"]],
        ["sorter", recording, outputs["sorter"]],
    ]  # fmt: skip
    for arguments in commands:
        assert cli.main(arguments) == 0, (arguments, capsys.readouterr().err)
    assert (tmp_path / "s.bin").read_bytes() == samples.tobytes()
    assert (tmp_path / "cut.ns5").read_bytes() == data
    with nv.open_recording(os.path.join(folder, "s")) as opened:
        assert sorted(opened.members) == ["nev", "ns5"]
    for arguments in (["bin", recording, str(tmp_path / "s.ns5"), "--overwrite"], ["cut", recording, recording]):
        assert cli.main(arguments) != 0, "a recording is the same by every form of its path"
    assert (tmp_path / "s.ns5").read_bytes() == data
    assert not [name for name in os.listdir(tmp_path) if "part" in name]


@pytest.mark.windows
@pytest.mark.parametrize("command", ["info", "check", "events", "bin", "cut", "sorter"])
def test_a_recording_that_is_locked_is_one_line(
    file_of: FileOf, out: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    import _winapi  # type: ignore[import-not-found, unused-ignore]

    path = file_of(b.plausible("2.3")[0])
    more = [str(out)] if command in ("bin", "cut", "sorter") else []
    handle = _winapi.CreateFile(path, _winapi.GENERIC_READ, 0, 0, _winapi.OPEN_EXISTING, 0, 0)
    try:
        with pytest.raises(PermissionError, match="held open by another program that does not share it") as caught:
            nv.open_nsx(path)
        assert caught.value.filename == path
        assert cli.main([command, path, *more]) == 2
    finally:
        _winapi.CloseHandle(handle)
    err = capsys.readouterr().err
    assert err == f"nevparse: {path}: it is held open by another program that does not share it\n"
    assert left_in(out.parent) == []
    with open(path, "r+b"):  # as a recorder has it, which shares what it writes
        nv.open_nsx(path).close()


@pytest.mark.parametrize("is_held", [True, False])
def test_what_the_system_refuses_is_named(file_of: FileOf, monkeypatch: pytest.MonkeyPatch, is_held: bool) -> None:
    path = file_of(b.plausible("2.3")[0])

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(objects, "FileSource", refuse)
    monkeypatch.setattr(objects, "_is_held_open", lambda _: is_held)
    with pytest.raises(PermissionError, match="held open by another program" if is_held else "denied") as caught:
        nv.open_nsx(path)
    assert caught.value.filename == path


def test_a_file_is_not_held_open_where_it_can_be_opened(file_of: FileOf) -> None:
    assert not objects._is_held_open(file_of(b""))
    assert not objects._is_held_open(file_of(b"") + "-is-not-there")


def test_a_file_of_more_than_4_gib(tmp_path: Path, out: Path) -> None:
    """Two blocks, of which the first is a hole: rows, views, exports and cuts of the second one are beyond 4 GiB."""
    n, samples, one = 300_000_000, b.ramp(50, 8), b.ramp(1, 8)
    head = b.nsx([(0, one)], channels=[b.channel(k) for k in range(1, 9)]).removesuffix(b.block("2.3", 0, one))
    first = b.block("2.3", 0, b.ramp(0, 8), n_samples=n)
    second = b.block("2.3", n + 1000, samples)
    path = tmp_path / "large.ns5"
    try:
        with path.open("xb") as file:
            may_have_holes(file.fileno())
            file.write(head + first)
            file.seek(n * 16, os.SEEK_CUR)
            file.write(second)
        if getattr(path.stat(), "st_blocks", 0) > 100_000:
            pytest.skip("the file system has no holes")
        with nv.open_nsx(path) as ns:
            assert [segment.n_samples for segment in ns.segments] == [n, 50]
            assert ns.size_bytes > 1 << 32
            np.testing.assert_array_equal(ns.segments[1].samples, samples)
            assert ns.segments[0][n - 1].tolist() == [0] * 8
            nv.write_bin(ns, out, start_tick=n + 1000)
            nv.write_nsx(ns, tmp_path / "cut.ns5", segments=1)
            assert nv.read_sidecar(out).tick_to_row([n + 1000, n + 1049]).tolist() == [0, 49]
        assert out.read_bytes() == samples.tobytes()
        with nv.open_nsx(tmp_path / "cut.ns5") as ns:
            np.testing.assert_array_equal(ns.segments[0].samples, samples)
    finally:
        path.unlink(missing_ok=True)


def may_have_holes(handle: int) -> None:
    """Windows makes holes only in files that are marked; nothing where it cannot."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        done = ctypes.c_ulong()
        file = ctypes.c_void_p(msvcrt.get_osfhandle(handle))
        ctypes.windll.kernel32.DeviceIoControl(file, 0x900C4, None, 0, None, 0, ctypes.byref(done), None)


# -------------------------------------------------------------------------------------------------------- a lost drive

Write = Callable[[Any, Path], object]
WRITES: dict[str, tuple[bytes, Write]] = {
    "bin": (b.plausible("2.3", 3, (50, 40))[0], lambda file, out: nv.write_bin(file, out, gaps="join")),
    "2.1": (b.plausible("2.1", 3, (50,))[0], nv.write_bin),
    "ptp": (b.plausible("ptp", 3, (50,))[0], nv.write_bin),
    "sorted": (b.plausible("ptp", 3, (50,))[0], lambda file, out: nv.write_bin(file, out, sort=True)),
    "nsx": (b.plausible("2.3", 3, (50, 40))[0], lambda file, out: nv.write_nsx(file, out, channels=[1])),
    "nsx-ptp": (b.plausible("ptp", 3, (50,))[0], lambda file, out: nv.write_nsx(file, out, channels=[1])),
    "copy": (b.plausible("2.3", 3, (50, 40))[0], nv.write_nsx),
    "sorter": (b.plausible("2.3", 3, (50,))[0], nv.write_sorter),
    "nev": (nb.every_kind((2, 3)), nv.write_nev),
    "nev-part": (nb.every_kind((2, 3)), lambda file, out: nv.write_nev(file, out, electrodes=[1])),
}


@pytest.mark.parametrize("code", [errno.EIO, errno.ENXIO])
@pytest.mark.parametrize("name", sorted(WRITES))
def test_exports_c12_a_drive_that_goes_away_is_blamed_and_not_the_output(
    file_of: FileOf, out: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """Whichever read it is that fails first, and all that follow."""
    data, write = WRITES[name]
    path = file_of(data, "input.nev" if name.startswith("nev") else "input.ns5")
    n_reads, last = 0, 1 << 30

    def failing(real: Any) -> Any:
        def call(self: FileSource, *arguments: Any) -> Any:
            nonlocal n_reads
            n_reads += 1
            if n_reads > last:
                raise OSError(code, os.strerror(code))
            return real(self, *arguments)

        return call

    for method in ("_read_at", "_readinto_at", "_buffer"):
        monkeypatch.setattr(FileSource, method, failing(getattr(FileSource, method)))
    opener = nv.open_nev if name.startswith("nev") else nv.open_nsx
    with opener(path) as file:
        first = n_reads
        write(file, out.with_name("complete"))
        needed = n_reads - first
    assert needed
    before = left_in(out.parent)
    for last_one in range(needed):
        last = 1 << 30
        with opener(path) as file:
            last = n_reads + last_one
            with pytest.raises((nv.ExportError, OSError)) as caught:
                write(file, out)
        if isinstance(caught.value, nv.ExportError):
            assert path in str(caught.value), last_one
            assert os.strerror(code) in str(caught.value)
            assert "written" not in str(caught.value)
        assert left_in(out.parent) == before
