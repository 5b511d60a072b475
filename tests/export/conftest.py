# SPDX-License-Identifier: MIT
"""What the tests of exports share."""

from __future__ import annotations

import numpy as np
import pytest

from nevparse.nsx import packet_reader, scan
from nevparse.nsx import packets as nsx_packets
from nevparse.nsx.gap_search import IrregularSteps
from nevparse.traces import packing


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many steps from little data."""
    monkeypatch.setattr(packing, "BUFFER_BYTES", 64)
    monkeypatch.setattr(packet_reader, "_READ_BYTES", 300)
    monkeypatch.setattr(packet_reader, "_FEWEST_SHARED", 3)
    monkeypatch.setattr(scan, "_JUDGED_BYTES", 900)
    monkeypatch.setattr(scan, "_TIMED_PACKETS", 10)
    monkeypatch.setattr(nsx_packets, "_PART_PACKETS", 10)
    monkeypatch.setattr(nsx_packets, "_SORTED_PACKETS", 50)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probing that finds nothing at all."""
    nothing = np.empty(0, np.intp)
    monkeypatch.setattr(nsx_packets, "find_gaps", lambda ticks, clock: IrregularSteps(nothing, nothing))
