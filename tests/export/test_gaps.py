# SPDX-License-Identifier: MIT
"""What an export does where time is broken, and that its sidecar knows when every row was."""

from __future__ import annotations

import json
import warnings
from itertools import pairwise

from builders import nsx as b
import numpy as np
import pytest
from builders import timing as t
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nevparse as nv
from nevparse import _plan, _pump, _stamps
from nevparse._breaks import Steps

PERIOD = t.PERIOD_NS
FEWER = settings(max_examples=30)  # each writes files


@pytest.fixture
def small_buffers(monkeypatch):
    """Many steps from little data."""
    monkeypatch.setattr(_pump, "BUFFER_BYTES", 64)
    monkeypatch.setattr(_plan, "_RESAMPLED_ROWS", 50)
    monkeypatch.setattr(_stamps, "_ORDERED_ROWS", 50)


@pytest.fixture
def blind(monkeypatch):
    """Probing that finds nothing at all."""
    nothing = np.empty(0, np.intp)
    monkeypatch.setattr(_stamps, "find_breaks", lambda stamps, clock: Steps(nothing, nothing))


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def rows_in(path, n_channels=2):
    return np.fromfile(path, "<i2").reshape(-1, n_channels)


def written(ns, out, **options):
    """Export, and give the report, the rows, and the sidecar as a helper."""
    report = nv.write_bin(ns, out, overwrite=True, **options)
    return report, rows_in(report.path, report.n_channels), nv.read_sidecar(report.path)


def paused(n_samples=(5, 4, 3), missing=(7, 2), kind="2.3"):
    """Segments of ramps, so many samples apart; and the file's rows."""
    starts, tick = [], 1000
    for n, lost in zip(n_samples, (*missing, 0), strict=True):
        starts.append(tick)
        tick += n + lost
    return t.blocks(starts, n_samples, kind), b.ramp(sum(n_samples), 2)


# ------------------------------------------------------------------------------------------------------- policies


def test_timing_c20_gaps_are_refused_unless_something_is_asked_for(opened, out):
    ns = opened(paused()[0])
    with pytest.raises(nv.GapError, match=r"broken 2 times .*loss of .*gaps='split', 'join' or 'fill'") as refused:
        nv.write_bin(ns, out)
    assert refused.value.gaps == ns.gaps
    assert left_in(out.parent) == []


def test_timing_c20_only_gaps_inside_what_was_asked_for_count(opened, out):
    raw, samples = paused()
    ns = opened(raw)
    assert rows_in(nv.write_bin(ns, out, stop_tick=1005).path).tolist() == samples[:5].tolist()
    with pytest.raises(nv.GapError, match="broken 1 time in") as refused:
        nv.write_bin(ns, out, start_tick=1012, overwrite=True)
    assert refused.value.gaps == ns.gaps[1:]


def test_timing_c21_split_gives_each_segment_its_file(opened, out):
    raw, samples = paused()
    report = nv.write_bin(opened(raw), out, gaps="split")
    assert left_in(out.parent) == [f"s-00{k}.{suffix}" for k in range(3) for suffix in ("bin", "json")]
    assert [file.n_samples for file in report.files] == [5, 4, 3]
    assert report.n_samples == 12
    for file, (a, z), start in zip(report.files, [(0, 5), (5, 9), (9, 12)], (1000, 1012, 1018), strict=True):
        assert rows_in(file.path).tolist() == samples[a:z].tolist()
        assert nv.read_sidecar(file.path).row_to_tick(range(z - a)).tolist() == list(range(start, start + z - a))


def test_timing_c21_parts_of_a_split_keep_their_segments_number(opened, out):
    raw, samples = paused()
    report = nv.write_bin(opened(raw), out, gaps="split", start_tick=1014)
    assert left_in(out.parent) == ["s-001.bin", "s-001.json", "s-002.bin", "s-002.json"]
    assert rows_in(report.files[0].path).tolist() == samples[7:9].tolist()


