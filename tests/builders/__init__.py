# SPDX-License-Identifier: MIT
"""Files built byte by byte from the documents; nothing here knows nevparse."""

from __future__ import annotations

import types
from typing import Any

from . import nsx

# For test_crash.py, crashes.py, test_sorter.py and benchmarks/survival.py, which still say `import builders as b`
# where others say `from builders import nsx as b`: all that follows goes once they do.


class _OldName(types.ModuleType):
    """`builders.nsx`, which was a function of the module `builders`."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.nsx(*arguments, **options)


nsx.__class__ = _OldName


def __getattr__(name: str) -> Any:
    return getattr(nsx, name)
