# SPDX-License-Identifier: MIT
"""Exports in processes that are killed or run out of space, and what must be true of what they leave behind.

Run as a script it is such a process: it takes one job for each line of JSON on its standard input.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builders import nsx as b
from processes import environment

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # on Windows the second ends a process as hard as the first here
KILLED = -KILL if os.name == "posix" else KILL
REFUSED = 3
PART, OLD, LOCK = ".nevparse-part", ".nevparse-old", ".nevparse-lock"
TESTS = Path(__file__).resolve().parents[2]
_EVENTS = ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir")

Files = dict[str, bytes]


class Case:
    """One kind of export: a recording, and the files before and after."""

    target, write = "s.bin", "write_bin"

    def __init__(self, name: str, raw: bytes, older: dict[str, Any] | None, options: dict[str, Any]) -> None:
        self.name, self.raw, self.older, self.options = name, raw, older, options

    def prepare(self, folder: Path) -> None:
        """Write the recording, and what an export leaves of it, before and after."""
        self.source = folder / f"{self.name}.ns5"
        self.source.write_bytes(self.raw)
        self.before, self.after = Files(), Files()
        for files, options in ((self.before, self.older), (self.after, self.options)):
            target = folder / f"{self.name}-{'before' if files is self.before else 'after'}" / self.target
            target.parent.mkdir()
            if options is not None:
                self.export(target, **options)
            files.update(contents(target.parent))

    def export(self, target: Path | str, **options: Any) -> Any:
        """The newer export, in this process."""
        import nevparse as nv

        with nv.open_nsx(self.source) as ns:
            return getattr(nv, self.write)(ns, target, **options)

    def set_up(self, folder: Path) -> Path:
        """A folder as it is before the export; returns the target in it."""
        folder.mkdir()
        for place in {(folder / name).parent for name in self.before} - {folder}:
            place.mkdir()
        for name, data in self.before.items():
            (folder / name).write_bytes(data)
        return folder / self.target

    def wrong(self, folder: Path) -> list[str]:
        """What must not be, in a folder where the export was ended at some moment."""
        files, found = contents(folder), []
        for name, data in files.items():
            if name.endswith((PART, OLD, LOCK)) or PART + "/" in name:
                continue
            if data not in (self.before.get(name), self.after.get(name)):
                found.append(f"{name} is neither the older nor the newer file")
            others = self.described(name, files) if self.before.get(name) != self.after.get(name) else []
            if any(self.is_new(other, files) != (data == self.after.get(name)) for other in others):
                found.append(f"{name} stands beside another export's .bin")
        for name, data in self.before.items():
            if name.endswith(".bin") and name in self.after and name not in files:
                found.append(f"{name} is lost")
            described = self.described(name, files)
            if data not in (files.get(name), files.get(name + OLD)) and not all(
                self.is_new(other, files) for other in described
            ):
                found.append(f"{name} is lost, and its .bin is still the older one")
        return found

    def is_new(self, name: str, files: Files) -> bool:
        """Whether a file is the newer one."""
        return files.get(name) == self.after.get(name)

    def described(self, name: str, files: Files) -> list[str]:
        """What a file describes."""
        return [name.removesuffix(".json").removesuffix(".ticks")]

    def left_over(self, folder: Path) -> list[str]:
        """What no run may leave that was not killed itself."""
        return [path.name for path in folder.rglob("*") if path.name.endswith((PART, LOCK))]


class FolderCase(Case):
    """A folder for a sorter, in which every file describes every ``.bin``."""

    target, write = "out", "write_sorter"

    def prepare(self, folder: Path) -> None:
        """Also put a file of the user's beside the older export."""
        super().prepare(folder)
        if self.older is not None:
            self.before["out/notes.txt"] = self.after["out/notes.txt"] = b"mine"

    def described(self, name: str, files: Files) -> list[str]:
        """Every ``.bin``."""
        is_file = not name.endswith((".bin", ".txt"))
        return [other for other in files if other.startswith("out/") and other.endswith(".bin")] if is_file else []


def cases() -> list[Case]:
    """Every kind of export: nothing before, an older pair, several files, timestamps beside the samples."""
    one, _ = b.plausible("2.3", 4, (150,))
    several, _ = b.plausible("2.3", 3, (50, 40))
    with_ticks, _ = b.plausible("ptp", 3, (120,))
    late = 7 * b.NANOSECONDS + 1_000_000  # 30 samples into the recording
    return [
        Case("fresh", one, None, {}),
        Case("pair", one, {"channels": [1]}, {}),
        Case("split", several, {"gaps": "split", "channels": [2, 0]}, {"gaps": "split"}),
        Case("ptp", with_ticks, {"start_tick": late, "channels": [1]}, {}),
    ]


