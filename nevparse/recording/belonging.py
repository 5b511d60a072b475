# SPDX-License-Identifier: MIT
"""What proves that files belong together: their headers' dates, ticks, electrodes and names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..clock import ROLLOVER, counts_from_1970, ticks_recorded
from ..format.dates import microseconds_since_1970
from ..format.text import printable, ranges_text
from ..nsx.file import NsxFile
from ..source.names import is_same_file
from .members import instrument_of

if TYPE_CHECKING:  # who has no NEV need not read how it is read
    from ..nev.file import NevFile

_FileT = TypeVar("_FileT", "NsxFile", "NevFile")
AGREE_S = 1  # the source is in spec_notes/joining.md, C01


class FileTime(NamedTuple):
    """When a file was recorded, by its clock and by the date of its header.

    Moments are microseconds since 1970; None where no date is known. Where the clock itself counts from 1970
    and disagrees with the header's date, the moment of tick 0 is not known.
    """

    date_us: int | None  # of the header
    tick_zero_us: int | None  # the moment of tick 0
    first_tick: int
    stop_tick: int
    tick_rate: int
    is_since_1970: bool
    sample_ticks: float = 1.0  # from one sample to the next
    rollover_ticks: int = 0  # of a clock of 32 bits, which rolls over behind so many; 0 of others

    @property
    def start_us(self) -> int | None:
        """The moment of the first sample."""
        return None if self.tick_zero_us is None else self.tick_zero_us + self.first_tick * 1_000_000 // self.tick_rate

    @property
    def stop_us(self) -> int | None:
        """The moment after the last sample."""
        return None if self.tick_zero_us is None else self.tick_zero_us + self.stop_tick * 1_000_000 // self.tick_rate

    def is_after(self, other: FileTime) -> bool:
        """Whether this file begins, by the dates, when the other has ended."""
        return self.start_us is not None and other.stop_us is not None and self.start_us >= other.stop_us


class Comparison(NamedTuple):
    """Whether equal ticks of two files are the same moment, and by how much their clocks are known to differ."""

    is_same: bool
    apart_s: float | None  # from tick 0 of one to tick 0 of the other; None where a file has no date
    found: str


def nsx_time(file: NsxFile) -> FileTime:
    """When a file that has samples was recorded."""
    first, stop = file.segments[0].start_tick, ticks_recorded(file.segments)[1]
    n_ticks = file._version.block.n_ticks if file._version.block else 0
    time = _time_of(file, first, stop)._replace(sample_ticks=file.clock.num / file.clock.den)
    return time._replace(rollover_ticks=n_ticks if n_ticks == ROLLOVER else 0)


def nev_time(nev: NevFile) -> FileTime:
    """When a NEV was recorded: from its first packet that is no stray to its last."""
    first, n_ticks = nev._recorded.first_tick, nev._version.any_packet.n_ticks
    time = _time_of(nev, first, max(first + 1, *(stop for _, stop in nev.epochs)))
    return time._replace(rollover_ticks=n_ticks if n_ticks == ROLLOVER else 0)


def _time_of(file: NsxFile | NevFile, first: int, stop: int) -> FileTime:
    base, is_since_1970 = file.time_base, counts_from_1970(file.tick_rate, first)
    tick_zero_us = None
    if base.origin is not None and not (is_since_1970 and base.origin_tick):
        tick_zero_us = microseconds_since_1970(base.origin) - base.origin_tick * 1_000_000 // file.tick_rate
    date_us = microseconds_since_1970(file.time_origin) if file.time_origin else None
    return FileTime(date_us, tick_zero_us, first, stop, file.tick_rate, is_since_1970)


def compare_clocks(one: FileTime, other: FileTime) -> Comparison:
    """Compare the moments of tick 0 by the headers, and whether the first samples fit them.

    Clocks of nanoseconds since 1970 agree, unless one is UTC and the other atomic time.
    """
    if one.tick_zero_us is None or other.tick_zero_us is None:
        if one.is_since_1970 and other.is_since_1970:
            return Comparison(True, 0.0, "both clocks count nanoseconds since 1970")
        return Comparison(False, None, "a header without a date")
    apart_s = (other.tick_zero_us - one.tick_zero_us) / 1_000_000
    if one.is_since_1970 and other.is_since_1970:
        return Comparison(abs(apart_s) <= AGREE_S, apart_s, f"clocks that count from 1970, {abs(apart_s):.3f} s apart")
    if abs(apart_s) > AGREE_S:
        return Comparison(False, apart_s, f"clocks that are {abs(apart_s):.3f} s apart by the dates of the headers")
    starts_s = other.first_tick / other.tick_rate - one.first_tick / one.tick_rate
    dates_s = ((other.date_us or 0) - (one.date_us or 0)) / 1_000_000
    if abs(dates_s - starts_s) > AGREE_S:  # a date may be of tick 0 or of the first sample: both must agree
        found = f"header dates {abs(dates_s):.3f} s apart, and first samples {abs(starts_s):.3f} s apart by their ticks"
        return Comparison(False, dates_s - starts_s, found)
    return Comparison(True, apart_s, f"dates within {abs(apart_s):.3f} s")


def prove_one_clock(files: Sequence[NsxFile]) -> str:
    """What proves that equal ticks are the same moment; a ValueError that says what was found, and what would do."""
    first, found = nsx_time(files[0]), [Comparison(True, 0.0, "one file")]
    for file in files[1:]:
        time = nsx_time(file)
        compared = compare_clocks(first, time)
        if not compared.is_same:
            expected = f"instruments on one clock, whose header dates agree within {AGREE_S} s"
            advice = _advice(files[0], file, first, time, compared)
            raise ValueError(f"{files[0].path} and {file.path}: expected {expected}, found {compared.found}. {advice}")
        found.append(compared)
    return max(found[1:] or found, key=lambda compared: abs(compared.apart_s or 0)).found


def _advice(one: NsxFile, other: NsxFile, time: FileTime, other_time: FileTime, compared: Comparison) -> str:
    """What would be right for two files whose clocks are not proved to be one."""
    same = "clock='same' (--same-clock)"
    if compared.apart_s is None:
        return f"If equal ticks are the same moment, say so with {same}; else give offsets (--offsets)"
    if other_time.is_after(time) or time.is_after(other_time):
        shared = ranges_text(sorted({*one.electrode_ids.tolist()} & {*other.electrode_ids.tolist()}))
        both = f", and both have electrodes {shared}" if shared else ""
        after = f"By the dates one was recorded after the other{both}: append them with concatenate (--append)"
        return f"{after}. If the dates are wrong and the clock is one, use {same}"
    ticks = round(compared.apart_s * one.tick_rate)
    shift = f"If the dates are right, offsets=[0, {ticks}] (--offsets 0,{ticks}t) aligns them to about a millisecond"
    return f"{shift}. If the clock is one, use {same}"


def check_different_files(files: Sequence[NsxFile | NevFile]) -> None:
    """Raise a ValueError where the same file is there twice."""
    for one, other in combinations(files, 2):
        if one is other or is_same_file(one.path, other.path):
            raise ValueError(f"{one.path}: expected different files, found this one twice")


def check_same_format(files: Sequence[NsxFile]) -> None:
    """Raise a ValueError where files differ in sampling rate, ticks or type, or one has no samples."""
    check_same(files, _format_text)
    if not files[0].segments:
        raise ValueError(f"{files[0].path}: expected samples, found none")


def check_same(files: Sequence[_FileT], text_of: Callable[[_FileT], str]) -> None:
    """Raise a ValueError where a text says something else of a file than of the first."""
    expected = text_of(files[0])
    for file in files[1:]:
        if (found := text_of(file)) != expected:
            raise ValueError(f"{file.path}: expected {expected} as in {files[0].path}, found {found}")


def _format_text(file: NsxFile) -> str:
    if not file.segments:
        return "no samples"
    return f"{file.sampling_rate} Hz sampling, {file.tick_rate} Hz ticks, {file.dtype.name}"


def check_same_channels(files: Sequence[NsxFile]) -> None:
    """Raise a ValueError where files differ in what a column is: its electrode, its label or its scale."""
    expected = _channel_texts(files[0])
    for file in files[1:]:
        found = _channel_texts(file)
        if found == expected:
            continue
        column = next((k for k, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), None)
        want, have = f"{len(expected)} channels", f"{len(found)}"
        if column is not None:
            want, have = f"{expected[column]} in column {column}", found[column]
        raise ValueError(f"{files[0].path} and {file.path}: expected the same channels, {want}; found {have}")


def _channel_texts(file: NsxFile) -> list[str]:
    return [f"electrode {c.electrode_id} {printable(c.label)!r}, {c.uv_per_bit:g} uV per bit" for c in file.channels]


def check_one_instrument(paths: Sequence[str]) -> None:
    """Raise a ValueError where names of files say that several instruments recorded them."""
    first = instrument_of(paths[0])
    for path in paths[1:]:
        if instrument_of(path) != first:
            raise ValueError(
                f"{paths[0]} and {path}: expected successive files of one instrument, found names of two. "
                f"combine_instruments (a command without --append) lays instruments side by side"
            )


def unique_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Names of files that tell them apart: each with as many of its folders as that needs."""
    parts = [path.replace(os.sep, "/").split("/") for path in paths]
    names = list(paths)
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(of_one[-depth:]) for of_one in parts]
        if len(set(names)) == len(names):
            break
    counts, seen = Counter(names), Counter[str]()
    for number, name in enumerate(names):  # bytes and file objects have no paths
        seen[name] += 1
        if counts[name] > 1:
            names[number] = f"{name} ({seen[name]})"
    return tuple(names)
