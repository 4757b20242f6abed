"""From a CSV to its score on the leaderboard: checked, sent once, and waited for.

Never twice: the list at Kaggle is read before anything is sent.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from competition.console import say
from competition.contest import Competition
from competition.credentials import warn
from competition.kaggle_failures import answer, explained, reset
from submissions.awaited import awaited
from submissions.check import check
from submissions.errors import SubmissionError
from submissions.log import Submission, log_path
from submissions.message import message_of
from submissions.origin import facts_of
from submissions.send import PATIENCE, Patience, alone, asked, found_before, send
from submissions.write import file_id

SLOWEST_BYTES_PER_SECOND = 50_000  # an upload that is slower is given up


def upload(file: Path, contest: Competition, said: str, runs: Path, patience: Patience = PATIENCE, again: bool = False) -> int:
    """The exit code: 0 once the public score was printed, PENDING where there is none yet.

    said: the user's part of the message. runs: where the log stands. again: also a file that was sent before.

    Raises: SubmissionError for a file that a grader would refuse, and for what can be mended; CompetitionError for what Kaggle refuses.
    """
    require_fine(file, contest)
    log = log_path(runs, contest.name)
    warn()
    with alone(log):
        entry = _sent_once(file, contest, said, log, patience, again)
    return awaited(log, entry, contest, patience)


def _sent_once(file: Path, contest: Competition, said: str, log: Path, patience: Patience, again: bool) -> Submission:
    """The submission of the file, new or as it was found."""
    slug, entry = contest.name, entry_of(file, said)
    seen = answer(asked("look", patience, competition=slug), slug)
    entry, is_there = found_before(entry, seen["submissions"], slug, log, patience, again)
    if is_there:
        say(f"{file} was submitted before, as {entry.ref} ({entry.time}): it is not sent a second time (--again does)")
        return entry
    _require_open(seen, slug)
    say(f'sending {file} to {slug}: "{entry.message}"')
    seconds = patience.call + file.stat().st_size / SLOWEST_BYTES_PER_SECOND
    entry = send(entry, slug, log, patience, seconds, "submit", file=str(file.resolve()))
    left = seen["limits"]["left"] - 1 if seen["limits"] else None
    say(f"submission {entry.ref} is at Kaggle" + (f"; {left} more today" if left is not None and left >= 0 else ""))
    return entry


def require_fine(file: Path, contest: Competition) -> None:
    """Raises: SubmissionError with all errors of the file, where it has any."""
    if errors := [str(problem) for problem in check(file, contest) if problem.severity == "error"]:
        raise SubmissionError("\n  ".join([f"{file}: is not sent, a grader would refuse it:", *errors]))


def entry_of(file: Path, said: str) -> Submission:
    """The submission as it is before it is sent, with its message."""
    facts = facts_of(file)
    entry = Submission(
        id=file_id(file),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        cv=facts.get("cv"),
        runs=tuple(facts.get("runs", ())),
        views=tuple(facts.get("views", ())),
        blend=facts.get("blend", ""),
        file=str(file.resolve()),
    )
    return replace(entry, message=message_of(said, entry.cv, facts.get("git", ""), entry.runs, entry.id))


def _require_open(seen: dict[str, Any], slug: str) -> None:
    """Raises: SubmissionError where the competition says beforehand that it will not take the file."""
    contest, limits = seen["contest"] or {}, seen["limits"] or {}
    if contest.get("closed"):
        raise SubmissionError(explained("closed", slug, said=""))
    if contest.get("notebooks_only"):
        raise SubmissionError(explained("notebooks only", slug, said=""))
    if limits and not limits["left"] and limits["total"]:  # who is in no team yet has zeros everywhere
        name = "limit in all" if limits["by_total"] else "limit of the day"
        raise SubmissionError(explained(name, slug, said=f" {limits['today']} were made today.", reset=reset(datetime.now(UTC))))
