"""Where a network looks: Grad-CAM, for any backbone that keeps a grid of positions until late.

Legend: N images, C channels, S side in px, H, W of the last grid, T tokens, D numbers of the columns, L raw outputs.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

FEWEST = 3  # positions a side: a coarser grid tells little
MOST_PREFIX = 8  # tokens before those of the image (class, registers)


def grad_cam(network: nn.Module, given: Sequence[torch.Tensor], wanted: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor | None:
    """float32 N x H x W, each image's from 0 to 1: how much each position speaks for what is wanted; None where there is no grid.

    network: in evaluation mode. given: N x C x S x S, and N x D where it takes columns. wanted: raw outputs (N x L) -> of each image the
    number that is explained (N). Of a position's channels those count, weighted, that raise it: weights are its mean gradients.

    Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization". The grid is the last
    with at least 3 positions a side, in the order in which the network computes.
    """
    place = _last_grid(network, [part[:1] for part in given])
    if place is None:
        return None
    seen: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        seen[:] = [output]

    hook = network.get_submodule(place).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            total = wanted(network(given[0].detach().requires_grad_(), *given[1:])).sum()
            (slopes,) = torch.autograd.grad(total, seen)
    finally:
        hook.remove()
    values, slopes = _as_grid(seen[0].detach()), _as_grid(slopes)
    if values is None or slopes is None:
        return None
    heat = (values * slopes.mean((2, 3), keepdim=True)).sum(1).relu().float()
    return heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-12)


def _last_grid(network: nn.Module, one: Sequence[torch.Tensor]) -> str | None:
    """The name of the module whose output is the last grid; None where no output is one."""
    found: list[str] = []

    def look(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.is_floating_point():
                grid = _as_grid(output)
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
    return found[-1] if found else None


def _as_grid(output: torch.Tensor) -> torch.Tensor | None:
    """N x C x H x W of an output that is that, N x H x W x C, or N x T x C with tokens of a square; None of any other."""
    if output.ndim == 4:
        channels_last = output.shape[1] == output.shape[2] != output.shape[3]
        return output.permute(0, 3, 1, 2) if channels_last else output
    if output.ndim != 3:
        return None
    side = math.isqrt(output.shape[1])
    before = output.shape[1] - side**2
    return output[:, before:].transpose(1, 2).unflatten(2, (side, side)) if before <= MOST_PREFIX and side > 1 else None
