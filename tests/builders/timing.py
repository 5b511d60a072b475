# SPDX-License-Identifier: MIT
"""Timestamps as recorders write them, with drift, wander, jitter, losses and shuffles, and files that hold them.

Nothing here knows nevparse: what a test expects is known from how its timestamps were made.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from . import nev as nb
from . import nsx as b

NS = 10**9
PERIOD_NS = 100_000 / 3  # of 30 kHz
BOOT_NS = 56_000_000_000_000  # a clock that was started 15 hours ago
EPOCH_NS = 1_686_738_605_250_000_000  # the moment of `builders.ORIGIN`, in nanoseconds since 1970


def stamps(
    n: int,
    *,
    start: int = BOOT_NS,
    period: int = 1,
    drift_ppm: Any = 0.0,
    jitter_ns: int = 0,
    breaks: Mapping[int, float] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Timestamps of `n` samples of a PTP recorder, int64.

    `drift_ppm` is by how much samples take longer than they nominally do: a number, or one for each sample.
    `breaks` holds by how many samples the step behind a packet is too long.
    """
    steps = np.full(n, PERIOD_NS * period) * (1 + np.broadcast_to(drift_ppm, n) * 1e-6)
    for packet, samples in (breaks or {}).items():
        steps[packet] += samples * PERIOD_NS * period
    elapsed = np.concatenate([[0.0], np.cumsum(steps[:-1])])
    jitter = np.random.default_rng(seed).integers(-jitter_ns, jitter_ns, n, endpoint=True)
    return np.rint(elapsed).astype(np.int64) + jitter + start


def origin(seconds: float) -> tuple[int, ...]:
    """The header's date of a file that was started so many seconds after `builders.ORIGIN`, to the millisecond."""
    date = datetime(2023, 6, 14, 10, 30, 5, 250_000) + timedelta(milliseconds=round(seconds * 1000))
    weekday = date.isoweekday() % 7
    return date.year, date.month, weekday, date.day, date.hour, date.minute, date.second, date.microsecond // 1000


def date_bytes(date: Sequence[int]) -> bytes:
    """A header's date of eight words."""
    return struct.pack("<8H", *date)


def shuffled(ticks: np.ndarray, groups: Mapping[int, Sequence[int] | np.ndarray]) -> np.ndarray:
    """The same with the packets from each place on in another order: `groups` maps place to permutation."""
    moved = ticks.copy()
    for place, order in groups.items():
        moved[place : place + len(order)] = ticks[place + np.asarray(order)]
    return moved


def ptp(ticks: Iterable[int], samples: np.ndarray | None = None, *, period: int = 1, **header: Any) -> bytes:
    """A PTP file: a packet for each timestamp. Without samples, those of two channels that tell their packet."""
    stamps_ = ticks if isinstance(ticks, np.ndarray) else list(ticks)
    rows = b.ramp(len(stamps_), 2) if samples is None else samples
    return head("ptp", rows.shape[1], period=period, tick_rate=NS, **header) + b.packets(stamps_, rows)


def head(kind: str, n_channels: int, **header: Any) -> bytes:
    """Everything before the data."""
    channels = [b.channel(k + 1, kind=kind) for k in range(n_channels)]
    return b.basic(kind, n_channels, **header) + b"".join(channels)


def blocks(starts: Sequence[int], counts: Sequence[int], kind: str = "2.3", **header: Any) -> bytes:
    """A file of two channels in blocks; each sample tells its place in the file."""
    rows = b.ramp(sum(counts), 2)
    ends = np.cumsum(counts).tolist()
    return b.nsx([(tick, rows[z - n : z]) for tick, n, z in zip(starts, counts, ends, strict=True)], kind, **header)


def hidden_block(n_before: int = 100, n_after: int = 100, start: int = BOOT_NS) -> bytes:
    """Looks like PTP wherever it is probed: but one packet in its middle holds four samples.

    13 channels make packets of 39 bytes; three more rows are 78 bytes, so that all behind it stands as if nothing
    were there.
    """
    ticks = stamps(n_before + 4 + n_after, start=start).tolist()
    rows = b.ramp(len(ticks), 13)
    alone = [b.block("ptp", ticks[k], rows[k : k + 1]) for k in range(len(ticks))]
    block = b.block("ptp", ticks[n_before], rows[n_before : n_before + 4])
    body = [*alone[:n_before], block, *alone[n_before + 4 :]]
    return head("ptp", 13, tick_rate=NS) + b"".join(body)


def spike_nev(ticks: Iterable[int], version: tuple[int, int] = (2, 3), tick_rate: int = 30_000) -> bytes:
    """A NEV of nothing but spikes."""
    make = nb.V3 if version[0] == 3 else nb.V2
    return nb.nev([make.spike(int(tick), 1, 0) for tick in ticks], version=version, tick_rate=tick_rate)


def with_tick(data: bytes, packet: int, tick: int, n_channels: int = 2) -> bytes:
    """A PTP file with another timestamp in one packet."""
    at = 314 + 66 * n_channels + packet * (13 + 2 * n_channels) + 1
    return data[:at] + struct.pack("<Q", tick) + data[at + 8 :]


def with_count(data: bytes, packet: int, n_samples: int, n_channels: int = 2) -> bytes:
    """A PTP file with another number of samples in the header of one packet."""
    at = 314 + 66 * n_channels + packet * (13 + 2 * n_channels) + 9
    return data[:at] + struct.pack("<I", n_samples) + data[at + 4 :]
