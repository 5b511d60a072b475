# SPDX-License-Identifier: MIT
"""What proves that instruments are on one clock, and what is said of each: claims of ``spec_notes/joining.md``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.recording.belonging import FileTime, compare_clocks
from nevparse.traces.plan import GapPolicy

Together = Callable[..., list[nv.NsxFile]]
RATE = 30_000


def instrument(
    *blocks: tuple[int, int],
    after_s: float = 0,
    ids: Sequence[int] = (1, 2),
    kind: str = "2.3",
    value: int = 0,
    period: int = 1,
) -> bytes:
    """A file of (tick, samples) blocks whose header's date is `after_s` later than that of others."""
    data = [(tick, np.full((n, len(ids)), value, np.int16)) for tick, n in blocks]
    return b.nsx(data, kind, ids=ids, period=period, origin=t.origin(after_s))


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    """Write each file into a folder of its own, all under one name, and open them."""
    with ExitStack() as stack:

        def write_and_open(*files: bytes) -> list[nv.NsxFile]:
            opened, days = [], len(list(tmp_path.glob("day*")))
            for number, data in enumerate(files, days):
                path = tmp_path / f"day{number}" / "x.ns5"
                path.parent.mkdir()
                path.write_bytes(data)
                opened.append(stack.enter_context(nv.open_nsx(path)))
            return opened

        yield write_and_open


# ------------------------------------------------------------------------------------------------------ proof


@pytest.mark.parametrize("policy", ["error", "join", "split", "fill"])
def test_joining_c02_successive_files_from_tick_0_are_never_laid_side_by_side(
    together: Together, tmp_path: Path, policy: GapPolicy
) -> None:
    files = together(instrument((0, 300)), instrument((0, 300), after_s=3600))
    with pytest.raises(ValueError, match=r"3600\.000 s apart.*electrodes 1-2.*concatenate \(--append\)") as refused:
        nv.write_bin(files, tmp_path / "w.bin", gaps=policy)
    assert files[0].path in str(refused.value)
    assert files[1].path in str(refused.value)
    assert not list(tmp_path.glob("w*"))


def test_joining_c02_two_instruments_seconds_apart_are_refused_with_the_offset_of_their_dates(
    together: Together, tmp_path: Path
) -> None:
    files = together(instrument((0, 4 * RATE)), instrument((0, 4 * RATE), after_s=2.5, ids=(3, 4), value=7))
    with pytest.raises(ValueError, match=r"offsets=\[0, 75000\] \(--offsets 0,75000t\)"):
        nv.combine_instruments(files)
    report = nv.write_bin(nv.combine_instruments(files, offsets=[0, 75_000]), tmp_path / "w.bin")
    assert report.n_samples == 45_000
    assert nv.read_sidecar(report.path).row_to_tick([0]) == [75_000]


def test_joining_c02_files_without_a_date_are_refused_unless_the_clock_is_stated(together: Together) -> None:
    files = together(b.nsx([(0, b.ramp(50, 2, "2.1"))], "2.1"), b.nsx([(0, b.ramp(50, 2, "2.1"))], "2.1"))
    with pytest.raises(ValueError, match=r"without a date.*clock='same' \(--same-clock\)"):
        nv.combine_instruments(files)
    assert nv.combine_instruments(files, clock="same").n_samples == 50


@given(st.integers(0, 10**8), st.integers(-4000, 4000), st.integers(-4000, 4000), st.sampled_from(["2.3", "3.0"]))
def test_joining_c01_dates_and_first_samples_agree_within_a_second(
    first: int, date_ms: int, start_ms: int, kind: str
) -> None:
    """In 2.3 the date may be that of tick 0 or of the first sample; in 3.0 it is that of the first sample."""
    start = max(0, first + start_ms * 30)
    one = instrument((first, 5_000), kind=kind, period=30)
    other = instrument((start, 5_000), after_s=date_ms / 1000, kind=kind, period=30)
    zeros_ms = [date_ms - (start - first) / 30, *([date_ms] if kind == "2.3" else [])]
    with nv.open_nsx(one) as a, nv.open_nsx(other) as c:
        if max(map(abs, zeros_ms)) <= 1000:
            assert nv.combine_instruments([a, c]).clock_note.startswith("dates within")
        else:
            with pytest.raises(ValueError, match="expected instruments on one clock"):
                nv.combine_instruments([a, c])


def test_joining_c01_first_samples_must_agree_with_the_dates_as_well() -> None:
    one, other = (FileTime(0, 0, tick, tick + RATE, RATE, False) for tick in (0, 10 * RATE))
    compared = compare_clocks(one, other)
    assert (compared.is_same, compared.apart_s) == (False, -10)
    assert compared.found == "header dates 0.000 s apart, and first samples 10.000 s apart by their ticks"


