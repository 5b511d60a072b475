# SPDX-License-Identifier: MIT
"""Writes the ``.bin`` files of an export: streams the planned rows, their timestamps, and the sidecar."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from io import FileIO

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..errors import ExportError
from ..format.text import duration_text, json_text, size_text
from ..nsx.file import NsxFile
from ..nsx.packets import TimestampCheck
from ..recording.instruments import CombinedInstruments, Continuous
from ..source.base import Source
from ..traces.extents import Extent
from ..traces.packing import BUFFER_BYTES, FLUSH, Batch, Buffer, ColumnPacker, RowReader, side_by_side
from ..traces.plan import FilledRows, PlanOptions, PlanRow, RowPlan, SampleRows, count_rows, fill_row
from . import sidecar
from .inputs import files_of, readinto_of
from .live import GrowingRows
from .output.files import PART, OutputFiles, complete_or_absent
from .output.stream import stream, write_all

_TICK_BYTES = 8
_COMPANION_ENDINGS = ".json", ".ticks"
_TICKS_AT_ONCE = 1 << 16
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BinFile:
    """One ``.bin`` that was written.

    Parameters
    ----------
    path, sidecar_path : str
        The file, and the ``.bin.json`` that describes it.
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


@contextmanager
def bin_outputs(
    path: str, files: Sequence[BinFile], has_ticks: bool, overwrite: bool, inputs: Sequence[Source]
) -> Iterator[OutputFiles]:
    """The files of an export to a ``.bin``. The sidecar is named last, so its part is the one to lock.

    What describes an older ``.bin`` goes with it: timestamps that the new one has not, and companions by older names.
    """
    stem, kind = os.path.splitext(os.path.basename(path))
    if kind.lower() in _COMPANION_ENDINGS:
        raise ExportError(f"{path}: this name is a sidecar's; choose one that ends in .bin")
    names = [name for file in files for name in (file.path, *sidecar.companions(file.path))]
    older = [name for file in files for name in sidecar.older_companions(file.path)]
    written = {name for name in names if has_ticks or not name.endswith(_COMPANION_ENDINGS[1])}
    endings = "|".join(map(re.escape, _COMPANION_ENDINGS))
    with complete_or_absent(
        path,
        [*names, *older],
        overwrite=overwrite,
        inputs=inputs,
        name_pattern=rf"{re.escape(stem)}(-\d+)?({re.escape(kind)}({endings})?|{endings})",
        lock_path=sidecar.companions(path)[0] + PART,
        n_bytes=sum(file.size_bytes + _TICK_BYTES * file.n_samples * has_ticks for file in files),
    ) as outputs:
        for name in (*names, *older):
            if name not in written:
                outputs.adopt("", name)
        yield outputs


def bin_file(ns: Continuous, path: str, columns: NDArray[np.intp], rows: Sequence[PlanRow]) -> BinFile:
    """The description of a ``.bin`` with these rows."""
    return BinFile(
        path=path,
        sidecar_path=sidecar.companions(path)[0],
        n_samples=count_rows(rows),
        n_channels=int(columns.size),
        dtype=ns.dtype.str,
        sampling_rate=ns.sampling_rate,
        electrode_ids=tuple(ns.channels[column].electrode_id for column in columns),
        rows=tuple(rows),
    )


class TimestampWriter:
    """Writes the timestamp of every row to the ``.ticks``, and checks those of packets."""

    def __init__(self, check: TimestampCheck, file: FileIO, clock: Clock) -> None:
        self.check, self._file, self._clock = check, file, clock

    def add_packets(self, packets: Buffer, n_packets: int, first: int) -> None:
        """Write the timestamps of packets, the first of which is the file's packet `first`."""
        self.check.add(packets, n_packets, first)
        write_all(self._file, self.check.headers(packets, n_packets)["tick"].tobytes())

    def add_filled(self, rows: FilledRows) -> None:
        """Write the times of filled rows."""
        for start in range(0, rows.n_rows, _TICKS_AT_ONCE):
            stop = min(start + _TICKS_AT_ONCE, rows.n_rows)
            write_all(self._file, self._clock.ticks(rows.tick, start, stop).tobytes())


