"""What miniatures of competitions are made of."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from tests.layouts import SPECIES, Tree, csv, pictures


@dataclass(frozen=True)
class Miniature:
    """What is wanted of it; train and test: number of rows, and the id of the first."""

    tree: Callable[[], Tree]
    task: str
    answer: str
    classes: int
    train: tuple[int, str]
    test: tuple[int, str]
    groups: str = ""
    note: str = ""  # what one of the notes begins with


def faces(rows: Iterable[tuple[str, ...]], quote: str = "") -> list[str]:
    """Rows whose cell "pixels" becomes a string of 36 numbers."""
    random = np.random.default_rng(0)
    return [
        ",".join(quote + " ".join(map(str, random.integers(0, 256, 36))) + quote if cell == "pixels" else cell for cell in row)
        for row in rows
    ]


def labels(count: int, classes: Iterable[str] = SPECIES) -> list[str]:
    names = list(classes)
    return [names[place % len(names)] for place in range(count)]


def sample(header: str, ids: Iterable[str], cell: str, name: str = "sample_submission.csv") -> Tree:
    return {name: csv(header, [f"{identifier},{cell}" for identifier in ids])}


def tiff(number: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (5, 4), (number, 90, 30)).save(file, "TIFF")
    return file.getvalue()


def tiffs(paths: Iterable[str]) -> Tree:
    return {path: tiff(number) for number, path in enumerate(paths)}


def at(names: Iterable[object], ending: str = ".jpg", folder: str = "") -> list[str]:
    return [f"{folder}{name}{ending}" for name in names]


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


TRAIN = [f"a{number:02d}" for number in range(12)]
TEST = [f"b{number:02d}" for number in range(4)]
BOTH = {**pictures(f"train/{name}.jpg" for name in TRAIN), **pictures(f"test/{name}.jpg" for name in TEST)}
PLAIN = {"train.csv": csv("id,label", [f"{n},{label}" for n, label in zip(TRAIN, labels(12), strict=True)])}
ASKED = sample("id,label", TEST, SPECIES[0])
