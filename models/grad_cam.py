"""Where a network looks: Grad-CAM, for any backbone that keeps a grid of positions until late.

Legend: N images, C channels, S side in px, H, W of the last grid, T tokens, D numbers of the columns, L raw outputs.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

LOOKED_AT = 40  # grids, the last ones
FEWEST = 3  # positions a side: a coarser grid tells little
MOST_PREFIX = 8  # tokens before those of the image (class, registers)


def grad_cam(network: nn.Module, given: Sequence[torch.Tensor], wanted: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor | None:
    """float32 N x H x W, each image's from 0 to 1: how much each position speaks for what is wanted; None where there is no grid.

    network: in evaluation mode. given: N x C x S x S, and N x D where it takes columns. wanted: raw outputs (N x L) -> of each image the
    number that is explained (N). Of a position's channels those count, weighted, that raise it: weights are its mean gradients.

    Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization". The grid is the last
    with at least 3 positions a side, in the order in which the network computes, that the outputs still depend on: after the last
    attention, a class token no longer hears the others.
    """
    places = _grids(network, [part[:1] for part in given])[-LOOKED_AT:]
    if not places:
        return None
    seen: dict[str, torch.Tensor] = {}
    square = given[0].shape[2] == given[0].shape[3]

    def keep(place: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def hook(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
            seen[place] = output

        return hook

    hooks = [network.get_submodule(place).register_forward_hook(keep(place)) for place in dict.fromkeys(places)]
    try:
        with torch.enable_grad():
            total = wanted(network(given[0].detach().requires_grad_(), *given[1:])).sum()
            outputs = [seen[place] for place in places]
            slopes = torch.autograd.grad(total, outputs, allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    for output, slope in zip(outputs[::-1], slopes[::-1], strict=True):
        values = _as_grid(output.detach(), square)
        tells = None if slope is None else _as_grid(slope, square)
        if values is not None and tells is not None and tells.any():
            heat = (values * tells.mean((2, 3), keepdim=True)).sum(1).relu().float()
            return heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-12)
    return None


def _grids(network: nn.Module, one: Sequence[torch.Tensor]) -> list[str]:
    """The names of the modules whose outputs are grids, in the order in which the network computes."""
    found: list[str] = []

    def look(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.is_floating_point():
                grid = _as_grid(output, one[0].shape[2] == one[0].shape[3])
                if grid is not None and min(grid.shape[2:]) >= FEWEST:
                    found.append(name)

        return hook

    hooks = [module.register_forward_hook(look(name)) for name, module in network.named_modules() if name]
    try:
        with torch.no_grad():
            network(*one)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _as_grid(output: torch.Tensor, square: bool) -> torch.Tensor | None:
    """N x C x H x W of an output that is that, N x H x W x C, or N x T x C with tokens of a square; None of any other, such as the heads of
    an attention. square: whether images are."""
    if output.ndim == 4:
        if output.shape[1] == output.shape[2] != output.shape[3]:
            return output.permute(0, 3, 1, 2)
        return output if output.shape[2] == output.shape[3] or not square else None
    if output.ndim != 3:
        return None
    side = math.isqrt(output.shape[1])
    before = output.shape[1] - side**2
    return output[:, before:].transpose(1, 2).unflatten(2, (side, side)) if before <= MOST_PREFIX and side > 1 else None
