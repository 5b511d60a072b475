# SPDX-License-Identifier: MIT
"""Messages, warnings, progress and reports on a terminal, and Ctrl-C from it."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from time import monotonic
from typing import Any, TextIO

from ..errors import NevParseError
from ..format.text import duration_text, printable

# What a line begins with, and the terminal's code for its colour: bold, red, yellow, green
_COLORS = {
    r"\S": "1",
    r"  (missing: |could not be read|\d+ damaged place|\d+ clock reset)|.*: (dead|clipped): ": "31",
    r"  \d+ gaps?:|.*: (hum|noisy|unlike its neighbours): ": "33",
    r"  no (gaps|damaged places)$": "32",
    "": "",
}


_SURE_S = 1.0  # before a speed says anything


class UnusableInput(Exception):
    """Input or arguments that no command can use; the text is what the user reads."""


@contextmanager
def check_readable(path: str) -> Iterator[None]:
    """Turn an error in opening or reading a file into `UnusableInput`."""
    try:
        yield
    except (NevParseError, OSError) as error:
        text = f"{error.filename or path}: {error.strerror}" if isinstance(error, OSError) and error.strerror else error
        raise UnusableInput(str(text)) from error


def print_message(message: str) -> None:
    """Print one line on standard error."""
    PROGRESS_LINE.end()
    print(f"nevparse: {printable(message)}", file=sys.stderr)


class ProgressLine:
    """The line of standard error that shows progress, until something else is printed."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        """Replace what the line shows."""
        if text != self._shown:
            print(f"\r{text:<{len(self._shown)}}", end="", file=sys.stderr, flush=True)
            self._shown = text

    def end(self) -> None:
        """Begin a new line, if this one shows anything."""
        if self._shown:
            print(file=sys.stderr)
        self._shown = ""


PROGRESS_LINE = ProgressLine()


def show_warnings() -> None:
    """Print each warning from now on as one line, without its place in the code, and none twice."""
    warnings.simplefilter("always")
    shown = set[str]()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            print_message(f"warning: {message}")

    warnings.simplefilter("ignore", ResourceWarning)  # of a file that Ctrl-C closed
    warnings.showwarning = show


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sees what is printed to it; programs without a console have none at all."""
    return stream is not None and stream.isatty()


def has_colors() -> bool:
    """Whether standard output is a terminal that shows colours, and ``NO_COLOR`` (no-color.org) is not set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal(sys.stdout):
        return False
    return sys.platform != "win32" or any(name in os.environ for name in ("WT_SESSION", "ANSICON", "ConEmuANSI"))


def colored(line: str) -> str:
    """A line of `info` in the colour of what it says, on a terminal that has colours."""
    if not has_colors():
        return line
    code = next(code for pattern, code in _COLORS.items() if re.match(pattern, line))
    return f"\x1b[{code}m{line}\x1b[0m" if code else line


def progress(
    total_text: Callable[[int], str], unit_bytes: int = 0, is_growing: bool = False
) -> Callable[[int, int], None] | None:
    """A function that shows how far a command is, how fast and how long still; None if nobody sees standard error.

    `unit_bytes` are those of what is counted, 0 where it is no part of a file. Of what is growing nobody knows the end.
    """
    started_s = monotonic()

    def show(done: int, total: int) -> None:
        if not total:
            return  # nothing is recorded yet
        if is_growing:
            PROGRESS_LINE.show(f"{total_text(total)} so far")
            return
        text = f"{100 * done // total:3d} % of {total_text(total)}"
        elapsed_s = monotonic() - started_s
        if done and elapsed_s > _SURE_S:
            speed = f", {done * unit_bytes / elapsed_s / 1e6:.0f} MB/s" if unit_bytes else ""
            left_s = ceil(elapsed_s * (total - done) / done)
            text += f"{speed}, {duration_text(left_s)} left" if left_s else speed
        PROGRESS_LINE.show(text)

    return show if is_terminal(sys.stderr) else None


def print_report(lines: Sequence[str]) -> None:
    """Print what a command wrote, on a line below its progress."""
    PROGRESS_LINE.end()
    for line in lines:
        print(printable(line))


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C or SIGTERM as a request to stop: gives a function that returns whether it came.

    The second one ends the program as usual. Only the main thread may handle signals; elsewhere it is always False.
    """
    import signal  # only a command that follows a recording needs these
    from threading import Event, current_thread, main_thread

    stopped, former_handlers = Event(), dict[signal.Signals, Any]()

    def restore() -> None:
        for number, former in former_handlers.items():
            signal.signal(number, former)

    def handler(*_: object) -> None:
        stopped.set()
        restore()

    try:
        for number in (signal.SIGINT, signal.SIGTERM) if current_thread() is main_thread() else ():
            former_handlers[number] = signal.signal(number, handler) or signal.SIG_DFL
        yield stopped.is_set
    finally:
        restore()
