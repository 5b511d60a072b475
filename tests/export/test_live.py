# SPDX-License-Identifier: MIT
"""A live export is the export that could be made later: claims C14 to C18 of `spec_notes/growing.md`."""

from __future__ import annotations

import os
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from builders.growing import Growing, ends, growing, stamped
from builders.recorders import COUNTS, Recorder
from depth import FEWER
from fixture_types import FileOf
from hypothesis import given
from hypothesis import strategies as st
from source.watching import Time, appended, contents, exported, quietly, wait_for

import nevparse as nv
from nevparse.clock import Clock
from nevparse.nsx import packets as nsx_packets
from nevparse.nsx.gap_search import IrregularSteps
from nevparse.source import growth
from nevparse.traces.plan import FilledRows, SampleRows, rows_between


@FEWER
@given(st.data(), growing(), st.sampled_from(COUNTS[::2]), st.sampled_from(["join", "fill"]))
def test_growing_c14_a_live_export_is_the_later_export(
    tmp_path_factory: pytest.TempPathFactory, data, made, counts, gaps
) -> None:
    folder, now = tmp_path_factory.mktemp("live"), Time()
    steps = ends(data.draw, made.start, len(made.data))
    fill = data.draw(st.sampled_from([7, "hold"])) if gaps == "fill" else 0
    options: dict[str, Any] = {"gaps": gaps, "max_fill": 1e9, "channels": [0], "fill": fill}
    (folder / "out").mkdir()
    with Recorder(folder / "s.ns5", made.data, made.blocks, counts) as recorder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(growth, "time", now)
        recorder.upto(made.start)
        now.passes(*(lambda at=at: recorder.upto(at) for at in steps))
        live: dict[str, Any] = {"follow": True, "poll_s": 1, "timeout_s": len(steps) + 1}
        with quietly(folder / "s.ns5") as ns:
            try:
                nv.write_bin(ns, folder / "out" / "s.bin", **options, **live)
            except nv.GapError:
                assert gaps == "fill"
                with quietly(folder / "s.ns5") as file:
                    assert any(gap.missing_samples < 0 for gap in file.gaps)
                assert contents(folder / "out") == {}
                return
    assert contents(folder / "out") == exported(folder / "later", folder / "s.ns5", **options)


@FEWER
@given(st.data(), stamped(), st.booleans())
def test_growing_c14_a_live_export_of_packets_is_the_later_export(
    tmp_path_factory: pytest.TempPathFactory, data, ticks, sort
) -> None:
    folder, now, raw = tmp_path_factory.mktemp("live"), Time(), t.ptp(ticks)
    start = len(raw) - 17 * len(ticks)
    steps = ends(data.draw, start, len(raw))
    (folder / "out").mkdir()
    path = folder / "s.ns5"
    path.write_bytes(raw[:start])
    with pytest.MonkeyPatch.context() as patch, quietly(path) as ns, warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.DamagedFile)  # of samples out of order
        patch.setattr(growth, "time", now)
        now.passes(*(lambda at=at: appended(str(path), raw[:at]) for at in steps))
        live: dict[str, Any] = {"follow": True, "poll_s": 1, "timeout_s": len(steps) + 1}
        nv.write_bin(ns, folder / "out" / "s.bin", gaps="join", sort=sort, **live)
        later = exported(folder / "later", path, gaps="join", sort=sort)
    found = contents(folder / "out")
    assert sorted(found) == sorted(later)
    if len(ticks) > 1:
        assert found == later


@pytest.mark.parametrize("n", [*range(58, 90, 2), *range(88, 116)])
def test_growing_c14_rows_wait_for_what_decides_about_them(
    file_of: FileOf, out: Path, clock: Time, tmp_path: Path, n
) -> None:
    raw = t.ptp(t.shuffled(t.stamps(150, breaks={90: 3}), {60: [3, 0, 4, 1, 2]}))
    path = file_of(raw[: len(raw) - 17 * (150 - n)])
    with nv.open_nsx(path) as ns:
        clock.passes(lambda: appended(path, raw))
        nv.write_bin(ns, out, gaps="fill", sort=True, follow=True, poll_s=1, timeout_s=2)
    assert contents(out.parent) == exported(tmp_path / "later", path, gaps="fill", sort=True)


def test_growing_c14_a_part_of_a_plan_is_the_same_rows() -> None:
    clock = Clock(100, 3, 1000)
    plan: list[SampleRows | FilledRows] = [SampleRows(0, 10, 0, 5), FilledRows(10, 6, 700), SampleRows(16, 4, 1, 0)]
    assert rows_between(plan, 0, 20, clock) == plan
    assert rows_between(plan, 3, 12, clock) == [SampleRows(3, 7, 0, 8), FilledRows(10, 2, 700)]
    assert rows_between(plan, 12, 17, clock) == [FilledRows(12, 4, 766), SampleRows(16, 1, 1, 0)]
    assert rows_between(plan, 7, 7, clock) == []


