# SPDX-License-Identifier: MIT
"""The recordings that the README's lines name, in a folder: ``python tests/builders/demo.py demo``.

`demo_nev` is ``tests/data/demo.nev``; `tests/data/demo.ns5` beside it is made in `nsx.py`.
"""

from __future__ import annotations

import struct
import sys
import zipfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from builders import ccf
from builders import nev as nb
from builders import nsx as b
from builders import sorting as sb
from builders import timing as t

N_ELECTRODES, N_POINTS, N_SPIKES = 128, 48, 150
DATA = Path(__file__).resolve().parents[1] / "data"


def demo_nev() -> bytes:
    """Spikes of 8 electrodes in the 0.1 s of ``demo.ns5``, with its samples as waveforms; digital input, comments."""
    samples = np.frombuffer(b.demo()[-3000 * 144 * 2 :], "<i2").reshape(3000, 144)
    headers = []
    for k in range(N_ELECTRODES):
        headers.append(nb.wav(k + 1, bank=1 + k // 32, pin=1 + k % 32, rest=nb.points(N_POINTS)))
        headers.append(nb.lbl(k + 1, f"elec{k + 1}".encode()))
    headers.append(nb.extended(b"DIGLABEL", struct.pack("<16sB", b"digin", 1)))
    make = nb.V2
    packets = []
    for k in range(N_SPIKES):
        tick, electrode = 30 + 19 * k, (1, 2, 3, 17, 40, 64, 96, 128)[(k + k // 8) % 8]
        waveform = samples[tick - 10 : tick - 10 + N_POINTS, electrode - 1].tolist()
        packets.append((tick, make.spike(tick, electrode, (0, 1, 1, 2, 255)[k % 5], waveform)))
    packets += [(tick, make.digital(tick, 1, value)) for tick, value in ((300, 1), (600, 0), (1500, 3), (1800, 0))]
    packets += [(tick, make.digital(tick, 129, ord(character))) for tick, character in ((900, "G"), (930, "O"))]
    packets.append((450, make.comment(450, b"stimulus on", data=0x000000FF)))
    packets.append((1950, make.comment(1950, b"stimulus off", data=0x000000FF)))
    packets.sort(key=lambda packet: packet[0])
    return nb.nev([packet for _, packet in packets], headers, date=b.ORIGIN, comment=b"made for the README")


def write_files(folder: Path) -> None:
    """Write every recording, map and archive that the README and the docstrings' examples name."""
    folder.mkdir(exist_ok=True)
    files = {
        "session.ns5": (DATA / "demo.ns5").read_bytes(),
        "session.nev": (DATA / "demo.nev").read_bytes(),
        "paused.ns5": b.nsx([(0, b.ramp(30, 4)), (45, b.ramp(30, 4, first=30))]),
        "array.cmp": sb.array_map(128, 12),
        "session.ccf": ccf.ccf_of(*(ccf.whole(number) for number in (1, 2, 33))),
        "big-NSP1.ns5": b.nsx([(0, b.ramp(30, 8))]),
        "big-NSP2.ns5": b.nsx([(0, b.ramp(30, 8))]),
        "long001.ns5": b.nsx([(0, b.ramp(300, 4))]),
        "long001.nev": t.spike_nev([3, 7]),
        "long002.ns5": b.nsx([(0, b.ramp(300, 4, first=300))], origin=t.origin(0.05)),
        "long002.nev": t.spike_nev([4, 8]),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with zipfile.ZipFile(folder / "session.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("session.ns5", files["session.ns5"])


if __name__ == "__main__":
    write_files(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
