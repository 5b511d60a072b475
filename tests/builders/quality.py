# SPDX-License-Identifier: MIT
"""An array in tissue, with faults planted on chosen electrodes; nothing here knows nevparse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from . import nev as nb
from . import nsx as b
from . import sorting

RATE = 30_000
UV_PER_BIT = 0.25
FAULTS = ("dead", "frozen", "stuck", "clipped", "hum", "noisy", "quiet", "elsewhere")
VERDICT = {
    "dead": "dead",
    "frozen": "dead",
    "stuck": "clipped",
    "clipped": "clipped",
    "hum": "hum",
    "noisy": "noisy",
    "quiet": "unlike its neighbours",
    "elsewhere": "unlike its neighbours",
}


def slow_waves(rng: np.random.Generator, n: int, rate: int, height_uv: float) -> np.ndarray:
    """A field potential: random phases, power falling with the square of the frequency, below 100 Hz."""
    hz = np.fft.rfftfreq(n, 1 / rate)
    amplitude = np.where((hz >= 1) & (hz < 100), 1 / np.maximum(hz, 1), 0)
    phase = 2 * np.pi * rng.random(hz.size)  # and no complex exponential, which Wine lacks
    wave = np.fft.irfft(amplitude * (np.cos(phase) + 1j * np.sin(phase)), n)
    return wave * (height_uv / max(wave.std(), 1e-9))


def tissue(
    n_channels: int,
    n_samples: int,
    faults: Mapping[int, str] | None = None,
    *,
    rate: int = RATE,
    noise_uv: float = 8.0,
    field_uv: float = 60.0,
    hum_hz: float = 50.0,
    seed: int = 0,
) -> np.ndarray:
    """Samples in µV, float64 ``(n_samples, n_channels)``: a field that all share, noise of their own, and faults."""
    rng = np.random.default_rng(seed)
    field = slow_waves(rng, n_samples, rate, field_uv)
    samples = rng.normal(0, noise_uv, (n_samples, n_channels)) + field[:, None] * rng.normal(1, 0.1, n_channels)
    times = np.arange(n_samples) / rate
    for column, fault in (faults or {}).items():
        own = samples[:, column]
        if fault == "dead":
            own[:] = rng.normal(0, 0.3, n_samples)
        elif fault == "frozen":
            own[n_samples // 2 :] = own[n_samples // 2]
        elif fault == "stuck":
            own[:] = -9000
        elif fault == "clipped":
            own[:] = own * 150
        elif fault == "hum":
            own += 80 * np.sin(2 * np.pi * hum_hz * times) + 30 * np.sin(6 * np.pi * hum_hz * times)
        elif fault == "noisy":
            own += rng.normal(0, 4 * noise_uv, n_samples)
        elif fault == "quiet":
            own[:] = own / 5
        elif fault == "elsewhere":
            own[:] = slow_waves(rng, n_samples, rate, field_uv) + rng.normal(0, noise_uv, n_samples)
    return samples


def stored(samples_uv: np.ndarray, kind: str = "2.3") -> np.ndarray:
    """The same as a file has them: bits of 0.25 µV within ±8191 µV; NFx has microvolts."""
    if kind == "nfx":
        return samples_uv.astype("<f4")
    return np.clip(np.rint(samples_uv / UV_PER_BIT), -32764, 32764).astype("<i2")


def array(
    n_channels: int = 16, n_samples: int = 2 * RATE, faults: Mapping[int, str] | None = None, kind: str = "2.3", **how
) -> bytes:
    """A file of one block of them."""
    period = 30_000 // how.get("rate", RATE)
    return b.nsx([(0, stored(tissue(n_channels, n_samples, faults, **how), kind))], kind, period=period)


class Session(NamedTuple):
    """The files of one recording: an array with faults, units, a pause, comments and digital words."""

    nsx: bytes
    nev: bytes
    cmp: bytes


def session(
    n_channels: int = 24,
    lengths_s: Sequence[float] = (2.0, 1.5),
    faults: Mapping[int, str] | None = None,
    *,
    rate: int = 10_000,
    label: bytes = b"",
    seed: int = 0,
) -> Session:
    """A recording of blocks with a second of pause between them."""
    rng = np.random.default_rng(seed)
    period, tick = 30_000 // rate, 30_000
    spikes: list[tuple[int, bytes]] = []
    blocks: list[b.Block] = []
    for length_s in lengths_s:
        n = round(length_s * rate)
        samples = tissue(n_channels, n, faults, rate=rate, seed=seed + len(blocks))
        for electrode in range(1, n_channels + 1, 2):
            for unit in range(1 + electrode % 3):
                shape = sorting.waveform(60 + 7 * (electrode * 5 % 17) - 25 * unit, 0.22 + 0.04 * unit, 0.3)[:48]
                rows = sorting.train(rng, n * period, 6 + electrode % 9)
                for row in rows.tolist():
                    wave = (shape * rng.normal(1, 0.07) + rng.normal(0, 6, 48)) / UV_PER_BIT
                    spikes.append((tick + row, nb.V2.spike(tick + row, electrode, unit, wave.astype(int).tolist())))
                    at = row // period
                    part = samples[at : at + 16, electrode - 1]
                    if (faults or {}).get(electrode - 1) not in ("dead", "stuck"):
                        part += shape[::period][: len(part)]
        blocks.append((tick, stored(samples)))
        tick += n * period + 30_000
    words = [
        (30_000 + 4000 * k, nb.V2.digital(30_000 + 4000 * k, 1, int(rng.integers(0, 16))))
        for k in range(len(blocks) * 12)
    ]
    words += [(33_000 + 9000 * k, nb.V2.digital(33_000 + 9000 * k, 129, 65 + k)) for k in range(8)]
    notes = [(35_000, nb.V2.comment(35_000, b"stimulus on")), (60_000, nb.V2.comment(60_000, label or b"stimulus off"))]
    packets = [packet for _, packet in sorted([*spikes, *words, *notes], key=lambda item: item[0])]
    places = [(1 + k // 32, 1 + k % 32) for k in range(n_channels)]
    headers = [nb.wav(k + 1, bank=bank, pin=pin, rest=nb.points(48)) for k, (bank, pin) in enumerate(places)]
    headers += [nb.lbl(k + 1, label[:16] or b"elec%d" % (k + 1)) for k in range(n_channels)]
    channels = [b.channel(k + 1, bank=bank, pin=pin, label=label[:16] or None) for k, (bank, pin) in enumerate(places)]
    columns = max(1, round(n_channels**0.5))
    return Session(
        b.nsx(blocks, channels=channels, period=period, origin=nb.DATE),
        nb.nev(packets, headers),
        sorting.array_map(n_channels, columns),
    )
