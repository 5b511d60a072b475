# SPDX-License-Identifier: MIT
"""Writes the folder that Kilosort, Phy and SpikeInterface open (``spec_notes/sorters.md``)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ...errors import Progress
from ...format.channel import Channel
from ...format.text import json_text
from ...maps.positions import ArrayMap, Positions
from ...nsx.file import NsxFile, open_nsx
from ...traces.selection import ColumnSelection, TraceSelection, part_of, repeatable, takes, warn_of_unscaled
from ...traces.traces import Continuous, Traces
from .. import sidecar
from ..bin import BinReport, as_one_recording, check_nothing_chosen, write_bin
from ..job import BinFile, bin_file
from ..output.folder import complete_folder
from ..paths import takes_paths
from .in_place import SCRIPT, kilosort_script, raw_offset
from .kilosort import KILOSORT_PROBE, PARAMS, kilosort_probe, kilosort_settings, phy_params
from .places import contact_names, find_positions
from .spikeinterface import PROBE, SI_BINARY, SI_FOLDER, binary_folder, binary_recording, probeinterface_probe

if TYPE_CHECKING:
    from ...traces.selection import Unpack

_BIN = "recording.bin"
_SLOWEST_HZ = 5000  # sampling rate that shows a spike, which lasts a millisecond, at all
_SPIKE_BAND_HZ = 100  # a high pass at this corner or above removes the field potential
_FILES = rf"{sidecar.name_pattern(_BIN)}|{KILOSORT_PROBE}|{PROBE}|{PARAMS}|{SI_BINARY}|{SI_FOLDER}|{SCRIPT}"


@dataclass(frozen=True)
class SorterReport:
    """The content of a sorter's folder.

    Parameters
    ----------
    folder : str
        Where it is.
    export : BinReport or None
        The ``.bin``, or one for each segment; None where nothing was copied.
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
    export: BinReport | None
    selection: str
    positions: Positions
    settings: dict[str, Any]
    uv_per_bit: tuple[float, ...]
    in_place: tuple[str, ...] = ()  # what is said where nothing was copied

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """What was written, and how the sorters open it."""
        if self.export is None:
            return [self.in_place[0], *self._about(), *self.in_place[1:]]
        export, files = self.export, [file.path for file in self.export.files]
        probe, dtype = os.path.join(self.folder, KILOSORT_PROBE), np.dtype(self.export.dtype).name
        data = files[0] if len(files) == 1 else files
        return [
            *export.lines(),
            *self._about(),
            f"Kilosort4: n_chan_bin {export.n_channels}, fs {export.sampling_rate:g}, dtype {dtype}; {self._gain()}",
            "  from kilosort import io, run_kilosort",
            f"  run_kilosort({self.settings}, probe=io.load_probe({probe!r}), filename={data!r}, data_dtype={dtype!r})",
            "SpikeInterface:",
            f"  spikeinterface.load({self.folder!r})",
        ]

    def _about(self) -> list[str]:
        is_slow = self.settings["fs"] < _SLOWEST_HZ
        too_slow = [f"spikes cannot be sorted at {self.settings['fs']:g} Hz: these are field potentials"] * is_slow
        return [*too_slow, f"channels: {self.selection}", f"electrodes: {self.positions.statement}"]

    def _gain(self) -> str:
        known = [value for value in self.uv_per_bit if isfinite(value)]
        if len(known) < len(self.uv_per_bit):
            return "the gain is not known"
        ends = sorted({min(known), max(known)})
        return f"gain {' to '.join(f'{value:g}' for value in ends)} µV per bit"


