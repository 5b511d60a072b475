# SPDX-License-Identifier: MIT
"""What `info` prints of units and of channels, and its colours on a terminal that has them."""

from __future__ import annotations

import json

import pytest
from builders import nev as nb
from builders import nsx as b
from builders import quality as qb
from fixture_types import FileOf

from nevparse.cli import commands as cli
from nevparse.cli import terminal


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], str]:
    """Exit code, lines of standard output, standard error."""
    code = cli.main(["info", *arguments])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


@pytest.fixture
def nev(file_of: FileOf) -> str:
    """Ten spikes of electrode 3: a unit, noise and unclassified ones; one of electrode 1; none of electrodes 5 to 7."""
    numbers = [(3, 1)] * 6 + [(3, 2)] + [(3, 255)] * 2 + [(3, 0), (1, 0)]
    packets = [nb.V2.spike(100 * k, electrode, unit) for k, (electrode, unit) in enumerate(numbers)]
    return file_of(nb.nev(packets, [nb.wav(k) for k in (1, 3, 5, 6, 7)] + [nb.lbl(3, b"third")]), "s.nev")


def test_units_are_summed_up(nev: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines, _ = printed(capsys, nev)
    assert "  11 spikes on 2 electrodes: 7 of 2 sorted units, 2 unclassified, 2 noise" in lines
    assert "  busiest: electrode 3 third (10), electrode 1 (1)" in lines
    assert "  silent: 3 electrodes (5-7)" in lines


def test_units_are_listed_where_they_are_wanted(nev: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines, _ = printed(capsys, nev, "--units")
    assert "        3  third             unclassified 1, unit 1 6, unit 2 1, noise 2" in lines


def test_channels_that_are_not_good_are_printed(file_of: FileOf, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_of(qb.array(6, qb.RATE, {2: "stuck", 4: "hum"}))
    code, lines, err = printed(capsys, path, "--quality")
    assert (code, err) == (0, "")
    assert lines[0] == f"{path}: 4 good, 1 clipped, 1 hum (1 window of 1 s, spread over 1 s)"
    assert lines[1] == "  column 2, electrode 3 elec3: clipped: 100 % of the samples are at the limits of the range"
    assert len(lines) == 3


def test_json_has_every_channel(file_of: FileOf, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_of(b.nsx([(0, b.ramp(5, 3))]))
    _, lines, _ = printed(capsys, path, "--quality", "--json")
    (found,) = map(json.loads, lines)
    assert [row["verdict"] for row in found["channels"]] == ["unknown"] * 3
    assert found["channels"][0]["spike_noise"] is None, "no NaN in JSON"
    assert (found["path"], found["n_windows"]) == (path, 1)


def test_a_nev_has_no_channels_to_measure(nev: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = printed(capsys, nev, "--quality")
    assert code == 2
    assert "expected a continuous file" in err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("s.ns5: Blackrock NSx 2.3", "1"),
        ("  2 gaps:", "33"),
        ("  no gaps", "32"),
        ("  1 damaged place:", "31"),
        ("  missing: 4 bytes", "31"),
        ("  column 2, electrode 3 e: dead: it does not change", "31"),
        ("  column 2, electrode 3 e: hum: 80 %", "33"),
        ("  8 channels, 30000 Hz", ""),
        ("", ""),
    ],
)
def test_lines_have_colours_on_a_terminal_that_has_them(monkeypatch: pytest.MonkeyPatch, line: str, code: str) -> None:
    monkeypatch.setattr(terminal, "has_colors", lambda: True)
    assert terminal.colored(line) == (f"\x1b[{code}m{line}\x1b[0m" if code else line)


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.has_colors()
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert not terminal.has_colors()
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert not terminal.has_colors()
