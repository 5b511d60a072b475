# SPDX-License-Identifier: MIT
"""Exports in processes that are killed or run out of space, and what must be true of what they leave behind.

Run as a script it is such a process: it takes one job for each line of JSON on its standard input.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import builders as b

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # on Windows the second ends a process as hard as the first here
KILLED = -KILL if os.name == "posix" else KILL
REFUSED = 3
_EVENTS = ("os.rename", "os.remove", "os.link")

Files = dict[str, bytes]


class Case:
    """One kind of export: a recording, what is there before, and what would be there after."""

    def __init__(self, name: str, raw: bytes, older: dict[str, Any] | None, options: dict[str, Any]) -> None:
        self.name, self.raw, self.older, self.options = name, raw, older, options

    def prepare(self, folder: Path) -> None:
        """Write the recording, and what an export leaves of it, before and after."""
        import nevparse as nv

        self.source = folder / f"{self.name}.ns5"
        self.source.write_bytes(self.raw)
        self.before: Files = {}
        with nv.open_nsx(self.source) as ns:
            for what, options in (("before", self.older), ("after", self.options)):
                target = folder / f"{self.name}-{what}" / "s.bin"
                target.parent.mkdir()
                if options is not None:
                    nv.write_bin(ns, target, **options)
                setattr(self, what, contents(target.parent))

    def lay_out(self, folder: Path) -> Path:
        """A folder as it is before the export; returns the target in it."""
        folder.mkdir()
        for name, data in self.before.items():
            (folder / name).write_bytes(data)
        return folder / "s.bin"

    def wrong(self, folder: Path) -> list[str]:
        """What must not be, in a folder where the export was ended at some moment."""
        files, found = contents(folder), []
        for name, data in files.items():
            if name.endswith((".part", ".lock")):
                continue
            if data not in (self.before.get(name), self.after.get(name)):
                found.append(f"{name} is neither the older nor the newer file")
            beside = os.path.splitext(name)[0] + ".bin"
            if (files.get(beside) == self.after.get(beside)) != (data == self.after.get(name)):
                found.append(f"{name} stands beside another export's {beside}")
        for name, data in self.before.items():
            if name.endswith(".bin") and name not in files:
                found.append(f"{name} is lost")
            if data not in (files.get(name), files.get(name + ".old.part")) and files[
                os.path.splitext(name)[0] + ".bin"
            ] != self.after.get(os.path.splitext(name)[0] + ".bin"):
                found.append(f"{name} is lost, and its .bin is still the older one")
        return found


def cases() -> list[Case]:
    """Every kind of export: nothing there before, an older pair, several files, timestamps beside the samples."""
    one, _ = b.plausible("2.3", 4, (150,))
    several, _ = b.plausible("2.3", 3, (50, 40))
    stamped, _ = b.plausible("ptp", 3, (120,))
    late = 7 * b.NANOSECONDS + 1_000_000  # 30 samples into the recording
    return [
        Case("fresh", one, None, {}),
        Case("pair", one, {"channels": [1]}, {}),
        Case("split", several, {"gaps": "split", "channels": [2, 0]}, {"gaps": "split"}),
        Case("ptp", stamped, {"start_tick": late, "channels": [1]}, {}),
    ]


def contents(folder: Path) -> Files:
    """Name and bytes of every file."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class Exporter:
    """Starts exports in processes of their own: forked from one where the system can, else each from nothing."""

    def __init__(self, fork: bool = hasattr(os, "fork")) -> None:
        self._fork, self._process = fork, None
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
        package = Path(__file__).resolve().parents[1]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "fork" if self._fork else "once"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(package), "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    def start(self, source: Path, target: Path, options: dict[str, Any], **more: Any) -> None:
        """Begin an export: `step` is the operation it is killed before, `pause_s` how long each step of it takes."""
        if not self._fork:
            self.__exit__()
            self._launch()
        job = {"source": str(source), "target": str(target), "options": options, **more}
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
        return self._process.wait()


# ------------------------------------------------------------------------------------------------------- in the process


def export(job: dict[str, Any]) -> int:
    """Do one job."""
    import nevparse as nv
    from nevparse.traces import packing

    packing.BUFFER_BYTES = 256
    step = itertools.count()

    def pass_by() -> None:
        if next(step) == job.get("step"):
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
    sys.addaudithook(audit)
    try:
        with nv.open_nsx(job["source"]) as ns:
            nv.write_bin(ns, job["target"], overwrite=True, progress=progress, **job["options"])
    except nv.ExportError as error:
        with open(job["says"], "w") as file:
            file.write(str(error)[: job.get("most_bytes", -1)])
        return REFUSED
    return 0


def serve() -> None:
    """Fork a process for each job, and say which it is and, when that is asked for, how it ended."""
    import nevparse as nv

    _ = nv.open_nsx, nv.write_bin
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            os._exit(export(json.loads(line)))
        print(pid, flush=True)
        if not sys.stdin.readline():  # the tests have ended
            os.kill(pid, KILL)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def main() -> int:
    """Do what the command line says."""
    if sys.argv[1] == "fork":
        serve()
        return 0
    print(os.getpid(), flush=True)
    return export(json.loads(sys.stdin.readline()))


if __name__ == "__main__":
    sys.exit(main())
