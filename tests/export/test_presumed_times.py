# SPDX-License-Identifier: MIT
"""Exports that sort are planned from probes, and written as after a full scan: C25 to C27 of `spec_notes/timing.md`."""

from __future__ import annotations

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
from nevparse.nsx import packets, presumed
from nevparse.nsx.gap_search import IrregularSteps

OPTIONS: list[dict[str, Any]] = [
    {"resample": "nominal", "gaps": "join"},
    {"resample": "nominal", "gaps": "fill", "fill": "hold", "max_fill": 1e6},
    {"resample": "nominal", "gaps": "split"},
    {"sort": True, "gaps": "join"},
    {"sort": True},
]


@pytest.fixture
def small_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes every 32 packets, however short a segment is."""
    values = {"PROBE_STRIDE": 32, "_PART_PACKETS": 8, "_PARTS_AT_ONCE": 5, "_MEASURED_PACKETS": 8, "_FEWEST_PACKETS": 1}
    for name, value in values.items():
        monkeypatch.setattr(presumed, name, value)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each scan of a file."""
    made, scan = list[int](), packets.PacketIndex.fully_scanned

    def counted(index: packets.PacketIndex, *arguments: Any) -> packets.PacketIndex | None:
        if not index.is_fully_scanned:
            made.append(index.n_samples)
        return scan(index, *arguments)

    monkeypatch.setattr(packets.PacketIndex, "fully_scanned", counted)
    return made


def outcome(ns: Any, out: Path, options: dict[str, Any]) -> list[Any]:
    """Everything an export left: the error, or its report and the bytes of all its files."""
    for path in out.parent.glob(f"{out.stem}*"):
        path.unlink()
    try:
        report = nv.write_bin(ns, out, **options)
    except nv.GapError as error:
        return [str(error), error.gaps]
    except ValueError:  # a time without samples; what it is compared with is what probing knows
        return ["no samples"]
    return [str(report), *((path.name, path.read_bytes()) for path in sorted(out.parent.glob(f"{out.stem}*")))]


@st.composite
def timestamps(draw: st.DrawFn) -> np.ndarray:
    """Timestamps of a recorder that drifts, jitters, pauses, and now and then does what no probe sees."""
    n = draw(st.integers(100, 400))
    places = st.integers(0, n - 12)
    drift = np.full(n, float(draw(st.sampled_from([0, 40, -400, 3000, -9000]))))
    if draw(st.booleans()):
        drift[draw(places) :] = draw(st.sampled_from([0, 3000, 20_000]))  # the clock strays
    breaks = draw(st.dictionaries(places, st.sampled_from([1.0, -1.0, 40.0, 500.3, 0.7, -3.0]), max_size=2))
    jitter_ns, seed = draw(st.sampled_from([0, 100, 1500, 9000])), draw(st.integers(0, 99))
    ticks = t.stamps(n, drift_ppm=drift, jitter_ns=jitter_ns, breaks=breaks, seed=seed)
    if draw(st.booleans()):
        ticks[draw(places)] += draw(st.sampled_from([7000, -15_000]))  # one timestamp is late or early
    if draw(st.booleans()):
        ticks = t.shuffled(ticks, {draw(places): draw(st.permutations(range(3)))})
    return ticks


@pytest.mark.usefixtures("small_strides", "small_buffers")
@FEWER
@given(
    ticks=timestamps(),
    options=st.sampled_from(OPTIONS),
    is_blind=st.booleans(),
    bounds=st.one_of(st.none(), st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)),
)
def test_timing_c25_what_is_presumed_is_exported_as_after_a_full_scan(
    opened: Opened, out: Path, ticks: np.ndarray, options: dict[str, Any], is_blind: bool, bounds: Any
) -> None:
    if bounds is not None:
        start, stop = (int(ticks[0] + share * (ticks[-1] - ticks[0])) for share in bounds)
        options = {**options, "start_tick": start, "stop_tick": stop}
    with pytest.MonkeyPatch.context() as patched, opened(t.ptp(ticks)) as ns:
        wanted = outcome(ns.fully_scanned(), out, options)
        if is_blind and bounds is None:  # a break outside of a range is no business of an export
            patched.setattr(packets, "find_gaps", lambda *_: packets.NO_STEPS)
        with nv.open_nsx(ns.path) as probed:
            assert outcome(probed, out, options) == wanted


