# SPDX-License-Identifier: MIT
"""Any bytes at every entry point: what fuzzing has found, mutations of it, and a cap on what a small file may cost."""

from __future__ import annotations

import random
import struct
import sys
import tracemalloc
import warnings
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from depth import searched
from fixture_types import FileOf, Opened
from fuzz import corpus, properties
from fuzz.seeds import mutated

import nevparse as nv
from nevparse.clock import Clock

START = corpus.starting_points()
CALLS, BYTES = 500_000, 16_000_000  # what a file of 4 KiB may cost; on Windows a read is many calls

every_target = pytest.mark.parametrize("target", list(properties.TARGETS))


@every_target
def test_what_was_found_before_is_survived(tmp_path: Path, target) -> None:
    counts = properties.tally(((target, data) for data in START[target]), tmp_path)[target]
    assert counts[properties.FINE] > len(START[target]) / 5, counts


@searched("n_tries", 25, 150)
@every_target
def test_mutations_are_survived(tmp_path: Path, target, n_tries) -> None:
    chance, found = random.Random(target), START[target]
    inputs = (mutated(chance.choice(found), found, chance) for _ in range(n_tries))
    counts = properties.tally(((target, data) for data in inputs), tmp_path)[target]
    assert counts.total() == n_tries


def test_every_target_has_what_it_starts_from() -> None:
    assert START.keys() == properties.TARGETS.keys()
    assert all(len(inputs) > 6 for inputs in START.values())
    assert max(len(data) for inputs in START.values() for data in inputs) <= corpus.MOST_BYTES


def test_what_is_not_documented_is_not_let_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def target(error):
        def run(data, folder):
            if isinstance(error, Warning):
                warnings.warn(error, stacklevel=1)
            else:
                raise error

        return run, (nv.FormatError,)

    documented = nv.FormatError("this", "that")
    for error in (OverflowError("x"), RuntimeWarning("x"), AssertionError("x"), nv.GapError("x")):
        monkeypatch.setitem(properties.TARGETS, "open_nsx", target(error))
        with pytest.raises(type(error)):
            properties.judge("open_nsx", b"", tmp_path)
    monkeypatch.setitem(properties.TARGETS, "open_nsx", target(documented))
    assert properties.judge("open_nsx", b"", tmp_path) == "FormatError"
    assert properties.tally(iter([("open_nsx", b"")] * 3), tmp_path) == {"open_nsx": Counter(FormatError=3)}


# ------------------------------------------------------------------------------------ what was found, one by one


def test_times_are_located_though_a_clock_is_so_fast_that_64_bits_run_over() -> None:
    clock = Clock.of(2**32 - 255, 10**9 + 255)
    start, steps = 75_797_090_126_528_512, np.arange(90)
    ticks = clock.ticks(start, 0, 90)
    assert clock.samples(ticks, np.full(90, start)).tolist() == steps.tolist()
    slow = Clock.of(1, 1)  # 30000 samples in each tick
    assert slow.samples(np.array([2**63 - 9]), np.zeros(1, np.int64)).tolist() == [2**63 - 1]


def test_a_sidecar_can_be_read_though_a_sample_takes_longer_than_63_bits_hold(opened: Opened, out: Path) -> None:
    ns = opened(b.nsx([(10**13, b.ramp(1, 2, "3.0"))], "3.0", period=2**32 - 1, tick_rate=2**32 - 1))
    report = nv.write_bin(ns, out)
    described = nv.read_sidecar(report.path)
    assert described.row_to_tick([0]).tolist() == [10**13]
    assert described.tick_to_row([10**13, 5]).tolist() == [0, -1]


