"""Which mirrorings leave an image of this competition a likely one. Measured, not assumed: flips are wrong for digits and right for tissue.

A linear model is asked to tell images from their mirrored twins, class by class (so that a left hand is not taken for a right
one), and scored out of fold. Where it cannot, the mirroring gives images that might as well have been taken that way.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from competition.atomic import write_json
from competition.cache import Pixels
from competition.contest import Reason

LAYOUT = 1  # raised whenever it would be measured otherwise, so that what was kept before is left alone

MOST_IMAGES = 2000
FEWEST_IN_CLASS = 30
THUMBNAIL_PX = 16
LIKELY_BELOW = 0.62  # AUC; chance is 0.5, photographs upside down and digits mirrored lie above 0.7

MIRRORINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # N x H x W
    "left-right": lambda x: x[:, :, ::-1],
    "upside down": lambda x: x[:, ::-1, :],
    "turned": lambda x: np.rot90(x, 1, (1, 2)),
}


def symmetry_of(pixels: Pixels, classes: np.ndarray, directory: Path) -> Reason:
    """As `find_symmetry`, of a pixel cache (competition/cache.py); measured once, and kept in the directory for the next start."""
    asked = f"{LAYOUT} {Path(str(pixels.filename)).name} ".encode() + classes.tobytes()
    path = directory / f"symmetry-{hashlib.sha256(asked).hexdigest()[:16]}.json"
    if (kept := _kept(path)) is not None:
        return kept
    reason = find_symmetry(pixels, classes)
    write_json(path, asdict(reason))
    return reason


def used_symmetry(symmetry: str, strength: str, method: str = "train") -> str:
    """The symmetry by whose mirrorings images really are shown to a network: none where it is trained without augmentation.

    A probe looks at mirrored images whatever the strength.
    """
    return "none" if strength == "none" and method == "train" else symmetry


def _kept(path: Path) -> Reason | None:
    """What was measured before; None where nothing was, or the file says something else."""
    try:
        reason = Reason(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    fits = reason.value in ("none", "horizontal", "all") and isinstance(reason.what, str) and isinstance(reason.why, str)
    return reason if fits else None


def find_symmetry(pixels: Pixels | np.ndarray, classes: np.ndarray) -> Reason:
    """none, horizontal or all, from uint8 N x S x S x C and one class code a row, with the measured AUCs as the reason.

    Too few images to tell (under 30): none.
    """
    chosen = np.linspace(0, len(pixels) - 1, min(len(pixels), MOST_IMAGES)).astype(int)
    if len(chosen) < FEWEST_IN_CLASS:
        return Reason("symmetry", "none", f"{len(chosen)} training images are too few to measure which mirrorings are likely", sure=False)
    thumbnails = _thumbnails(pixels[chosen])
    scores = {name: _told_apart(thumbnails, mirrored(thumbnails), classes[chosen]) for name, mirrored in MIRRORINGS.items()}
    likely = {name for name, auc in scores.items() if auc < LIKELY_BELOW}
    value = "all" if len(likely) == len(MIRRORINGS) else "horizontal" if "left-right" in likely else "none"
    measured = ", ".join(f"{name} {auc:.2f}" for name, auc in scores.items())
    return Reason(
        "symmetry", value, f"a linear model tells mirrored images from real ones with AUC: {measured} (likely below {LIKELY_BELOW})"
    )


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """float32 N x T x T, grey, each with mean 0 and spread 1."""
    import cv2

    side = min(THUMBNAIL_PX, images.shape[1])
    grey = np.stack([cv2.resize(image.mean(axis=2).astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) for image in images])
    grey -= grey.mean(axis=(1, 2), keepdims=True)
    return grey / (grey.std(axis=(1, 2), keepdims=True) + 1e-6)


def _told_apart(images: np.ndarray, mirrored: np.ndarray, classes: np.ndarray) -> float:
    """Out-of-fold AUC, pooled over classes, of a linear model that tells `images` from `mirrored`; below 0.5 counts as 0.5."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import roc_auc_score

    codes, counts = np.unique(classes, return_counts=True)
    kept = codes[counts >= FEWEST_IN_CLASS]
    groups = (
        [np.flatnonzero(classes == code) for code in kept]
        if counts[np.isin(codes, kept)].sum() >= len(classes) / 2
        else [np.arange(len(classes))]
    )
    truth: list[np.ndarray] = []
    told: list[np.ndarray] = []
    for rows in groups:
        # shuffled, for every second row may be of a kind (left eye, right eye); an image and its twin are always in the same half
        half = np.random.default_rng(0).permutation(len(rows)) % 2
        for held in (0, 1):
            fit, test = rows[half != held], rows[half == held]
            model = RidgeClassifier(alpha=100.0).fit(_flat(images[fit], mirrored[fit]), _twice(len(fit)))
            told.append(model.decision_function(_flat(images[test], mirrored[test])))
            truth.append(_twice(len(test)))
    return max(0.5, float(roc_auc_score(np.concatenate(truth), np.concatenate(told))))


def _flat(images: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    return np.concatenate([images, mirrored]).reshape(2 * len(images), -1)


def _twice(count: int) -> np.ndarray:
    return np.repeat([1, 0], count)
