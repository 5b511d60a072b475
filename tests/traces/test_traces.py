# SPDX-License-Identifier: MIT
"""Traces are the array that an export would write: claims of ``spec_notes/arrays.md``."""

from __future__ import annotations

import functools
import json
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from depth import FEWER
from fixture_types import FileOf, Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.traces import extents

NUMPY_2 = int(np.__version__.split(".")[0]) >= 2
DRIFT = t.stamps(900, drift_ppm=4000, breaks={300: 40, 600: 300})
SHUFFLED = t.shuffled(t.stamps(400, breaks={200: 3}), {40: [2, 0, 1], 120: [1, 0], 260: [3, 0, 2, 1]})


def in_blocks(*sizes: int) -> bytes:
    """Blocks that adjoin, a pause, and two more that adjoin."""
    samples, blocks, row = b.ramp(sum(sizes), 6), [], 0
    for number, n in enumerate(sizes):
        blocks.append((1000 + row + 40 * (number >= len(sizes) // 2), samples[row : row + n]))
        row += n
    return b.nsx(blocks)


# Files, and what of them becomes one array
ONE: dict[str, tuple[Callable[[], bytes], dict[str, Any]]] = {
    "one block": (lambda: b.nsx([(7, b.ramp(50, 6))]), {}),
    "join": (lambda: in_blocks(9, 14, 3, 20), {"gaps": "join"}),
    "fill": (lambda: in_blocks(9, 14, 3, 20), {"gaps": "fill", "fill": -3}),
    "hold": (lambda: in_blocks(9, 14, 3, 20), {"gaps": "fill", "fill": "hold", "start_tick": 1004}),
    "NFx": (lambda: b.nsx([(0, b.ramp(30, 4, "nfx")), (99, b.ramp(30, 4, "nfx"))], "nfx"), {"gaps": "fill"}),
    "2.1": (lambda: b.plausible("2.1", 5, (60,))[0], {}),
    "PTP": (lambda: t.ptp(DRIFT), {"gaps": "fill"}),
    "PTP hold": (lambda: t.ptp(DRIFT), {"gaps": "fill", "fill": "hold"}),
    "resample": (lambda: t.ptp(DRIFT), {"gaps": "fill", "resample": "nominal"}),
    "resample join": (lambda: t.ptp(DRIFT), {"gaps": "join", "resample": "nominal"}),
    "sort": (lambda: t.ptp(SHUFFLED), {"gaps": "fill", "fill": "hold", "sort": True}),
    "shuffled": (lambda: t.ptp(SHUFFLED), {"gaps": "join"}),
}


@pytest.fixture
def made(file_of: FileOf) -> Iterator[Callable[..., nv.Traces]]:
    """Traces of one of the files above, or of several instruments, or of successive files."""
    with ExitStack() as stack:

        def open_(data: bytes, name: str) -> nv.NsxFile:
            return stack.enter_context(nv.open_nsx(file_of(data, name)))

        def make(case: str, **more: Any) -> nv.Traces:
            if case in ONE:
                data, options = ONE[case]
                return open_(data(), "s.ns5").traces(**options | more)
            starts = [[(0, 30), (70, 40)], [(5, 50), (80, 40)]]
            files = [
                open_(b.nsx([(a, b.ramp(n, 2 + k, first=k)) for a, n in blocks]), f"x-NSP{k + 1}.ns5")
                for k, blocks in enumerate(starts)
            ]
            fill: dict[str, Any] = {"gaps": "fill", "fill": "hold" if "hold" in case else 5, "max_fill": 99}
            if case.startswith("instruments"):
                return nv.combine_instruments(files).traces(**fill | more)
            parts = [b.nsx([(200 * k, b.ramp(50 + k, 3))], "2.3") for k in range(2)]
            several = nv.concatenate([open_(part, f"y{k}.ns5") for k, part in enumerate(parts)])
            return several.traces(**fill | more)

        yield make


CASES = [*ONE, "instruments", "instruments hold", "successive"]
every_case = pytest.mark.parametrize("case", CASES)


def written(x: Any, path: Path, **options: Any) -> tuple[np.ndarray, dict[str, Any], nv.Sidecar]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.DamagedFile)
        report = nv.write_bin(x, path, overwrite=True, **options)
    rows = np.fromfile(report.path, report.dtype).reshape(-1, report.n_channels)
    return rows, json.loads(Path(report.sidecar_path).read_text()), nv.read_sidecar(report.path)


INDICES = st.sampled_from(["number", "slice", "list", "array", "mask", "table", "range"])
FORMS = st.integers(0, 6) | st.integers(0, 14)  # the first ones are more likely


@functools.cache
def numbers(n: int) -> tuple[st.SearchStrategy[int], st.SearchStrategy[int]]:
    """Places on an axis of length `n`; and some beyond it, too."""
    inside = st.integers(-n, n - 1)
    return inside, inside | st.sampled_from([n, -n - 1])


@st.composite
def indices(draw: st.DrawFn, n: int) -> Any:
    """A part of an index for an axis of length `n`, some of them beyond it."""
    inside, number = numbers(n)
    kind = draw(INDICES)
    if kind == "number":
        return draw(number)
    if kind == "slice":
        start, stop = (draw(st.none() | st.integers(-n - 3, n + 3)) for _ in range(2))
        return slice(start, stop, draw(st.sampled_from([None, 1, 3, -1, -2])))
    if kind == "mask":
        lacking = draw(st.sampled_from([0, 0, 0, 1]))
        return np.random.default_rng(draw(st.integers(0, 99))).integers(0, 2, n - lacking).astype(bool)
    if kind == "table":
        return np.array(draw(st.lists(inside, min_size=4, max_size=4))).reshape(2, 2)
    if kind == "range":
        return range(draw(st.integers(0, n)))
    listed = draw(st.lists(number if draw(st.booleans()) else inside, max_size=5))
    is_array = kind == "array" and listed and min(listed) >= 0
    return np.array(listed, draw(st.sampled_from([np.int64, np.uint16]))) if is_array else listed


@st.composite
def keys(draw: st.DrawFn, shape: tuple[int, int]) -> Any:
    """An index of rows and columns as numpy takes it, or refuses it."""
    rows, columns = draw(indices(shape[0])), draw(indices(shape[1]))
    forms = [rows, (rows, columns), (..., columns), (rows, ...), (rows, columns, ...), (None, rows, columns),
             (rows, None, columns), ..., (), None, 1.5, "a", (0, 0, 0), [[0.5]], (..., 0, ...)]  # fmt: skip
    return forms[draw(FORMS)]


def outcome(array: Any, key: Any) -> Any:
    """What an index gives: type, shape and bytes; or the error."""
    try:
        taken = array[key]
        return type(taken), taken.dtype, taken.shape, taken.tobytes()
    except (IndexError, TypeError, ValueError, DeprecationWarning) as error:
        return type(error), str(error)


@pytest.fixture
def choices(made: Callable[..., nv.Traces], case: str) -> list[tuple[nv.Traces, np.ndarray]]:
    """Traces, and some of them; and each as an array that was put together from small parts."""
    x = made(case)
    whole = np.concatenate([rows for _, rows in x.chunks(7)])
    return [(x, whole), (x.select(channels=[1, 0]), whole[:, [1, 0]]), (x.rows(3, 40), whole[3:40])]


@every_case
@FEWER
@given(data=st.data())
def test_arrays_c01_an_index_gives_what_numpy_gives(choices: Any, case: str, data: st.DataObject) -> None:
    for x, whole in choices:
        key = data.draw(keys(x.shape))
        found, expected = outcome(x, key), outcome(whole, key)
        if expected[0] is DeprecationWarning:  # numpy 1 only warns of a place beyond the end where nothing is taken
            assert found[0] in (IndexError, DeprecationWarning), key
            continue
        assert found == expected, key


@pytest.mark.parametrize("key", [True, False, np.True_, (0, True), (True, 0), np.array(True)])
def test_arrays_c01_true_is_no_row_and_no_column(made: Callable[..., nv.Traces], key: Any) -> None:
    with pytest.raises(IndexError):
        made("one block")[key]


def test_arrays_c01_a_mask_of_rows_and_columns_is_numpys(made: Callable[..., nv.Traces]) -> None:
    x = made("hold")
    whole = np.asarray(x)
    np.testing.assert_array_equal(x[whole > 20], whole[whole > 20])
    with pytest.raises(IndexError, match="boolean index did not match"):
        x[np.ones((3, 3), bool)]


@every_case
def test_arrays_c02_the_array_is_the_bin_and_says_what_the_sidecar_says(
    made: Callable[..., nv.Traces], out: Path, case: str
) -> None:
    for x in (made(case), made(case).select(channels=[1]), made(case).rows(5, 60), made(case).rows(28, 33)):
        rows, contents, sidecar = written(x, out)
        assert (rows.shape, rows.dtype, x.ndim, len(x)) == (x.shape, x.dtype, 2, x.shape[0])
        assert (x.size, x.nbytes) == (rows.size, out.stat().st_size)
        np.testing.assert_array_equal(rows, x)
        np.testing.assert_array_equal(rows, np.concatenate([part for _, part in x.chunks(13)]))
        described = json.loads(json.dumps(x.describe()))
        assert described == {name: contents[name] for name in described}
        assert contents.keys() - described.keys() == {"sidecar_version", "bin", "ticks_file", "out_of_order_samples"}
        sidecar.close()


@every_case
def test_arrays_c03_rows_have_the_times_that_the_sidecar_gives(
    made: Callable[..., nv.Traces], out: Path, case: str
) -> None:
    for x in (made(case), made(case).rows(5, 60)):
        _, _, sidecar = written(x, out)
        rows = np.arange(len(x))
        ticks = sidecar.row_to_tick(rows)
        np.testing.assert_array_equal(x.row_to_tick(rows), ticks)
        np.testing.assert_array_equal(x.row_to_tick(rows[::-1]), ticks[::-1])
        wanted = np.concatenate([ticks, ticks + 1, ticks - 1, [0, 2**40]])
        np.testing.assert_array_equal(x.tick_to_row(wanted), sidecar.tick_to_row(wanted))
        zero = x.recording.zero_tick
        np.testing.assert_allclose(x.seconds(rows), (ticks - zero) / x.recording.tick_rate, atol=1e-9)
        sidecar.close()


@pytest.mark.parametrize("case", ["join", "PTP", "instruments"])
def test_arrays_c04_an_export_is_its_traces_written(
    made: Callable[..., nv.Traces], out: Path, tmp_path: Path, case: str
) -> None:
    x = made(case)
    options = {name: value for name, value in x.options._asdict().items() if name not in ("start_tick", "stop_tick")}
    if case == "instruments":
        options["sort"] = False
    rows, contents, sidecar = written(x, out)
    sidecar.close()
    again, other, sidecar = written(x.recording, out.with_name("again.bin"), **options)
    sidecar.close()
    np.testing.assert_array_equal(again, rows)
    named = {"bin", "ticks_file"}
    assert {k: v for k, v in other.items() if k not in named} == {k: v for k, v in contents.items() if k not in named}


def test_arrays_c05_rows_of_one_extent_are_a_view_of_the_file(opened: Opened) -> None:
    ns = opened(b.nsx([(0, b.ramp(40, 8)), (90, b.ramp(30, 8))]))
    first, second = (segment.samples for segment in ns.segments)
    x = ns.traces(gaps="fill")
    assert np.shares_memory(x[3:20], first)
    assert np.shares_memory(x[39:2:-3, 1:7:2], first)
    assert np.shares_memory(x[95:100, 5], second)
    assert np.shares_memory(x[7], first)
    assert not np.shares_memory(x[30:100], first)
    assert x[50:60].strides[0] == 0, "filled rows are one row, seen again and again"
    assert not x[3:20].flags.writeable
    y = ns.traces(channels=slice(2, 6), stop_tick=40)
    assert np.shares_memory(np.asarray(y), first)
    assert np.shares_memory(y.select(channels=slice(1, 3))[:], first)
    assert not np.shares_memory(ns.traces(channels=[5, 1], stop_tick=40)[:], first)


def test_arrays_c05_packets_are_copied_to_where_any_library_reads_them(made: Callable[..., nv.Traces]) -> None:
    x = made("PTP")
    for part in (x[5:90], x[5:90, 1:2], x[5:90, [1, 0]], x[::7]):
        assert all(stride % part.itemsize == 0 for stride in part.strides)


@pytest.mark.parametrize("key", [slice(None), slice(3, 700, 3), np.array([0, 1, 299, 899])], ids=str)
def test_arrays_c05_many_packets_are_copied_by_two_threads(
    made: Callable[..., nv.Traces], key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = made("PTP")
    by_one = x[key]
    monkeypatch.setattr(extents, "_MANY_BYTES", 1)
    assert x[key].tolist() == by_one.tolist()


def test_arrays_c06_it_converts_as_numpy_asks(made: Callable[..., nv.Traces]) -> None:
    whole, pieced = made("one block"), made("join")
    for x in (whole, pieced):
        assert np.asarray(x, np.float32).dtype == np.float32
        assert np.array(x).flags.writeable
        assert x.__array__(copy=True).flags.writeable
        with pytest.raises(ValueError, match="without a copy"):
            x.__array__(np.float64, copy=False)
    assert np.shares_memory(np.asarray(whole), whole[:])
    with pytest.raises(ValueError, match="without a copy: its samples are not in one place"):
        pieced.__array__(copy=False)
    if NUMPY_2:
        assert np.shares_memory(np.array(whole, copy=False), whole[:])


def test_arrays_c07_traces_of_traces_and_microvolts(made: Callable[..., nv.Traces]) -> None:
    x = made("hold")
    whole = np.asarray(x)
    np.testing.assert_array_equal(x.rows(5, -4).rows(3).select(channels=[4, 1]), whole[8:-4][:, [4, 1]])
    np.testing.assert_array_equal(x.select(electrodes=[3, 2]), whole[:, [2, 1]])
    assert x.select(exclude=[1]).shape == (len(x), 5)
    assert [channel.index for channel in x.select(channels=[4, 1]).channels] == [0, 1]
    np.testing.assert_array_equal(x.select(channels=[4, 1]).columns, [4, 1])
    np.testing.assert_allclose(x.to_uv(2, 9), whole[2:9] * x.gain_to_uv, rtol=1e-6)
    assert x.rows(7, 3).shape == (0, 6)
    assert x.rows(7, 3)[:].shape == (0, 6)
    with pytest.raises(ValueError, match="at least one channel"):
        x.select(channels=[])
    with pytest.raises(ValueError, match="1 row or more"):
        next(x.chunks(0))


@every_case
def test_arrays_c08_it_pickles_without_a_sample_and_threads_share_it(made: Callable[..., nv.Traces], case: str) -> None:
    x = made(case)
    whole, ticks = np.asarray(x), x.row_to_tick(np.arange(len(x)))
    other = pickle.loads(pickle.dumps(x))
    assert other.shape == x.shape
    with ThreadPoolExecutor(4) as pool:
        for part in pool.map(lambda k: (k, other[k : k + 11, ::-1]), range(0, len(x), 11)):
            np.testing.assert_array_equal(part[1], whole[part[0] : part[0] + 11, ::-1])
    np.testing.assert_array_equal(other.row_to_tick(np.arange(len(x))), ticks)
    assert [channel.label for channel in other.channels] == [channel.label for channel in x.channels]


def test_arrays_c09_what_cannot_be_is_refused_when_traces_are_made(opened: Opened, out: Path) -> None:
    ns = opened(in_blocks(9, 14, 3, 20))
    with pytest.raises(nv.GapError, match=r"pause|loss"):
        ns.traces()
    with pytest.raises(ValueError, match="found 'split'"):
        ns.traces(gaps="split")
    with pytest.raises(ValueError, match="at least one channel"):
        ns.traces(channels=[], gaps="join")
    x = ns.traces(gaps="join")
    for options, word in (
        ({"resample": "nominal"}, "resample"),
        ({"channels": np.array([0, 1])}, "channels"),
        ({"follow": True}, "follow"),
        ({"channels": [1]}, "channels"),
    ):
        with pytest.raises(ValueError, match=rf"nothing to choose of them, found {word}: give it to traces"):
            nv.write_bin(x, out, **options)
    assert not out.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be cut")
@pytest.mark.parametrize("case", ["one block", "join", "PTP"])
def test_arrays_c10_a_file_that_shrinks_or_is_changed_is_an_error_and_no_fault(
    made: Callable[..., nv.Traces], case: str, out: Path
) -> None:
    x = made(case)
    path, whole = x.recording.path, np.asarray(x).copy()
    data = Path(path).read_bytes()
    with open(path, "r+b") as file:  # as a recorder does: it may grow
        file.seek(0, os.SEEK_END)
        file.write(b"\1\2\3")
    np.testing.assert_array_equal(x, whole)
    with open(path, "r+b") as file:
        file.truncate(len(data) // 2)
    for read in (lambda: x[:], lambda: x[len(x) - 1], lambda: x[[0, 3]], lambda: x.to_uv(0, 5), lambda: x[0, 0]):
        with pytest.raises(nv.FormatError, match="as when it was opened"):
            read()
    with pytest.raises(nv.ExportError, match="shorter"):
        nv.write_bin(x, out)
    with open(path, "r+b") as file:
        file.write(data[:300] + b"\0" + data[301:] + b"\1\2\3")
    with pytest.raises(nv.FormatError, match="written to"):
        x[3:5]


def test_arrays_c10_a_closed_file_says_so(file_of: FileOf) -> None:
    with nv.open_nsx(file_of(b.nsx([(0, b.ramp(30, 3))]))) as ns:
        x = ns.traces()
        kept = x[3:9]
    with pytest.raises(ValueError, match="is closed"):
        x[3:9]
    np.testing.assert_array_equal(kept, b.ramp(30, 3)[3:9])


def test_arrays_c02_columns_of_instruments_may_be_in_any_order_but_not_when_written(
    made: Callable[..., nv.Traces], out: Path
) -> None:
    x = made("instruments")
    whole = np.asarray(x)
    np.testing.assert_array_equal(x.select(channels=[3, 0, 2, 4, 1]), whole[:, [3, 0, 2, 4, 1]])
    np.testing.assert_array_equal(written(x.select(channels=[4, 3]), out)[0], whole[:, [4, 3]])
    with pytest.raises(ValueError, match="in the order of the instruments"):
        nv.write_bin(x.select(channels=[3, 0]), out, overwrite=True)
