"""Both scripts over many layouts, in one process (torch is imported once): nothing has to be said, no grader refuses what comes out, and
it scores better than the sample submission."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import predict
import train
from competition.catalogue.metrics import METRIC_OF
from competition.config import CompetitionConfig, Config, PredictConfig
from competition.load import load
from submissions.check import check
from tests.graders import GRADERS, Grader, column_auc, list_f1, log_loss, map_at_5, names, quadratic_kappa, rmse_of_1_to_100
from tests.trees import ANSWERS, TREES, write_tree

MAKER = Path(__file__).parent.parent.parent / "shared" / "contests" / "make_tree.py"
OWN = {
    "whales": Grader(map_at_5),
    "folders": Grader(names),
    "tags": Grader(list_f1),
    "scores": Grader(rmse_of_1_to_100, greater_is_better=False),
    "grades": Grader(quadratic_kappa),
    "archives": Grader(column_auc),
    "breeds": Grader(log_loss, greater_is_better=False),
    "bands": Grader(rmse_of_1_to_100, greater_is_better=False),
    "stacks": Grader(names),
}


@pytest.fixture(autouse=True)
def signals_and_threads() -> Iterator[None]:
    """train sets both for its process, which is not its own here."""
    import torch

    threads, handlers = torch.get_num_threads(), {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    torch.set_num_threads(threads)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@dataclass(frozen=True)
class Effort:
    """How large the pictures are, how often they are seen, and of how many folds one is trained."""

    size_px: int = 24
    epochs: int = 5
    folds: int = 3


HARDER = {"aptos2019-blindness-detection": Effort(48, 12)}  # its lesions are single pixels at 24 px


def walk(source: Path, where: Path, effort: Effort) -> Path:
    """The submission of the smallest network. Of the competition, nothing is said but where it lies."""
    machine = {"runs": str(where / "runs"), "cache": str(where / "cache"), "threads": 1, "device": "cpu"}
    config = {
        "competition": {"source": str(source)},
        "folds": {"count": effort.folds},
        "data": {"size_px": effort.size_px},
        "augment": {"symmetry": "none", "strength": "none"},
        "model": {"backbone": "small/resnet9-8"},
        "optim": {"epochs": effort.epochs, "batch": 16},
        "machine": {**machine, "fold": "0", "audit": False},  # which takes as long as all else, and has tests of its own
    }
    assert train.train(Config.model_validate(config)) == 0
    output = where / "submission.csv"
    assert predict.predict(PredictConfig.model_validate({"competition": str(source), "output": str(output), "machine": machine})) == 0
    return output


def as_text(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def require_better_than_the_sample(written: Path, source: Path, truth: pd.DataFrame, grader: Grader) -> None:
    contest = load(CompetitionConfig(source=str(source)))
    assert [problem for problem in check(written, contest) if problem.severity == "error"] == []
    submission, sample = as_text(written), contest.submission.rows
    assert list(submission.columns) == list(sample.columns)
    identifier = contest.submission.id_column
    assert submission[identifier].tolist() == sample[identifier].tolist()
    ours = grader.grade(truth, submission.drop(columns=[""], errors="ignore"))
    columns = list(grader.columns or truth.columns[1:])
    theirs = grader.score(truth[columns], sample.set_index(identifier).loc[truth[truth.columns[0]], columns])
    assert ours > theirs if grader.greater_is_better else ours < theirs, f"{ours} against the sample's {theirs}"


def test_every_tree_has_its_grader() -> None:
    assert set(OWN) == set(TREES)
    assert set(GRADERS) == set(METRIC_OF)


@pytest.mark.parametrize("name", OWN)
def test_a_layout_of_our_own(name: str, tmp_path: Path) -> None:
    source = write_tree(tmp_path, name)
    require_better_than_the_sample(walk(source, tmp_path, Effort(16, 12, folds=2)), source, as_text(tmp_path / ANSWERS), OWN[name])


@pytest.mark.skipif(not MAKER.is_file(), reason="the maker of synthetic trees (../shared/contests/make_tree.py) is not at hand")
@pytest.mark.parametrize("name", GRADERS)
def test_a_layout_of_kaggle(name: str, tmp_path: Path) -> None:
    effort = HARDER.get(name, Effort())
    command = [sys.executable, str(MAKER), name, str(tmp_path), "--train", "240", "--test", "60", "--size", str(effort.size_px)]
    subprocess.run(command, check=True, capture_output=True)
    source = (tmp_path / "public").rename(tmp_path / name)
    (answers,) = (tmp_path / "private").glob("*.csv")
    truth = as_text(answers)
    grader = GRADERS[name]
    if grader.columns:
        truth = truth[[truth.columns[0], *grader.columns]]
    require_better_than_the_sample(walk(source, tmp_path, effort), source, truth, grader)
