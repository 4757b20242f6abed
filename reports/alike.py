"""How alike the out-of-fold predictions of runs are: what a blend of them could gain lies in where they differ.

Legend: N rows, K columns of a table.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from reports.blocks import Block, Grid

MOST_RUNS = 15
MOST_CELLS = 500_000  # of two tables that are compared; of larger ones each so manieth row


def alike(oofs: Mapping[str, pd.DataFrame]) -> list[Block]:
    """A matrix of correlations; nothing for fewer than two runs. oofs: tables by the run's name, the best first."""
    names = list(oofs)[:MOST_RUNS]
    if len(names) < 2:
        return []
    values = np.full((len(names), len(names)), np.nan)
    for place, one in enumerate(names):
        for other in range(place, len(names)):
            values[place, other] = values[other, place] = correlation(oofs[one], oofs[names[other]])
    note = "Pearson's correlation of all cells, each column around its own mean, on the rows of both. Where it is low a blend may gain."
    shares = np.clip((np.nan_to_num(values, nan=0.5) - 0.5) * 2, 0, 1)
    return [Grid("Correlation of out-of-fold predictions", "a run", "another", names, names, values, shares, ".4f", note)]


def correlation(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Of two tables of N x K on the ids of both; nan where they share fewer than three rows or columns differ, or one does not vary."""
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
