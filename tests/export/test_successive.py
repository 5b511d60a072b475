# SPDX-License-Identifier: MIT
"""Exports of successive files end to end: claims of ``spec_notes/joining.md``."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import NewFolder
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv

RATE = 30_000
MS = 30

Blocks = Sequence[tuple[int, int]]  # first moment and samples, by the clock of the whole recording


def samples_of(moments: np.ndarray) -> np.ndarray:
    """Three channels that say when a row was recorded."""
    samples: np.ndarray = ((moments[:, None] * 3 + np.arange(3)) % 32_000 + 1).astype(np.int16)
    return samples


def block_file(blocks: Blocks, clock_start: int) -> bytes:
    """A file whose clock was 0 at a moment; its date is that of its first sample."""
    data = [(moment - clock_start, samples_of(np.arange(moment, moment + n))) for moment, n in blocks]
    return b.nsx(data, "3.0", origin=t.origin(blocks[0][0] / RATE))


def packet_file(blocks: Blocks) -> bytes:
    """A file with a timestamp for each sample, since 1970."""
    moments = np.concatenate([np.arange(moment, moment + n) for moment, n in blocks])
    return t.ptp(packet_ticks(moments), samples_of(moments))


def packet_ticks(moments: np.ndarray) -> np.ndarray:
    jitter = moments * 7919 % 301 - 150
    ticks: np.ndarray = (t.EPOCH_NS + np.rint(moments * t.PERIOD_NS).astype(np.int64) + jitter).astype(np.uint64)
    return ticks


@st.composite
def recordings(draw: st.DrawFn) -> list[tuple[list[tuple[int, int]], int]]:
    """Two or three files of one or two blocks each, and the moment at which the clock of each was 0."""
    made: list[tuple[list[tuple[int, int]], int]] = []
    end = clock_start = 0
    for number in range(draw(st.integers(2, 3))):
        if number and draw(st.booleans()):  # set anew, at a moment that the date has
            end = (end // MS + draw(st.integers(1600, 1700))) * MS
            clock_start = end
        elif number:
            end += draw(st.sampled_from([0, 5]))
        blocks = []
        for _ in range(draw(st.integers(1, 2))):
            n = draw(st.integers(3, 80))
            blocks.append((end, n))
            end += n + draw(st.integers(3, 50))
        end = blocks[-1][0] + blocks[-1][1]
        made.append((blocks, clock_start))
    return made


def moments_of(made: Sequence[tuple[Blocks, int]]) -> np.ndarray:
    return np.concatenate([np.arange(moment, moment + n) for blocks, _ in made for moment, n in blocks])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what is opened on it."""
    with ExitStack() as stack:
        yield stack


def joined_in(folder: Path, stack: ExitStack, files: Sequence[bytes]) -> nv.SuccessiveFiles:
    """Write the files to a folder, and open and join them."""
    opened, part = [], folder / f"part{len(list(folder.glob('part*')))}"
    part.mkdir()
    for number, data in enumerate(files):
        path = part / f"f{number}.ns5"
        path.write_bytes(data)
        opened.append(stack.enter_context(nv.open_nsx(path)))
    return nv.concatenate(opened)


@given(recordings(), st.sampled_from(["join", "fill", "split"]))
def test_joining_c12_a_bin_of_successive_files_has_every_sample_at_its_time(
    new_folder: NewFolder, made: list[tuple[list[tuple[int, int]], int]], policy: Any
) -> None:
    folder, every = new_folder(), moments_of(made)
    with ExitStack() as stack:
        joined = joined_in(folder, stack, [block_file(*one) for one in made])
        report = nv.write_bin(joined, folder / "w.bin", gaps=policy, max_fill=1e9)
    found, times = [], []
    for file in report.files:
        rows = np.fromfile(file.path, np.int16).reshape(-1, 3)
        sidecar = nv.read_sidecar(file.path)
        found.append(rows)
        times.append(sidecar.row_to_tick(np.arange(len(rows))))
        recorded = rows.any(axis=1)
        np.testing.assert_array_equal(sidecar.tick_to_row(times[-1][recorded]), np.flatnonzero(recorded))
    rows, ticks = np.concatenate(found), np.concatenate(times)
    assert (np.diff(ticks) == 1).all() or policy != "fill"
    np.testing.assert_array_equal(ticks[rows.any(axis=1)], every)
    np.testing.assert_array_equal(rows[rows.any(axis=1)], samples_of(every))