def test_timing_c22_join_puts_segments_back_to_back_and_says_where(opened, out):
    raw, samples = paused()
    report, rows, described = written(opened(raw), out, gaps="join")
    assert rows.tolist() == samples.tolist()
    assert (report.n_samples, report.n_filled) == (12, 0)
    assert [(s["segment"], s["start_row"], s["stop_row"]) for s in described.facts["stretches"]] == [
        (0, 0, 5), (1, 5, 9), (2, 9, 12)
    ]  # fmt: skip
    assert described.row_to_tick([4, 5, 8, 9]).tolist() == [1004, 1012, 1015, 1018]
    assert described.tick_to_row([1004, 1005, 1011, 1012, 1018, 1021]).tolist() == [4, -1, -1, 5, 9, -1]


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize(("fill", "filler"), [(0, None), (-7, -7), ("hold", "hold")])
@pytest.mark.parametrize("kind", ["2.3", "3.0", "ptp"])
def test_timing_c23_fill_makes_rows_of_time(opened, out, kind, fill, filler):
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
    assert [s["segment"] for s in described.facts["stretches"]] == [0, None, 1, None, 2]
    assert described.facts["fill"] == fill
    step = 1 if kind != "ptp" else PERIOD
    assert described.row_to_tick(range(21)).astype(float) - starts[0] == pytest.approx(np.arange(21) * step, abs=2)
    assert described.tick_to_row(described.row_to_tick([5, 11, 12, 16, 17])).tolist() == [-1, -1, 12, -1, -1]


@FEWER
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(15, 4000)), min_size=1, max_size=8))
def test_timing_c23_rounding_never_adds_up(opened, out, segments):
    """Gaps that are no whole number of samples, 30 ticks each: every sample stays within half of its place."""
    starts, tick = [], 0
    for n, late in segments:
        starts.append(tick)
        tick += n * 30 + late
    with opened(t.blocks(starts, [n for n, _ in segments], period=30)) as ns:
        report, rows, _ = written(ns, out, gaps="fill", fill=-1, max_fill=1e9)
        place = {tuple(row): k for k, row in enumerate(rows.tolist()) if row[0] >= 0}
        ticks = np.concatenate([segment.ticks() for segment in ns.segments]).astype(float)
        there = [place[tuple(row)] for row in b.ramp(len(ticks), 2).tolist()]
        assert np.abs(np.array(there) - ticks / 30).max() <= 0.5
        assert len(rows) == report.n_filled + len(ticks)


@pytest.mark.parametrize(
    ("fill", "message"),
    [(40_000, "a value of int16, found 40000"), (1.5, "found 1.5"), ("zero", "expected fill to be 'hold'")],
)
def test_timing_c23_a_value_that_is_no_sample_is_refused(opened, out, fill, message):
    with pytest.raises(ValueError, match=message):
        nv.write_bin(opened(paused()[0]), out, gaps="fill", fill=fill)
    assert left_in(out.parent) == []


def test_timing_c23_floats_can_be_filled_with_nan(opened, out):
    samples = b.ramp(8, 2, "nfx")
    nv.write_bin(opened(b.nsx([(0, samples[:5]), (7, samples[5:])], "nfx")), out, gaps="fill", fill=float("nan"))
    rows = np.fromfile(out, "<f4").reshape(-1, 2)
    assert np.isnan(rows).all(axis=1).tolist() == [False] * 5 + [True] * 2 + [False] * 3


@pytest.mark.parametrize("missing", [121, 30_000_000, 2**63])
def test_timing_c24_more_than_ten_times_the_samples_is_not_filled(opened, out, missing):
    raw, _ = paused((5, 7), (missing,), "3.0")
    with pytest.raises(
        nv.GapError, match=rf"{missing} rows \(.*\) would be filled for 12 recorded; .*max_fill"
    ) as refused:
        nv.write_bin(opened(raw), out, gaps="fill")
    assert refused.value.gaps
    assert left_in(out.parent) == []


def test_timing_c24_ten_times_is_filled_and_more_where_allowed(opened, out):
    assert nv.write_bin(opened(paused((5, 7), (120,))[0]), out, gaps="fill").n_samples == 132
    raw, _ = paused((5, 7), (5000,))
    assert nv.write_bin(opened(raw), out, gaps="fill", max_fill=500, overwrite=True).n_filled == 5000


@pytest.mark.parametrize("next_tick", [1003, 999, 0])
def test_timing_c24_time_that_goes_back_cannot_be_filled(opened, out, next_tick):
    ns = opened(t.blocks([1000, next_tick], [5, 5]))
    with pytest.raises(nv.GapError, match=r"time goes backwards, which cannot be filled: .*gaps='split'") as refused:
        nv.write_bin(ns, out, gaps="fill")
    assert refused.value.gaps == ns.gaps
    assert left_in(out.parent) == []
    assert rows_in(nv.write_bin(ns, out, gaps="join").path).tolist() == b.ramp(10, 2).tolist()


