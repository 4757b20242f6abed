"""Training, killing, resuming and predicting at random for an hour, while everything that must hold is checked.

    python -m tests.soak [--minutes 60] [--place DIR] [--seed N]

A line an action; at the end how often each was done, and the memory. It ends at the first thing that does not hold, with the place kept.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pandas as pd
import psutil
import tyro

ROOT = Path(__file__).parent.parent
MARK = "SOAK_PLACE"  # its value names the processes of this soak, and all that they start
TRAIN = ("train.py", "--fold", "0,1", "--folds.count", "2", "--model.backbone", "small/resnet9-8", "--optim.epochs", "6")
TRAIN += ("--machine.threads", "1", "--machine.save-seconds", "0", "--machine.no-audit", "--optim.ema", "0.98")
PREDICT = ("predict.py", "--output", "submission.csv")
GRACE_SECONDS = 30.0
BUSY = "another process is training this fold"
MEMORY = 1.1  # times what it was, at most


@dataclass
class Soak:
    """What is known so far. whole: a place in which the run was never disturbed; peaks: MiB at most of each undisturbed training since."""

    place: Path
    chance: random.Random
    whole: Path = Path()
    seconds: dict[str, float] = field(default_factory=dict)
    peaks: list[float] = field(default_factory=list)
    number: int = 0

    def new_place(self) -> Path:
        self.number += 1
        place = self.place / f"try{self.number}"
        place.mkdir()
        return place

    def moment(self, script: str, passed: float = 0.0) -> float:
        """Seconds from now, anywhere in what is left of the script after the seconds that have passed."""
        return self.chance.uniform(0.1, max(0.5, self.seconds[script] * 1.05 - passed))


def started(words: tuple[str, ...], place: Path) -> subprocess.Popen[str]:
    environment = os.environ | {MARK: str(place.parent)}
    command = [sys.executable, str(ROOT / words[0]), *words[1:]]
    return subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ours(place: Path) -> list[psutil.Process]:
    """What was started for this soak and still runs."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(place) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def ended(soak: Soak, words: tuple[str, ...], place: Path) -> tuple[str, float]:
    """What it says, run to its end undisturbed, and its memory at most in MiB; the time of the first is noted."""
    began, peak = time.monotonic(), 0.0
    process = started(words, place)
    while process.poll() is None:
        peak = max(peak, sum(_mib(one) for one in ours(soak.place)))
        time.sleep(0.2)
    told = process.communicate()[0]
    assert process.returncode == 0, f"{' '.join(words)} ended with {process.returncode}:\n{told}"
    soak.seconds.setdefault(words[0], time.monotonic() - began)
    return told, peak


def _mib(process: psutil.Process) -> float:
    try:
        return process.memory_full_info().pss / 2**20  # what is shared is shared out
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return 0.0


def begun(soak: Soak, place: Path, words: tuple[str, ...] = TRAIN) -> subprocess.Popen[str]:
    """A command at a random moment of its work; half of the trainings after their first saved state, however long the way to it was."""
    process, began = started(words, place), time.monotonic()
    if words is TRAIN and soak.chance.random() < 0.5:
        while process.poll() is None and not [*place.rglob("resume")]:
            time.sleep(0.05)
    time.sleep(soak.moment(words[0], time.monotonic() - began))
    return process


def left_alone(soak: Soak) -> None:
    """Waits until nothing runs any more."""
    end = time.monotonic() + GRACE_SECONDS
    while running := ours(soak.place):
        assert time.monotonic() < end, f"still running: {running}"
        time.sleep(0.1)


def kill_all(soak: Soak) -> None:
    for process in ours(soak.place):
        process.kill()
    left_alone(soak)


def killed(soak: Soak, place: Path, words: tuple[str, ...] = TRAIN) -> None:
    """kill -9 of all processes, up to three times."""
    for _ in range(soak.chance.randint(1, 3)):
        process = begun(soak, place, words)
        kill_all(soak)
        process.communicate()
        readable(place)


def main_killed(soak: Soak, place: Path) -> None:
    """kill -9 of the process that was started: those that train the folds save their state and end."""
    process = begun(soak, place)
    process.kill()
    process.communicate()
    left_alone(soak)


def stopped(soak: Soak, place: Path) -> None:
    """SIGTERM, as a machine that is taken away sends it."""
    process = begun(soak, place)
    process.terminate()
    told = process.communicate(timeout=GRACE_SECONDS)[0]
    assert process.returncode in (0, 143, -signal.SIGTERM), told  # the last before there is anything to save
    assert "Traceback" not in told, told
    left_alone(soak)


def twice(soak: Soak, place: Path) -> None:
    """The same command while it already runs."""
    first = started(TRAIN, place)
    time.sleep(soak.chance.uniform(0, soak.seconds["train.py"]))
    second = started(TRAIN, place)
    for process in (first, second):
        told = process.communicate()[0]
        logs = "".join(path.read_text(encoding="utf-8", errors="replace") for path in place.rglob("train.log"))
        assert process.returncode == 0 or BUSY in told + logs, told
    left_alone(soak)


