# SPDX-License-Identifier: MIT
"""One open file used by many threads and processes, closed by one while others read, and let go of in the end."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from builders.handles import open_files
from contents import all_of, open_file, worker
from depth import searched
from fixture_types import FileOf, Opened
from processes import PATIENCE_S, environment

import nevparse as nv
from nevparse.cached import cached_property
from nevparse.nsx.file import NsxFile
from nevparse.source import file as source_file

PathOf = Callable[[str], str]

N_THREADS = 4
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts every process anew")
# Python warns of what is tested here
ALLOW_FORK = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

FILES = {
    **{kind: b.plausible(kind, 3, (40, 30))[0] for kind in ("2.1", "2.3")},
    "many blocks": t.blocks(list(range(0, 180, 3)), [2] * 60),
    "shuffled packets": t.ptp(t.shuffled(t.stamps(100), {30: [2, 0, 1]})),
    "nev": nb.every_kind((3, 0)),
}
every_file = pytest.mark.parametrize("what", FILES)


@pytest.fixture(autouse=True)
def threads_change_often() -> Iterator[None]:
    """Let threads meet in the middle of everything."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(params=["positional", "seeking"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same test with the system's positional reads, and with those of systems that have none."""
    if request.param == "seeking":
        monkeypatch.delattr(os, "pread", raising=False)
        monkeypatch.delattr(os, "preadv", raising=False)


@pytest.fixture
def path_of(file_of: FileOf) -> PathOf:
    def write(what):
        return file_of(FILES[what], "s.nev" if what.startswith("nev") else "s.ns5")

    return write


