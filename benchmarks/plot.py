"""The benchmark's table as a drawing: one bar for each method of each job, with a logarithmic time axis."""

from __future__ import annotations

from html import escape
from math import log10
from typing import Any

_LABEL_PX, _BAR_PX, _ROW_PX, _MARGIN_PX = 380, 420, 20, 16
_OURS, _OTHER = "#c2571a", "#9aa5b1"


def svg(measured: dict[str, dict[str, Any]]) -> str:
    """Draw the median time of every method."""
    y, parts = _MARGIN_PX, []
    for job, methods in measured.items():
        timed = {name: method["median_s"] for name, method in methods.items() if "median_s" in method}
        y += _ROW_PX
        parts.append(f'<text x="{_MARGIN_PX}" y="{y}" font-weight="bold">{escape(job)}</text>')
        for name, seconds in timed.items():
            y += _ROW_PX
            parts.append(_bar(name, seconds, min(timed.values()), max(timed.values()), y))
        y += _ROW_PX // 2
    width, height = 2 * _MARGIN_PX + _LABEL_PX + _BAR_PX + 120, y + _MARGIN_PX
    size = f'width="{width}" height="{height}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>", ""])


def _bar(name: str, seconds: float, least: float, most: float, y: int) -> str:
    decades = log10(most / least) + 0.3
    length = _BAR_PX * (log10(seconds / least) + 0.3) / decades
    color = _OURS if name.startswith("nevparse") else _OTHER
    x = _MARGIN_PX + _LABEL_PX
    return (
        f'<text x="{x - 6}" y="{y}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{x}" y="{y - 11}" width="{length:.1f}" height="14" fill="{color}"/>'
        f'<text x="{x + length + 5:.1f}" y="{y}">{seconds:.3g} s, {seconds / least:.3g} x</text>'
    )
