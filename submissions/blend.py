"""Several tables become one, aligned by id: rows that stand at the same place in two files need not be the same image.

Sources: greedy selection with bagging, Caruana et al. 2004, "Ensemble Selection from Libraries of Models"; stacking, Wolpert 1992.

Legend: T tables, N rows, K columns. values: float64, what a blend fitted to out-of-fold tables, with a number for each table or fewer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.errors import choose, examples
from competition.metrics import SURE
from competition.tables import as_table, check_table
from competition.task import KINDS, ONE_OF_MANY, Kind, Task
from submissions.errors import SubmissionError

POWERS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
BAGS = 10
MOST_PICKS = 20
MOST_CELLS = 500_000  # of all tables together, that weights are fitted to; of larger ones, every n-th row
PENALTIES = np.logspace(-3, 3, 7)
Worth = Callable[[np.ndarray, np.ndarray], float]  # truth, probs (both N x K) -> score, higher is better


@dataclass(frozen=True)
class Blend:
    """fit: (tables T x N x K, truth, task, worth) -> values. combine: (tables, values, task) -> N x K, before rows are made to sum to 1."""

    doc: str
    combine: Callable[[np.ndarray, np.ndarray, Task], np.ndarray]
    fit: Callable[[np.ndarray, np.ndarray, Task, Worth], np.ndarray] | None = None
    tells_runs_apart: bool = False
    tasks: tuple[Kind, ...] = KINDS


def blend(tables: Mapping[str, pd.DataFrame], task: Task, how: str = "mean", values: np.ndarray | None = None) -> pd.DataFrame:
    """One table with the rows of the first, from tables by name ("baseline-1a2b3c") that hold the same ids and classes in any order.

    values: those that `how` was fitted to, for the same tables in the same order.

    Raises: SubmissionError that names the tables whose ids or classes differ, or a blend that needs values or another task;
    CompetitionError for a table that is none (see `check_table`) and for an unknown `how`.
    """
    choose("blend", how, BLENDS)
    if task.kind not in BLENDS[how].tasks:
        raise SubmissionError(f"blend {how!r} does not fit a {task.kind} task: use {', '.join(blends_for(task))}")
    if BLENDS[how].fit and values is None:
        raise SubmissionError(f"blend {how!r} needs values that were fitted to out-of-fold tables")
    ids, stack = aligned(tables, task)
    return as_table(ids, combined(how, stack, np.empty(0) if values is None else values, task), task)


def aligned(tables: Mapping[str, pd.DataFrame], task: Task) -> tuple[pd.Index, np.ndarray]:
    """The ids of the first table, and float64 T x N x K in their order.

    Raises: SubmissionError, CompetitionError as `blend` does.
    """
    if not tables:
        raise SubmissionError("there is no table to blend")
    first, ids = next((name, table.index) for name, table in tables.items())
    parts: list[np.ndarray] = []
    for name, table in tables.items():
        _require_same(f"{name}: classes", table.columns, task.classes, "the competition")
        checked = check_table(table.loc[:, list(task.classes)], task, name)
        _require_same(f"{name}: ids", checked.index, ids, first)
        parts.append(checked.loc[ids].to_numpy(dtype=np.float64))
    return ids, np.stack(parts)


def combined(how: str, stack: np.ndarray, values: np.ndarray, task: Task) -> np.ndarray:
    """N x K from T x N x K; where one class holds, rows sum to 1."""
    table = BLENDS[how].combine(stack, values, task)
    return table / np.maximum(table.sum(axis=1, keepdims=True), SURE) if task.one_of_many else table


def fitted(how: str, stack: np.ndarray, truth: np.ndarray, task: Task, worth: Worth) -> np.ndarray:
    """The blend's values for tables whose truth is known; none where it needs none."""
    fit = BLENDS[how].fit
    thin = -(-stack.size // MOST_CELLS)
    return np.empty(0) if fit is None else fit(stack[:, ::thin], truth[::thin], task, worth)


def blends_for(task: Task) -> list[str]:
    """The names of BLENDS that fit the task."""
    return [name for name, one in BLENDS.items() if task.kind in one.tasks]


def _require_same(what: str, has: "pd.Index | tuple[str, ...]", wanted: "pd.Index | tuple[str, ...]", of: str) -> None:
    present, expected = set(has), set(wanted)
    differences = []
    if missing := [name for name in wanted if name not in present]:
        differences.append(f"{len(missing):,} of {of} are missing ({examples(missing)})")
    if unknown := [name for name in has if name not in expected]:
        differences.append(f"{len(unknown):,} are not in {of} ({examples(unknown)})")
    if differences:
        raise SubmissionError(f"{what} differ, so it cannot be blended: {'; '.join(differences)}. Predict the same images with each run")


def mean(stack: np.ndarray, values: np.ndarray, task: Task) -> np.ndarray:
    return stack.mean(axis=0)


def weighted(stack: np.ndarray, values: np.ndarray, task: Task) -> np.ndarray:
    """values: T weights that sum to 1."""
    return np.tensordot(values, stack, axes=1)


def geometric(stack: np.ndarray, values: np.ndarray, task: Task) -> np.ndarray:
    """The mean on the scale of logarithms; of labels that stand alone, of their odds."""
    if task.one_of_many:
        return np.exp(np.log(np.clip(stack, SURE, 1)).mean(axis=0))
    return _expit(_logit(stack).mean(axis=0))


def rank(stack: np.ndarray, values: np.ndarray, task: Task) -> np.ndarray:
    """Column by column, the values of the mean in the order of the mean ranks: a run that is sure of itself weighs no more than others."""
    from scipy.stats import rankdata

    ranks = rankdata(stack, axis=1).mean(axis=0)
    order = np.argsort(ranks, axis=0, kind="stable")
    table = np.empty(ranks.shape)
    np.put_along_axis(table, order, np.sort(stack.mean(axis=0), axis=0), axis=0)
    if task.kind == "binary":
        table[:, 0] = 1 - table[:, 1]
    return table


def power(stack: np.ndarray, values: np.ndarray, task: Task) -> np.ndarray:
    """The mean of the powers, and its root: above 1, who is sure weighs more. values: the power."""
    return (stack ** values[0]).mean(axis=0) ** (1 / values[0])


def fit_power(stack: np.ndarray, truth: np.ndarray, task: Task, worth: Worth) -> np.ndarray:
    """The best of POWERS; 1, the mean, where none is better."""
    tried = [worth(truth, combined("power", stack, np.array([one]), task)) for one in POWERS]
    plain = tried[POWERS.index(1.0)]
    return np.array([POWERS[int(np.argmax(tried))] if max(tried) > plain else 1.0])


def fit_best(stack: np.ndarray, truth: np.ndarray, task: Task, worth: Worth) -> np.ndarray:
    """All weight on the table that scores best alone."""
    return np.eye(len(stack))[int(np.argmax([worth(truth, table) for table in stack]))]


def fit_greedy(stack: np.ndarray, truth: np.ndarray, task: Task, worth: Worth) -> np.ndarray:
    """Tables are taken one by one, each as often as it helps most; weights are how often, over bags of half the rows."""
    generator = np.random.default_rng(0)
    weights = np.zeros(len(stack))
    for _ in range(BAGS):
        rows = generator.permutation(stack.shape[1])[: max(2, stack.shape[1] // 2)]
        bag, true = stack[:, rows], truth[rows]
        total, taken, best = np.zeros(bag.shape[1:]), np.zeros(len(stack)), -np.inf
        for _ in range(MOST_PICKS):
            tried = [worth(true, (total + table) / (taken.sum() + 1)) for table in bag]
            if not max(tried) > best:
                break
            best, pick = max(tried), int(np.argmax(tried))
            total, taken[pick] = total + bag[pick], taken[pick] + 1
        weights += taken / max(taken.sum(), 1)
    return weights / weights.sum() if weights.any() else np.full(len(stack), 1 / len(stack))


def stacked(stack: np.ndarray, values: np.ndarray, task: Task) -> np.ndarray:
    """values: T weights, of logits or of numbers, and what is added; of two classes, to the positive one."""
    inputs = stack if task.kind == "regression" else _logit(stack[:, :, 1:] if task.kind == "binary" else stack)
    total = np.tensordot(values[:-1], inputs, axes=1) + values[-1]
    if task.kind == "binary":
        return np.column_stack([_expit(-total), _expit(total)])
    return total if task.kind == "regression" else _expit(total)


def fit_stacked(stack: np.ndarray, truth: np.ndarray, task: Task, worth: Worth) -> np.ndarray:
    """A logistic regression on the logits of all cells (ridge regression on numbers), one weight a table, drawn to equal weights."""
    from sklearn.linear_model import LogisticRegression, RidgeCV

    if task.kind == "binary":
        stack, truth = stack[:, :, 1:], truth[:, 1:]
    cells = stack.reshape(len(stack), -1).T
    if task.kind == "regression":
        middle = cells.mean(axis=1, keepdims=True)
        found = RidgeCV(alphas=PENALTIES * max(float(cells.var()) * len(cells), SURE) / 1000).fit(
            cells - middle, truth.ravel() - middle.ravel()
        )
        coefficients = np.asarray(found.coef_, dtype=np.float64).ravel()
        weights = coefficients + (1 - coefficients.sum()) / len(stack)
        return np.append(weights, found.intercept_)
    logits = _logit(cells)
    turned = np.column_stack([logits.mean(axis=1), logits - logits.mean(axis=1, keepdims=True)])
    found = LogisticRegression(C=1.0, max_iter=1000).fit(turned, truth.ravel() > 0.5)
    of_mean, of_each = found.coef_[0, 0], found.coef_[0, 1:]
    return np.append(of_mean / len(stack) + of_each - of_each.mean(), found.intercept_[0])


def _logit(probs: np.ndarray) -> np.ndarray:
    kept = np.clip(probs, SURE, 1 - SURE)
    return np.log(kept) - np.log1p(-kept)


def _expit(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


CLASSES: tuple[Kind, ...] = (*ONE_OF_MANY, "multilabel")
BLENDS: dict[str, Blend] = {
    "mean": Blend("equal weights", mean),
    "geometric": Blend("the mean on the scale of logarithms", geometric, tasks=CLASSES),
    "rank": Blend("ordered by mean ranks", rank),
    "power": Blend("the root of the mean of powers", power, fit_power, tasks=CLASSES),
    "best": Blend("the best run alone", weighted, fit_best, tells_runs_apart=True),
    "greedy": Blend("weights by greedy selection", weighted, fit_greedy, tells_runs_apart=True),
    "stacking": Blend("weights by a linear model", stacked, fit_stacked, tells_runs_apart=True),
}
