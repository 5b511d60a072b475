# SPDX-License-Identifier: MIT
"""Files cut from files: an NSx from an NSx, a NEV from a NEV; and a new NSx from an array.

Everything is planned, and refused if it has to be, before the first byte is written. A file gets its name when it is
whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...format.tables import CLOCK_HZ
from ...format.text import duration_text, size_text
from ...nsx.packets import HiddenGap
from . import cut_nev, cut_nsx, new_nsx
from .anonymise import check_anonymise
from .new_nsx import DescribedChannel
from .planned import Progress, write_file

if TYPE_CHECKING:
    from ...nev.file import NevFile
    from ...nsx.file import NsxFile


@dataclass(frozen=True)
class NsxReport:
    """An NSx that was written.

    Parameters
    ----------
    path : str
        The file.
    spec : str
        Its version.
    n_samples, n_channels : int
        Rows and columns.
    sampling_rate : float
        Hz.
    size_bytes : int
        Of the file.
    """

    path: str
    spec: str
    n_samples: int
    n_channels: int
    sampling_rate: float
    size_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.path}: NSx {self.spec}, {self.n_samples} samples x {self.n_channels} channels, "
            f"{self.sampling_rate:g} Hz, {duration_text(self.n_samples / self.sampling_rate)}, {size_text(self.size_bytes)}"
        )


@dataclass(frozen=True)
class NevReport:
    """A NEV that was written.

    Parameters
    ----------
    path : str
        The file.
    spec : str
        Its version.
    n_packets : int
        Packets.
    size_bytes : int
        Of the file.
    """

    path: str
    spec: str
    n_packets: int
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.path}: NEV {self.spec}, {self.n_packets} packets, {size_text(self.size_bytes)}"


def write_nsx(
    ns: NsxFile,
    path: str | os.PathLike[str],
    *,
    channels: slice | Iterable[int] | None = None,
    electrodes: Iterable[int] | None = None,
    labels: str | Iterable[str] | None = None,
    kind: str | None = None,
    start_tick: int | None = None,
    stop_tick: int | None = None,
    segments: int | slice | Iterable[int] | None = None,
    anonymise: bool | str = False,
    base_tick: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> NsxReport:
    """Write a part of an NSx as an NSx of the same version and vendor.

    Samples, their times and their channels' headers stay as they are. All of a sound file is the same bytes again; of
    one that was cut by a crash, all whole samples become a file that is whole.

    Parameters
    ----------
    ns : NsxFile
        The recording. `create_nsx` writes arrays.
    path : str or os.PathLike
        The file to write.
    channels : slice or iterable of int, optional
        Columns, in the order wanted, each once. Where none of `channels`, `electrodes`, `labels` and `kind` is given,
        all.
    electrodes : iterable of int, optional
        The vendor's numbers, in the order wanted.
    labels : str or iterable of str, optional
        Names, or patterns with ``*``, ``?`` and ``[...]``.
    kind : str, optional
        ``neural`` leaves out analog inputs.
    start_tick, stop_tick : int, optional
        Only samples whose timestamps are in this half-open range of the file's clock.
    segments : int, slice or iterable of int, optional
        Only these unbroken stretches; in file order, however they are named.
    anonymise : bool or "labels"
        Take out dates, comments, the application, and what stands unseen behind texts; with ``"labels"`` labels too.
    base_tick : int
        What `anonymise` subtracts from every timestamp of a clock that counts from 1970, and so tells the date. Take
        the same for every file of a recording.
    overwrite : bool
        Replace a file of the same name.
    progress : callable, optional
        Called with (bytes done, bytes in all) after each step.

    Returns
    -------
    NsxReport
        What was written.

    Raises
    ------
    ExportError
        Where a file is in the way, the input would be overwritten, the disk is full, or the input shrinks meanwhile.
    KeyError, ValueError
        Where the request names what is not there, or nothing; where NSx 2.1, which has no timestamps, could not say
        when the samples were.

    Notes
    -----
    A block that is cut starts at the timestamp of its first sample, rounded down to a whole tick.
    """
    if not hasattr(ns, "segments"):
        raise TypeError(f"expected an open NSx, found {type(ns).__name__}; create_nsx writes arrays")
    check_anonymise(anonymise)
    ways = (channels, electrodes, labels, kind)
    when = (segments, start_tick, stop_tick)
    try:
        return _cut(ns, path, ways, when, (anonymise, base_tick), overwrite, progress)
    except HiddenGap:  # seen while streaming; nothing has been named yet
        return _cut(ns.fully_scanned(), path, ways, when, (anonymise, base_tick), overwrite, progress)


def _cut(
    ns: NsxFile,
    path: str | os.PathLike[str],
    ways: tuple[Any, ...],
    when: tuple[Any, ...],
    taken_out: tuple[bool | str, int],
    overwrite: bool,
    progress: Progress | None,
) -> NsxReport:
    columns = cut_nsx.chosen_columns(ns, *ways)
    chosen = cut_nsx.NsxSelection(columns, cut_nsx.chosen_spans(ns, *when), *taken_out)
    planned = cut_nsx.plan_nsx(ns, chosen)
    target = write_file(planned, [ns.path], path, overwrite, progress)
    return NsxReport(target, ns.spec, chosen.n_samples, columns.size, ns.sampling_rate, planned.n_bytes)


def write_nev(
    nev: NevFile,
    path: str | os.PathLike[str],
    *,
    electrodes: int | Iterable[int] | None = None,
    kinds: str | Iterable[str] | None = None,
    start_tick: int | None = None,
    stop_tick: int | None = None,
    anonymise: bool | str = False,
    base_tick: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> NevReport:
    """Write a part of a NEV as a NEV of the same version and vendor.

    Packets stay as they are, in the order they stand in. All of a sound file is the same bytes again; of one that was
    cut by a crash, all whole packets become a file that is whole.

    Parameters
    ----------
    nev : NevFile
        The recording.
    path : str or os.PathLike
        The file to write.
    electrodes : int or iterable of int, optional
        Whose spikes, stimuli and headers to keep; all where not given. Other events are kept.
    kinds : str or iterable of str, optional
        Kinds of events to keep, as `NevFile.kinds` names them; all where not given.
    start_tick, stop_tick : int, optional
        Only packets from `start_tick` on and before `stop_tick`. One that goes on with the packet before it stays with
        it.
    anonymise : bool or "labels"
        Take out dates, comments, logs, texts of the headers, file names, the application, and what no document
        explains; with ``"labels"`` names of electrodes, inputs, cameras and tracked objects too.
    base_tick : int
        What `anonymise` subtracts from every timestamp of a clock that counts from 1970, and so tells the date. Take
        the same for every file of a recording.
    overwrite : bool
        Replace a file of the same name.
    progress : callable, optional
        Called with (bytes done, bytes in all) after each step.

    Returns
    -------
    NevReport
        What was written.

    Raises
    ------
    ExportError
        Where a file is in the way, the input would be overwritten, or the disk is full.
    KeyError, ValueError
        Where the request names what is not there, or holds no packet.
    """
    check_anonymise(anonymise)
    which, events = cut_nev.chosen_electrodes(nev, electrodes), cut_nev.chosen_kinds(kinds)
    chosen = cut_nev.NevSelection(which, events, start_tick, stop_tick, anonymise, base_tick)
    planned, n_packets = cut_nev.plan_nev(nev, chosen)
    target = write_file(planned, [nev.path], path, overwrite, progress)
    return NevReport(target, nev.spec, n_packets, planned.n_bytes)


def create_nsx(
    samples: Any,
    path: str | os.PathLike[str],
    channels: Sequence[DescribedChannel],
    *,
    sampling_rate: float,
    spec: str = "2.3",
    tick_rate: int = 30_000,
    start_tick: int = 0,
    time_origin: datetime | None = None,
    label: str = "",
    comment: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> NsxReport:
    """Write an array as a new NSx.

    Parameters
    ----------
    samples : array
        int16, ``(n_samples, n_channels)``: a numpy array, or what gives one when it is sliced, such as a memmap.
    path : str or os.PathLike
        The file to write.
    channels : sequence of NewChannel or Channel
        What each column is.
    sampling_rate : float
        Hz: 30000 divided by a whole number.
    spec : str
        Version of the file specification: ``2.3``, or ``3.0`` for timestamps of 64 bits.
    tick_rate : int
        Timestamp ticks per second, Hz.
    start_tick : int
        Timestamp of the first sample.
    time_origin : datetime, optional
        With its time zone. What it stands for is tick 0 in 2.3, and the first sample in 3.0.
    label, comment : str
        Of the file: up to 16 and 256 bytes of code page 1252.
    overwrite : bool
        Replace a file of the same name.
    progress : callable, optional
        Called with (bytes done, bytes in all) after each step.

    Returns
    -------
    NsxReport
        What was written.

    Raises
    ------
    ExportError
        Where a file is in the way, or the disk is full.
    TypeError, ValueError
        Where an NSx cannot hold what is asked for: a number or a text does not fit its field, samples are not int16,
        an electrode id comes twice.

    Notes
    -----
    Blackrock LB-0023 revision 7.00, "NSx".
    """
    asked = new_nsx.NewNsx(
        samples, channels, sampling_rate, spec, tick_rate, start_tick, time_origin, label, comment
    )  # fmt: skip
    planned = new_nsx.plan_new_nsx(asked)
    target = write_file(planned, [], path, overwrite, progress)
    n_samples, n_channels = (int(n) for n in samples.shape)
    rate = CLOCK_HZ / new_nsx.period_of(sampling_rate)
    return NsxReport(target, spec, n_samples, n_channels, rate, planned.n_bytes)
