# SPDX-License-Identifier: MIT
"""How the tests of this folder open recordings."""

from __future__ import annotations

import pytest

import nevparse as nv


@pytest.fixture
def folder(tmp_path):
    """Write files by name and open the recording that a path in the folder names; closed when the test ends."""
    recordings = []

    class Folder:
        path = tmp_path

        def write(self, **files):
            for name, data in files.items():
                (tmp_path / name.replace("__", ".")).write_bytes(data)
            return self

        def open(self, name="s"):
            recordings.append(nv.open_recording(tmp_path / name))
            return recordings[-1]

    yield Folder()
    for recording in recordings:
        recording.close()
