# SPDX-License-Identifier: MIT
"""An open file on its way to other processes, which is opened there when it is first needed, and not before.

What passes a segment on, such as a cluster's scheduler, need not have the file, and must not hold it open.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary, finalize, ref

if TYPE_CHECKING:
    from .nsx import NsxFile


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

    def opened(self) -> NsxFile:
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


def opened(file: NsxFile | Handed) -> NsxFile:
    """The file itself."""
    return file.opened() if isinstance(file, Handed) else file
