# SPDX-License-Identifier: MIT
"""What the tests of continuous files ask of one."""

from __future__ import annotations

import numpy as np
import pytest


def warned(opened, data, category, match):
    with pytest.warns(category, match=match) as caught:
        ns = opened(data)
    assert [item.category for item in caught] == [category], "one warning of one kind"
    assert caught[0].filename == opened.__code__.co_filename, "the warning points at the caller"
    return ns


def counts(ns):
    return [segment.n_samples for segment in ns.segments]


def all_samples(ns):
    return np.concatenate([segment.samples for segment in ns.segments])
