"""Every table of a competition as text: ids never become numbers, "00012" stays what it is, and a class may be called "NA"."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from competition.errors import CompetitionError
from competition.files import Files
from competition.pixels import PixelTable, pixel_span, read_beside

DELIMITERS = ",;\t|"
HEAD_BYTES = 256 * 2**10
LOOKED_AT_ROWS = 8
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Table:
    """A table of text; where its rows are images, `pixels` says in which columns, and `frame` holds the others."""

    path: str
    frame: pd.DataFrame
    pixels: PixelTable | None = None


@dataclass(frozen=True)
class Tables:
    """The tables that could be read, by path, and why others could not."""

    of: dict[str, Table] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_tables(files: Files) -> Tables:
    """All tables of a competition."""
    tables = Tables()
    endings = (*READERS, *map(str.upper, READERS))
    for path in files.paths:
        if not path.endswith(endings):
            continue
        reader = READERS[path[path.rfind(".") :].lower()]
        try:
            table = reader(files, path)
        except CompetitionError as error:
            tables.unread[path] = str(error)
            continue
        if table is not None:
            tables.of[path] = table
    return tables


def read_delimited(files: Files, path: str) -> Table | None:
    """A CSV with any of the usual delimiters and encodings.

    Raises: CompetitionError where rows have more cells than the header.
    """
    head = files.head(path, HEAD_BYTES)
    encoding = encoding_of(head)
    lines = head.decode(encoding, "replace").splitlines()[: LOOKED_AT_ROWS + 1]
    if len(lines) == 0 or not lines[0].strip():
        return None
    delimiter = max(DELIMITERS, key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=delimiter))
    header, rows = rows[0], [row for row in rows[1:-1] or rows[1:] if len(row) == len(rows[0])]
    span = pixel_span(header, rows)
    if span and delimiter == "," and '"' not in "".join(lines[1:]):
        first, last, shape = span
        beside = read_beside(files, path, header, first, last)
        return Table(path, beside, PixelTable(path, tuple(header), first, last, shape, len(beside)))
    return Table(path, parse_delimited(files.read(path), path, delimiter))


def parse_delimited(content: bytes, path: str, delimiter: str) -> pd.DataFrame:
    """The CSV's cells as text, an empty cell as ""."""
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=delimiter,
            encoding=encoding_of(content),
            dtype=str,
            na_filter=False,
            skipinitialspace=True,
            index_col=False,
        )
    except UnicodeDecodeError:
        frame = pd.read_csv(
            io.BytesIO(content), sep=delimiter, encoding="latin-1", dtype=str, na_filter=False, skipinitialspace=True, index_col=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise CompetitionError(f"{path}: cannot be read as a table: {error}") from None
    # pandas names a column without a name "Unnamed: 0"; the file's own spelling is wanted.
    return frame.rename(columns={name: "" if name.startswith("Unnamed: ") else name.strip() for name in frame.columns[:1]})


def encoding_of(content: bytes) -> str:
    """utf-8 unless a byte order mark, zero bytes or bytes that are no utf-8 say otherwise."""
    for mark, encoding in BOMS.items():
        if content.startswith(mark):
            return encoding
    begin = content[:4096]
    if b"\0" in begin:
        return "utf-16-le" if begin[1:2] == b"\0" else "utf-16-be"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        # What was cut within its last letter is not wrong.
        return "utf-8" if error.start > len(content) - 4 and len(content) >= HEAD_BYTES else "cp1252"
    return "utf-8"


def read_json(files: Files, path: str) -> Table | None:
    """A JSON file as a table: a list of records, COCO's images with their annotations, or names with a value each; else None."""
    try:
        tree = json.loads(files.read(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CompetitionError(f"{path}: cannot be read as JSON: {error}") from None
    records: Iterable[dict[str, Any]]
    if _are_records(tree):
        records = tree
    elif isinstance(tree, dict) and _are_records(tree.get("images")):
        records = coco_records(tree)
    elif isinstance(tree, dict) and tree and all(isinstance(value, str | int | float) for value in tree.values()):
        records = [{"key": key, "value": value} for key, value in tree.items()]
    else:
        return None
    frame = pd.DataFrame([{key: _text(value) for key, value in record.items() if not isinstance(value, dict | list)} for record in records])
    return Table(path, frame.fillna("").astype("str"))


def coco_records(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """An annotation a record, with its image's fields; an image a record where there are no annotations."""
    images, annotations = tree["images"], tree.get("annotations")
    if not _are_records(annotations):
        return images
    key = "image_id" if "image_id" in images[0] else "id"
    image_of = {_text(image.get(key)): image for image in images}
    joined = []
    for annotation in annotations or []:
        image = image_of.get(_text(annotation.get("image_id")), {})
        extra = {name: value for name, value in annotation.items() if name not in ("id", "image_id")}
        joined.append({**image, **extra})
    return joined


def read_parquet(files: Files, path: str) -> Table | None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        read = parquet.read_table(pa.py_buffer(files.read(path)))
    except pa.ArrowInvalid as error:
        raise CompetitionError(f"{path}: cannot be read as parquet: {error}") from None
    columns = {name: ["" if value is None else _text(value) for value in read.column(name).to_pylist()] for name in read.column_names}
    return Table(path, pd.DataFrame(columns, dtype="str"))


def repeated(values: Iterable[str]) -> list[str]:
    """Those values that are there more than once, each once."""
    return [value for value, count in Counter(values).items() if count > 1]


def _are_records(tree: Any) -> bool:
    return isinstance(tree, list) and bool(tree) and all(isinstance(record, dict) for record in tree)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


READERS: dict[str, Callable[[Files, str], Table | None]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".json": read_json,
    ".parquet": read_parquet,
}
