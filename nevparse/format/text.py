# SPDX-License-Identifier: MIT
"""Texts as files have them, and numbers as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

# µ as a real character in both spellings, and as its two UTF-8 spellings look once decoded byte by byte
_MICROVOLT_SPELLINGS = ("\u00b5V", "\u03bcV", "\u00c2\u00b5V", "\u00ce\u00bcV")


def decode_text(raw: bytes) -> str:
    """Decode a fixed text field: up to the first NUL, without padding spaces, as cp1252, else as latin-1."""
    cut = raw.split(b"\0", 1)[0].rstrip(b" ")
    if cut.isascii():  # nearly all are, and the codec for others is slow
        return cut.decode("ascii")
    try:
        return cut.decode("cp1252")
    except UnicodeDecodeError:
        return cut.decode("latin-1")


def alike(word: str, known: Iterable[str], most: int = 2, cutoff: float = 0.6) -> list[str]:
    """The names that are spelt nearly like a word, the nearest first: offered to whoever mistyped one."""
    from difflib import get_close_matches  # only a wrong name needs it

    return get_close_matches(word, list(known), most, cutoff)


def printable(value: str) -> str:
    """Text that is safe to print: what a terminal would obey, or turn around, is escaped."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in value)


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON in printable ASCII, all else escaped; ValueError for numbers that JSON lacks."""
    import json

    return json.dumps(value, indent=indent, allow_nan=False)


@lru_cache(maxsize=64)  # nearly all channels have the same
def unit_name(raw: bytes) -> str:
    """A unit as the file spells it, with every spelling of µV as ``uV``."""
    unit = decode_text(raw).strip()
    return "uV" if unit in _MICROVOLT_SPELLINGS else unit


def duration_text(seconds: float) -> str:
    """A duration as a person writes it: ``812 ms``, ``9.82 s``, ``1:02:03``."""
    if seconds < 1:
        return f"{seconds * 1000:.4g} ms"
    if seconds < 60:
        return f"{seconds:.4g} s"
    try:
        return str(timedelta(seconds=round(seconds)))
    except OverflowError:
        return f"{seconds:.4g} s"


def size_text(n_bytes: float) -> str:
    """A size as a person writes it: ``1.4 GB`` (decimal units)."""
    power = min(4, max(0, (len(str(int(n_bytes))) - 1) // 3))
    return f"{n_bytes / 1000**power:.4g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


def counted(n: int, noun: str) -> str:
    """A number of things: ``1 gap``, ``2 gaps``, ``no gaps``."""
    return f"{n or 'no'} {noun}{'' if n == 1 else 's'}"


def percent_text(share: float) -> str:
    """A share of 1 as a person writes it: ``2.5 %``."""
    return f"{100 * share:.3g} %"


def counts_text(counts: Mapping[Any, int]) -> str:
    """Numbers of several things: ``3 pause, 1 loss``; what there is none of is left out."""
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def ranges_text(ids: Iterable[int]) -> str:
    """Numbers as ranges: ``1-96, 129``."""
    ranges: list[list[int]] = []
    for number in ids:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
