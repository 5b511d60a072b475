# SPDX-License-Identifier: MIT
"""The .bin is what numpy would slice, and its sidecar describes it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv


@pytest.mark.usefixtures("small_buffers")
@given(kind=st.sampled_from(b.KINDS), n_channels=st.integers(1, 30), n_samples=st.integers(1, 60), data=st.data())
def test_the_bin_is_numpys_slice(opened: Opened, out: Path, kind: str, n_channels, n_samples, data) -> None:
    raw, samples = b.plausible(kind, n_channels, (n_samples,))
    columns = data.draw(
        st.none()
        | st.lists(st.integers(0, n_channels - 1), min_size=1, max_size=30)
        | st.permutations(range(n_channels))
        | st.integers(1, n_channels).map(lambda n: slice(0, n))
    )
    a, z = sorted(data.draw(st.tuples(*[st.integers(0, n_samples)] * 2)))
    ns = opened(raw)
    ticks = ns.segments[0].ticks().tolist()
    start_tick = ticks[a] if a < n_samples else ticks[-1]
    stop_tick = ticks[z] if z < n_samples else None
    want = samples[min(a, n_samples - 1) : z if z < n_samples else None]
    if columns is not None:
        want = want[:, columns]
    options = {"channels": columns, "start_tick": start_tick, "stop_tick": stop_tick, "overwrite": True}
    if len(want) == 0:
        with pytest.raises(ValueError, match="a time that holds samples"):
            nv.write_bin(ns, out, **options)
    else:
        report = nv.write_bin(ns, out, **options)
        assert out.read_bytes() == want.tobytes()
        contents = json.loads(out.with_suffix(".bin.json").read_text())
        assert contents["shape"] == [report.n_samples, report.n_channels] == list(want.shape)
        assert np.fromfile(out, contents["dtype"]).reshape(contents["shape"]).tobytes() == want.tobytes()
    ns.close()


@pytest.mark.usefixtures("small_buffers")
@given(st.sampled_from(b.BLOCK_KINDS), st.lists(st.integers(1, 20), min_size=2, max_size=6), st.permutations(range(4)))
def test_blocks_that_adjoin_are_written_as_one(opened: Opened, out: Path, kind: str, n_samples, columns) -> None:
    edges = np.cumsum([0, *n_samples]).tolist()
    samples = b.ramp(edges[-1], 4, kind)
    blocks = [(50 + a, samples[a:z]) for a, z in itertools.pairwise(edges)]
    ns = opened(b.nsx(blocks, kind))
    nv.write_bin(ns, out, channels=columns, overwrite=True)
    assert out.read_bytes() == samples[:, columns].tobytes()
    ns.close()


@pytest.mark.parametrize("kind", b.KINDS)
@pytest.mark.parametrize("columns", [slice(0, 16), slice(None), list(range(19, -1, -1)), [5], slice(0, 20, 2)])
def test_real_buffers_give_the_same(opened: Opened, out: Path, kind: str, columns) -> None:
    samples = b.ramp(30_000, 20, kind)  # more than one buffer
    nv.write_bin(opened(b.nsx([(0, samples)], kind)), out, channels=columns)
    assert out.read_bytes() == samples[:, columns].tobytes()


def test_the_sidecar_describes_columns_and_rows(opened: Opened, out: Path) -> None:
    heads = [b.channel(7, label="a"), b.analog_input(1), b.channel(9, label="µ", units="degC")]
    ns = opened(b.nsx([(1000, b.ramp(10, 3))], channels=heads, period=15))
    nv.write_bin(ns, out, channels=[2, 1, 0], start_tick=1016, stop_tick=1100)
    contents = json.loads(out.with_suffix(".bin.json").read_text())
    assert out.stat().st_size == contents["size_bytes"] == 5 * 3 * 2
    expected = {
        "bin": "s.bin", "dtype": "<i2", "shape": [5, 3], "order": "C", "sampling_rate_hz": 2000.0,
        "tick_rate_hz": 30000, "time_origin": "2023-06-14T10:30:05.250000+00:00", "gaps": "error",
        "columns": [2, 1, 0], "electrode_ids": [9, 129, 7], "labels": ["µ", "ainp1", "a"],
        "kinds": ["neural", "analog", "neural"], "uv_per_bit": [None, pytest.approx(152.5925), 0.25],
        "uv_offset": [None, 0.0, 0.0],
        "source": {"name": "s.ns5", "size_bytes": ns.size_bytes, "spec": "2.3", "vendor": "blackrock",
                   "missing_bytes": 0},
    }  # fmt: skip
    assert {key: contents[key] for key in expected} == expected
    assert contents["stretches"] == [
        {"segment": 0, "start_row": 0, "stop_row": 5, "start_sample": 2, "epoch": 0, "anchors": [[0, 1030]]}
    ]


def test_the_report_describes_what_was_written(opened: Opened, out: Path) -> None:
    ns = opened(b.nsx([(0, b.ramp(300, 4))], ids=[5, 6, 7, 8]))
    report = nv.write_bin(ns, out, electrodes=[8, 5])
    assert (report.path, report.sidecar_path) == (str(out), str(out.with_suffix(".bin.json")))
    assert (report.n_samples, report.n_channels, report.dtype, report.sampling_rate) == (300, 2, "<i2", 30000)
    assert (report.electrode_ids, report.size_bytes) == ((8, 5), 1200)
    words = ("300 samples x 2 channels", "int16", "little-endian", "sample by sample", "30000 Hz", "10 ms", "1.2 kB")
    assert all(word in str(report) for word in words), str(report)


def test_a_part_of_one_segment_is_no_gap(opened: Opened, out: Path) -> None:
    raw, samples = b.plausible("2.3", 2, (5, 4))
    ns = opened(raw)
    second = ns.segments[1].start_tick
    nv.write_bin(ns, out, start_tick=second)
    assert out.read_bytes() == samples[5:].tobytes()
    nv.write_bin(ns, out, stop_tick=second, overwrite=True)
    assert out.read_bytes() == samples[:5].tobytes()


def test_progress_counts_every_row(opened: Opened, out: Path, small_buffers) -> None:
    seen = []
    nv.write_bin(opened(b.plausible("2.3", 4, (50,))[0]), out, progress=lambda *step: seen.append(step))
    assert seen[-1] == (50, 50)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert len(seen) > 3
