# SPDX-License-Identifier: MIT
"""Strict judging of a file or a recording, as findings with stable codes.

Opening is lenient, so that all readable data can be read. Here every header, block, timestamp and packet is checked.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from math import isnan
from typing import NamedTuple

import numpy as np

from ..errors import Damage, FormatError, NevParseError, UnknownVersion
from ..format.header import is_nev
from ..format.text import ranges_text
from ..nev.file import NevFile, open_nev
from ..nev.packets import CONTINUED
from ..nsx.file import NsxFile, open_nsx
from ..nsx.packets import PacketIndex
from ..source.objects import Openable, display_name, is_path
from .members import members_of
from .recording import Recording, open_recording

ERROR, WARNING, NOTE = "error", "warning", "note"
# Level and advice. The codes are stable; `spec_notes/check.md` lists them.
CODES: dict[str, tuple[str, str]] = {
    "unreadable": (ERROR, "use another copy of the file"),
    "unknown-version": (WARNING, "compare some values with the recording software before trusting them"),
    "header-size": (WARNING, "compare the first samples or packets with the recording software"),
    "tick-rate": (WARNING, "check times against something known"),
    "no-channels": (WARNING, "nothing was selected for recording"),
    "channel-header": (ERROR, "do not trust the channels' ids and scales"),
    "electrode-zero": (WARNING, "choose such channels by column"),
    "electrode-twice": (WARNING, "choose such channels by column"),
    "no-scale": (WARNING, "take the scale from elsewhere; the file has none"),
    "no-date": (NOTE, "times count from the recording's own start"),
    "no-samples": (WARNING, "the recording was stopped before its first sample, or the copy is incomplete"),
    "cut-sample": (ERROR, "complete samples are kept; use another copy for the others"),
    "cut-block": (ERROR, "complete samples are kept; use another copy for the others"),
    "open-block": (WARNING, "the recorder died or is still writing; all data is read"),
    "no-block-header": (ERROR, "what follows is left out; use another copy"),
    "pause": (NOTE, "choose what gaps become in an export"),
    "loss": (WARNING, "choose what gaps become in an export"),
    "overlap": (WARNING, "export segment by segment"),
    "reset": (WARNING, "export segment by segment; match events by epoch"),
    "out-of-order": (WARNING, "read and export with sort=True"),
    "hidden-break": (WARNING, "read with NsxFile.fully_scanned(); exports do so by themselves"),
    "uneven-packets": (ERROR, "read with NsxFile.fully_scanned(); exports do so by themselves"),
    "cut-packet": (ERROR, "complete packets are kept; use another copy for the others"),
    "waveform-type": (WARNING, "compare waveforms with the recording software"),
    "waveform-width": (WARNING, "waveforms are as long as the packets allow"),
    "unsorted": (NOTE, "ask for sort='tick'"),
    "no-electrode-header": (WARNING, "such spikes have no scale and no label"),
    "unknown-packets": (NOTE, "they are in NevFile.packets"),
    "unknown-headers": (NOTE, "they are in NevFile.unknown_headers"),
    "dates-differ": (WARNING, "check that the files are of one recording"),
    "events-outside": (NOTE, "they were made while no continuous data was recorded"),
}
_DATES_AGREE_S = 5
_LISTED_GAPS = 100


class Finding(NamedTuple):
    """One thing that is wrong, or good to know.

    Parameters
    ----------
    level : str
        ``error`` (data is missing or cannot be trusted), ``warning`` or ``note`` (normal, but good to know).
    code : str
        Stable name of the kind of finding.
    path : str
        The file.
    offset : int
        Where in it, in bytes; 0 where it concerns all of it.
    message : str
        One sentence.
    advice : str
        What to do.
    """

    level: str
    code: str
    path: str
    offset: int
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.level}: {self.path}, byte {self.offset}: {self.message} [{self.code}]; {self.advice}"


def _finding(code: str, path: str, message: str, offset: int = 0) -> Finding:
    level, advice = CODES[code]
    return Finding(level, code, path, offset, message, advice)


def check(path: Openable) -> tuple[Finding, ...]:
    """Judge a file, or all files of a recording.

    Every timestamp of the file is read.

    Parameters
    ----------
    path : str, os.PathLike, bytes-like or binary file object
        An NSx or NEV file; or the base name of a recording for all of its files together.

    Returns
    -------
    tuple of Finding
        Empty where all is sound.

    Raises
    ------
    OSError
        Where there is no such file.
    FormatError
        Where the file cannot be read at all.
    """
    name, is_one = display_name(path), not is_path(path) or os.path.isfile(path)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        findings = tuple(_of_file(path) if is_one else _of_recording(name))
    unknown = [str(w.message) for w in warned if issubclass(w.category, UnknownVersion)]
    return (*(_finding("unknown-version", name, message) for message in unknown), *findings)


def _of_file(path: Openable) -> Iterator[Finding]:
    if is_nev(path):
        with open_nev(path) as nev:
            yield from _of_nev(nev)
    else:
        with open_nsx(path) as ns:
            yield from _of_nsx(ns)


def _of_damage(path: str, damage: tuple[Damage, ...]) -> Iterator[Finding]:
    return (_finding(place.code, path, place.message, place.offset) for place in damage)


# ---------------------------------------------------------------------------------------------- continuous data
def _of_nsx(ns: NsxFile) -> Iterator[Finding]:
    yield from _of_damage(ns.path, ns.damage)
    yield from _of_channels(ns)
    if ns.time_origin is None and "time_origin" in ns._version.basic.offsets:
        yield _finding("no-date", ns.path, "expected a date in the header, found none that is valid")
    if ns.n_samples == 0:
        yield _finding("no-samples", ns.path, "expected samples, found none")
    scanned = ns.fully_scanned()
    yield from _of_timestamps(ns, scanned)
    for gap in scanned.gaps[:_LISTED_GAPS]:
        yield _finding(gap.kind, ns.path, str(gap))
    if (n_more := len(scanned.gaps) - _LISTED_GAPS) > 0:
        yield _finding("loss", ns.path, f"and {n_more} more breaks in time")


def _of_channels(ns: NsxFile) -> Iterator[Finding]:
    counts = Counter(channel.electrode_id for channel in ns.channels)
    twice = sorted(number for number, count in counts.items() if count > 1)
    if twice:
        message = f"expected each electrode id once, found more of {ranges_text(twice)}"
        yield _finding("electrode-twice", ns.path, message)
    if counts[0]:
        yield _finding("electrode-zero", ns.path, f"expected electrode ids from 1, found {counts[0]} channels with 0")
    unscaled = {channel.electrode_id for channel in ns.channels if channel.units and isnan(channel.uv_per_bit)}
    if unscaled:
        message = f"expected a range in volts, found none that is valid for electrodes {ranges_text(sorted(unscaled))}"
        yield _finding("no-scale", ns.path, message)


def _of_timestamps(ns: NsxFile, scanned: NsxFile) -> Iterator[Finding]:
    """Compare what a full scan finds in one-sample packets with what probing found."""
    probed, index = ns._recorded.index, scanned._recorded.index
    if not isinstance(probed, PacketIndex):
        return
    if not isinstance(index, PacketIndex):
        yield _finding("uneven-packets", ns.path, "expected one sample in each packet, found others among them")
        return
    hidden, shuffled = np.setdiff1d(index.steps.breaks, probed.steps.breaks), index.steps.shuffled
    if hidden.size:
        message = f"{hidden.size} breaks in time, the first behind packet {hidden[0]}, that probing does not find"
        yield _finding("hidden-break", ns.path, message, index.packets.offset_of(int(hidden[0])))
    if shuffled.size:
        message = f"{shuffled.size} samples are out of order, the first at packet {shuffled[0]}"
        yield _finding("out-of-order", ns.path, message, index.packets.offset_of(int(shuffled[0])))


# ------------------------------------------------------------------------------------------------------- events
def _of_nev(nev: NevFile) -> Iterator[Finding]:
    yield from _of_damage(nev.path, nev.damage)
    if nev.time_origin is None:
        yield _finding("no-date", nev.path, "expected a date in the header, found none that is valid")
    for reset in nev.resets:
        message = f"the clock went from tick {reset.tick_before} back to {reset.tick_after} at packet {reset.packet}"
        yield _finding("reset", nev.path, message, nev._start + reset.packet * nev.packet_bytes)
    heads = nev._packets.heads
    ticks = heads.tick[heads.kind != CONTINUED]
    n_backward = np.count_nonzero(ticks[1:] < ticks[:-1]) - len(nev.resets)
    if n_backward > 0:
        yield _finding("unsorted", nev.path, f"{n_backward} packets are earlier than the one before them")
    if n_unknown := nev.kinds().get("unknown"):
        yield _finding("unknown-packets", nev.path, f"{n_unknown} packets of ids that are not known")
    wide = sorted(e.electrode_id for e in nev.electrodes.values() if e.header_points > e.n_points)
    if wide:
        message = f"the headers of electrodes {ranges_text(wide)} have waveforms longer than a packet"
        yield _finding("waveform-width", nev.path, message)
    undescribed = sorted(set(nev._spikes.ids) - set(nev.electrodes))
    if undescribed:
        message = f"spikes on electrodes that no header describes: {ranges_text(undescribed)}"
        yield _finding("no-electrode-header", nev.path, message)
    if nev.unknown_headers:
        message = f"{len(nev.unknown_headers)} extended headers of kinds that are not known"
        yield _finding("unknown-headers", nev.path, message)


# --------------------------------------------------------------------------------------------------- recordings
def _of_recording(name: str) -> Iterator[Finding]:
    for path in members_of(name).values():
        yield from _of_member(path)
    try:
        recording = open_recording(name)
    except NevParseError:
        return
    with recording:
        yield from _of_members_together(recording)


def _of_member(path: str) -> Iterator[Finding]:
    try:
        yield from _of_file(path)
    except (FormatError, OSError) as error:
        yield _finding("unreadable", path, str(error), getattr(error, "offset", 0))


def _of_members_together(recording: Recording) -> Iterator[Finding]:
    dates = [
        (file.path, file.time_origin.replace(tzinfo=None)) for file in recording.files.values() if file.time_origin
    ]
    for path, date in dates:
        apart_s = abs((date - dates[0][1]).total_seconds())
        if apart_s > _DATES_AGREE_S:
            message = f"expected a date within {_DATES_AGREE_S} s of that of {dates[0][0]}, found {apart_s:.3f} s"
            yield _finding("dates-differ", path, message)
    if recording.nev is None or not recording.nsx:
        return
    ticks = recording.nev.spikes(waveforms=False)["tick"]
    inside = np.zeros(ticks.size, bool)
    for ns in recording.nsx.values():
        inside |= recording.locate(ticks, ns)[0] >= 0
    if not inside.all():
        message = f"{np.count_nonzero(~inside)} of {ticks.size} spikes are outside all continuous data"
        yield _finding("events-outside", recording.nev.path, message)
