# SPDX-License-Identifier: MIT
"""Numbers that callers pass, of Python or numpy, as Python's integers or as arrays of 64 bits.

numpy's integers wrap, refuse Python's larger ones, and are no JSON: none of them goes further than a public function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

INT64_MAX = (1 << 63) - 1
NO_TICK = INT64_MAX  # nothing is recorded at the last tick: segments end before it


def integer(value: Any, what: str) -> int:
    """An integer of any kind as Python's; TypeError for anything else."""
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"expected {what} as an integer, found {value!r}") from None


def optional_integer(value: Any, what: str) -> int | None:
    """The same, and None as None."""
    return None if value is None else integer(value, what)


def tick_number(value: Any, what: str, of: str = "ticks") -> int:
    """A tick: an integer, or a float without a fraction, such as ``2.5 * tick_rate``; TypeError for anything else."""
    try:
        return int(value) if isinstance(value, (float, np.floating)) and value.is_integer() else index(value)
    except TypeError:
        raise TypeError(f"expected {what} as a whole number of {of}, found {value!r}; seconds are for _s") from None


def clock_tick(value: Any, what: str) -> int:
    """A tick as `tick_number` takes it; ValueError where no clock can have it."""
    found = tick_number(value, what)
    if not ~INT64_MAX <= found <= INT64_MAX:
        raise ValueError(f"expected {what} from {~INT64_MAX} to {INT64_MAX}, found {found}")
    return found


def integers(values: Any, what: str) -> list[int]:
    """One integer or several as a list; TypeError for text, fractions and anything else."""
    return [integer(value, what) for value in one_or_more(values)]


def one_or_more(values: Any) -> list[Any]:
    """A single number or text as a list of it, and several as a list."""
    is_one = not isinstance(values, Iterable) or isinstance(values, (str, bytes, np.generic))
    return [values] if is_one or (isinstance(values, np.ndarray) and values.ndim == 0) else list(values)


def repeated(values: Iterable[int]) -> list[int]:
    """The integers that come more than once, in their order."""
    return sorted(value for value, count in Counter(values).items() if count > 1)


def chunk_length(value: Any, of: str) -> int:
    """How long a chunk of rows or samples is; ValueError where it would hold none."""
    length = integer(value, "chunks")
    if length < 1:
        raise ValueError(f"expected chunks of 1 {of} or more, found {length}")
    return length


def number(value: Any) -> float:
    """A number of any kind as Python's integer or float."""
    try:
        return index(value)
    except TypeError:
        return float(value)


def integer_array(values: ArrayLike, what: str) -> NDArray[np.int64]:
    """Integers as int64, of the same shape; TypeError where one has a fraction, ValueError where it does not fit."""
    found = _whole_numbers(values, what)
    if found.size and not (found.min() >= ~INT64_MAX and found.max() <= INT64_MAX):
        raise ValueError(f"expected {what} of 64 bits, found {found.min()} to {found.max()}")
    return found.astype(np.int64, copy=False)


def tick_values(ticks: ArrayLike) -> NDArray[np.int64]:
    """Times as int64, of the same shape; those that it cannot hold become `NO_TICK`."""
    found = _whole_numbers(ticks, "ticks")
    if found.dtype.kind == "u":
        found = np.minimum(found, np.uint64(NO_TICK))
    elif found.dtype.kind == "O":
        found = np.where((found < ~INT64_MAX) | (found > INT64_MAX), NO_TICK, found)
    return found.astype(np.int64, copy=False)


def signed_tick(tick: int) -> int:
    """An unsigned timestamp of 64 bits as int64 has it: one that does not fit becomes negative."""
    return tick if tick <= INT64_MAX else tick - (1 << 64)


def signed_ticks(timestamps: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Unsigned timestamps of 64 bits as int64, without a copy: those that do not fit become negative."""
    return timestamps.view(np.int64)


def _whole_numbers(values: ArrayLike, what: str) -> NDArray[Any]:
    """Integers as an array of them, or of Python's where numpy has no type for all."""
    found = np.asarray(values)
    if found.dtype.kind == "f" and found.size and not isinstance(values, np.ndarray):
        found = np.asarray(values, object)  # numpy makes floats of -1 and 2**63 together
    if found.dtype.kind in "iu":
        return found
    if found.dtype.kind not in "fO":
        raise TypeError(f"expected {what} as integers, found {found.dtype}")
    if found.dtype.kind == "f" and (np.abs(found) < 1 << 53).all() and (found == np.floor(found)).all():
        return found.astype(np.int64)
    whole = np.array([_whole(value, what) for value in found.ravel().tolist()], object)
    return whole.reshape(found.shape)


def _whole(value: Any, what: str) -> int:
    return int(value) if isinstance(value, float) and value.is_integer() else integer(value, what)
