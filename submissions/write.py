"""The CSV on disk, a JSON beside it that says what it was made of, and the line that uploads it."""

import hashlib
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from competition.atomic import replacing, write_json
from competition.contest import Competition
from submissions.check import check
from submissions.errors import SubmissionError
from submissions.format import csv_text
from submissions.message import message_of
from submissions.problem import Problem

MOST_BYTES = 160  # of runs' names in a file's name; a file system takes 255 in all


@dataclass(frozen=True)
class Origin:
    """What a submission was made of. scores: each run's pooled out-of-fold score, by the run's name.

    views: those through which all runs looked; all of each run's are in its test.json.
    """

    runs: tuple[str, ...]
    views: tuple[str, ...] = ("identity",)
    blend: str = "mean"
    blend_values: tuple[float, ...] = ()  # what the blend was fitted to: a weight a run, or the like
    scores: Mapping[str, float] = field(default_factory=dict)
    cv: float | None = None  # the blend's own out-of-fold score
    git: str = ""  # short hash of the code
    decision: Mapping[str, object] | None = None  # the rule that answers were decided by, where one was fitted out of fold


def shared_views(views: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The views that are among those of each run, in the first one's order."""
    first, *others = views
    return tuple(view for view in first if all(view in other for other in others))


def submission_path(directory: Path, run: str, cv: float | None, now: datetime) -> Path:
    """DIRECTORY/TIME-RUN-cvSCORE.csv: names sort by time. Of many runs, the first ones' names are in it."""
    run = run.encode()[:MOST_BYTES].decode(errors="ignore")
    return directory / f"{now:%Y%m%d-%H%M%S}-{run}-cv{'none' if cv is None else f'{cv:.4f}'}.csv"


def write(frame: pd.DataFrame, path: Path, competition: Competition, origin: Origin, oof: pd.DataFrame | None = None) -> list[Problem]:
    """Writes `path` and a .json beside it, and gives the warnings that remain. The file that lies on the disk is what is checked.

    Raises: SubmissionError with every error that was found; `path` is then as it was before.
    """
    with replacing(path) as part:
        part.write_text(csv_text(frame), encoding="utf-8", newline="")
        problems = check(part, competition, oof)
        if errors := [str(problem) for problem in problems if problem.severity == "error"]:
            raise SubmissionError("\n  ".join([f"{path}: was not written, a grader would refuse it:", *errors]))
        digest = sha256_of(part)
    facts = {
        **asdict(origin),
        "competition": competition.name,
        "metric": competition.metric,
        "rows": len(frame),
        "sha256": digest,
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "warnings": [str(problem) for problem in problems],
    }
    write_json(facts_path(path), facts)
    return problems


def facts_path(path: Path) -> Path:
    """Where the JSON of a CSV stands."""
    return path.with_name(path.name.removesuffix(".csv") + ".json")


def upload_message(origin: Origin, file_id: str = "") -> str:
    """The message of a submission that is uploaded by other means: enough to find its run, and its file, on the leaderboard again."""
    return message_of("", origin.cv, origin.git, origin.runs, file_id)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_id(path: Path) -> str:
    """Ten hex digits of what the file holds: by it a submission is known among those at Kaggle."""
    return sha256_of(path)[:10]


def upload_command(slug: str, path: Path, message: str) -> str:
    """The line for a shell that uploads the file, quoted where it must be."""
    return shlex.join(["kaggle", "competitions", "submit", "-c", slug, "-f", str(path), "-m", message])
