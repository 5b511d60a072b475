# SPDX-License-Identifier: MIT
"""Names of files. Only the system knows whether two are of one file: on some, names have no case, or links exist."""

from __future__ import annotations

import os
import re
from unicodedata import normalize


def is_same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two names are of one file; False where one is of none."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def folded(name: str) -> str:
    """A name as systems compare it whose names have no case; macOS takes both spellings of an accent, too."""
    return normalize("NFC", name).casefold()


def ignores_case(path: str) -> bool:
    """Whether a file that is there is found by its name in another case, too."""
    folder, name = os.path.split(path)
    swapped = os.path.join(folder, re.sub("[A-Za-z]", lambda letter: letter[0].swapcase(), name))
    try:
        return swapped != path and os.path.samestat(os.lstat(path), os.lstat(swapped))
    except OSError:
        return False


def is_same_name(one: str, other: str, path: str) -> bool:
    """Whether two names would be of one file in the folder of the file `path`."""
    return one == other or (folded(one) == folded(other) and ignores_case(path))
