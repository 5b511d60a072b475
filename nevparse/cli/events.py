# SPDX-License-Identifier: MIT
"""Events of a NEV as rows of plain values: for a terminal, for CSV and for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..format.text import printable
from ..nev.comments import Comment
from ..nev.file import NevFile

_AT_ONCE = 4096  # events turned into Python values at a time
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # how a formula starts, in full width too
_RAW = {"waveform", "payload", "points"}  # left to --npy and the library


def shown_kinds(nev: NevFile, kind: str | None) -> list[str]:
    """The kinds a listing is of: the one asked for, or all but spikes and their like, which are many."""
    return [kind] if kind else [name for name in nev.kinds() if name not in ("spike", "stim", "unknown")]


def columns_of(nev: NevFile, kinds: Sequence[str]) -> list[str]:
    """Names of the columns that rows of these kinds have, a field of several numbers spread over as many."""
    columns = ["tick", "seconds", "kind"]
    for kind in kinds:
        columns += [name for name in _fields(nev, kind) if name not in columns]
    return columns


def _fields(nev: NevFile, kind: str) -> Iterator[str]:
    if kind == "comment":
        yield from Comment._fields
        return
    dtype = nev.spikes(electrodes=[], waveforms=False).dtype if kind == "spike" else nev.events(kind).dtype
    for field in dtype.names or ():
        yield from _names(dtype, field)


def rows_of(nev: NevFile, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every event of these kinds as a row of plain values, in order of time where there are several kinds."""
    streams = [_kind_rows(nev, kind) for kind in kinds]
    if len(streams) == 1:
        yield from streams[0]
        return
    yield from sorted((row for stream in streams for row in stream), key=lambda row: int(row["tick"]))


def cells_of(row: dict[str, Any], guarded: bool) -> dict[str, Any]:
    """The same row as one line of text; where `guarded`, nothing in it is a formula to a spreadsheet."""
    texts = {name: printable(value) for name, value in row.items() if isinstance(value, str)}
    if guarded:
        texts = {name: "'" + text if text.startswith(_FORMULA) else text for name, text in texts.items()}
    return row | texts


def _kind_rows(nev: NevFile, kind: str) -> Iterator[dict[str, Any]]:
    if kind == "comment":
        for comment in nev.comments():
            yield _stamped(nev, kind, comment.tick) | comment._asdict()
        return
    events = nev.spikes(waveforms=False) if kind == "spike" else nev.events(kind)
    for start in range(0, len(events), _AT_ONCE):
        for event in events[start : start + _AT_ONCE]:
            yield _row(nev, kind, event)


def _stamped(nev: NevFile, kind: str, tick: int) -> dict[str, Any]:
    return {"tick": tick, "seconds": tick / nev.tick_rate, "kind": kind}


def _row(nev: NevFile, kind: str, event: np.void) -> dict[str, Any]:
    row = _stamped(nev, kind, int(event["tick"]))
    for field in event.dtype.names or ():
        if field != "tick" and (names := _names(event.dtype, field)):
            row |= zip(names, np.ravel(event[field]).tolist(), strict=True)
    return row


def _names(dtype: np.dtype[Any], field: str) -> list[str]:
    if field in _RAW:
        return []
    n_values = int(np.prod(dtype[field].shape, dtype=int))
    return [field] if not dtype[field].shape else [f"{field}_{k + 1}" for k in range(n_values)]
