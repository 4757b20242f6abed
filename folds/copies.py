"""Whether two images show the same picture, one perhaps a crop of the other: one is laid over the other, then compared block by block.

Legend: n pairs, S the side of a thumbnail (64 px), s that of a small one (32 px) without its slow changes. A window says where in the outer
picture the inner one lies: its side as a share of the outer side, and how far its middle is off in x and y, in shares too.
"""

from collections.abc import Callable

import cv2
import numpy as np

SIDE, SMALL = 64, 32
SLOW = 4.0  # px of a small thumbnail: slower changes (brightness, vignettes) do not count
CROPS = (30, 28)  # px of a small thumbnail that a crop may have kept; in between by refinement
STEPS = 3
SHARES = (0.84, 1.02)  # how much of a side a window may take
CLEARLY = 0.9  # of 1 - correlation, that a moved window must come below
BLURS = (1.0, 2.0)  # px of a thumbnail that a copy may have been blurred by
BACKWARDS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
HIDDEN = 0.15  # of the blocks that may differ without any weight, as under a caption


def turned(thumb: np.ndarray, view: int) -> np.ndarray:
    """One of the eight views: `view` % 4 quarter turns, from 4 on mirrored then."""
    seen = np.rot90(thumb, view % 4)
    return np.ascontiguousarray(seen[:, ::-1] if view >= 4 else seen)


def without_slow(thumb: np.ndarray, blur: float) -> np.ndarray:
    """float32 of the same shape."""
    own = thumb.astype(np.float32)
    return own - cv2.GaussianBlur(own, (0, 0), blur, borderType=cv2.BORDER_REFLECT_101)


