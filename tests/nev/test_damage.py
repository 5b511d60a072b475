# SPDX-License-Identifier: MIT
"""Claim C47 of spec_notes/nev.md: whatever the bytes, reading gives data or one of our errors, in bounded memory."""

from __future__ import annotations

import pickle
import random
import struct
import tracemalloc
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.nev import RIPPLE, V2, V3, Maker, every_kind, extended, flt, lbl, nev, points, trellis, wav
from depth import searched
from hypothesis import given
from hypothesis import strategies as st

from nevparse.errors import FormatError, NevParseWarning
from nevparse.format import tables
from nevparse.nev.file import NevFile, open_nev

FLAVOURS = [((2, 0), False), ((2, 1), False), ((2, 2), False), ((2, 3), False), ((3, 0), False), ((2, 2), True)]


def tiny(version: tuple[int, int], ripple: bool) -> bytes:
    """As few bytes as hold a file with several kinds of headers and packets."""
    make = Maker(32, 8 if version[0] == 3 else 4)
    headers = [
        wav(1, sample_bytes=1, rest=struct.pack("<f", 0.5) if ripple else points(7)),
        lbl(2, b"two"),
        flt(2),
        extended(b"TRACKOBJ", struct.pack("<HHH16s", 5, 1, 4, b"object")),
        extended(b"CCOMMENT", b"text"),
    ]
    packets = [
        make.spike(100, 1, 1, [1, 2, 3]),
        make.spike(200_000, 5200, 1, [1, 2, 3]),
        make.digital(5, 129, 0x1234),
        make.comment(7, "né".encode("utf-16-le"), 1, 1, 3),
        make.more(b"more"),
        make.tracking(9, 0, 0, 0, 2, struct.pack("<2H", 1, 2)),
        make.packet(11, 0xFFFB, b"\1\0" + b"text"),
    ]
    options: dict[str, Any] = {} if ripple else {"version": version}
    return (trellis if ripple else nev)(packets, headers, **options, flags=0)


def read_everything(file: NevFile) -> None:
    """Call everything, but no request that raises whatever the bytes are."""
    _try(lambda: (file.kinds(), file.resets, file.tick_span, file.time_origin_tick, file.packets.tolist()))
    _try(lambda: (file.datetime(2**63), file.datetime(0), repr(file), file.electrodes, file.damage))
    for kind in tables.EVENT_KINDS:
        _try(partial(file.events, kind, sort="tick"))
    _try(lambda: [file.tracked_points(event) for event in file.events("tracking")])
    for spikes in (lambda: file.spikes(), lambda: file.events("stim")):
        _try(partial(lambda spikes: file.to_uv(spikes()), spikes))
    _try(lambda: file.spikes(list(file.electrodes), 1, 5, 2**40, waveforms=False))
    _try(lambda: (file.comments(), file.comments(merged=False)))
    _try(lambda: (file.trains(), file.trains(waveforms=True, sort="tick")))


def _try(call: Callable[[], Any]) -> None:
    with suppress(FormatError):
        call()


