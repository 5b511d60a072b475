# SPDX-License-Identifier: MIT
"""Spikes and stimuli: which are asked for, whose they are, and their waveforms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..format import tables
from ..format.text import ranges_text
from .electrodes import Shape, shape_that_fits
from .packets import CODES, PacketNumbers, Packets, out_dtype, source_dtype

N_IDS, N_UNITS = 1 << 16, 1 << 8
_LAST_TICK = (1 << 64) - 1
_UNSTATED = (tables.SAMPLE_16_BIT, 0)


@dataclass(frozen=True)
class _Names:
    """Electrode and unit by key, without a list of all that could be."""

    ids: list[int]
    units: list[int]

    def __len__(self) -> int:
        return len(self.ids) * len(self.units)

    def __getitem__(self, key: int) -> tuple[int, int]:
        return self.ids[key // len(self.units)], self.units[key % len(self.units)]


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes or the stimuli of one file.

    Parameters
    ----------
    kind : str
        ``spike`` or ``stim``.
    packets : Packets
        All packets.
    stated : mapping
        By electrode id, what its header says: code of a sample, and points (0 where it says none).
    """

    kind: str
    packets: Packets
    stated: Mapping[int, Shape]

    @cached_property
    def ids(self) -> list[int]:
        """Electrodes that any come from, in order."""
        columns = self.packets.columns
        return [int(number) for number in numbers_present(columns.packet_id[columns.code == CODES[self.kind]], N_IDS)]

    def rows(
        self,
        electrodes: list[int] | None,
        units: list[int] | None,
        start_tick: int | None,
        stop_tick: int | None,
    ) -> PacketNumbers:
        """Where those are that were asked for, in file order."""
        rows, columns = self.packets.rows(self.kind), self.packets.columns
        if electrodes is not None:
            rows = rows[membership_table(electrodes, N_IDS)[columns.packet_id[rows]]]
        if units is not None:
            rows = rows[membership_table(units, N_UNITS)[columns.detail[rows]]]
        if start_tick is not None:
            rows = rows[columns.tick[rows] >= tick_limit(start_tick)]
        if stop_tick is not None:
            rows = rows[columns.tick[rows] < tick_limit(stop_tick)]
        return rows

    def without_waveforms(self, rows: PacketNumbers) -> NDArray[np.void]:
        """Tick, electrode and unit."""
        columns = self.packets.columns
        out = np.empty(rows.size, [("tick", np.uint64), ("electrode_id", np.uint16), ("unit", np.uint8)])
        out["tick"], out["electrode_id"] = columns.tick[rows], columns.packet_id[rows]
        out["unit"] = columns.detail[rows]
        return out

    def with_waveforms(self, rows: PacketNumbers, ids: list[int]) -> NDArray[np.void]:
        """All of their fields.

        Parameters
        ----------
        rows : numpy.ndarray
            Which packets, in the order wanted.
        ids : list of int
            All electrodes that may be among them; they settle the widest sample and the most points.
        """
        width = self.packets.record_bytes(self.kind, rows)
        room = width - self.packets.layout(self.kind).offsets["waveform"]
        shapes = [shape_that_fits(self.stated.get(number, _UNSTATED), room) for number in ids]
        distinct = sorted(set(shapes)) or [shape_that_fits(_UNSTATED, room)]
        if len(distinct) == 1:
            return self.packets.gather(self.kind, rows, width, distinct[0])
        which = np.zeros(N_IDS, np.intp)
        which[ids] = [distinct.index(shape) for shape in shapes]
        return self._mixed(rows, width, distinct, which[self.packets.columns.packet_id[rows]])

    def _mixed(self, rows: PacketNumbers, width: int, shapes: list[Shape], which: PacketNumbers) -> NDArray[np.void]:
        widest = max((np.dtype(code) for code, _ in shapes), key=lambda code: code.itemsize)
        longest = max(points for _, points in shapes)
        first = out_dtype(source_dtype(self.packets.layout(self.kind), self.kind, width, shapes[0]))
        fields = [(name, first[name]) for name in first.names or () if name != "waveform"]
        out = np.zeros(len(rows), [*fields, ("waveform", widest, (longest,))])
        for k, shape in enumerate(shapes):
            mine = np.flatnonzero(which == k)
            part = self.packets.gather(self.kind, rows[mine], width, shape)
            for name in part.dtype.names or ():
                out[name][(mine, slice(shape[1])) if name == "waveform" else mine] = part[name]
        return out

    def trains(self, rows: PacketNumbers | None, waveforms: bool) -> dict[tuple[int, int], NDArray[Any]]:
        """By electrode and unit, in their order, spikes or their ticks: slices of one array.

        Parameters
        ----------
        rows : numpy.ndarray or None
            All of them in the order wanted; None is the file's.
        waveforms : bool
            Spikes, not only their ticks.
        """
        tick, (keys, names) = self.packets.columns.tick, self._keys()
        counts = np.bincount(keys, minlength=len(names))[: len(names)]
        if rows is None:
            rows = np.argsort(keys, kind="stable")[: counts.sum()]
        else:
            rows = rows[np.argsort(keys[rows], kind="stable")]
        found = self.with_waveforms(rows, self.ids) if waveforms else tick[rows].astype(np.uint64)
        stops = np.cumsum(counts)
        return {names[k]: found[stops[k] - counts[k] : stops[k]] for k in np.flatnonzero(counts).tolist()}

    def _keys(self) -> tuple[NDArray[np.unsignedinteger[Any]], _Names]:
        """For every packet, the place of its electrode and unit among all; packets of other kinds come last."""
        columns = self.packets.columns
        mine = columns.code == CODES[self.kind]
        units = numbers_present(columns.detail[mine], N_UNITS)
        n_keys = len(self.ids) * units.size
        # As few bits as the keys need: numpy sorts 16 in linear time.
        code = np.min_scalar_type(n_keys)
        keys = _ranks(self.ids, N_IDS, units.size, code)[columns.packet_id]
        keys += _ranks(units, N_UNITS, 1, code)[columns.detail]
        keys[~mine] = n_keys
        return keys, _Names(self.ids, units.tolist())

    def known(self, electrodes: list[int], described: Iterable[int], path: str) -> list[int]:
        """The electrodes asked for, if each has a header or a spike.

        Raises
        ------
        KeyError
            Where one has neither.
        """
        described = set(described)
        if not described.issuperset(electrodes):
            there = described.union(self.ids)
            missing = [number for number in electrodes if number not in there]
            if missing:
                have = ranges_text(sorted(there)) or "none"
                raise KeyError(f"no electrode {ranges_text(missing)} in {path}; there are: {have}")
        return electrodes


