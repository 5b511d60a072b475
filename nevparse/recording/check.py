# SPDX-License-Identifier: MIT
"""Checks every header, block, timestamp and packet of a file or a recording, and lists what is wrong.

Opening is lenient, so that all readable data can be read; this is strict.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from math import isnan
from typing import NamedTuple

import numpy as np

from ..errors import FormatError, Progress, is_from_caller
from ..format.header import is_nev
from ..format.numbers import repeated
from ..format.text import ranges_text
from ..nev.file import NevFile, open_nev
from ..nsx.blocks import tick_damage
from ..nsx.file import NsxFile, open_nsx
from ..nsx.packets import PacketIndex
from ..source.objects import Openable, display_name, is_path
from .members import base_of, members_of
from .recording import Recording

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
    "tick-range": (ERROR, "do not trust the times around it; use another copy"),
    "absurd-pause": (ERROR, "one timestamp beside it is wrong: trust the times of one side only"),
    "pause": (NOTE, "choose what an export does with gaps"),
    "loss": (WARNING, "choose what an export does with gaps"),
    "overlap": (WARNING, "export segment by segment"),
    "reset": (WARNING, "export segment by segment; match events by epoch"),
    "out-of-order": (WARNING, "read and export with sort=True"),
    "hidden-break": (WARNING, "read with NsxFile.fully_scanned(); exports do so by themselves"),
    "uneven-packets": (ERROR, "read with NsxFile.fully_scanned(); exports do so by themselves"),
    "cut-headers": (ERROR, "the packets are missing; use another copy"),
    "cut-packet": (ERROR, "complete packets are kept; use another copy for the others"),
    "waveform-type": (WARNING, "compare waveforms with the recording software"),
    "waveform-width": (WARNING, "waveforms are as long as the packets allow"),
    "unsorted": (NOTE, "ask for sort='tick'"),
    "no-electrode-header": (WARNING, "such spikes have no scale and no label"),
    "unknown-packets": (NOTE, "they are in NevFile.packets"),
    "unknown-headers": (NOTE, "they are in NevFile.unknown_headers"),
    "dates-differ": (WARNING, "check that the files are of one recording"),
    "ambiguous-epochs": (WARNING, "see Recording.packet_epochs"),
    "empty-epoch": (WARNING, "check that the NEV is of all of this recording"),
    "events-outside": (NOTE, "they were made while no continuous data was recorded"),
}
_DATES_AGREE_S = 5
_LISTED_GAPS = 100
_LONGEST_PAUSE_S = 7 * 86400  # nobody leaves a recording paused for a week
_Problem = tuple[str, int, str]  # code, offset in bytes, message


class Finding(NamedTuple):
    """One problem of a file, or one thing that is good to know.

    Parameters
    ----------
    level : str
        ``error`` (data is missing or cannot be trusted), ``warning`` or ``note`` (normal, but good to know).
    code : str
        Stable name of the kind of finding.
    path : str
        The file.
    offset : int
        Where in the file, in bytes; 0 where it concerns all of it.
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


def _findings(path: str, problems: Iterable[_Problem]) -> Iterator[Finding]:
    for code, offset, message in problems:
        level, advice = CODES[code]
        yield Finding(level, code, path, offset, message, advice)


