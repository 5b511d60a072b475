# SPDX-License-Identifier: MIT
"""Every kind of thing that a file can be read from, and all that an open file gives."""

from __future__ import annotations

import gzip
import io
import mmap
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from nev import test_damage as nev_damage
from nsx.test_damage import CALLS, SEGMENT_CALLS, public

import nevparse as nv
from nevparse.format import tables


class Remote:
    """A file somewhere else: reads, seeks and tells, and nothing more; counts what was read of it."""

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


Giver = Callable[[Any, Any], AbstractContextManager[Any]]  # (bytes, folder): what holds them
MEMORY: dict[str, Giver] = {
    "bytes": lambda data, _: plain(data),
    "bytearray": lambda data, _: plain(bytearray(data)),
    "memoryview": lambda data, _: plain(memoryview(data)),
    "BytesIO": lambda data, _: plain(io.BytesIO(data)),
    "array": lambda data, _: plain(np.frombuffer(data, np.uint8)),
    "mmap": mapped,
}

OBJECTS: dict[str, Giver] = {
    "remote": lambda data, _: plain(Remote(data)),
    "short": lambda data, _: plain(Remote(data, most=7)),
    "subclass": lambda data, _: plain(Named(data)),
    "update": lambda data, folder: opened_file(data, folder, mode="r+b"),
    "temporary": temporary,
    "zip": lambda data, folder: zipped(data, folder, zipfile.ZIP_STORED),
    "deflated": lambda data, folder: zipped(data, folder, zipfile.ZIP_DEFLATED),
    "gzip": gzipped,
}

FILES: dict[str, Giver] = {
    "file": opened_file,
    "unbuffered": lambda data, folder: opened_file(data, folder, buffering=0),
}

KINDS: dict[str, Giver] = {**MEMORY, **OBJECTS, **FILES}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_object = pytest.mark.parametrize("kind", OBJECTS | FILES)
NSX = {
    **{kind: b.plausible(kind)[0] for kind in b.KINDS},
    "many blocks": t.blocks([0, 5, 30, 31_000], [5, 7, 2, 40]),
    "shuffled": t.ptp(t.shuffled(t.stamps(300, breaks={120: 500}), {40: [2, 0, 1], 200: [1, 0]})),
    "hidden": t.hidden_block(),
    "empty": b.nsx([], "2.3"),
}

NEV = {f"{version}{' ripple' * ripple}": nb.every_kind(version, ripple) for version, ripple in nev_damage.FLAVOURS}

# What differs by nature: the name, the file descriptor, and growth
NOT_COMPARED = {
    "path",
    "fileno",
    "close",
    "closed",
    "follow",
    "refresh",
    "timestamp_check",
    "fully_scanned",
    "presumed_regular",
    "sources",
}
NOT_COMPARED |= {"reference", "arranged_for"}


def comparable(value):
    """Anything as something that compares: arrays by their type, shape and bytes, and whether they can be written."""
    if isinstance(value, np.ndarray):
        return value.dtype.descr, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and type(value).__name__ != "Gap":
        return [comparable(item) for item in value]
    return repr(value).replace("object at 0x", "")


def attempt(call, path):
    try:
        return comparable(call())
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
    files = [ns, ns.fully_scanned()] if ns.has_sample_timestamps else [ns]
    both = [everything_of(file, CALLS, ns.path) for file in files]
    segments = [everything_of(segment, SEGMENT_CALLS, ns.path) for file in files for segment in file.segments]
    ticks = [int(tick) for segment in ns.segments for tick in segment.ticks()[::3]]
    requests = [ticks, [tick + 1 for tick in reversed(ticks)], [0, 2**63], []]
    more = [
        attempt(lambda: ns.read(sort=True, segment=-1), ns.path),
        attempt(lambda: [s.ticks(a, 300, sort=True) for s in ns.segments for a in (2, 300)], ns.path),
        attempt(lambda: [file.locate(times) for file in files for times in requests], ns.path),
        attempt(lambda: [s.find(tick + k) for s in ns.segments for tick in ticks[::5] for k in (-1, 0, 1)], ns.path),
        attempt(lambda: ns.read(3, 40, channels=[1, 0], unit="uV"), ns.path),
    ]
    return both, segments, more, comparable(repr(ns).replace(repr(ns.path), ""))


def nev_surface(nev):
    calls = {
        "events": lambda it: [it.events(kind, sort) for kind in tables.EVENT_KINDS for sort in (None, "tick")],
        "packets_of": lambda it: [it.packets_of(kind) for kind in tables.EVENT_KINDS],
        "datetime": lambda it: it.datetime(2**33),
        "to_uv": lambda it: it.to_uv(it.spikes()),
        "tracked_points": lambda it: [it.tracked_points(event) for event in it.events("tracking")],
        "unit_class": lambda it: it.unit_class(3),
        "seconds": lambda it: it.seconds([1, 2**33]),
        "tick_at": lambda it: it.tick_at(0.5),
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


AsAFile = Callable[[Any, bytes], Any]  # (surface, bytes): what a file of them gives
WANTED: dict[tuple[Any, bytes], Any] = {}


def refused(opener, what, error, *words):
    with pytest.raises(error) as raised:
        opener(what)
    assert all(word in str(raised.value) for word in words), str(raised.value)