@pytest.mark.usefixtures("small_strides", "small_buffers")
@FEWER
@given(
    drift_ppm=st.sampled_from([0, 400, -9000]),
    jitter_ns=st.sampled_from([0, 300, 900]),
    seed=st.integers(0, 99),
    bounds=st.tuples(st.integers(0, 149), st.integers(150, 300)),
)
def test_timing_c26_parts_say_how_early_and_late_their_timestamps_are(
    opened: Opened, drift_ppm: int, jitter_ns: int, seed: int, bounds: tuple[int, int]
) -> None:
    ticks = t.stamps(400, drift_ppm=drift_ppm, jitter_ns=jitter_ns, breaks={299: 40.0}, seed=seed)
    with opened(t.ptp(ticks)) as ns:
        for file in (ns.presumed_regular(), ns.fully_scanned()):
            covered = list[int]()
            for parts in file.segments[0].timed_parts(*bounds):
                for start, stop, first_tick, earliest, latest in zip(*parts, strict=True):
                    late = (ticks[start:stop] - first_tick) * (3 / 100_000) - np.arange(stop - start)
                    assert earliest - 1e-9 <= late.min() <= late.max() <= latest + 1e-9
                    covered += range(start, stop)
            assert covered == [*range(*bounds)]


@pytest.mark.usefixtures("small_strides", "small_buffers")
@pytest.mark.parametrize(("drift_ppm", "jitter_ns"), [(9000, 300), (-9000, 0)])
@pytest.mark.parametrize("options", OPTIONS, ids=[" ".join(map(str, options.values())) for options in OPTIONS])
def test_timing_c25_regular_timestamps_are_read_once(
    opened: Opened, out: Path, scans: list[int], options: dict[str, Any], drift_ppm: int, jitter_ns: int
) -> None:
    breaks = {} if options == {"sort": True} else {700: 41.3}
    ns = opened(t.ptp(t.stamps(2000, drift_ppm=drift_ppm, jitter_ns=jitter_ns, breaks=breaks)))
    report = nv.write_bin(ns, out, **options)
    assert (report.n_repeated + report.n_dropped > 0) == ("resample" in options)
    assert scans == []
    ns.traces(gaps="join", sort=True)
    assert scans == [2000], "traces may be read in any order, so that nothing can be presumed of them"


@pytest.mark.usefixtures("small_strides", "small_buffers")
@pytest.mark.parametrize(
    "off_ns",
    [{1000: 9000}, {1000: -9000}, {1999: 9000}, {1: 50_000, 2: -20_000}],
    ids=["late", "early", "last", "order"],
)
def test_timing_c25_one_timestamp_that_is_off_starts_a_full_scan(
    opened: Opened, out: Path, scans: list[int], off_ns: dict[int, int]
) -> None:
    ticks = t.stamps(2000, drift_ppm=400)
    for packet, ns_off in off_ns.items():
        ticks[packet] += ns_off
    nv.write_bin(opened(t.ptp(ticks)), out, sort=True)
    assert scans == [2000]
    rows = np.argsort(ticks, kind="stable")
    assert np.fromfile(out, "<i2").reshape(-1, 2).tolist() == b.ramp(2000, 2)[rows].tolist()


@pytest.mark.usefixtures("small_strides", "small_buffers")
@pytest.mark.parametrize("options", OPTIONS[:3], ids=["join", "fill", "split"])
@pytest.mark.parametrize("drift_ppm", [9000, -9000])
def test_timing_c26_the_last_samples_of_a_segment_are_put_in_their_rows(
    opened: Opened, out: Path, options: dict[str, Any], drift_ppm: int
) -> None:
    ns = opened(t.ptp(t.stamps(400, drift_ppm=drift_ppm, breaks={69: 40.0})))
    assert outcome(ns, out, options) == outcome(ns.fully_scanned(), out, options)


def found(monkeypatch: pytest.MonkeyPatch, *breaks: int) -> None:
    """Let probing find breaks behind these packets, and no others."""
    steps = IrregularSteps(np.array(breaks, np.intp), packets.NO_STEPS.shuffled)
    monkeypatch.setattr(packets, "find_gaps", lambda *_: steps)


@pytest.mark.usefixtures("small_strides", "small_buffers")
@pytest.mark.parametrize("packet", [59, 63, 168])
def test_timing_c25_the_timestamp_of_a_sample_that_is_left_out_is_checked(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch, packet: int
) -> None:
    ticks = t.stamps(600, drift_ppm=-9000)
    ticks[packet] -= 20_000
    found(monkeypatch)
    ns = opened(t.ptp(ticks))
    assert outcome(ns, out, OPTIONS[0]) == outcome(ns.fully_scanned(), out, OPTIONS[0])


