# SPDX-License-Identifier: MIT
"""The packets of a NEV: which is what, in one pass, and any of them as structured arrays.

The pass keeps three columns (timestamp, id, and the byte behind the id) and a code for the kind: 8 bytes a packet,
12 where timestamps have 64 bits. All else is gathered from the mapped file when it is asked for, whole packets
at a time through a buffer that stays in cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..errors import FormatError
from ..format import tables
from ..format.layout import Layout
from .comments import Comment, decode_comment, decoded_text, merge_halves
from .electrodes import Shape

PacketNumbers = NDArray[np.intp]
CODES = {kind: code for code, kind in enumerate(tables.EVENT_KINDS)}
CONTINUED = len(CODES)  # of a packet that goes on with the one before it: no event of its own
_SCAN_ROWS = 16384  # the columns of a chunk are read while its pages are in cache
_GATHER_BYTES = 256 * 1024  # the buffer that gathered packets pass through
_ROOM_TIMES_FILE = 8  # how much larger than the packets an array of them may be, when some are continued
_ROOM_FLOOR_BYTES = 1 << 20
_TEXTS = {"comment": ("text",), "log": ("application", "text"), "config": ("text",)}
_ID_FIELD = {"spike": "electrode_id", "stim": "electrode_id", "unknown": "packet_id"}  # in all others the kind says it


class Reset(NamedTuple):
    """The recorder's clock was set back.

    Parameters
    ----------
    packet : int
        Index of the first packet by the new count.
    tick_before, tick_after : int
        Timestamps of the last packet by the old count and the first by the new.
    """

    packet: int
    tick_before: int
    tick_after: int


class PacketColumns(NamedTuple):
    """What one pass keeps of every packet."""

    tick: NDArray[np.unsignedinteger[Any]]
    packet_id: NDArray[np.uint16]
    detail: NDArray[np.uint8]  # the byte behind the id: a spike's unit, a digital packet's reason
    code: NDArray[np.uint8]  # of the kind


@dataclass(frozen=True, eq=False)
class Packets:
    """All packets of one file.

    Parameters
    ----------
    path : str
        The file, for messages.
    found : NevSpec
        Its version.
    tick_rate : int
        Hz.
    raw : numpy.ndarray
        Void, ``(n_packets,)``: the file's own bytes.
    """

    path: str
    found: tables.NevVersion
    tick_rate: int
    raw: NDArray[np.void]

    @cached_property
    def columns(self) -> PacketColumns:
        """Timestamp, id, detail and kind of every packet; read-only."""
        n, offsets = len(self.raw), self.found.any_packet.offsets
        tick, packet_id, detail = np.empty(n, self.found.tick), np.empty(n, np.uint16), np.empty(n, np.uint8)
        at = [offsets[name] for name in ("tick", "packet_id", "payload")]
        head = np.dtype(
            {
                "names": ["t", "i", "d"],
                "formats": [tick.dtype, "<u2", "u1"],
                "offsets": at,
                "itemsize": self.raw.itemsize,
            }
        )
        packets = self.raw.view(head)
        for start in range(0, n, _SCAN_ROWS):
            some, there = packets[start : start + _SCAN_ROWS], slice(start, start + _SCAN_ROWS)
            tick[there], packet_id[there], detail[there] = some["t"], some["i"], some["d"]
        columns = PacketColumns(tick, packet_id, detail, _codes(self.found, tick, packet_id, detail))
        for column in columns:
            column.flags.writeable = False
        return columns

    def counts(self) -> dict[str, int]:
        """How many packets there are of each kind that is there."""
        counts = np.bincount(self.columns.code, minlength=CONTINUED)
        return {kind: int(counts[code]) for kind, code in CODES.items() if counts[code]}

    def rows(self, kind: str) -> PacketNumbers:
        """Where the packets of one kind are, in file order."""
        return np.flatnonzero(self.columns.code == CODES[kind])

    def _with_known_kind(self) -> PacketNumbers:
        """Packets whose timestamps can be trusted: those of a known kind."""
        code = self.columns.code
        return np.flatnonzero((code != CODES["unknown"]) & (code != CONTINUED))

    @cached_property
    def resets(self) -> tuple[Reset, ...]:
        """Where the clock was set far back and the packet after that stays there."""
        rows = self._with_known_kind()
        ticks = self.columns.tick[rows]
        at = np.flatnonzero(ticks[1:-1] < ticks[:-2])
        before, after, later = (ticks[at + k].astype(np.uint64) for k in range(3))
        real = _is_reset_step(before, after, self.tick_rate) & _is_reset_step(before, later, self.tick_rate)
        found = zip(rows[at[real] + 1].tolist(), before[real].tolist(), after[real].tolist(), strict=True)
        return tuple(Reset(*values) for values in found)

    def tick_span(self) -> tuple[int, int] | None:
        """Lowest and highest timestamp of packets of known kind."""
        ticks = self.columns.tick[self._with_known_kind()]
        return (int(ticks.min()), int(ticks.max())) if ticks.size else None

    def by_tick(self, rows: PacketNumbers) -> PacketNumbers:
        """Rows in order of time, packets of equal time as they stood; what a reset parts is not mixed."""
        ticks = self.columns.tick[rows]
        if not self.resets:
            return rows[np.argsort(ticks, kind="stable")]
        epochs = np.searchsorted([reset.packet for reset in self.resets], rows, side="right")
        return rows[np.lexsort((ticks, epochs))]

    @cached_property
    def _continued(self) -> tuple[PacketNumbers, PacketNumbers]:
        """Packets that go on in later ones, and in how many."""
        continued = (self.columns.code == CONTINUED).astype(np.int8)
        edges = np.flatnonzero(np.diff(continued, prepend=0, append=0))
        return edges[::2] - 1, edges[1::2] - edges[::2]

    def _n_more(self, rows: PacketNumbers) -> PacketNumbers:
        """In how many further packets each of these goes on."""
        owners, counts = self._continued
        if not owners.size:
            return np.zeros(rows.size, np.intp)
        at = np.minimum(np.searchsorted(owners, rows), owners.size - 1)
        return np.where(owners[at] == rows, counts[at], 0)

    def record_bytes(self, kind: str, rows: PacketNumbers) -> int:
        """Bytes that hold any one of these packets together with what continues it.

        Raises
        ------
        FormatError
            Where packets are too short for the kind's own fields, or continued so unevenly that one array of them
            would be many times the file.
        """
        least, size = self.layout(kind).size, self.raw.itemsize
        if not rows.size:
            return max(least, size)
        width = size + int(self._n_more(rows).max()) * (size - self.columns.tick.itemsize)
        if width < least:
            where = {"path": self.path, "offset": self.found.basic.offsets["packet_bytes"]}
            raise FormatError(f"packets of {least} bytes or more for {kind}", f"{size}", **where)  # type: ignore[arg-type]
        self._check_room(rows.size * width)
        return width

    def _check_room(self, n_bytes: int) -> None:
        room = self.raw.nbytes * _ROOM_TIMES_FILE + _ROOM_FLOOR_BYTES
        if n_bytes > room:
            expected = f"continued packets that fit {room} bytes as one array (.packets has them as they stand)"
            raise FormatError(expected, f"{n_bytes}", path=self.path)

    def layout(self, kind: str) -> Layout:
        """The table of a kind's packet."""
        return self.found.packets["digital" if kind == "serial" else kind]

    def gather(
        self, kind: str, rows: PacketNumbers, width: int, shape: Shape = (tables.SAMPLE_16_BIT, 0)
    ) -> NDArray[np.void]:
        """These packets as one structured array.

        Parameters
        ----------
        kind : str
            Whose table to read them by.
        rows : numpy.ndarray
            Which packets, in the order wanted.
        width : int
            From `record_bytes`.
        shape : Shape
            Of each waveform, for the kinds that have one.

        Returns
        -------
        numpy.ndarray
            ``tick`` as uint64, the id where the kind does not say it, and the kind's own fields.
        """
        source = source_dtype(self.layout(kind), kind, width, shape)
        out = np.empty(len(rows), out_dtype(source))
        step = max(1, _GATHER_BYTES // width)
        buffer = np.empty(min(step, len(rows)), f"V{width}")
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            part = self._whole(some, buffer[: some.size]).view(source)
            for name in out.dtype.names or ():
                out[name][start : start + step] = part[name]
        return out

    def _whole(self, rows: PacketNumbers, out: NDArray[np.void]) -> NDArray[np.void]:
        size, stamp = self.raw.itemsize, self.columns.tick.itemsize
        if out.itemsize == size:
            return np.take(self.raw, rows, out=out, mode="clip")
        packets, joined = self.raw.view(np.uint8).reshape(-1, size), out.view(np.uint8).reshape(-1, out.itemsize)
        joined[:] = 0
        joined[:, :size] = packets[rows]
        n_more = self._n_more(rows)
        for k in np.flatnonzero(n_more):
            more = packets[rows[k] + 1 : rows[k] + 1 + n_more[k], stamp:].reshape(-1)
            joined[k, size : size + more.size] = more
        return out

    def events(self, kind: str, rows: PacketNumbers) -> NDArray[np.void]:
        """Packets of a kind without waveforms, texts decoded."""
        found = self.gather(kind, rows, self.record_bytes(kind, rows))
        if kind == "serial":
            found["value"] &= tables.SERIAL_VALUE_MASK
        return self._readable(found, _TEXTS[kind]) if kind in _TEXTS else found

    def _readable(self, found: NDArray[np.void], texts: tuple[str, ...]) -> NDArray[np.void]:
        there = found.dtype.names or ()
        fields = {name: found[name] for name in there if name not in texts}
        charsets = fields.get("charset", np.zeros(len(found), np.uint8)).tolist()
        for name in texts:
            raw = found[name].tolist() if name in there else [b""] * len(found)
            fields[name] = self._texts([decoded_text(*pair) for pair in zip(raw, charsets, strict=True)])
        out = np.empty(len(found), [(name, values.dtype) for name, values in fields.items()])
        for name, values in fields.items():
            out[name] = values
        return out

    def _texts(self, decoded: list[str]) -> NDArray[np.str_]:
        longest = max(1, max(map(len, decoded), default=1))
        self._check_room(len(decoded) * np.dtype(f"U{longest}").itemsize)
        return np.array(decoded, f"U{longest}")

    def comments(self, *, merge: bool) -> tuple[Comment, ...]:
        """Every comment; what two packets say of one is one where `merge`."""
        found = self.events("comment", self.rows("comment"))
        columns = (found[name].tolist() for name in ("tick", "charset", "flag", "data", "text"))
        comments = (
            decode_comment(self.found, self.tick_rate, tick=tick, charset=charset, flag=flag, data=data, said=said)
            for tick, charset, flag, data, said in zip(*columns, strict=True)
        )
        return tuple(merge_halves(comments) if merge else comments)


def _codes(
    found: tables.NevVersion,
    tick: NDArray[np.unsignedinteger[Any]],
    packet_id: NDArray[np.uint16],
    detail: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    table = np.full(1 << 16, CODES["unknown"], np.uint8)
    for kind, (first, last) in (("spike", found.spike_ids), ("stim", found.stim_ids)):
        table[first : last + 1] = CODES[kind]
    for number, kind in found.system_ids.items():
        table[number] = CODES[kind]
    code = table[packet_id]
    digital = np.flatnonzero(code == CODES["digital"])
    code[digital[(detail[digital] & tables.REASON_SERIAL) != 0]] = CODES["serial"]
    code[tick == np.iinfo(tick.dtype).max] = CONTINUED
    return code


def _is_reset_step(before: NDArray[np.uint64], after: NDArray[np.uint64], tick_rate: int) -> NDArray[np.bool_]:
    """A step of more than a second; or of more than a tenth, to less than a tenth of what the clock had shown."""
    step = before - np.minimum(before, after)
    return (step > tick_rate) | ((step > tick_rate // 10) & (after < before // 10))


@lru_cache(maxsize=64)
def source_dtype(layout: Layout, kind: str, width: int, shape: Shape) -> np.dtype[np.void]:
    """A packet's bytes as numpy reads them: its table, with the open end as what it holds."""
    fields = {name: (some[0], some[1]) for name, some in (layout.dtype(width).fields or {}).items()}
    ends = {"waveform": shape, "points": ("<u2", (width - layout.size) // 2)}
    for name, (code, count) in ends.items():
        if name in layout.offsets:
            fields[name] = np.dtype((code, (count,))), layout.offsets[name]
    number = fields.pop("packet_id")
    if kind in _ID_FIELD:
        fields = {"tick": fields.pop("tick"), _ID_FIELD[kind]: number, **fields}
    formats, offsets = zip(*fields.values(), strict=True)
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": width})


def out_dtype(source: np.dtype[np.void]) -> np.dtype[np.void]:
    """The same fields side by side, the tick in 64 bits."""
    wide = {"tick": np.dtype(np.uint64)}
    return np.dtype([(name, wide.get(name, some[0])) for name, some in (source.fields or {}).items()])
