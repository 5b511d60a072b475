# SPDX-License-Identifier: MIT
"""Memory, progress, breaks that probing missed, and files that are no paths: C17 to C20 of `spec_notes/writing.md`."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from builders import timing as t
from fixture_types import Cut, NevOf, Opened

import nevparse as nv
from export.native.cutting import every_kind, every_nev
from nevparse.traces import packing

# ------------------------------------------------------------------------------------------------------- new files


# -------------------------------------------------------------------------------------------------------------- how


@pytest.mark.parametrize("kind", ["2.3", "ptp"])
def test_writing_c17_memory_does_not_grow_with_the_file(opened: Opened, out: Path, kind: str) -> None:
    ns = opened(b.nsx([(0, b.ramp(900_000, 16))], "2.3") if kind == "2.3" else big_ptp(900_000, 16))
    nv.write_nsx(ns, out, channels=[0, 3, 7], start_tick=0)
    out.unlink()
    tracemalloc.start()
    try:
        nv.write_nsx(ns, out, channels=slice(1, None))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert out.stat().st_size > 26_000_000
    assert most < 15_000_000


def big_ptp(n_samples, n_channels):
    return t.ptp(t.stamps(n_samples), b.ramp(n_samples, n_channels))


def test_writing_c17_many_blocks_are_cut_through_many_buffers(opened: Opened, cut: Cut) -> None:
    counts = [1, 40_000, 3, 70_000, *[2] * 500, 30_000]
    starts = (np.cumsum([0, *counts[:-1]]) + 100_000 * np.arange(len(counts))).tolist()
    ns = opened(t.blocks(starts, counts))
    want = [(tick, b.ramp(k, 2, first=a)[:, ::-1]) for tick, k, a in
            zip(starts, counts, np.cumsum([0, *counts]).tolist(), strict=False)]  # fmt: skip
    assert cut(ns, channels=[1, 0]) == b.nsx(want, ids=[2, 1])


def test_writing_c17_progress_ends_at_the_whole(opened: Opened, out: Path) -> None:
    seen = []
    report = nv.write_nsx(opened(b.nsx([(0, b.ramp(200_000, 8))])), out, progress=lambda *now: seen.append(now))
    assert seen[-1] == (report.size_bytes,) * 2
    assert 2 < len(seen) <= 2 + report.size_bytes // packing.BUFFER_BYTES, "the head, and a buffer at a time"
    assert sorted(seen) == seen


def test_writing_c18_blocks_that_probing_took_for_packets_are_cut_as_blocks(opened: Opened, cut: Cut) -> None:
    ns = opened(t.hidden_block())
    assert ns.has_sample_timestamps
    again = opened(cut(ns, channels=[2]), "again.ns5")
    want = ns.fully_scanned()
    assert (again.n_samples, again.damage) == (want.n_samples, ())
    np.testing.assert_array_equal(again.read()[:, 0], want.read()[:, 2])
    np.testing.assert_array_equal(again.segments[0].ticks(), want.segments[0].ticks())


@pytest.mark.parametrize("back", [3, 10, 50_000])
def test_writing_c18_breaks_that_probing_misses_are_cut_where_they_are(opened: Opened, cut: Cut, back) -> None:
    raw = t.ptp(t.stamps(100_000, breaks={100_000 - back - 3: 2, 100_000 - back: -2}))
    ns = opened(raw)
    assert [len(ns.segments), len(ns.fully_scanned().segments)] == [1, 3]
    again = opened(cut(ns, segments=0, channels=[1]), "again.ns5")
    assert again.n_samples == 100_000 - back - 2, "the first segment as it is, and not as it seemed"


@every_kind
def test_writing_c20_bytes_and_file_objects_are_cut_as_files_are(opened: Opened, cut: Cut, kind: str) -> None:
    raw = b.plausible(kind)[0]
    want, whole = cut(opened(raw), channels=[2, 0], stop_tick=10**12), cut(opened(raw))
    for source in (raw, io.BytesIO(raw), Unmapped(raw)):
        with nv.open_nsx(source) as ns:
            assert cut(ns, channels=[2, 0], stop_tick=10**12) == want
            assert cut(ns) == whole


class Unmapped(io.RawIOBase):
    """A file object that is neither a file nor bytes."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def read(self, n_bytes=-1):
        return self._data.read(n_bytes)

    def seek(self, offset, whence=0):
        return self._data.seek(offset, whence)

    def tell(self):
        return self._data.tell()

    def seekable(self):
        return True

    def readable(self):
        return True


@every_nev
def test_writing_c20_events_of_bytes_and_file_objects_are_cut_as_files_are(
    nev_of: NevOf, cut: Cut, version, ripple
) -> None:
    raw = n.every_kind(version, ripple)
    want = cut(nev_of(raw), electrodes=[1])
    for source in (raw, io.BytesIO(raw), Unmapped(raw)):
        with nv.open_nev(source) as nev:
            assert cut(nev, electrodes=[1]) == want
            assert cut(nev) == raw
