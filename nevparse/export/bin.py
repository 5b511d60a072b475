# SPDX-License-Identifier: MIT
"""A flat ``.bin`` of chosen channels, as spike sorters read it, and a ``.json`` beside it that says what it holds.

The whole export is planned, and refused if it has to be, before the first byte is written.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import DamagedFile
from ..nsx.packets import HiddenGap
from ..recording.instruments import Continuous
from ..source.growth import POLL_S, FollowOptions
from ..traces.plan import Corrections, FilledRows
from ..traces.request import ExportRequest, Progress, check_options, fill_row, plan_files
from . import sidecar
from .inputs import check_not_shrunk, check_unchanged
from .job import BinFile, ExportJob, FileJob, bin_file, bin_outputs, check_targets, targets_of

if TYPE_CHECKING:
    from ..nsx.file import NsxFile


@dataclass(frozen=True)
class BinReport(BinFile):
    """What an export wrote: its file, or with ``gaps="split"`` its first file and the sum of all.

    Parameters
    ----------
    files : tuple of BinFile
        Every file.
    n_filled, n_dropped, n_repeated : int
        Rows filled, and samples left out and repeated to keep the nominal rate.
    n_out_of_order : int
        Samples that stand out of order in the recording, and do so in the ``.bin`` unless they were sorted.
    """

    files: tuple[BinFile, ...]
    n_filled: int
    n_dropped: int
    n_repeated: int
    n_out_of_order: int

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """One line for each file, and one of what was done to time."""
        counts = {
            "rows filled": self.n_filled,
            "samples left out": self.n_dropped,
            "samples repeated": self.n_repeated,
            "samples out of order": self.n_out_of_order,
        }
        told = [f"{count} {what}" for what, count in counts.items() if count]
        return [*map(str, self.files), *([", ".join(told)] if told else [])]


def write_bin(
    ns: Continuous | Sequence[NsxFile],
    path: str | os.PathLike[str],
    *,
    channels: slice | Iterable[int] | None = None,
    electrodes: Iterable[int] | None = None,
    labels: str | Iterable[str] | None = None,
    kind: str | None = None,
    start_tick: int | None = None,
    stop_tick: int | None = None,
    gaps: str = "error",
    fill: float | str = 0,
    max_fill: float = 10.0,
    resample: str | None = None,
    sort: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    follow: bool = False,
    poll_s: float = POLL_S,
    timeout_s: float | None = None,
    stop: Callable[[], bool] | None = None,
) -> BinReport:
    """Write chosen channels of a recording to a flat binary file, and a ``.json`` that says what it holds.

    Samples are written as they were recorded: same type, no scaling; none is added, left out or moved unless that is
    asked for, and then the sidecar says where.

    Parameters
    ----------
    ns : NsxFile or sequence of NsxFile
        The recording; or the same-numbered files of several instruments, which become one wide ``.bin``, each
        sample in the row nearest to its time on their common clock.
    path : str or os.PathLike
        The ``.bin`` to write. The sidecar has the same name with ``.json``; where every sample has a timestamp of its
        own, they go to the same name with ``.ticks`` (little-endian uint64, one for each row).
    channels : slice or iterable of int, optional
        Columns, in the order wanted, of each instrument. Where none of `channels`, `electrodes`, `labels` and
        `kind` is given, all.
    electrodes : iterable of int, optional
        The vendor's numbers, in the order wanted.
    labels : str or iterable of str, optional
        Names, or patterns with ``*``, ``?`` and ``[...]``.
    kind : str, optional
        ``neural`` leaves out analog inputs.
    start_tick, stop_tick : int, optional
        Only samples whose timestamps are in this half-open range of the file's clock.
    gaps : str
        What to do where time is not unbroken. ``error``: refuse. ``split``: one file for each segment, named
        ``-000``, ``-001`` and so on. ``join``: segments back to back. ``fill``: rows for the missing samples.
    fill : number or "hold"
        What ``gaps="fill"`` writes: a raw value, or the last sample again.
    max_fill : float
        Refuse to fill more than this many times the recorded samples.
    resample : str, optional
        ``nominal``: samples on an even grid at the nominal rate, each row the nearest one, for files whose samples
        have timestamps of their own.
    sort : bool
        Put samples right that stand out of order.
    overwrite : bool
        Replace files of the same names.
    progress : callable, optional
        Called with (rows done, rows in all) after each step.
    follow : bool
        Go on with what is still to be recorded, with `gaps` ``join`` or ``fill``. The ``.bin`` has its name, and its
        sidecar, when this ends: nothing was written for `timeout_s` seconds, `stop_tick` has passed, or `stop` returned
        True, which is called before every look at the file, `poll_s` seconds apart, and makes that look the last. Until
        then its rows are in the ``.nevparse-part`` beside it. A gap that is too long for `max_fill` waits for more
        samples.
    poll_s, timeout_s, stop : float, float and callable, optional
        See `follow`; without the last two it does not end by itself.

    Returns
    -------
    BinReport
        Shape, type, rate, and which row is what.

    Raises
    ------
    GapError
        Where the range holds a gap that `gaps` does not resolve.
    ExportError
        Where a file is in the way, the input would be overwritten, the disk is full, or the input shrinks meanwhile.
    KeyError, ValueError
        Where the request names what is not there, or nothing.

    Warns
    -----
    DamagedFile
        Where samples stand out of order and `sort` is not asked for.
    """
    if isinstance(ns, Sequence):
        from ..recording.instruments import CombinedInstruments

        recording: Continuous = CombinedInstruments(ns, max_fill if gaps == "fill" else None, sort)
    else:
        recording = ns
    columns = (channels, electrodes, labels, kind)
    many, how = (gaps, fill, max_fill, resample, sort), FollowOptions(poll_s, timeout_s, stop) if follow else None
    request = ExportRequest(os.fspath(path), columns, start_tick, stop_tick, *many, overwrite, progress, how)
    check_options(request, recording.dtype)
    try:
        return _export(recording.fully_scanned() if sort or resample else recording, request)
    except HiddenGap:  # seen while streaming; nothing has been named yet
        return _export(recording.fully_scanned(), request)


def _export(ns: Continuous, request: ExportRequest) -> BinReport:
    columns = ns.columns(*request.columns)
    if columns.size == 0:
        raise ValueError(f"expected at least one channel, found none; {ns.path} has {ns.n_channels}")
    fill = fill_row(request.fill, columns.size, ns.dtype) if request.gaps == "fill" else b""
    make_job, inputs = _job_of(ns, request)
    check_not_shrunk(inputs)
    planned, corrections = ([(request.path, [])], Corrections()) if request.follow else plan_files(ns, request)
    files = [bin_file(ns, path, columns, rows) for path, rows in planned]
    policy = sidecar.policy_facts(request.gaps, request.fill, request.resample, corrections)
    job = make_job(ns, columns, fill, request.sort, request.progress, sum(file.n_samples for file in files))
    n_bytes, sources = targets_of(files, ns.has_sample_timestamps)[1], _paths(inputs)
    with bin_outputs(request.path, request.overwrite, n_bytes, sources) as outputs:
        check_targets(sources, ns.has_sample_timestamps, request.path, files, request.overwrite)
        with nullcontext() if request.follow else check_unchanged(inputs):
            files = [job.write(file, outputs, policy) for file in files]
    if job.n_out_of_order and not request.sort:
        message = f"{job.n_out_of_order} samples stand out of order; sort=True (--sort) puts them right"
        warnings.warn(f"{ns.path}: {message}", DamagedFile, stacklevel=4)
    return BinReport(
        **vars(files[0]) | {"n_samples": job.n_rows},
        files=tuple(files),
        n_filled=job.n_holes + sum(item.n_rows for file in files for item in file.rows if isinstance(item, FilledRows)),
        n_dropped=corrections.dropped + job.corrections.dropped,
        n_repeated=corrections.repeated + job.corrections.repeated,
        n_out_of_order=job.n_out_of_order,
    )


def _job_of(ns: Any, request: ExportRequest) -> tuple[Callable[..., ExportJob], list[Any]]:
    """What streams a recording, and the files it comes from."""
    if hasattr(ns, "tracks"):
        if request.follow:
            raise ValueError("expected, with follow, one file, found several instruments: follow each on its own")
        from .job import InstrumentsJob

        return InstrumentsJob, [track.file for track in ns.tracks]
    if request.follow is None:
        return FileJob, [ns]
    from .live import FollowJob, poll_until, wait_for_first_samples

    looks = poll_until(ns, request.follow, request.stop_tick)
    wait_for_first_samples(ns, looks)
    return partial(FollowJob, looks, lambda: plan_files(ns, request)[0][0][1]), [ns]


def _paths(files: Sequence[Continuous]) -> list[str]:
    return [file.path for file in files if os.path.exists(file.path)]  # what was no path has a name all the same
