"""An Albumentations pipeline over a whole batch: what it does to each image, without what it costs for each.

The steps of BATCHWISE draw for all images at once and go straight to OpenCV; any other step sees one image after another. Either way
the images come from the same distribution as the pipeline's own (not from the same numbers), and all numbers from the batch's seed.

Legend: N images, S side in px, C channels.
"""

from collections.abc import Callable
from typing import Any

import albumentations as A
import cv2
import numpy as np

LEVELS = np.arange(256, dtype=np.float32)
MOST_CHANNELS = 4  # that OpenCV warps at once
HUES = 180  # of OpenCV's uint8
# (step, images, the rows of them that are to be changed in place, generator)
Way = Callable[[Any, np.ndarray, np.ndarray, np.random.Generator], None]


class Batchwise:
    """Called with uint8 N x S x S x C, which it may write into, and a seed: the same shape, transformed."""

    def __init__(self, transform: A.Compose) -> None:
        self.steps = [(step, _way(step)) for step in transform.transforms]

    def __call__(self, images: np.ndarray, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        for step, way in self.steps:
            chosen = np.flatnonzero(rng.random(len(images)) < step.p)
            way(step, images, chosen, rng)
        return images


def _way(step: Any) -> Way:
    known = BATCHWISE.get(type(step))
    return known[1] if known and known[0](step) else _one_by_one


def _one_by_one(step: Any, images: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    alone = A.Compose([step], seed=int(rng.integers(2**31)))
    for row in chosen:
        images[row] = alone.transforms[0](image=images[row], force_apply=True)["image"].reshape(images.shape[1:])


def _mirrored(step: A.HorizontalFlip, images: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    images[chosen] = images[chosen][:, :, ::-1]


def _one_of_eight(step: A.D4, images: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    element = rng.integers(8, size=len(chosen))
    for number in range(8):
        rows = chosen[element == number]
        turned = np.rot90(images[rows], number % 4, axes=(1, 2))
        images[rows] = turned[:, :, ::-1] if number >= 4 else turned


def _warped(step: A.Affine, images: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    height, width, channels = images.shape[1:]
    if channels > MOST_CHANNELS:
        _one_by_one(step, images, chosen, rng)
        return
    count = len(chosen)
    scale = np.stack([rng.uniform(*step.scale[axis], count) for axis in "xy"])
    shift = np.stack(
        [np.trunc(rng.uniform(*step.translate_percent[axis], count) * side) for axis, side in zip("xy", (width, height), strict=True)]
    )
    for row, matrix in zip(chosen, affine_matrices(scale, shift, rng.uniform(*step.rotate, count), height, width), strict=True):
        moved = cv2.warpAffine(images[row], matrix, (width, height), flags=step.interpolation, borderMode=step.border_mode)
        images[row] = moved if moved.ndim == 3 else moved[..., None]


def affine_matrices(scale: np.ndarray, shift: np.ndarray, degrees: np.ndarray, height: int, width: int) -> np.ndarray:
    """float64 N x 2 x 3: scaled (2 x N: x, y) and turned (N) about the centre of the image, then shifted (2 x N, px)."""
    angle, centre = np.deg2rad(degrees), np.array([width / 2 - 0.5, height / 2 - 0.5])
    turned = np.stack([np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([-np.sin(angle), np.cos(angle)], 1)], 1)
    linear = turned * scale.T[:, None, :]
    return np.concatenate([linear, (shift.T + centre - linear @ centre)[..., None]], axis=2)


def _brighter(step: A.RandomBrightnessContrast, images: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    contrast = 1 + rng.uniform(*step.contrast_limit, (len(chosen), 1))
    brightness = 255 * rng.uniform(*step.brightness_limit, (len(chosen), 1))
    tables = _as_levels(LEVELS * contrast.astype(np.float32) + brightness.astype(np.float32))
    for row, levels in zip(chosen, tables, strict=True):
        images[row] = cv2.LUT(images[row], levels).reshape(images.shape[1:])


def _tinted(step: A.HueSaturationValue, images: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    limits = (step.hue_shift_limit, step.sat_shift_limit, step.val_shift_limit)
    hue, saturation, value = (rng.uniform(*limit, (len(chosen), 1)) for limit in limits)
    saturations = _as_levels(LEVELS + saturation)
    saturations[:, 0] = 0  # grey stays grey
    tables = np.stack([np.mod(LEVELS + hue, HUES).astype(np.uint8), saturations, _as_levels(LEVELS + value)], axis=2)[:, :, None]
    for row, levels in zip(chosen, tables, strict=True):
        images[row] = cv2.cvtColor(cv2.LUT(cv2.cvtColor(images[row], cv2.COLOR_RGB2HSV), levels), cv2.COLOR_HSV2RGB)


def _as_levels(values: np.ndarray) -> np.ndarray:
    return values.clip(0, 255).astype(np.uint8)  # cut off as the library does


def _holed(step: A.CoarseDropout, images: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    height, width = images.shape[1:3]
    lowest, highest = step.num_holes_range
    rows = np.repeat(chosen, rng.integers(lowest, highest + 1, len(chosen)))
    high = (height * rng.uniform(*step.hole_height_range, len(rows))).astype(int)
    wide = (width * rng.uniform(*step.hole_width_range, len(rows))).astype(int)
    top, left = rng.integers(0, height - high + 1), rng.integers(0, width - wide + 1)
    for row, y, x, y_end, x_end in zip(rows, top, left, top + high, left + wide, strict=True):
        images[row, y:y_end, x:x_end] = step.fill


def _one_way(step: A.OneOf, images: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    taken = rng.choice(len(step.transforms), len(chosen), p=step.transforms_ps)
    for number, inner in enumerate(step.transforms):
        _way(inner)(inner, images, chosen[taken == number], rng)


# of each kind of step: whether it asks for no more than the function does, and the function
BATCHWISE: dict[type, tuple[Callable[[Any], bool], Way]] = {
    A.HorizontalFlip: (lambda step: True, _mirrored),
    A.D4: (lambda step: True, _one_of_eight),
    A.Affine: (
        lambda step: (
            step.translate_percent is not None
            and not (step.fit_output or step.keep_ratio or step.balanced_scale or np.any(step.fill))
            and not np.any([step.shear["x"], step.shear["y"]])
        ),
        _warped,
    ),
    A.RandomBrightnessContrast: (lambda step: step.brightness_by_max and not step.ensure_safe_range, _brighter),
    A.HueSaturationValue: (lambda step: True, _tinted),
    A.CoarseDropout: (
        lambda step: isinstance(step.fill, int | float) and max(step.hole_height_range[1], step.hole_width_range[1]) < 1,
        _holed,
    ),
    A.OneOf: (lambda step: True, _one_way),
}
