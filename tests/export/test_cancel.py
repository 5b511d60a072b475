# SPDX-License-Identifier: MIT
"""An export is cancelled by an exception of its `progress`, from wherever that was asked for, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from processes import PATIENCE_S

import nevparse as nv

ROOT = Path(nv.__file__).resolve().parents[1]
NOTE = (ROOT / "spec_notes" / "exports.md").read_text(encoding="utf-8")


class Cancelled(InterruptedError):
    """What the caller's progress raises: as in the README an OSError, which the system did not raise."""


def checking(is_asked_for: threading.Event, begun: threading.Event) -> Callable[[int, int], None]:
    """A progress function that waits until somebody asks to cancel, as one of a window does."""

    def progress(done: int, total: int) -> None:
        begun.set()
        if is_asked_for.wait(PATIENCE_S):
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
    assert begun.wait(PATIENCE_S)
    asked.set()
    thread.join()
    assert [type(error) for error in outcome] == [Cancelled]
    assert sorted(os.listdir(path.parent)) == ["s.nev", "s.ns5"]


async def when_it_has_begun(folder: Path) -> None:
    while not list(folder.glob("*.nevparse-part")):
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("is_timeout", [False, True])
def test_exports_c17_a_task_of_asyncio_cancels(path: Path, is_timeout: bool) -> None:
    names: dict[str, Any] = {"nv": nv}
    (code,) = re.findall(r"^```python\n(import asyncio.*?)^```", NOTE, re.DOTALL | re.MULTILINE)
    exec(compile(code, "exports.md", "exec"), names)
    export, target = names["export"], path.with_name("o.bin")

    async def export_and_cancel() -> None:
        endless = asyncio.create_task(export(path, target, gaps="join", follow=True, poll_s=0.001))
        await when_it_has_begun(path.parent)
        if is_timeout:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(endless, 0)
        else:
            endless.cancel()
            with pytest.raises(asyncio.CancelledError):
                await endless
        assert sorted(os.listdir(path.parent)) == ["s.nev", "s.ns5"]
        assert (await export(path, target)).n_samples == 3000

    asyncio.run(export_and_cancel())


@pytest.mark.parametrize("n_samples", [0, 3000])
def test_exports_c17_a_followed_export_is_cancelled_while_nothing_is_recorded(path: Path, n_samples: int) -> None:
    path.write_bytes(b.nsx([(0, b.ramp(n_samples, 4))]))
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if len(calls) == 9:
            raise Cancelled

    with pytest.raises(Cancelled):
        nv.write_bin(path, path.with_name("o.bin"), gaps="join", follow=True, poll_s=0, progress=progress)
    assert calls[0] == (0, 0)
    assert len(calls) == 9
    assert sorted(os.listdir(path.parent)) == ["s.nev", "s.ns5"]


def ptp(path: Path, n_samples: int = 90_000) -> str:
    """A file of a timestamp for each sample, of more than is read at a time."""
    path.write_bytes(b.nsx([(0, np.zeros((n_samples, 4), np.int16))], "ptp"))
    return str(path)


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("name", ["s.ns5", "s"])
def test_exports_c17_a_check_is_cancelled_while_it_reads_timestamps(path: Path, name: str) -> None:
    ptp(path, 9000)
    size = path.stat().st_size + (path.with_suffix(".nev").stat().st_size if name == "s" else 0)
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if cancelled_at is not None and done >= cancelled_at:
            raise Cancelled

    cancelled_at: int | None = None
    nv.check(path.with_name(name), progress=progress)
    assert len(calls) > 4
    assert calls == sorted(calls)
    assert {total for _, total in calls} == {size}
    assert calls[-1] == (size, size)
    cancelled_at = size // 2
    with pytest.raises(Cancelled):
        nv.check(path.with_name(name), progress=progress)
    cancelled_at = 2000
    with nv.open_nsx(path) as ns, pytest.raises(Cancelled):
        ns.fully_scanned(progress=progress)


@pytest.mark.usefixtures("open_fonts")
@pytest.mark.parametrize("n_calls", range(1, 12))
def test_exports_c17_a_page_is_cancelled_at_any_step(path: Path, n_calls: int) -> None:
    pytest.importorskip("matplotlib")
    ptp(path)
    calls: list[int] = []

    def progress(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == n_calls:
            raise Cancelled

    with pytest.raises(Cancelled):
        nv.write_report(path.with_name("s"), path.with_name("s.html"), progress=progress)
    assert sorted(os.listdir(path.parent)) == ["s.nev", "s.ns5"]


def test_exports_c18_stop_is_for_what_is_followed(path: Path) -> None:
    with pytest.raises(ValueError, match=r"stop with follow=True: .* what progress raises cancels it"):
        nv.write_bin(path, path.with_name("o.bin"), stop=lambda: True)