def together(calls):
    """Run calls at the same moment, each in a thread; their results, or what they raised."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait(PATIENCE_S)
        try:
            return call()
        except Exception as error:  # for the test to judge
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


# ------------------------------------------------------------------------------------------------------ threads


@pytest.mark.usefixtures("either_way")
@searched("n_tries", 1, 10)
@every_file
def test_many_threads_read_one_file_as_one_thread_does(path_of: PathOf, what: str, n_tries) -> None:
    path = path_of(what)
    with open_file(path) as file:
        alone = all_of(file)
    for _ in range(n_tries):
        with open_file(path) as file:  # fresh: its first touch is raced
            assert together([partial(all_of, file)] * N_THREADS) == [alone] * N_THREADS


@every_file
def test_threads_that_race_get_one_and_the_same(path_of: PathOf, what: str) -> None:
    name = "electrodes" if what.startswith("nev") else "segments"
    for _ in range(3):
        with open_file(path_of(what)) as file:
            found = together([lambda file=file: getattr(file, name)] * N_THREADS)
            assert len({id(one) for one in found}) == 1


def test_a_value_is_worked_out_once_and_threads_do_not_wait() -> None:
    made, both = [], threading.Barrier(2)

    class Thing:
        @cached_property
        def value(self):
            """What it is."""
            both.wait(PATIENCE_S)  # passed only if two objects can be worked on at the same time
            made.append(self)
            return object()

    things = Thing(), Thing()
    values = together([lambda thing=thing: thing.value for thing in things])
    assert [thing.value for thing in things] == values
    assert len(made) == 2
    assert Thing.value.__doc__ == "What it is."


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("kind", ["2.1", "2.3", "ptp", "nfx"])
def test_threads_export_one_file_to_several_targets(file_of: FileOf, tmp_path: Path, kind: str) -> None:
    raw, samples = b.plausible(kind, 4, (3000,))
    ways = [[0, 1, 2, 3], [3, 1], [2], None] * 2
    with nv.open_nsx(file_of(raw)) as ns:
        calls = [partial(nv.write_bin, ns, tmp_path / f"{k}.bin", channels=way) for k, way in enumerate(ways)]
        reports = together(calls)
    assert [report.n_samples for report in reports] == [3000] * len(ways)
    for k, way in enumerate(ways):
        expected = samples if way is None else samples[:, way]
        assert (tmp_path / f"{k}.bin").read_bytes() == expected.tobytes()
    assert len(list(tmp_path.glob("*.nevparse-*"))) == 0


# ----------------------------------------------------------------------------- closed by one, while another reads


@pytest.mark.usefixtures("either_way")
@searched("n_tries", 2, 10)
@every_file
def test_closing_while_others_read_is_a_clean_error(path_of: PathOf, what: str, n_tries) -> None:
    path = path_of(what)
    with open_file(path) as file:
        alone = all_of(file)
    before = open_files()
    for k in range(n_tries):
        file = open_file(path)
        reading = [partial(until_closed, file)] * 3
        *ends, _ = together([*reading, lambda file=file, k=k: (time.sleep(k * 2e-3), file.close())])
        for results, error in ends:
            assert results.count(alone) == len(results), "what was read is right"
            assert isinstance(error, ValueError), repr(error)
            assert "closed" in str(error)
        del ends, _, error
        gc.collect()
        assert open_files() == before, "nothing that was made meanwhile holds the map"


def until_closed(file):
    results = []
    while True:
        try:
            results.append(all_of(file))
        except Exception as error:  # noqa: PERF203 - it ends the loop
            return results, error.with_traceback(None)


@pytest.mark.parametrize("name", ["pread", "preadv"])
def test_a_number_given_to_another_file_meanwhile_is_noticed(
    file_of: FileOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name
) -> None:
    """The handle is looked up, the file is closed, another one gets its number, and then the system reads."""
    if not hasattr(os, name):
        pytest.skip(f"os.{name} is not there")
    other, real, others = file_of(b"\xff" * 10_000, "other"), getattr(os, name), []
    source = source_file.FileSource(file_of(bytes(1000), "ours"))

    def closed_meanwhile(handle, *arguments):
        source.close()
        others.append(os.open(other, os.O_RDONLY))
        assert others == [handle], "the system gives the lowest number that is free"
        return real(handle, *arguments)

    monkeypatch.setattr(os, name, closed_meanwhile)
    try:
        with pytest.raises(ValueError, match="is closed"):
            source.read(10, 0) if name == "pread" else source.readinto(memoryview(bytearray(10)), 0)
    finally:
        os.close(others[0])


def test_a_map_of_another_file_is_noticed(file_of: FileOf, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_file.FileSource(file_of(bytes(1000), "ours"))
    real = source._new_map

    def closed_meanwhile():
        mapped = real()
        source.close()
        return mapped

    monkeypatch.setattr(source, "_new_map", closed_meanwhile)
    with pytest.raises(ValueError, match="is closed"):
        source.view(np.dtype("u1"), (5,), 0)
    assert source._map is None


@pytest.mark.parametrize("columns", [[0, 1], [1]])
def test_closing_the_input_of_an_export_leaves_nothing(file_of: FileOf, out: Path, columns) -> None:
    raw, _ = b.plausible("2.3", 2, (400_000,))
    ns = nv.open_nsx(file_of(raw))
    with pytest.raises(ValueError, match="closed"):
        nv.write_bin(ns, out, channels=columns[::-1], progress=lambda *_: ns.close())
    assert list(out.parent.iterdir()) == []


# ---------------------------------------------------------------------------------------------------- processes


@ALLOW_FORK
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_files_are_handed_to_processes_however_they_start(
    file_of: FileOf, method, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # they need none of pytest
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    names = {what: file_of(data, f"{k}.nev" if what.startswith("nev") else f"{k}.ns5")
             for k, (what, data) in enumerate(FILES.items())}  # fmt: skip
    files = [open_file(name) for name in names.values()]
    try:
        with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            assert list(pool.map(worker, files, timeout=PATIENCE_S)) == list(map(all_of, files))
    finally:
        for file in files:
            file.close()


@every_file
def test_a_closed_file_can_be_handed_on_too(path_of: PathOf, what: str) -> None:
    with open_file(path_of(what)) as file:
        alone = all_of(file)
    with pickle.loads(pickle.dumps(file)) as again:
        assert all_of(again) == alone


def in_child(call):
    """Run a call in a forked process; returns what waits for its answer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = pickle.dumps(call())
        except BaseException as error:
            answer = pickle.dumps(repr(error))
        with open(writing, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)  # none of the parent's tests and threads go on here
    os.close(writing)

    def wait():
        with open(reading, "rb") as pipe:
            answered, _, _ = select.select([pipe], [], [], PATIENCE_S)
            if not answered:
                os.kill(child, signal.SIGKILL)
            answer = pipe.read()
        os.waitpid(child, 0)
        return pickle.loads(answer) if answer else "no answer"

    return wait


