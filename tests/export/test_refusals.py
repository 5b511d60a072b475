# SPDX-License-Identifier: MIT
"""What cannot be met is refused before the first byte, and no file is written over without `overwrite`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from builders import nsx as b
from fixture_types import FileOf, Opened

import nevparse as nv
from export.left import left_in
from export.output.runs import hard_link_or_skip, symlink_or_skip
from nevparse.export.output import files as output_files

FILES = "s.bin", "s.bin.json"


PLAUSIBLE = b.plausible("2.3")[0]


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (
            PLAUSIBLE,
            {},
            nv.GapError,
            r"broken 1 time.* pause of 1 s \(30000 samples\) at 0\.000166667 s, after",
        ),
        (PLAUSIBLE, {"channels": []}, ValueError, "expected at least one channel, found none"),
        (PLAUSIBLE, {"electrodes": [50]}, KeyError, "no electrode 50; the file has electrodes 1-3"),
        (PLAUSIBLE, {"electrodes": [1], "labels": "a"}, ValueError, "one way to choose columns"),
        (PLAUSIBLE, {"kind": "analog"}, KeyError, "no analog channels; the file has neural channels"),
        (PLAUSIBLE, {"gaps": "?"}, ValueError, "expected gaps to be one of"),
        (
            PLAUSIBLE,
            {"stop_tick": 5},
            ValueError,
            r"0 s to 0\.000133333 s \(ticks 210000 to 210004\).* found all before -6\.9\d* s \(tick 5\)",
        ),
        (b.nsx([]), {}, ValueError, "expected samples, found none in the file"),
    ],
    ids=["gaps", "no channel", "no electrode", "two ways", "no kind", "policy", "ticks", "no samples"],
)
def test_what_cannot_be_met_is_refused_before_the_first_byte(
    opened: Opened, out: Path, data, options, error, message
) -> None:
    out.write_bytes(b"older")
    with pytest.raises(error, match=message):
        nv.write_bin(opened(data), out, overwrite=True, **options)
    assert left_in(out.parent) == ["s.bin"]
    assert out.read_bytes() == b"older"


def test_a_gap_error_holds_the_gaps_and_names_a_way_out(opened: Opened, out: Path) -> None:
    ns = opened(b.plausible("2.3", 2, (2,) * 9)[0])
    with pytest.raises(nv.GapError, match=r"and 3 more\. .*--start") as refused:
        nv.write_bin(ns, out)
    assert refused.value.gaps == ns.gaps
    assert len(ns.gaps) == 8


@pytest.mark.parametrize("in_the_way", FILES)
def test_an_older_file_is_kept_unless_overwritten(opened: Opened, out: Path, in_the_way) -> None:
    raw, samples = b.plausible("2.3", 2, (5,))
    ns, older = opened(raw), out.with_name(in_the_way)
    older.write_bytes(b"older")
    with pytest.raises(nv.ExportError, match=f"{in_the_way} exists; .*overwrite=True"):
        nv.write_bin(ns, out)
    assert left_in(out.parent) == [in_the_way]
    assert older.read_bytes() == b"older"
    nv.write_bin(ns, out, overwrite=True)
    assert out.read_bytes() == samples.tobytes()
    assert left_in(out.parent) == sorted(FILES)


@pytest.mark.parametrize("link", ["itself", "symlink", "hard link", "sidecar", "part"])
def test_the_recording_is_never_written_over(file_of: FileOf, tmp_path: Path, link) -> None:
    raw = b.plausible("2.3", 2, (5,))[0]
    source = file_of(raw, "s.bin.json" if link == "sidecar" else "s.ns5")
    target: str | Path = tmp_path / "s.bin"
    if link == "itself":
        target = source
    elif link == "symlink":
        symlink_or_skip(Path(target), source)
    elif link == "hard link":
        hard_link_or_skip(Path(source), Path(target))
    elif link == "part":
        symlink_or_skip(tmp_path / "s.bin.nevparse-part", source)
    before = left_in(tmp_path)
    with nv.open_nsx(source) as ns, pytest.raises(nv.ExportError, match="is the recording itself"):
        nv.write_bin(ns, target, overwrite=True)
    assert left_in(tmp_path) == before
    with open(source, "rb") as file:
        assert file.read() == raw


def test_links_to_other_files_are_replaced_not_written_through(opened: Opened, out: Path, tmp_path: Path) -> None:
    raw, samples = b.plausible("2.3", 2, (5,))
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    for name in FILES:
        symlink_or_skip(out.with_name(name), precious)
    nv.write_bin(opened(raw), out, overwrite=True)
    assert out.read_bytes() == samples.tobytes()
    assert precious.read_bytes() == b"precious"
    assert not any(path.is_symlink() for path in out.parent.iterdir())
    assert left_in(out.parent) == sorted(FILES)


def test_a_link_to_nothing_is_a_file_in_the_way(opened: Opened, out: Path) -> None:
    symlink_or_skip(out, "nowhere")
    with pytest.raises(nv.ExportError, match="exists"):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/such/folder/s.bin", "does not exist; create it first"),
        ("s.json", "this name is .* sidecar's"),
        ("", "is a folder"),
    ],
)
def test_a_target_that_cannot_be_is_refused(opened: Opened, out: Path, name, message) -> None:
    with pytest.raises(nv.ExportError, match=message):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out.parent / name, overwrite=True)
    assert left_in(out.parent) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_device_or_pipe_is_not_replaced(opened: Opened, out: Path) -> None:
    os.mkfifo(out)
    with pytest.raises(nv.ExportError, match="is not a regular file"):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out, overwrite=True)
    assert left_in(out.parent) == ["s.bin"]


def test_too_little_space_is_refused_before_the_first_byte(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_files, "free_bytes", lambda folder: 7)
    with pytest.raises(nv.ExportError, match=r"20 bytes are needed in .*, 7 bytes are free"):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out)
    assert left_in(out.parent) == []


def test_free_space_is_known_with_and_without_statvfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it, usage = output_files.free_bytes(str(tmp_path)), shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)  # it calls statvfs itself where there is one
    monkeypatch.delattr(os, "statvfs", raising=False)
    without = output_files.free_bytes(str(tmp_path))
    assert with_it > 0
    assert abs(with_it - without) < 1 << 30  # other programs write meanwhile


def test_what_is_no_recording_is_refused(opened: Opened, out: Path) -> None:
    ns = opened(b.nsx([(0, b.ramp(4, 3))]))
    with pytest.raises(ValueError, match="found none"):
        nv.write_bin([], out)
    for wrong in (b"s.ns5", 5, None, [ns, "s.ns5"], iter([ns, None])):
        with pytest.raises(TypeError, match="expected an open NSx or several"):
            nv.write_bin(wrong, out)  # type: ignore[arg-type]
    assert list(out.parent.iterdir()) == []


def test_several_instruments_may_come_from_a_generator(opened: Opened, out: Path) -> None:
    files = [opened(b.nsx([(0, b.ramp(4, 3))]), f"{k}.ns5") for k in range(2)]
    assert nv.write_bin((file for file in files), out).n_channels == 6
