import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.config import CompetitionConfig, Config
from competition.contest import Competition
from competition.metrics import METRICS, score
from competition.tables import as_table
from competition.task import KINDS, Kind
from folds.errors import FoldError
from folds.run import Run, open_run, read_table
from folds.scores import COLUMNS, class_scores, compare_runs, gather, read_ledger, record, score_run, shared_groups, shared_rows, truth_of
from folds.show import show_scores
from folds.split import assign_folds
from tests.builders import make_competition, make_probs
from tests.folds.test_run import finished, opened

ROW: dict[str, object] = {**dict.fromkeys(COLUMNS, "x"), "run": "a", "competition": "c"}


def oof_of(contest: Competition, seed: int = 0, rows: "slice | np.ndarray" = slice(None)) -> pd.DataFrame:
    probs = make_probs(contest.task, len(contest.train), np.random.default_rng(seed))
    return as_table(contest.train["id"][rows].tolist(), probs[rows], contest.task)


def whole(tmp_path: Path, contest: Competition, folds: tuple[int, ...] = (0, 1, 2, 3, 4)) -> Run:
    run = opened(tmp_path, contest)
    for fold in folds:
        finished(run, contest, fold)
    return run


def test_known_scores(tmp_path: Path) -> None:
    """Four rows a fold, of which fold k gets k right: means, spread and the pooled score follow."""
    contest = replace(make_competition("multiclass", train_rows=20, metric="accuracy"))
    run = opened(tmp_path, contest)
    fold_of = run.fold_of()
    probs = contest.truth.copy()
    for fold in range(5):
        wrong = np.flatnonzero(fold_of.to_numpy() == fold)[fold:]
        probs[wrong] = np.roll(probs[wrong], 1, axis=1)
    oof = as_table(contest.train["id"].tolist(), probs, contest.task)
    scores = score_run(run, contest, oof.sample(frac=1, random_state=0))
    assert scores.per_fold == {0: 0, 1: 0.25, 2: 0.5, 3: 0.75, 4: 1}
    assert scores.mean == scores.pooled == 0.5
    assert scores.std == pytest.approx(np.sqrt(0.15625))


