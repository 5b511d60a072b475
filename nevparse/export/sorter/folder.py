# SPDX-License-Identifier: MIT
"""Writes the folder that Kilosort, Phy and SpikeInterface open (``spec_notes/sorters.md``)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal

import numpy as np

from ...errors import UnknownScale
from ...format.channel import Channel
from ...format.text import json_text, ranges_text
from ...maps.positions import ArrayMap, Positions
from ...nsx.file import NsxFile, open_nsx
from ...recording.instruments import combine_instruments
from ...traces.selection import ChannelChoice, ElectrodeChoice, ExcludeChoice, LabelChoice
from ...traces.traces import Continuous
from ..bin import BinReport, write_bin
from ..job import BinFile
from ..output.folder import complete_folder
from ..paths import takes_paths
from .kilosort import KILOSORT_PROBE, PARAMS, kilosort_probe, kilosort_settings, phy_params
from .places import contact_names, find_positions
from .spikeinterface import PROBE, SI_BINARY, SI_FOLDER, binary_folder, binary_recording, probeinterface_probe

_BIN = "recording.bin"
_SPIKE_BAND_HZ = 100  # a high pass at this corner or above removes the field potential
_BIN_FILES = r"recording(-\d+)?\.(bin(\.json|\.ticks)?|json|ticks)"  # the last two by earlier versions
_FILES = rf"{_BIN_FILES}|{KILOSORT_PROBE}|{PROBE}|{PARAMS}|{SI_BINARY}|{SI_FOLDER}"


@dataclass(frozen=True)
class SorterReport:
    """The content of a sorter's folder.

    Parameters
    ----------
    folder : str
        Where it is.
    export : BinReport
        The ``.bin``, or one for each segment.
    selection : str
        Which of the recording's channels are in it, in words.
    positions : Positions
        Of each column, µm, and where they come from.
    settings : dict
        Kilosort's settings that follow from the recording and the positions.
    uv_per_bit : tuple of float
        Gain of each column; NaN if the recording has none.
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
        """What was written, and how the sorters open it."""
        export, files = self.export, [file.path for file in self.export.files]
        probe, dtype = os.path.join(self.folder, KILOSORT_PROBE), np.dtype(self.export.dtype).name
        data = files[0] if len(files) == 1 else files
        return [
            *export.lines(),
            f"channels: {self.selection}",
            f"electrodes: {self.positions.statement}",
            f"Kilosort4: n_chan_bin {export.n_channels}, fs {export.sampling_rate:g}, dtype {dtype}; {self._gain()}",
            "  from kilosort import io, run_kilosort",
            f"  run_kilosort({self.settings}, probe=io.load_probe({probe!r}), filename={data!r}, data_dtype={dtype!r})",
            "SpikeInterface:",
            f"  spikeinterface.load({self.folder!r})",
        ]

    def _gain(self) -> str:
        known = [value for value in self.uv_per_bit if isfinite(value)]
        if len(known) < len(self.uv_per_bit):
            return "the gain is not known"
        ends = sorted({min(known), max(known)})
        return f"gain {' to '.join(f'{value:g}' for value in ends)} µV per bit"


