# SPDX-License-Identifier: MIT
"""Labels, comments and names of files that would command a terminal, turn text around, forge a line or a formula."""

from __future__ import annotations

import csv
import io
import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import nev as nb
from builders import nsx as b
from fixture_types import FileOf
from fuzz.properties import COMMANDS, printed

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.cli.events import csv_cells
from nevparse.format.text import json_text, printable

RecordingOf = Callable[[str], str]

# what a file's 8-bit text fields can hold; C1 controls come of bytes that cp1252 lacks, which are read as latin-1
IN_BYTES = {
    "escape codes": b"\x1b[2J\x1b]0;t\7",
    "8-bit codes": b"\x9b31m\x81",
    "a forged line": b"a\r\nnevparse: b",
    "other line ends": b"a\x0b\x0c\x1c\x1d\x1e\x85\x81",
    "backspaces": b"ok\b\bno\x7f",
    "tabs": b"\t=1+1",
    "a path": b"../../x/y\\z:1",
    "a formula": b"=1+1",
    "a sum": b"+A1",
    "a difference": b"-A1",
    "a call": b"@SUM(A1)",
    "quotes": b'","=1+1"\'',
    "markup": b"<b>&amp;%s{0}",
}
# what UTF-16 comments and names of files can hold besides
IN_UTF16 = {
    "right to left": "ab\u202egpj.exe",
    "isolates": "\u2066a\u2067b\u2068c\u2069",
    "marks": "\u061ca\u200eb\u200fc",
    "embeddings": "\u202aa\u202bb\u202cc\u202d",
    "line separators": "a\u2028b\u2029c",
    "nothing to see": "a\u200bb\u2060c\ufeffd\u00add\U000e0041",
    "a full-width formula": "\uff1d1+1",
    "noncharacters": "\ufffe\uffff\ue000",
}
LONE = "a\ud800b"  # half a surrogate pair: a file cannot give it, an undecodable name can
NAMES = {
    **{what: text for what, text in IN_UTF16.items() if what != "noncharacters"},
    **({"escape codes": "\x1b[2J", "a forged line": "a\nnevparse: b"} if os.name == "posix" else {}),
}

every_text = pytest.mark.parametrize("what", [*IN_BYTES, *IN_UTF16])


def text_of(what: str) -> str:
    """What the library gives for it."""
    if what in IN_UTF16:
        return IN_UTF16[what]
    try:
        return IN_BYTES[what].decode("cp1252")
    except UnicodeDecodeError:
        return IN_BYTES[what].decode("latin-1")


def nsx_with(raw: bytes) -> bytes:
    """A recording in which every text is `raw`, cut short so that it gives a warning."""
    heads = [b.channel(1, label=raw, units=raw), b.channel(2, label=raw)]
    return b.nsx([(0, b.ramp(5, 2))], channels=heads, label=raw, comment=raw)[:-1]


def nev_with(what: str) -> bytes:
    """Events whose every text is this one; a UTF-16 text stands in the comment alone."""
    raw = IN_BYTES.get(what, b"")
    output = nb.V2.comment(1, raw) if raw else nb.V2.comment(1, IN_UTF16[what].encode("utf-16-le"), charset=1)
    headers = [nb.wav(1), nb.lbl(1, raw), nb.extended(b"ECOMMENT", raw), nb.extended(b"MAPFILE", raw)]
    config = nb.V2.packet(3, 0xFFFB, b"\1\0" + raw)
    return nb.nev([output, nb.V2.spike(2, 1, 1), config], headers, application=raw, comment=raw, tail=b"\0")


@pytest.fixture
def recording(file_of: FileOf, request: pytest.FixtureRequest) -> RecordingOf:
    """Write what goes by a name, as both files of a recording; returns its base name."""

    def write(what: str) -> str:
        file_of(nsx_with(IN_BYTES.get(what, b"x")), "r.ns5")
        return file_of(nev_with(what), "r.nev")[: -len(".nev")]

    return write


@every_text
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_nothing_but_printable_text_comes_out(recording: RecordingOf, what: str, arguments) -> None:
    base = recording(what)
    for name in (base, base + ".nev"):
        printed(arguments, name)  # which judges what it prints


@every_text
def test_texts_arrive_complete_and_escaped(recording: RecordingOf, what: str) -> None:
    base, text = recording(what), text_of(what)
    lines = printed(("events", "--json", "--kind", "comment"), base).splitlines()
    assert [json.loads(line)["text"] for line in lines] == [text], "JSON gives back the very text"
    assert printable(text) in printed(("events",), base)
    (row,) = csv.DictReader(io.StringIO(printed(("events", "--csv", "--kind", "comment"), base)))
    assert row["text"] == printable(text), "one line for each event"
    (row,) = csv.DictReader(io.StringIO(printed(("events", "--spreadsheet", "--kind", "comment"), base)))
    assert row["text"] == ("'" if text[0] in "=+-@\uff1d" else "") + printable(text)
    if what in IN_BYTES:
        described = json.loads(printed(("info", "--json"), base + ".ns5"))
        assert [channel["label"] for channel in described["channels"]] == [text] * 2


