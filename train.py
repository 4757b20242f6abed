"""Trains folds of a competition and scores them out of fold.

    python train.py --competition PATH --fold all

The same command continues an interrupted run; a finished fold is not trained again.
"""

import sys
from pathlib import Path

from competition.config import Config
from competition.console import guarded, say, show_reasons, table
from competition.settings import train_config

# what takes long to import (pandas, then torch) is imported when it is needed: a wrong flag is answered at once


def train(config: Config) -> int:
    """The exit code, after the asked folds are trained, scored and in the ledger."""
    from competition.load import load
    from folds.run import open_run
    from folds.scores import gather
    from folds.side_by_side import LOG, at_once_of, train_side_by_side
    from folds.split import asked_folds, assign_folds
    from folds.stop import StopRequest

    contest = load(config.competition)
    asked = asked_folds(config.machine.fold, config.folds.count)
    fold_of = assign_folds(contest.train, contest.truth, contest.task, config.folds)

    from competition.tables import as_table
    from models.device import accelerator_for
    from models.fit import FoldJob, Stopped, fit
    from models.plan import plan_lines, prepare

    config, spec, pixels, reasons = prepare(config, contest)
    stop = StopRequest()  # until here Ctrl-C just ends it: there is no state to save yet
    run = open_run(config, contest, fold_of)
    pending = [fold for fold in asked if fold not in run.finished_folds()]
    accelerator = accelerator_for(config.machine)
    at_once, threads = at_once_of(config.machine, len(pending), accelerator.device.type)
    if not stop.parent:
        show_reasons([*contest.reasons, *reasons])
        table("plan", ["", ""], plan_lines(config, contest, run.directory, asked, pending, at_once, accelerator.device))

    failed: dict[int, int] = {}
    if at_once > 1:
        failed = train_side_by_side(Path(__file__), run, pending, at_once, threads, stop)
    for fold in [] if at_once > 1 else pending:
        held = (fold_of == fold).to_numpy()
        with run.training(fold) as directory:
            if fold in run.finished_folds():  # by another process, while this one trained the folds before it
                continue
            job = FoldJob(
                fold, config, contest.task, contest.metric, spec, pixels, contest.truth, (~held).nonzero()[0], held.nonzero()[0], directory
            )
            try:
                fitted = fit(job, accelerator, stop)
            except Stopped:
                break
            oof = as_table(contest.train["id"][held].tolist(), fitted.probs, contest.task)
            run.finish(fold, oof, fitted.score, fitted.seconds, fitted.weights_kept)

    done = run.finished_folds()
    if done and not stop.parent:
        scores = gather(run, contest)
        rows = [[f"fold {fold}", f"{score:.5f}"] for fold, score in scores.per_fold.items()]
        spread = f" ± {scores.std:.5f}" if len(done) > 1 else ""
        summary = [["mean ± std", f"{scores.mean:.5f}{spread}"], ["pooled out of fold", f"{scores.pooled:.5f}"]]
        table(f"{run.directory}: {len(done)} of {config.folds.count} folds", ["", contest.metric], [*rows, *summary], right=(1,))
    if stop():
        say("stopped; the same command goes on from here")
        return stop.exit_code
    for fold, code in failed.items():
        say(f"fold {fold} ended with exit code {code}: {run.fold_directory(fold) / LOG} tells why; the same command tries it again")
    if not stop.parent and done:
        say(f"next: python predict.py {run.directory}")
    return max((code if code > 0 else 1 for code in failed.values()), default=0)  # below 0: ended by a signal


if __name__ == "__main__":
    sys.exit(guarded(lambda: train(train_config())))
