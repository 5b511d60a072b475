# SPDX-License-Identifier: MIT
"""What the tests of this folder share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from fixture_types import FileOf

import nevparse as nv
from source.kinds import WANTED, AsAFile, result_of


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", nv.NevParseWarning)
        yield


@pytest.fixture
def as_a_file(file_of: FileOf) -> AsAFile:
    """What the file itself gives, computed once."""

    def result(surface, data):
        if (surface, data) not in WANTED:
            WANTED[surface, data] = result_of(surface, file_of(data))
        return WANTED[surface, data]

    return result
