# SPDX-License-Identifier: MIT
"""Every block of code in the README runs, in order; its two set-up commands are in it word for word."""

from __future__ import annotations

import gc
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.demo import DATA, demo_nev, write_files
from processes import environment, python

from nevparse.cli.commands import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the README speaks of, in the working directory."""
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands() -> list[str]:
    return [line for language, block in BLOCKS if language == "sh" for line in block.splitlines() if line.strip()]


def test_the_set_up_is_two_commands() -> None:
    assert "`python -m pip install . && python -m nevparse bin tests/data/demo.ns5 demo.bin --channels 0:128`" in README
    assert '`python -m pip install ".[test]" && python -m pytest`' in README


def test_the_folder_of_its_lines_is_made_by_one_command(tmp_path: Path) -> None:
    assert "`python tests/builders/demo.py demo && cd demo`" in README
    script = ROOT / "tests" / "builders" / "demo.py"
    assert python(script, tmp_path / "demo", cwd=tmp_path, env=environment(PYTHONPATH="")).returncode == 0
    assert (tmp_path / "demo" / "session.nev").read_bytes() == (DATA / "demo.nev").read_bytes() == demo_nev()


def needs_shell(command: str) -> bool:
    """Whether a pattern is in it."""
    return "*.ns5 --out-dir" in command


@pytest.mark.usefixtures("clock", "open_fonts")
def test_every_command_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands():
        python, option, package, *typed = shlex.split(command)
        assert (python, option, package) == ("python", "-m", "nevparse")
        if not needs_shell(command) and (" report " not in command or find_spec("matplotlib")):
            assert main(typed) == 0, f"{command}\n{capsys.readouterr().err}"


def test_what_a_command_prints_is_shown_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.findall(r"^```sh\n((?:.*\n)*?)```\n\n```text\n((?:.*\n)*?)```", README, re.MULTILINE)
    assert len(shown) == 2
    for lines, printed in shown:
        assert main(shlex.split(lines.splitlines()[-1])[3:]) == 0
        assert capsys.readouterr().out == printed


def test_a_shell_runs_them(folder: Path) -> None:
    shell = shutil.which("sh")
    for command in filter(needs_shell, commands()):
        line = command.replace("python -m", f'"{sys.executable}" -m')
        typed = [shell, "-c", line] if shell else line
        done = subprocess.run(typed, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.usefixtures("clock")
def test_every_block_of_python_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for language, block in BLOCKS:
        if language == "python" and "from neo" not in block:
            exec(compile(block, "README.md", "exec"), names)
    assert names["samples"].shape == (3000, 144)
    assert names["volts"].dtype == np.float32
    assert (names["rows"] >= -1).all()
    assert capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # neo leaves its files to the collector
def test_neo_writes_the_same_file(folder: Path) -> None:
    pytest.importorskip("neo")
    names: dict[str, Any] = {}
    neo, ours = (next(block for _, block in BLOCKS if marked in block) for marked in ("from neo", "ours.bin"))
    with np.errstate(all="ignore"):
        exec(compile(neo, "README.md", "exec"), names)
    names.clear()
    gc.collect()
    exec(compile("import nevparse as nv\n" + ours, "README.md", "exec"), names)
    assert (folder / "neo.bin").read_bytes() == (folder / "ours.bin").read_bytes()
