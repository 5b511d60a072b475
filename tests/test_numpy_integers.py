# SPDX-License-Identifier: MIT
"""Every integer that the public surface takes may be one of numpy's, of any kind: what comes back is the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from depth import FEWER
from fixture_types import NewFolder
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv

KINDS = [np.dtype(code).type for code in "bBhHiIqQ"]
TICKS = [10, 60]  # of the segments, of 40 samples each: a pause between 50 and 60
Integer = Callable[[int], Any]


@dataclass
class Files:
    """One recording of each kind, and where to write."""

    blocks: nv.NsxFile
    packets: nv.NsxFile
    recording: nv.Recording
    sidecars: list[nv.Sidecar]
    new_folder: NewFolder

    @property
    def nev(self) -> nv.NevFile:
        return self.recording.require_nev()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    halves = [(TICKS[0], b.ramp(40, 3)), (TICKS[1], b.ramp(40, 3, first=40))]
    (tmp_path / "r.ns5").write_bytes(b.nsx(halves))
    (tmp_path / "p.ns6").write_bytes(b.nsx([(10, b.ramp(90, 3))], "ptp", tick_rate=30_000))
    spikes = [nb.V2.spike(tick, 1 + tick % 3, tick % 4, [tick] * 8) for tick in range(5, 95, 5)]
    headers = [nb.wav(k + 1) for k in range(3)]
    (tmp_path / "r.nev").write_bytes(nb.nev(spikes, headers, packet_bytes=24))
    made = iter(range(10**6))

    def new_folder() -> Path:
        target = tmp_path / f"out-{next(made)}"
        target.mkdir()
        return target

    with nv.open_recording(tmp_path / "r") as recording, nv.open_nsx(tmp_path / "p.ns6") as packets:
        written = [
            nv.write_bin(recording.nsx[5], tmp_path / "a.bin", gaps="fill"),
            nv.write_bin(packets, tmp_path / "b.bin", gaps="join"),
        ]
        sidecars = [nv.read_sidecar(report.path) for report in written]
        yield Files(recording.nsx[5], packets, recording, sidecars, new_folder)
        sidecars.clear()  # one has its timestamps mapped


def exported(files: Files, ns: nv.NsxFile, **options: Any) -> Any:
    """What a `.bin` and its sidecar hold, or why there is none."""
    try:
        report = nv.write_bin(ns, files.new_folder() / "s.bin", **options)
    except (ValueError, nv.NevParseError) as error:
        return str(error).replace("np.", "")
    sidecar = {key: value for key, value in json.loads(Path(report.sidecar_path).read_text()).items() if key != "bin"}
    return np.fromfile(report.path, "<i2").tolist(), sidecar, report.n_filled


def cut(files: Files, write: Any, file: Any, **options: Any) -> Any:
    path = files.new_folder() / "cut"
    try:
        write(file, path, **options)
    except ValueError as error:
        return str(error)
    return path.read_bytes()


def made(files: Files, i: Integer, **options: Any) -> bytes:
    path = files.new_folder() / "new.ns5"
    channel = nv.NewChannel(i(3), bank=i(1), pin=i(2), digital_range=(i(0), i(99)), analog_range=(i(0), i(9)))
    nv.create_nsx(np.zeros((5, 1), np.int16), path, [channel], sampling_rate=i(100), tick_rate=i(50), **options)
    return path.read_bytes()


def read(chunks: Any) -> list[Any]:
    return [(chunk.segment, chunk.start, chunk.samples.tolist()) for chunk in chunks]


# Of the files, a kind of integers, and three numbers from 0 to 100, the first two in order, the last below 2
CALLS: Mapping[str, Callable[[Files, Integer, int, int, int], Any]] = {
    "read": lambda f, i, a, z, k: f.blocks.read(i(a), i(z), segment=i(k), electrodes=[i(3), i(1)]),
    "read channels": lambda f, i, a, z, k: f.packets.read(i(a), i(z), channels=slice(i(k), i(3))),
    "chunks": lambda f, i, a, z, k: read(f.blocks.chunks(i(a + 1), channels=[i(k)])),
    "follow": lambda f, i, a, z, k: read(f.packets.follow(i(a + 1), timeout_s=i(0), electrodes=[i(k + 1)])),
    "columns": lambda f, i, a, z, k: f.blocks.columns(electrodes=[i(k + 1)]),
    "locate": lambda f, i, a, z, k: f.blocks.locate([i(a), i(z)]),
    "locate packets": lambda f, i, a, z, k: f.packets.locate([i(a), i(z)]),
    "datetime": lambda f, i, a, z, k: f.blocks.datetime(i(a)),
    "segment": lambda f, i, a, z, k: f.blocks.segments[k][i(k) : i(9), [i(2), i(0)]],
    "ticks": lambda f, i, a, z, k: f.blocks.segments[k].ticks(i(a), i(z)),
    "find": lambda f, i, a, z, k: [ns.segments[0].find(i(a)) for ns in (f.blocks, f.packets)],
    "seconds": lambda f, i, a, z, k: f.packets.segments[0].seconds(i(a), i(z), origin_tick=i(a)),
    "recording": lambda f, i, a, z, k: f.recording.locate([i(a), i(z)], i(5)),
    "spikes": lambda f, i, a, z, k: f.nev.spikes(i(k + 1), i(k), i(a), i(z)).tolist(),
    "spikes of several": lambda f, i, a, z, k: f.nev.spikes([i(k + 1)], [i(k), i(3)], i(a)).tolist(),
    "unit_class": lambda f, i, a, z, k: nv.NevFile.unit_class(i(a)),
    "row_to_tick": lambda f, i, a, z, k: [s.row_to_tick([i(a % 80), i(z % 80)]) for s in f.sidecars],
    "tick_to_row": lambda f, i, a, z, k: [s.tick_to_row([i(a), i(z)]) for s in f.sidecars],
    "tick_to_row of an epoch": lambda f, i, a, z, k: [s.tick_to_row([i(a)], epoch=i(k)) for s in f.sidecars],
    "sidecar seconds": lambda f, i, a, z, k: [s.seconds([i(a % 80)], origin_tick=i(z)) for s in f.sidecars],
    "spike_rows": lambda f, i, a, z, k: f.sidecars[0].spike_rows(f.recording, [i(a), i(z)]),
    "write_bin split": lambda f, i, a, z, k: exported(f, f.blocks, start_tick=i(a), stop_tick=i(z), gaps="split"),
    "write_bin fill": lambda f, i, a, z, k: exported(
        f, f.blocks, start_tick=i(a), stop_tick=i(z), gaps="fill", fill=i(z), max_fill=i(k + 1)
    ),
    "write_bin packets": lambda f, i, a, z, k: exported(
        f, f.packets, start_tick=i(a), stop_tick=i(z), gaps="join", channels=[i(k)]
    ),
    "write_bin follow": lambda f, i, a, z, k: exported(
        f, f.packets, start_tick=i(a), stop_tick=i(z), gaps="join", follow=True, poll_s=i(0), timeout_s=i(0)
    ),
    "write_nsx": lambda f, i, a, z, k: cut(
        f, nv.write_nsx, f.blocks, start_tick=i(a), stop_tick=i(z), segments=i(k), electrodes=[i(k + 1)]
    ),
    "write_nsx packets": lambda f, i, a, z, k: cut(
        f, nv.write_nsx, f.packets, start_tick=i(a), segments=[i(0)], base_tick=i(0)
    ),
    "write_nev": lambda f, i, a, z, k: cut(
        f, nv.write_nev, f.nev, start_tick=i(a), stop_tick=i(z), electrodes=[i(k + 1)], base_tick=i(0)
    ),
    "create_nsx": lambda f, i, a, z, k: made(f, i, start_tick=i(a)),
}


def plain(value: Any) -> Any:
    """Arrays as lists of Python's numbers."""
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("call", CALLS)
@FEWER
@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 1), st.sampled_from(KINDS))
def test_integers_of_numpy_do_as_pythons_do(files: Files, call: str, a: int, z: int, k: int, kind: Integer) -> None:
    assert plain(CALLS[call](files, kind, a, z, k)) == plain(CALLS[call](files, int, a, z, k))


