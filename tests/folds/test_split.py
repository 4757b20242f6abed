from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.config import FoldsConfig
from competition.errors import CompetitionError
from competition.task import KINDS, Kind, Task
from folds.errors import FoldError
from folds.split import SCHEMES, asked_folds, assign_folds
from tests.builders import CLASSES, make_truth

TASKS = {kind: Task(kind, CLASSES[kind]) for kind in KINDS}


def cut(kind: Kind, rows: int, config: FoldsConfig, order: np.ndarray | None = None) -> pd.Series:
    """fold_of of random rows, listed in that order."""
    truth = make_truth(TASKS[kind], rows, np.random.default_rng(0))
    train = pd.DataFrame({"id": [f"row{place}" for place in range(rows)]}, dtype="str")
    order = np.arange(rows) if order is None else order
    return assign_folds(train.iloc[order].reset_index(drop=True), truth[order], TASKS[kind], config)


def config_of(scheme: str, count: int = 5, seed: int = 0) -> FoldsConfig:
    return FoldsConfig.model_validate({"scheme": scheme, "count": count, "seed": seed})


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(rows=st.integers(40, 90), count=st.integers(2, 10), seed=st.integers(0, 2**32 - 1))
def test_every_row_is_held_out_once_in_folds_of_one_size(scheme: str, kind: Kind, rows: int, count: int, seed: int) -> None:
    fold_of = cut(kind, rows, config_of(scheme, count, seed))
    assert list(fold_of.index) == [f"row{place}" for place in range(rows)]
    sizes = Counter(fold_of)
    assert set(sizes) == set(range(count))
    assert max(sizes.values()) - min(sizes.values()) <= 1


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fold_depends_on_ids_and_not_on_the_order_of_rows(scheme: str, kind: Kind) -> None:
    config = config_of(scheme)
    straight = cut(kind, 60, config)
    shuffled = cut(kind, 60, config, np.random.default_rng(1).permutation(60))
    pd.testing.assert_series_equal(shuffled.loc[straight.index], straight)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_same_settings_give_the_same_folds_and_another_seed_does_not(scheme: str) -> None:
    first = cut("multiclass", 60, config_of(scheme))
    pd.testing.assert_series_equal(first, cut("multiclass", 60, config_of(scheme)))
    assert (first != cut("multiclass", 60, config_of(scheme, seed=1))).any()


def test_the_folds_stay_what_they_were() -> None:
    """Runs made before are continued and blended by these folds."""
    assert "".join(map(str, cut("multiclass", 30, config_of("stratified", 3)))) == "021202221110112010021200122001"
    assert "".join(map(str, cut("multiclass", 30, config_of("plain", 3)))) == "212102000102111212000121022120"


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("rows", [40, 61, 97])
def test_each_fold_has_its_share_of_each_class_within_one(kind: Kind, rows: int) -> None:
    truth = make_truth(TASKS[kind], rows, np.random.default_rng(0))
    fold_of = cut(kind, rows, config_of("stratified")).to_numpy()
    counts = np.array([truth[fold_of == fold].sum(axis=0) for fold in range(5)])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


def test_label_combinations_are_shared_out() -> None:
    truth = np.repeat(np.array([[1, 0, 0, 0], [0, 1, 1, 0]], np.float32), 20, axis=0)
    train = pd.DataFrame({"id": [str(place) for place in range(40)]}, dtype="str")
    fold_of = assign_folds(train, truth, TASKS["multilabel"], config_of("stratified")).to_numpy()
    assert {(int(truth[fold_of == fold, 0].sum()), int(truth[fold_of == fold, 1].sum())) for fold in range(5)} == {(4, 4)}


