"""A network that takes columns beside its images: they join the features that its last layer sees.

Legend: N batch, C channels, H, W, F features of the backbone, D numbers of the columns, U units, K outputs.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class Joint(nn.Linear):
    """(N x F, N x D) -> N x K: one linear layer over the features and what a layer of their own makes of the columns."""

    def __init__(self, features: int, numbers: int, units: int, outputs: int, drop: float = 0.0) -> None:
        """units: U; 0: the columns join as they are."""
        super().__init__(features + (units or numbers), outputs)
        self.numbers, self.units = numbers, units
        self.columns = nn.Sequential(nn.Linear(numbers, units), nn.ReLU(), nn.Dropout(drop)) if units else nn.Identity()

    def forward(self, features: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.cat([features, self.columns(columns)], dim=1))


def join_columns(network: nn.Module, last: str, numbers: int, units: int, outputs: int, drop: float = 0.0) -> None:
    """Makes a network of images (N x C x H x W) -> N x K one of (images, N x D) -> N x K, with a new last layer called `joint`.

    last: the name of its linear last layer, which is left out.
    """
    layer: Any = network.get_submodule(last)
    network.set_submodule(last, nn.Identity())
    network.joint = Joint(layer.in_features, numbers, units, outputs, drop)
    cfg: Any = network.pretrained_cfg
    network.pretrained_cfg = {**cfg, "classifier": "joint"}  # type: ignore[assignment]
    # Not a module around it: its parts keep their names, by which freezing and the rates and decay of layers go
    own = type(network)
    network.__class__ = type(f"{own.__name__}WithColumns", (own,), {"forward": _forward_of(own)})


def _forward_of(own: type[nn.Module]) -> Callable[..., torch.Tensor]:
    def forward(self: nn.Module, x: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return self.joint(own.forward(self, x), columns)  # type: ignore[operator]

    return forward


def blank(network: nn.Module) -> tuple[torch.Tensor, ...]:
    """Zeros for what a network takes beside one image; nothing where it takes images alone."""
    joint = getattr(network, "joint", None)
    return (torch.zeros(1, joint.numbers, device=next(joint.parameters()).device),) if isinstance(joint, Joint) else ()
