# SPDX-License-Identifier: MIT
"""What a page shows of a recording, worked out once: files, electrodes, findings, quality, times and spikes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import Progress
from ..format.channel import Channel, channel_kind
from ..maps.positions import ArrayMap, Positions, plain_grid
from ..nev.electrodes import Electrode
from ..nev.file import NevFile
from ..nsx.file import NsxFile
from ..recording.check import findings_of
from ..recording.recording import Recording
from .array_view import ArrayLayout
from .quality import Measurement, measure
from .spikes import summarise_spikes
from .timeline import RecordingTimes


class PageContents:
    """Everything that the page is made of.

    Attributes
    ----------
    files, continuous : dict
        Every open file, and those with samples, by suffix.
    main : NsxFile or None
        The file whose channels are shown.
    electrodes : list of Channel
        Every electrode once, of whichever file describes it.
    positions : Positions or None
        Where they are.
    layout : ArrayLayout or None
        The same as cells of a drawing.
    findings : tuple of Finding
        What `check` says.
    measured : dict of Measurement
        Quality and spectra of the channels, by suffix.
    times : RecordingTimes
        When there is data.
    spikes : SpikeSummary or None
        All spikes.
    """

    def __init__(
        self,
        opened: Recording | NsxFile | NevFile,
        files: dict[str, NsxFile | NevFile],
        array: ArrayMap | None,
        by: str,
        seconds: float | None,
        n_sections: int,
        progress: Progress | None,
    ) -> None:
        self.opened, self.files, self._progress, self._n_done = opened, files, progress, 0
        self.continuous = {key: file for key, file in files.items() if isinstance(file, NsxFile)}
        self._n_steps = 2 + len(self.continuous) + n_sections
        self.failed = opened.failed if isinstance(opened, Recording) else {}
        self.nev = next((file for file in files.values() if isinstance(file, NevFile)), None)
        self.main = self._main_file()
        self.electrodes = self._all_electrodes()
        self.positions = self._positions_of(array, by)
        ids = [channel.electrode_id for channel in self.electrodes]
        self.layout = ArrayLayout(ids, self.positions.um) if self.positions is not None else None
        self.findings = findings_of(opened, self._show_step)
        self.step()
        self.measured = self._measure(seconds)
        self.times = RecordingTimes(files)
        self.spikes = summarise_spikes(self.nev, self.times) if self.nev is not None else None
        self.step()

    @property
    def name(self) -> str:
        """The recording's name, with its folder."""
        return self.opened.base if isinstance(self.opened, Recording) else self.opened.path

    def step(self) -> None:
        """One more step of the page is done."""
        self._n_done += 1
        self._show_step()

    def _show_step(self, *_: int) -> None:
        """Let the caller see how far the page is, and cancel, also within a step."""
        if self._progress is not None:
            self._progress(self._n_done, self._n_steps)

    def _main_file(self) -> NsxFile | None:
        """The continuous file whose channels are shown: with the most electrodes, then the fastest."""

        def order(ns: NsxFile) -> tuple[bool, int, float]:
            return bool(ns.n_samples), sum(channel.kind == "neural" for channel in ns.channels), ns.sampling_rate

        return max(self.continuous.values(), key=order, default=None)

    @property
    def main_key(self) -> str:
        """Suffix of the main file; empty without one."""
        return next((key for key, ns in self.continuous.items() if ns is self.main), "")

    def _all_electrodes(self) -> list[Channel]:
        """Every electrode once: of the main file, then of the NEV; label, bank and pin from whichever has them."""
        found: dict[int, Channel] = {}
        described = self.nev.electrodes if self.nev is not None else {}
        for channel in self.main.channels if self.main is not None else ():
            if channel.kind == "neural" and channel.electrode_id not in found:
                of_nev = described.get(channel.electrode_id)
                place = channel if channel.bank or of_nev is None else of_nev
                label = channel.label or (of_nev.label if of_nev else "")
                found[channel.electrode_id] = _electrode(len(found), channel.electrode_id, label, place)
        for number, electrode in described.items():
            vendor = self.nev.vendor if self.nev is not None else ""
            if channel_kind(vendor, number, electrode.bank or 0, "") == "neural" and number not in found:
                found[number] = _electrode(len(found), number, electrode.label, electrode)
        return list(found.values())

    def _positions_of(self, array: ArrayMap | None, by: str) -> Positions | None:
        if not self.electrodes:
            return None
        if array is None:
            return plain_grid(self.electrodes)
        return array.positions_of(self.electrodes, by=by, partial=True)

    def _measure(self, seconds: float | None) -> dict[str, Measurement]:
        found = {}
        for key, ns in self.continuous.items():
            found[key] = measure(ns, seconds, progress=self._show_step)
            self.step()
        return found

    @property
    def rows(self) -> NDArray[np.void]:
        """The table of channels of the main file."""
        if not self.main_key:
            return np.empty(0, [("verdict", "U21"), ("electrode_id", "i8")])
        return self.measured[self.main_key].quality.channels


def _electrode(index: int, electrode_id: int, label: str, place: Channel | Electrode) -> Channel:
    return Channel(index, electrode_id, "neural", label, place.bank or 0, place.pin or 0)
