# SPDX-License-Identifier: MIT
"""A byte layout as a table: one record by `struct`, a million by a numpy dtype.

Rows ``(offset, field, struct code)`` have the document's own offsets. They must tile the record, without hole or
overlap, which is checked when the table is built. A last row whose code is ``*s`` or ``*x`` is open: it goes on to
the end of a record whose size the file gives.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..cached import cached_property
from .text import decode_text, printable

if TYPE_CHECKING:
    import numpy as np

    from ..source.base import Source

FieldRow = tuple[int, str, str]
_NUMPY = {"b": "i1", "B": "u1", "h": "<i2", "H": "<u2", "i": "<i4", "I": "<u4", "q": "<i8", "Q": "<u8", "f": "<f4"}


@dataclass(frozen=True, eq=False)
class Layout:
    """One record of a file, field by field.

    Parameters
    ----------
    name : str
        What the record is called.
    citation : str
        Document, revision and page (or file) the rows were taken from.
    rows : tuple of (int, str, str)
        Offset in bytes, field name ("" for reserved bytes), `struct` code. Little-endian, unpadded.
    """

    name: str
    citation: str
    rows: tuple[FieldRow, ...]

    def __post_init__(self) -> None:
        end = 0
        for offset, field, code in self.rows:
            if offset != end:
                raise ValueError(f"{self.name}: row {field or 'reserved'!r} at {offset} should stand at {end}")
            end += _width(code)
        if any(code[0] == "*" for _, _, code in self.rows[:-1]):
            raise ValueError(f"{self.name}: only the last row may be open")

    @cached_property
    def size(self) -> int:
        """Bytes of the record; up to its open end where it has one."""
        return self.packer.size

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Where each named field starts."""
        return {field: offset for offset, field, _ in self.rows if field}

    @cached_property
    def packer(self) -> struct.Struct:
        """The fixed part as one `struct.Struct`."""
        return struct.Struct("<" + "".join(code for _, _, code in self.rows if code[0] != "*"))

    @cached_property
    def n_ticks(self) -> int:
        """Number of ticks that the field ``tick`` can hold before it rolls over."""
        return 1 << 8 * self._width_of("tick")

    def _width_of(self, field: str) -> int:
        return next(_width(code) for _, name, code in self.rows if name == field)

    def unpack(self, data: bytes) -> dict[str, Any]:
        """Fields of one record, by name; a field of several numbers is a tuple."""
        values = iter(self.packer.unpack_from(data))
        fields: dict[str, Any] = {}
        for _, field, code in self.rows:
            count, kind = code[:-1], code[-1]
            if kind != "x" and count != "*":
                several = count and kind != "s"
                fields[field] = tuple(next(values) for _ in range(int(count))) if several else next(values)
        return fields

    def read(self, source: Source, offset: int = 0) -> dict[str, Any]:
        """Fields of the record at an offset of a file; FormatError where the file ends before."""
        return self.unpack(source.read(self.size, offset, self.name))

    def with_values(self, raw: bytes, **values: Any) -> bytes:
        """A record with other values in some fields; text is padded with NULs."""
        record = bytearray(raw)
        for offset, field, code in self.rows:
            if field in values:
                value = values[field]
                struct.pack_into("<" + code, record, offset, *(value if isinstance(value, tuple) else (value,)))
        return bytes(record)

    def encode_text(self, field: str, value: str, what: str) -> bytes:
        """Text as a field of the record holds it; ValueError where it would not read back the same."""
        n_bytes = self._width_of(field)
        if not isinstance(value, str):
            raise ValueError(f"{what}: expected text, found {value!r}")
        try:
            raw = value.encode("cp1252")
        except UnicodeEncodeError:
            raise ValueError(f"{what}: expected text of code page 1252, found {printable(value)!r}") from None
        if len(raw) > n_bytes or decode_text(raw) != value:
            expected = f"at most {n_bytes} bytes without NUL or a space at the end"
            raise ValueError(f"{what}: expected {expected}, found {printable(value)!r} ({len(raw)} bytes)")
        return raw

    def dtype(self, record_bytes: int | None = None) -> np.dtype[np.void]:
        """The record as a numpy dtype.

        Parameters
        ----------
        record_bytes : int, optional
            Size of one record in the file; what exceeds the fields belongs to the open end, or is padding.

        Returns
        -------
        numpy.dtype
            Structured; byte strings are ``V{n}``, so that trailing NULs stay.
        """
        return _dtype(self, self.size if record_bytes is None else record_bytes)

    def retyped(self, name: str, field: str, code: str) -> Layout:
        """The same record with one field of another width; the rows behind it move."""
        shift, rows = 0, []
        for offset, other, old in self.rows:
            rows.append((offset + shift, other, code if other == field else old))
            shift += _width(code) - _width(old) if other == field else 0
        return Layout(name, self.citation, tuple(rows))

    def up_to(self, n_bytes: int) -> Layout:
        """The same record with those fields alone that records of so many bytes hold."""
        return _up_to(self, n_bytes)

    def overlaid(self, name: str, citation: str, *rows: FieldRow) -> Layout:
        """The same record with other rows in the place of those they cover."""
        start, stop = rows[0][0], rows[-1][0] + _width(rows[-1][2])
        open_end = rows[-1][2][0] == "*"
        before = tuple(row for row in self.rows if row[0] < start)
        after = () if open_end else tuple(row for row in self.rows if row[0] >= stop)
        return Layout(name, citation, before + rows + after)


@lru_cache(maxsize=64)
def _up_to(layout: Layout, n_bytes: int) -> Layout:
    fixed = [row for row in layout.rows if row[2][0] != "*" and row[0] + _width(row[2]) <= n_bytes]
    rows = (*fixed, (fixed[-1][0] + _width(fixed[-1][2]), "", "*x"))
    return layout if layout.size <= n_bytes else Layout(layout.name, layout.citation, rows)


def _width(code: str) -> int:
    return 0 if code[0] == "*" else struct.calcsize("<" + code)


@lru_cache(maxsize=256)
def _dtype(layout: Layout, record_bytes: int) -> np.dtype[np.void]:
    import numpy as np

    if record_bytes < layout.size:
        raise ValueError(f"{layout.name} needs {layout.size} bytes a record, not {record_bytes}")
    fields = {
        field: (_format(code, record_bytes - offset), offset)
        for offset, field, code in layout.rows
        if field and not (code == "*s" and offset == record_bytes)
    }
    formats, offsets = [code for code, _ in fields.values()], [offset for _, offset in fields.values()]
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": record_bytes})


def _format(code: str, bytes_left: int) -> Any:
    count, kind = code[:-1], code[-1]
    if kind == "s":
        return f"V{bytes_left if count == '*' else count or 1}"
    return (_NUMPY[kind], (int(count),)) if count else _NUMPY[kind]
