# SPDX-License-Identifier: MIT
"""What can be opened besides paths: bytes in memory, and binary file objects of every kind that can seek."""

from __future__ import annotations

import os
import pickle
import stat
from io import BufferedReader, BytesIO, FileIO, UnsupportedOperation
from threading import Lock
from typing import Any, Protocol, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from .base import Source
from .file import FileSource


class BinaryFile(Protocol):
    """A binary file object that can seek, whoever made it."""

    def read(self, n_bytes: int, /) -> bytes:
        """Read up to so many bytes; none where it ends."""

    def seek(self, offset: int, whence: int = 0, /) -> Any:
        """Go to an offset."""

    def tell(self) -> int:
        """The offset it is at."""


Openable: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile


def open_source(what: Openable) -> Source:
    """Open a path, bytes or a binary file object.

    Raises
    ------
    OSError
        Where it cannot be opened or read.
    TypeError, ValueError
        Where it is none of them, or cannot be read anywhere.
    """
    if is_path(what):
        return FileSource(what)
    if type(what) is BytesIO:  # others may hold less than they can read
        return MemorySource(what.getvalue(), name_of(what))
    try:
        data = memoryview(what)  # type: ignore[arg-type]
    except TypeError:
        file: Any = what
        _refuse(file, name_of(file))
        return OpenFileSource(file) if _is_plain(file) else ObjectSource(file)
    return MemorySource(data, name_of(what))


def is_path(what: Any) -> TypeGuard[str | os.PathLike[str]]:
    """Whether something is a path, and not bytes or a file object."""
    return isinstance(what, (str, os.PathLike))


def name_of(what: Any) -> str:
    """A path; where there is none, a name to print."""
    for name in (what, *(getattr(what, key, None) for key in ("name", "path", "url"))):
        if is_path(name) and isinstance(os.fspath(name), str):
            return os.fspath(name)
    return f"<{type(what).__name__}>"


class MemorySource(Source):
    """Bytes in memory, viewed where they are; they must not be changed."""

    def __init__(self, data: bytes | memoryview, name: str) -> None:
        try:
            self._data: NDArray[np.uint8] | None = np.frombuffer(memoryview(data).toreadonly(), np.uint8)
        except (ValueError, BufferError) as error:
            raise ValueError(f"{name}: expected bytes in one piece, found gaps or another order ({error})") from error
        self.path, self.size = name, self._data.size

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._data is None

    def close(self) -> None:
        """Let go of the bytes."""
        self._data = None

    def reopen_argument(self) -> bytes:
        """A copy of the bytes."""
        return self._bytes().tobytes()

    def _bytes(self) -> NDArray[np.uint8]:
        data = self._data
        if data is None:
            raise ValueError(f"{self.path} is closed")
        return data

    def _read_at(self, n_bytes: int, offset: int) -> bytes:
        return self._bytes()[offset : offset + n_bytes].tobytes()

    def _buffer(self, n_bytes: int, offset: int) -> tuple[NDArray[np.uint8], int]:  # noqa: ARG002 - it holds all
        return self._bytes(), offset


class OpenFileSource(FileSource):
    """A regular file that the caller has opened, through a handle of our own: its position stays where it is."""

    grows = False

    def __init__(self, file: FileIO | BufferedReader) -> None:
        self.path, self._given = name_of(file), type(file).__name__
        self._take(open(os.dup(file.fileno()), "rb", buffering=0))  # noqa: SIM115 - closed by close()

    def reopen_argument(self) -> Any:
        """Nothing does: where the caller's file lies now, nobody knows."""
        raise _not_again(self.path, self._given, "it is open in this process only")


class ObjectSource(Source):
    """A file object of the caller's: sought and read under a lock, and never closed."""

    mapped = False

    def __init__(self, file: BinaryFile) -> None:
        self.path, self._lock = name_of(file), Lock()
        self._file: BinaryFile | None = file
        try:
            file.seek(0, os.SEEK_END)
            self.size = file.tell()
        except UnsupportedOperation as error:
            raise _cannot(self.path, "seek") from error

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file is None

    def close(self) -> None:
        """Let go of the object, which stays open."""
        self._file = None

    def reopen_argument(self) -> BinaryFile:
        """The object, where it can be pickled."""
        file = self._opened()
        try:
            pickle.dumps(file)
        except Exception as error:
            raise _not_again(self.path, type(file).__name__, str(error)) from error
        return file

    def _opened(self) -> BinaryFile:
        file = self._file
        if file is None:
            raise ValueError(f"{self.path} is closed")
        return file

    def _read_at(self, n_bytes: int, offset: int) -> bytes:
        file, parts = self._opened(), []
        with self._lock:
            file.seek(offset)
            while n_bytes > 0:
                part = file.read(n_bytes)
                if not isinstance(part, (bytes, bytearray, memoryview)) or len(part) > n_bytes:
                    found = f"{len(part)} bytes" if hasattr(part, "__len__") else repr(part)
                    raise TypeError(f"{self.path}: expected up to {n_bytes} bytes from its read(), found {found}")
                if not part:
                    break
                parts.append(part)
                n_bytes -= len(part)
        return b"".join(parts)

    def _buffer(self, n_bytes: int, offset: int) -> tuple[bytes, int]:
        data = self.peek(n_bytes, offset)
        if len(data) < n_bytes:
            expected = f"{self.size} bytes, as when it was opened"
            raise FormatError(expected, f"{offset + len(data)}", path=self.path, offset=offset)
        return data, 0


def _refuse(file: Any, name: str) -> None:
    if not all(callable(getattr(file, method, None)) for method in ("read", "seek", "tell")):
        raise TypeError(f"expected a path, bytes, or a binary file object that can seek, found {type(file).__name__}")
    if getattr(file, "closed", False) is True:
        raise ValueError(f"{name} is closed: expected an open file")
    if not getattr(file, "readable", lambda: True)():
        raise _cannot(name, "read")
    if isinstance(file.read(0), str):
        raise TypeError(f"{name}: expected a file opened for bytes (mode 'rb'), found one opened for text")
    if not getattr(file, "seekable", lambda: True)():
        raise _cannot(name, "seek")


def _cannot(name: str, ability: str) -> ValueError:
    instead = "open it with mode 'rb'" if ability == "read" else "read it whole, and give its bytes"
    return ValueError(f"{name}: expected a file object that can {ability}, found one that cannot; {instead}")


def _not_again(name: str, kind: str, why: str) -> TypeError:
    return TypeError(f"{name}: a {kind} cannot be pickled ({why}); open it by its path, or give its bytes")


def _is_plain(file: Any) -> bool:
    """Whether the bytes are those of a regular file, which the system reads at any place whatever its position."""
    kinds = type(file), type(getattr(file, "raw", file))
    if kinds not in ((FileIO, FileIO), (BufferedReader, FileIO)) or not hasattr(os, "pread"):
        return False
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
