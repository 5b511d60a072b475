# SPDX-License-Identifier: MIT
"""Continuous data: ``.ns1`` to ``.ns9`` of Blackrock, ``.nsX`` and ``.nfX`` of Ripple.

Opening reads the headers, and one header per data block; samples are touched when they are asked for, as
views of the mapped file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import Gap, TimeBase, find_time_base
from ..errors import Damage
from ..format.channel import uv_per_bit_by_electrode
from ..source.base import Source
from ..source.growth import POLL_S, FollowOptions, poll_growth
from ..source.objects import Openable
from ..source.reference import Opener, check_same_headers, open_file
from ..traces.microvolts import to_microvolts
from ..traces.selection import as_slice
from .blocks import find_samples, find_samples_again, index_blocks
from .headers import NsxHeaders
from .packets import PacketIndex, SampleIndex, TimestampCheck
from .segments import Chunk, RecordedSamples, Segment, check_chunk_length


class NsxFile(NsxHeaders):
    """An open NSx or NFx file; `open_nsx` makes one.

    Safe to share between threads. Arrays stay valid after `close`.

    Attributes
    ----------
    path, size_bytes : str, int
        The file (a name to print where it was no path), and its size when it was opened.
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
        Texts of the header; the application stands in Ripple files only.
    processor_tick : int or None
        Ripple: the processor's 30 kHz clock at the start of the recording.
    n_channels, n_samples : int
        Columns, and rows over all segments.
    dtype : numpy.dtype
        Of one sample: int16, or float32 for NFx.
    missing_bytes : int
        How much the headers promise and the file lacks: above 0 where the recorder crashed or the copy was cut.
    damage : tuple of Damage
        Everything odd that was met: byte offset, message, warning category.
    """

    def __init__(
        self, source: Source, uv_per_bit: Mapping[int, float], has_grown: bool = False, fully_scanned: bool = False
    ) -> None:
        super().__init__(source, uv_per_bit)
        self._has_grown, self._is_fully_scanned = has_grown, fully_scanned
        damage = list(self._header_damage)
        index, missing_bytes = find_samples(source, self._frame, self.clock, damage, has_grown)
        self._recorded = self._look(index, missing_bytes, damage)

    def _look(self, index: SampleIndex, missing_bytes: int, damage: list[Damage]) -> RecordedSamples:
        """What was found, with every timestamp read where that was asked for."""
        if self._is_fully_scanned:
            index, missing_bytes = self._scanned(index, missing_bytes, damage)
        found = index, self.dtype, self.n_channels, missing_bytes, tuple(damage)
        return RecordedSamples(self._source, *found, self._opener())

    def _scanned(self, index: SampleIndex, missing_bytes: int, damage: list[Damage]) -> tuple[SampleIndex, int]:
        block = self._version.block
        if isinstance(index, PacketIndex) and block and not index.is_fully_scanned and not index.all_single_sample():
            damage[:] = self._header_damage  # probing took blocks for packets
            return index_blocks(self._source, block, self._frame, self.clock, damage, self._has_grown)
        return index.fully_scanned(), missing_bytes

    def _opener(self) -> Opener:
        make = partial(
            NsxFile,
            uv_per_bit=self._uv_per_bit_by_electrode,
            has_grown=self._has_grown,
            fully_scanned=self._is_fully_scanned,
        )
        return partial(open_file, make=make, digest=self.digest)

    def __enter__(self) -> NsxFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return self._opener(), (self._source.reopen_argument(),)

    def __repr__(self) -> str:
        return f"NsxFile({self.path!r}: {self.spec}, {self.n_channels} channels, {self.n_samples} samples)"

    def close(self) -> None:
        """Let go of the file; arrays handed out stay valid."""
        self._source.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._source.closed

    @property
    def n_samples(self) -> int:
        """Rows over all segments."""
        return self._recorded.index.n_samples

    @property
    def size_bytes(self) -> int:
        """Of the file, when it was looked at last."""
        return self._recorded.size_bytes

    @property
    def missing_bytes(self) -> int:
        """What the headers promise and the file lacks: above 0 where the recorder crashed or the copy was cut."""
        return self._recorded.missing_bytes

    @property
    def damage(self) -> tuple[Damage, ...]:
        """Everything odd that was met: byte offset, message, warning category."""
        return self._recorded.damage

    @property
    def time_base(self) -> TimeBase:
        """Which moment a tick is, and how that is known."""
        first = self._recorded.index.first_tick
        tick, what = (first, "the first sample") if self._version.origin_at_first else (0, "tick 0")
        return find_time_base(self.time_origin, self.tick_rate, first, tick, f"the header's date stands for {what}")

    def datetime(self, tick: SupportsInt) -> datetime | None:
        """When a tick was, UTC, to the microsecond below; None where the file has no date."""
        return self.time_base.datetime(tick)

    @property
    def has_sample_timestamps(self) -> bool:
        """Whether every sample has a timestamp of its own in the file, as PTP systems write."""
        return isinstance(self._recorded.index, PacketIndex)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Unbroken stretches of samples, in file order."""
        return self._recorded.segments

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between segments."""
        return self._recorded.gaps

    def read(
        self,
        start: int | None = None,
        stop: int | None = None,
        *,
        segment: int = 0,
        channels: slice | Iterable[int] | None = None,
        electrodes: Iterable[int] | None = None,
        unit: str = "raw",
        sort: bool = False,
    ) -> NDArray[Any]:
        """Samples `start` to `stop` of one segment.

        Parameters
        ----------
        start, stop : int, optional
            As in a numpy slice: half-open, from the end where negative, clipped to what is there.
        segment : int
            Which unbroken stretch.
        channels, electrodes : optional
            Columns, or the vendor's numbers, in the order wanted; all columns where neither is given.
        unit : str
            ``raw``: as recorded, a read-only view wherever one is possible. ``uV``: float32 microvolts.
        sort : bool
            Put samples right that stand out of order, as firmware 7.6.0 to 7.6.1.1 of the Gemini hub wrote a few.

        Returns
        -------
        numpy.ndarray
            ``(n_samples, n_columns)``.

        Raises
        ------
        KeyError, ValueError
            Where the request names what is not there.

        Warns
        -----
        UnknownScale
            Where ``uV`` is asked of channels whose scale is unknown; they are NaN.
        """
        columns = self.columns(channels, electrodes)
        chosen = self._segment(segment)
        a, b, _ = slice(start, stop).indices(chosen.n_samples)
        views = [self._recorded.view(extent) for extent in chosen.extents(a, max(a, b), sort=sort)]
        if unit == "uV":
            return to_microvolts(self.path, self.channels, views, columns)
        if unit != "raw":
            raise ValueError(f"expected unit 'raw' or 'uV', found {unit!r}")
        taken = [view[:, as_slice(columns)] for view in views]
        return taken[0] if len(taken) == 1 else np.concatenate([np.empty((0, columns.size), self.dtype), *taken])

    def chunks(
        self,
        n_samples: int = 65536,
        *,
        channels: slice | Iterable[int] | None = None,
        electrodes: Iterable[int] | None = None,
        unit: str = "raw",
        sort: bool = False,
    ) -> Iterator[Chunk]:
        """Go through all samples in order, at most `n_samples` at a time.

        No chunk crosses the end of a block, so that raw chunks of evenly spaced columns are views of the file.

        Parameters
        ----------
        n_samples : int
            The most rows in one chunk. All else is as in `read`.

        Yields
        ------
        Chunk
            ``(segment, start, samples)``.
        """
        check_chunk_length(n_samples)
        columns = self.columns(channels, electrodes)
        yield from self._chunks((0, 0), self.n_samples, n_samples, columns, unit, sort)

    def _chunks(
        self, begin: tuple[int, int], stop: int, n_each: int, columns: NDArray[np.intp], unit: str, sort: bool = False
    ) -> Iterator[Chunk]:
        """Chunks from a sample of a segment on, up to sample `stop` of the file."""
        first, start = begin
        stop -= sum(segment.n_samples for segment in self.segments[:first])
        for segment in self.segments[first:]:
            for piece in segment.extents(start, min(stop, segment.n_samples)):
                end = start + piece.n_rows
                for a in range(start, end, n_each):
                    b = min(a + n_each, end)
                    samples = self.read(a, b, segment=segment.index, channels=columns, unit=unit, sort=sort)
                    yield Chunk(segment.index, a, samples)
                start = end
            start, stop = 0, stop - segment.n_samples

    def fully_scanned(self) -> NsxFile:
        """The same open file, with every break in time found by reading every timestamp, and not by probing."""
        other = object.__new__(NsxFile)  # copy() would pickle, and open the file again
        other.__dict__ |= vars(self)
        other._is_fully_scanned = True
        other._recorded = other._look(self._recorded.index, self.missing_bytes, list(self.damage))
        return other

    @property
    def n_final(self) -> int:
        """Samples whose segments do not depend on what is still to be recorded: all, but where each has a timestamp."""
        return self._recorded.index.n_final

    def refresh(self) -> int:
        """Take in what was written since the file was opened, or looked at last; returns how many samples that is.

        The last block may still count no samples, or fewer than there are: a recorder counts when it pauses or stops.
        A record that is not whole is left for the next time. `n_samples`, `segments`, `gaps`, `missing_bytes` and
        `damage` are new then; what was read stays what it was.

        Raises
        ------
        FormatError
            Where the file has become shorter or was begun anew, or samples that were there before are not there now.
        ValueError
            Where the file was not opened by its path.
        """
        self._source.update_size()
        check_same_headers(self._source, self.digest)
        before, damage, size_bytes = self._recorded, list(self._header_damage), self._source.size
        self._has_grown |= size_bytes > before.size_bytes
        found = find_samples_again(before.index, self._source, self._frame, self.clock, damage, self._has_grown)
        self._recorded = self._look(*found, damage)
        return self.n_samples - before.index.n_samples

    def follow(
        self,
        n_samples: int = 65536,
        *,
        poll_s: float = POLL_S,
        timeout_s: float | None = None,
        channels: slice | Iterable[int] | None = None,
        electrodes: Iterable[int] | None = None,
        unit: str = "raw",
    ) -> Iterator[Chunk]:
        """Go through all samples in order as `chunks` does, and then wait for those that are still to be recorded.

        Each is given once, whole and in its place. Where samples have timestamps of their own the newest few wait for
        those that decide about breaks beside them, or for the end.

        Parameters
        ----------
        poll_s : float
            Seconds from one look at the file to the next.
        timeout_s : float, optional
            End when nothing was written for so long; where it is not given, only whoever calls it ends it.

        Yields
        ------
        Chunk
            ``(segment, start, samples)``.

        Raises
        ------
        FormatError, ValueError
            As `refresh`.
        """
        check_chunk_length(n_samples)
        columns, done = self.columns(channels, electrodes), (0, 0)
        for _ in poll_growth(self.refresh, lambda: self.n_samples, FollowOptions(poll_s, timeout_s)):
            for chunk in self._chunks(done, self._recorded.index.n_final, n_samples, columns, unit):
                yield chunk
                done = chunk.segment, chunk.start + len(chunk.samples)
        yield from self._chunks(done, self.n_samples, n_samples, columns, unit)

    def timestamp_check(self) -> TimestampCheck | None:
        """What judges timestamps while the samples stream by, where there is one for each sample."""
        return self._recorded.index.timestamp_check()

    @property
    def epochs(self) -> tuple[range, ...]:
        """Segments between one setting of the clock and the next."""
        return self._recorded.epochs

    def locate(self, ticks: ArrayLike, segments: range | None = None) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Where times of this file's clock fall.

        Parameters
        ----------
        ticks : array_like of int
            ``(n,)``.
        segments : range, optional
            Look only in these; in all, the last to start before a time is meant where several hold it.

        Returns
        -------
        segment, sample : numpy.ndarray
            intp and int64, ``(n,)``: the sample whose period holds the time; -1 where nothing was recorded.
        """
        among = range(len(self.segments)) if segments is None else segments
        return self._recorded.index.locate(np.asarray(ticks, np.uint64), among)

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` with the file's own bytes from `offset` on; returns how many there were."""
        return self._source.readinto(buffer, offset)

    def fileno(self) -> int:
        """The system's handle of the open file; OSError where it has none, as bytes have not."""
        return self._source.fileno()

    def _segment(self, number: int) -> Segment:
        every = self.segments
        if not -len(every) <= number < len(every):
            there = f"0 to {len(every) - 1}" if every else "none: the file holds no samples"
            raise ValueError(f"expected a segment ({there}), found {number}")
        return every[number]


def open_nsx(path: Openable, *, nev: Any = None) -> NsxFile:
    """Open a continuous recording: ``.ns1`` to ``.ns9``, ``.nf1`` to ``.nf9``.

    Reads the headers, and one header per data block; the samples stay in the file until they are asked for.

    Parameters
    ----------
    path : str, os.PathLike, bytes-like or binary file object
        The file; its first bytes decide what it is, whatever its name. Bytes are viewed where they are. Of an object
        that can seek (a zip member, an S3 or HTTP file) no more is read than is asked for, from its beginning on,
        wherever it stands; it is never closed here, and must not be used elsewhere at the same time.
    nev : the same, or NevFile, optional
        The NEV of the same recording. NSx 2.1 has no scale of its own and takes it from there.

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
        Where the file ends too early; all whole samples are there, and `NsxFile.missing_bytes` says what is not.
    DamagedFile
        Where something contradicts the specification; `NsxFile.damage` lists it.
    UnknownVersion
        Where the minor version is not known and is read as the nearest one.

    Notes
    -----
    Blackrock LB-0023 revision 7.00, "NSx"; Ripple R01838 revision 07.
    """
    return open_file(path, partial(NsxFile, uv_per_bit=uv_per_bit_by_electrode(nev)))
