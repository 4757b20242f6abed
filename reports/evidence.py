"""What a run left, read once for all that is drawn from it.

Legend: N held-out rows, K columns of a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from competition.contest import Competition
from competition.decisions import Decision, fit_decision
from competition.errors import examples
from competition.metrics import METRICS, RANKED
from competition.notable import notable
from folds.groups import audited, read_audit
from folds.kept import read_object
from folds.run import Run
from folds.scores import Scores, read_scores, score_run, truth_of
from folds.suspects import suspects
from reports.errors import ReportError
from reports.exhibits import FILE, Exhibits, read_exhibits
from reports.pictures import Pictures, read_pictures

MANY = 30  # classes beyond which a matrix is no longer read cell by cell
SHOWN_SUSPECTS = 16
SHOWN_PAIRS = 12


@dataclass(frozen=True)
class Evidence:
    """ids: N; truth and probs: N x K, row by row with the ids; folds: N, which fold held a row out. All of the finished folds."""

    run: Run
    contest: Competition
    ids: pd.Index
    truth: np.ndarray
    probs: np.ndarray
    folds: np.ndarray
    scores: Scores

    @property
    def kinds(self) -> set[str]:
        """The kinds of task that figures are chosen by: the task's own, and "ranking" where it matters which classes come first."""
        kind, ranked = self.contest.task.kind, self.contest.submission.answer == "ranked" or METRICS[self.contest.metric].places > 0
        return {kind} | ({"ranking"} if kind in RANKED and (ranked or len(self.contest.task.classes) > MANY) else set())

    @cached_property
    def codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Twice int64 N: the true and the likeliest class."""
        return self.truth.argmax(axis=1), self.probs.argmax(axis=1)

    @cached_property
    def decision(self) -> Decision | None:
        """The rule that answers are decided by, where one is better out of fold than the usual decision."""
        if self.scores.decided is None:
            return None
        return fit_decision(self.contest, pd.DataFrame(self.probs, index=self.ids), self.truth, self.run.fold_of())

    @cached_property
    def done(self) -> dict[int, dict[str, Any]]:
        """What each finished fold says of itself."""
        return {fold: self.run.done(fold) for fold in self.run.finished_folds()}

    @cached_property
    def histories(self) -> dict[int, pd.DataFrame]:
        """An epoch a row, of the finished folds that have a history; a probe's have none."""
        return {fold: self.run.history(fold) for fold in self.done if (self.run.fold_directory(fold) / "history.csv").is_file()}

    @cached_property
    def exhibits(self) -> dict[int, Exhibits]:
        """What was made with the network itself, of the finished folds that have any."""
        found = {fold: read_exhibits(self.run.fold_directory(fold) / FILE) for fold in self.done}
        return {fold: exhibits for fold, exhibits in found.items() if exhibits is not None}

    @cached_property
    def notable(self) -> dict[str, np.ndarray]:
        """int64 positions of rows. Samples, class by class, are of those that each fold has by itself, which may have a heat map."""
        task = self.contest.task
        found = notable(self.truth, self.probs, task)
        of_folds = [np.flatnonzero(self.folds == fold) for fold in self.done]
        rows = np.concatenate([held[notable(self.truth[held], self.probs[held], task)["samples"]] for held in of_folds])
        even = rows[notable(self.truth[rows], self.probs[rows], task)["samples"]]
        return {**found, "samples": even[np.argsort(task.strata(self.truth)[even], kind="stable")]}

    @cached_property
    def suspects(self) -> pd.DataFrame:
        """Labels that the predictions deny, the most denied first, as `folds.suspects` gives them."""
        return suspects(pd.DataFrame(self.probs, index=self.ids), self.truth, self.contest.task)

    @cached_property
    def duplicates(self) -> pd.DataFrame:
        """Pairs that the audit found (id_a, id_b, part_a, part_b, kind, view, probability); no rows where there was none."""
        path = audited(self.run.directory.parent.parent, self.contest)
        pairs = path.with_name(f"{path.stem}-pairs.csv")
        kinds = {**dict.fromkeys(("id_a", "id_b", "part_a", "part_b", "kind", "view"), str), "probability": float}
        found = read_audit(pairs, kinds) if pairs.is_file() else pd.DataFrame(columns=list(kinds))
        return found[found["part_a"].isin(self.key_of) & found["part_b"].isin(self.key_of)]

    @cached_property
    def group_of(self) -> "pd.Series":
        """group_of[id] of the training images that the audit ties to others; empty where there was none."""
        path = audited(self.run.directory.parent.parent, self.contest)
        if not path.is_file():
            return pd.Series(dtype=str)
        return read_audit(path).set_index("id")["group"]

    @cached_property
    def key_of(self) -> Mapping[str, "pd.Series"]:
        """key_of[part][id] of training and test images."""
        return {
            "train": self.contest.train.set_index("id")["image"],
            "test": self.contest.test.drop_duplicates("id").set_index("id")["image"],
        }

    @cached_property
    def pictures(self) -> Pictures:
        """All images that the page shows, decoded once."""
        rows = np.concatenate(list(self.notable.values()))
        named = [("train", name) for name in [*self.ids[rows], *self.suspects["id"].head(SHOWN_SUSPECTS)]]
        for side in ("a", "b"):
            shown = self.duplicates.head(SHOWN_PAIRS)
            named += zip(shown[f"part_{side}"], shown[f"id_{side}"], strict=True)
        keys = [self.key_of[part][name] for part, name in dict.fromkeys(named) if name in self.key_of[part].index]
        return read_pictures(self.contest, keys, self.run.config.machine.cache)


def evidence_of(run: Run, contest: Competition) -> Evidence:
    """The evidence of a run's finished folds.

    Raises: ReportError where no fold is finished, or the run is about other rows than the competition has.
    """
    oof = run.oof(contest.task)
    if oof.empty:
        again = f"python train.py --recipe {run.directory / 'config.toml'} goes on with it"
        raise ReportError(f"{run.directory}: no fold is finished yet, so there is nothing to show; {again}")
    unknown = oof.index[~oof.index.isin(contest.train["id"])]
    if len(unknown):
        raise ReportError(
            f"{run.directory}: {len(unknown):,} ids of its held-out rows are no training ids of {contest.source}: {examples(unknown)}"
        )
    scores = read_scores(run, contest.metric) or score_run(run, contest, oof)
    return Evidence(run, contest, oof.index, truth_of(oof, contest), oof.to_numpy(), run.fold_of().loc[oof.index].to_numpy(), scores)


def environment_of(run: Run) -> dict[str, Any]:
    """What the run was made on: python, machine, git, packages; empty where the run does not say."""
    path = run.directory / "environment.json"
    return read_object(path, {"packages": dict}, f"delete it, and it is not told what {run.name} was made on") if path.is_file() else {}
