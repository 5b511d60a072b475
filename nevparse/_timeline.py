# SPDX-License-Identifier: MIT
"""What follows from where the samples of a file are: its unbroken stretches, and the breaks between them."""

from __future__ import annotations

from itertools import pairwise, repeat
from typing import TYPE_CHECKING

from ._cached import cached_property
from ._clock import Gap
from ._index import Index, gaps
from ._segment import Segment

if TYPE_CHECKING:
    from .nsx import NsxFile


class Timeline:
    """Segments, gaps and epochs of one look at a file; a file that has grown gets another.

    Parameters
    ----------
    file : NsxFile
        Whose samples they are.
    index : Index
        Where those are.
    """

    def __init__(self, file: NsxFile, index: Index) -> None:
        self._file, self._index = file, index

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Unbroken stretches of samples, in file order."""
        runs = self._index.runs
        return tuple(map(Segment, repeat(self._file), range(len(runs)), runs))

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Breaks in time between segments."""
        return gaps(self._index, self._file.clock)

    @cached_property
    def epochs(self) -> tuple[range, ...]:
        """Segments between one setting of the clock and the next."""
        starts = [0, *(gap.after_segment + 1 for gap in self.gaps if gap.kind == "reset"), len(self.segments)]
        return tuple(range(a, b) for a, b in pairwise(starts))
