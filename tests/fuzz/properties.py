# SPDX-License-Identifier: MIT
"""What must hold of every entry point, whatever bytes it is given: each target is a function of bytes.

A target writes its bytes into a folder, uses one entry point thoroughly, and compares what it gave with itself. It
lets documented exceptions and warnings pass; all else is raised: an undocumented exception or warning, a result that
contradicts another, a file left behind. `judge` runs one target and says what came of it.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

import nevparse as nv
from nevparse.cli import commands as cli
from nevparse.cli import several_files
from nevparse.format import tables
from nevparse.nev.file import NevFile
from nevparse.nsx.file import NsxFile
from nevparse.recording.check import CODES

FINE = "no exception"
SUFFIXES = ("nev", "ns5", "ns2", "nf3")
GAPS = ("error", "split", "join", "fill")
COMMANDS = (
    ("info",),
    ("info", "--json"),
    ("check",),
    ("check", "--json"),
    ("events",),
    ("events", "--json"),
    ("events", "--csv"),
    ("events", "--spreadsheet"),
)
_MOST_SEGMENTS = 4  # looked at one by one


def judge(target: str, data: bytes, folder: Path) -> str:
    """Run one target in a folder of its own; returns `FINE` or the name of the documented exception.

    Raises
    ------
    Exception
        Whatever is not documented, and AssertionError where results contradict each other.
    """
    run, documented = TARGETS[target]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", nv.NevParseWarning)
            run(data, folder)
    except documented as error:
        return type(error).__name__
    return FINE


def tally(inputs: Iterator[tuple[str, bytes]], folder: Path) -> dict[str, Counter[str]]:
    """Judge many inputs: how often each target ended how."""
    counts: dict[str, Counter[str]] = {}
    for target, data in inputs:
        counts.setdefault(target, Counter())[judge(target, data, folder)] += 1
    return counts


def _written(path: Path, data: bytes) -> Path:
    path.unlink(missing_ok=True)  # never through a map that an earlier input may still hold
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------------------------------------- continuous data


def open_nsx(data: bytes, folder: Path) -> None:
    """Open an NSx, read all of it in every way, and compare."""
    with nv.open_nsx(_written(folder / "s.ns5", data)) as ns:
        _nsx(ns)
        with pickle.loads(pickle.dumps(ns)) as again:
            assert (again.n_samples, again.damage) == (ns.n_samples, ns.damage)


def _nsx(ns: NsxFile) -> None:
    n_samples = sum(segment.n_samples for segment in ns.segments)
    assert n_samples == ns.n_samples
    assert n_samples * ns.n_channels * ns.dtype.itemsize <= ns.size_bytes, "no more than the file holds"
    assert len(ns.gaps) == max(0, len(ns.segments) - 1)
    assert len(ns.channels) == ns.n_channels
    assert ns.missing_bytes >= 0
    assert all(0 <= place.offset <= ns.size_bytes for place in ns.damage)
    chunks = [chunk.samples for chunk in ns.chunks(7)]
    for segment in ns.segments[:_MOST_SEGMENTS]:
        _segment(ns, segment)
    exact = ns.fully_scanned()
    for segment in exact.segments[:_MOST_SEGMENTS]:
        _segment(exact, segment)
    if ns.segments:
        whole = np.concatenate([ns.read(segment=segment.index) for segment in ns.segments[:_MOST_SEGMENTS]])
        assert _same(whole, np.concatenate(chunks)[: len(whole)])
        assert ns.read(unit="uV", segment=-1).shape == ns.segments[-1].samples.shape
    repr((ns, ns.time_base, ns.datetime(2**63), ns.datetime(0), ns.epochs))


def _segment(ns: NsxFile, segment: Any) -> None:
    n = segment.n_samples
    samples, ticks = segment.samples, segment.ticks()
    assert samples.shape == (n, ns.n_channels)
    assert ticks.shape == segment.seconds(origin_tick=segment.start_tick).shape == (n,)
    assert int(ticks[0]) == segment.start_tick
    assert _same(np.concatenate(segment.blocks), samples)
    assert _same(ns.read(1, -1, segment=segment.index), samples[1:-1])
    assert ns.read(sort=True, segment=segment.index).shape == samples.shape
    assert np.array_equal(np.sort(segment.ticks(sort=True)), np.sort(ticks))
    assert 0 <= segment.find(segment.start_tick) <= n
    found, sample = ns.locate(ticks[:50])
    assert ((found >= -1) & (found < len(ns.segments)) & (sample >= -1)).all()
    if len(ns.segments) == 1 and _ascending(ticks):
        assert sample.tolist() == list(range(len(sample))), "every time falls in the sample that has it"
    repr((segment, segment.stop_tick, segment.n_blocks))


def _ascending(ticks: np.ndarray) -> bool:
    return bool((ticks[1:] > ticks[:-1]).all())


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal bytes: a NaN is itself."""
    return one.shape == other.shape and one.tobytes() == other.tobytes()


