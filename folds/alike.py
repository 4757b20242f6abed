"""How alike the out-of-fold predictions of runs are: what a blend of them could gain lies in where they differ.

Legend: N rows, K columns of a table.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

MOST_CELLS = 500_000  # of two tables that are compared; of larger ones every n-th row


def correlations(oofs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Runs x runs, by their names: the correlation of each two."""
    names = list(oofs)
    found = pd.DataFrame(np.nan, index=names, columns=names)
    for place, one in enumerate(names):
        for other in names[place:]:
            found.loc[one, other] = found.loc[other, one] = correlation(oofs[one], oofs[other])
    return found


def correlation(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Pearson's, of all cells of two tables of N x K, each column around its own mean, on the ids of both.

    nan where they share fewer than three rows, columns differ, or one does not vary.
    """
    if one is other:
        return 1.0
    shared = one.index.intersection(other.index)
    shared = shared[:: max(1, len(shared) * one.shape[1] // MOST_CELLS)]
    if len(shared) < 3 or list(one.columns) != list(other.columns):
        return float("nan")
    first, second = (table.loc[shared].to_numpy(np.float64) for table in (one, other))
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    size = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / size) if size > 0 else float("nan")