def folder_cases() -> list[Case]:
    """A new folder; one whose files are replaced; one in which some files have no newer ones."""
    several, _ = b.plausible("2.3", 3, (50, 40))
    return [
        FolderCase("new", several, None, {"gaps": "join"}),
        FolderCase("replaced", several, {"gaps": "join", "channels": [2, 0]}, {"gaps": "join"}),
        FolderCase("fewer", several, {"gaps": "split"}, {"gaps": "join"}),
    ]


def contents(folder: Path) -> Files:
    """Name and bytes of every file."""
    paths = sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}


class Exporter:
    """Starts exports in processes of their own: forked from one where the system can, else each from nothing."""

    def __init__(self, fork: bool = hasattr(os, "fork")) -> None:
        self._fork = fork
        self._process: Any = None
        if fork:
            self._launch()

    def __enter__(self) -> Exporter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()

    def _launch(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "fork" if self._fork else "once"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(TESTS.parent, TESTS),
        )  # fmt: skip

    def start(self, case: Case, target: Path, **more: Any) -> None:
        """Begin an export: `step` is the operation it is killed before, `pause_s` how long each step of it takes."""
        if not self._fork:
            self.__exit__()
            self._launch()
        job = {"source": str(case.source), "target": str(target), "options": case.options, "write": case.write, **more}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._process.stdout.readline())

    def kill(self) -> None:
        """End it at once."""
        os.kill(self._pid, KILL)

    def wait(self) -> int:
        """How it ended: 0, the signal, or REFUSED. Until then its number is not given to another process."""
        if self._fork:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())
        return int(self._process.wait())

    def killed_before(self, case: Case, target: Path, step: int, **more: Any) -> bool:
        """Kill an export before an operation; False where it had ended by then."""
        return self._is_killed(case, target, step=step, **more)

    def killed_when(self, case: Case, target: Path, file: Path, n_bytes: int | None = None) -> bool:
        """Kill an export before the first operation at which a file exists, and has a size; else False."""
        return self._is_killed(case, target, file=str(file), n_bytes=n_bytes)

    def _is_killed(self, case: Case, target: Path, **more: Any) -> bool:
        self.start(case, target, **more)
        code = self.wait()
        assert code in (0, REFUSED, KILLED)
        return code == KILLED


# ------------------------------------------------------------------------------------------------------- in the process


def export(job: dict[str, Any]) -> int:
    """Do one job."""
    import nevparse as nv
    from nevparse.traces import packing

    packing.BUFFER_BYTES = 256
    step = itertools.count()

    def pass_by() -> None:
        file = job.get("file")
        is_there = file is not None and os.path.exists(file) and job["n_bytes"] in (None, os.path.getsize(file))
        if next(step) == job.get("step") or is_there:
            os.kill(os.getpid(), KILL)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS or (event == "open" and str(arguments[0]).startswith(os.path.dirname(job["target"]))):
            pass_by()

    def progress(*_: int) -> None:
        pass_by()
        time.sleep(job.get("pause_s", 0))

    if "most_bytes" in job:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (job["most_bytes"], job["most_bytes"]))
    if not job.get("links", True):
        os.link = failing(errno.EPERM)  # as on a file system without hard links
    if "refused" in job:
        os.replace = refusing(job["refused"], os.replace)
    sys.addaudithook(audit)
    try:
        with nv.open_nsx(job["source"]) as ns:
            getattr(nv, job["write"])(ns, job["target"], overwrite=True, progress=progress, **job["options"])
    except nv.ExportError as error:
        with open(job["says"], "w") as file:
            file.write(str(error)[: job.get("most_bytes", -1)])
        return REFUSED
    return 0


def failing(code: int) -> Callable[..., None]:
    """A call of the system that fails."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def refusing(ending: str, replace: Any) -> Any:
    """What `os.replace` does where the last of several names cannot be given."""

    def refuse(source: str, to: str) -> None:
        if str(to).endswith(ending) and not str(source).endswith(OLD):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        replace(source, to)

    return refuse


def serve() -> None:
    """Fork a process for each job; print its number and, on request, how it ended."""
    import numpy as np

    import nevparse as nv

    _ = nv.open_nsx, nv.write_bin, nv.write_sorter, np.ma  # loaded once, and not by each process again
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            os._exit(export(json.loads(line)))
        print(pid, flush=True)
        if not sys.stdin.readline():  # the tests have ended
            os.kill(pid, KILL)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "fork":
        serve()
    else:
        print(os.getpid(), flush=True)
        sys.exit(export(json.loads(sys.stdin.readline())))
