# SPDX-License-Identifier: MIT
"""Names that only we use, and one run at a time for them: what is another run's, a leftover, or somebody else's."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from io import FileIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from source.watching import wait_for

import nevparse as nv
from export.output import crashes
from export.output.crashes import LOCK, OLD, PART
from export.output.runs import (
    BUSY,
    FOLDER_CASES,
    IN_THE_WAY,
    assert_done_anew,
    every_case,
    every_folder,
    hard_link_or_skip,
    left_by_a_kill,
    run,
    symlink_or_skip,
    write_with,
)
from nevparse.export.output import files as output_files

pytestmark = pytest.mark.usefixtures("many_steps")

CANNOT_TELL = "cannot tell whether a run is writing it; if none is, remove it"


# ------------------------------------------------------------------------------------------------ somebody else's files


def put(kind: str, stranger: Path, precious: Path) -> None:
    """Something that no run of ours leaves under a name that only we use."""
    precious.write_bytes(b"precious")
    if kind == "folder":
        stranger.mkdir()
        (stranger / "precious").write_bytes(b"precious")
    elif kind == "link":
        symlink_or_skip(stranger, precious)
    elif kind == "second name":
        hard_link_or_skip(precious, stranger)


@pytest.mark.parametrize(
    ("name", "stranger"),
    [("ptp", f"{file}{PART}") for file in ("s.bin", "s.bin.json", "s.bin.ticks", "s-000.bin")]
    + [(name, f"out{ending}") for name in FOLDER_CASES for ending in (PART, LOCK)],
)
@pytest.mark.parametrize("kind", ["link", "folder", "second name"])
def test_exports_c04_what_is_no_file_of_ours_is_kept(
    case: crashes.Case, target: Path, tmp_path: Path, stranger: str, kind: str
) -> None:
    put(kind, target.with_name(stranger), tmp_path / "precious")
    before = crashes.contents(target.parent)
    with pytest.raises(nv.ExportError, match=f"{stranger} {IN_THE_WAY}"):
        run(case, target)
    assert crashes.contents(target.parent) == before
    assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["pair"])
@pytest.mark.parametrize("file", ["s.bin", "s.bin.json"])
def test_exports_c04_a_folder_is_no_older_file(case: crashes.Case, target: Path, tmp_path: Path, file: str) -> None:
    put("folder", target.with_name(file + OLD), tmp_path / "precious")
    before = crashes.contents(target.parent)
    with pytest.raises(nv.ExportError, match=f"{file}{OLD} {IN_THE_WAY}"):
        run(case, target)
    assert crashes.contents(target.parent) == before


@every_case
def test_exports_c04_a_file_under_such_a_name_is_a_leftover(case: crashes.Case, target: Path) -> None:
    for name in ("s.bin", "s.bin.json", "s.bin.ticks", "s-007.bin"):
        target.with_name(name + PART).write_bytes(b"half")
    assert_done_anew(case, target)


@pytest.mark.parametrize("name", ["fresh"])
def test_exports_c04_the_recording_is_no_leftover(case: crashes.Case, tmp_path: Path) -> None:
    """Who exports from what a killed run has left does not lose it."""
    part = tmp_path / f"s.ns5{PART}"
    part.write_bytes(case.raw)
    with nv.open_nsx(part) as ns, pytest.raises(nv.ExportError, match="is the recording itself"):
        nv.write_nsx(ns, tmp_path / "s.ns5")
    assert part.read_bytes() == case.raw


# ----------------------------------------------------------------------------------------------------- two runs at once


@every_case
@pytest.mark.parametrize("at", ["first", "last"])
def test_exports_c05_a_second_run_is_refused_and_the_first_goes_on(case: crashes.Case, target: Path, at: str) -> None:
    refused: list[Any] = []

    def progress(done: int, total: int) -> None:
        if not refused and (at == "first" or done == total):
            with pytest.raises(nv.ExportError, match=BUSY) as error:
                run(case, target)
            refused.append(error)

    run(case, target, progress=progress)
    assert refused
    assert crashes.contents(target.parent) == case.after


@every_folder
def test_exports_c05_a_second_run_for_a_folder_is_refused(case: crashes.Case, target: Path) -> None:
    def progress(*_: int) -> None:
        with pytest.raises(nv.ExportError, match=BUSY):
            run(case, target)

    run(case, target, progress=progress)
    assert crashes.contents(target.parent) == case.after


@pytest.mark.parametrize("name", ["pair", "replaced"])
def test_exports_c05_a_run_in_another_process_is_heeded_until_it_is_killed(
    case: crashes.Case, exporter: crashes.Exporter, target: Path
) -> None:
    exporter.start(case, target, pause_s=60)
    wait_for(target.with_name(target.name + PART), 0)
    with pytest.raises(nv.ExportError, match=BUSY):
        run(case, target)
    exporter.kill()
    assert exporter.wait() == crashes.KILLED
    assert_done_anew(case, target)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["pair"])
def test_exports_c05_a_child_holds_no_lock_of_its_killed_parent(case: crashes.Case, target: Path) -> None:
    """And what the child does at its end does nothing to its parent's export."""
    children = os.pipe()

    def fork_and_wait(*_: int) -> None:
        child = os.fork()
        if not child:
            os.write(children[1], b"%7d" % os.getpid())
            time.sleep(60)
        time.sleep(60)

    parent = os.fork()
    if not parent:
        try:
            run(case, target, progress=fork_and_wait)
        finally:
            os._exit(1)
    child = int(os.read(children[0], 7))
    with pytest.raises(nv.ExportError, match=BUSY):
        run(case, target)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    try:
        assert_done_anew(case, target)
    finally:
        os.kill(child, signal.SIGKILL)
        for handle in children:
            os.close(handle)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["pair", "split", "replaced"])
