"""How alike the folds are: rows, groups and each class (or the number's middle and spread), fold by fold."""

import numpy as np
import pandas as pd

from competition.contest import Competition

SHOWN_CLASSES = 20


def balance(contest: Competition, fold_of: pd.Series, groups: pd.Series | None = None) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table with a column a fold and one for all. groups: row by row with the training rows."""
    folds = fold_of.loc[contest.train["id"]].to_numpy()
    parts = [np.ones(len(folds), dtype=bool), *(folds == fold for fold in range(folds.max() + 1))]
    rows = [["rows", *(f"{int(part.sum()):,}" for part in parts)]]
    if groups is not None:
        rows.append(["groups", *(f"{groups[part].nunique():,}" for part in parts)])
    truth, task = contest.truth, contest.task
    if task.kind == "regression":
        for place, name in enumerate(task.classes[:SHOWN_CLASSES]):
            rows.append([name, *(f"{truth[part, place].mean():.4g} ± {truth[part, place].std():.3g}" for part in parts)])
    else:
        rarest = np.sort(np.argsort(truth.sum(axis=0), kind="stable")[:SHOWN_CLASSES])
        counts = np.array([truth[part].sum(axis=0) for part in parts])
        sizes = [int(part.sum()) for part in parts]
        for place in rarest:
            cells = (f"{int(count):,} ({count / size:.1%})" for count, size in zip(counts[:, place], sizes, strict=True))
            rows.append([task.classes[place], *cells])
    if len(task.classes) > SHOWN_CLASSES:
        rows.append([f"and {len(task.classes) - SHOWN_CLASSES} more frequent ones", *("" for _ in parts)])
    return ["", "all", *(f"fold {fold}" for fold in range(len(parts) - 1))], rows


def unseen_classes(contest: Competition, fold_of: pd.Series) -> list[tuple[str, int]]:
    """Classes that a fold's model would not see once, all their rows being held out together: (class, fold)."""
    if contest.task.kind == "regression":
        return []
    folds = fold_of.loc[contest.train["id"]].to_numpy()
    holds = contest.truth > 0.5
    found = []
    for place in np.flatnonzero(holds.any(axis=0)):
        of_class = np.unique(folds[holds[:, place]])
        if len(of_class) == 1:
            found.append((contest.task.classes[place], int(of_class[0])))
    return found
