# SPDX-License-Identifier: MIT
"""Nothing that was said is left of an anonymous file: claims C11 to C13 of `spec_notes/writing.md`."""

from __future__ import annotations

import struct
from datetime import timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as n
from builders import nsx as b
from builders import timing as t
from fixture_types import Cut, NevOf, Opened
from hypothesis import given, settings
from hypothesis import strategies as st

from export.native.cutting import NEUTRAL, NEUTRAL_DATE, every_kind, every_nev, refused, taken_apart

SECRET = b"J. Doe"


def secretive(kind):
    """A file that names somebody wherever text can stand, and behind its ends."""
    junk = b"seen\0" + SECRET
    heads = [b.channel(k, kind=kind, label=b"L%d\0" % k + SECRET, units=b"uV\0" + SECRET) for k in (1, 2)]
    header = {"comment": SECRET, "label": junk}
    if kind in ("ripple", "nfx"):
        header["application"] = b.TRELLIS + SECRET
    header_bytes = {} if kind == "2.1" else {"header_bytes": 314 + 132 + 9}
    raw = b.nsx([(5, b.ramp(4, 2, kind))], kind, channels=heads, **({} if kind == "2.1" else header | header_bytes))
    if kind == "2.1":
        return b.basic_21(2, label=junk) + raw[32:]
    return raw[: 314 + 132] + b"---" + SECRET + raw[314 + 132 :]


def test_writing_c11_stimuli_keep_their_waveforms(nev_of: NevOf, cut: Cut) -> None:
    nev = nev_of(n.every_kind((2, 2), True))
    again = nev_of(cut(nev, anonymise=True), "again.nev")
    assert nev.events("stim")["waveform"].any()
    np.testing.assert_array_equal(again.events("stim"), nev.events("stim"))


@every_kind
def test_writing_c11_nothing_that_was_said_is_left_of_an_nsx(opened: Opened, cut: Cut, kind: str) -> None:
    ns = opened(secretive(kind))
    data = cut(ns, anonymise=True)
    assert SECRET in secretive(kind)
    assert SECRET not in data
    again = opened(data, "again.ns5")
    heads = [b.channel(k, kind=kind, label=b"L%d" % k, units="uV") for k in (1, 2)]
    if kind == "2.1":
        assert data == b.basic_21(2, label="seen") + b.nsx([(0, b.ramp(4, 2))], "2.1")[32:]
    else:
        header: dict[str, Any] = {"label": "seen", "origin": NEUTRAL, "application": b"Trellis.exe[]"}
        assert data == b.nsx([(5, b.ramp(4, 2, kind))], kind, channels=heads, **header)
        assert again.time_origin == NEUTRAL_DATE.replace(tzinfo=timezone.utc)
        assert [again.vendor, again.comment, again.label] == [ns.vendor, "", "seen"]
    again.close()
    named = opened(cut(ns, anonymise="labels", channels=[1]), "named.ns5")
    assert [named.label, named.channels[0].label] == ["", "" if kind == "2.1" else "ch2"]


@every_nev
@pytest.mark.usefixtures("small_buffers")
def test_writing_c12_nothing_that_was_said_is_left_of_a_nev(nev_of: NevOf, cut: Cut, version, ripple) -> None:
    make = n.RIPPLE if ripple else n.V3 if version[0] == 3 else n.V2
    headers = [
        n.extended(b"ARRAYNME", SECRET), n.extended(b"ECOMMENT", SECRET), n.extended(b"CCOMMENT", SECRET),
        n.extended(b"MAPFILE", SECRET), n.extended(b"WHATEVER", SECRET), n.wav(1), n.lbl(1, b"one\0" + SECRET),
        n.extended(b"DIGLABEL", struct.pack("<16sB", b"digin\0" + SECRET, 1) + SECRET),
        n.extended(b"VIDEOSYN", struct.pack("<H16sf", 0, b"cam\0" + SECRET, 25.0)),
        n.extended(b"TRACKOBJ", struct.pack("<HHH16s", 1, 1, 4, b"rat\0" + SECRET)),
    ]  # fmt: skip
    wave = list(range(5))
    log = struct.pack("<H", 1) + SECRET
    packets = [
        make.spike(10, 1, 3, wave),
        make.comment(20, SECRET, data=0x04030201),
        make.more(SECRET),
        make.digital(30, 1, 77, bytes(20) + SECRET),
        make.packet(40, 0xFFFB, log),
        make.packet(50, 0xFFFA, log),
        make.packet(60, 0x8001, SECRET),
        make.spike(70, 1, 0, wave),
        make.more(b"WAVE"),
        make.button(80, 1)[:20] + SECRET.ljust(make.size - 20, b"\0"),
    ]
    said: dict[str, Any] = {"comment": SECRET, "application": b"Trellis.exe[" + SECRET if ripple else SECRET}
    raw = n.trellis(packets, headers, **said) if ripple else n.nev(packets, headers, version=version, **said)
    nev = nev_of(raw)
    data = cut(nev, anonymise=True)
    assert raw.count(SECRET) >= 16
    assert SECRET not in data
    again = nev_of(data, "again.nev")
    assert again.vendor == nev.vendor
    assert again.kinds() == nev.kinds()
    assert again.time_origin == NEUTRAL_DATE.replace(tzinfo=timezone.utc)
    np.testing.assert_array_equal(again.spikes(), nev.spikes())
    np.testing.assert_array_equal(again.events("digital")["value"], [77])
    np.testing.assert_array_equal(again.packets["tick"], nev.packets["tick"])
    assert again.comments() == (nev.comments()[0]._replace(text=""),)
    assert [again.electrodes[1].label, again.digital_labels[0].label] == ["one", "digin"]
    assert [again.video_sources[0].name, again.trackables[0].name] == ["cam", "rat"]
    assert (again.unknown_headers, again.header_comments, again.map_file, again.array_name) == ((), (), "", "")
    named = nev_of(cut(nev, anonymise="labels"), "named.nev")
    assert [named.electrodes[1].label, named.digital_labels[0].label] == ["ch1", ""]
    assert [named.video_sources[0].name, named.trackables[0].name] == ["", ""]
    assert b"WAVE" in data, "what goes on with a waveform is a waveform"
    assert cut(again, anonymise=True) == data


