# SPDX-License-Identifier: MIT
"""The files of one recording, and the one clock behind them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import convert_ticks
from ..errors import DamagedFile, FormatError
from ..nev.file import NevFile, open_nev
from ..nev.packets import Reset
from ..nsx.file import NsxFile, open_nsx
from .members import base_of, instruments_of, members_of

_WRAP = 1 << 32


class Recording:
    """The files of one recording; `open_recording` makes one.

    Attributes
    ----------
    base : str
        The common name, without suffix.
    members : mapping of str to str
        Suffix to path of every file there is.
    nev : NevFile or None
        Spikes and events.
    nsx, nfx : mapping of int to NsxFile
        Continuous data by the digit of the suffix.
    files : mapping of str to NevFile and NsxFile
        Every open member by its suffix.
    failed : mapping of str to Exception
        Members that could not be opened, by suffix, and why.
    """

    def __init__(self, base: str, members: Mapping[str, str]) -> None:
        self.base, self.members = base, MappingProxyType(dict(members))
        self.failed: dict[str, Exception] = {}
        self.files: dict[str, NevFile | NsxFile] = {}
        try:
            nev = self._open("nev", open_nev) if "nev" in members else None
            self.nev = nev if isinstance(nev, NevFile) else None
            for suffix in members:
                if suffix != "nev":
                    self._open(suffix, lambda path: open_nsx(path, nev=self.nev))
        except BaseException:
            self.close()
            raise
        self.nsx, self.nfx = self._continuous("ns"), self._continuous("nf")

    def _open(self, suffix: str, opener: Any) -> NevFile | NsxFile | None:
        try:
            self.files[suffix] = file = opener(self.members[suffix])
        except (FormatError, OSError) as error:
            self.failed[suffix] = error
            return None
        return file  # type: ignore[no-any-return]

    def _continuous(self, family: str) -> Mapping[int, NsxFile]:
        found = {
            int(suffix[-1]): file
            for suffix, file in self.files.items()
            if suffix.startswith(family) and isinstance(file, NsxFile)
        }
        return MappingProxyType(found)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Recording({self.base!r}: {', '.join(self.members)})"

    def close(self) -> None:
        """Let go of every file; arrays handed out stay valid."""
        for file in self.files.values():
            file.close()

    @property
    def instruments(self) -> tuple[str, ...]:
        """Base names of all instruments that made this recording, this one included."""
        return instruments_of(self.base)

    @property
    def fastest(self) -> NsxFile:
        """The continuous file with the highest sampling rate; of several the one with the highest number.

        Raises
        ------
        ValueError
            Where there is none.
        """
        files = [*self.nfx.items(), *self.nsx.items()]
        if not files:
            raise ValueError(f"{self.base}: expected a continuous file, found {', '.join(self.members)}")
        return max(files, key=lambda item: (item[1].sampling_rate, item[0]))[1]

    def locate(
        self, ticks: ArrayLike, nsx: int | NsxFile, *, packets: ArrayLike | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Where NEV times fall in a continuous file.

        Parameters
        ----------
        ticks : array_like of int
            Timestamps of the NEV, ``(n,)``.
        nsx : int or NsxFile
            Which file, by the digit of its suffix or itself.
        packets : array_like of int, optional
            The packets they stand in (`NevFile.packets_of`). Needed only where a clock was set back, or ran over its
            32 bits, and the same time occurs twice; without it the stretch that starts last before it is meant.

        Returns
        -------
        segment, sample : numpy.ndarray
            intp and int64, ``(n,)``: the sample whose period holds the time; -1 and -1 where nothing was recorded (a
            pause is not the segment before it).
        """
        file = self._numbered(nsx) if isinstance(nsx, int) else nsx
        nev = self.require_nev()
        wanted = np.asarray(ticks, np.uint64)
        if packets is None or not nev.resets:
            return file.locate(convert_ticks(wanted, nev.tick_rate, file.tick_rate))
        segment, sample = np.full(wanted.shape, -1, np.intp), np.full(wanted.shape, -1, np.int64)
        clock_sets = [reset for reset in nev.resets if not _wrapped(reset, file)]
        epoch = np.searchsorted([reset.packet for reset in clock_sets], np.asarray(packets), "right")
        wraps = np.searchsorted([r.packet for r in nev.resets if _wrapped(r, file)], np.asarray(packets), "right")
        wanted = convert_ticks(wanted + wraps.astype(np.uint64) * np.uint64(_WRAP), nev.tick_rate, file.tick_rate)
        epochs = file.epochs
        for k in range(len(clock_sets) + 1):
            where, other = epoch == k, k + len(epochs) - len(clock_sets) - 1  # the last of one is the last of the other
            if 0 <= other < len(epochs):
                segment[where], sample[where] = file.locate(wanted[where], epochs[other])
        return segment, sample

    def _numbered(self, number: int) -> NsxFile:
        if number not in self.nsx:
            raise KeyError(f"{self.base}: no .ns{number}; there are {', '.join(self.members)}")
        return self.nsx[number]

    def file_named(self, name: str) -> NsxFile:
        """The continuous file of a name, such as the one that an export was made of."""
        for file in (*self.nsx.values(), *self.nfx.values()):
            if os.path.basename(file.path) == name:
                return file
        raise KeyError(f"{self.base}: no {name}; there are {', '.join(self.members)}")

    def require_nev(self) -> NevFile:
        """The NEV; ValueError where there is none."""
        if self.nev is None:
            raise ValueError(f"{self.base}: there is no NEV whose times could be located")
        return self.nev


def _wrapped(reset: Reset, file: NsxFile) -> bool:
    """Whether a NEV's clock did not go back but over the end of its 32 bits, which the continuous file counts on."""
    return reset.tick_before - reset.tick_after > _WRAP // 2 and any(s.stop_tick > _WRAP for s in file.segments[-1:])


def open_recording(path: str | os.PathLike[str]) -> Recording:
    """Open all files of one recording.

    Parameters
    ----------
    path : str or os.PathLike
        Any member, or their common base name; suffixes in any case. Members that are missing are fine.

    Returns
    -------
    Recording
        A context manager.

    Raises
    ------
    FileNotFoundError
        Where there is no member.
    TypeError
        Where it is no path: bytes and file objects have no members beside them.
    FormatError
        Where none of them can be opened.

    Warns
    -----
    DamagedFile
        Where a member cannot be opened; `Recording.failed` says why. All that `open_nsx` and `open_nev` warn of.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"expected the path of a member, found {type(path).__name__}; open_nsx and open_nev take it")
    recording = Recording(base_of(path), members_of(path))
    try:
        for suffix, error in recording.failed.items():
            if len(recording.failed) == len(recording.members):
                raise error
            message = f"{recording.members[suffix]} is left out: {error}"
            warnings.warn(message, DamagedFile, stacklevel=2)
    except BaseException:
        recording.close()
        raise
    return recording