def test_spreadsheets_get_numbers_as_numbers() -> None:
    row = {"tick": 5, "seconds": -0.5, "value": -3, "text": "-3", "started_tick": None, "color": (1, 2, 3, 4)}
    assert csv_cells(list(row.values()), for_spreadsheet=False) == list(row.values())
    assert csv_cells(list(row.values()), for_spreadsheet=True) == list((row | {"text": "'-3"}).values())


@pytest.mark.parametrize("what", IN_BYTES)
def test_an_export_names_nothing_by_a_label(
    file_of: FileOf, out: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(nsx_with(IN_BYTES[what]))
    assert cli.main(["bin", path, str(out)]) == 0
    assert sorted(os.listdir(out.parent)) == ["s.bin", "s.bin.json"]
    raw = out.with_suffix(".bin.json").read_bytes()
    assert raw.isascii()
    assert raw.decode().replace("\n", "").isprintable()
    assert json.loads(raw)["labels"] == [text_of(what)] * 2
    assert cli.main(["bin", path, str(out), "--overwrite", "--labels", "nothing"]) == 1
    printed_text = "".join(capsys.readouterr())
    assert all(line.isprintable() for line in printed_text.split("\n"))
    with nv.open_nsx(path) as ns, pytest.raises(KeyError, match="no label") as raised:
        ns.columns(labels="nothing")
    assert str(raised.value.args[0]).isprintable()


@pytest.fixture(autouse=True)
def _files_are_cut(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    yield
    assert all(issubclass(warning.category, nv.NevParseWarning) for warning in recwarn)
    recwarn.clear()


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_are_printed_escaped(
    file_of: FileOf, tmp_path: Path, name, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(b.nsx([(0, b.ramp(5, 2)), (90, b.ramp(5, 2))])[:-1], NAMES[name] + ".ns5")
    out = str(tmp_path / (NAMES[name] + ".bin"))
    for arguments in (
        ["info", path],
        ["info", path[:-4]],
        ["info", "--json", path],
        ["check", path],
        ["check", "--json", path],
        ["bin", path, out],
        ["bin", path, out, "--gaps", "join"],
        ["bin", path, out],
        ["bin", path, str(tmp_path / NAMES[name] / "o.bin")],
        ["events", path],
        ["events", path + ".nev"],
    ):
        cli.main(arguments)
        printed_text = "".join(capsys.readouterr())
        assert printable(NAMES[name]) in printed_text or "--json" in arguments or ".nev" in arguments[1]
        assert all(line.isprintable() for line in printed_text.split("\n")), printed_text
        assert not [line for line in printed_text.split("\n") if line.startswith("nevparse: b")], "no line is forged"


@pytest.mark.parametrize("text", [LONE, *NAMES.values()])
def test_errors_that_quote_arguments_are_escaped(text, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["info", text],
        ["check", text + ".nev"],
        ["events", text, text],
        ["events", "x", "--kind", text],
        ["bin", text, "o", "--channels", text],
        [text],
    ):
        try:
            code: int | str | None = cli.main(arguments)
        except SystemExit as stop:
            code = stop.code
        printed_text = capsys.readouterr()
        assert (code, printed_text.out) == (2, "")
        assert all(line.isprintable() for line in printed_text.err.split("\n")), printed_text.err


def test_text_is_visible_and_json_ascii() -> None:
    texts = [LONE, *map(text_of, [*IN_BYTES, *IN_UTF16])]
    assert all(printable(text).isprintable() for text in texts)
    assert all(json_text(text).isprintable() and json_text(text).isascii() for text in texts)
    assert [json.loads(json_text(text)) for text in texts] == texts
    assert printable("plain ä µ 漢 \\") == "plain ä µ 漢 \\"
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"))


def test_a_cameras_frame_rate_that_is_no_number_is_no_json(file_of: FileOf) -> None:
    """Numbers of a header that JSON lacks do not come out as ``NaN``."""
    camera = nb.extended(b"VIDEOSYN", struct.pack("<H16sf", 0, b"camera", float("nan")))
    path = file_of(nb.nev([nb.V2.video(1, 2, 3, 4, 0)], [camera]), "s.nev")
    json.loads(printed(("info", "--json"), path), parse_constant=pytest.fail)
    heads = [b.channel(1, kind="nfx", analog=(float("-inf"), float("nan")))]
    path = file_of(b.nsx([(0, b.ramp(5, 1, "nfx"))], "nfx", channels=heads), "s.nf3")
    json.loads(printed(("info", "--json"), path), parse_constant=pytest.fail)
