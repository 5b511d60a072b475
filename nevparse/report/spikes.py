# SPDX-License-Identifier: MIT
"""Spikes in sum: how many on each electrode and of each class, when, and the mean waveform of each unit."""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..nev.file import NevFile
from ..nev.spikes import N_IDS, SpikeCounts, count_spikes
from .timeline import RecordingTimes

_BINS = 900
_MOST_WAVEFORMS = 100_000  # read in all, evenly spread
MOST_OF_UNIT = 500


class UnitShape(NamedTuple):
    """One unit: `mean` and `deviation` of its waveform, in microvolts, or raw where the file has no scale."""

    electrode_id: int
    unit: int
    kind: str
    n_spikes: int
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


class SpikeSummary(NamedTuple):
    """All spikes of a NEV.

    Parameters
    ----------
    electrode_ids : list of int
        Electrodes with a spike, in order.
    counts : numpy.ndarray
        int64 ``(n_electrodes, n_bins)``: spikes in each bin of the axis.
    totals : SpikeCounts
        Spikes of each electrode and class, and units of each class.
    shapes : list of UnitShape
        Every unit with a waveform.
    is_raw : bool
        Whether an electrode has no scale, so that its waveforms are raw values.
    n_read : int
        Waveforms that the shapes rest on.
    """

    electrode_ids: list[int]
    counts: NDArray[np.int64]
    totals: SpikeCounts
    shapes: list[UnitShape]
    is_raw: bool
    n_read: int

    @property
    def n_spikes(self) -> int:
        """All spikes."""
        return self.totals.n_spikes


def summarise_spikes(nev: NevFile, times: RecordingTimes) -> SpikeSummary:
    """Count the spikes, and average the waveforms of a part of them."""
    totals = count_spikes(nev.trains())
    ids = sorted(totals.per_electrode)
    shapes, n_read = _shapes(nev)
    is_raw = any(not isfinite(nev._uv_per_bit(electrode_id)) for electrode_id in ids)
    return SpikeSummary(ids, _counts(nev, times, ids), totals, shapes, is_raw, n_read)


def _counts(nev: NevFile, times: RecordingTimes, ids: list[int]) -> NDArray[np.int64]:
    packets, places = nev.packets_of("spike"), times.places("spike")
    row_of = np.zeros(N_IDS, np.int64)
    row_of[ids] = np.arange(len(ids))
    is_shown = np.isfinite(places)
    rows = row_of[nev._packets.heads.packet_id[packets[is_shown]]]
    bins = np.minimum((places[is_shown] * (_BINS / times.axis.total_s)).astype(np.int64), _BINS - 1)
    counts = np.bincount(rows * _BINS + bins, minlength=len(ids) * _BINS)
    return counts.astype(np.int64).reshape(len(ids), _BINS)


def _shapes(nev: NevFile) -> tuple[list[UnitShape], int]:
    """Mean and deviation of every unit, from evenly spread spikes."""
    packets, found = nev.packets_of("spike"), list[UnitShape]()
    step = -(-packets.size // _MOST_WAVEFORMS) or 1
    spikes = nev._spikes.with_waveforms(packets[::step], nev._spikes.ids)
    if not spikes.dtype["waveform"].itemsize:
        return [], 0
    key = spikes["electrode_id"].astype(np.int64) << 8 | spikes["unit"]
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    for group in np.split(order, starts[1:]) if order.size else ():
        electrode_id, unit = int(spikes["electrode_id"][group[0]]), int(spikes["unit"][group[0]])
        chosen = group[:: -(-group.size // MOST_OF_UNIT)]
        waveforms = _microvolts(nev, electrode_id, spikes["waveform"][chosen])
        mean, deviation = waveforms.mean(axis=0), waveforms.std(axis=0)
        found.append(UnitShape(electrode_id, unit, nev.unit_class(unit), group.size * step, mean, deviation))
    return found, len(spikes)


def _microvolts(nev: NevFile, electrode_id: int, waveforms: NDArray[Any]) -> NDArray[np.float32]:
    electrode, scale = nev.electrodes.get(electrode_id), nev._uv_per_bit(electrode_id)
    n_points = electrode.n_points if electrode else waveforms.shape[1]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        scaled = waveforms[:, : n_points or None].astype(np.float32) * np.float32(scale if isfinite(scale) else 1)
    limited: NDArray[np.float32] = np.nan_to_num(np.clip(scaled, -1e9, 1e9))
    return limited
