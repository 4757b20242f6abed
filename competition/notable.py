"""Which held-out images are worth a look: one answer, for who draws what a network saw in them and for who shows it.

Legend: N rows, K columns of a table.
"""

import numpy as np

from competition.metrics import THRESHOLD, decide
from competition.task import Task

MOST = 24  # under each name, of a fold or of a whole run


def notable(truth: np.ndarray, probs: np.ndarray, task: Task, count: int = MOST) -> dict[str, np.ndarray]:
    """int64 positions of rows, at most `count` under each name; truth and probs are N x K, in the same order of rows.

    mistakes   rows that are decided wrongly, the most confident first: by the probability of the wrong class; of several labels by that of
               the worst wrong one. Of numbers the largest errors first, in units of the truth's spread (of several the worst).
    uncertain  the least certain first: the likeliest class has little, or the labels' entropy is high. Of numbers none
    samples    from the first row to the last and from the first class to the last, each class as often as the others where it has the rows

    Equal inputs give equal rows; of ties the first row comes first.
    """
    none = np.zeros(0, dtype=np.int64)
    if not len(truth) or count <= 0:
        return {"mistakes": none, "uncertain": none, "samples": none}
    if task.kind == "regression":
        spread = truth.std(axis=0, dtype=np.float64)
        wrong = (np.abs(truth - probs.astype(np.float64)) / np.where(spread > 0, spread, 1)).max(axis=1)
        mistakes, uncertain = _first(-wrong, wrong > 0, count), none
    elif task.one_of_many:
        sure, missed = probs.max(axis=1), probs.argmax(axis=1) != truth.argmax(axis=1)
        mistakes, uncertain = _first(-sure, missed, count), _first(sure, np.ones(len(sure), dtype=bool), count)
    else:
        true, its = truth > THRESHOLD, np.clip(probs.astype(np.float64), 1e-9, 1 - 1e-9)
        missed = true ^ decide(probs, task)
        denied = np.where(missed, np.abs(true - its), 0).max(axis=1)
        entropy = -(its * np.log(its) + (1 - its) * np.log1p(-its)).sum(axis=1)
        mistakes, uncertain = _first(-denied, np.asarray(missed.any(axis=1)), count), _first(-entropy, np.ones(len(its), dtype=bool), count)
    return {"mistakes": mistakes, "uncertain": uncertain, "samples": _spread(task.strata(truth), count)}


def _first(order: np.ndarray, eligible: np.ndarray, count: int) -> np.ndarray:
    """The eligible rows, those of the lowest `order` first."""
    rows = np.flatnonzero(eligible)
    return rows[np.argsort(order[rows], kind="stable")[:count]].astype(np.int64)


def _spread(strata: np.ndarray, count: int) -> np.ndarray:
    """Rows in ascending order, as many of each stratum as of the others; what a small one cannot give, the larger ones do."""
    names, rows_of = np.unique(strata, return_counts=True)
    if len(names) > count:
        taken = _evenly(len(names), count)
        names, rows_of = names[taken], rows_of[taken]
    shares, left = np.zeros(len(names), dtype=np.int64), min(count, int(rows_of.sum()))
    while left:
        open_ones = np.flatnonzero(shares < rows_of)[:left]
        shares[open_ones] += 1
        left -= len(open_ones)
    chosen = [
        np.flatnonzero(strata == name)[_evenly(int(rows), int(share))] for name, rows, share in zip(names, rows_of, shares, strict=True)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _evenly(length: int, count: int) -> np.ndarray:
    """`count` different places of `length`, the middles of equal stretches."""
    return (np.arange(count) * 2 + 1) * length // (2 * count) if count else np.zeros(0, dtype=np.int64)
