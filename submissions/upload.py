"""From a CSV to its score on the leaderboard: checked, sent once, looked up where the answer was lost, and waited for.

Never twice: a submission carries the id of its file in its message (file=1a2b3c4d5e), the list at Kaggle is read before anything is sent,
and what may have been accepted is looked for there and not sent again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path
from time import monotonic, sleep
from typing import Any, get_args

from filelock import FileLock, Timeout

from competition.ask_kaggle import Reply, ask
from competition.console import say
from competition.contest import Competition
from competition.credentials import warn
from competition.kaggle_failures import answer, explained, may_be_tried_again, reset, told
from submissions.check import check
from submissions.errors import SubmissionError
from submissions.log import Status, Submission, found, log_path, read_log, record, words_of
from submissions.origin import facts_of
from submissions.write import file_id

PENDING = 3  # the exit code of a submission that was accepted and is not scored yet
SLOWEST_BYTES_PER_SECOND = 50_000  # an upload that is slower is given up
MOST_SAID, MOST_RUNS = 200, 100  # characters of a message that are the user's own, and names of runs


@dataclass(frozen=True)
class Patience:
    """How long Kaggle is waited for, seconds."""

    call: float = 60.0  # for the answer to one question
    retries: tuple[float, ...] = (5.0, 20.0)  # before what was surely not accepted is sent again
    read_back: tuple[float, ...] = (2.0, 10.0, 30.0)  # before the list is read, after an answer was lost
    polls: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # before a score is asked for; the last one again and again
    scored: float = 600.0  # for the score in all


PATIENCE = Patience()


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


@contextmanager
def alone(log: Path) -> Iterator[None]:
    """Within it no other process of this machine sends a submission of the competition.

    Raises: SubmissionError where one does.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(log.with_suffix(".sending.lock")).acquire(timeout=0):
            yield
    except Timeout:
        raise SubmissionError(f"{log.parent}: another process is submitting to this competition; wait for it") from None


def _sent_once(file: Path, contest: Competition, said: str, log: Path, patience: Patience, again: bool) -> Submission:
    """The submission of the file, new or as it was found."""
    slug, entry = contest.name, entry_of(file, said)
    seen = answer(asked("look", patience, competition=slug), slug)
    before = found(seen["submissions"], entry.id) or [asdict(row) for row in read_log(log) if row.ref and row.id == entry.id]
    if before and not again:
        entry = noted(log, entry, before[0])
        say(f"{file} was submitted before, as {entry.ref} ({entry.time}): it is not sent a second time (--again does)")
        return entry
    if before:
        entry = replace(entry, id=f"{entry.id}.{len(before) + 1}")
        entry = replace(entry, message=_message(entry, said, facts_of(file)))
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
        file=str(file),
    )
    return replace(entry, message=_message(entry, said, facts))


def _message(entry: Submission, said: str, facts: dict[str, Any]) -> str:
    words = {
        "cv": None if entry.cv is None else f"{entry.cv:.5f}",
        "git": facts.get("git"),
        "run": "+".join(entry.runs)[:MOST_RUNS],
        "file": entry.id,
    }
    return " ".join([*said[:MOST_SAID].split(), *(f"{name}={value}" for name, value in words.items() if value)])


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


def send(entry: Submission, slug: str, log: Path, patience: Patience, seconds: float, verb: str, **words: Any) -> Submission:
    """The submission with its number, recorded. What was surely not accepted is sent again; what may have been is looked up.

    verb, words: of kaggle_child.VERBS, without competition and message. seconds: what it may take.
    """
    waits = iter(patience.retries)
    while True:
        reply = ask(verb, seconds, competition=slug, message=entry.message, **words)
        if reply.failure is None and reply.answer["ref"]:
            entry = noted(log, entry, {"ref": reply.answer["ref"], "status": "pending"})
            if reply.interrupted:
                say(f"submission {entry.ref} is at Kaggle all the same")
                raise KeyboardInterrupt
            return entry
        if reply.failure is None or reply.may_be_accepted:
            return noted(log, entry, _read_back(entry, slug, log, patience, reply.interrupted))
        wait = next(waits, None)
        if wait is None or not may_be_tried_again(reply.failure):
            answer(reply, slug)
        say(f"{told(reply.failure, slug).partition(chr(10))[0].rstrip('.')}; once more in {wait:g} s")
        sleep(wait or 0)


