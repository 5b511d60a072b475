# SPDX-License-Identifier: MIT
"""Traces: the rows and columns that an export would write, as an array whose samples stay in their files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cached import cached_property
from ..clock import Clock, Gap, TimedFile, requested_ticks, segments_by_epoch
from ..errors import Damage, ExportError, GapError
from ..format.channel import Channel
from ..format.dates import date_text
from ..format.notebook import Lane, summary_html
from ..format.numbers import chunk_length
from ..format.text import counted, counts_text, duration_text, size_text
from ..source.base import HEAD_BYTES, Source
from ..source.reference import FileReference
from .description import describe_traces, ranges_of_rows
from .extents import Columns, Extent, Rows, index_rows, take_rows
from .packing import (
    Batch,
    BatchReader,
    ColumnPacker,
    RowObserver,
    RowReader,
)
from .plan import (
    Changes,
    FilledRows,
    PlanOptions,
    PlanRow,
    SampleRows,
    checked_options,
    count_changes,
    count_rows,
    fill_row,
    number_rows,
    plan_rows,
    rows_between,
    sample_before,
)
from .row_times import RowTimes
from .selection import (
    ColumnSelection,
    TimeSelection,
    TraceSelection,
    as_slice,
    choose_columns,
    part_of,
    some_columns,
    takes,
    to_microvolts,
)

if TYPE_CHECKING:
    from .selection import Unpack

_ContinuousT = TypeVar("_ContinuousT", bound="Continuous")


class PlannedSegment(Protocol):
    """What the rows of traces need to know of a `Segment`: where its samples lie, and when they were recorded."""

    def extents(self, start: int, stop: int, *, sort: bool = False) -> Iterator[Extent]:
        """Where samples lie."""

    def ticks_of(self, samples: NDArray[np.int64], *, sort: bool = False) -> NDArray[Any]:
        """When samples were recorded."""


class PlannedRows:
    """Rows of traces, or of one instrument's columns of them: samples of segments, and filled rows.

    `before` is the sample that fills a gap at the beginning with ``fill="hold"``.
    """

    def __init__(
        self,
        segments: Sequence[PlannedSegment] | Mapping[int, PlannedSegment],
        rows: Sequence[PlanRow],
        n_channels: int,
        before: SampleRows | None = None,
    ) -> None:
        self.segments, self.rows, self.n_channels, self.before = segments, rows, n_channels, before
        self._firsts = [part.row for part in rows]

    def __reduce__(self) -> tuple[Any, ...]:
        samples = [part for part in (*self.rows, self.before) if isinstance(part, SampleRows)]
        segments = {number: self.segments[number] for number in {part.segment for part in samples}}
        return PlannedRows, (segments, self.rows, self.n_channels, self.before)

    def between(self, begin: int, end: int, clock: Clock) -> PlannedRows:
        """Rows `begin` to `end`, numbered from 0."""
        before = sample_before(self.rows, begin) or self.before
        return PlannedRows(
            self.segments, number_rows(rows_between(self.rows, begin, end, clock)), self.n_channels, before
        )

    def extents(self, samples: SampleRows, sort: bool) -> Iterator[Extent]:
        """Where samples lie."""
        segment = self.segments[samples.segment]
        return segment.extents(samples.start, samples.start + samples.n_rows, sort=sort)

    def items(self, sort: bool) -> Iterator[Extent | FilledRows]:
        """Where each row lies, and rows that are filled."""
        for part in self.rows:
            if isinstance(part, SampleRows):
                yield from self.extents(part, sort)
            else:
                yield part

    def header_bytes(self, dtype: np.dtype[Any]) -> int:
        """Of each row in the file: those of a packet's header, or 0 in files of blocks."""
        first = next((part for part in self.rows if isinstance(part, SampleRows)), self.before)
        return next(self.extents(first, sort=False)).row_bytes - self.n_channels * dtype.itemsize if first else 0

    def views(
        self, low: int, high: int, options: PlanOptions, dtype: np.dtype[Any]
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Number of the first row, and a view of all columns, of each extent that rows `low` to `high` lie in."""
        number, checked = bisect_right(self._firsts, low) - 1, None
        while low < high:
            part = self.rows[number]
            n_rows = min(high, part.row + part.n_rows) - low
            if isinstance(part, FilledRows):
                yield low, np.broadcast_to(self._fill(number, options, dtype), (n_rows, self.n_channels))
                low += n_rows
            else:
                for extent in self.extents(
                    SampleRows(low, n_rows, part.segment, part.start + low - part.row), options.sort
                ):
                    if extent.source is not checked:  # touching a map of a file that has shrunk ends the process
                        checked = extent.source
                        checked.check_unchanged()
                    yield low, extent.view(dtype, self.n_channels)
                    low += extent.n_rows
            number += 1

    def _fill(self, number: int, options: PlanOptions, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The row that is repeated where part `number` is filled."""
        raw = fill_row(options.fill, self.n_channels, dtype)
        last = sample_before(self.rows[:number], self.rows[number].row) or self.before
        if raw is None and last is not None:
            row: NDArray[Any] = next(self.extents(last, options.sort)).view(dtype, self.n_channels)[0]
            return row
        return np.zeros(self.n_channels, dtype) if raw is None else np.frombuffer(raw, dtype)


class Continuous(TimedFile, ABC):
    """What traces are made of: an NSx, several instruments side by side, or successive files end to end."""

    path: str
    spec: str
    vendor: str
    dtype: np.dtype[Any]
    clock: Clock
    n_channels: int
    sampling_rate: float
    time_origin: datetime | None
    is_on_time_grid = False  # whether its rows are in order of time, whatever the files have

    def _repr_html_(self) -> str:
        channels = counts_text(Counter(channel.kind for channel in self.channels)) or "none"
        rows = [
            ("format", f"{self.vendor.capitalize()} NSx {self.spec}, {size_text(self.size_bytes)}"),
            ("recorded", date_text(self.time_origin)),
            ("channels", f"{channels}; {self.sampling_rate:g} Hz, {self.dtype.name}"),
            ("length", f"{duration_text(self.clock.seconds(self.n_samples))}, {self.n_samples} samples"),
            ("gaps", counts_text(Counter(gap.kind for gap in self.gaps)) or "none"),
            ("damage", f"{counted(len(self.damage), 'place')} (see .damage)" if self.damage else ""),
            ("", "closed" if self.closed else ""),
        ]
        return summary_html(self._title, rows, self.lanes())

    @property
    def _title(self) -> str:
        """Its name in a notebook."""
        return self.path

    def lanes(self) -> list[Lane]:
        """When there is data, in seconds after `zero_tick`: a bar of time for each epoch of the clock."""
        spans, epochs = self.spans_s, self.epochs
        if len(epochs) == 1:
            return [Lane("data", spans)]
        return [Lane(f"epoch {number}", spans[epoch.start : epoch.stop]) for number, epoch in enumerate(epochs)]

    @property
    def spans_s(self) -> NDArray[np.float64]:
        """Start and stop of each segment in seconds after `zero_tick`, float64 ``(n_segments, 2)``."""
        ticks = [(segment.start_tick, segment.stop_tick) for segment in self.segments]
        return self.seconds(ticks).reshape(-1, 2)

    @property
    @abstractmethod
    def damage(self) -> tuple[Damage, ...]:
        """Everything wrong that was met: byte offset, message, warning category."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether it was closed."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Of all files."""

    @property
    @abstractmethod
    def missing_bytes(self) -> int:
        """Bytes that headers promise and the files lack."""

    @property
    @abstractmethod
    def channels(self) -> tuple[Channel, ...]:
        """What each column is."""

    @property
    @abstractmethod
    def has_sample_timestamps(self) -> bool:
        """Whether every row is a sample with a timestamp of its own."""

    @property
    @abstractmethod
    def sources(self) -> Sequence[Source]:
        """Where the bytes come from, each once."""

    @property
    @abstractmethod
    def segments(self) -> Sequence[Any]:
        """Samples without a break in time."""

    @property
    def n_samples(self) -> int:
        """Samples of each channel, over all segments."""
        return sum(segment.n_samples for segment in self.segments)

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between segments."""
        return tuple(self.gap_between(number, number + 1) for number in range(len(self.segments) - 1))

    def gap_between(self, before: int, after: int) -> Gap:
        """The break in time from the end of segment `before` to the start of the later segment `after`."""
        one, other = self.segments[before], self.segments[after]
        return self.clock.gap(before, one.last_timestamp, one.start_tick, other.start_tick, self.zero_tick)

    @property
    def epochs(self) -> tuple[range, ...]:
        """Segments between one setting of the clock and the next."""
        return segments_by_epoch(self.gaps, len(self.segments))

    @abstractmethod
    def columns(self, *choice: Any, **named: Any) -> NDArray[np.intp]:
        """Columns that a selection names, in its order."""

    @abstractmethod
    def fully_scanned(self: _ContinuousT) -> _ContinuousT:
        """The same, with every break in time found by reading every timestamp, and not by probing."""

    def presumed_regular(self: _ContinuousT) -> _ContinuousT:
        """The same for an export that sorts, which holds every timestamp against what probing lets presume."""
        return self.fully_scanned()

    def arranged_for(self: _ContinuousT, gaps: str) -> _ContinuousT:  # noqa: ARG002 - one instrument has its rows
        """The recording with the rows that a gap policy needs."""
        return self

    def timestamp_check(self) -> Any:
        """A check of timestamps while the samples stream by; None where samples have no timestamps of their own."""
        return None

    def reference(self) -> Any:
        """What it is pickled as within traces: how to open it where it is needed."""
        return self

    def planned(self, rows: Sequence[PlanRow]) -> list[PlannedRows]:
        """The same rows for each instrument, side by side."""
        return [PlannedRows(self.segments, rows, self.n_channels)]

    def changes(
        self,
        rows: Sequence[PlanRow],  # noqa: ARG002 - one instrument needs none
        start_tick: int | None = None,  # noqa: ARG002
        stop_tick: int | None = None,  # noqa: ARG002
        all_rows: Sequence[PlanRow] | None = None,  # noqa: ARG002
    ) -> Sequence[Any]:
        """What was done to the samples of each of several instruments to put them into these rows."""
        return ()

    def check_fill(self, rows: Sequence[PlanRow], max_fill: float) -> None:
        """Raise a GapError where too many rows would be filled for one of several instruments."""

    def describe_inputs(
        self,
        rows: Sequence[PlanRow],  # noqa: ARG002 - one file needs none
        columns: NDArray[np.intp],  # noqa: ARG002
        changes: Sequence[Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """What a sidecar says of each of several files."""
        return {}

    @takes(TraceSelection)
    def traces(self, **selection: Unpack[TraceSelection]) -> Traces:
        """Chosen channels as one array of rows, in order of time, with gaps resolved: what an export would write.

        Nothing is read or copied until a part of the array is used.

        Parameters
        ----------
        channels, electrodes, labels, kind, exclude : optional
            Columns in the order wanted, as in `NsxFile.columns`, of each instrument; by default all.
            ``kind="neural"`` leaves out analog inputs.
        start_tick, stop_tick : int, optional
            Only samples whose timestamps are in this half-open range of the file's clock.
        start_s, stop_s : float, optional
            Instead of ticks: seconds after the recording's first sample.
        gaps : str
            What to do where time is broken. ``error``: refuse. ``join``: segments back to back. ``fill``: rows for
            the missing samples.
        fill : number or "hold"
            What ``gaps="fill"`` puts into them: a raw value, or the last sample before the gap.
        max_fill : float
            Refuse to fill more than this many times the recorded samples.
        resample : str, optional
            ``nominal``: rows at the nominal rate, each the nearest sample by its own timestamp or its block's, where
            clocks drift. Samples are sorted for it.
        sort : bool
            Sort samples that are out of order by time.

        Returns
        -------
        Traces
            ``(n_rows, n_columns)``.

        Raises
        ------
        GapError
            Where the range has a gap that `gaps` does not resolve.
        KeyError, ValueError
            Where a channel, a time or an option does not exist, or no channel is chosen.
        """
        if selection.get("gaps") == "split":
            raise ValueError("expected gaps to be error, join or fill, found 'split': traces are one array")
        return plan_traces(selection, self)[""]


def choose(ns: Continuous, selection: TraceSelection) -> tuple[Continuous, NDArray[np.intp], PlanOptions]:
    """What a selection is of, the columns that it names, and its options for rows, all checked."""
    options = PlanOptions()._replace(**part_of(selection, PlanOptions))
    ns = ns.arranged_for(options.gaps)
    start_tick, stop_tick = requested_ticks(ns, **part_of(selection, TimeSelection))
    options = checked_options(options._replace(start_tick=start_tick, stop_tick=stop_tick), ns.dtype)
    columns = some_columns(ns.columns(**part_of(selection, ColumnSelection)), ns.n_channels, ns.path)
    return ns, columns, options._replace(sort=options.sort or ns.is_on_time_grid)


def plan_traces(selection: TraceSelection, ns: Continuous, *, is_checked: bool = False) -> dict[str, Traces]:
    """The traces of each file that an export would write, keyed by the suffix added to the file's stem.

    Everything is decided here, and refused if it has to be: which samples are in which row and column. Where
    `is_checked`, every timestamp is held against the plan as it is read, so that not all are read before.
    """
    return traces_of(*choose(ns, selection), is_checked=is_checked)


def traces_of(
    ns: Continuous, columns: NDArray[np.intp], options: PlanOptions, *, is_checked: bool = False
) -> dict[str, Traces]:
    """The traces of chosen columns."""
    if options.sort and is_checked:
        with suppress(GapError, ValueError):  # a refusal names what a full scan finds
            return _traces_of(ns.presumed_regular(), columns, options)
    return _traces_of(ns.fully_scanned() if options.sort else ns, columns, options)


def _traces_of(ns: Continuous, columns: NDArray[np.intp], options: PlanOptions) -> dict[str, Traces]:
    for source in ns.sources:
        source.check_unchanged()
    plan = plan_rows(ns, options)
    if options.gaps == "fill":
        ns.check_fill(plan.files[""], options.max_fill)
    all_rows = [part for rows in plan.files.values() for part in rows]
    return {
        suffix: Traces(ns, columns, options, rows, ns.planned(rows), all_rows) for suffix, rows in plan.files.items()
    }


def sum_changes(each: Iterable[Any]) -> Changes:
    """Changes of several parts, or instruments, in all."""
    listed = list(each)
    return Changes(*(sum(getattr(changes, name) for changes in listed) for name in Changes._fields))


class Traces:
    """Rows and columns of a recording as an array: what an export of them would write.

    It is indexed as numpy indexes such an array, in both axes, and with numpy's errors. Rows that lie in one extent of
    the file, with equally spaced columns, are a read-only view of it; others are copied, and nothing else is read.
    Kilosort4 (``file_object``) and `dask.array.from_array` take it as it is. It can be pickled, and threads can share
    it.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    dtype : numpy.dtype
        Of one sample.
    sampling_rate : float
        Hz.
    columns : numpy.ndarray
        Which columns of the recording these are, intp ``(n_columns,)``.
    options : PlanOptions
        How gaps are resolved.
    planned_rows : sequence of SampleRows and FilledRows
        Which rows are which samples of which segment, and which were filled.
    """

    ndim = 2

    def __init__(
        self,
        ns: Continuous,
        columns: NDArray[np.intp],
        options: PlanOptions,
        planned_rows: Sequence[PlanRow],
        planned: Sequence[PlannedRows],
        all_rows: Sequence[PlanRow] | None,
    ) -> None:
        self._origin: Any = ns
        self.columns, self.options, self.planned_rows = columns, options, planned_rows
        self._planned, self._all_rows = planned, all_rows
        self.shape = count_rows(planned_rows), int(columns.size)
        self.dtype, self.sampling_rate = ns.dtype, ns.sampling_rate
        self._every = as_slice(columns)
        self._edges = np.cumsum([0, *(rows.n_channels for rows in planned)]).tolist()

    def __getstate__(self) -> dict[str, Any]:
        _ = self._token
        origin = self._origin if isinstance(self._origin, FileReference) else self._origin.reference()
        return {**{name: value for name, value in vars(self).items() if name != "_times"}, "_origin": origin}

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return self._token

    @cached_property
    def _token(self) -> tuple[Any, ...]:
        """What tells these traces from others; it is pickled with them, so that no file is opened for it."""
        sources = self.recording.sources
        files = [(source.reopen_argument(), source.size, source.peek(HEAD_BYTES, 0)) for source in sources]
        return "Traces", files, tuple(self.planned_rows), self.columns.tolist(), tuple(self.options)

    def __repr__(self) -> str:
        n_rows, n_columns = self.shape
        length = duration_text(n_rows / self.sampling_rate)
        return f"Traces({n_rows} rows x {n_columns} channels of {self.dtype.name}, {self.sampling_rate:g} Hz, {length})"

    def _repr_html_(self) -> str:
        parts = [part for part in self.planned_rows if isinstance(part, SampleRows)]
        n_filled = self.shape[0] - sum(part.n_rows for part in parts)
        rows = [
            ("rows × channels", f"{self.shape[0]} × {self.shape[1]} of {self.dtype.name}, {size_text(self.nbytes)}"),
            ("channels", counts_text(Counter(channel.kind for channel in self.channels))),
            ("length", f"{duration_text(self.shape[0] / self.sampling_rate)} at {self.sampling_rate:g} Hz"),
            ("gaps", f"{self.options.gaps}: {counted(n_filled, 'row')} filled"),
        ]
        spans = [(part.row / self.sampling_rate, (part.row + part.n_rows) / self.sampling_rate) for part in parts]
        return summary_html(f"Traces of {self.recording.path}", rows, [Lane("recorded", spans)])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return index_rows(key, self.shape, self._take)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        wanted, samples = self.dtype if dtype is None else np.dtype(dtype), self[:]
        is_view = not samples.flags.writeable
        if copy is False and (wanted != self.dtype or not is_view):
            why = f"it is {self.dtype.name}" if wanted != self.dtype else "its samples are not in one place of the file"
            raise ValueError(f"{self} cannot be {wanted.name} without a copy: {why}")
        return samples.astype(wanted, copy=bool(copy) and is_view)

    @property
    def traces(self) -> Traces:
        """These."""
        return self

    def of(self, ns: Continuous) -> Traces:
        """The same choice of another state of the recording; ValueError where these are a part of the rows."""
        if not self.is_whole:
            advice = "make the traces of ns.fully_scanned()"
            raise ExportError(f"{ns.path}: its timestamps show a break in time that these rows do not have; {advice}")
        return traces_of(ns, self.columns, self.options)[""]

    @property
    def recording(self) -> Continuous:
        """What the samples are from."""
        origin = self._origin
        recording: Continuous = origin.file if isinstance(origin, FileReference) else origin
        return recording

    @property
    def size(self) -> int:
        """Rows times columns."""
        return self.shape[0] * self.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of all samples, as in a ``.bin`` of them."""
        return self.size * self.dtype.itemsize

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """What each column is; `Channel.index` is the column of the traces."""
        channels = [self.recording.channels[column] for column in self.columns.tolist()]
        return tuple(one if one.index == k else replace(one, index=k) for k, one in enumerate(channels))

    @property
    def gain_to_uv(self) -> NDArray[np.float64]:
        """Microvolts per bit of each column, float64; NaN where the recording does not say."""
        return np.array([channel.uv_per_bit for channel in self.channels], np.float64)

    @cached_property
    def changes(self) -> Changes:
        """Rows filled, and samples dropped and repeated, for all instruments together."""
        return sum_changes([count_changes(self.planned_rows), *self.instruments])

    @cached_property
    def instruments(self) -> Sequence[Any]:
        """Of several instruments, what was done to the samples of each: `InstrumentChanges`."""
        if len(self._planned) == 1:
            return ()
        span = self.options.start_tick, self.options.stop_tick
        if self._all_rows is None:
            first, last = self.row_to_tick([0, self.shape[0] - 1]).tolist()
            span = first, last + 1
        return self.recording.changes(self.planned_rows, *span, self._all_rows)

    def describe(self) -> dict[str, Any]:
        """What the sidecar of a ``.bin`` of these traces says: type, channels, gains, and the time of each row."""
        return describe_traces(self)

    # ---------------------------------------------------------------------------------------------------- samples

    def _take(self, rows: Rows, columns: Columns) -> NDArray[Any]:
        """Rows in ascending order, of columns in any."""
        if len(self._planned) == 1:
            return self._take_of(self._planned[0], rows, self._of_file(columns))
        wanted = self.columns[columns]
        taken = np.empty((len(rows), wanted.size), self.dtype)
        for planned, (first, stop) in zip(self._planned, pairwise(self._edges), strict=True):
            inside = (wanted >= first) & (wanted < stop)
            if inside.any():
                taken[:, inside] = self._take_of(planned, rows, wanted[inside] - first)
        return taken

    def _of_file(self, columns: Columns) -> Columns:
        """Columns of the traces as columns of the file."""
        if isinstance(columns, slice) and columns == slice(None):  # an array would be compared sample by sample
            return self._every
        return as_slice(self.columns[columns])

    def _take_of(self, planned: PlannedRows, rows: Rows, columns: Columns) -> NDArray[Any]:
        def views(low: int, high: int) -> Iterator[tuple[int, NDArray[Any]]]:
            return planned.views(low, high, self.options, self.dtype)

        no_rows = np.empty((0, planned.n_channels), self.dtype)
        return take_rows(rows, columns, no_rows, views, is_spaced=True)

    def chunks(self, n_rows: int = 65536) -> Iterator[tuple[int, NDArray[Any]]]:
        """Go through all rows in order, at most `n_rows` at a time; yields the number of the first, and the rows."""
        n_rows = chunk_length(n_rows, "row")
        for start in range(0, self.shape[0], n_rows):
            yield start, self[start : start + n_rows]

    def to_uv(self, start: int | None = None, stop: int | None = None) -> NDArray[np.float32]:
        """Rows `start` to `stop`, as in a slice, in microvolts, float32; NaN, and a warning, without a known scale."""
        return to_microvolts(self.recording.path, self.channels, [self[start:stop]], np.arange(self.shape[1]))

    def rows(self, start: int | None = None, stop: int | None = None) -> Traces:
        """Rows `start` to `stop`, as in a slice, as traces of their own."""
        a, b, _ = slice(start, stop).indices(self.shape[0])
        ns, b = self.recording, max(a, b)
        rows = number_rows(rows_between(self.planned_rows, a, b, ns.clock))
        planned = [of_one.between(a, b, ns.clock) for of_one in self._planned]
        return Traces(ns, self.columns, self.options, rows, planned, None)

    @takes(ColumnSelection)
    def select(self, **selection: Unpack[ColumnSelection]) -> Traces:
        """Chosen columns, as in `NsxFile.traces`, as traces of their own; `channels` are columns of these traces."""
        columns = self.columns[some_columns(choose_columns(self.channels, **selection), self.shape[1], "these traces")]
        return Traces(self.recording, columns, self.options, self.planned_rows, self._planned, self._all_rows)

    @property
    def is_whole(self) -> bool:
        """Whether these are all rows of a selection, and not some of other traces."""
        return self._all_rows is not None

    def extents(self) -> Iterator[Extent]:
        """Where the rows lie in their files, those of one instrument after the other; filled rows lie nowhere."""
        for planned in self._planned:
            yield from (item for item in planned.items(self.options.sort) if isinstance(item, Extent))

    def batches(self, observer: RowObserver | None = None) -> Iterator[Batch]:
        """All rows, two megabytes of their files at a time, read by position and never through a map."""
        if not self.shape[0]:
            raise ValueError("expected at least one row to write, found none")
        if (np.diff(np.searchsorted(self._edges, self.columns, "right")) < 0).any():
            raise ValueError("expected, to write them, columns in the order of the instruments; found others between")
        readers, items = [], []
        for planned, (first, stop) in zip(self._planned, pairwise(self._edges), strict=True):
            own = self.columns[(self.columns >= first) & (self.columns < stop)] - first
            if own.size == 0:
                continue
            fill = fill_row(self.options.fill, own.size, self.dtype)
            packer = ColumnPacker(own, planned.n_channels, self.dtype)
            reader = RowReader(packer, fill, observer, planned.header_bytes(self.dtype))
            if fill is None and planned.before:
                reader.remember(next(planned.extents(planned.before, self.options.sort)))
            readers.append(reader)
            items.append(planned.items(self.options.sort))
        return BatchReader(*readers).batches(*items)

    # ------------------------------------------------------------------------------------------------------- time

    def row_ranges(self) -> list[dict[str, Any]]:
        """Ranges of rows and their times, as a sidecar has them."""
        return list(ranges_of_rows(self.recording, self.planned_rows, self.options.sort))

    @cached_property
    def _times(self) -> RowTimes:
        ns = self.recording
        row_ticks: Any = None
        if ns.has_sample_timestamps:
            row_ticks = RowTicks(self._planned[0], self.shape[0], ns.clock, self.options.sort)
        return RowTimes(ns.clock, self.shape[0], self.row_ranges(), row_ticks, self.options.sort, ns.zero_tick)

    def row_to_tick(self, rows: ArrayLike) -> NDArray[Any]:
        """Timestamps of rows in the recording's clock, as `Sidecar.row_to_tick` gives them."""
        return self._times.row_to_tick(rows)

    def tick_to_row(self, ticks: ArrayLike) -> NDArray[np.int64]:
        """Rows that were recorded at times of the recording's clock, -1 where none was; see `Sidecar.tick_to_row`."""
        return self._times.tick_to_row(ticks)

    def seconds(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Times of rows in seconds after the recording's first sample, float64."""
        return self._times.seconds(rows)


class RowTicks:
    """The timestamp of every row, where samples have timestamps of their own; read when they are indexed."""

    def __init__(self, planned: PlannedRows, n_rows: int, clock: Clock, sort: bool) -> None:
        self._segments, self._n_rows, self._clock, self._sort = planned.segments, n_rows, clock, sort
        places = [
            (p.row, p.segment, p.start) if isinstance(p, SampleRows) else (p.row, -1, p.tick) for p in planned.rows
        ]
        self._rows, self._numbers, self._starts = (np.array(column, np.int64) for column in zip(*places, strict=True))

    def __call__(self) -> RowTicks:
        """These, which stay open as long as their file does."""
        return self

    def __getitem__(self, rows: Any) -> NDArray[np.int64]:
        wanted = np.arange(*rows.indices(self._n_rows)) if isinstance(rows, slice) else np.asarray(rows, np.int64)
        part = np.searchsorted(self._rows, wanted, "right") - 1
        number, after = self._numbers[part], wanted - self._rows[part]
        ticks = self._starts[part] + self._clock.duration_ticks(after)
        for segment in np.unique(number[number >= 0]).tolist():
            inside = number == segment
            samples = self._starts[part[inside]] + after[inside]
            ticks[inside] = self._segments[segment].ticks_of(samples, sort=self._sort)
        return ticks
