# SPDX-License-Identifier: MIT
"""Figures of the page, drawn by matplotlib as SVG in the page's colours; what has many points is a picture in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from ..format.notebook import joined_spans
from .array_view import VERDICT_COLORS, ArrayLayout
from .quality import FAULTLESS, unit_text
from .spikes import SpikeSummary, UnitShape
from .timeline import RecordingTimes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#010203"  # stands for the colour of the page's text, which replaces it
_ACCENT, _BAND, _PLAIN = "#3b78c3", "#7ba6dc", "#64748b"  # on paper and in the dark
_EVENT, _LOST, _RESET = "#e08e0b", "#d1495b", "#8a929e"
_FAULTY = ("#d1495b", "#e08e0b", "#2a9d8f", "#8e5bb5", "#b5651d")
_UNITS = ("#3b78c3", "#d1495b", "#2a9d8f", "#e08e0b", "#8e5bb5", "#5a7d2a")
_OTHERS = {"unclassified": "#8a929e", "noise": "#c4a484", "reserved": "#8a929e"}
_INCHES, _DPI = 9.6, 110
_MOST_POINTS = 20_000  # of one figure as lines; more are a picture
_TRACE_POINTS = 1600
_SEEN = 2000  # places across a figure: nothing finer is seen
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "path",
    "text.parse_math": False,
    "axes.unicode_minus": False,
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
}


def check_matplotlib() -> None:
    """Raise ExportError with what to install where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401 - only a page needs it
    except ImportError as error:
        advice = 'python -m pip install matplotlib, or nevparse with its extra "report"'
        raise ExportError(f"a report is drawn by matplotlib, which is not installed: {advice}") from error


def draw(name: str, height: float, paint: Callable[[Figure], object], label: str) -> str:
    """One figure as inline SVG; `name` keeps its ids apart from those of other figures."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with rc_context({**_STYLE, "svg.hashsalt": name}), np.errstate(all="ignore"):
        figure, out = Figure(figsize=(_INCHES, height), dpi=_DPI), StringIO()
        FigureCanvasSVG(figure)  # the layout needs the widths that text has in an SVG
        paint(figure)
        ConstrainedLayoutEngine().execute(figure)  # a layout of the figure's own would draw all of it once more
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    head = f'<svg class="figure" role="img" aria-label="{label}" '
    sized = re.sub(
        r"^<svg (.*?)>", lambda m: head + re.sub(r'(width|height)="[^"]*pt"', "", m[1]) + ">", svg, flags=re.DOTALL
    )
    return sized.replace(_INK, "currentColor")


def plain_label(label: str, electrode_id: int) -> str:
    """A label as figures can have it: in the letters of their font, else the electrode's number."""
    return label if label and label.isascii() and label.isprintable() else f"electrode {electrode_id}"


# ----------------------------------------------------------------------------------------------------------- time
def draw_timeline(times: RecordingTimes) -> str:
    """A lane for each file, with its gaps, and for each kind of event."""
    total_s, n_files = times.axis.total_s, len(times.lanes)
    kinds = [kind for kind in (times.nev.kinds() if times.nev is not None else ()) if kind != "unknown"]
    names = [*(lane.name for lane in times.lanes), *(kind.replace("_", " ") for kind in kinds)]

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for y, lane in enumerate(times.lanes):
            bars = [(a, b - a) for a, b in joined_spans(lane.spans, total_s / _SEEN)]
            axes.broken_barh(bars, (y - 0.3, 0.6), color=_ACCENT, lw=0.4)
            axes.vlines(_seen(lane.losses, total_s), y - 0.42, y + 0.42, color=_LOST, lw=1.2)
        for y, kind in enumerate(kinds, n_files):
            places = times.places(kind)
            if kind == "spike":
                counts, edges = np.histogram(places[np.isfinite(places)], 430, (0, total_s))
                axes.stairs(
                    y + 0.4 - 0.8 * counts / max(1, counts.max()), edges, baseline=y + 0.4, fill=True, color=_BAND
                )
            else:
                axes.vlines(_seen(places, total_s), y - 0.3, y + 0.3, color=_EVENT, lw=0.8)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlim=(0, total_s), ylim=(max(1, len(names)) - 0.5, -0.5))
        axes.spines["left"].set_visible(False)
        axes.tick_params(left=False)
        _mark_epochs(times, axes)

    return draw("timeline", 0.6 + 0.22 * len(names), paint, "Timeline of every file")


