# SPDX-License-Identifier: MIT
"""What a file is, for people who want it at a glance and for scripts that want it as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from math import isfinite
from typing import Any

from ._channels import Channel
from ._headers import Damage, Filter
from ._units import ranges_text, size_text, span_text, visible
from .nsx import NsxFile
from .spec import CHANNEL_KINDS

_LISTED = 8  # gaps, segments and damaged places shown before the rest is only counted


def plain(value: Any) -> Any:
    """The same value in what JSON knows: numbers that are none become None, dates ISO text."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def nsx_facts(ns: NsxFile) -> dict[str, Any]:
    """Everything about an NSx but its samples, as plain values."""
    return {
        "path": ns.path,
        "size_bytes": ns.size_bytes,
        "family": "nsx",
        "spec": ns.spec,
        "vendor": ns.vendor,
        "label": ns.label,
        "application": ns.application,
        "comment": ns.comment,
        "time_origin": plain(ns.time_origin),
        "sampling_rate_hz": ns.sampling_rate,
        "tick_rate_hz": ns.tick_rate,
        "dtype": ns.dtype.str,
        "n_channels": ns.n_channels,
        "n_samples": ns.n_samples,
        "duration_s": ns.n_samples / ns.sampling_rate,
        "missing_bytes": ns.missing_bytes,
        "segments": [
            {"start_tick": s.start_tick, "n_samples": s.n_samples, "n_blocks": s.n_blocks} for s in ns.segments
        ],
        "gaps": [gap._asdict() for gap in ns.gaps],
        "damage": _damage_facts(ns.damage),
        "channels": [_channel_facts(channel) for channel in ns.channels],
    }


def _channel_facts(channel: Channel) -> dict[str, Any]:
    facts: dict[str, Any] = plain(asdict(channel))
    for name in ("high_pass", "low_pass"):
        stage: Filter | None = getattr(channel, name)
        facts[name] = stage._asdict() if stage else None
    return facts


def _damage_facts(damage: Iterable[Damage]) -> list[dict[str, Any]]:
    return [{"offset": d.offset, "message": d.message, "category": d.category.__name__} for d in damage]


def nsx_text(ns: NsxFile) -> list[str]:
    """The lines that a person reads."""
    when = ns.time_origin.isoformat(" ", "milliseconds").replace("+00:00", " UTC") if ns.time_origin else "no date"
    made_by = "Ripple" if ns.vendor == "ripple" else "Blackrock"
    return [
        f"{visible(ns.path)}: {made_by} NSx {ns.spec}, {when}, {size_text(ns.size_bytes)}",
        f"  {ns.n_channels} channels, {ns.sampling_rate:g} Hz, {ns.dtype.name}{_quoted(ns.label)}",
        f"  {span_text(ns.n_samples / ns.sampling_rate)}, {ns.n_samples} samples in {_counted(ns.segments, 'segment')}"
        + (f", first tick {ns.segments[0].start_tick} at {ns.tick_rate} Hz" if ns.segments else ""),
        *(f"  {line}" for line in _channel_lines(ns.channels)),
        *_listed("gap", [str(gap) for gap in ns.gaps]),
        *_listed("damaged place", [f"byte {place.offset}: {place.message}" for place in ns.damage]),
        *([f"  missing: {size_text(ns.missing_bytes)}"] if ns.missing_bytes else []),
    ]


def _quoted(label: str) -> str:
    return f', "{visible(label)}"' if label else ""


def _counted(items: Sequence[Any], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _listed(noun: str, lines: list[str]) -> list[str]:
    if not lines:
        return [f"  no {noun}s"]
    more = [f"    and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return [f"  {_counted(lines, noun)}:", *(f"    {visible(line)}" for line in lines[:_LISTED]), *more]


def _channel_lines(channels: Sequence[Channel]) -> list[str]:
    """One line for each kind of channel, scale and filter."""
    alike = sorted(channels, key=lambda c: (CHANNEL_KINDS.index(c.kind), _scale_text(c), _filter_text(c), c.index))
    lines = []
    for (kind, scale, passed), group in groupby(alike, lambda c: (c.kind, _scale_text(c), _filter_text(c))):
        members = list(group)
        columns, ids = ranges_text([c.index for c in members]), ranges_text([c.electrode_id for c in members])
        lines.append(f"{kind:<6} {len(members):>4}  columns {columns}  electrodes {ids}  {scale}{passed}")
    return lines


def _scale_text(channel: Channel) -> str:
    if not isfinite(channel.uv_per_bit):
        return f"scale unknown{f' ({visible(channel.units)})' if channel.units else ''}"
    return f"{channel.uv_per_bit:.6g} µV per bit" if isfinite(channel.digital_range[0]) else f"in {channel.units}"


def _filter_text(channel: Channel) -> str:
    stages = [f"{stage.corner_hz:g} Hz" if stage else "" for stage in (channel.high_pass, channel.low_pass)]
    return f"  {stages[0] or '0 Hz'} to {stages[1] or 'unfiltered'}" if any(stages) else ""
