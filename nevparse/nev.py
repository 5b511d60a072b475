# SPDX-License-Identifier: MIT
"""Spikes and events: ``.nev`` files of Blackrock and Ripple.

Opening reads the headers. Packets are looked at when something of them is asked for: in one pass, once, whatever
is asked for afterwards.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from math import nan
from types import MappingProxyType
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import NDArray

from . import _nev_headers, spec
from ._comments import Comment
from ._headers import Damage, basic_header, digest_of, extended_headers, header_text, identify, opened, reopened
from ._nev_headers import Electrode
from ._packets import Packets, Reset, Rows
from ._source import Source
from ._spikes import N_IDS, N_UNITS, Spikes, numbers_of, occurring
from ._time import TimeBase, time_base
from ._units import ranges_text, system_time
from .errors import UnknownScale

_UV_PER_V = 1e6


class NevFile:
    """An open NEV file; `open_nev` makes one.

    Safe to share between threads. Pickles as its path: a worker opens the file again, and refuses it if its headers
    are others by then. Arrays stay valid after `close`.

    Attributes
    ----------
    path : str
        The file.
    spec : str
        Version of the file specification: ``2.0`` to ``2.3`` or ``3.0``.
    vendor : str
        ``blackrock`` or ``ripple``.
    tick_rate : int
        Timestamp ticks per second, Hz.
    sample_rate : int
        Samples per second of the waveforms, Hz.
    time_origin : datetime or None
        When `time_origin_tick` was: aware (UTC) in 3.0, naive before; None where the header has no valid date.
    time_origin_note : str
        Whose time that is, as far as the file says.
    application, comment, array_name, map_file : str
        Texts of the headers, empty where there is none.
    header_comments : tuple of str
        ECOMMENT headers, each with the CCOMMENT headers that continue it.
    processor_tick : int or None
        Ripple: the processor's 30 kHz clock at the start of the recording.
    electrodes : mapping of int to Electrode
        By electrode id. Spikes may come from electrodes that have no header.
    digital_labels : tuple of DigitalLabel
        Digital inputs.
    video_sources : tuple of VideoSource
        Cameras.
    trackables : tuple of Trackable
        Tracked objects.
    nsasexev : tuple of Triggers
        What else makes digital events (2.0 to 2.2).
    unknown_headers : tuple of bytes
        Extended headers of an id that is not known, 32 bytes each.
    packet_bytes, n_packets : int
        Bytes of each packet; whole packets in the file.
    missing_bytes : int
        What the last, cut packet lacks: above 0 where the recorder crashed or the copy was cut.
    damage : tuple of Damage
        Everything odd that was met on opening: byte offset, message, warning category.
    digest : bytes
        What tells these headers from others.
    """

    def __init__(self, source: Source) -> None:
        self._source, self.path = source, source.path
        found, header = basic_header(source, identify(source, spec.NEV_SPECS, "a NEV file"))
        self._found, self.spec, self.vendor = found, found.name, found.vendor
        damage: list[Damage] = []
        self.packet_bytes = _nev_headers.packet_bytes(source, found, header)
        extended = extended_headers(source, found, header)
        self._start, self.n_packets, self.missing_bytes = _nev_headers.extent(
            source, found, header, len(extended), damage
        )
        self.tick_rate, self.sample_rate = _nev_headers.tick_rate(found, header, damage), int(header["sample_rate"])
        self.time_origin = system_time(header["time_origin"], utc=found.origin_is_utc)
        self.time_origin_note = found.origin_note if self.time_origin else "the header has no valid date"
        self.application, self.comment = header_text(header, "application"), header_text(header, "comment")
        self.processor_tick: int | None = header.get("processor_tick")
        self.digest = digest_of(source.read(found.basic.size, 0) + extended)
        all_16_bit = bool(header["flags"] & spec.FLAG_ALL_16_BIT)
        self._read_extended(extended, all_16_bit, damage)
        self.damage = tuple(damage)

    def _read_extended(self, raw: bytes, all_16_bit: bool, damage: list[Damage]) -> None:
        headers, self.unknown_headers = _nev_headers.grouped(self._found, raw)
        described, self._stated = _nev_headers.electrodes(self._found, headers, all_16_bit, self.packet_bytes, damage)
        self.electrodes: Mapping[int, Electrode] = MappingProxyType(described)
        self.header_comments = _nev_headers.header_comments(headers)
        self.array_name = _nev_headers.first_text(headers, b"ARRAYNME")
        self.map_file = _nev_headers.first_text(headers, b"MAPFILE")
        self.digital_labels = _nev_headers.digital_labels(headers)
        self.video_sources = _nev_headers.video_sources(headers)
        self.trackables = _nev_headers.trackables(headers)
        self.nsasexev = _nev_headers.triggers(headers)

    def __enter__(self) -> NevFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return reopened, (open_nev, os.path.abspath(self.path), self.digest)

    def __repr__(self) -> str:
        return f"NevFile({self.path!r}: {self.spec}, {len(self.electrodes)} electrodes, {self.n_packets} packets)"

    def close(self) -> None:
        """Let go of the file; arrays handed out stay valid, but no packets can be asked for any more."""
        self._source.close()
        for name in ("_packets", "_spikes"):
            self.__dict__.pop(name, None)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._source.closed

    @cached_property
    def _packets(self) -> Packets:
        raw = self._source.view(np.dtype(f"V{self.packet_bytes}"), (self.n_packets,), self._start)
        return Packets(self.path, self._found, self.tick_rate, raw)

    @cached_property
    def _spikes(self) -> Spikes:
        return Spikes("spike", self._packets, self._stated)

    @property
    def packets(self) -> NDArray[np.void]:
        """Every packet as it stands: ``tick``, ``packet_id``, ``payload``; a read-only view of the file."""
        return self._packets.raw.view(self._found.any_packet.dtype(self.packet_bytes))

    @cached_property
    def time_origin_tick(self) -> int:
        """The tick that `time_origin` stands for.

        In 3.0 that of the first recording event, whatever its reason, or of the first packet where there is no such
        event; else 0.
        """
        rows = self._packets.rows("recording")
        if rows.size:
            return int(self._packets.columns.tick[rows[0]])
        return self._first_tick if self._found.origin_is_utc else 0

    @property
    def _first_tick(self) -> int:
        return self.tick_span[0] if self.tick_span else 0

    @cached_property
    def time_base(self) -> TimeBase:
        """Which moment a tick is, and how that is known."""
        why = f"the header's date stands for tick {self.time_origin_tick}"
        return time_base(self.time_origin, self.tick_rate, self._first_tick, self.time_origin_tick, why)

    @property
    def tick_span(self) -> tuple[int, int] | None:
        """Lowest and highest timestamp of packets of known kinds; None where there is no such packet."""
        return self._packets.tick_span()

    @property
    def resets(self) -> tuple[Reset, ...]:
        """Where the recorder's clock was set back, in file order.

        Packets a little out of order, which both vendors write, are not resets: time must step back by more than a
        second, or by more than a tenth of a second to less than a tenth of what it was, and the packet after that
        must not come back. Packets of unknown kinds are not looked at.
        """
        return self._packets.resets

    def datetime(self, tick: SupportsInt) -> datetime | None:
        """When a tick was, to the microsecond below; None without a date, or beyond the calendar.

        The tick is taken to lie on the same side of any reset as `time_origin_tick`.
        """
        return self.time_base.datetime(tick)

    def kinds(self) -> dict[str, int]:
        """Every kind of event in the file with its count, in the order of `events`.

        A packet that only continues the one before it is not counted.
        """
        return self._packets.counts()

    def packets_of(self, kind: str) -> NDArray[np.intp]:
        """Numbers of the packets that the events of a kind stand in, in file order as `events` has them."""
        return self._packets.rows(kind)

    def events(self, kind: str, sort: str | None = None) -> NDArray[np.void]:
        """All events of one kind.

        Parameters
        ----------
        kind : str
            ``spike``, ``stim`` (Ripple), ``digital``, ``serial``, ``comment``, ``video_sync``, ``tracking``,
            ``button``, ``log``, ``config``, ``recording`` or ``unknown``.
        sort : str, optional
            ``"tick"``: by time, packets of equal time as they stood. As in the file otherwise.

        Returns
        -------
        numpy.ndarray
            Structured, ``(n_events,)``: ``tick`` (uint64) and the kind's fields; empty, of the same type, where
            the file has none.

            - spike, stim: ``electrode_id``, ``unit`` (spike), ``waveform``.
            - digital, serial: ``reason`` as it stands and ``value``; 2.0 to 2.2 ``analog_mv`` (5 inputs), Ripple
              ``sma`` (4 inputs), 3.0 ``bits_changed`` and ``event_type``.
            - comment: ``charset``, ``flag``, ``data``, ``text``; one for each packet (see `comments`).
            - video_sync: ``file_number``, ``frame_number``, ``elapsed_ms``, ``source_id``.
            - tracking: ``parent_id``, ``node_id``, ``node_count``, ``n_points``, ``points`` (see `tracked_points`).
            - button: ``trigger`` (1 press, 2 reset). recording: ``reason`` (0 start, 1 stop, 2 pause, 3 resume).
            - log: ``mode``, ``application``, ``text``. config: ``change`` (0 normal, 1 critical), ``text``.
            - unknown: ``packet_id``, ``payload``.

        Raises
        ------
        ValueError
            Where there is no such kind.
        FormatError
            Where the file's packets are too short for the kind's own fields.

        Notes
        -----
        Blackrock LB-0023 revision 7.00, "NEV data packets"; Ripple R01838 revision 07.
        """
        if kind not in spec.EVENT_KINDS:
            raise ValueError(f"expected one of {', '.join(spec.EVENT_KINDS)}, found {kind!r}")
        rows = self._ordered(self._packets.rows(kind), sort)
        if kind in ("spike", "stim"):
            found = self._spikes if kind == "spike" else Spikes(kind, self._packets, self._stated)
            return found.with_waveforms(rows, found.ids)
        return self._packets.events(kind, rows)

    def comments(self, merged: bool = True) -> tuple[Comment, ...]:
        """All comments, in file order.

        Parameters
        ----------
        merged : bool
            New systems write two packets for one comment: one with its colour, one with the time it was begun.
            Where two such packets follow each other under the same text, they are one comment; False keeps them
            apart.

        Raises
        ------
        FormatError
            Where the file's packets are too short for comments.
        """
        return self._packets.comments(merge=merged)

    def tracked_points(self, event: np.void) -> NDArray[Any]:
        """The coordinates of one tracking event.

        Parameters
        ----------
        event : numpy.void
            One row of ``events("tracking")``.

        Returns
        -------
        numpy.ndarray
            uint16 ``(n, 2)``, or ``(n, 3)`` for 3-D markers, from the lower left; uint32 ``(n, 1)`` for marker
            sizes. Fewer points than ``n_points`` where the packet is too short for them.
        """
        types = {trackable.trackable_id: trackable.type for trackable in self.trackables}
        code, per_point = spec.POINT_CODES.get(types.get(int(event["node_id"]) + 1, ""), spec.POINT_CODE)
        numbers = np.frombuffer(event["points"].tobytes(), code, event["points"].nbytes // np.dtype(code).itemsize)
        n_points = min(int(event["n_points"]), numbers.size // per_point)
        return numbers[: n_points * per_point].reshape(n_points, per_point)

    def spikes(
        self,
        electrodes: int | Iterable[int] | None = None,
        units: int | Iterable[int] | None = None,
        start_tick: int | None = None,
        stop_tick: int | None = None,
        waveforms: bool = True,
        sort: str | None = None,
    ) -> NDArray[np.void]:
        """Spikes, in one pass.

        Parameters
        ----------
        electrodes : int or iterable of int, optional
            Electrode ids; all where not given.
        units : int or iterable of int, optional
            Unit numbers, 0 to 255; all where not given. See `unit_class`.
        start_tick, stop_tick : int, optional
            Only spikes from `start_tick` on and before `stop_tick`.
        waveforms : bool
            False leaves the waveforms in the file.
        sort : str, optional
            ``"tick"``: by time, spikes of equal time as they stood. As in the file otherwise.

        Returns
        -------
        numpy.ndarray
            Structured, ``(n_spikes,)``: ``tick`` (uint64), ``electrode_id`` (uint16), ``unit`` (uint8) and
            ``waveform``, ``(n_points,)`` raw values of 8, 16 or 32 bits. Where electrodes differ, the widest sample
            and the most points are taken, and shorter waveforms end in zeros.

        Raises
        ------
        KeyError
            Where an electrode has neither a header nor a spike.
        ValueError
            Where a unit is not a number from 0 to 255.
        """
        asked = numbers_of(electrodes, N_IDS, "an electrode")
        ids = self._spikes.ids if asked is None else self._spikes.known(asked, self.electrodes, self.path)
        rows = self._spikes.rows(asked, numbers_of(units, N_UNITS, "a unit"), start_tick, stop_tick)
        rows = self._ordered(rows, sort)
        return self._spikes.with_waveforms(rows, ids) if waveforms else self._spikes.without_waveforms(rows)

    def trains(self, waveforms: bool = False, sort: str | None = None) -> dict[tuple[int, int], NDArray[Any]]:
        """Every unit's spikes, all in one pass.

        Parameters
        ----------
        waveforms : bool
            True gives what `spikes` gives for each unit; False its ticks.
        sort : str, optional
            As in `spikes`.

        Returns
        -------
        dict of (int, int) to numpy.ndarray
            By electrode id and unit, in their order: ticks (uint64), or spikes. All are slices of one array.
        """
        rows = None if sort is None else self._ordered(self._packets.rows("spike"), sort)
        return self._spikes.trains(rows, waveforms)

    def to_uv(self, spikes: NDArray[np.void]) -> NDArray[np.float32]:
        """Waveforms in microvolts.

        Parameters
        ----------
        spikes : numpy.ndarray
            From `spikes`, or ``events("stim")``.

        Returns
        -------
        numpy.ndarray
            float32 ``(n_spikes, n_points)``; NaN for electrodes without a scale.

        Warns
        -----
        UnknownScale
            Where an electrode has no scale.
        """
        ids = occurring(spikes["electrode_id"], N_IDS).tolist()
        per_bit = np.full(N_IDS, nan)
        per_bit[ids] = [self._uv_per_bit(number) for number in ids]
        without = [number for number in ids if np.isnan(per_bit[number])]
        if without:
            message = f"{self.path}: no scale for electrodes {ranges_text(without)}; their microvolts are NaN"
            warnings.warn(message, UnknownScale, stacklevel=2)
        raw = spikes["waveform"]
        out = np.empty(raw.shape, np.float32)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a header can claim any scale
            scale = per_bit.astype(np.float32)[spikes["electrode_id"]]
            np.multiply(raw, scale[:, np.newaxis], out=out, casting="same_kind")
        return out

    @staticmethod
    def unit_class(unit: SupportsInt) -> str:
        """What a unit number means: ``unclassified`` (0), ``unit`` (1 to 16), ``noise`` (255) or ``reserved``."""
        return "unit" if int(unit) in spec.UNITS_SORTED else spec.UNIT_CLASSES.get(int(unit), "reserved")

    def _uv_per_bit(self, electrode_id: int) -> float:
        electrode = self.electrodes.get(electrode_id)
        if electrode is None:
            return nan
        if electrode.stim_v_per_bit and electrode_id in range(self._found.stim_ids[0], self._found.stim_ids[1] + 1):
            return electrode.stim_v_per_bit * _UV_PER_V
        return electrode.uv_per_bit

    def _ordered(self, rows: Rows, sort: str | None) -> Rows:
        if sort not in (None, "tick"):
            raise ValueError(f"expected sort None or 'tick', found {sort!r}")
        return self._packets.by_tick(rows) if sort else rows


def open_nev(path: str | os.PathLike[str]) -> NevFile:
    """Open spikes and events: a ``.nev`` file.

    Reads the headers only, whatever the file's size.

    Parameters
    ----------
    path : str or os.PathLike
        The file; its first bytes decide what it is, whatever its name.

    Returns
    -------
    NevFile
        A context manager.

    Raises
    ------
    OSError
        Where the file cannot be opened.
    FormatError
        Where it is not a NEV file or its header cannot be true.
    UnsupportedVersion
        Where its major version is not known.

    Warns
    -----
    TruncatedFile
        Where the last packet is cut; all whole packets are there.
    DamagedFile
        Where something contradicts the specification; `NevFile.damage` lists it.
    UnknownVersion
        Where the minor version is not known and is read as the nearest one.

    Notes
    -----
    Blackrock LB-0023 revision 7.00, "NEV"; Ripple R01838 revision 07.
    """
    return opened(path, NevFile)
