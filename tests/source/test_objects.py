# SPDX-License-Identifier: MIT
"""Whose object it is, and what can go wrong with it: claims C04 to C07 of `spec_notes/sources.md`."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b

import nevparse as nv
from source.kinds import FILES, KINDS, Remote, every_object, given, refused

pytestmark = pytest.mark.usefixtures("quiet")

# -------------------------------------------------------------------------------------------------- whose object it is


@every_object
def test_sources_c04_the_object_stays_open_and_is_read_from_its_beginning(tmp_path: Path, kind: str) -> None:
    data, samples = b.plausible("2.3", 3, (9,))
    with given(kind, data, tmp_path) as what:
        what.seek(17)
        with nv.open_nsx(what) as ns:
            np.testing.assert_array_equal(ns.read(), samples)
        what.seek(0)
        assert data.startswith(what.read(10) or b"-")


@pytest.mark.skipif(not hasattr(os, "pread"), reason="a file is sought where the system cannot read at a place")
@pytest.mark.parametrize("kind", FILES)
def test_sources_c04_the_position_of_a_file_of_the_system_stays_and_its_end_does_not_matter(
    tmp_path: Path, kind: str
) -> None:
    data, samples = b.plausible("2.3", 3, (9,))
    with ExitStack() as stack:
        file = stack.enter_context(FILES[kind](data, tmp_path))
        file.seek(11)
        ns = stack.enter_context(nv.open_nsx(file))
        assert ns.read(0, 2).tolist() == samples[:2].tolist()
        assert file.tell() == 11
        assert os.fstat(ns.fileno()).st_size == len(data)
        file.close()
        np.testing.assert_array_equal(ns.read(), samples)


@pytest.mark.parametrize("kind", FILES)
def test_sources_c04_a_file_is_read_where_the_system_cannot_read_at_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.delattr(os, "pread", raising=False)
    monkeypatch.delattr(os, "preadv", raising=False)
    data, samples = b.plausible("ptp", 3, (9,))
    with given(kind, data, tmp_path) as what, nv.open_nsx(what) as ns:
        np.testing.assert_array_equal(ns.read(), samples)
        with pytest.raises(OSError, match="no file descriptor"):
            ns.fileno()
        assert nv.write_bin(ns, tmp_path / "o.bin").n_samples == 9


def test_sources_c04_every_source_has_a_name_to_print(tmp_path: Path) -> None:
    data = b.plausible("2.3")[0]
    names = {}
    for kind in KINDS:
        with given(kind, data, tmp_path) as what, nv.open_nsx(what) as ns:
            names[kind] = ns.path
    assert names["bytes"] == "<bytes>"
    assert names["BytesIO"] == "<BytesIO>"
    assert names["remote"] == "<Remote>"
    assert names["subclass"] == "somewhere/s.ns5"
    assert names["zip"] == "inside/s.ns5"
    assert names["file"] == str(tmp_path / "given.file")
    with tempfile.TemporaryFile() as file:  # whose name is a number, except on Windows
        assert file.write(data)
        with nv.open_nsx(file) as ns:
            assert ns.path == file.name if isinstance(file.name, str) else ns.path.startswith("<")


class Slow(Remote):
    """Gives other threads every chance to come between."""

    def seek(self, offset, whence=0):
        super().seek(offset, whence)
        for _ in range(20):
            os.sched_yield() if hasattr(os, "sched_yield") else None


def test_sources_c05_threads_share_one_object() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        data, samples = b.plausible("2.3", 3, (400,))
        with nv.open_nsx(Slow(data, most=50)) as ns, ThreadPoolExecutor(4) as pool:
            reads = list(pool.map(lambda k: ns.read(k, k + 30), range(300)))
    finally:
        sys.setswitchinterval(interval)
    for k, got in enumerate(reads):
        np.testing.assert_array_equal(got, samples[k : k + 30])


# --------------------------------------------------------------------------------------------------- what can go wrong


@pytest.mark.parametrize("which", ["2.3", "ptp"])
def test_sources_c06_an_object_that_became_shorter_is_an_error(which: str, out: Path) -> None:
    data, _ = b.plausible(which, 3, (50,))
    remote = Remote(data)
    with nv.open_nsx(remote) as ns:
        assert ns.segments
        remote.ends_at = len(data) - 30
        with pytest.raises(nv.FormatError, match=f"expected {len(data)} bytes, as when it was opened, found"):
            ns.read()
        with pytest.raises((nv.ExportError, nv.FormatError), match=r"shorter|end of the file"):
            nv.write_bin(ns, out)
        assert list(out.parent.iterdir()) == []
        assert ns.read(0, 5).shape == (5, 3)


@pytest.mark.parametrize("which", ["2.3", "ptp"])
def test_sources_c06_an_object_that_fails_midway_passes_its_error_on(which: str, out: Path) -> None:
    data, samples = b.plausible(which, 3, (50,))
    remote = Remote(data)
    with nv.open_nsx(remote) as ns:
        assert ns.segments
        remote.fails_at = len(data) - 30
        with pytest.raises(OSError, match="the line is dead"):
            ns.read()
        with pytest.raises((nv.ExportError, OSError), match="the line is dead"):  # while it plans, or writes
            nv.write_bin(ns, out)
        assert list(out.parent.iterdir()) == []
        remote.fails_at = None
        np.testing.assert_array_equal(ns.read(), samples)
    remote.fails_at = 20
    with pytest.raises(OSError, match="the line is dead"):
        nv.open_nsx(remote)


@pytest.mark.parametrize("answer", [None, "text", b"far too much", 5])
def test_sources_c06_an_object_that_answers_nonsense_is_an_error(answer) -> None:
    remote = Remote(b.plausible("2.3")[0])
    vars(remote)["read"] = lambda n_bytes: answer if n_bytes else b""
    with pytest.raises(TypeError, match=r"<Remote>: expected up to \d+ bytes from its read\(\)"):
        nv.open_nsx(remote)


@pytest.mark.parametrize("opener", [nv.open_nsx, nv.open_nev, nv.check])
def test_sources_c07_what_cannot_be_opened_is_said_with_what_can(tmp_path: Path, opener) -> None:
    path = tmp_path / "s.ns5"
    path.write_bytes(b.plausible("2.3")[0])
    for nothing in (None, 5, 1.5, [1], object()):
        refused(opener, nothing, TypeError, "a path, bytes, or a binary file object", type(nothing).__name__)
    with open(path, encoding="latin-1") as file:
        refused(opener, file, TypeError, str(path), "mode 'rb'")
    refused(opener, io.StringIO("NEURALCD"), TypeError, "<StringIO>", "mode 'rb'")
    with open(tmp_path / "new", "wb") as new:
        refused(opener, new, ValueError, "can read", "mode 'rb'")
    refused(opener, new, ValueError, "closed")
    refused(opener, io.BufferedReader(NoSeek()), ValueError, "can seek", "read all of it")
    refused(opener, NoSeekAndDoesNotSay(), ValueError, "can seek", "read all of it")
    refused(opener, np.zeros((8, 8), np.uint8)[:, ::2], ValueError, "in one piece")
    refused(opener, b"", nv.FormatError, "an empty file", "<bytes>")
    refused(opener, io.BytesIO(), nv.FormatError, "an empty file", "<BytesIO>")
    refused(opener, tmp_path / "none.ns5", FileNotFoundError, "none")
    refused(lambda what: nv.open_nsx(path, nev=what), 5, TypeError, "a path, bytes")


class NoSeek(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, buffer):
        return 0


class NoSeekAndDoesNotSay(Remote):
    def __init__(self):
        super().__init__(b"some")

    def seek(self, offset, whence=0):
        raise io.UnsupportedOperation("seek")


@pytest.mark.skipif(not hasattr(os, "pipe"), reason="no pipes")
def test_sources_c07_a_pipe_cannot_seek() -> None:
    read, write = os.pipe()
    os.close(write)
    with open(read, "rb") as file:
        refused(nv.open_nsx, file, ValueError, "can seek", "read all of it")
