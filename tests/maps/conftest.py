# SPDX-License-Identifier: MIT
"""How the tests of this folder read maps."""

from __future__ import annotations

import pytest
from fixture_types import FileOf

import nevparse as nv
from maps.arrays import Read, Refused


@pytest.fixture
def read(file_of: FileOf) -> Read:
    """Write maps and read them."""

    def read_(*data: bytes, **options):
        paths = [file_of(one, f"{'abcd'[k]}.cmp") for k, one in enumerate(data)]
        return nv.read_cmp(paths if len(paths) > 1 else paths[0], **options)

    return read_


@pytest.fixture
def refused(read: Read) -> Refused:
    """The error of a map that is refused."""

    def refused_(data: bytes) -> nv.FormatError:
        with pytest.raises(nv.FormatError) as caught:
            read(data)
        assert caught.value.path.endswith("a.cmp")
        return caught.value

    return refused_
