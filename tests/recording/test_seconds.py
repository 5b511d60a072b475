# SPDX-License-Identifier: MIT
"""Where seconds count from: claim C55 of `spec_notes/timing.md`."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from builders import timing as t

import nevparse as nv
from recording.files import Folder, nsx


def test_timing_c55_seconds_count_from_the_first_sample_of_the_fastest_file(folder: Folder) -> None:
    folder.write(s__nev=t.spike_nev([5, 30_040]), s__ns2=nsx((10, 100), period=30), s__ns5=nsx((40, 60_000)))
    rec = folder.open()
    assert [file.zero_tick for file in rec.files.values()] == [40, 40, 40]
    assert (rec.zero_tick, rec.nev.seconds([5, 30_040]).tolist()) == (40, [-35 / 30_000, 1])
    assert rec.nsx[2].segments[0].seconds(0, 2).tolist() == [-30 / 30_000, 0]
    assert (rec.nev.tick_at(1), rec.nsx[5].tick_at(0.5)) == (30_040, 15_040)


def test_timing_c55_each_member_counts_in_its_own_clock(folder: Folder) -> None:
    folder.write(s__nev=t.spike_nev([2_000_000_000], (3, 0), t.NS), s__ns5=nsx((30_000, 60_000)))
    rec = folder.open()
    assert (rec.nev.zero_tick, rec.nsx[5].zero_tick) == (t.NS, 30_000)
    assert rec.nev.seconds(rec.nev.spikes()["tick"]).tolist() == [1]


def test_timing_c55_a_file_alone_counts_from_its_own_first_sample_or_packet(folder: Folder) -> None:
    folder.write(s__nev=t.spike_nev([9_000, 0, 9_100, *range(9_200, 10_000, 100)]), s__ns2=nsx((10, 100), period=30))
    with nv.open_nsx(folder.path / "s.ns2") as ns, nv.open_nev(folder.path / "s.nev") as nev:
        assert (ns.zero_tick, nev.zero_tick) == (10, 9_000)
    folder.write(t__nev=t.spike_nev([]), t__ns5=nsx())
    assert [file.zero_tick for file in folder.open("t").files.values()] == [0, 0]


def test_timing_c55_a_pickled_member_counts_as_before(folder: Folder) -> None:
    folder.write(s__nev=t.spike_nev([5, 30_040]), s__ns2=nsx((10, 100), period=30), s__ns5=nsx((40, 60_000)))
    rec = folder.open()
    with pickle.loads(pickle.dumps(rec.nev)) as nev, pickle.loads(pickle.dumps(rec.nsx[2])) as ns:
        assert (nev.zero_tick, ns.zero_tick) == (40, 40)
        segment = pickle.loads(pickle.dumps(rec.nsx[2].segments[0]))
        assert segment.seconds(0, 1).tolist() == [-30 / 30_000]


def test_timing_c55_no_time_is_refused_in_words(folder: Folder) -> None:
    rec = folder.write(s__ns5=nsx((40, 60_000))).open()
    for wrong in (np.nan, float("inf")):
        with pytest.raises(ValueError, match="expected a time in seconds"):
            rec.nsx[5].tick_at(wrong)
