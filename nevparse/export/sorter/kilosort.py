# SPDX-License-Identifier: MIT
"""What Kilosort and Phy need beside a ``.bin``: settings, probe and ``params.py`` (``spec_notes/sorters.md``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import ceil, inf
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


def kilosort_settings(file: BinFile, positions: Positions) -> dict[str, Any]:
    """Settings that Kilosort4 cannot know, or whose defaults are for denser probes than this one."""
    settings: dict[str, Any] = {"n_chan_bin": file.n_channels, "fs": file.sampling_rate}
    nt = 2 * round(file.sampling_rate / 1000) + 1
    if nt != _NT_AT_30_KHZ:
        settings["nt"] = nt
    across, up = _steps_um(positions, 0), _steps_um(positions, 1)
    if _nearest_um(positions.um) >= _SPARSE_UM:
        settings |= {"nblocks": 0, "nearest_templates": min(_NEAREST_TEMPLATES, file.n_channels)}
        if up.size:  # it groups spikes by twice this height, and splits no group of fewer than 1000 spikes
            settings["dmin"] = float(np.median(up)) / 2
    if across.size:
        n_columns = across.size + len(np.unique(positions.arrays))
        settings |= {"dminx": float(np.median(across)), "x_centers": min(n_columns, ceil(across.sum() / _CENTRES_UM))}
    return settings


def _steps_um(positions: Positions, axis: int) -> NDArray[np.float64]:
    """From each column of electrodes to the next (axis 0), or from row to row (axis 1), within each array."""
    lines = [np.unique(positions.um[positions.arrays == number, axis]) for number in np.unique(positions.arrays)]
    return np.concatenate([np.diff(line) for line in lines])


def _nearest_um(um: NDArray[np.float64]) -> float:
    """The median distance of an electrode to its nearest neighbour."""
    distances = np.hypot(*(um[:, None] - um[None]).T)
    np.fill_diagonal(distances, inf)
    return float(np.median(distances.min(axis=0)))


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
