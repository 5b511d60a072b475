# SPDX-License-Identifier: MIT
"""The notes for people: their tables are those of `format/tables.py`, and every claim in them has a test."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from nevparse.format import tables
from nevparse.format.layout import Layout

TESTS = Path(__file__).parent
NOTES = sorted((TESTS.parent / "spec_notes").glob("*.md"))
LAYOUTS = {name: item for name, item in vars(tables).items() if isinstance(item, Layout)}

_TABLE = re.compile(r"^### (.+?)\n(?:(?!#|\|).*\n)*\|\s*offset\s*\|.*\n\|[-| :]+\|\n((?:\|.*\n?)+)", re.MULTILINE)
_CLAIM = re.compile(r"^- \*\*C(\d\d)\*\*", re.MULTILINE)
_TEST = re.compile(r"test_([a-z]+)_((?:c\d\d_(?:and_)?)+)")


def tables_in_notes():
    """(file, heading, rows as the layouts have them) of every offset table of the notes."""
    for note in NOTES:
        for heading, body in _TABLE.findall(note.read_text(encoding="utf-8")):
            cells = [[cell.strip(" `") for cell in line.split("|")[1:4]] for line in body.strip().splitlines()]
            rows = tuple((int(offset), "" if field == "reserved" else field, code) for offset, field, code in cells)
            yield pytest.param(heading.strip(), rows, id=f"{note.stem}-{heading.strip()}")


@cache
def named_for_claims():
    """(note, its claims) of every test that is named for some."""
    texts = (path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    names = (name for text in texts for name in re.findall(r"^def (\w+)", text, re.MULTILINE))
    return [(named[1], re.findall(r"c(\d\d)", named[2])) for named in map(_TEST.match, names) if named]


def claims_tested(note):
    """Numbers of the claims of a note that a test is named for."""
    return {number for name, numbers in named_for_claims() for number in numbers if name == note}


@pytest.mark.parametrize(("heading", "rows"), list(tables_in_notes()))
def test_every_table_is_one_of_spec_py(heading, rows) -> None:
    same_name = [item for item in LAYOUTS.values() if heading == item.name or heading.startswith(item.name + " ")]
    assert same_name, f"no layout of format/tables.py is called {heading!r}"
    if rows not in [item.rows for item in same_name]:
        closest = max(same_name, key=lambda item: len(set(item.rows) & set(rows)))
        assert rows == closest.rows


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_every_layout_is_in_the_notes(name) -> None:
    layout = LAYOUTS[name]
    documented = [
        rows for heading, rows in (table.values for table in tables_in_notes())
        if heading == layout.name or heading.startswith(layout.name + " ")
    ]  # fmt: skip
    assert layout.rows in documented, f"{name} ({layout.name}) has no table in spec_notes"


def test_the_way_in_names_every_note_and_every_room() -> None:
    package, way_in = TESTS.parent / "nevparse", (TESTS.parent / "spec_notes" / "README.md").read_text(encoding="utf-8")
    assert [note.name for note in NOTES if note.name != "README.md" and f"]({note.name})" not in way_in] == []
    rooms = [f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").exists()]
    assert [room for room in rooms if f"| `{room}` |" not in way_in] == []


def test_the_notes_have_tables_and_claims() -> None:
    assert len(list(tables_in_notes())) >= len(LAYOUTS)
    claiming = {note.stem for note in NOTES if _CLAIM.search(note.read_text(encoding="utf-8"))}
    assert {"nsx", "nev", "maps"} <= claiming


@pytest.mark.parametrize("note", [path.stem for path in NOTES])
def test_every_claim_has_a_test_and_every_test_its_claim(note) -> None:
    claims = _CLAIM.findall((TESTS.parent / "spec_notes" / f"{note}.md").read_text(encoding="utf-8"))
    assert claims == [f"{k:02d}" for k in range(1, len(claims) + 1)], "claims are numbered without a hole"
    tested = claims_tested(note)
    assert sorted(set(claims) - tested) == [], f"claims of {note}.md without a test"
    assert sorted(tested - set(claims)) == [], f"tests named for claims that {note}.md does not make"
