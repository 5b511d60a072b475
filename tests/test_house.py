# SPDX-License-Identifier: MIT
"""The rules of the house: who may import whom, nothing at import, and that a copy under another name works."""

from __future__ import annotations

import ast
import functools
import os
import re
import shutil
import statistics
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from processes import environment, python

import nevparse

PACKAGE = Path(nevparse.__file__).resolve().parent
CHECKOUT = Path(__file__).resolve().parents[1]
DEMO = CHECKOUT / "tests" / "data" / "demo.ns5"

# Each room, and the rooms it may import: those that its line names, and whatever these may import.
ROOMS = {
    "errors": "",
    "cached": "",
    "source": "errors",
    "format": "source cached",
    "clock": "format",
    "maps": "format",
    "traces": "clock",
    "nev": "traces",
    "nsx": "traces",
    "recording": "nsx nev",
    "export": "recording maps",
    "report": "export",
    "cli": "report",
}
TOP_LEVEL = {"pyproject.toml", "README.md", "nevparse", "tests", "spec_notes", "benchmarks"}
BUILT = {"build", "dist", "demo.bin", "demo.bin.json", "__pycache__"}  # what .gitignore leaves out

SOURCES = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
TREES = {file: ast.parse(text) for file, text in SOURCES.items()}
every_file = pytest.mark.parametrize("file", sorted(SOURCES))


@functools.cache
def nodes_of(file: str) -> list[ast.AST]:
    """Every node of a file's tree."""
    return list(ast.walk(TREES[file]))


def imports_of(file: str) -> Iterator[str]:
    """Dotted names, counted from the package's top, of what a file imports from the package itself."""
    folder = Path(file).parent.parts
    for node in nodes_of(file):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            for alias in node.names:
                names = [part for part in (*start, alias.name) if part]
                yield ".".join(names if f"{'/'.join(names)}.py" in SOURCES else names[:-1])


def allowed(room: str) -> set[str]:
    below = set(ROOMS[room].split())
    return below.union(*map(allowed, below)) if below else below


