# SPDX-License-Identifier: MIT
"""What the fixtures of `conftest` give, for the signatures of tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nevparse.nev.file import NevFile
from nevparse.nsx.file import NsxFile

FileOf = Callable[..., str]  # (data, name): the path of a file that holds them
Opened = Callable[..., NsxFile]  # (data, name, options of open_nsx)
NevOf = Callable[..., NevFile]  # (data, name)
NewFolder = Callable[[], Path]
RealFile = Callable[[str], Path]
Cut = Callable[..., bytes]  # (open file, options of write_nsx or write_nev)
Command = Callable[..., tuple[int, str, str]]  # arguments: exit code, standard output, standard error
