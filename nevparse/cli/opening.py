# SPDX-License-Identifier: MIT
"""Opens what a name on the command line means: a file, or a recording and a member of it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from math import isnan
from typing import TYPE_CHECKING

from ..errors import NevParseError
from ..format.header import begins_as_recording, is_nev
from ..nsx.file import NsxFile, open_nsx
from ..recording.members import base_of, members_of
from ..recording.recording import Recording, open_recording
from ..source.names import is_same_file
from .terminal import UnusableInput, check_readable, print_message

if TYPE_CHECKING:
    from ..nev.file import NevFile


def open_named(name: str, nev: str | None = None) -> NsxFile | NevFile | Recording:
    """Open the file of this name; or all files of the recording of this base name, or of `nev` as its NEV."""
    with check_readable(name):
        if nev is not None or not os.path.lexists(name) or os.path.isdir(name):
            return open_recording(name, nev=nev)
        if not is_nev(name):
            return _open_with_gains(name)
        from ..nev.file import open_nev

        return open_nev(name)


def _open_with_gains(name: str) -> NsxFile:
    """Open an NSx; one without scales, as all of version 2.1 are, with those of the NEV beside it."""
    ns = open_nsx(name)
    if not ns.n_channels or not all(isnan(channel.uv_per_bit) for channel in ns.channels):
        return ns
    from ..nev.file import open_nev

    with suppress(NevParseError, OSError), open_nev(members_of(name).get("nev", "")) as nev:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were shown
            scaled = open_nsx(name, nev=nev)
        ns.close()
        return scaled
    return ns


@contextmanager
def open_continuous(
    name: str, number: int | None, has_choice: Callable[[NsxFile], bool] = lambda _: True
) -> Iterator[NsxFile]:
    """Open the NSx of this name; else the ``.nsN`` of its recording, or the fastest one that `has_choice`.

    Prints which one that is, and why it is not the fastest of all.
    """
    with open_named(name) as opened:
        if isinstance(opened, NsxFile) and number is None:
            yield opened
            return
        with _whole_recording(opened) as recording:
            ns = _choose_nsx(recording, number, has_choice)
            slower = number is None and ns is not recording.fastest
            why = f"; the faster {recording.fastest.path} does not have these channels" if slower else ""
            print_message(f"using {ns.path} ({ns.sampling_rate:g} Hz){why}")
            yield ns


@contextmanager
def open_events(name: str, nev: str | None = None) -> Iterator[tuple[NevFile, Recording | None]]:
    """Open the NEV of this name, or that of its recording; and the recording, where it has continuous data."""
    from ..nev.file import NevFile

    with open_named(name, nev) as opened:
        if isinstance(opened, NevFile):
            with recording_of(opened) as recording:
                yield (recording.require_nev() if recording else opened), recording
            return
        with _whole_recording(opened) as recording:
            if recording.nev is None:
                from glob import escape, glob

                others = sorted(glob(f"{escape(recording.base)}*.[nN][eE][vV]"))
                advice = f"; --nev {others[0]} takes that one" if others else ""
                raise UnusableInput(f"{recording.base}: expected a .nev, found {', '.join(recording.members)}{advice}")
            yield recording.nev, recording if recording.has_samples else None


def check_output_name(out: str) -> None:
    """Refuse the last of several recordings as the name of the output, which was forgotten."""
    if out == "-":
        raise UnusableInput("an export cannot go to standard output; name a .bin in the place of -")
    is_base = not os.path.splitext(out)[1] and _members(out)
    if is_base or base_of(out) != out or begins_as_recording(out):
        what = "is a recording" if os.path.exists(out) or is_base else "is a recording's name"
        raise UnusableInput(f"{out} {what}, but the last name must be that of the .bin to write: add one after it")


def _members(name: str) -> dict[str, str]:
    """The files of the recording of this name; none where there is no such recording."""
    try:
        return members_of(name)
    except OSError:
        return {}


def is_folder(name: str) -> bool:
    """Whether a name is that of a folder, and not of a recording as well."""
    return os.path.isdir(name) and not _members(name)


@contextmanager
def as_member(opened: NsxFile | NevFile | Recording) -> Iterator[NsxFile | NevFile | Recording]:
    """A file as the member of its recording that it is, which has the recording's seconds and epochs."""
    if isinstance(opened, NsxFile) and len(_members(opened.path)) < 2:
        yield opened  # it is all of its recording
        return
    with recording_of(opened) as recording:
        if recording is None or isinstance(opened, Recording):
            yield opened
        else:
            yield next(other for other in recording.files.values() if is_same_file(opened.path, other.path))


@contextmanager
def recording_of(opened: NsxFile | NevFile | Recording) -> Iterator[Recording | None]:
    """The recording that a file is a member of; None where it has no samples."""
    if isinstance(opened, Recording):
        yield opened
        return
    with recording_beside(opened) or nullcontext() as recording:
        yield recording


def recording_beside(file: NsxFile | NevFile) -> Recording | None:
    """The recording that a file is a member of; None where it has no samples, or the file another name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of this file were shown, and the others are only looked at
        try:
            recording = open_recording(file.path)
        except FileNotFoundError:
            return None
    if recording.has_samples and any(is_same_file(file.path, other.path) for other in recording.files.values()):
        return recording
    recording.close()
    return None


def _whole_recording(opened: NsxFile | NevFile | Recording) -> Recording:
    if isinstance(opened, Recording):
        return opened
    with check_readable(opened.path):
        return open_recording(opened.path)


def _choose_nsx(recording: Recording, number: int | None, has_choice: Callable[[NsxFile], bool]) -> NsxFile:
    try:
        if number is not None:
            return recording.nsx[number]
        return next(filter(has_choice, reversed(recording.by_rate())), recording.fastest)
    except ValueError as error:
        raise UnusableInput(str(error)) from error
    except KeyError as error:
        members = ", ".join(suffix for suffix in recording.members if suffix != "nev") or "no continuous file"
        raise UnusableInput(f"{recording.base}: expected .ns{number}, found {members}") from error
