import json
from dataclasses import replace
from pathlib import Path

import pytest

from submissions.format import submission_frame
from submissions.log import STATUS, Submission, agreement, found, merged, read_log, record, refreshed
from submissions.log_show import show_log
from submissions.message import words_of
from submissions.origin import facts_of
from submissions.upload import entry_of
from submissions.write import Origin, facts_path, write
from tests.builders import make_competition, make_table


def scored(pairs: list[tuple[float, float]]) -> list[Submission]:
    return [
        Submission(f"{place:010d}", place + 1, "complete", f"2026-11-{place + 1:02d}", cv, public, runs=(f"run-{place}",))
        for place, (cv, public) in enumerate(pairs)
    ]


def at_kaggle(ref: int, message: str, **other: object) -> dict[str, object]:
    usual = {"status": "complete", "public": 0.9, "private": None, "error": "", "time": "2026-11-04T10:00:00+00:00"}
    return {"ref": ref, "message": message, **usual, **other}


def test_a_row_is_replaced_by_its_news_and_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "digits" / "submissions.jsonl"
    assert read_log(path) == []
    lost = Submission("1a2b3c4d5e", time="2026-11-04", cv=0.9, runs=("a", "b"), views=("identity",), blend="mean", message="m")
    record(path, [lost])
    record(path, [Submission("ffffffffff", 7, "pending", "2026-11-03")])
    accepted = Submission("1a2b3c4d5e", 8, "complete", "2026-11-04", 0.9, 0.89)
    assert record(path, [accepted]) == read_log(path) == [Submission("ffffffffff", 7, "pending", "2026-11-03"), accepted]
    path.write_text(path.read_text().replace('"error"', '"of a later version": 1, "error"'))
    assert read_log(path)[1] == accepted


def test_a_score_is_noted_beside_the_file_that_was_sent_alone(tmp_path: Path) -> None:
    """Another run was predicted to the same --output, while Kaggle scored the first file."""
    contest, file, log = make_competition("multiclass"), tmp_path / "one.csv", tmp_path / "submissions.jsonl"
    write(submission_frame(make_table(contest, seed=1), contest), file, contest, Origin(("weak-111111",), cv=0.9))
    sent = replace(entry_of(file, ""), ref=101, status="complete", public=0.88)
    assert Path(sent.file).is_absolute()
    record(log, [replace(sent, id=f"{sent.id}.2")])
    assert json.loads(facts_path(file).read_text())["public"] == 0.88
    write(submission_frame(make_table(contest, seed=2), contest), file, contest, Origin(("strong-222222",), cv=0.2))
    record(log, [sent])
    assert "public" not in json.loads(facts_path(file).read_text())


def test_what_stands_beside_a_file_that_was_changed_is_not_about_it(tmp_path: Path) -> None:
    contest, file = make_competition("multiclass"), tmp_path / "one.csv"
    write(submission_frame(make_table(contest), contest), file, contest, Origin(("base-1a2b3c",), cv=0.9))
    assert entry_of(file, "").runs == ("base-1a2b3c",)
    file.write_text(file.read_text() + "\n")
    assert (facts_of(file), entry_of(file, "").cv) == ({}, None)


def test_what_kaggle_lists_is_matched_by_number_or_file() -> None:
    rows = [Submission("1a2b3c4d5e", 5, "pending", cv=0.91), Submission("ffffffffff", cv=0.92)]
    listed = [
        at_kaggle(5, "a file=1a2b3c4d5e"),
        at_kaggle(6, "b cv=0.5 file=ffffffffff"),
        at_kaggle(7, "by hand cv=0.75 run=x+y", status="error", error="no"),
    ]
    news = merged(rows, listed)
    assert [(new.ref, new.id, new.cv, new.status) for new in news] == [
        (5, "1a2b3c4d5e", 0.91, "complete"),
        (6, "ffffffffff", 0.92, "complete"),
        (7, "", 0.75, "error"),
    ]
    assert news[2].runs == ("x", "y")
    assert merged(news, listed) == []