# ------------------------------------------------------------------------------- what probing missed is never joined


def test_timing_c25_breaks_that_cancelled_are_seen_while_streaming(opened, out):
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
def test_timing_c25_whatever_probing_missed_is_exported_as_if_it_had_not(opened, out, data, policy):
    n = 150
    places = data.draw(st.lists(st.integers(0, n - 2), max_size=4, unique=True))
    breaks = {place: data.draw(st.sampled_from([1, 2, 40] if policy == "fill" else [1, 40, -3])) for place in places}
    with opened(t.ptp(t.stamps(n, breaks=breaks))) as ns:
        assert ns.gaps == ()
        seen = _outcome(ns, out, gaps=policy)
        assert seen == _outcome(ns.exactly(), out, gaps=policy)
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
def test_timing_c25_a_range_is_judged_where_it_lies(opened, out, data):
    """A break outside the range is no business of the export; one inside ends it."""
    n = 120
    place, a = data.draw(st.integers(0, n - 2)), data.draw(st.integers(0, n - 2))
    z = data.draw(st.integers(a + 1, n - 1))
    ticks = t.stamps(n, breaks={place: 3})
    options = {"start_tick": int(ticks[a]), "stop_tick": int(ticks[z]), "overwrite": True}
    with opened(t.ptp(ticks)) as ns:
        if a <= place < z - 1:
            with pytest.raises(nv.GapError, match="broken 1 time"):
                nv.write_bin(ns, out, **options)
        else:
            nv.write_bin(ns, out, **options)
            assert rows_in(out).tolist() == b.ramp(n, 2)[a:z].tolist()


@pytest.mark.usefixtures("small_buffers", "blind")
@pytest.mark.parametrize("columns", [None, [3, 1]])
def test_timing_c25_a_block_among_packets_is_exported_as_a_block(opened, out, columns):
    ns = opened(t.hidden_block())
    assert ns.stamped
    report = nv.write_bin(ns, out, channels=columns)
    samples = b.ramp(204, 13)
    assert rows_in(out, report.n_channels).tolist() == samples[:, columns or slice(None)].tolist()
    assert left_in(out.parent) == ["s.bin", "s.json"], "a file of blocks has no timestamps of its own"


def test_timing_c25_a_block_among_packets_that_was_taken_for_gaps(opened, out):
    """A short file is read whole, and what stands in the block taken for timestamps: never joined as that."""
    ns = opened(t.hidden_block())
    assert ns.gaps
    with pytest.raises(nv.GapError):
        nv.write_bin(ns, out)
    assert rows_in(nv.write_bin(ns, out, gaps="join").path, 13).tolist() == b.ramp(204, 13).tolist()


@pytest.mark.usefixtures("blind")
def test_timing_c25_a_break_in_the_last_packets_is_seen_when_the_stream_ends(opened, out):
    for place in (98, 97, 80, 0):
        with (
            opened(t.ptp(t.stamps(100, breaks={place: 1}))) as ns,
            pytest.raises(nv.GapError, match="after segment 0"),
        ):
            nv.write_bin(ns, out, overwrite=True)
        assert left_in(out.parent) == []


# ------------------------------------------------------------------------------------------------------- nominal rate


def on_the_grid(ticks):
    """Which sample each row is, by the rule: one more where the clock is 0.6 of a sample late, one less where early."""
    rows, shift, dropped, repeated = [], 0, 0, 0
    for k, tick in enumerate(ticks):
        late = (int(tick) - int(ticks[0])) * (3 / 100_000) - k
        while late - shift > 0.6:
            rows.append(k - 1)
            shift, repeated = shift + 1, repeated + 1
        if late - shift < -0.6:
            shift, dropped = shift - 1, dropped + 1
        else:
            rows.append(k)
    return rows, dropped, repeated