@given(recordings(), st.sampled_from(["join", "fill"]), st.data())
def test_joining_c12_packets_of_successive_files_keep_their_timestamps(
    new_folder: NewFolder, made: list[tuple[list[tuple[int, int]], int]], policy: Any, data: st.DataObject
) -> None:
    folder, every = new_folder(), moments_of(made)
    first, last = sorted(data.draw(st.lists(st.sampled_from(every.tolist()), min_size=2, max_size=2)))
    with ExitStack() as stack:
        joined = joined_in(folder, stack, [packet_file(blocks) for blocks, _ in made])
        span: dict[str, Any] = {
            "start_tick": int(packet_ticks(np.array(first))),
            "stop_tick": int(packet_ticks(np.array(last))) + 1,
        }
        report = nv.write_bin(joined, folder / "w.bin", gaps=policy, max_fill=1e9, **span)
    rows = np.fromfile(report.path, np.int16).reshape(-1, 3)
    ticks = nv.read_sidecar(report.path).row_to_tick(np.arange(len(rows)))
    recorded, wanted = rows.any(axis=1), every[(every >= first) & (every <= last)]
    np.testing.assert_array_equal(rows[recorded], samples_of(wanted))
    np.testing.assert_array_equal(ticks[recorded], packet_ticks(wanted).astype(np.int64))


def test_joining_c12_timestamps_of_a_clock_that_was_set_anew_are_on_the_line_of_the_first(
    tmp_path: Path, stack: ExitStack
) -> None:
    """Both hubs' clocks were started before their file: the second file is 10 s later by its date."""
    stamps = [t.stamps(60, jitter_ns=200, seed=seed) for seed in (1, 2)]
    rows = [samples_of(np.arange(k * 60, k * 60 + 60)) for k in range(2)]
    files = [t.ptp(stamps[k], rows[k], origin=t.origin(10 * k)) for k in range(2)]
    joined = joined_in(tmp_path, stack, files)
    offset = joined.placements[1].offset
    assert abs(offset + int(stamps[1][0]) - int(stamps[0][0]) - 10 * t.NS) < 2_000  # dates count microseconds here
    wanted = np.concatenate([stamps[0].astype(np.int64), stamps[1].astype(np.int64) + offset])
    report = nv.write_bin(joined, tmp_path / "w.bin", gaps="join")
    with nv.read_sidecar(report.path) as sidecar:
        np.testing.assert_array_equal(sidecar.row_to_tick(np.arange(120)), wanted)
    np.testing.assert_array_equal(joined.traces(gaps="join").row_to_tick(np.arange(120)), wanted)
    segment, sample = joined.locate(wanted)
    np.testing.assert_array_equal(segment * 60 + sample, np.arange(120))
    with nv.open_nsx(nv.write_nsx(joined, tmp_path / "cut.ns5").path) as cut:
        np.testing.assert_array_equal(np.concatenate([part.ticks() for part in cut.segments]), wanted)
        np.testing.assert_array_equal(np.concatenate([part.samples for part in cut.segments]), np.vstack(rows))


def test_joining_c12_gaps_between_files_are_refused_as_gaps_within_are(tmp_path: Path, stack: ExitStack) -> None:
    joined = joined_in(tmp_path, stack, [block_file([(0, 90)], 0), block_file([(200, 90)], 0)])
    with pytest.raises(nv.GapError, match="110 samples"):
        nv.write_bin(joined, tmp_path / "w.bin")
    whole = joined_in(tmp_path, stack, [block_file([(0, 90)], 0), block_file([(90, 90)], 0)])
    assert nv.write_bin(whole, tmp_path / "w.bin").n_samples == 180


def test_joining_c13_the_sidecar_names_each_file_its_rows_and_how_it_was_placed(
    tmp_path: Path, stack: ExitStack
) -> None:
    files = [block_file([(0, 90)], 0), block_file([(90, 30), (150, 30)], 0), block_file([(90_000, 60)], 90_000)]
    joined = joined_in(tmp_path, stack, files)
    report = nv.write_bin(joined, tmp_path / "w.bin", gaps="join", start_tick=10)
    described = nv.read_sidecar(report.path).contents["files"]
    assert [(one["name"], one["rows"], one["offset_ticks"]) for one in described] == [
        ("f0.ns5", [[0, 80]], 0),
        ("f1.ns5", [[80, 140]], 0),
        ("f2.ns5", [[140, 200]], 90_000),
    ]
    assert described[1]["clock"] == "the clock ran on: exact"
    assert "to about 20 ms" in described[2]["clock"]


def test_joining_c13_sampled_at_nominal_rate_across_files(tmp_path: Path, stack: ExitStack) -> None:
    stamps = t.stamps(60_000, start=t.EPOCH_NS, drift_ppm=100)
    parts = [t.ptp(stamps[a : a + 20_000], samples_of(np.arange(a, a + 20_000))) for a in (0, 20_000, 40_000)]
    joined = joined_in(tmp_path, stack, parts)
    report = nv.write_bin(joined, tmp_path / "w.bin", resample="nominal")
    assert (report.n_samples, report.n_repeated) == (60_006, 6)


