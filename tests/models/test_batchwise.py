"""A whole batch at once is the pipeline itself: equal where nothing is drawn, of one distribution where something is."""

from typing import Any

import albumentations as A
import cv2
import numpy as np
import pytest
from scipy.stats import ks_2samp

from models.augment import STRENGTHS, SYMMETRIES, pipeline
from models.batchwise import BATCHWISE, Batchwise, affine_matrices

DRAWS = 1500
SMOOTH = cv2.resize(np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8), (24, 24), interpolation=cv2.INTER_CUBIC)


def some(count: int = 6, size_px: int = 24, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, size_px, size_px, channels), dtype=np.uint8)


def whole(step: Any, images: np.ndarray, seed: int = 0) -> np.ndarray:
    return Batchwise(A.Compose([step]))(images.copy(), seed)


SHIFTED = {"x": (0.1, 0.1), "y": (-0.2, -0.2)}
WARP = {"scale": (1.2, 1.2), "translate_percent": SHIFTED, "rotate": (20, 20), "p": 1.0}
FIXED: dict[str, Any] = {  # steps that draw nothing
    "mirrored": A.HorizontalFlip(p=1.0),
    "warped": A.Affine(**WARP),
    "warped, reflected": A.Affine(**WARP, border_mode=cv2.BORDER_REFLECT_101),
    "warped, x and y apart": A.Affine(**{**WARP, "scale": {"x": (0.8, 0.8), "y": (1.3, 1.3)}}),
    "brighter": A.RandomBrightnessContrast((0.2, 0.2), (-0.3, -0.3), p=1.0),
    "darker": A.RandomBrightnessContrast((-0.17, -0.17), (0.23, 0.23), p=1.0),
    "one of one": A.OneOf([A.HorizontalFlip()], p=1.0),
    # no function of their own, or asked for more than it does: one by one
    "sheared": A.Affine(**WARP, shear=(10, 10)),
    "filled": A.Affine(**WARP, fill=90),
    "by px": A.Affine(translate_px={"x": (3, 3), "y": (2, 2)}, p=1.0),
    "brighter by the mean": A.RandomBrightnessContrast((0.2, 0.2), (0.1, 0.1), brightness_by_max=False, p=1.0),
    "upside down": A.VerticalFlip(p=1.0),
}


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("name", FIXED)
def test_a_step_that_draws_nothing_gives_the_same_pixels(name: str, channels: int) -> None:
    images = some(channels=channels)
    alone = np.stack([FIXED[name](image=image, force_apply=True)["image"].reshape(image.shape) for image in images])
    np.testing.assert_array_equal(whole(FIXED[name], images), alone)


@pytest.mark.parametrize("limits", [(7, 20, 0), (-9, -30, 12), (0.4, 25, -3)])
def test_a_tint_is_the_librarys(limits: tuple[float, float, float]) -> None:
    step = A.HueSaturationValue(*[(limit, limit) for limit in limits], p=1.0)
    images = some()
    images[0, :8] = 100  # grey
    alone = np.stack([step(image=image)["image"] for image in images])
    np.testing.assert_array_equal(whole(step, images), alone)


def test_the_matrix_turns_scales_and_shifts_by_hand() -> None:
    quarter = affine_matrices(np.ones((2, 1)), np.zeros((2, 1)), np.array([90.0]), 5, 5)[0]
    np.testing.assert_allclose(quarter @ [2, 2, 1], [2, 2])  # the centre stays
    np.testing.assert_allclose(quarter @ [4, 2, 1], [2, 0])
    moved = affine_matrices(np.array([[2.0], [3.0]]), np.array([[1.0], [-1.0]]), np.array([0.0]), 5, 7)[0]
    np.testing.assert_allclose(moved, [[2, 0, 3 - 2 * 3 + 1], [0, 3, 2 - 3 * 2 - 1]])