# ------------------------------------------------------------------------------------------------------- events


def open_nev(data: bytes, folder: Path) -> None:
    """Open a NEV, ask for all of it, and compare."""
    with nv.open_nev(_written(folder / "s.nev", data)) as nev:
        _nev(nev)
        with pickle.loads(pickle.dumps(nev)) as again:
            assert np.array_equal(again.packets, nev.packets)


def _nev(nev: NevFile) -> None:
    kinds = nev.kinds()
    assert sum(kinds.values()) <= nev.n_packets == len(nev.packets)
    assert nev.n_packets * nev.packet_bytes <= Path(nev.path).stat().st_size
    assert nev.missing_bytes >= 0
    repr((nev, nev.time_base, nev.time_origin_tick, nev.tick_span, nev.datetime(2**63), nev.electrodes, nev.resets))
    for kind in tables.EVENT_KINDS:
        _events(nev, kind, kinds.get(kind, 0))
    ticks, n_spikes = nev.trains(), kinds.get("spike", 0)
    assert sum(map(len, ticks.values())) == n_spikes == len(nev.spikes(waveforms=False))
    assert _refused(lambda: {key: len(spikes) for key, spikes in nev.trains(waveforms=True).items()}) in (
        None, {key: len(found) for key, found in ticks.items()},
    )  # fmt: skip
    assert len(nev.spikes(list(nev.electrodes), 1, 5, 2**40, waveforms=False)) <= n_spikes
    _refused(lambda: (nev.comments(), nev.comments(merged=False), nev.digital_edges()))


def _events(nev: NevFile, kind: str, count: int) -> None:
    found = _refused(lambda: nev.events(kind))  # type: ignore[arg-type]
    if found is None:
        return
    assert len(found) == len(nev.packets_of(kind)) == count  # type: ignore[arg-type]
    assert len(nev.events(kind, sort="tick")) == count  # type: ignore[arg-type]
    if kind in ("spike", "stim"):
        assert nev.to_uv(found).shape == found["waveform"].shape
    if kind == "tracking":
        assert all(nev.tracked_points(event).ndim == 2 for event in found)


def _refused(call: Callable[[], Any]) -> Any:
    """What a request gives; None where the file's packets are too short or too uneven for it, as documented."""
    try:
        return call()
    except nv.FormatError:
        return None


# --------------------------------------------------------------------------------------------------- recordings


def packed(*members: tuple[str, bytes]) -> bytes:
    """Several files as one input: a suffix's number, two bytes of length, the file."""
    return b"".join(
        bytes([SUFFIXES.index(suffix)]) + len(data).to_bytes(2, "little") + data for suffix, data in members
    )


def _unpacked(data: bytes) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    while data and len(members) < len(SUFFIXES):
        n_bytes = int.from_bytes(data[1:3], "little")
        members[SUFFIXES[data[0] % len(SUFFIXES)]] = data[3 : 3 + n_bytes]
        data = data[3 + n_bytes :]
    return members


