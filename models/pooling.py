"""How features become outputs: pooling that a backbone does not have by itself, and several dropout masks before the last layer.

Legend: N batch, C channels, H, W, D features.
"""

from collections.abc import Callable
from typing import Any

import torch
from timm.layers import SelectAdaptivePool2d
from torch import nn
from torch.nn import functional

from models.errors import ModelError


class GeM(nn.Module):
    """N x C x H x W -> N x C x 1 x 1: the mean of powers, its root; the power is learned.

    Source: Radenovic, Tolias and Chum 2018 (timm has none).
    """

    def __init__(self, power: float = 3.0, least: float = 1e-6) -> None:
        super().__init__()
        self.power, self.least = nn.Parameter(torch.tensor(power)), least

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(min=self.least).pow(self.power).mean(dim=(2, 3), keepdim=True).pow(1 / self.power)


def set_pool(network: nn.Module, family: str, pool: str, outputs: int) -> None:
    """Makes a timm network pool so; it gets a new last layer.

    Raises: ModelError where the backbone pools otherwise than over a map of features.
    """
    pools = [part for part in network.modules() if isinstance(part, SelectAdaptivePool2d)]
    if family != "timm" or len(pools) != 1 or tuple(getattr(pools[0].pool, "dim", (2, 3))) != (2, 3):  # some have channels last
        raise ModelError(f"--model.pool {pool}: this backbone has no pooling that could be changed; most of timm's convolutional ones have")
    reset: Any = network.reset_classifier
    reset(outputs, "avg" if pool == "gem" else pool)
    if pool == "gem":
        (chosen,) = [part for part in network.modules() if isinstance(part, SelectAdaptivePool2d)]
        chosen.pool = GeM()  # type: ignore[assignment]


def several_dropouts(share: float, masks: int) -> Callable[..., tuple[torch.Tensor]]:
    """A hook for a linear layer: in training it sees N x D through several masks at once, which averages its outputs.

    Source: Inoue 2019, "Multi-Sample Dropout", with the outputs averaged in place of the losses.
    """

    def hook(layer: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        if not layer.training:
            return inputs
        return (torch.stack([functional.dropout(inputs[0], share) for _ in range(masks)]).mean(dim=0),)

    return hook
