"""The page of a run, as a file: what is on it for which task, and that it is whole, valid and safe."""

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape

from competition.catalogue.digits import load
from competition.config import CompetitionConfig
from competition.contest import Competition
from competition.images import ArrayImages
from folds.audit_files import write_audit
from folds.groups import audited
from folds.scores import gather
from reports.__main__ import main
from reports.errors import ReportError
from reports.evidence import Evidence, evidence_of
from reports.exhibits import read_exhibits
from reports.figures import FIGURES
from reports.report import report_or_reason, write_report
from tests.reports.made import ALL_KINDS, made_competition, made_probs, made_run
from tests.reports.reading import Page, read_page

MOST_BYTES = 5_000_000
HOSTILE = ("<script>alert(1)</script>", '_"><img src=x onerror=alert(1)>', "$x^{$ & 'a'", "{{ 7 * 7 }}\x07 </title>")


@cache
def evidence_of_kind(kind: str) -> Evidence:
    contest = made_competition(kind)
    return evidence_of(made_run(Path(mkdtemp()) / "runs", contest), contest)


def page_of(contest: Competition, runs: Path, **made: object) -> Page:
    """The page of a made run, once it is sure that it is valid and small."""
    path = write_report(made_run(runs, contest, **made), contest)  # type: ignore[arg-type]
    assert path.stat().st_size < MOST_BYTES
    page = read_page(path.read_text(encoding="utf-8"))
    assert not page.faults
    return page


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_page_has_the_figures_of_its_task_and_is_valid(kind: str, tmp_path: Path) -> None:
    page = page_of(made_competition(kind), tmp_path / "runs")
    there = {"Scores", "Training", "Mistakes", "Samples", "As the network sees them", "First layer", "Do it again"}
    there |= {"Errors"} if kind == "regression" else {"ROC and precision-recall", "Calibration", "Least certain"}
    there |= {"Label by label", "Labels together"} if kind == "multilabel" else set()
    there |= {"Class by class", "Confusion"} if kind not in ("multilabel", "regression") else set()
    there |= {"ordinal": {"Distance of mistakes"}, "ranking": {"Places of the truth"}}.get(kind, set())
    others = set(FIGURES) - there - {"Suspect labels", "What was asked, and how it was done"}
    assert there <= set(page.headings)
    assert not others & set(page.headings)
    assert page.images > 30
    assert page.drawings >= 4


@pytest.mark.parametrize("title", FIGURES)
def test_each_figure_is_for_known_kinds_and_gives_the_same_twice(title: str) -> None:
    kinds, draw = FIGURES[title]
    assert kinds
    assert set(kinds) <= set(ALL_KINDS)
    evidence = evidence_of_kind(kinds[0])
    assert repr(draw(evidence)) == repr(draw(evidence))


def test_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    contest = made_competition("binary")
    run = made_run(tmp_path / "runs", contest)
    assert write_report(run, contest).read_bytes() == write_report(run, contest, tmp_path / "again.html").read_bytes()


def test_confusion_counts_are_those_of_a_hand_count(tmp_path: Path) -> None:
    """Of ten cats three are taken for dogs; all else is right."""
    contest = made_competition("multiclass", rows=30)
    probs = contest.truth * 0.8 + 0.1
    probs[np.flatnonzero(contest.truth[:, 0])[:3]] = [0.2, 0.7, 0.1]
    page = page_of(contest, tmp_path / "runs", probs=(probs / probs.sum(axis=1, keepdims=True)).astype(np.float32))
    counts = page.tables["Counts: how many rows of each class are taken for which"]
    assert counts[0] == ["", "prediction →"]
    assert counts[1] == ["truth ↓", "cat", "dog", "new whale"]
    assert counts[2:] == [["cat", "7", "3", "0"], ["dog", "0", "10", "0"], ["new whale", "0", "0", "10"]]
    assert page.tables["Shares: the same, of the rows of each true class"][2] == ["cat", "70.0%", "30.0%", "0.0%"]
    assert page.tables["The pairs confused most"][1:] == [["cat", "dog", "3", "30.0%"]]
    (cat,) = (row for row in page.tables["Precision, recall, F1 and rows of each class"] if row[0] == "cat")
    assert cat[1:6] == ["10", "7", "1.0000", "0.7000", "0.8235"]
    assert page.headings.count("Wrong, the most confident first") == 1


