# SPDX-License-Identifier: MIT
"""When each row of an export was recorded, and which row was recorded at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import Clock, SegmentSpan, TickIntervals, last_not_after
from ..format.numbers import clock_tick, integer_array, tick_values

NO_ROW = -1


class RowTimes:
    """Rows as ticks of the recording's clock, and ticks as rows.

    `ranges` are as in a sidecar: `segment` (None where rows were filled), `start_row`, `stop_row`, `start_sample`, and
    `anchors`: pairs of a row and its tick, from which time goes on at the nominal rate. Where each row has a timestamp
    of its own, `row_ticks` gives them.
    """

    def __init__(
        self,
        clock: Clock,
        n_rows: int,
        ranges: Sequence[Mapping[str, Any]],
        row_ticks: Callable[[], NDArray[np.int64]] | None,
    ) -> None:
        self._clock, self._n_rows, self._ranges, self._row_ticks = clock, n_rows, ranges, row_ticks
        anchors = [(*anchor, item["start_row"], item["segment"]) for item in ranges for anchor in item["anchors"]]
        rows, ticks, start_rows, segments = zip(*anchors, strict=True)
        self._anchor_rows, self._anchor_ticks = np.array(rows, np.int64), np.array(ticks, np.int64)
        self._starts = np.maximum(self._anchor_rows, start_rows)  # an anchor may be before its first row
        self._stops = np.append(self._starts[1:], n_rows)
        spans, ends = zip(*self._recorded(segments), strict=True)
        self._intervals, self._n_spans = TickIntervals(spans, ends), len(spans)

    def _recorded(self, segments: Sequence[int | None]) -> Iterator[tuple[SegmentSpan, int]]:
        """Anchors of rows that were recorded without a gap, and the first tick after them."""
        stop = 0
        for segment, anchors in groupby(segments):
            first, stop = stop, stop + sum(1 for _ in anchors)
            if segment is None:
                continue
            start_row, stop_row = int(self._starts[first]), int(self._stops[stop - 1])
            if self._row_ticks is None:
                end = self._clock.end(int(self._anchor_ticks[stop - 1]), stop_row - int(self._anchor_rows[stop - 1]))
            else:
                end = self._clock.end(int(self._row_ticks()[stop_row - 1]), 1)
            yield SegmentSpan(first, stop, int(self.row_to_tick(start_row)), stop_row - start_row), end

    def row_to_tick(self, rows: ArrayLike) -> NDArray[np.int64]:
        """Timestamps of rows, in the recording's clock.

        Parameters
        ----------
        rows : array_like of int
            Such as the ``spike_times`` of a sorter.

        Returns
        -------
        numpy.ndarray
            int64, of the shape of `rows`. A row that was filled has the time it stands for.

        Raises
        ------
        ValueError
            Where a row is not in the file.
        """
        wanted = integer_array(rows, "rows")
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < self._n_rows):
            raise ValueError(f"expected rows 0 to {self._n_rows - 1}, found {wanted.min()} to {wanted.max()}")
        if self._row_ticks is not None:
            return np.asarray(self._row_ticks()[wanted])
        anchor = np.searchsorted(self._starts, wanted, "right") - 1
        elapsed = self._clock.duration_ticks(wanted - self._anchor_rows[anchor])
        return np.asarray(self._anchor_ticks[anchor] + elapsed)

    def tick_to_row(self, ticks: ArrayLike) -> NDArray[np.int64]:
        """Rows that were recorded at given times.

        Parameters
        ----------
        ticks : array_like of int
            Times in the recording's clock.

        Returns
        -------
        numpy.ndarray
            int64, of the shape of `ticks`: the row whose sample period contains the time, -1 where none was recorded
            (a pause, a filled row). Where a time occurs twice, in the segment that starts last before it.
        """
        wanted = tick_values(ticks)
        _, is_recorded, first, stop = self._intervals.find(wanted, np.arange(self._n_spans))
        if self._row_ticks is None:
            anchor = last_not_after(self._anchor_ticks, wanted, first, stop)
            rows = self._anchor_rows[anchor] + self._clock.samples(wanted, self._anchor_ticks[anchor])
        else:
            anchor = stop - 1
            rows = last_not_after(self._row_ticks(), wanted, self._starts[first], self._stops[anchor])
        return np.where(is_recorded, np.minimum(rows, self._stops[anchor] - 1), NO_ROW)

    def sample_to_row(self, segment: ArrayLike, sample: ArrayLike) -> NDArray[np.int64]:
        """Rows of samples of the recording's segments, int64; -1 for those that were not exported.

        A sample that was repeated to keep the nominal rate has its first row.
        """
        segments, samples = integer_array(segment, "segments"), integer_array(sample, "samples")
        rows = np.full(segments.shape, NO_ROW, np.int64)
        for item in reversed([item for item in self._ranges if item["segment"] is not None]):
            row = item["start_row"] + samples - item["start_sample"]
            inside = (segments == item["segment"]) & (row >= item["start_row"]) & (row < item["stop_row"])
            rows[inside] = row[inside]
        return rows

    def seconds(self, rows: ArrayLike, *, origin_tick: int = 0) -> NDArray[np.float64]:
        """Times of rows in seconds after `origin_tick` of the recording's clock, float64."""
        return np.asarray((self.row_to_tick(rows) - clock_tick(origin_tick, "origin_tick")) / self._clock.tick_rate)
