"""Fifteen competitions' graders, as strict as they are known to be: what they refuse, and how they score what they accept.

A grader is (truth, submission) -> score, both as text, row by row the same ids. It raises AssertionError for what it refuses.
Scored by scikit-learn from the file alone, so that nothing here is shared with competition/metrics.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import sklearn.metrics as peer

Score = Callable[[pd.DataFrame, pd.DataFrame], float]


@dataclass(frozen=True)
class Grader:
    """columns: of the answer, the first column being the id; None: all that the truth has behind its id, and no others."""

    score: Score
    greater_is_better: bool = True
    columns: tuple[str, ...] | None = None

    def grade(self, truth: pd.DataFrame, submission: pd.DataFrame) -> float:
        """The score of a submission that is accepted."""
        identifier = truth.columns[0]
        columns = list(self.columns or truth.columns[1:])
        assert list(submission.columns) == [identifier, *columns], f"columns are {list(submission.columns)[:6]}"
        assert submission[identifier].is_unique, "ids repeat"
        assert set(submission[identifier]) == set(truth[identifier]), "ids are not those of the test"
        assert not (submission == "").any(axis=None), "cells are empty"
        return self.score(truth[columns], submission.set_index(identifier).loc[truth[identifier], columns])


def numbers(frame: pd.DataFrame, low: float = 0, high: float = 1) -> np.ndarray:
    values = frame.to_numpy(dtype=np.float64)
    assert np.isfinite(values).all(), "not all are numbers"
    assert ((values >= low) & (values <= high)).all(), f"numbers outside [{low}, {high}]"
    return values


def whole(frame: pd.DataFrame) -> np.ndarray:
    cells = frame.iloc[:, 0]
    assert cells.str.fullmatch(r"-?\d+").all(), f"no whole numbers: {cells[~cells.str.fullmatch(r'-?[0-9]+')].tolist()[:3]}"
    return cells.astype(int).to_numpy()


def column_auc(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    true, probs = numbers(truth), numbers(submission)
    return float(np.mean([peer.roc_auc_score(true[:, place], probs[:, place]) for place in range(true.shape[1]) if true[:, place].any()]))


def log_loss(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    """Rows that do not sum to 1 within 1e-5 are refused, and clipped is at 2.2e-16 only."""
    probs = numbers(submission)
    if probs.shape[1] == 1:
        return float(peer.log_loss(numbers(truth)[:, 0], probs[:, 0], labels=[0, 1]))
    assert np.allclose(probs.sum(axis=1), 1, rtol=0, atol=1e-5), "rows do not sum to 1"
    return float(peer.log_loss(numbers(truth).argmax(axis=1), probs, labels=np.arange(probs.shape[1])))


def quadratic_kappa(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    return float(peer.cohen_kappa_score(whole(truth), whole(submission), weights="quadratic"))


def accuracy(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    return float((whole(truth) == whole(submission)).mean())


def names(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    """Micro F1 of one name a row."""
    return float(peer.f1_score(truth.iloc[:, 0], submission.iloc[:, 0], average="micro"))


def macro_f1(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    """Over truth and prediction together: a guessed class that the truth lacks adds a zero."""
    return float(peer.f1_score(whole(truth), whole(submission), average="macro"))


def list_f1(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    """Micro F1 of lists; read as pandas reads them, so a file of single numbers would be no text."""
    cells = submission.iloc[:, 0]
    assert not cells.str.fullmatch(r"\d+").all(), "every row holds a single number: it is read as numbers"
    chosen, true = [cell.split() for cell in cells], [cell.split() for cell in truth.iloc[:, 0]]
    assert all(len(set(row)) == len(row) for row in chosen), "a label stands twice in a row"
    hits = sum(len(set(a) & set(b)) for a, b in zip(true, chosen, strict=True))
    return 2 * hits / (sum(map(len, true)) + sum(map(len, chosen)))


def rmse_of_1_to_100(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    return float(peer.root_mean_squared_error(numbers(truth, 1, 100), numbers(submission, 1, 100)))


def map_at_5(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    ranked = [cell.split() for cell in submission.iloc[:, 0]]
    assert all(len(row) <= 5 and len(set(row)) == len(row) for row in ranked), "more than five names, or one twice"
    return float(np.mean([1 / (1 + row.index(who)) if who in row else 0 for who, row in zip(truth.iloc[:, 0], ranked, strict=True)]))


RANZCR = (
    *(f"ETT - {how}" for how in ("Abnormal", "Borderline", "Normal")),
    *(f"NGT - {how}" for how in ("Abnormal", "Borderline", "Incompletely Imaged", "Normal")),
    *(f"CVC - {how}" for how in ("Abnormal", "Borderline")),
)
GRADERS: dict[str, Grader] = {
    "aerial-cactus-identification": Grader(column_auc),
    "aptos2019-blindness-detection": Grader(quadratic_kappa),
    "cassava-leaf-disease-classification": Grader(accuracy),
    "dog-breed-identification": Grader(log_loss, greater_is_better=False),
    "dogs-vs-cats-redux-kernels-edition": Grader(log_loss, greater_is_better=False),
    "herbarium-2022-fgvc9": Grader(macro_f1),
    "imet-2020-fgvc7": Grader(list_f1),
    "leaf-classification": Grader(log_loss, greater_is_better=False),
    "petfinder-pawpularity-score": Grader(rmse_of_1_to_100, greater_is_better=False, columns=("Pawpularity",)),
    "plant-pathology-2020-fgvc7": Grader(column_auc),
    "plant-pathology-2021-fgvc8": Grader(list_f1),
    "plant-seedlings-classification": Grader(names),
    "ranzcr-clip-catheter-line-classification": Grader(column_auc, columns=RANZCR),
    "siim-isic-melanoma-classification": Grader(column_auc),
    "whale-categorization-playground": Grader(map_at_5),
}
