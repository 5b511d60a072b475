# SPDX-License-Identifier: MIT
"""Several names on one command line: patterns that no shell expanded, and going on behind a file that is bad."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from ..errors import NevParseError
from ..source.names import is_same_file
from .terminal import UnusableInput, print_message

if TYPE_CHECKING:
    from ..nsx.file import NsxFile

_VERBATIM = "\\\\?\\"  # how a path that Windows takes as it is begins
DONE, REFUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
# parameters of the library that are options of the same name
_OPTIONS = (
    *("channels", "electrodes", "labels", "exclude", "segments", "epoch", "kinds", "gaps", "fill", "max_fill"),
    *("resample", "sort", "overwrite", "anonymise", "base_tick", "cmp", "by", "first_bank", "follow", "offsets"),
)


def expanded(names: Iterable[str]) -> list[str]:
    """The names, and for a pattern that is no name itself every file that it fits: cmd.exe leaves that to us."""
    files: list[str] = []
    for name in names:
        if os.path.exists(name) or not re.search("[*?[]", name.removeprefix(_VERBATIM)):
            files.append(name)
            continue
        from glob import glob

        if not (found := sorted(glob(name))):
            raise UnusableInput(f"no file fits the pattern {name}")
        files += found
    return files


def in_options(message: str) -> str:
    """A message of the library in the words of the command line: ``gaps='fill'`` is ``--gaps fill``."""

    def option(found: re.Match[str]) -> str:
        name, value = found[1].replace("_", "-"), found[2].strip("'\"")
        return f"--{name}" if value in ("", "...", "True") else f"--{name} {value}"

    def named(found: re.Match[str]) -> str:
        is_of_same_name = found[3] == "--" + found[1].replace("_", "-")
        return found[3] + (" " + found[2].replace("'", "") if is_of_same_name and "'" in found[2] else "")

    if "--" in message:  # it names its option already
        return re.sub(r"\b(\w+)=(\[[^]]*\]|'\w+'(?:(?:,| or) '\w+')*|True|) \((--[^)]*)\)", named, message)
    return re.sub(rf"\b({'|'.join(_OPTIONS)})=('[^']*'|\"[^\"]*\"|True|\.\.\.|)(?![\w'])", option, message)


def failure(error: Exception) -> tuple[str, int]:
    """The line and the exit code of a command that failed."""
    if isinstance(error, UnusableInput):
        return str(error), UNUSABLE
    if isinstance(error, (NevParseError, ValueError, KeyError, OSError, MemoryError)):
        text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
        return in_options(text) or type(error).__name__, REFUSED
    return f"internal error, please report it: {type(error).__name__}: {error}", UNUSABLE


def for_each(names: Sequence[str], do: Callable[[str], int]) -> int:
    """Do it for each name, with a line for each that fails; returns the worst exit code."""

    def code_of(name: str) -> int:
        try:
            return do(name)
        except BrokenPipeError:
            raise
        except Exception as error:
            message, code = failure(error)
            print_message(message if name in message or len(names) == 1 else f"{name}: {message}")
            return code

    return max(map(code_of, names), default=DONE)


def outputs_in(folder: str, names: Sequence[str]) -> dict[str, str]:
    """The ``.bin`` of each recording in a folder, by the recording's name; two of the same name are refused."""
    stems = {name: os.path.splitext(os.path.basename(name))[0] for name in names}
    outputs = {name: os.path.join(folder, stem + ".bin") for name, stem in stems.items()}
    for name in outputs:
        check_not_taken(name, outputs, str.__eq__)
    return outputs


def check_not_taken(name: str, outputs: Mapping[str, str], are_same: Callable[[str, str], bool] = is_same_file) -> None:
    """Refuse what would replace the output of a name before it; names may have no case where they are written."""
    for other in takewhile(name.__ne__, outputs):
        if are_same(outputs[other], outputs[name]):
            both = f"{other} and {name} would both become {outputs[name]}"
            raise UnusableInput(f"{both}: export one of them by itself")


def is_done(out: str, name: str, number: int | None, has_choice: Callable[[NsxFile], bool]) -> bool:
    """Whether an export of this recording, as it is now, is there: it is whole if it has its sidecar."""
    from ..export.sidecar import read_sidecar
    from .opening import open_continuous

    stem, suffix = os.path.splitext(out)
    for path in (out, f"{stem}-000{suffix}"):
        try:
            with read_sidecar(path) as sidecar:
                source = sidecar.contents["source"]
        except (OSError, NevParseError, KeyError):
            continue
        with open_continuous(name, number, has_choice) as ns:
            exported = os.path.join(os.path.dirname(ns.path), source["name"])
            return is_same_file(exported, ns.path) and source["size_bytes"] == ns.size_bytes
    return False
