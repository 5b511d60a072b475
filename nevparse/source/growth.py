# SPDX-License-Identifier: MIT
"""Looking at a file again and again while it is being written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import inf
from typing import NamedTuple

POLL_S = 0.5


class FollowOptions(NamedTuple):
    """How a file is followed: seconds between looks, seconds without news that end it, and what else does."""

    poll_s: float = POLL_S
    timeout_s: float | None = None
    stop: Callable[[], bool] | None = None


def poll_growth(
    look: Callable[[], object],
    n_there: Callable[[], int],
    poll_s: float,
    timeout_s: float | None,
    stop: Callable[[], bool] | None = None,
) -> Iterator[int]:
    """Look at a file every `poll_s` seconds; yields how many more there are after each look, 0 included.

    Ends where nothing came for `timeout_s` seconds, if that is given; or `stop`, which is asked before each look,
    says so: that look is the last. What others found meanwhile, who look at the same file, counts as well.

    Raises
    ------
    ValueError
        Where a time is negative, or endless where it must not be.
    """
    if not (0 <= poll_s < inf and (timeout_s is None or timeout_s >= 0)):
        raise ValueError(f"expected seconds of 0 or more, found poll_s={poll_s!r}, timeout_s={timeout_s!r}")
    before, found_last = n_there(), time.monotonic()
    while True:
        is_last, looked = stop is not None and stop(), time.monotonic()
        look()
        n = n_there()
        found, before = n - before, n
        yield found
        found_last = looked if found else found_last
        if is_last or (timeout_s is not None and looked - found_last >= timeout_s and not found):
            return
        time.sleep(max(0.0, looked + poll_s - time.monotonic()))
