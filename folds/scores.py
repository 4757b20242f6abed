"""What the out-of-fold predictions say: per fold, pooled, mean and spread; and the ledger, a row a run."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from competition.atomic import write_json, write_text
from competition.contest import Competition
from competition.decisions import decided, fit_decision
from competition.errors import examples
from competition.metrics import THRESHOLD, areas, decide, score
from competition.task import Task
from folds.errors import FoldError
from folds.intervals import Interval, gain_interval, score_interval
from folds.kept import read_object, read_rows
from folds.run import Run, write_table

LEDGER = "ledger.csv"
COLUMNS = [
    "run",
    "competition",
    "metric",
    "pooled",
    "low",
    "high",
    "mean",
    "std",
    "folds_done",
    "folds",
    "seconds",
    "weights",
    "git",
    "finished",
]


@dataclass(frozen=True)
class ClassScore:
    """One class against the rest: how many rows it has, the area under its ROC curve, the share of its rows that are found (recall), the
    share of the rows taken for it that are its own (precision; 0 where there are none), and F1, the harmonic mean of both.

    Of a number: rows, nan, the share of its variance that is explained, and nan twice.
    """

    rows: int
    roc_auc: float
    found: float
    precision: float = math.nan
    f1: float = math.nan


@dataclass(frozen=True)
class Scores:
    """pooled: over all held-out rows at once, with the 95 % bootstrap interval low, high (over groups where folds kept any together); mean,
    std (n - 1; NaN for one fold) over folds whose score is defined; per_class: each class against the rest; decided: with thresholds and
    the like that were fitted on the other folds, where that is better. All of the finished folds only."""

    metric: str
    per_fold: dict[int, float]
    pooled: float
    low: float
    high: float
    mean: float
    std: float
    per_class: dict[str, ClassScore] = field(default_factory=dict)
    decided: float | None = None

    @property
    def undefined(self) -> str:
        """Words that say how many folds the mean leaves out, as an AUC is not defined where all rows are of one class; else empty."""
        defined = sum(not math.isnan(value) for value in self.per_fold.values())
        return f" of the {defined} fold{'s' * (defined != 1)} where it is defined" if defined < len(self.per_fold) else ""


def score_run(run: Run, contest: Competition, oof: pd.DataFrame) -> Scores:
    """The scores of the finished folds, from their out-of-fold table."""
    truth, folds, probs = truth_of(oof, contest), run.fold_of().loc[oof.index].to_numpy(), oof.to_numpy()
    per_fold = {int(fold): score(contest.metric, truth[folds == fold], probs[folds == fold], contest.task) for fold in np.unique(folds)}
    values = [value for value in per_fold.values() if not math.isnan(value)]
    decision = fit_decision(contest, oof, truth, run.fold_of())
    pooled = score_interval(contest.metric, truth, probs, contest.task, run.groups_of(oof.index))
    return Scores(
        metric=contest.metric,
        per_fold=per_fold,
        pooled=pooled.value,
        low=pooled.low,
        high=pooled.high,
        mean=float(np.mean(values)) if values else math.nan,
        std=float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
        per_class=class_scores(truth, probs, contest.task),
        decided=decision.nested if decision else None,
    )


def class_scores(truth: np.ndarray, probs: np.ndarray, task: Task) -> dict[str, ClassScore]:
    """Class by class, of truth and probs, N x K."""
    if task.kind == "regression":
        explained = [
            score("r2", truth[:, [place]], probs[:, [place]], Task("regression", (name,))) for place, name in enumerate(task.classes)
        ]
        return {name: ClassScore(len(truth), math.nan, value) for name, value in zip(task.classes, explained, strict=True)}
    true = truth > THRESHOLD
    if task.one_of_many:
        codes, chosen = truth.argmax(axis=1), probs.argmax(axis=1)
        taken, hits = (np.bincount(those, minlength=len(task.classes)) for those in (chosen, chosen[chosen == codes]))
    else:
        decided = decide(probs, task)
        taken, hits = decided.sum(axis=0), (decided & true).sum(axis=0)
    rows, each = true.sum(axis=0), areas(true, probs)
    return {
        name: ClassScore(
            rows=int(rows[place]),
            roc_auc=float(each[place]),
            found=float(hits[place] / rows[place]) if rows[place] else math.nan,
            precision=float(hits[place] / max(1, taken[place])),
            f1=float(2 * hits[place] / (rows[place] + taken[place])) if rows[place] + taken[place] else math.nan,
        )
        for place, name in enumerate(task.classes)
    }


def truth_of(table: pd.DataFrame, contest: Competition) -> np.ndarray:
    """float32 N x K: the truth of the training rows that the table holds, in its order.

    Raises: FoldError where one of them is no training row any more.
    """
    place = pd.Series(np.arange(len(contest.train)), index=contest.train["id"])
    if len(gone := table.index.difference(place.index)):
        raise FoldError(f"{contest.source}: {len(gone):,} rows that were held out are no training rows any more: {examples(gone)}")
    return contest.truth[place.loc[table.index]]


def as_answered(run: Run, oof: pd.DataFrame, contest: Competition) -> pd.DataFrame:
    """The out-of-fold table, moved as a submission of the run would be decided: by what was fitted on all of its rows, where that helps."""
    return decided(oof, contest, fit_decision(contest, oof, truth_of(oof, contest), run.fold_of()))


def shared_rows(oofs: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The out-of-fold tables of several runs, cut to the rows that all of them hold, in the order of the first.

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
    return {name: oof.loc[shared] for name, oof in oofs.items()}


def compare_runs(one: Run, other: Run, contest: Competition) -> tuple[Interval, int]:
    """By how much `one` is better than `other` on the rows that both held out (above 0 where it is), and how many these are.

    Raises: FoldError where they share no row, or are about different competitions.
    """
    if one.config.competition.slug != other.config.competition.slug:
        raise FoldError(f"{one.directory} and {other.directory} are about different competitions")
    tables = [one.oof(contest.task), other.oof(contest.task)]
    shared = tables[0].index.intersection(tables[1].index)
    if shared.empty:
        raise FoldError(f"{one.directory} and {other.directory} share no held-out row: train the same folds of each")
    truth = truth_of(tables[0].loc[shared], contest)
    answered = [as_answered(run, table, contest) for run, table in zip((one, other), tables, strict=True)]
    first, second = (table.loc[shared].to_numpy() for table in answered)
    return gain_interval(contest.metric, truth, first, second, contest.task, shared_groups([one, other], contest, shared)), len(shared)


def shared_groups(runs: Sequence[Run], contest: Competition, ids: pd.Index) -> np.ndarray | None:
    """The groups that the folds of one of the runs kept together (of several, the first), else the competition's own, row by row with the
    ids: an interval is drawn over them, whichever run is named first. None where rows stand alone."""
    kept = next((groups for run in runs if (groups := run.groups_of(ids)) is not None), None)
    if kept is None and contest.groups is not None:
        return pd.Series(contest.groups.to_numpy(), index=contest.train["id"]).reindex(ids).to_numpy()
    return kept


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
        "low": scores.low,
        "high": scores.high,
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


def read_scores(run: Run, metric: str) -> Scores | None:
    """What `gather` wrote; None where it is not there, damaged, about another metric, or folds were finished since: it is counted anew."""
    path = run.directory / "scores.json"
    if not path.is_file():
        return None
    try:
        told = read_object(path, {}, "")
        if told["metric"] != metric or [int(fold) for fold in told["per_fold"]] != run.finished_folds():
            return None
        numbers = {name: _known(told[name]) for name in ("pooled", "low", "high", "mean", "std")}
        per_fold = {int(fold): _known(value) for fold, value in told["per_fold"].items()}
        shares = ("roc_auc", "found", "precision", "f1")
        per_class = {
            name: ClassScore(int(one["rows"]), *(_known(one.get(share)) for share in shares)) for name, one in told["per_class"].items()
        }
        decided = None if told["decided"] is None else float(told["decided"])
        return Scores(metric=metric, per_fold=per_fold, per_class=per_class, decided=decided, **numbers)
    except (KeyError, TypeError, ValueError, AttributeError):  # damaged (a FoldError is a ValueError), or an older version wrote it
        return None


def _known(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def record(runs: Path, row: dict[str, object]) -> None:
    """Puts the run's row into the ledger, in the place of its older one. Processes take turns."""
    runs.mkdir(parents=True, exist_ok=True)
    with FileLock(runs / ".ledger.lock"):
        ledger = read_ledger(runs)
        same = (ledger["run"] == row["run"]) & (ledger["competition"] == row["competition"])
        older = next(iter(ledger[same].to_dict("records")), {})  # a column that the user added stays as it is
        rows = [*ledger[~same].to_dict("records"), {**older, **{name: _written(row[name]) for name in COLUMNS}}]
        write_text(runs / LEDGER, pd.DataFrame(rows, columns=ledger.columns).to_csv(index=False, lineterminator="\n"))


def read_ledger(runs: Path) -> pd.DataFrame:
    """The ledger as text, COLUMNS and then those that the user added; no rows where there is none.

    Raises: FoldError where it is damaged.
    """
    path = runs / LEDGER
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    remedy = "mend it, or move it away: `python train.py --recipe RUN/config.toml --fold all` writes a run's row anew"
    needed: dict[str, type] = dict.fromkeys(("run", "competition", "metric", "pooled"), str)
    ledger = read_rows(path, needed, remedy)
    return ledger.reindex(columns=[*COLUMNS, *ledger.columns.difference(COLUMNS, sort=False)], fill_value="")


def _written(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.10g}"
    return str(value)
