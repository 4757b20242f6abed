"""Several folds at once, a process each: one log a fold, one display, and a fold that fails does not take the others along."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from competition.config import Config
from competition.console import progress, say
from competition.forked import import_ahead
from competition.machines import Host, Lanes, Process, Tail, ending, shared_out, start, visible_gpus
from competition.processes import LAUNCHED
from competition.shortage import disk_of, is_full
from competition.stop import PART
from folds.run import Run

KILLED = 9  # SIGKILL

LOG = "train.log"
SMALL_PX = 64
SMALL_AT_ONCE = 3  # a small network leaves most of a GPU idle and takes a fraction of its memory
PROCESS_BYTES = 2**29  # of a fold's process, without its batch
STEP_BYTES_A_PIXEL = 2_500  # of its batch; measured on a CPU: 900 (resnet18), 1,200 (labs/mri-cnn), 2,250 (tf_efficientnet_lite0)
SMALL_CORES = 2  # that a fold needs for it: one that trains, one that prepares


def lanes_of(config: Config, folds: int, device: str, hosts: Sequence[Host]) -> Lanes:
    """How folds are trained at once on these machines, where nothing else was asked: one a GPU, of a small network several on the only one.

    On a CPU as many as there are cores, for a fold on one thread does more than half of what it does on two, and as the free memory
    holds; the last ones share the cores that would be idle otherwise. One elsewhere, as for a probe, whose folds share their looks at the
    images, and for processes that train a fold together.
    """
    machine = config.machine
    on_gpu = device == "cuda"
    small = config.model.backbone.startswith("small/") and config.data.size_px != "auto" and config.data.size_px <= SMALL_PX
    a_gpu = 1
    if on_gpu and small and sum(host.gpus for host in hosts) == 1:
        a_gpu = max(1, min(SMALL_AT_ONCE, max(host.cores for host in hosts if host.gpus) // SMALL_CORES))
    alone = config.optim.method != "train" or device not in ("cpu", "cuda")
    at_once = 1 if LAUNCHED or (alone and machine.parallel_folds == "auto") else machine.parallel_folds
    return shared_out(hosts, folds, machine, at_once, a_gpu if on_gpu else 0, 0.0 if on_gpu else _memory_of(config))


def _memory_of(config: Config) -> float:
    """Bytes that a fold takes at the most; 0 where the config is not settled yet."""
    side, batch = config.data.size_px, config.optim.batch
    return 0.0 if side == "auto" or batch == "auto" else PROCESS_BYTES + STEP_BYTES_A_PIXEL * batch * side**2


def apart(config: Config, lanes: Lanes) -> bool:
    """Whether each fold has a process of its own; a probe's folds only where several at once were asked for."""
    return lanes.at_once > 1 or (config.machine.engine == "ray" and config.optim.method == "train" and not LAUNCHED)


def get_ready(config: Config, folds: int) -> None:
    """Where so many folds will likely have processes of their own here, has what they import imported, beside what goes on."""
    here = config.machine.engine == "local" and config.machine.parallel_folds != 1
    if folds > 1 and here and config.optim.method == "train" and not LAUNCHED:
        import_ahead()


@dataclass(frozen=True)
class Child:
    """A fold that is being trained, and the GPU that it was given, where there are several."""

    fold: int
    process: Process
    said: Tail
    gpu: str


def train_side_by_side(
    script: Path, run: Run, folds: Sequence[int], lanes: Lanes, stop: Callable[[], bool], end: float = math.inf
) -> dict[int, int]:
    """exit_code_of[fold], for the folds that did not end well. Each fold is `script` run on the run's own config.

    While it waits it relays the lines of every fold; stop() ends the children by SIGTERM, on which each saves its state. Each fold has its
    share of the time until `end`.
    """
    waiting, running, failed, stopped = list(folds), list[Child](), dict[int, int](), False
    began, parts = time.monotonic(), lanes.ends(len(folds))
    gpus = visible_gpus(lanes.gpus) if lanes.gpus > 1 and run.config.machine.engine == "local" else [""]
    with progress(f"{len(folds)} folds", len(folds) * int(run.config.optim.epochs), "epochs") as advance, ending(running):
        while waiting or running:
            if stop() and not stopped:
                stopped, waiting = True, []
                for child in running:
                    child.process.terminate()
            while waiting and len(running) < lanes.now(len(waiting) + len(running)):
                seconds = began + (end - began) * parts[-len(waiting)] - time.monotonic()
                gpu = min(gpus, key=[child.gpu for child in running].count)
                running.append(_started(script, run, waiting.pop(0), lanes, seconds, gpu))
            for child in list(running):
                code = child.process.poll()
                for line in child.said():
                    _show(line, advance)
                if code is not None:
                    running.remove(child)
                if code:
                    failed[child.fold] = code
            time.sleep(0.1)
    return failed


def _started(script: Path, run: Run, fold: int, lanes: Lanes, seconds: float, gpu: str) -> Child:
    machine = run.config.machine
    told = ("device", "amp", "workers", "save-seconds", "runs", "cache", "cache-gib")
    flags = {"fold": fold, "machine.parallel-folds": 1, "machine.threads": lanes.threads}
    flags |= {f"machine.{name}": getattr(machine, name.replace("-", "_")) for name in told}
    flags |= {"machine.fold-seconds": max(1.0, seconds)} if seconds < math.inf else {}
    switches = [*(["--machine.compile"] if machine.compile else []), "--machine.loggers", *machine.loggers]
    flags = {"recipe": run.directory / "config.toml", "name": run.config.name} | flags
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))] + switches
    log = run.fold_directory(fold) / LOG
    said = Tail(log)
    environment = {PART: "1"} | ({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {})
    return Child(fold, start(machine, script, words, log, environment, lanes), said, gpu)


def why_ended(code: int, log: Path) -> str:
    """Why a fold's process ended so: its log tells, but for what kept it from saying anything."""
    if code in (-KILLED, 128 + KILLED):  # by number: Windows has no such name
        return (
            "it was killed, as systems do where memory runs out; fewer at once (--machine.parallel-folds) or --machine.workers 0 take less"
        )
    return f"{disk_of(log)} is full; make room there" if is_full(log) else f"{log} tells why"


def _show(line: str, advance: Callable[[int], None]) -> None:
    """Lines of the fold itself go to the display, which moves on with each epoch."""
    if line.startswith(("fold ", "error: ")):
        say(line)
    if "  epoch " in line:
        advance(1)
