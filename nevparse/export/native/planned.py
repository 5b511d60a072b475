# SPDX-License-Identifier: MIT
"""Carries out a file that was decided on: head first, then its body through small buffers, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...traces.extents import Extent
from ...traces.packing import BUFFER_BYTES, Batch, ColumnPacker, ReadInto, RowReader
from ..output.files import refuse_file, whole_or_nothing
from ..output.stream import stream

Progress = Callable[[int, int], None]
_SMALL_BYTES = BUFFER_BYTES // 16  # parts below this are written together


class FilePlan(NamedTuple):
    """A file to write.

    Parameters
    ----------
    head : bytes
        How it begins.
    n_bytes : int
        Of the whole file.
    body : iterator
        What follows, in parts of any size; a large one stays what it is until `BUFFERS` more are asked for.
    """

    head: bytes
    n_bytes: int
    body: Iterator[memoryview]


def write_file(
    planned: FilePlan, inputs: Sequence[str], path: str | os.PathLike[str], overwrite: bool, progress: Progress | None
) -> str:
    """Write the file; returns its name.

    Raises
    ------
    ExportError
        Where a file is in the way, an input would be overwritten, the disk is full, or an input shrinks meanwhile.
    """
    target = os.fspath(path)
    n_done = 0
    with whole_or_nothing(target) as outputs:
        refuse_file(inputs, target, planned.n_bytes, overwrite)
        with outputs.create(target, n_bytes=planned.n_bytes) as file:
            for n_bytes in stream(_together(planned), file):
                n_done += n_bytes
                if progress is not None:
                    progress(n_done, planned.n_bytes)
    return target


def _together(planned: FilePlan) -> Iterator[Batch]:
    """The whole file in parts that are worth a turn of the writer each."""
    small = bytearray(planned.head)
    for part in planned.body:
        if small and len(small) + part.nbytes > _SMALL_BYTES:
            yield Batch(memoryview(small), len(small))
            small = bytearray()
        if part.nbytes > _SMALL_BYTES:
            yield Batch(part, part.nbytes)
        else:
            small += part
    if small:
        yield Batch(memoryview(small), len(small))


def verbatim(readinto: ReadInto, start: int, stop: int) -> Iterator[memoryview]:
    """Bytes `start` to `stop` of a file."""
    packer = ColumnPacker(np.zeros(1, np.intp), 1, np.dtype(np.uint8))
    for batch in RowReader(readinto, packer, b"").batches([Extent(start, stop - start, 1)]):
        yield batch.packed()
