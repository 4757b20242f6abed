"""A table in the form that the competition's sample submission has: its rows, its columns, its words.

Legend: R rows of the sample (an id may repeat), K columns of the table.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.contest import Answer, Competition
from competition.errors import examples
from competition.metrics import METRICS, best_first, clip_sure, decide
from competition.tables import check_table
from competition.task import ONE_OF_MANY, Kind
from submissions.errors import SubmissionError
from submissions.problem import places_of

FLOAT_FORMAT = "%.9g"  # graders want rows that sum to 1 within 1e-5; nine digits also give a float32 back as it was


@dataclass(frozen=True)
class Format:
    """How one kind of answer is written. function: (R x K, competition) -> the answer columns by name, R values each."""

    function: Callable[[np.ndarray, Competition], dict[str, np.ndarray]]
    tasks: tuple[Kind, ...]


def submission_frame(table: pd.DataFrame, competition: Competition) -> pd.DataFrame:
    """The submission: the sample's rows with its repeats, its columns in its order, and answers from the table by id.

    Ids and classes are spelled as the sample and the train table spell them, numbers are float64. Columns of the sample that
    are no answers keep its text; rows and classes of the table that the sample does not ask for are left out.

    Raises: SubmissionError where ids of the sample are not in the table, or the answer does not fit the task;
    CompetitionError for a table that is none (see `check_table`).
    """
    asked = competition.submission
    form = FORMATS[asked.answer]
    if competition.task.kind not in form.tasks:
        fitting = ", ".join(answer for answer, other in FORMATS.items() if competition.task.kind in other.tasks)
        raise SubmissionError(
            f"a submission to {competition.name} asks for {asked.answer!r}, which a {competition.task.kind} task does not give: "
            f"set competition.answer ({fitting}) or competition.task"
        )
    check_table(table, competition.task, "predictions")
    ids = asked.rows[asked.id_column]
    known = set(table.index)
    if missing := [name for name in ids.unique() if name not in known]:
        where = asked.file or "the sample submission"
        raise SubmissionError(
            f"{len(missing):,} of {ids.nunique():,} ids of {where} have no prediction: {examples(missing)}. "
            "Predict all images of the test set"
        )
    return asked.rows.assign(**form.function(table.loc[ids].to_numpy(), competition))


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as it is written: comma-separated, numbers with nine significant digits, lines ended by a newline."""
    return frame.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n")


def probability(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The positive (second) class's probability."""
    return {_only_column(competition): _scored(values, competition)[:, 1]}


def probabilities(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """A column a class, those that the sample asks for. For log loss, clipped and with rows that sum to 1 over these columns."""
    asked, classes = _known_columns(competition), competition.task.classes
    return dict(zip(asked, _scored(values[:, [classes.index(column) for column in asked]], competition).T, strict=True))


def label(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The likeliest class's name, as the train table writes it ("3", never "3.0")."""
    return {_only_column(competition): np.array(competition.task.classes, dtype=object)[values.argmax(axis=1)]}


def labels(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The names of all classes of at least 0.5, in the classes' order, separated as in the sample; of none, the likeliest one, unless
    training rows go without labels too. Where the metric is of rankings: the likeliest, best first, as many as it counts.

    Where every row would hold a single number, one row gets its second likeliest class too: some graders would read numbers, not lists.
    """
    classes, places = competition.task.classes, METRICS[competition.metric].places
    if places:
        return {_only_column(competition): _lists(np.array(classes, dtype=object)[best_first(values, places)], competition)}
    chosen = decide(values, competition.task, at_least_one=not competition.may_be_empty)
    if len(chosen) and (chosen.sum(axis=1) <= 1).all() and all(name.isdecimal() for name in classes):
        second = np.where(chosen, -1, values)
        chosen[np.unravel_index(second.argmax(), second.shape)] = True
    return {_only_column(competition): _lists([[classes[place] for place in np.flatnonzero(row)] for row in chosen], competition)}


def ranked(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The names of the likeliest classes, best first (of equals, the first), as many as the sample lists: in a column each, or in one
    column, separated by spaces."""
    asked = competition.submission
    names = np.array(competition.task.classes, dtype=object)[best_first(values, asked.places)]
    if len(asked.answer_columns) > 1:
        fewer = np.full((len(names), max(0, asked.places - names.shape[1])), "", dtype=object)
        return dict(zip(asked.answer_columns, np.concatenate([names, fewer], axis=1).T, strict=True))
    return {_only_column(competition): _lists(names, competition)}


def number(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The number, or a column for each of several, kept within the smallest and largest of the training rows: graders of bounded
    targets refuse what lies outside."""
    asked = _known_columns(competition)
    kept = np.clip(values.astype(np.float64), competition.truth.min(axis=0), competition.truth.max(axis=0))
    whole = METRICS[competition.metric].needs == "labels"  # graders of rounded numbers refuse others
    return dict(zip(asked, (np.rint(kept) if whole else kept)[:, places_of(asked, competition)].T, strict=True))


def _lists(rows: Iterable[Sequence[str]], competition: Competition) -> np.ndarray:
    """A cell a row, of its names with the sample's separator between.

    Raises: SubmissionError for names that could not be told apart.
    """
    separator = competition.submission.separator
    if parted := [name for name in competition.task.classes if (len(name.split()) != 1 if separator == " " else separator in name)]:
        between = "spaces" if separator == " " else repr(separator)
        raise SubmissionError(
            f"labels are separated by {between}, but {len(parted):,} classes have {between} in their names: {examples(parted)}"
        )
    return np.array([separator.join(row) for row in rows], dtype=object)


def _scored(values: np.ndarray, competition: Competition) -> np.ndarray:
    """float64, clipped where the metric is log loss; for any other, clipping would only make ties."""
    return clip_sure(values, competition.task) if competition.metric == "log_loss" else values.astype(np.float64)


def _known_columns(competition: Competition) -> tuple[str, ...]:
    """The answer columns, each one of the classes (or the single one of a regression, whatever it is called)."""
    asked, classes = competition.submission.answer_columns, competition.task.classes
    if competition.task.kind == "regression" and len(asked) == len(classes) == 1:
        return asked
    if unknown := [column for column in asked if column not in classes]:
        raise SubmissionError(f"{len(unknown):,} columns of the sample are none of the {len(classes):,} classes: {examples(unknown)}")
    return asked


def _only_column(competition: Competition) -> str:
    asked = competition.submission
    if len(asked.answer_columns) != 1:
        raise SubmissionError(
            f"{asked.answer!r} stands in one column, the sample has {len(asked.answer_columns)}: {examples(asked.answer_columns)}"
        )
    return asked.answer_columns[0]


FORMATS: dict[Answer, Format] = {
    "probability": Format(probability, ("binary",)),
    "probabilities": Format(probabilities, (*ONE_OF_MANY, "multilabel")),
    "label": Format(label, ONE_OF_MANY),
    "labels": Format(labels, ("multilabel",)),
    "ranked": Format(ranked, ("multiclass", "ordinal")),
    "number": Format(number, ("regression",)),
}
