# SPDX-License-Identifier: MIT
"""An export is cancelled by an exception of its `progress`, from wherever that was asked for, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b

import nevparse as nv


class Cancelled(InterruptedError):
    """What the caller's progress raises: as in the README an OSError, which the system did not raise."""


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
    (tmp_path / "s.nev").write_bytes(nb.nev([nb.V2.digital(10, 1, 0)]))
    return tmp_path / "s.ns5"


def writers(path: Path, progress: Any) -> list[Callable[[], Any]]:
    samples, channels = np.zeros((30, 1), np.int16), [nv.NewChannel(1)]
    return [
        lambda: nv.write_bin(path, path.with_name("o.bin"), progress=progress),
        lambda: nv.write_sorter(path, path.with_name("sorter"), progress=progress),
        lambda: nv.write_nsx(path, path.with_name("o.ns5"), progress=progress),
        lambda: nv.write_nev(path.with_suffix(".nev"), path.with_name("o.nev"), progress=progress),
        lambda: nv.create_nsx(samples, path.with_name("o.ns5"), channels, sampling_rate=30_000, progress=progress),
    ]


@pytest.mark.parametrize("number", range(5))
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
    assert sorted(os.listdir(path.parent)) == ["s.nev", "s.ns5"]


def test_exports_c17_a_task_of_asyncio_cancels(path: Path) -> None:
    async def export_and_cancel() -> None:
        asked, begun = threading.Event(), threading.Event()
        export = asyncio.create_task(asyncio.to_thread(writers(path, checking(asked, begun))[0]))
        await asyncio.to_thread(begun.wait, 10)
        asked.set()
        with pytest.raises(Cancelled):
            await export

    asyncio.run(export_and_cancel())
    assert sorted(os.listdir(path.parent)) == ["s.nev", "s.ns5"]


def test_exports_c17_stop_is_for_what_is_followed(path: Path) -> None:
    with pytest.raises(ValueError, match=r"stop with follow=True: .* what progress raises cancels it"):
        nv.write_bin(path, path.with_name("o.bin"), stop=lambda: True)