def _laid_out(data: bytes, folder: Path) -> Path:
    for suffix in SUFFIXES:
        (folder / f"r.{suffix}").unlink(missing_ok=True)
    for suffix, member in _unpacked(data).items():
        _written(folder / f"r.{suffix}", member)
    return folder / "r"


def open_recording(data: bytes, folder: Path) -> None:
    """Open several files as one recording and locate every event of it."""
    base = _laid_out(data, folder)
    with nv.open_recording(base) as recording:
        assert {*recording.files, *recording.failed} == {*recording.members}
        for file in recording.files.values():
            _nsx(file) if isinstance(file, NsxFile) else _nev(file)
        nev, digits = recording.nev, sorted(recording.nsx)
        if nev is not None:
            spikes, packets = nev.spikes(waveforms=False), nev.packets_of("spike")
            for digit in digits:
                for more in ({}, {"packets": packets}):
                    segment, sample = recording.locate(spikes["tick"], digit, **more)
                    n_segments = len(recording.nsx[digit].segments)
                    assert ((segment >= -1) & (segment < n_segments) & ((sample >= 0) == (segment >= 0))).all()
    _findings(nv.check(base))


# -------------------------------------------------------------------------------------------- checks and exports


def check(data: bytes, folder: Path) -> None:
    """Judge a file strictly."""
    name = "s.nev" if data[:8] in (b"NEURALEV", b"BREVENTS") else "s.ns5"
    _findings(nv.check(_written(folder / name, data)))


def _findings(findings: tuple[Any, ...]) -> None:
    for found in findings:
        assert CODES[found.code] == (found.level, found.advice)
        assert 0 <= found.offset <= Path(found.path).stat().st_size
        assert found.message
        assert "\n" not in str(found)


def write_bin(data: bytes, folder: Path) -> None:
    """Export a file by the options of the first two bytes; compare the export with what is read."""
    how, which, body = data[:1], data[1:2], data[2:]
    options, path = _options(int.from_bytes(how, "little")), _written(folder / "s.ns5", body)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with nv.open_nsx(path) as ns:
        columns = _columns(ns.n_channels, int.from_bytes(which, "little"))
        source = [ns, ns] if options.pop("wide") else ns
        try:
            report = nv.write_bin(source, out / "o.bin", channels=columns, **options)
        except Exception:
            assert not list(out.iterdir()), "nothing is left of an export that failed"
            raise
        assert all(path.suffix in (".bin", ".json", ".ticks") for path in out.iterdir())
        try:
            _exported(ns, report, columns, options, isinstance(source, list))
        except nv.NevParseError as error:
            raise AssertionError("what was written cannot be read") from error


def _options(bits: int) -> dict[str, Any]:
    return {
        "gaps": GAPS[bits & 3],
        "sort": bool(bits & 4),
        "resample": "nominal" if bits & 8 else None,
        "fill": ("hold" if bits & 16 else -1) if GAPS[bits & 3] == "fill" else 0,
        "wide": bool(bits & 32),
        "max_fill": 3.0,
    }


def _columns(n_channels: int, choice: int) -> list[int]:
    every = list(range(n_channels))
    return (every, every[::-1], every[:1], every[::2])[choice % 4]


def _exported(ns: NsxFile, report: Any, columns: list[int], options: dict[str, Any], wide: bool) -> None:
    for file in report.files:
        assert Path(file.path).stat().st_size == file.size_bytes
        described = nv.read_sidecar(file.path)
        assert (described.n_samples, described.n_channels) == (file.n_samples, file.n_channels)
        rows = np.arange(min(file.n_samples, 100))
        ticks = described.row_to_tick(rows)
        back = described.tick_to_row(ticks)
        assert ((back >= -1) & (back < file.n_samples)).all()
        if len(report.files) == 1 and options["gaps"] == "error" and _ascending(ticks):
            assert back.tolist() == rows.tolist()
    if not wide and options["resample"] is None and options["gaps"] in ("error", "join"):
        exact = ns.fully_scanned()
        read = [exact.read(segment=s.index, channels=columns, sort=options["sort"]) for s in exact.segments]
        assert Path(report.path).read_bytes() == np.concatenate(read).tobytes()
        ticks = np.concatenate([segment.ticks(sort=options["sort"]) for segment in exact.segments])
        assert np.array_equal(nv.read_sidecar(report.path).row_to_tick(np.arange(len(ticks))), ticks)


