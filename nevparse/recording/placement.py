# SPDX-License-Identifier: MIT
"""Where successive files of one recording are on one line of ticks, and how exactly that is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ..format.text import duration_text
from .belonging import AGREE_S, FileTime

GIVEN = "given"
_DATES_S = 0.02  # dates have milliseconds, and Windows sets its own clock every 16
_NEAR_S = 3600  # to where a clock of 32 bits rolls over, as in `timing.md`, C07
_DRIFT = 1e-4  # a computer's clock, which the dates are from, strays from a recorder's


class Placement(NamedTuple):
    """Where a file is on the line of ticks of all files.

    Parameters
    ----------
    offset : int
        What is added to the file's ticks.
    is_exact : bool
        Whether that is known to the tick; otherwise the time between this file and the one before is not.
    note : str
        How it is known, and to what precision.
    """

    offset: int
    is_exact: bool
    note: str

    def __str__(self) -> str:
        return f"ticks {self.offset:+d}; {self.note}" if self.offset else self.note


def check_order(order: str | None) -> bool:
    """Whether files are in order as they were given; ValueError for an order that is neither."""
    if order not in (None, GIVEN):
        raise ValueError(f"expected order to be None or {GIVEN!r}, found {order!r}")
    return order == GIVEN


def order_in_time(names: Sequence[str], times: Sequence[FileTime]) -> list[int]:
    """The numbers of the files in order of time, by their clocks or dates; ValueError where one has neither."""
    if all(of_one.is_since_1970 for of_one in times):
        return sorted(range(len(times)), key=lambda k: times[k].first_tick)
    undated = [name for name, of_one in zip(names, times, strict=True) if of_one.start_us is None]
    if undated:
        raise ValueError(
            f"{undated[0]}: expected a header with a date, which puts files in order of time, found none. "
            f"If they are in order, state it with order='given' (--order given)"
        )
    order = sorted(range(len(times)), key=lambda k: (times[k].date_us or 0, times[k].first_tick))
    _check_order_is_known([names[k] for k in order], [times[k] for k in order])
    return order


def _check_order_is_known(names: Sequence[str], times: Sequence[FileTime]) -> None:
    """Raise a ValueError where a file that is earlier by its ticks may be from after a rollover."""
    for name, one in zip(names, times, strict=True):
        for other_name, other in zip(names, times, strict=True):
            has_same_date = abs((one.date_us or 0) - (other.date_us or 0)) <= AGREE_S * 1_000_000
            if has_same_date and one.stop_tick <= other.first_tick and _rolled_over(other, one):
                raise ValueError(
                    f"{name} and {other_name}: expected dates that say which was first, found the same date, and ticks "
                    f"that may have rolled over 32 bits in between; state the order with order='given' (--order given)"
                )


def _rolled_over(before: FileTime, now: FileTime) -> int:
    """Ticks of 32 bits that a clock rolled over from the end of one file to the start of the next; 0 if it did not."""
    ahead = before.stop_tick - now.first_tick
    if not now.rollover_ticks or before.rollover_ticks != now.rollover_ticks or ahead <= before.sample_ticks / 2 + 1:
        return 0
    rolled_over = -(-ahead // now.rollover_ticks) * now.rollover_ticks
    return rolled_over if rolled_over - ahead <= _NEAR_S * now.tick_rate else 0


def place_files(names: Sequence[str], times: Sequence[FileTime], is_given: bool) -> list[Placement]:
    """Put files, in order of time, on the line of the first one's ticks.

    ValueError where two were recorded at the same time. Where the order is given, and dates do not fit, a file is
    placed directly behind the one before.
    """
    placed = [Placement(0, True, "the first file")]
    for (name, before), (other_name, now) in pairwise(zip(names, times, strict=True)):
        end = before.stop_tick + placed[-1].offset
        if _ran_on(before, now, is_given):
            placed.append(Placement(placed[-1].offset, True, "the clock ran on: exact"))
            continue
        rolled_over = _rolled_over(before, now)
        if rolled_over and _ran_on(before, _later(now, rolled_over), is_given=False):
            note = "the clock ran on and rolled over 32 bits: exact"
            placed.append(Placement(placed[-1].offset + rolled_over, True, note))
            continue
        behind = end - now.first_tick
        offset = _offset_by_dates(times[0], now)
        late_s = None if offset is None else (offset - behind) / now.tick_rate
        if late_s is not None and late_s >= -_date_error_s(times[0], now):
            placed.append(_placed_by_dates(max(offset or 0, behind), late_s))
        elif is_given:
            placed.append(Placement(behind, False, "as given, directly behind: the time between is not known"))
        else:
            overlap = duration_text(-(late_s or 0))
            raise ValueError(
                f"{name} and {other_name}: expected one after the other, found an overlap of {overlap} by their dates "
                f"and ticks. combine_instruments lays files of the same time side by side; if the dates are wrong, "
                f"state the order with order='given' (--order given)"
            )
    return placed


def _ran_on(before: FileTime, now: FileTime, is_given: bool) -> bool:
    """Whether ticks go on from one file to the next: the clock was not set anew."""
    if now.tick_rate != before.tick_rate or before.stop_tick - now.first_tick > before.sample_ticks / 2 + 1:
        return False
    if before.is_since_1970 and now.is_since_1970:
        return True
    if before.date_us is None or now.date_us is None:
        return is_given
    elapsed_s = (now.first_tick - before.first_tick) / now.tick_rate
    dates_s = (now.date_us - before.date_us) / 1_000_000
    allowed_s = AGREE_S + _DRIFT * elapsed_s
    # the date of a later file is that of its own start, or of a tick 0: that both have, or behind a rollover its own
    rolled_over_s = (
        (now.first_tick - now.first_tick % now.rollover_ticks) / now.tick_rate if now.rollover_ticks else 0.0
    )
    return any(abs(dates_s - apart_s) <= allowed_s for apart_s in (elapsed_s, 0.0, rolled_over_s))


def _later(times: FileTime, ticks: int) -> FileTime:
    return times._replace(first_tick=times.first_tick + ticks, stop_tick=times.stop_tick + ticks)


def _offset_by_dates(first: FileTime, now: FileTime) -> int | None:
    if first.tick_zero_us is None or now.tick_zero_us is None:
        return None
    return round((now.tick_zero_us - first.tick_zero_us) * now.tick_rate / 1_000_000)


def _date_error_s(first: FileTime, now: FileTime) -> float:
    """By how much dates may be wrong against a recorder's clock."""
    elapsed_us = (now.date_us or 0) - (first.date_us or 0)
    return _DATES_S + _DRIFT * max(0, elapsed_us) / 1_000_000


def _placed_by_dates(offset: int, late_s: float) -> Placement:
    note = "the clock was set anew: placed by the dates of the headers, to about 20 ms"
    if late_s < 0:
        note += f"; they overlap by {duration_text(-late_s)}, so it is directly behind the file before"
    return Placement(offset, False, note)
