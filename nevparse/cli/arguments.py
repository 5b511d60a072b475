# SPDX-License-Identifier: MIT
"""Which commands and options the command line has, and how their values are parsed.

Options of an export have the library's names for them (``dest``), so that `commands` can pass them on.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from .. import __version__
from ..format.tables import EVENT_KINDS
from ..format.text import printable
from .values import columns, excluded, factor, fill, ids, moment, offsets, seconds, segments

# Of each command; they are run in the folder of the README's recordings
EXAMPLES = {
    "info": ("nevparse info session.ns5", "nevparse info session --channels", "nevparse info ."),
    "bin": (
        "nevparse bin session.ns5 neural.bin --neural --exclude 17,40",
        "nevparse bin session.ns5 part.bin --electrodes 1-96 --start 20ms --stop 0.08",
        "nevparse bin paused.ns5 filled.bin --gaps fill --fill hold",
        "nevparse bin big-NSP1.ns5 big-NSP2.ns5 wide.bin",
        'nevparse bin "*.ns5" --out-dir exported --gaps join --skip-done',
    ),
    "sorter": (
        "nevparse sorter session.ns5 session_sorter --cmp array.cmp",
        "nevparse sorter paused.ns5 paused_sorter --gaps join --json",
    ),
    "cut": (
        "nevparse cut session.ns5 small.ns5 --channels 0:16 --stop 50ms --anonymise",
        "nevparse cut session.nev small.nev --labels elec1,elec2 --kinds spike",
    ),
    "check": ("nevparse check session paused.ns5",),
    "report": ("nevparse report session page.html --cmp array.cmp",),
    "events": (
        "nevparse events session.nev",
        "nevparse events session --kind digital --csv",
        "nevparse events session.nev --kind spike --npy spikes.npy",
    ),
}
_GREEDY = ("--labels", "--cmp", "--kinds")  # they take as many values as follow
_ANY_FILE = "a file, or the base name of a recording for all of it"
_OR_FOLDER = "; of a folder a line for each recording in it"
_OTHER_NEV = "a NEV of another name as that of the recording: a sorted one"
_CONTINUOUS = "an NSx file, or any member or the base name of a recording"


class _Parser(argparse.ArgumentParser):
    """One that says what would be right, and shows the usage of the command that was mistyped."""

    _given: tuple[str, ...] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is not known here, where the command's own usage is."""
        self._given = tuple(_joined(sys.argv[1:] if args is None else args))
        parsed, unknown = super().parse_known_args(list(self._given), namespace)
        if unknown:
            self.error("; ".join(self._unknown(text) for text in unknown))
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print the usage and a line, and exit."""
        if message.startswith("the following arguments are required"):
            message += "".join(self._taken(option) for option in _GREEDY if option in self._given)
        if choice := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            alike = get_close_matches(choice[1], re.split(r"[ ',]+", choice[2]), 1)
            message += f"; did you mean {alike[0]}?" if alike else ""
        if message.endswith("expected one argument"):
            option = message.removeprefix("argument ").partition(":")[0].split("/")[0]
            message += f"; a value that begins with - is joined to it: {option}=-1"
        super().error(printable(message))  # it quotes names of files

    def _unknown(self, text: str) -> str:
        if not text.startswith("-"):
            return f"unexpected {text!r}"
        alike = get_close_matches(text.partition("=")[0], self._option_string_actions, 1)
        return f"unknown option {text}" + (f"; did you mean {alike[0]}?" if alike else "")

    def _taken(self, option: str) -> str:
        """What an option that takes several values took, as it may have taken the files."""
        behind = self._given[self._given.index(option) + 1 :]
        n_values = next((k for k, text in enumerate(behind) if text.startswith("-")), len(behind))
        taken = ", ".join(behind[:n_values])
        return f"; {option} took {taken}: put it last, or give its values as one list, {option} A,B"


def _joined(arguments: Sequence[str]) -> Iterator[str]:
    """Arguments with values that begin with a minus joined to their options, and a lone ``--anonymise`` behind all."""
    before, n_lone = "", 0
    for text in arguments:
        if before == "--anonymise" and text != "labels":
            before, n_lone = "", n_lone + 1
        if re.match(r"-[\d.]", text) and before.startswith("--") and "=" not in before:
            text = f"{before}={text}"
        elif before:
            yield before
        before = text
        if text == "--":  # no options are behind it
            yield from ["--anonymise"] * n_lone
            n_lone = 0
    yield from [before] * bool(before)
    yield from ["--anonymise"] * n_lone


def parser() -> argparse.ArgumentParser:
    """Every command with its options; ``command`` is the name of the one that was given."""
    top = _Parser("nevparse", description="Read Blackrock and Ripple recordings.")
    top.add_argument("--version", action="version", version=f"nevparse {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    top.epilog = "nevparse COMMAND -h has the options and examples of a command."
    info = commands.add_parser("info", help="what a file is: when, how long, which channels, gaps, events, damage")
    info.add_argument("file", nargs="+", metavar="F", help=_ANY_FILE + _OR_FOLDER)
    info.add_argument("--nev", metavar="FILE", help=_OTHER_NEV)
    info.add_argument("--json", action="store_true", help="everything as JSON, one line for each file")
    info.add_argument("--units", action="store_true", help="of a NEV: the spikes of each unit, a line an electrode")
    info.add_argument("--channels", action="store_true", help="a table of the channels, a line for each")
    quality = "how good the channels are: those that are not, and why; with --json all"
    info.add_argument("--quality", action="store_true", help=quality)
    _add_bin(commands.add_parser("bin", help="write chosen channels to a flat .bin, and a .bin.json that describes it"))
    _add_sorter(commands.add_parser("sorter", help="make a folder that Kilosort, Phy and SpikeInterface open"))
    _add_cut(commands.add_parser("cut", help="write a part of an NSx or NEV file as a file of the same kind"))
    check = commands.add_parser("check", help="check a file strictly: every header, block, timestamp and packet")
    check.add_argument("file", nargs="+", metavar="F", help=_ANY_FILE)
    check.add_argument("--json", action="store_true", help="findings as JSON, one line each")
    _add_events(commands.add_parser("events", help="list comments, digital input and every other kind of event"))
    _add_page(commands.add_parser("report", help="write a page that shows whether a recording is any good"))
    for name, command in commands.choices.items():
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        command.epilog = "\n".join(["examples:", *(f"  {line}" for line in EXAMPLES[name])])
    return top


def _add_bin(command: argparse.ArgumentParser) -> None:
    several = "of several instruments, or successive files, one each, and behind them the .bin to write"
    command.add_argument("file", nargs="+", metavar="F", help=f"{_CONTINUOUS}; {several}")
    command.usage = "%(prog)s [options] F [F ...] OUT\n       %(prog)s [options] F [F ...] --out-dir FOLDER"
    each = "write each recording to a .bin of its own name in this folder, and go on behind one that is bad"
    command.add_argument("--out-dir", metavar="FOLDER", help=each)
    done = "with --out-dir: leave out recordings whose .bin is there and whole"
    command.add_argument("--skip-done", action="store_true", help=done)
    _add_report(command)
    _add_channels(command, has_neural=True)
    _add_export(command)
    _add_joining(command)
    command.add_argument("--follow", action="store_true", help="go on with what is being recorded, until Ctrl-C")
    idle = "with --follow: end after so many seconds without a new sample"
    command.add_argument("--timeout", dest="timeout_s", type=seconds, metavar="S", help=idle)


def _add_joining(command: argparse.ArgumentParser) -> None:
    """How several files are one recording."""
    clock = command.add_mutually_exclusive_group()
    same = "of several instruments: equal ticks are the same moment, whatever the dates of the headers say"
    clock.add_argument("--same-clock", dest="clock", action="store_const", const="same", help=same)
    shift = "what to add to the times of each instrument, 0 for the first: seconds (0,2.5) or ticks (0,75000t)"
    clock.add_argument("--offsets", type=offsets, metavar="0,TIME", help=shift)
    _add_append(clock, command)


def _add_append(clock: argparse._ActionsContainer, command: argparse.ArgumentParser) -> None:
    append = "successive files of one recording, end to end in order of time"
    clock.add_argument("--append", action="store_true", help=append)
    order = "with --append: in the order given, whatever the dates of the headers say"
    command.add_argument("--order", choices=["given"], help=order)


def _add_sorter(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "file", nargs="+", metavar="F", help=f"{_CONTINUOUS}; of several instruments, or successive files, one each"
    )
    command.add_argument("folder", metavar="FOLDER", help="the folder to make")
    _add_report(command)
    _add_maps(command)
    missing = "electrodes of the map may be missing in the recording"
    command.add_argument("--partial", action="store_true", help=missing)
    pitch = "electrode pitch in µm; overrides the map"
    command.add_argument("--pitch", dest="pitch_um", type=float, metavar="UM", help=pitch)
    in_place = "copy nothing: a script in the folder sorts the recording where it is"
    command.add_argument("--no-copy", dest="copy", action="store_false", help=in_place)
    _add_channels(command)
    _add_export(command)
    _add_joining(command)


def _add_maps(command: argparse.ArgumentParser) -> None:
    maps = "the array's map; of several arrays, headstages or instruments one each. A plain grid otherwise"
    command.add_argument("--cmp", nargs="+", action="extend", metavar="MAP", help=maps)
    command.add_argument("--first-bank", metavar="AE", help="the bank that bank A of each map is plugged into")
    by = "what joins map and channels: bank and pin, label, or electrode id"
    command.add_argument("--by", choices=["pin", "label", "id"], help=by, default=argparse.SUPPRESS)


def _add_page(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="F", help=_ANY_FILE)
    command.add_argument("out", nargs="?", metavar="OUT.html", help="the page; by default named as the recording, here")
    _add_maps(command)
    command.add_argument("--overwrite", action="store_true", help="replace a file of the same name")


def _add_cut(command: argparse.ArgumentParser) -> None:
    one = "an NSx or NEV file; with --nsx any member or the base name; with --append successive NSx files"
    command.add_argument("file", nargs="+", metavar="F", help=one)
    command.add_argument("out", metavar="OUT", help="the file to write")
    _add_append(command, command)
    _add_report(command)
    _add_channels(command, has_neural=True)
    _add_times(command)
    which = "unbroken segments, from 0; of a NEV the times of those of its continuous file"
    command.add_argument("--segments", type=segments, metavar="0,2:4", help=which)
    epoch = "only the time between two settings of the clock, from 0; needed where several have --start to --stop"
    command.add_argument("--epoch", type=int, metavar="N", help=epoch)
    kinds = "of a NEV: kinds of events"
    command.add_argument("--kinds", nargs="+", action="extend", choices=EVENT_KINDS, metavar="KIND", help=kinds)
    out = "take out dates, comments, texts and the application; with the word labels, labels too"
    command.add_argument("--anonymise", nargs="?", const=True, default=False, choices=["labels"], help=out)
    base = "what to subtract from timestamps that count from 1970, the same for every file of a recording"
    command.add_argument("--base-tick", type=int, default=0, metavar="TICK", help=base)
    command.add_argument("--overwrite", action="store_true", help="replace a file of the same name, but no recording")


def _add_report(command: argparse.ArgumentParser) -> None:
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="what was written as JSON, in one line")
    form.add_argument("--quiet", action="store_true", help="print nothing but warnings and errors")


def _add_channels(command: argparse.ArgumentParser, has_neural: bool = False) -> None:
    command.add_argument("--nsx", type=int, metavar="N", help="which .nsN of a recording; the fastest otherwise")
    channels = command.add_mutually_exclusive_group()
    channels.add_argument("--channels", type=columns, metavar="0:128", help="columns, from 0, as numpy slices")
    channels.add_argument("--electrodes", type=ids, metavar="1-96,129", help="electrode ids, both ends included")
    labels = 'labels, or patterns such as "elec*": a list with commas, or several'
    channels.add_argument("--labels", nargs="+", action="extend", metavar="LABEL", help=labels)
    if has_neural:
        out = "leave out analog inputs"
        channels.add_argument("--neural", dest="kind", action="store_const", const="neural", help=out)
    without = 'electrode ids, and labels or patterns, to leave out of these: 17,40-42,"ainp*"'
    command.add_argument("--exclude", type=excluded, metavar="17,LABEL", help=without)
    absent = "skip channels that are named and not there, and say which"
    command.add_argument("--missing-ok", action="store_true", help=absent)


def _add_times(command: argparse.ArgumentParser) -> None:
    when = "seconds after the first sample (12.5, 500ms, 00:01:30), ticks (375000t) or a UTC date (2024-05-06T07:08:09)"
    command.add_argument("--start", type=moment, metavar="TIME", help=when)
    command.add_argument("--stop", type=moment, metavar="TIME", help="likewise; not included")


def _add_export(command: argparse.ArgumentParser) -> None:
    _add_times(command)
    gaps = "where time is broken: refuse, a file for each segment, back to back, or fill what is missing"
    command.add_argument("--gaps", choices=["error", "split", "join", "fill"], default="error", help=gaps)
    value = "with --gaps fill: a raw value (0), or hold"
    command.add_argument("--fill", type=fill, metavar="VALUE", help=value, default=argparse.SUPPRESS)
    limit = "with --gaps fill: at most X times what was recorded (10)"
    command.add_argument("--max-fill", type=factor, metavar="X", default=argparse.SUPPRESS, help=limit)
    command.add_argument(
        "--resample", choices=["nominal"], help="where clocks drift: nearest samples on a regular grid"
    )
    command.add_argument("--sort", action="store_true", help="sort samples that are out of order by time")
    command.add_argument("--overwrite", action="store_true", help="replace files of the same names, but no recordings")


def _add_events(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="F", help="a NEV file, or any member or the base name of a recording")
    kind = "one kind of event; by default all except spike, stim and unknown"
    which = command.add_mutually_exclusive_group()
    which.add_argument("--kind", choices=EVENT_KINDS, help=kind)
    edges = "edges of each pin of the digital input, in the place of its events"
    which.add_argument("--edges", action="store_true", help=edges)
    command.add_argument("--nev", metavar="FILE", help=_OTHER_NEV)
    _add_times(command)
    epoch = "only those between two settings of the clock, from 0"
    command.add_argument("--epoch", type=int, metavar="N", help=epoch)
    rows = "list where each event is in this exported .bin (or its .json)"
    command.add_argument("--rows", metavar="BIN", help=rows)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values with a header (RFC 4180)")
    guarded = "the same, with an apostrophe before texts that a spreadsheet would take for formulas"
    form.add_argument("--spreadsheet", action="store_true", help=guarded)
    form.add_argument("--json", action="store_true", help="JSON, one line for each event")
    form.add_argument("--npy", metavar="OUT", help="a numpy file of one kind")
