# SPDX-License-Identifier: MIT
"""A NEV cut from a NEV: which extended headers, which packets, and what is taken out of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...format import tables
from ...format.channel import read_extended_headers
from ...format.dates import systemtime_of_date
from ...format.layout import with_values
from ...nev.headers import header_id
from ...nev.packets import CONTINUED, KIND_CODES, PacketNumbers
from ...nev.spikes import N_IDS, Spikes, membership_table, number_list, tick_limit
from ...traces.packing import BUFFER_BYTES, BUFFERS
from .anonymise import anonymous_basic, anonymous_record, check_dates_removed
from .planned import FilePlan, verbatim

if TYPE_CHECKING:
    from ...nev.file import NevFile

_OF_ELECTRODES = ("spike", "stim")
# Where what people wrote, or what nobody knows, begins in a packet of a kind
_TEXT_FROM = {"comment": "text", "log": "application", "config": "text", "unknown": "payload"}


class NevSelection(NamedTuple):
    """What is taken from a file; None is all.

    Parameters
    ----------
    electrodes : list of int or None
        Whose spikes, stimuli and headers.
    kinds : list of str or None
        Which kinds of events.
    start_tick, stop_tick : int or None
        Which time, half-open.
    anonymise : bool or "labels"
        Whether dates and texts are taken out.
    base_tick : int
        What is subtracted from every timestamp.
    """

    electrodes: list[int] | None
    kinds: list[str] | None
    start_tick: int | None
    stop_tick: int | None
    anonymise: bool | str
    base_tick: int

    @property
    def everything(self) -> bool:
        """Whether it leaves nothing out."""
        return self[:4] == (None,) * 4


def chosen_electrodes(nev: NevFile, electrodes: int | Iterable[int] | None) -> list[int] | None:
    """Electrodes that a request names, if each has a header, a spike or a stimulus."""
    numbers = number_list(electrodes, N_IDS, "an electrode")
    if numbers is None:
        return None
    if not numbers:
        raise ValueError(f"expected at least one electrode, found none; {nev.path} has {len(nev.electrodes)}")
    stimulated = Spikes("stim", nev._packets, {}).ids
    return nev._spikes.check_electrodes(numbers, also_known=stimulated)


def chosen_kinds(kinds: str | Iterable[str] | None) -> list[str] | None:
    """Kinds of events that a request names."""
    if kinds is None:
        return None
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    odd = [name for name in names if name not in tables.EVENT_KINDS]
    if odd or not names:
        raise ValueError(f"expected kinds among {', '.join(tables.EVENT_KINDS)}, found {', '.join(odd) or 'none'}")
    return names


def plan_nev(nev: NevFile, chosen: NevSelection) -> tuple[FilePlan, int]:
    """Decide on the file that holds a selection of another; also how many packets it has.

    Raises
    ------
    ValueError
        Where nothing is selected, or a date would show that was to be taken out.
    """
    start, size = nev._start, nev.packet_bytes
    if chosen.everything and not (chosen.anonymise or chosen.base_tick):
        head = _head(nev, chosen, None) if nev.damage else nev._source.read(start, 0, "headers")
        n_bytes = nev.n_packets * size
        return FilePlan(
            head, len(head) + n_bytes, verbatim(nev._source.readinto, start, start + n_bytes)
        ), nev.n_packets
    rows = _rows(nev, chosen)
    clocked = rows[_with_known_kind(nev)[rows]]
    ticks = nev._packets.heads.tick[clocked]
    check_dates_removed(
        nev.path, nev.tick_rate, [int(ticks.min()), int(ticks.max())] if ticks.size else [], *chosen[4:]
    )
    head = _head(nev, chosen, _date_tick(nev, clocked))
    return FilePlan(head, len(head) + rows.size * size, _packets(nev, chosen, rows)), rows.size


# ------------------------------------------------------------------------------------------------------ packets
def _rows(nev: NevFile, chosen: NevSelection) -> PacketNumbers:
    """Packets to keep, in file order; one that goes on with another stays with it."""
    columns, first = nev._packets.heads, _firsts(nev)
    wanted = np.ones(nev.n_packets, np.bool_)
    if chosen.start_tick is not None:
        wanted &= columns.tick >= tick_limit(chosen.start_tick)
    if chosen.stop_tick is not None:
        wanted &= columns.tick < tick_limit(chosen.stop_tick)
    if chosen.kinds is not None:
        wanted &= membership_table([KIND_CODES[kind] for kind in chosen.kinds], len(KIND_CODES) + 1)[columns.kind]
    if chosen.electrodes is not None:
        theirs = membership_table([KIND_CODES[kind] for kind in _OF_ELECTRODES], len(KIND_CODES) + 1)[columns.kind]
        wanted &= ~theirs | membership_table(chosen.electrodes, N_IDS)[columns.packet_id]
    kept = wanted[first] & (first >= 0)
    if chosen.everything:
        kept[:] = True
    elif nev.n_packets and not kept.any():
        there = f"ticks {nev.tick_span[0]} to {nev.tick_span[1]}" if nev.tick_span else "packets of no known kind"
        raise ValueError(f"expected a selection that holds packets ({nev.path} has {there}), found none")
    return np.flatnonzero(kept)


def _firsts(nev: NevFile) -> NDArray[np.intp]:
    """For each packet the one that it goes on with, or itself; -1 where nothing stands before it."""
    code = nev._packets.heads.kind
    firsts: NDArray[np.intp] = np.maximum.accumulate(np.where(code == CONTINUED, -1, np.arange(code.size)))
    return firsts


def _with_known_kind(nev: NevFile) -> NDArray[np.bool_]:
    """Packets whose timestamps can be trusted."""
    code = nev._packets.heads.kind
    clocked: NDArray[np.bool_] = (code != KIND_CODES["unknown"]) & (code != CONTINUED)
    return clocked


def _packets(nev: NevFile, chosen: NevSelection, rows: PacketNumbers) -> Iterator[memoryview]:
    size = nev.packet_bytes
    raw = nev._packets.raw
    step = max(1, BUFFER_BYTES // size)
    buffers = deque(np.empty(min(step, rows.size), raw.dtype) for _ in range(BUFFERS))
    said_from = _text_offsets(nev) if chosen.anonymise else None
    for a in range(0, rows.size, step):
        some = rows[a : a + step]
        packets = np.take(raw, some, out=buffers[0][: some.size], mode="clip").view(np.uint8).reshape(-1, size)
        if said_from is not None:
            _blank(packets, said_from[some])
        if chosen.base_tick:
            _rebase(nev, packets, chosen.base_tick)
        yield packets.reshape(-1).data
        buffers.rotate()


def _rebase(nev: NevFile, packets: NDArray[np.uint8], base_tick: int) -> None:
    ticks = packets.reshape(-1).view(nev._version.any_packet.dtype(nev.packet_bytes))["tick"]
    shown = (ticks >= base_tick) & (ticks != np.iinfo(ticks.dtype).max)  # all ones go on with the packet before
    ticks[shown] -= ticks.dtype.type(base_tick)


def _text_offsets(nev: NevFile) -> NDArray[np.intp]:
    """For each packet the byte from which on it is blanked: texts, reserved bytes, and what is not known."""
    code, first, stamp = nev._packets.heads.kind, _firsts(nev), nev._packets.heads.tick.itemsize
    table = np.full(len(KIND_CODES) + 1, nev.packet_bytes, np.intp)
    for kind, number in KIND_CODES.items():
        layout = nev._packets.layout(kind)
        offset, _, last = layout.rows[-1]
        if kind in _TEXT_FROM:
            table[number] = layout.offsets[_TEXT_FROM[kind]]
        elif last == "*x":
            table[number] = offset
    blanked = table < nev.packet_bytes
    said_from = table[code]
    more = code == CONTINUED
    said_from[more & ((first < 0) | blanked[code[first]])] = stamp
    return said_from


def _blank(packets: NDArray[np.uint8], said_from: NDArray[np.intp]) -> None:
    for offset in np.unique(said_from).tolist():
        packets[said_from == offset, offset:] = 0


# ------------------------------------------------------------------------------------------------------- headers
def _date_tick(nev: NevFile, clocked: PacketNumbers) -> int | None:
    """The tick that the header's date will be taken to stand for, where it is another than before."""
    if not nev._version.origin_is_utc or clocked.size == 0:
        return None
    columns = nev._packets.heads
    starts = clocked[columns.kind[clocked] == KIND_CODES["recording"]]
    tick = int(columns.tick[starts[0]] if starts.size else columns.tick[clocked].min())
    return tick if tick != nev.time_origin_tick else None


