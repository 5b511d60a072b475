# SPDX-License-Identifier: MIT
"""Rows that lie in several extents of files, and their indexing as numpy would index the one array they make up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from operator import index
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..source.base import Source
from ..source.threads import shared_with_second_thread

Rows = range | NDArray[np.intp]  # in ascending order
Columns = slice | NDArray[np.intp]
# For rows `low` to `high`: the number of the first one in each extent, and a view of the extent
Views = Callable[[int, int], Iterator[tuple[int, NDArray[Any]]]]
Take = Callable[[Rows, Columns], NDArray[Any]]

_EVERY = slice(None)
_MANY_BYTES = 1 << 20  # worth a thread, which starts in less time than they are copied
_ROWS_AT_ONCE = 4096  # listed rows nearer than this are taken out of one view


class Extent(NamedTuple):
    """Rows of samples that lie in a file at equal distances."""

    source: Source
    offset: int  # byte of the first row's first sample
    n_rows: int
    row_bytes: int  # from one row to the next: the samples, and in files of packets a header
    first_packet: int = -1  # number of the first row's packet; -1 in files of blocks
    n_before: int = 0  # samples of its block before the first row, which the block's timestamp counts from

    def view(self, dtype: np.dtype[Any], n_channels: int) -> NDArray[Any]:
        """A read-only view of the rows as the file has them."""
        return self.source.view(dtype, (self.n_rows, n_channels), self.offset, self.row_bytes)


def index_rows(key: Any, shape: tuple[int, int], take: Take) -> NDArray[Any]:
    """The rows and columns that an index names, with numpy's result or numpy's error; no other row is read.

    `take` gives rows in ascending order, of columns in any. The result is a view where what it gives is one and the
    index has only numbers and slices. A single True or False, which numpy takes for a new axis, is refused.
    """
    if isinstance(key, slice):  # what is asked for most, and often
        rows = range(shape[0])[key]
        return take(rows, _EVERY) if rows.step > 0 else take(rows[::-1], _EVERY)[::-1]
    parts = [_plain(part) for part in (key if isinstance(key, tuple) else (key,))]
    if any(isinstance(part, np.ndarray) and part.ndim == 0 and part.dtype == bool for part in parts):
        raise IndexError(f"expected an index of rows and columns, found {key!r}")
    try:
        taken = _index_axes(_without_ellipsis(parts, shape), shape, take)
    except (IndexError, TypeError):
        of_same_shape = np.broadcast_to(np.int8(0), shape)[key]  # raises what numpy does
        if of_same_shape.size:
            raise
        return np.empty(of_same_shape.shape, take(range(0), _EVERY).dtype)  # of nothing, any position will do
    return np.asarray(taken) if any(part is Ellipsis for part in parts) else taken


def _plain(part: Any) -> Any:
    """A part of an index as a slice, an ellipsis, None, an integer or an array."""
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if not isinstance(part, (bool, np.bool_, np.ndarray)):  # numpy 1 takes its own True for 1
        try:
            return index(part)
        except TypeError:
            pass
    array = np.asarray(part)
    if array.ndim == 0 and array.dtype.kind in "iu":
        return int(array)
    return array.astype(np.intp) if array.size == 0 and not isinstance(part, np.ndarray) else array


def _without_ellipsis(parts: list[Any], shape: tuple[int, int]) -> list[Any]:
    """A part for each axis, and None for each new one; a mask of both axes becomes a list of places on each."""
    split: list[Any] = []
    for part in parts:
        is_mask = isinstance(part, np.ndarray) and part.dtype == bool
        if is_mask and part.ndim == 2 and part.shape != shape:
            raise IndexError(f"expected a mask of {shape}, found {part.shape}")
        split += part.nonzero() if is_mask and part.ndim == 2 else [part]
    places = [place for place, part in enumerate(split) if part is Ellipsis]
    n_missing = 2 - sum(part is not None and part is not Ellipsis for part in split)
    if n_missing < 0 or len(places) > 1:
        raise IndexError(f"expected an index of rows and columns, found {len(split)} parts")
    place = places[0] if places else len(split)
    return [*split[:place], *[_EVERY] * n_missing, *split[place + 1 :]]


def _index_axes(parts: list[Any], shape: tuple[int, int], take: Take) -> NDArray[Any]:
    """Take the rows and columns that are needed, and leave to numpy what remains to be done with these."""
    row_at, column_at = [place for place, part in enumerate(parts) if part is not None]
    rows, columns = _positions(parts[row_at], shape[0]), _positions(parts[column_at], shape[1])
    taken: Columns = _EVERY
    if parts[column_at] is _EVERY:
        columns = _EVERY
    elif isinstance(columns, range):
        taken, columns = _as_slice(columns), 0 if isinstance(parts[column_at], int) else _EVERY
    elif isinstance(rows, range) and len(parts) == 2 and columns.ndim == 1:
        taken, columns = columns, _EVERY
    if isinstance(rows, range):
        is_backward = rows.step < 0
        block = take(rows[::-1] if is_backward else rows, taken)
        rest: Any = 0 if isinstance(parts[row_at], int) else slice(None, None, -1) if is_backward else _EVERY
    else:
        unique, places = np.unique(rows.ravel(), return_inverse=True)
        block, rest = take(unique, taken), places.reshape(rows.shape)
        if rows.ndim == 1 and unique.size == rows.size and isinstance(columns, (int, slice)) and _is_sorted(rows):
            rest = _EVERY
    if rest is _EVERY and columns is _EVERY and len(parts) == 2:
        return block
    return block[tuple(rest if k == row_at else columns if k == column_at else None for k in range(len(parts)))]


def _positions(part: Any, n: int) -> Any:
    """A part of an index as positions on an axis of length `n`: a range where it is a number or a slice."""
    if isinstance(part, slice):
        return range(n)[part]
    if isinstance(part, int):
        position = range(n)[part]
        return range(position, position + 1)
    if part.dtype == bool and part.shape == (n,):
        return np.flatnonzero(part)
    if part.dtype.kind not in "iu":
        raise IndexError(f"expected integers or a mask of {n}, found {part.dtype} {part.shape}")
    if part.size and not -n <= part.min() <= part.max() < n:
        raise IndexError(f"expected positions {-n} to {n - 1}, found {part.min()} to {part.max()}")
    positions = part.astype(np.intp)
    return np.where(positions < 0, positions + n, positions)


def _as_slice(positions: range) -> slice:
    if not positions:
        return slice(0, 0)
    stop = positions.stop
    return slice(positions.start, stop if stop >= 0 else None, positions.step)


def _is_sorted(rows: NDArray[np.intp]) -> bool:
    return bool((rows[1:] > rows[:-1]).all())


def take_rows(
    rows: Rows, columns: Columns, no_rows: NDArray[Any], views: Views, is_spaced: bool = False
) -> NDArray[Any]:
    """Rows in ascending order, and of them these columns; a view where all are in one extent, equally spaced.

    `no_rows` is an array of no row, of all columns and of the type of the samples. With `is_spaced`, rows between
    packet headers of an odd number of bytes are copied: numpy takes such rows where they are, torch refuses them.
    """
    parts = [_pick(view, places, columns, is_spaced) for places, view in _places(rows, views)]
    return parts[0] if len(parts) == 1 else np.concatenate([no_rows[:, columns], *parts])


def _places(rows: Rows, views: Views) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Each view that some of the rows are in, and their places in it."""
    if isinstance(rows, range):
        for first, view in views(rows[0], rows[-1] + 1) if rows else ():
            yield slice((rows.start - first) % rows.step, None, rows.step), view
        return
    edges = [0, *(np.flatnonzero(np.diff(rows) > _ROWS_AT_ONCE) + 1).tolist(), rows.size]
    for near in (rows[a:b] for a, b in pairwise(edges) if a < b):
        for first, view in views(int(near[0]), int(near[-1]) + 1):
            a, b = np.searchsorted(near, (first, first + len(view)))
            yield near[a:b] - first, view


