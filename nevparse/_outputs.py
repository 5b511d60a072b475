# SPDX-License-Identifier: MIT
"""Writes batches of rows beside their making, and gives files their names only when they are whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from queue import SimpleQueue
from threading import Thread

from ._pump import Batch
from .errors import ExportError

PART = ".part"
# What copy_file_range says between file systems, on ones that cannot, and under old kernels and sandboxes
_NO_SYSTEM_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY}


def stream(batches: Iterable[Batch], file: FileIO) -> Iterator[int]:
    """Write batches in a thread of its own, while the next one is made; yields how many rows each had.

    Raises
    ------
    OSError
        Where the system cannot write.
    """
    to_write: SimpleQueue[memoryview | None] = SimpleQueue()
    written: SimpleQueue[BaseException | None] = SimpleQueue()
    writer = Thread(target=_write_each, args=(file, to_write, written), name="nevparse-write", daemon=True)
    writer.start()
    try:
        n_writing = 0
        for data, n_rows in batches:
            if n_writing:
                yield _waited(written, n_writing)
            to_write.put(data)
            n_writing = n_rows
        if n_writing:
            yield _waited(written, n_writing)
    finally:
        to_write.put(None)
        writer.join()


def _waited(written: SimpleQueue[BaseException | None], n_rows: int) -> int:
    error = written.get()
    if error is not None:
        raise error
    return n_rows


def _write_each(
    file: FileIO, to_write: SimpleQueue[memoryview | None], written: SimpleQueue[BaseException | None]
) -> None:
    try:
        while (data := to_write.get()) is not None:
            write_all(file, data)
            written.put(None)
    except BaseException as error:  # it is raised where the export runs
        written.put(error)


def write_all(file: FileIO, data: memoryview | bytes) -> None:
    """Write all of it, however little the system takes at a time."""
    while data:
        data = data[file.write(data) :]


def system_copy(source: int, target: int, offset: int, n_bytes: int) -> int | None:
    """Have the system copy bytes between two open files; returns how many, None where it does not do that."""
    if not hasattr(os, "copy_file_range"):
        return None
    try:
        return os.copy_file_range(source, target, n_bytes, offset)
    except OSError as error:
        if error.errno in _NO_SYSTEM_COPY:
            return None
        raise


class Outputs:
    """Files that get their names together, once all of them are whole."""

    def __init__(self) -> None:
        self._targets: list[tuple[str, bool]] = []

    @contextmanager
    def create(self, target: str, companion: bool = False) -> Iterator[FileIO]:
        """Open a ``.part`` for a target; a `companion` describes another file and is never paired with an old one."""
        with suppress(FileNotFoundError):
            os.unlink(target + PART)  # left by a run that was killed; or a link, which must not be written through
        self._targets.append((target, companion))  # before there is a file: Ctrl-C may strike at any line
        with FileIO(target + PART, "xb") as file:
            yield file

    def name(self) -> None:
        """Give every file its name."""
        for target, companion in self._targets:
            if companion:
                with suppress(FileNotFoundError):
                    os.unlink(target)
        for target, _ in self._targets:
            os.replace(target + PART, target)

    def discard(self) -> None:
        """Remove what has no name yet."""
        for target, _ in self._targets:
            with suppress(OSError):
                os.unlink(target + PART)


@contextmanager
def whole_or_nothing(what: str) -> Iterator[Outputs]:
    """Give the files that are created in the block their names when it ends well; else nothing is left of them.

    Raises
    ------
    ExportError
        Where the system cannot create, write or rename.
    """
    outputs = Outputs()
    try:
        yield outputs
        outputs.name()
    except OSError as error:
        raise ExportError(f"{what} could not be written: {error.strerror or error}") from error
    finally:
        outputs.discard()