def seen(images: np.ndarray) -> np.ndarray:
    """float64 N x 21 of uint8 N x S x S x C: of a picture 16 pixels, its mean, spread, darkest, lightest, and what of it is black."""
    flat = images.reshape(len(images), -1).astype(float)
    places = np.linspace(0, flat.shape[1] - 1, 16).astype(int)
    return np.column_stack([flat[:, places], flat.mean(1), flat.std(1), flat.min(1), flat.max(1), (flat == 0).mean(1)])


def alike(transform: A.Compose, image: np.ndarray) -> float:
    """How likely it is that both ways draw one distribution from an image: the least p-value times the number of comparisons."""
    transform.set_random_seed(3)
    alone = seen(np.stack([transform(image=image)["image"].reshape(image.shape) for _ in range(DRAWS)]))
    batch = seen(Batchwise(transform)(np.repeat(image[None], DRAWS, axis=0), 3))
    return p_value(alone, batch)


def p_value(alone: np.ndarray, batch: np.ndarray) -> float:
    test: Any = ks_2samp
    each = [test(one, other, method="asymp").pvalue for one, other in zip(alone.T, batch.T, strict=True)]
    return len(each) * min(each)


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_both_ways_draw_from_one_distribution(strength: str, symmetry: str) -> None:
    assert alike(pipeline(strength, 24, symmetry), SMOOTH) > 0.05


TURNED = {"translate_percent": {"x": (-0.08, 0.08), "y": (-0.08, 0.08)}, "border_mode": cv2.BORDER_REFLECT_101, "p": 0.8}


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        (A.RandomBrightnessContrast((-0.15, 0.15), (-0.1, 0.1), p=0.5), A.RandomBrightnessContrast((-0.2, 0.2), (-0.1, 0.1), p=0.5)),
        (A.RandomBrightnessContrast((-0.15, 0.15), (-0.1, 0.1), p=0.5), A.RandomBrightnessContrast((-0.15, 0.15), (-0.1, 0.1), p=0.6)),
        (A.Affine(rotate=(-15, 15), **TURNED), A.Affine(rotate=(-19, 19), **TURNED)),
        (A.CoarseDropout((1, 1), (0.1, 0.3), (0.1, 0.3), p=0.25), A.CoarseDropout((1, 1), (0.1, 0.4), (0.1, 0.3), p=0.25)),
    ],
)
def test_the_comparison_would_see_a_difference(ours: Any, other: Any) -> None:
    transform = A.Compose([other])
    transform.set_random_seed(3)
    alone = seen(np.stack([transform(image=SMOOTH)["image"] for _ in range(4 * DRAWS)]))
    assert p_value(alone, seen(whole(ours, np.repeat(SMOOTH[None], 4 * DRAWS, axis=0)))) < 0.05


@pytest.mark.parametrize("kind", BATCHWISE)
def test_every_kind_of_step_is_among_those_compared(kind: type) -> None:
    used = [step for strength in STRENGTHS for symmetry in SYMMETRIES for step in pipeline(strength, 24, symmetry).transforms]
    assert any(isinstance(step, kind) for step in used)


def test_a_share_of_the_images_is_changed_and_the_rest_left_alone() -> None:
    images = np.repeat(some(1), 2000, axis=0)
    changed = (whole(A.InvertImg(p=0.3), images[:400]) != images[:400]).any((1, 2, 3)).mean()
    assert changed == pytest.approx(0.3, abs=0.07)
    changed = (whole(A.HorizontalFlip(p=0.3), images) != images).any((1, 2, 3)).mean()
    assert changed == pytest.approx(0.3, abs=0.04)


def test_the_seed_alone_decides() -> None:
    transform = Batchwise(pipeline("heavy", 24, "all", ("Sharpen(p=0.5)",)))
    one, again, other = (transform(some(), seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_holes_stay_within_and_have_their_sides() -> None:
    images = np.full((500, 20, 20, 3), 9, np.uint8)
    holed = whole(A.CoarseDropout((2, 2), (0.2, 0.2), (0.3, 0.3), p=1.0), images)
    missing = (holed == 0).all(3).sum((1, 2))
    assert missing.max() == 2 * 4 * 6
    assert missing.min() >= 4 * 6
