"""Batch norms that follow a convolution become part of it: the same outputs in fewer passes over memory, for what is trained no more."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from competition.console import say

FAR = 1e-5  # of the largest output, that the outputs may lie off


def folded(network: nn.Module, given: Sequence[torch.Tensor]) -> nn.Module:
    """A network in evaluation mode with its batch norms folded; itself where it cannot be traced, or gives other numbers then.

    given: an example of what it is given (N x C x S x S, and N x D where it takes columns).
    """
    if not any(isinstance(part, _BatchNorm) for part in network.modules()):
        return network
    try:
        found = _fold(network)
        # TF32, in which a GPU convolves by default, is further off than that
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            expected, given_then = network(*given), found(*given)
    except Exception:  # what cannot be traced raises many kinds
        return network
    off = float((given_then - expected).abs().max() / expected.abs().max().clamp(min=1))
    if off <= FAR:
        return found
    say(f"batch norms are not folded, since the network gives other numbers then (off by {off:.1e} of the largest)")
    return network


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d | _BatchNorm) or super().is_leaf_module(m, module_qualified_name)


def _fold(network: nn.Module) -> nn.Module:
    found = fx.GraphModule(network, _Tracer().trace(network))
    modules: dict[Any, nn.Module] = dict(found.named_modules())
    for node in found.graph.nodes:
        norm, before = modules.get(node.target), node.args[0] if node.args else None
        if not (isinstance(norm, _BatchNorm) and isinstance(before, fx.Node) and len(before.users) == 1):
            continue
        conv = modules.get(before.target)
        if not isinstance(conv, nn.Conv2d):
            continue
        found.set_submodule(str(before.target), fuse_conv_bn_eval(conv, norm))
        # timm's have dropping and activation within
        rest = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part is not None]
        found.set_submodule(str(node.target), nn.Sequential(*rest))
    return found.eval()
