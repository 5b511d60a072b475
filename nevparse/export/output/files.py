# SPDX-License-Identifier: MIT
"""Writes the files of one export so that all of them appear under their names, complete, or none does.

``s.bin`` is written as ``s.bin.nevparse-part``, a name that only we use. The older file that it replaces is
``s.bin.nevparse-old`` until all files of the export have their names. One part of each export is locked until the
export ends. The system ends the lock with the process: a part without a lock was left by an export that was killed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from io import FileIO
from weakref import WeakSet

from ...errors import ExportError, is_from_caller
from ...format.header import ENDINGS, begins_as_recording
from ...format.text import size_text
from ...source.base import Source
from ...source.names import ignores_case
from .stream import NO_SPACE, reserve

PART, OLD = ".nevparse-part", ".nevparse-old"
_TRIES = 3
_PAUSE_S = 0.2  # for a virus scanner or an indexer of Windows to close a file
_REFUSED = {5, 32}  # Windows' codes of a file that is open or write-protected
_NO_WINDOWS_NAME = re.compile(r'.*[<>:"|?*\x00-\x1f].*|(con|prn|aux|nul|com\d|lpt\d) *(\..*)?|.*[. ]', re.IGNORECASE)
_ENDINGS = {kind: re.compile(rf"\.({kind}|{ending})", re.IGNORECASE) for kind, ending in ENDINGS.items()}
_LOCKED = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_FAR = 1 << 40  # Windows lets nobody else read a byte that is locked: one that no file has

_locked_files: WeakSet[FileIO] = WeakSet()


def _close_locked_files() -> None:
    for file in list(_locked_files):
        file.close()


if hasattr(os, "register_at_fork"):  # or a child would keep the locks of a parent that is killed
    os.register_at_fork(after_in_child=_close_locked_files)


def _lock(file: FileIO) -> bool | None:
    """Lock a file until it is closed; False where another run has it, None where the system cannot lock it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _LOCKED else None
    finally:
        file.seek(0)
    return True


class LockedPart:
    """The part that is locked from the first to the last moment of an export."""

    def __init__(self, name: str, native: str) -> None:
        self.name, self._native = name, native
        self.file: FileIO | None = None

    def create(self) -> None:
        """Create it in place of a leftover; ExportError if another export has it, or it is no file of ours."""
        for _ in range(_TRIES):
            with suppress(FileExistsError):
                self.file = FileIO(self.name, "xb")
                _locked_files.add(self.file)
                if _lock(self.file) is not False and self.is_in_place():
                    return
                self.file.close()  # another export took it for a leftover before it was locked
            remove_leftover(self.name, self._native)
        raise ExportError(_busy(self.name))

    def is_in_place(self) -> bool:
        """Whether the open file still has the name."""
        return self.file is not None and not self.file.closed and _same(self.file.fileno(), self.name)

    def remove(self) -> None:
        """Remove it, unless it has been renamed, and end the lock."""
        with suppress(OSError, ExportError):
            if self.file is not None and self.is_in_place():
                _unlink_open(self.file, self.name)
            else:  # Ctrl-C may come after the file is made and before `file` is set
                remove_leftover(self.name, self._native)
        if self.file is not None:
            self.file.close()


def remove_leftover(part: str, native: str = "") -> None:
    """Remove a part that a killed export left; ExportError if it is in use, or no file of ours."""
    with suppress(FileNotFoundError):
        if not native:  # the part of an NSx or NEV begins like one
            check_no_recording(part)
        status = os.lstat(part)
        if not stat.S_ISREG(status.st_mode) or (status.st_nlink > 1 and not _same(part, os.path.splitext(part)[0])):
            raise ExportError(in_the_way(part))
        with FileIO(part, "r+b") as file:
            locked = _lock(file)
            if locked is None:
                cannot = "this file system cannot tell whether a run is writing it; if none is, remove it"
                raise ExportError(f"{part} exists, and {cannot}")
            if not locked:
                raise ExportError(_busy(part))
            if _same(file.fileno(), part):
                _unlink_open(file, part)


def _busy(part: str) -> str:
    return f"{os.path.splitext(part)[0]} is being written by another run; wait for it, or choose another name"


def in_the_way(name: str) -> str:
    """The message for something under a name that only we use, which no export of ours has made."""
    return f"{name} already exists and was not left by an interrupted run; move it, or choose another name"


def check_name(path: str) -> None:
    """Raise if Windows cannot have this name, or takes it for a device, a stream or another name."""
    name = os.path.basename(path)
    if sys.platform == "win32" and _NO_WINDOWS_NAME.fullmatch(name):
        raise ExportError(f"{path}: Windows has no file of the name {name}; choose another name")


