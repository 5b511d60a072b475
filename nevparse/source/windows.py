# SPDX-License-Identifier: MIT
"""Reading a file at an offset on Windows, which has no `os.pread`.

A seek and a read are two calls, and another thread can move the position between them. So can Python itself: to map a
file it seeks to its beginning. ``ReadFile`` with an offset is one call that uses no position.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from typing import Any

_MAX_BYTES = 1 << 30  # of one call, which counts them with 32 bits
_END_OF_FILE = 38  # ERROR_HANDLE_EOF


class _Overlapped(ctypes.Structure):
    """The system's ``OVERLAPPED``, which holds the offset."""

    _fields_ = (
        ("internal", ctypes.c_void_p), ("internal_high", ctypes.c_void_p),
        ("offset", ctypes.c_ulong), ("offset_high", ctypes.c_ulong), ("event", ctypes.c_void_p),
    )  # fmt: skip


if sys.platform == "win32":

    def readinto_at(descriptor: int, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from an offset of a file as far as one call does; returns the number of bytes, 0 at its end."""
        import msvcrt

        n_bytes, n_read = min(len(buffer), _MAX_BYTES), ctypes.c_ulong()
        place = _Overlapped(offset=offset & 0xFFFFFFFF, offset_high=offset >> 32)
        room = (ctypes.c_char * n_bytes).from_buffer(buffer)
        handle = msvcrt.get_osfhandle(descriptor)
        if not _read_file()(handle, room, n_bytes, ctypes.byref(n_read), ctypes.byref(place)):
            code = ctypes.get_last_error()
            if code != _END_OF_FILE:
                raise ctypes.WinError(code)
        return n_read.value

    @lru_cache(maxsize=1)
    def _read_file() -> Any:
        function = ctypes.WinDLL("kernel32", use_last_error=True).ReadFile
        function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p)
        return function
