# SPDX-License-Identifier: MIT
"""When each row of an export was recorded, and which row was recorded at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import LONGEST_GROUP, Clock, SegmentSpan, TickIntervals, last_nearby_not_after, last_not_after
from ..format.numbers import clock_tick, integer_array, tick_values

NO_ROW = -1


class RowTimes:
    """Rows as ticks of the recording's clock, and ticks as rows.

    `ranges` are as in a sidecar: `segment` (None where rows were filled), `start_row`, `stop_row`, `epoch`, and
    `anchors`: pairs of a row and its tick, from which time goes on at the nominal rate. Where each row has a timestamp
    of its own, `row_ticks` gives them, in order of time within each range if they are sorted.
    """

    def __init__(
        self,
        clock: Clock,
        n_rows: int,
        ranges: Sequence[Mapping[str, Any]],
        row_ticks: Callable[[], NDArray[np.int64]] | None,
        is_sorted: bool = False,
        zero_tick: int = 0,
    ) -> None:
        self.zero_tick = zero_tick
        self._clock, self._n_rows, self._row_ticks, self._is_sorted = clock, n_rows, row_ticks, is_sorted
        anchors = [(*anchor, item["start_row"], item["segment"]) for item in ranges for anchor in item["anchors"]]
        rows, ticks, start_rows, segments = zip(*anchors, strict=True)
        self._anchor_rows, self._anchor_ticks = np.array(rows, np.int64), np.array(ticks, np.int64)
        self._starts = np.maximum(self._anchor_rows, start_rows)  # an anchor may be before its first row
        self._stops = np.append(self._starts[1:], n_rows)
        self._start_ticks = self.row_to_tick(self._starts)
        recorded = list(self._recorded(segments))
        self._intervals = TickIntervals([span for span, _ in recorded], [end for _, end in recorded])
        epoch_of = {item["segment"]: int(item.get("epoch", 0)) for item in ranges}
        self._span_epochs = np.array([epoch_of[segment] for segment, _ in groupby(segments) if segment is not None])

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
                n_near = min(LONGEST_GROUP, stop_row - start_row)  # among them rows may be out of order
                end = self._clock.end(int(self._row_ticks()[stop_row - n_near : stop_row].max()), 1)
            start_tick = int(self.row_to_tick(range(start_row, min(stop_row, start_row + LONGEST_GROUP))).min())
            yield SegmentSpan(first, stop, start_tick, stop_row - start_row), end

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

    def tick_to_row(self, ticks: ArrayLike, *, epoch: int | None = None) -> NDArray[np.int64]:
        """Rows that were recorded at given times.

        Parameters
        ----------
        ticks : array_like of int
            Times in the recording's clock.
        epoch : int, optional
            Search only what was recorded between two settings of the clock, numbered as in the sidecar.

        Returns
        -------
        numpy.ndarray
            int64, of the shape of `ticks`: the row whose sample period contains the time, -1 where none was recorded
            (a pause, a filled row). Where a time occurs twice, in the segment that starts last before it.
        """
        wanted = tick_values(ticks)
        among = np.flatnonzero((self._span_epochs == epoch) | (epoch is None))
        if not among.size:
            return np.full(wanted.shape, NO_ROW, np.int64)
        _, is_recorded, first, stop = self._intervals.find(wanted, among)
        if self._row_ticks is None:
            anchor = last_not_after(self._start_ticks, wanted, first, stop)
            rows = self._anchor_rows[anchor] + self._clock.samples(wanted, self._anchor_ticks[anchor])
        else:
            anchor = stop - 1
            low, high = self._starts[first], self._stops[anchor]
            if self._is_sorted:
                rows = last_not_after(self._row_ticks(), wanted, low, high)
            else:
                rows = last_nearby_not_after(self._clock, self._row_ticks(), wanted, low, high)
        return np.where(is_recorded, np.minimum(rows, self._stops[anchor] - 1), NO_ROW)

    def seconds(self, rows: ArrayLike, *, origin_tick: int | None = None) -> NDArray[np.float64]:
        """Times of rows in seconds after `origin_tick` of the recording's clock, float64.

        The default is `zero_tick`: the recording's first sample.
        """
        origin = self.zero_tick if origin_tick is None else clock_tick(origin_tick, "origin_tick")
        return np.asarray((self.row_to_tick(rows) - origin) / self._clock.tick_rate)
