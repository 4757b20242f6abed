"""The one type for out-of-fold and test predictions: a DataFrame, id as index, a float column a class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from competition.errors import CompetitionError, examples
from competition.metrics import row_blocks
from competition.task import Task

ROW_SUM_TOLERANCE = 1e-4  # float32 softmax over a few thousand classes stays well within


def as_table(ids: "pd.Index | list[str]", probs: np.ndarray, task: Task) -> pd.DataFrame:
    """A checked table from probabilities (N x K; for a binary task K may be 1, the positive class's).

    Raises: CompetitionError as `check_table` does.
    """
    if task.kind == "binary" and probs.shape[1] == 1:
        probs = np.concatenate([1 - probs, probs], axis=1)
    table = pd.DataFrame(np.asarray(probs, dtype=np.float32), index=pd.Index(ids, dtype="str", name="id"), columns=list(task.classes))
    return check_table(table, task)


def check_table(table: pd.DataFrame, task: Task, what: str = "table") -> pd.DataFrame:
    """The table itself, once it is sure that ids are unique, columns are the classes, values are fit.

    Raises: CompetitionError that names the ids or columns at fault.
    """
    if list(table.columns) != list(task.classes):
        raise CompetitionError(
            f"{what}: columns should be the classes in their order ({examples(task.classes)}), they are {examples(table.columns)}"
        )
    if not table.index.is_unique:
        raise CompetitionError(f"{what}: ids repeat: {examples(table.index[table.index.duplicated()].unique())}")
    if texts := [name for name, column in table.items() if not pd.api.types.is_numeric_dtype(column)]:
        raise CompetitionError(f"{what}: predictions should be numbers, those of {examples(texts)} are not")
    values = table.to_numpy()
    if faulty := _rows_where(values, lambda few: (~np.isfinite(few)).any(axis=1)):
        raise CompetitionError(f"{what}: predictions are NaN or infinite for {len(faulty):,} rows: {examples(table.index[faulty])}")
    if task.kind != "regression" and (faulty := _rows_where(values, lambda few: ((few < 0) | (few > 1)).any(axis=1))):
        raise CompetitionError(f"{what}: probabilities leave [0, 1] in {len(faulty):,} rows: {examples(table.index[faulty])}")
    if task.one_of_many and (faulty := _rows_where(values, lambda few: np.abs(few.sum(axis=1) - 1) > ROW_SUM_TOLERANCE)):
        raise CompetitionError(f"{what}: probabilities do not sum to 1 in {len(faulty):,} rows: {examples(table.index[faulty])}")
    return table


def _rows_where(values: np.ndarray, wrong: Callable[[np.ndarray], Any]) -> list[int]:
    """Places of the rows (of N x K) that are wrong, looked at as float64, in blocks: wide tables are not copied whole."""
    found: list[int] = []
    for rows in row_blocks(*values.shape):
        found += (rows.start + np.flatnonzero(wrong(values[rows].astype(np.float64, copy=False)))).tolist()
    return found
