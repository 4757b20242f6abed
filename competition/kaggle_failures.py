"""What can go wrong with Kaggle: cause and remedy of each failure, in one table. docs/submitting.md shows it, as the tests saw it printed.

The kaggle client drops the server's reason and has no words for most of these.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from competition.credentials import Credentials, find_credentials
from competition.errors import CompetitionError


@dataclass(frozen=True)
class Failure:
    """cause, remedy: with {slug} and other words filled in. again: whether to try again may help, where nothing was accepted yet."""

    cause: str
    remedy: str
    again: bool = False


def name_of(failure: dict[str, Any], credentials: Credentials) -> str:
    """Which of FAILURES it is. failure: as kaggle_child.failure_of gives it."""
    kind = failure["kind"]
    if kind == "credentials":
        return "token refused" if credentials.used else "no credentials"
    if kind != "http":
        return NAMES[kind]
    status, reason = failure["status"], failure["reason"]
    for name, pattern in REASONS.items():
        if 400 <= status < 500 and re.search(pattern, reason, re.IGNORECASE):
            return name
    if status == 401:
        return "token over key" if credentials.passed_over else "token refused"
    return "server error" if status >= 500 else STATUS.get(status, "refused")


def explained(name: str, slug: str, **words: Any) -> str:
    """The failure in words: what was the matter, and what to do."""
    failure = FAILURES[name]
    words = {"slug": slug, **words}
    return f"{slug}: {failure.cause.format_map(words)}\n  {failure.remedy.format_map(words)}"


def told(failure: dict[str, Any], slug: str) -> str:
    """A failure of the child in words."""
    credentials = find_credentials()
    name = name_of(failure, credentials)
    reason = failure.get("reason", "")
    words = {
        **failure,
        "said": f" Kaggle says: {reason}" if reason else "",
        "reset": reset(datetime.now(UTC)),
        "used": credentials.used,
        "remove": credentials.remove,
        "passed_over": ", ".join(credentials.passed_over),
        "wait": f" in {failure['retry_after']} s" if str(failure.get("retry_after", "")).isdigit() else " in a few minutes",
    }
    return explained(name, slug, **words)


def may_be_tried_again(failure: dict[str, Any]) -> bool:
    """Whether that may help, where nothing was accepted yet."""
    return failure["kind"] != "bug" and FAILURES[name_of(failure, Credentials())].again


def answer(reply: Any, slug: str) -> Any:
    """The reply's answer.

    Raises: CompetitionError with the failure in words, where it is one; RuntimeError where the client itself has a bug.
    """
    if reply.failure is None:
        return reply.answer
    if reply.failure["kind"] == "bug":
        raise RuntimeError(f"the kaggle client failed: {reply.failure['what']}")
    raise CompetitionError(told(reply.failure, slug))


def reset(now: datetime) -> str:
    """When the day's submissions begin anew: midnight UTC, and how long that is from now."""
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = -(-int((midnight - now).total_seconds()) // 60)
    return f"midnight UTC, in {minutes // 60} h {minutes % 60:02d} min"


MAKE_NEW = "make one at https://www.kaggle.com/settings (API)"
KEEP = "save it as ~/.kaggle/access_token (a token) or ~/.kaggle/kaggle.json (a key), and chmod 600 that file"
LOOK_FIRST = "The same command looks for it in the list of submissions first, and sends the file only where it is not there"

FAILURES: dict[str, Failure] = {
    "client incomplete": Failure("the kaggle client cannot be imported: the module {module} is missing", "pip install {module}"),
    "no credentials": Failure("there are no credentials for Kaggle", f"{MAKE_NEW}; {KEEP}; or set KAGGLE_API_TOKEN"),
    "token refused": Failure("Kaggle refuses the credentials in {used}.{said}", f"{MAKE_NEW}; {KEEP}"),
    "token over key": Failure(
        "Kaggle refuses the credentials in {used}, which go before those in {passed_over}.{said}",
        "take the refused ones out of the way: {remove}",
    ),
    "rules not accepted": Failure(
        "Kaggle denies access (403): its rules were not accepted, or there is no competition of that name.{said}",
        "accept the rules at https://www.kaggle.com/competitions/{slug}/rules (that page is not found where the name is wrong); "
        "some competitions want a telephone number too: https://www.kaggle.com/settings",
    ),
    "unknown competition": Failure(
        "Kaggle knows no competition of that name (404).{said}",
        "the name is the last part of its address, https://www.kaggle.com/competitions/NAME; set competition.slug in competition.toml",
    ),
    "limit of the day": Failure(
        "no submission is left today.{said}", "the count begins anew at {reset}; python -m submissions log shows what was used"
    ),
    "limit in all": Failure("no submission is left in this competition at all.{said}", "the limit counts all days of the team together"),
    "notebooks only": Failure(
        "takes no files, only notebooks that predict without internet.{said}",
        "python -m submissions pack makes one, tries it here, and --push submits it",
    ),
    "closed": Failure("takes no submissions now.{said}", "see its timeline: https://www.kaggle.com/competitions/{slug}"),
    "refused": Failure("Kaggle refuses it ({status}).{said}", "nothing was submitted; put right what it says, and send it again"),
    "too many calls": Failure(
        "Kaggle was called too often (429).{said}", "nothing was submitted; the same command again{wait}", again=True
    ),
    "server error": Failure(
        "Kaggle has an error of its own ({status}).{said}", "nothing was submitted; the same command again{wait}", again=True
    ),
    "unreachable": Failure(
        "Kaggle cannot be reached ({what})", "nothing was submitted; look at the network, and at https_proxy where there is one", again=True
    ),
    "no answer": Failure(
        "Kaggle gave no answer in {seconds} s, and the client was stopped",
        "nothing was submitted; the same command again{wait}",
        again=True,
    ),
    "upload failed": Failure(
        "the file did not arrive at Kaggle's store", "nothing was submitted; the same command again{wait}", again=True
    ),
    "client ended": Failure(
        "the kaggle client ended without an answer", "the same command again; python -m kaggle --version tells whether it starts"
    ),
    "file": Failure("a file cannot be used: {what}", "see whether it is there, may be read, and the disk has room"),
    "refused here": Failure("the kaggle client refuses it: {what}", "put right what it says"),
    "answer lost": Failure(
        "the file was sent, the answer was lost, and the submission is not in the list (file={id}). It may come late",
        f"nothing is sent a second time. In a few minutes, the same command again. {LOOK_FIRST}",
    ),
    "answer and list lost": Failure(
        "the file was sent, the answer was lost, and the list of submissions cannot be had, so nobody knows whether it was accepted",
        f"nothing is sent a second time. When Kaggle answers again, the same command. {LOOK_FIRST}",
    ),
    "not scored": Failure("submission {ref} could not be scored: {error}", "python -m submissions check FILE; put right what it says"),
    "damaged download": Failure("what came is no sound zip ({what})", "the same command again; it begins anew"),
    "stalled download": Failure("nothing came for {seconds} s", "the same command again goes on where it stopped"),
    "no room": Failure("{need} are needed, {free} are free in {where}", "make room, or --into another disk"),
    "dataset failed": Failure("Kaggle did not take the dataset {id}: {error}", "put right what it says, and push again"),
    "sources unknown": Failure(
        "Kaggle does not know these sources of the notebook: {unknown}",
        "see that their names are right, and wait until the dataset is ready",
    ),
    "notebook failed": Failure(
        "the notebook {id} ended with {status}: {error}", "its log: https://www.kaggle.com/code/{id}; the dry run here may show it too"
    ),
}

NAMES = {
    "client": "client incomplete",
    "network": "unreachable",
    "deadline": "no answer",
    "upload": "upload failed",
    "ended": "client ended",
    "file": "file",
    "refused_here": "refused here",
}

STATUS = {403: "rules not accepted", 404: "unknown competition", 429: "too many calls"}

REASONS = {  # of the server's own words; the client never shows them
    "notebooks only": r"\bonly\b.*\b(notebooks?|kernels?|code)\b|\b(notebooks?|kernels?) only\b",
    "limit in all": r"\b(total|lifetime|overall)\b.*\b(limit|allowance|submissions?)\b",
    "limit of the day": r"\b(daily|today|per day|allowance)\b",
    "closed": r"\b(deadline|closed|has ended|has passed|disabled|not accepting)\b",
    "rules not accepted": r"\brules\b",
}