def test_exports_c05_a_child_that_ends_leaves_its_parents_export_alone(case: crashes.Case, target: Path) -> None:
    test, ends = os.getpid(), []

    def fork(done: int, total: int) -> None:
        if done == total:
            child = os.fork()
            if not child:
                raise KeyboardInterrupt
            ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    try:
        run(case, target, progress=fork)
    finally:
        if os.getpid() != test:
            os._exit(7)
    assert ends == [7] * len(ends) != []
    assert crashes.contents(target.parent) == case.after


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c05_other_names_are_other_exports(case: crashes.Case, target: Path) -> None:
    """Two runs in one folder do not meet, whatever their files are called before the ending."""
    done: list[Any] = []

    def progress(*_: int) -> None:
        if not done:
            done.extend(run(case, target.with_name(other)) for other in ("other.bin", "s.dat", "s"))
            with nv.open_nsx(case.source) as ns:
                nv.write_nsx(ns, target.with_name("s.ns5"))
        with pytest.raises(nv.ExportError, match=rf"s\.bin\.json {BUSY}"):
            run(case, target)

    run(case, target, progress=progress)
    assert done
    assert {name: target.with_name(name).read_bytes() for name in case.after} == case.after
    written = ["other.bin", "other.bin.json", "s", "s.bin", "s.bin.json", "s.dat", "s.dat.json", "s.json", "s.ns5"]
    assert sorted(os.listdir(target.parent)) == written
    for other in ("other.bin", "s.dat", "s", "s.bin"):
        assert nv.read_sidecar(target.with_name(other)).bin_path == str(target.with_name(other))


# ------------------------------------------------------------------------------------------------------- other systems


