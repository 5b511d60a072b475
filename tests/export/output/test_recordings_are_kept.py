# SPDX-License-Identifier: MIT
"""No output takes the place of a recording, whatever is asked: claim C14 of `spec_notes/exports.md`."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from builders import nev as n
from builders import nsx as b
from fixture_types import FileOf, NevOf, Opened
from hypothesis import given, settings
from hypothesis import strategies as st

import nevparse as nv
from export.left import left_in
from export.output import crashes
from export.output.crashes import OLD, PART
from nevparse.format.tables import NEV_VERSIONS, NSX_VERSIONS

RECORDINGS = {magic.decode(): magic + b"the data of a day" for magic, _ in (*NSX_VERSIONS, *NEV_VERSIONS)}
_PAUSED, _PTP = b.plausible("2.3", 2, (5, 4))[0], b.plausible("ptp", 2, (40,))[0]

Write = Callable[[Any, str, bool], object]
# What each writes where it is asked for `s.x`
WRITERS: dict[str, tuple[bytes, Write, list[str]]] = {
    "bin": (_PTP, lambda ns, at, yes: nv.write_bin(ns, at + ".x", overwrite=yes), ["s.x", "s.x.json", "s.x.ticks"]),
    "split": (
        _PAUSED,
        lambda ns, at, yes: nv.write_bin(ns, at + ".x", gaps="split", overwrite=yes),
        ["s-000.x", "s-001.x", "s-000.x.json", "s-001.x.json"],
    ),
    "folder": (
        _PTP,
        lambda ns, at, yes: nv.write_sorter(ns, at, overwrite=yes),
        ["s/recording.bin", "s/recording.bin.json", "s/recording.bin.ticks", "s/probe.json", "s/params.py"],
    ),
    "cut": (_PTP, lambda ns, at, yes: nv.write_nsx(ns, at + ".x", overwrite=yes), ["s.x"]),
    "new": (
        _PTP,
        lambda ns, at, yes: nv.create_nsx(
            ns.read(), at + ".x", ns.channels, sampling_rate=30000, overwrite=yes
        ),
        ["s.x"],
    ),
}  # fmt: skip


@settings(max_examples=40)
@given(
    data=st.data(),
    how=st.sampled_from(list(WRITERS)),
    magic=st.sampled_from(list(RECORDINGS)),
    ending=st.sampled_from(["", "", "", PART, OLD]),
    overwrite=st.booleans(),
    link=st.sampled_from(["", "", "hard", "symbolic"]),
)
def test_exports_c14_a_recording_stays_whatever_is_written_to_its_name(
    opened: Opened,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    how: str,
    magic: str,
    ending: str,
    overwrite: bool,
    link: str,
) -> None:
    """Also as a part or an older file, which only we name so; a set-aside one gets its name back."""
    raw, write, names = WRITERS[how]
    folder = tmp_path_factory.mktemp("kept")
    ns = opened(raw, "a.ns5")
    kept = folder / (data.draw(st.sampled_from(names)) + ("" if how in ("cut", "new") else ending))
    kept.parent.mkdir(exist_ok=True)
    recording = folder / "elsewhere" if link else kept
    recording.write_bytes(RECORDINGS[magic])
    if link:
        with suppress(OSError):  # Windows makes symbolic links only for some users
            (os.link if link == "hard" else os.symlink)(recording, kept)
        if not kept.exists():
            kept.write_bytes(RECORDINGS[magic])
    with pytest.raises(nv.ExportError, match=r"recording|already exists|holds files"):
        write(ns, str(folder / "s"), overwrite)
    if not kept.exists():
        kept = kept.with_name(kept.name.removesuffix(OLD))
    files = {kept, recording} if link else {kept}
    assert {path for path in folder.rglob("*") if path.is_file()} == files
    assert {path.read_bytes() for path in files} == {RECORDINGS[magic]}
    shutil.rmtree(folder)


@pytest.mark.parametrize("how", ["bin", "cut"])
def test_exports_c14_a_recording_that_begins_meanwhile_stays(opened: Opened, out: Path, how: str) -> None:
    ns = opened(_PTP)
    write: Any = {"bin": nv.write_bin, "cut": nv.write_nsx}[how]
    data = RECORDINGS["NEURALCD"]
    with pytest.raises(nv.ExportError, match="is a recording, which no output replaces"):
        write(ns, out, overwrite=True, progress=lambda *_: out.write_bytes(data))
    assert crashes.contents(out.parent) == {"s.bin": data}


@pytest.mark.parametrize("ending", [".nev", ".NS5", ".ns9", ".nf3", ".nsx"])
@pytest.mark.parametrize("how", ["bin", "sorter", "nsx", "nev"])
def test_exports_c14_only_recordings_are_named_as_recordings(
    opened: Opened, nev_of: NevOf, out: Path, ending: str, how: str
) -> None:
    target = out.with_suffix(ending)
    ns, nev = opened(_PTP), nev_of(n.every_kind((2, 3)))
    write: dict[str, Callable[[], object]] = {
        "bin": lambda: nv.write_bin(ns, target),
        "sorter": lambda: nv.write_sorter(ns, target),
        "nsx": lambda: nv.write_nsx(ns, target),
        "nev": lambda: nv.write_nev(nev, target),
    }
    if how == ("nev" if ending == ".nev" else "nsx"):
        write[how]()
        assert left_in(out.parent) == [target.name]
        return
    with pytest.raises(nv.ExportError, match="choose another ending"):
        write[how]()
    assert left_in(out.parent) == []


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be renamed")
def test_exports_c14_a_renamed_recording_is_the_input(opened: Opened, out: Path) -> None:
    ns = opened(_PTP)
    os.rename(ns.path, out)
    with pytest.raises(nv.ExportError, match="is the recording itself"):
        nv.write_bin(ns, out, overwrite=True)
    assert out.read_bytes() == _PTP


def test_exports_c14_a_recording_opened_from_another_folder_is_the_input(
    file_of: FileOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    file_of(_PTP, "s.bin")
    monkeypatch.chdir(tmp_path)
    with nv.open_nsx("s.bin") as ns:
        monkeypatch.chdir("elsewhere")
        with pytest.raises(nv.ExportError, match="is the recording itself"):
            nv.write_bin(ns, os.path.join("..", "s.bin"), overwrite=True)
        nv.write_bin(ns, "s.bin")
    assert (tmp_path / "s.bin").read_bytes() == _PTP


@contextmanager
def packed(how: str, path: Path) -> Iterator[Any]:
    """A recording in an archive of this name, open."""
    with ExitStack() as stack:
        if how == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("s.ns5", _PTP)
            yield stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open("s.ns5"))
        elif how == "tar":
            with tarfile.open(path, "w") as tar:
                info = tarfile.TarInfo("s.ns5")
                info.size = len(_PTP)
                tar.addfile(info, io.BytesIO(_PTP))
            member: Any = stack.enter_context(tarfile.open(path)).extractfile("s.ns5")
            yield stack.enter_context(member)
        else:
            open_packed: Any = {"gzip": gzip.open, "bz2": bz2.open, "lzma": lzma.open}[how]
            with open_packed(path, "wb") as file:
                file.write(_PTP)
            yield stack.enter_context(open_packed(path, "rb"))


@pytest.mark.parametrize("how", ["zip", "tar", "gzip", "bz2", "lzma"])
def test_exports_c14_an_archive_is_the_input_of_its_members(out: Path, how: str) -> None:
    with packed(how, out) as member, nv.open_nsx(member) as ns:
        before = out.read_bytes()
        with pytest.raises(nv.ExportError, match="is the recording itself"):
            nv.write_bin(ns, out, overwrite=True)
        nv.write_bin(ns, out.with_name("other.bin"))
    assert out.read_bytes() == before


def test_exports_c14_a_cut_of_bytes_replaces_what_is_no_recording(out: Path) -> None:
    out.write_bytes(b"older")
    with nv.open_nsx(_PTP) as ns:
        nv.write_nsx(ns, out, overwrite=True)
    assert out.read_bytes() == _PTP
