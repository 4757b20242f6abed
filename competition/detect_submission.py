"""What a submission holds for each row, and what it is probably scored by.

The metric is written nowhere in the data: it is a guess from the sample and the labels, and its reason says so.
"""

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pandas as pd

from competition.catalogue.metrics import METRIC_OF
from competition.config import CompetitionConfig
from competition.contest import Answer, Reason, SubmissionFormat
from competition.detect_sample import Sample
from competition.detect_spelling import are_in_brackets
from competition.detect_target import Target
from competition.detect_values import SEPARATORS, consecutive, split_labels
from competition.errors import CompetitionError, choose, examples
from competition.metrics import METRICS, PLACES, USUAL_PLACES, check_metric
from competition.task import Kind

SHARES = frozenset(["0", "1", "0.0", "1.0"])  # classes that may be probabilities as well
ROW_SUM_TOLERANCE = 0.02  # samples are often rounded: 0.33, 0.33, 0.33
ANSWERS: dict[Kind, tuple[Answer, ...]] = {
    "binary": ("probability", "probabilities", "label"),
    "multiclass": ("probabilities", "label", "ranked"),
    "ordinal": ("label", "probabilities", "ranked"),
    "multilabel": ("probabilities", "labels"),
    "regression": ("number",),
}


@dataclass(frozen=True)
class Guess:
    value: str
    why: str
    sure: bool = True


def find_submission(
    target: Target, sample: Sample | None, test_ids: list[str], ask: CompetitionConfig, metric: str | None
) -> tuple[SubmissionFormat, Reason]:
    """The submission's format, and the reason for its kind of answer. metric: the competition's, where it is known.

    Raises: CompetitionError where the sample's columns cannot hold the answer.
    """
    task = target.task
    guess = Guess(ask.answer, "asked for") if ask.answer != "auto" else _answer(target, sample, metric)
    if guess.value not in ANSWERS[task.kind]:
        raise CompetitionError(f"answer {guess.value!r} is impossible for a {task.kind} task: it takes {', '.join(ANSWERS[task.kind])}")
    answer: Answer = next(known for known in get_args(Answer) if known == guess.value)
    reason = Reason("answer", answer, guess.why + (f"; it is that of {task.classes[1]!r}" if answer == "probability" else ""), guess.sure)
    if sample is None:
        columns = (
            task.classes
            if answer == "probabilities"
            else task.classes
            if answer == "number"
            else (("label",) if target.columns[:1] != ("label",) and len(target.columns) > 1 else target.columns)
        )
        filler = {"probability": "0.5", "probabilities": repr(1 / len(task.classes)), "number": "0"}.get(answer, task.classes[0])
        rows = pd.DataFrame({"id": test_ids, **dict.fromkeys(columns, filler)}, dtype="str")
        return SubmissionFormat(answer, rows, "id", columns), reason
    if answer == "probabilities":
        unknown = [name for name in sample.answer_columns if name not in task.classes]
        if unknown:
            raise CompetitionError(
                f"{sample.path}: {len(unknown)} columns are none of the classes ({examples(task.classes)}): {examples(unknown)}"
            )
        if task.one_of_many and (lacking := [name for name in task.classes if name not in sample.answer_columns]):
            raise CompetitionError(f"{sample.path}: {len(lacking)} classes have no column: {examples(lacking)}")
    elif answer == "number" and len(task.classes) > 1:
        if unknown := [name for name in sample.answer_columns if name not in task.classes]:
            raise CompetitionError(
                f"{sample.path}: {len(unknown)} columns are none of the targets ({examples(task.classes)}): {examples(unknown)}"
            )
    elif len(sample.answer_columns) > 1 and answer != "ranked":
        raise CompetitionError(
            f"{sample.path}: answer {answer!r} goes into one column, the sample has {len(sample.answer_columns)}: "
            f"{examples(sample.answer_columns)}"
        )
    places = (_ranking(target, sample) if answer == "ranked" else 0) or USUAL_PLACES
    form = SubmissionFormat(answer, sample.frame, sample.id_column, sample.answer_columns, places, file=sample.path)
    return (replace(form, separator=_separator(target, sample)) if answer == "labels" else form), reason


def _separator(target: Target, sample: Sample) -> str:
    """What stands between labels: as in the sample's lists; where it has none, as in the training rows, unless these are lists of JSON."""
    cells, classes = sample.frame[sample.answer_columns[0]].tolist(), set(target.task.classes)
    for separator in SEPARATORS:
        if any(len(parts := split_labels(cell, separator)) > 1 and classes.issuperset(parts) for cell in cells):
            return separator
    return target.between


def known_metric(name: str, ask: CompetitionConfig) -> str | None:
    """The metric asked for, or known of a competition of this name; None where it is to be guessed.

    Raises: CompetitionError for one that there is not.
    """
    return METRIC_OF.get(name) if ask.metric == "auto" else choose("metric", ask.metric, METRICS)


def find_metric(name: str, target: Target, sample: Sample | None, submission: SubmissionFormat, ask: CompetitionConfig) -> Reason:
    """What the leaderboard scores by: as asked for, as known of a competition of this name, or as is probable.

    Raises: CompetitionError for a metric asked for that is not known or does not fit the task.
    """
    if ask.metric != "auto":
        return Reason("metric", check_metric(ask.metric, target.task), "asked for")
    known = METRIC_OF.get(name)
    if known is not None and target.task.kind in METRICS[known].tasks:
        return Reason("metric", known, f"what {name} is known to be scored by")
    guess = _metric(target, sample, submission)
    return Reason("metric", guess.value, guess.why, guess.sure)


