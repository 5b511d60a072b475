# SPDX-License-Identifier: MIT
"""What the tests of this folder need before the first page is drawn."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True, scope="session")
def fonts_are_open() -> None:
    """Let matplotlib open its fonts, which it keeps open, before a test counts open files."""
    if find_spec("matplotlib"):
        from nevparse.report.drawing import draw

        draw("fonts", 1, lambda figure: figure.suptitle("abcµ²"), "")
