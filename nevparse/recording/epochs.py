# SPDX-License-Identifier: MIT
"""The epochs of a recording: the times between two settings of its clock, as its continuous files have them."""

from __future__ import annotations

from collections.abc import Sequence

from ..clock import Epoch, ticks_recorded
from ..nsx.file import NsxFile


def epochs_of(file: NsxFile, tick_rate: int | None = None) -> tuple[Epoch, ...]:
    """Epochs of a continuous file in ticks of a rate, by default its own."""
    to_rate, from_rate, epochs = tick_rate or file.tick_rate, file.tick_rate, []
    for numbers in file.epochs:
        start, stop = ticks_recorded(file.segments[numbers.start : numbers.stop])
        epochs.append(Epoch(start * to_rate // from_rate, -(-stop * to_rate // from_rate)))
    return tuple(epochs)


def match_epochs(some: Sequence[Epoch], epochs: Sequence[Epoch]) -> tuple[int, ...]:
    """For each of a file's epochs the one of the recording that it overlaps, in order; the later where several fit."""
    if len(some) >= len(epochs):
        return tuple(range(len(some)))
    best: list[tuple[int, tuple[int, ...]]] = [(0, ())] * (len(epochs) + 1)  # of the first epochs of both
    for mine in some:
        longer: list[tuple[int, tuple[int, ...]]] = [(-1, ())]
        for number, other in enumerate(epochs):
            overlap, path = best[number]
            shared = max(0, min(mine.stop_tick, other.stop_tick) - max(mine.start_tick, other.start_tick))
            longer.append(max(longer[-1], (overlap + shared, (*path, number)) if overlap >= 0 else (-1, ())))
        best = longer
    return best[-1][1]


def most_epochs(files: Sequence[NsxFile]) -> NsxFile:
    """The continuous file with the most epochs; of several the fastest, which is the last."""
    return max(reversed(files), key=lambda file: len(file.epochs))


class EpochFinder:
    """Finds the epochs of continuous files in ticks of a rate, again only where one of the files has grown."""

    def __init__(self, files: Sequence[NsxFile], tick_rate: int) -> None:
        self._files, self._tick_rate = tuple(files), tick_rate
        self._found: tuple[Epoch, ...] | None = None
        self._of: list[object] = []

    def __call__(self) -> tuple[Epoch, ...] | None:
        """The epochs; None while no file has a sample."""
        now = [file._recorded for file in self._files]
        if len(now) != len(self._of) or any(one is not other for one, other in zip(now, self._of, strict=True)):
            files = [file for file in self._files if file.n_samples]
            self._found = epochs_of(most_epochs(files), self._tick_rate) if files else None
            self._of = list(now)
        return self._found
