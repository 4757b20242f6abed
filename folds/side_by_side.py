"""Several folds at once, a process each: one log a fold, one display, and a fold that fails does not take the others along."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from competition.config import Config
from competition.console import progress, say
from competition.processes import LAUNCHED, cores
from folds.budget import share_of
from folds.run import Run
from folds.stop import PARENT

LOG = "train.log"


def at_once_of(config: Config, folds: int, device: str) -> tuple[int, int]:
    """How many folds to train at once, and the threads of each. auto: on a CPU as many as there are cores, for a fold on one
    thread does more than half of what it does on two; elsewhere one, as for a probe, whose folds share their looks at the images.
    Processes that train together have one fold at a time."""
    machine = config.machine
    at_once = machine.parallel_folds
    if at_once == "auto":
        at_once = cores() if device == "cpu" and config.optim.method == "train" else 1
    at_once = 1 if LAUNCHED else max(1, min(at_once, folds))
    return at_once, max(1, cores() // at_once) if machine.threads == "auto" else machine.threads


@dataclass
class Child:
    fold: int
    process: subprocess.Popen[str]
    relay: Thread


def train_side_by_side(
    script: Path, run: Run, folds: Sequence[int], at_once: int, threads: int, stop: Callable[[], bool], end: float = math.inf
) -> dict[int, int]:
    """exit_code_of[fold], for the folds that did not end well. Each fold is `script` run on the run's own config.

    While it waits it relays the lines of every fold; stop() ends the children by SIGTERM, on which each saves its state. Each fold has its
    share of the time until `end`; those of one lane have more where they are fewer.
    """
    waiting, running, failed = list(folds), list[Child](), dict[int, int]()
    with progress(f"{len(folds)} folds", len(folds) * int(run.config.optim.epochs), "epochs") as advance:
        while waiting or running:
            if stop():
                for child in running:
                    child.process.terminate()
                waiting = []
            while waiting and len(running) < at_once:
                seconds = share_of(end, len(waiting), at_once)
                running.append(_start(script, run, waiting.pop(0), threads, seconds, advance))
            for child in [child for child in running if child.process.poll() is not None]:
                child.relay.join()
                running.remove(child)
                if child.process.returncode:
                    failed[child.fold] = child.process.returncode
            time.sleep(0.1)
    return failed


def _start(script: Path, run: Run, fold: int, threads: int, seconds: float, advance: Callable[[int], None]) -> Child:
    machine = run.config.machine
    flags = {
        "fold": fold,
        "machine.parallel-folds": 1,
        "machine.threads": threads,
        "machine.device": machine.device,
        "machine.amp": machine.amp,
    }
    flags |= {
        "machine.workers": machine.workers,
        "machine.save-seconds": machine.save_seconds,
        "machine.runs": machine.runs,
        "machine.cache": machine.cache,
    }
    flags |= {"machine.fold-seconds": max(1.0, seconds)} if seconds < math.inf else {}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, str(script), "--recipe", str(run.directory / "config.toml"), "--name", run.config.name, *words]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {PARENT: str(os.getpid())},
        start_new_session=True,  # Ctrl-C reaches the children through stop() alone
    )
    log = run.fold_directory(fold) / LOG
    relay = Thread(target=_relay, args=(process.stdout, log, advance), daemon=True)
    relay.start()
    return Child(fold, process, relay)


def _relay(lines: IO[str], log: Path, advance: Callable[[int], None]) -> None:
    """Every line to the log; those of the fold itself also to the display, which moves on with each epoch."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        for line in lines:
            file.write(line)
            file.flush()
            if line.startswith(("fold ", "error: ")):
                say(line.rstrip("\n"))
            if "  epoch " in line:
                advance(1)
