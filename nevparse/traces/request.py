# SPDX-License-Identifier: MIT
"""What a caller of `write_bin` asked for, and the rows of each file that it comes to."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..clock import Gap
from ..source.growth import FollowOptions
from . import plan
from .plan import Corrections, PlanRow, SampleRows
from .protocols import Plannable

HOLD = "hold"
NOMINAL = "nominal"
Progress = Callable[[int, int], None]


class ExportRequest(NamedTuple):
    """What a caller of `write_bin` asked for."""

    path: str
    columns: tuple[Any, ...]
    start_tick: int | None
    stop_tick: int | None
    gaps: str
    fill: float | str
    max_fill: float
    resample: str | None
    sort: bool
    overwrite: bool
    progress: Progress | None
    follow: FollowOptions | None


def check_options(request: ExportRequest, dtype: np.dtype[Any]) -> None:
    """Raise where a word is not one of those there are, or two of them contradict each other."""
    gaps, fill, resample = request.gaps, request.fill, request.resample
    if gaps not in plan.POLICIES:
        raise ValueError(f"expected gaps to be one of {', '.join(plan.POLICIES)}, found {gaps!r}")
    if resample not in (None, NOMINAL):
        raise ValueError(f"expected resample to be None or {NOMINAL!r}, found {resample!r}")
    if fill != HOLD:
        fill_row(fill, 1, dtype)
    if request.follow and (gaps not in ("join", "fill") or resample):
        expected = (
            "gaps='join' or 'fill' (--gaps), since nobody can be asked when the recording pauses, and no resample"
        )
        raise ValueError(f"expected, with follow, {expected}; found gaps={gaps!r}, resample={resample!r}")


def fill_row(fill: float | str, n_columns: int, dtype: np.dtype[Any]) -> bytes | None:
    """The row that fills; None where the one before is repeated."""
    if fill == HOLD:
        return None
    limits = np.iinfo(dtype) if dtype.kind == "i" else None
    if isinstance(fill, str) or (limits and not (limits.min <= fill <= limits.max and fill == int(fill))):
        raise ValueError(f"expected fill to be {HOLD!r} or a value of {dtype.name}, found {fill!r}")
    return np.full(n_columns, fill, dtype).tobytes()


def plan_files(ns: Plannable, request: ExportRequest) -> tuple[list[tuple[str, list[PlanRow]]], Corrections]:
    """The rows of each file to write."""
    spans = plan.select_samples(ns.segments, request.start_tick, request.stop_tick)
    if not spans and not request.follow:
        plan.raise_no_samples(ns.segments, request.start_tick, request.stop_tick)
    gaps = plan.gaps_between(ns.gaps, spans)
    if request.gaps == "error":
        what = f"time is broken {len(gaps)} time{'s' if len(gaps) > 1 else ''} in what was asked for"
        instead = "Use gaps='split', 'join' or 'fill' (--gaps), or choose one stretch by time (--start, --stop)."
        plan.raise_gap_error(ns.path, gaps, what, instead)
    groups, corrections = _resample_each(ns, spans, request)
    if request.gaps == "split":
        stem, suffix = os.path.splitext(request.path)
        return [
            (f"{stem}-{group[0].segment:03d}{suffix}", plan.assign_rows([group], [], [])) for group in groups
        ], corrections
    fills: list[int] = []
    if request.gaps == "fill":
        fills = _rows_to_fill(ns, spans, gaps, groups, request)
    ticks = [ns.segments[span.segment].stop_tick for span in spans]
    return [(request.path, plan.assign_rows(groups, fills, ticks))], corrections


def _resample_each(
    ns: Plannable, spans: Sequence[SampleRows], request: ExportRequest
) -> tuple[list[list[SampleRows]], Corrections]:
    if request.resample is None or not ns.has_sample_timestamps:
        return [[span] for span in spans], Corrections()
    both = [plan.resample_to_nominal(span, ns.segments[span.segment], ns.clock, request.sort) for span in spans]
    dropped, repeated = (sum(counts) for counts in zip(*(made for _, made in both), strict=True))
    return [group for group, _ in both], Corrections(dropped, repeated)


def _rows_to_fill(
    ns: Plannable,
    spans: Sequence[SampleRows],
    gaps: Sequence[Gap],
    groups: Sequence[Sequence[SampleRows]],
    request: ExportRequest,
) -> list[int]:
    backwards = [gap for gap in gaps if gap.missing_samples < 0]
    plan.raise_gap_error(
        ns.path, backwards, "time goes backwards, which cannot be filled", "Use gaps='split' (--gaps split)."
    )
    if request.resample and ns.has_sample_timestamps:
        starts = [int(ns.segments[span.segment].ticks(span.start, span.start + 1)[0]) for span in spans]
        fills = plan.fill_on_grid(starts, groups, ns.clock)
    else:
        fills = plan.missing_rows(gaps)
    recorded = sum(span.n_rows for span in spans)
    plan.check_fill(ns.path, sum(fills), recorded, request.max_fill, ns.n_channels * ns.dtype.itemsize, gaps)
    return fills
