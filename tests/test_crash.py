# SPDX-License-Identifier: MIT
"""Exports that are killed, run out of disk, lose their folder or their input: what is left is whole, or the older."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from io import FileIO
from threading import Lock
from types import SimpleNamespace

import builders as b
import crashes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nevparse as nv
from nevparse.export.output import files as output_files
from nevparse.export.output import lock as output_lock
from nevparse.export.output import stream
from nevparse.traces import packing

CASES = {case.name: case for case in crashes.cases()}
every_case = pytest.mark.parametrize("name", CASES)
IN_THE_WAY = "is in the way, and no run that was killed has left it"
SHORTER = "it has become shorter since it was opened"
BUSY = "is being written by another run"


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    """Many steps from little data."""
    monkeypatch.setattr(packing, "BUFFER_BYTES", 256)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Every kind of export, with what it leaves."""
    folder = tmp_path_factory.mktemp("prepared")
    for case in CASES.values():
        case.prepare(folder)
    return CASES


@pytest.fixture(scope="module")
def exporter():
    with crashes.Exporter() as exporter:
        yield exporter


@pytest.fixture
def case(prepared, name, tmp_path):
    """One kind of export, and a folder as it is before it."""
    chosen = prepared[name]
    chosen.target = chosen.lay_out(tmp_path / "out")
    chosen.folder = chosen.target.parent
    return chosen


def run(case, target=None, **options):
    """The newer export, in this process."""
    with nv.open_nsx(case.source) as ns:
        return nv.write_bin(ns, target or case.target, overwrite=True, **case.options, **options)


def assert_done_anew(case, folder):
    """A second run finds what the first one left, and there is nothing but its own files in the end."""
    run(case, folder / "s.bin")
    assert crashes.contents(folder) == case.after
    for name in case.after:
        if name.endswith(".bin"):
            nv.read_sidecar(folder / name)


def file_that(**methods):
    """A kind of file whose methods are replaced."""
    return type("Odd", (FileIO,), methods)


# -------------------------------------------------------------------------------------------------- killed, and after


@every_case
def test_exports_c01_c02_killed_before_any_operation(prepared, exporter, name, tmp_path):
    """Before each file that is opened, removed, renamed or linked, and between the steps of the streaming."""
    case = prepared[name]
    for step in itertools.count():
        folder = tmp_path / str(step)
        exporter.start(case.source, case.lay_out(folder), case.options, step=step)
        code = exporter.wait()
        assert case.wrong(folder) == [], f"before operation {step}"
        if code == 0:
            break
        assert code == crashes.KILLED
        assert_done_anew(case, folder)
    assert step > 10
    assert crashes.contents(folder) == case.after


def kill_at_random(case, exporter, folder, moment, lasts_s):
    exporter.start(case.source, case.lay_out(folder), case.options, pause_s=0.002)
    time.sleep(moment * lasts_s)
    exporter.kill()
    code = exporter.wait()
    assert code in (0, crashes.KILLED)
    assert case.wrong(folder) == [], f"after {moment} of {lasts_s} s"
    assert_done_anew(case, folder)
    return code


def test_exports_c01_killed_at_fifty_random_moments(prepared, exporter, tmp_path):
    moments, codes = random.Random(1 if os.environ.get("CI") else None), []
    for k, case in zip(range(400), itertools.cycle(prepared.values()), strict=False):
        if k < len(prepared):
            begin = time.monotonic()
            exporter.start(case.source, case.lay_out(tmp_path / f"whole-{k}"), case.options, pause_s=0.002)
            assert exporter.wait() == 0
            case.lasts_s = time.monotonic() - begin
        codes.append(kill_at_random(case, exporter, tmp_path / str(k), moments.random(), case.lasts_s))
        if codes.count(crashes.KILLED) == 50:
            break
    assert codes.count(crashes.KILLED) == 50, "too few of them were still running"


def test_exports_c01_killed_in_a_process_of_its_own(prepared, tmp_path):
    """As the tests run where processes do not fork."""
    with crashes.Exporter(fork=False) as exporter:
        case = prepared["pair"]
        exporter.start(case.source, case.lay_out(tmp_path / "a"), case.options, step=7)
        assert exporter.wait() == crashes.KILLED
        assert case.wrong(tmp_path / "a") == []
        assert_done_anew(case, tmp_path / "a")


