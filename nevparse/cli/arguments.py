# SPDX-License-Identifier: MIT
"""What the command line takes: commands, options, and how their values are written."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime, timezone
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from .. import __version__
from ..format.tables import EVENT_KINDS, MAX_CHANNELS
from ..format.text import printable

if TYPE_CHECKING:
    from ..clock import TimeBase


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(printable(message))  # it quotes names of files


def parser() -> argparse.ArgumentParser:
    """Every command with its options; the command's name is left in ``command``."""
    top = _Parser("nevparse", description="Read Blackrock and Ripple recordings.")
    top.add_argument("--version", action="version", version=f"nevparse {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    info = commands.add_parser("info", help="what a file is: when, how long, which channels, gaps, events, damage")
    info.add_argument("file", nargs="+", metavar="F", help="a file, or the base name of a recording for all of it")
    info.add_argument("--json", action="store_true", help="everything as JSON, one line for each file")
    info.set_defaults(command="info")
    _add_bin(commands.add_parser("bin", help="write chosen channels to a flat .bin, and a .json that describes it"))
    _add_sorter(commands.add_parser("sorter", help="make a folder that Kilosort, Phy and SpikeInterface open"))
    _add_cut(commands.add_parser("cut", help="write a part of an NSx or NEV file as a file of the same kind"))
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
    _add_which(command).add_argument("--neural", action="store_true", help="leave out analog inputs")
    _add_export(command)
    command.add_argument("--follow", action="store_true", help="go on with what is being recorded, until Ctrl-C")
    idle = "with --follow: end after so many seconds without a new sample"
    command.add_argument("--timeout", type=float, metavar="S", help=idle)
    command.set_defaults(command="bin")


def _add_sorter(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="F", help="an NSx file, or any member or the base name of a recording")
    command.add_argument("folder", metavar="FOLDER", help="the folder to make")
    several = "the array's map; of several arrays or headstages one each. A plain grid otherwise"
    command.add_argument("--cmp", nargs="+", metavar="MAP", help=several)
    command.add_argument("--first-bank", metavar="AE", help="the bank that bank A of each map is plugged into")
    by = "what joins map and channels: bank and pin, label, or electrode id"
    command.add_argument("--by", choices=["pin", "label", "id"], default="pin", help=by)
    command.add_argument("--pitch", type=float, metavar="UM", help="µm between electrodes, where not as the map says")
    _add_which(command)
    _add_export(command)
    command.set_defaults(command="sorter")


def _add_which(command: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    command.add_argument("--nsx", type=int, metavar="N", help="which .nsN of a recording; the fastest otherwise")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--channels", type=_columns, metavar="0:128", help="columns, from 0, as numpy slices")
    which.add_argument("--electrodes", type=_ids, metavar="1-96,129", help="electrode ids, both ends included")
    which.add_argument("--labels", nargs="+", metavar="LABEL", help="labels, or patterns such as 'elec*'")
    return which


def _add_cut(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="F", help="an NSx or NEV file; with --nsx any member or the base name")
    command.add_argument("out", metavar="OUT", help="the file to write")
    _add_which(command).add_argument("--neural", action="store_true", help="leave out analog inputs")
    _add_time(command)
    command.add_argument("--segments", type=_columns, metavar="0,2:4", help="unbroken stretches, from 0")
    command.add_argument("--kinds", nargs="+", choices=EVENT_KINDS, metavar="KIND", help="of a NEV: kinds of events")
    out = "take out dates, comments, texts and the application; with the word labels, labels too"
    command.add_argument("--anonymise", nargs="?", const=True, default=False, choices=["labels"], help=out)
    base = "what to subtract from timestamps that count from 1970, the same for every file of a recording"
    command.add_argument("--base-tick", type=int, default=0, metavar="TICK", help=base)
    command.add_argument("--overwrite", action="store_true", help="replace a file of the same name")
    command.set_defaults(command="cut")


def _add_time(command: argparse.ArgumentParser) -> None:
    when = "seconds after the first sample (12.5), ticks (375000t) or a UTC date (2024-05-06T07:08:09)"
    command.add_argument("--start", type=_moment, metavar="TIME", help=when)
    command.add_argument("--stop", type=_moment, metavar="TIME", help="likewise; not included")


def _add_export(command: argparse.ArgumentParser) -> None:
    _add_time(command)
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


def _add_events(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="F", help="a NEV file, or any member or the base name of a recording")
    command.add_argument("--kind", choices=EVENT_KINDS, help="one kind; all but spikes otherwise")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values with a header (RFC 4180)")
    guarded = "the same, with an apostrophe before texts that a spreadsheet would take for formulas"
    form.add_argument("--spreadsheet", action="store_true", help=guarded)
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


class Times(NamedTuple):
    """What times that a user writes are counted by: the file, its first sample, and when its ticks were."""

    path: str
    first_tick: int | None
    base: TimeBase


def _moment(text: str) -> Callable[[Times], int]:
    """Turn a time into what finds its tick in a file."""
    if text.endswith("t"):
        tick = int(text[:-1])
        return lambda _: tick
    try:
        seconds = _seconds(text)
    except ValueError:
        date = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return lambda times: _tick_of(times, _utc(date))
    return lambda times: _after(times, seconds)


def _after(times: Times, seconds: Fraction) -> int:
    return 0 if times.first_tick is None else max(0, times.first_tick + round(seconds * times.base.tick_rate))


def _tick_of(times: Times, date: datetime) -> int:
    base = times.base
    if base.origin is None:
        raise ValueError(f"{times.path}: the file has no date; give --start and --stop in seconds or ticks")
    since = date - _utc(base.origin)
    microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    return max(0, base.origin_tick + microseconds * base.tick_rate // 1_000_000)


def _utc(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
