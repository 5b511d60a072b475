# SPDX-License-Identifier: MIT
"""Files are complete or absent: interruptions, space that is reserved, and the thread that writes."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import time
from collections.abc import Iterator
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened

import nevparse as nv
from export.left import left_in
from nevparse.export.output import files as output_files
from nevparse.export.output import stream
from nevparse.traces import packing

# ----------------------------------------------------------------------------------------------- complete, or absent


class Reluctant(FileIO):
    """A file that takes at most 7 bytes at a time, as a system may."""

    def write(self, data):
        return super().write(bytes(data)[:7])


@pytest.mark.usefixtures("small_buffers")
def test_a_file_that_takes_a_few_bytes_at_a_time_is_complete(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_files, "FileIO", Reluctant)
    raw, samples = b.plausible("2.3", 4, (50,))
    nv.write_bin(opened(raw), out)
    assert out.read_bytes() == samples.tobytes()
    assert json.loads(out.with_suffix(".bin.json").read_text())["shape"] == [50, 4]


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_interruption_leaves_nothing(opened: Opened, out: Path, error) -> None:
    def progress(done, total):
        if done > total / 2:
            raise error

    with pytest.raises(error):
        nv.write_bin(opened(b.plausible("2.3", 4, (50,))[0]), out, progress=progress)
    assert left_in(out.parent) == []


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_target_that_cannot_be_renamed_to_leaves_nothing(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    for name in ("link", "rename", "replace"):
        monkeypatch.setattr(os, name, refuse)
    with pytest.raises(nv.ExportError, match="could not be written: Permission denied"):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out, overwrite=overwrite)
    assert left_in(out.parent) == []


# ------------------------------------------------------------------------------------------ space that is set aside


def answering(code):
    """A system call that sets errno, and fails where it is not 0."""

    def fallocate(*_):
        ctypes.set_errno(code)
        return -1 if code else 0

    return lambda: fallocate


@pytest.mark.parametrize("system", [None, stream._fallocate, lambda: None, answering(errno.EOPNOTSUPP)])
def test_a_file_is_the_same_whether_the_system_sets_space_aside_or_not(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, out: Path, system
) -> None:
    if system is not None:
        monkeypatch.setattr(stream, "_fallocate", system)
    raw, samples = b.plausible("2.3", 4, (50,))
    nv.write_bin(opened(raw), out)
    assert out.read_bytes() == samples.tobytes()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG])
def test_missing_space_is_reported_before_a_byte_is_written(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, out: Path, code
) -> None:
    monkeypatch.setattr(stream, "_fallocate", answering(code))
    with pytest.raises(nv.ExportError, match="could not be written"):
        nv.write_bin(opened(b.plausible("2.3", 4, (50,))[0]), out)
    assert left_in(out.parent) == []


@pytest.mark.skipif(stream._fallocate() is None, reason="this system cannot set space aside")
def test_space_set_aside_does_not_make_a_file_longer(tmp_path: Path) -> None:
    with FileIO(tmp_path / "f", "xb") as file:
        stream.reserve(file, 1 << 20)
        file.write(b"abc")
    assert (tmp_path / "f").stat().st_size == 3
    assert (tmp_path / "f").stat().st_blocks * 512 >= 1 << 20


# -------------------------------------------------------------------------------------------- the thread that writes


@pytest.mark.parametrize("n_batches", [0, 1, stream.BATCHES - 1, stream.BATCHES, 3 * stream.BATCHES + 1])
def test_no_more_than_a_few_batches_wait_for_a_slow_file(tmp_path: Path, n_batches: int) -> None:
    """Each buffer is used again once its batch was written; a new one is made where none has come back."""

    class Slow(FileIO):
        def write(self, data: Any) -> int:
            time.sleep(0.002)
            return super().write(data)

    taken: list[packing.Buffer] = []

    def batches() -> Iterator[packing.Batch]:
        pool = packing.Pool()
        for k in range(n_batches):
            buffer = pool.take(4)
            taken.append(buffer)
            pack = partial(np.copyto, buffer.view("<u4"), k)
            yield packing.Batch(buffer.data, k + 1, [pack], partial(pool.give_back, buffer))

    with Slow(tmp_path / "f", "xb") as file:
        shown: list[int] = []
        stream.stream(batches(), file, shown.append)
    assert shown == list(range(1, n_batches + 1))
    assert np.fromfile(tmp_path / "f", "<u4").tolist() == list(range(n_batches))
    assert len(set(map(id, taken))) <= stream.BATCHES
