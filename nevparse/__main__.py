# SPDX-License-Identifier: MIT
"""Run the command line: ``python -m nevparse``, under whatever name the package was copied to."""

from .cli.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
