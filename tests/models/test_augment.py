from collections.abc import Iterable
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest

from competition.errors import CompetitionError
from models.augment import STRENGTHS, SYMMETRIES, parse_step, pipeline
from models.errors import ModelError


def picture(size_px: int = 32, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size_px, size_px, channels), dtype=np.uint8)


def eight(image: np.ndarray) -> dict[str, np.ndarray]:
    """The flips and turns of an image, computed without the library."""
    turned = {f"turned {90 * times}": np.rot90(image, times) for times in range(4)}
    return turned | {f"{name}, mirrored": view[:, ::-1] for name, view in turned.items()}


def seen_among(images: Iterable[np.ndarray], views: dict[str, np.ndarray]) -> set[str]:
    return {next((name for name, view in views.items() if np.array_equal(image, view)), "another") for image in images}


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size_px", [8, 40])
def test_every_pipeline_gives_a_picture_of_the_same_kind_and_repeats_from_its_seed(
    strength: str, symmetry: str, channels: int, size_px: int
) -> None:
    image = picture(size_px, channels)
    before = image.copy()
    transform = pipeline(strength, size_px, symmetry, channels=channels)
    series = []
    for _ in range(2):
        transform.set_random_seed(5)
        series.append([transform(image=image)["image"] for _ in range(20)])
    for first, second in zip(*series, strict=True):
        assert (first.dtype, first.shape) == (np.uint8, image.shape)
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(image, before, err_msg="the original is read by other epochs too")
    if strength != "none":
        assert len({result.tobytes() for result in series[0]}) > 10


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_strength_none_leaves_pictures_as_they_are(symmetry: str) -> None:
    np.testing.assert_array_equal(pipeline("none", 32, symmetry)(image=picture())["image"], picture())


@pytest.mark.parametrize("strength", [name for name in STRENGTHS if name != "none"])
def test_without_symmetry_nothing_is_ever_mirrored(strength: str) -> None:
    """A picture that is bright on one side stays so, whatever else happens to it."""
    to_the_right = np.linspace(255, 0, 32).astype(np.uint8)[None, :, None].repeat(32, axis=0).repeat(3, axis=2)
    transform = pipeline(strength, 32, "none")
    transform.set_random_seed(0)
    for image in (to_the_right, to_the_right.transpose(1, 0, 2)):
        for _ in range(100):
            seen = transform(image=image)["image"].astype(float)
            seen = seen if image is to_the_right else seen.transpose(1, 0, 2)
            assert seen[:, :16].mean() > seen[:, 16:].mean()


def test_horizontal_mirrors_every_second_picture_left_to_right() -> None:
    image = picture()
    transform = A.Compose(SYMMETRIES["horizontal"]())
    transform.set_random_seed(0)
    views = {"itself": image, "mirrored": image[:, ::-1]}
    results = [transform(image=image)["image"] for _ in range(200)]
    assert seen_among(results, views) == set(views)
    assert 70 < sum(np.array_equal(result, image) for result in results) < 130


def test_all_gives_the_eight() -> None:
    image = picture()
    transform = A.Compose(SYMMETRIES["all"]())
    transform.set_random_seed(0)
    assert seen_among([transform(image=image)["image"] for _ in range(200)], eight(image)) == set(eight(image))


def test_a_stronger_pipeline_changes_more() -> None:
    image = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    change = {}
    for strength in ("none", "light", "medium", "heavy"):
        transform = pipeline(strength, 64, "none")
        transform.set_random_seed(0)
        change[strength] = np.mean([np.abs(transform(image=image)["image"].astype(int) - image).mean() for _ in range(100)])
    assert list(change.values()) == sorted(change.values())


def test_extra_steps_come_last() -> None:
    transform = pipeline("light", 32, "horizontal", ("GaussNoise(std_range=(0.02, 0.1), p=0.3)", "ToGray(p=1.0)", " InvertImg "))
    assert [type(step).__name__ for step in transform.transforms][-3:] == ["GaussNoise", "ToGray", "InvertImg"]
    noise: Any = transform.transforms[-3]
    assert (noise.std_range, noise.p) == ((0.02, 0.1), 0.3)


