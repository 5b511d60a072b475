# SPDX-License-Identifier: MIT
"""NSx files of blocks: a header with a timestamp and a sample count, then that number of samples.

A recorder that dies leaves a header without a count, a copy that broke off leaves a block without its end, and other
tools leave bytes that are no header. The walk from header to header keeps every complete sample before such a place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Clock, SampleRange, SegmentSpan, last_not_after, tick_array
from ..errors import Damage, TruncatedFile
from ..format import tables
from ..format.layout import Layout
from ..format.numbers import INT64_MAX, signed_tick
from ..source.base import Source
from ..traces.extents import Extent
from .headers import NsxHeaders

_LOOK_AHEAD = 16  # blocks that must follow each other before zero samples count as an empty block
_SHORT_BYTES = 8192  # headers of blocks this short are read many at a time
_WINDOW_BYTES = 65536
_COMPARED_BYTES = 8192  # of samples, where they may begin at one of two places
_AHEAD_ROWS = 1 << 20  # a growing file's header may count more than its size had when that was read
_PLAUSIBLE_S = 3600  # a block that was cut short starts at most this much later than the one before
_EXACT = 1 << 60  # an eighth of what int64 holds: twice the difference of two still fits


class Blocks(NamedTuple):
    """The blocks of a file that have samples, in file order: lists of equal length."""

    offsets: list[int]  # of the first row
    start_ticks: list[int]
    counts: list[int]  # of samples

    def add(self, offset: int, tick: int, n_samples: int) -> None:
        """Add a block."""
        self.offsets.append(offset)
        self.start_ticks.append(tick)
        self.counts.append(n_samples)


def tick_damage(offset: int, tick: int) -> Damage:
    """The damage of a timestamp that int64 cannot hold."""
    message = f"expected a timestamp of at most 63 bits, found {tick}, which is read as {signed_tick(tick)}"
    return Damage("tick-range", offset, message)


class BlockWalk:
    """Goes from block header to block header, and notes where that ends too early.

    `missing_bytes` is what the headers promise and the file lacks.
    """

    def __init__(self, headers: NsxHeaders, layout: Layout, has_grown: bool = False) -> None:
        self._source, self._row_bytes, self._has_grown = headers.source, headers.row_bytes, has_grown
        self._header_bytes, self._unpack, self._dtype = layout.size, layout.packer.unpack_from, headers.dtype
        self._header_dtype = layout.dtype()
        self._plausible_ticks = _PLAUSIBLE_S * headers.clock.tick_rate
        self._min_open = 1 + headers.version.may_have_one_sample_packets  # such packets are complete: they never grow
        self.blocks = Blocks([], [], [])
        self.missing_bytes = 0
        self.damage: list[Damage] = []
        self._walk(headers.start)
        offsets, ticks, counts = self.blocks
        if ticks and headers.clock.end(max(ticks), max(counts)) > INT64_MAX:
            self._note_ticks_that_do_not_fit(headers.clock)
        if layout.size == tables.NSX_BLOCK.size and ticks != sorted(ticks):  # it has 32 bits
            ticks[:] = [tick for _, tick, _ in headers.clock.unroll(zip(offsets, ticks, counts, strict=True))]

    def _walk(self, offset: int) -> None:
        size, header_bytes, row_bytes = self._source.size, self._header_bytes, self._row_bytes
        window, window_start, block_bytes, n_samples = b"", offset, size, 0
        while offset < size:
            if offset + header_bytes > window_start + len(window):
                is_short = block_bytes <= _SHORT_BYTES
                window, window_start = self._source.peek(_WINDOW_BYTES if is_short else header_bytes, offset), offset
                if len(window) < header_bytes:
                    self._end_within_header(offset, window)
                    return
                if is_short and n_samples:
                    offset = self._add_equal_blocks(window, offset, n_samples)
                    continue
            flag, tick, n_samples = self._unpack(window, offset - window_start)
            data_offset, block_bytes = offset + header_bytes, header_bytes + n_samples * row_bytes
            is_open = n_samples == 0 and not self._blocks_follow(data_offset, tick, _LOOK_AHEAD)
            if flag != tables.BLOCK_HEADER or offset + block_bytes > size or is_open:
                self._end_at_header(offset, flag, tick, n_samples)
                return
            if n_samples:
                self.blocks.add(data_offset, tick, n_samples)
            offset += block_bytes

    def _add_equal_blocks(self, window: bytes, offset: int, n_samples: int) -> int:
        """Add the blocks at the start of a window that are all as long as the one before it; returns where they end."""
        block_bytes = self._header_bytes + n_samples * self._row_bytes
        headers = np.ndarray((len(window) // block_bytes,), self._header_dtype, window, strides=(block_bytes,))
        is_equal = (headers["header"] == tables.BLOCK_HEADER) & (headers["n_samples"] == n_samples)
        n_equal = headers.size if is_equal.all() else int(is_equal.argmin())
        stop = offset + n_equal * block_bytes
        self.blocks.offsets.extend(range(offset + self._header_bytes, stop, block_bytes))
        self.blocks.start_ticks.extend(headers["tick"][:n_equal].tolist())
        self.blocks.counts.extend(repeat(n_samples, n_equal))
        return stop

    def _note_ticks_that_do_not_fit(self, clock: Clock) -> None:
        """Note blocks whose timestamps int64 cannot hold; they become negative."""
        for number, (offset, tick, n_samples) in enumerate(zip(*self.blocks, strict=True)):
            if clock.end(tick, n_samples) > INT64_MAX:
                self.blocks.start_ticks[number] = signed_tick(tick)
                self.damage.append(tick_damage(offset - self._header_bytes, tick))

    def _end_within_header(self, offset: int, header: bytes) -> None:
        if header and self._is_within_last_block(header[0], 0, offset):
            self._extend_last_block(offset)
        else:
            self._note_cut(offset, self._header_bytes - len(header), "a block header")

    def _end_at_header(self, offset: int, flag: int, tick: int, n_samples: int) -> None:
        """Note why no block can follow this header, and keep the complete samples behind it."""
        data_offset = offset + self._header_bytes
        n_bytes = self._source.size - data_offset
        if self._is_within_last_block(flag, n_samples, offset):
            self._extend_last_block(offset)
        elif flag != tables.BLOCK_HEADER:
            left_out = f"the last {self._source.size - offset} bytes are left out"
            message = f"expected a block header (byte 1), found {flag}; {left_out}"
            self.damage.append(Damage("no-block-header", offset, message))
        elif n_samples == 0:
            message = f"expected a sample count, found 0 before {n_bytes} bytes of data: the recorder did not close it"
            self._keep_open_block(data_offset, tick, offset, message)
        else:
            kept, missing_bytes = self._keep_rest(data_offset, tick), n_samples * self._row_bytes - n_bytes
            self._note_cut(offset, missing_bytes, f"a block of {n_samples} samples", kept)

    def _note_cut(self, offset: int, missing_bytes: int, what: str, kept: str = "") -> None:
        self.missing_bytes = missing_bytes
        message = f"expected {what}, found the end of the file {missing_bytes} bytes too early{kept}"
        self.damage.append(Damage("cut-block", offset, message, TruncatedFile))

    def _keep_open_block(self, data_offset: int, tick: int, offset: int, message: str) -> None:
        self.missing_bytes = -(self._source.size - data_offset) % self._row_bytes
        message += self._keep_rest(data_offset, tick)
        self.damage.append(Damage("open-block", offset, message, TruncatedFile))

    def _keep_rest(self, data_offset: int, tick: int) -> str:
        """Keep the complete samples up to the end of the file as a block; returns what to say of them."""
        n_complete = (self._source.size - data_offset) // self._row_bytes
        if n_complete:
            self.blocks.add(data_offset, tick, n_complete)
        return f"; {n_complete} samples kept"

    def _is_within_last_block(self, flag: int, n_samples: int, offset: int) -> bool:
        """Whether the last block has grown past `offset` since its samples were counted: no header can be here."""
        max_samples = (self._source.size - offset) // self._row_bytes + _AHEAD_ROWS
        is_open = self._has_grown and self.blocks.counts[-1:] >= [self._min_open]
        return is_open and (flag != tables.BLOCK_HEADER or n_samples > max_samples)

    def _extend_last_block(self, offset: int) -> None:
        data_offset, tick, n_counted = (values.pop() for values in self.blocks)
        message = f"expected a block header after {n_counted} samples, found more samples, not counted yet"
        self._keep_open_block(data_offset, tick, offset, message)

    def _blocks_follow(self, offset: int, tick: int, depth: int) -> bool:
        """Whether the file ends here, or a few blocks that can be true follow each other."""
        header = self._source.peek(self._header_bytes, offset)
        if len(header) < self._header_bytes:
            return offset == self._source.size
        flag, next_tick, n_samples = map(int, self._unpack(header))
        if flag != tables.BLOCK_HEADER:
            return False
        end = offset + self._header_bytes + n_samples * self._row_bytes
        if end > self._source.size:
            is_near = 0 <= next_tick - tick <= self._plausible_ticks
            return is_near and self._begin_at(offset + self._header_bytes, offset)
        return depth == 0 or self._blocks_follow(end, next_tick, depth - 1)

    def _begin_at(self, offset: int, other: int) -> bool:
        """Whether samples begin at `offset`, and not at `other`, an odd number of bytes before.

        Those that are read from the wrong place are made of halves of two, and so are of another magnitude.
        """
        n_bytes = max(1, _COMPARED_BYTES // self._row_bytes) * self._row_bytes
        here, there = (self._source.peek(n_bytes, start) for start in (offset, other))
        return _magnitude(here, self._dtype) < _magnitude(there, self._dtype)


def _magnitude(data: bytes, dtype: np.dtype[Any]) -> float:
    """The median size of samples; of floating-point ones by how many powers of two they are off 1."""
    sizes = np.abs(np.frombuffer(data, dtype, len(data) // dtype.itemsize).astype(np.float64))
    if dtype.kind == "f":
        sizes = np.abs(np.log2(sizes, out=np.zeros_like(sizes), where=sizes > 0))
    return float(np.median(np.nan_to_num(sizes, nan=np.inf))) if sizes.size else np.inf


class BlockIndex:
    """Where the samples of a file of blocks are; a 2.1 file is one block without a header."""

    def __init__(self, source: Source, blocks: Blocks, row_bytes: int, clock: Clock) -> None:
        self.source, self.clock, self.row_bytes = source, clock, row_bytes
        self.offsets, self.start_ticks, self.counts = blocks
        self.first_tick = self.start_ticks[0] if self.start_ticks else 0
        # number of samples before each block; the last entry is the total
        self.starts = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])
        self.n_samples = self.n_final = int(self.starts[-1])  # later bytes do not change where a block belongs

    def continues(self, before: BlockIndex) -> bool:
        """Whether it has all blocks of another, with at most more samples in the last one and blocks behind it."""
        n, last = len(before.counts), before.counts[-1:]
        same = (self.offsets[:n], self.start_ticks[:n]) == (before.offsets, before.start_ticks)
        return same and self.counts[: n - 1][:n] == before.counts[:-1] and self.counts[n - 1 : n] >= last

    @cached_property
    def spans(self) -> tuple[SegmentSpan, ...]:
        """The blocks of each segment, in file order."""
        if not self.counts:
            return ()
        edges = np.concatenate([[0], self._breaks() + 1, [len(self.counts)]])
        firsts, stops = edges[:-1].tolist(), edges[1:].tolist()
        ticks = map(self.start_ticks.__getitem__, firsts)
        return tuple(map(SegmentSpan, firsts, stops, ticks, np.diff(self.starts[edges]).tolist()))

    def _breaks(self) -> NDArray[np.intp]:
        """Blocks followed by a break in time."""
        clock, furthest = self.clock, max(map(abs, self.start_ticks))
        largest = max(furthest * clock.den, max(self.counts) * clock.num)
        dtype = np.int64 if largest < _EXACT else object  # Python's own integers where 64 bits could overflow
        ticks, counts = np.array(self.start_ticks, dtype), np.array(self.counts, dtype)
        return np.flatnonzero(clock.is_break(clock.scaled_gap(ticks[:-1], counts[:-1], ticks[1:])))

    def _parts(self, span: SegmentSpan, a: int, b: int) -> Iterator[tuple[int, int, int]]:
        """Each block that holds some of samples `a` to `b`, and the range of its own samples that these are."""
        origin = int(self.starts[span.first_record])
        block = int(np.searchsorted(self.starts, origin + a, "right")) - 1
        while a < b:
            start = int(self.starts[block]) - origin
            stop = min(b, start + self.counts[block])
            yield block, a - start, stop - start
            a, block = stop, block + 1

    def extents(self, span: SegmentSpan, a: int, b: int, sort: bool = False) -> Iterator[Extent]:  # noqa: ARG002 - is sorted
        """Where samples `a` to `b` of a segment lie."""
        for block, start, stop in self._parts(span, a, b):
            offset = self.offsets[block] + start * self.row_bytes
            yield Extent(self.source, offset, stop - start, self.row_bytes, n_before=start)

    def ticks(self, span: SegmentSpan, a: int, b: int, sort: bool = False) -> NDArray[np.int64]:  # noqa: ARG002 - is sorted
        """Timestamps of samples `a` to `b` of a segment: each block counts from its own."""
        parts = [self.clock.ticks(self.start_ticks[block], i, j) for block, i, j in self._parts(span, a, b)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def ticks_of(self, span: SegmentSpan, samples: NDArray[np.int64], sort: bool = False) -> NDArray[np.int64]:  # noqa: ARG002 - is sorted
        """Timestamps of these samples of a segment."""
        wanted = self.starts[span.first_record] + samples
        block = np.searchsorted(self.starts, wanted, "right") - 1
        ticks = tick_array(self.start_ticks)[block] + self.clock.duration_ticks(wanted - self.starts[block])
        return np.asarray(ticks)

    def find(self, span: SegmentSpan, tick: int) -> int:
        """First sample of a segment that is not before `tick`; its number of samples where all are."""
        block = max(span.first_record, bisect_left(self.start_ticks, tick, span.first_record, span.stop_record) - 1)
        steps = max(0, self.clock.den * (tick - self.start_ticks[block]))
        within_block = min(self.counts[block], -(-steps // self.clock.num))
        return min(span.n_samples, int(self.starts[block] - self.starts[span.first_record]) + within_block)

    def within(self, span: SegmentSpan, start_tick: int | None, stop_tick: int | None, sort: bool) -> list[SampleRange]:  # noqa: ARG002 - is sorted
        """The samples of a segment in a range of ticks."""
        start = 0 if start_tick is None else self.find(span, start_tick)
        stop = span.n_samples if stop_tick is None else self.find(span, stop_tick)
        return [(start, stop)] if start < stop else []

    def locate(self, ticks: NDArray[np.int64], first: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sample that each tick falls in, counted from block `first`, among blocks `first` to `stop`."""
        start_ticks = tick_array(self.start_ticks)
        block = last_not_after(start_ticks, ticks, first, stop)
        within_block = np.minimum(self.clock.samples(ticks, start_ticks[block]), np.diff(self.starts)[block] - 1)
        sample: NDArray[np.int64] = within_block + self.starts[block] - self.starts[first]
        return sample

    def last_timestamp(self, span: SegmentSpan) -> tuple[int, int]:
        """Tick of the last timestamp of a segment, and the samples from it on."""
        block = span.stop_record - 1
        return self.start_ticks[block], span.n_samples - int(self.starts[block] - self.starts[span.first_record])


def block_header(layout: Layout, tick: int, n_samples: int) -> bytes:
    """The header of a block; a tick too large for its field overflows as the recorder's do."""
    values = {"header": tables.BLOCK_HEADER, "tick": tick % layout.n_ticks, "n_samples": n_samples}
    return layout.with_values(bytes(layout.size), **values)
