# SPDX-License-Identifier: MIT
"""What the tests of exports share."""

from __future__ import annotations

import numpy as np
import pytest

from nevparse import _plan, _pump, _stamps
from nevparse._breaks import Steps


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many steps from little data."""
    monkeypatch.setattr(_pump, "BUFFER_BYTES", 64)
    monkeypatch.setattr(_plan, "_RESAMPLED_ROWS", 50)
    monkeypatch.setattr(_stamps, "_ORDERED_ROWS", 50)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probing that finds nothing at all."""
    nothing = np.empty(0, np.intp)
    monkeypatch.setattr(_stamps, "find_breaks", lambda stamps, clock: Steps(nothing, nothing))
