"""Where a fold's history goes beside history.csv: TensorBoard's files; Weights & Biases and MLflow where they are installed.

Accelerate's trackers write it. What fails on the way (a server that is gone) is told once and left out; the training goes on.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from competition.atomic import write_text
from competition.config import MachineConfig
from competition.console import say
from models.errors import ModelError
from models.job import FoldJob

MLFLOW_RUN = "mlflow_run.txt"  # its id, for a fold that is resumed


@dataclass(frozen=True)
class Logger:
    """package: that it needs. opened(job, epoch): its tracker, which goes on after this epoch."""

    package: str
    opened: Callable[[FoldJob, int], Any]


def check_loggers(machine: MachineConfig) -> None:
    """Raises ModelError where one that is asked for is not installed."""
    for name in machine.loggers:
        package = LOGGERS[name].package
        if find_spec(package) is None:
            raise ModelError(f"--machine.loggers {name} needs a further package: pip install {package}")


def open_loggers(job: FoldJob, epoch: int) -> dict[str, Any]:
    """The trackers that are asked for, by name; epoch: the last that they have, of an interrupted fold."""
    opened: dict[str, Any] = {}
    for name in job.config.machine.loggers:
        try:
            opened[name] = LOGGERS[name].opened(job, epoch)
        except Exception as error:  # each raises its own kinds
            _left_out(job.name, name, error)
    return opened


def record(job: FoldJob, opened: dict[str, Any], row: Mapping[str, float | None]) -> None:
    """One row of the history: each of its values under its name, by epoch. What fails is taken out of `opened`."""
    values = {name: value for name, value in row.items() if name != "epoch" and value is not None}
    for name, tracker in list(opened.items()):
        try:
            tracker.log(values, step=int(row["epoch"] or 0))
        except Exception as error:  # each raises its own kinds
            _left_out(job.name, name, error)
            del opened[name]


def close(job: FoldJob, opened: Mapping[str, Any]) -> None:
    for name, tracker in opened.items():
        try:
            tracker.finish()
        except Exception as error:  # each raises its own kinds
            _left_out(job.name, name, error)


def show_pictures(directory: Path, pictures: Mapping[str, Callable[[], bytes]], machine: MachineConfig) -> None:
    """Writes pictures (by name, what gives a PNG) into directory/tensorboard, in place of others; if TensorBoard is asked for."""
    if "tensorboard" not in machine.loggers or not pictures:
        return
    from torch.utils.tensorboard import SummaryWriter  # takes a second

    _only_raised()
    shutil.rmtree(directory / "tensorboard", ignore_errors=True)
    try:
        with SummaryWriter(str(directory / "tensorboard")) as board:
            for name, png in pictures.items():
                image = cv2.imdecode(np.frombuffer(png(), np.uint8), cv2.IMREAD_COLOR_RGB)
                board.add_image(name, np.asarray(image), dataformats="HWC")
    except OSError as error:
        _left_out("pictures", "tensorboard", error)


def _left_out(whose: str, name: str, error: Exception) -> None:
    said = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    say(f"{whose}  {name} is left out from here on: {said}")


@cache
def _only_raised() -> None:
    """What stops the thread that writes TensorBoard's files is raised by the next call: its traceback is not printed as well."""
    others = threading.excepthook
    threading.excepthook = lambda failed: None if type(failed.thread).__module__.startswith("tensorboard.") else others(failed)


def _flat(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The settings as optim.lr, value."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _settings(job: FoldJob) -> dict[str, Any]:
    return {**dict(_flat(job.config.model_dump(mode="json", exclude={"machine"}))), "fold": job.name}


def _tensorboard(job: FoldJob, epoch: int) -> Any:
    from accelerate.tracking import TensorBoardTracker

    _only_raised()
    tracker = TensorBoardTracker("tensorboard", str(job.directory), purge_step=epoch + 1)  # later ones were not saved
    tracker.start()
    return tracker


def _wandb(job: FoldJob, epoch: int) -> Any:
    from accelerate.tracking import WandBTracker

    run, directory = job.directory.parent.name, job.directory.resolve()
    tracker = WandBTracker(
        directory.parent.parent.name, name=f"{run} {job.name}", id=f"{run}-{directory.name}", group=run, dir=str(directory), resume="allow"
    )
    tracker.start()
    tracker.store_init_configuration(_settings(job))
    return tracker


def _mlflow(job: FoldJob, epoch: int) -> Any:
    import mlflow  # type: ignore[import-not-found]
    from accelerate.tracking import MLflowTracker

    mlflow.end_run()  # a fold that was stopped in this process left its own open
    kept: Path = job.directory / MLFLOW_RUN
    before = kept.read_text(encoding="utf-8").strip() if kept.is_file() else None
    tracker = MLflowTracker(job.directory.resolve().parent.parent.name, run_name=f"{job.directory.parent.name} {job.name}", run_id=before)
    tracker.start()
    write_text(kept, f"{tracker.tracker.info.run_id}\n")
    if before is None:
        tracker.store_init_configuration(_settings(job))
    return tracker


LOGGERS: dict[str, Logger] = {
    "tensorboard": Logger("tensorboard", _tensorboard),
    "wandb": Logger("wandb", _wandb),
    "mlflow": Logger("mlflow", _mlflow),
}
