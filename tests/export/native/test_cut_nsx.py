# SPDX-License-Identifier: MIT
"""Cut continuous files are what a builder makes of the selection: C03 to C09 of `spec_notes/writing.md`."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import Cut, Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from export.native.cutting import NSX_DATE, WHOLE, refused, words
from nevparse.traces.packing import Batch, BatchReader, ColumnPacker, RowReader


def nsx_of(kind, heads, parts, period, rate, **header):
    """What a file of these blocks is: `parts` are (ticks, samples)."""
    blocks = [(ticks[0], samples) for ticks, samples in parts]
    if kind != "ptp":
        return b.nsx(blocks, kind, channels=heads, period=period, tick_rate=rate, **header)
    head = b.nsx([], kind, channels=heads, period=period, tick_rate=rate, **header)
    return head + b"".join(b.packets(ticks, samples) for ticks, samples in parts)


@st.composite
def recordings(draw):
    """Blocks with a pause behind each: kind, channel headers, (ticks, samples) of each block, period, tick rate."""
    kind = draw(st.sampled_from(b.KINDS))
    period = draw(st.sampled_from([1, 3, 15]))
    rate = b.NANOSECONDS if kind == "ptp" else 30000
    n_channels = draw(st.integers(1, 12))
    ids = draw(st.lists(st.integers(1, 300), min_size=n_channels, max_size=n_channels, unique=True))
    n_blocks = 1 if kind == "2.1" else draw(st.integers(1, 4))
    tick, first, parts = (0 if kind == "2.1" else draw(st.integers(0, 10**6))), 0, []
    for _ in range(n_blocks):
        count = draw(st.integers(1, 20))
        samples = b.ramp(count, n_channels, kind, first)
        if kind == "nfx":
            samples[::7] = np.nan
        parts.append((b.even_ticks(tick, count, period, rate).tolist(), samples))
        tick, first = parts[-1][0][-1] + rate + draw(st.integers(0, 10**6)), first + count
    return kind, [b.channel(k, kind=kind, pin=k % 32) for k in ids], parts, period, rate


def selected(parts, columns, segments, start, stop):
    """(ticks, samples) of what is left of each block."""
    for k, (ticks, samples) in enumerate(parts):
        kept = [i for i, tick in enumerate(ticks) if start <= tick < stop]
        if kept and (segments is None or k in segments):
            yield [ticks[i] for i in kept], samples[kept][:, columns]


@pytest.mark.usefixtures("small_buffers")
@given(recordings(), st.data())
def test_writing_c03_and_c05_and_c09_a_cut_is_what_a_builder_makes_of_the_selection(
    opened: Opened, cut: Cut, out: Path, recording, data
) -> None:
    kind, heads, parts, period, rate = recording
    columns = data.draw(st.lists(st.sampled_from(range(len(heads))), min_size=1, unique=True))
    segments = data.draw(st.none() | st.lists(st.sampled_from(range(len(parts))), min_size=1))
    every = [tick for ticks, _ in parts for tick in ticks]
    edges = st.sampled_from(every) | st.integers(0, every[-1] + 2)
    start, stop = data.draw(st.none() | edges), data.draw(st.none() | edges)
    left = list(selected(parts, columns, segments, start or 0, every[-1] + 1 if stop is None else stop))
    ns = opened(nsx_of(kind, heads, parts, period, rate))
    asked = {"channels": columns, "segments": segments, "start_tick": start, "stop_tick": stop}
    if not left or (kind == "2.1" and left[0][0][0]):
        match = "a time that holds samples" if not left else "NSx 2.1 has no timestamps"
        refused(out, ValueError, match, lambda: cut(ns, **asked))
    else:
        header = {}
        if kind in ("3.0", "ptp"):
            passed = timedelta(microseconds=(left[0][0][0] - every[0]) * 10**6 // rate)
            header["origin"] = words(NSX_DATE + passed)
        want = nsx_of(kind, [heads[k] for k in columns], left, period, rate, **header)
        assert cut(ns, **asked) == want
        again = opened(want, "again.ns5")
        assert cut(again, start_tick=start, stop_tick=stop) == want
        assert [again.spec, again.vendor, again.damage] == [ns.spec, ns.vendor, ()]
        ticks = [tick for segment in again.segments for tick in segment.ticks().tolist()]
        assert ticks == [tick for kept, _ in left for tick in kept]
        again.close()
    ns.close()


@pytest.mark.parametrize(
    "choice", [{"electrodes": [129, 3]}, {"labels": ["ainp1", "elec3"]}, {"channels": [-1, 1]}], ids=str
)
def test_writing_c03_channels_are_chosen_in_every_way(opened: Opened, cut: Cut, choice) -> None:
    heads, samples = [b.channel(2), b.channel(3), b.analog_input(1)], b.ramp(9, 3)
    ns = opened(b.nsx([(5, samples)], channels=heads))
    assert cut(ns, **choice) == b.nsx([(5, samples[:, [2, 1]])], channels=[heads[2], heads[1]])
    assert cut(ns, kind="neural") == b.nsx([(5, samples[:, :2])], channels=heads[:2])


def test_writing_c03_segments_are_chosen_in_every_way(opened: Opened, cut: Cut) -> None:
    ns = opened(b.plausible("2.3", 2, (5, 4, 3))[0])
    last = cut(ns, segments=[2])
    assert cut(ns, segments=-1) == cut(ns, segments=slice(2, None)) == cut(ns, segments=np.array([-1, 2])) == last
    assert cut(ns, segments=[2, 0]) == cut(ns, segments=[0, 2]), "in file order"


def test_writing_c03_blocks_stay_and_empty_ones_go(opened: Opened, cut: Cut) -> None:
    ns = opened(WHOLE["empty blocks"])
    assert cut(ns, channels=[1]) == b.nsx([(5, b.ramp(3, 2)[:, 1:]), (9, b.ramp(2, 2)[:, 1:])], ids=[2])
    ns = opened(WHOLE["adjoining"])
    assert len(ns.segments) == 2
    assert cut(ns, start_tick=5, stop_tick=25) == b.nsx(
        [(5, b.ramp(5, 2, first=5)), (10, b.ramp(10, 2, first=10)), (20, b.ramp(5, 2, first=20))]
    )


def test_writing_c03_headers_of_unknown_kinds_stay(opened: Opened, cut: Cut) -> None:
    wide = b.basic("2.3", 2, header_bytes=314 + 132 + 7) + b.channel(1) + b.channel(2) + b"unknown"
    ns = opened(wide + b.block("2.3", 0, [[1, 2]]))
    want = b.basic("2.3", 1, header_bytes=314 + 66 + 7) + b.channel(2) + b"unknown" + b.block("2.3", 0, [[2]])
    assert cut(ns, channels=[1]) == want


@given(st.integers(1, 299), st.integers(1, 300), st.sampled_from([1, 3]))
def test_writing_c04_a_cut_block_starts_at_its_first_samples_own_tick(
    opened: Opened, cut: Cut, a, length, period
) -> None:
    samples = b.ramp(600, 1)
    ns = opened(b.nsx([(10, samples)], "3.0", period=period, tick_rate=10**9))
    ticks = ns.segments[0].ticks()
    start, stop = int(ticks[a]), int(ticks[a + length - 1]) + 1
    again = opened(cut(ns, start_tick=start, stop_tick=stop), "again.ns5")
    assert again.segments[0].start_tick == start
    np.testing.assert_array_equal(again.read(), samples[a : a + length])
    earlier = (ticks[a : a + length] - again.segments[0].ticks()).astype(int)
    assert set(earlier.tolist()) <= {0, 1}
    assert cut(again, start_tick=start, stop_tick=stop) == cut(ns, start_tick=start, stop_tick=stop)
    ns.close()
    again.close()


def test_writing_c05_packets_keep_their_own_timestamps(opened: Opened, cut: Cut) -> None:
    ticks = t.shuffled(t.stamps(300, drift_ppm=80, jitter_ns=90, breaks={200: 900}), {50: [2, 0, 1]})
    ns = opened(t.ptp(ticks))
    again = opened(cut(ns, channels=[1], start_tick=int(ticks[10]), stop_tick=int(ticks[290])), "again.ns5")
    assert again.has_sample_timestamps
    assert [len(ns.segments), len(again.segments)] == [2, 2]
    np.testing.assert_array_equal(np.concatenate([s.ticks() for s in again.segments]), ticks[10:290])
    np.testing.assert_array_equal(np.concatenate([s.samples for s in again.segments]), b.ramp(300, 2)[10:290, 1:])


def test_writing_c06_a_later_part_of_2_1_is_refused(opened: Opened, cut: Cut, out: Path) -> None:
    ns = opened(b.nsx([(0, b.ramp(50, 2))], "2.1", period=3))
    assert cut(ns, stop_tick=30, electrodes=[2]) == b.nsx([(0, b.ramp(10, 2)[:, 1:])], "2.1", ids=[2], period=3)
    refused(out, ValueError, "starts at tick 0, not 33.*create_nsx", lambda: cut(ns, start_tick=31))


@pytest.mark.parametrize("kind", ["2.2", "2.3", "ripple"])
def test_writing_c07_and_c08_ticks_that_ran_over_32_bits_stay_as_recorded(opened: Opened, cut: Cut, kind: str) -> None:
    ns = opened(t.blocks([2**32 - 300, 200, 90_000], [500, 100, 10], kind))
    assert [segment.start_tick for segment in ns.segments] == [2**32 - 300, 2**32 + 90_000]
    late = opened(cut(ns, start_tick=2**32 + 50), "late.ns5")
    assert [segment.start_tick for segment in late.segments] == [50, 90_000], "as the recorder wrote them"
    for tick in (50, 200, 90_000):
        assert abs(late.datetime(tick) - ns.datetime(2**32 + tick)) < timedelta(milliseconds=1)
    across = opened(cut(ns, start_tick=2**32 - 100), "across.ns5")
    assert [segment.start_tick for segment in across.segments] == [2**32 - 100, 2**32 + 90_000]
    assert across.time_origin == ns.time_origin


def test_writing_c07_segments_that_could_not_be_told_apart_are_refused(opened: Opened, cut: Cut, out: Path) -> None:
    far = t.blocks([0, 2**32 - 300, 90_000], [10, 300, 10])
    ns = opened(far)
    assert len(ns.segments) == 3
    assert ns.segments[2].start_tick == 2**32 + 90_000
    refused(out, ValueError, "roll over 32 bits", lambda: cut(ns, segments=[0, 2]))
    assert cut(ns, segments=[0, 1, 2]) == far


@pytest.mark.parametrize("start", [t.BOOT_NS, t.EPOCH_NS, t.EPOCH_NS + 37 * 10**9], ids=["boot", "utc", "tai"])
def test_writing_c08_the_date_stands_for_the_first_sample(opened: Opened, cut: Cut, start) -> None:
    ns = opened(t.ptp(t.stamps(60_000, start=start, period=30), period=30))
    ticks = ns.segments[0].ticks()
    again = opened(cut(ns, start_tick=int(ticks[59_000])), "again.ns5")
    assert again.n_samples == 1000
    assert again.time_origin != ns.time_origin
    for k in (59_000, 59_999):
        assert abs(again.datetime(ticks[k]) - ns.datetime(ticks[k])) <= timedelta(milliseconds=1)
    assert again.time_base.note == ns.time_base.note


def test_blocks_that_wait_to_be_written_keep_their_samples() -> None:
    """The writing thread may be several batches behind: a buffer is used again when it comes back, and not before."""
    data = b.nsx([(1000 * k, np.full((50, 3), k, np.int16)) for k in range(9)])
    with nv.open_nsx(data) as ns:
        reader = BatchReader(RowReader(ColumnPacker(np.array([0, 2]), 3, ns.dtype)))
        waiting: deque[Batch] = deque()
        kept, places = [], set()
        for segment in ns.segments:
            waiting += reader.batches(segment.extents(0, segment.n_samples))
            if len(waiting) == 3:
                oldest = waiting.popleft()
                samples = np.frombuffer(oldest.pack(), np.int16)
                kept.append(set(samples.tolist()))
                places.add(samples.ctypes.data)
                oldest.give_back()
        kept += [set(np.frombuffer(batch.pack(), np.int16).tolist()) for batch in waiting]
    assert kept == [{k} for k in range(9)]
    assert len(places) <= 4  # three that wait, and one for the next
