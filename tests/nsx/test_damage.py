# SPDX-License-Identifier: MIT
"""Every version cut at every byte and flipped at random: documented exceptions and warnings, and nothing else."""

from __future__ import annotations

import random
import struct
import tracemalloc
import warnings
from functools import lru_cache

import numpy as np
import pytest
from builders import nsx as b
from depth import searched
from fixture_types import FileOf
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.nsx.file import NsxFile

DOCUMENTED = (nv.NevParseError, ValueError, KeyError)  # a request for what a damaged file no longer has

# How every public method is called; attributes and properties are read without being listed here.
CALLS = {
    "columns": lambda ns: ns.columns(electrodes=ns.electrode_ids[:1]),
    "read": lambda ns: [ns.read(1, 7, unit=unit, segment=-1) for unit in ("raw", "uV")],
    "chunks": lambda ns: [chunk.samples.sum() for chunk in ns.chunks(3, channels=slice(0, 2))],
    "readinto": lambda ns: ns.readinto(memoryview(bytearray(50)), max(0, ns.size_bytes - 20)),
    "datetime": lambda ns: ns.datetime(2**33),
    "seconds": lambda ns: ns.seconds([0, 2**40]),
    "tick_at": lambda ns: ns.tick_at(0.5),
    "gap_between": lambda ns: [ns.gap_between(0, k) for k in range(1, len(ns.segments))],
    "locate": lambda ns: ns.locate([0, 1, 2**40]),
    "traces": lambda ns: [ns.traces(gaps=gaps, max_fill=1e9)[-9:, 0] for gaps in ("join", "fill")],
    "planned": lambda ns: [rows.n_channels for rows in ns.planned([])],
    "changes": lambda ns: ns.changes([]),
    "check_fill": lambda ns: ns.check_fill([], 1.0),
    "arranged_for": lambda ns: ns.arranged_for("fill"),
    "describe_inputs": lambda ns: ns.describe_inputs([], ns.columns(), []),
    "close": lambda ns: ns.close(),
}
SEGMENT_CALLS = {
    "ticks": lambda segment: segment.ticks(1, 5),
    "seconds": lambda segment: segment.seconds(origin_tick=segment.start_tick),
    "find": lambda segment: segment.find(segment.start_tick + 2),
    "within": lambda segment: segment.within(segment.start_tick + 2, None),
    "extents": lambda segment: [extent[1:] for extent in segment.extents(0, segment.n_samples)],
    "timestamped": lambda segment: list(segment.timestamped(1, segment.n_samples)),
    "timed_parts": lambda segment: [part[:2] for part in segment.timed_parts(1, segment.n_samples)],
    "ticks_of": lambda segment: segment.ticks_of(np.arange(segment.n_samples)[::-1]),
}


def public(item):
    return _public(type(item), frozenset(getattr(item, "__dict__", ())))


@lru_cache
def _public(kind, attributes):
    names = {name for name in {*dir(kind), *attributes} if not name.startswith("_")}
    return sorted(names, key=lambda name: (name == "close", name))


def touch(item, calls):
    """Read every public attribute, call every public method; an exception must be a documented one."""
    for name in public(item):
        try:
            value = getattr(item, name)
            if callable(value):
                calls.get(name, lambda _, value=value: value())(item)
        except DOCUMENTED:  # noqa: PERF203 - each on its own
            pass


