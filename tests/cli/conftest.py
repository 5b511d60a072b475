# SPDX-License-Identifier: MIT
"""The command line in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixture_types import Command

from nevparse.cli import commands


@pytest.fixture
def main(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command: (exit code, standard output, standard error)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            code = commands.main([*map(str, arguments)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test's own, where names need no path."""
    monkeypatch.chdir(tmp_path)
