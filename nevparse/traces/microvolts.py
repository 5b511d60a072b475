# SPDX-License-Identifier: MIT
"""Raw samples as microvolts, in one pass."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownScale
from ..format.channel import Channel
from ..format.text import ranges_text
from .columns import ColumnIndex, as_slice

_ROWS = 4096  # copied at a time where columns are scattered, so that they stay in cache


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
    for a in range(0, len(view), _ROWS):
        np.multiply(np.take(view[a : a + _ROWS], columns, axis=1), per_bit, out=out[a : a + _ROWS])


def _warn_of_unknown_scale(path: str, channels: Sequence[Channel]) -> None:
    unknown = [channel.electrode_id for channel in channels if isnan(channel.uv_per_bit)]
    if unknown:
        message = f"{path}: no scale in microvolts for electrodes {ranges_text(unknown)}, which are NaN"
        hint = "" if channels[0].units else "; NSx 2.1 has none: give the NEV, open_nsx(path, nev=...)"
        warnings.warn(message + hint, UnknownScale, stacklevel=4)
