# SPDX-License-Identifier: MIT
"""One unbroken stretch of samples, an array that stays in its file; and what going through a file in chunks gives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Gap, SegmentSpan
from ..source.reference import FileReference, file_behind, reference_to
from ..traces.pieces import Extent, index_rows
from .index import Index, gaps_between_segments

if TYPE_CHECKING:
    from .file import NsxFile


class Chunk(NamedTuple):
    """Some rows of one segment: `samples` are its rows from `start` on."""

    segment: int
    start: int
    samples: NDArray[Any]


def check_chunk_length(n_samples: int) -> None:
    """Raise where chunks would have no rows."""
    if n_samples < 1:
        raise ValueError(f"expected chunks of 1 sample or more, found {n_samples}")


class Segment:
    """One unbroken stretch of samples.

    Nearly always that is one block of the file. Where a recorder wrote several blocks that adjoin in time (within
    half a sample), they are one segment with several `blocks`.

    It can be indexed and converted as an array ``(n_samples, n_channels)``, and only what is asked for is read:
    `dask.array.from_array` takes it as it is. It pickles as its file does, as the way to open it again.
    """

    __slots__ = ("_of", "_run", "index")
    ndim = 2

    def __init__(self, file: NsxFile | FileReference, index: int, run: SegmentSpan) -> None:
        self._of, self._run, self.index = file, run, index

    @property
    def _file(self) -> NsxFile:
        return file_behind(self._of)

    def __repr__(self) -> str:
        return f"Segment({self.index}: {self.n_samples} samples from tick {self.start_tick})"

    def __len__(self) -> int:
        return self.n_samples

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return index_rows(key, self.shape, self.dtype, self._views)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        if copy is False and (wanted != self.dtype or self.n_blocks > 1):
            raise ValueError(f"{self} cannot be {wanted.name} without a copy: it has {self.n_blocks} blocks")
        return self.samples.astype(wanted, copy=bool(copy))

    def __reduce__(self) -> tuple[Any, ...]:
        return Segment, (reference_to(self._of), self.index, self._run)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (
            "Segment",
            self._file._source.reopen_argument(),
            self._file.size_bytes,
            self._file.digest,
            tuple(self._run),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_channels)``."""
        return self.n_samples, self._file.n_channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one sample."""
        return self._file.dtype

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

    def extents(self, start: int, stop: int, *, sort: bool = False) -> Iterator[Extent]:
        """Where the rows of samples `start` to `stop` lie in the file, in order."""
        return self._file._index.extents(self._run, start, stop, sort)

    def find(self, tick: int) -> int:
        """First sample that is not before `tick`; `n_samples` where all are."""
        return self._file._index.find(self._run, tick)

    @property
    def n_blocks(self) -> int:
        """Pieces that the samples lie in: 1 where `samples` is a view."""
        return sum(1 for _ in self.extents(0, self.n_samples))

    @property
    def blocks(self) -> tuple[NDArray[Any], ...]:
        """Read-only views of the file, one for each block: zero copy, each ``(n, n_channels)``."""
        return tuple(self._file._view(piece) for piece in self.extents(0, self.n_samples))

    @property
    def samples(self) -> NDArray[Any]:
        """All samples, ``(n_samples, n_channels)``.

        A read-only view of the file, zero copy, wherever the segment lies in one piece; put together in memory where
        it spans several blocks, whose headers stand between. `blocks` and `NsxFile.chunks` give the views then.
        """
        blocks = self.blocks
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _views(self, low: int, high: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Number of the first row, and a view, of each piece that samples `low` to `high` lie in."""
        for piece in self.extents(low, high):
            yield low, self._file._view(piece)
            low += piece.n_rows

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


class Timeline:
    """Segments, gaps and epochs of one look at a file; a file that has grown gets another.

    Parameters
    ----------
    file : NsxFile
        Whose samples they are.
    index : Index
        Where those are.
    """

    def __init__(self, file: NsxFile, index: Index) -> None:
        self._file, self._index = file, index

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Unbroken stretches of samples, in file order."""
        runs = self._index.runs
        return tuple(map(Segment, repeat(self._file), range(len(runs)), runs))

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between segments."""
        return gaps_between_segments(self._index, self._file.clock)

    @cached_property
    def epochs(self) -> tuple[range, ...]:
        """Segments between one setting of the clock and the next."""
        starts = [0, *(gap.after_segment + 1 for gap in self.gaps if gap.kind == "reset"), len(self.segments)]
        return tuple(range(a, b) for a, b in pairwise(starts))
