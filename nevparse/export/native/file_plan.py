# SPDX-License-Identifier: MIT
"""Writes a planned NSx or NEV through small buffers; if that fails, nothing of it is left."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from ...errors import Damage, Progress, UnknownVersion
from ...format.text import counted, duration_text, size_text
from ...source.base import Source
from ...traces.packing import BUFFER_BYTES, Batch, Pool, read_all
from ..inputs import FileState, raise_if_changed
from ..output.files import complete_or_absent
from ..output.stream import stream

_SMALL_BYTES = BUFFER_BYTES // 16  # smaller parts are joined before they are written


class FilePlan(NamedTuple):
    """A file to write: `n_bytes` in all, of which `body` are those after the head, in parts of any size."""

    head: bytes
    n_bytes: int
    body: Iterator[Batch]


def is_copied_whole(damage: Iterable[Damage]) -> bool:
    """Whether a copy of all of a file has all of its bytes; of a damaged one it has what can be read."""
    return all(place.category is UnknownVersion for place in damage)


@dataclass(frozen=True)
class NsxReport:
    """An NSx that was written.

    Parameters
    ----------
    path, spec : str
        The file and its version.
    n_samples, n_channels : int
        Rows and columns.
    sampling_rate : float
        Hz.
    size_bytes : int
        Of the file.
    """

    path: str
    spec: str
    n_samples: int
    n_channels: int
    sampling_rate: float
    size_bytes: int

    def __str__(self) -> str:
        duration = duration_text(self.n_samples / self.sampling_rate)
        return (
            f"{self.path}: NSx {self.spec}, {self.n_samples} samples x {counted(self.n_channels, 'channel')}, "
            f"{self.sampling_rate:g} Hz, {duration}, {size_text(self.size_bytes)}"
        )


def write_file(
    plan: FilePlan,
    inputs: Mapping[Source, FileState],
    path: str | os.PathLike[str],
    overwrite: bool,
    progress: Progress | None,
    native: str,
) -> str:
    """Write a planned NSx or NEV, as `native` says, and return its name.

    ExportError as in `write_nsx`, or if one of its inputs has another state now.
    """
    target = os.fspath(path)
    n_done = 0

    def show(n_bytes: int) -> None:
        nonlocal n_done
        n_done += n_bytes
        if progress is not None:
            progress(n_done, plan.n_bytes)

    outputs = complete_or_absent(
        target, [target], overwrite=overwrite, inputs=[*inputs], n_bytes=plan.n_bytes, native=native
    )
    with (
        outputs as created,
        raise_if_changed(inputs),
        created.create(target, plan.n_bytes) as file,
    ):
        stream(_batches(plan), file, show)
    return target


def _batches(plan: FilePlan) -> Iterator[Batch]:
    """The bytes of the file, with small parts joined."""
    small = bytearray(plan.head)
    for part in plan.body:
        n_bytes = part.data.nbytes
        if small and len(small) + n_bytes > _SMALL_BYTES:
            yield Batch.of_bytes(small)
            small = bytearray()
        if n_bytes > _SMALL_BYTES:
            yield part._replace(n_rows=n_bytes)  # progress counts bytes
        else:
            small += part.pack()
            part.give_back()
    if small:
        yield Batch.of_bytes(small)


def copy_bytes(source: Source, start: int, stop: int) -> Iterator[Batch]:
    """Bytes `start` to `stop` of a file."""
    pool = Pool()
    for first in range(start, stop, BUFFER_BYTES):
        n_bytes = min(BUFFER_BYTES, stop - first)
        buffer = pool.take(n_bytes)
        read_all(source, buffer.data[:n_bytes], first)
        yield Batch(buffer.data[:n_bytes], n_bytes, [], partial(pool.give_back, buffer))
