# SPDX-License-Identifier: MIT
"""Recordings whose clock was set anew, and where every packet of the NEV is known to belong."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from builders import nev as nb

from recording.files import nsx

ROLLOVER = 1 << 32
STRAY = None  # the epoch of a packet whose timestamp means nothing


@dataclass
class Built:
    """A recording: the blocks of its NSx and the packets of its NEV, each with its true epoch."""

    blocks: list[tuple[int, int]]  # ticks, which files have without what is beyond 32 bits, and samples
    packets: list[bytes] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    epochs: list[int | None] = field(default_factory=list)

    def add(self, tick: int, epoch: int | None, electrode: int = 1, *, is_digital: bool = False) -> None:
        make = nb.Maker(12)
        in_file = tick % ROLLOVER
        self.packets.append(make.digital(in_file, 1, 5) if is_digital else make.spike(in_file, electrode, 0))
        self.ticks.append(tick)
        self.epochs.append(epoch)

    def insert(self, place: int, tick: int, epoch: int | None) -> None:
        self.packets.insert(place, nb.Maker(12).spike(tick, 1, 0))
        self.ticks.insert(place, tick)
        self.epochs.insert(place, epoch)

    @property
    def files(self) -> dict[str, bytes]:
        blocks = [(tick % ROLLOVER, n) for tick, n in self.blocks]
        return {"s__nev": nb.nev(self.packets), "s__ns5": nsx(*blocks)}


def two_epochs() -> Built:
    """As two NSPs that were put in step after 8000 samples; a spike every 400 ticks."""
    built = Built([(0, 8_000), (116, 200_000)])
    for epoch, ticks in enumerate((range(0, 8_000, 400), range(116, 200_116, 400))):
        for tick in ticks:
            built.add(tick, epoch)
    return built


def random_recording(seed: int) -> Built:
    """Up to three resets, pauses, strays, a roll-over, kinds that are appended and channels that are regrouped."""
    rng = random.Random(seed)
    built = Built([])
    spikes: list[tuple[int, int, int]] = []
    digitals: list[tuple[int, int, int]] = []
    origin = rng.choice([0, 0, 0, ROLLOVER])
    for epoch in range(rng.randint(1, 4)):
        start = tick = origin + (0 if epoch == 0 else rng.choice([0, 90, 116, 0 if origin else 5_000]))
        rate = rng.choice([150, 400, 3_000])
        for _ in range(rng.choice([1, 1, 2])):
            n = rng.choice([8_000, 30_000, 120_000, 400_000])
            if origin and not built.blocks:
                start = tick = origin - n // 4
            built.blocks.append((tick, n))
            for at in sorted(rng.randrange(tick, tick + n) for _ in range(n // rate)):
                (spikes if rng.random() < 0.9 else digitals).append((at, epoch, len(spikes) + len(digitals)))
            tick += n + rng.choice([9_000, 500_000])
        assert start <= tick
    order = rng.choice(["time", "time", "kinds", "channels"])
    n_electrodes = min(rng.choice([1, 4, 30]), 1 + len(spikes) // 10)  # of a few spikes each, no order can be seen
    events = [(tick, epoch, number, rng.randint(1, n_electrodes), False) for tick, epoch, number in spikes]
    events += [(tick, epoch, number, 0, True) for tick, epoch, number in digitals]
    if order == "time":
        events.sort(key=lambda event: event[2])
    elif order == "channels":
        events.sort(key=lambda event: (event[4], event[3], event[2]))
    stray_share, first = rng.choice([0, 0.01, 0.05]), min(tick for tick, _ in built.blocks)
    latest = max(tick + n for tick, n in built.blocks)
    for tick, epoch, _, electrode, is_digital in events:
        if rng.random() < stray_share:
            built.add(rng.choice([0, rng.randrange(first, latest)]), STRAY, electrode)
        built.add(tick, epoch, electrode, is_digital=is_digital)
    return built
