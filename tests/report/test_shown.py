# SPDX-License-Identifier: MIT
"""What objects say of themselves: in a line at a prompt, and as a table with bars of time in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from fixture_types import NevOf, Opened

import nevparse as nv

HOSTILE = "<script>alert(1)</script>"


def test_an_nsx_says_rate_channels_length_and_gaps(opened: Opened) -> None:
    ns = opened(b.nsx([(0, b.ramp(30_000, 2)), (60_000, b.ramp(15_000, 2))]))
    assert repr(ns).endswith("s.ns5': 2.3, 2 channels at 30000 Hz, 1.5 s, 1 gap)")
    assert repr(ns.segments[1]) == "Segment(1: 500 ms of 2 channels, from 2 s on (tick 60000))"
    page = ns._repr_html_()
    assert "<td" in page
    assert "1 pause" in page
    assert page.count("M70") == 1, "a bar that begins at the first sample"
    assert "Segment 1" in ns.segments[1]._repr_html_()
    ns.close()
    assert repr(ns).endswith(", closed)")
    assert "closed" in ns._repr_html_()


def test_a_channel_and_an_electrode_are_one_short_line(opened: Opened, nev_of: NevOf) -> None:
    ns = opened(b.nsx([(0, b.ramp(3, 1))]))
    assert repr(ns.channels[0]) == "Channel(0: electrode 1 'elec1', neural, 0.25 µV per bit)"
    old = opened(b.nsx([(0, b.ramp(3, 1))], "2.1"))
    assert repr(old.channels[0]) == "Channel(0: electrode 1, neural, no scale in µV)"
    nev = nev_of(nb.every_kind((2, 3)))
    assert repr(nev.electrodes[1]) == "Electrode(1 'elec1', 0.25 µV per bit, 40 points a waveform)"


def test_a_nev_says_electrodes_and_packets(nev_of: NevOf) -> None:
    nev = nev_of(nb.every_kind((2, 3)))
    assert repr(nev).endswith("s.nev': 2.3, 2 electrodes, 18 packets)")
    assert "4 spike" in nev._repr_html_()
    assert "<svg" in nev._repr_html_()
    nev.close()
    assert repr(nev).endswith(", closed)")
    assert "not counted yet" in nev._repr_html_()


def test_a_large_nev_is_not_read_to_be_shown(nev_of: NevOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nevparse.nev.file._COUNTED_AT_ONCE", 10)
    nev = nev_of(nb.every_kind((2, 3)))
    assert "not counted yet" in nev._repr_html_()
    nev.kinds()
    assert "4 spike" in nev._repr_html_()


def test_a_recording_says_its_files(tmp_path: Path) -> None:
    (tmp_path / "s.ns5").write_bytes(b.nsx([(0, b.ramp(30_000, 2)), (100, b.ramp(30_000, 2))]))
    (tmp_path / "s.nev").write_bytes(nb.every_kind((2, 3)))
    (tmp_path / "s.ns2").write_bytes(b"damaged beyond use")
    with pytest.warns(nv.DamagedFile):
        recording = nv.open_recording(tmp_path / "s.nev")
    with recording:
        assert repr(recording).endswith("s': nev, ns5, 2 s, could not open ns2)")
        page = recording._repr_html_()
        assert "could not be opened" in page
        assert page.count(">ns5</text>") == 2, "a bar for each epoch"
    assert repr(recording).endswith(", closed)")


def test_a_sidecar_says_rows_channels_and_source(opened: Opened, out: Path) -> None:
    nv.write_bin(opened(b.nsx([(0, b.ramp(300, 2))])), out)
    sidecar = nv.read_sidecar(out)
    assert repr(sidecar).endswith("s.bin.json': 300 rows × 2 channels of int16 at 30000 Hz, from s.ns5)")
    assert "300 × 2 of int16" in sidecar._repr_html_()


def test_traces_say_rows_channels_and_what_was_filled(opened: Opened) -> None:
    ns = opened(b.nsx([(0, b.ramp(300, 3)), (600, b.ramp(300, 3))]))
    x = ns.traces(channels=[0, 2], gaps="fill")
    assert repr(x) == "Traces(900 rows x 2 channels of int16, 30000 Hz, 30 ms)"
    page = x._repr_html_()
    assert "900 × 2 of int16" in page
    assert "fill: 300 rows filled" in page
    assert page.count("M70") == 1


@pytest.mark.parametrize("join", [nv.combine_instruments, nv.concatenate])
def test_several_files_are_shown_as_one(tmp_path: Path, join: Callable[[list[nv.NsxFile]], Any]) -> None:
    names = [tmp_path / name for name in ("a.ns5", "b.ns5")]
    later = 0 if join is nv.combine_instruments else 60_000
    for name, tick in zip(names, (0, later), strict=True):
        name.write_bytes(b.nsx([(tick, b.ramp(30_000, 2))]))
    with nv.open_nsx(names[0]) as one, nv.open_nsx(names[1]) as other:
        html = join([one, other])._repr_html_()
    assert "<b>a.ns5, b.ns5</b>" in html
    assert ("1 s, 30000 samples" if later == 0 else "2 s, 60000 samples") in html
    assert ("<td" in html, "1 pause" in html, html.count("<path")) == (True, later > 0, 1)


def test_quality_shows_what_is_not_good(opened: Opened) -> None:
    ns = opened(b.nsx([(0, np.zeros((3000, 2)))], channels=[b.channel(1, label=HOSTILE[:16]), b.channel(2)]))
    page = nv.channel_quality(ns)._repr_html_()
    assert "electrode 2" in page
    assert "dead: the value does not change" in page


@pytest.mark.parametrize("kind", b.KINDS)
def test_hostile_text_stays_text(kind: str) -> None:
    with nv.open_nsx(b.plausible(kind)[0]) as ns:
        assert ns.path == "<bytes>"
        assert "<bytes>" not in ns._repr_html_()
        assert "&lt;bytes&gt;" in ns._repr_html_()
