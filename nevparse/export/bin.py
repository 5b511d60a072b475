# SPDX-License-Identifier: MIT
"""A flat ``.bin`` of chosen channels, as spike sorters read it, and a ``.bin.json`` beside it that describes it.

The export is planned, and refused if it has to be, before the first byte is written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DamagedFile, Progress, warn
from ..format.text import counts_text
from ..nsx.file import NsxFile, open_nsx
from ..nsx.packets import FullScanNeeded
from ..recording.instruments import CombinedInstruments, InstrumentChanges, combine_instruments
from ..source.growth import POLL_S, FollowOptions
from ..traces.plan import PlanOptions
from ..traces.row_times import NO_ROW
from ..traces.selection import TraceSelection, takes
from ..traces.traces import Continuous, Traces, choose, plan_traces, sum_changes
from .inputs import check_not_shrunk, raise_if_changed
from .job import BinFile, ExportJob, bin_file, bin_outputs
from .live import GrowingRows
from .paths import takes_paths
from .sidecar import read_sidecar

if TYPE_CHECKING:
    from ..recording.recording import Recording
    from ..traces.selection import Unpack

Plan = Callable[[Continuous], Mapping[str, Traces | GrowingRows]]  # what to write of a recording, by suffix


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
        changes = counts_text(counts)
        return [*map(str, self.files), *([changes] if changes else []), *map(str, self.instruments)]

    def spike_rows(
        self, recording: Recording, ticks: ArrayLike, *, packets: ArrayLike | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The file of `files`, and the row in it, of times of the recording's NEV: `Sidecar.spike_rows` of each.

        Parameters
        ----------
        recording, ticks, packets : Recording, array_like of int, and array_like of int, optional
            As there.

        Returns
        -------
        file, row : numpy.ndarray
            intp and int64, of the shape of `ticks`; -1 and -1 where no row was recorded then.
        """
        numbers = rows = np.full(np.shape(ticks), NO_ROW, np.int64)
        for number, file in reversed(list(enumerate(self.files))):  # of two that hold a time the later one is meant
            with read_sidecar(file.sidecar_path) as described:
                found = described.spike_rows(recording, ticks, packets=packets)
            is_new = (found >= 0) & (rows < 0)
            numbers, rows = np.where(is_new, number, numbers), np.where(is_new, found, rows)
        return numbers.astype(np.intp), rows


