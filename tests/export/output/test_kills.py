# SPDX-License-Identifier: MIT
"""Exports that are killed, before every operation and at random moments, and what the next run makes of it.

A process is killed before the n-th file it opens, renames, links or removes, for every n. It must leave complete
files; then each kind of next run starts from that.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

import nevparse as nv
from export.output import crashes
from export.output.crashes import OLD, PART
from export.output.runs import (
    FILE_CASES,
    FOLDER_CASES,
    assert_done_anew,
    every_case,
    free_space_is,
    hard_link_or_skip,
    left_by_a_kill,
    run,
)

pytestmark = pytest.mark.usefixtures("many_steps")

Prepared = dict[str, crashes.Case]


# ------------------------------------------------------------------------------------------- before every operation


def assert_nothing_goes(case: crashes.Case, target: Path, tmp_path: Path) -> None:
    """A next run that may not overwrite, and one that fails, lose no file, and leave nothing new that is half."""
    for options in ({"overwrite": False}, {"progress": fail}):
        place = tmp_path / "next" / target.parent.name
        copy_with_links(target.parent, place)
        files = older_and_newer(crashes.contents(place))
        try:
            run(case, place / target.name, **options)
        except nv.ExportError:
            assert files <= older_and_newer(crashes.contents(place))
        else:
            assert case.before == {}
            assert crashes.contents(place) == case.after
        assert case.wrong(place) == []
        assert case.left_over(place) == []
        shutil.rmtree(place)


def copy_with_links(folder: Path, to: Path) -> None:
    """Names of one file in a folder are names of one file in its copy too."""
    copies: dict[int, str] = {}

    def copy(source: str, copied: str) -> None:
        first = copies.setdefault(os.stat(source).st_ino, copied)
        shutil.copy2(source, copied) if first == copied else os.link(first, copied)

    shutil.copytree(folder, to, symlinks=True, copy_function=copy)


def fail(*_: int) -> None:
    raise nv.ExportError("it fails")


def older_and_newer(files: crashes.Files) -> set[tuple[str, bytes]]:
    """Files under their own names, or set aside."""
    return {
        (name.removesuffix(OLD), data)
        for name, data in files.items()
        if not name.endswith((PART, crashes.LOCK)) and PART + "/" not in name
    }


def kill_before_each(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path, every: int, links: bool = True, **more: Any
) -> None:
    for step in itertools.count(0, every if hasattr(os, "fork") else 3 * every):  # Windows starts each process anew
        target = case.set_up(tmp_path / str(step))
        if not exporter.killed_before(case, target, step, links=links, **more):
            break
        wrong = [text for text in case.wrong(target.parent) if links or not text.endswith("is lost")]
        assert wrong == [], f"before operation {step}"
        assert_nothing_goes(case, target, tmp_path)
        assert_done_anew(case, target)
    assert step > 10
    assert crashes.contents(target.parent) == (case.before if more else case.after)


@pytest.mark.parametrize(
    ("every", "links"), [(11, True), *(pytest.param(1, links, marks=pytest.mark.thorough) for links in (True, False))]
)
@pytest.mark.parametrize("name", FILE_CASES + FOLDER_CASES)
def test_exports_c01_c02_killed_before_any_operation(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path, every: int, links: bool
) -> None:
    """On a file system with hard links, and on one without."""
    kill_before_each(case, exporter, tmp_path, every, links=links)


@pytest.mark.thorough
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize(
    ("name", "last"),
    [("fresh", "s.bin.json"), ("pair", "s.bin.json"), ("split", "s-001.bin.json"), ("replaced", "si_folder.json")],
)
def test_exports_c01_c02_killed_while_everything_is_put_back(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path, links: bool, last: str
) -> None:
    """The last of several names is refused; the export is killed before each operation that undoes the others."""
    kill_before_each(case, exporter, tmp_path, every=1, links=links, refused=last, says=str(tmp_path / "says"))


@pytest.mark.thorough
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("name", ["pair", "split", "replaced", "fewer"])
def test_exports_c01_c02_killed_twice(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path, links: bool
) -> None:
    """The next run is killed too, among the first things it does: it clears up what the first one left."""
    for step in itertools.count(0, 2):
        target = case.set_up(tmp_path / str(step))
        if not exporter.killed_before(case, target, step, links=links):
            break
        for second in range(12):
            assert exporter.killed_before(case, target, second, links=links)
            wrong = [text for text in case.wrong(target.parent) if links or not text.endswith("is lost")]
            assert wrong == [], f"before operation {step}, then {second}"
        assert_nothing_goes(case, target, tmp_path)
        assert_done_anew(case, target)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "new"), [("pair", "s.bin"), ("split", "s-001.bin"), ("replaced", "out/recording.bin")]
)
def test_exports_c02_no_sidecar_of_two_runs_ago_is_put_beside_a_newer_bin(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path, new: str
) -> None:
    """The first run is killed with its .bin named and its sidecar not; the second before any operation."""
    for second in itertools.count():
        target = killed_when_new(case, exporter, tmp_path / f"second-{second}", new)
        if not exporter.killed_before(case, target, second):
            break
        with pytest.raises(nv.ExportError, match="it fails"):
            run(case, target, progress=fail)
        assert case.wrong(target.parent) == [], f"before operation {second}"
        assert_done_anew(case, target)
    assert second > 20


def killed_when_new(case: crashes.Case, exporter: crashes.Exporter, folder: Path, new: str) -> Path:
    """The target of a run that was killed just after a file of it got its name."""
    target = case.set_up(folder)
    assert exporter.killed_when(case, target, folder / new, len(case.after[new]))
    assert crashes.contents(folder)[new] == case.after[new]
    return target


# ---------------------------------------------------------------------------------------------------- at random moments


def kill_at_random(case: crashes.Case, exporter: crashes.Exporter, folder: Path, moment: float, lasts_s: float) -> int:
    target = case.set_up(folder)
    exporter.start(case, target, pause_s=0.002)
    time.sleep(moment * lasts_s)
    exporter.kill()
    code = exporter.wait()
    assert code in (0, crashes.KILLED)
    assert case.wrong(folder) == [], f"after {moment} of {lasts_s} s"
    assert_done_anew(case, target)
    return code


def duration_s(case: crashes.Case, exporter: crashes.Exporter, folder: Path) -> float:
    begin = time.monotonic()
    exporter.start(case, case.set_up(folder), pause_s=0.002)
    assert exporter.wait() == 0
    return time.monotonic() - begin


@pytest.mark.parametrize("n_kills", [6, pytest.param(50, marks=pytest.mark.thorough)])
def test_exports_c01_killed_at_random_moments(
    prepared: Prepared, exporter: crashes.Exporter, tmp_path: Path, n_kills: int
) -> None:
    chance, codes = random.Random(1 if os.environ.get("CI") else None), []
    cases = list(prepared.values()) if hasattr(os, "fork") else [prepared["pair"], prepared["replaced"]]
    lasts_s = {case.name: duration_s(case, exporter, tmp_path / case.name) for case in cases}
    for k, case in zip(range(8 * n_kills), itertools.cycle(cases), strict=False):
        codes.append(kill_at_random(case, exporter, tmp_path / str(k), chance.random(), lasts_s[case.name]))
        if codes[-1] == 0:  # the machine may have been busier when its duration was measured
            lasts_s[case.name] *= 0.7
        if codes.count(crashes.KILLED) == n_kills:
            break
    assert codes.count(crashes.KILLED) == n_kills, "too few of them were still running"


@pytest.mark.parametrize("name", ["pair", "replaced"])
def test_exports_c01_killed_in_a_process_of_its_own(case: crashes.Case, target: Path) -> None:
    """As the tests run where processes do not fork."""
    with crashes.Exporter(fork=False) as exporter:
        assert exporter.killed_before(case, target, step=7)
    assert case.wrong(target.parent) == []
    assert_done_anew(case, target)


# ----------------------------------------------------------------------------------------------- what the next run does


@pytest.mark.parametrize("name", ["fresh"])
def test_exports_c03_what_a_killed_run_left_makes_room_first(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = left_by_a_kill(case, exporter, tmp_path, "s.bin" + PART)
    part = target.with_name("s.bin" + PART)
    free_space_is(monkeypatch, lambda: 0 if part.exists() and part.stat().st_size else 1 << 40)
    run(case, target)
    assert crashes.contents(target.parent) == case.after


@pytest.mark.parametrize("name", ["split"])
def test_exports_c03_a_killed_runs_other_files_are_cleared_away_too(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path
) -> None:
    """The second run has one file, the first had several."""
    target = left_by_a_kill(case, exporter, tmp_path, "s-001.bin.json" + PART)
    with nv.open_nsx(case.source) as ns:
        nv.write_bin(ns, target, gaps="join")
    assert sorted(os.listdir(target.parent)) == sorted([*case.before, "s.bin", "s.bin.json"])


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c03_the_next_run_puts_back_what_was_set_aside(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path
) -> None:
    """Killed when the older sidecar was set aside and nothing was replaced: the pair is put back."""
    target = left_by_a_kill(case, exporter, tmp_path, "s.bin.json" + OLD)
    assert not target.with_name("s.bin.json").exists()
    with pytest.raises(nv.ExportError, match=r"s\.bin exists"):
        run(case, target, overwrite=False)
    assert crashes.contents(target.parent) == case.before


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c03_an_older_sidecar_is_not_put_beside_a_newer_bin(
    case: crashes.Case, exporter: crashes.Exporter, tmp_path: Path
) -> None:
    target = killed_when_new(case, exporter, tmp_path / "first", "s.bin")
    for options in ({"overwrite": False}, {"progress": fail}):
        with pytest.raises(nv.ExportError, match=r"exists|fails"):
            run(case, target, **options)
        older = {name + OLD: case.before[name] for name in ("s.bin", "s.bin.json")}
        assert crashes.contents(target.parent) == {"s.bin": case.after["s.bin"], **older}
    assert_done_anew(case, target)


@pytest.mark.parametrize("name", ["fewer"])
def test_exports_c02_no_older_bin_is_put_beside_a_newer_sidecar(case: crashes.Case, target: Path) -> None:
    """Killed when one companion in a folder had its name and the others did not."""
    for path in list(target.iterdir()):
        path.rename(f"{path}{OLD}")
    for name in ("recording.bin", "recording.bin.json"):
        (target / name).write_bytes(case.after[f"out/{name}"])
    with pytest.raises(nv.ExportError, match="it fails"):
        run(case, target, progress=fail)
    assert [text for text in case.wrong(target.parent) if "stands beside" in text] == []
    assert sorted(path.name for path in target.glob("*.bin")) == ["recording.bin"]


@pytest.mark.parametrize("name", ["replaced"])
def test_exports_c03_a_folder_whose_files_are_set_aside_is_not_empty(case: crashes.Case, target: Path) -> None:
    """As on a file system without hard links: every older file has its other name, and a run may not overwrite."""
    (target / "notes.txt").unlink()
    older = crashes.contents(target)
    for path in list(target.iterdir()):
        path.rename(f"{path}{OLD}")
    with pytest.raises(nv.ExportError, match="exists and holds files"):
        run(case, target, overwrite=False)
    assert crashes.contents(target) == older


@every_case
def test_exports_c03_a_kill_between_the_two_names_of_a_new_file(case: crashes.Case, tmp_path: Path) -> None:
    """What is not to replace anything has both its names for a moment."""
    (tmp_path / "place").mkdir()
    target = tmp_path / "place" / "s.bin"
    run(case, target, overwrite=False)
    for path in list(target.parent.iterdir()):
        hard_link_or_skip(path, Path(f"{path}{PART}"))
    assert_done_anew(case, target)