@takes_paths(open_nsx)
def write_sorter(
    x: Continuous | Iterable[NsxFile],
    /,
    folder: str | os.PathLike[str],
    *,
    cmp: ArrayMap | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    by: Literal["pin", "label", "id"] = "pin",
    pitch_um: float | None = None,
    partial: bool = False,
    channels: ChannelChoice = None,
    electrodes: ElectrodeChoice = None,
    labels: LabelChoice = None,
    exclude: ExcludeChoice = None,
    overwrite: bool = False,
    **options: Any,
) -> SorterReport:
    """Write a folder that Kilosort4, Phy and SpikeInterface open as it is.

    It has the samples in ``recording.bin`` with their sidecar, probes for Kilosort and probeinterface, Phy's
    ``params.py``, and the JSON files that SpikeInterface loads. If an error occurs, nothing of it is left. It has no
    absolute paths, so it can be moved.

    Parameters
    ----------
    x : NsxFile, or iterable of NsxFile
        The recording; or the same-numbered files of several instruments, or what `combine_instruments` and
        `concatenate` make.
    folder : str or os.PathLike
        The folder to make.
    cmp : ArrayMap, path or sequence of paths, optional
        The array's map. Without one the electrodes are placed on a plain grid, and the probes and the report say so.
        Of several instruments one that is the same for all, or one for each: their arrays stand side by side.
    by : str
        How channels are found in the map: ``pin``, ``label`` or ``id``, as in `ArrayMap.positions_of`.
    pitch_um : float, optional
        Distance of neighbouring electrodes in µm; that of the map by default, 400 without a map.
    partial : bool
        Whether electrodes of the map may be missing in the recording. Where channels are chosen, they may.
    channels, electrodes, labels, exclude : optional
        Columns, in the order wanted, as in `NsxFile.columns`; all neural ones by default.
    overwrite : bool
        Replace the files of an earlier export. Other files in the folder stay.
    **options
        `start_tick`, `stop_tick`, `start_s`, `stop_s`, `gaps`, `fill`, `max_fill`, `resample`, `sort` and `progress`
        of `write_bin`. With ``gaps="split"`` each segment has its ``.bin``, and the files for Kilosort, Phy and
        SpikeInterface list all.

    Returns
    -------
    SorterReport
        What was written, and the settings that Kilosort needs.

    Raises
    ------
    GapError, ExportError, KeyError
        As in `write_bin`; and if the folder has files and `overwrite` is False.
    ValueError
        If map and recording do not match, a channel has no place, or an analog input is among the channels.

    Warns
    -----
    UnknownScale
        If a channel has no gain; SpikeInterface then gets no gains.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("session.ns5") as ns:
    ...     report = nv.write_sorter(ns, "to_sort", cmp="array.cmp", exclude=[17, 40])
    >>> report.settings["n_chan_bin"], report.selection
    (126, 'those chosen, 126 of 144')
    """
    is_named = not (channels is None and electrodes is None and labels is None)
    is_selection = is_named or exclude is not None
    given = {"channels": channels, "electrodes": electrodes, "labels": labels, "exclude": exclude}
    choice: dict[str, Any] = {name: list(c) if isinstance(c, Iterator) else c for name, c in given.items()}
    choice["kind"] = None if is_named else "neural"
    ns = x if isinstance(x, Continuous) else combine_instruments(x)
    columns = ns.columns(**choice)
    chosen = [ns.channels[column] for column in columns]
    positions = find_positions(ns, columns, cmp, by, pitch_um, partial or is_selection)
    target, sources = os.fspath(folder), ns.sources
    with complete_folder(target, _BIN, _FILES, sources, overwrite) as part:
        export = _with_final_paths(write_bin(ns, os.path.join(part, _BIN), **choice, **options), target)
        names = contact_names(ns, columns)
        for name, text in description_files(ns, chosen, names, positions, export.files).items():
            with open(os.path.join(part, name), "x", encoding="ascii", newline="\n") as file:
                file.write(text)
    unknown = [channel.electrode_id for channel in chosen if not isfinite(channel.uv_per_bit)]
    if unknown:
        message = f"{ns.path}: no scale in microvolts for electrodes {ranges_text(unknown)}: no gains in {SI_BINARY}"
        warnings.warn(message, UnknownScale, stacklevel=3)
    selection = f"{'those chosen' if is_selection else 'all neural ones'}, {len(chosen)} of {ns.n_channels}"
    gains = tuple(channel.uv_per_bit for channel in chosen)
    return SorterReport(target, export, selection, positions, kilosort_settings(export, positions), gains)


def description_files(
    ns: Continuous,
    channels: Sequence[Channel],
    names: Sequence[int | str],
    positions: Positions,
    files: Sequence[BinFile],
) -> dict[str, str]:
    """Name and ASCII text of every file that describes the ``.bin``."""
    high_pass = [channel.high_pass for channel in channels]
    is_filtered = all(stage is not None and stage.corner_hz >= _SPIKE_BAND_HZ for stage in high_pass)
    contents = {
        KILOSORT_PROBE: kilosort_probe(positions),
        PROBE: probeinterface_probe(channels, names, positions),
        SI_BINARY: binary_recording(ns, channels, names, files, is_filtered),
        SI_FOLDER: binary_folder(channels, positions, is_filtered),
    }
    return {name: json_text(value, 1) for name, value in contents.items()} | {PARAMS: phy_params(files, is_filtered)}


def _with_final_paths(export: BinReport, folder: str) -> BinReport:
    def final(path: str) -> str:
        return os.path.join(folder, os.path.basename(path))

    files = tuple(replace(f, path=final(f.path), sidecar_path=final(f.sidecar_path)) for f in export.files)
    return replace(export, path=files[0].path, sidecar_path=files[0].sidecar_path, files=files)
