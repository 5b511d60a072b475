# SPDX-License-Identifier: MIT
"""What a file is, and its basic header: the part that NSx and NEV files share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any, NamedTuple, Protocol, TypeVar
from zlib import crc32

import numpy as np

from . import spec
from ._objects import Openable, source_of
from ._source import Source
from ._units import text
from .errors import DamagedFile, FormatError, NevParseWarning, TruncatedFile, UnknownVersion, UnsupportedVersion

_SpecT = TypeVar("_SpecT", spec.NsxSpec, spec.NevSpec)
_FileT = TypeVar("_FileT", bound="Reopenable")

_NEURALYNX = b"########"
_SIZE_BYTES = 8  # of a digest, that say how long the headers are
_FAMILIES = {magic: "an NSx file (use open_nsx)" for magic, _ in spec.NSX_SPECS} | {
    magic: "a NEV file (use open_nev)" for magic, _ in spec.NEV_SPECS
}


class Filter(NamedTuple):
    """One analog or digital filter stage.

    Parameters
    ----------
    corner_hz : float
        Corner frequency.
    order : int
        Filter order.
    kind : str
        ``butterworth`` or ``chebyshev``; a number the documents do not name stays a number.
    """

    corner_hz: float
    order: int
    kind: str


class Damage(NamedTuple):
    """One place where a file is not what the specification says, and what was done about it."""

    code: str
    offset: int
    message: str
    category: type[NevParseWarning] = DamagedFile


def identify(source: Source, table: Mapping[tuple[bytes, tuple[int, int]], _SpecT], family: str) -> _SpecT:
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
    start = source.read(min(source.size, spec.VERSION_OFFSET + 2), 0)
    magic = start[: spec.MAGIC_BYTES]
    known = [version for other, version in table if other == magic]
    if not known:
        raise FormatError(f"{family}, by its first 8 bytes", _guess(start, source.size), path=source.path)
    version = spec.UNVERSIONED.get(magic)
    if version is None:
        if len(start) < spec.VERSION_OFFSET + 2:
            raise FormatError("a version", "the end of the file", path=source.path, offset=spec.VERSION_OFFSET)
        version = (start[spec.VERSION_OFFSET], start[spec.VERSION_OFFSET + 1])
    if version not in known:
        version = _nearest(source, version, known)
    return table[magic, version]


def _nearest(source: Source, version: tuple[int, int], known: list[tuple[int, int]]) -> tuple[int, int]:
    found, same_major = "{}.{}".format(*version), [other for other in known if other[0] == version[0]]
    if not same_major:
        wanted = " or ".join("{}.{}".format(*other) for other in known)
        where = {"path": source.path, "offset": spec.VERSION_OFFSET}
        raise UnsupportedVersion(f"file specification {wanted}", found, **where)  # type: ignore[arg-type]
    nearest = min(same_major, key=lambda other: abs(other[1] - version[1]))
    warnings.warn(
        f"{source.path}: file specification {found} is not known; read as {nearest[0]}.{nearest[1]}",
        UnknownVersion,
        stacklevel=7,  # who opens the file
    )
    return nearest


def _guess(start: bytes, size: int) -> str:
    if size == 0:
        return "an empty file"
    if start.startswith(_NEURALYNX):
        return "a Neuralynx file, which another maker writes under the same extension"
    return _FAMILIES.get(start[: spec.MAGIC_BYTES]) or f"{start[: spec.MAGIC_BYTES]!r}"


def basic_header(source: Source, found: _SpecT) -> tuple[_SpecT, dict[str, Any]]:
    """Read the basic header; of the vendor's two layouts for one version, the one this file has."""
    header = source.unpack(found.basic)
    if found.ripple is not None and is_ripple(source, found):
        return found.ripple, source.unpack(found.ripple.basic)
    return found, header


def is_ripple(source: Source, found: spec.NsxSpec | spec.NevSpec) -> bool:
    """Whether a Ripple system wrote the file: its application says Trellis (R01838; every file)."""
    if found.ripple is None:
        return False
    return spec.RIPPLE_APPLICATION in source.unpack(found.ripple.basic)["application"]


def data_start(source: Source, stated: int, least: int, damage: list[Damage]) -> int:
    """Where the data begins: the header's own word if the file can hold it, else right behind the headers."""
    if least <= stated <= source.size:
        return stated
    message = f"expected headers of {least} to {source.size} bytes, found {stated}; data read from {least} on"
    damage.append(Damage("header-size", spec.NSX_BASIC_22.offsets["header_bytes"], message))
    return least


