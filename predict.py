"""Ensembles finished folds, and runs, with test-time views into a checked submission CSV.

python predict.py                    the newest run of the competition
python predict.py RUN RUN            several runs, blended by id
python predict.py --submit "MESSAGE"    and sends it to Kaggle, and waits for its score
"""

import sys
from pathlib import Path

from competition.config import PredictConfig
from competition.console import guarded, say
from competition.settings import competition_config, predict_config

# what takes long to import (pandas, then torch) is imported when it is needed: a wrong flag is answered at once


def predict(asked: PredictConfig) -> int:
    """The exit code, after the submission is on disk and was checked."""
    from competition.load import load
    from competition.shortage import require_writable
    from folds.errors import FoldError
    from folds.run import newest_run, read_runs
    from models import import_packages
    from submissions.assemble import assemble, settle_blend
    from submissions.upload import upload

    named = read_runs(map(Path, asked.run))
    ask = named[0].config.competition if named and not asked.competition else competition_config(asked.competition)
    contest = load(ask)
    runs = named or newest_run(asked.machine.runs, contest.name)
    for run in runs:
        if not run.finished_folds():
            raise FoldError(
                f"{run.directory}: no fold is finished yet; python train.py --recipe {run.directory / 'config.toml'} goes on with it"
            )

    output = runs[0].directory.parent / "submissions" if asked.output is None else asked.output.parent
    require_writable(output, *(run.directory for run in runs))
    blending = settle_blend(runs, contest, asked.blend)

    import_packages()
    from models.ensemble import predict_test

    tables, views = {}, {}
    for run in runs:
        members = run.members(asked.members)
        tables[run.name], seen = predict_test(members, contest, asked.views, asked.machine)
        views[run.name] = seen
        run.write_test(tables[run.name], seen, asked.members)
        count, done = run.config.folds.count, len(run.finished_folds())
        told = f"{done}{'' if done == count else f' of {count}'} folds" if asked.members != "full" else ""
        told += {"folds": "", "full": "the model of all rows", "both": " and the model of all rows"}[asked.members]
        say(f"{run.directory}: {told} x {len(seen)} views ({', '.join(seen)}), {len(contest.test):,} test images")
    path = assemble(blending, tables, contest, views, asked.output)
    return 0 if asked.submit is None else upload(path, contest, asked.submit, asked.machine.runs)


if __name__ == "__main__":
    sys.exit(guarded(lambda: predict(predict_config())))
