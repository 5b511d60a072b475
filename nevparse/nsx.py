# SPDX-License-Identifier: MIT
"""Continuous data: ``.ns1`` to ``.ns9`` of Blackrock, ``.nsX`` and ``.nfX`` of Ripple.

Opening reads the headers, and one header per data block; samples are touched when they are asked for, as
views of the mapped file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, partial
from itertools import pairwise, repeat
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _index, spec
from ._blocks import Frame, find_samples, walked
from ._channels import Channel, channels_of, checked_channels, choose, compact
from ._clock import Clock, Gap
from ._headers import (
    Damage,
    basic_header,
    checked_clock,
    data_start,
    digest_of,
    header_text,
    identify,
    opened,
    reopened,
    uv_per_bit_of,
)
from ._microvolts import to_microvolts
from ._segment import Chunk, Segment
from ._source import Source
from ._stamps import PacketIndex, Watcher
from ._time import TimeBase, time_base
from ._units import system_time

_OF_THE_INDEX = ("segments", "gaps", "epochs")  # what is remembered of it


class NsxFile:
    """An open NSx or NFx file; `open_nsx` makes one.

    Safe to share between threads. Arrays stay valid after `close`.

    Attributes
    ----------
    path, size_bytes : str, int
        The file, and its size when it was opened.
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

    def __init__(self, source: Source, factors: Mapping[int, float]) -> None:
        self._source, self._factors = source, factors
        self.path, self.size_bytes = source.path, source.size
        found, header = basic_header(source, identify(source, spec.NSX_SPECS, "an NSx file"))
        damage: list[Damage] = []
        self._spec, self.spec, self.vendor, self.dtype = found, found.name, found.vendor, np.dtype(found.sample)
        self.n_channels = checked_channels(source, found, header, damage)
        self.period, self.tick_rate = checked_clock(source, found, header, damage)
        self.sampling_rate = spec.CLOCK_HZ / self.period
        self.time_origin = system_time(header["time_origin"], utc=True) if "time_origin" in header else None
        self.label, self.comment = header_text(header, "label"), header_text(header, "comment")
        self.application, self.processor_tick = header_text(header, "application"), header.get("processor_tick")
        headers_end = found.basic.size + found.channel.size * self.n_channels
        start = data_start(source, header.get("header_bytes", headers_end), headers_end, damage)
        self._check_channel_types(damage)
        self.clock = Clock.of(self.period, self.tick_rate)
        self._frame = Frame(found, start, self.n_channels * self.dtype.itemsize)
        self._index, self.missing_bytes = find_samples(source, self._frame, self.clock, damage)
        self.n_samples = self._index.n_samples
        self.damage = tuple(damage)
        self.digest = digest_of(source.read(headers_end, 0, "headers"))

    def __enter__(self) -> NsxFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return reopened, (partial(open_nsx, nev=self._factors), os.path.abspath(self.path), self.digest)

    def __repr__(self) -> str:
        return f"NsxFile({self.path!r}: {self.spec}, {self.n_channels} channels, {self.n_samples} samples)"

    def close(self) -> None:
        """Let go of the file; arrays handed out stay valid."""
        self._source.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._source.closed

    @cached_property
    def time_base(self) -> TimeBase:
        """Which moment a tick is, and how that is known."""
        first = self._index.first_tick
        tick, what = (first, "the first sample") if self._spec.origin_at_first else (0, "tick 0")
        return time_base(self.time_origin, self.tick_rate, first, tick, f"the header's date stands for {what}")

    def datetime(self, tick: SupportsInt) -> datetime | None:
        """When a tick was, UTC, to the microsecond below; None where the file has no date."""
        return self.time_base.datetime(tick)

    @property
    def stamped(self) -> bool:
        """Whether every sample has a timestamp of its own in the file, as PTP systems write."""
        return isinstance(self._index, PacketIndex)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Unbroken stretches of samples, in file order."""
        runs = self._index.runs
        return tuple(map(Segment, repeat(self), range(len(runs)), runs))

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between segments."""
        return _index.gaps(self._index, self.clock)

    @cached_property
    def _channel_headers(self) -> NDArray[np.void]:
        layout = self._spec.channel
        raw = self._source.read(self.n_channels * layout.size, self._spec.basic.size, "channel headers")
        return np.frombuffer(raw, layout.dtype())

    def _check_channel_types(self, damage: list[Damage]) -> None:
        wanted = self._spec.channel_type
        if wanted is None or self.n_channels == 0:
            return
        odd = np.flatnonzero(self._channel_headers["type"].view(f"S{len(wanted)}") != wanted)
        if odd.size:
            at, found = int(odd[0]), self._channel_headers["type"][odd[0]].tobytes()
            message = f"expected channel header {at} to start with {wanted!r}, found {found!r}"
            damage.append(Damage("channel-header", self._spec.basic.size + at * self._spec.channel.size, message))

    @cached_property
    def electrode_ids(self) -> NDArray[np.int64]:
        """Electrode id of each column, int64 ``(n_channels,)``."""
        return self._channel_headers["electrode_id"].astype(np.int64)

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """What each column is."""
        return channels_of(self._spec, self._channel_headers, self._factors)

    def columns(
        self,
        channels: slice | Iterable[int] | None = None,
        electrodes: Iterable[int] | None = None,
        labels: str | Iterable[str] | None = None,
        kind: str | None = None,
    ) -> NDArray[np.intp]:
        """Columns that a request names, in its order; all of them where nothing is named.

        Parameters
        ----------
        channels : slice or iterable of int, optional
            Columns, as numpy takes them.
        electrodes : iterable of int, optional
            The vendor's numbers.
        labels : str or iterable of str, optional
            Names, or patterns with ``*``, ``?`` and ``[...]``.
        kind : str, optional
            ``neural``, ``analog`` or ``other``.

        Returns
        -------
        numpy.ndarray
            intp ``(n,)``.

        Raises
        ------
        KeyError, ValueError
            Where a name is not there, stands for several columns, or names are given in more than one way.
        """
        return choose(self.channels, channels, electrodes, labels, kind)

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
        run = self._run(segment)
        a, b, _ = slice(start, stop).indices(run.n_samples)
        views = [self._view(piece) for piece in self._index.pieces(run, a, max(a, b), sort)]
        if unit == "uV":
            return to_microvolts(self.path, self.channels, views, columns)
        if unit != "raw":
            raise ValueError(f"expected unit 'raw' or 'uV', found {unit!r}")
        taken = [view[:, compact(columns)] for view in views]
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
        if n_samples < 1:
            raise ValueError(f"expected chunks of 1 sample or more, found {n_samples}")
        columns = self.columns(channels, electrodes)
        for segment in self.segments:
            start = 0
            for piece in self._index.pieces(segment._run, 0, segment.n_samples):
                end = start + piece.n_rows
                for a in range(start, end, n_samples):
                    b = min(a + n_samples, end)
                    samples = self.read(a, b, segment=segment.index, channels=columns, unit=unit, sort=sort)
                    yield Chunk(segment.index, a, samples)
                start = end

    def exactly(self) -> NsxFile:
        """The same open file, with every break in time found by reading every timestamp, and not by probing."""
        other = object.__new__(NsxFile)  # copy() would pickle, and open the file again
        other.__dict__ |= {name: value for name, value in vars(self).items() if name not in _OF_THE_INDEX}
        index, block = self._index, self._spec.block
        if isinstance(index, PacketIndex) and block and not index.even():  # probing took blocks for packets
            damage: list[Damage] = []
            other._index, other.missing_bytes = walked(self._source, block, self._frame, self.clock, damage)
            other.damage, other.n_samples = tuple(damage), other._index.n_samples
        else:
            other._index = index.exact()
        return other

    def watcher(self) -> Watcher | None:
        """What judges timestamps while the samples stream by, where there is one for each sample."""
        return self._index.watcher()

    @cached_property
    def epochs(self) -> tuple[range, ...]:
        """Segments between one setting of the clock and the next."""
        starts = [0, *(gap.after_segment + 1 for gap in self.gaps if gap.kind == "reset"), len(self.segments)]
        return tuple(range(a, b) for a, b in pairwise(starts))

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
        return self._index.locate(np.asarray(ticks, np.uint64), among)

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` with the file's own bytes from `offset` on; returns how many there were."""
        return self._source.readinto(buffer, offset)

    def fileno(self) -> int:
        """The system's handle of the open file."""
        return self._source.fileno()

    def _run(self, segment: int) -> _index.Run:
        runs = self._index.runs
        if not -len(runs) <= segment < len(runs):
            there = f"0 to {len(runs) - 1}" if runs else "none: the file holds no samples"
            raise ValueError(f"expected a segment ({there}), found {segment}")
        return runs[segment]

    def _view(self, piece: _index.Piece) -> NDArray[Any]:
        return self._source.view(self.dtype, (piece.n_rows, self.n_channels), piece.offset, piece.row_bytes)


def open_nsx(path: str | os.PathLike[str], *, nev: Any = None) -> NsxFile:
    """Open a continuous recording: ``.ns1`` to ``.ns9``, ``.nf1`` to ``.nf9``.

    Reads the headers, and one header per data block; the samples stay in the file until they are asked for.

    Parameters
    ----------
    path : str or os.PathLike
        The file; its first bytes decide what it is, whatever its name.
    nev : str, os.PathLike or NevFile, optional
        The NEV of the same recording. NSx 2.1 has no scale of its own and takes it from there.

    Returns
    -------
    NsxFile
        A context manager.

    Raises
    ------
    OSError
        Where the file cannot be opened.
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
    return opened(path, partial(NsxFile, factors=uv_per_bit_of(nev)))
