"""What is sent to Kaggle goes once: tried again where it was surely not accepted, looked up where it may have been.

A submission carries the id of its file in its message (file=1a2b3c4d5e), by which it is found in the list at Kaggle.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import sleep
from typing import Any, get_args

from filelock import FileLock, Timeout

from competition.ask_kaggle import Reply, ask
from competition.console import say
from competition.kaggle_failures import answer, explained, may_be_tried_again, told
from submissions.errors import SubmissionError
from submissions.log import Status, Submission, found, read_log, record
from submissions.message import words_of


@dataclass(frozen=True)
class Patience:
    """How long Kaggle is waited for, seconds."""

    call: float = 60.0  # for the answer to one question
    retries: tuple[float, ...] = (5.0, 20.0)  # before what was surely not accepted is sent again
    read_back: tuple[float, ...] = (2.0, 10.0, 30.0)  # before the list is read, after an answer was lost
    polls: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # before a score is asked for; the last one again and again
    scored: float = 600.0  # for the score in all


PATIENCE = Patience()


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
    ours, was_listed = in_list(entry, slug, patience)
    if ours is None:
        raise SubmissionError(explained("answer lost" if was_listed else "answer and list lost", slug, id=entry.id))
    return ours


def in_list(entry: Submission, slug: str, patience: Patience) -> tuple[dict[str, Any] | None, bool]:
    """The submission from the list at Kaggle, looked for several times, None where it is not there; and whether the list could be had."""
    was_listed = False
    for wait in patience.read_back:
        sleep(wait)
        reply = ask("listed", patience.call, competition=slug, pages=1)
        was_listed = was_listed or reply.failure is None
        if ours := [one for one in reply.answer or [] if words_of(one["message"]).get("file") == entry.id]:
            return ours[0], True
    return None, was_listed


def found_before(
    entry: Submission, at_kaggle: Sequence[dict[str, Any]], slug: str, log: Path, patience: Patience, again: bool
) -> tuple[Submission, bool]:
    """The submission of the same file as it is at Kaggle, and True; or as it is to be sent, and False.

    at_kaggle: the list there. An attempt whose answer was lost is looked for first; where it has not come, it is made once more.
    """
    tried = [row for row in read_log(log) if row.id.partition(".")[0] == entry.id]
    before = found(at_kaggle, entry.id) or [asdict(row) for row in tried if row.ref]
    if lost := next((row for row in tried if not row.ref), None):
        say("it was sent before and its answer was lost: looking whether it has come meanwhile")
        there = next((one for one in before if words_of(one["message"]).get("file") == lost.id), None) or in_list(lost, slug, patience)[0]
        times = int(lost.id.partition(".")[2] or 1)
        entry = numbered(entry, times) if times > 1 else entry
        return (noted(log, entry, there), True) if there else (entry, False)
    if before and not again:
        return noted(log, entry, before[0]), True
    return (numbered(entry, len(before) + 1) if before else entry), False


def numbered(entry: Submission, times: int) -> Submission:
    """The submission of a file that is sent for the second time, or a later one: with an id of its own (1a2b3c4d5e.2)."""
    return replace(entry, id=f"{entry.id}.{times}", message=f"{entry.message}.{times}")  # the id is the message's last word


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
