# SPDX-License-Identifier: MIT
"""The time of a recording on one axis: every file, its gaps, events and comments; epochs of the clock set apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..format.notebook import merged, shown, time_text
from ..format.tables import EventKind
from ..nev.file import NevFile
from ..nsx.file import NsxFile
from ..recording.epochs import epochs_of, match_epochs

_MOST_EPOCHS = 12  # more are noise: one axis for all
_BETWEEN = 0.03  # of the axis, between two epochs
_WIDTH, _LEFT, _LANE, _AXIS, _FONT = 960, 92, 22, 26, 12  # pixels
_MOST_COMMENTS = 60  # with a number each
_EVENTS_BEYOND = 0.05  # of an epoch's length: how far events outside the samples stretch the axis
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)

_Floats = NDArray[np.float64]


class TimeAxis:
    """Places on one axis of seconds; where the clock was set anew, epochs follow each other with a space between."""

    def __init__(self, epochs: Sequence[tuple[float, float]]) -> None:
        self.starts = np.array([start for start, _ in epochs], np.float64)
        self.lengths = np.array([max(stop - start, 1e-6) for start, stop in epochs], np.float64)
        space = _BETWEEN * self.lengths.sum()
        self.offsets = np.concatenate([[0.0], np.cumsum(self.lengths + space)[:-1]])
        self.total_s = float(self.offsets[-1] + self.lengths[-1])
        self.recorded_s = float(self.lengths.sum())

    def place(self, seconds: Any, epoch: Any) -> _Floats:
        """Where times of epochs are on the axis; NaN beyond the epoch's ends."""
        number = np.clip(epoch, 0, len(self.starts) - 1)
        after = np.asarray(seconds, np.float64) - self.starts[number]
        is_inside = (after >= -1e-9) & (after <= self.lengths[number] + 1e-9)
        return np.where(is_inside, after + self.offsets[number], np.nan)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and texts of round times."""
        wanted = self.total_s / 8
        step = next((step for step in _STEPS if step >= wanted), wanted)
        if wanted < 0.5:
            step = 10 ** np.floor(np.log10(wanted)) * 2
        found = []
        for start, length, offset in zip(self.starts, self.lengths, self.offsets, strict=True):
            first = np.ceil(start / step - 1e-9)
            times = [number * step for number in range(int(first), int((start + length) / step + 1e-9) + 1)][:12]
            found += [(float(time - start + offset), time_text(round(float(time), 9))) for time in times]
        return found


class Span(NamedTuple):
    """Segments of one file on the axis: ``(n, 2)``, and the places of gaps too short to be seen."""

    name: str
    spans: _Floats
    losses: _Floats


class RecordingTimes:
    """When the files of a recording have data, and what happened when.

    Parameters
    ----------
    files : mapping of str to NsxFile and NevFile
        By suffix.
    """

    def __init__(self, files: dict[str, NsxFile | NevFile]) -> None:
        self._continuous = {suffix: file for suffix, file in files.items() if isinstance(file, NsxFile)}
        self.nev = next((file for file in files.values() if isinstance(file, NevFile)), None)
        most = max(self._continuous.values(), key=lambda ns: len(ns.epochs), default=None)
        self._epochs = epochs_of(most, most.tick_rate) if most else ()
        self._is_split = 1 < len(most.epochs if most else self.nev.epochs if self.nev else ()) <= _MOST_EPOCHS
        self._of_segments = {suffix: self._segment_epochs(ns, most) for suffix, ns in self._continuous.items()}
        known = self.nev._packets.with_known_kind() if self.nev else np.empty(0, np.intp)
        self._seconds = self.nev.seconds(self.nev._packets.heads.tick[known]) if self.nev else np.empty(0)
        self._packet_epochs = self.epochs_of_packets(known)
        self.axis = TimeAxis(self._extents())
        self.lanes = [self._lane(suffix, ns) for suffix, ns in self._continuous.items()]

    def _segment_epochs(self, ns: NsxFile, most: NsxFile | None) -> NDArray[np.int64]:
        """The epoch of each segment of a file."""
        numbers = np.zeros(len(ns.segments), np.int64)
        if self._is_split and most is not None:
            matched = match_epochs(epochs_of(ns, most.tick_rate), self._epochs)
            for number, segments in zip(matched, ns.epochs, strict=True):
                numbers[segments.start : segments.stop] = number
        return numbers

    def epochs_of_packets(self, packets: NDArray[np.intp]) -> NDArray[Any]:
        """The epoch of each of some packets of the NEV; zeros where the clock was not set anew."""
        if not self._is_split or self.nev is None:
            return np.zeros(packets.size, np.int64)
        return np.maximum(self.nev.packet_epochs.epoch[packets], 0)

    def _extents(self) -> list[tuple[float, float]]:
        """First and last second of each epoch: of its samples, and of events not far from them."""
        spans = [ns.spans_s for ns in self._continuous.values()]
        numbers = [self._of_segments[suffix] for suffix in self._continuous]
        span, number = np.concatenate([np.empty((0, 2)), *spans]), np.concatenate([np.empty(0, np.int64), *numbers])
        n_epochs = 1 + int(max(number.max(initial=0), self._packet_epochs.max(initial=0)))
        return [_extent(span[number == k], self._seconds[self._packet_epochs == k]) for k in range(n_epochs)]

    @property
    def n_epochs(self) -> int:
        """Epochs that are set apart."""
        return len(self.axis.starts)

    def spans_s(self, suffix: str, epoch: int) -> _Floats:
        """When a file has data in an epoch, in seconds, ``(n, 2)``; of the NEV from its first packet to its last."""
        if suffix in self._continuous:
            spans: _Floats = self._continuous[suffix].spans_s[self._of_segments[suffix] == epoch]
            return spans
        seconds = self._seconds[self._packet_epochs == epoch]
        return np.array([[seconds.min(), seconds.max()]]) if seconds.size else np.empty((0, 2))

    def _lane(self, suffix: str, ns: NsxFile) -> Span:
        numbers = self._of_segments[suffix]
        spans = np.stack([self.axis.place(ns.spans_s[:, side], numbers) for side in (0, 1)], axis=1)
        losses = [spans[gap.after_segment, 1] for gap in ns.gaps if gap.kind in ("loss", "overlap")]
        return Span(suffix, spans[np.isfinite(spans).all(axis=1)], np.array(losses, np.float64))

    def places(self, kind: EventKind) -> _Floats:
        """Where the events of a kind are on the axis, in file order; NaN beyond its ends."""
        if self.nev is None:
            return np.empty(0)
        packets = self.nev.packets_of(kind)
        ticks = self.nev._packets.heads.tick[packets]
        return self.axis.place(self.nev.seconds(ticks), self.epochs_of_packets(packets))


def _extent(spans: _Floats, seconds: _Floats) -> tuple[float, float]:
    if not len(spans):
        return (float(seconds.min()), float(seconds.max())) if seconds.size else (0.0, 0.0)
    start, stop = float(spans[:, 0].min()), float(spans[:, 1].max())
    beyond = _EVENTS_BEYOND * (stop - start)
    near = seconds[(seconds >= start - beyond) & (seconds <= stop + beyond)]
    return min([start, *near[:1], float(near.min(initial=start))]), max(stop, float(near.max(initial=stop)))


# -------------------------------------------------------------------------------------------------------- drawing
def draw_timeline(times: RecordingTimes) -> str:
    """The timeline as inline SVG, in the colours of the page."""
    per_s = (_WIDTH - _LEFT - 10) / times.axis.total_s
    rows = [_file_lane(lane, per_s, k * _LANE) for k, lane in enumerate(times.lanes)]
    rows += _event_lanes(times, per_s, len(rows) * _LANE)
    height = len(rows) * _LANE
    axis = [_axis_tick(place, text, per_s, height) for place, text in _spaced(times.axis.ticks(), per_s)]
    edges = [_epoch_edge(times.axis, k, per_s, height) for k in range(1, len(times.axis.starts))]
    size = f'viewBox="0 0 {_WIDTH} {height + _AXIS}" width="100%" font-size="{_FONT}"'
    label = 'role="img" aria-label="Timeline of every file"'
    return f'<svg class="timeline" {size} {label}>{"".join([*edges, *axis, *rows])}</svg>'


def _spaced(ticks: Iterable[tuple[float, str]], per_s: float) -> Iterable[tuple[float, str]]:
    """Ticks whose texts do not touch each other."""
    free = 0.0
    for place, text in ticks:
        half = 4.5 * len(text)
        x = min(_LEFT + place * per_s, _WIDTH - half)
        if x - half >= free:
            free = x + half + 4
            yield place, text


def _axis_tick(place: float, text: str, per_s: float, height: int) -> str:
    x = _LEFT + place * per_s
    anchor = "end" if x > _WIDTH - 4 * len(text) else "middle"
    line = f'<path class="grid" d="M{x:.1f} 0V{height + 4}"/>'
    return f'{line}<text x="{x:.1f}" y="{height + 18}" text-anchor="{anchor}">{shown(text)}</text>'


def _epoch_edge(axis: TimeAxis, number: int, per_s: float, height: int) -> str:
    a = _LEFT + (axis.offsets[number - 1] + axis.lengths[number - 1]) * per_s
    b = _LEFT + axis.offsets[number] * per_s
    title = "<title>the clock was set anew: times after this count by another clock</title>"
    return f'<rect class="reset" x="{a:.1f}" y="0" width="{b - a:.1f}" height="{height}">{title}</rect>'


def _name(text: str, y: int) -> str:
    return f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{shown(text)}</text>'


def _file_lane(lane: Span, per_s: float, y: int) -> str:
    bars = "".join(
        f"M{_LEFT + a:.2f} {y + 4}h{max(b - a, 0.6):.2f}v{_LANE - 8}h{-max(b - a, 0.6):.2f}z"
        for a, b in merged(lane.spans * per_s)
    )
    lost = _ticks_path(lane.losses, per_s, y + 2, _LANE - 4)
    title = f"<title>{len(lane.spans)} unbroken parts; red: samples lost or overlapping</title>"
    return f'{_name(lane.name, y)}<path class="data" d="{bars}">{title}</path><path class="lost" d="{lost}"/>'


def _ticks_path(places: _Floats, per_s: float, y: int, height: int) -> str:
    """A vertical line at each place, no more than can be seen."""
    xs = np.unique(np.round(places[np.isfinite(places)] * per_s * 2) / 2)
    return "".join(f"M{_LEFT + x:.1f} {y}v{height}" for x in xs)


def _event_lanes(times: RecordingTimes, per_s: float, y: int) -> list[str]:
    """A lane for each kind of event; comments with their numbers."""
    rows: list[str] = []
    for kind, count in (times.nev.kinds() if times.nev is not None else {}).items():
        if kind == "unknown":
            continue
        top, places = y + len(rows) * _LANE, times.places(kind)
        if kind == "spike":
            marks = f'<path class="rate" d="{_area(places, per_s, top)}"/>'
        else:
            marks = f'<path class="event" d="{_ticks_path(places, per_s, top + 4, _LANE - 8)}"/>'
        rows.append(f"{_name(kind.replace('_', ' '), top)}<g>{marks}<title>{count} {kind}</title></g>")
    return rows


def _area(places: _Floats, per_s: float, y: int) -> str:
    """How many there are at each pixel, as an area."""
    width = _WIDTH - _LEFT - 10
    counts = np.bincount((places[np.isfinite(places)] * per_s / 2).astype(np.int64), minlength=width // 2 + 1)
    heights = counts / max(1, counts.max()) * (_LANE - 4)
    line = "".join(f"L{_LEFT + 2 * k} {y + _LANE - 1 - h:.1f}h2" for k, h in enumerate(heights.tolist()))
    return f"M{_LEFT} {y + _LANE - 1}{line}V{y + _LANE - 1}z"
