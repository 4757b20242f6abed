"""Named Albumentations pipelines: (size, symmetry, channels) -> A.Compose over uint8 images.

Normalising is not among them: it is done on the device.
Mirrorings come in only where they leave a likely image (competition/symmetry.py measures that): no flips for digits.
"""

import ast
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import albumentations as A
import cv2
import numpy as np

from competition.errors import choose
from competition.symmetry import used_symmetry
from models.errors import ModelError

Steps = list[Any]


def pipeline(strength: str, size_px: int, symmetry: str, extra: tuple[str, ...] = (), channels: int = 3) -> A.Compose:
    """The pipeline of that strength, with the mirrorings of that symmetry and the extra steps last.

    Raises: CompetitionError for an unknown strength or symmetry; ModelError for an extra step that Albumentations does not have or take,
    or that does not keep a uint8 image of size_px one.
    """
    choose("augmentation", strength, STRENGTHS)
    choose("symmetry", symmetry, SYMMETRIES)
    mirrorings = SYMMETRIES[used_symmetry(symmetry, strength)]()
    further = [parse_step(text) for text in extra]
    for text, step in zip(extra, further, strict=True):
        _try(text, step, size_px, channels)
    with strict():
        return A.Compose([*mirrorings, *STRENGTHS[strength](size_px, channels), *further])


def parse_step(text: str) -> Any:
    """An Albumentations step from how one writes it: "GaussNoise(std_range=(0.02, 0.1), p=0.3)". Arguments are literals; nothing is run.

    Raises: ModelError that says what does not fit.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if isinstance(call, ast.Name):
            name, arguments = call.id, {}
        elif isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args and all(part.arg for part in call.keywords):
            name, arguments = call.func.id, {str(part.arg): ast.literal_eval(part.value) for part in call.keywords}
        else:
            raise SyntaxError("it should read NAME(argument=value, ...)")
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ModelError(f"--augment.extra {text!r} cannot be read: {error}") from None
    known = [
        item
        for item in dir(A)
        if isinstance(getattr(A, item), type) and issubclass(getattr(A, item), A.ImageOnlyTransform | A.DualTransform)
    ]
    choose("Albumentations step", name, known)
    try:
        with strict():
            return getattr(A, name)(**arguments)
    except Exception as error:  # the library's own checks raise many kinds
        raise ModelError(f"--augment.extra {text!r} does not fit: {' '.join(str(error).split())}") from None


def _try(text: str, step: Any, size_px: int, channels: int) -> None:
    """Raises ModelError where the step fails on an image, or gives one of another size or type."""
    try:
        with strict():
            given = step(image=np.zeros((size_px, size_px, channels), np.uint8), force_apply=True)["image"]
    except Exception as error:  # the library's own checks raise many kinds
        raise ModelError(f"--augment.extra {text!r} does not fit: {' '.join(str(error).split())}") from None
    if given.shape[:2] != (size_px, size_px) or given.dtype != np.uint8:
        what = f"{given.dtype} {' x '.join(map(str, given.shape[:2]))}"
        raise ModelError(f"--augment.extra {text!r} gives {what} where uint8 {size_px} x {size_px} is needed; normalising is done after it")


@contextmanager
def strict() -> Iterator[None]:
    """Within it, what Albumentations only warns of (an argument that it does not know and drops) is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def _none(size_px: int, channels: int) -> Steps:
    return []


def _light(size_px: int, channels: int) -> Steps:
    return [_affine(scale=0.05, shift=0.06, degrees=8, p=0.8)]


def _medium(size_px: int, channels: int) -> Steps:
    return [
        _affine(scale=0.12, shift=0.08, degrees=15, p=0.8),
        A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.15, p=0.5),
        *_holes(size_px, share=(0.1, 0.3), p=0.25),
    ]


def _heavy(size_px: int, channels: int) -> Steps:
    return [
        _affine(scale=0.25, shift=0.12, degrees=30, p=0.9),
        A.RandomBrightnessContrast(brightness_limit=0.3, contrast_limit=0.3, p=0.7),
        *([A.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=25, val_shift_limit=0, p=0.4)] if channels == 3 else []),
        A.OneOf([A.GaussianBlur(blur_limit=(3, 5)), A.GaussNoise(std_range=(0.02, 0.08))], p=0.25),
        *_holes(size_px, share=(0.15, 0.4), p=0.5),
    ]


def _affine(scale: float, shift: float, degrees: float, p: float) -> Any:
    return A.Affine(
        scale=(1 - scale, 1 + scale),
        translate_percent={"x": (-shift, shift), "y": (-shift, shift)},
        rotate=(-degrees, degrees),
        border_mode=cv2.BORDER_REFLECT_101,
        p=p,
    )


def _holes(size_px: int, share: tuple[float, float], p: float) -> Steps:
    """One hole of these shares of the sides; images of 16 px and less keep what little they have."""
    if size_px <= 16:
        return []
    return [A.CoarseDropout(num_holes_range=(1, 1), hole_height_range=share, hole_width_range=share, p=p)]


SYMMETRIES: dict[str, Callable[[], Steps]] = {
    "none": list,
    "horizontal": lambda: [A.HorizontalFlip(p=0.5)],
    "all": lambda: [A.D4(p=1.0)],
}

STRENGTHS: dict[str, Callable[[int, int], Steps]] = {"none": _none, "light": _light, "medium": _medium, "heavy": _heavy}
