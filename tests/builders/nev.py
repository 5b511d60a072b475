# SPDX-License-Identifier: MIT
"""NEV files put together byte by byte, from the numbers of the documents. Imports nothing of what it tests."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

DATE = (2024, 3, 4, 14, 19, 9, 47, 630)  # year, month, day of week, day, hour, minute, second, millisecond
ALL_ONES = {4: 0xFFFFFFFF, 8: 0xFFFFFFFFFFFFFFFF}


# ------------------------------------------------------------------------------------------- extended headers


def extended(kind: bytes, body: bytes, pad: bytes = b"\0") -> bytes:
    assert len(body) <= 24
    return kind.ljust(8, pad) + body.ljust(24, b"\0")


def wav(
    electrode: int,
    *,
    bank: int = 1,
    pin: int = 1,
    factor: int = 250,
    energy: int = 0,
    high: int = 0,
    low: int = -255,
    units: int = 0,
    sample_bytes: int = 2,
    rest: bytes = b"",
) -> bytes:
    body = struct.pack("<HBBHHhhBB", electrode, bank, pin, factor, energy, high, low, units, sample_bytes)
    return extended(b"NEUEVWAV", body + rest)


def points(n: int) -> bytes:
    """What a NEUEVWAV of 2.3 and 3.0 says behind its bytes per sample."""
    return struct.pack("<H", n)


def lbl(electrode: int, label: bytes) -> bytes:
    return extended(b"NEUEVLBL", struct.pack("<H16s", electrode, label))


def flt(
    electrode: int, high: tuple[int, int, int] = (250_000, 4, 1), low: tuple[int, int, int] = (7_500_000, 3, 1)
) -> bytes:
    return extended(b"NEUEVFLT", struct.pack("<HIIHIIH", electrode, *high, *low))


# -------------------------------------------------------------------------------------------- packets


@dataclass(frozen=True)
class Maker:
    """Packets of one size and one width of timestamp."""

    size: int = 104
    stamp: int = 4

    def packet(self, tick: int, number: int, body: bytes) -> bytes:
        head = struct.pack("<I" if self.stamp == 4 else "<Q", tick) + struct.pack("<H", number)
        assert len(head + body) <= self.size, (len(head + body), self.size)
        return (head + body).ljust(self.size, b"\0")

    def spike(self, tick: int, electrode: int, unit: int, samples: Sequence[int] = (), code: str = "h") -> bytes:
        return self.packet(tick, electrode, struct.pack(f"<Bx{len(samples)}{code}", unit, *samples))

    def stim(self, tick: int, number: int, samples: Sequence[int]) -> bytes:
        return self.packet(tick, number, struct.pack(f"<H{len(samples)}h", 0, *samples))

    def digital(self, tick: int, reason: int, value: int, rest: bytes = b"") -> bytes:
        return self.packet(tick, 0, struct.pack("<BxH", reason, value) + rest)

    def comment(self, tick: int, text: bytes, charset: int = 0, flag: int = 0, data: int = 0) -> bytes:
        return self.packet(tick, 0xFFFF, struct.pack("<BBI", charset, flag, data) + text)

    def video(self, tick: int, file: int, frame: int, elapsed: int, source: int) -> bytes:
        return self.packet(tick, 0xFFFE, struct.pack("<HIII", file, frame, elapsed, source))

    def tracking(self, tick: int, parent: int, node: int, children: int, n: int, numbers: bytes) -> bytes:
        return self.packet(tick, 0xFFFD, struct.pack("<HHHH", parent, node, children, n) + numbers)

    def button(self, tick: int, trigger: int) -> bytes:
        return self.packet(tick, 0xFFFC, struct.pack("<H", trigger))

    def more(self, payload: bytes) -> bytes:
        """Goes on with the packet before it."""
        assert len(payload) <= self.size - self.stamp
        stamp = ALL_ONES[self.stamp].to_bytes(self.stamp, "little")
        return (stamp + payload).ljust(self.size, b"\0")


# ------------------------------------------------------------------------------------------- whole files


def nev(
    packets: Iterable[bytes] = (),
    headers: Iterable[bytes] = (),
    *,
    version: tuple[int, int] = (2, 3),
    magic: bytes | None = None,
    flags: int = 1,
    packet_bytes: int | None = None,
    tick_rate: int = 30_000,
    sample_rate: int = 30_000,
    date: Sequence[int] = DATE,
    application: bytes = b"File Dialog v7.6.1",
    comment: bytes = b"",
    processor_tick: int | None = None,
    header_bytes: int | None = None,
    n_extended: int | None = None,
    tail: bytes = b"",
) -> bytes:
    """A file: 336 bytes of basic header, 32 for each extended one, then packets and `tail`."""
    listed, body = list(headers), b"".join(packets)
    size = packet_bytes if packet_bytes is not None else (len(next(iter(packets))) if body else 104)
    start = 336 + 32 * len(listed) if header_bytes is None else header_bytes
    said = comment.ljust(256, b"\0") if processor_tick is None else struct.pack("<200s52xI", comment, processor_tick)
    basic = (
        (magic or (b"BREVENTS" if version[0] == 3 else b"NEURALEV"))
        + struct.pack("<BBHIIII", *version, flags, start, size, tick_rate, sample_rate)
        + struct.pack("<8H", *date)
        + application.ljust(32, b"\0")
        + said
        + struct.pack("<I", len(listed) if n_extended is None else n_extended)
    )
    assert len(basic) == 336
    return basic + b"".join(listed) + body + tail


def trellis(packets: Iterable[bytes] = (), headers: Iterable[bytes] = (), **more: Any) -> bytes:
    """A file as Ripple writes it."""
    said: dict[str, Any] = {"version": (2, 2), "application": b"Trellis.exe[1.4.3.338]", "processor_tick": 410_825_880}
    return nev(packets, headers, **(said | more))


V2 = Maker()
V3 = Maker(108, 8)
RIPPLE = Maker(112, 4)


def every_kind(version: tuple[int, int], ripple: bool = False) -> bytes:
    """A small file with every header and packet kind that its version can have."""
    make = RIPPLE if ripple else V3 if version[0] == 3 else V2
    wave = list(range(-5, 5))
    headers = [
        extended(b"ARRAYNME", b"array one"),
        extended(b"ECOMMENT", b"first comment, 24 bytes "),
        extended(b"CCOMMENT", b"and its end"),
        extended(b"MAPFILE", b"map.cmp"),
        wav(1, rest=points(40)),
        wav(129, bank=5, factor=21516, low=0),
        lbl(1, b"elec1"),
        flt(1),
        extended(b"DIGLABEL", struct.pack("<16sB", b"digin", 1)),
        extended(b"NSASEXEV", struct.pack("<HBBhBhBhBhBh", 100, 1, 1, -500, 2, 500, 3, 0, 0, 0, 0, 7)),
        extended(b"VIDEOSYN", struct.pack("<H16sf", 0, b"camera", 29.97)),
        extended(b"TRACKOBJ", struct.pack("<HHH16s", 1, 1, 4, b"object")),
        extended(b"WHATEVER", b"?"),
    ]
    packets = [
        make.spike(100, 1, 1, wave),
        make.spike(90, 1, 255, wave),
        make.spike(110, 129, 0, wave),
        make.spike(115, 300, 17, wave),
        make.digital(120, 1, 0xBEEF, struct.pack("<hhhhh", -1, 2, -3, 4, -5)),
        make.digital(121, 129, 0xAB41),
        make.comment(200, "grün".encode("cp1252"), data=0x04030201),
        make.comment(201, "späť".encode("utf-16-le"), charset=1, flag=1, data=50),
        make.comment(202, b"roi:1:enter:7:", charset=255, data=0x0102),
        make.video(210, 1, 2, 3, 4),
        make.tracking(220, 0, 0, 0, 2, struct.pack("<4H", 10, 20, 30, 40)),
        make.button(230, 1),
        make.packet(240, 0xFFFB, struct.pack("<H16s", 1, b"sixteen bytes...") + b"rest"),
        make.packet(250, 0xFFFA, struct.pack("<H", 1) + b"changed"),
        make.packet(260, 0xFFF9, struct.pack("<H", 3)),
        make.packet(270, 0x8001, b"preview"),
        make.comment(280, b"long".ljust(make.size - make.stamp - 8, b".")),
        make.more(b" and longer"),
    ]
    if ripple:
        packets.append(make.stim(290, 5249, wave))
        headers.append(wav(5249, factor=0, rest=struct.pack("<f", 0.5)))
        return trellis(packets, headers)
    return nev(packets, headers, version=version)
