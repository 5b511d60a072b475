# SPDX-License-Identifier: MIT
"""What `info --json` prints: everything about a file but its samples and packets, as plain values."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Any

from ..nev.file import NevFile
from ..nsx.file import NsxFile
from ..recording.recording import Recording


def info_json(opened: NsxFile | NevFile | Recording) -> dict[str, Any]:
    """Everything that JSON can say of a file, or of all files of a recording."""
    if isinstance(opened, Recording):
        return {"base": opened.base, "members": [info_json(file) for file in opened.files.values()]}
    values: dict[str, Any] = _plain(_nsx(opened) if isinstance(opened, NsxFile) else _nev(opened))
    return values


def _nsx(ns: NsxFile) -> dict[str, Any]:
    return {
        **_attributes(ns, "path", "size_bytes"),
        "family": "nsx",
        **_attributes(ns, "spec", "vendor", "label", "application", "comment", "time_origin"),
        "sampling_rate_hz": ns.sampling_rate,
        "tick_rate_hz": ns.tick_rate,
        "dtype": ns.dtype.str,
        **_attributes(ns, "n_channels", "n_samples"),
        "duration_s": ns.n_samples / ns.sampling_rate,
        "missing_bytes": ns.missing_bytes,
        "segments": [_attributes(segment, "start_tick", "n_samples", "n_blocks") for segment in ns.segments],
        "gaps": ns.gaps,
        "damage": ns.damage,
        "channels": [vars(channel) for channel in ns.channels],
    }


def _nev(nev: NevFile) -> dict[str, Any]:
    first_tick, last_tick = nev.tick_span or (None, None)
    columns = ("electrode_id", "label", "bank", "pin", "uv_per_bit", "n_points")
    return {
        "path": nev.path,
        "family": "nev",
        **_attributes(nev, "spec", "vendor", "application", "comment"),
        **_attributes(nev, "time_origin", "time_origin_note", "time_origin_tick"),
        "tick_rate_hz": nev.tick_rate,
        "sample_rate_hz": nev.sample_rate,
        **_attributes(nev, "packet_bytes", "n_packets", "missing_bytes"),
        "first_tick": first_tick,
        "last_tick": last_tick,
        "kinds": nev.kinds(),
        "resets": nev.resets,
        "damage": nev.damage,
        "spikes": [{"electrode_id": e, "unit": u, "n_spikes": len(t)} for (e, u), t in nev.trains().items()],
        "electrodes": [_attributes(electrode, *columns) for electrode in nev.electrodes.values()],
    }


def _attributes(item: object, *names: str) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def _plain(value: Any) -> Any:
    """The same value in what JSON has: NaN and infinity become None, dates ISO text, records dictionaries."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, type):
        return value.__name__
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
