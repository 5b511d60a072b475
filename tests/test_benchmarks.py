# SPDX-License-Identifier: MIT
"""The benchmark, on a file of the user's own and with what it cannot measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from builders import nsx as b
from builders import timing as t

pytestmark = pytest.mark.thorough
RUN = Path(__file__).resolve().parents[1] / "benchmarks" / "run.py"


def benchmark(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, RUN, *map(str, arguments)], capture_output=True, text=True, timeout=600)


def test_a_file_of_the_users_own_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "own.ns5"
    path.write_bytes(b.plausible("2.3", 4, (50, 30))[0])
    done = benchmark("--file", path, "--repeats", 1, "--only", "export_contiguous", "--markdown")
    assert done.returncode == 0, done.stderr
    assert "| nevparse |" in done.stdout


@pytest.mark.parametrize(
    ("data", "arguments", "said"),
    [
        (None, (), "No such file"),
        (b"no recording", (), "expected"),
        (t.ptp(t.stamps(20)), (), "found a timestamp for each sample"),
        (b.plausible("nfx", 4, (50,))[0], (), "found float32"),
        (b.plausible("2.3", 4, (50,))[0], ("--only", "export_all,trains"), "found trains"),
    ],
    ids=["absent", "another", "packets", "floats", "unknown job"],
)
def test_what_cannot_be_measured_is_said_in_a_line(
    tmp_path: Path, data: bytes | None, arguments: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "own.ns5"
    if data is not None:
        path.write_bytes(data)
    done = benchmark("--file", path, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert said in done.stderr
