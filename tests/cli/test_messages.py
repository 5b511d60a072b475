# SPDX-License-Identifier: MIT
"""What a tired person types, and what they are told: in the words that they typed, with what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.cli.several_files import in_options
from nevparse.cli.times import time

HEADS = [b.channel(k + 1) for k in range(96)] + [b.analog_input(1), b.analog_input(2)]
NSX = b.nsx([(1000, b.ramp(3000, 98))], channels=HEADS)
LABELS = [nb.lbl(k, f"elec{k}".encode()) for k in (1, 2, 3)]
NEV = nb.nev([nb.V2.spike(1000 + 100 * k, 1 + k % 3, 0) for k in range(30)], [*(nb.wav(k) for k in (1, 2, 3)), *LABELS])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``s.ns5`` of 96 electrodes and 2 analog inputs, and ``s.nev``."""
    (tmp_path / "s.ns5").write_bytes(NSX)
    (tmp_path / "s.nev").write_bytes(NEV)
    (tmp_path / "map.cmp").write_text("no map")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code, and what is on the last line of standard error."""
    try:
        code = cli.main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    lines = capsys.readouterr().err.splitlines()
    return code, lines[-1] if lines else ""


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("--channels 0-15", "columns 0 to 15 are 0:16, electrodes 0-15 are --electrodes 0-15"),
        ("--channels elec1", "names of channels are for --labels"),
        ("--channels 1.5", "numpy's slices, such as 0:128,130, found '1.5'"),
        ("--channels 0,5,200", "no columns 200; the file has 98, counted from 0"),
        ("--channels=0,-99", "no columns -99; the file has 98, counted from 0"),
        ("--channels -x", "a value that begins with - is joined to it: --channels=-"),
        ("--electrodes 1:32", "electrodes 1 to 32 are 1-32, columns 1:32 are --channels 1:32"),
        ("--electrodes elec1", "names of electrodes are for --labels"),
        ("--electrodes 5-1", "such as 1-96,129, found '5-1'"),
        ("--electrodes 1,200", "no electrode 200; the file has electrodes 1-96, 129-130"),
        ("--labels Elec1", "no label 'Elec1': did you mean 'elec1'; the file has labels elec1 to ainp2, 98 in all"),
        ("--labels 1", "no label '1' (electrode ids are for --electrodes)"),
        ("--labels elec1,elec200", "no label 'elec200': did you mean"),
        ("--exclude elek1", "did you mean 'elec1'"),
        ("--exclude 500", "no electrode 500"),
        ("--start 5x", "500ms, 00:01:30, 375000t (ticks), 2024-05-06T07:08:09 (UTC), found '5x'"),
        ("--start soon", "found 'soon'"),
        ("--start 0.05 --stop 0.01", "found an end before its start: 0.05 s to 0.01 s"),
        ("--fill held", "expected a number, or the word hold, found 'held'"),
        ("--max-fill nan", "expected a number of 0 or more, found 'nan'"),
        ("--timeout nan", "expected a number of seconds, found 'nan'"),
        ("--gaps fil", "invalid choice: 'fil'"),
        ("--chanels 0", "unknown option --chanels; did you mean --channels?"),
        ("--stat 3", "unknown option --stat; did you mean --start?"),
        ("--out o.bin", "unknown option --out; the name of an output comes last"),
        ("-o o.bin", "unknown option -o; the name of an output comes last"),
        ("--output=o.bin", "unknown option --output=o.bin; the name of an output comes last"),
        ("--labels=elec1 --neural", "not allowed with argument"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(
    here: Path, capsys: pytest.CaptureFixture[str], typed: str, answer: str
) -> None:
    code, message = told(capsys, "bin", "s.ns5", "o.bin", *typed.split())
    assert code in (1, 2)
    assert answer in message
    assert "_" not in message.replace("_of_", "")
    assert sorted(path.name for path in here.iterdir()) == ["map.cmp", "s.nev", "s.ns5"]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("bin --labels elec1 elec2 s.ns5 o.bin", "--labels took elec1, elec2, s.ns5, o.bin: put it last, or"),
        ("sorter --cmp map.cmp s.ns5 folder", "--cmp took map.cmp, s.ns5, folder: put it last, or"),
        ("cut s.ns5 o.ns5 --segmnts 0", "unknown option --segmnts; did you mean --segments?"),
        ("inof s.ns5", "did you mean info?"),
        ("events s.nev --kind comments", "did you mean comment?"),
        ("info t.ns5", "t.ns5: no such file; of this recording there is nothing; did you mean s.ns5?"),
        ("bin s.ns5 o.nev", "o.nev is a recording's name, but the last name must be that of the .bin to write"),
        ("cut s o.ns5", "found a recording of nev, ns5; name s.nev or s.ns5"),
        ("cut s.ns5 o.ns5 --segments 0-1", "expected segments as numbers from 0 and numpy's slices, such as 0,2:4"),
        ("cut s.ns5 o.ns5 --segments 0-1", "segments 0 to 1 are 0:2"),
        ("sorter s.ns5 folder --partial", "--partial requires --cmp"),
        ("bin s.ns5 --out-dir s.ns5", "--out-dir s.ns5 is a file; name a folder"),
        ("bin s.ns5 s.ns5 o.bin --offsets 1.5,2t,3", "expected 2 times, one for each recording, 0 for the first"),
        ("bin s.ns5 s.ns5 o.bin --offsets 1.5,2t,3", "found 1.5,2t,3"),
        ("events s.nev --rows o.bin", "o.bin.json: no such sidecar, which an export writes beside its .bin"),
        ("info s.n", "of this name; did you mean s.n"),
        ("help inof", "did you mean info?"),
        ("info . --json", "--json is for a file or a recording, but . is a folder: leave it out"),
        ("info . --quality", "--quality is for a file or a recording"),
        ("bin s.ns5 -", "an export cannot go to standard output; name a .bin in the place of -"),
    ],
)
def test_swallowed_files_and_mistyped_commands_are_named(
    here: Path, capsys: pytest.CaptureFixture[str], typed: str, answer: str
) -> None:
    code, message = told(capsys, *typed.split())
    assert (code, answer in message) == (2, True), message


@pytest.mark.parametrize(("typed", "answer"), [("help", "usage: nevparse [-h]"), ("help cut", "usage: nevparse cut ")])
def test_the_word_help_prints_the_help(capsys: pytest.CaptureFixture[str], typed: str, answer: str) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main(typed.split())
    assert capsys.readouterr().out.startswith(answer)


def test_a_mistyped_option_shows_the_usage_of_its_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["cut", "s.ns5", "o.ns5", "--segmnts", "0"])
    assert capsys.readouterr().err.startswith("usage: nevparse cut ")


@pytest.mark.parametrize(
    ("typed", "columns"),
    [
        (["--labels", "elec1,elec3"], [0, 2]),
        (["--labels", "elec1", "elec3"], [0, 2]),
        (["--labels", "elec1", "--labels", "elec3"], [0, 2]),
        (["--electrodes", "1-4", "--exclude", "2,elec3"], [0, 3]),
        (["--neural", "--exclude", "1-94"], [94, 95]),
        (["--exclude", "elec*"], [96, 97]),
        (["--electrodes", "95-300", "--missing-ok"], [94, 95, 96, 97]),
        (["--labels", "elec1,elec100", "--missing-ok"], [0]),
        (["--channels", "1,2000", "--missing-ok"], [1]),
        (["--electrodes", "1-3", "--exclude", "3,700", "--missing-ok"], [0, 1]),
    ],
)
def test_channels_are_chosen_and_left_out_as_typed(
    here: Path, capsys: pytest.CaptureFixture[str], typed: list[str], columns: list[int]
) -> None:
    code, message = told(capsys, "bin", "s.ns5", "o.bin", *typed)
    assert code == 0, message
    assert nv.read_sidecar("o.bin").contents["columns"] == columns
    assert ("skipped" in message) == ("--missing-ok" in typed)


def test_electrodes_of_a_nev_are_chosen_alike(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "cut", "s.nev", "o.nev", "--labels", "elec*", "--exclude", "2")[0] == 0
    with nv.open_nev("o.nev") as nev:
        assert {int(number) for number in nev.spikes()["electrode_id"]} == {1, 3}


def test_missing_ok_does_not_make_nothing_of_something(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = told(capsys, "bin", "s.ns5", "o.bin", "--electrodes", "500-600", "--missing-ok")
    assert (code, "has none of the electrodes 500-600" in message) == (1, True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("500ms", 0.5), ("00:00:05", 5), ("1:30", 90), ("01:00:00.25", 3600.25), ("2min", 120), ("1e-1s", 0.1)],
)
def test_seconds_may_have_a_unit_or_be_of_a_clock(text: str, seconds: float) -> None:
    value = time(text)
    assert float(value) == seconds  # type: ignore[arg-type]


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_times_of_a_clock_are_exact(h: int, m: int, s: int, ms: int) -> None:
    value = time(f"{h:02}:{m:02}:{s:02}.{ms:03}")
    assert value * 1000 == ((h * 60 + m) * 60 + s) * 1000 + ms  # type: ignore[operator]


def test_times_with_units_cut_as_plain_seconds_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for stop in ("0.05", "50ms", "0:0.05", "2500t"):
        assert told(capsys, "bin", "s.ns5", "o.bin", "--stop", stop, "--overwrite")[0] == 0
        assert np.fromfile("o.bin", "<i2").size == 1500 * 98


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("choose one with channels=", "choose one with --channels"),
        ("use gaps='split'", "use --gaps split"),
        ("read with sort=True, overwrite=True", "read with --sort, --overwrite"),
        ("give max_fill=", "give --max-fill"),
        ("use gaps='split' (--gaps)", "use --gaps split"),
        ("use gaps='split', 'join' or 'fill' (--gaps), or choose", "use --gaps split, join or fill, or choose"),
        ("or overwrite=True (--overwrite) to replace it", "or --overwrite to replace it"),
        ("if the clock is one, use clock='same' (--same-clock)", "if the clock is one, use --same-clock"),
        ("offsets=[0, 7] (--offsets 0,7t) aligns them", "--offsets 0,7t aligns them"),
        ("with order='given' (--order given)", "with --order given"),
        ("choose one with epoch= (--epoch N)", "choose one with --epoch N"),
        ("unit='uV'", "unit='uV'"),
    ],
)
def test_advice_of_the_library_is_given_as_options(message: str, said: str) -> None:
    assert in_options(message) == said


def test_a_label_twice_is_chosen_by_the_commands_own_option(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "t.ns5").write_bytes(
        b.nsx([(0, b.ramp(9, 2))], channels=[b.channel(1, label="a"), b.channel(2, label="a")])
    )
    code, message = told(capsys, "bin", "t.ns5", "o.bin", "--labels", "a")
    assert (code, message) == (1, "nevparse: label 'a' is in columns [0, 1]: choose one with --channels")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("events s.nev --csv out.csv", "unexpected 'out.csv'; --csv prints: > out.csv keeps it"),
        ("events s.nev --kind spike --electrode 3", "unknown option --electrode; unexpected '3'"),
        ("events s.nev --kind spikes", "did you mean spike?"),
        ("events s.nev --kind digital,comments", "invalid choice: 'comments'"),
        ("events s.nev --npy", "argument --npy: expected one argument"),
        ("events s.nev --npy o.npy --kind spike,comment", "--npy takes one kind of event"),
        ("events s.nev --epoch 5", "expected an epoch among 0 alone: the clock was never set anew, found 5"),
        ("events s.nev", "s.nev: no such events; the file has 30 spike; --kind lists them"),
        ("events s.nev --kind comment", "s.nev: no such events; the file has 30 spike"),
        ("info -- -o", "-o: expected a .nev, .ns1 to .ns9 or .nf1 to .nf9 of this name"),
        ("info s.ns5 --units", "s.ns5: continuous data has no units of spikes; leave out --units"),
        ("info s.ns5 --channels --quality", "argument --quality: not allowed with argument --channels"),
        ("bin s.ns5 o.bin --stop 0", "found all before 0 s (tick 1000)"),
        ("events only.ns2", "only: expected a .nev, found ns2; --nev only-02.nev takes that one"),
        ("bin one-NSP1.ns5 one-NSP2.ns5 o.bin --append", "(a command without --append) lays instruments side by side"),
        ("info map.txt", "found text, as array maps (.cmp) are, which read_cmp and --cmp take"),
        (
            "bin s.ns5 o.npy",
            "o.npy: samples alone, without a header, are no .npy file; choose a name that ends in .bin",
        ),
        ("bin s.ns5 O.CSV", "are no .CSV file"),
        ("bin none.ns5 o.bin", "none.ns5: expected samples, found none in the file"),
        ("cut s.nev o.nev --kinds spike,spikes", "invalid choice: 'spikes'"),
    ],
)
def test_what_is_typed_at_other_commands_is_answered(
    here: Path, capsys: pytest.CaptureFixture[str], typed: str, answer: str
) -> None:
    (here / "map.txt").write_text("// Subject ID: x\n")
    (here / "none.ns5").write_bytes(b.nsx([]))
    for name in ("one-NSP1.ns5", "one-NSP2.ns5", "only.ns2"):
        (here / name).write_bytes(b.nsx([(0, b.ramp(30, 2))]))
    (here / "only-02.nev").write_bytes(nb.nev([]))
    before = sorted(here.iterdir())
    message = told(capsys, *typed.split())[1]
    assert message.endswith(answer) or answer in message.partition("(choose")[0] + message.rpartition(")")[2]
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize("line", ["version", "-V", "--version"])
def test_the_version_is_printed(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with pytest.raises(SystemExit):
        cli.main([line])
    assert capsys.readouterr().out == f"nevparse {nv.__version__}\n"


def test_several_kinds_of_events_are_one_list(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "e.nev").write_bytes(nb.nev([nb.V2.digital(10, 1, 7), nb.V2.comment(20, b"x"), nb.V2.digital(30, 129, 65)]))
    assert cli.main(["events", "e.nev", "--kind", "comment,digital"]) == 0
    assert [line.split()[4] for line in capsys.readouterr().out.splitlines()] == ["digital", "comment"]
    assert cli.main(["cut", "e.nev", "o.nev", "--kinds", "serial,comment", "--quiet"]) == 0
    with nv.open_nev("o.nev") as nev:
        assert nev.kinds() == {"serial": 1, "comment": 1}


def test_a_warning_is_printed_once_however_often_a_file_is_opened(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "s.nev").write_bytes((here / "s.nev").read_bytes()[:-3])
    assert cli.main(["bin", "s.nev", "o.bin", "--quiet"]) == 0
    assert capsys.readouterr().err.count("the last packet lacks 3 of its") == 1


def test_channels_without_labels_and_too_slow_ones_are_said_to_be(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "a.ns3").write_bytes(b.nsx([(0, b.ramp(30, 2))], "2.1"))
    assert cli.main(["info", "a.ns3"]) == 0
    assert "scale unknown  no labels\n" in capsys.readouterr().out
    (here / "b.ns3").write_bytes(b.nsx([(0, b.ramp(300, 2))], period=15))
    assert cli.main(["sorter", "b.ns3", "folder"]) == 0
    assert "spikes cannot be sorted at 2000 Hz: these are field potentials\n" in capsys.readouterr().out
    assert cli.main(["sorter", "s.ns5", "fast"]) == 0
    assert "cannot be sorted" not in capsys.readouterr().out


def test_a_table_of_channels_as_json_is_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "s.ns5", "--channels", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["channels"]) == 98
