# SPDX-License-Identifier: MIT
"""Continuous data: ``.ns1`` to ``.ns9`` of Blackrock, ``.nsX`` and ``.nfX`` of Ripple."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, SupportsInt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cached import cached_property
from ..clock import Clock, Gap, TimeBase, find_time_base, requested_ticks
from ..errors import Damage, GapError, Progress
from ..format import tables
from ..format.channel import Channel, uv_per_bit_by_electrode
from ..format.dates import date_of_systemtime
from ..format.header import checked_tick_rate, header_text, read_basic_header
from ..format.numbers import chunk_length, integer, integers, tick_number, tick_values
from ..format.text import counted, duration_text, ranges_text
from ..source.base import Closable, Source
from ..source.growth import POLL_S, FollowOptions, poll_growth
from ..source.objects import Openable
from ..source.reference import FileReference, Opener, check_same_headers, header_digest, open_file
from ..traces.plan import SampleRows, select_samples
from ..traces.selection import (
    ChannelChoice,
    ChannelKind,
    ColumnSelection,
    ElectrodeChoice,
    ExcludeChoice,
    LabelChoice,
    SampleSelection,
    TimeSelection,
    as_slice,
    choose_by_column,
    choose_columns,
    part_of,
    takes,
    to_microvolts,
)
from ..traces.traces import Continuous
from .framing import find_more_samples, find_samples, scan_every_packet
from .headers import NsxHeaders, check_channel_types, count_channels, data_start, describe_channels, read_period
from .packets import PacketIndex, TimestampCheck
from .segments import Chunk, RecordedSamples, Segment, segment_numbers

if TYPE_CHECKING:
    from ..traces.selection import Unpack

_MOST_ENDS = 5  # of segments, in a message
SampleUnit = Literal["raw", "uV"]


class NsxFile(Closable, Continuous):
    """An open NSx or NFx file; `open_nsx` makes one.

    Safe to share between threads. Arrays stay valid after `close`.

    Attributes
    ----------
    path : str
        The file; a name to print where it was no path.
    spec : str
        Version of the file specification: ``2.1``, ``2.2``, ``2.3`` or ``3.0``.
    vendor : str
        ``blackrock`` or ``ripple``.
    sampling_rate : float
        Samples per second of each channel, Hz: 30000 / period in every version.
    tick_rate : int
        Timestamp ticks per second, Hz.
    period : int
        Ticks of the 30 kHz clock between samples.
    time_origin : datetime or None
        UTC, as the header says; None where it has no valid date (2.1 has none).
    label, comment, application : str
        Texts of the header; only Ripple files have an application.
    processor_tick : int or None
        Ripple: the processor's 30 kHz clock at the start of the recording.
    n_channels : int
        Columns.
    dtype : numpy.dtype
        Of one sample: int16, or float32 for NFx.
    """

    def __init__(
        self,
        source: Source,
        uv_per_bit: Mapping[int, float],
        has_grown: bool = False,
        fully_scanned: bool = False,
        zero_tick: int | None = None,
    ) -> None:
        self._source, self._uv_per_bit, self.path = source, uv_per_bit, source.path
        self._has_grown, self._is_fully_scanned, self._zero_tick = has_grown, fully_scanned, zero_tick
        self._headers = self._read_headers()
        self._recorded = self._record(find_samples(self._headers, has_grown))
        self._refreshing = Lock()

    def _read_headers(self) -> NsxHeaders:
        source = self._source
        damage: list[Damage] = []
        version, header = read_basic_header(source, tables.NSX_VERSIONS, damage)
        self._version, self.spec, self.vendor = version, version.name, version.vendor
        self.dtype, self.n_channels = np.dtype(version.sample), count_channels(source, version, header, damage)
        self.period, self.tick_rate = read_period(source, version, header), checked_tick_rate(version, header, damage)
        self.sampling_rate, self.clock = tables.CLOCK_HZ / self.period, Clock.of(self.period, self.tick_rate)
        self.time_origin = date_of_systemtime(header["time_origin"]) if "time_origin" in header else None
        self.label, self.comment = header_text(header, "label"), header_text(header, "comment")
        self.application, self.processor_tick = header_text(header, "application"), header.get("processor_tick")
        headers_end = version.basic.size + version.channel.size * self.n_channels
        start = data_start(source, header.get("header_bytes", headers_end), headers_end, damage)
        self.digest = header_digest(source.read(headers_end, 0, "headers"))
        check_channel_types(version, self._channel_headers, damage)
        data = start, self.dtype, self.n_channels, self.clock
        return NsxHeaders(source, version, *data, self.digest, tuple(damage))

    def _record(self, samples: RecordedSamples, progress: Progress | None = None) -> RecordedSamples:
        """Attach what reopens the file, and scan every timestamp if this file is fully scanned."""
        if self._is_fully_scanned:
            samples = scan_every_packet(samples, self._has_grown, progress)
        zero_tick = samples.index.first_tick if self._zero_tick is None else self._zero_tick
        return replace(samples, opener=self._opener(), zero_tick=zero_tick)

    def _opener(self) -> Opener:
        make = partial(
            NsxFile,
            uv_per_bit=self._uv_per_bit,
            has_grown=self._has_grown,
            fully_scanned=self._is_fully_scanned,
            zero_tick=self._zero_tick,
        )
        return partial(open_file, make=make, digest=self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._opener(), (self._source.reopen_argument(),)

    def __repr__(self) -> str:
        gaps = counted(max(0, len(self._recorded.index.spans) - 1), "gap")
        length = duration_text(self.clock.seconds(self.n_samples))
        what = f"{self.spec}, {counted(self.n_channels, 'channel')} at {self.sampling_rate:g} Hz, {length}, {gaps}"
        return f"NsxFile({self.path!r}: {what}{', closed' if self.closed else ''})"

    @property
    def spans_s(self) -> NDArray[np.float64]:
        """Start and stop of each segment in seconds after `zero_tick`, float64 ``(n_segments, 2)``."""
        return self._recorded.spans_s

    def close(self) -> None:
        """Close the file; arrays that were made from it stay valid."""
        self._source.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._source.closed

    @cached_property
    def _channel_headers(self) -> NDArray[np.void]:
        layout = self._version.channel
        raw = self._source.read(self.n_channels * layout.size, self._version.basic.size, "channel headers")
        return np.frombuffer(raw, layout.dtype())

    @cached_property
    def electrode_ids(self) -> NDArray[np.int64]:
        """Electrode id of each column, int64 ``(n_channels,)``."""
        return self._channel_headers["electrode_id"].astype(np.int64)

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """What each column is."""
        return describe_channels(self._version, self._channel_headers, self._uv_per_bit)

    def columns(
        self,
        channels: ChannelChoice = None,
        electrodes: ElectrodeChoice = None,
        labels: LabelChoice = None,
        kind: ChannelKind | None = None,
        exclude: ExcludeChoice = None,
    ) -> NDArray[np.intp]:
        """Columns that a selection names, in its order; all of them where nothing is named.

        All functions that choose channels take these parameters.

        Parameters
        ----------
        channels : int, slice, or iterable of int, optional
            Columns, as numpy takes them, or a mask of all.
        electrodes : int or iterable of int, optional
            Electrode ids, as in the file's headers.
        labels : str or iterable of str, optional
            Names, or patterns with ``*``, ``?`` and ``[...]``.
        kind : str, optional
            ``neural``, ``analog`` or ``other``.
        exclude : int, str, or iterable of these, optional
            Electrode ids, and labels or patterns, to leave out of the columns that the others name.

        Returns
        -------
        numpy.ndarray
            intp ``(n,)``.

        Raises
        ------
        KeyError, ValueError
            Where the file has no such channel, a name stands for several, or more than one parameter besides
            `exclude` is given.

        Examples
        --------
        >>> import nevparse as nv
        >>> with nv.open_nsx("session.ns5") as ns:
        ...     ns.columns(labels="elec*", exclude=[2, "elec1??"])[:4].tolist()
        [0, 2, 3, 4]
        """
        if all(given is None for given in (electrodes, labels, kind, exclude)):
            return choose_by_column(self.n_channels, channels)  # what the channels are need not be known
        return choose_columns(
            self.channels, exclude, channels=channels, electrodes=electrodes, labels=labels, kind=kind
        )

    @property
    def n_samples(self) -> int:
        """Samples of each channel, over all segments."""
        return self._recorded.index.n_samples

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_channels)``, over all segments."""
        return self.n_samples, self.n_channels

    @property
    def duration_s(self) -> float:
        """Seconds of samples, over all segments; gaps do not count."""
        return self.n_samples / self.sampling_rate

    @property
    def size_bytes(self) -> int:
        """Size of the file when it was read last."""
        return self._recorded.size_bytes

    @property
    def missing_bytes(self) -> int:
        """Bytes that the headers promise and the file lacks, after a crash of the recorder or a copy that was cut."""
        return self._recorded.missing_bytes

    @property
    def damage(self) -> tuple[Damage, ...]:
        """Everything wrong that was met: byte offset, message, warning category."""
        return self._recorded.damage

    @property
    def time_base(self) -> TimeBase:
        """Which moment a tick is, and what says so."""
        first = self._recorded.index.first_tick
        tick, what = (first, "the first sample") if self._version.origin_at_first else (0, "tick 0")
        return find_time_base(self.time_origin, self.tick_rate, first, tick, f"the header's date stands for {what}")

    def datetime(self, tick: SupportsInt) -> datetime | None:
        """When a tick was, UTC, to the microsecond below; None where the file has no date."""
        return self.time_base.datetime(tick)

    @property
    def zero_tick(self) -> int:
        """The tick that seconds count from: of the first sample of this file.

        A file that `open_recording` opened counts from the first sample of its recording (`Recording.zero_tick`).
        """
        return self._recorded.zero_tick

    def _count_seconds_from(self, zero_tick: int) -> None:
        """Let seconds count from a tick; arrays and segments that were taken before do not change."""
        self._zero_tick = zero_tick
        self._recorded = self._record(self._recorded)

    @property
    def has_sample_timestamps(self) -> bool:
        """Whether every sample has a timestamp of its own in the file, as PTP systems write."""
        return isinstance(self._recorded.index, PacketIndex)

    @property
    def sources(self) -> tuple[Source]:
        """Where the bytes come from."""
        return (self._source,)

    def reference(self) -> FileReference:
        """How to open the file anew."""
        return self._recorded.reference()

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Samples without a break in time, in file order."""
        return self._recorded.segments

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between segments."""
        return self._recorded.gaps

    def gap_between(self, before: int, after: int) -> Gap:
        """The break in time from the end of segment `before` to the start of the later segment `after`."""
        return self._recorded.gap_between(before, after)

    @takes(ColumnSelection)
    def read(
        self,
        start: int | None = None,
        stop: int | None = None,
        *,
        segment: int | None = None,
        start_s: float | None = None,
        stop_s: float | None = None,
        unit: SampleUnit = "raw",
        sort: bool = False,
        **selection: Unpack[ColumnSelection],
    ) -> NDArray[Any]:
        """Samples of one segment, by number or by time.

        Parameters
        ----------
        start, stop : int, optional
            As in a numpy slice: half-open, from the end where negative, clipped to the segment.
        segment : int, optional
            Number of the segment that `start` and `stop` count in, or that the seconds are in. Needed where several
            segments are meant.
        channels, electrodes, labels, kind, exclude : optional
            Columns in the order wanted, as in `columns`; by default all.
        start_s, stop_s : float, optional
            Instead of `start` and `stop`: seconds after the recording's first sample, half-open.
        unit : str
            ``raw``: as recorded, a read-only view wherever one is possible. ``uV``: float32 microvolts.
        sort : bool
            Put samples in order of time: firmware 7.6.0 to 7.6.1.1 of the Gemini hub wrote a few out of order.

        Returns
        -------
        numpy.ndarray
            ``(n_samples, n_columns)``.

        Raises
        ------
        KeyError, ValueError
            Where the selection names a segment, time, channel or unit that the file has not.
        GapError
            Where the file, or the time, holds several segments, and `segment` names none of them.

        Warns
        -----
        UnknownScale
            Where ``uV`` is wanted of channels whose scale is unknown; they are NaN.

        Examples
        --------
        >>> import nevparse as nv
        >>> with nv.open_nsx("session.ns5") as ns:
        ...     raw = ns.read(0, 2, electrodes=[1, 2])
        ...     microvolts = ns.read(start_s=0.05, stop_s=0.06, kind="neural", unit="uV")
        >>> raw.tolist(), microvolts.shape
        ([[-62, -57], [-86, -110]], (300, 128))
        """
        columns = self.columns(**selection)
        if unit not in ("raw", "uV"):
            raise ValueError(f"expected unit 'raw' or 'uV', found {unit!r}")
        if (start_s, stop_s) == (None, None):
            read_from = self._only_segment() if segment is None else self._segment(segment)
            start, stop = (
                None if value is None else tick_number(value, what, "samples")
                for what, value in (("start", start), ("stop", stop))
            )
            a, b, _ = slice(start, stop).indices(read_from.n_samples)
        elif (start, stop) == (None, None):
            read_from, a, b = self._samples_between(start_s, stop_s, segment)
        else:
            raise ValueError("expected samples (start, stop) or seconds (start_s, stop_s), found both")
        views = [self._recorded.view(extent) for extent in read_from.extents(a, max(a, b), sort=sort)]
        if unit == "uV":
            return to_microvolts(self.path, self.channels, views, columns)
        parts = [view[:, as_slice(columns)] for view in views]
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, columns.size), self.dtype), *parts])

    @takes(SampleSelection)
    def chunks(
        self,
        n_samples: int = 65536,
        *,
        unit: SampleUnit = "raw",
        sort: bool = False,
        **selection: Unpack[SampleSelection],
    ) -> Iterator[Chunk]:
        """Go through all samples, or those of a time, in order, at most `n_samples` at a time.

        No chunk crosses the end of a block, so that raw chunks of equally spaced columns are views of the file.

        Parameters
        ----------
        n_samples : int
            The most rows in one chunk. The other parameters are those of `read`.
        start_tick, stop_tick : int, optional
            Only samples whose timestamps are in this half-open range of the file's clock; or `start_s`, `stop_s`.

        Yields
        ------
        Chunk
            ``(segment, start, samples)``.

        Examples
        --------
        >>> import nevparse as nv
        >>> with nv.open_nsx("session.ns5") as ns:
        ...     [(start, rows.shape) for segment, start, rows in ns.chunks(2000, labels="ainp*")]
        [(0, (2000, 16)), (2000, (1000, 16))]
        """
        columns = self.columns(**part_of(selection, ColumnSelection))
        start, stop = requested_ticks(self, **part_of(selection, TimeSelection))
        yield from self._chunks(select_samples(self.segments, start, stop), n_samples, columns, unit, sort)

    def _chunks(
        self, parts: Iterable[SampleRows], n_each: int, columns: NDArray[np.intp], unit: SampleUnit, sort: bool = False
    ) -> Iterator[Chunk]:
        """Chunks of parts of segments."""
        n_each = chunk_length(n_each, "sample")
        for part in parts:
            start = part.start
            for extent in self.segments[part.segment].extents(start, start + part.n_rows):
                stop = start + extent.n_rows
                for a in range(start, stop, n_each):
                    b = min(a + n_each, stop)
                    samples = self.read(a, b, segment=part.segment, channels=columns, unit=unit, sort=sort)
                    yield Chunk(part.segment, a, samples)
                start = stop

    def _parts_between(self, start: int, stop: int) -> list[SampleRows]:
        """The parts of segments that samples `start` to `stop` of the file are."""
        parts, first = list[SampleRows](), 0
        for segment in self.segments:
            a, b = max(start - first, 0), min(stop - first, segment.n_samples)
            if a < b:
                parts.append(SampleRows(0, b - a, segment.index, a))
            first += segment.n_samples
        return parts

    def fully_scanned(self, *, progress: Progress | None = None) -> NsxFile:
        """The same open file, with every break in time found by reading every timestamp, and not by probing.

        `progress` is called with (timestamps read, timestamps in all); what it raises ends the search.
        """
        other = object.__new__(NsxFile)  # copy() would pickle, and open the file anew
        other.__dict__ |= vars(self)
        other._is_fully_scanned = True
        other._recorded = other._record(self._recorded, progress)
        return other

    def presumed_regular(self) -> NsxFile:
        """The same open file for an export that sorts: its samples are taken to be regular between probes if they can.

        `timestamp_check` then gives what holds every timestamp against that.
        """
        index = self._recorded.index
        presumed = index.presumed_regular() if isinstance(index, PacketIndex) else index
        if presumed is None or presumed is index:
            return self.fully_scanned()
        other = object.__new__(NsxFile)  # copy() would pickle, and open the file anew
        other.__dict__ |= vars(self)
        other._recorded = replace(self._recorded, index=presumed)
        return other

    @property
    def n_final(self) -> int:
        """Final samples: all, except the newest few of one-sample packets, whose neighbours are still to come."""
        return self._recorded.index.n_final

    def refresh(self) -> int:
        """Take in what was written since the file was opened or refreshed; returns the number of new samples.

        The header of the last block may still count no samples, or too few: a recorder counts when it pauses or
        stops. An incomplete sample is left for the next time. `n_samples`, `segments`, `gaps`, `missing_bytes` and
        `damage` change; arrays and segments that were taken before do not.

        Raises
        ------
        FormatError
            Where the file has become shorter, is a new recording, or no longer has the samples of before.
        ValueError
            Where the file was not opened by its path.
        """
        with self._refreshing:  # of two polls at once the later one must not be undone by the other
            before = self._recorded
            self._source.update_size()
            check_same_headers(self._source, self.digest)
            self._has_grown |= self._source.size > before.size_bytes
            now = self._record(find_more_samples(before.index, self._headers, self._has_grown))
            self._recorded = now
        return now.index.n_samples - before.index.n_samples

    @takes(ColumnSelection)
    def follow(
        self,
        n_samples: int = 65536,
        *,
        poll_s: float = POLL_S,
        timeout_s: float | None = None,
        unit: SampleUnit = "raw",
        **selection: Unpack[ColumnSelection],
    ) -> Iterator[Chunk]:
        """Go through all samples in order as `chunks` does, and then wait for those that are still to be recorded.

        Each sample comes once. Where samples have timestamps of their own, the newest few wait for those that decide
        about breaks beside them, or for the end. Yields what `chunks` does, and raises what `refresh` does.

        Parameters
        ----------
        poll_s : float
            Seconds between two refreshes.
        timeout_s : float, optional
            End when nothing was written for that time; without it, only the caller ends it.
        """
        columns, done = self.columns(**selection), 0
        for _ in poll_growth(self.refresh, lambda: self.n_samples, FollowOptions(poll_s, timeout_s)):
            for chunk in self._chunks(self._parts_between(done, self.n_final), n_samples, columns, unit):
                yield chunk
                done += len(chunk.samples)
        yield from self._chunks(self._parts_between(done, self.n_samples), n_samples, columns, unit)

    def timestamp_check(self) -> TimestampCheck | None:
        """A check of timestamps while the samples stream by; None where samples have no timestamps of their own."""
        index = self._recorded.index
        return TimestampCheck(index) if isinstance(index, PacketIndex) else None

    @property
    def epochs(self) -> tuple[range, ...]:
        """Segments between one setting of the clock and the next."""
        return self._recorded.epochs

    def locate(
        self, ticks: ArrayLike, segments: Iterable[int] | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The samples that times of this file's clock fall in.

        Parameters
        ----------
        ticks : array_like of int
            ``(n,)``.
        segments : iterable of int, optional
            Search only these; by default all. Of several that hold a time, the one that starts last before it counts.

        Returns
        -------
        segment, sample : numpy.ndarray
            intp and int64, ``(n,)``: the sample whose period holds the time; -1 where nothing was recorded.

        Raises
        ------
        ValueError
            Where the file has no such segment.
        """
        recorded = self._recorded
        every = np.arange(len(recorded.segments))
        if segments is None:
            return recorded.locate(tick_values(ticks), every)
        numbers = np.unique(np.array(integers(segments, "a segment"), np.intp))  # of equal starts the last counts
        if not np.isin(numbers, every).all():
            raise ValueError(f"expected segments 0 to {every.size - 1}, found {ranges_text(numbers.tolist())}")
        return recorded.locate(tick_values(ticks), numbers)

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` with the file's own bytes from `offset` on; returns the number of bytes read."""
        return self._source.readinto(buffer, offset)

    def fileno(self) -> int:
        """The file descriptor; OSError where it has none, as bytes in memory."""
        return self._source.fileno()

    def _samples_between(
        self, start_s: float | None, stop_s: float | None, segment: int | None
    ) -> tuple[Segment, int, int]:
        """The segment that holds the samples of a time, and the first of them and the one after the last."""
        start, stop = requested_ticks(self, start_s=start_s, stop_s=stop_s)
        among = self.segments if segment is None else (self._segment(segment),)
        parts = select_samples(among, start, stop)
        if len(parts) > 1:
            numbers = [part.segment for part in parts]
            gaps = [self.gap_between(before, after) for before, after in pairwise(numbers)]
            advice = f"name one with segment={numbers[0]}, or use chunks, or write_bin with gaps="
            raise GapError(f"{self.path}: time is broken between {start_s} s and {stop_s} s: {gaps[0]}; {advice}", gaps)
        if not parts:
            ends = [(self.seconds(s.start_tick), self.seconds(s.stop_tick)) for s in among[:_MOST_ENDS]]
            known = ", ".join(f"{a:.6g} to {b:.6g}" for a, b in ends)
            raise ValueError(f"expected seconds that hold samples ({known}), found {start_s} to {stop_s}")
        part = parts[0]
        return self.segments[part.segment], part.start, part.start + part.n_rows

    def _only_segment(self) -> Segment:
        """The segment of an unbroken file; GapError where there are several."""
        if len(self.segments) > 1:
            counts = ", ".join(str(segment.n_samples) for segment in self.segments[:_MOST_ENDS])
            found = f"{len(self.segments)} segments ({counts}{', …' * (len(self.segments) > _MOST_ENDS)} samples)"
            advice = "name one with segment=0, or start_s and stop_s within one, or choose what gaps become with traces"
            message = f"{self.path}: expected samples without a gap, found {found}: {self.gaps[0]}; {advice}"
            raise GapError(message, self.gaps)
        return self._segment(0)

    def _segment(self, number: int) -> Segment:
        (place,) = segment_numbers(integer(number, "a segment"), len(self.segments))
        return self.segments[place]


def open_nsx(path: Openable, *, nev: Any = None) -> NsxFile:
    """Open a continuous recording: ``.ns1`` to ``.ns9``, ``.nf1`` to ``.nf9``.

    Reads the headers, and one header per data block; the samples stay in the file until they are used.

    Parameters
    ----------
    path : str, os.PathLike, bytes-like or binary file object
        The file; its first bytes decide what it is, not its name. Bytes are viewed without a copy. An object that can
        seek (a zip member, an S3 or HTTP file) is read from its beginning, wherever its position is, and only as far
        as needed; it is never closed here, and must not be used elsewhere at the same time.
    nev : the same, or NevFile, optional
        The NEV of the same recording. NSx 2.1 has no scale of its own and takes it from that.

    Returns
    -------
    NsxFile
        A context manager.

    Raises
    ------
    OSError
        Where the file cannot be opened or read.
    TypeError, ValueError
        Where it is no path, bytes or binary file object, or one that cannot be read or cannot seek.
    FormatError
        Where it is not an NSx file or its header cannot be true.
    UnsupportedVersion
        Where its major version is not known.

    Warns
    -----
    TruncatedFile
        Where the file ends too early; complete samples are kept, and `NsxFile.missing_bytes` says what it lacks.
    DamagedFile
        Where something contradicts the specification; `NsxFile.damage` lists it.
    UnknownVersion
        Where the minor version is not known and is read as the nearest one.

    Notes
    -----
    Blackrock LB-0023 revision 7.00, "NSx"; Ripple R01838 revision 07.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("session.ns5") as ns:
    ...     ns.shape, ns.sampling_rate, ns.channels[0].label
    ((3000, 144), 30000.0, 'elec1')
    """
    return open_file(path, partial(NsxFile, uv_per_bit=uv_per_bit_by_electrode(nev)))
