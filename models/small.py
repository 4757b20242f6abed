"""Small networks: residual ones for small images (8 to 64 px), trained from scratch, and a linear model of the pixels.

Legend: N batch, C channels, H, W, K classes.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn


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
    """N x C x H x W -> N x K, H and W of at least 8 px.

    Source: David Page, "How to Train Your ResNet" (DAWNBench 2018), adapted: the width is free, the pooling global.
    """

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
    "pixels": Pixels,
}
