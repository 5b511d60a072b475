# SPDX-License-Identifier: MIT
"""Describes a ``.bin`` in a ``.json`` beside it, and reads that: the tick of each row, the row of each tick."""

from __future__ import annotations

import os
import re
from errno import ENOENT
from functools import partial
from ntpath import basename
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import Clock, convert_ticks
from ..errors import FormatError
from ..format.notebook import summary_html
from ..format.numbers import clock_tick, tick_values
from ..format.text import duration_text
from ..source.base import Closable
from ..source.file import FileSource
from ..source.names import is_same_file
from ..traces.row_times import NO_ROW, RowTimes
from ..traces.traces import Traces

if TYPE_CHECKING:
    from ..recording.recording import Recording
    from ..recording.successive_nevs import SuccessiveRecordings

SIDECAR_VERSION = 1
TICK = np.dtype("<i8")
COMPANION_ENDINGS = _JSON, _TICKS = ".json", ".ticks"


def companions(path: str) -> tuple[str, str]:
    """Paths of the sidecar and of the timestamps of a ``.bin``: its whole name is in theirs."""
    return path + _JSON, path + _TICKS


def name_pattern(name: str) -> str:
    """What the names of all files fit that an export to a ``.bin`` may write, or earlier versions have written."""
    (stem, kind), endings = map(re.escape, os.path.splitext(name)), f"({'|'.join(map(re.escape, COMPANION_ENDINGS))})"
    return rf"{stem}(-\d+)?({kind}{endings}?|{endings})"


def older_companions(path: str) -> tuple[str, ...]:
    """The sidecar and the timestamps of a ``.bin`` under the names that earlier versions gave them, if they exist."""
    stem = os.path.splitext(path)[0]
    older = stem + _JSON
    if not os.path.isfile(older):
        return ()
    try:
        contents = _read_json(older) if older != companions(path)[0] else {}
        is_older = "sidecar_version" in contents and _is_of(contents, path)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # none, or no sidecar
        return ()
    names = (older, stem + _TICKS) if is_older else ()
    return tuple(name for name in names if os.path.lexists(name))


def _read_json(path: str) -> Any:
    import json  # no one who only reads recordings needs it

    with open(path, "rb") as file:
        return json.loads(file.read())


def _is_of(contents: dict[str, Any], path: str) -> bool:
    """Whether a sidecar describes the ``.bin`` of this name."""
    described = os.path.join(os.path.dirname(path), contents["bin"])
    if os.path.exists(path):
        return is_same_file(described, path)
    return described == path or is_same_file(companions(described)[0], companions(path)[0])


def describe(x: Traces, path: str, n_out_of_order: int) -> dict[str, Any]:
    """The content of the sidecar of one ``.bin``."""
    ticks_file = os.path.basename(companions(path)[1]) if x.recording.has_sample_timestamps else None
    return {
        "sidecar_version": SIDECAR_VERSION,
        "bin": os.path.basename(path),
        **x.describe(),
        "ticks_file": ticks_file,
        "out_of_order_samples": n_out_of_order,
    }


