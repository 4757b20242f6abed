"""Drawings within a page, and small pictures."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from competition.figures import PALETTE
from reports.blocks import NOTHING, Column
from reports.pictures import SIDE, as_rgb, enlarged, jpeg_uri, with_heat
from reports.style import INK, draw, shown
from tests.reports.reading import read_page


def curve(figure: Figure) -> None:
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], label='<b> & "quoted" id="x" $a')
    axes.scatter([0, 1], [1, 0])
    axes.set_title("日本語")  # no font of matplotlib's has it
    axes.legend()


def test_a_drawing_is_text_in_the_pages_colours() -> None:
    svg = str(draw("one", "", 'a "line"', curve).svg)
    assert not read_page(f"<h1>t</h1>{svg}").faults
    assert "日本語" in svg
    assert '&lt;b&gt; &amp; "quoted" id="x" $a' in svg
    assert 'aria-label="a &#34;line&#34;"' in svg
    assert "currentColor" in svg
    assert "var(--series-1)" in svg
    assert not re.search("|".join((INK, *PALETTE)), svg)
    assert "http" not in svg


def test_two_drawings_of_a_page_share_no_id() -> None:
    assert draw("one", "", "x", curve).svg == draw("one", "", "x", curve).svg
    assert not read_page(f"<h1>t</h1>{draw('one', '', 'x', curve).svg}{draw('two', '', 'x', curve).svg}").faults


@pytest.mark.parametrize(("name", "told"), [("cat", "cat"), ("_x", "\u2060_x"), ("a\x00b", "a\ufffdb"), ("x" * 40, "x" * 25 + "…")])
def test_names_are_fit_for_a_drawing(name: str, told: str) -> None:
    assert shown(name) == told


def test_cells_are_numbers_or_text() -> None:
    number, text = Column("score", ".3f"), Column("name")
    assert [number.text(value) for value in (0.12345, float("nan"), None, np.float32(2))] == ["0.123", NOTHING, NOTHING, "2.000"]
    assert [number.key(value) for value in (0.5, np.nan, 7)] == ["0.5", "", "7"]
    assert text.text("<b>") == "<b>"


@pytest.mark.parametrize("shape", [(8, 8, 1), (300, 200, 3), (5, 9, 4), (40, 40, 2)])
def test_any_image_becomes_a_small_one_in_colour(shape: tuple[int, int, int]) -> None:
    image = np.full(shape, 100, np.uint8)
    small = enlarged(image)
    assert (max(small.shape[:2]), small.shape[2], small.dtype) == (SIDE, 3, np.uint8)
    assert jpeg_uri(small).startswith("data:image/jpeg;base64,")
    assert as_rgb(image).shape == (*shape[:2], 3)


def test_heat_brightens_where_it_is_and_leaves_the_rest_alone() -> None:
    image, heat = np.full((32, 32, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
    assert (with_heat(image, heat) == image).all()
    heat[:2] = 255
    changed = (with_heat(image, heat) != image).any(axis=2)
    assert changed[:8].all()
    assert not changed[24:].any()