@pytest.mark.parametrize("kind", KINDS[1::2])
def test_a_range_that_begins_or_ends_in_a_pause_is_what_it_says(files: Files, kind: Integer) -> None:
    for bound in ("start_tick", "stop_tick"):
        rows, *_ = exported(files, files.blocks, gaps="join", **{bound: kind(55)})
        assert len(rows) == 40 * 3


@pytest.mark.parametrize("wrong", ["12", [1.9], ["1"], 1.5, b"1", [None]])
def test_electrodes_and_units_are_integers_and_nothing_else(files: Files, wrong: Any) -> None:
    for refused in (
        lambda: files.nev.spikes(wrong),
        lambda: files.nev.spikes(units=wrong),
        lambda: files.blocks.read(electrodes=wrong),
        lambda: nv.write_nsx(files.blocks, files.new_folder() / "x", segments=wrong),
    ):
        with pytest.raises(TypeError, match="integer"):
            refused()


def test_rows_and_ticks_are_whole(files: Files) -> None:
    sidecar = files.sidecars[0]
    for refused in (
        lambda: sidecar.row_to_tick([0.5]),
        lambda: sidecar.tick_to_row(np.array([10.5])),
        lambda: files.blocks.locate([10.5]),
        lambda: files.blocks.locate(1.5),
        lambda: files.blocks.locate(["10"]),
        lambda: files.blocks.segments[0].find(10.5),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match="integer"):
            refused()
    assert sidecar.row_to_tick(np.array([1.0, 2.0])).tolist() == [11, 12]


def test_times_that_no_clock_has_are_nowhere(files: Files) -> None:
    never = [-5, -1, 2**64, -(2**70)]
    for ns, sidecar in zip((files.blocks, files.packets), files.sidecars, strict=True):
        segment, sample = ns.locate([*never, 10])
        assert (segment.tolist(), sample.tolist()) == ([-1] * 4 + [0], [-1] * 4 + [0])
        assert sidecar.tick_to_row([*never, 10]).tolist() == [-1] * 4 + [0]
        assert sidecar.tick_to_row(np.array(-1)).tolist() == -1
        assert sidecar.seconds([0], origin_tick=-5)[0] * ns.tick_rate == pytest.approx(15)
        assert ns.segments[0].seconds(0, 1, origin_tick=-5)[0] * ns.tick_rate == pytest.approx(15)


@pytest.mark.parametrize("max_fill", [float("nan"), -1])
def test_a_limit_of_filled_rows_is_a_number(files: Files, max_fill: float) -> None:
    with pytest.raises(ValueError, match="max_fill to be 0 or more"):
        nv.write_bin(files.blocks, files.new_folder() / "s.bin", gaps="fill", max_fill=max_fill)
