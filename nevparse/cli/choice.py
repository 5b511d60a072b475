# SPDX-License-Identifier: MIT
"""Channels that a command line names, as the library takes them: what is not there is refused, or skipped and said."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from ..format.text import printable, ranges_text
from ..nev.file import NevFile
from ..nsx.file import NsxFile
from .terminal import UnusableInput, print_message

T = TypeVar("T")


class Chosen:
    """The channels or electrodes of a file by what was typed; with `missing_ok` without those that are not there."""

    def __init__(self, file: NsxFile | NevFile, missing_ok: bool) -> None:
        self._path, self._missing_ok = file.path, missing_ok
        named = file.electrodes.values() if isinstance(file, NevFile) else file.channels
        self._n_columns = 0 if isinstance(file, NevFile) else file.n_channels
        self._ids = {each.electrode_id for each in named}
        if isinstance(file, NevFile):
            self._ids |= {electrode_id for electrode_id, _ in file.trains()}
        self._labels = {each.label for each in named}

    def channels(self, slices: list[slice]) -> list[slice]:
        """Slices of columns; a warning says if one goes beyond the last column, where it ends."""
        n = self._n_columns
        absent = self.check_numbers("columns", slices, n)
        last = max(part.stop or 0 for part in slices)
        if last > n and not absent:
            print_message(f"warning: --channels goes to {last}, but the file has {n} channels")
        return slices

    def check_numbers(self, what: str, slices: list[slice], n: int) -> list[int]:
        """Refuse or skip single numbers that are not below `n`; returns them."""
        absent = [part.start for part in slices if _is_number(part) and not -n <= part.start < n]
        self._report_absent(what, absent, f"the file has {n}, counted from 0", ranges_text)
        return absent

    def electrodes(self, ids: list[int]) -> list[int]:
        """Electrode ids."""
        absent = [number for number in ids if number not in self._ids]
        return self._skip(ids, absent, "electrodes", ranges_text)

    def labels(self, typed: list[str]) -> list[str]:
        """Labels, one by one; see `_parted` and `_unquoted`."""
        labels = self._unquoted([part for text in typed for part in self._parted(text)])
        return self._skip(labels, [label for label in labels if not self._matches(label)], "labels", ", ".join)

    def exclude(self, parts: list[int | str]) -> list[int | str]:
        """Electrode ids, and labels or patterns, to leave out."""
        absent = [part for part in parts if not (part in self._ids if isinstance(part, int) else self._matches(part))]
        return self._skip(parts, absent, "electrodes and labels", lambda named: ", ".join(map(str, named)))

    def _matches(self, label: str) -> bool:
        return label in self._labels or any(fnmatchcase(known, label) for known in self._labels)

    def _parted(self, text: str) -> list[str]:
        """A list with commas as its labels, unless the file has a label like that."""
        return [text] if "," not in text or self._matches(text) else [part.strip() for part in text.split(",")]

    def _unquoted(self, labels: list[str]) -> list[str]:
        """Labels without the apostrophes around them, which cmd.exe leaves, unless the file has such labels."""
        if any("'" in label for label in self._labels):
            return labels
        unquoted = [label[1:-1] if len(label) > 1 and label[0] == label[-1] == "'" else label for label in labels]
        if any("'" in label for label in unquoted):
            raise UnusableInput(f"no label of {self._path} has an apostrophe; put labels in double quotes")
        return unquoted

    def _skip(self, wanted: Sequence[T], absent: Sequence[T], what: str, text: Callable[[Any], str]) -> list[T]:
        """What is there; without `missing_ok` everything, and the library refuses it by name."""
        if not self._missing_ok or not absent:
            return list(wanted)
        self._report_absent(what, absent, "", text)
        kept = [item for item in wanted if item not in absent]
        if not kept and "and" not in what:
            raise ValueError(f"{self._path} has none of the {what} {printable(text(absent))}")
        return kept

    def _report_absent(self, what: str, absent: Iterable[T], known: str, text: Callable[[Any], str]) -> None:
        absent = list(dict.fromkeys(absent))
        if absent and not self._missing_ok:
            raise ValueError(f"{self._path}: no {what} {printable(text(absent))}; {known}")
        if absent:
            print_message(f"{self._path}: no {what} {text(absent)}, skipped")


def _is_number(part: slice) -> bool:
    return part.start is not None and part.step is None and part.stop == (part.start + 1 or None)


def indices(slices: Iterable[slice], n: int) -> list[int]:
    """What slices select of `n`."""
    return [index for part in slices for index in range(n)[part]]


def has_choice(arguments: Namespace, neural: bool = False) -> Callable[[NsxFile], bool]:
    """Whether a file has the electrodes, labels or kind of the options; neural channels where `neural`, without any."""
    kind = arguments.kind if "kind" in arguments else None
    if neural and not (arguments.channels or arguments.electrodes or arguments.labels):
        kind = "neural"

    def has(ns: NsxFile) -> bool:
        with suppress(KeyError, ValueError, UnusableInput):
            labels = Chosen(ns, missing_ok=False).labels(arguments.labels) if arguments.labels else None
            return ns.columns(electrodes=arguments.electrodes, labels=labels, kind=kind).size > 0
        return False

    return has
