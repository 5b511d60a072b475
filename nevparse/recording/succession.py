# SPDX-License-Identifier: MIT
"""Joins successive files of one recording end to end, once it is proved that they belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar, overload

from ..clock import ticks_recorded
from ..format.numbers import one_or_more
from ..nev.file import NevFile
from ..nsx.file import NsxFile
from .belonging import (
    FileTime,
    check_different_files,
    check_one_instrument,
    check_same,
    check_same_channels,
    check_same_format,
    nev_time,
    nsx_time,
)
from .placement import Placement, check_order, order_in_time, place_files
from .recording import Recording
from .successive_files import SuccessiveFiles
from .successive_nevs import SuccessiveNevs, SuccessiveRecordings

_T = TypeVar("_T")
Order = Literal["given"] | None


@overload
def concatenate(members: Iterable[NsxFile], *, order: Order = ...) -> SuccessiveFiles: ...
@overload
def concatenate(members: Iterable[NevFile], *, order: Order = ...) -> SuccessiveNevs: ...
@overload
def concatenate(members: Iterable[Recording], *, order: Order = ...) -> SuccessiveRecordings: ...
def concatenate(members: Iterable[Any], *, order: Order = None) -> Any:
    """Successive files of one recording, which rolled over or was started anew, as one long one.

    All times are ticks of the first file. Where the clock ran on they are exact. Where it was set anew, the dates of
    the headers say where a file belongs, to about 20 ms: `placements` says which, and a gap is always between such
    files.

    Parameters
    ----------
    members : iterable of NsxFile, of NevFile, or of Recording
        Open files of one kind; or recordings, whose continuous files and NEVs then share one line of ticks.
    order : str, optional
        ``given``: in the order of `members`, whatever the dates say. By default in order of time, by the dates of the
        headers and the ticks.

    Returns
    -------
    SuccessiveFiles, SuccessiveNevs or SuccessiveRecordings
        For `write_bin` and `write_sorter` as a file is; with `spikes` and `events` as a NEV; or with `nsx`, `nev` and
        `locate` as a recording.

    Raises
    ------
    ValueError
        Where members do not belong together: other electrodes, scales, rates, types or instruments; files of the same
        time; the same file twice; or dates that do not say which was first.
    TypeError
        Where members are of several kinds.

    Notes
    -----
    spec_notes/joining.md.

    Examples
    --------
    >>> import nevparse as nv
    >>> with nv.open_nsx("session.ns5") as ns:
    ...     first = nv.write_nsx(ns, "first.ns5", stop_s=0.05)
    ...     second = nv.write_nsx(ns, "second.ns5", start_s=0.05)
    >>> with nv.open_nsx("first.ns5") as one, nv.open_nsx("second.ns5") as two:
    ...     nv.concatenate([one, two]).n_samples
    3000
    """
    is_given = check_order(order)
    opened = one_or_more(members)
    if not opened:
        raise ValueError("expected open files of one recording, found none")
    for kind, join in _JOINS.items():
        if all(isinstance(member, kind) for member in opened):
            return join(opened, is_given)
    found = ", ".join(type(member).__name__ for member in opened)
    raise TypeError(f"expected open NSx files, or NEVs, or recordings, found {found}")


def _join_files(files: list[NsxFile], is_given: bool) -> SuccessiveFiles:
    _check_belong(files)
    files, placements = _place(files, [file.path for file in files], [nsx_time(file) for file in files], is_given)
    return SuccessiveFiles(files, placements)


def _check_belong(files: Sequence[NsxFile]) -> None:
    check_different_files(files)
    check_same_format(files)
    check_same(files, lambda ns: "a timestamp for each sample" if ns.has_sample_timestamps else "blocks of samples")
    check_same_channels(files)
    check_one_instrument([file.path for file in files])


def _join_nevs(nevs: list[NevFile], is_given: bool) -> SuccessiveNevs:
    check_different_files(nevs)
    _check_same_nevs(nevs)
    times = [nev_time(nev) for nev in nevs]
    nevs, placements = _place(nevs, [nev.path for nev in nevs], times, is_given)
    return SuccessiveNevs(nevs, placements)


def _check_same_nevs(nevs: Sequence[NevFile]) -> None:
    """Raise a ValueError where NEVs differ in ticks, packets or electrodes."""
    check_one_instrument([nev.path for nev in nevs])
    check_same(nevs, lambda nev: f"{nev.tick_rate} Hz ticks, packets of {nev.packet_bytes} bytes")
    check_same(nevs, lambda nev: f"waveforms of {nev.sample_rate} Hz")
    for nev in nevs[1:]:
        if set(nev.electrodes) != set(nevs[0].electrodes):
            only = sorted(set(nev.electrodes) ^ set(nevs[0].electrodes))
            raise ValueError(f"{nevs[0].path} and {nev.path}: expected the same electrodes, found {only} in one alone")


def _join_recordings(recordings: list[Recording], is_given: bool) -> SuccessiveRecordings:
    times = [_recording_time(recording) for recording in recordings]
    recordings, placements = _place(recordings, [recording.base for recording in recordings], times, is_given)
    rate = _recording_time(recordings[0]).tick_rate
    nev = None
    nevs = [recording.nev for recording in recordings if recording.nev is not None]
    if len(nevs) == len(recordings):
        check_different_files(nevs)
        _check_same_nevs(nevs)
        nev = SuccessiveNevs(nevs, _at_rate(placements, rate, nevs[0].tick_rate))
    nsx, nfx = (
        {
            digit: _placed_files([files[digit] for files in every], placements, rate)
            for digit in every[0]
            if all(digit in files for files in every)
        }
        for every in ([one.nsx for one in recordings], [one.nfx for one in recordings])
    )
    return SuccessiveRecordings(recordings, nev, nsx, nfx)


def _recording_time(recording: Recording) -> FileTime:
    """From when to when, by the fastest continuous file, any file was recorded; without samples, the NEV."""
    if not recording.has_samples:
        return nev_time(recording.require_nev())
    fastest = recording.fastest
    files = [file for file in recording.by_rate() if file.n_samples]
    ends = [-(-ticks_recorded(file.segments)[1] * fastest.tick_rate // file.tick_rate) for file in files]
    return nsx_time(fastest)._replace(stop_tick=max(ends))


def _placed_files(files: Sequence[NsxFile], placements: Sequence[Placement], rate: int) -> SuccessiveFiles:
    _check_belong(files)
    return SuccessiveFiles(files, _at_rate(placements, rate, files[0].tick_rate))


def _at_rate(placements: Sequence[Placement], from_rate: int, to_rate: int) -> list[Placement]:
    """Placements by a clock of another rate."""
    return [placement._replace(offset=placement.offset * to_rate // from_rate) for placement in placements]


def _place(
    members: list[_T], names: Sequence[str], times: Sequence[FileTime], is_given: bool
) -> tuple[list[_T], list[Placement]]:
    """The members in order of time, or as given, and their places."""
    numbers = list(range(len(members))) if is_given else order_in_time(names, times)
    placements = place_files([names[k] for k in numbers], [times[k] for k in numbers], is_given)
    return [members[k] for k in numbers], placements


_JOINS: dict[type, Any] = {NsxFile: _join_files, NevFile: _join_nevs, Recording: _join_recordings}
