# SPDX-License-Identifier: MIT
"""Every kind of export, prepared once, and processes to kill while they do one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from export.output import crashes
from nevparse.traces import packing


@pytest.fixture
def many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many steps from little data."""
    monkeypatch.setattr(packing, "BUFFER_BYTES", 256)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, crashes.Case]:
    """Every kind of export by its name, with what it leaves."""
    folder = tmp_path_factory.mktemp("prepared")
    cases = {case.name: case for case in (*crashes.cases(), *crashes.folder_cases())}
    for case in cases.values():
        case.prepare(folder)
    return cases


@pytest.fixture(scope="session")
def exporter() -> Iterator[crashes.Exporter]:
    with crashes.Exporter() as exporter:
        yield exporter


@pytest.fixture
def case(prepared: dict[str, crashes.Case], name: str) -> crashes.Case:
    """One kind of export."""
    return prepared[name]


@pytest.fixture
def target(case: crashes.Case, tmp_path: Path) -> Path:
    """Where it goes: a folder that is as it is before the export."""
    return case.set_up(tmp_path / "place")
