"""A package at Kaggle: the dataset, then the notebook, then its output as a submission, each when the one before it is ready."""

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
from competition.kaggle_failures import answer, explained, may_be_tried_again
from folds.run import git_commit
from submissions.errors import SubmissionError
from submissions.log import Submission, found, log_path
from submissions.offline import OUTPUT
from submissions.pack import NOBODY, Package
from submissions.upload import SLOWEST_BYTES_PER_SECOND, Patience, alone, asked, awaited, noted, send

READY, FAILED_DATASETS = "ready", ("failed", "deleted")
DONE, FAILED_KERNELS = "COMPLETE", ("ERROR", "CANCEL_ACKNOWLEDGED", "CANCEL_REQUESTED")


def push(
    package: Package, contest: Competition, cv: float | None, said: str, runs: Path, patience: Patience, longest: float = 12 * 3600.0
) -> int:
    """The exit code, as `upload` gives it: the dataset is uploaded and waited for, the notebook run and waited for, its CSV submitted.

    longest: seconds that the dataset, and the notebook, may take.

    Raises: SubmissionError, CompetitionError with cause and remedy.
    """
    slug = contest.name
    package = named(package, answer(asked("whoami", patience), slug)["user"])
    with alone(log_path(runs, slug)):
        version = _run_notebook(package, slug, patience, longest)
        entry = _submitted(package, version, slug, cv, said, runs, patience)
    return awaited(log_path(runs, slug), entry, contest, patience)


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


def _submitted(package: Package, version: int, slug: str, cv: float | None, said: str, runs: Path, patience: Patience) -> Submission:
    """The submission of a version of the notebook, new or as it was found."""
    facts = json.loads((package.dataset / "podium-package.json").read_text(encoding="utf-8"))
    names = tuple(Path(run).name for run in facts["runs"])
    number = f"{package.name}-v{version}"
    words = {"cv": None if cv is None else f"{cv:.5f}", "git": git_commit(), "run": "+".join(names)[:100], "file": number}
    message = " ".join([*said[:200].split(), *(f"{name}={value}" for name, value in words.items() if value)])
    entry = Submission(number, time=datetime.now(UTC).isoformat(timespec="seconds"), cv=cv, runs=names, message=message)
    log = log_path(runs, slug)
    before = found(answer(asked("listed", patience, competition=slug, pages=1), slug), number)
    if before:
        say(f"version {version} was submitted before, as {before[0]['ref']}: it is not sent a second time")
        return noted(log, entry, before[0])
    say(f'submitting {OUTPUT} of version {version}: "{message}"')
    return send(entry, slug, log, patience, patience.call, "submit_code", file=OUTPUT, kernel=package.id, version=version)


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
            raise SubmissionError(f"{what} after {longest / 3600:.1f} h: see https://www.kaggle.com; the same command goes on")
        wait = next(waits, wait)
        sleep(wait)
