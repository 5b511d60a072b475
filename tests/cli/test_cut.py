# SPDX-License-Identifier: MIT
"""Cutting files from a shell: claim C21 of `spec_notes/writing.md`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from builders import nev as n
from builders import nsx as b
from export.native.cutting import taken_apart
from fixture_types import Command, FileOf, NevOf, Opened

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.nev.file import NevFile


@pytest.fixture
def main(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `cut` in this process: (exit code, standard output, standard error)."""

    def call(*arguments):
        try:
            code = cli.main(["cut", *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call


def test_writing_c21_the_command_cuts_what_the_library_cuts(main: Command, opened: Opened, out: Path) -> None:
    ns = opened(b.plausible("2.3", 4, (30_000, 30_000))[0])
    same = {
        (): {},
        ("--channels", "2:4,0"): {"channels": [2, 3, 0]},
        ("--electrodes", "2-3"): {"electrodes": [2, 3]},
        ("--labels", "elec1", "elec4"): {"channels": [0, 3]},
        ("--neural",): {},
        ("--start", "0.5", "--stop", "2.5"): {"start_tick": 225_000, "stop_tick": 285_000},
        ("--start", "240000t"): {"start_tick": 240_000},
        ("--start", "2023-06-14T10:30:12.750"): {"start_tick": 225_000},
        ("--segments", "1"): {"segments": [1]},
        ("--anonymise",): {"anonymise": True},
        ("--anonymise", "labels"): {"anonymise": "labels"},
    }
    for arguments, options in same.items():
        code, output, err = main(ns.path, out, *arguments)
        is_said = "--anonymise" in arguments
        assert (code, "may identify" in err, err.count("\n")) == (0, is_said, is_said)
        assert output.startswith(f"{out}: NSx 2.3, ")
        assert out.read_bytes() == cut_by_library(ns, out, options)
    code, _, err = main(ns.path, out)
    assert (code, err.startswith(f"nevparse: {out} is a recording, which no output replaces")) == (1, True)
    assert main(ns.path, out, "--overwrite")[::2] == (
        1, f"nevparse: {out} is a recording, which no output replaces; choose another name\n"
    )  # fmt: skip
    out.write_bytes(b"no recording")
    assert main(ns.path, out, "--overwrite")[0] == 0


def cut_by_library(file, out, options):
    """What the library cuts with the same options; removes both files."""
    write = nv.write_nev if isinstance(file, NevFile) else nv.write_nsx
    other = out.with_name("other")
    write(file, other, **options)
    data = other.read_bytes()
    other.unlink()
    out.unlink() if options != {"anonymise": "labels"} else None
    return data


@pytest.mark.parametrize("rate", [30_000, 10**9])
def test_writing_c21_a_nev_is_cut_at_the_times_of_its_samples(
    main: Command, file_of: FileOf, nev_of: NevOf, out: Path, rate
) -> None:
    version = (2, 3) if rate == 30_000 else (3, 0)
    make = n.V3 if version[0] == 3 else n.V2
    packets = [make.spike(rate + k * rate // 10, 1, 0) for k in range(20)]
    nev = nev_of(n.nev(packets, [n.wav(1)], version=version, tick_rate=rate))
    code, _, err = main(nev.path, out, "--start", "0.5", "--stop", "1")
    assert (code, "seconds count from its first event" in err) == (0, True)
    assert taken_apart(out.read_bytes())[2] == packets[5:10]
    out.unlink()
    file_of(b.nsx([(45_000, b.ramp(10, 1))]), "s.ns5")
    for arguments in (["--start", "0.5", "--stop", "1"], ["--start", f"{2 * rate}t", "--stop", f"{5 * rate // 2}t"]):
        assert main(nev.path, out, *arguments)[::2] == (0, "")
        assert taken_apart(out.read_bytes())[2] == packets[10:15]
        out.unlink()
    assert main(nev.path, out, "--electrodes", "1", "--kinds", "spike", "--anonymise")[0] == 0
    if version == (2, 3):
        out.unlink()
        assert main(nev.path, out, "--start", "2024-03-14T19:09:49.630")[0] == 0
        assert taken_apart(out.read_bytes())[2] == packets[10:], "2.x has no time zone; it is taken as UTC"


def test_writing_c21_what_is_refused_gives_one_line(
    main: Command, opened: Opened, nev_of: NevOf, file_of: FileOf, out: Path
) -> None:
    ns, nev = opened(b.plausible("2.1")[0]), nev_of(n.every_kind((2, 3)), "t.nev")
    cases = {
        (ns.path, out, "--start", "2t"): (1, "NSx 2.1 has no timestamps"),
        (ns.path, ns.path, "--overwrite"): (1, "is the recording itself"),
        (ns.path, out, "--channels", "9"): (1, "no columns 9; the file has 3, counted from 0"),
        (ns.path, out, "--electrodes", "9"): (1, "no electrode 9"),
        (ns.path, out, "--kinds", "spike"): (2, "an NSx has no events; leave out --kinds"),
        (nev.path, out, "--labels", "a"): (1, "no label 'a'"),
        (nev.path, out, "--channels", "0"): (2, "a NEV has no samples; leave out --channels"),
        (nev.path, out, "--neural"): (2, "leave out --neural"),
        (nev.path, out, "--segments", "0"): (2, "leave out --segments"),
        (ns.path, out, "--segments", "0,7"): (1, "no segments 7; the file has"),
        (ns.path, out, "--segments=0,-9"): (1, "no segments -9; the file has"),
        (nev.path, out, "--start", "5000000t"): (1, "found none"),
        (ns.path[:-4], out): (2, "expected the name of one file, found a recording of ns5"),
        (ns.path + "none", out): (2, "none"),
        (file_of(b"no recording", "x.ns5"), out): (2, "expected an NSx file"),
    }
    for arguments, (code, message) in cases.items():
        got, output, err = main(*arguments)
        assert (got, output) == (code, "")
        assert message in err
        lines = [line for line in err.splitlines() if "seconds count" not in line and "warning" not in line]
        assert [line.startswith("nevparse: ") for line in lines] == [True]
        assert os.listdir(out.parent) == []
    assert main(ns.path[:-4], out, "--nsx", "5")[0] == 0
