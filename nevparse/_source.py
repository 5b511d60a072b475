# SPDX-License-Identifier: MIT
"""A file as a bounds-checked, read-only map.

Headers are read by position, never through the map, so that a file which shrinks gives an error and not a
fault. Samples and packets are numpy views of one `numpy.memmap` of the whole file, made on first touch.
"""

from __future__ import annotations

import errno
import os
import stat
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._layout import Layout
from .errors import FormatError


class Source:
    """An open file that can be read by position and viewed without copying.

    Parameters
    ----------
    path : str or os.PathLike
        A regular file. It is opened read-only.

    Raises
    ------
    OSError
        Where the system refuses: missing, a directory, no permission.
    FormatError
        Where the path is not a regular file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        mode = os.stat(self.path).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "expected a file, found a directory", self.path)
        if not stat.S_ISREG(mode):
            raise FormatError("a regular file", "a device, pipe or socket", path=self.path)
        self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self.size = os.fstat(self._file.fileno()).st_size
        self._lock = Lock()
        self._map: NDArray[np.uint8] | None = None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file.closed

    def close(self) -> None:
        """Let go of the file. Arrays handed out stay valid: they keep the map alive until they are gone."""
        self._file.close()
        self._map = None

    def peek(self, n_bytes: int, offset: int) -> bytes:
        """Read up to `n_bytes`; fewer only where the file ends."""
        n_bytes = max(0, min(n_bytes, self.size - offset))  # never more than the file holds, whatever was asked
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), n_bytes, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(n_bytes)

    def read(self, n_bytes: int, offset: int, what: str = "data") -> bytes:
        """Read exactly `n_bytes`.

        Raises
        ------
        FormatError
            Where the file ends before.
        """
        data = self.peek(n_bytes, offset)
        if len(data) < n_bytes:
            found = f"{len(data)} before the end of the file"
            raise FormatError(f"{n_bytes} bytes of {what}", found, path=self.path, offset=offset)
        return data

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from the file and return how many bytes there were (fewer at the end)."""
        done = 0
        while done < len(buffer):
            got = self._readinto_at(buffer[done:], offset + done)
            if got == 0:
                break
            done += got
        return done

    def fileno(self) -> int:
        """The system's handle of the file."""
        return self._file.fileno()

    def unpack(self, layout: Layout, offset: int = 0) -> dict[str, Any]:
        """Read one record."""
        return layout.unpack(self.read(layout.size, offset, layout.name))

    def view(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int, row_bytes: int | None = None
    ) -> NDArray[Any]:
        """A read-only array over the file's own bytes, from `offset` on.

        Rows of a two-dimensional array stand `row_bytes` apart where that is more than their own bytes.

        Raises
        ------
        FormatError
            Where the array would reach beyond the file.
        """
        row = prod(shape[1:]) * dtype.itemsize
        stride = row if row_bytes is None else row_bytes
        n_bytes = (shape[0] - 1) * stride + row if shape[0] and row else 0
        if offset < 0 or offset + n_bytes > self.size:
            raise FormatError(f"{n_bytes} bytes", f"{self.size - offset}", path=self.path, offset=offset)
        if n_bytes == 0:
            return np.frombuffer(b"", dtype).reshape(shape)
        strides = None if row_bytes is None else (row_bytes, dtype.itemsize)
        view: NDArray[Any] = np.ndarray(shape, dtype, buffer=self._mapped(), offset=offset, strides=strides)
        return view

    def _mapped(self) -> NDArray[np.uint8]:
        with self._lock:
            if self._map is None:
                self._map = self._new_map()
            return self._map

    def _new_map(self) -> NDArray[np.uint8]:
        if self.closed:
            raise ValueError(f"{self.path} is closed")
        if os.fstat(self._file.fileno()).st_size < self.size:
            raise FormatError(f"{self.size} bytes, as when it was opened", "fewer", path=self.path)
        mapped = np.memmap(self._file, np.uint8, "r", shape=(self.size,))
        return np.asarray(mapped)

    def _readinto_at(self, buffer: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [buffer], offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(buffer)
