"""Real and drawn pictures of several kinds, and copies of them as they come about, for the search for duplicates."""

from collections.abc import Callable

import cv2
import numpy as np

Picture = np.ndarray  # uint8 H x W x 3
RNG = np.random.default_rng(0)


def photographs(side: int = 96) -> list[Picture]:
    """Tiles of two photographs, none overlapping another."""
    from sklearn.datasets import load_sample_images

    found = []
    for image in load_sample_images().images:
        for top in range(0, image.shape[0] - side, side):
            found += [image[top : top + side, left : left + side] for left in range(0, image.shape[1] - side, side)]
    return found


def small_photographs() -> list[Picture]:
    return [cv2.resize(np.ascontiguousarray(picture), (32, 32), interpolation=cv2.INTER_AREA) for picture in photographs()]


def silhouettes(count: int = 40) -> list[Picture]:
    """White leaves on black, each of a shape of its own."""
    found = []
    for _ in range(count):
        angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        radius = 30 * (1 + sum(RNG.uniform(0, 0.25) * np.cos(lobes * angles + RNG.uniform(0, 6)) for lobes in RNG.integers(2, 9, 3)))
        points = np.stack([48 + radius * np.cos(angles), 48 + RNG.uniform(0.6, 1) * radius * np.sin(angles)], axis=1)
        picture = np.zeros((96, 96, 3), np.uint8)
        found.append(cv2.fillPoly(picture, [points.astype(np.int32)], (255, 255, 255)))
    return found


def jpeg(quality: int) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        written = cv2.imencode(".jpg", np.ascontiguousarray(picture), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR))

    return change


def crop(share: float) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        kept = round(len(picture) * (1 - share))
        top, left = RNG.integers(0, len(picture) - kept + 1, 2)
        return picture[top : top + kept, left : left + kept]

    return change


def boxed(picture: Picture) -> Picture:
    side = len(picture)
    top, left = RNG.integers(0, side // 2, 2)
    changed = picture.copy()
    changed[top : top + side // 7, left : left + side // 2] = RNG.integers(0, 256, 3)
    return changed


def resized(factor: float) -> Callable[[Picture], Picture]:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda picture: cv2.resize(np.ascontiguousarray(picture), None, fx=factor, fy=factor, interpolation=how)


def brighter(picture: Picture) -> Picture:
    return np.clip(picture * RNG.uniform(0.75, 1.3) + RNG.uniform(-20, 20), 0, 255).astype(np.uint8)


KINDS: dict[str, Callable[[], list[Picture]]] = {
    "photographs": photographs,
    "photographs of 32 px": small_photographs,
    "silhouettes": silhouettes,
}
CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "none": lambda picture: picture.copy(),
    "JPEG 90": jpeg(90),
    "JPEG 50": jpeg(50),
    "mirrored": lambda picture: picture[:, ::-1],
    "a quarter turn": np.rot90,
    "turned and mirrored": lambda picture: np.rot90(picture[:, ::-1], 3),
    "brighter": brighter,
    "grey": lambda picture: np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
    "noise": lambda picture: np.clip(picture + RNG.normal(0, 8, picture.shape), 0, 255).astype(np.uint8),
    "half the size": resized(0.5),
    "larger": resized(1.5),
    "a box": boxed,
    "5 % cropped": crop(0.05),
}


def tilted(picture: Picture, angle: float, mirrored: bool = False) -> Picture:
    """Turned about its middle by some degrees; what is missing in the corners is reflected."""
    side = len(picture)
    frame = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, 1.0)
    seen = np.ascontiguousarray(picture[:, ::-1] if mirrored else picture)
    return cv2.warpAffine(seen, frame, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def tilted_and_cropped(picture: Picture, angle: float) -> Picture:
    """The same, without what is missing: an upright window of the turned picture, wider than high, made square again."""
    side = len(picture)
    window = tilted(picture, angle)[round(0.13 * side) : round(0.87 * side), round(0.08 * side) : round(0.92 * side)]
    return cv2.resize(window, (side, side), interpolation=cv2.INTER_CUBIC)
