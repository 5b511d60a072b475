# SPDX-License-Identifier: MIT
"""Inputs that shrink, change or cannot be read while they are exported, and sidecars of another ``.bin``."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import nsx as b

import nevparse as nv
from export.output import crashes
from export.output.runs import every_case

pytestmark = pytest.mark.usefixtures("many_steps")

SHORTER = "it has become shorter since it was opened"

# ----------------------------------------------------------------------------------- an input that does not stay itself


def opened_case(case: crashes.Case, tmp_path: Path, mtime_ns: int = 10**18) -> Path:
    """A copy of a case's recording, which was last changed long ago."""
    path = tmp_path / "input.ns5"
    path.write_bytes(case.raw)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def change(path: Path, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_END if at == 0 else os.SEEK_SET)
        file.write(data)


@every_case
@pytest.mark.parametrize("when", ["before", "first", "last"])
@pytest.mark.parametrize("sort", [False, True])
def test_exports_c09_an_input_that_shrinks(
    case: crashes.Case, target: Path, tmp_path: Path, when: str, sort: bool
) -> None:
    path = opened_case(case, tmp_path)

    def shrink(done: int, total: int) -> None:
        if when == "first" or done == total:
            os.truncate(path, 700)

    with nv.open_nsx(path) as ns:
        _ = ns.gaps  # probed before it was cut
        if when == "before":
            os.truncate(path, 700)
        with pytest.raises(nv.ExportError, match=SHORTER):
            nv.write_bin(ns, target, overwrite=True, sort=sort, **case.options, progress=shrink)
    assert crashes.contents(target.parent) == case.before


@every_case
@pytest.mark.parametrize("at", [100, 600])
def test_exports_c10_an_input_that_is_changed_in_its_place(
    case: crashes.Case, target: Path, tmp_path: Path, at: int
) -> None:
    path = opened_case(case, tmp_path)
    with (
        nv.open_nsx(path) as ns,
        pytest.raises(nv.ExportError, match=r"changed while it was exported \((its|it)"),
    ):
        nv.write_bin(ns, target, overwrite=True, **case.options, progress=lambda *_: change(path, at, b"\x55" * 9))
    assert crashes.contents(target.parent) == case.before


@every_case
def test_exports_c11_an_input_may_grow(case: crashes.Case, target: Path, tmp_path: Path) -> None:
    path = opened_case(case, tmp_path)
    more = case.raw[-600:]
    with nv.open_nsx(path) as ns:
        nv.write_bin(ns, target, overwrite=True, **case.options, progress=lambda *_: change(path, 0, more))
    for name, data in crashes.contents(target.parent).items():
        assert name.endswith(".json") or data == case.after[name]


@pytest.mark.parametrize("name", ["pair", "ptp"])
def test_exports_c11_a_longer_recording_in_its_place_is_not_growth(
    case: crashes.Case, target: Path, tmp_path: Path
) -> None:
    path = opened_case(case, tmp_path)

    def record_anew(*_: int) -> None:
        change(path, 0, case.raw)
        change(path, 290, b"\x01\x02")

    with nv.open_nsx(path) as ns, pytest.raises(nv.ExportError, match=r"changed while it was exported \(its headers\)"):
        nv.write_bin(ns, target, overwrite=True, **case.options, progress=record_anew)
    assert crashes.contents(target.parent) == case.before


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c11_what_is_no_file_cannot_change(case: crashes.Case, target: Path) -> None:
    with nv.open_nsx(case.raw) as ns:
        nv.write_bin(ns, target, overwrite=True)
    assert target.read_bytes() == case.after["s.bin"]


@pytest.mark.parametrize("name", ["pair", "ptp"])
def test_exports_c12_an_input_that_cannot_be_read_is_not_an_output_that_cannot_be_written(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nv.open_nsx(case.source) as ns:
        real = ns._source.readinto

        def readinto(buffer: Any, offset: int) -> Any:
            if offset > 600 and [*target.parent.glob("*-part")]:  # planned, and begun
                raise OSError(errno.EIO, "Input/output error")
            return real(buffer, offset)

        monkeypatch.setattr(ns._source, "readinto", readinto)
        with pytest.raises(nv.ExportError, match=rf"{case.name}.ns5 could not be read at byte \d+: Input/output error"):
            nv.write_bin(ns, target, overwrite=True, **case.options)
    assert crashes.contents(target.parent) == case.before


def test_exports_c09_timestamps_are_read_and_not_mapped(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map of a file that has shrunk is a fault, and no exception."""
    raw, _ = b.plausible("ptp", 3, (60, 50))
    ns = opened(raw)

    def view(*_: Any) -> None:
        raise AssertionError("mapped")

    monkeypatch.setattr(type(ns._source), "view", view)
    assert len(ns.fully_scanned().gaps) == len(ns.gaps) == 1
    assert ns.segments[0].ticks(3, 9, sort=True).size == 6
    assert ns.segments[1].find(ns.segments[1].start_tick + 1) == 1


# ---------------------------------------------------------------------------------------------------------- the sidecar


@pytest.mark.parametrize("n_bytes", [-1, 1, 100])
def test_exports_c13_a_sidecar_of_another_bin_is_refused(opened: Callable[..., Any], out: Path, n_bytes: int) -> None:
    report = nv.write_bin(opened(b.nsx([(0, b.ramp(50, 3))])), out)
    os.truncate(out, report.size_bytes + n_bytes)
    with pytest.raises(nv.FormatError, match=f"of 300 bytes, as the sidecar says, found {300 + n_bytes} in .*s.bin"):
        nv.read_sidecar(out)


def test_exports_c13_a_sidecar_alone_can_be_read(opened: Callable[..., Any], out: Path) -> None:
    nv.write_bin(opened(b.nsx([(0, b.ramp(50, 3))])), out)
    os.unlink(out)
    assert nv.read_sidecar(out).n_samples == 50