class Windows:
    """Locks of single bytes. An open file is neither renamed nor removed, and no name that is taken is renamed to."""

    LK_NBLCK = 2

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.locked: dict[int, tuple[int, int]] = {}
        monkeypatch.setitem(sys.modules, "msvcrt", self)
        monkeypatch.setattr(output_files, "sys", SimpleNamespace(platform="win32"))
        for name in ("unlink", "replace", "rename"):
            monkeypatch.setattr(os, name, self.unless_open(getattr(os, name), may_replace=name != "rename"))

    def locking(self, handle: int, mode: int, n_bytes: int) -> None:
        assert (mode, n_bytes) == (self.LK_NBLCK, 1)
        assert os.lseek(handle, 0, os.SEEK_CUR) >= 1 << 40, "others may read what was written"
        status = os.fstat(handle)
        others = {number: key for number, key in self.locked.items() if is_open(number, key) and number != handle}
        if (status.st_dev, status.st_ino) in others.values():
            raise PermissionError(errno.EACCES, "Permission denied")
        self.locked = {**others, handle: (status.st_dev, status.st_ino)}

    def unless_open(self, real: Any, may_replace: bool) -> Any:
        def call(path: Any, *target: Any, **more: Any) -> None:
            opened = {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
            if os.path.realpath(path) in opened:
                raise PermissionError(errno.EACCES, "it is open", str(path))
            if target and not may_replace and os.path.lexists(target[0]) and path != target[0]:
                raise FileExistsError(errno.EEXIST, "it exists", str(path))
            real(path, *target, **more)

        return call


def is_open(handle: int, key: tuple[int, int]) -> bool:
    try:
        status = os.fstat(handle)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == key


@pytest.mark.skipif(
    os.name != "posix" or not os.path.exists("/proc/self/fd"), reason="the system does not list open files"
)
@pytest.mark.parametrize("name", ["fresh", "pair", "split", "ptp", "new", "replaced"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_exports_c05_files_as_windows_has_them(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    system = Windows(monkeypatch)
    refused = []

    def progress(*_: int) -> None:
        with pytest.raises(nv.ExportError, match=BUSY):
            run(case, target)
        refused.append(True)

    if overwrite:
        target.with_name("s.bin.json" + PART).write_bytes(b"half")
    elif case.before:
        return
    run(case, target, progress=progress, overwrite=overwrite)
    assert refused
    assert {number for number, key in system.locked.items() if is_open(number, key)} == set()
    target.with_name("s.bin.json" + PART).unlink(missing_ok=True)
    assert crashes.contents(target.parent) == case.after


@pytest.mark.parametrize("name", ["fresh", "pair", "split", "new", "replaced"])
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_exports_c05_without_locks_a_part_that_is_there_may_be_another_runs(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", crashes.failing(code))

    def progress(*_: int) -> None:
        with pytest.raises(nv.ExportError, match=CANNOT_TELL):
            run(case, target)

    run(case, target, progress=progress)
    assert crashes.contents(target.parent) == case.after


@pytest.mark.parametrize("name", ["fresh"])
def test_exports_c05_without_locks_a_leftover_is_refused_and_named(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    target = left_by_a_kill(case, exporter, tmp_path, "s.bin" + PART)
    left = sorted(os.listdir(target.parent))
    monkeypatch.setattr(fcntl, "flock", crashes.failing(errno.ENOLCK))
    for name in ("s.bin.json", "s.bin"):
        with pytest.raises(nv.ExportError, match=f"{name}{PART} exists, .* {CANNOT_TELL}"):
            run(case, target)
        assert sorted(os.listdir(target.parent)) == left
        target.with_name(name + PART).unlink()
        left.remove(name + PART)
    assert_done_anew(case, target)


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c05_a_part_that_another_run_takes_for_a_leftover_is_made_anew(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the moments when it is made and when it is locked."""
    fcntl = pytest.importorskip("fcntl")
    real, part = fcntl.flock, target.with_name("s.bin.json" + PART)
    removed: list[bool] = []
    seen: list[bool] = []

    def flock(*arguments: Any) -> None:
        if not removed:
            part.unlink()
            removed.append(True)
        real(*arguments)

    monkeypatch.setattr(fcntl, "flock", flock)
    run(case, target, progress=lambda *_: seen.append(part.exists()))
    assert removed
    assert all(seen), "others see what is locked"
    assert crashes.contents(target.parent) == case.after


@pytest.mark.parametrize(("name", "file"), [("pair", "s.bin.json"), ("ptp", "s.bin.ticks"), ("split", "s-000.bin")])
def test_exports_c05_nobody_elses_file_gets_the_name(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Somebody puts another file in the place of a part."""
    if os.name == "nt" and file == "s.bin.json":
        pytest.skip("this part is open, and Windows removes no open file")
    part, real = target.with_name(file + PART), os.link

    def link(source: str, to: str) -> None:
        if part.exists():
            part.unlink()
            part.write_bytes(b"other")
        real(source, to)

    monkeypatch.setattr(os, "link", link)  # what is done first when all parts are complete
    with pytest.raises(nv.ExportError, match="another process changed"):
        run(case, target)
    assert crashes.contents(target.parent) == case.before


@pytest.mark.parametrize("name", ["split"])
def test_exports_c05_few_files_are_open_however_many_are_written(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[int, Any] = {}

    def write(self: Any, data: Any) -> int:
        files[id(self)] = self
        assert sum(not file.closed for file in files.values()) == 1
        return FileIO.write(self, data)

    write_with(monkeypatch, write=write)
    run(case, target)
    assert len(files) == len(case.after)
