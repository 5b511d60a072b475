# SPDX-License-Identifier: MIT
"""What each column of the samples is, and how columns are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import spec
from ._headers import Damage, Filter, filter_of
from ._source import Source
from ._units import MICROVOLTS, ranges_text, scale_uv, text, unit_name, visible
from .errors import FormatError

_LETTER_A = ord("A")

Columns = slice | NDArray[np.intp]


@dataclass(frozen=True)
class Channel:
    """One column of the samples.

    Parameters
    ----------
    index : int
        The column.
    electrode_id : int
        The vendor's number, the same in the NEV of the recording.
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


def checked_channels(source: Source, found: spec.NsxSpec, header: Mapping[str, Any], damage: list[Damage]) -> int:
    """How many channels an NSx says it has, once the file is seen to be large enough for their headers."""
    n_channels, at = int(header["n_channels"]), found.basic.offsets["n_channels"]
    room = min((source.size - found.basic.size) // found.channel.size, spec.MAX_CHANNELS)
    if n_channels > room:
        found_text = f"{n_channels} channels in a file of {source.size} bytes"
        raise FormatError(f"at most {room} channels", found_text, path=source.path, offset=at)
    if n_channels == 0:
        damage.append(Damage("no-channels", at, "expected at least one channel, found 0; there are no samples"))
    return n_channels


def channels_of(found: spec.NsxSpec, headers: NDArray[np.void], factors: Mapping[int, float]) -> tuple[Channel, ...]:
    """Describe every column from the channel headers of a file.

    Parameters
    ----------
    found : NsxSpec
        The file's version.
    headers : numpy.ndarray
        Its channel headers, in the dtype of ``found.channel``.
    factors : mapping of int to float
        µV per bit by electrode id, for versions whose headers have no scale.
    """
    make = _scaled if "units" in found.channel.offsets else _bare
    names = headers.dtype.names or ()
    rows = (dict(zip(names, row, strict=True)) for row in headers.tolist())  # Python's own values, all at once
    return tuple(make(found, k, fields, factors) for k, fields in enumerate(rows))


def _bare(found: spec.NsxSpec, index: int, fields: Mapping[str, Any], factors: Mapping[int, float]) -> Channel:
    electrode_id = fields["electrode_id"]
    uv_per_bit = factors.get(electrode_id, nan)
    kind = channel_kind(found.vendor, electrode_id, 0, "")
    return Channel(index, electrode_id, kind, uv_per_bit=uv_per_bit, uv_offset=uv_per_bit * 0)


def _scaled(found: spec.NsxSpec, index: int, fields: Mapping[str, Any], _: Mapping[int, float]) -> Channel:
    electrode_id, bank, units = fields["electrode_id"], fields["bank"], unit_name(fields["units"])
    if bank >= _LETTER_A:  # files that some tools saved again have the letter
        bank -= _LETTER_A - 1
    analog = float(fields["min_analog"]), float(fields["max_analog"])
    if "min_digital" in found.channel.offsets:
        digital = float(fields["min_digital"]), float(fields["max_digital"])
        uv_per_bit, uv_offset = scale_uv(digital, analog, units)
    else:  # floating-point samples are in their unit already
        digital, uv_per_bit, uv_offset = (nan, nan), MICROVOLTS.get(units, nan), 0.0
    return Channel(
        index=index,
        electrode_id=electrode_id,
        kind=channel_kind(found.vendor, electrode_id, bank, units),
        label=text(fields["label"]),
        bank=bank,
        pin=fields["pin"],
        units=units,
        digital_range=digital,
        analog_range=analog,
        uv_per_bit=uv_per_bit,
        uv_offset=uv_offset,
        high_pass=filter_of(fields, "high_pass"),
        low_pass=filter_of(fields, "low_pass"),
    )


def channel_kind(vendor: str, electrode_id: int, bank: int, units: str) -> str:
    """Tell electrodes from analog inputs: by unit where the vendor's units tell, else by id and bank."""
    by_unit = spec.KIND_BY_UNIT[vendor].get(units)
    if by_unit is not None:
        return by_unit
    if electrode_id in spec.NEURAL_IDS[vendor]:
        return "neural"
    if any(electrode_id in ids and bank in (0, usual) for ids, usual in spec.ANALOG_IDS[vendor]):
        return "analog"
    return "other"


def choose(
    every: Sequence[Channel],
    channels: slice | Iterable[int] | None = None,
    electrodes: Iterable[int] | None = None,
    labels: str | Iterable[str] | None = None,
    kind: str | None = None,
) -> NDArray[np.intp]:
    """Columns that a request names, in its order: what `NsxFile.columns` does with all channels of a file."""
    ways = {"channels": channels, "electrodes": electrodes, "labels": labels, "kind": kind}
    used = [way for way, value in ways.items() if value is not None]
    if len(used) > 1:
        raise ValueError(f"expected one way to choose columns, found {' and '.join(used)}")
    if electrodes is not None:
        return _by_electrode(every, electrodes)
    if labels is not None:
        return _by_label(every, [labels] if isinstance(labels, str) else labels)
    if kind is not None:
        return _by_kind(every, kind)
    return _by_column(len(every), slice(None) if channels is None else channels)


def _by_column(n_channels: int, wanted: slice | Iterable[int]) -> NDArray[np.intp]:
    every: NDArray[np.intp] = np.arange(n_channels)
    if isinstance(wanted, slice):
        return every[wanted]
    columns = np.asarray(list(wanted))
    if columns.size == 0:
        return every[:0]
    if columns.dtype.kind not in "biu" or (columns.dtype == bool and columns.size != n_channels):
        raise ValueError(f"expected columns as integers or a mask of {n_channels}, found {columns.dtype}")
    try:
        chosen: NDArray[np.intp] = every[columns]
        return chosen
    except IndexError:
        raise ValueError(f"expected columns 0 to {n_channels - 1}, found {columns.tolist()}") from None


def _by_electrode(every: Sequence[Channel], wanted: Iterable[int]) -> NDArray[np.intp]:
    home: dict[int, list[int]] = {}
    for channel in every:
        home.setdefault(channel.electrode_id, []).append(channel.index)
    ids = [int(electrode_id) for electrode_id in wanted]
    absent = sorted({electrode_id for electrode_id in ids if electrode_id not in home})
    if absent:
        raise KeyError(f"no electrode {ranges_text(absent)}; there are electrodes {ranges_text(sorted(home))}")
    for electrode_id in ids:
        if len(home[electrode_id]) > 1:
            raise ValueError(f"electrode {electrode_id} is in columns {home[electrode_id]}: choose one with channels=")
    return np.array([home[electrode_id][0] for electrode_id in ids], np.intp)


def _by_label(every: Sequence[Channel], wanted: Iterable[str]) -> NDArray[np.intp]:
    columns: list[int] = []
    for pattern in wanted:
        found = [channel.index for channel in every if channel.label == pattern]
        if len(found) > 1:
            raise ValueError(f"label {pattern!r} is in columns {found}: choose one with channels=")
        found = found or [channel.index for channel in every if fnmatchcase(channel.label, pattern)]
        if not found:
            labels = ", ".join(visible(channel.label) for channel in every)
            raise KeyError(f"no label {pattern!r}; there are labels {labels}")
        columns += [column for column in found if column not in columns]
    return np.array(columns, np.intp)


def _by_kind(every: Sequence[Channel], kind: str) -> NDArray[np.intp]:
    columns = [channel.index for channel in every if channel.kind == kind]
    if not columns:
        there = {channel.kind for channel in every}
        raise KeyError(f"no {kind} channels; there are {', '.join(sorted(there)) or 'no'} channels")
    return np.array(columns, np.intp)


def compact(columns: NDArray[np.intp]) -> Columns:
    """The same columns as a slice where they lie evenly, so that taking them needs no copy."""
    if columns.size == 0:
        return slice(0, 0)
    step = int(columns[1] - columns[0]) if columns.size > 1 else 1
    if step < 1 or (np.diff(columns) != step).any():
        return columns
    return slice(int(columns[0]), int(columns[-1]) + 1, step)
