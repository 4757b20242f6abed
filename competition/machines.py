"""The machines at hand (this one, or those of a Ray cluster), what they do at once, and a script that is started on one of them."""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from competition.config import MachineConfig
from competition.errors import CompetitionError
from competition.forked import start_script
from competition.processes import cores, free_memory

MORE = 1.5  # times as many as the cores that they share, at most: each of them takes memory


@dataclass(frozen=True)
class Host:
    """A machine. memory: bytes that are free."""

    cores: int
    gpus: int = 0
    memory: float = math.inf


@dataclass(frozen=True)
class Lanes:
    """How many pieces of work are done at once, the threads of each, and the GPUs that they share; 0: they compute on cores.

    elastic: the last pieces share all cores where one after the other would leave some idle: five on two cores are two, then three.
    """

    at_once: int
    threads: int
    gpus: int = 0
    elastic: bool = False

    @property
    def gpu_share(self) -> float:
        """What a piece of work has of a GPU."""
        return 1 / math.ceil(self.at_once / self.gpus) if self.gpus else 0.0

    def now(self, left: int) -> int:
        """How many at once where so many are left, those under way among them."""
        return left if self._share(left) else self.at_once

    def part(self, pieces: int) -> float:
        """Which part of the time each of so many pieces has its threads for itself, at the least."""
        return self.at_once / pieces if self._share(self._last(pieces)) else 1 / math.ceil(pieces / self.at_once)

    def ends(self, pieces: int) -> list[float]:
        """Which part of the time has passed when each of so many pieces, begun in this order, has to be done."""
        last = self._last(pieces)
        if self._share(last):
            return [(piece // self.at_once + 1) * self.at_once / pieces for piece in range(pieces - last)] + [1.0] * last
        return [(piece // self.at_once + 1) / math.ceil((pieces - piece % self.at_once) / self.at_once) for piece in range(pieces)]

    def _last(self, pieces: int) -> int:
        """How many would share, at the end."""
        return self.at_once + pieces % self.at_once

    def _share(self, left: int) -> bool:
        """Whether so many share what is meant for fewer."""
        return self.elastic and self.at_once < left <= MORE * self.at_once


class Process(Protocol):
    """A script that was started, as subprocess.Popen has it."""

    def poll(self) -> int | None:
        """The exit code, below 0 where a signal ended it; None while it runs."""
        ...

    def terminate(self) -> None: ...


def hosts_of(machine: MachineConfig, gpus: int = 0) -> list[Host]:
    """This machine, which has so many GPUs; with the engine ray, those of the cluster."""
    if machine.engine == "ray":
        from competition.on_ray import hosts

        return hosts()
    return [Host(cores(), gpus, free_memory())]


def shared_out(
    hosts: Sequence[Host], pieces: int, machine: MachineConfig, at_once: int | Literal["auto"], a_gpu: int = 0, memory: float = 0.0
) -> Lanes:
    """The lanes for so many pieces of work; `auto` is as many as fit, with as many threads (of `machine`) as they then have.

    a_gpu: how many pieces fit on a GPU; 0: they need none. memory: bytes that a piece takes of its machine; 0: it is not known.

    Raises: CompetitionError where they need a GPU and there is none.
    """
    threads, elastic = machine.threads, at_once == "auto" and not a_gpu and machine.engine == "local"
    gpus = sum(host.gpus for host in hosts) if a_gpu else 0
    if a_gpu and not gpus:
        raise CompetitionError("none of the machines has a GPU: --machine.device cpu")

    def fit(each: int) -> int:
        return sum(min(host.cores // each, host.gpus * a_gpu) if a_gpu else host.cores // each for host in hosts)

    held = sum(host.memory // memory for host in hosts) if memory else math.inf
    if at_once == "auto":
        at_once = int(min(gpus * a_gpu if a_gpu else fit(1 if threads == "auto" else threads), held))
    at_once = max(1, min(at_once, pieces))
    a_gpu = max(a_gpu, math.ceil(at_once / gpus)) if gpus else 0
    if threads == "auto":
        threads = max((each for each in range(1, max(host.cores for host in hosts) + 1) if fit(each) >= at_once), default=1)
    return Lanes(at_once, threads, gpus, elastic and held >= MORE * at_once)


def visible_gpus(count: int) -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs that this process sees: by the variable itself where it is set."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (named.split(",") if named else [str(number) for number in range(count)])[:count]


def start(machine: MachineConfig, script: Path, words: Sequence[str], log: Path, environment: dict[str, str], lanes: Lanes) -> Process:
    """`python SCRIPT WORDS`, started by the machine's engine as one of the lanes; what it says is added to the log.

    It has this working directory and the environment of the process that looks after it, and more, and stops when that is gone.
    """
    if machine.engine == "ray":
        from competition.on_ray import start_on_ray

        return start_on_ray([sys.executable, str(script), *words], log, environment, lanes)
    return start_script(script, words, log, environment)


class Started(Protocol):
    """Whatever a script was started for."""

    @property
    def process(self) -> Process: ...


@contextmanager
def ending(running: Sequence[Started]) -> Iterator[None]:
    """What still runs when the block ends, as it does by an error, is told to end."""
    try:
        yield
    finally:
        for one in running:
            one.process.terminate()


class Tail:
    """Called: the whole lines that a file was given since the last call, or since this was made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = path.stat().st_size if path.exists() else 0

    def __call__(self) -> list[str]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.place)
            read = file.read()
        whole = read[: read.rfind(b"\n") + 1]
        self.place += len(whole)
        return whole.decode("utf-8", "replace").splitlines()