def exercise(path, thorough=True):
    """Open a file and use all of it, or (in half the time) what most people use; None where it is refused."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", nv.NevParseWarning)
        try:
            ns = nv.open_nsx(path)
        except nv.FormatError:
            return None
        with ns:
            n_samples = ns.n_samples
            assert sum(segment.n_samples for segment in ns.segments) == n_samples
            assert n_samples * ns.n_channels * ns.dtype.itemsize <= ns.size_bytes, "no more than the file holds"
            assert len(ns.channels) == ns.n_channels
            if thorough:
                for segment in ns.segments[-1:]:
                    touch(segment, SEGMENT_CALLS)
                touch(ns, CALLS)
            elif ns.segments:
                ns.read(unit="uV", segment=-1)
                assert len(ns.gaps) == len(ns.segments) - 1
        assert ns.closed
        return n_samples


def test_every_public_method_is_called(file_of: FileOf) -> None:
    """A method that is added takes part above once it can be called without arguments, or is listed."""
    with nv.open_nsx(file_of(b.plausible("2.3")[0])) as ns:
        for item, calls in ((ns, CALLS), (ns.segments[0], SEGMENT_CALLS)):
            for name in public(item):
                value = getattr(item, name)
                if callable(value) and name != "close":
                    calls.get(name, lambda _, value=value: value())(item)


@searched("step", 11, 1)
@pytest.mark.parametrize("kind", b.KINDS)
def test_a_file_cut_at_every_byte_keeps_all_its_whole_samples(file_of: FileOf, kind: str, step) -> None:
    data, _ = b.plausible(kind, 2, (5, 4))
    row = 2 * np.dtype(b.sample_type(kind)).itemsize
    head = len(b.nsx([], kind))
    header = {"2.1": 0, "3.0": 13, "ptp": 13}.get(kind, 9)
    ends = []  # where each sample is whole
    at = head
    for n in (5, 4):
        for k in range(n):
            at += row + (header if k == 0 or kind == "ptp" else 0)
            ends.append(at)
    assert ends[-1] == len(data)
    for size in range(0, len(data) + 1, step):
        got = exercise(file_of(data[:size]))
        assert got == (None if size < head else sum(end <= size for end in ends)), f"cut at byte {size}"


@searched("n_flips", 150, 2000)
@pytest.mark.parametrize("kind", b.KINDS)
def test_random_flips_give_documented_exceptions_and_warnings_only(file_of: FileOf, kind: str, n_flips) -> None:
    data, _ = b.plausible(kind, 2, (5, 4))
    path = file_of(data)
    rng = random.Random(f"{kind} flips")
    refused = 0
    with open(path, "r+b", buffering=0) as file:  # one file, mended after each try: making 2000 costs more than reading
        for k in range(n_flips):
            flipped = bytearray(data)
            for _ in range(rng.choice((1, 1, 2, 8))):
                flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            file.seek(0)
            file.write(flipped)
            refused += exercise(path, thorough=k % 8 == 0) is None
    assert 0 < refused < n_flips / 2, "most damage leaves something to read"


FIELDS = {"header_bytes": (10, "<I"), "period": (286, "<I"), "tick_rate": (290, "<I"), "n_channels": (310, "<I")}
EDGES = st.sampled_from([0, 1, 2, 2**15, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1])


@given(
    kind=st.sampled_from([kind for kind in b.KINDS if kind != "2.1"]),
    fields=st.dictionaries(st.sampled_from(sorted(FIELDS)), EDGES | st.integers(0, 2**32 - 1), max_size=3),
    block=st.none() | st.tuples(EDGES, EDGES),
    tail=st.binary(max_size=40),
)
def test_hostile_headers_cost_no_memory(file_of: FileOf, kind: str, fields, block, tail) -> None:
    data = bytearray(b.plausible(kind)[0])
    for name, value in fields.items():
        at, code = FIELDS[name]
        struct.pack_into(code, data, at, value)
    if block is not None:
        at = 314 + 3 * 66
        struct.pack_into("<BQI" if kind in ("3.0", "ptp") else "<BII", data, at, 1, *block)
    path = file_of(bytes(data) + tail)
    tracemalloc.start()
    try:
        exercise(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000, f"{peak} bytes for a file of {len(data)}"


@searched("n_tries", 30, 200)
@pytest.mark.parametrize("kind", b.KINDS)
def test_any_bytes_behind_the_headers_are_survived(file_of: FileOf, kind: str, n_tries) -> None:
    rng = np.random.default_rng(3)
    head = b.nsx([], kind)
    for k in range(n_tries):
        junk = rng.integers(0, 3 if k % 2 else 256, int(rng.integers(0, 120))).astype(np.uint8).tobytes()
        assert exercise(file_of(head + junk)) is not None


def test_a_warning_counts_what_it_does_not_list(file_of: FileOf) -> None:
    data = bytearray(b.nsx([(0, b.ramp(3, 2))], header_bytes=1))
    data[290:294] = bytes(4)
    with pytest.warns(nv.DamagedFile, match=r"\(and 1 more places: see .damage\)"), nv.open_nsx(file_of(data)) as ns:
        assert [place.offset for place in ns.damage] == [290, 10]


def test_a_failure_inside_the_constructor_closes_the_file(file_of: FileOf, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nevparse.nsx.file.find_samples", fail)
    with pytest.raises(KeyboardInterrupt):
        nv.open_nsx(file_of(b.plausible("2.3")[0]))


def test_the_reading_surface_is_what_is_documented() -> None:
    wanted = [
        "columns",
        "read",
        "chunks",
        "readinto",
        "close",
        "segments",
        "gaps",
        "channels",
        "electrode_ids",
        "closed",
    ]
    assert set(wanted) <= set(dir(NsxFile))
