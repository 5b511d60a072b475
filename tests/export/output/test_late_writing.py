# SPDX-License-Identifier: MIT
"""A buffer is used again when its batch was written, however late, and not before."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterable
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import Opened

import nevparse as nv
from export.left import paused
from nevparse.export import job
from nevparse.export.native import file_plan
from nevparse.export.output import stream
from nevparse.traces import packing


def write_at_the_end(batches: Iterable[packing.Batch], file: FileIO, show: Callable[[int], None]) -> None:
    """Pack and write every batch when the last one was read: none of their buffers comes back before."""
    for batch in [*batches]:
        file.write(batch.pack())
        batch.give_back()
        show(batch.n_rows)


def write_at_once(batches: Iterable[packing.Batch], file: FileIO, show: Callable[[int], None]) -> None:
    """Write each batch before the next one is read: one buffer serves all."""
    for batch in batches:
        file.write(batch.pack())
        if not batch.data.readonly:  # nobody needs it any more
            batch.data[:] = bytes(len(batch.data))
        batch.give_back()
        show(batch.n_rows)


def write_as_late_as_may_be(batches: Iterable[packing.Batch], file: FileIO, show: Callable[[int], None]) -> None:
    """As the second thread at its slowest: all batches that may wait are there, and none of them is packed."""
    waiting = list[packing.Batch]()
    for batch in chain(batches, [None] * stream.BATCHES):
        if batch is not None:
            waiting.append(batch)
        if waiting and (batch is None or len(waiting) == stream.BATCHES):
            oldest = waiting.pop(0)
            file.write(oldest.pack())
            oldest.give_back()
            show(oldest.n_rows)


def instruments(opened: Opened) -> list[nv.NsxFile]:
    return [opened(b.nsx([(7, b.ramp(90, n_channels))]), f"NSP{n_channels}.ns5") for n_channels in (2, 3)]


def in_blocks(opened: Opened) -> nv.NsxFile:
    return opened(paused((12, 9, 50), (7, 2))[0])


def in_many_blocks(opened: Opened) -> nv.NsxFile:
    counts = [90, 3, 1, 4, 1, 5, 90]
    return opened(t.blocks([1000 * k for k in range(len(counts))], counts))


def in_packets(opened: Opened) -> nv.NsxFile:
    return opened(t.ptp(t.stamps(150, breaks={60: 20})))


EXPORTS: dict[str, Callable[[Opened, Path], Any]] = {
    "join": lambda opened, out: nv.write_bin(in_blocks(opened), out, gaps="join"),
    "hold": lambda opened, out: nv.write_bin(in_blocks(opened), out, gaps="fill", fill="hold"),
    "one column": lambda opened, out: nv.write_bin(in_blocks(opened), out, gaps="join", channels=[1]),
    "packets": lambda opened, out: nv.write_bin(in_packets(opened), out, gaps="join", channels=[1]),
    "scattered": lambda opened, out: nv.write_bin(opened(b.nsx([(7, b.ramp(90, 40))])), out, channels=range(0, 40, 2)),
    "instruments": lambda opened, out: nv.write_bin(instruments(opened), out),
    "cut of blocks": lambda opened, out: nv.write_nsx(in_blocks(opened), out, channels=[1]),
    "cut of many blocks": lambda opened, out: nv.write_nsx(in_many_blocks(opened), out, channels=[1]),
    "cut of packets": lambda opened, out: nv.write_nsx(in_packets(opened), out, channels=[1]),
}


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("small_bytes", [0, 20])  # of parts that are copied and joined
@pytest.mark.parametrize("export", EXPORTS.values(), ids=list(EXPORTS))
def test_batches_are_written_whole_however_late_they_are_written(
    opened: Opened,
    tmp_path: Path,
    export: Callable[[Opened, Path], Any],
    small_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file_plan, "_SMALL_BYTES", small_bytes)
    export(opened, tmp_path / "soon.out")
    for writing, name in ((write_at_the_end, "late.out"), (write_at_once, "early.out")):
        for module in (job, file_plan):
            monkeypatch.setattr(module, "stream", writing)
        export(opened, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (tmp_path / "soon.out").read_bytes()


@pytest.mark.parametrize("columns", [None, slice(0, 10), range(15, -1, -1)], ids=["all", "contiguous", "scattered"])
@pytest.mark.parametrize("writing", [stream.stream, write_as_late_as_may_be])
def test_memory_stays_bounded_whatever_the_size_and_however_late_batches_are_written(
    tmp_path: Path, out: Path, columns: Any, writing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n_bytes in (40_000, 20_000_000):  # with the first one all modules are loaded
        path = tmp_path / f"{n_bytes}.ns5"
        path.write_bytes(b.basic_21(16) + b"".join(b.channel(k, kind="2.1") for k in range(16)))
        os.truncate(path, n_bytes)
        monkeypatch.setattr(job, "stream", writing)
        with nv.open_nsx(path) as ns:
            tracemalloc.start()
            try:
                nv.write_bin(ns, out, channels=columns, overwrite=True)
                _, most_bytes = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert out.stat().st_size == ns.n_samples * 2 * (10 if columns == slice(0, 10) else 16)
    assert most_bytes < 16_000_000  # 3 buffers of 2 MB as the file has it, 3 of packed rows, an index of 2 MB