def check_ending(path: str, native: str = "") -> None:
    """Raise if a name ends like that of a recording, and the output will be none, or none of this kind."""
    ending = os.path.splitext(path.rstrip("/\\"))[1]
    for kind, pattern in _ENDINGS.items():
        if kind != native and pattern.fullmatch(ending):
            raise ExportError(f"{path}: only {kind} recordings have names that end in {ending}; choose another ending")


def check_no_recording(path: str) -> None:
    """Raise if there is a file that begins like a recording: no output takes its place."""
    try:
        is_recording = begins_as_recording(path)
    except FileNotFoundError:  # removed meanwhile
        return
    except OSError as error:
        reason = f"it cannot be read ({error.strerror or error}), and might be a recording"
        raise ExportError(f"{path} is not replaced: {reason}; choose another name") from error
    if is_recording:
        raise ExportError(f"{path} is a recording, which no output replaces; choose another name")


def check_closed(path: str) -> None:
    """Raise if Windows would refuse to replace a file, as long as a program has it open."""
    if sys.platform == "win32" and os.path.isfile(path):
        try:
            _patiently(os.rename, path, path)  # changes nothing, and is refused where replacing it would be
        except PermissionError as error:
            advice = "close it first, or choose another name"
            raise ExportError(f"{path} {_open_elsewhere(error)}; {advice}") from error


def check_not_input(path: str, inputs: Sequence[Source]) -> None:
    """Raise if an output would replace one of the files that it is made from, whatever that was opened by."""
    if any(source.is_read_from(path) for source in inputs):
        raise ExportError(f"{path} is the recording itself; choose another name")


