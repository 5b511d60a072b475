# SPDX-License-Identifier: MIT
"""An open NEV file: its headers, and its spikes, comments, digital inputs and other events as arrays.

Opening reads the headers. The first request for events scans all packets, once for all requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from math import nan
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, SupportsInt

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Epoch, TimeBase, TimedFile, find_time_base, requested_ticks
from ..errors import Damage, FormatError
from ..format import tables
from ..format.channel import warn_of_unknown_scale
from ..format.dates import date_of_systemtime, date_text
from ..format.header import checked_tick_rate, header_text, read_basic_header, read_extended_headers
from ..format.lookup import read_only
from ..format.notebook import Lane, summary_html
from ..format.numbers import integer
from ..format.text import counted, counts_text, ranges_text
from ..source.base import Closable, Source
from ..source.growth import POLL_S, FollowOptions, poll_growth
from ..source.objects import Openable
from ..source.reference import check_same_headers, header_digest, open_file
from ..traces.selection import ElectrodeChoice, ExcludeChoice, LabelChoice, TimeSelection, choose_electrodes, takes
from . import headers as nev_headers
from .comments import Comment, decode_comment, merge_comments
from .edges import find_edges
from .electrodes import Electrode, describe_electrodes
from .epochs import PacketEpochs, assign_by_resets, assign_packets, epochs_by_resets
from .packets import KIND_CODES, PacketNumbers, Packets, no_epochs
from .resets import Reset
from .spikes import N_IDS, N_UNITS, Spikes, distinct_numbers, number_list, unit_class

if TYPE_CHECKING:
    from ..traces.selection import Unpack

_COUNTED_AT_ONCE = 200_000  # packets of a file that shows its events unasked
_PADDING_BYTES = 4  # the last characters of UTF-16, or samples, are hardly ever all 0
_UV_PER_V = 1e6


@dataclass(frozen=True, eq=False)
class RecordedPackets:
    """The complete packets of a file, or of a part of it, at one moment; a file that has grown gets another."""

    source: Source
    version: tables.NevVersion
    tick_rate: int
    electrodes: Mapping[int, Electrode]
    packet_bytes: int
    start: int  # byte of the first packet
    n_packets: int
    missing_bytes: int
    find_epochs: Callable[[], tuple[Epoch, ...] | None] = no_epochs

    @cached_property
    def packets(self) -> Packets:
        """The packets, mapped."""
        raw = self.source.view(np.dtype(f"V{self.packet_bytes}"), (self.n_packets,), self.start)
        return Packets(self.source.path, self.version, self.tick_rate, raw, self.find_epochs)

    @cached_property
    def spikes(self) -> Spikes:
        """Those of spikes."""
        return Spikes("spike", self.packets, self.electrodes)

    @cached_property
    def own_epochs(self) -> tuple[Epoch, ...]:
        """The epochs by the order of these packets alone."""
        return epochs_by_resets(self.packets)

    @cached_property
    def tick_span(self) -> tuple[int, int] | None:
        """Lowest and highest timestamp of packets of known kinds; None without such a packet."""
        ticks = self.packets.heads.tick[self.packets.timed()]
        return (int(ticks.min()), int(ticks.max())) if ticks.size else None

    @cached_property
    def first_tick(self) -> int:
        """Timestamp of the first packet that is no stray; 0 without one."""
        return self.packets.first_tick(self.packets.timed())

    @cached_property
    def origin_tick(self) -> int:
        """The tick of the header's date."""
        starts = self.packets.numbers_of("recording")
        if starts.size:
            return int(self.packets.heads.tick[starts[0]])
        return self.first_tick if self.version.origin_at_first else 0

    @property
    def last_event(self) -> int:
        """Index of the packet that the last event starts with."""
        ticks = self.packets.raw.view(self.version.any_packet.dtype(self.packet_bytes))["tick"]
        last = self.n_packets - 1
        while last > 0 and ticks[last] == np.iinfo(ticks.dtype).max:
            last -= 1
        return max(0, last)

    @property
    def may_continue(self) -> bool:
        """Whether the newest packet is full to its end: only such a packet is continued."""
        return bool(self.packets.raw[-1:].view(np.uint8)[-_PADDING_BYTES:].any())


