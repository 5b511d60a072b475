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
from datetime import datetime, timezone
from fractions import Fraction
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from . import __version__
from ._units import visible
from .errors import NevParseError
from .spec import EVENT_KINDS, MAX_CHANNELS

if TYPE_CHECKING:
    from .nev import NevFile
    from .nsx import NsxFile
    from .recording import Recording

DONE, REFUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


class _Unusable(Exception):
    """Input or arguments nothing can be done with; the text is what the user reads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal has a µ
    try:
        with _warnings_as_lines():
            return int(arguments.command(arguments))
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


# --------------------------------------------------------------------------------------------------- arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("nevparse", description="Read Blackrock and Ripple recordings.")
    parser.add_argument("--version", action="version", version=f"nevparse {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    info = commands.add_parser("info", help="what a file is: when, how long, which channels, gaps, events, damage")
    info.add_argument("file", nargs="+", metavar="F", help="a file, or the base name of a recording for all of it")
    info.add_argument("--json", action="store_true", help="everything as JSON, one line for each file")
    info.set_defaults(command=_info)
    _add_bin(commands.add_parser("bin", help="write chosen channels to a flat .bin, and a .json that describes it"))
    check = commands.add_parser("check", help="judge a file strictly: every header, block, timestamp and packet")
    check.add_argument("file", nargs="+", metavar="F", help="a file, or the base name of a recording for all of it")
    check.add_argument("--json", action="store_true", help="findings as JSON, one line each")
    check.set_defaults(command=_check)
    _add_events(commands.add_parser("events", help="list comments, digital input and every other kind of event"))
    return parser


def _add_bin(command: argparse.ArgumentParser) -> None:
    names = "an NSx file, or any member or the base name of a recording; of several instruments one each"
    command.add_argument("file", nargs="+", metavar="F", help=names)
    command.add_argument("out", metavar="OUT", help="the .bin to write")
    command.add_argument("--nsx", type=int, metavar="N", help="which .nsN of a recording; the fastest otherwise")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--channels", type=_columns, metavar="0:128", help="columns, from 0, as numpy slices")
    which.add_argument("--electrodes", type=_ids, metavar="1-96,129", help="electrode ids, both ends included")
    which.add_argument("--labels", nargs="+", metavar="LABEL", help="labels, or patterns such as 'elec*'")
    which.add_argument("--neural", action="store_true", help="leave out analog inputs")
    when = "seconds after the first sample (12.5), ticks (375000t) or a UTC date (2024-05-06T07:08:09)"
    command.add_argument("--start", type=_moment, metavar="TIME", help=when)
    command.add_argument("--stop", type=_moment, metavar="TIME", help="likewise; not included")
    command.add_argument(
        "--gaps",
        choices=["error", "split", "join", "fill"],
        default="error",
        help="where time is broken: refuse, a file for each stretch, back to back, or fill what is missing",
    )
    command.add_argument("--fill", type=_fill, default=0, metavar="VALUE", help="what fills: a raw value, or hold")
    command.add_argument("--max-fill", type=float, default=10.0, metavar="X", help="at most X times what was recorded")
    command.add_argument("--resample", choices=["nominal"], help="PTP: nearest samples on an even grid")
    command.add_argument("--sort", action="store_true", help="put samples right that stand out of order")
    command.add_argument("--overwrite", action="store_true", help="replace files of the same names")
    command.set_defaults(command=_bin)


def _add_events(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="F", help="a NEV file, or any member or the base name of a recording")
    command.add_argument("--kind", choices=EVENT_KINDS, help="one kind; all but spikes otherwise")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values with a header (RFC 4180)")
    form.add_argument("--json", action="store_true", help="JSON, one line for each event")
    form.add_argument("--npy", metavar="OUT", help="a numpy file of one kind")
    command.set_defaults(command=_events)


def _columns(text: str) -> list[slice]:
    parts = []
    for part in text.split(","):
        numbers = [int(number) if number.strip() else None for number in part.split(":")]
        if len(numbers) == 1 and numbers[0] is not None:
            parts.append(slice(numbers[0], numbers[0] + 1 or None))
        elif 2 <= len(numbers) <= 3 and 0 not in numbers[2:]:
            parts.append(slice(*numbers))
        else:
            raise ValueError(text)
    return parts


def _ids(text: str) -> list[int]:
    ids: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin, end = int(first), int(last if dash else first)
        if not begin <= end < begin + MAX_CHANNELS:
            raise ValueError(text)
        ids += range(begin, end + 1)
    return ids


def _fill(text: str) -> float | str:
    return "hold" if text == "hold" else int(text) if text.lstrip("-").isdigit() else float(text)


def _seconds(text: str) -> Fraction:
    if len(text.lower().partition("e")[2]) > 4:
        raise ValueError(text)  # as an exact number it would fill the memory
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise ValueError(text) from None


def _moment(text: str) -> Callable[[NsxFile], int]:
    """Turn a time into what finds its tick in a file."""
    if text.endswith("t"):
        tick = int(text[:-1])
        return lambda _: tick
    try:
        seconds = _seconds(text)
    except ValueError:
        date = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return lambda ns: _tick_of(ns, date if date.tzinfo else date.replace(tzinfo=timezone.utc))
    return lambda ns: max(0, ns.segments[0].start_tick + round(seconds * ns.tick_rate)) if ns.segments else 0


def _tick_of(ns: NsxFile, date: datetime) -> int:
    base = ns.time_base
    if base.origin is None:
        raise ValueError(f"{ns.path}: the file has no date; give --start and --stop in seconds or ticks")
    since = date - base.origin
    microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    return max(0, base.origin_tick + microseconds * base.tick_rate // 1_000_000)


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
