# SPDX-License-Identifier: MIT
"""One unbroken stretch of samples, and what going through a file in chunks gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _index

if TYPE_CHECKING:
    from .nsx import NsxFile


class Chunk(NamedTuple):
    """Some rows of one segment: `samples` are its rows from `start` on."""

    segment: int
    start: int
    samples: NDArray[Any]


class Segment:
    """One unbroken stretch of samples.

    Nearly always that is one block of the file. Where a recorder wrote several blocks that adjoin in time (within
    half a sample), they are one segment with several `blocks`.
    """

    __slots__ = ("_file", "_run", "index")

    def __init__(self, file: NsxFile, index: int, run: _index.Run) -> None:
        self._file, self._run, self.index = file, run, index

    def __repr__(self) -> str:
        return f"Segment({self.index}: {self.n_samples} samples from tick {self.start_tick})"

    @property
    def start_tick(self) -> int:
        """Timestamp of the first sample, in the file's clock."""
        return self._run.start_tick

    @property
    def n_samples(self) -> int:
        """Samples of each channel."""
        return self._run.n_samples

    @property
    def stop_tick(self) -> int:
        """Time of the sample that would follow the last one, rounded down to whole ticks."""
        tick, n_samples = self._file._index.last_tick(self._run)
        return tick + n_samples * self._file.clock.num // self._file.clock.den

    def pieces(self, start: int, stop: int, *, sort: bool = False) -> Iterator[_index.Piece]:
        """Where the rows of samples `start` to `stop` lie in the file, in order."""
        return self._file._index.pieces(self._run, start, stop, sort)

    def find(self, tick: int) -> int:
        """First sample that is not before `tick`; `n_samples` where all are."""
        return self._file._index.find(self._run, tick)

    @property
    def n_blocks(self) -> int:
        """Pieces that the samples lie in: 1 where `samples` is a view."""
        return sum(1 for _ in self.pieces(0, self.n_samples))

    @property
    def blocks(self) -> tuple[NDArray[Any], ...]:
        """Read-only views of the file, one for each block: zero copy, each ``(n, n_channels)``."""
        return tuple(self._file._view(piece) for piece in self.pieces(0, self.n_samples))

    @property
    def samples(self) -> NDArray[Any]:
        """All samples, ``(n_samples, n_channels)``.

        A read-only view of the file, zero copy, wherever the segment lies in one piece. Where it spans several
        blocks their headers stand between the samples: it is put together in memory then, and `blocks` and
        `NsxFile.chunks` give the views.
        """
        blocks = self.blocks
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = False) -> NDArray[np.uint64]:
        """Timestamps of samples `start` to `stop`, uint64, in the file's clock.

        As recorded where the file has one for each sample; else counted from the block's own timestamp at the
        nominal rate, rounded down to whole ticks. `sort` puts samples that stand out of order right, as in
        `NsxFile.read`.
        """
        a, b, _ = slice(start, stop).indices(self.n_samples)
        return self._file._index.ticks(self._run, a, max(a, b), sort)

    def seconds(
        self, start: int | None = None, stop: int | None = None, *, origin_tick: int = 0
    ) -> NDArray[np.float64]:
        """Times of samples `start` to `stop` in seconds after `origin_tick`, float64.

        The default counts from tick 0 of the clock, which the NEV of the recording shares. For a clock that counts
        nanoseconds since 1970 give an origin in the recording: float64 resolves only 0.2 µs of such numbers.
        """
        after = self.ticks(start, stop) - np.uint64(origin_tick)
        seconds: NDArray[np.float64] = (after if origin_tick == 0 else after.view(np.int64)) / self._file.tick_rate
        return seconds