class OutputFiles:
    """The files of one export, whose names match `name_pattern`. Those with another ending than `path` describe it."""

    def __init__(
        self, path: str, name_pattern: str, lock_path: str, overwrite: bool, n_bytes: int, native: str
    ) -> None:
        self._path, self._name_pattern, self._overwrite, self._n_bytes = path, name_pattern, overwrite, n_bytes
        self._native = native
        self._lock_folder = os.path.dirname(os.path.abspath(lock_path))
        self._lock, self._process = LockedPart(lock_path, native), 0
        self._sources: dict[str, str] = {}  # what will be renamed to each target; "" only removes the older file
        self._n_written: dict[str, int] = {}
        self._files: list[FileIO] = []  # Windows removes no open file: one may be open after Ctrl-C
        self._undo: list[tuple[str, str]] = []  # renamings that undo what was done
        self._build_folder, self._all_named = "", False
        check_name(path)
        if not os.path.isdir(self._lock_folder):
            raise ExportError(f"{path}: the folder {self._lock_folder} does not exist; create it first")

    def begin(self, targets: Sequence[str], inputs: Sequence[Source]) -> None:
        """Keep other exports out, clear up after one that was killed, then check targets and free space."""
        for part in (self._lock.name, *(target + PART for target in self.existing(PART))):
            check_not_input(part, inputs)
        self._process = os.getpid()
        self._lock.create()
        for part in [target + PART for target in self.existing(PART)]:
            if part != self._lock.name:
                remove_leftover(part, self._native)
        self._recover_killed_export()
        for target in targets:
            check_not_input(target, inputs)
            check_ending(target, self._native)
            self._check_target(target)
        if self._n_bytes > (free := free_bytes(self._lock_folder)):
            sizes = f"{size_text(self._n_bytes)} are needed in {self._lock_folder}, {size_text(free)} are free"
            raise ExportError(f"{self._path}: {sizes}")

    def _check_target(self, target: str) -> None:
        if os.path.isdir(target):
            raise ExportError(f"{target} is a folder; give the name of a file in it")
        if os.path.exists(target) and not os.path.isfile(target):
            raise ExportError(f"{target} is not a regular file, and would be replaced by one")
        check_no_recording(target)
        if os.path.lexists(target) and not self._overwrite:
            raise ExportError(f"{target} exists; choose another name, or overwrite=True (--overwrite) to replace it")
        check_closed(target)

    def existing(self, ending: str = "") -> list[str]:
        """Targets that exist with `ending` after their names; in another case too, where that is the same file."""
        pattern = f"({self._name_pattern}){re.escape(ending)}"
        prefix = self._path.removesuffix(os.path.basename(self._path))
        folder = os.path.dirname(self._path) or "."
        return [
            prefix + name[: len(name) - len(ending)]  # not joined: the lock's name has the caller's separators too
            for name in (os.listdir(folder) if os.path.isdir(folder) else ())
            if re.fullmatch(pattern, name, re.IGNORECASE)
            and (re.fullmatch(pattern, name) or ignores_case(prefix + name))
        ]

    def _is_companion(self, target: str) -> bool:
        return os.path.splitext(target)[1].lower() != os.path.splitext(self._path)[1].lower()

    def _recover_killed_export(self) -> None:
        """Give older files their names back, unless an older companion and a newer file would come together."""
        older = sorted(self.existing(OLD), key=self._is_companion, reverse=True)
        newer = [target for target in older if os.path.lexists(target) and not _same(target, target + OLD)]
        none_is_new = all(_same(target, target + OLD) for target in self.existing() if not self._is_companion(target))
        is_own_folder = self._lock_folder != os.path.dirname(os.path.abspath(self._path))
        if is_own_folder and (newer or any(map(self._is_companion, older))):
            newer = self.existing()  # every file of the export had been set aside, so the others are new
        all_are_new = any(map(self._is_companion, newer))
        for target in older:
            if os.path.isdir(target + OLD) and not os.path.islink(target + OLD):
                raise ExportError(in_the_way(target + OLD))
            is_lost = not os.path.lexists(target)
            if is_lost and (none_is_new or not (all_are_new or self._is_companion(target))):
                os.rename(target + OLD, target)
            elif _same(target, target + OLD):
                os.unlink(target + OLD)
            else:
                check_no_recording(target + OLD)

    @contextmanager
    def create(self, target: str, n_bytes: int | None = None) -> Iterator[FileIO]:
        """Open the part of a target, which will have `n_bytes`."""
        part = self._sources[target] = target + PART  # noted before the file is made: Ctrl-C may come at any line
        locked = self._lock.file if part == self._lock.name else None
        with nullcontext(locked) if locked is not None else FileIO(part, "xb") as file:
            self._files.append(file)
            self._n_written[target] = 0
            reserve(file, n_bytes or 0)
            yield file
            size = self._n_written[target] = os.fstat(file.fileno()).st_size
            os.close(os.dup(file.fileno()))  # some file systems report a failed write only here
        if n_bytes not in (None, size):
            raise ExportError(f"{target} could not be written: {n_bytes} bytes were planned, {size} were written")

    def build_folder(self, folder: str) -> None:
        """Make a folder to write in until the export ends, in place of one that a killed export left."""
        if os.path.lexists(folder):
            files = os.listdir(folder) if os.path.isdir(folder) and not os.path.islink(folder) else [""]
            known = re.compile(f"({self._name_pattern})({re.escape(PART)})?")
            if not all(known.fullmatch(name) and os.path.isfile(os.path.join(folder, name)) for name in files):
                raise ExportError(in_the_way(folder))
            for name in files:
                check_no_recording(os.path.join(folder, name))
            _remove_folder(folder)
        self._build_folder = folder
        os.mkdir(folder)

    def adopt(self, source: str, target: str) -> None:
        """Rename a complete file or folder with the others; without a source, only remove the older file."""
        self._sources[target] = source

    def name_all(self) -> None:
        """Set older files aside, then give the new ones their names, companions last."""
        targets = sorted(self._sources, key=self._is_companion)
        if self._overwrite:
            for target in targets:
                check_no_recording(target)  # one may have begun meanwhile
            self._remove_older()  # what a killed export set aside must not be taken for what follows
            for target in targets:
                if os.path.islink(target) or os.path.isfile(target):
                    self._set_aside(target)
        for target in filter(self._sources.get, targets):
            self._name(self._sources[target], target)
        self._all_named = True

    def _remove_older(self) -> None:
        for target in sorted(self._sources, key=self._is_companion):  # no companion is put back without its file
            with suppress(OSError):
                os.unlink(target + OLD)

    def _set_aside(self, target: str) -> None:
        self._undo.append((target + OLD, target))
        if self._sources[target] and not self._is_companion(target) and not os.path.islink(target):
            if sys.platform == "win32":  # a second name of an open file could not be removed
                _patiently(os.rename, target, target)
            with suppress(OSError):  # a file system without hard links
                os.link(target, target + OLD)  # the older file keeps its name until it is replaced
                return
        _patiently(os.replace, target, target + OLD)

    def _name(self, source: str, target: str) -> None:
        is_lock, n_bytes = source == self._lock.name, self._n_written.get(target)
        if not (self._lock.is_in_place() if is_lock else n_bytes in (None, os.lstat(source).st_size)):
            raise ExportError(f"{target} could not be written: another process changed {source}")
        if is_lock and self._lock.file is not None and sys.platform == "win32":
            self._lock.file.close()  # Windows renames no open file
        by_older = (target + OLD, target)
        self._undo.append(by_older if by_older in self._undo and not self._is_companion(target) else (target, source))
        if self._overwrite or os.path.isdir(source):
            _patiently(os.replace, source, target)
        else:
            _rename_to_new(source, target)

    def finish(self) -> None:
        """Leave complete files under their names and nothing else. Called twice, as Ctrl-C may interrupt it."""
        if os.getpid() != self._process:
            return  # no export began, or this is a forked child, whose parent continues
        for file in self._files:
            if file is not self._lock.file:
                file.close()
        if not self._all_named:
            self._roll_back()
        elif self._overwrite:
            self._remove_older()
        for target, source in self._sources.items():
            with suppress(ExportError, OSError):
                if source == target + PART != self._lock.name:
                    os.unlink(source) if target in self._n_written else remove_leftover(source, self._native)
        with suppress(OSError):
            _remove_folder(self._build_folder)
        self._lock.remove()

    def _roll_back(self) -> None:
        """Undo the renamings, the last one first: no companion has its name while its file is put back."""
        while self._undo:
            name, to = self._undo[-1]
            with suppress(OSError):
                if _same(name, to):
                    os.unlink(name)  # renaming one name of a file to another leaves both
                elif name.endswith(OLD) or not os.path.lexists(to):
                    os.replace(name, to)
            self._undo.pop()

    def reason(self, error: OSError) -> str:
        """Why something could not be written, with the space needed, written and free if that was the reason."""
        reason = error.strerror or str(error)
        if getattr(error, "winerror", None) in _REFUSED and error.filename2 is not None:
            refused = os.path.basename(os.fsdecode(error.filename2)).removesuffix(OLD)
            kept = "what was exported is lost, and what was here before is unchanged"
            return f"{refused} {_open_elsewhere(error)}; {kept}; close it and export once more"
        if error.filename is not None:
            reason += f" ({os.path.basename(os.fsdecode(error.filename))})"
        with suppress(OSError):  # the folder may be gone
            if error.errno in NO_SPACE:
                written = sum(os.path.getsize(self._sources[target]) for target in self._n_written)
                need = f"{size_text(self._n_bytes)} needed, " if self._n_bytes else ""
                reason += f" ({need}{size_text(written)} written, {size_text(free_bytes(self._lock_folder))} free)"
        return reason


