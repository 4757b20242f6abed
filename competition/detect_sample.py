"""Which table is the sample submission, and which of its columns are ids and which are to be filled in."""

import re
from dataclasses import dataclass

import pandas as pd

from competition.config import CompetitionConfig
from competition.contest import Reason
from competition.errors import CompetitionError, choose, examples
from competition.image_index import LEAST_SHARE, ImageIndex
from competition.names import role_of_file
from competition.text_tables import Table, Tables

NAMED_SO = (
    re.compile(r"sample.*sub|sub.*sample|example.*sub|sub.*(example|format|template)"),
    re.compile(r"submission|submit"),
    re.compile(r"^sample|benchmark"),
)
USAGES = frozenset(["public", "private", "ignored", "ignore"])
MOST_BESIDE_IDS = 5
FEWEST_TOLD = 5  # rows; of fewer, answers may all differ


@dataclass(frozen=True)
class Sample:
    """The sample submission: one row an answer, in the order that is wanted."""

    path: str
    frame: pd.DataFrame
    id_column: str
    answer_columns: tuple[str, ...]
    reason: Reason

    @property
    def ids(self) -> list[str]:
        return self.frame[self.id_column].tolist()


def find_sample(tables: Tables, index: ImageIndex, ask: CompetitionConfig) -> Sample | None:
    """The sample submission, None where there is none.

    Raises: CompetitionError where the one asked for is not there, or where it has no column to fill in.
    """
    if ask.sample != "auto":
        table = tables.of[choose("sample submission", ask.sample, tables.of)]
        return _as_sample(table, tables, index, "asked for", True)
    for sure, pattern in zip((True, False, False), NAMED_SO, strict=True):
        named = [table for path, table in tables.of.items() if pattern.search(_letters(path)) and (sure or len(table.frame.columns) > 1)]
        if named:
            best = max(named, key=lambda table: _images_named(table, index))
            others = [table.path for table in named if not table.frame.equals(best.frame)]
            why = f"its name; others called so: {examples(others)}" if others else "its name"
            return _as_sample(best, tables, index, why, sure and not others)
    if by_rows := next(
        (table for path, table in tables.of.items() if role_of_file(path) != "train" and _holds_places(table, tables, index)), None
    ):
        return _as_sample(by_rows, tables, index, "its ids are the test images, and its answers are all alike", False)
    if tables.of and (unread := next((why for path, why in tables.unread.items() if called_a_sample(path)), None)):
        raise CompetitionError(f"the sample submission cannot be read: {unread}")
    return None


def _holds_places(table: Table, tables: Tables, index: ImageIndex) -> bool:
    """Whether a table, whatever it is called, has a row for each of some test images, and the same answers in all of them: beside the ids
    the columns that another table has beside its own, and nothing else."""
    frame = table.frame
    found = index.column_of_ids(frame, frame.columns[:MOST_BESIDE_IDS]) if len(frame) >= FEWEST_TOLD else None
    if found is None or found[1] < 1:
        return False
    answers = {name for name in frame.columns if name not in (found[0], "")}
    others = [set(other.frame.columns) - {found[0]} for other in tables.of.values() if other is not table]
    if (
        not answers
        or any(frame[name].nunique() > 1 for name in answers)
        or not any(answers <= other and len(other - answers) <= 1 for other in others)
    ):
        return False
    return all(index.groups[name].role == "test" for name in index.match(frame[found[0]].tolist(), "test").groups)


def called_a_sample(path: str) -> bool:
    """Whether a table's name says that it is a sample submission."""
    return NAMED_SO[0].search(_letters(path)) is not None


def _images_named(table: Table, index: ImageIndex) -> float:
    """About how many rows name an image: of samples of several stages, the one of most images that are here."""
    column = index.column_of_ids(table.frame, table.frame.columns[:MOST_BESIDE_IDS])
    return column[1] * len(table.frame) if column else 0


def _letters(path: str) -> str:
    return re.sub(r"[^a-z]", "", path.rpartition("/")[2].lower().partition(".")[0])


def _as_sample(table: Table, tables: Tables, index: ImageIndex, why: str, sure: bool) -> Sample:
    frame = table.frame
    if len(frame.columns) < 2:
        raise CompetitionError(f"{table.path}: a sample submission needs an id and a column to fill in, it has {list(frame.columns)}")
    if not len(frame):
        raise CompetitionError(f"{table.path}: the sample submission has no rows: the test set is empty")
    id_column = _id_column(frame, tables, index)
    columns = [name for name in frame.columns if name not in (id_column, "") and not _is_usage(frame[name])]
    answers = tuple(name for name in columns if not _is_told(frame[name], index)) or tuple(columns)
    if not answers:
        raise CompetitionError(f"{table.path}: there is no column to fill in beside the ids ({id_column!r})")
    # The row number that pandas once wrote without a name comes behind the id: columns are taken by name.
    frame = frame[[id_column, *(name for name in frame.columns if name != id_column)]].reset_index(drop=True)
    frame[id_column] = frame[id_column].str.strip()
    return Sample(table.path, frame, id_column, answers, Reason("sample", table.path, why, sure))


def _is_usage(cells: pd.Series) -> bool:
    """Whether a column says which leaderboard a row counts for."""
    return {"public", "private"} & set(cells.str.lower()) != set() and set(cells.str.lower()) <= USAGES


def _is_told(cells: pd.Series, index: ImageIndex) -> bool:
    """Whether a column is told, not asked: numbers of rows, widths, file names. What holds an answer's place is alike in many rows."""
    values = cells.str.strip()
    if not values.is_unique or len(values) < FEWEST_TOLD:
        return False
    return bool(values.str.isdecimal().all()) or index.share(values.tolist()) >= LEAST_SHARE


def _id_column(frame: pd.DataFrame, tables: Tables, index: ImageIndex) -> str:
    named = [name for name in frame.columns if name]
    if best := index.column_of_ids(frame, named[:MOST_BESIDE_IDS]):
        return best[0]
    others = {name for table in tables.of.values() if table.frame is not frame for name in table.frame.columns}
    return next((name for name in named if name in others and frame[name].is_unique), named[0])
