"""What test_kills_while_writing.py kills: a process that imports what writing needs, and then, for each line that it is given (what to
write, a seed, and after how many turns it may be killed), one of its kind that writes until it is. It answers with the moment at which
that was: python -m tests.faults.writing DIRECTORY."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.storages.journal import JournalFileBackend

from competition.atomic import write_json
from competition.cache import pixels
from competition.config import Config
from competition.contest import Competition
from competition.images import ArrayImages
from competition.tables import as_table
from folds.run import Run, open_run
from folds.scores import COLUMNS, gather, record
from folds.split import assign_folds
from models.study import _cut_short
from submissions.format import submission_frame
from submissions.log import Submission, log_path
from submissions.log import record as record_submission
from submissions.write import Origin, write
from tests.builders import make_competition, make_probs, make_table

CONTEST = make_competition("multiclass", rows=400, train_rows=400)


def opened(place: Path) -> Run:
    config = Config.model_validate({"machine": {"runs": place / "runs"}})
    return open_run(config, CONTEST, assign_folds(CONTEST, config.folds))


def finish(run: Run, fold: int, contest: Competition = CONTEST) -> None:
    held = (run.fold_of() == fold).to_numpy()
    probs = make_probs(contest.task, len(contest.train), np.random.default_rng(fold))[held]
    run.finish(fold, as_table(contest.train["id"][held].tolist(), probs, contest.task), 0.5, 1.5, "last")


def ledger(place: Path, turn: int) -> None:
    """A line of its own in a ledger that has more and more of them; said once it is there."""
    row: dict[str, object] = {name: f"{name} {turn}" for name in COLUMNS}
    record(place / "runs", row)
    write_json(place / "told" / f"{turn}.json", row["run"])


def run(place: Path, turn: int) -> None:
    """A run's next fold and scores, and after the last its predictions."""
    found = opened(place)
    pending = [fold for fold in range(5) if not found.is_finished(fold)]
    if pending:
        finish(found, pending[0])
    gather(found, CONTEST)
    if len(pending) < 2:
        found.write_test(make_table(CONTEST), ("identity",))


def submission(place: Path, turn: int) -> None:
    """The same submission again and again, and its line in the log."""
    path = place / "runs" / CONTEST.name / "submissions" / "one.csv"
    write(submission_frame(make_table(CONTEST), CONTEST), path, CONTEST, Origin(("run",)))
    entry = Submission(id=f"{turn:010d}", file=str(path), time=f"2026-01-01T00:00:{turn:06d}")
    record_submission(log_path(place / "runs", CONTEST.name), [entry])
    write_json(place / "told" / f"{turn}.json", entry.id)


def cache(place: Path, turn: int) -> None:
    keys = [f"{turn}-{number}" for number in range(300)]
    images = np.full((300, 24, 24, 3), turn % 256, np.uint8)
    pixels(ArrayImages(keys, images), pd.DataFrame({"id": keys, "image": keys}, dtype="str"), 24, 3, "bicubic", place / "cache")


def journal(place: Path, turn: int) -> None:
    """A study's trial."""
    place.mkdir(exist_ok=True)
    path = place / "journal.log"
    path.with_name("journal.log.lock").unlink(missing_ok=True)  # of one that was killed; optuna does so after half a minute
    _cut_short(path)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    held = optuna.create_study(storage=storage, study_name="one", load_if_exists=True)
    held.tell(held.ask({"x": optuna.distributions.FloatDistribution(0, 1)}), 0.5)
    write_json(place / "told" / f"{turn}.json", len(held.trials))


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "ledger": ledger,
    "run": run,
    "submission": submission,
    "cache": cache,
    "journal": journal,
}


def main() -> None:
    place = Path(sys.argv[1])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    turn = 0
    for line in sys.stdin:
        name, seed, turns = line.split()
        turn += 100
        ended, ends = os.pipe()
        child = os.fork()
        if not child:
            while True:
                WRITERS[name](place / name, turn)
                os.write(ends, b".")
                turn += 1
        for _ in range(int(turns)):
            os.read(ended, 1)
        seconds = random.Random(int(seed)).uniform(0.02, 0.3)  # noqa: S311 (a moment)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ended)
        os.close(ends)
        print(f"{seconds:.3f}", flush=True)


if __name__ == "__main__":
    main()