@pytest.mark.parametrize("kind", ["binary", "multiclass", "ordinal", "multilabel", "regression", "ranking"])
def test_names_that_are_markup_stay_text(kind: str, tmp_path: Path) -> None:
    classes = HOSTILE[:2] if kind == "binary" else HOSTILE[:1] if kind == "regression" else HOSTILE
    contest = made_competition(kind, classes=classes)
    ids = [f"{HOSTILE[row % 4]}{row}" for row in range(len(contest.train))]
    keys = [f"{name}.png" for name in ids]
    images = ArrayImages([*keys, *contest.test["image"]], np.full((len(ids) + len(contest.test), 8, 8, 1), 90, np.uint8))
    contest = replace(contest, train=pd.DataFrame({"id": ids, "image": keys}, dtype="str"), images=images, name="a <b>competition</b>")
    run = made_run(tmp_path / "runs", contest, name="run")
    text = write_report(run, contest).read_text(encoding="utf-8")
    page = read_page(text)
    assert not page.faults
    assert "<b>" not in text
    for name in classes:
        assert name.split("\x07")[0].strip() in page.text
        assert escape(name.split("\x07")[0].strip()) in text
    assert text.count("<script>") == 1


def test_folds_that_are_not_finished_are_said_to_be_missing(tmp_path: Path) -> None:
    page = page_of(made_competition("binary"), tmp_path / "runs", folds=(0, 2))
    assert "2 of 3 folds are finished; everything on this page is about those." in page.text
    assert [row[0] for row in page.tables["Fold by fold"][1:]] == ["0", "2"]


def test_a_probe_has_no_history_and_no_exhibits(tmp_path: Path) -> None:
    page = page_of(made_competition("multiclass"), tmp_path / "runs", history=False, exhibits=False, optim={"method": "probe"})
    assert "Training" not in page.headings
    assert "First layer" not in page.headings
    assert "probe: the backbone stays as it is" in page.text
    assert "Samples" in page.headings


def test_one_fold_alone_is_a_page_too(tmp_path: Path) -> None:
    page = page_of(made_competition("regression"), tmp_path / "runs", folds=(1,))
    assert not [cell for rows in page.tables.values() for row in rows for cell in row if "nan" in cell]


def test_no_fold_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    contest = made_competition("binary")
    run = made_run(tmp_path / "runs", contest, folds=())
    with pytest.raises(ReportError, match=r"no fold is finished yet, so there is nothing to show; python train.py --recipe .*config.toml"):
        write_report(run, contest)


def test_a_run_of_other_rows_is_an_error(tmp_path: Path) -> None:
    contest = made_competition("binary")
    run = made_run(tmp_path / "runs", contest)
    other = replace(contest, train=contest.train.assign(id=[f"u{row}" for row in range(len(contest.train))]))
    with pytest.raises(ReportError, match=r"120 ids of its held-out rows are no training ids of tests: 't\d+'"):
        write_report(run, other)


def test_a_damaged_file_of_exhibits_does_not_take_the_run_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contest = made_competition("binary")
    run = made_run(tmp_path / "runs", contest)
    path = run.fold_directory(1) / "exhibits.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ReportError, match=r"exhibits.npz: cannot be read .*; delete it, and the page is made without it"):
        read_exhibits(path)
    report_or_reason(run, contest)
    assert "no report.html: " in capsys.readouterr().out
    path.unlink()
    pngs = report_or_reason(run, contest)
    assert "Confusion/Counts: how many rows of each class are taken for which" in pngs
    assert "ROC and precision-recall/ROC curves of the positive class" in pngs
    assert all(png().startswith(b"\x89PNG") for png in pngs.values())
    assert (run.directory / "report.html").is_file()


def test_images_that_are_gone_leave_words_in_their_place(tmp_path: Path) -> None:
    contest = made_competition("binary")
    contest = replace(contest, images=ArrayImages(["other.png"], np.zeros((1, 8, 8, 3), np.uint8)))
    page = page_of(contest, tmp_path / "runs", exhibits=False)
    assert "the images cannot be read, so none is shown here" in page.text
    assert not page.images


