# SPDX-License-Identifier: MIT
"""Files that get their names together, once all of them are whole.

``s.bin`` is written as ``s.bin.nevparse-part``, a name that only we use, and the older one that it replaces is
``s.bin.nevparse-old`` until all files of the export have their names. One part of each export is locked from its
beginning to its end. The system lets go of the lock when the process ends, however it ends: parts without a lock were
left by a run that was killed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from io import FileIO
from weakref import WeakSet

from ...errors import ExportError
from ...format.text import size_text
from .stream import NO_SPACE, reserve

PART, OLD = ".nevparse-part", ".nevparse-old"
_TRIES = 3
_LOCKED = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_FAR = 1 << 40  # Windows lets nobody else read a byte that is locked: one that no file has

_locked_files: WeakSet[FileIO] = WeakSet()


def _close_locked_files() -> None:
    for file in list(_locked_files):
        file.close()


if hasattr(os, "register_at_fork"):  # a child would go on to hold the locks of a parent that is killed
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
    """The part that is there from the beginning to the end of an export."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.file: FileIO | None = None

    def create(self) -> None:
        """Create it, in place of one that was left; ExportError where it is another run's, or no file of ours."""
        for _ in range(_TRIES):
            with suppress(FileExistsError):
                self.file = FileIO(self.name, "xb")
                _locked_files.add(self.file)
                if _lock(self.file) is not False and self.is_there():
                    return
                self.file.close()  # before it was locked, another run has taken it for a leftover
            remove_leftover(self.name)
        raise ExportError(_busy(self.name))

    def is_there(self) -> bool:
        """Whether the name is still that of the file we have open."""
        if self.file is None or self.file.closed or not os.path.lexists(self.name):
            return False
        return os.path.samestat(os.lstat(self.name), os.fstat(self.file.fileno()))

    def remove(self) -> None:
        """Remove it, unless it has got its own name, and let other runs in."""
        with suppress(OSError, ExportError):
            if self.file is not None and self.is_there():
                _unlink_open(self.file, self.name)
            else:  # Ctrl-C may come when it is there and not known yet
                remove_leftover(self.name)
        self.close()

    def close(self) -> None:
        """Let go of the lock."""
        if self.file is not None:
            self.file.close()


def remove_leftover(part: str) -> None:
    """Remove what a killed run left under the name of a part; ExportError where it is somebody else's."""
    with suppress(FileNotFoundError):
        status = os.lstat(part)
        if not stat.S_ISREG(status.st_mode) or (status.st_nlink > 1 and not _same(part, os.path.splitext(part)[0])):
            raise ExportError(in_the_way(part))
        with FileIO(part, "r+b") as file:
            locked = _lock(file)
            if locked is None:
                cannot = "this file system cannot tell whether a run is writing it; if none is, remove it"
                raise ExportError(f"{part} is there, and {cannot}")
            if not locked:
                raise ExportError(_busy(part))
            if os.path.samestat(os.lstat(part), os.fstat(file.fileno())):
                _unlink_open(file, part)


def _busy(part: str) -> str:
    return f"{os.path.splitext(part)[0]} is being written by another run; wait for it, or choose another name"


def in_the_way(name: str) -> str:
    """What to say of a thing under a name that only we use, and that no run of ours has made."""
    return f"{name} is in the way, and no run that was killed has left it; move it, or choose another name"


