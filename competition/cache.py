"""Each image decoded and resized once: a uint8 memory map N x S x S x C that folds, runs and predict share.

Legend: N images, S side in px, C channels.
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from competition.atomic import read_array, replacing
from competition.console import say
from competition.errors import CompetitionError
from competition.images import ImageSource
from competition.pool import on_all_cores
from competition.processes import cores
from competition.shortage import FULL, NotWritten, disk_of

LAYOUT = 2  # raised whenever the same image would give other pixels, so that older caches are left alone
SHOWN = 3
MOST_CHANNELS = 4
LEFT_FREE = 2**30  # bytes of the disk that a cache does not take


class Pixels(Protocol):
    """uint8 N x S x S x C of a set of images, read-only: a memory map, or what stands in for it. By rows: an int, a slice, an int array."""

    @property
    def filename(self) -> Any: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any) -> np.ndarray: ...


class Undecoded:
    """What stands in for the memory map where there is no room for it: uint8 N x S x S x C, each image decoded whenever it is asked for."""

    def __init__(self, source: ImageSource, keys: Sequence[str], asked: tuple[int, int, str, str], filename: Path) -> None:
        """asked: of `fit_square`; filename: of the memory map that it stands in for."""
        self.source, self.keys, self.asked, self.filename = source, keys, asked, filename
        self.stamps = [source.stamp([key]) for key in keys]
        size_px, channels, *_ = asked
        self.shape = (len(keys), size_px, size_px, channels)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """The image of a row, or those of several.

        Raises: CompetitionError that names an image that cannot be read, or is not the one that it was at first.
        """
        wanted = np.arange(len(self))[rows]
        found = np.empty((wanted.size, *self.shape[1:]), np.uint8)
        with ThreadPoolExecutor(cores()) as pool:
            for place, image in enumerate(pool.map(self._read, wanted.reshape(-1))):
                found[place] = image
        return found.reshape(*wanted.shape, *self.shape[1:])

    def _read(self, row: int) -> np.ndarray:
        key = self.keys[row]
        image = fit_square(self.source.read(key, self.asked[0]), *self.asked)
        if self.source.stamp([key]) != self.stamps[row]:
            raise CompetitionError(
                f"image {key!r} was changed since this command began; put it back, or the same command takes it as it is now"
            )
        return image


def pixels(
    source: ImageSource,
    rows: pd.DataFrame,
    size_px: int,
    channels: int,
    interpolation: str,
    directory: Path,
    most_gib: float = math.inf,
    fit: str = "stretch",
) -> Pixels:
    """uint8 N x S x S x C, memory-mapped and read-only, row by row with `rows` (columns id and image).

    Built on all cores where it is not there yet. The file's name is a hash of the images' stamps, so changed images are decoded
    anew; two processes that build it at once both succeed, and one that is killed leaves nothing behind that is taken for whole. A file
    of that name that holds something else is built anew.
    Where it would be larger than most_gib, or the disk has no room for it, each image is decoded whenever it is looked at.

    Raises: CompetitionError that names the images (by id and path) that cannot be read, or says that files changed meanwhile.
    """
    keys = rows["image"].tolist()
    stamp = source.stamp(keys)
    asked = json.dumps([LAYOUT, stamp, list(keys), size_px, channels, interpolation, fit])
    path = directory / f"{size_px}px-{channels}ch-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.npy"
    shape = (len(keys), size_px, size_px, channels)
    kept = read_array(path, shape, np.uint8, mapped=True)
    if kept is None:
        size = math.prod(shape)
        directory.mkdir(parents=True, exist_ok=True)
        room = min(most_gib * 2**30, shutil.disk_usage(directory).free - LEFT_FREE)
        if size > room:
            why = "more than --machine.cache-gib allows" if most_gib * 2**30 == room else f"and {directory} has room for {room / 2**30:.1f}"
            say(f"decoded, these images would take {size / 2**30:.1f} GiB, {why}: each is decoded anew whenever it is looked at")
            return Undecoded(source, keys, (size_px, channels, interpolation, fit), path)
        try:
            with replacing(path) as part:
                _fill(part, source, keys, rows["id"].tolist(), size_px, channels, interpolation, fit)
                if source.stamp(keys) != stamp:
                    raise CompetitionError("image files were changed while they were decoded; the same command decodes them anew")
        except NotWritten as error:
            if error.errno not in FULL:
                raise
            say(f"{disk_of(path)} was filled meanwhile: each image is decoded anew whenever it is looked at")
            return Undecoded(source, keys, (size_px, channels, interpolation, fit), path)
        kept = np.lib.format.open_memmap(path, mode="r")
    return kept  # type: ignore[return-value]


def fit_square(image: np.ndarray, size_px: int, channels: int, interpolation: str, fit: str = "stretch") -> np.ndarray:
    """uint8 H x W x C of any size as S x S x `channels`; shrinks by area (no aliasing), enlarges by the interpolation.

    fit: a name of FITS, how what is not square becomes it. One channel of many is the mean of all.
    """
    import cv2

    image = FITS[fit](image)
    if image.shape[2] != channels:
        if channels == 1 and image.shape[2] == 3:
            image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
        elif channels == 1:
            image = image.mean(axis=2, keepdims=True).round().astype(np.uint8)
        elif image.shape[2] == 1:
            image = np.repeat(image, channels, axis=2)
        else:
            raise CompetitionError(f"it has {image.shape[2]} channels where {channels} are asked for (--data.channels)")
    if channels > MOST_CHANNELS:  # cv2 shrinks four at the most
        parts = np.array_split(image, -(-channels // MOST_CHANNELS), axis=2)
        return np.concatenate([fit_square(np.ascontiguousarray(part), size_px, part.shape[2], interpolation) for part in parts], axis=2)
    height, width = image.shape[:2]
    if (height, width) == (size_px, size_px):
        return image
    enlarging = {"bicubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4, "nearest": cv2.INTER_NEAREST}.get(
        interpolation, cv2.INTER_LINEAR
    )
    shrunk = cv2.resize(image, (min(width, size_px), min(height, size_px)), interpolation=cv2.INTER_AREA)
    resized = cv2.resize(shrunk, (size_px, size_px), interpolation=enlarging)
    return resized if resized.ndim == 3 else resized[..., None]


def _padded(image: np.ndarray) -> np.ndarray:
    """Black beside it, or above and below."""
    height, width = image.shape[:2]
    missing = [max(height, width) - height, max(height, width) - width]
    return np.pad(image, [*((free // 2, free - free // 2) for free in missing), (0, 0)])


def _cropped(image: np.ndarray) -> np.ndarray:
    """The square in its middle."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])


FITS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"stretch": lambda image: image, "pad": _padded, "crop": _cropped}


def _fill(
    path: Path,
    source: ImageSource,
    keys: Sequence[str],
    ids: Sequence[str],
    size_px: int,
    channels: int,
    interpolation: str,
    fit: str,
) -> None:
    import cv2

    cv2.setNumThreads(1)  # the pool below is on all cores already
    whole = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(keys), size_px, size_px, channels))
    if hasattr(os, "posix_fallocate"):  # a full disk is an error here; later, written through the map, it would end the process
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    faults: list[str] = []

    def one(row: int) -> None:
        try:
            whole[row] = fit_square(source.read(keys[row], size_px), size_px, channels, interpolation, fit)
        except CompetitionError as error:
            faults.append(f"id {ids[row]!r}, {keys[row]}: {error}")

    on_all_cores("decoding", one, range(len(keys)))
    if faults:
        more = f"\n  and {len(faults) - SHOWN:,} more" if len(faults) > SHOWN else ""
        listed = "".join(f"\n  {fault}" for fault in sorted(faults)[:SHOWN])
        raise CompetitionError(
            f"{len(faults):,} of {len(keys):,} images cannot be used; mend them, or take their rows out of the tables:{listed}{more}"
        )
    whole.flush()
