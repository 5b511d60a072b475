# SPDX-License-Identifier: MIT
"""A buffer is used again when its batch was written, however late, and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import FileIO
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
    for stream, name in ((write_at_the_end, "late.out"), (write_at_once, "early.out")):
        for module in (job, file_plan):
            monkeypatch.setattr(module, "stream", stream)
        export(opened, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (tmp_path / "soon.out").read_bytes()
