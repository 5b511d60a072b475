# SPDX-License-Identifier: MIT
"""Opening a file, reopening it in another process, and checking that it is still the same recording."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from threading import RLock
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary, finalize
from zlib import crc32

from ..errors import Damage, FormatError, warn_of_damage
from .base import Source
from .objects import Openable, open_source

Opener = Callable[[Any], Any]  # takes what `Source.reopen_argument` returns
_SIZE_BYTES = 8  # of a digest, which hold the number of bytes it was made of


class FileReference:
    """How to reopen a file, which happens when it is first needed.

    What passes a segment on, such as a cluster's scheduler, need not have the file, and must not keep it open.
    """

    __slots__ = ("__weakref__", "_file", "_pickled")

    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled  # opener and argument: a file object would be open once it is unpickled
        self._file: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return shared_reference, (self._pickled,)

    @property
    def file(self) -> Any:
        """The file, which is closed with the last reference to this."""
        with _opening:
            if self._file is None:
                opener, argument = pickle.loads(self._pickled)
                self._file = opener(argument)
                finalize(self, self._file.close)
            return self._file


_opening = RLock()  # of the references and the files they open; a file may be pickled by others
_references: WeakValueDictionary[bytes, FileReference] = WeakValueDictionary()


def reference_to(opener: Opener, argument: Any) -> FileReference:
    """How to reopen what `opener` opens, given `argument`."""
    return FileReference(pickle.dumps((opener, argument)))


def shared_reference(pickled: bytes) -> FileReference:
    """One reference for all that are unpickled: a cluster's process has a segment in each of hundreds of tasks."""
    with _opening:
        return _references.setdefault(pickled, FileReference(pickled))


class _Damageable(Protocol):
    """An NSx or NEV file."""

    @property
    def damage(self) -> tuple[Damage, ...]: ...


_FileT = TypeVar("_FileT", bound=_Damageable)


def open_file(openable: Openable, make: Callable[[Source], _FileT], digest: bytes | None = None) -> _FileT:
    """Open a file and warn of its damage; nothing stays open where that fails.

    With the `digest` of a pickled file its headers must be the same, and it is closed when nothing refers to it.
    """
    source = open_source(openable)
    try:
        file = make(source)
        if digest is not None:
            check_same_headers(source, digest, "the headers of the file that was pickled")
            source.close_when_unreachable()
        warn_of_damage(source.path, file.damage)
    except BaseException:
        source.close()
        raise
    return file


def header_digest(header: bytes) -> bytes:
    """A few bytes by which one file's headers differ from another's."""
    return len(header).to_bytes(_SIZE_BYTES, "little") + crc32(header).to_bytes(4, "little")


def check_same_headers(source: Source, digest: bytes, expected: str = "the headers that it had before") -> None:
    """FormatError where a file's headers have another digest: the path now belongs to another recording."""
    n_bytes = int.from_bytes(digest[:_SIZE_BYTES], "little")
    if header_digest(source.peek(n_bytes, 0)) != digest:
        raise FormatError(expected, "those of another recording; reopen it", path=source.path)
