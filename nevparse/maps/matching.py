# SPDX-License-Identifier: MIT
"""Which electrode of a map each channel of a recording is, or why that cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from ..format.text import printable, ranges_text
from .cmp import LETTERS, MapElectrode

PINS_PER_BANK = 32
_SHOWN = 12


class MapChannel(Protocol):
    """What a map asks of a channel, as `Channel` has it."""

    @property
    def index(self) -> int:
        """The column."""

    @property
    def electrode_id(self) -> int:
        """The vendor's number."""

    @property
    def kind(self) -> str:
        """``neural``, ``analog`` or ``other``."""

    @property
    def label(self) -> str:
        """The name."""

    @property
    def bank(self) -> int:
        """Connector, from 1."""

    @property
    def pin(self) -> int:
        """Pin, from 1."""


class Join(NamedTuple):
    """A way to tell which electrode a channel is; a key is None where there is nothing to tell by."""

    words: str
    of_channel: Callable[[MapChannel], Any]
    of_electrode: Callable[[MapElectrode], Any]


JOINS = {
    "pin": Join(
        "bank and pin",
        lambda channel: (channel.bank, channel.pin) if channel.bank and channel.pin else None,
        lambda electrode: (electrode.bank, electrode.pin),
    ),
    "label": Join("label", lambda channel: channel.label or None, lambda electrode: electrode.label or None),
    "id": Join(
        "electrode id",
        lambda channel: channel.electrode_id or None,
        lambda electrode: (electrode.bank - 1) * PINS_PER_BANK + electrode.pin,
    ),
}


def electrode_rows(
    by: str, channels: Sequence[MapChannel], electrodes: Sequence[MapElectrode], files: str, partial: bool
) -> list[int | None]:
    """Row among `electrodes` that each channel is; None for a channel that is no electrode.

    Raises
    ------
    ValueError
        Where it cannot be told, or the map is not of the electrodes among these channels.
    """
    if by not in JOINS:
        raise ValueError(f"expected {_ways()}, found {by!r}")
    join = JOINS[by]
    # an analog input has a bank and a pin too, and they are no electrode's
    keys = [None if channel.kind == "analog" else join.of_channel(channel) for channel in channels]
    neural = [row for row, channel in enumerate(channels) if channel.kind == "neural"]
    nameless = [channel_name(channels[row]) for row in neural if keys[row] is None]
    if nameless:
        found = f"channels without: {_few(nameless)}"
        raise ValueError(f"expected {join.words} to tell electrodes by, found {found}; join {_ways(but=by)}")
    _distinct(by, keys, [channel_name(channel) for channel in channels])
    names = [f"{electrode.location} {printable(electrode.label)!r} of the map" for electrode in electrodes]
    there = _distinct(by, [join.of_electrode(electrode) for electrode in electrodes], names)
    _check_match(join, {keys[row] for row in neural}, there.keys() - keys, there, files, partial)
    return [there.get(key) for key in keys]


def channel_name(channel: MapChannel) -> str:
    """A channel as a person reads it."""
    return f"column {channel.index} {printable(channel.label)!r}"


def _ways(but: str = "") -> str:
    return " or ".join(f"by={by!r}" for by in JOINS if by != but)


def _distinct(by: str, keys: Sequence[Any], names: Sequence[str]) -> dict[Any, int]:
    """Where each key is; two of one kind cannot be told apart."""
    there: dict[Any, int] = {}
    for row, key in enumerate(keys):
        first = there.setdefault(key, row)
        if key is not None and first != row:
            found = f"the same for {names[first]} and {names[row]}"
            what_to_do = f"choose among the channels, or join {_ways(but=by)}"
            raise ValueError(f"expected {JOINS[by].words} to tell them apart, found {found}: {what_to_do}")
    there.pop(None, None)
    return there


def _check_match(
    join: Join, recorded: Set[Any], unrecorded: Set[Any], mapped: Mapping[Any, int], files: str, partial: bool
) -> None:
    unmapped = recorded - mapped.keys()
    is_part = not unmapped and len(unrecorded) < len(mapped)
    if is_part and (partial or not unrecorded):
        return
    what_to_do = (
        "give this array's map, or say partial=True where the rest of it was not recorded or is not wanted"
        if is_part
        else "give this array's map, say first_bank where it is plugged in elsewhere, or choose the channels it has"
    )
    raise ValueError(
        f"expected a map of the electrodes that were recorded; by {join.words} the channels have {_listed(recorded)}, "
        f"{files} has {_listed(mapped)}; only the channels have {_listed(unmapped)}, only the map has "
        f"{_listed(unrecorded)}: {what_to_do}"
    )


def _listed(keys: Iterable[Any]) -> str:
    """Keys as a person reads them, with their number: ``64 (A 1-32, B 1-32)``."""
    known = sorted(keys)
    if not known:
        return "none"
    if isinstance(known[0], str):
        return f"{len(known)} ({_few([printable(key) for key in known])})"
    if isinstance(known[0], int):
        return f"{len(known)} ({ranges_text(known)})"
    banks = groupby(known, key=lambda key: key[0])
    return f"{len(known)} ({', '.join(_bank(bank) + ' ' + ranges_text([key[1] for key in of]) for bank, of in banks)})"


def _bank(number: int) -> str:
    return LETTERS[number - 1] if number <= len(LETTERS) else f"bank {number}"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
