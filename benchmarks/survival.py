"""Count what the package survives: damaged files, kills, full disks, files that are still being recorded.

    python benchmarks/survival.py
    python benchmarks/survival.py --kills 500 --markdown

Each function in `ROWS` repeats one kind of accident and gives rows of the table: how often, how it ended, and how often
anything was lost.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE.parent / "tests" / "export" / "output")]

import numpy as np  # noqa: E402
from builders import nsx as builders  # noqa: E402
from builders import recorders  # noqa: E402
from builders import timing as timing_builders  # noqa: E402
from export.output import crashes  # noqa: E402
from fuzz import corpus, properties  # noqa: E402
from fuzz.seeds import mutated  # noqa: E402

import nevparse as nv  # noqa: E402

OUTCOMES = {0: "finished before", crashes.KILLED: "killed", crashes.REFUSED: "ExportError"}


class Row(NamedTuple):
    """What was tried, how often, how often each end came, and how often something was wrong afterwards."""

    what: str
    n_tried: int
    outcomes: Counter[str]
    n_wrong: int


def kills(n: int, folder: Path) -> Iterator[Row]:
    """Kill exports at random moments of their run."""
    with crashes.Exporter() as exporter:
        for case in prepared(folder):
            outcomes, n_wrong = Counter[str](), 0
            export_s = duration_s(case, exporter, folder)
            while outcomes["killed"] < n:
                target = case.set_up(folder / f"{case.name}-kill-{outcomes.total()}")
                exporter.start(case, target, pause_s=0.002)
                time.sleep(random.random() * export_s)
                exporter.kill()
                outcomes[OUTCOMES[exporter.wait()]] += 1
                n_wrong += bool(case.wrong(target.parent)) or not recovers(case, exporter, target)
            yield Row(f"export killed at a random moment: {case.name}", outcomes.total(), outcomes, n_wrong)


def full_disks(n: int, folder: Path) -> Iterator[Row]:
    """Let exports run into a limit on the size of files, at random sizes."""
    with crashes.Exporter() as exporter:
        for case in prepared(folder):
            outcomes, n_wrong = Counter[str](), 0
            most = max(map(len, case.after.values()))
            for k in range(n):
                target = case.set_up(folder / f"{case.name}-full-{k}")
                limit = {"most_bytes": random.randrange(200, most), "says": str(folder / "says")}
                exporter.start(case, target, **limit)
                outcomes[OUTCOMES[exporter.wait()]] += 1
                n_wrong += crashes.contents(target.parent) != case.before or not recovers(case, exporter, target)
            yield Row(f"export that runs out of space: {case.name}", n, outcomes, n_wrong)


def prepared(folder: Path) -> list[crashes.Case]:
    """Every kind of export, in a folder of its own."""
    place = Path(tempfile.mkdtemp(dir=folder))
    found = [*crashes.cases(), *crashes.folder_cases()]
    for case in found:
        case.prepare(place)
    return found


def duration_s(case: crashes.Case, exporter: crashes.Exporter, folder: Path) -> float:
    """How long an export takes that nothing interrupts."""
    times_s = []
    for k in range(2):  # the first one is slower
        begin = time.monotonic()
        exporter.start(case, case.set_up(folder / f"{case.name}-complete-{k}"), pause_s=0.002)
        assert exporter.wait() == 0
        times_s.append(time.monotonic() - begin)
    return min(times_s)


def recovers(case: crashes.Case, exporter: crashes.Exporter, target: Path) -> bool:
    """Whether the export that follows writes every file and removes what the interrupted one left."""
    exporter.start(case, target)
    return exporter.wait() == 0 and crashes.contents(target.parent) == case.after


def recordings(n: int, folder: Path) -> Iterator[Row]:
    """Follow recordings while another process writes them, in pieces of any length; every second one is killed."""
    head, samples = len(builders.nsx([], ids=range(1, 9))), builders.ramp(60_000, 8)
    paused = builders.nsx([(0, samples[:40_000]), (90_000, samples[40_000:])])
    one_sample = timing_builders.ptp(timing_builders.stamps(60_000, breaks={40_000: 30}), samples)
    blocks = recorders.marks("2.3", head, (40_000, 20_000), 16)
    packets = [recorders.Mark(0, at + 13, at + 29, 16) for at in range(head, len(one_sample), 29)]
    for what, data, marks in (("blocks", paused, blocks), ("one-sample packets", one_sample, packets)):
        outcomes, n_tried, n_lost = Counter[str](), 0, 0
        for k in range(max(2, n // 10)):
            ends = recorders.odd_ends(head, len(data), k, 20_000)
            job = {"ends": ends, "rest_s": 0.01, "die_at": random.choice(ends) if k % 2 else None}
            path = folder / f"{what}-{k}.ns5"
            with recorders.recording(path, data, blocks if marks is blocks else (), **job) as recorder:
                n_read = n_followed(path, head, samples, recorder)
            n_whole = recorders.n_whole(marks, path.stat().st_size)
            n_tried, n_lost = n_tried + n_whole, n_lost + n_whole - n_read
            outcomes["recorder killed" if k % 2 else "recorder stopped"] += 1
            outcomes["live bytes read"] += 16 * n_read
        yield Row(f"sample read while it is recorded: {what}", n_tried, outcomes, n_lost)


def n_followed(path: Path, head: int, samples: np.ndarray, recorder: subprocess.Popen[str]) -> int:
    """Export a recording until its recorder ends; the number of samples, 0 where they are not the right ones."""
    while not (path.exists() and path.stat().st_size >= head):
        time.sleep(0.001)
    target = path.with_suffix(".bin")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a block counts no samples yet
        with nv.open_nsx(path) as ns:
            try:
                live = {"follow": True, "poll_s": 0.01, "stop": lambda: recorder.poll() is not None}
                n_read = nv.write_bin(ns, target, gaps="join", **live).n_samples
            except ValueError:  # it was killed before its first sample
                return 0
    return n_read if target.read_bytes() == samples[:n_read].tobytes() else 0


def inputs(n: int, folder: Path) -> Iterator[Row]:
    """Damage files at random and open them by every function; an undocumented exception or a contradiction raises."""
    originals = corpus.starting_points()
    chance = random.Random()
    tried = (
        (name, mutated(chance.choice(files), files, chance)) for name, files in originals.items() for _ in range(20 * n)
    )
    for name, outcomes in properties.tally(tried, folder).items():
        yield Row(f"damaged file: {name}", outcomes.total(), outcomes, 0)


ROWS = {"inputs": inputs, "kills": kills, "full_disks": full_disks, "recordings": recordings}


def table(rows: list[Row], markdown: bool) -> str:
    """Rows for a person, or for a page."""
    lines = [("what", "tried", "how it ended", "anything lost, half or wrong")]
    for row in rows:
        ended = ", ".join(f"{name} {count}" for name, count in sorted(row.outcomes.items()))
        lines.append((row.what, str(row.n_tried), ended, str(row.n_wrong or "never")))
    if markdown:
        lines.insert(1, ("---", "---:", "---", "---:"))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def main() -> int:
    """Run every row, print the table; 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="times for each kind of export")
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for function in ROWS.values() for row in function(arguments.kills, Path(folder))]
    print(table(rows, arguments.markdown))
    return int(any(row.n_wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