class NevFile(Closable, TimedFile):
    """An open NEV file; `open_nev` makes one.

    Safe to share between threads. Pickles as its path, or bytes: a worker reopens the file, and raises an error where
    its headers have changed. Arrays stay valid after `close`.

    Attributes
    ----------
    path : str
        The file; a name to print where it has no path.
    spec, vendor : str
        Version of the file specification, ``2.0`` to ``2.3`` or ``3.0``; ``blackrock`` or ``ripple``.
    tick_rate, sample_rate : int
        Timestamp ticks per second, and samples per second of the waveforms, Hz.
    time_origin : datetime or None
        Date of `time_origin_tick`, with the time zone UTC; None where the header has no valid date.
    time_origin_note : str
        What says that it is UTC: before 3.0 it may be local time, and the file does not say so.
    application, comment, array_name, map_file : str
        Texts of the headers; empty where the file has none.
    header_comments : tuple of str
        ECOMMENT headers, each with the CCOMMENT headers that continue it.
    processor_tick : int or None
        Ripple: the processor's 30 kHz clock at the start of the recording.
    electrodes : mapping of int to Electrode
        By electrode id. Spikes may come from electrodes that have no header.
    digital_labels, video_sources, trackables : tuple of DigitalLabel, VideoSource and Trackable
        Digital inputs, cameras and tracked objects.
    nsasexev : tuple of Triggers
        What makes digital events besides the digital port (2.0 to 2.2).
    unknown_headers : tuple of bytes
        Extended headers of an id that is not known, 32 bytes each.
    packet_bytes : int
        Bytes of each packet.
    damage : tuple of Damage
        Deviations from the specification in the headers, and a truncated last packet: offset, message, category.
    digest : bytes
        Size and checksum of the headers, by which a changed file is noticed.
    """

    _parent: NevFile | None = None  # of a part that `follow` yields

    def __init__(self, source: Source, zero_tick: int | None = None, epochs: tuple[Epoch, ...] | None = None) -> None:
        self._source, self.path, self._zero_tick = source, source.path, zero_tick
        self._last_assigned: tuple[PacketEpochs | None, object, object] = None, None, None
        damage: list[Damage] = []
        version, header = read_basic_header(source, tables.NEV_VERSIONS, damage)
        self._version, self.spec, self.vendor = version, version.name, version.vendor
        raw = read_extended_headers(source, version, header)
        self.digest = header_digest(source.read(version.basic.size, 0) + raw)
        self.packet_bytes, self.sample_rate = int(header["packet_bytes"]), int(header["sample_rate"])
        located = nev_headers.locate_packets(source, version, header, len(raw), damage)
        self._headers_end = located[0]
        self.tick_rate = checked_tick_rate(version, header, damage)
        self.time_origin = date_of_systemtime(header["time_origin"])
        self.time_origin_note = version.origin_note if self.time_origin else "the header has no valid date"
        self.application, self.comment = header_text(header, "application"), header_text(header, "comment")
        self.processor_tick: int | None = header.get("processor_tick")
        extended, self.unknown_headers = nev_headers.group_headers(version, raw)
        electrodes = describe_electrodes(version, header, extended, damage)
        self.electrodes: Mapping[int, Electrode] = read_only(
            electrodes, partial(_no_electrode, self.path, sorted(electrodes))
        )
        self.header_comments = nev_headers.header_comments(extended)
        self.array_name = nev_headers.first_text(extended, b"ARRAYNME")
        self.map_file = nev_headers.first_text(extended, b"MAPFILE")
        self.digital_labels = nev_headers.from_headers(nev_headers.DigitalLabel, extended[b"DIGLABEL"])
        self.video_sources = nev_headers.from_headers(nev_headers.VideoSource, extended[b"VIDEOSYN"])
        self.trackables = nev_headers.from_headers(nev_headers.Trackable, extended[b"TRACKOBJ"])
        self.nsasexev = nev_headers.triggers(extended)
        self.damage = tuple(damage)
        self._recorded = RecordedPackets(
            source, version, self.tick_rate, self.electrodes, self.packet_bytes, *located, find_epochs=lambda: epochs
        )
        self._refreshing = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._parent is not None:
            first = (self._recorded.start - self._headers_end) // self.packet_bytes
            return NevFile._part, (self._parent, first, first + self.n_packets)
        make = partial(NevFile, zero_tick=self._zero_tick, epochs=self._recorded.find_epochs())
        return partial(open_file, make=make, digest=self.digest), (self._source.reopen_argument(),)

    def __repr__(self) -> str:
        what = f"{self.spec}, {len(self.electrodes)} electrodes, {self.n_packets} packets"
        return f"NevFile({self.path!r}: {what}{', closed' if self.closed else ''})"

    def _repr_html_(self) -> str:
        is_counted = not self.closed and (self.n_packets <= _COUNTED_AT_ONCE or "packets" in vars(self._recorded))
        kinds = counts_text(self.kinds()) if is_counted else ""
        rows = [
            ("format", f"{self.vendor.capitalize()} NEV {self.spec}, {self.packet_bytes} bytes a packet"),
            ("recorded", date_text(self.time_origin)),
            ("electrodes", f"{len(self.electrodes)} described; waveforms at {self.sample_rate} Hz"),
            ("packets", self.n_packets),
            ("events", kinds if is_counted else "not counted yet (see .kinds())"),
            ("damage", f"{counted(len(self.damage), 'place')} (see .damage)" if self.damage else ""),
            ("", "closed" if self.closed else ""),
        ]
        return summary_html(self.path, rows, self.lanes() if is_counted else [])

    def lanes(self) -> list[Lane]:
        """From the first event to the last, in seconds after `zero_tick`: a bar of time."""
        span = self.tick_span
        return [Lane("events", [[(tick - self.zero_tick) / self.tick_rate for tick in span]] if span else [])]

    def close(self) -> None:
        """Close the file. Arrays that were read stay valid, but no more packets can be read."""
        if self._parent is None:
            self._source.close()
        self._recorded = replace(self._recorded)  # without what is mapped
        self._last_assigned = None, None, None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._source.closed

    @property
    def n_packets(self) -> int:
        """Complete packets in the file."""
        return self._recorded.n_packets

    @property
    def missing_bytes(self) -> int:
        """Bytes that the last packet lacks: above 0 where the recorder crashed or the copy was cut."""
        return self._recorded.missing_bytes

    @property
    def _whole(self) -> NevFile:
        """The file, of which this may be a part."""
        return self if self._parent is None else self._parent

    @property
    def _packets(self) -> Packets:
        return self._recorded.packets

    @property
    def _spikes(self) -> Spikes:
        return self._recorded.spikes

    @property
    def packets(self) -> NDArray[np.void]:
        """Every packet: ``tick``, ``packet_id``, ``payload``; a read-only view of the file."""
        return self._packets.raw.view(self._version.any_packet.dtype(self.packet_bytes))

    @property
    def time_origin_tick(self) -> int:
        """The tick of `time_origin`: in 3.0 of the first recording event, else of the first packet that is no stray.

        0 before 3.0.
        """
        return self._whole._recorded.origin_tick

    @property
    def time_base(self) -> TimeBase:
        """The date of one tick, and the evidence for it."""
        recorded = self._whole._recorded
        why = f"the header's date stands for tick {recorded.origin_tick}"
        return find_time_base(self.time_origin, self.tick_rate, recorded.first_tick, recorded.origin_tick, why)

    @property
    def zero_tick(self) -> int:
        """The tick that seconds count from: of the first packet that is no stray; 0 without a packet.

        A file that `open_recording` opened counts from the first sample of its recording (`Recording.zero_tick`).
        """
        whole = self._whole
        return whole._recorded.first_tick if whole._zero_tick is None else whole._zero_tick

    def _count_seconds_from(self, zero_tick: int) -> None:
        """Let seconds count from a tick."""
        self._zero_tick = zero_tick

    @property
    def tick_span(self) -> tuple[int, int] | None:
        """Lowest and highest timestamp of packets of known kinds; None without such a packet."""
        return self._recorded.tick_span

    @property
    def resets(self) -> tuple[Reset, ...]:
        """Where the recorder's clock was set back by the order of this file's packets alone, in file order.

        Time must go back by more than 0.1 s and stay back, and the packets on both sides must be of the same kinds
        and electrodes. The continuous files of a recording are better evidence: see `epochs`.
        """
        return self._packets.resets

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """Ticks from each setting of the clock to the next.

        A file that `open_recording` opened has the epochs of its continuous files; one alone those of its `resets`.
        """
        epochs = self._recorded.find_epochs()
        return self._recorded.own_epochs if epochs is None else epochs

    def _take_epochs(self, find_epochs: Callable[[], tuple[Epoch, ...] | None]) -> None:
        """Take the epochs of the recording's continuous files, which are found when they are first needed."""
        self._recorded = replace(self._recorded, find_epochs=find_epochs)

    @property
    def packet_epochs(self) -> PacketEpochs:
        """The epoch of every packet; of ambiguous ones two."""
        packets, epochs = self._packets, self._recorded.find_epochs()
        assigned, *of = self._last_assigned
        if assigned is None or of[0] is not packets or of[1] != epochs:  # it has grown
            assigned = assign_by_resets(packets) if epochs is None else assign_packets(packets, epochs)
            self._last_assigned = assigned, packets, epochs
        return assigned

    def datetime(self, tick: SupportsInt) -> datetime | None:
        """Date of a tick of the epoch of `time_origin_tick`, to the microsecond below; None without one."""
        return self.time_base.datetime(tick)

    def kinds(self) -> dict[tables.EventKind, int]:
        """Number of events of each kind in the file, in the order of `events`; a continued packet counts once."""
        counts = np.bincount(self._packets.heads.kind, minlength=len(KIND_CODES))
        return {kind: int(counts[KIND_CODES[kind]]) for kind in tables.EVENT_KINDS if counts[KIND_CODES[kind]]}

    def packets_of(self, kind: tables.EventKind) -> NDArray[np.intp]:
        """Index of the packet of each event of a kind, in file order, as in `events`."""
        return self._packets.numbers_of(kind)

    @takes(TimeSelection)
    def events(
        self, kind: tables.EventKind, sort: Literal["tick"] | None = None, **times: Unpack[TimeSelection]
    ) -> NDArray[np.void]:
        """Events of one kind: all, or those of a time.

        Parameters
        ----------
        kind : str
            One of those below; ``stim`` is Ripple's.
        sort : str, optional
            ``"tick"``: by time within each epoch, packets of equal time in file order. File order otherwise.
        start_tick, stop_tick, start_s, stop_s : optional
            As in `spikes`.

        Returns
        -------
        numpy.ndarray
            Structured, ``(n_events,)``: ``tick`` (int64) and the kind's fields; empty, of the same type, where
            the file has none.

            - spike, stim: ``electrode_id``, ``unit`` (spike), ``waveform``.
            - digital, serial: ``reason`` and ``value``; 2.0 to 2.2 ``analog_mv`` (5 inputs), Ripple
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
            Where `kind` is none of these.
        FormatError
            Where the file's packets are too short for the kind's fields.

        Notes
        -----
        Blackrock LB-0023 revision 7.00, "NEV data packets"; Ripple R01838 revision 07.

        Examples
        --------
        >>> import nevparse as nv
        >>> with nv.open_nev("session.nev") as nev:
        ...     nev.events("digital", stop_s=0.03)[["tick", "value"]].tolist()
        [(300, 1), (600, 0)]
        """
        if kind not in tables.EVENT_KINDS:
            raise ValueError(f"expected one of {', '.join(tables.EVENT_KINDS)}, found {kind!r}")
        span = requested_ticks(self, **times)
        numbers = self._ordered(self._packets.between(self._packets.numbers_of(kind), *span), sort)
        if kind in ("spike", "stim"):
            spikes = self._spikes_of(kind)
            return spikes.with_waveforms(numbers, spikes.ids)
        return self._packets.events(kind, numbers)

    def _spikes_of(self, kind: tables.EventKind) -> Spikes:
        return self._spikes if kind == "spike" else Spikes(kind, self._packets, self.electrodes)

    def _event_batches(self, kind: tables.EventKind, numbers: PacketNumbers) -> Iterator[NDArray[np.void]]:
        """Events of these packets as arrays of one type: of waveforms a few at a time."""
        if kind in ("spike", "stim"):
            return self._spikes_of(kind).batches(numbers)
        return iter([self._packets.events(kind, numbers)])

    def digital_edges(self) -> NDArray[np.void]:
        """Edges of the digital input's pins, in file order.

        Returns
        -------
        numpy.ndarray
            Structured, ``(n_edges,)``: ``tick`` (int64), ``packet`` (intp, as `Recording.locate` takes it), ``pin``
            (uint8: the bit of the event's value, from 0) and ``is_rising`` (bool). Before the first digital event
            every pin counts as low, except where its packet says which bits changed (3.0).

        Raises
        ------
        FormatError
            Where the file's packets are too short for digital events.
        """
        return find_edges(self.events("digital"), self.packets_of("digital"))

    def comments(self, merged: bool = True) -> tuple[Comment, ...]:
        """All comments, in file order.

        Parameters
        ----------
        merged : bool
            New systems write two packets for one comment: one with its colour, one with the time typing began.
            True makes one comment of two such neighbours, in this order, with the same text and at most 0.1 s apart.

        Raises
        ------
        FormatError
            Where the file's packets are too short for comments.

        Examples
        --------
        >>> import nevparse as nv
        >>> with nv.open_nev("session.nev") as nev:
        ...     [(comment.tick, comment.text) for comment in nev.comments()]
        [(450, 'stimulus on'), (1950, 'stimulus off')]
        """
        return self._comments_with_packets(merged)[0]

    def _comments_with_packets(self, merged: bool = True) -> tuple[tuple[Comment, ...], PacketNumbers]:
        """All comments, and the packets that have their ticks."""
        packets, events = self.packets_of("comment"), self.events("comment").tolist()
        comments = list(enumerate(decode_comment(self._version, self.tick_rate, *event) for event in events))
        kept = merge_comments(comments, self.tick_rate) if merged else comments
        return tuple(comment for _, comment in kept), packets[[place for place, _ in kept]]

    def spikes(
        self,
        electrodes: ElectrodeChoice = None,
        units: ElectrodeChoice = None,
        start_tick: int | None = None,
        stop_tick: int | None = None,
        waveforms: bool = True,
        sort: Literal["tick"] | None = None,
        *,
        labels: LabelChoice = None,
        exclude: ExcludeChoice = None,
        start_s: float | None = None,
        stop_s: float | None = None,
    ) -> NDArray[np.void]:
        """Spikes of some or all electrodes.

        Parameters
        ----------
        electrodes, units : int or iterable of int, optional
            Electrode ids, and unit numbers from 0 to 255 (see `unit_class`); all by default.
        start_tick, stop_tick : int, optional
            Only spikes from `start_tick` on and before `stop_tick`.
        waveforms : bool
            Whether to read the waveforms.
        sort : str, optional
            As in `events`.
        labels : str or iterable of str, optional
            Electrodes by name, or by patterns with ``*``, ``?`` and ``[...]``.
        exclude : int, str, or iterable of these, optional
            Electrode ids, and labels or patterns, to leave out of the electrodes that the others name.
        start_s, stop_s : float, optional
            Instead of ticks: seconds after the recording's first sample (see `zero_tick`), below 0 for what is before
            it.

        Returns
        -------
        numpy.ndarray
            Structured, ``(n_spikes,)``: ``tick`` (int64), ``electrode_id`` (uint16), ``unit`` (uint8) and
            ``waveform``, ``(n_points,)`` raw values of 8, 16 or 32 bits. Where electrodes differ, the widest sample
            and the most points are taken, and shorter waveforms end in zeros.

        Raises
        ------
        KeyError
            Where an electrode has neither a header nor a spike, or no electrode has a label.
        ValueError
            Where a unit is not a number from 0 to 255.

        Examples
        --------
        >>> import nevparse as nv
        >>> with nv.open_nev("session.nev") as nev:
        ...     spikes = nev.spikes(electrodes=1, start_s=0.01)
        ...     microvolts = nev.to_uv(spikes)
        >>> spikes["tick"][:3].tolist(), microvolts.shape
        ([448, 581, 714], (16, 48))
        """
        wanted = self._chosen_electrodes(electrodes, labels, exclude)
        ids = self._spikes.ids if wanted is None else wanted
        span = requested_ticks(self, start_tick, stop_tick, start_s, stop_s)
        numbers = self._ordered(self._spikes.select(wanted, number_list(units, N_UNITS, "a unit"), *span), sort)
        return self._spikes.with_waveforms(numbers, ids) if waveforms else self._spikes.without_waveforms(numbers)

    def _chosen_electrodes(
        self, electrodes: ElectrodeChoice, labels: LabelChoice, exclude: ExcludeChoice, also_known: Iterable[int] = ()
    ) -> list[int] | None:
        """The electrodes that a request names, in its order; None where it names none."""
        labels_of: dict[int, str] = {}
        if labels is not None or exclude is not None:
            labels_of = dict.fromkeys((*self._spikes.ids, *also_known), "")
            labels_of |= {key: electrode.label for key, electrode in self.electrodes.items()}
        ids = choose_electrodes(labels_of, electrodes=electrodes, labels=labels, exclude=exclude)
        wanted = number_list(ids, N_IDS, "an electrode")
        return None if wanted is None else self._spikes.check_electrodes(wanted, also_known)

    @takes(TimeSelection)
    def trains(
        self,
        waveforms: bool = False,
        sort: Literal["tick"] | None = None,
        *,
        electrodes: ElectrodeChoice = None,
        units: ElectrodeChoice = None,
        labels: LabelChoice = None,
        exclude: ExcludeChoice = None,
        **times: Unpack[TimeSelection],
    ) -> dict[tuple[int, int], NDArray[Any]]:
        """Spikes of every unit, or of those chosen.

        Parameters
        ----------
        waveforms : bool
            Whether to return spikes as `spikes` does, and not only their ticks.
        sort : str, optional
            As in `events`.
        electrodes, units, labels, exclude, start_tick, stop_tick, start_s, stop_s : optional
            As in `spikes`.

        Returns
        -------
        dict of (int, int) to numpy.ndarray
            By electrode id and unit, in their order: ticks (int64), or spikes. All are slices of one array.

        Examples
        --------
        >>> import nevparse as nv
        >>> with nv.open_nev("session.nev") as nev:
        ...     {unit: len(ticks) for unit, ticks in nev.trains(labels=["elec1", "elec2"], units=[1, 2]).items()}
        {(1, 1): 6, (1, 2): 4, (2, 1): 8, (2, 2): 4}
        """
        wanted = self._chosen_electrodes(electrodes, labels, exclude)
        span = requested_ticks(self, **times)
        numbers = None
        if (sort, wanted, units, *span) != (None,) * 5:
            numbers = self._spikes.select(wanted, number_list(units, N_UNITS, "a unit"), *span)
            numbers = self._ordered(numbers, sort)
        return self._spikes.trains(numbers, waveforms)

    def tracked_points(self, event: np.void) -> NDArray[Any]:
        """Coordinates of one tracking event.

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
        code, per_point = tables.POINT_CODES.get(types.get(int(event["node_id"]) + 1, ""), tables.POINT_CODE)
        numbers = np.frombuffer(event["points"].tobytes(), code, event["points"].nbytes // np.dtype(code).itemsize)
        n_points = min(int(event["n_points"]), numbers.size // per_point)
        return numbers[: n_points * per_point].reshape(n_points, per_point)

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
        if "waveform" not in (getattr(getattr(spikes, "dtype", None), "names", None) or ()):
            raise TypeError("expected spikes with waveforms, as spikes() or events('stim') give them")
        ids = distinct_numbers(spikes["electrode_id"], N_IDS)
        uv_per_bit = np.full(N_IDS, nan)
        uv_per_bit[ids] = [self._uv_per_bit(electrode_id) for electrode_id in ids]
        warn_of_unknown_scale(self.path, zip(ids, uv_per_bit[ids], strict=True), ", which are NaN")
        raw = spikes["waveform"]
        out = np.empty(raw.shape, np.float32)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a damaged header can have any scale
            scale = uv_per_bit.astype(np.float32)[spikes["electrode_id"]]
            np.multiply(raw, scale[:, np.newaxis], out=out, casting="same_kind")
        return out

    def _uv_per_bit(self, electrode_id: int) -> float:
        electrode, (first, last) = self.electrodes.get(electrode_id), self._version.stim_ids
        if electrode and electrode.stim_v_per_bit and first <= electrode_id <= last:
            return electrode.stim_v_per_bit * _UV_PER_V
        return electrode.uv_per_bit if electrode else nan

    @staticmethod
    def unit_class(unit: SupportsIndex) -> str:
        """Class of a unit number: ``unclassified`` (0), ``unit`` (1 to 16), ``noise`` (255) or ``reserved``."""
        return unit_class(integer(unit, "a unit"))

    def refresh(self) -> int:
        """Include the packets that were written since the file was opened or last refreshed; returns their number.

        `n_packets`, `missing_bytes` and all later requests include them; arrays that were read before do not change.
        A packet that is not complete yet waits for the next refresh.

        Raises
        ------
        FormatError
            Where the file has become shorter, another recording has replaced it, or its headers were not complete.
        ValueError
            Where the file was not opened by its path, or is a part that `follow` yielded.
        """
        if self._parent is not None:
            raise ValueError(f"{self.path}: this is a part of a file; refresh the file itself")
        with self._refreshing:  # of two polls at once the later one must not be undone by the other
            before = self._recorded
            self._source.update_size()
            check_same_headers(self._source, self.digest)
            if any(damage.code == nev_headers.CUT_HEADERS for damage in self.damage):
                if self._source.size == self._headers_end:
                    return 0
                raise FormatError("all headers when it was opened", "a part of them; reopen it", path=self.path)
            n_packets, cut_bytes = divmod(self._source.size - self._headers_end, self.packet_bytes)
            now = replace(before, n_packets=n_packets, missing_bytes=-cut_bytes % self.packet_bytes)
            if n_packets == before.n_packets:  # what is mapped and decoded stays valid
                vars(now).update(vars(before) | {"missing_bytes": now.missing_bytes})
            self._recorded = now
            return n_packets - before.n_packets

    def follow(self, poll_s: float = POLL_S, timeout_s: float | None = None) -> Iterator[NevFile]:
        """Yield the packets of the file, and then those that arrive, each time as a file of only those.

        Every packet comes once. The newest waits for the next poll, since packets that continue it may follow; one
        that is full to its end waits for the next packet, or for the end.

        Parameters
        ----------
        poll_s : float
            Seconds from one poll of the file to the next.
        timeout_s : float, optional
            Seconds without growth after which to end; never by default.

        Yields
        ------
        NevFile
            A part of this file, with `spikes`, `events` and so on, as long as this file is open.

        Raises
        ------
        FormatError, ValueError
            As `refresh`.
        """
        done, n_before = 0, self.n_packets
        for _ in poll_growth(self.refresh, lambda: self.n_packets, FollowOptions(poll_s, timeout_s)):
            recorded = self._recorded  # others may refresh the file meanwhile
            is_waiting = recorded.n_packets != n_before or recorded.may_continue
            stop, n_before = recorded.last_event if is_waiting else recorded.n_packets, recorded.n_packets
            if stop > done:
                yield self._part(done, stop)
                done = stop
        if self.n_packets > done:
            yield self._part(done, self.n_packets)

    def _part(self, first: int, stop: int) -> NevFile:
        part = object.__new__(NevFile)
        vars(part).update(vars(self))
        start = self._headers_end + first * self.packet_bytes
        part._recorded = replace(self._recorded, start=start, n_packets=stop - first, missing_bytes=0)
        part._parent = self
        return part

    def _ordered(self, numbers: PacketNumbers, sort: Literal["tick"] | None) -> PacketNumbers:
        """Packets in file order, or by time within each epoch."""
        if sort not in (None, "tick"):
            raise ValueError(f"expected sort None or 'tick', found {sort!r}")
        if sort is None:
            return numbers
        ticks = self._packets.heads.tick[numbers]
        if len(self._recorded.find_epochs() or (None, *self.resets)) == 1:
            return numbers[np.argsort(ticks, kind="stable")]
        return numbers[np.lexsort((ticks, self.packet_epochs.epoch[numbers]))]


def _no_electrode(path: str, known: list[int], electrode_id: int) -> str:
    return f"{path}: no header of electrode {electrode_id}; it has {ranges_text(known) or 'none'}"


def open_nev(path: Openable) -> NevFile:
    """Open spikes and events: a ``.nev`` file.

    Reads the headers only, whatever the file's size.

    Parameters
    ----------
    path : str, os.PathLike, bytes-like or binary file object
        The file; its first bytes decide what it is, not its name. Bytes are not copied. An object that can seek is
        treated as in `open_nsx`; all of its packets are read at the first request for events.

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
    FormatError, UnsupportedVersion
        Where it is not a NEV file, its header cannot be true, or its major version is not known.

    Warns
    -----
    TruncatedFile, DamagedFile
        Where the last packet is cut, which leaves all complete ones; where `NevFile.damage` lists more.
    UnknownVersion
        Where the minor version is not known and is read as the nearest one.

    Notes
    -----
    Blackrock LB-0023 revision 7.00, "NEV"; Ripple R01838 revision 07.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nev("session.nev") as nev:
    ...     nev.kinds(), nev.electrodes[1].label
    ({'spike': 150, 'digital': 4, 'serial': 2, 'comment': 2}, 'elec1')
    """
    return open_file(path, NevFile)
