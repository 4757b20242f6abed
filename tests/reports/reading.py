"""A page read as a browser would: what is wrong with it, and the cells of its tables."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input", "col"}
OWN = ("#", "data:")


@dataclass
class Page:
    """faults: what a valid, self-contained page has not. tables[caption]: rows of cells, the header first."""

    faults: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    images: int = 0
    drawings: int = 0
    text: str = ""


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page, self.open, self.ids, self.links, self.level, self.labels = Page(), list[str](), list[str](), list[str](), 0, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if len(told) < len(attrs):
            self.page.faults.append(f"<{tag}> says something twice")
        self._look(tag, told)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.page.faults.append(f"</{tag}> closes what is not open")

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside in ("style", "script"):
            return
        self.page.text += data
        if inside in ("h1", "h2", "h3"):
            self.page.headings.append(data)
        if inside in ("td", "th") and self.page.tables:
            row = list(self.page.tables.values())[-1]
            row[-1][-1] += data

    def _look(self, tag: str, told: dict[str, str | None]) -> None:
        if name := told.get("id"):
            self.ids.append(name)
        for key in ("href", "src", "xlink:href", "action", "srcset"):
            if address := told.get(key):
                self.links.append(address)
                if not address.startswith(OWN):
                    self.page.faults.append(f"<{tag}> leads out of the page: {address[:60]}")
        if any(key.startswith("on") for key in told):
            self.page.faults.append(f"<{tag}> has a script of its own")
        if tag == "img":
            self.page.images += 1
            if not told.get("alt"):
                self.page.faults.append("an image without words")
        if tag == "svg":
            self.page.drawings += 1
            if not told.get("aria-label") or told.get("role") != "img":
                self.page.faults.append("a drawing without words")
        if tag in ("h1", "h2", "h3"):
            level = int(tag[1])
            if level > self.level + 1:
                self.page.faults.append(f"<{tag}> after a heading of level {self.level}")
            self.level = level
        if tag == "table":
            self.page.tables[f"{self.page.headings[-1]}"] = []
        if tag == "tr":
            list(self.page.tables.values())[-1].append([])
        if tag in ("td", "th"):
            list(self.page.tables.values())[-1][-1].append("")
        self.labels += (told.get("aria-labelledby") or "").split()


def read_page(text: str) -> Page:
    reader = Reader()
    reader.feed(text)
    reader.close()
    page = reader.page
    if reader.open:
        page.faults.append(f"never closed: {reader.open}")
    page.faults += [f"the id {name!r} stands twice" for name in set(reader.ids) if reader.ids.count(name) > 1]
    named = [link.removeprefix("#") for link in reader.links if link.startswith("#")] + reader.labels
    page.faults += [f"nothing is called {name!r}" for name in named if name not in set(reader.ids)]
    return page
