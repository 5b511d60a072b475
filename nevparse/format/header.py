# SPDX-License-Identifier: MIT
"""What a file is, and its basic header: the part that NSx and NEV files share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

from ..errors import FormatError, UnknownVersion, UnsupportedVersion
from ..source.base import Source
from . import tables
from .text import decode_text

_SpecT = TypeVar("_SpecT", tables.NsxVersion, tables.NevVersion)
_NEURALYNX = b"########"
_FAMILIES = {magic: "an NSx file (use open_nsx)" for magic, _ in tables.NSX_VERSIONS} | {
    magic: "a NEV file (use open_nev)" for magic, _ in tables.NEV_VERSIONS
}


def identify_version(source: Source, table: Mapping[tuple[bytes, tuple[int, int]], _SpecT], family: str) -> _SpecT:
    """Look up the version of a file by the bytes that decide: its magic and its version.

    Raises
    ------
    FormatError
        Where the first bytes are none of the family's.
    UnsupportedVersion
        Where the major version is none of the tables'.

    Warns
    -----
    UnknownVersion
        Where the minor version is not in the tables; the nearest one of the same major is used.
    """
    start = source.read(min(source.size, tables.VERSION_OFFSET + 2), 0)
    magic = start[: tables.MAGIC_BYTES]
    known = [version for other, version in table if other == magic]
    if not known:
        raise FormatError(f"{family}, by its first 8 bytes", _describe_magic(start, source.size), path=source.path)
    version = tables.UNVERSIONED.get(magic)
    if version is None:
        if len(start) < tables.VERSION_OFFSET + 2:
            raise FormatError("a version", "the end of the file", path=source.path, offset=tables.VERSION_OFFSET)
        version = (start[tables.VERSION_OFFSET], start[tables.VERSION_OFFSET + 1])
    if version not in known:
        version = _nearest_version(source, version, known)
    return table[magic, version]


def _nearest_version(source: Source, version: tuple[int, int], known: list[tuple[int, int]]) -> tuple[int, int]:
    found, same_major = "{}.{}".format(*version), [other for other in known if other[0] == version[0]]
    if not same_major:
        wanted = " or ".join("{}.{}".format(*other) for other in known)
        where = {"path": source.path, "offset": tables.VERSION_OFFSET}
        raise UnsupportedVersion(f"file specification {wanted}", found, **where)  # type: ignore[arg-type]
    nearest = min(same_major, key=lambda other: abs(other[1] - version[1]))
    warnings.warn(
        f"{source.path}: file specification {found} is not known; read as {nearest[0]}.{nearest[1]}",
        UnknownVersion,
        stacklevel=7,  # who opens the file
    )
    return nearest


def _describe_magic(start: bytes, size: int) -> str:
    if size == 0:
        return "an empty file"
    if start.startswith(_NEURALYNX):
        return "a Neuralynx file, which another maker writes under the same extension"
    return _FAMILIES.get(start[: tables.MAGIC_BYTES]) or f"{start[: tables.MAGIC_BYTES]!r}"


def read_basic_header(source: Source, found: _SpecT) -> tuple[_SpecT, dict[str, Any]]:
    """Read the basic header; of the vendor's two layouts for one version, the one this file has."""
    header = found.basic.read(source)
    if found.ripple is not None and is_ripple(source, found):
        return found.ripple, found.ripple.basic.read(source)
    return found, header


def is_ripple(source: Source, found: tables.NsxVersion | tables.NevVersion) -> bool:
    """Whether a Ripple system wrote the file: its application says Trellis (R01838; every file)."""
    if found.ripple is None:
        return False
    return tables.RIPPLE_APPLICATION in found.ripple.basic.read(source)["application"]


def header_text(header: dict[str, Any], name: str) -> str:
    """A text field of a basic header, empty where the version has none."""
    return decode_text(header.get(name, b""))
