# SPDX-License-Identifier: MIT
"""Digital inputs, comments and the other kinds of events: claims C23 to C35, C50 and C51 of `spec_notes/nev.md`."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from builders.nev import RIPPLE, V2, V3, Maker, extended, nev, trellis, wav
from hypothesis import given
from hypothesis import strategies as st

from nev.files import MAKERS, VERSIONS, Opener


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c23_bit_7_of_the_reason_parts_serial_from_digital(opened: Opener, version: Any) -> None:
    make = MAKERS[version]
    reasons = [0, 1, 2, 3, 64, 128, 129]
    file = opened(nev([make.digital(5, reason, 0xAB32) for reason in reasons], version=version))
    digital, serial = file.events("digital"), file.events("serial")
    assert digital["reason"].tolist() == [0, 1, 2, 3, 64]
    assert serial["reason"].tolist() == [128, 129]
    assert set(digital["value"].tolist()) == {0xAB32}
    assert set(serial["value"].tolist()) == {0x32}
    assert file.kinds() == {"digital": 5, "serial": 2}


@pytest.mark.parametrize("version", [(2, 0), (2, 1), (2, 2)])
def test_nev_c24_before_2_3_digital_events_hold_five_analog_inputs(opened: Opener, version: Any) -> None:
    levels = [-5000, 5000, -1, 0, 1]
    file = opened(nev([V2.digital(5, 2, 0x37, struct.pack("<5h", *levels))], version=version))
    assert file.events("digital")["analog_mv"].tolist() == [levels]
    assert file.events("digital")["value"].tolist() == [0x37]


def test_nev_c24_in_3_0_digital_events_say_which_bits_changed(opened: Opener) -> None:
    recorded = bytes.fromhex("B16ED10000000000 0000 0100 BFBF 0000 BF000000 01000000".replace(" ", ""))
    file = opened(nev([recorded.ljust(108, b"\0")], version=(3, 0)))
    assert file.events("digital").tolist() == [(13_725_361, 1, 0xBFBF, 0xBF, 1)]
    assert file.events("digital").dtype.names == ("tick", "reason", "value", "bits_changed", "event_type")
    assert opened(nev([V2.digital(5, 1, 2)])).events("digital").dtype.names == ("tick", "reason", "value")


def test_nev_c25_ripple_is_known_by_its_application(opened: Opener) -> None:
    header = wav(5249, factor=0, rest=struct.pack("<f", 0.5))
    spikes = [RIPPLE.spike(9, 5120, 0, [1]), RIPPLE.stim(10, 5121, [1]), RIPPLE.stim(11, 5249, [-7, 8])]
    file = opened(trellis([*spikes, RIPPLE.digital(12, 2, 1, struct.pack("<4h", 32767, -1, 0, 4))], [header]))
    assert (file.vendor, file.spec, file.processor_tick) == ("ripple", "2.2", 410_825_880)
    assert file.kinds() == {"spike": 1, "stim": 2, "digital": 1}
    stim = file.events("stim")
    assert stim["electrode_id"].tolist() == [5121, 5249]
    assert stim["waveform"].shape == (2, 52)
    assert file.electrodes[5249].stim_v_per_bit == 0.5
    assert file.to_uv(stim[1:])[0, :2].tolist() == [-3.5e6, 4e6]
    assert file.events("digital")["sma"].tolist() == [[32767, -1, 0, 4]]


def test_nev_c25_blackrock_has_no_stimulation_ids(opened: Opener) -> None:
    file = opened(nev([V2.spike(1, 5249, 0)], version=(2, 2)))
    assert file.kinds() == {"spike": 1}
    assert file.processor_tick is None
    assert opened(nev(headers=[wav(1)])).electrodes[1].stim_v_per_bit is None


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        (b"plain\0garbage", 0, "plain"),
        (b"gr\xfcn", 0, "grün"),
        (b"\x81\x8d", 0, "\x81\x8d"),  # not in cp1252
        ("späť 語".encode("utf-16-le") + b"\0\0xx", 1, "späť 語"),
        ("aĀb".encode("utf-16-le"), 1, "aĀb"),  # NUL bytes at one of two bytes are no end
        ("𝄞".encode("utf-16-le") * 23, 1, "𝄞" * 23),
        (b"a\0" + "𝄞".encode("utf-16-le") * 22 + b"\x34\xd8", 1, "a" + "𝄞" * 22 + "\ufffd"),
        (b"other charset", 7, "other charset"),
        (b"x" * 92, 0, "x" * 92),
        (b"", 0, ""),
    ],
)
@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c26_comments_are_read_by_their_character_set(
    opened: Opener, version: Any, raw: bytes, charset: int, text: str
) -> None:
    file = opened(nev([MAKERS[version].comment(5, raw, charset)], version=version))
    (comment,) = file.comments()
    assert (comment.tick, comment.text, comment.charset) == (5, text, charset)
    assert file.events("comment")["text"].tolist() == [text]


def test_nev_c26_neuromotive_regions_come_with_their_number_and_event(opened: Opener) -> None:
    packets = [V2.comment(5, b"roi:3:Enter:77:", 255, 0, 0x0103), V2.comment(6, b"", 255, 0, 0x0903)]
    first, second = opened(nev(packets)).comments()
    assert (first.text, first.roi, first.color) == ("roi:3:Enter:77:", (3, "enter"), None)
    assert second.roi == (3, "9")


def test_nev_c26_half_a_letter_of_utf_16_is_left_out(opened: Opener) -> None:
    make = Maker(size=12 + 5)
    assert opened(nev([make.comment(5, "abc".encode("utf-16-le")[:5], 1)])).comments()[0].text == "ab"


@pytest.mark.parametrize("tick", [0x000BDA03, 0x01020304, 0xFFFFFFFE, 0x00000100])
def test_nev_c50_the_own_tick_behind_eight_letters_is_no_text(opened: Opener, tick: int) -> None:
    own, other = struct.pack("<I", tick), struct.pack("<I", 0x61626364)
    texts = [b"Comment2" + own, b"Comment22", b"Comment2" + other, b"seven..\0" + own, b"Comment2" + own + b"more"]
    file = opened(nev([V2.comment(tick, text) for text in texts]))
    expected = ["Comment2", "Comment22", "Comment2dcba", "seven..", "Comment2"]
    assert [comment.text for comment in file.comments()] == file.events("comment")["text"].tolist() == expected
    wide = "8letters" + own[:2].decode("latin-1")
    (comment,) = opened(nev([V2.comment(tick, wide.encode("utf-16-le"), 1)])).comments()
    assert comment.text == wide.split("\0")[0]


def test_nev_c27_colour_is_red_green_blue_alpha(opened: Opener) -> None:
    (comment,) = opened(nev([V2.comment(5, b"x", 0, 0, 0x04030201)])).comments()
    assert comment.color == (1, 2, 3, 4)
    assert comment.started_tick is None


@pytest.mark.parametrize(
    ("version", "tick_rate", "tick", "data", "started"),
    [
        ((2, 3), 30_000, 1000, 400, 400),  # a timestamp
        ((2, 3), 30_000, 1000, 1001, None),  # that cannot be
        ((3, 0), 30_000, 1000, 400, 600),  # ticks back
        ((3, 0), 10**9, 5_000_000, 4000, 1_000_000),  # microseconds back
        ((3, 0), 30_000, 1000, 1000, 0),
        ((3, 0), 30_000, 1000, 1001, None),
    ],
)
def test_nev_c27_the_start_of_a_comment_is_read_by_version_and_clock(
    opened: Opener, version: Any, tick_rate: int, tick: int, data: int, started: int | None
) -> None:
    packets = [MAKERS[version].comment(tick, b"x", 0, 1, data)]
    (comment,) = opened(nev(packets, version=version, tick_rate=tick_rate)).comments()
    assert (comment.started_tick, comment.color) == (started, None)


def test_nev_c28_two_packets_of_one_comment_are_one(opened: Opener) -> None:
    pair = [V3.comment(100, b"hello", 0, 0, 0xFF), V3.comment(101, b"hello", 0, 1, 60)]
    file = opened(nev([*pair, V3.spike(101, 1, 0), V3.comment(200, b"hello", 0, 0, 7)], version=(3, 0)))
    merged, apart = file.comments(), file.comments(merged=False)
    assert [(c.tick, c.color, c.started_tick) for c in merged] == [(100, (255, 0, 0, 0), 41), (200, (7, 0, 0, 0), None)]
    assert [c.tick for c in apart] == [100, 101, 200]
    assert file.kinds()["comment"] == 3
    assert len(file.events("comment")) == 3


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("grün µ".encode("utf-8-sig"), 0),
        (b"\xff\xfe" + "grün µ".encode("utf-16-le"), 1),
        ("grün µ".encode("utf-16-le"), 1),
        ("grün µ".encode("cp1252"), 0),
    ],
)
def test_nev_c26_a_byte_order_mark_is_no_text(opened: Opener, text: bytes, charset: int) -> None:
    (comment,) = opened(nev([V2.comment(1, text, charset)])).comments()
    assert comment.text == "grün µ"


@pytest.mark.parametrize(("version", "enough"), [((2, 1), 12), ((2, 2), 12), ((2, 3), 12), ((3, 0), 16)])
@pytest.mark.parametrize("size", [12, 16, 18, 20, 24, 104])
def test_nev_c24_a_short_digital_packet_has_the_fields_that_it_holds(
    opened: Opener, version: Any, enough: int, size: int
) -> None:
    make = Maker(size, MAKERS[version].stamp)
    if size < enough:
        return
    rest = bytes(range(1, size - make.stamp - 5))
    file = opened(nev([make.digital(9, 1, 77, rest), make.digital(10, 129, 0x4142, rest)], version=version))
    found = file.events("digital")
    assert (found["value"].tolist(), file.events("serial")["value"].tolist()) == ([77], [0x42])
    whole = opened(nev([MAKERS[version].digital(9, 1, 77, rest)], version=version), "whole.nev").events("digital")
    for name in found.dtype.names or ():
        np.testing.assert_array_equal(found[name], whole[name])


@pytest.mark.parametrize("rate", [30_000, 10**9])
@pytest.mark.parametrize("gap_s", [0.09, 0.11, 299])
def test_nev_c28_two_comments_at_different_times_are_two(opened: Opener, rate: int, gap_s: float) -> None:
    packets = [V3.comment(rate, b"stim on", 0, 0, 5), V3.comment(rate + int(gap_s * rate), b"stim on", 0, 1, 5)]
    found = opened(nev(packets, version=(3, 0), tick_rate=rate)).comments()
    assert len(found) == (1 if gap_s < 0.1 else 2)


@given(n=st.integers(1, 5), step=st.integers(0, 5000), data=st.data())
def test_nev_c28_a_cut_gives_no_comment_another_ones_start(
    opened: Opener, n: int, step: int, data: st.DataObject
) -> None:
    """Comments of the same text, one soon after the other; colour and start of each show which it is."""
    halves = [(9000 + k * step, flag, k) for k in range(1, n + 1) for flag in (0, 1)]
    first = data.draw(st.integers(0, 2 * n - 1))
    packets = [V3.comment(tick, b"again", 0, flag, k) for tick, flag, k in halves[first:]]
    found = opened(nev(packets, version=(3, 0))).comments()
    assert len(found) == n - first // 2
    for comment in found:
        if comment.color is not None and comment.started_tick is not None:
            assert comment.color[0] == comment.tick - comment.started_tick


def test_nev_c28_comments_that_say_the_same_stay_apart(opened: Opener) -> None:
    alike = [V3.comment(tick, b"again", 0, 0) for tick in (1, 2, 3)]
    other = [V3.comment(4, b"first", 0, 1, 1), V3.comment(5, b"other", 0, 0), V3.comment(6, b"other", 0, 9)]
    assert [c.tick for c in opened(nev(alike + other, version=(3, 0))).comments()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c29_video_sync_is_not_aligned(opened: Opener, version: Any) -> None:
    file = opened(nev([MAKERS[version].video(9, 1, 0x01020304, 70_000, 3)], version=version))
    assert file.events("video_sync").tolist() == [(9, 1, 0x01020304, 70_000, 3)]


def trackable(number: int, kind: int) -> bytes:
    return extended(b"TRACKOBJ", struct.pack("<HHH16s", kind, number, 8, b"thing"))


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c30_tracked_points_by_the_type_of_their_object(opened: Opener, version: Any) -> None:
    words, sizes = struct.pack("<6H", 1, 2, 3, 4, 5, 6), struct.pack("<2I", 70_000, 8)
    bodies = [(0, 3, words), (1, 2, words), (2, 2, sizes), (3, 3, words), (9, 1, words)]
    packets = [MAKERS[version].tracking(9, 0, node, 0, n, numbers) for node, n, numbers in bodies]
    file = opened(nev(packets, [trackable(1, 1), trackable(2, 3), trackable(3, 5), trackable(4, 4)], version=version))
    found = file.events("tracking")
    assert found.dtype.names == ("tick", "parent_id", "node_id", "node_count", "n_points", "points")
    points_of = [file.tracked_points(event).tolist() for event in found]
    assert points_of[0] == points_of[3] == [[1, 2], [3, 4], [5, 6]]
    assert points_of[1] == [[1, 2, 3], [4, 5, 6]]
    assert points_of[2] == [[70_000], [8]]
    assert points_of[4] == [[1, 2]]  # no such object: 2-D


def test_nev_c30_points_that_the_packet_does_not_hold_are_left_out(opened: Opener) -> None:
    file = opened(nev([Maker(24).tracking(9, 0, 0, 0, 500, struct.pack("<5H", 1, 2, 3, 4, 5))]))
    (event,) = file.events("tracking")
    assert file.tracked_points(event).tolist() == [[1, 2], [3, 4]]
    assert event["n_points"] == 500
    assert event["points"].tolist() == [1, 2, 3, 4, 5]


def test_nev_c31_a_button_comes_with_what_was_done_to_it(opened: Opener) -> None:
    assert opened(nev([V2.button(1, 1), V2.button(2, 2)])).events("button").tolist() == [(1, 1), (2, 2)]


def test_nev_c32_65531_is_configuration_in_2_3_and_log_in_3_0(opened: Opener) -> None:
    body = struct.pack("<H", 1) + b"sixteen letters." + b"and text\0garbage"
    old, new = opened(nev([V2.packet(5, 0xFFFB, body)])), opened(nev([V3.packet(5, 0xFFFB, body)], version=(3, 0)))
    assert old.events("config").tolist() == [(5, 1, "sixteen letters.and text")]
    assert new.events("log").tolist() == [(5, 1, "sixteen letters.", "and text")]
    assert (old.kinds(), new.kinds()) == ({"config": 1}, {"log": 1})


def test_nev_c33_65530_is_configuration_in_3_0_and_all_of_it_text(opened: Opener) -> None:
    body = struct.pack("<H", 1) + b"sixteen letters." + b"and text"
    file = opened(nev([V3.packet(5, 0xFFFA, body)], version=(3, 0)))
    assert file.events("config").tolist() == [(5, 1, "sixteen letters.and text")]
    assert opened(nev([V2.packet(5, 0xFFFA, body)])).kinds() == {"unknown": 1}


def test_nev_c34_recording_events_set_the_tick_of_the_origin(opened: Opener) -> None:
    recorded = bytes.fromhex("746ED10000000000F9FF0300").ljust(108, b"\0")
    packets = [V3.spike(13_725_000, 1, 0), recorded, V3.packet(13_800_000, 0xFFF9, struct.pack("<H", 1))]
    file = opened(nev(packets, version=(3, 0)))
    assert file.events("recording").tolist() == [(13_725_300, 3), (13_800_000, 1)]
    assert file.time_origin_tick == 13_725_300
    assert file.datetime(13_725_300) == file.time_origin == datetime(2024, 3, 14, 19, 9, 47, 630_000, timezone.utc)
    assert file.datetime(13_725_300 - 30_000) == file.time_origin - timedelta(seconds=1)


@pytest.mark.parametrize("place", [0, 1, 5, 30, 200])
@pytest.mark.parametrize("stray", [0, 2**63])
def test_nev_c34_one_stray_packet_moves_no_date(opened: Opener, place: int, stray: int) -> None:
    start = 1_710_443_387_630_000_000  # of the header's date, in nanoseconds since 1970
    ticks = [start + 10**7 * k for k in range(200)]
    sound = opened(nev([V3.spike(tick, 1, 0) for tick in ticks], version=(3, 0), tick_rate=10**9))
    ticks.insert(place, stray)
    file = opened(nev([V3.spike(tick, 1, 0) for tick in ticks], version=(3, 0), tick_rate=10**9))
    assert file.time_origin_tick == sound.time_origin_tick == start
    assert file.time_base == sound.time_base
    assert file.datetime(start) == sound.datetime(start) == sound.time_origin


def test_nev_c34_without_one_the_origin_is_the_first_packet_or_tick_0(opened: Opener) -> None:
    assert opened(nev([V3.spike(500, 1, 0)], version=(3, 0))).time_origin_tick == 500
    assert opened(nev([V2.packet(500, 0xFFF9, b"\3")])).time_origin_tick == 0


def test_nev_c35_unknown_ids_are_counted_and_reachable(opened: Opener) -> None:
    file = opened(nev([V2.packet(900_000, 0x8001, b"preview"), V2.spike(5, 1, 0), V2.packet(7, 0xFFF0, b"")]))
    assert file.kinds() == {"spike": 1, "unknown": 2}
    unknown = file.events("unknown")
    assert unknown["packet_id"].tolist() == [0x8001, 0xFFF0]
    assert unknown["payload"][0].tobytes().startswith(b"preview")
    assert file.resets == ()
    assert file.tick_span == (5, 5)
    assert file.packets["packet_id"].tolist() == [0x8001, 1, 0xFFF0]


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.booleans()), max_size=30))
def test_nev_c51_edges_of_pins_make_up_the_values(opened: Opener, values: list[tuple[int, bool]]) -> None:
    packets = [V2.digital(tick, 128 if is_serial else 1, value) for tick, (value, is_serial) in enumerate(values)]
    file = opened(nev(packets))
    edges, state, found = file.digital_edges(), 0, {}
    for tick, packet, pin, is_rising in edges.tolist():
        assert bool(state >> pin & 1) != is_rising, "an edge is a change"
        state ^= 1 << pin
        found[tick] = state
        assert packet == tick
    level = 0
    for tick, (value, is_serial) in enumerate(values):
        level = level if is_serial else value
        assert found.get(tick, level) == level
    assert edges["tick"].dtype == "int64"


def test_nev_c51_in_3_0_the_first_event_says_what_changed(opened: Opener) -> None:
    packets = [V3.digital(tick, 1, value, bytes(2) + struct.pack("<II", 2, 1)) for tick, value in ((5, 3), (6, 1))]
    edges = opened(nev(packets, version=(3, 0))).digital_edges()
    assert edges[["tick", "pin", "is_rising"]].tolist() == [(5, 1, True), (6, 1, False)]
    assert opened(nev([])).digital_edges().size == 0
