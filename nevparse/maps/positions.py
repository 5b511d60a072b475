# SPDX-License-Identifier: MIT
"""Array maps: which electrode, and where on the array, is behind each pin of a connector (``.cmp`` files)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from ..format.text import printable
from .cmp import LETTERS, PITCH_UM, MapElectrode, MapFile, map_file
from .matching import JOINS, MapChannel, channel_name, electrode_rows

ARRAY_GAP_UM = 4000.0  # an array's width: beyond what any sorter takes for neighbours


@dataclass(frozen=True, eq=False)
class Positions:
    """Where channels are, one row for each in the order they were given.

    Parameters
    ----------
    um : numpy.ndarray
        float64 ``(n_channels, 2)``, read-only: x to the right and y upwards, in µm; NaN for what the map does not have.
    arrays : numpy.ndarray
        int64 ``(n_channels,)``, read-only: number of the array, from 1; 0 for what the map does not have.
    unplaced : tuple of int
        Rows of channels that the map does not have, such as analog inputs.
    unplaced_names : tuple of str
        The same as a person reads them.
    statement : str
        One sentence that says where the positions come from.
    is_map : bool
        False for a plain grid, whose positions are made up.
    """

    um: NDArray[np.float64]
    arrays: NDArray[np.int64]
    unplaced: tuple[int, ...]
    unplaced_names: tuple[str, ...]
    statement: str
    is_map: bool


@dataclass(frozen=True)
class ArrayMap:
    """The electrodes of one or more arrays.

    Parameters
    ----------
    paths, descriptions : tuple of str
        The files, and what each says of itself.
    pitches_um : tuple of float
        What a step of column or row is in each file: 400, or 1 where the file also has sizes and so counts µm.
    electrodes : tuple of MapElectrode
        All electrodes, in the files' order.
    """

    paths: tuple[str, ...]
    descriptions: tuple[str, ...]
    pitches_um: tuple[float, ...]
    electrodes: tuple[MapElectrode, ...]

    def positions_of(
        self, channels: Iterable[MapChannel], *, by: str = "pin", pitch_um: float | None = None, partial: bool = False
    ) -> Positions:
        """Where channels of a recording are on the arrays.

        Several files' arrays are set side by side, 4 mm apart. Analog inputs are never placed; they, and other
        channels that are no electrodes and not in the map, are named in the result.

        Parameters
        ----------
        channels : iterable of Channel
            A recording's channels, or those of them that are wanted.
        by : str
            ``"pin"`` (bank and pin), ``"label"``, or ``"id"`` (electrodes 1 to 32 are bank A, 33 to 64 bank B, and so
            on) for files that have neither.
        pitch_um : float, optional
            Distance of neighbours; 400 µm where nothing is said.
        partial : bool
            Whether some of the map's electrodes may be missing among the channels.

        Raises
        ------
        ValueError
            Where map and recording do not match (both sides are listed), or two channels or two electrodes cannot be
            told apart.
        """
        wanted, pitch = _some(channels), _checked_pitch(pitch_um)
        files = ", ".join(printable(os.path.basename(path)) for path in self.paths)
        rows = electrode_rows(by, wanted, self.electrodes, files, partial)
        places = _places(self, pitch)
        steps = " or ".join(f"{step:g}" for step in sorted({pitch or step for step in self.pitches_um}))
        return _positions(
            wanted,
            [(nan, nan) if row is None else places[row] for row in rows],
            [0 if row is None else self.electrodes[row].array for row in rows],
            f"positions from {files}, joined by {JOINS[by].words}, {steps} µm from column to column",
            is_map=True,
        )


def plain_grid(channels: Iterable[MapChannel], *, pitch_um: float | None = None) -> Positions:
    """Places for channels whose array has no map: a grid near a square, row by row from the lower left.

    The places are made up, which `Positions.is_map` and `Positions.statement` say.

    Raises
    ------
    ValueError
        Where there is no channel, or the pitch is no distance.
    """
    wanted, pitch = _some(channels), _checked_pitch(pitch_um) or PITCH_UM
    width = int(np.ceil(np.sqrt(len(wanted))))
    places = [(k % width * pitch, k // width * pitch) for k in range(len(wanted))]
    statement = f"a plain grid of {width} columns in channel order, not where the electrodes are: there is no map"
    return _positions(wanted, places, [1] * len(wanted), statement, is_map=False)


def read_cmp(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, first_bank: str | None = None
) -> ArrayMap:
    """Read an array map, or one for each array or headstage.

    Parameters
    ----------
    path : path or sequence of paths
        One ``.cmp`` file or several.
    first_bank : str, optional
        For each file the letter of the connector that its bank A is plugged into, such as ``"AE"`` for two headstages
        of 128 channels whose maps both start at A.

    Raises
    ------
    FormatError
        Where a file is no map, or has two electrodes at one place or on one pin.
    ValueError
        Where two files have the same bank and pin, or `first_bank` does not fit the files.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    names = tuple(os.fspath(one) for one in paths)
    if not names:
        raise ValueError("expected at least one map, found none")
    letters = "A" * len(names) if first_bank is None else first_bank.upper()
    if len(letters) != len(names) or not set(letters) <= set(LETTERS):
        raise ValueError(f"expected first_bank as {len(names)} letters A to Z, one a file, found {first_bank!r}")
    files = [map_file(name) for name in names]
    electrodes: list[MapElectrode] = []
    for number, (file, letter) in enumerate(zip(files, letters, strict=True), 1):
        electrodes += _plugged(file, number, letter)
    owner: dict[tuple[int, int], int] = {}
    for electrode in electrodes:
        first = owner.setdefault((electrode.bank, electrode.pin), electrode.array)
        if first != electrode.array:
            both = " and ".join(printable(names[number - 1]) for number in (first, electrode.array))
            raise ValueError(
                f"expected a bank and pin of its own for each electrode, found {electrode.location} in both {both}: "
                "say with first_bank where each file's bank A is plugged in"
            )
    steps = tuple(file.step_um for file in files)
    return ArrayMap(names, tuple(file.description for file in files), steps, tuple(electrodes))


