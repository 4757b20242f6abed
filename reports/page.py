"""Sections -> one self-contained HTML file: templates escape every text, and styles, scripts, drawings and images stand within."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from competition.atomic import write_bytes
from reports.blocks import Section


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Writes the page. title: its heading; lead: a sentence under it."""
    text = _templates().get_template("page.html").render(title=title, lead=lead, sections=sections)
    write_bytes(path, text.encode("utf-8", "replace"))  # a file's name may hold what is no letter


def anchored(title: str) -> str:
    """A heading as an id: letters and dashes."""
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")


@cache
def _templates() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