def write_nsx(data: bytes, folder: Path) -> None:
    """Cut an NSx by the option of the first byte; compare the copy with its source."""
    how, out = int.from_bytes(data[:1], "little"), _cleared(folder / "cut.ns5")
    with nv.open_nsx(_written(folder / "s.ns5", data[1:])) as ns:
        columns = _columns(ns.n_channels, how)
        report = nv.write_nsx(ns, out, channels=columns, anonymise=bool(how & 4), overwrite=True)
        with _read_back(nv.open_nsx, out) as copy:
            _nsx(copy)
            assert (copy.spec, copy.vendor, copy.dtype) == (ns.spec, ns.vendor, ns.dtype)
            assert report.n_samples in (copy.n_samples, copy.fully_scanned().n_samples)
            assert copy.fully_scanned().n_samples == ns.fully_scanned().n_samples
            assert report.size_bytes == out.stat().st_size
            read = [
                np.concatenate([file.read(segment=s.index, channels=taken) for s in file.segments])
                for file, taken in ((ns.fully_scanned(), columns), (copy.fully_scanned(), None))
            ]
            assert _same(*read)


def write_nev(data: bytes, folder: Path) -> None:
    """Cut a NEV by the option of the first byte; compare the copy with its source."""
    how, out = int.from_bytes(data[:1], "little"), _cleared(folder / "cut.nev")
    with nv.open_nev(_written(folder / "s.nev", data[1:])) as nev:
        wanted = sorted({electrode for electrode, _ in nev.trains()})[: how & 3] if how & 3 else None
        nv.write_nev(nev, out, electrodes=wanted, anonymise=bool(how & 4), overwrite=True)
        with _read_back(nv.open_nev, out) as copy:
            _nev(copy)
            spikes, read = (file.spikes(ids, waveforms=False) for file, ids in ((nev, wanted), (copy, None)))
            rolled_over = np.unique(spikes["tick"] - read["tick"])  # before the first packet: the date counts it
            assert rolled_over.size < 2
            assert not (rolled_over % (1 << 32)).any()
            read["tick"] += rolled_over.sum()
            assert read.tobytes() == spikes.tobytes()
            if wanted is None and not how & 4:
                assert copy.kinds() == nev.kinds()


