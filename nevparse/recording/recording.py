# SPDX-License-Identifier: MIT
"""One recording: its NEV and NSx files, opened together, and where times of the NEV are in the continuous data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clock import Epoch, convert_ticks
from ..errors import DamagedFile, FormatError, warn
from ..format.lookup import read_only
from ..format.notebook import summary_html
from ..format.numbers import integer, integer_array, tick_values
from ..format.text import duration_text
from ..nsx.file import NsxFile, open_nsx
from ..source.base import Closable
from .epochs import EpochFinder, epochs_of, match_epochs, most_epochs
from .members import base_of, instruments_of, members_of

if TYPE_CHECKING:  # a recording without a NEV does not load what reads one
    from ..nev.epochs import PacketEpochs
    from ..nev.file import NevFile


class Recording(Closable):
    """The files of one recording; `open_recording` makes one.

    Attributes
    ----------
    base : str
        The common name, without suffix.
    members : mapping of str to str
        Suffix to path of every file, in the order of the suffixes.
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
        self.base, self.members = base, MappingProxyType(dict(sorted(members.items())))
        self.failed: dict[str, Exception] = {}
        self.files: dict[str, NevFile | NsxFile] = {}
        self.nev: NevFile | None = None
        try:
            for suffix in self.members:  # the NEV comes first: it has the scales of an old NSx
                self._open(suffix)
            for suffix, error in self.failed.items() if self.files else ():
                warn(f"{self.members[suffix]} is left out: {error}", DamagedFile)
        except BaseException:
            self.close()
            raise
        continuous = [(suffix, file) for suffix, file in self.files.items() if isinstance(file, NsxFile)]
        self.nsx, self.nfx = (
            read_only(
                {int(suffix[-1]): file for suffix, file in continuous if suffix.startswith(family)},
                partial(_no_member, base, family, self.members),
            )
            for family in ("ns", "nf")
        )
        self._count_seconds()
        if self.nev is not None:
            self.nev._take_epochs(EpochFinder(self.by_rate(), self.nev.tick_rate))

    def _open(self, suffix: str) -> None:
        try:
            if suffix == "nev":
                from ..nev.file import open_nev

                self.files[suffix] = self.nev = open_nev(self.members[suffix])
            else:
                self.files[suffix] = open_nsx(self.members[suffix], nev=self.nev)
        except (FormatError, OSError) as error:
            self.failed[suffix] = error

    def _count_seconds(self) -> None:
        """Let the seconds of every member count from the first sample of the fastest file that has one."""
        if self.has_samples:
            first = self.fastest
            for file in self.files.values():
                file._count_seconds_from(first.zero_tick * file.tick_rate // first.tick_rate)

    def __repr__(self) -> str:
        longest_s = max((ns.duration_s for ns in self.by_rate()), default=0.0)
        length = f", {duration_text(longest_s)}" if longest_s else ""
        failed = f", could not open {', '.join(self.failed)}" if self.failed else ""
        return f"Recording({self.base!r}: {', '.join(self.files)}{length}{failed}{', closed' if self.closed else ''})"

    def _repr_html_(self) -> str:
        rows = [(suffix, repr(file).partition(": ")[2].removesuffix(")")) for suffix, file in self.files.items()]
        failed = [(suffix, f"could not be opened: {error}") for suffix, error in self.failed.items()]
        continuous = [(suffix, file) for suffix, file in self.files.items() if isinstance(file, NsxFile)]
        lanes = [lane._replace(name=suffix) for suffix, ns in continuous for lane in ns.lanes()]
        return summary_html(self.base, [*rows, *failed], lanes)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return all(file.closed for file in self.files.values())

    def close(self) -> None:
        """Close every file; arrays that were read stay valid."""
        for file in self.files.values():
            file.close()

    @property
    def instruments(self) -> tuple[str, ...]:
        """Base names of all instruments that made this recording, with this one."""
        return instruments_of(self.base)

    @property
    def fastest(self) -> NsxFile:
        """The continuous file with the highest sampling rate; of several the one with the highest number.

        Files without samples count only where no file has any.

        Raises
        ------
        ValueError
            Where the recording has none.
        """
        files = self.by_rate()
        if not files:
            raise ValueError(f"{self.base}: expected a continuous file, found {', '.join(self.members)}")
        return files[-1]

    def by_rate(self) -> list[NsxFile]:
        """The continuous files, the fastest last."""
        files = sorted(
            [*self.nsx.items(), *self.nfx.items()],
            key=lambda item: (item[1].n_samples > 0, item[1].sampling_rate, item[0]),
        )
        return [file for _, file in files]

    @property
    def has_samples(self) -> bool:
        """Whether a continuous file has any."""
        return any(file.n_samples for file in self.by_rate())

    @property
    def zero_tick(self) -> int:
        """The tick that seconds count from, in the clock of `epochs`: of the first sample of the fastest file.

        Without a sample, of the NEV's first packet that is no stray.
        """
        return self.nev.zero_tick if self.nev else self.fastest.zero_tick

    def locate(
        self, ticks: ArrayLike, nsx: int | NsxFile, *, packets: ArrayLike | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Find the segment and sample of a continuous file that was recorded at each time of the NEV.

        Parameters
        ----------
        ticks : array_like of int
            Timestamps of the NEV, ``(n,)``.
        nsx : int or NsxFile
            Which file, by the digit of its suffix or itself.
        packets : array_like of int, optional
            Their packets (`NevFile.packets_of`). Needed only where the clock was set anew, so that the same time
            occurs twice; by default the segment that starts last before the time is taken.

        Returns
        -------
        segment, sample : numpy.ndarray
            intp and int64, ``(n,)``: the sample whose period contains the time; -1 and -1 where nothing was recorded,
            as in a pause.

        Raises
        ------
        KeyError
            Where the recording has no such file.
        ValueError
            Where it has no NEV.

        Warns
        -----
        AmbiguousEpochs
            Where some of `packets` may be of either of two epochs (see `packet_epochs`).

        Examples
        --------
        >>> import nevparse as nv
        >>> with nv.open_recording("session") as recording:
        ...     segment, sample = recording.locate([30, 600, 5000], nsx=5)
        >>> segment.tolist(), sample.tolist()
        ([0, 0, -1], [30, 600, -1])
        """
        file = nsx if isinstance(nsx, NsxFile) else self.nsx[integer(nsx, "the digit of an .ns file")]
        nev, wanted = self.require_nev(), tick_values(ticks)
        wanted = convert_ticks(wanted, nev.tick_rate, file.tick_rate)
        if packets is None or (self.is_one_epoch and len(file.epochs) == 1):
            return file.locate(wanted)
        from ..nev.epochs import MOST_EPOCHS, warn_of_ambiguous

        chosen, epochs = integer_array(packets, "packets"), nev.epochs
        warn_of_ambiguous(self.base, nev.packet_epochs, chosen)
        numbers = nev.packet_epochs.epoch[chosen]
        if len(epochs) > MOST_EPOCHS:
            return file.locate(wanted)
        segment, sample = np.full(wanted.shape, -1, np.intp), np.full(wanted.shape, -1, np.int64)
        for epoch, segments in zip(match_epochs(epochs_of(file, nev.tick_rate), epochs), file.epochs, strict=True):
            in_epoch = numbers == epoch
            segment[in_epoch], sample[in_epoch] = file.locate(wanted[in_epoch], segments)
        return segment, sample

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """Ticks from each setting of the clock to the next, in the NEV's clock; without a NEV, the continuous files'.

        The continuous file with the most epochs says so, as far as it reaches; without a sample, the NEV's resets.
        """
        return self.nev.epochs if self.nev else epochs_of(most_epochs(self.by_rate()))

    @property
    def packet_epochs(self) -> PacketEpochs:
        """The epoch of every packet of the NEV; of ambiguous ones two.

        Raises
        ------
        ValueError
            Where the recording has no NEV.
        """
        return self.require_nev().packet_epochs

    @property
    def is_one_epoch(self) -> bool:
        """Whether the clock was never set anew, so that no time occurs twice."""
        return all(len(file.epochs) == 1 for file in self.by_rate()) and not (self.nev and self.nev.resets)

    def require_nev(self) -> NevFile:
        """The NEV; ValueError without one."""
        if self.nev is None:
            raise ValueError(f"{self.base}: expected a NEV, found {', '.join(self.members)}")
        return self.nev


def _no_member(base: str, family: str, members: Iterable[str], digit: object) -> str:
    named = f".{family}{digit}" if isinstance(digit, int) else f"file {digit!r}, as files go by their numbers (5)"
    return f"{base}: no {named}; the recording has {', '.join(members)}"


def open_recording(path: str | os.PathLike[str], *, nev: str | os.PathLike[str] | None = None) -> Recording:
    """Open all files of one recording.

    Parameters
    ----------
    path : str or os.PathLike
        Any member, or their common base name; suffixes in any case. Members may be missing.
    nev : str or os.PathLike, optional
        A NEV of another name to take for that of the recording, such as a sorted one (``s-01.nev`` of ``s.ns5``).

    Returns
    -------
    Recording
        A context manager.

    Raises
    ------
    FileNotFoundError
        Where no member exists.
    IsADirectoryError
        Where it is a folder; the message lists the recordings in it.
    TypeError
        Where it is not a path: bytes and file objects have no other members.
    FormatError, OSError
        Where no member, or not `nev`, can be opened.

    Warns
    -----
    DamagedFile
        Where a member cannot be opened (see `Recording.failed`). All that `open_nsx` and `open_nev` warn of.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_recording("session") as recording:
    ...     list(recording.members), recording.fastest.sampling_rate
    (['nev', 'ns5'], 30000.0)
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"expected the path of a member, found {type(path).__name__}; open_nsx and open_nev take it")
    members = members_of(path)
    if nev is not None:
        from ..nev.file import open_nev

        open_nev(nev).close()  # one that was named is never left out
        members["nev"] = os.fspath(nev)
    recording = Recording(base_of(path), members)
    if not recording.files:
        raise next(iter(recording.failed.values()))
    return recording
