# SPDX-License-Identifier: MIT
"""Blackrock and Ripple recordings: ``.nev`` and ``.ns1`` to ``.ns9`` files, on numpy alone.

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._ccf import read_ccf as read_ccf
    from ._check import check as check
    from .binfile import write_bin as write_bin
    from .errors import DamagedFile as DamagedFile
    from .errors import ExportError as ExportError
    from .errors import FormatError as FormatError
    from .errors import GapError as GapError
    from .errors import NevParseError as NevParseError
    from .errors import NevParseWarning as NevParseWarning
    from .errors import TruncatedFile as TruncatedFile
    from .errors import UnknownScale as UnknownScale
    from .errors import UnknownVersion as UnknownVersion
    from .errors import UnsupportedVersion as UnsupportedVersion
    from .maps import plain_grid as plain_grid
    from .maps import read_cmp as read_cmp
    from .nev import open_nev as open_nev
    from .nsx import open_nsx as open_nsx
    from .recording import open_recording as open_recording
    from .sidecar import read_sidecar as read_sidecar
    from .sorter import write_sorter as write_sorter
    from .writer import NewChannel as NewChannel
    from .writer import create_nsx as create_nsx
    from .writer import write_nev as write_nev
    from .writer import write_nsx as write_nsx

__version__ = "0.1.0"

_ERRORS = "NevParseError FormatError UnsupportedVersion GapError ExportError"
_WARNINGS = "NevParseWarning UnknownVersion TruncatedFile DamagedFile UnknownScale"
_HOMES = {
    "errors": f"{_ERRORS} {_WARNINGS}", "sorter": "write_sorter", "writer": "write_nsx write_nev create_nsx NewChannel",
    "nsx": "open_nsx", "nev": "open_nev", "recording": "open_recording", "binfile": "write_bin", "_check": "check",
    "sidecar": "read_sidecar", "maps": "read_cmp plain_grid", "_ccf": "read_ccf",
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module("." + _HOME[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
