# SPDX-License-Identifier: MIT
"""The sidecar knows the time of every row, and is refused where it does not: C28 and C29 of `spec_notes/timing.md`."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from builders import timing as t
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from export.left import left_in, paused, written


@st.composite
def recordings(draw):
    """A file in segments, and its bytes: (data, with sample timestamps, samples of each segment, period, tick rate)."""
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
    """The row whose period holds a tick, of the segment that starts last among those that contain it."""
    holding, first = [], 0
    for k, (row, after) in enumerate(pairwise([*rows, (None, "end")])):
        if after[1] != row[1]:
            end = _end(ns, rows[first : k + 1])
            if row[1] is not None and rows[first][0] <= tick < end:
                holding.append((rows[first][0], max(r for r in range(first, k + 1) if rows[r][0] <= tick)))
            first = k + 1
    return max(holding, default=(0, -1))[1]


def _end(ns, rows):
    """First tick behind a segment: its last sample's, and a period; by the block's timestamp where it has one."""
    last, segment = rows[-1]
    if ns.has_sample_timestamps or segment is None:
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
    opened: Opened, out: Path, data_, options, data
) -> None:
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


def test_timing_c28_the_hole_between_blocks_that_adjoin_is_the_row_before(opened: Opened, out: Path) -> None:
    _, _, described = written(opened(t.blocks([0, 99], [3, 3], period=30)), out)
    assert described.tick_to_row([89, 90, 98, 99, 188, 189]).tolist() == [2, 2, 2, 3, 5, -1]


def test_timing_c28_rows_and_ticks_keep_their_shape(opened: Opened, out: Path) -> None:
    _, _, described = written(opened(paused()[0]), out, gaps="join")
    assert described.row_to_tick(5).tolist() == 1012
    assert described.row_to_tick([[0, 5], [9, 11]]).tolist() == [[1000, 1012], [1018, 1020]]
    assert described.tick_to_row(1012).tolist() == 5
    assert described.tick_to_row(np.array([[1000, 1005]], np.uint64)).tolist() == [[0, -1]]
    assert described.row_to_tick([]).tolist() == described.tick_to_row([]).tolist() == []
    assert described.row_to_tick([1]).dtype == np.int64
    assert described.seconds([0, 5], origin_tick=1000).tolist() == [0, 12 / 30_000]
    assert described.seconds([0, 5]).tolist() == [0, 12 / 30_000], "after the recording's first sample"


def test_timing_c28_a_clock_that_was_set_back_gives_the_later_segment(opened: Opened, out: Path) -> None:
    _, _, described = written(opened(t.blocks([0, 0], [9000, 10])), out, gaps="join")
    assert described.tick_to_row([5, 10, 8999, 9000]).tolist() == [9005, 10, 8999, -1]


@pytest.mark.parametrize("rows", [[12], [-1], [0, 2**40]])
def test_timing_c28_rows_that_do_not_exist_are_refused(opened: Opened, out: Path, rows) -> None:
    _, _, described = written(opened(paused()[0]), out, gaps="join")
    with pytest.raises(ValueError, match="expected rows 0 to 11, found"):
        described.row_to_tick(rows)


def test_timing_c28_a_bin_or_its_sidecar_names_both(opened: Opened, out: Path) -> None:
    nv.write_bin(opened(t.ptp(t.stamps(10))), out)
    described, other = nv.read_sidecar(out), nv.read_sidecar(out.with_suffix(".bin.json"))
    assert other.path == described.path == str(out.with_suffix(".bin.json"))
    assert other.bin_path == str(out)
    assert (other.n_samples, other.n_channels, other.dtype, other.tick_rate) == (10, 2, np.dtype("<i2"), t.NS)
    assert np.fromfile(out.with_suffix(".bin.ticks"), "<i8").tolist() == t.stamps(10).tolist()
    del described, other  # which hold a map of the timestamps


def as_earlier_versions_wrote(out: Path) -> None:
    """Give the companions of a ``.bin`` their former names."""
    contents = json.loads(out.with_suffix(".bin.json").read_text())
    for ending in ("json", "ticks"):
        if (path := out.with_suffix(f".bin.{ending}")).exists():
            path.rename(out.with_suffix(f".{ending}"))
    contents["ticks_file"] = contents["ticks_file"] and "s.ticks"
    out.with_suffix(".json").write_text(json.dumps(contents))


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("raw", [t.ptp(t.stamps(10)), paused((10,), ())[0]])
def test_exports_c15_what_described_an_older_bin_goes_with_it(
    opened: Opened, out: Path, older: bool, raw: bytes
) -> None:
    nv.write_bin(opened(t.ptp(t.stamps(20))), out)
    if older:
        as_earlier_versions_wrote(out)
    before = left_in(out.parent)
    with pytest.raises(nv.ExportError, match="exists"):
        nv.write_bin(opened(raw), out)
    assert left_in(out.parent) == before
    report = nv.write_bin(ns := opened(raw), out, overwrite=True)
    assert nv.read_sidecar(out).n_samples == report.n_samples == 10
    assert left_in(out.parent) == ["s.bin", "s.bin.json", *["s.bin.ticks"] * ns.has_sample_timestamps]


@pytest.mark.parametrize("raw", [t.ptp(t.stamps(10)), paused((10,), ())[0]])
def test_exports_c15_a_sidecar_of_an_earlier_version_is_read_for_its_own_bin_alone(
    opened: Opened, out: Path, raw: bytes
) -> None:
    ticks = nv.write_bin(ns := opened(raw), out) and ns.segments[0].ticks().tolist()
    as_earlier_versions_wrote(out)
    other = out.with_suffix(".dat")
    other.write_bytes(out.read_bytes())
    for name in (out, out.with_suffix(".json")):
        with nv.read_sidecar(name) as sidecar:
            assert (sidecar.bin_path, sidecar.row_to_tick(range(10)).tolist()) == (str(out), ticks)
    with pytest.raises(FileNotFoundError, match=r"s\.dat\.json"):
        nv.read_sidecar(other)
    before = {path: path.read_bytes() for path in out.parent.iterdir() if path != other}
    nv.write_bin(ns, other, overwrite=True)
    assert nv.read_sidecar(other).bin_path == str(other)
    assert {path: path.read_bytes() for path in before} == before


def test_exports_c15_a_sidecar_of_another_bin_is_refused_unless_it_is_named_itself(opened: Opened, out: Path) -> None:
    nv.write_bin(opened(paused((10,), ())[0]), out)
    renamed = out.with_name("t.bin")
    out.rename(renamed)
    out.with_suffix(".bin.json").rename(renamed.with_suffix(".bin.json"))
    with pytest.raises(
        nv.FormatError, match=r"expected the sidecar of t\.bin, found that of s\.bin.*give t\.bin\.json"
    ):
        nv.read_sidecar(renamed)
    assert nv.read_sidecar(renamed.with_suffix(".bin.json")).n_samples == 10


@pytest.mark.parametrize("name", ["s.json", "s.TICKS", "s.bin.json"])
def test_exports_c15_a_bin_has_no_companions_name(opened: Opened, out: Path, name: str) -> None:
    with pytest.raises(nv.ExportError, match="this name is a sidecar's"):
        nv.write_bin(opened(paused((10,), ())[0]), out.with_name(name))


def test_exports_c16_a_sidecar_that_is_closed_lets_its_timestamps_go(opened: Opened, out: Path) -> None:
    """On Windows too, where a file that is mapped can be neither replaced nor removed."""
    nv.write_bin(ns := opened(t.ptp(t.stamps(10))), out)
    with nv.read_sidecar(out) as sidecar:
        assert sidecar.row_to_tick([3]).tolist() == t.stamps(10)[[3]].tolist()
        again = pickle.loads(pickle.dumps(sidecar))
    for use in (sidecar.row_to_tick, sidecar.tick_to_row, sidecar.seconds):
        with pytest.raises(ValueError, match="is closed"):
            use([3])
    assert again.row_to_tick([3]).tolist() == t.stamps(10)[[3]].tolist()
    again.close()
    nv.write_bin(ns, out, overwrite=True)


def broken_sidecars():
    yield "empty", lambda contents: b""
    yield "not JSON", lambda contents: b"row,tick\n"
    yield "not text", lambda contents: b"\xff\xfe\0"
    yield "a list", lambda contents: b"[1, 2]"
    yield "a number", lambda contents: b"5"
    yield "another's", lambda contents: b'{"name": "something else"}'
    yield "a later version", lambda contents: contents | {"sidecar_version": 2}
    for key in ("bin", "shape", "dtype", "ticks_per_sample", "stretches", "ticks_file", "tick_rate_hz"):
        yield f"without {key}", lambda contents, key=key: {k: v for k, v in contents.items() if k != key}
    yield "no stretches", lambda contents: contents | {"stretches": []}
    yield "no anchors", lambda contents: contents | {"stretches": [contents["stretches"][0] | {"anchors": []}]}
    of_text = {"anchors": [["a", "b"]]}
    yield "anchors of text", lambda contents: contents | {"stretches": [contents["stretches"][0] | of_text]}
    yield "a shape of one number", lambda contents: contents | {"shape": [3]}
    yield "no type", lambda contents: contents | {"dtype": "?!"}
    yield "a bin that is no name", lambda contents: contents | {"bin": 5}


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in broken_sidecars()])
def test_timing_c29_what_is_no_sidecar_is_refused(opened: Opened, out: Path, change) -> None:
    nv.write_bin(opened(paused((5,), ())[0]), out)
    path = out.with_suffix(".bin.json")
    changed = change(json.loads(path.read_bytes()))
    path.write_bytes(changed if isinstance(changed, bytes) else json.dumps(changed).encode())
    with pytest.raises(nv.FormatError, match="expected a sidecar of version 1") as refused:
        nv.read_sidecar(out)
    assert refused.value.path == str(path)


@pytest.mark.parametrize("size", [0, 8, 79, 88])
def test_timing_c29_timestamps_that_are_not_one_for_each_row_are_refused(opened: Opened, out: Path, size) -> None:
    nv.write_bin(opened(t.ptp(t.stamps(10))), out)
    out.with_suffix(".bin.ticks").write_bytes(bytes(size))
    with pytest.raises(nv.FormatError, match="expected a sidecar"):
        nv.read_sidecar(out)


@pytest.mark.parametrize("name", ["s.bin.json", "s.bin.ticks"])
def test_timing_c29_a_file_that_is_missing_is_an_error_of_the_system(opened: Opened, out: Path, name) -> None:
    nv.write_bin(opened(t.ptp(t.stamps(10))), out)
    out.with_name(name).unlink()
    with pytest.raises(FileNotFoundError):
        nv.read_sidecar(out)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 100_000])
def test_timing_c29_a_sidecar_that_is_nested_without_end_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.bin.json").write_text(text)
    with pytest.raises(nv.FormatError):
        nv.read_sidecar(tmp_path / "s.bin.json")
