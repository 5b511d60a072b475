# SPDX-License-Identifier: MIT
"""Threads share one open file: each gets the bytes of the place it asks for, whatever the others do meanwhile."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterable
from io import BytesIO
from threading import Event, Thread

import numpy as np
import pytest
from builders import timing as t
from depth import searched
from fixture_types import FileOf

import nevparse as nv
from nevparse.nsx import packet_reader, scan
from nevparse.source import threads
from nevparse.source.file import FileSource
from nevparse.source.threads import shared_with_second_thread

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


@pytest.mark.parametrize("failing", ["", "mine", "others", "both"])
def test_sources_c14_every_piece_is_done_and_the_error_of_either_thread_is_raised(failing: str) -> None:
    done, n_before, me = list[int](), threading.active_count(), threading.get_ident()

    def work(pieces: Iterable[int]) -> None:
        whose = "mine" if threading.get_ident() == me else "others"
        for piece in pieces:
            time.sleep(0.001)
            if failing in (whose, "both"):
                raise OSError(whose)
            done.append(piece)

    def share() -> None:
        with shared_with_second_thread(work, range(20)) as pieces:
            work(pieces)

    if failing:
        with pytest.raises(OSError, match="mine|others" if failing == "both" else failing):  # of both the first one
            share()
        assert len(done) < 20
    else:
        share()
        assert sorted(done) == [*range(20)]
    assert threading.active_count() == n_before


def test_sources_c14_what_is_left_is_done_by_the_second_thread() -> None:
    done = list[int]()
    with shared_with_second_thread(done.extend, range(1000)):
        pass
    assert done == [*range(1000)]


def test_sources_c14_ctrl_c_while_the_second_thread_starts_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Thread):
        def start(self) -> None:
            super().start()
            raise KeyboardInterrupt

    done = list[int]()

    def work(pieces: Iterable[int]) -> None:
        for piece in pieces:
            time.sleep(0.01)
            done.append(piece)

    monkeypatch.setattr(threads, "Thread", Interrupted)
    with pytest.raises(KeyboardInterrupt), shared_with_second_thread(work, range(1000)):
        raise AssertionError("not reached")
    assert len(done) <= 2
    assert "nevparse-second" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many parts of little data."""
    monkeypatch.setattr(packet_reader, "_READ_BYTES", 100)
    monkeypatch.setattr(packet_reader, "_FEWEST_SHARED", 3)
    monkeypatch.setattr(scan, "_JUDGED_BYTES", 400)
    monkeypatch.setattr(scan, "_TIMED_PACKETS", 10)


TICKS = t.stamps(300, breaks={50: 1, 150: -400, 299 - 7: 3}, jitter_ns=300)


@pytest.mark.usefixtures("small_parts")
def test_sources_c14_a_scan_reads_a_file_with_two_threads_and_an_object_with_one(
    file_of: FileOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, readers, readinto = t.ptp(TICKS), set(), FileSource.readinto

    def noted(self: FileSource, buffer: memoryview, offset: int) -> int:
        readers.add(threading.current_thread().name)
        return readinto(self, buffer, offset)

    class Remote(BytesIO):
        def read(self, n_bytes: int | None = -1, /) -> bytes:
            assert threading.current_thread() is threading.main_thread()
            return super().read(n_bytes)

    monkeypatch.setattr(FileSource, "readinto", noted)
    for openable in (file_of(data), data, Remote(data)):
        with nv.open_nsx(openable) as ns:
            scanned = ns.fully_scanned()
            np.testing.assert_array_equal(np.concatenate([part.ticks() for part in scanned.segments]), TICKS)
            assert [gap.missing_samples for gap in scanned.gaps] == [1, -400, 3]
    assert readers == {threading.main_thread().name, "nevparse-second"}


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("n_left", range(500, 3000, 250))
def test_sources_c14_a_file_that_becomes_shorter_in_a_scan_is_an_error_and_leaves_no_thread(
    file_of: FileOf, monkeypatch: pytest.MonkeyPatch, n_left: int
) -> None:
    readinto = FileSource._readinto_at

    def shorter(self: FileSource, buffer: memoryview, offset: int) -> int:
        return readinto(self, buffer[: max(0, n_left - offset)], offset)

    with nv.open_nsx(file_of(t.ptp(TICKS))) as ns:
        monkeypatch.setattr(FileSource, "_readinto_at", shorter)
        with pytest.raises(nv.FormatError, match="before the end of the file"):
            ns.fully_scanned()
    assert "nevparse-second" not in [thread.name for thread in threading.enumerate()]
