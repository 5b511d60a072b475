# SPDX-License-Identifier: MIT
"""What the tests of this folder need before the first page is drawn."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def fonts_are_open(open_fonts: None) -> None:
    """Pages are drawn in this folder."""
