# SPDX-License-Identifier: MIT
"""Work that two threads do at once; reading and copying leave Python free for the other one."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

ShareT = TypeVar("ShareT")


def in_two_threads(work: Callable[[ShareT], object], mine: ShareT, others: ShareT) -> None:
    """Do one share of some work, and the other one in a second thread, which has ended when this returns or raises."""
    failed: list[BaseException] = []

    def work_on_others() -> None:
        try:
            work(others)
        except BaseException as error:  # raised in the thread that called
            failed.append(error)

    second = Thread(target=work_on_others, name="nevparse-second")
    try:
        second.start()
        work(mine)
    finally:
        if second.is_alive():
            second.join()
    if failed:
        raise failed.pop()
