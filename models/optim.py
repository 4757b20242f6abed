"""Optimizers by name, all of timm's."""

from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from torch import nn
from torch.optim import Optimizer

from competition.config import OptimConfig
from competition.errors import choose
from models.backbones import last_layer
from models.errors import ModelError


def check_optimizer(name: str) -> str:
    """`name` itself where there is such an optimizer, of those that need first derivatives only.

    Raises: CompetitionError that names the nearest.
    """
    known = [str(one) for one in list_optimizers() if not get_optimizer_info(str(one)).second_order]
    choose("optimizer", name.removeprefix("lookahead_"), known)
    return name


def check_average(optim: OptimConfig) -> None:
    """Raises ModelError where two averages of the weights are asked for: one network is kept."""
    if optim.ema and optim.average_last:
        raise ModelError(
            f"--optim.ema {optim.ema:g} and --optim.average-last {optim.average_last:g} are two averages of the weights, of which only one "
            "can be kept: --optim.ema 0 or --optim.average-last 0 leaves one out"
        )


def optimizer_for(network: nn.Module, optim: OptimConfig) -> Optimizer:
    """The optimizer asked for, over the network's weights: biases and norms without decay, layers far from the head slower
    and the head faster where asked.

    Raises: CompetitionError for an unknown name; ModelError for settings that it does not take.
    """
    name = check_optimizer(optim.optimizer)
    try:
        optimizer = create_optimizer_v2(
            network,
            opt=name,
            lr=float(optim.lr),
            weight_decay=optim.weight_decay,
            momentum=optim.momentum,
            layer_decay=optim.layer_decay if optim.layer_decay < 1 else None,
        )
    except (ValueError, ImportError, RuntimeError, TypeError, AssertionError) as error:
        raise ModelError(f"--optim.optimizer {name} cannot be made: {error}") from error
    if optim.head_lr != 1:
        faster_head(network, optimizer, last_layer(network), optim.head_lr)
    return optimizer


def faster_head(network: nn.Module, optimizer: Optimizer, last: str, factor: float) -> None:
    """Gives the weights of the last layer groups of their own, whose rate is `factor` times as high."""
    head = {id(weight) for weight in network.get_submodule(last).parameters()}
    groups = []
    for group in optimizer.param_groups:
        for chosen, times in ((False, 1.0), (True, factor)):
            weights = [weight for weight in group["params"] if (id(weight) in head) is chosen]
            if weights:
                groups.append({**group, "params": weights, "lr_scale": group.get("lr_scale", 1.0) * times})
    optimizer.param_groups[:] = groups
