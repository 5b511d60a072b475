# SPDX-License-Identifier: MIT
"""Successive continuous files of one recording, end to end as one: what an export reads as it reads a file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, SupportsInt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cached import cached_property
from ..clock import SampleRange, join_ranges, ticks_recorded
from ..format.channel import Channel
from ..format.numbers import integer, tick_values
from ..nsx.file import NsxFile
from ..nsx.segments import Segment
from ..source.base import Source
from ..traces.extents import Extent
from ..traces.plan import FilledRows, PlanRow, SampleRows, TimedParts
from .joined_files import JoinedFiles
from .placement import Placement


class FilePart(NamedTuple):
    """A segment of one file: rows from `first` on of a segment of all files."""

    first: int
    segment: Segment
    offset: int
    file: int

    def own_range(self, *ticks: int | None) -> list[int | None]:
        """Ends of a range of ticks by the file's own clock."""
        return [None if tick is None else tick - self.offset for tick in ticks]


class SuccessiveSegment:
    """Samples without a break in time, which may go on from one file to the next."""

    def __init__(self, index: int, parts: Sequence[FilePart]) -> None:
        self.index, self._parts = index, parts
        self._firsts = [part.first for part in parts]
        self.n_samples = parts[-1].first + parts[-1].segment.n_samples

    def __repr__(self) -> str:
        return f"SuccessiveSegment({self.index}: {self.n_samples} samples from tick {self.start_tick})"

    @property
    def start_tick(self) -> int:
        """Time of the first sample."""
        return self._parts[0].segment.start_tick + self._parts[0].offset

    @property
    def stop_tick(self) -> int:
        """Time of the sample that would follow the last one, in ticks, rounded down."""
        return self._parts[-1].segment.stop_tick + self._parts[-1].offset

    @property
    def last_timestamp(self) -> tuple[int, int]:
        """Tick of the last timestamp, and the samples from it on."""
        tick, n_samples = self._parts[-1].segment.last_timestamp
        return tick + self._parts[-1].offset, n_samples

    def find(self, tick: int) -> int:
        """First sample that is not before `tick`; `n_samples` where all are."""
        wanted = integer(tick, "a tick")
        for part in self._parts:
            sample = part.segment.find(wanted - part.offset)
            if sample < part.segment.n_samples:
                return part.first + sample
        return self.n_samples

    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = False) -> NDArray[Any]:
        """Timestamps of samples `start` to `stop`."""
        a, b, _ = slice(start, stop).indices(self.n_samples)
        parts = [
            part.segment.ticks(low, high, sort=sort) + part.offset
            for part, low, high in self.parts_between(a, max(a, b))
        ]
        return np.concatenate(parts) if parts else self._parts[0].segment.ticks(0, 0)

    def extents(self, start: int, stop: int, *, sort: bool = False) -> Iterator[Extent]:
        """Where the rows of samples `start` to `stop` lie, in order, each in its own file."""
        for part, low, high in self.parts_between(start, stop):
            yield from part.segment.extents(low, high, sort=sort)

    def timestamped(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """For each block the number of its samples among `start` to `stop`, and of its samples before them."""
        for part, low, high in self.parts_between(start, stop):
            yield from part.segment.timestamped(low, high)

    def timed_parts(self, start: int, stop: int) -> Iterator[TimedParts]:
        """Samples `start` to `stop` in parts, and how regular their timestamps are as far as that is known."""
        for part, low, high in self.parts_between(start, stop):
            yield from (parts.shifted(part.first, part.offset) for parts in part.segment.timed_parts(low, high))

    def ticks_of(self, samples: NDArray[np.int64], *, sort: bool = False) -> NDArray[np.int64]:
        """Timestamps of these samples, as `ticks` gives them."""
        ticks = np.empty(samples.shape, np.int64)
        number = np.searchsorted(self._firsts, samples, "right") - 1
        for k in np.unique(number).tolist():
            part, inside = self._parts[k], number == k
            ticks[inside] = part.segment.ticks_of(samples[inside] - part.first, sort=sort) + part.offset
        return ticks

    def within(self, start_tick: int | None, stop_tick: int | None, *, sort: bool = False) -> list[tuple[int, int]]:
        """First and last sample of each part of the segment that is in a range of ticks."""
        return join_ranges(
            (part.first + a, part.first + b)
            for part in self._parts
            for a, b in part.segment.within(*part.own_range(start_tick, stop_tick), sort=sort)
        )

    def parts_between(self, start: int, stop: int) -> Iterator[tuple[FilePart, int, int]]:
        """The parts that samples `start` to `stop` are in, and where they begin and end in each."""
        number = max(0, bisect_right(self._firsts, start) - 1)
        for part in self._parts[number:]:
            low, high = max(start - part.first, 0), min(stop - part.first, part.segment.n_samples)
            if low < high:
                yield part, low, high


class SuccessiveCheck:
    """Judges the packets of each file while they stream by, and gives their timestamps on the clock of the first."""

    def __init__(self, checks: Mapping[Source, tuple[Any, int]]) -> None:
        self._checks = checks  # and what is added to the ticks of each file

    @property
    def is_presumed(self) -> bool:
        """Whether rows were planned by what probing lets presume of any file."""
        return any(check.is_presumed for check, _ in self._checks.values())

    @property
    def are_as_planned(self) -> bool:
        """Whether the last packets are as close to what is presumed as a plan of rows takes them to be."""
        return all(check.are_as_planned for check, _ in self._checks.values())

    def add_packets(self, packets: NDArray[np.uint8], n_packets: int, source: Source, first: int) -> NDArray[np.int64]:
        """Take packets `first` and on of a file, as `TimestampCheck` does, and give their timestamps."""
        check, offset = self._checks[source]
        ticks: NDArray[np.int64] = check.add_packets(packets, n_packets, source, first) + offset
        return ticks

    def add_filled(self, rows: FilledRows) -> None:
        """Filled rows have no packets."""

    def finish(self) -> int:
        """Judge the last packets; returns the number of samples that are out of order."""
        return sum(int(check.finish()) for check, _ in self._checks.values())


class SuccessiveFiles(JoinedFiles):
    """Successive files of one recording as one long one, on the ticks of the first; `concatenate` makes one.

    Segments go on from one file to the next where the clock ran on and no sample is missing between them. Wherever
    the time between two files is known only by their dates, a gap is between them, whatever its length.

    Attributes
    ----------
    files : tuple of NsxFile
        The files, in order of time.
    names : tuple of str
        Their names, with as many of their folders as tell them apart.
    placements : tuple of Placement
        What is added to the ticks of each, and how that is known.
    """

    def __init__(self, files: Sequence[NsxFile], placements: Sequence[Placement]) -> None:
        super().__init__(files)
        first, self.placements = files[0], tuple(placements)
        self.n_channels = first.n_channels
        self._source, self._headers, self._version = first._source, first._headers, first._version  # for a cut

    def __reduce__(self) -> tuple[Any, ...]:
        return SuccessiveFiles, (self.files, self.placements)

    def __repr__(self) -> str:
        return f"SuccessiveFiles({', '.join(self.names)}: {self.n_channels} channels, {self.n_samples} samples)"

    @property
    def has_sample_timestamps(self) -> bool:
        """Whether every sample has a timestamp of its own in its file."""
        return self.files[0].has_sample_timestamps

    def timestamp_check(self) -> SuccessiveCheck | None:
        """A check of timestamps while the samples stream by; None where samples have no timestamps of their own."""
        if not self.has_sample_timestamps:
            return None
        placed = zip(self.files, self.placements, strict=True)
        return SuccessiveCheck({file.sources[0]: (file.timestamp_check(), place.offset) for file, place in placed})

    @cached_property
    def _parts(self) -> list[list[FilePart]]:
        """The parts of each segment."""
        segments: list[list[FilePart]] = []
        for number, (file, placement) in enumerate(zip(self.files, self.placements, strict=True)):
            for segment in file.segments:
                part = FilePart(0, segment, placement.offset, number)
                goes_on = segments and segment.index == 0 and placement.is_exact
                if goes_on and self._adjoins(segments[-1][-1], part):
                    last = segments[-1][-1]
                    segments[-1].append(part._replace(first=last.first + last.segment.n_samples))
                else:
                    segments.append([part])
        return segments

    def _adjoins(self, before: FilePart, now: FilePart) -> bool:
        tick, n_samples = before.segment.last_timestamp
        gap = self.clock.scaled_gap(tick + before.offset, n_samples, now.segment.start_tick + now.offset)
        return not self.clock.is_break(gap)

    @cached_property
    def segments(self) -> tuple[SuccessiveSegment, ...]:
        """Samples without a break in time, in order of time."""
        return tuple(SuccessiveSegment(number, parts) for number, parts in enumerate(self._parts))

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What each column is."""
        return self.files[0].channels

    @property
    def electrode_ids(self) -> NDArray[np.int64]:
        """Electrode id of each column, int64 ``(n_channels,)``."""
        return self.files[0].electrode_ids

    def columns(self, *choice: Any, **named: Any) -> NDArray[np.intp]:
        """Columns that a selection names; see `NsxFile.columns`."""
        return self.files[0].columns(*choice, **named)

    def datetime(self, tick: SupportsInt) -> datetime | None:
        """When a tick was, UTC; None without a date."""
        return self.time_base.datetime(tick)

    def fully_scanned(self) -> SuccessiveFiles:
        """The same files, with every break in time found by reading every timestamp, and not by probing."""
        return SuccessiveFiles([file.fully_scanned() for file in self.files], self.placements)

    def presumed_regular(self) -> SuccessiveFiles:
        """The same files for an export that sorts, as `NsxFile.presumed_regular`."""
        return SuccessiveFiles([file.presumed_regular() for file in self.files], self.placements)

    @property
    def zero_tick(self) -> int:
        """The tick that seconds count from: of the first sample."""
        return self.files[0].zero_tick

    def locate(self, ticks: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The samples that times fall in.

        Parameters
        ----------
        ticks : array_like of int
            ``(n,)``, on the ticks of the first file.

        Returns
        -------
        segment, sample : numpy.ndarray
            intp and int64, ``(n,)``: the sample whose period holds the time; -1 where nothing was recorded.
        """
        wanted = tick_values(ticks)
        placed = zip(self.files, self.placements, strict=True)
        starts = [ticks_recorded(file.segments)[0] + place.offset for file, place in placed]
        of_file = np.searchsorted(starts, wanted, "right") - 1
        segment, sample = np.full(wanted.shape, -1, np.intp), np.full(wanted.shape, -1, np.int64)
        for number in np.unique(of_file[of_file >= 0]).tolist():
            inside = of_file == number
            own = wanted[inside] - self.placements[number].offset
            segment[inside], sample[inside] = self.joined_samples(number, *self.files[number].locate(own))
        return segment, sample

    def joined_samples(
        self, file: int, segment: NDArray[np.intp], sample: NDArray[np.int64]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Segments and samples of one file as those of all files; -1 stays -1."""
        places = [
            (number, part.first) for number, parts in enumerate(self._parts) for part in parts if part.file == file
        ]
        numbers, firsts = (np.array(column, np.int64) for column in zip(*places, strict=True))
        found = segment >= 0
        return np.where(found, numbers[segment], -1), np.where(found, sample + firsts[segment], -1)

    def describe_inputs(
        self,
        rows: Sequence[PlanRow],
        columns: NDArray[np.intp],  # noqa: ARG002 - every file has the same
        changes: Sequence[Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Each file, its rows, and how its ticks became those of the first."""
        of_file: list[list[SampleRange]] = [[] for _ in self.files]
        for planned in rows:
            if isinstance(planned, SampleRows):
                row = planned.row
                for part, low, high in self.parts_of(planned):
                    of_file[part.file].append((row, row + high - low))
                    row += high - low
        return {
            "files": [
                {
                    "name": name,
                    "path": file.path,
                    "size_bytes": file.size_bytes,
                    "rows": [list(ends) for ends in join_ranges(ranges)],
                    "offset_ticks": placement.offset,
                    "clock": placement.note,
                }
                for name, file, placement, ranges in zip(self.names, self.files, self.placements, of_file, strict=True)
            ]
        }

    def parts_of(self, samples: SampleRows) -> Iterator[tuple[FilePart, int, int]]:
        """The parts of files that samples are in, and where they begin and end in each."""
        return self.segments[samples.segment].parts_between(samples.start, samples.start + samples.n_rows)

    def spans_by_file(self, rows: Sequence[SampleRows]) -> Iterator[tuple[NsxFile, list[SampleRows], int]]:
        """Samples of all files as those of each, file by file, and what is added to the ticks of each."""
        parts = [
            (part.file, SampleRows(0, high - low, part.segment.index, low))
            for samples in rows
            for part, low, high in self.parts_of(samples)
        ]
        for number, of_file in groupby(parts, itemgetter(0)):
            yield self.files[number], [samples for _, samples in of_file], self.placements[number].offset
