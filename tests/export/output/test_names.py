# SPDX-License-Identifier: MIT
"""Where files get their names: refused, interrupted at any line, taken by others, or in a place that goes away."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from builders import nsx as b

import nevparse as nv
from export.output import crashes
from export.output.crashes import OLD, PART
from export.output.runs import (
    FILE_CASES,
    FOLDER_CASES,
    NO_LINKS,
    every_case,
    run,
    symlink_or_skip,
    write_with,
)
from nevparse.export.output import files as output_files
from nevparse.export.output import folder as output_folder

IO_ERROR = OSError(errno.EIO, "Input/output error")

pytestmark = pytest.mark.usefixtures("many_steps")

# --------------------------------------------------------------------------------------------------- the target's place


@pytest.mark.skipif(os.name != "posix", reason="a folder cannot be removed while a file in it is open")
@every_case
def test_exports_c07_a_folder_that_goes_away(case: crashes.Case, target: Path) -> None:
    with pytest.raises(nv.ExportError, match="could not be written: "):
        run(case, target, progress=lambda *_: shutil.rmtree(target.parent, ignore_errors=True))
    assert not target.parent.exists()


@pytest.mark.parametrize("name", ["pair", "new", "replaced"])
def test_exports_c07_a_folder_that_cannot_be_written_to(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_nothing(self: Any, path: str, mode: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    write_with(monkeypatch, __init__=open_nothing)
    with pytest.raises(nv.ExportError, match=r"could not be written: Permission denied \(.*\.nevparse-(part|lock)\)"):
        run(case, target)
    assert crashes.contents(target.parent) == case.before


@pytest.mark.parametrize("n_letters", [236, 241, 245, 251, 255, 300, 5000])
def test_exports_c07_a_name_that_is_too_long(opened: Callable[..., Any], out: Path, n_letters: int) -> None:
    ns = opened(b.nsx([(0, b.ramp(5, 2))]))
    try:
        nv.write_bin(ns, out.with_name("s" * (n_letters - 4) + ".bin"))
    except nv.ExportError as error:
        assert "could not be written: " in str(error)  # noqa: PT017 - which length is too long depends on the system
        assert list(out.parent.iterdir()) == []
    else:
        assert n_letters < 255
        assert len(list(out.parent.iterdir())) == 2


def other_file_system(path: Path) -> str | None:
    """A folder on another file system than `path`, if there is one."""
    for other in ("/dev/shm", os.environ.get("XDG_RUNTIME_DIR", ""), os.getcwd()):
        if os.path.isdir(other) and os.access(other, os.W_OK) and os.stat(other).st_dev != os.stat(path).st_dev:
            return other
    return None


@pytest.mark.parametrize("name", FILE_CASES + FOLDER_CASES)
@pytest.mark.parametrize("through_a_link", [False, True])
def test_exports_c07_a_target_on_another_file_system(case: crashes.Case, tmp_path: Path, through_a_link: bool) -> None:
    other = other_file_system(tmp_path)
    if other is None:
        pytest.skip("this system has one file system")
    folder = Path(other, f"nevparse-{os.getpid()}")
    target = case.set_up(folder)
    try:
        if through_a_link:
            symlink_or_skip(tmp_path / "link", folder)
            target = tmp_path / "link" / target.name
        run(case, target)
        assert crashes.contents(folder) == case.after
    finally:
        shutil.rmtree(folder)


# ---------------------------------------------------------------------------------------------- refused, or interrupted


def assert_leaves(files: crashes.Files, target: Path, attempt: str) -> None:
    assert crashes.contents(target.parent) == files, attempt
    assert {path.name for path in target.parent.iterdir()} == {name.split("/")[0] for name in files}, attempt


@pytest.mark.parametrize("name", FILE_CASES + FOLDER_CASES)
@pytest.mark.parametrize(
    ("links", "error", "after"),
    [
        *itertools.product([True], [IO_ERROR, KeyboardInterrupt()], [False, True]),
        (False, IO_ERROR, False),
        *(pytest.param(False, error, True, marks=pytest.mark.thorough) for error in (IO_ERROR, KeyboardInterrupt())),
        pytest.param(False, KeyboardInterrupt(), False, marks=pytest.mark.thorough),
    ],
)
def test_exports_c08_a_name_that_is_refused_puts_everything_back(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch, links: bool, error: BaseException, after: bool
) -> None:
    """At every renaming, before and after it is done; with and without hard links. Windows tries denied ones again."""
    real = os.replace
    if not links:
        monkeypatch.setattr(os, "link", NO_LINKS)
    monkeypatch.setattr("nevparse.export.sorter.folder.write_bin", written_at_once(nv.write_bin, real))
    for n_good in itertools.count():
        calls = itertools.count()

        def replace(source: str, to: str, n_good: int = n_good, calls: Any = calls) -> None:
            failing = next(calls) == n_good
            if failing and not after:
                raise error
            real(source, to)
            if failing:
                raise error

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace)
            try:
                run(case, target)
            except (nv.ExportError, KeyboardInterrupt):
                assert_leaves(case.before, target, f"renaming {n_good}")
            else:
                break
    assert n_good >= (1 if case.name == "new" else len(case.after) - (case.name not in FILE_CASES))
    assert crashes.contents(target.parent) == case.after


def written_at_once(write_bin: Any, replace: Any) -> Any:
    """The ``.bin`` in a folder that is built, by renamings that are not counted."""

    def write(*arguments: Any, **options: Any) -> Any:
        counted = os.replace
        os.replace = replace
        try:
            return write_bin(*arguments, **options)
        finally:
            os.replace = counted

    return write


class CtrlC:
    """Raises KeyboardInterrupt before the n-th line of what writes outputs; once."""

    def __init__(self, line: int) -> None:
        self._left, self.where = line, ""

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in (output_files.__file__, output_folder.__file__):
            return None
        if event == "line" and not self.where:
            self._left -= 1
            if self._left < 0:
                self.where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self


def interrupt_at_each_line(case: crashes.Case, tmp_path: Path, every: int, overwrite: bool) -> None:
    tracer = sys.gettrace()
    for line in itertools.count(0, every):
        target = case.set_up(tmp_path / str(line))
        ctrl_c = CtrlC(line)
        sys.settrace(ctrl_c)
        try:
            run(case, target, overwrite=overwrite)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(tracer)
        if not ctrl_c.where:
            break
        is_new = crashes.contents(target.parent) == case.after
        assert_leaves(case.after if is_new else case.before, target, ctrl_c.where)
        shutil.rmtree(target.parent)
    assert line > 2 * every
    assert crashes.contents(target.parent) == case.after


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that is not in `file` yet
@pytest.mark.parametrize(
    ("every", "links"), [(37, True), *(pytest.param(1, links, marks=pytest.mark.thorough) for links in (True, False))]
)
@pytest.mark.parametrize(
    ("name", "overwrite"), [*((name, True) for name in FILE_CASES + FOLDER_CASES), ("fresh", False), ("new", False)]
)
def test_exports_c08_ctrl_c_at_any_line(
    case: crashes.Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, links: bool, overwrite: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", NO_LINKS)
    interrupt_at_each_line(case, tmp_path, every if os.name == "posix" else 2 * every, overwrite)  # slow on Windows


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("part", ["s.bin.json", "s.bin"])
def test_exports_c08_an_interruption_while_a_part_is_made_leaves_none(
    opened: Callable[..., Any], out: Path, monkeypatch: pytest.MonkeyPatch, made: bool, part: str
) -> None:
    """As Ctrl-C does between the making of a file and the moment its name is known."""

    def interrupted(path: str, mode: str) -> FileIO:
        if mode == "xb" and path.endswith(part + PART):
            if made:
                FileIO(path, mode).close()
            raise KeyboardInterrupt
        return FileIO(path, mode)

    monkeypatch.setattr(output_files, "FileIO", interrupted)
    ns = opened(b.plausible("2.3", 4, (50,))[0])
    with pytest.raises(KeyboardInterrupt):
        nv.write_bin(ns, out)
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["fresh"])
def test_exports_c08_links_are_put_back_as_links(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    symlink_or_skip(target, "nowhere")
    real = os.replace

    def replace(source: str, to: str) -> None:
        if str(source).endswith("s.bin.json" + PART):
            raise PermissionError(errno.EACCES, "Permission denied")
        real(source, to)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(nv.ExportError, match="Permission denied"):
        run(case, target)
    assert os.listdir(target.parent) == ["s.bin"]
    assert os.readlink(target) == "nowhere"


@pytest.mark.parametrize("name", ["pair"])
def test_exports_c08_an_older_file_that_cannot_be_put_back_is_not_removed(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def replace(source: str, to: str) -> None:
        if str(source).endswith(("s.bin" + PART, OLD)):
            raise PermissionError(errno.EACCES, "Permission denied")
        real(source, to)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(nv.ExportError, match="Permission denied"):
        run(case, target)
    assert crashes.contents(target.parent) == {
        "s.bin": case.before["s.bin"],
        "s.bin.json" + OLD: case.before["s.bin.json"],
    }


# ------------------------------------------------------------------------------------------ what was created meanwhile


@pytest.mark.parametrize("name", ["fresh"])
@pytest.mark.parametrize("appears", ["s.bin", "s.bin.json"])
@pytest.mark.parametrize("links", [True, False])
def test_exports_c08_what_appears_meanwhile_is_not_replaced(
    case: crashes.Case, target: Path, monkeypatch: pytest.MonkeyPatch, appears: str, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", crashes.failing(errno.EOPNOTSUPP))
    with pytest.raises(nv.ExportError, match=f"{appears} was created meanwhile"):
        run(case, target, overwrite=False, progress=lambda *_: target.with_name(appears).write_bytes(b"mine"))
    assert crashes.contents(target.parent) == {appears: b"mine"}


@pytest.mark.parametrize("name", ["new"])
def test_exports_c08_a_folder_that_appears_meanwhile_is_not_replaced(case: crashes.Case, target: Path) -> None:
    def appear(*_: int) -> None:
        target.mkdir(exist_ok=True)
        (target / "recording.bin").write_bytes(b"mine")

    with pytest.raises(nv.ExportError, match=r"recording\.bin was created meanwhile"):
        run(case, target, overwrite=False, progress=appear)
    assert crashes.contents(target.parent) == {"out/recording.bin": b"mine"}
