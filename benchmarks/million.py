"""A competition of a million rows (pictures of 8 px): what each command takes that does not look at the pixels, in seconds and memory.

    python benchmarks/million.py                                   # a million rows, a fifth as many test images, two classes
    python benchmarks/million.py --rows 50000 --classes 5000       # wide tables of out-of-fold probabilities

Each command runs in a process of its own. Predictions are made up: no network is trained.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from competition.contest import Competition
    from folds.run import Run

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent.parent))
REPEATED = 1000  # images of each part that are the same


def make(place: Path, rows: int, classes: int) -> None:
    import cv2

    place.mkdir()
    generator = np.random.default_rng(0)
    tests, repeated = rows // 5, np.eye(8, dtype=np.uint8) * 255
    for name, count in (("train", rows), ("test", tests)):
        with zipfile.ZipFile(place / f"{name}.zip", "w") as archive:
            for number in range(count):
                picture = repeated if number < REPEATED else generator.integers(0, 256, (8, 8), dtype=np.uint8)
                archive.writestr(f"{name[:2]}_{number:07d}.png", cv2.imencode(".png", picture)[1].tobytes())
    labels = generator.integers(0, classes, rows)
    head = "id,label\n"
    (place / "train.csv").write_text(head + "".join(f"tr_{row:07d},c{label}\n" for row, label in enumerate(labels)))
    (place / "sample_submission.csv").write_text(head + "".join(f"te_{row:07d},c0\n" for row in range(tests)))


def made_up(place: Path, runs: Path) -> "tuple[Competition, Run]":
    """A run whose folds are finished, with random probabilities."""
    from competition.config import Config
    from competition.load import load
    from folds.run import open_run
    from folds.split import assign_folds, settle_folds

    config = Config.model_validate({"competition": {"source": str(place)}, "machine": {"runs": runs}, "folds": {"scheme": "plain"}})
    contest = load(config.competition)
    folds, _ = settle_folds(contest, config.folds, None)
    config = config.model_copy(update={"folds": folds})
    return contest, open_run(config, contest, assign_folds(contest, folds))


def predictions(place: Path, runs: Path) -> None:
    from competition.tables import as_table

    contest, run = made_up(place, runs)
    generator, fold_of = np.random.default_rng(1), run.fold_of()
    for fold in range(run.config.folds.count):
        run.fold_directory(fold).mkdir(parents=True, exist_ok=True)
        ids = fold_of.index[fold_of == fold].tolist()
        probs = generator.random((len(ids), len(contest.task.classes)), dtype=np.float32)
        run.finish(fold, as_table(ids, probs / probs.sum(1, keepdims=True), contest.task), 0.5, 1.0, "last")
    probs = generator.random((len(contest.test), len(contest.task.classes)), dtype=np.float32)
    run.write_test(as_table(contest.test["id"].tolist(), probs / probs.sum(1, keepdims=True), contest.task), ("identity",))


def scores(place: Path, runs: Path) -> None:
    from folds.scores import gather

    contest, run = made_up(place, runs)
    print(gather(run, contest).pooled)


def submission(place: Path, runs: Path) -> None:
    from submissions.assemble import assemble, settle_blend

    contest, run = made_up(place, runs)
    table, views = run.test(contest.task)
    assemble(settle_blend([run], contest, "mean"), {run.name: table}, contest, {run.name: views}, None)


STAGES = {"predictions": predictions, "scores": scores, "submission": submission}


def child(command: list[str]) -> tuple[float, float, int]:
    """Seconds, peak GiB and exit code."""
    began = time.perf_counter()
    _, status, used = os.wait4(subprocess.Popen([sys.executable, *command]).pid, 0)
    return time.perf_counter() - began, used.ru_maxrss / 2**20, os.waitstatus_to_exitcode(status)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--classes", type=int, default=2)
    asked.add_argument("--stage", choices=STAGES, help="do this here")
    asked.add_argument("--place", type=Path)
    given = asked.parse_args()
    if given.stage:
        STAGES[given.stage](given.place, given.place.parent / "runs")
        return
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "million"
        make(place, given.rows, given.classes)
        os.chdir(name)
        ours = str(HERE.parent.parent)
        os.environ["PYTHONPATH"] = ours
        commands = {
            "inspect": ["-m", "competition", "inspect", str(place)],
            "folds": ["-m", "folds", "split", "--competition", str(place), "--folds.scheme", "plain"],
            "audit": ["-m", "folds", "audit", "--competition", str(place), "--exact"],
            **{stage: [str(HERE), "--stage", stage, "--place", str(place)] for stage in STAGES},
        }
        lines = []
        for stage, command in commands.items():
            seconds, gib, code = child(command)
            lines.append(f"{stage}: {seconds:.1f} s, {gib:.2f} GiB" + (f", exit code {code}" if code else ""))
        print("\n".join([f"{given.rows:,} rows, {given.rows // 5:,} test images, {given.classes:,} classes", *lines]))


if __name__ == "__main__":
    main()