def test_a_fold_whose_score_is_not_defined_is_left_out_of_the_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of its rows are of one class, and the metric is an AUC."""
    contest = make_competition("binary", train_rows=40)
    run = whole(tmp_path, contest)
    truth = contest.truth.copy()
    truth[(run.fold_of() == 2).to_numpy()] = [1, 0]
    scores = score_run(run, replace(contest, truth=truth), oof_of(contest, 1))
    defined = [value for fold, value in scores.per_fold.items() if fold != 2]
    assert np.isnan(scores.per_fold[2])
    assert (scores.mean, scores.std) == (pytest.approx(np.mean(defined)), pytest.approx(np.std(defined, ddof=1)))
    show_scores(run, scores)
    assert "mean ± std of the 4 folds where it is defined" in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_the_pooled_score_is_that_of_all_rows_at_once(kind: Kind, tmp_path: Path) -> None:
    contest = make_competition(kind)
    run = whole(tmp_path, contest)
    oof = run.oof(contest.task).loc[contest.train["id"]]
    assert gather(run, contest).pooled == pytest.approx(score(contest.metric, contest.truth, oof, contest.task))


def test_one_fold_has_no_spread(tmp_path: Path) -> None:
    contest = make_competition()
    scores = gather(whole(tmp_path, contest, (2,)), contest)
    assert np.isnan(scores.std)
    assert list(scores.per_fold) == [2]
    assert scores.pooled == scores.mean == scores.per_fold[2]


def test_gather_writes_table_scores_and_ledger(tmp_path: Path) -> None:
    contest = make_competition()
    run = whole(tmp_path, contest)
    gather(run, contest)
    oof = read_table(run.directory / "oof.parquet")
    assert list(oof.columns) == ["fold", *contest.task.classes]
    assert sorted(oof.index) == sorted(contest.train["id"])
    assert (oof["fold"] == run.fold_of().loc[oof.index]).all()
    (row,) = read_ledger(tmp_path).to_dict("records")
    assert (row["run"], row["competition"], row["metric"]) == (run.name, contest.name, contest.metric)
    assert (row["folds_done"], row["folds"], row["seconds"], row["weights"]) == ("5", "5", "7.5", "last")


def test_a_fold_more_takes_the_place_of_the_runs_row(tmp_path: Path) -> None:
    contest = make_competition()
    run = whole(tmp_path, contest, (0,))
    gather(run, contest)
    assert read_ledger(tmp_path)["std"].tolist() == [""], "nan is written as nothing"
    finished(run, contest, 1)
    gather(run, contest)
    assert read_ledger(tmp_path)["folds_done"].tolist() == ["2"]


def test_truth_is_aligned_by_id() -> None:
    contest = make_competition()
    backwards = oof_of(contest).iloc[::-1]
    np.testing.assert_array_equal(truth_of(backwards, contest), contest.truth[::-1])


def test_runs_are_compared_on_the_rows_that_all_of_them_hold() -> None:
    contest = make_competition(train_rows=40)
    one, other = oof_of(contest, 1, np.arange(30)), oof_of(contest, 2, np.arange(39, 9, -1))
    shared = shared_rows({"one": one, "other": other})
    assert list(shared["one"].index) == list(shared["other"].index) == list(contest.train["id"][10:30])
    pd.testing.assert_frame_equal(shared["other"], other.loc[shared["one"].index])


def test_runs_that_share_no_row_cannot_be_blended() -> None:
    contest = make_competition()
    with pytest.raises(FoldError, match=r"a and b share no finished fold, .*: train the same folds of each"):
        shared_rows({"a": oof_of(contest, 1, np.arange(20)), "b": oof_of(contest, 2, np.arange(20, 40))})


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_gathered(metric: str, tmp_path: Path) -> None:
    kind = METRICS[metric].tasks[0]
    classes = tuple("012345"[: {"binary": 2, "multiclass": 3, "multilabel": 4, "regression": 1}[kind]])
    contest = make_competition(kind, metric=metric, classes=classes)
    gather(whole(tmp_path, contest, (0, 1)), contest)
    assert read_ledger(tmp_path)["metric"].tolist() == [metric]


def test_no_ledger_has_no_rows(tmp_path: Path) -> None:
    assert read_ledger(tmp_path).empty
    assert list(read_ledger(tmp_path).columns) == COLUMNS


def test_text_and_numbers_in_the_ledger_stay_as_they_are(tmp_path: Path) -> None:
    record(tmp_path, ROW | {"run": 'a,b "c" é\n', "pooled": 0.123456789, "mean": np.float64(1e-12), "std": float("nan"), "git": "0012e3"})
    (row,) = read_ledger(tmp_path).to_dict("records")
    assert (row["run"], row["pooled"], row["mean"], row["std"], row["git"]) == ('a,b "c" é\n', "0.123456789", "1e-12", "", "0012e3")


def test_runs_of_one_name_in_two_competitions_have_a_row_each(tmp_path: Path) -> None:
    record(tmp_path, ROW)
    record(tmp_path, ROW | {"competition": "d"})
    record(tmp_path, ROW | {"metric": "new"})
    assert sorted(zip(read_ledger(tmp_path)["competition"], read_ledger(tmp_path)["metric"], strict=True)) == [("c", "new"), ("d", "x")]


def test_a_column_that_the_user_added_to_the_ledger_stays(tmp_path: Path) -> None:
    for run in "ab":
        record(tmp_path, ROW | {"run": run})
    read_ledger(tmp_path).assign(note=["wide", "narrow"]).to_csv(tmp_path / "ledger.csv", index=False)
    for run in "ac":
        record(tmp_path, ROW | {"run": run, "pooled": 123456.789})
    ledger = read_ledger(tmp_path)
    assert list(ledger.columns) == [*COLUMNS, "note"]
    assert ledger[["run", "pooled", "note"]].to_numpy().tolist() == [
        ["b", "x", "narrow"],
        ["a", "123456.789", "wide"],
        ["c", "123456.789", ""],
    ]


WRITER = """
import sys
from pathlib import Path
from folds.scores import COLUMNS, class_scores, compare_runs, gather, read_ledger, record, score_run, shared_rows, truth_of
for number in range(12):
    record(Path(sys.argv[1]), dict.fromkeys(COLUMNS, 0.5) | {"run": f"{sys.argv[2]}-{number}", "competition": "c"})
