"""Count what the package survives: exports that are killed at random moments or run out of disk.

    python benchmarks/survival.py
    python benchmarks/survival.py --kills 500 --markdown

A function in `ROWS` does something many times and gives rows of the table: how often, how it ended, and how often
anything was lost. Another kind of row is one more function.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

import crashes  # noqa: E402

OUTCOMES = {0: "finished before", crashes.KILLED: "killed", crashes.REFUSED: "ExportError"}


class Row(NamedTuple):
    """What was tried, how often, how it ended by kind, and how often something was wrong afterwards."""

    what: str
    n_tried: int
    outcomes: Counter[str]
    n_wrong: int


def kills(n: int, folder: Path) -> Iterator[Row]:
    """Kill exports at random moments of their run."""
    with crashes.Exporter() as exporter:
        for case in prepared(folder):
            outcomes, n_wrong = Counter[str](), 0
            lasts_s = duration_s(case, exporter, folder)
            while outcomes["killed"] < n:
                target = case.lay_out(folder / f"{case.name}-kill-{outcomes.total()}")
                exporter.start(case.source, target, case.options, pause_s=0.002)
                time.sleep(random.random() * lasts_s)
                exporter.kill()
                outcomes[OUTCOMES[exporter.wait()]] += 1
                n_wrong += bool(case.wrong(target.parent)) or not again(case, exporter, target)
            yield Row(f"export killed at a random moment: {case.name}", outcomes.total(), outcomes, n_wrong)


def full_disks(n: int, folder: Path) -> Iterator[Row]:
    """Let exports run into a limit on the size of files, at random sizes."""
    with crashes.Exporter() as exporter:
        for case in prepared(folder):
            outcomes, n_wrong = Counter[str](), 0
            most = max(map(len, case.after.values()))
            for k in range(n):
                target = case.lay_out(folder / f"{case.name}-full-{k}")
                limit = {"most_bytes": random.randrange(200, most), "says": str(folder / "says")}
                exporter.start(case.source, target, case.options, **limit)
                outcomes[OUTCOMES[exporter.wait()]] += 1
                n_wrong += crashes.contents(target.parent) != case.before or not again(case, exporter, target)
            yield Row(f"export that runs out of space: {case.name}", n, outcomes, n_wrong)


def prepared(folder: Path) -> list[crashes.Case]:
    """Every kind of export, in a folder of its own."""
    place = Path(tempfile.mkdtemp(dir=folder))
    found = crashes.cases()
    for case in found:
        case.prepare(place)
    return found


def duration_s(case: crashes.Case, exporter: crashes.Exporter, folder: Path) -> float:
    """How long an export takes that is left alone."""
    times_s = []
    for k in range(2):  # the first one is slower
        begin = time.monotonic()
        exporter.start(case.source, case.lay_out(folder / f"{case.name}-whole-{k}"), case.options, pause_s=0.002)
        assert exporter.wait() == 0
        times_s.append(time.monotonic() - begin)
    return min(times_s)


def again(case: crashes.Case, exporter: crashes.Exporter, target: Path) -> bool:
    """Whether the next run writes everything, and clears away what was left."""
    exporter.start(case.source, target, case.options)
    return exporter.wait() == 0 and crashes.contents(target.parent) == case.after


ROWS = {"kills": kills, "full_disks": full_disks}


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
