# SPDX-License-Identifier: MIT
"""How the recording system was set up: the configuration files (``.ccf``) of Blackrock's Central."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..format.channel import scale_uv
from ..format.text import decode_text, printable, unit_name
from .cmp import read_whole

_OLD_MAGIC, _OLD_HEADER_BYTES = b"cbCCF", 16
_DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)[^>]{0,40}")
# Ten times what a system of 512 channels writes
_MOST_BYTES, _MOST_ELEMENTS, _MOST_DEPTH, _MOST_DIGITS = 1 << 26, 2_000_000, 32, 18
_FLOATS = ("single", "float", "double")
_GROUP_HZ = {1: 500.0, 2: 1000.0, 3: 2000.0, 4: 10000.0, 5: 30000.0, 6: 30000.0}
_NO_CORNER = 0xFFFFFFFF
# Where in a channel's settings
_INTEGERS = {
    "channel": "chan", "bank": "bank", "pin": "term", "sample_group": "sample/group",
    "sample_filter": "sample/filter", "spike_filter": "spike/filter",
}  # fmt: skip
_CORNERS = {"high_pass_hz": "filterdesc/phyfiltin/hpfreq", "low_pass_hz": "filterdesc/phyfiltin/lpfreq"}
_FLAGS = {"raw_stream": ("options/ainpopts", 0x40), "spike_extraction": ("options/spkopts", 0x1)}


@dataclass(frozen=True, eq=False)
class Configuration:
    """What a configuration file says.

    Parameters
    ----------
    path : str
        The file.
    version : str
        Version of the configuration, as the file has it.
    channels : dict of str to numpy.ndarray
        One row for each channel of the file:

        - int64, -1 where the file says nothing: ``channel`` (number, as electrode ids count), ``bank``, ``pin``,
          ``sample_group``, ``sample_filter`` and ``spike_filter`` (numbers of digital filters); 0 is none of them
        - float64, NaN where the file says nothing: ``uv_per_bit``, ``uv_offset``, ``high_pass_hz`` and ``low_pass_hz``
          (of the amplifier), ``sampling_rate_hz`` (of the sample group), ``threshold`` (raw), ``threshold_uv``
        - bool: ``raw_stream`` (recorded unfiltered at 30 kHz), ``spike_extraction``
        - str, as objects: ``label``, ``units``
    settings : dict
        Everything in the file, as dictionaries, lists, int, float and str under the file's own names.
    """

    path: str
    version: str
    channels: dict[str, NDArray[Any]]
    settings: dict[str, Any]


def read_ccf(path: str | os.PathLike[str]) -> Configuration:
    """Read an XML configuration of the recording system.

    Entities are never expanded and nothing is fetched: a file that declares any is refused.

    Parameters
    ----------
    path : path
        The ``.ccf``.

    Raises
    ------
    FormatError
        Where the file is no such configuration; also for the binary ones of older systems.
    """
    name = os.fspath(path)
    root, attributes, tree = _parsed(name, _checked(name, read_whole(name, _MOST_BYTES, "a configuration")))
    if root != "CCF" or not isinstance(tree, dict):
        found = f"an element {printable(root[:40])}" if root != "CCF" else "nothing in it"
        raise FormatError("a configuration, whose outermost element is CCF", found, path=name)
    listed = tree.get("ChanInfo")
    items = listed if isinstance(listed, list) else []
    # an item without a number is a channel that the system does not have
    channels = _channels([item for item in items if _number(item, "chan") > 0])
    return Configuration(name, attributes.get("Version", ""), channels, tree)


def _checked(path: str, data: bytes) -> bytes:
    """The file, seen to be free of what XML would have a reader expand or fetch."""
    if data.startswith(_OLD_MAGIC):
        found = f"a binary one ({printable(decode_text(data[:_OLD_HEADER_BYTES]))})"
        expected = "an XML configuration (open it in a newer Central and save it again)"
        raise FormatError(expected, found, path=path)
    declaration = _DECLARATION.search(data)
    if declaration is not None:
        expected = "XML without declarations of types or entities"
        raise FormatError(expected, f"{declaration[0]!r}", path=path, offset=declaration.start())
    return data


def _decoded(data: bytes, encoding: str, *others: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:  # labels as Windows has them, whatever the first line says
        return _decoded(data, *others)


def _parsed(path: str, data: bytes) -> tuple[str, dict[str, str], Any]:
    """Name, attributes and content of the outermost element."""
    from xml.parsers import expat

    def where(index: int) -> int:
        return max(0, index) if sent == data else len(sent[:index].decode("utf-8", "ignore"))

    sent = _decoded(data, "utf-8", "cp1252", "latin-1").encode("utf-8")
    parser = expat.ParserCreate("utf-8")  # so that no other encoding can hide a declaration
    builder = _Builder(path, lambda: where(parser.CurrentByteIndex))
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.words.append
    try:
        parser.Parse(sent, True)
    except expat.ExpatError as error:
        found = expat.ErrorString(error.code)
        raise FormatError("well-formed XML", found, path=path, offset=where(parser.ErrorByteIndex)) from None
    return builder.root, builder.attributes, builder.content


class _Builder:
    """Makes dictionaries, lists and values of elements as they open and close."""

    def __init__(self, path: str, offset: Callable[[], int]) -> None:
        self.path, self.offset = path, offset
        self.root, self.attributes, self.content = "", dict[str, str](), None
        self.words: list[str] = []
        self._open: list[tuple[dict[str, str], list[tuple[str, Any]]]] = []
        self._n_elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._n_elements += 1
        if len(self._open) == _MOST_DEPTH or self._n_elements > _MOST_ELEMENTS:
            expected = f"at most {_MOST_ELEMENTS} elements, {_MOST_DEPTH} deep"
            raise FormatError(expected, "more", path=self.path, offset=self.offset())
        if not self._open:
            self.root, self.attributes = name, attributes
        self._open.append((attributes, []))
        self.words.clear()

    def end(self, name: str) -> None:
        attributes, children = self._open.pop()
        value = _value(attributes, children, "".join(self.words))
        self.words.clear()
        if self._open:
            self._open[-1][1].append((name, value))
        else:
            self.content = value


def _value(attributes: dict[str, str], children: list[tuple[str, Any]], words: str) -> Any:
    kind = attributes.pop("Type", "")
    if kind == "Array":
        return [value for _, value in children]
    if not children and not attributes:
        return _typed(kind, words)
    value: dict[str, Any] = {}
    for name, child in children:
        value.setdefault(name, []).append(child)
    single = {name: found[0] if len(found) == 1 else found for name, found in value.items()}
    return {**attributes, **single}


def _typed(kind: str, words: str) -> int | float | str:
    """A value by its type; text that is no number stays text."""
    try:
        if len(words) <= _MOST_DIGITS and "int" in kind.lower():
            return int(words)
        return float(words) if kind in _FLOATS else words
    except ValueError:
        return words


def _at(item: Any, place: str) -> Any:
    for name in place.split("/"):
        item = item.get(name) if isinstance(item, dict) else None
    return item


def _number(item: Any, place: str) -> int:
    found = _at(item, place)
    return found if isinstance(found, int) else -1


def _flag(item: Any, place: str, bit: int) -> bool:
    found = _number(item, place)
    return found > 0 and found & bit != 0


def _words(item: Any, place: str) -> str:
    found = _at(item, place)
    return found if isinstance(found, str) else ""


def _float(item: Any, place: str) -> float:
    found = _at(item, place)
    return float(found) if isinstance(found, int | float) else nan


def _corner_hz(item: Any, place: str) -> float:
    corner_mhz = _float(item, place)
    return nan if corner_mhz in (0, _NO_CORNER) else corner_mhz / 1000


def _scale(item: Any) -> tuple[float, float]:
    ends = [_float(item, f"scale/scalin/{end}") for end in ("digmin", "digmax", "anamin", "anamax")]
    return scale_uv((ends[0], ends[1]), (ends[2], ends[3]), _units(item))


def _units(item: Any) -> str:
    return unit_name(_words(item, "scale/scalin/anaunit").encode("cp1252", "replace"))


def _channels(items: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    def column(dtype: Any, of: Callable[[Any], Any]) -> NDArray[Any]:
        return np.array([of(item) for item in items], dtype)

    def threshold_uv(item: Any) -> float:
        uv_per_bit, uv_offset = _scale(item)
        return _float(item, "spike/threshold/level") * uv_per_bit + uv_offset

    table = {name: column(np.int64, partial(_number, place=place)) for name, place in _INTEGERS.items()}
    table |= {name: column(np.float64, partial(_corner_hz, place=place)) for name, place in _CORNERS.items()}
    table |= {name: column(bool, partial(_flag, place=place, bit=bit)) for name, (place, bit) in _FLAGS.items()}
    table["uv_per_bit"] = column(np.float64, lambda item: _scale(item)[0])
    table["uv_offset"] = column(np.float64, lambda item: _scale(item)[1])
    table["threshold"] = column(np.float64, partial(_float, place="spike/threshold/level"))
    table["threshold_uv"] = column(np.float64, threshold_uv)
    table["sampling_rate_hz"] = column(np.float64, lambda item: _GROUP_HZ.get(_number(item, "sample/group"), nan))
    table["label"] = column(object, partial(_words, place="label"))
    table["units"] = column(object, _units)
    return table
