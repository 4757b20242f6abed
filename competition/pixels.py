"""Images that are rows of a table: one column a pixel, or one cell with all of them; read once and only when a pixel is asked for.

label,pixel0,pixel1, ...      (digit-recognizer)
emotion,pixels,Usage          (facial expressions: "70 80 82 72 ...")
"""

import itertools
import math
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from competition.decode import Shape
from competition.errors import CompetitionError
from competition.files import Files

FEWEST_PIXELS = 16
LONGEST_PIXEL = 9  # digits, zeros before them counted
BLOCK_BYTES = 8 * 2**20  # what is parsed at once: holds the longest row


class Span(NamedTuple):
    """The pixel columns of a table, and the shape of its images."""

    first: int
    last: int
    shape: Shape


class PixelRows(Protocol):
    """A file whose rows are images, each of the shape: a table of pixels, or an array."""

    @property
    def path(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def shape(self) -> Shape: ...
    def key(self, row: int) -> str: ...
    def read(self, files: Files) -> np.ndarray: ...


@dataclass(frozen=True)
class PixelTable:
    """Where in a CSV the pixels stand: columns `first` to before `last`, as H x W x C; the others are ids and labels."""

    path: str
    header: tuple[str, ...]
    first: int
    last: int
    shape: Shape
    rows: int
    headed: bool = True  # False: the first line is a row

    def key(self, row: int) -> str:
        return f"{self.path}#{row}"

    def read(self, files: Files) -> np.ndarray:
        """uint8 N x H x W x C."""
        return read_pixels(files, self)


class PixelColumns:
    """Images of one or more files of rows; a key is PATH#ROW, the first row is 0."""

    def __init__(self, files: Files, tables: Iterable[PixelRows]) -> None:
        self.files = files
        self.tables = {table.path: table for table in tables}
        self._pixels: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def read(self, key: str, at_least: int | None = None) -> np.ndarray:
        table, row = self._at(key)
        with self._lock:
            if table.path not in self._pixels:
                self._pixels[table.path] = table.read(self.files)
        return self._pixels[table.path][row]

    def stamp(self, keys: Sequence[str]) -> str:
        return self.files.stamp(sorted({self._at(key)[0].path for key in keys}))

    def shape(self, key: str) -> Shape:
        return self._at(key)[0].shape

    def _at(self, key: str) -> tuple[PixelRows, int]:
        path, _, row = key.rpartition("#")
        table = self.tables.get(path)
        if table is None or not row.isdecimal() or int(row) >= table.rows:
            raise CompetitionError(f"there is no image {key!r}")
        return table, int(row)

    def __getstate__(self) -> dict[str, Any]:
        return {"files": self.files, "tables": self.tables}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["files"], state["tables"].values())


def pixel_span(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Span | None:
    """The pixel columns and the images' shape, where a table holds pixels; None where it does not.

    A column whose cells are lists of numbers, or the longest run of columns of a number each whose names differ in their
    numbers only (pixel0, pixel1, ... or 1x1, 1x2, ...): whole numbers of 0 to 255, some above 1, that fill a square, grey or RGB.
    """
    if not rows:
        return None
    for place, cell in enumerate(rows[0]):
        if cell.count(" ") < FEWEST_PIXELS - 1:
            continue
        lists = [row[place].split() for row in rows]
        shape = square(len(lists[0]))
        if shape and all(len(values) == len(lists[0]) for values in lists) and _are_pixels([value for values in lists for value in values]):
            return Span(place, place + 1, shape)
    patterns = ["".join("#" if letter.isdigit() else letter for letter in name) for name in header]
    stems = [pattern.replace("##", "#").replace("##", "#").replace("##", "#") for pattern in patterns]
    best: tuple[int, int] | None = None
    start = 0
    for place in range(1, len(stems) + 1):
        if place == len(stems) or stems[place] != stems[start]:
            if "#" in stems[start] and (best is None or place - start > best[1] - best[0]):
                best = (start, place)
            start = place
    if best is None or best[1] - best[0] < FEWEST_PIXELS:
        return None
    shape = square(best[1] - best[0])
    return Span(*best, shape) if shape and _are_pixels([value for row in rows for value in row[best[0] : best[1]]]) else None


def square(count: int) -> Shape | None:
    """The shape of a square image of so many numbers, grey or RGB; None where they fill none."""
    for channels in (1, 3):
        side = round((count / channels) ** 0.5)
        if side * side * channels == count and count >= FEWEST_PIXELS:
            return Shape(side, side, channels)
    return None


def pixel_names(columns: int) -> list[str] | None:
    """Names for the columns of a table of numbers without a header, a label before the pixels or none; None where no square is filled."""
    for label in (["label"], []):
        if square(columns - len(label)):
            return [*label, *(f"pixel{place}" for place in range(columns - len(label)))]
    return None


def _are_pixels(values: Sequence[str]) -> bool:
    return all(value.isdecimal() and len(value) <= LONGEST_PIXEL and int(value) <= 255 for value in values) and max(map(int, values)) > 1


def read_beside(files: Files, path: str, header: Sequence[str], span: Span, headed: bool = True) -> pd.DataFrame:
    """The columns beside the pixels, as text. Pixels are passed over: a hundred megabytes take a fraction of a second."""
    before, after = span.first, len(header) - span.last
    names = [name.strip() for name in (*header[: span.first], *header[span.last :])]
    rows = [row.split(b",") for row in _row_ends(files, path, before, after)][int(headed) :]
    if not names:
        return pd.DataFrame(index=range(len(rows)))
    if torn := next((place for place, row in enumerate(rows, 1) if len(row) != before + after), None):
        raise CompetitionError(f"{path}: row {torn} is cut: it has fewer cells than the header. Download the table again")
    quoted = next((place for place, row in enumerate(rows, 1) if any(cell.count(b'"') % 2 or b'""' in cell for cell in row)), None)
    cells = [[cell.strip().strip(b'"') for cell in column] for column in zip(*rows, strict=True)]
    if quoted and len((cells := _quoted_cells(files, path, header, span, headed))[0]) != len(rows):
        raise CompetitionError(f"{path}: cannot be read from row {quoted} on: is a quote opened there and never closed?")
    try:
        columns = [[cell.decode().strip() for cell in column] for column in cells]
    except UnicodeDecodeError:
        odd = next(place for place, row in enumerate(rows, 1) if b",".join(row).decode("utf-8", "ignore").encode() != b",".join(row))
        raise CompetitionError(f"{path}: row {odd} is no UTF-8: it is damaged, or the table has to be saved as UTF-8") from None
    return pd.DataFrame(dict(zip(names, columns or [[] for _ in names], strict=True)), dtype="str")


def _quoted_cells(files: Files, path: str, header: Sequence[str], span: Span, headed: bool) -> list[list[bytes]]:
    """The columns beside the pixels, some of whose cells hold commas or quotes; empty ones where that is no table."""
    import pyarrow as pa
    import pyarrow.csv as csv

    names = [str(place) for place in range(len(header))]
    wanted = [*names[: span.first], *names[span.last :]]
    options = csv.ReadOptions(column_names=names, skip_rows=int(headed), block_size=BLOCK_BYTES)
    convert = csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.binary()))
    try:
        read = csv.read_csv(pa.py_buffer(files.read(path)), options, csv.ParseOptions(), convert)
    except pa.ArrowInvalid:  # rows of more or fewer cells than the header
        return [[] for _ in wanted]
    return [column.to_pylist() for column in read.columns]


