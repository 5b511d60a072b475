# SPDX-License-Identifier: MIT
"""Events that go on in further packets, and packets too short: C36 and C42 of `spec_notes/nev.md`."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from builders.nev import V2, V3, Maker, nev, points, wav

from nev.files import MAKERS, VERSIONS, WAVE, Opener
from nevparse.errors import FormatError

# ------------------------------------------------------------------------------------------------ continuation


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_nev_c36_a_continued_packet_is_one_event(opened: Opener, version: Any) -> None:
    make = MAKERS[version]
    text = bytes(range(65, 91)) * 8
    room = make.size - make.stamp - 8
    packets = [
        make.comment(5, text[:room]),
        make.more(text[room : room + 100]),
        make.more(text[room + 100 :]),
        make.comment(6, b"x"),
    ]
    file = opened(nev(packets, version=version))
    assert [comment.text for comment in file.comments()] == [text.decode(), "x"]
    assert file.kinds() == {"comment": 2}
    assert len(file.packets) == 4
    assert file.tick_span == (5, 6)
    assert file.resets == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c36_a_continued_waveform_is_longer(opened: Opener, version: Any) -> None:
    make = MAKERS[version]
    more = (make.size - make.stamp) // 2
    packets = [
        make.spike(5, 1, 0, WAVE),
        make.more(struct.pack(f"<{more}h", *range(100, 100 + more))),
        make.spike(6, 1, 0, WAVE),
    ]
    file = opened(nev(packets, version=version))
    waveforms = file.spikes()["waveform"]
    assert waveforms[0].tolist() == [*WAVE, *range(100, 100 + more)]
    assert waveforms[1].tolist() == WAVE + [0] * more
    assert [len(ticks) for ticks in file.trains().values()] == [2]


def test_nev_c36_a_stated_width_reaches_into_the_continuation(opened: Opener) -> None:
    data = nev([V2.spike(5, 1, 0, WAVE), V2.more(struct.pack("<2h", 49, 50))], [wav(1, rest=points(50))])
    assert opened(data).spikes()["waveform"].tolist() == [[*WAVE, 49, 50]]


def test_nev_c36_one_that_continues_nothing_is_no_event(opened: Opener) -> None:
    file = opened(nev([V2.more(b"x"), V2.spike(6, 1, 0)]))
    assert file.kinds() == {"spike": 1}


def test_nev_c36_all_ones_of_32_bits_are_a_time_in_3_0(opened: Opener) -> None:
    assert opened(nev([V3.spike(0xFFFFFFFF, 1, 0)], version=(3, 0))).kinds() == {"spike": 1}


def test_nev_c36_uneven_continuation_cannot_ask_for_more_memory_than_the_file_warrants(opened: Opener) -> None:
    make = Maker(12)
    packets = [make.comment(1, b"")] * 4000 + [make.more(b"")] * 4000
    file = opened(nev(packets))
    with pytest.raises(FormatError, match="continued packets that fit"):
        file.comments()
    assert file.kinds() == {"comment": 4000}


# ------------------------------------------------------------------------------------------------ order and time


@pytest.mark.parametrize(
    ("version", "kind", "packet", "least"),
    [
        ((2, 3), "video_sync", Maker(16).packet(1, 0xFFFE, b""), 20),
        ((2, 3), "tracking", Maker(12).packet(1, 0xFFFD, b""), 14),
        ((3, 0), "digital", Maker(12, 8).packet(1, 0, b""), 14),
        ((3, 0), "log", Maker(24, 8).packet(1, 0xFFFB, b""), 28),
        ((3, 0), "comment", Maker(12, 8).packet(1, 0xFFFF, b""), 16),
    ],
)
def test_nev_c42_packets_too_short_for_a_kind_fail_at_the_request_for_it(
    opened: Opener, version: Any, kind: str, packet: bytes, least: int
) -> None:
    file = opened(nev([packet, packet], version=version))
    assert file.kinds() == {kind: 2}
    with pytest.raises(FormatError, match=f"byte 16: expected packets of {least} bytes or more for {kind}"):
        file.events(kind)  # type: ignore[arg-type]
    assert len(file.packets) == 2
    assert file.spikes().shape == (0,)


def test_nev_c42_the_shortest_packets_hold_empty_waveforms_and_texts(opened: Opener) -> None:
    spike = opened(nev([Maker(12, 8).spike(5, 1, 2)], [wav(1)], version=(3, 0)))
    assert spike.spikes().tolist()[0][:3] == (5, 1, 2)
    assert spike.spikes()["waveform"].shape == (1, 0)
    assert spike.to_uv(spike.spikes()).shape == (1, 0)
    assert opened(nev([Maker(12).comment(5, b"")])).events("comment")["text"].tolist() == [""]
