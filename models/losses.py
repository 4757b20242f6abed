"""Losses by name: (logits N x L, truth N x K, weights of the K classes or None) -> a scalar, and the link that reads the logits.

Truth is soft, so that mixed and smoothed targets need nothing more; a regression's is in the units of its head.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from timm.loss import AsymmetricLossMultiLabel
from timm.loss.class_weights import compute_class_weights
from torch.nn import functional

from competition.errors import choose
from competition.task import ONE_OF_MANY, Kind, Task
from models.errors import ModelError
from models.heads import cumulative_log_probs

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


@dataclass(frozen=True)
class LossOf:
    """A loss, the link (models/heads.py) whose raw outputs it takes, and the tasks it serves so."""

    function: Loss
    link: str
    tasks: tuple[Kind, ...]


def cross_entropy(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over rows of -sum(truth * log softmax)."""
    return functional.cross_entropy(logits, truth, weight=weights)


def bce(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over rows and columns of the binary cross-entropy. Weights are those of what is true, against what is not.

    Of a regression, truth is the share of the way from the smallest to the largest number, and so is what the sigmoid gives.
    """
    return functional.binary_cross_entropy_with_logits(logits, truth, pos_weight=weights)


def focal(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Cross-entropy weighted by (1 - p)^2, class by class. Source: Lin et al. 2017, gamma 2 (timm has none)."""
    log_probs = functional.log_softmax(logits.float(), dim=1)
    return _weighted(-truth * (1 - log_probs.exp()) ** 2 * log_probs, weights).sum(dim=1).mean()


def focal_bce(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Binary cross-entropy weighted by (1 - p of the truth)^2. Source as for `focal`."""
    each = functional.binary_cross_entropy_with_logits(logits, truth, pos_weight=weights, reduction="none")
    plain = each if weights is None else functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return ((1 - torch.exp(-plain)) ** 2 * each).mean()


def asymmetric(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Binary cross-entropy that forgets easy negatives sooner than easy positives, by timm. Source: Ridnik et al. 2021."""
    return AsymmetricLossMultiLabel(reduction="mean", pos_weight=weights)(logits, truth)


def ordinal(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over rows of -sum(truth * ln p) of a cumulative link: a grade next to the true one costs less than one far away."""
    return _weighted(-truth * cumulative_log_probs(logits.float()), weights).sum(dim=1).mean()


def mse(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean squared error (of numbers in units of their spread over the training rows)."""
    return functional.mse_loss(logits, truth)


def mae(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean absolute error, in the same units."""
    return functional.l1_loss(logits, truth)


def huber(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Squared where small, absolute from one spread on."""
    return functional.huber_loss(logits, truth)


def loss_for(name: str, task: Task) -> tuple[str, LossOf]:
    """The loss named, or the task's default for `auto`, as it serves the task.

    Raises: CompetitionError for an unknown name; ModelError for one that does not fit the task.
    """
    name = DEFAULT[task.kind] if name == "auto" else choose("loss", name, LOSSES)
    for way in LOSSES[name]:
        if task.kind in way.tasks:
            return name, way
    fitting = [other for other, ways in LOSSES.items() if any(task.kind in way.tasks for way in ways)]
    raise ModelError(f"loss {name!r} does not serve a {task.kind} task; these do: {', '.join(fitting)}")


def class_weights(kind: str, truth: np.ndarray, task: Task) -> torch.Tensor | None:
    """float32 K, rare classes more; of one-of-many tasks the mean over the rows (truth: N x K) is 1. None where there are none.

    Raises: ModelError for a regression, which has no classes.
    """
    power = WEIGHTS[kind]
    if power is None:
        return None
    if task.kind == "regression":
        raise ModelError(f"--optim.class-weights {kind}: a regression has no classes to weigh")
    counts = truth.sum(axis=0)
    _, weights = compute_class_weights(counts.tolist(), len(truth), "inv_freq" if task.one_of_many else "neg_pos", power, max_weight=None)
    return weights * len(truth) / float(counts @ weights.numpy()) if task.one_of_many else weights


def smooth(truth: torch.Tensor, amount: float, task: Task) -> torch.Tensor:
    """Truth moved towards all-alike by `amount`: towards 1/K where one of many holds, 1/2 for a multilabel column."""
    if task.kind == "regression":
        return truth
    return truth * (1 - amount) + amount / (truth.shape[1] if task.one_of_many else 2)


def _weighted(each: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    return each if weights is None else each * weights


DEFAULT: dict[Kind, str] = {
    "binary": "cross_entropy",
    "multiclass": "cross_entropy",
    "ordinal": "ordinal",
    "multilabel": "bce",
    "regression": "mse",
}

WEIGHTS: dict[str, float | None] = {"none": None, "sqrt": 0.5, "balanced": 1.0}  # to which power a class's rareness weighs

LOSSES: dict[str, tuple[LossOf, ...]] = {
    "cross_entropy": (LossOf(cross_entropy, "softmax", ONE_OF_MANY),),
    "bce": (LossOf(bce, "sigmoid", ("multilabel", "regression")),),
    "focal": (LossOf(focal, "softmax", ONE_OF_MANY), LossOf(focal_bce, "sigmoid", ("multilabel",))),
    "asymmetric": (LossOf(asymmetric, "sigmoid", ("multilabel",)),),
    "ordinal": (LossOf(ordinal, "cumulative", ("ordinal",)),),
    "mse": (LossOf(mse, "identity", ("regression",)),),
    "mae": (LossOf(mae, "identity", ("regression",)),),
    "huber": (LossOf(huber, "identity", ("regression",)),),
}
