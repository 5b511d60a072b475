# SPDX-License-Identifier: MIT
"""One run at a time for a name, and a list of what a run that was killed has left."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import FileIO

from ...errors import ExportError

LOCK = ".lock"
_TRIES = 3
_FIRST_LINE = b"nevparse is writing these files, or was killed while it did\n"
_HELD = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


class Claim:
    """A file ``X.lock`` that is locked as long as a run writes ``X``, in a ``with`` block, and lists what it creates.

    The system lets go of the lock when the run ends, however it ends; the list stays where it was killed. So what is
    listed in a file that is not locked is a leftover, and what is not listed belongs to somebody else.

    Parameters
    ----------
    path : str
        What will be written.

    Raises
    ------
    ExportError
        Where another run writes the same, or ``X.lock`` is somebody else's.
    OSError
        Where it cannot be created.
    """

    def __init__(self, path: str) -> None:
        self._path, self._name = path, path + LOCK
        self._folder = os.path.dirname(self._name)
        self._file: FileIO | None = None
        self._listed: dict[str, None] = {}
        self._ours = self._began = False

    def __enter__(self) -> Claim:
        try:
            self._acquire()
        except BaseException:
            with suppress(OSError):
                if self._began and (self._file is None or self._file.closed):  # Ctrl-C came before it was known
                    self._file = FileIO(self._name, "r+b")
                self._release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def _acquire(self) -> None:
        for _ in range(_TRIES):
            if os.path.lexists(self._name) and (os.path.islink(self._name) or not os.path.isfile(self._name)):
                raise ExportError(_not_ours(self._name))
            self._began = True
            self._file = FileIO(self._name, "a+b")
            if self._became_ours(self._file):
                return
            self._file.close()  # another run has it, or had it and has removed it meanwhile
        raise ExportError(f"{self._path} is being written by another run; wait for it, or choose another name")

    def _became_ours(self, file: FileIO) -> bool:
        if not self._ours and _lock(file) and self._is_there(file):
            self._listed, self._ours = dict.fromkeys(self._read(file)), True
        return self._ours

    def _is_there(self, file: FileIO) -> bool:
        try:
            return os.path.samestat(os.stat(self._name), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False

    def _read(self, file: FileIO) -> list[str]:
        import json  # no one who only reads recordings needs it

        file.seek(0)
        raw = file.readall()
        if not (raw.startswith(_FIRST_LINE) or _FIRST_LINE.startswith(raw)):
            raise ExportError(_not_ours(self._name))
        whole = raw[: raw.rfind(b"\n") + 1]  # a kill may have cut the last line
        file.truncate(len(whole))
        if not whole:
            file.write(_FIRST_LINE)
        try:
            names = [os.path.basename(json.loads(line)) for line in whole.splitlines()[1:]]  # nothing in other folders
        except (ValueError, TypeError):
            raise ExportError(_not_ours(self._name)) from None
        return [os.path.join(self._folder, name) for name in names]

    def left(self) -> list[str]:
        """Files that are listed and still there."""
        return [name for name in self._listed if os.path.lexists(name)]

    def take(self, names: list[str]) -> None:
        """List files that will be created; they are in the same folder.

        Raises
        ------
        ExportError
            Where there is one already and no run left it.
        """
        new = [name for name in names if name not in self._listed]
        for name in new:
            if os.path.lexists(name):
                raise ExportError(_not_ours(name))
        import json

        assert self._file is not None
        self._listed.update(dict.fromkeys(new))
        self._file.write(b"".join(json.dumps(os.path.basename(name)).encode() + b"\n" for name in new))

    def _release(self) -> None:
        """Let others write; the list stays where something of it is left."""
        if self._file is None or self._file.closed:
            return
        with self._file, suppress(ExportError, OSError):  # of a file that is somebody else's
            if self._became_ours(self._file) and not self.left():
                self._remove(self._file)

    def _remove(self, file: FileIO) -> None:
        try:
            os.unlink(self._name)
        except OSError:  # Windows does not remove what is open; once it is closed, nor what another run opened
            file.close()
            os.unlink(self._name)


def _not_ours(name: str) -> str:
    return f"{name} is in the way, and no run that was killed has left it; move it, or choose another name"


def _lock(file: FileIO) -> bool:
    """Lock a file until it is closed; False where another run has it. A system that locks nothing is believed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD
    return True
