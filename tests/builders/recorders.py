# SPDX-License-Identifier: MIT
"""A recorder that writes a file whose end is known, in pieces that break off anywhere. Knows nothing of nevparse.

Run as a script it is a process that takes its job as JSON on its standard input.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
COUNTS = ("zero", "old", "right")  # what the header of the block that is being written says


class Mark(NamedTuple):
    """A block: where its header counts, where its rows begin and end, and the bytes of one."""

    counter: int
    rows: int
    end: int
    row_bytes: int


def marks(kind: str, start: int, n_samples: Sequence[int], row_bytes: int) -> list[Mark]:
    """Blocks of so many samples that follow each other from `start` on."""
    count, header = (9, 13) if kind == "3.0" else (5, 9)
    found = []
    for n in n_samples:
        found.append(Mark(start + count, start + header, start + header + n * row_bytes, row_bytes))
        start = found[-1].end
    return found


def n_whole(blocks: Sequence[Mark], at: int) -> int:
    """Samples that are written whole up to a byte."""
    return sum(max(0, min(at, block.end) - block.rows) // block.row_bytes for block in blocks)


class Recorder:
    """Writes `data` up to any byte; completes the header of a block when that ends, as recorders do at a pause."""

    def __init__(self, path: str | Path, data: bytes, blocks: Sequence[Mark] = (), counts: str = "zero") -> None:
        self._data, self._blocks, self._counts = data, blocks, counts
        self._blank, self._old = bytearray(data), 0
        for block in blocks:
            self._blank[block.counter : block.counter + 4] = bytes(4)
        self.at = 0
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def upto(self, end: int) -> None:
        """Write on to byte `end`."""
        for stop in sorted({block.end for block in self._blocks if self.at < block.end < end} | {end}):
            self._file.seek(self.at)
            self._file.write(self._blank[self.at : stop])
            for block in self._blocks:
                if block.rows <= stop and block.end > self.at:
                    self._count(block, stop)
            self.at = max(self.at, stop)

    def _count(self, block: Mark, stop: int) -> None:
        n = (min(stop, block.end) - block.rows) // block.row_bytes
        if stop >= block.end:
            self._say(block, n)
        elif self._counts != "zero":
            self._say(block, n if self._counts == "right" else min(n, self._old))
        self._old = n if stop < block.end else 0

    def _say(self, block: Mark, n: int) -> None:
        self._file.seek(block.counter)
        self._file.write(struct.pack("<I", n))


def odd_ends(begin: int, end: int, seed: int, most: int) -> list[int]:
    """Bytes to write up to, one after another: no boundary of anything."""
    chance, ends = random.Random(seed), [begin]
    while ends[-1] < end:
        ends.append(min(end, ends[-1] + chance.randrange(1, most)))
    return ends


@contextmanager
def recording(path: Path, data: bytes, blocks: Sequence[Mark] = (), **job: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process that records `data` to a file; at each byte of `waits` it waits for a line."""
    final = path.with_suffix(path.suffix + "-final")
    final.write_bytes(data)
    whole = {"data": str(final), "path": str(path), "blocks": blocks, "counts": "zero", "rest_s": 0.001}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        process.stdin.write(json.dumps(whole | {"die_at": None, "signal": int(KILL), "waits": []} | job) + "\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def main() -> None:
    """Write a file until it is whole, with a rest after each piece; say so."""
    job = json.loads(sys.stdin.readline())
    with open(job["data"], "rb") as file:
        data = file.read()
    blocks = [Mark(*numbers) for numbers in job["blocks"]]
    with Recorder(job["path"], data, blocks, job["counts"]) as recorder:
        for k, end in enumerate(job["ends"]):
            recorder.upto(end)
            time.sleep(job["rest_s"] * (10 if k % 50 == 49 else 1))
            if end in job["waits"]:
                sys.stdin.readline()
            if end == job["die_at"]:
                os.kill(os.getpid(), job["signal"])
    print("whole", flush=True)


if __name__ == "__main__":
    main()
