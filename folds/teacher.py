"""Which run's folds may label the test images for another run: one whose folds hold out the same rows."""

from pathlib import Path

import pandas as pd

from competition.contest import Competition
from competition.errors import examples
from folds.errors import FoldError
from folds.run import FULL, Run, read_run
from folds.scores import compare_runs


def teacher_of(asked: str, contest: Competition, fold_of: pd.Series, folds: list[int]) -> Run | None:
    """The run that --pseudo names; None for an empty name.

    Raises: FoldError where it is no run of this competition, its folds are other ones, or one of `folds` is not finished.
    """
    if not asked:
        return None
    teacher = read_run(Path(asked))
    if teacher.config.competition.slug != contest.name:
        raise FoldError(f"--pseudo {asked}: is a run of {teacher.config.competition.slug}, not of {contest.name}")
    its = teacher.fold_of().reindex(fold_of.index)
    if (moved := fold_of.index[its.to_numpy() != fold_of.to_numpy()]).size:
        raise FoldError(
            f"--pseudo {asked}: its folds are other ones, {len(moved):,} rows lie elsewhere ({examples(moved)}), so that its labels would "
            "have seen what is held out here; give both runs the same --folds"
        )
    if missing := [fold for fold in folds if not teacher.is_finished(fold)]:
        named = "its model of all rows (--fold full)" if FULL in missing else f"fold {', '.join(map(str, missing))}"
        raise FoldError(f"--pseudo {asked}: has not finished {named}, which is to be trained here: finish it first")
    return teacher


def brought(run: Run, teacher: Run, contest: Competition) -> str:
    """What the run is better by than its teacher, in one line; other settings that differ count, too."""
    gain, rows = compare_runs(run, teacher, contest)
    verdict = "better" if gain.low > 0 else "worse" if gain.high < 0 else "not told apart"
    return f"with pseudo-labels against {teacher.name}: {gain} in {contest.metric} on {rows:,} rows, {verdict}"
