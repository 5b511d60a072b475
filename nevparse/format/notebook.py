# SPDX-License-Identifier: MIT
"""How objects show themselves in a notebook: a small table, and bars of time in inline SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .text import duration_text, printable

BAR_COLOR = "#3b78c3"
_WIDTH, _LANE, _NAMES, _FONT = 560, 18, 70, 11  # pixels
_MAX_LANES = 12
_CELL_STYLE = "text-align:left;vertical-align:top;padding:1px 12px 1px 0"


class Lane(NamedTuple):
    """One bar of a timeline.

    Parameters
    ----------
    name : str
        What stands before it.
    spans_s : array_like
        Where there is data, in seconds, ``(n, 2)``.
    """

    name: str
    spans_s: ArrayLike


def shown(text: object) -> str:
    """Text as HTML: escaped, and what a terminal would obey made visible."""
    from html import escape  # only a notebook needs it

    return escape(printable(str(text)))


def summary_html(title: str, rows: Iterable[tuple[str, object]], lanes: Sequence[Lane] = ()) -> str:
    """A title, a table of what is known (empty values left out), and a timeline."""
    cells = "".join(
        f'<tr><th style="{_CELL_STYLE}">{shown(name)}</th><td style="{_CELL_STYLE}">{shown(value)}</td></tr>'
        for name, value in rows
        if value not in (None, "")
    )
    head = f"<div><b>{shown(title)}</b></div>"
    return f'<div>{head}<table style="border-collapse:collapse">{cells}</table>{timeline_svg(lanes)}</div>'


def timeline_svg(lanes: Sequence[Lane]) -> str:
    """Bars on one axis in seconds, gaps left empty; nothing where no lane has data."""
    spans = [np.asarray(lane.spans_s, np.float64).reshape(-1, 2) for lane in lanes[:_MAX_LANES]]
    ends = np.concatenate([each.ravel() for each in spans]) if spans else np.empty(0)
    if not ends.size:
        return ""
    first, last = float(ends.min()), float(ends.max())
    per_s = (_WIDTH - _NAMES) / max(last - first, 1e-9)
    height = len(spans) * _LANE + _FONT + 6
    with np.errstate(under="ignore"):
        parts = [_bar(lanes[k].name, (each - first) * per_s, k * _LANE) for k, each in enumerate(spans)]
    y = height - 3
    parts.append(f'<text x="{_NAMES}" y="{y}">{shown(time_text(first))}</text>')
    parts.append(f'<text x="{_WIDTH}" y="{y}" text-anchor="end">{shown(time_text(last))}</text>')
    style = f'font-size="{_FONT}" font-family="sans-serif" fill="currentColor" style="max-width:100%"'
    return f'<svg width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" {style}>{"".join(parts)}</svg>'


def _bar(name: str, spans: NDArray[np.float64], y: int) -> str:
    """A lane with its name; `spans` are in pixels."""
    width = _WIDTH - _NAMES
    ground = f'<rect x="{_NAMES}" y="{y + 3}" width="{width}" height="{_LANE - 6}" fill-opacity="0.12"/>'
    bars = ((_NAMES + a, max(b - a, 0.5)) for a, b in joined_spans(spans))
    path = "".join(f"M{left:.6g} {y + 3}h{long:.6g}v{_LANE - 6}h{-long:.6g}z" for left, long in bars)
    label = f'<text x="0" y="{y + _LANE - 5}">{shown(name[:10])}</text>'
    return f'{label}{ground}<path d="{path}" fill="{BAR_COLOR}"/>'


def joined_spans(spans: NDArray[np.float64], smallest: float = 0.5) -> NDArray[np.float64]:
    """Ranges in order, joined where nothing as wide as `smallest` is between them: no more than can be seen."""
    if not len(spans):
        return spans
    ordered = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ordered[:, 1])
    starts = np.concatenate([[True], ordered[1:, 0] > reach[:-1] + smallest])
    first = np.flatnonzero(starts)
    return np.stack([ordered[first, 0], reach[np.append(first[1:], len(reach)) - 1]], axis=1)


def time_text(seconds: float) -> str:
    """A time after the first sample, which may be before it."""
    return f"-{duration_text(-seconds)}" if seconds < 0 else "0 s" if seconds == 0 else duration_text(seconds)
