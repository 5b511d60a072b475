# SPDX-License-Identifier: MIT
"""Events of a file that grows arrive once and complete: claims C19 to C21 of `spec_notes/growing.md`."""

from __future__ import annotations

import os
import pickle
import struct
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders.growing import ends
from fixture_types import FileOf
from hypothesis import given
from hypothesis import strategies as st
from source.watching import Time, appended

import nevparse as nv
from nevparse.source import growth


@st.composite
def events(draw: st.DrawFn) -> tuple[tuple[int, int], list[bytes], list[int]]:
    """A version, packets of several kinds, most of them continued, and the packets that events start with."""
    version = draw(st.sampled_from([(2, 2), (2, 3), (3, 0)]))
    make = nb.V3 if version[0] == 3 else nb.V2
    room, starts = make.size - make.stamp, []
    packets: list[bytes] = []
    for k in range(draw(st.integers(1, 12))):
        starts.append(len(packets))
        tick, n_more = 100 + 100 * k, draw(st.integers(0, 3))
        kind = draw(st.sampled_from(["comment", "utf-16", "spike", "digital"]))
        if kind == "digital":
            packets.append(make.digital(tick, 1, k))
            continue
        if kind == "spike":
            wave = struct.pack(f"<{room // 2}h", *range(1, room // 2 + 1))
            packets.append(make.packet(tick, 1 + k % 3, (struct.pack("<Bx", k % 4) + wave)[: room - 2]))
        else:
            text = (f"{k}".encode() if kind == "comment" else f"{k}".encode("utf-16-le")) * room
            packets.append(make.comment(tick, text[: room - 8], charset=int(kind == "utf-16")))
        packets += [make.more(text[:room] if kind != "spike" else wave[:room]) for _ in range(n_more)]
        if draw(st.booleans()):
            packets.append(make.more(b"end"))
    return version, packets, starts


@given(st.data(), events())
def test_growing_c19_and_c20_packets_arrive_once_and_complete(file_of: FileOf, data, made) -> None:
    version, packets, starts = made
    raw, now = nb.nev(packets, [nb.wav(1), nb.wav(2), nb.wav(3)], version=version), Time()
    each = len(packets[0])
    begin = len(raw) - each * len(packets)
    path = file_of(raw[:begin], "s.nev")
    steps = ends(data.draw, begin, len(raw))
    with pytest.MonkeyPatch.context() as patch, nv.open_nev(path) as nev, nv.open_nev(file_of(raw, "w.nev")) as whole:
        patch.setattr(growth, "time", now)
        now.passes(*(lambda at=at: appended(path, raw[:at]) for at in steps))
        parts = list(nev.follow(poll_s=1, timeout_s=len(steps) + 1))
        first = 0
        for part in parts:
            assert first in starts, "an event is torn apart"
            first += part.n_packets
        assert b"".join(part.packets.tobytes() for part in parts) == raw[begin:] == nev.packets.tobytes()
        assert nev.n_packets == whole.n_packets
        assert [comment for part in parts for comment in part.comments()] == list(whole.comments())
        waves = [wave.tolist() for part in parts for wave in part.spikes()["waveform"]]
        for wave, wide in zip(waves, whole.spikes()["waveform"].tolist(), strict=True):
            assert wave == wide[: len(wave)]
            assert not any(wide[len(wave) :])
        for kind in ("spike", "digital", "comment"):
            np.testing.assert_array_equal(
                np.concatenate([part.events(kind)["tick"] for part in parts]), whole.events(kind)["tick"]
            )


@given(st.data(), events())
def test_growing_c19_refresh_takes_complete_packets(file_of: FileOf, data, made) -> None:
    version, packets, _ = made
    raw, each = nb.nev(packets, version=version), len(packets[0])
    begin = len(raw) - each * len(packets)
    path = file_of(raw[:begin], "s.nev")
    with nv.open_nev(path) as nev:
        arrays = []
        for at in ends(data.draw, begin, len(raw)):
            appended(path, raw[:at])
            before = nev.n_packets
            assert nev.refresh() == nev.n_packets - before
            assert nev.n_packets == (at - begin) // each
            assert nev.missing_bytes == -(at - begin) % each
            assert nev.time_base.origin_tick == nev.time_origin_tick
            assert nev.packets.tobytes() == raw[begin : begin + nev.n_packets * each]
            assert sum(nev.kinds().values()) == len(nev.spikes()) + sum(
                len(nev.events(kind)) for kind in nev.kinds() if kind != "spike"
            )
            arrays.append((nev.packets, nev.packets.tobytes()))
        assert all(array.tobytes() == then for array, then in arrays)
        with nv.open_nev(path) as whole:
            assert (nev.kinds(), nev.tick_span, nev.time_base) == (whole.kinds(), whole.tick_span, whole.time_base)


def test_growing_c20_the_newest_packet_waits_for_one_poll_or_for_the_next_packet(file_of: FileOf, clock: Time) -> None:
    make = nb.V2
    full = make.comment(10, b"x" * 92)
    raw = nb.nev([make.digital(5, 1, 7), full, make.digital(20, 1, 8)])
    begin = len(raw) - 3 * 104
    path, given_at = file_of(raw[: begin + 104], "s.nev"), []
    with nv.open_nev(path) as nev:
        clock.passes(lambda: None, lambda: appended(path, raw[:-104]), *[lambda: None] * 5, lambda: appended(path, raw))
        for part in nev.follow(poll_s=1, timeout_s=6):
            values, texts = part.events("digital")["value"].tolist(), [comment.text for comment in part.comments()]
            given_at += [(clock.now, values, texts)]
    assert given_at == [(0, [7], []), (8, [], ["x" * 92]), (9, [8], [])]


def test_growing_c21_a_part_is_a_file_of_its_own(file_of: FileOf, clock: Time) -> None:
    make = nb.V3
    packets = [make.packet(1000, 0xFFF9, struct.pack("<H", 0)), *(make.digital(1100 + k, 1, k) for k in range(20))]
    raw = nb.nev(packets, version=(3, 0))
    path = file_of(raw[:-1080], "s.nev")
    with nv.open_nev(path) as nev:
        clock.passes(lambda: appended(path, raw))
        parts = list(nev.follow(poll_s=1, timeout_s=3))
        assert [part.n_packets for part in parts] == [10, 1, 9, 1] or sum(part.n_packets for part in parts) == 21
        later = parts[-2]
        assert later.events("digital")["tick"][-1] == 1118
        assert (later.time_base, later.time_origin_tick) == (nev.time_base, 1000)
        assert later.datetime(1100) == nev.datetime(1100)
        copy = pickle.loads(pickle.dumps(later))
        assert copy.packets.tobytes() == later.packets.tobytes()
        assert copy.datetime(1100) == later.datetime(1100)
        copy._parent.close()
        with pytest.raises(ValueError, match="part of a file"):
            later.refresh()
        with later:
            pass
        assert not nev.closed
        assert nev.refresh() == 0
        assert nev.n_packets == 21 and nev.packets["tick"][-1] == 1119  # noqa: PT018
        with pickle.loads(pickle.dumps(nev)) as other:
            assert other.n_packets == 21


def test_growing_c03_a_nev_that_shrinks_or_is_replaced_is_an_error(file_of: FileOf) -> None:
    raw = nb.nev([nb.V2.digital(k, 1, k) for k in range(10)])
    other = bytearray(raw + raw[-104:])
    other[30] ^= 1
    path = file_of(raw, "s.nev")
    with nv.open_nev(path) as nev:
        appended(path, bytes(other))
        with pytest.raises(nv.FormatError, match="another recording"):
            nev.refresh()
        os.truncate(path, len(raw) - 5)
        with pytest.raises(nv.FormatError, match="or more, as before"):
            nev.refresh()
        assert nev.n_packets == 10


def test_growing_c13_a_poll_replaces_packets_and_their_number_at_once(file_of: FileOf) -> None:
    raw = nb.nev([nb.V2.spike(k, 1, 0) for k in range(20)], [nb.wav(1)])
    begin = len(raw) - 20 * nb.V2.size
    path, seen = file_of(raw[: begin + 5 * nb.V2.size], "s.nev"), set()

    def look(frame: FrameType, event: str, _: Any) -> Any:
        """What another thread sees at every line of a poll."""
        if frame.f_code.co_name not in ("refresh", "replace"):
            return None
        sys.settrace(None)
        seen.add((nev.n_packets, len(nev.packets), len(nev.spikes()), nev.tick_span))
        sys.settrace(look)
        return look

    with nv.open_nev(path) as nev:
        nev.spikes()
        appended(path, raw)
        before = sys.gettrace()
        sys.settrace(look)
        try:
            nev.refresh()
        finally:
            sys.settrace(before)
        assert seen == {(5, 5, 5, (0, 4)), (20, 20, 20, (0, 19))}


def test_growing_c21_a_part_is_written_with_its_own_packets_alone(file_of: FileOf, tmp_path: Path, clock: Time) -> None:
    make = nb.V2
    for n_first, n_more in ((1, 4), (4, 1), (7, 7)):
        packets = [make.spike(k, 1 + k % 2, 0) for k in range(n_first + n_more)]
        raw = nb.nev(packets, [nb.wav(1), nb.wav(2)])
        path = file_of(raw[: -len(packets[0]) * n_more], "s.nev")
        with nv.open_nev(path) as nev:
            following = nev.follow(poll_s=1, timeout_s=2)
            parts = [next(following)]
            appended(path, raw)
            parts += following
            assert [number for part in parts for number in part.spikes()["tick"]] == list(range(len(packets)))
            for k, part in enumerate(parts):
                report = nv.write_nev(part, tmp_path / f"{n_first}-{k}.nev")
                with nv.open_nev(report.path) as copy:
                    assert copy.n_packets == report.n_packets == part.n_packets
                    np.testing.assert_array_equal(copy.packets, part.packets)
                    assert copy.electrodes == nev.electrodes


@given(st.integers(1, 40), st.data())
def test_growing_c19_a_file_without_all_its_headers_has_no_packets(file_of: FileOf, n_headers: int, data) -> None:
    raw = nb.nev([nb.V2.spike(k, 1, 0) for k in range(9)], [nb.wav(1 + k) for k in range(n_headers)])
    cut = data.draw(st.integers(336, 336 + 32 * n_headers - 1))
    path = file_of(raw[:cut], "s.nev")
    with pytest.warns(nv.TruncatedFile, match=f"headers lack {336 + 32 * n_headers - cut} of their"):
        nev = nv.open_nev(path)
    with nev:
        assert (nev.n_packets, len(nev.electrodes), nev.refresh()) == (0, (cut - 336) // 32, 0)
        assert nev.missing_bytes == 336 + 32 * n_headers - cut
        appended(path, raw)
        with pytest.raises(nv.FormatError, match="reopen it"):
            nev.refresh()
        assert (nev.n_packets, nev.spikes().size) == (0, 0)
    with nv.open_nev(path) as whole:
        assert (whole.n_packets, len(whole.electrodes)) == (9, n_headers)
