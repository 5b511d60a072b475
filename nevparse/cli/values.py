# SPDX-License-Identifier: MIT
"""How values of options are written, and what is said of one that is written otherwise."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from math import isfinite
from typing import TYPE_CHECKING, TypeVar, cast

from ..format.tables import EVENT_KINDS, MAX_CHANNELS, EventKind

if TYPE_CHECKING:
    from fractions import Fraction

    from .times import Time

T = TypeVar("T")
_TIMES = "12.5 or 12.5s (seconds after the first sample), 500ms, 00:01:30, 375000t (ticks), 2024-05-06T07:08:09 (UTC)"


def _expected(
    what: str, advice: Callable[[str], str] = lambda _: ""
) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Turn a parser's ValueError into what argparse prints: what was expected, what was found, what would be right."""

    def decorate(parse: Callable[[str], T]) -> Callable[[str], T]:
        @wraps(parse)
        def parse_or_explain(text: str) -> T:
            try:
                return parse(text)
            except (ValueError, OverflowError):
                raise ArgumentTypeError(f"expected {what}, found {text!r}{advice(text)}") from None

        return parse_or_explain

    return decorate


def _columns_advice(text: str) -> str:
    if re.fullmatch(r"\d+-\d+(,\d+(-\d+)?)*", text):
        first, last = re.split(r"[-,]", text)[:2]
        return f"; columns {first} to {last} are {first}:{int(last) + 1}, electrodes {text} are --electrodes {text}"
    return "; names of channels are for --labels" if re.match("[A-Za-z]", text) else ""


def _ids_advice(text: str) -> str:
    if re.fullmatch(r"\d+:\d+", text):
        first, last = text.split(":")
        return f"; electrodes {first} to {last} are {first}-{last}, columns {text} are --channels {text}"
    return "; names of electrodes are for --labels" if re.match("[A-Za-z]", text) else ""


def _segments_advice(text: str) -> str:
    numbers = re.fullmatch(r"(\d+)-(\d+)", text)
    return f"; segments {numbers[1]} to {numbers[2]} are {numbers[1]}:{int(numbers[2]) + 1}" if numbers else ""


def _slices(text: str) -> list[slice]:
    """Numbers and slices as numpy has them: ``0:128,130``."""
    parts = []
    for part in text.split(","):
        numbers = [int(number) if number.strip() else None for number in part.split(":")]
        if len(numbers) == 1 and numbers[0] is not None:
            parts.append(slice(numbers[0], numbers[0] + 1 or None))
        elif 2 <= len(numbers) <= 3 and 0 not in numbers[2:]:
            parts.append(slice(*numbers))
        else:
            raise ValueError(text)
    return parts


def kinds(text: str) -> list[EventKind]:
    """Kinds of events: ``digital,comment``."""
    named = [part.strip() for part in text.split(",")]
    for kind in named:
        if kind not in EVENT_KINDS:
            raise ArgumentTypeError(f"invalid choice: {kind!r} (choose from {', '.join(map(repr, EVENT_KINDS))})")
    return cast(list[EventKind], named)


columns = _expected("columns as numbers from 0 and numpy's slices, such as 0:128,130", _columns_advice)(_slices)
segments = _expected("segments as numbers from 0 and numpy's slices, such as 0,2:4", _segments_advice)(_slices)


@_expected("electrode ids and ranges with both ends, such as 1-96,129", _ids_advice)
def ids(text: str) -> list[int]:
    """Numbers and ranges that include both ends: ``1-96,129``."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin, end = int(first), int(last if dash else first)
        if not begin <= end < begin + MAX_CHANNELS:
            raise ValueError(text)
        numbers += range(begin, end + 1)
    return numbers


def excluded(text: str) -> list[int | str]:
    """Electrode ids, their ranges, and labels or patterns: ``17,40-42,ainp*``."""
    parts: list[int | str] = []
    for part in text.split(","):
        parts += ids(part) if re.fullmatch(r"\d+(-\d+)?", part) else [part]
    return parts


def _time(text: str) -> Time:
    from .times import time  # exact fractions, which few commands need

    return time(text)


@_expected(_TIMES)
def moment(text: str) -> Time:
    """A time as `times.time` reads it."""
    return _time(text)


@_expected("times of the instruments, such as 0,2.5 (seconds) or 0,75000t (ticks)")
def offsets(text: str) -> list[int | Fraction]:
    """Ticks and seconds: ``0,75000t`` or ``0,2.5``."""
    times = [_time(part) for part in text.split(",")]
    shifts = [part for part in times if not isinstance(part, datetime)]
    if len(shifts) < len(times):
        raise ValueError(text)
    return shifts


@_expected("a number of seconds")
def seconds(text: str) -> float:
    """A finite number of seconds, 0 or more: ``5`` or ``500ms``."""
    value = _time(text)
    if isinstance(value, (int, datetime)) or value < 0:
        raise ValueError(text)
    return float(value)


@_expected("a number, or the word hold")
def fill(text: str) -> float | str:
    """A number, or ``hold``."""
    return "hold" if text == "hold" else int(text) if text.lstrip("-").isdigit() else float(text)


@_expected("a number of 0 or more")
def factor(text: str) -> float:
    """A number, 0 or more."""
    value = float(text)
    if not (isfinite(value) and value >= 0):
        raise ValueError(text)
    return value
