# SPDX-License-Identifier: MIT
"""The headers of an NSx or NFx file: where its data starts, its clock, and what its channels are."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..errors import Damage, FormatError
from ..format import tables
from ..format.channel import MICROVOLTS, Channel, bank_number, channel_kind, read_filter, scale_uv
from ..format.text import decode_text, unit_name
from ..source.base import Source


class NsxHeaders(NamedTuple):
    """What the headers say about the data that follows them."""

    source: Source
    version: tables.NsxVersion
    start: int  # byte where the data begins
    dtype: np.dtype[Any]
    n_channels: int
    clock: Clock
    digest: bytes  # by which these headers differ from others
    damage: tuple[Damage, ...]  # met in the headers

    @property
    def row_bytes(self) -> int:
        """Of one sample of every channel."""
        return self.n_channels * self.dtype.itemsize


def count_channels(source: Source, version: tables.NsxVersion, header: Mapping[str, Any], damage: list[Damage]) -> int:
    """The number of channels in the header, once the file is known to be large enough for their headers."""
    n_channels, offset = int(header["n_channels"]), version.basic.offsets["n_channels"]
    max_channels = min((source.size - version.basic.size) // version.channel.size, tables.MAX_CHANNELS)
    if n_channels > max_channels:
        n_read = f"{n_channels} channels in a file of {source.size} bytes"
        raise FormatError(f"at most {max_channels} channels", n_read, path=source.path, offset=offset)
    if n_channels == 0:
        damage.append(Damage("no-channels", offset, "expected at least one channel, found 0 and thus no samples"))
    return n_channels


def data_start(source: Source, header_bytes: int, min_bytes: int, damage: list[Damage]) -> int:
    """Where the data begins: at `header_bytes` if the file can hold that, else right after the channel headers."""
    if min_bytes <= header_bytes <= source.size:
        return header_bytes
    message = f"expected headers of {min_bytes} to {source.size} bytes, found {header_bytes}; read from {min_bytes} on"
    damage.append(Damage("header-size", tables.NSX_BASIC_22.offsets["header_bytes"], message))
    return min_bytes


def read_period(source: Source, version: tables.NsxVersion, header: Mapping[str, Any]) -> int:
    """Ticks of the 30 kHz clock from one sample to the next."""
    period, offset = int(header["period"]), version.basic.offsets["period"]
    if period == 0:
        raise FormatError("a sampling period of 1 or more", "0", path=source.path, offset=offset)
    return period


def check_channel_types(version: tables.NsxVersion, headers: NDArray[np.void], damage: list[Damage]) -> None:
    """Note the first channel header that does not start as all must."""
    expected = version.channel_type
    if expected is None or headers.size == 0:
        return
    wrong = np.flatnonzero(headers["type"].view(f"S{len(expected)}") != expected)
    if wrong.size:
        column = int(wrong[0])
        type_bytes = headers["type"][column].tobytes()
        message = f"expected channel header {column} to start with {expected!r}, found {type_bytes!r}"
        damage.append(Damage("channel-header", version.basic.size + column * version.channel.size, message))


def describe_channels(
    version: tables.NsxVersion, headers: NDArray[np.void], uv_per_bit: Mapping[int, float]
) -> tuple[Channel, ...]:
    """What each column is; `uv_per_bit`, by electrode id, is for versions whose headers have no scale."""
    if "units" in version.channel.offsets:
        names = headers.dtype.names or ()
        rows = [dict(zip(names, row, strict=True)) for row in headers.tolist()]  # Python's own values, all at once
        return tuple(_read_channel(version, column, fields) for column, fields in enumerate(rows))
    channels = []
    for column, (electrode_id,) in enumerate(headers.tolist()):
        kind, scale = channel_kind(version.vendor, electrode_id, 0, ""), uv_per_bit.get(electrode_id, nan)
        channels.append(Channel(column, electrode_id, kind, uv_per_bit=scale, uv_offset=scale * 0))
    return tuple(channels)


def _read_channel(version: tables.NsxVersion, column: int, fields: Mapping[str, Any]) -> Channel:
    electrode_id, bank, units = fields["electrode_id"], bank_number(fields["bank"]), unit_name(fields["units"])
    analog = float(fields["min_analog"]), float(fields["max_analog"])
    if "min_digital" in version.channel.offsets:
        digital = float(fields["min_digital"]), float(fields["max_digital"])
        uv_per_bit, uv_offset = scale_uv(digital, analog, units)
    else:  # floating-point samples are in their unit already
        digital, uv_per_bit, uv_offset = (nan, nan), MICROVOLTS.get(units, nan), 0.0
    return Channel(
        index=column,
        electrode_id=electrode_id,
        kind=channel_kind(version.vendor, electrode_id, bank, units, digital[1]),
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
