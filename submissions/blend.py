"""Several tables become one, aligned by id: rows that stand at the same place in two files need not be the same image.

Legend: T tables, N rows, K columns.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from competition.errors import choose, examples
from competition.tables import as_table, check_table
from competition.task import Task
from submissions.errors import SubmissionError


def blend(tables: Mapping[str, pd.DataFrame], task: Task, how: str = "mean") -> pd.DataFrame:
    """One table with the rows of the first, from tables by name ("baseline-1a2b3c") that hold the same ids and classes in any order.

    Raises: SubmissionError that names the tables whose ids or classes differ; CompetitionError for a table that is none
    (see `check_table`) and for an unknown `how`.
    """
    choose("blend", how, BLENDS)
    if not tables:
        raise SubmissionError("there is no table to blend")
    first, ids = next((name, table.index) for name, table in tables.items())
    aligned: list[np.ndarray] = []
    for name, table in tables.items():
        _require_same(f"{name}: classes", table.columns, task.classes, "the competition")
        checked = check_table(table.loc[:, list(task.classes)], task, name)
        _require_same(f"{name}: ids", checked.index, ids, first)
        aligned.append(checked.loc[ids].to_numpy(dtype=np.float64))
    return as_table(ids, BLENDS[how](np.stack(aligned)), task)


def _require_same(what: str, has: "pd.Index | tuple[str, ...]", wanted: "pd.Index | tuple[str, ...]", of: str) -> None:
    present, expected = set(has), set(wanted)
    differences = []
    if missing := [name for name in wanted if name not in present]:
        differences.append(f"{len(missing):,} of {of} are missing ({examples(missing)})")
    if unknown := [name for name in has if name not in expected]:
        differences.append(f"{len(unknown):,} are not in {of} ({examples(unknown)})")
    if differences:
        raise SubmissionError(f"{what} differ, so it cannot be blended: {'; '.join(differences)}. Predict the same images with each run")


def mean(tables: np.ndarray) -> np.ndarray:
    """N x K, every table weighing the same, from T x N x K."""
    return tables.mean(axis=0)


BLENDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": mean,
}
