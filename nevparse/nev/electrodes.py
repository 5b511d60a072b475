# SPDX-License-Identifier: MIT
"""Electrodes of a NEV: label, connector, scale, thresholds and filters, from their extended headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from ..errors import Damage
from ..format import tables
from ..format.channel import Filter, bank_number, microvolts_per_bit, read_filter, scale_text
from ..format.text import decode_text
from .headers import ExtendedHeaders

_AS_WRITTEN = ("pin", "high_threshold", "low_threshold", "energy_threshold", "n_units", "stim_v_per_bit")


@dataclass(frozen=True, repr=False)
class Electrode:
    """One source of spikes, from its NEUEVWAV, NEUEVLBL and NEUEVFLT headers together.

    Any of the three may be missing; its fields are then None, NaN or "".

    Parameters
    ----------
    electrode_id : int
        Electrode id, as in the file's headers.
    label : str
        Name given in the recording software.
    bank, pin : int or None
        Physical connector (1 is A) and its pin. Ripple: front end and its pin.
    uv_per_bit : float
        Microvolts per bit of its waveforms; NaN where the header has none.
    high_threshold, low_threshold : int or None
        Amplitudes that make a spike, in the header's unit.
    high_threshold_uv, low_threshold_uv : float
        The same in microvolts: Blackrock's files hold bits, Ripple's microvolts.
    energy_threshold, n_units : int or None
        0 where no energy threshold was used; number of sorted units, 0 where sorting was off.
    high_pass, low_pass : Filter or None
        Filters of the signal in which spikes were detected.
    dtype : numpy.dtype
        Of one waveform sample.
    n_points : int
        Samples of a waveform that one packet holds.
    header_points : int
        Samples of a waveform by the header; 0 where it has no number.
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
    header_points: int
    stim_v_per_bit: float | None

    def __repr__(self) -> str:
        label, scale = f" {self.label!r}" if self.label else "", scale_text(self.uv_per_bit)
        return f"Electrode({self.electrode_id}{label}, {scale}, {self.n_points} points a waveform)"


def describe_electrodes(
    version: tables.NevVersion, basic: Mapping[str, Any], headers: ExtendedHeaders, damage: list[Damage]
) -> dict[int, Electrode]:
    """Electrodes by id, each with the fields of all its headers."""
    waveforms, labels, filters = (
        {header["electrode_id"]: header for header in headers[name]} for name in (b"NEUEVWAV", b"NEUEVLBL", b"NEUEVFLT")
    )
    waveform_bytes = basic["packet_bytes"] - version.packets["spike"].offsets["waveform"]
    electrodes = {}
    for electrode_id in waveforms | labels | filters:
        waveform, stages = waveforms.get(electrode_id, {}), filters.get(electrode_id)
        dtype, header_points = _sample_dtype(waveform, basic["flags"], damage), waveform.get("n_points", 0)
        uv_per_bit = microvolts_per_bit(waveform.get("nv_per_bit", 0))
        uv_per_threshold = 1.0 if version.thresholds_in_uv else uv_per_bit
        electrodes[electrode_id] = Electrode(
            electrode_id=electrode_id,
            label=decode_text(labels.get(electrode_id, {}).get("label", b"")),
            bank=bank_number(waveform["bank"]) if waveform else None,
            uv_per_bit=uv_per_bit,
            high_threshold_uv=waveform.get("high_threshold", nan) * uv_per_threshold,
            low_threshold_uv=waveform.get("low_threshold", nan) * uv_per_threshold,
            high_pass=read_filter(stages, "high_pass") if stages else None,
            low_pass=read_filter(stages, "low_pass") if stages else None,
            dtype=dtype,
            n_points=points_that_fit(dtype, header_points, waveform_bytes),
            header_points=header_points,
            **{name: waveform.get(name) for name in _AS_WRITTEN},
        )
    return electrodes


def points_that_fit(dtype: np.dtype[Any], header_points: int, waveform_bytes: int) -> int:
    """Samples of a waveform that takes up to `waveform_bytes`: the header's number, or the most that fit."""
    capacity = max(0, waveform_bytes) // dtype.itemsize
    return header_points if 0 < header_points <= capacity else capacity


def _sample_dtype(waveform: Mapping[str, Any], flags: int, damage: list[Damage]) -> np.dtype[Any]:
    sample_bytes = 2 if flags & tables.FLAG_ALL_16_BIT else waveform.get("sample_bytes", 2)
    if sample_bytes not in tables.SAMPLE_CODES:
        wanted = ", ".join(map(str, tables.SAMPLE_CODES))
        message = f"expected {wanted} bytes per waveform sample, found {sample_bytes}; read as 2"
        damage.append(Damage("waveform-type", waveform["offset"], message))
    return np.dtype(tables.SAMPLE_CODES.get(sample_bytes, tables.SAMPLE_16_BIT))
