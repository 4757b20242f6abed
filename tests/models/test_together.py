"""Two real processes on the CPU train one fold."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from filelock import FileLock

from models.batches import Normalise
from models.checkpoint import load
from models.infer import predict
from models.job import FoldJob
from tests.models.several import ALIKE, NORMS, job_for, trained
from tests.models.test_fit import history, weights

ROOT = Path(__file__).parent.parent.parent
TRAIN = [str(ROOT / "train.py"), "--model.backbone", "small/resnet9-8", "--machine.no-audit", "--machine.save-seconds", "0"]
SECONDS = 240  # after which what hangs has failed
ALONE = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
ENVIRONMENT = ALONE | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def ended(started: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended by itself."""
    try:
        return started.communicate(timeout=SECONDS)[0]
    except subprocess.TimeoutExpired:
        for process in [*psutil.Process(started.pid).children(recursive=True), started]:
            process.kill()
        raise AssertionError(f"it hung, after: {started.communicate()[0]}") from None


def start(command: list[str], place: Path, **environment: str) -> subprocess.Popen[str]:
    whole = ENVIRONMENT | environment
    return subprocess.Popen(command, cwd=place, env=whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


BY_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
BY_MPI = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE")


def start_two(place: Path, names: tuple[str, ...], *flags: str) -> list[subprocess.Popen[str]]:
    """Two processes of train.py, with what a launcher tells each by these names, but each left to end by itself."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    told = [dict(zip(names, (rank, rank, "2", "2"), strict=True)) for rank in "01"]
    return [start([sys.executable, *TRAIN, *flags], place, MASTER_ADDR="localhost", MASTER_PORT=port, **each) for each in told]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that two processes of several.py have filled."""
    place = tmp_path_factory.mktemp("two")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    launched = start([*torchrun, "-m", "tests.models.several", str(place)], place)
    told = ended(launched)
    assert launched.returncode == 0, told
    assert told.count("fold 0  epoch 1/3") == len(ALIKE) + 3, "only the main process speaks"
    return place


def assert_alike(one: FoldJob, other: FoldJob) -> None:
    """Loss curves to 1e-4, weights to 1e-5."""
    curve, same = (pd.DataFrame(history(job)).drop(columns="seconds") for job in (one, other))
    pd.testing.assert_frame_equal(curve, same, rtol=0, atol=1e-4)
    for name, value in weights(one).items():
        torch.testing.assert_close(value, weights(other)[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", ALIKE)
def test_two_processes_learn_what_one_learns_with_the_same_batch(case: str, two: Path, tmp_path: Path) -> None:
    alone = job_for(tmp_path, **ALIKE[case])
    trained(alone)
    assert_alike(job_for(two / case, **ALIKE[case]), alone)


def test_statistics_of_norms_are_those_of_the_main_process_in_all(two: Path) -> None:
    job = job_for(two / "norms", **NORMS)
    network, checkpoint = load(job.directory)
    probs = predict([network], [checkpoint.head], job.pixels, job.held_rows, job.task, Normalise(job.spec, torch.device("cpu")))
    for rank in (0, 1):
        np.testing.assert_allclose(np.load(two / f"norms of {rank}.npy"), probs, rtol=1e-5, atol=1e-5)


def test_a_stop_asked_of_one_stops_all_and_any_number_goes_on(two: Path) -> None:
    for name in ("again", "alone"):
        assert [(two / f"{name} stopped {rank}").read_text(encoding="utf-8") for rank in (0, 1)] == ["7", "7"]
    whole, again, alone = (job_for(two / name, **ALIKE["plain"]) for name in ("plain", "again", "alone"))
    assert all(value.equal(weights(again)[name]) for name, value in weights(whole).items())
    trained(alone)
    assert_alike(whole, alone)


def test_the_clock_of_the_main_process_is_that_of_all(two: Path) -> None:
    assert 1 <= len(history(job_for(two / "clock"))) < 1000


@pytest.mark.skipif(sys.platform != "linux", reason="threads are listed in /proc")
def test_no_thread_of_torch_is_left_when_python_ends(two: Path) -> None:
    """One that is would abort the process now and then, whose exit code were lost."""
    for rank in (0, 1):
        left = (two / f"threads of {rank}").read_text(encoding="utf-8")
        assert "python" in left
        assert "gloo" not in left


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run lies whose second process was sent a SIGTERM."""
    place = tmp_path_factory.mktemp("stopped")
    both = start_two(place, BY_TORCHRUN, "--optim.epochs", "1000")
    until = time.monotonic() + SECONDS
    while not list(place.glob("runs/digits/*/fold0/resume/state.safetensors")) and time.monotonic() < until:
        time.sleep(0.1)
    both[1].send_signal(signal.SIGTERM)
    told = [ended(each) for each in both]
    assert [each.returncode for each in both] == [143, 143], told
    assert [text.count("stopped; the same command goes on from here") for text in told] == [1, 0]
    return place


def test_what_all_fail_by_is_told_once(tmp_path: Path) -> None:
    both = start_two(tmp_path, BY_TORCHRUN, "--competition", "nowhere")
    told = [ended(each) for each in both]
    assert [each.returncode for each in both] == [2, 2], told
    assert [text.count("error: ") for text in told] == [1, 0], told


@pytest.mark.slow
def test_a_fold_that_is_held_by_another_command_ends_all(stopped: Path) -> None:
    (fold,) = stopped.glob("runs/digits/*/fold0")
    with FileLock(fold / ".lock"):
        both = start_two(stopped, BY_MPI, "--optim.epochs", "1000")
        told = [ended(each) for each in both]
    assert [each.returncode for each in both] == [2, 2], told
    assert [text.count("another process is training this fold") for text in told] == [1, 0]


@pytest.mark.slow
def test_the_walk_by_accelerate_launch(tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]
    launched = start([*launch, *TRAIN, "--machine.device", "cpu", "--optim.epochs", "2", "--fold", "0,1"], tmp_path)
    told = ended(launched)
    assert launched.returncode == 0, told
    assert [told.count(f"fold {fold}  epoch 2/2") for fold in (0, 1)] == [1, 1]
    assert "2 processes together" in told
    assert pd.read_csv(tmp_path / "runs" / "ledger.csv")["folds_done"].tolist() == [2]
