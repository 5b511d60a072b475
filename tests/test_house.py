# SPDX-License-Identifier: MIT
"""The house rules: who may import whom, how long anything may be, and that a copy under another name works."""

from __future__ import annotations

import ast
import itertools
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import nevparse

PACKAGE = Path(nevparse.__file__).resolve().parent
CHECKOUT = Path(__file__).resolve().parents[1]
DEMO = CHECKOUT / "tests" / "data" / "demo.ns5"

# Each floor imports from the floors before it only; rooms of one floor do not know each other.
FLOORS = (
    "errors _cached _following _layout _units _time _members _findings",
    "spec _source _cmp",
    "_file_source",
    "_objects",
    "_clock _comments _headers _rewrite _joins _ccf",
    "_index _breaks _channels _extended _rows _handed maps",
    "_fetched",
    "_stamps _microvolts _segment _packets _pump",
    "_blocks _surface _spikes _stream _timeline",
    "_nsx_headers _nev_headers _output_files _inputs",
    "nsx nev _plan _output_folder",
    "sidecar _event_table",
    "_export",
    "_live",
    "_request",
    "_wide _planned _sorter_files",
    "binfile _cut_nsx _cut_nev _new_nsx",
    "recording sorter writer",
    "_check",
    "_facts _arguments",
    "cli",
)
FLOOR = {room: k for k, floor in enumerate(FLOORS) for room in floor.split()}
LINES = {  # at most
    "__init__": 60, "__main__": 60, "_arguments": 200, "_blocks": 220, "_breaks": 260, "_cached": 40, "_ccf": 250,
    "_channels": 250, "_check": 250, "_clock": 170, "_cmp": 200, "_comments": 200, "_cut_nev": 260,
    "_cut_nsx": 300, "_event_table": 100, "_export": 230, "_extended": 270, "_facts": 250, "_fetched": 80,
    "_file_source": 150, "_findings": 120, "_following": 80, "_handed": 90, "_headers": 260,
    "_index": 300, "_inputs": 120, "_joins": 180, "_layout": 150, "_live": 120, "_members": 100,
    "_microvolts": 100, "_nev_headers": 200, "_new_nsx": 220, "_nsx_headers": 150, "_objects": 230,
    "_output_files": 390, "_output_folder": 80, "_packets": 420, "_plan": 210, "_planned": 100, "_pump": 250,
    "_request": 160,
    "_rewrite": 180, "_rows": 120, "_segment": 160, "_sorter_files": 220, "_source": 150, "_spikes": 250,
    "_stamps": 260, "_stream": 120, "_surface": 120, "_time": 120, "_timeline": 60, "_units": 120, "_wide": 300,
    "binfile": 350, "cli": 400, "errors": 100, "maps": 250, "nev": 450, "nsx": 400, "recording": 250,
    "sidecar": 300, "sorter": 250, "spec": 450, "writer": 350,
}  # fmt: skip
# What only one family needs: neither may come to depend on the other's
OF_NSX = {
    "_nsx_headers",
    "_fetched",
    "_blocks",
    "_index",
    "_stamps",
    "_breaks",
    "_segment",
    "_channels",
    "_microvolts",
    "nsx",
}
OF_NEV = {"_nev_headers", "_extended", "_packets", "_spikes", "_comments", "_event_table", "nev"}
# The named functions that may look at a version: dispatch itself, and the nearest known one
ON_VERSIONS = {"_headers.identify", "_headers._nearest"}
TOP_LEVEL = {"pyproject.toml", "README.md", "nevparse", "tests", "spec_notes", "benchmarks"}
BUILT = {"build", "dist", "demo.bin", "demo.json", "__pycache__"}  # what .gitignore leaves out
LONGEST, HALF_UNDER, NINE_TENTHS = 60, 8, 25

SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.glob("*.py"))}
TREES = {room: ast.parse(text) for room, text in SOURCES.items()}
ROOMS = list(TREES)
every_room = pytest.mark.parametrize("room", ROOMS)


