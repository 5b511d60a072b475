# SPDX-License-Identifier: MIT
"""A segment as an array that stays in its file: indexed as numpy does, converted, pickled, and handed to workers."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from operator import getitem
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from builders.handles import open_files, replaced
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st
from processes import python
from source.watching import samples_of

import nevparse as nv

N, WIDTH = 23, 5
NUMPY_2 = int(np.__version__.split(".")[0]) >= 2

row_numbers = st.integers(-N, N - 1)
rows_asked = st.one_of(
    row_numbers, st.slices(N), st.lists(row_numbers, max_size=6), st.lists(st.booleans(), min_size=N, max_size=N),
    st.lists(row_numbers, max_size=6).map(lambda rows: np.array(rows, np.int64)),
)  # fmt: skip
columns_asked = st.one_of(
    st.integers(-WIDTH, WIDTH - 1), st.slices(WIDTH), st.lists(st.integers(-WIDTH, WIDTH - 1), min_size=1, max_size=4)
)


@st.composite
def keys(draw):
    """An index as numpy takes it; lists on both axes are of one length, as it wants them."""
    rows, columns = draw(rows_asked), draw(columns_asked)
    listed = isinstance(rows, list | np.ndarray) and isinstance(columns, list)
    if listed:
        columns = slice(None)
    forms = [rows, (rows,), (rows, columns), (rows, columns, ...), (..., columns), (rows, ...), ..., ()]
    return draw(st.sampled_from(forms))


def in_blocks(sizes, kind="2.3"):
    """Blocks that adjoin: one segment in several blocks; and all its samples."""
    samples, blocks, row = b.ramp(sum(sizes), WIDTH, kind), [], 0
    for n in sizes:
        blocks.append((1000 + row, samples[row : row + n]))
        row += n
    return b.nsx(blocks, kind), samples


@pytest.mark.parametrize("sizes", [(N,), (7, 1, 9, 6)], ids=["one block", "four blocks"])
@given(key=keys())
def test_clusters_c01_an_index_is_numpys(opened: Opened, sizes, key) -> None:
    data, samples = in_blocks(sizes)
    with opened(data) as ns:
        (segment,) = ns.segments
        taken = segment[key]
        np.testing.assert_array_equal(taken, samples[key])
        assert taken.dtype == samples.dtype


@pytest.mark.parametrize("kind", b.KINDS)
def test_clusters_c01_every_framing_can_be_indexed(opened: Opened, kind: str) -> None:
    data, samples = b.plausible(kind, 3, (9,))
    (segment,) = opened(data).segments
    assert (segment.shape, segment.ndim, segment.dtype, len(segment)) == (samples.shape, 2, samples.dtype, 9)
    np.testing.assert_array_equal(segment[2:7:2, [2, 0]], samples[2:7:2, [2, 0]])
    rows: Any = segment  # which goes through its rows as any sequence does
    np.testing.assert_array_equal(np.array(list(rows)), samples)


@pytest.mark.parametrize("sizes", [(N,), (7, 1, 9, 6)])
@pytest.mark.parametrize(
    "key", [N, -N - 1, [0, N], [-N - 1], (0, WIDTH), (0, 0, 0), [True], [0.5], "a", 1.5, [[1, N]], (..., 0, 0, 0)]
)
def test_clusters_c01_what_is_no_index_of_it_is_refused(opened: Opened, sizes, key) -> None:
    (segment,) = opened(in_blocks(sizes)[0]).segments
    with pytest.raises((IndexError, TypeError)):
        segment[key]


def test_clusters_c02_slices_are_views_and_only_what_is_asked_for_is_touched(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    ns = opened(in_blocks((7, 1, 9, 6))[0])
    (segment,) = ns.segments
    touched = []
    view = ns._recorded.view
    monkeypatch.setattr(ns._recorded, "view", lambda piece: touched.append(piece.n_rows) or view(piece))
    for key, n_rows in ((slice(9, 12), 3), (8, 1), (-1, 1), (slice(5, 9), 4), (slice(3, 3), 0), ([16, 18], 3)):
        touched.clear()
        segment[key]
        assert sum(touched) == n_rows, key
    block = segment.blocks[2]
    for part in (segment[9:12, 1:3], segment[16:8:-3, 2], segment[10]):
        assert np.shares_memory(part, block)
    assert not np.shares_memory(segment[5:9], segment.blocks[0])


def test_clusters_c03_it_converts_as_numpy_asks(opened: Opened) -> None:
    (whole,), (pieced,) = opened(in_blocks((N,))[0]).segments, opened(in_blocks((7, 16))[0], "t.ns5").segments
    for segment in (whole, pieced):
        np.testing.assert_array_equal(np.asarray(segment), segment.samples)
        assert np.asarray(segment, np.float32).dtype == np.float32
        assert np.array(segment).flags.writeable
        assert segment.__array__(copy=True).flags.writeable
        with pytest.raises(ValueError, match="without a copy"):
            segment.__array__(np.float64, copy=False)
    assert np.shares_memory(np.asarray(whole), whole.samples)
    assert np.shares_memory(whole.__array__(copy=False), whole.samples)
    with pytest.raises(ValueError, match="without a copy: it has 2 blocks"):
        pieced.__array__(copy=False)
    if NUMPY_2:
        assert np.shares_memory(np.array(whole, copy=False), whole.samples)
        with pytest.raises(ValueError, match="without a copy"):
            np.array(pieced, copy=False)


# --------------------------------------------------------------------------------------------------------- pickling


@pytest.mark.parametrize("kind", b.KINDS)
def test_clusters_c04_and_c05_it_pickles_without_a_sample_and_closes_what_it_opened(opened: Opened, kind: str) -> None:
    data, samples = b.plausible(kind, 3, (3000,))
    ns = opened(data)
    frozen = pickle.dumps(ns.segments[0])
    assert len(frozen) < 1000
    before = open_files()
    reopened = pickle.loads(pickle.dumps(pickle.loads(frozen)))
    assert open_files() == before, "nothing is opened before it is needed"
    np.testing.assert_array_equal(reopened[10:20], samples[10:20])
    rows = reopened[5:7]
    del reopened  # nobody has closed it; a ResourceWarning would be an error here
    np.testing.assert_array_equal(rows, samples[5:7])
    del rows
    assert open_files() == before


def test_clusters_c04_a_relative_path_is_that_of_when_the_file_was_opened(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, n in (("one", 10), ("two", 20)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.ns5").write_bytes(t.blocks([0], [n]))
        (tmp_path / folder / "s.nev").write_bytes(t.spike_nev(range(n)))
    monkeypatch.chdir(tmp_path / "one")
    with nv.open_nsx("s.ns5") as ns, nv.open_nev("s.nev") as nev:
        token = ns.segments[0].__dask_tokenize__()
        monkeypatch.chdir(tmp_path / "two")
        assert ns.segments[0].__dask_tokenize__() == token
        for copied in (copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))):
            assert len(copied(ns.segments[0])) == copied(ns).n_samples == copied(nev).n_packets == 10
            assert copied(ns.segments[0])[9].tolist() == ns.segments[0][9].tolist()


def test_clusters_c04_segments_of_the_exact_file_stay_the_same(opened: Opened) -> None:
    """Probing takes this file for packets of one sample each; a block of several is among them."""
    ns = opened(t.hidden_block())
    exact = ns.fully_scanned()
    assert (ns.has_sample_timestamps, exact.has_sample_timestamps) == (True, False)
    for segment in exact.segments:
        reopened = pickle.loads(pickle.dumps(segment))
        np.testing.assert_array_equal(reopened[:], segment[:])
        np.testing.assert_array_equal(reopened.ticks(), segment.ticks())


def test_clusters_c04_it_opens_in_processes_that_were_spawned(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    data, samples = in_blocks((7, 1, 9, 6))
    (segment,) = opened(data).segments
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # it needs none of pytest
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        parts = pool.starmap(getitem, [(segment, (slice(a, a + 6), [4, 0])) for a in range(0, N, 6)])
        pool.close()
        pool.join()
    np.testing.assert_array_equal(np.concatenate(parts), samples[:, [4, 0]])


class CountedFile(io.BytesIO):
    """A file object that counts how often it was unpickled, which for a remote one opens a connection."""

    n_unpickled = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return unpickled_file, (self.getvalue(),)


def unpickled_file(data: bytes) -> CountedFile:
    CountedFile.n_unpickled += 1
    return CountedFile(data)


def test_clusters_c04_who_only_passes_a_segment_on_does_not_open_its_file() -> None:
    data, samples = b.plausible("2.3", 3, (30,))
    CountedFile.n_unpickled = 0
    with nv.open_nsx(CountedFile(data)) as ns:
        received = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(ns.segments[0]))))
        assert CountedFile.n_unpickled == 0
        np.testing.assert_array_equal(received, samples)
        assert CountedFile.n_unpickled == 1


def test_clusters_c05_segments_that_travel_together_share_one_file(opened: Opened) -> None:
    ns = opened(b.plausible("2.3", 3, (50, 40, 30))[0])
    before = open_files()
    parts = [*pickle.loads(pickle.dumps(ns.segments)), *(pickle.loads(pickle.dumps(s)) for s in ns.segments * 20)]
    assert [int(part[:].sum()) for part in parts] == [int(segment[:].sum()) for segment in ns.segments] * 21
    assert len(open_files()) <= len(before) + 3, "one handle and one map, beside the map of our own"
    before = open_files()
    del parts
    assert len(open_files()) == len(before) - 2 or not before


def test_clusters_c04_what_has_changed_is_refused_where_it_is_needed(opened: Opened) -> None:
    ns = opened(b.plausible("2.3", 3, (50,))[0])
    frozen = pickle.dumps(ns.segments[0])
    ns.close()
    replaced(ns.path, b.plausible("2.3", 4, (50,))[0])
    reopened = pickle.loads(frozen)
    assert len(reopened) == 50
    with pytest.raises(nv.FormatError, match="expected the headers of the file that was pickled"):
        reopened[0]


WORKER = """
import pickle, sys
with open(sys.argv[1], "rb") as frozen:
    ways = [pickle.load(frozen) for _ in range(3)]  # kept up to the end of the program
