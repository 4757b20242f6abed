"""Pairs of images of which one is the other turned by any angle, perhaps mirrored: local features, matched and brought into one frame.

Every feature asks an index of all features for the ones most like it, and these vote for their images; the images with the most votes are
brought over each other by a turn, a scale and a shift that enough features agree on. The pixels then make this exact (a copy that was
turned, cropped and made square again is stretched too), and have to agree.

Legend: N images, S their side in px, n features of one image, M those of all.
"""

from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from competition.pool import on_all_cores
from folds.copies import without_slow

SIDE = 160
MOST_FEATURES = 120
DIMENSIONS = 32  # of a feature, in the index
ASKED, LEAST_VOTES, MOST_VOTED = 4, 3, 6
CLEARER = 0.85  # than the second best match, by distance
REACH = 4.0  # px that a feature may be off
LEAST_INLIERS = 10
SCALES = (0.6, 1.7)  # along any direction
STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-4)
BLUR_PX = 5
LEAST_SHARE, LEAST_ALIKE = 0.5, 0.8  # of the picture that both show, and the correlation there


class Features(NamedTuple):
    """at: float32 n x 2 (px); what: float32 n x 128, of length 1."""

    at: np.ndarray
    what: np.ndarray


def find_turned(images: np.ndarray) -> pd.DataFrame:
    """Columns a, b (places, a < b), view (0, or 4 where mirrored), angle (degrees) and alike (correlation). images: uint8 N x S x S."""
    cv2.setNumThreads(1)  # the pools below are on all cores already
    plain = on_all_cores("features", features, images)
    mirrored = on_all_cores("features, mirrored", lambda image: features(np.ascontiguousarray(image[:, ::-1])), images)
    asked = _voted(plain, mirrored)

    def compare(pair: tuple[int, int, int]) -> tuple[float, float] | None:
        a, b, view = pair
        one = np.ascontiguousarray(images[a][:, ::-1]) if view else images[a]
        return laid_over(one, images[b], (mirrored if view else plain)[a], plain[b])

    found = on_all_cores("laying over", compare, asked)
    rows = [(*pair, *over) for pair, over in zip(asked, found, strict=True) if over is not None]
    pairs = pd.DataFrame(rows, columns=["a", "b", "view", "angle", "alike"])
    return pairs.sort_values("alike", ascending=False).drop_duplicates(["a", "b"]).reset_index(drop=True)


def features(image: np.ndarray) -> Features:
    """The strongest ones; image: uint8 S x S."""
    points, what = cv2.SIFT_create(nfeatures=MOST_FEATURES, contrastThreshold=0.02).detectAndCompute(image, None)  # type: ignore[call-overload]
    if what is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    what = np.sqrt(what / np.maximum(what.sum(axis=1, keepdims=True), 1e-6))  # the Hellinger distance tells features apart best
    return Features(np.array([point.pt for point in points], np.float32), what)


def laid_over(one: np.ndarray, other: np.ndarray, ones: Features, others: Features) -> tuple[float, float] | None:
    """The angle by which the first picture was turned, and the correlation of both where they overlap; None where they don't match."""
    if min(len(ones.at), len(others.at)) < LEAST_INLIERS:
        return None
    alike = ones.what @ others.what.T
    nearest = alike.argmax(axis=1)
    best, second = -np.partition(-alike, 1, axis=1)[:, :2].T
    clear = np.flatnonzero((1 - best < CLEARER**2 * (1 - second)) & (alike.argmax(axis=0)[nearest] == np.arange(len(nearest))))
    if len(clear) < LEAST_INLIERS:
        return None
    frame, inliers = cv2.estimateAffinePartial2D(ones.at[clear], others.at[nearest[clear]], method=cv2.RANSAC, ransacReprojThreshold=REACH)
    if frame is None or len(np.unique(ones.at[clear][inliers.ravel() > 0].round(), axis=0)) < LEAST_INLIERS:
        return None
    frame = _refined(one, other, frame)
    stretch = np.linalg.svd(frame[:, :2])[1]
    if stretch.max() > SCALES[1] or stretch.min() < SCALES[0]:
        return None
    shown = cv2.warpAffine(np.ones_like(one), frame, other.shape[::-1]) > 0
    if shown.mean() < LEAST_SHARE:
        return None
    first, second = (without_slow(image, SIDE / 16)[shown] for image in (cv2.warpAffine(one, frame, other.shape[::-1]), other))
    correlation = float(np.corrcoef(first, second)[0, 1])
    return (float(np.degrees(np.arctan2(frame[1, 0], frame[0, 0]))), correlation) if correlation > LEAST_ALIKE else None


def _refined(one: np.ndarray, other: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """2 x 3, the affine map near `frame` that lays the first picture over the other best (ECC); `frame` itself where none is better."""
    back = cv2.invertAffineTransform(frame).astype(np.float32)
    try:
        _, back = cv2.findTransformECC(other, one, back, cv2.MOTION_AFFINE, STEPS, None, BLUR_PX)  # type: ignore[call-overload]
    except cv2.error:  # it did not settle
        return frame
    return cv2.invertAffineTransform(back)


def _voted(plain: list[Features], mirrored: list[Features]) -> list[tuple[int, int, int]]:
    """(a, b, view) of the images that have the most features alike."""
    if sum(len(own.at) for own in plain) <= ASKED:
        return []
    everything = np.concatenate([own.what for own in plain])
    home = np.repeat(np.arange(len(plain)), [len(own.at) for own in plain])
    sample = everything[:: max(1, len(everything) // 20_000)].astype(np.float64)
    middle = sample.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(sample.T))
    axes = axes[:, -DIMENSIONS:]
    index = cv2.flann.Index(((everything - middle) @ axes).astype(np.float32), {"algorithm": 1, "trees": 4})
    found = set()
    for view, asking in ((0, plain), (4, mirrored)):
        for image, own in enumerate(asking):
            if len(own.at):
                places, _ = index.knnSearch(((own.what - middle) @ axes).astype(np.float32), ASKED, params={"checks": 32})
                voted, votes = np.unique(home[places.ravel()], return_counts=True)
                enough = (votes >= LEAST_VOTES) & (voted != image)
                for other in voted[enough][np.argsort(-votes[enough], kind="stable")[:MOST_VOTED]]:
                    found.add((min(image, int(other)), max(image, int(other)), view))
    return sorted(found)