def type_only(tree):
    """Nodes that a type checker reads and Python does not."""
    blocks = (node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    return {inner for block in blocks for inner in ast.walk(block)}


def imports_of(room):
    """Rooms that one imports when it runs, at its top or in a function."""
    skipped, found = type_only(TREES[room]), set()
    for node in ast.walk(TREES[room]):
        if isinstance(node, ast.ImportFrom) and node.level and node not in skipped:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
    return found & set(ROOMS)


def reached_from(room):
    found, new = set(), {room}
    while new:
        found |= new
        new = set().union(*(imports_of(other) for other in new)) - found
    return found


def functions_of(room):
    """(name with its room, node) of every function and method."""
    for node in ast.walk(TREES[room]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{room}.{node.name}", node


def length(function):
    """Lines from the signature to the end, without the docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    inside = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - inside


# ------------------------------------------------------------------------------------------------------------ floors


@every_room
def test_a_room_imports_from_the_floors_below_it(room):
    if room in ("__init__", "__main__"):
        assert imports_of(room) == ({"cli"} if room == "__main__" else set())
        return
    assert room in FLOOR, f"{room} has no floor: put it into the table"
    above = sorted(other for other in imports_of(room) if FLOOR.get(other, 99) >= FLOOR[room])
    assert above == [], f"{room} must not import {above}"


def test_nsx_and_nev_do_not_need_each_other():
    assert reached_from("nsx") & OF_NEV == set()
    assert reached_from("nev") & OF_NSX == set()
    assert "nsx" not in reached_from("binfile"), "it takes any object with the reading surface"


def test_the_first_floors_import_nothing():
    assert [room for room in FLOORS[0].split() if imports_of(room)] == []
    assert "numpy" not in SOURCES["spec"], "tables are data"


def test_every_room_but_the_command_line_is_public_or_private():
    exported = set(nevparse._HOMES)
    assert exported <= set(ROOMS)
    assert "cli" not in exported


# ----------------------------------------------------------------------------------------------------------- lengths


@every_room
def test_a_room_has_no_more_lines_than_it_may(room):
    assert room in LINES, f"{room} has no ceiling: put it into the table"
    assert SOURCES[room].count("\n") <= LINES[room]


def test_functions_are_short():
    lengths = {f"{name}:{node.lineno}": length(node) for room in ROOMS for name, node in functions_of(room)}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}
    assert statistics.median(lengths.values()) < HALF_UNDER
    assert statistics.quantiles(lengths.values(), n=10)[8] <= NINE_TENTHS


# -------------------------------------------------------------------------------------------------- what stands where


def looks_at_a_version(node):
    """Whether a comparison is with a version: '2.3', (2, 3), or something called major, minor or version."""
    for side in ast.walk(node):
        if isinstance(side, ast.Constant) and re.fullmatch(r"\d\.\d", str(side.value)) and isinstance(side.value, str):
            return True
        if isinstance(side, ast.Tuple) and len(side.elts) == 2 and "3" in ast.unparse(side) and _numbers(side):
            return True
        name = getattr(side, "id", None) or getattr(side, "attr", None) or getattr(side, "value", None)
        if name in ("major", "minor", "version", "versions"):
            return True
    return False


def _numbers(node):
    return all(isinstance(item, ast.Constant) and isinstance(item.value, int) for item in node.elts)


@pytest.mark.parametrize(
    ("code", "is_one"),
    [("spec == '2.3'", 1), ("v >= (2, 3)", 1), ("h['major'] > 2", 1), ("found.minor == 3", 1), ("n == 3", 0),
     ("x in (0, 1)", 0), ("name == 'spec'", 0)],
)  # fmt: skip
def test_the_search_for_versions_finds_them(code, is_one):
    assert looks_at_a_version(ast.parse(code, mode="eval").body) == bool(is_one)


@every_room
def test_only_the_tables_know_versions(room):
    if room == "spec":
        return
    allowed = {
        inner for name, node in functions_of(room) if name in ON_VERSIONS for inner in ast.walk(node)
    }  # fmt: skip
    found = [
        f"{room}:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(TREES[room])
        if isinstance(node, ast.Compare) and node not in allowed and looks_at_a_version(node)
    ]
    assert found == []


@every_room
def test_a_file_starts_with_its_licence(room):
    assert SOURCES[room].startswith("# SPDX-License-Identifier: MIT\n")


@every_room
def test_imports_work_under_any_name(room):
    for node in ast.walk(TREES[room]):
        if isinstance(node, ast.ImportFrom):
            assert node.level in (0, 1), f"line {node.lineno}: relative imports reach one level"
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            top = module.split(".")[0]
            assert top in {*sys.stdlib_module_names, "numpy"}, f"line {node.lineno}: {module}"
            assert module not in ("importlib.metadata", "importlib.resources", "logging", "pkgutil", "pkg_resources")
    assert "nevparse." not in re.sub(r'"[^"]*"|#.*', "", SOURCES[room]), "the package does not name itself"


@every_room
def test_nothing_happens_at_import(room):
    assert "__file__" not in SOURCES[room]
    for statement in TREES[room].body:
        if isinstance(statement, ast.Expr):
            assert isinstance(statement.value, ast.Constant), f"line {statement.lineno}: only a docstring"
        inside = (ast.FunctionDef, ast.ClassDef, ast.If)
        for node in ast.walk(statement) if not isinstance(statement, inside) else ():
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert not re.match(r"open|print|input|warnings\.|os\.|sys\.|logging\.", called), called


def test_importing_costs_no_numpy():
    code = "import sys, nevparse; assert 'numpy' not in sys.modules; nevparse.open_nsx; assert 'numpy' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=with_path(PACKAGE.parent), timeout=60)


def test_the_version_is_a_literal():
    (value,) = (
        node.value for node in TREES["__init__"].body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    )  # fmt: skip
    assert isinstance(value, ast.Constant)


def test_every_public_name_is_there():
    assert sorted(nevparse.__all__) == sorted(set(nevparse.__all__))
    assert all(getattr(nevparse, name).__module__.startswith("nevparse.") for name in nevparse.__all__)
    assert set(nevparse.__all__) <= set(dir(nevparse))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = nevparse.nothing


def test_the_top_level_holds_what_was_agreed():
    there = {name for name in os.listdir(CHECKOUT) if not name.startswith(".") and not name.endswith(".egg-info")}
    assert there - BUILT - TOP_LEVEL == set()


def test_no_file_names_the_machine_it_was_made_on():
    places = [
        path for folder in ("nevparse", "tests", "spec_notes", "benchmarks") for path in (CHECKOUT / folder).rglob("*")
    ]
    for path in places:
        if path.suffix in (".py", ".md", ".toml"):
            text = path.read_text(encoding="utf-8")
            assert re.search(r"/(home|root|Users)/\w", text) is None, path


# ------------------------------------------------------------------------------------------------------ every system

# What `os` has on Windows too, of what is used; anything else stands behind hasattr, and the way without it is tested
EVERYWHERE = {
    *("O_WRONLY", "PathLike", "SEEK_END", "close", "devnull", "dup", "dup2", "environ", "fsdecode", "fspath", "fstat"),
    *("fsync", "getpid", "link", "listdir", "lstat", "mkdir", "open", "path", "rename", "replace", "rmdir"),
    *("scandir", "sep", "stat", "strerror", "unlink"),
}
ONE_SYSTEMS = {"fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "resource", "termios", "tty", "winreg"}  # modules


def uses_of_os(tree):
    """(function, name) of every attribute of `os` that not every system has."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os" and node.attr not in EVERYWHERE:
                    yield function, node.attr


def unguarded(tree):
    asked = "hasattr(os, '{}')"
    return [name for function, name in uses_of_os(tree) if asked.format(name) not in ast.unparse(function)]


def test_the_search_for_one_systems_calls_finds_them():
    code = "def f():\n if hasattr(os, 'pread'):\n  os.pread(1, 2, 3)\n os.{}(1)"
    assert unguarded(ast.parse(code.format("fork"))) == ["fork"]
    assert unguarded(ast.parse(code.format("stat"))) == []


@every_room
def test_what_not_every_system_has_is_asked_for_first(room):
    assert unguarded(TREES[room]) == []
    top = [node for node in TREES[room].body if isinstance(node, ast.Import | ast.ImportFrom)]
    named = {alias.name for node in top for alias in node.names} | {getattr(node, "module", "") for node in top}
    assert named & ONE_SYSTEMS == set(), "only where it is needed, and known to be there"
    assert "from os import" not in SOURCES[room], "so that what is used of it can be found"


def test_the_way_without_is_tested_too():
    used = {name for tree in TREES.values() for _, name in uses_of_os(tree)}
    tests = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").rglob("test_*.py"))
    assert used == set(re.findall(r'delattr\(os, "(\w+)"', tests)) & used
    assert used >= {"pread", "preadv"}


def test_no_value_is_worked_out_behind_pythons_own_lock():
    """Before Python 3.12 `functools.cached_property` holds one lock for all objects; see `_cached`."""
    assert [room for room in ROOMS if re.search(r"from functools import .*cached_property", SOURCES[room])] in (
        [], ["_layout"],
    )  # fmt: skip


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
assert type(ns).__module__ == "_vendor.some_other_name.nsx"
assert not [name for name in sys.modules if name.split(".")[0] == "nevparse"]
"""


def with_path(folder):
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONWARNINGS": "error"}


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    """Another tool, which has a copy of the package under another name."""
    rig = tmp_path_factory.mktemp("rig")
    shutil.copytree(PACKAGE, rig / "_vendor" / "some_other_name", ignore=shutil.ignore_patterns("__pycache__"))
    (rig / "_vendor" / "__init__.py").touch()
    return rig


@pytest.mark.parametrize("code", [INFO, WRITE], ids=["info", "write_bin"])
def test_a_copy_under_another_name_works_alone(rig, tmp_path, code):
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + code, str(DEMO), str(tmp_path / "o.bin")],
        cwd=rig, env=with_path(rig), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    if code is INFO:
        assert b"144 channels, 30000 Hz, int16" in done.stdout
    else:
        assert (tmp_path / "o.bin").stat().st_size == 3000 * 128 * 2


def test_the_copy_carries_its_licence():
    assert "MIT License" in (PACKAGE / "LICENSE").read_text(encoding="utf-8")
    assert (PACKAGE / "py.typed").exists()
    assert not [path for path in PACKAGE.iterdir() if path.suffix not in (".py", ".typed", "") and path.is_file()]


def test_the_tables_of_this_file_name_rooms_once():
    names = list(itertools.chain.from_iterable(floor.split() for floor in FLOORS))
    assert sorted(names) == sorted(set(names))
    assert set(names) | {"__init__", "__main__"} == set(LINES)
