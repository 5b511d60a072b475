# SPDX-License-Identifier: MIT
"""What every source of bytes can do, whether a file, memory or a file object."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from io import UnsupportedOperation
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError

ClosableT = TypeVar("ClosableT", bound="Closable")
HEAD_BYTES = 314  # the basic header of most files, which nobody changes while a recording grows


class Closable:
    """What is closed after use, by a ``with`` block too; `dir` lists what is for its users."""

    def close(self) -> None:
        """Release it."""
        raise NotImplementedError

    def __enter__(self: ClosableT) -> ClosableT:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name.startswith("__") or not name.startswith("_")]


class Source(ABC):
    """Bytes that are read by position and viewed as arrays, never written, and never beyond their end."""

    path: str  # or a name to print
    size: int  # in bytes, when it was opened or `update_size` was called last
    zero_copy = True  # whether a view costs nothing; else its bytes are read when it is made
    _origin: Any = None  # the buffer or file object that the bytes are in; None once closed

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._origin is None

    def close(self) -> None:
        """Release the bytes, and close what was opened here; arrays stay valid."""
        self._origin = None

    def close_when_unreachable(self) -> None:  # noqa: B027 - most have nothing to close
        """Close it, without a ResourceWarning, once nothing refers to it any more."""

    def update_size(self) -> int:
        """Take in the bytes that were written since; returns their number."""
        raise ValueError(f"{self.path}: only a file that was opened by its path can be followed while it grows")

    def check_unchanged(self) -> None:  # noqa: B027 - most cannot tell
        """FormatError where a file is shorter than it was, or was changed in its place since the first check."""

    @abstractmethod
    def reopen_argument(self) -> Any:
        """What opens the same bytes in another process; TypeError where nothing can."""

    @abstractmethod
    def _read_at(self, n_bytes: int, offset: int) -> bytes:
        """Up to `n_bytes`; fewer where it ends."""

    @abstractmethod
    def _buffer(self, n_bytes: int, offset: int) -> tuple[Any, int]:
        """A buffer that holds these bytes, and where in it they start."""

    def _open_origin(self) -> Any:
        origin = self._origin
        if origin is None:
            raise ValueError(f"{self.path} is closed")
        return origin

    def peek(self, n_bytes: int, offset: int) -> bytes:
        """Read up to `n_bytes`; fewer only where the file ends."""
        try:
            return self._read_at(max(0, min(n_bytes, self.size - offset)), offset)  # never more than the file holds
        except OSError as error:
            self._name(error)
            raise

    def read(self, n_bytes: int, offset: int, what: str = "data") -> bytes:
        """Read exactly `n_bytes`; FormatError where the file ends before."""
        data = self.peek(n_bytes, offset)
        self._check_complete(len(data), n_bytes, offset, what)
        return data

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` and return the number of bytes, which is smaller only where the file ends."""
        done = 0
        while done < len(buffer):
            try:
                n_bytes = self._readinto_at(buffer[done:], offset + done)
            except OSError as error:
                self._name(error)
                raise
            if n_bytes == 0:
                break
            done += n_bytes
        return done

    def fill(self, buffer: memoryview, offset: int, what: str = "data") -> None:
        """Fill all of `buffer`; FormatError where the file ends before."""
        self._check_complete(self.readinto(buffer, offset), len(buffer), offset, what)

    def _check_complete(self, n_read: int, n_bytes: int, offset: int, what: str) -> None:
        if n_read < n_bytes:
            found = f"{n_read} before the end of the file"
            raise FormatError(f"{n_bytes} bytes of {what}", found, path=self.path, offset=offset)

    def _readinto_at(self, buffer: memoryview, offset: int) -> int:
        data = self.peek(len(buffer), offset)
        buffer[: len(data)] = data
        return len(data)

    def _shrunk(self, found: str, offset: int = 0) -> FormatError:
        return FormatError(f"{self.size} bytes, as when it was opened", found, path=self.path, offset=offset)

    def _name(self, error: OSError) -> None:
        """Give an error in reading the name of the file, which the system leaves out."""
        if error.filename is None and error.strerror:
            error.filename = self.path

    def fileno(self) -> int:
        """The file descriptor; OSError where the bytes are not simply those of one."""
        raise UnsupportedOperation(f"{self.path} has no file descriptor")

    def is_read_from(self, path: str) -> bool:
        """Whether the bytes are in the file of this name, whatever name they were opened by."""
        try:
            return os.path.samestat(os.fstat(self._descriptor()), os.stat(path))
        except (OSError, ValueError):
            return False

    def _descriptor(self) -> int:
        """That of the file which the bytes are in, be it as they are or packed."""
        return self.fileno()

    def view(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int, row_bytes: int | None = None
    ) -> NDArray[Any]:
        """A read-only array over bytes from `offset` on; FormatError where it would reach beyond the file.

        Rows of a two-dimensional array are `row_bytes` apart where that is more than their own bytes.
        """
        row = prod(shape[1:]) * dtype.itemsize
        n_bytes = (shape[0] - 1) * (row_bytes or row) + row if shape[0] and row else 0
        if offset < 0 or offset + n_bytes > self.size:
            raise FormatError(f"{n_bytes} bytes", f"{self.size - offset}", path=self.path, offset=offset)
        if n_bytes == 0:
            return np.frombuffer(b"", dtype).reshape(shape)
        strides = None if row_bytes is None else (row_bytes, dtype.itemsize)
        try:
            buffer, start = self._buffer(n_bytes, offset)
        except OSError as error:
            self._name(error)
            raise
        view: NDArray[Any] = np.ndarray(shape, dtype, buffer=buffer, offset=start, strides=strides)
        return view