def as_numbers(asked: int | Iterable[int] | None, limit: int, what: str) -> list[int] | None:
    """A request as a list of numbers below `limit`; None where there is none.

    Raises
    ------
    ValueError
        Where a number cannot be `what`.
    """
    if asked is None:
        return None
    numbers = [int(number) for number in ([asked] if isinstance(asked, (int, np.integer)) else asked)]
    for number in numbers:
        if not 0 <= number < limit:
            raise ValueError(f"expected {what} from 0 to {limit - 1}, found {number}")
    return numbers


def numbers_present(values: NDArray[Any], limit: int) -> PacketNumbers:
    """Which numbers below `limit` there are."""
    return np.flatnonzero(np.bincount(values, minlength=limit))


def membership_table(numbers: list[int], limit: int) -> NDArray[np.bool_]:
    """Table of which numbers below `limit` are among these."""
    table = np.zeros(limit, np.bool_)
    table[numbers] = True
    return table


def _ranks(numbers: list[int] | PacketNumbers, limit: int, step: int, code: np.dtype[Any]) -> NDArray[Any]:
    """Table of each number's place among `numbers`, times `step`."""
    table = np.zeros(limit, code)
    table[numbers] = np.arange(len(numbers)) * step
    return table


def tick_limit(tick: int) -> NDArray[np.uint64]:
    """A time as timestamps are compared with it, whatever was asked for."""
    return np.array(min(max(int(tick), 0), _LAST_TICK), np.uint64)
