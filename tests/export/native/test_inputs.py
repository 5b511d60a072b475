# SPDX-License-Identifier: MIT
"""A file that shrinks, changes or grows while it is cut: claims C09 to C11 of `spec_notes/exports.md`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from builders.growing import Growing
from builders.recorders import Recorder
from source.watching import quietly

import nevparse as nv
from nevparse.export.native import cut_nev, file_plan
from nevparse.traces import packing

BUFFER_BYTES = 1 << 15  # so that little data takes several steps
SPIKES = [n.V2.spike(k, 1 + k % 3, 0) for k in range(2000)]
INPUTS = {
    "2.3": b.nsx([(0, b.ramp(8000, 12))]),
    "ptp": b.nsx([(0, b.ramp(5000, 12))], "ptp"),
    "nev": n.nev(SPIKES, [n.wav(k) for k in (1, 2, 3)]),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "whole": {},
    "chosen": {"electrodes": [1, 3]},
    "range": {"start_tick": 5},
    "anonymous": {"anonymise": True},
}
every_input = pytest.mark.parametrize("kind", INPUTS)
every_option = pytest.mark.parametrize("option", OPTIONS)


@pytest.fixture(autouse=True)
def several_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (packing, cut_nev, file_plan):
        monkeypatch.setattr(module, "BUFFER_BYTES", BUFFER_BYTES)


def cut_while(tmp_path: Path, kind: str, option: str, happens: Callable[[Path], object], when: str = "first") -> bytes:
    """Cut a file to which something happens before, or after the first or the last step."""
    path, out = tmp_path / "input", tmp_path / "out"
    done: list[object] = []
    path.write_bytes(INPUTS[kind])
    os.utime(path, ns=(10**18, 10**18))
    out.mkdir()

    def step(now: int, total: int) -> None:
        if not done and (when == "first" or now == total):
            done.append(happens(path))

    opener: Any
    write: Any
    opener, write = (nv.open_nev, nv.write_nev) if kind == "nev" else (nv.open_nsx, nv.write_nsx)
    with opener(path) as file:
        _ = file.packets["tick"].sum() if kind == "nev" else file.segments
        if when == "before":
            happens(path)
        try:
            write(file, out / "cut", progress=step, **OPTIONS[option])
        except nv.ExportError:
            assert list(out.iterdir()) == []
            raise
    return (out / "cut").read_bytes()


def put(at: int, data: bytes) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        with open(path, "r+b") as file:
            file.seek(at, os.SEEK_END if at == 0 else os.SEEK_SET)
            file.write(data)

    return change


@every_input
@every_option
@pytest.mark.parametrize("when", ["before", "first", "last"])
def test_exports_c09_a_cut_of_a_file_that_shrinks_is_refused(tmp_path: Path, kind: str, option: str, when: str) -> None:
    if kind == "nev" and sys.platform == "win32":
        pytest.skip("a file that is mapped cannot be made shorter here")
    with pytest.raises(nv.ExportError, match="has become shorter"):
        cut_while(tmp_path, kind, option, lambda path: os.truncate(path, 3000), when)


@every_input
@every_option
@pytest.mark.parametrize("at", [100, 5000])
def test_exports_c10_a_cut_of_a_file_that_is_changed_is_refused(tmp_path: Path, kind: str, option: str, at) -> None:
    with pytest.raises(nv.ExportError, match=r"changed while it was exported \((its|it)"):
        cut_while(tmp_path, kind, option, put(at, b"\x55" * 9))


@every_input
@every_option
def test_exports_c11_a_file_may_grow_while_it_is_cut(tmp_path: Path, kind: str, option: str) -> None:
    (tmp_path / "quiet").mkdir()
    quiet = cut_while(tmp_path / "quiet", kind, option, lambda path: None)
    assert cut_while(tmp_path, kind, option, put(0, INPUTS[kind][-700:])) == quiet


@pytest.mark.parametrize("kind", ["2.3", "3.0"])
def test_exports_c11_a_block_that_is_counted_anew_is_cut_as_it_was_read(tmp_path: Path, kind: str) -> None:
    made = Growing(kind, [0], [150])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks, "right") as recorder:
        recorder.upto(made.blocks[0].rows + 4 * 100)
        with quietly(tmp_path / "s.ns5") as ns:
            assert ns.n_samples == 100
            recorder.upto(len(made.data))
            report = nv.write_nsx(ns, tmp_path / "cut.ns5")
    with nv.open_nsx(report.path) as cut:  # without a warning
        assert (cut.n_samples, report.n_samples) == (100, 100)
        np.testing.assert_array_equal(cut.read(), made.samples[:100])
