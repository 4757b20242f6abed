"""What the names of files and folders say: their words, the part of the competition that they belong to, and whether they are images."""

import re
from typing import Literal

from competition.archives import archive_suffix

IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".jp2",
    ".ppm",
    ".pgm",
    ".jfif",
    ".npy",
    ".dcm",
    ".dicom",
)
Role = Literal["train", "test", "val"]
ROLE_WORDS: dict[str, Role] = {
    **dict.fromkeys(("train", "training", "trainset", "traindata", "trainimages", "trn", "labeled", "labelled"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "testdata", "testimages", "tst", "evaluation", "holdout"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
}
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def words(name: str) -> list[str]:
    """The words of a file or folder name, in lower case: trainLabels_v2.csv -> train, labels, v, csv."""
    return [word.lower() for word in WORD.findall(name)]


def role_of(name: str) -> Role | None:
    """What a folder or file is for, by its name; None where the name says nothing, or two things."""
    suffix = archive_suffix(name)
    roles: set[Role] = {ROLE_WORDS[word] for word in words(name.removesuffix(suffix or "")) if word in ROLE_WORDS}
    return next(iter(roles)) if len(roles) == 1 else None


def role_of_file(path: str) -> Role | None:
    """What a file is for, by its name, else by the nearest folder whose name says it."""
    return next((role for part in reversed(re.split("[/#]", path)) if (role := role_of(part))), None)


def is_image(path: str) -> bool:
    return path.endswith(IMAGE_SUFFIXES) or path[path.rfind(".") :].lower() in IMAGE_SUFFIXES


def without_suffix(name: str) -> str:
    """The name without an image's ending; dots of other endings are part of an id."""
    return name[: name.rfind(".")] if is_image(name) else name
