"""What can go wrong on the way to the leaderboard, case by case: how the endpoint behaves, and what must have arrived there.

docs/submitting.md has a row for each, as the command printed it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.submissions.kaggle_endpoint import Drops, Endpoint, Fails, Hangs, Tree, write_key

DEAD = "http://127.0.0.1:9"  # nobody listens there
USED_UP = "Submission not allowed:  Your team has used its daily Submission allowance (5) for today, please try again tomorrow UTC."
NO_FILES = "Submission not allowed:  This competition only accepts Submissions from Notebooks."


@dataclass(frozen=True)
class Case:
    """title: the first column of the docs. home: what is otherwise than usual in the home directory and the environment. sent: how many
    submissions the server has in the end. retries: how often what was surely not accepted is sent again. damaged: the CSV lacks a row.
    begun: how many submissions it had before. seconds: for one answer, where a short time is the point."""

    title: str
    given: Tree = field(default_factory=dict)
    sent: int = 0
    home: Callable[[Path, pytest.MonkeyPatch], None] | None = None
    command: str = "submit"
    retries: int = 0
    damaged: bool = False
    seconds: float = 60.0
    calls: tuple[str, ...] | None = None  # those of the server that change something, in order, where they are the point


def no_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".config" / "kaggle" / "kaggle.json").unlink()


def broken_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".config" / "kaggle" / "kaggle.json").write_text("username, key")


def hidden_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".kaggle").mkdir()


def wrong_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_key(home / ".config" / "kaggle" / "kaggle.json", key="fedcba98")


def readable_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".config" / "kaggle" / "kaggle.json").chmod(0o644)


def stale_token(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_stale")


def stale_token_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_key(home / ".kaggle" / "kaggle.json")
    (home / ".kaggle" / "access_token").write_text("KGAT_stale\n")
    (home / ".kaggle" / "access_token").chmod(0o600)


def no_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", DEAD)


def without_six(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "six.py").write_text("raise ModuleNotFoundError(\"No module named 'six'\", name='six')")
    monkeypatch.setenv("PYTHONPATH", str(home))


def trouble(**of_call: list[Any]) -> Tree:
    return {"trouble": of_call}


def ends(**grade: str) -> Tree:
    return {"grade": lambda content: grade}


CASES: dict[str, Case] = {
    "no-credentials": Case("no credentials", home=no_key),
    "broken-key": Case("`kaggle.json` is no JSON (the client ignores it silently)", home=broken_key),
    "hidden-key": Case("an empty `~/.kaggle` hides `~/.config/kaggle/kaggle.json`", home=hidden_key),
    "wrong-key": Case("a key that Kaggle refuses (401)", home=wrong_key),
    "stale-token": Case("a stale token over a good key", home=stale_token),
    "stale-token-file": Case(
        "a stale token file over a good key, introspection ends in 401",
        {"always": {"IntrospectToken": Fails(401)}},
        home=stale_token_file,
    ),
    "readable-key": Case("`kaggle.json` can be read by others: a warning, and on", home=readable_key, sent=1),
    "without-six": Case("a module of the client is missing", home=without_six),
    "rules": Case("rules not accepted, or a mistyped name (403)", {"joined": False}),
    "unknown": Case("unknown competition (404)", {"slug": "another"}),
    "limit": Case("the day's limit, known beforehand: nothing is uploaded", {"left": 0, "made": 5}, calls=()),
    "limit-in-all": Case("the limit of all days", {"left": 0, "made": 2, "left_in_all": True}, calls=()),
    "limit-late": Case("the day's limit, said after the upload (400)", trouble(CreateSubmission=[Fails(400, USED_UP)])),
    "notebooks": Case("a notebook-only competition, known beforehand", {"notebooks_only": True}, calls=()),
    "notebooks-late": Case("a notebook-only competition, said after the upload (400)", trouble(CreateSubmission=[Fails(400, NO_FILES)])),
    "closed": Case("the competition takes no submissions", {"closed": True}, calls=()),
    "refused": Case(
        "another reason of the server's (400), which the client hides",
        trouble(CreateSubmission=[Fails(400, "Submission not allowed:  Team is too large.")]),
    ),
    "refused-flat": Case("the same, in the older form", trouble(CreateSubmission=[Fails(400, "Team is too large.", flat=True)])),
    "too-often": Case("too many calls (429)", trouble(CreateSubmission=[Fails(429, headers={"Retry-After": "30"})])),
    "server": Case(
        "an error of the server's before the upload (503), each time", {"always": {"StartSubmissionUpload": Fails(503)}}, retries=1
    ),
    "server-once": Case("the same, once: sent again", trouble(StartSubmissionUpload=[Fails(503)]), retries=1, sent=1),
    "store": Case("the upload fails (503), each time (the client exits 0)", {"always": {"PUT": Fails(503)}}, retries=1),
    "reset": Case("the connection breaks before the upload, once: sent again", trouble(StartSubmissionUpload=[Drops()]), retries=1, sent=1),
    "no-network": Case("no network", home=no_network),
    "hangs": Case("no answer, before anything was sent", trouble(StartSubmissionUpload=[Hangs()]), seconds=8.0),
    "lost": Case(
        "accepted, the answer lost: found in the list, not sent again", trouble(CreateSubmission=[Drops(accepted=True)]), sent=1, retries=2
    ),
    "lost-502": Case(
        "accepted, and answered with an error (502): found in the list",
        trouble(CreateSubmission=[Fails(502, accepted=True)]),
        sent=1,
        retries=2,
    ),
    "lost-for-good": Case("the answer lost, and it is not in the list: not sent again", trouble(CreateSubmission=[Drops()]), retries=2),
    "hangs-late": Case("accepted, and no answer: found in the list", trouble(CreateSubmission=[Hangs(accepted=True)]), sent=1, seconds=8.0),
    "lost-list": Case(
        "the answer lost, and the list too: not sent again",
        trouble(CreateSubmission=[Drops(accepted=True)], ListSubmissions=[None, Fails(500), Fails(500)]),
        sent=1,
        retries=2,
    ),
    "twice": Case("the same file a second time: not sent", {"begun": True}, sent=1, calls=()),
    "scoring": Case("scoring fails", ends(status="ERROR", errorDescription="Submission must have 6 rows (got 5)"), sent=1),
    "pending": Case("not scored in time", {"pending": 99}, sent=1),
    "hidden": Case("scored, and no public score is shown", ends(status="COMPLETE", publicScore=""), sent=1),
    "bad-csv": Case("a file that a grader would refuse: nothing is sent", damaged=True, calls=()),
    "download-rules": Case("`download`: rules not accepted (403)", {"joined": False}, command="download"),
    "download-damaged": Case("`download`: the zip comes damaged, each time", {"archive": b"PK no zip"}, command="download"),
}

CHANGING = ("StartSubmissionUpload", "CreateSubmission")


def prepared(endpoint: Endpoint, given: Tree) -> None:
    """Makes the endpoint behave as the case says."""
    for name, value in given.items():
        if name == "trouble":
            endpoint.trouble.update(value)
        elif name != "begun":
            setattr(endpoint, name, value)
