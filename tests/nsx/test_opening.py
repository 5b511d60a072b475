# SPDX-License-Identifier: MIT
"""An open file as an object: what it costs, what refuses to open, and that it can be pickled."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import FileOf, Opened

import nevparse as nv
from nsx.files import all_samples, counts


def test_opening_costs_one_header_per_block_and_no_handle(opened: Opened) -> None:
    from builders.handles import open_files

    n_blocks = 20_000
    data = b.nsx([(3 * k, b.ramp(1, 1)) for k in range(n_blocks)])
    before = len(open_files())
    ns = opened(data)
    assert len(open_files()) - before <= 1
    assert counts(ns) == [1] * n_blocks
    assert sum(int(segment.samples[0, 0]) for segment in ns.segments) == 0
    assert len(open_files()) - before <= 2, "the file, and one map of all of it"
    assert len(ns.gaps) == n_blocks - 1


@pytest.mark.parametrize("kind", b.KINDS)
def test_the_exact_file_is_the_same_open_file(opened: Opened, kind: str) -> None:
    from builders.handles import open_files

    ns = opened(b.plausible(kind)[0])
    assert [segment.n_samples for segment in ns.segments] == counts(ns)
    before = open_files()
    exact = ns.fully_scanned()
    assert counts(exact) == counts(ns)
    assert np.shares_memory(exact.segments[0].samples, ns.segments[0].samples)
    assert len(open_files()) <= len(before) + 1, "one map at most"
    ns.close()
    assert exact.closed


@pytest.mark.parametrize("kind", b.KINDS)
def test_a_file_pickles_as_reopen_this_path(opened: Opened, kind: str) -> None:
    data, samples = b.plausible(kind)
    ns = opened(data)
    frozen = pickle.dumps(ns)
    assert len(frozen) < 1000, "no samples in it"
    with pickle.loads(frozen) as reopened:
        np.testing.assert_array_equal(all_samples(reopened), samples)
        assert [channel.label for channel in reopened.channels] == [channel.label for channel in ns.channels]
    with open(ns.path, "r+b") as file:
        file.seek(30 if kind != "2.1" else 10)
        file.write(b"!")
    with pytest.raises(nv.FormatError, match="expected the headers of the file that was pickled"):
        pickle.loads(frozen)


def test_threads_share_one_file(opened: Opened) -> None:
    ns, truth, wrong = opened(b.plausible("2.3", 3, (400,))[0]), b.ramp(400, 3), []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(100):
            a, z = sorted(rng.integers(0, 400, 2).tolist())
            if not np.array_equal(ns.read(a, z, channels=[2, 0]), truth[a:z, [2, 0]]):
                wrong.append((a, z))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert wrong == []


def test_a_failed_opening_leaves_no_handle(file_of: FileOf) -> None:
    from builders.handles import open_files

    before = open_files()
    for k, data in enumerate([b"", b"NEURALCD\2\3", b.nsx([], period=0)]):
        with pytest.raises(nv.FormatError):
            nv.open_nsx(file_of(data, f"{k}.ns5"))
    assert open_files() == before


def test_missing_files_and_folders_are_the_systems_own_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        nv.open_nsx(tmp_path / "nothing.ns5")
    with pytest.raises(IsADirectoryError):
        nv.open_nsx(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ns5")
    with pytest.raises(nv.FormatError, match="expected a regular file, found a device, pipe or socket"):
        nv.open_nsx(tmp_path / "pipe.ns5")
