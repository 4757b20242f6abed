"""The scripts, killed at random moments: kill -9, and SIGTERM as a machine that is taken back sends it. Long; `make slow` runs it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from folds.side_by_side import why_ended

ROOT = Path(__file__).parent.parent.parent
GRACE_SECONDS = 30
FLAGS = ["--fold", "0,1", "--optim.epochs", "8", "--model.backbone", "small/resnet9-8", "--folds.count", "3"]
SAVES = ["--machine.save-seconds", "0"]
SIDE_BY_SIDE = [*FLAGS, *SAVES, "--machine.parallel-folds", "2", "--machine.threads", "1"]
STATE = "resume/state.safetensors"
TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def start(place: Path, command: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def whole(place: Path, command: list[str]) -> tuple[float, str]:
    """The seconds that the command takes, to its end, and what it says."""
    place.mkdir(parents=True, exist_ok=True)
    began, running = time.monotonic(), start(place, command)
    told = running.communicate()[0]
    assert running.returncode == 0, told
    return time.monotonic() - began, told


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The process and all that it has started."""
    try:
        first = psutil.Process(process.pid)
        return [*first.children(recursive=True), first]
    except psutil.NoSuchProcess:
        return []


def marks(place: Path, name: str) -> dict[Path, int]:
    """When the files of this name in the folds' directories were written."""
    return {path: path.stat().st_mtime_ns for path in place.glob(f"runs/digits/*/fold*/{name}")}


def killed(place: Path, command: list[str], seconds: float, after_a_state: bool) -> None:
    """All of its processes, by kill -9, so many seconds after its start, or after it saved a state."""
    before, running = marks(place, STATE), start(place, command)
    while after_a_state and marks(place, STATE).items() <= before.items() and running.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    assert running.poll() is None, "it was over before it was killed: the test is too short"
    for each in family(running):
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    running.communicate()


def train(*flags: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *flags]


def tables(place: Path) -> dict[str, pd.DataFrame]:
    return {str(path.relative_to(place)): pd.read_parquet(path) for path in sorted(place.glob("runs/digits/*/fold*/oof.parquet"))}


def nothing_is_half(place: Path) -> None:
    """Whatever is there under its own name is whole."""
    for path in place.glob("runs/**/*.parquet"):
        pd.read_parquet(path)
    for path in place.glob("cache/**/*.npy"):
        np.load(path, allow_pickle=False, mmap_mode="r")
    for path in place.glob("runs/digits/*/fold*/done.json"):
        assert (path.parent / "model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", ["side by side", "two processes together"])
def test_kills_of_training_end_in_the_same_numbers(how: str, tmp_path: Path) -> None:
    together = [*TOGETHER, str(ROOT / "train.py"), *FLAGS, *SAVES, "--machine.device", "cpu"]
    command = train(*SIDE_BY_SIDE) if how == "side by side" else together
    seconds, _ = whole(tmp_path / "whole", command)
    seed, moments = time.time_ns() % 10**9, list[str]()
    rng, place, finished = np.random.default_rng(seed), tmp_path / "killed", dict[Path, int]()
    place.mkdir()
    for kill in range(5):
        after_a_state = kill % 3 > 0  # the others anywhere on the way to one
        moment = rng.uniform(0.01, 0.05 if after_a_state else 0.2) * seconds
        moments.append(f"{moment:.1f} s{' after a state' if after_a_state else ''} (all: {seconds:.1f})")
        print(f"seed {seed}: killed after {moments}")
        killed(place, command, moment, after_a_state)
        nothing_is_half(place)
        assert finished.items() <= (finished := marks(place, "done.json")).items(), "what is finished stays as it is"
    _, told = whole(place, command)
    assert "goes on at" in told
    assert finished.items() <= marks(place, "done.json").items()
    expected, found = tables(tmp_path / "whole"), tables(place)
    assert len(expected) == 2
    assert expected.keys() == found.keys()
    for name, table in expected.items():
        if how == "side by side":
            pd.testing.assert_frame_equal(found[name], table)
        else:  # the order in which gradients are summed is not fixed
            pd.testing.assert_frame_equal(found[name], table, atol=1e-3)


def the_fold(running: subprocess.Popen[str], fold: int) -> psutil.Process | None:
    """The process that trains this fold: the one that holds its lock, None while there is none."""
    for each in family(running)[:-1]:
        with contextlib.suppress(psutil.Error):
            if any(Path(file.path).match(f"fold{fold}/.lock") for file in each.open_files()):
                return each
    return None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.timeout(1800)
