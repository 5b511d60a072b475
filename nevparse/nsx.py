# SPDX-License-Identifier: MIT
"""Continuous data: ``.ns1`` to ``.ns9`` of Blackrock, ``.nsX`` and ``.nfX`` of Ripple.

Opening reads the headers, and one header per data block; samples are touched when they are asked for, as
views of the mapped file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _index, spec
from ._blocks import Frame, find_samples
from ._channels import Channel, Columns, channels_of, choose, compact, scales
from ._headers import (
    Damage,
    basic_header,
    checked_channels,
    checked_clock,
    data_start,
    header_text,
    identify,
    tell,
    uv_per_bit_of,
)
from ._source import Source
from ._units import system_time

_UV_ROWS = 4096  # rows converted at a time when columns are scattered: their copy stays in cache


class Chunk(NamedTuple):
    """Some rows of one segment: `samples` are its rows from `start` on."""

    segment: int
    start: int
    samples: NDArray[Any]


class Segment:
    """One unbroken stretch of samples.

    Nearly always that is one block of the file. Where a recorder wrote several blocks that adjoin in time (within
    half a sample), they are one segment with several `blocks`.
    """

    def __init__(self, file: NsxFile, index: int, run: _index.Run) -> None:
        self._file, self._run, self.index = file, run, index

    def __repr__(self) -> str:
        return f"Segment({self.index}: {self.n_samples} samples from tick {self.start_tick})"

    @property
    def start_tick(self) -> int:
        """Timestamp of the first sample, in the file's clock."""
        return self._run.start_tick

    @property
    def n_samples(self) -> int:
        """Samples of each channel."""
        return self._run.n_samples

    def pieces(self, start: int, stop: int) -> Iterator[_index.Piece]:
        """Where the rows of samples `start` to `stop` lie in the file, in order."""
        return self._file._index.pieces(self._run, start, stop)

    def find(self, tick: int) -> int:
        """First sample that is not before `tick`; `n_samples` where all are."""
        return self._file._index.find(self._run, tick)

    @property
    def n_blocks(self) -> int:
        """Pieces that the samples lie in: 1 where `samples` is a view."""
        return sum(1 for _ in self.pieces(0, self.n_samples))

    @property
    def blocks(self) -> tuple[NDArray[Any], ...]:
        """Read-only views of the file, one for each block: zero copy, each ``(n, n_channels)``."""
        return tuple(self._file._view(piece) for piece in self.pieces(0, self.n_samples))

    @property
    def samples(self) -> NDArray[Any]:
        """All samples, ``(n_samples, n_channels)``.

        A read-only view of the file, zero copy, wherever the segment lies in one piece. Where it spans several
        blocks their headers stand between the samples: it is put together in memory then, and `blocks` and
        `NsxFile.chunks` give the views.
        """
        blocks = self.blocks
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def ticks(self, start: int | None = None, stop: int | None = None) -> NDArray[np.uint64]:
        """Timestamps of samples `start` to `stop`, uint64, in the file's clock.

        As recorded where the file has one for each sample; else counted from the block's own timestamp at the
        nominal rate, rounded down to whole ticks.
        """
        a, b, _ = slice(start, stop).indices(self.n_samples)
        return self._file._index.ticks(self._run, a, max(a, b))

    def seconds(
        self, start: int | None = None, stop: int | None = None, *, origin_tick: int = 0
    ) -> NDArray[np.float64]:
        """Times of samples `start` to `stop` in seconds after `origin_tick`, float64.

        The default counts from tick 0 of the clock, which the NEV of the recording shares. For a clock that counts
        nanoseconds since 1970 give an origin in the recording: float64 resolves only 0.2 µs of such numbers.
        """
        after = self.ticks(start, stop) - np.uint64(origin_tick)
        seconds: NDArray[np.float64] = (after if origin_tick == 0 else after.view(np.int64)) / self._file.tick_rate
        return seconds


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
        self._clock = _index.Clock.of(self.period, self.tick_rate)
        frame = Frame(found, start, self.n_channels * self.dtype.itemsize)
        self._index, self.missing_bytes = find_samples(source, frame, self._clock, damage)
        self.n_samples = self._index.n_samples
        self.damage = tuple(damage)

    def __enter__(self) -> NsxFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
    def segments(self) -> tuple[Segment, ...]:
        """Unbroken stretches of samples, in file order."""
        return tuple(Segment(self, k, run) for k, run in enumerate(self._index.runs))

    @cached_property
    def gaps(self) -> tuple[_index.Gap, ...]:
        """Breaks in time between segments."""
        return _index.gaps(self._index, self._clock)

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
            damage.append(Damage(self._spec.basic.size + at * self._spec.channel.size, message))

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
        KeyError
            Where an electrode, label or kind is not there; the text lists what is.
        ValueError
            Where more than one way to name columns is used, or a name stands for more than one column.
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
        views = [self._view(piece) for piece in self._index.pieces(run, a, max(a, b))]
        if unit == "uV":
            return self._microvolts(views, columns, max(b - a, 0))
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
    ) -> Iterator[Chunk]:
        """Go through all samples in order, at most `n_samples` at a time.

        No chunk crosses the end of a block, so that raw chunks of evenly spaced columns are views of the file.

        Parameters
        ----------
        n_samples : int
            The most rows in one chunk.
        channels, electrodes, unit
            As in `read`.

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
                    yield Chunk(segment.index, a, self.read(a, b, segment=segment.index, channels=columns, unit=unit))
                start = end

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` with the file's own bytes from `offset` on; returns how many there were."""
        return self._source.readinto(buffer, offset)

    def _run(self, segment: int) -> _index.Run:
        runs = self._index.runs
        if not -len(runs) <= segment < len(runs):
            there = f"0 to {len(runs) - 1}" if runs else "none: the file holds no samples"
            raise ValueError(f"expected a segment ({there}), found {segment}")
        return runs[segment]

    def _view(self, piece: _index.Piece) -> NDArray[Any]:
        return self._source.view(self.dtype, (piece.n_rows, self.n_channels), piece.offset, piece.row_bytes)

    def _microvolts(self, views: list[NDArray[Any]], columns: NDArray[np.intp], n_samples: int) -> NDArray[np.float32]:
        per_bit, offset = scales(self.path, [self.channels[column] for column in columns])
        out = np.empty((n_samples, columns.size), np.float32)
        start = 0
        for view in views:
            _scale_rows(view, compact(columns), per_bit, out[start : start + len(view)])
            start += len(view)
        return np.add(out, offset, out=out) if offset.any() else out


def _scale_rows(view: NDArray[Any], columns: Columns, per_bit: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    if isinstance(columns, slice):
        np.multiply(view[:, columns], per_bit, out=out)
        return
    for a in range(0, len(view), _UV_ROWS):
        taken = np.take(view[a : a + _UV_ROWS], columns, axis=1)
        np.multiply(taken, per_bit, out=out[a : a + _UV_ROWS])


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
    factors = uv_per_bit_of(nev)
    source = Source(path)
    try:
        file = NsxFile(source, factors)
        tell(source, file.damage, stacklevel=3)
    except BaseException:
        source.close()
        raise
    return file
