# SPDX-License-Identifier: MIT
"""How far a search goes: a little way by default, all the way where the thorough tests are asked for too.

What hypothesis tries follows `pytest_addoption` in `conftest`; here are the searches that count for themselves.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

FEWER = settings(max_examples=settings.default.max_examples // 2)  # where each example writes files


def searched(name: str, few: int, many: int) -> pytest.MarkDecorator:
    """Run a test with a small number by default, and once more with the one that makes it thorough."""
    thorough = pytest.param(many, id="thorough", marks=pytest.mark.thorough)
    return pytest.mark.parametrize(name, [pytest.param(few, id="quick"), thorough])
