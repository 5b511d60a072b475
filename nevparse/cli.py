# SPDX-License-Identifier: MIT
"""The command line: what a file is, and what it becomes.

Exit codes: 0 done, 1 refused or findings, 2 unusable input or arguments. What a user sees of a failure is one line.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from ._arguments import parser
from ._units import visible
from .errors import NevParseError

if TYPE_CHECKING:
    import argparse

    from .nev import NevFile
    from .nsx import NsxFile
    from .recording import Recording

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
    print(f"nevparse: {visible(message)}", file=sys.stderr)
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
    from . import recording
    from .nev import open_nev
    from .nsx import open_nsx
    from .spec import MAGIC_BYTES, NEV_SPECS

    if not os.path.exists(path) or os.path.isdir(path):
        return _opened(recording.open_recording, path)  # type: ignore[no-any-return]

    def by_magic(name: str) -> NsxFile | NevFile:
        with open(name, "rb") as file:
            magic = file.read(MAGIC_BYTES)
        return open_nev(name) if magic in {known for known, _ in NEV_SPECS} else open_nsx(name)

    return _opened(by_magic, path)  # type: ignore[no-any-return]


@contextmanager
def _continuous(path: str, number: int | None) -> Iterator[NsxFile]:
    """The continuous file that a name stands for; says which where the name leaves it open."""
    from .nsx import NsxFile
    from .recording import open_recording

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
    from .nev import NevFile
    from .recording import open_recording

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
    import json

    from . import _facts

    for path in arguments.file:
        with _file_or_recording(path) as found:
            text = json.dumps(_facts.facts(found)) if arguments.json else "\n".join(_facts.lines(found))
        print(text, flush=True)
    return DONE


def _check(arguments: argparse.Namespace) -> int:
    import json

    from ._check import check
    from ._findings import NOTE

    code = DONE
    for path in arguments.file:
        findings = _opened(check, path)
        for finding in findings:
            print(json.dumps(finding._asdict()) if arguments.json else visible(str(finding)))
        if not findings and not arguments.json:
            print(visible(f"{path}: sound"))
        code = REFUSED if any(finding.level != NOTE for finding in findings) else code
    return code


def _bin(arguments: argparse.Namespace) -> int:
    from .binfile import write_bin

    with ExitStack() as stack:
        files = [stack.enter_context(_continuous(path, arguments.nsx)) for path in arguments.file]
        ns = files[0]
        report = write_bin(
            ns if len(files) == 1 else files,
            arguments.out,
            channels=_chosen(ns, arguments.channels),
            electrodes=arguments.electrodes,
            labels=arguments.labels,
            kind="neural" if arguments.neural else None,
            start_tick=arguments.start and arguments.start(ns),
            stop_tick=arguments.stop and arguments.stop(ns),
            gaps=arguments.gaps,
            fill=arguments.fill,
            max_fill=arguments.max_fill,
            resample=arguments.resample,
            sort=arguments.sort,
            overwrite=arguments.overwrite,
            progress=_progress if sys.stderr.isatty() else None,
        )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for line in str(report).splitlines():
        print(visible(line))
    print(visible(f"{report.sidecar_path}: what each column and row is"))
    return DONE


def _chosen(ns: NsxFile, slices: list[slice] | None) -> list[int] | None:
    if slices is None:
        return None
    last = max((part.stop or 0 for part in slices), default=0)
    if last > ns.n_channels:
        _say(f"warning: there are {ns.n_channels} channels; {last} were asked for", DONE)
    return [column for part in slices for column in range(ns.n_channels)[part]]


def _progress(done: int, total: int) -> None:
    print(f"\r{100 * done // total:3d} % of {total} samples", end="", file=sys.stderr, flush=True)


def _events(arguments: argparse.Namespace) -> int:
    from . import _event_table

    with _spiking(arguments.file) as nev:
        if arguments.npy:
            return _save(nev, arguments.kind, arguments.npy)
        kinds = _event_table.shown_kinds(nev, arguments.kind)
        rows = _event_table.rows_of(nev, kinds)
        if arguments.csv:
            _print_csv(_event_table.columns_of(nev, kinds), rows)
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
    print(visible(f"{path}: {len(events)} events of {events.dtype}"))
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
    import json

    for row in rows:
        print(json.dumps(row))
    sys.stdout.flush()


def _print_lines(rows: Iterator[dict[str, Any]]) -> None:
    for row in rows:
        tick, seconds, kind = row.pop("tick"), row.pop("seconds"), row.pop("kind")
        rest = "  ".join(f"{name} {value}" for name, value in row.items() if value is not None)
        print(f"{seconds:14.6f} s  tick {tick}  {kind:<10}  {visible(rest)}")
    sys.stdout.flush()


_COMMANDS = {"info": _info, "bin": _bin, "check": _check, "events": _events}
