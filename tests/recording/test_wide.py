# SPDX-License-Identifier: MIT
"""Several instruments side by side on their common clock: claims of ``spec_notes/timing.md``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from depth import FEWER
from fixture_types import FileOf, NewFolder
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.export.bin import BinFile

OpenedTogether = Callable[..., list[nv.NsxFile]]

Interval = tuple[int, int]  # first tick, samples
SAMPLE_NS = 1e9 / 30_000


def of_time(ticks: np.ndarray, n_channels: int, instrument: int) -> np.ndarray:
    """Samples that encode their time, channel and instrument."""
    wide = ticks.astype(np.int64)[:, np.newaxis] * 7 + np.arange(n_channels) * 3 + instrument
    return (wide % 30_000 + 1).astype(np.int16)


def instrument(number: int, intervals: Sequence[Interval], n_channels: int) -> bytes:
    blocks = [(tick, of_time(np.arange(tick, tick + n), n_channels, number)) for tick, n in intervals]
    return b.nsx(blocks)


def expected(number: int, intervals: Sequence[Interval], n_channels: int, ticks: np.ndarray) -> np.ndarray:
    """What a wide row should hold for an instrument: its sample of that time, zeros where it has none."""
    recorded = np.zeros(ticks.size, bool)
    for tick, n in intervals:
        recorded |= (ticks >= tick) & (ticks < tick + n)
    return np.where(recorded[:, np.newaxis], of_time(ticks, n_channels, number), 0)


def read(file: BinFile) -> tuple[np.ndarray, np.ndarray]:
    """Samples and times of one ``.bin``."""
    samples = np.fromfile(file.path, file.dtype).reshape(-1, file.n_channels)
    return samples, nv.read_sidecar(file.path).row_to_tick(np.arange(len(samples))).astype(np.int64)


@pytest.fixture
def opened(file_of: FileOf) -> Iterator[OpenedTogether]:
    """Write instruments' files and open them all."""
    with ExitStack() as stack:

        def write_and_open(*files: bytes) -> list[nv.NsxFile]:
            names = [file_of(data, f"x-NSP{k + 1}.ns5") for k, data in enumerate(files)]
            return [stack.enter_context(nv.open_nsx(name)) for name in names]

        yield write_and_open


@st.composite
def recordings(draw: st.DrawFn) -> list[list[Interval]]:
    """Two or three instruments, each with one to three intervals that do not touch."""
    made = []
    for _ in range(draw(st.integers(2, 3))):
        tick, intervals = draw(st.integers(0, 60)), []
        for _ in range(draw(st.integers(1, 3))):
            n = draw(st.integers(1, 60))
            intervals.append((tick, n))
            tick += n + draw(st.integers(1, 40))
        made.append(intervals)
    return made


@given(recordings(), st.sampled_from(["join", "split", "fill"]))
def test_timing_c40_a_wide_row_holds_every_instruments_sample_of_its_time(file_of: FileOf, made, policy) -> None:
    with ExitStack() as stack:
        files = [
            stack.enter_context(nv.open_nsx(file_of(instrument(k, intervals, 2 + k), f"x-NSP{k}.ns5")))
            for k, intervals in enumerate(made)
        ]
        target = Path(files[0].path).with_name("wide.bin")
        both = set.intersection(*({t for tick, n in intervals for t in range(tick, tick + n)} for intervals in made))
        if not both:
            with pytest.raises(nv.GapError, match="at the same time"):
                nv.write_bin(files, target, gaps=policy, overwrite=True)
            return
        report = nv.write_bin(files, target, gaps=policy, max_fill=1e9, overwrite=True)
        seen: list[int] = []
        for file in report.files:
            samples, ticks = read(file)
            want = [expected(k, intervals, 2 + k, ticks) for k, intervals in enumerate(made)]
            np.testing.assert_array_equal(samples, np.hstack(want))
            seen += ticks.tolist()
    either = {t for intervals in made for tick, n in intervals for t in range(tick, tick + n)}
    every = range(min(either), max(either) + 1)
    assert seen == (list(every) if policy == "fill" else sorted(both))


