# SPDX-License-Identifier: MIT
"""Writes a folder of files so that it appears complete or not at all.

A new one is built as ``folder.nevparse-part`` and renamed when it is complete. If the folder exists, the files are
moved into it together. A folder cannot be locked, so an empty file ``folder.nevparse-lock`` is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...errors import ExportError
from ...source.base import Source
from .files import (
    OLD,
    PART,
    check_closed,
    check_ending,
    check_name,
    check_no_recording,
    check_not_input,
    complete_or_absent,
)

_LOCK = ".nevparse-lock"


@contextmanager
def complete_folder(
    folder: str, main_name: str, name_pattern: str, inputs: Sequence[Source], overwrite: bool
) -> Iterator[str]:
    """Give a folder to write to. If the block ends well, its files replace those of `folder` that match `name_pattern`.

    No other file is ever removed, nor any of `inputs`. ExportError if something is in the way, or the system cannot
    write.
    """
    check_name(folder.rstrip("/\\"))
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise ExportError(f"{folder} is not a folder; choose another name")
    target = os.path.realpath(folder)
    check_ending(target)
    build, main = target + PART, os.path.join(target, main_name)
    with complete_or_absent(
        main, (), overwrite=overwrite, inputs=inputs, name_pattern=name_pattern, lock_path=target + _LOCK
    ) as outputs:
        outputs.build_folder(build)
        older = {*outputs.existing(), *outputs.existing(OLD)}
        for path in older:
            check_not_input(path, inputs)
            check_no_recording(path)
        if os.path.isdir(target) and os.listdir(target) and not overwrite:
            instead = "choose another name, or overwrite=True (--overwrite) to replace what an export wrote there"
            raise ExportError(f"{target} exists and holds files; {instead}")
        for path in older:
            check_closed(path)
        yield build
        if not os.path.isdir(target):
            outputs.adopt(build, target)
            return
        new = {os.path.join(target, name): os.path.join(build, name) for name in os.listdir(build)}
        for path in sorted(older | new.keys()):
            outputs.adopt(new.get(path, ""), path)
