# SPDX-License-Identifier: MIT
"""What one ``.cmp`` file says, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from ..errors import FormatError
from ..format.text import decode_text, printable

PITCH_UM = 400.0
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHUNK_BYTES, _MAP_BYTES, _MOST_DIGITS, _MOST_PIN, _SHOWN = 1 << 16, 1 << 20, 6, 255, 60
_UTF8_MARK = b"\xef\xbb\xbf"
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f]")
_OLD_END = "\x1a"  # what DOS editors put at the end of a file
_SPELLINGS = {
    "column": "col column c x", "row": "row r y", "bank": "bank b", "pin": "elec electrode e term terminal pin",
    "size": "size s sz", "label": "label l name",
}  # fmt: skip
_FIELD = {spelling: field for field, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_NEEDED = ("column", "row", "bank", "pin")
_NUMBERS = {"column", "row", "pin", "size"}


@dataclass(frozen=True)
class MapElectrode:
    """One electrode of a map.

    Parameters
    ----------
    column, row : int
        Its place on the array as the file has it, from the lower left corner.
    bank, pin : int
        Connector (1 = A) and pin, numbered as `Channel.bank` and `Channel.pin` are.
    label : str
        Its name; empty where the file gives none.
    array : int
        Number of the file it comes from, from 1.
    """

    column: int
    row: int
    bank: int
    pin: int
    label: str
    array: int = 1

    @property
    def location(self) -> str:
        """Bank and pin as the recording software shows them: ``A1``."""
        return f"{LETTERS[self.bank - 1]}{self.pin}"


class MapFile(NamedTuple):
    """What one file holds: its own name for itself, µm for each step of column and row, and electrodes."""

    description: str
    step_um: float
    electrodes: tuple[MapElectrode, ...]


class _Line(NamedTuple):
    number: int
    offset: int
    body: str
    comment: str


def read_whole(path: str, most_bytes: int, what: str) -> bytes:
    """All bytes of a small file.

    Raises
    ------
    FormatError
        Where it is larger than such a file can be.
    """
    data = bytearray()
    with open(path, "rb") as file:
        while len(data) <= most_bytes and (chunk := file.read(_CHUNK_BYTES)):
            data += chunk
    if len(data) > most_bytes:
        raise FormatError(f"{what} of at most {most_bytes} bytes", "more", path=path, offset=most_bytes)
    return bytes(data)


def map_file(path: str) -> MapFile:
    """Read one map.

    Raises
    ------
    FormatError
        Where the file is no text, a line is no electrode, or two electrodes are at one place or on one pin.
    """
    fields: Sequence[str] = (*_NEEDED, "label")
    description, sized, found = "", False, list[tuple[_Line, MapElectrode]]()
    for line in _lines(_text_of(path)):
        fields = _header(line.comment) or fields
        if not line.body:
            continue
        electrode = _electrode(line.body, fields)
        if electrode is not None:
            found.append((line, electrode))
            sized = sized or "size" in fields
        elif description or found:
            expected = "an electrode (" + " ".join(fields) + ", where banks are letters)"
            _refuse(path, line, expected, repr(printable(line.body[:_SHOWN])))
        else:
            description = line.body
    _only_once(path, found)
    return MapFile(description, 1.0 if sized else PITCH_UM, tuple(electrode for _, electrode in found))


def _text_of(path: str) -> bytes:
    data = read_whole(path, _MAP_BYTES, "a map")
    odd = _NOT_TEXT.search(data)
    if odd is not None:
        found = f"byte 0x{data[odd.start()]:02X}, in a file that starts with {data[:8]!r}"
        raise FormatError("an array map, which is text (ASCII or UTF-8)", found, path=path, offset=odd.start())
    return data


def _lines(data: bytes) -> Iterator[_Line]:
    start = len(_UTF8_MARK) if data.startswith(_UTF8_MARK) else 0
    offset = start
    for number, raw in enumerate(data[start:].splitlines(keepends=True), 1):
        body, mark, comment = _decoded(raw, start > 0).strip(_OLD_END).partition("//")
        yield _Line(number, offset, body.strip(), comment if mark else "")
        offset += len(raw)


def _decoded(raw: bytes, is_utf8: bool) -> str:
    # as labels of recordings are decoded, so that the two can be compared
    return raw.decode("utf-8", "replace") if is_utf8 else decode_text(raw)


def _header(comment: str) -> Sequence[str]:
    """The fields that a comment names, if it is nothing but their names."""
    fields = [_FIELD.get(word.strip("'\",").lower(), "") for word in comment.split()]
    if len(set(fields)) < len(fields) or "" in fields or not set(fields).issuperset(_NEEDED):
        return ()
    return fields if "label" in fields else [*fields, "label"]


def _electrode(body: str, fields: Sequence[str]) -> MapElectrode | None:
    found = dict(zip(fields, body.split(None, len(fields) - 1), strict=False))
    if not set(found).issuperset(_NEEDED) or not all(_is_number(found[k]) for k in _NUMBERS.intersection(found)):
        return None
    bank, pin = LETTERS.find(found["bank"].upper()) + 1, int(found["pin"])
    if len(found["bank"]) != 1 or bank == 0 or not 1 <= pin <= _MOST_PIN:
        return None
    return MapElectrode(int(found["column"]), int(found["row"]), bank, pin, found.get("label", "").strip())


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS


def _only_once(path: str, found: Sequence[tuple[_Line, MapElectrode]]) -> None:
    if not found:
        raise FormatError("at least one electrode (column, row, bank, pin, label)", "none", path=path)
    places, pins = dict[tuple[int, int], int](), dict[tuple[int, int], int]()
    for line, electrode in found:
        first = places.setdefault((electrode.column, electrode.row), line.number)
        if first != line.number:
            what = f"column {electrode.column}, row {electrode.row} again, which line {first} has"
            _refuse(path, line, "a place of its own for each electrode", f"{what}; give each array a file of its own")
        first = pins.setdefault((electrode.bank, electrode.pin), line.number)
        if first != line.number:
            what = f"{electrode.location} again, which line {first} has"
            _refuse(path, line, "a bank and pin of its own for each electrode", what)


def _refuse(path: str, line: _Line, expected: str, found: str) -> NoReturn:
    raise FormatError(f"{expected} in line {line.number}", found, path=path, offset=line.offset)
