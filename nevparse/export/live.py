# SPDX-License-Identifier: MIT
"""Plans the export of a file that is still being recorded: which rows no later sample can change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clock import Gap
from ..errors import GapError
from ..nsx.file import NsxFile
from ..nsx.packets import FullScanNeeded
from ..source.growth import FollowOptions, poll_growth
from ..traces.extents import Extent
from ..traces.packing import FLUSH, Batch, BatchReader, ColumnPacker, RowObserver, RowReader
from ..traces.plan import FilledRows, PlanOptions, PlanRow, SampleRows, count_rows, fill_row, plan_rows, rows_between
from ..traces.traces import PlannedRows, Traces

_SURE_SAMPLES = 2  # enough to show whether each has its own timestamp


class GrowingRows:
    """Polls a file, plans its rows each time, and yields those that later samples cannot change.

    The constructor waits for the first samples. When `follow` ends, the rows to the end of the file are final.
    """

    def __init__(self, ns: NsxFile, columns: NDArray[np.intp], options: PlanOptions, follow: FollowOptions) -> None:
        if options.gaps not in ("join", "fill") or options.resample:
            found = f"gaps={options.gaps!r}, resample={options.resample!r}"
            raise ValueError(f"expected, with follow, gaps='join' or 'fill' (--gaps) and no resample; found {found}")
        self._rows: list[PlanRow] = []
        self._ns, self._columns, self._options, self._follow = ns, columns, options, follow
        self._polls = poll_growth(ns.refresh, lambda: ns.n_samples, follow._replace(stop=self._is_over))
        while ns.n_samples < _SURE_SAMPLES and next(self._polls, None) is not None:
            pass
        self._has_sample_timestamps = ns.has_sample_timestamps

    @property
    def traces(self) -> Traces:
        """The newest rows."""
        return Traces(self._ns, self._columns, self._options, self._rows, self._ns.planned(self._rows), self._rows)

    def batches(self, observer: RowObserver | None) -> Iterator[Batch]:
        """Packed rows; those of each poll come before the next poll."""
        fill = fill_row(self._options.fill, self._columns.size, self._ns.dtype)
        packer = ColumnPacker(self._columns, self._ns.n_channels, self._ns.dtype)
        block = self._ns._version.block
        header_bytes = block.size if block is not None and self._has_sample_timestamps else 0
        return BatchReader(RowReader(packer, fill, observer, header_bytes)).batches(self._items(observer))

    def _items(self, observer: Any) -> Iterator[Extent | FilledRows]:
        n_done = 0
        for is_last in chain((False for _ in self._polls), [True]):
            self._update(is_last)
            n_final = count_rows(self._rows) if is_last else self._n_final()
            polled = rows_between(self._rows, n_done, n_final, self._ns.clock)
            n_done = max(n_done, n_final)
            if observer is not None:
                observer.check.use_breaks_of(self._ns.timestamp_check())
            yield from PlannedRows(self._ns.segments, polled, self._ns.n_channels).items(self._options.sort)
            yield FLUSH

    def _is_over(self) -> bool:
        """Whether the caller stops the export, or a final sample is at `stop_tick` or later."""
        if self._follow.stop is not None and self._follow.stop():
            return True
        if self._options.stop_tick is None or not self._ns.segments:
            return False
        last = self._ns.segments[-1]
        last_final = last.n_samples - 1 - (self._ns.n_samples - self._ns.n_final)
        return last_final >= 0 and int(last.ticks(last_final, last_final + 1)[0]) >= self._options.stop_tick

    def _update(self, is_last: bool) -> None:
        if self._ns.has_sample_timestamps != self._has_sample_timestamps:
            raise FullScanNeeded  # short blocks were taken for packets
        try:
            self._rows = plan_rows(self._ns, self._options, is_growing=True).files[""]
        except GapError as error:  # a gap may be too long to fill until more is recorded
            if is_last or any(gap.missing_samples < 0 and self._is_final(gap) for gap in error.gaps):
                raise
        if is_last and not self._rows:
            raise ValueError(f"{self._ns.path}: expected samples to export, found none when it ended")

    def _is_final(self, gap: Gap) -> bool:
        before = self._ns.segments[: gap.after_segment + 1]
        return sum(segment.n_samples for segment in before) <= self._ns.n_final

    def _n_final(self) -> int:
        firsts = [0, *accumulate(segment.n_samples for segment in self._ns.segments)]
        n_rows = 0
        for part in self._rows:
            if isinstance(part, SampleRows):
                n_final = self._ns.n_final - firsts[part.segment] - part.start
                if n_final <= 0:
                    break
                n_rows = part.row + min(part.n_rows, n_final)
        return n_rows
