# SPDX-License-Identifier: MIT
"""What every source of bytes offers, a file or what stands for one: bounds-checked and read-only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import UnsupportedOperation
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError


class Source(ABC):
    """Bytes that can be read by position and viewed: `path` to print, and `size` when it was opened."""

    path: str
    size: int
    grows = False  # whether a recorder may be writing to it still: only what was opened by its path
    mapped = True  # whether views cost nothing; else their bytes are read when they are made

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether `close` was called."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it. Arrays handed out stay valid."""

    def close_when_unreachable(self) -> None:  # noqa: B027 - others have nothing to close
        """Have it closed once nothing refers to it any more."""

    def update_size(self) -> int:
        """Take in bytes that were written since; returns how many."""
        raise ValueError(f"{self.path}: only a file that was opened by its path can be followed while it grows")

    @abstractmethod
    def reopen_argument(self) -> Any:
        """What opens it once more in another process; TypeError where nothing does."""

    @abstractmethod
    def _read_at(self, n_bytes: int, offset: int) -> bytes:
        """Up to `n_bytes`; fewer where it ends."""

    @abstractmethod
    def _buffer(self, n_bytes: int, offset: int) -> tuple[Any, int]:
        """A buffer that holds these bytes, and where in it they begin."""

    def peek(self, n_bytes: int, offset: int) -> bytes:
        """Read up to `n_bytes`; fewer only where the file ends."""
        return self._read_at(max(0, min(n_bytes, self.size - offset)), offset)  # never more than the file holds

    def read(self, n_bytes: int, offset: int, what: str = "data") -> bytes:
        """Read exactly `n_bytes`; FormatError where the file ends before."""
        data = self.peek(n_bytes, offset)
        if len(data) < n_bytes:
            found = f"{len(data)} before the end of the file"
            raise FormatError(f"{n_bytes} bytes of {what}", found, path=self.path, offset=offset)
        return data

    def fill(self, buffer: memoryview, offset: int, what: str = "data") -> None:
        """Fill all of `buffer`; FormatError where the file ends before."""
        n_bytes = self.readinto(buffer, offset)
        if n_bytes < len(buffer):
            found = f"{n_bytes} before the end of the file"
            raise FormatError(f"{len(buffer)} bytes of {what}", found, path=self.path, offset=offset)

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from the file and return how many bytes there were (fewer at the end)."""
        done = 0
        while done < len(buffer):
            got = self._readinto_at(buffer[done:], offset + done)
            if got == 0:
                break
            done += got
        return done

    def _readinto_at(self, buffer: memoryview, offset: int) -> int:
        data = self.peek(len(buffer), offset)
        buffer[: len(data)] = data
        return len(data)

    def fileno(self) -> int:
        """The system's handle of the file; OSError where the bytes are not simply those behind one."""
        raise UnsupportedOperation(f"{self.path} has no handle of the system")

    def view(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int, row_bytes: int | None = None
    ) -> NDArray[Any]:
        """A read-only array over bytes from `offset` on; FormatError where it would reach beyond the file.

        Rows of a two-dimensional array stand `row_bytes` apart where that is more than their own bytes.
        """
        row = prod(shape[1:]) * dtype.itemsize
        stride = row if row_bytes is None else row_bytes
        n_bytes = (shape[0] - 1) * stride + row if shape[0] and row else 0
        if offset < 0 or offset + n_bytes > self.size:
            raise FormatError(f"{n_bytes} bytes", f"{self.size - offset}", path=self.path, offset=offset)
        if n_bytes == 0:
            return np.frombuffer(b"", dtype).reshape(shape)
        strides = None if row_bytes is None else (row_bytes, dtype.itemsize)
        buffer, begin = self._buffer(n_bytes, offset)
        view: NDArray[Any] = np.ndarray(shape, dtype, buffer=buffer, offset=begin, strides=strides)
        return view
