# SPDX-License-Identifier: MIT
"""Writes a part of a NEV as a NEV: chooses extended headers and packets, and removes texts on request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...clock import are_within, epochs_of_segments, requested_ticks
from ...errors import Progress
from ...format import tables
from ...format.header import read_extended_headers
from ...format.numbers import integer, optional_integer
from ...format.text import size_text
from ...nev.epochs import check_one_epoch, choose_epoch, warn_of_ambiguous
from ...nev.file import NevFile, open_nev
from ...nev.headers import header_id
from ...nev.packets import CONTINUED, KIND_CODES, PacketNumbers, continued_packets, have_time
from ...nev.spikes import N_IDS, Spikes, membership_table
from ...nsx.segments import segment_numbers
from ...recording.recording import Recording
from ...traces.packing import BUFFER_BYTES, Batch, Pool, read_all
from ...traces.selection import ElectrodeChoice, ExcludeChoice, LabelChoice, TimeSelection, takes
from ..inputs import check_not_shrunk
from ..paths import takes_paths
from .anonymise import PacketBlanks, anonymous_record, check_anonymise, check_dates_removed, new_basic
from .file_plan import FilePlan, copy_bytes, is_copied_whole, write_file

if TYPE_CHECKING:
    from ...traces.selection import Unpack


class _Times(NamedTuple):
    """Which times to keep: an epoch, and a range of ticks."""

    epoch: int | None = None
    start_tick: int | None = None
    stop_tick: int | None = None


@dataclass(frozen=True)
class NevReport:
    """A NEV that was written.

    Parameters
    ----------
    path, spec : str
        The file and its version.
    n_packets, size_bytes : int
        Packets, and size of the file.
    """

    path: str
    spec: str
    n_packets: int
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.path}: NEV {self.spec}, {self.n_packets} packets, {size_text(self.size_bytes)}"


@takes_paths(open_nev)
@takes(TimeSelection)
def write_nev(
    nev: NevFile | Recording,
    path: str | os.PathLike[str],
    *,
    electrodes: ElectrodeChoice = None,
    labels: LabelChoice = None,
    exclude: ExcludeChoice = None,
    kinds: tables.EventKind | Iterable[tables.EventKind] | None = None,
    epoch: int | None = None,
    segments: int | slice | Iterable[int] | None = None,
    anonymise: bool | Literal["labels"] = False,
    base_tick: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
    **times: Unpack[TimeSelection],
) -> NevReport:
    """Write a part of a NEV as a NEV of the same version and vendor.

    Packets keep their bytes and their order. Without a selection, an intact file is copied byte by byte, and a file
    that was cut by a crash becomes an intact one of its complete packets.

    Parameters
    ----------
    nev : NevFile or Recording
        The NEV, or the recording whose NEV it is.
    path : str or os.PathLike
        The file to write.
    electrodes, labels, exclude : optional
        Electrodes whose spikes, stimuli and headers to keep, as in `NevFile.spikes`; all by default. Other events are
        kept.
    kinds : str or iterable of str, optional
        Kinds of events to keep, as in `NevFile.kinds`; all by default.
    start_tick, stop_tick : int, optional
        Only packets from `start_tick` on and before `stop_tick`. A packet that continues another stays with it.
    start_s, stop_s : float, optional
        Instead of ticks: seconds after the recording's first sample (see `NevFile.zero_tick`).
    epoch : int, optional
        Only packets of this epoch, from 0: the time between two settings of the clock (`NevFile.epochs`).
    segments : int, slice or iterable of int, optional
        Only packets at times that these segments of the recording's fastest continuous file hold.
    anonymise : bool or "labels"
        Remove dates, comments, logs, texts of the headers, file names, the application, and what no document
        explains; with ``"labels"`` names of electrodes, inputs, cameras and tracked objects too.
    base_tick, overwrite, progress
        As in `write_nsx`.

    Returns
    -------
    NevReport
        What was written.

    Raises
    ------
    ExportError
        If a file is in the way, a recording would be replaced, or the disk is full.
    KeyError, ValueError
        If the selection names an electrode, a kind, an epoch or a segment that is not there, or holds no packet; if
        a range of ticks is in several epochs.

    Warns
    -----
    AmbiguousEpochs
        If some packets of the epoch may be of another.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nev("session.nev") as nev:
    ...     nv.write_nev(nev, "part.nev", labels="elec1", kinds=["spike", "comment"]).n_packets
    20
    """
    if not isinstance(nev, NevFile | Recording):
        raise TypeError(f"expected a NEV or a recording, found {type(nev).__name__}; write_nsx cuts continuous files")
    check_anonymise(anonymise)
    recording, nev = (None, nev) if not isinstance(nev, Recording) else (nev, nev.require_nev())
    inputs = check_not_shrunk([nev._source])
    base_tick = integer(base_tick, "base_tick")
    ids, names = _chosen_electrodes(nev, electrodes, labels, exclude), _chosen_kinds(kinds)
    when = _Times(optional_integer(epoch, "epoch"), *requested_ticks(nev, **times))
    takes_all = (ids, names, segments) == (None,) * 3 and when == _Times()
    if takes_all and not (anonymise or base_tick):
        n_packets, start = nev.n_packets, nev._recorded.start
        stop = start + n_packets * nev.packet_bytes
        if is_copied_whole(nev.damage):
            head = nev._source.read(nev._headers_end, 0, "headers")
        else:
            head = _head(nev, None, False, nev.time_origin_tick, 0)
        plan = FilePlan(head, len(head) + stop - start, copy_bytes(nev._source, start, stop))
    else:
        is_chosen = _at_times(nev, when, is_one_epoch=segments is None)
        if segments is not None:
            is_chosen = _in_segments(recording, nev, segments, is_chosen, is_one_epoch=when != _Times())
        packets = np.arange(nev.n_packets) if takes_all else _choose_packets(nev, ids, names, is_chosen)
        plan, n_packets = _plan(nev, ids, packets, anonymise, base_tick), packets.size
    target = write_file(plan, inputs, path, overwrite, progress, "NEV")
    return NevReport(target, nev.spec, n_packets, plan.n_bytes)


def _plan(
    nev: NevFile, electrodes: list[int] | None, packets: PacketNumbers, anonymise: bool | str, base_tick: int
) -> FilePlan:
    heads = nev._packets.heads
    kind = heads.kind[packets]
    check_dates_removed(nev.path, nev.tick_rate, heads.tick[packets[kind != CONTINUED]], anonymise, base_tick)
    timed = packets[have_time(kind)]
    head = _head(nev, electrodes, anonymise, _date_tick(nev, timed), base_tick)
    n_bytes = len(head) + packets.size * nev.packet_bytes
    return FilePlan(head, n_bytes, _iter_packets(nev, packets, anonymise, base_tick))


def _chosen_electrodes(
    nev: NevFile, electrodes: ElectrodeChoice, labels: LabelChoice, exclude: ExcludeChoice
) -> list[int] | None:
    """The electrodes of a selection; KeyError for one without a header, spike or stimulus."""
    if (electrodes, labels, exclude) == (None,) * 3:
        return None
    ids = nev._chosen_electrodes(electrodes, labels, exclude, also_known=Spikes("stim", nev._packets, {}).ids)
    if not ids:
        raise ValueError(f"expected at least one electrode, found none; {nev.path} has {len(nev.electrodes)}")
    return ids


def _chosen_kinds(kinds: str | Iterable[str] | None) -> list[str] | None:
    if kinds is None:
        return None
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    unknown = [name for name in names if name not in tables.EVENT_KINDS]
    if unknown or not names:
        raise ValueError(f"expected kinds among {', '.join(tables.EVENT_KINDS)}, found {', '.join(unknown) or 'none'}")
    return names


def _at_times(nev: NevFile, times: _Times, *, is_one_epoch: bool) -> NDArray[np.bool_]:
    """Whether each packet is in a range of ticks, and of one epoch; warns where it may be of another."""
    epoch, *span = times
    wanted = are_within(nev._packets.heads.tick, *span)
    if epoch is not None or is_one_epoch:
        epoch = choose_epoch(nev.path, nev.epochs, *times)
    if epoch is None:
        return wanted
    assigned = nev.packet_epochs
    is_possible = wanted & ((assigned.epoch == epoch) | (assigned.alternative == epoch))
    warn_of_ambiguous(nev.path, assigned, np.flatnonzero(is_possible))
    wanted &= assigned.epoch == epoch
    return wanted


def _in_segments(
    recording: Recording | None,
    nev: NevFile,
    segments: int | slice | Iterable[int],
    wanted: NDArray[np.bool_],
    *,
    is_one_epoch: bool,
) -> NDArray[np.bool_]:
    """Whether each of the `wanted` packets is at a time of some segments of the fastest continuous file."""
    if recording is None:
        raise ValueError(f"{nev.path}: segments are those of continuous data: give the recording (open_recording)")
    file = recording.fastest
    numbers = segment_numbers(segments, len(file.segments))
    located, _ = recording.locate(nev._packets.heads.tick, file, packets=np.arange(nev.n_packets))
    chosen: NDArray[np.bool_] = wanted & np.isin(located, numbers)
    if is_one_epoch:
        check_one_epoch(nev.path, epochs_of_segments(file.epochs, np.unique(located[chosen]).tolist()))
    return chosen


def _choose_packets(
    nev: NevFile, electrodes: list[int] | None, kinds: list[str] | None, wanted: NDArray[np.bool_]
) -> PacketNumbers:
    """Those of the `wanted` packets to keep, in file order; one that continues another stays with it."""
    heads, continued = nev._packets.heads, continued_packets(nev._packets.heads.kind)
    if kinds is not None:
        wanted &= _is_of_kinds(kinds)[heads.kind]
    if electrodes is not None:
        wanted &= ~_is_of_kinds(("spike", "stim"))[heads.kind] | membership_table(electrodes, N_IDS)[heads.packet_id]
    kept = np.flatnonzero(wanted[continued] & (continued >= 0))
    if nev.n_packets and not kept.size:
        span = f"ticks {nev.tick_span[0]} to {nev.tick_span[1]}" if nev.tick_span else "packets of no known kind"
        raise ValueError(f"expected a selection that holds packets ({nev.path} has {span}), found none")
    return kept


def _is_of_kinds(kinds: Iterable[str]) -> NDArray[np.bool_]:
    """For each code of a kind whether it is one of these."""
    return membership_table([KIND_CODES[kind] for kind in kinds], len(KIND_CODES) + 1)


def _iter_packets(nev: NevFile, packets: PacketNumbers, anonymise: bool | str, base_tick: int) -> Iterator[Batch]:
    size, origin = nev.packet_bytes, nev._recorded.start
    step = max(1, BUFFER_BYTES // size)
    pool, raw = Pool(), np.empty(step, f"V{size}")  # read by position: a map of a file that shrinks ends the process
    blanks = PacketBlanks(nev) if anonymise else None
    for some in np.split(packets, np.flatnonzero(np.diff(packets // step)) + 1):
        if not some.size:
            continue
        first, stop = int(some[0]), int(some[-1]) + 1
        in_file = raw[: stop - first]
        read_all(nev._source, in_file.view(np.uint8).data, origin + first * size)
        buffer = pool.take(min(step, packets.size) * size)
        taken = buffer[: some.size * size].reshape(-1, size)
        np.take(in_file, some - first, out=taken.view(in_file.dtype)[:, 0], mode="clip")
        if blanks is not None:
            taken[blanks.of(some)] = 0
        if base_tick:
            ticks = taken.reshape(-1).view(nev._version.any_packet.dtype(size))["tick"]
            is_time = (ticks >= base_tick) & (ticks != np.iinfo(ticks.dtype).max)  # all ones: a continuing packet
            ticks[is_time] -= ticks.dtype.type(base_tick)
        yield Batch(taken.reshape(-1).data, some.size, [], partial(pool.give_back, buffer))


def _date_tick(nev: NevFile, timed: PacketNumbers) -> int:
    """The tick of the date in the new header."""
    heads = nev._packets.heads
    if not timed.size:
        return nev.time_origin_tick
    if not nev._version.origin_at_first:
        unseen = nev._packets.rolled_over_unseen(timed).tolist()
        if len(unseen) > 1:
            raise ValueError(
                f"{nev.path}: its timestamps roll over 32 bits where the chosen packets do not show it; "
                f"keep other kinds or electrodes too, or cut the time before and behind the rollover each by itself"
            )
        return int(unseen[0])
    starts = timed[heads.kind[timed] == KIND_CODES["recording"]]
    return int(heads.tick[starts[0]]) if starts.size else nev._packets.first_tick(timed)


def _head(nev: NevFile, electrodes: list[int] | None, anonymise: bool | str, date_tick: int, base_tick: int) -> bytes:
    """The new headers, with the date of a tick."""
    version, width = nev._version, tables.EXTENDED_BYTES
    raw = nev._source.read(version.basic.size, 0, version.basic.name)
    records = read_extended_headers(nev._source, version, version.basic.unpack(raw))
    every = [records[at : at + width] for at in range(0, len(records), width)]
    extended = list(_chosen_headers(version, every, electrodes, anonymise))
    n_bytes = version.basic.size + width * len(extended)
    basic = new_basic(nev, anonymise, date_tick, nev.time_origin_tick, base_tick)
    return version.basic.with_values(basic, header_bytes=n_bytes, n_extended=len(extended)) + b"".join(extended)


def _chosen_headers(
    version: tables.NevVersion, extended: Iterable[bytes], electrodes: list[int] | None, anonymise: bool | str
) -> Iterator[bytes]:
    """Extended headers of the electrodes and of no electrode; anonymous ones without free text and unknown kinds."""
    kept = {None, *(electrodes or ())}
    for header in extended:
        layout = version.extended.get(header_id(header))
        electrode_id = layout.unpack(header).get("electrode_id") if layout else None
        if electrodes is not None and electrode_id not in kept:
            continue
        if not anonymise:
            yield header
        elif layout not in (None, tables.TEXT):
            yield anonymous_record(layout, header, anonymise)
