# SPDX-License-Identifier: MIT
"""Converts times on the command line to ticks of a file."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timezone
from fractions import Fraction
from typing import TYPE_CHECKING

from .terminal import check_readable, print_message

if TYPE_CHECKING:
    from ..clock import TimeBase
    from ..nev.file import NevFile
    from ..nsx.file import NsxFile

Time = int | Fraction | datetime  # a tick, seconds after the recording's first sample, or a date


def time(text: str) -> Time:
    """Read a time: ``375000t`` is a tick, ``12.5`` are seconds, ``2024-05-06T07:08:09`` is a date."""
    if text.endswith("t"):
        return int(text[:-1])
    try:
        if len(text.lower().partition("e")[2]) > 4:
            raise ValueError(text)  # as an exact number it would fill the memory
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return _utc(datetime.fromisoformat(text.replace("Z", "+00:00")))


def _utc(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


def tick_range(file: NsxFile | NevFile, arguments: Namespace) -> dict[str, int | None]:
    """``--start`` and ``--stop`` as the options ``start_tick`` and ``stop_tick`` of an export."""
    times: dict[str, Time | None] = {"start_tick": arguments.start, "stop_tick": arguments.stop}
    first_tick = _first_tick(file) if any(isinstance(time, Fraction) for time in times.values()) else None
    return {name: _tick(time, file.path, file.time_base, first_tick) for name, time in times.items()}


def _tick(time: Time | None, path: str, base: TimeBase, first_tick: int | None) -> int | None:
    """The tick of a time; a second or a date before tick 0 is tick 0."""
    if isinstance(time, Fraction):
        return 0 if first_tick is None else max(0, first_tick + round(time * base.tick_rate))
    if not isinstance(time, datetime):
        return time
    if base.origin is None:
        raise ValueError(f"{path}: the file has no date; give --start and --stop in seconds or ticks")
    since = time - _utc(base.origin)
    microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    return max(0, base.origin_tick + microseconds * base.tick_rate // 1_000_000)


def _first_tick(file: NsxFile | NevFile) -> int | None:
    """The tick that seconds count from: for a NEV that of its recording's first sample, so that both are cut alike."""
    from ..nsx.file import NsxFile
    from ..recording.recording import open_recording

    if isinstance(file, NsxFile):
        return file.segments[0].start_tick if file.segments else None
    with check_readable(file.path):
        recording = open_recording(file.path)
    with recording:
        files = [ns for ns in (*recording.nsx.values(), *recording.nfx.values()) if ns.n_samples]
        if files:
            ns = max(files, key=lambda ns: ns.sampling_rate)
            return ns.segments[0].start_tick * file.tick_rate // ns.tick_rate
    print_message(f"no samples beside {file.path}: seconds count from its first event")
    return file.tick_span[0] if file.tick_span else None
