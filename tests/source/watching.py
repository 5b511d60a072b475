# SPDX-License-Identifier: MIT
"""How the tests look at files that grow, and compare what they saw."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from processes import PATIENCE_S

import nevparse as nv
from nevparse.nsx.file import Chunk, NsxFile

ROOT = Path(nv.__file__).resolve().parents[1]


def quietly(path: str | Path | bytes, opener: Callable[..., Any] = nv.open_nsx) -> Any:
    """Open what is cut or not counted yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.TruncatedFile)
        warnings.simplefilter("ignore", nv.DamagedFile)
        return opener(path)


class Time:
    """Time for those who look again and again: while they sleep, the next thing happens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: Iterator[Callable[[], object]] = iter(())

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        next(self.events, lambda: None)()

    def passes(self, *events: Callable[[], object]) -> None:
        self.events = iter(events)


def ticks_of(ns: NsxFile) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *(segment.ticks() for segment in ns.segments)])


def samples_of(ns: NsxFile) -> np.ndarray:
    return np.concatenate([np.empty((0, ns.n_channels), ns.dtype), *(segment.samples for segment in ns.segments)])


def edges_of(ns: NsxFile) -> list[tuple[int, int]]:
    """First sample and tick of each segment."""
    starts = np.cumsum([0, *(segment.n_samples for segment in ns.segments)]).tolist()
    return [(start, segment.start_tick) for start, segment in zip(starts, ns.segments, strict=False)]


def same(ns: NsxFile, other: NsxFile) -> None:
    """Two files say the same of everything."""
    assert ns.n_samples == other.n_samples
    assert (ns.missing_bytes, ns.damage, ns.size_bytes) == (other.missing_bytes, other.damage, other.size_bytes)
    assert edges_of(ns) == edges_of(other)
    assert ns.gaps == other.gaps
    assert ns.time_base == other.time_base
    np.testing.assert_array_equal(samples_of(ns), samples_of(other))
    np.testing.assert_array_equal(ticks_of(ns), ticks_of(other))


def is_beginning(ns: NsxFile, whole: NsxFile, n_final: int | None = None) -> None:
    """What a file has is the beginning of what it will have: samples, ticks, and segments up to the last."""
    n = ns.n_samples
    np.testing.assert_array_equal(samples_of(ns), samples_of(whole)[:n])
    np.testing.assert_array_equal(ticks_of(ns), ticks_of(whole)[:n])
    final = n if n_final is None else n_final
    edges = [edge for edge in edges_of(ns) if edge[0] < final]
    assert edges == [edge for edge in edges_of(whole) if edge[0] < final]
    assert ns.gaps[: max(0, len(edges) - 1)] == whole.gaps[: max(0, len(edges) - 1)]
    assert sum(segment.n_samples for segment in ns.segments) == n


def together(chunks: Sequence[Chunk], ns: NsxFile) -> None:
    """Chunks hold every sample once, in its place."""
    found: list[list[np.ndarray]] = [[] for _ in ns.segments]
    for number, start, samples in chunks:
        assert start == sum(map(len, found[number]))
        assert len(samples) > 0
        found[number].append(samples)
    for segment, parts in zip(ns.segments, found, strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), segment.samples)


def appended(path: str | Path, data: bytes) -> None:
    """Bring a file to what it will be, in place."""
    with open(path, "r+b") as file:
        file.write(data)


def exported(folder: Path, path: str | Path, **options: Any) -> dict[str, bytes]:
    """What a plain export of the file as it is makes."""
    folder.mkdir()
    with quietly(path) as ns:
        nv.write_bin(ns, folder / "s.bin", **options)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def wait_for(path: Path, n_bytes: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while not (path.exists() and path.stat().st_size >= n_bytes):
        assert time.monotonic() < until
        time.sleep(0.002)


def bin_command(path: str | Path, out: Path, *more: str) -> list[str]:
    return ["bin", str(path), str(out), "--gaps", "join", "--follow", *more]
