import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from competition.arrays import as_image
from competition.cache import fit_square
from competition.decode import decode, shape_of
from competition.errors import CompetitionError

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def png(array: np.ndarray) -> bytes:
    return cv2.imencode(".png", array[..., ::-1] if array.ndim == 3 else array)[1].tobytes()


SAME = {
    "as it is": PICTURE,
    "channels first": np.moveaxis(PICTURE, 2, 0),
    "another memory order": np.asfortranarray(PICTURE),
    "fractions": PICTURE / 255,
    "fractions of 32 bits": (PICTURE / 255).astype(np.float32),
    "16 bits": PICTURE.astype(np.uint16) << 8,
}


@pytest.mark.parametrize("form", SAME)
def test_the_same_picture_in_any_form_gives_the_same_array(form: str) -> None:
    content = npy(SAME[form])
    np.testing.assert_array_equal(decode(content, "a.npy"), decode(png(PICTURE), "a.png"))
    assert shape_of(content[:200]) == (20, 30, 3)


def test_16_bits_are_those_of_a_png() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30), dtype=np.uint16)
    np.testing.assert_array_equal(decode(npy(deep), "a"), decode(cv2.imencode(".png", deep)[1].tobytes(), "b"))


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 13])
def test_any_number_of_channels(channels: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, (20, 30, channels), dtype=np.uint8)
    np.testing.assert_array_equal(decode(npy(array), "a"), array)
    np.testing.assert_array_equal(decode(npy(np.moveaxis(array, 2, 0)), "a"), array)
    for interpolation in ("bilinear", "bicubic", "lanczos", "nearest"):
        for size_px in (8, 20, 64):
            square = fit_square(array, size_px, channels, interpolation)
            assert square.shape == (size_px, size_px, channels)
            first = fit_square(np.ascontiguousarray(array[..., :1]), size_px, 1, interpolation)
            assert np.abs(square[..., :1].astype(int) - first).max() <= 1  # cv2 rounds cubic weights otherwise for several channels


@settings(max_examples=30, deadline=None)
@given(low=st.integers(-30_000, 0), high=st.integers(1, 30_000), dtype=st.sampled_from(["int16", "int32", "float32", "float64"]))
def test_other_numbers_are_stretched_from_the_smallest_to_the_largest(low: int, high: int, dtype: str) -> None:
    array = np.linspace(low, high, 600).reshape(20, 30).astype(dtype)
    if array.min() < 0 or array.max() > 1 or np.issubdtype(array.dtype, np.integer):
        image = as_image(array, "a")
        assert (image.min(), image.max()) == (0, 255)
        assert (np.diff(image.ravel().astype(int)) >= 0).all()


def test_each_channel_is_stretched_by_itself_and_a_flat_one_is_black() -> None:
    array = np.stack([np.linspace(0, 1000, 600).reshape(20, 30), np.linspace(0, 10, 600).reshape(20, 30), np.full((20, 30), 7.0)], axis=2)
    image = as_image(array, "a")
    np.testing.assert_array_equal(image[..., 0], image[..., 1])
    assert image[..., 2].max() == 0


def test_truth_values_are_black_and_white() -> None:
    assert set(as_image(np.eye(8, dtype=bool), "a").ravel().tolist()) == {0, 255}


FAULTS = {
    "four axes": (np.zeros((2, 8, 8, 3)), r"image 'a': an image has two or three axes, this array is 2 x 8 x 8 x 3"),
    "no pixels": (np.zeros((0, 8)), "an image has two or three axes, this array is 0 x 8"),
    "not finite": (np.array([[np.nan, 1.0]]), "1 of 2 values are NaN or infinite"),
    "complex": (np.ones((8, 8), complex), "an array of complex128 is no image"),
    "text": (np.array([["a", "b"]]), "an array of <U1 is no image"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_no_image_is_one_error(case: str) -> None:
    array, text = FAULTS[case]
    with pytest.raises(CompetitionError, match=text):
        decode(npy(array), "a")


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "harm",)  # type: ignore[return-value]

    with pytest.raises(CompetitionError, match=r"it holds Python objects, .* and so are not"):
        decode(npy(np.array([Harm()], dtype=object)), "a")
    assert not (tmp_path / "harm").exists()


def test_a_cut_array_is_named() -> None:
    with pytest.raises(CompetitionError, match=r"image 'x/a.npy': the array cannot be read"):
        decode(npy(PICTURE)[:-5], "x/a.npy")


def test_tiffs_of_fractions() -> None:
    grey = (PICTURE[..., 0] / 255).astype(np.float32)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "TIFF")
    np.testing.assert_array_equal(decode(file.getvalue(), "a")[..., 0], PICTURE[..., 0])
    colour = cv2.imencode(".tiff", (PICTURE[..., ::-1] / 255).astype(np.float32))[1].tobytes()
    np.testing.assert_array_equal(decode(colour, "a"), PICTURE)
    bands = np.concatenate([PICTURE, PICTURE[..., :1]], axis=2)
    four = cv2.imencode(".tiff", (bands[..., [2, 1, 0, 3]] / 255).astype(np.float32))[1].tobytes()
    np.testing.assert_array_equal(decode(four, "a"), bands)
