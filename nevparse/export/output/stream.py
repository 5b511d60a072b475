# SPDX-License-Identifier: MIT
"""Writes batches of rows in a second thread while the next ones are made, to space reserved for them."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import FileIO
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from ...traces.packing import Batch

BATCHES = 3  # at a time: being read, waiting to be written, being written
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE: a file is never longer than what was written to it
_WAIT_S = 0.1  # Windows heeds Ctrl-C only between waits
NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


def stream(batches: Iterable[Batch], file: FileIO, show: Callable[[int], None]) -> None:
    """Write batches in a second thread while the next are made.

    `show` is called with the rows, or the bytes of a native file, of each batch that was written.

    Raises
    ------
    OSError
        If the system cannot write.
    """
    to_write: SimpleQueue[Batch | None] = SimpleQueue()
    written: SimpleQueue[int | BaseException] = SimpleQueue()
    writer = Thread(target=_write_each, args=(file, to_write, written), name="nevparse-write", daemon=True)
    n_waiting = 0
    try:
        writer.start()
        for batch in batches:
            if not to_write.empty():  # the thread that writes has enough to do
                batch.pack()
            to_write.put(batch)
            n_waiting += 1
            if n_waiting == BATCHES:
                n_waiting -= 1
                show(_n_rows_of_next(written))
        for _ in range(n_waiting):
            show(_n_rows_of_next(written))
    finally:
        try:
            _end(writer, to_write)
        except KeyboardInterrupt:  # the second one: the file must not be closed while it is written to
            _end(writer, to_write)
            raise


def _end(writer: Thread, to_write: SimpleQueue[Batch | None]) -> None:
    """End the thread; after an error or Ctrl-C only the batch that is being written is completed."""
    with suppress(Empty):
        while True:
            to_write.get_nowait()
    to_write.put(None)
    while writer.is_alive():
        writer.join(_WAIT_S)


def _n_rows_of_next(written: SimpleQueue[int | BaseException]) -> int:
    while True:
        with suppress(Empty):
            result = written.get(timeout=_WAIT_S)
            if isinstance(result, BaseException):
                raise result
            return result


def _write_each(file: FileIO, to_write: SimpleQueue[Batch | None], written: SimpleQueue[int | BaseException]) -> None:
    try:
        while (batch := to_write.get()) is not None:
            write_all(file, batch.pack())
            batch.give_back()
            written.put(batch.n_rows)
    except BaseException as error:  # raised in the thread that exports
        written.put(error)


def write_all(file: FileIO, data: memoryview | bytes) -> None:
    """Write all of `data`, even if the system takes a few bytes at a time."""
    while data:
        data = data[file.write(data) :]


def reserve(file: FileIO, n_bytes: int) -> None:
    """Have the system reserve space for a file, if it can: writing is a third faster. OSError if there is none."""
    fallocate = _fallocate()
    if fallocate is not None and fallocate(file.fileno(), _KEEP_SIZE, 0, n_bytes):
        code = ctypes.get_errno()
        if code in NO_SPACE:
            raise OSError(code, os.strerror(code))


def _fallocate() -> Any:
    """The system's own call; `os.posix_fallocate` would write every block if the file system cannot reserve."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function
