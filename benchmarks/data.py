"""Deterministic recordings for the benchmark, written without the package that is measured."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

N_CHANNELS = 144
N_NEURAL = 128
TICK_RATE = 30_000
NANOSECONDS = 1_000_000_000
PTP_START = 1_700_000_000_000_000_000
BLOCK_SAMPLES = 50
BLOCK_CHANNELS = 16
N_POINTS = 48
N_UNITS = 4

_ROWS = 30_000


def continuous(path: Path, gigabytes: float) -> None:
    """One unbroken block of 144 channels at 30 kHz, NSx 2.3."""
    n_samples = int(gigabytes * 1e9) // (2 * N_CHANNELS)
    with path.open("wb") as file:
        file.write(_nsx_header(b"NEURALCD", (2, 3), TICK_RATE, N_CHANNELS) + struct.pack("<BII", 1, 0, n_samples))
        for start in range(0, n_samples, _ROWS):
            file.write(_noise(start)[: min(_ROWS, n_samples - start)].tobytes())


def ptp(path: Path, gigabytes: float, slower_ppm: float = 20, n_lost: int = 1) -> None:
    """The same, one sample per packet with jittering nanosecond timestamps and a lost sample, NSx 3.0."""
    packet = np.dtype([("header", "u1"), ("tick", "<u8"), ("n", "<u4"), ("samples", "<i2", (N_CHANNELS,))])
    n_samples = int(gigabytes * 1e9) // packet.itemsize
    rng = np.random.default_rng(1)
    with path.open("wb") as file:
        file.write(_nsx_header(b"BRSMPGRP", (3, 0), NANOSECONDS, N_CHANNELS))
        for start in range(0, n_samples, _ROWS):
            packets = np.zeros(min(_ROWS, n_samples - start), packet)
            at = np.arange(start, start + packets.size)
            at += n_lost * (at >= n_samples // 3)
            elapsed = at * (NANOSECONDS / TICK_RATE * (1 + slower_ppm * 1e-6)) + rng.integers(-300, 301, packets.size)
            packets["header"], packets["n"], packets["samples"] = 1, 1, _noise(start)[: packets.size]
            packets["tick"] = PTP_START + elapsed.astype(np.int64)
            file.write(packets.tobytes())


def blocks(path: Path, n_blocks: int) -> None:
    """Many short blocks with a pause behind each, NSx 2.3."""
    rows = _noise(0)[:BLOCK_SAMPLES, :BLOCK_CHANNELS].tobytes()
    with path.open("wb") as file:
        file.write(_nsx_header(b"NEURALCD", (2, 3), TICK_RATE, BLOCK_CHANNELS))
        for k in range(n_blocks):
            file.write(struct.pack("<BII", 1, k * 4 * BLOCK_SAMPLES, BLOCK_SAMPLES) + rows)


def events(path: Path, n_packets: int) -> None:
    """Spikes of 128 electrodes with four units each, NEV 2.3."""
    packet = np.dtype([
        ("tick", "<u4"), ("electrode", "<u2"), ("unit", "u1"), ("reserved", "u1"), ("wave", "<i2", (N_POINTS,))
    ])  # fmt: skip
    rng = np.random.default_rng(2)
    headers = b"".join(
        b"NEUEVWAV"
        + struct.pack("<HBBHHhhBBH8x", k + 1, k // 32 + 1, k % 32 + 1, 250, 0, 0, -255, N_UNITS, 2, N_POINTS)
        for k in range(N_NEURAL)
    )
    basic = struct.pack(
        "<8sBBHIIII8H32s256sI", b"NEURALEV", 2, 3, 1, 336 + len(headers), packet.itemsize, TICK_RATE, TICK_RATE,
        2024, 5, 1, 6, 7, 8, 9, 12, b"benchmark", b"", N_NEURAL,
    )  # fmt: skip
    with path.open("wb") as file:
        file.write(basic + headers)
        for start in range(0, n_packets, _ROWS):
            packets = np.zeros(min(_ROWS, n_packets - start), packet)
            packets["tick"] = np.arange(start, start + packets.size) * 10
            packets["electrode"] = rng.integers(1, N_NEURAL + 1, packets.size)
            packets["unit"] = rng.integers(0, N_UNITS, packets.size)
            packets["wave"] = rng.integers(-500, 500, (packets.size, N_POINTS))
            file.write(packets.tobytes())


def _noise(start: int) -> np.ndarray:
    return np.random.default_rng(start % 7).integers(-2000, 2000, (_ROWS, N_CHANNELS), dtype=np.int16)


def _nsx_header(magic: bytes, version: tuple[int, int], tick_rate: int, n_channels: int) -> bytes:
    basic = struct.pack(
        "<8sBBI16s256sII8HI", magic, *version, 314 + 66 * n_channels, b"30 kS/s", b"", 1, tick_rate,
        2024, 5, 1, 6, 7, 8, 9, 12, n_channels,
    )  # fmt: skip
    return basic + b"".join(_channel(k) for k in range(n_channels))


def _channel(k: int) -> bytes:
    neural = k < N_NEURAL
    label, ends = (b"elec%d" % (k + 1), (32764, 8191)) if neural else (b"ainp%d" % (k - N_NEURAL + 1), (32767, 5000))
    return struct.pack(
        "<2sH16sBBhhhh16sIIHIIH", b"CC", k + 1, label, k // 32 + 1, k % 32 + 1, -ends[0], ends[0], -ends[1], ends[1],
        b"uV" if neural else b"mV", 300, 1, 1, 7_500_000, 3, 1,
    )  # fmt: skip