def test_numbers_are_shared_out_by_their_size() -> None:
    truth = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    train = pd.DataFrame({"id": [str(place) for place in range(200)]}, dtype="str")
    fold_of = assign_folds(train, truth, TASKS["regression"], config_of("stratified")).to_numpy()
    means = [float(truth[fold_of == fold].mean()) for fold in range(5)]
    assert max(means) - min(means) < 0.03


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
@pytest.mark.parametrize("rows", [5, 7, 11, 23])
def test_combinations_and_deciles_too_rare_to_share_out_are_no_obstacle(kind: Kind, rows: int) -> None:
    assert Counter(Counter(cut(kind, rows, config_of("stratified"))).values()).keys() <= {rows // 5, rows // 5 + 1}


def test_one_rare_combination_is_no_obstacle() -> None:
    truth = np.zeros((41, 4), np.float32)
    truth[:20, 0], truth[20:40, 1], truth[40, 2] = 1, 1, 1
    train = pd.DataFrame({"id": [str(place) for place in range(41)]}, dtype="str")
    assert assign_folds(train, truth, TASKS["multilabel"], config_of("stratified")).nunique() == 5


def test_a_rare_class_is_named_with_the_remedies() -> None:
    truth = TASKS["multiclass"].encode(["cat"] * 10 + ["dog"] * 10 + ["new whale"] * 3)
    train = pd.DataFrame({"id": [str(place) for place in range(23)]}, dtype="str")
    text = r"1 classes have fewer images than the 5 folds: 'new whale \(3\)'. Ask for fewer folds \(--folds.count 3\) or .*plain"
    with pytest.raises(FoldError, match=text):
        assign_folds(train, truth, TASKS["multiclass"], config_of("stratified"))
    assert assign_folds(train, truth, TASKS["multiclass"], config_of("plain")).nunique() == 5


@pytest.mark.parametrize("images", [0, 1])
def test_a_class_of_one_image_leaves_one_remedy_and_one_of_none_does_not_matter(images: int) -> None:
    truth = TASKS["multiclass"].encode(["cat"] * 10 + ["dog"] * 10 + ["new whale"] * images)
    train = pd.DataFrame({"id": [str(place) for place in range(20 + images)]}, dtype="str")
    if not images:  # the sample submission names it, no training row has it
        assert assign_folds(train, truth, TASKS["multiclass"], config_of("stratified")).notna().all()
        return
    with pytest.raises(FoldError, match=r"'new whale \(1\)'. Do without the balance \(--folds.scheme plain\)"):
        assign_folds(train, truth, TASKS["multiclass"], config_of("stratified"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_fewer_rows_than_folds_is_an_error(scheme: str) -> None:
    with pytest.raises(FoldError, match=r"4 training rows cannot be cut into 5 folds: --folds.count 4 at the most"):
        cut("regression", 4, config_of(scheme))


def test_ids_that_look_like_numbers_stay_text() -> None:
    train = pd.DataFrame({"id": ["007", "7", "1e3", "NA", "", "x,y"]}, dtype="str")
    fold_of = assign_folds(train, np.ones((6, 1), np.float32), TASKS["regression"], config_of("plain", 2))
    assert list(fold_of.index) == ["007", "7", "1e3", "NA", "", "x,y"]


@pytest.mark.parametrize(("asked", "folds"), [("all", [0, 1, 2]), ("0", [0]), ("2,0", [0, 2]), (" 1 , 1", [1]), ("02", [2])])
def test_the_folds_asked_for(asked: str, folds: list[int]) -> None:
    assert asked_folds(asked, 3) == folds


@pytest.mark.parametrize("asked", ["3", "-1", "", "0,", "one", "0-2", "1.0", "ALL", "²"])
def test_folds_that_are_none(asked: str) -> None:
    with pytest.raises(FoldError, match="is none of the folds 0 to 2; it takes a number, several"):
        asked_folds(asked, 3)


def test_an_unknown_scheme_lists_the_nearest() -> None:
    with pytest.raises(CompetitionError, match="unknown fold scheme 'stratifed': perhaps 'stratified'"):
        cut("multiclass", 30, FoldsConfig().model_copy(update={"scheme": "stratifed"}))
