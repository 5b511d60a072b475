# SPDX-License-Identifier: MIT
"""Files of one-sample packets while they grow: claims C07 and C08 of `spec_notes/growing.md`."""

from __future__ import annotations

import os

import numpy as np
import pytest
from builders import timing as t
from builders.growing import ends, stamped
from depth import FEWER
from fixture_types import FileOf
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.nsx import gap_search
from nevparse.nsx import packets as nsx_packets
from nevparse.nsx.gap_search import N_NEIGHBOURS
from nevparse.source.file import FileSource
from source.watching import appended, edges_of, is_beginning, quietly, ticks_of


@FEWER
@given(st.data(), stamped())
def test_growing_c07_packets_that_grow_are_the_beginning_of_what_they_become(file_of: FileOf, data, ticks) -> None:
    raw = t.ptp(ticks)
    start = len(raw) - 17 * len(ticks)
    whole = nv.open_nsx(file_of(raw, "whole.ns5")).fully_scanned()
    path = file_of(raw[:start])
    with whole, quietly(path) as ns:
        exact = ns.fully_scanned()
        for at in ends(data.draw, start, len(raw)):
            with open(path, "r+b") as file:
                file.write(raw[:at])
            before = ns.n_samples
            assert ns.refresh() == ns.n_samples - before
            exact.refresh()
            assert ns.n_samples == (at - start) // 17 == exact.n_samples
            for each in (ns, exact):
                is_beginning(each, whole, each.n_final)
        assert ns.n_final == max(0, len(ticks) - N_NEIGHBOURS) if len(ticks) > 1 else 1
        for each in (ns, exact):
            assert edges_of(each) == edges_of(whole)
            assert each.gaps == whole.gaps


def test_growing_c07_a_group_out_of_order_is_judged_with_its_neighbours(file_of: FileOf) -> None:
    raw = t.ptp(t.shuffled(t.stamps(130), {60: [3, 0, 4, 1, 2]}))
    start = len(raw) - 17 * 130
    path = file_of(raw)
    for n in range(50, 100):
        os.truncate(path, start + 17 * n)
        with nv.open_nsx(path) as ns:
            exact = ns.fully_scanned()
            assert len(ns.segments) == len(exact.segments)  # more than one where it ends within the group
            appended(path, raw)
            for each in (ns, exact):
                assert each.refresh() == 130 - n
                assert edges_of(each) == [(0, t.BOOT_NS)]


def test_growing_c07_an_exact_file_sees_that_what_is_new_is_no_packet(file_of: FileOf) -> None:
    raw = t.hidden_block()
    path = file_of(raw[: -39 * 110])
    with nv.open_nsx(path) as ns:
        probed, exact = ns, ns.fully_scanned()
        appended(path, raw)
        assert (probed.refresh(), probed.has_sample_timestamps) == (110, True)
        assert (exact.refresh(), exact.has_sample_timestamps, exact.n_samples) == (111, False, 204)
        assert ns.fully_scanned().n_samples == 204


def test_growing_c07_room_that_was_made_holds_no_packets(file_of: FileOf) -> None:
    ticks = t.stamps(200, breaks={60: 5})
    raw = t.ptp(ticks)
    start = len(raw) - 17 * 200
    path = file_of(raw[: start + 17 * 20])
    with nv.open_nsx(path) as ns:
        for n in (20, 25, 61, 62, 199, 200):
            with open(path, "r+b") as file:
                file.write((raw[: start + 17 * n] + bytes(17 * 500))[: start + 17 * 500 + 5])
            ns.refresh()
            assert ns.n_samples == n
            np.testing.assert_array_equal(ticks_of(ns), ticks[:n])
        assert [segment.n_samples for segment in ns.segments] == [61, 139]


