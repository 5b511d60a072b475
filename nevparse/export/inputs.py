# SPDX-License-Identifier: MIT
"""Notices that a recording shrank or was changed while it was read, and lets one grow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import UnsupportedOperation
from typing import NamedTuple

from ..errors import ExportError, FormatError
from ..nsx.file import NsxFile

_HEAD_BYTES = 314  # the basic header of most files, which nobody changes while a recording grows


class _State(NamedTuple):
    size_bytes: int
    changed_ns: int
    head: bytes


def _state(file: NsxFile) -> _State:
    head = bytearray(_HEAD_BYTES)
    reader_of(file)(memoryview(head), 0)
    try:
        status = os.fstat(file.fileno())
    except UnsupportedOperation:  # bytes, and objects that only Python knows
        return _State(file.size_bytes, 0, bytes(head))
    return _State(status.st_size, status.st_mtime_ns, bytes(head))


def reader_of(file: NsxFile) -> Callable[[memoryview, int], int]:
    """Its `readinto`, whose OSError is not taken for one of writing."""

    def readinto(buffer: memoryview, offset: int) -> int:
        try:
            return file.readinto(buffer, offset)
        except OSError as error:
            reason = error.strerror or error
            raise ExportError(f"{file.path} could not be read at byte {offset}: {reason}") from error

    return readinto


def check_not_shrunk(files: Sequence[NsxFile]) -> list[_State]:
    """What files are now; ExportError where one is shorter than it was when it was opened."""
    states = [_state(file) for file in files]
    for file, state in zip(files, states, strict=True):
        if state.size_bytes < file.size_bytes:
            sizes = f"{file.size_bytes} bytes then, {state.size_bytes} now"
            raise ExportError(f"{file.path}: it has become shorter since it was opened ({sizes}); open it again")
    return states


@contextmanager
def check_unchanged(files: Sequence[NsxFile]) -> Iterator[None]:
    """Hold what is read in the block against what the files were before it.

    A file may grow, as one that is being recorded does: what it had is taken to stay what it was, but for its head,
    which is compared. A file that has its size and another date of change was written to.

    Raises
    ------
    ExportError
        Where a file became shorter, or was changed.
    """
    before = check_not_shrunk(files)
    try:
        yield
    except FormatError:  # a timestamp that is no longer there
        _compare(files, before)
        raise
    _compare(files, before)


def _compare(files: Sequence[NsxFile], before: Sequence[_State]) -> None:
    for file, then, now in zip(files, before, check_not_shrunk(files), strict=True):
        touched = now.size_bytes <= then.size_bytes and now.changed_ns != then.changed_ns
        if touched or now.head != then.head:
            what = "its headers" if now.head != then.head else "it was written to, and did not grow"
            raise ExportError(
                f"{file.path}: it has changed while it was exported ({what}); open it again when nothing writes to it"
            )
