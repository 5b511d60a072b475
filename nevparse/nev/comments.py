# SPDX-License-Identifier: MIT
"""Comments of a NEV: their text, colour and begin, and the two packets that new systems write for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..format import tables
from ..format.text import decode_text


class Roi(NamedTuple):
    """What NeuroMotive saw happen at a region of interest: its number, and ``enter`` or ``exit``."""

    number: int
    event: str


class Comment(NamedTuple):
    """One comment.

    Parameters
    ----------
    tick : int
        When it was entered.
    text : str
        Decoded by its character set, up to the first NUL.
    charset : int
        0 ANSI, 1 UTF-16, 255 NeuroMotive (whose text is ``name:number:event:frame:``).
    color : (int, int, int, int) or None
        Red, green, blue, alpha; None where no packet says.
    started_tick : int or None
        When typing began; None where no packet says.
    roi : Roi or None
        NeuroMotive only.
    """

    tick: int
    text: str
    charset: int
    color: tuple[int, int, int, int] | None = None
    started_tick: int | None = None
    roi: Roi | None = None


def decoded_text(raw: bytes, charset: int = tables.CHARSET_ANSI) -> str:
    """A packet's text up to its first NUL; UTF-16 up to its first 16-bit NUL, wherever the packet cuts it."""
    if charset != tables.CHARSET_UTF16:
        return decode_text(raw)
    pairs = np.frombuffer(raw, "<u2", len(raw) // 2)
    ends = np.flatnonzero(pairs == 0)
    return pairs[: ends[0] if ends.size else None].tobytes().decode("utf-16-le", "replace").rstrip(" ")


def decode_comment(
    found: tables.NevVersion, tick_rate: int, *, tick: int, charset: int, flag: int, data: int, said: str
) -> Comment:
    """One comment packet, decoded: what its data is, charset and flag decide."""
    low, second, third, high = data.to_bytes(4, "little")
    if charset == tables.CHARSET_NEUROMOTIVE:
        return Comment(tick, said, charset, roi=Roi(low, tables.ROI_EVENTS.get(second, str(second))))
    if flag == tables.COMMENT_COLOR:
        return Comment(tick, said, charset, color=(low, second, third, high))
    if flag == tables.COMMENT_START:
        return Comment(tick, said, charset, started_tick=_started_tick(found, tick_rate, tick, data))
    return Comment(tick, said, charset)


def _started_tick(found: tables.NevVersion, tick_rate: int, tick: int, data: int) -> int | None:
    if found.comment_start == "tick":
        return data if data <= tick else None
    in_microseconds = tick_rate > tables.CLOCK_HZ
    back = data * tick_rate // tables.MICROSECOND_CLOCK_HZ if in_microseconds else data
    return tick - back if back <= tick else None


def merge_halves(comments: Iterable[Comment]) -> Iterator[Comment]:
    """Comments, where a colour and a begin that follow each other under one text are one."""
    held: Comment | None = None
    for comment in comments:
        if held is None:
            held = comment
        elif _halves(held, comment):
            yield _joined(held, comment)
            held = None
        else:
            yield held
            held = comment
    if held is not None:
        yield held


def _halves(one: Comment, other: Comment) -> bool:
    if (one.text, one.charset) != (other.text, other.charset):
        return False
    colored, started = (one, other) if one.color is not None else (other, one)
    return colored.color is not None and started.started_tick is not None


def _joined(one: Comment, other: Comment) -> Comment:
    colored, started = (one, other) if one.color is not None else (other, one)
    return colored._replace(started_tick=started.started_tick)