def test_growing_c08_a_look_reads_what_is_new(file_of: FileOf, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = t.stamps(70_000, breaks={500: 3, 40_000: 5})
    raw = t.ptp(ticks)
    start = len(raw) - 17 * len(ticks)
    path = file_of(raw[: start + 17 * 69_000])
    n_read = 0

    def counted(self: FileSource, n_bytes: int, offset: int) -> bytes:
        nonlocal n_read
        n_read += n_bytes
        return real(self, n_bytes, offset)

    with nv.open_nsx(path) as ns:
        assert len(ns.segments) == 3
        real = FileSource._read_at
        monkeypatch.setattr(FileSource, "_read_at", counted)
        for n in range(69_100, 70_100, 100):
            with open(path, "r+b") as file:
                file.write(raw[: start + 17 * n])
            n_read = 0
            assert ns.refresh() == 100
            assert len(ns.segments) == 3
            assert n_read < 17 * 100 + 3 * 17 * N_NEIGHBOURS + len(raw[:start]) + 500
        n_read = 0
        assert ns.refresh() == 0
        assert n_read < len(raw[:start]) + 500


def test_growing_c08_probing_goes_on_where_it_stood(file_of: FileOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gap_search, "PROBE_STRIDE", 256)
    monkeypatch.setattr(nsx_packets, "find_gaps", lambda stamps, clock: gap_search.find_gaps(stamps, clock, 256))
    ticks = t.stamps(9000, drift_ppm=20, breaks={1500: 2, 2047: 1, 5555: 40, 8000: 3})
    raw = t.ptp(ticks)
    start = len(raw) - 17 * len(ticks)
    path = file_of(raw[: start + 17 * 2048])
    with nv.open_nsx(path) as ns:
        for n in (2060, 6000, 9000):
            with open(path, "r+b") as file:
                file.write(raw[: start + 17 * n])
            ns.refresh()
            assert [first for first, _ in edges_of(ns)] == [k for k in (0, 1501, 2048, 5556, 8001) if k < n]


@given(st.integers(2, 9), st.integers(0, 16), st.integers(0, 16))
def test_growing_c01_a_cut_sample_is_damage_before_and_after_a_poll(file_of: FileOf, n: int, cut: int, more) -> None:
    raw = t.ptp(t.stamps(12))
    start = len(raw) - 17 * 12
    path = file_of(raw[: start + 17 * n + cut])
    with quietly(path) as ns:
        for end in (start + 17 * n + cut, start + 17 * (n + 1) + more):
            appended(path, raw[:end])
            ns.refresh()
            with quietly(path) as fresh:
                assert (ns.damage, ns.missing_bytes) == (fresh.damage, fresh.missing_bytes)


STRANGE = [0, 1, 2**63 - 1, 2**63, 2**64 - 1, t.BOOT_NS, t.BOOT_NS + 16_667]


@FEWER
@given(
    st.data(), stamped(), st.lists(st.tuples(st.integers(0, 300), st.sampled_from(STRANGE) | st.integers(0, 2**64 - 1)))
)
def test_growing_c07_any_timestamps_are_judged_as_in_a_file_opened_afresh(
    file_of: FileOf, data, ticks, changed
) -> None:
    mutated = np.array(ticks, np.uint64)
    for packet, tick in changed:
        mutated[packet % len(mutated)] = tick if packet % 3 else mutated[tick % len(mutated)]
    mutated[0] = data.draw(st.sampled_from([mutated[0], 2**63]))
    raw = t.ptp(mutated)
    start = len(raw) - 17 * len(mutated)
    path = file_of(raw[: start + 17 * data.draw(st.sampled_from([0, 2]))])
    with quietly(path) as ns:
        exact = ns.fully_scanned()
        for at in ends(data.draw, os.path.getsize(path), len(raw)):
            with open(path, "r+b") as file:
                file.write(raw[:at])
            with quietly(path) as fresh:
                for grown, opened in ((ns, fresh), (exact, fresh.fully_scanned())):
                    grown.refresh()
                    assert (edges_of(grown), grown.gaps, grown.damage) == (edges_of(opened), opened.gaps, opened.damage)
                    np.testing.assert_array_equal(ticks_of(grown), ticks_of(opened))
