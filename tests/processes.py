# SPDX-License-Identifier: MIT
"""What the processes are given that tests start."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE_S = 300  # what is waited for anything that others do: only what hangs takes so long, on the busiest machine


def environment(*folders: Path, **more: str) -> dict[str, str]:
    """Variables for a process of Python that imports from these folders, or from the checkout; warnings are errors.

    It has one thread for algebra: others would spin on a processor that the tests need. Where nothing may be compiled
    into the checkout, one temporary folder has what the first of them compiles: to compile the package again takes a
    process longer than most of what it does.
    """
    path = os.pathsep.join(map(str, folders or [CHECKOUT]))
    given = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "error", "OPENBLAS_NUM_THREADS": "1"}
    if sys.dont_write_bytecode:
        given |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": _compiled()}
    return given | more


@functools.cache
def _compiled() -> str:
    folder = tempfile.mkdtemp(prefix="nevparse-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def python(*arguments: object, env: dict[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run Python until it ends."""
    command = [sys.executable, *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, env=env or environment(), timeout=PATIENCE_S, check=False, **options)
