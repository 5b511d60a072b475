# SPDX-License-Identifier: MIT
"""Many recordings on one command line: one bad one does not stop the others, and a second run does only the rest."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.cli import terminal
from nevparse.format.text import size_text

WHOLE = b.nsx([(0, b.ramp(300, 4))])
PAUSED = b.nsx([(0, b.ramp(30, 4)), (45, b.ramp(30, 4))])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, data in {"a.ns5": WHOLE, "b.ns5": PAUSED, "c.ns5": b"no recording", "d.ns5": WHOLE}.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_recording_gets_a_bin_and_a_bad_one_stops_no_other(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bin", "*.ns5", "--out-dir", "out"]) == 2, "the worst code of all"
    printed = capsys.readouterr()
    assert sorted(os.listdir("out")) == ["a.bin", "a.bin.json", "d.bin", "d.bin.json"]
    problems = printed.err.splitlines()
    assert [line.split(":")[1].strip().split(",")[0] for line in problems] == ["b.ns5", "c.ns5"]
    assert np.fromfile("out/a.bin", "<i2").size == 1200


def test_a_second_run_does_what_is_left(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.remove("c.ns5")
    assert cli.main(["bin", "*.ns5", "--out-dir", "out"]) == 1
    before = os.stat("out/a.bin").st_mtime_ns
    (here / "d.ns5").write_bytes(b.nsx([(0, b.ramp(400, 4))]))  # is another recording now
    capsys.readouterr()
    again = ["bin", "*.ns5", "--out-dir", "out", "--skip-done", "--gaps", "join", "--overwrite"]
    assert cli.main(again) == 0
    assert "a.bin is done, skipped" in capsys.readouterr().err
    assert os.stat("out/a.bin").st_mtime_ns == before
    assert [nv.read_sidecar(f"out/{name}.bin").contents["shape"][0] for name in "abd"] == [300, 60, 400]
    assert cli.main([*again[:-2], "split"]) == 0
    os.remove("out/b.bin.json")
    capsys.readouterr()
    assert cli.main([*again[:-2], "split"]) == 0
    assert cli.main([*again[:-2], "split"]) == 0
    assert "b.bin is done" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.ns5", "a.ns2", "--out-dir", "out"], "a.ns5 and a.ns2 would both become"),
        (["a.ns5", "o.bin", "--skip-done"], "--skip-done requires --out-dir"),
        (["a.ns5"], "expected a recording and the .bin to write, found only a.ns5"),
        (["x*.ns5", "--out-dir", "out"], "no file fits the pattern x*.ns5"),
    ],
)
def test_what_is_not_clear_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.main(["bin", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not os.path.exists("out")


def test_info_and_check_go_on_behind_a_bad_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("info", "check"):
        assert cli.main([command, "c.ns5", "a.ns5"]) == 2
        printed = capsys.readouterr()
        assert "a.ns5" in printed.out
        assert "c.ns5" in printed.err


def test_info_of_a_folder_is_a_line_for_each_recording(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "."]) == 2
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["recording", "date", "length", "files", "channels", "rate", "gaps", "damage"]
    assert [row.split()[0] for row in rows] == ["a", "b", "c", "d"]
    assert [row.split()[-2] for row in rows if "UTC" in row] == ["-", "1", "-"]
    assert "expected an NSx file" in rows[2]
    os.mkdir("empty")
    assert cli.main(["info", "empty"]) == 2
    with pytest.raises(IsADirectoryError, match="found a folder; the recordings in it: a, b, c, d"):
        nv.open_recording(here)


def test_info_can_list_the_channels(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "a.ns5", "--channels"]) == 0
    title, head, *rows = capsys.readouterr().out.splitlines()
    assert (title, head.split()[:3]) == ("a.ns5", ["column", "electrode", "label"])
    assert [row.split()[:4] for row in rows] == [[str(k), str(k + 1), f"elec{k + 1}", "neural"] for k in range(4)]


@pytest.mark.parametrize("command", [["bin", "a.ns5", "o.bin"], ["sorter", "a.ns5", "o"], ["cut", "a.ns5", "o.ns5"]])
def test_what_was_written_is_json_or_nothing_on_request(
    here: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert cli.main([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main([*command[:-1], "second" + command[-1], "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = said["files"][0] if "files" in said else said
    assert (found["n_samples"], found["n_channels"]) == (300, 4)


def test_progress_says_how_fast_and_how_long_still(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, now = io.StringIO(), [100.0]
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal, "monotonic", lambda: now[0])
    show = terminal.progress("{} samples".format, 1000)
    assert show is not None
    for second, done in ((0.1, 1000), (2, 20_000), (2, 20_000), (8, 80_000), (8.1, 97_000)):
        now[0] = 100 + second
        show(done, 100_000)
    terminal.print_message("interrupted")
    assert [line.strip() for line in screen.getvalue().replace("\r", "\n").splitlines() if line.strip()] == [
        "1 % of 100000 samples",
        "20 % of 100000 samples, 10 MB/s, 8 s left",
        "80 % of 100000 samples, 10 MB/s, 2 s left",
        "97 % of 100000 samples, 12 MB/s, 1 s left",
        "nevparse: interrupted",
    ]


def test_check_shows_which_file_it_reads(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    assert cli.main(["check", "a.ns5"]) == 0
    size = size_text(os.path.getsize("a.ns5"))
    assert screen.getvalue() == f"\r  0 % of a.ns5, {size}\r100 % of a.ns5, {size}\n"


def test_what_is_followed_has_no_end_to_show(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    assert cli.main(["bin", "a.ns5", "a.bin", "--follow", "--gaps", "join", "--timeout", "0"]) == 0
    assert screen.getvalue() == "\r300 samples so far\n"
