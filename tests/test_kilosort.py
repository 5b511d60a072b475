# SPDX-License-Identifier: MIT
"""Kilosort4 sorts an exported folder, and the spikes come back at the ticks where they were planted.

Runs on request, in 2 to 15 minutes: ``pip install ".[test]" torch==2.13.0 kilosort==4.1.7``, then
``python -m pytest -m kilosort``.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

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


@pytest.mark.kilosort
@pytest.mark.filterwarnings("default")  # of others
def test_planted_spikes_come_back_at_their_ticks(tmp_path: Path) -> None:
    from kilosort import run_kilosort
    from kilosort.io import load_probe

    data, units = sb.planted(32, (30.0, 30.0), PAUSE_SECONDS, ELECTRODES)
    (tmp_path / "planted.ns5").write_bytes(data)
    (tmp_path / "array.cmp").write_bytes(sb.array_map(32, 6))
    folder = tmp_path / "sorted"
    with nv.open_nsx(tmp_path / "planted.ns5") as ns:
        (gap,) = ns.gaps
        report = nv.write_sorter(ns, folder, cmp=tmp_path / "array.cmp", gaps="join")
    (printed,) = re.findall(r"run_kilosort\((\{.*\}), probe", str(report))
    with np.errstate(all="ignore"):
        run_kilosort(
            ast.literal_eval(printed), probe=load_probe(folder / "kilosort_probe.json"),
            filename=folder / "recording.bin", data_dtype="int16", results_dir=tmp_path / "results",
        )  # fmt: skip
    rows, clusters = (np.load(tmp_path / "results" / f"spike_{name}.npy") for name in ("times", "clusters"))
    ticks = nv.read_sidecar(folder / "recording.bin").row_to_tick(rows)
    resumed = ns.segments[1].start_tick
    rates = []
    for electrode, planted in units:
        n, best = max((matched(ticks[clusters == k], planted), k) for k in np.unique(clusters))
        found, later = ticks[clusters == best], planted[planted >= resumed]
        n_later = matched(found[found >= resumed], later)
        rates.append((n / len(planted), n / len(found), n_later / len(later)))
        print(f"electrode {electrode}: {n} of {len(planted)} spikes, {n_later} of {len(later)} after the pause")
    recall, precision, after = np.mean(rates, axis=0)
    print(f"{recall:.4f} of the planted spikes were found, {after:.4f} after the pause; {precision:.4f} of those found")
    assert gap.kind == "pause"
    assert min(recall, precision, after) > 0.95
