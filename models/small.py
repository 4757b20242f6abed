"""Small networks: residual ones for small images (8 to 64 px), trained from scratch, and a linear model of the pixels.

Legend: N batch, C channels, H, W, K classes.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import nn

PATCH_PX = 2
WHITEN_FLOOR = 5e-4  # added to variances, so that what hardly varies is not blown up


def conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """x + two convolutions of x."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(width, width), conv(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class ResNet9(nn.Module):
    """N x C x H x W -> N x K.

    Source: David Page, "How to Train Your ResNet" (DAWNBench 2018), adapted: the width is free, the pooling global.
    """

    fewest_px = 8

    def __init__(self, width: int, classes: int, channels: int, drop: float = 0.0) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv(channels, width),
            conv(width, 2 * width),
            nn.MaxPool2d(2),
            Residual(2 * width),
            conv(2 * width, 4 * width),
            nn.MaxPool2d(2),
            conv(4 * width, 8 * width),
            nn.MaxPool2d(2),
            Residual(8 * width),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )
        self.drop = nn.Dropout(drop)
        self.head = nn.Linear(8 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.features(x)))


class AirBench(nn.Module):
    """N x C x H x W -> N x K: fewer channels early than a ResNet9, and a first layer that whitens patches.

    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", adapted: the width is free, the pooling global.
    """

    fewest_px = 9

    def __init__(self, width: int, classes: int, channels: int, drop: float = 0.0) -> None:
        super().__init__()
        patch = channels * PATCH_PX**2
        self.whitening = nn.Conv2d(channels, 2 * patch, PATCH_PX)
        widths = (2 * patch, width, 3 * width, 4 * width)
        self.features = nn.Sequential(
            nn.GELU(),
            *(halving(inputs, outputs) for inputs, outputs in pairwise(widths)),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )
        self.drop = nn.Dropout(drop)
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.features(self.whitening(x))))

    @torch.no_grad()
    def adapt(self, images: torch.Tensor) -> None:
        """Sets the first layer by patches of these images (N x C x H x W): along what varies in them, both ways, each of variance 1."""
        images = images.cpu()  # not every device has numbers of 64 bits
        patches = nn.functional.unfold(images, PATCH_PX).transpose(1, 2).flatten(0, 1).double()
        variances, directions = torch.linalg.eigh(torch.cov(patches.T))
        whitened = (directions / (variances + WHITEN_FLOOR).sqrt()).T.to(self.whitening.weight).view_as(self.whitening.weight[::2])
        self.whitening.weight.copy_(torch.cat([whitened, -whitened]))


def halving(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, the sides halved after the first; each begins as the identity as far as there are channels."""
    first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
    for layer in (first, second):
        nn.init.dirac_(layer.weight[: layer.in_channels])
    return nn.Sequential(first, nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.GELU(), second, nn.BatchNorm2d(outputs), nn.GELU())


class Pixels(nn.Module):
    """N x C x H x W -> N x K, linear in the picture as it is at 16 px: what any other network has to beat."""

    def __init__(self, classes: int, channels: int, drop: float = 0.0) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.AdaptiveAvgPool2d(16), nn.Flatten())
        self.drop = nn.Dropout(drop)
        self.head = nn.Linear(16 * 16 * channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.features(x)))


SMALL: dict[str, Callable[..., nn.Module]] = {
    "resnet9-8": partial(ResNet9, 8),
    "resnet9-16": partial(ResNet9, 16),
    "resnet9-32": partial(ResNet9, 32),
    "resnet9-64": partial(ResNet9, 64),
    "airbench-16": partial(AirBench, 16),
    "airbench-24": partial(AirBench, 24),
    "airbench-32": partial(AirBench, 32),
    "airbench-64": partial(AirBench, 64),
    "pixels": Pixels,
}
