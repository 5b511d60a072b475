# SPDX-License-Identifier: MIT
"""How the tests of this folder cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fixture_types import Cut

import nevparse as nv
from nevparse.export.native import cut_nev, file_plan
from nevparse.nev.file import NevFile
from nevparse.traces import packing


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many steps from little data."""
    for module in (packing, cut_nev):
        monkeypatch.setattr(module, "BUFFER_BYTES", 64)
    monkeypatch.setattr(file_plan, "_SMALL_BYTES", 40)


@pytest.fixture
def cut(out: Path) -> Cut:
    """Write an NSx or NEV with options, and give its bytes back; the input is not touched."""
    target = out.with_name("cut")

    def call(file, **options):
        write = nv.write_nev if isinstance(file, NevFile) else nv.write_nsx
        report = write(file, target, overwrite=True, **options)
        data = target.read_bytes()
        assert (report.path, report.size_bytes) == (str(target), len(data))
        assert os.listdir(out.parent) == ["cut"]
        target.unlink()
        return data

    return call
