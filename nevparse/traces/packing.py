# SPDX-License-Identifier: MIT
"""Takes chosen columns of rows out of files, through small buffers, ready to be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain, pairwise
from threading import Lock
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from ..source.base import Source
from .extents import Extent
from .plan import FilledRows

BUFFER_BYTES = 1 << 21  # of each buffer: 1000 to 16000 rows of most recordings; with less, steps of Python show
_MAX_RANGES = 8  # columns in more ranges than this are gathered one by one
_INDEX_SIZE = 1 << 18  # samples gathered at once: their index has 2 MB
_NO_BYTES = np.empty(0, np.uint8)
Buffer = NDArray[np.uint8]


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
    pending: list[Callable[[], None]]
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

    def after(self, n_rows: int) -> RowSpace:
        """The same after its first rows."""
        return RowSpace(self.buffer[n_rows * self.row_bytes :], self.row_bytes)

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
        self._index_lock = Lock()
        self._rows_at_once = max(1, _INDEX_SIZE // columns.size)
        self.keeps_rows = self._ranges == [(0, 0, n_channels)]  # rows are written just as they are read

    def is_like(self, other: ColumnPacker) -> bool:
        """Whether it takes the same few ranges of columns out of rows of the same length."""
        is_same = (self._ranges, self._n_channels) == (other._ranges, other._n_channels)
        return len(self._ranges) <= _MAX_RANGES and is_same

    def pack(self, rows: RawRows) -> None:
        """Pack rows of a file, or of several that are alike."""
        if len(self._ranges) <= _MAX_RANGES:
            self._copy_ranges(rows)
            return
        raw, header_bytes = rows.raw, rows.row_bytes - self.file_row_bytes
        if header_bytes:  # rows between packet headers are not aligned: they are moved together first
            row = np.dtype(f"V{self.file_row_bytes}")
            raw = np.ascontiguousarray(_fields(raw, row, rows.n_rows, header_bytes, rows.row_bytes)).view(np.uint8)
        self._gather(np.ndarray((rows.n_rows, self._n_channels), self._dtype, raw.data), rows.out)

    def _copy_ranges(self, rows: RawRows) -> None:
        header_bytes, shape = rows.row_bytes - self.file_row_bytes, (rows.n_files, rows.n_rows)
        for source, target, width in self._ranges:
            field = np.dtype(f"V{width * self._dtype.itemsize}")  # an opaque field is copied by memcpy
            first, packed_first = header_bytes + source * self._dtype.itemsize, target * self._dtype.itemsize
            fields = np.ndarray(shape, field, rows.raw.data, first, (rows.file_bytes, rows.row_bytes))
            packed = np.ndarray(shape, field, rows.out.buffer.data, packed_first, (self.row_bytes, rows.out.row_bytes))
            packed[...] = fields

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
        size = n_rows * self._columns.size
        with self._index_lock:  # of two threads that pack at once, one makes the index for both
            if self._longest_index.size < size:
                rows = np.arange(n_rows, dtype=np.intp)[:, np.newaxis]
                self._longest_index = (rows * self._n_channels + self._columns).ravel()
            return self._longest_index[:size]


def _fields(buffer: Buffer, field: np.dtype[Any], n_rows: int, offset: int, stride: int) -> NDArray[Any]:
    fields: NDArray[Any] = np.ndarray((n_rows,), field, buffer.data, offset, (stride,))
    return fields


class RawRows(NamedTuple):
    """Rows as a file has them, and where they go; or of `n_files` that are alike, `file_bytes` from one to the next."""

    packer: ColumnPacker
    raw: Buffer
    first_row: int  # of the batch
    n_rows: int
    row_bytes: int  # from one row to the next: the samples, and in files of packets a header before them
    out: RowSpace
    n_files: int = 1
    file_bytes: int = 0

    def read(self, extent: Extent, done: int) -> None:
        """Read them: rows `done` and on of an extent."""
        header_bytes = self.row_bytes - self.packer.file_row_bytes
        offset = extent.offset - header_bytes + done * self.row_bytes
        read_all(extent.source, self.raw.data[: self.n_rows * self.row_bytes], offset)

    def pack(self) -> None:
        """Pack them."""
        self.packer.pack(self)

    def is_like(self, other: RawRows) -> bool:
        """Whether they are the same rows of a batch, as far apart, and packed in the same way."""
        is_same = (
            self.first_row == other.first_row and self.n_rows == other.n_rows and self.row_bytes == other.row_bytes
        )
        return is_same and self.packer.is_like(other.packer)


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
    """Reads rows of one recording, each of them behind a header or none.

    Filled rows are `fill`, or with None the row before them.
    """

    def __init__(
        self,
        packer: ColumnPacker,
        fill: bytes | None = None,
        observer: RowObserver | None = None,
        header_bytes: int = 0,
    ) -> None:
        self.packer, self._fill, self._observer = packer, fill, observer
        self.raw_bytes = header_bytes + packer.file_row_bytes  # from one row to the next in the file
        self._last: Extent | None = None

    def remember(self, last: Extent) -> None:
        """Remember where the row before the first one is: a gap at the beginning repeats it."""
        self._last = last

    def read(self, items: Iterable[Item], batches: BatchReader, place: int) -> Iterator[tuple[int, list[RawRows]]]:
        """Read rows to a place in each batch; then give their number, and those that have still to be packed."""
        n_rows, raw_rows = 0, list[RawRows]()
        for item in chain(items, [FLUSH]):
            done = 0
            if isinstance(item, FilledRows) and self._observer is not None:
                self._observer.add_filled(item)
            while done < item.n_rows:
                n = min(item.n_rows - done, batches.max_rows - n_rows)
                raw_rows += self._read(item, done, n, batches, place, n_rows)
                done, n_rows = done + n, n_rows + n
                if n_rows == batches.max_rows:
                    yield n_rows, raw_rows
                    n_rows, raw_rows = 0, []
            if isinstance(item, Extent):
                self._last = item
            elif item is FLUSH and n_rows:
                yield n_rows, raw_rows
                n_rows, raw_rows = 0, []

    def _read(
        self, item: Item, done: int, n: int, batches: BatchReader, place: int, first_row: int
    ) -> Iterator[RawRows]:
        """Read rows `done` and on of an item, to `first_row` of a batch and on; those that have still to be packed."""
        row_bytes, out = self.packer.row_bytes, batches.space(place, first_row)
        if isinstance(item, FilledRows):
            out.rows(n, row_bytes)[...] = np.frombuffer(self._row_to_fill(), f"V{row_bytes}")
        elif item.first_packet < 0 and self.packer.keeps_rows and out.row_bytes == row_bytes:
            read_all(item.source, out.buffer.data[: n * row_bytes], item.offset + done * row_bytes)
        else:
            assert item.row_bytes == self.raw_bytes
            rows = RawRows(self.packer, batches.raw(place, first_row), first_row, n, item.row_bytes, out)
            rows.read(item, done)
            if self._observer is not None and item.first_packet >= 0:
                # not left to the thread that writes: small steps would fight for Python's lock
                self._observer.add_packets(rows.raw, n, item.source, item.first_packet + done)
            yield rows

    def _row_to_fill(self) -> bytes:
        if self._fill is not None:
            return self._fill
        row = np.zeros(self.packer.row_bytes, np.uint8)
        if self._last is not None:
            raw = np.empty(self._last.row_bytes, np.uint8)
            rows = RawRows(self.packer, raw, 0, 1, raw.size, RowSpace(row, row.size))
            rows.read(self._last, self._last.n_rows - 1)
            rows.pack()
        return row.tobytes()


class BatchReader:
    """Reads rows of several recordings side by side, or of one, a batch at a time."""

    def __init__(self, *readers: RowReader) -> None:
        self._readers = readers
        self._bytes_before = [*accumulate((reader.packer.row_bytes for reader in readers), initial=0)]
        self._raw_before = [*accumulate((reader.raw_bytes for reader in readers), initial=0)]
        self.max_rows = max(1, BUFFER_BYTES // self._raw_before[-1])
        self._pool, self._raw_pool = Pool(), Pool()
        self._begin()

    def _begin(self) -> None:
        self._packed, self._raw = self._pool.take(self.max_rows * self._bytes_before[-1]), _NO_BYTES

    def space(self, place: int, n_rows: int) -> RowSpace:
        """Where the rows of a reader go in the batch, after its first ones."""
        row_bytes = self._bytes_before[-1]
        return RowSpace(self._packed[n_rows * row_bytes + self._bytes_before[place] :], row_bytes)

    def raw(self, place: int, n_rows: int) -> Buffer:
        """Where the rows of a reader go as its file has them, after its first ones."""
        if not self._raw.size:
            self._raw = self._raw_pool.take(self.max_rows * self._raw_before[-1])
        first = self.max_rows * self._raw_before[place] + n_rows * self._readers[place].raw_bytes
        return self._raw[first : self.max_rows * self._raw_before[place + 1]]

    def batches(self, *items: Iterable[Item]) -> Iterator[Batch]:
        """Batches of the items of each reader, which must have equal numbers of rows."""
        several = [self._readers[place].read(own, self, place) for place, own in enumerate(items)]
        for parts in zip(*several, strict=True):
            raw_rows, packed = self._as_one_if_alike([rows for _, rows in parts]), self._packed
            work = [rows.pack for rows in raw_rows]
            if self._raw.size:
                work.append(partial(self._raw_pool.give_back, self._raw))
            n_rows, give_back = parts[0][0], partial(self._pool.give_back, packed)
            yield Batch(packed.data[: n_rows * self._bytes_before[-1]], n_rows, work, give_back)
            self._begin()

    def _as_one_if_alike(self, raw_rows: Sequence[list[RawRows]]) -> list[RawRows]:
        """What all readers have read: of files that are alike as one, which is packed in one step instead of many."""
        first = raw_rows[0][0] if raw_rows[0] else None
        if first and all(len(rows) == 1 and rows[0].is_like(first) for rows in raw_rows):
            raw_bytes = self._readers[0].raw_bytes
            raw, file_bytes = self._raw[first.first_row * raw_bytes :], self.max_rows * raw_bytes
            return [first._replace(raw=raw, n_files=len(raw_rows), file_bytes=file_bytes)]
        return [rows for of_one in raw_rows for rows in of_one]


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
