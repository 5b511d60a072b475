# SPDX-License-Identifier: MIT
"""Segments, the samples between two breaks in time: each an array that stays in its file; and the gaps between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, repeat
from typing import Any, NamedTuple
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Gap, SegmentSpan, TickIntervals, segments_by_epoch
from ..errors import Damage
from ..format.notebook import Lane, summary_html, time_text
from ..format.numbers import clock_tick, integer, integers
from ..format.text import counted, duration_text
from ..source.reference import FileReference, Opener, reference_to
from ..traces.extents import Columns, Extent, Rows, index_rows, take_rows
from ..traces.plan import TimedParts
from .blocks import BlockIndex
from .headers import NsxHeaders
from .packets import PacketIndex

SampleIndex = BlockIndex | PacketIndex


def segment_numbers(segments: int | slice | Iterable[int], n_segments: int) -> list[int]:
    """Numbers of segments that a selection names, in order; ValueError where it names others."""
    if isinstance(segments, slice):
        return sorted(range(n_segments)[segments])
    numbers = integers(segments, "a segment")
    for number in numbers:
        if not -n_segments <= number < n_segments:
            valid = f"0 to {n_segments - 1}" if n_segments else "none: the file holds no samples"
            raise ValueError(f"expected a segment ({valid}), found {number}")
    return sorted({number % n_segments for number in numbers})


class Chunk(NamedTuple):
    """Some rows of one segment: `samples` are its rows from `start` on."""

    segment: int
    start: int
    samples: NDArray[Any]


class Segment:
    """Samples without a break in time between them.

    Nearly always that is one block of the file. Where a recorder wrote several blocks that adjoin in time (within
    half a sample), they are one segment with several `blocks`.

    It can be indexed and converted as an array ``(n_samples, n_channels)``, and reads only the rows that it needs:
    `dask.array.from_array` takes it directly. Like its file it pickles as a reference, which opens the file anew.
    """

    __slots__ = ("_origin", "_span", "index")
    ndim = 2

    def __init__(self, origin: RecordedSamples | FileReference, index: int, span: SegmentSpan) -> None:
        self._origin, self._span, self.index = origin, span, index

    @property
    def _samples(self) -> RecordedSamples:
        origin = self._origin
        return origin.file._recorded if isinstance(origin, FileReference) else origin

    def __repr__(self) -> str:
        length = duration_text(self._samples.index.clock.seconds(self.n_samples))
        return f"Segment({self.index}: {length} of {counted(self.shape[1], 'channel')}, {self._times})"

    def _repr_html_(self) -> str:
        length = duration_text(self._samples.index.clock.seconds(self.n_samples))
        what = f"{self.n_samples} × {self.shape[1]} of {self.dtype.name}"
        rows = [("samples × channels", what), ("length", length), ("time", self._times)]
        times = self._samples.spans_s
        return summary_html(f"Segment {self.index}", rows, [Lane("all", times), Lane("this", times[self.index])])

    @property
    def _times(self) -> str:
        first_s = (self.start_tick - self._samples.zero_tick) / self._samples.index.clock.tick_rate
        return f"from {time_text(first_s)} on (tick {self.start_tick})"

    def __len__(self) -> int:
        return self.n_samples

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return index_rows(key, self.shape, self._take)

    def _take(self, rows: Rows, columns: Columns) -> NDArray[Any]:
        return take_rows(rows, columns, np.empty((0, self._samples.n_channels), self.dtype), self._views)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        if copy is False and (wanted != self.dtype or self.n_blocks > 1):
            why = f"is {self.dtype.name}" if wanted != self.dtype else f"has {self.n_blocks} blocks"
            raise ValueError(f"{self} cannot be {wanted.name} without a copy: it {why}")
        return self.samples.astype(wanted, copy=bool(copy))

    def __reduce__(self) -> tuple[Any, ...]:
        origin = self._origin
        return Segment, (origin if isinstance(origin, FileReference) else origin.reference(), self.index, self._span)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        samples = self._samples
        headers = samples.headers
        return "Segment", headers.source.reopen_argument(), samples.size_bytes, headers.digest, tuple(self._span)

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_channels)``."""
        return self.n_samples, self._samples.n_channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one sample."""
        return self._samples.dtype

    @property
    def start_tick(self) -> int:
        """Timestamp of the first sample, in the file's clock."""
        return self._span.start_tick

    @property
    def n_samples(self) -> int:
        """Samples of each channel."""
        return self._span.n_samples

    @property
    def stop_tick(self) -> int:
        """Time of the sample that would follow the last one, in ticks, rounded down."""
        clock = self._samples.index.clock
        tick, n_samples = self.last_timestamp
        return tick + n_samples * clock.num // clock.den

    @property
    def last_timestamp(self) -> tuple[int, int]:
        """Tick of the last timestamp, and the number of samples from it on."""
        return self._samples.index.last_timestamp(self._span)

    def extents(self, start: int, stop: int, *, sort: bool = False) -> Iterator[Extent]:
        """Where the rows of samples `start` to `stop` lie in the file, in order."""
        return self._samples.index.extents(self._span, start, stop, sort)

    def timestamped(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """For each block the number of its samples among `start` to `stop`, and of its samples before them."""
        for extent in self.extents(start, stop):
            yield extent.n_rows, extent.n_before

    def timed_parts(self, start: int, stop: int) -> Iterator[TimedParts]:
        """Samples `start` to `stop`, in parts, and how regular their timestamps are as far as that is known."""
        index = self._samples.index
        if isinstance(index, PacketIndex):
            return index.timed_parts(self._span, start, stop)
        return iter([TimedParts.unknown(start, stop, max(1, stop - start))])

    def find(self, tick: int) -> int:
        """First sample that is not before `tick`; `n_samples` where all are."""
        return self._samples.index.find(self._span, integer(tick, "a tick"))

    def within(self, start_tick: int | None, stop_tick: int | None, *, sort: bool = False) -> Sequence[tuple[int, int]]:
        """First and last sample of each unbroken part whose timestamps are in a half-open range, in file order.

        There are several where the range begins or ends among samples that are out of order, which `sort` puts in
        order.
        """
        return self._samples.index.within(self._span, start_tick, stop_tick, sort)

    @property
    def n_blocks(self) -> int:
        """Blocks that the samples lie in: 1 where `samples` is a view."""
        return sum(1 for _ in self.extents(0, self.n_samples))

    @property
    def blocks(self) -> tuple[NDArray[Any], ...]:
        """Read-only views of the file, one for each block: zero copy, each ``(n, n_channels)``."""
        return tuple(self._samples.view(extent) for extent in self.extents(0, self.n_samples))

    @property
    def samples(self) -> NDArray[Any]:
        """All samples, ``(n_samples, n_channels)``.

        A read-only view of the file, zero copy, where the segment is one block. Of several blocks, with headers
        between them, it is a copy; `blocks` and `NsxFile.chunks` give their views.
        """
        blocks = self.blocks
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _views(self, low: int, high: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Number of the first row, and a view, of each extent that samples `low` to `high` lie in."""
        for extent in self.extents(low, high):
            yield low, self._samples.view(extent)
            low += extent.n_rows

    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = False) -> NDArray[np.int64]:
        """Timestamps of samples `start` to `stop`, int64, in the file's clock.

        As recorded where the file has one for each sample; else counted from the block's own timestamp at the
        nominal rate, rounded down. `sort` puts samples that are out of order in order, as in `NsxFile.read`.
        """
        a, b, _ = slice(start, stop).indices(self.n_samples)
        return self._samples.index.ticks(self._span, a, max(a, b), sort)

    def ticks_of(self, samples: NDArray[np.int64], *, sort: bool = False) -> NDArray[np.int64]:
        """Timestamps of these samples, as `ticks` gives them."""
        return self._samples.index.ticks_of(self._span, samples, sort)

    def seconds(
        self, start: int | None = None, stop: int | None = None, *, origin_tick: int | None = None
    ) -> NDArray[np.float64]:
        """Times of samples `start` to `stop` in seconds after `origin_tick`, float64.

        The default is `NsxFile.zero_tick`: the recording's first sample.
        """
        origin = self._samples.zero_tick if origin_tick is None else clock_tick(origin_tick, "origin_tick")
        return np.asarray((self.ticks(start, stop) - origin) / self._samples.index.clock.tick_rate)


@dataclass(eq=False)
class RecordedSamples:
    """The samples of a file at one moment; it never changes, and a file that has grown gets another."""

    headers: NsxHeaders
    index: SampleIndex
    missing_bytes: int
    damage: tuple[Damage, ...]  # of the headers too
    opener: Opener | None = None  # opens the file in another process
    zero_tick: int = 0  # seconds count from it

    def __post_init__(self) -> None:
        self.source, self.size_bytes = self.headers.source, self.headers.source.size
        self.dtype, self.n_channels = self.headers.dtype, self.headers.n_channels
        self._reference: ref[FileReference] | None = None

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Samples without a break in time, in file order."""
        return tuple(map(Segment, repeat(self), count(), self.index.spans))

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between segments."""
        return tuple(self.gap_between(number, number + 1) for number in range(len(self.index.spans) - 1))

    def gap_between(self, before: int, after: int) -> Gap:
        """The break in time from the end of one segment to the start of a later one."""
        one, other = self.index.spans[before], self.index.spans[after]
        last = self.index.last_timestamp(one)
        return self.index.clock.gap(before, last, one.start_tick, other.start_tick, self.zero_tick)

    @cached_property
    def spans_s(self) -> NDArray[np.float64]:
        """Start and stop of each segment in seconds after `zero_tick`, float64 ``(n_segments, 2)``."""
        ends = [(span.start_tick, end) for span, end in zip(self.index.spans, self._ends, strict=True)]
        after = [[tick - self.zero_tick for tick in both] for both in ends]
        return np.array(after, np.float64).reshape(-1, 2) / self.index.clock.tick_rate

    @cached_property
    def epochs(self) -> tuple[range, ...]:
        """Segments between one setting of the clock and the next."""
        return segments_by_epoch(self.gaps, len(self.index.spans))

    @cached_property
    def tick_intervals(self) -> TickIntervals:
        """The time that each segment takes."""
        return TickIntervals(self.index.spans, self._ends)

    @cached_property
    def _ends(self) -> list[int]:
        """The first tick after each segment."""
        return [self.index.clock.end(*self.index.last_timestamp(span)) for span in self.index.spans]

    def locate(
        self, ticks: NDArray[np.int64], segments: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The one of some segments, and the sample in it, that each tick falls in; -1 and -1 where none."""
        if not segments.size:
            return np.full(ticks.shape, -1, np.intp), np.full(ticks.shape, -1, np.int64)
        segment, is_recorded, first, stop = self.tick_intervals.find(ticks, segments)
        sample = self.index.locate(ticks, first, stop)
        return np.where(is_recorded, segment, -1), np.where(is_recorded, sample, -1)

    def view(self, extent: Extent) -> NDArray[Any]:
        """A read-only view of rows as the file has them."""
        return extent.view(self.dtype, self.n_channels)

    def reference(self) -> FileReference:
        """What opens the file in another process; the same for all segments that are pickled together."""
        reference = self._reference() if self._reference else None
        if reference is None:
            assert self.opener is not None, "the file sets it"
            reference = reference_to(self.opener, self.source.reopen_argument())
            self._reference = ref(reference)
        return reference
