"""Sections -> one self-contained HTML file: templates escape every text, and styles, scripts, drawings and images stand within."""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from competition.atomic import write_bytes
from competition.plain import plain
from reports.blocks import Section

TEMPLATES = Path(__file__).parent / "templates"


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Writes the page. title: its heading; lead: a sentence under it."""
    text = _templates().get_template("page.html").render(title=title, lead=lead, sections=sections, policy=_policy())
    write_bytes(path, text.encode("utf-8", "replace"))  # a file's name may hold what is no letter


def anchored(title: str) -> str:
    """A heading as an id: letters and dashes."""
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")


@cache
def _policy() -> str:
    """What a browser lets the page do: show what stands within it, and run its own script, which it knows by its hash."""
    script = "\n" + (TEMPLATES / "page.js").read_text(encoding="utf-8").removesuffix("\n")  # as it stands between the tags
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{known}'; base-uri 'none'; form-action 'none'"


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=lambda value: plain(value) if type(value) is str else value,  # not of Markup, which is our own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
