# SPDX-License-Identifier: MIT
"""Every block of code in the README runs, in order; its two set-up commands are in it word for word."""

from __future__ import annotations

import gc
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import sorting as sb

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the README speaks of, in the working directory."""
    shutil.copy(ROOT / "tests" / "data" / "demo.ns5", tmp_path / "session.ns5")
    (tmp_path / "session.nev").write_bytes(nb.every_kind((2, 3)))
    two = [(0, np.ones((30, 4), np.int16)), (45, np.ones((30, 4), np.int16))]
    (tmp_path / "paused.ns5").write_bytes(b.nsx(two))
    (tmp_path / "array.cmp").write_bytes(sb.array_map(128, 12))
    for name in ("big-NSP1.ns5", "big-NSP2.ns5"):
        (tmp_path / name).write_bytes(b.nsx([(0, np.ones((30, 8), np.int16))]))
    with zipfile.ZipFile(tmp_path / "session.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "session.ns5", "session.ns5")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def commands() -> list[str]:
    return [line for language, block in BLOCKS if language == "sh" for line in block.splitlines() if line.strip()]


def test_the_set_up_is_two_commands() -> None:
    assert "`python -m pip install . && python -m nevparse bin tests/data/demo.ns5 demo.bin --channels 0:128`" in README
    assert '`python -m pip install ".[test]" && python -m pytest`' in README


def test_every_command_runs(folder: Path) -> None:
    shell = shutil.which("sh")
    for command in commands():
        line = command.replace("python -m", f'"{sys.executable}" -m')
        done = subprocess.run([shell, "-c", line] if shell else line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr


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
