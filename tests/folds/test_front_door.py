"""What `python -m folds` says and writes, of runs whose predictions are made up."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from competition.config import Config
from competition.load import load
from competition.tables import as_table
from folds.__main__ import main
from folds.errors import FoldError
from folds.run import Run, open_run
from folds.scores import gather, truth_of
from folds.split import assign_folds

WRONG = 40  # rows whose label the predictions deny


def made_up(runs: Path, name: str, sure: float) -> Run:
    """A finished run of the digits that gives the truth so much of each row, and of the first WRONG rows another class."""
    config = Config.model_validate(
        {"name": name, "folds": {"count": 2}, "competition": {"source": "digits"}, "optim": {"lr": 0.1}, "machine": {"runs": runs}}
    )
    contest = load(config.competition)
    fold_of = assign_folds(contest, config.folds)
    run = open_run(config, contest, fold_of)
    truth = contest.truth.copy()
    truth[:WRONG] = np.roll(truth[:WRONG], 1, axis=1)
    for fold in (0, 1):
        held = (fold_of == fold).to_numpy()
        probs = truth[held] * sure + (1 - sure) / 10
        run.fold_directory(fold).mkdir()
        run.finish(fold, as_table(contest.train["id"][held].tolist(), probs, contest.task), sure, 1.0, "last")
    return run


def test_a_score_that_is_undefined_stands_beside_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An AUC of held-out rows that are all of one class."""
    for name in ("defined", "undefined"):
        run = made_up(tmp_path, name, 0.8)
        gather(run, load(run.config.competition))
    ledger = pd.read_csv(tmp_path / "ledger.csv", dtype=str, keep_default_na=False)
    undefined = ledger["run"].str.startswith("undefined")
    ledger.loc[undefined, ["pooled", "low", "high", "mean", "std"]] = ""
    ledger.to_csv(tmp_path / "ledger.csv", index=False)
    told = said(capsys, "scores", "--runs", tmp_path)
    assert re.search(r"defined-\w+ .*undefined-\w+ +│? *undefined", told)


def test_rows_that_are_no_training_rows_any_more_are_named(tmp_path: Path) -> None:
    run = made_up(tmp_path, "run", 0.8)
    contest = load(run.config.competition)
    fewer = replace(contest, train=contest.train[1:], truth=contest.truth[1:])
    with pytest.raises(FoldError, match=r"digits: 1 rows that were held out are no training rows any more: '\w+'"):
        truth_of(run.oof(contest.task), fewer)


def said(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([str(word) for word in words]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_suspects_are_written_with_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "runs", "one", 0.9)
    told = said(capsys, "suspects", run.directory, "--do", "drop", "--cache", tmp_path)
    assert f"{WRONG} of 1,438 labels are denied by the out-of-fold predictions" in told
    path = run.directory / "suspects.csv"
    assert f"{path}: write drop, relabel or soften into its column do, then python train.py ... --data.corrections {path}" in told
    written = pd.read_csv(path, dtype=str)
    assert set(written["id"]) == set(load(run.config.competition).train["id"][:WRONG])
    assert set(written["do"]) == {"drop"}
    assert np.asarray(Image.open(path.with_suffix(".png"))).std() > 10


def test_without_suspects_nothing_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "runs", "unsure", 0.0)
    told = said(capsys, "suspects", run.directory, "--cache", tmp_path)
    assert told == "0 of 1,438 labels are denied by the out-of-fold predictions"


def test_two_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (made_up(tmp_path / "runs", name, sure) for name, sure in (("one", 0.9), ("other", 0.9)))
    told = said(capsys, "compare", one.directory, other.directory)
    assert told.startswith(f"{one.directory} and {other.directory} cannot be told apart: they differ by 0.00000")
    assert told.endswith("in accuracy, on 1,438 rows")
    unsure = made_up(tmp_path / "runs", "unsure", 0.0)
    for pair in ((one, unsure), (unsure, one)):
        told = said(capsys, "compare", *(run.directory for run in pair))
        assert told.startswith(f"{one.directory} beats {unsure.directory} by 0.8")


def test_training_and_test_are_told_apart_or_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "adversarial", "--competition", "digits", "--cache", tmp_path, "--runs", tmp_path)
    path = tmp_path / "digits" / "audit" / "adversarial.csv"
    assert f"{path}: each image's probability of being a test image, out of fold" in told
    written = pd.read_csv(path, dtype={"id": str})
    assert set(written["part"]) == {"train", "test"}
    assert np.asarray(Image.open(path.with_suffix(".png"))).std() > 10


def test_how_far_a_public_score_may_stray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "runs", "one", 0.9)
    told = said(capsys, "shake-up", run.directory, "--public", 0.25)
    assert f"out-of-fold accuracy {1 - WRONG / 1438:.5f}; of a test of 359 rows like these, 95 of 100 times" in told
    assert "the public score (90 rows) would lie within [0." in told
    assert "the private score (269 rows) would lie within [0." in told
    for words, fault in (
        (("--public", "1.5"), "--public 1.5: should be a share"),
        (("--test-rows", "1"), "a test of 1 rows has no two parts"),
    ):
        assert main(["shake-up", str(run.directory), *words]) == 2
        assert fault in " ".join(capsys.readouterr().err.split())


def test_scores_of_a_run_class_by_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "runs", "one", 0.9)
    told = said(capsys, "scores", run.directory)
    assert f"pooled [95 %] {1 - WRONG / 1438:.5f}" in told
    assert "classes, of 10 the least found first" in told


def test_an_audit_cannot_be_both_exact_and_thorough(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--exact", "--thorough"]) == 2
    assert "two ends of a scale" in capsys.readouterr().err
