# SPDX-License-Identifier: MIT
"""Configurations (``.ccf``) as Central writes them, in XML."""

from __future__ import annotations

HEAD = "<?xml version='1.0' encoding='UTF-8'?>\n"
SCALE = {"digmin": -32764, "digmax": 32764, "anamin": -8191, "anamax": 8191, "anagain": 1}


def leaf(name: str, value: object, kind: str = "UINT32") -> str:
    return f"<{name} Type='{kind}'>{value}</{name}>"


def item(number: int, inside: str = "", label: str = "chan{}") -> str:
    name = label.format(number)
    place = leaf("chan", number) + leaf("bank", (number - 1) // 32 + 1) + leaf("term", (number - 1) % 32 + 1)
    return f"<ChanInfo_item Type='cbPKT_CHANINFO' label='{name}'>{place}{inside}</ChanInfo_item>\n"


def whole(
    number: int, *, group: int = 5, level: int = -255, scale: dict = SCALE, units: str = "uV", high: int = 300
) -> str:
    """A channel with all that the table of channels takes from it."""
    scalin = "".join(leaf(name, value, "INT32") for name, value in scale.items()) + leaf("anaunit", units, "cstring")
    corners = leaf("hpfreq", high) + leaf("hporder", 1) + leaf("lpfreq", 7500000)
    return item(number, (
        f"<scale><scalin Type='cbSCALING'>{scalin}</scalin></scale>"
        f"<filterdesc><phyfiltin Type='cbFILTDESC'>{corners}</phyfiltin></filterdesc>"
        f"{leaf('label', f'elec{number}', 'cstring')}"
        f"<options>{leaf('ainpopts', 0x140)}{leaf('spkopts', 0x10101)}</options>"
        f"<sample>{leaf('filter', 6)}{leaf('group', group)}</sample>"
        f"<spike>{leaf('filter', 2)}<threshold>{leaf('level', level, 'INT32')}</threshold></spike>"
    ))  # fmt: skip


def ccf_of(*items: str, more: str = "", version: str = "12", head: str = HEAD) -> bytes:
    inside = "".join(items)
    return f"{head}<CCF Version='{version}'>\n <ChanInfo Type='Array'>\n{inside}</ChanInfo>{more}</CCF>\n".encode()
