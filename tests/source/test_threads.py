# SPDX-License-Identifier: MIT
"""Threads share one open file: each gets the bytes of the place it asks for, whatever the others do meanwhile."""

from __future__ import annotations

import struct
from threading import Event, Thread

import pytest
from depth import searched
from fixture_types import FileOf

from nevparse.source.file import FileSource

N_RECORDS = 4096
RECORDS = b"".join(struct.pack("<Q", number) for number in range(N_RECORDS))


@searched("n_reads", 40_000, 1_000_000)
@pytest.mark.parametrize("into_buffer", [False, True], ids=["read", "readinto"])
def test_sources_c13_two_threads_read_while_a_third_maps(file_of: FileOf, n_reads: int, into_buffer: bool) -> None:
    """To map a file Python seeks to its beginning on Windows, where a seek and a read would be two calls."""
    source, is_over, n_wrong = FileSource(file_of(RECORDS)), Event(), [0, 0]

    def read(thread: int) -> None:
        buffer = memoryview(bytearray(8))
        for k in range(n_reads // 2):
            number = (k * 7919 + thread) % N_RECORDS
            if into_buffer:
                source.readinto(buffer, 8 * number)
            else:
                buffer = memoryview(source.read(8, 8 * number))
            n_wrong[thread] += bytes(buffer) != RECORDS[8 * number : 8 * number + 8]

    def map_anew() -> None:
        while not is_over.is_set():
            source._map = None
            source._buffer(8, 0)

    readers, mapper = [Thread(target=read, args=(k,)) for k in range(2)], Thread(target=map_anew)
    for thread in (mapper, *readers):
        thread.start()
    for thread in readers:
        thread.join()
    is_over.set()
    mapper.join()
    source.close()
    assert n_wrong == [0, 0]
