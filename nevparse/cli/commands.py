# SPDX-License-Identifier: MIT
"""The command line: what a file is, and what it becomes.

Exit codes: 0 done, 1 refused or findings, 2 unusable input or arguments. What a user sees of a failure is one line.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from ..errors import NevParseError
from ..format.text import json_text, printable, size_text
from .arguments import Times, parser

if TYPE_CHECKING:
    from ..export.native.cut_nev import NevReport
    from ..export.native.file_plan import NsxReport
    from ..nev.file import NevFile
    from ..nsx.file import NsxFile
    from ..recording.recording import Recording

DONE, REFUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


class _Unusable(Exception):
    """Input or arguments nothing can be done with; the text is what the user reads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = parser().parse_args(argv)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal has a µ
    try:
        with _warnings_as_lines():
            return _COMMANDS[arguments.command](arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what reads us has had enough
        return DONE
    except KeyboardInterrupt:
        return _say("interrupted; nothing was left behind", INTERRUPTED)
    except _Unusable as error:
        return _say(str(error), UNUSABLE)
    except (NevParseError, ValueError, KeyError, OSError, MemoryError) as error:
        return _say(str(error.args[0] if isinstance(error, KeyError) else error) or type(error).__name__, REFUSED)
    except Exception as error:  # a user never sees a traceback
        return _say(f"internal error, please report it: {type(error).__name__}: {error}", UNUSABLE)


def _say(message: str, code: int) -> int:
    print(f"nevparse: {printable(message)}", file=sys.stderr)
    return code


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        _say(f"warning: {message}", DONE)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)  # of a file that Ctrl-C closed
        warnings.showwarning = show
        yield


# ------------------------------------------------------------------------------------------------------ opening
def _opened(opener: Callable[[str], Any], path: str) -> Any:
    try:
        return opener(path)
    except (NevParseError, OSError) as error:
        text = f"{error.filename or path}: {error.strerror}" if isinstance(error, OSError) and error.strerror else error
        raise _Unusable(str(text)) from error


def _file_or_recording(path: str) -> NsxFile | NevFile | Recording:
    """What a name stands for: a file of its own, by its first bytes, or a base name."""
    from ..format.header import is_nev
    from ..nev.file import open_nev
    from ..nsx.file import open_nsx
    from ..recording import recording as recording

    if not os.path.exists(path) or os.path.isdir(path):
        return _opened(recording.open_recording, path)  # type: ignore[no-any-return]
    return _opened(lambda name: open_nev(name) if is_nev(name) else open_nsx(name), path)  # type: ignore[no-any-return]


@contextmanager
def _continuous(path: str, number: int | None) -> Iterator[NsxFile]:
    """The continuous file that a name stands for; says which where the name leaves it open."""
    from ..nsx.file import NsxFile
    from ..recording.recording import open_recording

    with ExitStack() as stack:
        named = stack.enter_context(_file_or_recording(path))
        if isinstance(named, NsxFile) and number is None:
            yield named
            return
        stack.pop_all().close()
        rec = stack.enter_context(_opened(open_recording, path))
        if number is not None and number not in rec.nsx:
            there = ", ".join(suffix for suffix in rec.members if suffix != "nev") or "no continuous file"
            raise _Unusable(f"{rec.base}: expected .ns{number}, found {there}")
        try:
            ns = rec.fastest if number is None else rec.nsx[number]
        except ValueError as error:
            raise _Unusable(str(error)) from error
        _say(f"{ns.path} ({ns.sampling_rate:g} Hz)", DONE)
        yield ns


@contextmanager
def _spiking(path: str) -> Iterator[NevFile]:
    """The NEV that a name stands for."""
    from ..nev.file import NevFile
    from ..recording.recording import open_recording

    with ExitStack() as stack:
        named = stack.enter_context(_file_or_recording(path))
        if isinstance(named, NevFile):
            yield named
            return
        rec = stack.enter_context(_opened(open_recording, path))
        if rec.nev is None:
            raise _Unusable(f"{rec.base}: expected a .nev, found {', '.join(rec.members)}")
        yield rec.nev


# ----------------------------------------------------------------------------------------------------- commands
def _info(arguments: argparse.Namespace) -> int:
    from . import info as _facts

    for path in arguments.file:
        with _file_or_recording(path) as found:
            text = json_text(_facts.as_json(found)) if arguments.json else "\n".join(_facts.as_text(found))
        print(text, flush=True)
    return DONE