def test_growing_c14_a_break_that_probing_missed_starts_the_export_anew(
    file_of: FileOf, out: Path, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = np.empty(0, np.intp)
    monkeypatch.setattr(nsx_packets, "find_gaps", lambda *_: IrregularSteps(nothing, nothing))
    ticks = t.stamps(300, breaks={150: 5})
    raw = t.ptp(ticks)
    path = file_of(raw[: len(raw) - 17 * 200])
    with nv.open_nsx(path) as ns:
        clock.passes(lambda: appended(path, raw[:-40]), lambda: appended(path, raw))
        nv.write_bin(ns, out, gaps="fill", follow=True, poll_s=1, timeout_s=3)
    assert nv.read_sidecar(out).n_samples == 305
    np.testing.assert_array_equal(np.fromfile(out.with_suffix(".bin.ticks"), "<i8")[:151], ticks[:151])


def test_growing_c05_and_c14_what_was_taken_for_packets_is_exported_as_blocks(
    tmp_path: Path, out: Path, clock: Time
) -> None:
    made = Growing("3.0", [0, 500, 2000], [1, 1, 50])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[1].end)
        with nv.open_nsx(tmp_path / "s.ns5") as ns:
            clock.passes(lambda: recorder.upto(len(made.data)))
            nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, timeout_s=2)
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="join")


def test_growing_c14_what_probing_took_for_packets_is_exported_as_blocks(
    file_of: FileOf, out: Path, clock: Time
) -> None:
    raw = t.hidden_block()
    path = file_of(raw[: -39 * 53])
    with quietly(path) as ns:
        assert ns.has_sample_timestamps
        clock.passes(lambda: appended(path, raw))
        nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, timeout_s=2)
    assert nv.read_sidecar(out).n_samples == 204
    assert sorted(contents(out.parent)) == ["s.bin", "s.bin.json"]


def test_growing_c15_rows_reach_the_part_at_every_poll(tmp_path: Path, out: Path, clock: Time) -> None:
    made = Growing("2.3", [0], [100])
    seen = []

    def see(n_rows: int) -> None:
        part = Path(f"{out}.nevparse-part")
        wait_for(part, 4 * n_rows)  # a thread writes it
        seen.append((part.read_bytes() == made.samples[:n_rows].tobytes(), out.exists()))

    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 40)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(
                lambda: (see(10), recorder.upto(made.blocks[0].rows + 41)),
                lambda: (see(10), recorder.upto(made.blocks[0].rows + 100)),
                lambda: see(25),
            )
            nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, timeout_s=4)
    assert seen == [(True, False)] * 3


def test_growing_c16_it_ends_when_stop_returns_true_and_takes_what_was_written_by_then(
    tmp_path: Path, out: Path, clock: Time
) -> None:
    made, polled = Growing("2.3", [0], [100]), []
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 40)

        def stop() -> bool:
            polled.append(clock.now)
            if len(polled) == 3:
                recorder.upto(made.blocks[0].rows + 60)  # in the very last moment
            return len(polled) == 3

        with quietly(tmp_path / "s.ns5") as ns:
            report = nv.write_bin(ns, out, gaps="join", follow=True, poll_s=0.25, stop=stop)
    assert polled == [0, 0.25, 0.5]
    assert report.n_samples == 15
    assert out.read_bytes() == made.samples[:15].tobytes()


@pytest.mark.parametrize("kind", ["2.3", "ptp"])
def test_growing_c16_it_ends_behind_its_stop_tick(file_of: FileOf, out: Path, clock: Time, kind: str) -> None:
    data, samples = b.plausible(kind, 3, (300,))
    start, per = (7 * 10**9, 100_000 / 3) if kind == "ptp" else (7 * 30000, 1)
    each = 19 if kind == "ptp" else 6
    path = file_of(data[: len(data) - 290 * each])
    with quietly(path) as ns:
        clock.passes(*(lambda k=k: appended(path, data[: len(data) - (280 - 20 * k) * each]) for k in range(14)))
        ticks: dict[str, Any] = {"start_tick": start + int(5 * per), "stop_tick": start + int(101 * per)}
        nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1, **ticks)
        assert 4 < clock.now < 12  # the newest packets are judged a little later
    assert out.read_bytes() == samples[5:101].tobytes()


