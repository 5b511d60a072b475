# SPDX-License-Identifier: MIT
"""Writes an array as a new NSx."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isclose, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import Progress
from ...format import tables
from ...format.channel import Channel, Filter
from ...format.dates import systemtime_of_date
from ...format.numbers import repeated
from ...format.text import ranges_text
from ...nsx.blocks import block_header
from ...traces.packing import BUFFER_BYTES, Batch
from ...traces.traces import Traces
from .file_plan import FilePlan, NsxReport, write_file

_VERSIONS = {
    version.name: (key, version) for key, version in tables.NSX_VERSIONS.items() if version.name in tables.NSX_WRITABLE
}
_FILTER_NUMBERS = {kind: number for number, kind in tables.FILTER_TYPES.items() if number}
_U8, _U16, _U32, _I16 = range(1 << 8), range(1 << 16), range(1 << 32), range(-(1 << 15), 1 << 15)
_MHZ_PER_HZ = 1000
_SAME_RATE = 1e-7  # the relative error of a rate that was written with eight digits


@dataclass(frozen=True)
class NewChannel:
    """A channel of a new file. The `Channel` of an open file can be used too.

    Parameters
    ----------
    electrode_id : int
        1 to 65535.
    label : str
        Up to 16 bytes of code page 1252.
    units : str
        Of `analog_range`: ``uV``, ``mV``, ``V`` or another, up to 16 bytes.
    digital_range, analog_range : (int, int)
        The two ends of the linear scale, raw and in `units`: integers from -32768 to 32767. The defaults are 0.25 µV
        per bit.
    bank, pin : int
        Connector and pin, from 1; 0 for none.
    high_pass, low_pass : Filter, optional
        Filters of the samples: corner in Hz (kept to a thousandth), order, ``butterworth`` or ``chebyshev``.
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


