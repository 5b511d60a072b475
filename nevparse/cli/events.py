# SPDX-License-Identifier: MIT
"""Events of a NEV as rows of plain values, in order of epoch and time: for a terminal, for CSV and for JSON."""

from __future__ import annotations

import csv
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clock import are_within
from ..export.output.files import complete_or_absent
from ..export.output.stream import write_all
from ..export.sidecar import Sidecar
from ..export.table import table
from ..format.tables import EventKind
from ..format.text import counts_text, json_text, printable
from ..nev.comments import Comment
from ..nev.epochs import checked_epoch, warn_of_ambiguous
from ..nev.file import NevFile
from ..nev.packets import PacketNumbers
from ..recording.recording import Recording
from .terminal import UnusableInput, print_message

_BATCH = 4096  # events turned into Python values at a time
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # how a formula starts, in full width too
_PLACES = ("segment", "sample", "row")  # -1 where nothing was recorded
_NOT_OF_KIND = object()  # the value of a column that events of another kind have
_Table = dict[str, Any]  # by name, in the order in which they are printed: a value of each event, or an array of them


@dataclass(frozen=True)
class Listing:
    """Which events to list: those of some kinds, or of all but the frequent ones, of an epoch and a range of ticks.

    With a recording its samples are listed too, and with a sidecar the rows of a ``.bin``.
    """

    nev: NevFile
    recording: Recording | None = None
    chosen_kinds: Sequence[EventKind] | None = None
    epoch: int | None = None
    start_tick: int | None = None
    stop_tick: int | None = None
    sidecar: Sidecar | None = None
    edges: bool = False  # of the digital input's pins, in the place of its events

    @property
    def kinds(self) -> list[EventKind]:
        """Those to list, in the order of the file's kinds."""
        if self.edges:
            return ["digital"]
        if self.chosen_kinds:
            return list(dict.fromkeys(self.chosen_kinds))
        return [kind for kind in self.nev.kinds() if kind not in ("spike", "stim", "unknown")]

    def chosen(self, packets: PacketNumbers) -> NDArray[np.intp]:
        """Places of the events whose packets are of the epoch and the range of ticks, in file order."""
        wanted = are_within(self.nev._packets.heads.tick[packets], self.start_tick, self.stop_tick)
        if self.epoch is not None:
            wanted &= self._epochs_of(packets) == checked_epoch(self.nev.path, self.epoch, len(self.nev.epochs))
        return np.flatnonzero(wanted)

    def in_order(self, packets: PacketNumbers) -> NDArray[np.intp]:
        """The same places in order of epoch and time."""
        places = self.chosen(packets)
        return places[np.lexsort((self.nev._packets.heads.tick[packets[places]], self._epochs_of(packets[places])))]

    def times(self, packets: PacketNumbers, kind: EventKind) -> _Table:
        """What every event has: tick, seconds, and where in the continuous data it is."""
        ticks = self.nev._packets.heads.tick[packets]
        columns: _Table = {"tick": ticks}
        if len(self.nev.epochs) > 1:
            warn_of_ambiguous(self.nev.path, self.nev.packet_epochs, packets)
            columns["epoch"] = self._epochs_of(packets)
        columns |= {"seconds": self.nev.seconds(ticks), "kind": [kind] * ticks.size}
        if self.recording is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is ambiguous was said
                file = self.recording.fastest
                columns["segment"], columns["sample"] = self.recording.locate(ticks, file, packets=packets)
                if self.sidecar is not None:
                    columns["row"] = self.sidecar.spike_rows(self.recording, ticks, packets=packets)
        return columns

    def _epochs_of(self, packets: PacketNumbers) -> NDArray[np.int16]:
        if len(self.nev.epochs) == 1:
            return np.zeros(packets.size, np.int16)
        return self.nev.packet_epochs.epoch[packets]


def _tables(listing: Listing) -> list[_Table]:
    """The columns of each kind. Prints, apart from them, what is not listed, or that there is nothing."""
    if listing.epoch is not None:
        checked_epoch(listing.nev.path, listing.epoch, len(listing.nev.epochs))
    tables = [_table(listing, kind) for kind in listing.kinds]
    kinds, is_empty = listing.nev.kinds(), not any(len(columns["tick"]) for columns in tables)
    others = {kind: n for kind, n in kinds.items() if kind not in listing.kinds}
    in_file = counts_text(kinds if is_empty else others)
    if is_empty:
        when = " in this time" if others != kinds else ""
        how = "; --kind lists them" if kinds and not listing.chosen_kinds and not when and not listing.edges else ""
        print_message(f"{listing.nev.path}: no such events{when}; the file has {in_file or 'none of any kind'}{how}")
    elif others and not listing.chosen_kinds and not listing.edges:
        print_message(f"not listed: {in_file}; --kind lists them")
    return tables


def print_text(listing: Listing) -> None:
    """Print one line for each event, for a person."""
    for row in _rows(_tables(listing)):
        tick, seconds, name = row.pop("tick"), row.pop("seconds"), row.pop("kind")
        values = "  ".join(f"{field} {value}" for field, value in row.items() if value is not None)
        print(f"{seconds:14.6f} s  tick {tick}  {name:<10}  {printable(values)}")


def print_json(listing: Listing) -> None:
    """Print one line of JSON for each event."""
    for row in _rows(_tables(listing)):
        print(json_text(row))