def _row_ends(files: Files, path: str, before: int, after: int) -> Iterator[bytes]:
    """Each row's first `before` and last `after` cells, with commas between; the header is the first row."""
    # A search for line ends that copies nothing else is three times as fast as splitting lines of a thousand cells.
    begins = re.compile(rb"\n([^,\n]*" + rb",[^,\n]*" * (before - 1) + rb")(?=,)" if before else rb"\n(?=[^\r\n])")
    rest = b"\n"
    for chunk in _ahead(itertools.chain(files.chunks(path), [b"\n"])):
        text = rest + chunk
        end = text.rfind(b"\n")
        rest = text[end:]
        if after:
            for line in text[:end].split(b"\n"):
                if line := line.rstrip(b"\r"):
                    yield b",".join([*line.split(b",", before)[:before], *line.rsplit(b",", after)[1:]])
        else:
            yield from begins.findall(text, 0, end)


def _ahead(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, the next one being inflated by a thread while the last is taken apart."""
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, chunks, None)
        while (chunk := waiting.result()) is not None:
            waiting = thread.submit(next, chunks, None)
            yield chunk


def read_pixels(files: Files, table: PixelTable) -> np.ndarray:
    """uint8 N x H x W x C of the whole table.

    Raises: CompetitionError for a value that is no whole number of 0 to 255.
    """
    import pyarrow as pa
    import pyarrow.csv as csv

    names = [str(place) for place in range(len(table.header))]
    wanted = names[table.first : table.last]
    content: Any = pa.py_buffer(files.read(table.path))
    head, parse = csv.ReadOptions(column_names=names, skip_rows=int(table.headed), block_size=BLOCK_BYTES), csv.ParseOptions()
    try:
        if len(wanted) == 1:
            lists = csv.read_csv(content, head, parse, csv.ConvertOptions(include_columns=wanted, column_types={wanted[0]: pa.string()}))
            content = pa.py_buffer("\n".join(cell.strip() for cell in lists.column(0).to_pylist()).encode())
            wanted = [f"{table.header[table.first]} {place}" for place in range(math.prod(table.shape))]
            head, parse = csv.ReadOptions(column_names=wanted, block_size=BLOCK_BYTES), csv.ParseOptions(delimiter=" ")
        read = csv.read_csv(
            content, head, parse, csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.uint8()))
        )
    except pa.ArrowInvalid as error:
        raise CompetitionError(f"{table.path}: pixels should be whole numbers of 0 to 255: {error}") from None
    pixels = np.empty((read.num_rows, len(wanted)), np.uint8)
    for place, column in enumerate(read.columns):
        if column.null_count:
            name = table.header[table.first + place] if table.last - table.first > 1 else wanted[place]
            raise CompetitionError(f"{table.path}: column {name!r} has {column.null_count} empty values")
        pixels[:, place] = column.to_numpy()
    return pixels.reshape(-1, *table.shape)
