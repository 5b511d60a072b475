# SPDX-License-Identifier: MIT
"""The command line: what it prints, what it writes, its exit codes, and that a user never sees a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Command, FileOf
from processes import PATIENCE_S, environment, python

import nevparse

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX signals and terminals")


def run(*arguments, **options):
    return python("-m", "nevparse", *arguments, **options)


@pytest.fixture
def recording(file_of: FileOf) -> str:
    """A recording of 6 electrodes and 2 analog inputs, 0.1 s at 30 kHz, from tick 1000."""
    heads = [b.channel(k) for k in (1, 2, 3, 4, 5, 96)] + [b.analog_input(1), b.analog_input(2)]
    return file_of(b.nsx([(1000, b.ramp(3000, 8))], channels=heads))


# ------------------------------------------------------------------------------------------------------------- info


def test_info_is_read_at_a_glance(main: Command, recording: str) -> None:
    code, out, err = main("info", recording)
    assert (code, err) == (0, "")
    for words in (
        "Blackrock NSx 2.3, 2023-06-14 10:30:05.250 UTC", "8 channels, 30000 Hz, int16", "100 ms, 3000 samples in 1",
        "first tick 1000 at 30000 Hz", "columns 0-5  electrodes 1-5, 96  0.25 µV per bit  0.3 Hz to 7500 Hz  labels ",
        "columns 6-7  electrodes 129-130  152.593 µV per bit", "no gaps", "no damaged places",
    ):  # fmt: skip
        assert words in out


def test_info_shows_gaps_and_damage(main: Command, file_of: FileOf) -> None:
    data = b.plausible("2.3", 2, (3,) * 12)[0][:-4]
    code, out, err = main("info", file_of(data))
    assert code == 0
    assert "11 gaps:" in out
    assert "pause of 1 s (30000 samples) at" in out
    assert "and 3 more" in out
    assert "1 damaged place:" in out
    assert "missing: 4 bytes" in out
    assert err.startswith("nevparse: warning: ")


@pytest.mark.parametrize("kind", b.KINDS)
def test_info_json_is_one_line_for_each_file(main: Command, file_of: FileOf, kind: str) -> None:
    paths = [file_of(b.plausible(kind)[0], name) for name in ("a.ns5", "b.ns5")]
    code, out, _ = main("info", "--json", *paths)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, [line["path"] for line in lines]) == (0, paths)
    shown = lines[0]
    assert (shown["family"], shown["n_channels"], shown["n_samples"], len(shown["channels"])) == ("nsx", 3, 9, 3)
    assert sum(segment["n_samples"] for segment in shown["segments"]) == 9
    assert shown["channels"][0]["electrode_id"] == 1
    assert (shown["channels"][0]["uv_per_bit"] is None) == (kind == "2.1"), "no NaN in JSON"
    assert len(shown["gaps"]) == (0 if kind == "2.1" else 1)


def test_what_a_terminal_would_obey_is_made_visible(main: Command, file_of: FileOf) -> None:
    label = b"\x1b[2J\x9b31m\r\x07"
    heads = [b.channel(1, label=label, units=label)]
    path = file_of(b.nsx([(0, b.ramp(2, 1))], channels=heads, label=label, comment=label))
    for arguments in (
        ["info", path + "\x1b[2J"],
        ["info", path],
        ["info", "--json", path],
        ["bin", path, path + ".bin", "--labels", "nothing"],
    ):
        _, out, err = main(*arguments)
        printed = (out + err).replace("\n", "")
        assert printed.isprintable(), repr(printed)
    assert "\\x1b[2J" in main("info", path)[1]


def test_info_is_plain_where_the_output_cannot_show_a_letter(recording: str) -> None:
    done = run("info", recording, env=environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"V per bit" in done.stdout


# -------------------------------------------------------------------------------------------------------------- bin


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ([], range(8)),
        (["--channels", "0:6"], range(6)),
        (["--channels", "7,0:2,-1"], [7, 0, 1, 7]),
        (["--channels", "::3"], [0, 3, 6]),
        (["--electrodes", "96,1-3"], [5, 0, 1, 2]),
        (["--labels", "elec?"], range(5)),
        (["--labels", "ainp2", "elec96"], [7, 5]),
        (["--neural"], range(6)),
    ],
)
def test_bin_writes_the_selected_channels(main: Command, recording: str, tmp_path: Path, options, columns) -> None:
    out = tmp_path / "o.bin"
    code, printed, err = main("bin", recording, out, *options)
    assert (code, err) == (0, "")
    assert out.read_bytes() == b.ramp(3000, 8)[:, list(columns)].tobytes()
    shape = f"3000 samples x {len(list(columns))} channels of int16, little-endian, sample by sample"
    assert shape in printed
    assert "30000 Hz" in printed


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--start", "0.01"], slice(300, None)),
        (["--stop", "0.01"], slice(None, 300)),
        (["--start", "0.05", "--stop", "0.0500333333"], slice(1500, 1501)),
        (["--start", "1/30000", "--stop", "1"], slice(1, None)),
    ],
)
def test_bin_takes_seconds_from_the_first_sample(main: Command, recording: str, tmp_path: Path, options, rows) -> None:
    assert main("bin", recording, tmp_path / "o.bin", *options)[0] == 0
    assert (tmp_path / "o.bin").read_bytes() == b.ramp(3000, 8)[rows].tobytes()


def test_bin_overwrites_only_where_allowed(main: Command, recording: str, tmp_path: Path) -> None:
    (tmp_path / "o.bin").write_bytes(b"older")
    code, _, err = main("bin", recording, tmp_path / "o.bin")
    assert code == 1
    assert "exists" in err
    assert (tmp_path / "o.bin").read_bytes() == b"older"
    assert main("bin", recording, tmp_path / "o.bin", "--overwrite")[0] == 0
    assert (tmp_path / "o.bin").stat().st_size == 48000


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--electrodes", "77"], 1, "no electrode 77; the file has electrodes 1-5, 96, 129-130"),
        (["--labels", "x*"], 1, "no label 'x*'; the file has labels elec1"),
        (["--channels", "5:5"], 1, "expected at least one channel, found none"),
        (["--channels", "6:144"], 0, "--channels goes to 144, but the file has 8 channels"),
        (["--channels", "0:6", "--neural"], 2, "not allowed with argument"),
        (["--channels", "a"], 2, "--channels"),
        (["--channels", "0:1:2:3"], 2, "--channels"),
        (["--channels", "::0"], 2, "--channels"),
        (["--electrodes", "1-"], 2, "--electrodes"),
        (["--electrodes", "5-1"], 2, "--electrodes"),
        (["--electrodes", "1-x"], 2, "--electrodes"),
        (["--electrodes", "1-99999999999"], 2, "--electrodes"),
        (["--electrodes", "1-99999999999999999999999"], 2, "--electrodes"),
        (["--start", "soon"], 2, "--start"),
        (["--start", "1/0"], 2, "--start"),
        (["--start", "nan"], 2, "--start"),
        (["--start", "1e999999999"], 2, "--start"),
        (["--start", "50"], 1, "a time that holds samples"),
        (["--unknown"], 2, "unknown option --unknown"),
        ([], 0, ""),
    ],
)
def test_every_selection_works_or_gives_the_reason(
    main: Command, recording: str, tmp_path: Path, options, code, message
) -> None:
    got, _, err = main("bin", recording, tmp_path / "o.bin", *options)
    assert (got, message in err) == (code, True), err
    assert (tmp_path / "o.bin").exists() == (code == 0)


def test_gaps_are_refused_with_a_way_out(main: Command, file_of: FileOf, tmp_path: Path) -> None:
    code, _, err = main("bin", file_of(b.plausible("2.3")[0]), tmp_path / "o.bin")
    assert code == 1
    assert "pause of 1 s (30000 samples) at" in err
    assert "--start" in err


# -------------------------------------------------------------------------------------------------------- bad input

BAD = {
    "empty": (b"", "an empty file"),
    "text": (b"ceci n'est pas une NSx\n" * 50, "expected an NSx file"),
    "neuralynx": (b"######## Neuralynx Data File Header\r\n" * 500, "a Neuralynx file"),
    "a version of the future": (b.nsx([], version=(9, 0)), "found 9.0"),
    "a header cut short": (b.nsx([])[:200], "before the end of the file"),
    "too many channels": (b.basic("2.3", 2**32 - 1, header_bytes=9), "found 4294967295 channels in a file of"),
    "no period": (b.nsx([], period=0), "expected a sampling period"),
}


@pytest.mark.parametrize("action", ["bin", "info"])
@pytest.mark.parametrize("what", list(BAD))
def test_input_that_cannot_be_used_gives_one_line(
    main: Command, file_of: FileOf, tmp_path: Path, what: str, action
) -> None:
    data, message = BAD[what]
    arguments = [tmp_path / "o.bin"] if action == "bin" else []
    code, out, err = main(action, file_of(data, "x.nev" if what == "neuralynx" else "x.ns5"), *arguments)
    assert (code, out) == (2, "")
    assert message in err or action == "info"
    assert err.startswith("nevparse: ")
    assert err.count("\n") == 1, err
    assert not (tmp_path / "o.bin").exists()


def test_a_nev_is_no_nsx(main: Command, file_of: FileOf, tmp_path: Path) -> None:
    code, _, err = main("bin", file_of(b.nev_with_factors({}), "s.nev"), tmp_path / "o.bin")
    assert code in (1, 2)
    assert err.startswith("nevparse: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "o.bin").exists()


@pytest.mark.parametrize("action", ["bin", "info"])
def test_paths_that_cannot_be_opened_are_named_with_the_reason(
    main: Command, file_of: FileOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action
) -> None:
    arguments = [tmp_path / "o.bin"] if action == "bin" else []
    assert main(action, tmp_path / "none.ns5", *arguments)[0] == 2
    assert main(action, tmp_path, *arguments)[0] == 2
    path = file_of(b.plausible("2.3")[0])
    os.chmod(path, 0)
    if os.access(path, os.R_OK):  # an administrator may read everything
        monkeypatch.setattr("nevparse.source.file.open", _forbidden, raising=False)
    code, _, err = main(action, path, *arguments)
    assert (code, "s.ns5: Permission denied" in err) == (2, True), err


def _forbidden(path, *_, **__):
    raise PermissionError(13, "Permission denied", path)


def test_a_bug_is_reported_without_a_traceback(main: Command, recording: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nevparse.cli.opening.open_nsx", lambda path: 1 // 0)
    code, _, err = main("info", recording)
    assert code == 2
    assert "internal error, please report it: ZeroDivisionError" in err


def test_no_command_is_unusable_and_help_is_not(main: Command) -> None:
    assert main()[0] == 2
    assert main("nonsense")[0] == 2
    code, out, _ = main("--help")
    assert code == 0
    assert "info" in out
    assert "bin" in out


# ------------------------------------------------------------------------------------------------- as a user runs it


def test_a_process_of_its_own_prints_and_writes_what_is_promised(recording: str, tmp_path: Path) -> None:
    done = run("bin", recording, tmp_path / "o.bin", "--channels", "0:6")
    assert (done.returncode, done.stderr) == (0, b""), "no progress where no one watches"
    assert np.fromfile(tmp_path / "o.bin", "<i2").tobytes() == b.ramp(3000, 8)[:, :6].tobytes()
    refused = run("bin", recording, tmp_path / "o.bin")
    assert refused.returncode == 1
    assert refused.stderr.startswith(b"nevparse: ")
    assert refused.stderr.count(b"\n") == 1


def test_the_version_costs_no_numpy() -> None:
    code = (
        "import sys\nfrom nevparse.cli.commands import main\n"
        "try: main(['--version'])\nexcept SystemExit as stop: assert not stop.code\n"
        "assert 'numpy' not in sys.modules"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().split() == ["nevparse", nevparse.__version__]


@POSIX
def test_progress_is_shown_on_a_terminal_only(recording: str, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        done = run("bin", recording, tmp_path / "o.bin", stderr=theirs)
        os.close(theirs)
        theirs = -1
        seen = os.read(ours, 10_000)
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    assert done.returncode == 0
    assert b"100 % of 3000 samples" in seen
    assert b"%" not in done.stdout


@POSIX
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    path, folder = tmp_path / "s.ns5", tmp_path / "out"
    folder.mkdir()
    path.write_bytes(b.nsx([], "2.1"))
    os.truncate(path, 2_000_000_000)  # of holes: long enough to be interrupted
    for _ in range(10):
        code, out, err = interrupted(["bin", path, folder / "o.bin", "--channels", "1,0"], folder)
        if code != 0:
            break
        for file in folder.iterdir():  # on a busy machine it was done before we saw that it had begun
            file.unlink()
    assert (code, out) == (130, b"")
    assert err == b"nevparse: interrupted; nothing was left behind\n"
    assert list(folder.iterdir()) == []


def interrupted(command: list[object], folder: Path) -> tuple[int, bytes, bytes]:
    """Press Ctrl-C once a command has begun to write into a folder; its exit code and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nevparse", *map(str, command)], env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )  # fmt: skip
    try:
        while not list(folder.glob("*.nevparse-part")) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, out, err


@POSIX
@pytest.mark.parametrize("action", ["info", "bin"])
def test_a_reader_that_goes_away_is_no_error(recording: str, tmp_path: Path, action) -> None:
    arguments = [tmp_path / "o.bin"] if action == "bin" else []
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(action, recording, *arguments, stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
