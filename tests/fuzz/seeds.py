# SPDX-License-Identifier: MIT
"""What a fuzzer starts from: a small file of every kind, by the builders of the tests; and plain mutations of them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

from builders import nev as nb
from builders import nsx as b
from builders import timing as t

from .properties import COMMANDS, packed

_NEV_VERSIONS = ((2, 0), (2, 1), (2, 2), (2, 3), (3, 0))
_EDGES = (0, 1, 2, 12, 13, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 64) - 1)


def _tiny_nev(version: tuple[int, int], ripple: bool = False) -> bytes:
    """Several kinds of headers and packets in as few bytes as hold them."""
    make = nb.Maker(32, 8 if version[0] == 3 else 4)
    headers = [
        nb.wav(1, sample_bytes=1, rest=struct.pack("<f", 0.5) if ripple else nb.points(7)),
        nb.wav(2, sample_bytes=4),
        nb.lbl(2, b"two"),
        nb.flt(2),
        nb.extended(b"TRACKOBJ", struct.pack("<HHH16s", 5, 1, 4, b"object")),
        nb.extended(b"VIDEOSYN", struct.pack("<H16sf", 0, b"camera", 29.97)),
    ]
    packets = [
        make.spike(100, 1, 1, [1, 2, 3]),
        make.spike(101, 2, 255, [1, 2, 3]),
        make.spike(200_000, 5200, 1, [1, 2, 3]),
        make.digital(5, 129, 0x1234),
        make.comment(7, "né".encode("utf-16-le"), 1, 1, 3),
        make.more(b"more"),
        make.tracking(9, 0, 0, 0, 2, struct.pack("<2H", 1, 2)),
        make.packet(11, 0xFFFB, b"\1\0" + b"text"),
    ]
    return nb.trellis(packets, headers, flags=0) if ripple else nb.nev(packets, headers, version=version, flags=0)


def nsx_files() -> Iterator[bytes]:
    """Continuous files of every framing, with gaps, open and cut blocks, shuffled and uneven packets."""
    for kind in b.KINDS:
        yield b.plausible(kind)[0]
    for kind in b.BLOCK_KINDS:
        yield b.nsx([(0, b.ramp(2, 1, kind)), (2, b.ramp(3, 1, kind)), (1, b.ramp(2, 1, kind))], kind)
        yield b.nsx([(5, b.ramp(2, 1, kind))], kind) + b.block(kind, 90, b.ramp(4, 1, kind), n_samples=0)
    yield b.nsx([(0, b.ramp(3, 2)), (2**32 - 2, b.ramp(4, 2)), (2, b.ramp(3, 2))])
    yield t.ptp(t.stamps(70, breaks={20: 3, 40: -2}))
    yield t.ptp(t.shuffled(t.stamps(60), {30: [2, 0, 1]}))
    yield t.ptp(t.stamps(90, drift_ppm=40_000))
    yield t.hidden_block(8, 8)


def nev_files() -> Iterator[bytes]:
    """Event files of every version, with every kind of header and packet."""
    for version in _NEV_VERSIONS:
        yield nb.every_kind(version)
        yield _tiny_nev(version)
    yield nb.every_kind((2, 2), ripple=True)
    yield _tiny_nev((2, 2), ripple=True)
    yield nb.nev([nb.V2.digital(tick, 1, 3) for tick in (10**6, 10**6 + 9, 5, 90)])


_LEGEND = "// mapfile\nCerebus mapping for array 1\n//col\trow\tbank\telec\tlabel\n"
_SCALE = "<scalin><digmin Type='INT16'>-32764</digmin><digmax Type='INT16'>32764</digmax></scalin>"
_ITEM = (
    "<ChanInfo_item label='chan{0}'><chan Type='UINT32'>{0}</chan><bank Type='UINT32'>1</bank>"
    "<term Type='UINT32'>{0}</term><scale>{1}</scale><label Type='cstring'>elec{0}</label></ChanInfo_item>"
)


def map_files() -> list[bytes]:
    """Array maps in several spellings."""
    rows = [f"{k % 3}\t{k // 3}\tA\t{k + 1}\telec{k + 1}" for k in range(9)]
    whole = _LEGEND + "\n".join(rows)
    return [
        whole.encode(),
        whole.replace("\n", "\r\n").encode("utf-8-sig"),
        (_LEGEND + "0 0 A 1\n0 1 A 1").encode(),
        (_LEGEND + "0 0 A 1\n0 0 B 1").encode(),
        (_LEGEND + "-1 99999999999999999999 Z 0 x y").encode(),
        "\n".join(rows).encode("utf-16"),
        b"",
    ]


def configurations() -> list[bytes]:
    """XML configurations: sound ones, one that would expand to fill the memory, nested and broken ones."""
    items = "".join(_ITEM.format(k, _SCALE) for k in (1, 2))
    whole = f"<CCF Version='12'><ChanInfo Type='Array'>{items}</ChanInfo><Odd Type='double'>1e999</Odd></CCF>"
    laughs = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]><CCF><Odd>&b;</Odd></CCF>"
    return [
        whole.encode(),
        ("<?xml version='1.0' encoding='UTF-8'?>" + whole).encode("utf-8-sig"),
        ("<?xml version='1.0' encoding='windows-1252'?>" + whole).encode(),
        whole.encode("utf-16"),
        laughs.encode(),
        b"<CCF>" + b"<a>" * 500 + b"</a>" * 500 + b"</CCF>",
        whole[:-9].encode(),
        b"cbCCF\x03\x09" + bytes(99),
    ]


def seeds() -> dict[str, list[bytes]]:
    """Inputs of every target."""
    nsx, nev = list(nsx_files()), list(nev_files())
    pairs = [packed(("nev", nev[k % len(nev)]), ("ns5", nsx[k % len(nsx)])) for k in range(0, 20, 2)]
    options = (0, 2, 3 + 16, 1 + 4, 2 + 8, 3 + 8, 32, 32 + 3)
    exports = [bytes([how, k]) + data for k, data in enumerate(nsx) for how in (options[k % 8], options[(k + 3) % 8])]
    growing = [(len(data) * (k % 5 + 1) // 6).to_bytes(2, "little") + data for k, data in enumerate(nsx + nev)]
    return {
        "write_nsx": [bytes([k]) + data for k, data in enumerate(nsx)],
        "write_nev": [bytes([k]) + data for k, data in enumerate(nev)],
        "grow": growing,
        "follow": [(len(data) - k % 5 * 7).to_bytes(2, "little") + data for k, data in enumerate(nsx)],
        "read_cmp": map_files(),
        "read_ccf": configurations(),
        "open_nsx": nsx,
        "open_nev": nev,
        "check": nsx + nev,
        "open_recording": [*pairs, packed(("ns5", nsx[1]), ("ns2", nsx[2]), ("nev", nev[6]))],
        "write_bin": exports,
        "command": [bytes([k]) + pairs[k % len(pairs)] for k in range(2 * len(COMMANDS))],
    }


def mutated(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """A few changes of the kinds that find most: edges of numbers, bits, cuts, repeats, pieces of other inputs."""
    out = bytearray(data or b"\0")
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at, kind = chance.randrange(len(out)), chance.randrange(7)
        if kind <= 2:
            width = chance.choice((1, 2, 4, 8))
            out[at : at + width] = (chance.choice(_EDGES) % (1 << 8 * width)).to_bytes(width, "little")
        elif kind == 3:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 4:
            del out[at : at + chance.choice((1, 4, 9, len(out)))]
        elif kind == 5:
            out[at:at] = out[at : at + chance.choice((4, 9, 32, 104))]
        else:
            other = chance.choice(others)
            out[at : at + 40] = other[at : at + 40]
        out = out or bytearray(1)
    return bytes(out)
