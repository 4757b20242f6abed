"""Mixup and cutmix of a batch, by torchvision: (images N x C x H x W, truth N x K, columns N x D if any) -> the same shapes, mixed."""

from collections.abc import Callable

import torch
from torchvision.transforms import v2

from competition.config import AugmentConfig
from competition.task import Task
from models.errors import ModelError

Mix = Callable[..., tuple[torch.Tensor, ...]]


def mixing(augment: AugmentConfig, task: Task) -> Mix | None:
    """The mixing asked for, None where none is. Each batch draws from torch's generator: whether it is mixed, how, and how much.

    What stands beside images, truth and columns, is mixed in the same parts.

    Raises: ModelError for a task whose truth cannot be mixed.
    """
    kinds = [kind(alpha=alpha) for kind, alpha in ((v2.MixUp, augment.mixup), (v2.CutMix, augment.cutmix)) if alpha > 0]
    if not kinds:
        return None
    if task.kind == "regression" and augment.cutmix > 0:
        raise ModelError("cutmix pastes a part of another image, whose number it cannot share out: use mixup for a regression")

    def mix(images: torch.Tensor, *told: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if torch.rand(()) >= augment.mix_share:
            return images, *told
        kind = kinds[int(torch.randint(len(kinds), ()))]
        images, mixed = kind(images, torch.cat(told, dim=1))
        return images, *mixed.split([part.shape[1] for part in told], dim=1)

    return mix
