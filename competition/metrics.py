"""What a leaderboard scores by: pure functions (truth, probs, task) -> float, and METRICS, the dictionary of them.

Legend: N rows, K columns of a table. truth is float32 N x K as `Task.encode` gives it, probs N x K, both in the same order of rows.

Metrics of labels decide first: the likeliest class, or for a multilabel task each class of at least 0.5. scikit-learn takes
more than a second to import, so it is imported where it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from competition.errors import CompetitionError, choose, examples
from competition.task import ONE_OF_MANY, Kind, Task

SURE = 1e-6  # graders clip at 2e-16, where one sure mistake among n rows costs 36/n; so tables are scored and written clipped here
THRESHOLD = 0.5
PLACES = range(1, 21)  # of rankings
USUAL_PLACES = 5
BLOCK_CELLS = 4_000_000  # of a table, that are turned to float64 at a time
SORTED_COLUMNS = 64  # at a time
CLASSES: tuple[Kind, ...] = (*ONE_OF_MANY, "multilabel")
RANKED: tuple[Kind, ...] = ("multiclass", "ordinal")


@dataclass(frozen=True)
class Metric:
    """A metric and what it is good for.

    tasks: the kinds of task it serves. needs: whether it looks at the probabilities (or numbers) or at the labels decided from them.
    places: of a ranking, how many count, where there is one such metric for each number of them; else 0.
    rows: each row's own value (N), where the metric is their mean.
    """

    function: Callable[[np.ndarray, np.ndarray, Task], float]
    greater_is_better: bool
    tasks: tuple[Kind, ...]
    needs: Literal["probs", "labels"]
    doc: str
    places: int = 0
    rows: Callable[[np.ndarray, np.ndarray, Task], np.ndarray] | None = None


def score(metric: str, truth: np.ndarray, predicted: "pd.DataFrame | np.ndarray", task: Task) -> float:
    """The metric's value; nan where it is not defined (an AUC of rows that are all of one class).

    Rows of a DataFrame are taken in their order: whoever has ids aligns by them first.

    Raises: CompetitionError for an unknown metric, one that does not fit the task, and shapes or columns that do not fit.
    """
    check_metric(metric, task)
    if isinstance(predicted, pd.DataFrame):
        if list(predicted.columns) != list(task.classes):
            raise CompetitionError(
                f"columns should be the classes in their order ({examples(task.classes)}), they are {examples(predicted.columns)}"
            )
        predicted = predicted.to_numpy()
    if truth.shape != predicted.shape or truth.ndim != 2 or truth.shape[1] != len(task.classes):
        raise CompetitionError(f"truth is {truth.shape} and predictions are {predicted.shape}: both should be rows x {len(task.classes)}")
    if not len(truth):
        raise CompetitionError(f"there are no rows to compute {metric} of")
    each = row_values(metric, truth, predicted, task)
    return float(METRICS[metric].function(truth, predicted.astype(np.float64, copy=False), task) if each is None else each.mean())


def row_values(metric: str, truth: np.ndarray, probs: np.ndarray, task: Task) -> np.ndarray | None:
    """float64 N: each row's own value of a metric that is their mean; None for any other. In blocks: wide tables are not copied whole."""
    each = METRICS[metric].rows
    if each is None:
        return None
    blocks = row_blocks(*truth.shape)
    return np.concatenate([each(truth[rows], probs[rows].astype(np.float64, copy=False), task).astype(np.float64) for rows in blocks])