def test_a_fold_that_the_kernel_kills_does_not_take_the_other_along(tmp_path: Path) -> None:
    """As it does where memory runs out: the other fold ends, it is said why, and the same command ends in the same numbers."""
    command = train(*SIDE_BY_SIDE)
    whole(tmp_path / "whole", command)
    place = tmp_path / "killed"
    place.mkdir()
    running = start(place, command)
    while not (victim := the_fold(running, 1)) or not any("fold1" in path.parts for path in marks(place, STATE)):
        assert running.poll() is None, "it was over before a fold was killed"
        time.sleep(0.01)
    victim.kill()
    told = running.communicate()[0]
    assert running.returncode == 1, told
    assert f"fold 1 ended with exit code {-signal.SIGKILL}: {why_ended(-signal.SIGKILL, place)}; the same command tries it again" in told
    assert "Traceback" not in told
    nothing_is_half(place)
    assert [path.parent.name for path in marks(place, "done.json")] == ["fold0"]
    _, told = whole(place, command)
    assert "goes on at" in told
    expected, found = tables(tmp_path / "whole"), tables(place)
    assert len(expected) == 2
    assert expected.keys() == found.keys()
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trained")
    whole(place, train(*FLAGS, "--optim.epochs", "2"))
    return place


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_predict_that_is_ended_leaves_nothing_half_written(number: signal.Signals, trained: Path) -> None:
    command = [sys.executable, str(ROOT / "predict.py"), "--output", "s.csv"]
    (trained / "s.csv").unlink(missing_ok=True)
    whole(trained, command)  # the first also makes what later ones find, such as OpenVINO's files
    expected = (trained / "s.csv").read_bytes()
    seconds, _ = whole(trained, command)
    seed = time.time_ns() % 10**9
    rng, met = np.random.default_rng(seed), 0
    for _ in range(30):
        if met == 5:
            break
        (trained / "s.csv").write_bytes(b"as it was")
        moment = rng.uniform(0.05, 0.95) * seconds
        print(f"seed {seed}: {number.name} after {moment:.1f} s of {seconds:.1f}")
        running = start(trained, command)
        time.sleep(moment)
        met += running.poll() is None
        running.send_signal(number)
        told = running.communicate(timeout=GRACE_SECONDS)[0]
        if number == signal.SIGTERM:
            assert running.returncode in (0, 143, -signal.SIGTERM), told  # the last: before there was anybody to listen
            assert "Traceback" not in told
            assert not list(trained.glob("**/.*.part"))
        assert (trained / "s.csv").read_bytes() in (b"as it was", expected)
        nothing_is_half(trained)
    assert met == 5, "so many were not over yet"
    whole(trained, command)
    assert (trained / "s.csv").read_bytes() == expected


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("at_once", ["1", "2"])
def test_a_machine_that_is_taken_back_finds_its_run_saved(at_once: str, tmp_path: Path) -> None:
    """SIGTERM at any moment, in the audit, while images are decoded, in steps, validations and the page. No state is saved but by it."""
    command = train(*FLAGS, "--machine.parallel-folds", at_once)
    seconds, _ = whole(tmp_path / "whole", command)
    seed, place, all_told = time.time_ns() % 10**9, tmp_path / "stopped", ""
    rng = np.random.default_rng(seed)
    place.mkdir()
    for share in np.linspace(0.05, 0.9, 6):
        moment = (share + rng.uniform(0, 0.1)) * seconds
        print(f"seed {seed}: SIGTERM after {moment:.1f} s of {seconds:.1f}")
        running = start(place, command)
        time.sleep(moment)
        running.send_signal(signal.SIGTERM)
        told = running.communicate(timeout=GRACE_SECONDS)[0]
        trains = "plan" in told and "mean ± std" not in told  # before, there is nothing to save; after, all is
        assert running.returncode in ((0, 143) if trains else (0, 143, -signal.SIGTERM)), told
        all_told += told
        assert "Traceback" not in told
        assert not list(place.glob("**/.*.part"))
        nothing_is_half(place)
    all_told += whole(place, command)[1]
    assert "goes on at" in all_told, "what the signal saved was gone on with"
    expected, found = tables(tmp_path / "whole"), tables(place)
    assert expected.keys() == found.keys()
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_commands_at_once_share_cache_and_ledger(tmp_path: Path) -> None:
    """Two runs side by side both end, and the ledger has both lines; a second command of the same run is told, or finds it finished."""
    commands = [train(*FLAGS, "--name", name, "--machine.parallel-folds", "1") for name in ("one", "other", "other")]
    running = [start(tmp_path, command) for command in commands]
    told = [each.communicate()[0] for each in running]
    codes = [each.returncode for each in running]
    assert codes[0] == 0, told[0]
    assert sorted(codes[1:]) in ([0, 0], [0, 2]), told[1:]
    assert all(code == 0 or "another process is training this fold" in text for code, text in zip(codes, told, strict=True))
    ledger = pd.read_csv(tmp_path / "runs" / "ledger.csv")
    assert sorted(name.split("-")[0] for name in ledger["run"]) == ["one", "other"]
    assert ledger["folds_done"].tolist() == [2, 2]
    assert ledger["pooled"].nunique() == 1, "a name changes no number"