def _plugged(file: MapFile, number: int, letter: str) -> list[MapElectrode]:
    shift = LETTERS.index(letter)
    last = max(electrode.bank for electrode in file.electrodes) + shift
    if last > len(LETTERS):
        raise ValueError(f"expected banks up to Z, found file {number} to go beyond with first_bank {letter}")
    return [replace(electrode, bank=electrode.bank + shift, array=number) for electrode in file.electrodes]


def _some(channels: Iterable[MapChannel]) -> list[MapChannel]:
    wanted = list(channels)
    if not wanted:
        raise ValueError("expected at least one channel, found none")
    return wanted


def _checked_pitch(pitch_um: float | None) -> float | None:
    if pitch_um is not None and not (isfinite(pitch_um) and pitch_um > 0):
        raise ValueError(f"expected a pitch in µm above 0, found {pitch_um}")
    return pitch_um


def _places(arrays: ArrayMap, pitch_um: float | None) -> list[tuple[float, float]]:
    """µm of every electrode; arrays stand side by side, not on top of each other."""
    places: list[tuple[float, float]] = []
    left = -inf
    for number, group in groupby(arrays.electrodes, key=lambda electrode: electrode.array):
        step = pitch_um or arrays.pitches_um[number - 1]
        here = [(electrode.column * step, electrode.row * step) for electrode in group]
        shift = max(0.0, left - min(x for x, _ in here))
        places += [(x + shift, y) for x, y in here]
        left = max(x for x, _ in places) + ARRAY_GAP_UM
    return places


def _positions(
    channels: Sequence[MapChannel], places: Sequence[tuple[float, float]], of: Sequence[int], said: str, is_map: bool
) -> Positions:
    um, arrays = np.array(places, np.float64), np.array(of, np.int64)
    um.setflags(write=False)
    arrays.setflags(write=False)
    unplaced = tuple(row for row, number in enumerate(of) if number == 0)
    return Positions(um, arrays, unplaced, tuple(channel_name(channels[row]) for row in unplaced), said, is_map)
