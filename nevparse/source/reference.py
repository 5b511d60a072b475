# SPDX-License-Identifier: MIT
"""An open file on its way to other processes, which is opened there when it is first needed, and not before.

What passes a segment on, such as a cluster's scheduler, need not have the file, and must not hold it open.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary, finalize, ref
from zlib import crc32

from ..errors import Damage, FormatError, warn_of_damage
from .base import Source
from .objects import Openable, open_source

if TYPE_CHECKING:
    from ..nsx.file import NsxFile

_FileT = TypeVar("_FileT", bound="Reopenable")
_SIZE_BYTES = 8  # of a digest, that say how long the headers are


class _OpenedHere:
    """A file that is closed with the last reference to this: nobody else does it."""

    __slots__ = ("__weakref__", "file")

    def __init__(self, frozen: bytes) -> None:
        stamped, file = pickle.loads(frozen)
        self.file: NsxFile = (
            file if file.has_sample_timestamps == stamped else file.fully_scanned()
        )  # as it was where it comes from
        finalize(self, file.close)


# A cluster keeps hundreds of tasks, each with a copy of the segment: all that are in one process share the file
_opened_here: WeakValueDictionary[bytes, _OpenedHere] = WeakValueDictionary()


class FileReference:
    """How to open a file once more; `handed` makes one."""

    __slots__ = ("_frozen", "_opened", "_owner")

    def __init__(self, frozen: bytes = b"", home: ref[NsxFile] | None = None) -> None:
        self._frozen, self._owner = frozen, home
        self._opened: _OpenedHere | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        home = self._owner() if self._owner is not None else None
        return FileReference, (self._frozen if home is None else pickle.dumps((home.has_sample_timestamps, home)),)

    def refers_to(self, file: NsxFile) -> bool:
        """Whether it was made here, of this file."""
        return self._owner is not None and self._owner() is file

    def opened(self) -> NsxFile:
        """The file, opened where it is not yet."""
        if self._opened is None:
            self._opened = _opened_here.get(self._frozen) or _OpenedHere(self._frozen)
            _opened_here[self._frozen] = self._opened
        return self._opened.file


def reference_to(file: NsxFile | FileReference) -> FileReference:
    """One and the same for a file, so that segments which are pickled together share what is opened."""
    if isinstance(file, FileReference):
        return file
    known = vars(file).get("_handed")
    if known is None or not known.refers_to(file):  # `exactly` copies it
        known = vars(file)["_handed"] = FileReference(home=ref(file))
    return known


def file_behind(file: NsxFile | FileReference) -> NsxFile:
    """The file itself."""
    return file.opened() if isinstance(file, FileReference) else file


class Reopenable(Protocol):
    """An open file that pickles as what opens it again and the digest of its headers."""

    path: str
    digest: bytes
    damage: tuple[Damage, ...]
    _source: Source

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


def reopen(opener: Callable[[Any], _FileT], what: Any, digest: bytes) -> _FileT:
    """Open a pickled file again; it closes itself where nobody does, as in a worker that was handed it.

    Raises
    ------
    FormatError
        Where the headers are not those of the file that was pickled.
    """
    file = opener(what)
    if file.digest != digest:
        file.close()
        raise FormatError("the headers of the file that was pickled", "others", path=file.path)
    file._source.close_when_unreachable()
    return file
