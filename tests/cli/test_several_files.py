# SPDX-License-Identifier: MIT
"""Several files on one command line: instruments side by side, and files of one recording end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from fixture_types import Command

import nevparse as nv

pytestmark = pytest.mark.usefixtures("in_folder")


def write(name: str, tick: int, n: int, after_s: float = 0, first: int = 0) -> None:
    Path(name).write_bytes(b.nsx([(tick, b.ramp(n, 2, first=first))], origin=t.origin(after_s)))


def test_joining_c06_bin_prints_what_proves_the_clock_and_what_is_left_out(main: Command) -> None:
    write("x-NSP1.ns5", 0, 300)
    write("x-NSP2.ns5", 100, 300, after_s=0.004)
    code, out, err = main("bin", "x-NSP1.ns5", "x-NSP2.ns5", "w.bin", "--gaps", "join")
    assert code == 0
    assert "2 instruments side by side: dates within 0.004 s" in err
    assert "electrodes 1-2 are in more than one" in err
    assert "x-NSP1.ns5: 100 samples left out that other instruments lack" in out
    assert "x-NSP2.ns5: 100 samples left out that other instruments lack" in out
    said = json.loads(main("bin", "x-NSP1.ns5", "x-NSP2.ns5", "j.bin", "--gaps", "join", "--json")[1])
    assert [(one["name"], one["n_left_out"]) for one in said["instruments"]] == [
        ("x-NSP1.ns5", 100),
        ("x-NSP2.ns5", 100),
    ]


def test_joining_c02_bin_refuses_successive_files_in_one_line_and_takes_a_stated_clock(main: Command) -> None:
    write("a.ns5", 0, 300)
    write("b.ns5", 0, 300, after_s=3600)
    code, out, err = main("bin", "a.ns5", "b.ns5", "w.bin")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "concatenate (--append)" in err
    assert not Path("w.bin").exists()
    code, _, err = main("bin", "a.ns5", "b.ns5", "w.bin", "--same-clock")
    assert (code, nv.read_sidecar("w.bin").n_channels) == (0, 4)
    assert "one clock, as the caller says" in err


@pytest.mark.parametrize("shift", ["0,0.005", "0,150t", "0t,5e-3"])
def test_joining_c03_offsets_are_seconds_or_ticks(main: Command, shift: str) -> None:
    write("a.ns5", 0, 300)
    write("b.ns5", 0, 300, after_s=60)
    assert main("bin", "a.ns5", "b.ns5", "w.bin", "--offsets", shift)[0] == 0
    sidecar = nv.read_sidecar("w.bin")
    assert (sidecar.n_samples, int(sidecar.row_to_tick(0))) == (150, 150)
    assert [one["offset_ticks"] for one in sidecar.contents["instruments"]] == [0, 150]
    rows = np.fromfile("w.bin", np.int16).reshape(-1, 4)
    np.testing.assert_array_equal(rows, np.hstack([b.ramp(150, 2, first=150), b.ramp(150, 2)]))


def test_options_of_several_files_are_refused_for_one(main: Command) -> None:
    write("a.ns5", 0, 300)
    for options in (["--same-clock"], ["--offsets", "0,1"], ["--offsets", "0,2024-05-06"]):
        code, _, err = main("bin", "a.ns5", "w.bin", *options)
        assert code == 2
        assert options[0] in err


def test_joining_c13_append_prints_how_each_file_was_placed_and_writes_one_recording(main: Command) -> None:
    write("long2.ns5", 0, 300, after_s=0.05, first=300)
    write("long1.ns5", 0, 300)
    code, out, err = main("bin", "long2.ns5", "long1.ns5", "w.bin", "--append", "--gaps", "join")
    assert code == 0
    assert "long1.ns5: the first file" in err
    assert "long2.ns5: ticks +1500; the clock was set anew: placed by the dates of the headers, to about 20 ms" in err
    assert "600 samples x 2 channels" in out
    np.testing.assert_array_equal(np.fromfile("w.bin", np.int16).reshape(-1, 2), b.ramp(600, 2))
    assert [one["rows"] for one in nv.read_sidecar("w.bin").contents["files"]] == [[[0, 300]], [[300, 600]]]


def test_joining_c13_seconds_of_appended_files_count_from_the_first_sample_of_all(main: Command) -> None:
    write("a.ns5", 500, 300)
    write("b.ns5", 0, 300, after_s=0.05, first=300)
    code, _, _ = main("bin", "a.ns5", "b.ns5", "w.bin", "--append", "--start", "0.04", "--gaps", "fill")
    assert code == 0
    sidecar = nv.read_sidecar("w.bin")
    assert (sidecar.n_samples, int(sidecar.row_to_tick(0))) == (100, 1700)


def test_joining_c10_append_keeps_a_given_order(main: Command) -> None:
    write("b.ns5", 0, 300, after_s=60, first=300)
    write("a.ns5", 0, 300)
    command = ("bin", "b.ns5", "a.ns5", "w.bin", "--append", "--gaps", "join")
    assert main(*command, "--order", "given")[0] == 0
    rows = np.fromfile("w.bin", np.int16).reshape(-1, 2)
    np.testing.assert_array_equal(rows, np.vstack([b.ramp(300, 2, first=300), b.ramp(300, 2)]))
    assert main("bin", "b.ns5", "a.ns5", "v.bin", "--order", "given")[0] == 2


def test_joining_c12_cut_takes_successive_files(main: Command) -> None:
    write("b.ns5", 0, 300, after_s=0.05, first=300)
    write("a.ns5", 0, 300)
    assert main("cut", "b.ns5", "a.ns5", "whole.ns5", "--append", "--channels", "1")[0] == 0
    with nv.open_nsx("whole.ns5") as ns:
        np.testing.assert_array_equal(np.vstack([one.samples for one in ns.segments]), b.ramp(600, 2)[:, 1:])
        assert [one.start_tick for one in ns.segments] == [0, 1500]
    code, _, err = main("cut", "b.ns5", "a.ns5", "other.ns5")
    assert (code, "--append cuts successive files as one" in err) == (2, True)
    assert main("cut", "a.ns5", "other.ns5", "--append")[2] == "nevparse: --append requires several files\n"


def test_joining_c09_append_refuses_what_does_not_belong_in_one_line(main: Command) -> None:
    write("a.ns5", 0, 300)
    Path("b.ns5").write_bytes(b.nsx([(0, b.ramp(300, 2))], ids=(1, 3), origin=t.origin(60)))
    code, out, err = main("bin", "a.ns5", "b.ns5", "w.bin", "--append")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "found electrode 3" in err
    assert not Path("w.bin").exists()


def test_joining_c12_sorter_takes_successive_files(main: Command) -> None:
    for name, after_s, first in (("a.ns5", 0, 0), ("b.ns5", 0.05, 300)):
        heads = [b.channel(k + 1, bank=1, pin=k + 1) for k in range(2)]
        data = b.nsx([(0, b.ramp(300, 2, first=first))], channels=heads, origin=t.origin(after_s))
        Path(name).write_bytes(data)
    assert main("sorter", "a.ns5", "b.ns5", "folder", "--append", "--gaps", "join")[0] == 0
    rows = np.fromfile(Path("folder", "recording.bin"), np.int16).reshape(-1, 2)
    np.testing.assert_array_equal(rows, b.ramp(600, 2))