@takes_paths(open_nsx)
@takes(TraceSelection)
def write_sorter(
    x: Traces | Continuous | Iterable[NsxFile],
    /,
    folder: str | os.PathLike[str],
    *,
    cmp: ArrayMap | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    by: Literal["pin", "label", "id"] = "pin",
    pitch_um: float | None = None,
    partial: bool = False,
    copy: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
    **selection: Unpack[TraceSelection],
) -> SorterReport:
    """Write a folder that Kilosort4, Phy and SpikeInterface open as it is.

    It has the samples in ``recording.bin`` with their sidecar, probes for Kilosort and probeinterface, Phy's
    ``params.py``, and the JSON files that SpikeInterface loads. If an error occurs, nothing of it is left. It has no
    absolute paths, so it can be moved.

    Parameters
    ----------
    x : Traces, NsxFile, or iterable of NsxFile
        The recording; or the same-numbered files of several instruments, or what `combine_instruments` and
        `concatenate` make; or `NsxFile.traces` of any of them.
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
    channels, electrodes, labels, kind, exclude : optional
        Columns, in the order wanted, as in `NsxFile.columns`; all neural ones by default.
    start_tick, stop_tick, start_s, stop_s, gaps, fill, max_fill, resample, sort : optional
        As in `NsxFile.traces`. With ``gaps="split"`` each segment has its ``.bin``, and the files for Kilosort, Phy and
        SpikeInterface list all.
    copy : bool
        Whether the samples are copied. If not, ``run_kilosort.py`` in the folder sorts the recording where it is, and
        SpikeInterface loads it from there if all samples of all channels are in one block. Phy needs a copy.
    overwrite : bool
        Replace the files of an earlier export. Other files in the folder stay.
    progress : callable, optional
        As in `write_bin`.

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
    in_place: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    if isinstance(x, Traces):
        check_nothing_chosen(selection)
        ns, columns, is_selection = x.recording, x.columns, True
    else:
        options = repeatable(selection)
        chosen_by = {name for name in ColumnSelection.__annotations__ if options.get(name) is not None}
        is_selection = bool(chosen_by)
        if chosen_by <= {"exclude"}:
            options["kind"] = "neural"
        ns = as_one_recording(x)
        columns = ns.columns(**part_of(options, ColumnSelection))
    chosen = [ns.channels[column] for column in columns]
    positions = find_positions(ns, columns, cmp, by, pitch_um, partial or is_selection)
    target, export = os.fspath(folder), None
    described = _Described(ns, chosen, contact_names(ns, columns), positions)
    with complete_folder(target, _BIN, _FILES, ns.sources, overwrite) as part:
        if copy:
            source = x if isinstance(x, Traces) else ns
            export = write_bin(source, os.path.join(part, _BIN), progress=progress, **options)
            export = _with_final_paths(export, target)
            texts, settings = description_files(described, export.files), kilosort_settings(export, positions)
        else:
            traces = x if isinstance(x, Traces) else ns.traces(**options)
            settings = kilosort_settings(bin_file(traces, _BIN), positions)
            texts, in_place = _in_place(described, traces, settings, target)
        for name, text in texts.items():
            with open(os.path.join(part, name), "x", encoding="ascii", newline="\n") as file:
                file.write(text)
    warn_of_unscaled(ns.path, chosen, f": no gains in {SI_BINARY}")
    said = f"{'those chosen' if is_selection else 'all neural ones'}, {len(chosen)} of {ns.n_channels}"
    gains = tuple(channel.uv_per_bit for channel in chosen)
    return SorterReport(target, export, said, positions, settings, gains, in_place)


class _Described(NamedTuple):
    """What is in a folder for sorters; `names` are those of its channels."""

    ns: Continuous
    channels: Sequence[Channel]
    names: list[int] | list[str]
    positions: Positions

    @property
    def is_filtered(self) -> bool:
        """Whether every channel was recorded without the field potential."""
        high_pass = [channel.high_pass for channel in self.channels]
        return all(stage is not None and stage.corner_hz >= _SPIKE_BAND_HZ for stage in high_pass)

    def probes(self) -> dict[str, Any]:
        """What says where the channels are, by the name of its file."""
        probe = probeinterface_probe(self.channels, self.names, self.positions)
        return {KILOSORT_PROBE: kilosort_probe(self.positions), PROBE: probe}

    def for_spikeinterface(self, files: Sequence[BinFile]) -> dict[str, Any]:
        """What SpikeInterface loads, by the name of its file."""
        return {
            SI_BINARY: binary_recording(self.ns, self.channels, self.names, files, self.is_filtered),
            SI_FOLDER: binary_folder(self.channels, self.positions, self.is_filtered),
        }


def description_files(described: _Described, files: Sequence[BinFile]) -> dict[str, str]:
    """Name and ASCII text of every file that describes the ``.bin``."""
    contents = described.probes() | described.for_spikeinterface(files)
    return _texts(contents) | {PARAMS: phy_params(files, described.is_filtered)}


def _texts(contents: dict[str, Any]) -> dict[str, str]:
    return {name: json_text(value, 1) for name, value in contents.items()}


def _in_place(
    described: _Described, x: Traces, settings: dict[str, Any], folder: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The texts that let sorters read a recording where it is, by name; and what is said of them."""
    ns, contents = described.ns, described.probes()
    script = kilosort_script(x, settings)
    offset, why = raw_offset(x)
    if not why:
        contents |= described.for_spikeinterface([bin_file(x, _BIN)])
        contents[SI_BINARY]["kwargs"] |= {"file_paths": [os.path.abspath(ns.path)], "file_offset": offset}
    if not ns.has_sample_timestamps:
        contents[sidecar.companions(_BIN)[0]] = sidecar.describe(x, _BIN, 0)
    lines = (
        f"{x} of {ns.path}: nothing was copied",
        f"Kilosort4: python {os.path.join(folder, SCRIPT)}, which writes kilosort4/spike_ticks.npy too",
        f"SpikeInterface: {f'not without a copy: {why}' if why else f'spikeinterface.load({folder!r})'}",
        "Phy: not without a copy: it reads a flat file",
    )
    return _texts(contents) | {SCRIPT: script}, lines


def _with_final_paths(export: BinReport, folder: str) -> BinReport:
    files = tuple(replace(file, path=os.path.join(folder, os.path.basename(file.path))) for file in export.files)
    return replace(export, path=files[0].path, files=files)
