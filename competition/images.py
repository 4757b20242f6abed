"""Where pixels come from: a key -> uint8 H x W x C, grey or RGB, whatever the file behind it is.

Legend: N images, H height, W width, C channels (1 grey, 3 RGB, others as arrays have them).
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from competition.decode import Shape, decode, shape_of
from competition.errors import CompetitionError, examples
from competition.files import Files

HEADER_BYTES = 32 * 2**10  # holds the size of nearly every image; the few with more before it are read whole


class ImageSource(Protocol):
    """Images by key. Implementations are cheap to make: pixels are read only when asked for. `read` may be called from many threads."""

    def read(self, key: str, at_least: int | None = None) -> np.ndarray:
        """uint8 H x W x C, C as the file has it; at_least: it may be smaller than the file has it, its sides not below so many px.

        Raises: CompetitionError that names the key and what is wrong with the file.
        """
        ...

    def stamp(self, keys: Sequence[str]) -> str:
        """A short hash that changes when the content behind one of the keys does (names, sizes, times or checksums)."""
        ...

    def shape(self, key: str) -> Shape:
        """Height, width and channels without decoding, where the file's header tells (before any turn by EXIF)."""
        ...


class FileImages:
    """Image files of a directory or archive; a key is a path."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def read(self, key: str, at_least: int | None = None) -> np.ndarray:
        return decode(self.files.read(key), key, at_least)

    def stamp(self, keys: Sequence[str]) -> str:
        return self.files.stamp(keys)

    def shape(self, key: str) -> Shape:
        found = shape_of(self.files.head(key, HEADER_BYTES)) or shape_of(self.files.read(key))
        return found or Shape(*self.read(key).shape)


class ArrayImages:
    """Images in memory: keys, and their pixels as uint8 N x H x W x C in the same order."""

    def __init__(self, keys: Sequence[str], pixels: np.ndarray) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != 4:
            raise CompetitionError(f"pixels should be uint8 N x H x W x C, they are {pixels.dtype} {' x '.join(map(str, pixels.shape))}")
        if len(keys) != len(pixels):
            raise CompetitionError(f"{len(keys):,} keys for {len(pixels):,} images")
        self.pixels = pixels
        self.row_of = {key: row for row, key in enumerate(keys)}
        if len(self.row_of) != len(keys):
            raise CompetitionError(f"keys repeat: {examples(sorted({key for key in keys if list(keys).count(key) > 1}))}")

    def read(self, key: str, at_least: int | None = None) -> np.ndarray:
        return self.pixels[self._row(key)]

    def stamp(self, keys: Sequence[str]) -> str:
        digest = hashlib.sha256(repr(self.pixels.shape[1:]).encode())
        for key in keys:
            digest.update(key.encode() + b"\0" + self.pixels[self._row(key)].tobytes())
        return digest.hexdigest()[:16]

    def shape(self, key: str) -> Shape:
        self._row(key)
        return Shape(*self.pixels.shape[1:])

    def _row(self, key: str) -> int:
        try:
            return self.row_of[key]
        except KeyError:
            raise CompetitionError(f"there is no image {key!r}") from None