def test_joining_c01_clocks_since_1970_need_no_dates_but_must_count_the_same_seconds(together: Together) -> None:
    ticks = t.stamps(300, start=t.EPOCH_NS)
    wrong_date = t.ptp(ticks, origin=t.origin(-7 * 3600))  # local time in the header
    assert "since 1970" in nv.combine_instruments(together(t.ptp(ticks), wrong_date)).clock_note
    atomic = t.ptp(t.stamps(300, start=t.EPOCH_NS + 37 * t.NS))
    with pytest.raises(ValueError, match=r"37\.000 s apart"):
        nv.combine_instruments(together(t.ptp(ticks), atomic))


def test_joining_c03_the_caller_may_state_the_clock_whatever_the_dates_say(together: Together) -> None:
    files = together(instrument((0, 300)), instrument((100, 300), after_s=3600))
    combined = nv.combine_instruments(files, clock="same")
    assert [(s.start_tick, s.n_samples) for s in combined.segments] == [(100, 200)]
    assert combined.clock_note == "one clock, as the caller says"


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=3), st.data())
def test_joining_c03_offsets_put_each_instrument_on_the_clock_of_the_first(
    shifts: list[int], data: st.DataObject
) -> None:
    """The builder records the same moments by clocks that differ; each sample is its moment."""
    offsets = [0, *shifts]
    with ExitStack() as stack:
        files = []
        for number, shift in enumerate(offsets):
            first = 1000 + data.draw(st.integers(0, 40))
            samples = np.arange(first, first + 100, dtype=np.int16)[:, None]
            file = b.nsx([(first - shift, samples)], ids=[number + 1], origin=t.origin(7200 * number))
            files.append(stack.enter_context(nv.open_nsx(file)))
        target = Path(stack.enter_context(_folder())) / "w.bin"
        report = nv.write_bin(nv.combine_instruments(files, offsets=offsets), target)
        rows = np.fromfile(report.path, np.int16).reshape(-1, len(files))
        ticks = nv.read_sidecar(report.path).row_to_tick(np.arange(len(rows)))
        contents = nv.read_sidecar(report.path).contents
    np.testing.assert_array_equal(rows, np.repeat(ticks.astype(np.int16)[:, None], len(files), axis=1))
    assert [one["offset_ticks"] for one in contents["instruments"]] == offsets


def test_joining_c03_a_nev_has_the_offset_of_its_instrument(tmp_path: Path) -> None:
    for name, after_s, ids in (("a", 0, (1, 2)), ("b", 2.5, (3, 4))):
        (tmp_path / f"{name}.ns5").write_bytes(instrument((0, 4 * RATE), after_s=after_s, ids=ids))
        (tmp_path / f"{name}.nev").write_bytes(t.spike_nev([75_001, 90_000]))
    with nv.open_recording(tmp_path / "a") as one, nv.open_recording(tmp_path / "b") as other:
        combined = nv.combine_instruments([one.nsx[5], other.nsx[5]], offsets=[0, 75_000])
        sidecar = nv.read_sidecar(nv.write_bin(combined, tmp_path / "w.bin").path)
        assert sidecar.spike_rows(one, [75_001, 90_000]).tolist() == [1, 15_000]
        assert sidecar.spike_rows(other, [1, 15_000]).tolist() == [1, 15_000]


