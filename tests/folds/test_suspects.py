"""Labels that are denied, what becomes of them, and whose pseudo-labels may be trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.config import Config
from competition.contest import Competition
from competition.tables import as_table
from competition.task import KINDS, Kind
from folds.corrections import corrected
from folds.errors import FoldError
from folds.run import FULL, open_run
from folds.split import assign_folds
from folds.suspects import suspects
from folds.teacher import teacher_of
from tests.builders import make_competition, make_probs

ROWS = 600


def mislabelled(kind: Kind, share: float = 0.05) -> tuple[Competition, pd.DataFrame, np.ndarray]:
    """A competition of which a share of the labels is wrong, predictions that know the right ones, and which rows are wrong."""
    contest = make_competition(kind, train_rows=ROWS)
    generator = np.random.default_rng(0)
    wrong = generator.random(ROWS) < share
    if kind == "regression":
        probs = contest.truth + generator.normal(size=contest.truth.shape)
        given = contest.truth + 40 * wrong[:, None]
    else:
        right = contest.truth
        raw = np.exp(4 * right + generator.normal(size=right.shape))
        probs = raw / raw.sum(axis=1, keepdims=True) if contest.task.one_of_many else raw / (raw + np.exp(2))
        given = np.where(wrong[:, None], np.roll(right, 1, axis=1) if contest.task.one_of_many else 1 - right, right)
    ids = contest.train["id"].tolist()
    return replace(contest, truth=given.astype(np.float32)), as_table(ids, probs, contest.task), wrong


@pytest.mark.parametrize("kind", KINDS)
def test_planted_mistakes_are_denied_and_little_else(kind: Kind) -> None:
    contest, oof, wrong = mislabelled(kind)
    found = suspects(oof, contest.truth, contest.task)
    ids = set(contest.train["id"][wrong])
    assert len(ids & set(found["id"])) > 0.6 * len(ids)
    assert len(ids & set(found["id"])) > 0.75 * len(found)
    assert set(found["id"].head(10)) <= ids, "the most denied first"
    assert found["denied"].is_monotonic_decreasing
    assert set(found["do"]) == {""}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_relabelled_is_what_the_planted_mistakes_were(kind: Kind, tmp_path: Path) -> None:
    contest, oof, wrong = mislabelled(kind)
    found = suspects(oof, contest.truth, contest.task).assign(do="relabel")
    found = found[found["id"].isin(contest.train["id"][wrong])]
    found.to_csv(tmp_path / "suspects.csv", index=False)
    taught, kept, (reason,) = corrected(contest, str(tmp_path / "suspects.csv"))
    right = make_competition(kind, train_rows=ROWS).truth
    rows = contest.train["id"].isin(found["id"]).to_numpy()
    assert kept.all()
    assert reason.value == f"0 dropped, {rows.sum()} relabelled, 0 softened"
    np.testing.assert_array_equal(taught[~rows], contest.truth[~rows])
    if kind == "regression":
        np.testing.assert_allclose(taught[rows], right[rows], atol=5)
    else:
        assert (taught[rows] == right[rows]).mean() > 0.8


def test_rows_are_dropped_and_softened(tmp_path: Path) -> None:
    contest = make_competition("multiclass")
    path = tmp_path / "c.csv"
    path.write_text("id,do,label\nt0,drop,\nt1,soften,dog\nt2,,dog\nt3,relabel,new whale\n", encoding="utf-8")
    taught, kept, _ = corrected(contest, str(path))
    assert kept.tolist() == [False] + [True] * 39
    np.testing.assert_allclose(taught[1], contest.truth[1] / 2 + np.array([0, 0.5, 0]))
    np.testing.assert_array_equal(taught[2], contest.truth[2])
    np.testing.assert_array_equal(taught[3], [0, 0, 1])
    untouched = corrected(contest, "")
    np.testing.assert_array_equal(untouched[0], contest.truth)
    assert untouched[1].all()


def test_several_labels_are_parted_by_a_bar(tmp_path: Path) -> None:
    contest = make_competition("multilabel", classes=("ETT - Normal", "NGT", "CVC"))
    path = tmp_path / "c.csv"
    path.write_text("id,do,label\nt0,relabel,ETT - Normal|CVC\nt1,relabel,\n", encoding="utf-8")
    taught, _, _ = corrected(contest, str(path))
    np.testing.assert_array_equal(taught[:2], [[1, 0, 1], [0, 0, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\nt0,dog\n", r"needs the columns id, do and label, 'do' is missing"),
        ("id,do,label\nt0,delete,dog\n", r"column do says 'delete'; it may say drop, relabel, soften, or nothing"),
        ("id,do,label\nt0,drop,\nt0,drop,\n", r"ids repeat: 't0'"),
        ("id,do,label\nx,drop,\n", r"1 ids are no training rows: 'x'"),
        ("id,do,label\nt0,relabel,cow\n", r"1 labels are none of the 3 classes: 'cow'"),
        (None, r"there is no such file"),
    ],
)
def test_corrections_that_do_not_fit_are_one_clear_error(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(FoldError, match=message):
        corrected(make_competition("multiclass"), str(path))


def test_a_run_with_other_corrections_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,do,label\nt0,drop,\n", encoding="utf-8")
    config = Config.model_validate({"data": {"corrections": str(path)}})
    first = config.digest()
    path.write_text("id,do,label\nt1,drop,\n", encoding="utf-8")
    assert config.digest() != first
    assert first != Config().digest()
    path.rename(tmp_path / "d.csv")
    (tmp_path / "d.csv").write_text("id,do,label\nt0,drop,\n", encoding="utf-8")
    assert Config.model_validate({"data": {"corrections": str(tmp_path / "d.csv")}}).digest() == first, "wherever the file lies"


def test_only_a_run_with_the_same_folds_may_teach(tmp_path: Path) -> None:
    contest = make_competition()
    asked = {"competition": {"slug": contest.name}, "machine": {"runs": str(tmp_path)}}
    config = Config.model_validate(asked)
    fold_of = assign_folds(contest, config.folds)
    run = open_run(config, contest, fold_of)
    for fold in (0, 1):
        held = (fold_of == fold).to_numpy()
        probs = make_probs(contest.task, int(held.sum()), np.random.default_rng(0))
        run.finish(fold, as_table(contest.train["id"][held].tolist(), probs, contest.task), 0.5, 1.0, "last")
    assert teacher_of("", contest, fold_of, [0]) is None
    found = teacher_of(str(run.directory), contest, fold_of, [0, 1])
    assert found is not None
    assert found.directory == run.directory
    with pytest.raises(FoldError, match=r"has not finished fold 2, 3, which is to be trained here"):
        teacher_of(str(run.directory), contest, fold_of, [0, 2, 3])
    with pytest.raises(FoldError, match=r"has not finished its model of all rows \(--fold full\), which is to be trained here"):
        teacher_of(str(run.directory), contest, fold_of, [FULL])
    run.fold_directory(FULL).mkdir()
    run.finish(FULL, as_table([], probs[:0], contest.task), 0.5, 1.0, "last")
    assert teacher_of(str(run.directory), contest, fold_of, [FULL]) is not None
    moved = fold_of.copy()
    moved.iloc[[3, 5]] = (moved.iloc[[3, 5]] + 1) % 5
    with pytest.raises(FoldError, match=r"its folds are other ones, 2 rows lie elsewhere \('t3', 't5'\).*give both runs the same --folds"):
        teacher_of(str(run.directory), contest, moved, [0])
    with pytest.raises(FoldError, match=r"is a run of small-multiclass, not of other"):
        teacher_of(str(run.directory), replace(contest, name="other"), fold_of, [0])
