# SPDX-License-Identifier: MIT
"""Which columns a request names: by column, electrode, label or kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from ..format.channel import Channel
from ..format.text import printable, ranges_text

ColumnIndex = slice | NDArray[np.intp]


def choose_columns(
    every: Sequence[Channel],
    channels: slice | Iterable[int] | None = None,
    electrodes: Iterable[int] | None = None,
    labels: str | Iterable[str] | None = None,
    kind: str | None = None,
) -> NDArray[np.intp]:
    """Columns that a request names, in its order: what `NsxFile.columns` does with all channels of a file."""
    ways = {"channels": channels, "electrodes": electrodes, "labels": labels, "kind": kind}
    used = [way for way, value in ways.items() if value is not None]
    if len(used) > 1:
        raise ValueError(f"expected one way to choose columns, found {' and '.join(used)}")
    if electrodes is not None:
        return _by_electrode(every, electrodes)
    if labels is not None:
        return _by_label(every, [labels] if isinstance(labels, str) else labels)
    if kind is not None:
        return _by_kind(every, kind)
    return _by_column(len(every), slice(None) if channels is None else channels)


def _by_column(n_channels: int, wanted: slice | Iterable[int]) -> NDArray[np.intp]:
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


def _by_electrode(every: Sequence[Channel], wanted: Iterable[int]) -> NDArray[np.intp]:
    home: dict[int, list[int]] = {}
    for channel in every:
        home.setdefault(channel.electrode_id, []).append(channel.index)
    ids = [int(electrode_id) for electrode_id in wanted]
    absent = sorted({electrode_id for electrode_id in ids if electrode_id not in home})
    if absent:
        raise KeyError(f"no electrode {ranges_text(absent)}; there are electrodes {ranges_text(sorted(home))}")
    for electrode_id in ids:
        if len(home[electrode_id]) > 1:
            raise ValueError(f"electrode {electrode_id} is in columns {home[electrode_id]}: choose one with channels=")
    return np.array([home[electrode_id][0] for electrode_id in ids], np.intp)


def _by_label(every: Sequence[Channel], wanted: Iterable[str]) -> NDArray[np.intp]:
    columns: list[int] = []
    for pattern in wanted:
        found = [channel.index for channel in every if channel.label == pattern]
        if len(found) > 1:
            raise ValueError(f"label {pattern!r} is in columns {found}: choose one with channels=")
        found = found or [channel.index for channel in every if fnmatchcase(channel.label, pattern)]
        if not found:
            labels = ", ".join(printable(channel.label) for channel in every)
            raise KeyError(f"no label {pattern!r}; there are labels {labels}")
        columns += [column for column in found if column not in columns]
    return np.array(columns, np.intp)


def _by_kind(every: Sequence[Channel], kind: str) -> NDArray[np.intp]:
    columns = [channel.index for channel in every if channel.kind == kind]
    if not columns:
        there = {channel.kind for channel in every}
        raise KeyError(f"no {kind} channels; there are {', '.join(sorted(there)) or 'no'} channels")
    return np.array(columns, np.intp)


def as_slice(columns: NDArray[np.intp]) -> ColumnIndex:
    """The same columns as a slice where they lie evenly, so that taking them needs no copy."""
    if columns.size == 0:
        return slice(0, 0)
    step = int(columns[1] - columns[0]) if columns.size > 1 else 1
    if step < 1 or (np.diff(columns) != step).any():
        return columns
    return slice(int(columns[0]), int(columns[-1]) + 1, step)
