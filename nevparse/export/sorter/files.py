# SPDX-License-Identifier: MIT
"""What Kilosort, Phy, probeinterface and SpikeInterface want to know of a ``.bin``, each in its own words.

Fields and their sources: ``spec_notes/sorters.md``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import ceil, inf, isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...format.channel import Channel
from ...format.text import json_text
from ...maps.positions import Positions
from ...recording.instruments import Continuous
from ...traces.plan import SampleRows
from ..job import BinFile

KILOSORT_PROBE, PROBE, PARAMS = "kilosort_probe.json", "probe.json", "params.py"
SI_BINARY, SI_FOLDER = "binary.json", "si_folder.json"
_SPIKE_BAND_HZ = 100  # who filters this high has taken the field potential out
_CONTACT_RADIUS_UM = 10.0  # for drawings; no map says it
_SI_CORE, _SI_VERSION, _PROBEINTERFACE_VERSION = "spikeinterface.core", "0.105.0", "0.2.21"
# Kilosort's defaults, and what its page of parameters says of sparse probes
_NT_AT_30_KHZ, _NEAREST_TEMPLATES = 61, 100
_SPARSE_UM = 50  # drift cannot be estimated where electrodes are this far apart
_CENTRES_UM = 250  # groups of templates every 200 to 300 µm


class Export(NamedTuple):
    """A recording that was exported, column by column.

    Parameters
    ----------
    ns : Readable
        The recording.
    channels : sequence of Channel
        Of each column.
    positions : Positions
        Of each column.
    files : sequence of BinFile
        Every ``.bin``.
    """

    ns: Continuous
    channels: Sequence[Channel]
    positions: Positions
    files: Sequence[BinFile]

    @property
    def filtered(self) -> bool:
        """Whether only the band of spikes was recorded."""
        passes = [channel.high_pass for channel in self.channels]
        return all(one is not None and one.corner_hz >= _SPIKE_BAND_HZ for one in passes)

    @property
    def names(self) -> list[str]:
        """Of the files, within their folder."""
        return [os.path.basename(file.path) for file in self.files]


def texts_of(export: Export) -> dict[str, str]:
    """Every file that goes with the ``.bin``, as ASCII: they are read in whatever encoding the system has."""
    facts = {
        KILOSORT_PROBE: _kilosort_probe(export.positions),
        PROBE: _probe(export.positions, export.channels),
        SI_BINARY: _si_binary(export),
        SI_FOLDER: _si_folder(export),
    }
    return {name: json_text(value, 1) for name, value in facts.items()} | {PARAMS: _params(export)}


def kilosort_settings(file: BinFile, positions: Positions) -> dict[str, Any]:
    """What Kilosort4 cannot know, and what its defaults get wrong, which are for probes of dense electrodes."""
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
    """From each column of electrodes to the next, or from row to row, within each array."""
    lines = [np.unique(positions.um[positions.arrays == number, axis]) for number in np.unique(positions.arrays)]
    return np.concatenate([np.diff(line) for line in lines])


def _nearest_um(um: NDArray[np.float64]) -> float:
    """How far it is to the next electrode, at half of them."""
    apart = np.hypot(*(um[:, None] - um[None]).T)
    np.fill_diagonal(apart, inf)
    return float(np.median(apart.min(axis=0)))


def _kilosort_probe(positions: Positions) -> dict[str, Any]:
    n_channels = len(positions.um)
    return {
        "chanMap": list(range(n_channels)),
        "xc": positions.um[:, 0].tolist(),
        "yc": positions.um[:, 1].tolist(),
        "kcoords": (positions.arrays - 1).tolist(),
        "n_chan": n_channels,
        "electrodes": positions.statement,
    }


def _probe(positions: Positions, channels: Sequence[Channel]) -> dict[str, Any]:
    """One probe whose shanks are the arrays, so that its contacts stand in the order of the columns."""
    n_channels = len(channels)
    probe = {
        "ndim": 2,
        "si_units": "um",
        "annotations": {"name": "array map" if positions.is_map else "plain grid", "electrodes": positions.statement},
        "contact_annotations": {"label": [channel.label for channel in channels]},
        "contact_positions": positions.um.tolist(),
        "contact_plane_axes": [[[1.0, 0.0], [0.0, 1.0]]] * n_channels,
        "contact_shapes": ["circle"] * n_channels,
        "contact_shape_params": [{"radius": _CONTACT_RADIUS_UM}] * n_channels,
        "device_channel_indices": list(range(n_channels)),
        "contact_ids": [str(channel.electrode_id) for channel in channels],
        "shank_ids": [str(number) for number in positions.arrays],
    }
    return {"specification": "probeinterface", "version": _PROBEINTERFACE_VERSION, "probes": [probe]}


def _si_binary(export: Export) -> dict[str, Any]:
    first, channels = export.files[0], export.channels
    scaled = all(isfinite(channel.uv_per_bit) for channel in channels)
    kwargs = {
        "file_paths": export.names,
        "sampling_frequency": first.sampling_rate,
        "t_starts": _starts(export) if len(export.files) > 1 else None,
        "num_channels": first.n_channels,
        "dtype": first.dtype,
        "channel_ids": [channel.electrode_id for channel in channels],
        "time_axis": 0,
        "file_offset": 0,
        "gain_to_uV": [channel.uv_per_bit for channel in channels] if scaled else None,
        "offset_to_uV": [channel.uv_offset for channel in channels] if scaled else None,
        "is_filtered": export.filtered,
    }
    return _si_object("binaryrecordingextractor.BinaryRecordingExtractor", kwargs)


def _starts(export: Export) -> list[float]:
    """Seconds from the first sample of the first file to that of each one."""
    spans = [row for file in export.files for row in file.rows[:1] if isinstance(row, SampleRows)]
    ticks = [int(export.ns.segments[span.segment].ticks(span.start, span.start + 1)[0]) for span in spans]
    return [(tick - ticks[0]) / export.ns.tick_rate for tick in ticks]


def _si_folder(export: Export) -> dict[str, Any]:
    labels, groups = [channel.label for channel in export.channels], (export.positions.arrays - 1).tolist()
    return _si_object("binaryfolder.BinaryFolderRecording", {"folder_path": "."}) | {
        "annotations": {"is_filtered": export.filtered, "electrodes": export.positions.statement},
        "properties": {"channel_name": labels, "group": groups},
    }


def _si_object(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """What SpikeInterface makes an object of, with paths relative to the folder."""
    return {
        "class": f"{_SI_CORE}.{name}",
        "module": "spikeinterface",
        "version": _SI_VERSION,
        "kwargs": kwargs,
        "annotations": {},
        "properties": {},
        "relative_paths": True,
    }


def _params(export: Export) -> str:
    """Phy's parameters: Python that is executed, so that every value is a literal of ASCII."""
    first = export.files[0]
    values = {
        "dat_path": export.names,
        "n_channels_dat": first.n_channels,
        "dtype": np.dtype(first.dtype).name,
        "offset": 0,
        "sample_rate": first.sampling_rate,
        "hp_filtered": export.filtered,
    }
    return "".join(f"{name} = {value!a}\n" for name, value in values.items())
