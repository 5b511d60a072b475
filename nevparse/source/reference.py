# SPDX-License-Identifier: MIT
"""How a file is opened again: in another process, or to see whether it is still the same recording."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary, finalize
from zlib import crc32

from ..errors import Damage, FormatError, warn_of_damage
from .base import Source
from .objects import Openable, open_source

_FileT = TypeVar("_FileT", bound="Reopenable")
Opener = Callable[[Any], Any]  # of what a source gives to be opened again by
_SIZE_BYTES = 8  # of a digest, that say how long the headers are


class _OpenedFile:
    """A file that is closed with the last reference to this: nobody else does it."""

    __slots__ = ("__weakref__", "file")

    def __init__(self, opener: Opener, argument: Any) -> None:
        self.file = opener(argument)
        finalize(self, self.file.close)


# A cluster keeps hundreds of tasks, each with a copy of a segment: all that are in one process share the file.
_opened_files: WeakValueDictionary[bytes, _OpenedFile] = WeakValueDictionary()
_lock = Lock()


class FileReference:
    """How to open a file again, which is opened when it is first needed, and not before.

    What passes a segment on, such as a cluster's scheduler, need not have the file, and must not hold it open.

    Parameters
    ----------
    opener : Opener
        Opens it.
    argument : object
        What the opener takes: a path, bytes or a file object that pickles.
    """

    __slots__ = ("__weakref__", "_opened", "_opener_and_argument")

    def __init__(self, opener: Opener, argument: Any) -> None:
        self._opener_and_argument = opener, argument
        self._opened: _OpenedFile | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return FileReference, self._opener_and_argument

    @property
    def file(self) -> Any:
        """The file, opened where it is not yet."""
        with _lock:  # threads that race must not close what one of them reads
            if self._opened is None:
                key = pickle.dumps(self._opener_and_argument)
                self._opened = _opened_files.get(key) or _OpenedFile(*self._opener_and_argument)
                _opened_files[key] = self._opened
            return self._opened.file


class Reopenable(Protocol):
    """An open file that pickles as what opens it again and the digest of its headers."""

    path: str
    digest: bytes
    _source: Source

    @property
    def damage(self) -> tuple[Damage, ...]:
        """Everything odd that was met on opening."""

    def close(self) -> None:
        """Let go of the file."""


def open_file(what: Openable, make: Callable[[Source], _FileT]) -> _FileT:
    """Open a file or what stands for one, and warn of what was odd; nothing is left open where that fails."""
    source = open_source(what)
    try:
        file = make(source)
        warn_of_damage(source.path, file.damage, stacklevel=4)
    except BaseException:
        source.close()
        raise
    return file


def header_digest(header: bytes) -> bytes:
    """What tells one file's headers from another's."""
    return len(header).to_bytes(_SIZE_BYTES, "little") + crc32(header).to_bytes(4, "little")


def check_same_recording(source: Source, digest: bytes) -> None:
    """Raise where the headers are no more those of a digest: another recording was begun under the same name."""
    n_bytes = int.from_bytes(digest[:_SIZE_BYTES], "little")
    if header_digest(source.read(n_bytes, 0, "headers")) != digest:
        raise FormatError("the headers there were before", "others: it was begun anew; open it again", path=source.path)


def reopen(argument: Any, *, make: Callable[[Source], _FileT], digest: bytes) -> _FileT:
    """Open a pickled file again; it closes itself where nobody does, as in a worker that was given it.

    Raises
    ------
    FormatError
        Where the headers are not those of the file that was pickled.
    """
    file = open_file(argument, make)
    if file.digest != digest:
        file.close()
        raise FormatError("the headers of the file that was pickled", "others", path=file.path)
    file._source.close_when_unreachable()
    return file