@pytest.mark.parametrize("with_packets", [False, True])
def test_joining_c11_spike_rows_of_successive_recordings(tmp_path: Path, stack: ExitStack, with_packets: bool) -> None:
    for name, start, n in (("a", 0, 9_000), ("b", 90_000, 6_000)):
        (tmp_path / f"{name}.ns5").write_bytes(block_file([(start, n)], start))
        (tmp_path / f"{name}.nev").write_bytes(t.spike_nev([0, 7, 5_999, 8_999]))
    recordings = [stack.enter_context(nv.open_recording(tmp_path / name)) for name in ("a", "b")]
    joined = nv.concatenate(recordings)
    sidecar = nv.read_sidecar(nv.write_bin(joined.nsx[5], tmp_path / "w.bin", gaps="join").path)
    nev = joined.require_nev()
    packets = nev.packets_of("spike") if with_packets else None
    rows = sidecar.spike_rows(joined, nev.spikes()["tick"], packets=packets)
    assert rows.tolist() == [0, 7, 5_999, 8_999, 9_000, 9_007, 14_999, -1]


def test_joining_c12_a_cut_of_successive_files_is_one_file(tmp_path: Path, stack: ExitStack) -> None:
    joined = joined_in(tmp_path, stack, [block_file([(0, 90)], 0), block_file([(90_000, 60)], 90_000)])
    report = nv.write_nsx(joined, tmp_path / "cut.ns5", start_tick=10)
    with nv.open_nsx(report.path) as cut:
        assert [(s.start_tick, s.n_samples) for s in cut.segments] == [(10, 80), (90_000, 60)]
        np.testing.assert_array_equal(cut.segments[1].samples, samples_of(np.arange(90_000, 90_060)))


def test_joining_c12_a_cut_of_packets_keeps_their_timestamps(tmp_path: Path, stack: ExitStack) -> None:
    joined = joined_in(tmp_path, stack, [packet_file([(0, 90)]), packet_file([(90, 60)])])
    with nv.open_nsx(nv.write_nsx(joined, tmp_path / "cut.ns5").path) as cut:
        np.testing.assert_array_equal(cut.segments[0].ticks(), packet_ticks(np.arange(150)).astype(np.int64))
        np.testing.assert_array_equal(cut.segments[0].samples, samples_of(np.arange(150)))


def test_joining_c12_a_sorter_folder_of_successive_files(tmp_path: Path, stack: ExitStack) -> None:
    joined = joined_in(tmp_path, stack, [block_file([(0, 90)], 0), block_file([(90_000, 60)], 90_000)])
    report = nv.write_sorter(joined, tmp_path / "folder", gaps="join")
    rows = np.fromfile(report.export.path, np.int16).reshape(-1, 3)
    np.testing.assert_array_equal(rows, samples_of(np.r_[np.arange(90), np.arange(90_000, 90_060)]))


@given(recordings(), st.sampled_from(["join", "fill"]))
def test_joining_c12_traces_are_what_the_bin_holds(
    new_folder: NewFolder, made: list[tuple[list[tuple[int, int]], int]], policy: Any
) -> None:
    folder = new_folder()
    with ExitStack() as stack:
        joined = joined_in(folder, stack, [block_file(*one) for one in made])
        x = joined.traces(gaps=policy, max_fill=1e9, channels=[2, 0])
        report = nv.write_bin(x, folder / "w.bin")
        rows = np.fromfile(report.path, np.int16).reshape(-1, 2)
        np.testing.assert_array_equal(x[:], rows)
        np.testing.assert_array_equal(x[len(rows) // 2 :: -3, 1], rows[len(rows) // 2 :: -3, 1])
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(x))[:], rows)
        ticks = nv.read_sidecar(report.path).row_to_tick(np.arange(len(rows)))
        np.testing.assert_array_equal(x.row_to_tick(np.arange(len(rows))), ticks)


@pytest.mark.parametrize("gaps", ["join", "fill"])
def test_joining_c11_a_nev_that_goes_on_behind_its_file_has_no_rows_in_the_next(
    tmp_path: Path, stack: ExitStack, gaps: Any
) -> None:
    for name, start, n, ticks in (("a", 0, 9_000, [7, 95_000]), ("b", 90_000, 6_000, [5, 5_000])):
        (tmp_path / f"{name}.ns5").write_bytes(block_file([(start, n)], start))
        (tmp_path / f"{name}.nev").write_bytes(t.spike_nev(ticks))
    joined = nv.concatenate([stack.enter_context(nv.open_recording(tmp_path / name)) for name in ("a", "b")])
    sidecar = nv.read_sidecar(nv.write_bin(joined.nsx[5], tmp_path / "w.bin", gaps=gaps).path)
    nev = joined.require_nev()
    spikes, packets = nev.spikes(), nev.packets_of("spike")
    assert spikes["tick"].tolist() == [7, 95_000, 90_005, 95_000]
    rows = sidecar.spike_rows(joined, spikes["tick"], packets=packets)
    first = 9_000 if gaps == "join" else 90_000
    assert rows.tolist() == [7, -1, first + 5, first + 5_000]
    assert joined.locate(spikes["tick"], 5, packets=packets)[0].tolist() == [0, -1, 1, 1]
