# SPDX-License-Identifier: MIT
"""Where the channels of an export are, and their names for sorters: of one instrument, or of several side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...format.channel import Channel
from ...format.numbers import repeated
from ...format.text import ranges_text
from ...maps.cmp import read_cmp
from ...maps.positions import ArrayMap, Positions, plain_grid, side_by_side
from ...recording.instruments import CombinedInstruments


def find_positions(
    ns: Any, columns: NDArray[np.intp], cmp: Any, by: str, pitch_um: float | None, partial: bool
) -> Positions:
    """Positions of chosen columns; ValueError where map and recording do not match, or a channel has no place.

    Several instruments have a map each, or one that is the same for all, and stand side by side.
    """
    chosen = [ns.channels[column] for column in columns]
    if not isinstance(ns, CombinedInstruments):
        return _positions_of_one(ns.path, chosen, _map_of_each(cmp, 1)[0], by, pitch_um, partial)
    of_instrument, parts = ns.instruments_of(columns), []
    maps = _map_of_each(cmp, len(ns.files))
    for number, (file, own_map) in enumerate(zip(ns.files, maps, strict=True)):
        own = [channel for channel, instrument in zip(chosen, of_instrument, strict=True) if instrument == number]
        if own:
            parts.append(_positions_of_one(file.path, own, own_map, by, pitch_um, partial))
    return side_by_side(parts)


def _map_of_each(cmp: Any, n_instruments: int) -> list[Any]:
    if cmp is None or isinstance(cmp, (ArrayMap, str, os.PathLike)):
        return [cmp] * n_instruments
    maps = list(cmp)
    if len(maps) == 1:
        return maps * n_instruments
    if len(maps) != n_instruments:
        or_more = f", or one for each of {n_instruments} instruments" if n_instruments > 1 else ""
        raise ValueError(f"expected one map{or_more}, found {len(maps)}")
    return maps


def _positions_of_one(
    path: str, chosen: Sequence[Channel], cmp: Any, by: str, pitch_um: float | None, partial: bool
) -> Positions:
    analog = [f"{channel.electrode_id} ({channel.label})" for channel in chosen if channel.kind == "analog"]
    if analog:
        raise ValueError(f"{path}: expected electrodes, found analog inputs {', '.join(analog)}: leave them out")
    if twice := repeated(channel.electrode_id for channel in chosen):
        message = f"expected each electrode once, found {ranges_text(twice)} twice: choose channels"
        raise ValueError(f"{path}: {message}")
    if cmp is None:
        return plain_grid(chosen, pitch_um=pitch_um)
    arrays = cmp if isinstance(cmp, ArrayMap) else read_cmp(cmp)
    positions = arrays.positions_of(chosen, by=by, pitch_um=pitch_um, partial=partial)
    if positions.unplaced:
        missing = ", ".join(positions.unplaced_names)
        raise ValueError(f"{path}: expected a place in the map for every channel, found none for {missing}")
    return positions


def contact_names(ns: Any, columns: NDArray[np.intp]) -> list[int] | list[str]:
    """Electrode ids; where several instruments have the same ones, each after its instrument's number: ``2-17``."""
    ids = [ns.channels[column].electrode_id for column in columns]
    if not isinstance(ns, CombinedInstruments) or not repeated(ids):
        return ids
    return [f"{number + 1}-{one}" for number, one in zip(ns.instruments_of(columns).tolist(), ids, strict=True)]
