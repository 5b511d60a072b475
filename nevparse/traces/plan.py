# SPDX-License-Identifier: MIT
"""Which rows of an export come from which samples: decided, and refused, before a byte is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock, Gap
from ..errors import GapError
from ..format.text import size_text
from .protocols import SegmentLike

POLICIES = ("error", "split", "join", "fill")
_LISTED_GAPS = 5
_STRAY = 0.6  # of a sample: how far a row may be off before it is moved; over a half, so jitter moves none
_RESAMPLED_ROWS = 1 << 16
_TURN = 1 << 64


class SampleRows(NamedTuple):
    """Rows from `row` on are samples `start` and on of a segment."""

    row: int
    n_rows: int
    segment: int
    start: int


class FilledRows(NamedTuple):
    """Rows from `row` on stand for samples that were never recorded; `tick` is the first one's time."""

    row: int
    n_rows: int
    tick: int


PlanRow = SampleRows | FilledRows


class Corrections(NamedTuple):
    """Samples left out and repeated to keep the nominal rate."""

    dropped: int = 0
    repeated: int = 0


def select_samples(segments: Sequence[SegmentLike], start_tick: int | None, stop_tick: int | None) -> list[SampleRows]:
    """The samples of each segment whose timestamps are in a half-open range, back to back."""
    spans: list[SampleRows] = []
    row = 0
    for segment in segments:
        start = 0 if start_tick is None else segment.find(start_tick)
        stop = segment.n_samples if stop_tick is None else segment.find(stop_tick)
        if start < stop:
            spans.append(SampleRows(row, stop - start, segment.index, start))
            row += stop - start
    return spans


def raise_no_samples(segments: Sequence[SegmentLike], start_tick: int | None, stop_tick: int | None) -> None:
    """Raise since no sample is in a range."""
    raise ValueError(f"expected ticks that hold samples ({_ticks_text(segments)}), found {start_tick} to {stop_tick}")


def _ticks_text(segments: Sequence[SegmentLike]) -> str:
    if not segments:
        return "the file has none"
    ends = [f"{s.start_tick} to {s.ticks(s.n_samples - 1)[0]}" for s in segments[:_LISTED_GAPS]]
    more = len(segments) - len(ends)
    return ", ".join(ends) + (f" and {more} more segments" if more > 0 else "")


def gaps_between(gaps: Sequence[Gap], spans: Sequence[SampleRows]) -> list[Gap]:
    """The gaps that stand between some of the file's segments."""
    inside = {span.segment for span in spans[:-1]}
    return [gap for gap in gaps if gap.after_segment in inside] if inside else []


def raise_gap_error(path: str, gaps: Sequence[Gap], what: str, instead: str) -> None:
    """Raise a GapError that lists the gaps and names what resolves them, if there are any."""
    if gaps:
        listed = "; ".join(str(gap) for gap in gaps[:_LISTED_GAPS])
        more = f"; and {len(gaps) - _LISTED_GAPS} more" if len(gaps) > _LISTED_GAPS else ""
        raise GapError(f"{path}: {what}: {listed}{more}. {instead}", gaps)


def resample_to_nominal(
    span: SampleRows, segment: SegmentLike, clock: Clock, sort: bool, origin_tick: int | None = None
) -> tuple[list[SampleRows], Corrections]:
    """The samples of a span on an even grid at the nominal rate: each row is the nearest sample.

    Where the recorder's clock has run ahead or behind by more than 0.6 of a sample, one is left out or repeated. The
    first row's time is `origin_tick`; that of the first sample where it is not given.
    """
    spans: list[SampleRows] = []
    shift = dropped = repeated = 0
    begin, end = span.start, span.start + span.n_rows
    origin = int(segment.ticks(begin, begin + 1, sort=sort)[0]) if origin_tick is None else origin_tick
    for a in range(begin, end, _RESAMPLED_ROWS):
        b = min(a + _RESAMPLED_ROWS, end)
        late = _lateness(segment.ticks(a, b, sort=sort), origin, a - span.start, clock)
        at = 0
        while (at := _next_stray(late, shift, at)) < b - a:
            if late[at] > shift:  # time has gone on by one sample more: the one before stands for it
                spans += [
                    SampleRows(0, a + at - begin, span.segment, begin),
                    SampleRows(0, 1, span.segment, a + at - 1),
                ]
                begin, shift, repeated = a + at, shift + 1, repeated + 1
            else:
                spans.append(SampleRows(0, a + at - begin, span.segment, begin))
                begin, shift, dropped, at = a + at + 1, shift - 1, dropped + 1, at + 1
    spans.append(SampleRows(0, end - begin, span.segment, begin))
    return [part for part in spans if part.n_rows], Corrections(dropped, repeated)


