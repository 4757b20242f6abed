"""The same command gives the same numbers: bit for bit on one machine, however its folds were started."""

import sys
from pathlib import Path
from subprocess import run

import pandas as pd
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
FLAGS = ["--fold", "0,1", "--folds.count", "3", "--model.backbone", "small/resnet9-8", "--optim.epochs", "2"]
FLAGS += ["--optim.ema", "0.9", "--augment.mixup", "0.2", "--model.drop", "0.1", "--machine.no-audit", "--machine.device", "cpu"]
ONE, TWO = ["--machine.threads", "1"], ["--machine.threads", "2"]
WAYS = {
    "side by side": ["--machine.parallel-folds", "2", *ONE],
    "again": ["--machine.parallel-folds", "2", *ONE],
    "one after another": ["--machine.parallel-folds", "1", *ONE],
    "prepared by a worker": ["--machine.parallel-folds", "1", "--machine.workers", "1", *ONE],
    "two threads": ["--machine.parallel-folds", "2", *TWO],
    "two threads, one after another": ["--machine.parallel-folds", "1", *TWO],
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run of each way."""
    found = {}
    for way, flags in WAYS.items():
        place = tmp_path_factory.mktemp(way.replace(" ", "_"))
        command = [sys.executable, str(ROOT / "train.py"), *FLAGS, *flags]
        run(command, cwd=place, check=True, capture_output=True)
        (found[way],) = place.glob("runs/digits/*")
    return found


@pytest.mark.parametrize("way", WAYS)
def test_the_same_weights_predictions_and_losses(way: str, trained: dict[str, Path]) -> None:
    first, other = trained["two threads" if way.startswith("two threads") else "side by side"], trained[way]
    for fold in ("fold0", "fold1"):
        assert (other / fold / "model.safetensors").read_bytes() == (first / fold / "model.safetensors").read_bytes()
        assert pd.read_parquet(other / fold / "oof.parquet").equals(pd.read_parquet(first / fold / "oof.parquet"))
        history, its = (pd.read_csv(one / fold / "history.csv").drop(columns="seconds") for one in (first, other))
        pd.testing.assert_frame_equal(history, its)
