# SPDX-License-Identifier: MIT
"""A flat ``.bin`` of chosen channels, as spike sorters read it, and a ``.bin.json`` beside it that describes it.

The export is planned, and refused if it has to be, before the first byte is written.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..clock import requested_ticks
from ..errors import DamagedFile
from ..nsx.file import NsxFile
from ..nsx.packets import FullScanNeeded
from ..recording.instruments import CombinedInstruments, Continuous, InstrumentChanges, combine_instruments
from ..source.growth import POLL_S, FollowOptions
from ..traces.plan import GapPolicy, PlanOptions, checked_options, count_changes, plan_rows
from ..traces.selection import ChannelChoice, ChannelKind, ElectrodeChoice, ExcludeChoice, LabelChoice
from .inputs import check_not_shrunk, files_of, raise_if_changed
from .job import BinFile, ExportJob, Progress, bin_file, bin_outputs
from .live import GrowingRows


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
        Samples that are out of order in the recording, and in the ``.bin`` unless they were sorted.
    instruments : tuple of InstrumentChanges
        Of several instruments, what was done to the samples of each.
    """

    files: tuple[BinFile, ...]
    n_filled: int
    n_dropped: int
    n_repeated: int
    n_out_of_order: int
    instruments: tuple[InstrumentChanges, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """One line for each file, one of what was done to time, and of several instruments one for each."""
        counts = {
            "rows filled": self.n_filled,
            "samples left out": self.n_dropped,
            "samples repeated": self.n_repeated,
            "samples out of order": self.n_out_of_order,
        }
        changes = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return [*map(str, self.files), *([changes] if changes else []), *map(str, self.instruments)]


def write_bin(
    ns: Continuous | Iterable[NsxFile],
    path: str | os.PathLike[str],
    *,
    channels: ChannelChoice = None,
    electrodes: ElectrodeChoice = None,
    labels: LabelChoice = None,
    kind: ChannelKind | None = None,
    exclude: ExcludeChoice = None,
    start_tick: int | None = None,
    stop_tick: int | None = None,
    start_s: float | None = None,
    stop_s: float | None = None,
    gaps: GapPolicy = "error",
    fill: float | Literal["hold"] = 0,
    max_fill: float = 10.0,
    resample: Literal["nominal"] | None = None,
    sort: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    follow: bool = False,
    poll_s: float = POLL_S,
    timeout_s: float | None = None,
    stop: Callable[[], bool] | None = None,
) -> BinReport:
    """Write chosen channels of a recording to a flat binary file, and a ``.bin.json`` that describes it.

    Samples are written as they were recorded: same type, no scaling. From one file, no sample is added, dropped or
    moved unless an option asks for it, and then the sidecar says where. Several instruments are aligned to one clock,
    which can drop or repeat samples; the sidecar counts them.

    Parameters
    ----------
    ns : NsxFile or iterable of NsxFile
        The recording; or the same-numbered files of several instruments, which become one wide ``.bin``, each
        sample in the row nearest to its time on their common clock.
    path : str or os.PathLike
        The ``.bin`` to write. The sidecar has its whole name and ``.json``; where every sample has a timestamp of
        its own, they go to its whole name and ``.ticks`` (little-endian int64, one for each row).
    channels, electrodes, labels, kind, exclude : optional
        Columns in the order wanted, as in `NsxFile.columns`, of each instrument; by default all. ``kind="neural"``
        leaves out analog inputs.
    start_tick, stop_tick : int, optional
        Only samples whose timestamps are in this half-open range of the file's clock.
    start_s, stop_s : float, optional
        Instead of ticks: seconds after the recording's first sample.
    gaps : str
        What to do where time is broken. ``error``: refuse. ``split``: one file for each segment, named
        ``-000``, ``-001`` and so on. ``join``: segments back to back. ``fill``: rows for the missing samples.
    fill : number or "hold"
        What ``gaps="fill"`` writes: a raw value, or the last sample before the gap.
    max_fill : float
        Refuse to fill more than this many times the recorded samples.
    resample : str, optional
        ``nominal``: rows at the nominal rate, each the nearest sample, for files whose samples have timestamps of
        their own.
    sort : bool
        Sort samples that are out of order by time.
    overwrite : bool
        Replace files of the same names. A recording is never replaced.
    progress : callable, optional
        Called with (rows done, rows in all) after each step.
    follow : bool
        Go on with what is still to be recorded, with `gaps` ``join`` or ``fill``. The file is polled every `poll_s`
        seconds until nothing was written for `timeout_s` seconds, `stop_tick` has passed, or `stop`, which is called
        before each poll, has returned True. The ``.bin`` gets its name, and its sidecar, in the end; until then its
        rows are in the ``.nevparse-part`` beside it. A gap that is too long for `max_fill` waits for more samples.
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
        Where a file is in the way, a recording would be replaced, the disk is full, or the input shrinks meanwhile.
    KeyError, ValueError
        Where a channel, a time or an option does not exist, or no channel is chosen.

    Warns
    -----
    DamagedFile
        Where samples are out of order and are not sorted.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("paused.ns5") as ns:
    ...     report = nv.write_bin(ns, "filled.bin", kind="neural", gaps="fill", fill="hold")
    >>> report.n_samples, report.n_filled
    (75, 15)
    """
    if follow and not isinstance(ns, NsxFile):
        raise ValueError("expected, with follow, one file, found several instruments: follow each on its own")
    if not follow and (timeout_s, stop) != (None, None):
        raise ValueError("expected timeout_s and stop with follow=True: without it the export ends by itself")
    recording = _as_one_recording(ns, gaps == "fill")
    span = requested_ticks(recording, start_tick, stop_tick, start_s, stop_s)
    options = checked_options(PlanOptions(*span, gaps, fill, max_fill, resample, sort), recording.dtype)
    options = options._replace(sort=options.sort or isinstance(recording, CombinedInstruments))  # they are on a grid
    columns = recording.columns(channels, electrodes, labels, kind, exclude)
    if columns.size == 0:
        raise ValueError(f"expected at least one channel, found none; {recording.path} has {recording.n_channels}")
    follow_options = FollowOptions(poll_s, timeout_s, stop) if follow else None
    export = partial(_export, os.fspath(path), columns, options, overwrite, progress, follow_options)
    recording = recording.fully_scanned() if options.sort else recording
    while True:
        try:
            return export(recording)
        except FullScanNeeded:  # noqa: PERF203 - seen while streaming: no file has its name yet, and it is rare
            recording = recording.fully_scanned()


def _as_one_recording(ns: Continuous | Iterable[NsxFile], of_any: bool) -> Continuous:
    """A file as it is; several instruments' files as one recording."""
    if isinstance(ns, NsxFile):
        return ns
    several = ns if isinstance(ns, CombinedInstruments) else combine_instruments(ns)
    return several.arranged(of_any)


def _export(
    path: str,
    columns: NDArray[np.intp],
    options: PlanOptions,
    overwrite: bool,
    progress: Progress | None,
    follow: FollowOptions | None,
    ns: Continuous,
) -> BinReport:
    inputs = files_of(ns)
    growing = GrowingRows(inputs[0], options, follow) if follow else None
    sources = [file._source for file in inputs]
    check_not_shrunk(sources)
    plan = growing or plan_rows(ns, options)
    if isinstance(ns, CombinedInstruments) and options.gaps == "fill":
        ns.check_fill(plan.files[""], options.max_fill)
    stem, suffix = os.path.splitext(path)
    files = [bin_file(ns, stem + part + suffix, columns, rows) for part, rows in plan.files.items()]
    job = ExportJob(ns, columns, options, plan, progress)
    outputs = bin_outputs(path, files, ns.has_sample_timestamps, overwrite, sources)
    with outputs as created, nullcontext() if growing else raise_if_changed(sources):
        files = [job.write(file, created) for file in files]
    if job.n_out_of_order and not options.sort:
        message = f"{job.n_out_of_order} samples are out of order; sort=True (--sort) sorts them"
        warnings.warn(f"{ns.path}: {message}", DamagedFile, stacklevel=3)
    rows = [part for file in files for part in file.rows]
    changes = ns.changes(rows, options.start_tick, options.stop_tick) if isinstance(ns, CombinedInstruments) else []
    of_rows = count_changes(rows)
    return BinReport(
        **vars(files[0]) | {"n_samples": sum(file.n_samples for file in files)},
        files=tuple(files),
        n_filled=of_rows.n_filled + sum(of_one.n_filled for of_one in changes),
        n_dropped=of_rows.n_dropped + sum(of_one.n_dropped for of_one in changes),
        n_repeated=of_rows.n_repeated + sum(of_one.n_repeated for of_one in changes),
        n_out_of_order=job.n_out_of_order,
        instruments=tuple(changes),
    )