def _head(nev: NevFile, chosen: NevSelection, date_tick: int | None) -> bytes:
    found = nev._version
    raw = nev._source.read(found.basic.size, 0, found.basic.name)
    rest = read_extended_headers(nev._source, found, found.basic.unpack(raw))
    width = tables.EXTENDED_BYTES
    extended = [rest[at : at + width] for at in range(0, len(rest), width)]
    if chosen.electrodes is not None:
        wanted = set(chosen.electrodes)
        extended = [header for header in extended if _electrode(found, header) in {None, *wanted}]
    if chosen.anonymise:
        raw = anonymous_basic(found, raw, chosen.anonymise)
        extended = list(_anonymous(found, extended, chosen.anonymise))
    elif date_tick is not None and nev.time_origin is not None:
        raw = with_values(found.basic, raw, time_origin=systemtime_of_date(nev.datetime(date_tick)))
    n_bytes = found.basic.size + width * len(extended)
    return with_values(found.basic, raw, header_bytes=n_bytes, n_extended=len(extended)) + b"".join(extended)


def _anonymous(found: tables.NevVersion, extended: Iterable[bytes], anonymise: bool | str) -> Iterator[bytes]:
    """Headers that describe the recording; those of free text, and of kinds that no document lists, are left out."""
    for header in extended:
        layout = found.extended.get(header_id(header), tables.TEXT)
        if layout is not tables.TEXT:
            yield anonymous_record(layout, header, anonymise)


def _electrode(found: tables.NevVersion, header: bytes) -> Any:
    """Whom a header is about, where it is about an electrode."""
    layout = found.extended.get(header_id(header))
    return layout.unpack(header).get("electrode_id") if layout else None