JUNK = b"\xee"


def with_junk(make: n.Maker, packet: bytes, *owned: tuple[int, int]) -> tuple[bytes, bytes]:
    """A packet with junk in all bytes but timestamp, id and those `owned` behind them; and with zeros there."""
    start, out = make.stamp + 2, []
    for filler in (JUNK, b"\0"):
        body = bytearray(filler * (make.size - start))
        for a, z in owned:
            body[a:z] = packet[start + a : start + z][: max(0, len(body) - a)]
        out.append(packet[:start] + bytes(body))
    return out[0], out[1]


@every_nev
@settings(max_examples=20)
@given(
    n_points=st.integers(1, 60),
    n_tracked=st.integers(0, 15),
    of_type=st.sampled_from([(1, 4), (3, 6), (5, 4)]),
    n_continued=st.integers(0, 2),
)
def test_writing_c12_bytes_that_no_field_owns_are_blanked(
    nev_of: NevOf, cut: Cut, version, ripple, n_points, n_tracked, of_type, n_continued
) -> None:
    make = n.RIPPLE if ripple else n.V3 if version[0] == 3 else n.V2
    room = make.size - make.stamp - 4  # of a waveform in its packet
    has_points = version >= (2, 3)  # headers before it do not count them
    n_bytes = 2 * n_points if has_points and 2 * n_points <= room + n_continued * (make.size - make.stamp) else 10**6
    wave = bytes(range(1, 251)) * 2
    tracked = 8
    headers = [n.wav(1, rest=n.points(n_points) if has_points else b"")]
    headers.append(n.extended(b"TRACKOBJ", struct.pack("<HHH16s", of_type[0], 1, 4, b"rat")))
    packets = [
        with_junk(make, make.packet(10, 1, b"\x03\0" + wave[:room]), (0, 1), (2, 2 + n_bytes)),
        *[_continuation(make, wave, n_bytes - room - k * (make.size - make.stamp)) for k in range(n_continued)],
        with_junk(make, make.digital(20, 1, 77), (0, 1), (2, 4), *_digital_fields(version, ripple)),
        with_junk(make, make.tracking(30, 7, 0, 1, n_tracked, wave[:60]), (0, tracked + n_tracked * of_type[1])),
        with_junk(make, make.button(40, 1), (0, 2)),
        with_junk(make, make.video(50, 1, 2, 3, 4), (0, 14)),
        with_junk(make, make.comment(60, b"said", data=5), (0, 6)),
        with_junk(make, make.packet(70, 0x8001, b"what is it"), (0, 0)),
    ]
    build = n.trellis if ripple else partial(n.nev, version=version)
    nev = nev_of(build([junk for junk, _ in packets], headers))
    assert taken_apart(cut(nev, anonymise=True))[2] == [clean for _, clean in packets]
    again = nev_of(cut(nev, anonymise=True), "again.nev")
    np.testing.assert_array_equal(again.spikes(), nev.spikes())
    assert [again.tracked_points(event).tolist() for event in again.events("tracking")] == [
        nev.tracked_points(event).tolist() for event in nev.events("tracking")
    ]


def _digital_fields(version: tuple[int, int], ripple: bool) -> list[tuple[int, int]]:
    if ripple:
        return [(4, 12)]
    return [(4, 14)] if version < (2, 3) else [(6, 14)] if version == (3, 0) else []


