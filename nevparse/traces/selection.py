# SPDX-License-Identifier: MIT
"""Columns of samples: which ones a request names, by column, electrode, label or kind, and their microvolts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownScale
from ..format.channel import Channel
from ..format.numbers import integers
from ..format.text import printable, ranges_text

_SCALED_ROWS = 4096  # at a time where columns are scattered, so that they stay in cache
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
    ids = integers(wanted, "an electrode")
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


def to_microvolts(
    path: str, channels: Sequence[Channel], views: Sequence[NDArray[Any]], columns: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Chosen columns of some rows as float32 microvolts; NaN, and a warning, where a channel has no scale.

    `views` are the rows as recorded, ``(n, n_channels)`` each; `path` is for the warning.
    """
    chosen = [channels[column] for column in columns]
    _warn_of_unknown_scale(path, chosen)
    per_bit = np.array([channel.uv_per_bit for channel in chosen], np.float32)
    offset = np.array([channel.uv_offset for channel in chosen], np.float32)
    out = np.empty((sum(map(len, views)), columns.size), np.float32)
    start = 0
    for view in views:
        _scale_rows(view, as_slice(columns), per_bit, out[start : start + len(view)])
        start += len(view)
    return np.add(out, offset, out=out) if offset.any() else out


def _scale_rows(
    view: NDArray[Any], columns: ColumnIndex, per_bit: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    if isinstance(columns, slice):
        np.multiply(view[:, columns], per_bit, out=out)
        return
    for a in range(0, len(view), _SCALED_ROWS):
        np.multiply(np.take(view[a : a + _SCALED_ROWS], columns, axis=1), per_bit, out=out[a : a + _SCALED_ROWS])


def _warn_of_unknown_scale(path: str, channels: Sequence[Channel]) -> None:
    unknown = [channel.electrode_id for channel in channels if isnan(channel.uv_per_bit)]
    if unknown:
        message = f"{path}: no scale in microvolts for electrodes {ranges_text(unknown)}, which are NaN"
        hint = "" if channels[0].units else "; NSx 2.1 has none: give the NEV, open_nsx(path, nev=...)"
        warnings.warn(message + hint, UnknownScale, stacklevel=4)
