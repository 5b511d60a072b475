# SPDX-License-Identifier: MIT
"""Polling a file that is being written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import inf
from typing import NamedTuple

POLL_S = 0.5


class FollowOptions(NamedTuple):
    """How a growing file is followed."""

    poll_s: float = POLL_S  # from one poll to the next
    timeout_s: float | None = None  # without growth, after which it ends; None for never
    stop: Callable[[], bool] | None = None  # called before each poll, which is the last where it returns True


def poll_growth(refresh: Callable[[], object], count: Callable[[], int], options: FollowOptions) -> Iterator[int]:
    """Refresh a file every `poll_s` seconds; yields each time by how much its `count` has grown, 0 included.

    Growth that other threads noticed, by refreshing the same file, counts as well. ValueError for bad times.
    """
    poll_s, timeout_s, stop = options
    if not (0 <= poll_s < inf and (timeout_s is None or timeout_s >= 0)):
        raise ValueError(f"expected seconds of 0 or more, found poll_s={poll_s!r}, timeout_s={timeout_s!r}")
    before, last_growth = count(), time.monotonic()
    while True:
        is_last, polled = stop is not None and stop(), time.monotonic()
        refresh()
        now = count()
        growth, before = now - before, now
        yield growth
        last_growth = polled if growth else last_growth
        if is_last or (timeout_s is not None and polled - last_growth >= timeout_s and not growth):
            return
        time.sleep(max(0.0, polled + poll_s - time.monotonic()))