@every_file
def test_a_room_imports_only_the_rooms_it_may(file: str) -> None:
    room = file.split("/")[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return
    entered = {name.split(".")[0] for name in imports_of(file) if name} - {room}
    assert entered <= allowed(room), f"{file} must not import {sorted(entered - allowed(room))}"


def test_no_circle_joins_two_files() -> None:
    graph = {file: {f"{name.replace('.', '/')}.py" for name in imports_of(file)} for file in SOURCES}
    list(TopologicalSorter(graph).static_order())  # raises CycleError


@every_file
def test_a_file_begins_with_its_licence(file: str) -> None:
    assert SOURCES[file].startswith("# SPDX-License-Identifier: MIT\n")


@every_file
def test_imports_are_relative_or_of_numpy_or_of_python_itself(file: str) -> None:
    statements = [node for node in nodes_of(file) if isinstance(node, ast.Import | ast.ImportFrom)]
    blocks = [node for node in TREES[file].body if isinstance(node, ast.If)]
    never_run = [node for block in blocks if ast.unparse(block.test) == "TYPE_CHECKING" for node in block.body]
    for node in statements:
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            drawn = {"matplotlib"} if file == "report/drawing.py" else set()  # an extra
            typed = {"typing_extensions"} if node in never_run else set()
            known = {*sys.stdlib_module_names, "numpy", *drawn, *typed}
            assert module.split(".")[0] in known, f"line {node.lineno}: {module}"
            assert module not in ("importlib.metadata", "importlib.resources", "logging", "pkgutil")
    assert "nevparse." not in re.sub(r'"[^"]*"|#.*', "", SOURCES[file]), "the package does not name itself"


@every_file
def test_nothing_happens_at_import(file: str) -> None:
    assert "__file__" not in SOURCES[file]
    for statement in TREES[file].body:
        if isinstance(statement, ast.Expr):
            assert isinstance(statement.value, ast.Constant), f"line {statement.lineno}: only a docstring"
        inside = (ast.FunctionDef, ast.ClassDef, ast.If)
        calls = [] if isinstance(statement, inside) else [n for n in ast.walk(statement) if isinstance(n, ast.Call)]
        called = [ast.unparse(call.func) for call in calls]
        assert [name for name in called if re.match(r"open|print|input|warnings\.|os\.|sys\.", name)] == []


def test_importing_the_package_loads_no_numpy() -> None:
    code = "import sys, nevparse; assert 'numpy' not in sys.modules; nevparse.open_nsx; assert 'numpy' in sys.modules"
    assert python("-c", code).returncode == 0


def test_an_export_of_continuous_data_loads_nothing_that_reads_a_nev(tmp_path: Path) -> None:
    code = (
        "import sys, nevparse\n"
        "with nevparse.open_nsx(sys.argv[1]) as ns: nevparse.write_bin(ns, 'o.bin')\n"
        "assert not [name for name in sys.modules if name.startswith('nevparse.nev.')]"
    )
    assert python("-c", code, DEMO, cwd=tmp_path).returncode == 0


def test_info_of_continuous_data_alone_loads_nothing_that_reads_a_nev_or_exports(tmp_path: Path) -> None:
    shutil.copy(DEMO, tmp_path / "alone.ns5")
    code = (
        "import sys, numpy.typing\n"  # older ones load json
        "before = set(sys.modules)\n"
        "from nevparse.cli.commands import main\n"
        "assert main(['info', 'alone.ns5']) == 0\n"
        "rooms = {name.split('.')[1] for name in sys.modules if name.startswith('nevparse.')}\n"
        "assert rooms.isdisjoint({'nev', 'maps', 'export', 'report'}), rooms\n"
        "assert not {'fractions', 'glob', 'json'} & (set(sys.modules) - before)"
    )
    assert python("-c", code, cwd=tmp_path).returncode == 0


def test_info_of_a_recording_does_not_make_numpy_load_more() -> None:
    code = (
        "import sys, numpy.typing\n"
        "before = set(sys.modules)\n"
        "from nevparse.cli.commands import main\n"
        "assert main(['info', *sys.argv[1:]]) == 0\n"
        "more = {name for name in set(sys.modules) - before if name.startswith('numpy.')}\n"
        "assert not more, more"
    )
    assert python("-c", code, DEMO.with_suffix("")).returncode == 0


def test_most_functions_are_short() -> None:
    lengths = [length(node) for file in TREES for node in nodes_of(file) if isinstance(node, ast.FunctionDef)]
    assert statistics.median(lengths) <= 8
    assert statistics.quantiles(lengths, n=10)[8] <= 25


def length(function: ast.FunctionDef) -> int:
    """Lines from the signature to the end, without the docstring."""
    docstring = len((ast.get_docstring(function, clean=False) or "").splitlines())
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


@every_file
def test_only_the_tables_compare_versions(file: str) -> None:
    """A comparison with ``"2.3"`` or ``(2, 3)`` is a version told apart where a row of a table should do it."""
    comparisons = [node for node in nodes_of(file) if isinstance(node, ast.Compare)]
    for node in comparisons if file != "format/tables.py" else ():
        for side in ast.walk(node):
            text = ast.unparse(side) if isinstance(side, ast.Constant | ast.Tuple) else ""
            assert not re.fullmatch(r"'\d\.\d'|\([23], \d\)", text), f"line {node.lineno}: {text}"


def test_every_public_name_is_there() -> None:
    assert sorted(nevparse.__all__) == sorted(set(nevparse.__all__))
    classes = [value for name in nevparse.__all__ if isinstance(value := getattr(nevparse, name), type)]
    assert all(value.__module__.startswith("nevparse.") for value in classes)
    assert set(nevparse.__all__) | {"__version__"} == set(dir(nevparse)), "what is for users, and nothing else"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = nevparse.nothing  # type: ignore[attr-defined]


def test_the_program_is_what_the_package_names() -> None:
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    ((module, function),) = re.findall(r'^nevparse = "([\w.]+):(\w+)"$', project, re.MULTILINE)
    code = f"import sys; from {module} import {function} as run; sys.exit(run())"
    assert b"144 channels" in python("-c", code, "info", DEMO).stdout


def test_the_top_level_holds_what_was_agreed() -> None:
    there = {name for name in os.listdir(CHECKOUT) if not name.startswith(".") and not name.endswith(".egg-info")}
    assert there - BUILT - TOP_LEVEL == set()


def test_no_file_names_the_machine_it_was_made_on() -> None:
    for folder in ("nevparse", "tests", "spec_notes", "benchmarks"):
        for path in (CHECKOUT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".toml"):
                assert re.search(r"/(home|root|Users)/\w", path.read_text(encoding="utf-8")) is None, path


# ------------------------------------------------------------------------------------------------------ every system

# What `os` has on Windows too, of what is used; anything else stands behind hasattr, and the way without it is tested
EVERYWHERE = {
    *("O_WRONLY", "PathLike", "SEEK_END", "close", "devnull", "dup", "dup2", "environ", "fsdecode", "fspath", "fstat"),
    *("fsync", "getpid", "link", "listdir", "lstat", "makedirs", "mkdir", "open", "path", "rename", "replace", "rmdir"),
    *("scandir", "sep", "stat", "strerror", "unlink"),
}
ONE_SYSTEMS = {"fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "resource", "termios", "tty", "winreg"}  # modules


def uses_of_os(file: str) -> Iterator[tuple[ast.FunctionDef, str]]:
    """(function, name) of every attribute of `os` that not every system has."""
    for function in [node for node in nodes_of(file) if isinstance(node, ast.FunctionDef)]:
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                yield from [(function, node.attr)] * (node.attr not in EVERYWHERE)


@every_file
def test_what_not_every_system_has_is_asked_for_first(file: str) -> None:
    asked = "hasattr(os, '{}')"
    unasked = [name for function, name in uses_of_os(file) if asked.format(name) not in ast.unparse(function)]
    assert unasked == []
    top = [node for node in TREES[file].body if isinstance(node, ast.Import | ast.ImportFrom)]
    named = {alias.name for node in top for alias in node.names} | {getattr(node, "module", "") for node in top}
    assert named & ONE_SYSTEMS == set(), "only where it is needed, and known to be there"
    assert "from os import" not in SOURCES[file], "so that what is used of it can be found"


def test_the_way_without_is_tested_too() -> None:
    used = {name for file in TREES for _, name in uses_of_os(file)}
    tests = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").rglob("test_*.py"))
    assert used <= set(re.findall(r'delattr\(os, "(\w+)"', tests))
    assert used >= {"pread", "preadv"}


def test_no_value_is_worked_out_behind_pythons_own_lock() -> None:
    """Before Python 3.12 `functools.cached_property` holds one lock for all objects; see ``cached.py``."""
    assert [file for file, text in SOURCES.items() if re.search(r"from functools import .*cached_property", text)] == []


# --------------------------------------------------------------------------------------- a copy in another tool's tree

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "nevparse" or name.startswith("nevparse."):
            raise ModuleNotFoundError(f"{name} is not to be found")
sys.meta_path.insert(0, Blocked())
"""
INFO = """
import runpy
sys.argv = ["x", "info", sys.argv[1]]
runpy.run_module("_vendor.some_other_name", run_name="__main__")
"""
WRITE = """
from _vendor import some_other_name as brx
with brx.open_nsx(sys.argv[1]) as ns:
    report = brx.write_bin(ns, sys.argv[2], channels=slice(0, 128))
    import pickle
    pickle.loads(pickle.dumps(ns)).close()
assert report.n_samples == 3000
assert type(ns).__module__.startswith("_vendor.some_other_name.")
assert not [name for name in sys.modules if name.split(".")[0] == "nevparse"]
"""


@pytest.fixture(scope="module", params=["folder", "zip"])
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another tool, which has a copy of the package under another name, in a folder or in a zip."""
    rig = tmp_path_factory.mktemp("rig")
    shutil.copytree(PACKAGE, rig / "_vendor" / "some_other_name", ignore=shutil.ignore_patterns("__pycache__"))
    (rig / "_vendor" / "__init__.py").touch()
    if request.param == "folder":
        return rig
    return Path(shutil.make_archive(str(rig / "tool"), "zip", rig, "_vendor"))


def test_a_copy_under_another_name_works_alone(rig: Path, tmp_path: Path) -> None:
    done = python("-c", BLOCKED + WRITE + INFO, DEMO, tmp_path / "o.bin", cwd=tmp_path, env=environment(rig))
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "o.bin").stat().st_size == 3000 * 128 * 2
    assert b"144 channels, 30000 Hz, int16" in done.stdout


def test_the_copy_carries_its_licence_and_nothing_else_but_code() -> None:
    assert "MIT License" in (PACKAGE / "LICENSE").read_text(encoding="utf-8")
    assert (PACKAGE / "py.typed").exists()
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.name for path in files if path.suffix != ".py"} == {"LICENSE", "py.typed"}
