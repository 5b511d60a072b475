# SPDX-License-Identifier: MIT
"""Mappings that cannot be changed, and that say what is there where a key is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class _Explained(dict[K, V]):
    """A dictionary that has a sentence for a missing key."""

    sentence: Callable[[K], str]

    def __missing__(self, key: K) -> V:
        raise KeyError(self.sentence(key))


def read_only(items: Mapping[K, V] | Iterable[tuple[K, V]], sentence: Callable[[K], str]) -> Mapping[K, V]:
    """A view of a dictionary; `sentence` makes the text of its `KeyError` from the key."""
    explained: _Explained[K, V] = _Explained(items)
    explained.sentence = sentence
    return MappingProxyType(explained)
