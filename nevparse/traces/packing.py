# SPDX-License-Identifier: MIT
"""Takes chosen columns of rows out of files, through small buffers, ready to be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from ..source.base import Source
from .extents import Extent
from .plan import FilledRows

BUFFER_BYTES = 1 << 20  # of each buffer: 1000 to 8000 rows of most recordings, small enough for the cache
BUFFERS = 4  # packed batches at a time: being made, waiting to be written, being written
_MAX_RANGES = 8  # columns in more ranges than this are gathered one by one
Buffer = NDArray[np.uint8]


class RowObserver(Protocol):
    """Sees the packets that rows are read from, and the filled rows between them, in order."""

    def add_packets(self, packets: Buffer, n_packets: int, source: Source, first: int) -> None:
        """Take packets, the first of which is packet `first` of a file."""

    def add_filled(self, rows: FilledRows) -> None:
        """Take filled rows."""


class Batch(NamedTuple):
    """Packed rows, or bytes of a native file; half of the work may be `pending`, for the thread that writes them."""

    data: memoryview
    n_rows: int
    pending: Sequence[Callable[[], None]] = ()

    def packed(self) -> memoryview:
        """The rows, with nothing pending."""
        for work in self.pending:
            work()
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
        self.keeps_rows = self._ranges == [(0, 0, n_channels)]  # rows are written just as they are read

    def pack(
        self, raw: Buffer, n_rows: int, header_bytes: int, stride: int, out: RowSpace
    ) -> Callable[[], None] | None:
        """Pack `n_rows` rows, which are `stride` bytes apart in `raw` behind a header each, into `out`.

        Rows of packets are not aligned, and gathering samples one by one is slow: the later half of such rows is done
        here, the other by what is returned.
        """
        if len(self._ranges) <= _MAX_RANGES:
            half = n_rows // 2 if header_bytes else 0
            self._copy_ranges(raw[half * stride :], n_rows - half, header_bytes, stride, out.after(half))
            return partial(self._copy_ranges, raw, half, header_bytes, stride, out) if half else None
        if header_bytes:  # rows between packet headers are not aligned: they are moved together first
            row = np.dtype(f"V{self.file_row_bytes}")
            raw = np.ascontiguousarray(_fields(raw, row, n_rows, header_bytes, stride)).view(np.uint8)
        table = np.ndarray((n_rows, self._n_channels), self._dtype, raw.data)
        half = n_rows // 2
        self._gather(table[half:], out.after(half))
        return partial(self._gather, table[:half], out)

    def _copy_ranges(self, raw: Buffer, n_rows: int, header_bytes: int, stride: int, out: RowSpace) -> None:
        for source, target, width in self._ranges:
            field = np.dtype(f"V{width * self._dtype.itemsize}")  # an opaque field is copied by memcpy
            fields = _fields(raw, field, n_rows, header_bytes + source * self._dtype.itemsize, stride)
            _fields(out.buffer, field, n_rows, target * self._dtype.itemsize, out.row_bytes)[...] = fields

    def _gather(self, table: NDArray[Any], out: RowSpace) -> None:
        samples, index = table.ravel(), self._index(len(table))
        if out.row_bytes == self.row_bytes:
            packed = np.ndarray(index.shape, self._dtype, out.buffer.data)
            np.take(samples, index, mode="clip", out=packed)  # mode "raise" would buffer `out`
        else:
            out.rows(len(table), self.row_bytes)[...] = np.take(samples, index, mode="clip").view(f"V{self.row_bytes}")

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


class RowBuffers:
    """Space for rows of `row_bytes`, in `BUFFERS` buffers, that `n_readers` share.

    Each holds a megabyte of the files, where a row has `file_row_bytes`, or two of several, which give less each.
    """

    def __init__(self, row_bytes: int, file_row_bytes: int, n_readers: int = 1) -> None:
        self.row_bytes, self.max_rows = row_bytes, max(1, BUFFER_BYTES * min(n_readers, 2) // file_row_bytes)
        self.spaces = [np.empty(self.max_rows * row_bytes, np.uint8) for _ in range(BUFFERS)]


FLUSH = FilledRows(0, 0, 0)  # among the items: what is packed does not wait until the buffer is full


class RowReader:
    """Reads and packs rows through a few buffers, whatever the size of the file.

    Filled rows are `fill`, or with None the row before them. The rows begin at byte `first_byte` of those of `buffers`,
    which several readers can share; by default they are all that is in them.
    """

    def __init__(
        self,
        packer: ColumnPacker,
        fill: bytes | None = None,
        observer: RowObserver | None = None,
        buffers: RowBuffers | None = None,
        first_byte: int = 0,
    ) -> None:
        self._packer, self._fill, self._observer = packer, fill, observer
        self._buffers = buffers or RowBuffers(packer.row_bytes, packer.file_row_bytes)
        self._first_byte = first_byte
        self._spaces = deque(self._buffers.spaces)  # for further items they go on taking turns
        self._raw: deque[Buffer] = deque([np.empty(0, np.uint8)] * BUFFERS)
        self._pending: list[Callable[[], None]] = []
        self._last = bytes(packer.row_bytes)

    def remember(self, last: Extent) -> None:
        """Remember the row before the first: a gap at the beginning repeats it."""
        row = np.empty(self._packer.row_bytes, np.uint8)
        observer, self._observer = self._observer, None
        self._make(last, 0, 1, 0, RowSpace(row, row.size))
        self._observer = observer
        self._pending = []  # of one row nothing is left to do

    def batches(self, items: Iterable[Extent | FilledRows]) -> Iterator[Batch]:
        """Pack the rows of `items`, a buffer full at a time; `BUFFERS` of them take turns."""
        row_bytes, max_rows, spaces, n_rows = self._buffers.row_bytes, self._buffers.max_rows, self._spaces, 0
        for item in chain(items, [FLUSH]):
            done = 0
            if isinstance(item, FilledRows) and item is not FLUSH and self._observer is not None:
                self._observer.add_filled(item)
            while done < item.n_rows:
                n = min(item.n_rows - done, max_rows - n_rows)
                out = RowSpace(spaces[0][self._first_byte + n_rows * row_bytes :], row_bytes)
                self._make(item, done, n, n_rows, out)
                done, n_rows = done + n, n_rows + n
                if n_rows == max_rows:
                    yield self._finish(spaces, n_rows)
                    n_rows = 0
            if item is FLUSH and n_rows:
                yield self._finish(spaces, n_rows)
                n_rows = 0

    def _finish(self, spaces: deque[Buffer], n_rows: int) -> Batch:
        batch = Batch(spaces[0].data[: n_rows * self._buffers.row_bytes], n_rows, self._pending)
        self._pending = []
        spaces.rotate()
        self._raw.rotate()
        return batch

    def _make(self, item: Extent | FilledRows, done: int, n: int, row: int, out: RowSpace) -> None:
        """Make rows `done` and on of an item, which are rows `row` and on of a batch."""
        row_bytes = self._packer.row_bytes
        if isinstance(item, FilledRows):
            row_to_fill = self._last if self._fill is None else self._fill
            out.rows(n, row_bytes)[...] = np.frombuffer(row_to_fill, f"V{row_bytes}")
        elif item.first_packet < 0 and self._packer.keeps_rows and out.row_bytes == row_bytes:
            read_all(item.source, out.buffer.data[: n * row_bytes], item.offset + done * row_bytes)
        else:
            self._read_and_pack(item, done, n, row, out)
        if self._fill is None:
            self._last = out.rows(n, row_bytes)[-1].tobytes()

    def _read_and_pack(self, item: Extent, done: int, n: int, row: int, out: RowSpace) -> None:
        header_bytes, n_bytes = item.row_bytes - self._packer.file_row_bytes, self._buffers.max_rows * item.row_bytes
        if self._raw[0].size < n_bytes:  # each batch has its own, for what is pending
            self._raw[0] = np.empty(n_bytes, np.uint8)
        raw = self._raw[0][row * item.row_bytes : (row + n) * item.row_bytes]
        read_all(item.source, raw.data, item.offset - header_bytes + done * item.row_bytes)
        if self._observer is not None and item.first_packet >= 0:
            # never pending: small steps would fight for Python's lock
            self._observer.add_packets(raw, n, item.source, item.first_packet + done)
        pending = self._packer.pack(raw, n, header_bytes, item.row_bytes, out)
        if pending is not None:
            self._pending.append(pending)


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


def side_by_side(several: Sequence[Iterable[Batch]]) -> Iterator[Batch]:
    """Batches of several readers that share their buffers as one; they must have equal numbers of rows."""
    for batches in zip(*several, strict=True):
        yield batches[0]._replace(pending=[work for batch in batches for work in batch.pending])
