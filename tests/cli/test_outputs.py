# SPDX-License-Identifier: MIT
"""Names of outputs at a shell: a recording is never replaced."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from export.left import left_in
from export.output import crashes
from fixture_types import Command, FileOf

from nevparse.cli import commands as cli

_PTP = b.plausible("ptp", 2, (40,))[0]


@pytest.fixture
def main(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process: (exit code, standard output, standard error)."""

    def call(*arguments):
        code = cli.main([*map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


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
        patch.setattr(np, "save", lambda file, *_, **__: file.write(b"half") and fail())
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
    assert (code, "the last name is that of the .bin to write" in message) == (2, True)
    assert crashes.contents(tmp_path) == before