def row_blocks(rows: int, columns: int) -> list[slice]:
    """The rows of a table, some of them at a time, so that what is made of them stays small beside a wide one."""
    step = max(1, BLOCK_CELLS // max(1, columns))
    return [slice(start, start + step) for start in range(0, rows, step)]


def check_metric(name: str, task: Task) -> str:
    """`name` itself where it is a metric that fits the task.

    Raises: CompetitionError that names the nearest metrics, or those that fit.
    """
    choose("metric", name, METRICS)
    if task.kind not in METRICS[name].tasks:
        fitting = ", ".join(other for other, metric in METRICS.items() if task.kind in metric.tasks and metric.places in (0, USUAL_PLACES))
        raise CompetitionError(f"metric {name!r} does not fit a {task.kind} task: use {fitting}")
    if name == "qwk" and task.kind != "regression":
        _numeric_order(task)
    elif name == "qwk" and len(task.classes) > 1:
        raise CompetitionError(f"metric 'qwk' is of one column of grades, these are {len(task.classes)}: {examples(task.classes)}")
    return name


def decide(probs: np.ndarray, task: Task, at_least_one: bool = False) -> np.ndarray:
    """bool N x K: the likeliest class (the first of equals), or for a multilabel task each class of at least 0.5.

    at_least_one: a multilabel row in which nothing reaches 0.5 gets its likeliest class.
    """
    likeliest = np.arange(len(task.classes)) == probs.argmax(axis=1)[:, None]
    if task.one_of_many:
        return likeliest
    chosen = probs >= THRESHOLD
    return chosen | (likeliest & ~chosen.any(axis=1, keepdims=True)) if at_least_one else chosen


def best_first(values: np.ndarray, places: int) -> np.ndarray:
    """int N x places: of each row the columns of the largest values, of equals the first."""
    return np.argsort(-values, axis=1, kind="stable")[:, :places]


def among_best(values: np.ndarray, places: int) -> np.ndarray:
    """bool N x K: which columns are among so many of the largest values of their row, of equals the first."""
    chosen = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(chosen, best_first(values, places), True, axis=1)
    return chosen


def clip_sure(probs: np.ndarray, task: Task) -> np.ndarray:
    """float64 N x K of probabilities in [1e-6, 1 - 1e-6]; rows of a one-of-many task are then made to sum to 1 again."""
    clipped = np.clip(probs.astype(np.float64), SURE, 1 - SURE)
    return clipped / clipped.sum(axis=1, keepdims=True) if task.one_of_many else clipped


def right(truth: np.ndarray, probs: np.ndarray, task: Task) -> np.ndarray:
    """Whether a row is right; of several labels, when all of them are."""
    if task.one_of_many:
        return probs.argmax(axis=1) == truth.argmax(axis=1)
    return (decide(probs, task) == (truth > THRESHOLD)).all(axis=1)


def balanced_accuracy(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Mean over classes of the share of their rows that are found; classes without rows are left out."""
    true = truth > THRESHOLD
    rows = true.sum(axis=0)
    found = (true & decide(probs, task)).sum(axis=0)
    return float((found[rows > 0] / rows[rows > 0]).mean())


def surprise(truth: np.ndarray, probs: np.ndarray, task: Task) -> np.ndarray:
    """-ln p(true class), natural logarithm; for a multilabel task the mean over a row's cells.

    Scored as it is submitted, see `clip_sure`: the smallest possible value is about 1e-6 times the number of classes.
    """
    clipped = clip_sure(probs, task)
    if task.one_of_many:
        return -(truth * np.log(clipped)).sum(axis=1)
    return -(truth * np.log(clipped) + (1 - truth) * np.log1p(-clipped)).mean(axis=1)


def roc_auc(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Area under the ROC curve: of the positive class (binary), one class against the rest (multiclass), of each column (multilabel).

    The mean over columns; a column whose rows are all of one kind has none and is left out, nan where none remains.
    """
    columns = slice(1, None) if task.kind == "binary" else slice(None)
    each = areas(truth[:, columns] > THRESHOLD, probs[:, columns])
    return float(each[np.isfinite(each)].mean()) if np.isfinite(each).any() else float("nan")


def areas(true: np.ndarray, values: np.ndarray) -> np.ndarray:
    """float64 K: the area under the ROC curve of each column (bool N x K, and any numbers); nan where its rows are all of one kind.

    By the sum of the ranks of the positives (Mann and Whitney), which for the hundreds of draws of an interval is many times as fast as
    drawing the curve.
    """
    found = np.full(true.shape[1], np.nan)
    for start in range(0, true.shape[1], SORTED_COLUMNS):
        few = slice(start, start + SORTED_COLUMNS)
        flags, columns = np.ascontiguousarray(true[:, few].T), np.ascontiguousarray(values[:, few].T)
        for place, (flag, column, ordered) in enumerate(zip(flags, columns, np.sort(columns, axis=1), strict=True), start):
            its = column[flag]
            positives, negatives = len(its), len(column) - len(its)
            if positives and negatives:
                ranks = (np.searchsorted(ordered, its, "left") + np.searchsorted(ordered, its, "right") + 1) / 2
                found[place] = (ranks.sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return found


def average_precision(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Area under the precision-recall curve, as steps; columns as for `roc_auc`."""
    from sklearn.metrics import average_precision_score

    return _mean_of_columns(truth, probs, task, average_precision_score)


def f1_macro(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Mean of the classes' F1. A class that is neither true nor guessed anywhere is left out; one that is only guessed counts as 0."""
    hits, misses = _hits_and_misses(truth, probs, task)
    seen = hits + misses > 0
    return float((2 * hits[seen] / (2 * hits[seen] + misses[seen])).mean()) if seen.any() else 1.0


def f1_micro(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """F1 of all decisions pooled; for one class a row it equals accuracy."""
    hits, misses = (counts.sum() for counts in _hits_and_misses(truth, probs, task))
    return float(2 * hits / (2 * hits + misses)) if hits + misses else 1.0


def f1(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """F1 of the positive (second) class; 1 where it is neither true nor guessed."""
    hits, misses = (counts[1] for counts in _hits_and_misses(truth, probs, task))
    return float(2 * hits / (2 * hits + misses)) if hits + misses else 1.0


def f_of_row(beta: float) -> Callable[[np.ndarray, np.ndarray, Task], np.ndarray]:
    """A row's F-beta, in which recall counts beta times as much; 1 for a row that is rightly left empty."""

    def each(truth: np.ndarray, probs: np.ndarray, task: Task) -> np.ndarray:
        true, chosen = truth > THRESHOLD, decide(probs, task)
        hits, wanted, given = (true & chosen).sum(axis=1), true.sum(axis=1), chosen.sum(axis=1)
        weighed = beta**2 * wanted + given
        return np.where(weighed > 0, (1 + beta**2) * hits / np.maximum(weighed, 1e-12), 1.0)

    return each


def pf1(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Probabilistic F1 of the positive class: probabilities stand for counts. Source: Yacouby and Axman 2020; used by RSNA's breast cancer
    detection. 0 where no probability lies on a positive."""
    true, its = truth[:, 1] > THRESHOLD, probs[:, 1]
    hits = float(its[true].sum())
    return 2 * hits / (float(its.sum()) + int(true.sum())) if hits else 0.0


def mcc(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Matthews correlation coefficient; 0 where truth or guess is one class only."""
    shares = _confusion(truth, probs)
    true, chosen = shares.sum(axis=1), shares.sum(axis=0)
    spread = (1 - (true**2).sum()) * (1 - (chosen**2).sum())
    return float((np.trace(shares) - true @ chosen) / np.sqrt(spread)) if spread > 1e-12 else 0.0


def kappa(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Cohen's kappa: agreement beyond chance. 1 where truth and guess are the same single class."""
    return _kappa(truth, probs, 1 - np.eye(len(task.classes)))


def qwk(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Cohen's kappa where a mistake weighs the squared distance between the classes' places in numeric order.

    Numbers are rounded first, and kept between the smallest and the largest of the truth.
    """
    if task.kind == "regression":
        low, high = int(np.rint(truth.min())), int(np.rint(truth.max()))
        true, chosen = (np.clip(np.rint(values[:, 0]), low, high).astype(int) - low for values in (truth, probs))
        return _kappa_of_codes(true, chosen, (np.arange(high - low + 1)[:, None] - np.arange(high - low + 1)) ** 2)
    place = np.argsort(_numeric_order(task)).astype(np.float64)
    return _kappa(truth, probs, (place[:, None] - place) ** 2)


def missed_by(places: int) -> Callable[[np.ndarray, np.ndarray, Task], np.ndarray]:
    """Whether a row's true class is not among the likeliest `places` (of equals, the first)."""

    def missed(truth: np.ndarray, probs: np.ndarray, task: Task) -> np.ndarray:
        return places_ahead(truth, probs) >= places

    return missed


def precision_at(places: int) -> Callable[[np.ndarray, np.ndarray, Task], np.ndarray]:
    """A row's average precision of the likeliest `places`, of which MAP@places is the mean.

    Of one true class a row: 1, 1/2, 1/3 ... where it is named first, second, third ..., 0 behind the last place. Of several: the mean, over
    as many of them as fit, of the share of true ones down to each that is found. A row without any counts 0.
    """

    def average_precision_of_row(truth: np.ndarray, probs: np.ndarray, task: Task) -> np.ndarray:
        if task.one_of_many:
            ahead = places_ahead(truth, probs)
            return np.where(ahead < places, 1 / (1 + ahead), 0)
        best = best_first(probs, places)
        found = np.take_along_axis(truth, best, axis=1) > THRESHOLD
        precision = found.cumsum(axis=1) / np.arange(1, best.shape[1] + 1)
        most = np.clip((truth > THRESHOLD).sum(axis=1), 1, places)
        return (precision * found).sum(axis=1) / most

    return average_precision_of_row


def rmse(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Root of the mean squared error, in the target's unit; of several targets, over all cells."""
    return float(np.sqrt(((truth.astype(np.float64) - probs) ** 2).mean()))


def mcrmse(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Mean over targets of the root of the mean squared error."""
    return float(np.sqrt(((truth.astype(np.float64) - probs) ** 2).mean(axis=0)).mean())


def rmsle(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Root of the mean squared difference of ln(1 + value); predictions below 0 count as 0.

    Raises: CompetitionError where the truth holds numbers below 0.
    """
    if (truth < 0).any():
        raise CompetitionError(f"metric 'rmsle' needs numbers of 0 or more, the smallest of {examples(task.classes)} is {truth.min():g}")
    return float(np.sqrt(((np.log1p(truth.astype(np.float64)) - np.log1p(np.maximum(probs, 0))) ** 2).mean()))


def mae(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Mean absolute error, in the target's unit; of several targets, over all cells."""
    return float(np.abs(truth.astype(np.float64) - probs).mean())


def r2(truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    """Share of the variance explained, mean over targets; where the truth does not vary, 1 for all right and 0 else."""
    true = truth.astype(np.float64)
    missed, spread = ((true - probs) ** 2).sum(axis=0), ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    return float(np.where(spread > 0, 1 - missed / np.where(spread > 0, spread, 1), missed == 0).mean())


def _mean_of_columns(truth: np.ndarray, probs: np.ndarray, task: Task, area: Callable[[np.ndarray, np.ndarray], float]) -> float:
    true = truth > THRESHOLD
    if task.kind == "binary":  # the positive column only: 1 - p rounds small differences away
        true, probs = true[:, 1:], probs[:, 1:]
    both = [column for column in range(true.shape[1]) if 0 < true[:, column].sum() < len(true)]
    return float(np.mean([area(true[:, column], probs[:, column]) for column in both])) if both else float("nan")


def _hits_and_misses(truth: np.ndarray, probs: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """A column each: how often it is rightly chosen, and how often wrongly chosen or wrongly left out."""
    true, chosen = truth > THRESHOLD, decide(probs, task)
    return (true & chosen).sum(axis=0), (true ^ chosen).sum(axis=0)


def places_ahead(truth: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """How many classes are likelier than a row's true one; of equals, the first goes ahead."""
    true = truth.argmax(axis=1)[:, None]
    its = np.take_along_axis(probs, true, axis=1)
    return ((probs > its) | ((probs == its) & (np.arange(probs.shape[1]) < true))).sum(axis=1)


def _kappa(truth: np.ndarray, probs: np.ndarray, weights: np.ndarray) -> float:
    return _kappa_of_codes(truth.argmax(axis=1), probs.argmax(axis=1), weights)


def _kappa_of_codes(true: np.ndarray, chosen: np.ndarray, weights: np.ndarray) -> float:
    shares = _confusion_of_codes(true, chosen, len(weights))
    expected = (weights * np.outer(shares.sum(axis=1), shares.sum(axis=0))).sum()
    return float(1 - (weights * shares).sum() / expected) if expected > 0 else 1.0


def _confusion(truth: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """K x K, true class by likeliest class, as shares of all rows."""
    return _confusion_of_codes(truth.argmax(axis=1), probs.argmax(axis=1), truth.shape[1])


def _confusion_of_codes(true: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(true * count + chosen, minlength=count * count).reshape(count, count) / len(true)


def _numeric_order(task: Task) -> np.ndarray:
    """The columns from the lowest class to the highest: "10" comes after "9"."""
    if task.kind == "ordinal":
        return np.arange(len(task.classes))
    try:
        return np.argsort([float(name) for name in task.classes], kind="stable")
    except ValueError:
        raise CompetitionError(f"metric 'qwk' needs classes that are numbers, these are {examples(task.classes)}") from None


def _by_rows(
    rows: Callable[[np.ndarray, np.ndarray, Task], np.ndarray],
    greater_is_better: bool,
    tasks: tuple[Kind, ...],
    needs: Literal["probs", "labels"],
    doc: str,
    places: int = 0,
) -> Metric:
    """The metric that is the mean of what each row has."""
    return Metric(lambda truth, probs, task: float(rows(truth, probs, task).mean()), greater_is_better, tasks, needs, doc, places, rows)


METRICS: dict[str, Metric] = {
    "accuracy": _by_rows(right, True, CLASSES, "labels", "share of rows that are right"),
    "balanced_accuracy": Metric(balanced_accuracy, True, ONE_OF_MANY, "labels", "mean over classes of the share that is found"),
    "log_loss": _by_rows(surprise, False, CLASSES, "probs", "mean of -ln p of what is true"),
    "roc_auc": Metric(roc_auc, True, CLASSES, "probs", "area under the ROC curve, mean over columns"),
    "average_precision": Metric(average_precision, True, CLASSES, "probs", "area under the precision-recall curve, mean over columns"),
    "f1_macro": Metric(f1_macro, True, CLASSES, "labels", "mean of the classes' F1"),
    "f1_micro": Metric(f1_micro, True, CLASSES, "labels", "F1 of all decisions pooled"),
    "f1": Metric(f1, True, ("binary",), "labels", "F1 of the positive class"),
    "f1_samples": _by_rows(f_of_row(1), True, ("multilabel",), "labels", "mean of the rows' F1"),
    "f2_samples": _by_rows(f_of_row(2), True, ("multilabel",), "labels", "mean of the rows' F2, where recall counts twice"),
    "pf1": Metric(pf1, True, ("binary",), "probs", "F1 of the positive class, with probabilities for counts"),
    "mcc": Metric(mcc, True, ONE_OF_MANY, "labels", "Matthews correlation coefficient"),
    "kappa": Metric(kappa, True, ONE_OF_MANY, "labels", "agreement beyond chance"),
    "qwk": Metric(qwk, True, (*ONE_OF_MANY, "regression"), "labels", "kappa with squared distances between ordered classes"),
    "rmse": Metric(rmse, False, ("regression",), "probs", "root of the mean squared error"),
    "mcrmse": Metric(mcrmse, False, ("regression",), "probs", "mean over targets of the root of the mean squared error"),
    "rmsle": Metric(rmsle, False, ("regression",), "probs", "root of the mean squared error of ln(1 + value)"),
    "mae": Metric(mae, False, ("regression",), "probs", "mean absolute error"),
    "r2": Metric(r2, True, ("regression",), "probs", "share of the variance explained, mean over targets"),
    **{
        f"map{k}": _by_rows(precision_at(k), True, (*RANKED, "multilabel"), "probs", f"average precision of the likeliest {k}", k)
        for k in PLACES
    },
    **{f"top{k}_error": _by_rows(missed_by(k), False, RANKED, "probs", f"share of rows without the true class in {k}", k) for k in PLACES},
}
