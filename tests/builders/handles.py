# SPDX-License-Identifier: MIT
"""What this process holds open, as the system tells it."""

from __future__ import annotations

import os

_HANDLES = "/proc/self/fd"


def replaced(path: str, data: bytes) -> None:
    """Put another file in the place of one that is closed, and leave alone what maps the old one."""
    os.unlink(path)
    with open(path, "xb") as file:
        file.write(data)


def open_files() -> list[str]:
    """Every regular file this process holds open, or mapped through a handle; nothing where /proc is absent."""
    targets = []
    for handle in os.listdir(_HANDLES) if os.name == "posix" and os.path.isdir(_HANDLES) else ():
        try:
            targets.append(os.readlink(f"{_HANDLES}/{handle}"))
        except OSError:  # noqa: PERF203 - the handle that lists the folder is gone
            continue
    return [target for target in targets if target.startswith("/") and not target.startswith(("/dev/", "/proc/"))]
