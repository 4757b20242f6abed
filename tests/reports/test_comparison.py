"""The page that compares runs, and the leaderboard of a competition."""

import json
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from competition.config import CompetitionConfig
from competition.errors import CompetitionError
from reports.compare import write_comparison
from reports.errors import ReportError
from reports.leaderboard import write_leaderboard
from tests.reports.made import ALL_KINDS, made_competition, made_probs, made_run
from tests.reports.reading import read_page

SUBMISSION = {"runs": ["x"], "blend": "mean", "cv": 0.5, "time": "2026-01-02T03:04:05+00:00"}


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_the_better_run_is_named_with_its_interval(kind: str, tmp_path: Path) -> None:
    contest = made_competition(kind)
    poor = made_run(tmp_path / "runs", contest, "poor", probs=made_probs(contest, skill=0.15), seed=1)
    good = made_run(tmp_path / "runs", contest, "good", probs=made_probs(contest, skill=0.9), history=False)
    path = write_comparison([poor, good], contest)
    assert path == tmp_path / "runs" / contest.name / "compare.html"
    page = read_page(path.read_text(encoding="utf-8"))
    assert not page.faults
    assert [row[0] for row in page.tables["Out of fold, the best first"][1:]] == [good.name, poor.name]
    ((one, other, gain, low, high, rows, verdict),) = page.tables["Paired differences"][1:]
    assert (one, other, rows, verdict) == (good.name, poor.name, "120", f"{good.name} is better")
    assert 0 < float(low) <= float(gain) <= float(high)
    differing = {row[0] for row in page.tables["Settings that differ"][1:]}
    assert differing == {"name", "seed"}


def test_runs_without_a_row_in_common_are_said_to_be_apart(tmp_path: Path) -> None:
    contest = made_competition("binary")
    runs = [made_run(tmp_path / "runs", contest, f"fold{fold}", folds=(fold,)) for fold in (0, 1)]
    page = read_page(write_comparison(runs, contest).read_text(encoding="utf-8"))
    assert "share no held-out row: train the same folds of each" in page.text
    assert not page.faults


def test_runs_that_were_trained_for_different_metrics_are_compared_by_one(tmp_path: Path) -> None:
    contest = made_competition("binary")
    asked = {"slug": contest.name, "source": contest.source, "metric": "log_loss"}
    one, other = made_run(tmp_path / "runs", contest, "one"), made_run(tmp_path / "runs", contest, "other", competition=asked)
    for path in other.directory.glob("fold*/history.csv"):
        path.write_text(path.read_text(encoding="utf-8").replace(contest.metric, "log_loss", 1), encoding="utf-8")
    page = read_page(write_comparison([one, other], contest).read_text(encoding="utf-8"))
    assert not page.faults
    assert "Mean over folds of the held-out loss" in page.text


def test_what_cannot_be_compared_is_an_error(tmp_path: Path) -> None:
    contest = made_competition("binary")
    run = made_run(tmp_path / "runs", contest)
    with pytest.raises(ReportError, match="a run is named twice"):
        write_comparison([run, run], contest)
    elsewhere = made_run(tmp_path / "runs", contest, "other", competition=CompetitionConfig(slug="another").model_dump())
    with pytest.raises(ReportError, match="are about different competitions"):
        write_comparison([run, elsewhere], contest)


@pytest.mark.parametrize(
    ("content", "told"), [('{"a": 1,}', "is no JSON"), (json.dumps({**SUBMISSION, "public": "0.9"}), "'public' should be numbers")]
)
def test_a_file_that_was_written_by_hand_is_named(content: str, told: str, tmp_path: Path) -> None:
    contest = made_competition("binary")
    run = made_run(tmp_path / "runs", contest)
    (run.directory.parent / "submissions").mkdir()
    (run.directory.parent / "submissions" / "mine.json").write_text(content, encoding="utf-8")
    with pytest.raises(ReportError, match=f"mine.json: {told}"):
        write_leaderboard("", tmp_path / "runs")


def test_the_leaderboard_has_all_runs_and_what_was_submitted(tmp_path: Path) -> None:
    contest = made_competition("binary")
    poor = made_run(tmp_path / "runs", contest, "poor", probs=made_probs(contest, skill=0.15))
    good = made_run(tmp_path / "runs", contest, "good", probs=made_probs(contest, skill=0.9), folds=(0, 1))
    (good.fold_directory(0) / "model.safetensors").write_bytes(bytes(1_500_000))
    submissions = tmp_path / "runs" / contest.name / "submissions"
    submissions.mkdir()
    told = {
        "20260101-a": {**SUBMISSION, "runs": [good.name], "public": 0.61},
        "20260102-b": {**SUBMISSION, "runs": [good.name], "public": 0.71, "cv": 0.9},
        "20260103-c": {**SUBMISSION, "runs": [good.name, poor.name]},
    }
    for name, facts in told.items():
        (submissions / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")
    (submissions / "note.json").write_text("[1]", encoding="utf-8")
    path = write_leaderboard("", tmp_path / "runs")
    assert path == tmp_path / "runs" / contest.name / "leaderboard.html"
    page = read_page(path.read_text(encoding="utf-8"))
    assert not page.faults
    header, *rows = page.tables["All runs"]
    told_of = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert list(told_of) == [good.name, poor.name]
    assert (told_of[good.name]["public"], told_of[poor.name]["public"]) == ("0.71000", "not submitted")
    assert (told_of[good.name]["weights, MB"], told_of[poor.name]["weights, MB"]) == ("1.5", "–")
    assert told_of[good.name]["folds"] == "2 of 3"
    assert [row[4] for row in page.tables["Submissions, the newest first"][1:]] == ["not submitted", "0.71000", "0.61000"]
    assert page.tables["Correlation of out-of-fold predictions"][2][1] == "1.0000"


def test_runs_of_another_metric_are_counted(tmp_path: Path) -> None:
    contest = made_competition("binary")
    made_run(tmp_path / "runs", contest, "one")
    made_run(tmp_path / "runs", replace(contest, metric="accuracy"), "other")
    page = write_leaderboard("", tmp_path / "runs").read_text(encoding="utf-8")
    assert f"1 run, by out-of-fold accuracy, the best first; 1 run scored by '{contest.metric}' is not shown" in unescape(page)


def test_an_unknown_competition_names_the_nearest(tmp_path: Path) -> None:
    made_run(tmp_path / "runs", made_competition("binary"))
    with pytest.raises(CompetitionError, match="unknown competition 'smal-binary': perhaps 'small-binary'"):
        write_leaderboard("smal-binary", tmp_path / "runs")
