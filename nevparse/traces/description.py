# SPDX-License-Identifier: MIT
"""Says in plain values what the rows and columns of traces are: the content of a sidecar."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import isfinite
from typing import Any

from ..clock import epochs_of_segments, ticks_recorded
from .plan import FilledRows, PlanRow, SampleRows


def describe_traces(x: Any) -> dict[str, Any]:
    """What a sidecar says of traces, before anything is written."""
    ns, options, channels = x.recording, x.options, x.channels
    fill = options.fill
    return {
        "dtype": x.dtype.str,
        "shape": list(x.shape),
        "order": "C",
        "size_bytes": x.nbytes,
        "sampling_rate_hz": x.sampling_rate,
        "tick_rate_hz": ns.tick_rate,
        "zero_tick": ns.zero_tick,
        "ticks_per_sample": [ns.clock.num, ns.clock.den],
        "time_origin": ns.time_origin.isoformat() if ns.time_origin else None,
        "gaps": options.gaps,
        "fill": (fill if isinstance(fill, str) or isfinite(fill) else str(fill)) if options.gaps == "fill" else None,
        "resample": options.resample,
        "dropped_samples": x.changes.n_dropped,
        "repeated_samples": x.changes.n_repeated,
        "epochs": [list(ticks_recorded(ns.segments[epoch.start : epoch.stop])) for epoch in ns.epochs],
        "stretches": x.row_ranges(),
        "columns": x.columns.tolist(),
        "electrode_ids": [channel.electrode_id for channel in channels],
        "labels": [channel.label for channel in channels],
        "kinds": [channel.kind for channel in channels],
        "uv_per_bit": [_number(channel.uv_per_bit) for channel in channels],
        "uv_offset": [_number(channel.uv_offset) for channel in channels],
        "source": {
            "name": os.path.basename(ns.path),
            "size_bytes": ns.size_bytes,
            "spec": ns.spec,
            "vendor": ns.vendor,
            "missing_bytes": ns.missing_bytes,
        },
        "sorted": options.sort,
        **ns.describe_inputs(x.planned_rows, x.columns, x.instruments),
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None  # JSON has no NaN


def ranges_of_rows(ns: Any, rows: Sequence[PlanRow], sort: bool) -> Iterator[dict[str, Any]]:
    """Ranges of rows and their anchors, as `RowTimes` takes them.

    Where rows have timestamps of their own, a range is all that follows of a segment; else it ends where samples are
    dropped or repeated.
    """
    epochs = epochs_of_segments(ns.epochs, range(len(ns.segments)))
    for part in _joined_parts(rows) if ns.has_sample_timestamps else rows:
        described = {"start_row": part.row, "stop_row": part.row + part.n_rows}
        if isinstance(part, FilledRows):
            yield {"segment": None, **described, "anchors": [[part.row, part.tick]]}
            continue
        if ns.has_sample_timestamps:
            tick = ns.segments[part.segment].ticks(part.start, part.start + 1, sort=sort)[0]
            anchors = [[part.row, int(tick)]]
        else:
            anchors = list(_anchors(ns, part))
        described |= {"start_sample": part.start, "epoch": epochs[part.segment]}
        yield {"segment": part.segment, **described, "anchors": anchors}


def _joined_parts(rows: Sequence[PlanRow]) -> Iterator[PlanRow]:
    """Parts of one segment that follow each other as one, from the first one's first sample on."""
    for _, parts in groupby(rows, lambda part: part.segment if isinstance(part, SampleRows) else None):
        first, *others = parts
        yield first._replace(n_rows=sum((part.n_rows for part in others), first.n_rows))


def _anchors(ns: Any, part: SampleRows) -> Iterator[list[int]]:
    """A row and its tick for each block, from which rows count; the row is where the tick is exact."""
    segment, sample, row = ns.segments[part.segment], part.start, part.row
    for n_rows, n_before in segment.timestamped(sample, sample + part.n_rows):
        before = n_before % ns.clock.den
        tick = int(segment.ticks(sample, sample + 1)[0]) - before * ns.clock.num // ns.clock.den
        yield [row - before, tick]
        sample, row = sample + n_rows, row + n_rows
