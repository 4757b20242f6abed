"""From a CSV to a recorded score, with the real client; the assertions are about what the server received."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from competition.ask_kaggle import ask
from competition.atomic import write_json
from competition.config import CompetitionConfig
from competition.load import load
from submissions.__main__ import main
from submissions.errors import SubmissionError
from submissions.format import csv_text, submission_frame
from submissions.log import log_path, read_log
from submissions.message import words_of
from submissions.send import alone
from submissions.upload import entry_of, upload
from submissions.write import facts_path, file_id, sha256_of
from tests.builders import make_table
from tests.submissions.kaggle_endpoint import TOKEN, Drops, Hangs, lead_to, serving
from tests.submissions.test_failures import CONTEST, QUICK, written

ROOT = Path(__file__).parents[2]


@pytest.fixture
def digits_csv(tmp_path: Path) -> Path:
    """A fine submission for the embedded digits, with a JSON beside it whose run is gone."""
    contest = load(CompetitionConfig(source="digits"))
    path = tmp_path / "s.csv"
    path.write_text(csv_text(submission_frame(make_table(contest), contest)))
    facts = {
        "runs": ["base-1a2b3c"],
        "cv": 0.95,
        "git": "abc1234",
        "competition": "digits",
        "views": ["identity"],
        "sha256": sha256_of(path),
    }
    write_json(facts_path(path), facts)
    return path


def test_the_score_comes_back_and_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path)
    with serving(slug=CONTEST.name, pending=2) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        assert upload(file, CONTEST, "first try", Path("runs"), QUICK) == 0
        (received,) = endpoint.submissions
        assert received["content"] == file.read_bytes()
        assert received["fileName"] == "one.csv"
        assert received["description"] == f"first try cv=0.91234 git=abc1234 run=base-1a2b3c file={file_id(file)}"
        assert len(endpoint.of("GetSubmission")) == 3
    said = capsys.readouterr().out
    assert "submission 1000: public accuracy 0.90000, out of fold 0.91234, public - out of fold -0.01234" in said
    assert "4 more today" in said
    (row,) = read_log(log_path(Path("runs"), CONTEST.name))
    assert (row.ref, row.status, row.public, row.private, row.cv, row.runs) == (1000, "complete", 0.9, None, 0.91234, ("base-1a2b3c",))
    facts = json.loads(facts_path(file).read_text())
    assert (facts["public"], facts["private"], facts["ref"], facts["cv"]) == (0.9, None, 1000, 0.91234)


def test_a_token_signs_each_call_and_is_nowhere_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the environment would make the client print it."""
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path)
    with serving(slug=CONTEST.name) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch, signed_in=False)
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
        monkeypatch.setenv("VERBOSE", "1")
        assert upload(file, CONTEST, "", Path("runs"), QUICK) == 0
        assert {sign for (call, _), sign in zip(endpoint.calls, endpoint.signed, strict=True) if call != "IntrospectToken"} == {
            f"Bearer {TOKEN}"
        }
    said = "".join(capsys.readouterr())
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN in path.read_text(encoding="utf-8", errors="replace")]
    assert TOKEN not in said
    assert kept == []


def test_again_sends_the_same_file_with_another_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path)
    with serving(slug=CONTEST.name) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        for again in (False, True):
            assert upload(file, CONTEST, "", Path("runs"), QUICK, again) == 0
        ids = [words_of(made["description"])["file"] for made in endpoint.submissions]
        assert ids == [f"{file_id(file)}.2", file_id(file)]
    assert [row.ref for row in read_log(log_path(Path("runs"), CONTEST.name))] == [1000, 1001]


def test_a_submission_that_comes_late_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is lost, and the list lacks it for a while, also when the same command is given again."""
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path)
    with serving(slug=CONTEST.name, late=4) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        endpoint.trouble["CreateSubmission"] = [Drops(accepted=True)]
        with pytest.raises(SubmissionError, match=r"the answer was lost, and the submission is not in the list \(file=[0-9a-f]{10}\)"):
            upload(file, CONTEST, "", Path("runs"), QUICK)
        (row,) = read_log(log_path(Path("runs"), CONTEST.name))
        assert (row.status, row.ref) == ("unknown", 0)
        assert upload(file, CONTEST, "", Path("runs"), QUICK) == 0
        assert "looking whether it has come meanwhile" in capsys.readouterr().out
        assert len(endpoint.of("CreateSubmission")) == 1
    (row,) = read_log(log_path(Path("runs"), CONTEST.name))
    assert (row.status, row.public) == ("complete", 0.9)


def test_a_second_attempt_that_comes_late_is_not_made_a_third_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--again, its answer lost, the list without it for a while; then the same command, --again and all."""
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path)
    with serving(slug=CONTEST.name) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        assert upload(file, CONTEST, "", Path("runs"), QUICK) == 0
        endpoint.late = 4
        endpoint.trouble["CreateSubmission"] = [Drops(accepted=True)]
        with pytest.raises(SubmissionError, match=r"the answer was lost, and the submission is not in the list \(file=[0-9a-f]{10}\.2\)"):
            upload(file, CONTEST, "", Path("runs"), QUICK, again=True)
        endpoint.late = 0
        assert upload(file, CONTEST, "", Path("runs"), QUICK, again=True) == 0
        assert len(endpoint.of("CreateSubmission")) == 2
    assert [(row.id.partition(".")[2], row.status) for row in read_log(log_path(Path("runs"), CONTEST.name))] == [
        ("", "complete"),
        ("2", "complete"),
    ]


