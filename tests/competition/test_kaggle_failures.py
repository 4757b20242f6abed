import string
from datetime import UTC, datetime
from typing import Any

import pytest

from competition.ask_kaggle import SENDING, Reply
from competition.credentials import Credentials
from competition.errors import CompetitionError
from competition.kaggle_failures import FAILURES, NAMES, REASONS, STATUS, answer, explained, may_be_tried_again, name_of, reset

KEY = Credentials("kaggle.json", "rm kaggle.json")
TOKEN_OVER_KEY = Credentials("KAGGLE_API_TOKEN", "unset KAGGLE_API_TOKEN", ("kaggle.json",))
OURS = {"slug", "said", "reset", "used", "remove", "passed_over", "wait"}  # words that each failure of the child can be told with
GIVEN = {"module", "status", "what", "seconds", "id", "ref", "error", "need", "free", "where", "unknown"}


def http(status: int, reason: str = "") -> dict[str, Any]:
    return {"kind": "http", "status": status, "reason": reason, "retry_after": "", "call": "CreateSubmission"}


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_a_cause_and_a_remedy_that_can_be_told(name: str) -> None:
    failure = FAILURES[name]
    asked = {field for text in (failure.cause, failure.remedy) for _, field, _, _ in string.Formatter().parse(text) if field}
    assert asked <= OURS | GIVEN
    said = explained(name, "digits", **dict.fromkeys(asked - {"slug"}, "x"))
    assert said.startswith("digits: ")
    assert len(said.splitlines()) == 2


def test_each_name_is_one_of_the_table() -> None:
    assert {*NAMES.values(), *STATUS.values(), *REASONS} <= set(FAILURES)


@pytest.mark.parametrize(
    ("failure", "credentials", "name"),
    [
        (http(401), KEY, "token refused"),
        (http(401), TOKEN_OVER_KEY, "token over key"),
        ({"kind": "credentials"}, Credentials(), "no credentials"),
        ({"kind": "credentials"}, KEY, "token refused"),
        (http(403), KEY, "rules not accepted"),
        (http(403, "You must accept this competition's rules before you can continue"), KEY, "rules not accepted"),
        (http(403, "Permission 'kernels.get' was denied"), KEY, "rules not accepted"),
        (http(404), KEY, "unknown competition"),
        (http(400, "Submission not allowed:  Your team has used its daily Submission allowance (5) for today"), KEY, "limit of the day"),
        (http(400, "Submission not allowed:  Your team has reached the total limit of submissions"), KEY, "limit in all"),
        (http(400, "Submission not allowed:  This competition only accepts Submissions from Notebooks."), KEY, "notebooks only"),
        (http(400, "The submission deadline has passed"), KEY, "closed"),
        (http(400, "something else"), KEY, "refused"),
        (http(429), KEY, "too many calls"),
        (http(503, "the daily maintenance"), KEY, "server error"),
    ],
)
def test_which_failure_it_is(failure: dict[str, Any], credentials: Credentials, name: str) -> None:
    assert name_of(failure, credentials) == name


@pytest.mark.parametrize(
    ("failure", "may_be"),
    [
        (http(400), False),
        (http(429), False),
        (http(502), True),
        ({"kind": "network", "what": ""}, True),
        ({"kind": "ended"}, True),
        (None, False),
    ],
)
def test_what_may_have_been_accepted(failure: dict[str, Any] | None, may_be: bool) -> None:
    """Once it was sent: whatever is no refusal by the server itself."""
    assert Reply(None, failure, SENDING).may_be_accepted == may_be
    assert not Reply(None, failure, "uploading").may_be_accepted


def test_what_may_be_tried_again() -> None:
    assert [may_be_tried_again(http(status)) for status in (400, 401, 403, 404, 429, 500)] == [False, False, False, False, True, True]
    assert may_be_tried_again({"kind": "network"})
    assert not may_be_tried_again({"kind": "bug", "what": "TypeError"})


def test_a_bug_of_the_client_is_no_error_of_the_users() -> None:
    with pytest.raises(RuntimeError, match=r"the kaggle client failed: TypeError: no such argument"):
        answer(Reply(None, {"kind": "bug", "what": "TypeError: no such argument"}), "digits")
    with pytest.raises(
        CompetitionError, match=r"digits: the kaggle client cannot be imported: the module six is missing\n  pip install six"
    ):
        answer(Reply(None, {"kind": "client", "module": "six"}), "digits")
    assert answer(Reply({"ref": 3}), "digits") == {"ref": 3}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (datetime(2026, 1, 2, 22, 30, tzinfo=UTC), "midnight UTC, in 1 h 30 min"),
        (datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC), "midnight UTC, in 0 h 01 min"),
        (datetime(2026, 1, 2, tzinfo=UTC), "midnight UTC, in 24 h 00 min"),
    ],
)
def test_when_the_days_count_begins_anew(now: datetime, said: str) -> None:
    assert reset(now) == said