def test_timing_c41_error_refuses_what_any_instrument_lacks_and_takes_what_all_have(
    opened: OpenedTogether, tmp_path: Path
) -> None:
    files = opened(instrument(0, [(0, 100), (150, 100)], 2), instrument(1, [(20, 230)], 3))
    with pytest.raises(nv.GapError, match="50 samples") as refused:
        nv.write_bin(files, tmp_path / "w.bin")
    assert len(refused.value.gaps) == 1
    report = nv.write_bin(files, tmp_path / "w.bin", stop_tick=100)
    _, ticks = read(report)
    assert (ticks[0], ticks[-1]) == (20, 99)


def test_timing_c42_the_same_choice_of_columns_is_made_of_each_instrument(
    opened: OpenedTogether, tmp_path: Path
) -> None:
    files = opened(instrument(0, [(0, 50)], 4), instrument(1, [(0, 50)], 4))
    report = nv.write_bin(files, tmp_path / "w.bin", electrodes=[3, 1])
    samples, ticks = read(report)
    assert report.electrode_ids == (3, 1, 3, 1)
    want = [of_time(ticks, 4, k)[:, [2, 0]] for k in range(2)]
    np.testing.assert_array_equal(samples, np.hstack(want))
    contents = nv.read_sidecar(report.path).contents
    assert [(i["name"], i["first_column"], i["stop_column"]) for i in contents["instruments"]] == [
        ("x-NSP1.ns5", 0, 2),
        ("x-NSP2.ns5", 2, 4),
    ]


def test_timing_c42_an_iterator_chooses_of_each_instrument_too(opened: OpenedTogether, tmp_path: Path) -> None:
    both = nv.combine_instruments(opened(instrument(0, [(0, 50)], 4), instrument(1, [(0, 50)], 4)))
    assert both.columns(electrodes=iter([3, 1])).tolist() == both.columns(iter([2, 0])).tolist() == [2, 0, 6, 4]
    assert nv.write_bin(both, tmp_path / "w.bin", channels=iter([2])).electrode_ids == (3, 3)
    assert nv.write_sorter(both, tmp_path / "sorter", electrodes=iter([3])).export.n_channels == 2


def hub(seed: int, start_tick: int, n: int, ppm: float, lost_at: int | None = None) -> tuple[bytes, np.ndarray]:
    """An instrument whose samples have timestamps of a drifting, jittering clock; three may be lost."""
    at = np.arange(n) + (3 * (np.arange(n) >= lost_at) if lost_at is not None else 0)
    jitter = np.random.default_rng(seed).integers(-300, 301, n)
    ticks = start_tick + np.rint(at * SAMPLE_NS * (1 + ppm * 1e-6)).astype(np.int64) + jitter
    return b.nsx([(0, np.empty((0, 1)))], "ptp")[:380] + b.packets(ticks.tolist(), _place(ticks)), ticks


def _place(ticks: np.ndarray) -> np.ndarray:
    return (np.rint((ticks - 10**15) / SAMPLE_NS).astype(np.int64) % 30_000).astype(np.int16)[:, np.newaxis]


@pytest.mark.parametrize("policy", ["join", "fill"])
def test_timing_c43_drifting_instruments_stay_within_a_sample_of_the_grid(
    opened: OpenedTogether, tmp_path: Path, policy
) -> None:
    one, _ = hub(1, 10**15, 90_000, 60)
    other, _ = hub(2, 10**15 + 123_456_789, 90_000, -45, lost_at=50_000)
    report = nv.write_bin(opened(one, other), tmp_path / "w.bin", gaps=policy)
    samples, ticks = read(report)
    recorded = (samples != 0).all(axis=1)
    rows = np.rint((ticks[recorded] - 10**15) / SAMPLE_NS).astype(np.int64) % 30_000
    for column in samples[recorded].T.astype(np.int64):
        off = (column - rows + 15_000) % 30_000 - 15_000
        assert np.abs(off).max() <= 1
    assert report.n_repeated > 0
    assert report.n_dropped > 0
    lost = np.diff(ticks) > 1.5 * SAMPLE_NS
    assert lost.sum() == (1 if policy == "join" else 0)


