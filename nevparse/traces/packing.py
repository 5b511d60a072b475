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


class ColumnPacker:
    """Takes `columns` (intp, in the order wanted) out of rows of `n_channels` samples, as a file has them."""

    def __init__(self, columns: NDArray[np.intp], n_channels: int, dtype: np.dtype[Any]) -> None:
        self._columns, self._n_channels, self._dtype = columns, n_channels, dtype
        self.row_bytes, self.file_row_bytes = columns.size * dtype.itemsize, n_channels * dtype.itemsize
        edges = [0, *(np.flatnonzero(np.diff(columns) != 1) + 1).tolist(), columns.size]
        self._ranges = [(int(columns[a]), a, b - a) for a, b in pairwise(edges)]
        self._longest_index: NDArray[np.intp] = columns[:0]
        self.keeps_rows = self._ranges == [(0, 0, n_channels)]  # rows are written just as they are read

    def pack(self, raw: Buffer, n_rows: int, header_bytes: int, stride: int, out: Buffer) -> Callable[[], None] | None:
        """Pack `n_rows` rows, which are `stride` bytes apart in `raw` behind a header each, into `out`.

        Rows of packets are not aligned, and gathering samples one by one is slow: the later half of such rows is done
        here, the other by what is returned.
        """
        if len(self._ranges) <= _MAX_RANGES:
            half = n_rows // 2 if header_bytes else 0
            self._copy_ranges(raw[half * stride :], n_rows - half, header_bytes, stride, out[half * self.row_bytes :])
            return partial(self._copy_ranges, raw, half, header_bytes, stride, out) if half else None
        if header_bytes:  # rows between packet headers are not aligned: they are moved together first
            row = np.dtype(f"V{self.file_row_bytes}")
            raw = np.ascontiguousarray(_fields(raw, row, n_rows, header_bytes, stride)).view(np.uint8)
        table = np.ndarray((n_rows, self._n_channels), self._dtype, raw.data)
        packed = np.ndarray((n_rows, self._columns.size), self._dtype, out.data)
        half = n_rows // 2
        self._gather(table[half:], packed[half:])
        return partial(self._gather, table[:half], packed[:half])

    def _copy_ranges(self, raw: Buffer, n_rows: int, header_bytes: int, stride: int, out: Buffer) -> None:
        for source, target, width in self._ranges:
            field = np.dtype(f"V{width * self._dtype.itemsize}")  # an opaque field is copied by memcpy
            fields = _fields(raw, field, n_rows, header_bytes + source * self._dtype.itemsize, stride)
            _fields(out, field, n_rows, target * self._dtype.itemsize, self.row_bytes)[...] = fields

    def _gather(self, table: NDArray[Any], packed: NDArray[Any]) -> None:
        # mode "raise" would buffer `out`
        np.take(table.ravel(), self._index(len(table)), mode="clip", out=packed.ravel())

    def _index(self, n_rows: int) -> NDArray[np.intp]:
        """Index of the chosen samples in `n_rows` rows as one array; half as fast again as along an axis."""
        size, index = n_rows * self._columns.size, self._longest_index
        if index.size < size:  # two threads may do this at once, and each keeps the index that it has made
            index = (np.arange(n_rows)[:, np.newaxis] * self._n_channels + self._columns).ravel()
            self._longest_index = index
        return index[:size]


def _fields(buffer: Buffer, field: np.dtype[Any], n_rows: int, offset: int, stride: int) -> NDArray[Any]:
    fields: NDArray[Any] = np.ndarray((n_rows,), field, buffer.data, offset, (stride,))
    return fields


FLUSH = FilledRows(0, 0, 0)  # among the items: what is packed does not wait until the buffer is full


