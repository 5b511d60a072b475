# SPDX-License-Identifier: MIT
"""Continuous files in blocks while they grow: claims C01 to C06 of `spec_notes/growing.md`."""

from __future__ import annotations

import os
import pickle
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders.growing import Growing, ends, growing
from builders.recorders import COUNTS, Recorder
from fixture_types import FileOf, NewFolder
from hypothesis import given
from hypothesis import strategies as st
from processes import PATIENCE_S

import nevparse as nv
from nevparse.nsx import file as nsx_file
from source.watching import edges_of, is_beginning, quietly, same, samples_of, ticks_of


@given(st.data(), growing(), st.sampled_from(COUNTS))
def test_growing_c01_and_c02_blocks_that_grow_are_the_beginning_of_what_they_become(
    new_folder: NewFolder, file_of: FileOf, data, made, counts
) -> None:
    path = new_folder() / "s.ns5"
    steps = ends(data.draw, made.start, len(made.data))
    with Recorder(path, made.data, made.blocks, counts) as recorder, nv.open_nsx(file_of(made.data)) as whole:
        recorder.upto(steps[0])
        with quietly(path) as ns:
            for at in steps:
                before = ns.n_samples
                recorder.upto(at)
                assert ns.refresh() == ns.n_samples - before >= 0
                is_beginning(ns, whole)
                if counts != "old":
                    assert ns.n_samples == made.n_whole(at)
                assert ns.n_final == ns.n_samples or ns.has_sample_timestamps
            same(ns, whole)


@given(st.data(), growing(["2.1"]))
def test_growing_c01_samples_without_blocks_are_there_once_they_are_whole(file_of: FileOf, data, made) -> None:
    path = file_of(made.data[: made.start])
    with quietly(path) as ns:
        for at in ends(data.draw, made.start, len(made.data)):
            with open(path, "r+b") as file:
                file.write(made.data[:at])
            ns.refresh()
            assert ns.n_samples == made.n_whole(at)
            np.testing.assert_array_equal(samples_of(ns), made.samples[: ns.n_samples])
        with nv.open_nsx(path) as whole:
            same(ns, whole)


def test_growing_c02_an_old_count_holds_nothing_back_once_the_file_grows(tmp_path: Path) -> None:
    made = Growing("2.3", [0, 900], [40, 50], 1)  # rows of 2 bytes: several are shorter than a header
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks, "old") as recorder:
        recorder.upto(made.blocks[0].rows + 20)
        recorder.upto(made.blocks[0].rows + 30)  # counts 10 of the 15 that are there
        with pytest.warns(nv.DamagedFile, match="expected a block header"):
            ns = nv.open_nsx(tmp_path / "s.ns5")
        with ns:
            assert ns.refresh() == 0  # nobody can know as yet that it grows
            assert ns.n_samples == 10
            for at in range(made.blocks[0].rows + 31, made.blocks[1].rows, 3):
                recorder.upto(at)
                ns.refresh()
                assert ns.n_samples == made.n_whole(at)
                with quietly(pickle.dumps(ns), pickle.loads) as again:  # which knows that it grows, too
                    same(again, ns)


def test_growing_c02_damage_is_no_growth(file_of: FileOf) -> None:
    made = Growing("2.3", [0], [40])
    with pytest.warns(nv.DamagedFile):
        ns = nv.open_nsx(file_of(made.data + b"\xee" * 400))
    with ns:
        assert (ns.refresh(), ns.refresh()) == (0, 0)
        assert ns.n_samples == 40
        np.testing.assert_array_equal(samples_of(ns), made.samples)


def test_growing_c03_a_block_that_is_closed_with_fewer_samples_is_an_error(tmp_path: Path) -> None:
    made = Growing("2.3", [0], [40])
    path = tmp_path / "s.ns5"
    path.write_bytes(made.data[:-40])
    with quietly(path) as ns, open(path, "r+b") as file:
        file.seek(made.blocks[0].counter)
        file.write(struct.pack("<I", 3))
        file.seek(made.blocks[0].rows + 3 * made.blocks[0].row_bytes)
        file.write(b.block("2.3", 9000, made.samples[:2]))
        with pytest.raises(nv.FormatError, match="the samples that were read before"):
            ns.refresh()
        assert ns.n_samples == 30  # as before


