# SPDX-License-Identifier: MIT
"""The answer at the top of the page: whether the recording is any good."""

from __future__ import annotations

import os
from collections import Counter
from typing import NamedTuple

import numpy as np

from ..format.notebook import shown
from ..format.text import counted, counts_text, duration_text, size_text
from ..recording.check import ERROR, NOTE, WARNING
from .contents import PageContents
from .quality import BANDS, are_faulty, noise_band, unit_text

_PLURAL = {"pause": "pauses", "loss": "losses", "overlap": "overlaps", "reset": "resets"}  # and codes of findings
_GOOD, _LOOK, _BAD, _PLAIN = "good", "look", "bad", "plain"
_ANSWERS = {_GOOD: "Looks good", _LOOK: "Worth a look", _BAD: "Something is wrong", _PLAIN: "Nothing to judge"}
_BAD_SHARE = 0.25  # of electrodes that are not good: the array is in trouble


class Card(NamedTuple):
    """One part of the answer, at the top of the page."""

    state: str
    title: str
    head: str
    text: str

    def html(self) -> str:
        """One box."""
        mark = f'<span class="mark {self.state}"></span>'
        texts = f'<p class="head">{shown(self.head)}</p><p>{shown(self.text)}</p>'
        return f'<div class="card">{mark}<h2>{shown(self.title)}</h2>{texts}</div>'


class Answer(NamedTuple):
    """The state of a recording, `good`, `look`, `bad` or `plain`, and the cards that say why."""

    state: str
    cards: tuple[Card, ...]

    @property
    def text(self) -> str:
        """The answer in words."""
        return _ANSWERS[self.state]


def answer_of(contents: PageContents) -> Answer:
    """Judge the channels, the time, the spikes and the files; the worst of them is the answer."""
    cards = tuple(card(contents) for card in (_channel_card, _time_card, _spike_card, _file_card))
    states = [card.state for card in cards]
    return Answer(next(state for state in (_BAD, _LOOK, _GOOD, _PLAIN) if state in states), cards)


def _channel_card(contents: PageContents) -> Card:
    rows = contents.rows
    judged = rows[rows["verdict"] != "not judged"]
    if not judged.size:
        return Card(_PLAIN, "Channels", "no electrodes", "No continuous file has channels of electrodes.")
    faulty, band = judged[are_faulty(judged)], noise_band(judged)
    state = _BAD if faulty.size > _BAD_SHARE * judged.size else _LOOK if faulty.size else _GOOD
    counts = counts_text(dict(Counter(faulty["verdict"].tolist()).most_common()))
    noise = judged[band][np.isfinite(judged[band])]
    said = "too short to measure"
    if noise.size:
        said = f"median noise {np.median(noise):.3g} {unit_text(judged)} ({BANDS[band]} band)"
    head = f"{judged.size - faulty.size} of {judged.size} good"
    return Card(state, "Channels", head, "; ".join(filter(None, (counts, said))))


def _time_card(contents: PageContents) -> Card:
    if not contents.continuous:
        resets = len(contents.nev.resets) if contents.nev is not None else 0
        state = _LOOK if resets else _PLAIN
        said = f"no continuous data; {counted(resets, 'clock reset')}"
        return Card(state, "Time", duration_text(contents.times.axis.recorded_s), said)
    longest = max(contents.continuous.values(), key=lambda ns: ns.clock.seconds(ns.n_samples))
    broken = max(contents.continuous.values(), key=lambda ns: len(ns.gaps))
    kinds = Counter(gap.kind for gap in broken.gaps)
    missing_s = sum(max(0.0, gap.seconds) for gap in broken.gaps)
    text = ", ".join(f"{count} {kind if count == 1 else _PLURAL.get(kind, kind)}" for kind, count in kinds.items())
    state = _BAD if not longest.n_samples else _LOOK if set(kinds) - {"pause"} else _GOOD
    missing = f", {duration_text(missing_s)} not recorded" if missing_s else ""
    length = duration_text(longest.clock.seconds(longest.n_samples))
    return Card(state, "Time", f"{length} recorded", f"{text}{missing}" if kinds else "no gaps")


def _spike_card(contents: PageContents) -> Card:
    if contents.spikes is None or not contents.spikes.n_spikes:
        return Card(_PLAIN, "Spikes", "none", "no NEV" if contents.nev is None else "the NEV has no spikes")
    spikes = contents.spikes
    rate = spikes.n_spikes / len(spikes.electrode_ids) / contents.times.axis.recorded_s
    n_units = spikes.totals.units_per_class["unit"]
    sorted_text = f"{counted(n_units, 'sorted unit')}" if n_units else "not sorted"
    said = f"on {counted(len(spikes.electrode_ids), 'electrode')}, {rate:.3g} per second each; {sorted_text}"
    return Card(_GOOD, "Spikes", f"{spikes.n_spikes:,}".replace(",", " "), said)


def _file_card(contents: PageContents) -> Card:
    levels = Counter(finding.level for finding in contents.findings if finding.code not in _PLURAL)
    size = sum(os.path.getsize(file.path) for file in contents.files.values() if os.path.isfile(file.path))
    state = _BAD if levels[ERROR] or contents.failed else _LOOK if levels[WARNING] else _GOOD
    counts = [counted(levels[level], level) for level in (ERROR, WARNING) if levels[level]]
    notes = f"; {counted(levels[NOTE], 'note')}" if levels[NOTE] else ""
    head = ", ".join(counts) or "sound"
    return Card(state, "Files", head, f"{counted(len(contents.files), 'file')}, {size_text(size)}{notes}")