def test_timing_c44_instruments_without_common_time_are_refused_with_their_ranges(
    opened: OpenedTogether, tmp_path: Path
) -> None:
    files = opened(instrument(0, [(0, 10)], 1), instrument(1, [(500, 10)], 1))
    for policy in ("error", "join", "split", "fill"):
        with pytest.raises(nv.GapError, match=r"ticks 0 to 10; .*ticks 500 to 510"):
            nv.write_bin(files, tmp_path / "w.bin", gaps=policy)
    assert not list(tmp_path.glob("w*"))


def test_instruments_of_another_rate_or_type_or_without_samples_are_refused(
    opened: OpenedTogether, tmp_path: Path
) -> None:
    plain = instrument(0, [(0, 10)], 1)
    slower = b.nsx([(0, np.ones((4, 1), np.int16))], period=15)
    floats = b.nsx([(0, np.ones((4, 1), np.float32))], "nfx")
    for other in (slower, floats, b.nsx([], ids=[1])):
        with pytest.raises(ValueError, match=r"x-NSP2\.ns5: expected 30000"):
            nv.write_bin(opened(plain, other), tmp_path / "w.bin")


def test_an_instrument_whose_clock_was_set_back_is_refused(opened: OpenedTogether, tmp_path: Path) -> None:
    files = opened(instrument(0, [(100, 50), (20, 50)], 1), instrument(1, [(0, 200)], 1))
    with pytest.raises(nv.GapError, match="one by one"):
        nv.write_bin(files, tmp_path / "w.bin", gaps="join")


def test_no_instrument_is_overwritten(opened: OpenedTogether, tmp_path: Path) -> None:
    files = opened(instrument(0, [(0, 50)], 1), instrument(1, [(0, 50)], 1))
    before = Path(files[1].path).read_bytes()
    with pytest.raises(nv.ExportError, match="the recording itself"):
        nv.write_bin(files, files[1].path, overwrite=True)
    assert Path(files[1].path).read_bytes() == before


def test_filling_with_the_last_sample_holds_each_instruments_own(opened: OpenedTogether, tmp_path: Path) -> None:
    files = opened(instrument(0, [(0, 10), (20, 10)], 2), instrument(1, [(0, 30)], 2))
    samples, ticks = read(nv.write_bin(files, tmp_path / "w.bin", gaps="fill", fill="hold"))
    last = of_time(np.array([9]), 2, 0)[0]
    assert (samples[10:20, :2] == last).all()
    np.testing.assert_array_equal(samples[:, 2:], of_time(ticks, 2, 1))


def test_a_thousand_channels_stream_in_bounded_batches(opened: OpenedTogether, tmp_path: Path) -> None:
    files = opened(*(instrument(k, [(k, 3_000)], 144) for k in range(8)))
    report = nv.write_bin(files, tmp_path / "w.bin", channels=slice(0, 128))
    samples, ticks = read(report)
    assert samples.shape == (3_000 - 7, 1024)
    np.testing.assert_array_equal(samples, np.hstack([of_time(ticks, 144, k)[:, :128] for k in range(8)]))


def test_a_sample_that_falls_on_the_row_of_the_one_before_is_left_out_and_counted(
    opened: OpenedTogether, tmp_path: Path
) -> None:
    files = opened(instrument(0, [(0, 50), (49, 50)], 1), instrument(1, [(0, 99)], 1))
    report = nv.write_bin(files, tmp_path / "w.bin")
    samples, ticks = read(report)
    assert report.n_dropped == 1
    assert ticks.tolist() == list(range(99))
    np.testing.assert_array_equal(samples[:, :1], of_time(ticks, 1, 0))


def test_an_instrument_that_hardly_recorded_is_not_filled_without_being_allowed(
    opened: OpenedTogether, tmp_path: Path
) -> None:
    files = opened(instrument(0, [(0, 1)], 1), instrument(1, [(0, 1), (299, 1)], 1), instrument(2, [(0, 300)], 1))
    with pytest.raises(nv.GapError, match=r"597 rows .* for 303 recorded.*max_fill"):
        nv.write_bin(files, tmp_path / "w.bin", gaps="fill", max_fill=1.9)
    assert nv.write_bin(files, tmp_path / "w.bin", gaps="fill", max_fill=10).n_filled == 597


