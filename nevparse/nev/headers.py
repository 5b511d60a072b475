# SPDX-License-Identifier: MIT
"""What the headers of a NEV say: its version and clock, where its packets are, and what its spikes are worth."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import nan
from types import MappingProxyType
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import NDArray

from ..errors import Damage, FormatError, TruncatedFile, UnknownScale
from ..format import tables
from ..format.dates import date_of_systemtime
from ..format.header import checked_tick_rate, header_text, read_basic_header, read_extended_headers
from ..format.text import ranges_text
from ..source.base import Source
from ..source.reference import header_digest
from .electrodes import (
    Electrode,
    describe_electrodes,
    digital_labels,
    first_text,
    group_headers,
    header_comments,
    trackables,
    triggers,
    video_sources,
)
from .spikes import N_IDS, numbers_present

_UV_PER_V = 1e6


class NevHeaders:
    """The headers of an open NEV file; `NevFile`, which adds the packets, lists what they say."""

    def __init__(self, source: Source) -> None:
        self._source, self.path = source, source.path
        found, header = read_basic_header(source, tables.NEV_VERSIONS)
        self._version, self.spec, self.vendor = found, found.name, found.vendor
        damage: list[Damage] = []
        self.packet_bytes = _packet_bytes(source, found, header)
        extended = read_extended_headers(source, found, header)
        self._start, self.n_packets, self.missing_bytes = _extent(source, found, header, len(extended), damage)
        self.tick_rate, self.sample_rate = checked_tick_rate(found, header, damage), int(header["sample_rate"])
        self.time_origin = date_of_systemtime(header["time_origin"], utc=found.origin_is_utc)
        self.time_origin_note = found.origin_note if self.time_origin else "the header has no valid date"
        self.application, self.comment = header_text(header, "application"), header_text(header, "comment")
        self.processor_tick: int | None = header.get("processor_tick")
        self.digest = header_digest(source.read(found.basic.size, 0) + extended)
        all_16_bit = bool(header["flags"] & tables.FLAG_ALL_16_BIT)
        self._read_extended(extended, all_16_bit, damage)
        self.damage = tuple(damage)

    def _read_extended(self, raw: bytes, all_16_bit: bool, damage: list[Damage]) -> None:
        headers, self.unknown_headers = group_headers(self._version, raw)
        described, self._waveform_shapes = describe_electrodes(
            self._version, headers, all_16_bit, self.packet_bytes, damage
        )
        self.electrodes: Mapping[int, Electrode] = MappingProxyType(described)
        self.header_comments = header_comments(headers)
        self.array_name = first_text(headers, b"ARRAYNME")
        self.map_file = first_text(headers, b"MAPFILE")
        self.digital_labels = digital_labels(headers)
        self.video_sources = video_sources(headers)
        self.trackables = trackables(headers)
        self.nsasexev = triggers(headers)

    def tracked_points(self, event: np.void) -> NDArray[Any]:
        """The coordinates of one tracking event.

        Parameters
        ----------
        event : numpy.void
            One row of ``events("tracking")``.

        Returns
        -------
        numpy.ndarray
            uint16 ``(n, 2)``, or ``(n, 3)`` for 3-D markers, from the lower left; uint32 ``(n, 1)`` for marker
            sizes. Fewer points than ``n_points`` where the packet is too short for them.
        """
        types = {trackable.trackable_id: trackable.type for trackable in self.trackables}
        code, per_point = tables.POINT_CODES.get(types.get(int(event["node_id"]) + 1, ""), tables.POINT_CODE)
        numbers = np.frombuffer(event["points"].tobytes(), code, event["points"].nbytes // np.dtype(code).itemsize)
        n_points = min(int(event["n_points"]), numbers.size // per_point)
        return numbers[: n_points * per_point].reshape(n_points, per_point)

    def to_uv(self, spikes: NDArray[np.void]) -> NDArray[np.float32]:
        """Waveforms in microvolts.

        Parameters
        ----------
        spikes : numpy.ndarray
            From `spikes`, or ``events("stim")``.

        Returns
        -------
        numpy.ndarray
            float32 ``(n_spikes, n_points)``; NaN for electrodes without a scale.

        Warns
        -----
        UnknownScale
            Where an electrode has no scale.
        """
        ids = numbers_present(spikes["electrode_id"], N_IDS).tolist()
        per_bit = np.full(N_IDS, nan)
        per_bit[ids] = [self._uv_per_bit(number) for number in ids]
        without = [number for number in ids if np.isnan(per_bit[number])]
        if without:
            message = f"{self.path}: no scale for electrodes {ranges_text(without)}; their microvolts are NaN"
            warnings.warn(message, UnknownScale, stacklevel=2)
        raw = spikes["waveform"]
        out = np.empty(raw.shape, np.float32)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a header can claim any scale
            scale = per_bit.astype(np.float32)[spikes["electrode_id"]]
            np.multiply(raw, scale[:, np.newaxis], out=out, casting="same_kind")
        return out

    @staticmethod
    def unit_class(unit: SupportsInt) -> str:
        """What a unit number means: ``unclassified`` (0), ``unit`` (1 to 16), ``noise`` (255) or ``reserved``."""
        return "unit" if int(unit) in tables.UNITS_SORTED else tables.UNIT_CLASSES.get(int(unit), "reserved")

    def _uv_per_bit(self, electrode_id: int) -> float:
        electrode = self.electrodes.get(electrode_id)
        if electrode is None:
            return nan
        if electrode.stim_v_per_bit and electrode_id in range(self._version.stim_ids[0], self._version.stim_ids[1] + 1):
            return electrode.stim_v_per_bit * _UV_PER_V
        return electrode.uv_per_bit


def _packet_bytes(source: Source, found: tables.NevVersion, header: Mapping[str, Any]) -> int:
    stated = int(header["packet_bytes"])
    if stated not in tables.PACKET_BYTES:
        expected = f"packets of {tables.PACKET_BYTES[0]} to {tables.PACKET_BYTES[-1]} bytes"
        raise FormatError(expected, f"{stated}", path=source.path, offset=found.basic.offsets["packet_bytes"])
    return stated


def _extent(
    source: Source, found: tables.NevVersion, header: Mapping[str, Any], extended_bytes: int, damage: list[Damage]
) -> tuple[int, int, int]:
    """Where the packets start, how many whole ones there are, and what the last one lacks."""
    stated, behind = int(header["header_bytes"]), found.basic.size + extended_bytes
    start = stated if found.basic.size <= stated <= source.size else behind
    counted = found.basic.size + tables.EXTENDED_BYTES * header["n_extended"]
    if stated != counted:
        message = f"expected {counted} bytes of headers for {header['n_extended']} extended ones, found {stated}"
        damage.append(
            Damage("header-size", found.basic.offsets["header_bytes"], f"{message}; packets read from {start} on")
        )
    n_packets, left = divmod(source.size - start, int(header["packet_bytes"]))
    missing = int(header["packet_bytes"]) - left if left else 0
    if missing:
        message = f"the last packet lacks {missing} of its {header['packet_bytes']} bytes"
        damage.append(Damage("cut-packet", source.size - left, message, TruncatedFile))
    return start, n_packets, missing