def test_growing_c17_a_fill_that_is_too_long_as_yet_waits(tmp_path: Path, out: Path, clock: Time) -> None:
    made = Growing("2.3", [0, 1030], [30, 200])
    sizes, part = [], Path(f"{out}.nevparse-part")
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].end)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(
                lambda: recorder.upto(made.blocks[1].rows + 40),  # 1000 rows for 40 recorded
                lambda: (wait_for(part, 120), sizes.append(part.stat().st_size)),
                lambda: recorder.upto(len(made.data)),
            )
            nv.write_bin(ns, out, gaps="fill", max_fill=5, follow=True, poll_s=1, timeout_s=2)
    assert sizes == [120]
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="fill", max_fill=5)


@pytest.mark.parametrize(
    ("starts", "message", "ends_s"),
    [pytest.param([5000, 0], "backwards", 1, id="backwards"), pytest.param([0, 100_030], "max_fill", 4, id="too long")],
)
def test_growing_c17_time_that_goes_backwards_is_refused_at_once_and_too_long_a_fill_in_the_end(
    tmp_path: Path, out: Path, clock: Time, starts, message, ends_s
) -> None:
    made = Growing("2.3", starts, [30, 20])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].end)
        with quietly(tmp_path / "s.ns5") as ns:
            clock.passes(lambda: recorder.upto(len(made.data)))
            with pytest.raises(nv.GapError, match=message):
                nv.write_bin(ns, out, gaps="fill", follow=True, poll_s=1, timeout_s=3)
            assert clock.now == ends_s
    assert contents(out.parent) == {}


def test_growing_c18_what_cannot_be_followed_is_refused_before_anything(file_of: FileOf, out: Path) -> None:
    data = b.plausible("2.3")[0]
    with nv.open_nsx(file_of(data)) as ns, nv.open_nsx(file_of(data, "other.ns5")) as other:
        refused: list[dict[str, Any]] = [{"gaps": "error"}, {"gaps": "split"}, {"gaps": "join", "resample": "nominal"}]
        for options in refused:
            with pytest.raises(ValueError, match="expected, with follow, gaps='join' or 'fill'"):
                nv.write_bin(ns, out, follow=True, **options)
        with pytest.raises(ValueError, match="follow each on its own"):
            nv.write_bin([ns, other], out, follow=True, gaps="join")
        with pytest.raises(ValueError, match="seconds of 0 or more"):
            nv.write_bin(ns, out, follow=True, gaps="join", timeout_s=-1)
    assert contents(out.parent) == {}


@pytest.mark.parametrize("kind", ["2.3", "ptp"])
def test_growing_c18_a_file_that_shrinks_or_is_started_anew_leaves_nothing(
    file_of: FileOf, out: Path, clock: Time, kind: str
) -> None:
    data = b.plausible(kind, 3, (80,))[0]
    other = bytearray(data)
    other[294] ^= 1
    for change in (lambda path: os.truncate(path, len(data) - 300), lambda path: appended(path, bytes(other))):
        path = file_of(data[:-190])
        with quietly(path) as ns:
            clock.passes(lambda: None, partial(change, path))
            with pytest.raises((nv.FormatError, nv.ExportError), match="before"):
                nv.write_bin(ns, out, gaps="join", follow=True, poll_s=1)
        assert contents(out.parent) == {}


def test_growing_c18_nothing_recorded_is_refused_in_the_end(file_of: FileOf, out: Path, clock: Time) -> None:
    made = Growing("2.3", [0], [10])
    for data in (made.data[: made.start], made.data):
        with quietly(file_of(data)) as ns, pytest.raises(ValueError, match="expected samples to export, found none"):
            nv.write_bin(ns, out, gaps="join", follow=True, timeout_s=0, start_tick=5000)
    assert contents(out.parent) == {}


@pytest.mark.parametrize("sort", [False, True])
@pytest.mark.parametrize("n_samples", [[1, 1, 40], [1, 1, 1, 5, 1, 30], [1, 3]])
def test_growing_c14_an_export_that_begins_with_short_blocks_is_whole(
    tmp_path: Path, out: Path, clock: Time, sort: bool, n_samples: list[int]
) -> None:
    made = Growing("3.0", [60_000 * k for k in range(len(n_samples))], n_samples)
    path = tmp_path / "s.ns5"
    with Recorder(path, made.data, made.blocks, "right") as recorder:
        recorder.upto(made.blocks[1].rows + 4)
        clock.passes(*(lambda k=k: recorder.upto(min(len(made.data), recorder.at + k)) for k in [9] * 60))
        with quietly(path) as ns:
            report = nv.write_bin(ns, out, gaps="join", follow=True, sort=sort, poll_s=1, timeout_s=3)
    np.testing.assert_array_equal(np.fromfile(report.path, "<i2").reshape(-1, 2), made.samples)
