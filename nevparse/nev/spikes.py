# SPDX-License-Identifier: MIT
"""Spikes and stimuli of a NEV: selects them by electrode, unit and time, and reads their waveforms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..format import tables
from ..format.numbers import integers
from ..traces.selection import no_electrode
from .electrodes import Electrode, points_that_fit
from .packets import KIND_CODES, NO_WAVEFORM, PacketNumbers, Packets, WaveformShape

N_IDS, N_UNITS = 1 << 16, 1 << 8
_BATCH = 1 << 14  # spikes read at a time where they are written, not kept


class SpikeCounts(NamedTuple):
    """Spikes of each electrode and class, and units of each class."""

    per_electrode: Counter[int]
    per_class: Counter[str]
    units_per_class: Counter[str]

    @property
    def n_spikes(self) -> int:
        """All spikes."""
        return sum(self.per_class.values())

    def __str__(self) -> str:
        return ", ".join(
            f"{count} {f'of {self.units_per_class[kind]} sorted units' if kind == 'unit' else kind}"
            for kind, count in self.per_class.most_common()
        )


def unit_class(unit: int) -> str:
    """Class of a unit number."""
    return "unit" if unit in tables.UNITS_SORTED else tables.UNIT_CLASSES.get(unit, "reserved")


def count_spikes(trains: Mapping[tuple[int, int], NDArray[Any]]) -> SpikeCounts:
    """Count the spikes of trains by electrode and unit."""
    counts = SpikeCounts(Counter(), Counter(), Counter())
    for (electrode_id, unit), ticks in trains.items():
        counts.per_electrode[electrode_id] += len(ticks)
        counts.per_class[unit_class(unit)] += len(ticks)
        counts.units_per_class[unit_class(unit)] += 1
    return counts


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes (`kind` ``spike``) or the stimuli (``stim``) of one file; `electrodes` are those with a header."""

    kind: str
    packets: Packets
    electrodes: Mapping[int, Electrode]

    @cached_property
    def ids(self) -> list[int]:
        """Electrodes with a spike, in order."""
        heads = self.packets.heads
        return distinct_numbers(heads.packet_id[heads.kind == KIND_CODES[self.kind]], N_IDS)

    def check_electrodes(self, ids: list[int], also_known: Iterable[int] = ()) -> list[int]:
        """Return the ids; KeyError where one has no header and no spike, and is not `also_known`."""
        known = {*self.electrodes, *also_known}
        if not known.issuperset(ids):
            known.update(self.ids)
            if missing := [electrode_id for electrode_id in ids if electrode_id not in known]:
                raise KeyError(f"{self.packets.path}: {no_electrode(missing, known)}")
        return ids

    def select(
        self, electrodes: list[int] | None, units: list[int] | None, start_tick: int | None, stop_tick: int | None
    ) -> PacketNumbers:
        """Indices of the packets that a request selects, in file order; None selects all."""
        numbers, heads = self.packets.numbers_of(self.kind), self.packets.heads
        if electrodes is not None:
            numbers = numbers[membership_table(electrodes, N_IDS)[heads.packet_id[numbers]]]
        if units is not None:
            numbers = numbers[membership_table(units, N_UNITS)[heads.detail[numbers]]]
        return self.packets.between(numbers, start_tick, stop_tick)

    def without_waveforms(self, numbers: PacketNumbers) -> NDArray[np.void]:
        """Tick, electrode and unit."""
        out = np.empty(numbers.size, [("tick", np.int64), ("electrode_id", np.uint16), ("unit", np.uint8)])
        heads = self.packets.heads
        out["tick"], out["electrode_id"] = heads.tick[numbers], heads.packet_id[numbers]
        out["unit"] = heads.detail[numbers]
        return out

    def with_waveforms(
        self, numbers: PacketNumbers, electrodes: list[int], n_bytes: int | None = None
    ) -> NDArray[np.void]:
        """All fields; a waveform has as many points as its electrode's header has, as far as its packet holds them.

        `electrodes` are all that may be among the packets. Where their waveforms differ in shape, the array has the
        widest sample and the most points, and shorter waveforms end in zeros. `n_bytes` is the size of the longest
        packet with its continuations, where these are a part of more packets.
        """
        n_bytes = self.packets.joined_size(self.kind, numbers) if n_bytes is None else n_bytes
        waveform_bytes = n_bytes - self.packets.layout(self.kind).offsets["waveform"]
        of_electrode = {key: _waveform_shape(self.electrodes.get(key), waveform_bytes) for key in electrodes}
        shapes = list(dict.fromkeys(of_electrode.values())) or [_waveform_shape(None, waveform_bytes)]
        if len(shapes) == 1:
            return self.packets.read(self.kind, numbers, n_bytes, shapes[0])
        index_of_id = np.zeros(N_IDS, np.intp)
        index_of_id[list(of_electrode)] = [shapes.index(shape) for shape in of_electrode.values()]
        shape_indices = index_of_id[self.packets.heads.packet_id[numbers]]
        widest = max((dtype for dtype, _ in shapes), key=lambda dtype: dtype.itemsize)
        longest = max(n_points for _, n_points in shapes)
        empty = self.packets.read(self.kind, numbers[:0], n_bytes)
        fields = [(name, empty.dtype[name]) for name in empty.dtype.names or () if name != "waveform"]
        out = np.zeros(len(numbers), [*fields, ("waveform", widest, (longest,))])
        for index, shape in enumerate(shapes):
            at = np.flatnonzero(shape_indices == index)
            part = self.packets.read(self.kind, numbers[at], n_bytes, shape)
            for name, _ in fields:
                out[name][at] = part[name]
            out["waveform"][at, : shape[1]] = part["waveform"]
        return out

    def batches(self, numbers: PacketNumbers) -> Iterator[NDArray[np.void]]:
        """All fields of packets, a few at a time, of one type; one empty array of no packets."""
        n_bytes = self.packets.joined_size(self.kind, numbers)
        for start in range(0, max(1, numbers.size), _BATCH):
            yield self.with_waveforms(numbers[start : start + _BATCH], self.ids, n_bytes)

    def trains(self, numbers: PacketNumbers | None, waveforms: bool) -> dict[tuple[int, int], NDArray[Any]]:
        """By electrode and unit, in their order: spikes with waveforms, or their ticks, as slices of one array.

        `numbers` are packets of spikes, which keep their order in each slice; None is all of them in file order.
        """
        ranks, units = self._ranks()
        counts = np.bincount(ranks if numbers is None else ranks[numbers])[: len(self.ids) * len(units)]
        if numbers is None:
            numbers = np.argsort(ranks, kind="stable")[: counts.sum()]
        else:
            numbers = numbers[np.argsort(ranks[numbers], kind="stable")]
        ticks = self.packets.heads.tick
        spikes = self.with_waveforms(numbers, self.ids) if waveforms else ticks[numbers]
        stops = np.cumsum(counts)
        return {
            (self.ids[rank // len(units)], units[rank % len(units)]): spikes[stops[rank] - counts[rank] : stops[rank]]
            for rank in np.flatnonzero(counts).tolist()
        }

    def _ranks(self) -> tuple[NDArray[np.unsignedinteger[Any]], list[int]]:
        """For every packet the rank of its electrode and unit, the last for other kinds; and all units."""
        heads = self.packets.heads
        is_kind = heads.kind == KIND_CODES[self.kind]
        units = distinct_numbers(heads.detail[is_kind], N_UNITS)
        n_ranks = len(self.ids) * len(units)
        dtype = np.min_scalar_type(n_ranks)  # as few bits as possible: numpy sorts 16 in linear time
        electrode_ranks, unit_ranks = np.zeros(N_IDS, dtype), np.zeros(N_UNITS, dtype)
        electrode_ranks[self.ids] = np.arange(len(self.ids)) * len(units)
        unit_ranks[units] = np.arange(len(units))
        ranks = electrode_ranks[heads.packet_id]
        ranks += unit_ranks[heads.detail]
        ranks[~is_kind] = n_ranks
        return ranks, units


def _waveform_shape(electrode: Electrode | None, waveform_bytes: int) -> WaveformShape:
    dtype, header_points = (electrode.dtype, electrode.header_points) if electrode else NO_WAVEFORM
    return dtype, points_that_fit(dtype, header_points, waveform_bytes)


def number_list(numbers: SupportsIndex | Iterable[SupportsIndex] | None, limit: int, what: str) -> list[int] | None:
    """Requested numbers as a list, None as None; ValueError for one that cannot be `what`, which is below `limit`."""
    if numbers is None:
        return None
    listed = integers(numbers, what)
    if wrong := [number for number in listed if not 0 <= number < limit]:
        raise ValueError(f"expected {what} from 0 to {limit - 1}, found {wrong[0]}")
    return listed


def distinct_numbers(values: NDArray[Any], limit: int) -> list[int]:
    """The distinct values, all below `limit`, in order."""
    return [int(number) for number in np.flatnonzero(np.bincount(values, minlength=limit))]


def membership_table(numbers: list[int], limit: int) -> NDArray[np.bool_]:
    """Whether each number below `limit` is one of these."""
    table = np.zeros(limit, np.bool_)
    table[numbers] = True
    return table
