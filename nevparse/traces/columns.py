# SPDX-License-Identifier: MIT
"""Which columns a request names: by column, electrode, label or kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..format.channel import Channel
from ..format.text import printable, ranges_text

ColumnIndex = slice | NDArray[np.intp]


def choose_columns(channels: Sequence[Channel], /, **request: Any) -> NDArray[np.intp]:
    """Columns of a file that a request names, in its order; see `NsxFile.columns`."""
    given = {name: value for name, value in request.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f"expected one way to choose columns, found {' and '.join(given)}")
    name, wanted = next(iter(given.items()), ("channels", slice(None)))
    return _CHOOSERS[name](channels, wanted)


def _by_column(channels: Sequence[Channel], wanted: slice | Iterable[int]) -> NDArray[np.intp]:
    n_channels = len(channels)
    every: NDArray[np.intp] = np.arange(n_channels)
    if isinstance(wanted, slice):
        return every[wanted]
    columns = np.asarray(list(wanted))
    if columns.size == 0:
        return every[:0]
    if columns.dtype.kind not in "biu" or (columns.dtype == bool and columns.size != n_channels):
        raise ValueError(f"expected columns as integers or a mask of {n_channels}, found {columns.dtype}")
    try:
        chosen: NDArray[np.intp] = every[columns]
        return chosen
    except IndexError:
        raise ValueError(f"expected columns 0 to {n_channels - 1}, found {columns.tolist()}") from None


def _by_electrode(channels: Sequence[Channel], wanted: Iterable[int]) -> NDArray[np.intp]:
    columns_of: dict[int, list[int]] = {}
    for channel in channels:
        columns_of.setdefault(channel.electrode_id, []).append(channel.index)
    ids = [int(electrode_id) for electrode_id in wanted]
    absent = sorted({electrode_id for electrode_id in ids if electrode_id not in columns_of})
    if absent:
        raise KeyError(f"no electrode {ranges_text(absent)}; the file has electrodes {ranges_text(sorted(columns_of))}")
    for electrode_id in ids:
        if len(columns_of[electrode_id]) > 1:
            twice = f"electrode {electrode_id} is in columns {columns_of[electrode_id]}"
            raise ValueError(f"{twice}: choose one with channels=")
    return np.array([columns_of[electrode_id][0] for electrode_id in ids], np.intp)


def _by_label(channels: Sequence[Channel], wanted: str | Iterable[str]) -> NDArray[np.intp]:
    columns: list[int] = []
    for pattern in [wanted] if isinstance(wanted, str) else wanted:
        matches = [channel.index for channel in channels if channel.label == pattern]
        if len(matches) > 1:
            raise ValueError(f"label {pattern!r} is in columns {matches}: choose one with channels=")
        matches = matches or [channel.index for channel in channels if fnmatchcase(channel.label, pattern)]
        if not matches:
            labels = ", ".join(printable(channel.label) for channel in channels)
            raise KeyError(f"no label {pattern!r}; the file has labels {labels}")
        columns += [column for column in matches if column not in columns]
    return np.array(columns, np.intp)


def _by_kind(channels: Sequence[Channel], kind: str) -> NDArray[np.intp]:
    columns = [channel.index for channel in channels if channel.kind == kind]
    if not columns:
        kinds = sorted({channel.kind for channel in channels})
        raise KeyError(f"no {kind} channels; the file has {', '.join(kinds) or 'no'} channels")
    return np.array(columns, np.intp)


_CHOOSERS: dict[str, Callable[[Sequence[Channel], Any], NDArray[np.intp]]]
_CHOOSERS = {"channels": _by_column, "electrodes": _by_electrode, "labels": _by_label, "kind": _by_kind}


def as_slice(columns: NDArray[np.intp]) -> ColumnIndex:
    """The same columns as a slice where they are equally spaced, so that taking them needs no copy."""
    if columns.size == 0:
        return slice(0, 0)
    step = int(columns[1] - columns[0]) if columns.size > 1 else 1
    if step < 1 or (np.diff(columns) != step).any():
        return columns
    return slice(int(columns[0]), int(columns[-1]) + 1, step)
