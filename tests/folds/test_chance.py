"""What chance alone does: shake-up, and whether test images can be told from training ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.contest import Competition
from competition.images import ArrayImages
from competition.metrics import score
from competition.task import KINDS, Kind
from folds.adversarial import drift
from folds.errors import FoldError
from folds.shake_up import shake_up
from tests.builders import make_competition, make_probs


def test_the_shake_up_of_an_accuracy_is_binomial() -> None:
    contest = make_competition("multiclass", train_rows=2000, metric="accuracy")
    right = np.random.default_rng(0).random(2000) < 0.8
    probs = np.where(right[:, None], contest.truth, np.roll(contest.truth, 1, axis=1))
    found = shake_up("accuracy", contest.truth, probs, contest.task, 1000, 0.3)
    cv = right.mean()
    for part, rows in ((found.public, 300), (found.private, 700)):
        deviation = np.sqrt(cv * (1 - cv) / rows)
        assert part.mean() == pytest.approx(cv, abs=0.005)
        assert part.std() == pytest.approx(deviation, rel=0.15)
        low, high = found.spread(part)
        assert (low, high) == pytest.approx((cv - 1.96 * deviation, cv + 1.96 * deviation), abs=0.012)
    gap = (found.private - found.public).std()
    assert gap == pytest.approx(np.sqrt(cv * (1 - cv) * (1 / 300 + 1 / 700)), rel=0.15)


def test_rows_of_one_group_shake_together() -> None:
    contest = make_competition("multiclass", train_rows=1000, metric="accuracy")
    groups = np.repeat(np.arange(50), 20)
    right = (np.random.default_rng(0).random(50) < 0.8)[groups]
    probs = np.where(right[:, None], contest.truth, np.roll(contest.truth, 1, axis=1))
    alone = shake_up("accuracy", contest.truth, probs, contest.task, 400, 0.5)
    together = shake_up("accuracy", contest.truth, probs, contest.task, 400, 0.5, groups)
    assert together.public.std() > 3 * alone.public.std()


@pytest.mark.parametrize("kind", KINDS)
def test_every_task_can_be_shaken(kind: Kind) -> None:
    contest = make_competition(kind, train_rows=120)
    probs = make_probs(contest.task, 120, np.random.default_rng(1))
    found = shake_up(contest.metric, contest.truth, probs, contest.task, 60, 0.25)
    assert found.cv == pytest.approx(score(contest.metric, contest.truth, probs, contest.task))
    low, high = found.spread(found.public)
    assert low < high


def drifting(brighter: float) -> Competition:
    """120 training and 80 test images of noise; those of the test brighter by so much."""
    contest = make_competition("multiclass", rows=80, train_rows=120)
    generator = np.random.default_rng(0)
    images = [generator.normal(100, 20, (16, 16, 3)) for _ in range(200)]
    images[120:] = [image + brighter for image in images[120:]]
    whole = np.clip(np.stack(images), 0, 255).astype(np.uint8)
    return replace(contest, images=ArrayImages([*contest.train["image"], *contest.test["image"]], whole))


def test_a_test_like_training_cannot_be_told_apart(tmp_path: Path) -> None:
    found = drift(drifting(0), tmp_path)
    assert found.auc.low < 0.5 < found.auc.high + 0.05
    assert len(found.images) == 200


def test_a_brighter_test_is_told_apart_and_why(tmp_path: Path) -> None:
    found = drift(drifting(15), tmp_path)
    assert found.auc.low > 0.9
    assert "brightness" in str(found.telling.index[0])
    assert found.telling.iloc[0] > 0.9
    assert found.telling["height"] == pytest.approx(0.5)
    first = found.images.head(20)
    assert (np.where(first["part"] == "test", first["test"], 1 - first["test"]) > 0.8).all()
    assert set(found.images["id"]) == set(pd.concat([drifting(0).train["id"], drifting(0).test["id"]]))


def test_too_few_images_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FoldError, match=r"40 training and 6 test images are too few to compare"):
        drift(make_competition(), tmp_path)
