# SPDX-License-Identifier: MIT
"""Writes the ``.bin`` files of an export: streams the planned rows, their timestamps, and the sidecar."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import FileIO

import numpy as np

from ..errors import ExportError, Progress
from ..format.text import counted, duration_text, json_text, size_text
from ..nsx.packets import FullScanNeeded, TimestampCheck
from ..source.base import Source
from ..traces.packing import Buffer
from ..traces.plan import FilledRows, PlanRow, TimeGridCheck
from ..traces.traces import Traces
from . import sidecar
from .live import GrowingRows
from .output.files import PART, OutputFiles, check_name, complete_or_absent
from .output.stream import stream, write_all

# Of files that begin with a header, for which a program would take a .bin of this name
_ENDINGS_WITH_HEADER = {".npy", ".npz", ".mat", ".csv", ".txt", ".h5", ".hdf5", ".nwb", ".edf", ".bdf", ".zip", ".html"}
_TICKS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class BinFile:
    """One ``.bin`` that was written.

    Parameters
    ----------
    path : str
        The file.
    n_samples, n_channels : int
        Rows and columns; sample by sample, all channels of the first sample first.
    dtype : str
        Of one sample, as numpy writes it (``<i2``).
    sampling_rate : float
        Hz.
    electrode_ids : tuple of int
        Of each column.
    rows : tuple of SampleRows and FilledRows
        Which rows are which samples of which segment, and which were filled.
    """

    path: str
    n_samples: int
    n_channels: int
    dtype: str
    sampling_rate: float
    electrode_ids: tuple[int, ...]
    rows: tuple[PlanRow, ...]

    @property
    def sidecar_path(self) -> str:
        """The ``.bin.json`` that describes it."""
        return sidecar.companions(self.path)[0]

    @property
    def size_bytes(self) -> int:
        """Of the ``.bin``."""
        return self.n_samples * self.n_channels * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        shape = f"{self.n_samples} samples x {counted(self.n_channels, 'channel')}"
        return (
            f"{self.path}: {shape} of {np.dtype(self.dtype).name}, little-endian, sample by sample "
            f"(row = sample, column = channel); {self.sampling_rate:g} Hz, "
            f"{duration_text(self.n_samples / self.sampling_rate)}, {size_text(self.size_bytes)}"
        )


@contextmanager
def bin_outputs(
    path: str, files: Sequence[BinFile], has_ticks: bool, overwrite: bool, inputs: Sequence[Source]
) -> Iterator[OutputFiles]:
    """The files of an export to a ``.bin``. The sidecar is named last, so its part is the one to lock.

    What describes an older ``.bin`` goes with it: timestamps that the new one has not, and companions by older names.
    """
    check_name(path)  # before a companion is looked at, which may be a device of Windows
    kind = os.path.splitext(path)[1]
    if kind.lower() in sidecar.COMPANION_ENDINGS:
        raise ExportError(f"{path}: this name is a sidecar's; choose one that ends in .bin")
    if kind.lower() in _ENDINGS_WITH_HEADER:
        why = f"samples alone, without a header, are no {kind} file"
        raise ExportError(f"{path}: {why}; choose a name that ends in .bin")
    written = [name for file in files for name in (file.path, file.sidecar_path)]
    ticks = [sidecar.companions(file.path)[1] for file in files]
    older = [name for file in files for name in sidecar.older_companions(file.path)]
    with complete_or_absent(
        path,
        [*written, *ticks, *older],
        overwrite=overwrite,
        inputs=inputs,
        name_pattern=sidecar.name_pattern(os.path.basename(path)),
        lock_path=sidecar.companions(path)[0] + PART,
        n_bytes=sum(file.size_bytes + sidecar.TICK.itemsize * file.n_samples * has_ticks for file in files),
    ) as outputs:
        for name in [*older, *([] if has_ticks else ticks)]:
            outputs.adopt("", name)
        yield outputs


def bin_file(x: Traces, path: str) -> BinFile:
    """The description of a ``.bin`` of traces."""
    return BinFile(
        path=path,
        n_samples=x.shape[0],
        n_channels=x.shape[1],
        dtype=x.dtype.str,
        sampling_rate=x.sampling_rate,
        electrode_ids=tuple(channel.electrode_id for channel in x.channels),
        rows=tuple(x.planned_rows),
    )


class TimestampWriter:
    """Writes the timestamp of every row of traces to the ``.ticks``, and checks those of packets."""

    def __init__(self, check: TimestampCheck, file: FileIO, x: Traces) -> None:
        self.check, self._file, self._clock, self._row = check, file, x.recording.clock, 0
        has_grid = check.is_presumed and x.options.resample is not None
        has_one_grid = x.options.gaps == "fill"
        self._grid_check = TimeGridCheck(x.planned_rows, self._clock, has_one_grid) if has_grid else None

    def add_packets(self, packets: Buffer, n_packets: int, source: Source, first: int) -> None:
        """Write the timestamps of packets, the first of which is packet `first` of a file.

        Raises FullScanNeeded where a timestamp is not what the rows were planned by.
        """
        ticks = self.check.add_packets(packets, n_packets, source, first)
        if self._grid_check is not None:
            self._grid_check.begin(self._row, int(ticks[0]))
            if not (self.check.are_as_planned or self._grid_check.holds_for(self._row, ticks)):
                raise FullScanNeeded
        self._row += n_packets
        write_all(self._file, ticks.view(np.uint8).data)

    def add_filled(self, rows: FilledRows) -> None:
        """Write the times of filled rows."""
        self._row += rows.n_rows
        for start in range(0, rows.n_rows, _TICKS_AT_ONCE):
            stop = min(start + _TICKS_AT_ONCE, rows.n_rows)
            write_all(self._file, self._clock.ticks(rows.tick, start, stop).tobytes())


class ExportJob:
    """Writes the files of one export: traces, or a file that is growing."""

    def __init__(self, exported: Sequence[Traces | GrowingRows], progress: Progress | None) -> None:
        self._exported, self._progress = exported, progress
        self._n_done = self.n_out_of_order = 0

    def write(self, x: Traces | GrowingRows, path: str, outputs: OutputFiles) -> BinFile:
        """Write one file, its timestamps if it has any, and its sidecar."""
        is_planned, before, observer = isinstance(x, Traces), x.traces, None
        with ExitStack() as stack:
            check = before.recording.timestamp_check()
            if check is not None:
                n_bytes = sidecar.TICK.itemsize * before.shape[0] if is_planned else None
                ticks_file = stack.enter_context(outputs.create(sidecar.companions(path)[1], n_bytes))
                observer = TimestampWriter(check, ticks_file, before)
            target = stack.enter_context(outputs.create(path, before.nbytes if is_planned else None))
            stream(x.batches(observer), target, self._show)
        n_out_of_order = check.finish() if check else 0
        self.n_out_of_order += n_out_of_order
        file = bin_file(x.traces, path)
        with outputs.create(file.sidecar_path) as described:
            write_all(described, json_text(sidecar.describe(x.traces, path, n_out_of_order), 1).encode())
        return file

    def _show(self, n_rows: int) -> None:
        self._n_done += n_rows
        if self._progress is not None:
            self._progress(self._n_done, sum(x.traces.shape[0] for x in self._exported))
