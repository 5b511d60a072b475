# SPDX-License-Identifier: MIT
"""One way to choose channels, electrodes and times: the claims of `spec_notes/choosing.md`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv

LABELS = ["chan1", "chan2", "chan3", "ainp1"]
RATE = 30_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nv.Recording]:
    """Four channels, 3 s from tick 1000 and 3 s after a pause of 1 s; spikes of electrodes 1, 2, 3 and 9 meanwhile."""
    heads = [b.channel(k, label=f"chan{k}") for k in (1, 2, 3)]
    second = 1000 + 4 * RATE
    blocks = [(1000, b.ramp(3 * RATE, 4)), (second, b.ramp(3 * RATE, 4, first=3 * RATE))]
    folder = tmp_path_factory.mktemp("recording")
    (folder / "s.ns5").write_bytes(b.nsx(blocks, channels=[*heads, b.analog_input(1)]))
    spikes = [nb.V2.spike(tick, (1, 2, 3, 9)[tick // 500 % 4], tick // 1000 % 3) for tick in range(0, 8 * RATE, 500)]
    named = [nb.lbl(k, f"chan{k}".encode()) for k in (1, 2, 3)]
    (folder / "s.nev").write_bytes(nb.nev(spikes, [nb.wav(1), nb.wav(2), nb.wav(3), *named]))
    with nv.open_recording(folder / "s") as opened:
        opened.nsx[5].read(0, 1, segment=0)  # both are mapped from here on
        opened.require_nev().spikes()
        yield opened


@pytest.fixture
def ns(recording: nv.Recording) -> nv.NsxFile:
    return recording.nsx[5]


@pytest.fixture
def nev(recording: nv.Recording) -> nv.NevFile:
    return recording.require_nev()


def ticks_of(nev: nv.NevFile, **choice: Any) -> list[int]:
    ticks: list[int] = nev.spikes(**choice)["tick"].tolist()
    return ticks


def test_choosing_c01_one_is_a_list_of_one(ns: nv.NsxFile, nev: nv.NevFile) -> None:
    for name, one in {"channels": 2, "electrodes": np.int16(3), "labels": "chan3", "exclude": "ainp*"}.items():
        alone, listed = {name: one}, {name: [one]}
        assert ns.columns(**alone).tolist() == ns.columns(**listed).tolist()  # type: ignore[arg-type]
        assert ns.read(0, 9, segment=0, **alone).shape == ns.read(0, 9, segment=0, **listed).shape  # type: ignore[arg-type]
    assert ns.columns(2).tolist() == ns.columns(electrodes=3).tolist() == ns.columns(labels="chan3").tolist() == [2]
    assert ticks_of(nev, electrodes=1) == ticks_of(nev, electrodes=[1]) == ticks_of(nev, labels="chan1") != []
    with pytest.raises(ValueError, match="one way to choose columns, found channels and labels"):
        ns.columns(channels=1, labels="chan1")
    with pytest.raises(ValueError, match="one way to choose electrodes"):
        nev.spikes(1, labels="chan1")


def test_choosing_c01_all_functions_take_the_same_choice(ns: nv.NsxFile, nev: nv.NevFile, tmp_path: Path) -> None:
    choice: dict[str, Any] = {"labels": "chan?", "exclude": 2, "start_s": 4.5, "stop_s": 4.75}
    want = ns.segments[1].samples[RATE // 2 : 3 * RATE // 4, [0, 2]]
    np.testing.assert_array_equal(ns.read(**choice), want)
    np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in ns.chunks(1000, **choice)]), want)
    nv.write_bin(ns, tmp_path / "s.bin", **choice)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "s.bin", "<i2").reshape(-1, 2), want)
    nv.write_sorter(ns, tmp_path / "sorter", **choice)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "sorter" / "recording.bin", "<i2").reshape(-1, 2), want)
    nv.write_nsx(ns, tmp_path / "cut.ns5", **choice)
    with nv.open_nsx(tmp_path / "cut.ns5") as cut:
        np.testing.assert_array_equal(cut.segments[0].samples, want)
        assert cut.electrode_ids.tolist() == [1, 3]
    nv.write_nev(nev, tmp_path / "cut.nev", **choice)
    with nv.open_nev(tmp_path / "cut.nev") as part:
        assert part.spikes(waveforms=False).tolist() == nev.spikes(waveforms=False, **choice).tolist() != []


@given(
    wanted=st.none() | st.lists(st.integers(0, 3), unique=True),
    excluded=st.lists(st.sampled_from([1, 2, 3, *LABELS, "chan*"])),
)
def test_choosing_c02_what_is_excluded_is_taken_away_in_order(ns: nv.NsxFile, wanted: Any, excluded: list[Any]) -> None:
    names = {1: {0}, 2: {1}, 3: {2}, "chan*": {0, 1, 2}} | {label: {k} for k, label in enumerate(LABELS)}
    away: set[int] = set().union(*(names[each] for each in excluded))
    ids = ns.electrode_ids
    truth = [column for column in (range(4) if wanted is None else wanted) if column not in away]
    assert ns.columns(channels=wanted, exclude=excluded).tolist() == truth
    if wanted is not None:
        assert ns.columns(electrodes=ids[wanted], exclude=excluded).tolist() == truth
        assert ns.columns(labels=[LABELS[k] for k in wanted], exclude=excluded).tolist() == truth


def test_choosing_c02_a_label_that_is_a_pattern_too_is_itself(tmp_path: Path) -> None:
    heads = [b.channel(1, label="a[1]"), b.channel(2, label="a1"), b.channel(3, label="a2")]
    (tmp_path / "s.ns5").write_bytes(b.nsx([(0, b.ramp(9, 3))], channels=heads))
    with nv.open_nsx(tmp_path / "s.ns5") as ns:
        assert (ns.columns(labels="a[1]").tolist(), ns.columns(exclude="a[1]").tolist()) == ([0], [1, 2])
        assert (ns.columns(labels="a[12]").tolist(), ns.columns(exclude="a[12]").tolist()) == ([1, 2], [0])


@pytest.mark.parametrize(("exclude", "message"), [(77, "no electrode 77"), ("chn1", "did you mean 'chan1'")])
def test_choosing_c02_what_is_excluded_is_there(ns: nv.NsxFile, nev: nv.NevFile, exclude: Any, message: str) -> None:
    for choose in (ns.columns, nev.spikes, nev.trains):
        with pytest.raises(KeyError, match=message):
            choose(exclude=exclude)


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        ({"electrodes": [3, 9]}, {3, 9}),
        ({"labels": "chan*"}, {1, 2, 3}),
        ({"labels": "chan*", "exclude": "chan2"}, {1, 3}),
        ({"exclude": [9, "chan1"]}, {2, 3}),
        ({"electrodes": []}, set()),
    ],
)
def test_choosing_c03_electrodes_of_a_nev_are_chosen_alike(nev: nv.NevFile, choice: Any, ids: set[int]) -> None:
    spikes = nev.spikes(waveforms=False, **choice)
    every = nev.spikes(waveforms=False)
    assert spikes.tolist() == every[np.isin(every["electrode_id"], list(ids))].tolist()
    for more in ({}, {"units": 1}, {"units": [0, 2], "start_s": 2, "sort": "tick"}, {"stop_tick": 5 * RATE}):
        chosen = nev.spikes(waveforms=False, **choice, **more)
        trains = nev.trains(**choice, **more)
        pairs = sorted({(int(s["electrode_id"]), int(s["unit"])) for s in chosen})
        assert list(trains) == pairs
        for electrode, unit in pairs:
            of_unit = chosen[(chosen["electrode_id"] == electrode) & (chosen["unit"] == unit)]
            assert trains[electrode, unit].tolist() == of_unit["tick"].tolist()


@pytest.mark.parametrize(
    ("label", "hint"),
    [
        ("Chan1", "did you mean 'chan1'"),
        ("chan1,chan2", "give 'chan1', 'chan2' as separate labels"),
        ("chan12", "did you mean or 'chan1' or 'chan2' or 'chan3'"),
        ("zzz", "the file has labels chan1, chan2, chan3, ainp1"),
    ],
)
def test_choosing_c04_a_wrong_label_gets_the_nearest(ns: nv.NsxFile, label: str, hint: str) -> None:
    with pytest.raises(KeyError) as raised:
        ns.columns(labels=label)
    message = raised.value.args[0]
    assert message.startswith(f"no label '{label}'")
    assert all(part in message for part in hint.split(" or "))


def test_choosing_c04_many_labels_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "s.ns5").write_bytes(b.nsx([(0, b.ramp(2, 96))]))
    with nv.open_nsx(tmp_path / "s.ns5") as wide, pytest.raises(KeyError, match="elec1 to elec96, 96 in all"):
        wide.columns(labels="q")


@given(start=st.integers(-RATE, 8 * RATE), length=st.integers(1, 8 * RATE))
def test_choosing_c05_seconds_are_ticks_after_the_first_sample(
    ns: nv.NsxFile, nev: nv.NevFile, start: int, length: int
) -> None:
    stop = start + length
    seconds: dict[str, Any] = {"start_s": start / RATE, "stop_s": stop / RATE}
    ticks: dict[str, Any] = {"start_tick": 1000 + start, "stop_tick": 1000 + stop}
    for call in (nev.spikes, nev.trains, lambda **span: nev.events("spike", **span)):
        assert str(call(**seconds)) == str(call(**ticks))
    inside = list(ns.chunks(10**6, **seconds))
    assert [chunk.start for chunk in inside] == [chunk.start for chunk in ns.chunks(10**6, **ticks)]
    held = [s.ticks()[(s.ticks() >= max(0, 1000 + start)) & (s.ticks() < max(0, 1000 + stop))] for s in ns.segments]
    held = [part for part in held if len(part)]
    assert [len(chunk.samples) for chunk in inside] == [len(part) for part in held]
    if len(held) == 1:
        np.testing.assert_array_equal(ns.read(**seconds), inside[0].samples)
    else:
        with pytest.raises(nv.GapError if held else ValueError, match="time is broken" if held else "hold samples"):
            ns.read(**seconds)


def test_choosing_c05_what_is_no_time_is_refused(ns: nv.NsxFile, nev: nv.NevFile) -> None:
    for call in (ns.read, nev.spikes, nev.trains):
        for wrong, error in ((float("nan"), ValueError), (float("inf"), ValueError), ("5", TypeError)):
            with pytest.raises(error):
                call(start_s=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected start_tick or start_s, found both"):
        nev.spikes(start_tick=0, start_s=0)
    with pytest.raises(ValueError, match=r"samples .* or seconds .* found both"):
        ns.read(0, start_s=0)


def test_choosing_c06_a_whole_float_is_a_tick(ns: nv.NsxFile, nev: nv.NevFile, tmp_path: Path) -> None:
    whole: Any
    for whole in (2.5 * ns.tick_rate, np.float32(75_000)):
        assert ticks_of(nev, stop_tick=whole) == ticks_of(nev, stop_tick=75_000) != []
        assert nv.write_bin(ns, tmp_path / "a.bin", stop_tick=whole, overwrite=True).n_samples == 74_000
    for wrong in (0.5, "5", None):
        span: dict[str, Any] = {"stop_tick": 9, "start_tick": wrong} if wrong else {"start_tick": [1]}
        for call in (
            nev.spikes,
            lambda **span: nev.events("spike", **span),
            lambda **span: list(ns.chunks(**span)),
            lambda **span: nv.write_bin(ns, tmp_path / "b.bin", **span),
            lambda **span: nv.write_nsx(ns, tmp_path / "b.ns5", **span),
            lambda **span: nv.write_nev(nev, tmp_path / "b.nev", **span),
        ):
            with pytest.raises(TypeError, match="start_tick"):
                call(**span)


def test_a_file_says_its_shape_and_duration(ns: nv.NsxFile) -> None:
    assert (ns.shape, ns.duration_s) == ((6 * RATE, 4), 6.0)


def test_choosing_c07_writers_take_paths_as_well_as_open_files(ns: nv.NsxFile, nev: nv.NevFile, tmp_path: Path) -> None:
    path = Path(ns.path)
    for recording, name in ((path, "a"), (str(path), "b"), ([path], "c")):
        report = nv.write_bin(recording, tmp_path / f"{name}.bin", channels=0, gaps="join")
        assert (report.n_samples, report.n_channels) == (6 * RATE, 1)
    assert nv.write_sorter(path, tmp_path / "sorter", gaps="join").export.n_channels == 3
    assert nv.write_nsx(path, tmp_path / "cut.ns5", channels=[1]).n_channels == 1
    assert nv.write_nev(nev.path, tmp_path / "cut.nev", electrodes=2).n_packets == 120
    with pytest.raises(FileNotFoundError):
        nv.write_bin(tmp_path / "none.ns5", tmp_path / "d.bin")


COLUMNS = {"channels": None, "electrodes": None, "labels": None, "kind": None, "exclude": None}
TIMES = {"start_tick": None, "stop_tick": None, "start_s": None, "stop_s": None}
GAPS = {"gaps": "error", "fill": 0, "max_fill": 10.0, "resample": None, "sort": False}


@pytest.mark.parametrize(
    ("function", "keywords"),
    [
        (nv.NsxFile.columns, COLUMNS),
        (nv.NsxFile.read, COLUMNS | {"start_s": None, "stop_s": None}),
        (nv.NsxFile.follow, COLUMNS),
        (nv.NsxFile.chunks, COLUMNS | TIMES),
        (nv.NsxFile.traces, COLUMNS | TIMES | GAPS),
        (nv.Traces.select, COLUMNS),
        (nv.write_bin, COLUMNS | TIMES | GAPS),
        (nv.write_sorter, COLUMNS | TIMES | GAPS),
        (nv.write_nsx, COLUMNS | TIMES),
        (nv.write_nev, TIMES),
        (nv.NevFile.events, TIMES),
        (nv.NevFile.trains, TIMES),
    ],
)
def test_choosing_c08_signatures_list_the_keywords_with_their_defaults(
    function: Callable[..., Any], keywords: dict[str, Any]
) -> None:
    shown = inspect.signature(function).parameters
    assert {name: shown[name].default for name in keywords} == keywords
    assert all(parameter.kind != parameter.VAR_KEYWORD for parameter in shown.values())
    missing = [name for name in keywords if not re.search(rf"\b{name}\b", function.__doc__ or "")]
    assert missing == [] or re.search("as in `NsxFile|parameters are those of|as `chunks` does", function.__doc__ or "")


@pytest.mark.parametrize(
    ("function", "keyword", "message"),
    [
        (nv.NsxFile.read, "electrode", "NsxFile.read() got an unexpected keyword argument 'electrode'"),
        (nv.NsxFile.chunks, "lable", "NsxFile.chunks() got an unexpected keyword argument 'lable'"),
        (nv.NsxFile.follow, "kinds", "argument 'kinds'; did you mean kind?"),
        (nv.NsxFile.traces, "gap", "traces() got an unexpected keyword argument 'gap'; did you mean gaps?"),
        (nv.Traces.select, "lables", "'lables'; did you mean labels?"),
        (
            nv.write_bin,
            "overwrit",
            "write_bin() got an unexpected keyword argument 'overwrit'; did you mean overwrite?",
        ),
        (nv.write_bin, "zzz", "write_bin() got an unexpected keyword argument 'zzz'"),
        (nv.write_nsx, "stat_s", "'stat_s'; did you mean start_s?"),
        (
            nv.write_nev,
            "stop_ticks",
            "write_nev() got an unexpected keyword argument 'stop_ticks'; did you mean stop_tick",
        ),
        (nv.write_sorter, "chanels", "write_sorter() got an unexpected keyword argument 'chanels'"),
    ],
)
def test_choosing_c08_a_misspelt_keyword_is_named_with_the_right_one(
    ns: nv.NsxFile, function: Callable[..., Any], keyword: str, message: str, tmp_path: Path
) -> None:
    recorded = ns.traces(gaps="join") if function is nv.Traces.select else ns
    target = [tmp_path / "out"] if function.__name__.startswith("write_") else []
    with pytest.raises(TypeError, match=re.escape(message)):
        function(recorded, *target, **{keyword: 1})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"labels": [1]}, "expected a label as text, found 1"),
        ({"channels": [0, 3, 200, -5]}, "expected columns 0 to 3, found 200, -5"),
        ({"start": 1.5}, "expected start as a whole number of samples, found 1.5; seconds are for _s"),
        ({"stop": "9"}, "expected stop as a whole number of samples, found '9'"),
    ],
)
def test_what_is_wrong_of_a_choice_is_named(ns: nv.NsxFile, choice: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        ns.read(segment=0, **choice)
    assert ns.read(0, 2.0e3, segment=0).shape == (2000, 4)  # type: ignore[arg-type]
