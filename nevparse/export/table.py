# SPDX-License-Identifier: MIT
"""Spikes, events, channels, gaps, findings and comments as columns, which `pandas.DataFrame` takes as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_SEGMENTS = ("start_tick", "stop_tick", "n_samples", "n_blocks")
_MAX_EXACT = 1 << 53  # float64 has every integer up to it
_ARRAY_FIELDS = {"waveform", "payload", "points"}  # of spikes, unknown packets and tracking


def table(x: Any, *, waveforms: bool = False) -> dict[str, NDArray[Any]]:
    """Anything that this package returns many of, as one column for each field.

    Parameters
    ----------
    x : structured array, sequence or mapping
        From `NevFile.spikes`, `NevFile.events`, `NevFile.trains`, `NevFile.comments`, `NevFile.electrodes`,
        `NsxFile.channels`, `NsxFile.gaps`, `NsxFile.segments`, `check` and the like.
    waveforms : bool
        Give waveforms, tracked points and payloads too, a column for each value.

    Returns
    -------
    dict of str to numpy.ndarray
        Columns of equal length. A field of several values has a column for each, numbered from 1; a field with fields
        of its own has a column for each of them. What is None is NaN among numbers. Empty where `x` has no fields to
        say which columns there are.

    Raises
    ------
    TypeError
        Where `x` is none of these.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("session.ns5") as ns:
    ...     channels = nv.table(ns.channels)
    >>> channels["label"][:2].tolist(), channels["high_pass_corner_hz"][:2].tolist()
    (['elec1', 'elec2'], [0.3, 0.3])
    """
    if isinstance(x, np.ndarray) and x.dtype.names:
        return dict(_columns_of_array(np.atleast_1d(x), waveforms))
    if isinstance(x, Mapping):
        values = list(x.values())
        return _columns_of_trains(x) if values and isinstance(values[0], np.ndarray) else table(values)
    if isinstance(x, list | tuple) and not hasattr(x, "_fields"):
        return _columns_of_rows([dict(_flat_fields(item)) for item in x])
    raise TypeError(f"expected spikes, events, channels, gaps or the like, found {type(x).__name__}")


def _columns_of_array(x: NDArray[Any], waveforms: bool) -> Iterator[tuple[str, NDArray[Any]]]:
    for name in x.dtype.names or ():
        column = x[name]
        if name in _ARRAY_FIELDS and not waveforms:
            continue
        if column.dtype.kind == "V" and column.dtype.names is None:  # bytes that no document explains
            column = np.ascontiguousarray(column).view(np.uint8).reshape(len(x), column.dtype.itemsize)
        if column.ndim == 1:
            yield name, np.ascontiguousarray(column)
        else:
            wide = column.reshape(len(x), int(np.prod(column.shape[1:])))
            yield from ((f"{name}_{k + 1}", np.ascontiguousarray(wide[:, k])) for k in range(wide.shape[1]))


def _columns_of_trains(trains: Mapping[Any, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    parts = [train["tick"] if train.dtype.names else train for train in trains.values()]
    keys = np.repeat(np.array(list(trains)), [len(part) for part in parts], axis=0)
    return {"electrode_id": keys[:, 0], "unit": keys[:, 1], "tick": np.concatenate(parts)}


def _flat_fields(item: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of each field of an item, with those of its fields beside them."""
    for name, value in _fields(item):
        if hasattr(value, "_asdict") or is_dataclass(value):
            yield from _flat_fields(value, f"{prefix}{name}_")
        elif isinstance(value, tuple | list):
            yield from ((f"{prefix}{name}_{number}", part) for number, part in enumerate(value, 1))
        else:
            yield prefix + name, value


def _fields(item: Any) -> Iterable[tuple[str, Any]]:
    if hasattr(item, "_asdict"):
        pairs: Iterable[tuple[str, Any]] = item._asdict().items()
        return pairs
    if is_dataclass(item):
        return [(field.name, getattr(item, field.name)) for field in fields(item)]
    if hasattr(item, "start_tick"):
        return [("segment", item.index), *((name, getattr(item, name)) for name in _OF_SEGMENTS)]
    raise TypeError(f"expected items that have fields, found {type(item).__name__}")


def _columns_of_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    # a field that is None in some rows has fields of its own in others: only these become columns
    empty = [name for name, values in columns.items() if all(value is None for value in values)]
    parted = {name for name in empty if any(other.startswith(name + "_") for other in columns)}
    return {name: _column(values) for name, values in columns.items() if name not in parted}


def _column(values: list[Any]) -> NDArray[Any]:
    """Values as numbers where they are, with NaN for None among them; what that would round stays as it is."""
    known = [value for value in values if value is not None]
    has_rounded = len(known) < len(values) and any(isinstance(n, int) and abs(n) > _MAX_EXACT for n in known)
    if known and not has_rounded and all(isinstance(value, (bool, int, float)) for value in known):
        column = np.array([nan if value is None else value for value in values])
        if column.dtype.kind in "bif":
            return column
    column = np.empty(len(values), object)
    column[:] = values
    return column