def test_an_attempt_that_never_came_is_made_again_under_its_own_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path)
    with serving(slug=CONTEST.name) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        assert upload(file, CONTEST, "", Path("runs"), QUICK) == 0
        endpoint.trouble["CreateSubmission"] = [Drops(accepted=False)]
        with pytest.raises(SubmissionError, match="the answer was lost"):
            upload(file, CONTEST, "", Path("runs"), QUICK, again=True)
        assert upload(file, CONTEST, "", Path("runs"), QUICK, again=True) == 0
        assert [words_of(made["description"])["file"] for made in endpoint.submissions] == [f"{file_id(file)}.2", file_id(file)]


def test_two_processes_do_not_send_at_once(tmp_path: Path) -> None:
    log = log_path(tmp_path, CONTEST.name)
    with alone(log), pytest.raises(SubmissionError, match=r"another process is submitting to this competition; wait for it"), alone(log):
        pass


def test_a_message_is_cut_to_a_sensible_length(tmp_path: Path) -> None:
    entry = entry_of(tmp_path / written(tmp_path), "so " * 500)
    assert len(entry.message) < 400
    assert entry.message.endswith(f"file={entry.id}")


def test_the_front_door_submits_and_the_log_shows_it(
    digits_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(digits_csv.parent)
    with serving() as endpoint:
        lead_to(endpoint, digits_csv.parent / "home", monkeypatch)
        assert main(["submit", "s.csv", "--message", "only looking", "--dry-run"]) == 0
        assert endpoint.calls == []
        assert f'would be sent to digits as "only looking cv=0.95000 git=abc1234 run=base-1a2b3c file={file_id(digits_csv)}"' in (
            capsys.readouterr().out
        )
        assert main(["submit", "s.csv", "--message", "the first"]) == 0
        assert "public accuracy 0.90000, out of fold 0.95000" in capsys.readouterr().out
        endpoint.submissions[0] |= {"status": "COMPLETE", "publicScore": "0.9", "privateScore": "0.88"}  # the competition ended
        endpoint.accept("by hand cv=0.93", b"", "other.csv")
        endpoint.accept("by hand cv=0.97", b"", "third.csv")
        endpoint.submissions[0] |= {"status": "COMPLETE", "publicScore": "0.95"}
        endpoint.submissions[1] |= {"status": "ERROR", "errorDescription": "no such column"}
        assert main(["log"]) == 0
        shown = capsys.readouterr().out
        assert "0.95000  0.90000  0.88000  base-1a2b3c" in shown
        assert "error: no such column" in shown
        assert "whether CV can be trusted is not known yet: 2 submissions have both a CV and a public score, 3 are needed to tell" in shown
        assert "2 submissions are left today (3 were made); the count begins anew at midnight UTC" in shown
        assert json.loads(facts_path(digits_csv).read_text())["private"] == 0.88
        assert Path("runs/digits/cv-public.png").read_bytes().startswith(b"\x89PNG")
    with serving(joined=False) as endpoint:
        lead_to(endpoint, digits_csv.parent / "home", monkeypatch)
        assert main(["log"]) == 2
        told = capsys.readouterr()
        assert "0.88000" in told.out
        assert "https://www.kaggle.com/competitions/digits/rules" in told.err
        assert main(["log", "--no-refresh"]) == 0
        assert endpoint.of("ListSubmissions") == [endpoint.calls[0][1]]


@pytest.mark.parametrize("call", ["CreateSubmission", "GetSubmission"])
def test_ctrl_c_loses_nothing(call: str, digits_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """While it is sent, and while the score is waited for: the same command goes on, and sends nothing twice."""
    monkeypatch.chdir(digits_csv.parent)
    with serving() as endpoint:
        lead_to(endpoint, digits_csv.parent / "home", monkeypatch)
        endpoint.trouble[call].append(Hangs(accepted=True))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "submissions", "submit", "s.csv"]
        running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert endpoint.held.wait(60)
        running.send_signal(signal.SIGINT)
        endpoint.over.set()  # the server gives up too, without an answer
        said = running.communicate(timeout=60)[0]
        assert running.returncode == 130, said
        assert "is at Kaggle all the same" in said or "does not send it twice" in said
        endpoint.trouble.clear()
        assert main(["submit", "s.csv"]) == 0
        assert "not sent a second time" in capsys.readouterr().out
        assert len(endpoint.submissions) == len(endpoint.of("CreateSubmission")) == 1
    (row,) = read_log(log_path(Path("runs"), "digits"))
    assert (row.status, row.public) == ("complete", 0.9)


def ask_with_no_setting(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks as the client does in production: its way out is the endpoint, as a proxy that refuses."""
    with serving() as endpoint:
        lead_to(endpoint, home, monkeypatch)
        monkeypatch.delenv("KAGGLE_API_ENVIRONMENT")
        reply = ask("listed", 60.0, competition="digits")
        assert reply.failure is not None
        assert reply.failure["kind"] == "network"


def test_the_guard_of_all_these_tests_sees_what_would_leave_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match=r"something was to leave this machine: \['api\.kaggle\.com:443"):
        ask_with_no_setting(tmp_path / "home", monkeypatch)


def test_long_lists_are_read_to_their_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        for number in range(230):
            endpoint.accept(f"number {number}", b"", "s.csv")
        assert len(ask("listed", 60.0, competition="digits").answer) == 230
        assert len(ask("listed", 60.0, competition="digits", pages=1).answer) == 100


def test_a_file_beside_which_nothing_stands_has_a_message_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "foreign.csv"
    file.write_text("id,target\n")
    assert entry_of(file, "").message == f"file={file_id(file)}"
    assert replace(entry_of(file, "mine"), time="").message == f"mine file={file_id(file)}"
