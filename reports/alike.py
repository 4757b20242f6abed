"""A picture of how alike the out-of-fold predictions of runs are."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from folds.alike import correlations
from reports.blocks import Block, Grid

MOST_RUNS = 15


def alike(oofs: Mapping[str, pd.DataFrame]) -> list[Block]:
    """A matrix of correlations; nothing for fewer than two runs. oofs: tables by the run's name, the best first."""
    if len(oofs) < 2:
        return []
    names = list(oofs)[:MOST_RUNS]
    values = correlations({name: oofs[name] for name in names}).to_numpy()
    note = "Pearson's correlation of all cells, each column around its own mean, on the rows of both. Where it is low a blend may gain."
    shares = np.clip((np.nan_to_num(values, nan=0.5) - 0.5) * 2, 0, 1)
    return [Grid("Correlation of out-of-fold predictions", "a run", "another", names, names, values, shares, ".4f", note)]
