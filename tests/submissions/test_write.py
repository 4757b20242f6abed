import hashlib
import json
import re
import shlex
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.tables import as_table
from competition.task import KINDS, Kind
from submissions.check import check
from submissions.errors import SubmissionError
from submissions.format import submission_frame
from submissions.write import Origin, facts_path, shared_views, submission_path, upload_command, upload_message, write
from tests.builders import make_competition, make_table

ORIGIN = Origin(
    ("base-1a2b3c", "wide-4d5e6f"),
    ("identity", "mirrored"),
    "greedy",
    (0.25, 0.75),
    {"base-1a2b3c": 0.91, "wide-4d5e6f": 0.92},
    0.92346,
    "abc1234",
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_fine_and_says_where_it_comes_from(kind: Kind, tmp_path: Path) -> None:
    competition = make_competition(kind)
    path = tmp_path / "submissions" / "one.csv"
    assert write(submission_frame(make_table(competition), competition), path, competition, ORIGIN) == []
    assert check(path, competition) == []
    facts = json.loads((tmp_path / "submissions" / "one.json").read_text())
    assert facts.pop("sha256") == hashlib.sha256(path.read_bytes()).hexdigest()
    assert datetime.fromisoformat(facts.pop("time")).tzinfo is not None
    assert facts == {
        "runs": ["base-1a2b3c", "wide-4d5e6f"],
        "views": ["identity", "mirrored"],
        "blend": "greedy",
        "blend_values": [0.25, 0.75],
        "scores": {"base-1a2b3c": 0.91, "wide-4d5e6f": 0.92},
        "cv": 0.92346,
        "git": "abc1234",
        "decision": None,
        "competition": competition.name,
        "metric": competition.metric,
        "rows": 6,
        "warnings": [],
    }
    assert sorted(file.name for file in path.parent.iterdir()) == ["one.csv", "one.json"]


def test_views_of_several_runs_are_those_of_each() -> None:
    assert shared_views([("identity", "mirrored")]) == ("identity", "mirrored")
    assert shared_views([("identity", "mirrored", "turned"), ("identity",), ("turned", "identity")]) == ("identity",)


def test_a_file_that_would_be_refused_is_not_left_behind(tmp_path: Path) -> None:
    competition = make_competition("binary")
    frame = submission_frame(make_table(competition), competition)
    bad = frame.assign(target=[2.0, np.nan, *frame["target"][2:]]).iloc[:5]
    with pytest.raises(
        SubmissionError,
        match=r"bad\.csv: was not written, a grader would refuse it:\n  it has 5 rows, the sample has 6\n  1 id of the sample is missing",
    ):
        write(bad, tmp_path / "bad.csv", competition, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_when_the_new_one_would_be_refused(tmp_path: Path) -> None:
    competition = make_competition("binary")
    frame = submission_frame(make_table(competition), competition)
    write(frame, tmp_path / "s.csv", competition, ORIGIN)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(SubmissionError):
        write(frame.assign(target=2.0), tmp_path / "s.csv", competition, ORIGIN)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_warnings_are_given_back_and_kept(tmp_path: Path) -> None:
    competition = make_competition("binary", rows=30)
    oof = make_table(competition)
    flat = as_table(oof.index, np.full((30, 2), 0.5), competition.task)
    warnings = write(submission_frame(flat, competition), tmp_path / "s.csv", competition, ORIGIN, oof)
    assert [str(problem) for problem in warnings] == ["all 30 rows have the same answer: '0.5'"]
    assert json.loads((tmp_path / "s.json").read_text())["warnings"] == ["all 30 rows have the same answer: '0.5'"]


def test_names_of_files() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5)
    assert submission_path(Path("runs/digits/submissions"), "base-1a2b3c", 0.98765, now) == Path(
        "runs/digits/submissions/20260102-030405-base-1a2b3c-cv0.9877.csv"
    )
    assert submission_path(Path(), "base", None, now).name == "20260102-030405-base-cvnone.csv"
    many = submission_path(Path(), "+".join(f"über-{number}-1a2b3c" for number in range(40)), 0.5, now).name
    assert many.startswith("20260102-030405-über-0-1a2b3c+über-1-1a2b3c+")
    assert many.endswith("-cv0.5000.csv")
    assert len(many.encode()) < 200, "with what names half-written files, below 255"
    assert facts_path(Path("a/20260102-base-cv0.98.csv")) == Path("a/20260102-base-cv0.98.json")
    assert facts_path(Path("cv0.98")) == Path("cv0.98.json")


def test_the_line_for_the_shell_is_quoted() -> None:
    message = upload_message(ORIGIN)
    assert message == "cv=0.92346 git=abc1234 run=base-1a2b3c+wide-4d5e6f"
    assert upload_message(Origin(("base",))) == "run=base"
    line = upload_command("digit-recognizer", Path("it's a run/s $1.csv"), message)
    assert shlex.split(line) == ["kaggle", "competitions", "submit", "-c", "digit-recognizer", "-f", "it's a run/s $1.csv", "-m", message]
    assert re.fullmatch(r"kaggle competitions submit -c a -f s\.csv -m 'run=base git'", upload_command("a", Path("s.csv"), "run=base git"))


def test_a_frame_of_another_competition_is_refused_by_what_lies_on_the_disk(tmp_path: Path) -> None:
    competition = make_competition("multiclass", answer="label", metric="accuracy")
    with pytest.raises(SubmissionError, match=r"1 label is none of the 3 classes"):
        write(pd.DataFrame({"id": competition.test["id"], "target": 1}), tmp_path / "s.csv", competition, ORIGIN)
