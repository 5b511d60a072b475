# SPDX-License-Identifier: MIT
"""Strict judging of a file or a recording: everything that is not as it should be, as findings with stable codes.

Opening is lenient, so that what can be read is read. Here every header, block, timestamp and packet is looked at.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from math import isnan
from typing import NamedTuple

import numpy as np

from ..errors import Damage, FormatError, NevParseError, UnknownVersion
from ..format.tables import MAGIC_BYTES, NEV_VERSIONS
from ..format.text import ranges_text
from ..nev.file import NevFile, open_nev
from ..nsx.file import NsxFile, open_nsx
from ..nsx.packets import PacketIndex
from ..source.objects import Openable, is_path, name_of, open_source
from .members import members_of
from .recording import Recording, open_recording

ERROR, WARNING, NOTE = "error", "warning", "note"
# Level, and what to do. The codes are stable; `spec_notes/check.md` lists them.
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
    "no-samples": (WARNING, "the recording was stopped before it began, or the copy is not whole"),
    "cut-sample": (ERROR, "whole samples are kept; use another copy for the rest"),
    "cut-block": (ERROR, "whole samples are kept; use another copy for the rest"),
    "open-block": (WARNING, "the recorder died or is still writing; all that is there is read"),
    "no-block-header": (ERROR, "what follows is left out; use another copy"),
    "pause": (NOTE, "say what gaps should become when exporting"),
    "loss": (WARNING, "say what gaps should become when exporting"),
    "overlap": (WARNING, "export segment by segment"),
    "reset": (WARNING, "export segment by segment; match events by epoch"),
    "out-of-order": (WARNING, "read and export with sort=True"),
    "hidden-break": (WARNING, "read with NsxFile.exactly(); exports do so by themselves"),
    "uneven-packets": (ERROR, "read with NsxFile.exactly(); exports do so by themselves"),
    "cut-packet": (ERROR, "whole packets are kept; use another copy for the rest"),
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
        Where it is no file that could be read.
    """
    name, is_one = name_of(path), not is_path(path) or os.path.isfile(path)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = tuple(_of_file(path) if is_one else _of_recording(name))
    unknown = [w.message for w in warned if issubclass(w.category, UnknownVersion)]
    return (*(finding("unknown-version", name, str(message)) for message in unknown), *found)


def _of_file(path: Openable) -> Iterator[Finding]:
    with closing(open_source(path)) as source:
        magic = source.peek(MAGIC_BYTES, 0)
    if magic in {known for known, _ in NEV_VERSIONS}:
        with open_nev(path) as nev:
            yield from _of_nev(nev)
    else:
        with open_nsx(path) as ns:
            yield from _of_nsx(ns)


def _damage(path: str, damage: tuple[Damage, ...]) -> Iterator[Finding]:
    for place in damage:
        yield finding(place.code, path, place.message, place.offset)


# ---------------------------------------------------------------------------------------------- continuous data
def _of_nsx(ns: NsxFile) -> Iterator[Finding]:
    yield from _damage(ns.path, ns.damage)
    yield from _channels(ns)
    if ns.time_origin is None and "time_origin" in ns._version.basic.offsets:
        yield finding("no-date", ns.path, "expected a date in the header, found none that is one")
    if ns.n_samples == 0:
        yield finding("no-samples", ns.path, "expected samples, found none")
    yield from _timestamps(ns)
    gaps = ns.fully_scanned().gaps
    for gap in gaps[:_LISTED_GAPS]:
        yield finding(gap.kind, ns.path, str(gap))
    if (more := len(gaps) - _LISTED_GAPS) > 0:
        yield finding("loss", ns.path, f"and {more} more breaks in time")


def _channels(ns: NsxFile) -> Iterator[Finding]:
    counts = Counter(channel.electrode_id for channel in ns.channels)
    twice = sorted(number for number, count in counts.items() if count > 1)
    if twice:
        yield finding(
            "electrode-twice", ns.path, f"expected each electrode id once, found more of {ranges_text(twice)}"
        )
    if counts[0]:
        yield finding("electrode-zero", ns.path, f"expected electrode ids from 1, found {counts[0]} channels with 0")
    bare = [c.electrode_id for c in ns.channels if c.units and isnan(c.uv_per_bit)]
    if bare:
        message = f"expected a range in volts, found none that is one for electrodes {ranges_text(sorted(set(bare)))}"
        yield finding("no-scale", ns.path, message)


