# SPDX-License-Identifier: MIT
"""What an export asks of a recording: the reading surface that one file, or several side by side, offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock, Gap
from ..format.channel import Channel
from ..nsx.packets import TimestampCheck
from .pieces import Extent


class SegmentLike(Protocol):
    """An unbroken stretch of samples, as `Segment` is."""

    @property
    def index(self) -> int:
        """Its place among the stretches."""

    @property
    def start_tick(self) -> int:
        """Time of the first sample."""

    @property
    def stop_tick(self) -> int:
        """Time of the sample that would follow the last."""

    @property
    def n_samples(self) -> int:
        """How many samples."""

    def find(self, tick: int) -> int:
        """First sample that is not before `tick`."""

    def ticks(self, start: int | None = None, stop: int | None = None, *, sort: bool = False) -> NDArray[np.uint64]:
        """Times of samples."""

    def extents(self, start: int, stop: int, *, sort: bool = False) -> Iterator[Extent]:
        """Where samples lie."""


class Exportable(Protocol):
    """A recording that can be exported, as `NsxFile` is."""

    path: str
    spec: str
    vendor: str
    dtype: np.dtype[Any]
    clock: Clock
    n_channels: int
    sampling_rate: float
    tick_rate: int
    time_origin: datetime | None
    size_bytes: int
    missing_bytes: int

    @property
    def has_sample_timestamps(self) -> bool:
        """Whether every sample has a timestamp of its own."""

    @property
    def channels(self) -> Sequence[Channel]:
        """What each column is."""

    @property
    def segments(self) -> Sequence[SegmentLike]:
        """Unbroken stretches of samples."""

    @property
    def gaps(self) -> Sequence[Gap]:
        """Breaks in time between them."""

    def columns(self, channels: Any, electrodes: Any, labels: Any, kind: Any) -> NDArray[np.intp]:
        """Columns that a request names."""

    def fully_scanned(self) -> Exportable:
        """The same, with every break found by reading every timestamp."""

    def timestamp_check(self) -> TimestampCheck | None:
        """What judges timestamps while they stream by."""


class OneFile(Exportable, Protocol):
    """A recording that is one file."""

    def readinto(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer with the file's own bytes."""

    def fileno(self) -> int:
        """The system's handle of the open file."""


class GrowingFile(OneFile, Protocol):
    """What an export asks of a file that is being recorded."""

    n_samples: int

    @property
    def n_final(self) -> int:
        """Samples whose segments do not depend on what is still to be recorded."""

    def refresh(self) -> int:
        """Take in what was written since; how many samples."""