class Sidecar(Closable, RowTimes):
    """Rows of a ``.bin`` as ticks of the recording's clock, and ticks as rows.

    Timestamps beside the ``.bin`` are mapped; `close`, or a ``with`` block, releases them.

    Attributes
    ----------
    path, bin_path : str
        The sidecar and the ``.bin`` it describes.
    contents : dict
        All of the sidecar, as JSON has it.
    n_samples, n_channels : int
        Rows and columns.
    dtype : numpy.dtype
        Of one sample.
    sampling_rate : float
        Hz.
    tick_rate : int
        Hz of the recording's timestamps.
    zero_tick : int
        The tick that seconds count from: of the recording's first sample.
    """

    def __init__(self, path: str, contents: dict[str, Any]) -> None:
        folder, ticks_file = os.path.dirname(path), contents["ticks_file"]
        self.path, self.contents = path, contents
        self.bin_path = os.path.join(folder, contents["bin"])
        self.n_samples, self.n_channels = contents["shape"]
        self.dtype = np.dtype(contents["dtype"])
        self.sampling_rate, self.tick_rate = float(contents["sampling_rate_hz"]), int(contents["tick_rate_hz"])
        row_ticks = None
        self._ticks_file = FileSource(os.path.join(folder, ticks_file)) if ticks_file else None
        if self._ticks_file is not None:
            self._ticks_file.close_when_unreachable()
            if self._ticks_file.size != TICK.itemsize * self.n_samples:
                n_ticks = self._ticks_file.size / TICK.itemsize
                raise ValueError(f"{n_ticks:g} timestamps of {self.n_samples} rows in {ticks_file}")
            # of a method of its own it would keep itself, and the file open
            row_ticks = partial(self._ticks_file.view, TICK, (self.n_samples,), 0)
        num, den = contents["ticks_per_sample"]
        self._epochs = [(int(start), int(stop)) for start, stop in contents.get("epochs", [])]  # 0.1.0 wrote none
        super().__init__(
            Clock(num, den, self.tick_rate),
            self.n_samples,
            contents["stretches"],
            row_ticks,
            is_sorted=bool(contents["sorted"]),
            zero_tick=int(contents.get("zero_tick", 0)),  # 0.1.0 wrote none, and counted from tick 0
        )

    def close(self) -> None:
        """Release the timestamps, which Windows lets nobody replace meanwhile. Rows have no times afterwards."""
        if self._ticks_file is not None:
            self._ticks_file.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return Sidecar, (os.path.abspath(self.path), self.contents)

    def __repr__(self) -> str:
        what = f"{self.n_samples} rows × {self.n_channels} channels of {self.dtype.name}"
        return f"Sidecar({self.path!r}: {what} at {self.sampling_rate:g} Hz, from {self.source_name})"

    def _repr_html_(self) -> str:
        contents = self.contents
        counts = ", ".join(f"{n} {name}" for name in ("dropped", "repeated") if (n := contents.get(f"{name}_samples")))
        length = duration_text(self.n_samples / self.sampling_rate) if self.sampling_rate > 0 else "no"
        rows = [
            (".bin", self.bin_path),
            ("rows × channels", f"{self.n_samples} × {self.n_channels} of {self.dtype.name}"),
            ("length", f"{length} at {self.sampling_rate:g} Hz"),
            ("gaps", contents.get("gaps")),
            ("samples changed", counts),
            ("from", self.source_name),
        ]
        return summary_html(self.path, rows)

    @property
    def source_name(self) -> str:
        """Name of the recording's file."""
        return str(self.contents["source"]["name"])

    def spike_rows(
        self, recording: Recording | SuccessiveRecordings, ticks: ArrayLike, *, packets: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Rows of the ``.bin`` that were recorded at times of the recording's NEV.

        Parameters
        ----------
        recording : Recording or SuccessiveRecordings
            The recording that was exported, or those that were joined.
        ticks : array_like of int
            Timestamps of the NEV, such as the ``tick`` of its spikes.
        packets : array_like of int, optional
            The packets they are in, as for `Recording.locate`.

        Returns
        -------
        numpy.ndarray
            int64, of the shape of `ticks`; -1 where no row was recorded then.
        """
        from ..clock import Epoch
        from ..nev.epochs import assign_packets, warn_of_ambiguous  # only who has a NEV needs them
        from ..recording.epochs import match_epochs
        from ..recording.successive_nevs import SuccessiveRecordings

        if isinstance(recording, SuccessiveRecordings):
            return self._rows_of_successive(recording, ticks, packets)
        nev, offset = recording.require_nev(), clock_tick(self._offset_of(recording), "offset_ticks")
        wanted = convert_ticks(tick_values(ticks), nev.tick_rate, self.tick_rate) + offset
        if packets is None or recording.is_one_epoch or not self._epochs:
            return self.tick_to_row(wanted)
        chosen, rows = np.asarray(packets, np.intp), np.full(wanted.shape, NO_ROW, np.int64)
        to_nev = [Epoch(*((tick - offset) * nev.tick_rate // self.tick_rate for tick in ends)) for ends in self._epochs]
        epochs, assigned = nev.epochs, nev.packet_epochs
        if len(to_nev) > len(epochs):  # the export found a setting of the clock that the open file does not show
            epochs, assigned = tuple(to_nev), assign_packets(nev._packets, to_nev)
        warn_of_ambiguous(recording.base, assigned, chosen)
        for epoch, number in enumerate(match_epochs(to_nev, epochs)):
            in_epoch = assigned.epoch[chosen] == number
            rows[in_epoch] = self.tick_to_row(wanted[in_epoch], epoch=epoch)
        return rows

    def _rows_of_successive(
        self, recordings: SuccessiveRecordings, ticks: ArrayLike, packets: ArrayLike | None
    ) -> NDArray[np.int64]:
        nev, files = recordings.require_nev(), recordings.files_named([one["name"] for one in self.contents["files"]])
        wanted = convert_ticks(tick_values(ticks), nev.tick_rate, self.tick_rate)
        if packets is None:
            return self.tick_to_row(wanted)
        if len(files.epochs) == 1:
            return self._rows_of_own_file(self.tick_to_row(wanted), recordings.recordings_of(packets))
        segment, _ = recordings.locate(ticks, files, packets=packets)
        rows = np.full(wanted.shape, NO_ROW, np.int64)
        for number, epoch in enumerate(files.epochs):
            in_epoch = (segment >= epoch.start) & (segment < epoch.stop)
            rows[in_epoch] = self.tick_to_row(wanted[in_epoch], epoch=number)
        return rows

    def _rows_of_own_file(self, rows: NDArray[np.int64], of_file: NDArray[np.intp]) -> NDArray[np.int64]:
        """Rows that are of the file with this number; none for a packet that a NEV has beyond its own file."""
        for number, one in enumerate(self.contents["files"]):
            is_own = np.zeros(rows.shape, np.bool_)
            for start, stop in one["rows"]:
                is_own |= (rows >= start) & (rows < stop)
            rows[(of_file == number) & ~is_own] = NO_ROW
        return rows

    def _offset_of(self, recording: Recording) -> int:
        """What brings ticks of a recording to the clock of the instruments side by side, of which it is one."""
        instruments, members = self.contents.get("instruments", ()), [*recording.members.values()]
        names = {basename(path) for path in members}
        found = [one for one in instruments if any(is_same_file(one["path"], path) for path in members)]
        found = found or [one for one in instruments if basename(one["path"]) in names]  # the files were moved
        offsets = {int(one["offset_ticks"]) for one in found or instruments}
        if len(offsets) > 1:
            exported = ", ".join(one["path"] for one in instruments)
            raise ValueError(f"{recording.base}: expected a recording of one of {exported}, whose clocks differ")
        return max(offsets, default=0)


def read_sidecar(path: str | os.PathLike[str]) -> Sidecar:
    """Read what an export wrote beside its ``.bin``.

    Parameters
    ----------
    path : str or os.PathLike
        The ``.bin``, or its sidecar.

    Returns
    -------
    Sidecar
        Maps rows to ticks and back.

    Raises
    ------
    OSError
        Where it cannot be opened.
    FormatError
        Where it is not a sidecar, or that of another ``.bin``.

    Notes
    -----
    ``s.bin.json`` describes ``s.bin``. Earlier versions wrote ``s.json``, which is read where it says the same.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("paused.ns5") as ns:
    ...     report = nv.write_bin(ns, "joined.bin", gaps="join")
    >>> nv.read_sidecar("joined.bin").row_to_tick([29, 30]).tolist()
    [29, 45]
    """
    target = os.fspath(path)
    if target.lower().endswith(".json"):
        return _read_sidecar(target)
    sidecar_path = companions(target)[0]
    older = older_companions(target) if not os.path.exists(sidecar_path) else ()
    if not (older or os.path.lexists(sidecar_path)):
        raise FileNotFoundError(ENOENT, "no such sidecar, which an export writes beside its .bin", sidecar_path)
    sidecar = _read_sidecar(older[0] if older else sidecar_path)
    if not _is_of(sidecar.contents, target):
        sidecar.close()
        found = f"that of {sidecar.contents['bin']}; if it was renamed, give {os.path.basename(sidecar.path)} itself"
        raise FormatError(f"the sidecar of {os.path.basename(target)}", found, path=sidecar.path)
    return sidecar


def _read_sidecar(target: str) -> Sidecar:
    try:
        contents = _read_json(target)
        if contents["sidecar_version"] != SIDECAR_VERSION:
            raise ValueError(f"sidecar_version {contents['sidecar_version']}")
        sidecar = Sidecar(target, contents)
        bin_path, size_bytes = sidecar.bin_path, contents["size_bytes"]
        n_bytes = os.path.getsize(bin_path) if os.path.exists(bin_path) else size_bytes
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise FormatError(f"a sidecar of version {SIDECAR_VERSION}", str(error), path=target) from error
    if n_bytes != size_bytes:
        raise FormatError(f"a .bin of {size_bytes} bytes, as the sidecar says", f"{n_bytes} in {bin_path}", path=target)
    return sidecar
