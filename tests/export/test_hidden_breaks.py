# SPDX-License-Identifier: MIT
"""Breaks that probing missed are never joined in an export: claim C25 of `spec_notes/timing.md`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import nsx as b
from builders import timing as t
from depth import FEWER
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from export.left import left_in, rows_in


def test_timing_c25_breaks_that_cancelled_are_seen_while_streaming(opened: Opened, out: Path) -> None:
    """With nothing replaced: two breaks within one stride, which probing cannot see."""
    n, breaks = 5 * 16384, {40_000: 2, 41_000: -2}
    ns = opened(t.ptp(t.stamps(n, breaks=breaks, jitter_ns=300)))
    assert ns.gaps == ()
    with pytest.raises(nv.GapError, match="broken 2 times") as refused:
        nv.write_bin(ns, out)
    assert [gap.missing_samples for gap in refused.value.gaps] == [2, -2]
    assert left_in(out.parent) == []
    report = nv.write_bin(ns, out, gaps="split")
    assert [file.n_samples for file in report.files] == [40_001, 1000, n - 41_001]


@pytest.mark.usefixtures("blind", "small_buffers")
@FEWER
@given(st.data(), st.sampled_from(["error", "split", "join", "fill"]))
def test_timing_c25_whatever_probing_missed_is_exported_as_if_it_had_not(
    opened: Opened, out: Path, data, policy
) -> None:
    n = 150
    places = data.draw(st.lists(st.integers(0, n - 2), max_size=4, unique=True))
    breaks = {place: data.draw(st.sampled_from([1, 2, 40] if policy == "fill" else [1, 40, -3])) for place in places}
    with opened(t.ptp(t.stamps(n, breaks=breaks))) as ns:
        assert ns.gaps == ()
        seen = _outcome(ns, out, gaps=policy)
        assert seen == _outcome(ns.fully_scanned(), out, gaps=policy)
        assert ("GapError" in seen) == bool(breaks and policy == "error")


def _outcome(ns, out, **options):
    """Everything an export left: the error, or the bytes of all its files."""
    for path in out.parent.iterdir():
        path.unlink()
    try:
        nv.write_bin(ns, out, **options)
    except nv.GapError as error:
        assert left_in(out.parent) == []
        return [type(error).__name__, str(error)]
    return [(path.name, path.read_bytes()) for path in sorted(out.parent.iterdir())]


@pytest.mark.usefixtures("blind", "small_buffers")
@FEWER
@given(st.data())
def test_timing_c25_a_range_is_judged_where_it_lies(opened: Opened, out: Path, data) -> None:
    """A break outside the range is no business of the export; one inside ends it."""
    n = 120
    place, a = data.draw(st.integers(0, n - 2)), data.draw(st.integers(0, n - 2))
    z = data.draw(st.integers(a + 1, n - 1))
    ticks = t.stamps(n, breaks={place: 3})
    options: dict[str, Any] = {"start_tick": int(ticks[a]), "stop_tick": int(ticks[z]), "overwrite": True}
    with opened(t.ptp(ticks)) as ns:
        if a <= place < z - 1:
            with pytest.raises(nv.GapError, match="broken 1 time"):
                nv.write_bin(ns, out, **options)
        else:
            nv.write_bin(ns, out, **options)
            assert rows_in(out).tolist() == b.ramp(n, 2)[a:z].tolist()


@pytest.mark.usefixtures("small_buffers", "blind")
@pytest.mark.parametrize("columns", [None, [3, 1]])
def test_timing_c25_a_block_among_packets_is_exported_as_a_block(opened: Opened, out: Path, columns) -> None:
    ns = opened(t.hidden_block())
    assert ns.has_sample_timestamps
    report = nv.write_bin(ns, out, channels=columns)
    samples = b.ramp(204, 13)
    assert rows_in(out, report.n_channels).tolist() == samples[:, columns or slice(None)].tolist()
    assert left_in(out.parent) == ["s.bin", "s.bin.json"], "a file of blocks has no timestamps of its own"


def test_timing_c25_a_block_among_packets_that_was_taken_for_gaps(opened: Opened, out: Path) -> None:
    """A short file is read in full, and samples of the block are taken for timestamps: they are never joined."""
    ns = opened(t.hidden_block())
    assert ns.gaps
    with pytest.raises(nv.GapError):
        nv.write_bin(ns, out)
    assert rows_in(nv.write_bin(ns, out, gaps="join").path, 13).tolist() == b.ramp(204, 13).tolist()


@pytest.mark.usefixtures("blind")
def test_timing_c25_a_break_in_the_last_packets_is_seen_when_the_stream_ends(opened: Opened, out: Path) -> None:
    for place in (98, 97, 80, 0):
        with (
            opened(t.ptp(t.stamps(100, breaks={place: 1}))) as ns,
            pytest.raises(nv.GapError, match="after segment 0"),
        ):
            nv.write_bin(ns, out, overwrite=True)
        assert left_in(out.parent) == []
