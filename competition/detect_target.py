"""What is to be predicted: which column or columns, what kind of answer, which classes.

Legend: N rows, K classes.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from competition.config import CompetitionConfig
from competition.contest import Reason
from competition.detect_labels import FOLDERS, NAMES, Rows, column_of_classes
from competition.detect_sample import Sample
from competition.detect_spelling import BAR, NO_LABEL, are_in_brackets, names_of_sample, plain_cells
from competition.detect_values import (
    SCORE_WORDS,
    as_number,
    in_order,
    kind_of_values,
    odd_among_numbers,
    positive_last,
    separator_of,
    split_labels,
    with_comma,
)
from competition.errors import CompetitionError, choose, examples
from competition.names import words
from competition.processes import free_memory
from competition.task import Kind, Task
from competition.text_tables import Tables

TARGET_WORDS = [
    "label",
    "labels",
    "target",
    "targets",
    "class",
    "classes",
    "category",
    "diagnosis",
    "species",
    "breed",
    "tags",
    "attribute",
    "attributes",
    "answer",
    "y",
]

LINE_END = "\n"  # which no label holds: what it separates is whole
FOLD_WORDS = frozenset(["fold", "folds", "kfold", "split"])


@dataclass(frozen=True)
class Target:
    """The answers of some rows: truth is float32 N x K (Task.encode), kept: which rows have one.

    task: its classes are called as the sample submission calls them. told: the same, called as the training rows call them.
    """

    task: Task
    told: Task
    columns: tuple[str, ...]
    truth: np.ndarray
    kept: np.ndarray
    separator: str = " "
    between: str = " "  # of labels in a submission's cell, where the sample does not show it
    reasons: tuple[Reason, ...] = ()


def find_target(
    train: Rows, sample: Sample | None, tables: Tables, test_columns: Sequence[str], ask: CompetitionConfig, metric: str | None
) -> Target:
    """What the training rows say about the answer. metric: the competition's, where it is known or asked for.

    Raises: CompetitionError where no column is it, and where what is asked for does not fit what the column holds.
    """
    columns, reason = target_columns(train, sample, test_columns, ask)
    first, separator = columns[0], " "
    listed = are_in_brackets(train.frame[first].tolist())
    train = plain_rows(train, columns)
    if len(columns) > 1:
        told, why = _task_of_columns(train, columns, sample, ask)
    else:
        told, separator, why = _task_of_values(train, first, listed, sample, ask, metric)
    task, reasons = told, [reason, why]
    if sample is not None and told.kind != "regression" and len(columns) == 1:
        parted = separator if told.kind == "multilabel" else None
        if names := names_of_sample(told.classes, parted, sample, tables, train.where):
            by_number = all(as_number(name) is not None for name in names.names) and told.kind in ("multiclass", "multilabel")
            pairs = zip(told.classes, names.names, strict=True)
            told_as, called = zip(*sorted(pairs, key=lambda pair: float(pair[1])) if by_number else pairs, strict=True)
            told, task = replace(told, classes=told_as), replace(told, classes=called)
            shown = examples(f"{old} is {new}" for old, new in zip(told.classes, task.classes, strict=True))
            reasons.append(Reason("names", "the sample's", f"{names.why}: {shown}", names.sure))
    if told.kind != "regression" and len(columns) == 1:
        reasons += _alike(told.classes)
    truth, kept = encode(train, told, columns, separator)
    between = " " if listed or separator == LINE_END else separator  # the bars between labels of lists are ours
    return Target(task, told, columns, truth, kept, separator, between, tuple(reasons))


def _alike(classes: Sequence[str]) -> list[Reason]:
    """A doubt where classes may be one and the same, or no class at all."""
    alike: dict[str, list[str]] = {}
    for name in classes:
        number = as_number(name)
        spelled = " ".join(unicodedata.normalize("NFKC", name).split()).casefold() if number is None else repr(number)
        alike.setdefault(spelled, []).append(name)
    several = [" and ".join(map(repr, names)) for names in alike.values() if len(names) > 1]
    doubts = []
    if several:
        more = f" and {len(several) - 3:,} more" if len(several) > 3 else ""
        why = "they differ in capitals, spaces, accents or the way a number is written alone: if they are one, write them alike"
        doubts.append(Reason("classes", ", ".join(several[:3]) + more, why, sure=False))
    if none := [name for name in classes if name.lower() in NO_LABEL]:
        why = "taken for names of classes: if these rows have no label, leave the cells empty"
        doubts.append(Reason("classes", examples(none), why, sure=False))
    return doubts


def plain_rows(rows: Rows, columns: Sequence[str]) -> Rows:
    """The rows, with cells of labels that are written in an odd way written plainly."""
    odd = {name: plain for name in columns if (plain := plain_cells(rows.frame[name].tolist(), one_of_several=len(columns) > 1))}
    frame = rows.frame.assign(**{name: rows.frame[name].str.strip().replace(plain) for name, plain in odd.items()})
    return replace(rows, frame=frame) if odd else rows


def encode(rows: Rows, task: Task, columns: Sequence[str], separator: str) -> tuple[np.ndarray, np.ndarray]:
    """Truth as float32 of those rows that have one, by K, and which of the N rows these are.

    Raises: CompetitionError where it does not fit into the memory that is free, and for cells that are no numbers where they should be.
    """
    if (size := 4 * len(rows.ids) * len(task.classes)) > (free := free_memory()):
        raise CompetitionError(
            f"{rows.where}: the answers of {len(rows.ids):,} rows x {len(task.classes):,} classes take {size / 2**30:,.1f} GiB of memory, "
            f"and {free / 2**30:,.1f} GiB are free: a table of fewer rows, or without rare classes, is needed here"
        )
    if len(columns) > 1:
        cells = rows.frame[list(columns)].apply(lambda column: column.str.strip())
        kept = (cells != "").all(axis=1).to_numpy()
        try:
            return cells[kept].to_numpy(dtype=np.float32), kept
        except ValueError as error:
            raise CompetitionError(f"{rows.where}: columns {examples(columns)} should hold numbers: {error}") from None
    values = rows.frame[columns[0]].str.strip().tolist()
    kept = np.asarray([value != "" for value in values], dtype=bool)
    if task.kind == "multilabel":
        lists = [split_labels(value, separator) for value in values]
        return task.encode(lists), np.ones(len(lists), dtype=bool)
    return task.encode([value for value in values if value]), kept


def target_columns(
    train: Rows, sample: Sample | None, test_columns: Sequence[str], ask: CompetitionConfig
) -> tuple[tuple[str, ...], Reason]:
    """The columns to predict, and why these."""
    there = [name for name in train.frame.columns if name and name != train.column]
    if ask.target_columns:
        for name in ask.target_columns:
            if name not in there:
                near = _nearest(name, there)
                raise CompetitionError(
                    f"{train.where}: there is no column {name!r} to predict{near}; its columns are {examples(there, 12)}"
                )
        return tuple(ask.target_columns), Reason("target", ", ".join(ask.target_columns), "asked for")
    if sample is not None:
        if set(sample.answer_columns) <= set(there):
            return sample.answer_columns, _target_reason(sample.answer_columns, "the sample submission has the same")
        for same, but_for in ((_folded, "capitals"), (_of_means, "the word mean")):
            by_name = {same(name): name for name in there}
            if all(same(name) in by_name for name in sample.answer_columns):
                names = tuple(by_name[same(name)] for name in sample.answer_columns)
                return names, _target_reason(names, f"the sample submission has the same but for {but_for}")
        if len(sample.answer_columns) > 1 and (named := column_of_classes(train.frame, sample.answer_columns, train.column)):
            return (named,), _target_reason((named,), "its values are the sample submission's columns")
    open_to_choice = [name for name in there if name not in test_columns and train.frame[name].nunique() > 1]
    open_to_choice = [name for name in open_to_choice if FOLD_WORDS.isdisjoint(words(name))] or open_to_choice
    marks = [name for name in open_to_choice if set(train.frame[name].str.strip()) <= {"0", "1", "0.0", "1.0"}]
    if sample is not None and len(marks) > 1 and (cells := _cells_of(sample)) and cells <= set(marks):
        return tuple(marks), _target_reason(
            marks, f"columns of 0 and 1, whose names stand in the sample's {examples(sample.answer_columns)}"
        )
    if sample is not None and len(open_to_choice) > 1 and (named := _column_of_sample_values(train.frame, open_to_choice, sample)):
        return (named,), _target_reason((named,), f"its values stand in the sample submission's {examples(sample.answer_columns)}")
    if len(open_to_choice) == 1:
        return (open_to_choice[0],), _target_reason(
            open_to_choice, "the only column left beside the ids" if len(there) > 1 else f"what {train.where} say"
        )
    for word in TARGET_WORDS:
        if named := [name for name in open_to_choice if word in words(name)]:
            return (named[0],), _target_reason(
                named[:1], f"its name; it might be {examples(n for n in open_to_choice if n != named[0])}", sure=False
            )
    if sample is None and len(marks) > 1 and len(marks) == len(open_to_choice):
        return tuple(marks), _target_reason(marks, "all columns left beside the ids, each of 0 and 1", sure=False)
    scores = [name for name in open_to_choice if not SCORE_WORDS.isdisjoint(words(name))]
    if len(scores) == 1:
        return (scores[0],), _target_reason(scores, "the only column that is called as a score is", sure=False)
    of_two = [name for name in open_to_choice if train.frame[name][train.frame[name] != ""].nunique() == 2]
    if len(of_two) == 1 and sample is not None and _are_shares(sample):
        return (of_two[0],), _target_reason(of_two, "the only column of two values, and the sample holds numbers from 0 to 1", sure=False)
    wanted = f", the sample submission asks for {examples(sample.answer_columns)}" if sample else ""
    raise CompetitionError(
        f"{train.where}: no column of labels was found{wanted}; its columns are {examples(train.frame.columns, 12)}: "
        "name one by --competition.target-columns"
    )


def _column_of_sample_values(frame: pd.DataFrame, names: Sequence[str], sample: Sample) -> str | None:
    """The one column whose values the sample submission is filled with; None where several or no columns fit."""
    cells = {part for cell in _cells_of(sample) for part in (cell, *cell.split())}
    if len(cells) == 1 and all(as_number(cell) is not None for cell in cells):
        return None  # a number in all rows holds a place
    fitting = [name for name in names if sum(value in cells for value in set(frame[name])) * 2 >= min(len(cells), frame[name].nunique())]
    numbers = len(sample.answer_columns) > 1 and any(as_number(cell) is not None for cell in cells)  # a column a class, not a name a column
    return fitting[0] if cells and not numbers and len(fitting) == 1 else None


def _cells_of(sample: Sample) -> set[str]:
    return {cell.strip() for name in sample.answer_columns for cell in sample.frame[name].unique()} - {""}


def _are_shares(sample: Sample) -> bool:
    numbers = [as_number(cell) for cell in _cells_of(sample)]
    return len(sample.answer_columns) == 1 and bool(numbers) and all(number is not None and 0 <= number <= 1 for number in numbers)


def _folded(name: str) -> str:
    return name.lower().strip()


def _of_means(name: str) -> str:
    """X4_mean as X4: what a label table gives with its spread beside."""
    return re.sub(r"[\W_]+mean$", "", _folded(name))


def _task_of_columns(train: Rows, columns: Sequence[str], sample: Sample | None, ask: CompetitionConfig) -> tuple[Task, Reason]:
    values = train.frame[list(columns)].apply(lambda column: column.str.strip())
    distinct = {value for name in columns for value in values[name].unique()} - {""}
    numbers = {as_number(value) for value in distinct}
    if None in numbers:
        wrong = [value for value in sorted(distinct) if as_number(value) is None]
        raise CompetitionError(
            f"{train.where}: columns {examples(columns)} should hold numbers, they hold {examples(wrong)} too: "
            "choose one by --competition.target-columns"
        )
    names = _as_the_sample_spells(columns, sample)
    if ask.task == "regression" or not numbers <= {0.0, 1.0}:
        if ask.task != "regression" and (ask.task != "auto" or numbers <= {-1.0, 0.0, 1.0}):
            raise CompetitionError(
                f"{train.where}: columns {examples(columns)} should hold 0 and 1, they hold {examples(sorted(distinct))}: "
                "choose one by --competition.target-columns, or say --competition.task regression"
            )
        return Task("regression", names), Reason("task", "regression", f"{len(columns)} columns of numbers")
    empty = (values == "").any(axis=1)
    if empty.any():
        raise CompetitionError(
            f"{train.where}: {int(empty.sum()):,} rows have empty cells among {examples(columns)}, "
            f"the first is row {int(empty.to_numpy().argmax()) + 1}"
        )
    one_a_row = bool((values.to_numpy(dtype=np.float32).sum(axis=1) == 1).all())
    kind: Kind = ("binary" if len(columns) == 2 else "multiclass") if one_a_row else "multilabel"
    why = f"{len(columns)} columns of 0 and 1, " + ("one 1 a row" if one_a_row else "any number of them in a row")
    if ask.task not in ("auto", kind):
        if ask.task != "multilabel":
            raise CompetitionError(f"task {ask.task!r} is impossible: {train.where} has {why}, which is {kind}")
        return Task("multilabel", names), Reason("task", "multilabel", "asked for")
    return Task(kind, names), Reason("task", kind, why)


def with_line_end(names: Iterable[str]) -> str | None:
    """The first that goes over several lines, of any system: rows of the files that we write could not be told apart by readers."""
    return next((name for name in names if "\n" in name or "\r" in name), None)


def _as_the_sample_spells(columns: Sequence[str], sample: Sample | None) -> tuple[str, ...]:
    """The columns' names, as the sample submission writes them."""
    spelled = {same(name): name for same in (_of_means, _folded) for name in sample.answer_columns} if sample else {}
    return tuple(spelled.get(_folded(name), spelled.get(_of_means(name), name)) for name in columns)


