# SPDX-License-Identifier: MIT
"""Everything that a file tells, also to a process that imports no more than this."""

from __future__ import annotations

from typing import Any

import nevparse as nv
from nevparse.nev.file import NevFile

SCALES = dict.fromkeys(range(1, 10), 0.25)  # for 2.1, which has none


def open_file(path: str) -> Any:
    return nv.open_nev(path) if path.endswith(".nev") else nv.open_nsx(path, nev=SCALES)


def all_of(file: Any) -> tuple[Any, ...]:
    """Everything that a file tells, as bytes and plain values."""
    if isinstance(file, NevFile):
        kinds = file.kinds()
        events = {kind: file.events(kind).tobytes() for kind in kinds if kind not in ("spike", "stim")}
        return kinds, events, file.spikes().tobytes(), repr(file.trains()), file.comments(), file.packets.tobytes()
    segments = [(s.samples.tobytes(), s.ticks().tobytes(), repr(s)) for s in file.segments]
    chunks = [chunk.samples.tobytes() for chunk in file.chunks(7, channels=[1, 0])]
    where = [found.tolist() for found in file.locate([0, 5, 10**13])]
    return (
        segments,
        chunks,
        where,
        file.gaps,
        repr(file.channels),
        file.read(segment=0, unit="uV").tobytes(),
        file.fully_scanned().gaps,
    )


def worker(file: Any) -> tuple[Any, ...]:
    """What a process that was handed a file makes of it."""
    with file:
        return all_of(file)
