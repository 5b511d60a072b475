# SPDX-License-Identifier: MIT
"""Rows of spikes in every kind of export, by epoch and tick: C45, C09 and C28 of `spec_notes/timing.md`."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from depth import FEWER
from fixture_types import NewFolder, Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from export.left import written


def spikes_of(ticks: np.ndarray) -> bytes:
    return t.spike_nev(ticks.tolist(), (3, 0), t.NS)


def rows_of(file: Any) -> np.ndarray:
    return np.fromfile(file.path, "<i2").reshape(-1, file.n_channels)


def in_order(n: int, seed: int, n_groups: int) -> np.ndarray:
    """Packets of which some groups of five are out of order."""
    rng, order = np.random.default_rng(seed), np.arange(n)
    for place in rng.choice(np.arange(30, n - 35, 40), n_groups, replace=False) if n_groups else ():
        order[place : place + 5] = place + rng.permutation(5)
    return order


@st.composite
def recordings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(ticks, epoch, order in the file) of samples of 1 kHz in one to three epochs, with losses, some out of order."""
    seed, ticks, order = draw(st.integers(0, 2**32)), [np.empty(0, np.uint64)], [np.empty(0, int)]
    counts = draw(st.lists(st.integers(150, 300), min_size=1, max_size=3))
    for epoch, n in enumerate(counts):
        places = draw(st.sets(st.integers(20, n - 20), max_size=2))
        breaks = {place: draw(st.sampled_from([1, 6.5, 4000])) for place in places}
        order.append(sum(map(len, order)) + in_order(n, seed, draw(st.integers(0, 2))))
        start = 10**10 - epoch * 50_000_000
        ticks.append(t.stamps(n, start=start, period=30, jitter_ns=300, breaks=breaks, seed=seed + epoch))
    return np.concatenate(ticks), np.repeat(np.arange(len(counts)), counts), np.concatenate(order)


@pytest.mark.usefixtures("small_buffers")
@FEWER
@given(recordings(), st.sampled_from(["join", "split"]), st.sampled_from([{}, {"sort": True}, {"resample": "nominal"}]))
def test_timing_c45_spikes_of_every_epoch_have_the_rows_of_their_samples(
    new_folder: NewFolder, made: Any, policy: Any, options: dict[str, Any]
) -> None:
    ticks, epochs, order = made
    folder, samples = new_folder(), b.ramp(len(ticks), 2)
    (folder / "s.ns5").write_bytes(t.ptp(ticks[order], samples[order], period=30))
    asked = np.arange(5, len(ticks), 7)
    (folder / "s.nev").write_bytes(spikes_of(ticks[asked] + np.uint64(60_000)))
    with nv.open_recording(folder / "s.ns5") as rec, warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.DamagedFile)
        warnings.simplefilter("ignore", nv.AmbiguousEpochs)
        report = nv.write_bin(rec.nsx[5], folder / "o.bin", gaps=policy, **options)
        found, packets = rec.nev.spikes(waveforms=False)["tick"], rec.nev.packets_of("spike")
        numbers, others = rec.packet_epochs
        is_sure = (numbers[packets] == others[packets]) & (numbers[packets] == epochs[asked])
        file, row = report.spike_rows(rec, found, packets=packets)
        alone = [nv.read_sidecar(part.path).spike_rows(rec, found, packets=packets) for part in report.files]
    assert is_sure.any()
    for number, one in enumerate(alone):
        np.testing.assert_array_equal(np.where(file == number, row, -1), one)
    contents = [rows_of(part) for part in report.files]
    held = [contents[k][r].tolist() if k >= 0 else None for k, r in zip(file.tolist(), row.tolist(), strict=True)]
    for k in np.flatnonzero(is_sure).tolist():
        wanted = [samples[asked[k] - early].tolist() for early in ((0, 1) if options.get("resample") else (0,))]
        assert held[k] in wanted, "the sample of that time, or of the one before where its own was left out"


@pytest.mark.usefixtures("blind")
def test_timing_c45_an_export_that_found_hidden_breaks_has_its_own_rows(tmp_path: Path) -> None:
    """A loss and a reset that no probe meets: the open file has one segment, and the export three."""
    ticks = np.concatenate([
        t.stamps(300, start=10**10, period=30, breaks={99: 50}), t.stamps(200, start=10**10 - 50_000_000, period=30)
    ])  # fmt: skip
    (tmp_path / "s.ns5").write_bytes(t.ptp(ticks, period=30))
    (tmp_path / "s.nev").write_bytes(spikes_of(ticks))
    with nv.open_recording(tmp_path / "s.ns5") as rec:
        assert len(rec.nsx[5].segments) == 1
        report = nv.write_bin(rec.nsx[5], tmp_path / "o.bin", gaps="join")
        described = nv.read_sidecar(report.path)
        assert len(described.contents["stretches"]) == 3
        rows = described.spike_rows(rec, ticks, packets=rec.nev.packets_of("spike"))
        assert rows.tolist() == list(range(500))


