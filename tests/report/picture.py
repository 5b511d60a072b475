# SPDX-License-Identifier: MIT
"""Makes ``spec_notes/report.svg``, parts of the page of a generated recording: ``python tests/report/picture.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parents[1]
TARGET = HERE.parent / "spec_notes" / "report.svg"
FAULTS = {6: "dead", 13: "hum", 21: "noisy", 26: "clipped", 30: "elsewhere"}
_WIDTH, _MARGIN = 960, 24
_STYLE = """
svg { color: #1c2430; } text { fill: #1c2430; font-family: "Liberation Sans", Arial, sans-serif; }
.array .none { fill: none; stroke: #d9dee6; } .dim { fill: #5f6b7a; } .big { font-size: 17px; font-weight: bold; }
"""
_STATES = {"good": "#3d8b52", "look": "#b7791f", "bad": "#c0352b", "plain": "#8a929e"}


def picture(page: str) -> str:
    """The answer, the time line, the array, the spectra and the waveforms of a page, one below the other."""
    parts = [f"<style>{_STYLE}</style>", *_cards(page)]
    y = 150.0
    figures = re.findall(r'<svg class="(\w+)[^"]*"(.*?)>(.*?)</svg>', page, re.DOTALL)
    rows = [[each] for name in ("timeline-", "spectra-", "waveforms-") for each in figures if name in each[2]]
    rows.insert(1, [each for each in figures if each[0] == "array"])
    for row in rows:
        height = 0.0
        for k, (kind, head, body) in enumerate(row):
            _, _, w, h = map(float, re.search(r'viewBox="([^"]+)"', head)[1].split())
            width = (_WIDTH - 2 * _MARGIN - 16 * (len(row) - 1)) / len(row)
            place = f'x="{_MARGIN + k * (width + 16):.1f}" y="{y:.1f}" width="{width:.1f}" height="{width * h / w:.1f}"'
            view = re.search(r'viewBox="[^"]+"', head)[0]
            parts.append(f'<svg class="{kind}" {place} {view} font-size="12">{body}</svg>')
            height = max(height, width * h / w)
        y += height + 22
    links = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    paper = f'<rect width="{_WIDTH}" height="{y:.0f}" fill="#fff"/>'
    return f'<svg {links} viewBox="0 0 {_WIDTH} {y:.0f}" font-size="13">{paper}{"".join(parts)}</svg>\n'


def _cards(page: str) -> list[str]:
    state, answer = re.search(r'class="answer (\w+)">([^<]*)', page).groups()
    width = 10 * len(answer) + 24
    found = [f'<rect x="24" y="20" width="{width}" height="32" rx="6" fill="{_STATES[state]}"/>']
    found.append(f'<text x="36" y="42" class="big" style="fill:#fff">{answer}</text>')
    cards = re.findall(r'class="mark (\w+)"></span><h2>(.*?)</h2><p class="head">(.*?)</p><p>(.*?)</p>', page)
    for k, (state, title, head, text) in enumerate(cards):
        x = 24 + 230 * k
        found.append(f'<rect x="{x}" y="64" width="220" height="70" rx="8" fill="#f4f6f9"/>')
        found.append(f'<circle cx="{x + 204}" cy="80" r="5" fill="{_STATES[state]}"/>')
        short = text if len(text) < 34 else text[: text.rfind(" ", 0, 34)].rstrip(",;") + " …"
        found.append(f'<text x="{x + 12}" y="84" class="dim">{title}</text>')
        found.append(f'<text x="{x + 12}" y="105" class="big">{head}</text>')
        found.append(f'<text x="{x + 12}" y="123" font-size="12">{short}</text>')
    return found


def main(target: Path) -> None:
    from builders import quality as qb

    import nevparse as nv

    session = qb.session(36, (7.0, 5.0), FAULTS)
    with TemporaryDirectory() as folder:
        base = Path(folder) / "session"
        base.with_suffix(".ns5").write_bytes(session.nsx)
        base.with_suffix(".nev").write_bytes(session.nev)
        base.with_suffix(".cmp").write_bytes(session.cmp)
        report = nv.write_report(base, base.with_suffix(".html"), cmp=base.with_suffix(".cmp"))
        target.write_text(picture(Path(report.path).read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
