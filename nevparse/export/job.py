# SPDX-License-Identifier: MIT
"""Carries out a planned export: refuses what must not be overwritten, streams the rows, describes the result."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..errors import ExportError
from ..format.text import duration_text, json_text, size_text
from ..nsx.file import NsxFile
from ..nsx.packets import TimestampCheck
from ..recording.instruments import CombinedInstruments, Continuous, InstrumentTrack
from ..traces import plan
from ..traces.extents import Extent
from ..traces.packing import BUFFER_BYTES, Batch, Buffer, ColumnPacker, FillRows, RowReader, side_by_side
from ..traces.plan import Corrections, FilledRows, PlanRow
from ..traces.plan import PlanRow as PlannedRows
from . import sidecar
from .inputs import reader_of
from .output.files import PART, OutputFiles, _refuse_space, _refuse_target, folder_of, whole_or_absent
from .output.stream import stream, write_all

_TICK_BYTES = 8
_TICKS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class BinFile:
    """One ``.bin`` that was written.

    Parameters
    ----------
    path, sidecar_path : str
        The file, and the ``.json`` that describes it.
    n_samples, n_channels : int
        Rows and columns; sample by sample, all channels of the first sample first.
    dtype : str
        Of one sample, as numpy writes it (``<i2``).
    sampling_rate : float
        Hz.
    electrode_ids : tuple of int
        Of each column.
    rows : tuple of Span and Fill
        Which rows are which samples of which segment, and which were filled.
    """

    path: str
    sidecar_path: str
    n_samples: int
    n_channels: int
    dtype: str
    sampling_rate: float
    electrode_ids: tuple[int, ...]
    rows: tuple[PlanRow, ...]

    @property
    def size_bytes(self) -> int:
        """Of the ``.bin``."""
        return self.n_samples * self.n_channels * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.n_samples} samples x {self.n_channels} channels of {np.dtype(self.dtype).name}, "
            f"little-endian, sample by sample (row = sample, column = channel); {self.sampling_rate:g} Hz, "
            f"{duration_text(self.n_samples / self.sampling_rate)}, {size_text(self.size_bytes)}"
        )


def check_targets(inputs: Sequence[str], stamped: bool, path: str, files: Sequence[BinFile], overwrite: bool) -> None:
    """Raise where a file is in the way, the input would be overwritten, or the disk is too small."""
    for file in files:
        if os.path.normcase(file.path) in map(os.path.normcase, sidecar.names(file.path)):
            raise ExportError(f"{file.path}: this name is a sidecar's; choose one that ends in .bin")
    targets, n_bytes = targets_of(files, stamped)
    for target in targets:
        _refuse_target(inputs, target, overwrite)
    _refuse_space(path, folder_of(path), n_bytes)


def bin_outputs(path: str, overwrite: bool, n_bytes: int, inputs: Sequence[str]) -> AbstractContextManager[OutputFiles]:
    """Everything that an export to a ``.bin`` may write; the sidecar is named last, so its part is the one to lock."""
    companions = sidecar.names(path)
    stem, kind = os.path.splitext(os.path.basename(path))
    kinds = "|".join(map(re.escape, (kind, *(os.path.splitext(name)[1] for name in companions))))
    more = {"names": rf"{re.escape(stem)}(-\d+)?({kinds})", "lock": companions[0] + PART}
    return whole_or_absent(path, overwrite=overwrite, n_bytes=n_bytes, inputs=inputs, **more)


def targets_of(files: Sequence[BinFile], stamped: bool) -> tuple[list[str], int]:
    """Everything that is written for some files, and how many bytes that is without the sidecars."""
    targets = [target for file in files for target in (file.path, *sidecar.names(file.path)[: 1 + stamped])]
    return targets, sum(file.size_bytes + _TICK_BYTES * file.n_samples * stamped for file in files)


class ExportJob(ABC):
    """The streaming of planned files."""

    known_ahead = True  # how many rows there will be

    def __init__(
        self,
        ns: Continuous,
        columns: NDArray[np.intp],
        fill: bytes | None,
        sort: bool,
        progress: Callable[[int, int], None] | None,
        n_rows: int,
    ) -> None:
        self._ns, self._columns, self._fill, self._sort = ns, columns, fill, sort
        self._progress, self.n_rows = progress, n_rows
        self._done = self.n_out_of_order = 0
        self.corrections, self.n_holes = Corrections(), 0

    def write(self, file: BinFile, outputs: OutputFiles, policy: dict[str, Any]) -> BinFile:
        """Write one file and what goes with it."""
        with ExitStack() as stack:
            log = None
            watcher = self._ns.timestamp_check()
            if watcher is not None:
                ticks_path = sidecar.names(file.path)[1]
                ticks = stack.enter_context(outputs.create(ticks_path, self._ahead(_TICK_BYTES * file.n_samples)))
                log = TimestampWriter(watcher, ticks, self._ns.clock)
            target = stack.enter_context(outputs.create(file.path, self._ahead(file.size_bytes)))
            for n_rows in stream(self._batches(file.rows, log), target):
                self._done += n_rows
                if self._progress is not None:
                    self._progress(self._done, self.n_rows)
        file = self._as_written(file)
        out_of_order = log.timestamp_check.finish() if log else 0
        self.n_out_of_order += out_of_order
        facts = sidecar.describe(self._ns, file.path, file.rows, self._columns, self._sort, policy)
        facts |= {"sorted": self._sort, "out_of_order_samples": out_of_order, **self._more_facts()}
        with outputs.create(file.sidecar_path) as described:
            write_all(described, json_text(facts, 1).encode())
        return file

    def _ahead(self, n_bytes: int) -> int | None:
        return n_bytes if self.known_ahead else None

    def _as_written(self, file: BinFile) -> BinFile:
        return file

    @abstractmethod
    def _batches(self, rows: Sequence[PlanRow], log: TimestampWriter | None) -> Iterator[Batch]:
        """Packed rows, as planned."""

    def _more_facts(self) -> dict[str, Any]:
        return {}


class FileJob(ExportJob):
    """The streaming of one recording's file."""

    def __init__(self, ns: NsxFile, *more: Any) -> None:
        super().__init__(ns, *more)
        self._file, self._packer = ns, ColumnPacker(self._columns, ns.n_channels, ns.dtype)

    def _batches(self, rows: Sequence[PlanRow], log: TimestampWriter | None) -> Iterator[Batch]:
        return RowReader(reader_of(self._file), self._packer, self._fill, log).batches(self._items(rows, log))

    def _items(self, rows: Sequence[PlanRow], log: TimestampWriter | None) -> Iterator[Extent | FillRows]:  # noqa: ARG002 - needs none
        for item in rows:
            if isinstance(item, FilledRows):
                yield FillRows(item.n_rows, item.tick)
            else:
                segment, stop = self._ns.segments[item.segment], item.start + item.n_rows
                yield from segment.extents(item.start, stop, sort=self._sort)


