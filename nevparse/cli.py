# SPDX-License-Identifier: MIT
"""The command line: what a file is, and what it becomes.

Exit codes: 0 done, 1 refused or findings, 2 unusable input or arguments. What a user sees of a failure is one line.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from . import __version__
from ._units import visible
from .errors import NevParseError

if TYPE_CHECKING:
    from .nsx import NsxFile

DONE, REFUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


class _Unusable(Exception):
    """Input or arguments nothing can be done with; the text is what the user reads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = _parser().parse_args(argv)
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
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("nevparse", description="Read Blackrock and Ripple recordings.")
    parser.add_argument("--version", action="version", version=f"nevparse {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    info = commands.add_parser("info", help="what a file is: when, how long, which channels, gaps, damage")
    info.add_argument("file", nargs="+", metavar="F")
    info.add_argument("--json", action="store_true", help="everything as JSON, one line for each file")
    info.set_defaults(command=_info)
    _add_bin(commands.add_parser("bin", help="write chosen channels to a flat .bin, and a .json that describes it"))
    return parser


def _add_bin(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="F", help="an .ns1 to .ns9 or .nf1 to .nf9 file")
    command.add_argument("out", metavar="OUT", help="the .bin to write")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--channels", type=_columns, metavar="0:128", help="columns, from 0, as numpy slices")
    which.add_argument("--electrodes", type=_ids, metavar="1-96,129", help="electrode ids, both ends included")
    which.add_argument("--labels", nargs="+", metavar="LABEL", help="labels, or patterns such as 'elec*'")
    which.add_argument("--neural", action="store_true", help="leave out analog inputs")
    command.add_argument("--start", type=_seconds, metavar="S", help="seconds after the file's first sample")
    command.add_argument("--stop", type=_seconds, metavar="S", help="seconds after the file's first sample")
    command.add_argument("--gaps", choices=["error"], default="error", help="what to do where time is broken")
    command.add_argument("--overwrite", action="store_true", help="replace files of the same names")
    command.set_defaults(command=_bin)


def _columns(text: str) -> list[slice]:
    parts = []
    for part in text.split(","):
        numbers = [int(number) if number.strip() else None for number in part.split(":")]
        if len(numbers) == 1 and numbers[0] is not None:
            parts.append(slice(numbers[0], numbers[0] + 1 or None))
        elif 2 <= len(numbers) <= 3:
            parts.append(slice(*numbers))
        else:
            raise ValueError(text)
    return parts


def _ids(text: str) -> list[int]:
    ids: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        ids += range(int(first), int(last or first) + 1)
    return ids


def _seconds(text: str) -> Fraction:
    return Fraction(text)


def _open(path: str) -> NsxFile:
    from .nsx import open_nsx

    try:
        return open_nsx(path)
    except (NevParseError, OSError) as error:
        raise _Unusable(_os_text(error, path)) from error


def _os_text(error: Exception, path: str) -> str:
    return f"{path}: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def _info(arguments: argparse.Namespace) -> int:
    import json

    from . import _facts

    for path in arguments.file:
        with _open(path) as ns:
            text = json.dumps(_facts.nsx_facts(ns)) if arguments.json else "\n".join(_facts.nsx_text(ns))
        print(text, flush=True)
    return DONE


def _bin(arguments: argparse.Namespace) -> int:
    from .binfile import write_bin

    with _open(arguments.file) as ns:
        report = write_bin(
            ns,
            arguments.out,
            channels=_chosen(ns, arguments.channels),
            electrodes=arguments.electrodes,
            labels=arguments.labels,
            kind="neural" if arguments.neural else None,
            start_tick=_tick(ns, arguments.start),
            stop_tick=_tick(ns, arguments.stop),
            gaps=arguments.gaps,
            overwrite=arguments.overwrite,
            progress=_progress if sys.stderr.isatty() else None,
        )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(visible(str(report)))
    print(visible(f"{report.sidecar_path}: what each column and row is"))
    return DONE


def _chosen(ns: NsxFile, slices: list[slice] | None) -> list[int] | None:
    if slices is None:
        return None
    last = max((part.stop or 0 for part in slices), default=0)
    if last > ns.n_channels:
        _say(f"warning: there are {ns.n_channels} channels; {last} were asked for", DONE)
    return [column for part in slices for column in range(ns.n_channels)[part]]


def _tick(ns: NsxFile, seconds: Fraction | None) -> int | None:
    if seconds is None or not ns.segments:
        return None
    return max(0, ns.segments[0].start_tick + round(seconds * ns.tick_rate))


def _progress(done: int, total: int) -> None:
    print(f"\r{100 * done // total:3d} % of {total} samples", end="", file=sys.stderr, flush=True)