def left_by_a_kill(case, exporter, tmp_path, there="s.bin.part"):
    """The target of a run that was killed at the first moment when a file was there."""
    for step in itertools.count():
        target = case.lay_out(tmp_path / f"out-{step}")
        exporter.start(case.source, target, case.options, step=step)
        assert exporter.wait() == crashes.KILLED
        if target.with_name(there).exists():
            break
    return target


def test_exports_c03_what_a_killed_run_left_makes_room_first(prepared, exporter, tmp_path, monkeypatch):
    case = prepared["fresh"]
    target = left_by_a_kill(case, exporter, tmp_path)
    part = target.with_name("s.bin.part")
    monkeypatch.setattr(output_files, "free_bytes", lambda folder: 0 if part.exists() else 1 << 40)
    run(case, target)
    assert crashes.contents(target.parent) == case.after


def test_exports_c03_a_killed_runs_other_files_are_cleared_away_too(prepared, exporter, tmp_path):
    """The second run has one file, the first had several."""
    case = prepared["split"]
    target = left_by_a_kill(case, exporter, tmp_path, "s-001.json.part")
    with nv.open_nsx(case.source) as ns:
        nv.write_bin(ns, target, gaps="join")
    assert sorted(os.listdir(target.parent)) == sorted([*case.before, "s.bin", "s.json"])


def test_exports_c03_the_older_sidecar_outlives_a_second_failure(prepared, exporter, tmp_path, monkeypatch):
    """Killed while names were given; then the disk is full: what was set aside is still there."""
    case = prepared["pair"]
    target = left_by_a_kill(case, exporter, tmp_path, "s.json.old.part")
    folder = target.parent
    monkeypatch.setattr(output_files, "free_bytes", lambda folder: 0)
    with pytest.raises(nv.ExportError, match="0 bytes are free"):
        run(case, target)
    assert (folder / "s.json.old.part").read_bytes() == case.before["s.json"]
    assert case.wrong(folder) == []
    monkeypatch.undo()
    assert_done_anew(case, folder)


@pytest.mark.parametrize("kept", [0, 1, 30, -1, -12])
def test_exports_c03_a_list_that_was_cut_is_read_as_far_as_it_goes(prepared, exporter, tmp_path, kept):
    case = prepared["fresh"]
    target = left_by_a_kill(case, exporter, tmp_path)
    lock = target.with_name("s.bin.lock")
    lock.write_bytes(lock.read_bytes()[:kept])
    for part in target.parent.glob("*.part"):
        part.unlink()
    exporter.start(case.source, target, case.options, step=8)
    assert exporter.wait() == crashes.KILLED
    assert_done_anew(case, target.parent)


@pytest.mark.parametrize(
    "odd", ["s.bin.part", "s.json.part", "s.bin.old.part", "s.json.old.part", "s.ticks.part", "s.bin.lock"]
)
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_exports_c04_what_is_nobodys_leftover_is_kept(prepared, tmp_path, odd, kind):
    case = prepared["ptp"]
    target = case.lay_out(tmp_path / "out")
    stranger, precious = target.with_name(odd), tmp_path / "precious"
    precious.write_bytes(b"precious")
    if kind == "folder":
        stranger.mkdir()
    elif kind == "file":
        stranger.write_bytes(b"precious")
    else:
        try:
            stranger.symlink_to(precious)
        except (OSError, NotImplementedError):
            pytest.skip("links cannot be made here")
    with pytest.raises(nv.ExportError, match=f"{odd} {IN_THE_WAY}"):
        run(case, target)
    there = {name: data for name, data in crashes_contents(target.parent).items() if name != odd}
    assert there == case.before
    assert kind == "folder" or (stranger.read_bytes(), precious.read_bytes()) == (b"precious", b"precious")


def crashes_contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_exports_c04_a_link_to_an_empty_file_is_not_written_through(prepared, tmp_path):
    target, empty = prepared["fresh"].lay_out(tmp_path / "out"), tmp_path / "empty"
    empty.touch()
    try:
        target.with_name("s.bin.lock").symlink_to(empty)
    except (OSError, NotImplementedError):
        pytest.skip("links cannot be made here")
    with pytest.raises(nv.ExportError, match=IN_THE_WAY):
        run(prepared["fresh"], target)
    assert empty.read_bytes() == b""


