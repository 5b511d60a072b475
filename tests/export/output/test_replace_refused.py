# SPDX-License-Identifier: MIT
"""Windows: an older file that a program has open, names that it has not, separators and cases of names, Ctrl-C."""

from __future__ import annotations

import os
import threading
import time
from io import FileIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import FileOf, Opened
from processes import PATIENCE_S

import nevparse as nv
from export.left import left_in, paused
from nevparse.export.output import files as output_files
from nevparse.export.output import stream
from nevparse.export.output.files import PART
from nevparse.traces import packing

UNBROKEN = b.plausible("2.3", 3, (9,))[0]
OPEN = "is open in another program, or write-protected"


@pytest.mark.windows
@pytest.mark.parametrize("name", ["s.bin", "s.bin.json"])
def test_exports_c08_an_older_file_that_is_open_is_refused_before_the_first_byte(
    opened: Opened, out: Path, name: str
) -> None:
    ns, steps = opened(UNBROKEN), []
    nv.write_bin(ns, out)
    before = out.read_bytes()
    with out.with_name(name).open("rb"), pytest.raises(nv.ExportError, match=f"{name} {OPEN}.*close it first"):
        nv.write_bin(ns, out, channels=[0], overwrite=True, progress=lambda *done: steps.append(done))
    assert steps == []
    assert (left_in(out.parent), out.read_bytes()) == (["s.bin", "s.bin.json"], before)


