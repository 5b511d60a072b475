# SPDX-License-Identifier: MIT
"""Rows that lie in several extents of a file, and their indexing as numpy would index the one array they make up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# For rows `low` to `high`: the number of the first one in each extent, and a view of the extent
Views = Callable[[int, int], Iterator[tuple[int, NDArray[Any]]]]


class Extent(NamedTuple):
    """Rows of samples that lie in the file at equal distances."""

    offset: int  # byte of the first row's first sample
    n_rows: int
    row_bytes: int  # from one row to the next: the samples, and in files of packets a header
    first_packet: int = -1  # number of the first row's packet; -1 in files of blocks
    n_before: int = 0  # samples of its block before the first row, which the block's timestamp counts from


def index_rows(key: Any, shape: tuple[int, int], dtype: np.dtype[Any], views: Views) -> NDArray[Any]:
    """The rows and columns that an index names; no other row is read.

    The index may have numbers, slices, an ellipsis, and lists, arrays and masks of one dimension; IndexError or
    TypeError where it names what the array has not. The result is a view where the rows are equally spaced in one
    extent and the columns are a number or a slice.
    """
    rows, columns = _split_key(key)
    no_rows = np.empty((0, shape[1]), dtype)
    if isinstance(rows, slice):
        return _spaced_rows(range(shape[0])[rows], columns, no_rows, views)
    if np.ndim(rows) == 0:
        row = range(shape[0])[rows]
        samples: NDArray[Any] = _spaced_rows(range(row, row + 1), columns, no_rows, views)[0]
        return samples
    return _listed_rows(_row_numbers(rows, shape[0]), columns, no_rows, views)


def _split_key(key: Any) -> tuple[Any, Any]:
    """The parts of an index for rows and for columns."""
    parts = list(key) if isinstance(key, tuple) else [key]
    for place in [place for place, part in enumerate(parts) if part is Ellipsis][:1]:
        parts[place : place + 1] = [slice(None)] * (3 - len(parts))
    if len(parts) > 2 or any(isinstance(part, (bool, np.bool_)) for part in parts):
        raise IndexError(f"expected an index of rows and columns, found {key!r}")
    rows, columns = [*parts, slice(None), slice(None)][:2]
    return rows, columns


def _spaced_rows(rows: range, columns: Any, no_rows: NDArray[Any], views: Views) -> NDArray[Any]:
    low, high = (min(rows[0], rows[-1]), max(rows[0], rows[-1]) + 1) if rows else (0, 0)
    step = abs(rows.step)
    parts = [view[(low - first) % step :: step, columns] for first, view in views(low, high)]
    if len(parts) != 1:
        parts = [np.concatenate([no_rows[:, columns], *parts])]
    return parts[0][::-1] if rows.step < 0 else parts[0]


def _listed_rows(rows: NDArray[np.intp], columns: Any, no_rows: NDArray[Any], views: Views) -> NDArray[Any]:
    samples = np.empty((rows.size, no_rows.shape[1]), no_rows.dtype)
    for first, view in views(int(rows.min()), int(rows.max()) + 1) if rows.size else ():
        inside = (rows >= first) & (rows < first + len(view))
        samples[inside] = view[rows[inside] - first]
    chosen: NDArray[Any] = samples[np.arange(rows.size), columns]
    return chosen


def _row_numbers(rows: Any, n_rows: int) -> NDArray[np.intp]:
    """Rows of a list, an array or a mask, counted from the first."""
    wanted = np.asarray(rows) if np.size(rows) else np.empty(np.shape(rows), np.intp)
    if wanted.dtype == bool and wanted.shape == (n_rows,):
        return np.flatnonzero(wanted)
    if wanted.dtype.kind not in "iu" or wanted.ndim != 1:
        raise IndexError(f"expected rows as integers or a mask of {n_rows}, found {wanted.dtype} {wanted.shape}")
    counted = wanted.astype(np.intp)
    counted[counted < 0] += n_rows
    if counted.size and not 0 <= counted.min() <= counted.max() < n_rows:
        raise IndexError(f"expected rows {-n_rows} to {n_rows - 1}, found {wanted.min()} to {wanted.max()}")
    return counted
