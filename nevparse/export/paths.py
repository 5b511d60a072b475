# SPDX-License-Identifier: MIT
"""Lets functions that write a recording take its path as well as the open file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..source.objects import is_path

P = ParamSpec("P")
R = TypeVar("R")
RecordingT = TypeVar("RecordingT")
AnyPath = str | os.PathLike[str]


def takes_paths(
    open_file: Callable[[AnyPath], AbstractContextManager[Any]],
) -> Callable[
    [Callable[Concatenate[RecordingT, P], R]], Callable[Concatenate[RecordingT | AnyPath | Iterable[AnyPath], P], R]
]:
    """Open what is a path, or paths, while the function runs; everything else goes to it as it is."""

    def decorate(
        write: Callable[Concatenate[RecordingT, P], R],
    ) -> Callable[Concatenate[RecordingT | AnyPath | Iterable[AnyPath], P], R]:
        @wraps(write)
        def write_opened(recorded: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with ExitStack() as files:
                if is_path(recorded):
                    recorded = files.enter_context(open_file(recorded))
                elif isinstance(recorded, list | tuple) and recorded and all(map(is_path, recorded)):
                    recorded = [files.enter_context(open_file(path)) for path in recorded]
                return write(recorded, *args, **kwargs)

        return write_opened

    return decorate
