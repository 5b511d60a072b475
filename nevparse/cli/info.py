# SPDX-License-Identifier: MIT
"""What `info` prints of a file, or of all files of a recording: lines for a person, or values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import Progress
from ..format.channel import Channel
from ..format.dates import date_text
from ..format.tables import CHANNEL_KINDS
from ..format.text import counted, duration_text, json_text, printable, ranges_text, size_text
from ..nsx.file import NsxFile
from ..recording.recording import Recording
from .terminal import UnusableInput

if TYPE_CHECKING:
    from ..clock import Epoch
    from ..nev.file import NevFile
_Spans = list[list[float]]
_BAR_CELLS = 60
_MAX_BUSY = 5
_MAX_LISTED = 8  # gaps, resets and damaged places; further ones are only counted


def info_text(opened: NsxFile | NevFile | Recording, *, units: bool = False) -> list[str]:
    """Lines for a person; with `units` the spikes of every unit, and not only their sums."""
    if isinstance(opened, NsxFile):
        return _nsx_lines(opened)
    return _recording_lines(opened, units) if isinstance(opened, Recording) else _nev_lines(opened, units)


def quality_lines(opened: NsxFile | NevFile | Recording, as_json: bool, progress: Progress | None) -> list[str]:
    """How good the channels of every continuous file are: the counts, and those that are not good; as JSON all."""
    from ..report.quality import channel_quality

    lines = []
    for ns in _continuous(opened):
        quality = channel_quality(ns, progress=progress)
        if not as_json:
            lines += f"{printable(ns.path)}: {quality}".split("\n")
            continue
        names = quality.channels.dtype.names or ()
        rows = [dict(zip(names, row, strict=True)) for row in quality.channels.tolist()]
        values = {"path": ns.path, **_attributes(quality, "n_windows", "window_s", "duration_s"), "channels": rows}
        lines.append(json_text(_plain(values)))
    return lines


def _continuous(opened: NsxFile | NevFile | Recording) -> list[NsxFile]:
    files = list(opened.files.values()) if isinstance(opened, Recording) else [opened]
    found = [file for file in files if isinstance(file, NsxFile)]
    if not found:
        name = opened.base if isinstance(opened, Recording) else opened.path
        raise UnusableInput(f"{name}: expected a continuous file, whose channels can be measured, found only spikes")
    return found


def _nsx_lines(ns: NsxFile) -> list[str]:
    first = ns.segments[0].start_tick if ns.segments else None
    start = f", first tick {first} at {ns.tick_rate} Hz, which is {_when(ns, first)}" if first is not None else ""
    duration, label = duration_text(ns.n_samples / ns.sampling_rate), f', "{printable(ns.label)}"' if ns.label else ""
    return [
        f"{_title(ns, 'NSx')}, {size_text(ns.size_bytes)}",
        f"  {counted(ns.n_channels, 'channel')}, {ns.sampling_rate:g} Hz, {ns.dtype.name}{label}",
        f"  {duration}, {ns.n_samples} samples in {counted(len(ns.segments), 'segment')}{start}",
        *(f"  {line}" for line in _channel_lines(ns.channels)),
        *_listed("gap", [str(gap) for gap in ns.gaps]),
        *_damage_lines(ns),
    ]


def _title(file: NsxFile | NevFile, family: str) -> str:
    zone = " or local time" if getattr(file, "time_origin_note", "").startswith("taken") else ""
    vendor = "Ripple" if file.vendor == "ripple" else "Blackrock"
    return f"{printable(file.path)}: {vendor} {family} {file.spec}, {date_text(file.time_origin)}{zone}"


def _damage_lines(file: NsxFile | NevFile) -> list[str]:
    lines = _listed("damaged place", [f"byte {place.offset}: {place.message}" for place in file.damage])
    return lines + ([f"  missing: {size_text(file.missing_bytes)}"] if file.missing_bytes else [])


def _listed(noun: str, lines: list[str]) -> list[str]:
    if not lines:
        return [f"  no {noun}s"]
    more = [f"    and {len(lines) - _MAX_LISTED} more"] if len(lines) > _MAX_LISTED else []
    return [f"  {counted(len(lines), noun)}:", *(f"    {printable(line)}" for line in lines[:_MAX_LISTED]), *more]


def _channel_lines(channels: Sequence[Channel]) -> list[str]:
    """One line for each kind of channel, scale and filter."""
    alike: dict[tuple[int, str, str], list[Channel]] = {}
    for channel in channels:
        key = CHANNEL_KINDS.index(channel.kind), _scale_text(channel), _filter_text(channel)
        alike.setdefault(key, []).append(channel)
    lines = []
    for (kind, scale, passband), members in sorted(alike.items()):
        columns, ids = ranges_text([c.index for c in members]), ranges_text([c.electrode_id for c in members])
        number = f"{CHANNEL_KINDS[kind]:<6} {len(members):>4}"
        labels = " to ".join(dict.fromkeys(members[place].label for place in (0, -1)))
        named = f"labels {printable(labels)}" if labels.strip() else "no labels"
        lines.append(f"{number}  columns {columns}  electrodes {ids}  {scale}{passband}  {named}")
    return lines


def _scale_text(channel: Channel) -> str:
    if not isfinite(channel.uv_per_bit):
        return f"scale unknown{f' ({printable(channel.units)})' if channel.units else ''}"
    return f"{channel.uv_per_bit:.6g} µV per bit" if isfinite(channel.digital_range[0]) else f"in {channel.units}"


def _filter_text(channel: Channel) -> str:
    corners = [f"{stage.corner_hz:g} Hz" if stage else "" for stage in (channel.high_pass, channel.low_pass)]
    return f"  {corners[0] or '0 Hz'} to {corners[1] or 'unfiltered'}" if any(corners) else ""


def _nev_lines(nev: NevFile, units: bool) -> list[str]:
    span = nev.tick_span
    zero = f"; 0 s is tick {nev.zero_tick}"
    times = f", {_seconds_text(nev, *span)} (ticks {span[0]} to {span[1]}{zero})" if span else ""
    epochs = [f"{n}: {_seconds_text(nev, *e)} (ticks {e.start_tick} to {e.stop_tick})" for n, e in _epochs(nev)]
    kinds = [f"{kind} {count}" for kind, count in nev.kinds().items()]
    resets = [f"at packet {r.packet}: from tick {r.tick_before} to {r.tick_after}" for r in nev.resets]
    return [
        _title(nev, "NEV"),
        f"  {nev.n_packets} packets of {nev.packet_bytes} bytes{times}; {len(nev.electrodes)} electrodes described",
        f"  events: {', '.join(kinds) or 'none'}",
        *(_unit_lines(nev) if units else _spike_lines(nev)),
        *(_listed("clock reset", resets) if resets else []),
        *(_listed("epoch", epochs) if epochs else []),
        *_damage_lines(nev),
    ]


def _seconds_text(file: NsxFile | NevFile, first_tick: int, last_tick: int) -> str:
    return f"{file.seconds(first_tick):.6g} s to {file.seconds(last_tick):.6g} s"


def _when(file: NsxFile | NevFile, tick: int) -> str:
    """Seconds of a tick, and the tick that is 0 s where that is another."""
    zero = "" if tick == file.zero_tick else f" (0 s is tick {file.zero_tick})"
    return f"{file.seconds(tick):.6g} s{zero}"


def _epochs(nev: NevFile) -> list[tuple[int, Epoch]]:
    """The epochs of a NEV with their numbers; none where the clock was never set anew."""
    epochs = nev.epochs
    return list(enumerate(epochs)) if len(epochs) > 1 else []


def _spike_lines(nev: NevFile) -> list[str]:
    """Spikes in sum: electrodes, units by class, the busiest electrodes and the silent ones."""
    from ..nev.spikes import count_spikes

    spikes = count_spikes(nev.trains())
    of_electrode = spikes.per_electrode
    if not of_electrode:
        return []
    busiest = [_busy_text(nev, *item) for item in of_electrode.most_common(_MAX_BUSY)]
    silent = [number for number in sorted(nev.electrodes) if not of_electrode[number]]
    return [
        f"  {spikes.n_spikes} spikes on {counted(len(of_electrode), 'electrode')}: {spikes}",
        f"  busiest: {', '.join(busiest)}",
        *([f"  silent: {counted(len(silent), 'electrode')} ({ranges_text(silent)})"] if silent else []),
    ]


def _busy_text(nev: NevFile, electrode_id: int, count: int) -> str:
    label = nev.electrodes[electrode_id].label if electrode_id in nev.electrodes else ""
    return f"electrode {electrode_id}{f' {printable(label)}' if label else ''} ({count})"


def _unit_lines(nev: NevFile) -> list[str]:
    """Numbers of spikes, a line for each electrode."""
    units: dict[int, list[str]] = {}
    for (electrode_id, unit), ticks in nev.trains().items():
        kind = nev.unit_class(unit)
        name = f"{kind} {unit}" if kind in ("unit", "reserved") else kind
        units.setdefault(electrode_id, []).append(f"{name} {len(ticks)}")
    labels = {number: printable(electrode.label) for number, electrode in nev.electrodes.items()}
    rows = [f"    {e:>5}  {labels.get(e, '(no header)'):<16}  {', '.join(names)}" for e, names in units.items()]
    return [f"  spikes on {counted(len(rows), 'electrode')}:", *rows] if rows else []


def _recording_lines(recording: Recording, units: bool) -> list[str]:
    """Every file of a recording, and a bar for each that shows when it has data."""
    from ..report.timeline import RecordingTimes

    times = RecordingTimes(dict(recording.files))
    lines = [line for file in recording.files.values() for line in info_text(file, units=units)]
    for epoch in range(times.n_epochs):
        spans = {suffix: times.spans_s(suffix, epoch).tolist() for suffix in recording.files}
        lines += _timeline(recording.base, spans, f"epoch {epoch}, " if times.n_epochs > 1 else "")
    return lines + [f"  {s}  could not be read: {printable(str(error))}" for s, error in recording.failed.items()]


def _timeline(base: str, spans: dict[str, _Spans], epoch: str) -> list[str]:
    """A bar for each file of an epoch."""
    ends = [end for parts in spans.values() for part in parts for end in part]
    first, last = (min(ends), max(ends)) if ends else (0.0, 0.0)
    return [
        f"{printable(base)}: {epoch}{first:.6g} s to {last:.6g} s by the recorder's clock",
        *(f"  {suffix}  |{_bar(parts, first, last)}|" for suffix, parts in spans.items()),
    ]


def _bar(spans: _Spans, first: float, last: float) -> str:
    """A line of time: ``#`` where there is data, ``.`` where there is none."""
    cells, per_s = ["."] * _BAR_CELLS, (_BAR_CELLS - 1) / ((last - first) or 1)
    for begin, end in spans:
        a, b = round((begin - first) * per_s), round((end - first) * per_s)
        cells[a : b + 1] = "#" * (b + 1 - a)
    return "".join(cells)


