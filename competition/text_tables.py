"""Every table of a competition as text: ids never become numbers, "00012" stays what it is, and a class may be called "NA"."""

import csv
import gzip
import io
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import pandas as pd

from competition.errors import CompetitionError, examples
from competition.files import Files
from competition.headers import joined_by_number, names_without_header
from competition.image_index import ImageIndex
from competition.json_tables import read_json, text_frame
from competition.names import words
from competition.pixels import PixelRows, PixelTable, pixel_span, read_beside
from competition.table_parts import parts_joined
from competition.table_splits import TEST_ROWS, split_rows

DELIMITERS = ",;\t|"
HEAD_BYTES = 256 * 2**10
MOST_BYTES = 2**30  # of a table that is no table of pixels: what is longer holds something else than labels
MOST_COLUMNS = 20_000  # of a parquet file: with more, its columns are pixels
LOOKED_AT_ROWS = 8
BOXES = frozenset(["box", "boxes", "bbox", "bboxes"])
MANY_SIDE_FILES = 10  # files that are called as images are: with fewer, that is chance
DECIMAL_COMMA = re.compile(r"-?\d+(,\d+)?")
UNREAD = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "spreadsheets are not read: save it as csv"),
    ".mat": "files of MATLAB are not read: write its labels as csv",
    ".pkl": "pickles are not read: write it as csv",
}
NO_TABLES = {
    b"<!doctype html": "is a web page, no table: download it again, signed in",
    b"<html": "is a web page, no table: download it again, signed in",
    b"version https://git-lfs": "is a pointer of Git LFS, no table: fetch it by `git lfs pull`",
    b"pk\x03\x04": "is a zip, no table: call it .zip or unpack it (a spreadsheet is one too: save it as csv)",
}
GZIP = b"\x1f\x8b"
FEWEST_ZEROS = 10  # in UTF-16 one of so many bytes at the least is zero: its commas, digits and line ends are; a few are damage
OPEN_QUOTE = "is a quote opened there and never closed?"
LINE_END = re.compile(r"\r\n?|\n")
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Table:
    """A table of text; where its rows are images, `pixels` says where they stand, and `frame` holds the other columns."""

    path: str
    frame: pd.DataFrame
    pixels: PixelRows | None = None
    names: pd.DataFrame | None = None  # what its numbers stand for, where the same file tells
    note: str = ""  # what is doubtful of how it was read


