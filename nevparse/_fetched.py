# SPDX-License-Identifier: MIT
"""Timestamps of a file that cannot be mapped, read when they are asked for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ._breaks import Stamps

_PAGE_BYTES = 1 << 16


class Fetched:
    """Timestamps that can be indexed by packets, as those of a mapped file can.

    Where several of one page of the file are asked for, it is read and kept; one alone is read by itself. So a search
    for a few of them costs a few bytes, and one for very many reads the file once.

    Parameters
    ----------
    stamps : Stamps
        What reads them.
    packet_bytes : int
        From one to the next.
    """

    def __init__(self, stamps: Stamps, packet_bytes: int) -> None:
        self._stamps, self._n_each = stamps, max(1, _PAGE_BYTES // packet_bytes)
        self._pages: dict[int, NDArray[np.uint64]] = {}

    def __getitem__(self, packets: NDArray[np.intp]) -> NDArray[np.uint64]:
        wanted, places = np.unique(packets, return_inverse=True)
        edges = [0, *(np.flatnonzero(np.diff(wanted // self._n_each)) + 1).tolist(), wanted.size]
        return np.concatenate([self._of_one_page(wanted[a:b]) for a, b in pairwise(edges)])[places]

    def _of_one_page(self, packets: NDArray[np.intp]) -> NDArray[np.uint64]:
        page = int(packets[0]) // self._n_each
        first = page * self._n_each
        if page not in self._pages:
            if packets.size == 1:
                return np.array([self._stamps.at(int(packets[0]))], np.uint64)
            self._pages[page] = self._stamps.span(first, min(first + self._n_each, self._stamps.n_packets))
        return self._pages[page][packets - first]
