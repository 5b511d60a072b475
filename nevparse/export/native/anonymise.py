# SPDX-License-Identifier: MIT
"""Removes from headers what identifies a subject: dates, comments, applications, and labels on request."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime

from ...clock import counts_from_1970
from ...format import tables
from ...format.dates import systemtime_of_date
from ...format.layout import Layout

LABELS = "labels"  # the value of `anonymise` that removes labels too
NEUTRAL_DATE = datetime(2000, 1, 1)  # a valid date: some readers fail without one
_NAME_FIELDS = ("label", "name")


def check_anonymise(anonymise: bool | str) -> None:
    """Raise ValueError unless `anonymise` is True, False or ``"labels"``."""
    if anonymise not in (True, False, LABELS):
        raise ValueError(f"expected anonymise to be True, False or {LABELS!r}, found {anonymise!r}")


def check_dates_removed(path: str, tick_rate: int, ticks: Sequence[int], anonymise: bool | str, base_tick: int) -> None:
    """Raise ValueError if timestamps would still reveal the date, or become negative."""
    first, last = min(ticks, default=0), max(ticks, default=0)
    if base_tick and not (anonymise and counts_from_1970(tick_rate, last)):
        raise ValueError(f"{path}: base_tick (--base-tick) is for anonymising clocks that count from 1970")
    if base_tick > first or base_tick < 0:
        raise ValueError(f"{path}: expected a base_tick of 0 to {first}, the first timestamp, found {base_tick}")
    if anonymise and counts_from_1970(tick_rate, last - base_tick):
        example = first // tick_rate * tick_rate
        raise ValueError(
            f"{path}: its timestamps count from 1970 and reveal the date; give base_tick (--base-tick), which is "
            f"subtracted from each, the same for every file of a recording: {example}"
        )


def anonymous_basic(version: tables.NsxVersion | tables.NevVersion, raw: bytes, anonymise: bool | str) -> bytes:
    """A basic header without its date, comment and application."""
    application = (
        tables.RIPPLE_NEUTRAL_APPLICATION if version.vendor == "ripple" else b""
    )  # it identifies Ripple's layout
    values = {"time_origin": systemtime_of_date(NEUTRAL_DATE), "comment": b"", "application": application}
    if anonymise == LABELS:
        values["label"] = b""
    return version.basic.with_values(_without_remnants(version.basic, raw), **values)


def anonymous_record(layout: Layout, raw: bytes, anonymise: bool | str) -> bytes:
    """An extended header without the bytes after its texts; with ``"labels"`` its names become neutral too."""
    clean = _without_remnants(layout, raw)
    if anonymise != LABELS:
        return clean
    fields = layout.unpack(raw)
    neutral = b"ch%d" % fields["electrode_id"] if "electrode_id" in fields else b""
    return layout.with_values(clean, **dict.fromkeys(_NAME_FIELDS, neutral))


def _without_remnants(layout: Layout, raw: bytes) -> bytes:
    """A record with zeros in reserved bytes and after its texts, where recorders leave old memory."""
    out = bytearray(raw)
    for offset, field, code in layout.rows:
        stop = offset + struct.calcsize("<" + code)
        if not field:
            out[offset:stop] = bytes(stop - offset)
        elif code.endswith("s"):
            out[offset:stop] = bytes(out[offset:stop]).split(b"\0")[0].ljust(stop - offset, b"\0")
    return bytes(out)