def info_json(opened: NsxFile | NevFile | Recording) -> dict[str, Any]:
    """Everything but samples and packets, as JSON can have it."""
    if isinstance(opened, Recording):
        failed = [{"path": opened.members[suffix], "error": str(error)} for suffix, error in opened.failed.items()]
        return {"base": opened.base, "members": [info_json(file) for file in opened.files.values()], "failed": failed}
    values: dict[str, Any] = _plain(_nsx_values(opened) if isinstance(opened, NsxFile) else _nev_values(opened))
    return values


def _nsx_values(ns: NsxFile) -> dict[str, Any]:
    return {
        "family": "nsx",
        **_attributes(ns, "path", "size_bytes", "spec", "vendor", "label", "application", "comment", "time_origin"),
        "sampling_rate_hz": ns.sampling_rate,
        "tick_rate_hz": ns.tick_rate,
        "dtype": ns.dtype.str,
        "duration_s": ns.n_samples / ns.sampling_rate,
        "segments": [_attributes(segment, "start_tick", "n_samples", "n_blocks") for segment in ns.segments],
        **_attributes(ns, "zero_tick", "n_channels", "n_samples", "missing_bytes", "gaps", "damage"),
        "channels": [vars(channel) for channel in ns.channels],
    }


def _nev_values(nev: NevFile) -> dict[str, Any]:
    first_tick, last_tick = nev.tick_span or (None, None)
    columns = ("electrode_id", "label", "bank", "pin", "uv_per_bit", "n_points")
    return {
        "family": "nev",
        **_attributes(nev, "path", "spec", "vendor", "application", "comment"),
        **_attributes(nev, "time_origin", "time_origin_note", "time_origin_tick"),
        "tick_rate_hz": nev.tick_rate,
        "sample_rate_hz": nev.sample_rate,
        **_attributes(nev, "zero_tick", "packet_bytes", "n_packets", "missing_bytes", "resets", "epochs", "damage"),
        "first_tick": first_tick,
        "last_tick": last_tick,
        "kinds": nev.kinds(),
        "spikes": [{"electrode_id": e, "unit": u, "n_spikes": len(t)} for (e, u), t in nev.trains().items()],
        "electrodes": [_attributes(electrode, *columns) for electrode in nev.electrodes.values()],
    }


def _attributes(item: object, *names: str) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def _plain(value: Any) -> Any:
    """A value as JSON can have it: NaN and infinity become None, dates ISO text, records dictionaries."""
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
