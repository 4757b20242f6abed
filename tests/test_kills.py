"""kill -9 at any moment: the same command goes on, and ends as if nothing had happened."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

TRAIN = [sys.executable, str(Path(__file__).parent.parent / "train.py")]


def saved_states(place: Path) -> list[int]:
    """When the state of the fold under way was saved."""
    return [path.stat().st_mtime_ns for path in place.glob("runs/digits/*/fold0/resume/state.safetensors")]


@pytest.mark.slow
def test_ten_kills_end_in_the_same_numbers(tmp_path: Path) -> None:
    """kill -9 at random moments, from the first import to the last step; then the run is as if nothing had happened, bit for bit."""
    flags = ["--optim.epochs", "12", "--optim.ema", "0.98", "--augment.mixup", "0.2", "--model.drop", "0.1", "--machine.threads", "1"]
    flags += ["--machine.save-seconds", "0", "--model.backbone", "small/resnet9-8"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for place in (whole, killed):
        place.mkdir()
    began, first_state = time.monotonic(), 0.0
    uninterrupted = subprocess.Popen([*TRAIN, *flags], cwd=whole, stdout=subprocess.DEVNULL)
    while uninterrupted.poll() is None:
        first_state = first_state or (time.monotonic() - began if saved_states(whole) else 0.0)
        time.sleep(0.01)
    assert uninterrupted.returncode == 0
    training = time.monotonic() - began - first_state
    rng = np.random.default_rng(time.time_ns())
    for kill in range(10):
        running = subprocess.Popen([*TRAIN, *flags], cwd=killed, stdout=subprocess.PIPE, text=True)
        before, anywhere = saved_states(killed), time.monotonic() + rng.uniform(0.1, first_state * 1.1)
        while saved_states(killed) == before and running.poll() is None and (kill % 3 or time.monotonic() < anywhere):
            time.sleep(0.01)  # every third falls anywhere before the next saving, imports included
        if kill % 3:  # the others in the midst of the steps; a machine three times as fast by now has some left even so
            time.sleep(rng.uniform(0, training / 24))
        assert running.poll() is None, "the fold was over before it was killed: the test is too short"
        running.kill()
        running.communicate()
    last = subprocess.run([*TRAIN, *flags], cwd=killed, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    assert "goes on at epoch" in last.stdout
    (one,), (other,) = ([*place.glob("runs/digits/*/fold0")] for place in (whole, killed))
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert pd.read_parquet(one / "oof.parquet").equals(pd.read_parquet(other / "oof.parquet"))
    history, resumed = (pd.read_csv(fold / "history.csv").drop(columns="seconds") for fold in (one, other))
    pd.testing.assert_frame_equal(history, resumed)
