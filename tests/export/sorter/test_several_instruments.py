# SPDX-License-Identifier: MIT
"""Folders for sorters of several instruments side by side: claims of ``spec_notes/joining.md``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import sorting as sb

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.maps.positions import ARRAY_GAP_UM

Instruments = Callable[..., list[nv.NsxFile]]


@pytest.fixture
def instruments(tmp_path: Path) -> Iterator[Instruments]:
    """Files of instruments that have the same electrodes 1 to 6, and two analog inputs each."""
    heads = [*(b.channel(k + 1, bank=1, pin=k + 1) for k in range(6)), b.analog_input(1), b.analog_input(2)]
    with ExitStack() as stack:

        def write_and_open(n: int) -> list[nv.NsxFile]:
            paths = [tmp_path / f"x-NSP{number}.ns5" for number in range(1, n + 1)]
            for number, path in enumerate(paths):
                path.write_bytes(b.nsx([(0, b.ramp(40, 8, first=number * 50))], channels=heads))
            return [stack.enter_context(nv.open_nsx(path)) for path in paths]

        yield write_and_open


@pytest.fixture
def maps(tmp_path: Path) -> list[Path]:
    """Two maps of six electrodes, the second in the order of the first one reversed."""
    paths = [tmp_path / "one.cmp", tmp_path / "two.cmp"]
    for path, reverse in zip(paths, (False, True), strict=True):
        path.write_bytes(sb.array_map(6, 2, reverse=reverse))
    return paths


def test_joining_c14_one_folder_has_a_shank_for_each_instrument(
    instruments: Instruments, maps: list[Path], tmp_path: Path
) -> None:
    files = instruments(2)
    report = nv.write_sorter(files, tmp_path / "folder", cmp=maps)
    each = [nv.read_cmp(path).positions_of(file.channels[:6]) for path, file in zip(maps, files, strict=True)]
    shift = each[0].um[:, 0].max() - each[1].um[:, 0].min() + ARRAY_GAP_UM
    np.testing.assert_array_equal(report.positions.um, np.vstack([each[0].um, each[1].um + np.array([shift, 0])]))
    assert report.positions.arrays.tolist() == [1] * 6 + [2] * 6
    samples = np.fromfile(report.export.path, np.int16).reshape(-1, 12)
    np.testing.assert_array_equal(samples, np.hstack([file.segments[0][:, :6] for file in files]))
    binary = json.loads((tmp_path / "folder" / "binary.json").read_text())
    assert binary["kwargs"]["channel_ids"] == [f"{instrument}-{k}" for instrument in (1, 2) for k in range(1, 7)]
    probe = json.loads((tmp_path / "folder" / "probe.json").read_text())["probes"][0]
    assert probe["contact_ids"] == binary["kwargs"]["channel_ids"]
    assert probe["shank_ids"] == ["1"] * 6 + ["2"] * 6


def test_joining_c14_a_list_of_one_instrument_is_that_instrument(
    instruments: Instruments, maps: list[Path], tmp_path: Path
) -> None:
    (ns,) = instruments(1)
    nv.write_sorter(ns, tmp_path / "alone", cmp=maps[0])
    nv.write_sorter([ns], tmp_path / "listed", cmp=maps[:1])
    names = sorted(path.name for path in (tmp_path / "alone").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "listed").iterdir())
    assert all((tmp_path / "alone" / name).read_bytes() == (tmp_path / "listed" / name).read_bytes() for name in names)
    with pytest.raises(ValueError, match="expected one map, found 2"):
        nv.write_sorter(ns, tmp_path / "two", cmp=maps)


def test_joining_c14_one_map_serves_instruments_of_the_same_arrays(
    instruments: Instruments, maps: list[Path], tmp_path: Path
) -> None:
    files = instruments(3)
    report = nv.write_sorter(files, tmp_path / "folder", cmp=maps[0], electrodes=[2, 5])
    assert report.positions.arrays.tolist() == [1, 1, 2, 2, 3, 3]
    np.testing.assert_array_equal(report.positions.um[:2, 1], report.positions.um[4:, 1])
    with pytest.raises(ValueError, match="one for each of 3 instruments, found 2"):
        nv.write_sorter(files, tmp_path / "other", cmp=maps)
    assert not (tmp_path / "other").exists()


def test_joining_c14_without_maps_each_instrument_has_a_grid(instruments: Instruments, tmp_path: Path) -> None:
    report = nv.write_sorter(nv.combine_instruments(instruments(2)), tmp_path / "folder")
    assert not report.positions.is_map
    assert len(np.unique(report.positions.um, axis=0)) == 12


def test_joining_c14_the_command_takes_a_map_for_each_instrument(
    instruments: Instruments, maps: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: list[Any] = [file.path for file in instruments(2)]
    assert cli.main(["sorter", *names, str(tmp_path / "folder"), "--cmp", *map(str, maps)]) == 0
    settings = json.loads((tmp_path / "folder" / "kilosort_probe.json").read_text())
    assert settings["kcoords"] == [0] * 6 + [1] * 6
    assert "2 instruments side by side" in capsys.readouterr().err