@pytest.mark.usefixtures("small_strides", "small_buffers")
@pytest.mark.parametrize("options", [{"sort": True}, {"resample": "nominal"}], ids=["sort", "rate"])
@pytest.mark.parametrize(("off_ns", "bound"), [(50_000, "start_tick"), (-50_000, "stop_tick")], ids=["late", "early"])
def test_timing_c25_a_sample_that_its_timestamp_puts_in_a_range_is_checked(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], off_ns: int, bound: str
) -> None:
    ticks = t.stamps(600)
    ticks[300] += off_ns
    within = {**options, "gaps": "join", bound: int(ticks[300]) + (1 if bound == "stop_tick" else 0)}
    found(monkeypatch)
    ns = opened(t.ptp(ticks))
    assert outcome(ns, out, within) == outcome(ns.fully_scanned(), out, within)


@pytest.mark.usefixtures("small_strides", "small_buffers")
@pytest.mark.parametrize("packet", [66, 67, 68])
def test_timing_c25_the_count_of_a_packet_that_is_left_out_is_checked(opened: Opened, out: Path, packet: int) -> None:
    ns = opened(t.with_count(t.ptp(t.stamps(600, drift_ppm=-9000)), packet, 0))
    assert outcome(ns, out, OPTIONS[0]) == outcome(ns.fully_scanned(), out, OPTIONS[0])


@pytest.mark.usefixtures("small_strides", "small_buffers")
def test_timing_c25_probes_next_to_each_other_hide_no_break(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = t.stamps(100 + 41 * 32 + 2, breaks={99: 40.0})
    ticks[-1] += 18_000
    found(monkeypatch, 99)
    ns = opened(t.ptp(ticks))
    assert len(ns.segments) == 2
    assert outcome(ns, out, OPTIONS[2]) == outcome(ns.fully_scanned(), out, OPTIONS[2])


@pytest.mark.usefixtures("small_strides", "small_buffers")
@pytest.mark.parametrize("options", [{"sort": True}, {"resample": "nominal"}, OPTIONS[1]], ids=["sort", "rate", "fill"])
def test_timing_c25_a_refusal_names_the_breaks_of_a_full_scan(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    ticks = t.stamps(600, breaks={99: -40.0})
    ticks[320] -= 25_000
    found(monkeypatch, 99)
    ns = opened(t.ptp(ticks))
    refused = outcome(ns, out, options)
    assert len(refused[1]) == (2 if "gaps" in options else 3)
    assert refused == outcome(ns.fully_scanned(), out, options)


@pytest.mark.usefixtures("small_strides", "small_buffers")
@pytest.mark.parametrize(("packet", "n_scans"), [(500, 0), (1355, 1)], ids=["in its row", "in the next one"])
def test_timing_c25_a_glitch_matters_where_it_moves_a_sample(
    opened: Opened, out: Path, scans: list[int], packet: int, n_scans: int
) -> None:
    """By 0.1 samples; packet 1355 is 0.54 samples late without it, and no plan looks at it."""
    ticks = t.stamps(2000, drift_ppm=400)
    ticks[packet] += 3300
    ns = opened(t.ptp(ticks))
    written = outcome(ns, out, OPTIONS[0])
    assert len(scans) == n_scans
    assert written == outcome(ns.fully_scanned(), out, OPTIONS[0])


@pytest.mark.usefixtures("small_strides", "small_buffers")
def test_timing_c25_successive_files_are_presumed_each(opened: Opened, out: Path, scans: list[int]) -> None:
    ticks, samples = t.stamps(900, drift_ppm=400), b.ramp(900, 2)
    halves = {"a-001.ns6": slice(450), "a-002.ns6": slice(450, None)}
    parts = [opened(t.ptp(ticks[half], samples[half]), name) for name, half in halves.items()]
    whole = opened(t.ptp(ticks, samples), "whole.ns6")
    for options in OPTIONS[:2]:
        nv.write_bin(nv.concatenate(parts), out, **options, overwrite=True)
        rows = out.read_bytes()
        nv.write_bin(whole, out, **options, overwrite=True)
        assert out.read_bytes() == rows
    assert scans == []
