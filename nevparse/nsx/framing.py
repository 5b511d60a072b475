# SPDX-License-Identifier: MIT
"""How an NSx file frames its samples: as blocks, as one-sample packets, or bare behind the headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..errors import Damage, FormatError, Progress, TruncatedFile
from ..format.layout import Layout
from .blocks import BlockIndex, Blocks, BlockWalk, tick_damage
from .headers import NsxHeaders
from .packet_reader import PacketReader
from .packets import PacketIndex
from .segments import RecordedSamples, SampleIndex

_PROBES = 16  # packet headers read, all over the file, before it counts as one sample per packet


def find_samples(headers: NsxHeaders, has_grown: bool = False) -> RecordedSamples:
    """Find every sample of a file."""
    layout = headers.version.block
    if headers.row_bytes == 0:
        index = BlockIndex(headers.source, Blocks([], [], []), 0, headers.clock)
        return RecordedSamples(headers, index, 0, headers.damage)
    if layout is None:
        return _find_bare(headers)
    packets = _one_sample_packets(headers, layout)
    if packets is None:
        return _find_blocks(headers, layout, has_grown)
    return _of_packets(headers, PacketIndex(packets, headers.clock))


def find_more_samples(before: SampleIndex, headers: NsxHeaders, has_grown: bool) -> RecordedSamples:
    """Index a file once more after it has grown, checking that the earlier samples are still in it."""
    layout = headers.version.block
    if isinstance(before, PacketIndex):
        index = before.grown()
        packets = index.packets
        are_packets = before.packets.last_is_complete and not packets.end_in_blocks
        if are_packets and (not index.is_fully_scanned or packets.all_single_sample(before.n_samples)):
            return _of_packets(headers, index)
        known, in_blocks = _as_blocks(before), True
    else:
        known, in_blocks = before, max(before.counts, default=0) > 1
    samples = _find_blocks(headers, layout, has_grown) if layout and in_blocks else find_samples(headers, has_grown)
    if isinstance(samples.index, BlockIndex) and not samples.index.continues(known):
        expected = "the samples that were read before, and perhaps more"
        other = "others: it is a new recording, or a block of it was closed with fewer samples; open it anew"
        raise FormatError(expected, other, path=headers.source.path)
    return samples


def scan_every_packet(samples: RecordedSamples, has_grown: bool, progress: Progress | None) -> RecordedSamples:
    """The same samples with every break found by reading every timestamp; as blocks where probing mistook those."""
    index = samples.index
    if isinstance(index, BlockIndex):
        return samples
    scanned = index.fully_scanned(progress)
    if scanned is not None:
        return replace(samples, index=scanned)
    return _find_blocks(samples.headers, index.packets.layout, has_grown)


def _find_blocks(headers: NsxHeaders, layout: Layout, has_grown: bool) -> RecordedSamples:
    walk = BlockWalk(headers, layout, has_grown)
    index = BlockIndex(headers.source, walk.blocks, headers.row_bytes, headers.clock)
    return RecordedSamples(headers, index, walk.missing_bytes, (*headers.damage, *walk.damage))


def _find_bare(headers: NsxHeaders) -> RecordedSamples:
    """Samples without headers of their own: one block from the file's headers to its end."""
    source, start, row_bytes = headers.source, headers.start, headers.row_bytes
    n_samples, n_left_out = divmod(source.size - start, row_bytes)
    blocks = Blocks([start], [0], [n_samples]) if n_samples else Blocks([], [], [])
    index = BlockIndex(source, blocks, row_bytes, headers.clock)
    missing_bytes = -n_left_out % row_bytes
    damage = (*headers.damage, *_cut_sample(source.size, missing_bytes, row_bytes))
    return RecordedSamples(headers, index, missing_bytes, damage)


def _of_packets(headers: NsxHeaders, index: PacketIndex) -> RecordedSamples:
    packets, size = index.packets, headers.source.size
    missing_bytes = -(size - packets.offset_of(packets.n_packets)) % packets.packet_bytes
    damage = [*headers.damage, *_cut_sample(size, missing_bytes, packets.packet_bytes)]
    if index.first_tick < 0:
        damage.append(tick_damage(packets.start, index.first_tick % packets.layout.n_ticks))
    return RecordedSamples(headers, index, missing_bytes, tuple(damage))


def _cut_sample(size: int, missing_bytes: int, record_bytes: int) -> Iterator[Damage]:
    """The damage of a file whose last record lacks some bytes, if it does."""
    if missing_bytes:
        n_left_out = record_bytes - missing_bytes
        message = f"expected complete samples of {record_bytes} bytes, found {n_left_out} bytes at the end; left out"
        yield Damage("cut-sample", size - n_left_out, message, TruncatedFile)


def _one_sample_packets(headers: NsxHeaders, layout: Layout) -> PacketReader | None:
    """The packets of a file that holds one-sample packets, as PTP systems write; None where it holds blocks.

    Nothing in its headers says so: the first packet, the last and a few between must have one sample each.
    """
    packet_bytes = layout.size + headers.row_bytes
    n_packets = (headers.source.size - headers.start) // packet_bytes
    if not headers.version.may_have_one_sample_packets or n_packets < 2:
        return None
    probes = {0, 1, n_packets - 2, n_packets - 1, *range(0, n_packets, max(1, n_packets // _PROBES))}
    packets = PacketReader(headers.source, layout, headers.start, packet_bytes, n_packets)
    return packets if all(map(packets.is_one_sample_packet, sorted(probes))) else None


def _as_blocks(index: PacketIndex) -> BlockIndex:
    """Packets as blocks of one sample each."""
    packets, header_bytes = index.packets, index.packets.layout.size
    offsets = [packets.offset_of(packet) + header_bytes for packet in range(packets.n_packets)]
    blocks = Blocks(offsets, packets.ticks(0, packets.n_packets).tolist(), [1] * packets.n_packets)
    return BlockIndex(packets.source, blocks, packets.packet_bytes - header_bytes, index.clock)
