# SPDX-License-Identifier: MIT
"""Kilosort has a template for every electrode with the settings that we give: claim C16 of `spec_notes/sorters.md`."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nevparse.export.sorter.kilosort import kilosort_settings
from nevparse.maps.positions import Positions

MAX_CHANNEL_DISTANCE = 32  # Kilosort's default


def placed(*arrays: Any) -> Positions:
    """Electrodes at columns and rows of arrays: (pitch in µm, places)."""
    um, numbers, left = [], [], 0.0
    for number, (pitch, places) in enumerate(arrays, 1):
        on_array = np.array(sorted(places), float) * pitch
        um.append(on_array + np.array([left - on_array[:, 0].min(), 0]))
        left = um[-1][:, 0].max() + 4000
        numbers += [number] * len(on_array)
    return Positions(np.concatenate(um), np.array(numbers), (), (), "", is_map=True)


def without_a_template(positions: Positions, settings: dict[str, Any]) -> list[int]:
    """Electrodes that are the nearest one of no template, as Kilosort 4.1.7 places them."""
    xc, yc = positions.um.T
    dmin = settings.get("dmin")
    if dmin is None:
        rows = np.unique(yc)
        dmin = 1 if rows.size == 1 else np.median(np.diff(rows))
    yup, xup = np.array([]), np.array([])
    for shank in np.unique(positions.arrays):
        x, y = xc[positions.arrays == shank], yc[positions.arrays == shank]
        yup = np.concatenate([yup, np.arange(y.min(), y.max() + 0.01, dmin / 2)])
        n_across = np.round((x.max() - x.min()) / (settings.get("dminx", 32) / 2)) + 1
        xup = np.concatenate([xup, np.linspace(x.min(), x.max(), int(n_across))])
    ys, xs = (grid.ravel() for grid in np.meshgrid(np.unique(yup), np.unique(xup)))
    ds = (ys - yc[:, np.newaxis]) ** 2 + (xs - xc[:, np.newaxis]) ** 2
    nearest = np.argmin(ds, 0)[ds.min(0) <= MAX_CHANNEL_DISTANCE**2]
    return sorted({*range(len(xc))} - {*nearest.tolist()})


def settings_for(positions: Positions) -> dict[str, Any]:
    file: Any = SimpleNamespace(n_channels=len(positions.um), sampling_rate=30_000.0)
    return kilosort_settings(file, positions)


def grid(n_columns: int, n_rows: int) -> list[tuple[int, int]]:
    return [(column, row) for column in range(n_columns) for row in range(n_rows)]


places = st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)
nanometres = st.integers(0, 500_000).map(lambda n: n / 1000)
pitches = st.sampled_from([400, 250, 62.5, 100, 360, 50, 25, 20])


@pytest.mark.thorough
@given(st.lists(st.tuples(pitches, places), min_size=1, max_size=3))
def test_sorters_c16_every_electrode_has_a_template(arrays: Any) -> None:
    positions = placed(*arrays)
    assert without_a_template(positions, settings_for(positions)) == []


@pytest.mark.parametrize(
    "arrays",
    [
        [(400, [(c, r) for c in (0, 1, 3) for r in (0, 1, 3)])],
        [(400, grid(4, 8)), (250, grid(4, 8))],
        [(25, [(c, r) for c in (0, 1, 3) for r in (0, 1, 3, 10)])],
    ],
)
def test_sorters_c16_irregular_rows_and_several_pitches(arrays: Any) -> None:
    positions = placed(*arrays)
    assert without_a_template(positions, settings_for(positions)) == []
    turned = replace(positions, um=positions.um[:, ::-1])
    assert without_a_template(turned, settings_for(turned)) == []


def test_sorters_c16_a_whole_array_has_a_template_for_each_electrode_and_no_more() -> None:
    positions = placed((400, grid(10, 10)))
    settings = settings_for(positions)
    assert (settings["dmin"], settings["dminx"]) == (200, 400)
    assert without_a_template(positions, settings) == []


@given(st.lists(st.tuples(nanometres, nanometres | st.integers(0, 50)), min_size=1, max_size=8))
def test_sorters_c16_electrodes_at_any_places(um: list[tuple[float, float]]) -> None:
    """As long as they are apart at all."""
    kept = [one for k, one in enumerate(um) if all(np.hypot(*np.subtract(one, other)) > 10 for other in um[:k])]
    positions = Positions(np.array(kept), np.ones(len(kept), int), (), (), "", is_map=True)
    assert without_a_template(positions, settings_for(positions)) == []