def _pick(view: NDArray[Any], rows: Any, columns: Columns, is_spaced: bool) -> NDArray[Any]:
    if isinstance(columns, slice):
        picked: NDArray[Any] = view[:, columns][rows]
        return _spaced_in_samples(picked) if is_spaced else picked
    return np.take(_spaced_in_samples(view[rows]), columns, axis=1)


def _spaced_in_samples(rows: NDArray[Any]) -> NDArray[Any]:
    """The same samples, with rows a whole number of samples apart; rows are moved as opaque fields, by memcpy."""
    if rows.strides[0] % rows.itemsize == 0:
        return rows
    spaced = np.empty(rows.shape, rows.dtype)
    if rows.size and rows.strides[1] == rows.itemsize:
        row = np.dtype(f"V{rows.shape[1] * rows.itemsize}")
        _copy(spaced.view(row), rows.view(row))
    else:
        spaced[...] = rows
    return spaced


def _copy(target: NDArray[np.void], source: NDArray[np.void]) -> None:
    """Copy rows; of many, a second thread copies the first half."""

    def copy(parts: Iterable[slice]) -> None:
        for part in parts:
            np.copyto(target[part], source[part])

    if source.nbytes < _MANY_BYTES:
        copy([_EVERY])
    else:
        half = len(source) // 2
        with shared_with_second_thread(copy, [slice(half), slice(half, None)]) as parts:
            copy(parts)
