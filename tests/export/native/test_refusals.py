# SPDX-License-Identifier: MIT
"""What cannot be cut is refused, and nothing is left of it: claim C14 of `spec_notes/writing.md`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from fixture_types import Cut, NevOf, Opened

import nevparse as nv
from export.native.cutting import refused


def test_writing_c14_the_input_is_never_written(opened: Opened, nev_of: NevOf) -> None:
    ns, nev = opened(b.plausible("2.3")[0]), nev_of(n.every_kind((2, 3)))
    cases: list[tuple[Any, Any]] = [(ns, nv.write_nsx), (nev, nv.write_nev)]
    for file, write in cases:
        before = Path(file.path).read_bytes()
        folder, name = os.path.split(file.path)
        names = [file.path, os.path.join(folder, ".", name)]
        links = [file.path + ".symlink", file.path + ".link"]
        os.link(file.path, links[1])
        with suppress(OSError):
            os.symlink(file.path, links[0])
        links = [link for link in links if os.path.lexists(link)]  # Windows makes symbolic links only for some users
        names += links
        if os.path.exists(file.path.upper()):
            names.append(os.path.join(folder, name.upper()))
        for other in names:
            with pytest.raises(nv.ExportError, match="is the recording itself"):
                write(file, other, overwrite=True)
        assert Path(file.path).read_bytes() == before


def test_writing_c14_what_is_in_the_way_is_kept_unless_overwritten(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ns = opened(b.plausible("2.3")[0])
    out.write_bytes(b"mine")
    with pytest.raises(nv.ExportError, match="exists; choose another name"):
        nv.write_nsx(ns, out)
    with pytest.raises(nv.ExportError, match="is a folder"):
        nv.write_nsx(ns, out.parent, overwrite=True)
    with pytest.raises(nv.ExportError, match="does not exist; create it first"):
        nv.write_nsx(ns, out.parent / "none" / "s")
    assert out.read_bytes() == b"mine"
    assert nv.write_nsx(ns, out, overwrite=True).size_bytes == out.stat().st_size == ns.size_bytes
    out.unlink()
    monkeypatch.setattr("nevparse.export.output.files.free_bytes", lambda folder: 100)
    refused(out, nv.ExportError, "are needed", lambda: nv.write_nsx(ns, out))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"channels": []}, ValueError, "at least one channel"),
        ({"channels": [0, 1, 0]}, ValueError, "found column 0 more often"),
        ({"channels": [3]}, ValueError, "expected columns 0 to 2"),
        ({"electrodes": [4]}, KeyError, "no electrode 4; the file has electrodes 1-3"),
        ({"labels": "x*"}, KeyError, "no label"),
        ({"kind": "analog"}, KeyError, "no analog channels"),
        ({"segments": []}, ValueError, "at least one segment"),
        ({"segments": [2]}, ValueError, r"expected a segment \(0 to 1\), found 2"),
        ({"segments": slice(5, 9)}, ValueError, "at least one segment"),
        ({"start_tick": 10**9}, ValueError, "a time that holds samples"),
        ({"start_tick": 210_001, "stop_tick": 210_001}, ValueError, "a time that holds samples"),
        ({"segments": 1, "stop_tick": 210_002}, ValueError, "a time that holds samples"),
        ({"anonymise": "all"}, ValueError, "expected anonymise"),
    ],
    ids=str,
)
def test_writing_c14_selections_that_are_refused(opened: Opened, cut: Cut, out: Path, options, error, match) -> None:
    refused(out, error, match, lambda: cut(opened(b.plausible("2.3")[0]), **options))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"electrodes": []}, ValueError, "at least one electrode"),
        ({"electrodes": [7]}, KeyError, "no electrode 7"),
        ({"electrodes": 70_000}, ValueError, "from 0 to 65535"),
        ({"kinds": []}, ValueError, "expected kinds among spike"),
        ({"kinds": ["spikes"]}, ValueError, "found spikes"),
        ({"kinds": "stim"}, ValueError, "ticks 90 to 280.*found none"),
        ({"start_tick": 300}, ValueError, "found none"),
        ({"anonymise": "names"}, ValueError, "expected anonymise"),
    ],
    ids=str,
)
def test_writing_c14_nev_selections_that_are_refused(nev_of: NevOf, cut: Cut, out: Path, options, error, match) -> None:
    refused(out, error, match, lambda: cut(nev_of(n.every_kind((2, 3))), **options))


def test_writing_c14_nothing_is_left_where_writing_fails(
    opened: Opened, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ns = opened(b.plausible("2.3")[0])
    for name in ("link", "rename", "replace"):
        monkeypatch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    refused(out, nv.ExportError, "could not be written", lambda: nv.write_nsx(ns, out))


def test_writing_c14_an_input_that_shrinks_leaves_nothing(opened: Opened, out: Path) -> None:
    ns = opened(b.nsx([(0, b.ramp(100_000, 4))]))
    _ = ns.segments
    os.truncate(ns.path, 1000)
    refused(out, nv.ExportError, "shorter", lambda: nv.write_nsx(ns, out, channels=[1]))


def test_writing_c14_an_array_is_not_a_recording(out: Path) -> None:
    samples: Any = np.zeros((3, 3), np.int16)
    refused(out, TypeError, "create_nsx", lambda: nv.write_nsx(samples, out))
