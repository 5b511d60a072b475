# SPDX-License-Identifier: MIT
"""A recording with units in it whose every spike is known, and an array map; nothing here knows nevparse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import nsx as b

RATE = 30_000
UV_PER_BIT = 0.25
_LETTERS = "ABCDEFGH"


def waveform(height_uv: float, width_ms: float, after: float) -> np.ndarray:
    """A spike of 2 ms in µV: a trough at sample 20, then a slower wave of the other sign, `after` times as high."""
    ms = (np.arange(60) - 20) / 30
    trough = -np.exp(-((ms / (width_ms / 2)) ** 2))
    return height_uv * (trough + after * np.exp(-(((ms - 1.6 * width_ms) / width_ms) ** 2)))


def train(rng: np.random.Generator, n_samples: int, rate_hz: float) -> np.ndarray:
    """Rows of a unit's troughs: at random, never within 4 ms of each other, none cut by an end."""
    intervals = 120 + rng.exponential(RATE / rate_hz - 120, int(2 * rate_hz * n_samples / RATE) + 10)
    rows = np.cumsum(intervals).astype(np.int64)
    return rows[(rows >= 60) & (rows < n_samples - 120)]


def planted(
    n_channels: int, seconds: Sequence[float], pause_seconds: float, electrodes: Sequence[int], *, seed: int = 0
) -> tuple[bytes, list[tuple[int, np.ndarray]]]:
    """An NSx 2.3 of noise with a unit at each of `electrodes`, paused between stretches.

    Where an electrode is named twice the second unit is half as high, so that they can be told apart.

    Returns
    -------
    bytes
        The file: electrodes 1 to `n_channels`, banks of 32 pins, and one analog input behind them.
    list of (electrode id, ticks)
        Each unit's electrode, and the timestamps of its troughs.
    """
    rng = np.random.default_rng(seed)
    heights = [150 + 8 * k if e not in electrodes[:k] else 90 for k, e in enumerate(electrodes)]
    shapes = [waveform(height, 0.25 + 0.02 * (k % 6), 0.2 + 0.1 * (k % 5)) for k, height in enumerate(heights)]
    ticks: list[list[np.ndarray]] = [[] for _ in electrodes]
    blocks, start = [], 5 * RATE
    for length in seconds:
        n_samples = round(length * RATE)
        samples = rng.normal(0, 9 / UV_PER_BIT, (n_samples, n_channels + 1)).astype(np.float32)
        samples[:, -1] = 12_000 * (np.arange(n_samples) // RATE % 2)
        for k, electrode in enumerate(electrodes):
            rows = train(rng, n_samples, 12 + k % 4)
            sizes = rng.normal(1, 0.05, rows.size)[:, None]
            np.add.at(samples[:, electrode - 1], rows[:, None] - 20 + np.arange(60), sizes * shapes[k] / UV_PER_BIT)
            ticks[k].append(start + rows)
        blocks.append((start, np.clip(samples, -32764, 32764).astype("<i2")))
        start += n_samples + round(pause_seconds * RATE)
    banks = [b.channel(k + 1, bank=1 + k // 32, pin=1 + k % 32) for k in range(n_channels)]
    data = b.nsx(blocks, "2.3", channels=[*banks, b.analog_input(1)])
    return data, [(electrode, np.concatenate(parts)) for electrode, parts in zip(electrodes, ticks, strict=True)]


def array_map(n_channels: int, n_columns: int, *, reverse: bool = False) -> bytes:
    """A map of banks of 32 pins in a grid, row by row from the lower left, or from the other end."""
    rows = ["// Subject: nobody", "Cerebus mapping", "//col\trow\tbank\telec\tlabel"]
    for place in range(n_channels):
        k = n_channels - 1 - place if reverse else place
        rows.append(f"{place % n_columns}\t{place // n_columns}\t{_LETTERS[k // 32]}\t{1 + k % 32}\telec{k + 1}")
    return "\r\n".join([*rows, ""]).encode()
