"""From the test tables of one or more runs to a checked CSV: blended, decided, formatted, written, and the line that uploads it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from competition.console import say
from competition.contest import Competition
from competition.decisions import Decision, decided, fit_decision, score_answers
from competition.metrics import score
from folds.run import Run, git_commit
from folds.scores import shared_groups, shared_rows, truth_of
from submissions.blend import blend
from submissions.choose_blend import EQUAL, Trial, settle, try_blends
from submissions.errors import SubmissionError
from submissions.format import submission_frame
from submissions.write import Origin, file_id, shared_views, submission_path, upload_command, upload_message, write


@dataclass(frozen=True)
class Blending:
    """How runs are blended, settled on their out-of-fold tables. scores: each run's own."""

    runs: Sequence[Run]
    trial: Trial
    scores: Mapping[str, float]


def settle_blend(runs: Sequence[Run], contest: Competition, how: str) -> Blending:
    """The blend `how` (a name of BLENDS, or auto) where it is better than equal weights, else equal weights; the reason is said.

    Raises: SubmissionError where runs are about different competitions; FoldError where they share no held-out row, or one that is no
    training row any more; CompetitionError and SubmissionError for a blend that is none, or does not fit.
    """
    trials = trials_of(runs, contest, list(dict.fromkeys([EQUAL, how])))
    trial, why = settle(trials, how)
    if why:
        say(why)
    if len(runs) == 1 and trial.used == EQUAL:
        return Blending(runs, trial, {runs[0].name: trial.nested.value})
    own = {run.name: run.oof(contest.task) for run in runs}
    scores = {name: score(contest.metric, truth_of(oof, contest), oof, contest.task) for name, oof in own.items()}
    return Blending(runs, trial, scores)


def trials_of(runs: Sequence[Run], contest: Competition, names: list[str]) -> list[Trial]:
    """Each blend by name, tried on the rows that all runs held out, whose folds are those of the first run.

    Raises: as `settle_blend` does.
    """
    if strangers := [run for run in runs if run.config.competition.slug != runs[0].config.competition.slug]:
        raise SubmissionError(f"{runs[0].directory} and {strangers[0].directory} are about different competitions and cannot be blended")
    oofs = shared_rows({run.name: run.oof(contest.task) for run in runs})
    groups = shared_groups(runs, contest, next(iter(oofs.values())).index)
    return try_blends(oofs, contest, runs[0].fold_of(), groups, names)


def out_of_fold(blending: Blending, contest: Competition) -> tuple[Decision | None, pd.DataFrame]:
    """The rule that answers are decided by, None where none is needed, and the out-of-fold table decided by it."""
    oof = blending.trial.oof
    decision = fit_decision(contest, oof, truth_of(oof, contest), blending.runs[0].fold_of())
    return decision, decided(oof, contest, decision)


def cv_of(blending: Blending, decision: Decision | None) -> float:
    """The out-of-fold score of the blend, its answers decided."""
    return blending.trial.nested.value if decision is None else decision.nested


def assemble(
    blending: Blending,
    tables: Mapping[str, pd.DataFrame],
    contest: Competition,
    views: Mapping[str, tuple[str, ...]],
    output: Path | None,
) -> Path:
    """Where the submission stands, after it was checked and what it is worth was said.

    tables, views: of the test images, by the run's name. output: None: beside the runs, named by time and score.

    Raises: SubmissionError where tables do not fit each other, or a grader would refuse the file.
    """
    runs, trial = blending.runs, blending.trial
    decision, oof = out_of_fold(blending, contest)
    if decision is not None:
        say(decision.report(contest.metric))
    table = decided(blend(tables, contest.task, trial.used, trial.values), contest, decision)
    cv = cv_of(blending, decision)
    origin = Origin(
        runs=tuple(tables),
        views=shared_views(views.values()),
        blend=trial.used,
        blend_values=tuple(trial.values.tolist()),
        scores=blending.scores,
        cv=cv,
        git=git_commit(),
        decision=None if decision is None else asdict(decision),
    )
    submissions = runs[0].directory.parent / "submissions"
    path = output or submission_path(submissions, "+".join(tables), cv, datetime.now())
    for warning in write(submission_frame(table, contest), path, contest, origin, oof):
        say(f"warning: {warning}")
    say(f"out-of-fold {contest.metric} {cv:.5f}")
    if contest.test_truth is not None:
        known = score_answers(contest, contest.test_truth, table.to_numpy())
        say(f"test {contest.metric} {known:.5f}: its labels came along, and were never trained on")
    say(f"submission {path}: {len(contest.submission.rows):,} rows, checked")
    say(upload_command(contest.name, path, upload_message(origin, file_id(path))))
    return path
