# SPDX-License-Identifier: MIT
"""Everything that comes in numbers is a table: columns of equal length, as pandas takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from hypothesis import example, given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.format import tables

TWO = [(0, b.ramp(30, 2)), (45, b.ramp(30, 2))]


@pytest.mark.parametrize("version", [(2, 2), (2, 3), (3, 0)])
def test_every_kind_of_event_is_a_table(version: tuple[int, int]) -> None:
    with nv.open_nev(nb.every_kind(version)) as nev:
        for kind in tables.EVENT_KINDS:
            events = nev.events(kind)
            columns, wide = nv.table(events), nv.table(events, waveforms=True)
            assert {len(column) for column in wide.values()} == {len(events)}
            assert all(column.ndim == 1 for column in wide.values())
            assert columns["tick"].tolist() == events["tick"].tolist()
            assert set(columns) <= set(wide)
            assert list(nv.table(events[:0], waveforms=True)) == list(wide)
        spikes = nev.spikes(electrodes=1)
        assert list(nv.table(spikes)) == ["tick", "electrode_id", "unit"]
        n_points = spikes["waveform"].shape[1]
        waveforms = [nv.table(spikes, waveforms=True)[f"waveform_{k + 1}"] for k in range(n_points)]
        np.testing.assert_array_equal(np.stack(waveforms, axis=1), spikes["waveform"])


def test_trains_are_a_table_of_their_spikes() -> None:
    with nv.open_nev(nb.every_kind((2, 3))) as nev:
        for trains in (nev.trains(), nev.trains(waveforms=True)):
            rows = zip(*(column.tolist() for column in nv.table(trains).values()), strict=True)
            assert sorted(rows) == sorted((e, u, t) for t, e, u in nev.spikes(waveforms=False).tolist())


def test_what_a_file_has_is_a_table() -> None:
    heads = [b.channel(1), b.analog_input(1)]
    with nv.open_nsx(b.nsx(TWO, channels=heads)) as ns:
        channels = nv.table(ns.channels)
        assert channels["label"].tolist() == ["elec1", "ainp1"]
        assert channels["analog_range_1"].tolist() == [-8191, -5000]
        assert channels["high_pass_corner_hz"][0] > 0
        assert np.isnan(channels["high_pass_corner_hz"][1])
        assert "high_pass" not in channels
        assert nv.table(ns.gaps)["missing_samples"].tolist() == [15]
        assert nv.table(ns.segments)["start_tick"].tolist() == [0, 45]
    with nv.open_nev(nb.every_kind((2, 3))) as nev:
        comments = nv.table(nev.comments())
        assert comments["text"].tolist()[0] == "grün"
        assert {"color_1", "roi_number"} <= set(comments)
        assert nv.table(nev.electrodes)["electrode_id"].tolist() == list(nev.electrodes)
    assert nv.table(nv.check(b.nsx(TWO)))["code"].tolist() == [finding.code for finding in nv.check(b.nsx(TWO))]


@given(st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=1))
@example([None, 2**53 + 1])
def test_no_integer_is_rounded(values: list[int | None]) -> None:
    column = nv.table([nv.Comment(0, "", 0, None, value, None) for value in values])["started_tick"]
    assert [None if value is None or value != value else int(value) for value in column.tolist()] == values


@pytest.mark.parametrize("wrong", [5, "text", [5], np.arange(3), nv.Comment(0, "", 0, None, None, None)])
def test_what_has_no_fields_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="expected"):
        nv.table(wrong)


def test_nothing_is_an_empty_table() -> None:
    assert nv.table(()) == nv.table({}) == {}