@pytest.mark.usefixtures("small_buffers")
@FEWER
@given(
    drift_ppm=st.sampled_from([0, 20, -400, 5000, -5000, 64_000]),
    jitter_ns=st.sampled_from([0, 300, 3000]),
    seed=st.integers(0, 2**32),
)
def test_timing_c26_nominal_rate_drops_and_repeats_by_nearest_sample(opened, out, drift_ppm, jitter_ns, seed):
    n = 400
    ticks = t.stamps(n, drift_ppm=drift_ppm, jitter_ns=jitter_ns, seed=seed)
    with opened(t.ptp(ticks)) as ns:
        report, rows, described = written(ns, out, resample="nominal")
        wanted, dropped, repeated = on_the_grid(ticks)
        assert rows.tolist() == b.ramp(n, 2)[wanted].tolist()
        assert (report.n_dropped, report.n_repeated) == (dropped, repeated)
        assert (described.facts["dropped_samples"], described.facts["repeated_samples"]) == (dropped, repeated)
        assert described.row_to_tick(range(len(rows))).tolist() == ticks[wanted].tolist(), "the times as recorded"
        grid = np.arange(len(rows)) * PERIOD
        assert np.abs(ticks[wanted].astype(float) - float(ticks[0]) - grid).max() <= 0.7 * PERIOD


def test_timing_c26_jitter_alone_moves_nothing(opened, out):
    ticks = t.stamps(4000, jitter_ns=3000)  # a tenth of a sample
    report, rows, _ = written(opened(t.ptp(ticks)), out, resample="nominal")
    assert (report.n_dropped, report.n_repeated) == (0, 0)
    assert rows.tolist() == b.ramp(4000, 2).tolist()


def test_timing_c26_corrections_are_told(opened, out):
    ns = opened(t.ptp(t.stamps(4000, drift_ppm=1000)))
    report, _, described = written(ns, out, resample="nominal")
    assert report.n_repeated == 4
    assert "4 samples repeated" in str(report)
    assert described.facts["resample"] == "nominal"
    assert report.n_samples == 4004


def test_timing_c26_with_fill_the_whole_recording_is_on_one_grid(opened, out):
    n, breaks = 3000, {700: 40, 1900: 1, 2500: 9000.4}
    ticks = t.stamps(n, drift_ppm=1000, jitter_ns=300, breaks=breaks)
    ns = opened(t.ptp(ticks))
    report, rows, described = written(ns, out, resample="nominal", gaps="fill", fill=-1)
    grid = float(ticks[0]) + np.arange(len(rows)) * PERIOD
    times = described.row_to_tick(range(len(rows))).astype(float)
    assert np.abs(times - grid).max() <= 1.2 * PERIOD, "each stretch starts within half a sample"
    assert len(rows) == n + report.n_filled + report.n_repeated - report.n_dropped
    assert (rows[:, 0] == -1).sum() == report.n_filled > 9000


def test_timing_c26_with_join_each_stretch_has_its_own_grid(opened, out):
    ticks = t.stamps(1000, drift_ppm=1999.7, breaks={499: 100.3})
    _, rows, _ = written(opened(t.ptp(ticks)), out, resample="nominal", gaps="join")
    one, other = on_the_grid(ticks[:500])[0], on_the_grid(ticks[500:])[0]
    assert rows.tolist() == b.ramp(1000, 2)[[*one, *(500 + k for k in other)]].tolist()


def test_timing_c26_needs_the_gaps_resolved_all_the_same(opened, out):
    with pytest.raises(nv.GapError):
        nv.write_bin(opened(t.ptp(t.stamps(400, breaks={100: 1}))), out, resample="nominal")
    with pytest.raises(ValueError, match="expected resample to be None or 'nominal', found 'true'"):
        nv.write_bin(opened(t.ptp(t.stamps(400))), out, resample="true")


def test_timing_c26_samples_without_timestamps_are_at_the_nominal_rate_already(opened, out):
    raw, samples = paused((50,), ())
    _, rows, _ = written(opened(raw), out, resample="nominal")
    assert rows.tolist() == samples.tolist()


# ----------------------------------------------------------------------------------------------------------- shuffles

SHUFFLED = {30: [1, 0], 90: [2, 3, 4, 0, 1], 151: [3, 0, 1, 2]}
N_MOVED = 2 + 5 + 4


def shuffled_file():
    """A PTP file with three groups out of order; its samples in the right one, and as they stand."""
    samples, order = b.ramp(200, 2), np.arange(200)
    for place, group in SHUFFLED.items():
        order[place : place + len(group)] = place + np.array(group)
    return t.ptp(t.shuffled(t.stamps(200, jitter_ns=300), SHUFFLED), samples[order]), samples, samples[order]


