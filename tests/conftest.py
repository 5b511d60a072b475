# SPDX-License-Identifier: MIT
"""What every test runs under: strict floating point, no file left open, and the way to the real recordings."""

from __future__ import annotations

import gc
import itertools
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.handles import open_files
from fixture_types import FileOf, NevOf, NewFolder, Opened, RealFile
from hypothesis import HealthCheck, settings
from source.watching import Time

import nevparse as nv
from nevparse.nev.file import NevFile
from nevparse.nsx.file import NsxFile
from nevparse.source import growth

CHECKOUT = Path(__file__).resolve().parents[1]

# A test has one folder for all its examples; they write to places of their own in it, so nothing is carried over
_COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
_ALIKE: dict[str, Any] = {"derandomize": True, "database": None}  # where a run is to find what another one found
_FOLDERS = itertools.count()
QUICK, THOROUGH = 20, 100  # examples of each property

# Of the interop extra; without all of them its tests are not collected, and the summary says so
_ABSENT = [
    name
    for name in ("spikeinterface", "probeinterface", "distributed", "fsspec", "xarray", "pandas", "PySide6")
    if find_spec(name) is None
]
collect_ignore = ["test_interop.py"] if _ABSENT else []


def deselects(expression: str, marker: str) -> bool:
    """Whether a run with ``-m expression`` leaves out what has a marker: what is not named is not left out."""
    named = re.findall(rf"(\bnot\s+)?\b{marker}\b", expression)
    return bool(named) and all(named)


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Set what every search takes over when its test is imported.

    `pytest_configure` would be too late: where a folder such as `tests/source` is named, pytest imports its conftest,
    and the tests which that imports, before it configures. This is called as soon as this conftest is imported.
    """
    arguments = pluginmanager.get_plugin("pytestconfig").known_args_namespace
    examples = QUICK if deselects(arguments.markexpr, "thorough") else THOROUGH
    alike = _ALIKE if os.environ.get("CI") else {}
    settings.register_profile("nevparse", max_examples=examples, **_COMMON, **alike)
    settings.load_profile("nevparse")
    gc.disable()  # until all is imported: collections would look through all of it again and again


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the sorter where markers are chosen and it is not named, and what only Windows does elsewhere."""
    expression = config.getoption("markexpr")
    markers = ["kilosort"] * bool(expression and "kilosort" not in expression) + ["windows"] * (sys.platform != "win32")
    left_out = [item for item in items if any(map(item.get_closest_marker, markers))]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _ABSENT:
        terminalreporter.write_line(f"not collected: test_interop.py, which needs .[interop]: {', '.join(_ABSENT)}")


@pytest.fixture(autouse=True, scope="module")
def little_to_collect() -> None:
    """Let the many collections in the tests of a file pass over all that is there by now."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder of the test's own. Pytest's is made with a link to the newest of each name, which takes longer."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    folder = tmp_path_factory.getbasetemp() / f"{name}-{next(_FOLDERS)}"
    folder.mkdir()
    return folder


@pytest.fixture
def real_file() -> RealFile:
    """Find a real recording by name: skips where none are there, fails where only this one is missing."""
    folder = Path(os.environ.get("NEVPARSE_REAL_DATA") or CHECKOUT.parent / "shared" / "real")

    def find(name: str) -> Path:
        if not folder.is_dir():
            pytest.skip(f"no real recordings: {folder} is not there (NEVPARSE_REAL_DATA names another folder)")
        path = folder / name
        if not path.is_file():
            pytest.fail(f"the real recordings in {folder} lack {name}")
        return path

    return find


@pytest.fixture
def file_of(tmp_path: Path) -> FileOf:
    """Write bytes to a file in the test's own folder and return its path.

    A name that was written before is written in a folder of its own: what an earlier example still holds open, or
    mapped, cannot be written everywhere.
    """
    times: Counter[str] = Counter()

    def write(data: bytes, name: str = "s.ns5") -> str:
        folder, times[name] = tmp_path, times[name] + 1
        if times[name] > 1:
            folder = tmp_path / str(times[name])
            folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        return str(folder / name)

    return write


@pytest.fixture
def new_folder(tmp_path: Path) -> NewFolder:
    """Make folders, one for each example of a test, which may hold its files open for a while."""
    numbers = itertools.count()

    def make() -> Path:
        folder = tmp_path / f"example-{next(numbers)}"
        folder.mkdir()
        return folder

    return make


@pytest.fixture
def opened(file_of: FileOf) -> Iterator[Opened]:
    """Write an NSx and open it; it is closed behind the test."""
    files = []

    def open_(data: bytes, name: str = "s.ns5", **options: Any) -> NsxFile:
        files.append(nv.open_nsx(file_of(data, name), **options))
        return files[-1]

    yield open_
    for file in files:
        file.close()


@pytest.fixture
def nev_of(file_of: FileOf) -> Iterator[NevOf]:
    """Write a NEV and open it; it is closed behind the test."""
    files = []

    def open_(data: bytes, name: str = "s.nev") -> NevFile:
        files.append(nv.open_nev(file_of(data, name)))
        return files[-1]

    yield open_
    for file in files:
        file.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time that passes only where somebody sleeps, for those who look at a growing file again and again."""
    found = Time()
    monkeypatch.setattr(growth, "time", found)
    return found


@pytest.fixture(scope="session")
def open_fonts() -> None:
    """Let matplotlib open its fonts, which it keeps open, before a test counts open files."""
    if find_spec("matplotlib"):
        from nevparse.report.drawing import draw

        draw("fonts", 1, lambda figure: figure.add_subplot().set_title("abcµ²"), "")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A ``.bin`` to write, in a folder that holds nothing else."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "s.bin"


@pytest.fixture(autouse=True)
def strict_floating_point() -> Iterator[None]:
    """Overflow, division by zero and NaN made by accident are errors."""
    with np.errstate(all="raise"):
        yield


@pytest.fixture(autouse=True)
def no_file_left_open() -> Iterator[None]:
    """Fail where a test, or what it tests, leaves a file open. Without /proc, ResourceWarning is the error."""
    before = open_files()
    yield
    left = _new(before)
    if left:
        gc.collect()  # a caught exception keeps its frames until then
        left = _new(before)
    assert not left, f"left open: {left}"


def _new(before: list[str]) -> list[str]:
    left = open_files()
    for target in before:
        if target in left:
            left.remove(target)
    return left
