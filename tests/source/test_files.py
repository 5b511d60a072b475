# SPDX-License-Identifier: MIT
"""The map of a file: portable without POSIX calls, valid after close, exact beyond 4 GiB, guarded when it shrinks."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import FileOf

import nevparse as nv
from nevparse.source.file import FileSource


@pytest.fixture(params=["posix", "portable"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same test with the system's positional reads, and without."""
    if request.param == "posix" and not hasattr(os, "preadv"):
        pytest.skip("os.preadv is not there")
    if request.param == "portable":
        monkeypatch.delattr(os, "pread", raising=False)
        monkeypatch.delattr(os, "preadv", raising=False)


@pytest.fixture
def source(file_of: FileOf) -> Iterator[FileSource]:
    source = FileSource(file_of(bytes(range(100))))
    yield source
    source.close()


@pytest.mark.usefixtures("either_way")
def test_reading_by_position_gives_what_stands_there(source: FileSource) -> None:
    assert source.peek(4, 10) == bytes([10, 11, 12, 13])
    assert source.peek(50, 90) == bytes(range(90, 100)), "fewer only where the file ends"
    assert source.peek(5, 100) == source.peek(5, 500) == b""
    assert source.read(2, 98) == b"\x62\x63"
    with pytest.raises(nv.FormatError, match="byte 98: expected 3 bytes of data, found 2 before the end of the file"):
        source.read(3, 98)
    buffer = memoryview(bytearray(8))
    assert source.readinto(buffer, 95) == 5
    assert bytes(buffer) == bytes([95, 96, 97, 98, 99, 0, 0, 0])
    assert source.readinto(buffer, 0) == 8


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("kind", b.KINDS)
def test_files_and_exports_are_the_same_either_way(file_of: FileOf, tmp_path: Path, kind: str) -> None:
    raw, samples = b.plausible(kind, 4, (30,))
    with nv.open_nsx(file_of(raw)) as ns:
        np.testing.assert_array_equal(ns.read(), samples)
        nv.write_bin(ns, tmp_path / "o.bin", channels=[3, 1])
    assert (tmp_path / "o.bin").read_bytes() == samples[:, [3, 1]].tobytes()


@pytest.mark.usefixtures("either_way")
def test_a_file_read_in_pieces_is_put_together(source: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = source._readinto_at
    monkeypatch.setattr(source, "_readinto_at", lambda buffer, offset: whole(buffer[:3], offset))
    buffer = memoryview(bytearray(20))
    assert source.readinto(buffer, 7) == 20
    assert bytes(buffer) == bytes(range(7, 27))


@pytest.mark.parametrize("kind", b.KINDS)
def test_arrays_stay_valid_after_close_and_the_handle_does_not(file_of: FileOf, kind: str) -> None:
    raw, samples = b.plausible(kind, 2, (6,))
    ns = nv.open_nsx(file_of(raw))
    before, ticks = ns.segments[0].samples, ns.segments[0].ticks()
    ns.close()
    ns.close()
    assert ns.closed
    np.testing.assert_array_equal(before, samples)
    assert len(ticks) == 6
    with pytest.raises(ValueError, match="closed"):
        ns.read()


def test_a_closed_file_says_so(source: FileSource) -> None:
    source.close()
    for attempt in (lambda: source.peek(1, 0), lambda: source.view(np.dtype("u1"), (3,), 0)):
        with pytest.raises(ValueError, match="closed"):
            attempt()


@pytest.mark.parametrize("kind", b.KINDS)
def test_a_closed_file_is_let_go_of_though_its_object_lives(file_of: FileOf, kind: str) -> None:
    from builders.handles import open_files

    before = open_files()
    with nv.open_nsx(file_of(b.plausible(kind)[0])) as ns:
        assert [segment.samples.sum() for segment in ns.segments]
        assert ns.segments[0].ticks()[0] >= 0
        assert ns.gaps is not None
    assert open_files() == before, "nothing the object keeps holds the map"
    assert ns.closed


@pytest.mark.parametrize(
    ("shape", "offset", "row_bytes"),
    [((101,), 0, None), ((1,), 100, None), ((50,), 51, None), ((1,), -1, None), ((2, 2), 0, 99), ((2**62,), 0, None)],
)
def test_no_view_reaches_beyond_the_file(source: FileSource, shape, offset, row_bytes) -> None:
    with pytest.raises(nv.FormatError, match=r"expected .* bytes, found"):
        source.view(np.dtype("u1"), shape, offset, row_bytes)


def test_views_are_read_only_strided_and_share_one_map(source: FileSource) -> None:
    rows = source.view(np.dtype("u1"), (3, 2), 10, 30)
    assert rows.tolist() == [[10, 11], [40, 41], [70, 71]]
    assert source.view(np.dtype("u1"), (0, 5), 100).shape == (0, 5)
    assert source.view(np.dtype("<u2"), (2, 2), 1).tolist() == [[0x0201, 0x0403], [0x0605, 0x0807]], "unaligned"
    assert not rows.flags.writeable
    assert np.shares_memory(rows, source.view(np.dtype("u1"), (100,), 0))


def test_a_file_that_shrank_is_not_mapped(file_of: FileOf) -> None:
    path = file_of(b.plausible("2.3", 2, (50,))[0])
    with nv.open_nsx(path) as ns:
        os.truncate(path, 500)
        with pytest.raises(nv.FormatError, match="as when it was opened, found fewer"):
            ns.read()


def test_offsets_beyond_4_gib_are_exact(tmp_path: Path) -> None:
    """Two blocks, the first of 4 GiB of holes: what is behind it is found, viewed, counted and exported."""
    path, rows = tmp_path / "large.ns5", (1 << 30) + 7
    head, tail = b.nsx([], "2.3"), b.ramp(5, 2)
    with open(path, "wb") as file:
        file.write(head + struct.pack("<BII", 1, 0, rows))
        file.seek(rows * 4, os.SEEK_CUR)
        assert file.write(b.block("2.3", 3_000_000_000, tail))
    if getattr(os.stat(path), "st_blocks", 1 << 30) * 512 > 1 << 24:
        pytest.skip("this file system has no holes")
    with nv.open_nsx(path) as ns:
        assert [segment.n_samples for segment in ns.segments] == [rows, 5]
        assert next(ns.segments[1].extents(0, 1)).offset > 1 << 32
        np.testing.assert_array_equal(ns.segments[1].samples, tail)
        assert ns.read(rows - 3, None, segment=0).tolist() == [[0, 0]] * 3
        assert ns.segments[0].ticks(rows - 1).tolist() == [rows - 1]
        nv.write_bin(ns, tmp_path / "o.bin", channels=[1], start_tick=3_000_000_000)
    assert (tmp_path / "o.bin").read_bytes() == tail[:, 1].tobytes()
