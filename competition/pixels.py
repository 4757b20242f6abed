"""Images that are rows of a table: one column a pixel (digit-recognizer), read once and only when a pixel is asked for."""

import itertools
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from competition.decode import Shape
from competition.errors import CompetitionError
from competition.files import Files

FEWEST_PIXELS = 16


@dataclass(frozen=True)
class PixelTable:
    """Where in a CSV the pixels stand: columns `first` to before `last`, as H x W x C; the others are ids and labels."""

    path: str
    header: tuple[str, ...]
    first: int
    last: int
    shape: Shape
    rows: int

    def key(self, row: int) -> str:
        return f"{self.path}#{row}"


class PixelColumns:
    """Images of one or more pixel tables; a key is PATH#ROW, the first row is 0."""

    def __init__(self, files: Files, tables: Iterable[PixelTable]) -> None:
        self.files = files
        self.tables = {table.path: table for table in tables}
        self._pixels: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def read(self, key: str) -> np.ndarray:
        table, row = self._at(key)
        with self._lock:
            if table.path not in self._pixels:
                self._pixels[table.path] = read_pixels(self.files, table)
        return self._pixels[table.path][row]

    def stamp(self, keys: Sequence[str]) -> str:
        return self.files.stamp(sorted({self._at(key)[0].path for key in keys}))

    def shape(self, key: str) -> Shape:
        return self._at(key)[0].shape

    def _at(self, key: str) -> tuple[PixelTable, int]:
        path, _, row = key.rpartition("#")
        table = self.tables.get(path)
        if table is None or not row.isdigit() or int(row) >= table.rows:
            raise CompetitionError(f"there is no image {key!r}")
        return table, int(row)

    def __getstate__(self) -> dict[str, Any]:
        return {"files": self.files, "tables": self.tables}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["files"], state["tables"].values())


def pixel_span(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[int, int, Shape] | None:
    """First and last pixel column and the images' shape, where a table holds pixels; None where it does not.

    The longest run of columns in which the looked-at rows hold whole numbers of 0 to 255, some above 1, and whose names differ
    in their numbers only (pixel0, pixel1, ... or 1x1, 1x2, ...), and which fills a square, grey or RGB.
    """
    patterns = ["".join("#" if letter.isdigit() else letter for letter in name) for name in header]
    stems = [pattern.replace("##", "#").replace("##", "#").replace("##", "#") for pattern in patterns]
    best: tuple[int, int] | None = None
    start = 0
    for place in range(1, len(stems) + 1):
        if place == len(stems) or stems[place] != stems[start]:
            if "#" in stems[start] and (best is None or place - start > best[1] - best[0]):
                best = (start, place)
            start = place
    if best is None or best[1] - best[0] < FEWEST_PIXELS or not rows:
        return None
    values = [value for row in rows for value in row[best[0] : best[1]]]
    if not all(value.isdigit() and int(value) <= 255 for value in values) or max(map(int, values)) <= 1:
        return None
    count = best[1] - best[0]
    for channels in (1, 3):
        side = round((count / channels) ** 0.5)
        if side * side * channels == count:
            return best[0], best[1], Shape(side, side, channels)
    return None


def read_beside(files: Files, path: str, header: Sequence[str], first: int, last: int) -> pd.DataFrame:
    """The columns beside the pixels, as text. Pixels are passed over: a hundred megabytes take a fraction of a second."""
    before, after = first, len(header) - last
    names = [*header[:first], *header[last:]]
    rows = [row.split(b",") for row in _row_ends(files, path, before, after)]
    columns = [[cell.decode("utf-8", "replace").strip().strip('"') for cell in column] for column in zip(*rows[1:], strict=True)]
    if not names:
        return pd.DataFrame(index=range(len(rows) - 1))
    return pd.DataFrame(dict(zip(names, columns or [[] for _ in names], strict=True)), dtype="str")


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
    options = csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.uint8()))
    try:
        read = csv.read_csv(
            pa.py_buffer(files.read(table.path)), csv.ReadOptions(column_names=names, skip_rows=1), csv.ParseOptions(), options
        )
    except pa.ArrowInvalid as error:
        raise CompetitionError(f"{table.path}: pixels should be whole numbers of 0 to 255: {error}") from None
    pixels = np.empty((read.num_rows, len(wanted)), np.uint8)
    for place, column in enumerate(read.columns):
        if column.null_count:
            raise CompetitionError(f"{table.path}: column {table.header[table.first + place]!r} has {column.null_count} empty values")
        pixels[:, place] = column.to_numpy()
    return pixels.reshape(-1, *table.shape)
