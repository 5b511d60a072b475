# SPDX-License-Identifier: MIT
"""What the tests of events build and ask."""

from __future__ import annotations

from collections.abc import Callable

from builders.nev import V2, V3, nev, wav

from nevparse.nev.file import NevFile

VERSIONS = [(2, 0), (2, 1), (2, 2), (2, 3), (3, 0)]
MAKERS = {version: V3 if version == (3, 0) else V2 for version in VERSIONS}
WAVE = list(range(1, 49))
Opener = Callable[..., NevFile]


def some_spikes() -> bytes:
    rows = [(10, 1, 0), (20, 2, 1), (30, 1, 1), (30, 2, 1), (25, 1, 0), (40, 1, 255)]
    return nev([V2.spike(*row, [row[0]]) for row in rows] + [V2.digital(35, 1, 5)], [wav(1), wav(2), wav(3)])
