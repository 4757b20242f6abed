"""One style for every drawing: a matplotlib figure becomes inline SVG whose text is text and whose colours follow the page's theme."""

import io
import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.ticker import MaxNLocator

from competition.figures import PALETTE
from competition.plain import STEERING, plain
from reports.blocks import Drawing

INK = "#010203"  # stands for the colour of the page's text
DASHES = ("-", "--", ":", "-.")
WIDTH, HEIGHT = 4.6, 3.2  # inches: 442 x 307 px on a page
MOST_POINTS = 2_000  # a scatter of more is drawn as pixels
LONGEST_NAME = 26
STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.dpi": 144,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "grid.alpha": 0.18,
    "grid.color": INK,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$a"
    "xtick.color": INK,
    "ytick.color": INK,
}
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def draw(anchor: str, caption: str, alt: str, plot: Callable[[Figure], None], size: tuple[float, float] = (WIDTH, HEIGHT)) -> Drawing:
    """The drawing that `plot` makes on an empty figure. anchor: of letters and dashes, another one for each drawing of a page;
    alt: what is to be seen. The same figure gives the same text."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": anchor}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's own fonts have it
        figure = Figure(figsize=size, layout="constrained")
        plot(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=NO_METADATA)
    return Drawing(_inline(text.getvalue(), anchor, alt), caption, partial(as_png, plot, size))


def as_png(plot: Callable[[Figure], None], size: tuple[float, float] = (WIDTH, HEIGHT)) -> bytes:
    """The same drawing as an image, black on white."""
    with matplotlib.rc_context({**STYLE, "savefig.facecolor": "white"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=size, layout="constrained")
        plot(figure)
        written = io.BytesIO()
        figure.savefig(written, format="png")
    return written.getvalue()


def dash(place: int) -> str:
    """A line's dashes once the palette is through."""
    return DASHES[place // len(PALETTE) % len(DASHES)]


def colour(place: int) -> str:
    return PALETTE[place % len(PALETTE)]


def in_whole_numbers(axes: Axes) -> None:
    """Ticks of the x axis."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def shown(name: object) -> str:
    """A name as a drawing can hold it: of printable characters, not too long, and not hidden from a legend by a leading underscore."""
    text = "".join("\ufffd" if letter in "\t\n" or STEERING.match(letter) else letter for letter in str(name))
    text = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
    return f"\u2060{text}" if text.startswith("_") else text


def _inline(svg: str, anchor: str, alt: str) -> Markup:
    """matplotlib's file as part of a page: no prologue, ids of its own, colours of the theme. Only tags are touched: text and attributes
    come escaped, so that each < and > is a tag's."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<(defs)>\s*<style.*?</style>\s*</\1>|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]*>", lambda tag: _themed(tag[0], anchor), body)
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)[0]
    root = (
        f'<svg viewBox="0 0 {width} {height}" width="{float(width) * 4 / 3:.0f}" height="{float(height) * 4 / 3:.0f}" '
        f'role="img" aria-label="{escape(plain(alt))}">'
    )
    return Markup(root + body[body.index(">") + 1 :].strip())  # noqa: S704 - matplotlib escapes what it writes


def _themed(tag: str, anchor: str) -> str:
    tag = re.sub(r' id="', f' id="{anchor}-', tag)
    tag = re.sub(r'href="#', f'href="#{anchor}-', tag).replace("xlink:href", "href").replace("url(#", f"url(#{anchor}-")
    tag = tag.replace(INK, "currentColor")
    for place, name in enumerate(PALETTE, start=1):
        tag = tag.replace(name, f"var(--series-{place})")
    return tag
