"""The range test: the rate rises step by step from far too low to far too high, and the loss tells where it learns fastest.

Source: Smith 2015, "Cyclical Learning Rates for Training Neural Networks"; the steepest place as fastai made it known.
"""

import math
from itertools import islice
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from competition.config import Config
from competition.console import progress
from competition.contest import Competition
from competition.figures import BLUE, DARK, ORANGE
from models.batches import seed_of
from models.device import accelerator_for, workers_of
from models.errors import ModelError
from models.job import job_of_all
from models.optim import optimizer_for
from models.parts import parts_of
from models.plan import prepare

LOWEST, HIGHEST = 1e-7, 10.0
MEMORY = 0.9  # of the running mean of the loss
OVER = 3.0  # times the lowest loss: the test ends
EDGE = 5  # steps at the start that are not looked at: the mean has nothing to remember yet


def range_test(config: Config, contest: Competition, steps: int) -> tuple[Config, np.ndarray, np.ndarray]:
    """The settled config, rates and the running mean of the losses (float64, one a step), on all training rows.

    Raises: ModelError where the settings do not fit.
    """
    config, spec, pixels, _ = prepare(config, contest)
    optim = config.optim
    if optim.method != "train":
        raise ModelError("a probe has no learning rate to look for")
    accelerator = accelerator_for(config.machine)
    seed = seed_of(config.seed)
    torch.manual_seed(seed)
    parts = parts_of(job_of_all(config, contest, spec, pixels), accelerator.device, seed)
    optimizer: Any = optimizer_for(parts.network, optim)
    scales = [group.get("lr_scale", 1.0) for group in optimizer.param_groups]
    parts.freezing.train(1)  # frozen parts stay so; all others learn, as they do in most of a run
    network, optimizer = accelerator.prepare(parts.network, optimizer)
    workers, pin = workers_of(config.machine, accelerator.device), accelerator.device.type == "cuda"
    stream = parts.batches.stream(0, 0, -(-steps // parts.batches.steps), workers, pin)
    rates, means, running = [], [], 0.0
    with progress("range test", steps, "steps") as advance:
        for step, (images, rows) in enumerate(islice(stream, steps)):
            rate = LOWEST * (HIGHEST / LOWEST) ** (step / max(1, steps - 1))
            for group, scale in zip(optimizer.param_groups, scales, strict=True):
                group["lr"] = rate * scale
            x, y, columns = parts.normalise(images), parts.truth_of(rows), parts.columns_of(rows)
            if parts.mix:
                x, y, *columns = parts.mix(x, y, *columns)
            cost = parts.cost(network(x, *columns), y)
            accelerator.backward(cost)
            if optim.clip_norm:
                accelerator.clip_grad_norm_(network.parameters(), optim.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            running = MEMORY * running + (1 - MEMORY) * float(cost.detach())
            mean = running / (1 - MEMORY ** (step + 1))
            if not math.isfinite(mean) or (step > EDGE and mean > OVER * min(means)):
                break
            rates.append(rate)
            means.append(mean)
            advance(1)
    return config, np.array(rates), np.array(means)


def steepest(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """The rate at which the loss falls fastest, over rates that rise by a factor; None where it never falls."""
    if len(losses) <= EDGE + 2:
        return None
    slope = np.gradient(losses, np.log(rates))[EDGE : max(EDGE + 1, int(losses.argmin()) + 1)]
    place = EDGE + int(slope.argmin())
    return float(rates[place]) if slope.min() < 0 else None


def drawn(rates: np.ndarray, losses: np.ndarray, found: float | None, asked: float, title: str) -> Figure:
    """The curve, with the steepest rate and the one that a run would take."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.semilogx(rates, losses, color=BLUE, linewidth=2)
    axes.axvline(asked, color=DARK, linestyle=":", label=f"of this config: {asked:.1e}")
    if found is not None:
        axes.axvline(found, color=ORANGE, linestyle="--", label=f"steepest: {found:.1e}")
    axes.set(xlabel="learning rate", ylabel="training loss (running mean)", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