def _seen(places: NDArray[np.float64], total_s: float) -> NDArray[np.float64]:
    """Places on the axis, those that nobody can tell apart as one."""
    step_s = total_s / _SEEN
    return np.unique(np.round(places[np.isfinite(places)] / step_s)) * step_s


def _mark_epochs(times: RecordingTimes, *all_axes: Axes) -> None:
    """The page's own times below, and a band where the clock was set anew."""
    axis, ticks = times.axis, times.axis.ticks()
    for axes in all_axes:
        axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        for number in range(1, len(axis.starts)):
            stop = axis.offsets[number - 1] + axis.lengths[number - 1]
            axes.axvspan(stop, axis.offsets[number], color=_RESET, alpha=0.3, lw=0)


# -------------------------------------------------------------------------------------------------------- spectra
def draw_spectra(frequencies: NDArray[np.float64], power: NDArray[np.float32], rows: NDArray[np.void]) -> str:
    """Median and range of the power spectra of all channels, and those that are not like them."""
    edges = np.geomspace(max(frequencies[1], 0.5), frequencies[-1], 320)
    numbers = np.searchsorted(edges, frequencies[1:], "right")
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    sizes = np.diff(np.append(starts, numbers.size))
    binned = np.maximum(np.add.reduceat(power[:, 1:], starts, axis=1) / sizes, 1e-12)
    centers = np.add.reduceat(frequencies[1:], starts) / sizes
    faulty = np.flatnonzero(np.isin(rows["verdict"], ("hum", "noisy", "unlike its neighbours", "dead")))[: len(_FAULTY)]

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        low, middle, high = np.percentile(binned, [5, 50, 95], axis=0)
        ends = binned.min(axis=0), binned.max(axis=0)
        axes.fill_between(centers, *ends, color=_BAND, alpha=0.2, lw=0, label="all")
        axes.fill_between(centers, low, high, color=_BAND, alpha=0.45, lw=0, label="5 to 95 % of channels")
        axes.plot(centers, middle, color=_ACCENT, lw=1.4, label="median")
        for color, number in zip(_FAULTY, faulty, strict=False):
            row = rows[number]
            name = f"{plain_label(str(row['label']), int(row['electrode_id']))}: {row['verdict']}"
            axes.plot(centers, binned[number], color=color, lw=0.9, label=name)
        axes.set(xscale="log", yscale="log", xlabel="frequency (Hz)", ylabel=f"power ({unit_text(rows)}²/Hz)")
        axes.set_xlim(centers[0], centers[-1])
        axes.set_ylim(max(1e-12, low.min() / 10), None)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.yaxis.set_minor_formatter("")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8)

    return draw("spectra", 3.4, paint, "Power spectra")