def predicted(soak: Soak, place: Path) -> None:
    """kill -9 while it predicts."""
    shutil.copytree(soak.whole / "runs", place / "runs")
    for path in [*place.rglob("test.parquet"), *place.rglob("test.json"), *place.rglob("openvino*")]:
        path.unlink()
    killed(soak, place, PREDICT)


def cache_lost(soak: Soak, place: Path) -> None:
    """What is kept between runs is cut short, or gone, when training goes on."""
    killed(soak, place)
    for path in [path for path in (place / "cache").rglob("*") if path.is_file()]:
        if soak.chance.random() < 0.5:
            path.unlink()


ACTIONS: dict[str, Callable[[Soak, Path], None]] = {
    "killed": killed,
    "main process killed": main_killed,
    "stopped": stopped,
    "twice at once": twice,
    "killed while predicting": predicted,
    "cache lost": cache_lost,
}


def readable(place: Path) -> None:
    """Whatever bears its final name is whole, and a finished fold is what it says."""
    for path in place.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    for path in place.rglob("*.parquet"):
        pd.read_parquet(path)
    for path in place.rglob("ledger.csv"):
        assert not pd.read_csv(path).duplicated(["competition", "run"]).any(), path
    for path in place.rglob("done.json"):
        assert {"model.safetensors", "model.json", "oof.parquet", "history.csv"} <= {one.name for one in path.parent.iterdir()}, path


def same(place: Path, whole: Path) -> None:
    """As if nothing had happened: weights and predictions bit for bit, and nothing half-written is left."""
    (run,), (undisturbed,) = ([path.parent for path in where.glob("runs/digits/*/config.toml")] for where in (place, whole))
    for name in ("fold0/model.safetensors", "fold1/model.safetensors", "folds.csv"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), run / name
    for name in ("oof.parquet", "test.parquet"):
        assert pd.read_parquet(run / name).equals(pd.read_parquet(undisturbed / name)), run / name
    assert (place / "submission.csv").read_bytes() == (whole / "submission.csv").read_bytes(), place / "submission.csv"
    assert len(pd.read_csv(place / "runs" / "ledger.csv")) == 1
    assert not [*run.rglob("*.part")], "half-written files are left"
    assert not [*run.rglob("resume")], "states of finished folds are left"


def main(minutes: float = 60.0, place: Path | None = None, seed: int | None = None) -> None:
    """Goes on for so many minutes. seed: of the moments; none: of the clock, and said."""
    seed = time.time_ns() % 2**32 if seed is None else seed
    where = Path(tempfile.mkdtemp(prefix="soak")) if place is None else place.absolute()
    where.mkdir(parents=True, exist_ok=True)
    soak, end = Soak(where, random.Random(seed)), time.monotonic() + minutes * 60  # noqa: S311 (no secret)
    done, folds = Counter[str](), Counter[str]()
    print(f"seed {seed}, in {where}", flush=True)
    soak.whole = soak.new_place()
    ended(soak, TRAIN, soak.whole)
    ended(soak, PREDICT, soak.whole)
    print(f"undisturbed: train.py {soak.seconds['train.py']:.0f} s, predict.py {soak.seconds['predict.py']:.0f} s", flush=True)
    while time.monotonic() < end:
        name = soak.chance.choice(list(ACTIONS))
        tried, began = soak.new_place(), time.monotonic()
        ACTIONS[name](soak, tried)
        readable(tried)
        finished = len([*tried.glob("runs/digits/*/fold*/done.json")])
        told, _ = ended(soak, TRAIN, tried)
        ended(soak, PREDICT, tried)
        readable(tried)
        same(tried, soak.whole)
        shutil.rmtree(tried)
        if done.total() % 5 == 0:  # undisturbed and from the start, for its memory
            again = soak.new_place()
            soak.peaks.append(ended(soak, TRAIN, again)[1])
            shutil.rmtree(again)
        done[name] += 1
        went_on = told.count("goes on at")
        folds.update({"were finished": finished, "went on from a saved state": went_on, "began anew": 2 - finished - went_on})
        print(f"{name}: {time.monotonic() - began:.0f} s, folds finished: {finished}, gone on with: {went_on}", flush=True)
    third = max(1, len(soak.peaks) // 3)
    first, last = median(soak.peaks[:third]), median(soak.peaks[-third:])
    print("\n".join(f"{count:4d} {name}" for name, count in done.most_common()))
    print("of their folds " + ", ".join(f"{count} {words}" for words, count in folds.most_common()))
    print(f"{done.total()} disturbed runs ended as the undisturbed one; memory at most {first:.0f} MiB at first, {last:.0f} in the end")
    assert last <= first * MEMORY, "memory has grown"
    shutil.rmtree(where)


if __name__ == "__main__":
    tyro.cli(main)
