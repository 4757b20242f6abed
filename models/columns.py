"""Columns beside the images -> numbers, by what a fold's training rows show, and what a network looks up by row.

Legend: N rows, D numbers a row.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from competition.tabular import ColumnKind, Tabular

FAR = 10.0  # spreads from the mean: a number of the test that lies further counts as this far


@dataclass(frozen=True)
class Column:
    """How the cells of one column become numbers; it is fitted by `fit_columns`, and comes back from JSON.

    number: (cell - mean) / spread, the median where it is missing. yes/no and category: a 1 for that of `values` which the cell holds,
    zeros for any other. gaps: one number more is 1 where the cell is missing.
    """

    name: str
    kind: ColumnKind
    gaps: bool
    values: tuple[str, ...] = ()
    median: float = 0.0
    mean: float = 0.0
    spread: float = 1.0

    @property
    def width(self) -> int:
        return (1 if self.kind == "number" else len(self.values)) + self.gaps

    def numbers(self, cells: pd.Series) -> np.ndarray:
        """float32 N x width."""
        if self.kind == "number":
            given = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
            told = np.clip((np.where(np.isfinite(given), given, self.median) - self.mean) / self.spread, -FAR, FAR)[:, None]
        else:
            told = cells.to_numpy(dtype=object)[:, None] == np.array(self.values, dtype=object)
        missing = (cells == "").to_numpy()[:, None]
        return np.hstack([told, missing] if self.gaps else [told]).astype(np.float32)


def fit_columns(tabular: Tabular, rows: np.ndarray) -> tuple[Column, ...]:
    """The columns by what these of the training rows show, and by nothing else."""
    return tuple(_fitted(name, kind, tabular.train[name].iloc[rows]) for name, kind in tabular.kinds.items())


def _fitted(name: str, kind: ColumnKind, cells: pd.Series) -> Column:
    filled, gaps = cells[cells != ""], bool((cells == "").any())
    if kind != "number":
        return Column(name, kind, gaps, tuple(sorted(set(filled))))
    numbers = filled.to_numpy(dtype=np.float64) if len(filled) else np.zeros(1)
    spread = float(numbers.std())
    return Column(name, kind, gaps, (), float(np.median(numbers)), float(numbers.mean()), spread if spread > 0 else 1.0)


def width_of(columns: Iterable[Column]) -> int:
    return sum(column.width for column in columns)


def numbers_of(columns: Sequence[Column], cells: pd.DataFrame) -> np.ndarray | None:
    """float32 N x D; None where there are no columns."""
    return np.hstack([column.numbers(cells[column.name]) for column in columns]) if columns else None


def beside(numbers: np.ndarray | None, device: torch.device) -> Callable[[torch.Tensor], tuple[torch.Tensor, ...]]:
    """rows (int64 N) -> what a network is given beside their images: their numbers (N x D) from a table of all rows, or nothing."""
    if numbers is None:
        return lambda rows: ()
    table = torch.from_numpy(numbers).to(device)
    return lambda rows: (table[rows.to(device, non_blocking=True)],)
