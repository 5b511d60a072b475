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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import sidecar
from ._clock import Clock
from ._index import Piece
from ._inputs import reading
from ._output_files import PART, OutputFiles, folder_of, free_bytes, whole_or_absent
from ._plan import Corrections, Fill, Rows
from ._pump import Batch, Buffer, FillRows, Packer, Pump
from ._stamps import Watcher
from ._stream import stream, write_all
from ._surface import OneFile, Readable
from ._units import json_text, size_text, span_text
from .errors import ExportError

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
    rows: tuple[Rows, ...]

    @property
    def size_bytes(self) -> int:
        """Of the ``.bin``."""
        return self.n_samples * self.n_channels * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.n_samples} samples x {self.n_channels} channels of {np.dtype(self.dtype).name}, "
            f"little-endian, sample by sample (row = sample, column = channel); {self.sampling_rate:g} Hz, "
            f"{span_text(self.n_samples / self.sampling_rate)}, {size_text(self.size_bytes)}"
        )


def refuse_targets(inputs: Sequence[str], stamped: bool, path: str, files: Sequence[BinFile], overwrite: bool) -> None:
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


def refuse_file(inputs: Sequence[str], path: str, n_bytes: int, overwrite: bool) -> None:
    """Raise where one file of so many bytes cannot be written beside its inputs."""
    folder = folder_of(path)
    _refuse_target(inputs, path, overwrite)
    _refuse_space(path, folder, n_bytes)


def _refuse_space(path: str, folder: str, need: int) -> None:
    free = free_bytes(folder)
    if free < need:
        raise ExportError(f"{path}: {size_text(need)} are needed in {folder}, {size_text(free)} are free")


def _refuse_target(inputs: Sequence[str], target: str, overwrite: bool) -> None:
    if os.path.exists(target) and any(os.path.samefile(target, source) for source in inputs):
        raise ExportError(f"{target} is the recording itself; choose another name")
    if os.path.isdir(target):
        raise ExportError(f"{target} is a folder; give the name of a file in it")
    if os.path.exists(target) and not os.path.isfile(target):
        raise ExportError(f"{target} is not a regular file, and would be replaced by one")
    if os.path.lexists(target) and not overwrite:
        raise ExportError(f"{target} exists; choose another name, or overwrite=True (--overwrite) to replace it")


class Job(ABC):
    """The streaming of planned files."""

    known_ahead = True  # how many rows there will be

    def __init__(
        self,
        ns: Readable,
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
            watcher = self._ns.watcher()
            if watcher is not None:
                ticks_path = sidecar.names(file.path)[1]
                ticks = stack.enter_context(outputs.create(ticks_path, self._ahead(_TICK_BYTES * file.n_samples)))
                log = TickLog(watcher, ticks, self._ns.clock)
            target = stack.enter_context(outputs.create(file.path, self._ahead(file.size_bytes)))
            for n_rows in stream(self._batches(file.rows, log), target):
                self._done += n_rows
                if self._progress is not None:
                    self._progress(self._done, self.n_rows)
        file = self._as_written(file)
        out_of_order = log.watcher.finish() if log else 0
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
    def _batches(self, rows: Sequence[Rows], log: TickLog | None) -> Iterator[Batch]:
        """Packed rows, as planned."""

    def _more_facts(self) -> dict[str, Any]:
        return {}


class FileJob(Job):
    """The streaming of one recording's file."""

    def __init__(self, ns: OneFile, *more: Any) -> None:
        super().__init__(ns, *more)
        self._file, self._packer = ns, Packer(self._columns, ns.n_channels, ns.dtype)

    def _batches(self, rows: Sequence[Rows], log: TickLog | None) -> Iterator[Batch]:
        return Pump(reading(self._file), self._packer, self._fill, log).batches(self._items(rows, log))

    def _items(self, rows: Sequence[Rows], log: TickLog | None) -> Iterator[Piece | FillRows]:  # noqa: ARG002 - needs none
        for item in rows:
            if isinstance(item, Fill):
                yield FillRows(item.n_rows, item.tick)
            else:
                segment, stop = self._ns.segments[item.segment], item.start + item.n_rows
                yield from segment.pieces(item.start, stop, sort=self._sort)


class TickLog:
    """Writes the timestamp of every row, and has every packet judged."""

    def __init__(self, watcher: Watcher, file: FileIO, clock: Clock) -> None:
        self.watcher, self._file, self._clock = watcher, file, clock

    def packets(self, read: Buffer, n_packets: int, first: int) -> None:
        """Packets `first` and on, as they stand in the file."""
        self.watcher.feed(read, n_packets, first)
        write_all(self._file, self.watcher.headers(read, n_packets)["tick"].tobytes())

    def filled(self, rows: FillRows) -> None:
        """Rows that were filled: the times they stand for."""
        for a in range(0, rows.n_rows, _TICKS_AT_ONCE):
            write_all(self._file, self._clock.ticks(rows.tick, a, min(a + _TICKS_AT_ONCE, rows.n_rows)).tobytes())
