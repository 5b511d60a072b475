# SPDX-License-Identifier: MIT
"""How the samples of an NSx file are framed, and the walk from block to block.

A recorder that dies leaves a header that was never completed, a copy that broke off leaves a block without its end,
and other tools leave bytes that are no header at all. The walk keeps every whole sample before such a place and says
what it met.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from ..clock import Clock
from ..errors import Damage, FormatError, TruncatedFile
from ..format import tables
from ..format.layout import Layout
from ..source.base import Source
from .index import BlockIndex
from .packets import PacketIndex, SampleIndex

_PROBES = 16  # headers looked at, evenly over the file, before it counts as one sample per packet
_LOOK_AHEAD = 4  # blocks that must follow each other before zero samples count as an empty block
_SHORT_BYTES = 8192
_WINDOW_BYTES = 65536
_AHEAD_ROWS = 1 << 20  # a growing file's header may count more than its size had when that was asked for
_PLAUSIBLE_S = 3600  # how far ahead a block that was cut short may start and still be taken for one


class Framing(NamedTuple):
    """How samples stand in a file: its version, where the data starts, the bytes of one sample of all channels."""

    found: tables.NsxVersion
    start: int
    row_bytes: int


def find_samples(
    source: Source, frame: Framing, clock: Clock, damage: list[Damage], grows: bool = False
) -> tuple[SampleIndex, int]:
    """Locate every sample of a file; also how many bytes of it are missing. What is odd is added to `damage`."""
    block = frame.found.block
    if frame.row_bytes == 0:
        return BlockIndex([], 0, clock), 0
    if block is None or has_one_sample_packets(source, frame):
        return _fixed_size_records(source, frame, clock, damage)
    return index_blocks(source, block, frame, clock, damage, grows)


def find_samples_again(
    before: SampleIndex, source: Source, frame: Framing, clock: Clock, damage: list[Damage], grows: bool
) -> tuple[SampleIndex, int]:
    """The same as `find_samples` for a file that was looked at `before`, and has grown since if it `grows`.

    Raises
    ------
    FormatError
        Where samples that were there before are not there now.
    """
    block = frame.found.block
    found: SampleIndex
    if isinstance(before, PacketIndex):
        index = before.grown()
        if not index.ends_in_blocks and (not index.is_fully_scanned or index.all_single_sample(before.n_packets)):
            return index, -(source.size - index.offset_of(index.n_packets)) % index.packet_bytes
        known, in_blocks = before.as_blocks(), True
    else:
        known, in_blocks = before, max(before.counts, default=0) > 1
    if block and in_blocks:
        found, missing_bytes = index_blocks(source, block, frame, clock, damage, grows)
    else:
        found, missing_bytes = find_samples(source, frame, clock, damage, grows)
    if isinstance(found, BlockIndex) and not found.continues(known):
        expected = "the samples there were before, and perhaps more"
        other = "others: it was begun anew, or a block of it was closed with fewer samples; open it again"
        raise FormatError(expected, other, path=source.path)
    return found, missing_bytes


def index_blocks(
    source: Source, block: Layout, frame: Framing, clock: Clock, damage: list[Damage], grows: bool = False
) -> tuple[BlockIndex, int]:
    """Locate samples by going from block to block."""
    walk = BlockWalk(source, block, frame, clock.tick_rate, grows)
    damage += walk.damage
    blocks = walk.blocks
    if block.size == tables.NSX_BLOCK.size and any(after[1] < before[1] for before, after in pairwise(blocks)):
        blocks = list(clock.unroll(blocks))
    return BlockIndex(blocks, frame.row_bytes, clock), walk.missing_bytes


def _fixed_size_records(source: Source, frame: Framing, clock: Clock, damage: list[Damage]) -> tuple[SampleIndex, int]:
    (_, start, row_bytes), block = frame, frame.found.block
    record_bytes = row_bytes + (block.size if block else 0)
    n_records, rest = divmod(source.size - start, record_bytes)
    if rest:
        message = f"expected whole samples of {record_bytes} bytes, found {rest} at the end; left out"
        damage.append(Damage("cut-sample", source.size - rest, message, TruncatedFile))
    missing_bytes = -rest % record_bytes
    if block:
        return PacketIndex(source, block, start, n_records, row_bytes, clock), missing_bytes
    return BlockIndex([(start, 0, n_records)] if n_records else [], row_bytes, clock), missing_bytes


def has_one_sample_packets(source: Source, frame: Framing) -> bool:
    """Whether a file holds one sample per packet, as PTP systems write, and not blocks.

    The version and the timestamp resolution are the same for both, so the packets decide: header byte 1 and one
    sample in the first, the last and a few between, all at the distance of one-sample packets.
    """
    found, start, row_bytes = frame
    if not found.packets or found.block is None:
        return False
    stride = found.block.size + row_bytes
    n_packets = (source.size - start) // stride
    if n_packets < 2:
        return False
    probes = {0, 1, n_packets - 2, n_packets - 1, *range(0, n_packets, max(1, n_packets // _PROBES))}
    headers = (found.block.read(source, start + at * stride) for at in sorted(probes))
    return all(header["header"] == tables.BLOCK_HEADER and header["n_samples"] == 1 for header in headers)


class BlockWalk:
    """Hops from block to block; keeps what is whole and says what is not.

    After construction, `blocks` holds (offset of the first row, tick, samples) of every block that has samples,
    `missing_bytes` what the headers promise and the file lacks, `damage` what was odd and where.
    """

    def __init__(self, source: Source, block: Layout, frame: Framing, tick_rate: int, grows: bool = False) -> None:
        self._source, self._row_bytes, self._grows = source, frame.row_bytes, grows
        self._header, self._unpack = block.size, block.packer.unpack_from
        self._plausible_ticks = _PLAUSIBLE_S * tick_rate
        self._least_open = 2 if frame.found.packets else 1  # one-sample packets are whole: they never grow
        self.blocks: list[tuple[int, int, int]] = []
        self.missing_bytes = 0
        self.damage: list[Damage] = []
        self._hop(frame.start)

    def _hop(self, at: int) -> None:
        size, header_bytes, row_bytes = self._source.size, self._header, self._row_bytes
        window, begin, hop = b"", at, size
        while at < size:
            if at + header_bytes > begin + len(window):  # short blocks are read many at a time, long ones hopped over
                begin, window = at, self._source.peek(header_bytes if hop > _SHORT_BYTES else _WINDOW_BYTES, at)
                if len(window) < header_bytes and window and self._is_old(window[0], 0, at):
                    self._go_on(at)
                    return
                if len(window) < header_bytes:
                    self._cut(at, header_bytes - len(window), "a block header")
                    return
            flag, tick, count = self._unpack(window, at - begin)
            if self._is_old(flag, count, at):
                self._go_on(at)
                return
            if flag != tables.BLOCK_HEADER:
                message = f"expected a block header (byte 1), found {flag}; the last {size - at} bytes are left out"
                self.damage.append(Damage("no-block-header", at, message))
                return
            rows = at + header_bytes
            whole = (size - rows) // row_bytes
            if count > whole or (count == 0 and not self._empty(rows, tick)):
                self._last(at, tick, count, whole)
                return
            if count:
                self.blocks.append((rows, tick, count))
            hop = header_bytes + count * row_bytes
            at += hop

    def _last(self, at: int, tick: int, count: int, whole: int) -> None:
        rows = at + self._header
        there = self._source.size - rows
        if whole:
            self.blocks.append((rows, tick, whole))
        if count == 0:
            message = f"expected a sample count, found 0 before {there} bytes of data: the recorder did not close it"
            self.damage.append(Damage("open-block", at, f"{message}; {whole} samples kept", TruncatedFile))
            self.missing_bytes = -there % self._row_bytes
        else:
            self._cut(at, count * self._row_bytes - there, f"a block of {count} samples", f"; {whole} samples kept")

    def _is_old(self, flag: int, count: int, at: int) -> bool:
        """Whether the count that led here is from before the file grew: no header stands here, or none that can be."""
        most = (self._source.size - at) // self._row_bytes + _AHEAD_ROWS
        is_open = self._grows and self.blocks and self.blocks[-1][2] >= self._least_open
        return bool(is_open) and (flag != tables.BLOCK_HEADER or count > most)

    def _go_on(self, at: int) -> None:
        rows, tick, count = self.blocks[-1]
        whole, rest = divmod(self._source.size - rows, self._row_bytes)
        self.blocks[-1], self.missing_bytes = (rows, tick, whole), -rest % self._row_bytes
        message = f"expected a block header behind {count} samples, found more of them, not counted yet; {whole} kept"
        self.damage.append(Damage("open-block", at, message, TruncatedFile))

    def _cut(self, at: int, missing_bytes: int, what: str, kept: str = "") -> None:
        self.missing_bytes = missing_bytes
        message = f"expected {what}, found the end of the file {missing_bytes} bytes too early{kept}"
        self.damage.append(Damage("cut-block", at, message, TruncatedFile))

    def _empty(self, at: int, tick: int) -> bool:
        """Whether a block that says zero samples means it: nothing follows, or another block does."""
        return at == self._source.size or self._chain(at, tick, _LOOK_AHEAD)

    def _chain(self, at: int, tick: int, depth: int) -> bool:
        header = self._source.peek(self._header, at)
        if len(header) < self._header:
            return at == self._source.size
        flag, next_tick, count = map(int, self._unpack(header))
        if flag != tables.BLOCK_HEADER:
            return False
        end = at + self._header + count * self._row_bytes
        if end > self._source.size:
            return 0 <= next_tick - tick <= self._plausible_ticks
        return depth == 0 or self._chain(end, next_tick, depth - 1)


def block_header(layout: Layout, tick: int, n_samples: int) -> bytes:
    """What stands before the rows of a block; ticks run over as the recorder's do."""
    return layout.with_values(
        bytes(layout.size),
        header=tables.BLOCK_HEADER,
        tick=tick % layout.n_ticks,
        n_samples=n_samples,
    )