@FORKS
@ALLOW_FORK
@pytest.mark.parametrize("lacking", [(), ("preadv",)], ids=["preadv", "pread"])
@every_file
def test_a_file_opened_before_a_fork_serves_both(
    path_of: PathOf, what: str, lacking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have one handle, whose offset they share: neither may move it."""
    for name in lacking:
        monkeypatch.delattr(os, name, raising=False)
    with open_file(path_of(what)) as file:
        alone = all_of(file)
        if isinstance(file, NsxFile):
            file._source._file.seek(3)
        read = partial(many_times, file)
        answers = [in_child(read), in_child(read)]
        assert read() == [alone]
        assert [answer() for answer in answers] == [[alone]] * 2
        if isinstance(file, NsxFile):
            assert file._source._file.tell() == 3, "reading moves nothing"


def many_times(file):
    """Distinct results of reading by position and through maps, over and over."""
    found = []
    for _ in range(8):
        result = all_of(file)
        found += [] if result in found else [result]
        if isinstance(file, NsxFile):
            buffer = bytearray(min(500, file.size_bytes))
            assert file.readinto(memoryview(buffer), 0) == len(buffer)
            with open(file.path, "rb") as again:
                assert again.read(len(buffer)) == buffer
    return found


@FORKS
@ALLOW_FORK
def test_a_fork_in_the_middle_of_an_export_disturbs_neither(file_of: FileOf, tmp_path: Path) -> None:
    """The thread that writes is not there in the child, and nothing waits for it."""
    raw, samples = b.plausible("2.3", 2, (400_000,))
    answers, half_way = [], threading.Event()
    with nv.open_nsx(file_of(raw)) as ns:

        def export(name):
            nv.write_bin(ns, tmp_path / name, channels=[1, 0])
            return (tmp_path / name).read_bytes() == samples[:, ::-1].tobytes()

        def forked(*_):
            if not half_way.is_set():
                half_way.set()
                assert "nevparse-write" in [thread.name for thread in threading.enumerate()]
                answers.append(in_child(partial(export, "child.bin")))

        nv.write_bin(ns, tmp_path / "parent.bin", channels=[1, 0], progress=forked)
        assert [answer() for answer in answers] == [True]
    assert (tmp_path / "parent.bin").read_bytes() == samples[:, ::-1].tobytes()


@FORKS
@ALLOW_FORK
@pytest.mark.parametrize("held", ["a property", "a map"])
def test_a_fork_while_a_thread_works_something_out_locks_nothing(
    file_of: FileOf, monkeypatch: pytest.MonkeyPatch, held
) -> None:
    started, go_on, real = threading.Event(), threading.Event(), source_file.FileSource._new_map

    def slow(source):
        if threading.current_thread() is thread:
            started.set()
            assert go_on.wait(PATIENCE_S)
        return real(source)

    class Thing:
        value = cached_property(lambda _: ns.read(segment=0).shape)

    with nv.open_nsx(file_of(FILES["2.3"])) as ns:
        read = (lambda: Thing().value) if held == "a property" else (lambda: ns.read(segment=0).shape)
        thread = threading.Thread(target=read)
        monkeypatch.setattr(source_file.FileSource, "_new_map", slow)
        thread.start()
        try:
            assert started.wait(PATIENCE_S)
            assert in_child(read)() == read()
        finally:
            go_on.set()
            thread.join()


# ------------------------------------------------------------------------------------------------------ handles


@every_file
def test_arrays_outlive_the_file_and_its_object(path_of: PathOf, what: str) -> None:
    path = path_of(what)
    file = open_file(path)
    if what.startswith("nev"):
        arrays = [file.packets, file.spikes(), *file.trains().values()]
    else:
        arrays = [part for s in file.segments for part in (s.samples, s.ticks(), *s.blocks)]
    copies = [array.copy() for array in arrays]
    file.close()
    del file
    gc.collect()
    os.unlink(path) if os.name == "posix" else None  # elsewhere a file that is mapped stays
    assert all(one.tobytes() == other.tobytes() for one, other in zip(arrays, copies, strict=True))


@every_file
def test_a_file_can_be_moved_and_removed_once_it_is_closed(path_of: PathOf, what: str, tmp_path: Path) -> None:
    path = path_of(what)
    with open_file(path) as file:
        all_of(file)
    os.replace(path, tmp_path / "moved")
    (tmp_path / "moved").unlink()
    assert file.closed
    with pytest.raises((ValueError, FileNotFoundError)):
        all_of(file)


def test_an_export_can_be_moved_and_removed_though_its_sidecar_is_in_use(opened: Opened, tmp_path: Path) -> None:
    report = nv.write_bin(opened(FILES["2.3"]), tmp_path / "o.bin", gaps="join")
    described = nv.read_sidecar(report.path)
    for path in (report.path, report.sidecar_path):
        os.replace(path, tmp_path / "moved")
    assert described.n_samples == report.n_samples


def test_the_writer_thread_is_gone_after_an_export(opened: Opened, tmp_path: Path) -> None:
    ns = opened(FILES["2.1"])
    nv.write_bin(ns, tmp_path / "o.bin", channels=[2, 0])
    with pytest.raises(IndexError):
        nv.write_bin(ns, tmp_path / "p.bin", channels=[2, 0], progress=lambda *_: [][0])
    assert "nevparse-write" not in [thread.name for thread in threading.enumerate()]