def in_place(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """n correlations without the `HIDDEN` worst blocks. Both: n x s x s."""
    first, second = (_blocks(_unit(images), 4) for images in (one, other))
    kept = round(first.shape[1] * (1 - HIDDEN))
    best = np.argpartition(((first - second) ** 2).sum(axis=2), kept, axis=1)[:, :kept]
    both, *own = (
        np.take_along_axis((x * y).sum(axis=2), best, 1).sum(axis=1) for x, y in ((first, second), (first, first), (second, second))
    )
    return both / np.sqrt(own[0] * own[1] + 1e-12)


def crop_search(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float, float, bool]:
    """The best correlation, the window (share, x, y) and whether it lies in `other` rather than in `one`; both s x s."""
    found = (float(cv2.matchTemplate(one, other, cv2.TM_CCOEFF_NORMED)[0, 0]), 1.0, 0.0, 0.0, False)
    for side in CROPS:
        for outer, inner, swapped in ((one, other, False), (other, one, True)):
            part = cv2.resize(inner, (side, side), interpolation=cv2.INTER_AREA)
            _, alike, _, (left, top) = cv2.minMaxLoc(cv2.matchTemplate(outer, part, cv2.TM_CCOEFF_NORMED))
            if alike > found[0]:
                middle = (side - SMALL) / 2
                found = (float(alike), side / SMALL, (left + middle) / SMALL, (top + middle) / SMALL, swapped)
    return found


def refined(outer: np.ndarray, inner: np.ndarray, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The windows (n x 3) moved and scaled until the outer picture in them is most like the inner one, where that is a clear gain, and
    the n correlations there.

    Both n x s x s. Least squares on the gradients of the window, as Lucas and Kanade have it.
    """
    aim = _unit(inner)
    across = (np.arange(SMALL, dtype=np.float32) + 0.5) / SMALL - 0.5
    best, best_alike, now = windows, np.full(len(windows), -np.inf), windows
    for step in range(STEPS + 1):
        seen = _unit(cut(outer, now))
        alike = (seen * aim).sum(axis=(1, 2))
        better = 1 - alike < CLEARLY * (1 - best_alike)
        best, best_alike = np.where(better[:, None], now, best), np.maximum(alike, best_alike)
        if step == STEPS:
            break
        down, right = (SMALL * slope for slope in np.gradient(seen, axis=(1, 2)))
        slopes = np.stack([right * across + down * across[:, None], right, down], axis=1).reshape(len(now), 3, -1)
        square = slopes @ slopes.transpose(0, 2, 1) + 1e-9 * np.eye(3)
        move = np.linalg.solve(square, slopes @ (aim - seen).reshape(len(now), -1, 1))[..., 0]
        now = now + np.clip(move, -0.04, 0.04) * now[:, :1]
        now[:, 0] = np.clip(now[:, 0], *SHARES)
        free = np.maximum((1.01 - now[:, 0]) / 2, 0.01)[:, None]
        now[:, 1:] = np.clip(now[:, 1:], -free, free)
    return best, best_alike


def cut(images: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """n x side x side: what the windows show of each image, as large as the image."""
    side = images.shape[1]
    middle = (side - 1) / 2
    shown = np.empty_like(images)
    for place, (image, (share, x, y)) in enumerate(zip(images, windows, strict=True)):
        shift = np.array([[share, 0, middle + x * side - share * middle], [0, share, middle + y * side - share * middle]])
        shown[place] = cv2.warpAffine(image, shift, (side, side), flags=BACKWARDS, borderMode=cv2.BORDER_REFLECT_101)
    return shown


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """n x 3 correlations: of the whole, the median one of the blocks, and the one that a quarter of the smoothed blocks stay below.

    Both: uint8 n x S x S, one laid over the other. For the whole the sharper one may be blurred first, as a copy that was made smaller or
    re-encoded has been.
    """
    first, second = (_unit(_each(without_slow, images, 2 * SLOW)) for images in (one, other))
    fine, other_fine = (_each(without_slow, images, SLOW) for images in (one, other))
    smooth, other_smooth = (_each(_blurred, images, 1.5) for images in (fine, other_fine))
    alike = np.maximum(_fitted(first, second), _fitted(second, first))
    return np.column_stack([alike, _block_quantile(fine, other_fine, 8, 0.5), _block_quantile(smooth, other_smooth, 8, 0.25)])


def _fitted(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """n correlations of the second with the mixture of the first and its blurred selves that is most like it (least squares)."""
    parts = np.stack([one, *(_unit(_each(_blurred, one, blur)) for blur in BLURS)], axis=1).reshape(len(one), 1 + len(BLURS), -1)
    aim = parts @ other.reshape(len(one), -1, 1)
    shares = np.linalg.solve(parts @ parts.transpose(0, 2, 1) + 1e-4 * np.eye(parts.shape[1]), aim)
    mixed = (parts * shares).sum(axis=1).reshape(one.shape)
    return (_unit(mixed) * other).sum(axis=(1, 2))


def _each(change: Callable[[np.ndarray, float], np.ndarray], images: np.ndarray, blur: float) -> np.ndarray:
    return np.stack([change(image, blur) for image in images])


def _blurred(image: np.ndarray, blur: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), blur)


def _block_quantile(one: np.ndarray, other: np.ndarray, block: int, share: float) -> np.ndarray:
    """`share` of the blocks correlate less than this; blocks in which neither shows anything are left out."""
    first, second = _blocks(one, block), _blocks(other, block)
    first, second = first - first.mean(axis=2, keepdims=True), second - second.mean(axis=2, keepdims=True)
    energies = (first**2).sum(axis=2), (second**2).sum(axis=2)
    alike = (first * second).sum(axis=2) / np.sqrt(energies[0] * energies[1] + 1e-6)
    energy = np.maximum(*energies)
    upper = np.quantile(energy, 0.75, axis=1, keepdims=True)
    shown = energy > 0.1 * upper
    ordered = np.sort(np.where(shown, alike, np.inf), axis=1)
    place = np.maximum(share * (shown.sum(axis=1) - 1), 0).round().astype(int)
    return np.where(shown.any(axis=1), np.take_along_axis(ordered, place[:, None], 1)[:, 0], 0)


def _blocks(images: np.ndarray, block: int) -> np.ndarray:
    """n x blocks x pixels."""
    count, across = len(images), images.shape[1] // block
    return images.reshape(count, across, block, across, block).transpose(0, 1, 3, 2, 4).reshape(count, across**2, block**2)


def _unit(images: np.ndarray) -> np.ndarray:
    """Of mean 0 and length 1."""
    images = images - images.mean(axis=(1, 2), keepdims=True)
    return images / np.maximum(np.linalg.norm(images, axis=(1, 2), keepdims=True), 1e-6)
