"""Losses by name: (logits N x K, truth N x K) -> a scalar. Truth is soft, so that mixed and smoothed targets need nothing more."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from competition.errors import choose
from competition.task import Task
from models.errors import ModelError

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class LossOf:
    function: Loss
    tasks: tuple[str, ...]


def cross_entropy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean over rows of -sum(truth * log softmax)."""
    return functional.cross_entropy(logits, truth)


def bce(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean over rows and columns of the binary cross-entropy."""
    return functional.binary_cross_entropy_with_logits(logits, truth)


def focal(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy weighted by (1 - p of the truth)^2. Source: Lin et al. 2017, gamma 2, no alpha (timm has none)."""
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return ((1 - torch.exp(-each)) ** 2 * each).mean()


def mse(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean squared error (of the number in units of its spread over the training rows)."""
    return functional.mse_loss(logits, truth)


def mae(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean absolute error, in the same units."""
    return functional.l1_loss(logits, truth)


def loss_for(name: str, task: Task) -> tuple[str, Loss]:
    """The loss named, or the task's default for `auto`.

    Raises: CompetitionError for an unknown name; ModelError for one that does not fit the task.
    """
    name = DEFAULT[task.kind] if name == "auto" else choose("loss", name, LOSSES)
    if task.kind not in LOSSES[name].tasks:
        fitting = [other for other, loss in LOSSES.items() if task.kind in loss.tasks]
        raise ModelError(f"loss {name!r} does not serve a {task.kind} task; these do: {', '.join(fitting)}")
    return name, LOSSES[name].function


def smooth(truth: torch.Tensor, amount: float, task: Task) -> torch.Tensor:
    """Truth moved towards all-alike by `amount`: towards 1/K where one of many holds, 1/2 for a multilabel column."""
    if task.kind == "regression":
        return truth
    return truth * (1 - amount) + amount / (truth.shape[1] if task.one_of_many else 2)


DEFAULT = {"binary": "cross_entropy", "multiclass": "cross_entropy", "multilabel": "bce", "regression": "mse"}

LOSSES: dict[str, LossOf] = {
    "cross_entropy": LossOf(cross_entropy, ("binary", "multiclass")),
    "bce": LossOf(bce, ("multilabel",)),
    "focal": LossOf(focal, ("multilabel",)),
    "mse": LossOf(mse, ("regression",)),
    "mae": LossOf(mae, ("regression",)),
}
