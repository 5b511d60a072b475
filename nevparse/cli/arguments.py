# SPDX-License-Identifier: MIT
"""Which commands and options the command line has, and how their values are parsed.

Options of an export have the library's names for them (``dest``), so that `commands` can pass them on.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, NoReturn

from .. import __version__
from ..format.tables import EVENT_KINDS
from ..format.text import alike, printable
from .values import columns, excluded, factor, fill, ids, kinds, moment, offsets, seconds, segments

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
_OUTPUT = re.compile(r"-o|--(out|output|outfile)(=.*)?")  # what other programs call the name of the output
_PRINTING = ("--csv", "--json", "--spreadsheet")
_ALIKE = 0.7  # of two spellings, at least; --channel and --help have 0.62
_ANY_FILE = "a file; or a recording's base name, for all of its files"
_OTHER_NEV = "take this NEV as the recording's own, such as a sorted one of another name"
_CONTINUOUS = "an NSx file; or any file of a recording, or its base name"
_ONE_BY_ONE = ". Name several instruments, or successive files, one by one"
_EPOCH = "only epoch N, counted from 0: the time from one reset of the clock to the next"
_REPLACE = "replace files of the same names; a recording is never replaced"
_Container = argparse._ActionsContainer


class _Parser(argparse.ArgumentParser):
    """One that says what would be right, and shows the usage of the command that was mistyped."""

    _given: tuple[str, ...] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is not known here, where the command's own usage is."""
        self._negative_number_matcher = re.compile(r"-[\d.]")  # a value, as -2: and -500ms are, and no option
        self._given = tuple(_lone_anonymise_last(sys.argv[1:] if args is None else args))
        options = takewhile(lambda text: text != "--", self._given)
        if self._subparsers is None and (typed := next(filter(_OUTPUT.fullmatch, options), None)):
            self.error(f"unknown option {typed}; the name of an output comes last, and what is printed goes to > FILE")
        parsed, unknown = super().parse_known_args(list(self._given), namespace)
        if unknown and not any(text.startswith("-") for text in unknown):
            unknown = _taken_as_files(parsed, unknown)
        if unknown:
            self.error("; ".join(self._unknown(text) for text in unknown))
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print the usage and a line, and exit."""
        if message.startswith("the following arguments are required"):
            message += "".join(self._taken(option) for option in _GREEDY if option in self._given)
        if choice := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            nearest = alike(choice[1], re.split(r"[ ',]+", choice[2]), 1)
            message += f"; did you mean {nearest[0]}?" if nearest else ""
        if message.endswith("expected one argument") and self._has_negative():
            option = message.removeprefix("argument ").partition(":")[0].split("/")[0]
            message += f"; a value that begins with - is joined to it: {option}=-1"
        super().error(printable(message))  # it quotes names of files

    def _has_negative(self) -> bool:
        """Whether a value that begins with a minus was taken for an option."""
        return any(text.startswith("-") and text not in self._option_string_actions for text in self._given)

    def _unknown(self, text: str) -> str:
        if not text.startswith("-"):
            option = next((option for option in _PRINTING if option in self._given), "")
            return f"unexpected {text!r}" + (f"; {option} prints: > {text} keeps it" if option else "")
        nearest = alike(text.partition("=")[0], self._option_string_actions, 1, _ALIKE)
        return f"unknown option {text}" + (f"; did you mean {nearest[0]}?" if nearest else "")

    def _taken(self, option: str) -> str:
        """What an option that takes several values took, as it may have taken the files."""
        behind = self._given[self._given.index(option) + 1 :]
        n_values = next((k for k, text in enumerate(behind) if text.startswith("-")), len(behind))
        taken = ", ".join(behind[:n_values])
        return f"; {option} took {taken}: put it last, or give its values as one list, {option} A,B"


def _taken_as_files(parsed: argparse.Namespace, names: list[str]) -> list[str]:
    """Take names of files behind options, where argparse takes no further ones, in exports; returns the others."""
    if "overwrite" not in parsed or not isinstance(parsed.file, list):
        return names
    for last in {"folder", "out"} & vars(parsed).keys():
        parsed.file.append(vars(parsed)[last])
        setattr(parsed, last, names[-1])
        names = names[:-1]
    parsed.file += names
    return []


def _lone_anonymise_last(arguments: Sequence[str]) -> list[str]:
    """Arguments with an ``--anonymise`` that no ``labels`` follow behind all others, where it takes no file's name."""
    n = [*arguments, "--"].index("--")  # no options are behind it
    alone = [k for k in range(n) if arguments[k] == "--anonymise" and arguments[k + 1 : k + 2] != ["labels"]]
    others = [text for k, text in enumerate(arguments[:n]) if k not in alone]
    return [*others, *["--anonymise"] * len(alone), *arguments[n:]]