def _answer(target: Target, sample: Sample | None, metric: str | None) -> Guess:
    kind = target.task.kind
    if kind == "regression":
        return Guess("number", "the target is a number" if len(target.task.classes) == 1 else "the targets are numbers")
    if sample is None and kind == "multilabel" and any(" " in name for name in target.task.classes):
        return Guess("probabilities", "no sample submission, and class names with spaces: a column a class", False)
    if sample is None:
        return Guess("labels" if kind == "multilabel" else "label", "no sample submission: a format of our own", False)
    if kind == "multiclass" and (places := _columns_of_names(target, sample)):
        return Guess("ranked", f"the sample has {places} columns of class names, and a training row has one")
    column, *others = sample.answer_columns
    if others:
        return Guess("probabilities", f"the sample has {len(sample.answer_columns)} columns, one a class")
    if kind == "multilabel":
        if are_in_brackets(sample.frame[column].tolist()):
            return Guess("labels", "the sample has one column, and cells are lists; its brackets and quotes are not written", False)
        return Guess("labels", "the sample has one column, and cells are lists")
    if kind == "multiclass" and (places := _ranking(target, sample)):
        return Guess("ranked", f"the sample names {places} classes a row, and a training row has one")
    if kind in ("multiclass", "ordinal"):
        cells = set(sample.frame[column].str.strip()) - {""}
        known = not cells or not cells.isdisjoint(target.task.classes)
        none = "" if known else f"; none of its cells, such as {min(cells)!r}, is one"
        return Guess("label", f"the sample has one column for {len(target.task.classes)} classes{none}", known)
    guess = _binary_answer(target, sample)
    if metric is None or guess.sure or not set(sample.frame[column].str.strip()) <= {*target.task.classes, ""}:
        return guess
    return Guess("label" if METRICS[metric].needs == "labels" else "probability", f"{guess.why}; {metric} is of {METRICS[metric].needs}")


def _columns_of_names(target: Target, sample: Sample) -> int:
    """How many columns hold a class name each, where columns are not called after classes; 0 where others do not."""
    columns, classes = sample.answer_columns, set(target.task.classes)
    cells = sample.frame[list(columns)].to_numpy().ravel().tolist()
    named = sum(cell.strip() in classes for cell in cells) * 2 > len(cells) and classes.isdisjoint(columns)
    return len(columns) if len(columns) > 1 and named else 0


def _ranking(target: Target, sample: Sample) -> int:
    """How many names the sample lists where one is enough; 0 where its cells are no lists, or names are not words."""
    column, *others = sample.answer_columns
    if others:
        return len(sample.answer_columns)
    classes = set(target.task.classes)
    if any(len(name.split()) != 1 for name in classes):
        return 0
    cells = [split_labels(cell, " ") for cell in sample.frame[column].tolist()]
    lists = [names for names in cells if len(names) > 1 and not classes.isdisjoint(names)]
    return max(map(len, lists)) if len(lists) * 2 > len(cells) else 0


def _binary_answer(target: Target, sample: Sample) -> Guess:
    cells = sorted(set(sample.frame[sample.answer_columns[0]].str.strip()))
    if cells == [""]:
        return Guess("probability", "two classes and one column; the sample leaves it empty", False)
    numbers = _numbers(cells)
    if numbers is None and set(cells) <= {*target.task.classes, ""}:
        return Guess("label", f"the sample holds class names ({examples(cells)})")
    if set(cells) == set(target.task.classes):
        return Guess("label", f"the sample holds both classes ({examples(cells)})", False)
    if numbers is None or (not set(target.task.classes) <= SHARES and set(cells) <= set(target.task.classes)):
        return Guess("label", f"the sample holds {examples(cells)}, no probabilities", set(cells) <= set(target.task.classes))
    if len(cells) == 1:
        fraction = numbers is not None and bool((numbers % 1).any())
        return Guess("probability", f"two classes and one column of numbers; the sample holds {cells[0]!r} in all rows", fraction)
    return Guess("probability", "two classes and one column of numbers")


def _metric(target: Target, sample: Sample | None, submission: SubmissionFormat) -> Guess:
    kind, answer = target.task.kind, submission.answer
    if kind == "regression":
        return Guess("rmse", "the target is a number", False)
    if answer == "probability":
        guessed = sample is not None and sample.frame[sample.answer_columns[0]].nunique() == 1
        return Guess(
            "roc_auc",
            "two classes and one column of probabilities; log loss is asked for as well"
            + (", and the sample is constant" if guessed else ""),
            False,
        )
    if answer == "labels":
        return Guess("f1_micro", "lists of labels", False)
    if answer == "ranked":
        return Guess(f"map{min(submission.places, PLACES[-1])}", f"{submission.places} names a row, best first")
    if answer == "label":
        if kind == "ordinal":
            return Guess("qwk", "grades, one a row; accuracy is asked for as well", False)
        grades = len(target.task.classes) < 10 and consecutive(target.task.classes)  # ten are digits
        may_be = f"; {len(target.task.classes)} consecutive numbers may be grades, scored by a weighted kappa" if grades else ""
        return Guess("accuracy", f"class labels{may_be}", not grades)
    if len(target.columns) > 1:
        return Guess("roc_auc", f"{len(target.columns)} columns of 0 and 1: the mean of the columns' areas", False)
    values = _numbers(sample.frame[list(submission.answer_columns)].to_numpy().ravel().tolist()) if sample else None
    if values is not None and (abs(values.reshape(-1, len(submission.answer_columns)).sum(axis=1) - 1) <= ROW_SUM_TOLERANCE).all():
        return Guess("log_loss", "the sample's probabilities sum to 1 in each row")
    return Guess("log_loss", "one column a class", False)


def _numbers(cells: list[str]) -> np.ndarray | None:
    try:
        values = np.asarray([float(cell) for cell in cells])
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None
