"""Test-time views: a batch of images seen in another way, N x C x H x W -> N x C x H x W.

Each of D4's eight is a symmetry of the square: applying a view and its inverse gives the image back.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def identity(x: Tensor) -> Tensor:
    return x


def hflip(x: Tensor) -> Tensor:
    return x.flip(-1)


def vflip(x: Tensor) -> Tensor:
    return x.flip(-2)


def rot90(x: Tensor) -> Tensor:
    return torch.rot90(x, 1, (-2, -1))


def rot180(x: Tensor) -> Tensor:
    return x.flip((-2, -1))


def rot270(x: Tensor) -> Tensor:
    return torch.rot90(x, 3, (-2, -1))


def transpose(x: Tensor) -> Tensor:
    return x.transpose(-2, -1)


def antitranspose(x: Tensor) -> Tensor:
    return x.transpose(-2, -1).flip((-2, -1))


def crop(vertical: float, horizontal: float, share: float = 0.875) -> Callable[[Tensor], Tensor]:
    """A view of the window of `share` of the sides whose free room lies by these parts (0..1) above and left of it, at the image's size."""

    def view(x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        high, wide = max(1, round(height * share)), max(1, round(width * share))
        top, left = round((height - high) * vertical), round((width - wide) * horizontal)
        window = x[..., top : top + high, left : left + wide]
        return functional.interpolate(window, size=(height, width), mode="bilinear", align_corners=False)

    return view


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": identity,
    "hflip": hflip,
    "vflip": vflip,
    "rot90": rot90,
    "rot180": rot180,
    "rot270": rot270,
    "transpose": transpose,
    "antitranspose": antitranspose,
    "crop-centre": crop(0.5, 0.5),
    "crop-top-left": crop(0, 0),
    "crop-top-right": crop(0, 1),
    "crop-bottom-left": crop(1, 0),
    "crop-bottom-right": crop(1, 1),
}

VIEW_SETS: dict[str, tuple[str, ...]] = {
    "identity": ("identity",),
    "hflip": ("identity", "hflip"),
    "flips": ("identity", "hflip", "vflip", "rot180"),
    "d4": ("identity", "hflip", "vflip", "rot90", "rot180", "rot270", "transpose", "antitranspose"),
    "crops": ("identity", "crop-centre", "crop-top-left", "crop-top-right", "crop-bottom-left", "crop-bottom-right"),
}

# what `--views auto` takes: the views that the training augmentation showed to be likely images
VIEWS_OF_SYMMETRY = {"none": "identity", "horizontal": "hflip", "all": "d4"}
