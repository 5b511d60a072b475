# SPDX-License-Identifier: MIT
"""Blocks, pauses and files cut short: claims C21 to C29 and C33 of `spec_notes/nsx.md`."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from builders import nsx as b
from depth import searched
from fixture_types import Opened

import nevparse as nv
from nsx.blocks_by_definition import shape
from nsx.files import all_samples, counts, warned


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c21_each_pause_begins_a_segment_with_its_own_tick(opened: Opened, kind: str) -> None:
    data, samples = b.plausible(kind, n_samples=(5, 1, 4))
    ns = opened(data)
    assert counts(ns) == [5, 1, 4]
    assert [s.start_tick for s in ns.segments] == [210000, 210000 + 5 + 30000, 210000 + 6 + 60000]
    assert [(gap.after_segment, gap.kind, gap.missing_samples) for gap in ns.gaps] == [
        (0, "pause", 30000), (1, "pause", 30000)
    ]  # fmt: skip
    np.testing.assert_array_equal(all_samples(ns), samples)


@pytest.mark.parametrize(
    ("late", "n_segments"), [(-15, 2), (-14, 1), (-1, 1), (0, 1), (1, 1), (14, 1), (15, 2), (30, 2)]
)
def test_nsx_c22_blocks_that_adjoin_within_half_a_sample_are_one_segment(opened: Opened, late, n_segments) -> None:
    first, second = b.ramp(5, 2), b.ramp(4, 2, first=5)
    data = b.nsx([(100, first), (100 + 5 * 30 + late, second)], period=30)
    ns = opened(data)
    assert len(ns.segments) == n_segments
    assert len(ns.gaps) == n_segments - 1
    np.testing.assert_array_equal(all_samples(ns), np.concatenate([first, second]))
    if n_segments == 1:
        assert ns.segments[0].n_blocks == 2
        assert [len(block) for block in ns.segments[0].blocks] == [5, 4]
        ticks = [100 + 30 * k for k in range(5)] + [250 + late + 30 * k for k in range(4)]
        assert ns.segments[0].ticks().tolist() == ticks, "each block counts from its own tick"


def test_nsx_c22_a_whole_tick_of_a_clock_as_slow_as_the_samples_is_a_gap(opened: Opened) -> None:
    for late, kinds in ((0, []), (1, ["loss"]), (-1, ["overlap"])):
        ns = opened(b.nsx([(100, b.ramp(5, 1)), (105 + late, b.ramp(2, 1))]), f"{late}")
        assert [gap.kind for gap in ns.gaps] == kinds


@pytest.mark.parametrize(
    ("next_tick", "kind", "missing"),
    [
        (1000 + 10 + 3000, "pause", 3000),  # 0.1 s
        (1000 + 10 + 2999, "loss", 2999),
        (1000 + 11, "loss", 1),
        (1000 + 9, "overlap", -1),
        (1000, "overlap", -10),
        (999, "reset", -11),
        (0, "reset", -1010),
    ],
)
def test_nsx_c23_a_gap_is_a_pause_a_loss_an_overlap_or_a_reset(opened: Opened, next_tick, kind: str, missing) -> None:
    (gap,) = opened(b.nsx([(1000, b.ramp(10, 1)), (next_tick, b.ramp(2, 1))])).gaps
    assert (gap.after_segment, gap.kind, gap.missing_samples) == (0, kind, missing)
    assert gap.missing_samples_exact == missing
    assert gap.seconds == pytest.approx(missing / 30000)


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c24_zero_samples_in_the_last_header_means_to_the_end_of_the_file(opened: Opened, kind: str) -> None:
    kept, open_rows = b.ramp(5, 2, kind), b.ramp(6, 2, kind, first=5)
    data = b.nsx([(0, kept)], kind) + b.block(kind, 9000, open_rows, n_samples=0) + b"\x07"
    ns = warned(opened, data, nv.TruncatedFile, "expected a sample count, found 0 before .*; 6 samples kept")
    assert counts(ns) == [5, 6]
    assert ns.segments[1].start_tick == 9000
    assert ns.missing_bytes == 2 * ns.dtype.itemsize - 1
    np.testing.assert_array_equal(all_samples(ns), np.concatenate([kept, open_rows]))


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c25_zero_samples_before_another_block_is_an_empty_block(opened: Opened, kind: str) -> None:
    empty = b.ramp(0, 2, kind)
    blocks = [(0, empty), (0, b.ramp(5, 2, kind)), (5, empty), (5, empty), (9000, b.ramp(3, 2, kind)), (99999, empty)]
    ns = opened(b.nsx(blocks, kind))
    assert counts(ns) == [5, 3]
    assert (ns.missing_bytes, ns.damage) == (0, ())


def test_nsx_c25_samples_that_look_like_a_header_are_not_taken_for_one(opened: Opened) -> None:
    open_rows = np.frombuffer(b"\1" + bytes(3) + b"\1" + bytes(3) * 9, "<i2")[:, None]  # "1, tick, count" of no chain
    data = b.nsx([], channels=[b.channel(1)]) + b.block("2.3", 5, open_rows, n_samples=0)
    ns = warned(opened, data, nv.TruncatedFile, "found 0 before")
    np.testing.assert_array_equal(ns.segments[0].samples, open_rows)


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
@pytest.mark.parametrize("level", [1, 2, 300])
@searched("n_tries", 10, 30)
def test_nsx_c25_quiet_samples_of_a_block_that_was_not_closed_are_no_header(
    kind: str, level: int, n_tries: int
) -> None:
    """Samples of -1, 0 and 1 look like headers now and then: flags of 1, small ticks, any count."""

    def open_bytes(data: bytes) -> nv.NsxFile:
        return nv.open_nsx(data)

    rng = np.random.default_rng(level)
    for tick in [0, 1000, 10**7] * n_tries:
        rows = rng.integers(-level, level + 1, (60, int(rng.integers(1, 5)))).astype(b.sample_type(kind))
        head, empty = b.nsx([], kind, ids=range(1, rows.shape[1] + 1)), b.block(kind, tick, rows[:0])
        unclosed = head + b.block(kind, tick, rows, n_samples=0)
        cut = head + empty + b.block(kind, tick + 30, rows, n_samples=1000)
        for data in (unclosed, cut):
            with warned(open_bytes, data, nv.TruncatedFile, "found") as ns:
                np.testing.assert_array_equal(ns.segments[0].samples, rows)
        with nv.open_nsx(head + empty + b.block(kind, tick + 30, rows)) as ns:
            np.testing.assert_array_equal(ns.segments[0].samples, rows)


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c26_a_block_cut_short_keeps_its_whole_samples(opened: Opened, kind: str) -> None:
    kept, open_rows = b.ramp(5, 3, kind), b.ramp(4, 3, kind, first=5)
    row = 3 * open_rows.dtype.itemsize
    for present in range(4 * row):
        data = b.nsx([(0, kept)], kind) + b.block(kind, 9000, open_rows)[: present - 4 * row]
        ns = warned(opened, data, nv.TruncatedFile, f"expected a block of 4 samples.*; {present // row} samples kept")
        assert ns.missing_bytes == 4 * row - present
        np.testing.assert_array_equal(all_samples(ns), np.concatenate([kept, open_rows[: present // row]]))
        ns.close()


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c27_bytes_that_are_no_block_header_end_the_data(opened: Opened, kind: str) -> None:
    kept = b.ramp(5, 2, kind)
    complete = b.nsx([(0, kept)], kind)
    data = complete + b.block(kind, 9000, b.ramp(4, 2, kind), flag=2)
    n_left_out = len(data) - len(complete)
    message = rf"byte {len(complete)}: expected a block header \(byte 1\), found 2; the last {n_left_out} bytes"
    ns = warned(opened, data, nv.DamagedFile, message)
    assert (ns.missing_bytes, ns.damage[0].offset) == (0, len(complete))
    np.testing.assert_array_equal(all_samples(ns), kept)


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_nsx_c28_too_few_bytes_for_a_header_are_left_out(opened: Opened, kind: str) -> None:
    complete = b.nsx([(0, b.ramp(5, 2, kind))], kind)
    size = 13 if kind == "3.0" else 9
    for left in range(1, size):
        ns = warned(
            opened, complete + b"\1" * left, nv.TruncatedFile, "expected a block header, found the end of the file"
        )
        assert (ns.missing_bytes, ns.n_samples) == (size - left, 5)
        ns.close()


def test_nsx_c29_blocks_of_one_sample_are_kept(opened: Opened) -> None:
    blocks = [(0, b.ramp(1, 2)), (300001, b.ramp(1, 2, first=1)), (300002, b.ramp(1, 2, first=2))]
    ns = opened(b.nsx(blocks))
    assert counts(ns) == [1, 2], "the second and third adjoin"
    np.testing.assert_array_equal(all_samples(ns), b.ramp(3, 2))


def test_nsx_c33_bytes_behind_the_last_whole_sample_of_2_1_are_left_out(opened: Opened) -> None:
    data, samples = b.plausible("2.1")
    ns = warned(
        opened, data + b"\1\2\3\4", nv.TruncatedFile, "expected complete samples of 6 bytes, found 4 bytes at the end"
    )
    assert (ns.n_samples, ns.missing_bytes) == (9, 2)
    np.testing.assert_array_equal(ns.segments[0].samples, samples)


def found_in(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.NevParseWarning)
        ns = nv.open_nsx(data)
    extents = [extent[1:] for segment in ns.segments for extent in segment.extents(0, segment.n_samples)]
    return shape(ns), extents, ns.missing_bytes, ns.damage


@searched("every", 5, 1)
@pytest.mark.parametrize("kind", ["2.3", "3.0"])
def test_headers_read_many_at_a_time_say_what_they_say_one_by_one(
    monkeypatch: pytest.MonkeyPatch, kind: str, every: int
) -> None:
    lengths = [*[2] * 7, 0, 0, *[1] * 5, 3, 1, 1]
    whole = b.nsx([(1000 * k, b.ramp(n_samples, 2, kind)) for k, n_samples in enumerate(lengths)], kind)
    places = range(len(b.nsx([], kind)), len(whole), every)
    changed = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]
    files = [whole, *changed, *(whole[:at] for at in places)]
    monkeypatch.setattr("nevparse.nsx.blocks._SHORT_BYTES", 0)
    one_by_one = list(map(found_in, files))
    monkeypatch.undo()
    for window_bytes in (13, 40, 100, 1000):
        monkeypatch.setattr("nevparse.nsx.blocks._WINDOW_BYTES", window_bytes)
        assert list(map(found_in, files)) == one_by_one