def _check(arguments: argparse.Namespace) -> int:
    from ..recording.check import NOTE, check

    code = DONE
    for path in arguments.file:
        findings = _opened(check, path)
        for finding in findings:
            print(json_text(finding._asdict()) if arguments.json else printable(str(finding)))
        if not findings and not arguments.json:
            print(printable(f"{path}: sound"))
        code = REFUSED if any(finding.level != NOTE for finding in findings) else code
    return code


def _bin(arguments: argparse.Namespace) -> int:
    from ..export.bin import write_bin
    from .interrupt import stop_on_signal

    if arguments.timeout is not None and not arguments.follow:
        raise _Unusable("--timeout says when --follow ends; give --follow too")
    with ExitStack() as stack:
        files = [stack.enter_context(_continuous(path, arguments.nsx)) for path in arguments.file]
        ns = files[0]
        if arguments.follow and not ns.n_samples and (arguments.start or arguments.stop):
            raise _Unusable(f"{ns.path}: it has no sample yet, from which --start and --stop count; wait for the first")
        stop = stack.enter_context(stop_on_signal()) if arguments.follow else None
        report = write_bin(
            ns if len(files) == 1 else files,
            arguments.out,
            kind="neural" if arguments.neural else None,
            follow=arguments.follow,
            timeout_s=arguments.timeout,
            stop=stop,
            **_export_options(ns, arguments),
        )
    _print_report([*report.lines(), f"{report.sidecar_path}: what each column and row is"])
    return DONE


def _sorter(arguments: argparse.Namespace) -> int:
    from ..export.sorter.folder import write_sorter
    from ..maps.cmp import read_cmp

    arrays = None
    if arguments.cmp:
        arrays = _opened(lambda _: read_cmp(arguments.cmp, first_bank=arguments.first_bank), arguments.cmp[0])
    with _continuous(arguments.file, arguments.nsx) as ns:
        report = write_sorter(
            ns,
            arguments.folder,
            cmp=arrays,
            by=arguments.by,
            pitch_um=arguments.pitch,
            **_export_options(ns, arguments),
        )
    _print_report(report.lines())
    return DONE


def _export_options(ns: NsxFile, arguments: argparse.Namespace) -> dict[str, Any]:
    """What commands that export samples have in common."""
    same = ("electrodes", "labels", "gaps", "fill", "max_fill", "resample", "sort", "overwrite")
    return {name: getattr(arguments, name) for name in same} | {
        "channels": _chosen(ns, arguments.channels),
        **_ticks(_times(ns), arguments),
        "progress": _progress if sys.stderr.isatty() else None,
    }


def _times(ns: NsxFile) -> Times:
    return Times(ns.path, ns.segments[0].start_tick if ns.segments else None, ns.time_base)


def _ticks(times: Times, arguments: argparse.Namespace) -> dict[str, Any]:
    """Times as they were written, in ticks."""
    return {f"{end}_tick": found and found(times) for end in ("start", "stop") for found in [getattr(arguments, end)]}


def _print_report(lines: Sequence[str]) -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for line in lines:
        print(printable(line))


def _bytes_done(done: int, total: int) -> None:
    print(f"\r{100 * done // total:3d} % of {size_text(total)}", end="", file=sys.stderr, flush=True)


def _chosen(ns: NsxFile, slices: list[slice] | None) -> list[int] | None:
    if slices is None:
        return None
    last = max((part.stop or 0 for part in slices), default=0)
    if last > ns.n_channels:
        _say(f"warning: there are {ns.n_channels} channels; {last} were asked for", DONE)
    return _numbers(slices, ns.n_channels)


def _numbers(slices: list[slice], n: int) -> list[int]:
    return [number for part in slices for number in range(n)[part]]


def _progress(done: int, total: int) -> None:
    print(f"\r{100 * done // total:3d} % of {total} samples", end="", file=sys.stderr, flush=True)


def _cut(arguments: argparse.Namespace) -> int:
    from ..nev.file import NevFile
    from ..nsx.file import NsxFile

    path, number = arguments.file, arguments.nsx
    with _file_or_recording(path) if number is None else _continuous(path, number) as found:
        if isinstance(found, NsxFile):
            report = str(_cut_nsx(found, arguments))
        elif isinstance(found, NevFile):
            report = str(_cut_nev(found, arguments))
        else:
            raise _Unusable(f"{path}: expected the name of one file, found a recording of {', '.join(found.members)}")
    _print_report([report])
    return DONE


