# SPDX-License-Identifier: MIT
"""Every exception and warning that reading or writing a file can give.

Reading a damaged or hostile file raises nothing but `FormatError` (and `OSError` from the system).
A request that cannot be met (an electrode that is not there) is a plain `ValueError` or `KeyError`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple


class NevParseError(Exception):
    """Base of every exception that belongs to this package."""


class FormatError(NevParseError, ValueError):
    """The bytes are not what the file specification allows.

    Parameters
    ----------
    expected, found : str
        What the specification asks for, and what the file has instead.
    path : str
        The file.
    offset : int
        Where in the file, in bytes from its start.
    """

    def __init__(self, expected: str, found: str, *, path: str = "", offset: int = 0) -> None:
        super().__init__(f"{path}, byte {offset}: expected {expected}, found {found}")
        self.expected, self.found, self.path, self.offset = expected, found, path, offset

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.expected, self.found, self.path, self.offset)


class UnsupportedVersion(FormatError):
    """A major version of the file specification that no table here describes."""


class GapError(NevParseError):
    """Time is not unbroken where the request needs it to be.

    Parameters
    ----------
    message : str
        What was asked, which gaps are in the way, and which option resolves them.
    gaps : sequence of Gap
        The gaps in the way.
    """

    def __init__(self, message: str, gaps: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.gaps = tuple(gaps)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.gaps)


class ExportError(NevParseError):
    """An output file could not be written, or would overwrite something it must not."""


class NevParseWarning(UserWarning):
    """Base of every warning that belongs to this package."""


class UnknownVersion(NevParseWarning):
    """A minor version no table describes; it is read as the nearest known one."""


class TruncatedFile(NevParseWarning):
    """The file ends before its own headers say; every whole record was kept."""


class DamagedFile(NevParseWarning):
    """Bytes contradict the specification; what could be read around them was kept."""


class UnknownScale(NevParseWarning):
    """A channel has no usable scale, so its microvolts are NaN."""


def _rebuild(kind: type[FormatError], expected: str, found: str, path: str, offset: int) -> FormatError:
    return kind(expected, found, path=path, offset=offset)


class Damage(NamedTuple):
    """One place where a file is not what the specification says, and what was done about it."""

    code: str
    offset: int
    message: str
    category: type[NevParseWarning] = DamagedFile


def warn_of_damage(path: str, damage: Sequence[Damage], stacklevel: int) -> None:
    """Warn of all that was found, one warning for each kind."""
    for category in (TruncatedFile, DamagedFile):
        found = [item for item in damage if item.category is category]
        if found:
            more = f" (and {len(found) - 1} more places: see .damage)" if len(found) > 1 else ""
            message = f"{path}, byte {found[0].offset}: {found[0].message}{more}"
            warnings.warn(message, category, stacklevel=stacklevel)
