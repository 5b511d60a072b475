# SPDX-License-Identifier: MIT
"""Events of a NEV as rows of plain values: for a terminal, for CSV and for JSON."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import Any

import numpy as np

from ..export.output.files import complete_or_absent
from ..format.tables import EventKind
from ..format.text import json_text, printable
from ..nev.comments import Comment
from ..nev.file import NevFile
from .terminal import UnusableInput

_BATCH = 4096  # events turned into Python values at a time
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # how a formula starts, in full width too
_ARRAY_FIELDS = {"waveform", "payload", "points"}  # only --npy and the library give these


def print_text(nev: NevFile, kind: EventKind | None) -> None:
    """Print one line for each event, for a person."""
    for row in _rows(nev, _kinds(nev, kind)):
        tick, seconds, name = row.pop("tick"), row.pop("seconds"), row.pop("kind")
        values = "  ".join(f"{field} {value}" for field, value in row.items() if value is not None)
        print(f"{seconds:14.6f} s  tick {tick}  {name:<10}  {printable(values)}")


def print_json(nev: NevFile, kind: EventKind | None) -> None:
    """Print one line of JSON for each event."""
    for row in _rows(nev, _kinds(nev, kind)):
        print(json_text(row))


def print_csv(nev: NevFile, kind: EventKind | None, *, for_spreadsheet: bool) -> None:
    """Print a header and one line for each event."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(newline="")  # RFC 4180 ends lines in CRLF on every system
    kinds = _kinds(nev, kind)
    writer = csv.DictWriter(sys.stdout, _columns(nev, kinds), restval="")
    writer.writeheader()
    writer.writerows(csv_cells(row, for_spreadsheet) for row in _rows(nev, kinds))


def save_npy(nev: NevFile, kind: EventKind | None, path: str) -> None:
    """Write all events of one kind to a numpy file that does not exist yet."""
    if kind is None:
        raise UnusableInput("--npy takes one kind of event: name it with --kind")
    events = nev.events(kind)
    outputs = complete_or_absent(path, [path], overwrite=False, inputs=[nev._source])
    with outputs as created, created.create(path) as file:
        np.save(file, events, allow_pickle=False)
    print(printable(f"{path}: {len(events)} events of {events.dtype}"))


def csv_cells(row: dict[str, Any], for_spreadsheet: bool) -> dict[str, Any]:
    """A row whose texts are one line each, and for a spreadsheet no formulas."""
    texts = {name: printable(value) for name, value in row.items() if isinstance(value, str)}
    if for_spreadsheet:
        texts = {name: "'" + text if text.startswith(_FORMULA) else text for name, text in texts.items()}
    return row | texts


def _kinds(nev: NevFile, kind: EventKind | None) -> list[EventKind]:
    """The chosen kind; by default all kinds but those with very many events."""
    return [kind] if kind else [name for name in nev.kinds() if name not in ("spike", "stim", "unknown")]


def _columns(nev: NevFile, kinds: Sequence[EventKind]) -> list[str]:
    """Names of all columns that events of these kinds have."""
    names = ["tick", "seconds", "kind"]
    for kind in kinds:
        if kind == "comment":
            names += Comment._fields
        else:
            dtype = nev.spikes(electrodes=[], waveforms=False).dtype if kind == "spike" else nev.events(kind).dtype
            names += [name for field in dtype.names or () for name in _field_columns(dtype, field)]
    return list(dict.fromkeys(names))


def _field_columns(dtype: np.dtype[Any], field: str) -> list[str]:
    """A field of several numbers has a column for each."""
    if field in _ARRAY_FIELDS:
        return []
    n_values = int(np.prod(dtype[field].shape, dtype=int))
    return [field] if not dtype[field].shape else [f"{field}_{number}" for number in range(1, n_values + 1)]


def _rows(nev: NevFile, kinds: Sequence[EventKind]) -> Iterator[dict[str, Any]]:
    """Every event as a row of plain values; several kinds are sorted by time."""
    rows = (row for kind in kinds for row in _kind_rows(nev, kind))
    return rows if len(kinds) == 1 else iter(sorted(rows, key=lambda row: int(row["tick"])))


def _kind_rows(nev: NevFile, kind: EventKind) -> Iterator[dict[str, Any]]:
    is_comment = kind == "comment"
    for values in (comment._asdict() for comment in nev.comments()) if is_comment else _events(nev, kind):
        yield {"tick": values["tick"], "seconds": values["tick"] / nev.tick_rate, "kind": kind} | values


def _events(nev: NevFile, kind: EventKind) -> Iterator[dict[str, Any]]:
    events = nev.spikes(waveforms=False) if kind == "spike" else nev.events(kind)
    columns = {field: names for field in events.dtype.names or () if (names := _field_columns(events.dtype, field))}
    for start in range(0, len(events), _BATCH):
        for event in events[start : start + _BATCH]:
            yield {
                name: value
                for field, names in columns.items()
                for name, value in zip(names, np.ravel(event[field]).tolist(), strict=True)
            }
