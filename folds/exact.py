"""Images that are the same to the last byte (files) or pixel (arrays), of a million in a minute: nothing is decoded, and only files of
one size are read.

Legend: N images.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

import numpy as np
import pandas as pd

from competition.images import FileImages, ImageSource
from competition.pool import on_all_cores

BLOCK = 1_000  # images a thread takes at once


def equal_pairs(images: ImageSource, keys: Sequence[str]) -> pd.DataFrame:
    """As `same_pairs`, of what lies behind the keys."""
    if not isinstance(images, FileImages):
        return same_pairs(_digests(lambda key: images.read(key).tobytes(), keys))
    sizes = pd.Series([images.files.size(key) for key in keys])
    asked = np.flatnonzero(sizes.duplicated(keep=False).to_numpy())
    pairs = same_pairs(_digests(images.files.read, [keys[place] for place in asked.tolist()]))
    return pairs.assign(a=asked[pairs["a"].to_numpy(int)], b=asked[pairs["b"].to_numpy(int)])


def same_pairs(contents: Iterable[bytes]) -> pd.DataFrame:
    """Columns a, b (places, a < b), view and probability, as `find_pairs` has them: each content that repeats with its first."""
    codes = pd.factorize(np.fromiter(contents, dtype=object))[0]
    first = np.unique(codes, return_index=True)[1][codes] if len(codes) else codes
    b = np.flatnonzero(first != np.arange(len(codes)))
    return pd.DataFrame({"a": first[b], "b": b, "view": 0, "probability": 1.0})


def _digests(read: Callable[[str], bytes], keys: Sequence[str]) -> list[bytes]:
    def some(block: Sequence[str]) -> list[bytes]:
        return [blake2b(read(key), digest_size=16).digest() for key in block]

    blocks = (keys[start : start + BLOCK] for start in range(0, len(keys), BLOCK))
    return [digest for digests in on_all_cores("reading", some, blocks, len) for digest in digests]
