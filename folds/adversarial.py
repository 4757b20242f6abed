"""Can one tell training from test images? A classifier on cheap statistics of the pixels and on sizes tries, out of fold.

An AUC near 0.5: the test looks like training, and a CV on it may be trusted. Far above: something differs, the statistics that tell most
say what, and the images that give it away are listed. Statistics do not see content: that objects differ stays unseen.

Legend: N training and test images, F statistics.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from competition.cache import pixels
from competition.contest import Competition
from competition.metrics import score
from competition.task import Task
from folds.errors import FoldError
from folds.intervals import Interval, score_interval

SIDE = 64
PARTS = 5
MOST = 5_000  # images of each part that are looked at, evenly spread
LEAST = 20
TELLING = 0.55  # AUC of a statistic alone, from which it is named
BOTH = Task("binary", ("train", "test"))


@dataclass(frozen=True)
class Drift:
    """auc: of telling test from training, out of fold. telling: each statistic's AUC alone (0.5 to 1), the highest first.

    images: columns part, id, image and `test` (probability of being a test image, out of fold), those that give themselves away first.
    """

    auc: Interval
    telling: pd.Series
    images: pd.DataFrame


def drift(contest: Competition, cache: Path) -> Drift:
    """Raises: FoldError where there are too few images to tell."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    parts = {name: _spread(rows, MOST) for name, rows in (("train", contest.train), ("test", contest.test))}
    if min(map(len, parts.values())) < LEAST:
        raise FoldError(f"{contest.name}: {len(contest.train):,} training and {len(contest.test):,} test images are too few to compare")
    found = pd.concat([statistics(contest, rows, cache) for rows in parts.values()], ignore_index=True)
    images = pd.concat([rows[["id", "image"]].assign(part=name) for name, rows in parts.items()], ignore_index=True)
    is_test = (images["part"] == "test").to_numpy(dtype=int)
    trees = RandomForestClassifier(200, min_samples_leaf=5, class_weight="balanced", n_jobs=-1, random_state=0)
    cut = StratifiedKFold(PARTS, shuffle=True, random_state=0)
    probs = np.asarray(cross_val_predict(trees, found.to_numpy(), is_test, cv=cut, method="predict_proba"))
    truth = np.eye(2, dtype=np.float32)[is_test]
    alone = pd.Series({name: _area(truth, found[name].to_numpy()) for name in found})
    surprise = np.where(is_test == 1, probs[:, 1], probs[:, 0])
    images = images.assign(test=probs[:, 1]).iloc[np.argsort(-surprise, kind="stable")]
    return Drift(
        score_interval("roc_auc", truth, probs, BOTH),
        alone.sort_values(ascending=False),
        images[["part", "id", "image", "test"]].reset_index(drop=True),
    )


def statistics(contest: Competition, rows: pd.DataFrame, cache: Path) -> pd.DataFrame:
    """float64 N x F: height, width, their ratio, and of each channel at 64 px brightness, contrast, sharpness, extremes and borders."""
    import cv2

    shapes = np.array([contest.images.shape(key) for key in rows["image"]], dtype=np.float64)
    channels = int(shapes[:, 2].max())
    seen = pixels(contest.images, rows, SIDE, channels, "bilinear", cache / contest.name)
    columns: dict[str, np.ndarray] = {"height": shapes[:, 0], "width": shapes[:, 1], "height / width": shapes[:, 0] / shapes[:, 1]}
    columns["channels"] = shapes[:, 2]
    per_channel = np.empty((len(rows), channels, 6))
    for row in range(len(seen)):
        image = seen[row]
        for channel in range(channels):
            plane = image[..., channel].astype(np.float32)
            low, high = np.quantile(plane, (0.02, 0.98))
            border = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
            sharp = cv2.Laplacian(plane, cv2.CV_32F).std()
            per_channel[row, channel] = plane.mean(), plane.std(), low, high, sharp, border.mean()
    names = ("brightness", "contrast", "darkest", "brightest", "sharpness", "brightness of the border")
    for channel in range(channels):
        of = f" of {('red', 'green', 'blue')[channel]}" if channels == 3 else f" of channel {channel}" if channels > 1 else ""
        columns |= {f"{name}{of}": per_channel[:, channel, place] for place, name in enumerate(names)}
    return pd.DataFrame(columns)


def _area(truth: np.ndarray, values: np.ndarray) -> float:
    """The statistic's own AUC, whichever way it points."""
    ranks = pd.Series(values).rank(pct=True).to_numpy()
    area = score("roc_auc", truth, np.column_stack([1 - ranks, ranks]), BOTH)
    return max(area, 1 - area)


def _spread(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    return rows if len(rows) <= most else rows.iloc[np.linspace(0, len(rows) - 1, most).astype(int)]
