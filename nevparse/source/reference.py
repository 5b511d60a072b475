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

from ..errors import Damage, FormatError, tell
from .base import Source
from .objects import Openable, source_of

if TYPE_CHECKING:
    from ..nsx.file import NsxFile

_FileT = TypeVar("_FileT", bound="Reopenable")
_SIZE_BYTES = 8  # of a digest, that say how long the headers are


class _OpenedHere:
    """A file that is closed with the last reference to this: nobody else does it."""

    __slots__ = ("__weakref__", "file")

    def __init__(self, frozen: bytes) -> None:
        stamped, file = pickle.loads(frozen)
        self.file: NsxFile = file if file.stamped == stamped else file.exactly()  # as it was where it comes from
        finalize(self, file.close)


# A cluster keeps hundreds of tasks, each with a copy of the segment: all that are in one process share the file
_opened_here: WeakValueDictionary[bytes, _OpenedHere] = WeakValueDictionary()


class Handed:
    """How to open a file once more; `handed` makes one."""

    __slots__ = ("_frozen", "_here", "_home")

    def __init__(self, frozen: bytes = b"", home: ref[NsxFile] | None = None) -> None:
        self._frozen, self._home = frozen, home
        self._here: _OpenedHere | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        home = self._home() if self._home is not None else None
        return Handed, (self._frozen if home is None else pickle.dumps((home.stamped, home)),)

    def is_of(self, file: NsxFile) -> bool:
        """Whether it was made here, of this file."""
        return self._home is not None and self._home() is file

    def opened_elsewhere(self) -> NsxFile:
        """The file, opened where it is not yet."""
        if self._here is None:
            self._here = _opened_here.get(self._frozen) or _OpenedHere(self._frozen)
            _opened_here[self._frozen] = self._here
        return self._here.file


def handed(file: NsxFile | Handed) -> Handed:
    """One and the same for a file, so that segments which are pickled together share what is opened."""
    if isinstance(file, Handed):
        return file
    known = vars(file).get("_handed")
    if known is None or not known.is_of(file):  # `exactly` copies it
        known = vars(file)["_handed"] = Handed(home=ref(file))
    return known


def opened_elsewhere(file: NsxFile | Handed) -> NsxFile:
    """The file itself."""
    return file.opened_elsewhere() if isinstance(file, Handed) else file


class Reopenable(Protocol):
    """An open file that pickles as what opens it again and the digest of its headers."""

    path: str
    digest: bytes
    damage: tuple[Damage, ...]
    _source: Source

    def close(self) -> None:
        """Let go of the file."""


def opened(what: Openable, make: Callable[[Source], _FileT]) -> _FileT:
    """Open a file or what stands for one, and warn of what was odd; nothing is left open where that fails."""
    source = source_of(what)
    try:
        file = make(source)
        tell(source.path, file.damage, stacklevel=4)
    except BaseException:
        source.close()
        raise
    return file


def digest_of(header: bytes) -> bytes:
    """What tells one file's headers from another's."""
    return len(header).to_bytes(_SIZE_BYTES, "little") + crc32(header).to_bytes(4, "little")


def refuse_other(source: Source, digest: bytes) -> None:
    """Raise where the headers are no more those of a digest: another recording was begun under the same name."""
    n_bytes = int.from_bytes(digest[:_SIZE_BYTES], "little")
    if digest_of(source.read(n_bytes, 0, "headers")) != digest:
        raise FormatError("the headers there were before", "others: it was begun anew; open it again", path=source.path)


def reopened(opener: Callable[[Any], _FileT], what: Any, digest: bytes) -> _FileT:
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
    file._source.close_when_forgotten()
    return file
