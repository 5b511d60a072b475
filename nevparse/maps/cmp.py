# SPDX-License-Identifier: MIT
"""Reads array maps (``.cmp``), which list where on the array the electrode on each pin of a connector is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import NamedTuple

from ..errors import FormatError
from ..format.text import decode_text, printable
from .positions import PITCH_UM, ArrayMap, MapElectrode

_CHUNK_BYTES, _MAP_BYTES, _MAX_PIN, _SHOWN = 1 << 16, 1 << 20, 255, 60
_UTF8_MARK = b"\xef\xbb\xbf"
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f]")
_COMMENT = re.compile(r"(?:^|(?<=\s))//")  # not within a label
_DOS_END = "\x1a"  # of a file, by DOS editors
_SPELLINGS = {
    "column": "col column c x", "row": "row r y", "bank": "bank b", "pin": "elec electrode e term terminal pin",
    "size": "size s sz", "label": "label l name",
}  # fmt: skip
_FIELD = {spelling: field for field, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_NEEDED = ("column", "row", "bank", "pin")
_NUMBER, _NUMBER_FIELDS = re.compile("[0-9]{1,6}"), {"column", "row", "pin", "size"}


def read_cmp(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, first_bank: str | None = None
) -> ArrayMap:
    """Read an array map, or one for each array or headstage.

    Parameters
    ----------
    path : path or sequence of paths
        One ``.cmp`` file or several.
    first_bank : str, optional
        For each file the letter of the connector that its bank A is plugged into, such as ``"AE"`` for two headstages
        of 128 channels whose maps both start at A.

    Raises
    ------
    FormatError
        If a file is no map, or has two electrodes at one place or on one pin.
    ValueError
        If two files have the same bank and pin, or `first_bank` does not fit the files.

    Examples
    --------
    >>> import nevparse as nv
    >>> len(nv.read_cmp("array.cmp").electrodes)
    128
    """
    names = tuple(os.fspath(one) for one in ([path] if isinstance(path, str | os.PathLike) else path))
    if not names:
        raise ValueError("expected at least one map, found none")
    letters = "A" * len(names) if first_bank is None else first_bank.upper()
    if len(letters) != len(names) or not set(letters) <= set(ascii_uppercase):
        raise ValueError(f"expected first_bank as {len(names)} letters A to Z, one a file, found {first_bank!r}")
    files = [_read_file(name) for name in names]
    electrodes: list[MapElectrode] = []
    for array, (file, letter) in enumerate(zip(files, letters, strict=True), 1):
        shift = ascii_uppercase.index(letter)
        if max(electrode.bank for electrode in file.electrodes) + shift > len(ascii_uppercase):
            raise ValueError(f"expected banks up to Z, found file {array} to go beyond with first_bank={letter!r}")
        electrodes += (replace(electrode, bank=electrode.bank + shift, array=array) for electrode in file.electrodes)
    _check_pins_differ(names, electrodes)
    descriptions = tuple(file.descriptions[0] for file in files)
    return ArrayMap(names, descriptions, tuple(file.pitches_um[0] for file in files), tuple(electrodes))


def _check_pins_differ(names: Sequence[str], electrodes: Iterable[MapElectrode]) -> None:
    arrays: dict[str, int] = {}
    for electrode in electrodes:
        first = arrays.setdefault(electrode.location, electrode.array)
        if first != electrode.array:
            both = " and ".join(printable(names[number - 1]) for number in (first, electrode.array))
            raise ValueError(
                f"expected a bank and pin of its own for each electrode, found {electrode.location} in both {both}: "
                "give first_bank, the connector of each file's bank A"
            )


# ------------------------------------------------------------------------------------------------------- one file
class _Line(NamedTuple):
    number: int
    offset: int
    body: str
    comment: str


def _read_file(path: str) -> ArrayMap:
    fields: Sequence[str] = (*_NEEDED, "label")
    description, has_sizes, lines = "", False, list[tuple[_Line, MapElectrode]]()
    for line in _read_lines(path):
        fields = _fields_of_comment(line.comment) or fields
        if not line.body:
            continue
        electrode = _electrode(line.body, fields)
        if electrode is not None:
            lines.append((line, electrode))
            has_sizes = has_sizes or "size" in fields
        elif description or lines:
            expected = "an electrode (" + " ".join(fields) + ", where banks are letters)"
            raise _line_error(path, line, expected, repr(printable(line.body[:_SHOWN])))
        else:
            description = line.body
    _check_electrodes_differ(path, lines)
    pitch_um = 1.0 if has_sizes else PITCH_UM
    return ArrayMap((path,), (description,), (pitch_um,), tuple(electrode for _, electrode in lines))


def read_small_file(path: str, max_bytes: int, what: str) -> bytes:
    """All bytes of a file; FormatError if it has more than `max_bytes`. Memory grows with the file, not the limit."""
    data = bytearray()
    with open(path, "rb") as file:
        while len(data) <= max_bytes and (chunk := file.read(_CHUNK_BYTES)):
            data += chunk
    if len(data) > max_bytes:
        raise FormatError(f"{what} of at most {max_bytes} bytes", "more", path=path, offset=max_bytes)
    return bytes(data)


def _read_lines(path: str) -> Iterator[_Line]:
    data = read_small_file(path, _MAP_BYTES, "a map")
    if control := _NOT_TEXT.search(data):
        found = f"byte 0x{control[0][0]:02X}, in a file that starts with {data[:8]!r}"
        raise FormatError("an array map, which is text (ASCII or UTF-8)", found, path=path, offset=control.start())
    is_utf8 = data.startswith(_UTF8_MARK)
    offset = len(_UTF8_MARK) if is_utf8 else 0
    for number, raw in enumerate(data[offset:].splitlines(keepends=True), 1):
        # as labels of recordings are decoded, so that the two can be compared
        text = raw.decode("utf-8", "replace") if is_utf8 else decode_text(raw)
        body, comment = (*_COMMENT.split(text.strip(_DOS_END), maxsplit=1), "")[:2]
        yield _Line(number, offset, body.strip(), comment)
        offset += len(raw)


def _fields_of_comment(comment: str) -> Sequence[str]:
    """The fields that a comment lists; none if it has other words too."""
    fields = [_FIELD.get(word.strip("'\",").lower(), "") for word in comment.split()]
    if len(set(fields)) < len(fields) or "" in fields or not set(fields).issuperset(_NEEDED):
        return ()
    return fields if "label" in fields else [*fields, "label"]


def _electrode(body: str, fields: Sequence[str]) -> MapElectrode | None:
    words = dict(zip(fields, body.split(None, len(fields) - 1), strict=False))
    if not set(words).issuperset(_NEEDED) or not all(
        _NUMBER.fullmatch(words[name]) for name in _NUMBER_FIELDS.intersection(words)
    ):
        return None
    bank, pin = ascii_uppercase.find(words["bank"].upper()) + 1, int(words["pin"])
    if len(words["bank"]) != 1 or bank == 0 or not 1 <= pin <= _MAX_PIN:
        return None
    return MapElectrode(int(words["column"]), int(words["row"]), bank, pin, words.get("label", "").strip())


def _check_electrodes_differ(path: str, lines: Sequence[tuple[_Line, MapElectrode]]) -> None:
    if not lines:
        raise FormatError("at least one electrode (column, row, bank, pin, label)", "none", path=path)
    numbers: dict[str, int] = {}
    for line, electrode in lines:
        place = f"column {electrode.column}, row {electrode.row}"
        for what, value, advice in (
            ("place", place, "; give each array a file of its own"),
            ("bank and pin", electrode.location, ""),
        ):
            first = numbers.setdefault(value, line.number)
            if first != line.number:
                found = f"{value}, which line {first} has too{advice}"
                raise _line_error(path, line, f"a {what} of its own for each electrode", found)


def _line_error(path: str, line: _Line, expected: str, found: str) -> FormatError:
    return FormatError(f"{expected} in line {line.number}", found, path=path, offset=line.offset)
