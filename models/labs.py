"""Networks of small studies, layer by layer as they were: what a recipe of competition/recipes/labs is compared with.

Legend: N batch, C channels, H, W, K classes.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

MLP_UNITS = (16, 64, 256)


@dataclass(frozen=True)
class Lab:
    """A network, and the images that it is made for.

    network(classes, channels, drop): N x C x H x W -> N x K. only: whether it takes no other side, for its linear layers.
    """

    network: Callable[..., nn.Module]
    side_px: int
    only: bool = True


def mri_cnn(classes: int, channels: int, drop: float = 0.0) -> nn.Module:
    """Six convolutions, each normalised, then the mean of each map: of 224 px, maps of 224, 113, 113, 58, 30 and 15 px."""
    return _in_two(
        [
            *_normed(channels, 32),
            *_normed(32, 64, stride=2, padding=2),
            *_normed(64, 64),
            *_normed(64, 64, stride=2, padding=2),
            *_normed(64, 64, stride=2, padding=2),
            *_normed(64, 64, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ],
        [nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(drop), nn.Linear(64, classes)],
    )


def mlp(activation: Callable[[], nn.Module], units: int, classes: int, channels: int, drop: float = 0.0) -> nn.Module:
    """One hidden layer, and no convolution."""
    return _in_two(
        [nn.Flatten(), nn.Linear(28 * 28 * channels, units), activation()],
        [nn.Dropout(drop), nn.Linear(units, classes)],
    )


def cifar_vgg(classes: int, channels: int, drop: float = 0.0) -> nn.Module:
    """Three times two convolutions and a halving. The dropout comes after the first linear layer, as it was, not before the last."""
    return _in_two(
        [
            *_pair(channels, 32, 64),
            *_pair(64, 128, 128),
            *_pair(128, 256, 256),
            nn.Flatten(),
        ],
        [
            nn.Linear(256 * 4 * 4, 256),
            nn.ReLU(),
            nn.Dropout(drop),
            nn.Linear(256, 64),
            nn.ReLU(),
            nn.Linear(64, classes),
        ],
    )


def simple_cnn(classes: int, channels: int, drop: float = 0.0) -> nn.Module:
    """Two convolutions of 5 px without a border, after LeNet (LeCun and others 1998)."""
    return _in_two(
        [
            *(nn.Conv2d(channels, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
        ],
        [nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Dropout(drop), nn.Linear(120, classes)],
    )


def pooling_cnn(pool: Callable[[int], nn.Module], widths: tuple[int, ...], classes: int, channels: int, drop: float = 0.0) -> nn.Module:
    """A normalised convolution and a halving for each of the widths, of 32 px, and a hidden layer of 256."""
    layers: list[nn.Module] = []
    for width, before in zip(widths, (channels, *widths), strict=False):
        layers += [*_normed(before, width), pool(2)]
    side = 32 >> len(widths)
    return _in_two(
        [*layers, nn.Flatten()],
        [nn.Linear(widths[-1] * side**2, 256), nn.ReLU(), nn.Dropout(drop), nn.Linear(256, classes)],
    )


def cancer_baseline(classes: int, channels: int, drop: float = 0.0) -> nn.Module:
    """Three convolutions, which leave 3 maps of 64 px."""
    return _in_two(
        [
            *(nn.Conv2d(channels, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 3, 3, padding=1), nn.ReLU()),
            nn.Flatten(),
        ],
        [nn.Linear(3 * 64 * 64, 64), nn.ReLU(), nn.Dropout(drop), nn.Linear(64, classes)],
    )


def _in_two(features: list[nn.Module], head: list[nn.Module]) -> nn.Module:
    return nn.Sequential(OrderedDict(features=nn.Sequential(*features), head=nn.Sequential(*head)))


def _normed(inputs: int, outputs: int, stride: int = 1, padding: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, padding), nn.BatchNorm2d(outputs), nn.ReLU()]


def _pair(inputs: int, middle: int, outputs: int) -> list[nn.Module]:
    first, second = nn.Conv2d(inputs, middle, 3, padding=1), nn.Conv2d(middle, outputs, 3, padding=1)
    return [first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2)]


LABS: dict[str, Lab] = {
    "mri-cnn": Lab(mri_cnn, 224, only=False),
    **{f"mlp-sigmoid-{units}": Lab(partial(mlp, nn.Sigmoid, units), 28) for units in MLP_UNITS},
    **{f"mlp-relu-{units}": Lab(partial(mlp, nn.ReLU, units), 28) for units in MLP_UNITS},
    "cifar-vgg": Lab(cifar_vgg, 32),
    "simple-cnn": Lab(simple_cnn, 32),
    "bn-cnn": Lab(partial(pooling_cnn, nn.MaxPool2d, (16, 32, 64)), 32),
    "pool-cnn-max": Lab(partial(pooling_cnn, nn.MaxPool2d, (16, 32)), 32),
    "pool-cnn-average": Lab(partial(pooling_cnn, nn.AvgPool2d, (16, 32)), 32),
    "cancer-baseline": Lab(cancer_baseline, 256),
}