def test_what_was_recorded_while_kaggle_was_asked_stays(tmp_path: Path) -> None:
    log = tmp_path / "submissions.jsonl"
    sent = Submission(
        "1a2b3c4d5e", 7, "pending", "2026-11-04", 0.912345678, runs=("a", "b"), views=("identity",), file=str(tmp_path / "s.csv")
    )
    record(log, [sent])
    (row,) = refreshed(log, [at_kaggle(7, "cv=0.91235 run=a+b file=1a2b3c4d5e")])
    assert (row.public, row.cv, row.views, row.file) == (0.9, 0.912345678, ("identity",), sent.file)
    assert refreshed(log, []) == [row] == read_log(log)


def test_a_file_is_found_by_its_id_alone() -> None:
    listed = [at_kaggle(3, "file=1a2b3c4d5e.2"), at_kaggle(2, "file=1a2b3c4d5e"), at_kaggle(1, "file=ffffffffff"), at_kaggle(0, "none")]
    assert [one["ref"] for one in found(listed, "1a2b3c4d5e")] == [3, 2]
    assert words_of("file=no cv=0.5 xrun=3 file=1a2b") == {"cv": "0.5", "file": "1a2b"}


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "not known yet: 0 submissions have"),
        ([(0.9, 0.8)], "not known yet: 1 submission has"),
        ([(0.9, 0.8), (0.9, 0.81), (0.9, 0.82)], "each submission has the same CV"),
        ([(0.90, 0.85), (0.92, 0.87), (0.95, 0.90)], "trust CV (of 3 submissions only"),
        ([(0.1 * step, 0.1 * step - 0.05) for step in range(10)], "went with a better public score: trust CV"),
        ([(0.900, 0.95), (0.901, 0.80), (0.902, 0.85), (0.903, 0.82)], "the leaderboard cannot tell these submissions apart"),
        ([(0.5, 0.62), (0.6, 0.61), (0.7, 0.60), (0.9, 0.59)], "do not trust CV before you know why"),
        ([(0.1, 0.3), (0.4, 0.1), (0.6, 0.8), (0.9, 0.6)], "only loosely"),
    ],
)
def test_whether_cv_can_be_trusted(pairs: list[tuple[float, float]], said: str) -> None:
    assert said in agreement(scored(pairs)).verdict


def test_known_correlations() -> None:
    result = agreement(scored([(0.1, 0.2), (0.2, 0.4), (0.3, 0.6)]))
    assert (result.n, result.pearson, result.spearman) == (3, pytest.approx(1), pytest.approx(1))
    assert (result.gap, result.spread) == (pytest.approx(0.2), pytest.approx(0.1))
    tied = agreement(scored([(0.1, 0.2), (0.1, 0.2), (0.3, 0.1)]))
    assert tied.spearman == pytest.approx(-1)


def test_the_same_file_counts_once() -> None:
    rows = scored([(0.1, 0.2), (0.2, 0.4)])
    assert agreement([*rows, rows[0]]).n == 2


def test_the_table_and_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contest = make_competition("multiclass", answer="label", metric="accuracy")
    rows = [
        *scored([(0.90, 0.85), (0.92, 0.87), (0.95, 0.90)]),
        Submission("", 9, "error", "2026-11-09T10:00", message="x" * 60, error="bad"),
    ]
    found = show_log(rows, contest, tmp_path / "plot.png")
    said = capsys.readouterr().out
    assert found.n == 3
    assert "public - CV: -0.05000 ± 0.00000 over 3 submissions; correlation 1.00, of ranks 1.00" in said
    assert "error: bad" in said
    assert "x" * 39 + "…" in said
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_status_is_one_of_few() -> None:
    assert STATUS == ("unknown", "pending", "complete", "error")
