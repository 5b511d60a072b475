# SPDX-License-Identifier: MIT
"""The ``.json`` beside a ``.bin``: what it holds, and the way from rows back to the recording's time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import Clock, SegmentSpan, TickIntervals, convert_ticks, last_not_after
from ..errors import FormatError
from ..format.channel import Channel
from ..recording.instruments import Continuous
from ..recording.recording import Recording
from ..traces.plan import Corrections, FilledRows, PlanRow, count_rows

SIDECAR_VERSION = 1
NO_ROW = -1


def names(path: str) -> tuple[str, str]:
    """Names of the sidecar and of the file of timestamps that go with a ``.bin``."""
    stem = os.path.splitext(path)[0]
    return stem + ".json", stem + ".ticks"


def describe(
    ns: Continuous,
    path: str,
    rows: Sequence[PlanRow],
    columns: NDArray[np.intp],
    sort: bool,
    policy: dict[str, Any],
) -> dict[str, Any]:
    """Everything a sidecar says that is known before the samples are read."""
    channels = [ns.channels[column] for column in columns]
    n_rows, clock = count_rows(rows), ns.clock
    return {
        "sidecar_version": SIDECAR_VERSION,
        "bin": os.path.basename(path),
        "dtype": ns.dtype.str,
        "shape": [n_rows, len(channels)],
        "order": "C",
        "size_bytes": n_rows * len(channels) * ns.dtype.itemsize,
        "sampling_rate_hz": ns.sampling_rate,
        "tick_rate_hz": ns.tick_rate,
        "ticks_per_sample": [clock.num, clock.den],
        "time_origin": ns.time_origin.isoformat() if ns.time_origin else None,
        **policy,
        "stretches": [_stretch(ns, item, sort) for item in rows],
        "ticks_file": os.path.basename(names(path)[1]) if ns.has_sample_timestamps else None,
        "columns": columns.tolist(),
        **_channel_facts(channels),
        "source": {
            "name": os.path.basename(ns.path),
            "size_bytes": ns.size_bytes,
            "spec": ns.spec,
            "vendor": ns.vendor,
            "missing_bytes": ns.missing_bytes,
        },
    }


def policy_facts(gaps: str, fill: str | float, resample: str | None, corrections: Corrections) -> dict[str, Any]:
    """What was asked to happen to time, and how often it did."""
    stated = fill if isinstance(fill, str) or isfinite(fill) else str(fill)  # JSON has no NaN
    return {
        "gaps": gaps,
        "fill": stated if gaps == "fill" else None,
        "resample": resample,
        "dropped_samples": corrections.dropped,
        "repeated_samples": corrections.repeated,
    }


def _stretch(ns: Continuous, item: PlanRow, sort: bool) -> dict[str, Any]:
    stop_row = item.row + item.n_rows
    if isinstance(item, FilledRows):
        return {"segment": None, "start_row": item.row, "stop_row": stop_row, "anchors": [[item.row, item.tick]]}
    segment = ns.segments[item.segment]
    first, row, anchors = item.start, item.row, []
    if ns.has_sample_timestamps:
        anchors = [[row, int(segment.ticks(first, first + 1, sort=sort)[0])]]
    else:
        for piece in segment.extents(first, first + item.n_rows):  # one for each block, which has its own timestamp
            into = piece.since % ns.clock.den  # back to a whole tick, if need be before the first row
            tick = int(segment.ticks(first, first + 1)[0]) - into * ns.clock.num // ns.clock.den
            anchors.append([row - into, tick])
            first, row = first + piece.n_rows, row + piece.n_rows
    return {
        "segment": item.segment,
        "start_row": item.row,
        "stop_row": stop_row,
        "start_sample": item.start,
        "anchors": anchors,
    }


def _channel_facts(channels: Sequence[Channel]) -> dict[str, Any]:
    return {
        "electrode_ids": [channel.electrode_id for channel in channels],
        "labels": [channel.label for channel in channels],
        "kinds": [channel.kind for channel in channels],
        "uv_per_bit": [_number(channel.uv_per_bit) for channel in channels],
        "uv_offset": [_number(channel.uv_offset) for channel in channels],
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


class Sidecar:
    """What `read_sidecar` gives.

    Attributes
    ----------
    path, bin_path : str
        The sidecar and the ``.bin`` it describes.
    facts : dict
        All that the sidecar says, as JSON has it.
    n_samples, n_channels : int
        Rows and columns.
    dtype : numpy.dtype
        Of one sample.
    sampling_rate : float
        Hz.
    tick_rate : int
        Hz of the recording's timestamps.
    """

    def __init__(self, path: str, facts: dict[str, Any]) -> None:
        folder = os.path.dirname(path)
        self.path, self.facts = path, facts
        self.bin_path = os.path.join(folder, facts["bin"])
        self.n_samples, self.n_channels = facts["shape"]
        self.dtype = np.dtype(facts["dtype"])
        self.sampling_rate, self.tick_rate = float(facts["sampling_rate_hz"]), int(facts["tick_rate_hz"])
        num, den = facts["ticks_per_sample"]
        self._clock = Clock(num, den, self.tick_rate)
        anchors = [(*anchor, item) for item in facts["stretches"] for anchor in item["anchors"]]
        rows, ticks, stretches = zip(*anchors, strict=True)
        self._rows, self._ticks = np.array(rows, np.int64), np.array(ticks, np.uint64)
        self._starts = np.maximum(self._rows, [item["start_row"] for item in stretches])
        self._stops = np.append(self._starts[1:], self.n_samples)
        ticks_file = facts["ticks_file"]
        self._stamps = np.memmap(os.path.join(folder, ticks_file), "<u8", "r") if ticks_file else None
        if self._stamps is not None and self._stamps.size != self.n_samples:
            raise ValueError(f"{self._stamps.size} timestamps of {self.n_samples} rows in {ticks_file}")
        runs, ends = zip(*self._runs(item["segment"] for item in stretches), strict=True)
        self._held, self._n_runs = TickIntervals(runs, ends), len(runs)

    def row_to_tick(self, rows: ArrayLike) -> NDArray[np.uint64]:
        """Timestamps, in the recording's clock, of rows of the ``.bin``.

        Parameters
        ----------
        rows : array_like of int
            Such as the ``spike_times`` of a sorter.

        Returns
        -------
        numpy.ndarray
            uint64, of the shape of `rows`. A row that was filled has the time it stands for.

        Raises
        ------
        ValueError
            Where a row is not in the file.
        """
        wanted = np.asarray(rows, np.int64)
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < self.n_samples):
            raise ValueError(f"expected rows 0 to {self.n_samples - 1}, found {wanted.min()} to {wanted.max()}")
        if self._stamps is not None:
            return np.asarray(self._stamps[wanted])
        anchor = np.searchsorted(self._starts, wanted, "right") - 1
        steps = self._clock.duration_ticks((wanted - self._rows[anchor]).astype(np.uint64))
        ticks: NDArray[np.uint64] = self._ticks[anchor] + steps
        return ticks

    def tick_to_row(self, ticks: ArrayLike) -> NDArray[np.int64]:
        """Rows of the ``.bin`` that times fall in.

        Parameters
        ----------
        ticks : array_like of int
            Times in the recording's clock.

        Returns
        -------
        numpy.ndarray
            int64, of the shape of `ticks`: the row whose sample period holds the time, -1 where none was recorded
            (a pause, a filled row). Where times occur twice, the stretch that starts last before it is meant.
        """
        wanted = np.asarray(ticks, np.uint64)
        _, held, first, stop = self._held.find(wanted, range(self._n_runs))
        if self._stamps is None:
            anchor = last_not_after(self._ticks, wanted, first, stop)
            rows = self._rows[anchor] + self._clock.samples(wanted, self._ticks[anchor])
        else:
            anchor = stop - 1
            rows = last_not_after(self._stamps, wanted, self._starts[first], self._stops[anchor])
        return np.where(held, np.minimum(rows, self._stops[anchor] - 1), NO_ROW)

    def spike_rows(
        self, recording: Recording, ticks: ArrayLike, *, packets: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Rows of the ``.bin`` that times of the recording's NEV fall in.

        Parameters
        ----------
        recording : Recording
            The recording that was exported.
        ticks : array_like of int
            Timestamps of the NEV, such as the ``tick`` of its spikes.
        packets : array_like of int, optional
            The packets they stand in, as in `Recording.locate`.

        Returns
        -------
        numpy.ndarray
            int64, of the shape of `ticks`; -1 where no row was recorded then.
        """
        nev = recording.require_nev()
        if packets is not None and nev.resets:
            file = recording.file_named(self.source_name)
            return self.sample_to_row(*recording.locate(ticks, file, packets=packets))
        return self.tick_to_row(convert_ticks(np.asarray(ticks, np.uint64), nev.tick_rate, self.tick_rate))

    @property
    def source_name(self) -> str:
        """Name of the recording's file."""
        return str(self.facts["source"]["name"])

    def sample_to_row(self, segment: ArrayLike, sample: ArrayLike) -> NDArray[np.int64]:
        """Rows of samples of the recording's segments, int64; -1 for those that were not exported.

        A sample that was repeated to keep the nominal rate has its first row.
        """
        segments, samples = np.asarray(segment), np.asarray(sample)
        rows = np.full(segments.shape, NO_ROW, np.int64)
        for item in reversed([item for item in self.facts["stretches"] if item["segment"] is not None]):
            first, n_rows = item["start_sample"], item["stop_row"] - item["start_row"]
            held = (segments == item["segment"]) & (samples >= first) & (samples < first + n_rows)
            rows[held] = item["start_row"] + samples[held] - first
        return rows

    def _runs(self, segments: Iterable[int | None]) -> Iterator[tuple[SegmentSpan, int]]:
        """Anchors ``first:stop`` of each unbroken stretch of rows that were recorded, and the tick it ends before."""
        stop = 0
        for segment, anchors in groupby(segments):
            first, stop = stop, stop + sum(1 for _ in anchors)
            if segment is None:
                continue
            row, last = int(self._starts[first]), int(self._stops[stop - 1]) - 1
            if self._stamps is None:
                end = self._clock.end(int(self._ticks[stop - 1]), last + 1 - int(self._rows[stop - 1]))
            else:
                end = self._clock.end(int(self._stamps[last]), 1)
            yield SegmentSpan(first, stop, int(self.row_to_tick(row)), last + 1 - row), end

    def seconds(self, rows: ArrayLike, *, origin_tick: int = 0) -> NDArray[np.float64]:
        """Times of rows in seconds after `origin_tick` of the recording's clock, float64."""
        after = (self.row_to_tick(rows) - np.uint64(origin_tick)).astype(np.int64)
        seconds: NDArray[np.float64] = after / self.tick_rate
        return seconds


def read_sidecar(path: str | os.PathLike[str]) -> Sidecar:
    """Read what an export wrote beside its ``.bin``.

    Parameters
    ----------
    path : str or os.PathLike
        The ``.json``, or the ``.bin`` it stands beside.

    Returns
    -------
    Sidecar
        Maps rows to ticks and back.

    Raises
    ------
    OSError
        Where it cannot be opened.
    FormatError
        Where it is not a sidecar.
    """
    import json  # no one who only reads recordings needs it

    target = os.fspath(path)
    if not target.endswith(".json"):
        target = names(target)[0]
    with open(target, "rb") as file:
        raw = file.read()
    try:
        facts = json.loads(raw)
        if facts["sidecar_version"] != SIDECAR_VERSION:
            raise ValueError(f"sidecar_version {facts['sidecar_version']}")
        found = Sidecar(target, facts)
        if os.path.exists(found.bin_path) and os.path.getsize(found.bin_path) != facts["size_bytes"]:
            there = os.path.getsize(found.bin_path)
            raise ValueError(f"one of {facts['size_bytes']} bytes, and {found.bin_path} has {there}")
        return found
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise FormatError(f"a sidecar of version {SIDECAR_VERSION}", str(error), path=target) from error
