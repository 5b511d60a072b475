# SPDX-License-Identifier: MIT
"""Traces as NSx files: cut from the recording as they are, or written anew: claims of ``spec_notes/arrays.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import Opened

import nevparse as nv


@pytest.mark.parametrize(
    "data", [b.nsx([(5, b.ramp(40, 4)), (90, b.ramp(30, 4))]), t.ptp(t.stamps(70, breaks={30: 9}))]
)
def test_arrays_c11_a_cut_of_traces_is_the_cut_of_the_recording(opened: Opened, tmp_path: Path, data: bytes) -> None:
    ns = opened(data)
    start, stop = ns.segments[0].ticks()[7], ns.segments[1].ticks()[9]
    request: dict[str, Any] = {"channels": [1, 0], "start_tick": int(start), "stop_tick": int(stop)}
    nv.write_nsx(ns, tmp_path / "a.ns5", **request)
    nv.write_nsx(ns.traces(gaps="join", **request), tmp_path / "b.ns5")
    assert (tmp_path / "a.ns5").read_bytes() == (tmp_path / "b.ns5").read_bytes()
    nv.write_nsx(ns.traces(gaps="join").rows(20, 50), tmp_path / "part.ns5")
    with nv.open_nsx(tmp_path / "part.ns5") as part:
        np.testing.assert_array_equal(part.traces(gaps="join"), ns.traces(gaps="join")[20:50])
        first = ns.segments[0].ticks()[20]
        assert part.segments[0].start_tick == first
    refused: list[dict[str, Any]] = [{"gaps": "fill"}, {"gaps": "join", "sort": True}]
    for options in refused:
        with pytest.raises(ValueError, match="samples as they were recorded, found rows that were filled"):
            nv.write_nsx(ns.traces(**options), tmp_path / "c.ns5")
    with pytest.raises(ValueError, match="nothing to choose of them, found segments"):
        nv.write_nsx(ns.traces(gaps="join"), tmp_path / "c.ns5", segments=0)
    assert not (tmp_path / "c.ns5").exists()


def test_arrays_c11_any_traces_can_be_written_anew(opened: Opened, tmp_path: Path) -> None:
    ns = opened(b.nsx([(5, b.ramp(40, 4)), (900, b.ramp(30, 4))], period=15))
    x = ns.traces(channels=[3, 1], gaps="fill")
    report = nv.create_nsx(x, tmp_path / "new.ns2")
    with nv.open_nsx(report.path) as new:
        np.testing.assert_array_equal(new.traces(), x)
        assert [channel.electrode_id for channel in new.channels] == [4, 2]
        assert new.sampling_rate == ns.sampling_rate == 2000
    with pytest.raises(TypeError, match="channels and sampling_rate"):
        nv.create_nsx(np.asarray(x), tmp_path / "other.ns2")