@pytest.mark.parametrize("kind", ["2.1", "2.3", "3.0", "ptp"])
def test_growing_c03_a_file_that_shrinks_or_becomes_another_recording_is_an_error(file_of: FileOf, kind: str) -> None:
    data, _ = b.plausible(kind, 3, (40, 30))
    other = bytearray(b.plausible(kind, 3, (400, 30))[0])
    other[294 if kind != "2.1" else 10] ^= 1  # the date, of 2.1 the label
    path = file_of(data)
    with nv.open_nsx(path) as ns:
        with open(path, "r+b") as file:
            file.write(other)
        with pytest.raises(nv.FormatError, match="another recording"):
            ns.refresh()
        os.truncate(path, len(data) - 10)
        with pytest.raises(nv.FormatError, match="or more, as before"):
            ns.refresh()
        assert ns.n_samples == 70


@given(st.data(), st.sampled_from(COUNTS))
def test_growing_c04_timestamps_of_32_bits_run_over_while_it_grows(new_folder: NewFolder, data, counts) -> None:
    made = Growing("2.3", [2**32 - 900, 2**32 - 300, 10, 900], [30, 20, 10, 10])
    path = new_folder() / "s.ns5"
    with Recorder(path, made.data, made.blocks, counts) as recorder:
        recorder.upto(made.start)
        with quietly(path) as ns:
            for at in ends(data.draw, made.start, len(made.data)):
                recorder.upto(at)
                ns.refresh()
                assert (np.diff(ticks_of(ns).astype(np.int64)) > 0).all()
            assert [segment.start_tick for segment in ns.segments][2:] == [2**32 + 10, 2**32 + 900]


def test_growing_c04_a_thousand_blocks_are_each_a_segment(tmp_path: Path) -> None:
    n = [1 + k % 3 for k in range(1000)]
    made = Growing("2.2", [k * 40 for k in range(1000)], n)
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.start)
        with quietly(tmp_path / "s.ns5") as ns:
            for at in range(made.start, len(made.data), 5003):
                recorder.upto(at)
                ns.refresh()
                assert ns.n_samples == made.n_whole(at)
            recorder.upto(len(made.data))
            assert ns.refresh() > 0
            assert [segment.n_samples for segment in ns.segments] == n


def test_growing_c05_short_blocks_are_not_taken_for_packets_for_good(tmp_path: Path) -> None:
    made = Growing("3.0", [0, 500, 1000, 2000], [1, 1, 1, 50])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[1].end)
        with nv.open_nsx(tmp_path / "s.ns5") as ns, nv.open_nsx(tmp_path / "s.ns5") as later:
            assert ns.has_sample_timestamps
            recorder.upto(made.blocks[3].rows + 30)
            ns.refresh()
            assert not ns.has_sample_timestamps
            assert ns.n_samples == made.n_whole(recorder.at)
            recorder.upto(len(made.data))
            ns.refresh()
            later.refresh()
            for each in (ns, later):
                assert edges_of(each) == [(0, 0), (1, 500), (2, 1000), (3, 2000)]
                np.testing.assert_array_equal(samples_of(each), made.samples)


def test_growing_c06_what_was_handed_out_stays_what_it_was(tmp_path: Path) -> None:
    made = Growing("2.3", [0, 40, 100], [40, 40, 40])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[1].end - 100)
        with quietly(tmp_path / "s.ns5") as ns:
            segment, samples = ns.segments[0], ns.segments[0].blocks[1]
            n, stop_tick = segment.n_samples, segment.stop_tick
            recorder.upto(len(made.data))
            ns.refresh()
            assert (segment.n_samples, segment.stop_tick, segment.find(10**6)) == (n, stop_tick, n) == (55, 55, 55)
            np.testing.assert_array_equal(segment.samples, made.samples[:n])
            np.testing.assert_array_equal(samples, made.samples[40:n])
            assert segment.ticks()[-1] == 54
            assert [len(each) for each in ns.segments] == [80, 40]
        np.testing.assert_array_equal(samples, made.samples[40:n])


def test_growing_c13_a_poll_that_ends_late_undoes_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Growing("2.3", [0], [200])
    real, waiting, may_go_on = nsx_file.find_more_samples, threading.Event(), threading.Event()

    def slow_at_first(*arguments: Any) -> Any:
        found = real(*arguments)
        if not waiting.is_set():
            waiting.set()
            assert may_go_on.wait(PATIENCE_S)
        return found

    monkeypatch.setattr(nsx_file, "find_more_samples", slow_at_first)
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 4 * 100)
        with quietly(tmp_path / "s.ns5") as ns:
            recorder.upto(made.blocks[0].rows + 4 * 150)
            polls = [threading.Thread(target=ns.refresh) for _ in range(2)]
            polls[0].start()
            assert waiting.wait(PATIENCE_S)
            recorder.upto(len(made.data))
            polls[1].start()
            polls[1].join(0.05)
            may_go_on.set()
            for poll in polls:
                poll.join()
            assert ns.n_samples == 200