@pytest.mark.parametrize("line", [b"not JSON\n", b"7\n", b'["s.json"]\n'])
def test_exports_c04_a_list_that_is_none_is_nobodys(prepared, tmp_path, line):
    target = prepared["fresh"].lay_out(tmp_path / "out")
    target.with_name("s.bin.lock").write_bytes(output_lock._FIRST_LINE + line)
    with pytest.raises(nv.ExportError, match=IN_THE_WAY):
        run(prepared["fresh"], target)
    assert list(crashes.contents(target.parent)) == ["s.bin.lock"]


def test_exports_c04_a_list_reaches_no_other_folder(prepared, tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    target = prepared["fresh"].lay_out(tmp_path / "out")
    for name in ("../precious", str(precious)):
        target.with_name("s.bin.lock").write_bytes(output_lock._FIRST_LINE + json.dumps(name).encode() + b"\n")
        run(prepared["fresh"], target)
    assert precious.read_bytes() == b"precious"


# ---------------------------------------------------------------------------------------------------- two runs at once


@every_case
@pytest.mark.parametrize("at", ["first", "last"])
def test_exports_c05_a_second_run_is_refused_and_the_first_goes_on(case, at):
    refused = []

    def progress(done, total):
        if not refused and (at == "first" or done == total):
            with pytest.raises(nv.ExportError, match=BUSY) as error:
                run(case)
            refused.append(error)

    run(case, progress=progress)
    assert refused
    assert crashes.contents(case.folder) == case.after


def test_exports_c05_a_run_in_another_process_is_heeded_until_it_is_killed(prepared, exporter, tmp_path):
    case = prepared["pair"]
    target = case.lay_out(tmp_path / "out")
    exporter.start(case.source, target, case.options, pause_s=60)
    for _ in range(5000):  # ten seconds
        if target.with_name("s.bin.part").exists():
            break
        time.sleep(0.002)
    with pytest.raises(nv.ExportError, match=BUSY):
        run(case, target)
    exporter.kill()
    assert exporter.wait() == crashes.KILLED
    assert_done_anew(case, target.parent)


def test_exports_c05_other_names_and_shared_sidecars(prepared, tmp_path):
    """Two runs in one folder do not meet, unless they would write one file."""
    case = prepared["pair"]
    target = case.lay_out(tmp_path / "out")

    def progress(done, total):
        if done == total:
            run(case, target.with_name("other.bin"))
            with nv.open_nsx(case.source) as ns, pytest.raises(nv.ExportError, match=f"s.json.part {IN_THE_WAY}"):
                nv.write_bin(ns, target.with_name("s.dat"), overwrite=True, progress=meanwhile)

    def meanwhile(done, total):  # pragma: no cover - it is refused before that
        raise AssertionError

    with nv.open_nsx(case.source) as ns:
        nv.write_bin(ns, target, overwrite=True, progress=create_sidecar_early(target, progress))


def create_sidecar_early(target, progress):
    """The sidecar's part is made last; stand one in, as if this run had got there."""

    def called(done, total):
        part = target.with_name("s.json.part")
        if done == total:
            part.touch()
        progress(done, total)
        if done == total:
            part.unlink()

    return called


class NoFcntl:
    """Locking as Windows has it: of bytes, refused with EACCES."""

    LK_NBLCK = 2

    def __init__(self):
        self.held = {}

    def locking(self, handle, mode, n_bytes):
        assert (mode, n_bytes, os.lseek(handle, 0, os.SEEK_CUR)) == (self.LK_NBLCK, 1, 0)
        status = os.fstat(handle)
        if (status.st_dev, status.st_ino) in self.held.values():
            raise OSError(errno.EACCES, "Permission denied")
        self.held[handle] = status.st_dev, status.st_ino


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c05_locks_of_another_system(case, monkeypatch):
    system = NoFcntl()
    monkeypatch.setitem(sys.modules, "msvcrt", system)
    monkeypatch.setattr(output_lock, "sys", SimpleNamespace(platform="win32"))

    def progress(*_):
        with pytest.raises(nv.ExportError, match=BUSY):
            run(case)

    run(case, progress=progress)
    assert len(system.held) == 1
    system.held.clear()
    assert_done_anew(case, case.folder)


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c05_where_nothing_can_be_locked_files_are_written_all_the_same(case, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    run(case)
    assert crashes.contents(case.folder) == case.after


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c05_a_lock_that_its_owner_removes_meanwhile_is_taken_anew(case, monkeypatch):
    real, removed = output_lock._lock, []

    def lock(file):
        if not removed:
            removed.append(os.unlink(case.target.with_name("s.bin.lock")))
        return real(file)

    monkeypatch.setattr(output_lock, "_lock", lock)
    seen = []
    run(case, progress=lambda *_: seen.append(case.target.with_name("s.bin.lock").exists()))
    assert removed
    assert all(seen), "others do not see what is locked"
    assert crashes.contents(case.folder) == case.after


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c05_a_system_that_removes_nothing_open(case, monkeypatch):
    """As Windows: the lock is removed once it is closed."""
    real, tried = os.unlink, []

    def unlink(path, **more):
        if str(path).endswith(".lock"):
            tried.append(path)
            if len(tried) == 1:
                raise PermissionError(errno.EACCES, "it is open", path)
        real(path, **more)

    monkeypatch.setattr(os, "unlink", unlink)
    run(case)
    assert len(tried) == 2
    assert crashes.contents(case.folder) == case.after


# --------------------------------------------------------------------------------------------------------- out of disk


def limited(n_bytes, code=errno.ENOSPC):
    """Files that take so many bytes together, and a few at a time."""
    left, lock = [n_bytes], Lock()  # timestamps and samples are written by different threads

    def write(self, data):
        with lock:
            if not left[0]:
                raise OSError(code, os.strerror(code))
            n = FileIO.write(self, bytes(data)[: min(left[0], 100)])
            left[0] -= n
            return n

    return file_that(write=write)


@settings(max_examples=40)
@given(name=st.sampled_from(list(CASES)), share=st.floats(0, 1), code=st.sampled_from(sorted(stream.NO_SPACE)))
def test_exports_c06_a_disk_that_is_full_after_any_byte(prepared, tmp_path_factory, name, share, code):
    case = prepared[name]
    total = sum(map(len, case.after.values()))
    folder = tmp_path_factory.mktemp("full") / "out"
    target = case.lay_out(folder)
    n_bytes = int(share * total)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output_files, "FileIO", limited(n_bytes, code))
        if n_bytes == total:
            run(case, target)
            assert crashes.contents(folder) == case.after
            return
        with pytest.raises(nv.ExportError) as refused:
            run(case, target)
    assert str(refused.value).startswith(f"{target} could not be written: {os.strerror(code)} (")
    needed = sum(len(data) for name, data in case.after.items() if not name.endswith(".json"))
    unit = "bytes" if needed < 1000 else "kB"
    assert f"{needed if needed < 1000 else needed / 1000:.4g} {unit} needed, " in str(refused.value)
    assert " written, " in str(refused.value)
    assert str(refused.value).endswith(" free)")
    assert crashes.contents(folder) == case.before


@every_case
def test_exports_c06_every_byte_that_may_be_the_last(case, monkeypatch):
    total = sum(map(len, case.after.values()))
    for n_bytes in {0, 1, 255, 256, 257, total - 1, *range(0, total, total // 20)}:
        monkeypatch.setattr(output_files, "FileIO", limited(n_bytes, errno.EIO))
        with pytest.raises(nv.ExportError, match=r"could not be written: Input/output error$"):
            run(case)
        assert crashes.contents(case.folder) == case.before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("name", ["pair", "ptp"])
def test_exports_c06_the_systems_own_full_device(case, monkeypatch):
    def to_full(self, path, mode):
        open(path, "x").close()
        FileIO.__init__(self, "/dev/full", "r+b")

    monkeypatch.setattr(output_files, "FileIO", file_that(__init__=to_full))
    monkeypatch.setattr(output_files, "reserve", lambda file, n_bytes: None)
    with pytest.raises(nv.ExportError, match=r"No space left on device \(.* needed, 0 bytes written, .* free\)"):
        run(case)
    assert crashes.contents(case.folder) == case.before


@pytest.mark.skipif(os.name != "posix", reason="the system has no limit on the size of a process's files")
@every_case
@pytest.mark.parametrize("most_bytes", [200, 400])
def test_exports_c06_a_limit_on_the_process(case, exporter, tmp_path, most_bytes):
    says = tmp_path / "says"
    exporter.start(case.source, case.target, case.options, most_bytes=most_bytes, says=str(says))
    assert exporter.wait() == crashes.REFUSED
    assert "File too large" in says.read_text()
    assert crashes.contents(case.folder) == case.before


IN_A_SMALL_DISK = """
import sys
sys.path[:0] = sys.argv[3:]
import nevparse as nv
from nevparse.export.output import files as _files, stream as _stream
_files.free_bytes = lambda folder: 1 << 40  # another program fills the disk meanwhile
if sys.argv[2] == "unreserved":
    _stream._fallocate = lambda: None
import os
with open("s.bin", "wb") as file:
    file.write(b"older")
with nv.open_nsx(sys.argv[1]) as ns:
    try:
        nv.write_bin(ns, "s.bin", overwrite=True)
    except nv.ExportError as error:
        print(error)
print(sorted(os.listdir()), open("s.bin", "rb").read() == b"older")
"""


@pytest.mark.parametrize("how", ["reserved", "unreserved"])
def test_exports_c06_a_small_disk(file_of, tmp_path, how):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=64k none "$0" && cd "$0" && exec "$@"', str(disk)]
    if shutil.which("unshare") is None or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system of our own can be mounted here; the other tests of C06 stand for it")
    source = file_of(b.nsx([(0, b.ramp(30_000, 4))]))
    paths = os.path.dirname(os.path.dirname(nv.__file__)), os.path.dirname(os.path.dirname(np.__file__))
    done = subprocess.run(
        [*mount, sys.executable, "-c", IN_A_SMALL_DISK, source, how, *paths],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    said, left = done.stdout.splitlines()
    assert "s.bin could not be written: No space left on device (240 kB needed, " in said
    assert left == "['s.bin'] True"


@pytest.mark.parametrize("name", ["pair", "ptp"])
def test_exports_c06_a_file_that_did_not_become_what_was_planned_gets_no_name(case, monkeypatch):
    """Whatever the reason: the system said that all was written."""
    monkeypatch.setattr(output_files, "FileIO", file_that(write=lambda self, data: len(data)))
    with pytest.raises(nv.ExportError, match="bytes were planned, 0 came of it"):
        run(case)
    assert crashes.contents(case.folder) == case.before


# --------------------------------------------------------------------------------------------------- the target's place


@pytest.mark.skipif(os.name != "posix", reason="a folder cannot be removed while a file in it is open")
@every_case
def test_exports_c07_a_folder_that_goes_away(case):
    with pytest.raises(nv.ExportError, match="could not be written: "):
        run(case, progress=lambda *_: shutil.rmtree(case.folder, ignore_errors=True))
    assert not case.folder.exists()


@pytest.mark.parametrize("name", ["pair"])
@pytest.mark.parametrize("where", [output_lock, output_files])
def test_exports_c07_a_folder_that_cannot_be_written_to(case, monkeypatch, where):
    class ReadOnly(FileIO):
        def __init__(self, path, mode):
            raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(where, "FileIO", ReadOnly)
    with pytest.raises(nv.ExportError, match=r"s.bin could not be written: Permission denied \(s.bin.(part|lock)\)"):
        run(case)
    assert crashes.contents(case.folder) == case.before


@pytest.mark.parametrize("n_letters", [245, 247, 251, 255, 300, 5000])
def test_exports_c07_a_name_that_is_too_long(opened, out, n_letters):
    ns = opened(b.nsx([(0, b.ramp(5, 2))]))
    try:
        nv.write_bin(ns, out.with_name("s" * (n_letters - 4) + ".bin"))
    except nv.ExportError as error:
        assert "could not be written: " in str(error)  # noqa: PT017 - which length is too long depends on the system
        assert list(out.parent.iterdir()) == []
    else:
        assert n_letters < 255
        assert len(list(out.parent.iterdir())) == 2


def other_file_system(path):
    """A folder on another file system than `path`, if there is one."""
    for other in ("/dev/shm", os.environ.get("XDG_RUNTIME_DIR", ""), os.getcwd()):
        if os.path.isdir(other) and os.access(other, os.W_OK) and os.stat(other).st_dev != os.stat(path).st_dev:
            return other
    return None


@every_case
def test_exports_c07_a_target_on_another_file_system(case):
    other = other_file_system(case.folder)
    if other is None:
        pytest.skip("one file system is all there is here")
    folder = os.path.join(other, f"nevparse-{os.getpid()}")
    os.mkdir(folder)
    try:
        run(case, os.path.join(folder, "s.bin"))
        assert crashes.contents(case.folder.__class__(folder)) == case.after
    finally:
        shutil.rmtree(folder)


@every_case
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "Permission denied"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [False, True])
def test_exports_c08_a_name_that_is_refused_puts_everything_back(case, monkeypatch, links, error, after):
    """At every renaming, before and after it is done; with and without hard links."""
    real = os.replace
    if not links:
        monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    for n_good in itertools.count():
        calls = itertools.count()

        def replace(source, target, n_good=n_good, calls=calls):
            failing = next(calls) == n_good
            if failing and not after:
                raise error
            real(source, target)
            if failing:
                raise error

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace)
            try:
                run(case)
            except (nv.ExportError, KeyboardInterrupt):
                assert crashes.contents(case.folder) == case.before, f"renaming {n_good}"
            else:
                break
    assert n_good >= len(case.after)
    assert crashes.contents(case.folder) == case.after


def refusing(code):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    return refuse


def test_exports_c08_links_are_put_back_as_links(prepared, tmp_path, monkeypatch):
    case = prepared["fresh"]
    target = case.lay_out(tmp_path / "out")
    try:
        target.symlink_to("nowhere")
    except (OSError, NotImplementedError):
        pytest.skip("links cannot be made here")
    real = os.replace

    def replace(source, to):
        if str(source).endswith("s.json.part"):
            raise PermissionError(errno.EACCES, "Permission denied")
        real(source, to)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(nv.ExportError, match="Permission denied"):
        run(case, target)
    assert os.listdir(target.parent) == ["s.bin"]
    assert os.readlink(target) == "nowhere"


# ----------------------------------------------------------------------------------- an input that does not stay itself


def opened_case(case, tmp_path, mtime_ns=10**18):
    """A copy of a case's recording, which was last changed long ago."""
    path = tmp_path / "input.ns5"
    path.write_bytes(case.raw)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def change(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_END if at == 0 else os.SEEK_SET)
        file.write(data)


@every_case
@pytest.mark.parametrize("when", ["before", "first", "last"])
@pytest.mark.parametrize("sort", [False, True])
def test_exports_c09_an_input_that_shrinks(case, tmp_path, when, sort):
    path = opened_case(case, tmp_path)

    def shrink(done, total):
        if when == "first" or done == total:
            os.truncate(path, 700)

    with nv.open_nsx(path) as ns:
        _ = ns.gaps  # probed while it was whole
        if when == "before":
            os.truncate(path, 700)
        early = when == "before" and sort and ns.has_sample_timestamps  # every timestamp is read to plan it
        error, message = (nv.FormatError, "before the end of the file") if early else (nv.ExportError, SHORTER)
        with pytest.raises(error, match=message):
            nv.write_bin(ns, case.target, overwrite=True, sort=sort, **case.options, progress=shrink)
    assert crashes.contents(case.folder) == case.before


@every_case
@pytest.mark.parametrize("at", [100, 600])
def test_exports_c10_an_input_that_is_changed_in_its_place(case, tmp_path, at):
    path = opened_case(case, tmp_path)
    with (
        nv.open_nsx(path) as ns,
        pytest.raises(nv.ExportError, match=r"changed while it was exported \((its|it)"),
    ):
        nv.write_bin(ns, case.target, overwrite=True, **case.options, progress=lambda *_: change(path, at, b"\x55" * 9))
    assert crashes.contents(case.folder) == case.before


@every_case
def test_exports_c11_an_input_may_grow(case, tmp_path):
    path = opened_case(case, tmp_path)
    more = case.raw[-600:]
    with nv.open_nsx(path) as ns:
        nv.write_bin(ns, case.target, overwrite=True, **case.options, progress=lambda *_: change(path, 0, more))
    for name, data in crashes.contents(case.folder).items():
        assert name.endswith(".json") or data == case.after[name]


@pytest.mark.parametrize("name", ["pair", "ptp"])
def test_exports_c11_a_longer_recording_in_its_place_is_not_growth(case, tmp_path):
    path = opened_case(case, tmp_path)

    def record_anew(*_):
        change(path, 0, case.raw)
        change(path, 290, b"\x01\x02")

    with nv.open_nsx(path) as ns, pytest.raises(nv.ExportError, match=r"changed while it was exported \(its headers\)"):
        nv.write_bin(ns, case.target, overwrite=True, **case.options, progress=record_anew)
    assert crashes.contents(case.folder) == case.before


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c11_what_is_no_file_cannot_change(case):
    with nv.open_nsx(case.raw) as ns:
        nv.write_bin(ns, case.target, overwrite=True)
    assert case.target.read_bytes() == case.after["s.bin"]


@pytest.mark.parametrize("name", ["pair", "ptp"])
def test_exports_c12_an_input_that_cannot_be_read_is_not_an_output_that_cannot_be_written(case, monkeypatch):
    with nv.open_nsx(case.source) as ns:
        real = ns.readinto

        def readinto(buffer, offset):
            if offset > 600:
                raise OSError(errno.EIO, "Input/output error")
            return real(buffer, offset)

        monkeypatch.setattr(type(ns), "readinto", lambda self, *more: readinto(*more))
        with pytest.raises(nv.ExportError, match=rf"{case.name}.ns5 could not be read at byte \d+: Input/output error"):
            nv.write_bin(ns, case.target, overwrite=True, **case.options)
    assert crashes.contents(case.folder) == case.before


def test_exports_c09_timestamps_are_read_and_not_mapped(opened, monkeypatch):
    """A map of a file that has shrunk is a fault, and no exception."""
    raw, _ = b.plausible("ptp", 3, (60, 50))
    ns = opened(raw)

    def view(*_):
        raise AssertionError("mapped")

    monkeypatch.setattr(type(ns._source), "view", view)
    assert len(ns.fully_scanned().gaps) == len(ns.gaps) == 1
    assert ns.segments[0].ticks(3, 9, sort=True).size == 6
    assert ns.segments[1].find(ns.segments[1].start_tick + 1) == 1


# ---------------------------------------------------------------------------------------------------------- the sidecar


@pytest.mark.parametrize("n_bytes", [-1, 1, 100])
def test_exports_c13_a_sidecar_of_another_bin_is_refused(opened, out, n_bytes):
    report = nv.write_bin(opened(b.nsx([(0, b.ramp(50, 3))])), out)
    os.truncate(out, report.size_bytes + n_bytes)
    with pytest.raises(nv.FormatError, match=f"of 300 bytes, and .*s.bin has {300 + n_bytes}"):
        nv.read_sidecar(out)


def test_exports_c13_a_sidecar_alone_can_be_read(opened, out):
    nv.write_bin(opened(b.nsx([(0, b.ramp(50, 3))])), out)
    os.unlink(out)
    assert nv.read_sidecar(out).n_samples == 50


@pytest.mark.parametrize("made", [True, False])
def test_exports_c08_an_interruption_while_the_lock_is_made_leaves_none(opened, out, monkeypatch, made):
    """As Ctrl-C does between the making of a file and the moment its name is known."""

    def interrupted(path, mode):
        if mode == "a+b":
            if made:
                FileIO(path, mode).close()
            raise KeyboardInterrupt
        return FileIO(path, mode)

    monkeypatch.setattr(output_lock, "FileIO", interrupted)
    ns = opened(b.plausible("2.3", 4, (50,))[0])
    with pytest.raises(KeyboardInterrupt):
        nv.write_bin(ns, out)
    assert list(out.parent.iterdir()) == []
