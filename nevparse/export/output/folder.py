# SPDX-License-Identifier: MIT
"""A folder of files that belong together, which comes into being whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...errors import ExportError
from .files import OLD, PART
from .lock import Claim


@contextmanager
def whole_folder(folder: str, ours: str, inputs: Sequence[str], overwrite: bool) -> Iterator[str]:
    """Give a folder to write to; it gets its name when the block ends well, and else nothing is left of it.

    Where the folder is there already, the files go into it one by one in the end, in place of older ones of ours.

    Parameters
    ----------
    folder : str
        Its name.
    ours : str
        Pattern of the names that are written to it: no other file is ever removed.
    inputs : sequence of str
        Files that must not be replaced.
    overwrite : bool
        Whether there may be files in it.

    Raises
    ------
    ExportError
        Where something is in the way, or the system cannot create, write or rename.
    """
    target = os.path.abspath(folder)
    _refuse(folder, target, ours, inputs, overwrite)
    part, aside = target + PART, target + OLD
    try:
        with Claim(target) as claim:
            if claim.left():  # by a run that was killed
                _undo(part, aside, target)
            claim.take([part, aside])
            try:
                os.mkdir(part)
                yield part
                _name(part, aside, target, ours)
            finally:
                _undo(part, aside, target)
    except OSError as error:
        raise ExportError(f"{folder} could not be written: {error}") from error


def _refuse(folder: str, target: str, ours: str, inputs: Sequence[str], overwrite: bool) -> None:
    above = os.path.dirname(target)
    if not os.path.isdir(above):
        raise ExportError(f"{folder}: there is no folder {above}; create it first")
    if os.path.lexists(target) and not os.path.isdir(target):
        raise ExportError(f"{folder} is not a folder; choose another name")
    for name in _ours(target, ours):
        path = os.path.join(target, name)
        if any(os.path.exists(source) and os.path.samefile(path, source) for source in inputs):
            raise ExportError(f"{path} is the recording itself; choose another folder")
    if os.path.isdir(target) and os.listdir(target) and not overwrite:
        instead = "choose another name, or overwrite=True (--overwrite) to replace what an export wrote there"
        raise ExportError(f"{folder} exists and holds files; {instead}")


def _ours(folder: str, ours: str) -> list[str]:
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [name for name in names if re.fullmatch(ours, name)]


def _name(part: str, aside: str, target: str, ours: str) -> None:
    """Give the folder its name, or its files their places in the one that is there."""
    if not os.path.isdir(target):
        os.rename(part, target)
        return
    os.mkdir(aside)
    names = os.listdir(part)
    try:
        _move(_ours(target, ours), target, aside)
        _move(names, part, target)
    except BaseException:
        _move([name for name in names if not os.path.lexists(os.path.join(part, name))], target, part)
        raise
    os.rmdir(part)  # from here on the new files count


def _undo(part: str, aside: str, target: str) -> None:
    """Put back what was set aside, unless the new files count, and remove the rest."""
    if os.path.isdir(part) and os.path.isdir(aside):
        _move(os.listdir(aside), aside, target)
    for folder in (part, aside):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            os.unlink(os.path.join(folder, name))
        if os.path.isdir(folder):
            os.rmdir(folder)


def _move(names: list[str], source: str, target: str) -> None:
    for name in names:
        os.replace(os.path.join(source, name), os.path.join(target, name))
