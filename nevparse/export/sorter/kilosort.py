# SPDX-License-Identifier: MIT
"""What Kilosort and Phy need beside a ``.bin``: settings, probe and ``params.py`` (``spec_notes/sorters.md``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import reduce
from math import ceil, inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...maps.positions import Positions
from ..job import BinFile

KILOSORT_PROBE, PARAMS = "kilosort_probe.json", "params.py"
# Kilosort's defaults, and what its page of parameters says of sparse probes
_NT_AT_30_KHZ, _NEAREST_TEMPLATES = 61, 100
_SPARSE_UM = 50  # drift cannot be estimated where electrodes are this far apart
_CENTRES_UM = 250  # groups of templates every 200 to 300 µm
_MAX_DISTANCE_UM = 32  # its max_channel_distance
_FINEST_UM = 1.0  # no electrode is placed more exactly


def kilosort_settings(file: BinFile, positions: Positions) -> dict[str, Any]:
    """Settings that Kilosort4 cannot know, or whose defaults are for denser probes than this one."""
    settings: dict[str, Any] = {"n_chan_bin": file.n_channels, "fs": file.sampling_rate}
    nt = 2 * round(file.sampling_rate / 1000) + 1
    if nt != _NT_AT_30_KHZ:
        settings["nt"] = nt
    across, up = _steps_um(positions, 0), _steps_um(positions, 1)
    is_sparse = float(np.median(_nearest_um(positions.um))) >= _SPARSE_UM
    if is_sparse:
        settings |= {"nblocks": 0, "nearest_templates": min(_NEAREST_TEMPLATES, file.n_channels)}
    if up.size and (is_sparse or not _has_sites_of_its_own(positions)):
        # Kilosort groups spikes by twice this height, and splits no group of fewer than 1000 spikes
        settings["dmin"] = _widest_um(positions, 1, lambda spacing: _sites_up(positions, spacing / 2)) / 2
    if across.size:
        n_columns = across.size + len(np.unique(positions.arrays))
        dminx = _widest_um(positions, 0, lambda spacing: _sites_across(positions, spacing))
        settings |= {"dminx": dminx, "x_centers": min(n_columns, ceil(across.sum() / _CENTRES_UM))}
    return settings


def _lines_um(positions: Positions, axis: int) -> list[NDArray[np.float64]]:
    """Where each array has columns of electrodes (axis 0), or rows (axis 1)."""
    return [np.unique(positions.um[positions.arrays == number, axis]) for number in np.unique(positions.arrays)]


def _steps_um(positions: Positions, axis: int) -> NDArray[np.float64]:
    """From each column or row of electrodes to the next, within each array."""
    return np.concatenate([np.diff(line) for line in _lines_um(positions, axis)])


def _nearest_um(um: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance of each electrode to its nearest neighbour."""
    distances = np.hypot(*(um[:, None] - um[None]).T)
    np.fill_diagonal(distances, inf)
    return np.asarray(distances.min(axis=0))


# ------------------------------------------------------------------------------ where Kilosort 4.1.7 has templates
def _has_sites_of_its_own(positions: Positions) -> bool:
    """Whether templates are near every electrode at the `dmin` that Kilosort takes unless it is given."""
    dmin = float(np.median(np.diff(np.unique(positions.um[:, 1]))))
    return dmin >= _FINEST_UM and _is_near_all(positions, 1, _sites_up(positions, dmin))


def _sites_up(positions: Positions, dmin: float) -> NDArray[np.float64]:
    """Heights of templates."""
    lines = _lines_um(positions, 1)
    return np.concatenate([np.arange(line[0], line[-1] + 0.01, dmin / 2) for line in lines])


def _sites_across(positions: Positions, dminx: float) -> NDArray[np.float64]:
    """Lateral places of templates."""
    lines = _lines_um(positions, 0)
    counts = [round((line[-1] - line[0]) / (dminx / 2)) + 1 for line in lines]
    return np.concatenate([np.linspace(line[0], line[-1], n) for line, n in zip(lines, counts, strict=True)])


def _is_near_all(positions: Positions, axis: int, sites: NDArray[np.float64]) -> bool:
    """Whether templates at these places are so near to every electrode that each has one of its own.

    Kilosort drops templates that are too far from their nearest electrode.
    """
    near_um = np.minimum(_MAX_DISTANCE_UM, _nearest_um(positions.um) / 2) / sqrt(2)  # so for both axes together
    places = np.unique(sites)
    after = np.searchsorted(places, positions.um[:, axis])
    off_um = [
        np.abs(positions.um[:, axis] - places[np.clip(index, 0, places.size - 1)]) for index in (after - 1, after)
    ]
    return bool((np.minimum(*off_um) < near_um).all())


def _widest_um(positions: Positions, axis: int, sites_at: Callable[[float], NDArray[np.float64]]) -> float:
    """The spacing of electrodes to give to Kilosort: the usual one, their common divisor, or a part of the smallest."""
    steps = _steps_um(positions, axis)
    parts = (float(steps.min()) / n for n in range(1, ceil(steps.min() / _FINEST_UM)))
    wide = (s for s in (float(np.median(steps)), reduce(_common_divisor, steps.tolist()), *parts) if s >= _FINEST_UM)
    return next((spacing for spacing in wide if _is_near_all(positions, axis, sites_at(spacing))), _FINEST_UM)


def _common_divisor(one: float, other: float) -> float:
    while other > _FINEST_UM:
        one, other = other, one % other
    return one


def kilosort_probe(positions: Positions) -> dict[str, Any]:
    """What Kilosort's `load_probe` reads."""
    n_channels = len(positions.um)
    return {
        "chanMap": list(range(n_channels)),
        "xc": positions.um[:, 0].tolist(),
        "yc": positions.um[:, 1].tolist(),
        "kcoords": (positions.arrays - 1).tolist(),
        "n_chan": n_channels,
        "electrodes": positions.statement,
    }


def phy_params(files: Sequence[BinFile], is_filtered: bool) -> str:
    """Phy's ``params.py``, which Phy executes: every value is a literal of ASCII."""
    values = {
        "dat_path": [os.path.basename(file.path) for file in files],
        "n_channels_dat": files[0].n_channels,
        "dtype": np.dtype(files[0].dtype).name,
        "offset": 0,
        "sample_rate": files[0].sampling_rate,
        "hp_filtered": is_filtered,
    }
    return "".join(f"{name} = {value!a}\n" for name, value in values.items())
