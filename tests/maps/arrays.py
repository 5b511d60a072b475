# SPDX-License-Identifier: MIT
"""Maps and channels to join."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import nevparse as nv

Read = Callable[..., Any]  # bytes, options: a map or a configuration
Refused = Callable[[bytes], nv.FormatError]
LEGEND = """// Auto generated mapfile\t\t
//\t\t
// Data is as follows 'c r b e l'
//   col - 0 based column from left to right
// Comments begin with //
Cerebus mapping for array 4391-5\t\t
//col\trow\tbank\telec\tlabel
"""


def rows_of(n_electrodes: int = 96, width: int = 10, name: str = "elec{}") -> list[str]:
    """An array whose pins run through its grid in steps of 7, so that no order is that of another."""
    places = [(k % width, k // width) for k in range(n_electrodes)]
    order = [k * 7 % n_electrodes for k in range(n_electrodes)]
    return [
        f"{column}\t{row}\t{'ABCDEFGH'[pin // 32]}\t{pin % 32 + 1}\t{name.format(pin + 1)}"
        for (column, row), pin in zip(places, order, strict=True)
    ]


def cmp_of(rows: list[str], head: str = LEGEND) -> bytes:
    return (head + "\n".join(rows) + "\n").encode("cp1252")


def channel(k: int, *, bank: int | None = None, pin: int | None = None, label: str | None = None, kind: str = "neural"):
    return SimpleNamespace(
        index=k, electrode_id=k + 1, kind=kind, label=f"elec{k + 1}" if label is None else label,
        bank=k // 32 + 1 if bank is None else bank, pin=k % 32 + 1 if pin is None else pin,
    )  # fmt: skip


def channels(n: int = 96, first: int = 0) -> list:
    return [channel(k) for k in range(first, first + n)]


AINP = channel(96, bank=1, pin=1, label="ainp1", kind="analog")
