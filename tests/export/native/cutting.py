# SPDX-License-Identifier: MIT
"""Files to cut, and what is to come of them."""

from __future__ import annotations

import os
import struct
import warnings
from datetime import datetime, timedelta, timezone

import pytest
from builders import nsx as b
from builders import timing as t

import nevparse as nv

NEV_VERSIONS = [((2, 0), False), ((2, 1), False), ((2, 2), False), ((2, 3), False), ((3, 0), False), ((2, 2), True)]
NSX_DATE = datetime(2023, 6, 14, 10, 30, 5, 250_000, timezone.utc)
NEV_DATE = datetime(2024, 3, 14, 19, 9, 47, 630_000, timezone.utc)
NEUTRAL = (2000, 1, 6, 1, 0, 0, 0, 0)
NEUTRAL_DATE = datetime(2000, 1, 1)
every_kind = pytest.mark.parametrize("kind", b.KINDS)
every_nev = pytest.mark.parametrize(("version", "ripple"), NEV_VERSIONS, ids=str)


def words(moment):
    """A SYSTEMTIME, to the nearest millisecond."""
    moment += timedelta(microseconds=500)
    clock = (moment.hour, moment.minute, moment.second, moment.microsecond // 1000)
    return (moment.year, moment.month, moment.isoweekday() % 7, moment.day, *clock)


def quietly(opener, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.NevParseWarning)
        return opener(data)


def refused(out, error, match, call):
    with pytest.raises(error, match=match):
        call()
    assert os.listdir(out.parent) == []


WHOLE = {
    "no block": b.nsx([]),
    "empty blocks": b.nsx([(5, b.ramp(3, 2)), (9, b.ramp(0, 2)), (9, b.ramp(2, 2)), (20, b.ramp(0, 2))]),
    "more headers": b.basic("2.3", 1, header_bytes=314 + 66 + 7) + b.channel(1) + b"unknown" + b.block("2.3", 0, [[1]]),
    "over 32 bits": t.blocks([2**32 - 300, 200], [500, 100]),
    "adjoining": t.blocks([0, 10, 20, 90], [10, 10, 10, 10]),
    "a hidden block": t.hidden_block(),
    "the clock set back": t.blocks([90_000, 0], [10, 10], "3.0"),
    "shuffled": t.ptp(t.shuffled(t.stamps(100), {50: [2, 0, 1]})),
    "an unknown minor version": b.nsx([(0, b.ramp(3, 2))], version=(2, 9)),
}


def taken_apart(raw):
    """Basic header, extended headers and packets of a NEV."""
    start, size = struct.unpack_from("<II", raw, 12)
    headers = [raw[at : at + 32] for at in range(336, start, 32)]
    return raw[:336], headers, [raw[at : at + size] for at in range(start, len(raw), size)]


def put_together(basic, headers, packets, date=None):
    basic = basic[:12] + struct.pack("<I", 336 + 32 * len(headers)) + basic[16:332] + struct.pack("<I", len(headers))
    if date is not None:
        basic = basic[:28] + struct.pack("<8H", *date) + basic[44:]
    return basic + b"".join(headers) + b"".join(packets)
