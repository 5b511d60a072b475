# SPDX-License-Identifier: MIT
"""Writes batches of rows in a thread beside their making, to space that was set aside for them."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import FileIO
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ...traces.packing import BUFFERS, Batch

_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE: a file is never longer than what was written to it
NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


def stream(batches: Iterable[Batch], file: FileIO) -> Iterator[int]:
    """Write batches in a thread of its own, while the next ones are made; yields how many rows each had.

    Raises
    ------
    OSError
        Where the system cannot write.
    """
    to_write: SimpleQueue[Batch | None] = SimpleQueue()
    written: SimpleQueue[BaseException | None] = SimpleQueue()
    writer = Thread(target=_write_each, args=(file, to_write, written), name="nevparse-write", daemon=True)
    writer.start()
    waiting: deque[int] = deque()
    try:
        for batch in batches:
            to_write.put(batch)
            waiting.append(batch.n_rows)
            if len(waiting) == BUFFERS:  # the next batch is made where the oldest of these stands
                yield _waited(written, waiting.popleft())
        while waiting:
            yield _waited(written, waiting.popleft())
    finally:
        to_write.put(None)
        writer.join()


def _waited(written: SimpleQueue[BaseException | None], n_rows: int) -> int:
    error = written.get()
    if error is not None:
        raise error
    return n_rows


def _write_each(file: FileIO, to_write: SimpleQueue[Batch | None], written: SimpleQueue[BaseException | None]) -> None:
    try:
        while (batch := to_write.get()) is not None:
            write_all(file, batch.packed())
            written.put(None)
    except BaseException as error:  # it is raised where the export runs
        written.put(error)


def write_all(file: FileIO, data: memoryview | bytes) -> None:
    """Write all of it, however little the system takes at a time."""
    while data:
        data = data[file.write(data) :]


def reserve(file: FileIO, n_bytes: int) -> None:
    """Have the system set space aside for a file, where it can: what is written then costs a third less.

    Raises
    ------
    OSError
        Where there is no such space.
    """
    fallocate = _fallocate()
    if fallocate is not None and fallocate(file.fileno(), _KEEP_SIZE, 0, n_bytes):
        code = ctypes.get_errno()
        if code in NO_SPACE:
            raise OSError(code, os.strerror(code))


@lru_cache(maxsize=1)
def _fallocate() -> Any:
    """The system's own call; `os.posix_fallocate` would write every block where a file system has none."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function
