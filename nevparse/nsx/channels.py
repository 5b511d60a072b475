# SPDX-License-Identifier: MIT
"""What each column of the samples is, and how columns are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Damage, FormatError
from ..format import tables
from ..format.channel import MICROVOLTS, Channel, channel_kind, read_filter, scale_uv
from ..format.text import decode_text, unit_name
from ..source.base import Source

_LETTER_A = ord("A")


def checked_channels(source: Source, found: tables.NsxVersion, header: Mapping[str, Any], damage: list[Damage]) -> int:
    """How many channels an NSx says it has, once the file is seen to be large enough for their headers."""
    n_channels, at = int(header["n_channels"]), found.basic.offsets["n_channels"]
    room = min((source.size - found.basic.size) // found.channel.size, tables.MAX_CHANNELS)
    if n_channels > room:
        found_text = f"{n_channels} channels in a file of {source.size} bytes"
        raise FormatError(f"at most {room} channels", found_text, path=source.path, offset=at)
    if n_channels == 0:
        damage.append(Damage("no-channels", at, "expected at least one channel, found 0; there are no samples"))
    return n_channels


def channels_of(
    found: tables.NsxVersion, headers: NDArray[np.void], factors: Mapping[int, float]
) -> tuple[Channel, ...]:
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


def _bare(found: tables.NsxVersion, index: int, fields: Mapping[str, Any], factors: Mapping[int, float]) -> Channel:
    electrode_id = fields["electrode_id"]
    uv_per_bit = factors.get(electrode_id, nan)
    kind = channel_kind(found.vendor, electrode_id, 0, "")
    return Channel(index, electrode_id, kind, uv_per_bit=uv_per_bit, uv_offset=uv_per_bit * 0)


def _scaled(found: tables.NsxVersion, index: int, fields: Mapping[str, Any], _: Mapping[int, float]) -> Channel:
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
        label=decode_text(fields["label"]),
        bank=bank,
        pin=fields["pin"],
        units=units,
        digital_range=digital,
        analog_range=analog,
        uv_per_bit=uv_per_bit,
        uv_offset=uv_offset,
        high_pass=read_filter(fields, "high_pass"),
        low_pass=read_filter(fields, "low_pass"),
    )
