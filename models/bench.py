"""How fast this machine does each part of the work, beside the rate of the network's own step: what the loop adds could be won."""

import csv
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from competition.cache import pixels
from competition.config import Config
from competition.console import hushed
from competition.contest import Competition
from competition.symmetry import used_symmetry
from models.batches import seed_of
from models.device import TORCH_TYPE, accelerator_for, compiled, threads_of
from models.engines import ready
from models.errors import ModelError
from models.fit import HISTORY, fit
from models.infer import predict
from models.job import FoldJob, job_of_all
from models.optim import optimizer_for
from models.parts import Parts, parts_of
from models.plan import prepare
from models.tta import VIEW_SETS, VIEWS_OF_SYMMETRY

ROUNDS = 3  # of the bare step and the loop in turn: what a neighbour does to one, he does to the other
DECODED = 512  # images, at most
LOOKED_AT = 64  # images that all folds and views look at
FOLDS = 5


@dataclass(frozen=True)
class Rate:
    """What was measured, its images a second, and how many times the network's own step that is."""

    name: str
    each_second: float
    of_step: float
    told: str


def bench(config: Config, contest: Competition, seconds: float) -> tuple[Config, list[Rate]]:
    """The settled config and the rates, each measured for so many seconds.

    Raises: ModelError for a probe, which has no loop.
    """
    config, spec, seen, _ = prepare(config, contest)
    if config.optim.method != "train":
        raise ModelError("a probe has no training loop to measure")
    config = config.model_copy(update={"optim": config.optim.model_copy(update={"budget": ""})})
    accelerator = accelerator_for(config.machine)
    with TemporaryDirectory(prefix="bench") as place:
        job = job_of_all(config, contest, spec, seen, Path(place))
        parts = parts_of(job, accelerator.device, seed_of(config.seed))
        steps, loops = in_turn(job, parts, accelerator, seconds)
        own = statistics.median(steps)
        share = statistics.median(loop / step for loop, step in zip(loops, steps, strict=True))
        decoded, views = contest.train.head(DECODED), _views_of(config)
        began = time.perf_counter()
        pixels(contest.images, decoded, spec.size_px, spec.channels, spec.interpolation, Path(place), fit=spec.fit)
        decoding = len(decoded) / (time.perf_counter() - began)
        augmenting = _rate(seconds / 2, _augmenting(parts))
        predicting = _rate(seconds, _predicting(job, parts, accelerator, views))
    on = f"{threads_of(config.machine)} threads" if accelerator.device.type == "cpu" else accelerator.device.type
    return config, [
        Rate("decode and resize", decoding, decoding / own, f"{len(decoded)} images, all cores; once for all runs"),
        Rate("augment", augmenting, augmenting / own, f"{config.augment.strength}, whole batches, one core"),
        Rate("network's step", own, 1.0, f"forward, loss, backward, optimizer; batch {parts.batches.batch}, {on}"),
        Rate(
            "training loop", statistics.median(loops), share, f"all that train.py does for a batch; {ROUNDS} rounds in turn with the step"
        ),
        Rate("predict", predicting, predicting / own, f"a look; an image has {FOLDS} folds x {len(views)} views of them"),
    ]


def _views_of(config: Config) -> tuple[str, ...]:
    """Those that predict.py takes of its own accord."""
    return VIEW_SETS[VIEWS_OF_SYMMETRY[used_symmetry(config.augment.symmetry, config.augment.strength)]]


def peak_gib() -> float:
    """The most memory that this process had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def _rate(seconds: float, work: Callable[[], int]) -> float:
    """Images a second of work(), which tells how many it did, over so many seconds and at least once."""
    done, began = 0, time.perf_counter()
    while not done or time.perf_counter() - began < seconds:
        done += work()
    return done / (time.perf_counter() - began)


def in_turn(job: FoldJob, parts: Parts, accelerator: Accelerator, seconds: float, rounds: int = ROUNDS) -> tuple[list[float], list[float]]:
    """Images a second of the network's step alone and of the loop, round by round. job: with a directory for the loop's files."""
    step = _bare_step(job, parts, accelerator)
    _rate(1.0, step)  # the first steps allocate
    steps, loops = [], []
    for _ in range(rounds):
        steps.append(_rate(seconds, step))
        loops.append(_loop(job, accelerator, steps[0] * seconds))
    return steps, loops


def _bare_step(job: FoldJob, parts: Parts, accelerator: Accelerator) -> Callable[[], int]:
    """Forward, loss, backward and optimizer on one batch that lies ready; called, it tells how many images that were."""
    optimizer: Any = optimizer_for(parts.network, job.config.optim)
    parts.freezing.train(1)
    network, optimizer = accelerator.prepare(parts.network, optimizer)
    network = compiled(network, accelerator.device) if job.config.machine.compile else network
    images, rows = parts.batches[0, 0, False]
    x, y, columns = parts.normalise(images), parts.truth_of(rows), parts.columns_of(rows)

    def step() -> int:
        accelerator.backward(parts.cost(network(x, *columns), y))
        optimizer.step()
        optimizer.zero_grad()
        if accelerator.device.type == "cuda":
            torch.cuda.synchronize()
        return len(x)

    return step


def _loop(job: FoldJob, accelerator: Accelerator, images: float) -> float:
    """Images a second of models/fit.py, from the end of its first epoch to the end of its last."""
    with TemporaryDirectory(dir=job.directory) as place, hushed():
        batch = int(job.config.optim.batch)
        count = max(batch, min(len(job.pixels), int(images)) // batch * batch)
        epochs = 1 + math.ceil(images / count)
        rows = np.resize(job.train_rows, count)
        config = job.config.model_copy(update={"optim": job.config.optim.model_copy(update={"epochs": epochs})})
        fit(replace(job, config=config, train_rows=rows, directory=Path(place)), accelerator)
        with (Path(place) / HISTORY).open() as file:
            ends = [float(row["seconds"]) for row in csv.DictReader(file)]
    return count * (epochs - 1) / (ends[-1] - ends[0])


def _augmenting(parts: Parts) -> Callable[[], int]:
    batches = parts.batches

    def work() -> int:
        return len(batches.transform(np.array(batches.pixels[batches.rows[: batches.batch]]), 0))

    return work


def _predicting(job: FoldJob, parts: Parts, accelerator: Accelerator, views: tuple[str, ...]) -> Callable[[], int]:
    """What predict.py does once images are decoded; an OpenVINO network is converted before."""
    networks = [deepcopy(parts.network).eval() for _ in range(FOLDS)]
    few = torch.arange(2)
    look = (parts.normalise(torch.from_numpy(np.array(job.pixels[:2]))), *parts.columns_of(few))
    machine, kept = job.config.machine, [job.directory / str(fold) for fold in range(FOLDS)]
    forwards = ready(networks, [look] * FOLDS, machine.inference, FOLDS * len(job.pixels), threads_of(machine), kept)
    rows, autocast = np.arange(min(LOOKED_AT, len(job.pixels))), TORCH_TYPE[accelerator.mixed_precision]
    given = (forwards, [parts.head] * FOLDS, job.pixels, rows, job.task, parts.normalise, views)

    def work() -> int:
        predict(*given, autocast=autocast, numbers=[job.numbers] * FOLDS)
        return len(rows) * FOLDS * len(views)

    return work
