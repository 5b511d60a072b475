# SPDX-License-Identifier: MIT
"""Events are opened as events in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fixture_types import FileOf

from nev.files import Opener
from nevparse.nev.file import NevFile, open_nev


@pytest.fixture
def opened(file_of: FileOf) -> Iterator[Opener]:
    """Write a file and open it; it is closed with the test."""
    files: list[NevFile] = []

    def write_and_open(data: bytes, name: str = "s.nev") -> NevFile:
        files.append(open_nev(file_of(data, name)))
        return files[-1]

    yield write_and_open
    for file in files:
        file.close()
