# SPDX-License-Identifier: MIT
"""Blackrock and Ripple recordings: ``.nev`` and ``.ns1`` to ``.ns9`` files, on numpy alone.

A name is imported when it is first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers see; _HOMES says the same to Python
    from .clock import Gap as Gap
    from .errors import AmbiguousEpochs as AmbiguousEpochs
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
    from .export.bin import write_bin as write_bin
    from .export.native.cut_nev import write_nev as write_nev
    from .export.native.cut_nsx import write_nsx as write_nsx
    from .export.native.new_nsx import NewChannel as NewChannel
    from .export.native.new_nsx import create_nsx as create_nsx
    from .export.sidecar import Sidecar as Sidecar
    from .export.sidecar import read_sidecar as read_sidecar
    from .export.sorter.folder import write_sorter as write_sorter
    from .format.channel import Channel as Channel
    from .maps.ccf import read_ccf as read_ccf
    from .maps.cmp import read_cmp as read_cmp
    from .maps.positions import plain_grid as plain_grid
    from .nev.electrodes import Electrode as Electrode
    from .nev.file import NevFile as NevFile
    from .nev.file import open_nev as open_nev
    from .nsx.file import NsxFile as NsxFile
    from .nsx.file import open_nsx as open_nsx
    from .nsx.segments import Segment as Segment
    from .recording.check import Finding as Finding
    from .recording.check import check as check
    from .recording.epochs import Epoch as Epoch
    from .recording.epochs import PacketEpochs as PacketEpochs
    from .recording.instruments import CombinedInstruments as CombinedInstruments
    from .recording.instruments import combine_instruments as combine_instruments
    from .recording.recording import Recording as Recording
    from .recording.recording import open_recording as open_recording
    from .report.quality import Quality as Quality
    from .report.quality import channel_quality as channel_quality

__version__ = "0.2.0"

_ERRORS = "NevParseError FormatError UnsupportedVersion GapError ExportError"
_HOMES = {
    "errors": f"{_ERRORS} NevParseWarning UnknownVersion TruncatedFile DamagedFile UnknownScale AmbiguousEpochs",
    "nsx.file": "open_nsx NsxFile",
    "nsx.segments": "Segment",
    "format.channel": "Channel",
    "clock": "Gap",
    "nev.file": "open_nev NevFile",
    "nev.electrodes": "Electrode",
    "recording.epochs": "Epoch PacketEpochs",
    "recording.recording": "open_recording Recording",
    "recording.instruments": "combine_instruments CombinedInstruments",
    "recording.check": "check Finding",
    "export.bin": "write_bin",
    "report.quality": "channel_quality Quality",
    "export.sidecar": "read_sidecar Sidecar",
    "export.sorter.folder": "write_sorter",
    "export.native.cut_nsx": "write_nsx",
    "export.native.cut_nev": "write_nev",
    "export.native.new_nsx": "create_nsx NewChannel",
    "maps.cmp": "read_cmp",
    "maps.positions": "plain_grid",
    "maps.ccf": "read_ccf",
}
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