def _continuation(make: n.Maker, wave: bytes, n_bytes: int) -> tuple[bytes, bytes]:
    """A packet that continues a waveform, of which it has the last bytes; with junk, and with zeros behind them."""
    size = make.size - make.stamp
    kept = wave[: min(max(n_bytes, 0), size)]
    return make.more(kept.ljust(size, JUNK)), make.more(kept)


@pytest.mark.parametrize("rate", [30_000, 10**9])
def test_writing_c13_one_tick_has_one_date_in_every_file_of_a_recording(
    opened: Opened, nev_of: NevOf, cut: Cut, rate: int
) -> None:
    first = 7 * rate if rate == 30_000 else t.EPOCH_NS
    ns = opened(b.nsx([(first, b.ramp(9, 1))], "3.0", tick_rate=rate))
    later = n.V3.spike(first + 100 * rate, 1, 0)
    nev = nev_of(n.nev([later, n.V3.spike(first + 101 * rate, 1, 0)], version=(3, 0), tick_rate=rate))
    base = 0 if rate == 30_000 else first - 7 * rate
    of_samples = opened(cut(ns, anonymise=True, base_tick=base), "again.ns5")
    of_events = nev_of(cut(nev, anonymise=True, base_tick=base), "again.nev")
    for tick in (0, 7 * rate, 107 * rate):
        assert of_samples.datetime(tick) == of_events.datetime(tick)
    assert of_samples.datetime(0) == NEUTRAL_DATE.replace(tzinfo=timezone.utc)
    named = nev_of(cut(nev, anonymise=True, base_tick=base, start_tick=first + 101 * rate), "cut.nev")
    assert named.datetime(0) == of_samples.datetime(0)


@pytest.mark.parametrize("number", [1, 0, 0xFFFF, 0x8001])
def test_writing_c13_no_packet_keeps_the_date(nev_of: NevOf, cut: Cut, out: Path, number: int) -> None:
    base = t.EPOCH_NS // 10**9 * 10**9
    packets = [n.V3.spike(base + 5, 1, 0), n.V3.packet(base - 5_000_000, number, b""), n.V3.spike(3, 1, 0)]
    nev = nev_of(n.nev(packets, version=(3, 0), tick_rate=10**9))
    refused(out, ValueError, f"base_tick of 0 to {base - 5_000_000}", lambda: cut(nev, anonymise=True, base_tick=base))
    left = taken_apart(cut(nev, anonymise=True, base_tick=base - 10**9))[2]
    assert [int.from_bytes(packet[:8], "little") for packet in left] == [10**9 + 5, 995_000_000, 3]


def test_writing_c13_timestamps_that_tell_the_date_need_another_base(
    opened: Opened, nev_of: NevOf, cut: Cut, out: Path
) -> None:
    stamps = t.stamps(50, start=t.EPOCH_NS)
    ns = opened(t.ptp(stamps))
    base = t.EPOCH_NS // 10**9 * 10**9
    refused(out, ValueError, f"reveal the date.*: {base}$", lambda: cut(ns, anonymise=True))
    refused(out, ValueError, "reveal the date", lambda: cut(ns, anonymise=True, base_tick=5))
    refused(out, ValueError, "the first timestamp", lambda: cut(ns, anonymise=True, base_tick=t.EPOCH_NS + 1))
    refused(out, ValueError, "is for anonymising", lambda: cut(ns, base_tick=base))
    again = opened(cut(ns, anonymise=True, base_tick=base), "again.ns5")
    np.testing.assert_array_equal(again.segments[0].ticks(), stamps - base)
    np.testing.assert_array_equal(again.read(), ns.read())
    assert cut(ns) == t.ptp(stamps)
    packets = [n.V3.spike(t.EPOCH_NS + 5, 1, 0), n.V3.more(b"more"), n.V3.packet(9, 0x8001, b"")]
    nev = nev_of(n.nev(packets, version=(3, 0), tick_rate=10**9))
    refused(out, ValueError, "reveal the date", lambda: cut(nev, anonymise=True))
    left = taken_apart(cut(nev, anonymise=True, base_tick=base))[2]
    assert left == [n.V3.spike(t.EPOCH_NS + 5 - base, 1, 0), packets[1], packets[2]]
    blocks = opened(b.nsx([(t.EPOCH_NS, b.ramp(9, 1))], "3.0", tick_rate=10**9), "blocks.ns5")
    again = opened(cut(blocks, anonymise=True, base_tick=base), "again.ns5")
    assert again.segments[0].start_tick == t.EPOCH_NS - base


def test_writing_c13_other_clocks_need_no_base(opened: Opened, cut: Cut, out: Path) -> None:
    refused(
        out, ValueError, "is for anonymising", lambda: cut(opened(b.nsx([(9, [[1]])])), anonymise=True, base_tick=5)
    )
