# SPDX-License-Identifier: MIT
"""What a channel is: its name, scale and filters, as every family of headers describes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, isnan, nan
from typing import Any, NamedTuple

import numpy as np

from ..errors import Damage, UnknownScale, warn, warn_of_damage
from ..source.objects import open_source
from . import tables
from .header import read_basic_header, read_extended_headers
from .text import ranges_text

MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}


def scale_uv(digital: tuple[float, float], analog: tuple[float, float], units: str) -> tuple[float, float]:
    """Microvolts per bit, and microvolts of a raw zero, from the two ends of a linear range, raw and in `units`.

    NaN where the range is empty or the unit is not a voltage.
    """
    if digital[0] == digital[1]:
        return nan, nan
    uv_per_unit = MICROVOLTS.get(units, nan)
    per_bit = (analog[1] - analog[0]) / (digital[1] - digital[0])
    return per_bit * uv_per_unit, (analog[0] - digital[0] * per_bit) * uv_per_unit


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


def scale_text(uv_per_bit: float) -> str:
    """A scale as a person reads it."""
    return f"{uv_per_bit:.6g} µV per bit" if isfinite(uv_per_bit) else "no scale in µV"


def warn_of_unknown_scale(path: str, uv_per_bit: Iterable[tuple[int, float]], what_follows: str) -> None:
    """Warn of the electrodes, among ids and their scales, that have none."""
    if unknown := [electrode_id for electrode_id, scale in uv_per_bit if isnan(scale)]:
        warn(f"{path}: no scale in microvolts for electrodes {ranges_text(unknown)}{what_follows}", UnknownScale)


def bank_number(bank: int) -> int:
    """The number of a bank, which some tools write as a letter."""
    return tables.BANK_LETTERS.index(bank) + 1 if bank in tables.BANK_LETTERS else bank


def microvolts_per_bit(nv_per_bit: int) -> float:
    """A NEV's digitisation factor in µV; NaN where it has none, corrected where it overflowed its 16 bits."""
    if nv_per_bit == tables.NV_PER_BIT_OVERFLOW:
        return tables.NV_PER_BIT_CORRECTED / 1000
    return nv_per_bit / 1000 if nv_per_bit else nan


def uv_per_bit_by_electrode(nev: Any) -> dict[int, float]:
    """µV per bit by electrode id, from a `NevFile`, a mapping, None, or a NEV that is opened for its headers alone."""
    if nev is None or isinstance(nev, Mapping):
        return dict(nev or {})
    if hasattr(nev, "electrodes"):
        return {electrode.electrode_id: electrode.uv_per_bit for electrode in nev.electrodes.values()}
    with closing(open_source(nev)) as source:
        damage: list[Damage] = []
        version, header = read_basic_header(source, tables.NEV_VERSIONS, damage)
        warn_of_damage(source.path, damage)
        raw = read_extended_headers(source, version, header)
    rows = np.frombuffer(raw, version.extended[b"NEUEVWAV"].dtype())
    rows = rows[rows["id"].view("S8") == b"NEUEVWAV"]
    return {int(row["electrode_id"]): microvolts_per_bit(int(row["nv_per_bit"])) for row in rows}


def read_filter(fields: Any, name: str) -> Filter | None:
    """The filter called `name` (``high_pass`` or ``low_pass``) of a channel's header; None where it has none."""
    return _filter(fields[f"{name}_mhz"], fields[f"{name}_order"], fields[f"{name}_type"])


@lru_cache(maxsize=64)  # nearly all channels have the same
def _filter(corner_mhz: int, order: int, kind: int) -> Filter | None:
    if corner_mhz in (0, tables.NO_CORNER) or order == 0 or kind == 0:
        return None
    return Filter(corner_mhz / 1000, order, tables.FILTER_TYPES.get(kind, str(kind)))


@dataclass(frozen=True, repr=False)
class Channel:
    """One column of the samples.

    Parameters
    ----------
    index : int
        The column.
    electrode_id : int
        Electrode id, as in the file's headers; the same in the NEV of the recording.
    kind : str
        ``neural``, ``analog`` (an analog input) or ``other``.
    label : str
        The name given in the recording software; NSx 2.1 has none.
    bank, pin : int
        Connector and pin, from 1; 0 where the file does not say.
    units : str
        The unit of the analog range: ``uV``, ``mV``, ``V``, ``nV``, another, or empty.
    digital_range, analog_range : (float, float)
        The two ends of the linear scale, raw and in `units`; NaN where the file has none.
    uv_per_bit, uv_offset : float
        ``uv = raw * uv_per_bit + uv_offset``; NaN where the file gives no voltage.
    high_pass, low_pass : Filter or None
        What the samples went through before they were recorded.
    """

    index: int
    electrode_id: int
    kind: str
    label: str = ""
    bank: int = 0
    pin: int = 0
    units: str = ""
    digital_range: tuple[float, float] = (nan, nan)
    analog_range: tuple[float, float] = (nan, nan)
    uv_per_bit: float = nan
    uv_offset: float = nan
    high_pass: Filter | None = None
    low_pass: Filter | None = None

    def __repr__(self) -> str:
        label, scale = f" {self.label!r}" if self.label else "", scale_text(self.uv_per_bit)
        return f"Channel({self.index}: electrode {self.electrode_id}{label}, {self.kind}, {scale})"


def channel_kind(vendor: str, electrode_id: int, bank: int, units: str, max_digital: float = nan) -> str:
    """Tell electrodes from analog inputs: by unit where the vendor's units decide it, else by id and bank.

    An analog input that was set to microvolts has its own id and bank, and the digital range of no electrode.
    """
    is_input = any(electrode_id in ids and bank in (0, usual) for ids, usual in tables.ANALOG_IDS[vendor])
    if is_input and max_digital == tables.MAX_DIGITAL_OF_INPUTS:
        return "analog"
    if units in tables.KIND_BY_UNIT[vendor]:
        return tables.KIND_BY_UNIT[vendor][units]
    if electrode_id in tables.NEURAL_IDS[vendor]:
        return "neural"
    return "analog" if is_input else "other"
