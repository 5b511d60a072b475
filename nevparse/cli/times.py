# SPDX-License-Identifier: MIT
"""Converts times on the command line to ticks of a file."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping
from datetime import datetime, timezone
from fractions import Fraction
from typing import TYPE_CHECKING

from .terminal import UnusableInput, print_message

if TYPE_CHECKING:
    from ..nev.file import NevFile
    from ..nsx.file import NsxFile
    from ..recording.instruments import CombinedInstruments
    from ..recording.successive_files import SuccessiveFiles

    Timed = NsxFile | NevFile | CombinedInstruments | SuccessiveFiles

_UNITS_S = {"h": Fraction(3600), "min": Fraction(60), "m": Fraction(60), "sec": Fraction(1), "s": Fraction(1)}
_UNITS_S |= {"ms": Fraction(1, 1000), "us": Fraction(1, 10**6), "µs": Fraction(1, 10**6)}
Time = int | Fraction | datetime  # a tick, seconds after the recording's first sample, or a date


def time(text: str) -> Time:
    """Read a time: ``375000t`` is a tick, ``12.5`` are seconds, ``2024-05-06T07:08:09`` is a date.

    Seconds may have a unit (``5s``, ``500ms``, ``2min``) or be of a clock (``00:01:30.5``, ``1:30``).
    """
    if text.endswith("t"):
        return int(text[:-1])
    if clock := re.fullmatch(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)", text):
        hours, minutes, seconds = clock.groups()
        return Fraction(int(hours or 0) * 3600 + int(minutes) * 60) + Fraction(seconds)
    if unit := re.fullmatch(r"(.*\d\.?) ?(ms|us|µs|s|sec|min|m|h)", text):
        return Fraction(unit[1]) * _UNITS_S[unit[2]]
    if re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])", text):  # no recording lasts 200 days
        raise ValueError(text)
    try:
        if len(text.lower().partition("e")[2]) > 4:
            raise ValueError(text)  # as an exact number it would fill the memory
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return _utc(datetime.fromisoformat(text.replace("Z", "+00:00")))


def _utc(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


def tick_range(file: Timed, arguments: Namespace) -> dict[str, int | None]:
    """``--start`` and ``--stop`` as the options ``start_tick`` and ``stop_tick`` of an export."""
    from ..recording.instruments import CombinedInstruments
    from ..recording.successive_files import SuccessiveFiles

    first = file.files[0] if isinstance(file, (SuccessiveFiles, CombinedInstruments)) else file
    times: dict[str, Time | None] = {"start_tick": arguments.start, "stop_tick": arguments.stop}
    has_seconds = any(isinstance(time, Fraction) for time in times.values())
    if first._zero_tick is None and not count_from_recording(first) and has_seconds:
        print_message(f"no samples beside {file.path}: seconds count from its first event")
    ticks = {name: _tick(time, file) for name, time in times.items()}
    _check_range(file, times["start_tick"], ticks, is_following=getattr(arguments, "follow", False))
    return ticks


def _check_range(file: Timed, start: Time | None, ticks: Mapping[str, int | None], *, is_following: bool) -> None:
    """Refuse a start below 0 before all that was recorded, and say where a range goes beyond that."""
    span, start_tick, stop_tick = _recorded_span(file), ticks["start_tick"], ticks["stop_tick"]
    if span is None:
        return
    first_s, last_s = file.seconds(span).tolist()
    if start_tick is not None and start_tick < span[0]:
        if isinstance(start, datetime):
            print_message(f"--start is before the beginning of {file.path}; starting there")
        elif start is not None and start < 0:
            raise UnusableInput(f"--start is below 0, and {file.path} begins at {first_s:.6g} s (tick {span[0]})")
    if stop_tick is not None and stop_tick > span[1] and not is_following:
        print_message(f"--stop is beyond the end of {file.path}; stopping there, at {last_s:.6g} s (tick {span[1]})")


def _recorded_span(file: Timed) -> tuple[int, int] | None:
    """The first tick of a file, and the first after its last; None where it has none."""
    from ..clock import ticks_recorded
    from ..nev.file import NevFile

    if not isinstance(file, NevFile):
        return ticks_recorded(file.segments) if file.segments else None
    return (file.tick_span[0], file.tick_span[1] + 1) if file.tick_span else None


def count_from_recording(file: NsxFile | NevFile) -> bool:
    """Let the seconds of a file count from its recording's first sample; False where the recording has none."""
    from ..nsx.file import NsxFile
    from .opening import as_member

    with as_member(file) as member:
        if member is not file:
            file._count_seconds_from(member.zero_tick)
        return member is not file or (isinstance(file, NsxFile) and file.n_samples > 0)


def _tick(time: Time | None, file: Timed) -> int | None:
    """The tick of a time."""
    from ..clock import tick_after

    base = file.time_base
    if isinstance(time, Fraction):
        return tick_after(time, file.zero_tick, file.tick_rate)
    if not isinstance(time, datetime):
        return time
    if base.origin is None:
        raise ValueError(f"{file.path}: the file has no date; give --start and --stop in seconds or ticks")
    since = time - _utc(base.origin)
    microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    return base.origin_tick + microseconds * base.tick_rate // 1_000_000
