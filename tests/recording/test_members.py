# SPDX-License-Identifier: MIT
"""The files of one recording found by any of their names: C35, C36, C46 and C47 of `spec_notes/timing.md`."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t

import nevparse as nv
from nevparse.recording.recording import base_of, instruments_of, members_of
from recording.files import Folder, nsx

# ---------------------------------------------------------------------------------------------------------- members


@pytest.mark.parametrize("name", ["s.nev", "s.NEV", "s.ns5", "s.NS5", "s.Ns2", "s.nf3", "s"])
def test_timing_c35_any_member_or_the_base_names_them_all(folder: Folder, name) -> None:
    folder.write(s__NEV=t.spike_nev([5]), s__ns2=nsx((0, 4), period=30), s__Ns5=nsx((0, 9)), s__nf3=nsx((0, 3)))
    folder.write(other__ns5=nsx((0, 1)), s2__ns5=nsx((0, 1)), s__txt=b"", s__ns55=b"", s__nsx=b"")
    rec = folder.open(name)
    assert list(rec.members) == ["nev", "nf3", "ns2", "ns5"]
    assert {suffix: path.split(".")[-1] for suffix, path in rec.members.items()} == {
        "nev": "NEV", "nf3": "nf3", "ns2": "ns2", "ns5": "Ns5"
    }  # fmt: skip
    assert [(digit, file.n_samples) for digit, file in rec.nsx.items()] == [(2, 4), (5, 9)]
    assert [(digit, file.n_samples) for digit, file in rec.nfx.items()] == [(3, 3)]
    assert rec.nev.events("spike")["tick"].tolist() == [5]
    assert set(rec.files) == set(rec.members)


def test_timing_c35_of_two_names_that_differ_in_case_the_one_that_was_typed_is_opened(folder: Folder) -> None:
    folder.write(s__ns5=nsx((0, 5)), s__NS5=nsx((0, 7)))
    if len(list(folder.path.iterdir())) == 1:
        pytest.skip("names have no case here")
    assert [folder.open(name).nsx[5].n_samples for name in ("s.ns5", "s.NS5")] == [5, 7]


def test_timing_c35_a_base_may_hold_dots_and_suffixes_of_its_own(folder: Folder) -> None:
    (folder.path / "a.ns5.day1.nev").write_bytes(t.spike_nev([1]))
    (folder.path / "a.ns5.day1.ns5").write_bytes(nsx((0, 2)))
    assert list(folder.open("a.ns5.day1").members) == ["nev", "ns5"]
    assert base_of("x/a.ns5.day1.NS5") == "x/a.ns5.day1"
    assert base_of("x/a.txt") == "x/a.txt"


def test_timing_c35_members_are_found_in_the_working_directory(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write(s__ns5=nsx((0, 2)))
    monkeypatch.chdir(folder.path)
    assert members_of("s.ns5") == members_of("s") == {"ns5": "s.ns5"}


@pytest.mark.parametrize("name", ["s.ns5", "s.NS9", "s.nev"])
def test_timing_c35_a_member_that_is_not_there_is_not_replaced_by_another(folder: Folder, name) -> None:
    folder.write(s__ns2=nsx((0, 9), period=30), other__ns5=nsx((0, 9)))
    for opens in (nv.open_recording, nv.check):
        with pytest.raises(FileNotFoundError, match=r"no such file; of this recording there is s\.ns2") as refused:
            opens(folder.path / name)
        assert refused.value.filename == str(folder.path / name)


@pytest.mark.parametrize("name", ["none", "none.ns5", "s.txt", "no/such/folder/s", ""])
def test_timing_c35_no_member_is_no_recording(folder: Folder, name) -> None:
    folder.write(s__txt=b"", s__ns5=nsx((0, 2)))
    with pytest.raises(FileNotFoundError):
        nv.open_recording(str(folder.path / "x" / name) if name == "" else folder.path / name)


@pytest.mark.parametrize("there", [("nev",), ("ns5",), ("ns1", "ns5"), ("nev", "ns2")])
def test_timing_c36_members_may_be_missing(folder: Folder, there) -> None:
    data = {"nev": t.spike_nev([5]), "ns1": nsx((0, 2), period=60), "ns2": nsx((0, 3), period=30), "ns5": nsx((0, 9))}
    rec = folder.write(**{f"s__{suffix}": data[suffix] for suffix in there}).open()
    assert list(rec.members) == list(there)
    assert (rec.nev is None) == ("nev" not in there)
    assert list(rec.nsx) == [int(suffix[-1]) for suffix in there if suffix != "nev"]
    if rec.nev is None:
        with pytest.raises(ValueError, match="expected a NEV, found"):
            rec.locate([0], 5)


def test_timing_c36_versions_may_differ(folder: Folder) -> None:
    """As in recordings where an old NSP wrote 2.1 beside a NEV of 2.2; the NEV gives the scale."""
    nev = b.nev_with_factors({1: 250, 2: 1000}, (2, 2))
    rec = folder.write(s__nev=nev, s__ns3=b.nsx([(0, b.ramp(9, 2))], "2.1"), s__ns5=nsx((0, 4), kind="3.0")).open()
    assert (rec.nev.spec, rec.nsx[3].spec, rec.nsx[5].spec) == ("2.2", "2.1", "3.0")
    assert [channel.uv_per_bit for channel in rec.nsx[3].channels] == [0.25, 1.0]


@pytest.mark.parametrize("suffix", ["nev", "ns2"])
def test_timing_c36_a_member_that_cannot_be_opened_is_left_out(folder: Folder, suffix) -> None:
    folder.write(s__nev=t.spike_nev([5]), s__ns2=nsx((0, 2)), s__ns5=nsx((0, 9)))
    (folder.path / f"s.{suffix}").write_bytes(b"no recording at all")
    with pytest.warns(nv.DamagedFile, match=rf"s\.{suffix} is left out: .*byte 0: expected") as caught:
        rec = folder.open()
    assert [item.filename for item in caught] == [folder.open.__code__.co_filename]
    assert isinstance(rec.failed[suffix], nv.FormatError)
    assert suffix in rec.members
    assert rec.nsx[5].n_samples == 9


def test_timing_c36_a_member_that_is_a_folder_is_left_out(folder: Folder) -> None:
    (folder.path / "s.ns6").mkdir()
    with pytest.warns(nv.DamagedFile, match=r"s\.ns6 is left out"):
        assert list(folder.write(s__ns5=nsx((0, 9))).open().nsx) == [5]


def test_timing_c36_where_none_can_be_opened_the_reason_is_raised(folder: Folder) -> None:
    with pytest.raises(nv.FormatError, match="expected"):
        folder.write(s__nev=b"bad", s__ns5=b"worse").open()


def test_timing_c36_an_error_leaves_no_file_open(folder: Folder) -> None:
    """Where warnings are errors, the members that are open are closed; `conftest` checks it."""
    folder.write(s__nev=t.spike_nev([5]), s__ns2=nsx((0, 9)), s__ns5=nsx((0, 9))[:-3])
    with pytest.raises(nv.TruncatedFile):
        folder.open()
    folder.write(s__ns5=b"bad")
    with pytest.raises(nv.DamagedFile):
        folder.open()
    gc.collect()


def test_timing_c36_closing_closes_every_member(folder: Folder) -> None:
    rec = folder.write(s__nev=t.spike_nev([5]), s__ns5=nsx((0, 9))).open()
    with rec as same:
        assert same is rec
        samples = rec.nsx[5].segments[0].samples
    assert all(file.closed for file in rec.files.values())
    assert samples.tolist() == b.ramp(9, 2).tolist()


def test_timing_c35_a_nev_of_another_name_is_taken_where_it_is_named(folder: Folder) -> None:
    folder.write(s__nev=t.spike_nev([5]), s__ns5=nsx((0, 9)))
    (folder.path / "s-01.nev").write_bytes(t.spike_nev([5, 6, 7]))
    with nv.open_recording(folder.path / "s.ns5", nev=folder.path / "s-01.nev") as rec:
        assert rec.nev is not None
        assert rec.nev.events("spike")["tick"].tolist() == [5, 6, 7]
        assert rec.members["nev"] == str(folder.path / "s-01.nev")
        assert rec.locate([6], 5)[1].tolist() == [6]
    (folder.path / "bad.nev").write_bytes(b"no recording at all")
    for name, error in (("bad.nev", nv.FormatError), ("none.nev", FileNotFoundError), ("s.ns5", nv.FormatError)):
        with pytest.raises(error):
            nv.open_recording(folder.path / "s", nev=folder.path / name)


# ------------------------------------------------------------------------------------------- instruments, and the rest

GROUPS = [
    (("day-NSP1", "day-NSP2"), "day-NSP3x"),
    (("Hub1-day", "Hub2-day", "Hub10-day"), "Hub-day"),
    (("NSP-day", "Hub1-day", "Hub2-day"), "NSPday"),
    (("NSP1-day", "NSP2-day"), "NSPx-day"),
    (("day-i0-001", "day-i1-001", "day-i2-001"), "day-i0-002"),
    (("day-i0", "day-i3"), "day-i0b"),
    (("instance1_B001", "instance2_B001", "instance8_B001"), "instance1_B002"),
    (
        ("NSP-instance1_B001", "Hub1-instance1_B001", "Hub1-instance2_B001", "Hub2-instance1_B001"),
        "Hub1-instance1_B002",
    ),
    (("sub-01_run-01_NSP-1", "sub-01_run-01_NSP-2"), "sub-01_run-02_NSP-1"),
    (("sub-01_acq-NSP1_run-01", "sub-01_acq-NSP2_run-01"), "sub-01_acq-NSP1_run-02"),
    (("NSP-2024_01", "Hub1-2024_01"), "NSP-2024_02"),
]


@pytest.mark.parametrize(("names", "another"), GROUPS)
def test_timing_c46_instruments_of_a_recording_are_found_in_order(tmp_path: Path, names, another) -> None:
    for name in (*names, another):
        for suffix in ("ns5", "NEV"):
            (tmp_path / f"{name}.{suffix}").write_bytes(nsx((0, 2)))
    (tmp_path / f"{names[0]}.txt").write_bytes(b"")
    for name in (*names, names[0] + ".ns5", names[-1] + ".nev"):
        assert instruments_of(tmp_path / name) == tuple(str(tmp_path / other) for other in names)
    assert instruments_of(tmp_path / another) == (str(tmp_path / another),)


def test_timing_c46_a_recording_knows_its_instruments(folder: Folder) -> None:
    for k in (2, 1):
        (folder.path / f"s-NSP{k}.ns5").write_bytes(nsx((0, k)))
    rec = folder.open("s-NSP1")
    assert list(rec.members) == ["ns5"], "each instrument is a recording of its own"
    assert rec.instruments == tuple(str(folder.path / f"s-NSP{k}") for k in (1, 2))


def test_timing_c47_the_fastest_file_is_by_rate_then_by_number(folder: Folder) -> None:
    folder.write(s__ns2=nsx((0, 2), period=30), s__ns5=nsx((0, 5)), s__ns6=nsx((0, 6)), s__nf3=nsx((0, 3), period=15))
    folder.write(s__ns9=nsx((0, 9), period=60))
    with folder.open() as rec:
        assert rec.fastest.n_samples == 6
    (folder.path / "s.ns6").unlink()
    (folder.path / "s.ns5").unlink()
    assert folder.open().fastest.n_samples == 3


def test_timing_c47_a_file_without_samples_is_not_the_fastest_of_those_that_have_some(folder: Folder) -> None:
    folder.write(s__ns3=nsx((0, 3), period=15), s__ns5=nsx((0, 5)), s__ns6=nsx((0, 0)), other__ns6=nsx((0, 0)))
    assert folder.open().fastest.n_samples == 5
    assert folder.open("other").fastest.n_samples == 0


def test_timing_c47_without_continuous_data_there_is_none(folder: Folder) -> None:
    with pytest.raises(ValueError, match="expected a continuous file, found nev"):
        folder.write(s__nev=t.spike_nev([5])).open().fastest  # noqa: B018


def test_timing_c47_a_recording_shows_its_members(folder: Folder) -> None:
    rec = folder.write(s__nev=t.spike_nev([5]), s__ns5=nsx((0, 9))).open()
    assert repr(rec) == f"Recording({str(folder.path / 's')!r}: nev, ns5, 0.3 ms)"
    with pytest.raises(TypeError):
        rec.members["ns6"] = "x"  # type: ignore[index]


def test_a_member_or_electrode_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "s.ns2").write_bytes(b.nsx([(0, b.ramp(3, 1))], period=30))
    (tmp_path / "s.nev").write_bytes(nb.nev([], [nb.wav(1), nb.wav(2)]))
    with nv.open_recording(tmp_path / "s") as recording:
        with pytest.raises(KeyError, match=r"no \.ns5; the recording has nev, ns2"):
            recording.nsx[5]
        with pytest.raises(KeyError, match="no header of electrode 999; it has 1-2"):
            recording.require_nev().electrodes[999]
        assert 5 not in recording.nsx
        assert recording.nsx.get(5) is None
