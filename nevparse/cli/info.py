# SPDX-License-Identifier: MIT
"""What a file is, for people who want it at a glance and for scripts that want it as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from math import isfinite
from typing import Any

from ..errors import Damage
from ..format.channel import Channel, Filter
from ..format.tables import CHANNEL_KINDS
from ..format.text import duration_text, printable, ranges_text, size_text
from ..nev.file import NevFile
from ..nsx.file import NsxFile
from ..recording.recording import Recording

_BAR_CELLS = 60
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


def as_json(found: NsxFile | NevFile | Recording) -> dict[str, Any]:
    """Everything but samples and packets, as plain values."""
    if isinstance(found, NsxFile):
        return nsx_json(found)
    if isinstance(found, NevFile):
        return nev_json(found)
    return {"base": found.base, "members": [as_json(file) for file in found.files.values()]}


def as_text(found: NsxFile | NevFile | Recording) -> list[str]:
    """What a person reads at a glance."""
    if isinstance(found, NsxFile):
        return nsx_text(found)
    return nev_text(found) if isinstance(found, NevFile) else recording_text(found)


def nsx_json(ns: NsxFile) -> dict[str, Any]:
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
        "damage": _damage_json(ns.damage),
        "channels": [_channel_json(channel) for channel in ns.channels],
    }


def _channel_json(channel: Channel) -> dict[str, Any]:
    facts: dict[str, Any] = plain(vars(channel))
    for name in ("high_pass", "low_pass"):
        stage: Filter | None = getattr(channel, name)
        facts[name] = stage._asdict() if stage else None
    return facts


def _damage_json(damage: Iterable[Damage]) -> list[dict[str, Any]]:
    return [{"code": d.code, "offset": d.offset, "message": d.message, "category": d.category.__name__} for d in damage]


def nsx_text(ns: NsxFile) -> list[str]:
    """The lines that a person reads."""
    when = ns.time_origin.isoformat(" ", "milliseconds").replace("+00:00", " UTC") if ns.time_origin else "no date"
    made_by = "Ripple" if ns.vendor == "ripple" else "Blackrock"
    return [
        f"{printable(ns.path)}: {made_by} NSx {ns.spec}, {when}, {size_text(ns.size_bytes)}",
        f"  {_counted(range(ns.n_channels), 'channel')}, {ns.sampling_rate:g} Hz, {ns.dtype.name}{_quoted(ns.label)}",
        f"  {duration_text(ns.n_samples / ns.sampling_rate)}, {ns.n_samples} samples in {_counted(ns.segments, 'segment')}"
        + (f", first tick {ns.segments[0].start_tick} at {ns.tick_rate} Hz" if ns.segments else ""),
        *(f"  {line}" for line in _channel_lines(ns.channels)),
        *_listed("gap", [str(gap) for gap in ns.gaps]),
        *_listed("damaged place", [f"byte {place.offset}: {place.message}" for place in ns.damage]),
        *([f"  missing: {size_text(ns.missing_bytes)}"] if ns.missing_bytes else []),
    ]


def _quoted(label: str) -> str:
    return f', "{printable(label)}"' if label else ""


def _counted(items: Sequence[Any], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _listed(noun: str, lines: list[str]) -> list[str]:
    if not lines:
        return [f"  no {noun}s"]
    more = [f"    and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return [f"  {_counted(lines, noun)}:", *(f"    {printable(line)}" for line in lines[:_LISTED]), *more]


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
        return f"scale unknown{f' ({printable(channel.units)})' if channel.units else ''}"
    return f"{channel.uv_per_bit:.6g} µV per bit" if isfinite(channel.digital_range[0]) else f"in {channel.units}"


def _filter_text(channel: Channel) -> str:
    stages = [f"{stage.corner_hz:g} Hz" if stage else "" for stage in (channel.high_pass, channel.low_pass)]
    return f"  {stages[0] or '0 Hz'} to {stages[1] or 'unfiltered'}" if any(stages) else ""


def nev_json(nev: NevFile) -> dict[str, Any]:
    """Everything about a NEV but its packets, as plain values."""
    span = nev.tick_span
    return {
        "path": nev.path,
        "family": "nev",
        "spec": nev.spec,
        "vendor": nev.vendor,
        "application": nev.application,
        "comment": nev.comment,
        "time_origin": plain(nev.time_origin),
        "time_origin_note": nev.time_origin_note,
        "time_origin_tick": nev.time_origin_tick,
        "tick_rate_hz": nev.tick_rate,
        "sample_rate_hz": nev.sample_rate,
        "packet_bytes": nev.packet_bytes,
        "n_packets": nev.n_packets,
        "missing_bytes": nev.missing_bytes,
        "first_tick": span[0] if span else None,
        "last_tick": span[1] if span else None,
        "kinds": nev.kinds(),
        "resets": [reset._asdict() for reset in nev.resets],
        "damage": _damage_json(nev.damage),
        "spikes": [{"electrode_id": e, "unit": u, "n_spikes": len(t)} for (e, u), t in nev.trains().items()],
        "electrodes": [
            {"electrode_id": e.electrode_id, "label": e.label, "bank": e.bank, "pin": e.pin,
             "uv_per_bit": plain(e.uv_per_bit), "n_points": e.n_points}
            for e in nev.electrodes.values()
        ],
    }  # fmt: skip


def nev_text(nev: NevFile) -> list[str]:
    """The lines that a person reads."""
    made_by = "Ripple" if nev.vendor == "ripple" else "Blackrock"
    when = nev.time_origin.isoformat(" ", "milliseconds").replace("+00:00", " UTC") if nev.time_origin else "no date"
    span, rate = nev.tick_span, nev.tick_rate
    times = f", {span[0] / rate:.6g} s to {span[1] / rate:.6g} s (ticks {span[0]} to {span[1]})" if span else ""
    kinds = [f"{kind} {count}" for kind, count in nev.kinds().items()]
    resets = [f"at packet {r.packet}: from tick {r.tick_before} to {r.tick_after}" for r in nev.resets]
    return [
        f"{printable(nev.path)}: {made_by} NEV {nev.spec}, {when}",
        f"  {nev.n_packets} packets of {nev.packet_bytes} bytes{times}; {len(nev.electrodes)} electrodes described",
        f"  events: {', '.join(kinds) or 'none'}",
        *_firing_lines(nev),
        *(_listed("clock reset", resets) if resets else []),
        *_listed("damaged place", [f"byte {place.offset}: {place.message}" for place in nev.damage]),
        *([f"  missing: {size_text(nev.missing_bytes)}"] if nev.missing_bytes else []),
    ]


def _firing_lines(nev: NevFile) -> list[str]:
    """Spikes of each electrode by unit."""
    table: dict[int, list[str]] = {}
    for (electrode_id, unit), ticks in nev.trains().items():
        name = {"unit": f"unit {unit}", "reserved": f"reserved {unit}"}.get(nev.unit_class(unit), nev.unit_class(unit))
        table.setdefault(electrode_id, []).append(f"{name} {len(ticks)}")
    if not table:
        return []
    rows = [f"    {number:>5}  {_label(nev, number):<16}  {', '.join(units)}" for number, units in table.items()]
    return [f"  spikes on {_counted(rows, 'electrode')}:", *rows]


def _label(nev: NevFile, electrode_id: int) -> str:
    electrode = nev.electrodes.get(electrode_id)
    return printable(electrode.label) if electrode else "(no header)"


def recording_text(recording: Recording) -> list[str]:
    """Every file of a recording, and one line each of when it was recording."""
    spans = {suffix: _spans(file) for suffix, file in recording.files.items()}
    ends = [end for parts in spans.values() for part in parts for end in part]
    first, last = (min(ends), max(ends)) if ends else (0.0, 0.0)
    told = [line for file in recording.files.values() for line in as_text(file)]
    bars = [f"  {suffix}  |{_bar(parts, first, last)}|" for suffix, parts in spans.items()]
    failed = [f"  {suffix}  could not be read: {printable(str(error))}" for suffix, error in recording.failed.items()]
    title = f"{printable(recording.base)}: {first:.6g} s to {last:.6g} s by the recorder's clock"
    return [*told, title, *bars, *failed]


def _spans(file: NsxFile | NevFile) -> list[tuple[float, float]]:
    if isinstance(file, NsxFile):
        return [(s.start_tick / file.tick_rate, s.stop_tick / file.tick_rate) for s in file.segments]
    span = file.tick_span
    return [(span[0] / file.tick_rate, span[1] / file.tick_rate)] if span else []


def _bar(parts: list[tuple[float, float]], first: float, last: float) -> str:
    """A line of time: ``#`` where there is data, ``.`` where there is none."""
    cells, per_s = ["."] * _BAR_CELLS, (_BAR_CELLS - 1) / ((last - first) or 1)
    for begin, end in parts:
        a, b = round((begin - first) * per_s), round((end - first) * per_s)
        cells[a : b + 1] = "#" * (b + 1 - a)
    return "".join(cells)