class ExportJob:
    """Writes the files of one export: the rows of a plan, or of a file that is growing."""

    def __init__(
        self,
        ns: Continuous,
        columns: NDArray[np.intp],
        options: PlanOptions,
        plan: RowPlan | GrowingRows,
        progress: Progress | None,
    ) -> None:
        self._ns, self._columns, self._options, self._plan, self._progress = ns, columns, options, plan, progress
        self._growing = plan if isinstance(plan, GrowingRows) else None
        self._n_rows = sum(map(count_rows, plan.files.values()))
        self._n_done = self.n_out_of_order = 0
        chosen = ns.split(columns) if isinstance(ns, CombinedInstruments) else [columns]
        self._inputs = [
            (file, ColumnPacker(own, file.n_channels, file.dtype), fill_row(options.fill, own.size, file.dtype))
            for file, own in zip(files_of(ns), chosen, strict=True)
        ]

    def write(self, file: BinFile, outputs: OutputFiles) -> BinFile:
        """Write one file, its timestamps if it has any, and its sidecar."""
        check, ticks = self._ns.timestamp_check(), None
        is_planned = self._growing is None
        with ExitStack() as stack:
            if check is not None:
                n_bytes = _TICK_BYTES * file.n_samples if is_planned else None
                ticks_file = stack.enter_context(outputs.create(sidecar.companions(file.path)[1], n_bytes))
                ticks = TimestampWriter(check, ticks_file, self._ns.clock)
            target = stack.enter_context(outputs.create(file.path, file.size_bytes if is_planned else None))
            for n_rows in stack.enter_context(closing(stream(self._batches(file.rows, ticks), target))):
                self._n_done += n_rows
                if self._growing is not None:
                    self._n_rows = count_rows(self._growing.files[""])
                if self._progress is not None:
                    self._progress(self._n_done, self._n_rows)
        if self._growing is not None:
            rows = self._growing.files[""]
            file = replace(file, rows=tuple(rows), n_samples=count_rows(rows))
        n_out_of_order = check.finish() if check else 0
        self.n_out_of_order += n_out_of_order
        contents = sidecar.describe(
            self._ns, file.path, file.rows, self._columns, self._options, self._plan, n_out_of_order
        )
        with outputs.create(file.sidecar_path) as described:
            write_all(described, json_text(contents, 1).encode())
        return file

    def _batches(self, rows: Sequence[PlanRow], ticks: TimestampWriter | None) -> Iterator[Batch]:
        ns, max_rows = self._ns, None
        before: list[SampleRows | None] = [None]
        polls: list[Iterable[Iterable[PlanRow]]] = [self._growing or [rows]]
        if isinstance(ns, CombinedInstruments):
            polls = [[ns.rows_of(track, rows)] for track in ns.tracks]
            before = [ns.sample_before(track, rows) for track in ns.tracks]
            max_rows = max(1, BUFFER_BYTES // (ns.n_channels * ns.dtype.itemsize))
        parts = []
        for (file, packer, fill), polled, last in zip(self._inputs, polls, before, strict=True):
            reader = RowReader(readinto_of(file), packer, fill, ticks.add_packets if ticks else None, max_rows)
            if last is not None and fill is None:
                reader.repeat(next(self._extents(file, last)))
            parts.append(reader.batches(self._items(file, polled, ticks)))
        return side_by_side(parts) if isinstance(ns, CombinedInstruments) else parts[0]

    def _extents(self, file: NsxFile, part: SampleRows) -> Iterator[Extent]:
        stop = part.start + part.n_rows
        return file.segments[part.segment].extents(part.start, stop, sort=self._options.sort)

    def _items(
        self, file: NsxFile, polls: Iterable[Iterable[PlanRow]], ticks: TimestampWriter | None
    ) -> Iterator[Extent | FilledRows]:
        """Where rows are in a file. Those of each poll of a growing file are written before the next poll."""
        for polled in polls:
            if ticks is not None:
                ticks.check.use_breaks_of(file.timestamp_check())
            for part in polled:
                if isinstance(part, SampleRows):
                    yield from self._extents(file, part)
                    continue
                if ticks is not None:
                    ticks.add_filled(part)
                yield part
            yield FLUSH