def check(path: Openable, *, progress: Progress | None = None) -> tuple[Finding, ...]:
    """Check a file, or all files of a recording, for anything missing, damaged or unusual; reads every timestamp.

    Parameters
    ----------
    path : str, os.PathLike, bytes-like or binary file object
        An NSx or NEV file; or the base name of a recording for all of its files together.
    progress : callable, optional
        Called with (bytes done, bytes in all). What it raises cancels the check.

    Returns
    -------
    tuple of Finding
        Empty for a sound file.

    Raises
    ------
    OSError
        Where no such file exists.
    FormatError
        Where the file cannot be read at all.

    Examples
    --------
    >>> import nevparse as nv
    >>> [(finding.level, finding.code) for finding in nv.check("paused.ns5")]
    [('warning', 'loss')]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the findings say the same
        with _open(path) as opened:
            return findings_of(opened, progress)


def _open(path: Openable) -> NevFile | NsxFile | Recording:
    if is_path(path) and (os.path.isdir(name := display_name(path)) or not os.path.lexists(name)):
        return Recording(base_of(name), members_of(name))
    return open_nev(path) if is_nev(path) else open_nsx(path)


def findings_of(opened: NevFile | NsxFile | Recording, progress: Progress | None = None) -> tuple[Finding, ...]:
    """What `check` finds in an open file, or in an open recording."""
    show = progress or (lambda _done, _total: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(_check_recording(opened, show) if isinstance(opened, Recording) else _check_file(opened, show))


def _check_recording(recording: Recording, progress: Progress) -> Iterator[Finding]:
    n_done, n_bytes = 0, sum(file._source.size for file in recording.files.values())
    for suffix, path in recording.members.items():
        if suffix in recording.failed:
            yield _unreadable(path, recording.failed[suffix])
            continue
        file = recording.files[suffix]
        yield from _check_member(file, partial(_add_progress, progress, n_done, n_bytes))
        n_done += file._source.size
    yield from _date_findings(recording)
    if recording.nev is not None and recording.nsx:
        yield from _findings(recording.nev.path, _spike_time_problems(recording))


def _check_member(file: NevFile | NsxFile, progress: Progress) -> Iterator[Finding]:
    try:
        yield from _check_file(file, progress)
    except (FormatError, OSError) as error:
        if is_from_caller(error):
            raise
        yield _unreadable(file.path, error)


def _unreadable(path: str, error: Exception) -> Finding:
    (finding,) = _findings(path, [("unreadable", getattr(error, "offset", 0), str(error))])
    return finding


def _add_progress(progress: Progress, n_before: int, n_bytes: int, n_done: int, _: int) -> None:
    progress(n_before + n_done, n_bytes)


def _check_file(file: NevFile | NsxFile, progress: Progress) -> Iterator[Finding]:
    size = file._source.size
    progress(0, size)
    problems = _nev_problems(file) if isinstance(file, NevFile) else _nsx_problems(file, progress)
    yield from _findings(file.path, chain(_header_problems(file), problems))
    progress(size, size)


def _header_problems(file: NevFile | NsxFile) -> Iterator[_Problem]:
    for place in file.damage:
        yield place.code, place.offset, place.message
    if file.time_origin is None and "time_origin" in file._version.basic.offsets:
        yield "no-date", 0, "expected a date in the header, found none that is valid"


def _nsx_problems(ns: NsxFile, progress: Progress) -> Iterator[_Problem]:
    yield from _channel_problems(ns)
    if ns.n_samples == 0:
        yield "no-samples", 0, "expected samples, found none"
    size = ns._source.size
    scanned = ns.fully_scanned(progress=lambda n_read, n_samples: progress(n_read * size // n_samples, size))
    yield from _timestamp_problems(ns, scanned)
    for gap in scanned.gaps[:_LISTED_GAPS]:
        yield "absurd-pause" if gap.seconds > _LONGEST_PAUSE_S else gap.kind, 0, str(gap)
    if (n_more := len(scanned.gaps) - _LISTED_GAPS) > 0:
        yield "loss", 0, f"and {n_more} more breaks in time"


def _channel_problems(ns: NsxFile) -> Iterator[_Problem]:
    ids = ns.electrode_ids.tolist()
    if twice := repeated(ids):
        yield "electrode-twice", 0, f"expected each electrode id once, found more of {ranges_text(twice)}"
    if n_zeros := ids.count(0):
        yield "electrode-zero", 0, f"expected electrode ids from 1, found {n_zeros} channels with 0"
    if unscaled := {channel.electrode_id for channel in ns.channels if channel.units and isnan(channel.uv_per_bit)}:
        found = f"none that is valid for electrodes {ranges_text(sorted(unscaled))}"
        yield "no-scale", 0, f"expected a range in volts, found {found}"


def _timestamp_problems(ns: NsxFile, scanned: NsxFile) -> Iterator[_Problem]:
    """Compare the breaks in one-sample packets that a full scan finds with those that probing found."""
    probed, index = ns._recorded.index, scanned._recorded.index
    if not isinstance(probed, PacketIndex):
        return
    if not isinstance(index, PacketIndex):
        yield "uneven-packets", 0, "expected one sample in each packet, found packets of more"
        return
    for span in index.spans[1:]:
        if span.start_tick < 0:
            damage = tick_damage(index.packets.offset_of(span.first_record), span.start_tick % (1 << 64))
            yield damage.code, damage.offset, damage.message
    hidden, shuffled = index.steps.unknown_breaks(probed.steps.breaks), index.steps.shuffled
    if hidden.size:
        message = f"{hidden.size} breaks in time, the first after packet {hidden[0]}, that probing does not find"
        yield "hidden-break", index.packets.offset_of(int(hidden[0])), message
    if shuffled.size:
        message = f"{shuffled.size} samples are out of order, the first at packet {shuffled[0]}"
        yield "out-of-order", index.packets.offset_of(int(shuffled[0])), message


def _nev_problems(nev: NevFile) -> Iterator[_Problem]:
    for reset in nev.resets:
        message = f"the clock went from tick {reset.tick_before} back to {reset.tick_after} at packet {reset.packet}"
        yield "reset", nev._headers_end + reset.packet * nev.packet_bytes, message
    ticks = nev._packets.heads.tick[nev._packets.timed()]
    if n_beyond := np.count_nonzero(ticks < 0):
        yield "tick-range", 0, f"expected timestamps of at most 63 bits, found {n_beyond} packets with more"
    n_backward = np.count_nonzero(ticks[1:] < ticks[:-1]) - len(nev.resets)
    if n_backward > 0:
        yield "unsorted", 0, f"{n_backward} packets are earlier than the one before them"
    if n_unknown := nev.kinds().get("unknown"):
        yield "unknown-packets", 0, f"{n_unknown} packets of ids that are not known"
    if wide := sorted(e.electrode_id for e in nev.electrodes.values() if e.header_points > e.n_points):
        yield "waveform-width", 0, f"the headers of electrodes {ranges_text(wide)} have waveforms longer than a packet"
    if undescribed := sorted(set(nev._spikes.ids) - set(nev.electrodes)):
        yield "no-electrode-header", 0, f"spikes on electrodes that no header describes: {ranges_text(undescribed)}"
    if nev.unknown_headers:
        yield "unknown-headers", 0, f"{len(nev.unknown_headers)} extended headers of kinds that are not known"


def _date_findings(recording: Recording) -> Iterator[Finding]:
    dates = [(file.path, file.time_origin) for file in recording.files.values() if file.time_origin]
    for path, date in dates:
        apart_s = abs((date - dates[0][1]).total_seconds())
        if apart_s > _DATES_AGREE_S:
            message = f"expected a date within {_DATES_AGREE_S} s of that of {dates[0][0]}, found {apart_s:.3f} s"
            yield from _findings(path, [("dates-differ", 0, message)])


def _spike_time_problems(recording: Recording) -> Iterator[_Problem]:
    nev = recording.require_nev()
    epochs = recording.packet_epochs
    ambiguous = np.flatnonzero(epochs.epoch != epochs.alternative)
    if ambiguous.size:
        either = f"epoch {epochs.epoch[ambiguous[0]]} or {epochs.alternative[ambiguous[0]]}"
        message = (
            f"{ambiguous.size} packets may be of either of two epochs, the first is packet {ambiguous[0]} ({either})"
        )
        yield "ambiguous-epochs", nev._headers_end + int(ambiguous[0]) * nev.packet_bytes, message
    found = set(epochs.epoch.tolist())
    empty = [number for number in range(len(nev.epochs)) if number not in found]
    if empty and nev.n_packets:
        message = f"expected packets of {len(nev.epochs)} epochs of the clock, found none of {ranges_text(empty)}"
        yield "empty-epoch", 0, message
    ticks, packets = nev.spikes(waveforms=False)["tick"], nev.packets_of("spike")
    is_recorded = np.zeros(ticks.size, bool)
    for ns in recording.nsx.values():
        is_recorded |= recording.locate(ticks, ns, packets=packets)[0] >= 0
    if not is_recorded.all():
        message = f"{np.count_nonzero(~is_recorded)} of {ticks.size} spikes are outside all continuous data"
        yield "events-outside", 0, message