def extended_headers(source: Source, found: spec.NevSpec, header: Mapping[str, Any]) -> bytes:
    """The extended headers of a NEV as they stand: as many as it counts, its header bytes hold and the file has."""
    begin = found.basic.size
    stated = header["header_bytes"]
    end = stated if begin <= stated <= source.size else source.size
    count = min(header["n_extended"], (end - begin) // spec.EXTENDED_BYTES)
    return source.read(count * spec.EXTENDED_BYTES, begin, "extended headers")


def microvolts_per_bit(nv_per_bit: int) -> float:
    """A NEV's digitisation factor in µV; NaN where it has none, mended where it overflowed its 16 bits."""
    if nv_per_bit == spec.NV_PER_BIT_OVERFLOW:
        return spec.NV_PER_BIT_MENDED / 1000
    return nv_per_bit / 1000 if nv_per_bit else nan


def uv_per_bit_of(nev: Any) -> dict[int, float]:
    """µV per bit by electrode id from a NEV: what `open_nev` takes, a `NevFile`, a mapping, or None for nothing."""
    if nev is None or isinstance(nev, Mapping):
        return dict(nev or {})
    if hasattr(nev, "electrodes"):
        return {electrode.electrode_id: electrode.uv_per_bit for electrode in nev.electrodes.values()}
    source = source_of(nev)
    try:
        found, header = basic_header(source, identify(source, spec.NEV_SPECS, "a NEV file"))
        raw = extended_headers(source, found, header)
    finally:
        source.close()
    rows = np.frombuffer(raw, found.extended[b"NEUEVWAV"].dtype())
    rows = rows[rows["id"].view("S8") == b"NEUEVWAV"]
    return {int(row["electrode_id"]): microvolts_per_bit(int(row["nv_per_bit"])) for row in rows}


def tell(source: Source, damage: Sequence[Damage], stacklevel: int) -> None:
    """Warn of all that was found, one warning for each kind."""
    for category in (TruncatedFile, DamagedFile):
        found = [item for item in damage if item.category is category]
        if found:
            more = f" (and {len(found) - 1} more places: see .damage)" if len(found) > 1 else ""
            message = f"{source.path}, byte {found[0].offset}: {found[0].message}{more}"
            warnings.warn(message, category, stacklevel=stacklevel)


def filter_of(fields: Any, name: str) -> Filter | None:
    """The filter called `name` (``high_pass`` or ``low_pass``) of a channel's header; None where there is none."""
    corner_mhz, order, kind = (int(fields[f"{name}_{part}"]) for part in ("mhz", "order", "type"))
    if corner_mhz in (0, spec.NO_CORNER) or order == 0 or kind == 0:
        return None
    return Filter(corner_mhz / 1000, order, spec.FILTER_TYPES.get(kind, str(kind)))


def checked_clock(
    source: Source, found: spec.NsxSpec, header: Mapping[str, Any], damage: list[Damage]
) -> tuple[int, int]:
    """Sampling period (ticks of the 30 kHz clock) and timestamp resolution (Hz) of an NSx."""
    period, tick_rate = int(header["period"]), int(header.get("tick_rate", spec.CLOCK_HZ))
    if period == 0:
        offset = found.basic.offsets["period"]
        raise FormatError("a sampling period of 1 or more", "0", path=source.path, offset=offset)
    if tick_rate == 0:
        message = f"expected a timestamp resolution, found 0; taken as {spec.CLOCK_HZ} Hz"
        damage.append(Damage("tick-rate", found.basic.offsets["tick_rate"], message))
    return period, tick_rate or spec.CLOCK_HZ


def header_text(header: dict[str, Any], name: str) -> str:
    """A text field of a basic header, empty where the version has none."""
    return text(header.get(name, b""))


class Reopenable(Protocol):
    """An open file that pickles as what opens it again and the digest of its headers."""

    path: str
    digest: bytes
    damage: tuple[Damage, ...]
    _source: Source

    def close(self) -> None:
        """Let go of the file."""


def opened(what: Openable, make: Callable[[Source], _FileT]) -> _FileT:
    """Open a file or what stands for one, and warn of what was odd; nothing is left open where that fails."""
    source = source_of(what)
    try:
        file = make(source)
        tell(source, file.damage, stacklevel=4)
    except BaseException:
        source.close()
        raise
    return file


def digest_of(header: bytes) -> bytes:
    """What tells one file's headers from another's."""
    return len(header).to_bytes(_SIZE_BYTES, "little") + crc32(header).to_bytes(4, "little")


def refuse_other(source: Source, digest: bytes) -> None:
    """Raise where the headers are no more those of a digest: another recording was begun under the same name."""
    n_bytes = int.from_bytes(digest[:_SIZE_BYTES], "little")
    if digest_of(source.read(n_bytes, 0, "headers")) != digest:
        raise FormatError("the headers there were before", "others: it was begun anew; open it again", path=source.path)


def reopened(opener: Callable[[Any], _FileT], what: Any, digest: bytes) -> _FileT:
    """Open a pickled file again; it closes itself where nobody does, as in a worker that was handed it.

    Raises
    ------
    FormatError
        Where the headers are not those of the file that was pickled.
    """
    file = opener(what)
    if file.digest != digest:
        file.close()
        raise FormatError("the headers of the file that was pickled", "others", path=file.path)
    file._source.close_when_forgotten()
    return file
