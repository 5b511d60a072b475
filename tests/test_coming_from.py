# SPDX-License-Identifier: MIT
"""The guide for those who come from elsewhere: its code runs, and neo gives the same numbers."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.demo import write_files

NOTE = (Path(__file__).resolve().parent.parent / "spec_notes" / "coming_from.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```", NOTE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(BLOCKS["python"], "coming_from.md", "exec"), names)
    yield names
    names.clear()  # some are views of the file


def test_the_twelve_tasks_do_what_they_say(ours: dict[str, Any]) -> None:
    assert len(re.findall(r"^\| \d+ ", NOTE, re.MULTILINE)) == 12
    assert (ours["raw"].shape, ours["two"].shape, ours["part"].shape) == ((1000, 144), (1000, 2), (300, 128))
    assert ours["ticks"].size == len(ours["waveforms"]) == ours["sample"].size > 0
    assert (ours["texts"], len(ours["digital"])) == (["stimulus on", "stimulus off"], 4)
    assert ours["pauses"] == [(0.001, 0.0005)]
    assert Path("neural.bin").stat().st_size == 3000 * 128 * 2


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # neo leaves its files to the collector
def test_neo_gives_the_same_numbers(ours: dict[str, Any]) -> None:
    rawio = pytest.importorskip("neo.rawio")
    names: dict[str, Any] = {"BlackrockRawIO": rawio.BlackrockRawIO}
    with np.errstate(all="ignore"):
        exec(compile(BLOCKS["neo"], "coming_from.md", "exec"), names)
    np.testing.assert_array_equal(names["neo_raw"], ours["raw"][:, : names["neo_raw"].shape[1]])
    np.testing.assert_allclose(names["neo_microvolts"][:, :128], ours["microvolts"][:, :128], rtol=1e-6)
    np.testing.assert_array_equal(names["neo_ticks"], ours["ticks"])
    np.testing.assert_allclose(np.squeeze(names["neo_waveforms"]) * 0.25, ours["waveforms"])
    names.clear()
    gc.collect()
