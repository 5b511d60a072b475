# SPDX-License-Identifier: MIT
"""A file as a read-only map.

Headers are read by position, never through the map, so that a file which shrinks gives an error and not a fault.
Samples and packets are numpy views of one map of the file, made on first touch.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import sys
from io import FileIO
from threading import Lock
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from .base import HEAD_BYTES, Source


class FileSource(Source):
    """A regular file, opened read-only by its path; it may grow meanwhile. What the system refuses is an OSError."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._absolute = os.path.abspath(self.path)  # the working directory may be another when it is pickled
        mode = os.stat(self.path).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "expected a file, found a directory", self.path)
        if not stat.S_ISREG(mode):
            raise FormatError("a regular file", "a device, pipe or socket", path=self.path)
        self._use(open(self.path, "rb", buffering=0))  # noqa: SIM115 - closed by close()

    def _use(self, file: FileIO) -> None:
        self._file, self.size = file, os.fstat(file.fileno()).st_size
        self._lock = Lock()
        self._map: NDArray[np.uint8] | None = None
        self._state: tuple[int, int, bytes] | None = None  # size, date of change, and head when it was checked last

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file.closed

    def close(self) -> None:
        """Close the file; arrays keep the map alive until they are gone."""
        with self._lock:  # a read that seeks is over by then
            self._file.close()
            self._map = None

    def close_when_unreachable(self) -> None:
        """Close the file, without a ResourceWarning, once nothing refers to this any more."""
        finalize(self, self._file.close)

    def update_size(self) -> int:
        """Take in the bytes that were written since; returns their number. FormatError where the file shrank."""
        self._check_open()
        with self._lock:
            size = os.fstat(self._file.fileno()).st_size
            n_new = size - self.size
            if n_new < 0:
                raise FormatError(f"{self.size} bytes or more, as before", f"{size}", path=self.path)
            self.size = size
        return n_new

    def check_unchanged(self) -> None:
        """FormatError where the file is shorter than it was, or was changed in its place since the first check.

        It may grow: then its head is compared.
        """
        self._check_open()
        known = self._state  # read once: other threads may ask at the same time
        status = os.fstat(self._file.fileno())
        now = status.st_size, status.st_mtime_ns
        if known is not None and now == known[:2]:
            return
        if now[0] < self.size:
            raise self._shrunk(f"{now[0]}; reopen it")
        head = self.peek(HEAD_BYTES, 0)
        if known is not None and (now[0] <= known[0] or head != known[2]):
            found = "one that was written to and did not grow; reopen it"
            raise FormatError("the file as it was", found, path=self.path)
        self._state = (*now, head)

    def reopen_argument(self) -> Any:
        """Its absolute path."""
        return self._absolute

    def fileno(self) -> int:
        """The file descriptor."""
        return self._file.fileno()

    def _read_at(self, n_bytes: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            try:
                return os.pread(self._file.fileno(), n_bytes, offset)
            finally:
                self._check_open()
        room = memoryview(bytearray(n_bytes))
        return room[: self.readinto(room, offset)].tobytes()

    def _readinto_at(self, buffer: memoryview, offset: int) -> int:
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self._file.fileno(), [buffer], offset)
            if sys.platform == "win32":
                from .windows import readinto_at

                return readinto_at(self._file.fileno(), buffer, offset)
            if hasattr(os, "pread"):
                return super()._readinto_at(buffer, offset)
            with self._lock:
                self._file.seek(offset)
                return self._file.readinto(buffer)
        finally:
            self._check_open()

    def _buffer(self, n_bytes: int, offset: int) -> tuple[NDArray[np.uint8], int]:
        mapped = self._map
        if mapped is None or mapped.size < offset + n_bytes:  # the file has grown since
            try:  # without a lock, which a fork might leave locked for good
                mapped = self._map = self._new_map()
            finally:
                self._check_open()
        return mapped, offset

    def _check_open(self) -> None:
        """Raise where the file is closed: another thread may have closed it, and another file have got its number."""
        if self._file.closed:
            self._map = None
            raise ValueError(f"{self.path} is closed")

    def _new_map(self) -> NDArray[np.uint8]:
        size = self.size  # before the system's: another thread may find that it has grown
        if os.fstat(self._file.fileno()).st_size < size:
            raise self._shrunk("fewer")
        mapped = mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ)  # numpy.memmap would seek
        return np.frombuffer(mapped, np.uint8)
