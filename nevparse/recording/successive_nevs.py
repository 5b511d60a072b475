# SPDX-License-Identifier: MIT
"""Successive NEVs, and whole recordings, end to end: spikes and events on one line of ticks, and their samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import TimedFile, requested_ticks
from ..format.numbers import integer, integer_array, tick_values
from ..nev.comments import Comment
from ..nev.file import NevFile
from ..source.names import folded
from .belonging import unique_names
from .placement import Placement
from .recording import Recording
from .successive_files import SuccessiveFiles


class SuccessiveNevs(TimedFile):
    """Spikes and events of successive NEVs as those of one, on the ticks of the first; `concatenate` makes one.

    Attributes
    ----------
    files : tuple of NevFile
        The files, in order of time.
    names : tuple of str
        Their names, with as many of their folders as tell them apart.
    placements : tuple of Placement
        What is added to the ticks of each, and how that is known.
    """

    def __init__(self, files: Sequence[NevFile], placements: Sequence[Placement]) -> None:
        first = files[0]
        self.files, self.placements = tuple(files), tuple(placements)
        self.names = unique_names([file.path for file in files])
        self.path, self.spec, self.vendor = first.path, first.spec, first.vendor
        self.tick_rate, self.sample_rate, self.electrodes = first.tick_rate, first.sample_rate, first.electrodes
        self.time_origin = first.time_origin

    def __repr__(self) -> str:
        return f"SuccessiveNevs({', '.join(self.names)}: {self.n_packets} packets)"

    @property
    def zero_tick(self) -> int:
        """The tick that seconds count from, which is the first file's."""
        return self.files[0].zero_tick

    @property
    def n_packets(self) -> int:
        """Packets in all files."""
        return sum(file.n_packets for file in self.files)

    def spikes(
        self,
        electrodes: Any = None,
        units: Any = None,
        *,
        start_tick: int | None = None,
        stop_tick: int | None = None,
        start_s: float | None = None,
        stop_s: float | None = None,
        **named: Any,
    ) -> NDArray[np.void]:
        """Spikes of all files, chosen as by `NevFile.spikes`; ticks and seconds are those of the first file."""
        start, stop = requested_ticks(self, start_tick, stop_tick, start_s, stop_s)
        parts = []
        for file, placement in zip(self.files, self.placements, strict=True):
            span: dict[str, Any] = {"start_tick": _own(start, placement), "stop_tick": _own(stop, placement)}
            parts.append(file.spikes(**named, **span, electrodes=electrodes, units=units))
        return self._joined(parts)

    def trains(self, **choice: Any) -> dict[tuple[int, int], NDArray[Any]]:
        """Ticks of every unit, or of those chosen as by `NevFile.spikes`: int64 by electrode id and unit."""
        spikes = self.spikes(waveforms=False, **choice)
        keys = spikes["electrode_id"].astype(np.int64) * 256 + spikes["unit"]
        order = np.argsort(keys, kind="stable")
        units, firsts = np.unique(keys[order], return_index=True)
        parts = np.split(spikes["tick"][order].astype(np.int64), firsts[1:])
        return {divmod(unit, 256): ticks for unit, ticks in zip(units.tolist(), parts, strict=bool(units.size))}

    def events(self, kind: Any, sort: Any = None) -> NDArray[np.void]:
        """All events of one kind, as `NevFile.events` gives them."""
        return self._joined([file.events(kind, sort) for file in self.files])

    def comments(self, merged: bool = True) -> tuple[Comment, ...]:
        """All comments, as `NevFile.comments` gives them."""
        return tuple(
            comment._replace(
                tick=comment.tick + placement.offset,
                started_tick=None if comment.started_tick is None else comment.started_tick + placement.offset,
            )
            for file, placement in zip(self.files, self.placements, strict=True)
            for comment in file.comments(merged)
        )

    def kinds(self) -> dict[str, int]:
        """Number of events of each kind in all files."""
        counts: dict[str, int] = {}
        for file in self.files:
            for kind, count in file.kinds().items():
                counts[kind] = counts.get(kind, 0) + count
        return counts

    def packets_of(self, kind: Any) -> NDArray[np.intp]:
        """Index of the packet of each event of a kind, as in `events`; packets of later files count on."""
        firsts = self.first_packets
        return np.concatenate([file.packets_of(kind) + first for file, first in zip(self.files, firsts, strict=True)])

    @property
    def first_packets(self) -> list[int]:
        """Index of the first packet of each file among those of all."""
        return list(accumulate((file.n_packets for file in self.files[:-1]), initial=0))

    def _joined(self, parts: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
        """Events of each file as those of all."""
        for file, part in zip(self.files, parts, strict=True):
            if part.dtype != parts[0].dtype:
                found = f"found {parts[0].dtype} and {part.dtype}"
                message = f"expected the same fields and waveforms in each file, {found}"
                raise ValueError(f"{self.files[0].path} and {file.path}: {message}")
        joined = np.concatenate(parts)
        ends = np.cumsum([len(part) for part in parts]).tolist()
        for end, part, placement in zip(ends, parts, self.placements, strict=True):
            joined["tick"][end - len(part) : end] += placement.offset
        return joined


def _own(tick: int | None, placement: Placement) -> int | None:
    """A tick of the first file as one of a later file."""
    return None if tick is None else tick - placement.offset


class SuccessiveRecordings:
    """Successive recordings, each of a NEV and continuous files, as one long one; `concatenate` makes one.

    Attributes
    ----------
    recordings : tuple of Recording
        The recordings, in order of time.
    nev : SuccessiveNevs or None
        Their spikes and events; None where not all have a NEV.
    nsx, nfx : mapping of int to SuccessiveFiles
        Their continuous data, by the digit of the suffix; those that all have.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        nev: SuccessiveNevs | None,
        nsx: Mapping[int, SuccessiveFiles],
        nfx: Mapping[int, SuccessiveFiles],
    ) -> None:
        self.recordings, self.nev = tuple(recordings), nev
        self.nsx, self.nfx = MappingProxyType(dict(nsx)), MappingProxyType(dict(nfx))

    def __repr__(self) -> str:
        return f"SuccessiveRecordings({', '.join(unique_names([one.base for one in self.recordings]))})"

    def require_nev(self) -> SuccessiveNevs:
        """The NEVs; ValueError where a recording has none."""
        if self.nev is None:
            without = next(one for one in self.recordings if one.nev is None)
            raise ValueError(f"{without.base}: expected a NEV, found {', '.join(without.members)}")
        return self.nev

    def locate(
        self, ticks: ArrayLike, nsx: int | SuccessiveFiles, *, packets: ArrayLike | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Find the segment and sample of the continuous files that was recorded at each time of the NEVs.

        Parameters
        ----------
        ticks : array_like of int
            Timestamps, as `nev` gives them, ``(n,)``.
        nsx : int or SuccessiveFiles
            Which files, by the digit of their suffix or themselves.
        packets : array_like of int, optional
            Their packets (`SuccessiveNevs.packets_of`), by which each time is located in its own recording. Needed
            only where a clock was set anew within a recording.

        Returns
        -------
        segment, sample : numpy.ndarray
            intp and int64, ``(n,)``, of all files together; -1 where nothing was recorded.

        Raises
        ------
        KeyError
            Where the recordings have no such files.
        ValueError
            Where a recording has no NEV.
        """
        files, nev, wanted = self._continuous(nsx), self.require_nev(), tick_values(ticks)
        of_recording = self._recording_of(wanted, packets)
        own_packets = None if packets is None else integer_array(packets, "packets")
        segment, sample = np.full(wanted.shape, -1, np.intp), np.full(wanted.shape, -1, np.int64)
        for number in np.unique(of_recording[of_recording >= 0]).tolist():
            inside = of_recording == number
            own = wanted[inside] - nev.placements[number].offset
            of_packets = None if own_packets is None else own_packets[inside] - nev.first_packets[number]
            located = self.recordings[number].locate(own, files.files[number], packets=of_packets)
            segment[inside], sample[inside] = files.joined_samples(number, *located)
        return segment, sample

    def files_named(self, names: Sequence[str]) -> SuccessiveFiles:
        """The continuous files of these names, such as the sources of an export."""
        for files in (*self.nsx.values(), *self.nfx.values()):
            if [*map(folded, files.names)] == [*map(folded, names)]:  # in another case they are no other recordings'
                return files
        raise KeyError(f"no {', '.join(names)} in these recordings")

    def recordings_of(self, packets: ArrayLike) -> NDArray[np.intp]:
        """The number of the recording of each packet of `nev`."""
        firsts = np.array(self.require_nev().first_packets)
        return np.searchsorted(firsts, integer_array(packets, "packets"), "right") - 1

    def _continuous(self, nsx: int | SuccessiveFiles) -> SuccessiveFiles:
        if isinstance(nsx, SuccessiveFiles):
            return nsx
        digit = integer(nsx, "the digit of an .ns file")
        if digit not in self.nsx:
            known = ", ".join(f"ns{each}" for each in self.nsx) or "none"
            raise KeyError(f"no .ns{digit} in every recording; all have {known}")
        return self.nsx[digit]

    def _recording_of(self, ticks: NDArray[Any], packets: ArrayLike | None) -> NDArray[np.intp]:
        """The recording of each packet, or without packets the one that begins last before each time."""
        nev = self.require_nev()
        if packets is not None:
            return self.recordings_of(packets)
        starts = [one.zero_tick + placed.offset for one, placed in zip(self.recordings, nev.placements, strict=True)]
        return np.searchsorted(starts, ticks, "right") - 1
