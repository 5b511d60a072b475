# SPDX-License-Identifier: MIT
"""A new NSx from an array, and from what is known of its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isclose, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...format import tables
from ...format.channel import Channel, Filter
from ...format.dates import systemtime_of_date
from ...format.text import ranges_text
from ...nsx.blocks import block_header
from ...traces.packing import BUFFER_BYTES
from .planned import FilePlan

_VERSIONS = {
    found.name: (key, found) for key, found in tables.NSX_VERSIONS.items() if found.name in tables.NSX_WRITABLE
}
_FILTER_NUMBERS = {kind: number for number, kind in tables.FILTER_TYPES.items()}
_U8, _U16, _U32, _I16 = range(1 << 8), range(1 << 16), range(1 << 32), range(-(1 << 15), 1 << 15)
_MHZ_PER_HZ = 1000
_SAME_RATE = 1e-7  # as near as a rate is that somebody wrote down with eight digits


@dataclass(frozen=True)
class NewChannel:
    """What a column of a new file is; the `Channel` of an open file will do as well.

    Parameters
    ----------
    electrode_id : int
        1 to 65535.
    label : str
        Up to 16 bytes of code page 1252.
    units : str
        Of `analog_range`: ``uV``, ``mV``, ``V`` or another, up to 16 bytes.
    digital_range, analog_range : (int, int)
        The two ends of the linear scale, raw and in `units`: whole numbers from -32768 to 32767. What is given here is
        0.25 µV per bit.
    bank, pin : int
        Connector and pin, from 1; 0 where there is none.
    high_pass, low_pass : Filter, optional
        What the samples went through: corner in Hz (kept to a thousandth), order, ``butterworth`` or ``chebyshev``.
    """

    electrode_id: int
    label: str = ""
    units: str = "uV"
    digital_range: tuple[float, float] = (-32764, 32764)
    analog_range: tuple[float, float] = (-8191, 8191)
    bank: int = 0
    pin: int = 0
    high_pass: Filter | None = None
    low_pass: Filter | None = None


DescribedChannel = NewChannel | Channel


@dataclass(frozen=True)
class NewNsx:
    """What a caller of `create_nsx` asked for."""

    samples: Any
    channels: Sequence[DescribedChannel]
    sampling_rate: float
    spec: str
    tick_rate: int
    start_tick: int
    time_origin: datetime | None
    label: str
    comment: str


def plan_new_nsx(asked: NewNsx) -> FilePlan:
    """Decide on the file that holds an array.

    Raises
    ------
    TypeError, ValueError
        Where an NSx cannot hold what is asked for.
    """
    if asked.spec not in _VERSIONS:
        raise ValueError(f"expected spec to be {' or '.join(_VERSIONS)}, found {asked.spec!r}")
    (magic, (major, minor)), found = _VERSIONS[asked.spec]
    layout, width = found.block, found.channel.size
    assert layout is not None
    n_samples, n_channels = _shape(asked)
    channels = _channel_headers(found, asked.channels)
    head = found.basic.with_values(
        bytes(found.basic.size),
        file_id=magic,
        major=major,
        minor=minor,
        header_bytes=found.basic.size + width * n_channels,
        label=found.basic.encode_text("label", asked.label, "label"),
        comment=found.basic.encode_text("comment", asked.comment, "comment"),
        period=period_of(asked.sampling_rate),
        tick_rate=_whole(asked.tick_rate, _U32[1:], "tick_rate"),
        time_origin=systemtime_of_date(_with_zone(asked.time_origin)),
        n_channels=n_channels,
    )
    start_tick = _whole(asked.start_tick, range(layout.n_ticks), "start_tick")
    head += b"".join(channels) + block_header(layout, start_tick, n_samples)
    n_bytes = len(head) + n_samples * n_channels * np.dtype(found.sample).itemsize
    return FilePlan(head, n_bytes, _rows(asked.samples, n_samples, n_channels, found.sample))


def _shape(asked: NewNsx) -> tuple[int, int]:
    dtype = np.dtype(asked.samples.dtype)
    if dtype.kind != "i" or dtype.itemsize != 2:
        raise TypeError(f"expected samples of int16, found {dtype}; scale and round them first")
    shape = tuple(int(n) for n in asked.samples.shape)
    if len(shape) != 2 or shape[1] != len(asked.channels):
        found = f"shape {shape} and {len(asked.channels)} descriptions"
        raise ValueError(f"expected samples (n_samples, n_channels) and a description of each channel, found {found}")
    if shape[0] not in _U32[1:] or shape[1] not in range(1, tables.MAX_CHANNELS):
        raise ValueError(f"expected 1 to {_U32[-1]} samples of 1 to {tables.MAX_CHANNELS - 1} channels, found {shape}")
    return shape[0], shape[1]


def period_of(sampling_rate: float) -> int:
    """Ticks of the 30 kHz clock between samples."""
    period = round(tables.CLOCK_HZ / sampling_rate) if sampling_rate > 0 else 0
    if period not in _U32[1:] or not isclose(tables.CLOCK_HZ / period, sampling_rate, rel_tol=_SAME_RATE):
        expected = f"a rate of {tables.CLOCK_HZ} Hz divided by a whole number"
        raise ValueError(f"sampling_rate: expected {expected} (30000, 10000, 2000, ...), found {sampling_rate:g}")
    return period


def _with_zone(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"time_origin: expected a time with its zone (such as timezone.utc), found {moment}")
    return moment


def _whole(value: Any, allowed: range, what: str) -> int:
    number = int(value) if isfinite(value) else allowed.stop  # a range is searched one by one for what is no plain int
    if number != value or number not in allowed:
        raise ValueError(f"{what}: expected a whole number from {allowed[0]} to {allowed[-1]}, found {value}")
    return number


def _rows(samples: Any, n_samples: int, n_channels: int, code: str) -> Iterator[memoryview]:
    step = max(1, BUFFER_BYTES // (n_channels * np.dtype(code).itemsize))
    for a in range(0, n_samples, step):
        part: NDArray[Any] = np.ascontiguousarray(samples[a : a + step], code)
        yield part.reshape(-1).view(np.uint8).data


# ---------------------------------------------------------------------------------------------------- channels
def _channel_headers(found: tables.NsxVersion, channels: Iterable[DescribedChannel]) -> list[bytes]:
    headers = [_channel_header(found, column, channel) for column, channel in enumerate(channels)]
    counts = Counter(channel.electrode_id for channel in channels)
    twice = sorted(number for number, count in counts.items() if count > 1)
    if twice:
        raise ValueError(f"expected each electrode id once, found more of {ranges_text(twice)}")
    return headers


def _channel_header(found: tables.NsxVersion, column: int, channel: DescribedChannel) -> bytes:
    layout, where = found.channel, f"channel {column}"
    ranges: dict[str, int] = {}
    for name in ("digital", "analog"):
        ends = getattr(channel, f"{name}_range")
        low, high = (_whole(end, _I16, f"{where}, {name}_range") for end in ends)
        if low == high:
            raise ValueError(f"{where}, {name}_range: expected two ends, found {low} for both")
        ranges |= {f"min_{name}": low, f"max_{name}": high}
    return layout.with_values(
        bytes(layout.size),
        type=found.channel_type,
        electrode_id=_whole(channel.electrode_id, _U16[1:], f"{where}, electrode_id"),
        label=layout.encode_text("label", channel.label, f"{where}, label"),
        bank=_whole(channel.bank, _U8, f"{where}, bank"),
        pin=_whole(channel.pin, _U8, f"{where}, pin"),
        units=layout.encode_text("units", channel.units, f"{where}, units"),
        **ranges,
        **_filter_fields("high_pass", channel.high_pass, where),
        **_filter_fields("low_pass", channel.low_pass, where),
    )


def _filter_fields(name: str, stage: Filter | None, where: str) -> dict[str, int]:
    if stage is None:
        return {}
    where = f"{where}, {name}"
    number = _FILTER_NUMBERS.get(stage.kind, stage.kind)
    if isinstance(number, str) and not number.isdecimal():
        raise ValueError(f"{where}: expected a kind among {', '.join(_FILTER_NUMBERS)}, found {stage.kind!r}")
    return {
        f"{name}_mhz": _whole(round(stage.corner_hz * _MHZ_PER_HZ), _U32, f"{where}, corner in mHz"),
        f"{name}_order": _whole(stage.order, _U32, f"{where}, order"),
        f"{name}_type": _whole(int(number), _U16, f"{where}, kind"),
    }
