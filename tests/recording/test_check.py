# SPDX-License-Identifier: MIT
"""Strict judging: every code has a file that shows it, and files that are sound have none."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from depth import searched
from fixture_types import FileOf
from source.kinds import Remote

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.nsx import gap_search
from nevparse.recording.check import CODES
from nevparse.source import reference

ROWS = b.ramp(5, 2)
SOUND = b.nsx([(0, ROWS)])
SPIKES = [nb.V2.spike(100 + k, 1, 1, range(48)) for k in range(4)]
PTP_STEP = 33_333


def ptp(steps: list[int]) -> bytes:
    """Packets with these steps from one timestamp to the next."""
    ticks = np.cumsum([10**13, *steps])
    return b.nsx([(0, b.ramp(1, 2, "ptp"))], "ptp")[: 314 + 2 * 66] + b.packets(ticks.tolist(), b.ramp(len(ticks), 2))


SHUFFLED = [PTP_STEP] * 30 + [2 * PTP_STEP, -PTP_STEP, 2 * PTP_STEP] + [PTP_STEP] * 30
UNEVEN = b.nsx([(10**13 + k * PTP_STEP, b.ramp(1, 2)) for k in range(200)], "3.0", tick_rate=b.NANOSECONDS)

# one file for each code, and the byte offset of its finding
CASES: dict[str, tuple[str, bytes, int]] = {
    "unknown-version": ("s.ns5", b.nsx([(0, ROWS)], version=(2, 4)), 8),
    "header-size": ("s.ns5", b.nsx([(0, ROWS)], header_bytes=5), 10),
    "tick-rate": ("s.ns5", b.basic("2.3", 1, tick_rate=0) + b.channel(1) + b.block("2.3", 0, b.ramp(5, 1)), 290),
    "no-channels": ("s.ns5", b.basic("2.3", 0), 310),
    "channel-header": ("s.ns5", b.nsx([(0, ROWS)], channels=[b.channel(1), b.channel(2, type=b"XX")]), 380),
    "electrode-zero": ("s.ns5", b.nsx([(0, ROWS)], ids=[0, 1]), 0),
    "electrode-twice": ("s.ns5", b.nsx([(0, ROWS)], ids=[3, 3]), 0),
    "no-scale": ("s.ns5", b.nsx([(0, ROWS)], channels=[b.channel(1), b.channel(2, digital=(5, 5))]), 0),
    "no-date": ("s.ns5", b.nsx([(0, ROWS)], origin=[0] * 8), 0),
    "no-samples": ("s.ns5", b.nsx([]), 0),
    "cut-sample": ("s.ns5", b.nsx([(0, ROWS)], "2.1")[:-1], 40 + 16),
    "cut-block": ("s.ns5", SOUND[:-1], 446),
    "open-block": ("s.ns5", b.nsx([]) + b.block("2.3", 0, ROWS, n_samples=0), 446),
    "no-block-header": ("s.ns5", SOUND + b"\7" * 40, len(SOUND)),
    "tick-range": ("s.ns5", b.nsx([(2**63, ROWS)], "3.0"), 446),
    "absurd-pause": ("s.ns5", b.nsx([(0, ROWS), (30_000 * 86_400 * 8, ROWS)], "3.0"), 0),
    "pause": ("s.ns5", b.nsx([(0, ROWS), (30_000, ROWS)]), 0),
    "loss": ("s.ns5", b.nsx([(0, ROWS), (30, ROWS)]), 0),
    "overlap": ("s.ns5", b.nsx([(0, ROWS), (3, ROWS)]), 0),
    "reset": ("s.ns5", b.nsx([(900, ROWS), (3, ROWS)]), 0),
    "out-of-order": ("s.ns6", ptp(SHUFFLED), 446 + 31 * 17),
    "cut-headers": ("s.nev", nb.nev([], [nb.wav(1), nb.wav(2)])[:-30], 336 + 64 - 30),
    "cut-packet": ("s.nev", nb.nev(SPIKES, [nb.wav(1)])[:-9], 336 + 32 + 3 * 104),
    "waveform-type": ("s.nev", nb.nev(SPIKES, [nb.wav(1, sample_bytes=77)], flags=0), 336),
    "waveform-width": ("s.nev", nb.nev(SPIKES, [nb.wav(1, rest=nb.points(200))]), 0),
    "unsorted": ("s.nev", nb.nev([*SPIKES, nb.V2.spike(90, 1, 1)], [nb.wav(1)]), 0),
    "no-electrode-header": ("s.nev", nb.nev(SPIKES), 0),
    "unknown-packets": ("s.nev", nb.nev([nb.V2.packet(5, 0x9000, b"")]), 0),
    "unknown-headers": ("s.nev", nb.nev([], [nb.extended(b"NEWTHING", b"?")]), 0),
}
ELSEWHERE = {"unreadable", "hidden-break", "uneven-packets", "dates-differ", "events-outside"}
ELSEWHERE |= {"ambiguous-epochs", "empty-epoch"}


def codes(findings: tuple[nv.Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize("code", CASES)
def test_every_code_is_found_where_it_is(file_of: FileOf, code: str) -> None:
    name, data, offset = CASES[code]
    found = {finding.code: finding for finding in nv.check(file_of(data, name))}
    assert code in found
    assert found[code].offset == offset
    assert (found[code].level, found[code].advice) == CODES[code]
    assert str(found[code]).startswith(f"{found[code].level}: ")


def test_every_code_has_a_case() -> None:
    assert CASES.keys() | ELSEWHERE == CODES.keys()


def test_the_notes_list_every_code_with_its_level_and_advice() -> None:
    notes = (Path(__file__).resolve().parents[2] / "spec_notes" / "check.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| .+? \| (.+?) \|$", notes, re.MULTILINE)
    assert {code: (level, advice) for code, level, advice in rows} == CODES


@pytest.mark.parametrize("kind", b.BLOCK_KINDS)
def test_a_sound_file_has_no_findings(file_of: FileOf, kind: str) -> None:
    assert nv.check(file_of(b.nsx([(0, b.ramp(5, 2, kind))], kind))) == ()
    assert nv.check(file_of(nb.nev(SPIKES, [nb.wav(1)]), "s.nev")) == ()
    assert nv.check(file_of(ptp([PTP_STEP] * 100), "s.ns6")) == ()


def test_packets_that_continue_others_are_in_order(file_of: FileOf) -> None:
    packets = [nb.V2.comment(5, b"x" * 92), nb.V2.more(b"more"), nb.V2.digital(6, 1, 2)]
    assert nv.check(file_of(nb.nev(packets), "s.nev")) == ()


def test_a_break_that_probing_missed_is_found_by_the_full_scan(
    file_of: FileOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [PTP_STEP] * 400
    steps[150], steps[160] = 9 * PTP_STEP, -7 * PTP_STEP  # they cancel between two probes
    path = file_of(ptp(steps), "s.ns6")
    real = gap_search.find_gaps
    monkeypatch.setattr("nevparse.nsx.packets.find_gaps", lambda stamps, clock: real(stamps, clock, 64))
    monkeypatch.setattr(gap_search, "_MEASURED_PACKETS", 32)
    found = {finding.code: finding for finding in nv.check(path)}
    assert found["hidden-break"].offset == 446 + 150 * 17
    assert {"loss", "reset"} & found.keys()


def test_a_packet_of_two_samples_among_packets_of_one_is_found(file_of: FileOf) -> None:
    packet = len(b.block("3.0", 0, b.ramp(1, 2)))
    assert nv.check(file_of(UNEVEN)) == ()
    data = bytearray(UNEVEN)
    data[446 + 101 * packet + 9] = 2  # between two of the headers that opening reads
    assert "uneven-packets" in codes(nv.check(file_of(bytes(data))))


def test_members_of_a_recording_are_judged_together(file_of: FileOf) -> None:
    file_of(b.nsx([(0, b.ramp(100, 2))], origin=b.ORIGIN), "r.ns5")
    file_of(b.nsx([(0, b.ramp(100, 2))], origin=(2023, 6, 3, 14, 10, 30, 15, 250)), "r.ns2")
    file_of(nb.nev([nb.V2.spike(5, 1, 1), nb.V2.spike(500, 1, 1)], [nb.wav(1)], date=b.ORIGIN), "r.nev")
    base = file_of(b"no recording", "r.ns1")[: -len(".ns1")]
    found = {finding.code: finding for finding in nv.check(base)}
    assert found.keys() == {"unreadable", "dates-differ", "events-outside"}
    assert found["unreadable"].path.endswith("r.ns1")
    assert "10.000 s" in found["dates-differ"].message
    assert "1 of 2 spikes" in found["events-outside"].message


def test_only_packets_of_known_kinds_are_out_of_order(file_of: FileOf) -> None:
    """Previews of an unknown id have timestamps of their own, and continuations have none."""
    make = nb.V3
    more = make.more(b"x" * 100)
    packets = [make.spike(100, 1, 1), make.packet(7, 0x8001, b""), make.comment(200, b"long" * 23), more]
    packets += [make.packet(3, 0x8001, b""), make.spike(300, 1, 1)]
    found = codes(nv.check(file_of(nb.nev(packets, [nb.wav(1)], version=(3, 0)), "s.nev")))
    assert found == ["unknown-packets"]


def test_what_cannot_be_read_is_an_error_and_not_a_finding(file_of: FileOf, tmp_path: Path) -> None:
    with pytest.raises(nv.FormatError):
        nv.check(file_of(b"########", "s.nev"))
    with pytest.raises(FileNotFoundError):
        nv.check(tmp_path / "absent")


def test_the_command_exits_by_the_worst_finding(file_of: FileOf, capsys: pytest.CaptureFixture[str]) -> None:
    sound, noted = file_of(SOUND, "sound.ns5"), file_of(CASES["pause"][1], "noted.ns5")
    found, text = file_of(CASES["loss"][1], "found.ns5"), file_of(b"text", "text.ns5")
    assert cli.main(["check", sound]) == 0
    assert capsys.readouterr().out == f"{sound}: no problems found\n"
    assert cli.main(["check", sound, noted]) == 0
    assert "[pause]" in capsys.readouterr().out
    assert cli.main(["check", noted, found, "--json"]) == 1
    assert [json.loads(line)["code"] for line in capsys.readouterr().out.splitlines()] == ["pause", "loss"]
    assert cli.main(["check", text]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_check_reads_every_packet_once() -> None:
    ticks = t.stamps(200_000, breaks={30_000: 3000})
    stamped = t.ptp(ticks, np.zeros((200_000, 2), np.int16))
    for data in (stamped, t.spike_nev(range(0, 60_000, 100))):
        remote = Remote(data)
        nv.check(remote)
        assert remote.sent < 1.2 * len(data), "and a few probes"


def test_a_check_opens_each_file_of_a_recording_once(file_of: FileOf, monkeypatch: pytest.MonkeyPatch) -> None:
    file_of(b.nsx([(0, ROWS)], version=(2, 4)), "r.ns5")
    base = file_of(nb.nev(SPIKES, [nb.wav(1)]), "r.nev")[: -len(".nev")]
    opened: list[str] = []
    real = reference.open_source
    monkeypatch.setattr(reference, "open_source", lambda path: opened.append(Path(path).name) or real(path))
    assert codes(nv.check(base)).count("unknown-version") == 1
    assert opened == ["r.nev", "r.ns5"]


def test_every_file_of_a_recording_that_cannot_be_read_is_found(file_of: FileOf) -> None:
    file_of(b"no recording", "r.ns1")
    base = file_of(b"none either", "r.nev")[: -len(".nev")]
    assert [(finding.code, Path(finding.path).name) for finding in nv.check(base)] == [
        ("unreadable", "r.nev"),
        ("unreadable", "r.ns1"),
    ]
    with pytest.raises(nv.FormatError, match=r"r\.nev"):
        nv.open_recording(base)


@searched("n_flips", 15, 600)
@pytest.mark.parametrize("kind", ["2.1", "2.3", "3.0", "ptp", "nfx"])
def test_no_cut_and_no_flip_escapes(file_of: FileOf, kind: str, n_flips: int) -> None:
    data, _ = b.plausible(kind, n_channels=1, n_samples=(2, 1))
    rng = np.random.default_rng(5)
    for n_bytes in range(0, len(data), 600 // n_flips):
        _judged(file_of(data[:n_bytes]))
    for _ in range(n_flips):
        flipped = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            flipped[at] = rng.integers(256)
        _judged(file_of(bytes(flipped)))


@searched("n_flips", 15, 600)
@pytest.mark.parametrize("version", [(2, 1), (2, 3), (3, 0)])
def test_no_cut_and_no_flip_of_a_nev_escapes(file_of: FileOf, version: tuple[int, int], n_flips: int) -> None:
    data = nb.every_kind(version)
    rng = np.random.default_rng(6)
    for n_bytes in range(0, len(data), 2400 // n_flips):
        _judged(file_of(data[:n_bytes], "s.nev"))
    for _ in range(n_flips):
        flipped = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            flipped[at] = rng.integers(256)
        _judged(file_of(bytes(flipped), "s.nev"))


def _judged(path: str) -> None:
    try:
        findings = nv.check(path)
    except nv.FormatError:
        return
    assert all(finding.code in CODES for finding in findings)


@pytest.mark.parametrize("name", ["s", "s.ns5"])
def test_progress_is_called_for_each_file_and_may_end_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "s.ns5").write_bytes(SOUND)
    (tmp_path / "s.nev").write_bytes(nb.nev(SPIKES, [nb.wav(1)]))
    calls: list[tuple[int, int]] = []
    findings = nv.check(tmp_path / name, progress=lambda *call: calls.append(call))
    sizes = [file.stat().st_size for file in sorted(tmp_path.iterdir()) if file.name.startswith(name)]
    ends = list(accumulate(sizes))
    assert findings == nv.check(tmp_path / name)
    assert calls == sorted([(done, ends[-1]) for done in (0, *ends[:-1], *ends)])
    with pytest.raises(ZeroDivisionError):
        nv.check(tmp_path / name, progress=lambda done, _: print(1 // done))
