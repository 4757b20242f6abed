"""Folds and studies over a real Ray, by the real command lines: a cluster of two cores that is there, and one that a command starts."""

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.patience import PATIENCE_SECONDS, until

# looked for, not imported: it would stay in the process that runs all other tests
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed")

ROOT = Path(__file__).parent.parent
TRAIN = [sys.executable, str(ROOT / "train.py")]
FOLDS = ["--fold", "0,1", "--folds.count", "2", "--model.backbone", "small/resnet9-8", "--optim.epochs", "6", "--machine.threads", "1"]
FOLDS += ["--machine.save-seconds", "0", "--machine.device", "cpu", "--machine.no-audit"]
BY_RAY = ["--machine.engine", "ray"]
MARK = "RAY_TMPDIR"  # its value names the processes of a Ray, and all that they start

Environment = dict[str, str]


def processes(environment: Environment, *parts: str) -> list[psutil.Process]:
    """Those of this Ray whose command line has all the parts."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == environment[MARK] and process.status() != psutil.STATUS_ZOMBIE:
                command = " ".join(process.cmdline())
                found += [process] if all(part in command for part in parts) else []
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture(scope="module")
def own() -> Iterator[Environment]:
    """An environment in which each command starts a Ray of its own; in a short place, for the paths of sockets are."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as place:
        yield {**os.environ, MARK: place, "RAY_ADDRESS": "local", "HOME": place, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def cluster(own: Environment) -> Iterator[Environment]:
    """A Ray of two cores that commands of this environment find."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as place:
        environment = own | {MARK: place, "RAY_ADDRESS": f"127.0.0.1:{port}"}
        flags = ["--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
        command = [str(Path(sys.executable).parent / "ray"), "start", "--node-ip-address=127.0.0.1", *flags]
        head = subprocess.Popen(
            command, env={**environment, "RAY_ADDRESS": ""}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert head.stdout is not None
        try:
            assert any("Ray runtime started" in line for line in head.stdout)
            yield environment
        finally:
            head.terminate()
            head.communicate(timeout=PATIENCE_SECONDS)
            until(lambda: not processes(environment), "the end of the cluster")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run by this machine alone, never interrupted."""
    where = tmp_path_factory.mktemp("whole")
    done = subprocess.run([*TRAIN, *FOLDS], cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = where.glob("runs/digits/run-*")
    return run


def assert_same(where: Path, whole: Path) -> None:
    """Bit for bit, by name and content."""
    (run,) = where.glob("runs/digits/run-*")
    assert run.name == whole.name
    assert pd.read_parquet(run / "oof.parquet").equals(pd.read_parquet(whole / "oof.parquet"))
    for fold in ("fold0", "fold1"):
        assert (run / fold / "model.safetensors").read_bytes() == (whole / fold / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_folds_of_a_cluster_are_those_of_this_machine(cluster: Environment, whole: Path, tmp_path: Path) -> None:
    done = subprocess.run([*TRAIN, *FOLDS, *BY_RAY], cwd=tmp_path, env=cluster, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 folds at once" in done.stdout
    assert all(f"fold {fold}  epoch 6/6" in done.stdout for fold in (0, 1)), "their lines reach the display"
    assert_same(tmp_path, whole)
    assert not processes(cluster, str(ROOT / "train.py"))


FAKE = """
import os, signal, sys
from pathlib import Path
fold, recipe = (sys.argv[sys.argv.index(flag) + 1] for flag in ("--fold", "--recipe"))
tries = Path(recipe).parent / f"tries{fold}"
with tries.open("a") as file:
    file.write("x")
if fold == "1":
    sys.exit(3)
if fold == "2" or (fold == "3" and tries.stat().st_size == 1):
    os.kill(os.getpid(), signal.SIGKILL)
"""
DRIVER = """
from pathlib import Path
from competition.config import Config
from competition.machines import Lanes
from folds.run import Run
from folds.side_by_side import train_side_by_side
config = Config.model_validate({"optim": {"epochs": 1}, "machine": {"engine": "ray"}})
print(train_side_by_side(Path("fake.py").absolute(), Run(Path("run"), config), [0, 1, 2, 3], Lanes(2, 1), lambda: False))
"""


def test_what_was_killed_is_tried_again_and_what_failed_is_not(cluster: Environment, tmp_path: Path) -> None:
    """A small script in place of train.py: fold 1 fails, fold 2 is killed each time, fold 3 once."""
    (tmp_path / "fake.py").write_text(FAKE, encoding="utf-8")
    (tmp_path / "run").mkdir()
    done = subprocess.run([sys.executable, "-c", DRIVER], cwd=tmp_path, env=cluster, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "error: Ray gave it up: " in done.stdout
    assert {"{1: 3, 2: 1}", "{2: 1, 1: 3}"} & set(done.stdout.splitlines()), done.stdout
    assert [len((tmp_path / "run" / f"tries{fold}").read_text()) for fold in range(4)] == [1, 1, 4, 2]


@pytest.mark.slow
def test_stopped_and_with_workers_lost_a_run_ends_as_if_nothing_had_happened(cluster: Environment, whole: Path, tmp_path: Path) -> None:
    """SIGTERM; then, in the same command again, kill -9 of the worker of one fold, and of the training process of the other."""
    command, script = [*TRAIN, *FOLDS, *BY_RAY], str(ROOT / "train.py")
    place = tmp_path / "runs" / "digits" / whole.name

    def states() -> dict[int, int]:
        found = {fold: place / f"fold{fold}" / "resume" / "state.safetensors" for fold in (0, 1)}
        return {fold: path.stat().st_mtime_ns for fold, path in found.items() if path.is_file()}

    stopped = subprocess.Popen(command, cwd=tmp_path, env=cluster, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: len(states()) == 2, "both folds under way")
    stopped.terminate()
    told = stopped.communicate(timeout=PATIENCE_SECONDS)[0]
    assert (stopped.returncode, "the same command goes on from here" in told) == (143, True), told
    assert not processes(cluster, script), "a stop waits until all have saved their state"

    before = states()
    again = subprocess.Popen(command, cwd=tmp_path, env=cluster, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for fold in (0, 1):
        until(lambda fold=fold: states().get(fold, 0) > before.get(fold, 0), f"fold {fold} goes on")
        (training,) = processes(cluster, script, f" --fold {fold} ")
        (training if fold else psutil.Process(training.ppid())).kill()
    told = again.communicate(timeout=PATIENCE_SECONDS)[0]
    assert again.returncode == 0, told
    for fold in (0, 1):
        log = (place / f"fold{fold}" / "train.log").read_text(encoding="utf-8")
        assert log.count("goes on at epoch") == 2, log
    assert_same(tmp_path, whole)


STUDY = """
name = "sides"
trials = 2
[base.machine]
engine = "ray"
threads = 1
device = "cpu"
[base.optim]
epochs = 2
[base.model]
backbone = "small/resnet9-8"
[base.folds]
count = 2
[keys]
seed = [0, 1, 2]
"""


@pytest.mark.slow
def test_a_study_by_a_ray_of_its_own_goes_on_after_a_stop(own: Environment, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    command = [sys.executable, "-m", "models", "study", "study.toml"]
    place = tmp_path / "runs" / "digits" / "studies" / "sides"
    stopped = subprocess.Popen(command, cwd=tmp_path, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: any("epoch 1/" in log.read_text(encoding="utf-8") for log in place.glob("trial*.log")), "a trial under way")
    stopped.send_signal(signal.SIGINT)
    told = stopped.communicate(timeout=PATIENCE_SECONDS)[0]
    assert (stopped.returncode, "the same command goes on from here" in told) == (130, True), told
    until(lambda: not processes(own), "the end of the command's own Ray")

    done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"trial \d+  fold 0  epoch 2/2", done.stdout), "their lines reach the display"
    with (place / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["complete"] * 2
    assert all((tmp_path / row["run"] / "fold1" / "done.json").is_file() for row in rows)
    until(lambda: not processes(own), "the end of the command's own Ray")
