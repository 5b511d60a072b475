# SPDX-License-Identifier: MIT
"""The array, or a grid, with a value or a verdict at each electrode, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ..format.notebook import shown

VERDICT_COLORS = {
    "good": "#5aa469",
    "dead": "#5b6472",
    "clipped": "#c8372d",
    "hum": "#d99a06",
    "noisy": "#e0662b",
    "unlike its neighbours": "#8e5bb5",
    "unknown": "#9aa1ab",
    "not judged": "#b9bec6",
}
# From dark to light, evenly spaced in lightness, so that it reads in grey as well (after matplotlib's viridis)
_COLORS = ((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37))
_PANEL, _LEGEND, _TITLE, _FONT = 300, 34, 22, 12  # pixels
_WIDEST, _MOST_HIGH = 960, 420
_RANGE = 3, 90  # percentiles that the colours span: a single loud electrode does not darken all others
_LEAST_CONTRAST = 0.7  # the lowest colour stands for no more than this of the highest: alike values look alike
_LETTERED = 15  # smallest cell with a text in it


class ArrayLayout:
    """Cells of electrodes, in columns and rows of the smallest distance between two of them."""

    def __init__(self, electrode_ids: Sequence[int], um: NDArray[np.float64]) -> None:
        placed = np.isfinite(um).all(axis=1)
        self.electrode_ids = [electrode_ids[k] for k in np.flatnonzero(placed).tolist()]
        spots = um[placed]
        steps = np.concatenate([_steps(spots[:, axis]) for axis in (0, 1)]) if len(spots) else np.empty(0)
        pitch = float(steps.min()) if steps.size else 1.0
        low = spots.min(axis=0) if len(spots) else np.zeros(2)
        self.cells = (spots - low) / pitch  # column and row, from the lower left
        self.columns = float(self.cells[:, 0].max(initial=0)) + 1
        self.rows = float(self.cells[:, 1].max(initial=0)) + 1

    def cell_px(self, width: float, height: float) -> float:
        """Size of a cell where all must fit."""
        return float(min(width / self.columns, height / self.rows, 40.0))


def _steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.diff(np.unique(values))
    found: NDArray[np.float64] = steps[steps > 1e-6]
    return found


def color_of(share: float) -> str:
    """The colour of a value from 0 to 1."""
    place = min(max(share, 0.0), 1.0) * (len(_COLORS) - 1)
    k = min(int(place), len(_COLORS) - 2)
    mixed = [round(a + (b - a) * (place - k)) for a, b in zip(_COLORS[k], _COLORS[k + 1], strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def draw_values(layout: ArrayLayout, title: str, values: Mapping[int, float], unit: str) -> str:
    """A map of one number; electrodes without one stay empty."""
    known = [value for value in values.values() if isfinite(value)]
    low, high = np.percentile(known, _RANGE).tolist() if known else (0.0, 0.0)
    low = min(low, _LEAST_CONTRAST * high)
    shares = {key: (value - low) / ((high - low) or 1) for key, value in values.items() if isfinite(value)}
    cells = {number: (color_of(share), f"{number}", f"{values[number]:.3g} {unit}") for number, share in shares.items()}
    return _panel(layout, title, cells, _scale(low, high, unit, min(known) < low, max(known) > high) if known else "")


def draw_verdicts(layout: ArrayLayout, title: str, verdicts: Mapping[int, tuple[str, str]]) -> str:
    """A map of verdicts, each with its colour and initial."""
    cells = {
        number: (VERDICT_COLORS[verdict], "" if verdict == "good" else verdict[0].upper(), f"{verdict} {reason}")
        for number, (verdict, reason) in verdicts.items()
    }
    found = [verdict for verdict in VERDICT_COLORS if any(verdict == each for each, _ in verdicts.values())]
    return _panel(layout, title, cells, _key(found))


def _panel(layout: ArrayLayout, title: str, cells: Mapping[int, tuple[str, str, str]], legend: str) -> str:
    is_wide = layout.columns > 2.2 * layout.rows and layout.columns > 16
    width = _WIDEST if is_wide else _PANEL
    size = layout.cell_px(width, _MOST_HIGH if not is_wide else _PANEL)
    left = (width - size * layout.columns) / 2
    height = _TITLE + size * layout.rows
    drawn = []
    for number, (column, row) in zip(layout.electrode_ids, layout.cells.tolist(), strict=True):
        x, y = left + column * size, _TITLE + (layout.rows - 1 - row) * size
        drawn.append(_cell(number, x, y, size, cells.get(number)))
    parts = [f'<text x="{width / 2}" y="14" text-anchor="middle" font-weight="600">{shown(title)}</text>', *drawn]
    parts.append(f'<g transform="translate({(width - _PANEL) / 2:.1f} {height + 8:.1f})">{legend}</g>')
    view = f'viewBox="0 0 {width} {height + 8 + _LEGEND:.0f}" font-size="{_FONT}"'
    label = f'role="img" aria-label="{shown(title)}"'
    return f'<svg class="array{" wide" if is_wide else ""}" {view} {label}>{"".join(parts)}</svg>'


def _cell(number: int, x: float, y: float, size: float, cell: tuple[str, str, str] | None) -> str:
    """A square with its number or letter; what is known of it shows where the mouse rests."""
    box = f'x="{x + size * 0.04:.1f}" y="{y + size * 0.04:.1f}" width="{size * 0.92:.1f}" height="{size * 0.92:.1f}"'
    if cell is None:
        return f'<rect class="none" {box}><title>electrode {number}: not measured</title></rect>'
    color, text, title = cell
    rect = f'<rect fill="{color}" {box}><title>electrode {number}: {shown(title)}</title></rect>'
    if not text or size < _LETTERED:
        return rect
    font = min(size * 0.42, 11)
    ink = "#000" if _is_light(color) else "#fff"
    place = f'x="{x + size / 2:.1f}" y="{y + size / 2 + font * 0.35:.1f}" font-size="{font:.1f}"'
    return f'{rect}<text {place} text-anchor="middle" style="fill:{ink}" pointer-events="none">{shown(text)}</text>'


def _is_light(color: str) -> bool:
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return 0.3 * red + 0.59 * green + 0.11 * blue > 140


def _scale(low: float, high: float, unit: str, is_below: bool, is_above: bool) -> str:
    """A bar of colours with its ends; signs say where some values are beyond them."""
    steps = "".join(
        f'<rect x="{50 + 5 * k}" y="0" width="5.5" height="10" fill="{color_of(k / 39)}"/>' for k in range(40)
    )
    texts = (50, f"{'≤ ' if is_below else ''}{low:.3g}"), (150, unit), (250, f"{'≥ ' if is_above else ''}{high:.3g}")
    return steps + "".join(f'<text x="{x}" y="24" text-anchor="middle">{shown(text)}</text>' for x, text in texts)


def _key(verdicts: Sequence[str]) -> str:
    """A square and a word for each verdict."""
    x, y, parts = 4, 0, []
    for verdict in verdicts:
        width = 18 + 6.6 * len(verdict) + 8
        if x + width > _PANEL:
            x, y = 4, y + 16
        parts.append(f'<rect x="{x}" y="{y}" width="11" height="11" fill="{VERDICT_COLORS[verdict]}"/>')
        parts.append(f'<text x="{x + 15}" y="{y + 10}">{shown(verdict)}</text>')
        x += round(width)
    return "".join(parts)
