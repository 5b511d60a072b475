# SPDX-License-Identifier: MIT
"""`write_report` and the command `report`: what the page says, what is refused, and what is escaped."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import quality as qb
from builders import timing as t
from fixture_types import FileOf

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.report import drawing, spikes
from nevparse.report.answer import _channel_card
from nevparse.report.array_view import ArrayLayout, color_of, draw_values, draw_verdicts
from nevparse.report.contents import PageContents
from nevparse.report.timeline import RecordingTimes, TimeAxis
from nevparse.source import reference

pytest.importorskip("matplotlib")
FAULTS = {2: "hum", 5: "dead", 6: "noisy"}
HOSTILE = b"<b>$x_1^2$&\"'"


class Page(HTMLParser):
    """Tags, attributes and words of a page."""

    def __init__(self, path: Path | str) -> None:
        super().__init__()
        self.html = Path(path).read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._is_style = False
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._is_style = tag == "style"
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        assert not [name for name, _ in attrs if name.startswith("on")], "no script"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._is_style else data + " "


def write_session(folder: Path, session: qb.Session) -> Path:
    (folder / "s.ns5").write_bytes(session.nsx)
    (folder / "s.nev").write_bytes(session.nev)
    (folder / "m.cmp").write_bytes(session.cmp)
    return folder / "s"


def test_a_page_answers_first_and_stands_alone(tmp_path: Path) -> None:
    base = write_session(tmp_path, qb.session(12, (1.0, 0.5), FAULTS, label=HOSTILE))
    steps: list[tuple[int, int]] = []
    report = nv.write_report(
        base, tmp_path / "s.html", cmp=tmp_path / "m.cmp", progress=lambda *step: steps.append(step)
    )
    page = Page(report.path)
    assert report.size_bytes == (tmp_path / "s.html").stat().st_size
    assert report.quality["ns5"].counts["good"] == 9
    assert str(report).endswith("; Worth a look")
    words = re.sub(r"\s+", " ", page.text)
    assert words.index("Worth a look") < words.index("9 of 12 good") < words.index("1 pause, 1 s not recorded")
    for section in ("Channels to look at first", "Timeline", "The array", "Power spectra", "Traces", "Spikes",
                    "Waveforms", "Events", "All channels", "Files", "Checks"):  # fmt: skip
        assert f" {section} " in words
    assert "positions from m.cmp" in words.lower()
    assert "script" not in page.tags
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links), "nothing is loaded"
    assert HOSTILE.decode() in page.text, "hostile text is text"
    assert "b" not in page.tags
    n_steps = steps[-1][0]
    assert steps == sorted(steps)
    assert set(steps) - {(0, n_steps)} == {(number, n_steps) for number in range(1, n_steps + 1)}
    ids = re.findall(r'\bid="([^"]+)"', page.html)
    assert len(ids) == len(set(ids)), "no id of one figure is that of another"
    assert {link[1:] for link in page.links if link[0] == "#"} <= set(ids)


def test_exports_c17_a_page_is_cancelled_by_its_progress(tmp_path: Path) -> None:
    base = write_session(tmp_path, qb.session(2, (0.1,), {}))
    before = sorted(tmp_path.iterdir())

    def progress(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        nv.write_report(base, tmp_path / "s.html", progress=progress)
    assert sorted(tmp_path.iterdir()) == before


def test_a_page_of_open_files_opens_none_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = write_session(tmp_path, qb.session(2, (0.1,), {}))
    monkeypatch.setattr(drawing, "draw", lambda *_: "")  # which takes long, and opens nothing
    with nv.open_recording(base) as recording:
        monkeypatch.setattr(reference, "open_source", None)
        assert nv.write_report(recording, tmp_path / "s.html").size_bytes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s.ns5", "is the recording itself"),
        ("S.NEV", "only NEV|recording"),
        ("taken.html", "exists"),
        ("nowhere/s.html", "does not exist"),
        ("folder", "is a folder"),
    ],
)
def test_a_page_takes_no_other_files_place(tmp_path: Path, name: str, message: str) -> None:
    base = write_session(tmp_path, qb.session(2, (0.2,)))
    (tmp_path / "taken.html").write_text("mine")
    (tmp_path / "folder").mkdir()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(nv.ExportError, match=message):
        nv.write_report(base, tmp_path / name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_recording_is_kept_even_with_overwrite(tmp_path: Path) -> None:
    base = write_session(tmp_path, qb.session(2, (0.2,)))
    other = tmp_path / "other.html"
    other.write_bytes((tmp_path / "s.ns5").read_bytes())
    for name in ("s.ns5", "other.html"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(nv.ExportError):
            nv.write_report(base, tmp_path / name, overwrite=True)
        assert (tmp_path / name).read_bytes() == before


def test_without_matplotlib_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_session(tmp_path, qb.session(2, (0.2,)))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["report", str(base), str(tmp_path / "s.html")]) == 1
    assert "python -m pip install matplotlib" in capsys.readouterr().err
    assert not (tmp_path / "s.html").exists()


def test_a_map_of_another_array_is_refused(tmp_path: Path) -> None:
    base = write_session(tmp_path, qb.session(4, (0.2,)))
    (tmp_path / "m.cmp").write_bytes(qb.session(2, (0.2,)).cmp)
    with pytest.raises(ValueError, match="expected a map of the electrodes"):
        nv.write_report(base, tmp_path / "s.html", cmp=tmp_path / "m.cmp")
    assert not (tmp_path / "s.html").exists()


def test_what_is_not_there_is_unusable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path / "nothing"), str(tmp_path / "s.html")]) == 2
    assert "nothing: expected a .nev" in capsys.readouterr().err


@pytest.mark.thorough
def test_the_command_names_the_page_as_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_session(tmp_path, qb.session(4, (0.3,)))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", "s.ns5", "--cmp", "m.cmp"]) == 0
    assert cli.main(["report", "s"]) == 1, "it exists"
    assert cli.main(["report", "s", "--overwrite"]) == 0
    assert "The array" not in Page("s.html").text
    assert "plain grid" in Page("s.html").text


EDGES = {
    "no channel": (b.nsx([], channels=[]), b""),
    "no sample": (b.nsx([], channels=[b.channel(1)]), b""),
    "one sample": (b.nsx([(5, b.ramp(1, 2))]), b""),
    "no scale": (b.nsx([(0, qb.stored(qb.tissue(5, 3000)))], "2.1"), b""),
    "NaN": (b.nsx([(0, np.full((3000, 2), np.nan, "<f4"))], "nfx"), b""),
    "1024 channels": (b.nsx([(0, qb.stored(qb.tissue(1024, 400, rate=1000)))], period=30), b""),
    "20 000 segments": (t.blocks([9 * k for k in range(20_000)], [3] * 20_000), b""),
    "losses": (t.ptp(t.stamps(3000, breaks={1000: 40.0, 2000: 7.0})), b""),
    "a reset": (b.nsx([(9000, b.ramp(3000, 2)), (10, b.ramp(3000, 2))]), b""),
    "damaged": (b.nsx([(0, b.ramp(3000, 2))])[:-5], nb.every_kind((2, 3))[:-7]),
    "no packet": (b"", nb.nev([], [nb.wav(1)])),
    "unknown packets": (b"", nb.nev([nb.V2.packet(5, 0x9000, b"")])),
    "no spike": (b.nsx([(0, b.ramp(3000, 2))]), nb.nev([], [nb.wav(1)])),
    "every event": (b.nsx([(0, b.ramp(3000, 2))]), nb.every_kind((2, 3))),
    "events alone": (b"", nb.every_kind((3, 0))),
    "Ripple": (b.nsx([(0, b.ramp(3000, 2))], "ripple"), nb.every_kind((2, 2), ripple=True)),
}


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::nevparse.NevParseWarning")
@pytest.mark.parametrize("edge", list(EDGES))
def test_little_and_odd_recordings_have_a_page(tmp_path: Path, edge: str) -> None:
    for suffix, data in zip(("ns5", "nev"), EDGES[edge], strict=True):
        if data:
            (tmp_path / f"s.{suffix}").write_bytes(data)
    report = nv.write_report(tmp_path / "s", tmp_path / "s.html")
    page = Page(report.path)
    assert "nan" not in re.sub(r"<[^>]*>", "", page.html).lower().replace("nanosecond", "")
    if edge == "no scale":
        assert "raw units" in page.text
    if edge == "a reset":
        assert "the clock was set anew" in page.text
    if edge == "damaged":
        assert "Something is wrong" in page.text


@pytest.mark.thorough
def test_open_files_and_bytes_have_a_page_too(tmp_path: Path, file_of: FileOf) -> None:
    data = b.nsx([(0, b.ramp(3000, 2))])
    with nv.open_nsx(data) as ns:
        nv.write_report(ns, tmp_path / "a.html")
    with nv.open_nev(file_of(nb.every_kind((2, 3)), "s.nev")) as nev:
        nv.write_report(nev, tmp_path / "b.html")
        assert not nev.closed
    nv.write_report(file_of(data, "no ending"), tmp_path / "c.html")


# ------------------------------------------------------------------------------------------------------ its parts


def test_events_are_shown_in_their_own_epoch(tmp_path: Path) -> None:
    blocks = [(0, b.ramp(8_000, 2)), (116, b.ramp(9_000, 2))]
    (tmp_path / "s.ns5").write_bytes(b.nsx(blocks))
    (tmp_path / "s.nev").write_bytes(t.spike_nev(range(150, 7_000, 50)))  # the second epoch's, or else the first's
    with nv.open_recording(tmp_path / "s") as rec:
        times = RecordingTimes(dict(rec.files))
        assert times.epochs_of_packets(np.arange(5)).tolist() == [1] * 5
        assert (times.places("spike") >= times.axis.offsets[1]).all()


@pytest.mark.parametrize(("n_dead", "state"), [(0, "good"), (2, "look"), (6, "bad")])
def test_a_quarter_of_bad_electrodes_makes_a_recording_bad(n_dead: int, state: str) -> None:
    rows = np.zeros(12, [("verdict", "U21"), ("unit", "U3"), ("spike_noise", "f4")])
    rows["verdict"], rows["unit"] = "good", "uV"
    rows["verdict"][:n_dead] = "dead"
    assert _channel_card(cast(PageContents, SimpleNamespace(rows=rows))).state == state


def test_units_count_all_spikes_where_some_waveforms_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spikes, "_MOST_WAVEFORMS", 50)
    with nv.open_nev(t.spike_nev(range(0, 10_000, 100))) as nev:
        (shape,), n_read = spikes._shapes(nev)
    assert (shape.n_spikes, n_read) == (100, 50)


def test_epochs_follow_each_other_on_the_axis() -> None:
    axis = TimeAxis([(0, 10), (-1, 4)])
    assert axis.place([0, 10, -1, 4, 11], [0, 0, 1, 1, 0]).tolist()[:4] == pytest.approx([0, 10, 10.45, 15.45])
    assert np.isnan(axis.place(11, 0)), "beyond the epoch"
    assert axis.recorded_s == 15
    assert "-1 s" not in [text for place, text in axis.ticks() if place < 10]


@pytest.mark.parametrize("epochs", [[(0, 10), (0, 0.001), (0, 10)], [(0, 5.99), (5.99, 9)], [(0, 1)] * 12])
def test_texts_below_the_axis_do_not_touch(epochs: list[tuple[float, float]]) -> None:
    axis = TimeAxis(epochs)
    places = [place for place, _ in axis.ticks()]
    assert min(np.diff(places)) >= 0.07 * axis.total_s


@pytest.mark.parametrize("length", [1e-5, 0.02, 1, 59, 3600, 1e6])
def test_an_axis_has_some_round_times(length: float) -> None:
    assert 2 <= len(TimeAxis([(0, length)]).ticks()) <= 13


def test_cells_keep_their_places_and_say_their_values() -> None:
    um = np.array([[0, 0], [400, 0], [0, 400], [np.nan, np.nan]])
    layout = ArrayLayout([7, 8, 9, 10], um)
    assert (layout.electrode_ids, layout.columns, layout.rows) == ([7, 8, 9], 2, 2)
    svg = draw_values(layout, "Noise", {7: 5.0, 8: 9.0, 9: float("nan")}, "µV")
    assert "electrode 7: 5 µV" in svg
    assert "electrode 9: not measured" in svg
    assert "electrode 10" not in svg
    verdicts = draw_verdicts(layout, "<v>", {7: ("hum", "<why>"), 8: ("good", "")})
    assert "electrode 7: hum &lt;why&gt;" in verdicts
    assert "<v>" not in verdicts
    assert (color_of(0), color_of(1), color_of(7)) == ("#440154", "#fde725", "#fde725")