@takes_paths(open_nsx)
@takes(TraceSelection)
def write_bin(
    x: Traces | Continuous | Iterable[NsxFile],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    follow: bool = False,
    poll_s: float = POLL_S,
    timeout_s: float | None = None,
    stop: Callable[[], bool] | None = None,
    **selection: Unpack[TraceSelection],
) -> BinReport:
    """Write chosen channels of a recording to a flat binary file, and a ``.bin.json`` that describes it.

    Samples are written as they were recorded: same type, no scaling. From one file, no sample is added, dropped or
    moved unless an option asks for it, and then the sidecar says where. Several instruments are aligned to one clock,
    which can drop or repeat samples; the sidecar counts them.

    Parameters
    ----------
    x : Traces, NsxFile or iterable of NsxFile
        The traces; or the recording, of which ``write_bin(ns, path, **selection)`` writes
        ``ns.traces(**selection)``; or the same-numbered files of several instruments, which become one wide ``.bin``,
        each sample in the row nearest to its time on their common clock.
    path : str or os.PathLike
        The ``.bin`` to write. The sidecar has its whole name and ``.json``; where every sample has a timestamp of
        its own, they go to its whole name and ``.ticks`` (little-endian int64, one for each row).
    channels, electrodes, labels, kind, exclude, start_tick, stop_tick, start_s, stop_s : optional
        What to write of a recording, as in `NsxFile.traces`.
    gaps, fill, max_fill, resample, sort : optional
        How, as there; ``gaps="split"`` writes one file for each segment, named ``-000``, ``-001`` and so on.
    overwrite : bool
        Replace files of the same names. A recording is never replaced.
    progress : callable, optional
        Called with (rows done, rows in all) after each step, and with `follow` before each poll too. What it raises
        cancels the export, comes back from it, and nothing is left.
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
    plan: Plan
    if not follow and (timeout_s, stop) != (None, None):
        advice = "without it the export ends by itself, and what progress raises cancels it"
        raise ValueError(f"expected timeout_s and stop with follow=True: {advice}")
    if isinstance(x, Traces):
        check_nothing_chosen({**selection, "follow": follow or None})
        ns, plan = x.recording, partial(_planned_anew, x)
    elif follow:
        if not isinstance(x, NsxFile):
            raise ValueError("expected, with follow, one file, found several instruments: follow each on its own")
        ns = x.fully_scanned() if selection.get("sort") else x
        progress, stop = _show_each_poll(progress, stop)
        plan = partial(_growing, FollowOptions(poll_s, timeout_s, stop), selection)
    else:
        ns, plan = as_one_recording(x), partial(plan_traces, selection, is_checked=True)
    while True:
        try:
            return _export(os.fspath(path), ns, plan, overwrite, progress)
        except FullScanNeeded:  # noqa: PERF203 - seen while streaming: no file has its name yet, and it is rare
            ns = ns.fully_scanned()


def as_one_recording(x: Continuous | Iterable[NsxFile]) -> Continuous:
    """A recording as it is, or several instruments side by side; of one instrument its file."""
    ns = x if isinstance(x, Continuous) else combine_instruments(x)
    return ns.files[0] if isinstance(ns, CombinedInstruments) and len(ns.files) == 1 else ns


def check_nothing_chosen(selection: Mapping[str, Any]) -> None:
    """Raise a ValueError where something is to be chosen of traces, which are what was chosen."""
    defaults = PlanOptions._field_defaults
    chosen = [k for k, value in selection.items() if isinstance(value, np.ndarray) or value != defaults.get(k)]
    if chosen:
        advice = "give it to traces(), or use rows() and select()"
        raise ValueError(f"expected traces and nothing to choose of them, found {', '.join(chosen)}: {advice}")


def _show_each_poll(
    progress: Progress | None, stop: Callable[[], bool] | None
) -> tuple[Progress | None, Callable[[], bool] | None]:
    """Have `progress` called before each poll too, so that it can cancel while nothing is recorded."""
    if progress is None:
        return None, stop
    newest = 0, 0

    def show(done: int, total: int) -> None:
        nonlocal newest
        newest = done, total
        progress(done, total)

    def show_and_ask() -> bool:
        progress(*newest)
        return stop is not None and stop()

    return show, show_and_ask


def _planned_anew(x: Traces, ns: Continuous) -> dict[str, Traces]:
    """Traces as they are, or where probing had missed a break as every timestamp of the recording shows them."""
    return {"": x if ns is x.recording else x.of(ns)}


def _growing(follow: FollowOptions, selection: TraceSelection, ns: Any) -> dict[str, GrowingRows]:
    ns, columns, options = choose(ns, selection)
    return {"": GrowingRows(ns, columns, options, follow)}


def _export(path: str, ns: Continuous, plan: Plan, overwrite: bool, progress: Progress | None) -> BinReport:
    states = check_not_shrunk(ns.sources)
    exported = plan(ns)
    stem, kind = os.path.splitext(path)
    targets = {stem + suffix + kind: x for suffix, x in exported.items()}
    files = [bin_file(x.traces, target) for target, x in targets.items()]
    job = ExportJob(list(targets.values()), progress)
    is_growing = any(isinstance(x, GrowingRows) for x in exported.values())
    with (
        bin_outputs(path, files, ns.has_sample_timestamps, overwrite, ns.sources) as created,
        nullcontext() if is_growing else raise_if_changed(states),
    ):
        files = [job.write(x, target, created) for target, x in targets.items()]
    traces = [x.traces for x in exported.values()]
    options = traces[0].options
    if job.n_out_of_order and not options.sort:
        message = f"{job.n_out_of_order} samples are out of order; sort=True (--sort) sorts them"
        warn(f"{ns.path}: {message}", DamagedFile)
    rows = [part for x in traces for part in x.planned_rows]
    return BinReport(
        **vars(files[0]) | {"n_samples": sum(file.n_samples for file in files)},
        files=tuple(files),
        **sum_changes(x.changes for x in traces)._asdict(),
        n_out_of_order=job.n_out_of_order,
        instruments=tuple(traces[0].recording.changes(rows, options.start_tick, options.stop_tick)),
    )
