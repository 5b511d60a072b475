# SPDX-License-Identifier: MIT
"""Where the electrode of each channel is on the array, in µm: channels are matched to the electrodes of a map."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from math import inf, isfinite, nan
from operator import itemgetter
from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..format.channel import Channel
from ..format.text import printable, ranges_text

PITCH_UM = 400.0
ARRAY_GAP_UM = 4000.0  # an array's width: no sorter takes electrodes this far apart for neighbours
_PINS_PER_BANK = 32
_MAX_NAMES = 12  # in a message


@dataclass(frozen=True)
class MapElectrode:
    """One electrode of a map.

    Parameters
    ----------
    column, row : int
        Place on the array by the file, from the lower left corner.
    bank, pin : int
        Connector (1 is A) and pin, numbered as `Channel.bank` and `Channel.pin` are.
    label : str
        Name; empty if the file gives none.
    array : int
        Number of the electrode's file, from 1.
    """

    column: int
    row: int
    bank: int
    pin: int
    label: str
    array: int = 1

    @property
    def location(self) -> str:
        """Bank and pin as the recording software shows them: ``A1``."""
        return f"{ascii_uppercase[self.bank - 1]}{self.pin}"


@dataclass(frozen=True, eq=False)
class Positions:
    """Where channels are, one row for each channel, in the order of the channels.

    Parameters
    ----------
    um : numpy.ndarray
        float64 ``(n_channels, 2)``, read-only: x to the right and y upwards, in µm; NaN for channels not in the map.
    arrays : numpy.ndarray
        int64 ``(n_channels,)``, read-only: number of the array, from 1; 0 for channels not in the map.
    unplaced : tuple of int
        Rows of channels that are not in the map, such as analog inputs.
    unplaced_names : tuple of str
        Column and label of each of these.
    statement : str
        Where the positions come from, as one sentence.
    is_map : bool
        False for a plain grid, whose positions are made up.
    """

    um: NDArray[np.float64]
    arrays: NDArray[np.int64]
    unplaced: tuple[int, ...]
    unplaced_names: tuple[str, ...]
    statement: str
    is_map: bool

    def __post_init__(self) -> None:
        for array in (self.um, self.arrays):
            array.setflags(write=False)


@dataclass(frozen=True)
class ArrayMap:
    """The electrodes of one or more arrays.

    Parameters
    ----------
    paths, descriptions : tuple of str
        The files, and the first line of each.
    pitches_um : tuple of float
        Distance of a column or row to the next in each file: 400, or 1 if the file has sizes and so counts in µm.
    electrodes : tuple of MapElectrode
        All electrodes, in the files' order.
    """

    paths: tuple[str, ...]
    descriptions: tuple[str, ...]
    pitches_um: tuple[float, ...]
    electrodes: tuple[MapElectrode, ...]

    def positions_of(
        self, channels: Iterable[Channel], *, by: str = "pin", pitch_um: float | None = None, partial: bool = False
    ) -> Positions:
        """Find where channels of a recording are on the arrays.

        The arrays of several files are placed side by side, 4 mm apart. Analog inputs, and other channels that are no
        electrodes and not in the map, are `Positions.unplaced`.

        Parameters
        ----------
        channels : iterable of Channel
            All channels of a recording, or a selection.
        by : str
            ``"pin"`` (bank and pin), ``"label"``, or ``"id"`` (electrodes 1 to 32 are bank A, 33 to 64 bank B, and so
            on) for files that have neither.
        pitch_um : float, optional
            Distance of one column or row to the next; `pitches_um` by default.
        partial : bool
            Whether some of the map's electrodes may be missing among the channels.

        Raises
        ------
        ValueError
            If map and recording do not match (both sides are listed), or two channels or two electrodes have the same
            key.
        """
        wanted = _checked_channels(channels, pitch_um)
        files = ", ".join(printable(os.path.basename(path)) for path in self.paths)
        indices = _match_electrodes(by, wanted, self.electrodes, files, partial)
        pitches = [pitch_um or pitch for pitch in self.pitches_um]
        pitch_text = " or ".join(f"{pitch:g}" for pitch in sorted(set(pitches)))
        statement = f"positions from {files}, joined by {_JOINS[by].name}, {pitch_text} µm from column to column"
        located = _electrode_places(self.electrodes, pitches)
        places = [(nan, nan) if index is None else located[index] for index in indices]
        arrays = [0 if index is None else self.electrodes[index].array for index in indices]
        return _positions(wanted, places, arrays, statement, is_map=True)


def plain_grid(channels: Iterable[Channel], *, pitch_um: float | None = None) -> Positions:
    """Make up positions for channels without a map: a grid near a square, row by row from the lower left.

    Raises
    ------
    ValueError
        If `channels` is empty or the pitch is no distance.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("session.ns5") as ns:
    ...     nv.plain_grid(ns.channels[:4]).statement
    'a plain grid of 2 columns in channel order, not where the electrodes are: no map was given'
    """
    wanted = _checked_channels(channels, pitch_um)
    width, pitch = int(np.ceil(np.sqrt(len(wanted)))), pitch_um or PITCH_UM
    places = [(index % width * pitch, index // width * pitch) for index in range(len(wanted))]
    statement = f"a plain grid of {width} columns in channel order, not where the electrodes are: no map was given"
    return _positions(wanted, places, [1] * len(wanted), statement, is_map=False)


def side_by_side(parts: Sequence[Positions]) -> Positions:
    """Positions of the channels of several instruments, one after the other: their arrays stand side by side."""
    um, arrays, left, n_arrays = [], [], -inf, 0
    for part in parts:
        shift = max(0.0, left - np.nanmin(part.um[:, 0], initial=inf))
        um.append(part.um + np.array([shift if isfinite(shift) else 0.0, 0.0]))
        arrays.append(np.where(part.arrays > 0, part.arrays + n_arrays, 0))
        left = max(left, np.nanmax(um[-1][:, 0], initial=-inf) + ARRAY_GAP_UM)
        n_arrays = int(max(arrays[-1].max(initial=0), n_arrays))
    numbers = np.concatenate(arrays)
    unplaced, names = _unplaced(numbers), tuple(name for part in parts for name in part.unplaced_names)
    statement = "; ".join(dict.fromkeys(part.statement for part in parts))
    return Positions(np.concatenate(um), numbers, unplaced, names, statement, all(part.is_map for part in parts))


def _checked_channels(channels: Iterable[Channel], pitch_um: float | None) -> list[Channel]:
    """The channels as a list; ValueError for an empty one, and for a pitch that is no distance."""
    wanted = list(channels)
    if not wanted:
        raise ValueError("expected at least one channel, found none")
    if pitch_um is not None and not (isfinite(pitch_um) and pitch_um > 0):
        raise ValueError(f"expected a pitch in µm above 0, found {pitch_um}")
    return wanted


def _positions(
    channels: Sequence[Channel],
    places: Sequence[tuple[float, float]],
    arrays: Sequence[int],
    statement: str,
    is_map: bool,
) -> Positions:
    """Positions of channels at `places`, in µm; array 0 marks a channel that is not in the map."""
    numbers = np.array(arrays, np.int64)
    unplaced = _unplaced(numbers)
    names = tuple(_channel_name(channels[row]) for row in unplaced)
    return Positions(np.array(places, np.float64), numbers, unplaced, names, statement, is_map)


def _unplaced(arrays: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(arrays == 0).tolist())


def _electrode_places(electrodes: Sequence[MapElectrode], pitches_um: Sequence[float]) -> list[tuple[float, float]]:
    """Each electrode's x and y in µm; arrays are side by side."""
    places: list[tuple[float, float]] = []
    left = -inf
    for number, array in groupby(electrodes, key=lambda electrode: electrode.array):
        pitch = pitches_um[number - 1]
        on_array = [(electrode.column * pitch, electrode.row * pitch) for electrode in array]
        shift = max(0.0, left - min(x for x, _ in on_array))
        places += [(x + shift, y) for x, y in on_array]
        left = max(x for x, _ in places) + ARRAY_GAP_UM
    return places


