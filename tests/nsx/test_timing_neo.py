# SPDX-License-Identifier: MIT
"""Segments and their times as python-neo has them, wherever neo is right; and where it is known not to be."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from depth import FEWER
from fixture_types import FileOf
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    neo_rawio = pytest.importorskip("neo.rawio", reason="neo is not installed (it needs numpy 1.24 or newer)")

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # neo leaves its files to the collector


@pytest.fixture(autouse=True)
def neo_lets_go() -> Iterator[None]:
    yield
    gc.collect()


def in_neo(path, **options):
    """(samples, seconds of each) of every segment of an NSx, as neo has them."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        options = {"nsx_to_load": int(str(path)[-1]), "load_nev": False, **options}
        reader = neo_rawio.BlackrockRawIO(str(path), **options)
        reader.parse_header()
        return [
            (
                np.array(reader.get_analogsignal_chunk(0, k, None, None, 0)),
                np.array(reader._get_blackrock_timestamps(0, k, None, None, 0)),
            )
            for k in range(reader.segment_count(0))
        ]


def same_segments(path, theirs):
    with nv.open_nsx(path) as ns:
        assert len(ns.segments) == len(theirs)
        for segment, (samples, seconds) in zip(ns.segments, theirs, strict=True):
            np.testing.assert_array_equal(segment.samples, samples)
            np.testing.assert_allclose(segment.seconds(origin_tick=0), seconds, rtol=1e-15, atol=2 / ns.tick_rate)


@FEWER
@given(
    breaks=st.dictionaries(st.integers(1, 97), st.sampled_from([2, 3, 50, 30_000, 10**7]), max_size=4),
    drift_ppm=st.sampled_from([0, 20, -400]),
    jitter_ns=st.sampled_from([0, 300]),
    seed=st.integers(0, 99),
)
def test_ptp_files_fall_into_the_segments_of_neo(file_of: FileOf, breaks, drift_ppm, jitter_ns, seed) -> None:
    """At no tolerance neo splits where an interval is longer than two samples."""
    wide = {place: missing for place, missing in breaks.items() if place + 1 not in breaks}  # neo drops single samples
    ticks = t.stamps(100, drift_ppm=drift_ppm, jitter_ns=jitter_ns, breaks=wide, seed=seed)
    path = file_of(t.ptp(ticks))
    theirs = in_neo(path, gap_tolerance_ms=0)
    assert len(theirs) == 1 + len(wide)
    same_segments(path, theirs)


@FEWER
@given(
    blocks=st.lists(
        st.tuples(st.integers(2, 20), st.sampled_from([1, 2, 90, 30_000, -3, -(10**5)])), min_size=1, max_size=5
    ),
    kind=st.sampled_from(["2.2", "2.3", "3.0"]),
    period=st.sampled_from([1, 30]),
)
def test_block_files_fall_into_the_segments_of_neo(file_of: FileOf, blocks, kind: str, period) -> None:
    """Pauses, losses, overlaps and resets: each of these blocks is a segment."""
    starts, tick = [], 10**6
    for n, missing in blocks:
        starts.append(tick)
        tick = max(0, tick + (n + missing) * period)
    path = file_of(t.blocks(starts, [n for n, _ in blocks], kind, period=period))
    same_segments(path, in_neo(path))


@pytest.mark.parametrize("epoch_ns", [t.BOOT_NS, t.EPOCH_NS])
def test_ptp_seconds_are_those_of_neo_to_what_a_float_resolves(file_of: FileOf, epoch_ns) -> None:
    path = file_of(t.ptp(t.stamps(300, start=epoch_ns, jitter_ns=300)))
    ((_, seconds),) = in_neo(path, gap_tolerance_ms=0)
    with nv.open_nsx(path) as ns:
        np.testing.assert_allclose(ns.segments[0].seconds(origin_tick=0), seconds, rtol=2.3e-16)


def known_differences():
    """(file, samples of each segment in neo, and in truth)."""
    return {
        "it gives each block a segment of its own": (t.blocks([0, 10, 20], [10, 10, 5]), [10, 10, 5], [25]),
        "it does not see less than two periods": (t.ptp(t.stamps(100, breaks={49: 0.9})), [100], [50, 50]),
        "it does not see a clock that goes back": (t.ptp(t.stamps(100, breaks={49: -30})), [100], [50, 50]),
        "it counts 32 bits that ran over as a reset": (t.blocks([2**32 - 10, 0], [10, 5]), [10, 5], [15]),
        "it drops one-sample blocks": (t.blocks([0, 100, 200], [5, 1, 5]), [5, 5], [5, 1, 5]),
    }


@pytest.mark.parametrize("what", known_differences())
def test_where_neo_is_known_to_differ_ours_is_what_the_bytes_say(file_of: FileOf, what: str) -> None:
    """Ours is asserted against what was built; that neo still differs, so that a mended neo is noticed."""
    data, theirs, ours = known_differences()[what]
    path = file_of(data)
    assert [len(samples) for samples, _ in in_neo(path, gap_tolerance_ms=0)] == theirs
    with nv.open_nsx(path) as ns:
        assert [segment.n_samples for segment in ns.segments] == ours


def test_a_spike_in_a_pause_belongs_to_no_segment_though_neo_gives_it_one(tmp_path: Path) -> None:
    """neo gives a spike of a pause to the segment before it; it belongs to none."""
    (tmp_path / "s.ns5").write_bytes(t.blocks([0, 9000], [3000, 3000]))
    spikes = [10, 5000, 9010]
    head = b.nev_with_factors({1: 250}, (2, 3))
    (tmp_path / "s.nev").write_bytes(head + t.spike_nev(spikes)[336:])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        reader = neo_rawio.BlackrockRawIO(str(tmp_path / "s"), nsx_to_load=5)
        reader.parse_header()
        theirs = [reader.get_spike_timestamps(0, k, 0, None, None).tolist() for k in range(2)]
    assert theirs == [[10, 5000], [9010]]
    with nv.open_recording(tmp_path / "s") as rec:
        segment, sample = rec.locate(rec.nev.events("spike")["tick"], 5)
    assert segment.tolist() == [0, -1, 1]
    assert sample.tolist() == [10, -1, 10]
