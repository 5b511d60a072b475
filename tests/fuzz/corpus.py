# SPDX-License-Identifier: MIT
"""The stored corpus: what fuzzing found that reaches lines, and ways between them, which the seeds do not."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

import nevparse

from .properties import judge
from .seeds import seeds

STORED = Path(__file__).with_name("corpus.zip")
MOST_BYTES = 4096
_PACKAGE = str(Path(nevparse.__file__).parent)
_WHEN = (1980, 1, 1, 0, 0, 0)  # the archive's bytes depend on its inputs alone

Arcs = set[tuple[str, int, int]]


def load() -> dict[str, list[bytes]]:
    """Stored inputs by target."""
    found: dict[str, list[bytes]] = {}
    if not STORED.exists():
        return found
    with zipfile.ZipFile(STORED) as archive:
        for name in archive.namelist():
            found.setdefault(name.partition("/")[0], []).append(archive.read(name))
    return found


def store(found: dict[str, list[bytes]]) -> None:
    """Write the archive anew."""
    with zipfile.ZipFile(STORED, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for target, inputs in sorted(found.items()):
            for data in sorted(inputs, key=lambda data: (len(data), data)):
                name = f"{target}/{sha256(data).hexdigest()[:16]}"
                archive.writestr(zipfile.ZipInfo(name, _WHEN), data, zipfile.ZIP_DEFLATED, 9)


def starting_points() -> dict[str, list[bytes]]:
    """Seeds, and what is stored."""
    stored = load()
    return {target: inputs + stored.get(target, []) for target, inputs in seeds().items()}


def minimised(found: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """Of every target the inputs that reach what neither its seeds nor a smaller one of them reach."""
    kept: dict[str, list[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="nevparse-fuzz-") as name:
        for target, inputs in found.items():
            reached: Arcs = set().union(*(arcs_of(target, data, Path(name)) for data in seeds()[target]))
            kept[target] = []
            for data in sorted(inputs, key=lambda data: (len(data), data)):
                arcs = arcs_of(target, data, Path(name)) if len(data) <= MOST_BYTES else set()
                if not arcs <= reached:
                    reached |= arcs
                    kept[target].append(data)
    return kept


def arcs_of(target: str, data: bytes, folder: Path) -> Arcs:
    """Ways from line to line of the package that an input takes, in the thread that runs it."""
    arcs: Arcs = set()

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            return None
        before = -frame.f_code.co_firstlineno

        def step(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal before
            if event in ("line", "return"):
                arcs.add((file, before, frame.f_lineno))
                before = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        judge(target, data, folder)
    finally:
        sys.settrace(None)
    return arcs
