"""Pairs of images that show the same picture: exact, re-encoded, resized, brighter, cropped a little, mirrored or turned.

Hashes alone flag look-alikes (digits on black, silhouettes, X-rays). So candidates are the nearest neighbours under the eight views
(folds/neighbours.py), the best few are laid over each other (folds/copies.py), and a pair counts only where it is much closer than the
neighbours that both images have anyway.

Legend: N images.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pandas as pd

from competition.pool import on_all_cores
from folds.copies import SLOW, SMALL, crop_search, cut, in_place, likeness, refined, turned, without_slow
from folds.neighbours import flat, nearest, shrunk

NEIGHBOURS = 16
DESCRIPTIONS = ((24.0, 8), (8.0, 16))  # blur and side in px: coarse shapes, and texture
AS_IT_IS = ((64.0, 16),)  # slow changes, too
BEST = 6  # candidates of each image that are laid over it in full
RIVAL = 8  # the neighbour, by likeness, that a copy must be much closer than
# A logistic regression on ln(1 - likeness) of the pair and of the nearer one's eighth neighbour; docs/audit.md says on what it was fitted.
WEIGHTS, CONSTANT = {"whole": -3.73, "half": -2.75, "quarter": 1.38, "rival": 3.98}, -6.98
LEAST = 0.45  # probability of a pair to be named
UNLIKE = 0.6  # correlation of small thumbnails up to which a pair is not looked at in full: next to no copy is that unlike
FLOOR = 3e-3  # likenesses above 0.997 are as good as 1
MEANS, SEEN = 16, 0.88  # px; share of them that is compared: the others may lie under a caption
OF_PICTURE = 0.5  # of the mean distance to the middle brightness, which is what a picture shows
MOST_DIFFERENCE, OF_RIVAL = 1.5, 0.2  # grey levels; of the difference to the nearer one's eighth neighbour
BATCH = 256


def find_pairs(thumbs: np.ndarray) -> pd.DataFrame:
    """Columns a, b (places, a < b), view (of a, that looks like b) and probability, the likeliest first. thumbs: uint8 N x 64 x 64."""
    columns = ["a", "b", "view", "probability"]
    if len(thumbs) < 2:
        return pd.DataFrame(columns=columns)
    pairs = _compared(thumbs)
    logit = CONSTANT + sum(weight * _log_distance(pairs[name]) for name, weight in WEIGHTS.items())
    pairs = pairs.assign(probability=1 / (1 + np.exp(-logit)))
    found = pd.concat([pairs.loc[pairs["probability"] > LEAST, columns], _hardly_different(thumbs)[columns]])
    return found.sort_values("probability", ascending=False).drop_duplicates(["a", "b"], ignore_index=True)


def components(count: int, pairs: pd.DataFrame) -> np.ndarray:
    """int64 N: alike for images that pairs connect, directly or by others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs["a"].to_numpy(int), pairs["b"].to_numpy(int))), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _hardly_different(thumbs: np.ndarray) -> pd.DataFrame:
    """Pairs whose brightness is the same nearly all over, but for what JPEG and noise do: also of pictures that show next to nothing (sky),
    of which nothing is left without the slow changes."""
    means = shrunk(thumbs, MEANS)

    def difference(pairs: pd.DataFrame) -> np.ndarray:
        one, other = _side_by_side(means, pairs)
        one, other = one.reshape(len(one), -1), other.reshape(len(one), -1)
        apart = np.abs(one - other)
        nearly_all = np.sort(apart, axis=1)[:, : round(apart.shape[1] * SEEN)].mean(axis=1)
        shown = sum(np.abs(each - np.median(each, axis=1, keepdims=True)).mean(axis=1) for each in (one, other)) / 2
        return np.column_stack([-nearly_all, apart.mean(axis=1) / np.maximum(shown, 1.0)])

    pairs = _candidates(thumbs, AS_IT_IS)
    pairs[["rival", "of picture"]] = _in_batches("brightness", difference, pairs)
    rival = _eighth(pairs, len(thumbs))[pairs[["a", "b"]].to_numpy(int)].max(axis=1)
    alike = (pairs["rival"] > -MOST_DIFFERENCE) & (pairs["rival"] > OF_RIVAL * rival)
    return pairs[alike & (pairs["of picture"] < OF_PICTURE)].assign(probability=LEAST)  # else it is no caption, but all that is shown


