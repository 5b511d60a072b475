# SPDX-License-Identifier: MIT
"""Work that two threads do at once; reading and copying leave Python free for the other one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TypeVar

PieceT = TypeVar("PieceT")


@contextmanager
def shared_with_second_thread(
    work: Callable[[Iterator[PieceT]], object], pieces: Iterable[PieceT]
) -> Iterator[Iterator[PieceT]]:
    """Share pieces of work with a second thread: both take one after the other, this one from what is given.

    When the context is left all pieces are done; after an error or Ctrl-C the second thread has completed its last.
    """
    left, failed = deque(pieces), list[BaseException]()

    def take() -> Iterator[PieceT]:
        with suppress(IndexError):
            while True:
                yield left.popleft()

    def do_others() -> None:
        try:
            work(take())
        except BaseException as error:  # raised in the thread that shares
            failed.append(error)
            left.clear()

    second = Thread(target=do_others, name="nevparse-second")
    try:
        second.start()
        yield take()
        second.join()
    finally:
        left.clear()
        if second.is_alive():
            second.join()
    if failed:
        raise failed.pop()
