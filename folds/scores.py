"""What the out-of-fold predictions say: per fold, pooled, mean and spread; and the ledger, a row a run."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from competition.atomic import write_json, write_text
from competition.contest import Competition
from competition.metrics import score
from folds.errors import FoldError
from folds.run import Run, write_table

LEDGER = "ledger.csv"
COLUMNS = ["run", "competition", "metric", "pooled", "mean", "std", "folds_done", "folds", "seconds", "weights", "git", "finished"]


@dataclass(frozen=True)
class Scores:
    """pooled: over all held-out rows at once; mean, std (n - 1; NaN for one fold) over folds. All of the finished folds only."""

    metric: str
    per_fold: dict[int, float]
    pooled: float
    mean: float
    std: float


def score_run(run: Run, contest: Competition, oof: pd.DataFrame) -> Scores:
    """The scores of the finished folds, from their out-of-fold table."""
    truth, folds, probs = truth_of(oof, contest), run.fold_of().loc[oof.index].to_numpy(), oof.to_numpy()
    per_fold = {int(fold): score(contest.metric, truth[folds == fold], probs[folds == fold], contest.task) for fold in np.unique(folds)}
    values = list(per_fold.values())
    return Scores(
        metric=contest.metric,
        per_fold=per_fold,
        pooled=score(contest.metric, truth, probs, contest.task),
        mean=float(np.mean(values)),
        std=float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
    )


def truth_of(table: pd.DataFrame, contest: Competition) -> np.ndarray:
    """float32 N x K: the truth of the training rows that the table holds, in its order."""
    place = pd.Series(np.arange(len(contest.train)), index=contest.train["id"])
    return contest.truth[place.loc[table.index]]


def score_tables(oofs: dict[str, pd.DataFrame], contest: Competition) -> tuple[float, dict[str, float], pd.DataFrame]:
    """The pooled score of the mean of several runs' out-of-fold tables (over the rows all of them hold), each run's own, that mean.

    Raises: FoldError where no row is held by all.
    """
    first, *others = oofs.values()
    shared = first.index
    for oof in others:
        shared = shared.intersection(oof.index)
    if shared.empty:
        raise FoldError(
            f"{' and '.join(oofs)} share no finished fold, so that nothing can be said of their blend: train the same folds of each"
        )
    total = first.loc[shared]
    for oof in others:
        total = total + oof.loc[shared]
    mean = total / len(oofs)
    each = {name: score(contest.metric, truth_of(oof, contest), oof, contest.task) for name, oof in oofs.items()}
    return score(contest.metric, truth_of(mean, contest), mean, contest.task), each, mean


def gather(run: Run, contest: Competition) -> Scores:
    """Scores of the finished folds, after oof.parquet, scores.json and the run's row of the ledger were written."""
    oof = run.oof(contest.task)
    scores = score_run(run, contest, oof)
    write_table(run.directory / "oof.parquet", oof, run.fold_of().loc[oof.index].to_numpy())
    done = [run.done(fold) for fold in run.finished_folds()]
    seconds = round(sum(fold["seconds"] for fold in done), 1)
    write_json(run.directory / "scores.json", {**asdict(scores), "folds": run.config.folds.count, "seconds": seconds})
    row = {
        "run": run.name,
        "competition": contest.name,
        "metric": scores.metric,
        "pooled": scores.pooled,
        "mean": scores.mean,
        "std": scores.std,
        "folds_done": len(done),
        "folds": run.config.folds.count,
        "seconds": seconds,
        "weights": "/".join(sorted({fold["weights_kept"] for fold in done})),
        "git": done[-1]["git"],
        "finished": max(fold["finished"] for fold in done),
    }
    record(run.config.machine.runs, row)
    return scores


def record(runs: Path, row: dict[str, object]) -> None:
    """Puts the run's row into the ledger, in the place of its older one. Processes take turns."""
    runs.mkdir(parents=True, exist_ok=True)
    with FileLock(runs / ".ledger.lock"):
        ledger = read_ledger(runs)
        same = (ledger["run"] == row["run"]) & (ledger["competition"] == row["competition"])
        rows = [*ledger[~same].to_dict("records"), {name: _written(row[name]) for name in COLUMNS}]
        write_text(runs / LEDGER, pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, lineterminator="\n"))


def read_ledger(runs: Path) -> pd.DataFrame:
    """The ledger as text; no rows where there is none."""
    path = runs / LEDGER
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype=str, keep_default_na=False).reindex(columns=COLUMNS, fill_value="")


def _written(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)
