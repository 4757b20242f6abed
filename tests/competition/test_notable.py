"""Which held-out images are worth a look."""

from typing import get_args

import numpy as np
import pytest

from competition.notable import notable
from competition.task import Kind, Task

CLASSES = {"binary": ("no", "yes"), "regression": ("weight",)}


def of_kind(kind: Kind, rows: int = 40) -> tuple[np.ndarray, np.ndarray, Task]:
    """truth and probs, N x K, with mistakes among them."""
    task, rng = Task(kind, CLASSES.get(kind, ("a", "b", "c"))), np.random.default_rng(0)
    width = len(task.classes)
    if kind == "regression":
        truth = rng.normal(size=(rows, 1)).astype(np.float32)
        return truth, truth + rng.normal(size=(rows, 1)).astype(np.float32), task
    if kind == "multilabel":
        return (rng.random((rows, width)) > 0.6).astype(np.float32), rng.random((rows, width)).astype(np.float32), task
    return np.eye(width, dtype=np.float32)[rng.integers(width, size=rows)], rng.dirichlet(np.ones(width), rows).astype(np.float32), task


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_positions_are_of_different_rows_and_no_more_than_asked(kind: Kind, count: int) -> None:
    truth, probs, task = of_kind(kind)
    found = notable(truth, probs, task, count)
    assert list(found) == ["mistakes", "uncertain", "samples"]
    for rows in found.values():
        assert rows.dtype == np.int64
        assert len(set(rows.tolist())) == len(rows) <= min(count, len(truth))
        assert ((rows >= 0) & (rows < len(truth))).all()
    assert len(found["samples"]) == min(count, len(truth))
    assert (np.diff(found["samples"]) > 0).all()


def test_mistakes_of_classes_come_by_the_probability_of_the_wrong_one() -> None:
    task = Task("multiclass", ("a", "b", "c"))
    truth = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2]]
    probs = np.array([[0.9, 0.1, 0], [0.2, 0.7, 0.1], [0.95, 0.05, 0], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4]], dtype=np.float32)
    found = notable(truth, probs, task, 10)
    assert found["mistakes"].tolist() == [2, 1, 3]
    assert found["uncertain"].tolist() == [4, 3, 1, 0, 2]


def test_mistakes_of_labels_come_by_the_worst_wrong_one() -> None:
    task = Task("multilabel", ("a", "b"))
    truth = np.array([[1, 0], [0, 0], [1, 1]], dtype=np.float32)
    probs = np.array([[0.9, 0.6], [0.1, 0.2], [0.05, 0.9]], dtype=np.float32)
    found = notable(truth, probs, task, 10)
    assert found["mistakes"].tolist() == [2, 0]
    assert found["uncertain"].tolist() == [0, 1, 2]


def test_errors_of_several_numbers_are_in_units_of_their_spread() -> None:
    task = Task("regression", ("grams", "share"))
    truth = np.array([[0, 0.0], [1000, 0.1], [500, 0.05], [500, 0.05]], dtype=np.float32)
    probs = truth + np.array([[10, 0], [0, 0.1], [0, 0], [300, 0]], dtype=np.float32)
    found = notable(truth, probs, task, 10)
    assert found["mistakes"].tolist() == [1, 3, 0]  # row 2 is right
    assert not len(found["uncertain"])


def test_samples_show_rare_classes_as_often_as_common_ones() -> None:
    task = Task("multiclass", ("common", "rare", "rarest"))
    codes = np.array([0] * 90 + [1] * 9 + [2])
    found = notable(np.eye(3, dtype=np.float32)[codes], np.full((100, 3), 1 / 3, dtype=np.float32), task, 9)
    assert np.bincount(codes[found["samples"]]).tolist() == [4, 4, 1]


def test_more_classes_than_samples_are_gone_through_evenly() -> None:
    task = Task("multiclass", tuple(map(str, range(100))))
    found = notable(np.eye(100, dtype=np.float32), np.eye(100, dtype=np.float32), task, 4)
    assert found["samples"].tolist() == [12, 37, 62, 87]
