# SPDX-License-Identifier: MIT
"""Which columns are read: by number, electrode, label or kind, as views where they lie evenly."""

from __future__ import annotations

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened


def test_columns_are_taken_by_view_only_where_they_lie_evenly(opened: Opened) -> None:
    raw, samples = b.plausible("2.3", 6, (8,))
    ns = opened(raw)
    for columns, is_view in (([0, 1, 2], 1), ([1, 3, 5], 1), ([4], 1), ([0, 1, 3], 0), ([5, 4], 0), ([2, 2], 0)):
        taken = ns.read(channels=columns)
        np.testing.assert_array_equal(taken, samples[:, columns])
        assert np.shares_memory(taken, ns.segments[0].samples) == bool(is_view), columns


def test_microvolts_of_scattered_columns_are_those_of_all(opened: Opened) -> None:
    samples = np.random.default_rng(2).integers(-32768, 32767, (9000, 4)).astype("<i2")
    heads = [b.channel(k + 1, analog=(-100 * k - 1, 8191)) for k in range(4)]
    ns = opened(b.nsx([(0, samples[:5000]), (5000, samples[5000:])], channels=heads))
    whole = ns.read(unit="uV")
    want = samples * np.array([c.uv_per_bit for c in ns.channels]) + np.array([c.uv_offset for c in ns.channels])
    np.testing.assert_allclose(whole, want, rtol=1e-5, atol=1e-2)
    np.testing.assert_array_equal(ns.read(10, 8000, channels=[3, 0, 2], unit="uV"), whole[10:8000, [3, 0, 2]])
    assert whole.flags.writeable


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"electrodes": [1, 77, 80]}, KeyError, "no electrode 77, 80; the file has electrodes 1-3"),
        ({"channels": [3]}, ValueError, "expected columns 0 to 2"),
        ({"electrodes": [1.7]}, TypeError, "expected an electrode as an integer, found 1.7"),
        ({"channels": [0.5]}, TypeError, "expected columns as integers"),
        ({"channels": [True]}, ValueError, "expected columns as integers or a mask of 3"),
        ({"channels": [2**70]}, ValueError, "expected columns"),
        ({"channels": [0], "electrodes": [1]}, ValueError, "expected one way to choose columns"),
        ({"unit": "mV"}, ValueError, "expected unit 'raw' or 'uV', found 'mV'"),
        ({"segment": 2}, ValueError, r"expected a segment \(0 to 1\), found 2"),
        ({"segment": -3}, ValueError, r"expected a segment \(0 to 1\), found -3"),
    ],
)
def test_a_request_for_what_is_not_there_says_what_is(opened: Opened, request_, error, message) -> None:
    ns = opened(b.plausible("2.3")[0])
    with pytest.raises(error, match=message):
        ns.read(**request_)


def test_columns_are_chosen_by_number_id_label_or_kind(opened: Opened) -> None:
    heads = [b.channel(4), b.channel(2, label="odd[1]"), b.analog_input(1), b.channel(7, label="elec*")]
    ns = opened(b.nsx([(0, b.ramp(2, 4))], channels=heads))
    assert ns.columns().tolist() == [0, 1, 2, 3]
    assert ns.columns(channels=[3, 0, -1]).tolist() == [3, 0, 3]
    assert ns.columns(channels=np.array([3, 0], np.uint64)).tolist() == [3, 0]
    assert ns.columns(electrodes=[7, 4]).tolist() == [3, 0]
    assert ns.columns(labels="ainp1").tolist() == [2]
    assert ns.columns(labels=["odd[1]", "elec4"]).tolist() == [1, 0], "a name counts before a pattern"
    assert ns.columns(labels="elec*").tolist() == [3]
    assert ns.columns(labels="elec?").tolist() == [0, 3]
    assert ns.columns(kind="neural").tolist() == [0, 1, 3]
    with pytest.raises(KeyError, match="no label 'x'; the file has labels elec4"):
        ns.columns(labels="x")
    with pytest.raises(KeyError, match="no other channels; the file has analog, neural channels"):
        ns.columns(kind="other")


def test_a_label_twice_is_refused_by_name_and_taken_by_pattern(opened: Opened) -> None:
    ns = opened(b.nsx([], channels=[b.channel(1, label="a"), b.channel(2, label="a")]))
    with pytest.raises(ValueError, match=r"label 'a' is in columns \[0, 1\]"):
        ns.columns(labels="a")
    assert ns.columns(labels="a*").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("parts", "columns"),
    [
        ([slice(1, 3), 5], [1, 2, 5]), ([slice(None)], [0, 1, 2, 3, 4, 5]), ([0, slice(-2, None)], [0, 4, 5]),
        ([slice(9, 12), 2], [2]),
    ],
)  # fmt: skip
def test_a_list_of_columns_may_have_slices(opened: Opened, parts: list[slice | int], columns: list[int]) -> None:
    raw, samples = b.plausible("2.3", 6, (8,))
    np.testing.assert_array_equal(opened(raw).read(channels=parts), samples[:, columns])