class TimestampWriter:
    """Writes the timestamp of every row, and has every packet judged."""

    def __init__(self, watcher: TimestampCheck, file: FileIO, clock: Clock) -> None:
        self.timestamp_check, self._file, self._clock = watcher, file, clock

    def packets(self, read: Buffer, n_packets: int, first: int) -> None:
        """Packets `first` and on, as they stand in the file."""
        self.timestamp_check.add(read, n_packets, first)
        write_all(self._file, self.timestamp_check.headers(read, n_packets)["tick"].tobytes())

    def filled(self, rows: FillRows) -> None:
        """Rows that were filled: the times they stand for."""
        for a in range(0, rows.n_rows, _TICKS_AT_ONCE):
            write_all(self._file, self._clock.ticks(rows.tick, a, min(a + _TICKS_AT_ONCE, rows.n_rows)).tobytes())


def bin_file(ns: Continuous, path: str, columns: NDArray[np.intp], rows: Sequence[PlanRow]) -> BinFile:
    """One file of a plan."""
    return BinFile(
        path=path,
        sidecar_path=sidecar.names(path)[0],
        n_samples=plan.count_rows(rows),
        n_channels=int(columns.size),
        dtype=ns.dtype.str,
        sampling_rate=ns.sampling_rate,
        electrode_ids=tuple(ns.channels[column].electrode_id for column in columns),
        rows=tuple(rows),
    )


class InstrumentsJob(ExportJob):
    """The streaming of several instruments side by side."""

    def __init__(self, ns: CombinedInstruments, columns: NDArray[np.intp], fill: bytes | None, *more: Any) -> None:
        super().__init__(ns, columns, fill, *more)
        self._wide, self.n_holes = ns, sum(ns.n_holes())
        self.corrections = Corrections(
            sum(track.n_dropped for track in ns.tracks), sum(track.n_repeated for track in ns.tracks)
        )

    def _batches(self, rows: Sequence[PlannedRows], log: TimestampWriter | None) -> Iterator[Batch]:  # noqa: ARG002 - a grid has none
        most_rows = max(1, BUFFER_BYTES // (self._wide.n_channels * self._wide.dtype.itemsize))
        several, begin = [], 0
        for track, columns in zip(self._wide.tracks, self._wide.split(self._columns), strict=True):
            packer = ColumnPacker(columns, track.file.n_channels, self._wide.dtype)
            fill = self._fill and self._fill[begin : begin + packer.row_bytes]
            pump = RowReader(reader_of(track.file), packer, fill, most_rows=most_rows)
            several.append(pump.batches(self._track_items(track, rows)))
            begin += packer.row_bytes
        return side_by_side(several)

    def _track_items(self, track: InstrumentTrack, rows: Sequence[PlannedRows]) -> Iterator[Extent | FillRows]:
        for item in rows:
            if isinstance(item, FilledRows):
                yield FillRows(item.n_rows, item.tick)
            else:
                first = self._wide.segments[item.segment].first_row + item.start
                yield from track.items(first, first + item.n_rows)

    def _more_facts(self) -> dict[str, Any]:
        edges = np.cumsum([0, *(columns.size for columns in self._wide.split(self._columns))]).tolist()
        return {
            "instruments": [
                {"name": os.path.basename(track.file.path), "first_column": begin, "stop_column": end,
                 "filled_rows": holes, "dropped_samples": track.n_dropped, "repeated_samples": track.n_repeated}
                for track, (begin, end), holes in zip(
                    self._wide.tracks, pairwise(edges), self._wide.n_holes(), strict=True
                )
            ]
        }  # fmt: skip
