"""Every table of a competition as text: ids never become numbers, "00012" stays what it is, and a class may be called "NA"."""

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from competition.errors import CompetitionError
from competition.files import Files
from competition.headers import joined_by_number, names_without_header
from competition.json_tables import read_json, text_of
from competition.pixels import PixelTable, Span, pixel_span, read_beside
from competition.table_splits import TEST_ROWS, split_rows

DELIMITERS = ",;\t|"
HEAD_BYTES = 256 * 2**10
MOST_BYTES = 2**30  # of a table that is no table of pixels: what is longer holds something else than labels
MOST_COLUMNS = 20_000  # of a parquet file: with more, its columns are pixels
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
    """The tables that could be read, by path, why others could not, and what was done to some."""

    of: dict[str, Table] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_tables(files: Files) -> Tables:
    """All tables of a competition; one with training and test rows is two, the second called PATH#test."""
    tables = Tables()
    endings = (*READERS, *map(str.upper, READERS))
    for path in files.paths:
        if not path.endswith(endings):
            continue
        reader = next(reader for ending, reader in READERS.items() if path.lower().endswith(ending))
        try:
            table = reader(files, path)
        except CompetitionError as error:
            tables.unread[path] = str(error)
            continue
        if table is not None:
            tables.of[path] = table
    joined = joined_by_number({path: table.frame for path, table in tables.of.items()})
    for path, table in list(tables.of.items()):
        if path not in joined:
            del tables.of[path]
            continue
        whole = replace(table, frame=joined[path])
        tables.of[path] = whole
        if split := split_rows(whole.frame):
            column, in_test = split
            left = whole.frame.drop(columns=column)
            tables.of[path] = replace(whole, frame=left[~in_test])
            tables.of[path + TEST_ROWS] = replace(whole, path=path + TEST_ROWS, frame=left[in_test])
            tables.notes.append(f"{column!r} of {path} tells {int(in_test.sum()):,} test rows from {int((~in_test).sum()):,} training rows")
    return tables


def read_delimited(files: Files, path: str) -> Table | None:
    """A CSV with any of the usual delimiters and encodings, with a header or without.

    Raises: CompetitionError where rows have more cells than the header.
    """
    packed = path.lower().endswith(".gz")
    content = _unpacked(files.read(path), path) if packed else b""
    head = content[:HEAD_BYTES] if packed else files.head(path, HEAD_BYTES)
    lines = head.decode(encoding_of(head), "replace").splitlines()[: LOOKED_AT_ROWS + 1]
    if len(lines) == 0 or not lines[0].strip():
        return None
    delimiter = _delimiter(lines, path)
    rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    names = names_without_header(rows[0], path)
    header, below = names or rows[0], rows[0 if names else 1 :]
    below = [row for row in below[:-1] or below if len(row) == len(header)]
    span = pixel_span(header, below)
    if span and delimiter == "," and not packed and _plain(below, span):
        beside = read_beside(files, path, header, span, headed=names is None)
        return Table(path, beside, PixelTable(path, tuple(header), *span, rows=len(beside), headed=names is None))
    if not packed and files.size(path) > MOST_BYTES:
        raise CompetitionError(f"{path}: is too large for a table of labels: {files.size(path) / 2**30:.1f} GiB")
    return Table(path, parse_delimited(content or files.read(path), path, delimiter, names))


def _unpacked(content: bytes, path: str) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise CompetitionError(f"{path}: is cut or damaged ({error}): download it again") from None


def _delimiter(lines: Sequence[str], path: str) -> str:
    """What stands between cells: the most frequent of the usual ones, or spaces in a text file whose lines have equally many cells."""
    best = max(DELIMITERS, key=lines[0].count)
    if best not in lines[0] and path.lower().endswith(".txt"):
        whole = lines[:-1] or lines
        if " " in lines[0] and len({len(line.split()) for line in whole if line.strip()}) == 1:
            return " "
    return best


def _plain(rows: Sequence[Sequence[str]], span: Span) -> bool:
    """Whether no cell beside the pixels holds a comma: then a row can be cut at its commas."""
    return not any("," in cell for row in rows for cell in (*row[: span.first], *row[span.last :]))


def parse_delimited(content: bytes, path: str, delimiter: str, names: Sequence[str] | None = None) -> pd.DataFrame:
    """The CSV's cells as text, an empty cell as ""; names: of the columns, where the first line is no header."""
    try:
        frame = _parsed(content, delimiter, encoding_of(content), names)
    except UnicodeDecodeError:
        frame = _parsed(content, delimiter, "latin-1", names)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise CompetitionError(f"{path}: cannot be read as a table: {error}") from None
    # pandas names a column without a name "Unnamed: 0"; the file's own spelling is wanted.
    return frame.rename(columns={name: "" if name.startswith("Unnamed: ") else name.strip() for name in frame.columns})


def _parsed(content: bytes, delimiter: str, encoding: str, names: Sequence[str] | None) -> pd.DataFrame:
    spaces = re.sub(rb"[ \t]+", b" ", content) if delimiter == " " else content
    return pd.read_csv(
        io.BytesIO(spaces),
        sep=delimiter,
        encoding=encoding,
        dtype=str,
        na_filter=False,
        skipinitialspace=True,
        index_col=False,
        header=None if names else "infer",
        names=list(names) if names else None,
    )


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


def read_parquet(files: Files, path: str) -> Table | None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        read = parquet.read_table(pa.py_buffer(files.read(path)))
    except pa.ArrowInvalid as error:
        raise CompetitionError(f"{path}: cannot be read as parquet: {error}") from None
    if read.num_columns > MOST_COLUMNS:
        raise CompetitionError(f"{path}: is no table of labels, it has {read.num_columns:,} columns; pixels are read from CSV")
    columns = {name: [text_of(value) for value in read.column(name).to_pylist()] for name in read.column_names}
    return Table(path, pd.DataFrame(columns, dtype="str"))


def repeated(values: Iterable[str]) -> list[str]:
    """Those values that are there more than once, each once."""
    return [value for value, count in Counter(values).items() if count > 1]


def _json_table(files: Files, path: str) -> Table | None:
    if files.size(path) > MOST_BYTES:
        raise CompetitionError(f"{path}: is too large for a table of labels: {files.size(path) / 2**30:.1f} GiB")
    frame = read_json(files, path)
    return None if frame is None else Table(path, frame)


READERS: dict[str, Callable[[Files, str], Table | None]] = {
    ".csv": read_delimited,
    ".csv.gz": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".json": _json_table,
    ".jsonl": _json_table,
    ".ndjson": _json_table,
    ".parquet": read_parquet,
}
