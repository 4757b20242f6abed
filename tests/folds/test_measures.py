from typing import Any

import numpy as np
import pytest
from sklearn.metrics import classification_report, matthews_corrcoef, roc_auc_score

from competition.task import KINDS, Kind, Task
from folds.measures import measures
from folds.scores import class_scores
from tests.builders import make_competition, make_probs

ANIMALS = Task("multiclass", ("cat", "dog", "newt"))
# rows are the truth, columns what they are taken for
CONFUSION = np.array([[6, 2, 2], [0, 10, 0], [4, 0, 1]])


def rows_of(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Truth and sure predictions with this confusion matrix."""
    pairs = [pair for pair, count in np.ndenumerate(confusion) for _ in range(count)]
    eye = np.eye(len(confusion), dtype=np.float32)
    return eye[[true for true, _ in pairs]], eye[[taken for _, taken in pairs]]


def test_measures_of_a_known_confusion_matrix() -> None:
    truth, probs = rows_of(CONFUSION)
    found = measures(truth, probs, ANIMALS)
    assert found["accuracy"] == pytest.approx(17 / 25)
    assert found["precision"] == pytest.approx((6 / 10 + 10 / 12 + 1 / 3) / 3)
    assert found["recall"] == pytest.approx((6 / 10 + 10 / 10 + 1 / 5) / 3)
    assert found["f1_macro"] == pytest.approx((12 / 20 + 20 / 22 + 2 / 8) / 3)
    each = class_scores(truth, probs, ANIMALS)
    assert [(one.precision, one.found, one.f1) for one in each.values()] == [
        pytest.approx((6 / 10, 6 / 10, 12 / 20)),
        pytest.approx((10 / 12, 1, 20 / 22)),
        pytest.approx((1 / 3, 1 / 5, 2 / 8)),
    ]


def test_they_are_scikit_learns() -> None:
    contest = make_competition("multiclass", train_rows=60)
    truth, probs = contest.truth, make_probs(contest.task, 60, np.random.default_rng(3))
    found, each = measures(truth, probs, contest.task), class_scores(truth, probs, contest.task)
    names = list(contest.task.classes)
    report: Any = classification_report(truth.argmax(1), probs.argmax(1), target_names=names, output_dict=True)
    for name, one in each.items():
        theirs = report[name]
        assert (one.precision, one.found, one.f1, one.rows) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"], theirs["support"])
        )
    assert found["mcc"] == pytest.approx(matthews_corrcoef(truth.argmax(1), probs.argmax(1)))
    assert found["roc_auc"] == pytest.approx(roc_auc_score(truth, probs, average="macro"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_task_has_the_measures_that_serve_it(kind: Kind) -> None:
    contest = make_competition(kind)
    right = measures(contest.truth, contest.truth, contest.task)
    assert set(right) == {
        "regression": set(),
        "multilabel": {"accuracy", "precision", "recall", "f1_macro", "roc_auc", "log_loss"},
    }.get(kind, {"accuracy", "precision", "recall", "f1_macro", "roc_auc", "mcc", "log_loss"})
    assert all(value == pytest.approx(1) for name, value in right.items() if name != "log_loss")


def test_a_class_that_is_never_taken_has_a_precision_of_nothing() -> None:
    truth, probs = rows_of(np.array([[4, 1, 0], [0, 5, 0], [2, 3, 0]]))
    newt = class_scores(truth, probs, ANIMALS)["newt"]
    assert (newt.precision, newt.found, newt.f1) == (0, 0, 0)
    assert measures(truth, probs, ANIMALS)["precision"] == pytest.approx((4 / 6 + 5 / 9 + 0) / 3)
