# SPDX-License-Identifier: MIT
"""Run the command line: ``python -m nevparse``, under whatever name the package was copied to."""

from __future__ import annotations

import gc

from .cli.commands import main

_OBJECTS = 100_000  # that are made before Python looks for garbage among them


def run() -> int:
    """Run the command that was typed, in a process that ends with it; returns the exit code.

    Python would look for garbage often while modules load, and at exit in all of them: 16 of 100 ms of a short command.
    """
    gc.set_threshold(_OBJECTS)
    code = main()
    gc.freeze()
    return code


if __name__ == "__main__":
    raise SystemExit(run())
