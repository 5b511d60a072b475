# SPDX-License-Identifier: MIT
"""Header bytes written anew: fields set, text fitted, and what could tell whose a recording is taken out."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import datetime

from ...clock import counts_from_1970
from ...format import tables
from ...format.dates import systemtime_of_date
from ...format.layout import Layout

LABELS = "labels"  # the word that asks for labels to be taken out too
NEUTRAL_DATE = datetime(2000, 1, 1)  # a date like any other: some readers fail where there is none
_NAMES = ("label", "name")


def check_anonymise(anonymise: bool | str) -> None:
    """Raise where `anonymise` is no word that is known."""
    if anonymise not in (True, False, LABELS):
        raise ValueError(f"expected anonymise to be True, False or {LABELS!r}, found {anonymise!r}")


def check_dates_removed(path: str, tick_rate: int, ticks: Sequence[int], anonymise: bool | str, base_tick: int) -> None:
    """Raise where timestamps tell a date that was to be taken out, or where they would run below 0."""
    first, last = min(ticks, default=0), max(ticks, default=0)
    dated = counts_from_1970(tick_rate, last)
    if base_tick and not (anonymise and dated):
        raise ValueError(f"{path}: base_tick (--base-tick) is for anonymising clocks that count from 1970")
    if base_tick > first or base_tick < 0:
        raise ValueError(f"{path}: expected a base_tick of 0 to {first}, the first timestamp, found {base_tick}")
    if anonymise and counts_from_1970(tick_rate, last - base_tick):
        example = first // tick_rate * tick_rate
        raise ValueError(
            f"{path}: its timestamps count from 1970 and tell the date; give base_tick (--base-tick), which is "
            f"subtracted from each, the same for every file of a recording: {example}"
        )


def anonymous_basic(found: tables.NsxVersion | tables.NevVersion, raw: bytes, anonymise: bool | str) -> bytes:
    """A basic header without its date, its comment and its application."""
    application = tables.RIPPLE_APPLICATION if found.vendor == "ripple" else b""  # the layout is known by it
    said = {"time_origin": systemtime_of_date(NEUTRAL_DATE), "comment": b"", "application": application}
    if anonymise == LABELS:
        said["label"] = b""
    return found.basic.with_values(_cleaned(found.basic, raw), **said)


def anonymous_record(layout: Layout, raw: bytes, anonymise: bool | str) -> bytes:
    """An extended header without what stands behind its texts; on request names become neutral ones."""
    clean = _cleaned(layout, raw)
    if anonymise != LABELS:
        return clean
    fields = layout.unpack(raw)
    neutral = b"ch%d" % fields["electrode_id"] if "electrode_id" in fields else b""
    return layout.with_values(clean, **dict.fromkeys(_NAMES, neutral))


def _cleaned(layout: Layout, raw: bytes) -> bytes:
    """A record with zeros in reserved bytes and behind the end of its texts, where writers leave old memory."""
    out = bytearray(raw)
    for offset, stop, field, code in _spans(layout):
        if not field:
            out[offset:stop] = bytes(stop - offset)
        elif code.endswith("s"):
            out[offset:stop] = bytes(out[offset:stop]).split(b"\0")[0].ljust(stop - offset, b"\0")
    return bytes(out)


def _spans(layout: Layout) -> Iterator[tuple[int, int, str, str]]:
    for offset, field, code in layout.rows:
        yield offset, offset + struct.calcsize("<" + code), field, code
