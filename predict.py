"""Ensembles finished folds, and runs, with test-time views into a checked submission CSV.

python predict.py                    the newest run of the competition
python predict.py RUN RUN            several runs, blended by id
"""

import sys
from datetime import datetime
from pathlib import Path

from competition.config import PredictConfig
from competition.console import guarded, say
from competition.settings import competition_config, predict_config

# what takes long to import (pandas, then torch) is imported when it is needed: a wrong flag is answered at once


def predict(asked: PredictConfig) -> int:
    """The exit code, after the submission is on disk and was checked."""
    from competition.load import load
    from competition.metrics import score
    from folds.errors import FoldError
    from folds.run import git_commit, newest_run, read_run, write_table
    from folds.scores import score_tables
    from submissions.blend import blend
    from submissions.format import submission_frame
    from submissions.write import Origin, submission_path, upload_command, upload_message, write

    named = [read_run(Path(run)) for run in asked.run]
    ask = named[0].config.competition if named and not asked.competition else competition_config(asked.competition)
    contest = load(ask)
    runs = named or newest_run(asked.machine.runs, contest.name)
    for run in runs:
        if not run.finished_folds():
            raise FoldError(
                f"{run.directory}: no fold is finished yet; python train.py --recipe {run.directory / 'config.toml'} goes on with it"
            )

    from models.ensemble import predict_test  # torch takes seconds to import

    tables, oofs, views = {}, {}, ()
    for run in runs:
        folds = run.finished_folds()
        tables[run.name], views = predict_test([run.fold_directory(fold) for fold in folds], contest, asked.views, asked.machine)
        oofs[run.name] = run.oof(contest.task)
        write_table(run.directory / "test.parquet", tables[run.name])
        missing = "" if len(folds) == run.config.folds.count else f" of {run.config.folds.count}"
        say(f"{run.directory}: {len(folds)}{missing} folds x {len(views)} views ({', '.join(views)}), {len(contest.test):,} test images")

    table = blend(tables, contest.task, asked.blend)
    cv, scores, oof = score_tables(oofs, contest)
    origin = Origin(tuple(tables), views, asked.blend, scores, cv, git_commit())
    path = asked.output or submission_path(asked.machine.runs / contest.name / "submissions", "+".join(tables), cv, datetime.now())
    warnings = write(submission_frame(table, contest), path, contest, origin, oof)
    for warning in warnings:
        say(f"warning: {warning}")
    say(f"out-of-fold {contest.metric} {cv:.5f}")
    if contest.test_truth is not None:
        known = score(contest.metric, contest.test_truth, table, contest.task)
        say(f"test {contest.metric} {known:.5f}: its labels came along, and were never trained on")
    say(f"submission {path}: {len(contest.submission.rows):,} rows, checked")
    say(upload_command(contest.name, path, upload_message(origin)))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(lambda: predict(predict_config())))
