# SPDX-License-Identifier: MIT
"""What a tired person calls: the error says what was expected, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders.demo import DATA

import nevparse as nv

MISTAKES: dict[str, tuple[Callable[[Any, Any, Any], Any], type[Exception], str]] = {
    "a base name for a file": (
        lambda *_: nv.open_nsx("s"), FileNotFoundError,
        "no such file; open_recording takes the base name of s.nev, s.ns5",
    ),
    "a base name to export": (lambda *_: nv.write_bin("s", "o.bin"), FileNotFoundError, "takes the base name of s.nev"),
    "nothing like it": (lambda *_: nv.open_nsx("other"), FileNotFoundError, "'other'"),
    "a name where ids go": (
        lambda ns, *_: ns.read(0, 9, electrodes="elec1"), TypeError,
        "expected an electrode as an integer, found 'elec1': names are for labels=",
    ),
    "a name among ids": (lambda _ns, nev, _: nev.spikes(electrodes=[1, "elec1"]), TypeError, "names are for labels="),
    "a name where columns go": (
        lambda ns, *_: ns.read(0, 9, channels=["elec1"]), TypeError, "found 'elec1': names are for labels=",
    ),
    "an id where labels go": (
        lambda ns, *_: ns.columns(labels="7"), KeyError, "no label '7' (electrode ids are for electrodes=)",
    ),
    "waveforms that were not read": (
        lambda _ns, nev, _: nev.to_uv(nev.spikes(waveforms=False)), TypeError,
        "expected spikes with waveforms, as spikes() or events('stim') give them",
    ),
    "trains for spikes": (lambda _ns, nev, _: nev.to_uv(nev.trains()), TypeError, "expected spikes with waveforms"),
    "an NSx to cut as a NEV": (
        lambda ns, *_: nv.write_nev(ns, "o.nev"), TypeError,
        "expected a NEV or a recording, found NsxFile; write_nsx cuts continuous files",
    ),
    "a suffix where a number goes": (
        lambda _ns, _nev, recording: recording.nsx["ns5"], KeyError,
        "no file 'ns5', as files go by their numbers (5); the recording has nev, ns5",
    ),
    "the quality of spikes": (
        lambda _ns, nev, _: nv.channel_quality(nev), TypeError,
        "expected a continuous file or traces, found NevFile; recording.nsx has the continuous files of a recording",
    ),
    "a page that is none": (
        lambda ns, *_: nv.write_report(ns, "o.pdf"), nv.ExportError,
        "o.pdf: a page is HTML; choose a name that ends in .html",
    ),
    "a map that is not there": (
        lambda ns, *_: nv.write_report(ns, "o.html", cmp="none.cmp"), FileNotFoundError,
        "'none.cmp'",
    ),
    "a flat file of another format's name": (
        lambda ns, *_: nv.write_bin(ns, "o.npy"), nv.ExportError,
        "o.npy: samples alone, without a header, are no .npy file; choose a name that ends in .bin",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    (tmp_path / "s.ns5").write_bytes((DATA / "demo.ns5").read_bytes())
    (tmp_path / "s.nev").write_bytes((DATA / "demo.nev").read_bytes())
    monkeypatch.chdir(tmp_path)
    call, kind, message = MISTAKES[what]
    if what.startswith(("a page", "a map")):
        pytest.importorskip("matplotlib")
    with nv.open_recording("s") as recording, pytest.raises(kind) as caught:
        call(recording.nsx[5], recording.nev, recording)
    assert message in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.nev", "s.ns5"]


def test_the_quality_of_a_file_is_that_of_its_path() -> None:
    with nv.open_nsx(DATA / "demo.ns5") as ns:
        assert repr(nv.channel_quality(ns)) == repr(nv.channel_quality(DATA / "demo.ns5"))
