# SPDX-License-Identifier: MIT
"""Extended headers of a NEV: digital inputs, cameras, tracked objects, comments and texts; and where its packets are.

Extended headers have 32 bytes each, begin with their id, and come in any order. Electrodes have a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from ..errors import Damage, FormatError, TruncatedFile
from ..format import tables
from ..format.text import decode_text
from ..source.base import Source

ExtendedHeaders = Mapping[bytes, list[dict[str, Any]]]  # the fields of each, by id
_NUMBER_NAMES = {"mode": tables.DIGITAL_MODES, "type": tables.TRACKABLE_TYPES}


class DigitalLabel(NamedTuple):
    """A digital input: its name and ``serial`` or ``parallel``; a number that no document names stays a number."""

    label: str
    mode: str


class VideoSource(NamedTuple):
    """A camera: its number in video_sync events, name and nominal frame rate."""

    source_id: int
    name: str
    frames_per_second: float


class Trackable(NamedTuple):
    """A tracked object; the `node_id` of its tracking events is `trackable_id` - 1.

    `type` is ``2d_markers``, ``2d_blob``, ``3d_markers``, ``2d_boundary``, ``marker_size`` or ``undefined``.
    """

    trackable_id: int
    name: str
    type: str
    max_points: int


class Triggers(NamedTuple):
    """What makes digital events besides the digital port (NSASEXEV).

    Parameters
    ----------
    period_hz : int
        Rate of periodic events; 0 is off.
    digital_config : int
        Bit 0: an event at each change.
    analog_configs, analog_levels_mv : tuple of int
        For each of five inputs: an event at a rising edge (bit 0) and at a falling one (bit 1); the level of the edges.
    """

    period_hz: int
    digital_config: int
    analog_configs: tuple[int, ...]
    analog_levels_mv: tuple[int, ...]


CUT_HEADERS = "cut-headers"  # code of the damage
_NamedHeaderT = TypeVar("_NamedHeaderT", DigitalLabel, VideoSource, Trackable)


def locate_packets(
    source: Source, version: tables.NevVersion, header: Mapping[str, Any], extended_bytes: int, damage: list[Damage]
) -> tuple[int, int, int]:
    """Where the packets start, the number of complete ones, and the bytes that the last, cut one lacks."""
    packet_bytes, header_bytes, min_bytes = header["packet_bytes"], header["header_bytes"], version.basic.size
    offsets, counted = version.basic.offsets, min_bytes + tables.EXTENDED_BYTES * header["n_extended"]
    if packet_bytes not in tables.PACKET_BYTES:
        expected = f"packets of {tables.PACKET_BYTES[0]} to {tables.PACKET_BYTES[-1]} bytes"
        raise FormatError(expected, f"{packet_bytes}", path=source.path, offset=offsets["packet_bytes"])
    if header_bytes == counted > source.size:
        missing_bytes = counted - source.size
        n_read, n_extended = extended_bytes // tables.EXTENDED_BYTES, header["n_extended"]
        message = f"the headers lack {missing_bytes} of their {counted} bytes: {n_read} of {n_extended} extended ones"
        message += " are read"
        damage.append(Damage(CUT_HEADERS, source.size, message, TruncatedFile))
        return source.size, 0, missing_bytes
    start = header_bytes if min_bytes <= header_bytes <= source.size else min_bytes + extended_bytes
    if header_bytes != counted:
        message = f"expected {counted} bytes of headers for {header['n_extended']} extended ones, found {header_bytes}"
        damage.append(Damage("header-size", offsets["header_bytes"], f"{message}; packets read from {start} on"))
    n_packets, cut_bytes = divmod(source.size - start, packet_bytes)
    missing_bytes = -cut_bytes % packet_bytes
    if missing_bytes:
        message = f"the last packet lacks {missing_bytes} of its {packet_bytes} bytes"
        damage.append(Damage("cut-packet", source.size - cut_bytes, message, TruncatedFile))
    return start, n_packets, missing_bytes


def header_id(header: bytes) -> bytes:
    """Id of an extended header, without its padding."""
    return header[: tables.MAGIC_BYTES].split(b"\0")[0].rstrip(b" ")


def group_headers(version: tables.NevVersion, raw: bytes) -> tuple[ExtendedHeaders, tuple[bytes, ...]]:
    """Fields of the extended headers by id, each with its offset in the file; and headers of unknown ids as bytes."""
    known: dict[bytes, list[dict[str, Any]]] = {name: [] for name in version.extended}
    unknown = []
    for start in range(0, len(raw), tables.EXTENDED_BYTES):
        header = raw[start : start + tables.EXTENDED_BYTES]
        name = header_id(header)
        if name in known:
            known[name].append(version.extended[name].unpack(header) | {"offset": version.basic.size + start})
        else:
            unknown.append(header)
    return known, tuple(unknown)


def header_comments(headers: ExtendedHeaders) -> tuple[str, ...]:
    """Each ECOMMENT, joined with the CCOMMENTs that follow it."""
    comments: list[bytes] = []
    for header in sorted(headers[b"ECOMMENT"] + headers[b"CCOMMENT"], key=lambda header: int(header["offset"])):
        text = header["text"].split(b"\0")[0]
        if comments and header["id"] == b"CCOMMENT":
            comments[-1] += text
        else:
            comments.append(text)
    return tuple(map(decode_text, comments))


def first_text(headers: ExtendedHeaders, name: bytes) -> str:
    """Text of the first header of this id; empty without one."""
    return decode_text(headers[name][0]["text"]) if headers[name] else ""


def from_headers(make: type[_NamedHeaderT], headers: Iterable[Mapping[str, Any]]) -> tuple[_NamedHeaderT, ...]:
    """Make a tuple of each header's fields: texts decoded, modes and types by name where the documents name them."""
    return tuple(make(*(_readable(field, header[field]) for field in make._fields)) for header in headers)


def _readable(field: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return decode_text(value)
    return _NUMBER_NAMES[field].get(value, str(value)) if field in _NUMBER_NAMES else value


def triggers(headers: ExtendedHeaders) -> tuple[Triggers, ...]:
    """Every NSASEXEV, and STIMINFO, its older name."""
    every = []
    for header in headers[b"NSASEXEV"] + headers[b"STIMINFO"]:
        configs = tuple(header[f"analog_{number}_config"] for number in tables.ANALOG_TRIGGERS)
        levels_mv = tuple(header[f"analog_{number}_level_mv"] for number in tables.ANALOG_TRIGGERS)
        every.append(Triggers(header["period_hz"], header["digital_config"], configs, levels_mv))
    return tuple(every)
