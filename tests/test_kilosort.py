# SPDX-License-Identifier: MIT
"""Kilosort4 sorts an exported folder, or a recording where it is, and planted spikes come back at their ticks.

Runs on request, in 2 to 15 minutes: ``pip install ".[test]" torch==2.13.0 kilosort==4.1.7``, then
``python -m pytest -m kilosort``.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import sorting as sb

import nevparse as nv

TOLERANCE_TICKS = 15  # half a millisecond: where in a waveform a sorter puts its spike is its own affair
PAUSE_SECONDS = 7.5
ELECTRODES = (1, 3, 4, 7, 9, 12, 15, 18, 18, 21, 24, 29, 32, 32)  # neighbours among them, and two with two units


@pytest.fixture(autouse=True)
def no_file_left_open() -> None:
    """Kilosort keeps its log."""


def matched(found, planted):
    """How many of two sorted trains meet, each spike once."""
    i = j = n = 0
    while i < len(found) and j < len(planted):
        apart = int(found[i]) - int(planted[j])
        n, i, j = n + (abs(apart) <= TOLERANCE_TICKS), i + (apart <= TOLERANCE_TICKS), j + (apart >= -TOLERANCE_TICKS)
    return n


def rates_of(rows, clusters, ticks, units, resumed):
    """Of each planted unit the share that was found, the share of right ones, and the first after the pause."""
    for electrode, planted in units:
        n, best = max((matched(ticks[clusters == k], planted), k) for k in np.unique(clusters))
        found, later = ticks[clusters == best], planted[planted >= resumed]
        n_later = matched(found[found >= resumed], later)
        print(f"electrode {electrode}: {n} of {len(planted)} spikes, {n_later} of {len(later)} after the pause")
        yield n / len(planted), n / len(found), n_later / len(later)


@pytest.mark.kilosort
@pytest.mark.filterwarnings("default")  # of others
@pytest.mark.parametrize("is_copied", [True, False], ids=["copied", "in place"])
def test_sorters_c14_and_c17_planted_spikes_come_back_at_their_ticks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_copied: bool
) -> None:
    data, units = sb.planted(32, (30.0, 30.0), PAUSE_SECONDS, ELECTRODES)
    (tmp_path / "planted.ns5").write_bytes(data)
    (tmp_path / "array.cmp").write_bytes(sb.array_map(32, 6))
    folder = tmp_path / "sorted"
    with nv.open_nsx(tmp_path / "planted.ns5") as ns:
        (gap,) = ns.gaps
        report = nv.write_sorter(ns, folder, cmp=tmp_path / "array.cmp", gaps="join", copy=is_copied)
        resumed = ns.segments[1].start_tick
    with np.errstate(all="ignore"):
        if is_copied:
            results = tmp_path / "results"
            (printed,) = re.findall(r"run_kilosort\((\{.*\}), probe", str(report))
            sort_copy(ast.literal_eval(printed), folder, results)
        else:
            results = folder / "kilosort4"
            monkeypatch.setattr(sys, "argv", ["run_kilosort.py"])
            runpy.run_path(str(folder / "run_kilosort.py"), run_name="__main__")
    rows, clusters = (np.load(results / f"spike_{name}.npy") for name in ("times", "clusters"))
    with nv.read_sidecar(folder / "recording.bin") as sidecar:
        ticks = sidecar.row_to_tick(rows)
    if not is_copied:
        assert not (folder / "recording.bin").exists()
        np.testing.assert_array_equal(np.load(results / "spike_ticks.npy"), ticks)
    recall, precision, after = np.mean(list(rates_of(rows, clusters, ticks, units, resumed)), axis=0)
    print(f"{recall:.4f} of the planted spikes were found, {after:.4f} after the pause; {precision:.4f} of those found")
    assert gap.kind == "pause"
    assert min(recall, precision, after) > 0.95


def sort_copy(settings: dict[str, Any], folder: Path, results: Path) -> None:
    from kilosort import io, run_kilosort

    probe = io.load_probe(folder / "kilosort_probe.json")
    run_kilosort(settings, probe=probe, filename=folder / "recording.bin", data_dtype="int16", results_dir=results)
