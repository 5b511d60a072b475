# SPDX-License-Identifier: MIT
"""The claims of spec_notes/sources.md: what is no path reads as the file would, and costs no more than is asked."""

from __future__ import annotations

import copy
import gzip
import io
import json
import mmap
import os
import pickle
import random
import sys
import tempfile
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

from builders import nsx as b
from builders import nev as nb
import numpy as np
import pytest
from nev import test_damage as nev_damage
from builders import timing as t
from nsx.test_damage import CALLS, SEGMENT_CALLS, public

import nevparse as nv
from nevparse import spec
from nevparse._objects import source_of
from nevparse.nsx import NsxFile


class Remote:
    """A file somewhere else: reads, seeks and tells, and nothing more; counts what it was asked for."""

    def __init__(self, data, most=None):
        self._data, self._most, self._at = data, most, 0
        self.sent = self.n_reads = 0
        self.fails_at = self.ends_at = None

    def read(self, n_bytes=-1):
        assert 0 <= n_bytes <= len(self._data), "never more than there is, nor all of it unasked"
        if self.fails_at is not None and self._at + n_bytes > self.fails_at:
            raise OSError(5, "the line is dead")
        part = self._data[self._at : min(self._at + min(n_bytes, self._most or n_bytes), self.ends_at or sys.maxsize)]
        self._at += len(part)
        self.sent, self.n_reads = self.sent + len(part), self.n_reads + 1
        return part

    def seek(self, offset, whence=0):
        self._at = offset + (len(self._data) if whence == 2 else 0)

    def tell(self):
        return self._at


