# SPDX-License-Identifier: MIT
"""Following a file gives each sample once, whatever else goes on: C09 to C13 of `spec_notes/growing.md`."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from builders.growing import Growing, ends, growing, stamped
from builders.recorders import COUNTS, Recorder, odd_ends
from fixture_types import FileOf, NewFolder, Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.nsx.file import NsxFile
from nevparse.source import growth
from nevparse.source.file import FileSource
from source.watching import Time, appended, quietly, same, samples_of, together

# -------------------------------------------------------------------------------------------------------------- follow


@given(st.data(), growing(("2.1", *b.BLOCK_KINDS)), st.sampled_from(COUNTS), st.integers(1, 12))
def test_growing_c09_follow_gives_each_sample_once(new_folder: NewFolder, data, made, counts, n_each) -> None:
    path = new_folder() / "s.ns5"
    steps, now = ends(data.draw, made.start, len(made.data)), Time()
    with Recorder(path, made.data, made.blocks, counts) as recorder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(growth, "time", now)
        recorder.upto(made.start)
        now.passes(*(lambda at=at: recorder.upto(at) for at in steps))
        with quietly(path) as ns:
            chunks = list(ns.follow(n_each, poll_s=1, timeout_s=len(steps) + 1))
            together(chunks, ns)
            assert all(len(chunk.samples) <= n_each for chunk in chunks)
            np.testing.assert_array_equal(samples_of(ns), made.samples)
            one = list(ns.follow(channels=[0], timeout_s=0))
            np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in one]), made.samples[:, :1])


@given(st.data(), stamped())
def test_growing_c09_follow_waits_for_what_decides_about_breaks(file_of: FileOf, data, ticks) -> None:
    raw, now = t.ptp(ticks), Time()
    start = len(raw) - 17 * len(ticks)
    path = file_of(raw[:start])

    def write(at: int) -> None:
        with open(path, "r+b") as file:
            file.write(raw[:at])

    steps = ends(data.draw, start, len(raw))
    with pytest.MonkeyPatch.context() as patch, quietly(path) as ns:
        patch.setattr(growth, "time", now)
        now.passes(*(lambda at=at: write(at) for at in steps))
        chunks = []
        for chunk in ns.follow(50, poll_s=1, timeout_s=len(steps) + 1):
            chunks.append(chunk)
            ns.refresh()  # what others find meanwhile is not lost
        together(chunks, ns)
        assert sum(len(chunk.samples) for chunk in chunks) == len(ticks)


@given(
    st.data(),
    st.lists(st.integers(1, 3), min_size=2, max_size=6),
    st.sampled_from(COUNTS),
    st.sampled_from([1, 7, 30_000]),
)
def test_growing_c09_short_blocks_lose_no_sample(new_folder: NewFolder, data, n_samples, counts, apart) -> None:
    path, made = new_folder() / "s.ns5", Growing("3.0", [k * apart for k in range(len(n_samples))], n_samples, 1)
    steps, now = ends(data.draw, made.start, len(made.data)), Time()
    with Recorder(path, made.data, made.blocks, counts) as recorder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(growth, "time", now)
        recorder.upto(steps[0])
        now.passes(*(lambda at=at: recorder.upto(at) for at in steps[1:]))
        with quietly(path) as ns:
            chunks = list(ns.follow(poll_s=1, timeout_s=len(steps) + 1))
            np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in chunks]), made.samples)
            np.testing.assert_array_equal(samples_of(ns), made.samples)
            with quietly(path) as fresh:
                same(ns.fully_scanned(), fresh.fully_scanned())


def test_growing_c05_a_short_block_that_grows_is_no_packet(tmp_path: Path) -> None:
    made = Growing("3.0", [0, 1], [1, 3], 1)
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks, "right") as recorder:
        recorder.upto(made.blocks[1].rows + 2)
        with nv.open_nsx(tmp_path / "s.ns5") as ns:
            assert (ns.n_samples, ns.has_sample_timestamps) == (2, True)
            recorder.upto(made.blocks[1].rows + 4)
            assert (ns.refresh(), ns.has_sample_timestamps) == (1, False)
            recorder.upto(len(made.data))
            assert ns.refresh() == 1
            np.testing.assert_array_equal(samples_of(ns), made.samples)


def test_growing_c09_a_follower_that_never_finds_anything_itself_goes_on(tmp_path: Path, clock: Time) -> None:
    made = Growing("2.3", [0], [100])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.start)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(
                *(lambda k=k: (recorder.upto(made.blocks[0].rows + 40 * k), ns.refresh()) for k in range(1, 11))
            )
            assert sum(len(chunk.samples) for chunk in ns.follow(poll_s=1, timeout_s=1.5)) == 100


def test_growing_c10_follow_ends_by_its_timeout_and_at_once_for_0(opened: Opened, clock: Time) -> None:
    ns = opened(b.plausible("2.3")[0])
    list(ns.follow(poll_s=0.5, timeout_s=3))
    assert clock.now == 3
    list(ns.follow(timeout_s=0))
    assert clock.now == 3
    for bad in ({"poll_s": -1}, {"timeout_s": -1}, {"poll_s": float("nan")}, {"timeout_s": float("nan")}):
        with pytest.raises(ValueError, match="expected seconds of 0 or more"):
            next(ns.follow(**bad))
    with pytest.raises(ValueError, match="expected seconds"):
        next(ns.follow(poll_s=float("inf")))


@pytest.mark.parametrize("kind", ["2.1", "2.3", "3.0", "ptp"])
@pytest.mark.parametrize("n_first", [0, 1, 2])
def test_growing_c11_a_file_of_headers_alone_or_of_few_samples_can_be_followed(
    file_of: FileOf, out: Path, clock: Time, kind: str, n_first
) -> None:
    ticks = 7 * 10**9 if kind == "ptp" else 7 * 30000
    data = b.nsx([(ticks, b.ramp(60, 3, kind))], kind)
    start = len(data) - len(b.body(kind, [(ticks, b.ramp(60, 3, kind))], 1, 10**9 if kind == "ptp" else 30000))
    each = 19 if kind == "ptp" else 6
    rows = start + {"2.1": 0, "2.3": 9, "3.0": 13, "ptp": 0}[kind]
    path = file_of(data[: rows + each * n_first if n_first else start])
    with quietly(path) as ns:
        assert ns.n_samples == n_first
        assert ns.time_base.origin_tick == (ticks if n_first and kind in ("3.0", "ptp") else 0)
        clock.passes(lambda: Path(path).open("r+b").close(), lambda: appended(path, data))
        report = nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, timeout_s=5)
        assert report.n_samples == 60
        assert ns.has_sample_timestamps == (kind == "ptp")
        assert out.read_bytes() == b.ramp(60, 3, kind).tobytes()
        with nv.open_nsx(path) as whole:
            same(ns, whole)


def test_growing_c12_only_what_was_opened_by_its_path_can_be_followed(file_of: FileOf, out: Path) -> None:
    nsx, nev = b.plausible("2.3")[0], nb.every_kind((2, 3))
    with open(file_of(nsx), "rb") as file, open(file_of(nev, "s.nev"), "rb") as events:
        for what in (nsx, bytearray(nsx), io.BytesIO(nsx), file):
            with nv.open_nsx(what) as ns:
                for ask in (ns.refresh, lambda ns=ns: next(ns.follow())):
                    with pytest.raises(ValueError, match="only a file that was opened by its path can be followed"):
                        ask()
                with pytest.raises(ValueError, match="opened by its path"):
                    nv.write_bin(ns, out, gaps="join", follow=True)
        for what in (nev, events):
            with nv.open_nev(what) as found, pytest.raises(ValueError, match="opened by its path"):
                found.refresh()
    assert list(out.parent.iterdir()) == []
    with nv.open_nsx(file_of(nsx)) as ns:
        pass
    with pytest.raises(ValueError, match="is closed"):
        ns.refresh()


def test_growing_c13_threads_read_while_one_looks(tmp_path: Path) -> None:
    made = Growing("2.3", [0, 5000, 10000], [3000, 3000, 3000], 4)
    errors: list[BaseException] = []
    done = threading.Event()

    def reads(ns: NsxFile) -> None:
        try:
            while not done.is_set():
                segments = ns.segments
                for segment, first in zip(segments, (0, 3000, 6000), strict=False):
                    n = segment.n_samples
                    np.testing.assert_array_equal(segment.samples, made.samples[first : first + n])
                    np.testing.assert_array_equal(
                        ns.read(n - 1, n, segment=segment.index)[0], made.samples[first + n - 1]
                    )
        except BaseException as error:
            errors.append(error)

    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.start)
        with quietly(tmp_path / "s.ns5") as ns:
            readers = [threading.Thread(target=reads, args=(ns,)) for _ in range(3)]
            for reader in readers:
                reader.start()
            for at in odd_ends(made.start, len(made.data), 5, 400):
                recorder.upto(at)
                ns.refresh()
            done.set()
            for reader in readers:
                reader.join()
    assert errors == []


def test_growing_c13_a_map_that_was_made_while_the_file_grew_is_made_anew(
    file_of: FileOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, samples = b.plausible("2.3", 3, (50,))
    path = file_of(data[:-120])
    with quietly(path) as ns:
        real = FileSource._new_map

        def slow(self: FileSource) -> np.ndarray:
            found = real(self)
            monkeypatch.setattr(FileSource, "_new_map", real)
            appended(path, data)
            ns.refresh()  # by another thread, while this one makes its map
            return found

        monkeypatch.setattr(FileSource, "_new_map", slow)
        assert len(ns.segments[0].samples) == 30
        np.testing.assert_array_equal(samples_of(ns), samples)


# ---------------------------------------------------------------------------------------------------- packets of a NEV