def _timestamps(ns: NsxFile) -> Iterator[Finding]:
    """Every timestamp of one-sample packets against what probing found."""
    index = ns._recorded.index
    if not isinstance(index, PacketIndex):
        return
    if not index.packets.all_single_sample():
        yield finding("uneven-packets", ns.path, "expected one sample in each packet, found others among them")
        return
    exact = index.fully_scanned().steps
    hidden = np.setdiff1d(exact.breaks, index.steps.breaks)
    if hidden.size:
        message = f"{hidden.size} breaks in time, the first behind packet {hidden[0]}, that probing does not find"
        yield finding("hidden-break", ns.path, message, index.packets.offset_of(int(hidden[0])))
    if exact.shuffled.size:
        message = f"{exact.shuffled.size} samples stand out of order, the first at packet {exact.shuffled[0]}"
        yield finding("out-of-order", ns.path, message, index.packets.offset_of(int(exact.shuffled[0])))


# ------------------------------------------------------------------------------------------------------- events
def _of_nev(nev: NevFile) -> Iterator[Finding]:
    yield from _damage(nev.path, nev.damage)
    if nev.time_origin is None:
        yield finding("no-date", nev.path, "expected a date in the header, found none that is one")
    for reset in nev.resets:
        message = f"the clock went from tick {reset.tick_before} back to {reset.tick_after} at packet {reset.packet}"
        yield finding("reset", nev.path, message, nev._start + reset.packet * nev.packet_bytes)
    yield from _packets(nev)
    spiking = {number for number, _ in nev.trains()}
    without = sorted(spiking - set(nev.electrodes))
    if without:
        message = f"spikes on electrodes that no header describes: {ranges_text(without)}"
        yield finding("no-electrode-header", nev.path, message)
    if nev.unknown_headers:
        message = f"{len(nev.unknown_headers)} extended headers of kinds that are not known"
        yield finding("unknown-headers", nev.path, message)


def _packets(nev: NevFile) -> Iterator[Finding]:
    ticks = nev.packets["tick"].astype(np.int64)
    backwards = int((np.diff(ticks) < 0).sum()) - len(nev.resets)
    if backwards > 0:
        yield finding("unsorted", nev.path, f"{backwards} packets are earlier than the one before them")
    unknown = nev.kinds().get("unknown", 0)
    if unknown:
        yield finding("unknown-packets", nev.path, f"{unknown} packets of ids that are not known")
    wide = sorted(n for n, (_, n_points) in nev._waveform_shapes.items() if n_points > nev.electrodes[n].n_points)
    if wide:
        message = f"waveforms longer than a packet are stated for electrodes {ranges_text(wide)}"
        yield finding("waveform-width", nev.path, message)


# --------------------------------------------------------------------------------------------------- recordings
def _of_recording(name: str) -> Iterator[Finding]:
    for path in members_of(name).values():
        yield from _of_member(path)
    try:
        recording = open_recording(name)
    except NevParseError:
        return
    with recording:
        yield from _together(recording)


def _of_member(path: str) -> Iterator[Finding]:
    try:
        yield from _of_file(path)
    except (FormatError, OSError) as error:
        yield finding("unreadable", path, str(error), getattr(error, "offset", 0))


def _together(recording: Recording) -> Iterator[Finding]:
    files = [file for file in recording.files.values() if file.time_origin is not None]
    dates = [file.time_origin.replace(tzinfo=None) for file in files if file.time_origin]
    for file, date in zip(files, dates, strict=True):
        apart_s = abs((date - dates[0]).total_seconds())
        if apart_s > _DATES_AGREE_S:
            message = f"expected a date within {_DATES_AGREE_S} s of that of {files[0].path}, found {apart_s:.3f} s"
            yield finding("dates-differ", file.path, message)
    if recording.nev is None or not recording.nsx:
        return
    spikes = recording.nev.spikes(waveforms=False)["tick"]
    inside = np.zeros(spikes.size, bool)
    for ns in recording.nsx.values():
        inside |= recording.locate(spikes, ns)[0] >= 0
    if not inside.all():
        message = f"{int((~inside).sum())} of {spikes.size} spikes fall in no continuous data"
        yield finding("events-outside", recording.nev.path, message)


class Finding(NamedTuple):
    """One thing that is not as it should be.

    Parameters
    ----------
    level : str
        ``error`` (data is missing or cannot be trusted), ``warning`` or ``note`` (normal, but good to know).
    code : str
        Stable name of what was found.
    path : str
        The file.
    offset : int
        Where in it, in bytes; 0 where it concerns the whole.
    message : str
        What was found, in one sentence.
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


def finding(code: str, path: str, message: str, offset: int = 0) -> Finding:
    """A finding, with the level and the advice that belong to its code."""
    level, advice = CODES[code]
    return Finding(level, code, path, offset, message, advice)
