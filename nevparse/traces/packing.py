# SPDX-License-Identifier: MIT
"""Takes chosen columns of rows out of files, through small buffers, ready to be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from .extents import Extent

BUFFER_BYTES = 1 << 20  # of each buffer: 1000 to 8000 rows of most recordings, small enough for the cache
BUFFERS = 4  # packed batches there are at a time: being made, waiting to be written, being written
_MOST_RUNS = 8  # columns in more runs than this are gathered one by one
ReadInto = Callable[[memoryview, int], int]
Buffer = NDArray[np.uint8]


class Batch(NamedTuple):
    """Packed rows, and how many; and the rest of the work on them, which whoever writes them does, batch by batch."""

    data: memoryview
    n_rows: int
    rest: Sequence[Callable[[], None]] = ()

    def packed(self) -> memoryview:
        """The rows, all packed."""
        for work in self.rest:
            work()
        return self.data


class ColumnPacker:
    """Takes chosen columns out of rows as a file has them.

    Parameters
    ----------
    columns : numpy.ndarray
        intp, in the order wanted.
    n_channels : int
        Columns of the file.
    dtype : numpy.dtype
        Of one sample.
    """

    def __init__(self, columns: NDArray[np.intp], n_channels: int, dtype: np.dtype[Any]) -> None:
        self._columns, self._n_channels, self._dtype = columns, n_channels, dtype
        self.row_bytes, self.file_row_bytes = columns.size * dtype.itemsize, n_channels * dtype.itemsize
        edges = [0, *(np.flatnonzero(np.diff(columns) != 1) + 1).tolist(), columns.size]
        self._runs = [(int(columns[a]), a, b - a) for a, b in pairwise(edges)]
        self._all_places: NDArray[np.intp] = columns[:0]
        self.keeps_rows = self._runs == [(0, 0, n_channels)]  # rows are written just as they are read

    def pack(self, read: Buffer, n_rows: int, lead: int, stride: int, out: Buffer) -> Callable[[], None] | None:
        """Pack `n_rows` rows that stand `stride` bytes apart, `lead` bytes from the start of `read`, into `out`.

        Where samples are gathered one by one, which takes as long as all else, only the later half is; what packs the
        other is returned.
        """
        if len(self._runs) <= _MOST_RUNS:
            for source, target, width in self._runs:
                field = np.dtype(f"V{width * self._dtype.itemsize}")  # an opaque field is copied by memcpy
                begin = lead + source * self._dtype.itemsize
                to = _fields(out, field, n_rows, target * self._dtype.itemsize, self.row_bytes)
                to[...] = _fields(read, field, n_rows, begin, stride)
            return None
        if lead:  # rows between packet headers are not aligned: they are moved together first
            row = np.dtype(f"V{self.file_row_bytes}")
            read = np.ascontiguousarray(_fields(read, row, n_rows, lead, stride)).view(np.uint8)
        table = np.ndarray((n_rows, self._n_channels), self._dtype, read.data)
        taken = np.ndarray((n_rows, self._columns.size), self._dtype, out.data)
        half = n_rows // 2
        self._gather(table[half:], taken[half:])
        return partial(self._gather, table[:half], taken[:half])

    def _gather(self, table: NDArray[Any], taken: NDArray[Any]) -> None:
        # mode "raise" would buffer `out`
        np.take(table.ravel(), self._places(len(table)), mode="clip", out=taken.ravel())

    def _places(self, n_rows: int) -> NDArray[np.intp]:
        """Where the samples wanted stand in `n_rows` rows taken as one; half again as fast as along an axis."""
        n_places, places = n_rows * self._columns.size, self._all_places
        if places.size < n_places:  # two threads may ask at once: what one has found is never taken from it
            places = (np.arange(n_rows)[:, np.newaxis] * self._n_channels + self._columns).ravel()
            self._all_places = places
        return places[:n_places]


def _fields(buffer: Buffer, field: np.dtype[Any], n_rows: int, offset: int, stride: int) -> NDArray[Any]:
    fields: NDArray[Any] = np.ndarray((n_rows,), field, buffer.data, offset, (stride,))
    return fields


class FillRows(NamedTuple):
    """Rows that no sample was recorded for."""

    n_rows: int
    tick: int


FLUSH = FillRows(0, 0)  # among the items: what is packed is not kept until the buffer is full


class Observer(Protocol):
    """What is told of every packet and every filled row that goes by."""

    def packets(self, read: Buffer, n_packets: int, first: int) -> None:
        """Packets `first` and on, as they stand in the file."""

    def filled(self, rows: FillRows) -> None:
        """Rows that were filled."""


class RowReader:
    """Reads and packs rows through a few buffers, whatever the size of the file.

    Parameters
    ----------
    readinto : callable
        Fills a buffer from an offset of the input, and returns how many bytes there were.
    packer : Packer
        Takes the columns.
    fill : bytes or None
        The row that fills; None repeats the row before.
    observer : Observer, optional
        Is told what goes by.
    most_rows : int, optional
        Rows of one batch; as many as a megabyte of the file holds otherwise.
    """

    def __init__(
        self,
        readinto: ReadInto,
        packer: ColumnPacker,
        fill: bytes | None = None,
        observer: Observer | None = None,
        most_rows: int | None = None,
    ) -> None:
        self._readinto, self._packer, self._fill, self._observer = readinto, packer, fill, observer
        self._most = most_rows or max(1, BUFFER_BYTES // packer.file_row_bytes)
        self._reads: deque[Buffer] = deque([np.empty(0, np.uint8)] * BUFFERS)
        self._rest: list[Callable[[], None]] = []
        self._last = bytes(packer.row_bytes)  # the row written last

    def batches(self, items: Iterable[Extent | FillRows]) -> Iterator[Batch]:
        """Pack the rows of `items`, a buffer full at a time; `BUFFERS` of them take turns.

        Raises
        ------
        ExportError
            Where the input has become shorter than it was.
        OSError
            Where the system cannot read.
        """
        row_bytes, n_rows = self._packer.row_bytes, 0
        outs = deque(np.empty(self._most * row_bytes, np.uint8) for _ in range(BUFFERS))
        for item in items:
            done = 0
            while done < item.n_rows:
                n = min(item.n_rows - done, self._most - n_rows)
                self._take(item, done, n, n_rows, outs[0][n_rows * row_bytes : (n_rows + n) * row_bytes])
                done, n_rows = done + n, n_rows + n
                if n_rows == self._most:
                    yield self._packed(outs, n_rows)
                    n_rows = 0
            if item is FLUSH and n_rows:
                yield self._packed(outs, n_rows)
                n_rows = 0
        if n_rows:
            yield self._packed(outs, n_rows)

    def _packed(self, outs: deque[Buffer], n_rows: int) -> Batch:
        batch = Batch(outs[0].data[: n_rows * self._packer.row_bytes], n_rows, self._rest)
        self._rest = []
        outs.rotate()
        self._reads.rotate()
        return batch

    def _take(self, item: Extent | FillRows, done: int, n: int, at: int, out: Buffer) -> None:
        """Make `n` rows of an item, of which `done` were made before, row `at` and on of a batch."""
        if isinstance(item, FillRows):
            out.reshape(n, -1)[...] = np.frombuffer(self._last if self._fill is None else self._fill, np.uint8)
            if self._observer is not None and done == 0:
                self._observer.filled(item)
        elif item.first < 0 and self._packer.keeps_rows:
            self._read_all(out, item.offset + done * item.row_bytes)
        else:
            self._take_rows(item, done, n, at, out)
        if self._fill is None:
            self._last = out[-self._packer.row_bytes :].tobytes()

    def _take_rows(self, item: Extent, done: int, n: int, at: int, out: Buffer) -> None:
        lead = item.row_bytes - self._packer.file_row_bytes  # a packet's header, which stands before each row
        read = self._read_all(self._buffer(at, n, item.row_bytes), item.offset - lead + done * item.row_bytes)
        if self._observer is not None and item.first >= 0:
            self._observer.packets(read, n, item.first + done)  # small steps, which would fight over the interpreter
        rest = self._packer.pack(read, n, lead, item.row_bytes, out)
        if rest is not None:
            self._rest.append(rest)

    def _buffer(self, at: int, n: int, row_bytes: int) -> Buffer:
        """Room for rows of a batch: each batch has its own, which is there until the rest of its work is done."""
        if self._reads[0].size < self._most * row_bytes:
            self._reads[0] = np.empty(self._most * row_bytes, np.uint8)
        return self._reads[0][at * row_bytes : (at + n) * row_bytes]

    def _read_all(self, buffer: Buffer, offset: int) -> Buffer:
        got = self._readinto(buffer.data, offset)
        if got < buffer.size:
            check_not_truncated(0, offset + got)
        return buffer


def check_not_truncated(n_bytes: int, offset: int) -> None:
    """Raise where nothing was read at an offset that the input had when it was opened."""
    if n_bytes == 0:
        raise ExportError(f"the input ends at byte {offset}: it has become shorter since it was opened")


def side_by_side(several: Sequence[Iterable[Batch]]) -> Iterator[Batch]:
    """Batches of several inputs as one, row by row; they must have the same numbers of rows."""
    wide = deque([np.empty(0, np.uint8)] * BUFFERS)
    for batches in zip(*several, strict=True):
        n_rows = batches[0].n_rows
        widths = [batch.data.nbytes // n_rows for batch in batches]
        row_bytes = sum(widths)
        if wide[0].size < n_rows * row_bytes:
            wide[0] = np.empty(n_rows * row_bytes, np.uint8)
        for begin, batch in zip(np.cumsum([0, *widths]).tolist(), batches, strict=False):
            part = np.frombuffer(batch.packed(), f"V{batch.data.nbytes // n_rows}")
            _fields(wide[0], part.dtype, n_rows, begin, row_bytes)[...] = part
        yield Batch(wide[0].data[: n_rows * row_bytes], n_rows)
        wide.rotate()
