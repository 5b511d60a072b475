# SPDX-License-Identifier: MIT
"""Reads one-sample packets: their headers, which have the timestamps, without their samples."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..format import tables
from ..format.layout import Layout
from ..format.numbers import signed_tick, signed_ticks
from ..source.base import Source
from ..source.threads import shared_with_second_thread

_PAGE_BYTES = 1 << 16
_SURE_PACKETS = 1024  # no file of blocks begins with this number of packets
_READ_BYTES = 1 << 20  # at a time, and still in the cache when used
_FEWEST_SHARED = 8  # parts: fewer are read before a second thread has started
PieceT = TypeVar("PieceT")


@dataclass(frozen=True, eq=False)
class PacketReader:
    """The packets of a file: a header, and one sample of every channel, each.

    Read by position, not mapped: a probe costs one page, and a file that became shorter is an error, not a fault.
    """

    source: Source
    layout: Layout  # of a header
    start: int  # byte of the first packet
    packet_bytes: int
    n_packets: int

    @property
    def header_dtype(self) -> np.dtype[np.void]:
        """A packet as its header, and room for its samples."""
        return self.layout.dtype(self.packet_bytes)

    def offset_of(self, packet: int) -> int:
        """Where a packet starts in the file."""
        return self.start + packet * self.packet_bytes

    def header(self, packet: int) -> tuple[Any, ...]:
        """Header byte, tick and number of samples of one packet."""
        return self.layout.packer.unpack(self.source.read(self.layout.size, self.offset_of(packet), self.layout.name))

    def tick(self, packet: int) -> int:
        """The timestamp of one packet."""
        return signed_tick(self.header(packet)[1])

    def ticks(self, a: int, b: int) -> NDArray[np.int64]:
        """Timestamps of packets `a` to `b`."""
        ticks, n_each = np.empty(max(0, b - a), np.int64), self.n_at_once

        def read_parts(firsts: Iterable[int]) -> None:
            headers, read = np.empty(min(n_each, ticks.size), self.layout.dtype()), HeaderReader(self, ticks.size)
            for first in firsts:
                part = ticks[first - a : first - a + n_each]
                part[:] = signed_ticks(read(first, headers[: part.size])["tick"])

        with self.shared(read_parts, range(a, b, n_each)) as mine:
            read_parts(mine)
        return ticks

    def headers(self, a: int, b: int) -> NDArray[np.void]:
        """Headers of packets `a` to `b`, without their samples."""
        headers, read = np.empty(b - a, self.layout.dtype()), HeaderReader(self, b - a)
        for first in range(a, b, self.n_at_once):
            read(first, headers[first - a :][: self.n_at_once])
        return headers

    def all_single_sample(self, first: int = 0) -> bool:
        """Whether every packet from `first` on has one sample."""
        n, n_each = self.n_packets, self.n_at_once
        return all(all_single_sample(self.headers(a, min(a + n_each, n))) for a in range(first, n, n_each))

    @property
    def n_at_once(self) -> int:
        """Packets that are read at a time, at the most."""
        return self.n_within(_READ_BYTES)

    def n_within(self, n_bytes: int) -> int:
        """Packets that so many bytes hold, at least one."""
        return max(1, n_bytes // self.packet_bytes)

    def shared(
        self, work: Callable[[Iterable[PieceT]], object], pieces: Collection[PieceT]
    ) -> AbstractContextManager[Iterable[PieceT]]:
        """Share pieces of reading with a second thread if there are many: what is to be read here.

        The pieces are next to each other in the file, so that a drive that is slow to seek reads on.
        """
        if len(pieces) < _FEWEST_SHARED or not self.source.zero_copy:  # a caller's object stays in the caller's thread
            return nullcontext(pieces)
        return shared_with_second_thread(work, pieces)

    def grown(self) -> PacketReader:
        """These and those written since: systems make room in a file before they write to it."""
        n_fit = (self.source.size - self.start) // self.packet_bytes
        if n_fit > self.n_packets and not self.is_one_sample_packet(n_fit - 1):
            n_fit = bisect_left(range(n_fit), True, self.n_packets, key=lambda n: not self.is_one_sample_packet(n))
        return replace(self, n_packets=max(self.n_packets, n_fit))

    def is_one_sample_packet(self, packet: int) -> bool:
        """Whether this is a packet of one sample, not preallocated space."""
        flag, _, n_samples = self.header(packet)
        return bool(flag == tables.BLOCK_HEADER and n_samples == 1)

    @property
    def last_is_complete(self) -> bool:
        """Whether the last packet is still one: a block that had one sample when it was read may have more now."""
        return self.n_packets == 0 or self.is_one_sample_packet(self.n_packets - 1)

    @property
    def end_in_blocks(self) -> bool:
        """Whether a block of more or fewer samples follows these few packets, which were short blocks then."""
        end = self.offset_of(self.n_packets)
        if self.n_packets >= _SURE_PACKETS or self.source.size < end + self.layout.size:
            return False
        flag, _, n_samples = self.header(self.n_packets)
        return bool(flag == tables.BLOCK_HEADER and n_samples != 1)

    def searchable_ticks(self) -> Any:
        """Every timestamp, to be indexed by packets: a strided view of a mapped file, or pages of any other."""
        if not self.source.zero_copy:
            return TimestampPages(self)
        return signed_ticks(self.source.view(self.header_dtype, (self.n_packets,), self.start)["tick"])


class HeaderReader:
    """Reads the headers of up to `n_most` packets at a time, without their samples, through a buffer of its own."""

    def __init__(self, packets: PacketReader, n_most: int) -> None:
        self._packets, n = packets, min(n_most, packets.n_at_once)
        self._buffer = np.empty(n * packets.packet_bytes, np.uint8)
        header = np.dtype(f"V{packets.layout.size}")  # as opaque bytes, by memcpy
        self._read = np.ndarray((n,), header, self._buffer.data, strides=(packets.packet_bytes,))

    def __call__(self, first: int, headers: NDArray[np.void]) -> NDArray[np.void]:
        """Read the headers of packets `first` and on into an array of them, and give it."""
        n_bytes = headers.size * self._packets.packet_bytes
        self._packets.source.fill(self._buffer.data[:n_bytes], self._packets.offset_of(first), "packets")
        np.copyto(headers.view(self._read.dtype), self._read[: headers.size])
        return headers


class TimestampPages:
    """Timestamps of a file that cannot be mapped, indexed by packets; a page that several are on is read once."""

    def __init__(self, packets: PacketReader) -> None:
        self._packets, self._n_each = packets, max(1, _PAGE_BYTES // packets.packet_bytes)
        self._pages: dict[int, NDArray[np.int64]] = {}

    def __getitem__(self, packets: NDArray[np.intp]) -> NDArray[np.int64]:
        unique, places = np.unique(packets, return_inverse=True)
        edges = [0, *(np.flatnonzero(np.diff(unique // self._n_each)) + 1).tolist(), unique.size]
        return np.concatenate([self._ticks_of_page(unique[a:b]) for a, b in pairwise(edges)])[places]

    def _ticks_of_page(self, packets: NDArray[np.intp]) -> NDArray[np.int64]:
        page = int(packets[0]) // self._n_each
        first = page * self._n_each
        if page not in self._pages:
            if packets.size == 1:
                return np.array([self._packets.tick(int(packets[0]))], np.int64)
            self._pages[page] = self._packets.ticks(first, min(first + self._n_each, self._packets.n_packets))
        return self._pages[page][packets - first]


def all_single_sample(headers: NDArray[np.void]) -> bool:
    """Whether these are headers of packets of one sample each."""
    is_single = (headers["header"] == tables.BLOCK_HEADER) & (headers["n_samples"] == 1)
    return bool(np.count_nonzero(is_single) == is_single.size)
