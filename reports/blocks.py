"""What a page is made of: values that say what is shown. The templates alone say how."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from markupsafe import Markup

NOTHING = "–"  # in the place of a number that is not there


@dataclass(frozen=True)
class Column:
    """A column of a table. format: of its numbers, as in an f-string (".4f"); empty: it holds text. missing: for None and nan."""

    name: str
    format: str = ""
    missing: str = NOTHING

    @property
    def is_number(self) -> bool:
        return bool(self.format)

    def text(self, value: object) -> str:
        """The cell as it is read."""
        if self.is_missing(value):
            return self.missing
        return format(value, self.format) if self.is_number else str(value)

    def key(self, value: object) -> str:
        """What the cell is sorted by; empty: it comes last."""
        return "" if self.is_missing(value) else str(value)

    def is_missing(self, value: object) -> bool:
        return value is None or (self.is_number and math.isnan(float(value)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Table:
    """Rows of cells, one a column; numbers stay numbers until they are written. Whoever reads sorts them by a column's header."""

    shape: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """A matrix with both axes named. values: R x C; shares: R x C in 0..1, how strongly a cell is shaded; format: of a value."""

    shape: ClassVar[str] = "grid"
    caption: str
    rows_are: str
    columns_are: str
    row_names: Sequence[str]
    column_names: Sequence[str]
    values: np.ndarray
    shares: np.ndarray
    format: str = ",d"
    note: str = ""


@dataclass(frozen=True)
class Drawing:
    """A figure as inline SVG; png(): the same for whoever shows no SVG."""

    shape: ClassVar[str] = "drawing"
    svg: Markup
    caption: str
    png: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Photo:
    """An image as a data URI, and beside it another one where there is one (a heat map, a duplicate). lines: what stands under it."""

    src: str
    alt: str
    lines: Sequence[str] = ()
    beside: str = ""
    beside_alt: str = ""


@dataclass(frozen=True)
class Photos:
    """Images in a grid. small: as tiny as they are, enlarged without smoothing."""

    shape: ClassVar[str] = "photos"
    caption: str
    photos: Sequence[Photo]
    note: str = ""
    small: bool = False

    @property
    def paired(self) -> bool:
        """Whether any has another image beside it."""
        return any(photo.beside for photo in self.photos)


@dataclass(frozen=True)
class Facts:
    """Names and what they are. large: the few that matter most."""

    shape: ClassVar[str] = "facts"
    facts: Sequence[tuple[str, str]]
    large: bool = False


@dataclass(frozen=True)
class Lines:
    """Sentences, each an item."""

    shape: ClassVar[str] = "lines"
    lines: Sequence[str]


@dataclass(frozen=True)
class Code:
    """Text as it is typed. folded: it is long, and opens on demand."""

    shape: ClassVar[str] = "code"
    caption: str
    text: str
    folded: bool = False


Block = Table | Grid | Drawing | Photos | Facts | Lines | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it. anchor: its id on the page."""

    anchor: str
    title: str
    blocks: Sequence[Block]
