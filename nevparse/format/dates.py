# SPDX-License-Identifier: MIT
"""Dates as the headers have them: Windows SYSTEMTIME."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

START_OF_1970 = datetime(1970, 1, 1, tzinfo=timezone.utc)


def microseconds_since_1970(moment: datetime) -> int:
    """A moment as a number; one without a time zone is taken as UTC."""
    utc = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (utc - START_OF_1970) // timedelta(microseconds=1)


def date_of_systemtime(words: tuple[int, ...]) -> datetime | None:
    """A Windows SYSTEMTIME of eight u16 as a datetime, UTC; None where it is not a date.

    The day of the week is not read: writers and anonymisers leave it wrong.
    """
    year, month, _, day, hour, minute, second, millisecond = words
    try:
        return datetime(year, month, day, hour, minute, second, millisecond * 1000, timezone.utc)
    except ValueError:
        return None


def systemtime_of_date(moment: datetime | None) -> tuple[int, ...]:
    """A moment as a Windows SYSTEMTIME, to the millisecond below; zeros where there is none."""
    if moment is None:
        return (0,) * 8
    utc = moment.astimezone(timezone.utc) if moment.tzinfo else moment
    sunday_is_0 = utc.isoweekday() % 7
    return utc.year, utc.month, sunday_is_0, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond // 1000


def nearest_ms(moment: datetime | None) -> datetime | None:
    """A moment half a millisecond later, so that the millisecond below it is the nearest one."""
    try:
        return moment and moment + timedelta(microseconds=500)
    except OverflowError:
        return moment


def date_text(date: datetime | None) -> str:
    """A date as a person reads it: ``2024-05-06 07:08:09.250 UTC``; without a time zone where the file has none."""
    return date.isoformat(" ", "milliseconds").replace("+00:00", " UTC") if date else "no date"
