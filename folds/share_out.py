"""Iterative stratification: units (rows, or groups of rows) dealt to folds so that each label is shared out equally, the rarest first.

Source: Sechidis, Tsoumakas, Vlahavas 2011, "On the stratification of multi-label data"; here for units of any number of rows.

Legend: N rows, L labels, U units, F folds.
"""

from typing import Any

import numpy as np


def share_out(labels: np.ndarray, unit_of: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """int64 N: the fold of each row; rows of one unit have the same.

    labels: bool N x L, what each row counts for; unit_of: int64 N, 0..U-1.
    """
    from scipy.sparse import csr_array  # takes a while to import

    units = int(unit_of.max()) + 1
    marked, label_of = np.nonzero(labels)  # few of very many cells
    counts = csr_array((np.ones(len(marked)), (unit_of[marked], label_of)), shape=(units, labels.shape[1]))  # U x L, adds up
    rows = np.bincount(unit_of, minlength=units).astype(float)
    generator = np.random.default_rng(seed)
    wanted = np.tile(counts.sum(axis=0) / folds, (folds, 1))  # F x L, what each fold still lacks
    room = np.full(folds, rows.sum() / folds)
    fold_of = np.full(units, -1)
    order = generator.permutation(units)
    order = order[np.argsort(-rows[order], kind="stable")]  # large groups first: small ones even out what they leave
    with_label = counts[order].tocsc()  # in that order
    remaining = counts.sum(axis=0)

    def deal(unit: int, by: np.ndarray) -> None:
        best = np.flatnonzero(by >= by.max() - 1e-9)
        if len(best) > 1:
            best = best[room[best] >= room[best].max() - 1e-9]
        fold = int(best[generator.integers(len(best))])
        fold_of[unit] = fold
        its, many = _row(counts, unit)
        wanted[fold, its] -= many
        remaining[its] -= many
        room[fold] -= rows[unit]

    while (remaining > 0).any():
        label = int(np.where(remaining > 0, remaining, np.inf).argmin())
        for unit in order[_row(with_label, label)[0]]:
            if fold_of[unit] < 0:
                deal(unit, wanted[:, label])
    for unit in order[fold_of[order] < 0]:
        deal(unit, room)
    return fold_of[unit_of]


def _row(table: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a row (of a CSC array: a column) is not 0, and what is there."""
    cells = slice(table.indptr[number], table.indptr[number + 1])
    return table.indices[cells], table.data[cells]