@contextmanager
def complete_or_absent(
    path: str, targets: Sequence[str], *, overwrite: bool, inputs: Sequence[Source],
    name_pattern: str = "", lock_path: str = "", n_bytes: int = 0, native: str = "",
) -> Iterator[OutputFiles]:  # fmt: skip
    """Give the files that are created in the block their names if it ends well; otherwise nothing of them is left.

    `name_pattern` fits all files that an export to `path` may write, and `lock_path` is the part that is locked.
    Of a recording, `native` is its kind, NSx or NEV; no output takes a recording's place.
    ExportError before the block if a target is in the way or has no space, or another export writes the same;
    after it, if the system cannot write.
    """
    name_pattern = name_pattern or re.escape(os.path.basename(path))
    outputs = OutputFiles(path, name_pattern, lock_path or path + PART, overwrite, n_bytes, native)
    try:
        try:
            outputs.begin(targets, inputs)
            yield outputs
            outputs.name_all()
        except OSError as error:
            if is_from_caller(error):
                raise
            if error.filename in [source.path for source in inputs] and error.filename2 is None:
                raise ExportError(f"{error.filename} could not be read: {error.strerror}") from error
            raise ExportError(f"{path} could not be written: {outputs.reason(error)}") from error
        finally:
            outputs.finish()
    finally:
        outputs.finish()  # if Ctrl-C came during the first


def free_bytes(folder: str) -> int:
    """Free space of a folder's file system."""
    if hasattr(os, "statvfs"):
        system = os.statvfs(folder)
        return system.f_bavail * system.f_frsize
    from shutil import disk_usage  # slow: it loads every archive format

    return disk_usage(folder).free


def _open_elsewhere(error: OSError) -> str:
    return f"is open in another program, or write-protected ({error.strerror})"


def _patiently(rename: Callable[[str, str], None], source: str, target: str) -> None:
    """Rename a file; on Windows try for a second where it is open."""
    for _ in range(5 if sys.platform == "win32" else 0):
        with suppress(PermissionError):
            return rename(source, target)
        time.sleep(_PAUSE_S)
    return rename(source, target)


def _rename_to_new(source: str, target: str) -> None:
    """Rename a file unless the name is taken."""
    try:
        if sys.platform == "win32":
            os.rename(source, target)  # Windows replaces nothing here
        else:
            os.link(source, target)
            os.unlink(source)
    except OSError:
        if os.path.lexists(target) and not _same(source, target):
            raise ExportError(f"{target} was created meanwhile; choose another name") from None
        _patiently(os.replace, source, target)  # on a file system without hard links


def _unlink_open(file: FileIO, name: str) -> None:
    try:
        os.unlink(name)
    except PermissionError:  # Windows removes no open file
        file.close()
        os.unlink(name)


def _remove_folder(folder: str) -> None:
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)


def _same(one: str | int, name: str) -> bool:
    """Whether a name, or a descriptor, and another name are of one file; links are not followed."""
    try:
        return os.path.samestat(os.fstat(one) if isinstance(one, int) else os.lstat(one), os.lstat(name))
    except OSError:
        return False
