# SPDX-License-Identifier: MIT
"""One page about a recording that answers first whether it is any good: HTML that needs no network and no script."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError, Progress
from ..export.output.files import complete_or_absent
from ..format.dates import date_text
from ..format.header import is_nev
from ..format.notebook import shown
from ..format.tables import EventKind
from ..format.text import counted, counts_text, duration_text, percent_text, ranges_text, size_text
from ..maps.cmp import read_cmp
from ..maps.positions import ArrayMap
from ..nev.file import NevFile, open_nev
from ..nsx.file import NsxFile, open_nsx
from ..recording.check import ERROR, NOTE, WARNING
from ..recording.members import suffix_of
from ..recording.recording import Recording, open_recording
from . import drawing
from .answer import Answer, answer_of
from .array_view import draw_values, draw_verdicts
from .contents import PageContents
from .quality import BANDS, FAULTLESS, VERDICTS, Quality, are_faulty, noise_band, unit_text
from .spikes import MOST_OF_UNIT
from .style import PAGE, STYLE

_Opened = (Recording, NsxFile, NevFile)
_TRACE_S, _MOST_TRACES, _MOST_FAULTY_TRACES = 2.0, 12, 5
_MOST_COMMENTS, _MOST_FINDINGS, _MOST_WORST = 200, 60, 12
_WHOLE, _NOTHING = 1000, 0.005  # numbers without decimals from the one on, and below the other
_LONG = 20  # letters of a text that may be broken anywhere
_MOST_RANGES = 90  # letters of a list of electrodes


class PageReport(NamedTuple):
    """What `write_report` wrote: the page, and the quality of the channels of each continuous file."""

    path: str
    size_bytes: int
    answer: str
    quality: dict[str, Quality]

    def __str__(self) -> str:
        return f"{self.path}: {size_text(self.size_bytes)}; {self.answer}"


def write_report(
    recording: Recording | NsxFile | NevFile | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    cmp: ArrayMap | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    by: str = "pin",
    seconds: float | None = 10.0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PageReport:
    """Write a page about a recording: one HTML file that needs no network and no script.

    It has what the recording is, its time line, maps of the array, spectra, traces, spikes and events, a table of
    channels, and what `check` finds. Times of different epochs of the clock are set apart.

    Parameters
    ----------
    recording : Recording, NsxFile, NevFile or path
        An open recording or file, or any member or the base name of a recording.
    path : str or os.PathLike
        The page to write.
    cmp : path, sequence of paths, or ArrayMap, optional
        The array's map; without it electrodes are shown on a plain grid, which the page says.
    by : str
        What joins map and channels: ``pin``, ``label`` or ``id``.
    seconds : float, optional
        How much to read for the quality of channels, as in `channel_quality`. None reads all.
    overwrite : bool
        Replace a file of the same name.
    progress : callable, optional
        Called with (steps done, steps in all). What it raises cancels, and nothing is left.

    Returns
    -------
    PageReport
        The page's path and size, the answer in words, and the quality of the channels.

    Raises
    ------
    ExportError
        Where matplotlib is not installed, the name is a recording's or taken, or the folder cannot be written.
    FormatError, OSError
        Where the recording cannot be read.
    ValueError
        Where the map is of another array.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_recording("session") as recording:
    ...     report = nv.write_report(recording, "session.html")
    >>> report.answer, report.quality
    ('Something is wrong', {'ns5': Quality(83 good, 45 noisy, 16 not judged (1 window of 100 ms, spread over 100 ms))})
    """
    drawing.check_matplotlib()
    target = os.fspath(path)
    array = cmp if cmp is None or isinstance(cmp, ArrayMap) else read_cmp(cmp)
    with ExitStack() as stack:
        opened = recording if isinstance(recording, _Opened) else open_for_page(recording)
        if opened is not recording:
            stack.callback(opened.close)
        files = opened.files if isinstance(opened, Recording) else {suffix_of(opened.path) or "file": opened}
        inputs = [file._source for file in files.values()]
        outputs = stack.enter_context(complete_or_absent(target, [target], overwrite=overwrite, inputs=inputs))
        if not target.lower().endswith((".html", ".htm")):
            raise ExportError(f"{target}: a page is HTML; choose a name that ends in .html")
        contents = PageContents(opened, files, array, by, seconds, len(_SECTIONS), progress)
        answer = answer_of(contents)
        html = _html(contents, answer).encode("utf-8", "backslashreplace")
        with outputs.create(target, len(html)) as file:
            file.write(html)
    quality = {key: each.quality for key, each in contents.measured.items()}
    return PageReport(target, len(html), answer.text, quality)


def open_for_page(path: str | os.PathLike[str]) -> Recording | NsxFile | NevFile:
    """Open all files of the recording that a name stands for; a file whose ending says nothing is opened alone."""
    name = os.fspath(path)
    if os.path.isfile(name) and not suffix_of(name):
        return open_nev(name) if is_nev(name) else open_nsx(name)
    return open_recording(name)


class _Section(NamedTuple):
    """A heading, what is below it as HTML, and a sentence between them."""

    title: str
    content: str
    note: str = ""

    def html(self) -> str:
        note = f"<p class='note'>{shown(self.note)}</p>" if self.note else ""
        return f"<section><h2>{shown(self.title)}</h2>{note}{self.content}</section>"


def _html(contents: PageContents, answer: Answer) -> str:
    """The whole page."""
    sections = []
    for section in _SECTIONS:
        sections.append(section(contents))
        contents.step()
    return PAGE.format(
        title=shown(os.path.basename(contents.name)), style=STYLE, subtitle=shown(_subtitle(contents)),
        state=answer.state, answer=shown(answer.text), cards="".join(card.html() for card in answer.cards),
        body="".join(section.html() for section in sections if section is not None),
    )  # fmt: skip


def _subtitle(contents: PageContents) -> str:
    first = contents.main or contents.nev
    if first is None:
        return ""
    application = next((file.application for file in contents.files.values() if file.application), "")
    parts = (f"{first.vendor.capitalize()} {first.spec}", application, date_text(first.time_origin))
    return " · ".join(filter(None, parts))


def _worst(contents: PageContents) -> _Section | None:
    faulty = _worst_first(contents.rows[are_faulty(contents.rows)])
    lines = [
        (str(row["electrode_id"]), str(row["label"]), _verdict_html(row), str(row["reason"]))
        for row in faulty[:_MOST_WORST]
    ]
    more = _more(faulty.size, _MOST_WORST, ": see all channels below")
    table = _table(("electrode", "label", "verdict", "why"), lines, raw=(2,))
    return _Section("Channels to look at first", table + more) if lines else None


def _timeline(contents: PageContents) -> _Section:
    note = "Seconds after the first sample. Bars are data without a gap; at red lines samples are lost or overlap."
    if len(contents.times.axis.starts) > 1:
        note += " At each grey band the clock was set anew, and the times after it count from the new start."
    return _Section("Timeline", drawing.draw_timeline(contents.times), note)


def _array(contents: PageContents) -> _Section | None:
    layout, rows, positions, spikes = contents.layout, contents.rows, contents.positions, contents.spikes
    if layout is None or positions is None:
        return None
    neural = rows[rows["kind"] == "neural"] if contents.main_key else rows
    maps = []
    if neural.size:
        band = noise_band(neural)
        noise = dict(zip(neural["electrode_id"].tolist(), neural[band].tolist(), strict=True))
        maps.append(draw_values(layout, f"Noise, {BANDS[band]} band", noise, unit_text(neural)))
    if spikes is not None and spikes.n_spikes:
        counts, seconds = spikes.totals.per_electrode, contents.times.axis.recorded_s
        rates = {channel.electrode_id: counts[channel.electrode_id] / seconds for channel in contents.electrodes}
        maps.append(draw_values(layout, "Spikes per second", rates, "1/s"))
    if neural.size:
        verdicts = {int(row["electrode_id"]): (str(row["verdict"]), str(row["reason"])) for row in neural}
        maps.append(draw_verdicts(layout, "Verdict", verdicts))
    if not maps:
        return None
    title = "The array" if positions.is_map else "Electrodes on a plain grid"
    note = positions.statement[0].upper() + positions.statement[1:] + "."
    return _Section(title, f'<div class="maps">{"".join(maps)}</div>', note)


def _spectra(contents: PageContents) -> _Section | None:
    if not contents.main_key:
        return None
    measured, rows = contents.measured[contents.main_key], contents.rows
    chosen = rows["kind"] == "neural"
    if measured.frequencies_hz.size < 16 or not measured.power[chosen].any():
        return None
    svg = drawing.draw_spectra(measured.frequencies_hz, measured.power[chosen], rows[chosen])
    return _Section("Power spectra", svg, f"{contents.main_key}: {measured.quality.basis}.")


def _traces(contents: PageContents) -> _Section | None:
    ns, rows = contents.main, contents.rows
    if ns is None or ns.n_samples < 2:
        return None
    segment = max(ns.segments, key=lambda each: each.n_samples)
    n = min(segment.n_samples, max(2, round(_TRACE_S * ns.sampling_rate)))
    start, columns = (segment.n_samples - n) // 2, _trace_columns(rows)
    raw = np.asarray(segment[start : start + n, columns], np.float64).T
    scale = np.array([ns.channels[column].uv_per_bit for column in columns])
    traces = np.nan_to_num(raw * np.where(np.isfinite(scale), scale, 1)[:, None]).clip(-1e12, 1e12)
    start_s = float(ns.spans_s[segment.index, 0]) + start / ns.sampling_rate
    svg = drawing.draw_traces(start_s, n / ns.sampling_rate, traces.astype(np.float32), rows[columns])
    what = f"{duration_text(n / ns.sampling_rate)} from the middle of its longest segment"
    return _Section("Traces", svg, f"{contents.main_key}, {what}; channels that are not good come first.")


def _spikes(contents: PageContents) -> _Section | None:
    spikes = contents.spikes
    if spikes is None or not spikes.n_spikes:
        return None
    ids = (channel.electrode_id for channel in contents.electrodes)
    silent = sorted(electrode_id for electrode_id in ids if not spikes.totals.per_electrode[electrode_id])
    listed = ranges_text(silent)
    which = f" ({listed})" if len(listed) < _MOST_RANGES else ""
    quiet = f" Without a spike: {counted(len(silent), 'electrode')}{which}." if silent else ""
    svg = drawing.draw_raster(spikes, contents.times)
    return _Section("Spikes", svg, f"{spikes.n_spikes} spikes: {spikes.totals}.{quiet}")


def _waveforms(contents: PageContents) -> _Section | None:
    layout, spikes = contents.layout, contents.spikes
    if layout is None or spikes is None or not any(shape.mean.size > 1 for shape in spikes.shapes):
        return None
    part = "all" if spikes.n_read == spikes.n_spikes else f"{spikes.n_read} of {spikes.n_spikes}"
    what = f"Mean and standard deviation of each unit, at most {MOST_OF_UNIT} spikes of each"
    svg = drawing.draw_waveforms(layout, spikes.shapes, "raw" if spikes.is_raw else "µV")
    return _Section("Waveforms", svg, f"{what}, from {part} spikes. Grey: unsorted.")


def _events(contents: PageContents) -> _Section | None:
    nev, times = contents.nev, contents.times
    if nev is None or not nev.kinds():
        return None
    kinds = nev.kinds()
    inputs: tuple[EventKind, ...] = ("digital", "serial")
    words = [(kind, times.places(kind), nev.events(kind)["value"]) for kind in inputs if kinds.get(kind)]
    svg = drawing.draw_words(words, times) if words else ""
    rows = [(kind.replace("_", " "), str(count)) for kind, count in kinds.items()]
    return _Section("Events", svg + _table(("kind", "number"), rows, numbers=(1,)) + _comments(nev))


def _comments(nev: NevFile) -> str:
    comments = nev.comments()
    rows = [(f"{float(nev.seconds(each.tick)):.3f} s", each.text or "(empty)") for each in comments[:_MOST_COMMENTS]]
    table = f"<h3>Comments</h3>{_table(('time', 'comment'), rows)}{_more(len(comments), _MOST_COMMENTS)}"
    return table if comments else ""


def _channels(contents: PageContents) -> _Section | None:
    rows, spikes = contents.rows, contents.spikes
    if not rows.size:
        return None
    rates = spikes.totals.per_electrode if spikes is not None else Counter[int]()
    seconds = contents.times.axis.recorded_s
    lines = [
        _channel_row(row, rates[int(row["electrode_id"])] / seconds if rates else None) for row in _worst_first(rows)
    ]
    heads = (
        *("electrode", "label", "verdict", "LFP noise", "spike noise", "offset"),
        *("mains", "clipped", "repeated", "alike", "spikes/s"),
    )
    unit = unit_text(rows) + (", as the file has no scale" if (rows["unit"] == "raw").any() else "")
    alike = "alike: correlation with the array's median"
    note = f"{contents.main_key}, worst first. Noise and offset in {unit}; {alike}."
    return _Section("All channels", _table(heads, lines, raw=(2,), numbers=range(3, 11)), note)


def _files(contents: PageContents) -> _Section:
    rows = []
    for key, file in contents.files.items():
        name = os.path.basename(file.path)
        if isinstance(file, NsxFile):
            scaled = [channel for channel in file.channels if isfinite(channel.analog_range[1])]
            ranges = sorted({f"±{channel.analog_range[1]:g} {channel.units}" for channel in scaled})
            kinds = counts_text(Counter(channel.kind for channel in file.channels))
            what = f"{kinds or 'no'} channels at {file.sampling_rate:g} Hz; {', '.join(ranges[:4]) or 'no range'}"
            length = f"{duration_text(file.duration_s)} in {counted(len(file.segments), 'segment')}"
            rows.append((name, file.spec, what, length, counts_text(contents.measured[key].quality.counts)))
        else:
            what = f"{counted(len(file.electrodes), 'electrode')} described"
            rows.append((name, file.spec, what, counted(file.n_packets, "packet"), ""))
    rows += [(key, "", "could not be opened", str(error), "") for key, error in contents.failed.items()]
    return _Section("Files", _table(("file", "version", "what", "length", "channels"), rows))


def _findings(contents: PageContents) -> _Section:
    if not contents.findings:
        return _Section("Checks", "", "Every header, block, timestamp and packet is sound.")
    findings = sorted(contents.findings, key=lambda finding: (ERROR, WARNING, NOTE).index(finding.level))
    rows = [
        (finding.level, os.path.basename(finding.path), finding.message, finding.advice)
        for finding in findings[:_MOST_FINDINGS]
    ]
    more = _more(len(findings), _MOST_FINDINGS)
    return _Section("Checks", _table(("level", "file", "what", "what to do"), rows) + more)


_SECTIONS: tuple[Callable[[PageContents], _Section | None], ...] = (
    *(_worst, _timeline, _array, _spectra, _traces, _spikes, _waveforms, _events, _channels, _files, _findings),
)


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, raw: Sequence[int] = (), numbers: Sequence[int] = ()
) -> str:
    """A table; columns in `raw` are HTML already, those in `numbers` stand right."""

    def cell(k: int, value: str, tag: str) -> str:
        text = value if k in raw and tag == "td" else shown(value)
        kind = " class=n" if k in numbers else " class=w" if len(value) > _LONG and k not in raw else ""
        return f"<{tag}{kind}>{text}</{tag}>"

    head = "".join(cell(k, value, "th") for k, value in enumerate(heads))
    lines = "".join(f"<tr>{''.join(cell(k, value, 'td') for k, value in enumerate(row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _more(n: int, most: int, where: str = "") -> str:
    """The line below a table that shows `most` of `n`."""
    return f"<p>and {n - most} more{where}</p>" if n > most else ""


def _worst_first(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Rows by verdict, the worst first, then by noise."""
    if not rows.size:
        return rows
    order = (*VERDICTS[1:-1], *FAULTLESS)
    rank = np.array([order.index(verdict) for verdict in rows["verdict"].tolist()], np.int64)
    noise = np.nan_to_num(rows["spike_noise"]) + 1e-6 * np.nan_to_num(rows["lfp_noise"])
    sorted_rows: NDArray[np.void] = rows[np.lexsort((rows["column"], -noise, rank))]
    return sorted_rows


