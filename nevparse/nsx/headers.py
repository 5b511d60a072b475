# SPDX-License-Identifier: MIT
"""What the headers of an NSx or NFx file say: its version, its clock, and what its columns are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cached import cached_property
from ..clock import Clock
from ..errors import Damage, FormatError
from ..format import tables
from ..format.channel import Channel
from ..format.dates import date_of_systemtime
from ..format.header import checked_tick_rate, header_text, read_basic_header
from ..source.base import Source
from ..source.reference import header_digest
from ..traces.selection import choose_columns
from .blocks import Framing
from .channels import channels_of, checked_channels


class NsxHeaders:
    """The headers of an open NSx or NFx file; `NsxFile`, which adds the samples, lists what they say."""

    def __init__(self, source: Source, uv_per_bit: Mapping[int, float]) -> None:
        self._source, self._uv_per_bit_by_electrode = source, uv_per_bit
        self.path = source.path
        found, header = read_basic_header(source, tables.NSX_VERSIONS)
        damage: list[Damage] = []
        self._version, self.spec, self.vendor, self.dtype = found, found.name, found.vendor, np.dtype(found.sample)
        self.n_channels = checked_channels(source, found, header, damage)
        self.period = checked_period(source, found, header)
        self.tick_rate = checked_tick_rate(found, header, damage)
        self.sampling_rate = tables.CLOCK_HZ / self.period
        self.time_origin = date_of_systemtime(header["time_origin"], utc=True) if "time_origin" in header else None
        self.label, self.comment = header_text(header, "label"), header_text(header, "comment")
        self.application, self.processor_tick = header_text(header, "application"), header.get("processor_tick")
        headers_end = found.basic.size + found.channel.size * self.n_channels
        start = data_start(source, header.get("header_bytes", headers_end), headers_end, damage)
        self._check_channel_types(damage)
        self.clock = Clock.of(self.period, self.tick_rate)
        self._frame = Framing(found, start, self.n_channels * self.dtype.itemsize)
        self._header_damage = tuple(damage)
        self.digest = header_digest(source.read(headers_end, 0, "headers"))

    @cached_property
    def _channel_headers(self) -> NDArray[np.void]:
        layout = self._version.channel
        raw = self._source.read(self.n_channels * layout.size, self._version.basic.size, "channel headers")
        return np.frombuffer(raw, layout.dtype())

    def _check_channel_types(self, damage: list[Damage]) -> None:
        wanted = self._version.channel_type
        if wanted is None or self.n_channels == 0:
            return
        odd = np.flatnonzero(self._channel_headers["type"].view(f"S{len(wanted)}") != wanted)
        if odd.size:
            at, found = int(odd[0]), self._channel_headers["type"][odd[0]].tobytes()
            message = f"expected channel header {at} to start with {wanted!r}, found {found!r}"
            damage.append(Damage("channel-header", self._version.basic.size + at * self._version.channel.size, message))

    @cached_property
    def electrode_ids(self) -> NDArray[np.int64]:
        """Electrode id of each column, int64 ``(n_channels,)``."""
        return self._channel_headers["electrode_id"].astype(np.int64)

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """What each column is."""
        return channels_of(self._version, self._channel_headers, self._uv_per_bit_by_electrode)

    def columns(
        self,
        channels: slice | Iterable[int] | None = None,
        electrodes: Iterable[int] | None = None,
        labels: str | Iterable[str] | None = None,
        kind: str | None = None,
    ) -> NDArray[np.intp]:
        """Columns that a request names, in its order; all of them where nothing is named.

        Parameters
        ----------
        channels : slice or iterable of int, optional
            Columns, as numpy takes them.
        electrodes : iterable of int, optional
            The vendor's numbers.
        labels : str or iterable of str, optional
            Names, or patterns with ``*``, ``?`` and ``[...]``.
        kind : str, optional
            ``neural``, ``analog`` or ``other``.

        Returns
        -------
        numpy.ndarray
            intp ``(n,)``.

        Raises
        ------
        KeyError, ValueError
            Where a name is not there, stands for several columns, or names are given in more than one way.
        """
        return choose_columns(self.channels, channels, electrodes, labels, kind)


def data_start(source: Source, stated: int, least: int, damage: list[Damage]) -> int:
    """Where the data begins: the header's own word if the file can hold it, else right behind the headers."""
    if least <= stated <= source.size:
        return stated
    message = f"expected headers of {least} to {source.size} bytes, found {stated}; data read from {least} on"
    damage.append(Damage("header-size", tables.NSX_BASIC_22.offsets["header_bytes"], message))
    return least


def checked_period(source: Source, found: tables.NsxVersion, header: Mapping[str, Any]) -> int:
    """Ticks of the 30 kHz clock between samples."""
    period = int(header["period"])
    if period == 0:
        offset = found.basic.offsets["period"]
        raise FormatError("a sampling period of 1 or more", "0", path=source.path, offset=offset)
    return period
