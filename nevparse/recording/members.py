# SPDX-License-Identifier: MIT
"""Which files belong to one recording, and which instruments made it, by the names of files."""

from __future__ import annotations

import os
import re
from errno import EISDIR, ENOENT

from ..format.header import ENDINGS, ENDINGS_TEXT
from ..format.text import alike
from ..source.names import folded, is_same_file, is_same_name

_SUFFIX = re.compile(rf"\.({'|'.join(ENDINGS.values())})$", re.IGNORECASE)
# The part of a base name that names the instrument, as Central writes it
_INSTRUMENT = re.compile(
    r"^Hub(\d+)-|^NSP(\d*)-|[-_]NSP(\d+)(?=[-_]|$)|[-_]NSP-(\d+)$|-i(\d+)(?=-|$)|(?:^|(?<=-))instance(\d+)_",
    re.IGNORECASE,
)


def base_of(path: str | os.PathLike[str]) -> str:
    """A member's path without its suffix; any other path unchanged."""
    return _SUFFIX.sub("", os.fspath(path))


def suffix_of(path: str | os.PathLike[str]) -> str:
    """``nev`` or ``ns5``, as the end of a name says which member it is; empty where it is that of none."""
    suffix = _SUFFIX.search(os.fspath(path))
    return suffix.group(1).lower() if suffix else ""


def members_of(path: str | os.PathLike[str]) -> dict[str, str]:
    """Paths of a recording's files by suffix (``nev``, ``ns5``), in the order of the suffixes.

    `path` is any member, with its suffix in any case, or their common base name. FileNotFoundError without a member,
    and where `path` names a member that is not among them: no other one is taken in its place.
    """
    base = base_of(path)
    folder, stem = os.path.split(base)
    members: dict[str, str] = {}
    typed = os.path.basename(path)  # before others: where names have a case, `x.ns5` and `x.NS5` are two files
    files = filter(suffix_of, os.listdir(folder or "."))
    for name in sorted(files, key=lambda name: (name != typed, base_of(name) != stem, name)):
        found, member = base_of(name), os.path.join(folder, name)
        if found == stem or (folded(found) == folded(stem) and is_same_file(base + name[len(found) :], member)):
            members.setdefault(suffix_of(name), member)
    if suffix_of(typed) not in ("", *members):
        found = ", ".join(os.path.basename(member) for _, member in sorted(members.items()))
        what = f"no such file; of this recording there is {found or 'nothing'}{'' if found else _guess(folder, typed)}"
        raise FileNotFoundError(ENOENT, what, os.fspath(path))
    if not members and os.path.isdir(path):
        found = ", ".join(map(os.path.basename, bases_in(path))) or "none"
        raise IsADirectoryError(EISDIR, f"expected one recording, found a folder; the recordings in it: {found}", path)
    if not members:
        what = f"expected a {ENDINGS_TEXT} of this name{_guess(folder, typed)}"
        raise FileNotFoundError(ENOENT, what, base)
    return dict(sorted(members.items()))


def _guess(folder: str, typed: str) -> str:
    """The recordings' files of a folder that are named like one that is not there."""
    nearest = alike(typed, (name for name in os.listdir(folder or ".") if _SUFFIX.search(name)))
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""


def bases_in(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Base names of the recordings in a folder, in order."""
    folder, bases = os.fspath(folder), dict[str, list[str]]()
    for name in sorted(os.listdir(folder)):
        base, alike = base_of(name), bases.setdefault(folded(base_of(name)), [])
        if base != name and not any(is_same_name(base, other, os.path.join(folder, name)) for other in alike):
            alike.append(base)
    return tuple(sorted(os.path.join(folder, base) for alike in bases.values() for base in alike))


def instrument_of(path: str | os.PathLike[str]) -> str:
    """The part of a file's name that names the instrument; empty where none does."""
    instrument = _INSTRUMENT.search(os.path.basename(base_of(path)))
    return instrument.group().strip("-_").lower() if instrument else ""


def instruments_of(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Base names of the files of every instrument (NSP, hub) that recorded at the same time, by instrument number.

    They are in one folder and differ only in the instrument: ``-NSP1``, ``_NSP-1``, ``Hub1-``, ``-i0``, ``instance1_``.
    """
    folder, stem = os.path.split(base_of(path))
    common = _INSTRUMENT.sub("*", stem)
    instruments: dict[str, list[int]] = {}
    for name in sorted(os.listdir(folder or ".")):
        base = base_of(name)
        found = _INSTRUMENT.findall(base)
        is_one = found and is_same_name(_INSTRUMENT.sub("*", base), common, os.path.join(folder, name))
        if base != name and is_one:
            instruments[base] = [int("".join(digits) or -1) for digits in found]
    bases = sorted(instruments, key=lambda base: (instruments[base], base))
    return tuple(os.path.join(folder, base) for base in bases) or (base_of(path),)
