# SPDX-License-Identifier: MIT
"""Tables for a terminal: the recordings of a folder, the channels of a file; and what a command wrote as JSON."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import NevParseError
from ..format.dates import date_text
from ..format.header import ENDINGS_TEXT
from ..format.text import duration_text, printable
from ..nev.file import NevFile
from ..nsx.file import NsxFile
from ..recording.members import bases_in
from ..recording.recording import Recording, open_recording
from .terminal import UnusableInput

if TYPE_CHECKING:
    from ..export.job import BinFile

_BANKS = "-ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def folder_table(folder: str) -> tuple[list[str], bool]:
    """A line for each recording in a folder, one that cannot be opened says why; and whether all could be opened."""
    bases = bases_in(folder)
    if not bases:
        raise UnusableInput(f"{folder}: no {ENDINGS_TEXT} in it")
    head = ("recording", "date", "length", "files", "channels", "rate", "gaps", "damage")
    rows = list(map(_recording_row, bases))
    return _aligned([head, *rows]), all(len(row) == len(head) for row in rows)


def _recording_row(base: str) -> Sequence[str]:
    name = printable(os.path.basename(base))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last column counts what they say
        try:
            recording = open_recording(base)
        except (NevParseError, OSError) as error:
            return name, printable(str(error))
    with recording:
        files = recording.files.values()
        date = date_text(next((file.time_origin for file in files if file.time_origin), None))
        damage = sum(len(file.damage) for file in files) + len(recording.failed)
        length, n_channels, rate, n_gaps = "-", "-", "-", 0
        if recording.has_samples:
            ns = recording.fastest
            length, n_channels, rate = duration_text(ns.duration_s), str(ns.n_channels), f"{ns.sampling_rate:g} Hz"
            n_gaps = len(ns.gaps)
        members = " ".join(recording.members)
        return name, date, length, members, n_channels, rate, str(n_gaps or "-"), str(damage or "-")


def channel_table(opened: NsxFile | NevFile | Recording) -> list[str]:
    """A line for each channel of the continuous files, or each electrode of a NEV."""
    files: Iterable[NsxFile | NevFile] = opened.files.values() if isinstance(opened, Recording) else [opened]
    lines: list[str] = []
    for file in files:
        lines.append(printable(file.path))
        is_nev = isinstance(file, NevFile)
        head = ("" if is_nev else "column", "electrode", "label", "kind", "bank", "pin", "µV per bit")
        items = file.electrodes.values() if isinstance(file, NevFile) else file.channels
        lines += [f"  {line}" for line in _aligned([head, *map(_channel_row, items)])]
    return lines


def _channel_row(item: Any) -> Sequence[str]:
    column, kind = str(getattr(item, "index", "")), getattr(item, "kind", "spikes")
    bank = item.bank or 0
    scale = f"{item.uv_per_bit:.6g}" if isfinite(item.uv_per_bit) else "unknown"
    place = (_BANKS[bank] if bank < len(_BANKS) else str(bank), str(item.pin or "-"))
    return column, str(item.electrode_id), printable(item.label), kind, *place, scale


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells below each other; a row of two cells is a name and a message."""
    widths = [max(len(row[k]) for row in rows if k < len(row) != 2) for k in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]


def report_json(report: Any) -> dict[str, Any]:
    """What was written, as JSON can have it."""
    from ..export.bin import BinReport
    from ..export.sorter.folder import SorterReport

    if isinstance(report, SorterReport):
        settings = {name: getattr(report, name) for name in ("folder", "selection", "settings")}
        written = report_json(report.export) if report.export else {"files": [], "in_place": list(report.in_place)}
        return settings | {"electrodes": report.positions.statement} | written
    if isinstance(report, BinReport):
        counts = {name: getattr(report, name) for name in ("n_filled", "n_dropped", "n_repeated", "n_out_of_order")}
        of_each = {"instruments": [each._asdict() for each in report.instruments]} if report.instruments else {}
        return {"files": [_file_json(file) for file in report.files], **counts, **of_each}
    assert is_dataclass(report)
    return asdict(report)  # type: ignore[arg-type]


def _file_json(file: BinFile) -> dict[str, Any]:
    names = ("path", "sidecar_path", "n_samples", "n_channels", "dtype", "sampling_rate", "size_bytes")
    return {name: getattr(file, name) for name in names}
