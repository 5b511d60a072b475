# SPDX-License-Identifier: MIT
"""Properties that are computed once, without a lock.

`functools.cached_property` of Python 3.10 and 3.11 holds one lock for all objects while it computes a value: threads
that read different files wait for each other, and a process that is forked meanwhile waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class cached_property(Generic[_T]):  # noqa: N801 - as Python's own
    """A property that keeps its first value; threads that race may compute it twice, and all get the same one."""

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self._compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> _T:
        if instance is None:
            return self  # type: ignore[return-value]  # of the class itself, for its documentation
        value: _T = vars(instance).setdefault(self._name, self._compute(instance))
        return value
