# SPDX-License-Identifier: MIT
"""Removes what identifies a subject: dates, comments, applications, labels on request, and what no field owns."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...clock import counts_from_1970, dated_ticks
from ...format import tables
from ...format.dates import nearest_ms, systemtime_of_date
from ...format.layout import Layout
from ...nev.packets import CONTINUED, KIND_CODES, continued_packets
from ...nev.spikes import N_IDS

if TYPE_CHECKING:
    from ...nev.file import NevFile
    from ...nev.packets import PacketNumbers
    from ...nsx.file import NsxFile
    from ...recording.successive_files import SuccessiveFiles

LABELS = "labels"  # the value of `anonymise` that removes labels too
NEUTRAL_DATE = datetime(2000, 1, 1)  # a valid date: some readers fail without one
_NAME_FIELDS = ("label", "name")
# The field where free text, or what no document explains, starts in a packet of a kind
_TEXT_FIELD = {"comment": "text", "log": "application", "config": "text", "unknown": "payload"}
_NO_END = 1 << 32  # of a waveform, without a header that says how long it is


def check_anonymise(anonymise: bool | str) -> None:
    """Raise ValueError unless `anonymise` is True, False or ``"labels"``."""
    if anonymise not in (True, False, LABELS):
        raise ValueError(f"expected anonymise to be True, False or {LABELS!r}, found {anonymise!r}")


def what_is_left(anonymise: bool | str) -> str:
    """What an anonymised file still has that may tell whose it is, for the one who passes it on."""
    labels = "" if anonymise == LABELS else "labels of electrodes and inputs (--anonymise labels takes them out), "
    kept = "samples, waveforms, electrode ids, gains, digital and serial input, positions of tracked objects"
    return f"left as they were, and may identify: {labels}{kept}, and times between events; mind the file's name too"


def check_dates_removed(
    path: str, tick_rate: int, ticks: NDArray[np.int64], anonymise: bool | str, base_tick: int
) -> None:
    """Raise ValueError if timestamps would still reveal the date, or become negative."""
    dated = dated_ticks(tick_rate, ticks)
    if base_tick and not (anonymise and dated.size):
        raise ValueError(f"{path}: base_tick (--base-tick) is for anonymising clocks that count from 1970")
    first, last = (int(dated.min()), int(dated.max())) if dated.size else (0, 0)
    if base_tick > first or base_tick < 0:
        raise ValueError(f"{path}: expected a base_tick of 0 to {first}, the first timestamp, found {base_tick}")
    if anonymise and counts_from_1970(tick_rate, last - base_tick):
        example = first // tick_rate * tick_rate
        raise ValueError(
            f"{path}: its timestamps count from 1970 and reveal the date; give base_tick (--base-tick), which is "
            f"subtracted from each, the same for every file of a recording: {example}"
        )


def new_basic(
    file: NsxFile | SuccessiveFiles | NevFile, anonymise: bool | str, date_tick: int, former_tick: int, base_tick: int
) -> bytes:
    """The basic header of a file with the date of a tick, where the former date is that of another; or anonymised."""
    basic = file._version.basic
    raw = file._source.read(basic.size, 0, basic.name)
    if anonymise:
        return _anonymous_basic(file._version, raw, anonymise, date_tick - base_tick, file.tick_rate)
    if date_tick == former_tick or file.time_origin is None:
        return raw
    return basic.with_values(raw, time_origin=systemtime_of_date(nearest_ms(file.datetime(date_tick))))


def _anonymous_basic(
    version: tables.NsxVersion | tables.NevVersion, raw: bytes, anonymise: bool | str, tick: int, tick_rate: int
) -> bytes:
    """A basic header without its comment and application; its date is that of `tick` if tick 0 is in the year 2000."""
    is_ripple = version.vendor == "ripple"  # whose layout is known by the application
    application = tables.RIPPLE_NEUTRAL_APPLICATION if is_ripple else b""
    try:
        date = NEUTRAL_DATE + timedelta(microseconds=tick * 1_000_000 // tick_rate)
    except OverflowError:
        date = NEUTRAL_DATE
    values = {"time_origin": systemtime_of_date(nearest_ms(date)), "comment": b"", "application": application}
    if anonymise == LABELS:
        values["label"] = b""
    return version.basic.with_values(_without_remnants(version.basic, raw), **values)


def anonymous_record(layout: Layout, raw: bytes, anonymise: bool | str) -> bytes:
    """An extended header without the bytes after its texts; with ``"labels"`` its names become neutral too."""
    clean = _without_remnants(layout, raw)
    if anonymise != LABELS:
        return clean
    fields = layout.unpack(raw)
    neutral = b"ch%d" % fields["electrode_id"] if "electrode_id" in fields else b""
    return layout.with_values(clean, **dict.fromkeys(_NAME_FIELDS, neutral))


def _without_remnants(layout: Layout, raw: bytes) -> bytes:
    """A record with zeros in reserved bytes and after its texts, where recorders leave old memory."""
    out = bytearray(raw)
    for offset, field, code in layout.rows:
        stop = offset + struct.calcsize("<" + code)
        if not field:
            out[offset:stop] = bytes(stop - offset)
        elif code.endswith("s"):
            out[offset:stop] = bytes(out[offset:stop]).split(b"\0")[0].ljust(stop - offset, b"\0")
    return bytes(out)


class PacketBlanks:
    """Which bytes of packets are blanked: texts, and all that no field owns, as behind the end of a waveform."""

    def __init__(self, nev: NevFile) -> None:
        self._kind, size = nev._packets.heads.kind, nev.packet_bytes
        self._reserved = np.zeros((len(KIND_CODES) + 1, size), np.bool_)  # inside of a kind's fields
        by_code = np.zeros(len(KIND_CODES) + 1, np.int64)
        for kind, code in KIND_CODES.items():
            layout = nev._packets.layout(kind)
            by_code[code] = layout.offsets[_TEXT_FIELD[kind]] if kind in _TEXT_FIELD else layout.size
            for offset, field, width in layout.rows:
                if not field and width != "*x":
                    self._reserved[code, offset : offset + struct.calcsize("<" + width)] = True
        stops = by_code[self._kind]
        _add_waveforms(nev, stops)
        _add_points(nev, stops)
        _continue(stops, self._kind, size, nev._version.any_packet.offsets["packet_id"])
        self._stops, self._columns = stops, np.arange(size)

    def of(self, packets: PacketNumbers) -> NDArray[np.bool_]:
        """For each byte of some packets whether it is blanked, ``(n_packets, packet_bytes)``."""
        return self._reserved[self._kind[packets]] | (self._columns >= self._stops[packets, np.newaxis])


def _add_waveforms(nev: NevFile, stops: NDArray[np.int64]) -> None:
    """Move the ends of spikes and stimuli behind their waveforms."""
    n_bytes = np.full(N_IDS, _NO_END, np.int64)
    stops[nev._packets.numbers_of("stim")] += _NO_END
    for electrode in nev.electrodes.values():
        if electrode.header_points:
            n_bytes[electrode.electrode_id] = electrode.header_points * electrode.dtype.itemsize
    spikes = nev._packets.numbers_of("spike")
    stops[spikes] += n_bytes[nev._packets.heads.packet_id[spikes]]


def _add_points(nev: NevFile, stops: NDArray[np.int64]) -> None:
    """Move the ends of tracking packets behind their points."""
    layout, numbers = nev._packets.layout("tracking"), nev._packets.numbers_of("tracking")
    if numbers.size and layout.size <= nev.packet_bytes:
        fields = nev._packets.raw.view(layout.dtype(nev.packet_bytes))[numbers]
        n_bytes = np.full(1 << 16, _bytes_of_point(*tables.POINT_CODE), np.int64)
        for trackable in nev.trackables:
            code = tables.POINT_CODES.get(trackable.type, tables.POINT_CODE)
            n_bytes[trackable.trackable_id - 1] = _bytes_of_point(*code)
        stops[numbers] += n_bytes[fields["node_id"]] * fields["n_points"]


def _bytes_of_point(code: str, n_numbers: int) -> int:
    return np.dtype(code).itemsize * n_numbers


def _continue(stops: NDArray[np.int64], kind: NDArray[np.uint8], size: int, start: int) -> None:
    """Set the ends of continuing packets, whose payload from `start` on belongs to the packet before them."""
    numbers = np.flatnonzero(kind == CONTINUED)
    first = continued_packets(kind)[numbers]
    left = stops[first] - size - (numbers - first - 1) * (size - start)
    stops[numbers] = start + np.where(first < 0, 0, np.clip(left, 0, size - start))