"""


def test_processes_that_write_at_once_lose_no_row(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number)]) for number in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert sorted(read_ledger(tmp_path)["run"]) == sorted(f"{writer}-{number}" for writer in range(2) for number in range(12))


def test_a_run_without_a_row_of_the_competition_is_an_error() -> None:
    contest = make_competition()
    with pytest.raises(FoldError, match="40 rows that were held out are no training rows any more: 'u0'"):
        truth_of(oof_of(replace(contest, train=contest.train.assign(id=[f"u{place}" for place in range(40)]))), contest)


def test_each_class_against_the_rest() -> None:
    contest = make_competition("multiclass", train_rows=30)
    perfect = class_scores(contest.truth, contest.truth, contest.task)
    assert {name: (one.rows, one.roc_auc, one.found) for name, one in perfect.items()} == dict.fromkeys(
        contest.task.classes, (10, 1.0, 1.0)
    )
    probs = contest.truth.copy()
    probs[np.flatnonzero(contest.truth[:, 0])[:4]] = [0, 1, 0]  # four cats are taken for dogs
    found = class_scores(contest.truth, probs, contest.task)
    assert [one.found for one in found.values()] == [0.6, 1.0, 1.0]
    assert found["cat"].roc_auc == pytest.approx(0.8)


def test_two_runs_are_compared_on_the_rows_of_both(tmp_path: Path) -> None:
    contest = make_competition("binary", train_rows=200, metric="accuracy")
    runs = []
    for name, wrong in (("good", 10), ("poor", 60)):
        run = opened(tmp_path, contest, name)
        probs = contest.truth * 0.8 + 0.1
        probs[:wrong] = probs[:wrong, ::-1]
        for fold in range(5):
            held = (run.fold_of() == fold).to_numpy()
            run.finish(fold, as_table(contest.train["id"][held].tolist(), probs[held], contest.task), 0.5, 1.0, "last")
        runs.append(run)
    good, poor = runs
    gain, rows = compare_runs(good, poor, contest)
    assert (gain.value, rows) == (pytest.approx(0.25), 200)
    assert 0.15 < gain.low < 0.25 < gain.high < 0.35
    back, _ = compare_runs(poor, good, contest)
    assert back.value == pytest.approx(-0.25)
    elsewhere = poor.config.model_copy(update={"competition": CompetitionConfig(slug="another")})
    with pytest.raises(FoldError, match="different competitions"):
        compare_runs(good, replace(poor, config=elsewhere), contest)


def test_it_is_no_matter_which_run_that_kept_groups_together_is_named_first(tmp_path: Path) -> None:
    patients = pd.Series([f"p{place // 4}" for place in range(40)], name="patient")
    plain = make_competition("binary", train_rows=40)
    contest = replace(plain, train=plain.train.assign(patient=patients), groups=patients)
    runs = []
    for name, groups in (("apart", "none"), ("together", "patient")):
        config = Config.model_validate({"name": name, "folds": {"groups": groups}, "machine": {"runs": tmp_path}})
        runs.append(open_run(config, contest, assign_folds(contest, config.folds)))
    ids = pd.Index(contest.train["id"][::-1])
    for asked in (runs, runs[::-1], runs[:1]):  # the competition's own where none of the runs kept any together
        assert (shared_groups(asked, contest, ids) == patients.to_numpy()[::-1]).all()
    assert shared_groups(runs[:1], plain, ids) is None
