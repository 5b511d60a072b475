# SPDX-License-Identifier: MIT
"""What a plan asks of a recording, be it one file or several instruments side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock, Gap


class SegmentLike(Protocol):
    """An unbroken stretch of samples, as `Segment` is."""

    @property
    def index(self) -> int:
        """Its place among the segments."""

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


class Plannable(Protocol):
    """A recording whose rows can be planned, as `NsxFile` is."""

    path: str
    dtype: np.dtype[Any]
    clock: Clock
    n_channels: int

    @property
    def has_sample_timestamps(self) -> bool:
        """Whether every sample has a timestamp of its own."""

    @property
    def segments(self) -> Sequence[SegmentLike]:
        """Unbroken stretches of samples."""

    @property
    def gaps(self) -> Sequence[Gap]:
        """Breaks in time between them."""
