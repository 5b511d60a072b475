# SPDX-License-Identifier: MIT
"""NSx files built byte by byte from the documents; nothing here knows nevparse.

Offsets, sizes and legal values are Blackrock's LB-0023 rev 7.00 and Ripple's R01838 rev 07, written out once more:
a mistake in the package's own tables must not hide behind the same mistake here.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Block = tuple[int, Any]  # tick of the first sample, samples (n, n_channels)

KINDS = ("2.1", "2.2", "2.3", "3.0", "ptp", "ripple", "nfx")  # every framing and header there is
BLOCK_KINDS = ("2.2", "2.3", "3.0", "ripple", "nfx")  # whose samples stand in blocks
MAGIC = {"2.1": b"NEURALSG", "3.0": b"BRSMPGRP", "ptp": b"BRSMPGRP", "nfx": b"NEUCDFLT"}  # NEURALCD elsewhere
VERSION = {"2.3": (2, 3), "3.0": (3, 0), "ptp": (3, 0)}  # 2.2 elsewhere
ORIGIN = (2023, 6, 3, 14, 10, 30, 5, 250)  # year, month, day of week, day, hour, minute, second, millisecond
TRELLIS = b"Trellis.exe[1.14.4.41]"
NANOSECONDS = 1_000_000_000


def text(value: str | bytes, size: int, junk: bytes = b"") -> bytes:
    """A fixed text field: padded with NULs, or with `junk` behind one NUL."""
    raw = value.encode("cp1252") if isinstance(value, str) else value
    return (raw + b"\0" * (len(raw) < size) + junk)[:size].ljust(size, b"\0")


def sample_type(kind: str) -> str:
    """Of the samples, as numpy writes it."""
    return "<f4" if kind == "nfx" else "<i2"


def basic_21(n_channels: int, period: int = 1, label: str = "30 kS/s") -> bytes:
    """The header of NSx 2.1: 32 bytes."""
    return b"NEURALSG" + text(label, 16) + struct.pack("<II", period, n_channels)


def basic(
    kind: str,
    n_channels: int,
    *,
    period: int = 1,
    tick_rate: int = 30000,
    version: tuple[int, int] | None = None,
    magic: bytes | None = None,
    header_bytes: int | None = None,
    label: str | bytes = "raw",
    comment: bytes = b"",
    application: bytes = TRELLIS,
    processor_tick: int = 410825880,
    origin: Sequence[int] = ORIGIN,
) -> bytes:
    """The header of every NSx and NFx from 2.2 on: 314 bytes."""
    if kind == "2.1":
        return basic_21(n_channels, period)
    if kind in ("ripple", "nfx"):
        comment = text(application, 52) + text(comment, 200) + struct.pack("<I", processor_tick)
    return b"".join((
        magic or MAGIC.get(kind, b"NEURALCD"),
        bytes(version or VERSION.get(kind, (2, 2))),
        struct.pack("<I", 314 + 66 * n_channels if header_bytes is None else header_bytes),
        text(label, 16),
        text(comment, 256),
        struct.pack("<II", period, tick_rate),
        struct.pack("<8H", *origin),
        struct.pack("<I", n_channels),
    ))  # fmt: skip


def channel(
    electrode_id: int,
    *,
    kind: str = "2.3",
    type: bytes | None = None,  # noqa: A002 - the document's word
    label: str | bytes | None = None,
    bank: int = 1,
    pin: int = 1,
    digital: tuple[int, int] = (-32764, 32764),
    analog: tuple[float, float] = (-8191, 8191),
    units: str | bytes = "uV",
    high_pass: tuple[int, int, int] = (300, 1, 1),
    low_pass: tuple[int, int, int] = (7_500_000, 3, 1),
) -> bytes:
    """One channel header: 4 bytes in 2.1, 66 elsewhere (filters: corner in mHz, order, type)."""
    if kind == "2.1":
        return struct.pack("<I", electrode_id)
    floats = kind == "nfx"
    span = struct.pack("<ff", *analog) if floats else struct.pack("<hhhh", *digital, *map(int, analog))
    return b"".join((
        type or (b"FC" if floats else b"CC"),
        struct.pack("<H", electrode_id),
        text(f"elec{electrode_id}" if label is None else label, 16),
        bytes((bank, pin)),
        span,
        text(units, 16),
        struct.pack("<IIH", *high_pass),
        struct.pack("<IIH", *low_pass),
    ))  # fmt: skip


def analog_input(number: int, *, electrode_id: int | None = None, bank: int = 5, kind: str = "2.3") -> bytes:
    """The channel header of an analog input, as a 128-channel system writes it: ±5 V, in mV."""
    return channel(
        128 + number if electrode_id is None else electrode_id,
        kind=kind,
        label=f"ainp{number}",
        bank=bank,
        pin=number,
        digital=(-32767, 32767),
        analog=(-5000, 5000),
        units="mV",
        high_pass=(0, 0, 0),
        low_pass=(0, 0, 0),
    )


def block(kind: str, tick: int, samples: Any, *, n_samples: int | None = None, flag: int = 1) -> bytes:
    """A block with its header; `n_samples` is what the header says where that is not the truth."""
    data = np.ascontiguousarray(samples, sample_type(kind))
    code = "<BQI" if kind in ("3.0", "ptp") else "<BII"
    return struct.pack(code, flag, tick, len(data) if n_samples is None else n_samples) + data.tobytes()


def packets(ticks: Sequence[int] | np.ndarray, rows: np.ndarray) -> bytes:
    """One packet for each row of samples, with its own timestamp, as PTP systems write."""
    made = np.zeros(
        len(rows), [("flag", "u1"), ("tick", "<u8"), ("n_samples", "<u4"), ("row", "<i2", (rows.shape[1],))]
    )
    made["flag"], made["tick"][:], made["n_samples"], made["row"] = 1, np.asarray(ticks, np.uint64), 1, rows
    return made.tobytes()


def even_ticks(start: int, n: int, period: int, tick_rate: int) -> np.ndarray:
    """Timestamps of `n` samples at the nominal rate, rounded down."""
    return np.arange(n, dtype=np.uint64) * np.uint64(period * tick_rate) // np.uint64(30000) + np.uint64(start)


def body(kind: str, blocks: Iterable[Block], period: int = 1, tick_rate: int = 30000) -> bytes:
    """Everything behind the headers, in the framing of `kind`."""
    if kind == "2.1":
        return b"".join(np.ascontiguousarray(samples, "<i2").tobytes() for _, samples in blocks)
    if kind == "ptp":
        return b"".join(packets(even_ticks(tick, len(samples), period, tick_rate), samples) for tick, samples in blocks)
    return b"".join(block(kind, tick, samples) for tick, samples in blocks)


def nsx(
    blocks: Sequence[Block],
    kind: str = "2.3",
    *,
    ids: Sequence[int] | None = None,
    channels: Sequence[bytes] | None = None,
    period: int = 1,
    tick_rate: int | None = None,
    **header: Any,
) -> bytes:
    """A whole file: neural channels 1 to n, in ±8191 µV, where nothing else is said."""
    rate = tick_rate or (NANOSECONDS if kind == "ptp" else 30000)
    if channels is None:
        width = np.asarray(blocks[0][1]).shape[1] if blocks else 2
        channels = [channel(number, kind=kind) for number in (ids or range(1, width + 1))]
    if kind == "2.1":
        head = basic_21(len(channels), period)
    else:
        head = basic(kind, len(channels), period=period, tick_rate=rate, **header)
    return head + b"".join(channels) + body(kind, blocks, period, rate)


def ramp(n_samples: int, n_channels: int, kind: str = "2.3", first: int = 0) -> np.ndarray:
    """Samples that differ everywhere and say where they belong: 100 times the row, plus the column."""
    return _ramp(n_samples, n_channels, sample_type(kind), first).copy()


@functools.lru_cache(16)
def _ramp(n_samples: int, n_channels: int, dtype: str, first: int) -> np.ndarray:
    rows = (np.arange(first, first + n_samples) * 100 % 32000).astype(np.int32)  # large ones take a fifth of the time
    return ((rows[:, None] + np.arange(n_channels, dtype=np.int32)) % 32000).astype(dtype)


def plausible(kind: str, n_channels: int = 3, n_samples: tuple[int, ...] = (5, 4)) -> tuple[bytes, np.ndarray]:
    """A small recording that was paused for a second after each block, and all its samples."""
    rate = NANOSECONDS if kind == "ptp" else 30000
    blocks, tick, first = [], 7 * rate, 0
    for n in n_samples:
        blocks.append((tick, ramp(n, n_channels, kind, first)))
        tick, first = tick + n * rate // 30000 + rate, first + n
    return nsx(blocks, kind), np.concatenate([samples for _, samples in blocks])


def nev_with_factors(factors: dict[int, int], version: tuple[int, int] = (2, 1)) -> bytes:
    """A NEV without packets whose NEUEVWAV headers give nV per bit by electrode id."""
    head = b"NEURALEV" + bytes(version) + struct.pack("<HIIII", 1, 336 + 32 * len(factors), 104, 30000, 30000)
    head += struct.pack("<8H", *ORIGIN) + text("", 32) + text("", 256) + struct.pack("<I", len(factors))
    for electrode_id, nv_per_bit in factors.items():
        head += b"NEUEVWAV" + struct.pack("<HBBHHhhBB", electrode_id, 1, 1, nv_per_bit, 0, 0, -200, 0, 2) + bytes(10)
    return head


# ------------------------------------------------------------------------------------------------ tests/data/demo.ns5


def demo() -> bytes:
    """`tests/data/demo.ns5`: 0.1 s of 128 electrodes and 16 analog inputs at 30 kHz.

    Integer arithmetic alone, so that every machine makes the same bytes: a parabolic sine for each electrode, at
    its own frequency and height, under the noise of a linear congruential generator; a square wave on each input.
    """
    banks = [channel(k + 1, bank=1 + k // 32, pin=1 + k % 32) for k in range(128)]
    inputs = [analog_input(k + 1) for k in range(16)]
    times = np.arange(3000, dtype=np.int64)
    waves = [_wave(times, 40 + 3 * k, 400 + 5 * k) + _noise(len(times), k + 1) for k in range(128)]
    squares = [np.where(times * (k + 1) // 500 % 2, 16000, -16000) for k in range(16)]
    samples = np.stack([*waves, *squares], axis=1).astype("<i2")
    return nsx([(0, samples)], "2.3", channels=[*banks, *inputs], label="30 kS/s", comment=b"made for the README")


def _wave(times: np.ndarray, hertz: int, height: int) -> np.ndarray:
    phase = times * hertz * 2 % 60000 - 30000  # -30000 to 30000 over one period
    return phase * (30000 - np.abs(phase)) * height * 4 // (30000 * 30000)


def _noise(n: int, seed: int) -> np.ndarray:
    """Of the generator ``state * 1664525 + 1013904223``, whose states are what unsigned integers of 32 bits keep."""
    powers = np.multiply.accumulate(np.full(n, 1664525, np.uint32), dtype=np.uint32)
    sums = np.add.accumulate(np.concatenate([np.ones(1, np.uint32), powers[:-1]]), dtype=np.uint32)
    states = powers * np.uint32(seed * 2654435761 % 2**32) + sums * np.uint32(1013904223)
    return (states >> np.uint32(24)).astype(np.int64) - 128


if __name__ == "__main__":
    import sys

    with open(sys.argv[1] if len(sys.argv) > 1 else "tests/data/demo.ns5", "wb") as file:
        file.write(demo())
