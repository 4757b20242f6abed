"""A package at Kaggle: the dataset, then the notebook, then its output as a submission, each when the one before it is ready."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from competition.ask_kaggle import ask
from competition.atomic import write_json
from competition.console import say
from competition.contest import Competition
from competition.credentials import warn
from competition.errors import examples
from competition.kaggle_failures import answer, explained, may_be_tried_again
from folds.run import git_commit
from submissions.awaited import awaited
from submissions.errors import SubmissionError
from submissions.log import Submission, log_path
from submissions.message import message_of
from submissions.offline import MARK, OUTPUT
from submissions.pack import NOBODY, Package
from submissions.send import Patience, alone, asked, found_before, send
from submissions.upload import SLOWEST_BYTES_PER_SECOND

READY, FAILED_DATASETS = "ready", ("failed", "deleted")
DONE, FAILED_KERNELS = "COMPLETE", ("ERROR", "CANCEL_ACKNOWLEDGED", "CANCEL_REQUESTED")


def push(
    package: Package,
    contest: Competition,
    cv: float | None,
    said: str,
    runs: Path,
    patience: Patience,
    again: bool = False,
    longest: float = 12 * 3600.0,
) -> int:
    """The exit code, as `upload` gives it: the dataset is uploaded and waited for, the notebook run and waited for, its CSV submitted.

    again: also a package that was submitted before. longest: seconds that the dataset, and the notebook, may take.

    Raises: SubmissionError, CompetitionError with cause and remedy.
    """
    slug, log = contest.name, log_path(runs, contest.name)
    warn()
    package = named(package, answer(asked("whoami", patience), slug)["user"])
    entry = entry_of(package, cv, said)
    with alone(log):
        at_kaggle = answer(asked("listed", patience, competition=slug, pages=1), slug)
        entry, is_there = found_before(entry, at_kaggle, slug, log, patience, again)
        if is_there:
            say(f"this package was submitted before, as {entry.ref}: it is not pushed a second time (--again does)")
        else:
            version = _run_notebook(package, slug, patience, longest)
            say(f'submitting {OUTPUT} of version {version}: "{entry.message}"')
            entry = send(entry, slug, log, patience, patience.call, "submit_code", file=OUTPUT, kernel=package.id, version=version)
    return awaited(log, entry, contest, patience)


def entry_of(package: Package, cv: float | None, said: str) -> Submission:
    """The submission as it is before it is sent, with its message. Its id is made of weights, settings and the code's commit."""
    facts = json.loads((package.dataset / MARK).read_text(encoding="utf-8"))
    names, git = tuple(Path(run).name for run in facts["runs"]), git_commit()
    flags = dict(zip(facts.get("flags", [])[::2], facts.get("flags", [])[1::2], strict=True))
    digest = hashlib.sha256(git.encode())
    for path in sorted(package.dataset.iterdir()):
        if path.suffix != ".whl" and path.name != "dataset-metadata.json":  # these two differ each time, or by whose package it is
            digest.update(path.name.encode() + path.read_bytes())
    number = digest.hexdigest()[:10]
    message = message_of(said, cv, git, names, number)
    now, views = datetime.now(UTC).isoformat(timespec="seconds"), (flags.get("--views", ""),)
    return Submission(number, time=now, cv=cv, runs=names, views=views, blend=flags.get("--blend", ""), message=message)


def named(package: Package, user: str) -> Package:
    """The package in the user's name, on disk too.

    Raises: SubmissionError where it is in another's.
    """
    if package.user not in (NOBODY, user):
        raise SubmissionError(f"{package.directory}: is made for {package.user}, the credentials are those of {user}: pack it again")
    for path in (package.dataset / "dataset-metadata.json", package.kernel / "kernel-metadata.json"):
        tree = json.loads(path.read_text(encoding="utf-8").replace(NOBODY, user))
        write_json(path, tree)
    return replace(package, user=user)


def _run_notebook(package: Package, slug: str, patience: Patience, longest: float) -> int:
    """The version of the notebook whose output is there."""
    size = sum(path.stat().st_size for path in package.dataset.iterdir())
    say(f"uploading {package.dataset} ({size / 1e6:,.0f} MB) as the dataset {package.id}")
    message = f"git={git_commit()} {datetime.now(UTC):%Y-%m-%d %H:%M}"
    seconds = patience.call + size / SLOWEST_BYTES_PER_SECOND
    made = answer(ask("dataset", seconds, id=package.id, folder=str(package.dataset.resolve()), message=message), slug)
    if made["error"] or str(made["status"]).lower() != "ok":
        raise SubmissionError(explained("dataset failed", slug, id=package.id, error=made["error"] or made["status"]))

    def dataset_stands() -> bool:
        status = _status("dataset_status", patience, slug, id=package.id)["status"]
        if status in FAILED_DATASETS:
            raise SubmissionError(explained("dataset failed", slug, id=package.id, error=status))
        return status == READY

    _until(dataset_stands, patience, longest, f"the dataset {package.id} is not ready")
    arrived = set(answer(asked("dataset_files", patience, id=package.id), slug))
    wanted = {path.name for path in package.dataset.iterdir()} - {"dataset-metadata.json"}
    if missing := sorted(wanted - arrived):
        lacks = f"{len(missing)} of {len(wanted)} files did not arrive: {examples(missing)}"
        raise SubmissionError(explained("dataset failed", slug, id=package.id, error=lacks))
    say("the dataset is ready; the notebook is pushed, and runs")
    pushed = answer(ask("kernel", patience.call, folder=str(package.kernel.resolve())), slug)
    if pushed["unknown"]:
        raise SubmissionError(explained("sources unknown", slug, unknown=", ".join(pushed["unknown"])))
    if pushed["error"] or not pushed["version"]:
        raise SubmissionError(explained("notebook failed", slug, id=package.id, status="no version", error=pushed["error"]))

    def notebook_stands() -> bool:
        found = _status("kernel_status", patience, slug, id=package.id)
        if found["status"] in FAILED_KERNELS:
            told = found["error"] or "it says no more"
            raise SubmissionError(explained("notebook failed", slug, id=package.id, status=found["status"], error=told))
        return found["status"] == DONE

    _until(notebook_stands, patience, longest, f"the notebook {package.id} still runs")
    return pushed["version"]


def _status(verb: str, patience: Patience, slug: str, **words: Any) -> dict[str, Any]:
    """What it says; an empty status where Kaggle could not be asked just now."""
    reply = ask(verb, patience.call, **words)
    if reply.failure is not None and may_be_tried_again(reply.failure):
        return {"status": "", "error": ""}
    return answer(reply, slug)


def _until(stands: Callable[[], bool], patience: Patience, longest: float, what: str) -> None:
    """Raises: SubmissionError after so many seconds."""
    waits, until = iter(patience.polls), monotonic() + longest
    wait = patience.polls[-1]
    while not stands():
        if monotonic() > until:
            raise SubmissionError(f"{what} after {longest / 3600:.1f} h: see https://www.kaggle.com/code; the same command begins anew")
        wait = next(waits, wait)
        sleep(wait)
