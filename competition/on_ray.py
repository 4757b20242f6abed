"""A command as a task of a Ray cluster, which tries it again where its worker is lost.

The machines of the cluster share the file system on which the runs, the data, the code and its virtual environment stand, at the same
paths.
"""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.console import say
from competition.errors import CompetitionError
from competition.machines import Host, Lanes
from competition.stop import STARTER, WAIT

ROOT = Path(__file__).parent.parent
RETRIES = 3
WAIT_SECONDS = 120  # a file system that is shared over the network holds the locks of a lost machine for up to 90 s


class Lost(RuntimeError):
    """The command was killed from outside (by the system, where memory was short); what it had saved is still there."""


@dataclass(frozen=True)
class Task:
    """A command on its way, as competition.machines.Process."""

    reference: Any

    def poll(self) -> int | None:
        ray = connected()
        if not ray.wait([self.reference], timeout=0)[0]:
            return None
        try:
            return ray.get(self.reference)
        except ray.exceptions.TaskCancelledError:  # before it began
            return -signal.SIGTERM
        except ray.exceptions.RayError as error:
            say(f"error: Ray gave it up: {str(error).strip().splitlines()[-1]}")
            return 1

    def terminate(self) -> None:
        connected().cancel(self.reference)


def connected() -> Any:
    """The module ray, connected by its own rule: to the cluster of RAY_ADDRESS, else one of this machine, else one that is started
    here and ends with this process.

    Raises: CompetitionError where ray is not installed, or the cluster does not answer.
    """
    try:
        import ray
    except ImportError:
        raise CompetitionError("--machine.engine ray needs a further package: pip install 'podium[ray]'") from None
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report its use to its makers
        before = signal.getsignal(signal.SIGTERM)
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            ray.init(
                include_dashboard=False,
                log_to_driver=False,  # a command's lines are in its log
                logging_level=logging.ERROR,
                runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}},
            )
        except ConnectionError as error:
            raise CompetitionError(f"RAY_ADDRESS={os.environ.get('RAY_ADDRESS', '')}: the Ray cluster does not answer: {error}") from None
        finally:
            signal.signal(signal.SIGTERM, before)  # Ray puts one of its own there, which ends the process without saving
    return ray


def hosts() -> list[Host]:
    """The machines of the cluster."""
    resources = [node["Resources"] for node in connected().nodes() if node["Alive"]]
    return [Host(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in resources]


def start_on_ray(command: Sequence[str], log: Path, environment: dict[str, str], lanes: Lanes) -> Task:
    """The command as a task that has a lane's threads and share of a GPU to itself; CUDA_VISIBLE_DEVICES is set by Ray."""
    most = max(host.cores for host in hosts())  # a task that asks for more than any machine has would wait for ever
    task = (
        connected()
        .remote(_run)
        .options(
            num_cpus=max(1, min(lanes.threads, most)),
            num_gpus=lanes.gpu_share,
            max_retries=RETRIES,
            retry_exceptions=[Lost],
        )
    )
    return Task(task.remote(list(command), log.absolute(), environment, Path.cwd()))


def _run(command: list[str], log: Path, environment: dict[str, str], place: Path) -> int:
    """In a worker: the command's exit code. A cancelled task has it save its state first.

    Raises: Lost.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    told = {STARTER: str(os.getpid()), WAIT: str(WAIT_SECONDS)}
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | told | environment,
            start_new_session=True,
        )
    try:
        while process.poll() is None:
            time.sleep(0.1)  # a wait in the system would not be interrupted
    except KeyboardInterrupt:  # ray.cancel
        process.terminate()
    if (code := process.wait()) == -signal.SIGKILL:
        raise Lost(f"{log}: what it tells of was killed")
    return code