def parser(command: str = "") -> argparse.ArgumentParser:
    """A parser of one command, which is made quickly; where the name is of none, of all of them."""
    top = _Parser("nevparse", description="Read Blackrock and Ripple recordings.")
    top.add_argument("--version", "-V", action="version", version=f"nevparse {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    top.epilog = "nevparse COMMAND -h has the options and examples of a command."
    for name in [command] if command in _COMMANDS else _COMMANDS:
        what, add_options = _COMMANDS[name]
        one = commands.add_parser(name, help=what, formatter_class=argparse.RawDescriptionHelpFormatter)
        one.epilog = "\n".join(["examples:", *(f"  {line}" for line in EXAMPLES[name])])
        add_options(one)
    return top


def _add_info(command: argparse.ArgumentParser) -> None:
    files = f"{_ANY_FILE}; or a folder, for a line about each recording"
    command.add_argument("file", nargs="+", metavar="FILE", help=files)
    command.add_argument("--nev", metavar="FILE", help=_OTHER_NEV)
    command.add_argument("--json", action="store_true", help="print everything as JSON, one line for each file")
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--units", action="store_true", help="for a NEV: print the spikes of each unit")
    shown.add_argument("--channels", action="store_true", help="print a table of the channels")
    quality = "measure the channels, and print those that are not good, and why; with --json all of them"
    shown.add_argument("--quality", action="store_true", help=quality)


def _add_check(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", nargs="+", metavar="FILE", help=_ANY_FILE)
    command.add_argument("--json", action="store_true", help="print findings as JSON, one line each")


def _add_bin(command: argparse.ArgumentParser) -> None:
    command.usage = "%(prog)s [options] FILE [FILE ...] OUT\n       %(prog)s [options] FILE [FILE ...] --out-dir FOLDER"
    files = f"{_CONTINUOUS}{_ONE_BY_ONE}. The last name is the .bin to write"
    command.add_argument("file", nargs="+", metavar="FILE", help=files)
    each = "export each recording to a .bin in this folder, named after it; a bad one does not stop the others"
    command.add_argument("--out-dir", metavar="FOLDER", help=each)
    done = "with --out-dir: skip recordings that are exported already"
    command.add_argument("--skip-done", action="store_true", help=done)
    _add_output(command)
    _add_channels(command, has_neural=True)
    _add_times(command.add_argument_group("times"))
    _add_gaps(command.add_argument_group("gaps and clocks"))
    _add_joining(command.add_argument_group("several files as one"))
    live = command.add_argument_group("during a recording")
    live.add_argument("--follow", action="store_true", help="keep exporting while the recording grows, until Ctrl-C")
    idle = "with --follow: end when there was no new sample for S seconds"
    live.add_argument("--timeout", dest="timeout_s", type=seconds, metavar="S", help=idle)


def _add_joining(group: _Container) -> None:
    """How several files are one recording."""
    clock = group.add_mutually_exclusive_group()
    same = "instruments: equal ticks are the same moment, whatever the dates of the headers say"
    clock.add_argument("--same-clock", dest="clock", action="store_const", const="same", help=same)
    shift = "instruments: add these to the times of each, 0 for the first, in seconds (0,2.5) or ticks (0,75000t)"
    clock.add_argument("--offsets", type=offsets, metavar="0,TIME", help=shift)
    _add_append(clock, group)


def _add_append(clock: _Container, group: _Container) -> None:
    append = "put successive files of one recording end to end, in order of time"
    clock.add_argument("--append", action="store_true", help=append)
    order = "with --append: keep the order in which the files are named, whatever their dates say"
    group.add_argument("--order", choices=["given"], help=order)


def _add_sorter(command: argparse.ArgumentParser) -> None:
    command.usage = "%(prog)s [options] FILE [FILE ...] FOLDER"
    command.add_argument("file", nargs="+", metavar="FILE", help=_CONTINUOUS + _ONE_BY_ONE)
    command.add_argument("folder", metavar="FOLDER", help="the folder to make")
    in_place = "do not copy samples; a script in the folder lets the sorter read the recording itself"
    command.add_argument("--no-copy", dest="copy", action="store_false", help=in_place)
    _add_output(command)
    array = _add_maps(command)
    missing = "take a map with electrodes that were not recorded"
    array.add_argument("--partial", action="store_true", help=missing)
    pitch = "the distance between electrodes in µm, instead of the map's"
    array.add_argument("--pitch", dest="pitch_um", type=float, metavar="UM", help=pitch)
    _add_channels(command)
    _add_times(command.add_argument_group("times"))
    _add_gaps(command.add_argument_group("gaps and clocks"))
    _add_joining(command.add_argument_group("several files as one"))


def _add_maps(command: argparse.ArgumentParser) -> _Container:
    group = command.add_argument_group("the array")
    maps = "the array's map; one for each of several arrays, headstages or instruments. Without it, a plain grid"
    group.add_argument("--cmp", nargs="+", action="extend", metavar="MAP", help=maps)
    banks = "for each map, a letter: the bank that its bank A is plugged into"
    group.add_argument("--first-bank", metavar="AE", help=banks)
    by = "match the map's electrodes with channels by bank and pin (the default), label, or electrode id"
    group.add_argument("--by", choices=["pin", "label", "id"], help=by, default=argparse.SUPPRESS)
    return group


def _add_page(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help=_ANY_FILE)
    out = "the page to write; by default it is named after the recording, in this folder"
    command.add_argument("out", nargs="?", metavar="OUT.html", help=out)
    command.add_argument("--overwrite", action="store_true", help=_REPLACE)
    _add_maps(command)


def _add_cut(command: argparse.ArgumentParser) -> None:
    command.usage = "%(prog)s [options] FILE [FILE ...] OUT"
    one = "an NSx or NEV file; with --nsx any file of a recording, or its base name; with --append successive NSx files"
    command.add_argument("file", nargs="+", metavar="FILE", help=one)
    command.add_argument("out", metavar="OUT", help="the file to write")
    _add_append(command, command)
    _add_output(command)
    _add_channels(command, has_neural=True)
    times = command.add_argument_group("times and events")
    _add_times(times)
    which = "only these unbroken segments, counted from 0; for a NEV the times of those of its continuous file"
    times.add_argument("--segments", type=segments, metavar="0,2:4", help=which)
    needed = f"{_EPOCH}. Needed where --start and --stop are times of several epochs"
    times.add_argument("--epoch", type=int, metavar="N", help=needed)
    these = f"for a NEV: only these kinds of events, with spaces or commas between them: {', '.join(EVENT_KINDS)}"
    times.add_argument("--kinds", nargs="+", action="extend", type=kinds, metavar="KIND", help=these)
    private = command.add_argument_group("private data")
    out = "take out dates, comments, other text and the application's name; with the word labels, labels too"
    private.add_argument("--anonymise", nargs="?", const=True, default=False, choices=["labels"], help=out)
    base = "subtract this from timestamps that count from 1970; give the same for every file of a recording"
    private.add_argument("--base-tick", type=int, default=0, metavar="TICK", help=base)


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument("--overwrite", action="store_true", help=_REPLACE)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print what was written as JSON, in one line")
    form.add_argument("--quiet", action="store_true", help="print only warnings and errors")


def _add_channels(command: argparse.ArgumentParser, has_neural: bool = False) -> None:
    group = command.add_argument_group("channels")
    group.add_argument("--nsx", type=int, metavar="N", help="take .nsN of the recording; by default the fastest")
    channels = group.add_mutually_exclusive_group()
    channels.add_argument("--channels", type=columns, metavar="0:128", help="columns, counted from 0, as numpy slices")
    channels.add_argument("--electrodes", type=ids, metavar="1-96,129", help="electrode ids; ranges include both ends")
    labels = 'labels, or patterns such as "elec*", with spaces or commas between them'
    channels.add_argument("--labels", nargs="+", action="extend", metavar="LABEL", help=labels)
    if has_neural:
        out = "electrodes only, no analog inputs"
        channels.add_argument("--neural", dest="kind", action="store_const", const="neural", help=out)
    without = 'leave out these electrode ids, labels or patterns: 17,40-42,"ainp*"'
    group.add_argument("--exclude", type=excluded, metavar="17,LABEL", help=without)
    absent = "skip channels that the file does not have, and print which"
    group.add_argument("--missing-ok", action="store_true", help=absent)


def _add_times(group: _Container) -> None:
    when = (
        "where to begin: seconds after the recording's first sample (12.5, 500ms, 00:01:30), ticks (375000t), "
        "or a date in UTC (2024-05-06T07:08:09)"
    )
    group.add_argument("--start", type=moment, metavar="TIME", help=when)
    end = "where to end, written in the same ways; what is at this time is left out"
    group.add_argument("--stop", type=moment, metavar="TIME", help=end)


def _add_gaps(group: _Container) -> None:
    gaps = (
        "what to do where samples are missing. error: refuse (the default). split: write a file for each segment. "
        "join: put segments back to back. fill: add rows for what is missing"
    )
    group.add_argument("--gaps", choices=["error", "split", "join", "fill"], default="error", help=gaps)
    value = "with --gaps fill: the raw value of the added rows (0), or hold, which repeats the last sample"
    group.add_argument("--fill", type=fill, metavar="VALUE", help=value, default=argparse.SUPPRESS)
    limit = "with --gaps fill: refuse to add more than X rows for each recorded one (10)"
    group.add_argument("--max-fill", type=factor, metavar="X", help=limit, default=argparse.SUPPRESS)
    grid = "where clocks drift: put into each row of a regular grid the sample that is nearest in time"
    group.add_argument("--resample", choices=["nominal"], help=grid)
    order = "put samples that were recorded out of order in order of time"
    group.add_argument("--sort", action="store_true", help=order)


def _add_events(command: argparse.ArgumentParser) -> None:
    command.usage = "%(prog)s [options] FILE"
    command.add_argument("file", metavar="FILE", help="a NEV file; or any file of a recording, or its base name")
    command.add_argument("--nev", metavar="FILE", help=_OTHER_NEV)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print comma-separated values with a header (RFC 4180)")
    guarded = "the same, with an apostrophe before text that a spreadsheet would take for a formula"
    form.add_argument("--spreadsheet", action="store_true", help=guarded)
    form.add_argument("--json", action="store_true", help="print JSON, one line for each event")
    npy = "write events of one kind to a numpy file, and print none"
    form.add_argument("--npy", metavar="OUT", help=npy)
    command.add_argument("--overwrite", action="store_true", help=f"with --npy: {_REPLACE}")
    rows = "print the row of each event in this exported .bin too"
    command.add_argument("--rows", metavar="BIN", help=rows)
    times = command.add_argument_group("times and events")
    which = times.add_mutually_exclusive_group()
    kind = f"only these kinds of events: {', '.join(EVENT_KINDS)}. By default all but spike, stim and unknown"
    which.add_argument("--kind", dest="kinds", type=kinds, metavar="KIND,KIND", help=kind)
    edges = "instead of digital events, each edge of each pin"
    which.add_argument("--edges", action="store_true", help=edges)
    _add_times(times)
    times.add_argument("--epoch", type=int, metavar="N", help=_EPOCH)


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "info": ("what is in a file: date, duration, channels, gaps, events, damage", _add_info),
    "bin": ("write chosen channels to a flat .bin, and a .bin.json that describes it", _add_bin),
    "sorter": ("make a folder that Kilosort, Phy and SpikeInterface open", _add_sorter),
    "cut": ("write a part of an NSx or NEV file as a file of the same kind", _add_cut),
    "check": ("check a file strictly: every header, block, timestamp and packet", _add_check),
    "events": ("list comments, digital input and every other kind of event", _add_events),
    "report": ("write a page that shows whether a recording is any good", _add_page),
}
