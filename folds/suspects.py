"""Labels that the out-of-fold predictions deny: likely mistakes, the most denied first.

Of classes, by confident learning: a class is predicted with confidence where it has at least the mean probability that the rows of that
class have for it; how often it is so in rows of another class says how many of those are mislabelled, and the most denied are taken. Of
several labels, each label alone; of numbers, residuals far outside the others'.
Source: Northcutt, Jiang and Chuang 2021, "Confident Learning".

Legend: N rows, K columns.
"""

import numpy as np
import pandas as pd

from competition.task import Task

COLUMNS = ["id", "do", "label", "given", "denied"]
FAR = 4.0  # residuals beyond so many deviations, estimated from their median


def suspects(oof: pd.DataFrame, truth: np.ndarray, task: Task) -> pd.DataFrame:
    """A row for each suspect, the most denied first, as `folds.corrections` reads them: id, do (empty), label (what is predicted instead;
    several are separated by |), given (what it is now), denied (0 to 1; of numbers in deviations).
    """
    probs = oof.to_numpy(dtype=np.float64)
    if task.kind == "regression":
        return _of_numbers(oof.index, probs, truth)
    if task.one_of_many:
        given = truth.argmax(axis=1)
        other, margin = _denied(probs, given)
        found = np.flatnonzero(other >= 0)
        names = np.array(task.classes, dtype=object)
        return _table(oof.index[found], names[other[found]], names[given[found]], margin[found])
    true = truth > 0.5
    wrong, margins = np.zeros(true.shape, dtype=bool), np.zeros(true.shape)
    for column in range(true.shape[1]):
        both = np.column_stack([1 - probs[:, column], probs[:, column]])
        other, margins[:, column] = _denied(both, true[:, column].astype(int))
        wrong[:, column] = other >= 0
    found = np.flatnonzero(wrong.any(axis=1))
    denied = np.where(wrong, margins, 0).max(axis=1)[found]
    turned = np.where(wrong, ~true, true)
    return _table(oof.index[found], [_named(row, task) for row in turned[found]], [_named(row, task) for row in true[found]], denied)


def _denied(probs: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 N: the class that a row rather has, -1 where its own stands; float64 N: by how much, 0 to 1.

    How many rows of one class are truly of another is estimated from those that are predicted with confidence; as many are taken.
    """
    count = probs.shape[1]
    rows_of = np.bincount(given, minlength=count)
    own = np.array([probs[given == name, name].mean() if rows_of[name] else 2.0 for name in range(count)])
    confident, likeliest = probs >= own, probs.argmax(axis=1)
    likely = np.where(confident, probs, -1).argmax(axis=1)
    sure = confident.any(axis=1)
    joint = np.zeros((count, count))
    np.add.at(joint, (given[sure], likely[sure]), 1)
    expected = np.rint(joint / np.maximum(joint.sum(axis=1, keepdims=True), 1) * rows_of[:, None]).astype(int)
    other, margin = np.full(len(given), -1), np.zeros(len(given))
    order = np.argsort(given * count + likeliest, kind="stable")
    pair = (given * count + likeliest)[order]
    for own_class, name in np.argwhere(expected):
        if own_class == name:
            continue
        first, last = np.searchsorted(pair, [own_class * count + name, own_class * count + name + 1])
        rows = order[first:last]
        apart = probs[rows, name] - probs[rows, own_class]
        taken = np.argsort(-apart, kind="stable")[: expected[own_class, name]]
        taken = taken[apart[taken] > 0]
        other[rows[taken]], margin[rows[taken]] = name, apart[taken]
    return other, margin


def _of_numbers(ids: pd.Index, found: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    residuals = found - truth
    middle = np.median(residuals, axis=0)
    deviation = np.maximum(1.4826 * np.median(np.abs(residuals - middle), axis=0), 1e-9)
    far = (np.abs(residuals - middle) / deviation).max(axis=1)
    rows = np.flatnonzero(far > FAR)
    return _table(ids[rows], [_numbers(row) for row in found[rows]], [_numbers(row) for row in truth[rows]], far[rows])


def _numbers(row: np.ndarray) -> str:
    return "|".join(f"{value:.6g}" for value in row)


def _named(row: np.ndarray, task: Task) -> str:
    return "|".join(name for name, holds in zip(task.classes, row, strict=True) if holds)


def _table(ids: pd.Index, label: "list[str] | np.ndarray", given: "list[str] | np.ndarray", denied: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"id": ids, "do": "", "label": label, "given": given, "denied": denied}, columns=COLUMNS)
    return table.sort_values("denied", ascending=False, kind="stable").reset_index(drop=True)
