# SPDX-License-Identifier: MIT
"""Exports at the nominal rate, and of packets out of order: C26 and C27 of `spec_notes/timing.md`."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from depth import FEWER
from fixture_types import Opened
from hypothesis import example, given
from hypothesis import strategies as st

import nevparse as nv
from export.left import PERIOD, paused, written
from nevparse.nsx.packet_reader import PacketReader

# ------------------------------------------------------------------------------------------------------- nominal rate


def on_the_grid(ticks):
    """Which sample each row is, by the rule: one more where the clock is 0.6 of a sample late, one less where early."""
    rows, shift, dropped, repeated = [], 0, 0, 0
    for k, tick in enumerate(ticks):
        late = (int(tick) - int(ticks[0])) * (3 / 100_000) - k
        while late - shift > 0.6 + 1e-9:
            rows.append(k - 1)
            shift, repeated = shift + 1, repeated + 1
        if late - shift < -0.6 - 1e-9:
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
def test_timing_c26_nominal_rate_drops_and_repeats_by_nearest_sample(
    opened: Opened, out: Path, drift_ppm, jitter_ns, seed
) -> None:
    n = 400
    ticks = t.stamps(n, drift_ppm=drift_ppm, jitter_ns=jitter_ns, seed=seed)
    with opened(t.ptp(ticks)) as ns:
        report, rows, described = written(ns, out, resample="nominal")
        wanted, dropped, repeated = on_the_grid(ticks)
        assert rows.tolist() == b.ramp(n, 2)[wanted].tolist()
        assert (report.n_dropped, report.n_repeated) == (dropped, repeated)
        assert (described.contents["dropped_samples"], described.contents["repeated_samples"]) == (dropped, repeated)
        assert described.row_to_tick(range(len(rows))).tolist() == ticks[wanted].tolist(), "the times as recorded"
        grid = np.arange(len(rows)) * PERIOD
        assert np.abs(ticks[wanted].astype(float) - float(ticks[0]) - grid).max() <= 0.7 * PERIOD


def test_timing_c26_jitter_alone_moves_nothing(opened: Opened, out: Path) -> None:
    ticks = t.stamps(4000, jitter_ns=3000)  # a tenth of a sample
    report, rows, _ = written(opened(t.ptp(ticks)), out, resample="nominal")
    assert (report.n_dropped, report.n_repeated) == (0, 0)
    assert rows.tolist() == b.ramp(4000, 2).tolist()


@pytest.mark.usefixtures("small_buffers")
def test_timing_c26_timestamps_that_a_scan_found_regular_are_not_read_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 4000
    ns = opened(t.ptp(t.stamps(n, drift_ppm=1000))).fully_scanned()
    n_read, read = 0, PacketReader.ticks

    def counted(packets: PacketReader, a: int, b: int) -> np.ndarray:
        nonlocal n_read
        n_read += b - a
        return read(packets, a, b)

    monkeypatch.setattr(PacketReader, "ticks", counted)
    traces = ns.traces(resample="nominal")
    assert traces.changes.n_repeated == 4
    assert n_read < n / 10


def test_timing_c26_corrections_are_reported(opened: Opened, out: Path) -> None:
    ns = opened(t.ptp(t.stamps(4000, drift_ppm=1000)))
    report, _, described = written(ns, out, resample="nominal")
    assert report.n_repeated == 4
    assert "4 samples repeated" in str(report)
    assert described.contents["resample"] == "nominal"
    assert report.n_samples == 4004


def test_timing_c26_with_fill_all_of_a_recording_is_on_one_grid(opened: Opened, out: Path) -> None:
    n, breaks = 3000, {700: 40, 1900: 1, 2500: 9000.4}
    ticks = t.stamps(n, drift_ppm=1000, jitter_ns=300, breaks=breaks)
    ns = opened(t.ptp(ticks))
    report, rows, described = written(ns, out, resample="nominal", gaps="fill", fill=-1)
    grid = float(ticks[0]) + np.arange(len(rows)) * PERIOD
    times = described.row_to_tick(range(len(rows))).astype(float)
    assert np.abs(times - grid).max() <= 1.2 * PERIOD, "each segment starts within half a sample"
    assert len(rows) == n + report.n_filled + report.n_repeated - report.n_dropped
    assert (rows[:, 0] == -1).sum() == report.n_filled > 9000


def test_timing_c26_with_join_each_segment_has_its_own_grid(opened: Opened, out: Path) -> None:
    ticks = t.stamps(1000, drift_ppm=1999.7, breaks={499: 100.3})
    _, rows, _ = written(opened(t.ptp(ticks)), out, resample="nominal", gaps="join")
    one, other = on_the_grid(ticks[:500])[0], on_the_grid(ticks[500:])[0]
    assert rows.tolist() == b.ramp(1000, 2)[[*one, *(500 + k for k in other)]].tolist()


def test_timing_c26_needs_the_gaps_resolved_all_the_same(opened: Opened, out: Path) -> None:
    with pytest.raises(nv.GapError):
        nv.write_bin(opened(t.ptp(t.stamps(400, breaks={100: 1}))), out, resample="nominal")
    with pytest.raises(ValueError, match="expected resample to be None or 'nominal', found 'true'"):
        nv.write_bin(opened(t.ptp(t.stamps(400))), out, resample="true")  # type: ignore[arg-type]


def test_timing_c26_samples_without_timestamps_are_at_the_nominal_rate_already(opened: Opened, out: Path) -> None:
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
def test_timing_c27_samples_out_of_order_are_counted_and_left(opened: Opened, out: Path) -> None:
    raw, _, as_recorded = shuffled_file()
    ns = opened(raw)
    assert ns.gaps == ()
    with pytest.warns(nv.DamagedFile, match=rf"{N_MOVED} samples are out of order; sort=True") as caught:
        report, rows, described = written(ns, out)
    assert len(caught) == 1
    assert rows.tolist() == as_recorded.tolist()
    assert report.n_out_of_order == N_MOVED
    assert f"{N_MOVED} samples out of order" in str(report)
    assert (described.contents["sorted"], described.contents["out_of_order_samples"]) == (False, N_MOVED)
    np.testing.assert_array_equal(described.row_to_tick(range(200)), ns.segments[0].ticks())


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("columns", [None, [1]])
def test_timing_c27_sort_puts_them_in_order(opened: Opened, out: Path, columns) -> None:
    raw, right, _ = shuffled_file()
    ns = opened(raw)
    report, rows, described = written(ns, out, sort=True, channels=columns)
    assert rows.tolist() == right[:, columns or slice(None)].tolist()
    assert report.n_out_of_order == N_MOVED, "in the recording"
    assert (described.contents["sorted"], described.contents["out_of_order_samples"]) == (True, N_MOVED)
    np.testing.assert_array_equal(described.row_to_tick(range(200)), t.stamps(200, jitter_ns=300))


@FEWER
@given(st.integers(-210, 210), st.integers(-210, 210))
def test_timing_c27_sorted_reading_is_a_slice_of_all_sorted_samples(opened: Opened, a, z) -> None:
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
def test_timing_c27_a_range_may_begin_and_end_within_a_group(opened: Opened, out: Path, a, z, sort, resample) -> None:
    raw, right, as_recorded = shuffled_file()
    ticks = t.stamps(200, jitter_ns=300)
    a, z = min(a, z), max(a, z) + 1
    with opened(raw) as ns, warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.DamagedFile)
        options = {"start_tick": int(ticks[a]), "stop_tick": int(ticks[z - 1]) + 1, "sort": sort, "resample": resample}
        recorded = ns.segments[0].ticks()
        _, rows, described = written(ns, out, **options)
    assert described.contents["stretches"][0]["anchors"] == [[0, int(described.row_to_tick(0))]]
    if sort or resample:
        assert rows.tolist() == right[a:z].tolist()
    else:  # those in the range and no others, as they were recorded
        assert rows.tolist() == as_recorded[(recorded >= ticks[a]) & (recorded <= ticks[z - 1])].tolist()
    found = described.tick_to_row([*(ticks + np.uint64(1000)), *(ticks + np.uint64(9000))])
    inside = np.isin(np.tile(np.arange(200), 2), np.arange(a, z))
    assert (found >= 0).tolist() == inside.tolist()
    assert rows[found[inside]].tolist() == right[np.tile(np.arange(a, z), 2)].tolist()
