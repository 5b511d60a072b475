# SPDX-License-Identifier: MIT
"""Moves rows of samples from one file to another through small buffers, and names a file only when it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._index import Piece
from .errors import ExportError

_BUFFER_BYTES = 1 << 20  # of each buffer: 1000 to 8000 rows of most recordings, small enough for the cache
_MOST_RUNS = 8  # columns in more runs than this are gathered one by one

ReadInto = Callable[[memoryview, int], int]
Buffer = NDArray[np.uint8]


class Packer:
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
        self._all_columns = self._runs == [(0, 0, n_channels)]

    def keeps(self, stride: int) -> bool:
        """Whether rows that stand `stride` bytes apart are written just as they are read."""
        return self._all_columns and stride == self.file_row_bytes

    def pack(self, read: Buffer, n_rows: int, stride: int, out: Buffer) -> None:
        """Pack `n_rows` rows that stand `stride` bytes apart into `out`."""
        if len(self._runs) <= _MOST_RUNS:
            for source, target, width in self._runs:
                field = np.dtype(f"V{width * self._dtype.itemsize}")  # an opaque field is copied by memcpy
                self._fields(out, field, n_rows, target, self.row_bytes)[...] = self._fields(
                    read, field, n_rows, source, stride
                )
            return
        if stride != self.file_row_bytes:  # rows between packet headers are not aligned: move them together first
            read = self._aligned(read, n_rows, stride)
        table = np.ndarray((n_rows, self._n_channels), self._dtype, read)
        taken = np.ndarray((n_rows, self._columns.size), self._dtype, out)
        np.take(table, self._columns, axis=1, mode="clip", out=taken)  # mode "raise" would buffer `out`

    def _fields(self, buffer: Buffer, field: np.dtype[Any], n_rows: int, column: int, stride: int) -> NDArray[Any]:
        fields: NDArray[Any] = np.ndarray((n_rows,), field, buffer.data, column * self._dtype.itemsize, (stride,))
        return fields

    def _aligned(self, read: Buffer, n_rows: int, stride: int) -> Buffer:
        row = np.dtype(f"V{self.file_row_bytes}")
        aligned: Buffer = self._fields(read, row, n_rows, 0, stride).copy().view(np.uint8)
        return aligned


def pump(readinto: ReadInto, pieces: Iterable[Piece], packer: Packer, file: FileIO) -> Iterator[int]:
    """Stream the rows of `pieces` into `file`; yields how many rows each step wrote.

    One thread reads and packs while another writes; memory is three buffers, whatever the size of the file.

    Raises
    ------
    ExportError
        Where the input has become shorter than it was.
    OSError
        Where the system cannot read or write.
    """
    with ThreadPoolExecutor(1, "nevparse-write") as writer:
        writing: Future[None] | None = None
        n_writing = 0
        for ready, n_rows in _batches(readinto, pieces, packer):
            if writing is not None:
                writing.result()
                yield n_writing
            writing, n_writing = writer.submit(_write, file, ready), n_rows
        if writing is not None:
            writing.result()
            yield n_writing


def _batches(readinto: ReadInto, pieces: Iterable[Piece], packer: Packer) -> Iterator[tuple[memoryview, int]]:
    """Packed rows, a buffer full at a time; a buffer is filled again when the next but one is asked for."""
    most = max(1, _BUFFER_BYTES // packer.file_row_bytes)
    outs = [np.empty(most * packer.row_bytes, np.uint8) for _ in range(2)]
    read, n_rows = np.empty(0, np.uint8), 0
    for piece in pieces:
        done = 0
        while done < piece.n_rows:
            n = min(piece.n_rows - done, most - n_rows)
            out = outs[0][n_rows * packer.row_bytes :]
            begin = piece.offset + done * piece.row_bytes
            extent = (n - 1) * piece.row_bytes + packer.file_row_bytes
            if packer.keeps(piece.row_bytes):
                _fill(readinto, out[:extent], begin)
            else:
                if read.size < extent:
                    read = np.empty(extent, np.uint8)
                _fill(readinto, read[:extent], begin)
                packer.pack(read, n, piece.row_bytes, out)
            done, n_rows = done + n, n_rows + n
            if n_rows == most:
                yield outs[0].data[: n_rows * packer.row_bytes], n_rows
                outs.reverse()
                n_rows = 0
    if n_rows:
        yield outs[0].data[: n_rows * packer.row_bytes], n_rows


def _fill(readinto: ReadInto, buffer: Buffer, offset: int) -> None:
    got = readinto(buffer.data, offset)
    if got < buffer.size:
        raise ExportError(f"byte {offset + got}: the input ends here now; it has become shorter since it was opened")


def _write(file: FileIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]


@contextmanager
def whole_or_nothing(*targets: str) -> Iterator[list[FileIO]]:
    """Open a ``.part`` file for each target, and give them the targets' names when the block ends well.

    Otherwise they are removed, and what stood under the targets' names is as it was. The first target is renamed
    first; an older file under the name of a later one is removed before, so that no pair ever mixes old and new.

    Raises
    ------
    ExportError
        Where the system cannot create, write or rename.
    """
    parts = [target + ".part" for target in targets]
    files: list[FileIO] = []
    try:
        for part in parts:
            with suppress(FileNotFoundError):
                os.unlink(part)  # left by a run that was killed; or a link, which must not be written through
            files.append(FileIO(part, "xb"))
        yield files
        for file in files:
            file.close()
        for target in targets[1:]:
            with suppress(FileNotFoundError):
                os.unlink(target)
        for part, target in zip(parts, targets, strict=True):
            os.replace(part, target)
    except OSError as error:
        raise ExportError(f"{targets[0]} could not be written: {error.strerror or error}") from error
    finally:
        for file in files:
            file.close()
        for part in parts[: len(files)]:
            with suppress(OSError):
                os.unlink(part)
