"""How a network's raw outputs become a row of the table: LINKS, and Head, the link with a regression's units.

Legend: N rows, K columns of the table, L raw outputs a row.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from competition.task import Task

NARROWEST = 1e-4  # between two cuts, so that no grade is impossible


@dataclass(frozen=True)
class Link:
    """function: N x L -> N x K, each value in the table's range; outputs: K -> L."""

    function: Callable[[torch.Tensor], torch.Tensor]
    outputs: Callable[[int], int]


@dataclass(frozen=True)
class Head:
    """A link, and the unit of what it gives: table = shift + spread * link(logits), a value a column (one for all where they are alike)."""

    link: str
    shift: tuple[float, ...] = (0.0,)
    spread: tuple[float, ...] = (1.0,)

    def outputs(self, task: Task) -> int:
        """How many raw outputs the network gives."""
        return LINKS[self.link].outputs(len(task.classes))

    def table(self, logits: torch.Tensor) -> torch.Tensor:
        """float32 N x K from N x L, in the units of the truth."""
        values = LINKS[self.link].function(logits.float())
        if len(self.shift) == 1:
            return values * self.spread[0] + self.shift[0]
        # a value by itself: to bring a tensor of them makes a GPU wait
        units = zip(values.unbind(dim=1), self.spread, self.shift, strict=True)
        return torch.stack([column * spread + shift for column, spread, shift in units], dim=1)

    def scaled(self, truth: np.ndarray) -> np.ndarray:
        """float32 N x K of truth in the units of the link: what a loss compares its outputs with."""
        return ((truth - np.asarray(self.shift)) / np.asarray(self.spread)).astype(np.float32)


def head_for(link: str, task: Task, truth: np.ndarray) -> Head:
    """The head of a task. A regression's units come from its truth (float32 N x K): mean and deviation; the range for a sigmoid."""
    if task.kind != "regression":
        return Head(link)
    low, high = truth.min(axis=0).astype(float), truth.max(axis=0).astype(float)
    if link == "sigmoid":
        shift, spread = low, high - low
    else:
        shift, spread = truth.mean(axis=0).astype(float), truth.std(axis=0).astype(float)
    return Head(link, tuple(shift.tolist()), tuple(np.where(spread > 0, spread, 1.0).tolist()))


def cumulative_log_probs(logits: torch.Tensor) -> torch.Tensor:
    """ln p of K classes in order, N x K, from K - 1 outputs: where the image lies, and how far apart the cuts between grades are.

    P(grade >= k) = sigmoid(a_k) falls with k. Outputs of 0 mean that all grades are as likely; the first moves all cuts, each further one
    the distance between two of them.
    Source: the cumulative link (proportional odds) model, McCullagh 1980, with cuts that depend on the image.
    """
    share = torch.arange(logits.shape[1], 0, -1, device=logits.device, dtype=logits.dtype) / (logits.shape[1] + 1)
    even = torch.logit(share)
    apart = even[:-1] - even[1:]
    widths = functional.softplus(logits[:, 1:] + torch.log(torch.expm1(apart))) + NARROWEST
    cuts = torch.cat([logits[:, :1] + even[0], -widths], dim=1).cumsum(dim=1)
    # sigmoid(above) - sigmoid(below), without the difference of two numbers that are nearly alike
    above = functional.pad(functional.logsigmoid(cuts), (1, 0))
    below = functional.pad(functional.logsigmoid(-cuts), (0, 1))
    return above + below + functional.pad(torch.log(-torch.expm1(-widths)), (1, 1))


LINKS: dict[str, Link] = {
    "softmax": Link(lambda logits: logits.softmax(dim=1), lambda classes: classes),
    "sigmoid": Link(torch.sigmoid, lambda classes: classes),
    "cumulative": Link(lambda logits: cumulative_log_probs(logits).exp(), lambda classes: classes - 1),
    "identity": Link(lambda logits: logits, lambda classes: classes),
}
