# SPDX-License-Identifier: MIT
"""Packets of PTP systems, and gaps found by probing them: C10 to C16 of `spec_notes/timing.md`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

from nevparse.nsx import packet_reader, scan
from nevparse.nsx.gap_search import irregular_steps
from nevparse.nsx.packet_reader import PacketReader
from nevparse.source.base import Source
from nsx.blocks_by_definition import shape
from nsx.files import all_samples


def test_timing_c10_nanoseconds_alone_do_not_make_one_sample_packets(opened: Opened) -> None:
    ns = opened(t.blocks([t.BOOT_NS, t.BOOT_NS + t.NS], [9, 13], "3.0", tick_rate=t.NS))
    assert not ns.has_sample_timestamps
    assert shape(ns) == [(t.BOOT_NS, 9), (t.BOOT_NS + t.NS, 13)]
    assert ns.segments[0].ticks(0, 4).tolist() == [t.BOOT_NS + by for by in (0, 33_333, 66_666, 100_000)]


@pytest.mark.parametrize("counts", [[1, 11], [1, 1, 5], [1, 1, 1, 40], [1, 5, 1], [11, 1]])
def test_timing_c10_a_first_packet_of_one_sample_does_not_either(opened: Opened, counts) -> None:
    starts = [t.BOOT_NS + k * t.NS for k in range(len(counts))]
    ns = opened(t.blocks(starts, counts, "3.0", tick_rate=t.NS))
    assert not ns.has_sample_timestamps
    assert shape(ns) == list(zip(starts, counts, strict=True))
    np.testing.assert_array_equal(all_samples(ns), b.ramp(sum(counts), 2))


@pytest.mark.parametrize("tick_rate", [t.NS, 30_000])
def test_timing_c10_one_sample_packets_are_known_by_the_packets(opened: Opened, tick_rate) -> None:
    data = t.head("3.0", 2, tick_rate=tick_rate)
    step = tick_rate // 30_000
    ns = opened(data + b.packets([1000 + k * step for k in range(50)], b.ramp(50, 2)))
    assert ns.has_sample_timestamps
    assert shape(ns) == [(1000, 50)]


def test_timing_c10_a_block_among_them_that_no_probe_met_is_found_by_a_full_scan(opened: Opened) -> None:
    ns = opened(t.hidden_block(start=0))
    assert ns.has_sample_timestamps
    scanned = ns.fully_scanned()
    assert not scanned.has_sample_timestamps
    assert ns.has_sample_timestamps, "the file that was asked stays as it is"
    assert shape(scanned) == [(0, 204)]
    np.testing.assert_array_equal(scanned.segments[0].samples, b.ramp(204, 13))


def test_timing_c11_every_sample_has_the_timestamp_that_was_recorded(opened: Opened) -> None:
    ticks = t.stamps(500, drift_ppm=20, jitter_ns=300, breaks={123: 1, 300: 90_000})
    ns = opened(t.ptp(ticks))
    assert [segment.n_samples for segment in ns.segments] == [124, 177, 199], "the last one too"
    np.testing.assert_array_equal(np.concatenate([segment.ticks() for segment in ns.segments]), ticks)
    np.testing.assert_array_equal(all_samples(ns), b.ramp(500, 2))
    assert [(gap.kind, gap.missing_samples) for gap in ns.gaps] == [("loss", 1), ("pause", 90_000)]
    assert ns.sampling_rate == 30_000


def test_timing_c11_a_steady_interval_of_33320_ns_is_no_gap(opened: Opened) -> None:
    ns = opened(t.ptp(t.BOOT_NS + 33_320 * np.arange(5000)))
    assert ns.gaps == ()


@given(
    breaks=st.dictionaries(st.integers(0, 198), st.sampled_from([1.0, -1.0, 0.6, 40.0, -90.0]), max_size=4),
    shuffled=st.dictionaries(st.integers(0, 194), st.permutations(range(5)), max_size=2),
)
def test_timing_c19_a_scan_in_groups_finds_what_all_timestamps_at_once_show(
    opened: Opened, breaks: dict[int, float], shuffled: dict[int, list[int]]
) -> None:
    """Groups of 20 packets, read 5 at a time by two threads."""
    ticks = t.shuffled(t.stamps(200, breaks=breaks, jitter_ns=300), shuffled)
    with pytest.MonkeyPatch.context() as patched, opened(t.ptp(ticks)) as ns:
        patched.setattr(packet_reader, "_READ_BYTES", 90)
        patched.setattr(packet_reader, "_FEWEST_SHARED", 3)
        patched.setattr(scan, "_JUDGED_BYTES", 350)
        patched.setattr(scan, "_TIMED_PACKETS", 20)
        index: Any = ns.fully_scanned()._recorded.index
        wanted = irregular_steps(ticks, ns.clock)
        assert [steps.tolist() for steps in index.known] == [steps.tolist() for steps in wanted]
        np.testing.assert_array_equal(index.packets.ticks(3, 197), ticks[3:197])


def test_timing_c14_a_full_scan_finds_what_probing_missed(opened: Opened) -> None:
    """A file of five strides in which two breaks cancel."""
    ticks = t.stamps(5 * 16384, breaks={40_000: 4000, 41_000: -4000})
    ns = opened(t.ptp(ticks))
    assert (ns.gaps, ns.epochs) == ((), (range(1),))
    scanned = ns.fully_scanned()
    assert [(gap.kind, gap.missing_samples) for gap in scanned.gaps] == [("pause", 4000), ("reset", -4000)]
    assert [segment.n_samples for segment in scanned.segments] == [40_001, 1000, 5 * 16384 - 41_001]
    assert scanned.epochs == (range(2), range(2, 3)), "not what the other file remembers"
    assert ns.gaps == ()


def test_timing_c16_opening_reads_as_little_of_a_long_file_as_of_a_short_one(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    peek = Source.peek
    monkeypatch.setattr(Source, "peek", lambda self, n, at: read.append(n) or peek(self, n, at))
    sizes = []
    for n in (1000, 100_000):
        read.clear()
        opened(t.ptp(t.stamps(n)))
        sizes.append(sum(read))
    assert sizes[0] == pytest.approx(sizes[1], abs=13)


def test_timing_c16_gaps_of_a_file_are_found_by_probing_it(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    ticks, tick = PacketReader.ticks, PacketReader.tick
    monkeypatch.setattr(PacketReader, "ticks", lambda self, a, z: rows.append(z - a) or ticks(self, a, z))
    monkeypatch.setattr(PacketReader, "tick", lambda self, packet: rows.append(1) or tick(self, packet))
    n = 20 * 16384
    ns = opened(t.ptp(t.stamps(n, jitter_ns=300, drift_ppm=20, breaks={200_000: 1})))
    assert [gap.after_segment for gap in ns.gaps] == [0]
    assert ns.segments[1].start_tick == ns.segments[1].ticks(0, 1)[0]
    assert 16384 < sum(rows) < 16384 + 300, "one stride to measure the rate, and little more"
