# SPDX-License-Identifier: MIT
"""What an export left, and small files to export."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from builders import nsx as b
from builders import timing as t

import nevparse as nv

PERIOD = t.PERIOD_NS


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def rows_in(path, n_channels=2):
    return np.fromfile(path, "<i2").reshape(-1, n_channels)


def written(ns, out, **options):
    """Export, and give the report, the rows, and the sidecar: a copy, for Windows replaces no file that is mapped."""
    report = nv.write_bin(ns, out, overwrite=True, **options)
    copies = Path(mkdtemp(dir=out.parent.parent))
    for path in out.parent.glob(Path(report.path).name + ".*"):
        shutil.copy(path, copies)
    return report, rows_in(report.path, report.n_channels), nv.read_sidecar(copies / Path(report.path).name)


def paused(n_samples=(5, 4, 3), missing=(7, 2), kind="2.3"):
    """Segments of ramps, so many samples apart; and the file's rows."""
    starts, tick = [], 1000
    for n, lost in zip(n_samples, (*missing, 0), strict=True):
        starts.append(tick)
        tick += n + lost
    return t.blocks(starts, n_samples, kind), b.ramp(sum(n_samples), 2)