def _verdict_html(row: np.void) -> str:
    word = str(row["verdict"])
    return f'<span class="verdict v-{word.split()[0]}">{shown(word)}</span>'


def _channel_row(row: np.void, rate: float | None) -> tuple[str, ...]:
    numbers = [_number(row[name]) for name in ("lfp_noise", "spike_noise", "offset")]
    shares = [
        percent_text(row[name]) if isfinite(row[name]) else "–"
        for name in ("mains_share", "clipped_share", "repeated_share")
    ]
    alike = _number(row["correlation"])
    names = str(row["electrode_id"]), str(row["label"]), _verdict_html(row)
    return (*names, *numbers, *shares, alike, "" if rate is None else f"{rate:.3g}")


def _number(value: Any) -> str:
    if not isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= _WHOLE else f"{value:.3g}" if abs(value) >= _NOTHING else "0"


def _trace_columns(rows: NDArray[np.void]) -> list[int]:
    """Channels to show: some that are not good, then good ones from all over the array."""
    is_neural = rows["kind"] == "neural"
    positions = np.flatnonzero(is_neural) if is_neural.any() else np.arange(rows.size)
    is_faulty = are_faulty(rows[positions])
    faulty, good = positions[is_faulty], positions[~is_faulty]
    n_faulty = _MOST_FAULTY_TRACES if good.size else _MOST_TRACES
    chosen: list[int] = faulty[:n_faulty].tolist()
    n_good = min(good.size, _MOST_TRACES - len(chosen))
    chosen += good[np.linspace(0, good.size - 1, n_good).astype(int)].tolist()
    return chosen
