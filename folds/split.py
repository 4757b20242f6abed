"""Which fold holds each training row out: a Series[id -> fold], the same for every run with the same settings.

It depends on the ids, never on the order of the rows.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from competition.config import FoldsConfig
from competition.errors import choose, examples
from competition.task import Task
from folds.errors import FoldError


def assign_folds(train: pd.DataFrame, truth: np.ndarray, task: Task, config: FoldsConfig) -> pd.Series:
    """fold_of[id], 0..count-1, in the order of `train` (column `id`); truth: float32 N x K, row by row with it.

    Raises: FoldError where a class has fewer images than there are folds, or there are fewer rows than folds.
    """
    scheme = SCHEMES[choose("fold scheme", config.scheme, SCHEMES)]
    ids = pd.Index(train["id"], name="id")
    if len(ids) < config.count:
        raise FoldError(f"{len(ids)} training rows cannot be cut into {config.count} folds: --folds.count {max(2, len(ids))} at the most")
    order = np.argsort(ids.to_numpy())
    folds = np.empty(len(ids), dtype=np.int64)
    folds[order] = scheme(truth[order], task, config)
    return pd.Series(folds, index=ids, name="fold")


def asked_folds(asked: str, count: int) -> list[int]:
    """The fold numbers of "0", "0,2" or "all".

    Raises: FoldError for anything else.
    """
    if asked == "all":
        return list(range(count))
    numbers = [part.strip() for part in asked.split(",")]
    wrong = [part for part in numbers if not part.isdecimal() or int(part) >= count]
    if wrong:
        raise FoldError(f"--fold {asked}: {examples(wrong)} is none of the folds 0 to {count - 1}; it takes a number, several (0,2) or all")
    return sorted({int(part) for part in numbers})


def stratified(truth: np.ndarray, task: Task, config: FoldsConfig) -> np.ndarray:
    """Every fold has the classes (the label combinations, the deciles of a number) in equal shares."""
    from sklearn.model_selection import StratifiedKFold

    strata = task.strata(truth)
    if task.one_of_many:
        counts = {name: int(count) for name, count in zip(task.classes, truth.sum(axis=0), strict=True) if count}
        rare = [f"{name} ({count})" for name, count in counts.items() if count < config.count]
        if rare:
            least = min(counts.values())
            fewer = f"Ask for fewer folds (--folds.count {least}) or do" if least >= 2 else "Do"
            raise FoldError(
                f"{len(rare)} classes have fewer images than the {config.count} folds: {examples(rare)}. "
                f"{fewer} without the balance (--folds.scheme plain)"
            )
    else:
        strata = _joined(strata, config.count)
    return _fold_numbers(StratifiedKFold(config.count, shuffle=True, random_state=config.seed).split(strata, strata), len(strata))


def plain(truth: np.ndarray, task: Task, config: FoldsConfig) -> np.ndarray:
    """Shuffled only."""
    from sklearn.model_selection import KFold

    return _fold_numbers(KFold(config.count, shuffle=True, random_state=config.seed).split(truth), len(truth))


def _joined(strata: np.ndarray, least: int) -> np.ndarray:
    """The strata, with all that have fewer than `least` rows made one, or added to the largest where they are too few even together."""
    codes, inverse, counts = np.unique(strata, return_inverse=True, return_counts=True)
    rare = counts[inverse] < least
    return np.where(rare, -1 if rare.sum() >= least else codes[counts.argmax()], codes[inverse])


def _fold_numbers(splits: "object", count: int) -> np.ndarray:
    folds = np.empty(count, dtype=np.int64)
    for number, (_, held) in enumerate(splits):  # type: ignore[arg-type]
        folds[held] = number
    return folds


SCHEMES: dict[str, Callable[[np.ndarray, Task, FoldsConfig], np.ndarray]] = {
    "stratified": stratified,
    "plain": plain,
}