def _task_of_values(
    train: Rows, column: str, listed: bool, sample: Sample | None, ask: CompetitionConfig, metric: str | None
) -> tuple[Task, str, Reason]:
    values = train.frame[column].str.strip().tolist()
    distinct = sorted({value for value in values if value})
    filled = sum(value != "" for value in values)
    if not filled:
        raise CompetitionError(f"column {column!r} is empty in all {len(values):,} rows: there are no labels in it")
    if broken := with_line_end(distinct):
        raise CompetitionError(
            f"column {column!r}: row {values.index(broken) + 1} holds a label of several lines, {broken[:40]!r}: "
            "is a quote opened there and never closed?"
        )
    one_each = train.where in (FOLDERS, NAMES)  # "red dress" is a folder, and no two labels
    if listed:  # a list of one label in each row is one label
        separator = BAR if filled < len(values) or any(BAR in value for value in distinct) else None
    else:
        separator = None if one_each else separator_of(distinct)
    if ask.task == "auto" and (odd := odd_among_numbers(distinct, filled)):
        raise CompetitionError(
            f"column {column!r} holds numbers, but for {examples(odd)} (row {values.index(odd[0]) + 1}): mend or empty these cells; "
            "where each value is a class of its own, say --competition.task multiclass"
        )
    if ask.task == "auto" and separator == "," and (comma := with_comma(distinct)):
        raise CompetitionError(
            f"column {column!r} holds {comma!r} and the like: numbers need a point and no comma (1234.5); "
            "where each cell is a list, say --competition.task multilabel"
        )
    kind, why, sure = kind_of_values(distinct, filled, column, separator, sample, metric)
    if ask.task not in ("auto", kind):
        kind, why, sure = ask.task, "asked for", True
    if kind == "regression":
        wrong = [value for value in distinct if as_number(value) is None]
        if wrong:
            raise CompetitionError(f"task 'regression' is impossible: column {column!r} holds {examples(wrong)}, which are no numbers")
        return Task(kind, (column,)), " ", Reason("task", kind, why, sure)
    if kind == "multilabel":
        a_row_a_label = len(set(train.images)) < len(train.images)  # of an image: "red fox" is one
        separator = separator or (LINE_END if a_row_a_label else " ")
        classes = in_order({name for value in distinct for name in split_labels(value, separator)})
    else:
        classes = in_order(distinct)
    if kind == "ordinal" and not all(as_number(name) is not None for name in classes):
        raise CompetitionError(
            f"task 'ordinal' is impossible: column {column!r} holds {examples(classes)}, no numbers, so that their order is not known"
        )
    if kind == "binary" and len(classes) != 2:
        raise CompetitionError(f"task 'binary' is impossible: column {column!r} holds {len(classes):,} classes ({examples(classes)})")
    if sample is not None and len(sample.answer_columns) > 1 and set(classes) <= set(sample.answer_columns):
        classes = list(sample.answer_columns)
        if kind == "binary" and len(classes) > 2:
            kind = "multiclass"
    elif kind == "binary":
        classes = positive_last(classes, " ".join(sample.answer_columns) if sample else "")
    return Task(kind, tuple(classes)), separator or " ", Reason("task", kind, why, sure)


def _nearest(name: str, there: Sequence[str]) -> str:
    try:
        choose("column", name, there)
    except CompetitionError as error:
        text = str(error)
        return f" ({text[text.index('perhaps') :]})" if "perhaps" in text else ""
    return ""


def _target_reason(columns: Sequence[str], why: str, sure: bool = True) -> Reason:
    return Reason("target", examples(columns), why, sure)


def frame_of(train: Rows, kept: np.ndarray) -> pd.DataFrame:
    """Columns `id`, `image` and then the label table's other columns, for the rows that are kept."""
    others = train.frame.drop(columns=[train.column] if train.column else [])
    others = others.rename(columns={name: f"{name} (table)" for name in ("id", "image") if name in others.columns})
    frame = pd.DataFrame({"id": pd.Series(train.ids, dtype="str"), "image": pd.Series(train.images, dtype="str")})
    return pd.concat([frame, others.reset_index(drop=True)], axis=1)[kept].reset_index(drop=True)
