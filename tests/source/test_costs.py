# SPDX-License-Identifier: MIT
"""What is read of an object is what was asked for: claim C03 of `spec_notes/sources.md`."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t

import nevparse as nv
from source.kinds import Remote

pytestmark = pytest.mark.usefixtures("quiet")

LONG = 20 * 16384


@pytest.fixture(scope="module")
def long_ptp() -> tuple[bytes, np.ndarray]:
    """Eleven seconds of 30 channels, one of them lost for a moment: 24 MB."""
    ticks = t.stamps(LONG, breaks={200_000: 3000})
    return t.ptp(ticks, np.zeros((LONG, 30), np.int16)), ticks


def cost(remote, call):
    before = remote.sent
    call()
    return remote.sent - before


def test_sources_c03_opening_costs_headers(long_ptp: tuple[bytes, np.ndarray]) -> None:
    data, _ = long_ptp
    remote = Remote(data)
    assert cost(remote, lambda: nv.open_nsx(remote)) < 314 + 66 * 30 + 5000
    blocks = b.nsx([(k * 40_000, np.zeros((20_000, 30), np.int16)) for k in range(8)])
    remote = Remote(blocks)
    assert cost(remote, lambda: nv.open_nsx(remote).gaps) < 10_000


def test_sources_c03_samples_of_blocks_cost_their_own_bytes() -> None:
    remote = Remote(b.nsx([(0, np.zeros((100_000, 30), np.int16))]))
    with nv.open_nsx(remote) as ns:
        assert ns.n_channels == len(ns.channels)
        assert cost(remote, lambda: ns.read(50_000, 50_100)) == 100 * 60
        assert cost(remote, lambda: ns.read(50_000, 50_100, unit="uV", channels=[3])) == 100 * 60
        assert cost(remote, lambda: ns.segments[0].ticks(10, 2000)) == 0
        assert cost(remote, lambda: list(ns.chunks(1000))) == 100_000 * 60


def test_sources_c03_samples_of_packets_cost_their_own_bytes_and_a_search_a_few(
    long_ptp: tuple[bytes, np.ndarray],
) -> None:
    data, ticks = long_ptp
    remote, packet = Remote(data), 13 + 60
    with nv.open_nsx(remote) as ns:
        found = cost(remote, lambda: ns.segments)
        assert found < 17_500 * packet, "one stretch between probes, and not the file"
        assert len(ns.segments) == 2
        assert cost(remote, lambda: ns.read(100_000, 100_100, segment=0)) == 99 * packet + 60
        assert cost(remote, lambda: ns.segments[1].ticks(10, 20)) == 10 * packet
        wanted = ticks[[5, 100_000, 250_000]]
        assert cost(remote, lambda: ns.locate(wanted)) < 100_000
        assert cost(remote, lambda: ns.segments[0].find(int(ticks[77_777]))) < 160 * packet
        assert [part.tolist() for part in ns.locate(wanted)] == [[0, 0, 1], [5, 100_000, 250_000 - 200_001]]


def test_sources_c03_a_search_for_very_many_reads_the_file_once_and_keeps_little(
    long_ptp: tuple[bytes, np.ndarray],
) -> None:
    data, ticks = long_ptp
    remote = Remote(data)
    with nv.open_nsx(remote) as ns:
        assert ns.segments
        assert cost(remote, lambda: ns.locate(ticks)) < 1.05 * len(data)
        segment, sample = ns.locate(ticks)
    assert (segment == np.repeat([0, 1], [200_001, LONG - 200_001])).all()
    assert (sample == np.concatenate([np.arange(200_001), np.arange(LONG - 200_001)])).all()


def test_sources_c03_every_timestamp_is_read_a_few_megabytes_at_a_time(long_ptp: tuple[bytes, np.ndarray]) -> None:
    data, _ = long_ptp
    remote = Remote(data)
    most: list[int] = []
    read = remote.read
    vars(remote)["read"] = lambda n_bytes: most.append(n_bytes) or read(n_bytes)
    with nv.open_nsx(remote) as ns:
        assert len(ns.fully_scanned().gaps) == 1
        index: Any = ns.fully_scanned()._recorded.index
        assert index.packets.all_single_sample()
    assert max(most) <= 1 << 22


def test_sources_c03_a_scan_of_many_small_packets_takes_little_memory() -> None:
    n = 600_000
    with nv.open_nsx(t.ptp(t.stamps(n), np.zeros((n, 1), np.int16))) as ns:
        tracemalloc.start()
        try:
            ns.fully_scanned()
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most_bytes < 22_000_000, "two threads judge 131072 packets each"


def test_sources_c03_packets_of_a_nev_are_read_once() -> None:
    data = nb.every_kind((2, 3))
    remote = Remote(data)
    with nv.open_nev(remote) as nev:
        headers = remote.sent
        assert cost(remote, lambda: nev.spikes()) == nev.n_packets * nev.packet_bytes
        assert cost(remote, lambda: [nev.events(kind) for kind in nev.kinds()]) == 0
    assert headers < len(data)
