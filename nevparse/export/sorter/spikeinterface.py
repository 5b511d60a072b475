# SPDX-License-Identifier: MIT
"""JSON files that SpikeInterface and probeinterface read beside a ``.bin`` (``spec_notes/sorters.md``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import isfinite
from typing import Any

from ...clock import epochs_of_segments
from ...format.channel import Channel
from ...maps.positions import Positions
from ...traces.plan import SampleRows
from ...traces.traces import Continuous
from ..job import BinFile

PROBE, SI_BINARY, SI_FOLDER = "probe.json", "binary.json", "si_folder.json"
_CONTACT_RADIUS_UM = 10.0  # for drawings; no map says it
_SI_CORE, _SI_VERSION, _PROBEINTERFACE_VERSION = "spikeinterface.core", "0.105.0", "0.2.21"


def probeinterface_probe(
    channels: Sequence[Channel], names: Sequence[int | str], positions: Positions
) -> dict[str, Any]:
    """One probe whose shanks are the arrays, so that its contacts are in the order of the columns."""
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
        "contact_ids": [str(name) for name in names],
        "shank_ids": [str(number) for number in positions.arrays],
    }
    return {"specification": "probeinterface", "version": _PROBEINTERFACE_VERSION, "probes": [probe]}


def binary_recording(
    ns: Continuous,
    channels: Sequence[Channel],
    names: Sequence[int | str],
    files: Sequence[BinFile],
    is_filtered: bool,
) -> dict[str, Any]:
    """The ``.bin`` files as SpikeInterface's binary recording; without gains if one channel has none."""
    has_gains = all(isfinite(channel.uv_per_bit) for channel in channels)
    kwargs = {
        "file_paths": [os.path.basename(file.path) for file in files],
        "sampling_frequency": files[0].sampling_rate,
        "t_starts": _start_seconds(ns, files) if len(files) > 1 else None,
        "num_channels": files[0].n_channels,
        "dtype": files[0].dtype,
        "channel_ids": list(names),
        "time_axis": 0,
        "file_offset": 0,
        "gain_to_uV": [channel.uv_per_bit for channel in channels] if has_gains else None,
        "offset_to_uV": [channel.uv_offset for channel in channels] if has_gains else None,
        "is_filtered": is_filtered,
    }
    return _si_object("binaryrecordingextractor.BinaryRecordingExtractor", kwargs)


def _start_seconds(ns: Continuous, files: Sequence[BinFile]) -> list[float]:
    """Seconds to the first sample of each file, from that of the first file on the same setting of the clock."""
    firsts = [row for file in files for row in file.rows[:1] if isinstance(row, SampleRows)]
    ticks = [int(ns.segments[first.segment].ticks(first.start, first.start + 1)[0]) for first in firsts]
    epochs = epochs_of_segments(ns.epochs, [first.segment for first in firsts])
    return [(tick - ticks[epochs.index(epoch)]) / ns.tick_rate for tick, epoch in zip(ticks, epochs, strict=True)]


def binary_folder(channels: Sequence[Channel], positions: Positions, is_filtered: bool) -> dict[str, Any]:
    """The folder as SpikeInterface's `load` opens it."""
    labels, groups = [channel.label for channel in channels], (positions.arrays - 1).tolist()
    return _si_object("binaryfolder.BinaryFolderRecording", {"folder_path": "."}) | {
        "annotations": {"is_filtered": is_filtered, "electrodes": positions.statement},
        "properties": {"channel_name": labels, "group": groups},
    }


def _si_object(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """An object of SpikeInterface, with paths relative to the folder."""
    return {
        "class": f"{_SI_CORE}.{name}",
        "module": "spikeinterface",
        "version": _SI_VERSION,
        "kwargs": kwargs,
        "annotations": {},
        "properties": {},
        "relative_paths": True,
    }
