from pathlib import Path

import cv2
import numpy as np
import pytest

from competition.cache import fit_square
from folds.audit import audit
from folds.turned import SIDE, find_turned
from tests.folds.planted import photographs, silhouettes, tilted, tilted_and_cropped
from tests.folds.test_audit import contest_of

ANGLES = (-25.0, -17.0, -8.0, 5.0, 12.0, 21.0)


def framed(picture: np.ndarray) -> np.ndarray:
    return fit_square(np.ascontiguousarray(picture), SIDE, 1, "bilinear")[..., 0]


def textured(count: int) -> list[np.ndarray]:
    """The tiles of photographs that have most in them: there are no features in a sky."""
    return sorted(photographs(), key=lambda picture: -float(cv2.Laplacian(picture, cv2.CV_32F).std()))[:count]


def test_copies_turned_by_any_angle_are_found_and_look_alikes_are_not() -> None:
    originals = textured(30)
    copies = [tilted(originals[place], angle, mirrored=place % 2 == 1) for place, angle in enumerate(ANGLES)]
    found = find_turned(np.stack([framed(picture) for picture in [*originals, *copies]]))
    assert sorted(found[["a", "b"]].to_numpy().tolist()) == [[place, 30 + place] for place in range(len(ANGLES))]
    by_place = found.set_index("a")
    for place, angle in enumerate(ANGLES):
        assert by_place["view"][place] == (4 if place % 2 else 0)
        assert by_place["angle"][place] == pytest.approx(-angle, abs=1)


def test_copies_that_were_cropped_and_stretched_after_the_turn_are_found() -> None:
    originals = textured(30)
    copies = [tilted_and_cropped(originals[place], angle) for place, angle in enumerate(ANGLES)]
    found = find_turned(np.stack([framed(picture) for picture in [*originals, *copies]]))
    assert sorted(found[["a", "b"]].to_numpy().tolist()) == [[place, 30 + place] for place in range(len(ANGLES))]


def test_silhouettes_that_look_alike_are_not_taken_for_turned_copies() -> None:
    assert find_turned(np.stack([framed(picture) for picture in silhouettes()])).empty


@pytest.mark.parametrize("count", [0, 1, 3])
def test_images_without_features_are_no_trouble(count: int) -> None:
    assert find_turned(np.full((count, SIDE, SIDE), 7, np.uint8)).empty


def test_the_thorough_audit_names_turned_copies_as_such_and_ties_them(tmp_path: Path) -> None:
    pictures = textured(24)
    train = [*pictures[:20], tilted(pictures[4], 20), pictures[7]]
    contest = contest_of([cv2.resize(np.ascontiguousarray(picture), (96, 96)) for picture in train], pictures[20:])
    quick, thorough = (audit(contest, tmp_path, 5, depth) for depth in ("alike", "thorough"))
    assert quick.pairs["kind"].tolist() == ["same pixels"]
    assert thorough.pairs[["id_a", "id_b", "kind"]].to_numpy().tolist() == [["t7", "t21", "same pixels"], ["t4", "t20", "turned"]]
    assert thorough.group_of["t4"] == thorough.group_of["t20"]