# ------------------------------------------------------------------------------------------- matching by a shared key
class _Join(NamedTuple):
    """A key that channels and electrodes share; None for one without it."""

    name: str
    of_channel: Callable[[Channel], Any]
    of_electrode: Callable[[MapElectrode], Any]


_JOINS = {
    "pin": _Join(
        "bank and pin",
        lambda channel: (channel.bank, channel.pin) if channel.bank and channel.pin else None,
        lambda electrode: (electrode.bank, electrode.pin),
    ),
    "label": _Join("label", lambda channel: channel.label or None, lambda electrode: electrode.label or None),
    "id": _Join(
        "electrode id",
        lambda channel: channel.electrode_id or None,
        lambda electrode: (electrode.bank - 1) * _PINS_PER_BANK + electrode.pin,
    ),
}


def _match_electrodes(
    by: str, channels: Sequence[Channel], electrodes: Sequence[MapElectrode], files: str, partial: bool
) -> list[int | None]:
    """For each channel its index in `electrodes`; None for a channel that is no electrode."""
    if by not in _JOINS:
        raise ValueError(f"expected {_joins_text()}, found {by!r}")
    join = _JOINS[by]
    # an analog input has a bank and a pin too, but no electrode
    keys = [None if channel.kind == "analog" else join.of_channel(channel) for channel in channels]
    neural = [row for row, channel in enumerate(channels) if channel.kind == "neural"]
    if keyless := [_channel_name(channels[row]) for row in neural if keys[row] is None]:
        found = f"channels without: {_names_text(keyless)}"
        raise ValueError(f"expected {join.name} to identify electrodes by, found {found}; join {_joins_text(by)}")
    _index_by_key(by, keys, [_channel_name(channel) for channel in channels])
    names = [f"{electrode.location} {printable(electrode.label)!r} of the map" for electrode in electrodes]
    indices = _index_by_key(by, [join.of_electrode(electrode) for electrode in electrodes], names)
    _check_match(join, {keys[row] for row in neural}, indices.keys() - keys, indices, files, partial)
    return [indices.get(key) for key in keys]


