"""Images that are changed while a command decodes or trains, and between two commands on one run."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from competition.cache import Pixels, pixels
from competition.config import Config
from competition.errors import CompetitionError
from competition.files import Files
from competition.images import FileImages
from folds.run import Run
from folds.same_images import changed_images
from tests.competition.test_cache import photos, table
from tests.faults.test_stops import same_weights, when
from tests.models.examples import job_of
from tests.models.test_fit import run

SIDE = 8


class Painted(FileImages):
    """While one of its images is read, another is painted anew."""

    def read(self, key: str, at_least: int | None = None) -> np.ndarray:
        if key == "3.png":
            paint(self.files.root / "0.png", 200)
        return super().read(key, at_least)


def paint(path: Path, grey: int) -> None:
    """Writes an image of one grey, a second younger than what was there."""
    time = path.stat().st_mtime_ns + 1_000_000_000 if path.exists() else 0
    cv2.imwrite(str(path), np.full((SIDE, SIDE, 3), grey, np.uint8))
    os.utime(path, ns=(time, time))


def decoded(place: Path, keys: Sequence[str], kind: type[FileImages] = FileImages) -> Pixels:
    return pixels(kind(Files(place / "photos")), table(keys), SIDE, 3, "bilinear", place / "cache")


def test_an_image_that_changes_while_images_are_decoded_is_decoded_anew(tmp_path: Path) -> None:
    keys = photos(tmp_path / "photos")["image"].tolist()
    with pytest.raises(CompetitionError, match="image files were changed while they were decoded; the same command decodes them anew"):
        decoded(tmp_path, keys, Painted)
    assert not list((tmp_path / "cache").iterdir()), "neither the old pixels nor the new ones under a name that says the other"
    assert [image.mean() for image in decoded(tmp_path, keys)] == [200, 10, 20, 30]


def test_training_does_not_see_that_an_image_changes(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    keys = [f"{number}.png" for number in range(96)]
    for number, key in enumerate(keys):
        paint(tmp_path / "photos" / key, 2 * number)
    job = replace(job_of(tmp_path / "run" / "fold0", optim={"epochs": 3}), pixels=decoded(tmp_path, keys))
    whole = replace(job, directory=tmp_path / "whole" / "fold0")
    run(whole)

    def painted() -> None:
        for key in keys:
            paint(tmp_path / "photos" / key, 255)

    run(job, when(3, painted))
    assert same_weights(whole, job)


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Run, list[str]]:
    """A run that has seen four images, and their keys."""
    keys = photos(tmp_path / "photos")["image"].tolist()
    begun = Run(tmp_path / "run", Config())
    assert not changed_images(begun, keys, decoded(tmp_path, keys))
    return begun, keys


def test_nothing_is_said_of_images_that_are_the_same(begun: tuple[Run, list[str]], tmp_path: Path) -> None:
    run, keys = begun
    assert not changed_images(run, keys, decoded(tmp_path, keys))
    for number, key in enumerate(keys):
        paint(tmp_path / "photos" / key, 10 * number)  # as an archive that is unpacked again: other times, the same pixels
    assert not changed_images(run, keys, decoded(tmp_path, keys))
    for path in tmp_path.glob("cache/*"):
        path.unlink()
    assert not changed_images(run, keys, decoded(tmp_path, keys)), "nor compared again"


def test_images_that_changed_since_a_run_began_are_named(begun: tuple[Run, list[str]], tmp_path: Path) -> None:
    run, keys = begun
    for key in keys[1:3]:
        paint(tmp_path / "photos" / key, 77)
    told = changed_images(run, keys, decoded(tmp_path, keys))
    assert told == (
        f"2 of 4 training images are not those that {run.directory} was begun with: '1.png', '2.png'; folds trained before have learned "
        "from the others. A new --name makes all folds alike"
    )
    assert changed_images(run, keys, decoded(tmp_path, keys)) == told, "each command says so"


def test_without_the_pixels_of_then_it_is_said_that_nobody_can_tell(begun: tuple[Run, list[str]], tmp_path: Path) -> None:
    run, keys = begun
    kept = Path((run.directory / "images.txt").read_text().strip())
    kept.unlink()
    assert not changed_images(run, keys, decoded(tmp_path, keys)), "the same files: decoded anew under the same name"
    kept.unlink()
    paint(tmp_path / "photos" / keys[0], 0)
    assert changed_images(run, keys, decoded(tmp_path, keys)) == (
        f"image files have other sizes or times than when {run.directory} was begun; whether their pixels changed cannot be told: "
        f"{kept} is gone"
    )
