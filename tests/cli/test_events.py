# SPDX-License-Identifier: MIT
"""What `events` lists, in which order and with which times: claims C57 and C58 of `spec_notes/timing.md`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as n
from builders import timing as t
from fixture_types import RealFile
from recording.files import Folder, nsx

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.nev import spikes

Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def rows(capsys: pytest.CaptureFixture[str]) -> Rows:
    """The events that `events --json` lists; `--csv` lists the same."""

    def call(*arguments: object) -> list[dict[str, Any]]:
        command = ["events", *map(str, arguments)]
        capsys.readouterr()
        assert cli.main([*command, "--json"]) == 0
        listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert cli.main([*command, "--csv"]) == 0
        cells = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        for row, of_csv in zip(listed, cells, strict=True):
            assert {name: of_csv[name] for name in row} == {
                name: "" if value is None else str(value) for name, value in row.items()
            }
            assert list(row) == [name for name in of_csv if name in row]
        return listed

    return call


def values(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def two_epochs(folder: Path) -> Path:
    """Spikes and digital inputs of two epochs with the same ticks; 40 samples are missing behind tick 160."""
    make = n.Maker(20)
    packets = []
    for _ in range(2):
        for tick in range(100, 8_000, 100):
            packets.append(make.spike(tick, 1 + tick % 3, 0))
            packets += [make.digital(tick - 50, 1, tick)] if tick % 1_000 == 0 else []
    files = Folder(folder).write(s__nev=n.nev(packets), s__ns5=nsx((30, 8_000), (10, 151), (201, 8_000)))
    return files.path / "s.nev"


def test_timing_c57_events_are_listed_by_epoch_and_tick(rows: Rows, tmp_path: Path) -> None:
    path = two_epochs(tmp_path)
    listed = rows(path)
    ticks = list(range(950, 7_000, 1_000))
    assert values(listed, "epoch", "tick") == [(epoch, tick) for epoch in (0, 1) for tick in ticks]
    assert {row["kind"] for row in listed} == {"digital"}
    spikes = rows(path, "--kind", "spike", "--epoch", "1")
    assert values(spikes, "epoch", "tick") == [(1, tick) for tick in range(100, 8_000, 100)]
    (tmp_path / "s.ns5").unlink()
    assert values(rows(path), "epoch", "tick") == values(listed, "epoch", "tick"), "a NEV alone shows its reset"
    one = Folder(tmp_path).write(one__nev=t.spike_nev([5, 9, 7])).path / "one.nev"
    assert values(rows(one, "--kind", "spike"), "tick") == [(5,), (7,), (9,)]
    assert "epoch" not in rows(one, "--kind", "spike")[0]


def test_timing_c58_seconds_and_samples_count_from_the_first_sample(rows: Rows, tmp_path: Path) -> None:
    path = two_epochs(tmp_path)
    listed = rows(path, "--kind", "spike")
    assert [row["seconds"] for row in listed] == [(row["tick"] - 30) / 30_000 for row in listed]
    assert values(listed[:2], "segment", "sample") == [(0, 70), (0, 170)]
    assert values(listed[79:82], "tick", "segment", "sample") == [(100, 1, 90), (200, None, None), (300, 2, 99)]
    assert rows(tmp_path / "s.ns5", "--kind", "spike") == rows(tmp_path / "s", "--kind", "spike") == listed


def test_timing_c58_start_and_stop_are_as_in_a_cut(rows: Rows, tmp_path: Path) -> None:
    path = two_epochs(tmp_path)
    by_seconds = rows(path, "--kind", "spike", "--start", (4_000 - 30) / 30_000, "--stop", (5_000 - 30) / 30_000)
    assert values(by_seconds, "epoch", "tick") == [
        (epoch, tick) for epoch in (0, 1) for tick in range(4_000, 5_000, 100)
    ]
    assert rows(path, "--kind", "spike", "--start", "4000t", "--stop", "5000t") == by_seconds
    out = tmp_path / "cut.nev"
    assert cli.main(["cut", str(path), str(out), "--start", "0.1", "--stop", "0.2", "--epoch", "1"]) == 0
    of_cut = values(rows(out, "--kind", "spike"), "tick")
    assert of_cut == values(rows(path, "--kind", "spike", "--start", "0.1", "--stop", "0.2", "--epoch", "1"), "tick")


def test_timing_c58_rows_are_those_of_an_exported_bin(rows: Rows, tmp_path: Path, capsys: Any) -> None:
    path, bin_path = two_epochs(tmp_path), tmp_path / "s.bin"
    assert cli.main(["bin", str(tmp_path / "s.ns5"), str(bin_path), "--gaps", "join"]) == 0
    capsys.readouterr()
    first = {0: 0, 1: 8_000, 2: 8_151}
    for row in rows(path, "--kind", "spike", "--rows", bin_path):
        assert row["row"] == (None if row["segment"] is None else first[row["segment"]] + row["sample"])
    assert cli.main(["events", str(path), "--kind", "spike", "--rows", str(tmp_path / "none.bin")]) == 2
    (tmp_path / "s.ns5").unlink()
    assert cli.main(["events", str(path), "--kind", "spike", "--rows", str(bin_path)]) == 2
    assert "leave out --rows" in capsys.readouterr().err


def test_timing_c57_an_array_of_events_keeps_the_order_of_the_file(tmp_path: Path, capsys: Any) -> None:
    path, out = two_epochs(tmp_path), tmp_path / "spikes.npy"
    options = ["--kind", "spike", "--epoch", "1", "--stop", "1000t"]
    assert cli.main(["events", str(path), *options, "--npy", str(out)]) == 0
    assert "9 events" in capsys.readouterr().out
    with nv.open_nev(path) as nev:
        expected = nev.events("spike")
    np.testing.assert_array_equal(np.load(out), expected[79:88])


@pytest.mark.parametrize("kind", ["spike", "digital", "comment"])
def test_timing_c57_an_array_is_the_same_in_whatever_parts_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    """Electrodes whose waveforms differ in width and length, and packets that others continue."""
    monkeypatch.setattr(spikes, "_BATCH", 3)
    make = n.Maker(32)
    packets = [make.spike(tick, 1 + tick % 2, 0, range(tick, tick + 10)) for tick in range(20)]
    packets[7:7] = [make.more(b"\1\2\3\4"), make.digital(7, 1, 1), make.comment(8, b"end")]
    headers = [n.wav(1), n.wav(2, sample_bytes=1)]
    (tmp_path / "s.nev").write_bytes(n.nev(packets, headers, packet_bytes=32, flags=0))
    assert cli.main(["events", str(tmp_path / "s.nev"), "--kind", kind, "--npy", str(tmp_path / "o.npy")]) == 0
    with nv.open_nev(tmp_path / "s.nev") as nev:
        expected = nev.events(kind)
    found = np.load(tmp_path / "o.npy")
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


def test_timing_c57_events_that_may_be_of_another_epoch_are_said(tmp_path: Path, capsys: Any) -> None:
    folder = Folder(tmp_path).write(s__nev=t.spike_nev(range(150, 7_000, 50)), s__ns5=nsx((0, 8_000), (116, 9_000)))
    assert cli.main(["events", str(folder.path / "s.nev"), "--kind", "spike"]) == 0
    assert capsys.readouterr().err.count("137 of 137 packets may be of either of two epochs") == 1


def test_timing_c57_real_events_of_both_epochs_are_told_apart(rows: Rows, real_file: RealFile) -> None:
    listed = rows(real_file("reset.nev"), "--kind", "spike")
    assert [sum(row["epoch"] == epoch for row in listed) for epoch in (0, 1)] == [5451, 7628]
    assert [sum(row["segment"] == segment for row in listed) for segment in (0, 1)] == [5451, 7628]


def test_timing_c58_info_says_when_0_s_is_and_draws_epochs_apart(tmp_path: Path, capsys: Any) -> None:
    path = two_epochs(tmp_path)
    assert cli.main(["info", str(path)]) == 0
    alone = capsys.readouterr().out
    assert f"{70 / 30_000:.6g} s to {7_870 / 30_000:.6g} s (ticks 100 to 7900; 0 s is tick 30)" in alone
    assert "    1: -0.000666667 s to 0.272367 s (ticks 10 to 8201)" in alone
    assert cli.main(["info", str(tmp_path / "s")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.endswith("first tick 30 at 30000 Hz, which is 0 s") for line in lines)
    bars = [(line.split()[0], line.count("#")) for line in lines if line.endswith("|")]
    assert bars == [("nev", 58), ("ns5", 60), ("nev", 57), ("ns5", 60)]
    assert [line.split(": ")[1].split(",")[0] for line in lines if "recorder's clock" in line] == ["epoch 0", "epoch 1"]
    assert cli.main(["info", str(path), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert (described["zero_tick"], [epoch["start_tick"] for epoch in described["epochs"]]) == (30, [30, 10])


def test_timing_c58_a_slow_file_counts_from_the_recordings_first_sample(tmp_path: Path, capsys: Any) -> None:
    Folder(tmp_path).write(s__ns2=nsx((60, 100), period=30), s__ns5=nsx((30, 9_000)))
    assert cli.main(["info", str(tmp_path / "s.ns2")]) == 0
    assert "first tick 60 at 30000 Hz, which is 0.001 s (0 s is tick 30)" in capsys.readouterr().out
    for suffix, n_samples in ("ns2", 10), ("ns5", 300):
        out = tmp_path / f"cut.{suffix}"
        assert cli.main(["cut", str(tmp_path / f"s.{suffix}"), str(out), "--start", "0.01", "--stop", "0.02"]) == 0
        with nv.open_nsx(out) as ns:
            assert (ns.zero_tick, ns.n_samples) == (330, n_samples)
    assert cli.main(["bin", str(tmp_path / "s.ns2"), str(tmp_path / "s.bin")]) == 0
    assert nv.read_sidecar(tmp_path / "s.bin").seconds([0, 1]).tolist() == [0.001, 0.002]


def test_a_file_of_spikes_alone_has_no_events_in_any_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: Rows
) -> None:
    path = tmp_path / "s.nev"
    path.write_bytes(t.spike_nev([5, 9]))
    assert rows(path) == []
    for form in ((), ("--csv",)):
        assert cli.main(["events", str(path), *form]) == 0
        assert "the file has 2 spike; --kind lists them" in capsys.readouterr().err


def test_a_numpy_file_is_replaced_only_if_that_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "s.nev", tmp_path / "o.npy"
    path.write_bytes(t.spike_nev([5, 9]))
    command = ["events", str(path), "--kind", "spike"]
    for options, code in (([], 0), ([], 1), (["--overwrite"], 0)):
        assert cli.main([*command, "--npy", str(out), *options]) == code
    assert f"{out} exists; choose another name, or --overwrite to replace it" in capsys.readouterr().err
    assert cli.main([*command, "--overwrite"]) == 2
    assert "--overwrite requires --npy" in capsys.readouterr().err