def test_heat_maps_stand_beside_the_images_that_have_one(tmp_path: Path) -> None:
    contest = made_competition("binary")
    without = page_of(contest, tmp_path / "a", exhibits=False)
    heated = page_of(contest, tmp_path / "b")
    assert "where the network looked" not in without.text
    assert heated.images > 2 * without.images


def test_duplicates_across_folds_are_named(tmp_path: Path) -> None:
    contest = made_competition("binary", rows=24)
    keys = [*contest.train["image"], *contest.test["image"]]
    images = np.random.default_rng(0).integers(0, 256, (len(keys), 8, 8, 3), dtype=np.uint8)
    images[1], images[-1] = images[0], images[2]
    contest = replace(contest, images=ArrayImages(keys, images))
    write_audit(contest, audited(tmp_path / "runs", contest), tmp_path / "cache", 5)
    page = page_of(contest, tmp_path / "runs")
    assert "1 pairs within train" in page.text
    assert "1 pairs train and test" in page.text
    assert "The likeliest pairs" in page.headings


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_hundreds_of_classes_are_pictured_and_listed_by_what_is_worst(kind: str, tmp_path: Path) -> None:
    names = tuple(f"class {place}" for place in range(410))
    contest = made_competition(kind, rows=900, classes=names, metric="accuracy")
    page = page_of(contest, tmp_path / "runs", probs=made_probs(contest, skill=0.002), exhibits=False)
    if kind == "multiclass":
        assert len(page.tables["Precision, recall, F1 and rows of each class"]) == 401
        assert "Counts: how many rows of each class are taken for which" not in page.tables
        assert page.tables["The pairs confused most"][0] == ["truth", "prediction", "rows", "of the true class"]
        assert "Places of the truth" in page.headings
    else:
        assert len(page.tables["Each label alone"]) == 401
        assert page.tables["Labels that come together most often"][0][0] == "label"


def test_many_rows_are_drawn_as_pixels(tmp_path: Path) -> None:
    contest = made_competition("regression", rows=20_000)
    run = made_run(tmp_path / "runs", contest, exhibits=False)
    path = write_report(run, contest)
    assert path.stat().st_size < 1_500_000
    assert not read_page(path.read_text(encoding="utf-8")).faults


def test_scores_are_read_from_the_run_where_they_are_up_to_date(tmp_path: Path) -> None:
    contest = made_competition("multiclass")
    run = made_run(tmp_path / "runs", contest, folds=(0, 1))
    before = evidence_of(run, contest).scores
    assert before == gather(run, contest)
    (run.directory / "scores.json").unlink()
    assert evidence_of(run, contest).scores == before


def test_the_front_door_draws_a_run_of_a_known_competition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contest = load(CompetitionConfig())
    run = made_run(tmp_path / "runs", contest, competition={"slug": "digits", "source": "digits", "metric": "accuracy"}, exhibits=False)
    other = made_run(tmp_path / "runs", contest, "other", probs=made_probs(contest, 1), history=False, exhibits=False)
    given = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]
    assert main([str(run.directory), *given]) == 0
    assert "report.html: the run in pictures" in capsys.readouterr().out
    assert main([str(run.directory), str(run.directory.parent / other.name), *given, "--output", str(tmp_path / "two.html")]) == 0
    assert main(["leaderboard", "digits", "--runs", str(tmp_path / "runs")]) == 0
    for path in (run.directory / "report.html", tmp_path / "two.html", tmp_path / "runs" / "digits" / "leaderboard.html"):
        assert not read_page(path.read_text(encoding="utf-8")).faults


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no-such-run"], "no-such-run: is no run (it has no config.toml)"),
        (["leaderboard"], "no runs in runs/ledger.csv yet: python train.py makes one"),
    ],
)
def test_mistakes_are_answered_in_a_line(words: list[str], told: str, tmp_path: Path) -> None:
    root = Path(__file__).parent.parent.parent
    asked = subprocess.run(
        [sys.executable, "-m", "reports", *words], cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(root)}, check=False
    )
    assert asked.returncode == 2
    assert told in asked.stderr
