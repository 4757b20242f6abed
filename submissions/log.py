"""The log of a competition's submissions: what was sent, what it scored out of fold and on the leaderboard, and whether the two agree.

runs/COMPETITION/submissions.jsonl: a line a submission, also those that were sent from elsewhere. What a submission scored stands in the
JSON beside its CSV too.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from filelock import FileLock

from competition.atomic import write_text
from submissions.message import words_of
from submissions.origin import note_beside

Status = Literal["unknown", "pending", "complete", "error"]
STATUS: tuple[Status, ...] = get_args(Status)
FEWEST = 3  # submissions with both scores; of fewer, nothing can be said
MUCH = 4  # times as far as the CVs differ: what public scores stray by so much are not told apart
CLOSE, LOOSE = 0.7, 0.3  # rank correlations from which CV and public score agree, or do so loosely


@dataclass(frozen=True)
class Submission:
    """One submission. id: of the file, as in its message; empty where it was not sent by us. ref: Kaggle's number, 0 while it is unknown.
    cv: the out-of-fold score. time: ISO. status: unknown: it was sent, and the answer was lost."""

    id: str
    ref: int = 0
    status: Status = "unknown"
    time: str = ""
    cv: float | None = None
    public: float | None = None
    private: float | None = None
    runs: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    blend: str = ""
    file: str = ""
    message: str = ""
    error: str = ""


def log_path(runs: Path, competition: str) -> Path:
    return runs / competition / "submissions.jsonl"


def read_log(path: Path) -> list[Submission]:
    """All submissions, the oldest first."""
    if not path.is_file():
        return []
    known = {field.name for field in fields(Submission)}
    trees = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [_submission({name: value for name, value in tree.items() if name in known}) for tree in trees]


def record(path: Path, news: Iterable[Submission]) -> list[Submission]:
    """The log with the news in it, on disk too; and beside each CSV what it scored."""
    return _renewed(path, lambda rows: news)


def refreshed(path: Path, at_kaggle: Iterable[dict[str, Any]]) -> list[Submission]:
    """The log with what Kaggle's list says, on disk too. What another process recorded while Kaggle was asked is known by then."""
    return _renewed(path, lambda rows: merged(rows, at_kaggle))


def _renewed(path: Path, news_of: Callable[[Sequence[Submission]], Iterable[Submission]]) -> list[Submission]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        rows = read_log(path)
        for new in news_of(rows):
            rows = [row for row in rows if not _same(row, new)] + [new]
            if new.file:
                note_beside(Path(new.file), new.id, ref=new.ref, status=new.status, public=new.public, private=new.private)
        rows.sort(key=lambda row: row.time)
        write_text(path, "".join(json.dumps(asdict(row)) + "\n" for row in rows))
    return rows


def merged(rows: Sequence[Submission], at_kaggle: Iterable[dict[str, Any]]) -> list[Submission]:
    """What Kaggle's list says that the log does not: new scores, and submissions that were made by other means."""
    news = []
    for one in at_kaggle:
        said = words_of(one["message"])
        ours = next((row for row in rows if row.ref == one["ref"] or (not row.ref and row.id and row.id == said.get("file"))), None)
        ours = ours or Submission(
            said.get("file", ""), cv=_number(said.get("cv")), runs=tuple(said["run"].split("+")) if "run" in said else (), file=""
        )
        new = replace(ours, **{name: one[name] for name in ("ref", "status", "public", "private", "error", "message", "time")})
        if new not in rows:
            news.append(new)
    return news


def found(at_kaggle: Iterable[dict[str, Any]], file_id: str) -> list[dict[str, Any]]:
    """The submissions of a file among those at Kaggle, newest first; also those that were sent again (1a2b3c.2)."""
    return [one for one in at_kaggle if words_of(one["message"]).get("file", "").partition(".")[0] == file_id.partition(".")[0]]


@dataclass(frozen=True)
class Agreement:
    """Of n submissions with both scores. pearson, spearman: correlations of CV and public score; gap, spread: mean and standard
    deviation of public - CV. verdict: whether CV can be trusted, in a sentence."""

    n: int
    pearson: float
    spearman: float
    gap: float
    spread: float
    verdict: str


def agreement(rows: Iterable[Submission]) -> Agreement:
    """How well CV foretold the public score. A file that was sent twice counts once."""
    pairs = {
        row.id.partition(".")[0] or str(row.ref): (row.cv, row.public) for row in rows if row.cv is not None and row.public is not None
    }
    cv, public = np.array(list(pairs.values()), dtype=float).reshape(-1, 2).T
    n, nan = len(cv), float("nan")
    gap = float(np.mean(public - cv)) if n else nan
    spread = float(np.std(public - cv, ddof=1)) if n > 1 else nan
    if n < FEWEST:
        needed = f"{n} submission{'s have' if n != 1 else ' has'} both a CV and a public score, {FEWEST} are needed to tell"
        return Agreement(n, nan, nan, gap, spread, f"whether CV can be trusted is not known yet: {needed}")
    if not cv.std() or not public.std():
        same = "CV" if not cv.std() else "public score"
        return Agreement(n, nan, nan, gap, spread, f"whether CV can be trusted cannot be told: each submission has the same {same}")
    from scipy.stats import rankdata  # takes half a second to import

    pearson = float(np.corrcoef(cv, public)[0, 1])
    spearman = float(np.corrcoef(rankdata(cv), rankdata(public))[0, 1])
    return Agreement(n, pearson, spearman, gap, spread, _verdict(n, spearman, float(cv.std(ddof=1)), spread))


def _verdict(n: int, spearman: float, spread_cv: float, spread_gap: float) -> str:
    few = f" (of {n} submissions only, so more may change this)" if n < 3 * FEWEST else ""
    if spearman >= CLOSE:
        return f"a better CV went with a better public score: trust CV{few}"
    if MUCH * spread_cv < spread_gap:
        return (
            "the CVs differ by much less than the public scores stray from them, so the leaderboard cannot tell these submissions apart: "
            f"go by CV, and see python -m folds shake-up RUN for what is chance{few}"
        )
    if spearman >= LOOSE:
        return f"a better CV went with a better public score only loosely: trust large steps of CV alone{few}"
    return (
        f"a better CV did not go with a better public score: do not trust CV before you know why{few}. "
        "python -m folds audit (leaks between folds), adversarial (a test that differs), shake-up RUN (chance)"
    )


def _same(row: Submission, other: Submission) -> bool:
    return row.ref == other.ref if row.ref and other.ref else bool(row.id) and row.id == other.id


def _submission(tree: dict[str, Any]) -> Submission:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in tree.items()}
    return Submission(**values)


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
