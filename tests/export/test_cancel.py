# SPDX-License-Identifier: MIT
"""An export is cancelled by an exception of its `progress`, from wherever that was asked for, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import nsx as b

import nevparse as nv


class Cancelled(Exception):
    """What the caller's progress raises."""


def checking(is_asked_for: threading.Event, begun: threading.Event) -> Callable[[int, int], None]:
    """A progress function that waits until somebody asks to cancel, as one of a window does."""

    def progress(done: int, total: int) -> None:
        begun.set()
        if is_asked_for.wait(10):
            raise Cancelled

    return progress


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "s.ns5").write_bytes(b.nsx([(0, b.ramp(3000, 4))]))
    return tmp_path / "s.ns5"


def writers(path: Path, progress: Any) -> list[Callable[[], Any]]:
    return [
        lambda: nv.write_bin(path, path.with_name("o.bin"), progress=progress),
        lambda: nv.write_sorter(path, path.with_name("sorter"), progress=progress),
        lambda: nv.write_nsx(path, path.with_name("o.ns5"), progress=progress),
    ]


@pytest.mark.parametrize("number", range(3))
def test_exports_c17_another_thread_cancels(path: Path, number: int) -> None:
    asked, begun = threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    def run() -> None:
        try:
            writers(path, checking(asked, begun))[number]()
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(10)
    asked.set()
    thread.join()
    assert [type(error) for error in outcome] == [Cancelled]
    assert os.listdir(path.parent) == ["s.ns5"]


def test_exports_c17_a_task_of_asyncio_cancels(path: Path) -> None:
    async def export_and_cancel() -> None:
        asked, begun = threading.Event(), threading.Event()
        export = asyncio.create_task(asyncio.to_thread(writers(path, checking(asked, begun))[0]))
        await asyncio.to_thread(begun.wait, 10)
        asked.set()
        with pytest.raises(Cancelled):
            await export

    asyncio.run(export_and_cancel())
    assert os.listdir(path.parent) == ["s.ns5"]
