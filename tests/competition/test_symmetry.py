from pathlib import Path

import numpy as np
import pytest

from competition.symmetry import FEWEST_IN_CLASS, LIKELY_BELOW, MIRRORINGS, find_symmetry, symmetry_of

SIDE = 16


def noise(rows: int = 400, seed: int = 0, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 120, (rows, SIDE, SIDE, channels)).astype(np.float64)


def found(images: np.ndarray, classes: np.ndarray | None = None) -> str:
    given = np.clip(images, 0, 255).astype(np.uint8)
    return find_symmetry(given, np.zeros(len(images), int) if classes is None else classes).value


def arrows(rows: int, codes: np.ndarray) -> np.ndarray:
    """Code 0 points left, 1 right: each is the other's mirror image."""
    images = noise(rows)
    images[codes == 0, 4:12, :4] += 100
    images[codes == 1, 4:12, -4:] += 100
    return images


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_without_a_direction_may_be_turned_any_way(channels: int) -> None:
    assert found(noise(channels=channels)) == "all"


def test_blobs_anywhere_may_be_turned_any_way() -> None:
    images, generator = noise(600), np.random.default_rng(1)
    for image in images:
        row, column = generator.integers(0, SIDE - 4, 2)
        image[row : row + 4, column : column + 4] += 100
    assert found(images) == "all"


def test_pictures_with_a_sky_may_be_mirrored_left_to_right_only() -> None:
    assert found(noise() + np.linspace(100, 0, SIDE)[None, :, None, None]) == "horizontal"


def test_pictures_lit_from_one_side_may_not_be_mirrored() -> None:
    assert found(noise() + np.linspace(100, 0, SIDE)[None, None, :, None]) == "none"


def test_a_class_whose_mirror_image_is_another_class_may_not_be_mirrored() -> None:
    """All arrows together look the same mirrored, those to the left do not. Every second row is of a kind, which must not matter."""
    codes = np.arange(400) % 2
    images = arrows(400, codes)
    assert found(images, codes) == "none"
    assert found(images) == "horizontal", "without the classes nobody could tell"


def test_the_order_of_the_rows_does_not_matter() -> None:
    codes = np.sort(np.arange(400) % 2)
    assert found(arrows(400, codes), codes) == "none"


def test_pictures_symmetric_by_halves_alone() -> None:
    """Left and right alike, up and down alike, but lying: turned by 90 degrees they would stand."""
    images = noise()
    images[:, 6:10] += 80
    assert found(images) == "horizontal"


@pytest.mark.parametrize("rows", [0, 1, FEWEST_IN_CLASS - 1])
def test_too_few_to_tell_is_none_and_a_guess(rows: int) -> None:
    reason = find_symmetry(noise(rows).astype(np.uint8), np.zeros(rows, int))
    assert (reason.value, reason.sure) == ("none", False)
    assert f"{rows} training images are too few" in reason.why


def test_classes_too_small_to_ask_each_are_asked_together() -> None:
    assert found(noise(200), np.arange(200) // 2) == "all"
    assert found(noise(200) + np.linspace(100, 0, SIDE)[None, None, :, None], np.arange(200) // 2) == "none"


def test_the_reason_gives_what_was_measured() -> None:
    reason = find_symmetry(noise(100).astype(np.uint8), np.zeros(100, int))
    for name in MIRRORINGS:
        assert name in reason.why
    assert str(LIKELY_BELOW) in reason.why


@pytest.mark.parametrize("size_px", [1, 4, 40])
def test_any_size_can_be_measured(size_px: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, size_px, size_px, 1), dtype=np.uint8)
    assert find_symmetry(images, np.zeros(60, int)).value in ("none", "horizontal", "all")


def test_flat_pictures_are_the_same_in_every_mirror() -> None:
    assert found(np.full((60, SIDE, SIDE, 3), 128.0)) == "all"


def test_the_same_pictures_give_the_same_answer() -> None:
    images = noise(100).astype(np.uint8)
    assert find_symmetry(images, np.zeros(100, int)) == find_symmetry(images, np.zeros(100, int))


def test_what_was_measured_is_kept_for_the_same_pixels_and_classes(tmp_path: Path) -> None:
    images, classes = noise(100).astype(np.uint8), np.zeros(100, int)
    for name in ("one", "other"):
        np.save(tmp_path / f"{name}.npy", images)
    one, other = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("one", "other"))
    first = symmetry_of(one, classes, tmp_path / "kept")
    assert first == find_symmetry(images, classes)
    assert symmetry_of(one, classes, tmp_path / "kept") == first
    assert len(list((tmp_path / "kept").iterdir())) == 1
    symmetry_of(one, classes + 1, tmp_path / "kept")
    symmetry_of(other, classes, tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 3