def _cleared(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


def _read_back(opener: Callable[[Path], Any], path: Path) -> Any:
    try:
        return opener(path)
    except nv.FormatError as error:
        raise AssertionError("what was written cannot be read") from error


# ------------------------------------------------------------------------------------------------ growing files


def grow(data: bytes, folder: Path) -> None:
    """Open the beginning of a file, let the rest be written, and look again: it must be as if opened then."""
    n_first, body = int.from_bytes(data[:2], "little"), data[2:]
    is_nev = body[:8] in (b"NEURALEV", b"BREVENTS")
    opener: Callable[[Path], Any] = nv.open_nev if is_nev else nv.open_nsx
    judged: Callable[[Any], None] = _nev if is_nev else _nsx
    path = _written(folder / ("g.nev" if is_nev else "g.ns5"), body[:n_first])
    with opener(path) as file:
        judged(file)
        with open(path, "ab") as writer:
            writer.write(body[n_first:])
        before = _size(file)
        assert file.refresh() == _size(file) - before
        judged(file)
        while file.refresh():  # what is no packet hides those behind it, for a look
            assert _size(file) > before
            before = _size(file)
        with opener(path) as fresh:
            if fresh.digest == file.digest and not fresh.damage:
                assert _size(fresh) == _size(file)


def follow(data: bytes, folder: Path) -> None:
    """Export the beginning of a file, let the rest be written, and go on: the output is whole, or absent."""
    n_first, body = int.from_bytes(data[:2], "little"), data[2:]
    path, out, n_polls = _written(folder / "f.ns5", body[:n_first]), folder / "out", 0
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()

    def stop() -> bool:
        nonlocal n_polls
        n_polls += 1
        if n_polls == 1:
            with open(path, "ab") as writer:
                writer.write(body[n_first:])
        return n_polls > 3

    with nv.open_nsx(path) as ns:
        try:
            gaps: nv.GapPolicy = "fill" if n_first % 2 else "join"
            report = nv.write_bin(ns, out / "o.bin", gaps=gaps, follow=True, poll_s=0, stop=stop)
        except Exception:
            assert not list(out.iterdir()), "nothing is left of an export that failed"
            raise
    with nv.read_sidecar(report.path) as sidecar:
        assert Path(report.path).stat().st_size == report.size_bytes
        assert sidecar.n_samples == report.n_samples
        assert len(sidecar.row_to_tick(np.arange(min(100, report.n_samples)))) <= 100


def _size(file: Any) -> int:
    return file.n_packets if isinstance(file, NevFile) else file.n_samples


# ---------------------------------------------------------------------------------------- maps and configurations


def read_cmp(data: bytes, folder: Path) -> None:
    """Read an array map."""
    found = nv.read_cmp(_written(folder / "s.cmp", data))
    assert len({(e.column, e.row) for e in found.electrodes}) == len(found.electrodes)
    repr(found)


def read_ccf(data: bytes, folder: Path) -> None:
    """Read an XML configuration."""
    found = nv.read_ccf(_written(folder / "s.ccf", data))
    assert len({len(column) for column in found.channels.values()}) <= 1
    repr(found)


# --------------------------------------------------------------------------------------------------- a terminal


def command(data: bytes, folder: Path) -> None:
    """Run a command, which the first byte chooses, on a recording of one or several files; see what is printed."""
    arguments = COMMANDS[(data[0] if data else 0) % len(COMMANDS)]
    printed(arguments, _laid_out(data[1:], folder))


def printed(arguments: tuple[str, ...], path: str | Path) -> str:
    """What a command prints: nothing that a terminal would obey, and JSON that is some."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main([*arguments, str(path)])
    assert code in (several_files.DONE, several_files.REFUSED, several_files.UNUSABLE)
    assert "internal error" not in err.getvalue(), err.getvalue()
    assert all(line.isprintable() for line in (out.getvalue() + err.getvalue()).replace("\r\n", "\n").split("\n"))
    if "--json" in arguments:
        for line in out.getvalue().split("\n")[:-1]:
            json.loads(line, parse_constant=_no_number)
            assert line.isascii()
    return out.getvalue()


def _no_number(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


Target = Callable[[bytes, Path], None]
TARGETS: dict[str, tuple[Target, tuple[type[Exception], ...]]] = {
    "open_nsx": (open_nsx, (nv.FormatError,)),
    "open_nev": (open_nev, (nv.FormatError,)),
    "open_recording": (open_recording, (nv.FormatError, FileNotFoundError)),
    "check": (check, (nv.FormatError,)),
    "write_bin": (write_bin, (nv.FormatError, nv.GapError, nv.ExportError, ValueError)),
    "write_nsx": (write_nsx, (nv.FormatError, nv.ExportError, ValueError)),
    "write_nev": (write_nev, (nv.FormatError, nv.ExportError, ValueError)),
    "grow": (grow, (nv.FormatError,)),
    "follow": (follow, (nv.FormatError, nv.GapError, nv.ExportError, ValueError)),
    "read_cmp": (read_cmp, (nv.FormatError,)),
    "read_ccf": (read_ccf, (nv.FormatError,)),
    "command": (command, ()),
}
