"""What is allowed in a submission and looks like a mistake: answers that are all alike, or not like those out of fold."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from competition.contest import Competition
from competition.errors import examples
from competition.metrics import METRICS, among_best, decide
from submissions.problem import Problem, many, places_of, split_of, values_of

SHARE_TOLERANCE = 0.1  # a class's share may differ by so much between out-of-fold and test ...
STANDARD_ERRORS = 4.0  # ... or by so many standard errors, whichever is more
MEAN_TOLERANCE = 0.5  # the mean of a number may differ by so many of its standard deviations
DISTANCE_TOLERANCE = 0.25  # two distributions of numbers may be so far apart (Kolmogorov-Smirnov) ...
DISTANCE_ERRORS = 2.5  # ... or so many times sqrt(1/n + 1/m), whichever is more
FEWEST_ROWS = 20  # that fewer rows are alike, or shared out otherwise, says nothing


def sameness(answers: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    """What looks as if the network had learned nothing: one answer for all rows, one likeliest class, columns that never change."""
    if len(answers) < FEWEST_ROWS or not len(answers.columns):
        return
    if len(distinct := answers.drop_duplicates()) == 1:
        yield Problem("warning", f"all {len(answers):,} rows have the same answer", examples(distinct.iloc[0]))
        return
    constant = [f"{name} ({values.iloc[0]})" for name, values in answers.items() if values.nunique() == 1 and values.iloc[0]]
    if constant and len(answers.columns) > 1:
        yield Problem("warning", f"{many(constant, 'column has', 'columns have')} the same answer in all rows", examples(constant))
    task, asked = competition.task, competition.submission
    if asked.answer == "probabilities" and task.one_of_many and len(answers.columns) > 1:
        best = values_of(answers).argmax(axis=1)
        rows_of = competition.truth.mean(axis=0)[[task.classes.index(name) for name in answers.columns]]
        if (best == best[0]).all() and rows_of[best[0]] < 1 - SHARE_TOLERANCE:
            named = f"{answers.columns[best[0]]} ({rows_of[best[0]]:.0%} of the training rows)"
            yield Problem("warning", f"all {len(answers):,} rows have the same likeliest class", examples([named]))
    if asked.answer == "ranked":
        first = answers.iloc[:, 0].map(lambda cell: (split_of(competition)(str(cell)) or [""])[0])
        if first.nunique() == 1:
            yield Problem("warning", f"all {len(answers):,} rows begin with the same class", examples(first.iloc[:1]))


def shares(answers: pd.DataFrame, competition: Competition, oof: pd.DataFrame) -> Iterator[Problem]:
    """Classes that the submission gives much more or less often than the out-of-fold predictions do; for a number, its mean."""
    task, asked = competition.task, competition.submission
    if min(len(answers), len(oof)) < FEWEST_ROWS:
        return
    predicted = oof[list(task.classes)].to_numpy(dtype=np.float64)
    if asked.answer == "number":
        given, predicted = values_of(answers), predicted[:, places_of(answers.columns, competition)]
        mean, middle, spread = given.mean(axis=0), predicted.mean(axis=0), np.maximum(predicted.std(axis=0), 1e-12)
        names = answers.columns.tolist()
        far = np.flatnonzero(np.abs(mean - middle) > MEAN_TOLERANCE * spread)
        for place in far.tolist():
            of = f" of {names[place]!r}" if len(mean) > 1 else ""
            told = f"out of fold it is {middle[place]:.4g} with standard deviation {spread[place]:.4g}"
            yield Problem("warning", f"the mean{of} is {mean[place]:.4g}, {told}")
        if not len(far):
            yield from _distances(given, predicted, names)
        return
    if asked.answer in ("label", "labels", "ranked"):
        names = task.classes
        words = {"label": lambda cell: [cell], "labels": split_of(competition), "ranked": lambda cell: split_of(competition)(cell)[:1]}[
            asked.answer
        ]
        cells = [words(cell) for cell in answers.iloc[:, 0]]
        counts = Counter(word for words in cells for word in set(words))
        given = np.array([counts[name] / len(answers) for name in names])
        places = METRICS[competition.metric].places if asked.answer == "labels" else 0
        taken = among_best(predicted, places) if places else decide(predicted, task, at_least_one=not competition.may_be_empty)
        expected = taken.mean(axis=0)
    else:
        names = task.classes[1:] if asked.answer == "probability" else asked.answer_columns
        given = values_of(answers).mean(axis=0)
        expected = predicted[:, [task.classes.index(name) for name in names]].mean(axis=0)
    error = np.sqrt(expected * (1 - expected) * (1 / len(answers) + 1 / len(oof)))
    far = np.flatnonzero(np.abs(given - expected) > np.maximum(SHARE_TOLERANCE, STANDARD_ERRORS * error))
    if len(far):
        named = [f"{names[place]}: {given[place]:.2f}, out of fold {expected[place]:.2f}" for place in far]
        yield Problem("warning", f"{many(far, 'class has', 'classes have')} another share than out of fold", examples(named))
    elif asked.answer in ("probability", "probabilities"):
        yield from _distances(values_of(answers), predicted[:, [task.classes.index(name) for name in names]], tuple(names))


def _distances(given: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> Iterator[Problem]:
    """Columns of numbers that are distributed otherwise than out of fold, though their means agree: too sure, or not sure enough."""
    far = []
    for place, name in enumerate(names):
        one, other = np.sort(given[:, place]), np.sort(predicted[:, place])
        at = np.concatenate([one, other])
        shares = [np.searchsorted(sample, at, side="right") / len(sample) for sample in (one, other)]
        distance = float(np.abs(shares[0] - shares[1]).max())
        if distance > max(DISTANCE_TOLERANCE, DISTANCE_ERRORS * np.sqrt(1 / len(one) + 1 / len(other))):
            middle = [np.quantile(sample, (0.1, 0.9)) for sample in (one, other)]
            far.append(f"{name}: 8 of 10 in [{middle[0][0]:.3g}, {middle[0][1]:.3g}], out of fold [{middle[1][0]:.3g}, {middle[1][1]:.3g}]")
    if far:
        yield Problem("warning", f"{many(far, 'column is', 'columns are')} spread otherwise than out of fold", examples(far))