class RowReader:
    """Reads and packs rows through a few buffers, whatever the size of the file.

    Filled rows are `fill`, or with None the row before them. A batch has up to `max_rows`, or as many as are in a
    megabyte of the file.
    """

    def __init__(
        self,
        packer: ColumnPacker,
        fill: bytes | None = None,
        observer: RowObserver | None = None,
        max_rows: int | None = None,
    ) -> None:
        self._packer, self._fill, self._observer = packer, fill, observer
        self._max_rows = max_rows or max(1, BUFFER_BYTES // packer.file_row_bytes)
        self._raw: deque[Buffer] = deque([np.empty(0, np.uint8)] * BUFFERS)
        self._pending: list[Callable[[], None]] = []
        self._last = bytes(packer.row_bytes)

    def repeat(self, last: Extent) -> None:
        """Fill a gap at the beginning with this row."""
        row = np.empty(self._packer.row_bytes, np.uint8)
        observer, self._observer = self._observer, None
        self._make(last, 0, 1, 0, row)
        self._observer = observer
        self._pending = []  # of one row nothing is left to do

    def batches(self, items: Iterable[Extent | FilledRows]) -> Iterator[Batch]:
        """Pack the rows of `items`, a buffer full at a time; `BUFFERS` of them take turns."""
        row_bytes, n_rows = self._packer.row_bytes, 0
        outs = deque(np.empty(self._max_rows * row_bytes, np.uint8) for _ in range(BUFFERS))
        for item in chain(items, [FLUSH]):
            done = 0
            if isinstance(item, FilledRows) and item is not FLUSH and self._observer is not None:
                self._observer.add_filled(item)
            while done < item.n_rows:
                n = min(item.n_rows - done, self._max_rows - n_rows)
                self._make(item, done, n, n_rows, outs[0][n_rows * row_bytes : (n_rows + n) * row_bytes])
                done, n_rows = done + n, n_rows + n
                if n_rows == self._max_rows:
                    yield self._finish(outs, n_rows)
                    n_rows = 0
            if item is FLUSH and n_rows:
                yield self._finish(outs, n_rows)
                n_rows = 0

    def _finish(self, outs: deque[Buffer], n_rows: int) -> Batch:
        batch = Batch(outs[0].data[: n_rows * self._packer.row_bytes], n_rows, self._pending)
        self._pending = []
        outs.rotate()
        self._raw.rotate()
        return batch

    def _make(self, item: Extent | FilledRows, done: int, n: int, row: int, out: Buffer) -> None:
        """Make rows `done` and on of an item, which are rows `row` and on of a batch."""
        if isinstance(item, FilledRows):
            out.reshape(n, -1)[...] = np.frombuffer(self._last if self._fill is None else self._fill, np.uint8)
        elif item.first_packet < 0 and self._packer.keeps_rows:
            read_all(item.source, out.data, item.offset + done * item.row_bytes)
        else:
            self._read_and_pack(item, done, n, row, out)
        if self._fill is None:
            self._last = out[-self._packer.row_bytes :].tobytes()

    def _read_and_pack(self, item: Extent, done: int, n: int, row: int, out: Buffer) -> None:
        header_bytes = item.row_bytes - self._packer.file_row_bytes
        if self._raw[0].size < self._max_rows * item.row_bytes:  # each batch has its own, for what is pending
            self._raw[0] = np.empty(self._max_rows * item.row_bytes, np.uint8)
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
    """Batches of several inputs as one, row by row; the inputs must have equal numbers of rows."""
    wide = deque([np.empty(0, np.uint8)] * BUFFERS)
    for batches in zip(*several, strict=True):
        n_rows = batches[0].n_rows
        widths = [batch.data.nbytes // n_rows for batch in batches]
        row_bytes = sum(widths)
        if wide[0].size < n_rows * row_bytes:
            wide[0] = np.empty(n_rows * row_bytes, np.uint8)
        columns = [
            _fields(wide[0], np.dtype(f"V{width}"), n_rows, begin, row_bytes)
            for begin, width in zip(np.cumsum([0, *widths]).tolist(), widths, strict=False)
        ]
        half = len(columns) // 2
        for column, batch in zip(columns[half:], batches[half:], strict=True):
            _put(column, batch)
        pending = [partial(_put, column, batch) for column, batch in zip(columns[:half], batches, strict=False)]
        yield Batch(wide[0].data[: n_rows * row_bytes], n_rows, pending)
        wide.rotate()


def _put(columns: NDArray[Any], batch: Batch) -> None:
    columns[...] = np.frombuffer(batch.packed(), columns.dtype)
