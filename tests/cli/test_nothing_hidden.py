# SPDX-License-Identifier: MIT
"""The command line hides nothing: what an option does not do, and which file could not be read, is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import nev as n
from builders import nsx as b
from fixture_types import Command

import nevparse as nv
from nevparse.cli import commands as cli


@pytest.fixture
def main(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in a folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            code = cli.main([*map(str, arguments)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call


def write(name: str, data: bytes) -> str:
    Path(name).write_bytes(data)
    return name


SAMPLES = b.nsx([(1000, b.ramp(3000, 2))])


# --------------------------------------------------------------------------------------------- options that do nothing


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fill", "0"], "--fill requires --gaps fill"),
        (["--fill", "hold", "--gaps", "join"], "--fill requires --gaps fill"),
        (["--max-fill", "3", "--gaps", "split"], "--max-fill requires --gaps fill"),
        (["--timeout", "3"], "--timeout requires --follow"),
        (["--start", "-1"], "--start is below 0, and s.ns5 begins at 0 s (tick 1000)"),
        (["--start=-5t"], "--start is below 0, and s.ns5 begins at 0 s (tick 1000)"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(main: Command, options: list[str], message: str) -> None:
    write("s.ns5", SAMPLES)
    code, _, err = main("bin", "s.ns5", "s.bin", *options)
    assert (code, err) == (2, f"nevparse: {message}\n")
    assert not Path("s.bin").exists()


def test_a_range_beyond_the_recording_is_taken_up_to_its_ends_and_said(main: Command) -> None:
    write("s.ns5", SAMPLES)
    code, _, err = main("bin", "s.ns5", "s.bin", "--start", "0.05", "--stop", "7")
    assert (code, err) == (0, "nevparse: --stop is beyond the end of s.ns5, 0.1 s (tick 4000); taken up to there\n")
    assert Path("s.bin").read_bytes() == b.ramp(3000, 2)[1500:].tobytes()
    code, _, err = main("cut", "s.ns5", "cut.ns5", "--start", "1999-01-01T00:00:00", "--stop", "0.1")
    assert (code, err) == (0, "nevparse: --start is before the beginning of s.ns5; taken from there on\n")
    assert Path("cut.ns5").read_bytes() == SAMPLES


def test_events_before_the_first_sample_have_seconds_below_0(main: Command) -> None:
    write("s.ns5", b.nsx([(30_000, b.ramp(300, 2))]))
    write("s.nev", n.nev([n.V2.digital(tick, 1, 1) for tick in (100, 15_000, 30_100)]))
    assert main("cut", "s.nev", "cut.nev", "--start", "-0.6", "--stop", "0")[0] == 0
    with nv.open_nev("cut.nev") as nev:
        assert nev.events("digital")["tick"].tolist() == [15_000]
    code, _, err = main("cut", "s.nev", "no.nev", "--start", "-3")
    assert (code, err) == (2, "nevparse: --start is below 0, and s.nev begins at -0.996667 s (tick 100)\n")


def test_the_library_refuses_options_that_would_do_nothing(tmp_path: Path) -> None:
    write(str(tmp_path / "s.ns5"), SAMPLES)
    with nv.open_nsx(tmp_path / "s.ns5") as ns:
        for refused, why in (
            (lambda: nv.write_bin(ns, tmp_path / "s.bin", fill=3), "gaps='fill', found 3 with gaps='error'"),
            (lambda: nv.write_bin(ns, tmp_path / "s.bin", gaps="join", fill="hold"), "gaps='fill', found 'hold'"),
            (lambda: nv.write_bin(ns, tmp_path / "s.bin", timeout_s=3), "with follow=True"),
            (lambda: nv.write_bin(ns, tmp_path / "s.bin", stop=lambda: True), "with follow=True"),
        ):
            with pytest.raises(ValueError, match=why):
                refused()
