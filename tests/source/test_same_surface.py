# SPDX-License-Identifier: MIT
"""Whatever the bytes are given as, the file is the same: C01, C02 and C08 of `spec_notes/sources.md`."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from builders import timing as t
from depth import searched
from fixture_types import FileOf
from nev import test_damage as nev_damage
from nsx.test_damage import CALLS, public

import nevparse as nv
from nevparse.format import tables
from nevparse.nsx.file import NsxFile
from source.kinds import (
    KINDS,
    MEMORY,
    NEV,
    NOT_COMPARED,
    NSX,
    AsAFile,
    Remote,
    every_kind,
    everything_of,
    given,
    nev_surface,
    nsx_surface,
    result_of,
)

pytestmark = pytest.mark.usefixtures("quiet")

# ---------------------------------------------------------------------------------------------------- the same surface


@searched("every", 3, 1)
@every_kind
def test_sources_c01_every_file_reads_as_it_does_by_its_path(
    as_a_file: AsAFile, tmp_path: Path, kind: str, every: int
) -> None:
    """By default each kind gives a third of the files, and each third is given by a third of the kinds."""
    first = list(KINDS).index(kind) % every
    for surface, files in ((nsx_surface, NSX), (nev_surface, NEV)):
        for which, data in list(files.items())[first::every]:
            with given(kind, data, tmp_path) as what:
                assert result_of(surface, what) == as_a_file(surface, data), which


@every_kind
def test_sources_c01_scales_come_from_a_nev_of_any_kind(tmp_path: Path, kind: str) -> None:
    with given(kind, b.nev_with_factors({1: 250, 2: 1000}), tmp_path) as nev:
        ns = nv.open_nsx(NSX["2.1"], nev=nev)
    assert [channel.uv_per_bit for channel in ns.channels[:2]] == [0.25, 1.0]


def test_sources_c01_the_comparison_sees_a_difference(as_a_file: AsAFile) -> None:
    for changed in (b.plausible("2.3", 3, (5, 3))[0], b.nsx([(1, b.ramp(9, 3))])):
        assert result_of(nsx_surface, changed) != as_a_file(nsx_surface, NSX["2.3"])


@pytest.mark.parametrize("kind", MEMORY)
def test_sources_c02_bytes_are_viewed_where_they_are(tmp_path: Path, kind: str) -> None:
    data, samples = b.plausible("2.3", 3, (50,))
    with given(kind, data, tmp_path) as what:
        at = {"BytesIO": lambda: what.getvalue()}.get(kind, lambda: what)()
        with nv.open_nsx(what) as ns:
            view = ns.segments[0].samples
            assert np.shares_memory(view, np.frombuffer(at, np.uint8))
            np.testing.assert_array_equal(view, samples)
            assert not view.flags.writeable
            with pytest.raises(ValueError, match="WRITEABLE"):
                view.flags.writeable = True
        del view, at


@every_kind
@pytest.mark.parametrize("which", ["2.3", "ptp"])
def test_sources_c02_arrays_are_read_only_and_outlive_the_file(tmp_path: Path, kind: str, which: str) -> None:
    data, samples = b.plausible(which, 3, (9,))
    with given(kind, data, tmp_path) as what:
        with nv.open_nsx(what) as ns:
            arrays = [ns.read(), ns.segments[0].samples, *(chunk.samples for chunk in ns.chunks(9))]
        for array in arrays:
            assert not array.flags.writeable
            np.testing.assert_array_equal(array, samples)
        del array, arrays
        assert ns.closed
        with pytest.raises(ValueError, match="closed"):
            ns.read()
        with pytest.raises(ValueError, match="closed"):
            ns.readinto(memoryview(bytearray(1)), 0)


@pytest.mark.parametrize("make", [bytes, Remote])
def test_sources_c01_ticks_are_sorted_wherever_they_come_from(make) -> None:
    ticks = t.stamps(3000)
    with nv.open_nsx(make(t.ptp(t.shuffled(ticks, {40: [2, 0, 1], 2200: [1, 0]})))) as ns:
        (segment,) = ns.segments
        assert segment.ticks(38, 45).tolist() != ticks[38:45].tolist()
        for a, z in ((0, 3000), (38, 45), (41, 42), (2201, 2999), (7, 7)):
            assert segment.ticks(a, z, sort=True).tolist() == ticks[a:z].tolist()


# --------------------------------------------------------------------------------------------------- what can go wrong

DAMAGED = ["bytes", "subclass", "short", "file"]


def damaged(data, rng):
    """Cut, or flipped here and there, or both."""
    changed = bytearray(data[: rng.choice((len(data), rng.randrange(len(data))))])
    for _ in range(rng.choice((0, 1, 4)) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@searched("n_tries", 6, 100)
@pytest.mark.parametrize("which", [*b.KINDS, *NEV])
def test_sources_c08_damage_is_told_of_alike(as_a_file: AsAFile, tmp_path: Path, which: str, n_tries) -> None:
    if which in b.KINDS:
        surface, data = nsx_surface, b.plausible(which, 2, (3, 2))[0]
    else:
        surface, data = nev_surface, nev_damage.tiny(*dict(zip(NEV, nev_damage.FLAVOURS, strict=True))[which])
    rng, refused_, warned = random.Random(which), 0, 0
    for _ in range(n_tries):
        changed = damaged(data, rng)
        wanted = as_a_file(surface, changed)
        refused_ += isinstance(wanted[0], tuple) and isinstance(wanted[0][0], str)
        warned += bool(wanted[1])
        for kind in DAMAGED:
            with given(kind, changed, tmp_path) as what:
                assert result_of(surface, what) == wanted, (kind, changed)
    if n_tries == 100:
        assert refused_
        assert warned


@pytest.mark.parametrize("kind", DAMAGED)
def test_sources_c08_any_bytes_give_format_errors_alone(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(5)
    heads = [b"", *(magic for magic, _ in tables.NSX_VERSIONS), *(magic for magic, _ in tables.NEV_VERSIONS)]
    for head in heads:
        for _ in range(8):
            junk = head + rng.integers(0, 256, int(rng.integers(0, 900))).astype(np.uint8).tobytes()
            for opener in (nv.open_nsx, nv.open_nev):
                with given(kind, junk, tmp_path) as what, suppress(nv.FormatError):
                    opener(what).close()


# ------------------------------------------------------------------------------------------------------ what it is for


def test_the_surface_that_is_compared_is_all_of_it(file_of: FileOf) -> None:
    with nv.open_nsx(file_of(NSX["2.3"])) as ns:
        found = everything_of(ns, CALLS, ns.path)
    assert {"read", "segments", "gaps", "channels", "locate", "columns"} <= set(found)
    assert set(public(ns)) - set(found) <= NOT_COMPARED
    assert isinstance(ns, NsxFile)