def judge(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    with suppress(FormatError), open_nev(path) as file:
        read_everything(file)


@pytest.fixture(autouse=True)
def only_our_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", NevParseWarning)
        yield


@searched("step", 13, 1)
@pytest.mark.parametrize(("version", "ripple"), FLAVOURS)
def test_nev_c47_a_file_cut_at_any_byte_gives_data_or_a_format_error(
    tmp_path: Path, version: Any, ripple: bool, step: int
) -> None:
    whole = tiny(version, ripple)
    for n_bytes in range(0, len(whole) + 1, step):
        judge(tmp_path / "cut.nev", whole[:n_bytes])


@searched("step", 23, 1)
@pytest.mark.parametrize(("version", "ripple"), FLAVOURS)
def test_nev_c47_cuts_among_packets_lose_only_the_cut_packet(
    tmp_path: Path, version: Any, ripple: bool, step: int
) -> None:
    whole = every_kind(version, ripple)
    make = RIPPLE if ripple else V3 if version[0] == 3 else V2
    with open_nev(_written(tmp_path / "whole.nev", whole)) as file:
        start, packets = len(whole) - file.n_packets * make.size, file.packets.tolist()
    for n_bytes in range(start, len(whole), step):
        with open_nev(_written(tmp_path / "cut.nev", whole[:n_bytes])) as file:
            n_whole, left = divmod(n_bytes - start, make.size)
            assert file.packets.tolist() == packets[:n_whole]
            assert file.missing_bytes == (make.size - left if left else 0)


def _written(path: Path, data: bytes) -> Path:
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


@searched("n_flips", 40, 2000)
@pytest.mark.parametrize(("version", "ripple"), FLAVOURS)
def test_nev_c47_flipped_bytes_give_data_or_a_format_error(
    tmp_path: Path, version: Any, ripple: bool, n_flips: int
) -> None:
    whole, chance = tiny(version, ripple), random.Random(f"{version}{ripple}")
    for _ in range(n_flips):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        judge(tmp_path / "flip.nev", bytes(data))


@given(data=st.binary(max_size=300), version=st.sampled_from([(2, 2), (2, 3), (3, 0)]), size=st.integers(12, 40))
def test_nev_c47_any_bytes_as_packets_give_data_or_a_format_error(
    tmp_path: Path, data: bytes, version: Any, size: int
) -> None:
    judge(tmp_path / "any.nev", nev(version=version, packet_bytes=size, headers=[wav(1)], tail=data))


def test_nev_c47_nothing_is_allocated_by_a_headers_word(tmp_path: Path) -> None:
    hostile = [
        nev(n_extended=2**32 - 1, header_bytes=2**32 - 1),
        nev(packet_bytes=65_535, headers=[wav(1, rest=points(65_535))]),
        nev([Maker(12).spike(1, 1, 0)], [wav(1, rest=points(65_535), sample_bytes=4)], flags=0),
        nev([V2.tracking(1, 0, 0, 0, 65_535, b"")], [extended(b"TRACKOBJ", struct.pack("<HHH", 3, 1, 65_535))]),
    ]
    for data in hostile:
        judge(tmp_path / "first.nev", data)  # what is cached for good is not the file's doing
        tracemalloc.start()
        judge(tmp_path / "hostile.nev", data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3_000_000  # the tables over all 65536 ids are the largest


def test_nev_c47_a_directory_and_a_missing_file_are_the_systems_errors(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.nev"):
        with pytest.raises(OSError, match=path.name):
            open_nev(path)


# ------------------------------------------------------------------------------------------------ build -> parse


@st.composite
def mixes(draw: st.DrawFn) -> tuple[Any, Maker, list[tuple[str, Any]]]:
    """Packets of random kinds, and what must come out of them."""
    version = draw(st.sampled_from([(2, 1), (2, 3), (3, 0)]))
    make = Maker(draw(st.sampled_from([36, 104, 108, 200])), 8 if version == (3, 0) else 4)
    n_bits = min(8 * make.stamp, 63)  # a clock of 32 bits that ran over counts on: C48
    ticks = st.integers(0, 2**n_bits - 3601 * 30_000)
    capacity = (make.size - make.stamp - 4) // 2
    raw = st.binary(min_size=2 * capacity, max_size=2 * capacity)
    wave = raw.map(lambda samples: list(struct.unpack(f"<{capacity}h", samples)))
    u1, u2, u4 = st.integers(0, 255), st.integers(0, 65_535), st.integers(0, 2**32 - 1)
    text = st.text(st.characters(codec="cp1252", exclude_characters="\0 "), max_size=12)
    kinds = {
        "spike": st.tuples(ticks, st.integers(1, 32_767), u1, wave),
        "digital": st.tuples(ticks, st.integers(0, 127), u2),
        "serial": st.tuples(ticks, st.integers(128, 255), u2),
        "comment": st.tuples(ticks, text, u4),
        "video_sync": st.tuples(ticks, u2, u4, u4, u4),
        "button": st.tuples(ticks, u2),
        "unknown": st.tuples(ticks, st.sampled_from([0x8000, 0x9000, 0xFFF0])),
    }
    kind = st.sampled_from(sorted(kinds)).flatmap(lambda kind: st.tuples(st.just(kind), kinds[kind]))
    return version, make, draw(st.lists(kind, max_size=12))


def as_bytes(make: Maker, kind: str, values: Any) -> bytes:
    if kind == "unknown":
        return make.packet(values[0], values[1], b"?")
    if kind == "comment":
        return make.comment(values[0], values[1].encode("cp1252"), 0, 0, values[2])
    called: dict[str, Callable[..., bytes]] = {
        "spike": make.spike,
        "digital": make.digital,
        "serial": make.digital,
        "video_sync": make.video,
    }
    return called.get(kind, make.button)(*values)


@given(mixes())
def test_nev_c46_what_was_built_is_what_is_read(tmp_path: Path, mix: Any) -> None:
    version, make, events = mix
    path = _written(
        tmp_path / "mix.nev", nev([as_bytes(make, *e) for e in events], version=version, packet_bytes=make.size)
    )
    built: dict[str, list[Any]] = {}
    for kind, values in events:
        built.setdefault(kind, []).append(values)
    with open_nev(path) as file:
        assert file.kinds() == {kind: len(built[kind]) for kind in tables.EVENT_KINDS if kind in built}
        assert [(*row[:3], row[3].tolist()) for row in file.spikes().tolist()] == built.get("spike", [])
        for kind in ("digital", "serial"):
            mask = 0xFF if kind == "serial" else 0xFFFF
            found = [(e["tick"], e["reason"], e["value"]) for e in file.events(kind)]  # type: ignore[arg-type]
            assert found == [(tick, reason, value & mask) for tick, reason, value in built.get(kind, [])]
        found = [(c.tick, c.text, int.from_bytes(bytes(c.color or ()), "little")) for c in file.comments()]
        assert found == built.get("comment", [])
        assert file.events("video_sync").tolist() == built.get("video_sync", [])
        assert file.events("button").tolist() == built.get("button", [])
        assert [(e["tick"], e["packet_id"]) for e in file.events("unknown")] == built.get("unknown", [])
        trains = file.trains()
        assert sorted(trains) == list(trains) == sorted({row[1:3] for row in built.get("spike", [])})
        for (electrode, unit), ticks in trains.items():
            assert ticks.tolist() == [row[0] for row in built["spike"] if row[1:3] == (electrode, unit)]
        assert sum(map(len, trains.values())) == len(file.spikes(waveforms=False))


@given(st.lists(st.integers(0, 300_000), max_size=40))
def test_nev_c39_sorting_keeps_every_packet_and_never_crosses_a_reset(tmp_path: Path, ticks: list[int]) -> None:
    with open_nev(_written(tmp_path / "t.nev", nev([V2.digital(tick, 1, k) for k, tick in enumerate(ticks)]))) as file:
        found = file.events("digital", sort="tick")
        edges = [0, *(reset.packet for reset in file.resets), len(ticks)]
        assert [reset.tick_after for reset in file.resets] == [ticks[k] for k in edges[1:-1]]
    for start, stop in pairwise(edges):
        part = list(enumerate(ticks))[start:stop]
        expected = sorted(part, key=lambda pair: pair[1])
        assert [(e["value"], e["tick"]) for e in found[start:stop]] == expected


def test_nev_c44_every_flavour_pickles(tmp_path: Path) -> None:
    for version, ripple in FLAVOURS:
        path = _written(tmp_path / "p.nev", every_kind(version, ripple))
        with open_nev(path) as file, pickle.loads(pickle.dumps(file)) as copy:
            assert np.array_equal(copy.packets, file.packets)