# --------------------------------------------------------------------------------------------------------- traces
def draw_traces(start_s: float, seconds: float, traces: NDArray[np.float32], rows: NDArray[np.void]) -> str:
    """Some seconds of some channels, one above the other; `traces` are ``(n_channels, n_samples)``.

    Channels that are not all electrodes have a scale each.
    """
    unit = unit_text(rows) if (rows["kind"] == "neural").all() else ""
    n_samples = traces.shape[1]
    size = max(1, -(-n_samples // (_TRACE_POINTS // 2)))
    each = np.percentile(traces, 99, axis=1) - np.percentile(traces, 1, axis=1)
    spread = float(np.median(each)) or 1.0
    spreads = np.full(len(traces), spread) if unit else np.where(each > 0, each, 1.0)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for k, (trace, row) in enumerate(zip(traces, rows, strict=True)):
            x, y = _envelope(trace - np.median(trace), size)
            color = _PLAIN if row["verdict"] in FAULTLESS else VERDICT_COLORS[str(row["verdict"])]
            limited = np.clip(y / spreads[k], -0.75, 0.75) - k
            axes.plot(start_s + x * (seconds / n_samples), limited, color=color, lw=0.5, rasterized=True)
        names = [plain_label(str(row["label"]), int(row["electrode_id"])) for row in rows]
        axes.set_yticks([-k for k in range(len(rows))], names)
        axes.set(xlabel="seconds", ylim=(-len(rows) + 0.1, 0.9), xlim=(start_s, start_s + seconds))
        axes.spines["left"].set_visible(False)
        axes.tick_params(left=False)
        scale = f"{spread:.3g} {unit}\nbetween\ntwo lines" if unit else "each in\nits own\nscale"
        axes.text(1.005, 0.5, scale, transform=axes.transAxes, va="center")

    return draw("traces", 1 + 0.3 * len(rows), paint, "Some seconds of some channels")


def _envelope(trace: NDArray[Any], size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lowest and highest value of every `size` samples, so that no peak is lost."""
    if size == 1:
        return np.arange(trace.size), trace
    n_bins = trace.size // size
    parts = trace[: n_bins * size].reshape(n_bins, size)
    both = np.stack([parts.min(axis=1), parts.max(axis=1)], axis=1).ravel()
    return np.repeat(np.arange(n_bins) * size, 2) + np.tile([0.25, 0.75], n_bins) * size, both


# --------------------------------------------------------------------------------------------------------- spikes
def draw_raster(summary: SpikeSummary, times: RecordingTimes) -> str:
    """Spikes of every electrode over the whole recording, and the rate of all."""
    counts, axis = summary.counts, times.axis
    per_s = counts / (axis.total_s / counts.shape[1])
    height = min(6.0, 1.6 + 0.022 * max(40, len(counts)))

    def paint(figure: Figure) -> None:
        raster, rate = figure.subplots(2, 1, sharex=True, height_ratios=[max(1.5, height - 1.3), 1])
        dark = np.sqrt(per_s / (np.percentile(per_s[per_s > 0], 98) if (per_s > 0).any() else 1))
        shown = np.zeros((*counts.shape, 4), np.float32)
        shown[..., :3] = [int(_ACCENT[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        shown[..., 3] = np.clip(dark, 0, 1)
        extent = (0.0, axis.total_s, len(counts) - 0.5, -0.5)
        raster.imshow(shown, aspect="auto", interpolation="nearest", extent=extent, rasterized=True)
        raster.set(ylabel="electrode")
        labelled = np.unique(np.linspace(0, len(counts) - 1, min(len(counts), 9)).astype(int))
        raster.set_yticks(labelled, [str(summary.electrode_ids[k]) for k in labelled])
        middle = (np.arange(counts.shape[1]) + 0.5) * axis.total_s / counts.shape[1]
        rate.fill_between(middle, per_s.sum(axis=0) / max(1, len(counts)), color=_ACCENT, alpha=0.6, lw=0, step="mid")
        rate.set(ylabel="spikes/s\nper electrode", xlim=(0, axis.total_s), ylim=(0, None))
        _mark_epochs(times, raster, rate)

    return draw("raster", height, paint, "Spikes of every electrode over time")


def draw_waveforms(layout: ArrayLayout, shapes: Sequence[UnitShape], unit: str) -> str:
    """Mean waveform and deviation of each unit, at the place of its electrode."""
    place = dict(zip(layout.electrode_ids, layout.cells.tolist(), strict=True))
    shown = [shape for shape in shapes if shape.electrode_id in place and shape.mean.size > 1]
    shown = [shape for shape in shown if shape.kind != "noise"] or shown
    peaks = [float(np.abs(shape.mean).max()) for shape in shown]
    scale = float(np.percentile(peaks, 90)) * 1.25 or 1.0 if peaks else 1.0

    def paint(figure: Figure) -> None:
        from matplotlib.collections import LineCollection, PolyCollection

        axes = figure.add_subplot()
        axes.set_axis_off()
        lines, bands, colors = [], [], []
        for shape in shown:
            column, row = place[shape.electrode_id]
            x = column + 0.06 + 0.88 * np.linspace(0, 1, shape.mean.size)
            y, d = (np.clip(each / scale, -1.1, 1.1) * 0.46 for each in (shape.mean, shape.deviation))
            upper, lower = (np.clip(row + 0.5 + edge, row, row + 1) for edge in (y + d, y - d))
            lines.append(np.stack([x, np.clip(row + 0.5 + y, row, row + 1)], axis=1))
            bands.append(np.concatenate([np.stack([x, upper], axis=1), np.stack([x, lower], axis=1)[::-1]]))
            colors.append(unit_color(shape))
        is_picture = sum(len(line) for line in lines) > _MOST_POINTS
        axes.add_collection(PolyCollection(bands, facecolors=colors, alpha=0.18, lw=0, rasterized=True))
        axes.add_collection(LineCollection(lines, colors=colors, lw=0.9, rasterized=is_picture))
        _write_electrodes(axes, layout)
        axes.set(xlim=(-0.05, layout.columns + 0.05), ylim=(-0.05, layout.rows + 0.05))
        note = f"height of a cell: {2 * scale / 0.92:.3g} {unit}"
        axes.text(1, -0.01, note, transform=axes.transAxes, ha="right", va="top", fontsize=8)

    height = min(8.5, max(1.2, 0.65 * layout.rows))
    return draw("waveforms", height, paint, "Mean waveform of each unit")


def unit_color(shape: UnitShape) -> str:
    """Of sorted units by their number; grey where a spike is of no unit."""
    return _OTHERS.get(shape.kind) or _UNITS[(shape.unit - 1) % len(_UNITS)]


def _write_electrodes(axes: Axes, layout: ArrayLayout) -> None:
    """A frame around each electrode, and its number in small cells' stead where they are too many."""
    from matplotlib.collections import PolyCollection

    corners = np.array([[0.02, 0.02], [0.98, 0.02], [0.98, 0.98], [0.02, 0.98]])
    frames = layout.cells[:, None, :] + corners
    axes.add_collection(PolyCollection(list(frames), facecolors="none", edgecolors="#8a929e55", lw=0.5))
    if layout.columns <= 24:
        for number, (column, row) in zip(layout.electrode_ids, layout.cells.tolist(), strict=True):
            axes.text(column + 0.06, row + 0.94, str(number), fontsize=5.5, va="top", color="#8a929e")


# ---------------------------------------------------------------------------------------------------------- words
def draw_words(kinds: Sequence[tuple[str, NDArray[np.float64], NDArray[Any]]], times: RecordingTimes) -> str:
    """Values of digital and serial input over time."""

    def paint(figure: Figure) -> None:
        grid = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (kind, places, values) in zip(grid, kinds, strict=True):
            is_picture = values.size > _MOST_POINTS // 10
            axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)
            axes.plot(places, values, ".", ms=5, color=_ACCENT, alpha=0.7, mew=0, rasterized=is_picture)
            axes.yaxis.set_major_formatter("{x:.0f}")
            axes.set(ylabel=f"{kind}\nvalue", xlim=(0, times.axis.total_s))
        _mark_epochs(times, *grid)

    return draw("words", 0.5 + 1.5 * len(kinds), paint, "Digital and serial words over time")