@pytest.mark.parametrize(
    ("step", "match"),
    [
        ("CoarseDropout(max_holes=8)", "does not fit: .*max_holes"),
        ("GaussNoise(var_limit=(10, 50))", "does not fit: .*var_limit"),
        ("GaussNoise(std_range=(0.2, 7))", "does not fit"),
        ("Rotate(limit='much')", "does not fit"),
        ("GaussNoise(0.1)", r"cannot be read: it should read NAME\(argument=value, ...\)"),
        ("GaussNoise(p=0.1", "cannot be read"),
        ("GaussNoise(**{'p': 0.1})", "cannot be read"),
        ("GaussNoise(p=half)", "cannot be read"),
        ("GaussNoise(p={[]: 1})", "cannot be read"),
        ("A.GaussNoise(p=0.1)", "cannot be read"),
        ("GaussNoise(p=0.1); Blur()", "cannot be read"),
        ("Gauss\0Noise()", "cannot be read"),
        ("", "cannot be read"),
        ("(" * 500 + ")" * 500, "cannot be read"),
    ],
)
def test_a_step_that_does_not_fit_says_why(step: str, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        parse_step(step)


@pytest.mark.parametrize(
    ("step", "nearest"),
    [
        ("GausNoise(p=0.1)", "GaussNoise"),
        ("Flip", "HorizontalFlip|VerticalFlip"),
        ("RandomBrightness()", "RandomBrightnessContrast"),
        ("Compose", ""),
    ],
)
def test_an_unknown_step_lists_the_nearest(step: str, nearest: str) -> None:
    with pytest.raises(CompetitionError, match=f"unknown Albumentations step .*({nearest})"):
        parse_step(step)


@pytest.mark.parametrize(
    "step",
    [
        "GaussNoise(p=__import__('pathlib').Path('{mark}').touch())",
        "__import__('pathlib').Path('{mark}').touch()",
        "GaussNoise(p=[open('{mark}', 'w')])",
        "(lambda: open('{mark}', 'w'))()",
        "GaussNoise(p=(x := open('{mark}', 'w')))",
        "exec(source=\"open('{mark}', 'w')\")",
        "open(file='{mark}', mode='w')",
    ],
)
def test_no_step_runs_code(step: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(ValueError, match=r"cannot be read|unknown Albumentations step"):
        parse_step(step.replace("{mark}", str(mark)))
    assert not mark.exists()


@pytest.mark.parametrize("step", ["RandomCrop(height=8, width=8)", "Normalize()", "ToFloat()"])
def test_a_step_that_changes_what_a_picture_is_is_an_error_at_once(step: str) -> None:
    with pytest.raises(ModelError, match=r"gives .* where uint8 32 x 32 is needed"):
        pipeline("light", 32, "none", (step,))


def test_crops_back_to_the_size_are_fine() -> None:
    pipeline("light", 32, "none", ("RandomResizedCrop(size=(32, 32))",))


def test_unknown_strengths_and_symmetries_list_the_nearest() -> None:
    with pytest.raises(CompetitionError, match="unknown augmentation 'hevy': perhaps 'heavy'"):
        pipeline("hevy", 32, "none")
    with pytest.raises(CompetitionError, match="unknown symmetry 'horizonal': perhaps 'horizontal'"):
        pipeline("light", 32, "horizonal")


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 13])
@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_any_number_of_channels_keeps_its_channels(strength: str, symmetry: str, channels: int) -> None:
    steps = pipeline(strength, 24, symmetry, (), channels)
    for seed in range(12):
        steps.set_random_seed(seed)
        image = np.random.default_rng(seed).integers(0, 256, (24, 24, channels), dtype=np.uint8)
        assert steps(image=image)["image"].reshape(24, 24, -1).shape == (24, 24, channels)
