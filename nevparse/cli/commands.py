# SPDX-License-Identifier: MIT
"""The command line: `main`, and one function for each command.

Exit codes: 0 done, 1 refused or findings, 2 unusable input or arguments, 130 interrupted. A failure is one line.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from ..format.text import json_text, printable, ranges_text, size_text
from .arguments import parser
from .several_files import DONE, INTERRUPTED, REFUSED, UNUSABLE, expanded, failure, for_each
from .terminal import UnusableInput, check_readable, colored, print_message, print_report, progress, show_warnings

if TYPE_CHECKING:
    from fractions import Fraction

    from ..nev.file import NevFile
    from ..nsx.file import NsxFile
    from ..recording.instruments import CombinedInstruments
    from ..recording.recording import Recording
    from ..recording.successive_files import SuccessiveFiles

# Options that mean nothing without another one
_REQUIRED = {
    **dict.fromkeys(("fill", "max_fill"), "--gaps fill"),
    **dict.fromkeys(("by", "first_bank", "partial"), "--cmp"),
    "overwrite": "--npy",  # of events
    "timeout_s": "--follow",
    "skip_done": "--out-dir",
    "order": "--append",
}
_NOT_OPTIONS = {  # of the library's functions, which have the others
    *("command", "file", "out", "folder", "nsx", "first_bank", "start", "stop"),
    *("clock", "offsets", "append", "order", "json", "quiet", "out_dir", "skip_done"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal has a µ, which --help prints too
    typed = list(sys.argv[1:] if argv is None else argv)
    words = {"help": [*typed[1:], "--help"], "version": ["--version"]}
    typed = words.get(typed[0], typed) if typed else typed
    top = parser(*typed[:1])
    arguments = top.parse_args(typed)
    if arguments.command is None:
        top.print_help()
        return UNUSABLE
    try:
        with warnings.catch_warnings():
            show_warnings()
            if isinstance(getattr(arguments, "file", None), list):
                arguments.file = expanded(arguments.file)
            _check_required(arguments)
            code = COMMANDS[arguments.command](arguments)
            print(end="", flush=True)  # a pipe that nobody reads is noticed here, not at exit
            return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        message, code = "interrupted; nothing was left behind", INTERRUPTED
    except Exception as error:  # a user never sees a traceback
        message, code = failure(error)
    print_message(message)
    return code


def _check_required(arguments: argparse.Namespace) -> None:
    given = vars(arguments)
    for name, required in _REQUIRED.items():
        other, _, value = required.removeprefix("--").replace("-", "_").partition(" ")
        is_met = other not in given or (given[other] == value if value else given[other])
        if not (is_met or given.get(name) is None or given[name] is False):
            raise UnusableInput(f"--{name.removesuffix('_s').replace('_', '-')} requires {required}")


def _info(arguments: argparse.Namespace) -> int:
    from ..nsx.file import NsxFile
    from .info import info_json, info_text, quality_lines
    from .opening import as_member, is_folder, open_named

    if arguments.nev and len(arguments.file) > 1:
        raise UnusableInput("--nev is for one recording, and several are named: name one")

    def print_info(name: str) -> int:
        if is_folder(name):
            return _print_folder(name, arguments)
        with open_named(name, arguments.nev) as typed, as_member(typed) as opened:
            if arguments.units and isinstance(opened, NsxFile):
                raise UnusableInput(f"{opened.path}: continuous data has no units of spikes; leave out --units")
            if arguments.quality:
                lines = quality_lines(opened, arguments.json, progress("{} windows".format))
                print_report([])
            elif arguments.channels and not arguments.json:
                from .listing import channel_table

                lines = channel_table(opened)
            else:
                lines = [json_text(info_json(opened))] if arguments.json else info_text(opened, units=arguments.units)
        print("\n".join(lines if arguments.json else map(colored, lines)), flush=True)
        return DONE

    return for_each(arguments.file, print_info)


def _print_folder(name: str, arguments: argparse.Namespace) -> int:
    from .listing import folder_table

    for option in ("nev", "json", "units", "channels", "quality"):
        if getattr(arguments, option):
            raise UnusableInput(f"--{option} is for a file or a recording, but {name} is a folder: leave it out")
    lines, is_whole = folder_table(name)
    print("\n".join(lines), flush=True)
    return DONE if is_whole else UNUSABLE


def _check(arguments: argparse.Namespace) -> int:
    from ..recording.check import NOTE, check

    def print_findings(name: str) -> int:
        shown = progress(lambda n_bytes: f"{printable(name)}, {size_text(n_bytes)}", 1)
        with check_readable(name):
            findings = check(name, progress=shown)
        print_report([])
        for finding in findings:
            print(json_text(finding._asdict()) if arguments.json else printable(str(finding)))
        if not findings and not arguments.json:
            print(printable(f"{name}: no problems found"))
        return REFUSED if any(finding.level != NOTE for finding in findings) else DONE

    return for_each(arguments.file, print_findings)


def _bin(arguments: argparse.Namespace) -> int:
    from .choice import has_choice
    from .opening import check_output_name
    from .several_files import check_not_taken, is_done, outputs_in

    if arguments.out_dir is not None:
        _check_joining(arguments.file[:1], arguments)  # each by itself
        outputs = outputs_in(arguments.out_dir, arguments.file)
        if os.path.exists(arguments.out_dir) and not os.path.isdir(arguments.out_dir):
            raise UnusableInput(f"--out-dir {arguments.out_dir} is a file; name a folder")
        os.makedirs(arguments.out_dir, exist_ok=True)

        def export(name: str) -> int:
            check_not_taken(name, outputs)
            if arguments.skip_done and is_done(outputs[name], name, arguments.nsx, has_choice(arguments)):
                print_message(f"{outputs[name]} is done, skipped")
                return DONE
            return _write_bin([name], outputs[name], arguments)

        return for_each(arguments.file, export)
    if len(arguments.file) < 2:
        raise UnusableInput(f"expected a recording and the .bin to write, found only {arguments.file[0]}")
    *names, out = arguments.file
    check_output_name(out)
    _check_joining(names, arguments)
    return _write_bin(names, out, arguments)


def _write_bin(names: Sequence[str], out: str, arguments: argparse.Namespace) -> int:
    """Export a recording, or several instruments as one."""
    from ..export.bin import write_bin
    from .choice import has_choice
    from .terminal import stop_on_signal

    with ExitStack() as stack:
        joined, options = _open_joined(names, arguments, has_choice(arguments), stack)
        stop = stack.enter_context(stop_on_signal()) if arguments.follow else None
        report = write_bin(joined, out, stop=stop, **options)
    sidecars = report.sidecar_path if len(report.files) == 1 else "the .json beside each"
    _print_written(arguments, report, [*report.lines(), f"{sidecars}: what each column and row is"])
    return DONE


def _open_joined(
    names: Sequence[str], arguments: argparse.Namespace, has_channels: Callable[[NsxFile], bool], stack: ExitStack
) -> tuple[NsxFile | CombinedInstruments | SuccessiveFiles, dict[str, Any]]:
    """Recordings as one, each by the file that `has_channels`, and the options of its export."""
    from .choice import Chosen
    from .opening import open_continuous

    files = [stack.enter_context(open_continuous(name, arguments.nsx, has_channels)) for name in names]
    is_timed = (arguments.start, arguments.stop) != (None, None)
    if is_timed and getattr(arguments, "follow", False) and not files[0].n_samples:
        why = "has no samples yet, which --start and --stop count from; try again when it has"
        raise UnusableInput(f"{files[0].path} {why}")
    joined = _joined(files, arguments)
    options = _options(files[0], arguments, "{} samples".format, timed=joined)
    for other in files[1:] if arguments.channels else ():  # slices end with the columns of each instrument
        Chosen(other, arguments.missing_ok).channels(arguments.channels)
    return joined, options


def _print_written(arguments: argparse.Namespace, report: Any, lines: Sequence[str]) -> None:
    """What was written: for people, as JSON, or nothing."""
    if arguments.json:
        from .listing import report_json

        lines = [json_text(report_json(report))]
    print_report([] if arguments.quiet else lines)


def _check_joining(names: Sequence[str], arguments: argparse.Namespace) -> None:
    """Refuse options of several files where there is one."""
    options = {"clock": "--same-clock", "offsets": "--offsets", "append": "--append"}
    given = [option for name, option in options.items() if vars(arguments).get(name)]
    if len(names) == 1 and given:
        raise UnusableInput(f"{given[0]} requires several files")


def _joined(files: Sequence[NsxFile], arguments: argparse.Namespace) -> NsxFile | CombinedInstruments | SuccessiveFiles:
    """One file as it is; several end to end or side by side, as the options say, and how that is known printed."""
    if len(files) == 1:
        return files[0]
    if getattr(arguments, "follow", False):
        raise ValueError("--follow takes one file, and several are named: follow each by itself")
    return _end_to_end(files, arguments) if arguments.append else _side_by_side(files, arguments)


def _end_to_end(files: Sequence[NsxFile], arguments: argparse.Namespace) -> SuccessiveFiles:
    from ..recording.succession import concatenate

    joined = concatenate(files, order=arguments.order)
    for name, placement in zip(joined.names, joined.placements, strict=True):
        print_message(f"{name}: {placement}")
    return joined


def _side_by_side(files: Sequence[NsxFile], arguments: argparse.Namespace) -> CombinedInstruments:
    from ..recording.instruments import combine_instruments

    offsets = arguments.offsets
    if offsets and (len(offsets) != len(files) or offsets[0]):
        expected = f"{len(files)} times, one for each recording, 0 for the first"
        raise UnusableInput(f"--offsets: expected {expected}, found {_times_text(offsets)}")
    if offsets:
        offsets = [shift if isinstance(shift, int) else round(shift * files[0].tick_rate) for shift in offsets]
    combined = combine_instruments(files, clock=arguments.clock, offsets=offsets)
    doubled = ranges_text(combined.doubled_electrodes)
    several = f"; electrodes {doubled} are in more than one: choose them by column" if doubled else ""
    print_message(f"{len(files)} instruments side by side: {combined.clock_note}{several}")
    return combined


def _times_text(times: Sequence[int | Fraction]) -> str:
    return ",".join(f"{time}t" if isinstance(time, int) else f"{float(time):g}" for time in times)


def _sorter(arguments: argparse.Namespace) -> int:
    from ..export.sorter.folder import write_sorter
    from .choice import has_choice

    _check_joining(arguments.file, arguments)
    arrays = _read_maps(arguments, of_instruments=len(arguments.file) > 1 and not arguments.append)
    with ExitStack() as stack:
        joined, options = _open_joined(arguments.file, arguments, has_choice(arguments, neural=True), stack)
        report = write_sorter(joined, arguments.folder, **options | {"cmp": arrays})
    _print_written(arguments, report, report.lines())
    return DONE


def _report(arguments: argparse.Namespace) -> int:
    from ..recording.members import base_of
    from ..report.page import open_for_page, write_report

    out = arguments.out or f"{os.path.basename(base_of(arguments.file))}.html"
    options: dict[str, Any] = {name: value for name, value in vars(arguments).items() if name in ("by", "overwrite")}
    with check_readable(arguments.file):
        opened = open_for_page(arguments.file)
    with opened:
        report = write_report(opened, out, cmp=_read_maps(arguments), progress=progress("the page".format), **options)
    print_report([str(report)])
    return DONE


def _read_maps(arguments: argparse.Namespace, of_instruments: bool = False) -> Any:
    """The array maps that ``--cmp`` names, as one, or each by itself for several instruments; None without it."""
    from ..maps.cmp import read_cmp

    if not arguments.cmp:
        return None
    with check_readable(arguments.cmp[0]):
        if not of_instruments:
            return read_cmp(arguments.cmp, first_bank=arguments.first_bank)
        banks = arguments.first_bank or "A" * len(arguments.cmp)
        if len(banks) != len(arguments.cmp):
            raise ValueError(
                f"expected --first-bank as {len(arguments.cmp)} letters, one for each map, found {banks!r}"
            )
        return [read_cmp(path, first_bank=bank) for path, bank in zip(arguments.cmp, banks, strict=True)]


def _cut(arguments: argparse.Namespace) -> int:
    from ..export.native.anonymise import what_is_left
    from ..export.native.cut_nev import write_nev
    from ..export.native.cut_nsx import write_nsx
    from ..nev.file import NevFile
    from ..nsx.file import NsxFile
    from ..recording.successive_files import SuccessiveFiles
    from .opening import recording_of

    _check_joining(arguments.file, arguments)
    if arguments.kinds:
        arguments.kinds = [kind for listed in arguments.kinds for kind in listed]
    with ExitStack() as stack:
        opened = _open_to_cut(arguments, stack)
        if isinstance(opened, (NsxFile, SuccessiveFiles)):
            _leave_out(arguments, f"{opened.path}: an NSx has no events", "kinds")
            report: object = write_nsx(opened, arguments.out, **_options(opened, arguments, size_text))
        elif isinstance(opened, NevFile):
            _leave_out(arguments, f"{opened.path}: a NEV has no samples", "channels", "kind")
            with recording_of(opened) as recording:
                continuous = recording.fastest if recording else None
                report = write_nev(
                    recording or opened, arguments.out, **_options(opened, arguments, size_text, continuous)
                )
        else:
            members = ", ".join(opened.members)
            which = " or ".join(map(os.path.basename, opened.members.values()))
            why = f"expected the name of one file, found a recording of {members}"
            raise UnusableInput(f"{arguments.file[0]}: {why}; name {which}")
    if arguments.anonymise and not arguments.quiet:
        print_message(what_is_left(arguments.anonymise))
    _print_written(arguments, report, [str(report)])
    return DONE


def _open_to_cut(arguments: argparse.Namespace, stack: ExitStack) -> NsxFile | NevFile | Recording | SuccessiveFiles:
    """The file of this name, or successive files end to end."""
    from .opening import open_continuous, open_named

    names, number = arguments.file, arguments.nsx
    if len(names) == 1 and number is None:
        opened = open_named(names[0])
        stack.callback(opened.close)
        return opened
    if len(names) == 1:
        return stack.enter_context(open_continuous(names[0], number))
    if not arguments.append:
        raise UnusableInput(f"expected one file to cut, found {len(names)}; --append cuts successive files as one")
    return _end_to_end([stack.enter_context(open_continuous(name, number)) for name in names], arguments)


def _leave_out(arguments: argparse.Namespace, why: str, *names: str) -> None:
    """Refuse options of the other kind of file where they are given; otherwise remove them."""
    for name in names:
        if vars(arguments).pop(name):
            raise UnusableInput(f"{why}; leave out --{'neural' if name == 'kind' else name}")


def _options(
    file: Any,
    arguments: argparse.Namespace,
    total_text: Callable[[int], str],
    continuous: NsxFile | None = None,
    timed: Any = None,
) -> dict[str, Any]:
    """Arguments as options of the library's functions, which have the same names.

    `continuous` has the segments, and `timed` the clock, where that is not the file itself.
    """
    from .choice import Chosen, indices
    from .times import tick_range

    options = {name: value for name, value in vars(arguments).items() if name not in _NOT_OPTIONS}
    chosen = Chosen(file, options.pop("missing_ok", False))
    for name in ("channels", "electrodes", "labels", "exclude"):
        if options.get(name):
            options[name] = getattr(chosen, name)(options[name])
    if options.get("segments"):
        if continuous is None and not hasattr(file, "segments"):
            raise UnusableInput(f"{file.path}: no continuous file beside it; leave out --segments")
        n_segments = len((continuous or file).segments)
        chosen.check_numbers("segments", options["segments"], n_segments)
        options["segments"] = indices(options["segments"], n_segments)
    row_bytes = file.n_channels * file.dtype.itemsize if total_text is not size_text else 1
    show = None if arguments.quiet else progress(total_text, row_bytes, bool(options.get("follow")))
    return options | tick_range(timed or file, arguments) | {"progress": show}


def _events(arguments: argparse.Namespace) -> int:
    from ..export.sidecar import read_sidecar
    from . import events
    from .opening import open_events
    from .times import tick_range

    with ExitStack() as stack:
        nev, recording = stack.enter_context(open_events(arguments.file, arguments.nev))
        sidecar = None
        if arguments.rows:
            if recording is None:
                raise UnusableInput(f"{nev.path}: no continuous file beside it; leave out --rows")
            with check_readable(arguments.rows):
                sidecar = stack.enter_context(read_sidecar(arguments.rows))
        times = tick_range(nev, arguments)
        listing = events.Listing(
            nev, recording, arguments.kinds, arguments.epoch, **times, sidecar=sidecar, edges=arguments.edges
        )
        if arguments.npy:
            events.save_npy(listing, arguments.npy, overwrite=arguments.overwrite)
        elif arguments.csv or arguments.spreadsheet:
            events.print_csv(listing, for_spreadsheet=arguments.spreadsheet)
        elif arguments.json:
            events.print_json(listing)
        else:
            events.print_text(listing)
    return DONE


COMMANDS = {
    "info": _info,
    "bin": _bin,
    "sorter": _sorter,
    "cut": _cut,
    "check": _check,
    "events": _events,
    "report": _report,
}