def _channel_name(channel: Channel) -> str:
    return f"column {channel.index} {printable(channel.label)!r}"


def _joins_text(without: str = "") -> str:
    return " or ".join(f"by={by!r}" for by in _JOINS if by != without)


def _index_by_key(by: str, keys: Sequence[Any], names: Sequence[str]) -> dict[Any, int]:
    """The index of each key; ValueError if two are the same."""
    indices: dict[Any, int] = {}
    for index, key in enumerate(keys):
        first = indices.setdefault(key, index)
        if key is not None and first != index:
            found = f"the same for {names[first]} and {names[index]}"
            advice = f"choose among the channels, or join {_joins_text(by)}"
            raise ValueError(f"expected {_JOINS[by].name} to distinguish them, found {found}: {advice}")
    indices.pop(None, None)
    return indices


def _check_match(
    join: _Join, recorded: Set[Any], unrecorded: Set[Any], mapped: Mapping[Any, int], files: str, partial: bool
) -> None:
    unmapped = recorded - mapped.keys()
    is_part = not unmapped and len(unrecorded) < len(mapped)
    if is_part and (partial or not unrecorded):
        return
    advice = (
        "give this array's map, or partial=True (--partial) if its other electrodes were not recorded"
        if is_part
        else "give this array's map, first_bank= if it is plugged in elsewhere, or choose the channels it has"
    )
    raise ValueError(
        f"expected a map of the electrodes that were recorded; by {join.name} the channels have "
        f"{_keys_text(recorded)}, {files} has {_keys_text(mapped)}; only the channels have {_keys_text(unmapped)}, "
        f"only the map has {_keys_text(unrecorded)}: {advice}"
    )


def _keys_text(keys: Iterable[Any]) -> str:
    """Keys and their number: ``64 (A 1-32, B 1-32)``."""
    ordered = sorted(keys)
    if not ordered:
        return "none"
    if isinstance(ordered[0], str):
        text = _names_text([printable(key) for key in ordered])
    elif isinstance(ordered[0], int):
        text = ranges_text(ordered)
    else:
        banks = [(bank, [pin for _, pin in pins]) for bank, pins in groupby(ordered, key=itemgetter(0))]
        names = [ascii_uppercase[bank - 1 : bank] or f"bank {bank}" for bank, _ in banks]
        text = ", ".join(f"{name} {ranges_text(pins)}" for name, (_, pins) in zip(names, banks, strict=True))
    return f"{len(ordered)} ({text})"


def _names_text(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more