@pytest.mark.parametrize("policy", ["join", "fill", "split"])
def test_timing_c45_wide_exports_have_their_own_rows(tmp_path: Path, policy: Any) -> None:
    """The rows of a wide file are no samples of either: the first begins later, the second drifts."""
    starts = ([50, 500], [0, 480])
    for k, two in enumerate(starts):
        data = [(tick, b.ramp(200, 2, first=tick)) for tick in two]
        (tmp_path / f"day-NSP{k + 1}.ns5").write_bytes(b.nsx(data))
        (tmp_path / f"day-NSP{k + 1}.nev").write_bytes(t.spike_nev(range(60, 190)))
    with ExitStack() as stack:
        recs = [stack.enter_context(nv.open_recording(tmp_path / f"day-NSP{k}.ns5")) for k in (1, 2)]
        report = nv.write_bin([rec.nsx[5] for rec in recs], tmp_path / "w.bin", gaps=policy)
        for rec in recs:
            ticks, packets = rec.nev.spikes(waveforms=False)["tick"], rec.nev.packets_of("spike")
            file, row = report.spike_rows(rec, ticks, packets=packets)
            assert not file.any()
            rows = rows_of(report.files[0])[row]
            assert rows[:, 0].tolist() == rows[:, 2].tolist() == b.ramp(130, 1, first=60)[:, 0].tolist()


def test_timing_c45_a_part_of_one_epoch_is_found_among_epochs_of_the_same_ticks(tmp_path: Path) -> None:
    (tmp_path / "s.ns5").write_bytes(t.blocks([30_000, 100, 50], [60_000, 70_000, 90_000]))
    asked = [40_000, 60_000, 500, 40_000, 60_000, 60, 40_000, 60_000]
    (tmp_path / "s.nev").write_bytes(t.spike_nev(asked))
    with nv.open_recording(tmp_path / "s.ns5") as rec:
        assert rec.packet_epochs.epoch.tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
        report = nv.write_bin(rec.nsx[5], tmp_path / "o.bin", gaps="join", start_tick=39_000, stop_tick=50_000)
        described = nv.read_sidecar(report.path)
        rows = described.spike_rows(rec, asked, packets=range(8))
        assert rows.tolist() == [1000, -1, -1, 12_000, -1, -1, 23_000, -1]
        assert [s["epoch"] for s in described.contents["stretches"]] == [0, 1, 2]
        by_epoch = [described.tick_to_row([40_000], epoch=epoch).tolist() for epoch in range(4)]
        assert by_epoch == [[1000], [12_000], [23_000], [-1]]


# ------------------------------------------------------------------------------------------------ samples out of order


def groups() -> st.SearchStrategy[dict[int, list[int]]]:
    """Groups of 2 to 9 packets in any order, far from each other and from the ends."""
    places = st.sets(st.sampled_from(range(30, 270, 40)), max_size=5)
    return places.flatmap(
        lambda chosen: st.fixed_dictionaries(
            {place: st.integers(2, 9).flatmap(lambda n: st.permutations(range(n))) for place in chosen}
        )
    )


@FEWER
@given(groups(), st.integers(0, 2**32), st.data())
def test_timing_c09_samples_out_of_order_are_located_by_their_own_time(
    opened: Opened, out: Path, shuffled: dict[int, list[int]], seed: int, data: st.DataObject
) -> None:
    ticks = t.shuffled(t.stamps(300, jitter_ns=300, seed=seed), shuffled).astype(np.int64)
    asked = np.sort(ticks)[:, np.newaxis] + data.draw(st.sampled_from([(0, 1), (16_000, 32_000), (-1, 20_000)]))
    asked = asked[(asked >= ticks.min()) & (asked <= ticks.max())]
    latest = [int(np.flatnonzero(ticks == ticks[ticks <= tick].max())[-1]) for tick in asked.tolist()]
    with opened(t.ptp(ticks)) as ns, warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.DamagedFile)
        if len(ns.segments) > 1:  # a group that sorting does not mend
            return
        for file in (ns, ns.fully_scanned()):
            assert file.locate(asked)[1].tolist() == latest
        _, _, described = written(ns, out)
        assert described.tick_to_row(asked).tolist() == latest
        a, z = sorted(data.draw(st.tuples(*[st.sampled_from(ticks.tolist())] * 2)))
        inside = np.flatnonzero((ticks >= a) & (ticks < z + 1))
        _, rows, part = written(ns, out, start_tick=a, stop_tick=z + 1)
        assert rows.tolist() == b.ramp(300, 2)[inside].tolist()
        np.testing.assert_array_equal(part.row_to_tick(range(len(rows))), ticks[inside])
        np.testing.assert_array_equal(part.tick_to_row(ticks[inside]), np.arange(len(inside)))
        outside = np.setdiff1d(ticks, ticks[inside])
        assert (part.tick_to_row(outside[outside < a]) == -1).all()


def test_timing_c27_a_part_that_is_read_sorted_is_that_part_of_all(opened: Opened) -> None:
    """Groups of any length, in any order: what is judged far from a part does not change it."""
    for seed in range(20):
        rng, n = np.random.default_rng(seed), 260
        ticks = t.stamps(n, jitter_ns=300, breaks={int(rng.integers(n - 1)): 3.0}, seed=seed)
        for _ in range(8):
            length, place = int(rng.choice([2, 3, 5, 9, 15])), int(rng.integers(0, n - 15))
            ticks = t.shuffled(ticks, {place: rng.permutation(length)})
        with opened(t.ptp(ticks)) as ns:
            for segment in ns.segments:
                whole, times = ns.read(segment=segment.index, sort=True), segment.ticks(sort=True)
                a, z = np.sort(rng.integers(0, segment.n_samples + 1, 2)).tolist()
                np.testing.assert_array_equal(ns.read(a, z, segment=segment.index, sort=True), whole[a:z])
                np.testing.assert_array_equal(segment.ticks(a, z, sort=True), times[a:z])