@contextmanager
def opened_file(data, folder, **how):
    path = folder / "given.file"
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    with open(path, **{"mode": "rb", **how}) as file:
        file.seek(len(data) // 3)
        yield file


@contextmanager
def zipped(data, folder, compression):
    with zipfile.ZipFile(folder / "given.zip", "w", compression) as archive:
        archive.writestr("inside/s.ns5", data)
    with zipfile.ZipFile(folder / "given.zip") as archive, archive.open("inside/s.ns5") as member:
        yield member


@contextmanager
def gzipped(data, folder):
    with gzip.open(folder / "given.gz", "wb", 1) as file:
        file.write(data)
    with gzip.open(folder / "given.gz", "rb") as file:
        yield file


@contextmanager
def temporary(data, folder):
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(data)
        yield file


@contextmanager
def mapped(data, folder):
    with opened_file(data or b"\0", folder) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        yield whole


@contextmanager
def plain(what):
    yield what


class Named(io.BytesIO):
    """Not `io.BytesIO` itself: its bytes may come from anywhere."""

    name = "somewhere/s.ns5"

    def getvalue(self):
        raise AssertionError("it may not have all of them yet")


MEMORY = {
    "bytes": lambda data, _: plain(data),
    "bytearray": lambda data, _: plain(bytearray(data)),
    "memoryview": lambda data, _: plain(memoryview(data)),
    "BytesIO": lambda data, _: plain(io.BytesIO(data)),
    "array": lambda data, _: plain(np.frombuffer(data, np.uint8)),
    "mmap": mapped,
}
OBJECTS = {
    "remote": lambda data, _: plain(Remote(data)),
    "short": lambda data, _: plain(Remote(data, most=7)),
    "subclass": lambda data, _: plain(Named(data)),
    "update": lambda data, folder: opened_file(data, folder, mode="r+b"),
    "temporary": temporary,
    "zip": lambda data, folder: zipped(data, folder, zipfile.ZIP_STORED),
    "deflated": lambda data, folder: zipped(data, folder, zipfile.ZIP_DEFLATED),
    "gzip": gzipped,
}
FILES = {
    "file": opened_file,
    "unbuffered": lambda data, folder: opened_file(data, folder, buffering=0),
}
KINDS = {**MEMORY, **OBJECTS, **FILES}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_object = pytest.mark.parametrize("kind", {**OBJECTS, **FILES})

NSX = {
    **{kind: b.plausible(kind)[0] for kind in b.KINDS},
    "many blocks": t.blocks([0, 5, 30, 31_000], [5, 7, 2, 40]),
    "shuffled": t.ptp(t.shuffled(t.stamps(300, breaks={120: 500}), {40: [2, 0, 1], 200: [1, 0]})),
    "hidden": t.hidden_block(),
    "empty": b.nsx([], "2.3"),
}
NEV = {f"{version}{' ripple' * ripple}": nb.every_kind(version, ripple) for version, ripple in nev_damage.FLAVOURS}
# What differs by nature: the name, the system's handle, and growth
NOT_COMPARED = {"path", "fileno", "close", "closed", "follow", "refresh", "watcher", "exactly"}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", nv.NevParseWarning)
        yield


def told(value):
    """Anything as something that compares: arrays by their type, shape and bytes, and whether they can be written."""
    if isinstance(value, np.ndarray):
        return value.dtype.descr, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and type(value).__name__ != "Gap":
        return [told(item) for item in value]
    return repr(value).replace("object at 0x", "")


def attempt(call, path):
    try:
        return told(call())
    except (nv.NevParseError, ValueError, KeyError) as error:
        return type(error).__name__, str(error).replace(path, "<it>")


def everything_of(item, calls, path):
    """Every public attribute, and what every public method gives."""
    found = {}
    for name in set(public(item)) - NOT_COMPARED:
        value = getattr(type(item), name, None)
        if callable(value):
            found[name] = attempt(lambda name=name: calls.get(name, lambda it: getattr(it, name)())(item), path)
        else:
            found[name] = attempt(lambda name=name: getattr(item, name), path)
    return found


def nsx_surface(ns):
    files = [ns, ns.exactly()] if ns.stamped else [ns]
    both = [everything_of(file, CALLS, ns.path) for file in files]
    segments = [everything_of(segment, SEGMENT_CALLS, ns.path) for file in files for segment in file.segments]
    ticks = [int(tick) for segment in ns.segments for tick in segment.ticks()[::3]]
    asked = [ticks, [tick + 1 for tick in reversed(ticks)], [0, 2**63], []]
    more = [
        attempt(lambda: ns.read(sort=True, segment=-1), ns.path),
        attempt(lambda: [s.ticks(a, 300, sort=True) for s in ns.segments for a in (2, 300)], ns.path),
        attempt(lambda: [file.locate(times) for file in files for times in asked], ns.path),
        attempt(lambda: [s.find(tick + k) for s in ns.segments for tick in ticks[::5] for k in (-1, 0, 1)], ns.path),
        attempt(lambda: ns.read(3, 40, channels=[1, 0], unit="uV"), ns.path),
    ]
    return both, segments, more, told(repr(ns).replace(repr(ns.path), ""))


def nev_surface(nev):
    calls = {
        "events": lambda it: [it.events(kind, sort) for kind in spec.EVENT_KINDS for sort in (None, "tick")],
        "packets_of": lambda it: [it.packets_of(kind) for kind in spec.EVENT_KINDS],
        "datetime": lambda it: it.datetime(2**33),
        "to_uv": lambda it: it.to_uv(it.spikes()),
        "tracked_points": lambda it: [it.tracked_points(event) for event in it.events("tracking")],
        "unit_class": lambda it: it.unit_class(3),
    }
    return everything_of(nev, calls, nev.path)


@contextmanager
def given(kind, data, folder):
    with ExitStack() as stack:
        yield stack.enter_context(KINDS[kind](data, folder))


OPENERS = {nsx_surface: nv.open_nsx, nev_surface: nv.open_nev}


def result_of(surface, what):
    """What a source gives and warns of; an error is a result like any other."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with OPENERS[surface](what) as file:
                name, found = file.path, surface(file)
        except nv.FormatError as error:
            name, found = error.path, (type(error).__name__, error.offset, error.expected, error.found)
    return found, [(w.category.__name__, str(w.message).replace(name, "<it>")) for w in warned]


WANTED = {}


@pytest.fixture
def as_a_file(file_of):
    """What the file itself gives, asked once."""

    def result(surface, data):
        if (surface, data) not in WANTED:
            WANTED[surface, data] = result_of(surface, file_of(data))
        return WANTED[surface, data]

    return result


# ---------------------------------------------------------------------------------------------------- the same surface


@every_kind
def test_sources_c01_every_file_reads_as_it_does_by_its_path(as_a_file, tmp_path, kind):
    for surface, files in ((nsx_surface, NSX), (nev_surface, NEV)):
        for which, data in files.items():
            with given(kind, data, tmp_path) as what:
                assert result_of(surface, what) == as_a_file(surface, data), which


@every_kind
def test_sources_c01_scales_come_from_a_nev_of_any_kind(tmp_path, kind):
    with given(kind, b.nev_with_factors({1: 250, 2: 1000}), tmp_path) as nev:
        ns = nv.open_nsx(NSX["2.1"], nev=nev)
    assert [channel.uv_per_bit for channel in ns.channels[:2]] == [0.25, 1.0]


def test_sources_c01_the_comparison_sees_a_difference(as_a_file):
    for changed in (b.plausible("2.3", 3, (5, 3))[0], b.nsx([(1, b.ramp(9, 3))])):
        assert result_of(nsx_surface, changed) != as_a_file(nsx_surface, NSX["2.3"])


@pytest.mark.parametrize("kind", MEMORY)
def test_sources_c02_bytes_are_viewed_where_they_are(tmp_path, kind):
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
def test_sources_c02_arrays_are_read_only_and_outlive_the_file(tmp_path, kind, which):
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
def test_sources_c01_ticks_are_sorted_wherever_they_come_from(make):
    ticks = t.stamps(3000)
    with nv.open_nsx(make(t.ptp(t.shuffled(ticks, {40: [2, 0, 1], 2200: [1, 0]})))) as ns:
        (segment,) = ns.segments
        assert segment.ticks(38, 45).tolist() != ticks[38:45].tolist()
        for a, z in ((0, 3000), (38, 45), (41, 42), (2201, 2999), (7, 7)):
            assert segment.ticks(a, z, sort=True).tolist() == ticks[a:z].tolist()


# ------------------------------------------------------------------------------------------------------- what it costs

LONG = 20 * 16384


@pytest.fixture(scope="module")
def long_ptp():
    """Eleven seconds of 30 channels, one of them lost for a moment: 24 MB."""
    ticks = t.stamps(LONG, breaks={200_000: 3000})
    return t.ptp(ticks, np.zeros((LONG, 30), np.int16)), ticks


def cost(remote, call):
    before = remote.sent
    call()
    return remote.sent - before


def test_sources_c03_opening_costs_headers(long_ptp):
    data, _ = long_ptp
    remote = Remote(data)
    assert cost(remote, lambda: nv.open_nsx(remote)) < 314 + 66 * 30 + 5000
    blocks = b.nsx([(k * 40_000, np.zeros((20_000, 30), np.int16)) for k in range(8)])
    remote = Remote(blocks)
    assert cost(remote, lambda: nv.open_nsx(remote).gaps) < 10_000


def test_sources_c03_samples_of_blocks_cost_their_own_bytes():
    remote = Remote(b.nsx([(0, np.zeros((100_000, 30), np.int16))]))
    with nv.open_nsx(remote) as ns:
        assert ns.n_channels == len(ns.channels)
        assert cost(remote, lambda: ns.read(50_000, 50_100)) == 100 * 60
        assert cost(remote, lambda: ns.read(50_000, 50_100, unit="uV", channels=[3])) == 100 * 60
        assert cost(remote, lambda: ns.segments[0].ticks(10, 2000)) == 0
        assert cost(remote, lambda: list(ns.chunks(1000))) == 100_000 * 60


def test_sources_c03_samples_of_packets_cost_their_own_bytes_and_a_search_a_few(long_ptp):
    data, ticks = long_ptp
    remote, packet = Remote(data), 13 + 60
    with nv.open_nsx(remote) as ns:
        found = cost(remote, lambda: ns.segments)
        assert found < 17_500 * packet, "one stretch between probes, and not the file"
        assert len(ns.segments) == 2
        assert cost(remote, lambda: ns.read(100_000, 100_100)) == 99 * packet + 60
        assert cost(remote, lambda: ns.segments[1].ticks(10, 20)) == 10 * packet
        wanted = ticks[[5, 100_000, 250_000]]
        assert cost(remote, lambda: ns.locate(wanted)) < 100_000
        assert cost(remote, lambda: ns.segments[0].find(int(ticks[77_777]))) < 100 * packet
        assert [part.tolist() for part in ns.locate(wanted)] == [[0, 0, 1], [5, 100_000, 250_000 - 200_001]]


def test_sources_c03_a_search_for_very_many_reads_the_file_once_and_keeps_little(long_ptp):
    data, ticks = long_ptp
    remote = Remote(data)
    with nv.open_nsx(remote) as ns:
        assert ns.segments
        assert cost(remote, lambda: ns.locate(ticks)) < 1.05 * len(data)
        segment, sample = ns.locate(ticks)
    assert (segment == np.repeat([0, 1], [200_001, LONG - 200_001])).all()
    assert (sample == np.concatenate([np.arange(200_001), np.arange(LONG - 200_001)])).all()


def test_sources_c03_every_timestamp_is_read_a_few_megabytes_at_a_time(long_ptp):
    data, _ = long_ptp
    remote, most = Remote(data), []
    read = remote.read
    remote.read = lambda n_bytes: most.append(n_bytes) or read(n_bytes)
    with nv.open_nsx(remote) as ns:
        assert len(ns.exactly().gaps) == 1
        assert ns.exactly()._index.even()
    assert max(most) <= 1 << 22


def test_sources_c03_packets_of_a_nev_are_read_once():
    data = nb.every_kind((2, 3))
    remote = Remote(data)
    with nv.open_nev(remote) as nev:
        headers = remote.sent
        assert cost(remote, lambda: nev.spikes()) == nev.n_packets * nev.packet_bytes
        assert cost(remote, lambda: [nev.events(kind) for kind in nev.kinds()]) == 0
    assert headers < len(data)


# -------------------------------------------------------------------------------------------------- whose object it is


@every_object
def test_sources_c04_the_object_stays_open_and_is_read_from_its_beginning(tmp_path, kind):
    data, samples = b.plausible("2.3", 3, (9,))
    with given(kind, data, tmp_path) as what:
        what.seek(17)
        with nv.open_nsx(what) as ns:
            np.testing.assert_array_equal(ns.read(), samples)
        what.seek(0)
        assert data.startswith(what.read(10) or b"-")


@pytest.mark.skipif(not hasattr(os, "pread"), reason="a file is sought where the system cannot read at a place")
@pytest.mark.parametrize("kind", FILES)
def test_sources_c04_the_position_of_a_file_of_the_system_stays_and_its_end_does_not_matter(tmp_path, kind):
    data, samples = b.plausible("2.3", 3, (9,))
    with ExitStack() as stack:
        file = stack.enter_context(FILES[kind](data, tmp_path))
        file.seek(11)
        ns = stack.enter_context(nv.open_nsx(file))
        assert ns.read(0, 2).tolist() == samples[:2].tolist()
        assert file.tell() == 11
        assert os.fstat(ns.fileno()).st_size == len(data)
        file.close()
        np.testing.assert_array_equal(ns.read(), samples)


@pytest.mark.parametrize("kind", FILES)
def test_sources_c04_a_file_of_the_system_where_nothing_is_read_at_a_place(tmp_path, monkeypatch, kind):
    monkeypatch.delattr(os, "pread", raising=False)
    monkeypatch.delattr(os, "preadv", raising=False)
    data, samples = b.plausible("ptp", 3, (9,))
    with given(kind, data, tmp_path) as what, nv.open_nsx(what) as ns:
        np.testing.assert_array_equal(ns.read(), samples)
        with pytest.raises(OSError, match="no handle"):
            ns.fileno()
        assert nv.write_bin(ns, tmp_path / "o.bin").n_samples == 9


def test_sources_c04_a_name_to_print(tmp_path):
    data = b.plausible("2.3")[0]
    names = {}
    for kind in KINDS:
        with given(kind, data, tmp_path) as what, nv.open_nsx(what) as ns:
            names[kind] = ns.path
    assert names["bytes"] == "<bytes>"
    assert names["BytesIO"] == "<BytesIO>"
    assert names["remote"] == "<Remote>"
    assert names["subclass"] == "somewhere/s.ns5"
    assert names["zip"] == "inside/s.ns5"
    assert names["file"] == str(tmp_path / "given.file")
    with tempfile.TemporaryFile() as file:  # whose name is a number
        assert file.write(data)
        with nv.open_nsx(file) as ns:
            assert ns.path.startswith("<")


class Slow(Remote):
    """Gives other threads every chance to come between."""

    def seek(self, offset, whence=0):
        super().seek(offset, whence)
        for _ in range(20):
            os.sched_yield() if hasattr(os, "sched_yield") else None


def test_sources_c05_threads_share_one_object():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        data, samples = b.plausible("2.3", 3, (400,))
        with nv.open_nsx(Slow(data, most=50)) as ns, ThreadPoolExecutor(4) as pool:
            reads = list(pool.map(lambda k: ns.read(k, k + 30), range(300)))
    finally:
        sys.setswitchinterval(interval)
    for k, got in enumerate(reads):
        np.testing.assert_array_equal(got, samples[k : k + 30])


# --------------------------------------------------------------------------------------------------- what can go wrong


@pytest.mark.parametrize("which", ["2.3", "ptp"])
def test_sources_c06_an_object_that_became_shorter(which, out):
    data, _ = b.plausible(which, 3, (50,))
    remote = Remote(data)
    with nv.open_nsx(remote) as ns:
        assert ns.segments
        remote.ends_at = len(data) - 30
        with pytest.raises(nv.FormatError, match=f"expected {len(data)} bytes, as when it was opened, found"):
            ns.read()
        with pytest.raises((nv.ExportError, nv.FormatError), match=r"shorter|end of the file"):
            nv.write_bin(ns, out)
        assert list(out.parent.iterdir()) == []
        assert ns.read(0, 5).shape == (5, 3)


@pytest.mark.parametrize("which", ["2.3", "ptp"])
def test_sources_c06_an_object_that_fails_midway(which, out):
    data, samples = b.plausible(which, 3, (50,))
    remote = Remote(data)
    with nv.open_nsx(remote) as ns:
        assert ns.segments
        remote.fails_at = len(data) - 30
        with pytest.raises(OSError, match="the line is dead"):
            ns.read()
        with pytest.raises((nv.ExportError, OSError), match="the line is dead"):  # while it plans, or writes
            nv.write_bin(ns, out)
        assert list(out.parent.iterdir()) == []
        remote.fails_at = None
        np.testing.assert_array_equal(ns.read(), samples)
    remote.fails_at = 20
    with pytest.raises(OSError, match="the line is dead"):
        nv.open_nsx(remote)


@pytest.mark.parametrize("answer", [None, "text", b"far too much", 5])
def test_sources_c06_an_object_that_answers_nonsense(answer):
    remote = Remote(b.plausible("2.3")[0])
    remote.read = lambda n_bytes: answer if n_bytes else b""
    with pytest.raises(TypeError, match=r"<Remote>: expected up to \d+ bytes from its read\(\)"):
        nv.open_nsx(remote)


def refused(opener, what, error, *words):
    with pytest.raises(error) as told:
        opener(what)
    assert all(word in str(told.value) for word in words), str(told.value)


@pytest.mark.parametrize("opener", [nv.open_nsx, nv.open_nev, nv.check])
def test_sources_c07_what_cannot_be_opened(tmp_path, opener):
    path = tmp_path / "s.ns5"
    path.write_bytes(b.plausible("2.3")[0])
    for nothing in (None, 5, 1.5, [1], object()):
        refused(opener, nothing, TypeError, "a path, bytes, or a binary file object", type(nothing).__name__)
    with open(path, encoding="latin-1") as file:
        refused(opener, file, TypeError, str(path), "mode 'rb'")
    refused(opener, io.StringIO("NEURALCD"), TypeError, "<StringIO>", "mode 'rb'")
    with open(tmp_path / "new", "wb") as file:
        refused(opener, file, ValueError, "can read", "mode 'rb'")
    refused(opener, file, ValueError, "closed")
    refused(opener, io.BufferedReader(NoSeek()), ValueError, "can seek", "read it whole")
    refused(opener, NoSeekAndDoesNotSay(), ValueError, "can seek", "read it whole")
    refused(opener, np.zeros((8, 8), np.uint8)[:, ::2], ValueError, "in one piece")
    refused(opener, b"", nv.FormatError, "an empty file", "<bytes>")
    refused(opener, io.BytesIO(), nv.FormatError, "an empty file", "<BytesIO>")
    refused(opener, tmp_path / "none.ns5", FileNotFoundError, "none")
    refused(lambda what: nv.open_nsx(path, nev=what), 5, TypeError, "a path, bytes")


class NoSeek(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, buffer):
        return 0


class NoSeekAndDoesNotSay(Remote):
    def __init__(self):
        super().__init__(b"some")

    def seek(self, offset, whence=0):
        raise io.UnsupportedOperation("seek")


@pytest.mark.skipif(not hasattr(os, "pipe"), reason="no pipes")
def test_sources_c07_a_pipe_cannot_seek():
    read, write = os.pipe()
    os.close(write)
    with open(read, "rb") as file:
        refused(nv.open_nsx, file, ValueError, "can seek", "read it whole")


DAMAGED = ["bytes", "subclass", "short", "file"]


def damaged(data, rng):
    """Cut, or flipped here and there, or both."""
    changed = bytearray(data[: rng.choice((len(data), rng.randrange(len(data))))])
    for _ in range(rng.choice((0, 1, 4)) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("which", [*b.KINDS, *NEV])
def test_sources_c08_damage_is_told_of_alike(as_a_file, tmp_path, which):
    if which in b.KINDS:
        surface, data = nsx_surface, b.plausible(which, 2, (3, 2))[0]
    else:
        surface, data = nev_surface, nev_damage.tiny(*dict(zip(NEV, nev_damage.FLAVOURS, strict=True))[which])
    rng, refused_, warned = random.Random(which), 0, 0
    for _ in range(30):
        changed = damaged(data, rng)
        wanted = as_a_file(surface, changed)
        refused_ += isinstance(wanted[0], tuple) and isinstance(wanted[0][0], str)
        warned += bool(wanted[1])
        for kind in DAMAGED:
            with given(kind, changed, tmp_path) as what:
                assert result_of(surface, what) == wanted, (kind, changed)
    assert refused_
    assert warned


@pytest.mark.parametrize("kind", DAMAGED)
def test_sources_c08_any_bytes_give_format_errors_alone(tmp_path, kind):
    rng = np.random.default_rng(5)
    heads = [b"", *(magic for magic, _ in spec.NSX_SPECS), *(magic for magic, _ in spec.NEV_SPECS)]
    for head in heads:
        for _ in range(8):
            junk = head + rng.integers(0, 256, int(rng.integers(0, 900))).astype(np.uint8).tobytes()
            for opener in (nv.open_nsx, nv.open_nev):
                with given(kind, junk, tmp_path) as what, suppress(nv.FormatError):
                    opener(what).close()


# ------------------------------------------------------------------------------------------------------ what it is for


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "BytesIO", "remote", "subclass"])
@pytest.mark.parametrize("which", ["2.3", "ptp"])
def test_sources_c09_bytes_and_objects_that_can_be_pickled_are(tmp_path, kind, which):
    data, samples = b.plausible(which, 3, (9,))
    with given(kind, data, tmp_path) as what, nv.open_nsx(what, nev={1: 3.0}) as ns:
        again = pickle.loads(pickle.dumps(ns))
        np.testing.assert_array_equal(again.read(), samples)
        assert nsx_surface(again)[:3] == nsx_surface(ns)[:3]
    with given(kind, NEV["(2, 3)"], tmp_path) as what, nv.open_nev(what) as nev:
        assert nev_surface(pickle.loads(pickle.dumps(nev))) == nev_surface(nev)


def test_sources_c09_other_headers_are_refused():
    remote = Remote(b.plausible("2.3")[0])
    with nv.open_nsx(remote) as ns:
        remote._data = b.nsx([(0, b.ramp(5, 3))], label="another")
        pickled = pickle.dumps(ns)
    with pytest.raises(nv.FormatError, match=r"<Remote>.*the headers of the file that was pickled"):
        pickle.loads(pickled)


@pytest.mark.parametrize("kind", ["file", "unbuffered", "update", "temporary", "zip", "gzip"])
def test_sources_c09_what_cannot_be_pickled_says_so(tmp_path, kind):
    with given(kind, b.plausible("2.3")[0], tmp_path) as what, nv.open_nsx(what) as ns:
        for attempt_ in (pickle.dumps, copy.copy):
            with pytest.raises(
                TypeError, match=rf"{type(what).__name__} cannot be pickled .*open it by its path, or give"
            ):
                attempt_(ns)


@every_kind
@pytest.mark.parametrize("which", ["2.3", "ptp", "many blocks", "hidden"])
def test_sources_c10_exports_are_the_same(file_of, tmp_path, kind, which):
    data, outputs = NSX[which], []
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with given(kind, data, tmp_path) as what, nv.open_nsx(what) as ns, nv.open_nsx(file_of(data)) as wanted:
        for file, folder in ((ns, "a"), (wanted, "b")):
            for k, channels in enumerate((None, [1, 0])):
                report = nv.write_bin(file, tmp_path / folder / f"{k}.bin", channels=channels, gaps="join")
                assert report.n_samples == wanted.exactly().n_samples
                sidecar = json.loads((tmp_path / folder / f"{k}.json").read_text())
                outputs.append((sidecar.pop("source"), (tmp_path / folder / f"{k}.bin").read_bytes(), sidecar))
        name = ns.path
    for (source, *got), (of_file, *expected) in zip(outputs[:2], outputs[2:], strict=True):
        assert got == expected
        assert source.pop("name") == os.path.basename(name)
        assert of_file.pop("name") == "s.ns5"
        assert source == of_file


def test_sources_c10_two_instruments_side_by_side(file_of, tmp_path):
    data = [b.nsx([(0, b.ramp(30, 4, first=k))]) for k in range(2)]
    with nv.open_nsx(data[0]) as one, nv.open_nsx(Remote(data[1])) as two:
        nv.write_bin([one, two], tmp_path / "a.bin")
    with nv.open_nsx(file_of(data[0], "1.ns5")) as one, nv.open_nsx(file_of(data[1], "2.ns5")) as two:
        nv.write_bin([one, two], tmp_path / "b.bin")
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_sources_c10_a_name_that_is_no_path_is_not_taken_for_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = b.plausible("2.3", 3, (9,))[0]
    with nv.open_nsx(data) as ns:
        for overwrite in (False, True):
            assert nv.write_bin(ns, "<bytes>.bin", overwrite=overwrite).n_samples == 9
    (tmp_path / "in").mkdir()
    with given("zip", data, tmp_path) as what, nv.open_nsx(what) as ns:
        assert nv.write_bin(ns, "o.bin").n_samples == 9


@pytest.mark.parametrize("kind", ["file", "update", "temporary"])
def test_sources_c10_an_open_file_is_not_overwritten(tmp_path, kind):
    data = b.plausible("2.3", 3, (9,))[0]
    with given(kind, data, tmp_path) as what, nv.open_nsx(what) as ns:
        refused(lambda path: nv.write_bin(ns, path, overwrite=True), what.name, nv.ExportError, "the recording itself")


@every_kind
def test_sources_c11_check_takes_them_all(file_of, tmp_path, kind):
    for name, data in (("s.ns5", NSX["hidden"]), ("s.ns5", NSX["2.3"][:-3]), ("s.nev", NEV["(2, 3)"] + b"tail")):
        with given(kind, data, tmp_path) as what:
            found = [finding._replace(path="") for finding in nv.check(what)]
        assert found == [finding._replace(path="") for finding in nv.check(file_of(data, name))]
        assert found


@every_kind
def test_sources_c11_a_recording_is_a_path(tmp_path, kind):
    with given(kind, NSX["2.3"], tmp_path) as what:
        refused(nv.open_recording, what, TypeError, "expected the path of a member, found", "open_nsx and open_nev")


@every_kind
def test_sources_c12_only_a_path_may_grow(file_of, tmp_path, kind):
    with given(kind, NSX["2.3"], tmp_path) as what:
        source = source_of(what)
        assert not source.grows
        refused(lambda it: it.look_again(), source, ValueError, source.path, "opened by its path")
        source.close()
    source = source_of(file_of(NSX["2.3"]))
    assert source.grows
    source.close()


def test_the_surface_that_is_compared_is_all_of_it(file_of):
    with nv.open_nsx(file_of(NSX["2.3"])) as ns:
        found = everything_of(ns, CALLS, ns.path)
    assert {"read", "segments", "gaps", "channels", "locate", "columns"} <= set(found)
    assert set(public(ns)) - set(found) <= NOT_COMPARED
    assert isinstance(ns, NsxFile)