def test_instruments_near_the_end_of_63_bits_are_exported_side_by_side(file_of: FileOf, tmp_path: Path) -> None:
    """The row nearest to a sample may lie beyond the last tick there is."""
    start = 2**63 - 2 - 190_000  # 5.7 samples: row 6 would be that of a later tick
    data = t.ptp([start, start + 33_333, 2**63 - 2])
    with nv.open_nsx(file_of(data, "a.ns5")) as one, nv.open_nsx(file_of(data, "b.ns5")) as other:
        report = nv.write_bin([one, other], tmp_path / "o.bin", gaps="join")
    assert (report.n_samples, report.n_channels) == (3, 4)


# ------------------------------------------------------------------------------- what 4 KiB may cost, whatever they say

N = 4096


def filled(head: bytes, record: bytes) -> bytes:
    """As many records as 4 KiB hold."""
    return head + record * ((N - len(head)) // len(record))


def nsx_head(kind: str, n_channels: int, **header: Any) -> bytes:
    return b.basic(kind, n_channels, **header) + b"".join(b.channel(k + 1, kind=kind) for k in range(n_channels))


def nev_of(record: bytes, *headers: bytes, **more: Any) -> bytes:
    return filled(nb.nev([], headers, packet_bytes=len(record), **more), record)


SHORT, SHORT_3 = nb.Maker(12), nb.Maker(24, 8)
OBJECT = nb.extended(b"TRACKOBJ", struct.pack("<HHH16s", 3, 1, 65_535, b"o"))
ROOM = nb.Maker(N - 336 - 32)
HOSTILE = {
    "every byte 255": b"NEURALCD\x02\x03" + b"\xff" * (N - 10),
    "10000 channels": b.basic("2.3", 10_000).ljust(N, b"\1"),
    "channels without end": b.basic("2.3", 2**32 - 1, header_bytes=2**32 - 1).ljust(N, b"\1"),
    "channels of 2.1": b.basic_21(1000).ljust(N, b"\1"),
    "as many channels as fit": nsx_head("2.3", 57).ljust(N, b"\0"),
    "headers without end": b.basic("2.3", 1, header_bytes=2**32 - 1).ljust(N, b"\1"),
    "a count without end": nsx_head("2.3", 1) + struct.pack("<BII", 1, 0, 2**32 - 1).ljust(N - 380, b"\1"),
    "a period without end": filled(nsx_head("2.3", 1, period=2**32 - 1), b.block("2.3", 9, b.ramp(1, 1))),
    "blocks of one sample": filled(nsx_head("2.3", 1), b.block("2.3", 9, b.ramp(1, 1))),
    "blocks that say none": filled(nsx_head("2.3", 1), b.block("2.3", 9, b.ramp(0, 1))),
    "blocks of none of 3.0": filled(nsx_head("3.0", 1), b.block("3.0", 9, b.ramp(0, 1))),
    "open blocks": filled(nsx_head("2.3", 1), b.block("2.3", 9, b.ramp(1, 1), n_samples=0)),
    "blocks that run backwards": nsx_head("2.3", 1)
    + b"".join(b.block("2.3", 2**32 - 1 - 5000 * k, b.ramp(1, 1)) for k in range(330)),
    "packets of one sample": filled(nsx_head("ptp", 1, tick_rate=b.NANOSECONDS), b.block("ptp", 9, b.ramp(1, 1))),
    "packets that run backwards": t.ptp([2**64 - 1 - 10**15 * k for k in range(200)]),
    "packets far apart": t.ptp([2**63 * (k % 2) for k in range(200)]),
    "packets shuffled": t.ptp(t.shuffled(t.stamps(200), {k: [2, 1, 0] for k in range(0, 195, 3)})),
    "packets too slow": t.ptp(t.stamps(200, drift_ppm=900_000)),
    "packets too fast": t.ptp(t.stamps(200, drift_ppm=-600_000)),
    "a NEV of every byte 255": b"NEURALEV\x02\x03" + b"\xff" * (N - 10),
    "extended headers without end": nb.nev(n_extended=2**32 - 1, header_bytes=2**32 - 1).ljust(N, b"\1"),
    "extended headers": filled(nb.nev(n_extended=117, header_bytes=N), nb.wav(1, sample_bytes=9)),
    "as many electrodes as fit": nb.nev([], [nb.wav(k) for k in range(117)], flags=0),
    "the smallest packets": nev_of(SHORT.spike(1, 1, 1)),
    "the largest packets": nb.nev([nb.Maker(3000).spike(1, 1, 1)], [nb.wav(1, rest=nb.points(65_535))]),
    "packets larger than the file": nb.nev([], [nb.wav(1)], packet_bytes=65_535).ljust(N, b"\1"),
    "a spike for each unit": nb.nev([SHORT.spike(k, 1 + k, k % 256) for k in range(300)]),
    "waveforms of two widths": nb.nev(
        [nb.Maker(24).spike(k, 1 + k % 2, 1) for k in range(140)],
        [nb.wav(1, sample_bytes=1), nb.wav(2, sample_bytes=4, rest=nb.points(4))],
        flags=0,
    ),
    "continued without end": filled(nb.nev([nb.Maker(16).comment(1, b"x")]), nb.Maker(16).more(b"y")),
    "continued from the start": filled(nb.nev([], packet_bytes=12), SHORT.more(b"")),
    "continued unevenly": nb.nev([], packet_bytes=12)
    + b"".join(SHORT.comment(k, b"") for k in range(150))
    + SHORT.more(b"") * 160,
    "comments of UTF-16": nev_of(nb.Maker(16).comment(1, b"\0\xd8", charset=1)),
    "one large comment": nb.nev([ROOM.comment(1, b"\x81" * (ROOM.size - 12))]),
    "points without end": nev_of(nb.Maker(24).tracking(1, 0, 0, 65_535, 65_535, b""), OBJECT),
    "clocks set back": nb.nev([SHORT.digital(10**9 - 10**6 * k, 1, 1) for k in range(300)]),
    "events of 3.0": nev_of(SHORT_3.digital(2**64 - 2, 255, 1), version=(3, 0)),
    "every kind of event": nb.nev([nb.V2.packet(1, 0xFFFF - k, b"\1" * 90) for k in range(30)]),
    "every kind of event of 3.0": nb.nev([nb.V3.packet(1, 0xFFFF - k, b"\1" * 90) for k in range(30)], version=(3, 0)),
}  # fmt: skip


def test_the_hostile_files_are_small() -> None:
    assert {what: len(data) for what, data in HOSTILE.items() if len(data) > N} == {}


def calls_of(call):
    """How many functions a call enters, ours and the interpreter's: what it costs, whatever else the machine does."""
    n_calls = 0

    def count(frame, event, argument):
        nonlocal n_calls
        n_calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(before)
    return n_calls


def bytes_of(call):
    """The most memory that a call holds at a time."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def command(*arguments):
    return bytes([properties.COMMANDS.index(arguments)])


def uses(data):
    """What is asked of a file, by target: all that it holds, its judgement, what commands print, an export."""
    if data[:8] in (b"NEURALEV", b"BREVENTS"):
        as_member = properties.packed(("nev", data))
        return {"open_nev": data, "check": data, "command": command("events", "--json") + as_member}
    facts = command("info", "--json") + properties.packed(("ns5", data))
    filled_up = bytes([properties.GAPS.index("fill") + 16, 3]) + data
    return {"open_nsx": data, "check": data, "command": facts, "write_bin": filled_up}


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[pytest.mark.thorough] * (k % 5 > 0)) for k, what in enumerate(HOSTILE)]
)
def test_4_kib_cost_little_whatever_they_claim(tmp_path: Path, what: str) -> None:
    for target, data in uses(HOSTILE[what]).items():
        call = partial(properties.judge, target, data, tmp_path)
        n_calls, n_bytes = calls_of(call), bytes_of(call)
        assert (n_calls < CALLS, n_bytes < BYTES) == (True, True), (target, n_calls, n_bytes)
