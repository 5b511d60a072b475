# SPDX-License-Identifier: MIT
"""What can be opened besides paths: bytes in memory, and binary file objects of every kind that can seek."""

from __future__ import annotations

import errno
import os
import pickle
import stat
import sys
from contextlib import suppress
from io import BufferedReader, BytesIO, FileIO, UnsupportedOperation
from threading import Lock
from typing import Any, Protocol, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .base import Source
from .file import FileSource
from .names import is_same_file

_WRAPPED = "raw", "fileobj", "_fileobj", "_file"  # where members of archives keep the file that they are in
_MAX_WRAPPERS = 8


class _BinaryFile(Protocol):
    """A binary file object that can seek, whoever made it."""

    def read(self, n_bytes: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> Any: ...
    def tell(self) -> int: ...


Openable: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | _BinaryFile


def open_source(openable: Openable) -> Source:
    """Open a path, bytes or a binary file object.

    OSError where the system refuses; TypeError or ValueError where it is none of them, or cannot be read by position.
    """
    if is_path(openable):
        return _open_path(openable)
    name = display_name(openable)
    if type(openable) is BytesIO:  # a subclass may hold less than it can read
        return MemorySource(openable.getvalue(), name)
    try:
        data = memoryview(openable)  # type: ignore[arg-type]
    except TypeError:
        file: Any = openable
        _check_readable(file, name)
        return OpenFileSource(file, name) if _is_regular(file) else ObjectSource(file, name)
    return MemorySource(data, name)


def _open_path(path: str | os.PathLike[str]) -> FileSource:
    try:
        return FileSource(path)
    except PermissionError as error:
        if not _is_held_open(os.fspath(path)):
            raise
        reason = "it is held open by another program that does not share it"
        raise PermissionError(errno.EACCES, reason, os.fspath(path)) from error
    except FileNotFoundError as error:
        if not os.path.islink(path):
            if beside := _members_beside(os.fspath(path)):
                reason = f"no such file; open_recording takes the base name of {', '.join(beside)}"
                raise FileNotFoundError(errno.ENOENT, reason, os.fspath(path)) from error
            raise
        target = os.path.realpath(path)
        advice = "; git annex get fetches it" if "annex" in target else ""
        reason = f"it is a link to {target}, which is not there{advice}"
        raise FileNotFoundError(errno.ENOENT, reason, os.fspath(path)) from error


def _members_beside(base: str) -> list[str]:
    """Files that are named as members of a recording of this base name."""
    folder, name = os.path.split(base)
    with suppress(OSError):
        return sorted(other for other in os.listdir(folder or ".") if name and other.startswith(f"{name}.n"))
    return []


def _is_held_open(path: str) -> bool:
    """Whether another program has a file open and does not share it, which only Windows allows."""
    if sys.platform == "win32":
        import _winapi

        try:  # as `open` does, whose error has no code of Windows; 3: shared for reading and writing
            handle = _winapi.CreateFile(path, _winapi.GENERIC_READ, 3, 0, _winapi.OPEN_EXISTING, 0, 0)
        except OSError as error:
            return error.winerror == 32
        _winapi.CloseHandle(handle)
    return False


def is_path(openable: Any) -> TypeGuard[str | os.PathLike[str]]:
    """Whether something is a path, and not bytes or a file object."""
    return isinstance(openable, (str, os.PathLike))


def display_name(openable: Any) -> str:
    """The path of something that was opened; where it has none, a name to print."""
    for name in (openable, *(getattr(openable, key, None) for key in ("name", "path", "url"))):
        if is_path(name) and isinstance(os.fspath(name), str):
            return os.fspath(name)
    return f"<{type(openable).__name__}>"


class MemorySource(Source):
    """Bytes in memory, viewed where they are; they must not be changed."""

    def __init__(self, data: bytes | memoryview, name: str) -> None:
        try:
            self._origin = np.frombuffer(memoryview(data).toreadonly(), np.uint8)
        except (ValueError, BufferError) as error:
            raise ValueError(f"{name}: expected bytes in one piece, found gaps or another order ({error})") from error
        self.path, self.size = name, self._origin.size

    def reopen_argument(self) -> bytes:
        """A copy of the bytes."""
        return self._read_at(self.size, 0)

    def _read_at(self, n_bytes: int, offset: int) -> bytes:
        data: bytes = self._open_origin()[offset : offset + n_bytes].tobytes()
        return data

    def _buffer(self, n_bytes: int, offset: int) -> tuple[NDArray[np.uint8], int]:  # noqa: ARG002 - it holds all
        return self._open_origin(), offset


class OpenFileSource(FileSource):
    """A regular file that the caller opened, by a second file descriptor: the caller's position stays where it is."""

    update_size = Source.update_size

    def __init__(self, file: FileIO | BufferedReader, name: str) -> None:
        self.path, self._kind = name, type(file).__name__
        self._use(open(os.dup(file.fileno()), "rb", buffering=0))  # noqa: SIM115 - closed by close()

    def reopen_argument(self) -> Any:
        """Raises TypeError: the file may have been renamed since it was opened."""
        raise _not_picklable(self.path, self._kind, "it is open in this process only")


class ObjectSource(Source):
    """A file object of the caller's, such as a zip member: read by seeking, under a lock, and never closed."""

    zero_copy = False

    def __init__(self, file: _BinaryFile, name: str) -> None:
        self.path, self._origin, self._lock = name, file, Lock()
        try:
            if not getattr(file, "seekable", lambda: True)():
                raise UnsupportedOperation("seek")
            file.seek(0, os.SEEK_END)
            self.size = file.tell()
        except UnsupportedOperation as error:
            expected = "expected a file object that can seek, found one that cannot"
            raise ValueError(f"{name}: {expected}; read all of it, and give the bytes") from error

    def reopen_argument(self) -> _BinaryFile:
        """The object, where it can be pickled."""
        file: _BinaryFile = self._open_origin()
        try:
            pickle.dumps(file)
        except Exception as error:
            raise _not_picklable(self.path, type(file).__name__, str(error)) from error
        return file

    def is_read_from(self, path: str) -> bool:
        """Also by the name of an object that shows no descriptor."""
        return is_same_file(self.path, path) or super().is_read_from(path)

    def _descriptor(self) -> int:
        file = self._open_origin()
        for _ in range(_MAX_WRAPPERS):
            with suppress(UnsupportedOperation, AttributeError):
                return int(file.fileno())
            file = next((inner for name in _WRAPPED if (inner := getattr(file, name, None)) is not None), None)
        return super()._descriptor()

    def _read_at(self, n_bytes: int, offset: int) -> bytes:
        file, parts = self._open_origin(), []
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
            raise self._shrunk(f"{offset + len(data)}", offset)
        return data, 0


def _check_readable(file: Any, name: str) -> None:
    if not all(callable(getattr(file, method, None)) for method in ("read", "seek", "tell")):
        raise TypeError(f"expected a path, bytes, or a binary file object that can seek, found {type(file).__name__}")
    if getattr(file, "closed", False) is True:
        raise ValueError(f"{name} is closed: expected an open file")
    if not getattr(file, "readable", lambda: True)():
        raise ValueError(f"{name}: expected a file object that can read, found one that cannot; open it with mode 'rb'")
    if isinstance(file.read(0), str):
        raise TypeError(f"{name}: expected a file opened for bytes (mode 'rb'), found one opened for text")


def _is_regular(file: Any) -> bool:
    """Whether the system can read the object's bytes by position, whatever the object's own position is."""
    kinds = type(file), type(getattr(file, "raw", file))
    if kinds not in ((FileIO, FileIO), (BufferedReader, FileIO)) or not hasattr(os, "pread"):
        return False
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def _not_picklable(name: str, kind: str, why: str) -> TypeError:
    return TypeError(f"{name}: a {kind} cannot be pickled ({why}); open it by its path, or give its bytes")
