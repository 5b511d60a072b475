# SPDX-License-Identifier: MIT
"""Gives files their names only when they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from operator import itemgetter

from ...errors import ExportError
from ...format.text import size_text
from .lock import Claim
from .stream import NO_SPACE, reserve

PART = ".part"
OLD = ".old.part"  # what is being replaced, for as long as it may have to be put back


class Outputs:
    """Files that get their names together, once all of them are whole.

    Parameters
    ----------
    claim : Claim
        On what this is for: no two runs write the same at once.
    """

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._targets: list[tuple[str, bool]] = []
        self._older: dict[str, None] = {}
        self._need_bytes = 0
        for name in self._claim.left():
            if not name.endswith(OLD):
                _remove(name)  # half a file of a run that was killed

    def take(self, targets: Sequence[str], n_bytes: int = 0) -> None:
        """Make sure of every name before the first byte: what stands there and is nobody's leftover is in the way."""
        self._need_bytes += n_bytes
        self._claim.take([target + end for target in targets for end in (PART, OLD)])

    @contextmanager
    def create(self, target: str, companion: bool = False, n_bytes: int | None = None) -> Iterator[FileIO]:
        """Open a ``.part`` for a target, which has `n_bytes` in the end.

        A `companion` describes another file and never stands beside an older or a newer one.
        """
        self.take([target])
        self._targets.append((target, companion))  # before there is a file: Ctrl-C may strike at any line
        with FileIO(target + PART, "xb") as file:
            reserve(file, n_bytes or 0)
            yield file
            size = os.fstat(file.fileno()).st_size
            if n_bytes not in (None, size):
                raise ExportError(f"{target} could not be written: {n_bytes} bytes were planned, {size} came of it")

    def name(self) -> None:
        """Give every file its name; where one is refused, all stays as it was.

        Killed at any moment, there is the older or the newer of each file, and no companion of another one.
        """
        named: list[str] = []
        try:
            for target, companion in self._targets:
                if os.path.lexists(target):
                    self._older[target] = None
                    _set_aside(target, companion)
            for target, _ in sorted(self._targets, key=itemgetter(1)):
                named.append(target)
                os.replace(target + PART, target)
        except BaseException:
            self._restore(named)
            raise
        for name in self._claim.left():
            _remove(name)

    def _restore(self, named: Sequence[str]) -> None:
        for target in reversed(named):
            if target not in self._older and not os.path.lexists(target + PART):
                _remove(target)
        for target in self._older:
            with suppress(OSError):
                if os.path.lexists(target) and os.path.samestat(os.lstat(target), os.lstat(target + OLD)):
                    os.unlink(target + OLD)  # renaming one name of a file to another would leave both
                else:
                    os.replace(target + OLD, target)

    def discard(self) -> None:
        """Remove what has no name yet."""
        for target, _ in self._targets:
            _remove(target + PART)

    def space_text(self) -> str:
        """How much is needed, there and free."""
        parts = [target + PART for target, _ in self._targets if os.path.exists(target + PART)]
        folder = os.path.dirname(os.path.abspath(self._targets[0][0])) if self._targets else "."
        need = f"{size_text(self._need_bytes)} needed, " if self._need_bytes else ""
        return f"{need}{size_text(sum(map(os.path.getsize, parts)))} written, {size_text(free_bytes(folder))} free"


def _set_aside(target: str, companion: bool) -> None:
    """Keep an older file under a name of its own: a companion at once, another until it is replaced in one step."""
    _remove(target + OLD)
    if not companion and hasattr(os, "link") and not os.path.islink(target):
        with suppress(OSError):  # a file system without hard links
            os.link(target, target + OLD)
            return
    os.replace(target, target + OLD)


def _remove(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)


def folder_of(path: str) -> str:
    """Where a file will be; ExportError where there is no such place."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise ExportError(f"{path}: there is no folder {folder}; create it first")
    return folder


def free_bytes(folder: str) -> int:
    """What may still be written to a folder's file system."""
    if hasattr(os, "statvfs"):
        system = os.statvfs(folder)
        return system.f_bavail * system.f_frsize
    from shutil import disk_usage  # loads every archive format there is

    return disk_usage(folder).free


@contextmanager
def whole_or_nothing(path: str) -> Iterator[Outputs]:
    """Give the files that are created in the block their names when it ends well; else nothing is left of them.

    Raises
    ------
    ExportError
        Where the system cannot create, write or rename, or another run writes the same.
    """
    folder_of(path)
    outputs = None
    try:
        with Claim(path) as claim:
            outputs = Outputs(claim)
            try:
                yield outputs
                outputs.name()
            except OSError as error:
                raise _told(path, error, outputs) from error
            finally:
                outputs.discard()
    except OSError as error:
        raise _told(path, error, outputs) from error


def _told(path: str, error: OSError, outputs: Outputs | None) -> ExportError:
    return ExportError(f"{path} could not be written: {_reason(error, outputs)}")


def _reason(error: OSError, outputs: Outputs | None) -> str:
    reason = error.strerror or str(error)
    if error.filename is not None:
        reason += f" ({os.path.basename(os.fsdecode(error.filename))})"
    if outputs is None or error.errno not in NO_SPACE:
        return reason
    with suppress(OSError):  # the folder may be gone
        reason += f" ({outputs.space_text()})"
    return reason


def refuse_file(inputs: Sequence[str], path: str, n_bytes: int, overwrite: bool) -> None:
    """Raise where one file of so many bytes cannot be written beside its inputs."""
    folder = folder_of(path)
    _refuse_target(inputs, path, overwrite)
    _refuse_space(path, folder, n_bytes)


def _refuse_space(path: str, folder: str, need: int) -> None:
    free = free_bytes(folder)
    if free < need:
        raise ExportError(f"{path}: {size_text(need)} are needed in {folder}, {size_text(free)} are free")


def _refuse_target(inputs: Sequence[str], target: str, overwrite: bool) -> None:
    for name in (target, target + PART):
        if os.path.exists(name) and any(os.path.samefile(name, source) for source in inputs):
            raise ExportError(f"{name} is the recording itself; choose another name")
    if os.path.isdir(target):
        raise ExportError(f"{target} is a folder; give the name of a file in it")
    if os.path.exists(target) and not os.path.isfile(target):
        raise ExportError(f"{target} is not a regular file, and would be replaced by one")
    if os.path.lexists(target) and not overwrite:
        raise ExportError(f"{target} exists; choose another name, or overwrite=True (--overwrite) to replace it")
