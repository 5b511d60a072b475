# SPDX-License-Identifier: MIT
"""Exports that run out of space, at every byte: the error says how much is missing, and nothing new is left."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import PATIENCE_S

import nevparse as nv
from export.output import crashes
from export.output.runs import FILE_CASES, every_case, free_space_is, run, write_with
from nevparse.export.output import files as output_files
from nevparse.export.output import stream

pytestmark = pytest.mark.usefixtures("many_steps")


def limited(n_bytes: int, code: int = errno.ENOSPC) -> Callable[[Any, Any], int]:
    """How files write that take so many bytes together, and a few at a time."""
    left, lock = [n_bytes], Lock()  # timestamps and samples are written by different threads

    def write(self: Any, data: Any) -> int:
        with lock:
            if not left[0]:
                raise OSError(code, os.strerror(code))
            n = FileIO.write(self, bytes(data)[: min(left[0], 100)])
            left[0] -= n
            return n

    return write


@settings(max_examples=40)
@given(name=st.sampled_from(FILE_CASES), share=st.floats(0, 1), code=st.sampled_from(sorted(stream.NO_SPACE)))
def test_exports_c06_a_disk_that_is_full_after_any_byte(
    prepared: dict[str, crashes.Case], tmp_path_factory: pytest.TempPathFactory, name: str, share: float, code: int
) -> None:
    case = prepared[name]
    total = sum(map(len, case.after.values()))
    folder = tmp_path_factory.mktemp("full") / "out"
    target = case.set_up(folder)
    n_bytes = int(share * total)
    with pytest.MonkeyPatch.context() as patch:
        write_with(patch, write=limited(n_bytes, code))
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


@pytest.mark.parametrize("parts", [4, pytest.param(20, marks=pytest.mark.thorough)])
@every_case
def test_exports_c06_every_byte_that_may_be_the_last(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    total = sum(map(len, case.after.values()))
    for n_bytes in {0, 1, 255, 256, 257, total - 1, *range(0, total, total // parts)}:
        write_with(monkeypatch, write=limited(n_bytes, errno.EIO))
        with pytest.raises(nv.ExportError, match=r"could not be written: Input/output error$"):
            run(case, target)
        assert crashes.contents(target.parent) == case.before


@pytest.mark.parametrize("name", ["new", "replaced", "fewer"])
@pytest.mark.parametrize("n_bytes", [0, 100, 500])
def test_exports_c06_a_folder_on_a_full_disk(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch, n_bytes: int
) -> None:
    write_with(monkeypatch, write=limited(n_bytes))
    with pytest.raises(nv.ExportError, match=r"could not be written: No space left on device \(.* free\)"):
        run(case, target)
    assert crashes.contents(target.parent) == case.before


@pytest.mark.skipif(os.name != "posix" or not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("name", ["pair", "ptp"])
def test_exports_c06_the_systems_own_full_device(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_full(self: Any, path: str, mode: str) -> None:
        FileIO.__init__(self, path, mode)
        if mode == "xb":
            with open("/dev/full", "wb", buffering=0) as full:
                os.dup2(full.fileno(), self.fileno())

    write_with(monkeypatch, __init__=open_full)
    monkeypatch.setattr(output_files, "reserve", lambda file, n_bytes: None)
    monkeypatch.setattr(output_files.LockedPart, "is_in_place", lambda self: True)
    with pytest.raises(nv.ExportError, match=r"No space left on device \(.* needed, 0 bytes written, .* free\)"):
        run(case, target)
    assert crashes.contents(target.parent) == case.before


@pytest.mark.skipif(os.name != "posix", reason="the system has no limit on the size of a process's files")
@every_case
@pytest.mark.parametrize("most_bytes", [200, 400])
def test_exports_c06_a_limit_on_the_process(
    case: crashes.Case, exporter: crashes.Exporter, target: Path, tmp_path: Path, most_bytes: int
) -> None:
    says = tmp_path / "says"
    exporter.start(case, target, most_bytes=most_bytes, says=str(says))
    assert exporter.wait() == crashes.REFUSED
    assert "File too large" in says.read_text()
    assert crashes.contents(target.parent) == case.before


IN_A_SMALL_DISK = """
import sys
sys.path[:0] = sys.argv[3:]
import nevparse as nv
from nevparse.export.output import stream as _stream
import os
# another program fills the disk meanwhile
os.statvfs = lambda folder: type("Free", (), {"f_bavail": 1 << 40, "f_frsize": 1})
if sys.argv[2] == "unreserved":
    _stream._fallocate = lambda: None
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
def test_exports_c06_a_small_disk(file_of: Callable[..., str], tmp_path: Path, how: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=64k none "$0" && cd "$0" && exec "$@"', str(disk)]
    if shutil.which("unshare") is None or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system of our own can be mounted here; the other tests of C06 stand for it")
    source = file_of(b.nsx([(0, b.ramp(30_000, 4))]))
    paths = os.path.dirname(os.path.dirname(nv.__file__)), os.path.dirname(os.path.dirname(np.__file__))
    done = subprocess.run(
        [*mount, sys.executable, "-c", IN_A_SMALL_DISK, source, how, *paths],
        capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    message, left = done.stdout.splitlines()
    assert "s.bin could not be written: No space left on device (240 kB needed, " in message
    assert left == "['s.bin'] True"


@pytest.mark.parametrize("name", ["pair", "ptp"])
def test_exports_c06_a_file_that_did_not_become_what_was_planned_gets_no_name(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason: the system reported that all was written."""
    write_with(monkeypatch, write=lambda self, data: len(data))
    with pytest.raises(nv.ExportError, match="bytes were planned, 0 were written"):
        run(case, target)
    assert crashes.contents(target.parent) == case.before


@pytest.mark.parametrize("name", ["pair", "ptp", "split"])
def test_exports_c06_a_write_that_fails_only_when_the_file_is_closed(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network share with a quota."""
    real = os.close

    def close(handle: int) -> None:
        real(handle)
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "close", close)
    with pytest.raises(nv.ExportError, match=os.strerror(errno.EDQUOT)):
        run(case, target)
    assert crashes.contents(target.parent) == case.before


@pytest.mark.parametrize("name", ["new", "replaced"])
def test_exports_c06_too_little_space_for_a_folder(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_space_is(monkeypatch, lambda: 7)
    with pytest.raises(nv.ExportError, match="7 bytes are free"):
        run(case, target)
    assert crashes.contents(target.parent) == case.before
