# SPDX-License-Identifier: MIT
"""Pages as Chromium draws them: nothing overlaps, is cut off, loads anything or complains, at 1280 and 800 pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import quality as qb
from fixture_types import RealFile

import nevparse as nv
from report import chromium
from report.test_page import EDGES, FAULTS, HOSTILE, write_session

pytest.importorskip("matplotlib")
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.filterwarnings("ignore::nevparse.NevParseWarning"),
    pytest.mark.skipif(chromium.executable() is None, reason="Chromium is not installed (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    browser = chromium.Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


def looks_right(browser: chromium.Browser, page: Path) -> None:
    for width in (1280, 800):
        for dark in (False, True):
            assert browser.look(page, width, dark=dark) == []


def test_what_is_wrong_is_seen(browser: chromium.Browser, tmp_path: Path) -> None:
    page = tmp_path / "wrong.html"
    page.write_text("<p style='width:2000px'>wide</p><p>a</p><p style='margin-top:-30px'>b</p><img src='x.png'>"
                    "<script>console.error('oops'); nothing()</script>")  # fmt: skip
    found = "\n".join(browser.look(page, 800))
    for word in ("outside the page", "overlap", "oops", "nothing is not defined", "request: file"):
        assert word in found


@pytest.mark.parametrize("name", ["reset.ns2", "pause.ns2", "ripple_testData.ns2", "mne_synthetic_2.1.ns3"])
def test_pages_of_real_recordings(browser: chromium.Browser, real_file: RealFile, tmp_path: Path, name: str) -> None:
    report = nv.write_report(real_file(name), tmp_path / "page.html")
    looks_right(browser, Path(report.path))


@pytest.mark.parametrize("n_channels", [7, 96])
def test_pages_of_arrays(browser: chromium.Browser, tmp_path: Path, n_channels: int) -> None:
    base = write_session(tmp_path, qb.session(n_channels, (1.0, 0.5), FAULTS, label=HOSTILE))
    nv.write_report(base, tmp_path / "s.html", cmp=tmp_path / "m.cmp")
    looks_right(browser, tmp_path / "s.html")


@pytest.mark.parametrize("edge", list(EDGES))
def test_pages_of_little_and_odd_recordings(browser: chromium.Browser, tmp_path: Path, edge: str) -> None:
    for suffix, data in zip(("ns5", "nev"), EDGES[edge], strict=True):
        if data:
            (tmp_path / f"s.{suffix}").write_bytes(data)
    nv.write_report(tmp_path / "s", tmp_path / "s.html")
    looks_right(browser, tmp_path / "s.html")