def _lateness(ticks: NDArray[np.uint64], origin: int, first: int, clock: Clock) -> NDArray[np.float64]:
    """By how many samples each timestamp is later than its place at the nominal rate."""
    elapsed = (ticks - np.uint64(origin % _TURN)).astype(np.int64)  # rounding may put it beside the 64 bits
    late: NDArray[np.float64] = elapsed * (clock.den / clock.num) - np.arange(first, first + ticks.size)
    return late


def _next_stray(late: NDArray[np.float64], shift: int, at: int) -> int:
    stray = np.flatnonzero(np.abs(late[at:] - shift) > _STRAY)
    return at + int(stray[0]) if stray.size else late.size


def missing_rows(gaps: Sequence[Gap]) -> list[int]:
    """Rows that would fill each gap; what rounding leaves over is carried on to the next one."""
    exact, n_before, rows = 0.0, 0, []
    for gap in gaps:
        exact += gap.missing_samples_exact
        rows.append(round(exact) - n_before)
        n_before += rows[-1]
    return rows


def check_fill(path: str, n_filled: int, n_recorded: int, max_fill: float, row_bytes: int, gaps: Sequence[Gap]) -> None:
    """Raise a GapError where more would be filled than is allowed for what was recorded."""
    if n_filled > max_fill * n_recorded:
        size = f"{n_filled} rows ({size_text(n_filled * row_bytes)} for all channels) would be filled"
        allow = "allow it with max_fill (--max-fill), or use gaps='split'"
        raise GapError(f"{path}: {size} for {n_recorded} recorded; {allow}", gaps)


def nearest_row(ticks: int, clock: Clock) -> int:
    """The row of an even grid nearest to `ticks` after its first."""
    return (2 * ticks * clock.den + clock.num) // (2 * clock.num)


def fill_on_grid(start_ticks: Sequence[int], groups: Sequence[Sequence[SampleRows]], clock: Clock) -> list[int]:
    """Rows that put every group where its first timestamp belongs on one even grid."""
    rows, row = [], 0
    for k, start_tick in enumerate(start_ticks):
        if k:
            rows.append(max(0, nearest_row(start_tick - start_ticks[0], clock) - row))
            row += rows[-1]
        row += sum(span.n_rows for span in groups[k])
    return rows


def assign_rows(groups: Sequence[Sequence[SampleRows]], fills: Sequence[int], ticks: Sequence[int]) -> list[PlanRow]:
    """Give every span its row.

    Parameters
    ----------
    groups : sequence of sequence of Span
        What each segment contributes.
    fills, ticks : sequence of int
        Rows to fill behind each group but the last, and the time of the first one.
    """
    rows: list[PlanRow] = []
    row = 0
    for k, group in enumerate(groups):
        for span in group:
            rows.append(span._replace(row=row))
            row += span.n_rows
        if k < len(fills) and fills[k] > 0:
            rows.append(FilledRows(row, fills[k], ticks[k]))
            row += fills[k]
    return rows


def rows_between(rows: Sequence[PlanRow], begin: int, end: int, clock: Clock) -> list[PlanRow]:
    """Rows `begin` to `end` of a plan."""
    found: list[PlanRow] = []
    for item in rows:
        a, b = max(item.row, begin), min(item.row + item.n_rows, end)
        before = a - item.row
        if a >= b:
            continue
        if isinstance(item, FilledRows):
            found.append(FilledRows(a, b - a, int(clock.ticks(item.tick, before, before + 1)[0])))
        else:
            found.append(SampleRows(a, b - a, item.segment, item.start + before))
    return found


def count_rows(rows: Sequence[PlanRow]) -> int:
    """How many rows a plan has."""
    return rows[-1].row + rows[-1].n_rows if rows else 0
