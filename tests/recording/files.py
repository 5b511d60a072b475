# SPDX-License-Identifier: MIT
"""Files of a recording."""

from __future__ import annotations

from pathlib import Path

from builders import timing as t

import nevparse as nv
from nevparse.recording.recording import Recording

RATE = 30_000


def nsx(*blocks: tuple[int, int], period: int = 1, kind: str = "2.3", tick_rate: int | None = None) -> bytes:
    """A file of (tick, samples) blocks."""
    rate = tick_rate or (t.NS if kind == "ptp" else RATE)
    return t.blocks([tick for tick, _ in blocks], [n for _, n in blocks], kind, period=period, tick_rate=rate)


class Folder:
    """A folder that a test writes files to and opens recordings in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened: list[Recording] = []

    def write(self, **files: bytes) -> Folder:
        """Write files whose names have ``__`` where the file's has a dot."""
        for name, data in files.items():
            (self.path / name.replace("__", ".")).write_bytes(data)
        return self

    def open(self, name: str = "s") -> Recording:
        self.opened.append(nv.open_recording(self.path / name))
        return self.opened[-1]
