# SPDX-License-Identifier: MIT
"""Spikes and events: ``.nev`` files of Blackrock and Ripple.

Opening reads the headers. Packets are looked at when something of them is asked for: in one pass, once, whatever
is asked for afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import TimeBase, find_time_base
from ..format import tables
from ..source.growth import POLL_S, FollowOptions, poll_growth
from ..source.objects import Openable
from ..source.reference import check_same_headers, open_file
from .comments import Comment
from .headers import NevHeaders
from .packets import PacketNumbers, Packets, Reset
from .spikes import N_IDS, N_UNITS, Spikes, as_numbers

_PADDING_BYTES = 4  # the last characters of UTF-16, or samples, are hardly ever all 0
_OF_THE_PACKETS = ("_packets", "_spikes", "time_origin_tick", "time_base")  # what is remembered of them


class NevFile(NevHeaders):
    """An open NEV file; `open_nev` makes one.

    Safe to share between threads. Pickles as its path, or bytes: a worker opens the file again, and refuses it if its
    headers are others by then. Arrays stay valid after `close`.

    Attributes
    ----------
    path : str
        The file; a name to print where it was no path.
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

    _part_of: tuple[NevFile, int] | None = None  # and its first packet, of one that `follow` gives

    def __enter__(self) -> NevFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._part_of is not None:
            whole, first = self._part_of
            return NevFile._part, (whole, first, first + self.n_packets)
        return partial(open_file, make=NevFile, digest=self.digest), (self._source.reopen_argument(),)

    def __repr__(self) -> str:
        return f"NevFile({self.path!r}: {self.spec}, {len(self.electrodes)} electrodes, {self.n_packets} packets)"

    def close(self) -> None:
        """Let go of the file; arrays handed out stay valid, but no packets can be asked for any more."""
        if self._part_of is None:
            self._source.close()
        for name in ("_packets", "_spikes"):
            self.__dict__.pop(name, None)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._source.closed

    @cached_property
    def _packets(self) -> Packets:
        return self._packets_there()

    def _packets_there(self) -> Packets:
        raw = self._source.view(np.dtype(f"V{self.packet_bytes}"), (self.n_packets,), self._start)
        return Packets(self.path, self._version, self.tick_rate, raw)

    @cached_property
    def _spikes(self) -> Spikes:
        return Spikes("spike", self._packets, self._waveform_shapes)

    @property
    def packets(self) -> NDArray[np.void]:
        """Every packet as it stands: ``tick``, ``packet_id``, ``payload``; a read-only view of the file."""
        return self._packets.raw.view(self._version.any_packet.dtype(self.packet_bytes))

    @cached_property
    def time_origin_tick(self) -> int:
        """The tick that `time_origin` stands for.

        In 3.0 that of the first recording event, whatever its reason, or of the first packet where there is no such
        event; else 0.
        """
        if self._part_of is not None:
            return self._part_of[0].time_origin_tick
        rows = self._packets.rows("recording")
        if rows.size:
            return int(self._packets.columns.tick[rows[0]])
        return self._first_tick if self._version.origin_is_utc else 0

    @property
    def _first_tick(self) -> int:
        return self.tick_span[0] if self.tick_span else 0

    @cached_property
    def time_base(self) -> TimeBase:
        """Which moment a tick is, and how that is known."""
        if self._part_of is not None:
            return self._part_of[0].time_base
        why = f"the header's date stands for tick {self.time_origin_tick}"
        return find_time_base(self.time_origin, self.tick_rate, self._first_tick, self.time_origin_tick, why)

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
        if kind not in tables.EVENT_KINDS:
            raise ValueError(f"expected one of {', '.join(tables.EVENT_KINDS)}, found {kind!r}")
        rows = self._ordered(self._packets.rows(kind), sort)
        if kind in ("spike", "stim"):
            found = self._spikes if kind == "spike" else Spikes(kind, self._packets, self._waveform_shapes)
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
        asked = as_numbers(electrodes, N_IDS, "an electrode")
        ids = self._spikes.ids if asked is None else self._spikes.known(asked, self.electrodes, self.path)
        rows = self._spikes.rows(asked, as_numbers(units, N_UNITS, "a unit"), start_tick, stop_tick)
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

    def refresh(self) -> int:
        """Take in what was written since the file was opened, or looked at last; returns how many packets that is.

        A packet that is not whole is left for the next time. `n_packets` and `missing_bytes` are new then, and all
        that is asked for afterwards; arrays that were handed out stay what they were.

        Raises
        ------
        FormatError
            Where the file has become shorter, or was begun anew.
        ValueError
            Where the file was not opened by its path, or is a part that `follow` gave.
        """
        if self._part_of is not None:
            raise ValueError(f"{self.path}: this is a part of a file; refresh the file itself")
        self._source.update_size()
        check_same_headers(self._source, self.digest)
        n_packets, rest = divmod(self._source.size - self._start, self.packet_bytes)
        n_new, self.n_packets, self.missing_bytes = n_packets - self.n_packets, n_packets, -rest % self.packet_bytes
        if n_new:
            packets = self._packets_there()
            vars(self).update(_packets=packets, _spikes=Spikes("spike", packets, self._waveform_shapes))
            for name in _OF_THE_PACKETS[2:]:
                vars(self).pop(name, None)
        return n_new

    def follow(self, poll_s: float = POLL_S, timeout_s: float | None = None) -> Iterator[NevFile]:
        """Give the packets that are there, and then those that arrive, each time as a file of only those.

        Every packet is given once. The newest one waits for the next look, since it may be continued; where it is full
        to its end, for the next packet, or for the end.

        Parameters
        ----------
        poll_s : float
            Seconds from one look at the file to the next.
        timeout_s : float, optional
            End when nothing was written for so long; where it is not given, only whoever calls it ends it.

        Yields
        ------
        NevFile
            A part of this one, which can be asked for `spikes`, `events` and all else; it needs this one open.

        Raises
        ------
        FormatError, ValueError
            As `refresh`.
        """
        done = 0
        for found in poll_growth(self.refresh, lambda: self.n_packets, FollowOptions(poll_s, timeout_s)):
            stop = self._last_event() if found or self._is_full() else self.n_packets
            if stop > done:
                yield self._part(done, stop)
                done = stop
        if self.n_packets > done:
            yield self._part(done, self.n_packets)

    def _last_event(self) -> int:
        """Packet that the last event starts with."""
        ticks = self.packets["tick"]
        last = self.n_packets - 1
        while last > 0 and ticks[last] == np.iinfo(ticks.dtype).max:
            last -= 1
        return max(0, last)

    def _is_full(self) -> bool:
        """Whether the newest packet has no padding at its end, as one has that is continued."""
        return bool(self._packets.raw[-1:].view(np.uint8)[-_PADDING_BYTES:].any())

    def _part(self, first: int, stop: int) -> NevFile:
        other = object.__new__(NevFile)
        other.__dict__ |= {name: value for name, value in vars(self).items() if name not in _OF_THE_PACKETS}
        other._start += first * self.packet_bytes
        other.n_packets, other.missing_bytes, other._part_of = stop - first, 0, (self, first)
        return other

    def _ordered(self, rows: PacketNumbers, sort: str | None) -> PacketNumbers:
        if sort not in (None, "tick"):
            raise ValueError(f"expected sort None or 'tick', found {sort!r}")
        return self._packets.by_tick(rows) if sort else rows


def open_nev(path: Openable) -> NevFile:
    """Open spikes and events: a ``.nev`` file.

    Reads the headers only, whatever the file's size.

    Parameters
    ----------
    path : str, os.PathLike, bytes-like or binary file object
        The file; its first bytes decide what it is, whatever its name. Bytes are viewed where they are. An object
        that can seek is treated as in `open_nsx`, and its packets are read whole once something of them is asked for.

    Returns
    -------
    NevFile
        A context manager.

    Raises
    ------
    OSError
        Where the file cannot be opened or read.
    TypeError, ValueError
        Where it is no path, bytes or binary file object, or one that cannot be read or cannot seek.
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
    return open_file(path, NevFile)