for parts in ways:
    print(sum(int(segment[:].sum()) for part in parts for segment in getattr(part, "segments", [part])))
"""


def test_clusters_c05_a_worker_that_closes_nothing_is_not_warned(opened: Opened, tmp_path: Path) -> None:
    data, samples = b.plausible("2.3", 3, (50, 40))
    ns = opened(data)
    ways = [[ns], ns.segments, [ns.segments[0], pickle.loads(pickle.dumps(ns.segments[1]))]]
    (tmp_path / "parts").write_bytes(b"".join(map(pickle.dumps, ways)))
    done = python("-X", "dev", "-c", WORKER, tmp_path / "parts")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split() == [b"%d" % samples.sum(dtype=np.int64)] * len(ways)


def test_clusters_c06_its_token_names_the_file_and_the_stretch_and_nothing_else(opened: Opened) -> None:
    data, _ = b.plausible("2.3", 3, (50, 40))
    ns = opened(data)
    first, second = ns.segments
    token = first.__dask_tokenize__()
    assert token == pickle.loads(pickle.dumps(first)).__dask_tokenize__()
    assert token != second.__dask_tokenize__()
    assert len(pickle.dumps(token)) < 500
    assert opened(data, "other.ns5").segments[0].__dask_tokenize__() != token
    ns.close()
    replaced(ns.path, b.nsx([(7, b.ramp(60, 3))]))
    with nv.open_nsx(ns.path) as longer:
        assert longer.segments[0].__dask_tokenize__() != token
    replaced(ns.path, data.replace(b"elec1", b"other"))
    with nv.open_nsx(ns.path) as renamed:
        assert renamed.segments[0].__dask_tokenize__() != token, "other headers are another file"


def hidden_breaks() -> bytes:
    """Breaks that cancel within a stride: only a full scan finds them."""
    return t.ptp(t.stamps(70_000, breaks={20_000: 3, 20_500: -3}))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda item: pickle.loads(pickle.dumps(item))])
@pytest.mark.parametrize("data", [t.hidden_block, hidden_breaks])
def test_clusters_c04_what_a_full_scan_found_stays_with_copies(opened: Opened, data, copied) -> None:
    probed = opened(data())
    exact = probed.fully_scanned()
    assert (exact.n_samples, len(exact.segments)) != (probed.n_samples, len(probed.segments))
    with copied(exact) as other:
        assert (other.n_samples, other.gaps) == (exact.n_samples, exact.gaps)
        np.testing.assert_array_equal(samples_of(other), samples_of(exact))
        with copied(other) as second:
            assert (second.n_samples, second.gaps) == (exact.n_samples, exact.gaps)
    for segment in exact.segments:
        one = copied(segment)
        np.testing.assert_array_equal(one.samples, segment.samples)
        np.testing.assert_array_equal(copied(one).ticks(), segment.ticks())


def test_clusters_c05_threads_may_be_the_first_to_touch_an_unpickled_segment(opened: Opened) -> None:
    raw = pickle.dumps(opened(t.hidden_block()).segments[0])
    with ThreadPoolExecutor(4) as pool:
        for _ in range(200):
            segment = pickle.loads(raw)
            first_rows = list(pool.map(lambda _, segment=segment: segment[0].tolist(), range(4)))
            assert first_rows == [first_rows[0]] * 4


@pytest.mark.parametrize("key", [True, False, np.True_, (0, True), (True, 0), (slice(None), np.False_)])
def test_clusters_c01_true_is_no_row_and_no_column(opened: Opened, key: Any) -> None:
    segment = opened(b.nsx([(0, b.ramp(4, 3))])).segments[0]
    with pytest.raises(IndexError):
        segment[key]


def test_clusters_c05_threads_that_unpickle_at_once_share_one_file(opened: Opened) -> None:
    ns = opened(t.blocks([0, 500], [9, 9]))
    for _ in range(50):
        pickled = [pickle.dumps(segment) for segment in ns.segments] * 4
        with ThreadPoolExecutor(8) as pool:
            segments = list(pool.map(pickle.loads, pickled))
        assert len({id(segment._origin) for segment in segments}) == 1
        assert [len(segment[:]) for segment in segments] == [9] * 8
