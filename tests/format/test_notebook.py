# SPDX-License-Identifier: MIT
"""The table and the bars of time by which objects show themselves in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nevparse.format.notebook import Lane, joined_spans, summary_html, time_text, timeline_svg

SPANS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e5)).map(lambda pair: (pair[0], sum(pair))), max_size=9)


class Tags(HTMLParser):
    """Every tag that a page has, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(), st.text(), st.text())
def test_text_is_escaped(title: str, name: str, value: str) -> None:
    found = Tags(summary_html(title, [(name, value)], [Lane(name, [(0, 1)])]))
    assert set(found.tags) <= {"div", "b", "table", "tr", "th", "td", "svg", "text", "rect", "path"}


def test_what_is_not_known_is_left_out() -> None:
    assert Tags(summary_html("t", [("a", None), ("b", ""), ("c", 0)])).text == "tc0"


@given(st.lists(SPANS, max_size=15))
def test_a_timeline_is_svg_of_a_bounded_size(spans: list[list[tuple[float, float]]]) -> None:
    svg = timeline_svg([Lane(f"<{k}>", each) for k, each in enumerate(spans)])
    if any(spans[:12]):
        tree = ElementTree.fromstring(svg)
        assert int(tree.attrib["height"]) <= 12 * 18 + 20
    else:
        assert svg == ""


@given(SPANS, st.floats(0, 10))
def test_merged_ranges_hold_the_same_and_are_apart(spans: list[tuple[float, float]], smallest: float) -> None:
    found = joined_spans(np.array(spans).reshape(-1, 2), smallest)
    assert (found[1:, 0] > found[:-1, 1] + smallest).all()
    for start, stop in spans:
        assert ((found[:, 0] <= start) & (found[:, 1] >= stop)).any()
    assert {float(edge) for edge in found.ravel()} <= {edge for span in spans for edge in span}


def test_twenty_thousand_segments_are_few_bars() -> None:
    starts = np.arange(20_000)
    assert len(timeline_svg([Lane("s", np.stack([starts, starts + 0.5], axis=1))])) < 1000


@pytest.mark.parametrize(("seconds", "text"), [(-1.0, "-1 s"), (0.0, "0 s"), (0.5, "500 ms"), (3723.0, "1:02:03")])
def test_times_before_the_first_sample_are_negative(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
