# SPDX-License-Identifier: MIT
"""Every exception and warning of this package, and when each is raised.

Reading a damaged or hostile file raises nothing but `FormatError`, and the system's own `OSError`.
A request that cannot be met (an electrode that the file does not have) is a plain `ValueError` or `KeyError`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

_PACKAGE = f"{__name__.rpartition('.')[0]}."
# (done, in all): called in the thread of the caller after each step; what it raises cancels, and comes back
Progress = Callable[[int, int], None]


class NevParseError(Exception):
    """Base of every exception of this package."""


class FormatError(NevParseError, ValueError):
    """The bytes are not what the file specification allows; raised when a file is opened, read or refreshed.

    Parameters
    ----------
    expected, found : str
        What the specification requires, and what the file has instead.
    path : str
        The file.
    offset : int
        Where in the file, in bytes from its start.
    """

    def __init__(self, expected: str, found: str, *, path: str = "", offset: int = 0) -> None:
        super().__init__(expected, found)  # what it is pickled by
        self.expected, self.found, self.path, self.offset = expected, found, path, offset

    def __str__(self) -> str:
        return f"{self.path}, byte {self.offset}: expected {self.expected}, found {self.found}"


class UnsupportedVersion(FormatError):
    """No table describes the file's major version; raised when it is opened."""


class GapError(NevParseError):
    """Time is broken; raised by exports that do not resolve a gap, and by instruments that cannot be aligned.

    Parameters
    ----------
    message : str
        What was requested, which gaps are in the way, and which option resolves them.
    gaps : sequence of Gap
        The gaps in the way.
    """

    def __init__(self, message: str, gaps: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.gaps = tuple(gaps)


class ExportError(NevParseError):
    """An output could not be written, or would replace what it must not; no output is left behind."""


class NevParseWarning(UserWarning):
    """Base of every warning of this package."""


class UnknownVersion(NevParseWarning):
    """No table describes the file's minor version, and it is read as the nearest one; issued on opening."""


class TruncatedFile(NevParseWarning):
    """The file ends before its own headers say, and every complete record is kept; issued when found."""


class DamagedFile(NevParseWarning):
    """Bytes contradict the specification, and what could be read around them is kept; issued when found."""


class UnknownScale(NevParseWarning):
    """A channel has no usable scale, so its microvolts are NaN; issued when they are computed."""


class AmbiguousEpochs(NevParseWarning):
    """The clock was set anew, and packets of the NEV may be of either side; given when such packets are located."""


class Damage(NamedTuple):
    """One place where a file is not what the specification says, and what was done about it."""

    code: str  # as in the findings of `check`
    offset: int
    message: str
    category: type[NevParseWarning] = DamagedFile


def warn(message: str, category: type[NevParseWarning]) -> None:
    """Issue a warning that points at the line which called this package, however deep in it the reason was found."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and f"{frame.f_globals.get('__name__')}.".startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_of_damage(path: str, damage: Sequence[Damage]) -> None:
    """Warn once of each category of damage, with its first place."""
    for category in dict.fromkeys(item.category for item in damage):
        first, *others = (item for item in damage if item.category is category)
        more = f" (and {len(others)} more places: see .damage)" if others else ""
        warn(f"{path}, byte {first.offset}: {first.message}{more}", category)


def is_from_caller(error: Exception) -> bool:
    """Whether a `Progress` raised this `OSError`: those of the system have a number."""
    return isinstance(error, OSError) and error.errno is None
