"""Trains folds of a competition and scores them out of fold.

    python train.py --competition PATH --fold all

The same command continues an interrupted run; a finished fold is not trained again.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

from competition.config import Config, directory_name
from competition.console import guarded, say, show_reasons, table
from competition.settings import train_config

# what takes long to import (pandas, then torch) is imported when it is needed: a wrong flag is answered at once


STARTED = time.monotonic()


def train(config: Config) -> int:
    """The exit code, after the asked folds are trained, scored and in the ledger."""
    from competition.load import load
    from competition.machines import hosts_of
    from competition.shortage import require_writable
    from competition.stop import StopRequest
    from folds.audit_files import audit_first
    from folds.budget import end_of, share_of
    from folds.corrections import corrected
    from folds.groups import audited
    from folds.run import FULL, open_run
    from folds.same_images import changed_images
    from folds.scores import gather
    from folds.show import show_scores
    from folds.side_by_side import LOG, apart, get_ready, lanes_of, train_side_by_side, why_ended
    from folds.split import asked_folds, assign_folds, settle_folds, tuning_rows
    from folds.teacher import brought, teacher_of
    from models import import_packages
    from models.together import entered_by_main, from_main, join, largest, main_first
    from reports.report import report_or_reason

    directory_name(config.name, "--name")
    join(config.machine)
    from_main(require_writable, config.machine.runs)
    with main_first():
        contest = load(config.competition)
        audit_first(contest, config)
        folds, cut = settle_folds(contest, config.folds, audited(config.machine.runs, contest))
        config = config.model_copy(update={"folds": folds})
        asked = asked_folds(config.machine.fold, folds.count)
        get_ready(config, len(asked))
        fold_of = assign_folds(contest, folds, config.machine.cache / contest.name)
        taught, kept, told = corrected(contest, config.data.corrections)
        teacher = teacher_of(config.data.pseudo, contest, fold_of, asked)

        import_packages()
        from competition.tables import as_table
        from models.device import accelerator_for, gpus_of
        from models.exhibits import exhibit
        from models.job import Stopped, job_of_all
        from models.loggers import show_pictures
        from models.methods import METHODS
        from models.plan import plan_lines, prepare
        from models.pseudo import with_pseudo

        accelerator = accelerator_for(config.machine)
        hosts = hosts_of(config.machine, gpus_of(config.machine))
        lanes = lanes_of(config, len(asked), accelerator.device.type, hosts)
        end = end_of(config, STARTED)
        seconds = (end - time.monotonic()) * lanes.part(len(asked))
        config, spec, pixels, reasons = prepare(config, contest, seconds, lanes.threads)
        stop = StopRequest(largest)  # until here Ctrl-C just ends it: there is no state to save yet
        run = open_run(config, contest, fold_of)
        fitted_by = run.config_of_full() if FULL in asked else config
        changed = changed_images(run, contest.train["id"], pixels)
    pending = from_main(lambda: [fold for fold in asked if not run.is_finished(fold)])
    lanes = lanes_of(config, len(pending), accelerator.device.type, hosts)
    tells = accelerator.is_main_process and not stop.is_part
    if tells:
        show_reasons([*contest.reasons, *cut, *told, *reasons])
        table("plan", ["", ""], plan_lines(config, contest, run.directory, asked, pending, lanes.at_once, accelerator.device))
    if changed and accelerator.is_main_process:
        say(changed)

    failed: dict[int, int] = {}
    if apart(config, lanes):
        failed = train_side_by_side(Path(__file__), run, pending, lanes, stop, end)
    for place, fold in enumerate([] if apart(config, lanes) else pending):
        held = (fold_of == fold).to_numpy()
        with entered_by_main(run.training(fold)) as directory:
            if from_main(run.is_finished, fold):  # by another command, while this one trained the folds before it
                continue
            job = replace(
                job_of_all(fitted_by, contest, spec, pixels, directory),
                fold=fold,
                train_rows=(~held & kept).nonzero()[0],
                held_rows=held.nonzero()[0],
                taught=taught,
                tuning_rows=tuning_rows(fold_of, fold, kept),
                deadline=time.monotonic() + share_of(end, len(pending) - place),
            )
            if teacher:
                job = with_pseudo(job, teacher.fold_directory(fold), contest)
            try:
                fitted = METHODS[config.optim.method](job, accelerator, stop)
            except Stopped:
                break
            oof = as_table(contest.train["id"][held].tolist(), fitted.probs, contest.task)
            if accelerator.is_main_process:
                run.finish(fold, oof, fitted.score, fitted.seconds, fitted.weights_kept)

    done = run.finished_folds()
    if done and tells:
        show_scores(run, gather(run, contest))
        if teacher:
            say(brought(run, teacher, contest))
    if stop():  # of several processes, the others wait here for the main one
        say("stopped; the same command goes on from here")
        return stop.exit_code
    stop.over()
    for fold, code in failed.items():
        say(f"fold {fold} ended with exit code {code}: {why_ended(code, run.fold_directory(fold) / LOG)}; the same command tries it again")
    if done and tells:
        if len(done) == config.folds.count:
            exhibit([run.fold_directory(fold) for fold in done], contest, config.machine)
            show_pictures(run.directory, report_or_reason(run, contest), config.machine)
        say(f"next: python predict.py {run.directory}")
    return max((code if code > 0 else 1 for code in failed.values()), default=0)  # below 0: ended by a signal


if __name__ == "__main__":
    sys.exit(guarded(lambda: train(train_config())))
