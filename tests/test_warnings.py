# SPDX-License-Identifier: MIT
"""A warning points at the line that called the package, however deep in it the reason was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from fixture_types import FileOf

import nevparse as nv

NSX, NEV = b.nsx([(0, b.ramp(20, 2))], version=(2, 4)), nb.nev([], [nb.extended(b"NEWER", b"?")], version=(2, 9))
FILES = {
    "s.ns5": NSX,
    "s.nev": NEV,
    "cut.ns5": b.nsx([(0, b.ramp(20, 2))])[:-1],
    "old.ns5": b.nsx([(0, b.ramp(9, 1))], "2.1"),
    "shuffled.ns5": t.ptp(t.shuffled(t.stamps(4000), {100: (1, 0)})),
    "spikes.nev": t.spike_nev(range(150, 7_000, 50)),
    "spikes.ns5": t.blocks((0, 116), (8_000, 9_000)),
}
Call = Callable[[Path], object]


def closed(file: nv.NsxFile | nv.NevFile | nv.Recording) -> None:
    file.close()


def to_uv(folder: Path) -> None:
    with nv.open_nev(folder / "spikes.nev") as nev:
        nev.to_uv(nev.spikes())


def samples_in_uv(folder: Path) -> None:
    with nv.open_nsx(folder / "old.ns5") as ns:
        ns.read(unit="uV")


def chunks_in_uv(folder: Path) -> None:
    with nv.open_nsx(folder / "old.ns5") as ns:
        next(ns.chunks(unit="uV"))


def places_of_spikes(folder: Path) -> None:
    with nv.open_recording(folder / "spikes") as recording:
        recording.locate([200], nsx=5, packets=[1])


def cut_of_an_epoch(folder: Path) -> None:
    with nv.open_recording(folder / "spikes") as recording:
        nv.write_nev(recording, folder / "cut", epoch=1)


CALLS: dict[str, tuple[type[nv.NevParseWarning], Call]] = {
    "NSx of an unknown version": (nv.UnknownVersion, lambda folder: closed(nv.open_nsx(folder / "s.ns5"))),
    "NEV of an unknown version": (nv.UnknownVersion, lambda folder: closed(nv.open_nev(folder / "s.nev"))),
    "NEV for its scales": (
        nv.UnknownVersion,
        lambda folder: closed(nv.open_nsx(folder / "old.ns5", nev=folder / "s.nev")),
    ),
    "recording": (nv.UnknownVersion, lambda folder: closed(nv.open_recording(folder / "s"))),
    "cut file": (nv.TruncatedFile, lambda folder: closed(nv.open_recording(folder / "cut.ns5"))),
    "waveforms": (nv.UnknownScale, to_uv),
    "samples": (nv.UnknownScale, samples_in_uv),
    "chunks": (nv.UnknownScale, chunks_in_uv),
    "out of order": (nv.DamagedFile, lambda folder: nv.write_bin(folder / "shuffled.ns5", folder / "o.bin")),
    "located": (nv.AmbiguousEpochs, places_of_spikes),
    "cut": (nv.AmbiguousEpochs, cut_of_an_epoch),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_warning_points_at_the_caller(file_of: FileOf, tmp_path: Path, name: str) -> None:
    category, call = CALLS[name]
    for path, data in FILES.items():
        file_of(data, path)
    with pytest.warns(category) as caught:
        call(tmp_path)
    assert {item.filename for item in caught} == {__file__}


def test_a_nev_of_an_unknown_version_is_copied_byte_by_byte(file_of: FileOf, tmp_path: Path) -> None:
    with pytest.warns(nv.UnknownVersion):
        nev = nv.open_nev(file_of(NEV, "s.nev"))
    with nev:
        assert [place.code for place in nev.damage] == ["unknown-version"]
        nv.write_nev(nev, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == NEV
