# SPDX-License-Identifier: MIT
"""The export of a file that is being recorded, row by row as it grows, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from ..clock import Gap
from ..errors import GapError
from ..nsx.file import NsxFile
from ..nsx.packets import HiddenGap
from ..source.growth import FollowOptions, poll_growth
from ..traces.extents import Extent
from ..traces.packing import FLUSH, FillRows
from ..traces.plan import PlanRow, SampleRows, count_rows, rows_between
from .job import BinFile, FileJob, TimestampWriter


def poll_until(ns: NsxFile, how: FollowOptions, stop_tick: int | None) -> Iterator[int]:
    """Look at a file again and again, until it has passed a time; yields how many samples came each time."""

    def ended() -> bool:
        return (how.stop is not None and how.stop()) or (stop_tick is not None and _passed(ns, stop_tick))

    return poll_growth(ns.refresh, lambda: ns.n_samples, how._replace(stop=ended))


def _passed(ns: NsxFile, tick: int) -> bool:
    """Whether a sample has come that is not before a time, and is settled."""
    if not ns.segments:
        return False
    last = ns.segments[-1]
    at = last.n_samples - 1 - (ns.n_samples - ns.n_final)
    return at >= 0 and int(last.ticks(at, at + 1)[0]) >= tick


def wait_for_first_samples(ns: NsxFile, looks: Iterator[int]) -> None:
    """Wait until a file holds enough to tell how its samples are framed, which is two of them."""
    while ns.n_samples < 2 and next(looks, None) is not None:
        pass


class FollowJob(FileJob):
    """The streaming of a recording's file that grows meanwhile.

    Parameters
    ----------
    looks : iterator
        Each step is a look at the file; it is exported to its end when they end.
    plan : callable
        The rows of what there is of it.
    ns : NsxFile
        The file. All else is as in `FileJob`.
    """

    known_ahead = False

    def __init__(self, looks: Iterator[int], plan: Callable[[], Sequence[PlanRow]], ns: NsxFile, *more: Any) -> None:
        super().__init__(ns, *more)
        self._growing, self._looks, self._plan = ns, looks, plan
        self._rows: Sequence[PlanRow] = ()

    def _items(self, rows: Sequence[PlanRow], log: TimestampWriter | None) -> Iterator[Extent | FillRows]:  # noqa: ARG002 - grow
        done = 0
        for _ in self._looks:
            self._look(log)
            settled = self._n_settled_rows()
            yield from super()._items(rows_between(self._rows, done, settled, self._ns.clock), log)
            yield FLUSH
            done = max(done, settled)
        self._look(log, is_last=True)
        yield from super()._items(rows_between(self._rows, done, self.n_rows, self._ns.clock), log)

    def _look(self, log: TimestampWriter | None, is_last: bool = False) -> None:
        if (log is not None) != self._ns.has_sample_timestamps:
            raise HiddenGap  # what looked like packets were short blocks
        try:
            self._rows = self._plan()
        except GapError as error:  # too little was recorded as yet for what is to be filled: it waits
            if is_last or any(gap.missing_samples < 0 and self._is_settled(gap) for gap in error.gaps):
                raise
        self.n_rows = count_rows(self._rows)
        if is_last and not self.n_rows:
            raise ValueError(f"{self._ns.path}: expected samples to export, found none when it ended")
        if log is not None:
            log.timestamp_check.continue_from(self._ns.timestamp_check())

    def _is_settled(self, gap: Gap) -> bool:
        before = self._ns.segments[: gap.after_segment + 1]
        return sum(segment.n_samples for segment in before) <= self._growing.n_final

    def _n_settled_rows(self) -> int:
        """Rows that stay what they are whatever is still to be recorded."""
        firsts = [0, *accumulate(segment.n_samples for segment in self._ns.segments)]
        n_rows = 0
        for item in self._rows:
            if isinstance(item, SampleRows):
                n_settled = self._growing.n_final - firsts[item.segment] - item.start
                if n_settled <= 0:
                    break
                n_rows = item.row + min(item.n_rows, n_settled)
        return n_rows

    def _as_written(self, file: BinFile) -> BinFile:
        return replace(file, rows=tuple(self._rows), n_samples=self.n_rows)