@pytest.mark.windows
def test_exports_c08_a_folder_of_which_a_file_is_open_is_refused(opened: Opened, tmp_path: Path) -> None:
    ns = opened(UNBROKEN)
    folder = tmp_path / "sorter"
    nv.write_sorter(ns, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with (folder / "recording.bin").open("rb"), pytest.raises(nv.ExportError, match=OPEN):
        nv.write_sorter(ns, folder, channels=[0], overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.windows
@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("name", ["s.bin", "s.bin.json"])
def test_exports_c08_an_older_file_opened_meanwhile_is_named_and_the_loss_too(
    opened: Opened, out: Path, name: str
) -> None:
    """All is put back, and the message says that the finished data is lost."""
    ns = opened(b.plausible("2.3", 2, (500,))[0])
    held: list[Any] = []
    nv.write_bin(ns, out)
    before = {path.name: path.read_bytes() for path in out.parent.iterdir()}

    def progress(*_: int) -> None:
        if not held:
            held.append(out.with_name(name).open("rb"))

    lost = "what was exported is lost, and what was here before is unchanged"
    try:
        with pytest.raises(nv.ExportError, match=f"{name} {OPEN}.*; {lost}; close it"):
            nv.write_bin(ns, out, channels=[0], overwrite=True, progress=progress)
    finally:
        held[0].close()
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == before


@pytest.mark.windows
def test_exports_c08_a_file_that_is_open_for_a_moment_is_replaced(opened: Opened, out: Path) -> None:
    """As a virus scanner does that looks at every new file."""
    ns = opened(UNBROKEN)
    nv.write_bin(ns, out)

    def progress(*_: int) -> None:
        file = out.open("rb")
        threading.Timer(0.3, file.close).start()

    assert nv.write_bin(ns, out, channels=[0], overwrite=True, progress=progress).n_channels == 1
    assert out.stat().st_size == nv.read_sidecar(out).contents["size_bytes"]


def test_exports_c08_windows_reason_is_named_with_the_loss(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, from the error that it gives."""

    class Refused(PermissionError):
        winerror = 5

    def refuse(source: str, target: str) -> None:
        raise Refused(13, "Access is denied", source, None, target)

    out.write_bytes(b"older")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(nv.ExportError, match=rf"s\.bin {OPEN} \(Access is denied\); what was exported is lost"):
        nv.write_bin(opened(UNBROKEN), out, overwrite=True)
    assert (left_in(out.parent), out.read_bytes()) == (["s.bin"], b"older")


# -------------------------------------------------------------------------------------------------------------- names

IMPOSSIBLE = [
    *(
        "<bytes>.bin",
        "<bytes>",
        "a?.bin",
        "a*.bin",
        'a".bin',
        "a|b.bin",
        "stream:of.bin",
        "NUL",
        "nul.bin",
        "CON.x.bin",
    ),
    *("com1.bin", "LPT9", "aux .bin", "s.", "s.bin "),
]
POSSIBLE = [
    "s.bin",
    "nulls.bin",
    "con-1.bin",
    "com.bin",
    "com10.bin",
    "ä µ 日本.bin",
    ".bin",
    "a.b.c",
    "a'b (1) [2] {3}.bin",
]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_names_that_windows_has_not_are_refused_there(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(output_files, "sys", SimpleNamespace(platform="win32"))
    ns, target = opened(UNBROKEN), f"{out.parent}{os.sep}{name}"
    for write in (nv.write_bin, nv.write_nsx, nv.write_sorter):
        with pytest.raises(nv.ExportError, match=r"Windows has no file of the name .*; choose another name"):
            write(ns, target)
    assert left_in(out.parent) == []


@pytest.mark.parametrize("name", POSSIBLE)
def test_unusual_names_are_names(opened: Opened, out: Path, name: str) -> None:
    ns, target = opened(UNBROKEN), f"{out.parent}{os.sep}{name}"
    for _ in range(2):
        nv.write_bin(ns, target, overwrite=True)
    assert nv.read_sidecar(target).n_samples == ns.n_samples
    assert len(left_in(out.parent)) == 2


@pytest.mark.parametrize("separator", ["/", os.sep])
@pytest.mark.parametrize("prefix", ["", "../out", "{absolute}"])
def test_an_export_takes_separators_as_they_are_typed(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch, separator: str, prefix: str
) -> None:
    (out.parent / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(out.parent)
    start = prefix.format(absolute=out.parent).replace(os.sep, separator).replace("/", separator)
    target = separator.join([*([start] if start else []), "deep", "er", "s.bin"])
    ns = opened(paused()[0])
    for gaps in ("split", "join", "fill"):
        nv.write_bin(ns, target, overwrite=True, gaps=gaps)
    (out.parent / "deep" / "er" / f"s.bin{PART}").write_bytes(b"left by a run that was killed")
    nv.write_bin(ns, target, overwrite=True, gaps="join")
    nv.write_nsx(ns, target.replace("s.bin", "s.ns5"))
    nv.write_sorter(ns, target.replace("s.bin", "sorter"), gaps="join")
    nv.write_sorter(ns, target.replace("s.bin", "sorter"), gaps="join", overwrite=True)
    assert left_in(out.parent / "deep" / "er") == [
        *("s-000.bin", "s-000.bin.json", "s-001.bin", "s-001.bin.json", "s-002.bin", "s-002.bin.json"),
        *("s.bin", "s.bin.json", "s.ns5", "sorter"),
    ]


@pytest.mark.windows
def test_drives_devices_and_long_paths(file_of: FileOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(file_of(UNBROKEN, "a session.ns5"))
    monkeypatch.chdir(tmp_path)
    deep = tmp_path
    while len(str(deep)) < 280:  # longer than Windows takes without the prefix
        deep = Path(f"{deep}/{'d' * 40}")
        os.mkdir(f"\\\\?\\{deep}")
    for start in (f"{path.drive}", f"\\\\?\\{tmp_path}\\", f"\\\\.\\{tmp_path}\\", f"//?/{tmp_path.as_posix()}/"):
        with nv.open_recording(start + "a session") as recording:
            ns = recording.fastest
            report = nv.write_bin(ns, start + "o.bin", overwrite=True)
            assert nv.read_sidecar(start + "o.bin.json").source_name == "a session.ns5"
            nv.write_sorter(ns, start + "sorter", overwrite=True)
            assert report.path == start + "o.bin"
    with nv.open_nsx(path) as ns:
        target = f"\\\\?\\{deep}\\o.bin"
        nv.write_bin(ns, target)
        nv.write_bin(ns, target, overwrite=True)
        assert sorted(os.listdir(f"\\\\?\\{deep}")) == ["o.bin", "o.bin.json"]


def ignores_case(folder: Path) -> bool:
    return os.path.exists(str(folder).swapcase())


@pytest.mark.windows
def test_what_a_killed_run_left_in_another_case_is_removed_where_names_have_none(opened: Opened, out: Path) -> None:
    ns = opened(UNBROKEN)
    for name in (f"S.bin{PART}", f"S.bin.json{PART}"):
        (out.parent / name).write_bytes(b"left")
    nv.write_bin(ns, out)
    assert left_in(out.parent) == ["s.bin", "s.bin.json"]


def test_what_has_another_case_is_anothers_where_names_have_one(opened: Opened, out: Path) -> None:
    if ignores_case(out.parent):
        pytest.skip("names have no case here")
    (out.parent / f"S.bin{PART}").write_bytes(b"another's")
    nv.write_bin(opened(UNBROKEN), out)
    assert left_in(out.parent) == [f"S.bin{PART}", "s.bin", "s.bin.json"]


# ------------------------------------------------------------------------------------------------------------- Ctrl-C


@pytest.mark.usefixtures("many_steps")
def test_ctrl_c_is_heeded_within_a_buffer(opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the batches that wait, only the one that is being written is completed."""
    import _thread

    written: list[int] = []
    real, is_heeded = threading.Thread.join, threading.Event()

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        is_heeded.set()
        real(self, timeout)

    class Interrupting(FileIO):
        def write(self, data: Any) -> int:
            if len(data) > 40 and out.name in str(self.name):
                written.append(len(data))
                if len(written) == 2:
                    _thread.interrupt_main()
                    assert is_heeded.wait(PATIENCE_S)
            return super().write(data)

    monkeypatch.setattr(threading.Thread, "join", join)
    monkeypatch.setattr(output_files, "FileIO", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        nv.write_bin(opened(b.plausible("2.3", 2, (5000,))[0]), out)
    assert len(written) == 2
    assert left_in(out.parent) == []


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("write", ["write_bin", "write_nsx"])
def test_the_writing_thread_ends_before_the_export_is_cleared_up(opened: Opened, out: Path, write: str) -> None:
    def fail(*_: int) -> None:
        raise RuntimeError("as a caller's progress may")

    with pytest.raises(RuntimeError):
        getattr(nv, write)(opened(b.plausible("2.3", 2, (500,))[0]), out, progress=fail)
    assert not [thread for thread in threading.enumerate() if thread.name == "nevparse-write"]
    assert left_in(out.parent) == []


def test_ctrl_c_while_the_writing_thread_starts_ends_it(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(threading.Thread):
        def start(self) -> None:
            super().start()
            raise KeyboardInterrupt

    monkeypatch.setattr(stream, "Thread", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        nv.write_bin(opened(UNBROKEN), out)
    assert not [thread for thread in threading.enumerate() if thread.name == "nevparse-write"]
    assert left_in(out.parent) == []


@pytest.mark.usefixtures("many_steps")
def test_a_second_ctrl_c_waits_for_what_is_being_written(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the thread would go on with a file that is closed."""
    real, interrupted = threading.Thread.join, list[threading.Thread]()

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        if self.name == "nevparse-write" and not interrupted:
            interrupted.append(self)
            raise KeyboardInterrupt
        real(self, timeout)

    class Slow(FileIO):
        def write(self, data: Any) -> int:
            time.sleep(0.01)
            return super().write(data)

    def ctrl_c(*_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", join)
    monkeypatch.setattr(output_files, "FileIO", Slow)
    with pytest.raises(KeyboardInterrupt):
        nv.write_bin(opened(b.plausible("2.3", 2, (5000,))[0]), out, progress=ctrl_c)
    assert [thread.is_alive() for thread in interrupted] == [False]
    assert left_in(out.parent) == []


@pytest.mark.parametrize("n_batches", [1, stream.BATCHES, pytest.param(4 * stream.BATCHES, marks=pytest.mark.thorough)])
def test_a_writer_slower_than_the_wait_loses_nothing(
    tmp_path: Path, n_batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_WAIT_S", 0.002)

    class Slow(FileIO):
        def write(self, data: Any) -> int:
            time.sleep(0.02)
            return super().write(data)

    with Slow(tmp_path / "f", "xb") as file:
        batches = (packing.Batch.of_bytes(k.to_bytes(4, "little"))._replace(n_rows=k) for k in range(n_batches))
        shown: list[int] = []
        stream.stream(batches, file, shown.append)
    assert shown == list(range(n_batches))
    assert np.fromfile(tmp_path / "f", "<u4").tolist() == list(range(n_batches))
