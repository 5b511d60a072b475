# SPDX-License-Identifier: MIT
"""What an export does where time is broken: claims C20 to C24 of `spec_notes/timing.md`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from depth import FEWER
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from export.left import PERIOD, left_in, paused, rows_in, written


def test_timing_c20_gaps_are_refused_unless_an_option_resolves_them(opened: Opened, out: Path) -> None:
    ns = opened(paused()[0])
    with pytest.raises(nv.GapError, match=r"broken 2 times .*loss of .*gaps='split', 'join' or 'fill'") as refused:
        nv.write_bin(ns, out)
    assert refused.value.gaps == ns.gaps
    assert left_in(out.parent) == []


def test_timing_c20_only_gaps_inside_the_range_count(opened: Opened, out: Path) -> None:
    raw, samples = paused()
    ns = opened(raw)
    assert rows_in(nv.write_bin(ns, out, stop_tick=1005).path).tolist() == samples[:5].tolist()
    with pytest.raises(nv.GapError, match="broken 1 time in") as refused:
        nv.write_bin(ns, out, start_tick=1012, overwrite=True)
    assert refused.value.gaps == ns.gaps[1:]


def test_timing_c20_behind_a_reset_no_choice_by_time_is_offered(opened: Opened, out: Path) -> None:
    ns = opened(t.blocks([0, 116], [8_000, 9_000]))
    every: list[dict[str, Any]] = [{}, {"start_tick": 3_000, "stop_tick": 4_000}]
    for times in every:
        with pytest.raises(nv.GapError, match=r"gaps='split' or 'join' .*cut --epoch\)\.$"):
            nv.write_bin(ns, out, **times)
    nv.write_nsx(ns, out.with_name("one.ns5"), epoch=1)
    with nv.open_nsx(out.with_name("one.ns5")) as one:
        assert nv.write_bin(one, out, start_tick=3_000, stop_tick=4_000).n_samples == 1_000


def test_timing_c21_split_gives_each_segment_its_file(opened: Opened, out: Path) -> None:
    raw, samples = paused()
    report = nv.write_bin(opened(raw), out, gaps="split")
    assert left_in(out.parent) == [f"s-00{k}.{suffix}" for k in range(3) for suffix in ("bin", "bin.json")]
    assert [file.n_samples for file in report.files] == [5, 4, 3]
    assert report.n_samples == 12
    for file, (a, z), start in zip(report.files, [(0, 5), (5, 9), (9, 12)], (1000, 1012, 1018), strict=True):
        assert rows_in(file.path).tolist() == samples[a:z].tolist()
        assert nv.read_sidecar(file.path).row_to_tick(range(z - a)).tolist() == list(range(start, start + z - a))


def test_timing_c21_parts_of_a_split_keep_their_segments_number(opened: Opened, out: Path) -> None:
    raw, samples = paused()
    report = nv.write_bin(opened(raw), out, gaps="split", start_tick=1014)
    assert left_in(out.parent) == ["s-001.bin", "s-001.bin.json", "s-002.bin", "s-002.bin.json"]
    assert rows_in(report.files[0].path).tolist() == samples[7:9].tolist()


def test_timing_c22_join_puts_segments_back_to_back_and_says_where(opened: Opened, out: Path) -> None:
    raw, samples = paused()
    report, rows, described = written(opened(raw), out, gaps="join")
    assert rows.tolist() == samples.tolist()
    assert (report.n_samples, report.n_filled) == (12, 0)
    assert [(s["segment"], s["start_row"], s["stop_row"]) for s in described.contents["stretches"]] == [
        (0, 0, 5), (1, 5, 9), (2, 9, 12)
    ]  # fmt: skip
    assert described.row_to_tick([4, 5, 8, 9]).tolist() == [1004, 1012, 1015, 1018]
    assert described.tick_to_row([1004, 1005, 1011, 1012, 1018, 1021]).tolist() == [4, -1, -1, 5, 9, -1]


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize(("fill", "filler"), [(0, None), (-7, -7), ("hold", "hold")])
@pytest.mark.parametrize("kind", ["2.3", "3.0", "ptp"])
def test_timing_c23_fill_makes_rows_of_time(opened: Opened, out: Path, kind: str, fill, filler) -> None:
    starts = [t.BOOT_NS + round(k * PERIOD) for k in (0, 12, 18)] if kind == "ptp" else [1000, 1012, 1018]
    samples = b.ramp(12, 2)
    parts = [samples[:5], samples[5:9], samples[9:]]
    ns = opened(b.nsx(list(zip(starts, parts, strict=True)), kind))
    report, rows, described = written(ns, out, gaps="fill", fill=fill, channels=[1, 0])
    wanted = []
    for part, missing in zip(parts, (7, 2, 0), strict=True):
        value = part[-1] if filler == "hold" else np.full(2, filler or 0)
        wanted += [*part, *[value] * missing]
    assert rows.tolist() == np.array(wanted)[:, ::-1].tolist()
    assert report.n_filled == 9
    assert [s["segment"] for s in described.contents["stretches"]] == [0, None, 1, None, 2]
    assert described.contents["fill"] == fill
    step = 1 if kind != "ptp" else PERIOD
    assert described.row_to_tick(range(21)).astype(float) - starts[0] == pytest.approx(np.arange(21) * step, abs=2)
    assert described.tick_to_row(described.row_to_tick([5, 11, 12, 16, 17])).tolist() == [-1, -1, 12, -1, -1]


@FEWER
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(15, 4000)), min_size=1, max_size=8))
def test_timing_c23_rounding_never_adds_up(opened: Opened, out: Path, segments) -> None:
    """Gaps that are no whole number of samples, 30 ticks each: every sample stays within half of its place."""
    starts, tick = [], 0
    for n, late in segments:
        starts.append(tick)
        tick += n * 30 + late
    with opened(t.blocks(starts, [n for n, _ in segments], period=30)) as ns:
        report, rows, _ = written(ns, out, gaps="fill", fill=-1, max_fill=1e9)
        place = {tuple(row): k for k, row in enumerate(rows.tolist()) if row[0] >= 0}
        ticks = np.concatenate([segment.ticks() for segment in ns.segments]).astype(float)
        places = [place[tuple(row)] for row in b.ramp(len(ticks), 2).tolist()]
        assert np.abs(np.array(places) - ticks / 30).max() <= 0.5
        assert len(rows) == report.n_filled + len(ticks)


@pytest.mark.parametrize(
    ("fill", "message"),
    [(40_000, "a value of int16, found 40000"), (1.5, "found 1.5"), ("zero", "expected fill to be 'hold'")],
)
def test_timing_c23_a_value_that_is_no_sample_is_refused(opened: Opened, out: Path, fill, message) -> None:
    with pytest.raises(ValueError, match=message):
        nv.write_bin(opened(paused()[0]), out, gaps="fill", fill=fill)
    assert left_in(out.parent) == []


def test_timing_c23_floats_can_be_filled_with_nan(opened: Opened, out: Path) -> None:
    samples = b.ramp(8, 2, "nfx")
    nv.write_bin(opened(b.nsx([(0, samples[:5]), (7, samples[5:])], "nfx")), out, gaps="fill", fill=float("nan"))
    rows = np.fromfile(out, "<f4").reshape(-1, 2)
    assert np.isnan(rows).all(axis=1).tolist() == [False] * 5 + [True] * 2 + [False] * 3


@pytest.mark.parametrize("missing", [121, 30_000_000, 2**62])
def test_timing_c24_more_than_ten_times_the_samples_is_not_filled(opened: Opened, out: Path, missing) -> None:
    raw, _ = paused((5, 7), (missing,), "3.0")
    with pytest.raises(
        nv.GapError, match=rf"{missing} rows \(.*\) would be filled for 12 recorded; .*max_fill"
    ) as refused:
        nv.write_bin(opened(raw), out, gaps="fill")
    assert refused.value.gaps
    assert left_in(out.parent) == []


def test_timing_c24_ten_times_is_filled_and_more_where_allowed(opened: Opened, out: Path) -> None:
    assert nv.write_bin(opened(paused((5, 7), (120,))[0]), out, gaps="fill").n_samples == 132
    raw, _ = paused((5, 7), (5000,))
    assert nv.write_bin(opened(raw), out, gaps="fill", max_fill=500, overwrite=True).n_filled == 5000


@pytest.mark.parametrize("next_tick", [1003, 999, 0])
def test_timing_c24_time_that_goes_back_cannot_be_filled(opened: Opened, out: Path, next_tick) -> None:
    ns = opened(t.blocks([1000, next_tick], [5, 5]))
    with pytest.raises(nv.GapError, match=r"time goes backwards, which cannot be filled: .*gaps='split'") as refused:
        nv.write_bin(ns, out, gaps="fill")
    assert refused.value.gaps == ns.gaps
    assert left_in(out.parent) == []
    assert rows_in(nv.write_bin(ns, out, gaps="join").path).tolist() == b.ramp(10, 2).tolist()


@st.composite
def intervals(draw: st.DrawFn) -> list[tuple[int, int]]:
    """First tick and samples of segments, between which the clock goes on, jumps, or is set back."""
    made, tick = [], draw(st.integers(3000, 9000))
    for _ in range(draw(st.integers(2, 5))):
        n = draw(st.integers(1, 30))
        made.append((tick, n))
        tick = max(0, tick + n + draw(st.sampled_from([1, 7, 3000, 9000, -3100, -6000, -9000])))
    return made


@FEWER
@given(intervals(), st.integers(0, 12000), st.integers(0, 12000), st.sampled_from(["fill", "join", "error"]))
def test_timing_c23_gaps_are_between_what_is_exported(opened: Opened, out: Path, made, a: int, z: int, policy) -> None:
    start, stop = min(a, z), max(a, z) + 1
    samples, first = b.ramp(sum(n for _, n in made), 2), 0
    chosen = []  # ticks and samples of each segment in the range
    for tick, n in made:
        ticks = np.arange(tick, tick + n)
        inside = (ticks >= start) & (ticks < stop)
        if inside.any():
            chosen.append((ticks[inside], samples[first : first + n][inside]))
        first += n
    ns = opened(t.blocks([tick for tick, _ in made], [n for _, n in made]))
    options = {"start_tick": start, "stop_tick": stop, "gaps": policy, "max_fill": 1e9}
    starts_late = [later[0] > earlier[-1] for (earlier, _), (later, _) in pairwise(chosen)]
    if not chosen:
        with pytest.raises(ValueError, match="a time that holds samples"):
            nv.write_bin(ns, out, overwrite=True, **options)
    elif (policy == "error" and len(chosen) > 1) or (policy == "fill" and not all(starts_late)):
        with pytest.raises(nv.GapError):
            nv.write_bin(ns, out, overwrite=True, **options)
    else:
        report, rows, described = written(ns, out, **options)
        ticks, wanted = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
        if policy == "fill":
            assert len(rows) == ticks[-1] + 1 - ticks[0]
            assert report.n_filled == len(rows) - len(ticks)
            np.testing.assert_array_equal(rows[ticks - ticks[0]], wanted)
            assert described.row_to_tick(np.arange(len(rows))).tolist() == list(range(ticks[0], ticks[-1] + 1))
        else:
            np.testing.assert_array_equal(rows, wanted)


def test_timing_c23_a_segment_outside_the_range_is_not_filled_to(opened: Opened, out: Path) -> None:
    ns = opened(t.blocks([1000, 100_000, 2100], [100, 50, 50]))  # a pause, then a clock that is set back to before it
    report, rows, _ = written(ns, out, gaps="fill", stop_tick=3000)
    assert (len(rows), report.n_filled) == (1150, 1000)
