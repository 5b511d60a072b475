# SPDX-License-Identifier: MIT
"""What several files have in common that are one recording, side by side or end to end."""

from __future__ import annotations

from collections.abc import Sequence

from ..clock import TimeBase
from ..errors import Damage
from ..nsx.file import NsxFile
from ..source.base import Source
from ..traces.traces import Continuous
from .belonging import unique_names


class JoinedFiles(Continuous):
    """Several continuous files as one recording, on the clock of the first."""

    def __init__(self, files: Sequence[NsxFile]) -> None:
        first = files[0]
        self.files, self.names = tuple(files), unique_names([file.path for file in files])
        self.path, self.spec, self.vendor = first.path, first.spec, first.vendor
        self.dtype, self.clock, self.tick_rate = first.dtype, first.clock, first.tick_rate
        self.sampling_rate, self.time_origin = first.sampling_rate, first.time_origin

    @property
    def _title(self) -> str:
        """The names of all files."""
        return ", ".join(self.names)

    @property
    def closed(self) -> bool:
        """Whether one of the files was closed."""
        return any(file.closed for file in self.files)

    @property
    def time_base(self) -> TimeBase:
        """Which moment a tick is, and what says so."""
        return self.files[0].time_base

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the bytes come from."""
        return tuple(source for file in self.files for source in file.sources)

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def missing_bytes(self) -> int:
        """Bytes that headers promise and the files lack."""
        return sum(file.missing_bytes for file in self.files)

    @property
    def damage(self) -> tuple[Damage, ...]:
        """Everything wrong that was met in any file."""
        return tuple(damage for file in self.files for damage in file.damage)
