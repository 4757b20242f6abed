"""The score of what was sent: waited for, printed beside CV, recorded."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from time import monotonic, sleep

from competition.ask_kaggle import Reply, ask
from competition.console import say
from competition.contest import Competition
from competition.kaggle_failures import answer, explained, may_be_tried_again
from submissions.errors import SubmissionError
from submissions.log import Submission
from submissions.send import Patience, noted

PENDING = 3  # the exit code of a submission that was accepted and is not scored yet


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
