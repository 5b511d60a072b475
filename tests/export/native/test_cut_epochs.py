# SPDX-License-Identifier: MIT
"""Cuts of recordings whose clock was set anew: claims C22 and C23 of `spec_notes/writing.md`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from builders import timing as t
from fixture_types import NevOf, RealFile
from recording.files import Folder, nsx

import nevparse as nv
from export.native.cutting import taken_apart
from nevparse.cli import commands as cli

FIRST, SECOND = list(range(0, 60_000, 600)), list(range(90, 90_000, 600))  # spikes of both epochs


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[nv.Recording]:
    """Two epochs of two segments, of which the first and the third overlap in ticks; spikes also in the pauses."""
    folder = Folder(tmp_path).write(s__nev=t.spike_nev(FIRST + SECOND))
    blocks = (0, 20_000), (40_000, 20_000), (90, 30_000), (70_000, 20_000)
    with folder.write(s__ns5=nsx(*blocks)).open() as recording:
        yield recording


def ticks_of(path: Path) -> list[int]:
    """Ticks of a NEV, which is removed: nothing replaces it."""
    ticks = [struct.unpack_from("<I", packet)[0] for packet in taken_apart(path.read_bytes())[2]]
    path.unlink()
    return ticks


def cut(recording: nv.Recording, out: Path, **options: Any) -> tuple[list[int], list[tuple[int, int]]]:
    """Ticks of the cut NEV, and ticks and samples of the segments of the cut NSx."""
    nv.write_nev(recording.require_nev(), out, **options)
    ticks = ticks_of(out)
    nv.write_nsx(recording.nsx[5], out.with_suffix(".ns5"), **options)
    with nv.open_nsx(out.with_suffix(".ns5")) as ns:
        segments = [(segment.start_tick, segment.n_samples) for segment in ns.segments]
    out.with_suffix(".ns5").unlink()
    return ticks, segments


def test_writing_c22_one_epoch_of_both_files_is_cut(recording: nv.Recording, out: Path) -> None:
    assert cut(recording, out, epoch=0) == (FIRST, [(0, 20_000), (40_000, 20_000)])
    assert cut(recording, out, epoch=1) == (SECOND, [(90, 30_000), (70_000, 20_000)])
    times = {"start_tick": 15_000, "stop_tick": 50_000}
    first, second = ([tick for tick in ticks if 15_000 <= tick < 50_000] for ticks in (FIRST, SECOND))
    assert cut(recording, out, epoch=0, **times) == (first, [(15_000, 5_000), (40_000, 10_000)])
    assert cut(recording, out, epoch=1, **times) == (second, [(15_000, 15_090)])


def test_writing_c22_a_range_that_both_epochs_have_is_refused(recording: nv.Recording, out: Path) -> None:
    expected = r"epochs 0 and 1 have these times; choose one with epoch= \(--epoch N\)"
    with pytest.raises(ValueError, match=expected):
        nv.write_nev(recording.require_nev(), out, start_tick=15_000, stop_tick=50_000)
    with pytest.raises(ValueError, match=expected):
        nv.write_nsx(recording.nsx[5], out, start_tick=15_000, stop_tick=50_000)
    for wrong in (-1, 2):
        with pytest.raises(ValueError, match=f"expected an epoch among 0 to 1, found {wrong}"):
            nv.write_nev(recording, out, epoch=wrong)
        with pytest.raises(ValueError, match=f"expected an epoch among 0 to 1, found {wrong}"):
            nv.write_nsx(recording.nsx[5], out, epoch=wrong)
    assert cut(recording, out, start_tick=72_000) == (
        [tick for tick in SECOND if tick >= 72_000],
        [(72_000, 18_000)],
    ), "only one epoch has these"
    assert cut(recording, out)[0] == FIRST + SECOND, "without a range nothing is lost"


def test_writing_c22_a_nev_alone_is_cut_by_its_own_resets(nev_of: NevOf, out: Path) -> None:
    nev = nev_of(t.spike_nev(FIRST + SECOND))
    assert nev.epochs == ((0, 59_401), (90, 89_491))
    with pytest.raises(ValueError, match="epochs 0 and 1 have these times"):
        nv.write_nev(nev, out, start_tick=15_000, stop_tick=50_000)
    nv.write_nev(nev, out, start_tick=15_000, stop_tick=50_000, epoch=0)
    assert ticks_of(out) == [tick for tick in FIRST if 15_000 <= tick < 50_000]


def test_writing_c22_packets_that_may_be_of_another_epoch_are_said(tmp_path: Path, out: Path) -> None:
    folder = Folder(tmp_path).write(s__nev=t.spike_nev(range(150, 7_000, 50)))
    with folder.write(s__ns5=nsx((0, 8_000), (116, 9_000))).open() as recording:
        with pytest.warns(nv.AmbiguousEpochs, match="137 of 137 packets may be of either of two epochs"):
            nv.write_nev(recording.require_nev(), out, epoch=1)
        with (
            pytest.warns(nv.AmbiguousEpochs, match="137 of 137"),
            pytest.raises(ValueError, match="expected a selection that holds packets"),
        ):
            nv.write_nev(recording.require_nev(), out, epoch=0)


def test_writing_c23_a_nev_is_cut_to_the_times_of_segments(recording: nv.Recording, out: Path) -> None:
    within = {
        0: [tick for tick in FIRST if tick < 20_000],
        1: [tick for tick in FIRST if tick >= 40_000],
        2: [tick for tick in SECOND if tick < 30_090],
        3: [tick for tick in SECOND if tick >= 70_000],
    }
    for segments, numbers in ((0, [0]), ([3, 1], [1, 3]), (slice(2, None), [2, 3]), ([0, -2], [0, 2])):
        nv.write_nev(recording, out, segments=segments)
        assert ticks_of(out) == [tick for number in numbers for tick in within[number]]
    nv.write_nev(recording, out, segments=2, start_tick=600, stop_tick=6_000)
    assert ticks_of(out) == [tick for tick in SECOND if 600 <= tick < 6_000]
    with pytest.raises(ValueError, match="epochs 0 and 1 have these times"):
        nv.write_nev(recording, out, segments=[0, 2], start_tick=600, stop_tick=6_000)
    with pytest.raises(ValueError, match=r"give the recording \(open_recording\)"):
        nv.write_nev(recording.require_nev(), out, segments=0)


@pytest.mark.parametrize("suffix", ["nev", "ns2"])
def test_writing_c22_and_c23_real_files_are_cut_alike(
    real_file: RealFile, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    for name in ("reset.nev", "reset.ns2"):
        copy(real_file(name), tmp_path / name)
    command = ["cut", str(tmp_path / f"reset.{suffix}"), str(out)]
    assert cli.main([*command, "--start", "1", "--stop", "2"]) == 1
    assert "epochs 0 and 1 have these times" in capsys.readouterr().err
    counts = {"0": (1484, 1000), "1": (2301, 1000)}
    for epoch, (n_packets, n_samples) in counts.items():
        for choice in (["--epoch", epoch], ["--segments", epoch]):
            assert cli.main([*command, "--start", "1", "--stop", "2", *choice]) == 0
            expected = f"NEV 2.3, {n_packets} packets" if suffix == "nev" else f"NSx 2.3, {n_samples} samples"
            assert expected in capsys.readouterr().out
            out.unlink()
    for epoch, n_packets in ("0", 5451), ("1", 7628):
        assert cli.main([*command, "--epoch", epoch]) == 0
        assert suffix != "nev" or f"NEV 2.3, {n_packets} packets" in capsys.readouterr().out
        out.unlink()
