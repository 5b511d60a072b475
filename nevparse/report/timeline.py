# SPDX-License-Identifier: MIT
"""When the files of a recording have data and events, on one axis; epochs of the clock are set apart on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..format.notebook import time_text
from ..format.tables import EventKind
from ..nev.file import NevFile
from ..nsx.file import NsxFile
from ..recording.epochs import epochs_of, match_epochs

_MOST_EPOCHS = 12  # more are noise: one axis for all
_BETWEEN = 0.03  # of the axis, between two epochs
_LEAST_APART = 0.07  # of the axis, from one text below it to the next
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
        """Places and texts of round times, so far apart that the texts do not touch."""
        wanted = self.total_s / 8
        step = next((step for step in _STEPS if step >= wanted), wanted)
        if wanted < 0.5:
            step = 10 ** np.floor(np.log10(wanted)) * 2
        found = list[tuple[float, str]]()
        for start, length, offset in zip(self.starts, self.lengths, self.offsets, strict=True):
            first = np.ceil(start / step - 1e-9)
            times = [number * step for number in range(int(first), int((start + length) / step + 1e-9) + 1)][:12]
            for place, time in ((float(time - start + offset), float(time)) for time in times):
                if not found or place - found[-1][0] >= _LEAST_APART * self.total_s:
                    found.append((place, time_text(round(time, 9))))
        return found


class FileLane(NamedTuple):
    """Segments of one file on the axis, ``(n, 2)``, and the places where samples are lost or overlap."""

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
        known = self.nev._packets.timed() if self.nev else np.empty(0, np.intp)
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

    def _lane(self, suffix: str, ns: NsxFile) -> FileLane:
        numbers = self._of_segments[suffix]
        spans = np.stack([self.axis.place(ns.spans_s[:, side], numbers) for side in (0, 1)], axis=1)
        losses = [spans[gap.after_segment, 1] for gap in ns.gaps if gap.kind in ("loss", "overlap")]
        return FileLane(suffix, spans[np.isfinite(spans).all(axis=1)], np.array(losses, np.float64))

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
