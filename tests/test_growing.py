# SPDX-License-Identifier: MIT
"""Files that are read while a recorder writes them: what is there is always the beginning of what there will be."""

from __future__ import annotations

import io
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import builders as b
import nev_builders as nb
import numpy as np
import pytest
import timing_builders as t
from hypothesis import given, settings
from hypothesis import strategies as st
from recorders import COUNTS, KILL, Mark, Recorder, marks, n_whole, odd_ends, recording

import nevparse as nv
from nevparse import _breaks, _following, _stamps, cli
from nevparse._breaks import MARGIN, Steps
from nevparse._clock import Clock
from nevparse._file_source import FileSource
from nevparse._plan import Fill, Span, between
from nevparse.nsx import NsxFile

TESTS = Path(__file__).parent


def quietly(path: str | Path, opener: Callable[..., Any] = nv.open_nsx) -> Any:
    """Open what is cut or not counted yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.TruncatedFile)
        warnings.simplefilter("ignore", nv.DamagedFile)
        return opener(path)


class Time:
    """Time for those who look again and again: while they sleep, the next thing happens."""

    def __init__(self) -> None:
        self.now, self.events = 0.0, iter(())

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        next(self.events, lambda: None)()

    def passes(self, *events: Callable[[], object]) -> None:
        self.events = iter(events)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    monkeypatch.setattr(_following, "time", found)
    return found


def ticks_of(ns: NsxFile) -> np.ndarray:
    return np.concatenate([np.empty(0, np.uint64), *(segment.ticks() for segment in ns.segments)])


def samples_of(ns: NsxFile) -> np.ndarray:
    return np.concatenate([np.empty((0, ns.n_channels), ns.dtype), *(segment.samples for segment in ns.segments)])


def edges_of(ns: NsxFile) -> list[tuple[int, int]]:
    """First sample and tick of each segment."""
    starts = np.cumsum([0, *(segment.n_samples for segment in ns.segments)]).tolist()
    return [(start, segment.start_tick) for start, segment in zip(starts, ns.segments, strict=False)]


def same(ns: NsxFile, other: NsxFile) -> None:
    """Two files say the same of everything."""
    assert ns.n_samples == other.n_samples
    assert (ns.missing_bytes, ns.damage, ns.size_bytes) == (other.missing_bytes, other.damage, other.size_bytes)
    assert edges_of(ns) == edges_of(other)
    assert ns.gaps == other.gaps
    assert ns.time_base == other.time_base
    np.testing.assert_array_equal(samples_of(ns), samples_of(other))
    np.testing.assert_array_equal(ticks_of(ns), ticks_of(other))


def is_beginning(ns: NsxFile, whole: NsxFile, n_settled: int | None = None) -> None:
    """What a file has is the beginning of what it will have: samples, ticks, and segments up to the last."""
    n = ns.n_samples
    np.testing.assert_array_equal(samples_of(ns), samples_of(whole)[:n])
    np.testing.assert_array_equal(ticks_of(ns), ticks_of(whole)[:n])
    settled = n if n_settled is None else n_settled
    edges = [edge for edge in edges_of(ns) if edge[0] < settled]
    assert edges == [edge for edge in edges_of(whole) if edge[0] < settled]
    assert ns.gaps[: max(0, len(edges) - 1)] == whole.gaps[: max(0, len(edges) - 1)]
    assert sum(segment.n_samples for segment in ns.segments) == n


class Growing:
    """A recording of blocks: its bytes in the end, where the data begins, and its blocks."""

    def __init__(self, kind: str, starts: Sequence[int], n_samples: Sequence[int], n_channels: int = 2) -> None:
        first = np.cumsum([0, *n_samples]).tolist()
        blocks = [(tick, b.ramp(n, n_channels, kind, first[k])) for k, (tick, n) in enumerate(zip(starts, n_samples))]  # noqa: B905
        self.data = b.nsx(blocks, kind)
        self.start = len(b.nsx([], kind, ids=range(1, n_channels + 1)))
        row_bytes = n_channels * np.dtype(b.sample_type(kind)).itemsize
        self.blocks: list[Mark] = [] if kind == "2.1" else marks(kind, self.start, n_samples, row_bytes)
        self.samples = np.concatenate([samples for _, samples in blocks])

    def n_whole(self, at: int) -> int:
        """Samples that are written whole up to a byte."""
        if not self.blocks:
            return (at - self.start) // self.samples[:1].nbytes
        return n_whole(self.blocks, at)


@st.composite
def growing(draw: st.DrawFn, kinds: Sequence[str] = b.BLOCK_KINDS) -> Growing:
    """A recording of blocks that adjoin, or are parted by pauses, losses, overlaps and resets."""
    n_samples = draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    starts = [draw(st.integers(0, 1000))]
    for n in n_samples[:-1]:
        starts.append(max(0, starts[-1] + n + draw(st.sampled_from([0, 0, 1, 7, 3000, 60000, -1, -3, -3100]))))
    return Growing(draw(st.sampled_from(kinds)), starts, n_samples, draw(st.integers(1, 5)))


def ends(draw: st.DrawFn, begin: int, stop: int) -> list[int]:
    """Bytes that are written up to, one after another, to the end; some more than once, when nothing comes."""
    return [*sorted(draw(st.lists(st.integers(begin, stop), min_size=1, max_size=8))), stop]


# ------------------------------------------------------------------------------------------------- samples in blocks


@given(st.data(), growing(), st.sampled_from(COUNTS))
def test_growing_c01_and_c02_blocks_that_grow_are_the_beginning_of_what_they_become(tmp_path, data, made, counts):
    path = tmp_path / "s.ns5"
    path.unlink(missing_ok=True)
    steps = ends(data.draw, made.start, len(made.data))
    (tmp_path / "whole.ns5").unlink(missing_ok=True)
    (tmp_path / "whole.ns5").write_bytes(made.data)
    with Recorder(path, made.data, made.blocks, counts) as recorder, nv.open_nsx(tmp_path / "whole.ns5") as whole:
        recorder.upto(steps[0])
        with quietly(path) as ns:
            for at in steps:
                before = ns.n_samples
                recorder.upto(at)
                assert ns.refresh() == ns.n_samples - before >= 0
                is_beginning(ns, whole)
                if counts != "old":
                    assert ns.n_samples == made.n_whole(at)
                assert ns.n_settled == ns.n_samples or ns.stamped
            same(ns, whole)


@given(st.data(), growing(["2.1"]))
def test_growing_c01_samples_without_blocks(file_of, data, made):
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


def test_growing_c02_an_old_count_holds_nothing_back_once_the_file_grows(tmp_path):
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


def test_growing_c02_damage_is_no_growth(file_of):
    made = Growing("2.3", [0], [40])
    with pytest.warns(nv.DamagedFile):
        ns = nv.open_nsx(file_of(made.data + b"\xee" * 400))
    with ns:
        assert (ns.refresh(), ns.refresh()) == (0, 0)
        assert ns.n_samples == 40
        np.testing.assert_array_equal(samples_of(ns), made.samples)


def test_growing_c03_a_block_that_is_closed_with_fewer_samples_is_an_error(tmp_path):
    made = Growing("2.3", [0], [40])
    path = tmp_path / "s.ns5"
    path.write_bytes(made.data[:-40])
    with quietly(path) as ns, open(path, "r+b") as file:
        file.seek(made.blocks[0].count)
        file.write(struct.pack("<I", 3))
        file.seek(made.blocks[0].rows + 3 * made.blocks[0].row_bytes)
        file.write(b.block("2.3", 9000, made.samples[:2]))
        with pytest.raises(nv.FormatError, match="the samples there were before"):
            ns.refresh()
        assert ns.n_samples == 30  # as before


@pytest.mark.parametrize("kind", ["2.1", "2.3", "3.0", "ptp"])
def test_growing_c03_a_file_that_shrinks_or_is_begun_anew_is_an_error(file_of, kind):
    data, _ = b.plausible(kind, 3, (40, 30))
    other = bytearray(b.plausible(kind, 3, (400, 30))[0])
    other[294 if kind != "2.1" else 10] ^= 1  # the date, of 2.1 the label
    path = file_of(data)
    with nv.open_nsx(path) as ns:
        with open(path, "r+b") as file:
            file.write(other)
        with pytest.raises(nv.FormatError, match="begun anew"):
            ns.refresh()
        os.truncate(path, len(data) - 10)
        with pytest.raises(nv.FormatError, match="as there were before"):
            ns.refresh()
        assert ns.n_samples == 70


@given(st.data(), st.sampled_from(COUNTS))
def test_growing_c04_timestamps_of_32_bits_run_over_while_it_grows(tmp_path, data, counts):
    made = Growing("2.3", [2**32 - 900, 2**32 - 300, 10, 900], [30, 20, 10, 10])
    path = tmp_path / "s.ns5"
    path.unlink(missing_ok=True)
    with Recorder(path, made.data, made.blocks, counts) as recorder:
        recorder.upto(made.start)
        with quietly(path) as ns:
            for at in ends(data.draw, made.start, len(made.data)):
                recorder.upto(at)
                ns.refresh()
                assert (np.diff(ticks_of(ns).astype(np.int64)) > 0).all()
            assert [segment.start_tick for segment in ns.segments][2:] == [2**32 + 10, 2**32 + 900]


def test_growing_c04_a_thousand_blocks(tmp_path):
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


def test_growing_c05_short_blocks_are_not_taken_for_packets_for_good(tmp_path):
    made = Growing("3.0", [0, 500, 1000, 2000], [1, 1, 1, 50])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[1].end)
        with nv.open_nsx(tmp_path / "s.ns5") as ns, nv.open_nsx(tmp_path / "s.ns5") as later:
            assert ns.stamped
            recorder.upto(made.blocks[3].rows + 30)
            ns.refresh()
            assert not ns.stamped
            assert ns.n_samples == made.n_whole(recorder.at)
            recorder.upto(len(made.data))
            ns.refresh()
            later.refresh()
            for each in (ns, later):
                assert edges_of(each) == [(0, 0), (1, 500), (2, 1000), (3, 2000)]
                np.testing.assert_array_equal(samples_of(each), made.samples)


def test_growing_c06_what_was_handed_out_stays_what_it_was(tmp_path):
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


# ------------------------------------------------------------------------------------------------ one-sample packets


@st.composite
def stamped(draw: st.DrawFn) -> np.ndarray:
    """Timestamps with jitter, breaks, and groups out of order far from each other."""
    n = draw(st.integers(1, 260))
    places = st.integers(0, n - 1)
    breaks = draw(st.dictionaries(places, st.sampled_from([0.6, 1, 30, 5000, -40, -200]), max_size=4))
    ticks = t.stamps(n, jitter_ns=draw(st.sampled_from([0, 2000])), breaks=breaks, seed=n)
    far = [k for k in range(30, n - 30, 90) if all(abs(k - packet) > 30 for packet in breaks)]
    return t.shuffled(ticks, {k: draw(st.permutations(range(5))) for k in far})


@settings(max_examples=30)
@given(st.data(), stamped())
def test_growing_c07_packets_that_grow_are_the_beginning_of_what_they_become(file_of, data, ticks):
    raw = t.ptp(ticks)
    start = len(raw) - 17 * len(ticks)
    whole = nv.open_nsx(file_of(raw, "whole.ns5")).exactly()
    path = file_of(raw[:start])
    with whole, quietly(path) as ns:
        exact = ns.exactly()
        for at in ends(data.draw, start, len(raw)):
            with open(path, "r+b") as file:
                file.write(raw[:at])
            before = ns.n_samples
            assert ns.refresh() == ns.n_samples - before
            exact.refresh()
            assert ns.n_samples == (at - start) // 17 == exact.n_samples
            for each in (ns, exact):
                is_beginning(each, whole, each.n_settled)
        assert ns.n_settled == max(0, len(ticks) - MARGIN) if len(ticks) > 1 else 1
        for each in (ns, exact):
            assert edges_of(each) == edges_of(whole)
            assert each.gaps == whole.gaps


def test_growing_c07_a_group_out_of_order_is_judged_with_its_neighbours(file_of):
    raw = t.ptp(t.shuffled(t.stamps(130), {60: [3, 0, 4, 1, 2]}))
    start = len(raw) - 17 * 130
    path = file_of(raw)
    for n in range(50, 100):
        os.truncate(path, start + 17 * n)
        with nv.open_nsx(path) as ns:
            exact = ns.exactly()
            assert len(ns.segments) == len(exact.segments)  # more than one where it ends within the group
            appended(path, raw)
            for each in (ns, exact):
                assert each.refresh() == 130 - n
                assert edges_of(each) == [(0, t.BOOT_NS)]


def test_growing_c07_an_exact_file_sees_that_what_is_new_is_no_packet(file_of):
    raw = t.hidden_block()
    path = file_of(raw[: -39 * 110])
    with nv.open_nsx(path) as ns:
        probed, exact = ns, ns.exactly()
        appended(path, raw)
        assert (probed.refresh(), probed.stamped) == (110, True)
        assert (exact.refresh(), exact.stamped, exact.n_samples) == (111, False, 204)
        assert ns.exactly().n_samples == 204


def test_growing_c07_room_that_was_made_holds_no_packets(file_of):
    ticks = t.stamps(200, breaks={60: 5})
    raw = t.ptp(ticks)
    start = len(raw) - 17 * 200
    path = file_of(raw[: start + 17 * 20])
    with nv.open_nsx(path) as ns:
        for n in (20, 25, 61, 62, 199, 200):
            with open(path, "r+b") as file:
                file.write((raw[: start + 17 * n] + bytes(17 * 500))[: start + 17 * 500 + 5])
            ns.refresh()
            assert ns.n_samples == n
            np.testing.assert_array_equal(ticks_of(ns), ticks[:n])
        assert [segment.n_samples for segment in ns.segments] == [61, 139]


def test_growing_c08_a_look_reads_what_is_new(file_of, monkeypatch):
    ticks = t.stamps(70_000, breaks={500: 3, 40_000: 5})
    raw = t.ptp(ticks)
    start = len(raw) - 17 * len(ticks)
    path = file_of(raw[: start + 17 * 69_000])
    n_read = 0

    def counted(self: FileSource, n_bytes: int, offset: int) -> bytes:
        nonlocal n_read
        n_read += n_bytes
        return real(self, n_bytes, offset)

    with nv.open_nsx(path) as ns:
        assert len(ns.segments) == 3
        real = FileSource._read_at
        monkeypatch.setattr(FileSource, "_read_at", counted)
        for n in range(69_100, 70_100, 100):
            with open(path, "r+b") as file:
                file.write(raw[: start + 17 * n])
            n_read = 0
            assert ns.refresh() == 100
            assert len(ns.segments) == 3
            assert n_read < 17 * 100 + 3 * 17 * MARGIN + len(raw[:start]) + 500
        n_read = 0
        assert ns.refresh() == 0
        assert n_read < len(raw[:start]) + 500


def test_growing_c08_probing_goes_on_where_it_stood(file_of, monkeypatch):
    monkeypatch.setattr(_breaks, "PROBE_STRIDE", 256)
    monkeypatch.setattr(_stamps, "find_breaks", lambda stamps, clock: _breaks.find_breaks(stamps, clock, 256))
    ticks = t.stamps(9000, drift_ppm=20, breaks={1500: 2, 2047: 1, 5555: 40, 8000: 3})
    raw = t.ptp(ticks)
    start = len(raw) - 17 * len(ticks)
    path = file_of(raw[: start + 17 * 2048])
    with nv.open_nsx(path) as ns:
        for n in (2060, 6000, 9000):
            with open(path, "r+b") as file:
                file.write(raw[: start + 17 * n])
            ns.refresh()
            assert [first for first, _ in edges_of(ns)] == [k for k in (0, 1501, 2048, 5556, 8001) if k < n]


# -------------------------------------------------------------------------------------------------------------- follow


def together(chunks: Sequence[nv.nsx.Chunk], ns: NsxFile) -> None:
    """Chunks hold every sample once, in its place."""
    found: list[list[np.ndarray]] = [[] for _ in ns.segments]
    for segment, start, samples in chunks:
        assert start == sum(map(len, found[segment]))
        assert len(samples) > 0
        found[segment].append(samples)
    for segment, parts in zip(ns.segments, found, strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), segment.samples)


@given(st.data(), growing(("2.1", *b.BLOCK_KINDS)), st.sampled_from(COUNTS), st.integers(1, 12))
def test_growing_c09_follow_gives_each_sample_once(tmp_path, data, made, counts, n_each):
    path = tmp_path / "s.ns5"
    path.unlink(missing_ok=True)
    steps, now = ends(data.draw, made.start, len(made.data)), Time()
    with Recorder(path, made.data, made.blocks, counts) as recorder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(_following, "time", now)
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
def test_growing_c09_follow_waits_for_what_decides_about_breaks(file_of, data, ticks):
    raw, now = t.ptp(ticks), Time()
    start = len(raw) - 17 * len(ticks)
    path = file_of(raw[:start])

    def write(at: int) -> None:
        with open(path, "r+b") as file:
            file.write(raw[:at])

    steps = ends(data.draw, start, len(raw))
    with pytest.MonkeyPatch.context() as patch, quietly(path) as ns:
        patch.setattr(_following, "time", now)
        now.passes(*(lambda at=at: write(at) for at in steps))
        chunks = []
        for chunk in ns.follow(50, poll_s=1, timeout_s=len(steps) + 1):
            chunks.append(chunk)
            ns.refresh()  # what others find meanwhile is not lost
        together(chunks, ns)
        assert sum(len(chunk.samples) for chunk in chunks) == len(ticks)


def test_growing_c09_a_follower_that_never_finds_anything_itself_goes_on(tmp_path, clock):
    made = Growing("2.3", [0], [100])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.start)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(
                *(lambda k=k: (recorder.upto(made.blocks[0].rows + 40 * k), ns.refresh()) for k in range(1, 11))
            )
            assert sum(len(chunk.samples) for chunk in ns.follow(poll_s=1, timeout_s=1.5)) == 100


def test_growing_c10_follow_ends_by_its_timeout_and_at_once_for_0(opened, clock):
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
def test_growing_c11_a_file_of_headers_alone_and_of_few_samples(file_of, out, clock, kind, n_first):
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
        assert ns.stamped == (kind == "ptp")
        assert out.read_bytes() == b.ramp(60, 3, kind).tobytes()
        with nv.open_nsx(path) as whole:
            same(ns, whole)


def appended(path: str, data: bytes) -> None:
    """Bring a file to what it will be, in place."""
    with open(path, "r+b") as file:
        file.write(data)


def test_growing_c12_only_what_was_opened_by_its_path_can_be_followed(file_of, out):
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


def test_growing_c13_threads_read_while_one_looks(tmp_path):
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


def test_growing_c13_a_map_that_was_made_while_the_file_grew_is_made_anew(file_of, monkeypatch):
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


# ------------------------------------------------------------------------------------------------------ export, live


def exported(folder: Path, path: str | Path, **options: Any) -> dict[str, bytes]:
    """What a plain export of the file as it is makes."""
    folder.mkdir()
    with quietly(path) as ns:
        nv.write_bin(ns, folder / "s.bin", **options)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@settings(max_examples=40)
@given(st.data(), growing(), st.sampled_from(COUNTS[::2]), st.sampled_from(["join", "fill"]))
def test_growing_c14_a_live_export_is_the_later_export(tmp_path_factory, data, made, counts, gaps):
    folder, now = tmp_path_factory.mktemp("live"), Time()
    steps = ends(data.draw, made.start, len(made.data))
    options: dict[str, Any] = {
        "gaps": gaps,
        "max_fill": 1e9,
        "channels": [0],
        "fill": data.draw(st.sampled_from([7, "hold"])),
    }
    (folder / "out").mkdir()
    with Recorder(folder / "s.ns5", made.data, made.blocks, counts) as recorder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(_following, "time", now)
        recorder.upto(made.start)
        now.passes(*(lambda at=at: recorder.upto(at) for at in steps))
        live = {"follow": True, "poll_s": 1, "timeout_s": len(steps) + 1}
        with quietly(folder / "s.ns5") as ns:
            try:
                nv.write_bin(ns, folder / "out" / "s.bin", **options, **live)
            except nv.GapError:
                assert gaps == "fill"
                with quietly(folder / "s.ns5") as whole:
                    assert any(gap.missing_samples < 0 for gap in whole.gaps)
                assert contents(folder / "out") == {}
                return
    assert contents(folder / "out") == exported(folder / "later", folder / "s.ns5", **options)


@settings(max_examples=30)
@given(st.data(), stamped(), st.booleans())
def test_growing_c14_a_live_export_of_packets_with_their_timestamps(tmp_path_factory, data, ticks, sort):
    folder, now, raw = tmp_path_factory.mktemp("live"), Time(), t.ptp(ticks)
    start = len(raw) - 17 * len(ticks)
    steps = ends(data.draw, start, len(raw))
    (folder / "out").mkdir()
    path = folder / "s.ns5"
    path.write_bytes(raw[:start])
    with pytest.MonkeyPatch.context() as patch, quietly(path) as ns, warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.DamagedFile)  # of samples out of order
        patch.setattr(_following, "time", now)
        now.passes(*(lambda at=at: appended(str(path), raw[:at]) for at in steps))
        live = {"follow": True, "poll_s": 1, "timeout_s": len(steps) + 1}
        nv.write_bin(ns, folder / "out" / "s.bin", gaps="join", sort=sort, **live)
        later = exported(folder / "later", path, gaps="join", sort=sort)
    found = contents(folder / "out")
    assert sorted(found) == sorted(later)
    if len(ticks) > 1:
        assert found == later


@pytest.mark.parametrize("n", [*range(58, 90, 2), *range(88, 116)])
def test_growing_c14_rows_wait_for_what_decides_about_them(file_of, out, clock, tmp_path, n):
    raw = t.ptp(t.shuffled(t.stamps(150, breaks={90: 3}), {60: [3, 0, 4, 1, 2]}))
    path = file_of(raw[: len(raw) - 17 * (150 - n)])
    with nv.open_nsx(path) as ns:
        clock.passes(lambda: appended(path, raw))
        nv.write_bin(ns, out, gaps="fill", sort=True, follow=True, poll_s=1, timeout_s=2)
    assert contents(out.parent) == exported(tmp_path / "later", path, gaps="fill", sort=True)


def test_growing_c14_a_part_of_a_plan():
    clock = Clock(100, 3, 1000)
    plan = [Span(0, 10, 0, 5), Fill(10, 6, 700), Span(16, 4, 1, 0)]
    assert between(plan, 0, 20, clock) == plan
    assert between(plan, 3, 12, clock) == [Span(3, 7, 0, 8), Fill(10, 2, 700)]
    assert between(plan, 12, 17, clock) == [Fill(12, 4, 766), Span(16, 1, 1, 0)]
    assert between(plan, 7, 7, clock) == []


def test_growing_c14_a_break_that_probing_missed_begins_the_export_anew(file_of, out, clock, monkeypatch):
    nothing = np.empty(0, np.intp)
    monkeypatch.setattr(_stamps, "find_breaks", lambda *_: Steps(nothing, nothing))
    ticks = t.stamps(300, breaks={150: 5})
    raw = t.ptp(ticks)
    path = file_of(raw[: len(raw) - 17 * 200])
    with nv.open_nsx(path) as ns:
        clock.passes(lambda: appended(path, raw[:-40]), lambda: appended(path, raw))
        nv.write_bin(ns, out, gaps="fill", follow=True, poll_s=1, timeout_s=3)
    assert nv.read_sidecar(out).n_samples == 305
    np.testing.assert_array_equal(np.fromfile(out.with_suffix(".ticks"), "<u8")[:151], ticks[:151])


def test_growing_c05_and_c14_what_looked_like_packets_is_exported_as_blocks(tmp_path, out, clock):
    made = Growing("3.0", [0, 500, 2000], [1, 1, 50])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[1].end)
        with nv.open_nsx(tmp_path / "s.ns5") as ns:
            clock.passes(lambda: recorder.upto(len(made.data)))
            nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, timeout_s=2)
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="join")


def test_growing_c14_a_probe_that_took_blocks_for_packets(file_of, out, clock):
    raw = t.hidden_block()
    path = file_of(raw[: -39 * 53])
    with quietly(path) as ns:
        assert ns.stamped
        clock.passes(lambda: appended(path, raw))
        nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, timeout_s=2)
    assert nv.read_sidecar(out).n_samples == 204
    assert sorted(contents(out.parent)) == ["s.bin", "s.json"]


def test_growing_c15_rows_reach_the_part_at_every_look(tmp_path, out, clock):
    made = Growing("2.3", [0], [100])
    seen = []

    def see(n_rows: int) -> None:
        part, until = Path(f"{out}.nevparse-part"), time.monotonic() + 10
        while part.stat().st_size < 4 * n_rows and time.monotonic() < until:
            time.sleep(0.001)  # a thread writes it
        seen.append((part.read_bytes() == made.samples[:n_rows].tobytes(), out.exists()))

    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 40)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(
                lambda: (see(10), recorder.upto(made.blocks[0].rows + 41)),
                lambda: (see(10), recorder.upto(made.blocks[0].rows + 100)),
                lambda: see(25),
            )
            nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, timeout_s=4)
    assert seen == [(True, False)] * 3


def test_growing_c16_it_ends_when_it_is_told_and_takes_what_is_there_then(tmp_path, out, clock):
    made, asked = Growing("2.3", [0], [100]), []
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 40)

        def stop() -> bool:
            asked.append(clock.now)
            if len(asked) == 3:
                recorder.upto(made.blocks[0].rows + 60)  # in the very last moment
            return len(asked) == 3

        with quietly(tmp_path / "s.ns5") as ns:
            report = nv.write_bin(ns, out, gaps="join", follow=True, poll_s=0.25, stop=stop)
    assert asked == [0, 0.25, 0.5]
    assert report.n_samples == 15
    assert out.read_bytes() == made.samples[:15].tobytes()


@pytest.mark.parametrize("kind", ["2.3", "ptp"])
def test_growing_c16_it_ends_behind_its_stop_tick(file_of, out, clock, kind):
    data, samples = b.plausible(kind, 3, (300,))
    start, per = (7 * 10**9, 100_000 / 3) if kind == "ptp" else (7 * 30000, 1)
    each = 19 if kind == "ptp" else 6
    path = file_of(data[: len(data) - 290 * each])
    with quietly(path) as ns:
        clock.passes(*(lambda k=k: appended(path, data[: len(data) - (280 - 20 * k) * each]) for k in range(14)))
        ticks = {"start_tick": start + int(5 * per), "stop_tick": start + int(101 * per)}
        nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, **ticks)
        assert 4 < clock.now < 10
    assert out.read_bytes() == samples[5:101].tobytes()


def test_growing_c17_a_fill_that_is_too_long_as_yet_waits(tmp_path, out, clock):
    made = Growing("2.3", [0, 1030], [30, 200])
    sizes = []
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].end)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(
                lambda: recorder.upto(made.blocks[1].rows + 40),  # 1000 rows for 40 recorded
                lambda: (time.sleep(0.05), sizes.append(os.path.getsize(f"{out}.nevparse-part"))),
                lambda: recorder.upto(len(made.data)),
            )
            nv.write_bin(ns, out, gaps="fill", max_fill=5, follow=True, poll_s=1, timeout_s=2)
    assert sizes == [120]
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="fill", max_fill=5)


def test_growing_c17_time_that_goes_backwards_is_refused_at_once(tmp_path, out, clock):
    made = Growing("2.3", [5000, 0], [30, 20])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].end)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(lambda: recorder.upto(len(made.data)))
            with pytest.raises(nv.GapError, match="backwards"):
                nv.write_bin(ns, out, gaps="fill", follow=True, poll_s=1)
            assert clock.now == 1
    assert contents(out.parent) == {}


def test_growing_c17_a_fill_that_stays_too_long_is_refused_in_the_end(tmp_path, out, clock):
    made = Growing("2.3", [0, 100_030], [30, 20])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].end)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(lambda: recorder.upto(len(made.data)))
            with pytest.raises(nv.GapError, match="max_fill"):
                nv.write_bin(ns, out, gaps="fill", follow=True, poll_s=1, timeout_s=3)
            assert clock.now > 3
    assert contents(out.parent) == {}


def test_growing_c18_what_cannot_be_followed_is_refused_before_anything(file_of, out):
    data = b.plausible("2.3")[0]
    with nv.open_nsx(file_of(data)) as ns, nv.open_nsx(file_of(data, "other.ns5")) as other:
        for options in ({"gaps": "error"}, {"gaps": "split"}, {"gaps": "join", "resample": "nominal"}):
            with pytest.raises(ValueError, match="expected, with follow, gaps='join' or 'fill'"):
                nv.write_bin(ns, out, follow=True, **options)
        with pytest.raises(ValueError, match="follow each on its own"):
            nv.write_bin([ns, other], out, follow=True, gaps="join")
        with pytest.raises(ValueError, match="seconds of 0 or more"):
            nv.write_bin(ns, out, follow=True, gaps="join", timeout_s=-1)
    assert contents(out.parent) == {}


@pytest.mark.parametrize("kind", ["2.3", "ptp"])
def test_growing_c18_a_file_that_shrinks_or_is_begun_anew_leaves_nothing(file_of, out, clock, kind):
    data = b.plausible(kind, 3, (80,))[0]
    other = bytearray(data)
    other[294] ^= 1
    for change in (lambda path: os.truncate(path, len(data) - 300), lambda path: appended(path, bytes(other))):
        path = file_of(data[:-190])
        with quietly(path) as ns:
            clock.passes(lambda: None, partial(change, path))
            with pytest.raises((nv.FormatError, nv.ExportError), match="before"):
                nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1)
        assert contents(out.parent) == {}


def test_growing_c18_nothing_recorded_is_refused_in_the_end(file_of, out, clock):
    made = Growing("2.3", [0], [10])
    for data in (made.data[: made.start], made.data):
        with quietly(file_of(data)) as ns, pytest.raises(ValueError, match="expected samples to export, found none"):
            nv.write_bin(ns, out, gaps="join", follow=True, timeout_s=0, start_tick=5000)
    assert contents(out.parent) == {}


# ---------------------------------------------------------------------------------------------------- packets of a NEV


@st.composite
def events(draw: st.DrawFn) -> tuple[tuple[int, int], list[bytes], list[int]]:
    """A version, packets of several kinds, many of them continued, and the packets that events start with."""
    version = draw(st.sampled_from([(2, 2), (2, 3), (3, 0)]))
    make = nb.V3 if version[0] == 3 else nb.V2
    room, packets, starts = make.size - make.stamp, [], []
    for k in range(draw(st.integers(1, 12))):
        starts.append(len(packets))
        tick, n_more = 100 + 100 * k, draw(st.integers(0, 3))
        kind = draw(st.sampled_from(["comment", "utf-16", "spike", "digital"]))
        if kind == "digital":
            packets.append(make.digital(tick, 1, k))
            continue
        if kind == "spike":
            wave = struct.pack(f"<{room // 2}h", *range(1, room // 2 + 1))
            packets.append(make.packet(tick, 1 + k % 3, (struct.pack("<Bx", k % 4) + wave)[: room - 2]))
        else:
            text = (f"{k}".encode() if kind == "comment" else f"{k}".encode("utf-16-le")) * room
            packets.append(make.comment(tick, text[: room - 8], charset=int(kind == "utf-16")))
        packets += [make.more(text[:room] if kind != "spike" else wave[:room]) for _ in range(n_more)]
        if draw(st.booleans()):
            packets.append(make.more(b"end"))
    return version, packets, starts


@given(st.data(), events())
def test_growing_c19_and_c20_packets_arrive_once_and_whole(file_of, data, made):
    version, packets, starts = made
    raw, now = nb.nev(packets, [nb.wav(1), nb.wav(2), nb.wav(3)], version=version), Time()
    each = len(packets[0])
    begin = len(raw) - each * len(packets)
    path = file_of(raw[:begin], "s.nev")
    steps = ends(data.draw, begin, len(raw))
    with pytest.MonkeyPatch.context() as patch, nv.open_nev(path) as nev, nv.open_nev(file_of(raw, "w.nev")) as whole:
        patch.setattr(_following, "time", now)
        now.passes(*(lambda at=at: appended(path, raw[:at]) for at in steps))
        parts = list(nev.follow(poll_s=1, timeout_s=len(steps) + 1))
        first = 0
        for part in parts:
            assert first in starts, "an event is torn apart"
            first += part.n_packets
        assert b"".join(part.packets.tobytes() for part in parts) == raw[begin:] == nev.packets.tobytes()
        assert nev.n_packets == whole.n_packets
        assert [comment for part in parts for comment in part.comments()] == list(whole.comments())
        waves = [wave.tolist() for part in parts for wave in part.spikes()["waveform"]]
        for wave, wide in zip(waves, whole.spikes()["waveform"].tolist(), strict=True):
            assert wave == wide[: len(wave)]
            assert not any(wide[len(wave) :])
        for kind in ("spike", "digital", "comment"):
            np.testing.assert_array_equal(
                np.concatenate([part.events(kind)["tick"] for part in parts]), whole.events(kind)["tick"]
            )


@given(st.data(), events())
def test_growing_c19_refresh_takes_whole_packets(file_of, data, made):
    version, packets, _ = made
    raw, each = nb.nev(packets, version=version), len(packets[0])
    begin = len(raw) - each * len(packets)
    path = file_of(raw[:begin], "s.nev")
    with nv.open_nev(path) as nev:
        held = []
        for at in ends(data.draw, begin, len(raw)):
            appended(path, raw[:at])
            before = nev.n_packets
            assert nev.refresh() == nev.n_packets - before
            assert nev.n_packets == (at - begin) // each
            assert nev.missing_bytes == -(at - begin) % each
            assert nev.time_base.origin_tick == nev.time_origin_tick
            assert nev.packets.tobytes() == raw[begin : begin + nev.n_packets * each]
            assert sum(nev.kinds().values()) == len(nev.spikes()) + sum(
                len(nev.events(kind)) for kind in nev.kinds() if kind != "spike"
            )
            held.append((nev.packets, nev.packets.tobytes()))
        assert all(array.tobytes() == then for array, then in held)
        with nv.open_nev(path) as whole:
            assert (nev.kinds(), nev.tick_span, nev.time_base) == (whole.kinds(), whole.tick_span, whole.time_base)


def test_growing_c20_the_newest_packet_waits_for_one_look_or_for_the_next_packet(file_of, clock):
    make = nb.V2
    full = make.comment(10, b"x" * 92)
    raw = nb.nev([make.digital(5, 1, 7), full, make.digital(20, 1, 8)])
    begin = len(raw) - 3 * 104
    path, given_at = file_of(raw[: begin + 104], "s.nev"), []
    with nv.open_nev(path) as nev:
        clock.passes(lambda: None, lambda: appended(path, raw[:-104]), *[lambda: None] * 5, lambda: appended(path, raw))
        for part in nev.follow(poll_s=1, timeout_s=6):
            values, texts = part.events("digital")["value"].tolist(), [comment.text for comment in part.comments()]
            given_at += [(clock.now, values, texts)]
    assert given_at == [(0, [7], []), (8, [], ["x" * 92]), (9, [8], [])]


def test_growing_c21_a_part_is_a_file_of_its_own(file_of, clock):
    make = nb.V3
    packets = [make.packet(1000, 0xFFF9, struct.pack("<H", 0)), *(make.digital(1100 + k, 1, k) for k in range(20))]
    raw = nb.nev(packets, version=(3, 0))
    path = file_of(raw[:-1080], "s.nev")
    with nv.open_nev(path) as nev:
        clock.passes(lambda: appended(path, raw))
        parts = list(nev.follow(poll_s=1, timeout_s=3))
        assert [part.n_packets for part in parts] == [10, 1, 9, 1] or sum(part.n_packets for part in parts) == 21
        later = parts[-2]
        assert later.events("digital")["tick"][-1] == 1118
        assert (later.time_base, later.time_origin_tick) == (nev.time_base, 1000)
        assert later.datetime(1100) == nev.datetime(1100)
        again = pickle.loads(pickle.dumps(later))
        assert again.packets.tobytes() == later.packets.tobytes()
        assert again.datetime(1100) == later.datetime(1100)
        again._part_of[0].close()
        with pytest.raises(ValueError, match="part of a file"):
            later.refresh()
        with later:
            pass
        assert not nev.closed
        assert nev.refresh() == 0
        assert nev.n_packets == 21 and nev.packets["tick"][-1] == 1119  # noqa: PT018
        with pickle.loads(pickle.dumps(nev)) as other:
            assert other.n_packets == 21


def test_growing_c03_a_nev_that_shrinks_or_is_begun_anew_is_an_error(file_of):
    raw = nb.nev([nb.V2.digital(k, 1, k) for k in range(10)])
    other = bytearray(raw + raw[-104:])
    other[30] ^= 1
    path = file_of(raw, "s.nev")
    with nv.open_nev(path) as nev:
        appended(path, bytes(other))
        with pytest.raises(nv.FormatError, match="begun anew"):
            nev.refresh()
        os.truncate(path, len(raw) - 5)
        with pytest.raises(nv.FormatError, match="as there were before"):
            nev.refresh()
        assert nev.n_packets == 10


# ----------------------------------------------------------------------------------------- recorders in other processes


def wait_for(path: Path, n_bytes: int) -> None:
    until = time.monotonic() + 20
    while not (path.exists() and path.stat().st_size >= n_bytes):
        assert time.monotonic() < until
        time.sleep(0.002)


def test_growing_c22_a_recorder_in_another_process_loses_nothing(tmp_path, out):
    made = Growing("2.3", [0, 400, 5000], [300, 250, 200], 3)
    whole = odd_ends(made.start, len(made.data), 1, 60)
    with recording(tmp_path / "s.ns5", made.data, made.blocks, ends=whole) as recorder:
        wait_for(tmp_path / "s.ns5", made.start)
        with quietly(tmp_path / "s.ns5") as ns:
            live = {"gaps": "fill", "follow": True, "poll_s": 0.005, "stop": lambda: recorder.poll() is not None}
            export = threading.Thread(target=nv.write_bin, args=(ns, out), kwargs=live)
            export.start()
            chunks, n = [], 0
            for chunk in ns.follow(poll_s=0.003, timeout_s=20):
                chunks, n = [*chunks, chunk], n + len(chunk.samples)
                if n == len(made.samples):
                    break
            export.join()
            together(chunks, ns)
            np.testing.assert_array_equal(samples_of(ns), made.samples)
            assert len(chunks) > 10
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="fill")


def test_growing_c22_a_recorder_that_is_killed_loses_only_what_was_not_whole(tmp_path, out):
    made = Growing("2.3", [0, 400], [300, 500], 3)
    whole = odd_ends(made.start, len(made.data), 3, 80)
    die_at = next(at for at in whole if at > made.blocks[1].rows + 999 and (at - made.blocks[1].rows) % 6 == 5)
    packets = [nb.V2.comment(k, b"c" * 92) + nb.V2.more(b"d" * 50) for k in range(100)]
    nev_data = nb.nev([half for both in packets for half in (both[:104], both[104:])])
    nev_ends = odd_ends(336, len(nev_data), 4, 200)
    nev_die = next(at for at in nev_ends if at > 15000 and (at - 336) // 104 % 2 == 0)
    with (
        recording(tmp_path / "s.ns5", made.data, made.blocks, ends=whole, die_at=die_at) as one,
        recording(tmp_path / "s.nev", nev_data, ends=nev_ends, die_at=nev_die) as other,
    ):
        wait_for(tmp_path / "s.ns5", made.start)
        wait_for(tmp_path / "s.nev", 336)
        with quietly(tmp_path / "s.ns5") as ns, quietly(tmp_path / "s.nev", nv.open_nev) as nev:
            live = {"follow": True, "poll_s": 0.005, "stop": lambda: one.poll() is not None}
            nv.write_bin(ns, out, gaps="join", **live)
            parts = []
            for part in nev.follow(poll_s=0.005, timeout_s=20):
                parts.append(part)
                if part._start + part.n_packets * 104 == nev_die - (nev_die - 336) % 104:
                    break
            assert (one.wait(), other.wait()) == ((-KILL,) * 2 if os.name == "posix" else (KILL,) * 2)
            assert ns.n_samples == made.n_whole(die_at) > 400
            assert ns.missing_bytes == 1
            assert sum(part.n_packets for part in parts) == (nev_die - 336) // 104
            assert {comment.text for part in parts for comment in part.comments()} == {"c" * 92 + "d" * 50}
    assert out.read_bytes() == made.samples[: made.n_whole(die_at)].tobytes()
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="join")


# ---------------------------------------------------------------------------------------------------- the command line


def bin_command(path: Path, out: Path, *more: str) -> list[str]:
    return ["bin", str(path), str(out), "--gaps", "join", "--follow", *more]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_growing_c23_a_signal_ends_the_command_with_whole_files(tmp_path, out, clock, capsys, number):
    made = Growing("2.3", [0], [100])
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 40)
        clock.passes(lambda: (recorder.upto(made.blocks[0].rows + 403), signal.raise_signal(number)), lambda: 1 / 0)
        assert cli.main(bin_command(tmp_path / "s.ns5", out)) == 0
        assert "100 samples x 2 channels" in capsys.readouterr().out
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="join")


def test_growing_c23_the_second_time_it_breaks_off(tmp_path, out, clock, capsys):
    made = Growing("2.3", [0], [100])
    (tmp_path / "s.ns5").write_bytes(made.data)

    def twice() -> None:
        assert Path(f"{out}.nevparse-part").exists()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    clock.passes(twice)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        assert cli.main(bin_command(tmp_path / "s.ns5", out)) == cli.INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    assert "nothing was left" in capsys.readouterr().err
    assert contents(out.parent) == {}


@pytest.mark.skipif(os.name != "posix", reason="no such signals to another process; raised within it above")
def test_growing_c23_a_command_of_its_own_that_is_interrupted(tmp_path, out):
    made = Growing("2.3", [0], [100])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 40)
        process = subprocess.Popen(
            [sys.executable, "-m", "nevparse", *bin_command(tmp_path / "s.ns5", out)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=TESTS.parent,
        )  # fmt: skip
        try:
            wait_for(Path(f"{out}.nevparse-part"), 40)
            recorder.upto(len(made.data))
            process.send_signal(signal.SIGINT)
            said, warned = process.communicate(timeout=20)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, "Traceback" in warned) == (0, False)
    assert "100 samples" in said
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="join")


def test_growing_c23_the_command_says_what_it_cannot_do(file_of, out, capsys, clock):
    made = Growing("2.3", [0], [10])
    path, empty = file_of(made.data), file_of(made.data[: made.start], "empty.ns5")
    for command, code, text in (
        (["bin", path, str(out), "--follow"], 1, "gaps='join' or 'fill' (--gaps)"),
        (["bin", path, str(out), "--timeout", "1"], 2, "give --follow too"),
        (bin_command(path, out, "--timeout", "nan"), 1, "seconds of 0 or more"),
        (bin_command(empty, out, "--timeout", "1", "--stop", "3"), 2, "no sample yet"),
        (bin_command(empty, out, "--timeout", "1"), 1, "found none when it ended"),
        (["bin", path, path, str(out), "--gaps", "join", "--follow"], 1, "follow each on its own"),
    ):
        assert cli.main(command) == code
        assert text in capsys.readouterr().err
    assert contents(out.parent) == {}
    assert cli.main(bin_command(path, out, "--timeout", "1")) == 0
    assert out.read_bytes() == made.samples.tobytes()


def test_growing_c23_other_threads_hear_of_no_signals():
    heard = []

    def listen() -> None:
        with _following.told_to_stop() as told:
            heard.append(told())

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert heard == [False]
