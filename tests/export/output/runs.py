# SPDX-License-Identifier: MIT
"""Steps that the tests of outputs share."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nevparse as nv
from export.output import crashes
from nevparse.export.output import files as output_files

FILE_CASES = [case.name for case in crashes.cases()]
FOLDER_CASES = [case.name for case in crashes.folder_cases()]
IN_THE_WAY = "already exists and was not left by an interrupted run"
BUSY = "is being written by another run"
every_case = pytest.mark.parametrize("name", FILE_CASES)
every_folder = pytest.mark.parametrize("name", FOLDER_CASES)


def run(case: crashes.Case, target: Path | str, **options: Any) -> Any:
    """The newer export, in this process."""
    return case.export(target, **{"overwrite": True, **case.options, **options})


def assert_done_anew(case: crashes.Case, target: Path) -> None:
    """Export to what a first run left: nothing but the newer files remains."""
    run(case, target)
    assert crashes.contents(target.parent) == case.after
    for path in target.parent.rglob("*.bin"):
        nv.read_sidecar(path)


def left_by_a_kill(case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path, name: str) -> Path:
    """The target of a run that was killed as soon as a file existed."""
    target = case.set_up(tmp_path / "left")
    assert exporter.killed_when(case, target, target.with_name(name))
    return target


def write_with(monkeypatch: pytest.MonkeyPatch, **methods: Any) -> None:
    """Have outputs written by files some of whose methods are replaced."""
    monkeypatch.setattr(output_files, "FileIO", type("Odd", (FileIO,), methods))


def free_space_is(monkeypatch: pytest.MonkeyPatch, n_bytes: Callable[[], int]) -> None:
    """Have the system say how much is free."""
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=n_bytes(), f_frsize=1), raising=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=n_bytes()))


def symlink_or_skip(link: Path, to: Path | str) -> None:
    try:
        link.symlink_to(to)
    except (OSError, NotImplementedError):
        pytest.skip("links cannot be made here")
    if not link.is_symlink():  # Wine says that it has made one
        pytest.skip("links cannot be made here")


def hard_link_or_skip(path: Path, link: Path) -> None:
    try:
        os.link(path, link)
    except OSError:
        pytest.skip("hard links cannot be made here")


NO_LINKS = crashes.failing(errno.EPERM)
