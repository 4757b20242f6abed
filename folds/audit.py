"""What can make a score flatter: duplicates within training and between training and test, labels that contradict each other, groups that
duplicates cross, classes too small for the folds, and answers that an image's size or file name gives away.

Legend: N training images, M training and test images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pandas as pd
from PIL import ExifTags

from competition.cache import pixels
from competition.contest import Competition
from competition.damage import made_up
from competition.decode import opened
from competition.errors import examples
from competition.images import FileImages, ImageSource
from folds.copies import SIDE, turned
from folds.duplicates import components, find_pairs
from folds.exact import equal_pairs, same_pairs
from folds.turned import SIDE as FRAME
from folds.turned import find_turned

NUMBER_IN_NAME = r"(\d+)\D*$"
LEAST_ROWS = 20  # a class
LEAST_GAIN, DEVIATIONS = 0.1, 5  # of a share found over chance, for a giveaway to be named
MOST_ROWS = 20_000  # that giveaways are looked for in
SHOWN_PAIRS = 60
SMALLEST_PX = 16  # smaller images are all alike: only equal ones are duplicates
LOOKED_AT = 50
MOST_VALUES = 30
EXIF_BYTES = 65_536
CAMERA_TAGS = (ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software)


Depth = Literal["exact", "alike", "thorough"]


@dataclass(frozen=True)
class Audit:
    """pairs: columns id_a, id_b, part_a, part_b (train or test), kind (same bytes, same pixels, alike, turned), view, probability; the
    likeliest first, then turned ones, whose probability is their correlation in one frame.

    group_of[id]: of the training images that a duplicate, or a group of the competition, ties to others. findings: a line each.
    """

    pairs: pd.DataFrame
    group_of: pd.Series
    findings: list[str]


def audit(contest: Competition, cache: Path, folds: int, depth: Depth = "alike") -> Audit:
    """Everything that was found. folds: how many there will be. alike: images are decoded once, into the cache. thorough: also copies that
    were turned by any angle; exact: of duplicates only those that are the same to the last byte (of arrays, pixel)."""
    both = pd.concat(
        [contest.train[["id", "image"]].assign(part="train"), contest.test[["id", "image"]].assign(part="test")], ignore_index=True
    )
    found = (equal_pairs(contest.images, both["image"].tolist()) if depth == "exact" else _alike(contest, both, cache)).assign(kind="")
    if depth == "thorough" and not _tiny(contest, both):
        found = _with_turned(found, pixels(contest.images, both, FRAME, 1, "bilinear", cache / contest.name)[:][..., 0])
    a, b = found["a"].to_numpy(int), found["b"].to_numpy(int)
    keys, ids, parts = (both[name].to_numpy() for name in ("image", "id", "part"))
    kinds = [kind or _kind(contest, keys[x], keys[y], view) for x, y, view, kind in zip(a, b, found["view"], found["kind"], strict=True)]
    pairs = pd.DataFrame({"id_a": ids[a], "id_b": ids[b], "part_a": parts[a], "part_b": parts[b], "kind": kinds})
    pairs = pairs.assign(view=found["view"].to_numpy(), probability=found["probability"].to_numpy())
    within = found[(b < len(contest.train)) & (a < len(contest.train))]
    findings = [
        *_of_pairs(pairs),
        *_conflicts(contest, within),
        *_crossed(contest, within),
        *_small_classes(contest, folds),
        *([] if depth == "exact" else _damaged(contest, keys.tolist())),
        *_giveaways(contest),
    ]
    return Audit(pairs, _groups(contest, within), findings)


def sheet(contest: Competition, found: Audit, cache: Path) -> np.ndarray | None:
    """A picture of the likeliest pairs side by side, grey uint8; None where there are none."""
    shown = found.pairs.head(SHOWN_PAIRS)
    if shown.empty:
        return None
    image_of = {"train": contest.train.set_index("id")["image"], "test": contest.test.set_index("id")["image"]}
    wide = shown.melt(value_vars=["id_a", "id_b"], value_name="id")
    wide["part"] = [*shown["part_a"], *shown["part_b"]]
    rows = pd.DataFrame(
        {"id": wide["id"], "image": [image_of[part][identifier] for part, identifier in zip(wide["part"], wide["id"], strict=True)]}
    )
    thumbs = pixels(contest.images, rows, SIDE, 1, "bilinear", cache / contest.name)[:][..., 0]
    tiles = []
    for place, view in enumerate(shown["view"]):
        tile = np.pad(np.hstack([turned(thumbs[place], view), thumbs[place + len(shown)]]), ((0, 14), (0, 4)), constant_values=255)
        label = f"{shown['id_a'].iloc[place][-9:]} {shown['id_b'].iloc[place][-9:]}"
        tiles.append(cv2.putText(tile, label, (1, SIDE + 11), cv2.FONT_HERSHEY_PLAIN, 0.7, 0, 1))
    columns = 6
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)])


def _alike(contest: Competition, both: pd.DataFrame, cache: Path) -> pd.DataFrame:
    thumbs = pixels(contest.images, both, SIDE, 1, "bilinear", cache / contest.name)[:][..., 0]
    if _tiny(contest, both):
        return same_pairs(thumb.tobytes() for thumb in thumbs)
    equal = equal_pairs(contest.images, both["image"].tolist())  # of nine copies, the eighth neighbour is one, too
    return pd.concat([find_pairs(thumbs), equal], ignore_index=True).drop_duplicates(["a", "b"], ignore_index=True)


def _tiny(contest: Competition, both: pd.DataFrame) -> bool:
    shapes = [contest.images.shape(key) for key in both["image"].iloc[:: max(1, len(both) // LOOKED_AT)]]
    return float(np.median([max(shape[:2]) for shape in shapes])) < SMALLEST_PX


def _with_turned(found: pd.DataFrame, images: np.ndarray) -> pd.DataFrame:
    """And the pairs that only `find_turned` finds."""
    turned_ones = find_turned(images).rename(columns={"alike": "probability"}).assign(kind="turned")
    both = pd.concat([found, turned_ones[found.columns]], ignore_index=True) if len(found) else turned_ones
    return both.drop_duplicates(["a", "b"], ignore_index=True)


def _kind(contest: Competition, one: str, other: str, view: int) -> str:
    if view == 0:
        if isinstance(contest.images, FileImages) and contest.images.files.read(one) == contest.images.files.read(other):
            return "same bytes"
        if np.array_equal(contest.images.read(one), contest.images.read(other)):
            return "same pixels"
    return "alike"


def _of_pairs(pairs: pd.DataFrame) -> list[str]:
    lines = []
    for where, first, second in (
        ("within training", "train", "train"),
        ("between training and test", "train", "test"),
        ("within test", "test", "test"),
    ):
        these = pairs[(pairs["part_a"] == first) & (pairs["part_b"] == second)]
        if len(these):
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in these["kind"].value_counts().items())
            named = examples(f"{one} = {other}" for one, other in zip(these["id_a"], these["id_b"], strict=True))
            lines.append(f"{len(these):,} pairs of duplicates {where} ({kinds}): {named}")
    return lines or ["no duplicates were found"]


def _conflicts(contest: Competition, within: pd.DataFrame) -> list[str]:
    truth, ids = contest.truth, contest.train["id"].to_numpy()
    a, b = within["a"].to_numpy(int), within["b"].to_numpy(int)
    differ = np.flatnonzero((truth[a] != truth[b]).any(axis=1))
    if not len(differ):
        return []
    return [f"{len(differ):,} pairs of duplicates have different labels: {examples(f'{ids[a[n]]} and {ids[b[n]]}' for n in differ)}"]


def _crossed(contest: Competition, within: pd.DataFrame) -> list[str]:
    if contest.groups is None:
        return []
    groups, ids = contest.groups.to_numpy(), contest.train["id"].to_numpy()
    a, b = within["a"].to_numpy(int), within["b"].to_numpy(int)
    cross = np.flatnonzero(groups[a] != groups[b])
    if not len(cross):
        return []
    named = examples(f"{ids[a[n]]} ({groups[a[n]]}) and {ids[b[n]]} ({groups[b[n]]})" for n in cross)
    return [f"{len(cross):,} pairs of duplicates belong to different groups of {contest.groups.name!r}: {named}"]


def _small_classes(contest: Competition, folds: int) -> list[str]:
    if contest.task.kind == "regression":
        return []
    counts = contest.truth.sum(axis=0).astype(int)
    few = [f"{name} ({count})" for name, count in zip(contest.task.classes, counts, strict=True) if 0 < count < folds]
    return [f"{len(few):,} classes have fewer images than {folds} folds: {examples(few)}"] if few else []


def _damaged(contest: Competition, keys: list[str]) -> list[str]:
    damaged = list(made_up(contest.images, keys))
    return [f"{len(damaged):,} JPEGs seem damaged, some of their pixels are made up: {examples(damaged)}"] if damaged else []


def _giveaways(contest: Competition) -> list[str]:
    """What is no picture and yet tells the answer: a small tree on sizes and on names, scored out of fold against chance."""
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    if not contest.task.one_of_many or len(contest.train) < LEAST_ROWS * len(contest.task.classes):
        return []
    rows = np.random.default_rng(0).permutation(len(contest.train))[:MOST_ROWS]
    rows.sort()
    train, labels = contest.train.iloc[rows], contest.truth[rows].argmax(axis=1)
    shapes = pd.DataFrame([contest.images.shape(key) for key in train["image"]])
    number = train["id"].str.extract(NUMBER_IN_NAME)[0]
    places = number.str.zfill(number.str.len().max() if number.notna().any() else 0).rank(method="dense").fillna(-1)  # of any length
    letters, others = (table["id"].str.replace(r"\d+", "", regex=True) for table in (train, contest.test))
    looked = {
        "the image's height, width and channels": shapes.to_numpy(),
        "the number in the image's name": places.to_numpy()[:, None],
        "the letters in the image's name": _commonest(letters.where(letters.isin(others), "")),
        "the camera": _commonest(_cameras(contest.images, train["image"])),
    }
    lines = []
    for what, features in looked.items():
        tree = DecisionTreeClassifier(max_depth=5, min_samples_leaf=10, class_weight="balanced", random_state=0)
        guessed = cross_val_predict(tree, features, labels, cv=KFold(5, shuffle=True, random_state=0))
        present, counts = np.unique(labels, return_counts=True)
        found = np.array([(guessed[labels == label] == label).mean() for label in present])
        chance = 1 / len(present)
        deviation = np.sqrt((found * (1 - found) / counts).sum()) / len(present)
        if found.mean() - chance > max(LEAST_GAIN, DEVIATIONS * deviation):
            lines.append(f"{what} alone tells the class: {found.mean():.0%} of each class are found so, {chance:.0%} by chance")
    return lines


def _commonest(values: pd.Series) -> np.ndarray:
    """bool N x at most MOST_VALUES: whether a row has each of the commonest values."""
    return np.column_stack([values == value for value in values.value_counts().index[:MOST_VALUES]])


def _cameras(images: ImageSource, keys: pd.Series) -> pd.Series:
    """Text row by row: maker, model and software, as the image's EXIF has them; empty where there is none."""
    said = {}
    if isinstance(images, FileImages):
        for key in keys:
            if key.lower().endswith((".jpg", ".jpeg", ".tif", ".tiff")):
                try:
                    exif = opened(images.files.head(key, EXIF_BYTES)).getexif()
                except (OSError, ValueError, SyntaxError):  # what cannot be read is named elsewhere
                    continue
                said[key] = " ".join(str(exif.get(tag, "")).strip() for tag in CAMERA_TAGS).strip()
    return pd.Series([said.get(key, "") for key in keys])


def _groups(contest: Competition, within: pd.DataFrame) -> pd.Series:
    ids = contest.train["id"]
    tied = within[["a", "b"]]
    if contest.groups is not None:  # a row and the first one of its group
        _, first, group = np.unique(contest.groups.to_numpy(), return_index=True, return_inverse=True)
        tied = pd.concat([tied, pd.DataFrame({"a": first[group], "b": np.arange(len(ids))})])
    labels = components(len(ids), tied)
    several = np.bincount(labels)[labels] > 1
    return pd.Series([f"g{label}" for label in labels[several]], index=pd.Index(ids[several], name="id"), name="group", dtype="str")