def _read_back(entry: Submission, slug: str, log: Path, patience: Patience, interrupted: bool) -> dict[str, Any]:
    """The submission whose answer was lost, from the list at Kaggle.

    Raises: SubmissionError where it is not there.
    """
    record(log, [entry])
    if interrupted:
        say("whether it was accepted is not known; the same command looks for it, and does not send it twice")
        raise KeyboardInterrupt
    say("the answer was lost: looking for the submission in the list")
    was_listed = False
    for wait in patience.read_back:
        sleep(wait)
        reply = ask("listed", patience.call, competition=slug, pages=1)
        was_listed = was_listed or reply.failure is None
        if ours := [one for one in reply.answer or [] if words_of(one["message"]).get("file") == entry.id]:
            return ours[0]
    raise SubmissionError(explained("answer lost" if was_listed else "answer and list lost", slug, id=entry.id))


def awaited(log: Path, entry: Submission, contest: Competition, patience: Patience) -> int:
    """Waits until it is scored, prints and records what came of it.

    Raises: SubmissionError where it cannot be scored.
    """
    later = f"python -m submissions log --competition {contest.source} fills the score in"
    until, by = monotonic() + patience.scored, "scored"
    try:
        for wait in _waits(patience):
            if entry.status != "pending":
                break
            if monotonic() >= until:
                say(f"submission {entry.ref} is not scored yet, after {patience.scored:g} s: {later}")
                return PENDING
            sleep(wait)
            reply = _poll(by, entry, contest.name, patience)
            if reply.failure is None and reply.answer:
                entry = noted(log, entry, reply.answer)
            elif reply.failure and reply.failure["kind"] == "http" and reply.failure["status"] < 500 and by == "scored":
                by = "listed"  # who may not ask for one submission may still read the list
            elif reply.failure and not may_be_tried_again(reply.failure):
                answer(reply, contest.name)
    except KeyboardInterrupt:
        say(f"submission {entry.ref} is at Kaggle all the same: {later}")
        raise
    if entry.status == "error":
        raise SubmissionError(explained("not scored", contest.name, ref=entry.ref, error=entry.error or "it says no more"))
    say(_result(entry, contest))
    return 0


def _poll(by: str, entry: Submission, slug: str, patience: Patience) -> Reply:
    """The submission as it stands at Kaggle; its answer is None where the list lacks it."""
    if by == "scored":
        return ask("scored", patience.call, ref=entry.ref)
    reply = ask("listed", patience.call, competition=slug, pages=1)
    return replace(reply, answer=next((one for one in reply.answer or [] if one["ref"] == entry.ref), None))


def _waits(patience: Patience) -> Iterator[float]:
    return chain(patience.polls, repeat(patience.polls[-1]))


def _result(entry: Submission, contest: Competition) -> str:
    parts = [f"public {contest.metric} {entry.public:.5f}" if entry.public is not None else "scored, and no public score is shown"]
    if entry.private is not None:
        parts.append(f"private {entry.private:.5f}")
    if entry.cv is not None:
        parts.append(f"out of fold {entry.cv:.5f}")
    if entry.cv is not None and entry.public is not None:
        parts.append(f"public - out of fold {entry.public - entry.cv:+.5f}")
    return f"submission {entry.ref}: {', '.join(parts)}"


def noted(log: Path, entry: Submission, at_kaggle: dict[str, Any]) -> Submission:
    """The submission with what Kaggle says of it, recorded."""
    news = {name: at_kaggle[name] for name in ("ref", "status", "public", "private", "error", "time") if name in at_kaggle}
    if news.get("status", "pending") not in get_args(Status):
        news["status"] = "pending"
    entry = replace(entry, **news)
    record(log, [entry])
    return entry


def asked(verb: str, patience: Patience, **words: Any) -> Reply:
    """The reply to a question that changes nothing, asked again where that may help."""
    waits = iter(patience.retries)
    while True:
        reply = ask(verb, patience.call, **words)
        wait = next(waits, None)
        if reply.failure is None or wait is None or not may_be_tried_again(reply.failure):
            return reply
        sleep(wait)