def _compared(thumbs: np.ndarray) -> pd.DataFrame:
    """Columns a, b, view and those of `WEIGHTS`: how alike the best candidates are, and the rivals that they have to beat."""
    cv2.setNumThreads(1)  # the batches are on all cores already
    small = np.stack([without_slow(thumb, SLOW) for thumb in shrunk(thumbs, SMALL)])

    def roughly(pairs: pd.DataFrame) -> np.ndarray:
        one, other = _side_by_side(small, pairs)
        return np.column_stack([in_place(one, other), [crop_search(*pair) for pair in zip(one, other, strict=True)]])

    def closely(pairs: pd.DataFrame) -> np.ndarray:
        one, other = _side_by_side(small, pairs)
        swapped = pairs["swapped"].to_numpy(bool)[:, None, None]
        windows, alike = refined(np.where(swapped, other, one), np.where(swapped, one, other), pairs[["share", "x", "y"]].to_numpy())
        likely, found = alike > UNLIKE, np.zeros((len(pairs), 3))
        if not likely.any():
            return found
        one, other = _side_by_side(thumbs, pairs[likely])
        swapped = swapped[likely]
        found[likely] = likeness(cut(np.where(swapped, other, one), windows[likely]), np.where(swapped, one, other))
        return found

    asked = _candidates(thumbs, DESCRIPTIONS)
    asked[["rival", "found", "share", "x", "y", "swapped"]] = _in_batches("comparing", roughly, asked)
    best = _best(asked)
    ends = best[["a", "b"]].to_numpy(int)
    best["rival"] = _eighth(asked, len(thumbs))[ends].max(axis=1)
    best[["whole", "half", "quarter"]] = _in_batches("laying over", closely, best)
    return best


def _candidates(thumbs: np.ndarray, descriptions: Sequence[tuple[float, int]]) -> pd.DataFrame:
    """Columns a, b, view: each pair once for each view in which one is among the other's nearest."""
    parts = []
    for blur, side in descriptions:
        described = shrunk(flat(thumbs, blur), side)
        places, views, _ = nearest(described - described.mean(axis=(1, 2), keepdims=True), NEIGHBOURS)
        a, rank = np.nonzero(places >= 0)
        parts.append(pd.DataFrame({"a": a, "b": places[a, rank], "view": views[a, rank]}))
    both = pd.concat(parts)
    a, b, view = (both[name].to_numpy() for name in ("a", "b", "view"))
    back = np.where(view < 4, -view % 4, view)  # a quarter turn undone is one the other way; a mirrored view undoes itself
    both = pd.DataFrame({"a": np.minimum(a, b), "b": np.maximum(a, b), "view": np.where(a > b, back, view)})
    return both.drop_duplicates().sort_values(["a", "b", "view"], ignore_index=True)


def _side_by_side(images: np.ndarray, pairs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The first of each pair in the view that looks like the second, and the second."""
    one, other = images[pairs["a"].to_numpy(int)], images[pairs["b"].to_numpy(int)]
    for place, view in enumerate(pairs["view"]):
        if view:
            one[place] = turned(one[place], view)
    return one, other


def _in_batches(what: str, compare: Callable[[pd.DataFrame], np.ndarray], pairs: pd.DataFrame) -> np.ndarray:
    """A row a pair, worked out on all cores."""
    return np.vstack(on_all_cores(what, compare, (pairs.iloc[start : start + BATCH] for start in range(0, len(pairs), BATCH)), len))


def _eighth(pairs: pd.DataFrame, count: int) -> np.ndarray:
    """float64 N: how alike each image's eighth neighbour is, or its last where it has fewer."""
    alike = pairs.sort_values("rival", ascending=False).drop_duplicates(["a", "b"])
    ends = _ends(alike)
    eighth = ends[ends["rank"] < RIVAL].drop_duplicates("end", keep="last")
    return alike.loc[eighth["row"], "rival"].set_axis(eighth["end"]).reindex(range(count)).to_numpy(float)


def _best(pairs: pd.DataFrame) -> pd.DataFrame:
    """Of each pair its best view, where it is among the `BEST` of one of both images."""
    views = pairs.sort_values("found", ascending=False).drop_duplicates(["a", "b"])
    ends = _ends(views)
    return views.loc[np.unique(ends.loc[ends["rank"] < BEST, "row"])].copy()


def _ends(pairs: pd.DataFrame) -> pd.DataFrame:
    """Columns end (an image), row (of the pair) and rank (from 0, among the image's pairs), both ends of each pair in their order."""
    ends = pd.DataFrame({"end": pairs[["a", "b"]].to_numpy().ravel(), "row": np.repeat(pairs.index.to_numpy(), 2)})
    return ends.assign(rank=ends.groupby("end").cumcount())


def _log_distance(values: pd.Series) -> np.ndarray:
    return np.log(np.clip(1 - values.to_numpy(float), FLOOR, 2))
