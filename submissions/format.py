"""A table in the form that the competition's sample submission has: its rows, its columns, its words.

Legend: R rows of the sample (an id may repeat), K columns of the table.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.contest import Answer, Competition
from competition.errors import examples
from competition.metrics import clip_sure, decide
from competition.tables import check_table
from competition.task import Kind
from submissions.errors import SubmissionError

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
    asked, classes = competition.submission.answer_columns, competition.task.classes
    unknown = [column for column in asked if column not in classes]
    if unknown:
        raise SubmissionError(f"{len(unknown):,} columns of the sample are none of the {len(classes):,} classes: {examples(unknown)}")
    return dict(zip(asked, _scored(values[:, [classes.index(column) for column in asked]], competition).T, strict=True))


def label(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The likeliest class's name, as the train table writes it ("3", never "3.0")."""
    return {_only_column(competition): np.array(competition.task.classes, dtype=object)[values.argmax(axis=1)]}


def labels(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The names of all classes of at least 0.5, else of the likeliest one, in the classes' order, separated by spaces.

    Where every row would hold a single number, one row gets its second likeliest class too: some graders would read numbers, not lists.
    """
    _require_words(competition)
    classes = competition.task.classes
    chosen = decide(values, competition.task, at_least_one=True)
    if len(chosen) and (chosen.sum(axis=1) == 1).all() and all(name.isdecimal() for name in classes):
        second = np.where(chosen, -1, values)
        chosen[np.unravel_index(second.argmax(), second.shape)] = True
    cells = [" ".join(classes[place] for place in np.flatnonzero(row)) for row in chosen]
    return {_only_column(competition): np.array(cells, dtype=object)}


def ranked(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The names of the likeliest classes, best first (of equals, the first), as many as the sample lists, separated by spaces."""
    _require_words(competition)
    best_first = np.argsort(-values, axis=1, kind="stable")[:, : competition.submission.places]
    cells = [" ".join(row) for row in np.array(competition.task.classes, dtype=object)[best_first]]
    return {_only_column(competition): np.array(cells, dtype=object)}


def number(values: np.ndarray, competition: Competition) -> dict[str, np.ndarray]:
    """The number, kept within the smallest and largest of the training rows: graders of bounded targets refuse what lies outside."""
    return {_only_column(competition): np.clip(values[:, 0].astype(np.float64), competition.truth.min(), competition.truth.max())}


def _require_words(competition: Competition) -> None:
    if spaced := [name for name in competition.task.classes if len(name.split()) != 1]:
        raise SubmissionError(f"labels are separated by spaces, but {len(spaced):,} classes have spaces in their names: {examples(spaced)}")


def _scored(values: np.ndarray, competition: Competition) -> np.ndarray:
    """float64, clipped where the metric is log loss; for any other, clipping would only make ties."""
    return clip_sure(values, competition.task) if competition.metric == "log_loss" else values.astype(np.float64)


def _only_column(competition: Competition) -> str:
    asked = competition.submission
    if len(asked.answer_columns) != 1:
        raise SubmissionError(
            f"{asked.answer!r} stands in one column, the sample has {len(asked.answer_columns)}: {examples(asked.answer_columns)}"
        )
    return asked.answer_columns[0]


FORMATS: dict[Answer, Format] = {
    "probability": Format(probability, ("binary",)),
    "probabilities": Format(probabilities, ("binary", "multiclass", "multilabel")),
    "label": Format(label, ("binary", "multiclass")),
    "labels": Format(labels, ("multilabel",)),
    "ranked": Format(ranked, ("multiclass",)),
    "number": Format(number, ("regression",)),
}
