"""How far a score may be off by chance: bootstrap intervals of a score, and of the difference of two, on the same rows.

Rows are drawn with replacement; where they come in groups, whole groups are, since rows of one patient say the same thing again.
Source: Efron and Tibshirani 1993, percentile intervals; for many rows, fewer are drawn and the spread is scaled (m out of n).

Legend: N rows, K columns of a table.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from competition.metrics import METRICS, row_values, score
from competition.task import Task

DRAWS = 400
MOST_ROWS, FEWEST_ROWS = 10_000, 1_000  # drawn at a time
MOST_CELLS = 2_000_000  # of a table, where that leaves rows enough
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A value and where it would lie in 95 of 100 repetitions."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.5f} [{self.low:.5f}, {self.high:.5f}]"


def score_interval(metric: str, truth: np.ndarray, probs: np.ndarray, task: Task, groups: np.ndarray | None = None) -> Interval:
    """The metric of all rows (truth, probs: N x K), and its interval. groups: N, alike for rows that belong together."""
    each = row_values(metric, truth, probs, task)
    if each is not None:
        return _interval(lambda rows: float(each[rows].mean()), len(truth), groups)
    return _interval(lambda rows: score(metric, truth[rows], probs[rows], task), len(truth), groups, len(task.classes))


def gain_interval(
    metric: str, truth: np.ndarray, one: np.ndarray, other: np.ndarray, task: Task, groups: np.ndarray | None = None
) -> Interval:
    """By how much `one` is better than `other` (both N x K, the same rows), above 0 where it is, whichever way the metric goes."""
    sign = 1 if METRICS[metric].greater_is_better else -1
    ours, theirs = (row_values(metric, truth, table, task) for table in (one, other))
    if ours is not None and theirs is not None:
        gains = sign * (ours - theirs)
        return _interval(lambda rows: float(gains[rows].mean()), len(truth), groups)

    def gain(rows: np.ndarray) -> float:
        return sign * (score(metric, truth[rows], one[rows], task) - score(metric, truth[rows], other[rows], task))

    return _interval(gain, len(truth), groups, len(task.classes))


def _interval(statistic: Callable[[np.ndarray], float], count: int, groups: np.ndarray | None, columns: int = 1) -> Interval:
    """The statistic of rows 0..count-1, and its percentile interval. A draw of which it is not defined (nan) is left out.

    columns: of the tables that it looks at; of wide ones fewer rows are drawn.
    """
    value = statistic(np.arange(count))
    units = None if groups is None else _rows_of(groups)
    of_all = count if units is None else len(units)
    most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_CELLS // columns))
    drawn = of_all if count <= most else max(2, round(of_all * most / count))
    generator = np.random.default_rng(0)
    values = []
    for _ in range(DRAWS):
        picked = generator.integers(0, of_all, drawn)
        rows = picked if units is None else np.concatenate([units[unit] for unit in picked])
        values.append(statistic(rows))
    spread = np.asarray(values)[np.isfinite(values)]
    if not np.isfinite(value) or len(spread) < DRAWS / 4:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if drawn < of_all:
        shrink, middle = np.sqrt(drawn / of_all), spread.mean()
        low, high = value + shrink * (low - middle), value + shrink * (high - middle)
    return Interval(value, float(low), float(high))


def _rows_of(groups: np.ndarray) -> list[np.ndarray]:
    codes = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
