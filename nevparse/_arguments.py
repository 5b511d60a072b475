# SPDX-License-Identifier: MIT
"""What the command line takes: commands, options, and how their values are written."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime, timezone
from fractions import Fraction
from typing import TYPE_CHECKING

from . import __version__
from .spec import EVENT_KINDS, MAX_CHANNELS

if TYPE_CHECKING:
    from .nsx import NsxFile


def parser() -> argparse.ArgumentParser:
    """Every command with its options; the command's name is left in ``command``."""
    top = argparse.ArgumentParser("nevparse", description="Read Blackrock and Ripple recordings.")
    top.add_argument("--version", action="version", version=f"nevparse {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    info = commands.add_parser("info", help="what a file is: when, how long, which channels, gaps, events, damage")
    info.add_argument("file", nargs="+", metavar="F", help="a file, or the base name of a recording for all of it")
    info.add_argument("--json", action="store_true", help="everything as JSON, one line for each file")
    info.set_defaults(command="info")
    _add_bin(commands.add_parser("bin", help="write chosen channels to a flat .bin, and a .json that describes it"))
    check = commands.add_parser("check", help="judge a file strictly: every header, block, timestamp and packet")
    check.add_argument("file", nargs="+", metavar="F", help="a file, or the base name of a recording for all of it")
    check.add_argument("--json", action="store_true", help="findings as JSON, one line each")
    check.set_defaults(command="check")
    _add_events(commands.add_parser("events", help="list comments, digital input and every other kind of event"))
    return top


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
    command.set_defaults(command="bin")


def _add_events(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="F", help="a NEV file, or any member or the base name of a recording")
    command.add_argument("--kind", choices=EVENT_KINDS, help="one kind; all but spikes otherwise")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values with a header (RFC 4180)")
    form.add_argument("--json", action="store_true", help="JSON, one line for each event")
    form.add_argument("--npy", metavar="OUT", help="a numpy file of one kind")
    command.set_defaults(command="events")


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
