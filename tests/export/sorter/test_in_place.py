# SPDX-License-Identifier: MIT
"""Folders for sorters that read a recording where it is, and folders of traces: claims of ``spec_notes/sorters.md``."""

from __future__ import annotations

import json
import runpy
import sys
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import sorting as sb
from builders import timing as t
from fixture_types import FileOf, Opened

import nevparse as nv
from nevparse.cli.commands import main


@pytest.fixture
def sorted_with(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `run_kilosort` is called with; it finds a spike in rows 0 and 5."""
    called: dict[str, Any] = {}

    def run_kilosort(settings: Any, **options: Any) -> None:
        called.update(options, settings=settings, samples=np.array(options["file_object"][:]))
        options["results_dir"].mkdir()
        np.save(options["results_dir"] / "spike_times.npy", np.array([0, 5]))

    kilosort = ModuleType("kilosort")
    kilosort.__dict__.update(
        run_kilosort=run_kilosort, io=SimpleNamespace(load_probe=lambda path: json.loads(path.read_text()))
    )
    monkeypatch.setitem(sys.modules, "kilosort", kilosort)
    monkeypatch.setattr(sys, "argv", ["run_kilosort.py"])
    return called


def run(folder: Path) -> None:
    """As ``python run_kilosort.py`` does; its files are closed when the process ends."""
    left = runpy.run_path(str(folder / "run_kilosort.py"), run_name="__main__")
    for file in left["files"]:
        file.close()


@pytest.mark.parametrize("kind", ["blocks", "PTP", "instruments", "successive"])
def test_sorters_c17_the_script_sorts_the_same_traces_where_they_are(
    file_of: FileOf, tmp_path: Path, sorted_with: dict[str, Any], kind: str
) -> None:
    blocks = [(0, b.ramp(30, 3)), (90, b.ramp(30, 3))]
    data = {
        "blocks": [b.nsx(blocks)],
        "PTP": [t.ptp(t.stamps(60, breaks={30: 20}))],
        "instruments": [b.nsx(blocks), b.nsx([(4, b.ramp(120, 3))])],
        "successive": [b.nsx([(0, b.ramp(40, 3))]), b.nsx([(100, b.ramp(30, 3))])],
    }[kind]
    with ExitStack() as stack:
        files = [stack.enter_context(nv.open_nsx(file_of(part, f"x{k}.ns5"))) for k, part in enumerate(data)]
        ns: Any = nv.combine_instruments(files) if kind == "instruments" else files[0]
        ns = nv.concatenate(files) if kind == "successive" else ns
        x = ns.traces(gaps="fill", fill="hold", max_fill=99).select(channels=[1, 0])
        whole, ticks = np.array(x), x.row_to_tick([0, 5])
        report = nv.write_sorter(x, tmp_path / "sort", copy=False)
    assert report.export is None
    run(tmp_path / "sort")
    np.testing.assert_array_equal(sorted_with["samples"], whole)
    assert sorted_with["settings"] == report.settings
    assert sorted_with["probe"]["chanMap"] == [0, 1]
    np.testing.assert_array_equal(np.load(tmp_path / "sort" / "kilosort4" / "spike_ticks.npy"), ticks)
    made = {path.name for path in (tmp_path / "sort").iterdir()} - {"kilosort4"}
    expected = {"run_kilosort.py", "kilosort_probe.json", "probe.json", "recording.bin.json"}
    assert made == expected - ({"recording.bin.json"} if kind == "PTP" else set())
    assert "SpikeInterface: not without a copy" in str(report)
    assert "Phy: not without a copy" in str(report)
    if kind != "PTP":
        with nv.read_sidecar(tmp_path / "sort" / "recording.bin") as sidecar:
            np.testing.assert_array_equal(sidecar.row_to_tick([0, 5]), ticks)


def test_sorters_c18_spikeinterface_gets_the_place_in_the_file_where_all_samples_are_in_one_block(
    opened: Opened, tmp_path: Path
) -> None:
    ns = opened(b.nsx([(1000, b.ramp(50, 4))]))
    report = nv.write_sorter(ns, tmp_path / "whole", copy=False)
    kwargs = json.loads((tmp_path / "whole" / "binary.json").read_text())["kwargs"]
    (path,) = kwargs["file_paths"]
    rows = np.memmap(path, kwargs["dtype"], "r", kwargs["file_offset"]).reshape(-1, kwargs["num_channels"])
    np.testing.assert_array_equal(rows, ns.segments[0].samples)
    assert f"spikeinterface.load({str(tmp_path / 'whole')!r})" in str(report)
    del rows
    for name, options, why in (
        ("some", {"channels": [0, 1]}, "2 of 4 channels were chosen"),
        ("early", {"stop_tick": 1030}, "the file goes on behind them"),
    ):
        assert why in str(nv.write_sorter(ns, tmp_path / name, copy=False, **options))
        assert not (tmp_path / name / "binary.json").exists()


def test_sorters_c17_what_no_script_can_open_again_is_refused(opened: Opened, tmp_path: Path) -> None:
    data = b.nsx([(0, b.ramp(40, 3))])
    x = opened(data).traces()
    with pytest.raises(ValueError, match="rows of other traces: give start_tick"):
        nv.write_sorter(x.rows(3, 9), tmp_path / "sort", copy=False)
    with nv.open_nsx(data) as ns, pytest.raises(ValueError, match="expected a recording that has a path"):
        nv.write_sorter(ns, tmp_path / "sort", copy=False)
    with pytest.raises(ValueError, match="nothing to choose of them, found electrodes, gaps: give it to traces"):
        nv.write_sorter(x, tmp_path / "sort", electrodes=[1], gaps="fill")
    with pytest.raises(nv.GapError):
        nv.write_sorter(opened(t.blocks([1000, 2000], [5, 4]), "p.ns5"), tmp_path / "sort", copy=False)
    assert not list(tmp_path.glob("sort*"))


def test_sorters_c19_a_folder_of_traces_is_that_of_the_recording(opened: Opened, tmp_path: Path) -> None:
    ns = opened(b.nsx([(0, b.ramp(40, 8)), (90, b.ramp(40, 8))]))
    (tmp_path / "a.cmp").write_bytes(sb.array_map(8, 4))
    nv.write_sorter(ns, tmp_path / "one", cmp=tmp_path / "a.cmp", by="label", channels=[4, 2], gaps="fill")
    nv.write_sorter(ns.traces(channels=[4, 2], gaps="fill"), tmp_path / "other", cmp=tmp_path / "a.cmp", by="label")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name
    report = nv.write_sorter(ns.traces(gaps="join").rows(30, 60), tmp_path / "part")
    np.testing.assert_array_equal(np.fromfile(report.export.path, "<i2").reshape(-1, 8), ns.traces(gaps="join")[30:60])


def test_sorters_c17_the_command_copies_nothing(
    file_of: FileOf, tmp_path: Path, sorted_with: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(b.nsx([(0, b.ramp(40, 3)), (90, b.ramp(40, 3))]))
    assert main(["sorter", path, str(tmp_path / "sort"), "--no-copy", "--gaps", "join"]) == 0
    assert "nothing was copied" in capsys.readouterr().out
    run(tmp_path / "sort")
    assert sorted_with["samples"].shape == (80, 3)
    assert main(["sorter", path, str(tmp_path / "json"), "--no-copy", "--gaps", "join", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert (written["files"], "nothing was copied" in written["in_place"][0]) == ([], True)
