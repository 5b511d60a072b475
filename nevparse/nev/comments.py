# SPDX-License-Identifier: MIT
"""Comments of a NEV: decodes their text, colour, region of interest and the time when typing began."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_LE
from collections.abc import Iterable
from typing import NamedTuple

from ..format import tables
from ..format.text import decode_text

_TICK_BEHIND = 8  # letters
_NEAR_S = 0.1  # from the packet of a comment's colour to that of its start: both are written when it is entered


class Roi(NamedTuple):
    """A region of interest of NeuroMotive: its number, and whether its event is ``enter`` or ``exit``."""

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
        Red, green, blue, alpha; None where no packet has it.
    started_tick : int or None
        When typing began; None where no packet has it.
    roi : Roi or None
        NeuroMotive only.
    """

    tick: int
    text: str
    charset: int
    color: tuple[int, int, int, int] | None = None
    started_tick: int | None = None
    roi: Roi | None = None


Numbered = tuple[int, Comment]  # its place among all comments


def without_tick(text: bytes, tick: bytes) -> bytes:
    """A comment's text without the packet's own timestamp, which Central 6.04 wrote behind 8 letters."""
    start, stop = _TICK_BEHIND, _TICK_BEHIND + len(tick)
    has_tick = len(text) > start and b"\0" not in text[:start] and text[start:stop].ljust(len(tick), b"\0") == tick
    return text[:start] if has_tick else text


def decode_packet_text(raw: bytes, charset: int) -> str:
    """Decode a packet's text up to its first NUL; of UTF-16 up to its first 16-bit NUL or last complete unit."""
    if charset != tables.CHARSET_UTF16:
        if raw.startswith(BOM_UTF8):
            return raw.split(b"\0", 1)[0].decode("utf-8-sig", "replace").rstrip(" ")
        return decode_text(raw)
    raw = raw.removeprefix(BOM_UTF16_LE)
    return raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace").split("\0", 1)[0].rstrip(" ")


def decode_comment(
    version: tables.NevVersion, tick_rate: int, tick: int, charset: int, flag: int, data: int, text: str
) -> Comment:
    """Make a comment of one packet's fields; charset and flag decide what `data` means."""
    raw, comment = data.to_bytes(4, "little"), Comment(tick, text, charset)
    if charset == tables.CHARSET_NEUROMOTIVE:
        return comment._replace(roi=Roi(raw[0], tables.ROI_EVENTS.get(raw[1], str(raw[1]))))
    if flag == tables.COMMENT_COLOR:
        return comment._replace(color=(raw[0], raw[1], raw[2], raw[3]))
    if flag == tables.COMMENT_START:
        return comment._replace(started_tick=_started_tick(version, tick_rate, tick, data))
    return comment


def _started_tick(version: tables.NevVersion, tick_rate: int, tick: int, data: int) -> int | None:
    started_tick = data
    if version.comment_start == "back":
        in_microseconds = tick_rate > tables.CLOCK_HZ
        started_tick = tick - (data * tick_rate // tables.MICROSECOND_CLOCK_HZ if in_microseconds else data)
    return started_tick if 0 <= started_tick <= tick else None


def merge_comments(comments: Iterable[Numbered], tick_rate: int) -> list[Numbered]:
    """Merge neighbours in time of the same text, of which the first has the colour and the second the start.

    In no other order: a cut between the two packets of a comment would give the start to the next comment.
    """
    merged: list[Numbered] = []
    for number, comment in comments:
        if merged and _is_pair(merged[-1][1], comment, tick_rate):
            merged[-1] = merged[-1][0], merged[-1][1]._replace(started_tick=comment.started_tick)
        else:
            merged.append((number, comment))
    return merged


def _is_pair(colored: Comment, started: Comment, tick_rate: int) -> bool:
    has_halves = colored.color is not None and colored.started_tick is None and started.started_tick is not None
    is_near = abs(colored.tick - started.tick) <= _NEAR_S * tick_rate
    return has_halves and is_near and (colored.text, colored.charset) == (started.text, started.charset)
