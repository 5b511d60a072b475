# SPDX-License-Identifier: MIT
"""The command that follows a file, and what ends it: claim C23 of `spec_notes/growing.md`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from builders.growing import Growing
from builders.recorders import Recorder
from fixture_types import FileOf
from processes import PATIENCE_S, environment
from source.watching import Time, bin_command, contents, exported, wait_for

from nevparse.cli import commands as cli
from nevparse.cli import terminal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_growing_c23_a_signal_ends_the_command_with_complete_files(
    tmp_path: Path, out: Path, clock: Time, capsys: pytest.CaptureFixture[str], number
) -> None:
    made = Growing("2.3", [0], [100])
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 40)
        clock.passes(lambda: (recorder.upto(made.blocks[0].rows + 403), signal.raise_signal(number)), lambda: 1 / 0)
        assert cli.main(bin_command(tmp_path / "s.ns5", out)) == 0
        assert "100 samples x 2 channels" in capsys.readouterr().out
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="join")


def test_growing_c23_the_second_time_it_breaks_off(
    tmp_path: Path, out: Path, clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Growing("2.3", [0], [100])
    (tmp_path / "s.ns5").write_bytes(made.data)

    def twice() -> None:
        assert Path(f"{out}.nevparse-part").exists()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    clock.passes(twice)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        assert cli.main(bin_command(tmp_path / "s.ns5", out)) == cli.INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    assert "nothing was left" in capsys.readouterr().err
    assert contents(out.parent) == {}


@pytest.mark.skipif(os.name != "posix", reason="no such signals to another process; raised within it above")
def test_growing_c23_an_interrupted_process_leaves_complete_files(tmp_path: Path, out: Path) -> None:
    made = Growing("2.3", [0], [100])
    with Recorder(tmp_path / "s.ns5", made.data, made.blocks) as recorder:
        recorder.upto(made.blocks[0].rows + 40)
        process = subprocess.Popen(
            [sys.executable, "-m", "nevparse", *bin_command(tmp_path / "s.ns5", out)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
        try:
            wait_for(Path(f"{out}.nevparse-part"), 40)
            recorder.upto(len(made.data))
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, "Traceback" in errors) == (0, False)
    assert "100 samples" in output
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="join")


def test_growing_c23_the_command_refuses_what_it_cannot_follow(
    file_of: FileOf, out: Path, capsys: pytest.CaptureFixture[str], clock: Time
) -> None:
    made = Growing("2.3", [0], [10])
    path, empty = file_of(made.data), file_of(made.data[: made.start], "empty.ns5")
    for command, code, text in (
        (["bin", path, str(out), "--follow"], 1, "--gaps join or fill"),
        (["bin", path, str(out), "--timeout", "1"], 2, "--timeout requires --follow"),
        (bin_command(empty, out, "--timeout", "1", "--stop", "3"), 2, "no samples yet"),
        (bin_command(empty, out, "--timeout", "1"), 1, "found none when it ended"),
        (["bin", path, path, str(out), "--gaps", "join", "--follow"], 1, "follow each by itself"),
    ):
        assert cli.main(command) == code
        assert text in capsys.readouterr().err
    assert contents(out.parent) == {}
    assert cli.main(bin_command(path, out, "--timeout", "1")) == 0
    assert out.read_bytes() == made.samples.tobytes()


def test_growing_c23_other_threads_get_no_signals() -> None:
    answers = []

    def listen() -> None:
        with terminal.stop_on_signal() as stopped:
            answers.append(stopped())

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert answers == [False]
