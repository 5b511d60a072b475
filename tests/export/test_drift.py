# SPDX-License-Identifier: MIT
"""Exports of recordings whose clock drifts: C23, C26, C28, C40 and C43 of `spec_notes/timing.md`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from depth import FEWER
from fixture_types import FileOf, Opened
from hypothesis import assume, example, given
from hypothesis import strategies as st

import nevparse as nv
from export.left import left_in, written
from nevparse.traces import plan

RATES = [("3.0", 1, t.NS), ("2.3", 30, 30_000), ("3.0", 15, t.NS)]  # kind, period, tick rate
Rate = tuple[str, int, int]
DRIFTS = [0.0, 0.4, -0.4, 0.05, -0.05, 60e-6 * 300, -60e-6 * 300]  # samples by which each block is later than the last


class Made(NamedTuple):
    """Blocks of a file: their first ticks, their samples, and the segment of every sample."""

    rate: Rate
    starts: list[int]
    counts: list[int]
    segments: np.ndarray

    @property
    def step(self) -> float:
        """Ticks from sample to sample."""
        return self.rate[1] * self.rate[2] / 30_000

    @property
    def ticks(self) -> np.ndarray:
        """Of every sample."""
        _, period, tick_rate = self.rate
        blocks = zip(self.starts, self.counts, strict=True)
        return np.array([start + k * period * tick_rate // 30_000 for start, n in blocks for k in range(n)])

    def places(self, of: Any = slice(None)) -> np.ndarray:
        """Rows, and fractions of them, from the first sample on."""
        blocks = zip(self.starts, self.counts, strict=True)
        places = np.array([start / self.step + k for start, n in blocks for k in range(n)])[of]
        return places - places[0]

    def file(self) -> bytes:
        kind, period, tick_rate = self.rate
        firsts = np.cumsum([0, *self.counts]).tolist()
        blocks = [(tick, of_place(n, first)) for tick, n, first in zip(self.starts, self.counts, firsts, strict=False)]
        return b.nsx(blocks, kind, period=period, tick_rate=tick_rate)


def of_place(n: int, first: int = 0) -> np.ndarray:
    """Samples of two channels that tell their place in the file, up to 900 million."""
    places = np.arange(first, first + n)
    return np.stack([places // 30_000, places % 30_000], axis=1).astype(np.int16)


def places_of(rows: np.ndarray) -> np.ndarray:
    return rows[:, 0].astype(np.int64) * 30_000 + rows[:, 1]


@st.composite
def drifting(draw: st.DrawFn, rates: Sequence[Rate] = RATES, gaps: Sequence[float] = (0.6, 1, 7.3, 500)) -> Made:
    """Blocks that drift, and pause now and then."""
    rate = draw(st.sampled_from(rates))
    _, period, tick_rate = rate
    step = period * tick_rate / 30_000
    starts, counts, segments, at = [], [], [], draw(st.integers(0, 90)) * step
    for segment in range(draw(st.integers(1, 3))):
        drift, n = draw(st.sampled_from(DRIFTS)), draw(st.integers(1, 20))
        for _ in range(draw(st.integers(1, 25))):
            starts.append(int(at))
            counts.append(n)
            segments += [segment] * n
            at += (n + drift) * step
        at += (draw(st.sampled_from(gaps)) + abs(drift)) * step
    assume(rate[0] != "3.0" or max(counts) > 1)  # blocks of one sample would be packets
    return Made(rate, starts, counts, np.array(segments))


def check_sidecar(described: nv.Sidecar, rows: np.ndarray, ticks: np.ndarray, fill: int = -1) -> None:
    """Each row has the tick of its sample, each tick its row, and time never goes back."""
    of_rows = described.row_to_tick(range(len(rows))).astype(np.int64)
    recorded = rows[:, 1] != fill
    np.testing.assert_array_equal(of_rows[recorded], ticks[places_of(rows[recorded])])
    assert (np.diff(of_rows) >= 0).all(), "a filled row is not later than what was recorded next"
    found = described.tick_to_row(of_rows)
    np.testing.assert_array_equal(of_rows[found[recorded]], of_rows[recorded])
    assert (found[recorded] >= 0).all()
    before = np.maximum.accumulate(np.where(recorded, np.arange(len(rows)), 0))
    assert ((found == -1) | (found == before))[~recorded].all(), "none, or still the sample before a gap"


LATE = Made(RATES[1], list(range(0, 200 * 312, 312)), [10] * 200, np.zeros(2000, int))  # each block 0.4 of a sample


# Late by 0.4 of a sample in the first segment, and by 0.4 more in the gap: the next one starts in row 4, not in row 3
LATE_TWICE = Made(RATES[0], [0, 46_666, 126_666], [1, 1, 2], np.array([0, 0, 1, 1]))


@FEWER
@given(drifting())
@example(LATE_TWICE)
@example(LATE)
@example(LATE._replace(starts=list(range(0, 200 * 288, 288))))
def test_timing_c23_a_filled_row_is_a_time_or_the_clock_is_said_to_drift(opened: Opened, out: Path, made: Made) -> None:
    places, n_samples = made.places(), len(made.segments)
    with opened(made.file()) as ns:
        starts = places[np.flatnonzero(np.diff(made.segments, prepend=-1))]
        assume((np.abs(starts % 1 - 0.5) > 1e-6).all())  # half way between two rows either is the nearest
        rows_of = np.round(starts)[made.segments] + np.arange(n_samples)
        rows_of -= np.flatnonzero(np.diff(made.segments, prepend=-1))[made.segments]
        if np.abs(places - rows_of).max() > 0.6 + 2 / made.step:
            with pytest.raises(
                nv.GapError, match=r"the clock drifts, and sample \d+ .*Use resample='nominal'"
            ) as refused:
                nv.write_bin(ns, out, gaps="fill", max_fill=1e9)
            assert refused.value.gaps == ns.gaps
            assert left_in(out.parent) == []
        elif np.abs(places - rows_of).max() < 0.4:
            report, rows, described = written(ns, out, gaps="fill", fill=-1, max_fill=1e9)
            check_sidecar(described, rows, made.ticks)
            recorded = np.flatnonzero(rows[:, 1] != -1)
            assert places_of(rows[recorded]).tolist() == list(range(n_samples))
            assert np.abs(recorded - places).max() <= 0.5 + 2 / made.step
            assert report.n_filled == len(rows) - n_samples
            for name in left_in(out.parent):
                (out.parent / name).unlink()


def nearest_samples(places: np.ndarray) -> np.ndarray:
    """The sample in each row from the first on, by the rule: one more above 0.6 of a sample late, one less below."""
    rows: list[int] = []
    shift = 0
    for sample, late in enumerate((places - np.arange(len(places))).tolist()):
        while late - shift > 0.6 + 1e-9:
            rows.append(sample - 1)
            shift += 1
        if late - shift < -0.6 - 1e-9:
            shift -= 1
        else:
            rows.append(sample)
    return np.array(rows)


@FEWER
@given(drifting(), st.sampled_from(["join", "split"]))
@example(LATE, "join")
def test_timing_c26_blocks_that_drift_are_put_on_the_grid_of_their_segment(
    opened: Opened, out: Path, made: Made, policy: Any
) -> None:
    with opened(made.file()) as ns:
        report, _, _ = written(ns, out, gaps=policy, resample="nominal")
        assert [segment.n_samples for segment in ns.segments] == np.bincount(made.segments).tolist()
    wanted, changes = [], []
    for number in range(made.segments.max() + 1):
        own = np.flatnonzero(made.segments == number)
        chosen = nearest_samples(made.places(own))
        n_dropped = len(own) - len(set(chosen.tolist()))
        wanted.append(own[chosen])
        changes.append((n_dropped, len(chosen) - len(own) + n_dropped))
    in_all = tuple(np.sum(changes, axis=0).tolist())
    if policy == "join":
        wanted, changes = [np.concatenate(wanted)], [in_all]
    for file, places, counts in zip(report.files, wanted, changes, strict=True):
        described = nv.read_sidecar(file.path)
        rows = np.fromfile(file.path, "<i2").reshape(-1, 2)
        assert places_of(rows).tolist() == places.tolist()
        check_sidecar(described, rows, made.ticks)
        assert (described.contents["dropped_samples"], described.contents["repeated_samples"]) == counts
    assert (report.n_dropped, report.n_repeated) == in_all


def is_first(rows: np.ndarray) -> np.ndarray:
    """Whether each row is the first that holds its sample."""
    return np.diff(places_of(rows), prepend=-1) != 0


def check_on_one_grid(rows: np.ndarray, places: np.ndarray, off: float) -> None:
    """Every row holds a sample within `off` of its place, or none is nearer than that; a repeated one is next to it."""
    recorded = np.flatnonzero(rows[:, 1] != -1)
    late = np.abs(places[places_of(rows[recorded])] - recorded)
    assert late[is_first(rows[recorded])].max() <= off
    assert late.max() <= off + 0.4
    empty = np.flatnonzero(rows[:, 1] == -1)
    if empty.size:
        nearest = np.abs(places[np.newaxis] - empty[:, np.newaxis]).min(axis=1)
        assert nearest.min() > 0.99 - off


@FEWER
@given(drifting())
def test_timing_c26_with_fill_blocks_of_all_segments_are_on_one_grid(opened: Opened, out: Path, made: Made) -> None:
    with opened(made.file()) as ns:
        report, rows, described = written(ns, out, gaps="fill", fill=-1, max_fill=1e9, resample="nominal")
    check_on_one_grid(rows, made.places(), 0.6 + 2 / made.step)
    check_sidecar(described, rows, made.ticks)
    assert len(rows) == len(made.segments) + report.n_filled + report.n_repeated - report.n_dropped


@FEWER
@given(st.integers(0, 2**32), st.sampled_from([0, 40, -400, 9000]), st.lists(st.floats(0.6, 60), max_size=3))
def test_timing_c26_with_fill_packets_of_all_segments_are_on_one_grid(
    opened: Opened, out: Path, seed, ppm, lost
) -> None:
    places = np.random.default_rng(seed).choice(np.arange(99, 800, 100), len(lost), replace=False)
    breaks = dict(zip(places.tolist(), lost, strict=True))
    ticks = t.stamps(900, drift_ppm=ppm, jitter_ns=300, breaks=breaks, seed=seed)
    with opened(t.ptp(ticks, of_place(900))) as ns:
        report, rows, described = written(ns, out, gaps="fill", fill=-1, resample="nominal")
        plain = written(ns, out, gaps="fill", fill=-1)
    grid = (ticks - ticks[0]).astype(float) / t.PERIOD_NS
    check_on_one_grid(rows, grid, 0.63)
    check_sidecar(described, rows, ticks.astype(np.int64))
    assert report.n_filled == described.contents["shape"][0] - 900 - report.n_repeated + report.n_dropped
    of_rows = plain[2].row_to_tick(range(len(plain[1]))).astype(np.int64)
    assert (np.diff(of_rows) >= 0).all()


@FEWER
@given(st.integers(0, 2**32), st.sampled_from([0, 40, -400]), st.booleans(), st.sampled_from(["join", "split", "fill"]))
def test_timing_c26_samples_out_of_order_are_sorted_for_it(
    opened: Opened, out: Path, seed, ppm, in_range, policy
) -> None:
    rng = np.random.default_rng(seed)
    ticks, order = t.stamps(400, drift_ppm=ppm, jitter_ns=300, breaks={200: 5}, seed=seed), np.arange(400)
    for place in (40, 120, 300):
        order[place : place + 5] = place + rng.permutation(5)
    options: dict[str, Any] = {"gaps": policy, "resample": "nominal"}
    if in_range:
        options |= {"start_tick": int(ticks[42]), "stop_tick": int(ticks[303])}
    contents = []
    for mixed in (order, np.arange(400)):
        with opened(t.ptp(ticks[mixed], of_place(400)[mixed])) as ns:
            report, _, described = written(ns, out, **options)
            assert described.contents["sorted"]
            sidecars = [nv.read_sidecar(file.path).contents["stretches"] for file in report.files]
            contents.append([(Path(file.path).read_bytes(), *sidecars) for file in report.files])
    assert contents[0] == contents[1]


@pytest.mark.parametrize("ppm", [64_000, -60_000])
def test_timing_c26_a_clock_that_is_some_percent_off_takes_no_more_steps_than_samples(
    opened: Opened, out: Path, ppm: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_judged, real = 0, plan._n_before

    def counted(is_wrong: np.ndarray) -> int:
        nonlocal n_judged
        n_judged += is_wrong.size
        return real(is_wrong)

    monkeypatch.setattr(plan, "_n_before", counted)
    n = 20_000
    report, _, described = written(opened(t.ptp(t.stamps(n, drift_ppm=ppm))), out, resample="nominal")
    assert report.n_dropped + report.n_repeated > 1000
    assert n_judged <= 4 * n
    assert len(described.contents["stretches"]) == 1, "timestamps of the rows are in the .ticks"


# -------------------------------------------------------------------------------------------------- several instruments


def instruments() -> st.SearchStrategy[list[Made]]:
    """Two or three of one rate, which recorded at the same time."""
    one = st.sampled_from(RATES).flatmap(lambda rate: st.lists(drifting([rate], [1.2, 40.0]), min_size=2, max_size=3))
    return one.filter(lambda several: max(made.ticks[0] for made in several) < min(made.ticks[-1] for made in several))


@FEWER
@given(instruments(), st.sampled_from(["join", "fill"]))
def test_timing_c40_and_c43_blocks_of_each_instrument_are_nearest_to_their_time(
    file_of: FileOf, several: list[Made], policy: Any
) -> None:
    with ExitStack() as stack:
        paths = [file_of(made.file(), f"x-NSP{k}.ns5") for k, made in enumerate(several)]
        files = [stack.enter_context(nv.open_nsx(path)) for path in paths]
        target = Path(paths[0]).with_name("wide.bin")
        try:
            report = nv.write_bin(files, target, gaps=policy, fill=-1 if policy == "fill" else 0, overwrite=True)
        except nv.GapError as refused:
            assume("at the same time" not in str(refused))
            raise
        wide, described = np.fromfile(report.path, "<i2").reshape(-1, 2 * len(files)), nv.read_sidecar(report.path)
    grid = described.row_to_tick(range(len(wide))).astype(np.int64)
    for k, made in enumerate(several):
        rows = wide[:, 2 * k : 2 * k + 2]
        recorded = (rows[:, 1] != -1) | (policy == "join")
        late = np.abs((made.ticks[places_of(rows[recorded])] - grid[recorded]) / made.step)
        # what a sample behind rows that are left out repeats may be among these
        is_behind_row = np.diff(grid[recorded], prepend=grid[0] - made.step) < 1.5 * made.step
        assert late[is_first(rows[recorded]) & is_behind_row].max() <= 0.6 + 2 / made.step
        assert late.max() <= 1 + 2 / made.step
        if policy == "fill":
            n_seen, changes = len(set(places_of(rows[recorded]).tolist())), report.instruments[k]
            assert len(made.ticks) - n_seen == changes.n_dropped
            assert recorded.sum() - n_seen == changes.n_repeated
            assert (~recorded).sum() <= changes.n_filled + report.n_filled


def test_timing_c43_blocks_60_ppm_off_stay_beside_the_instrument_that_is_on_time(opened: Opened, out: Path) -> None:
    """A clock of 1 GHz with a block for every 0.1 s of 30 kHz, 60 ppm slow or fast, over 5 minutes."""
    n, n_blocks = 30, 3000
    on_time = [k * n * 100_000 // 3 for k in range(n_blocks)]
    for ppm in (60, -60):
        starts = [round(tick * (1 + ppm * 1e-6 * 100)) for tick in on_time]  # each block stands for 100 times as much
        counts = [n] * n_blocks
        one, other = (Made(RATES[0], ticks, counts, np.empty(0)).file() for ticks in (on_time, starts))
        with nv.open_nsx(one) as steady, nv.open_nsx(other) as drifting_:
            assert len(drifting_.segments) == 1
            wide = nv.combine_instruments([steady, drifting_], clock="same")
            report = nv.write_bin(wide, out, gaps="fill", fill=-1, overwrite=True)
        rows = np.fromfile(report.path, "<i2").reshape(-1, 4)
        both = (rows != -1).all(axis=1)
        places = places_of(rows[both, 2:])
        exact = np.array(starts)[places // n] + places % n * t.PERIOD_NS
        assert np.abs(exact / t.PERIOD_NS - np.flatnonzero(both)).max() <= 0.61
        assert (report.n_repeated if ppm > 0 else report.n_dropped) == pytest.approx(n * n_blocks * 0.006, abs=2)


def test_timing_c26_each_file_of_a_split_says_what_was_done_to_its_own_samples(opened: Opened, out: Path) -> None:
    ticks = t.stamps(3000, drift_ppm=np.repeat([2000, -3000, 0], 1000), breaks={999: 40, 1999: 70})
    report, _, _ = written(opened(t.ptp(ticks)), out, gaps="split", resample="nominal")
    contents = [nv.read_sidecar(file.path).contents for file in report.files]
    assert [(c["dropped_samples"], c["repeated_samples"]) for c in contents] == [(0, 2), (3, 0), (0, 0)]
    assert (report.n_dropped, report.n_repeated) == (3, 2)


@given(st.lists(st.integers(-45, 45), min_size=1, max_size=60), st.integers(-3, 3))
def test_timing_c26_what_is_followed_is_followed_by_no_more_than_is_needed(steps: list[int], shift: int) -> None:
    walked = np.cumsum(steps) / 97
    shifts = plan._follow(walked, shift, 0.6).tolist()
    for (before, now), value in zip(pairwise([shift, *shifts]), walked.tolist(), strict=True):
        assert abs(value - now) <= 0.6 + 1e-9
        nearest = before
        while value - nearest > 0.6 + 1e-9:
            nearest += 1
        while value - nearest < -0.6 - 1e-9:
            nearest -= 1
        assert now == nearest


@pytest.mark.usefixtures("small_buffers")
def test_timing_c26_a_group_that_cannot_be_sorted_beside_a_loss_is_still_exported(opened: Opened, out: Path) -> None:
    order = np.arange(150)
    order[30:35], order[110:115] = [31, 30, 33, 32, 34], [112, 111, 113, 114, 110]
    ticks = t.stamps(150, period=30, breaks={42: 1.0}, jitter_ns=300)
    ns = opened(t.ptp(ticks[order], of_place(150)[order], period=30))
    report, rows, described = written(ns, out, gaps="join", resample="nominal")
    assert all(part.n_rows > 0 for part in report.rows)
    assert len(rows) == 150 + report.n_repeated - report.n_dropped == described.n_samples
