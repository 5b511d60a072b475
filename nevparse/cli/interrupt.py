# SPDX-License-Identifier: MIT
"""Ctrl-C as a request to end, where an export follows a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Tell whether Ctrl-C was pressed, or the system has asked to end; a second time it breaks off as ever.

    Only the main thread hears of it.
    """
    import signal  # only the command line needs these
    from threading import Event, current_thread, main_thread

    told, numbers = Event(), (signal.SIGINT, signal.SIGTERM) if current_thread() is main_thread() else ()

    def hear(*_: object) -> None:
        told.set()
        restore()

    before = {number: signal.signal(number, hear) or signal.SIG_DFL for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield told.is_set
    finally:
        restore()
