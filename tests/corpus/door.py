"""What a competition meets on its way in: the same functions as `inspect` and `train.py` call, in this process and without torch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from competition.cache import Pixels, pixels
from competition.config import CompetitionConfig, FoldsConfig
from competition.console import console
from competition.contest import Competition
from competition.load import load
from competition.show import show
from folds.split import assign_folds
from tests.layouts import Tree, picture, put

SIDE_PX = 4
TEN = 10  # pictures differ by so much red
CLASSES = ("ant", "bee", "cat")
LABELS = {f"a{number}": CLASSES[number % 3] for number in range(9)}
TESTS = ("b0", "b1", "b2")
Rows = Mapping[str, str]


@dataclass(frozen=True)
class Right:
    """What must be understood.

    rows: class (or number) of each training id, in order. reds: which picture an id means, by its red; None: the nth id the nth picture.
    said: a regex that what `inspect` shows must match.
    """

    rows: Rows = field(default_factory=lambda: LABELS)
    tests: tuple[str, ...] = TESTS
    reds: Mapping[str, int] | None = None
    classes: tuple[str, ...] | None = None
    said: str = ""
    answers: str = ""  # the answer of the submission, where it matters


@dataclass(frozen=True)
class Seen:
    """A competition that came through, its pixels and what was shown."""

    contest: Competition
    pixels: Pixels
    tests: Pixels
    shown: str


def through(root: Path, tree: Tree, source: str = "", **ask: object) -> Seen:
    """Puts the files below root and takes them through the door; source: the file of the tree to be opened, else the directory.

    Raises: InputError.
    """
    place = put(root / "contest", tree) / source if tree else root
    contest = load(CompetitionConfig.model_validate({"source": str(place), **ask}))
    with console.capture() as captured:
        show(contest)
    parts = [pixels(contest.images, rows, SIDE_PX, 3, "bilinear", root / "cache") for rows in (contest.train, contest.test)]
    folds = assign_folds(contest, FoldsConfig(count=2))
    if set(folds) != {0, 1}:
        raise AssertionError(f"no two folds: {set(folds)}")
    return Seen(contest, parts[0], parts[1], " ".join(captured.get().split()))


def check(seen: Seen, wanted: Right) -> None:
    """That rows, classes, pictures and test ids are what they should be, each of them."""
    contest = seen.contest
    classes = wanted.classes or (tuple(sorted(set(wanted.rows.values()))) if contest.task.one_of_many else contest.task.classes)
    assert contest.task.classes == classes
    assert contest.train["id"].tolist() == list(wanted.rows)
    if contest.task.one_of_many:
        assert [contest.task.classes[code] for code in contest.truth.argmax(axis=1)] == list(wanted.rows.values())
    elif contest.task.kind == "regression":
        np.testing.assert_allclose(contest.truth[:, 0], [float(value) for value in wanted.rows.values()], rtol=1e-6)
    else:
        told = ["|".join(name for name, holds in zip(contest.task.classes, row, strict=True) if holds) for row in contest.truth]
        assert told == list(wanted.rows.values())
    assert tuple(contest.test["id"]) == wanted.tests
    reds = wanted.reds or {name: TEN * place for place, name in enumerate(wanted.rows)}
    assert seen.pixels[:, 0, 0, 0].tolist() == [reds[name] for name in wanted.rows]
    assert not wanted.answers or contest.submission.answer == wanted.answers


def red(number: int, kind: str = "PNG") -> bytes:
    return picture(TEN * number, kind)


def table(header: str, rows: Iterable[str], end: str = "\n") -> str:
    return end.join([header, *rows, ""])


def rows_of(labels: Rows, between: str = ",") -> list[str]:
    return [f"{name}{between}{label}" for name, label in labels.items()]


PLAIN = table("id,label", rows_of(LABELS))
SAMPLE = table("id,label", [f"{name},ant" for name in TESTS])


def made(
    train: str | bytes | None = PLAIN,
    sample: str | bytes | None = SAMPLE,
    images: Iterable[str] = LABELS,
    tests: Iterable[str] = TESTS,
    more: Tree | None = None,
) -> Tree:
    """A competition of PNG pictures, the nth of the red 10 n, and its tables; images and tests: file names, else .png."""
    tree: Tree = {}
    for folder, names, begin in (("train", images, 0), ("test", tests, 10)):
        for place, name in enumerate(names, begin):
            tree[f"{folder}/{name}" if "." in name[-5:] else f"{folder}/{name}.png"] = red(place)
    tree |= {"train.csv": train} if train is not None else {}
    tree |= {"sample_submission.csv": sample} if sample is not None else {}
    return tree | (more or {})


Case = tuple[Callable[[], Tree], Right | str]
