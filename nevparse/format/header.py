# SPDX-License-Identifier: MIT
"""Which family and version a file is, and the headers whose layout follows from that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from typing import Any, TypeVar

from ..errors import Damage, FormatError, UnknownVersion, UnsupportedVersion
from ..source.base import Source
from ..source.objects import Openable, display_name, open_source
from . import tables
from .text import decode_text

_VersionT = TypeVar("_VersionT", tables.NsxVersion, tables.NevVersion)
_Number = tuple[int, int]  # major, minor
_NSX, _NEV = "an NSx file", "a NEV file"
_FAMILIES = dict.fromkeys((magic for magic, _ in tables.NSX_VERSIONS), _NSX)
_FAMILIES |= dict.fromkeys((magic for magic, _ in tables.NEV_VERSIONS), _NEV)
ENDINGS = {"NSx": "ns[0-9]|nf[0-9]", "NEV": "nev"}  # of names, as a pattern, in any case of letters
ENDINGS_TEXT = ".nev, .ns1 to .ns9 or .nf1 to .nf9"
_OPENERS = {_NSX: "open_nsx", _NEV: "open_nev"}
# What other files begin with that have the name of a recording, or took its place, and what to do
_OTHERS = {
    b"########": "a Neuralynx file (Neuralynx also uses .nev)",
    b"\0\5\x16\7": "what macOS keeps about a file beside it (AppleDouble); the recording is the file without ._",
    b"version ": "a git-lfs pointer in its place; git lfs pull fetches the file",
    b"/annex/": "a git-annex pointer in its place; git annex get fetches the file",
    b"../.git/": "a git-annex link as text in its place; git annex get fetches the file",
    b".git/ann": "a git-annex link as text in its place; git annex get fetches the file",
    b"\x1f\x8b": "a gzip file; decompress it, or give what gzip.open returns",
    b"PK\3\4": "a zip file; extract it, or give what zipfile opens",
    b"//": "text, as array maps (.cmp) are, which read_cmp and --cmp take",
    b"<?xml": "XML, as configurations (.ccf) are, which read_ccf takes",
    b"\x89HDF": "an HDF5 file, as NWB and MATLAB 7.3 write",
    b"MATLAB": "a MATLAB file",
    bytes(tables.MAGIC_BYTES): "zeros: the file was made, and not written or not copied",
}


def is_nev(openable: Openable) -> bool:
    """Whether a file is a NEV, by its first bytes; where these are of no recording, whether its name is that of one."""
    with closing(open_source(openable)) as source:
        family = _FAMILIES.get(source.peek(tables.MAGIC_BYTES, 0))
    return family == _NEV or (family is None and display_name(openable).lower().endswith(".nev"))


def begins_as_recording(path: str) -> bool:
    """Whether a regular file begins like any NSx or NEV, whatever its name is; False where there is none."""
    if not os.path.isfile(path):
        return False
    with open(path, "rb", buffering=0) as file:
        return file.read(tables.MAGIC_BYTES) in _FAMILIES


def read_basic_header(
    source: Source, versions: Mapping[tuple[bytes, _Number], _VersionT], damage: list[Damage]
) -> tuple[_VersionT, dict[str, Any]]:
    """Identify the version of a file, in the layout of its vendor, and read the basic header.

    A Ripple file is known by the application that wrote it (R01838; every file). For a minor number that the tables
    do not have, the nearest one of the same major is used, which is noted as damage.
    """
    version = _identify_version(source, versions, damage)
    header = version.basic.read(source)
    if version.ripple is not None:
        by_ripple = version.ripple.basic.read(source)
        if tables.RIPPLE_APPLICATION.match(by_ripple["application"]):
            return version.ripple, by_ripple
    return version, header


def _identify_version(
    source: Source, versions: Mapping[tuple[bytes, _Number], _VersionT], damage: list[Damage]
) -> _VersionT:
    start = source.peek(tables.VERSION_OFFSET + 2, 0)
    magic = start[: tables.MAGIC_BYTES]
    known = [number for other, number in versions if other == magic]
    if not known:
        family = _FAMILIES[next(iter(versions))[0]]
        raise FormatError(f"{family}, by its first 8 bytes", _describe_magic(magic, source.size), path=source.path)
    number = tables.UNVERSIONED.get(magic)
    if number is None:
        if len(start) < tables.VERSION_OFFSET + 2:
            raise FormatError("a version", "the end of the file", path=source.path, offset=tables.VERSION_OFFSET)
        number = start[tables.VERSION_OFFSET], start[tables.VERSION_OFFSET + 1]
    return versions[magic, number if number in known else _nearest_number(source.path, number, known, damage)]


def _nearest_number(path: str, number: _Number, known: list[_Number], damage: list[Damage]) -> _Number:
    version, same_major = "{}.{}".format(*number), [other for other in known if other[0] == number[0]]
    if not same_major:
        expected = "file specification " + " or ".join("{}.{}".format(*other) for other in known)
        raise UnsupportedVersion(expected, version, path=path, offset=tables.VERSION_OFFSET)
    nearest = min(same_major, key=lambda other: abs(other[1] - number[1]))
    message = f"file specification {version} is not known; read as {nearest[0]}.{nearest[1]}"
    damage.append(Damage("unknown-version", tables.VERSION_OFFSET, message, UnknownVersion))
    return nearest


def _describe_magic(magic: bytes, size: int) -> str:
    if size == 0:
        return "an empty file"
    family = _FAMILIES.get(magic)
    if family:
        return f"{family} (use {_OPENERS[family]})"
    return next((other for start, other in _OTHERS.items() if magic.startswith(start)), repr(magic))


def header_text(header: Mapping[str, Any], name: str) -> str:
    """A text field of a basic header, empty where the version has none."""
    return decode_text(header.get(name, b""))


def checked_tick_rate(
    version: tables.NsxVersion | tables.NevVersion, header: Mapping[str, Any], damage: list[Damage]
) -> int:
    """Ticks per second of a file's timestamps; 30 kHz where the version has no such field, or the file a 0 in it."""
    tick_rate = int(header.get("tick_rate", tables.CLOCK_HZ))
    if tick_rate == 0:
        message = f"expected a timestamp resolution, found 0; taken as {tables.CLOCK_HZ} Hz"
        damage.append(Damage("tick-rate", version.basic.offsets["tick_rate"], message))
    return tick_rate or tables.CLOCK_HZ


def read_extended_headers(source: Source, version: tables.NevVersion, header: Mapping[str, Any]) -> bytes:
    """The bytes of a NEV's extended headers: as many as its count, its header size and the file allow."""
    start, end = version.basic.size, header["header_bytes"]
    if not start <= end <= source.size:
        end = source.size
    n_headers = min(header["n_extended"], (end - start) // tables.EXTENDED_BYTES)
    return source.read(n_headers * tables.EXTENDED_BYTES, start, "extended headers")
