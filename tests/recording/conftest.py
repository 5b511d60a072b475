# SPDX-License-Identifier: MIT
"""How the tests of this folder open recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recording.files import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """Write files by name and open the recording that a path in the folder names; closed when the test ends."""
    folder = Folder(tmp_path)
    yield folder
    for recording in folder.opened:
        recording.close()
