# SPDX-License-Identifier: MIT
"""A folder of files that belong together.

A new one is built as ``folder.nevparse-part`` and renamed when it is whole. Where it is there already, files are moved
into it as a set. A folder cannot be locked: an empty file ``folder.nevparse-lock`` is, instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...errors import ExportError
from .files import OLD, PART, whole_or_absent

_LOCK = ".nevparse-lock"


@contextmanager
def whole_folder(folder: str, first: str, names: str, inputs: Sequence[str], overwrite: bool) -> Iterator[str]:
    """Give a folder to write to; what is in it when the block ends well is what `folder` has of `names` then.

    No other file is ever removed, nor any of `inputs`. ExportError where something is in the way, or the system cannot
    write.
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise ExportError(f"{folder} is not a folder; choose another name")
    target = os.path.realpath(folder)
    first, lock = os.path.join(target, first), target + _LOCK
    with whole_or_absent(first, overwrite=overwrite, names=names, lock=lock, inputs=inputs) as outputs:
        outputs.build_folder(target + PART)
        older = _older(target, names)
        _refuse(folder, older, inputs, overwrite)
        yield target + PART
        if not os.path.isdir(target):
            outputs.adopt(target + PART, target)
            return
        new = os.listdir(target + PART)
        for name in {*new, *older}:
            outputs.adopt(os.path.join(target + PART, name) if name in new else "", os.path.join(target, name))


def _older(folder: str, names: str) -> list[str]:
    """What an export wrote there, or set aside."""
    there = os.listdir(folder) if os.path.isdir(folder) else []
    return [name for name in (name.removesuffix(OLD) for name in there) if re.fullmatch(names, name)]


def _refuse(folder: str, older: Sequence[str], inputs: Sequence[str], overwrite: bool) -> None:
    for path in (os.path.join(folder, name) for name in older):
        if os.path.exists(path) and any(os.path.exists(name) and os.path.samefile(path, name) for name in inputs):
            raise ExportError(f"{path} is the recording itself; choose another folder")
    if os.path.isdir(folder) and os.listdir(folder) and not overwrite:
        instead = "choose another name, or overwrite=True (--overwrite) to replace what an export wrote there"
        raise ExportError(f"{folder} exists and holds files; {instead}")
