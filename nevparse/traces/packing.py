# SPDX-License-Identifier: MIT
"""Takes chosen columns of rows out of files, through small buffers, ready to be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from ..source.base import Source
from .extents import Extent
from .plan import FilledRows

BUFFER_BYTES = 1 << 21  # of each buffer: 1000 to 8000 rows of most recordings, small enough for the cache
_MAX_RANGES = 8  # columns in more ranges than this are gathered one by one
_INDEX_SIZE = 1 << 15  # samples gathered at once: their index has 256 kB
_NO_BYTES = np.empty(0, np.uint8)
Buffer = NDArray[np.uint8]
Work = list[Callable[[], None]]


class RowObserver(Protocol):
    """Sees the packets that rows are read from, and the filled rows between them, in order."""

    def add_packets(self, packets: Buffer, n_packets: int, source: Source, first: int) -> Any:
        """Take packets, the first of which is packet `first` of a file."""

    def add_filled(self, rows: FilledRows) -> None:
        """Take filled rows."""


class Batch(NamedTuple):
    """Rows, or bytes of a native file, in a buffer that is theirs until `give_back` is called.

    What is `pending` packs them, in the thread that has time for it.
    """

    data: memoryview
    n_rows: int
    pending: Work
    give_back: Callable[[], None]

    @classmethod
    def of_bytes(cls, data: bytes | bytearray | memoryview) -> Batch:
        """Bytes that are in no buffer."""
        return cls(memoryview(data), len(data), [], lambda: None)

    def pack(self) -> memoryview:
        """Do what is pending, and give the packed rows."""
        for work in self.pending:
            work()
        self.pending.clear()
        return self.data


class RowSpace(NamedTuple):
    """Where rows go: `row_bytes` from one to the next, which may be more than they have."""

    buffer: Buffer
    row_bytes: int

    def after(self, n_rows: int, n_bytes: int = 0) -> RowSpace:
        """The same after its first rows, and after bytes of each row."""
        return RowSpace(self.buffer[n_rows * self.row_bytes + n_bytes :], self.row_bytes)

    def rows(self, n_rows: int, n_bytes: int) -> NDArray[np.void]:
        """The first `n_bytes` of rows, each as an opaque field, which is copied by memcpy."""
        return _fields(self.buffer, np.dtype(f"V{n_bytes}"), n_rows, 0, self.row_bytes)


class ColumnPacker:
    """Takes `columns` (intp, in the order wanted) out of rows of `n_channels` samples, as a file has them."""

    def __init__(self, columns: NDArray[np.intp], n_channels: int, dtype: np.dtype[Any]) -> None:
        self._columns, self._n_channels, self._dtype = columns, n_channels, dtype
        self.row_bytes, self.file_row_bytes = columns.size * dtype.itemsize, n_channels * dtype.itemsize
        edges = [0, *(np.flatnonzero(np.diff(columns) != 1) + 1).tolist(), columns.size]
        self._ranges = [(int(columns[a]), a, b - a) for a, b in pairwise(edges)]
        self._longest_index: NDArray[np.intp] = columns[:0]
        self._rows_at_once = max(1, _INDEX_SIZE // columns.size)
        self.keeps_rows = self._ranges == [(0, 0, n_channels)]  # rows are written just as they are read

    def pack(self, raw: Buffer, n_rows: int, header_bytes: int, stride: int, out: RowSpace) -> None:
        """Pack `n_rows` rows, which are `stride` bytes apart in `raw` behind a header each, into `out`."""
        if len(self._ranges) <= _MAX_RANGES:
            self._copy_ranges(raw, n_rows, header_bytes, stride, out)
            return
        if header_bytes:  # rows between packet headers are not aligned: they are moved together first
            row = np.dtype(f"V{self.file_row_bytes}")
            raw = np.ascontiguousarray(_fields(raw, row, n_rows, header_bytes, stride)).view(np.uint8)
        self._gather(np.ndarray((n_rows, self._n_channels), self._dtype, raw.data), out)

    def _copy_ranges(self, raw: Buffer, n_rows: int, header_bytes: int, stride: int, out: RowSpace) -> None:
        for source, target, width in self._ranges:
            field = np.dtype(f"V{width * self._dtype.itemsize}")  # an opaque field is copied by memcpy
            fields = _fields(raw, field, n_rows, header_bytes + source * self._dtype.itemsize, stride)
            _fields(out.buffer, field, n_rows, target * self._dtype.itemsize, out.row_bytes)[...] = fields

    def _gather(self, table: NDArray[Any], out: RowSpace) -> None:
        for first in range(0, len(table), self._rows_at_once):
            rows = table[first : first + self._rows_at_once]
            samples, index, space = rows.ravel(), self._index(len(rows)), out.after(first)
            if out.row_bytes == self.row_bytes:
                packed = np.ndarray(index.shape, self._dtype, space.buffer.data)
                np.take(samples, index, mode="clip", out=packed)  # mode "raise" would buffer `out`
            else:
                fields = np.take(samples, index, mode="clip").view(f"V{self.row_bytes}")
                space.rows(len(rows), self.row_bytes)[...] = fields

    def _index(self, n_rows: int) -> NDArray[np.intp]:
        """Index of the chosen samples in `n_rows` rows as one array; 1.5 times as fast as along an axis."""
        size, index = n_rows * self._columns.size, self._longest_index
        if index.size < size:  # two threads may do this at once, and each keeps the index that it has made
            index = (np.arange(n_rows)[:, np.newaxis] * self._n_channels + self._columns).ravel()
            self._longest_index = index
        return index[:size]


def _fields(buffer: Buffer, field: np.dtype[Any], n_rows: int, offset: int, stride: int) -> NDArray[Any]:
    fields: NDArray[Any] = np.ndarray((n_rows,), field, buffer.data, offset, (stride,))
    return fields


class Pool:
    """Buffers that are used again when they come back, from whichever thread; one thread takes them."""

    def __init__(self) -> None:
        self._free: deque[Buffer] = deque()

    def take(self, n_bytes: int) -> Buffer:
        """A buffer of at least so many bytes."""
        buffer = self._free.pop() if self._free else _NO_BYTES  # the last one back may still be in the cache
        return buffer if buffer.size >= n_bytes else np.empty(n_bytes, np.uint8)

    def give_back(self, buffer: Buffer) -> None:
        """Nobody uses the buffer any more."""
        self._free.append(buffer)


FLUSH = FilledRows(0, 0, 0)  # among the items: what was read is written before the buffer is full
Item = Extent | FilledRows


class RowReader:
    """Reads rows of one recording. Filled rows are `fill`, or with None the row before them."""

    def __init__(self, packer: ColumnPacker, fill: bytes | None = None, observer: RowObserver | None = None) -> None:
        self.packer, self._fill, self._observer = packer, fill, observer
        self._last: Extent | None = None
        self._raw, self._n_used, self._raw_pool = _NO_BYTES, 0, Pool()  # rows as the file has them
        self._work: Work = []

    def remember(self, last: Extent) -> None:
        """Remember where the row before the first one is: a gap at the beginning repeats it."""
        self._last = last

    def read(self, items: Iterable[Item], batches: BatchReader, first_byte: int) -> Iterator[tuple[int, Work]]:
        """Read rows, to `first_byte` of those of a batch and on; after each batch their number, and what packs them."""
        n_rows = 0
        for item in chain(items, [FLUSH]):
            done = 0
            if isinstance(item, FilledRows) and item is not FLUSH and self._observer is not None:
                self._observer.add_filled(item)
            while done < item.n_rows:
                n = min(item.n_rows - done, batches.max_rows - n_rows)
                self._read(item, done, n, batches.space.after(n_rows, first_byte), batches.max_rows)
                done, n_rows = done + n, n_rows + n
                if n_rows == batches.max_rows:
                    yield n_rows, self._finish()
                    n_rows = 0
            if isinstance(item, Extent):
                self._last = item
            elif item is FLUSH and n_rows:
                yield n_rows, self._finish()
                n_rows = 0

    def _read(self, item: Item, done: int, n: int, out: RowSpace, max_rows: int) -> None:
        """Read rows `done` and on of an item."""
        row_bytes = self.packer.row_bytes
        if isinstance(item, FilledRows):
            out.rows(n, row_bytes)[...] = np.frombuffer(self._row_to_fill(), f"V{row_bytes}")
        elif item.first_packet < 0 and self.packer.keeps_rows and out.row_bytes == row_bytes:
            read_all(item.source, out.buffer.data[: n * row_bytes], item.offset + done * row_bytes)
        else:
            raw = self._space(n * item.row_bytes, max_rows * item.row_bytes)
            self._work.append(self._read_raw(item, done, n, raw, out))
            if self._observer is not None and item.first_packet >= 0:
                # never among the work: small steps would fight for Python's lock
                self._observer.add_packets(raw, n, item.source, item.first_packet + done)

    def _read_raw(self, item: Extent, done: int, n: int, raw: Buffer, out: RowSpace) -> Callable[[], None]:
        """Read rows as the file has them; what packs them is returned."""
        header_bytes = item.row_bytes - self.packer.file_row_bytes
        read_all(item.source, raw.data, item.offset - header_bytes + done * item.row_bytes)
        return partial(self.packer.pack, raw, n, header_bytes, item.row_bytes, out)

    def _row_to_fill(self) -> bytes:
        if self._fill is not None:
            return self._fill
        row = np.zeros(self.packer.row_bytes, np.uint8)
        if self._last is not None:
            raw = np.empty(self._last.row_bytes, np.uint8)
            self._read_raw(self._last, self._last.n_rows - 1, 1, raw, RowSpace(row, row.size))()
        return row.tobytes()

    def _space(self, n_bytes: int, max_bytes: int) -> Buffer:
        if self._n_used + n_bytes > self._raw.size:
            self._release()
            self._raw = self._raw_pool.take(max_bytes)
        self._n_used += n_bytes
        return self._raw[self._n_used - n_bytes : self._n_used]

    def _release(self) -> None:
        """Rows as the file has them are in use until they are packed."""
        if self._n_used:
            self._work.append(partial(self._raw_pool.give_back, self._raw))
        self._raw, self._n_used = _NO_BYTES, 0

    def _finish(self) -> Work:
        self._release()
        work, self._work = self._work, []
        return work


class BatchReader:
    """Reads rows of several recordings side by side, or of one, a batch at a time.

    A batch has a megabyte of the files, or two of several, which give less each.
    """

    def __init__(self, *readers: RowReader) -> None:
        self._readers = readers
        self.row_bytes = sum(reader.packer.row_bytes for reader in readers)
        file_row_bytes = sum(reader.packer.file_row_bytes for reader in readers)
        self.max_rows = max(1, BUFFER_BYTES // file_row_bytes)
        self._pool = Pool()
        self.space = self._next_space()

    def batches(self, *items: Iterable[Item]) -> Iterator[Batch]:
        """Batches of the items of each reader, which must have equal numbers of rows."""
        ends = accumulate(reader.packer.row_bytes for reader in self._readers)
        several = [
            reader.read(own, self, end - reader.packer.row_bytes)
            for reader, own, end in zip(self._readers, items, ends, strict=True)
        ]
        for parts in zip(*several, strict=True):
            n_rows, buffer = parts[0][0], self.space.buffer
            work = [step for _, steps in parts for step in steps]
            yield Batch(buffer.data[: n_rows * self.row_bytes], n_rows, work, partial(self._pool.give_back, buffer))
            self.space = self._next_space()

    def _next_space(self) -> RowSpace:
        return RowSpace(self._pool.take(self.max_rows * self.row_bytes), self.row_bytes)


def read_into(source: Source, buffer: memoryview, offset: int) -> int:
    """Fill `buffer`, as `Source.readinto`; ExportError instead of OSError, which would be taken for one of writing."""
    try:
        return source.readinto(buffer, offset)
    except OSError as error:
        reason = error.strerror or error
        raise ExportError(f"{source.path} could not be read at byte {offset}: {reason}") from error


def read_all(source: Source, buffer: memoryview, offset: int) -> None:
    """Fill `buffer`; ExportError where the bytes cannot be read, or are not in the file any more."""
    n_bytes = read_into(source, buffer, offset)
    if n_bytes < len(buffer):
        end = offset + n_bytes
        raise ExportError(f"{source.path} ends at byte {end}: it has become shorter since it was opened")
