# SPDX-License-Identifier: MIT
"""Checks that the files an export reads do not shrink or change meanwhile. They may grow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import UnsupportedOperation
from typing import NamedTuple

from ..errors import ExportError, FormatError
from ..source.base import HEAD_BYTES, Source
from ..traces.packing import read_into


class FileState(NamedTuple):
    """What changes when a file is written to."""

    size_bytes: int
    changed_ns: int
    head: bytes


def _state_of(source: Source) -> FileState:
    head = bytearray(HEAD_BYTES)
    read_into(source, memoryview(head), 0)
    try:
        status = os.fstat(source.fileno())
    except UnsupportedOperation:  # bytes and file objects have none
        return FileState(source.size, 0, bytes(head))
    except OSError as error:
        raise ExportError(f"{source.path} cannot be read any more: {error.strerror or error}") from error
    return FileState(status.st_size, status.st_mtime_ns, bytes(head))


def check_not_shrunk(sources: Iterable[Source]) -> dict[Source, FileState]:
    """The state of each file; ExportError where one is shorter than it was when it was opened."""
    states = {source: _state_of(source) for source in sources}
    for file, state in states.items():
        if state.size_bytes < file.size:
            sizes = f"{file.size} bytes then, {state.size_bytes} now"
            raise ExportError(f"{file.path}: it has become shorter since it was opened ({sizes}); reopen it")
    return states


@contextmanager
def raise_if_changed(before: Mapping[Source, FileState]) -> Iterator[None]:
    """Raise ExportError after the block if a file was changed since its state of `before`.

    Of a file that has grown, as one that is being recorded does, only the head is compared. A file of the same size
    and another date of change was written to.
    """
    try:
        yield
    except FormatError:  # a timestamp is no longer in the file
        _compare(before)
        raise
    _compare(before)


def _compare(before: Mapping[Source, FileState]) -> None:
    for file, now in check_not_shrunk(before).items():
        then = before[file]
        is_touched = now.size_bytes <= then.size_bytes and now.changed_ns != then.changed_ns
        if is_touched or now.head != then.head:
            what = "its headers" if now.head != then.head else "it was written to, and did not grow"
            advice = "reopen it when nothing writes to it"
            raise ExportError(f"{file.path}: it has changed while it was exported ({what}); {advice}")
