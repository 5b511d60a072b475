# SPDX-License-Identifier: MIT
"""The packets of a NEV: finds the kind of each, and reads packets of one kind as a structured array.

One pass over the file keeps 12 bytes of each packet: timestamp, id, the byte behind the id and a code for the kind. All
else is read from the mapped file on request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import ROLLOVER, are_within
from ..errors import FormatError
from ..format import tables
from ..format.layout import Layout
from .comments import decode_packet_text, without_tick
from .resets import Reset, find_resets, first_in_line, group_of, unroll

PacketNumbers = NDArray[np.intp]  # indices of packets in the file
WaveformShape = tuple[np.dtype[Any], int]  # type and number of its samples
KIND_CODES: dict[str, int] = {kind: code for code, kind in enumerate(tables.EVENT_KINDS)}
CONTINUED = len(KIND_CODES)  # code of a packet that continues the one in front of it: its timestamp is all ones
NO_WAVEFORM: WaveformShape = np.dtype(tables.SAMPLE_16_BIT), 0
_SCAN_PACKETS = 16384  # read at a time, so that their pages are in the cache for every field
_BUFFER_BYTES = 256 * 1024  # stays in the cache
_MAX_TIMES_FILE = 8  # bound of an array of continued packets, relative to all packets of the file
_MAX_BYTES = 1 << 20  # or this, where the file is small
_TEXT_FIELDS = {"comment": ("text",), "log": ("application", "text"), "config": ("text",)}
_ID_FIELDS = {"spike": "electrode_id", "stim": "electrode_id", "unknown": "packet_id"}  # others have the same id


class PacketHeads(NamedTuple):
    """The first fields of every packet; `detail` is a spike's unit or a digital packet's reason.

    Ticks count on where a clock of 32 bits ran over; those in the file do not. Where 64 bits are in the file and 63 do
    not hold them, they are negative.
    """

    tick: NDArray[np.int64]
    packet_id: NDArray[np.uint16]
    detail: NDArray[np.uint8]
    kind: NDArray[np.uint8]


def no_epochs() -> None:
    """The epochs of continuous files where a NEV has none beside it."""


@dataclass(frozen=True, eq=False)
class Packets:
    """All packets of one file: `raw` are the file's own bytes, void ``(n_packets,)``.

    `find_epochs` finds the ticks of the continuous files of the recording, epoch by epoch; None without such files.
    """

    path: str
    version: tables.NevVersion
    tick_rate: int
    raw: NDArray[np.void]
    find_epochs: Callable[[], Sequence[tuple[int, int]] | None] = no_epochs

    @cached_property
    def heads(self) -> PacketHeads:
        """Timestamp, id, detail and kind of every packet; read-only."""
        any_packet, size = self.version.any_packet, self.raw.itemsize
        packets, raw_bytes = self.raw.view(any_packet.dtype(size)), self.raw.view(np.uint8).reshape(-1, size)
        in_file = packets["tick"], packets["packet_id"], raw_bytes[:, any_packet.offsets["payload"]]
        tick = np.empty(len(packets), np.int64)
        packet_id, detail = np.empty(len(packets), np.uint16), np.empty(len(packets), np.uint8)
        for start in range(0, len(packets), _SCAN_PACKETS):
            part = slice(start, start + _SCAN_PACKETS)
            tick[part], packet_id[part], detail[part] = (field[part] for field in in_file)
        kind = _kind_of_id(self.version)[packet_id]
        digital = np.flatnonzero(kind == KIND_CODES["digital"])
        kind[digital[(detail[digital] & tables.REASON_SERIAL) != 0]] = KIND_CODES["serial"]
        all_ones = np.array([any_packet.n_ticks - 1], np.uint64).view(np.int64)
        kind[tick == all_ones] = CONTINUED
        if self._has_32_bits:
            known = np.flatnonzero(have_time(kind))
            tick = self._unrolled(tick, group_of(kind[known], packet_id[known]), known)
        heads = PacketHeads(tick, packet_id, detail, kind)
        for field in heads:
            field.flags.writeable = False
        return heads

    def _unrolled(
        self, ticks: NDArray[np.int64], groups: NDArray[np.uint32], known: PacketNumbers
    ) -> NDArray[np.int64]:
        """Count on where 32 bits ran over: by the times of the continuous files, else by the order of packets."""
        first = self._first_of_32_bits()
        if first is not None:
            return first + (ticks - first) % ROLLOVER
        by_order = unroll(ticks, groups, known, self.tick_rate)
        if by_order is not ticks and self._ran_over_before_files(ticks[known], by_order[known]):
            return ticks
        return by_order

    def _ran_over_before_files(self, ticks: NDArray[np.int64], by_order: NDArray[np.int64]) -> bool:
        """Whether no packet from before a rollover is in the continuous files, which then count from behind it."""
        epochs, ahead = self.find_epochs(), ticks[by_order == ticks]
        if not epochs or ahead.size == ticks.size or max(stop for _, stop in epochs) > ROLLOVER:
            return False
        return not any(((ahead >= start) & (ahead < stop)).any() for start, stop in epochs)

    def _first_of_32_bits(self) -> int | None:
        """The first of the only 32 bits around the times of the continuous files; None where these decide nothing."""
        epochs = self.find_epochs() or ()
        start, stop = min((start for start, _ in epochs), default=0), max((stop for _, stop in epochs), default=0)
        return None if stop <= ROLLOVER or stop - start >= ROLLOVER else (start + stop - ROLLOVER) // 2

    def rolled_over_unseen(self, packets: PacketNumbers) -> NDArray[np.int64]:
        """Ticks to add to what a reader gets who has only these packets, of known kinds; one number where all agree."""
        ticks = self.heads.tick[packets]
        in_file: NDArray[np.int64] = ticks % self.version.any_packet.n_ticks
        if not self._has_32_bits or self._first_of_32_bits() is not None:
            return np.atleast_1d((ticks - in_file).min())  # the continuous files decide, those of a cut as well
        groups = group_of(self.heads.kind[packets], self.heads.packet_id[packets])
        return np.unique(ticks - self._unrolled(in_file, groups, np.arange(packets.size)))

    def numbers_of(self, kind: str) -> PacketNumbers:
        """Indices of the packets of one kind, in file order."""
        return np.flatnonzero(self.heads.kind == KIND_CODES[kind])

    def between(self, numbers: PacketNumbers, start_tick: int | None, stop_tick: int | None) -> PacketNumbers:
        """Those of some packets whose timestamps are in a half-open range."""
        if (start_tick, stop_tick) == (None, None):
            return numbers
        return numbers[are_within(self.heads.tick[numbers], start_tick, stop_tick)]

    def timed(self) -> PacketNumbers:
        """Indices of the packets whose timestamps can be trusted."""
        return np.flatnonzero(have_time(self.heads.kind))

    def first_tick(self, packets: PacketNumbers) -> int:
        """The first tick of some packets of known kinds that is no stray's; 0 without any."""
        return first_in_line(self.heads.tick[packets[:_SCAN_PACKETS]], self.tick_rate) if packets.size else 0

    @cached_property
    def resets(self) -> tuple[Reset, ...]:
        """Where the clock was set back, in file order."""
        packets = self.timed()
        tick, packet_id, _, kind = self.heads
        return find_resets(tick[packets], group_of(kind[packets], packet_id[packets]), packets, self.tick_rate)

    @property
    def _has_32_bits(self) -> bool:
        """Whether the clock can run over: in the files before 3.0."""
        return self.version.any_packet.n_ticks == ROLLOVER

    @property
    def _tick_bytes(self) -> int:
        return self.version.any_packet.offsets["packet_id"]

    @cached_property
    def _continuations(self) -> tuple[PacketNumbers, PacketNumbers]:
        """Packets that continue others; and for each a number shared by all continuations of one packet."""
        numbers = np.flatnonzero(self.heads.kind == CONTINUED)
        return numbers, numbers - np.arange(numbers.size)

    def _n_continuations(self, numbers: PacketNumbers) -> PacketNumbers:
        """Packets that continue each of these."""
        continuations, less_rank = self._continuations
        rank = np.searchsorted(continuations, numbers)  # of a continuation that would follow at once
        return np.searchsorted(less_rank, numbers + 1 - rank, "right") - rank

    def layout(self, kind: str) -> Layout:
        """The table of a kind's packet; of short digital packets with the fields that they hold."""
        if kind not in ("digital", "serial"):
            return self.version.packets[kind]
        layout = self.version.packets["digital"]
        return layout.up_to(max(self.raw.itemsize, layout.offsets["value"] + 2))

    def joined_size(self, kind: str, numbers: PacketNumbers) -> int:
        """Bytes of the longest of these packets joined with its continuations.

        FormatError where packets are too short for the kind's fields, or where a few have so many continuations that
        an array of all would be far larger than the file.
        """
        min_bytes, size = self.layout(kind).size, self.raw.itemsize
        if not numbers.size:
            return max(min_bytes, size)
        n_bytes = size + int(self._n_continuations(numbers).max()) * (size - self._tick_bytes)
        if n_bytes < min_bytes:
            offset = self.version.basic.offsets["packet_bytes"]
            expected = f"packets of {min_bytes} bytes or more for {kind}"
            raise FormatError(expected, f"{size}", path=self.path, offset=offset)
        self._check_size(numbers.size * n_bytes)
        return n_bytes

    def _check_size(self, n_bytes: int) -> None:
        max_bytes = self.raw.nbytes * _MAX_TIMES_FILE + _MAX_BYTES
        if n_bytes > max_bytes:
            expected = f"continued packets that fit {max_bytes} bytes as one array (.packets has each by itself)"
            raise FormatError(expected, f"{n_bytes}", path=self.path)

    def read(
        self, kind: str, numbers: PacketNumbers, n_bytes: int, waveform: WaveformShape = NO_WAVEFORM
    ) -> NDArray[np.void]:
        """Read packets of a kind in the order of `numbers`, each joined with its continuations to `n_bytes`.

        A structured array: ``tick`` as int64, the id unless the kind has only one, and the kind's fields.
        """
        packet_dtype = _packet_dtype(self.layout(kind), kind, n_bytes, waveform)
        fields = {name: packet_dtype[name] for name in packet_dtype.names or ()} | {"tick": np.dtype(np.int64)}
        out = np.empty(len(numbers), list(fields.items()))
        step = max(1, _BUFFER_BYTES // n_bytes)
        buffer = np.empty(min(step, len(numbers)), f"V{n_bytes}")
        for start in range(0, len(numbers), step):
            some = numbers[start : start + step]
            joined = self._join(some, buffer[: some.size]).view(packet_dtype)
            for name in fields:
                out[name][start : start + step] = self.heads.tick[some] if name == "tick" else joined[name]
        return out

    def _join(self, numbers: PacketNumbers, out: NDArray[np.void]) -> NDArray[np.void]:
        """Copy each packet to `out`, followed by the payloads of its continuations and zeros."""
        size, tick_bytes = self.raw.itemsize, self._tick_bytes
        if out.itemsize == size:
            return np.take(self.raw, numbers, out=out, mode="clip")
        packets, joined = self.raw.view(np.uint8).reshape(-1, size), out.view(np.uint8).reshape(-1, out.itemsize)
        joined[:] = 0
        joined[:, :size] = packets[numbers]
        n_continuations = self._n_continuations(numbers)
        for row in np.flatnonzero(n_continuations):
            first = numbers[row] + 1
            payloads = packets[first : first + n_continuations[row], tick_bytes:].reshape(-1)
            joined[row, size : size + payloads.size] = payloads
        return out

    def events(self, kind: str, numbers: PacketNumbers) -> NDArray[np.void]:
        """Read packets of a kind without waveforms, and decode their texts."""
        events = self.read(kind, numbers, self.joined_size(kind, numbers))
        if kind == "serial":
            events["value"] &= tables.SERIAL_VALUE_MASK
        if kind not in _TEXT_FIELDS:
            return events
        fields: dict[str, NDArray[Any]] = {name: events[name] for name in events.dtype.names or ()}
        charsets = fields.get("charset", np.full(len(events), tables.CHARSET_ANSI)).tolist()
        for name in _TEXT_FIELDS[kind]:
            raw = fields[name].tolist() if name in fields else [b""] * len(events)
            if kind == "comment" and self._has_32_bits:
                ticks = self.raw.view(self.version.any_packet.dtype(self.raw.itemsize))["tick"][numbers]
                raw = [
                    without_tick(text, tick.tobytes()) if charset == tables.CHARSET_ANSI else text
                    for text, tick, charset in zip(raw, ticks, charsets, strict=True)
                ]
            texts = list(map(decode_packet_text, raw, charsets))
            longest = max(1, max(map(len, texts), default=1))
            self._check_size(len(texts) * np.dtype(f"U{longest}").itemsize)
            fields[name] = np.array(texts, f"U{longest}")
        out = np.empty(len(events), [(name, values.dtype) for name, values in fields.items()])
        for name, values in fields.items():
            out[name] = values
        return out


def have_time(kind: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether packets of these kinds have a time: those of a document have, unless they continue another."""
    is_timed: NDArray[np.bool_] = (kind != KIND_CODES["unknown"]) & (kind != CONTINUED)
    return is_timed


def continued_packets(kind: NDArray[np.uint8]) -> PacketNumbers:
    """For each packet the one that it continues, or itself; -1 for one that continues nothing."""
    continued: PacketNumbers = np.maximum.accumulate(np.where(kind == CONTINUED, -1, np.arange(kind.size)))
    return continued


def _kind_of_id(version: tables.NevVersion) -> NDArray[np.uint8]:
    """Code of the kind of each packet id."""
    kinds = np.full(1 << 16, KIND_CODES["unknown"], np.uint8)
    for kind, (first, last) in (("spike", version.spike_ids), ("stim", version.stim_ids)):
        kinds[first : last + 1] = KIND_CODES[kind]
    for number, kind in version.system_ids.items():
        kinds[number] = KIND_CODES[kind]
    return kinds


@lru_cache(maxsize=64)
def _packet_dtype(layout: Layout, kind: str, n_bytes: int, waveform: WaveformShape) -> np.dtype[np.void]:
    """A joined packet as numpy reads it: its table, with waveform or points up to its end."""
    fields: dict[str, Any] = {name: field[:2] for name, field in (layout.dtype(n_bytes).fields or {}).items()}
    open_ends = {"waveform": waveform, "points": ("<u2", (n_bytes - layout.size) // 2)}
    for name, (code, count) in open_ends.items():
        if name in layout.offsets:
            fields[name] = np.dtype((code, (count,))), layout.offsets[name]
    packet_id = fields.pop("packet_id")
    if kind in _ID_FIELDS:
        fields = {"tick": fields.pop("tick"), _ID_FIELDS[kind]: packet_id, **fields}
    formats, offsets = zip(*fields.values(), strict=True)
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": n_bytes})