def _cut_nsx(ns: NsxFile, arguments: argparse.Namespace) -> NsxReport:
    from ..export.native.cut_nsx import write_nsx

    _refuse_options(arguments, f"{ns.path}: an NSx has no events", "kinds")
    segments = arguments.segments and _numbers(arguments.segments, len(ns.segments))
    return write_nsx(
        ns,
        arguments.out,
        channels=_chosen(ns, arguments.channels),
        labels=arguments.labels,
        kind="neural" if arguments.neural else None,
        segments=segments,
        **_ticks(_times(ns), arguments),
        **_cut_options(arguments),
    )


def _cut_nev(nev: NevFile, arguments: argparse.Namespace) -> NevReport:
    from ..export.native.cut_nev import write_nev

    _refuse_options(arguments, f"{nev.path}: a NEV has no samples", "channels", "labels", "neural", "segments")
    timed = arguments.start or arguments.stop
    ticks = _ticks(_nev_times(nev), arguments) if timed else {}
    return write_nev(nev, arguments.out, kinds=arguments.kinds, **ticks, **_cut_options(arguments))


def _cut_options(arguments: argparse.Namespace) -> dict[str, Any]:
    same = {name: getattr(arguments, name) for name in ("electrodes", "anonymise", "base_tick", "overwrite")}
    return same | {"progress": _bytes_done if sys.stderr.isatty() else None}


def _refuse_options(arguments: argparse.Namespace, why: str, *names: str) -> None:
    for name in names:
        if getattr(arguments, name):
            raise _Unusable(f"{why}; leave out --{name}")


def _nev_times(nev: NevFile) -> Times:
    """A NEV's times: seconds count from the first sample of the recording, so that all its files are cut alike."""
    from ..recording.recording import open_recording

    with _opened(open_recording, nev.path) as rec:
        files = [file for file in (*rec.nsx.values(), *rec.nfx.values()) if file.n_samples]
        if not files:
            first = nev.tick_span[0] if nev.tick_span else None
            _say(f"no samples beside {nev.path}: seconds count from its first event", DONE)
            return Times(nev.path, first, nev.time_base)
        ns = max(files, key=lambda file: file.sampling_rate)
        first = ns.segments[0].start_tick * nev.tick_rate // ns.tick_rate
    return Times(nev.path, first, nev.time_base)


def _events(arguments: argparse.Namespace) -> int:
    from . import events as _event_table

    with _spiking(arguments.file) as nev:
        if arguments.npy:
            return _save(nev, arguments.kind, arguments.npy)
        kinds = _event_table.shown_kinds(nev, arguments.kind)
        rows = _event_table.rows_of(nev, kinds)
        if arguments.csv or arguments.spreadsheet:
            table = (_event_table.cells_of(row, arguments.spreadsheet) for row in rows)
            _print_csv(_event_table.columns_of(nev, kinds), table)
        elif arguments.json:
            _print_json(rows)
        else:
            _print_lines(rows)
    return DONE


def _save(nev: NevFile, kind: str | None, path: str) -> int:
    import numpy as np

    if kind is None:
        raise _Unusable("--npy takes one kind of event: name it with --kind")
    events = nev.events(kind)
    with open(path, "xb") as file:
        np.save(file, events, allow_pickle=False)
    print(printable(f"{path}: {len(events)} events of {events.dtype}"))
    return DONE


def _print_csv(columns: list[str], rows: Iterator[dict[str, Any]]) -> None:
    import csv

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(newline="")  # RFC 4180 ends lines in CRLF on every system
    writer = csv.DictWriter(sys.stdout, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    sys.stdout.flush()


def _print_json(rows: Iterator[dict[str, Any]]) -> None:
    for row in rows:
        print(json_text(row))
    sys.stdout.flush()


def _print_lines(rows: Iterator[dict[str, Any]]) -> None:
    for row in rows:
        tick, seconds, kind = row.pop("tick"), row.pop("seconds"), row.pop("kind")
        rest = "  ".join(f"{name} {value}" for name, value in row.items() if value is not None)
        print(f"{seconds:14.6f} s  tick {tick}  {kind:<10}  {printable(rest)}")
    sys.stdout.flush()


_COMMANDS = {"info": _info, "bin": _bin, "sorter": _sorter, "cut": _cut, "check": _check, "events": _events}
