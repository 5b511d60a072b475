# SPDX-License-Identifier: MIT
"""What a selection names, by column, electrode, label or kind, less what it excludes; and columns as microvolts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypedDict, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ..format.channel import Channel, warn_of_unknown_scale
from ..format.numbers import integer, integers, one_or_more
from ..format.text import alike, printable, ranges_text
from .extents import Columns
from .plan import GapPolicy, PlanOptions

_SCALED_ROWS = 4096  # at a time where columns are scattered, so that they stay in cache
_MOST_OFFERED, _MOST_LISTED = 3, 8  # labels, for one that no channel has

# What the parameters of a selection may be, everywhere
ChannelChoice = SupportsIndex | slice | Iterable[SupportsIndex | slice] | None  # columns, or a mask of them
ElectrodeChoice = SupportsIndex | Iterable[SupportsIndex] | None
LabelChoice = str | Iterable[str] | None
ExcludeChoice = SupportsIndex | str | Iterable[SupportsIndex | str] | None  # electrode ids, and labels or patterns
ChannelKind = Literal["neural", "analog", "other"]
_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])

if TYPE_CHECKING:  # Python has it from 3.11 on, and type checkers always
    from typing_extensions import Unpack as Unpack


class ColumnSelection(TypedDict, total=False):
    """The keywords that choose columns; `NsxFile.columns` explains them."""

    channels: ChannelChoice
    electrodes: ElectrodeChoice
    labels: LabelChoice
    kind: ChannelKind | None
    exclude: ExcludeChoice


class TimeSelection(TypedDict, total=False):
    """The keywords that choose a time, half-open: by the file's clock, or after the recording's first sample."""

    start_tick: int | None
    stop_tick: int | None
    start_s: float | None
    stop_s: float | None


class SampleSelection(ColumnSelection, TimeSelection, total=False):
    """The keywords that choose columns and a time."""


class TraceSelection(SampleSelection, total=False):
    """The keywords of `NsxFile.traces`, which explains them: columns, a time, and what becomes of gaps in it."""

    gaps: GapPolicy
    fill: float | Literal["hold"]
    max_fill: float
    resample: Literal["nominal"] | None
    sort: bool


def part_of(selection: Mapping[str, Any], part: Any) -> dict[str, Any]:
    """What a selection says of the keywords of a part of it."""
    return {name: selection[name] for name in part.__annotations__ if name in selection}


def repeatable(selection: Mapping[str, Any]) -> dict[str, Any]:
    """A selection that can be used more than once: iterators, which end, as lists."""
    return {name: list(part) if isinstance(part, Iterator) else part for name, part in selection.items()}


def takes(selection: Any) -> Callable[[_FunctionT], _FunctionT]:
    """Show the keywords of a selection in the signature of a function that takes them as ``**``, and refuse others."""
    defaults = PlanOptions._field_defaults
    named = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=annotation.__forward_arg__)
        for name, annotation in selection.__annotations__.items()
    ]

    def decorate(function: _FunctionT) -> _FunctionT:
        own = signature(function)
        others = [parameter for parameter in own.parameters.values() if parameter.kind != Parameter.VAR_KEYWORD]
        shown = own.replace(parameters=sorted([*named, *others], key=lambda parameter: parameter.kind))

        @wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            for name in keywords:
                if name not in shown.parameters:
                    guess = "".join(f"; did you mean {near}?" for near in alike(name, shown.parameters, 1))
                    raise TypeError(f"{function.__qualname__}() got an unexpected keyword argument {name!r}{guess}")
            return function(*args, **keywords)

        call.__signature__ = shown  # type: ignore[attr-defined]
        return cast(_FunctionT, call)

    return decorate


def choose_columns(channels: Sequence[Channel], /, exclude: ExcludeChoice = None, **selection: Any) -> NDArray[np.intp]:
    """Columns of a file that a selection names, in its order, less the excluded ones; see `NsxFile.columns`."""
    given = {name: value for name, value in selection.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f"expected one way to choose columns, found {' and '.join(given)}")
    name, wanted = next(iter(given.items()), ("channels", None))
    columns = _CHOOSERS[name](channels, wanted)
    if exclude is None:
        return columns
    left_out = _excluded([(c.index, c.electrode_id, c.label) for c in channels], exclude)
    return columns[~np.isin(columns, list(left_out))]


def some_columns(columns: NDArray[np.intp], n_channels: int, of: str) -> NDArray[np.intp]:
    """The same columns; ValueError where there is none of the channels `of` a recording."""
    if columns.size == 0:
        raise ValueError(f"expected at least one channel, found none; {of} has {n_channels}")
    return columns


def choose_electrodes(
    labels_of: Mapping[int, str],
    *,
    electrodes: ElectrodeChoice = None,
    labels: LabelChoice = None,
    exclude: ExcludeChoice = None,
) -> list[int] | None:
    """Electrode ids that a selection names, in its order, less the excluded ones; None where it names nothing.

    `labels_of` has the label of every electrode that can be named; ids in `electrodes` may be others.
    """
    if electrodes is not None and labels is not None:
        raise ValueError("expected one way to choose electrodes, found electrodes and labels")
    ids = None if electrodes is None else _ids(electrodes)
    if labels is not None:
        ids = _with_labels(list(labels_of.items()), labels, "electrodes", "electrodes=")
    if exclude is None:
        return ids
    left_out = _excluded([(number, number, label) for number, label in labels_of.items()], exclude)
    return [number for number in (labels_of if ids is None else ids) if number not in left_out]


def _ids(electrodes: ElectrodeChoice) -> list[int]:
    try:
        return integers(electrodes, "an electrode")
    except TypeError as error:
        if any(isinstance(value, str) for value in one_or_more(electrodes)):
            raise TypeError(f"{error}: names are for labels=") from None
        raise


def _excluded(named: Sequence[tuple[int, int, str]], exclude: ExcludeChoice) -> set[int]:
    """The first of each (item, electrode id, label) that an electrode id, a label or a pattern names."""
    left_out: set[int] = set()
    for wanted in one_or_more(exclude):
        if isinstance(wanted, str):
            left_out.update(_labelled([(item, label) for item, _, label in named], wanted))
            continue
        number = integer(wanted, "an electrode id or a label")
        if not (found := [item for item, electrode_id, _ in named if electrode_id == number]):
            raise KeyError(no_electrode([number], [electrode_id for _, electrode_id, _ in named]))
        left_out.update(found)
    return left_out


def choose_by_column(n_channels: int, wanted: ChannelChoice) -> NDArray[np.intp]:
    """Columns that numbers, slices or a mask name; with None all of them."""
    every: NDArray[np.intp] = np.arange(n_channels)
    if wanted is None or isinstance(wanted, slice):
        return every if wanted is None else every[wanted]
    parts = one_or_more(wanted)
    if any(isinstance(part, slice) for part in parts):
        parts = [column for part in parts for column in (every[part] if isinstance(part, slice) else [part])]
    columns = np.asarray(parts)
    if columns.size == 0:
        return every[:0]
    if columns.dtype.kind not in "biuO":
        found = f"{parts[0]!r}: names are for labels=" if columns.dtype.kind == "U" else columns.dtype
        raise TypeError(f"expected columns as integers or a mask of {n_channels}, found {found}")
    if columns.dtype == bool and columns.size != n_channels:
        raise ValueError(f"expected columns as integers or a mask of {n_channels}, found {columns.dtype}")
    try:
        chosen: NDArray[np.intp] = every[columns]
        return chosen
    except IndexError:
        absent = [column for column in columns.tolist() if not -n_channels <= column < n_channels]
        raise ValueError(f"expected columns 0 to {n_channels - 1}, found {ranges_text(absent)}") from None


def _by_column(channels: Sequence[Channel], wanted: ChannelChoice) -> NDArray[np.intp]:
    return choose_by_column(len(channels), wanted)


def _by_electrode(channels: Sequence[Channel], wanted: ElectrodeChoice) -> NDArray[np.intp]:
    columns_of: dict[int, list[int]] = {}
    for channel in channels:
        columns_of.setdefault(channel.electrode_id, []).append(channel.index)
    ids = _ids(wanted)
    if absent := sorted({electrode_id for electrode_id in ids if electrode_id not in columns_of}):
        raise KeyError(no_electrode(absent, columns_of))
    for electrode_id in ids:
        if len(columns_of[electrode_id]) > 1:
            twice = f"electrode {electrode_id} is in columns {columns_of[electrode_id]}"
            raise ValueError(f"{twice}: choose one with channels=")
    return np.array([columns_of[electrode_id][0] for electrode_id in ids], np.intp)


def _by_label(channels: Sequence[Channel], wanted: LabelChoice) -> NDArray[np.intp]:
    named = [(channel.index, channel.label) for channel in channels]
    return np.array(_with_labels(named, wanted, "columns", "channels="), np.intp)


def _with_labels(named: Sequence[tuple[int, str]], wanted: LabelChoice, what: str, other_way: str) -> list[int]:
    """The items with these labels, or labels of these patterns, each once, in the order wanted."""
    chosen: list[int] = []
    for pattern in one_or_more(wanted):
        if not isinstance(pattern, str):
            raise TypeError(f"expected a label as text, found {pattern!r}")
        matches = _labelled(named, pattern)
        if sum(label == pattern for _, label in named) > 1:
            raise ValueError(f"label {pattern!r} is in {what} {matches}: choose one with {other_way}")
        chosen += [item for item in matches if item not in chosen]
    return chosen


def _labelled(named: Sequence[tuple[int, str]], wanted: str) -> list[int]:
    """The items with a label, or if none has it, with a label of this pattern; KeyError where there is none."""
    matches = [item for item, label in named if label == wanted]
    matches = matches or [item for item, label in named if fnmatchcase(label, wanted)]
    if not matches:
        raise KeyError(_no_label(wanted, [label for _, label in named]))
    return matches


def no_electrode(absent: Sequence[int], known: Iterable[int]) -> str:
    """What to say of electrodes that a file does not have."""
    return f"no electrode {ranges_text(absent)}; the file has electrodes {ranges_text(sorted(set(known))) or 'none'}"


def _no_label(wanted: str, labels: Sequence[str]) -> str:
    """What to say of a label that no channel has: those that are like it, and how many there are."""
    known = [label for label in dict.fromkeys(labels) if label]
    if not known:
        return f"no label {printable(wanted)!r}; the file has no labels: choose by electrode or by column"
    parts = [part.strip() for part in wanted.split(",")]
    if len(parts) > 1 and {*parts} <= {*known}:
        return f"no label {printable(wanted)!r}: give {', '.join(map(repr, parts))} as separate labels"
    nearest = [label for label in known if label.casefold() == wanted.casefold()] or alike(wanted, known, _MOST_OFFERED)
    guess = f": did you mean {' or '.join(repr(printable(label)) for label in nearest)}" if nearest else ""
    guess += " (electrode ids are for electrodes=)" if wanted.isdigit() else ""
    listed = ", ".join(known) if len(known) <= _MOST_LISTED else f"{known[0]} to {known[-1]}, {len(known)} in all"
    return f"no label {printable(wanted)!r}{guess}; the file has labels {printable(listed)}"


def _by_kind(channels: Sequence[Channel], kind: str) -> NDArray[np.intp]:
    columns = [channel.index for channel in channels if channel.kind == kind]
    if not columns:
        kinds = sorted({channel.kind for channel in channels})
        raise KeyError(f"no {kind} channels; the file has {', '.join(kinds) or 'no'} channels")
    return np.array(columns, np.intp)


_CHOOSERS: dict[str, Callable[[Sequence[Channel], Any], NDArray[np.intp]]]
_CHOOSERS = {"channels": _by_column, "electrodes": _by_electrode, "labels": _by_label, "kind": _by_kind}


def as_slice(columns: NDArray[np.intp]) -> Columns:
    """The same columns as a slice where they are equally spaced, so that taking them needs no copy."""
    if columns.size == 0:
        return slice(0, 0)
    step = int(columns[1] - columns[0]) if columns.size > 1 else 1
    if step < 1 or (np.diff(columns) != step).any():
        return columns
    return slice(int(columns[0]), int(columns[-1]) + 1, step)


def to_microvolts(
    path: str, channels: Sequence[Channel], views: Sequence[NDArray[Any]], columns: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Chosen columns of some rows as float32 microvolts; NaN, and a warning, where a channel has no scale.

    `views` are the rows as recorded, ``(n, n_channels)`` each; `path` is for the warning.
    """
    chosen = [channels[column] for column in columns]
    warn_of_unscaled(path, chosen, ", which are NaN")
    per_bit = np.array([channel.uv_per_bit for channel in chosen], np.float32)
    offset = np.array([channel.uv_offset for channel in chosen], np.float32)
    out = np.empty((sum(map(len, views)), columns.size), np.float32)
    start = 0
    for view in views:
        _scale_rows(view, as_slice(columns), per_bit, out[start : start + len(view)])
        start += len(view)
    return np.add(out, offset, out=out) if offset.any() else out


def _scale_rows(view: NDArray[Any], columns: Columns, per_bit: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    if isinstance(columns, slice):
        np.multiply(view[:, columns], per_bit, out=out)
        return
    for a in range(0, len(view), _SCALED_ROWS):
        np.multiply(np.take(view[a : a + _SCALED_ROWS], columns, axis=1), per_bit, out=out[a : a + _SCALED_ROWS])


def warn_of_unscaled(path: str, channels: Sequence[Channel], what_follows: str) -> None:
    """Warn where channels have no scale, and of what follows from that."""
    hint = (
        ""
        if not channels or channels[0].units
        else "; NSx 2.1 has none, its NEV has them: open_nsx(path, nev=...), or a NEV of the same name beside it"
    )
    scales = [(channel.electrode_id, channel.uv_per_bit) for channel in channels]
    warn_of_unknown_scale(path, scales, what_follows + hint)