@pytest.mark.parametrize("way", ["relative", "moved", "moved and renamed"])
def test_joining_c03_an_instrument_is_known_by_its_file_or_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Not by how its path was typed; another recording is refused, for its offset would be guessed."""
    folder, moved = tmp_path / "here", tmp_path / "there"
    folder.mkdir()
    for name, ids in (("a", (1, 2)), ("b", (3, 4))):
        (folder / f"{name}.ns5").write_bytes(instrument((0, 4 * RATE), ids=ids))
        (folder / f"{name}.nev").write_bytes(t.spike_nev([5]))
    monkeypatch.chdir(folder)
    with nv.open_nsx("a.ns5") as one, nv.open_nsx("b.ns5") as other:
        report = nv.write_bin(nv.combine_instruments([one, other], offsets=[0, 300]), tmp_path / "w.bin")
    monkeypatch.chdir(tmp_path)
    if way != "relative":
        folder.rename(moved)
    base = (folder if way == "relative" else moved) / "b"
    if way == "moved and renamed":
        for member in moved.glob("b.*"):
            member.rename(member.with_stem("c"))
    with nv.open_recording(base.with_name("c") if way == "moved and renamed" else base) as recording:
        sidecar = nv.read_sidecar(report.path)
        if way == "moved and renamed":
            with pytest.raises(ValueError, match=r"expected a recording of one of a\.ns5, b\.ns5, whose clocks differ"):
                sidecar.spike_rows(recording, [5])
        else:
            assert sidecar.spike_rows(recording, [5]).tolist() == [5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clock": "other"}, "expected clock to be None or 'same', found 'other'"),
        ({"clock": "same", "offsets": [0, 1]}, "expected clock or offsets, found both"),
        ({"offsets": [0]}, "0 and one for each further file, found [0]"),
        ({"offsets": [5, 0]}, "0 and one for each further file, found [5, 0]"),
        ({"offsets": [0, -1]}, "no sample before tick 0"),
        ({"offsets": [0, 0.5]}, "expected an offset as an integer, found 0.5"),
    ],
)
def test_what_cannot_be_a_clock_is_refused(together: Together, options: dict[str, object], message: str) -> None:
    files = together(instrument((0, 300)), instrument((0, 300)))
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        nv.combine_instruments(files, **options)  # type: ignore[arg-type]


def test_instruments_without_a_time_in_common_are_named_with_all_of_their_time(together: Together) -> None:
    files = together(
        b.nsx([(900, b.ramp(50, 1)), (30, b.ramp(50, 1))], ids=[1]), b.nsx([(2000, b.ramp(50, 1))], ids=[2])
    )
    with pytest.raises(nv.GapError, match=r"ticks 30 to 950; .* ticks 2000 to 2050"):
        nv.combine_instruments(files, clock="same")


# ------------------------------------------------------------------------------------ electrodes, names, what is left


def test_joining_c04_the_same_file_twice_is_refused(together: Together) -> None:
    (file,) = together(instrument((0, 300)))
    with nv.open_nsx(file.path) as again:
        for twice in ([file, file], [file, again]):
            with pytest.raises(ValueError, match="found this one twice"):
                nv.combine_instruments(twice)


def test_joining_c04_doubled_electrodes_are_named_and_instruments_of_one_name_are_told_apart(
    together: Together, tmp_path: Path
) -> None:
    files = together(instrument((0, 300), ids=(1, 2)), instrument((0, 300), ids=(2, 3)))
    combined = nv.combine_instruments(files)
    assert combined.doubled_electrodes == [2]
    report = nv.write_bin(combined, tmp_path / "w.bin")
    described = nv.read_sidecar(report.path).contents["instruments"]
    assert [one["name"] for one in described] == ["day0/x.ns5", "day1/x.ns5"]
    assert [one["path"] for one in described] == [file.path for file in files]
    with nv.open_nsx(instrument((0, 9))) as a, nv.open_nsx(instrument((0, 9))) as c:
        assert len(set(nv.combine_instruments([a, c]).names)) == 2


def test_joining_c05_the_drift_of_instruments_is_measured(together: Together, tmp_path: Path) -> None:
    stamps = [t.stamps(90_000, drift_ppm=ppm, jitter_ns=200, seed=seed) for seed, ppm in enumerate((60, -45))]
    report = nv.write_bin(together(*map(t.ptp, stamps)), tmp_path / "w.bin")
    slower, faster = (one.rate_ppm for one in report.instruments)
    assert slower == pytest.approx(-60, abs=0.5)
    assert faster == pytest.approx(45, abs=0.5)
    assert "day1/x.ns5" in report.lines()[-1]
    assert "sampling rate +45.0 ppm" in report.lines()[-1]
    rates = [one["rate_ppm"] for one in nv.read_sidecar(report.path).contents["instruments"]]
    assert rates == [slower, faster]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(50, 120)), min_size=2, max_size=3),
    st.integers(0, 60),
    st.integers(61, 150),
    st.sampled_from(["join", "split", "fill"]),
)
def test_joining_c06_what_only_some_recorded_is_counted_for_each(
    recorded: list[tuple[int, int]], start: int, stop: int, policy: GapPolicy
) -> None:
    every = [set(range(tick, tick + n)) & set(range(start, stop)) for tick, n in recorded]
    both = set.intersection(*every)
    kept = set.union(*every) if policy == "fill" else both
    if not both:
        return
    with ExitStack() as stack:
        files = [stack.enter_context(nv.open_nsx(instrument(block))) for block in recorded]
        folder = Path(stack.enter_context(_folder()))
        report = nv.write_bin(files, folder / "w.bin", gaps=policy, start_tick=start, stop_tick=stop)
        described = nv.read_sidecar(report.path).contents["instruments"]
    left_out = [len(own - kept) for own in every]
    assert [one.n_left_out for one in report.instruments] == left_out
    assert [one["left_out_samples"] for one in described] == left_out
    for line, n in zip(report.lines()[-len(files) :], left_out, strict=True):
        assert (f"{n} samples left out" in line) == (n > 0)


def test_joining_c06_some_rows_of_a_wide_recording_leave_nothing_out(together: Together) -> None:
    x = nv.combine_instruments(together(instrument((0, 90)), instrument((10, 90)))).traces()
    assert [one.n_left_out for one in x.instruments] == [10, 10]
    assert [one.n_left_out for one in x.rows(20, 40).instruments] == [0, 0]


def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory()