class OutputFiles:
    """Files whose names match `names`, in the folder of the first one. Those of another kind than it describe it."""

    def __init__(self, first: str, names: str, lock: str, overwrite: bool, n_bytes: int) -> None:
        self._folder, self._kind = os.path.dirname(first), os.path.splitext(first)[1]
        self._names, self._overwrite, self._n_bytes = names, overwrite, n_bytes
        self._lock, self._process = LockedPart(lock), 0
        self._sources: dict[str, str] = {}  # of each target: what will be renamed to it, or ""
        self._n_written: dict[str, int] = {}
        self._undo: list[tuple[str, str]] = []  # which name goes back to which
        self._build_folder, self._all_named = "", False

    def begin(self, inputs: Sequence[str]) -> None:
        """Keep other runs out, and clear up after one that was killed; no input is taken for a leftover."""
        parts = [self._lock.name, *(target + PART for target in self._found(PART))]
        for part in filter(os.path.exists, parts):
            if any(os.path.samefile(part, source) for source in filter(os.path.exists, inputs)):
                raise ExportError(f"{part} is the recording itself; choose another name")
        self._process = os.getpid()
        self._lock.create()
        for part in [target + PART for target in self._found(PART)]:
            if part != self._lock.name:
                remove_leftover(part)
        self._put_back()

    def _found(self, ending: str) -> list[str]:
        """Targets that are there under their names with an ending."""
        names = os.listdir(self._folder or ".") if os.path.isdir(self._folder or ".") else []
        matching = (name for name in names if re.fullmatch(f"({self._names}){re.escape(ending)}", name))
        return [os.path.join(self._folder, name.removesuffix(ending)) for name in matching]

    def _is_companion(self, target: str) -> bool:
        return os.path.splitext(target)[1] != self._kind

    def _put_back(self) -> None:
        """Give older files their names again, but no companion where what it describes may be a newer one."""
        older = sorted(self._found(OLD), key=self._is_companion, reverse=True)
        described = [target for target in self._found("") if not self._is_companion(target)]
        none_is_new = all(_same(target, target + OLD) for target in described)
        all_are_new = any(self._is_companion(target) and os.path.lexists(target) for target in older)
        for target in older:
            if os.path.isdir(target + OLD) and not os.path.islink(target + OLD):
                raise ExportError(in_the_way(target + OLD))
            if not os.path.lexists(target) and (none_is_new or not (all_are_new or self._is_companion(target))):
                os.rename(target + OLD, target)
        for target in older:
            if _same(target, target + OLD):
                os.unlink(target + OLD)

    @contextmanager
    def create(self, target: str, n_bytes: int | None = None) -> Iterator[FileIO]:
        """Open the part of a target, which has `n_bytes` in the end."""
        part = self._sources[target] = target + PART  # before there is a file: Ctrl-C may come at any line
        locked = self._lock.file if part == self._lock.name else None
        with nullcontext(locked) if locked is not None else FileIO(part, "xb") as file:
            self._n_written[target] = 0
            reserve(file, n_bytes or 0)
            yield file
            size = self._n_written[target] = os.fstat(file.fileno()).st_size
            os.close(os.dup(file.fileno()))  # some file systems say only at closing that they could not write
        if n_bytes not in (None, size):
            raise ExportError(f"{target} could not be written: {n_bytes} bytes were planned, {size} came of it")

    def build_folder(self, folder: str) -> None:
        """Make a folder to write in, which is removed in the end; what a killed run left in it is removed now."""
        if os.path.lexists(folder):
            files = os.listdir(folder) if os.path.isdir(folder) and not os.path.islink(folder) else [""]
            known = re.compile(f"({self._names})({re.escape(PART)})?")
            if not all(known.fullmatch(name) and os.path.isfile(os.path.join(folder, name)) for name in files):
                raise ExportError(in_the_way(folder))
            _remove_folder(folder)
        self._build_folder = folder
        os.mkdir(folder)

    def adopt(self, source: str, target: str) -> None:
        """Have something whole get its name with the others; without a source, have the older file go."""
        self._sources[target] = source

    def name_all(self) -> None:
        """Set older files aside, then give the new ones their names, companions last."""
        targets = sorted(self._sources, key=self._is_companion)
        for target in targets if self._overwrite else ():
            if os.path.islink(target) or os.path.isfile(target):
                self._keep_older(target)
        for target in filter(self._sources.get, targets):
            self._name(self._sources[target], target)
        self._all_named = True

    def _keep_older(self, target: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(target + OLD)
        self._undo.append((target + OLD, target))
        if self._sources[target] and not self._is_companion(target) and not os.path.islink(target):
            with suppress(OSError):  # a file system without hard links
                os.link(target, target + OLD)  # so that it is there until it is replaced
                return
        os.replace(target, target + OLD)

    def _name(self, source: str, target: str) -> None:
        is_lock, n_bytes = source == self._lock.name, self._n_written.get(target)
        if not (self._lock.is_there() if is_lock else n_bytes in (None, os.lstat(source).st_size)):
            raise ExportError(f"{target} could not be written: somebody else has changed {source}")
        if is_lock and sys.platform == "win32":
            self._lock.close()  # what is open cannot be renamed, neither by us nor where another run opens it now
        by_older = (target + OLD, target)
        self._undo.append(by_older if by_older in self._undo and not self._is_companion(target) else (target, source))
        if self._overwrite or os.path.isdir(source):
            os.replace(source, target)
        else:
            _rename_to_new(source, target)

    def finish(self) -> None:
        """Leave whole files under their own names and nothing else; may be done twice, where Ctrl-C came in between."""
        if os.getpid() != self._process:
            return  # it has not begun, or this is a forked child, whose parent goes on
        if not self._all_named:
            self._restore()
        elif self._overwrite:
            for target in sorted(self._sources, key=self._is_companion):
                with suppress(OSError):
                    os.unlink(target + OLD)
        for target, source in self._sources.items():
            with suppress(ExportError, OSError):
                if source == target + PART != self._lock.name:
                    os.unlink(source) if target in self._n_written else remove_leftover(source)
        with suppress(OSError):
            _remove_folder(self._build_folder)
        self._lock.remove()

    def _restore(self) -> None:
        """Undo what was renamed, last things first: no companion is there while what it describes is put back."""
        while self._undo:
            name, to = self._undo[-1]
            if name.endswith(OLD) or not os.path.lexists(to) or _same(name, to):
                _rename_back(name, to)
            self._undo.pop()

    def reason(self, error: OSError) -> str:
        """Why something could not be written; where space was the reason, how much there is."""
        reason = error.strerror or str(error)
        if error.filename is not None:
            reason += f" ({os.path.basename(os.fsdecode(error.filename))})"
        with suppress(OSError):  # the folder may be gone
            if error.errno in NO_SPACE:
                written = sum(os.path.getsize(self._sources[target]) for target in self._n_written)
                need = f"{size_text(self._n_bytes)} needed, " if self._n_bytes else ""
                reason += f" ({need}{size_text(written)} written, {size_text(free_bytes(self._folder or '.'))} free)"
        return reason


@contextmanager
def whole_or_absent(
    path: str, *, overwrite: bool, names: str = "", lock: str = "", n_bytes: int = 0, inputs: Sequence[str] = ()
) -> Iterator[OutputFiles]:
    """Give the files that are created in the block their names when it ends well; else nothing is left of them.

    `names` is the pattern of all files that a run for `path` may write, and `lock` the part of it that is locked.
    ExportError where the system cannot write, or another run writes the same.
    """
    lock = lock or path + PART
    folder_of(path, lock)
    outputs = OutputFiles(path, names or re.escape(os.path.basename(path)), lock, overwrite, n_bytes)
    try:
        try:
            outputs.begin(inputs)
            yield outputs
            outputs.name_all()
        except OSError as error:
            raise ExportError(f"{path} could not be written: {outputs.reason(error)}") from error
        finally:
            outputs.finish()
    finally:
        outputs.finish()  # where Ctrl-C came while it was done


def folder_of(path: str, part: str | None = None) -> str:
    """Where a file will be; ExportError where there is no such place."""
    folder = os.path.dirname(os.path.abspath(part or path))
    if not os.path.isdir(folder):
        raise ExportError(f"{path}: there is no folder {folder}; create it first")
    return folder


def free_bytes(folder: str) -> int:
    """What may still be written to a folder's file system."""
    if hasattr(os, "statvfs"):
        system = os.statvfs(folder)
        return system.f_bavail * system.f_frsize
    from shutil import disk_usage  # loads every archive format there is

    return disk_usage(folder).free


def _rename_to_new(source: str, target: str) -> None:
    """Rename a file, unless its new name is taken."""
    try:
        if sys.platform == "win32":
            os.rename(source, target)  # which refuses that there
        else:
            os.link(source, target)
            os.unlink(source)
    except OSError:
        if os.path.lexists(target) and not _same(source, target):
            raise ExportError(f"{target} has come to be there meanwhile; choose another name") from None
        os.replace(source, target)  # on a file system without hard links


def _rename_back(name: str, to: str) -> None:
    with suppress(OSError):
        if _same(name, to):
            os.unlink(name)  # to rename one name of a file to another leaves both
        else:
            os.replace(name, to)


def _unlink_open(file: FileIO, name: str) -> None:
    try:
        os.unlink(name)
    except PermissionError:  # Windows removes nothing that is open; and then nothing that another run has opened
        file.close()
        os.unlink(name)


def _remove_folder(folder: str) -> None:
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)


def _same(one: str, other: str) -> bool:
    """Whether two names are those of one file; links are not followed."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def refuse_file(inputs: Sequence[str], path: str, n_bytes: int, overwrite: bool) -> None:
    """Raise where one file of so many bytes cannot be written beside its inputs."""
    folder = folder_of(path)
    _refuse_target(inputs, path, overwrite)
    _refuse_space(path, folder, n_bytes)


def _refuse_space(path: str, folder: str, need: int) -> None:
    free = free_bytes(folder)
    if free < need:
        raise ExportError(f"{path}: {size_text(need)} are needed in {folder}, {size_text(free)} are free")


def _refuse_target(inputs: Sequence[str], target: str, overwrite: bool) -> None:
    if os.path.exists(target) and any(os.path.samefile(target, source) for source in inputs):
        raise ExportError(f"{target} is the recording itself; choose another name")
    if os.path.isdir(target):
        raise ExportError(f"{target} is a folder; give the name of a file in it")
    if os.path.exists(target) and not os.path.isfile(target):
        raise ExportError(f"{target} is not a regular file, and would be replaced by one")
    if os.path.lexists(target) and not overwrite:
        raise ExportError(f"{target} exists; choose another name, or overwrite=True (--overwrite) to replace it")
