"""What moves when: frozen parts, the last layer first and faster, sides that grow.

Legend: N batch, C channels, S side in px.
"""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from competition.config import ModelConfig
from competition.errors import choose
from models.backbones import InputSpec
from models.errors import ModelError
from models.joint import blank

GROWN = 2 / 3  # of the run, when the side is the full one
MULTIPLE_PX = 8


class Freezing:
    """Keeps parts of a network as they are: their weights, their batch-norm statistics, their dropout off."""

    def __init__(self, network: nn.Module, model: ModelConfig, last: str = "", head_first: float = 0.0) -> None:
        """last: the name of the last layer, which alone learns in the first `head_first` of the run.

        Raises: CompetitionError for a part that the network does not have; ModelError where nothing is left to learn.
        """
        parts = [name for name, _ in network.named_modules() if name]
        for name in model.freeze:
            choose("part of the network", name, parts)
        self.network, self.frozen, self.norms = network, model.freeze, model.freeze_norm
        self.last, self.head_first = last, head_first
        if all(_is_in(name, self.frozen) for name, _ in network.named_parameters()):
            raise ModelError(f"--model.freeze {' '.join(model.freeze)} leaves nothing that could learn")

    def train(self, position: float) -> None:
        """Puts the network into training mode, as it is at this position (0..1) of the run."""
        self.network.train()
        if not (self.frozen or self.norms or self.head_first):
            return
        alone = position < self.head_first
        for name, weight in self.network.named_parameters():
            weight.requires_grad_(not _is_in(name, self.frozen) and (not alone or _is_in(name, (self.last,))))
        for name, part in self.network.named_modules():
            if _is_in(name, self.frozen) or (self.norms and isinstance(part, _BatchNorm)) or (alone and not _is_in(name, (self.last,))):
                part.training = False


def _is_in(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def side_at(position: float, full_px: int, start_share: float) -> int:
    """The side of a batch: from start_share of the full one up to it, in steps of MULTIPLE_PX."""
    if start_share == 1 or position >= GROWN:
        return full_px
    side = full_px * (start_share + (1 - start_share) * position / GROWN)
    return min(full_px, max(MULTIPLE_PX, MULTIPLE_PX * round(side / MULTIPLE_PX)))


def resized(x: torch.Tensor, side_px: int) -> torch.Tensor:
    """N x C x side x side from N x C x S x S."""
    if x.shape[-1] == side_px:
        return x
    return functional.interpolate(x, size=(side_px, side_px), mode="bilinear", antialias=True, align_corners=False)


def check_sides(network: nn.Module, spec: InputSpec, start_share: float) -> None:
    """Raises ModelError where smaller images are asked for at first and the network takes those of one size only."""
    side = side_at(0, spec.size_px, start_share)
    if side == spec.size_px:
        return
    network.eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(1, spec.channels, side, side, device=next(network.parameters()).device), *blank(network))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ModelError(f"--data.start-share {start_share}: this backbone does not take images of {side} px: {error}") from None
