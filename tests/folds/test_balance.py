import numpy as np
import pandas as pd
import pytest

from competition.config import FoldsConfig
from competition.task import KINDS, Kind
from folds.__main__ import main
from folds.balance import balance, unseen_classes
from folds.split import assign_folds
from tests.builders import make_competition


@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_classes_add_up(kind: Kind) -> None:
    contest = make_competition(kind, train_rows=60)
    fold_of = assign_folds(contest, FoldsConfig(count=3))
    header, rows = balance(contest, fold_of, pd.Series([f"g{place // 2}" for place in range(60)]))
    assert header == ["", "all", "fold 0", "fold 1", "fold 2"]
    assert rows[0][1] == "60"
    assert [row[0] for row in rows] == ["rows", "groups", *contest.task.classes]
    if kind != "regression":
        for row in [rows[0], *rows[2:]]:
            whole, *parts = (int(cell.split()[0]) for cell in row[1:])
            assert whole == sum(parts)


def test_of_many_classes_the_rarest_are_shown() -> None:
    contest = make_competition("multiclass", classes=tuple(f"c{place}" for place in range(50)), train_rows=300)
    _, rows = balance(contest, assign_folds(contest, FoldsConfig()))
    assert len(rows) == 1 + 20 + 1
    assert rows[-1][0] == "and 30 more frequent ones"


def test_a_class_that_is_held_out_as_a_whole_is_named() -> None:
    contest = make_competition("multiclass", train_rows=30)
    alone = np.flatnonzero(contest.truth[:, 2])
    fold_of = pd.Series(np.arange(30) % 2, index=contest.train["id"])
    fold_of.iloc[alone] = 1
    assert unseen_classes(contest, fold_of) == [("new whale", 1)]
    assert unseen_classes(make_competition("regression", train_rows=30), fold_of) == []


def test_the_front_door_shows_the_cut_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["split", "--folds.count", "3"]) == 0
    told = capsys.readouterr().out
    assert "every fold has its share of each class" in told
    assert "digits: 3 folds, stratified" in told
    assert main(["split", "--folds.groups", "patient"]) == 2
    assert "--folds.groups patient: the label table has no such column ('label')" in capsys.readouterr().err
