# SPDX-License-Identifier: MIT
"""Reads the settings of the recording system: the ``.ccf`` files that Blackrock's Central saves."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..format import tables
from ..format.channel import scale_uv
from ..format.text import decode_text, printable, unit_name
from .cmp import read_small_file

_OLD_MAGIC, _OLD_HEADER_BYTES = b"cbCCF", 16
_DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)[^>]{0,40}")
# Ten times what a system of 512 channels writes
_MAX_BYTES, _MAX_ELEMENTS, _MAX_DEPTH, _MAX_DIGITS = 1 << 26, 2_000_000, 32, 18
_FLOATS = ("single", "float", "double")
_GROUP_HZ = {1: 500.0, 2: 1000.0, 3: 2000.0, 4: 10000.0, 5: 30000.0, 6: 30000.0}
# Columns of the table of channels: types and missing value of a setting, dtype of the column
_INTEGER, _NUMBER, _TEXT = (int, -1, np.int64), ((int, float), nan, np.float64), (str, "", np.object_)
# Places in a channel's settings
_INTEGERS = {
    "channel": "chan", "bank": "bank", "pin": "term", "sample_group": "sample/group",
    "sample_filter": "sample/filter", "spike_filter": "spike/filter",
}  # fmt: skip
_CORNERS_MHZ = {"high_pass_hz": "filterdesc/phyfiltin/hpfreq", "low_pass_hz": "filterdesc/phyfiltin/lpfreq"}
_RANGE_ENDS = ("digmin", "digmax", "anamin", "anamax")
_FLAGS = {"raw_stream": ("options/ainpopts", 0x40), "spike_extraction": ("options/spkopts", 0x1)}


@dataclass(frozen=True, eq=False)
class Configuration:
    """The content of a configuration file.

    Parameters
    ----------
    path : str
        The file.
    version : str
        Version of the configuration, as the file has it.
    channels : dict of str to numpy.ndarray
        One row for each channel of the file:

        - int64, -1 if the file has none: ``channel`` (number, as electrode ids count), ``bank``, ``pin``,
          ``sample_group``, ``sample_filter`` and ``spike_filter`` (numbers of digital filters, 0 for no filter)
        - float64, NaN if the file has none: ``uv_per_bit``, ``uv_offset``, ``high_pass_hz`` and ``low_pass_hz``
          (of the amplifier), ``sampling_rate_hz`` (of the sample group), ``threshold`` (raw), ``threshold_uv``
        - bool: ``raw_stream`` (recorded unfiltered at 30 kHz), ``spike_extraction``
        - str, as objects: ``label``, ``units``
    settings : dict
        The complete file, as dictionaries, lists, int, float and str under the file's own names; ``text`` is that of
        an element that has attributes too.
    """

    path: str
    version: str
    channels: dict[str, NDArray[Any]]
    settings: dict[str, Any]


def read_ccf(path: str | os.PathLike[str]) -> Configuration:
    """Read an XML configuration of the recording system.

    Entities are never expanded and nothing is fetched: a file that declares any is an error.

    Parameters
    ----------
    path : path
        The ``.ccf``.

    Returns
    -------
    Configuration
        A table of the channels, and every setting.

    Raises
    ------
    FormatError
        If the file is no such configuration; also for the binary ones of older systems.
    OSError
        Where no such file exists.

    Examples
    --------
    >>> import nevparse as nv
    >>> channels = nv.read_ccf("session.ccf").channels
    >>> channels["label"].tolist(), channels["sampling_rate_hz"].tolist(), channels["threshold_uv"].tolist()
    (['elec1', 'elec2', 'elec33'], [30000.0, 30000.0, 30000.0], [-63.75, -63.75, -63.75])
    """
    name = os.fspath(path)
    data = read_small_file(name, _MAX_BYTES, "a configuration")
    _check_no_declarations(name, data)
    root, settings = _parse(name, data)
    if root != "CCF" or not isinstance(settings, dict):
        found = f"an element {printable(root[:40])}" if root != "CCF" else "nothing in it"
        raise FormatError("a configuration, whose outermost element is CCF", found, path=name)
    items = _items_of(settings.get("ChanInfo"))
    # an item without a number is a channel that the system does not have
    channels = _channel_table([item for item in items if _value_at(item, "chan", int, -1) > 0])
    return Configuration(name, _value_at(settings, "Version", str, ""), channels, settings)


def _check_no_declarations(path: str, data: bytes) -> None:
    """Raise a FormatError for a binary file, and for declarations, which an XML reader would expand or fetch."""
    if data.startswith(_OLD_MAGIC):
        found = f"a binary one ({printable(decode_text(data[:_OLD_HEADER_BYTES]))})"
        raise FormatError("an XML configuration (save it with a newer Central)", found, path=path)
    if declaration := _DECLARATION.search(data):
        expected = "XML without declarations of types or entities"
        raise FormatError(expected, f"{declaration[0]!r}", path=path, offset=declaration.start())


def _decode(data: bytes, encoding: str, *others: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:  # Central writes labels in the code page of Windows, not in that of the first line
        return _decode(data, *others)


def _parse(path: str, data: bytes) -> tuple[str, Any]:
    """Name and content of the outermost element."""
    from xml.parsers import expat

    def offset_in_file(index: int) -> int:
        return max(0, index) if utf8 == data else len(utf8[:index].decode("utf-8", "ignore"))

    utf8 = _decode(data, "utf-8", "cp1252", "latin-1").encode("utf-8")
    parser = expat.ParserCreate("utf-8")  # no other encoding may hide a declaration
    builder = _Builder(path, lambda: offset_in_file(parser.CurrentByteIndex))
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.texts.append
    try:
        parser.Parse(utf8, True)
    except expat.ExpatError as error:
        found = expat.ErrorString(error.code)
        raise FormatError("well-formed XML", found, path=path, offset=offset_in_file(parser.ErrorByteIndex)) from None
    return builder.elements[0]


class _Builder:
    """Builds dictionaries, lists and values from elements as they open and close."""

    def __init__(self, path: str, offset: Callable[[], int]) -> None:
        self.path, self.offset = path, offset
        self.elements: list[tuple[str, Any]] = []
        self.texts: list[str] = []
        self._open: list[tuple[dict[str, str], list[tuple[str, Any]]]] = [({}, self.elements)]
        self._n_elements = 0

    def start(self, _: str, attributes: dict[str, str]) -> None:
        self._n_elements += 1
        if len(self._open) > _MAX_DEPTH or self._n_elements > _MAX_ELEMENTS:
            expected = f"at most {_MAX_ELEMENTS} elements, {_MAX_DEPTH} deep"
            raise FormatError(expected, "more", path=self.path, offset=self.offset())
        self._open.append((attributes, []))
        self.texts.clear()

    def end(self, name: str) -> None:
        attributes, children = self._open.pop()
        self._open[-1][1].append((name, _value(attributes, children, "".join(self.texts))))
        self.texts.clear()


def _value(attributes: dict[str, str], children: list[tuple[str, Any]], text: str) -> Any:
    kind = attributes.pop("Type", "")
    if kind == "Array":
        return [value for _, value in children]
    if not children and not attributes:
        return _typed(kind, text)
    value: dict[str, Any] = {}
    for name, child in children:
        value.setdefault(name, []).append(child)
    single = {name: values[0] if len(values) == 1 else values for name, values in value.items()}
    own_text = {"text": _typed(kind, text)} if text.strip() and not children else {}
    return {**own_text, **attributes, **single}


def _typed(kind: str, text: str) -> int | float | str:
    """A value of its type; text that is no number stays text."""
    try:
        if len(text) <= _MAX_DIGITS and "int" in kind.lower():
            return int(text)
        number = float(text) if kind in _FLOATS else text
        return number if kind not in _FLOATS or isfinite(float(text)) else text
    except ValueError:
        return text


# ------------------------------------------------------------------------------------------------------- channels
def _value_at(settings: Any, place: str, types: Any, missing: Any) -> Any:
    """One setting by its place; `missing` where the file lacks it or has another type."""
    for name in place.split("/"):
        settings = settings.get(name) if isinstance(settings, dict) else None
    return settings if isinstance(settings, types) else missing


def _items_of(settings: Any) -> list[Any]:
    """The elements in one that says that it is an array, and in one that does not."""
    if isinstance(settings, dict):
        values = [value for value in settings.values() if isinstance(value, (dict, list))]
        return [item for value in values for item in (value if isinstance(value, list) else [value])]
    return settings if isinstance(settings, list) else []


def _channel_table(items: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    def column(place: str, types: Any, missing: Any, dtype: Any) -> NDArray[Any]:
        return np.array([_value_at(item, place, types, missing) for item in items], dtype)

    table = {name: column(place, *_INTEGER) for name, place in _INTEGERS.items()}
    for name, place in _CORNERS_MHZ.items():
        corner_mhz = column(place, *_NUMBER)
        table[name] = np.where(np.isin(corner_mhz, (0, tables.NO_CORNER)), nan, corner_mhz / 1000)
    for name, (place, bit) in _FLAGS.items():
        options = column(place, *_INTEGER)
        table[name] = (options > 0) & (options & bit != 0)
    units = [unit_name(text.encode("cp1252", "replace")) for text in column("scale/scalin/anaunit", *_TEXT)]
    ends = zip(*(column(f"scale/scalin/{end}", *_NUMBER).tolist() for end in _RANGE_ENDS), strict=True)
    scales = [scale_uv((a, b), (c, d), unit) for (a, b, c, d), unit in zip(ends, units, strict=True)]
    table["uv_per_bit"], table["uv_offset"] = np.array(scales, np.float64).reshape(-1, 2).T.copy()
    table["threshold"] = column("spike/threshold/level", *_NUMBER)
    with np.errstate(all="ignore"):  # a file may have any number
        table["threshold_uv"] = table["threshold"] * table["uv_per_bit"] + table["uv_offset"]
    rates = [_GROUP_HZ.get(group, nan) for group in table["sample_group"].tolist()]
    table |= {"sampling_rate_hz": np.array(rates, np.float64), "label": column("label", *_TEXT)}
    table["units"] = np.array(units, np.object_)
    return table
