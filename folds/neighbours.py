"""Which images look most alike: nearest neighbours of every image under its eight flips and quarter turns, of many images by clusters.

Images are compared as small grey thumbnails without their slow changes (brightness, vignettes), each of length 1, so that a dot product
is a correlation.

Legend: N images, D numbers a description, k neighbours.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from competition.processes import cores

BRUTE = 6_000  # images up to which all are compared with all
DIMENSIONS = 64
BLOCK = 1_000  # images a thread takes at once
PROBES = 10  # clusters looked into, of about the root of N


def views_of(thumbs: np.ndarray) -> np.ndarray:
    """8 x N x S x S: as they are, three quarter turns, and the same mirrored."""
    turned = [np.rot90(thumbs, turn, axes=(1, 2)) for turn in range(4)]
    return np.stack([*turned, *(view[:, :, ::-1] for view in turned)])


def flat(thumbs: np.ndarray, blur: float) -> np.ndarray:
    """float32 N x S x S: what is left without the changes slower than `blur` pixels, mean 0 and length 1."""
    import cv2

    kept = thumbs.astype(np.float32)

    def without_slow(rows: np.ndarray) -> None:
        for own in rows:
            own -= cv2.GaussianBlur(own, (0, 0), blur, borderType=cv2.BORDER_REFLECT_101)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(without_slow, np.array_split(kept, max(1, len(kept) // BLOCK))))
    kept -= kept.mean(axis=(1, 2), keepdims=True)
    return kept / np.maximum(np.linalg.norm(kept, axis=(1, 2), keepdims=True), 1e-6)


def shrunk(thumbs: np.ndarray, side: int) -> np.ndarray:
    """N x side x side by area."""
    step = thumbs.shape[1] // side
    return thumbs.reshape(len(thumbs), side, step, side, step).mean(axis=(2, 4))


def nearest(images: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each image (float32 N x S x S), its k nearest others: int64 N x k, which view of it they look like, and the correlation.

    Fewer than k are filled up with -1.
    """
    from threadpoolctl import threadpool_limits

    base = _reduced(images)
    count = len(images)
    best = (np.full((count, k), -1), np.zeros((count, k), np.int64), np.full((count, k), -np.inf, np.float32))
    means = _clusters(base[0]) if count > BRUTE else None

    def search(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _among(base[0], queries, np.arange(count), k + 1) if means is None else _search(base[0], queries, means, k + 1)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores()) as pool:  # a view a thread: the sorting is on all cores, too
        for view, (found, sizes) in enumerate(pool.map(search, base)):
            best = _merged(best, found, np.full(found.shape, view), sizes, k)
    return best


def _reduced(images: np.ndarray) -> np.ndarray:
    """8 x N x D: all views on the same principal axes, length 1."""
    sample = views_of(images[:: max(1, len(images) // 500)])
    sample = sample.reshape(-1, images[0].size).astype(np.float64)
    _, axes = np.linalg.eigh(sample.T @ sample)
    axes = axes[:, -DIMENSIONS:].astype(np.float32)
    reduced = np.stack([view.reshape(len(images), -1) @ axes for view in views_of(images)])
    return reduced / np.maximum(np.linalg.norm(reduced, axis=2, keepdims=True), 1e-6)


def _clusters(base: np.ndarray) -> np.ndarray:
    """float32 of about the root of N means x D."""
    from sklearn.cluster import MiniBatchKMeans

    found = MiniBatchKMeans(int(np.sqrt(len(base))), random_state=0, batch_size=4096).fit(base)
    return np.asarray(found.cluster_centers_, dtype=np.float32)


def _search(base: np.ndarray, queries: np.ndarray, means: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and correlations of the k rows of `base` nearest to each query, among those of the clusters that are nearest to it."""
    home = (base @ means.T).argmax(axis=1)
    probed = np.argpartition(-(queries @ means.T), PROBES, axis=1)[:, :PROBES]
    places, sizes = np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, np.float32)
    for cluster in range(len(means)):
        members, asking = np.flatnonzero(home == cluster), np.flatnonzero((probed == cluster).any(axis=1))
        if len(members) and len(asking):
            found, own = _among(base, queries[asking], members, k)
            both, both_sizes = np.hstack([places[asking], found]), np.hstack([sizes[asking], own])
            top = np.argpartition(-both_sizes, k - 1, axis=1)[:, :k]
            places[asking], sizes[asking] = np.take_along_axis(both, top, 1), np.take_along_axis(both_sizes, top, 1)
    return places, sizes


def _among(base: np.ndarray, queries: np.ndarray, members: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    k = min(k, len(members))
    places, sizes = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    for start in range(0, len(queries), 2048):
        alike = queries[start : start + 2048] @ base[members].T
        top = np.argpartition(-alike, k - 1, axis=1)[:, :k]
        places[start : start + 2048], sizes[start : start + 2048] = members[top], np.take_along_axis(alike, top, 1)
    return places, sizes


def _merged(
    best: Sequence[np.ndarray], found: np.ndarray, view: np.ndarray, sizes: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k nearest different others of both lists."""
    places, views, alike = (np.hstack(pair) for pair in zip(best, (found, view, sizes), strict=True))
    alike = np.where(places == np.arange(len(places))[:, None], -np.inf, alike)  # an image is no neighbour of its own
    order = np.argsort(-alike, axis=1, kind="stable")
    places, views, alike = (np.take_along_axis(part, order, 1) for part in (places, views, alike))
    earlier = np.zeros(places.shape, dtype=bool)
    for column in range(1, places.shape[1]):
        earlier[:, column] = (places[:, :column] == places[:, column : column + 1]).any(axis=1)
    order = np.argsort(earlier | ~np.isfinite(alike), axis=1, kind="stable")[:, :k]
    places, views, alike = (np.take_along_axis(part, order, 1) for part in (places, views, alike))
    gone = np.take_along_axis(earlier, order, 1) | ~np.isfinite(alike)
    return np.where(gone, -1, places), views, np.where(gone, -np.inf, alike)
