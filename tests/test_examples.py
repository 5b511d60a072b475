# SPDX-License-Identifier: MIT
"""Examples in docstrings, in the help of each command and in the notes do what they say, in the README's folder."""

from __future__ import annotations

import doctest
import inspect
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.demo import write_files

import nevparse as nv
from nevparse.cli import arguments
from nevparse.cli import commands as cli

METHODS: list[Any] = [
    *(nv.NsxFile.columns, nv.NsxFile.read, nv.NsxFile.chunks, nv.Recording.locate),
    *(nv.NevFile.spikes, nv.NevFile.trains, nv.NevFile.events, nv.NevFile.comments),
]
FUNCTIONS: list[Any] = [item for name in nv.__all__ if inspect.isfunction(item := getattr(nv, name))]
DRAWN = {"write_report", "report"}  # by matplotlib, which is not installed everywhere; the README draws the same page
NOTES = Path(__file__).resolve().parents[1] / "spec_notes"
# What needs others' packages, or a loop of events
RUN_ELSEWHERE = {
    ("arrays", "import dask.array as da"): "test_interop.py",
    ("clusters", "import time"): "test_interop.py",
    ("coming_from", "import nevparse as nv"): "test_coming_from.py",
    ("exports", "import asyncio"): "export/test_cancel.py",
    ("exports", "from PySide6.QtCore import QThread, Signal"): "test_interop.py",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_files(folder)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the README's files."""
    shutil.copytree(made, tmp_path / "demo")
    monkeypatch.chdir(tmp_path / "demo")
    yield tmp_path / "demo"
    monkeypatch.undo()


def need_drawing(name: str) -> None:
    """Skip what draws where nothing can."""
    if name in DRAWN:
        pytest.importorskip("matplotlib")


def drawn_is_thorough(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.thorough] * (name in DRAWN)


@pytest.mark.usefixtures("open_fonts")
@pytest.mark.parametrize(
    "function",
    [pytest.param(f, marks=drawn_is_thorough(f.__name__), id=f.__qualname__) for f in (*FUNCTIONS, *METHODS)],
)
def test_a_public_function_has_an_example_that_is_true(here: Path, function: Any) -> None:
    tests = [test for test in doctest.DocTestFinder(recurse=False).find(function, globs={}) if test.examples]
    assert tests, f"{function.__qualname__} has no example"
    need_drawing(function.__name__)
    said: list[str] = []
    with np.printoptions(legacy=False):
        results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(tests[0], out=said.append)
    assert results.failed == 0, "".join(said)


@pytest.mark.usefixtures("open_fonts")
@pytest.mark.parametrize(
    ("command", "line"),
    [
        pytest.param(command, line, marks=drawn_is_thorough(command))
        for command, lines in arguments.EXAMPLES.items()
        for line in lines
    ],
)
def test_an_example_of_the_help_runs(here: Path, capsys: pytest.CaptureFixture[str], command: str, line: str) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "-h"])
    assert f"\n  {line}\n" in capsys.readouterr().out
    need_drawing(command)
    program, *typed = shlex.split(line)
    assert (program, cli.main(typed)) == ("nevparse", 1 if command == "check" else 0), capsys.readouterr().err


def test_every_command_has_examples() -> None:
    assert set(arguments.EXAMPLES) == set(cli.COMMANDS)


def test_what_users_may_look_for_is_what_dir_offers(here: Path) -> None:
    with nv.open_recording("session") as recording:
        for item in (recording, recording.nev, recording.nsx[5]):
            offered = [name for name in dir(item) if not name.startswith("__")]
            assert [name for name in offered if name.startswith("_")] == []
            assert {"close"} <= set(offered)
    assert {"shape", "duration_s", "read", "segments"} <= set(dir(recording.nsx[5]))


def test_every_block_of_python_in_the_notes_runs(here: Path) -> None:
    left = set(RUN_ELSEWHERE)
    for note in sorted(NOTES.glob("*.md")):
        for block in re.findall(r"^```python\n(.*?)^```", note.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            key = note.stem, block.splitlines()[0]
            if key in left:
                left.remove(key)
                continue
            with nv.open_nsx("session.ns5") as ns:
                exec(compile(block, note.name, "exec"), {"nv": nv, "ns": ns})
    assert left == set(), "no such blocks"