@pytest.mark.usefixtures("small_buffers")
def test_timing_c27_samples_out_of_order_are_told_and_left(opened, out):
    raw, _, as_recorded = shuffled_file()
    ns = opened(raw)
    assert ns.gaps == ()
    with pytest.warns(nv.DamagedFile, match=rf"{N_MOVED} samples stand out of order; sort=True") as caught:
        report, rows, described = written(ns, out)
    assert len(caught) == 1
    assert rows.tolist() == as_recorded.tolist()
    assert report.n_out_of_order == N_MOVED
    assert f"{N_MOVED} samples out of order" in str(report)
    assert (described.facts["sorted"], described.facts["out_of_order_samples"]) == (False, N_MOVED)
    np.testing.assert_array_equal(described.row_to_tick(range(200)), ns.segments[0].ticks())


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("columns", [None, [1]])
def test_timing_c27_sort_puts_them_right(opened, out, columns):
    raw, right, _ = shuffled_file()
    ns = opened(raw)
    report, rows, described = written(ns, out, sort=True, channels=columns)
    assert rows.tolist() == right[:, columns or slice(None)].tolist()
    assert report.n_out_of_order == N_MOVED, "in the recording"
    assert (described.facts["sorted"], described.facts["out_of_order_samples"]) == (True, N_MOVED)
    np.testing.assert_array_equal(described.row_to_tick(range(200)), t.stamps(200, jitter_ns=300))


@FEWER
@given(st.integers(-210, 210), st.integers(-210, 210))
def test_timing_c27_sorted_reading_is_a_slice_of_the_sorted_whole(opened, a, z):
    raw, right, _ = shuffled_file()
    with opened(raw) as ns:
        assert ns.read(a, z, sort=True).tolist() == right[a:z].tolist()
        assert ns.segments[0].ticks(a, z, sort=True).tolist() == t.stamps(200, jitter_ns=300)[a:z].tolist()
        chunks = [chunk.samples for chunk in ns.chunks(max(1, abs(a)), sort=True)]
        assert np.concatenate(chunks).tolist() == right.tolist()


@pytest.mark.usefixtures("small_buffers")
@FEWER
@given(st.integers(0, 199), st.integers(0, 199), st.booleans(), st.sampled_from([None, "nominal"]))
@example(90, 152, True, None)
@example(91, 93, False, None)
@example(31, 152, False, "nominal")
def test_timing_c27_a_range_may_begin_and_end_within_a_group(opened, out, a, z, sort, resample):
    raw, right, as_recorded = shuffled_file()
    ticks = t.stamps(200, jitter_ns=300)
    a, z = min(a, z), max(a, z) + 1
    with opened(raw) as ns, warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.DamagedFile)
        options = {"start_tick": int(ticks[a]), "stop_tick": int(ticks[z - 1]) + 1, "sort": sort, "resample": resample}
        _, rows, described = written(ns, out, **options)
    assert described.facts["stretches"][0]["anchors"] == [[0, int(described.row_to_tick(0))]]
    if sort or not resample:
        assert rows.tolist() == (right if sort else as_recorded)[a:z].tolist()
    else:
        assert len(rows) == pytest.approx(z - a, abs=5)


# ------------------------------------------------------------------------------------------------- rows <-> ticks


@st.composite
def recordings(draw):
    """A file in segments, and its bytes: (data, stamped, samples of each segment, period, tick rate)."""
    if draw(st.booleans()):
        n = draw(st.integers(1, 60))
        places = draw(st.lists(st.integers(0, max(0, n - 2)), max_size=4, unique=True)) if n > 1 else []
        breaks = {place: draw(st.sampled_from([1, 3.4, 50, -4, -40])) for place in places}
        ticks = t.stamps(n, drift_ppm=draw(st.sampled_from([0, -3000, 3000])), jitter_ns=300, breaks=breaks)
        return t.ptp(ticks)
    period, tick_rate = draw(st.sampled_from([(1, 30_000), (30, 30_000), (1, t.NS), (15, t.NS)]))
    starts, counts, tick = [], [], draw(st.integers(0, 1000))
    for _ in range(draw(st.integers(1, 5))):
        starts.append(tick)
        counts.append(draw(st.integers(1, 20)))
        late = draw(st.sampled_from([0, 0, 0.3, -0.3, 1, 2.6, 40, -2, -300]))
        tick = max(0, tick + round((counts[-1] + late) * period * tick_rate / 30_000))
    return t.blocks(starts, counts, "3.0", period=period, tick_rate=tick_rate)


