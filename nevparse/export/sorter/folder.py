# SPDX-License-Identifier: MIT
"""A folder that Kilosort, Phy and SpikeInterface open as it is: a ``.bin``, and what each of them wants to know of it.

Which file is for whom, its fields and their sources: ``spec_notes/sorters.md``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from ...errors import UnknownScale
from ...format.channel import Channel
from ...format.text import ranges_text
from ...maps.cmp import ArrayMap, read_cmp
from ...maps.positions import Positions, plain_grid
from ...recording.instruments import Continuous
from ..bin import BinReport, write_bin
from ..output.folder import whole_folder
from .files import KILOSORT_PROBE, PARAMS, PROBE, SI_BINARY, SI_FOLDER, Export, kilosort_settings, texts_of

BIN = "recording.bin"
_FILES = rf"recording(-\d+)?\.(bin|json|ticks)|{KILOSORT_PROBE}|{PROBE}|{PARAMS}|{SI_BINARY}|{SI_FOLDER}"


@dataclass(frozen=True)
class SorterReport:
    """What a sorter's folder holds.

    Parameters
    ----------
    folder : str
        Where it is.
    export : BinReport
        The ``.bin``, or one for each segment.
    selection : str
        Which of the recording's channels are in it, as a person reads it.
    positions : Positions
        Of each column, µm; whether they come from a map.
    settings : dict
        Kilosort's settings that follow from the recording and the positions.
    uv_per_bit : tuple of float
        Gain of each column; NaN where the recording has none.
    """

    folder: str
    export: BinReport
    selection: str
    positions: Positions
    settings: dict[str, Any]
    uv_per_bit: tuple[float, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """What was written, and the very settings that a sorter asks for."""
        export, files = self.export, [file.path for file in self.export.files]
        probe, dtype = os.path.join(self.folder, KILOSORT_PROBE), np.dtype(self.export.dtype).name
        data = files[0] if len(files) == 1 else files
        return [
            *export.lines(),
            f"channels: {self.selection}",
            f"electrodes: {self.positions.statement}",
            f"Kilosort4: n_chan_bin {export.n_channels}, fs {export.sampling_rate:g}, dtype {dtype}; {self._gain()}",
            f"  load_probe({probe!r})",
            f"  run_kilosort({self.settings}, probe=..., filename={data!r}, data_dtype={dtype!r})",
            f"SpikeInterface: load({self.folder!r})",
        ]

    def _gain(self) -> str:
        known = [value for value in self.uv_per_bit if isfinite(value)]
        if len(known) < len(self.uv_per_bit):
            return "the gain is not known"
        ends = sorted({min(known), max(known)})
        return f"gain {' to '.join(f'{value:g}' for value in ends)} µV per bit"


def write_sorter(
    ns: Continuous,
    folder: str | os.PathLike[str],
    *,
    cmp: ArrayMap | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    by: str = "pin",
    pitch_um: float | None = None,
    channels: slice | Iterable[int] | None = None,
    electrodes: Iterable[int] | None = None,
    labels: str | Iterable[str] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> SorterReport:
    """Write a folder that Kilosort4, Phy and SpikeInterface open as it is.

    It holds the samples in ``recording.bin`` with their sidecar, the probe for Kilosort and for probeinterface, Phy's
    ``params.py``, and what SpikeInterface loads the folder by. It comes into being whole or not at all, and can be
    moved: nothing in it is an absolute path.

    Parameters
    ----------
    ns : NsxFile
        The recording.
    folder : str or os.PathLike
        The folder to make.
    cmp : ArrayMap, path or sequence of paths, optional
        The array's map. Without one the electrodes stand on a plain grid, which the probes and the report say.
    by : str
        What joins the map to the channels: ``pin``, ``label`` or ``id``, as in `ArrayMap.positions_of`.
    pitch_um : float, optional
        From electrode to electrode, µm, where it is not what the map says (400 where that says nothing).
    channels, electrodes, labels : optional
        Columns, in the order wanted, as in `write_bin`; all neural ones where none of them is given.
    overwrite : bool
        Replace what an export wrote to the folder before. Whatever else is in it stays.
    **options
        `start_tick`, `stop_tick`, `gaps`, `fill`, `max_fill`, `resample`, `sort` and `progress` of `write_bin`. With
        ``gaps="split"`` there is a ``.bin`` for each segment, and Kilosort, Phy and SpikeInterface are told of all.

    Returns
    -------
    SorterReport
        What was written, and the settings that Kilosort needs.

    Raises
    ------
    GapError, ExportError, KeyError
        As in `write_bin`; and where the folder holds something and `overwrite` is not asked for.
    ValueError
        Where map and recording do not match, a channel has no place, or an analog input is among them.

    Warns
    -----
    UnknownScale
        Where a channel has no gain; SpikeInterface gets none then.
    """
    by_hand = not (channels is None and electrodes is None and labels is None)
    columns = ns.columns(channels, electrodes, labels, None if by_hand else "neural")
    chosen = [ns.channels[column] for column in columns]
    positions = _positions(ns, chosen, cmp, by, pitch_um, by_hand)
    target = os.fspath(folder)
    with whole_folder(target, _FILES, [ns.path], overwrite) as part:
        export = _moved(write_bin(ns, os.path.join(part, BIN), channels=columns, **options), target)
        for name, text in texts_of(Export(ns, chosen, positions, export.files)).items():
            with open(os.path.join(part, name), "x", encoding="ascii", newline="\n") as file:
                file.write(text)
    _tell_unknown(ns, chosen)
    selection = f"{'those chosen' if by_hand else 'all neural ones'}, {len(chosen)} of {ns.n_channels}"
    gains = tuple(channel.uv_per_bit for channel in chosen)
    return SorterReport(target, export, selection, positions, kilosort_settings(export, positions), gains)


def _positions(
    ns: Continuous, chosen: Sequence[Channel], cmp: Any, by: str, pitch_um: float | None, partial: bool
) -> Positions:
    inputs = [f"{channel.electrode_id} ({channel.label})" for channel in chosen if channel.kind == "analog"]
    if inputs:
        raise ValueError(f"{ns.path}: expected electrodes, found analog inputs {', '.join(inputs)}: leave them out")
    ids = [channel.electrode_id for channel in chosen]
    twice = sorted({number for number in ids if ids.count(number) > 1})
    if twice:
        raise ValueError(f"{ns.path}: expected each electrode once, found {ranges_text(twice)} twice: choose channels")
    if cmp is None:
        return plain_grid(chosen, pitch_um=pitch_um)
    arrays = cmp if isinstance(cmp, ArrayMap) else read_cmp(cmp)
    positions = arrays.positions_of(chosen, by=by, pitch_um=pitch_um, partial=partial)
    if positions.unplaced:
        missing = ", ".join(positions.unplaced_names)
        raise ValueError(f"{ns.path}: expected a place in the map for every channel, found none for {missing}")
    return positions


def _moved(export: BinReport, folder: str) -> BinReport:
    """The same report of files that have come to their folder."""

    def there(path: str) -> str:
        return os.path.join(folder, os.path.basename(path))

    files = tuple(replace(f, path=there(f.path), sidecar_path=there(f.sidecar_path)) for f in export.files)
    return replace(export, path=files[0].path, sidecar_path=files[0].sidecar_path, files=files)


def _tell_unknown(ns: Continuous, chosen: Sequence[Channel]) -> None:
    unknown = [channel.electrode_id for channel in chosen if not isfinite(channel.uv_per_bit)]
    if unknown:
        message = f"{ns.path}: no scale in microvolts for electrodes {ranges_text(unknown)}: no gains in {SI_BINARY}"
        warnings.warn(message, UnknownScale, stacklevel=3)