def create_nsx(
    samples: Any,
    path: str | os.PathLike[str],
    channels: Sequence[NewChannel | Channel] | None = None,
    *,
    sampling_rate: float | None = None,
    spec: str = "2.3",
    tick_rate: int = 30_000,
    start_tick: int = 0,
    time_origin: datetime | None = None,
    label: str = "",
    comment: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> NsxReport:
    """Write an array as a new NSx.

    Parameters
    ----------
    samples : array
        int16, ``(n_samples, n_channels)``: a numpy array, or anything whose slices are arrays, such as a memmap or
        `Traces`.
    path : str or os.PathLike
        The file to write.
    channels : sequence of NewChannel or Channel
        One for each column; of traces by default their own.
    sampling_rate : float
        Hz: 30000 divided by an integer; of traces by default their own.
    spec : str
        Version of the file specification: ``2.3``, or ``3.0`` for timestamps of 64 bits.
    tick_rate : int
        Timestamp ticks per second, Hz.
    start_tick : int
        Timestamp of the first sample.
    time_origin : datetime, optional
        With its time zone: the date of tick 0 in 2.3, and of the first sample in 3.0.
    label, comment : str
        Of the file: up to 16 and 256 bytes of code page 1252.
    overwrite, progress
        As in `write_nsx`.

    Returns
    -------
    NsxReport
        What was written.

    Raises
    ------
    ExportError
        If a file is in the way, or the disk is full.
    TypeError, ValueError
        If an NSx cannot hold this: a number or a text does not fit its field, samples are not int16, an electrode id
        comes twice.

    Notes
    -----
    Blackrock LB-0023 revision 7.00, "NSx".

    Examples
    --------
    >>> import numpy as np
    >>> import nevparse as nv
    >>> channels = [nv.NewChannel(1, "left"), nv.NewChannel(2, "right")]
    >>> report = nv.create_nsx(np.zeros((100, 2), np.int16), "new.ns2", channels, sampling_rate=1000)
    >>> report.n_samples, report.n_channels
    (100, 2)
    """
    if spec not in _VERSIONS:
        raise ValueError(f"expected spec to be {' or '.join(_VERSIONS)}, found {spec!r}")
    if time_origin is not None and time_origin.tzinfo is None:
        raise ValueError(f"time_origin: expected a time with its zone (such as timezone.utc), found {time_origin}")
    if isinstance(comment, str) and tables.RIPPLE_APPLICATION.match(comment.encode("cp1252", "replace")):
        raise ValueError(f"comment: expected none that begins as Ripple's files do, found {comment!r}")
    if isinstance(samples, Traces):
        channels = samples.channels if channels is None else channels
        sampling_rate = samples.sampling_rate if sampling_rate is None else sampling_rate
    if channels is None or sampling_rate is None:
        raise TypeError("expected channels and sampling_rate, which only traces have themselves")
    (magic, (major, minor)), version = _VERSIONS[spec]
    block = version.block
    assert block is not None
    n_samples, n_channels = _shape(samples, len(channels))
    headers, period = [_channel_header(version, *pair) for pair in enumerate(channels)], _period(sampling_rate)
    if twice := repeated(channel.electrode_id for channel in channels):
        raise ValueError(f"expected each electrode id once, found more of {ranges_text(twice)}")
    head = version.basic.with_values(
        bytes(version.basic.size),
        file_id=magic,
        major=major,
        minor=minor,
        header_bytes=version.basic.size + version.channel.size * n_channels,
        label=version.basic.encode_text("label", label, "label"),
        comment=version.basic.encode_text("comment", comment, "comment"),
        period=period,
        tick_rate=_integer(tick_rate, _U32[1:], "tick_rate"),
        time_origin=_date(time_origin),
        n_channels=n_channels,
    )
    start_tick = _integer(start_tick, range(block.n_ticks), "start_tick")
    head += b"".join(headers) + block_header(block, start_tick, n_samples)
    n_bytes = len(head) + n_samples * n_channels * np.dtype(version.sample).itemsize
    plan = FilePlan(head, n_bytes, _sample_bytes(samples, n_samples, n_channels, version.sample))
    target = write_file(plan, {}, path, overwrite, progress, "NSx")
    return NsxReport(target, spec, n_samples, n_channels, tables.CLOCK_HZ / period, n_bytes)


def _shape(samples: Any, n_channels: int) -> tuple[int, int]:
    if not (hasattr(samples, "dtype") and hasattr(samples, "shape")):
        raise TypeError(f"expected samples as an array of int16, found {type(samples).__name__}")
    dtype = np.dtype(samples.dtype)
    if dtype.kind != "i" or dtype.itemsize != 2:
        raise TypeError(f"expected samples of int16, found {dtype}; scale and round them first")
    shape = tuple(int(n) for n in samples.shape)
    if len(shape) != 2 or shape[1] != n_channels:
        found = f"shape {shape} and {n_channels} descriptions"
        raise ValueError(f"expected samples (n_samples, n_channels) and a description of each channel, found {found}")
    if shape[0] not in _U32[1:] or shape[1] not in range(1, tables.MAX_CHANNELS):
        raise ValueError(f"expected 1 to {_U32[-1]} samples of 1 to {tables.MAX_CHANNELS - 1} channels, found {shape}")
    return shape[0], shape[1]


def _period(sampling_rate: float) -> int:
    """Ticks of the 30 kHz clock between samples."""
    sampling_rate = float(sampling_rate)
    is_possible = isfinite(sampling_rate) and sampling_rate * _U32[-1] >= 1
    period = round(tables.CLOCK_HZ / sampling_rate) if is_possible else 0
    if period not in _U32[1:] or not isclose(tables.CLOCK_HZ / period, sampling_rate, rel_tol=_SAME_RATE):
        expected = f"a rate of {tables.CLOCK_HZ} Hz divided by an integer"
        raise ValueError(f"sampling_rate: expected {expected} (30000, 10000, 2000, ...), found {sampling_rate:g}")
    return period


def _date(moment: datetime | None) -> tuple[int, ...]:
    try:
        return systemtime_of_date(moment)
    except OverflowError:
        raise ValueError(f"time_origin: expected a date of the years 1 to 9999 in UTC, found {moment}") from None


def _integer(value: Any, allowed: range, what: str) -> int:
    try:
        number = int(value) if isfinite(value) else allowed.stop  # `in` searches a range one by one for a float
    except (TypeError, OverflowError):
        raise ValueError(f"{what}: expected an integer from {allowed[0]} to {allowed[-1]}, found {value!r}") from None
    if number != value or number not in allowed:
        raise ValueError(f"{what}: expected an integer from {allowed[0]} to {allowed[-1]}, found {value}")
    return number


def _sample_bytes(samples: Any, n_samples: int, n_channels: int, code: str) -> Iterator[Batch]:
    step = max(1, BUFFER_BYTES // (n_channels * np.dtype(code).itemsize))
    for a in range(0, n_samples, step):
        part: NDArray[Any] = np.ascontiguousarray(samples[a : a + step], code)
        yield Batch.of_bytes(part.reshape(-1).view(np.uint8).data)


def _channel_header(version: tables.NsxVersion, column: int, channel: NewChannel | Channel) -> bytes:
    layout, where = version.channel, f"channel {column}"
    ranges: dict[str, int] = {}
    for name in ("digital", "analog"):
        low, high = (_integer(end, _I16, f"{where}, {name}_range") for end in getattr(channel, f"{name}_range"))
        if low == high:
            raise ValueError(f"{where}, {name}_range: expected two ends, found {low} for both")
        ranges |= {f"min_{name}": low, f"max_{name}": high}
    return layout.with_values(
        bytes(layout.size),
        type=version.channel_type,
        electrode_id=_integer(channel.electrode_id, _U16[1:], f"{where}, electrode_id"),
        label=layout.encode_text("label", channel.label, f"{where}, label"),
        bank=_integer(channel.bank, _U8, f"{where}, bank"),
        pin=_integer(channel.pin, _U8, f"{where}, pin"),
        units=layout.encode_text("units", channel.units, f"{where}, units"),
        **ranges,
        **_filter_fields("high_pass", channel.high_pass, where),
        **_filter_fields("low_pass", channel.low_pass, where),
    )


def _corner_mhz(corner_hz: float, where: str) -> int:
    """A corner in mHz; the ends of what 32 bits hold would be read as no filter."""
    corner_mhz = corner_hz * _MHZ_PER_HZ
    return _integer(round(corner_mhz) if isfinite(corner_mhz) else corner_mhz, _U32[1:-1], f"{where}, corner in mHz")


def _filter_fields(name: str, stage: Filter | None, where: str) -> dict[str, int]:
    if stage is None:
        return {}
    where = f"{where}, {name}"
    number = _FILTER_NUMBERS.get(stage.kind, stage.kind)
    if isinstance(number, str) and not number.isdecimal():
        raise ValueError(f"{where}: expected a kind among {', '.join(_FILTER_NUMBERS)}, found {stage.kind!r}")
    return {
        f"{name}_mhz": _corner_mhz(stage.corner_hz, where),
        f"{name}_order": _integer(stage.order, _U32[1:], f"{where}, order"),
        f"{name}_type": _integer(int(number), _U16[1:], f"{where}, kind"),
    }
