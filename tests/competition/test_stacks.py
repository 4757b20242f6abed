"""Images on top of each other in one array: what is a stack, what goes with it, and its pixels."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.config import CompetitionConfig
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.load import load
from tests.layouts import SPECIES, Tree, csv, pictures, put
from tests.trees import npy

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
CLASSES = np.arange(12) % 3
WORDS = np.array(SPECIES)[CLASSES]


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def sample(cell: object) -> Tree:
    return {"sample_submission.csv": csv("Id,Category", [f"{row},{cell}" for row in range(4)])}


def loose(x: np.ndarray, y: np.ndarray, test: np.ndarray, cell: object) -> Tree:
    return {"X_train.npy": npy(x), "y_train.npy": npy(y), "X_test.npy": npy(test), **sample(cell)}


WAYS: dict[str, Callable[[], Tree]] = {
    "arrays": lambda: loose(IMAGES, WORDS, IMAGES[:4], SPECIES[0]),
    "labels as a column": lambda: loose(IMAGES, WORDS[:, None], IMAGES[:4], SPECIES[0]),
    "labels as bytes": lambda: loose(IMAGES, WORDS.astype("S"), IMAGES[:4], SPECIES[0]),
    "channels first": lambda: loose(IMAGES.transpose(0, 3, 1, 2), WORDS, IMAGES[:4].transpose(0, 3, 1, 2), SPECIES[0]),
    "fractions": lambda: loose(IMAGES / 255, WORDS, IMAGES[:4] / 255, SPECIES[0]),
    "fractions around 0": lambda: loose(IMAGES / 127.5 - 1, WORDS, IMAGES[:4] / 127.5 - 1, SPECIES[0]),
    "whole numbers as float32": lambda: loose(IMAGES.astype(np.float32), WORDS, IMAGES[:4].astype(np.float32), SPECIES[0]),
    "16 bits": lambda: loose(IMAGES.astype(np.uint16) * 256 + 7, WORDS, IMAGES[:4].astype(np.uint16) * 256, SPECIES[0]),
    "an npz each": lambda: {"train.npz": npz(x=IMAGES, y=WORDS), "test.npz": npz(x=IMAGES[:4]), **sample(SPECIES[0])},
    "one npz": lambda: {"data.npz": npz(x_train=IMAGES, y_train=WORDS, x_test=IMAGES[:4]), **sample(SPECIES[0])},
    "folders": lambda: {
        "train/images.npy": npy(IMAGES),
        "train/labels.npy": npy(WORDS),
        "test/images.npy": npy(IMAGES[:4]),
        **sample(SPECIES[0]),
    },
    "a table of labels alone": lambda: {
        "train.npy": npy(IMAGES),
        "labels.csv": csv("species", WORDS),
        "test.npy": npy(IMAGES[:4]),
        **sample(SPECIES[0]),
    },
    "a table of labels in another order": lambda: {
        "train_images.npy": npy(IMAGES),
        "train_labels.csv": csv("id,label", [f"{row},{WORDS[row]}" for row in reversed(range(12))]),
        "test_images.npy": npy(IMAGES[:4]),
        **sample(SPECIES[0]),
    },
}


def found(tree: Tree, place: Path) -> Competition:
    return load(CompetitionConfig(source=str(put(place / "contest", tree))))


def images(contest: Competition, part: str) -> np.ndarray:
    return np.stack([contest.images.read(key) for key in getattr(contest, part)["image"]])


@pytest.mark.parametrize("way", WAYS)
def test_images_and_their_labels_row_by_row(way: str, tmp_path: Path) -> None:
    contest = found(WAYS[way](), tmp_path)
    assert contest.task.classes == SPECIES
    np.testing.assert_array_equal(contest.truth.argmax(axis=1), CLASSES)
    np.testing.assert_array_equal(images(contest, "train"), IMAGES)
    np.testing.assert_array_equal(images(contest, "test"), IMAGES[:4])
    assert contest.test["id"].tolist() == ["0", "1", "2", "3"]
    assert any("row by row" in note for note in contest.notes)


LABELS = {"numbers": CLASSES, "fractions": CLASSES.astype(np.float64), "a 1 in each row": np.eye(3)[CLASSES], "rows": CLASSES[:, None]}


@pytest.mark.parametrize("way", LABELS)
def test_labels_are_numbers_in_any_form(way: str, tmp_path: Path) -> None:
    contest = found(loose(IMAGES, LABELS[way], IMAGES[:4], 0), tmp_path)
    assert contest.task.classes == ("0", "1", "2")
    np.testing.assert_array_equal(contest.truth.argmax(axis=1), CLASSES)


def test_rows_of_pixels_are_squares(tmp_path: Path) -> None:
    square = np.random.default_rng(0).integers(0, 256, (12, 36), dtype=np.uint8)
    contest = found(loose(square, CLASSES, square[:4], 0), tmp_path)
    np.testing.assert_array_equal(images(contest, "train"), square.reshape(12, 6, 6, 1))


def test_ids_of_a_test_table_are_answered_for(tmp_path: Path) -> None:
    tree = loose(IMAGES, CLASSES, IMAGES[:4], 0) | {"test.csv": csv("Id", ["w", "x", "y", "z"])}
    tree |= {"sample_submission.csv": csv("Id,Category", ["z,0", "y,0", "x,0", "w,0"])}
    contest = found(tree, tmp_path)
    assert contest.test["id"].tolist() == ["z", "y", "x", "w"]
    np.testing.assert_array_equal(images(contest, "test"), IMAGES[:4][::-1])


def test_images_for_validation_are_named_as_unused(tmp_path: Path) -> None:
    contest = found(loose(IMAGES, CLASSES, IMAGES[:4], 0) | {"X_val.npy": npy(IMAGES[:5]), "y_val.npy": npy(CLASSES[:5])}, tmp_path)
    assert "rows of images that are not used: 'X_val.npy'" in contest.notes


def test_one_array_among_images_of_other_kinds_is_an_image(tmp_path: Path) -> None:
    tree: Tree = {**pictures(f"train/{row}.png" for row in range(11)), "train/11.npy": npy(IMAGES[0])}
    tree |= pictures(f"test/{row}.png" for row in range(4))
    tree |= {"train.csv": csv("Id,Category", [f"{row},{WORDS[row]}" for row in range(12)]), **sample(SPECIES[0])}
    assert found(tree, tmp_path).train["image"].iloc[-1] == "train/11.npy"


def test_arrays_beside_images_in_files_are_none_of_them(tmp_path: Path) -> None:
    """Features that somebody worked out, say."""
    tree: Tree = {f"train/{row}.npy": npy(IMAGES[row]) for row in range(12)}
    tree |= {f"test/{row}.npy": npy(IMAGES[row]) for row in range(4)}
    tree |= {"train.csv": csv("Id,Category", [f"{row},{WORDS[row]}" for row in range(12)]), **sample(SPECIES[0])}
    alone = found(tree, tmp_path / "alone")
    beside = found(tree | {"features.npz": npz(x=IMAGES, y=WORDS)}, tmp_path / "beside")
    assert beside.train["image"].tolist() == alone.train["image"].tolist() == [f"train/{row}.npy" for row in range(12)]
    assert beside.test["image"].tolist() == alone.test["image"].tolist()


WRONG: dict[str, tuple[Tree, str]] = {
    "objects": (
        loose(IMAGES, WORDS.astype(object), IMAGES[:4], SPECIES[0]),
        r"y_train.npy: it holds Python objects, .* are not; .*astype\(str\)",
    ),
    "cut": ({**loose(IMAGES, WORDS, IMAGES[:4], 0), "y_train.npy": npy(WORDS)[:-9]}, r"y_train.npy: the array cannot be read"),
    "dates": (
        loose(IMAGES, np.arange(12).astype("M8[D]"), IMAGES[:4], 0),
        r"y_train.npy: labels are text or numbers, these are datetime64",
    ),
    "two arrays of training images": (
        {"train_a.npy": npy(IMAGES), "train_b.npy": npy(IMAGES), "y_train.npy": npy(CLASSES), **sample(0)},
        "no labels were found",
    ),
    "no words": ({"a.npz": npz(p=IMAGES, q=CLASSES)}, r"arrays of images are read where their names say what they are: X_train.npy"),
    "no test": ({"X_train.npy": npy(IMAGES), "y_train.npy": npy(CLASSES)}, "the test set is empty"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_stack_is_one_error(case: str, tmp_path: Path) -> None:
    tree, text = WRONG[case]
    with pytest.raises(CompetitionError, match=text):
        found(tree, tmp_path)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.linspace(-3, 3, 12 * 25).reshape(12, 5, 5), r"X_train.npy: its values go from -3 to 3; 0 to 255, 0 to 1 and -1 to 1"),
        (np.full((12, 5, 5), np.nan), r"X_train.npy: its values go from nan to nan"),
        (np.full((12, 5, 5), 1j), r"X_train.npy: an array of complex128 holds no images"),
    ],
)
def test_pixels_of_another_kind_are_named(values: np.ndarray, text: str, tmp_path: Path) -> None:
    contest = found(loose(values, CLASSES, values[:4], 0), tmp_path)
    with pytest.raises(CompetitionError, match=text):
        images(contest, "train")