@dataclass(frozen=True)
class Tables:
    """The tables that could be read, by path, why others could not, and what was done to some.

    names: tables that only say what numbers stand for. side_files: what is of one image each, by ending, and is not read.
    """

    of: dict[str, Table] = field(default_factory=dict)
    names: dict[str, pd.DataFrame] = field(default_factory=dict)
    side_files: dict[str, list[str]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_tables(files: Files, index: ImageIndex) -> Tables:
    """All tables of a competition; one with training and test rows is two, the second called PATH#test."""
    tables = Tables(side_files=_side_files(files.paths, index))
    beside = {path for paths in tables.side_files.values() for path in paths}
    for ending, paths in _of_folders(files.paths).items():
        beside.update(paths)
        tables.notes.append(f"not read: {len(paths):,} files {ending} of one folder each, such as {paths[0]}")
    endings = (*READERS, *UNREAD, *map(str.upper, (*READERS, *UNREAD)))
    for path in files.paths:
        if not path.endswith(endings) or path in beside:
            continue
        if (ending := _ending(path)) in UNREAD:
            tables.unread.setdefault(ending, f"{path}: {UNREAD[ending]}")
            continue
        reader = next(reader for ending, reader in READERS.items() if path.lower().endswith(ending))
        try:
            table = reader(files, path, index)
        except CompetitionError as error:
            tables.unread[path] = str(error)
            continue
        if table is not None:
            table, again = _without_headers_within(table)
            tables.notes.extend([table.note, *again] if table.note else again)
            tables.of[path] = table
            if table.names is not None:
                tables.names[path] = table.names
    joined, notes = parts_joined({path: table.frame for path, table in tables.of.items() if table.pixels is None})
    tables.notes.extend(notes)
    joined = joined_by_number(joined | {path: table.frame for path, table in tables.of.items() if table.pixels is not None})
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


def _without_headers_within(table: Table) -> tuple[Table, list[str]]:
    """The table without rows that say what its header says, as where files were put together; and a note where there are any."""
    frame = table.frame
    if table.pixels or len(frame.columns) < 2:
        return table, []
    again = frame.index[frame.iloc[:, 0] == frame.columns[0]]
    again = again[(frame.loc[again] == frame.columns).all(axis=1)]
    if not len(again):
        return table, []
    note = f"the header of {table.path} stands again in {len(again):,} of its rows, the first is row {again[0] + 1}: they are left out"
    return replace(table, frame=frame.drop(index=again).reset_index(drop=True)), [note]


def _side_files(paths: Sequence[str], index: ImageIndex) -> dict[str, list[str]]:
    """Files that are called as images are, by ending: boxes, captions and the like of one image each."""
    found: dict[str, list[str]] = {}
    candidates = [path for path in paths if path.endswith(SIDE_ENDINGS)]
    for ending, alike in groupby(sorted(candidates, key=_ending), _ending):
        of_one = [path for path in alike if index.has(path[path.rfind("/") + 1 : -len(ending)])]
        if len(of_one) >= MANY_SIDE_FILES:
            found[ending] = of_one
    return found


def _of_folders(paths: Sequence[str]) -> dict[str, list[str]]:
    """Tables of boxes that are called as their folders are, by what they are called more: train/n01443537/n01443537_boxes.txt."""
    found: dict[str, list[str]] = {}
    for path in paths:
        if path.endswith(SIDE_ENDINGS):
            folder, _, name = path.rpartition("/")
            called = folder.rpartition("/")[2]
            if called and name.startswith(called) and not BOXES.isdisjoint(words(name[len(called) :])):
                found.setdefault(name[len(called) :], []).append(path)
    return found


def _ending(path: str) -> str:
    return path[path.rfind(".") :].lower()


def read_delimited(files: Files, path: str, index: ImageIndex) -> Table | None:
    """A CSV with any of the usual delimiters and encodings, with a header or without.

    Raises: CompetitionError where rows have more cells than the header, where columns are called the same, for text that is damaged, and
    for a page or a zip that came instead of a table.
    """
    head = files.head(path, HEAD_BYTES)
    packed = path.lower().endswith(".gz") or head.startswith(GZIP)
    content = _unpacked(files.read(path), path) if packed else b""
    head = content[:HEAD_BYTES] if packed else head
    lines = [line for line in head.decode(encoding_of(head), "replace").splitlines() if line.strip()][: LOOKED_AT_ROWS + 1]
    if not lines and path.lower().endswith(".txt"):
        return None
    if not lines:
        raise CompetitionError(f"{path}: is empty")
    if wrong := next((wrong for begin, wrong in NO_TABLES.items() if head.lstrip()[:32].lower().startswith(begin)), ""):
        raise CompetitionError(f"{path}: {wrong}")
    delimiter = _delimiter(lines, path)
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        raise CompetitionError(f"{path}: a cell has more than {csv.field_size_limit():,} letters: {OPEN_QUOTE}") from None
    if not rows:
        return None
    names = names_without_header(rows[0], rows[1:-1] or rows[1:], path, index)
    header, below = names or rows[0], rows[0 if names else 1 :]
    below = [row for row in below[:-1] or below if len(row) == len(header)]
    _refuse_twins(header, path)
    span = pixel_span(header, below)
    if span and delimiter == "," and not packed:
        if encoding_of(head).startswith("utf-16"):
            raise CompetitionError(f"{path}: pixels in UTF-16 are not read: save it as UTF-8")
        beside = read_beside(files, path, header, span, headed=names is None)
        return Table(path, beside, PixelTable(path, tuple(header), *span, rows=len(beside), headed=names is None))
    if not packed and files.size(path) > MOST_BYTES:
        raise CompetitionError(f"{path}: is too large for a table of labels: {files.size(path) / 2**30:.1f} GiB")
    frame, note = parse_delimited(content or files.read(path), path, delimiter, names)
    return Table(path, frame, note=note)


def _unpacked(content: bytes, path: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CompetitionError(f"{path}: is cut or damaged ({error}): download it again") from None
    if len(unpacked) > MOST_BYTES:
        raise CompetitionError(f"{path}: is too large for a table of labels: more than {MOST_BYTES / 2**30:.1f} GiB once unpacked")
    return unpacked


def _delimiter(lines: Sequence[str], path: str) -> str:
    """What stands between cells: the most frequent of the usual ones, or spaces in a text file whose lines have equally many cells."""
    best = max(DELIMITERS, key=lines[0].count)
    if best not in lines[0] and path.lower().endswith(".txt"):
        whole = lines[:-1] or lines
        if " " in lines[0] and len({len(line.split()) for line in whole if line.strip()}) == 1:
            return " "
    return best


def parse_delimited(content: bytes, path: str, delimiter: str, names: Sequence[str] | None = None) -> tuple[pd.DataFrame, str]:
    """The CSV's cells as text, an empty cell as "", without empty rows; and a note where it is no Unicode, else "".

    names: of the columns, where the first line is no header.

    Raises: CompetitionError that names the line where a row has more cells than the header, where a quote is never closed, and where
    Unicode is damaged.
    """
    encoding, note = _encoding_of_whole(content, path)
    try:
        frame = _parsed(content, delimiter, encoding, names)
    except (pd.errors.ParserWarning, pd.errors.ParserError):
        frame = _without_empty_cells_beyond(content.decode(encoding), path, delimiter, names)
    except ValueError as error:  # EmptyDataError too
        raise CompetitionError(f"{path}: cannot be read as a table: {error}") from None
    if len(frame.columns) > 1 and (frame.iloc[:, 0] == "").any():
        frame = frame[(frame != "").any(axis=1)].reset_index(drop=True)
    if delimiter == ";":
        frame = frame.apply(_with_points)
    # pandas names a column without a name "Unnamed: 0"; the file's own spelling is wanted.
    frame = frame.rename(columns={name: "" if name.startswith("Unnamed: ") else name.strip() for name in frame.columns})
    _refuse_twins(list(frame.columns), path)
    if len(frame.columns) > 1 and not any(frame.columns):
        raise CompetitionError(f"{path}: cannot be read as a table: none of its {len(frame.columns):,} columns has a name")
    nameless = (frame.columns == "").nonzero()[0][1:]  # none is ever used; one is kept, which may number the rows
    kept = [place for place in range(len(frame.columns)) if place not in set(nameless)]
    return frame.iloc[:, kept] if len(nameless) else frame, note


def _refuse_twins(names: Sequence[str], path: str) -> None:
    if twice := repeated(name.strip() for name in names if name.strip()):
        raise CompetitionError(f"{path}: columns are called the same: {examples(twice)}. Rename or delete all but one")


def _without_empty_cells_beyond(text: str, path: str, delimiter: str, names: Sequence[str] | None) -> pd.DataFrame:
    """The cells of a table some of whose rows are longer than its header, where all cells beyond it are empty.

    Raises: CompetitionError that names the line of a cell beyond the header, or else a quote that is never closed.
    """
    told = re.sub(r"[ \t]+", " ", text) if delimiter == " " else text
    lines = csv.reader(io.StringIO(told, newline=""), delimiter=delimiter, skipinitialspace=True)
    begin = last = 1
    longest, header, rows = 0, list(names) if names else None, []
    try:
        for row in lines:
            if header is None and any(cell.strip() for cell in row):
                header = [name if name.strip() else f"Unnamed: {place}" for place, name in enumerate(row)]
            elif header is not None and any(cell.strip() for cell in row[len(header) :]):
                raise CompetitionError(
                    f"{path}: line {begin} has {len(row)} cells, and the header {len(header)}: a cell that holds "
                    f"{delimiter!r} needs quotes, and the header has to be the first line"
                )
            elif header is not None and row:
                rows.append([*row[: len(header)], *[""] * (len(header) - len(row))])
            longest, last, begin = max(longest, len(row)), begin, lines.line_num + 1
    except csv.Error:
        last = begin
    if header is None or longest <= len(header):
        raise CompetitionError(f"{path}: cannot be read from line {last} on: {OPEN_QUOTE}")
    return pd.DataFrame(rows, columns=header, dtype="str")


def _encoding_of_whole(content: bytes, path: str) -> tuple[str, str]:
    """The encoding, and a note that names the first line that is no UTF-8, where that is why it was taken for an older one.

    Raises: CompetitionError that names the line where Unicode is damaged: UTF-16, what has a mark, and UTF-8 more of whose letters beyond
    ASCII are right than wrong.
    """
    encoding = encoding_of(content)
    meant = "utf-8" if encoding == "cp1252" else encoding
    try:
        content.decode(meant)
        return meant, ""
    except UnicodeDecodeError as error:
        line = len(LINE_END.findall(content[: error.start].decode(meant, "ignore"))) + 1
    told = f"{path}: line {line} is no {'UTF-16' if meant.startswith('utf-16') else 'UTF-8'}"
    text = content.decode(meant, "replace")
    wrong = text.count("\ufffd")
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong
    if meant != "utf-8" or right > wrong:
        raise CompetitionError(f"{told}, as the rest is: the file is cut or damaged. Download it again, or mend what is wrong in it")
    try:
        content.decode("cp1252")
        older = "cp1252"
    except UnicodeDecodeError:
        older = "latin-1"
    return older, f"{told} and was read as {older}: where letters came out wrong, save it as UTF-8"


def _with_points(cells: pd.Series) -> pd.Series:
    """Numbers with a decimal comma, which is why semicolons stand between cells, with a point."""
    told = cells.str.strip()
    if told.str.contains(",").any() and told[told != ""].str.fullmatch(DECIMAL_COMMA).all():
        return told.str.replace(",", ".")
    return cells


def _parsed(content: bytes, delimiter: str, encoding: str, names: Sequence[str] | None) -> pd.DataFrame:
    spaces = re.sub(rb"[ \t]+", b" ", content) if delimiter == " " else content
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop the cells beyond the header
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
    if begin.count(0) * FEWEST_ZEROS > len(begin):
        return "utf-16-le" if begin[1:2] == b"\0" else "utf-16-be"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        # What was cut within its last letter is not wrong.
        return "utf-8" if error.start > len(content) - 4 and len(content) >= HEAD_BYTES else "cp1252"
    return "utf-8"


def read_parquet(files: Files, path: str, index: ImageIndex) -> Table | None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        read = parquet.read_table(pa.py_buffer(files.read(path)))
        names = read.column_names
    except (pa.ArrowException, OSError, ValueError, KeyError, NotImplementedError) as error:
        raise CompetitionError(f"{path}: cannot be read as parquet: {error}") from None
    _refuse_twins(names, path)
    if read.num_columns > MOST_COLUMNS:
        raise CompetitionError(f"{path}: is no table of labels, it has {read.num_columns:,} columns; pixels are read from CSV")
    return Table(path, text_frame({name: read.column(name).to_pylist() for name in names}))


def repeated(values: Iterable[str]) -> list[str]:
    """Those values that are there more than once, each once."""
    return [value for value, count in Counter(values).items() if count > 1]


def _json_table(files: Files, path: str, index: ImageIndex) -> Table | None:
    if files.size(path) > MOST_BYTES:
        raise CompetitionError(f"{path}: is too large for a table of labels: {files.size(path) / 2**30:.1f} GiB")
    frame, names = read_json(files, path, index)
    return None if frame is None else Table(path, frame, names=names)


SIDE_ENDINGS = (".txt", ".xml", ".json", ".csv", ".mat")
READERS: dict[str, Callable[[Files, str, ImageIndex], Table | None]] = {
    ".csv": read_delimited,
    ".csv.gz": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".json": _json_table,
    ".jsonl": _json_table,
    ".ndjson": _json_table,
    ".parquet": read_parquet,
}
