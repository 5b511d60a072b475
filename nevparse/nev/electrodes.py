# SPDX-License-Identifier: MIT
"""What the extended headers of a NEV describe: electrodes, digital inputs, cameras, tracked objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

import numpy as np

from ..errors import Damage
from ..format import tables
from ..format.channel import Filter, microvolts_per_bit, read_filter
from ..format.text import decode_text

Shape = tuple[str, int]  # of a waveform: numpy code of a sample, samples
Grouped = Mapping[bytes, list[dict[str, Any]]]  # fields of the extended headers, by their id
_ELECTRODE_HEADERS = (b"NEUEVWAV", b"NEUEVLBL", b"NEUEVFLT")
_AS_WRITTEN = ("pin", "high_threshold", "low_threshold", "energy_threshold", "n_units", "stim_v_per_bit")


@dataclass(frozen=True)
class Electrode:
    """One source of spikes, as its NEUEVWAV, NEUEVLBL and NEUEVFLT headers describe it together.

    Any of the three may be missing; what only it would say is None, NaN or "" then.

    Parameters
    ----------
    electrode_id : int
        The vendor's number.
    label : str
        Name.
    bank, pin : int or None
        Physical connector (1 is A) and its pin. Ripple: front end and its pin.
    uv_per_bit : float
        Microvolts per bit of its waveforms; NaN where the header has none.
    high_threshold, low_threshold : int or None
        Amplitudes that make a spike, as the header has them.
    high_threshold_uv, low_threshold_uv : float
        The same in microvolts: Blackrock's files hold bits, Ripple's microvolts.
    energy_threshold : int or None
        0 where it was not used.
    n_units : int or None
        Sorted units; 0 where sorting was off.
    high_pass, low_pass : Filter or None
        What the signal was filtered by before spikes were looked for.
    dtype : numpy.dtype
        Of one waveform sample.
    n_points : int
        Samples of each waveform.
    stim_v_per_bit : float or None
        Ripple's stimulation channels: volts per bit.
    """

    electrode_id: int
    label: str
    bank: int | None
    pin: int | None
    uv_per_bit: float
    high_threshold: int | None
    low_threshold: int | None
    high_threshold_uv: float
    low_threshold_uv: float
    energy_threshold: int | None
    n_units: int | None
    high_pass: Filter | None
    low_pass: Filter | None
    dtype: np.dtype[Any]
    n_points: int
    stim_v_per_bit: float | None


class DigitalLabel(NamedTuple):
    """A digital input: its name and ``serial`` or ``parallel`` (a number the documents do not name stays one)."""

    label: str
    mode: str


class VideoSource(NamedTuple):
    """A camera: the number video_sync events call it by, its name and nominal frame rate."""

    source_id: int
    name: str
    frames_per_second: float


class Trackable(NamedTuple):
    """A tracked object; tracking events call it by `trackable_id` less one.

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
        Of periodic sampling; 0 is off.
    digital_config : int
        Bit 0: an event at each change.
    analog_configs : tuple of int
        Of five inputs. Bit 0: an event at a rising edge; bit 1: at a falling one.
    analog_levels_mv : tuple of int
        Where those edges lie.
    """

    period_hz: int
    digital_config: int
    analog_configs: tuple[int, ...]
    analog_levels_mv: tuple[int, ...]


def group_headers(found: tables.NevVersion, raw: bytes) -> tuple[Grouped, tuple[bytes, ...]]:
    """Extended headers by their id, and those of no known id as they stand."""
    known: defaultdict[bytes, list[dict[str, Any]]] = defaultdict(list)
    unknown = []
    for start in range(0, len(raw), tables.EXTENDED_BYTES):
        header = raw[start : start + tables.EXTENDED_BYTES]
        number = header_id(header)
        if number in found.extended:
            fields = found.extended[number].unpack(header)
            known[number].append(fields | {"offset": found.basic.size + start})
        else:
            unknown.append(header)
    return known, tuple(unknown)


def header_id(header: bytes) -> bytes:
    """What an extended header is, without its padding."""
    return header[: tables.MAGIC_BYTES].split(b"\0")[0].rstrip(b" ")


def describe_electrodes(
    found: tables.NevVersion, headers: Grouped, all_16_bit: bool, packet_bytes: int, damage: list[Damage]
) -> tuple[dict[int, Electrode], dict[int, Shape]]:
    """Electrodes by id, and what their headers state of waveforms: numpy code of a sample, number of samples."""
    parts = [{header["electrode_id"]: header for header in headers.get(kind, ())} for kind in _ELECTRODE_HEADERS]
    room = packet_bytes - found.packets["spike"].offsets["waveform"]
    described, stated = {}, {}
    for number in dict.fromkeys(number for part in parts for number in part):
        waveform, label, filters = (part.get(number, {}) for part in parts)
        stated[number] = _sample_code(waveform, all_16_bit, damage), waveform.get("n_points", 0)
        described[number] = Electrode(
            electrode_id=number,
            label=decode_text(label.get("label", b"")),
            high_pass=read_filter(filters, "high_pass") if filters else None,
            low_pass=read_filter(filters, "low_pass") if filters else None,
            **_waveform_facts(found, waveform),
            **_shape_facts(stated[number], room),
        )
    return described, stated


def shape_that_fits(stated: Shape, room_bytes: int) -> Shape:
    """How a waveform lies in its packet: as many points as stated if they fit, else as many as fit."""
    code, n_points = stated
    capacity = max(0, room_bytes) // np.dtype(code).itemsize
    return code, n_points if 0 < n_points <= capacity else capacity


def _shape_facts(stated: Shape, room_bytes: int) -> dict[str, Any]:
    code, n_points = shape_that_fits(stated, room_bytes)
    return {"dtype": np.dtype(code), "n_points": n_points}


def _waveform_facts(found: tables.NevVersion, header: Mapping[str, Any]) -> dict[str, Any]:
    per_bit = microvolts_per_bit(header.get("nv_per_bit", 0))
    per_threshold = 1.0 if found.thresholds_in_uv else per_bit
    facts: dict[str, Any] = {name: header.get(name) for name in _AS_WRITTEN}
    bank: Any = header.get("bank")
    for name in ("high_threshold", "low_threshold"):
        facts[f"{name}_uv"] = nan if facts[name] is None else facts[name] * per_threshold
    return facts | {
        "uv_per_bit": per_bit,
        "bank": bank - tables.BANK_LETTERS[0] + 1 if bank in tables.BANK_LETTERS else bank,
    }


def _sample_code(header: Mapping[str, Any], all_16_bit: bool, damage: list[Damage]) -> str:
    if all_16_bit or not header:
        return tables.SAMPLE_16_BIT
    if header["sample_bytes"] not in tables.SAMPLE_CODES:
        wanted = ", ".join(str(width) for width in tables.SAMPLE_CODES)
        message = f"expected {wanted} bytes per waveform sample, found {header['sample_bytes']}; read as 2"
        damage.append(Damage("waveform-type", header["offset"], message))
    return tables.SAMPLE_CODES.get(header["sample_bytes"], tables.SAMPLE_16_BIT)


def header_comments(headers: Grouped) -> tuple[str, ...]:
    """Each ECOMMENT with the CCOMMENTs that follow and continue it."""
    found = [*headers.get(b"ECOMMENT", ()), *headers.get(b"CCOMMENT", ())]
    comments: list[bytes] = []
    for header in sorted(found, key=lambda header: int(header["offset"])):
        said = header["text"].split(b"\0")[0]
        if comments and header["id"] == b"CCOMMENT":
            comments[-1] += said
        else:
            comments.append(said)
    return tuple(decode_text(said) for said in comments)


def first_text(headers: Grouped, number: bytes) -> str:
    """The text of the first header of this id; empty where there is none."""
    found = headers.get(number)
    return decode_text(found[0]["text"]) if found else ""


def digital_labels(headers: Grouped) -> tuple[DigitalLabel, ...]:
    """Every DIGLABEL."""
    return tuple(
        DigitalLabel(decode_text(some["label"]), tables.DIGITAL_MODES.get(some["mode"], str(some["mode"])))
        for some in headers.get(b"DIGLABEL", ())
    )


def video_sources(headers: Grouped) -> tuple[VideoSource, ...]:
    """Every VIDEOSYN."""
    return tuple(
        VideoSource(some["source_id"], decode_text(some["name"]), some["frames_per_second"])
        for some in headers.get(b"VIDEOSYN", ())
    )


def trackables(headers: Grouped) -> tuple[Trackable, ...]:
    """Every TRACKOBJ."""
    return tuple(
        Trackable(
            some["trackable_id"],
            decode_text(some["name"]),
            tables.TRACKABLE_TYPES.get(some["type"], str(some["type"])),
            some["max_points"],
        )
        for some in headers.get(b"TRACKOBJ", ())
    )


def triggers(headers: Grouped) -> tuple[Triggers, ...]:
    """Every NSASEXEV, under its older name too."""
    found = [*headers.get(b"NSASEXEV", ()), *headers.get(b"STIMINFO", ())]
    return tuple(
        Triggers(
            some["period_hz"],
            some["digital_config"],
            tuple(some[f"analog_{k}_config"] for k in tables.ANALOG_TRIGGERS),
            tuple(some[f"analog_{k}_level_mv"] for k in tables.ANALOG_TRIGGERS),
        )
        for some in found
    )
