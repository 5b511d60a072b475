# SPDX-License-Identifier: MIT
"""Lets sorters read a recording where it is: a script for Kilosort4, and where SpikeInterface finds the samples."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...nsx.file import NsxFile
from ...recording.instruments import CombinedInstruments
from ...traces.plan import PlanOptions
from ...traces.traces import Continuous, Traces
from .kilosort import KILOSORT_PROBE

SCRIPT = "run_kilosort.py"
_TEXT = '''\
"""Sorts a recording where it is, with Kilosort4; needs nevparse. Its paths may be given, if it has moved."""
import sys
from pathlib import Path

import numpy as np
from kilosort import io, run_kilosort

import nevparse as nv

HERE = Path(sys.argv[0]).resolve().parent
SETTINGS = {settings}
PATHS = sys.argv[1:] or {paths}

if __name__ == "__main__":
    files = [nv.open_nsx(path) for path in PATHS]
    x = {recording}.traces({options}).select(channels={columns})
    run_kilosort(
        SETTINGS, probe=io.load_probe(HERE / {probe}), filename=PATHS[0], file_object=x,
        results_dir=HERE / "kilosort4",
    )
    rows = np.load(HERE / "kilosort4" / "spike_times.npy")
    np.save(HERE / "kilosort4" / "spike_ticks.npy", x.row_to_tick(rows))
'''


def kilosort_script(x: Traces, settings: dict[str, Any]) -> str:
    """The script that opens the same traces again and sorts them: ASCII, and every value a literal."""
    return _TEXT.format(
        settings=ascii(settings),
        paths=ascii([os.path.abspath(path) for path in check_can_be_opened_again(x)]),
        recording=_recording_text(x.recording),
        options=", ".join(f"{name}={value!a}" for name, value in _options(x.options).items()),
        columns=x.columns.tolist(),
        probe=ascii(KILOSORT_PROBE),
    )


def check_can_be_opened_again(x: Traces) -> list[str]:
    """The paths of the files of traces; ValueError where a script cannot open the same traces by them."""
    if not x.is_whole:
        raise ValueError(
            "expected traces of a range of time, found rows of other traces: give start_tick and stop_tick"
        )
    paths = [source.path for source in x.recording.sources]
    absent = [path for path in paths if not os.path.isfile(path)]
    if absent:
        raise ValueError(f"{absent[0]}: expected a recording that has a path, to be opened by the sorter; copy it")
    return paths


def _recording_text(ns: Continuous) -> str:
    if isinstance(ns, NsxFile):
        return "files[0]"
    if isinstance(ns, CombinedInstruments):
        return f"nv.combine_instruments(files, offsets={list(ns.offsets)})"
    return 'nv.concatenate(files, order="given")'


def _options(options: PlanOptions) -> dict[str, Any]:
    """The options that are not the defaults."""
    defaults = PlanOptions()._asdict()
    return {name: value for name, value in options._asdict().items() if value != defaults[name]}


def raw_offset(x: Traces) -> tuple[int, str]:
    """Where in the file all samples lie one behind the other, up to its end; else 0, and why they do not."""
    ns = x.recording
    if not isinstance(ns, NsxFile):
        return 0, "there are several files"
    if not np.array_equal(x.columns, np.arange(ns.n_channels)):
        return 0, f"{x.shape[1]} of {ns.n_channels} channels were chosen"
    extents = list(x.extents())
    if len(extents) != 1 or extents[0].row_bytes != ns.n_channels * ns.dtype.itemsize:
        return 0, "the samples are not in one block"
    (extent,) = extents
    if extent.offset + (extent.n_rows + 1) * extent.row_bytes <= ns.size_bytes:
        return 0, "the file goes on behind them"
    return extent.offset, ""