def print_csv(listing: Listing, *, for_spreadsheet: bool) -> None:
    """Print a header and one line for each event."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(newline="")  # RFC 4180 ends lines in CRLF on every system
    tables = [_cells(_one_value_a_cell(columns), for_spreadsheet) for columns in _tables(listing)]
    names = _names(tables) or ["tick", "seconds", "kind"]
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    writer.writerows(_values(tables, names, absent=""))


def _cells(columns: _Table, for_spreadsheet: bool) -> _Table:
    """Columns of which texts are one line each, and for a spreadsheet no formulas."""
    is_text = {name: not isinstance(values, np.ndarray) or values.dtype.kind == "U" for name, values in columns.items()}
    return {k: csv_cells(values, for_spreadsheet) if is_text[k] else values for k, values in columns.items()}


def _one_value_a_cell(columns: _Table) -> _Table:
    """Columns of which those of several values, as the colour of a comment, are a column for each."""
    flat: _Table = {}
    for name, values in columns.items():
        listed = values if isinstance(values, list) else ()
        parts = next((value for value in listed if isinstance(value, tuple)), None)
        if parts is None:
            flat[name] = values
            continue
        for k, part in enumerate(getattr(parts, "_fields", range(1, len(parts) + 1))):
            flat[f"{name}_{part}"] = [None if value is None else value[k] for value in values]
    return flat


def save_npy(listing: Listing, path: str, *, overwrite: bool) -> None:
    """Write events of one kind to a numpy file, in the order of the recording's."""
    nev, kinds = listing.nev, listing.kinds
    if len(kinds) != 1 or not (listing.chosen_kinds or listing.edges):
        raise UnusableInput("--npy takes one kind of event: name it with --kind")
    kind = kinds[0]
    if listing.sidecar is not None:
        raise UnusableInput("--npy writes only what is in the file; leave out --rows")
    edges = nev.digital_edges() if listing.edges else None
    packets = nev.packets_of(kind) if edges is None else edges["packet"]
    chosen = listing.chosen(packets)
    batches = nev._event_batches(kind, packets[chosen]) if edges is None else iter([edges[chosen]])
    first = next(batches)
    outputs = complete_or_absent(path, [path], overwrite=overwrite, inputs=[nev._source])
    with outputs as created, created.create(path) as file:
        shape = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False, "shape": (chosen.size,)}
        np.lib.format.write_array_header_1_0(file, shape)
        for events in chain([first], batches):
            write_all(file, events.tobytes())
    print(printable(f"{path}: {chosen.size} events of {first.dtype}"))


def csv_cells(values: Iterable[Any], for_spreadsheet: bool) -> list[Any]:
    """Cells whose texts are one line each, and for a spreadsheet no formulas."""
    cells = [printable(value) if isinstance(value, str) else value for value in values]
    if not for_spreadsheet:
        return cells
    return ["'" + cell if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in cells]


def _table(listing: Listing, kind: EventKind) -> _Table:
    nev = listing.nev
    if listing.edges:
        edges = nev.digital_edges()
        packets, names = edges["packet"], np.array(["falling", "rising"])
        own: _Table = {"pin": edges["pin"], "edge": names[edges["is_rising"].astype(np.intp)]}
    elif kind == "comment":
        comments, packets = nev._comments_with_packets()
        own = {name: [getattr(comment, name) for comment in comments] for name in Comment._fields}
    else:
        packets = nev.packets_of(kind)
        own = dict(table(nev.spikes(waveforms=False) if kind == "spike" else nev.events(kind)))
    if kind == "serial":
        own["text"] = list(own["value"].astype(np.uint8).tobytes().decode("latin-1"))
    places = listing.in_order(packets)
    taken = {name: _take(values, places) for name, values in own.items() if name != "tick"}
    return listing.times(packets[places], kind) | taken


def _take(values: Any, places: NDArray[np.intp]) -> Any:
    return values[places] if isinstance(values, np.ndarray) else [values[place] for place in places.tolist()]


def _names(tables: Sequence[_Table]) -> list[str]:
    """The columns that any kind has."""
    return list(dict.fromkeys(name for columns in tables for name in columns))


def _rows(tables: Sequence[_Table]) -> Iterator[dict[str, Any]]:
    names = _names(tables)
    for row in _values(tables, names):
        yield {name: value for name, value in zip(names, row, strict=True) if value is not _NOT_OF_KIND}


def _values(tables: Sequence[_Table], names: Sequence[str], absent: Any = _NOT_OF_KIND) -> Iterator[tuple[Any, ...]]:
    """A row of plain values for each event; several kinds are sorted by epoch and time."""
    rows = (row for columns in tables for row in _values_of_kind(columns, names, absent))
    if len(tables) < 2:
        return rows
    keys = [np.concatenate([columns[key] for columns in tables]) for key in ("tick", "epoch") if key in names]
    listed = list(rows)
    return (listed[place] for place in np.lexsort(keys).tolist())


def _values_of_kind(columns: _Table, names: Sequence[str], absent: Any) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(columns["tick"]), _BATCH):
        n = len(columns["tick"][start : start + _BATCH])
        parts = (_plain(name, columns[name][start : start + n]) if name in columns else None for name in names)
        yield from zip(*([absent] * n if part is None else part for part in parts), strict=True)


def _plain(name: str, values: Any) -> list[Any]:
    """Values of Python's own types; None for a place where nothing was recorded."""
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    return [None if value < 0 else value for value in listed] if name in _PLACES else listed
