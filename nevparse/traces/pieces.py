# SPDX-License-Identifier: MIT
"""Indexing rows that stand in several pieces as numpy would index the one array they make up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Of rows `low` to `high`: the number of the first one in each piece, and a view of the piece
Views = Callable[[int, int], Iterator[tuple[int, NDArray[Any]]]]


def index_rows(key: Any, shape: tuple[int, int], dtype: np.dtype[Any], views: Views) -> NDArray[Any]:
    """What an index of rows and columns names; no other row is touched.

    Parameters
    ----------
    key : object
        As between brackets: numbers, slices, an ellipsis; lists, arrays and masks of one dimension.
    shape : (int, int)
        Rows and columns in all.
    dtype : numpy.dtype
        Of one sample.
    views : callable
        Gives the pieces that a range of rows lies in.

    Returns
    -------
    numpy.ndarray
        A view where the rows are evenly spaced in one piece and the columns are a number or a slice.

    Raises
    ------
    IndexError, TypeError
        Where the index names what is not there, or is none.
    """
    rows, columns = _axes(key)
    if isinstance(rows, slice):
        return _evenly_spaced(range(shape[0])[rows], columns, shape, dtype, views)
    if np.ndim(rows) == 0:
        row = range(shape[0])[rows]
        one: NDArray[Any] = _evenly_spaced(range(row, row + 1), columns, shape, dtype, views)[0]
        return one
    return _scattered(_row_numbers(rows, shape[0]), columns, shape, dtype, views)


def _axes(key: Any) -> tuple[Any, Any]:
    """What an index asks of rows, and of columns."""
    asked = list(key) if isinstance(key, tuple) else [key]
    for k in [k for k, item in enumerate(asked) if item is Ellipsis][:1]:
        asked[k : k + 1] = [slice(None)] * (3 - len(asked))
    if len(asked) > 2:
        raise IndexError(f"expected an index of rows and columns, found {key!r}")
    rows, columns = [*asked, slice(None), slice(None)][:2]
    return rows, columns


def _evenly_spaced(
    rows: range, columns: Any, shape: tuple[int, int], dtype: np.dtype[Any], views: Views
) -> NDArray[Any]:
    """Evenly spaced rows."""
    low, high = (min(rows[0], rows[-1]), max(rows[0], rows[-1]) + 1) if rows else (0, 0)
    step = abs(rows.step)
    parts = [view[(low - begin) % step :: step, columns] for begin, view in views(low, high)]
    if len(parts) != 1:
        parts = [np.concatenate([np.empty((0, shape[1]), dtype)[:, columns], *parts])]
    return parts[0][::-1] if rows.step < 0 else parts[0]


def _scattered(
    rows: NDArray[np.intp], columns: Any, shape: tuple[int, int], dtype: np.dtype[Any], views: Views
) -> NDArray[Any]:
    """Rows in any order."""
    out = np.empty((rows.size, shape[1]), dtype)
    for begin, view in views(int(rows.min()), int(rows.max()) + 1) if rows.size else ():
        inside = (rows >= begin) & (rows < begin + len(view))
        out[inside] = view[rows[inside] - begin]
    taken: NDArray[Any] = out[np.arange(rows.size), columns]
    return taken


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


class Extent(NamedTuple):
    """Rows of samples that lie in the file at equal distances.

    Parameters
    ----------
    offset : int
        Byte of the first row's first sample.
    n_rows : int
        How many rows.
    row_bytes : int
        From one row to the next: the samples, and a packet's header where each row has one before it.
    first : int
        Number of the first row's packet; -1 in files of blocks.
    since : int
        How many samples before the first row its time is counted from: where its block's timestamp is.
    """

    offset: int
    n_rows: int
    row_bytes: int
    first: int = -1
    since: int = 0
