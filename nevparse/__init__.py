# SPDX-License-Identifier: MIT
"""Blackrock and Ripple recordings: ``.nev`` and ``.ns1`` to ``.ns9`` files, on numpy alone.

The four ways in:

- ``open_nsx("s.ns5")``: continuous data. ``.segments``, ``.read``, ``.channels``, ``.gaps``.
- ``open_nev("s.nev")``: spikes and events. ``.spikes``, ``.trains``, ``.events``, ``.comments``.
- ``open_recording("s")``: all files of one recording, on one clock. ``.nev``, ``.nsx[5]``, ``.locate``.
- ``write_bin(ns, "s.bin")``: chosen channels to a flat file; ``write_sorter``, ``write_nsx``, ``write_nev``.

A name is imported when it is first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers see; _HOMES says the same to Python
    from .clock import Epoch as Epoch
    from .clock import Gap as Gap
    from .clock import TimeBase as TimeBase
    from .errors import AmbiguousEpochs as AmbiguousEpochs
    from .errors import Damage as Damage
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
    from .export.bin import BinReport as BinReport
    from .export.bin import write_bin as write_bin
    from .export.job import BinFile as BinFile
    from .export.native.cut_nev import NevReport as NevReport
    from .export.native.cut_nev import write_nev as write_nev
    from .export.native.cut_nsx import write_nsx as write_nsx
    from .export.native.file_plan import NsxReport as NsxReport
    from .export.native.new_nsx import NewChannel as NewChannel
    from .export.native.new_nsx import create_nsx as create_nsx
    from .export.sidecar import Sidecar as Sidecar
    from .export.sidecar import read_sidecar as read_sidecar
    from .export.sorter.folder import SorterReport as SorterReport
    from .export.sorter.folder import write_sorter as write_sorter
    from .export.table import table as table
    from .format.channel import Channel as Channel
    from .format.channel import Filter as Filter
    from .format.tables import EventKind as EventKind
    from .maps.ccf import Configuration as Configuration
    from .maps.ccf import read_ccf as read_ccf
    from .maps.cmp import read_cmp as read_cmp
    from .maps.positions import ArrayMap as ArrayMap
    from .maps.positions import MapElectrode as MapElectrode
    from .maps.positions import Positions as Positions
    from .maps.positions import plain_grid as plain_grid
    from .nev.comments import Comment as Comment
    from .nev.comments import Roi as Roi
    from .nev.electrodes import Electrode as Electrode
    from .nev.epochs import PacketEpochs as PacketEpochs
    from .nev.file import NevFile as NevFile
    from .nev.file import open_nev as open_nev
    from .nev.headers import DigitalLabel as DigitalLabel
    from .nev.headers import Trackable as Trackable
    from .nev.headers import Triggers as Triggers
    from .nev.headers import VideoSource as VideoSource
    from .nev.resets import Reset as Reset
    from .nsx.file import NsxFile as NsxFile
    from .nsx.file import SampleUnit as SampleUnit
    from .nsx.file import open_nsx as open_nsx
    from .nsx.segments import Chunk as Chunk
    from .nsx.segments import Segment as Segment
    from .recording.check import Finding as Finding
    from .recording.check import check as check
    from .recording.instruments import CombinedInstruments as CombinedInstruments
    from .recording.instruments import combine_instruments as combine_instruments
    from .recording.recording import Recording as Recording
    from .recording.recording import open_recording as open_recording
    from .recording.succession import concatenate as concatenate
    from .recording.successive_files import SuccessiveFiles as SuccessiveFiles
    from .recording.successive_nevs import SuccessiveNevs as SuccessiveNevs
    from .recording.successive_nevs import SuccessiveRecordings as SuccessiveRecordings
    from .report.page import PageReport as PageReport
    from .report.page import write_report as write_report
    from .report.quality import Quality as Quality
    from .report.quality import channel_quality as channel_quality
    from .traces.plan import GapPolicy as GapPolicy
    from .traces.selection import ChannelChoice as ChannelChoice
    from .traces.selection import ChannelKind as ChannelKind
    from .traces.selection import ColumnSelection as ColumnSelection
    from .traces.selection import ElectrodeChoice as ElectrodeChoice
    from .traces.selection import ExcludeChoice as ExcludeChoice
    from .traces.selection import LabelChoice as LabelChoice
    from .traces.selection import SampleSelection as SampleSelection
    from .traces.selection import TraceSelection as TraceSelection
    from .traces.traces import Traces as Traces

__version__ = "0.2.0"

_HOMES = {
    "errors": (
        "NevParseError FormatError UnsupportedVersion GapError ExportError NevParseWarning "
        "UnknownVersion TruncatedFile DamagedFile UnknownScale AmbiguousEpochs Damage"
    ),
    "nsx.file": "open_nsx NsxFile SampleUnit",
    "nsx.segments": "Segment Chunk",
    "format.channel": "Channel Filter",
    "clock": "Gap TimeBase Epoch",
    "nev.file": "open_nev NevFile",
    "nev.electrodes": "Electrode",
    "nev.epochs": "PacketEpochs",
    "recording.recording": "open_recording Recording",
    "traces.traces": "Traces",
    "recording.instruments": "combine_instruments CombinedInstruments",
    "recording.succession": "concatenate",
    "recording.successive_files": "SuccessiveFiles",
    "recording.successive_nevs": "SuccessiveNevs SuccessiveRecordings",
    "recording.check": "check Finding",
    "export.bin": "write_bin BinReport",
    "report.quality": "channel_quality Quality",
    "report.page": "write_report PageReport",
    "export.sidecar": "read_sidecar Sidecar",
    "export.sorter.folder": "write_sorter SorterReport",
    "export.native.cut_nsx": "write_nsx",
    "export.native.cut_nev": "write_nev NevReport",
    "export.native.new_nsx": "create_nsx NewChannel",
    "maps.cmp": "read_cmp",
    "maps.positions": "plain_grid ArrayMap Positions MapElectrode",
    "maps.ccf": "read_ccf Configuration",
    "nev.comments": "Comment Roi",
    "nev.headers": "DigitalLabel VideoSource Trackable Triggers",
    "nev.resets": "Reset",
    "export.job": "BinFile",
    "export.native.file_plan": "NsxReport",
    "format.tables": "EventKind",
    "traces.plan": "GapPolicy",
    "traces.selection": (
        "ChannelKind ChannelChoice ElectrodeChoice LabelChoice ExcludeChoice "
        "ColumnSelection SampleSelection TraceSelection"
    ),
    "export.table": "table",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = list(_HOME)


if not TYPE_CHECKING:  # a type checker that sees it takes every misspelt name for Any

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(_no_name(name))
        value = getattr(import_module("." + _HOME[name], __name__), name)
        globals()[name] = value
        return value


def _no_name(name: str) -> str:
    from .format.text import alike

    nearest = "" if name.startswith("_") else " or ".join(alike(name, _HOME))
    return f"module {__name__!r} has no attribute {name!r}" + (f"; did you mean {nearest}?" if nearest else "")


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__"])
