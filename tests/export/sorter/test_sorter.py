# SPDX-License-Identifier: MIT
"""Folders for sorters: every file in them, read as their readers do, without those readers (`test_interop.py`)."""

from __future__ import annotations

import ast
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from builders import sorting as sb
from builders import timing as t
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import python

import nevparse as nv
from nevparse.cli import commands as cli

Opened = Callable[..., Any]
FILES = [
    "binary.json",
    "kilosort_probe.json",
    "params.py",
    "probe.json",
    "recording.bin",
    "recording.bin.json",
    "si_folder.json",
]
SPIKE_BAND = (250_000, 4, 1)  # mHz, order, type


def electrodes(n: int, kind: str = "2.3", **more: Any) -> list[bytes]:
    return [b.channel(k + 1, kind=kind, bank=1 + k // 32, pin=1 + k % 32, **more) for k in range(n)]


@pytest.fixture
def recording(opened: Opened) -> Any:
    """Six electrodes and two analog inputs, 40 samples from tick 1000."""
    return opened(b.nsx([(1000, b.ramp(40, 8))], channels=[*electrodes(6), b.analog_input(1), b.analog_input(2)]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    return tmp_path / "new" / "folder"


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """A map of six electrodes, two columns wide, that starts with the last one."""
    path = tmp_path / "array.cmp"
    path.write_bytes(sb.array_map(6, 2, reverse=True))
    return path


def json_of(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="ascii"))


def params(folder: Path) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec((folder / "params.py").read_text(encoding="ascii"), {}, names)
    return names


def left_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


# --------------------------------------------------------------------------------------------------------- contents


def test_sorters_c01_all_neural_channels_are_written_and_that_is_said(recording: nv.NsxFile, folder: Path) -> None:
    report = nv.write_sorter(recording, folder)
    assert left_in(folder) == FILES
    assert left_in(folder.parent) == ["folder"]
    assert np.fromfile(folder / "recording.bin", "<i2").reshape(-1, 6).tolist() == b.ramp(40, 8)[:, :6].tolist()
    assert "channels: all neural ones, 6 of 8" in report.lines()
    assert report.export.path == os.path.join(folder, "recording.bin")
    assert Path(report.export.sidecar_path).is_file()


def test_sorters_c01_chosen_channels_keep_their_order_and_inputs_are_refused(
    recording: nv.NsxFile, folder: Path
) -> None:
    report = nv.write_sorter(recording, folder, electrodes=[5, 2])
    assert report.export.electrode_ids == (5, 2)
    assert report.selection == "those chosen, 2 of 8"
    with pytest.raises(ValueError, match=r"found analog inputs 129 \(ainp1\): leave them out"):
        nv.write_sorter(recording, folder, channels=[0, 6])
    with pytest.raises(KeyError, match="no electrode 99"):
        nv.write_sorter(recording, folder, electrodes=[99])


def test_sorters_c01_an_electrode_in_two_columns_is_refused(opened: Opened, folder: Path) -> None:
    ns = opened(b.nsx([(0, b.ramp(9, 3))], ids=[4, 7, 4]))
    with pytest.raises(ValueError, match="expected each electrode once, found 4 twice"):
        nv.write_sorter(ns, folder)
    assert nv.write_sorter(ns, folder, channels=[1, 2]).export.electrode_ids == (7, 4)


def test_sorters_c02_kilosort_finds_every_column_on_the_map(recording: nv.NsxFile, folder: Path, array: Path) -> None:
    nv.write_sorter(recording, folder, cmp=array)
    probe = json_of(folder, "kilosort_probe.json")
    assert probe["chanMap"] == [0, 1, 2, 3, 4, 5]
    assert (probe["xc"], probe["yc"]) == ([400, 0, 400, 0, 400, 0], [800, 800, 400, 400, 0, 0])
    assert (probe["kcoords"], probe["n_chan"]) == ([0] * 6, 6)
    assert {len(value) for value in probe.values() if isinstance(value, list)} == {6}


def test_sorters_c02_several_arrays_are_several_shanks(opened: Opened, folder: Path, tmp_path: Path) -> None:
    ns = opened(b.nsx([(0, b.ramp(9, 64))], channels=electrodes(64)))
    for name in "ab":
        (tmp_path / f"{name}.cmp").write_bytes(sb.array_map(32, 8))
    maps = nv.read_cmp([tmp_path / "a.cmp", tmp_path / "b.cmp"], first_bank="AB")
    nv.write_sorter(ns, folder, cmp=maps, pitch_um=100)
    probe, other = json_of(folder, "kilosort_probe.json"), json_of(folder, "probe.json")["probes"][0]
    assert probe["kcoords"] == [0] * 32 + [1] * 32
    assert other["shank_ids"] == ["1"] * 32 + ["2"] * 32
    assert json_of(folder, "si_folder.json")["properties"]["group"] == probe["kcoords"]
    assert min(probe["xc"][32:]) > max(probe["xc"][:32]) + 1000


def test_sorters_c03_and_c04_kilosorts_settings_follow_from_recording_and_map(
    opened: Opened, recording: nv.NsxFile, folder: Path, array: Path
) -> None:
    report = nv.write_sorter(recording, folder, cmp=array)
    assert report.settings == {
        "n_chan_bin": 6, "fs": 30000.0, "nblocks": 0, "nearest_templates": 6, "dmin": 200.0, "dminx": 400.0,
        "x_centers": 2,
    }  # fmt: skip
    lines = "\n".join(report.lines())
    assert "n_chan_bin 6, fs 30000, dtype int16; gain 0.25 µV per bit" in lines
    assert str(report.settings) in lines
    assert f"filename={report.export.path!r}, data_dtype='int16'" in lines
    dense = nv.write_sorter(recording, folder, cmp=array, pitch_um=25, overwrite=True).settings
    assert dense == {"n_chan_bin": 6, "fs": 30000.0, "dminx": 25.0, "x_centers": 1}
    slow = opened(b.nsx([(0, b.ramp(9, 1))], period=3), "slow.ns4")
    assert nv.write_sorter(slow, folder, overwrite=True).settings == {
        "n_chan_bin": 1, "fs": 10000.0, "nt": 21, "nblocks": 0, "nearest_templates": 1
    }  # fmt: skip


def test_sorters_c05_the_probe_has_a_contact_for_each_column(recording: nv.NsxFile, folder: Path, array: Path) -> None:
    nv.write_sorter(recording, folder, cmp=array, electrodes=[3, 1])
    whole = json_of(folder, "probe.json")
    (probe,) = whole["probes"]
    assert whole["specification"] == "probeinterface"
    assert (probe["ndim"], probe["si_units"]) == (2, "um")
    assert probe["contact_positions"] == [[400, 400], [400, 800]]
    assert (probe["contact_ids"], probe["device_channel_indices"]) == (["3", "1"], [0, 1])
    assert probe["contact_annotations"]["label"] == ["elec3", "elec1"]
    lists = ("contact_positions", "contact_plane_axes", "contact_shapes", "contact_shape_params", "shank_ids")
    assert [len(probe[name]) for name in lists] == [2] * 5


LABEL = "'; raise SystemExit(1)  # \x1b[31mµ\\"[:16]


def test_sorters_c06_params_are_literals_and_nothing_of_the_recordings_texts(opened: Opened, folder: Path) -> None:
    ns = opened(b.nsx([(0, b.ramp(9, 1))], channels=[b.channel(1, label=LABEL)], label=b"\nimport os\n"))
    nv.write_sorter(ns, folder)
    text = (folder / "params.py").read_bytes()
    assert text.isascii()
    body = ast.parse(text).body
    assert all(isinstance(line, ast.Assign) and ast.literal_eval(line.value) is not None for line in body)
    assert params(folder) == {
        "dat_path": ["recording.bin"], "n_channels_dat": 1, "dtype": "int16", "offset": 0, "sample_rate": 30000.0,
        "hp_filtered": False,
    }  # fmt: skip
    for path in folder.iterdir():
        assert path.suffix == ".bin" or path.read_bytes().isascii(), path


@pytest.mark.parametrize(("high_pass", "filtered"), [((300, 1, 1), False), (SPIKE_BAND, True), ((0, 0, 0), False)])
def test_sorters_c07_what_was_recorded_filtered_is_said_to_be(
    opened: Opened, folder: Path, high_pass: tuple[int, int, int], filtered: bool
) -> None:
    channels = [b.channel(1, high_pass=SPIKE_BAND), b.channel(2, high_pass=high_pass)]
    nv.write_sorter(opened(b.nsx([(0, b.ramp(9, 2))], channels=channels)), folder)
    assert params(folder)["hp_filtered"] is filtered
    assert json_of(folder, "binary.json")["kwargs"]["is_filtered"] is filtered
    assert json_of(folder, "si_folder.json")["annotations"]["is_filtered"] is filtered


@pytest.mark.parametrize("kind", b.KINDS)
def test_sorters_c08_spikeinterface_is_told_of_samples_gains_and_ids(opened: Opened, folder: Path, kind: str) -> None:
    data, samples = b.plausible(kind, 3, (12,))
    factors = b.nev_with_factors({1: 250, 2: 500, 3: 250})
    ns = opened(data)
    if kind == "2.1":
        (folder.parent / "f.nev").write_bytes(factors)
        ns.close()
        ns = nv.open_nsx(ns.path, nev=folder.parent / "f.nev")
    with ns:
        nv.write_sorter(ns, folder)
        gains = [channel.uv_per_bit for channel in ns.channels]
    binary = json_of(folder, "binary.json")
    kwargs = binary["kwargs"]
    assert binary["class"].endswith(".BinaryRecordingExtractor")
    assert binary["relative_paths"] is json_of(folder, "si_folder.json")["relative_paths"] is True
    assert kwargs["file_paths"] == ["recording.bin"]
    assert (kwargs["sampling_frequency"], kwargs["num_channels"], kwargs["t_starts"]) == (30000.0, 3, None)
    assert (kwargs["dtype"], kwargs["channel_ids"], kwargs["gain_to_uV"]) == (samples.dtype.str, [1, 2, 3], gains)
    assert kwargs["offset_to_uV"] == [0, 0, 0]
    assert np.fromfile(folder / "recording.bin", kwargs["dtype"]).reshape(-1, 3).tolist() == samples.tolist()
    assert params(folder)["dtype"] == samples.dtype.name


def test_sorters_c09_without_gains_there_are_none_and_that_is_said(opened: Opened, folder: Path) -> None:
    ns = opened(b.plausible("2.1", 2, (9,))[0])
    with pytest.warns(nv.UnknownScale, match=r"electrodes 1-2: no gains in binary.json") as told:
        report = nv.write_sorter(ns, folder)
    assert told[0].filename == __file__
    assert json_of(folder, "binary.json")["kwargs"]["gain_to_uV"] is None
    assert "the gain is not known" in "\n".join(report.lines())


def test_sorters_c10_the_folder_can_be_moved(recording: nv.NsxFile, folder: Path, tmp_path: Path) -> None:
    nv.write_sorter(recording, folder)
    for path in folder.iterdir():
        content = path.read_bytes()
        assert os.fsencode(folder.parent) not in content, path
    shutil.move(folder, tmp_path / "moved")
    assert nv.read_sidecar(tmp_path / "moved" / "recording.bin").row_to_tick([0, 39]).tolist() == [1000, 1039]


# ------------------------------------------------------------------------------------------------ whole, or nothing


def test_sorters_c11_a_folder_that_holds_files_is_refused(recording: nv.NsxFile, folder: Path) -> None:
    folder.mkdir()
    nv.write_sorter(recording, folder)  # an empty one is none
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(nv.ExportError, match=r"exists and holds files; .*overwrite=True \(--overwrite\)"):
        nv.write_sorter(recording, folder, electrodes=[1])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert left_in(folder.parent) == ["folder"]


def test_sorters_c11_overwriting_replaces_ours_and_leaves_a_sorters_results(
    opened: Opened, recording: nv.NsxFile, folder: Path
) -> None:
    paused = opened(t.blocks([1000, 2000, 3000], [5, 4, 3]), "p.ns5")
    nv.write_sorter(paused, folder, gaps="split")
    (folder / "kilosort4").mkdir()
    (folder / "kilosort4" / "spike_times.npy").write_bytes(b"precious")
    (folder / "notes.txt").write_text("mine")
    nv.write_sorter(recording, folder, overwrite=True)
    assert left_in(folder) == sorted([*FILES, "kilosort4", "notes.txt"]), "no file of the three segments"
    assert (folder / "kilosort4" / "spike_times.npy").read_bytes() == b"precious"


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("fails", ["write_bin", "texts", "rename", "interrupt"])
def test_sorters_c11_nothing_is_left_of_what_failed(
    recording: nv.NsxFile, folder: Path, monkeypatch: pytest.MonkeyPatch, existing: bool, fails: str
) -> None:
    if existing:
        nv.write_sorter(recording, folder, electrodes=[2, 1])
        (folder / "notes.txt").write_text("mine")
        for name in ("recording.bin", "params.py", "probe.json"):  # what is new must go again
            (folder / name).unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()} if existing else None

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt if fails == "interrupt" else OSError(28, "No space left on device")

    replace, calls = os.replace, []

    def some(source: str, target: str) -> None:
        calls.extend([target] * (str(folder) in (target, os.path.dirname(target))))
        if len(calls) == (6 if existing else 1):  # of seven files that come to their places, or of one folder
            calls.append("failed")
            fail()
        replace(source, target)

    if fails == "texts":
        monkeypatch.setattr("nevparse.export.sorter.folder.description_files", fail)
    elif fails != "write_bin":
        monkeypatch.setattr(os, "replace", some)
    with pytest.raises((nv.ExportError, KeyboardInterrupt)) as failed:
        nv.write_sorter(recording, folder, overwrite=existing, progress=fail if fails == "write_bin" else None)
    assert fails == "interrupt" or "could not be written" in str(failed.value)
    monkeypatch.undo()
    assert left_in(folder.parent) == (["folder"] if existing else [])
    if existing:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


KILLED = """
import os, sys
import nevparse as nv
real, places = os.replace, []
def replace(source, target):
    places.extend([target] * (os.path.dirname(target) in (sys.argv[2], os.path.dirname(sys.argv[2]))))
    if len(places) == int(sys.argv[3]):
        os._exit(9)
    real(source, target)
os.replace = replace
with nv.open_nsx(sys.argv[1]) as ns:
    nv.write_sorter(ns, sys.argv[2], overwrite=True)
"""


@pytest.mark.parametrize(
    ("existing", "nth"),
    [(False, 1), (True, 13), *(pytest.param(True, nth, marks=pytest.mark.thorough) for nth in (1, 7))],
)
def test_sorters_c11_the_next_run_cleans_up_behind_one_that_was_killed(
    recording: nv.NsxFile, folder: Path, existing: bool, nth: int
) -> None:
    """Kills at every moment: `test_output_kills.py`."""
    if existing:
        nv.write_sorter(recording, folder, electrodes=[2, 1])
    assert python("-c", KILLED, recording.path, folder, nth).returncode == 9
    assert "folder.nevparse-part" in left_in(folder.parent)
    nv.write_sorter(recording, folder, overwrite=True)
    assert left_in(folder.parent) == ["folder"]
    assert left_in(folder) == FILES
    assert np.fromfile(folder / "recording.bin", "<i2").size == 40 * 6


def test_sorters_c11_what_is_in_the_way_is_nobodys_to_remove(
    recording: nv.NsxFile, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(nv.ExportError, match="does not exist; create it first"):
        nv.write_sorter(recording, tmp_path / "not" / "there")
    with pytest.raises(nv.ExportError, match="is not a folder"):
        nv.write_sorter(recording, recording.path, overwrite=True)
    other = folder.parent / "folder.nevparse-part"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    with pytest.raises(nv.ExportError, match="was not left by an interrupted run"):
        nv.write_sorter(recording, folder, overwrite=True)
    assert (other / "thesis.tex").read_text() == "mine"
    assert left_in(folder.parent) == ["folder.nevparse-part"]


def test_sorters_c11_a_recording_in_the_folder_is_never_replaced(recording: nv.NsxFile, folder: Path) -> None:
    folder.mkdir()
    shutil.copy(recording.path, folder / "recording.bin")
    with nv.open_nsx(folder / "recording.bin") as ns, pytest.raises(nv.ExportError, match="is the recording itself"):
        nv.write_sorter(ns, folder, overwrite=True)
    assert (folder / "recording.bin").read_bytes() == Path(recording.path).read_bytes()


# --------------------------------------------------------------------------------------------------- maps and time


def test_sorters_c12_a_plain_grid_says_that_it_is_one(recording: nv.NsxFile, folder: Path) -> None:
    report = nv.write_sorter(recording, folder, pitch_um=50)
    statement = report.positions.statement
    assert "plain grid" in statement
    assert json_of(folder, "kilosort_probe.json")["electrodes"] == statement
    assert json_of(folder, "probe.json")["probes"][0]["annotations"] == {"name": "plain grid", "electrodes": statement}
    assert json_of(folder, "si_folder.json")["annotations"]["electrodes"] == statement
    assert f"electrodes: {statement}" in report.lines()
    assert json_of(folder, "kilosort_probe.json")["xc"] == [0, 50, 100, 0, 50, 100]


def test_sorters_c13_a_bin_for_each_segment_and_all_are_listed(opened: Opened, folder: Path) -> None:
    ns = opened(t.blocks([1000, 31000, 76000], [5, 4, 3]))
    report = nv.write_sorter(ns, folder, gaps="split", start_tick=1002)
    names = [f"recording-00{k}.bin" for k in range(3)]
    assert [path.name for path in sorted(folder.glob("*.bin"))] == names
    assert params(folder)["dat_path"] == names
    kwargs = json_of(folder, "binary.json")["kwargs"]
    assert kwargs["file_paths"] == names
    assert kwargs["t_starts"] == pytest.approx([0, 29998 / 30000, 74998 / 30000])
    assert f"filename={[file.path for file in report.export.files]!r}" in "\n".join(report.lines())


def test_sorters_c13_seconds_start_anew_where_the_clock_was_set_back(opened: Opened, folder: Path) -> None:
    ns = opened(t.blocks([600_000, 690_000, 300, 60_300, 0], [5, 4, 3, 2, 1]))
    nv.write_sorter(ns, folder, gaps="split")
    assert json_of(folder, "binary.json")["kwargs"]["t_starts"] == [0, 3, 0, 2, 0]


@settings(max_examples=15)
@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=4), pauses=st.lists(st.integers(5, 9000), min_size=4))
@pytest.mark.parametrize("kind", ["2.3", "ptp"])
def test_sorters_c14_rows_go_back_to_ticks_across_pauses(
    opened: Opened, folder: Path, kind: str, counts: list[int], pauses: list[int]
) -> None:
    starts = np.cumsum([1000, *(n + p for n, p in zip(counts, pauses, strict=False))])[: len(counts)].tolist()
    scale = 100_000 // 3 if kind == "ptp" else 1
    samples = b.ramp(sum(counts), 2)
    edges = np.cumsum([0, *counts])
    blocks = [(start * scale, samples[a:z]) for start, a, z in zip(starts, edges[:-1], edges[1:], strict=True)]
    with opened(b.nsx(blocks, kind)) as ns:
        nv.write_sorter(ns, folder, gaps="join", overwrite=True)
        ticks = np.concatenate([segment.ticks() for segment in ns.segments])
    spike_times = np.arange(len(ticks))[::-3]
    sidecar = nv.read_sidecar(folder / "recording.bin.json")
    assert sidecar.row_to_tick(spike_times).tolist() == ticks[spike_times].tolist()
    assert sidecar.tick_to_row(ticks).tolist() == list(range(len(ticks)))
    del sidecar


def test_sorters_c15_what_does_not_fit_is_refused_before_anything_is_written(
    opened: Opened, recording: nv.NsxFile, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "large.cmp").write_bytes(sb.array_map(8, 4))
    (tmp_path / "small.cmp").write_bytes(sb.array_map(4, 2))
    for name in ("large", "small"):
        with pytest.raises(ValueError, match=r"expected a map of the electrodes that were recorded"):
            nv.write_sorter(recording, folder, cmp=tmp_path / f"{name}.cmp")
    assert nv.write_sorter(recording, folder, cmp=tmp_path / "large.cmp", electrodes=[1, 2]).positions.is_map
    shutil.rmtree(folder)
    with pytest.raises(nv.GapError, match="gaps='split', 'join' or 'fill'"):
        nv.write_sorter(opened(t.blocks([1000, 2000], [5, 4]), "p.ns5"), folder)
    with pytest.raises(TypeError, match="speed"):
        nv.write_sorter(recording, folder, speed=2)  # type: ignore[call-arg]
    assert left_in(folder.parent) == []


@pytest.mark.parametrize("name", ["mne_real_2.3.ns3", "ripple_testData.ns2", "ripple_hires.nf3"])
def test_real_recordings_come_out_as_they_are(real_file: Callable[[str], Path], folder: Path, name: str) -> None:
    with nv.open_nsx(real_file(name)) as ns:
        nv.write_sorter(ns, folder, gaps="join")
        columns = ns.columns(kind="neural")
        samples = np.concatenate([np.asarray(segment)[:, columns] for segment in ns.segments])
    kwargs = json_of(folder, "binary.json")["kwargs"]
    assert np.fromfile(folder / "recording.bin", kwargs["dtype"]).tolist() == samples.ravel().tolist()
    assert json_of(folder, "kilosort_probe.json")["n_chan"] == kwargs["num_channels"] == len(columns)


# -------------------------------------------------------------------------------------------------- at the terminal


def test_the_command_writes_the_same_and_says_what_a_sorter_asks_for(
    recording: nv.NsxFile, folder: Path, array: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = nv.write_sorter(recording, folder.parent / "by_hand", cmp=array, electrodes=[1, 2], pitch_um=300)
    arguments = ["--cmp", str(array), "--electrodes", "1-2", "--pitch", "300", "--first-bank", "a"]
    assert cli.main(["sorter", recording.path, str(folder), *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [line.replace("by_hand", "folder") for line in expected.lines()]
    for name in FILES:
        assert (folder / name).read_bytes() == (folder.parent / "by_hand" / name).read_bytes()
    assert cli.main(["sorter", recording.path, str(folder)]) == 1
    assert "exists and holds files" in capsys.readouterr().err


def test_the_command_refuses_a_map_that_is_none_in_one_line(
    recording: nv.NsxFile, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.cmp").write_bytes(b"\x00\x01binary")
    assert cli.main(["sorter", recording.path, str(folder), "--cmp", str(tmp_path / "none.cmp")]) == 2
    assert cli.main(["sorter", recording.path, str(folder), "--cmp", str(tmp_path / "absent.cmp")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 2
    assert not folder.exists()
