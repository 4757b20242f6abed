"""Sharpness-aware minimisation: the gradient is taken where the loss is worst nearby, so that the weights end in a wide valley.

Source: Foret et al. 2020 (neither torch nor timm has it).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def sharpest(network: nn.Module, radius: float) -> Iterator[None]:
    """Within it the weights are moved by `radius` (Euclidean, all weights together) along their gradients, which are cleared; after
    it they are what they were, to the bit. Batch norms do not learn from what they see in between: their statistics are of the step's
    first look. Where a gradient is not finite, as in half precision it may be once in a while, they are not moved."""
    moved = [weight for weight in network.parameters() if weight.grad is not None]
    before = [weight.detach().clone() for weight in moved]
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
    rates = [part.momentum for part in norms]
    with torch.no_grad():
        length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(weight.grad) for weight in moved]))
        for weight in moved:
            weight.add_(torch.where(length.isfinite(), weight.grad * (radius / (length + 1e-12)), 0.0))
            weight.grad = None
    for part in norms:
        part.momentum = 0.0
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, own in zip(moved, before, strict=True):
                weight.copy_(own)
        for part, rate in zip(norms, rates, strict=True):
            part.momentum = rate
