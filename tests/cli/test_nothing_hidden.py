# SPDX-License-Identifier: MIT
"""The command line hides nothing: what an option does not do, and which file could not be read, is said."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from fixture_types import Command

import nevparse as nv

pytestmark = pytest.mark.usefixtures("in_folder")


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
    assert (code, err) == (0, "nevparse: --stop is beyond the end of s.ns5; stopping there, at 0.1 s (tick 4000)\n")
    assert Path("s.bin").read_bytes() == b.ramp(3000, 2)[1500:].tobytes()
    code, _, err = main("cut", "s.ns5", "cut.ns5", "--start", "1999-01-01T00:00:00", "--stop", "0.1")
    assert (code, err) == (0, "nevparse: --start is before the beginning of s.ns5; starting there\n")
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


# ----------------------------------------------------------------------------- several files, and what is no recording

OTHERS = {
    "neuralynx.nev": (b"######## Neuralynx Data File Header\r\n" * 500, "expected a NEV file.* found a Neuralynx file"),
    "._s.ns5": (b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(500), r"AppleDouble.*; the recording is the file without \._"),
    "empty.ns5": (b"", "expected an NSx file.* found an empty file"),
    "empty.nev": (b"", "expected a NEV file.* found an empty file"),
    "lfs.ns5": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull fetches the file"),
    "annex.ns5": (b"/annex/objects/SHA256E-s446--0.ns5\n", "git annex get fetches the file"),
    "windows.ns5": (b"../.git/annex/objects/pX/W6/SHA256E-s446--0.ns5", "git annex get fetches the file"),
    "packed.ns5": (b"\x1f\x8b\x08\0" + bytes(50), "found a gzip file; decompress it"),
    "zeros.ns5": (bytes(500), "found zeros: the file was made, and not written"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("command", ["info", "check"])
def test_a_file_that_is_no_recording_is_named_for_what_it_is(main: Command, command: str, name: str) -> None:
    data, found = OTHERS[name]
    code, out, err = main(command, write(name, data))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.match(rf"nevparse: {re.escape(name)}, byte 0: .*{found}", err)


@pytest.mark.parametrize("command", ["info", "check"])
def test_a_bad_file_is_one_line_and_the_next_follows(main: Command, command: str) -> None:
    write("a.ns5", SAMPLES)
    write("z.nev", n.nev([n.V2.digital(5, 1, 1)]))
    for name, (data, _) in OTHERS.items():
        write(name, data)
    code, out, err = main(command, "a.ns5", *OTHERS, "none.ns5", "z.nev")
    assert code == 2
    assert err.count("\n") == len(OTHERS) + 1
    assert "none.ns5: no such file; of this recording there is nothing" in err
    assert [line.split(":")[0] for line in out.splitlines() if not line.startswith(" ")] == ["a.ns5", "z.nev"]


def test_a_folder_with_a_bad_file_is_listed_whole_and_is_not_well(main: Command) -> None:
    write("a.ns5", SAMPLES)
    assert main("info", ".")[0] == 0
    write("zero.ns5", b"")
    code, out, err = main("info", ".")
    assert (code, err) == (2, "")
    assert [line.split()[0] for line in out.splitlines()] == ["recording", "a", "zero"]
    assert "found an empty file" in out


def test_a_finding_before_a_bad_file_leaves_the_worst_exit_code(main: Command) -> None:
    write("cut.ns5", SAMPLES[:-1])
    assert main("check", "cut.ns5")[0] == 1
    assert main("check", "cut.ns5", "none.ns5", "cut.ns5")[0] == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only some make links")
def test_a_link_whose_file_was_not_fetched_is_named(main: Command) -> None:
    os.symlink(".git/annex/objects/x.ns5", "s.ns5")
    write("s.ns2", SAMPLES)
    for command in (["info"], ["check"]):
        code, out, err = main(*command, "s.ns5")
        assert (code, out) == (2, "")
        target = os.path.realpath("s.ns5")
        assert err == f"nevparse: s.ns5: it is a link to {target}, which is not there; git annex get fetches it\n"


# --------------------------------------------------------------------------------- which file of a recording is taken


def two_rates() -> None:
    """The LFP of two electrodes at 2 kHz, a photodiode at 30 kHz, and a NEV."""
    write("s.ns3", b.nsx([(0, b.ramp(20, 2))], period=15, channels=[b.channel(1), b.channel(2)]))
    write("s.ns5", b.nsx([(0, b.ramp(300, 1))], channels=[b.analog_input(1)]))
    write("s.nev", n.nev([n.V2.spike(tick, 1, 1, range(48)) for tick in (5, 100)], [n.wav(1)]))


@pytest.mark.parametrize("options", [["--neural"], ["--labels", "elec*"], ["--electrodes", "1-2"]])
@pytest.mark.parametrize("name", ["s", "s.nev"])
def test_a_base_name_takes_the_file_that_has_what_was_asked(main: Command, name: str, options: list[str]) -> None:
    two_rates()
    code, _, err = main("bin", name, "s.bin", *options)
    assert (code, err) == (0, "nevparse: using s.ns3 (2000 Hz); the faster s.ns5 does not have these channels\n")
    assert Path("s.bin").read_bytes() == b.ramp(20, 2).tobytes()


def test_a_sorter_takes_the_file_that_has_electrodes(main: Command) -> None:
    two_rates()
    code, _, err = main("sorter", "s", "folder")
    assert code == 0
    assert "s.ns3 (2000 Hz); the faster s.ns5 does not have these channels" in err


@pytest.mark.parametrize("options", [[], ["--labels", "ainp1"], ["--channels", "0"]])
def test_a_base_name_takes_the_fastest_file_otherwise(main: Command, options: list[str]) -> None:
    two_rates()
    code, _, err = main("bin", "s", "s.bin", *options)
    assert (code, err) == (0, "nevparse: using s.ns5 (30000 Hz)\n")


def test_what_no_file_has_is_refused_by_the_fastest(main: Command) -> None:
    two_rates()
    code, _, err = main("bin", "s", "s.bin", "--electrodes", "77")
    assert code == 1
    assert "no electrode 77" in err


@pytest.mark.parametrize("name", ["s", "s.ns3", "s.nev"])
def test_old_files_have_the_gains_of_the_nev_beside_them_whatever_was_typed(main: Command, name: str) -> None:
    write("s.ns3", b.nsx([(0, b.ramp(9, 2))], "2.1"))
    write("s.nev", b.nev_with_factors({1: 250, 2: 1000}, (2, 2)))
    assert main("bin", name, "s.bin")[0] == 0
    assert nv.read_sidecar("s.bin").contents["uv_per_bit"] == [0.25, 1.0]


def test_a_sorted_nev_of_another_name_goes_with_the_recording(main: Command) -> None:
    two_rates()
    write("s-01.nev", n.nev([n.V2.spike(tick, 1, 3, range(48)) for tick in (5, 100, 140)], [n.wav(1)]))
    for name in ("s", "s.ns5", "s.nev"):
        code, out, _ = main("events", name, "--kind", "spike", "--nev", "s-01.nev")
        assert (code, len(out.splitlines())) == (0, 3)
    assert "s-01.nev" in main("info", "s.ns5", "--nev", "s-01.nev")[1]
    assert main("info", "s.ns5", "s.ns3", "--nev", "s-01.nev")[0] == 2
    assert main("events", "s", "--nev", "none.nev")[0] == 2


# --------------------------------------------------------------------------------- events, and what an output leaves in


def some_events() -> str:
    packets = [n.V2.digital(tick, 1, value) for tick, value in ((10, 0), (20, 5), (30, 4))]
    packets += [n.V2.digital(35 + k, 129, byte) for k, byte in enumerate(b"A\x1b")]
    return write("s.nev", n.nev([*packets, n.V2.spike(40, 1, 1, range(48)), n.V2.packet(41, 0x9000, b"")], [n.wav(1)]))


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_events_say_which_kinds_they_leave_out(main: Command, form: list[str]) -> None:
    code, out, err = main("events", some_events(), *form)
    assert (code, len(out.splitlines()), err) == (
        0,
        5 + (form == ["--csv"]),
        "nevparse: not listed: 1 spike, 1 unknown; --kind lists them\n",
    )
    assert main("events", "s.nev", "--kind", "digital", *form)[2] == ""


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
@pytest.mark.parametrize("kind", ["stim", "serial", "comment", "video_sync", "tracking", "log", "config", "unknown"])
def test_no_events_of_a_kind_are_said(main: Command, kind: str, form: list[str]) -> None:
    write("s.nev", n.nev([n.V2.digital(10, 1, 0)]))
    code, out, err = main("events", "s.nev", "--kind", kind, *form)
    assert (code, len(out.splitlines())) == (0, form == ["--csv"])
    assert err == "nevparse: s.nev: no such events; the file has 1 digital\n"


def test_no_events_in_a_time_are_said(main: Command) -> None:
    code, out, err = main("events", some_events(), "--start", "9", "--stop", "10")
    assert (code, out) == (0, "")
    assert "s.nev: no such events in this time; the file has 1 spike, 3 digital, 2 serial" in err.splitlines()[-1]


def test_edges_are_listed_for_each_pin(main: Command) -> None:
    code, out, err = main("events", some_events(), "--edges", "--json")
    edges = [(row["tick"], row["pin"], row["edge"]) for row in map(json.loads, out.splitlines())]
    assert (code, edges, err) == (0, [(20, 0, "rising"), (20, 2, "rising"), (30, 0, "falling")], "")
    assert main("events", "s.nev", "--edges", "--npy", "edges.npy")[0] == 0
    assert np.load("edges.npy")["pin"].tolist() == [0, 2, 0]
    assert main("events", "s.nev", "--edges", "--kind", "digital")[0] == 2


def test_serial_bytes_are_shown_as_text(main: Command) -> None:
    out = main("events", some_events(), "--kind", "serial")[1]
    assert [line.split("text ")[1] for line in out.splitlines()] == ["A", "\\x1b"]


@pytest.mark.parametrize("name", ["s.nev", "s.ns5"])
def test_anonymising_says_what_it_leaves(main: Command, name: str) -> None:
    some_events()
    write("s.ns5", SAMPLES)
    err = main("cut", name, f"a.{name}", "--anonymise")[2]
    assert "may identify: labels of electrodes and inputs (--anonymise labels takes them out), samples" in err
    assert "labels of electrodes" not in main("cut", name, f"b.{name}", "--anonymise", "labels")[2]


def test_every_file_of_a_split_export_is_printed(main: Command) -> None:
    write("s.ns5", b.nsx([(k * 40_000, b.ramp(30, 2)) for k in range(12)]))
    code, out, _ = main("bin", "s.ns5", "s.bin", "--gaps", "split")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()[:12]] == [f"s-{k:03d}.bin" for k in range(12)]
    assert out.splitlines()[12].startswith("the .json beside each: ")


@pytest.mark.parametrize(("stop", "is_beyond"), [(2, False), (3, True)])
def test_channels_beyond_the_last_one_are_said(main: Command, stop: int, is_beyond: bool) -> None:
    ns = write("x.ns5", b.nsx([(0, b.ramp(10, 2))]))
    said = main("bin", ns, "x.bin", "--channels", f"0:{stop}")[2]
    assert (f"--channels goes to {stop}, but the file has 2 channels" in said) == is_beyond


@pytest.mark.parametrize(
    ("channels", "columns"), [(":", [[0, 1], [0, 1, 2, 3]]), ("1:", [[1], [1, 2, 3]]), ("-1,0", [[1, 0], [3, 0]])]
)
def test_slices_of_channels_end_with_those_of_each_instrument(
    main: Command, channels: str, columns: list[list[int]]
) -> None:
    files = [write(f"x-NSP{k}.ns5", b.nsx([(0, b.ramp(10, width))])) for k, width in ((1, 2), (2, 4))]
    assert main("bin", f"--channels={channels}", *files, "w.bin")[0] == 0
    assert nv.read_sidecar("w.bin").contents["columns"] == [*columns[0], *(2 + column for column in columns[1])]
    assert "no columns 3; the file has 2" in main("bin", "--channels=0,3", *files, "v.bin")[2]
    for command, out in (("bin", "u.bin"), ("sorter", "u")):
        said = main(command, "--channels=0:4", *files[::-1], out)[2]
        assert "--channels goes to 4, but the file has 2 channels" in said
    assert not Path("v.bin").exists()