@given(recordings(), st.integers(0, 200), st.integers(1, 100), st.sampled_from([-1, "hold"]))
def test_timing_c48_what_is_filled_counts_within_the_range(file_of: FileOf, made, start: int, n: int, fill) -> None:
    every = [{t for tick, m in intervals for t in range(tick, tick + m)} for intervals in made]
    if not set.intersection(*every):
        return
    ticks = [t for t in range(start, start + n) if t <= max(set.union(*every))]
    ticks = [t for t in ticks if any(min(own) <= t for own in every)]
    while ticks and not any(ticks[0] in own for own in every):  # a range begins and ends where one recorded
        ticks.pop(0)
    while ticks and not any(ticks[-1] in own for own in every):
        ticks.pop()
    if not ticks:
        return
    with ExitStack() as stack:
        files = [
            stack.enter_context(nv.open_nsx(file_of(instrument(k, intervals, 2), f"x-NSP{k}.ns5")))
            for k, intervals in enumerate(made)
        ]
        target = Path(files[0].path).with_name("wide.bin")
        options: dict[str, Any] = {
            "gaps": "fill",
            "fill": fill,
            "max_fill": 1e9,
            "start_tick": start,
            "stop_tick": start + n,
        }
        report = nv.write_bin(files, target, **options)
        samples, read_ticks = read(report)
    assert read_ticks.tolist() == ticks
    by_some = [t for t in ticks if any(t in own for own in every)]
    filled = [sum(t not in own for t in by_some) for own in every]
    contents = nv.read_sidecar(report.path).contents
    assert [item["filled_rows"] for item in contents["instruments"]] == filled
    assert report.n_filled == sum(filled) + len(ticks) - len(by_some)
    for k, own in enumerate(every):
        last = np.array([max((s for s in own if s <= t), default=-1) for t in ticks])
        wanted = of_time(last, 2, k)
        if fill == "hold":
            wanted[last < 0] = 0  # before an instrument's first sample
        else:
            wanted[last != ticks] = fill
        np.testing.assert_array_equal(samples[:, 2 * k : 2 * k + 2], wanted)


def test_timing_c48_only_the_range_is_judged_by_max_fill(opened: OpenedTogether, tmp_path: Path) -> None:
    files = opened(instrument(0, [(0, 100), (4_100, 100)], 1), instrument(1, [(0, 4_200)], 1))
    options: dict[str, Any] = {"gaps": "fill", "max_fill": 0.1, "overwrite": True}
    with pytest.raises(nv.GapError, match="4000 rows"):
        nv.write_bin(files, tmp_path / "w.bin", **options)
    assert nv.write_bin(files, tmp_path / "w.bin", stop_tick=100, **options).n_filled == 0
    with pytest.raises(nv.GapError, match="10 rows"):
        nv.write_bin(files, tmp_path / "w.bin", stop_tick=110, **options | {"max_fill": 0.04})


@FEWER
@given(st.integers(1, 2_999))
def test_timing_c48_changes_of_two_ranges_are_those_of_both_together(
    opened: OpenedTogether, new_folder: NewFolder, cut: int
) -> None:
    files = opened(hub(1, 10**15, 3_000, 6_000)[0], hub(2, 10**15, 3_000, -4_500)[0])
    folder, between = new_folder(), 10**15 + round(cut * SAMPLE_NS)

    def counts(**options: Any) -> list[int]:
        try:
            report = nv.write_bin(files, folder / "w.bin", gaps="join", overwrite=True, **options)
        except ValueError:  # no row is there
            return [0, 0]
        contents = nv.read_sidecar(report.path).contents
        of_all = [contents["dropped_samples"], contents["repeated_samples"]]
        for name, total in zip(("dropped_samples", "repeated_samples"), of_all, strict=True):
            assert sum(item[name] for item in contents["instruments"]) == total
        assert of_all == [report.n_dropped, report.n_repeated]
        return of_all

    parts = [counts(stop_tick=between), counts(start_tick=between)]
    together = counts()
    assert [sum(of_one) for of_one in zip(*parts, strict=True)] == together
    assert all(together)
