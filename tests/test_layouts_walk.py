"""The whole walk through fifteen layouts of real competitions, with a tiny network, in this process."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from competition.load import load
from competition.settings import competition_config, predict_config, train_config
from predict import predict
from submissions.check import check
from train import train

MAKER = Path(__file__).resolve().parents[2] / "shared" / "contests" / "make_tree.py"
NETWORK = ["--model.backbone", "small/resnet9-8", "--data.size-px", "16", "--optim.epochs", "1"]
MACHINE = ["--machine.parallel-folds", "1", "--machine.threads", "1"]
FOLDS = ["--folds.count", "2", "--folds.scheme", "plain"]  # these trees are too small to have each class twice
LAYOUTS = (
    "aerial-cactus-identification",
    "aptos2019-blindness-detection",
    "cassava-leaf-disease-classification",
    "dog-breed-identification",
    "dogs-vs-cats-redux-kernels-edition",
    "herbarium-2022-fgvc9",
    "imet-2020-fgvc7",
    "leaf-classification",
    "petfinder-pawpularity-score",
    "plant-pathology-2020-fgvc7",
    "plant-pathology-2021-fgvc8",
    "plant-seedlings-classification",
    "ranzcr-clip-catheter-line-classification",
    "siim-isic-melanoma-classification",
    "whale-categorization-playground",
)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Training listens to signals; the tests after it should not."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.skipif(not MAKER.is_file(), reason="the generator of the fifteen layouts is not beside this checkout")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_becomes_a_submission_that_passes_the_gate(layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, str(MAKER), layout, str(tmp_path / "tree"), "--train", "60", "--test", "20", "--seed", "0"]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    assert train(train_config(["--competition", "tree/public", *FOLDS, *NETWORK, *MACHINE])) == 0
    assert predict(predict_config(["--competition", "tree/public", "--output", "answer.csv"])) == 0
    contest = load(competition_config("tree/public"))
    assert not [problem for problem in check(Path("answer.csv"), contest) if problem.severity == "error"]
    written = pd.read_csv("answer.csv", dtype=str, keep_default_na=False)
    assert written[contest.submission.id_column].tolist() == contest.submission.rows[contest.submission.id_column].tolist()
    assert list(written.columns) == list(contest.submission.rows.columns)