POLICIES = st.fixed_dictionaries({
    "gaps": st.sampled_from(["split", "join", "fill"]),
    "resample": st.sampled_from([None, "nominal"]),
    "sort": st.booleans(),
})  # fmt: skip


def brute_rows(ns, file):
    """(tick, segment or None) of each row of a written file, from the ticks of its samples."""
    rows = []
    for item in file.rows:
        if hasattr(item, "segment"):
            ticks = ns.segments[item.segment].ticks(item.start, item.start + item.n_rows).tolist()
            rows += [(tick, item.segment) for tick in ticks]
        else:
            period, rate = ns.period, ns.tick_rate
            rows += [(item.tick + k * period * rate // 30_000, None) for k in range(item.n_rows)]
    return rows


def brute_row(ns, rows, tick):
    """The row whose period holds a tick, of the stretch that starts last among those that hold it."""
    held, first = [], 0
    for k, (row, after) in enumerate(pairwise([*rows, (None, "end")])):
        if after[1] != row[1]:
            end = _end(ns, rows[first : k + 1])
            if row[1] is not None and rows[first][0] <= tick < end:
                held.append((rows[first][0], max(r for r in range(first, k + 1) if rows[r][0] <= tick)))
            first = k + 1
    return max(held, default=(0, -1))[1]


def _end(ns, rows):
    """First tick behind a stretch: its last sample's, and a period; by the block's timestamp where it has one."""
    last, segment = rows[-1]
    if ns.stamped or segment is None:
        return last + ns.period * ns.tick_rate // 30_000
    ticks = ns.segments[segment].ticks()
    block, k = 0, int(np.searchsorted(ticks, last))
    for samples in ns.segments[segment].blocks:
        if k < block + len(samples):
            break
        block += len(samples)
    return max(int(ticks[block]) + (k - block + 1) * ns.period * ns.tick_rate // 30_000, last + 1)


@given(recordings(), POLICIES, st.data())
def test_timing_c28_the_sidecar_knows_the_tick_of_every_row_and_the_row_of_every_tick(
    opened, out, data_, options, data
):
    with opened(data_) as ns:
        everything = [tick for segment in ns.segments for tick in segment.ticks().tolist()]
        for limit in ("start_tick", "stop_tick"):
            if data.draw(st.booleans()):
                options[limit] = data.draw(st.sampled_from(everything)) + data.draw(st.integers(0, 50))
        try:
            report = nv.write_bin(ns, out, overwrite=True, max_fill=1e9, **options)
        except (nv.GapError, ValueError):  # backwards, or nothing in the range
            return
        for file in report.files:
            described, rows = nv.read_sidecar(file.path), brute_rows(ns, file)
            assert described.row_to_tick(range(len(rows))).tolist() == [tick for tick, _ in rows]
            edges = data.draw(st.lists(st.sampled_from(rows), min_size=1))
            by = st.integers(-50_000, 50_000) | st.integers(-40, 40)
            ticks = [max(0, tick + data.draw(by)) for tick, _ in edges]
            ticks += [tick for tick, _ in edges] + [0, 2**63, 2**64 - 1]
            assert described.tick_to_row(ticks).tolist() == [brute_row(ns, rows, tick) for tick in ticks]


def test_timing_c28_the_hole_between_blocks_that_adjoin_is_the_row_before(opened, out):
    _, _, described = written(opened(t.blocks([0, 99], [3, 3], period=30)), out)
    assert described.tick_to_row([89, 90, 98, 99, 188, 189]).tolist() == [2, 2, 2, 3, 5, -1]


def test_timing_c28_rows_and_ticks_keep_their_shape(opened, out):
    _, _, described = written(opened(paused()[0]), out, gaps="join")
    assert described.row_to_tick(5).tolist() == 1012
    assert described.row_to_tick([[0, 5], [9, 11]]).tolist() == [[1000, 1012], [1018, 1020]]
    assert described.tick_to_row(1012).tolist() == 5
    assert described.tick_to_row(np.array([[1000, 1005]], np.uint64)).tolist() == [[0, -1]]
    assert described.row_to_tick([]).tolist() == described.tick_to_row([]).tolist() == []
    assert described.row_to_tick([1]).dtype == np.uint64
    assert described.seconds([0, 5], origin_tick=1000).tolist() == [0, 12 / 30_000]


def test_timing_c28_a_clock_that_was_set_back_gives_the_later_stretch(opened, out):
    _, _, described = written(opened(t.blocks([0, 0], [9000, 10])), out, gaps="join")
    assert described.tick_to_row([5, 10, 8999, 9000]).tolist() == [9005, 10, 8999, -1]


@pytest.mark.parametrize("rows", [[12], [-1], [0, 2**40]])
def test_timing_c28_rows_that_are_not_there_are_refused(opened, out, rows):
    _, _, described = written(opened(paused()[0]), out, gaps="join")
    with pytest.raises(ValueError, match="expected rows 0 to 11, found"):
        described.row_to_tick(rows)


def test_timing_c28_a_bin_or_its_sidecar_names_both(opened, out):
    _, _, described = written(opened(t.ptp(t.stamps(10))), out)
    other = nv.read_sidecar(out.with_suffix(".json"))
    assert other.path == described.path == str(out.with_suffix(".json"))
    assert other.bin_path == str(out)
    assert (other.n_samples, other.n_channels, other.dtype, other.tick_rate) == (10, 2, np.dtype("<i2"), t.NS)
    assert np.fromfile(out.with_suffix(".ticks"), "<u8").tolist() == t.stamps(10).tolist()
    del described, other  # which hold a map of the timestamps


def broken_sidecars():
    yield "empty", lambda facts: b""
    yield "not JSON", lambda facts: b"row,tick\n"
    yield "not text", lambda facts: b"\xff\xfe\0"
    yield "a list", lambda facts: b"[1, 2]"
    yield "a number", lambda facts: b"5"
    yield "another's", lambda facts: b'{"name": "something else"}'
    yield "a later version", lambda facts: facts | {"sidecar_version": 2}
    for key in ("bin", "shape", "dtype", "ticks_per_sample", "stretches", "ticks_file", "tick_rate_hz"):
        yield f"without {key}", lambda facts, key=key: {k: v for k, v in facts.items() if k != key}
    yield "no stretches", lambda facts: facts | {"stretches": []}
    yield "nothing recorded", lambda facts: facts | {"stretches": [facts["stretches"][0] | {"segment": None}]}
    yield "no anchors", lambda facts: facts | {"stretches": [facts["stretches"][0] | {"anchors": []}]}
    yield "anchors of text", lambda facts: facts | {"stretches": [facts["stretches"][0] | {"anchors": [["a", "b"]]}]}
    yield "an odd shape", lambda facts: facts | {"shape": [3]}
    yield "no type", lambda facts: facts | {"dtype": "?!"}
    yield "a bin that is no name", lambda facts: facts | {"bin": 5}


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in broken_sidecars()])
def test_timing_c29_what_is_no_sidecar_is_refused(opened, out, change):
    nv.write_bin(opened(paused((5,), ())[0]), out)
    path = out.with_suffix(".json")
    changed = change(json.loads(path.read_bytes()))
    path.write_bytes(changed if isinstance(changed, bytes) else json.dumps(changed).encode())
    with pytest.raises(nv.FormatError, match="expected a sidecar of version 1") as refused:
        nv.read_sidecar(out)
    assert refused.value.path == str(path)


@pytest.mark.parametrize("size", [0, 8, 79, 88])
def test_timing_c29_timestamps_that_are_not_one_for_each_row_are_refused(opened, out, size):
    nv.write_bin(opened(t.ptp(t.stamps(10))), out)
    out.with_suffix(".ticks").write_bytes(bytes(size))
    with pytest.raises(nv.FormatError, match="expected a sidecar"):
        nv.read_sidecar(out)


@pytest.mark.parametrize("name", ["s.json", "s.ticks"])
def test_timing_c29_a_file_that_is_missing_is_said_by_the_system(opened, out, name):
    nv.write_bin(opened(t.ptp(t.stamps(10))), out)
    out.with_name(name).unlink()
    with pytest.raises(FileNotFoundError):
        nv.read_sidecar(out)
